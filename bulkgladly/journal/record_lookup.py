"""Finds single records in a run's journal: by their row, key or id, also in a run of a million, and while it works.

Rows are numbered in the order of the input, so a row is found by halving. A key or an id takes one pass over the
records, without an index: a run of a million pays a tenth of a second for a question, and nothing for the index.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from bulkgladly.journal.databases import open_reader
from bulkgladly.records import DroppedValue, Position
from bulkgladly.storage.failures import database_error

__all__ = ("NotedClaim", "NotedIntent", "RecordLookup", "SettledRecord")

_COLUMNS = "seq, file, place, number, key, word, gladly_id, stage, status, code, attr, detail, attempts, at, original"
_SELECT = f"SELECT {_COLUMNS} FROM records"  # noqa: S608 - names of our own
_MOST_OF_ROW = 2_000
"""Records that one row may make before the rest is left out."""
_MOST_NEAR = 2_000


class SettledRecord(NamedTuple):
    """A record that has ended, as the journal has it. `original` is the row as JSON, if it did not arrive."""

    seq: int
    position: Position
    key: str | None
    word: str
    gladly_id: str | None
    stage: str | None
    status: int | None
    code: str | None
    attr: str | None
    detail: str | None
    attempts: int
    at: float
    original: bytes | None


class NotedClaim(NamedTuple):
    """The row that holds a key, an email or a mobile number in this run."""

    seq: int
    file: int
    number: int


class NotedIntent(NamedTuple):
    """A request that was about to leave: its operation, the id, and when (seconds since 1970)."""

    operation: str
    gladly_id: str | None
    at: float


class RecordLookup:
    """The records of one run. Close it after use, or use it in a `with`.

    All methods raise `JournalDamaged` if the journal cannot be read. Nothing is written, and a run that works at the
    same time is not held up.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal in a run's folder."""
        self._path = folder / "journal.sqlite"
        self._connection = open_reader(self._path)
        try:
            named = "SELECT name FROM sqlite_master WHERE type = 'table'"
            self._tables = {name for (name,) in self._rows(named)}
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal. Calling it twice is allowed."""
        self._connection.close()

    # --- records that have ended ---

    def of(self, seq: int) -> SettledRecord | None:
        """Return the record with this number in the run; None if it has not ended."""
        return next(self._records("WHERE seq = ?", (seq,)), None)

    def of_row(self, file: int, number: int) -> list[SettledRecord]:
        """Return the records of a row, in their order; several if a mapping made them."""
        first = self._first_from(file, number)
        found = [] if first is None else self._with_number(first, file, number)
        # The records of an undo are not in the order of the input.
        return found or list(self._records("WHERE number = ? AND file = ? ORDER BY seq", (number, file)))

    def named(self, text: str, *, of_key: bool = True, of_id: bool = True) -> list[SettledRecord]:
        """Return the records with this source key, or this id in Gladly; a hundred at most.

        One pass over the records: a tenth of a second for a million (`python -m benchmarks.explain`).
        """
        named = " OR ".join([*(["key = ?1"] if of_key else []), *(["gladly_id = ?1"] if of_id else [])])
        return list(self._records(f"WHERE {named} ORDER BY seq LIMIT 100", (text,)))

    def last(self) -> SettledRecord | None:
        """Return the last record of the input that has ended."""
        return next(self._records("ORDER BY seq DESC LIMIT 1"), None)

    def around(self, file: int, number: int) -> tuple[int | None, int | None]:
        """Return the numbers of the nearest rows of a file before and after this one that have ended."""
        after = self._first_from(file, number)
        later = None if after is None else self.of(after)
        sql = "WHERE seq < ? ORDER BY seq DESC LIMIT 1"
        earlier = next(self._records(sql, (1 << 62 if after is None else after,)), None)
        near = (
            one.position.number if one is not None and one.position.file == file else None for one in (earlier, later)
        )
        before, behind = near
        return before, behind

    def near_keys(self, text: str) -> list[str]:
        """Return keys that are spelled like a text: the same but for its case, its beginning or its end."""
        half = max(1, len(text) // 2)
        begin, end = _pattern(text[:half]) + "%", "%" + _pattern(text[-half:])
        most = len(text) + 3
        sql = (
            "SELECT DISTINCT key FROM records WHERE key IS NOT NULL AND length(key) <= ?"
            r" AND (key LIKE ? ESCAPE '\' OR key LIKE ? ESCAPE '\') LIMIT ?"
        )
        return [str(key) for (key,) in self._rows(sql, (most, begin, end, _MOST_NEAR))]

    # --- what else is known of a row ---

    def dropped(self, seq: int) -> list[DroppedValue]:
        """Return the values that a record was sent without; those that nobody should see are masked."""
        if "dropped" not in self._tables:
            return []
        sql = "SELECT field, name, code, detail, value FROM dropped WHERE seq = ? ORDER BY nth"
        return [DroppedValue(*row) for row in self._rows(sql, (seq,))]

    def claim(self, digest: int) -> NotedClaim | None:
        """Return the row that holds a claim."""
        sql = "SELECT seq, file, number FROM claims WHERE digest = ?"
        return next((NotedClaim(*row) for row in self._rows(sql, (digest,))), None)

    def pending(self, file: int, number: int) -> list[int]:
        """Return the numbers in the run of the records of a row that were read and have not ended."""
        sql = (
            "SELECT DISTINCT seq FROM claims WHERE number = ? AND file = ?"
            " AND NOT EXISTS (SELECT 1 FROM records WHERE records.seq = claims.seq) ORDER BY seq"
        )
        return [int(seq) for (seq,) in self._rows(sql, (number, file))]

    def intent(self, seq: int) -> NotedIntent | None:
        """Return the create that was noted last for a record."""
        sql = "SELECT operation, gladly_id, at FROM intents WHERE seq = ?"
        return next((NotedIntent(*row) for row in self._rows(sql, (seq,))), None)

    # --- by halving ---

    def _first_from(self, file: int, number: int) -> int | None:
        """Return the number in the run of the first record that is at a row or behind it."""
        # Two queries: asked for both at once, SQLite reads the whole table.
        low, high = (next(self._rows(f"SELECT {end}(seq) FROM records"))[0] for end in ("min", "max"))  # noqa: S608
        if low is None or high is None:
            return None
        if self._place_from(high)[1:] < (file, number):
            return None
        while low < high:
            middle = (low + high) // 2
            seq, *place = self._place_from(middle)
            if tuple(place) >= (file, number):
                high = middle
            else:
                low = seq + 1
        return self._place_from(low)[0]

    def _place_from(self, seq: int) -> tuple[int, int, int]:
        """Return the first record from a number on, with its file and row; there must be one."""
        sql = "SELECT seq, file, number FROM records WHERE seq >= ? ORDER BY seq LIMIT 1"
        found: tuple[int, int, int] = next(self._rows(sql, (seq,)))
        return found

    def _with_number(self, first: int, file: int, number: int) -> list[SettledRecord]:
        found: list[SettledRecord] = []
        for one in self._records("WHERE seq >= ? ORDER BY seq LIMIT ?", (first, _MOST_OF_ROW)):
            if (one.position.file, one.position.number) != (file, number):
                break
            found.append(one)
        return found

    def _records(self, tail: str, values: Sequence[Any] = ()) -> Iterator[SettledRecord]:
        for seq, file, place, number, *about in self._rows(f"{_SELECT} {tail}", values):
            yield SettledRecord(seq, Position(file, place, number), *about)

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(sql, values)
        except (sqlite3.Error, ValueError) as error:
            raise database_error(error, self._path) from error


def _pattern(text: str) -> str:
    """Return a text as LIKE reads it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
