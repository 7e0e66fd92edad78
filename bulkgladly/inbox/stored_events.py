"""Events as the inbox gives them back, to its own process and to others."""

import contextlib
import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.errors import JournalError
from bulkgladly.inbox.inbox_tables import INBOX_VERSION
from bulkgladly.journal.databases import open_reader
from bulkgladly.storage.failures import database_error

__all__ = ("InboxReader", "StoredEvent", "inbox_path")

_COLUMNS = "seq, dedupe_id, type, time_ms, received_ms, via, why, body"


def inbox_path(state_dir: Path) -> Path:
    """Return where the inbox of a state directory is."""
    return state_dir / "inbox.sqlite"


class StoredEvent(NamedTuple):
    """One event of the inbox, or bytes that are not one: then `why` says so, and `type` is empty.

    `seq` orders events by arrival and is never used twice. `time` is Gladly's timestamp; when it arrived, if the
    event has none.
    """

    seq: int
    dedupe_id: str
    type: str
    time_ms: int
    received_ms: int
    via: str
    why: str
    body: bytes

    @property
    def time(self) -> dt.datetime:
        """When Gladly recorded it, in UTC."""
        return dt.datetime.fromtimestamp(self.time_ms / 1000, dt.UTC)

    def parsed(self) -> Mapping[str, Any]:
        """Return the event as an object; call it only if there is no `why`."""
        found: Mapping[str, Any] = orjson.loads(self.body)
        return found


class InboxReader:
    """Reads an inbox beside its writer, from any thread of any process. Close it after use.

    All methods raise `JournalDamaged` or `JournalError` if the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            JournalError: There is none.
        """
        if not path.exists():
            raise JournalError(f"{path} does not exist: nothing has been received with this --state-dir")
        self.path = path
        self._connection = open_reader(path, INBOX_VERSION)
        self._turn = threading.Lock()

    def close(self) -> None:
        """Close the file. Calling it twice is allowed."""
        # A thread whose caller was cancelled may still be reading: SQLite does not survive a close under it.
        with self._turn:
            self._connection.close()

    # --- events ---

    def after(self, seq: int, limit: int = 500) -> list[StoredEvent]:
        """Return the events that arrived after a number, in order of arrival, at most `limit`."""
        sql = f"SELECT {_COLUMNS} FROM events WHERE seq > ? AND body IS NOT NULL ORDER BY seq LIMIT ?"  # noqa: S608 - our own names
        return [StoredEvent(*row) for row in self._rows(sql, seq, limit)]

    def read_on(self, seq: int, limit: int = 500) -> tuple[list[StoredEvent], int]:
        """Return the events that arrived after a number, and up to which number there are no others.

        That is beyond the last of them if later ones were dropped, so that nobody waits for those.
        """
        # Before the events: what arrives in between is for the next call.
        last = self.last_seq()
        found = self.after(seq, limit)
        end = found[-1].seq if found else seq
        return found, end if len(found) >= limit else max(end, last)

    def since(self, time: dt.datetime) -> Iterator[StoredEvent]:
        """Yield the events that Gladly recorded at a time or later, in order of arrival, some hundreds at a time."""
        sql = (
            f"SELECT {_COLUMNS} FROM events WHERE seq > ? AND body IS NOT NULL AND time_ms >= ? ORDER BY seq LIMIT 500"  # noqa: S608 - our own names
        )
        begin, seq = round(time.timestamp() * 1000), 0
        while found := [StoredEvent(*row) for row in self._rows(sql, seq, begin)]:
            yield from found
            seq = found[-1].seq

    def these(self, seqs: Sequence[int]) -> list[StoredEvent]:
        """Return the events with these numbers, in their order of arrival. Those that were dropped are missing."""
        marks = ",".join("?" * len(seqs))
        sql = f"SELECT {_COLUMNS} FROM events WHERE seq IN ({marks}) AND body IS NOT NULL ORDER BY seq"  # noqa: S608 - our own names
        return [StoredEvent(*row) for row in self._rows(sql, *seqs)]

    def last_seq(self) -> int:
        """Return the number of the latest arrival; 0 if there never was one."""
        # Of the table that SQLite keeps: the events themselves may have been dropped.
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        return int(rows[0][0]) if rows else 0

    def newest_time(self) -> dt.datetime | None:
        """Return when Gladly recorded the newest event that is kept."""
        rows = self._rows("SELECT MAX(time_ms) FROM events WHERE why = ''")
        return dt.datetime.fromtimestamp(rows[0][0] / 1000, dt.UTC) if rows[0][0] is not None else None

    def newest_receipt(self) -> dt.datetime | None:
        """Return when the latest event that is kept arrived."""
        rows = self._rows("SELECT received_ms FROM events ORDER BY seq DESC LIMIT 1")
        return dt.datetime.fromtimestamp(rows[0][0] / 1000, dt.UTC) if rows else None

    # --- what is known about them ---

    def cursors(self) -> dict[str, int]:
        """Return up to which number each reader of the inbox is done."""
        return dict(self._rows("SELECT name, seq FROM cursors ORDER BY name"))

    def since_ms(self, name: str) -> int:
        """Return from when on events concern a reader of the inbox, in milliseconds since 1970; 0 for all."""
        rows = self._rows("SELECT since_ms FROM cursors WHERE name = ?", name)
        return int(rows[0][0]) if rows else 0

    def waiting(self, seq: int) -> int:
        """Return how many events arrived after a number."""
        return int(self._rows("SELECT COUNT(*) FROM events WHERE seq > ? AND body IS NOT NULL", seq)[0][0])

    def oldest_waiting(self, name: str) -> dt.datetime | None:
        """Return when the oldest event arrived that a reader of the inbox has not used yet; None if there is none."""
        sql = (
            "SELECT received_ms FROM events WHERE body IS NOT NULL AND seq > (SELECT seq FROM cursors WHERE name = ?)"
            " AND NOT EXISTS (SELECT 1 FROM delivered WHERE reader = ? AND delivered.seq = events.seq)"
            " ORDER BY seq LIMIT 1"
        )
        rows = self._rows(sql, name, name)
        return dt.datetime.fromtimestamp(rows[0][0] / 1000, dt.UTC) if rows else None

    def counters(self) -> dict[str, int]:
        """Return how many events ever arrived by each way, and how many were `seen_twice`, `filled` or `strange`."""
        return dict(self._rows("SELECT name, number FROM counters ORDER BY name"))

    def fact(self, name: str) -> str | None:
        """Return a value that was kept."""
        rows = self._rows("SELECT value FROM facts WHERE name = ?", name)
        return rows[0][0] if rows else None

    def dropped_up_to(self) -> int:
        """Return up to which number events were dropped; a reader that is not that far has missed some."""
        return int(self.fact("dropped_up_to") or 0)

    def gaps(self, *, landed: bool | None = None) -> list[tuple[dt.datetime, dt.datetime]]:
        """Return the times whose events cannot be had any more, oldest first; `landed` chooses some of them."""
        rows = self._rows("SELECT begins, ends, landed FROM gaps ORDER BY begins")
        return [
            (dt.datetime.fromisoformat(begins), dt.datetime.fromisoformat(ends))
            for begins, ends, is_landed in rows
            if landed is None or bool(is_landed) is landed
        ]

    def size(self) -> tuple[int, int]:
        """Return how many events are kept, and how many bytes of the file are in use."""
        count = self._rows("SELECT COUNT(*) FROM events WHERE body IS NOT NULL")[0][0]
        pages, free, each = (
            self._rows(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int(count), int((pages - free) * each)

    def arrival_at(self, share: float) -> dt.datetime | None:
        """Return before when this share of the kept events arrived; None if there are none."""
        count, _ = self.size()
        sql = "SELECT received_ms FROM events WHERE body IS NOT NULL ORDER BY seq LIMIT 1 OFFSET ?"
        rows = self._rows(sql, int(count * share))
        return dt.datetime.fromtimestamp((rows[0][0] + 1) / 1000, dt.UTC) if rows else None

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, for the other modules of this room."""
        return self._rows(sql, *values)

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._turn, self._ours():
            return self._connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise database_error(error, self.path) from error
