"""The table of a data set: its name, its columns, and what is added to it when a schema grows."""

import hashlib
from collections.abc import Iterable
from typing import Any

from bulkgladly.databases.loaded_units import LoadedTable, remember_table, tables_in_database
from bulkgladly.databases.sql_database import SqlDatabase, quoted_name
from bulkgladly.errors import UsageError
from bulkgladly.lake.joined_views import JOINED_VIEWS
from bulkgladly.lake.view_sources import view_name

__all__ = ("CURRENT_PREFIX", "UNIT_COLUMN", "column_names", "prepared_table", "view_of_table")

UNIT_COLUMN = "_unit"
"""The number of the unit of a row, as `_bulkgladly_units` has it."""
CURRENT_PREFIX = "current/"
"""Marks the data set of a table of current rows; no data set has such a name."""
_ALL, _CURRENT = "_all", "_current"
_LONGEST = 63
"""Bytes of a name in PostgreSQL, which cuts longer ones off."""


def prepared_table(database: SqlDatabase, data_set: str, schema: Any) -> LoadedTable:
    """Return the table of a data set, created or with new columns if need be.

    `data_set` begins with `current/` for the table of its current rows, which has no column of units. Nothing is
    changed except by ADD COLUMN.

    Raises:
        UsageError: There is a table of this name that is not ours, or that has columns of others.
    """
    known = tables_in_database(database)
    types = database.column_types(schema)
    wanted = dict(zip(column_names(schema.names), types.values(), strict=True))
    if not data_set.startswith(CURRENT_PREFIX):
        wanted[UNIT_COLUMN] = "BIGINT"
    table = known.get(data_set) or LoadedTable(data_set, _new_name(data_set, known.values()), ())
    found = database.columns_of(table.name)
    _refuse_foreign(database, table, found)
    missing = {name: kind for name, kind in wanted.items() if name not in found}
    if found and not missing:
        return table
    made = LoadedTable(data_set, table.name, (*found, *missing))
    with database.transaction():
        if found:
            for name, kind in missing.items():
                database.execute(f"ALTER TABLE {database.place(table.name)} ADD COLUMN {quoted_name(name)} {kind}")
        else:
            columns = ", ".join(f"{quoted_name(name)} {kind}" for name, kind in wanted.items())
            database.execute(f"CREATE TABLE {database.place(table.name)} ({columns})")
            if UNIT_COLUMN in wanted:
                database.index(table.name, (UNIT_COLUMN,), in_order=True)
        remember_table(database, made)
    return made


def _refuse_foreign(database: SqlDatabase, table: LoadedTable, found: list[str]) -> None:
    place = f"{database.shown}: the table {database.place(table.name)}"
    other = "another file" if database.schema is None else "another --schema"
    if found and not table.columns:
        raise UsageError(f"{place} exists and was not created by bulkgladly; rename it, or use {other}")
    if foreign := [name for name in found if name not in table.columns]:
        raise UsageError(f"{place} has columns of others: {', '.join(foreign)}; drop these columns, or use {other}")
    if found and (lost := [name for name in table.columns if name not in found]):
        raise UsageError(
            f"{place} has lost columns: {', '.join(lost)}; add them again with their earlier types, or use {other}"
        )


def _new_name(data_set: str, known: Iterable[LoadedTable]) -> str:
    """Return a name for a new table, which no other table has, and whose view has the name of no other view."""
    is_current = data_set.startswith(CURRENT_PREFIX)
    plain = data_set.removeprefix(CURRENT_PREFIX)
    others = {view_of_table(each.name) for each in known if each.data_set.removeprefix(CURRENT_PREFIX) != plain}
    view = _fitted(view_name(plain), _LONGEST - len(_CURRENT))
    while view in others or view in JOINED_VIEWS:
        view += "_2"
    return view + (_CURRENT if is_current else _ALL)


def view_of_table(table: str) -> str:
    """Return the name of the view that shows the newest rows of a table."""
    return table.removesuffix(_ALL).removesuffix(_CURRENT)


def column_names(names: Iterable[str]) -> list[str]:
    """Return the names of columns in a database: not too long, and different also for those that ignore case."""
    made: list[str] = []
    taken = {UNIT_COLUMN}
    for name in names:
        fitted = _fitted(name, _LONGEST)
        while fitted.lower() in taken:
            fitted = _fitted(f"{fitted}_2", _LONGEST)
        taken.add(fitted.lower())
        made.append(fitted)
    return made


def _fitted(name: str, most: int) -> str:
    content = name.encode()
    if len(content) <= most:
        return name
    mark = hashlib.blake2b(content, digest_size=4).hexdigest()
    return f"{content[: most - 9].decode(errors='ignore')}_{mark}"
