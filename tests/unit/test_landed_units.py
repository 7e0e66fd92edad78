"""Which units a day's unit replaces, and which time a landing covers."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bulkgladly.lake.manifest import Manifest, SideFile, Span
from bulkgladly.realtime.landed_units import (
    LandingSource,
    days_to_merge,
    gap_name,
    last_landed,
    source_of,
    span_of,
    takes_over,
    unit_name,
)

DAY = dt.date(2026, 3, 20)
NOON = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
ALL, SOME = ("CONTACT", "TASK"), ("TASK",)


def span(first: int, end: int) -> Span:
    return NOON + first * HOUR, NOON + end * HOUR


def unit(first: int, last: int, covered: Span | None = None, **changes: Any) -> Manifest:
    """The manifest of a landing of these arrivals."""
    source = LandingSource("inbox-a", first, last, DAY, ALL)._replace(**changes.pop("source", {}))
    plain = {
        "data_set": "events",
        "unit": unit_name(source),
        "schema_version": 1,
        "rows": 0,
        "lines": 0,
        "rejected": 0,
        "blank": 0,
        "parts": (),
        "written_at": NOON,
        "host": None,
        "version": "0",
        "covered": covered,
        "source": source.about(),
    }
    return Manifest(**{**plain, **changes})


def groups(units: Sequence[Manifest], today: dt.date = DAY + dt.timedelta(days=1)) -> list[tuple[Any, ...]]:
    found = days_to_merge(units, today)
    return [(one.source.first_seq, one.source.last_seq, one.covered, len(one.manifests)) for one in found]


@pytest.mark.parametrize(
    ("units", "merged"),
    [
        ([], []),
        ([unit(1, 5)], []),
        ([unit(6, 9), unit(1, 5)], [(1, 9, None, 2)]),
        ([unit(1, 5, span(0, 1)), unit(6, 6), unit(7, 9, span(1, 2))], [(1, 9, span(0, 2), 3)]),
        ([unit(1, 5, span(0, 1)), unit(6, 9, span(2, 3))], []),
        (
            [unit(1, 5, span(0, 1)), unit(6, 7, span(2, 3)), unit(8, 9, span(3, 4))],
            [(6, 9, span(2, 4), 2)],
        ),
        ([unit(1, 5), unit(6, 9, source={"entities": SOME})], []),
        ([unit(1, 5), unit(1, 5, source={"inbox": "inbox-b"})], []),
        ([unit(1, 5), unit(6, 9, source={"day": DAY - dt.timedelta(days=1)})], []),
        ([unit(1, 5), unit(6, 9, incomplete="gone")], []),
        ([unit(1, 5), unit(6, 9, others=(SideFile("raw", "p", "p", None, 1, ""),))], []),
        ([unit(1, 5), unit(6, 9, source={"day": DAY}), unit(10, 11, source={"day": DAY})], [(1, 11, None, 3)]),
    ],
)
def test_the_units_of_a_day_that_belong_together(units: Sequence[Manifest], merged: Sequence[tuple[Any, ...]]) -> None:
    """One inbox, one day, the same entities, and one span; never the day that is not over."""
    assert groups(units) == list(merged)
    assert groups(units, today=DAY) == []


@pytest.mark.parametrize("about", [{}, {"gap": []}, {"inbox": "a"}, {"inbox": "a", "first_seq": 1, "last_seq": "x"}])
def test_other_units_are_left_alone(about: dict[str, Any]) -> None:
    """Windows of a dump, gaps, and what nobody can read."""
    assert source_of(replace(unit(1, 2), source=about)) is None


def test_a_source_is_read_as_it_was_written() -> None:
    assert source_of(unit(3, 7)) == LandingSource("inbox-a", 3, 7, DAY, ALL)
    assert last_landed([unit(3, 7), unit(8, 9), unit(1, 99, source={"inbox": "b"})], "inbox-a") == 9
    assert last_landed([], "inbox-a") is None


@pytest.mark.parametrize(
    ("facts", "covered"),
    [
        ((None, None, None), None),
        ((None, NOON, None), None),
        ((NOON, None, None), None),
        ((NOON, NOON + HOUR, None), span(0, 1)),
        ((NOON, NOON + 3 * HOUR, NOON + HOUR), span(1, 3)),
        ((NOON, NOON + HOUR, NOON + HOUR), None),
        ((NOON + HOUR, NOON, None), None),
        ((NOON, NOON + HOUR, NOON - HOUR), span(0, 1)),
        ((NOON, NOON + HOUR, NOON + 9 * HOUR), None),
    ],
)
def test_the_time_since_the_last_landing(facts: tuple[Any, Any, Any], covered: Span | None) -> None:
    """And never one from before the feed's beginning."""
    assert span_of(*facts) == covered


def test_a_unit_without_rows_is_continued() -> None:
    """By one of the same inbox, day and entities whose time touches; not one with rejects."""
    old = unit(5, 4, span(0, 1))
    new = LandingSource("inbox-a", 5, 9, DAY, ALL)

    assert takes_over(old, new, span(1, 2))
    assert takes_over(old, new, None)
    assert not takes_over(old, new, span(2, 3))
    assert not takes_over(old, new._replace(entities=SOME), span(1, 2))
    assert not takes_over(unit(5, 4, others=(SideFile("rejects", "p", "p", 1, 1, ""),)), new, None)


def test_names_are_in_the_order_of_arrival() -> None:
    names = [unit_name(LandingSource("abcdefghijk", first, first, DAY, ALL)) for first in (2, 10, 100_000)]

    assert names == sorted(names)
    assert names[0] == "inbox-abcdefgh-20260320-0000000002"
    assert unit_name(LandingSource("abcdefghijk", 2, 2, DAY, ALL), 2) == f"{names[0]}-2"
    assert gap_name("abcdefghijk", span(0, 1)) == "inbox-abcdefgh-gap-20260320T120000000Z_20260320T130000000Z"
