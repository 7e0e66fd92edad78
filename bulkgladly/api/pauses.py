"""Notices that this process did not run for a while: stopped, moved, or on a machine that slept."""

import asyncio
from collections.abc import Callable

__all__ = ("LATE_S", "PauseWatch")

LATE_S = 1.0
"""A tick of the event loop that comes later than this tells of a pause."""
_TICK_S = 0.5


class PauseWatch:
    """Tells how long each pause was, before anything that waited through it goes on.

    A loop that wakes up runs what is due before the tasks that were woken.
    """

    def __init__(self, tell: Callable[[float], None]) -> None:
        """`tell` is given the seconds, on the loop."""
        self._tell = tell
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch the running loop."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + _TICK_S
        self._timer = loop.call_at(self._due, self._tick)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        late_s = asyncio.get_running_loop().time() - self._due
        if late_s > LATE_S:
            self._tell(late_s)
        self.start()
