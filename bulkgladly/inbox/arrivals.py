"""What comes in, before it is stored: bytes, the way they came, and their envelope. Pure."""

import datetime as dt
import enum
import hashlib
from typing import NamedTuple

from bulkgladly.gladly.event_envelopes import Envelope, read_envelope

__all__ = ("Arrival", "Receipt", "Via", "arrival_of", "strange_arrival")


class Via(enum.StrEnum):
    """How an event came."""

    WEBHOOK = "webhook"
    FEED = "feed"
    JOBS = "jobs"
    """Made from the list of export jobs, for an event that no webhook brought."""


class Receipt(NamedTuple):
    """What became of arrivals: how many are new, were there before, and are not events (these are among the new)."""

    new: int = 0
    seen: int = 0
    strange: int = 0


class Arrival(NamedTuple):
    """One event, or bytes that should be one. `why` says what is wrong with them; empty if they are an event."""

    body: bytes
    via: Via
    received_at: dt.datetime
    dedupe_id: str
    type: str
    time: dt.datetime
    why: str = ""

    def row(self) -> tuple[str, str, int, int, str, str, bytes]:
        """Return the values for the table `events`."""
        times = round(self.time.timestamp() * 1000), round(self.received_at.timestamp() * 1000)
        return (self.dedupe_id, self.type, *times, self.via.value, self.why, self.body)


def arrival_of(body: bytes, via: Via, received_at: dt.datetime) -> Arrival:
    """Return bytes as an arrival. If they are not an event, equal bytes count as one arrival."""
    found = read_envelope(body)
    if isinstance(found, Envelope):
        return Arrival(body, via, received_at, found.dedupe_id, found.type, found.recorded_at or received_at)
    return strange_arrival(body, via, received_at, found)


def strange_arrival(body: bytes, via: Via, received_at: dt.datetime, why: str) -> Arrival:
    """Return bytes that are not an event, or not a whole one, for the reason `why`."""
    # No id of Gladly's contains a blank, so this cannot be one.
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    return Arrival(body, via, received_at, f"not an event {digest}", "", received_at, why)
