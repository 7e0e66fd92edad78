"""The pages that `--help` prints: two plain columns, no wider than is easy to read, and examples at the end.

Typer's own pages have a column of types and name the variable of each option. For `import` that was
203 lines at 80 columns, and half of them were the rest of a wrapped line. The variables follow one rule, so one
line tells it. A command with many options shows those of `first_options`, so that the page fits one screen;
`--help-all` shows all of them.
"""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

from typer.core import TyperCommand, TyperGroup

from bulkgladly.cli.first_options import FIRST_OPTIONS
from bulkgladly.cli.number_flags import take_plain_numbers

__all__ = (
    "HELP_ALL",
    "WHOLE_PAGE",
    "HelpfulCommand",
    "HelpfulGroup",
    "argument_name",
    "default_of",
    "help_page",
    "summary_line",
    "usage_line",
)

HELP_ALL = "--help-all"
WHOLE_PAGE = "bulkgladly.help_all"
"""Set in the `meta` of a context whose page is to show every option."""

WIDEST = 100
NARROWEST = 40
MOST_TERM = 26
"""A longer name of an option stands on a line of its own, so that it does not push all texts to the right."""

LEAST_VARIABLES = 3
"""A command with fewer gets no note about variables; its few are in docs/commands.md."""

Entry = tuple[str, str]
"""A term and what it means."""


class HelpfulCommand(TyperCommand):
    """A command with a page of ours, and numbers that are plain digits."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        take_plain_numbers(self)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note whether the whole page is wanted: the parser calls the same for all names of the help option."""
        ctx.meta[WHOLE_PAGE] = ctx.meta.get(WHOLE_PAGE, False) or HELP_ALL in args
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(help_page(self, ctx.command_path, _width(), is_whole=ctx.meta.get(WHOLE_PAGE, False)))


class HelpfulGroup(TyperGroup):
    """A group of commands with a page of ours."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note whether the whole page is wanted: the parser calls the same for all names of the help option."""
        ctx.meta[WHOLE_PAGE] = ctx.meta.get(WHOLE_PAGE, False) or HELP_ALL in args
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(help_page(self, ctx.command_path, _width(), is_whole=ctx.meta.get(WHOLE_PAGE, False)))


def help_page(command: Any, name: str, width: int, *, is_whole: bool = False) -> str:
    """Return what `--help` prints for a command of this full name; `is_whole` for every option that it has."""
    first = () if is_whole else FIRST_OPTIONS.get(name.removeprefix("bulkgladly").strip(), ())
    sections = dict(_sections(command, first))
    is_group = bool(getattr(command, "commands", None))
    column = _column(entry for entries in sections.values() for entry in entries)
    blocks = [_filled(command.help or "", width), f"Usage: {usage_line(command, name)}"]
    blocks += [
        f"{title}:\n{_listed(entries, _column(entries) if is_group else column, width)}"
        for title, entries in sections.items()
    ]
    if not first:
        blocks += [_filled(note, width) for note in _notes(command)]
    if command.epilog:
        blocks.append(f"Examples:\n{textwrap.indent(command.epilog, '  ')}")
    return "\n\n".join(blocks) + "\n"


def _column(entries: Iterable[Entry]) -> int:
    """Return how wide the column of terms is."""
    return max((len(term) for term, _ in entries if len(term) <= MOST_TERM), default=0)


def usage_line(command: Any, name: str) -> str:
    """Return how a command is called: its arguments, the options that it cannot do without, and that there are more."""
    needed = [_term(item) for item in _parameters(command) if not _is_option(item) or item.required]
    if getattr(command, "commands", None):
        last = "[COMMAND]" if command.invoke_without_command else "COMMAND"
        return " ".join([name, *(["[OPTIONS]"] if len(command.params) > 1 else []), last])
    return " ".join([name, *needed, "[OPTIONS]"])


def argument_name(argument: Any) -> str:
    """Return the name of an argument as the usage has it."""
    return str(argument.metavar or argument.opts[0].upper())


def summary_line(command: Any) -> str:
    """Return the first sentence of a command's help."""
    text = " ".join((command.help or "").split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".") + "."


def default_of(item: Any) -> str:
    """Return the default of an option as one would type it; nothing for a switch, and where there is none."""
    value = getattr(item, "default", None)
    if isinstance(value, Enum):
        value = value.value
    is_shown = value is not None and not callable(value) and not isinstance(value, bool | list | tuple)
    return str(value) if is_shown and not getattr(item, "is_flag", False) else ""


def _sections(command: Any, first: Sequence[str]) -> Iterator[tuple[str, list[Entry]]]:
    """Yield each section with its entries: the commands of a group, the arguments, and the options by panel.

    If there are `first` options, there is one panel with these, in their order.
    """
    commands: dict[str, list[Entry]] = {}
    for member in getattr(command, "commands", {}).values():
        title = member.rich_help_panel if isinstance(member.rich_help_panel, str) else "Commands"
        commands.setdefault(title, []).append((str(member.name), summary_line(member)))
    yield from commands.items()
    panels: dict[str, list[Entry]] = {}
    every = _parameters(command)
    for item in (item for item in every if not first or not _is_option(item)):
        title = item.rich_help_panel or "Options" if _is_option(item) else "Arguments"
        panels.setdefault(title, []).append((_term(item), _meaning(item)))
    by_name = {item.opts[0]: item for item in every}
    panels |= {"Common options": [(_term(by_name[name]), _meaning(by_name[name])) for name in first]} if first else {}
    if command.add_help_option:
        own = panels.setdefault("Common options" if first else "Options", [])
        own.append(("-h, --help", "Show this page."))
        if first:
            number = sum(_is_option(item) for item in every)
            own.append(
                (HELP_ALL, f"Show all {number} options, and how to set them in a file or by environment variables.")
            )
    yield from panels.items()


def _parameters(command: Any) -> list[Any]:
    return sorted(command.params, key=_is_option)  # the sort is stable: arguments first, the rest as declared


def _is_option(item: Any) -> bool:
    return bool(item.opts[0].startswith("-"))


def _term(item: Any) -> str:
    """Return an option with what it takes, or an argument as the usage names it."""
    if not _is_option(item):
        # A name that says itself which words it stands for, such as [RUN] RECORD, needs no dots.
        named = argument_name(item) + ("..." if item.nargs == -1 and " " not in argument_name(item) else "")
        return named if item.required else f"[{named}]"
    metavar = item.metavar or item.opts[0].strip("-").upper().replace("-", "_")
    names = ", ".join(item.opts)
    names = " / ".join([names, *item.secondary_opts])
    return names if item.is_flag else f"{names} {metavar}"


def _meaning(item: Any) -> str:
    text = item.help or ""
    default = default_of(item) if _is_option(item) and not item.required else ""
    if default and "(default:" not in text:
        return f"{text} (default: {default})"
    return f"{text} (required)" if _is_option(item) and item.required else text


def _notes(command: Any) -> Iterator[str]:
    variables = [item for item in command.params if getattr(item, "envvar", None)]
    if len(variables) >= LEAST_VARIABLES:
        # --key is what newcomers need first, so that it makes the better example.
        example = next((item for item in variables if "--key" in item.opts), variables[0])
        yield (
            "Most options can also be set in the settings file (bulkgladly.toml) or by an environment variable, "
            f"such as {example.envvar} for {example.opts[0]}."
        )


def _listed(entries: Sequence[Entry], column: int, width: int) -> str:
    indent = " " * (column + 4)
    lines: list[str] = []
    for term, text in entries:
        filled = textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        if len(term) > column or not filled:
            lines += [f"  {term}", *filled]
        else:
            lines += [f"  {term:<{column}}  {filled[0].strip()}", *filled[1:]]
    return "\n".join(lines)


def _filled(text: str, width: int) -> str:
    """Return the paragraphs of a text, each wrapped."""
    paragraphs = [" ".join(block.split()) for block in text.split("\n\n")]
    return "\n\n".join(textwrap.fill(block, width, break_on_hyphens=False) for block in paragraphs)


def _width() -> int:
    # Piped output has no width; 80 is what a page in a terminal would have, so that both are the same.
    return max(NARROWEST, min(shutil.get_terminal_size((80, 24)).columns, WIDEST))
