"""What a run takes from outside besides its options: time, chance, patience, and its doors. Tests give it others."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bulkgladly.api.client import Client
from bulkgladly.api.client_options import MAX_BODY_BYTES, Timeouts
from bulkgladly.api.retry import RetryPolicy
from bulkgladly.journal.ledger import Ledger

__all__ = ("USUAL", "Bounds", "Environment")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a run holds in memory at once."""

    rows_at_once: int = 64
    """Rows that are read in one go; few, so that the loop is never kept from a request that is due."""
    records_waiting: int = 1_000
    """Records that may stand behind others of the same customer or task; beyond that reading waits for them."""
    rows_in_order: int = 50_000
    """Rows of an input that has to be put in order before anything is sent."""
    rows_scanned: int = 1_000_000
    """Rows that are looked through for names before anything is sent; those after them are looked at in their turn."""
    replies_in_unit: int = 5_000
    """Single replies that make a unit: few enough to lie in memory, enough for parts of a useful size."""
    bytes_in_unit: int = 64 << 20
    """Or so many bytes of them, where they are large."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Time, chance and patience of a run, and what it opens its doors with.

    `clock` gives seconds that only ever grow, and `sleep` waits by it; `random` gives numbers from 0 to 1, from
    which waits are drawn. `retry` says how often and after which waits a request, or a download that broke off, is
    made again. A host that never answered is given up after `first_contact_s`. A reply that is read whole
    has at most `max_body_bytes`, and `bounds` says how much waits in memory. `client` and `ledger` make what talks
    to Gladly and what an import writes down: who gives a subclass of them sees every request and every record's
    steps, and can end the session between two of them.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random.random
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    first_contact_s: float = 30.0
    max_body_bytes: int = MAX_BODY_BYTES
    bounds: Bounds = field(default_factory=Bounds)
    client: Callable[..., Client] = Client
    ledger: Callable[..., Ledger] = Ledger


USUAL = Environment()
"""What a run takes in earnest."""
