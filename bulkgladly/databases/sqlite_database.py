"""SQLite, through the standard library. Nested values are JSON texts, times are texts in UTC."""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulkgladly.databases.database_url import DatabaseUrl
from bulkgladly.databases.sql_database import STAGE, Cells, SqlDatabase, SqlRow, index_name, quoted_name
from bulkgladly.errors import DiskFull, Outage, UsageError
from bulkgladly.lake.database_columns import ColumnForm, column_forms, text_tuples

__all__ = ("SqliteDatabase",)

_TYPES: Mapping[ColumnForm, str] = {
    ColumnForm.FLAG: "INTEGER",
    ColumnForm.INTEGER: "INTEGER",
    ColumnForm.NUMBER: "REAL",
}
_WAIT_S = 30.0
"""For how long another process may write before we give up; a unit takes seconds."""


class SqliteDatabase(SqlDatabase):
    """A file of SQLite; it is created if it is missing, but no folder is."""

    kind = "sqlite"
    schema = None
    same = "IS"

    def __init__(self, url: DatabaseUrl, schema: str | None = None) -> None:
        if schema is not None:
            raise UsageError("SQLite has no schemas; leave out --schema, or use another file")
        assert url.path is not None  # noqa: S101 - a URL of this kind has one
        self.shown = url.shown
        if not url.path.absolute().parent.is_dir():
            raise UsageError(f"{url.shown}: the folder {url.path.absolute().parent} does not exist; create it first")
        try:
            self._connection = sqlite3.connect(url.path, timeout=_WAIT_S, isolation_level=None)
            # A write that a crash interrupts is undone by the next process that opens the file.
            self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
            self._connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise self._named(error) from error

    def execute(self, sql: str, values: Cells = ()) -> list[SqlRow]:
        """Run one statement (see `SqlDatabase`)."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._named(error) from error

    def changed(self, sql: str) -> int:
        """Run one statement, and return how many rows it has changed."""
        try:
            return self._connection.execute(sql).rowcount
        except sqlite3.Error as error:
            raise self._named(error) from error

    def columns_of(self, table: str) -> list[str]:
        """Return the columns of a table or view."""
        return [name for (name,) in self.execute("SELECT name FROM pragma_table_info(?)", (table,))]

    def column_types(self, schema: Any) -> Mapping[str, str]:
        """Return the types of columns."""
        return {name: _TYPES.get(form, "TEXT") for name, form in column_forms(schema).items()}

    def index(self, table: str, columns: Sequence[str], *, in_order: bool = False) -> None:
        """Create an index, if it is missing."""
        names = ", ".join(map(quoted_name, columns))
        del in_order  # SQLite has one kind of index only
        temporary = "temp." if table == STAGE else ""
        made = f"{temporary}{index_name(table, columns)}"
        self.execute(f"CREATE INDEX IF NOT EXISTS {made} ON {quoted_name(table)} ({names})")

    def write(self, table: str, names: Sequence[str], rows: Iterable[Any]) -> None:
        """Append rows."""
        columns, marks = ", ".join(map(quoted_name, names)), ", ".join("?" * len(names))
        sql = f"INSERT INTO {self.place(table)} ({columns}) VALUES ({marks})"  # noqa: S608 - names are quoted
        try:
            for each in rows:
                self._connection.executemany(sql, text_tuples(each))
        except sqlite3.Error as error:
            raise self._named(error) from error

    def begin(self) -> None:
        """Begin a transaction, as the only writer."""
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make what was written durable."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Take back what was written."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.rollback()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _named(self, error: sqlite3.Error) -> Exception:
        code = getattr(error, "sqlite_errorname", "")
        if code == "SQLITE_FULL":
            return DiskFull(f"{self.shown}: no space left; make room and run the command again")
        if code.startswith("SQLITE_BUSY"):
            return Outage(f"{self.shown}: another process writes to it; run the command again when it has ended")
        if code.startswith("SQLITE_NOTADB"):
            return UsageError(f"{self.shown} is not an SQLite database; choose another file")
        if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return UsageError(f"{self.shown} cannot be written; give this user write permission to it and its folder")
        return UsageError(f"{self.shown}: {error}")
