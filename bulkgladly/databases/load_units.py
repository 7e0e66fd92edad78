"""The units of one data set into its table: each once, in one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from bulkgladly.databases.loaded_tables import UNIT_COLUMN, column_names, prepared_table
from bulkgladly.databases.loaded_units import (
    LoadedTable,
    LoadedUnit,
    forget_unit,
    next_number,
    remember_unit,
    tables_in_database,
    units_in_database,
)
from bulkgladly.databases.published_state import published_units
from bulkgladly.databases.sql_database import SqlDatabase, quoted_name
from bulkgladly.errors import InputError
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.database_columns import gathered, with_number
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.published_rows import data_set_of_rows, known_data_set, parts_of, tables_in
from bulkgladly.lake.schemas import DataSet

__all__ = ("LoadedRows", "load_units")

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class LoadedRows:
    """What a load has changed of one data set: rows that were written and removed, of how many files of an export."""

    data_set: str
    table: str
    rows: int = 0
    removed: int = 0
    units: int = 0

    @property
    def is_changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.units)


def load_units(database: SqlDatabase, folder: Catalogue, name: str) -> LoadedRows:
    """Bring the table of a data set up to date.

    What a kill or an error interrupts is not there at all, and the next call writes it. An export may write the
    data set meanwhile; what it replaces while it is read is read again.

    Raises:
        InputError: A part is missing or damaged.
        UsageError, Outage, DiskFull: The database refuses, or is gone.
    """
    done = LoadedRows(name, "")
    for attempt in range(_ATTEMPTS):
        manifests = published_units(folder, name)
        try:
            work = _UnitLoad(database, folder, name, manifests)
            return work.run(done)
        except InputError:
            is_same = _state(published_units(folder, name)) == _state(manifests)
            if is_same or attempt == _ATTEMPTS - 1:
                raise
    return done


def _state(manifests: Sequence[Manifest]) -> set[tuple[str, int | None, int]]:
    return {(one.unit, one.sequence, one.generation) for one in manifests}


class _UnitLoad:
    """One comparison of a data set with its table, and what follows from it."""

    def __init__(self, database: SqlDatabase, folder: Catalogue, name: str, manifests: Sequence[Manifest]) -> None:
        self._database = database
        self._folder = folder
        self._name = name
        self._manifests = manifests

    def run(self, done: LoadedRows) -> LoadedRows:
        """Write what differs, and return `done` with that added."""
        self._forget_lost_table()
        loaded = units_in_database(self._database, self._name)
        present = {one.unit for one in self._manifests}
        news = [one for one in self._manifests if one.unit not in loaded or not loaded[one.unit].is_same(one)]
        gone = [unit for unit in loaded if unit not in present]
        if not news and not gone:
            return done
        shape = self._shape()
        table = self._table(shape)
        if table is None:
            return done
        done = replace(done, table=table.name)
        # What is gone may have become part of what is new: then both or neither.
        steps = [(news, gone)] if gone else [([one], []) for one in news]
        for new, old in steps:
            done = self._step(table, shape, done, new, old)
        return done

    def _forget_lost_table(self) -> None:
        """Let a table that somebody has dropped be filled again."""
        table = tables_in_database(self._database).get(self._name)
        if table is None or self._database.columns_of(table.name):
            return
        with self._database.transaction():
            for unit in units_in_database(self._database, self._name, hold=True):
                forget_unit(self._database, self._name, unit)

    def _shape(self) -> DataSet | None:
        known = known_data_set(self._folder, self._name)
        with_parts = [one for one in self._manifests if one.parts]
        return known or (data_set_of_rows(self._folder, self._name, with_parts) if with_parts else None)

    def _table(self, shape: DataSet | None) -> LoadedTable | None:
        if shape is None:
            return tables_in_database(self._database).get(self._name)
        return prepared_table(self._database, self._name, shape.schema)

    def _step(
        self, table: LoadedTable, shape: DataSet | None, done: LoadedRows, news: Sequence[Manifest], gone: Sequence[str]
    ) -> LoadedRows:
        removed = written = units = 0
        with self._database.transaction():
            # Looked up again: another process may have loaded them since.
            loaded = units_in_database(self._database, self._name, hold=True)
            for unit in gone:
                if unit in loaded:
                    removed += self._remove(table, loaded[unit])
                    units += 1
            for one in news:
                old = loaded.get(one.unit)
                if old is not None and old.is_same(one):
                    continue
                removed += self._remove(table, old) if old is not None else 0
                number = next_number(self._database) if old is None else old.number
                self._write(table, shape, one, number)
                remember_unit(self._database, one, number)
                written, units = written + one.rows, units + 1
        return replace(done, rows=done.rows + written, removed=done.removed + removed, units=done.units + units)

    def _remove(self, table: LoadedTable, unit: LoadedUnit) -> int:
        forget_unit(self._database, self._name, unit.unit)
        place, column = self._database.place(table.name), quoted_name(UNIT_COLUMN)
        return self._database.changed(f"DELETE FROM {place} WHERE {column} = {unit.number:d}")  # noqa: S608 - quoted

    def _write(self, table: LoadedTable, shape: DataSet | None, manifest: Manifest, number: int) -> None:
        written = 0
        paths = parts_of(self._folder, manifest) if shape is not None else []

        def numbered() -> Iterator[Any]:
            nonlocal written
            for rows in gathered(each for path in paths for each in tables_in(path, cast("DataSet", shape))):
                written += rows.num_rows
                yield with_number(rows, UNIT_COLUMN, number)

        if shape is not None and paths:
            names = [*column_names(shape.schema.names), UNIT_COLUMN]
            self._database.write(table.name, names, numbered())
        if written != manifest.rows:
            raise InputError(
                f"{manifest.data_set} {manifest.unit} has {written} rows, not {manifest.rows}; run "
                f"`bulkgladly dataset verify {self._folder.path}` to find what is damaged"
            )
