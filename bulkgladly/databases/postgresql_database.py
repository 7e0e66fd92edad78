"""PostgreSQL, through the optional package `psycopg`. Rows travel by COPY; nested values are jsonb.

COPY of text needs no staging table: the server reads jsonb, arrays and times from their texts. A driver that sends
Arrow values in binary form was a fifth slower in all, because it cannot write jsonb and must cast from a second table.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bulkgladly.databases.database_url import DatabaseUrl
from bulkgladly.databases.sql_database import (
    Cells,
    SqlDatabase,
    SqlRow,
    index_name,
    missing_driver,
    quoted_name,
    schema_or_default,
)
from bulkgladly.errors import Outage, UsageError
from bulkgladly.lake.database_columns import ColumnForm, column_forms, copy_blocks

if TYPE_CHECKING:
    import psycopg

__all__ = ("PostgresqlDatabase",)

_TYPES: Mapping[ColumnForm, str] = {
    ColumnForm.FLAG: "boolean",
    ColumnForm.INTEGER: "bigint",
    ColumnForm.NUMBER: "double precision",
    ColumnForm.DECIMAL: "numeric",
    ColumnForm.MOMENT: "timestamptz",
    ColumnForm.DAY: "date",
    ColumnForm.TEXTS: "text[]",
    ColumnForm.JSON: "jsonb",
}
_NO_PERMISSION = "42501"
_FULL = "53100"
_CONNECTION_LOST = ("08", "57P")


def _ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks; while one travels and is stored, the next is read and converted in a thread."""
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, blocks, None)
        while (block := pending.result()) is not None:
            pending = pool.submit(next, blocks, None)
            yield block


class PostgresqlDatabase(SqlDatabase):
    """A database of PostgreSQL. The password comes from PGPASSWORD, a service, .pgpass, or the URL."""

    kind = "postgresql"

    def __init__(self, url: DatabaseUrl, schema: str | None = None) -> None:
        try:
            import psycopg  # noqa: PLC0415 - optional
        except ImportError:
            raise missing_driver(url, "postgresql") from None
        self._url = url
        self._errors = psycopg.Error
        self.shown = url.shown
        self.schema = schema_or_default(schema, "gladly")
        try:
            self._connection: psycopg.Connection[SqlRow] = psycopg.connect(
                url.text, autocommit=True, application_name="bulkgladly", connect_timeout=15
            )
            self._connection.execute("SET TimeZone = 'UTC'; SET client_min_messages = warning")
        except psycopg.Error as error:
            raise self._not_connected(error) from None  # its cause would show the URL in a traceback

    def execute(self, sql: str, values: Cells = ()) -> list[SqlRow]:
        """Run one statement (see `SqlDatabase`)."""
        try:
            cursor = self._sent(sql, values)
            return cursor.fetchall() if cursor.description else []
        except self._errors as error:
            raise self._named(error) from error

    def changed(self, sql: str) -> int:
        """Run one statement, and return how many rows it has changed."""
        try:
            return self._sent(sql).rowcount
        except self._errors as error:
            raise self._named(error) from error

    def _sent(self, sql: str, values: Cells = ()) -> "psycopg.Cursor[SqlRow]":
        # Only statements about our own tables have values, so no name in them has a `?` or a `%`.
        if values:
            return self._connection.execute(sql.replace("?", "%s").encode(), values)
        return self._connection.execute(sql.encode())

    def columns_of(self, table: str) -> list[str]:
        """Return the columns of a table or view."""
        sql = (
            "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ? "
            "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        return [name for (name,) in self.execute(sql, (self.schema, table))]

    def column_types(self, schema: Any) -> Mapping[str, str]:
        """Return the types of columns."""
        return {name: _TYPES.get(form, "text") for name, form in column_forms(schema).items()}

    def create_schema(self) -> None:
        """Create the schema if it is missing; who may only write into an existing one is not asked to create it."""
        if not self.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (self.schema,)):
            super().create_schema()

    def index(self, table: str, columns: Sequence[str], *, in_order: bool = False) -> None:
        """Create an index, if it is missing."""
        names = ", ".join(map(quoted_name, columns))
        # A tree of all rows made a COPY half as long again; ranges of pages cost nothing.
        kind, more = ("brin", " WITH (autosummarize = on)") if in_order else ("btree", "")
        name = index_name(table, columns)
        self.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {self.place(table)} USING {kind} ({names}){more}")

    def analyze(self, table: str) -> None:
        """Collect what the planner must know of a table."""
        self.execute(f"ANALYZE {self.place(table)}")

    def hold(self, table: str) -> None:
        """Let nobody else write a table until the transaction ends; it can still be read."""
        self.execute(f"LOCK TABLE {self.place(table)} IN EXCLUSIVE MODE")

    def write(self, table: str, names: Sequence[str], rows: Iterable[Any]) -> None:
        """Append rows."""
        columns = ", ".join(map(quoted_name, names))
        sql = f"COPY {self.place(table)} ({columns}) FROM STDIN (FORMAT csv)"
        try:
            with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
                for block in _ahead(block for each in rows for block in copy_blocks(each)):
                    copy.write(block)
        except self._errors as error:
            raise self._named(error) from error

    def begin(self) -> None:
        """Begin a transaction."""
        self.execute("BEGIN")

    def commit(self) -> None:
        """Make what was written durable."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Take back what was written; a lost connection has done so."""
        with contextlib.suppress(self._errors):
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _not_connected(self, error: "psycopg.Error") -> Exception:
        text = self._url.without_secrets(str(error))
        if "does not exist" in text and 'database "' in text:
            return UsageError(f"{self.shown}: {text}; create it with `createdb`, or correct the URL")
        if "password" in text or "authentication" in text or "pg_hba" in text:
            fix = "check the user, and pass the password in PGPASSWORD, a service file (PGSERVICE) or ~/.pgpass"
            return UsageError(f"{self.shown}: {text}; {fix}")
        if isinstance(error, self._connection_errors()):
            return Outage(f"{self.shown} cannot be reached: {text}; check host and port, then run the command again")
        return UsageError(f"{self.shown}: the URL cannot be used; use postgresql://USER@HOST:PORT/DATABASE")

    def _connection_errors(self) -> type[Exception]:
        import psycopg  # noqa: PLC0415 - optional

        return psycopg.OperationalError

    def _named(self, error: "psycopg.Error") -> Exception:
        text, state = self._url.without_secrets(str(error)), error.sqlstate or ""
        if self._connection.closed or state.startswith(_CONNECTION_LOST):
            return Outage(f"{self.shown}: the connection was lost; run the command again, it continues where it was")
        if state == _NO_PERMISSION:
            fix = f"grant this user CREATE on the database or the schema {self.schema}, or pass a --schema of its own"
            return UsageError(f"{self.shown}: {text}; {fix}")
        if state == _FULL:
            return Outage(f"{self.shown}: the server has no space left; make room there and run the command again")
        return UsageError(f"{self.shown}: {text}")
