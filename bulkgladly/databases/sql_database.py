"""What a database must do to be loaded, whichever it is, and how one is opened."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bulkgladly.databases.database_url import DatabaseUrl
from bulkgladly.errors import UsageError

__all__ = (
    "STAGE",
    "Cells",
    "SqlDatabase",
    "SqlRow",
    "index_name",
    "missing_driver",
    "quoted_name",
    "schema_or_default",
)

STAGE = "_bulkgladly_stage"
"""A temporary table of the connection; it lies in no schema of ours."""
SqlRow = tuple[Any, ...]
Cells = Sequence[Any]


class SqlDatabase(ABC):
    """An open database. Outside of `transaction` nothing is changed; each error of a driver becomes one of ours.

    `kind` is that of its URL, `shown` names it in messages. `schema` holds the tables; None if there are none.
    `same` is the comparison of two values for which null equals null.
    """

    kind: str
    shown: str
    schema: str | None
    same = "IS NOT DISTINCT FROM"

    @abstractmethod
    def execute(self, sql: str, values: Cells = ()) -> list[SqlRow]:
        """Run one statement with a `?` for each value, and return its rows, if it has any."""

    @abstractmethod
    def changed(self, sql: str) -> int:
        """Run one statement, and return how many rows it has changed."""

    @abstractmethod
    def columns_of(self, table: str) -> list[str]:
        """Return the columns of a table or view in the schema; none if there is no such table."""

    @abstractmethod
    def column_types(self, schema: Any) -> Mapping[str, str]:
        """Return the type in this database of each column of an Arrow schema."""

    @abstractmethod
    def write(self, table: str, names: Sequence[str], rows: Iterable[Any]) -> None:
        """Append the rows of Arrow tables to a table. `names` are the columns there, in the order of theirs.

        `rows` may be taken in another thread; what it raises comes out here.
        """

    @abstractmethod
    def begin(self) -> None:
        """Begin a transaction that no other process can write beside."""

    @abstractmethod
    def commit(self) -> None:
        """Make what was written durable."""

    @abstractmethod
    def rollback(self) -> None:
        """Take back what was written since `begin`; never raises."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def create_schema(self) -> None:
        """Create the schema if it is missing."""
        if self.schema is not None:
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted_name(self.schema)}")

    def use_schema(self) -> None:  # noqa: B027 - only DuckDB runs statements without the schema in them
        """Let names without a schema mean the tables of ours from now on."""

    def place(self, table: str) -> str:
        """Return the quoted name of a table, with its schema."""
        name = quoted_name(table)
        return name if self.schema is None or table == STAGE else f"{quoted_name(self.schema)}.{name}"

    def index(self, table: str, columns: Sequence[str], *, in_order: bool = False) -> None:  # noqa: B027 - DuckDB needs none
        """Create an index, if it is missing and the database is slow without it.

        With `in_order`, rows with equal values mostly lie side by side.
        """

    def analyze(self, table: str) -> None:  # noqa: B027 - most databases need nothing here
        """Let the database look at what a table holds, before it plans a join."""

    def hold(self, table: str) -> None:  # noqa: B027 - most databases need nothing here
        """Let nobody else write a table until the transaction ends."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block does, or nothing of it if it raises."""
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            self.rollback()
            raise


def quoted_name(name: str) -> str:
    """Return a name in the quotes of SQL."""
    return '"' + name.replace('"', '""') + '"'


def index_name(table: str, columns: Sequence[str]) -> str:
    """Return the quoted name of an index."""
    return quoted_name(f"{table}_by_{'_'.join(columns).strip('_')}"[:63])


def schema_or_default(asked: str | None, usual: str) -> str:
    """Return the schema that was asked for, or the usual one.

    Raises:
        UsageError: It cannot be the name of a schema.
    """
    if asked is not None and (not asked.strip() or "\x00" in asked):
        raise UsageError("--schema is empty; leave it out, or pass a name such as gladly")
    return asked or usual


def missing_driver(url: DatabaseUrl, extra: str) -> UsageError:
    """Return the error for a driver that is not installed."""
    return UsageError(f"{url.shown} needs a driver; install it with `pip install 'bulkgladly[{extra}]'`")
