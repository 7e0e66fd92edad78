"""The reservations of a budget: when the next request of each line may leave, for all processes of one machine.

A *line* is one class of requests, such as `requests` or `reports`. All times are of the machine's monotonic clock and
belong to one start of the machine (`boot_id`), so that neither a clock that is set nor a restart can stop the line.
What the file says is not believed beyond what the processes can have written.
"""

import contextlib
import math
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from bulkgladly.budget.presence import MOST_SEATS
from bulkgladly.storage.durable import touch_private
from bulkgladly.storage.failures import is_locked
from bulkgladly.storage.lock import Lock, LockHeld

__all__ = ("ForeignFile", "News", "Reservations", "is_damaged")

VERSION = 1
LONGEST_PAUSE_S = 300.0
"""A pause that is longer is not believed: the server's longest is five minutes."""
BUSY_S = 0.25
"""How long to wait for another process that writes; a transaction takes about 0.1 ms."""
LONGEST_PLACE_S = 3600.0
"""A place is free again after this time, whoever holds it."""
FULL_WAIT_S = 0.25
"""When to ask again for one of the places, all of which are taken."""

_MARK = 0x62676C79  # "bgly"
_KEPT_BOOTS = 8
_EARLY_S = 0.0002
_LEAST_EASE = 0.1
_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_TABLES = """
CREATE TABLE boots (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE lines (
    boot         INTEGER NOT NULL,
    name         TEXT NOT NULL,
    free_at      REAL NOT NULL DEFAULT 0,  -- when the next request may leave
    paused_until REAL NOT NULL DEFAULT 0,
    most         REAL,                     -- the limit that the server named last; NULL if none
    ease         REAL NOT NULL DEFAULT 1,  -- the share of the limit in use at eased_at, after a 429
    eased_at     REAL NOT NULL DEFAULT 0,
    told         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (boot, name)
) WITHOUT ROWID;
CREATE TABLE places (                      -- those of a line that is also limited in how many run at a time
    id    INTEGER PRIMARY KEY,
    boot  INTEGER NOT NULL,
    line  TEXT NOT NULL,
    seat  INTEGER NOT NULL,
    owner TEXT NOT NULL,
    since REAL NOT NULL
);
"""


class ForeignFile(Exception):
    """The file was not written by this version of the program. Nothing in it was changed."""


class News(NamedTuple):
    """What processes told each other about a line. The number grows with each message; times are of the same clock."""

    number: int = 0
    paused_until: float = -math.inf
    limit: int | None = None
    ease: float = 1.0
    eased_at: float = 0.0


class Reservations:
    """One SQLite file. A method may raise `sqlite3.Error`, `OSError` or `ForeignFile`; then nothing was changed.

    Use it from one thread at a time. Chapters: reserving, telling others, open and closed, and reading the rows.
    """

    def __init__(self, path: Path, boot: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Use the file at `path`; it is opened, or created, by the first call that needs it."""
        self.path = path
        self._boot_name, self._clock = boot, clock
        self._boot = 0
        self._file: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None

    # --- reserving ---

    def reserve(self, line: str, gap_s: float, n: int = 1) -> float:
        """Reserve the next `n` moments of a line, `gap_s` apart, and return when the first is: now, or later.

        A reservation costs nothing but its moments: whoever dies, or comes too late, leaves nothing to clean up.
        """
        with self._transaction() as connection:
            now = self._clock()
            at = self._free_at(connection, line, gap_s, now)
            self._advance(connection, line, at + n * gap_s)
        return at

    def enter(
        self, line: str, gap_s: float, *, places: int, seat: int, owner: str, held: Collection[int]
    ) -> tuple[bool, float]:
        """Take one of the `places` of a line if its next moment has come.

        `held` are the seats of living processes, the own one included. A seat that was taken over has another owner.

        Returns:
            Whether it was taken, and if not, when to ask again.
        """
        with self._transaction() as connection:
            now = self._clock()
            self._free_places(connection, now, seat=seat, owner=owner, held=held)
            find = "SELECT count(*) FROM places WHERE boot = ? AND line = ?"
            if connection.execute(find, (self._boot, line)).fetchone()[0] >= places:
                return False, now + FULL_WAIT_S
            at = self._free_at(connection, line, gap_s, now)
            if at > now + _EARLY_S:
                return False, at
            new = "INSERT INTO places (boot, line, seat, owner, since) VALUES (?, ?, ?, ?, ?)"
            connection.execute(new, (self._boot, line, seat, owner, now))
            self._advance(connection, line, at + gap_s)
        return True, now

    def leave(self, line: str, *, owner: str, number: int = 1) -> None:
        """Give back so many places of an owner."""
        chosen = "SELECT id FROM places WHERE boot = ? AND line = ? AND owner = ? LIMIT ?"
        with self._transaction() as connection:
            connection.execute(f"DELETE FROM places WHERE id IN ({chosen})", (self._boot, line, owner, number))  # noqa: S608 - no foreign text

    def _free_places(
        self, connection: sqlite3.Connection, now: float, *, seat: int, owner: str, held: Collection[int]
    ) -> None:
        rows = connection.execute("SELECT id, seat, owner, since FROM places WHERE boot = ?", (self._boot,)).fetchall()
        gone = [
            (number,)
            for number, its_seat, its_owner, since in rows
            if its_seat not in held
            or (its_seat == seat and its_owner != owner)
            or not now - LONGEST_PLACE_S <= _number(since, -math.inf) <= now
        ]
        connection.executemany("DELETE FROM places WHERE id = ?", gone)

    # --- telling others ---

    def tell(self, line: str, *, paused_for_s: float, limit: int | None, ease: float, seconds_ago: float = 0.0) -> None:
        """Tell all others of a pause that begins now, of the limit that the server names, and of the eased pace."""
        with self._transaction() as connection:
            now = self._clock()
            held = self._news(connection, line, now)
            until = max(held.paused_until, now + min(paused_for_s, LONGEST_PAUSE_S))
            connection.execute(
                "UPDATE lines SET paused_until = ?, most = coalesce(?, most), ease = ?, eased_at = ?, told = ?"
                " WHERE boot = ? AND name = ?",
                (max(0.0, until), limit, ease, now - seconds_ago, held.number + 1, self._boot, line),
            )

    def news(self, line: str) -> News:
        """Return what was told last."""
        return self._news(self._opened(), line, self._clock())

    # --- open and closed ---

    def try_to_write(self) -> None:
        """Write the file and change nothing: reading alone may work where writing does not, as on a full disk."""
        with self._transaction() as connection:
            # An update to the same value would write nothing.
            new = "INSERT INTO places (boot, line, seat, owner, since) VALUES (?, '', -1, '', 0)"
            made = connection.execute(new, (self._boot,)).lastrowid
            connection.execute("DELETE FROM places WHERE id = ?", (made,))

    def close(self) -> None:
        """Close the file. A later call opens it again."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def renew(self) -> None:
        """Move a damaged file aside, so that the next call makes a new one. It holds nothing that is worth repairing.

        Raises:
            OSError: It cannot be moved.
        """
        self.close()
        lock = Lock(self.path.with_suffix(".lock"))
        try:
            lock.take()
        except LockHeld:
            return
        try:
            # Another process may have done so already.
            if self._is_damaged_now():
                for suffix in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
                self.path.replace(self.path.with_suffix(".damaged"))
        finally:
            lock.release()

    def _is_damaged_now(self) -> bool:
        try:
            self._opened().execute("SELECT count(*) FROM lines, places").fetchone()
        except sqlite3.Error as error:
            return is_damaged(error)
        finally:
            self.close()
        return False

    def _opened(self) -> sqlite3.Connection:
        """Return the connection, on the file that has the name now: a cache may be deleted at any time."""
        if self._connection is not None and self._file == self._identity():
            return self._connection
        self.close()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        touch_private(self.path)
        self._file = self._identity()
        # Python's own transactions are switched off: ours begin with the lock.
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
        try:
            # Nothing here must survive a power failure, and a file that one damaged is renewed.
            connection.execute("PRAGMA synchronous=OFF")
            _write_ahead(connection)
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            about = self.path.lstat()
        except FileNotFoundError:
            return None
        return about.st_dev, about.st_ino

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version, mark = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
            )
            if (version, mark) == (0, 0) and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={VERSION}")
                connection.execute(f"PRAGMA application_id={_MARK}")
            elif (version, mark) != (VERSION, _MARK):
                raise ForeignFile("it was written by another version of bulkgladly; update the older one")
            self._boot = self._boot_number(connection)
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise

    def _boot_number(self, connection: sqlite3.Connection) -> int:
        """Return the number under which the times of this start of the machine are kept; older ones are forgotten."""
        connection.execute("INSERT OR IGNORE INTO boots (name) VALUES (?)", (self._boot_name,))
        number: int = connection.execute("SELECT id FROM boots WHERE name = ?", (self._boot_name,)).fetchone()[0]
        # A few stay: machines that share a home folder must not delete each other's lines.
        oldest = number - _KEPT_BOOTS
        for table, column in (("boots", "id"), ("lines", "boot"), ("places", "boot")):
            connection.execute(f"DELETE FROM {table} WHERE {column} <= ?", (oldest,))  # noqa: S608 - names of our own
        return number

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise

    # --- reading the rows, and what of them is believed ---

    def _free_at(self, connection: sqlite3.Connection, line: str, gap_s: float, now: float) -> float:
        """Return when the next request of a line may leave: at most as late as all processes can have put it."""
        start = max(now, self._news(connection, line, now).paused_until)
        found = connection.execute(
            "SELECT free_at FROM lines WHERE boot = ? AND name = ?", (self._boot, line)
        ).fetchone()
        free_at = _number(found[0], now)
        return max(start, free_at) if free_at <= start + MOST_SEATS * gap_s else start

    def _advance(self, connection: sqlite3.Connection, line: str, free_at: float) -> None:
        connection.execute("UPDATE lines SET free_at = ? WHERE boot = ? AND name = ?", (free_at, self._boot, line))

    def _news(self, connection: sqlite3.Connection, line: str, now: float) -> News:
        find = "SELECT told, paused_until, most, ease, eased_at FROM lines WHERE boot = ? AND name = ?"
        found = connection.execute(find, (self._boot, line)).fetchone()
        if found is None:
            connection.execute("INSERT OR IGNORE INTO lines (boot, name) VALUES (?, ?)", (self._boot, line))
            return News()
        told, until, most, ease, eased_at = (_number(value, 0.0) for value in found)
        is_paused = now < until <= now + LONGEST_PAUSE_S
        return News(
            int(told),
            until if is_paused else -math.inf,
            int(most) if most >= 1 else None,
            min(1.0, max(_LEAST_EASE, ease)),
            min(eased_at, now),
        )


def is_damaged(error: Exception) -> bool:
    """Tell whether SQLite says that the file is not a database, or not a whole one."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _DAMAGE


def _number(value: object, otherwise: float) -> float:
    """Return a number of the file, which may hold anything."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else otherwise


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL, and try again if another process does so at the same moment: SQLite does not wait for it."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
