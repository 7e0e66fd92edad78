"""Which times a data set covers, and which it does not. Pure."""

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ("Coverage", "Span", "coverage_of")

Span = tuple[dt.datetime, dt.datetime]
"""From a time, included, to a time, not included."""


class Coverage(NamedTuple):
    """What is covered: spans in order of time that neither overlap nor touch."""

    spans: tuple[Span, ...]

    @property
    def since(self) -> dt.datetime | None:
        """The first time covered."""
        return self.spans[0][0] if self.spans else None

    @property
    def until(self) -> dt.datetime | None:
        """The time at which the last span ends: the first that is not covered after all that are."""
        return self.spans[-1][1] if self.spans else None

    @property
    def gaps(self) -> tuple[Span, ...]:
        """The spans between those that are covered."""
        return tuple((before[1], after[0]) for before, after in zip(self.spans, self.spans[1:], strict=False))


def coverage_of(spans: Iterable[Span]) -> Coverage:
    """Return the union of spans, whatever their order; an empty or reversed span covers nothing."""
    union: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if union and begin <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((begin, end))
    return Coverage(tuple(union))
