"""What a person does with an inbox, also beside the process that receives: how it is, and what is dropped."""

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bulkgladly.errors import UsageError
from bulkgladly.inbox.event_inbox import drop_events
from bulkgladly.inbox.inbox_tables import INBOX, INBOX_VERSION
from bulkgladly.inbox.sink_progress import failing_events, forget_reader
from bulkgladly.inbox.stored_events import InboxReader, inbox_path
from bulkgladly.journal.databases import open_durable
from bulkgladly.storage.failures import database_error

__all__ = ("Dropped", "InboxView", "ReaderView", "drop_beside", "view_of")

_WAIT_S = 30.0


class ReaderView(NamedTuple):
    """One reader of the inbox: what it has yet to do, and how many events it could not pass on so far."""

    name: str
    waiting: int
    failing: int
    reason: str


class InboxView(NamedTuple):
    """An inbox at one moment."""

    events: int
    bytes: int
    counters: dict[str, int]
    newest: dt.datetime | None
    readers: list[ReaderView]
    gaps: list[tuple[dt.datetime, dt.datetime]]


class Dropped(NamedTuple):
    """How many events were dropped, how many older ones are kept, and which readers still need those."""

    dropped: int
    kept: int
    needed_by: tuple[str, ...]


def view_of(reader: InboxReader) -> InboxView:
    """Return how an inbox is.

    Raises:
        JournalDamaged, JournalError: It cannot be read.
    """
    count, size = reader.size()
    readers = []
    for name, seq in reader.cursors().items():
        failing = failing_events(reader, name)
        done = reader.query("SELECT COUNT(*) FROM delivered WHERE reader = ? AND seq > ?", name, seq)[0][0]
        reason = failing[0].reason if failing else ""
        readers.append(ReaderView(name, max(0, reader.waiting(seq) - done), len(failing), reason))
    return InboxView(count, size, reader.counters(), reader.newest_time(), readers, reader.gaps())


def drop_beside(state_dir: Path, before: dt.datetime, *, forget: Sequence[str] = ()) -> Dropped:
    """Drop the events that arrived before a time and that all readers are done with, in one transaction.

    `forget` names readers that are not used any more; they are forgotten first. The process that receives goes on
    meanwhile: SQLite lets one of the two wait.

    Raises:
        UsageError: There is no such reader; nothing was changed.
        DiskFull, JournalDamaged, JournalError: The inbox cannot be used; nothing was changed.
    """
    path = inbox_path(state_dir)
    InboxReader(path).close()
    with contextlib.closing(open_durable(path, INBOX, INBOX_VERSION, wait_s=_WAIT_S)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            done = _drop(connection, before, forget)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise database_error(error, path) from error
    return done


def _drop(connection: sqlite3.Connection, before: dt.datetime, forget: Sequence[str]) -> Dropped:
    for name in forget:
        if not forget_reader(connection, name):
            names = [row[0] for row in connection.execute("SELECT name FROM cursors ORDER BY name")]
            raise UsageError(f"the inbox has no reader {name!r}; choose from: {', '.join(names) or 'there is none'}")
    cursors = dict(connection.execute("SELECT name, seq FROM cursors ORDER BY name"))
    dropped = drop_events(connection, before, done_by=list(cursors))
    row = (round(before.timestamp() * 1000),)
    sql = "SELECT COUNT(*), MAX(seq) FROM events WHERE body IS NOT NULL AND received_ms < ?"
    kept, last = connection.execute(sql, row).fetchone()
    return Dropped(dropped, kept, tuple(name for name, seq in cursors.items() if last is not None and seq < last))
