"""`dataset build`: tables and pages that are made from what lies in a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import print_json, tell

if TYPE_CHECKING:
    from bulkgladly.builds.run_build import Built

__all__ = ("build",)


def build(
    folder: Annotated[Path, typer.Argument(help="The data set, as given to --out.", metavar="DIR")],
    table: Annotated[
        str,
        typer.Argument(
            help="What to build: conversations, agent-intervals or contact-lifecycles.",
            metavar="TABLE",
            autocompletion=lambda: ["conversations", "agent-intervals", "contact-lifecycles"],
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A .parquet, .ndjson or .csv file, or a folder for one. (default: TABLE.parquet, or only the pages)",
            metavar="FILE",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write a page for each conversation to this folder.", metavar="DIR"),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only what began at this day or time (UTC) or later; of intervals, also what lasted until then.",
            metavar="TIME",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only what began before this day or time (UTC).", metavar="TIME")
    ] = None,
    json: flags.Json = False,
) -> None:
    """Make a table of conversations, of the states of agents, or of the lives of contacts.

    Nothing is sent: all of it comes from the data set. What the data set does not have is null, and the end says what
    to export for it.
    """
    from bulkgladly.builds.run_build import BuildPlaces, BuildTimes
    from bulkgladly.builds.run_build import build as built
    from bulkgladly.cli.lake_flags import time_of_flag
    from bulkgladly.lake.folder import DataFolder

    times = BuildTimes(time_of_flag("--since", since), time_of_flag("--until", until))
    made = built(DataFolder.open(folder), table, BuildPlaces(out, html), times)
    if json:
        print_json(
            {
                "table": table,
                "rows": made.rows,
                "path": None if made.path is None else str(made.path),
                "html": None if made.pages is None else str(made.pages),
                "missing": [
                    {"data_sets": one.names, "fills": one.fills, "command": one.command} for one in made.missing
                ],
            }
        )
    _tell_end(table, made)


def _tell_end(table: str, made: "Built") -> None:
    from bulkgladly.plain_words import counted

    what = {
        "conversations": "conversation",
        "agent-intervals": "interval",
        "contact-lifecycles": "contact",
    }[table]
    rows = counted(made.rows, what)
    if made.path is not None:
        tell(f"{made.path}: {rows}")
    if made.pages is not None:
        tell(f"{made.pages / 'index.html'}: {rows}")
    for one in made.missing:
        tell(f"{one.fills}: not in the data set ({' or '.join(one.names)}); run `{one.command}` to fetch them")
