"""What a run takes from outside besides its options: time, chance, patience, and its doors. Tests give it others."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bulkgladly.journal.ledger import Ledger
from bulkgladly.transport.client import Client
from bulkgladly.transport.client_options import MAX_BODY_BYTES, Timeouts
from bulkgladly.transport.retry import RetryPolicy

__all__ = ("USUAL", "Environment")


@dataclass(frozen=True, slots=True)
class Environment:
    """Time, chance and patience of a run, and what it opens its doors with.

    `clock` gives seconds that only ever grow, and `sleep` waits by it; `random` gives numbers from 0 to 1, from
    which waits are drawn. `retry` says how often and after which waits a request, or a download that broke off, is
    made again. A host that never answered is given up after `first_contact_s`. A reply that is read whole
    has at most `max_body_bytes`. `client` and `ledger` make what talks to Gladly and what an import writes down: who
    gives a subclass of them sees every request and every record's steps, and can end the session between two of them.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random.random
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    first_contact_s: float = 30.0
    max_body_bytes: int = MAX_BODY_BYTES
    client: Callable[..., Client] = Client
    ledger: Callable[..., Ledger] = Ledger


USUAL = Environment()
"""What a run takes in earnest."""
