"""Decides what fires: from the memory of the rules, and an event or the time. It waits for nothing and has no clock.

What fires follows from the timestamps of the events alone, whatever the order in which they arrive, as long as none
is later than the settle window:

* A rule without a time fires at once.
* A timer ends `after` its event. It is cancelled by an `unless` event from the event on until the timer ends. It is
  looked at one settle window after its end, when all of these have arrived. Events of the same key while it runs
  start no further timer if there is an `unless`: somebody who waits is told of once.
* An event is counted one settle window after its time, in the order of the timestamps. Events that have made a rule
  fire do not count again.

After a stop, timers fire late. One that is more than `LATE_MS` late is also cancelled by an `unless` event after its
end: nobody needs to hear at noon that a contact had been waiting at ten, if it ended at half past ten.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bulkgladly.inbox.rule_memory import RuleMemory, RuleWait
from bulkgladly.workflows.event_expressions import duration_words
from bulkgladly.workflows.event_rule import EventRule

__all__ = ("LATE_MS", "Firing", "Match", "look", "take")

LATE_MS = 60_000
_MARKS_MS = 3_600_000
"""How long an `unless` event is kept for a timer that begins later, out of order."""
_SEEN_MS = 60_000
_FAR_MS = 1 << 62


class Match(NamedTuple):
    """An event that a rule looks at, because it can start it, or (`cancels`) end what it waits for.

    `object_ids` are the ids in an event that no person has caused: they show whether an action of the rules did.
    """

    rule: EventRule
    event_id: str
    key: str
    time_ms: int
    document: bytes
    cancels: bool = False
    object_ids: tuple[str, ...] = ()


class Firing(NamedTuple):
    """A rule has fired for an event. `is_over` says that its hour is full, so that it does nothing."""

    rule: str
    event_id: str
    key: str
    why: str
    at_ms: int
    is_over: bool = False
    is_first_over: bool = False


def take(memory: RuleMemory, matches: Iterable[Match], *, now_ms: int, settle_ms: int) -> list[Firing]:
    """Take in events, and return what fires at once. Each event is taken in once by each rule."""
    fired: list[Firing] = []
    for match in matches:
        rule = match.rule
        if match.cancels:
            memory.add_mark(
                rule.name, match.event_id, match.key, match.time_ms, until_ms=max(now_ms, match.time_ms) + _MARKS_MS
            )
            memory.cancel(rule.name, match.key, match.time_ms, late_ms=now_ms - LATE_MS, but=match.event_id)
        elif memory.takes_in(rule.name, match.event_id, now_ms):
            causes = memory.causes(match.object_ids, match.time_ms) if match.object_ids else set[str]()
            if rule.name in causes:
                continue  # the rule itself has led to this event
            wait = _wait_of(match, ",".join(sorted({*causes, rule.name})), settle_ms)
            if not rule.after_s and not rule.count:
                fired.append(_fire(memory, rule, wait, _told(rule), now_ms))
            elif not (rule.has_unless and _is_cancelled(memory, wait, now_ms)):
                memory.add_wait(wait)
    return fired


def look(
    memory: RuleMemory,
    rules: Mapping[str, EventRule],
    *,
    now_ms: int,
    settle_ms: int,
    until_ms: int | None = None,
    most: int = 200,
) -> list[Firing]:
    """Look at up to `most` timers and counted events whose time has come, and return what fires.

    What is to be looked at after `until_ms` waits, also if it is due: not all events are known yet.
    """
    last_ms = now_ms if until_ms is None else min(now_ms, until_ms)
    fired: list[Firing] = []
    for _ in range(most):
        if (wait := memory.first_due(last_ms)) is None:
            break
        rule = rules.get(wait.rule)
        if rule is None or wait.kind == "seen" or (wait.kind == "count") != bool(rule.count):
            memory.drop_wait(wait)
        elif wait.kind == "count":
            fired += _count(memory, rule, wait, now_ms, settle_ms)
        else:
            memory.drop_wait(wait)
            if rule.has_unless:
                memory.drop_timers(rule.name, wait.key, wait.time_ms, wait.due_ms)
            fired.append(_fire(memory, rule, wait, _told(rule), now_ms))
    return fired


def _told(rule: EventRule) -> str:
    """Return why a rule fires, for people."""
    if rule.count:
        return f"{rule.count} events within {duration_words(rule.within_s)}"
    if rule.has_unless:
        return f"nothing ended it within {duration_words(rule.after_s)}"
    return f"{duration_words(rule.after_s)} have passed" if rule.after_s else "the event happened"


def _wait_of(match: Match, lineage: str, settle_ms: int) -> RuleWait:
    rule = match.rule
    due_ms = match.time_ms + round(rule.after_s * 1000)
    # A plain delay waits for no other event.
    look_ms = due_ms + (settle_ms if rule.count or rule.has_unless else 0)
    kind = "count" if rule.count else "after"
    return RuleWait(rule.name, match.event_id, match.key, kind, match.time_ms, due_ms, look_ms, lineage, match.document)


def _is_cancelled(memory: RuleMemory, wait: RuleWait, now_ms: int) -> bool:
    """Tell whether an event that arrived before this one ends its timer."""
    is_late = wait.look_ms < now_ms - LATE_MS
    end_ms = _FAR_MS if is_late else wait.due_ms
    return memory.has_mark(wait.rule, wait.key, wait.time_ms, end_ms, but=wait.event_id)


def _count(memory: RuleMemory, rule: EventRule, wait: RuleWait, now_ms: int, settle_ms: int) -> Sequence[Firing]:
    within_ms = round(rule.within_s * 1000)
    found = memory.counted(wait, wait.time_ms - within_ms)
    if len(found) < rule.count:
        memory.keep_counting(wait, max(now_ms, wait.time_ms + within_ms + settle_ms) + _SEEN_MS)
        return ()
    memory.use_up(rule.name, found)
    return (_fire(memory, rule, wait, _told(rule), now_ms),)


def _fire(memory: RuleMemory, rule: EventRule, wait: RuleWait, why: str, now_ms: int) -> Firing:
    times = memory.fired(rule.name, now_ms)
    firing = Firing(rule.name, wait.event_id, wait.key, why, now_ms)
    if times > rule.most_per_hour:
        return firing._replace(is_over=True, is_first_over=times == rule.most_per_hour + 1)
    for action in rule.actions:
        memory.add_action(wait, action.number, action.target, why, now_ms)
    return firing
