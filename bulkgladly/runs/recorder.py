"""What a session keeps of its own pace: samples for the timeline of the run, fine at first and then coarser. Pure."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bulkgladly.journal.timeline import Sample

__all__ = ("RECORD_EVERY_S", "Costs", "Recorder")

RECORD_EVERY_S = 1.0
"""How often `look` should be called."""
_FINE_S = 60.0
_SPANS_S = (1.0, 10.0)
_FIRST_WRITE_S, _WRITE_S = 3.0, 10.0
_JUMP_S = 5.0
"""This machine's clock and the one that never jumps differ by more: it was set, or the machine slept."""
_SAMPLES_OF_A_SESSION = 10_000_000


class Costs(NamedTuple):
    """What a session has used so far: its requests, and seconds in which all were paused, by reason.

    `allowed_per_second` is the present pace; infinite if there is none.
    """

    requests: int
    throttled: int
    waits: Mapping[str, float]
    allowed_per_second: float


class Recorder:
    """Makes samples of a session from looks at its costs. A killed session loses the last ten seconds of them."""

    def __init__(
        self, session: int, counts: Mapping[str, int], *, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        """Begin now. `counts` are the outcomes before this session; `wall` returns seconds since 1970, `clock` any."""
        self._session, self._clock, self._wall = session, clock, wall
        self._began = self._seen = self._written = clock()
        self._costs = Costs(0, 0, {}, 0.0)
        self._counts = dict(counts)
        self._owed: dict[str, float] = {}
        self._closed: list[Sample] = []
        self._open = Sample(session * _SAMPLES_OF_A_SESSION, session, wall(), 0.0)

    def look(self, costs: Costs, counts: Mapping[str, int]) -> list[Sample]:
        """Note what has happened since the last look, and return the samples to write now; often none."""
        self._add(costs, counts)
        # Soon at first, so that a session of seconds is seen even if it was killed.
        every_s = min(_WRITE_S, max(_FIRST_WRITE_S, (self._seen - self._began) / 3))
        return self.unwritten() if self._seen - self._written >= every_s else []

    def unwritten(self) -> list[Sample]:
        """Return the samples that are complete, and the present one, which a later one with its `nth` replaces."""
        due = [*self._closed, self._open] if self._open.seconds else self._closed
        self._closed, self._written = [], self._seen
        return due

    def _add(self, costs: Costs, counts: Mapping[str, int]) -> None:
        now, wall = self._clock(), self._wall()
        seconds = now - self._seen
        if seconds <= 0:
            return
        if abs(wall - seconds - self._open.until) > _JUMP_S:
            self._next(wall - seconds)
        elif self._open.seconds >= _SPANS_S[self._seen - self._began >= _FINE_S] and seconds >= RECORD_EVERY_S / 2:
            # The last moment of a session is no sample of its own: its rate would be chance.
            self._next(self._open.until)
        one, requests = self._open, costs.requests - self._costs.requests
        is_paced = costs.allowed_per_second != float("inf")
        allowed = (one.allowed or 0.0) + costs.allowed_per_second * seconds if is_paced else None
        self._open = one._replace(
            seconds=one.seconds + seconds,
            requests=one.requests + requests,
            throttled=one.throttled + costs.throttled - self._costs.throttled,
            peak=max(one.peak, requests / max(seconds, RECORD_EVERY_S)),
            allowed=allowed,
            waits=self._waited(costs.waits, seconds),
            counts=_sum(one.counts, _since(self._counts, counts)),
        )
        # Copies: the caller goes on counting in the same counters.
        self._costs, self._counts, self._seen = costs._replace(waits=dict(costs.waits)), dict(counts), now

    def _next(self, at: float) -> None:
        if self._open.seconds:
            self._closed.append(self._open)
        self._open = Sample(self._open.nth + 1, self._session, at, 0.0)

    def _waited(self, waits: Mapping[str, float], seconds: float) -> dict[str, float]:
        """Return the waits of the present sample. A pause is known when it begins, and counts where it passes."""
        found = dict(self._open.waits)
        for reason, whole in waits.items():
            owed = self._owed.get(reason, 0.0) + whole - self._costs.waits.get(reason, 0.0)
            passed = max(0.0, min(seconds, owed))
            self._owed[reason] = owed - passed
            if passed:
                found[reason] = found.get(reason, 0.0) + passed
        return found


def _since(before: Mapping[str, int], counts: Mapping[str, int]) -> dict[str, int]:
    # A row that is settled again, or a commit that failed, takes back what was counted: never less than nothing.
    return {word: more for word, number in counts.items() if (more := number - before.get(word, 0)) > 0}


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {word: one.get(word, 0) + other.get(word, 0) for word in (*one, *(w for w in other if w not in one))}
