"""Reads `rules.toml`, and checks and compiles it once. No event is looked at here.

Every error names the file, the rule and the field, and says what to write.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bulkgladly.choices import closest, one_of
from bulkgladly.errors import InputError, UsageError
from bulkgladly.gladly.event_envelopes import KNOWN_TYPES, WEBHOOK_ONLY
from bulkgladly.gladly.objects.events import EVENT_TYPES
from bulkgladly.mapping.tables import Table
from bulkgladly.workflows.event_expressions import BadExpression, Expression, duration_of
from bulkgladly.workflows.event_rule import KEYS, EventRule
from bulkgladly.workflows.rule_actions_file import SinkCheck, looks_like_a_sink, read_actions

__all__ = ("load_rules", "parse_rules")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)
_TYPE = re.compile(r"[A-Z_]+/[A-Z_]+", re.ASCII)
_KNOWN = ("event", "object", "customer")
_LONGEST_S = 31 * 86_400
"""A wait or a window beyond that is taken for a mistake: it would be kept in the inbox."""
_MOST_COUNTED = 10_000


class _Trigger(NamedTuple):
    """Which events start a rule."""

    types: frozenset[str] | None
    when: str
    cheap: tuple[Expression, ...]
    costly: tuple[Expression, ...]


def load_rules(path: Path, *, check_sink: SinkCheck = looks_like_a_sink) -> tuple[EventRule, ...]:
    """Return the rules of a file. `check_sink` raises `UsageError` for a text that does not name a sink.

    Raises:
        InputError: The file cannot be read.
        UsageError: It has a mistake; the message says where, and what to write.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error  # without the number, and the path again
        raise InputError(f"{path}: cannot be read: {why}; pass the path of a rules file") from error
    return parse_rules(text, str(path), check_sink=check_sink)


def parse_rules(text: str, file: str, *, check_sink: SinkCheck = looks_like_a_sink) -> tuple[EventRule, ...]:
    """Return the rules in a TOML text; `file` is its name in messages.

    Raises:
        UsageError: As `load_rules`.
    """
    top = Table.of_text(text, file)
    found = top.value("rules")
    top.finish()
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise UsageError(f"{file}: has no rules; begin each with a line [[rules]]")
    rules: list[EventRule] = []
    for number, each in enumerate(found, 1):
        rules.append(_rule(file, number, each, check_sink))
        if any(rule.name == rules[-1].name for rule in rules[:-1]):
            raise UsageError(f"{file}: two rules have the name {rules[-1].name!r}; give each its own name")
    return tuple(rules)


def _rule(file: str, number: int, content: Mapping[str, Any], check_sink: SinkCheck) -> EventRule:
    name = content.get("name")
    table = Table(file, f"rule {name if isinstance(name, str) else number}", content)
    if table.text("name") is None or not _NAME.fullmatch(str(name)):
        # The name is part of the ids of what a rule creates.
        table.fail("name", 'must be 1 to 60 letters, digits, - or _, such as name = "vip-waits"')
    trigger = _trigger(table)
    key = table.choice("key", KEYS) or ""
    unless, unless_holds = _unless(table)
    after_s, within_s = _duration(table, "after"), _duration(table, "within")
    count = _number(table, "count", _MOST_COUNTED, least=2)
    contacts_people = table.choice("contacts_people", ("one", "all")) or ""
    rule = EventRule(
        name=str(name),
        actions=read_actions(table, contacts_people=contacts_people, check_sink=check_sink),
        types=trigger.types,
        when=trigger.when,
        cheap=trigger.cheap,
        costly=trigger.costly,
        key=key,
        after_s=after_s,
        unless=unless,
        unless_holds=unless_holds,
        count=count,
        within_s=within_s,
        most_per_hour=_number(table, "most_per_hour", 1_000_000) or 1000,
        contacts_people=contacts_people,
    )
    table.finish()
    _check_times(rule, table)
    _check_key(rule, table)
    return rule


# --- which events ---


def _trigger(table: Table) -> _Trigger:
    types = _types(table, "on") if "on" in table else None
    when = table.text("when")
    if types is None and when is None:
        table.fail("on", 'is missing; name the types of events, such as on = "CONVERSATION/REOPENED"')
    if when is None:
        return _Trigger(types, "", (), ())
    condition = _expression(table, "when", when, _KNOWN)
    named = condition.types()
    if named is not None:
        types = named if types is None else types & named
        if not types:
            table.fail("when", "names no type of event that is also in on; leave the types out of when")
    parts = condition.parts()
    cheap = tuple(part for part in parts if part.needs <= {"event"})
    costly = tuple(part for part in parts if not part.needs <= {"event"})
    if costly and types is None and not cheap:
        needed = one_of(sorted({name for part in costly for name in part.needs} - {"event"}))
        table.fail("when", f'would request the {needed} of every event; name the types, such as on = "CONTACT/STARTED"')
    return _Trigger(types, when, cheap, costly)


def _types(table: Table, key: str) -> frozenset[str]:
    given = table.value(key)
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        table.fail(key, f'must be a type of event or a list of types, such as {key} = ["CONTACT/ENDED"]')
    return frozenset(found for name in names for found in _types_named(table, key, name))


def _types_named(table: Table, key: str, name: str) -> Sequence[str]:
    if name.endswith("/*") and (found := [each for each in KNOWN_TYPES if each.startswith(name[:-1])]):
        return found
    if name not in KNOWN_TYPES:
        _refuse_type(table, key, name)
    return [name]


def _refuse_type(table: Table, key: str, name: str) -> None:
    meant = closest(name, sorted(KNOWN_TYPES))
    hint = f"did you mean {meant!r}?" if meant else "docs/rules.md lists all types"
    table.fail(key, f"{name!r} is not a type of event; {hint}")


def _unless(table: Table) -> tuple[frozenset[str], Expression | None]:
    given = table.value("unless")
    if given is None:
        return frozenset(), None
    if isinstance(given, str) and not _TYPE.fullmatch(given) and not given.endswith("/*"):
        # Every event is compared with it, so it may not cost a request.
        return frozenset(), _expression(table, "unless", given, _KNOWN[:1])
    return _types(table, "unless"), None


def _expression(table: Table, key: str, text: str, known: Sequence[str]) -> Expression:
    try:
        found = Expression.of(text, known)
    except BadExpression as error:
        table.fail(key, str(error))
    for literal in found.literals():
        if _TYPE.fullmatch(literal) and literal not in KNOWN_TYPES:
            _refuse_type(table, key, literal)
    return found


# --- times and numbers ---


def _duration(table: Table, key: str) -> float:
    if (given := table.value(key)) is None:
        return 0.0
    seconds = duration_of(given)
    if seconds is None:
        table.fail(key, f'{given!r} is not a duration; write a number with s, m, h or d, such as {key} = "7m"')
    if seconds > _LONGEST_S:
        table.fail(key, f"{given!r} is too long; the longest is 31d")
    return seconds


def _number(table: Table, key: str, most: int, least: int = 1) -> int:
    found = table.number(key)
    if found is not None and not least <= found <= most:
        table.fail(key, f"{found} is not supported; choose a number from {least} to {most:,}")
    return found or 0


def _check_times(rule: EventRule, table: Table) -> None:
    checks: tuple[tuple[bool, str, str], ...] = (
        (bool(rule.count) and not rule.within_s, "count", 'needs a time; add within, such as within = "5m"'),
        (bool(rule.within_s) and not rule.count, "within", "needs a number; add count, such as count = 3"),
        (bool(rule.count) and bool(rule.after_s), "after", "cannot be combined with count; write two rules"),
        (rule.has_unless and not rule.after_s, "unless", 'needs a wait; add after, such as after = "7m"'),
        (rule.has_unless and not rule.key, "unless", 'needs to know for whom; add key, such as key = "contact"'),
    )
    for is_wrong, key, message in checks:
        if is_wrong:
            table.fail(key, message)


def _check_key(rule: EventRule, table: Table) -> None:
    """Refuse a key that a type of the rule does not have: its events would never be found again."""
    if not rule.key:
        return
    for event_type in sorted((rule.types or frozenset()) | rule.unless):
        fields = EVENT_TYPES.get(event_type) or WEBHOOK_ONLY.get(event_type, ())
        if KEYS[rule.key] not in fields:
            has = [key for key, field in KEYS.items() if field in fields]
            fix = f"choose {one_of(has)}, or leave the type out" if has else "leave the type out"
            table.fail("key", f"events of the type {event_type} have no {rule.key}; {fix}")
