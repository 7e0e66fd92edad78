"""What asking Gladly for an object shows: the requests of a look, and what its reply says is held. Pure generators."""

from collections.abc import Generator

from bulkgladly.gladly.change import Found
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.preparation import segment
from bulkgladly.gladly.spec import Record
from bulkgladly.messages import Reply, Request

__all__ = ("MAX_MERGES", "Look", "look", "survivor_of")

MAX_MERGES = 5
"""How many merges are followed; whether `meta.new` names the last profile of a chain is UNKNOWN."""


Look = Generator[Request, Reply, Found]
"""Yields read requests, is sent their replies, returns what they showed."""


def look(endpoint: Endpoint, record: Record, gladly_id: str) -> Look:
    """Ask for an object by its id; 1 request. Merges of customers are followed, up to five of them."""
    hops = 0
    while True:
        reply = yield endpoint.fetch(record, gladly_id)
        if reply.object is not None:
            return Found(gladly_id, reply.object)
        if reply.is_absent:
            return Found(gladly_id)
        if not endpoint.is_merged or reply.successor is None or hops >= MAX_MERGES:
            return Found(gladly_id, reply=reply)
        gladly_id, hops = reply.successor, hops + 1


def survivor_of(record: Record, reply: Reply, owner: str) -> Generator[Request, Reply, str | None]:
    """Find into whom the customer was merged that the field `owner` of a record names; None where nothing says so.

    The reply names the survivor (301), or the profile is asked for: what some operations
    answer for a merged id is UNKNOWN, and 404 is what the emulator takes it for.
    """
    customer_id = record.payload.get(owner)
    if reply.successor is not None or customer_id is None or not reply.is_absent:
        return reply.successor
    asked = yield Request("getCustomer", "GET", f"/api/v1/customer-profiles/{segment(str(customer_id))}")
    return asked.successor
