"""The checkpoint of a verification: what Gladly was seen to hold of each row. What outlives runs is not written."""

import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.journal.databases import open_journal, reading
from bulkgladly.journal.entries import Admission, Clash
from bulkgladly.journal.positions import Frontier
from bulkgladly.journal.row_claims import RowClaims
from bulkgladly.journal.schema import insert_rows, make_tables
from bulkgladly.journal.timeline import Sample, write_samples
from bulkgladly.journal.writer import Contents, Writer, earlier_vitals, usable, write_note
from bulkgladly.records import Mark, Position

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


class VerdictLog:
    """One verification's journal. One thread writes, in groups; a process that dies leaves each commit whole.

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
            self._tables = _VerdictTables(connection, vitals, clock)
            self.earlier_vitals: Mapping[str, Any] = earlier_vitals(connection)
        self._connection = connection
        self._writer = Writer(path, connection, self._tables)

    @property
    def mark(self) -> Mark:
        """Where this process begins to read: all rows before it have a verdict."""
        return self._tables.mark

    @property
    def counts(self) -> Counter[str]:
        """How many rows have which verdict."""
        return self._tables.counts

    @property
    def frontier(self) -> Mark:
        """The low-water mark after the last commit."""
        return self._tables.frontier.advance()

    def wants(self, seq: int) -> bool:
        """Tell whether this process still has to look at a row."""
        return seq >= self.mark.seq and seq not in self._tables.done_above

    def is_settled(self, seq: int) -> bool:
        """Tell whether a row has a verdict. Call `flush` before."""
        return self._tables.frontier.is_settled(seq)

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

    async def flush(self) -> None:
        """Wait until everything settled so far is on the disk."""
        await self._writer.ask(lambda: None)

    async def supersede(self, code: str, detail: str) -> None:
        """Take back the differences of rows that a later row about the same object has overwritten.

        Their word becomes `not_sent`: the later row has a verdict of its own. Doing it twice changes nothing.
        """
        await self._writer.ask(lambda: self._tables.supersede(code, detail))

    async def note(self, name: str, value: str, *, samples: Sequence[Sample] = ()) -> None:
        """Keep a value about the run itself, such as its status, and samples; on the disk when this returns."""
        await self._writer.ask(lambda: write_note(self._connection, name, value, samples))

    def sample(self, samples: Sequence[Sample]) -> None:
        """Keep samples of how the run goes; they are in the next group commit.

        Raises:
            DiskFull, JournalDamaged: An earlier commit failed; nothing was noted.
        """
        self._writer.do(lambda: write_samples(self._connection, samples))

    def close(self) -> None:
        """Commit what is left, end the thread and close the file."""
        self._writer.close()


class _VerdictTables(Contents[RowVerdict]):
    """The table of verdicts and the checkpoint; used in the writer's thread only."""

    def __init__(
        self, connection: sqlite3.Connection, vitals: Callable[[], Mapping[str, Any]], clock: Callable[[], float]
    ) -> None:
        self._connection, self._vitals, self._clock = connection, vitals, clock
        self._load()

    def _load(self) -> None:
        row = self._connection.execute("SELECT seq, file, place, number, above, counts FROM checkpoint").fetchone()
        self.counts: Counter[str] = Counter()
        self.mark, above = Mark(), []
        if row is not None:
            self.mark = Mark(row[0], None if row[1] is None else Position(row[1], row[2], row[3]))
            above = orjson.loads(row[4])
            self.counts.update(orjson.loads(row[5]))
        self._claims = RowClaims(self._connection)
        self.frontier = Frontier(self.mark, above)
        self.done_above = {seq for first, last in above for seq in range(first, last + 1)}

    def admit(self, rows: Sequence[Admission], *, moves_mark: bool) -> dict[int, Clash]:
        for row in rows if moves_mark else ():
            self.frontier.admit(row.seq, row.position)
        return self._claims.take(rows)

    def write(self, entries: Sequence[RowVerdict]) -> None:
        now, rows = self._clock(), []
        for one in entries:
            self.counts[one.word] += 1
            self.frontier.settle(one.seq)
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
        mark = self.frontier.advance()
        place = mark.position or (None, None, None)
        above, counts, vitals = (
            orjson.dumps(value).decode() for value in (self.frontier.above(), self.counts, self._vitals())
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoint (id, seq, file, place, number, above, counts, vitals)"
            " VALUES (0, ?, ?, ?, ?, ?, ?, ?)",
            (mark.seq, *place, above, counts, vitals),
        )

    def roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error, ValueError):
            self._load()


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
