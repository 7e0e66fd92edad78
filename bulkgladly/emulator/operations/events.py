"""The events stream: what happened in the last 24 hours, one line of JSON each.

Facts: events.md, "GET /api/v1/events", of the fact sheet.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from zlib import crc32

import orjson

from bulkgladly.emulator.operations.event_types import ENTITIES, EVENT_SHAPES, entity_of
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.protocol.lists import invalid, single_moment
from bulkgladly.emulator.protocol.replies import Reply, Stream, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("EVENT_OPERATIONS", "LOOKBACK")

LOOKBACK = timedelta(hours=24)
"""How far back `startAt` may lie."""

_LINES_PER_BLOCK = 250
_MS = timedelta(milliseconds=1)


def _list(call: Call) -> Reply:
    start, end, entities = _window(call)
    # Whether the bounds belong to the window is not documented; here the end does.
    first_ms = -((start - _EPOCH) // -_MS)
    if call.options.events_start == "exclusive":
        first_ms = (start - _EPOCH) // _MS + 1
    last_ms = (end - _EPOCH) // _MS
    now_ms, lag_ms = call.store.clock.wall() * 1000, call.options.events_lag_s * 1000
    # New events can be added while the reply is sent; it has only those of this moment.
    found = tuple(
        event
        for event in call.store.event_log
        if first_ms <= event.epoch_ms <= last_ms
        and event.type in EVENT_SHAPES
        and entity_of(event.type) in entities
        and (not lag_ms or event.epoch_ms + _share(event) * lag_ms <= now_ms)
    )
    return _streamed(found)


def _streamed(found: tuple[Event, ...]) -> Reply:
    def blocks() -> Iterator[bytes]:
        lines = (orjson.dumps(event.shown(), option=orjson.OPT_APPEND_NEWLINE) for event in found)
        while block := b"".join(islice(lines, _LINES_PER_BLOCK)):
            yield block

    # Only faults that break the reply in the middle need the size.
    stream = Stream(blocks, cache(lambda: sum(map(len, blocks()))), chunked=True)
    return Reply(200, content_type="application/x-jsonlines", stream=stream)


def _share(event: Event) -> float:
    """Return the part of the lag by which this event is late, always the same."""
    return crc32(event.id.encode()) / 0xFFFF_FFFF


def _window(call: Call) -> tuple[datetime, datetime, frozenset[str]]:
    query, now = call.query, datetime.fromtimestamp(call.store.clock.wall(), UTC)
    problems = [
        problem("blank", f"{name} is missing", attr=name)
        for name in ("startAt", "entities")
        if not any(query.get(name, ()))
    ]
    if problems:
        raise refuse(400, *problems)
    start, end = single_moment(call, "startAt") or now, single_moment(call, "endAt") or now
    entities = frozenset(query["entities"])
    if not entities <= ENTITIES:
        raise invalid("entities", f"entities can be {', '.join(sorted(ENTITIES))}")
    if start < now - LOOKBACK:
        raise invalid("startAt", "startAt is more than 24 hours ago")
    if end <= start:
        raise invalid("startAt", "startAt must be before endAt")
    return start, end, entities


_EPOCH = datetime.fromtimestamp(0, UTC)

EVENT_OPERATIONS = (Operation("GET", "/api/v1/events", "listEvents", _list, (200, 400)),)
