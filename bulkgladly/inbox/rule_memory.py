"""What the rules remember: timers, counted events, and actions that are to be done. Rows of the inbox.

All methods work within the open transaction of the connection, so that a change of the memory and the cursor of the
rules are one step: `Inbox.ask` gives both.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bulkgladly.inbox.event_inbox import DEDUPE_FOR
from bulkgladly.inbox.inbox_tables import INBOX, INBOX_VERSION
from bulkgladly.journal.schema import make_tables

__all__ = ("RULES_CURSOR", "QueuedAction", "RuleMemory", "RuleWait", "forgetful_memory")

RULES_CURSOR = "rules"
"""The name of the cursor of the rules."""
_WAIT = "rule, event_id, key, kind, time_ms, due_ms, look_ms, lineage, document"
_ACTION = "id, rule, event_id, number, target, key, why, lineage, fired_ms, begun_ms, tries, next_ms, row, document"
_HOUR_MS = 3_600_000


class RuleWait(NamedTuple):
    """A timer (`kind` is after), or an event that is counted (count before it was looked at, then seen).

    Times are milliseconds since 1970. An event until `due_ms` can cancel a timer; it is looked at at `look_ms`.
    """

    rule: str
    event_id: str
    key: str
    kind: str
    time_ms: int
    due_ms: int
    look_ms: int
    lineage: str
    document: bytes


class QueuedAction(NamedTuple):
    """One action of a rule that has fired, until it is done. `begun_ms` is when it may first have left."""

    id: int
    rule: str
    event_id: str
    number: int
    target: str
    key: str
    why: str
    lineage: str
    fired_ms: int
    begun_ms: int | None
    tries: int
    next_ms: int
    row: bytes | None
    document: bytes

    @property
    def name(self) -> str:
        """What identifies it for ever, also for a receiver."""
        return f"{self.rule}:{self.event_id}" + (f":{self.number}" if self.number > 1 else "")


class RuleMemory:
    """The memory of the rules, on a connection whose transaction is open.

    Chapters: events, timers and counts, what cancels them, actions, what they have caused, and forgetting.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # --- events ---

    def takes_in(self, rule: str, event_id: str, now_ms: int) -> bool:
        """Note that a rule takes an event in, and tell whether it is the first time."""
        row = (rule, event_id, now_ms)
        return self._connection.execute("INSERT OR IGNORE INTO rule_done VALUES (?, ?, ?)", row).rowcount > 0

    def move(self, seq: int) -> None:
        """Note that the rules have taken in all events up to a number."""
        self._connection.execute("UPDATE cursors SET seq = MAX(seq, ?) WHERE name = ?", (seq, RULES_CURSOR))

    # --- timers and counts ---

    def add_wait(self, wait: RuleWait) -> None:
        """Add a timer, or an event to count."""
        self._connection.execute("INSERT OR IGNORE INTO rule_waits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", wait)

    def first_due(self, now_ms: int) -> RuleWait | None:
        """Return what is to be looked at first by now."""
        sql = f"SELECT {_WAIT} FROM rule_waits WHERE look_ms <= ? ORDER BY look_ms, time_ms, event_id LIMIT 1"  # noqa: S608 - our own names
        row = self._connection.execute(sql, (now_ms,)).fetchone()
        return RuleWait(*row) if row else None

    def next_look(self) -> int | None:
        """Return when something is to be looked at next."""
        row = self._connection.execute("SELECT MIN(look_ms) FROM rule_waits").fetchone()
        return None if row[0] is None else int(row[0])

    def drop_wait(self, wait: RuleWait) -> None:
        """Drop a timer, or an event that was counted."""
        self._connection.execute("DELETE FROM rule_waits WHERE rule = ? AND event_id = ?", (wait.rule, wait.event_id))

    def drop_timers(self, rule: str, key: str, begin_ms: int, end_ms: int) -> None:
        """Drop the timers of a key that began within a time."""
        self._connection.execute(
            "DELETE FROM rule_waits WHERE rule = ? AND key = ? AND kind = 'after' AND time_ms BETWEEN ? AND ?",
            (rule, key, begin_ms, end_ms),
        )

    def counted(self, wait: RuleWait, begin_ms: int) -> list[str]:
        """Return the events that count from a time up to one of them, itself included, by id."""
        rows = self._connection.execute(
            "SELECT event_id FROM rule_waits WHERE rule = ? AND key = ? AND kind != 'after' AND time_ms >= ?"
            " AND (time_ms < ? OR (time_ms = ? AND event_id <= ?)) ORDER BY time_ms, event_id",
            (wait.rule, wait.key, begin_ms, wait.time_ms, wait.time_ms, wait.event_id),
        )
        return [row[0] for row in rows]

    def use_up(self, rule: str, event_ids: Iterable[str]) -> None:
        """Drop events that were counted."""
        rows = [(rule, event_id) for event_id in event_ids]
        self._connection.executemany("DELETE FROM rule_waits WHERE rule = ? AND event_id = ?", rows)

    def keep_counting(self, wait: RuleWait, until_ms: int) -> None:
        """Note that an event was looked at and counts on until a time.

        Later ones that were looked at before it came, out of order, are looked at again.
        """
        self._connection.execute(
            "UPDATE rule_waits SET kind = 'seen', look_ms = ? WHERE rule = ? AND event_id = ?",
            (until_ms, wait.rule, wait.event_id),
        )
        self._connection.execute(
            "UPDATE rule_waits SET kind = 'count', look_ms = time_ms"
            " WHERE rule = ? AND key = ? AND kind = 'seen' AND (time_ms > ? OR (time_ms = ? AND event_id > ?))",
            (wait.rule, wait.key, wait.time_ms, wait.time_ms, wait.event_id),
        )

    # --- what cancels timers ---

    def add_mark(self, rule: str, event_id: str, key: str, time_ms: int, *, until_ms: int) -> None:
        """Keep an event that cancels timers, for those that begin out of order."""
        row = (rule, event_id, key, time_ms, until_ms)
        self._connection.execute("INSERT OR IGNORE INTO rule_marks VALUES (?, ?, ?, ?, ?)", row)

    def has_mark(self, rule: str, key: str, begin_ms: int, end_ms: int, *, but: str) -> bool:
        """Tell whether an event of a time, other than `but`, cancels timers of a key."""
        row = self._connection.execute(
            "SELECT 1 FROM rule_marks WHERE rule = ? AND key = ? AND time_ms BETWEEN ? AND ? AND event_id != ?",
            (rule, key, begin_ms, end_ms, but),
        ).fetchone()
        return row is not None

    def cancel(self, rule: str, key: str, time_ms: int, *, late_ms: int, but: str) -> None:
        """Drop the timers of a key that run at a time, and those that have ended but had to fire before `late_ms`."""
        self._connection.execute(
            "DELETE FROM rule_waits WHERE rule = ? AND key = ? AND kind = 'after' AND event_id != ? AND time_ms <= ?"
            " AND (due_ms >= ? OR look_ms < ?)",
            (rule, key, but, time_ms, time_ms, late_ms),
        )

    # --- actions ---

    def fired(self, rule: str, now_ms: int) -> int:
        """Count that a rule fires, and return how often it did within this hour."""
        self._connection.execute(
            "INSERT INTO rule_hours VALUES (?, ?, 1) ON CONFLICT (rule, hour) DO UPDATE SET fired = fired + 1",
            (rule, now_ms // _HOUR_MS),
        )
        row = self._connection.execute(
            "SELECT fired FROM rule_hours WHERE rule = ? AND hour = ?", (rule, now_ms // _HOUR_MS)
        ).fetchone()
        return int(row[0])

    def add_action(self, wait: RuleWait, number: int, target: str, why: str, now_ms: int) -> None:
        """Add an action for an event; one that is there already is not added again."""
        row = (wait.rule, wait.event_id, number, target, wait.key, why, wait.lineage, now_ms, now_ms, wait.document)
        self._connection.execute(
            "INSERT OR IGNORE INTO rule_actions (rule, event_id, number, target, key, why, lineage, fired_ms, next_ms,"
            " document, tries) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            row,
        )

    def actions(self, target: str, now_ms: int, limit: int) -> list[QueuedAction]:
        """Return the actions on a target that are to be tried by now, the oldest first."""
        sql = f"SELECT {_ACTION} FROM rule_actions WHERE target = ? AND next_ms <= ? ORDER BY id LIMIT ?"  # noqa: S608 - our own names
        return [QueuedAction(*row) for row in self._connection.execute(sql, (target, now_ms, limit))]

    def next_try(self, target: str) -> int | None:
        """Return when an action on a target is to be tried next."""
        row = self._connection.execute("SELECT MIN(next_ms) FROM rule_actions WHERE target = ?", (target,)).fetchone()
        return None if row[0] is None else int(row[0])

    def begin_action(self, action: QueuedAction, row: bytes | None, now_ms: int) -> None:
        """Note that requests of an action may leave from now on, and the row that they send."""
        self._connection.execute(
            "UPDATE rule_actions SET begun_ms = COALESCE(begun_ms, ?), row = ? WHERE id = ?", (now_ms, row, action.id)
        )

    def put_off(self, action: QueuedAction, next_ms: int, *, is_sent: bool) -> None:
        """Note that an action has failed and is tried again; if nothing of it can have been sent, as if new."""
        self._connection.execute(
            "UPDATE rule_actions SET tries = tries + 1, next_ms = ? WHERE id = ?", (next_ms, action.id)
        )
        if not is_sent:
            self._connection.execute("UPDATE rule_actions SET begun_ms = NULL, row = NULL WHERE id = ?", (action.id,))

    def end_action(self, action: QueuedAction) -> None:
        """Drop an action that is done, or given up."""
        self._connection.execute("DELETE FROM rule_actions WHERE id = ?", (action.id,))

    def is_first_message(self, action: QueuedAction) -> bool:
        """Tell whether an action sends the first message of its rule, and note that it does."""
        name = f"rule {action.rule}: first message"
        self._connection.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, action.name))
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return bool(row[0] == action.name)

    def was_not_sent(self, action: QueuedAction) -> None:
        """Note that the first message of a rule was refused, so that another one may be the first."""
        name = f"rule {action.rule}: first message"
        self._connection.execute("DELETE FROM facts WHERE name = ? AND value = ?", (name, action.name))

    # --- what actions have caused ---

    def add_effects(self, action: QueuedAction, object_ids: Iterable[str], from_ms: int, until_ms: int) -> None:
        """Note that an action touches objects within a time."""
        rows = [(object_id, action.id, action.lineage, from_ms, until_ms) for object_id in object_ids]
        self._connection.executemany(
            "INSERT INTO rule_effects VALUES (?, ?, ?, ?, ?) ON CONFLICT (object_id, action) DO UPDATE"
            " SET until_ms = excluded.until_ms",
            rows,
        )

    def end_effects(self, action: QueuedAction, until_ms: int) -> None:
        """Note until when an action that is done causes events."""
        self._connection.execute("UPDATE rule_effects SET until_ms = ? WHERE action = ?", (until_ms, action.id))

    def causes(self, object_ids: Sequence[str], time_ms: int) -> set[str]:
        """Return the rules whose actions may have led to an event about these objects."""
        marks = ",".join("?" * len(object_ids))
        rows = self._connection.execute(
            f"SELECT lineage FROM rule_effects WHERE object_id IN ({marks}) AND ? BETWEEN from_ms AND until_ms",  # noqa: S608 - question marks
            (*object_ids, time_ms),
        )
        return {name for (lineage,) in rows for name in lineage.split(",")}

    def made_lately(self) -> list[str]:
        """Return the ids of the objects that actions have touched."""
        return [row[0] for row in self._connection.execute("SELECT DISTINCT object_id FROM rule_effects")]

    # --- forgetting ---

    def forget(self, now_ms: int) -> None:
        """Drop what is too old to matter."""
        done_ms = now_ms - round(DEDUPE_FOR.total_seconds() * 1000)
        for sql, value in (
            ("DELETE FROM rule_done WHERE at_ms < ?", done_ms),
            ("DELETE FROM rule_marks WHERE until_ms < ?", now_ms),
            ("DELETE FROM rule_effects WHERE until_ms < ?", done_ms),
            ("DELETE FROM rule_hours WHERE hour < ?", now_ms // _HOUR_MS - 1),
        ):
            self._connection.execute(sql, (value,))

    def forget_rules(self, names: Sequence[str]) -> dict[str, int]:
        """Drop what waits for rules other than these, and return how much that is, by rule."""
        marks = ",".join("?" * len(names))
        dropped: dict[str, int] = {}
        for table in ("rule_waits", "rule_actions"):
            rows = self._connection.execute(
                f"SELECT rule, COUNT(*) FROM {table} WHERE rule NOT IN ({marks}) GROUP BY rule",  # noqa: S608 - our own names
                tuple(names),
            )
            for rule, count in rows.fetchall():
                dropped[rule] = dropped.get(rule, 0) + count
            self._connection.execute(f"DELETE FROM {table} WHERE rule NOT IN ({marks})", tuple(names))  # noqa: S608 - our own names
        return dropped


def forgetful_memory() -> tuple[sqlite3.Connection, RuleMemory]:
    """Return a memory that is lost when its connection is closed, for trying rules out."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    make_tables(connection, INBOX, version=INBOX_VERSION)
    return connection, RuleMemory(connection)
