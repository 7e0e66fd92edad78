"""The plan for a server that counts in fixed windows whose edges are known. Pure.

Each window gets what it allows, evenly spread, at some distance from its edges. Now and then
the last request of a window is sent right at the estimated edge, as a probe: its reply tells in
which window it was counted, so on which side the edge lies. In neither case is it one too many.
"""

from collections import deque
from collections.abc import Iterable

from bulkgladly.api.window import Edge, Spread, Ticket, Use

__all__ = ("GRACE_S", "WindowPlan")

GRACE_S = 0.005
"""A moment that passed less than this ago is still used, since event loops wake up late."""

_CLEAR_S = 0.03
_MOST_CLEAR = 0.25
_BLURRED = 0.2
_PROBE_EVERY = 8
_PROBE_ABOVE_S = 0.015
_LEAST_TO_PROBE = 4
_UNJUDGED = 3
_SHARED_FOR = 6
_OTHERS_WEIGHT = 0.3
_REFUSAL_WIDENS_S = 0.005
_KEPT_WINDOWS = 4


class WindowPlan:
    """When to send within windows, and whether other clients use them too.

    Chapters: the present state, the moments of one window, what happened, and what is learned from it.
    """

    def __init__(self, edge: Edge, limit: float, now: float, *, recent: Iterable[float]) -> None:
        """Begin in the present window, to which some of the `recent` send times may belong."""
        self.limit = limit
        self._edge = edge
        self._window = edge.index(now)
        since = edge.start(self._window) - edge.half_s
        self._carried = sum(at >= since for at in recent)
        self._judged_from = self._window + _UNJUDGED
        self._slots: deque[float] = deque()
        self._quota = 0
        self._credit = 0.0
        self._is_begun = False
        self._uses: dict[int, Use] = {}
        self._others = 0.0
        self._shared_until = self._window - 1
        self._confirmed_in = self._window
        self._refutations = 0
        self._probed_in = self._window
        self._is_probing = False
        self._withheld = 0

    # --- the present state ---

    @property
    def is_shared(self) -> bool:
        """Whether other clients used one of the last windows."""
        return self._window <= self._shared_until

    @property
    def is_blurred(self) -> bool:
        """Whether the edges are too uncertain to plan with, as after a long rest."""
        return self._edge.half_s > _BLURRED * self._edge.period_s

    # --- the moments of one window ---

    def next_at(self, now: float, allowed: float, spread: Spread) -> float:
        """Return when the next request may leave; up to `now` means now."""
        while True:
            while self._slots and self._slots[0] < now - GRACE_S:
                self._slots.popleft()
            if not self._slots:
                self._plan_next(now, allowed, spread)
            elif self._slots[0] > now or not self._is_blocked():
                return self._slots[0]
            else:
                self._slots.popleft()

    def _plan_next(self, now: float, allowed: float, spread: Spread) -> None:
        window = max(self._window + self._is_begun, self._edge.index(now))
        self._is_begun = True
        self._edge.drift(window - self._window)
        self._judge(self._window)
        self._withheld = int(self._is_probing)
        self._uses = {k: use for k, use in self._uses.items() if k > window - _KEPT_WINDOWS}
        self._uses[window] = Use(sent=self._carried, is_clear=not (self._is_probing or self._carried))
        self._window = window
        self._credit += allowed
        # The rest of a fraction goes into the next window, so that 7.5 a second become 15 in two.
        self._quota = int(self._credit + 1e-9)
        self._credit -= self._quota
        if self.is_shared:
            self._quota = min(self._quota, max(1, int(self.limit - self._others)))
        self._is_probing = self._wants_probe()
        self._slots.extend(self._lay_out(spread))
        while self._carried and len(self._slots) > max(0, self._quota - self._carried):
            self._slots.popleft()
        self._carried = 0

    def _wants_probe(self) -> bool:
        return (
            self._edge.half_s > _PROBE_ABOVE_S
            and self._window >= self._probed_in + _PROBE_EVERY
            and self._quota >= _LEAST_TO_PROBE
            and not self.is_shared
        )

    def _lay_out(self, spread: Spread) -> list[float]:
        start, period_s, count = self._edge.start(self._window), self._edge.period_s, self._quota
        clear_s = min(_MOST_CLEAR * period_s, self._edge.half_s + spread.value_s() / 2 + _CLEAR_S)
        if count < 2:
            return [start + period_s / 2] * count
        step_s = (period_s - 2 * clear_s) / (count - 1)
        slots = [start + clear_s + i * step_s for i in range(count)]
        if self._is_probing:
            slots[-1] = start + period_s
        return slots

    def _is_blocked(self) -> bool:
        use = self._uses[self._window]
        if self._withheld and len(self._slots) == 1:
            return True
        if not self.is_shared:
            return use.lowest <= 0
        if not use.answered:
            return use.sent >= max(1, self._quota / 2)
        return use.lowest - use.outstanding <= 1

    # --- what happened ---

    def sent(self, ticket: Ticket) -> None:
        """Use the moment that `next_at` returned."""
        use = self._uses[self._window]
        ticket.window = self._window
        ticket.is_probe = self._is_probing and len(self._slots) == 1
        if ticket.is_probe:
            self._probed_in = self._window
            use.is_clear = False
        if self._slots:
            self._slots.popleft()
        use.sent += 1
        use.outstanding += 1

    def lost(self, ticket: Ticket) -> None:
        """Note that a request has no reply; its window is not judged."""
        use = self._uses.get(ticket.window) if ticket.window is not None else None
        if use is not None:
            use.outstanding -= 1
            use.is_clear = False

    def answered(self, ticket: Ticket, *, refused: bool, remaining: int | None) -> bool:
        """Learn from a reply; return whether it shows that the edges are elsewhere."""
        use = self._uses.get(ticket.window) if ticket.window is not None else None
        if use is None or ticket.window is None:
            return False
        use.outstanding -= 1
        if refused:
            use.sent -= 1
            use.lowest = 0
            return self._refused(ticket.window)
        if ticket.is_probe:
            self._learn_from_probe(ticket, use, remaining)
        elif remaining is not None:
            use.answered += 1
            use.lowest = min(use.lowest, remaining)
            if ticket.window < self._window:
                self._judge(ticket.window)
        return False

    # --- what is learned from it ---

    def _refused(self, window: int) -> bool:
        if not self.is_shared and self._confirmed_in < window - 2:
            return True
        # The edges were seen lately where we expect them, so another client fills the window, or
        # the line jitters more than we estimate.
        self._shared_until = window + _SHARED_FOR
        self._edge.widen(_REFUSAL_WIDENS_S)
        return False

    def _learn_from_probe(self, ticket: Ticket, use: Use, remaining: int | None) -> None:
        if remaining is None:
            return
        # In the old window it finds what `use.sent` requests have left over; in the new one it is the first.
        is_new = remaining > self.limit - (use.sent + 1) / 2
        self._edge.narrow(ticket.sent_at, is_new=is_new)
        if not is_new:
            self._withheld = 0

    def _judge(self, window: int) -> None:
        use = self._uses.get(window)
        others = None if use is None else use.others(self.limit)
        if use is None or others is None:
            return
        use.is_clear = False
        if window < self._judged_from:
            return
        self._others += _OTHERS_WEIGHT * (others - self._others)
        if others >= 1:
            self._shared_until = window + _SHARED_FOR

    def is_refuted_by(self, low: float, high: float) -> bool:
        """Return whether a jump of `remaining` between two send times proves the edges wrong.

        A single jump elsewhere may be a late packet; two in a row are not.
        """
        if self._edge.contains(low, high):
            self._confirmed_in = self._window
            self._refutations = 0
        else:
            self._refutations += 1
        return self._refutations >= 2
