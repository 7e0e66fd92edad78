"""What rules use of the rest: the sinks of `--to`, and the objects that `--fetch` requests."""

from collections.abc import Callable, Mapping
from typing import Any

from bulkgladly.errors import TransportError
from bulkgladly.sinks.object_fetch import Fetched, ObjectFetch
from bulkgladly.sinks.outgoing import Outgoing
from bulkgladly.sinks.sinks import Fate, Sink, SinkEnded
from bulkgladly.workflows.rule_performing import RuleFate

__all__ = ("RuleObjects", "RuleSinks")


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

    async def __call__(self, to: str, event_id: str, line: bytes) -> RuleFate:
        """Pass one event on, and tell how it ended. One caller at a time for each sink."""
        sink = self._sinks.get(to) or self._sinks.setdefault(to, self._make(to))
        try:
            reply = (await sink.deliver([Outgoing(event_id, "", line)]))[0]
        except SinkEnded as ended:
            return RuleFate(is_taken=False, reason=str(ended))
        return RuleFate(
            is_taken=reply.fate is Fate.TAKEN,
            is_refused=reply.fate is Fate.REFUSED,
            reason=reply.reason,
            retry_after_s=reply.retry_after_s,
        )

    async def close(self) -> None:
        """Close the sinks. Calling it twice is allowed."""
        while self._sinks:
            await self._sinks.popitem()[1].close()
