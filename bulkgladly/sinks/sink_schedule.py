"""When a sink is tried again, with how many events, and which of them are put aside. Pure: time and chance come in.

A sink that is down and an event that it cannot take look alike at first. So the events at once are halved until one
fails alone; it is put aside with waits of its own, and another one is tried: if that is taken, the sink is well.
"""

from collections.abc import Callable
from typing import NamedTuple

from bulkgladly.inbox.sink_progress import Failing
from bulkgladly.sinks.settling import Unsent
from bulkgladly.sinks.sinks import MOST_AT_ONCE

__all__ = ("FIRST_WAIT_S", "LONGEST_WAIT_S", "Aside", "SinkSchedule", "retry_wait_s")

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 600.0
_LONGEST_STEP_S = 2 * LONGEST_WAIT_S
_MOST_ASIDE = 1_000
_MOST_PROBES = 10
"""So many events show that it is the sink that is down; further ones are not tried."""
_REALLY_DOWN = 3


class Aside(NamedTuple):
    """An event that failed alone: what is known of it, when it may be tried again, and when it was tried last."""

    event: Unsent
    failing: Failing
    not_before: float
    tried_at: float


def retry_wait_s(failures: int, random: Callable[[], float], retry_after_s: float | None = None) -> float:
    """Return the wait after so many failures in a row, from 1 s to 10 min, half of it by chance.

    What the receiver asks for (`Retry-After`) counts if it is longer, up to 10 minutes.
    """
    wait_s = FIRST_WAIT_S * 2.0 ** min(failures - 1, 16) * (0.5 + 0.5 * random())
    asked_s = min(retry_after_s or 0.0, LONGEST_WAIT_S)
    return max(FIRST_WAIT_S, min(wait_s, LONGEST_WAIT_S), asked_s)


class SinkSchedule:
    """Keeps how a sink goes, and the events that were put aside. `now` is always a time that never goes back."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._aside: dict[int, Aside] = {}
        self._failures = 0
        self._at_once = MOST_AT_ONCE
        self._was_aside = False

    @property
    def is_down(self) -> bool:
        """Whether nothing was taken lately."""
        return self._failures > 0

    def holds(self, seq: int) -> bool:
        """Tell whether an event is put aside."""
        return seq in self._aside

    def limit(self) -> int:
        """Return with how many events that were not tried yet the sink is tried next; 0 for none."""
        if self._failures:
            return 0 if len(self._aside) >= _MOST_PROBES else 1
        return 0 if len(self._aside) >= _MOST_ASIDE else self._at_once

    def due(self, now: float) -> Aside | None:
        """Return an event that was put aside and is to be tried now, in turn with others."""
        first = min(self._aside.values(), key=lambda one: one.not_before, default=None)
        if first is None or (self._was_aside and self.limit()):
            self._was_aside = False
            return None
        # With enough events put aside, one of them shows whether the sink is well again.
        is_probe = self._failures > 0 and not self.limit()
        if first.not_before > now and not is_probe:
            return None
        self._was_aside = True
        return first

    def next_due(self) -> float | None:
        """Return when the next event that was put aside is due; None if there is none."""
        return min((one.not_before for one in self._aside.values()), default=None)

    def put_aside(
        self, event: Unsent, known: Failing, now: float, *, reason: str, give_up_s: float, retry_after_s: float | None
    ) -> Failing:
        """Let an event that failed alone wait, and return what is known of it now. The caller looks at `failed_s`."""
        earlier = self._aside.get(event.seq)
        # A process that did not run for a day has not tried for a day.
        passed_s = min(max(0.0, now - earlier.tried_at), _LONGEST_STEP_S) if earlier else 0.0
        failed_s = known.failed_s + passed_s
        failing = Failing(event.seq, known.attempts + 1, failed_s, reason)
        wait_s = retry_wait_s(failing.attempts, self._random, retry_after_s)
        # It is tried once more when its time is over, not up to 10 minutes later.
        wait_s = max(min(wait_s, give_up_s - failed_s), min(FIRST_WAIT_S, give_up_s))
        self._aside[event.seq] = Aside(event, failing, now + wait_s, now)
        return failing

    def remove(self, seq: int) -> bool:
        """Forget an event that was put aside; tell whether it was."""
        return self._aside.pop(seq, None) is not None

    def went_well(self, now: float) -> None:
        """Note that something was taken."""
        if self._failures >= _REALLY_DOWN:
            # These failed because the sink was down.
            self._aside = {seq: one._replace(not_before=now) for seq, one in self._aside.items()}
        self._failures = 0
        self._at_once = min(MOST_AT_ONCE, self._at_once * 2)

    def split(self, count: int) -> float:
        """Note that a batch failed as a whole; return how long to wait before a smaller one is tried."""
        self._at_once = max(1, count // 2)
        return FIRST_WAIT_S

    def went_wrong(self, retry_after_s: float | None) -> float:
        """Note that nothing was taken; return how long to leave the sink alone."""
        self._failures += 1
        self._at_once = 1
        return retry_wait_s(self._failures, self._random, retry_after_s)
