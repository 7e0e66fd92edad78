"""What happened in the organization, in order: the source of its events.

Facts: events.md, "Envelope" and "Types and content", of the fact sheet. Only ids and names are
kept, never what people wrote.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from bulkgladly.emulator.organisation.clock import Clock, timestamp
from bulkgladly.emulator.organisation.identifiers import derived_id

__all__ = ("API_USER", "APPLICATION", "Event", "EventLog")

API_USER: dict[str, Any] = {"id": "example-api-user", "type": "API"}
"""Who does what comes through the API."""

APPLICATION: dict[str, Any] = {"id": "example-application", "type": "SYSTEM"}
"""Who does what Gladly's own application does, such as merging two customers."""


class Event(NamedTuple):
    """One thing that happened. `content` has the documented shape of its type.

    `epoch_ms` never falls from one event to the next; several can share a millisecond.
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
        # With the moment in it, an id is not given again by an emulator that starts from a state file.
        return derived_id(f"{self.seed}:event:{self.epoch_ms}:{self.number}")

    @property
    def timestamp(self) -> str:
        """The moment as the API writes it, down to the millisecond."""
        return timestamp(self.epoch_ms / 1000)

    def shown(self) -> dict[str, Any]:
        """The event in the form in which the API returns it; without an initiator that part is left out."""
        shown = {"id": self.id, "type": self.type, "timestamp": self.timestamp, "initiator": self.initiator}
        if self.initiator is None:
            del shown["initiator"]
        return shown | {"content": self.content}


class EventLog:
    """The last `keep` events, oldest first; `len` and iteration work as on a list.

    Ids and written moments are made when somebody asks, so that noting costs next to nothing.
    They are not part of the state file.
    """

    def __init__(self, clock: Clock, *, seed: int = 0, keep: int = 100_000) -> None:
        self._clock = clock
        self._seed = seed
        self._kept: deque[Event] = deque(maxlen=keep)
        self._count = 0
        self._last_ms = 0

    def add(self, type: str, content: dict[str, Any], initiator: dict[str, Any] | None = None) -> Event:  # noqa: A002
        """Add what happens now. The content is kept as it is: it must not change afterwards.

        A clock that goes back does not take the order with it: the moment is the last one then.
        """
        epoch_ms = self._last_ms = max(self._last_ms, round(self._clock.wall() * 1e6) // 1000)
        self._count += 1
        event = Event(type, content, initiator, epoch_ms, self._count, self._seed)
        self._kept.append(event)
        return event

    def begin_with(self, past: Iterable[Event]) -> None:
        """Begin with what happened earlier, oldest first.

        Raises:
            ValueError: Something has been noted already.
        """
        if self._kept:
            raise ValueError("the past comes before what was noted")
        self._kept.extend(past)
        self._last_ms = self._kept[-1].epoch_ms if self._kept else 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._kept)
