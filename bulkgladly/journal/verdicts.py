"""The checkpoint of a verification: what Gladly was seen to hold of each row. What outlives runs is not written."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.journal.databases import open_journal, reading
from bulkgladly.journal.entries import Admission, Clash
from bulkgladly.journal.row_claims import RowClaims
from bulkgladly.journal.row_journal import Checkpoint, RowJournal
from bulkgladly.journal.schema import insert_rows, make_tables
from bulkgladly.journal.writer import Contents, usable
from bulkgladly.records import Position

__all__ = ("NOT_SAMPLED", "VERDICT_WORDS", "VERIFY", "RowVerdict", "VerdictLog", "count_verdicts", "verdicts_of")

VERIFY = "verify"
"""The mode of a verification, as a run."""
VERDICT_WORDS = ("equal", "different", "missing", "merged", "unreadable", "not_sent", "not_sampled")
"""How a row of a verification can end. The last one is only counted."""
NOT_SAMPLED = "not_sampled"

_TABLES = """
CREATE TABLE IF NOT EXISTS verdicts (
    seq        INTEGER PRIMARY KEY,   -- ordinal of the row in the run, from 0
    file       INTEGER NOT NULL,
    place      INTEGER NOT NULL,
    number     INTEGER NOT NULL,      -- record or line of its file, from 1
    key        TEXT,                  -- source key
    gladly_id  TEXT,
    word       TEXT NOT NULL,
    code       TEXT,
    status     INTEGER,
    detail     TEXT,
    fields     TEXT NOT NULL,         -- JSON list of [field, expected, held]
    unverified TEXT NOT NULL,         -- JSON list of fields that Gladly does not show
    at         REAL NOT NULL
);
"""
_COLUMNS = "seq, file, place, number, key, gladly_id, word, code, status, detail, fields, unverified"


class RowVerdict(NamedTuple):
    """What Gladly was seen to hold of one row; `fields` has each difference as (field, expected, held)."""

    seq: int
    position: Position
    word: str
    key: str | None = None
    gladly_id: str | None = None
    code: str | None = None
    status: int | None = None
    detail: str | None = None
    fields: tuple[tuple[str, Any, Any], ...] = ()
    unverified: tuple[str, ...] = ()


class VerdictLog(RowJournal[RowVerdict]):
    """One verification's journal.

    A row whose verdict was not committed is read again by the resume, which costs a request and nothing else.
    """

    def __init__(
        self,
        folder: Path,
        *,
        vitals: Callable[[], Mapping[str, Any]] = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the journal in `folder`, or create it. `vitals` is called at each commit, and what it returns is kept.

        Raises:
            DiskFull, JournalDamaged, JournalError: The journal cannot be used.
        """
        path = folder / "journal.sqlite"
        connection = open_journal(path)
        with usable(path, connection):
            make_tables(connection, _TABLES)
            checkpoint = Checkpoint(connection, vitals)
        self._tables = _VerdictTables(connection, checkpoint, clock)
        super().__init__(path, connection, self._tables, checkpoint)

    async def admit(self, rows: Sequence[Admission], *, moves_mark: bool = True) -> dict[int, Clash]:
        """Note that rows have been read, in input order, and return those that clash with an earlier row.

        Without `moves_mark` a resume reads all rows again from the first one: which of them are looked at is only
        known at the end of the input.
        """
        result: dict[int, Clash] = await self._writer.ask(lambda: self._tables.admit(rows, moves_mark=moves_mark))
        return result

    def settle(self, verdict: RowVerdict) -> None:
        """Note a verdict; it is in the next group commit. One with the word `not_sampled` is only counted.

        Raises:
            DiskFull, JournalDamaged: An earlier commit failed; nothing was noted.
        """
        self._writer.tell(verdict)

    async def supersede(self, code: str, detail: str) -> None:
        """Take back the differences of rows that a later row about the same object has overwritten.

        Their word becomes `not_sent`: the later row has a verdict of its own. Doing it twice changes nothing.
        """
        await self._writer.ask(lambda: self._tables.supersede(code, detail))


class _VerdictTables(Contents[RowVerdict]):
    """The table of verdicts and the checkpoint; used in the writer's thread only."""

    def __init__(self, connection: sqlite3.Connection, checkpoint: Checkpoint, clock: Callable[[], float]) -> None:
        self._connection, self._checkpoint, self._clock = connection, checkpoint, clock
        self._claims = RowClaims(connection)

    def admit(self, rows: Sequence[Admission], *, moves_mark: bool) -> dict[int, Clash]:
        for row in rows if moves_mark else ():
            self._checkpoint.frontier.admit(row.seq, row.position)
        return self._claims.take(rows)

    def write(self, entries: Sequence[RowVerdict]) -> None:
        now, rows = self._clock(), []
        for one in entries:
            self._checkpoint.counts[one.word] += 1
            self._checkpoint.frontier.settle(one.seq)
            if one.word != NOT_SAMPLED:
                rows.append(_row_of(one, now))
        insert_rows(self._connection, "INSERT OR REPLACE INTO verdicts", rows)

    def supersede(self, code: str, detail: str) -> None:
        differing = "(word = 'different' OR (word = 'merged' AND fields <> '[]'))"
        if self._connection.execute(f"SELECT 1 FROM verdicts WHERE {differing} LIMIT 1").fetchone() is None:  # noqa: S608
            return
        self._connection.execute("CREATE INDEX IF NOT EXISTS verdicts_by_id ON verdicts (gladly_id, seq)")
        self._connection.execute(
            "UPDATE verdicts SET word = 'not_sent', code = ?, detail = ?, fields = '[]'"  # noqa: S608 - our own words
            f" WHERE {differing} AND EXISTS (SELECT 1 FROM verdicts AS later WHERE"
            " later.gladly_id = verdicts.gladly_id AND later.seq > verdicts.seq"
            " AND later.word IN ('equal', 'different', 'merged'))",
            (code, detail),
        )

    def seal(self) -> None:
        self._checkpoint.save()

    def roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error, ValueError):
            self._checkpoint.load()
            self._claims = RowClaims(self._connection)


def _row_of(one: RowVerdict, now: float) -> tuple[Any, ...]:
    fields = orjson.dumps([list(each) for each in one.fields], default=str).decode()
    unverified = orjson.dumps(one.unverified).decode()
    about = (one.key, one.gladly_id, one.word, one.code, one.status, one.detail)
    return (one.seq, *one.position, *about, fields, unverified, now)


def count_verdicts(folder: Path) -> dict[str, int]:
    """Return how many rows have which verdict, counted from the rows themselves; also while the run works."""
    with reading(folder / "journal.sqlite") as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'verdicts'").fetchone() is None:
            return {}  # it has only just begun
        rows = connection.execute("SELECT word, count(*) FROM verdicts GROUP BY word")
        return {str(word): int(number) for word, number in rows}


def verdicts_of(folder: Path) -> Iterator[RowVerdict]:
    """Yield the verdicts of a verification, in input order, with memory for one row.

    Raises:
        JournalDamaged: There is no journal, or it cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        for row in connection.execute(f"SELECT {_COLUMNS} FROM verdicts ORDER BY seq"):  # noqa: S608 - our own names
            seq, file, place, number, key, gladly_id, word, code, status, detail, fields, unverified = row
            yield RowVerdict(
                seq=seq,
                position=Position(file, place, number),
                word=word,
                key=key,
                gladly_id=gladly_id,
                code=code,
                status=status,
                detail=detail,
                fields=tuple((name, expected, held) for name, expected, held in orjson.loads(fields)),
                unverified=tuple(orjson.loads(unverified)),
            )
