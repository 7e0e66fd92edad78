"""How a client behaves: how long it waits, how much it does at once, and which clock and chance it uses."""

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bulkgladly.api.retry import RetryPolicy

__all__ = ("MAX_BODY_BYTES", "USUAL_OPTIONS", "ClientOptions", "Timeouts")

MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an attempt may take: to connect, and in all until the whole reply is there.

    A reply that is read as it arrives has no total: it may take `first_byte_s` to begin (a report, which
    Gladly generates meanwhile, `report_s`), and then be silent for `stall_s` at a time.
    """

    connect_s: float = 10.0
    total_s: float = 90.0
    first_byte_s: float = 120.0
    report_s: float = 300.0
    stall_s: float = 60.0


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What a client does where Gladly does not say.

    `clock` must be the one of the pacers. `max_connections` limits the requests in flight, except reports, which
    their own budget limits. The client gives up a host that never replied after `first_contact_s`, and a later outage
    after `give_up_after_s`. At most `max_requests` of any kind leave for the organisation. A reply that is read
    whole has at most `max_body_bytes`.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    give_up_after_s: float = 3600.0
    first_contact_s: float = 30.0
    max_connections: int = 100
    max_requests: int | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random_module.random


USUAL_OPTIONS = ClientOptions()
