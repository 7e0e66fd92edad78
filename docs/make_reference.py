"""Write docs/commands.md from the program itself: `python docs/make_reference.py`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from bulkgladly.cli.app import app
from bulkgladly.cli.help_pages import argument_name, default_of, usage_line
from bulkgladly.emulator import __main__ as emulator

__all__ = ("main", "reference")

TARGET = Path(__file__).with_name("commands.md")
HEAD = """\
# Commands

Every command and every flag. `python docs/make_reference.py` writes this page from the program. A
test fails if they differ, so do not edit it by hand.

A flag on the command line wins over its environment variable, the variable over `bulkgladly.toml`,
and the file over the default shown here. These pages explain how the flags work together:
[importing](importing.md), [exporting](exporting.md), [the data set](dataset.md), [pace](pace.md),
[runs](runs.md), [the emulator](emulator.md). Every command also has
`--help`, which shows the flags that most people need, and `--help-all`, which shows all of them.
"""


def reference() -> str:
    """Return the whole page. Equal programs give equal text, whatever the terminal."""
    root = typer.main.get_command(app)
    sections = [_section(["bulkgladly", *names], command) for names, command in _commands(root, [])]
    return "\n".join([HEAD, *sections]).rstrip("\n") + "\n"


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")


def _commands(command: Any, names: list[str]) -> Iterator[tuple[list[str], Any]]:
    """Yield each command with its name, a group before its members."""
    yield names, command
    for name, member in getattr(command, "commands", {}).items():
        yield from _commands(member, [*names, name])


def _section(names: list[str], command: Any) -> str:
    arguments = [item for item in command.params if not _is_option(item)]
    options = [item for item in command.params if _is_option(item)]
    parts = [f"## `{' '.join(names)}`", _paragraphs(command.help or "")]
    if members := getattr(command, "commands", {}):
        parts.append("\n".join(f"- `{name}`: {_first_line(member.help or '')}" for name, member in members.items()))
    else:
        parts.append(f"    {usage_line(command, ' '.join(names))}")
    if command.epilog:
        parts.append(f"```sh\n{command.epilog}\n```")
    if arguments:
        parts.append("\n".join(f"- `{argument_name(item)}`: {item.help or ''}" for item in arguments))
    if names[-1] == "emulator":
        parts.append(_emulator_table())
    elif options:
        rows = [_row(item) for item in options]
        parts.append("\n".join(["| flag | what it does | environment | default |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _is_option(item: Any) -> bool:
    return bool(item.opts[0].startswith("-"))


def _row(option: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
    variable = f"`{option.envvar}`" if option.envvar else ""
    choices = (option.metavar or "").split("|")
    is_closed = len(choices) > 1 and all(each[:1].islower() for each in choices)
    said = (option.help or "") + (f" One of {', '.join(f'`{each}`' for each in choices)}." if is_closed else "")
    return f"| {flags} | {_cell(said)} | {variable} | {_default(option)} |"


def _default(option: Any) -> str:
    if getattr(option, "is_flag", False):
        return "off"
    value = default_of(option)
    return f"`{value}`" if value else ""


def _emulator_table() -> str:
    rows = ["| flag | what it does | choices | default |", "|---|---|---|---|"]
    for action in emulator._parser()._actions:
        if {"--help", "--help-all"} & set(action.option_strings):
            continue
        flags = ", ".join(f"`{flag}`" for flag in action.option_strings)
        choices = ", ".join(f"`{choice}`" for choice in action.choices or ())
        default = "off" if action.nargs == 0 else "" if action.default is None else f"`{action.default}`"
        rows.append(f"| {flags} | {_cell(action.help or '')} | {choices} | {default} |")
    return "\n".join(rows)


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(block.split()) for block in text.split("\n\n"))


def _first_line(text: str) -> str:
    return _paragraphs(text).split("\n\n")[0]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
