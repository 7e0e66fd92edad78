"""Reading the parts of an event that live state needs, whatever the event holds, and fields that remember who set them.

Pure. What is missing, of another type, too long or not a time is read as None, so that one odd part does not spoil
the rest of an event.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from bulkgladly.times import time_of

__all__ = ("LiveEvent", "Newest", "Stamp", "part", "text", "texts", "time_in", "unset")

T = TypeVar("T")
CONTEXT_LAG = dt.timedelta(seconds=5)
"""How much older a context may be than its event.

Who changes two things of a task at once causes two events with a few milliseconds between them. The context of the
second may still have what the first one changed.
"""
MOST_CHARACTERS = 200
"""Of an id or a name. Gladly's ids have 22; a longer text would only fill the memory."""
MOST_TEXTS = 20
OLDEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
NEWEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
MOST_AHEAD = dt.timedelta(days=1)
"""How far an event's time may be ahead of its arrival. An event from further ahead would hide all later ones."""
MOST_DELAY = dt.timedelta(hours=1)
"""How long before it was recorded something may have occurred; an older `occurredAt` is not believed."""


class Stamp(NamedTuple):
    """When a field was set and by which event; of two the greater one is the newer.

    `rank` orders what has the same time, as steps in the order of a contact's life. The context of an event is the
    state before it, which is older than its `moment`: it counts as from a little earlier.
    """

    counts_from: dt.datetime
    rank: int
    event_id: str
    moment: dt.datetime


@dataclass(slots=True)
class Newest(Generic[T]):
    """A field with the stamp of what set it. It is known if it has a stamp; its value may be None all the same."""

    value: T | None = None
    stamp: Stamp | None = None

    def put(self, stamp: Stamp, value: T | None) -> bool:
        """Set the value unless it is older than the present one, and return whether anything changed."""
        # Two events with one stamp are a lie; which of them wins must not depend on which came first.
        if self.stamp is not None and (stamp < self.stamp or (stamp == self.stamp and repr(value) <= repr(self.value))):
            return False
        self.value, self.stamp = value, stamp
        return True

    @property
    def moment(self) -> dt.datetime | None:
        """When the value was set; None if it is not known."""
        return None if self.stamp is None else self.stamp.moment

    def is_after(self, other: "Newest[Any]") -> bool:
        """Return whether it was set later than another field; False if it was never set."""
        return self.stamp is not None and (other.stamp is None or self.stamp.counts_from > other.stamp.counts_from)

    def forget_until(self, moment: dt.datetime) -> None:
        """Forget the value if it was set at a moment or before."""
        if self.stamp is not None and self.stamp.moment <= moment:
            self.value = self.stamp = None


def unset() -> Newest[Any]:
    """Return a field that nothing has set yet."""
    return Newest()


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """The parts of an event that are read: its type, its time, who began it, and its content."""

    type: str
    recorded: dt.datetime
    event_id: str
    initiator_id: str | None
    initiator_type: str | None
    content: Mapping[str, object]
    context: Mapping[str, object]

    @classmethod
    def of(cls, event: object, received_at: dt.datetime | None = None) -> "LiveEvent | None":
        """Return the parts of a JSON object; None if it has no type or no believable time."""
        if not isinstance(event, Mapping):
            return None
        kind, recorded = text(event, "type"), time_in(event, "timestamp")
        if kind is None or recorded is None or (received_at is not None and recorded > received_at + MOST_AHEAD):
            return None
        content, initiator = part(event, "content"), part(event, "initiator")
        return cls(
            kind,
            recorded,
            text(event, "id") or "",
            text(initiator, "id"),
            text(initiator, "type"),
            content,
            part(content, "context"),
        )

    def occurred(self) -> dt.datetime:
        """Return when it happened: `occurredAt`, or the time of recording if there is none that can be believed."""
        occurred = time_in(self.content, "occurredAt")
        if occurred is None or not self.recorded - MOST_DELAY <= occurred <= self.recorded:
            return self.recorded
        return occurred

    def stamp(self, rank: int = 0) -> Stamp:
        """Return the stamp of what the event says."""
        return Stamp(self.recorded, rank, self.event_id, self.recorded)

    def stamp_before(self) -> Stamp:
        """Return the stamp of what its context says."""
        return Stamp(self.recorded - CONTEXT_LAG, 0, self.event_id, self.recorded)


def part(holder: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return an object inside an object; an empty one if it is missing or something else."""
    found = holder.get(name)
    return found if isinstance(found, Mapping) else {}


def text(holder: Mapping[str, object], name: str) -> str | None:
    """Return a text that is not empty and not too long, without lone surrogates, which JSON cannot be written with."""
    return _clean(holder.get(name))


def texts(holder: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    """Return a list of texts, each once and in order; None if it is not a list. Other elements are left out."""
    found = holder.get(name)
    if not isinstance(found, list):
        return None
    return tuple(sorted({kept for each in found[:MOST_TEXTS] if (kept := _clean(each)) is not None}))


def time_in(holder: Mapping[str, object], name: str) -> dt.datetime | None:
    """Return a time between the years 2000 and 2200, with which it is safe to calculate."""
    found = time_of(holder.get(name))
    return found if found is not None and OLDEST <= found < NEWEST else None


def _clean(value: object) -> str | None:
    if not isinstance(value, str) or not value or len(value) > MOST_CHARACTERS:
        return None
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
