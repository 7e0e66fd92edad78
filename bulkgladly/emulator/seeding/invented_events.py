"""Invented contents of events, in the documented shape of their type."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bulkgladly.emulator.operations.event_types import EVENT_SHAPES, WEBHOOK_ONLY_SHAPES, WORDS, Field
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.identifiers import derived_id

__all__ = ("EventDraw",)

_CUSTOMERS = 10
_INITIATORS = ("AGENT", "API", "AUTOMATION", "CUSTOMER", "INTERNAL", "EXTERNAL", "SYSTEM")
_NUMBERED = {"inboxId": 2, "agentId": 5, "topicId": 3}


class EventDraw(NamedTuple):
    """An event to be invented: its moment, and the source of its random values."""

    moment: datetime
    draw: random.Random

    def initiator(self) -> dict[str, Any]:
        """Return somebody who caused the event."""
        return {"id": f"initiator-{self.draw.randrange(1, 6)}", "type": self.draw.choice(_INITIATORS)}

    def content(self, event_type: str) -> dict[str, Any]:
        """Return all required fields of the type and about half of the others.

        Raises:
            KeyError: There is no such type.
        """
        shape = EVENT_SHAPES.get(event_type)
        return self._object(WEBHOOK_ONLY_SHAPES[event_type] if shape is None else shape)

    def at(self, **shift: float) -> str:
        """Return a time before or after the event."""
        return timestamp((self.moment + timedelta(**shift)).timestamp())

    def _object(self, fields: tuple[Field, ...]) -> dict[str, Any]:
        return {field.name: self._value(field) for field in fields if field.required or self.draw.getrandbits(1)}

    def _value(self, field: Field) -> Any:
        if isinstance(field.kind, tuple):
            return self._object(field.kind)
        if field.kind in WORDS:
            return self.draw.choice(WORDS[field.kind])
        make = _MADE.get(field.kind)
        return self._some_id(field.kind) if make is None else make(self)

    def _some_id(self, name: str) -> str:
        if name.endswith("ustomerId"):
            return f"seeded-{self.draw.randrange(_CUSTOMERS):07}"
        if name in _NUMBERED:
            return f"{name.removesuffix('Id')}-{self.draw.randrange(_NUMBERED[name]) + 1}"
        return derived_id(f"{name}:{self.draw.randrange(1000)}")


_MADE: Mapping[str, Callable[[EventDraw], Any]] = {
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
