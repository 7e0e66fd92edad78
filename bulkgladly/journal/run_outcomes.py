"""What became of the rows of an earlier run, read from its journal in the order of its input."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from bulkgladly.journal.databases import open_reader, reading
from bulkgladly.storage.failures import database_error

__all__ = ("RunOutcome", "RunOutcomes", "ids_updated")


class RunOutcome(NamedTuple):
    """How a row of a run ended: its outcome word, its id in Gladly, and why, if it was not sent."""

    word: str
    gladly_id: str | None
    code: str | None
    detail: str | None


class RunOutcomes:
    """The outcomes of a run, also while another process works on it. Use it as a context manager; one thread at a time.

    Raises:
        JournalDamaged: There is no journal, or it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.sqlite"
        self._connection = open_reader(self._path)

    def between(self, first: int, last: int) -> dict[int, RunOutcome]:
        """Return the outcomes of the rows with these numbers, both included; rows that have none are missing."""
        sql = "SELECT seq, word, gladly_id, code, detail FROM records WHERE seq BETWEEN ? AND ?"
        try:
            rows = self._connection.execute(sql, (first, last)).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise database_error(error, self._path) from error
        return {int(seq): RunOutcome(*about) for seq, *about in rows}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def ids_updated(folder: Path) -> list[str]:
    """Return the ids in Gladly of the objects that a run has updated.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        sql = "SELECT DISTINCT gladly_id FROM records WHERE word = 'updated' AND gladly_id IS NOT NULL"
        return [str(row[0]) for row in connection.execute(sql)]
