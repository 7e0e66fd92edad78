"""Invented events of the last 24 hours, of all types in turn."""

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from bulkgladly.emulator.operations.event_types import EVENT_SHAPES, WORDS, Field
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.organisation.store import Store

__all__ = ("seed_events",)

_DAY_MS = 86_400_000
_SHARED_EVERY = 7
_CUSTOMERS = 10
_INITIATORS = ("AGENT", "API", "AUTOMATION", "CUSTOMER", "INTERNAL", "EXTERNAL", "SYSTEM")
_NUMBERED = {"inboxId": 2, "agentId": 5, "topicId": 3}


class _EventDraw(NamedTuple):
    """An event to be invented: its number, its time, and its source of random values."""

    number: int
    moment: datetime
    draw: random.Random
    id_of: Callable[[str], str]

    def at(self, **shift: float) -> str:
        return timestamp((self.moment + timedelta(**shift)).timestamp())


def seed_events(store: Store, count: int, *, seed: int) -> None:
    """Start the event log of a store with `count` events, spread over the last 24 hours.

    The same seed and time give the same events. Every seventh event has the same millisecond as the
    one before it.
    """
    store.event_log.begin_with(_invented(count, round(store.clock.wall() * 1000), seed))


def _invented(count: int, now_ms: int, seed: int) -> Iterator[Event]:
    draw = random.Random(f"{seed}:events")  # noqa: S311  # a repeatable draw is the point
    types = tuple(EVENT_SHAPES)
    for number in range(count):
        place = number - (number % _SHARED_EVERY == _SHARED_EVERY - 1)
        # The oldest event is inside the window, so that a request can reach it.
        epoch_ms = now_ms - _DAY_MS + _DAY_MS * (place + 1) // (count + 1)
        event_type = types[number % len(types)]
        moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
        event = _EventDraw(number, moment, draw, lambda name: _some_id(name, draw))
        initiator = {"id": f"initiator-{draw.randrange(1, 6)}", "type": draw.choice(_INITIATORS)}
        # Negative numbers, because later events count from 1.
        yield Event(event_type, _content(EVENT_SHAPES[event_type], event), initiator, epoch_ms, -number, seed)


def _content(fields: tuple[Field, ...], event: _EventDraw) -> dict[str, Any]:
    """Return an object with all required fields and about half of the others."""
    return {field.name: _value(field, event) for field in fields if field.required or event.draw.getrandbits(1)}


def _value(field: Field, event: _EventDraw) -> Any:
    if isinstance(field.kind, tuple):
        return _content(field.kind, event)
    if field.kind in WORDS:
        return event.draw.choice(WORDS[field.kind])
    make = _MADE.get(field.kind)
    return event.id_of(field.kind) if make is None else make(event)


def _some_id(name: str, draw: random.Random) -> str:
    if name.endswith("ustomerId"):
        return f"seeded-{draw.randrange(_CUSTOMERS):07}"
    if name in _NUMBERED:
        return f"{name.removesuffix('Id')}-{draw.randrange(_NUMBERED[name]) + 1}"
    return derived_id(f"{name}:{draw.randrange(1000)}")


_MADE: Mapping[str, Callable[[_EventDraw], Any]] = {
    "moment": lambda event: event.at(),
    "earlier": lambda event: event.at(minutes=-15),
    "later": lambda event: event.at(days=1),
    "availableFor": lambda event: sorted(event.draw.sample(WORDS["work"], event.draw.randrange(5))),
    "reason": lambda event: {"id": f"reason-{event.draw.randrange(3)}", "name": "Lunch"},
    "matchReasons": lambda _: ["PEOPLE_MATCH"],
    "entryPoint": lambda _: "support@example.org",
    "finalIVRSelection": lambda _: "Orders",
    "customAttributeKey": lambda _: "tier",
    "customAttributeValue": lambda event: event.draw.choice(("gold", "silver")),
    "currency": lambda _: "USD",
    "monetaryUnit": lambda event: event.draw.randrange(10_000) / 100,
}
"""The kinds of values that are neither ids nor from a fixed list."""
