"""The pacers of Gladly's two budgets: that of all requests, and that of reports."""

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable

from bulkgladly.api.pacer import Budget, Pacer
from bulkgladly.api.shared_turn import SharedLine
from bulkgladly.settings import Pace

__all__ = ("REPORTS", "default_pacer", "reports_pacer")

REPORTS = Budget(limit=10, per_s=60.0, max_in_flight=2, name="reports")
"""For the whole organisation, both report operations together [gladly-api, rate limits]."""


def default_pacer(
    pace: Pace,
    *,
    line: SharedLine | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    random: Callable[[], float] = random_module.random,
) -> Pacer:
    """Return the pacer of the default budget for a pace; other processes share it through the `line`.

    Raises:
        UsageError: A number cannot be a rate or a share.
    """
    rate, reserve, unlimited = pace.rate, pace.reserve, pace.unlimited
    return Pacer(rate=rate, reserve=reserve, unlimited=unlimited, line=line, clock=clock, sleep=sleep, random=random)


def reports_pacer(
    pace: Pace,
    *,
    line: SharedLine | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    random: Callable[[], float] = random_module.random,
) -> Pacer:
    """Return the pacer of the reports budget for a pace; other processes share it through the `line`.

    The reserve applies here, too. The rate is in requests per second and caps the default
    budget, which each report uses as well. Even if unlimited, only two reports are requested
    at a time.

    Raises:
        UsageError: A number cannot be a share.
    """
    reserve, unlimited = pace.reserve, pace.unlimited
    return Pacer(REPORTS, reserve=reserve, unlimited=unlimited, line=line, clock=clock, sleep=sleep, random=random)
