"""What answers tell about a server that counts in fixed windows. Pure: time is a parameter.

All times are send times on our own clock, so no clock is compared with the server's and
no way time is estimated: an edge "at" t means that what leaves before t is counted in the
old window and what leaves after t in the new one.
"""

import math
from collections import deque
from dataclasses import dataclass

__all__ = ("Edge", "JumpFinder", "Spread", "Ticket", "Use")

# Our clock and the server's may run apart by this share; 200 ppm is far beyond NTP's slew.
_DRIFT = 0.0002


class Edge:
    """One edge of the windows, known to lie between two send times; the others follow by period."""

    __slots__ = ("_high", "_low", "period_s")

    def __init__(self, low: float, high: float, period_s: float) -> None:
        self._low, self._high, self.period_s = low, high, period_s

    @property
    def middle(self) -> float:
        """The best guess."""
        return (self._low + self._high) / 2

    @property
    def half_s(self) -> float:
        """How far the guess may be off, to either side."""
        return (self._high - self._low) / 2

    def index(self, at: float) -> int:
        """Return the number of the window that `at` lies in."""
        return math.floor((at - self.middle) / self.period_s)

    def start(self, index: int) -> float:
        """Return when a window begins."""
        return self.middle + index * self.period_s

    def contains(self, low: float, high: float) -> bool:
        """Tell whether an edge may lie between the two times."""
        nearest = self.start(round(((low + high) / 2 - self.middle) / self.period_s))
        return low - self.half_s <= nearest <= high + self.half_s

    def narrow(self, at: float, *, is_new: bool) -> None:
        """Use that a request sent at `at`, near an edge, was counted in the old or the new window."""
        here = at - round((at - self.middle) / self.period_s) * self.period_s
        if is_new:
            self._high, self._low = here, min(self._low, here)
        else:
            self._low, self._high = here, max(self._high, here)

    def widen(self, by_s: float) -> None:
        """Be less sure, by so much on either side."""
        self._low -= by_s
        self._high += by_s

    def drift(self, windows: int) -> None:
        """Let some windows pass."""
        self.widen(_DRIFT * self.period_s * windows / 2)


class JumpFinder:
    """Finds the edges: two requests sent one after the other, and the second finds far more left."""

    __slots__ = ("_answers", "_keep")

    def __init__(self, keep: int) -> None:
        self._answers: dict[int, tuple[float, int]] = {}
        self._keep = keep

    def add(
        self, number: int, sent_at: float, remaining: int, *, least: float, longest_s: float
    ) -> tuple[float, float] | None:
        """Note an answer; return the two send times around an edge where it completes such a pair.

        `number` counts the requests as sent. A pair further apart than `longest_s` says
        nothing: after a pause every kind of limiter has more left.
        """
        answers = self._answers
        answers[number] = (sent_at, remaining)
        answers.pop(number - self._keep, None)
        for first, second in ((number - 1, number), (number, number + 1)):
            before, after = answers.get(first), answers.get(second)
            if before is None or after is None:
                continue
            if after[1] - before[1] >= least and after[0] - before[0] <= longest_s:
                return before[0], after[0]
        return None


class Spread:
    """How much the round trips differ: the best we have for the jitter on the way in.

    A few answers that take long, for whatever reason, say nothing about that way: half of the
    trips decide, and the value has a ceiling.
    """

    __slots__ = ("_is_stale", "_most_s", "_trips", "_value")

    def __init__(self, keep: int = 48, *, most_s: float = 0.25) -> None:
        self._trips: deque[float] = deque(maxlen=keep)
        self._most_s = most_s
        self._is_stale = True
        self._value = 0.0

    def add(self, trip_s: float) -> None:
        """Note one round trip."""
        self._trips.append(trip_s)
        self._is_stale = True

    def value_s(self) -> float:
        """Return the spread in seconds, at most `most_s`.

        It is five times the median deviation, which is nearly the whole width where both ways
        of a trip are even between two bounds, and never more than the width without the slowest
        twentieth (new connections are slow).
        """
        if self._is_stale:
            self._is_stale = False
            trips = sorted(self._trips)
            count = len(trips)
            if count:
                middle = trips[count // 2]
                deviation = sorted([abs(trip - middle) for trip in trips])[count // 2]
                self._value = min(5 * deviation, trips[count - 1 - count // 20] - trips[0], self._most_s)
        return self._value


@dataclass(slots=True)
class Ticket:
    """One attempt: when it left, and how it was planned.

    `wider` is the ticket of the other budget that the attempt used as well.
    """

    number: int
    sent_at: float
    after_s: float = math.inf
    window: int | None = None
    is_probe: bool = False
    wider: "Ticket | None" = None


@dataclass(slots=True)
class Use:
    """Our own requests in one window, and the least that any of their answers found left."""

    sent: int = 0
    outstanding: int = 0
    answered: int = 0
    lowest: float = math.inf
    is_clear: bool = True
    """False where a request at the window's edge may belong to its neighbour."""

    def others(self, limit: float) -> float | None:
        """Return how many requests were not ours; None while that cannot be told.

        Answers overtake each other, so it cannot be told before all of them are there.
        """
        if self.outstanding or not self.answered or not self.is_clear or self.answered < self.sent:
            return None
        return max(0.0, limit - self.lowest - self.sent)
