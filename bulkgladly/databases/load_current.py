"""The compacted rows of one data set, `current/`, into a table of their own: what differs, in one transaction."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bulkgladly.commands import next_command
from bulkgladly.databases.load_units import LoadedRows
from bulkgladly.databases.loaded_tables import CURRENT_PREFIX, column_names, prepared_table
from bulkgladly.databases.loaded_units import LoadedTable, next_number, remember_unit, units_in_database
from bulkgladly.databases.sql_database import STAGE, SqlDatabase, quoted_name
from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.current_folder import UNIT, folder_of_current, manifest_of_current
from bulkgladly.lake.database_columns import gathered
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.published_rows import data_set_of_rows, tables_in
from bulkgladly.lake.schemas import DataSet
from bulkgladly.storage.durable import below

__all__ = ("has_current", "load_current")

_ATTEMPTS = 5


def has_current(folder: Catalogue, name: str) -> bool:
    """Tell whether a data set was compacted."""
    return manifest_of_current(folder.path, name) is not None


def load_current(database: SqlDatabase, folder: Catalogue, name: str) -> LoadedRows:
    """Bring the table of the current rows of a data set up to date: what is gone, what differs, what is new.

    All of it happens in one transaction. A `compact` may replace the files meanwhile; then they are read again.

    Raises:
        InputError: A part is missing or damaged.
        UsageError: The data set was not compacted, or the database refuses.
        Outage: The database is gone.
    """
    done = LoadedRows(name, "")
    for attempt in range(_ATTEMPTS):
        manifest = manifest_of_current(folder.path, name)
        if manifest is None:
            compact = next_command("dataset", "compact", folder.path, name)
            raise UsageError(f"{folder.path} has no current rows of {name}; run `{compact}` first")
        try:
            return _loaded(database, folder, manifest)
        except InputError:
            if manifest == manifest_of_current(folder.path, name) or attempt == _ATTEMPTS - 1:
                raise
    return done


def _loaded(database: SqlDatabase, folder: Catalogue, manifest: Manifest) -> LoadedRows:
    name = manifest.data_set
    own = f"{CURRENT_PREFIX}{name}"
    if _is_there(database, own, manifest):
        return LoadedRows(name, "")
    published = [one for one in folder.manifests(name) if one.parts]
    if not published:
        raise InputError(f"{folder.path} has current rows of {name}, but no others; run `bulkgladly dataset compact`")
    shape = data_set_of_rows(folder, name, published)
    table = prepared_table(database, own, shape.schema)
    key = column_names(shape.key)
    if key:
        database.index(table.name, key)
    with database.transaction():
        known = units_in_database(database, own, hold=True)
        if _is_there(database, own, manifest):
            return LoadedRows(name, "")
        _stage(database, folder.path, table, shape, manifest)
        removed, written = _exchange(database, table, key)
        database.execute(f"DROP TABLE {quoted_name(STAGE)}")
        number = known[UNIT].number if UNIT in known else next_number(database)
        remember_unit(database, manifest, number, data_set=own)
    return LoadedRows(name, table.name, rows=written, removed=removed, units=1)


def _is_there(database: SqlDatabase, own: str, manifest: Manifest) -> bool:
    found = units_in_database(database, own).get(UNIT)
    return found is not None and found.is_same(manifest)


def _stage(database: SqlDatabase, top: Path, table: LoadedTable, shape: DataSet, manifest: Manifest) -> None:
    select = f"SELECT * FROM {database.place(table.name)} LIMIT 0"  # noqa: S608 - the name is quoted
    database.execute(f"CREATE TEMPORARY TABLE {quoted_name(STAGE)} AS {select}")
    written = 0
    place = folder_of_current(manifest.data_set)
    paths = [below(top, (place / part.path).as_posix()) for part in manifest.parts]

    def rows() -> Iterator[Any]:
        nonlocal written
        for each in gathered(found for path in paths for found in tables_in(path, shape)):
            written += each.num_rows
            yield each

    database.write(STAGE, column_names(shape.schema.names), rows())
    if written != manifest.rows:
        raise InputError(
            f"{manifest.data_set}: {written} current rows, not {manifest.rows}; run `dataset compact` again"
        )


def _exchange(database: SqlDatabase, table: LoadedTable, key: Sequence[str]) -> tuple[int, int]:
    """Make the table equal to the stage; return how many rows were removed, and how many written.

    A row that differs is removed and written. Without a key, and for rows without a value in it, all are.
    """
    place, stage = database.place(table.name), quoted_name(STAGE)
    columns = ", ".join(map(quoted_name, table.columns))
    if not key:
        removed = database.changed(f"DELETE FROM {place}")  # noqa: S608 - here and below: names are quoted
        return removed, database.changed(f"INSERT INTO {place} ({columns}) SELECT {columns} FROM {stage}")  # noqa: S608
    database.index(STAGE, key)
    database.analyze(STAGE)
    equal = " AND ".join(f"held.{quoted_name(name)} = new.{quoted_name(name)}" for name in key)
    others = [quoted_name(name) for name in table.columns if name not in key]
    same = " AND ".join([equal, *(f"new.{name} {database.same} held.{name}" for name in others)])
    empty = " OR ".join(f"held.{quoted_name(name)} IS NULL" for name in key)
    removed = database.changed(
        f"DELETE FROM {place} AS held WHERE {empty} OR NOT EXISTS (SELECT 1 FROM {stage} AS new WHERE {same})"  # noqa: S608
    )
    chosen = ", ".join(f"new.{quoted_name(name)}" for name in table.columns)
    written = database.changed(
        f"INSERT INTO {place} ({columns}) SELECT {chosen} FROM {stage} AS new "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT 1 FROM {place} AS held WHERE {equal})"
    )
    return removed, written
