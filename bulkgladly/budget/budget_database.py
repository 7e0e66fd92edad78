"""The SQLite file of a budget: made when it is needed, renewed when it is damaged, left alone when it is foreign."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bulkgladly.storage.durable import touch_private
from bulkgladly.storage.lock import Lock, LockHeld
from bulkgladly.storage.write_ahead import write_ahead

__all__ = ("BudgetDatabase", "ForeignFile", "is_damaged")

VERSION = 1
BUSY_S = 0.25
"""How long to wait for another process that writes; a transaction takes about 0.1 ms."""

_MARK = 0x62676C79  # "bgly"
_KEPT_BOOTS = 8
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


class BudgetDatabase:
    """One SQLite file. Each use finds the file that has the name at that moment. Use it from one thread at a time.

    A process that is stopped within a transaction, of about 0.1 ms, holds the others up until it continues: they go
    on with a fixed share meanwhile.
    """

    def __init__(self, path: Path, boot: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Use the file at `path`; it is opened, or created, by the first call that needs it."""
        self.path = path
        self._boot_name, self.clock = boot, clock
        self.boot = 0
        self._file: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None

    def try_to_write(self) -> None:
        """Write the file and change nothing: reading alone may work where writing does not, as on a full disk."""
        with self.transaction() as connection:
            # An update to the same value would write nothing.
            new = "INSERT INTO places (boot, line, seat, owner, since) VALUES (?, '', -1, '', 0)"
            made = connection.execute(new, (self.boot,)).lastrowid
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
            self.opened().execute("SELECT count(*) FROM lines, places").fetchone()
        except sqlite3.Error as error:
            return is_damaged(error)
        finally:
            self.close()
        return False

    def opened(self) -> sqlite3.Connection:
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
            write_ahead(connection, BUSY_S)
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
            self.boot = self._boot_number(connection)
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
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's lock for a block, whose changes all happen, or none.

        Raises:
            sqlite3.Error, OSError, ForeignFile: Nothing was changed.
        """
        connection = self.opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise


def is_damaged(error: Exception) -> bool:
    """Tell whether SQLite says that the file is not a database, or not a whole one."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _DAMAGE


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
