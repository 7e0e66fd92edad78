"""Where text leaves the program: lines for people and results for programs, with nothing raw in them.

Everything that the commands print goes through here (a test looks for other ways), so that no
caller has to know which of its words come from outside.
"""

import sys
from typing import Any

from bulkgladly.cli.streams import lost_output
from bulkgladly.shown import escaped_json, shown

__all__ = ("print_json", "print_lines", "print_text", "tell", "why_lost")


def print_lines(*lines: str) -> None:
    """Print lines on stdout; whatever one of them holds, it stays one line."""
    sys.stdout.write("".join(f"{shown(line)}\n" for line in lines))
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Print a text of several lines on stdout, such as a file that was drafted: none of them is cut."""
    lines = text.removesuffix("\n").split("\n")
    sys.stdout.write("".join(f"{shown(line, len(line))}\n" for line in lines))
    sys.stdout.flush()


def tell(*lines: str) -> None:
    """Print lines for people on stderr; whatever one of them holds, it stays one line."""
    sys.stderr.write("".join(f"{shown(line)}\n" for line in lines))
    sys.stderr.flush()


def print_json(content: Any, *, kept_in: str | None = None) -> None:
    """Print a result for programs on stdout.

    `kept_in` names the file that holds it as well. Then an output that does not arrive is told
    on stderr, and that is all: the work is done, and its exit code stands.
    """
    import orjson

    sys.stdout.write(escaped_json(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()) + "\n")
    sys.stdout.flush()
    if kept_in is not None and (error := lost_output()) is not None:
        tell(f"the JSON could not be written to the standard output: {why_lost(error)}; {kept_in} holds the same")


def why_lost(error: OSError) -> str:
    """Return for people why an output did not arrive."""
    return error.strerror or type(error).__name__
