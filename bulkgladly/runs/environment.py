"""What a run takes from outside besides its options: time, chance, patience, client and ledger. Tests pass others."""

import asyncio
import datetime as dt
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bulkgladly.api.client import Client
from bulkgladly.api.client_options import MAX_BODY_BYTES, Timeouts
from bulkgladly.api.retry import RetryPolicy
from bulkgladly.api.shared_turn import SharedBudget
from bulkgladly.budget.machine_budget import MachineBudget
from bulkgladly.journal.ledger import Ledger
from bulkgladly.pages.run_page import write_page

__all__ = ("USUAL", "Bounds", "Environment")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a run holds in memory at once."""

    rows_at_once: int = 64
    """Rows that are read at a time; few, so that reading does not delay a request that is due."""
    records_waiting: int = 1_000
    """Records that may wait for others of the same customer or task; beyond that, reading stops until some are done."""
    rows_in_order: int = 50_000
    """Most rows of an input that must be put in order before anything is sent."""
    rows_scanned: int = 1_000_000
    """Rows that are scanned for names before anything is sent; later rows are checked in their turn."""
    rows_foreseen: int = 50_000
    """Rows that are compared with earlier runs before the first request, for the estimate; in a resume a tenth."""
    replies_in_unit: int = 5_000
    """Single replies that make a unit: few enough for memory, enough for parts of a useful size."""
    bytes_in_unit: int = 64 << 20
    """Or this many bytes of them, if they are large."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Time, chance and patience of a run, and what makes its client and its ledger.

    `clock` returns seconds that never decrease, and `sleep` waits by it; `wall` returns this machine's time, which
    can be wrong; `random` returns numbers from 0 to 1, from which waits are drawn. `retry` says how often and after
    which waits a request, or a download that broke off, is repeated. A host that never replied is given up after
    `first_contact_s`. A write to the inbox waits `lock_wait_s` for another process that holds the file: Gladly
    waits 15 s for the response to a webhook. A reply that is read whole has at most `max_body_bytes`, and `bounds`
    limits what waits in memory. `client` and `ledger` create what talks to Gladly and what an import writes down: a
    test that passes a subclass sees each request and each step of a record, and can end the session between two of
    them. `budget` returns the budget that processes share, from the base URL of an organisation; without it a run
    has its pace for itself. `page` makes `report.html` in the folder of a run that has ended; None makes none.
    """

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random.random
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    first_contact_s: float = 30.0
    lock_wait_s: float = 5.0
    max_body_bytes: int = MAX_BODY_BYTES
    bounds: Bounds = field(default_factory=Bounds)
    client: Callable[..., Client] = Client
    ledger: Callable[..., Ledger] = Ledger
    budget: Callable[[str], SharedBudget] | None = None
    page: Callable[[Path], object] | None = write_page


USUAL = Environment(budget=MachineBudget)
"""The environment of a real run."""
