"""What a rule is: which events it looks at, what it waits for or counts, and what it does. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulkgladly.choices import one_of
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.workflows.event_expressions import Expression, Template, duration_words

__all__ = ("KEYS", "EventRule", "FillableRow", "RuleAction", "rule_sentence")

KEYS: Mapping[str, str] = {
    "contact": "contactId",
    "conversation": "conversationId",
    "task": "taskId",
    "agent": "agentId",
    "customer": "customerId",
}
"""What events can be told apart by, and the field of their content that holds its id."""
_MOST_TYPES = 4


@dataclass(frozen=True)
class FillableRow:
    """A row of an import whose values are templates."""

    values: Mapping[str, Any]
    """By column: a template, a constant, or lists and objects of these."""
    needs: frozenset[str]

    def fill(self, document: Mapping[str, Any], fired_at: dt.datetime) -> dict[str, Any]:
        """Return the row for an event. A template that finds nothing leaves its column out.

        Raises:
            Inapplicable: An expression cannot be applied.
        """
        filled: dict[str, Any] = _filled(self.values, document, fired_at)
        return filled


def _filled(value: Any, document: Mapping[str, Any], fired_at: dt.datetime) -> Any:
    if isinstance(value, Template):
        return value.fill(document, fired_at)
    if isinstance(value, Mapping):
        found = {name: _filled(member, document, fired_at) for name, member in value.items()}
        return {name: member for name, member in found.items() if member is not None}
    if isinstance(value, list):
        return [_filled(member, document, fired_at) for member in value]
    return value


@dataclass(frozen=True)
class RuleAction:
    """One thing that a rule does: it passes the event on to `to`, or sends a `row` of the object `spec`."""

    number: int
    to: str = ""
    spec: ImportSpec | None = None
    row: FillableRow | None = None

    @property
    def target(self) -> str:
        """What actions must not wait for each other by: each sink, and Gladly."""
        return self.to or "gladly"

    @property
    def needs(self) -> frozenset[str]:
        """What the action needs besides the event."""
        return self.row.needs if self.row else frozenset()

    def told(self) -> str:
        """Return what it does, as the end of a sentence."""
        if self.spec is not None:
            return f"import a row of {self.spec.name}"
        where = {"-": "the standard output"}.get(self.to, self.to)
        return f"pass the event on to {where}"


@dataclass(frozen=True)
class EventRule:
    """One rule.

    `types` are the types of events that it looks at; None for all. The event must satisfy every expression of
    `cheap`, and then, with what was fetched for it, of `costly`. With `after_s` it fires that long after the event,
    unless an event of the types in `unless`, or one for which `unless_holds`, has come for the same key. With
    `count` it fires at the last of so many events of one key within `within_s`.
    """

    name: str
    actions: tuple[RuleAction, ...]
    types: frozenset[str] | None = None
    when: str = ""
    cheap: tuple[Expression, ...] = ()
    costly: tuple[Expression, ...] = ()
    key: str = ""
    after_s: float = 0.0
    unless: frozenset[str] = frozenset()
    unless_holds: Expression | None = None
    count: int = 0
    within_s: float = 0.0
    most_per_hour: int = 1000
    contacts_people: str = ""
    """What of its messages to people may be sent: `one` (for a person to check), `all`, or nothing."""

    @property
    def has_unless(self) -> bool:
        """Whether an event can cancel what the rule waits for."""
        return bool(self.unless) or self.unless_holds is not None

    @property
    def needs(self) -> frozenset[str]:
        """What its condition mentions besides the event."""
        return frozenset().union(*(each.needs for each in self.costly)) - {"event"}

    def may_start(self, event_type: str) -> bool:
        """Tell whether events of a type can satisfy the rule."""
        return self.types is None or event_type in self.types

    def may_cancel(self, event_type: str) -> bool:
        """Tell whether events of a type can cancel what the rule waits for."""
        return event_type in self.unless or self.unless_holds is not None

    def key_of(self, content: Mapping[str, Any]) -> str | None:
        """Return the id by which the rule tells events apart; "" if it does not, None if the event lacks it."""
        if not self.key:
            return ""
        found = content.get(KEYS[self.key])
        return found if isinstance(found, str) and found else None


def rule_sentence(rule: EventRule) -> str:
    """Return what a rule does as one sentence."""
    what = _types_told(rule.types) if rule.types is not None else "any event"
    of_one = f" for the same {rule.key}" if rule.key else ""
    if rule.count:
        parts = [f"when {what} happens {rule.count} times within {duration_words(rule.within_s)}{of_one}"]
    elif rule.after_s:
        parts = [f"{duration_words(rule.after_s)} after {what}"]
    else:
        parts = [f"when {what} happens"]
    if rule.when:
        parts.append(f"if {rule.when}")
    if rule.has_unless:
        held = rule.unless_holds.text if rule.unless_holds else _types_told(rule.unless)
        parts.append(f"unless {held} happens{of_one} before")
    does = " and ".join(action.told() for action in rule.actions)
    return f"{rule.name}: {', '.join(parts)}, {does}."


def _types_told(types: frozenset[str]) -> str:
    if len(types) > _MOST_TYPES:
        return f"any of {len(types)} types of events"
    return one_of(sorted(types))
