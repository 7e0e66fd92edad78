"""What a reader that passes events on has done, although they leave in another order than they arrived.

Its cursor is the number up to which all events are done. Those above it that have left already are in `delivered`, so
that a kill forgets none and repeats at most the batch under way. `newest_left` says which events come late, `failing`
for how long an event has been refused.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bulkgladly.inbox.event_inbox import DEDUPE_FOR, Inbox
from bulkgladly.inbox.stored_events import InboxReader

__all__ = (
    "Failing",
    "Left",
    "begin_sink_cursor",
    "failing_events",
    "forget_reader",
    "left_between",
    "newest_left",
    "note_failures",
    "note_left",
    "prune_newest",
)

_AT_ONCE = 500
_TABLES = ("delivered", "newest_left", "failing")


class Left(NamedTuple):
    """An event that has left: its number, what it is about (empty if that does not matter), and its time."""

    seq: int
    key: str
    time_ms: int


class Failing(NamedTuple):
    """An event that a sink has not taken yet: how often it was tried, for how many seconds, and why it failed last."""

    seq: int
    attempts: int
    failed_s: float
    reason: str


async def begin_sink_cursor(
    inbox: Inbox, reader: str, *, after: int | None = None, since: dt.datetime | None = None
) -> int:
    """Return up to which number a reader is done. One that is new begins after `after`; None for what arrives later.

    What was recorded before `since` does not concern a new one, also if it arrives later.
    """
    return await inbox.begin_cursor(reader, inbox.last_seq if after is None else after, since=since)


async def prune_newest(inbox: Inbox, reader: str) -> None:
    """Forget what is only needed to recognise late events and is too old for that: nothing older arrives any more."""
    before_ms = round((dt.datetime.now(dt.UTC) - DEDUPE_FOR).timestamp() * 1000)

    def prune(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM newest_left WHERE reader = ? AND time_ms < ?", (reader, before_ms))

    await inbox.ask(prune)


async def note_left(inbox: Inbox, reader: str, left: Sequence[Left], *, done_up_to: int) -> None:
    """Note that events have left, and that all up to a number are done, in one transaction."""

    def note(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE cursors SET seq = MAX(seq, ?) WHERE name = ?", (done_up_to, reader))
        connection.executemany(
            "INSERT OR IGNORE INTO delivered VALUES (?, ?)", ((reader, one.seq) for one in left if one.seq > done_up_to)
        )
        connection.execute("DELETE FROM delivered WHERE reader = ? AND seq <= ?", (reader, done_up_to))
        connection.executemany("DELETE FROM failing WHERE reader = ? AND seq = ?", ((reader, one.seq) for one in left))
        connection.executemany(
            "INSERT INTO newest_left VALUES (?, ?, ?) "
            "ON CONFLICT (reader, key) DO UPDATE SET time_ms = MAX(time_ms, excluded.time_ms)",
            ((reader, one.key, one.time_ms) for one in left if one.key),
        )

    await inbox.ask(note)


async def note_failures(inbox: Inbox, reader: str, failures: Iterable[Failing]) -> None:
    """Note how events fail, so that the time adds up over restarts."""
    rows = [(reader, *one) for one in failures]
    await inbox.ask(
        lambda connection: (
            connection.executemany("INSERT OR REPLACE INTO failing VALUES (?, ?, ?, ?, ?)", rows) and None
        )
    )


def left_between(inbox: InboxReader, reader: str, first: int, last: int) -> set[int]:
    """Return which of the events from one number to another have left already."""
    sql = "SELECT seq FROM delivered WHERE reader = ? AND seq BETWEEN ? AND ?"
    return {row[0] for row in inbox.query(sql, reader, first, last)}


def newest_left(inbox: InboxReader, reader: str, keys: Iterable[str]) -> dict[str, int]:
    """Return the newest time that has left, by what the events are about."""
    wanted = sorted({key for key in keys if key})
    found: dict[str, int] = {}
    for begin in range(0, len(wanted), _AT_ONCE):
        part = wanted[begin : begin + _AT_ONCE]
        marks = ",".join("?" * len(part))
        sql = f"SELECT key, time_ms FROM newest_left WHERE reader = ? AND key IN ({marks})"  # noqa: S608 - marks only
        found.update(inbox.query(sql, reader, *part))
    return found


def failing_events(inbox: InboxReader, reader: str) -> list[Failing]:
    """Return the events that a reader could not pass on, in order of arrival."""
    sql = "SELECT seq, attempts, failed_s, reason FROM failing WHERE reader = ? ORDER BY seq"
    return [Failing(*row) for row in inbox.query(sql, reader)]


def forget_reader(connection: sqlite3.Connection, reader: str) -> bool:
    """Forget a reader and all that it has done, within the open transaction; tell whether there was one."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE reader = ?", (reader,))  # noqa: S608 - our own names
    return connection.execute("DELETE FROM cursors WHERE name = ?", (reader,)).rowcount > 0
