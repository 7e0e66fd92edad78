"""Invented events of the last 24 hours, of all types in turn."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from bulkgladly.emulator.operations.event_types import EVENT_SHAPES
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.organisation.store import Store
from bulkgladly.emulator.seeding.invented_events import EventDraw

__all__ = ("seed_events",)

_DAY_MS = 86_400_000
_SHARED_EVERY = 7


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
        event = EventDraw(datetime.fromtimestamp(epoch_ms / 1000, UTC), draw)
        initiator = event.initiator()
        # Negative numbers, because later events count from 1.
        yield Event(event_type, event.content(event_type), initiator, epoch_ms, -number, seed)
