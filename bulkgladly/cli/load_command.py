"""`dataset load`: a database that holds what a data set holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.output import print_json, tell

if TYPE_CHECKING:
    from bulkgladly.databases.load_units import LoadedRows

__all__ = ("load",)


def load(
    folder: Annotated[Path, typer.Argument(help="The folder, as given to --out.", metavar="DIR")],
    target: Annotated[
        str,
        typer.Argument(
            help="postgresql://USER@HOST/DATABASE, duckdb:///FILE or sqlite:///FILE.", metavar="URL", show_default=False
        ),
    ],
    data_sets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these data sets. (default: all)", metavar="DATASET", autocompletion=completions.data_sets
        ),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(help="The schema of the tables. (default: gladly in PostgreSQL, main in DuckDB)", metavar="NAME"),
    ] = None,
    current: Annotated[
        bool,
        typer.Option("--current", help="Load DIR/current, one row for each key, as `dataset compact` has written it."),
    ] = False,
    json: flags.Json = False,
) -> None:
    """Load what is new into a database: each file of an export once, and as a whole.

    The table items_all has all rows of the data set items, and the view items the newest row of each key. A load that
    was interrupted is completed by the next one; a load without news writes nothing. PostgreSQL takes its password
    from PGPASSWORD, ~/.pgpass or a service file.
    """
    from bulkgladly.databases.load_data import load_data
    from bulkgladly.lake.folder import DataFolder

    done = load_data(
        DataFolder.open(folder), target, data_sets or (), schema=schema, is_current=current, loaded=_tell_loaded
    )
    if json:
        print_json([{name: getattr(one, name) for name in ("data_set", "table", "rows", "removed")} for one in done])
    elif not any(one.is_changed for one in done):
        tell("nothing new")


def _tell_loaded(one: "LoadedRows") -> None:
    from bulkgladly.runs.observer import counted

    if not one.is_changed:
        return
    numbers = [
        text
        for number, text in (
            (one.rows, f"wrote {counted(one.rows, 'row')}"),
            (one.removed, f"removed {counted(one.removed, 'older row')}"),
        )
        if number
    ]
    tell(f"{one.data_set}: {', '.join(numbers) or 'no rows'}, in {one.table}")
