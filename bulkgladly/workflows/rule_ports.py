"""What rules get from outside: the sinks of `--to`, objects of events, rows of imports, dead letters, and the time."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anyio.lowlevel

from bulkgladly.api.client import Client
from bulkgladly.errors import TransportError
from bulkgladly.imports.single_rows import SingleRows
from bulkgladly.sinks.dead_letters import DeadLetters
from bulkgladly.sinks.object_fetch import Fetched, ObjectFetch
from bulkgladly.sinks.outgoing import Outgoing
from bulkgladly.sinks.sinks import Fate, Sink, SinkEnded, SinkReply
from bulkgladly.workflows.rule_matching import RuleFetch

__all__ = ("RuleObjects", "RulePorts", "RuleSinkCall", "RuleSinks", "RuleTime", "rule_rows")

RuleSinkCall = Callable[[str, str, bytes], Awaitable[SinkReply]]
"""Passes one event on to a sink: its text, the id that shows a copy, and the event as a line of JSON."""


class RulePorts(NamedTuple):
    """What the rules of one process act through."""

    rows: SingleRows
    call_sink: RuleSinkCall
    fetch: RuleFetch
    dead: DeadLetters


class RuleTime(NamedTuple):
    """What time it is at Gladly, and up to when its events are known."""

    wall: Callable[[], dt.datetime]
    until_caught_up: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint
    """Returns when the events of a stop have been received; timers wait for it after a start."""
    known_until: Callable[[], dt.datetime | None] = lambda: None
    """Returns up to when all events have been received, if they come in portions: timers wait for those of the next."""
    patience_s: float = 300.0
    """For how long they wait at most."""


def rule_rows(client: Client, host: str, state_dir: Path, clock: Callable[[], float]) -> SingleRows:
    """Return what sends the rows of rules, whose keys have a space of their own. `close` it after use."""
    return SingleRows(client, host=host, state_dir=state_dir, namespace="rules", run="rules", clock=clock)


class RuleObjects:
    """Gets customers and objects for rules.

    Both methods raise `TransportError` if Gladly does not return an object: it must not be taken for absent, or a rule
    would pass an event over. They also raise what `Client.send` raises while Gladly cannot be asked.
    """

    def __init__(self, fetch: ObjectFetch) -> None:
        self._fetch = fetch

    async def customer(self, customer_id: str) -> Mapping[str, Any] | None:
        """Return a customer's profile, after a merge that of the one who remains; None if there is none."""
        found = await self._customer(customer_id)
        if found is not None and found.moved_to is not None:
            found = await self._customer(found.moved_to)
        return found.object if found is not None else None

    async def _customer(self, customer_id: str) -> Fetched | None:
        found = await self._fetch.customer({"content": {"customerId": customer_id}})
        if found is not None and found.error is not None:
            raise TransportError(found.error)
        return found

    async def object_of(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the object that an event is about; None if there is none."""
        members = await self._fetch.object_members(event)
        if (error := members.get("object_error")) is not None:
            raise TransportError(str(error))
        found: Mapping[str, Any] | None = members.get("object")
        return found


class RuleSinks:
    """Passes events on to the sinks that rules name; each is made once. `close` it after use."""

    def __init__(self, make: Callable[[str], Sink]) -> None:
        self._make = make
        self._sinks: dict[str, Sink] = {}

    async def __call__(self, to: str, event_id: str, line: bytes) -> SinkReply:
        """Pass one event on, and tell how it ended. One caller at a time for each sink."""
        sink = self._sinks.get(to) or self._sinks.setdefault(to, self._make(to))
        try:
            return (await sink.deliver([Outgoing(event_id, "", line)]))[0]
        except SinkEnded as ended:
            return SinkReply(Fate.FAILED, str(ended))

    async def close(self) -> None:
        """Close the sinks. Calling it twice is allowed."""
        while self._sinks:
            await self._sinks.popitem()[1].close()
