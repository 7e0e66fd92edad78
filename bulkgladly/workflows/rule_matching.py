"""Finds the rules that an event concerns, and fetches what their conditions mention, as rarely as possible."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from bulkgladly.gladly.event_envelopes import content_of
from bulkgladly.times import time_of
from bulkgladly.workflows.event_expressions import Expression, Inapplicable
from bulkgladly.workflows.event_rule import EventRule
from bulkgladly.workflows.rule_engine import Match

__all__ = ("RuleEvent", "RuleFetch", "RuleMatcher", "fetched", "rule_event")

_PEOPLE = frozenset({"AGENT", "CUSTOMER", "INTERNAL", "EXTERNAL"})
"""The initiators that are people. Which one Gladly names for what follows from an action of ours is UNKNOWN."""
_LOOKED_AT = (
    *("conversationId", "taskId", "customerId", "contactId"),
    *("noteId", "commentId", "messageId"),
)


class RuleFetch(Protocol):
    """Gets what an event is about. Both raise `TransportError`, `Outage`, `Fatal` or `Withdrawn`."""

    async def customer(self, customer_id: str) -> Mapping[str, Any] | None:
        """Return a customer's profile; None if there is none."""
        ...

    async def object_of(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the conversation, task, message, ... that an event is about; None if there is none."""
        ...


class RuleEvent(NamedTuple):
    """An event as the rules see it."""

    id: str
    type: str
    time_ms: int
    event: Mapping[str, Any]

    @property
    def content(self) -> Mapping[str, Any]:
        """Its content."""
        return content_of(self.event)

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The ids of what it is about, if no person has caused it: it may be the API, through us or others."""
        initiator = self.event.get("initiator")
        if isinstance(initiator, dict) and initiator.get("type") in _PEOPLE:
            return ()
        found = (self.content.get(name) for name in _LOOKED_AT)
        return tuple(value for value in found if isinstance(value, str) and value)


def rule_event(event: Mapping[str, Any], dedupe_id: str, received_at: dt.datetime) -> RuleEvent:
    """Return an event as the rules see it; one without a timestamp happened when it arrived."""
    at = time_of(event.get("timestamp")) or received_at
    return RuleEvent(dedupe_id, str(event.get("type")), round(at.timestamp() * 1000), event)


class RuleMatcher:
    """Finds what each rule has to do with an event."""

    def __init__(self, rules: Sequence[EventRule]) -> None:
        self._rules = tuple(rules)
        self.failures: dict[str, str] = {}
        """By rule, the last expression that could not be applied; the event counts as one that it does not hold for."""

    def concerns(self, event_type: str) -> bool:
        """Tell whether a rule looks at events of a type."""
        return any(rule.may_start(event_type) or rule.may_cancel(event_type) for rule in self._rules)

    async def matches(self, event: RuleEvent, fetch: RuleFetch | None) -> list[Match]:
        """Return the matches of an event, those that cancel first.

        Without `fetch`, what would have to be fetched counts as not there.

        Raises:
            TransportError, Outage, Fatal, Withdrawn: Something could not be fetched.
        """
        found: list[Match] = []
        document: dict[str, Any] = {"event": event.event}
        for rule in self._rules:
            if (key := rule.key_of(event.content)) is None:
                continue
            if rule.may_cancel(event.type) and self._cancels(rule, event, document):
                found.insert(0, Match(rule, event.id, key, event.time_ms, b"", cancels=True))
            if rule.may_start(event.type) and await self._starts(rule, event, document, fetch):
                found.append(
                    Match(rule, event.id, key, event.time_ms, orjson.dumps(document), object_ids=event.object_ids)
                )
        return found

    def _cancels(self, rule: EventRule, event: RuleEvent, document: Mapping[str, Any]) -> bool:
        if event.type in rule.unless:
            return True
        return rule.unless_holds is not None and self._holds(rule, rule.unless_holds, document)

    async def _starts(
        self, rule: EventRule, event: RuleEvent, document: dict[str, Any], fetch: RuleFetch | None
    ) -> bool:
        if not all(self._holds(rule, part, document) for part in rule.cheap):
            return False
        if rule.costly:
            await fetched(document, rule.needs, event, fetch)
        return all(self._holds(rule, part, document) for part in rule.costly)

    def _holds(self, rule: EventRule, expression: Expression, document: Mapping[str, Any]) -> bool:
        try:
            return expression.holds(document)
        except Inapplicable as error:
            self.failures[rule.name] = str(error)
            return False


async def fetched(document: dict[str, Any], needs: frozenset[str], event: RuleEvent, fetch: RuleFetch | None) -> None:
    """Add to a document what is needed and not there yet, with one request each.

    Raises:
        TransportError, Outage, Fatal, Withdrawn: It could not be fetched.
    """
    if "object" in needs and "object" not in document:
        document["object"] = await fetch.object_of(event.event) if fetch else None
    if "customer" in needs and "customer" not in document:
        customer_id = event.content.get("customerId")
        is_named = isinstance(customer_id, str) and customer_id
        document["customer"] = await fetch.customer(str(customer_id)) if fetch and is_named else None
