"""Calls of a loop that a stop cuts off, at once or after a grace, and that are made again while nothing can be done."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from bulkgladly.errors import DiskFull, Fatal, JournalError, NotTrusted, Outage, TransportError, Withdrawn
from bulkgladly.runs.environment import Environment
from bulkgladly.sinks.sink_schedule import FIRST_WAIT_S, retry_wait_s

__all__ = ("STOP_GRACE_S", "StoppableCalls")

STOP_GRACE_S = 10.0
_PASSES = (DiskFull, JournalError, TransportError, Fatal, Outage, NotTrusted)
"""What is waited out: nothing is dropped because the disk is full, or because Gladly cannot be asked."""

T = TypeVar("T")


class StoppableCalls:
    """Makes the calls of one loop, one after the other."""

    def __init__(self, environment: Environment, tell: Callable[[str, float], object]) -> None:
        """`tell` gets why a call failed, and in how many seconds it is made again."""
        self._environment, self._tell = environment, tell
        self.is_stopping = False
        self._scope: anyio.CancelScope | None = None
        self._grace_s = 0.0

    def stop(self, grace_s: float) -> None:
        """Make no further calls. The one under way has its own grace to end, at most `grace_s`."""
        self.is_stopping = True
        if self._scope is not None:
            self._scope.deadline = min(self._scope.deadline, anyio.current_time() + min(self._grace_s, grace_s))

    async def within_grace(self, call: Callable[[], Awaitable[T]], *, grace_s: float = STOP_GRACE_S) -> T | None:
        """Return what a call returns; None if it was stopped and did not end within the grace."""
        if self.is_stopping:
            return None
        self._grace_s = grace_s
        try:
            with anyio.CancelScope() as self._scope:
                return await call()
            return None
        finally:
            self._scope = None

    async def rest(self, seconds: float) -> None:
        """Wait; a stop ends that at once."""
        await self.within_grace(lambda: self._environment.sleep(seconds), grace_s=0.0)

    async def patiently(self, call: Callable[[], Awaitable[T]], *, is_wanted: bool = False) -> T | None:
        """Return what a call returns, trying again while the disk or Gladly does not let it. None if stopped meanwhile.

        With `is_wanted` a stop still waits for one attempt.
        """
        failures = 0
        while True:
            try:
                if is_wanted:
                    return await call()
                return await self.within_grace(call)
            except Withdrawn:
                # The run ends: this loop is about to be stopped as well.
                await self.rest(FIRST_WAIT_S)
                return None
            except _PASSES as error:
                failures += 1
                pause_s = retry_wait_s(failures, self._environment.random)
                self._tell(str(error), pause_s)
            if self.is_stopping:
                return None
            await self.rest(pause_s)
