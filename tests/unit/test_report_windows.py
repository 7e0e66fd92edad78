"""Windows of days: on a fixed grid, halved where an answer is cut, read again until they are settled."""

import datetime as dt
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.gladly.report_windows import (
    Days,
    Due,
    Filters,
    Grain,
    Grid,
    Reading,
    Split,
    by_days,
    by_filters,
    due,
    grid_of,
)

DAY = dt.timedelta(days=1)
GRIDS = {
    "event": grid_of(Grain.EVENT, None),
    "thing": grid_of(Grain.THING, None),
    "daily": grid_of(Grain.BUCKET, None),
    "half-hourly": grid_of(Grain.BUCKET, "halfHourly"),
    "weekly": grid_of(Grain.BUCKET, "weekly"),
    "monthly": grid_of(Grain.BUCKET, "monthly"),
    "quarterly": grid_of(Grain.BUCKET, "quarterly"),
    "period": grid_of(Grain.PERIOD, None),
}
DATES = st.dates(dt.date(2019, 1, 1), dt.date(2030, 12, 31))
WEEK = GRIDS["thing"]


def days(first: str, last: str) -> Days:
    return Days(dt.date.fromisoformat(first), dt.date.fromisoformat(last))


def each_day(stretch: Days) -> list[dt.date]:
    return [stretch.first + at * DAY for at in range(stretch.length)]


def followed(plan: Generator[Any, bool, Any], is_cut: Callable[[Any], bool]) -> tuple[list[tuple[Any, bool]], Any]:
    """The requests of a plan, with their responses, and its result."""
    asked: list[tuple[Any, bool]] = []
    try:
        piece = next(plan)
        while True:
            asked.append((piece, is_cut(piece)))
            piece = plan.send(asked[-1][1])
    except StopIteration as end:
        return asked, end.value


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@given(day=DATES, length=st.integers(1, 200))
def test_windows_cover_every_day_once(grid: Grid, day: dt.date, length: int) -> None:
    """For any range, each of its days is in one window, and windows of two ranges never overlap in part."""
    wanted = Days(day, day + (length - 1) * DAY)

    windows = list(grid.windows(wanted))

    covered = [each for window in windows for each in each_day(window)]
    assert len(covered) == len(set(covered))
    assert set(each_day(wanted)) <= set(covered)
    assert all(grid.window_of(each) == window for window in windows for each in window)


@pytest.mark.parametrize(
    ("grid", "window"),
    [
        ("event", "2026-11-18_2026-11-18"),
        ("thing", "2026-11-16_2026-11-22"),
        ("half-hourly", "2026-11-16_2026-11-22"),
        ("daily", "2026-11-01_2026-11-30"),
        ("monthly", "2026-11-01_2026-11-30"),
        ("quarterly", "2026-10-01_2026-12-31"),
        ("period", "2026-11-01_2026-11-30"),
    ],
)
def test_windows_begin_where_people_expect_it(grid: str, window: str) -> None:
    """Weeks on Monday, months on their first day."""
    assert GRIDS[grid].window_of(dt.date(2026, 11, 18)).name == window


@pytest.mark.parametrize("grid", ["weekly", "monthly", "quarterly", "period"])
@given(day=DATES, length=st.integers(1, 100))
def test_no_bucket_is_asked_for_from_its_middle(grid: str, day: dt.date, length: int) -> None:
    """Its sums would only be those of some of its days."""
    for window in GRIDS[grid].windows(wanted := Days(day, day + (length - 1) * DAY)):
        asked = GRIDS[grid].asked(window, wanted)

        assert window.covers(asked)
        assert asked.first <= max(window.first, wanted.first)
        assert asked.first == window.first or (grid == "weekly" and asked.first.weekday() == 0)


@given(day=DATES, length=st.integers(1, 100), step=st.sampled_from([1, 7, None]), room=st.data())
def test_every_day_is_answered_once_whatever_is_cut(
    day: dt.date, length: int, step: int | None, room: st.DataObject
) -> None:
    """Uncut ranges and those that cannot be halved are all days, without overlap."""
    longest = room.draw(st.none() | st.integers(1, 40))

    asked, full = followed(
        by_days(Days(day, day + (length - 1) * DAY), step, longest), lambda _: room.draw(st.booleans())
    )

    answered = [stretch for stretch, was_cut in asked if not was_cut] + full
    assert sorted(each for stretch in answered for each in each_day(stretch)) == each_day(
        Days(day, day + (length - 1) * DAY)
    )
    assert set(full) <= {stretch for stretch, was_cut in asked if was_cut}
    assert all(step is None or stretch.length <= step for stretch in full)
    assert step is not None or len(asked) == 1


@given(volume=st.lists(st.integers(0, 30), min_size=1, max_size=60), cap=st.integers(1, 40))
def test_halving_ends_with_answers_below_the_cap(volume: list[int], cap: int) -> None:
    """Only single days stay at the cap, and exactly those with that many rows."""
    first = dt.date(2026, 1, 1)
    rows = {first + at * DAY: count for at, count in enumerate(volume)}

    asked, full = followed(
        by_days(Days(first, first + (len(volume) - 1) * DAY), 1),
        lambda stretch: sum(rows[each] for each in each_day(stretch)) >= cap,
    )

    assert [stretch.first for stretch in full] == [each for each, count in rows.items() if count >= cap]
    assert len(asked) <= 2 * len(volume) - 1


def test_a_window_is_halved_once_for_a_day_that_is_full() -> None:
    """Eight days with one busy one take seven requests, not fifteen."""
    busy = dt.date(2026, 11, 3)
    asked, full = followed(
        by_days(days("2026-11-01", "2026-11-08"), 1), lambda stretch: stretch.first <= busy <= stretch.last
    )

    assert len(asked) == 7
    assert full == [Days(busy, busy)]


def test_buckets_are_cut_between_weeks_only() -> None:
    """A week of sums stays whole."""
    asked, full = followed(by_days(days("2026-11-02", "2026-11-29"), 7), lambda _: True)

    assert {stretch.length for stretch, _ in asked} == {28, 14, 7}
    assert [stretch.first.weekday() for stretch in full] == [0, 0, 0, 0]


def test_what_an_earlier_window_taught_saves_requests() -> None:
    """Seven days that were too many before are not tried again."""
    asked, _ = followed(by_days(days("2026-11-02", "2026-11-08"), 1, 2), lambda _: False)

    assert [stretch.length for stretch, _ in asked] == [2, 2, 2, 1]


IDS = st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=7).map(tuple)


@given(inboxes=IDS, teams=IDS, room=st.data())
def test_every_value_of_a_filter_is_answered(
    inboxes: tuple[str, ...], teams: tuple[str, ...], room: st.DataObject
) -> None:
    """No value is forgotten, and none is in two responses of the same depth."""
    asked, _ = followed(
        by_filters([Split("inboxes", inboxes), Split("teams", teams)]), lambda _: room.draw(st.booleans())
    )

    def values(name: str, within: Filters, *, cut: bool | None = None) -> list[str]:
        return [
            value
            for filters, was_cut in asked
            if filters[:-1] == within and filters[-1][0] == name and (cut is None or was_cut is cut)
            for value in filters[-1][1]
        ]

    if inboxes:
        uncut, single = (
            values("inboxes", (), cut=False),
            [f for f, cut in asked if cut and len(f[-1][1]) == 1 and len(f) == 1],
        )
        assert sorted([*uncut, *(filters[0][1][0] for filters in single)]) == sorted(inboxes)
        for filters in single:
            if teams:
                assert set(values("teams", filters)) == set(teams)
    elif teams:
        assert set(values("teams", ())) == set(teams)


def test_answers_to_given_values_are_the_whole() -> None:
    """A query of two inboxes is complete when both have been read."""
    splits = [Split("inboxes", ("a", "b"), is_whole=True)]

    asked, is_whole = followed(by_filters(splits), lambda _: False)

    assert [filters for filters, _ in asked] == [(("inboxes", ("a",)),), (("inboxes", ("b",)),)]
    assert is_whole


def test_answers_to_all_known_values_need_not_be_the_whole() -> None:
    """Rows without an inbox are in none of the responses."""
    assert followed(by_filters([Split("inboxes", ("a", "b"))]), lambda _: False)[1] is False
    assert followed(by_filters([]), lambda _: False) == ([], False)


def test_one_inbox_that_is_too_full_is_cut_by_the_next_filter() -> None:
    """Inboxes first, then the channel, one at a time."""
    splits = [Split("inboxes", ("a", "b"), is_whole=True), Split("channel", ("chat", "voice"))]
    full = (("inboxes", ("b",)),)

    asked, is_whole = followed(by_filters(splits), lambda filters: filters == full)

    assert [filters for filters, _ in asked] == [
        (("inboxes", ("a",)),),
        full,
        (*full, ("channel", ("chat",))),
        (*full, ("channel", ("voice",))),
    ]
    assert not is_whole


def test_a_single_given_value_divides_nothing() -> None:
    """The response that was cut had this filter already."""
    splits = [Split("inboxes", ("a",), is_whole=True), Split("teams", ("t", "u"), is_whole=True)]

    asked, is_whole = followed(by_filters(splits), lambda _: False)

    assert [filters for filters, _ in asked] == [(("teams", ("t",)),), (("teams", ("u",)),)]
    assert is_whole


def readings(**on: str) -> dict[str, Reading]:
    """Whole weeks that were read on a day: `w0="2026-11-10"` is the week from the 2nd."""
    found = {}
    for week, day in on.items():
        window = WEEK.window_of(dt.date(2026, 11, 2) + int(week[1:]) * 7 * DAY)
        found[window.name] = Reading(window, dt.date.fromisoformat(day))
    return found


def test_all_windows_are_due_where_nothing_is_there() -> None:
    """The range is split at the edges of the windows."""
    found = list(due(WEEK, days("2026-11-05", "2026-11-17"), {}, look_back_days=3))

    assert [(each.days.first.day, each.days.last.day) for each in found] == [(5, 8), (9, 15), (16, 17)]


def test_a_window_is_due_until_it_was_read_long_after_its_last_day() -> None:
    """Gladly revises rows for some days; after that, a window is not read again."""
    wanted = days("2026-11-02", "2026-11-22")
    there = readings(w0="2026-11-12", w1="2026-11-18", w2="2026-11-23")

    found = list(due(WEEK, wanted, there, look_back_days=3))

    assert [each.window.first.day for each in found] == [9, 16]
    assert [each.window.first.day for each in due(WEEK, wanted, there, look_back_days=4)] == [2, 9, 16]
    assert [each.window.first.day for each in due(WEEK, wanted, there, look_back_days=3, refresh=True)] == [2, 9, 16]


def test_a_later_reading_covers_what_an_earlier_did() -> None:
    """A window has one range of days, so new days are added to it."""
    window = WEEK.window_of(dt.date(2026, 11, 2))
    there = {window.name: Reading(days("2026-11-02", "2026-11-03"), dt.date(2026, 12, 1))}

    assert list(due(WEEK, days("2026-11-06", "2026-11-06"), there, look_back_days=3)) == [
        Due(window, days("2026-11-02", "2026-11-06"))
    ]
    assert list(due(WEEK, days("2026-11-02", "2026-11-02"), there, look_back_days=3)) == []
