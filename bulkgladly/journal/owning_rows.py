"""Which row of a run has an address, also if it was rejected before its addresses were noted."""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from bulkgladly.journal.databases import open_reader
from bulkgladly.storage.failures import database_error

__all__ = ("OwningRow", "OwningRows")

_WORD = re.compile(r"[^\s,;<>|\"'()\[\]{}]+")
_NUMBER = re.compile(r"\+?\d[\d ()/.-]{5,}\d")
_MOST_WORD = 400


class OwningRow(NamedTuple):
    """The row that has an address: the number of its file in the run, and its line there."""

    file: int
    number: int


class OwningRows:
    """The addresses of the rows of one run, as hashes. Close it after use.

    All methods raise `JournalDamaged` if the journal cannot be read. The journal is not changed.
    """

    def __init__(self, folder: Path, digests_in: Callable[[str], Iterable[int]]) -> None:
        """Open the journal in a run's folder, and read the rows that did not arrive.

        Their values may not be valid, so that nothing else has noted them. `digests_in` returns the hashes of the
        addresses that a word may be.
        """
        self._path = folder / "journal.sqlite"
        self._connection = open_reader(self._path)
        try:
            with self._ours():
                self._note_mentioned(digests_in)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_about: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal."""
        self._connection.close()

    def row_with(self, digests: Iterable[int]) -> OwningRow | None:
        """Return a row that has one of these addresses; None if there is none."""
        with self._ours():
            for digest in digests:
                for table in ("main.claims", "temp.mentioned"):
                    sql = f"SELECT file, number FROM {table} WHERE digest = ?"  # noqa: S608 - names of our own
                    if (found := self._connection.execute(sql, (digest,)).fetchone()) is not None:
                        return OwningRow(*found)
        return None

    def _note_mentioned(self, digests_in: Callable[[str], Iterable[int]]) -> None:
        # In a table of SQLite, outside of our memory: a run may have rejected most of its rows.
        made = "CREATE TEMP TABLE mentioned (digest INTEGER PRIMARY KEY, file INTEGER, number INTEGER)"
        self._connection.execute(made)
        rows = self._connection.execute("SELECT file, number, original FROM main.records WHERE original IS NOT NULL")
        for file, number, original in rows:
            found = {(digest, file, number) for word in _words(orjson.loads(original)) for digest in digests_in(word)}
            self._connection.executemany("INSERT OR IGNORE INTO temp.mentioned VALUES (?, ?, ?)", found).close()

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError, orjson.JSONDecodeError) as error:
            raise database_error(error, self._path) from error


def _words(value: Any) -> Iterator[str]:
    """Yield the words and the numbers in the texts of a row."""
    if isinstance(value, str):
        yield from (word for word in _WORD.findall(value) if len(word) <= _MOST_WORD)
        yield from _NUMBER.findall(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict):
        yield from (word for one in value.values() for word in _words(one))
    elif isinstance(value, list):
        yield from (word for one in value for word in _words(one))
