"""Where text leaves the program: lines for people and results for programs, harmless on a terminal.

Everything that the commands print goes through here, which a test asserts. So no command has to
know which parts of its text come from a file or from Gladly.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from bulkgladly.cli.streams import lost_output
from bulkgladly.cli.terminal_lines import USUAL_WIDTH, Line, ending_line, folded_table, rendered, terminal_of
from bulkgladly.shown import escaped_json, shown

if TYPE_CHECKING:
    from bulkgladly.cli.flag_groups import OutputFlags

__all__ = (
    "ask",
    "can_ask",
    "print_json",
    "print_lines",
    "print_table",
    "print_text",
    "run_and_leave",
    "screen_width",
    "tell",
    "tell_below",
    "why_lost",
)


def print_lines(*lines: str | Line) -> None:
    """Print lines on stdout. Line breaks within a line are escaped; a terminal gets them wrapped between words."""
    # Flushed at once, here and below, so that the order is right where both streams go into one file.
    terminal = terminal_of(sys.stdout)
    sys.stdout.write("".join(f"{rendered(line, terminal)}\n" for line in lines))
    sys.stdout.flush()


def print_table(head: Sequence[str], rows: Sequence[Sequence[str | Line]]) -> None:
    """Print a table on stdout. On a terminal the columns that do not fit stand below their row."""
    print_lines(*folded_table(head, rows, terminal_of(sys.stdout).width))


def print_text(text: str) -> None:
    """Print a text of several lines on stdout, such as a drafted mapping. No line is shortened."""
    lines = text.removesuffix("\n").split("\n")
    sys.stdout.write("".join(f"{shown(line, len(line))}\n" for line in lines))
    sys.stdout.flush()


def screen_width() -> int:
    """Return how many columns stdout shows: those of its terminal, else 80."""
    return terminal_of(sys.stdout).width or USUAL_WIDTH


def tell(*lines: str | Line) -> None:
    """Print lines for people on stderr. Line breaks within a line are escaped; a terminal gets them wrapped."""
    terminal = terminal_of(sys.stderr)
    sys.stderr.write("".join(f"{rendered(line, terminal)}\n" for line in lines))
    sys.stderr.flush()


def tell_below(*lines: str) -> None:
    """Print lines for people, on a terminal below the line of the cursor, where a question may stand."""
    tell(*([""] if sys.stderr.isatty() else []), *lines)


def can_ask() -> bool:
    """Tell whether the standard input is a terminal, at which a person can be asked."""
    return sys.stdin.isatty()


def ask(question: str) -> str | None:
    """Print a question on stderr, and return what a person types; None if the input has ended."""
    sys.stderr.write(shown(question) + " ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None


def print_json(content: Any, *, kept_in: str | None = None) -> None:
    """Print a result for programs on stdout.

    `kept_in` names a file with the same content. If stdout cannot be written, a line on stderr
    points there, and the exit code stays that of the work, which is done.
    """
    import orjson

    sys.stdout.write(escaped_json(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()) + "\n")
    sys.stdout.flush()
    if kept_in is not None and (error := lost_output()) is not None:
        tell(f"the JSON could not be written to the standard output: {why_lost(error)}; {kept_in} holds the same")


def why_lost(error: OSError) -> str:
    """Return why an output could not be written."""
    return error.strerror or type(error).__name__


def run_and_leave(
    context: typer.Context,
    work: Callable[..., Any],
    output: "OutputFlags",
    *,
    summary: Callable[[Any], Iterable[str]] | None = None,
    code: Callable[[Any], int] = lambda report: int(report.exit_code),
) -> NoReturn:
    """Run the work with a display, print the summary, and leave with its exit code.

    `work` is called with the observer, the signals and the environment that every run takes. `summary` returns the
    lines of what it returns; by default those of a run. `code` returns the exit code, if it is not that of the run.
    """
    import anyio

    from bulkgladly.cli.display import display_for, logger_for, summary_of
    from bulkgladly.runs.environment import USUAL

    # The live view ends before the summary is printed, or it would be drawn over it.
    logger = logger_for(output.log_format)
    with display_for(output.progress, logger) as observer:
        environment = context.obj.environment or USUAL
        watch = context.obj.watch
        seen = observer if watch is None else watch.observing(observer)
        report = anyio.run(partial(work, observer=seen, with_signals=True, environment=environment))
    if watch is not None:
        watch.reported(report)
    if output.log_format == "json":
        logger.info("%s", f"run {report.status}", extra={"event": "finished", "report": report.as_dict()})
    else:
        ending, *others = (summary or summary_of)(report)
        tell(ending_line(ending, is_clean=report.exit_code == 0), *others)
    if output.json:
        print_json(report.as_dict(), kept_in=f"{report.folder}/report.json")
    raise typer.Exit(code(report))
