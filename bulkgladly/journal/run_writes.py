"""What a run has changed in Gladly, and which requests each of its records took, read from its journal."""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from bulkgladly.journal.databases import open_reader
from bulkgladly.records import Position, Word
from bulkgladly.storage.failures import database_error

__all__ = ("RunWrites", "SettledWrite", "TrailStep", "WrittenChange")

_DONE = (Word.CREATED, Word.UPDATED, Word.DELETED)
_ROWS_AT_ONCE = 500
_COLUMNS = (
    "writes.seq, nth, operation, action, coalesce(writes.gladly_id, records.gladly_id), before, after, writes.at,"
    " file, place, number, key, word, writes.rowid"
)
_JOINED = f"SELECT {_COLUMNS}, {{}} FROM writes LEFT JOIN records ON records.seq = writes.seq"  # noqa: S608 - our names
_TURNS = " LEFT JOIN turns ON turns.seq = writes.seq"

_NOT_NOTED = (
    "SELECT seq, gladly_id, word, at, file, place, number FROM records"
    " WHERE word IN ('created', 'updated', 'deleted') AND seq < ?{} ORDER BY seq DESC LIMIT ?"
)
_WITHOUT_WRITES = " AND NOT EXISTS (SELECT 1 FROM writes WHERE writes.seq = records.seq)"


class WrittenChange(NamedTuple):
    """One request that changed something in Gladly, or may have; refused requests are not kept.

    `before` is what Gladly held of the object, as it was read just before; None if nobody read it. `after` has the
    fields that were written; in a deletion the part that was removed, or nothing if the whole object was. `position`,
    `key` and `word` are those of the record; they are None as long as it has not ended. `order` grows with each write
    that the run has noted; `turn` is its turn among all runs, 0 if an older version wrote it.
    """

    seq: int
    nth: int
    operation: str
    action: str
    gladly_id: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    at: float
    position: Position | None
    key: str | None
    word: Word | None
    order: int = 0
    turn: int = 0

    @property
    def is_done(self) -> bool:
        """Whether it is certain that Gladly has carried it out: its record ended as created, updated or deleted."""
        return self.word in _DONE


class SettledWrite(NamedTuple):
    """A record that has changed something in Gladly, and of which the journal does not say what."""

    seq: int
    gladly_id: str | None
    word: Word
    at: float
    position: Position


class TrailStep(NamedTuple):
    """One request of a record, and its last reply: `at` is when that came, in seconds since 1970."""

    operation: str
    status: int
    codes: list[str | None]
    attempts: int
    at: float
    meaning: str


class RunWrites:
    """The writes and the trails of one run. Close it after use, or use it in a `with`.

    A run of a version that did not keep them has none (`is_kept`). It can be read while the run goes on.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal in a run's folder.

        Raises:
            JournalDamaged: There is none, or it cannot be read. All methods raise it, too.
        """
        self._path = folder / "journal.sqlite"
        self._connection = open_reader(self._path)
        try:
            tables = {name for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
            self.is_kept = {"writes", "trails"} <= tables
            has_turns = "turns" in tables
            self._joined = _JOINED.format("turns.turn") + _TURNS if has_turns else _JOINED.format("0")
        except BaseException:
            self._connection.close()
            raise

    def of(self, seq: int) -> list[WrittenChange]:
        """Return what was written for a record, in order, done or not."""
        return list(self._changes("WHERE writes.seq = ? ORDER BY nth", (seq,)))

    def newest_first(self) -> Iterator[WrittenChange]:
        """Yield what the run has certainly changed, the last row of the input first, in flat memory."""
        yield from (one for one in self._backwards() if one.is_done)

    def in_doubt(self) -> Iterator[WrittenChange]:
        """Yield what the run may have changed: their records ended otherwise, or not yet; the last row first."""
        yield from (one for one in self._backwards() if not one.is_done)

    def not_noted(self) -> Iterator[SettledWrite]:
        """Yield the records of which a version that did not note it has changed something; the last row first."""
        last, sql = 1 << 62, _NOT_NOTED.format(_WITHOUT_WRITES if self.is_kept else "")
        while piece := list(self._rows(sql, (last, _ROWS_AT_ONCE))):
            for seq, gladly_id, word, at, file, place, number in piece:
                yield SettledWrite(seq, gladly_id, Word(word), at, Position(file, place, number))
            last = piece[-1][0]

    def trail_of(self, seq: int) -> list[TrailStep]:
        """Return the requests of a record, in order; none if it took none, or has not ended."""
        if not self.is_kept:
            return []
        rows = self._rows("SELECT requests FROM trails WHERE seq = ?", (seq,))
        return [TrailStep(*step) for (requests,) in rows for step in orjson.loads(requests)]

    def close(self) -> None:
        """Close the journal. Calling it twice is allowed."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the writes themselves."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal."""
        self.close()

    def _backwards(self) -> Iterator[WrittenChange]:
        # In pieces, so that no statement stays open while the caller works: it would hold up the checkpoints of a
        # run that goes on.
        last = (1 << 62, 0)
        while piece := list(
            self._changes(
                "WHERE (writes.seq, nth) < (?, ?) ORDER BY writes.seq DESC, nth DESC LIMIT ?", (*last, _ROWS_AT_ONCE)
            )
        ):
            yield from piece
            last = (piece[-1].seq, piece[-1].nth)

    def _changes(self, tail: str, values: tuple[Any, ...]) -> Iterator[WrittenChange]:
        for row in self._rows(f"{self._joined} {tail}", values) if self.is_kept else ():
            seq, nth, operation, action, gladly_id, before, after, at, file, place, number, key, word, order, turn = row
            yield WrittenChange(
                seq,
                nth,
                operation,
                action,
                gladly_id,
                None if before is None else orjson.loads(before),
                orjson.loads(after),
                at,
                None if word is None else Position(file, place, number),
                key,
                None if word is None else Word(word),
                order,
                turn or 0,
            )

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(sql, values)
        except (sqlite3.Error, ValueError) as error:
            raise database_error(error, self._path) from error
