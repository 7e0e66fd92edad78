"""What the database says about itself: whose data it holds, which table is whose, and which units are in them.

These tables are written in the same transactions as the rows, so they are always true. No table has a unique
constraint: DuckDB checks one too early when a row is deleted and written again, and all writers take turns.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulkgladly.databases.published_state import digest_of
from bulkgladly.databases.sql_database import SqlDatabase
from bulkgladly.errors import UsageError
from bulkgladly.lake.manifest import Manifest

__all__ = (
    "LoadedTable",
    "LoadedUnit",
    "forget_unit",
    "loaded_data_sets",
    "next_number",
    "prepare_records",
    "remember_table",
    "remember_unit",
    "tables_in_database",
    "units_in_database",
)

_FORMAT = 1
_LAKE, _TABLES, _UNITS = "_bulkgladly_lake", "_bulkgladly_tables", "_bulkgladly_units"
_RECORDS: Mapping[str, str] = {
    _LAKE: "format BIGINT, host TEXT",
    _TABLES: "data_set TEXT, table_name TEXT, column_names TEXT",
    _UNITS: (
        "data_set TEXT, unit TEXT, number BIGINT, generation BIGINT, row_count BIGINT, blake2b TEXT, loaded_at TEXT"
    ),
}


@dataclass(frozen=True, slots=True)
class LoadedUnit:
    """A unit whose rows are in the database, marked with its number."""

    unit: str
    number: int
    generation: int
    rows: int
    blake2b: str

    def is_same(self, manifest: Manifest) -> bool:
        """Tell whether the rows of the unit are those that are published now."""
        return (self.generation, self.blake2b) == (manifest.generation, digest_of(manifest))


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """The table of a data set, with the columns that we have created in it."""

    data_set: str
    name: str
    columns: tuple[str, ...]


def prepare_records(database: SqlDatabase, host: str | None) -> None:
    """Create the tables of this module if they are missing, and see whose data the database holds.

    Raises:
        UsageError: That of another organisation, or it was filled by a newer version, or it cannot be written.
    """
    if not database.columns_of(_UNITS):
        with database.transaction():
            database.create_schema()
            for name, columns in _RECORDS.items():
                database.execute(f"CREATE TABLE IF NOT EXISTS {database.place(name)} ({columns})")
    place = database.place(_LAKE)
    found = database.execute(f"SELECT format, host FROM {place}")  # noqa: S608 - here and below: names are quoted
    if found and found[0][0] > _FORMAT:
        raise UsageError(f"{database.shown} was filled by a newer version of bulkgladly; use that version")
    held = found[0][1] if found else None
    if held is not None and host is not None and held != host:
        where = "file" if database.schema is None else "database or --schema"
        raise UsageError(f"{database.shown} holds data of {held}, not of {host}; use another {where}")
    if not found or (held is None and host is not None):
        with database.transaction():
            database.execute(f"DELETE FROM {place}")  # noqa: S608
            database.execute(f"INSERT INTO {place} VALUES (?, ?)", (_FORMAT, host))  # noqa: S608


# --- Tables ---


def tables_in_database(database: SqlDatabase) -> dict[str, LoadedTable]:
    """Return the tables by data set; that of current rows has the name `current/` and the data set."""
    found = database.execute(f"SELECT data_set, table_name, column_names FROM {database.place(_TABLES)}")  # noqa: S608
    return {data_set: LoadedTable(data_set, name, tuple(json.loads(columns))) for data_set, name, columns in found}


def remember_table(database: SqlDatabase, table: LoadedTable) -> None:
    """Write down a table, in the place of what was said of it before. Requires a transaction."""
    place = database.place(_TABLES)
    database.execute(f"DELETE FROM {place} WHERE data_set = ?", (table.data_set,))  # noqa: S608
    values = (table.data_set, table.name, json.dumps(table.columns))
    database.execute(f"INSERT INTO {place} VALUES (?, ?, ?)", values)  # noqa: S608


# --- Units ---


def units_in_database(database: SqlDatabase, data_set: str, *, hold: bool = False) -> dict[str, LoadedUnit]:
    """Return the units of a data set by name. With `hold`, no other process changes any until the transaction ends."""
    if hold:
        database.hold(_UNITS)
    place = database.place(_UNITS)
    sql = f"SELECT unit, number, generation, row_count, blake2b FROM {place} WHERE data_set = ?"  # noqa: S608
    return {row[0]: LoadedUnit(*row) for row in database.execute(sql, (data_set,))}


def loaded_data_sets(database: SqlDatabase) -> Sequence[str]:
    """Return the data sets that have a unit in the database."""
    return [name for (name,) in database.execute(f"SELECT DISTINCT data_set FROM {database.place(_UNITS)}")]  # noqa: S608


def next_number(database: SqlDatabase) -> int:
    """Return a number that no unit has yet. Requires a transaction that holds the units."""
    found = database.execute(f"SELECT max(number) FROM {database.place(_UNITS)}")  # noqa: S608
    return (found[0][0] or 0) + 1


def remember_unit(database: SqlDatabase, manifest: Manifest, number: int, *, data_set: str | None = None) -> None:
    """Write down that the rows of a unit are in the database. Requires a transaction."""
    name = data_set or manifest.data_set
    forget_unit(database, name, manifest.unit)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    values = (name, manifest.unit, number, manifest.generation, manifest.rows, digest_of(manifest), now)
    database.execute(f"INSERT INTO {database.place(_UNITS)} VALUES (?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608


def forget_unit(database: SqlDatabase, data_set: str, unit: str) -> None:
    """Write down that a unit is not in the database any more. Requires a transaction."""
    place = database.place(_UNITS)
    database.execute(f"DELETE FROM {place} WHERE data_set = ? AND unit = ?", (data_set, unit))  # noqa: S608
