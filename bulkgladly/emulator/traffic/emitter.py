"""Events on request: some at once, or many at a steady rate."""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

from bulkgladly.emulator.operations.event_types import EVENT_SHAPES, WEBHOOK_ONLY_SHAPES
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.organisation.store import Store
from bulkgladly.emulator.seeding.invented_events import EventDraw

__all__ = ("MAX_AT_ONCE", "Emitter", "EventTypes")

EventTypes = str | Sequence[str] | None
"""One type, several in turn, or None for all types of the stream in turn."""

MAX_AT_ONCE = 10_000
"""How many events one call adds at once; more would block every request for too long."""

_TICK_S = 0.01


class Emitter:
    """Adds events to the log of a store. The seed decides what is in them."""

    def __init__(self, store: Store, *, seed: int = 0) -> None:
        self._store = store
        self._draw = random.Random(f"{seed}:emitted")  # noqa: S311  # a repeatable draw is the point

    def emit(
        self,
        types: EventTypes = None,
        content: Mapping[str, Any] | None = None,
        *,
        count: int = 1,
        initiator: Mapping[str, Any] | None = None,
    ) -> list[Event]:
        """Add events that happen now, and return them.

        `content` has fields that are taken as they are; the others are invented in the shape of the type. Types
        that only webhooks get have no initiator.

        Raises:
            ValueError: A type does not exist, or the count is not from 1 to 10,000. Nothing was added.
        """
        if not 1 <= count <= MAX_AT_ONCE:
            raise ValueError(f"count is {count}: it must be from 1 to {MAX_AT_ONCE}; pass a rate for more")
        return list(islice(self._events(types, content, initiator), count))

    async def emit_at_rate(
        self,
        per_second: float,
        count: int,
        types: EventTypes = None,
        content: Mapping[str, Any] | None = None,
        *,
        initiator: Mapping[str, Any] | None = None,
    ) -> list[Event]:
        """Add `count` events at a steady rate, and return them after the last one. See `emit`.

        Raises:
            ValueError: A type does not exist, or the rate or the count is not positive. Nothing was added.

        Cancelled: the events so far stay.
        """
        check_rate(per_second, count)
        series = self._events(types, content, initiator)
        clock = asyncio.get_running_loop().time
        begin, emitted = clock(), list[Event]()
        while len(emitted) < count:
            due = min(count, int((clock() - begin) * per_second) + 1)
            # Not more than this at once, or a process that was stopped for a while would block all requests.
            emitted += islice(series, min(due - len(emitted), MAX_AT_ONCE))
            if len(emitted) < count:
                await asyncio.sleep(_TICK_S)
        return emitted

    def _events(
        self, types: EventTypes, content: Mapping[str, Any] | None, initiator: Mapping[str, Any] | None
    ) -> Iterator[Event]:
        """Check the arguments now, and return an endless series that adds an event whenever one is taken."""
        names = checked_types(types)
        given = None if initiator is None else dict(initiator)
        return (self._add(name, content or {}, given) for name in cycle(names))

    def _add(self, event_type: str, content: Mapping[str, Any], initiator: dict[str, Any] | None) -> Event:
        event = EventDraw(datetime.fromtimestamp(self._store.clock.wall(), UTC), self._draw)
        invented = event.content(event_type) | dict(content)
        if event_type in WEBHOOK_ONLY_SHAPES:
            return self._store.event_log.add(event_type, invented)
        return self._store.event_log.add(event_type, invented, initiator or event.initiator())


def check_rate(per_second: float, count: int) -> None:
    """Refuse a rate that never ends.

    Raises:
        ValueError: The rate is not a positive number, or the count is less than 1.
    """
    if not 0 < per_second < float("inf"):
        raise ValueError(f"per_second is {per_second}: it must be more than 0")
    if count < 1:
        raise ValueError(f"count is {count}: it must be 1 or more")


def checked_types(types: EventTypes) -> tuple[str, ...]:
    """Return the names of the types.

    Raises:
        ValueError: There is none, or one does not exist.
    """
    names = tuple(EVENT_SHAPES) if types is None else (types,) if isinstance(types, str) else tuple(types)
    unknown = [name for name in names if name not in EVENT_SHAPES and name not in WEBHOOK_ONLY_SHAPES]
    if unknown or not names:
        raise ValueError(f"there is no event type {', '.join(map(repr, unknown)) or 'in an empty list'}")
    return names
