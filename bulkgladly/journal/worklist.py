"""What is still to be asked, one request for each key: parents against what is known of them.

A million ids need a hundred megabytes as Python objects, so they lie in a temporary SQLite
database: it is in memory while it is small, beyond that in a file without a name, which the
system removes with the process. Nothing here has to survive: it is made anew from the data
set and from where the ids come from.
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


class ParentToAsk(NamedTuple):
    """Something to ask about. `key` names it for us, `asked` is what the request says.

    `changed` is the last moment of which we know that it was active, in microseconds since
    1970; 0 where nothing tells.
    """

    key: str
    asked: str
    changed: int = 0


class ToAsk(NamedTuple):
    """One request that is to be made."""

    key: str
    asked: str


class WorkList:
    """Keys in the order in which they came first, each once. Usable from any thread, one call at a time."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.executescript(_TABLES)
        self._lock = threading.Lock()
        self._is_closed = False

    def add(self, parents: Iterable[ParentToAsk]) -> None:
        """Take parents; of one that comes again the later change counts.

        Raises:
            DiskFull: There is no room for so many.
        """
        self._fill(_ADD, parents)

    def know(self, answers: Iterable[tuple[str, int]]) -> None:
        """Take keys that have been answered, and when, in microseconds since 1970.

        Raises:
            DiskFull: There is no room for so many.
        """
        self._fill(_KNOW, answers)

    def known_at(self, key: str) -> int | None:
        """Return when a key was answered last; None if never."""
        with self._lock:
            if self._is_closed:
                return None
            row = self._connection.execute("SELECT at FROM known WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def to_ask(self, *, floor: int = 0, size: int = 500) -> Iterator[list[ToAsk]]:
        """Yield what was never answered, or has changed since; also what was answered before `floor`.

        Keys that become known meanwhile may still come; those that were yielded do not come again.
        """
        number = 0
        while True:
            with self._lock:
                rows = [] if self._is_closed else self._connection.execute(_TO_ASK, (number, floor, size)).fetchall()
            if not rows:
                return
            number = rows[-1][0]
            yield [ToAsk(key, asked) for _, key, asked in rows]

    def __len__(self) -> int:
        with self._lock:
            if self._is_closed:
                return 0
            count: int = self._connection.execute("SELECT count(*) FROM parents").fetchone()[0]
        return count

    def close(self) -> None:
        """Give everything back. From then on it is empty and takes nothing: a run that is cut short still settles."""
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
                # Also where the rows broke off: they come from a file that is read meanwhile.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise database_error(error, Path(tempfile.gettempdir(), "worklist")) from error
                raise
