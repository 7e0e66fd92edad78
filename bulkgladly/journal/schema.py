"""The tables of a run's journal and of the state, which outlives runs: creating them, and inserting many rows."""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

__all__ = ("JOURNAL", "JOURNAL_VERSION", "STATE", "insert_rows", "make_tables")

JOURNAL_VERSION = 2
"""2: nothing but its writer keeps a claim from being in the table twice, of which version 1 knows nothing."""
STATEMENT_ROWS = (64, 16, 4, 1)  # few sizes, so that every statement stays prepared
JOURNAL = """
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
CREATE TABLE IF NOT EXISTS writes (    -- what requests changed in Gladly, or were about to
    seq       INTEGER NOT NULL,
    nth       INTEGER NOT NULL,      -- of the writes of this record, from 1; those that were refused are removed
    operation TEXT NOT NULL,         -- updateCustomer
    action    TEXT NOT NULL,         -- create, update, delete
    gladly_id TEXT,
    before    TEXT,                  -- JSON of what Gladly held, as read just before; NULL if nobody read it
    after     TEXT,                  -- JSON of the fields that were written, or of the part that was removed
    at        REAL NOT NULL,         -- when it was about to leave
    -- With rowids: without them, each row of more than a quarter of a page takes a page of its own, twice the space.
    PRIMARY KEY (seq, nth)
);
CREATE TABLE IF NOT EXISTS trails (    -- the requests of a record, since the process that ended it began with it
    seq      INTEGER PRIMARY KEY,
    requests TEXT NOT NULL           -- JSON: [operation, status, [codes], attempts, at, meaning] of each; no values
);
CREATE TABLE IF NOT EXISTS turns (     -- in which order of all runs that share the state a record took its request
    seq  INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS dropped (   -- values that records were sent without
    seq    INTEGER NOT NULL,
    nth    INTEGER NOT NULL,         -- of the values of this row, from 1
    field  TEXT NOT NULL,            -- Gladly's
    name   TEXT NOT NULL,            -- the column, as the user knows it
    code   TEXT NOT NULL,
    detail TEXT NOT NULL,
    value  TEXT NOT NULL,            -- masked, unless the user wants to see it
    PRIMARY KEY (seq, nth)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (   -- each digest once; it gets an index when that is needed
    digest  INTEGER NOT NULL,
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
CREATE TABLE IF NOT EXISTS timeline ( -- how the run went: what its sessions did in spans of time
    nth       INTEGER PRIMARY KEY,
    session   INTEGER NOT NULL,      -- from 1
    at        REAL NOT NULL,         -- begin, by this machine's clock
    seconds   REAL NOT NULL,
    requests  INTEGER NOT NULL,
    throttled INTEGER NOT NULL,
    peak      REAL NOT NULL,         -- most requests in a second
    allowed   REAL,                  -- how many requests the pace would have let out; NULL without a limit
    waits     TEXT NOT NULL,         -- seconds by reason, JSON
    counts    TEXT NOT NULL          -- items by outcome, JSON
);
"""

STATE = """
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
CREATE TABLE IF NOT EXISTS made (     -- which of `known` imports have created, and not found in Gladly
    scope     INTEGER NOT NULL,
    key       TEXT NOT NULL,
    gladly_id TEXT NOT NULL,         -- the id in the create; the key may stand for another object since, by a merge
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (     -- which of `known` were missing, and a deletion has kept
    scope     INTEGER NOT NULL,
    key       TEXT NOT NULL,
    gladly_id TEXT NOT NULL,
    accepted  TEXT NOT NULL,         -- as in `known` at that time: if it is sent again, it is not kept any more
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved ( -- keys in `known` without an id: who may have sent them
    scope   INTEGER NOT NULL,
    key     TEXT NOT NULL,
    run     TEXT NOT NULL,           -- the run whose request may have left
    for_run TEXT,                    -- the run that may send it again: a person has looked, and it was not sent
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS turns (    -- how many commits the runs that share this state have made
    id   INTEGER PRIMARY KEY CHECK (id = 0),
    turn INTEGER NOT NULL            -- the last one, after a number of this state
);
CREATE TABLE IF NOT EXISTS organisations ( -- which organisation a host has turned out to be
    host TEXT PRIMARY KEY,
    id   TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejects (  -- rejects that were reported; all are hashes
    scope     INTEGER NOT NULL,
    row       INTEGER NOT NULL,      -- its key, or the content of a row without one
    reason    INTEGER NOT NULL,      -- code and field
    first_run INTEGER NOT NULL,      -- the run in which it is new
    last_run  INTEGER NOT NULL,
    source    INTEGER NOT NULL,      -- the input files of the last run, 0 if they were its own copies
    at        INTEGER NOT NULL,      -- when it was reported last, in seconds since 1970
    PRIMARY KEY (scope, row, reason)
) WITHOUT ROWID;
"""


def make_tables(connection: sqlite3.Connection, script: str, *, version: int | None = None) -> None:
    """Create the tables that do not exist yet, with the version last: all of it, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    if version is not None:
        connection.execute(f"PRAGMA user_version={version}")
    connection.execute("COMMIT")


def insert_rows(connection: sqlite3.Connection, insert: str, rows: Sequence[Sequence[Any]]) -> int:
    """Insert rows, many with one statement, and return how many were inserted.

    Each statement releases the interpreter's lock and waits to get it back, which beside
    a busy event loop costs more than the insert itself; `executemany` does so for each row.
    """
    inserted, at = 0, 0
    for size in STATEMENT_ROWS:
        while len(rows) - at >= size:
            part = rows[at : at + size]
            sql = _statement(insert, len(part[0]), size)
            inserted += connection.execute(sql, list(chain.from_iterable(part))).rowcount
            at += size
    return inserted


@lru_cache(maxsize=64)
def _statement(insert: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{insert} VALUES {', '.join([row] * rows)}"
