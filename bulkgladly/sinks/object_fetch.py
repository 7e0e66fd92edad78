"""The objects that events are about, requested in the shared pace, and once for all who need them at the same time."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import anyio

from bulkgladly.api.client import Client
from bulkgladly.errors import NotPermitted, TransportError
from bulkgladly.gladly.event_envelopes import content_of
from bulkgladly.gladly.event_objects import EventObject, customer_of_event, object_of_event
from bulkgladly.messages import Reply, Request

__all__ = ("Fetched", "ObjectFetch")

_MOST_KEPT = 2_000


class Fetched(NamedTuple):
    """An object as Gladly has it; None if it is absent, merged into `moved_to`, or not returned because of `error`."""

    object: Mapping[str, Any] | None
    moved_to: str | None = None
    error: str | None = None


class ObjectFetch:
    """Requests objects of events. A reply serves all who want the same object within `window_s`.

    All methods raise what `Client.send` raises while Gladly cannot be asked: `Outage`, `NotAuthenticated`,
    `NotTrusted`, `WrongOrganisation`, `Withdrawn`. Then nothing is known of the object, and the
    caller asks again later.
    """

    def __init__(self, client: Client, *, window_s: float, clock: Callable[[], float]) -> None:
        """`clock` returns seconds that never decrease."""
        self._client, self._window_s, self._clock = client, window_s, clock
        self._kept: dict[Request, tuple[float, Fetched]] = {}
        self._under_way: dict[Request, anyio.Event] = {}

    async def object_members(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the members that `--fetch` adds to an event; none if it is about no object that can be requested."""
        wanted = object_of_event(event["type"], content_of(event))
        if wanted is None:
            return {}
        found = await self.fetch(wanted)
        members: dict[str, Any] = {"object_type": wanted.type, "object": found.object}
        if found.moved_to is not None:
            members["moved_to"] = found.moved_to
        if found.error is not None:
            members["object_error"] = found.error
        return members

    async def customer(self, event: Mapping[str, Any]) -> Fetched | None:
        """Return the customer of an event; None if the event names none. A merge is not followed."""
        wanted = customer_of_event(content_of(event))
        return None if wanted is None else await self.fetch(wanted)

    async def fetch(self, wanted: EventObject) -> Fetched:
        """Return one object, requested now or within the last `window_s`.

        Cancelled: others who wait for the same object request it themselves.
        """
        request = wanted.request
        while (busy := self._under_way.get(request)) is not None:
            await busy.wait()
        kept = self._kept.get(request)
        if kept is not None and self._clock() - kept[0] <= self._window_s:
            return kept[1]
        done = self._under_way[request] = anyio.Event()
        try:
            found = await self._ask(request)
        finally:
            del self._under_way[request]
            done.set()
        self._keep(request, found)
        return found

    async def _ask(self, request: Request) -> Fetched:
        try:
            return _read(await self._client.send(request))
        except NotPermitted:
            return Fetched(None, error=f"the API user may not use {request.operation}")
        except TransportError as error:
            return Fetched(None, error=str(error))

    def _keep(self, request: Request, found: Fetched) -> None:
        now = self._clock()
        self._kept.pop(request, None)
        self._kept[request] = (now, found)
        # The oldest are first.
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) <= _MOST_KEPT and now - self._kept[oldest][0] <= self._window_s:
                return
            del self._kept[oldest]


def _read(reply: Reply) -> Fetched:
    if reply.object is not None:
        return Fetched(reply.object)
    if reply.successor is not None:
        return Fetched(None, moved_to=reply.successor)
    if reply.is_absent:
        return Fetched(None)
    told = "; ".join(problem.detail or problem.code or "" for problem in reply.problems).strip("; ")
    if reply.is_refused:
        return Fetched(None, error=told or f"HTTP {reply.status}")
    return Fetched(None, error=f"no clear response (HTTP {reply.status})" if reply.status else "no response")
