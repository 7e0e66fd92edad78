"""The SQL of views over a data folder, in DuckDB's dialect. Text in, text out: no database is opened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.joined_views import JOINED_VIEWS, NEEDED
from bulkgladly.lake.row_keys import content_columns
from bulkgladly.lake.view_sources import (
    ViewSource,
    declared_columns,
    empty_source,
    quoted,
    source_of,
    text_literal,
    view_name,
)

__all__ = ("ViewScript", "table_views", "view_sql", "views_of")


class ViewScript(NamedTuple):
    """A script that creates views, and how many data sets it reads; `remarks` say what has no rows, and why."""

    sql: str
    data_sets: int
    remarks: tuple[str, ...]


def views_of(folder: Catalogue) -> ViewScript:
    """Return the script: a view of each data set with the newest row per key, then those that join them.

    The views read the files by their present path, so they see later exports as well. A data set that a joined
    view needs and the folder lacks becomes a view without rows.

    Raises:
        UsageError: The folder has no data, or a data set that is not declared has parts that are not Parquet.
        InputError: A part, or what is remembered about a data set, cannot be read.
    """
    sources = list(_sources(folder))
    found = [source for source in sources if source.files is not None]
    if not found:
        raise UsageError(
            f"{folder.path} has no data that a view could read; run `{next_command('export', '--help')}` for how to "
            "fill it"
        )
    parts = [_head(folder), *map(view_sql, sources), *(_joined(name, sql) for name, sql in JOINED_VIEWS.items())]
    remarks = tuple(source.remark for source in sources if "not Parquet" in source.remark)
    return ViewScript("\n\n".join(parts) + "\n", len(found), remarks)


def table_views(folder: Catalogue, tables: Mapping[str, tuple[str, Sequence[str]]], hidden: str) -> Iterator[str]:
    """Yield the statements for the same views over tables of DuckDB: the rows of all files, as they were loaded.

    `tables` has the name and the columns of each by data set; of these no view shows `hidden`, if it is among them.
    Which types the texts of a report fit is read from the folder.

    Raises:
        InputError: A part, or what is remembered about a data set, cannot be read.
    """
    for source in _sources(folder):
        table, columns = tables.get(source.name, ("", ()))
        if not table:
            yield view_sql(replace(source, files=None, remark=f"{source.name} was not loaded"))
            continue
        absent = tuple(name for name in source.columns if name not in columns)
        shown = replace(source, files=table, absent=absent, is_compact=False)
        left_out = f" EXCLUDE ({quoted(hidden)})" if hidden in columns else ""
        yield view_sql(shown, f"SELECT *{left_out} FROM {quoted(table)}")  # noqa: S608  # every name is quoted
    yield from (_joined(name, sql) for name, sql in JOINED_VIEWS.items())


def _sources(folder: Catalogue) -> Iterator[ViewSource]:
    taken = set(JOINED_VIEWS)
    names = [*NEEDED, *(name for name in folder.data_sets() if name not in NEEDED)]
    for name in names:
        view = view_name(name)
        # Two names can differ in characters only that no view name has.
        while view in taken:
            view += "_2"
        taken.add(view)
        expected = declared_columns(name) if name in NEEDED else {}
        source = source_of(folder, name, view, expected)
        if source is not None:
            yield source
        elif name in NEEDED:
            yield empty_source(name, view, expected)


def _head(folder: Catalogue) -> str:
    place = " ".join(str(folder.path.absolute()).splitlines())
    return (
        f"-- Views over {place}\n"
        "-- Written by `bulkgladly dataset sql`. Run it in DuckDB; run the command again when data sets were added.\n"
        "-- Times are in UTC: SET TimeZone decides how they are shown and where a day begins."
    )


def view_sql(source: ViewSource, select: str = "") -> str:
    """Return the statement that creates the view of one data set: of the rows of its files, or of a `select`."""
    head = f"CREATE OR REPLACE VIEW {quoted(source.view)} AS"
    if source.files is None:
        return f"-- {' '.join(source.remark.splitlines())}\n{head}\n{_no_rows(source.columns)};"
    # Folders such as `date=2026-11-22` repeat what the rows say, and one above the data set would count as well.
    options = "union_by_name = true, hive_partitioning = false"
    rows = select or f"SELECT * FROM read_parquet({text_literal(source.files)}, {options})"  # noqa: S608  # every name and text is quoted
    if source.absent:
        columns = {name: source.columns[name] for name in source.absent}
        rows = f"SELECT * FROM (\n  {rows}\n  UNION ALL BY NAME\n  {_no_rows(columns)}\n)"  # noqa: S608  # as above
    if source.casts:
        casts = ",\n  ".join(f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}" for name, kind in source.casts.items())
        rows = f"SELECT * REPLACE (\n  {casts}\n)\nFROM ({rows})"
    return f"{head}\n{rows}{_newest(source)};"


def _no_rows(columns: Mapping[str, str]) -> str:
    kinds = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in columns.items())
    return f"SELECT {kinds} WHERE false"


def _newest(source: ViewSource) -> str:
    """Return the clause that keeps the newest row of each key, or of equal rows where there is no key."""
    if source.is_compact:
        return ""
    content = [name for name in content_columns(source.columns) if name not in source.absent]
    by: Sequence[str] = [quoted(name) for name in source.key]
    if not by:
        by = [quoted(name) for name in content]
    elif source.name.startswith("reports/"):
        # A row without a value in its key is told apart by its content.
        missing = " OR ".join(f"{name} IS NULL" for name in by)
        whole = f"CAST(struct_pack({', '.join(map(quoted, content))}) AS VARCHAR)"
        by = [*by, f"CASE WHEN {missing} THEN {whole} END"]
    ages = [name for name in ("_job_updated_at", "_fetched_at", "_line") if name in source.columns]
    order = ", ".join(f"{quoted(name)} DESC NULLS LAST" for name in ages)
    return f"\nQUALIFY row_number() OVER (\n  PARTITION BY {', '.join(by)}\n  ORDER BY {order}\n) = 1"


def _joined(name: str, sql: str) -> str:
    return f"CREATE OR REPLACE VIEW {quoted(name)} AS\n{sql.strip()};"
