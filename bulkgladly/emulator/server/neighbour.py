"""Another client of the same organization, without a socket: only its demand on the budget."""

import random
from collections.abc import Iterator

__all__ = ("Neighbour",)


class Neighbour:
    """Takes `per_second` requests on average, at random moments that the seed decides.

    It does not retry: what is refused is counted and forgotten.
    """

    def __init__(self, per_second: float, *, seed: int, start: float) -> None:
        if per_second <= 0:
            raise ValueError(f"per_second is {per_second}: a neighbour takes more than 0 requests a second")
        self.per_second = per_second
        self.admitted = 0
        self.refused = 0
        self._random = random.Random(seed)  # noqa: S311  # a repeatable draw is the point
        self._next = start + self._random.expovariate(per_second)

    def arrivals_until(self, now: float) -> Iterator[float]:
        """Its moments up to now, in order, each one once."""
        while self._next <= now:
            arrival = self._next
            self._next += self._random.expovariate(self.per_second)
            yield arrival

    def note(self, *, admitted: bool) -> None:
        """Count the fate of one of its requests."""
        if admitted:
            self.admitted += 1
        else:
            self.refused += 1
