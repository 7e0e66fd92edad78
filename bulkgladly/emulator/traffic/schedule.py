"""What will happen when: actions at moments that are drawn at random."""

import heapq
import random
from collections.abc import Callable
from itertools import count

__all__ = ("Schedule",)


class Schedule:
    """A list of actions, each due some seconds from the present. Time is what the caller of `run_until` says.

    `quickness` divides all times that are drawn.
    """

    def __init__(self, draw: random.Random, *, quickness: float = 1.0) -> None:
        self._draw = draw
        self._quickness = quickness
        self._now_s = 0.0
        self._order = count()
        self._actions: list[tuple[float, int, Callable[[], None]]] = []

    @property
    def now_s(self) -> float:
        """The moment of the action that runs now, or that has run last, in seconds since the beginning."""
        return self._now_s

    def scaled(self, seconds: float) -> float:
        """Return a time as it is with the quickness."""
        return seconds / self._quickness

    def within(self, low_s: float, high_s: float, action: Callable[[], None]) -> None:
        """Run the action after a time between the two."""
        self.after(self.scaled(self._draw.uniform(low_s, high_s)), action)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run the action after exactly this time, whatever the quickness is."""
        heapq.heappush(self._actions, (self._now_s + seconds, next(self._order), action))

    def run_until(self, moment_s: float) -> float | None:
        """Run all that is due up to a moment, in order; return when the next action is due, or None."""
        while self._actions and self._actions[0][0] <= moment_s:
            self._now_s, _, action = heapq.heappop(self._actions)
            action()
        self._now_s = max(self._now_s, moment_s)
        return self._actions[0][0] if self._actions else None
