"""The inbox of one organisation: what came in, and how far each of its readers is."""

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import anyio

from bulkgladly.errors import DiskFull, UsageError
from bulkgladly.inbox.arrivals import Arrival, Receipt
from bulkgladly.inbox.inbox_tables import INBOX, INBOX_VERSION
from bulkgladly.inbox.stored_events import InboxReader, inbox_path
from bulkgladly.journal.databases import open_durable
from bulkgladly.journal.writer import Writer
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import Lock, LockHeld

__all__ = ("DEDUPE_FOR", "DROPPED_UP_TO", "Inbox", "inbox_lock")

DEDUPE_FOR = dt.timedelta(hours=48)
"""How long the id of an event is kept, whatever else is dropped: the feed and the webhooks repeat it for a day."""
_WAIT_S = 5.0
"""How long a write waits for another process that holds the file: Gladly waits 15 s for its answer."""
_LOOK_S = 0.05
_HOST = "host"
DROPPED_UP_TO = "dropped_up_to"
"""The fact up to which number events were dropped: a reader that is not that far has missed some."""

T = TypeVar("T")
Span = tuple[dt.datetime, dt.datetime]


def inbox_lock(state_dir: Path) -> Path:
    """Return the lock that the process holds which receives into the inbox of a state directory."""
    return state_dir / "inbox.lock"


class Inbox:
    """Receives events, and remembers how far each of its readers is. One process at a time has it open.

    Reading (`reader`) is allowed in any process. Chapters: open and closed, what comes in, what has been done with
    it, and what is dropped. All writes raise `DiskFull`, `JournalDamaged` or `JournalError`, and have then changed
    nothing. A process that is killed leaves all that was confirmed, and nothing in part.
    """

    def __init__(self, state_dir: Path, host: str, *, wait_s: float = _WAIT_S) -> None:
        """Lock the inbox, and open it or create it. A write waits `wait_s` for another process that holds the file.

        Raises:
            UsageError: Another process receives into it, or it belongs to another organisation.
            DiskFull, JournalDamaged, JournalError: It cannot be used.
        """
        self.path = inbox_path(state_dir)
        self._lock = _locked(state_dir)
        try:
            self._connection = open_durable(self.path, INBOX, INBOX_VERSION, wait_s=wait_s)
            self._writer: Writer[None] = Writer(self.path, self._connection, outlives_errors=True)
        except BaseException:
            self._lock.release()
            raise
        self._reader: InboxReader | None = None
        self._arrived = anyio.Event()
        try:
            self._settle_host(host)
            self.reader = self._reader = InboxReader(self.path)
            self._last = self.reader.last_seq()
        except BaseException:
            self.close()
            raise

    def _settle_host(self, host: str) -> None:
        def settle() -> str:
            # Without an event or any other fact, the host has never answered: most likely it was mistyped.
            self._connection.execute(
                "DELETE FROM facts WHERE name = ? AND NOT EXISTS (SELECT 1 FROM events)"
                " AND (SELECT count(*) FROM facts) = 1",
                (_HOST,),
            )
            self._connection.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (_HOST, host))
            row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (_HOST,)).fetchone()
            return str(row[0])

        found = self._writer.ask_and_wait(settle)
        if found != host:
            raise UsageError(f"{self.path} holds events of {found}, not of {host}; choose another --state-dir")

    def close(self) -> None:
        """Finish what was asked for, close the file and release the lock. Calling it twice is allowed."""
        if self._reader is not None:
            self._reader.close()
        self._writer.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what comes in ---

    async def put(
        self, arrivals: Sequence[Arrival], *, facts: Mapping[str, str] | None = None, gap: Span | None = None
    ) -> Receipt:
        """Store arrivals, and facts about them, in one transaction, and return what became of them.

        `gap` is a time whose events cannot be had any more.

        When this returns, they survive a power failure. An event that is there already is not stored again. Cancelled,
        they may be stored all the same.
        """
        numbers: list[int] = await self._writer.ask(lambda: self._store(arrivals, facts or {}, gap))
        new, strange, last = numbers
        if new:
            self._last = max(self._last, last)
            self._wake()
        return Receipt(new, len(arrivals) - new, strange)

    def _store(self, arrivals: Sequence[Arrival], facts: Mapping[str, str], gap: Span | None) -> list[int]:
        new = strange = 0
        counts: dict[str, int] = {}
        for arrival in arrivals:
            found = self._connection.execute(
                "INSERT OR IGNORE INTO events (dedupe_id, type, time_ms, received_ms, via, why, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                arrival.row(),
            )
            word = arrival.via.value if found.rowcount else "seen_twice"
            counts[word] = counts.get(word, 0) + 1
            new += found.rowcount
            strange += found.rowcount and bool(arrival.why)
        if strange:
            counts["strange"] = strange
        self._count(counts)
        self._keep(facts)
        if gap is not None:
            self._connection.execute("INSERT OR IGNORE INTO gaps VALUES (?, ?, 0)", [time.isoformat() for time in gap])
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        return [new, strange, row[0] if row else 0]

    def _count(self, counts: Mapping[str, int]) -> None:
        self._connection.executemany(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET number = number + excluded.number",
            counts.items(),
        )

    def _keep(self, facts: Mapping[str, str]) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    @property
    def last_seq(self) -> int:
        """The number of the latest arrival that is on the disk; 0 if there never was one."""
        return self._last

    async def wait_beyond(self, seq: int) -> None:
        """Return when there is an arrival with a higher number than `seq`."""
        while self._last <= seq:
            await self._arrived.wait()

    def _wake(self) -> None:
        arrived, self._arrived = self._arrived, anyio.Event()
        arrived.set()

    # --- what has been done with it ---

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a question of another module of this room answers, once its changes are on the disk."""
        answer: T = await self._writer.ask(lambda: question(self._connection))
        return answer

    async def keep(self, **facts: str) -> None:
        """Keep values by name, in one transaction."""
        await self.ask(lambda _: self._keep(facts))

    async def count(self, **numbers: int) -> None:
        """Add to counters."""
        await self.ask(lambda _: self._count(numbers))

    async def begin_cursor(self, name: str, seq: int = 0, *, since: dt.datetime | None = None) -> int:
        """Return up to which number a reader is done; a reader that is new begins after `seq`.

        `since` is kept for a new one: what was recorded before is none of its business (`InboxReader.since_ms`).
        """
        since_ms = 0 if since is None else round(since.timestamp() * 1000)

        def begin(connection: sqlite3.Connection) -> int:
            connection.execute("INSERT OR IGNORE INTO cursors VALUES (?, ?, ?)", (name, seq, since_ms))
            return int(connection.execute("SELECT seq FROM cursors WHERE name = ?", (name,)).fetchone()[0])

        return await self.ask(begin)

    async def move_cursor(self, name: str, seq: int) -> None:
        """Note that a reader is done with all events up to a number. A cursor never moves back."""

        def move(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE cursors SET seq = MAX(seq, ?) WHERE name = ?", (seq, name))

        await self.ask(move)

    async def drop_cursor(self, name: str) -> None:
        """Forget a reader."""
        await self.ask(lambda connection: connection.execute("DELETE FROM cursors WHERE name = ?", (name,)) and None)

    async def land_gaps(self, gaps: Iterable[tuple[dt.datetime, dt.datetime]]) -> None:
        """Note that the data set says of these gaps, too."""
        rows = [(begins.isoformat(),) for begins, _ in gaps]
        await self.ask(
            lambda connection: connection.executemany("UPDATE gaps SET landed = 1 WHERE begins = ?", rows) and None
        )

    # --- what is dropped ---

    async def drop(self, before: dt.datetime, *, done_by: Sequence[str]) -> int:
        """Drop events that arrived before a time and that all of the named readers are done with; return how many.

        The ids of the last days stay (`DEDUPE_FOR`), so that a copy is still recognised.
        """
        return await self.ask(lambda connection: drop_events(connection, before, done_by=done_by))


def drop_events(connection: sqlite3.Connection, before: dt.datetime, *, done_by: Sequence[str]) -> int:
    """Drop events within the open transaction, as `Inbox.drop` does."""
    done = [
        row[0]
        for name in done_by
        if (row := connection.execute("SELECT seq FROM cursors WHERE name = ?", (name,)).fetchone())
    ]
    floor = min(done, default=1 << 62)
    now = dt.datetime.now(dt.UTC)
    before_ms, forget_ms = (round(time.timestamp() * 1000) for time in (before, min(before, now - DEDUPE_FOR)))
    rule = "seq <= ? AND received_ms < ?"
    last = connection.execute(
        f"SELECT MAX(seq) FROM events WHERE body IS NOT NULL AND {rule}",  # noqa: S608 - our own names
        (floor, before_ms),
    ).fetchone()[0]
    if last is not None:
        connection.execute(
            "INSERT INTO facts VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = MAX(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))",
            (DROPPED_UP_TO, str(last)),
        )
    emptied = connection.execute(
        f"UPDATE events SET body = NULL WHERE body IS NOT NULL AND {rule}",  # noqa: S608 - our own names
        (floor, before_ms),
    ).rowcount
    connection.execute(f"DELETE FROM events WHERE body IS NULL AND {rule}", (floor, forget_ms))  # noqa: S608 - our own names
    return emptied


def _locked(state_dir: Path) -> Lock:
    lock = Lock(inbox_lock(state_dir))
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.take(wait_s=_LOOK_S)
    except LockHeld as held:
        raise UsageError(
            f"process {held.holder} already receives events with {state_dir}; stop it, or choose another --state-dir"
        ) from held
    except OSError as error:
        if isinstance(ours := file_error(error, state_dir), DiskFull):
            raise ours from error
        raise UsageError(f"{state_dir} cannot be used: {error.strerror}; choose another --state-dir") from error
    return lock
