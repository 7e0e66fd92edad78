"""What `/healthz` says: whether events can be stored, how old the newest is, and who waits for what."""

import asyncio
import datetime as dt
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import anyio.to_thread

from bulkgladly.errors import BulkgladlyError
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.times import to_milliseconds

__all__ = ("LAST_PING", "ServerHealth")

LAST_PING = "last_ping_at"
"""The fact of the inbox that says when Gladly last tested the address."""
_LAST_CHECK = "last_health_check_at"
# Anybody can ask, so that an answer is used again for so long.
_FRESH_S = 2.0
_STORE_S = 5.0


class ServerHealth:
    """Looks at an inbox, at most every two seconds. Nothing that it tells is about a person."""

    def __init__(self, inbox: Inbox, *, now: Callable[[], dt.datetime], clock: Callable[[], float]) -> None:
        """`now` is the time of day, `clock` returns seconds that never decrease."""
        self._inbox, self._now, self._clock = inbox, now, clock
        self._found: dict[str, Any] = {}
        self._looked = -math.inf
        self._turn = asyncio.Lock()

    async def look(self, counts: Mapping[str, int]) -> dict[str, Any]:
        """Return the state as values for JSON; `is_storing` says whether something could be written just now."""
        async with self._turn:
            if self._clock() - self._looked >= _FRESH_S:
                trouble = await self._trouble()
                self._found = {
                    "is_storing": trouble is None,
                    "trouble": trouble,
                    **await anyio.to_thread.run_sync(self._read),
                }
                self._looked = self._clock()
        return {**self._found, "requests": dict(counts)}

    async def _trouble(self) -> str | None:
        """Write something, and return the kind of error if that failed."""
        try:
            async with asyncio.timeout(_STORE_S):
                await self._inbox.put([], facts={_LAST_CHECK: to_milliseconds(self._now())})
        except (BulkgladlyError, TimeoutError) as error:
            return type(error).__name__  # its text names paths, which are nobody else's business
        return None

    def _read(self) -> dict[str, Any]:
        reader = self._inbox.reader
        try:
            recorded, received = reader.newest_time(), reader.newest_receipt()
            waiting = {name: reader.waiting(seq) for name, seq in reader.cursors().items()}
            ping = reader.fact(LAST_PING)
        except BulkgladlyError as error:
            return {"reading": type(error).__name__}
        found = os.statvfs(self._inbox.path.parent)
        return {
            "last_received_at": None if received is None else to_milliseconds(received),
            "last_recorded_at": None if recorded is None else to_milliseconds(recorded),
            "seconds_since_received": self._since(received),
            "seconds_since_recorded": self._since(recorded),
            "last_ping_at": ping,
            "waiting": waiting,
            "free_bytes": found.f_bavail * found.f_frsize,
        }

    def _since(self, time: dt.datetime | None) -> float | None:
        # A clock that lags behind Gladly's would make it negative.
        return None if time is None else max(0.0, round((self._now() - time).total_seconds(), 3))
