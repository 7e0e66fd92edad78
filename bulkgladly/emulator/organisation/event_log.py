"""The events of the organisation, in order.

Facts: events.md, "Envelope" and "Types and content", of the fact sheet. Only ids and names are
kept, never the texts that people wrote.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from bulkgladly.emulator.organisation.clock import Clock, timestamp
from bulkgladly.emulator.organisation.identifiers import derived_id

__all__ = ("API_USER", "APPLICATION", "Event", "EventLog")

API_USER: dict[str, Any] = {"id": "example-api-user", "type": "API"}
"""The initiator of everything that is done through the API."""

APPLICATION: dict[str, Any] = {"id": "example-application", "type": "SYSTEM"}
"""The initiator of what Gladly's own application does, such as merging two customers."""


class Event(NamedTuple):
    """One event. `content` has the documented shape of its type.

    `epoch_ms` never decreases from one event to the next; several events can share a millisecond.
    """

    type: str
    content: dict[str, Any]
    initiator: dict[str, Any] | None
    epoch_ms: int
    number: int
    seed: int = 0

    @property
    def id(self) -> str:
        """The id, in the API's own style."""
        # The moment is part of the id, so an emulator that starts from a state file never repeats one.
        return derived_id(f"{self.seed}:event:{self.epoch_ms}:{self.number}")

    @property
    def timestamp(self) -> str:
        """The moment as the API writes it, down to the millisecond."""
        return timestamp(self.epoch_ms / 1000)

    def shown(self) -> dict[str, Any]:
        """Return the event as the API returns it. An event without an initiator has no such field."""
        shown = {"id": self.id, "type": self.type, "timestamp": self.timestamp, "initiator": self.initiator}
        if self.initiator is None:
            del shown["initiator"]
        return shown | {"content": self.content}


class EventLog:
    """The last `keep` events, oldest first; `len` and iteration work as on a list.

    Ids and timestamps are made only when they are read, so adding an event costs almost nothing.
    Events are not part of the state file. `listener`, if there is one, is called with each new event. It must
    return at once: the operation that caused the event is not finished yet.
    """

    def __init__(self, clock: Clock, *, seed: int = 0, keep: int = 100_000) -> None:
        self._clock = clock
        self._seed = seed
        self._kept: deque[Event] = deque(maxlen=keep)
        self._count = 0
        self._last_ms = 0
        self.listener: Callable[[Event], None] | None = None

    def add(self, type: str, content: dict[str, Any], initiator: dict[str, Any] | None = None) -> Event:  # noqa: A002
        """Add an event that happens now. The content is not copied: do not change it afterwards.

        If the clock goes back, the event gets the moment of the last one, so the order holds.
        """
        epoch_ms = self._last_ms = max(self._last_ms, round(self._clock.wall() * 1e6) // 1000)
        self._count += 1
        event = Event(type, content, initiator, epoch_ms, self._count, self._seed)
        self._kept.append(event)
        if self.listener is not None:
            self.listener(event)
        return event

    def begin_with(self, past: Iterable[Event]) -> None:
        """Start the log with earlier events, oldest first.

        Raises:
            ValueError: The log already has events.
        """
        if self._kept:
            raise ValueError("the event log has events; earlier ones can only be added to an empty log")
        self._kept.extend(past)
        self._last_ms = self._kept[-1].epoch_ms if self._kept else 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._kept)
