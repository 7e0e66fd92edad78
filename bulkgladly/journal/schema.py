"""The tables of a run's journal and of the state that outlives runs, and how both are opened."""

import contextlib
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from bulkgladly.errors import JournalDamaged, JournalError
from bulkgladly.storage.durable import touch_private
from bulkgladly.storage.failures import database_error, file_error, is_locked

__all__ = (
    "JOURNAL_VERSION",
    "insert_rows",
    "journal_version",
    "open_journal",
    "open_reader",
    "open_state",
    "reading",
    "scope_of",
)

JOURNAL_VERSION = 1
STATEMENT_ROWS = (64, 16, 4, 1)  # few sizes, so that every statement stays prepared
LOCK_WAIT_S = 60.0
_JOURNAL = """
CREATE TABLE IF NOT EXISTS intents (
    seq       INTEGER PRIMARY KEY,   -- ordinal of the row in the run, from 0
    operation TEXT NOT NULL,         -- what was about to leave
    gladly_id TEXT,
    at        REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS records (
    seq        INTEGER PRIMARY KEY,
    file       INTEGER NOT NULL,
    place      INTEGER NOT NULL,     -- byte offset, or row group
    number     INTEGER NOT NULL,     -- record or line of its file, from 1
    key        TEXT,                 -- source key
    word       TEXT NOT NULL,        -- outcome
    gladly_id  TEXT,
    stage      TEXT,
    status     INTEGER,
    code       TEXT,
    attr       TEXT,
    detail     TEXT,
    attempts   INTEGER NOT NULL,
    at         REAL NOT NULL,
    original   BLOB                  -- the row as read, for the rejects file
);
CREATE INDEX IF NOT EXISTS not_done ON records (seq) WHERE original IS NOT NULL;
CREATE TABLE IF NOT EXISTS claims (
    digest  INTEGER PRIMARY KEY,
    seq     INTEGER NOT NULL,
    content INTEGER NOT NULL,        -- hash of the payload of the row that holds the claim
    file    INTEGER NOT NULL,
    number  INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS checkpoint (
    id      INTEGER PRIMARY KEY CHECK (id = 0),
    seq     INTEGER NOT NULL,        -- low-water mark: all rows before it are settled
    file    INTEGER,
    place   INTEGER,
    number  INTEGER,
    above   TEXT NOT NULL,           -- settled ranges at and above the mark, JSON
    counts  TEXT NOT NULL,           -- outcomes so far, JSON
    vitals  TEXT NOT NULL            -- requests and waits so far, JSON
);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS units (   -- of an export: what was fetched and published
    data_set  TEXT NOT NULL,
    name      TEXT NOT NULL,
    state     TEXT NOT NULL,         -- done, unchanged, incomplete, gone, failed
    created   INTEGER NOT NULL,      -- rows, as are the next three
    updated   INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    detail    TEXT NOT NULL,
    at        REAL NOT NULL,
    PRIMARY KEY (data_set, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fetched ( -- answers that wait to be published together
    data_set TEXT NOT NULL,
    key      TEXT NOT NULL,          -- what was asked for
    status   INTEGER NOT NULL,
    body     BLOB NOT NULL,
    at       REAL NOT NULL,
    PRIMARY KEY (data_set, key)
);
"""

_STATE = """
CREATE TABLE IF NOT EXISTS scopes (
    id        INTEGER PRIMARY KEY,
    host      TEXT NOT NULL,
    resource  TEXT NOT NULL,
    namespace TEXT NOT NULL,
    UNIQUE (host, resource, namespace)
);
CREATE TABLE IF NOT EXISTS known (
    scope     INTEGER NOT NULL,
    key       TEXT NOT NULL,         -- source key
    gladly_id TEXT NOT NULL,
    accepted  TEXT NOT NULL,         -- fingerprint per field of what Gladly last accepted, JSON
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved ( -- keys in `known` without an id: who may have sent them
    scope   INTEGER NOT NULL,
    key     TEXT NOT NULL,
    run     TEXT NOT NULL,           -- the run whose request may have left
    for_run TEXT,                    -- the run that may send it again: a person has looked, and it was not sent
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
"""


def open_journal(journal: Path) -> sqlite3.Connection:
    """Open a run's journal for writing, or make it. Every commit is on the disk when it returns (`synchronous=FULL`).

    Its tables and its version come in one transaction: killed before, the version is 0.

    Raises:
        DiskFull: There is no room to make or to open it.
        JournalDamaged: Not a journal, or one written by a newer version.
        JournalError: It cannot be opened.
    """
    connection = _opened(journal)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-32000")
        # Claims touch pages all over: the later they are copied into the file, the more share a copy.
        connection.execute("PRAGMA wal_autocheckpoint=8000")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > JOURNAL_VERSION:
            raise JournalDamaged(f"{journal} was written by a newer version of bulkgladly; use that version")
        _make_tables(connection, _JOURNAL, version=JOURNAL_VERSION if version < JOURNAL_VERSION else None)
    except BaseException as error:
        connection.close()
        raise _as_ours(error, journal) from error
    return connection


def open_state(state: Path, *, is_synced: bool = False, wait_s: float = LOCK_WAIT_S) -> sqlite3.Connection:
    """Open what outlives runs, for writing, on a connection of its own.

    It is committed before the journal, so that whatever a journal has as settled is known
    here: one commit over both files is not one step in WAL mode. Unless `is_synced`, the
    last commits may be lost in a power failure; where ids are derived that costs requests
    later, and never makes a twin. Another writer is waited for up to `wait_s`.

    Raises:
        DiskFull, JournalDamaged, JournalError: The state cannot be used.
    """
    connection = _opened(state, wait_s)
    try:
        connection.execute(f"PRAGMA synchronous={'FULL' if is_synced else 'NORMAL'}")
        connection.execute("PRAGMA cache_size=-32000")
        _make_tables(connection, _STATE)
    except BaseException as error:
        connection.close()
        raise _as_ours(error, state) from error
    return connection


def _opened(path: Path, wait_s: float = LOCK_WAIT_S) -> sqlite3.Connection:
    connection = None
    try:
        touch_private(path)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise JournalError(f"{path} is not a regular file; put the file itself there, not a link to it")
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=wait_s)
        _write_ahead(connection, wait_s)
    except BaseException as error:
        if connection is not None:
            connection.close()
        raise _as_ours(error, path) from error
    return connection


def _write_ahead(connection: sqlite3.Connection, wait_s: float) -> None:
    """Switch to WAL. Two processes that do so at once get in each other's way, and SQLite waits for neither."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _make_tables(connection: sqlite3.Connection, script: str, *, version: int | None = None) -> None:
    """Make what is not there yet, with the version last: all of it, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    if version is not None:
        connection.execute(f"PRAGMA user_version={version}")
    connection.execute("COMMIT")


def journal_version(journal: Path) -> int:
    """Return the version of a journal: 0 where there is none, or one whose making was cut short.

    Raises:
        JournalDamaged, JournalError: It cannot be read.
    """
    try:
        if not journal.stat().st_size:
            return 0
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise file_error(error, journal) from error
    with _connected(journal) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def open_reader(journal: Path) -> sqlite3.Connection:
    """Open a journal for reading beside its writer.

    Raises:
        JournalDamaged: There is no journal, its making was cut short, or it cannot be read.
    """
    version = journal_version(journal)
    if version == 0:
        raise JournalDamaged(f"{journal} cannot be read: there is no journal, or it was never finished")
    if version > JOURNAL_VERSION:
        raise JournalDamaged(f"{journal} was written by a newer version of bulkgladly; use that version")
    try:
        return _connect_to_read(journal)
    except sqlite3.Error as error:
        raise database_error(error, journal) from error


@contextlib.contextmanager
def reading(journal: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal for reading, and close it; SQLite's errors meanwhile become ours.

    Raises:
        JournalDamaged: As `open_reader`, also where it turns out to be damaged further on.
    """
    connection = open_reader(journal)
    with contextlib.closing(connection), _ours(journal):
        yield connection


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with _ours(path), contextlib.closing(_connect_to_read(path)) as connection:
        yield connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)


@contextlib.contextmanager
def _ours(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise database_error(error, path) from error


def _as_ours(error: BaseException, path: Path) -> BaseException:
    return database_error(error, path) if isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError) else error


def insert_rows(connection: sqlite3.Connection, insert: str, rows: Sequence[Sequence[Any]]) -> int:
    """Insert rows, many by one statement, and return how many went in.

    Each statement gives the interpreter's lock away and waits to get it back, which beside
    a busy event loop costs more than the insert itself; `executemany` does so for each row.
    """
    inserted, at = 0, 0
    for size in STATEMENT_ROWS:
        while len(rows) - at >= size:
            part = rows[at : at + size]
            sql = _statement(insert, len(part[0]), size)
            inserted += connection.execute(sql, [value for row in part for value in row]).rowcount
            at += size
    return inserted


@lru_cache(maxsize=64)
def _statement(insert: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{insert} VALUES {', '.join([row] * rows)}"


def scope_of(connection: sqlite3.Connection, host: str, resource: str, namespace: str) -> int:
    """Return the number under which the state files what it knows of a resource of an organisation."""
    names = (host, resource, namespace)
    connection.execute("INSERT OR IGNORE INTO scopes (host, resource, namespace) VALUES (?, ?, ?)", names)
    row = connection.execute(
        "SELECT id FROM scopes WHERE host = ? AND resource = ? AND namespace = ?", names
    ).fetchone()
    return int(row[0])
