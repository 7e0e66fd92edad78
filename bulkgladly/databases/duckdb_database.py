"""DuckDB, through the optional package `duckdb`. Nested values have their own types, as in Parquet."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulkgladly.databases.database_url import DatabaseUrl
from bulkgladly.databases.sql_database import (
    Cells,
    SqlDatabase,
    SqlRow,
    missing_driver,
    quoted_name,
    schema_or_default,
)
from bulkgladly.errors import Outage, UsageError
from bulkgladly.lake.database_columns import ColumnForm, column_forms
from bulkgladly.lake.view_sources import duckdb_type

__all__ = ("DuckdbDatabase",)

_INCOMING = "_bulkgladly_incoming"


class DuckdbDatabase(SqlDatabase):
    """A file of DuckDB, which one process has open at a time."""

    kind = "duckdb"

    def __init__(self, url: DatabaseUrl, schema: str | None = None) -> None:
        try:
            import duckdb  # noqa: PLC0415 - optional
        except ImportError:
            raise missing_driver(url, "duckdb") from None
        self._errors = duckdb.Error
        self._in_use = duckdb.IOException
        self.shown = url.shown
        # Not `gladly`: the file is often called gladly.duckdb, and `main` needs no prefix.
        self.schema = schema_or_default(schema, "main")
        try:
            self._connection = duckdb.connect(str(url.path))
            self._connection.execute("SET TimeZone = 'UTC'")
            is_ambiguous = self._connection.execute("SELECT current_database() = ?", [self.schema]).fetchall()[0][0]
        except duckdb.Error as error:
            raise self._named(error) from error
        if is_ambiguous:
            self._connection.close()
            raise UsageError(
                f"{url.shown}: DuckDB cannot tell a schema from a file of the same name; leave out --schema "
                f"{self.schema}, or use another name"
            )

    def execute(self, sql: str, values: Cells = ()) -> list[SqlRow]:
        """Run one statement (see `SqlDatabase`)."""
        try:
            return self._connection.execute(sql, list(values) if values else None).fetchall()
        except self._errors as error:
            raise self._named(error) from error

    def changed(self, sql: str) -> int:
        """Run one statement, and return how many rows it has changed."""
        found = self.execute(sql)
        return int(found[0][0]) if found else 0

    def columns_of(self, table: str) -> list[str]:
        """Return the columns of a table or view."""
        sql = (
            "SELECT column_name FROM information_schema.columns WHERE table_catalog = current_database() "
            "AND table_schema = ? AND table_name = ? ORDER BY ordinal_position"
        )
        return [name for (name,) in self.execute(sql, (self.schema, table))]

    def column_types(self, schema: Any) -> Mapping[str, str]:
        """Return the types of columns."""
        own = {ColumnForm.DAY: "DATE", ColumnForm.DECIMAL: "DECIMAL(38, 9)"}
        forms = column_forms(schema)
        return {field.name: own.get(forms[field.name]) or duckdb_type(field.type) for field in schema}

    def write(self, table: str, names: Sequence[str], rows: Iterable[Any]) -> None:
        """Append rows."""
        columns = ", ".join(map(quoted_name, names))
        sql = f"INSERT INTO {self.place(table)} ({columns}) SELECT * FROM {_INCOMING}"  # noqa: S608 - names are quoted
        try:
            for each in rows:
                self._connection.register(_INCOMING, each)
                self._connection.execute(sql)
                self._connection.unregister(_INCOMING)
        except self._errors as error:
            raise self._named(error) from error

    def begin(self) -> None:
        """Begin a transaction."""
        self.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        """Make what was written durable."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Take back what was written."""
        with contextlib.suppress(self._errors):
            self._connection.rollback()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def use_schema(self) -> None:
        """Let names without a schema mean the tables of ours from now on."""
        self.execute(f"USE {quoted_name(self.schema or 'main')}")

    def _named(self, error: Exception) -> Exception:
        text = " ".join(str(error).split())
        if "onflicting lock" in text:
            return Outage(f"{self.shown} is open in another process; close it there, and run the command again")
        if "does not exist" in text and isinstance(error, self._in_use):
            return UsageError(f"{self.shown}: its folder does not exist; create it first")
        if "not a valid DuckDB database" in text:
            return UsageError(f"{self.shown} is not a DuckDB database; choose another file")
        if isinstance(error, self._in_use):
            return UsageError(f"{self.shown} cannot be opened for writing: {text}; check its permissions")
        return UsageError(f"{self.shown}: {text}")
