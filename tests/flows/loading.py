"""A data set that is loaded into databases, and what these hold then."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bulkgladly.databases.database_url import database_url
from bulkgladly.databases.load_data import load_data, opened_database
from bulkgladly.databases.load_units import LoadedRows
from bulkgladly.databases.loaded_units import units_in_database
from bulkgladly.databases.sql_database import Cells, SqlDatabase, SqlRow
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.part_writer import PartOptions
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from tests.flows.exporting import as_lines

__all__ = ("DyingDatabase", "Killed", "LakeOfTest", "changes", "count_of", "held", "item", "publish", "rows_of")

HOST = "https://sample.example.org"
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def item(number: int, **content: Any) -> dict[str, Any]:
    """An invented note; `content` has more of its content, or another kind."""
    return {
        "id": f"i{number}",
        "customerId": "c",
        "timestamp": "2026-11-22T10:00:00Z",
        "initiator": {"id": "a", "type": "AGENT"},
        "content": {"type": "CONVERSATION_NOTE", "body": f"note {number}", **content},
    }


def publish(
    top: Path,
    data_set: str,
    unit: str,
    rows: Sequence[dict[str, Any]],
    *,
    replaces: Sequence[str] = (),
    host: str = HOST,
    night: int = 0,
    options: PartOptions | None = None,
) -> None:
    """Publish one unit, in the place of others."""
    with DataFolder.open(top, host=host, create=True, now=lambda: NOON).lock() as folder:
        old = [one for one in folder.manifests(data_set) if one.unit in replaces]
        origin = Origin(unit, "a.jsonl", {"_job_updated_at": NOON + dt.timedelta(days=night)})
        writer = UnitWriter(folder, DATA_SETS[data_set], unit, origin, options or PartOptions())
        writer.convert([as_lines(rows)])
        writer.commit(about={}, replaces=old)


class LakeOfTest:
    """One folder and one database."""

    def __init__(self, top: Path, url: str, schema: str | None = None) -> None:
        self.top = top
        self.url = url
        self.schema = schema

    def publish(self, data_set: str, unit: str, rows: Sequence[dict[str, Any]], **how: Any) -> None:
        publish(self.top, data_set, unit, rows, **how)

    def load(self, *names: str, **how: Any) -> dict[str, LoadedRows]:
        """Load, and return what was changed."""
        done = load_data(DataFolder.open(self.top), self.url, names, schema=self.schema, **how)
        return {one.data_set: one for one in done if one.is_changed}

    @contextmanager
    def database(self) -> Iterator[SqlDatabase]:
        """The database, open for the block."""
        with opened_database(database_url(self.url), self.schema) as database:
            yield database

    def query(self, sql: str) -> list[SqlRow]:
        """Run a statement with the names of tables in braces."""
        with self.database() as database:
            return rows_of(database, sql)

    def check(self, data_set: str = "items") -> None:
        """Every published row is in the table once, under the unit that the records name."""
        with self.database() as database:
            units = units_in_database(database, data_set)
            sql = f"SELECT _unit, count(*) FROM {{{data_set}_all}} GROUP BY _unit"  # noqa: S608 - names of this test
            counted: dict[int, int] = dict(rows_of(database, sql))
        published = {one.unit: one.rows for one in DataFolder.open(self.top).manifests(data_set)}
        assert {name: unit.rows for name, unit in units.items()} == published
        assert counted == {unit.number: unit.rows for unit in units.values() if unit.rows}


def rows_of(database: SqlDatabase, sql: str) -> list[SqlRow]:
    """Run a statement with the names of tables in braces."""

    class _Places(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return database.place(name)

    return database.execute(sql.format_map(_Places()))


def held(database: SqlDatabase, table: str) -> list[str]:
    """The ids in a table, sorted."""
    return sorted(str(key) for (key,) in rows_of(database, f"SELECT id FROM {{{table}}}"))  # noqa: S608 - names of this test


def count_of(lake: LakeOfTest, table: str) -> int:
    """The number of rows in a table."""
    found: int = lake.query(f"SELECT count(*) FROM {{{table}}}")[0][0]  # noqa: S608 - names of this test
    return found


def changes(done: dict[str, LoadedRows]) -> dict[str, tuple[int, int]]:
    """Rows that were written and removed, by data set."""
    return {name: (one.rows, one.removed) for name, one in done.items()}


class Killed(BaseException):
    """A kill at a statement."""


class DyingDatabase(SqlDatabase):
    """A real database that dies before its n-th statement. What was not committed is rolled back, as by a kill."""

    def __init__(self, real: SqlDatabase, before: int) -> None:
        self._real = real
        self.left = before
        self.kind, self.shown, self.schema, self.same = real.kind, real.shown, real.schema, real.same

    def _lives(self) -> SqlDatabase:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return self._real

    def execute(self, sql: str, values: Cells = ()) -> list[SqlRow]:
        return self._lives().execute(sql, values)

    def changed(self, sql: str) -> int:
        return self._lives().changed(sql)

    def columns_of(self, table: str) -> list[str]:
        return self._real.columns_of(table)

    def column_types(self, schema: Any) -> Mapping[str, str]:
        return self._real.column_types(schema)

    def write(self, table: str, names: Sequence[str], rows: Iterable[Any]) -> None:
        self._lives().write(table, names, rows)

    def begin(self) -> None:
        self._lives().begin()

    def commit(self) -> None:
        self._lives().commit()

    def rollback(self) -> None:
        self._real.rollback()

    def close(self) -> None:
        self._real.close()

    def index(self, table: str, columns: Sequence[str], *, in_order: bool = False) -> None:
        self._lives().index(table, columns, in_order=in_order)

    def hold(self, table: str) -> None:
        self._lives().hold(table)

    def use_schema(self) -> None:
        self._lives().use_schema()
