"""The tables of the inbox."""

__all__ = ("INBOX", "INBOX_VERSION")

INBOX_VERSION = 1
INBOX = """
CREATE TABLE IF NOT EXISTS events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of arrival; never given twice
    dedupe_id   TEXT NOT NULL UNIQUE,
    type        TEXT NOT NULL,         -- empty if the bytes are not an event
    time_ms     INTEGER NOT NULL,      -- when Gladly recorded it; when it arrived if it does not say
    received_ms INTEGER NOT NULL,
    via         TEXT NOT NULL,         -- webhook, feed or jobs
    why         TEXT NOT NULL,         -- why the bytes are not an event; empty if they are one
    body        BLOB                   -- the bytes as they came; NULL once they were dropped
);
CREATE INDEX IF NOT EXISTS by_time ON events (time_ms);
CREATE TABLE IF NOT EXISTS cursors (
    name TEXT PRIMARY KEY,             -- who: the data set, a sink, the rules
    seq  INTEGER NOT NULL              -- all events up to this one are done
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gaps (      -- times whose events cannot be had any more
    begins TEXT PRIMARY KEY,
    ends   TEXT NOT NULL,
    landed INTEGER NOT NULL            -- 1 once the data set says so as well
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivered ( -- events that left out of the order of arrival, above the cursor of a reader
    reader TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (reader, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newest_left ( -- the newest time that left, for each object that events are about
    reader  TEXT NOT NULL,
    key     TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    PRIMARY KEY (reader, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failing (   -- events that a sink has not taken yet
    reader   TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    failed_s REAL NOT NULL,            -- for how long, in all processes that tried
    reason   TEXT NOT NULL,
    PRIMARY KEY (reader, seq)
) WITHOUT ROWID;
"""
