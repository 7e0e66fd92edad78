"""Does what a rule has fired for: passes an event on to a sink, or sends a row of an import.

Each action is a row of the inbox until it is done. A sink gets it at least once, with an id that shows a copy. A row
is sent as an import sends it: what Gladly knows by our id exists once, and what it does not is sent at most once.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from bulkgladly.errors import BulkgladlyError, Withdrawn
from bulkgladly.gladly.spec import Draft, ImportSpec
from bulkgladly.imports.single_rows import SingleRow, is_passing
from bulkgladly.inbox.rule_memory import QueuedAction, RuleMemory
from bulkgladly.records import Outcome, Problem, Word
from bulkgladly.runs.quiet_notes import RareNotes
from bulkgladly.sinks.dead_letters import DeadLetter
from bulkgladly.sinks.sink_schedule import retry_wait_s
from bulkgladly.sinks.sinks import Fate
from bulkgladly.times import to_milliseconds
from bulkgladly.workflows.event_expressions import Inapplicable
from bulkgladly.workflows.event_rule import EventRule, RuleAction
from bulkgladly.workflows.rule_matching import fetched, rule_event
from bulkgladly.workflows.rule_ports import RulePorts
from bulkgladly.workflows.rule_store import RuleStore

__all__ = ("RulePerformer", "rule_line")

_GIVE_UP_MS = 24 * 3_600_000
_FEWEST_TRIES = 10
"""They take about a quarter of an hour: a process that did not run for a day has not tried for a day."""
_BEFORE_MS, _AFTER_MS, _WHILE_MS = 60_000, 120_000, 600_000
"""How long before its start, after its end, and after its start if that is unknown, an action causes events."""
_TOUCHED = ("id", "conversationId", "taskId")
_HELD = 'the rule sends one message for you to check; write contacts_people = "all" in the rule to send further ones'
_UNKNOWN = "it may have been sent, and is not sent again; check in Gladly"


class RulePerformer:
    """Performs actions, one per call of `perform`."""

    def __init__(
        self,
        store: RuleStore,
        rules: Mapping[str, EventRule],
        ports: RulePorts,
        *,
        notes: RareNotes,
        now_ms: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        """`notes` tells people of actions that fail. `now_ms` returns the time, in milliseconds since 1970."""
        self._store, self._rules, self._rows = store, rules, ports.rows
        self._call_sink, self._fetch = ports.call_sink, ports.fetch
        self._notes, self._now_ms, self._random = notes, now_ms, random

    async def perform(self, action: QueuedAction) -> None:
        """Perform an action, or put it off, or put it aside for good in `dead.ndjson`.

        Raises:
            Withdrawn: Nothing may be sent any more. The action stays as it is.
            JournalDamaged: The inbox cannot be used.

        Cancelled or killed: it is performed again, and looked up first if it may have been sent.
        """
        rule = self._rules.get(action.rule)
        does = next((each for each in rule.actions if each.number == action.number), None) if rule else None
        if rule is None or does is None or does.target != action.target:
            await self._give_up(action, "the rule has been changed, and does this no more")
        elif does.spec is None:
            await self._pass_on(action, does)
        else:
            await self._import(action, rule, does, does.spec)

    # --- sinks ---

    async def _pass_on(self, action: QueuedAction, does: RuleAction) -> None:
        reply = await self._call_sink(does.to, action.name, rule_line(action))
        if reply.fate is Fate.TAKEN:
            await self._end(action)
        elif reply.fate is Fate.REFUSED:
            await self._give_up(action, reply.reason)
        else:
            await self._put_off(action, reply.reason, retry_after_s=reply.retry_after_s)

    # --- rows of imports ---

    async def _import(self, action: QueuedAction, rule: EventRule, does: RuleAction, spec: ImportSpec) -> None:
        try:
            fields = await self._fields(action, does)
            draft = self._rows.draft_of(SingleRow(spec, fields, action.name))
        except Inapplicable as error:
            return await self._give_up(action, str(error))
        except Withdrawn:
            raise
        except BulkgladlyError as error:
            return await self._put_off(action, str(error))
        if isinstance(draft, Problem):
            return await self._give_up(action, draft.detail)
        if spec.contacts_people and rule.contacts_people != "all" and not await self._is_first(action):
            return await self._give_up(action, _HELD)
        begun = await self._begin(action, fields, draft)
        return await self._send(begun, SingleRow(spec, fields, action.name, _seconds(action.begun_ms)))

    async def _is_first(self, action: QueuedAction) -> bool:
        # Committed before the message leaves.
        return await self._store.ask(lambda memory: memory.is_first_message(action))

    async def _fields(self, action: QueuedAction, does: RuleAction) -> dict[str, Any]:
        """Return the row of an action. If it may have been sent, it is the same again."""
        if action.row is not None:
            found: dict[str, Any] = orjson.loads(action.row)
            return found
        document: dict[str, Any] = orjson.loads(action.document)
        event = rule_event(document["event"], action.event_id, _moment(action.fired_ms))
        await fetched(document, does.needs, event, self._fetch)
        document["rule"] = _about(action)
        # From now on, and not from when the rule fired: after an outage, a date that has passed would be refused.
        return does.row.fill(document, _moment(self._now_ms())) if does.row else {}

    async def _begin(self, action: QueuedAction, fields: Mapping[str, Any], draft: Draft) -> QueuedAction:
        """Note that the row may leave, and which events it will cause; return the action with its row."""
        payload, now_ms = draft.payload, self._now_ms()
        touched = {draft.id, *(str(payload[name]) for name in _TOUCHED if payload.get(name))}
        row = orjson.dumps(fields)

        def begin(memory: RuleMemory) -> None:
            memory.begin_action(action, row, now_ms)
            memory.add_effects(action, touched, now_ms - _BEFORE_MS, now_ms + _WHILE_MS)

        await self._store.ask(begin)
        return action._replace(row=row)

    async def _send(self, action: QueuedAction, row: SingleRow) -> None:
        try:
            outcome = await self._rows.send(row)
        except Withdrawn:
            raise
        except BulkgladlyError as error:
            return await self._put_off(action, str(error), is_sent=error.lost > 0)
        if is_passing(outcome, row.spec):
            # A record is rejected only if it is certain that nothing was written.
            is_sent = outcome.word is Word.UNKNOWN
            return await self._put_off(action, outcome.detail or str(outcome.code), is_sent=is_sent)
        if outcome.word is Word.REJECTED:
            await self._store.ask(lambda memory: memory.was_not_sent(action))
            return await self._give_up(action, outcome.detail or str(outcome.code))
        if outcome.word is Word.UNKNOWN:
            return await self._give_up(action, _UNKNOWN)
        return await self._end(action, outcome)

    # --- how actions end ---

    async def _end(self, action: QueuedAction, outcome: Outcome | None = None) -> None:
        made = [outcome.gladly_id] if outcome is not None and outcome.gladly_id else []
        now_ms = self._now_ms()

        def end(memory: RuleMemory) -> None:
            memory.add_effects(action, made, now_ms - _BEFORE_MS, now_ms)
            memory.end_effects(action, now_ms + _AFTER_MS)
            memory.end_action(action)

        await self._store.ask(end)

    async def _put_off(
        self, action: QueuedAction, reason: str, *, is_sent: bool = False, retry_after_s: float | None = None
    ) -> None:
        now_ms = self._now_ms()
        if now_ms - action.fired_ms > _GIVE_UP_MS and action.tries + 1 >= _FEWEST_TRIES:
            return await self._give_up(action, reason)
        wait_s = retry_wait_s(action.tries + 1, self._random, retry_after_s)
        self._tell(action, f"{reason}; it is tried again")
        next_ms = now_ms + round(wait_s * 1000)
        # An earlier attempt may have sent it, whatever became of this one.
        is_sent = is_sent or action.begun_ms is not None
        return await self._store.ask(lambda memory: memory.put_off(action, next_ms, is_sent=is_sent))

    async def _give_up(self, action: QueuedAction, reason: str) -> None:
        self._tell(action, f"{reason}; it is in {self._store.dead.path}")
        letter = DeadLetter(
            {"rule": action.rule, "action": action.number},
            reason,
            action.tries + 1,
            rule_line(action),
            {"row": orjson.loads(action.row) if action.row else None},
        )
        # First the file, then the inbox: killed in between, the line is there twice, and never missing.
        await self._store.put_aside(letter)
        await self._store.ask(lambda memory: memory.end_action(action))

    def _tell(self, action: QueuedAction, text: str) -> None:
        # An outage would print a line for every action.
        self._notes.tell(f"{action.rule}: {text}", f"rule {action.rule}, action {action.number}: {text}")


def rule_line(action: QueuedAction) -> bytes:
    """Return what a sink gets: the event as it came, what was fetched for it, and `rule`, which says why."""
    document = orjson.loads(action.document)
    found = {name: document[name] for name in ("object", "customer") if name in document}
    return orjson.dumps({**document["event"], **found, "rule": _about(action)})


def _about(action: QueuedAction) -> dict[str, Any]:
    return {
        "id": action.name,
        "name": action.rule,
        "key": action.key or None,
        "why": action.why,
        "fired_at": to_milliseconds(_moment(action.fired_ms)),
    }


def _moment(time_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)


def _seconds(time_ms: int | None) -> float | None:
    return None if time_ms is None else time_ms / 1000
