"""What is passed on for an event: the event as it came, and a few members of ours beside Gladly's. Pure.

| member | holds |
|---|---|
| `_via` | the way the event came: webhook, feed or jobs |
| `_received_at` | when it was received |
| `_late` | true if a newer event about the same object was passed on before; otherwise missing |
| `object_type`, `object` | with `--fetch`: the object that the event is about; null if it cannot be had |
| `moved_to` | the customer into whom the requested one was merged |
| `object_error` | why Gladly does not return the object |
"""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from bulkgladly.gladly.event_envelopes import content_of, key_of
from bulkgladly.inbox.stored_events import StoredEvent
from bulkgladly.times import to_milliseconds

__all__ = ("Outgoing", "outgoing_of", "passed_on")

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Outgoing(NamedTuple):
    """An event on one line of JSON, without its end. `id` recognises a copy; events of one `key` are in order."""

    id: str
    key: str
    line: bytes


def passed_on(stored: StoredEvent, *, is_late: bool = False, added: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    """Return the event as it is passed on. `added` are members about its object."""
    received = dt.datetime.fromtimestamp(stored.received_ms / 1000, dt.UTC)
    ours = {"_via": stored.via, "_received_at": to_milliseconds(received)}
    return {**stored.parsed(), **ours, **({"_late": True} if is_late else {}), **added}


def outgoing_of(event: Mapping[str, Any]) -> Outgoing:
    """Return an event as it is passed on, as a line."""
    return Outgoing(event["id"], key_of(content_of(event)), orjson.dumps(event))
