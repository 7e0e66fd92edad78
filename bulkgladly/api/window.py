"""What replies tell about a server that counts in fixed windows. Pure: time is a parameter.

All times are send times on our own clock, so that our clock is not compared with the server's and
the time on the network need not be estimated: an edge "at" t means that a request which leaves
before t is counted in the old window, and one that leaves after t in the new one.
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
        """By how many seconds the guess may be wrong, to either side."""
        return (self._high - self._low) / 2

    def index(self, at: float) -> int:
        """Return the number of the window that `at` lies in."""
        return math.floor((at - self.middle) / self.period_s)

    def start(self, index: int) -> float:
        """Return when a window begins."""
        return self.middle + index * self.period_s

    def contains(self, low: float, high: float) -> bool:
        """Tell whether an edge may lie between two times."""
        nearest = self.start(round(((low + high) / 2 - self.middle) / self.period_s))
        return low - self.half_s <= nearest <= high + self.half_s

    def narrow(self, at: float, *, is_new: bool) -> None:
        """Learn from a request sent at `at`, near an edge, in which window it was counted."""
        here = at - round((at - self.middle) / self.period_s) * self.period_s
        if is_new:
            self._high, self._low = here, min(self._low, here)
        else:
            self._low, self._high = here, max(self._high, here)

    def widen(self, by_s: float) -> None:
        """Be less sure, by `by_s` on either side."""
        self._low -= by_s
        self._high += by_s

    def drift(self, windows: int) -> None:
        """Be less sure after some windows, since the two clocks run apart."""
        self.widen(_DRIFT * self.period_s * windows / 2)


class JumpFinder:
    """Finds the edges: of two requests sent one after the other the second finds far more left."""

    __slots__ = ("_keep", "_replies")

    def __init__(self, keep: int) -> None:
        self._replies: dict[int, tuple[float, int]] = {}
        self._keep = keep

    def add(
        self, number: int, sent_at: float, remaining: int, *, least: float, longest_s: float
    ) -> tuple[float, float] | None:
        """Note a reply; return the two send times around an edge if it completes such a pair.

        `number` counts the requests in the order of sending. A pair further apart than `longest_s`
        proves nothing: after a pause every kind of limiter has more left.
        """
        replies = self._replies
        replies[number] = (sent_at, remaining)
        replies.pop(number - self._keep, None)
        for first, second in ((number - 1, number), (number, number + 1)):
            before, after = replies.get(first), replies.get(second)
            if before is None or after is None:
                continue
            if after[1] - before[1] >= least and after[0] - before[0] <= longest_s:
                return before[0], after[0]
        return None


class Spread:
    """How much the round trips differ: the best estimate we have of the jitter on the way to the server.

    A few slow replies say nothing about that way, whatever the reason: half of the trips
    decide, and the value has a maximum.
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

        It is five times the median deviation, which is nearly the whole width if the times of both
        ways are spread evenly between two bounds. It is never more than the width without the
        slowest twentieth, since new connections are slow.
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

    `wider` is the ticket of the other budget, if the attempt used two.
    """

    number: int
    sent_at: float
    after_s: float = math.inf
    window: int | None = None
    is_probe: bool = False
    wider: "Ticket | None" = None


@dataclass(slots=True)
class Use:
    """Our own requests in one window, and the lowest `remaining` that any of their replies named."""

    sent: int = 0
    outstanding: int = 0
    answered: int = 0
    lowest: float = math.inf
    is_clear: bool = True
    """False if a request at the window's edge may belong to its neighbour."""

    def others(self, limit: float) -> float | None:
        """Return how many requests were not ours; None while that is not known.

        Replies overtake each other, so it is not known before all of them have come.
        """
        if self.outstanding or not self.answered or not self.is_clear or self.answered < self.sent:
            return None
        return max(0.0, limit - self.lowest - self.sent)
