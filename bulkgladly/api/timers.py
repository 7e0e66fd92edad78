"""Timers on the event loop: one for the limits of all attempts, and one that notices when the loop stood still."""

import asyncio
from collections.abc import Callable

__all__ = ("LATE_S", "Deadline", "Deadlines", "PauseWatch")

LATE_S = 1.0
"""A tick of the event loop that comes later than this shows that the process was paused."""
_TICK_S = 0.5
_LOOKS_PER_LIMIT = 8
_LONGEST_LOOK_S = 1.0


class PauseWatch:
    """Reports how long each pause of this process was: stopped, moved, or on a machine that slept.

    It does so before anything that waited through the pause continues: a loop that wakes up runs what is due before
    the tasks that were woken.
    """

    def __init__(self, tell: Callable[[float], None]) -> None:
        """`tell` is called on the loop with the seconds of a pause."""
        self._tell = tell
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch the running loop."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + _TICK_S
        self._timer = loop.call_at(self._due, self._tick)

    def stop(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        late_s = asyncio.get_running_loop().time() - self._due
        if late_s > LATE_S:
            self._tell(late_s)
        self.start()


class Deadline:
    """One attempt's time limit. `has_passed` tells a time-out from a cancellation by the caller."""

    __slots__ = ("_cancelling", "at", "has_passed", "task")

    def __init__(self, task: "asyncio.Task[object]", at: float) -> None:
        self.task = task
        self.at = at
        self.has_passed = False
        self._cancelling = task.cancelling()

    def explains(self) -> bool:
        """Tell whether a cancellation that was caught is this time-out alone; call it once, where it was caught."""
        # `uncancel` takes back our own request to cancel. The count stays higher if the caller has cancelled as well.
        return self.has_passed and self.task.uncancel() <= self._cancelling


class Deadlines:
    """Cancels attempts that take longer than the limit, up to an eighth of it (a second at most) late.

    One timer serves all attempts, since a timer for each costs more CPU than the pacing. Time in which this process
    did not run does not count: the reply may have arrived meanwhile. All have the same limit, so they run out in the
    order in which they began.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._look_s = min(_LONGEST_LOOK_S, limit_s / _LOOKS_PER_LIMIT)
        self._open: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def begin(self) -> Deadline:
        """Start the time of an attempt of the current task. Call `end` when it is over."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an attempt needs a task of its own")
        deadline = Deadline(task, loop.time() + self._limit_s)
        self._open[deadline] = None
        if self._timer is None:
            self._look_later(loop)
        return deadline

    def end(self, deadline: Deadline) -> None:
        """Note that the attempt is over, however it ended."""
        self._open.pop(deadline, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        # The process was paused: give the time back to each attempt.
        if (late_s := now - self._due) > LATE_S:
            for deadline in self._open:
                deadline.at += late_s
        passed = []
        for deadline in self._open:
            # They are in the order in which they began, so all after this one have time left, too.
            if deadline.at > now:
                break
            passed.append(deadline)
        for deadline in passed:
            del self._open[deadline]
            deadline.has_passed = True
            deadline.task.cancel()
        self._timer = None
        if self._open:
            self._look_later(loop)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + self._look_s
        self._timer = loop.call_at(self._due, self._look)
