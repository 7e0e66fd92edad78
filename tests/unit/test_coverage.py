"""Spans of time: what they cover together, and what is left out."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.lake.manifest import Span
from bulkgladly.lake.summaries import coverage_of

MIDNIGHT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def at(hour: int) -> dt.datetime:
    return MIDNIGHT + dt.timedelta(hours=hour)


def spans_of(*hours: tuple[int, int]) -> list[Span]:
    return [(at(begin), at(end)) for begin, end in hours]


@pytest.mark.parametrize(
    ("given_spans", "covered", "gaps"),
    [
        ([], [], []),
        ([(1, 3)], [(1, 3)], []),
        ([(1, 3), (3, 5)], [(1, 5)], []),
        ([(3, 5), (1, 4)], [(1, 5)], []),
        ([(1, 9), (2, 3)], [(1, 9)], []),
        ([(5, 6), (1, 3), (8, 9)], [(1, 3), (5, 6), (8, 9)], [(3, 5), (6, 8)]),
        ([(4, 4), (6, 5)], [], []),
        ([(1, 2), (3, 3), (5, 6)], [(1, 2), (5, 6)], [(2, 5)]),
    ],
)
def test_union_and_gaps(
    given_spans: list[tuple[int, int]], covered: list[tuple[int, int]], gaps: list[tuple[int, int]]
) -> None:
    """Spans that touch are one, and one that is empty or reversed covers nothing."""
    found = coverage_of(spans_of(*given_spans))

    assert list(found.spans) == spans_of(*covered)
    assert list(found.gaps) == spans_of(*gaps)
    assert (found.since, found.until) == ((at(covered[0][0]), at(covered[-1][1])) if covered else (None, None))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=12))
def test_each_hour_is_covered_or_in_a_gap_or_outside(hours: list[tuple[int, int]]) -> None:
    """Compared with a set of hours: nothing is covered twice or lost, and gaps are what lies between."""
    model = {hour for begin, end in hours for hour in range(begin, end)}

    found = coverage_of(spans_of(*hours))

    def hours_in(spans: tuple[Span, ...]) -> list[int]:
        return [hour for hour in range(31) for begin, end in spans if begin <= at(hour) < end]

    assert hours_in(found.spans) == sorted(model)
    assert hours_in(found.gaps) == [
        hour for hour in range(min(model, default=0), max(model, default=0)) if hour not in model
    ]
    assert all(one[1] < other[0] for one, other in zip(found.spans, found.spans[1:], strict=False))
