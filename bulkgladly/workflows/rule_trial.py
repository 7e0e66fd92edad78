"""Tries rules out on recorded events: what would have fired, when, and what it would have done. Nothing is sent."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from bulkgladly.errors import InputError
from bulkgladly.gladly.spec import Draft
from bulkgladly.imports.single_rows import draft_of_row
from bulkgladly.inbox.rule_memory import QueuedAction, RuleMemory, forgetful_memory
from bulkgladly.times import canonical, time_of
from bulkgladly.workflows.event_expressions import Inapplicable
from bulkgladly.workflows.event_rule import EventRule, RuleAction
from bulkgladly.workflows.rule_engine import Firing, look, take
from bulkgladly.workflows.rule_matching import RuleEvent, RuleMatcher, fetched, rule_event

__all__ = ("Trial", "TrialAction", "read_customers", "read_events", "try_rules")

_FAR_MS = 1 << 50
_OURS = "_"
_TOP = frozenset({"id", "type", "timestamp", "initiator", "content"})
_HOST = "https://sample.example.org"


class TrialAction(NamedTuple):
    """An action that would have been performed. `problem` says why it would have failed; `row` is what it sends."""

    at: str
    rule: str
    event_id: str
    event_type: str
    key: str
    why: str
    does: str
    row: Mapping[str, Any] | None = None
    problem: str = ""


class Trial(NamedTuple):
    """What rules would have done: the actions in order, and how often each rule fired, or would have been over."""

    events: int
    begins: str
    ends: str
    actions: Sequence[TrialAction]
    fired: Mapping[str, int]
    over: Mapping[str, int]
    failures: Mapping[str, str]
    missing: int
    """How often a customer was needed who is not in the file of customers, or another object."""


class _Recorded:
    """What would be fetched, from a file of customers. Objects are not known."""

    def __init__(self, customers: Mapping[str, Mapping[str, Any]]) -> None:
        self._customers = customers
        self.missing = 0

    async def customer(self, customer_id: str) -> Mapping[str, Any] | None:
        found = self._customers.get(customer_id)
        self.missing += found is None
        return found

    async def object_of(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        del event
        self.missing += 1
        return None


def read_events(path: Path, stdin: BinaryIO | None = None) -> list[RuleEvent]:
    """Return the events of an NDJSON file in the order of their timestamps, each once; `-` reads `stdin`.

    A line is an event as Gladly sends it, or a row of the data set `events`, whose fields are flat.

    Raises:
        InputError: The file cannot be read, or a line is not an event with a time.
    """
    found: dict[str, RuleEvent] = {}
    for number, line in _objects(path, stdin):
        event = _event(line)
        if not isinstance(event.get("id"), str) or not isinstance(event.get("type"), str):
            raise InputError(f"{path}:{number}: is not an event: id or type is missing")
        if (at := time_of(event.get("timestamp"))) is None:
            raise InputError(f"{path}:{number}: timestamp is not a time, such as 2026-11-02T10:00:00.000Z")
        found.setdefault(str(event["id"]), rule_event(event, str(event["id"]), at))
    return sorted(found.values(), key=lambda each: (each.time_ms, each.id))


def _event(line: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(line.get("content"), dict):
        return {name: value for name, value in line.items() if not name.startswith(_OURS)}
    content = {
        name: value
        for name, value in line.items()
        if name not in _TOP and not name.startswith(_OURS) and value is not None
    }
    return {**{name: value for name, value in line.items() if name in _TOP}, "content": content}


def read_customers(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return the customers of an NDJSON file by their ids, as Gladly returns them.

    Raises:
        InputError: The file cannot be read, or a line has no id.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for number, line in _objects(path):
        if not isinstance(line.get("id"), str):
            raise InputError(f"{path}:{number}: is not a customer: id is missing")
        found[line["id"]] = line
    return found


def _objects(path: Path, stdin: BinaryIO | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    is_piped = str(path) == "-"
    if is_piped and stdin is None:
        raise InputError("`-` reads the standard input, but it is closed")
    try:
        with nullcontext(stdin) if is_piped and stdin is not None else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _object(path, number, line)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; pass the path of an NDJSON file") from error


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}:{number}: is not JSON: {error.msg}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}:{number}: is not a JSON object")
    return found


# --- trying ---


async def try_rules(
    rules: Sequence[EventRule],
    events: Iterable[RuleEvent],
    *,
    settle_s: float = 20.0,
    customers: Mapping[str, Mapping[str, Any]] | None = None,
) -> Trial:
    """Return what rules would have done if these events had come at their timestamps, timers included."""
    connection, memory = forgetful_memory()
    try:
        return await _Run(rules, memory, round(settle_s * 1000), _Recorded(customers or {})).over(list(events))
    finally:
        connection.close()


class _Run:
    """One trial: a memory, and a time that goes from event to event and from timer to timer."""

    def __init__(self, rules: Sequence[EventRule], memory: RuleMemory, settle_ms: int, recorded: _Recorded) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._memory, self._settle_ms, self._recorded = memory, settle_ms, recorded
        self._matcher = RuleMatcher(rules)
        self._actions: list[TrialAction] = []
        self._fired: Counter[str] = Counter()
        self._over: Counter[str] = Counter()

    async def over(self, events: Sequence[RuleEvent]) -> Trial:
        for event in events:
            await self._timers_until(event.time_ms)
            matches = await self._matcher.matches(event, self._recorded)
            fired = take(self._memory, matches, now_ms=event.time_ms, settle_ms=self._settle_ms)
            await self._perform(fired, event.time_ms)
        await self._timers_until(_FAR_MS)
        return Trial(
            events=len(events),
            begins=_time(events[0].time_ms) if events else "",
            ends=_time(events[-1].time_ms) if events else "",
            actions=self._actions,
            fired=self._fired,
            over=self._over,
            failures=self._matcher.failures,
            missing=self._recorded.missing,
        )

    async def _timers_until(self, end_ms: int) -> None:
        """Look at each timer at its own time, as a program that runs all the time does."""
        while (now_ms := self._memory.next_look()) is not None and now_ms <= end_ms:
            fired = look(self._memory, self._rules, now_ms=now_ms, settle_ms=self._settle_ms)
            await self._perform(fired, now_ms)

    async def _perform(self, fired: Sequence[Firing], now_ms: int) -> None:
        for firing in fired:
            (self._over if firing.is_over else self._fired)[firing.rule] += 1
        targets = dict.fromkeys(each.target for rule in self._rules.values() for each in rule.actions)
        due = [each for target in targets for each in self._memory.actions(target, now_ms, len(fired) * 100)]
        for action in sorted(due, key=lambda each: each.id):
            self._actions.append(await self._told(action))
            self._memory.end_action(action)

    async def _told(self, action: QueuedAction) -> TrialAction:
        rule = self._rules[action.rule]
        does = next(each for each in rule.actions if each.number == action.number)
        document = orjson.loads(action.document)
        told = TrialAction(
            at=_time(action.fired_ms),
            rule=action.rule,
            event_id=action.event_id,
            event_type=str(document["event"].get("type")),
            key=action.key,
            why=action.why,
            does=does.told(),
        )
        return told if does.spec is None else await self._with_row(told, action, does, document)

    async def _with_row(
        self, told: TrialAction, action: QueuedAction, does: RuleAction, document: dict[str, Any]
    ) -> TrialAction:
        if does.spec is None or does.row is None:
            return told
        fired_at = dt.datetime.fromtimestamp(action.fired_ms / 1000, dt.UTC)
        await fetched(document, does.needs, rule_event(document["event"], action.event_id, fired_at), self._recorded)
        about = {"id": action.name, "name": action.rule, "key": action.key, "why": action.why, "fired_at": told.at}
        try:
            row = does.row.fill({**document, "rule": about}, fired_at)
        except Inapplicable as error:
            return told._replace(problem=str(error))
        draft = draft_of_row(does.spec, row, action.name, host=_HOST, namespace="rules")
        # A due date that was in the future then may be past by now.
        if isinstance(draft, Draft) or draft.code == "due_in_past":
            return told._replace(row=row)
        return told._replace(row=row, problem=draft.detail)


def _time(time_ms: int) -> str:
    return canonical(dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC))
