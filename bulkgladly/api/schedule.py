"""When the next request may leave: as much of the limit as is safe, however the server counts.

Pure: time is a parameter, nothing waits. The schedule starts evenly spaced. If the server counts in
fixed windows, it finds their edge from the `remaining` header, and then sends what a window allows
at some distance from its edges; else it stays evenly spaced, just below the limit. All moments lie
on an absolute time line: a late wake-up delays one request and not all that follow, and what was
missed in a stall is not made up for.

Beside other processes of ours the moments are reserved elsewhere, and the schedule only says how far they must be
apart. If it cannot be found out whether there are any, it uses a fixed part of the limit.
"""

import enum
import math
from collections import deque
from typing import Literal

from bulkgladly.api.window import Edge, JumpFinder, Spread, Ticket
from bulkgladly.api.window_plan import GRACE_S, WindowPlan
from bulkgladly.messages import PaceNews

__all__ = ("Pacing", "Schedule", "Standing")

Standing = Literal["alone", "company", "away", "unknown"]
"""Whether other processes of ours use the same budget; `away` if that cannot be found out, `unknown` by now."""

LEARNING_SHARE = 0.85
EVEN_SHARE = 0.975
# The part of the round trips' spread that counts as jitter on the way to the server; on a quiet
# line it is too small to matter beside EVEN_SHARE.
_JITTER_PART = 0.6
_LOOP_JITTER_S = 0.004
_EASE_DOWN = 0.92
_EASE_UP_PER_S = 0.01
_LEAST_EASE = 0.1
# The part of the limit that is used if other processes cannot be asked for theirs: four of them still fit.
_AWAY_PART = 0.25
# A limit header above this many times the documented limit counts as a mistake: believing it would
# take their share from the organisation's other clients.
_MOST_LIMITS = 10
# Below this limit a jump by half of it means nothing.
_LEAST_LIMIT = 4
# After this many periods without an edge the windows are taken not to be fixed. A mistake costs
# little: an edge that shows later is used all the same.
_LEARNING_PERIODS = 1.7
# After this many periods of replies that all find half the limit left, the server is taken to use a
# bucket that drains while we send. It absorbs jitter, so the limit itself is safe until less is left.
_DRAINING_PERIODS = 1.5


class Pacing(enum.Enum):
    """How the requests are spread."""

    FREE = "free"
    LEARNING = "learning"
    EVEN = "even"
    WINDOW = "window"
    SHARED = "shared"


class Schedule:
    """The plan of one budget. Call `next_at`, then `sent`, then `answered` or `lost`.

    Chapters: how fast and when, what happened, the limit and our share of it, other processes, the edges of the
    server's windows.
    """

    def __init__(
        self,
        limit: float,
        *,
        per_s: float = 1.0,
        rate: float | None = None,
        reserve: float = 0.1,
        is_unlimited: bool = False,
    ) -> None:
        self.limit = self._documented = limit
        self._most_limit = math.inf if is_unlimited else _MOST_LIMITS * limit
        self.mode = Pacing.FREE if is_unlimited else Pacing.LEARNING
        self._period_s = per_s
        self._rate, self._reserve = rate, reserve
        self._has_header = False
        self._is_unguided = False
        self._is_unlimited = is_unlimited
        self._standing, self._part = "alone", 1.0
        self._number = 0
        self._last_sent_at = -math.inf
        self._due = -math.inf
        self._ease, self._eased_at = 1.0, 0.0
        self._spread = Spread()
        self._paused_until = -math.inf
        self._learned = 0
        self._roomy = 0
        self._jumps = JumpFinder(keep=64)
        self._found: tuple[float, float] | None = None
        self._windows: WindowPlan | None = None
        self._recent: deque[float] = deque(maxlen=64)
        if per_s != 1.0 and not is_unlimited:
            # The headers speak of seconds; nothing can be learned about another period.
            self.mode = Pacing.EVEN

    # --- how fast, and when ---

    @property
    def others_share(self) -> bool:
        """Whether other clients were seen using the same budget lately."""
        return self.mode is Pacing.SHARED or (self._windows is not None and self._windows.is_shared)

    def rate(self, now: float) -> float:
        """Return the present requests per second; infinite if nothing is paced."""
        if self.mode is Pacing.FREE:
            return math.inf
        if self.mode is Pacing.WINDOW:
            return self._allowed(now) / self._period_s
        if self.mode is Pacing.SHARED:
            return min(1 / self.shared_gap_s(now), self._rate or math.inf)
        return 1 / self._gap_s(now)

    @property
    def ceiling(self) -> float:
        """The most requests per second that are allowed: the rate, and the limit less the reserve."""
        if self.mode is Pacing.FREE:
            return math.inf
        if self._is_unguided:
            return self.limit / self._period_s
        share = self.limit * (1 - self._reserve) / self._period_s
        return share if self._rate is None else min(share, self._rate)

    def next_at(self, now: float) -> float:
        """Return when the next request may leave; a time up to `now` means now.

        If it is later, ask again then: replies may have changed the plan.
        """
        if self._windows is not None:
            at = self._windows.next_at(now, self._allowed(now), self._spread)
            if not self._windows.is_blurred:
                return at
            self._learn_again(now)
        return self._due

    # --- what happened ---

    def sent(self, now: float) -> Ticket:
        """Note that a request leaves now, and return its ticket."""
        self._number += 1
        ticket = Ticket(self._number, now, now - self._last_sent_at)
        if self.mode is Pacing.FREE:
            return ticket
        self._last_sent_at = now
        self._recent.append(now)
        if self._windows is not None:
            self._windows.sent(ticket)
        else:
            gap_s = self._gap_s(now)
            # Beside others a request waits for its moment besides; its own rate must not lose by that.
            grace_s = gap_s / 2 if self.mode is Pacing.SHARED else GRACE_S
            is_on_time = now - self._due <= grace_s
            # Gaps shorter than the grace are made up for within it; otherwise late wake-ups would add up.
            self._due = (self._due if is_on_time else now - max(0.0, GRACE_S - gap_s)) + gap_s
        return ticket

    def lost(self, ticket: Ticket) -> None:
        """Note that a request has no reply; nothing is learned from it."""
        if self._windows is not None:
            self._windows.lost(ticket)

    def paused(self, now: float) -> None:
        """Note that this process did not run until now: the round trips of requests in flight mean nothing."""
        self._paused_until = now

    def answered(self, ticket: Ticket, now: float, *, refused: bool, limit: int | None, remaining: int | None) -> None:
        """Learn from a reply: whether it was a 429, and what its headers say."""
        self._follow_limit(limit, refused=refused)
        if self.mode is Pacing.FREE:
            return
        if remaining is not None:
            remaining = min(remaining, int(self.limit))
        if self._period_s == 1.0 and ticket.sent_at > self._paused_until:
            # Replies of a budget with another period (reports) take minutes, which is not jitter on the way in.
            self._spread.add(now - ticket.sent_at)
        is_relearning = False
        if self._windows is not None:
            is_relearning = self._windows.answered(ticket, refused=refused, remaining=remaining)
        if refused:
            self._ease = max(_LEAST_EASE, self._ease_now(now) * _EASE_DOWN)
            self._eased_at = now
        if is_relearning:
            self._learn_again(now)
        elif self._period_s == 1.0 and self._standing == "alone":
            self._look_for_edge(ticket, now, remaining)

    # --- the limit, and our share of it ---

    def _follow_limit(self, limit: int | None, *, refused: bool) -> None:
        if self._period_s != 1.0:
            return
        if limit is None or not 1 <= limit <= self._most_limit:
            is_guided = self._has_header or self._is_unguided or self.mode is Pacing.FREE or self._rate is None
            is_guided = is_guided or self._standing != "alone"
            if not is_guided and not refused and self._rate is not None:
                # The server names no limit, but the user named a rate: use that, up to the documented limit.
                self._is_unguided = True
                self.limit = min(self.limit, self._rate * self._period_s)
                self.mode = Pacing.EVEN
            return
        if self._has_header and limit == self.limit:
            return
        # Jumps that were seen under another limit prove nothing: forget them.
        self._has_header, self._is_unguided = True, False
        self.limit = limit
        self._jumps = JumpFinder(keep=max(64, 2 * limit))
        self._recent = deque(self._recent, maxlen=max(64, 2 * limit))
        if self._windows is not None:
            self._windows.limit = limit
        elif self._standing == "alone":
            self._learned = 0
            self.mode = Pacing.LEARNING

    def _allowed(self, now: float) -> float:
        """Return how many requests per period of the limit we may use."""
        if self._is_unguided:
            return self.limit * self._ease_now(now)
        allowed = self.limit * (1 - self._reserve)
        if self._rate is not None:
            allowed = min(allowed, self._rate * self._period_s)
        return min(allowed, self.limit * self._part) * self._ease_now(now)

    def _ease_now(self, now: float) -> float:
        if self._ease >= 1.0:
            return 1.0
        return min(1.0, self._ease + _EASE_UP_PER_S * (now - self._eased_at))

    def _gap_s(self, now: float) -> float:
        if self.mode is Pacing.SHARED:
            return 0.0 if self._rate is None else 1 / self._rate
        share = 1.0
        if not self._is_unguided:
            share = self._even_share()
            if self._roomy >= _DRAINING_PERIODS * self.limit:
                share = 1.0
            elif self.mode is Pacing.LEARNING:
                share = min(share, LEARNING_SHARE)
        return self._period_s / min(self._allowed(now), self.limit * share * self._ease_now(now))

    def _even_share(self) -> float:
        jitter_s = _JITTER_PART * self._spread.value_s() + _LOOP_JITTER_S
        return min(EVEN_SHARE, self._period_s / (self._period_s + jitter_s))

    def set_rate(self, now: float, rate: float | None) -> None:
        """Cap the requests per second from now on, or lift the cap with None.

        The next request is a whole gap of the new rate after the last one, so no window gets more than before or
        after the change.
        """
        if rate == self._rate:
            return
        before, self._rate = self._allowed(now), rate
        if self._is_unguided or self.mode is Pacing.FREE:
            self._set_unguided_rate(rate)
        is_every_window_used = min(before, self._allowed(now)) >= 1
        if self._windows is None or not is_every_window_used:
            # A plan at less than one request a window reaches far ahead, so it is made again from here.
            if self._windows is not None:
                self._learn_again(now)
            gap_s = 0.0 if self.mode is Pacing.FREE else self._gap_s(now)
            self._due = max(now, self._last_sent_at + gap_s)

    def _set_unguided_rate(self, rate: float | None) -> None:
        """Follow a rate where no header has named a limit: it is the limit then."""
        most = math.inf if self._is_unlimited else self._documented * (1 - self._reserve)
        if rate is not None:
            self._is_unguided, self.limit, self.mode = True, min(most, rate * self._period_s), Pacing.EVEN
        else:
            self._is_unguided, self.limit = False, self._documented
            self.mode = Pacing.FREE if self._is_unlimited else Pacing.LEARNING

    # --- other processes ---

    def share(self, now: float, standing: Standing) -> None:
        """Follow whether other processes use the budget: alone, company, or away (that cannot be found out)."""
        if standing == self._standing or self.mode is Pacing.FREE:
            return
        self._standing = standing
        self._part = _AWAY_PART if standing == "away" else 1.0
        # Beside a budget with another period there are no windows to know, and the even line stays what it is.
        if self._period_s == 1.0:
            self._due = max(now, self._last_sent_at + self.shared_gap_s(now))
            self._learn_again(now)
            if standing != "alone":
                self._is_unguided, self.limit = False, self._documented if self._is_unguided else self.limit
                self.mode = Pacing.SHARED if standing == "company" else Pacing.EVEN

    def shared_gap_s(self, now: float) -> float:
        """Return how far the requests of all processes together must be apart, as far as this one is concerned."""
        share = min(self._even_share(), 1 - self._reserve)
        return self._period_s / (self.limit * share * self._ease_now(now))

    def adopt(self, now: float, news: PaceNews) -> None:
        """Believe what another process was told by the server, as far as it is slower.

        A higher limit is learned from the next own reply: what was told may be old.
        """
        if news.limit is not None and news.limit < self.limit:
            self._follow_limit(news.limit, refused=False)
        theirs = min(1.0, news.ease + _EASE_UP_PER_S * news.eased_for_s)
        if theirs < self._ease_now(now):
            self._ease, self._eased_at = max(_LEAST_EASE, theirs), now

    def told(self, now: float) -> tuple[int | None, float]:
        """Return what others should know: the limit that the server names, if it does, and the eased share of it."""
        return int(self.limit) if self._has_header else None, self._ease_now(now)

    # --- the edges of the server's windows ---

    def _look_for_edge(self, ticket: Ticket, now: float, remaining: int | None) -> None:
        # Once the windows are known, the widest gap is around the edge: a pair there may be further apart.
        is_known = self._windows is not None
        longest_s = (0.6 if is_known else 2.5 / (LEARNING_SHARE * self.limit)) * self._period_s
        jump = None
        if remaining is not None and self.limit >= _LEAST_LIMIT:
            jump = self._jumps.add(ticket.number, ticket.sent_at, remaining, least=self.limit / 2, longest_s=longest_s)
        if self._windows is not None:
            if jump is not None and self._windows.is_refuted_by(*jump):
                self._learn_again(now)
            return
        if ticket.after_s <= longest_s:
            self._learned += 1
        self._roomy = self._roomy + 1 if remaining is not None and remaining >= self.limit / 2 else 0
        if jump is not None:
            self._note_jump(*jump)
        if self._found is not None and ticket.sent_at > self._found[1] + self._period_s / 4:
            self._use_windows(now)
        elif self.mode is Pacing.LEARNING and self._learned >= _LEARNING_PERIODS * LEARNING_SHARE * self.limit:
            self.mode = Pacing.EVEN

    def _note_jump(self, low: float, high: float) -> None:
        """Keep one pair of times; if replies overtook each other, one edge shows several jumps."""
        if self._found is not None and abs(low - self._found[0]) < self._period_s / 4:
            low, high = min(low, self._found[0]), max(high, self._found[1])
        self._found = None if high - low > self._period_s / 2 else (low, high)

    def _use_windows(self, now: float) -> None:
        if self._found is None:
            return
        edge = Edge(*self._found, self._period_s)
        self._found = None
        self.mode = Pacing.WINDOW
        self._windows = WindowPlan(edge, self.limit, now, recent=self._recent)

    def _learn_again(self, now: float) -> None:
        self.mode = Pacing.LEARNING
        self._windows = None
        self._found = None
        self._learned = 0
        self._due = max(self._due, now)
