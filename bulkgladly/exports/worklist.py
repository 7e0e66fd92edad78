"""What is still to be requested, one request for each key: the parents, minus what is known of them.

A million ids take a hundred megabytes as Python objects, so they are kept in a temporary SQLite
database: in memory while it is small, beyond that in a file without a name, which the system
removes with the process. Nothing here has to survive: it is rebuilt from the data set and from
the source of the ids.
"""

import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bulkgladly.storage.failures import database_error

__all__ = ("ParentToAsk", "ToAsk", "WorkList")

_TABLES = """
CREATE TABLE parents (
    number  INTEGER PRIMARY KEY,
    key     TEXT NOT NULL UNIQUE,
    asked   TEXT NOT NULL,
    changed INTEGER NOT NULL
);
CREATE TABLE known (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
"""
_ADD = (
    "INSERT INTO parents (key, asked, changed) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET changed = max(changed, excluded.changed)"
)
_KNOW = "INSERT INTO known VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET at = max(at, excluded.at)"
_TO_ASK = (
    "SELECT number, key, asked FROM parents LEFT JOIN known USING (key)"
    " WHERE number > ? AND (at IS NULL OR at < max(changed, ?)) ORDER BY number LIMIT ?"
)


_COUNT = "SELECT count(*) FROM parents LEFT JOIN known USING (key) WHERE at IS NULL OR at < max(changed, ?)"


class ParentToAsk(NamedTuple):
    """Something to request by. `key` is its name here, `asked` its name in the request.

    `changed` is the last moment at which it is known to have been active, in microseconds since
    1970; 0 if unknown.
    """

    key: str
    asked: str
    changed: int = 0


class ToAsk(NamedTuple):
    """One request to make."""

    key: str
    asked: str


class WorkList:
    """Keys in the order in which they first came, each once. Usable from any thread, one call at a time."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.executescript(_TABLES)
        self._lock = threading.Lock()
        self._is_closed = False

    def add(self, parents: Iterable[ParentToAsk]) -> None:
        """Add parents; if one comes again, the later change counts.

        Raises:
            DiskFull: There is no room for them.
        """
        self._fill(_ADD, parents)

    def know(self, answers: Iterable[tuple[str, int]]) -> None:
        """Add keys that have been answered, and when, in microseconds since 1970.

        Raises:
            DiskFull: There is no room for them.
        """
        self._fill(_KNOW, answers)

    def known_at(self, key: str) -> int | None:
        """Return when a key was last answered; None if never."""
        with self._lock:
            if self._is_closed:
                return None
            row = self._connection.execute("SELECT at FROM known WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def to_ask(self, *, floor: int = 0, size: int = 500) -> Iterator[list[ToAsk]]:
        """Yield keys that were never answered, have changed since, or were answered before `floor`.

        Keys that become known meanwhile may still come; none is yielded twice.
        """
        number = 0
        while True:
            with self._lock:
                rows = [] if self._is_closed else self._connection.execute(_TO_ASK, (number, floor, size)).fetchall()
            if not rows:
                return
            number = rows[-1][0]
            yield [ToAsk(key, asked) for _, key, asked in rows]

    def count_to_ask(self, *, floor: int = 0) -> int:
        """Return how many keys `to_ask` would yield now."""
        with self._lock:
            if self._is_closed:
                return 0
            count: int = self._connection.execute(_COUNT, (floor,)).fetchone()[0]
        return count

    def __len__(self) -> int:
        with self._lock:
            if self._is_closed:
                return 0
            count: int = self._connection.execute("SELECT count(*) FROM parents").fetchone()[0]
        return count

    def close(self) -> None:
        """Release everything. It is then empty and ignores additions, since a stopping run still settles units."""
        with self._lock:
            self._is_closed = True
            self._connection.close()

    def _fill(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._lock:
            if self._is_closed:
                return
            try:
                self._connection.execute("BEGIN")
                self._connection.executemany(statement, rows)
                self._connection.execute("COMMIT")
            except BaseException as error:
                # Also if the rows broke off: they come from a file that is read meanwhile.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise database_error(error, Path(tempfile.gettempdir(), "worklist")) from error
                raise
