"""Landing events: from the inbox into the data set `events`, each once, while webhooks are acknowledged beside it.

The folder is locked for each landing only, so that dumps can write between two of them. What cannot be landed now
waits in the inbox, and is not lost.
"""

import datetime as dt
import math
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread

from bulkgladly.errors import BulkgladlyError, DataSetInUse
from bulkgladly.inbox.event_inbox import Inbox, inbox_lock
from bulkgladly.lake.folder import utc_now
from bulkgladly.realtime.one_landing import Landed, OneLanding, Place, waiting_in
from bulkgladly.runs.quiet_notes import TroubleNotes
from bulkgladly.storage.failures import os_problem

__all__ = ("CURSOR", "Landing", "LandingTimes")

CURSOR = "data set"
"""The cursor of the inbox up to which events have landed."""
_IDENTITY = "identity"


class LandingTimes(NamedTuple):
    """When a landing is due, and how long to wait in trouble; all in seconds."""

    every_s: float = 15 * 60.0
    rows: int = 10_000
    """Or when this many events wait."""
    in_use_s: float = 2.0
    """Until the next attempt while another process writes the data set."""
    trouble_s: float = 30.0
    """The same after anything else."""
    patience_s: float = 600.0
    """For how long another process may write before a person is told."""


class Landing:
    """Lands what an inbox holds. One per inbox at a time.

    A kill at any moment loses nothing and lands nothing twice: a unit says up to which arrival of which inbox it
    goes, and events that the data set has already are left out by their ids.
    """

    def __init__(
        self,
        inbox: Inbox,
        out: Path,
        host: str,
        entities: tuple[str, ...],
        *,
        note: Callable[[str], None],
        times: LandingTimes | None = None,
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        """`entities` are those that the feed is asked for, `note` tells a person something."""
        self._inbox = inbox
        self._times = times or LandingTimes()
        lock = inbox_lock(inbox.path.parent).absolute()
        self._place = Place(out, host, entities, lock, math.ceil(self._times.every_s))
        self._note = note
        self._clock = clock
        self._turn = anyio.Lock()
        self._done = 0
        self._has_landed = False
        self._told: set[str] = set()
        self._trouble = TroubleNotes(note, f"events are written to {out} again")
        self._in_use_since: float | None = None

    async def land(self) -> Landed:
        """Land all that is in the inbox now, and return what was done. Cancelled, it finishes first.

        Raises:
            DataSetInUse: Another process writes the data set.
            BulkgladlyError, OSError: The data set cannot be written, or the inbox not be used. What landed before
                that is noted, and the rest waits.
        """
        async with self._turn:
            inbox = await self._identity()
            cursor = await self._inbox.begin_cursor(CURSOR)
            waiting = await anyio.to_thread.run_sync(waiting_in, self._inbox.path, inbox, cursor)
            work = OneLanding(self._inbox.path, self._place, waiting, self._clock, may_create=not self._has_landed)
            with anyio.CancelScope(shield=True):
                try:
                    await anyio.to_thread.run_sync(work.run)
                finally:
                    await self._settle(work)
            self._has_landed = True
            self._tell_once(work.troubles)
            return work.landed

    async def _identity(self) -> str:
        """Return what tells this inbox from any other, also from one that was in its place before."""
        found = await anyio.to_thread.run_sync(self._inbox.reader.fact, _IDENTITY)
        if found is None:
            found = secrets.token_hex(16)
            await self._inbox.keep(**{_IDENTITY: found})
        return found

    async def _settle(self, work: OneLanding) -> None:
        if work.gaps:
            await self._inbox.land_gaps(work.gaps)
        # The time before the cursor: killed in between, the next landing covers too little rather than too much.
        if work.until is not None:
            await self._inbox.keep(landed_until=work.until.isoformat())
        if work.done > work.waiting.cursor:
            await self._inbox.move_cursor(CURSOR, work.done)
        self._done = max(self._done, work.done)

    # --- the loop ---

    async def run(self) -> None:
        """Land whenever it is due, until cancelled. Whatever happens, events wait in the inbox until they can land."""
        times = self._times
        while True:
            wait_s = await self._attempt()
            if wait_s is not None:
                await anyio.sleep(wait_s)
                continue
            with anyio.move_on_after(times.every_s):
                await self._inbox.wait_beyond(self._done + times.rows - 1)

    async def _attempt(self) -> float | None:
        """Land, and return None; in trouble return how long to wait before the next attempt."""
        try:
            await self.land()
        except DataSetInUse as error:
            began = self._in_use_since = self._in_use_since or anyio.current_time()
            if anyio.current_time() - began > self._times.patience_s:
                self._tell(str(error))
            return self._times.in_use_s
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the inbox must be landed whatever one attempt met
            self._tell(_said(error))
            return self._times.trouble_s
        self._in_use_since = None
        self._trouble.is_over()
        return None

    def _tell(self, trouble: str) -> None:
        self._trouble.tell(trouble, f"events wait in the inbox: {trouble}")

    def _tell_once(self, texts: Sequence[str]) -> None:
        for text in texts:
            if text not in self._told:
                self._told.add(text)
                self._note(text)


def _said(error: Exception) -> str:
    if isinstance(error, BulkgladlyError):
        return str(error).removesuffix(", then resume")  # it goes on by itself
    if isinstance(error, OSError):
        return str(os_problem(error))
    return f"internal error: {type(error).__name__}; please report it"
