"""What the journals of all runs over rows share: where a resume begins, and how the rows have ended so far."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from bulkgladly.journal.positions import Frontier
from bulkgladly.journal.timeline import Sample, write_samples
from bulkgladly.journal.writer import Contents, Writer, earlier_vitals, write_note
from bulkgladly.records import Mark, Position

__all__ = ("Checkpoint", "RowJournal")

E = TypeVar("E")


class Checkpoint:
    """Where a resume begins, and how many rows have ended with which word; changed in the writer's thread only.

    `mark` is where this process has begun, `frontier` how far it has come.
    """

    def __init__(self, connection: sqlite3.Connection, vitals: Callable[[], Mapping[str, Any]]) -> None:
        """Read how far an earlier process has come. `vitals` is called at each `save`, and what it returns is kept.

        Raises:
            sqlite3.Error, ValueError, TypeError: The journal cannot be read.
        """
        self._connection, self._vitals = connection, vitals
        self.earlier_vitals = earlier_vitals(connection)
        self.load()

    def load(self) -> None:
        """Read it again, as it was at the last commit."""
        row = self._connection.execute("SELECT seq, file, place, number, above, counts FROM checkpoint").fetchone()
        self.counts: Counter[str] = Counter()
        self.mark, above = Mark(), []
        if row is not None:
            position = None if row[1] is None else Position(row[1], row[2], row[3])
            self.mark, above = Mark(row[0], position), orjson.loads(row[4])
            self.counts.update(orjson.loads(row[5]))
        self.frontier = Frontier(self.mark, above)
        self._done_above = {seq for first, last in above for seq in range(first, last + 1)}

    def wants(self, seq: int) -> bool:
        """Tell whether no earlier process has settled a row."""
        return seq >= self.mark.seq and seq not in self._done_above

    def save(self) -> None:
        """Write it, within the open transaction."""
        mark = self.frontier.advance()
        above, counts, vitals = (
            orjson.dumps(value).decode() for value in (self.frontier.above(), self.counts, self._vitals())
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoint (id, seq, file, place, number, above, counts, vitals)"
            " VALUES (0, ?, ?, ?, ?, ?, ?, ?)",
            (mark.seq, *(mark.position or (None, None, None)), above, counts, vitals),
        )


class RowJournal(Generic[E]):
    """The journal of a run over rows, as its session and its reader see it. What else it holds is the subclass's own.

    One thread writes, in groups; a process that dies leaves each commit whole.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, contents: Contents[E], checkpoint: Checkpoint
    ) -> None:
        """Begin to write on a connection, which belongs to the journal from now on. `path` is named in errors."""
        self.earlier_vitals: Mapping[str, Any] = checkpoint.earlier_vitals
        self._connection, self._checkpoint = connection, checkpoint
        self._writer = Writer(path, connection, contents)

    @property
    def mark(self) -> Mark:
        """Where this process begins to read: all rows before it are settled."""
        return self._checkpoint.mark

    @property
    def counts(self) -> Counter[str]:
        """How many rows have ended with which word."""
        return self._checkpoint.counts

    @property
    def frontier(self) -> Mark:
        """The low-water mark after the last commit."""
        return self._checkpoint.frontier.advance()

    def wants(self, seq: int) -> bool:
        """Tell whether this process still has to work on a row."""
        return self._checkpoint.wants(seq)

    def is_settled(self, seq: int) -> bool:
        """Tell whether a row has ended. Call `flush` before."""
        return self._checkpoint.frontier.is_settled(seq)

    async def flush(self) -> None:
        """Wait until everything settled so far is on the disk."""
        await self._writer.ask(lambda: None)

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
        """Commit what is left, end the thread and close the file. Blocks for one commit."""
        self._writer.close()
