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
    seq  INTEGER NOT NULL,             -- all events up to this one are done
    since_ms INTEGER NOT NULL          -- events recorded before this time are none of its business
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gaps (      -- times whose events cannot be had any more
    begins TEXT PRIMARY KEY,
    ends   TEXT NOT NULL,
    landed INTEGER NOT NULL            -- 1 once the data set says so as well
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule_done (  -- which events a rule has taken in; each is taken in once
    rule     TEXT NOT NULL,
    event_id TEXT NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (rule, event_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule_waits ( -- timers, and events that are counted
    rule     TEXT NOT NULL,
    event_id TEXT NOT NULL,
    key      TEXT NOT NULL,            -- the contact, conversation, ... that the event is about
    kind     TEXT NOT NULL,            -- after (a timer), count (not looked at yet), seen (looked at, still counts)
    time_ms  INTEGER NOT NULL,         -- when Gladly recorded the event
    due_ms   INTEGER NOT NULL,         -- until when events can cancel a timer
    look_ms  INTEGER NOT NULL,         -- when it is looked at next
    lineage  TEXT NOT NULL,            -- the rules whose actions led to the event, and this one, comma-separated
    document BLOB NOT NULL,            -- the event and what was fetched for it, JSON
    PRIMARY KEY (rule, event_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waits_by_look ON rule_waits (look_ms, time_ms);
CREATE INDEX IF NOT EXISTS waits_by_key ON rule_waits (rule, key, time_ms);
CREATE TABLE IF NOT EXISTS rule_marks ( -- events that cancel timers, for a timer that begins out of order
    rule     TEXT NOT NULL,
    event_id TEXT NOT NULL,
    key      TEXT NOT NULL,
    time_ms  INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (rule, event_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_by_key ON rule_marks (rule, key, time_ms);
CREATE TABLE IF NOT EXISTS rule_actions ( -- what is to be done, until it is done
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    rule     TEXT NOT NULL,
    event_id TEXT NOT NULL,
    number   INTEGER NOT NULL,         -- which of the rule's actions, from 1
    target   TEXT NOT NULL,            -- the sink, or gladly
    key      TEXT NOT NULL,
    why      TEXT NOT NULL,
    lineage  TEXT NOT NULL,
    fired_ms INTEGER NOT NULL,
    begun_ms INTEGER,                  -- when a request of it may first have left
    tries    INTEGER NOT NULL,
    next_ms  INTEGER NOT NULL,         -- when it is tried next
    row      BLOB,                     -- the row of an import, filled in once, JSON
    document BLOB NOT NULL,
    UNIQUE (rule, event_id, number)
);
CREATE INDEX IF NOT EXISTS actions_by_target ON rule_actions (target, next_ms);
CREATE TABLE IF NOT EXISTS rule_effects ( -- what actions have touched, to know the events that they cause
    object_id TEXT NOT NULL,
    action    INTEGER NOT NULL,
    lineage   TEXT NOT NULL,
    from_ms   INTEGER NOT NULL,
    until_ms  INTEGER NOT NULL,
    PRIMARY KEY (object_id, action)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule_hours ( -- how often each rule has fired within an hour
    rule  TEXT NOT NULL,
    hour  INTEGER NOT NULL,
    fired INTEGER NOT NULL,
    PRIMARY KEY (rule, hour)
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
