"""Views over the loaded tables: the newest row of each key, and in DuckDB also those that join data sets."""

from collections.abc import Mapping, Sequence

from bulkgladly.databases.loaded_tables import CURRENT_PREFIX, UNIT_COLUMN, column_names, view_of_table
from bulkgladly.databases.loaded_units import LoadedTable, tables_in_database
from bulkgladly.databases.sql_database import SqlDatabase, quoted_name
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.joined_views import JOINED_VIEWS
from bulkgladly.lake.published_rows import data_set_of_rows
from bulkgladly.lake.row_keys import content_columns
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.view_sql import table_views

__all__ = ("create_views", "has_views")

_AGES = ("_job_updated_at", "_fetched_at", "_line")
_PLACE = "_place"
_JOINING = "duckdb"
"""The kind of database in whose dialect the views that join data sets are written."""


def has_views(database: SqlDatabase) -> bool:
    """Tell whether every view that `create_views` makes is there."""
    names = {view_of_table(each.name) for each in tables_in_database(database).values()}
    wanted = names | set(JOINED_VIEWS) if database.kind == _JOINING else names
    return all(database.columns_of(name) for name in wanted)


def create_views(database: SqlDatabase, folder: Catalogue, changed: Sequence[str]) -> None:
    """Create the views in one transaction, in the place of those that an earlier call has created.

    In DuckDB these are all views of `dataset sql`. Elsewhere they are the newest rows of the data sets in `changed`,
    and of those that have no view yet. A table of current rows is shown as it is.

    Raises:
        UsageError: Something else has the name of a view.
        InputError: A part, or what is remembered about a data set, cannot be read.
    """
    tables = tables_in_database(database)
    with database.transaction():
        if database.kind == _JOINING:
            found = _shown_tables(tables)
            columns = {name: (each.name, each.columns) for name, each in found.items()}
            database.use_schema()
            for statement in table_views(folder, columns, UNIT_COLUMN):
                database.execute(statement)
            return
        for name, table in _shown_tables(tables).items():
            view = view_of_table(table.name)
            if name not in changed and database.columns_of(view):
                continue
            select = _newest_sql(database, table, _key_of(folder, name, table))
            # SQLite cannot replace a view. Elsewhere others may depend on it, so that it cannot be dropped.
            replace = "CREATE OR REPLACE VIEW"
            if database.kind == "sqlite":
                database.execute(f"DROP VIEW IF EXISTS {quoted_name(view)}")
                replace = "CREATE VIEW"
            database.execute(f"{replace} {database.place(view)} AS {select}")


def _shown_tables(tables: Mapping[str, LoadedTable]) -> dict[str, LoadedTable]:
    """Return the table that the view of each data set shows: that of all rows if there is one; it is never behind."""
    current = {name.removeprefix(CURRENT_PREFIX): each for name, each in tables.items() if _is_current(each)}
    return current | {name: each for name, each in tables.items() if not _is_current(each)}


def _is_current(table: LoadedTable) -> bool:
    return table.data_set.startswith(CURRENT_PREFIX)


def _key_of(folder: Catalogue, name: str, table: LoadedTable) -> tuple[str, ...]:
    """Return the columns that identify a row; none if only the whole row does."""
    if _is_current(table):
        return ()
    if name in DATA_SETS:
        return DATA_SETS[name].key
    manifests = [one for one in folder.manifests(name) if one.parts]
    key = data_set_of_rows(folder, name, manifests).key if manifests else ()
    return tuple(column_names(key))


def _newest_sql(database: SqlDatabase, table: LoadedTable, key: Sequence[str]) -> str:
    columns = [name for name in table.columns if name != UNIT_COLUMN]
    shown = ", ".join(map(quoted_name, columns))
    place = database.place(table.name)
    if _is_current(table):
        return f"SELECT {shown} FROM {place}"  # noqa: S608 - here and below: names are quoted
    content = content_columns(columns)
    by = [quoted_name(name) for name in key or content]
    if key and table.data_set.startswith("reports/"):
        # A row without a value in its key is told apart by its content, as `dataset sql` does.
        whole = ", ".join(map(quoted_name, content))
        text = f"json_array({whole})" if database.kind == "sqlite" else f"CAST(ROW({whole}) AS text)"
        by.append(f"CASE WHEN {' OR '.join(f'{name} IS NULL' for name in by)} THEN {text} END")
    order = ", ".join(f"{quoted_name(name)} DESC NULLS LAST" for name in _AGES if name in columns)
    window = f"row_number() OVER (PARTITION BY {', '.join(by)} ORDER BY {order})"
    ranked = f"SELECT {shown}, {window} AS {quoted_name(_PLACE)} FROM {place}"  # noqa: S608
    return f"SELECT {shown} FROM ({ranked}) AS ranked WHERE {quoted_name(_PLACE)} = 1"  # noqa: S608
