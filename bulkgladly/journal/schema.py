"""The tables of a run's journal and of the state that outlives runs, and how both are opened."""

import os
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from bulkgladly.errors import BulkgladlyError, DiskFull, JournalDamaged

__all__ = (
    "JOURNAL_VERSION",
    "insert_rows",
    "journal_error",
    "open_journal",
    "open_reader",
    "open_state",
    "scope_of",
    "touch_private",
)

JOURNAL_VERSION = 1
STATEMENT_ROWS = (64, 16, 4, 1)  # few sizes, so that every statement stays prepared

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
"""


def touch_private(path: Path) -> None:
    """Make an empty file that only its owner can read, unless it exists."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def open_journal(journal: Path) -> sqlite3.Connection:
    """Open a run's journal for writing. Every commit is on the disk when it returns (`synchronous=FULL`).

    Raises:
        JournalDamaged: Not a journal, or one written by a newer version.
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
        connection.executescript(_JOURNAL)
        connection.execute(f"PRAGMA user_version={JOURNAL_VERSION}")
    except JournalDamaged:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise JournalDamaged(f"{journal} cannot be used: {error}") from error
    return connection


def open_state(state: Path, *, is_synced: bool = False) -> sqlite3.Connection:
    """Open what outlives runs, for writing, on a connection of its own.

    It is committed before the journal, so that whatever a journal has as settled is known
    here: one commit over both files is not one step in WAL mode. Unless `is_synced`, the
    last commits may be lost in a power failure; where ids are derived that costs requests
    later, and never makes a twin.

    Raises:
        JournalDamaged: The state cannot be used.
    """
    connection = _opened(state)
    try:
        connection.execute(f"PRAGMA synchronous={'FULL' if is_synced else 'NORMAL'}")
        connection.execute("PRAGMA cache_size=-32000")
        connection.executescript(_STATE)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise JournalDamaged(f"{state} cannot be used: {error}") from error
    return connection


def _opened(path: Path) -> sqlite3.Connection:
    touch_private(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise JournalDamaged(f"{path} cannot be used: {error}") from error
    return connection


def open_reader(journal: Path) -> sqlite3.Connection:
    """Open a journal for reading beside its writer.

    Raises:
        JournalDamaged: There is no journal, or it cannot be read.
    """
    connection = None
    try:
        connection = sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        connection.execute("SELECT 1 FROM records LIMIT 1")
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        raise JournalDamaged(f"{journal} cannot be read: {error}") from error
    return connection


def journal_error(error: Exception) -> BulkgladlyError:
    """Return an error met while writing a journal as one of ours."""
    if isinstance(error, BulkgladlyError):
        return error
    if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
        return DiskFull("no room left for the journal; make room, then resume")
    return JournalDamaged(f"the journal could not be written: {error}")


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
