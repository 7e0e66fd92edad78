"""From when on the feed is requested, and what time it is at the server."""

import datetime as dt
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.realtime.feed import window_of
from bulkgladly.realtime.server_clock import ServerClock

NOW = dt.datetime(2026, 5, 2, 12, 0, tzinfo=dt.UTC)
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
EDGE = NOW - 24 * HOUR + MINUTE


def test_a_new_inbox_begins_where_the_feed_begins() -> None:
    assert window_of(None, NOW, newest=None, since=None) == (EDGE, None, EDGE)


def test_since_is_where_a_new_inbox_begins() -> None:
    assert window_of(None, NOW, newest=None, since=NOW - HOUR) == (NOW - HOUR, None, NOW - HOUR)
    assert window_of(None, NOW, newest=None, since=NOW - 90 * HOUR).begin == EDGE


def test_a_later_one_begins_shortly_before_what_is_covered_ends() -> None:
    covered = (NOW - 5 * HOUR, NOW - MINUTE)

    assert window_of(covered, NOW, newest=None, since=None) == (NOW - 2 * MINUTE, None, NOW - 5 * HOUR)


def test_what_lies_further_back_than_a_day_is_lost_and_told() -> None:
    covered = (NOW - 50 * HOUR, NOW - 30 * HOUR)

    assert window_of(covered, NOW, newest=None, since=None) == (EDGE, (NOW - 30 * HOUR, EDGE), EDGE)


def test_a_cover_that_ends_in_the_future_is_not_believed() -> None:
    covered = (NOW - 5 * HOUR, NOW + HOUR)

    assert window_of(covered, NOW, newest=NOW - HOUR, since=None).begin == NOW - HOUR - MINUTE
    assert window_of(covered, NOW, newest=None, since=None).begin == EDGE


@given(st.timedeltas(dt.timedelta(), 3 * 24 * HOUR), st.timedeltas(-2 * 24 * HOUR, 2 * HOUR), st.booleans())
def test_the_window_never_leaves_out_what_is_not_covered(
    age: dt.timedelta, end: dt.timedelta, has_newest: bool
) -> None:
    """From the end of the cover on, all is requested or told as lost."""
    covered = (NOW - 5 * 24 * HOUR, NOW + end)
    window = window_of(covered, NOW, newest=NOW - age if has_newest else None, since=None)

    told = window.gap[0] if window.gap is not None else window.begin
    assert told <= max(min(covered[1], NOW), EDGE)
    assert window.begin >= EDGE


def test_the_time_of_the_server_is_that_of_its_last_reply() -> None:
    passed = [100.0]
    clock = ServerClock(lambda: NOW + HOUR, lambda: passed[0])

    assert clock.now() == NOW + HOUR
    clock.heard({"Date": format_datetime(NOW, usegmt=True)})
    passed[0] += 30
    assert clock.now() == NOW + dt.timedelta(seconds=30)
    assert clock.difference() == HOUR - dt.timedelta(seconds=30)


def test_of_two_clocks_the_one_behind_says_what_is_covered() -> None:
    clock = ServerClock(lambda: NOW, lambda: 0.0)
    clock.heard({"Date": format_datetime(NOW + HOUR, usegmt=True)})

    assert clock.certain() == NOW
    clock.heard({"Date": format_datetime(NOW - HOUR, usegmt=True)})
    assert clock.certain() == NOW - HOUR


def test_a_date_that_is_none_or_from_a_cache_is_not_heard() -> None:
    clock = ServerClock(lambda: NOW, lambda: 0.0)
    clock.heard({"Date": "soon"})
    clock.heard({})
    clock.heard({"Date": format_datetime(NOW - HOUR, usegmt=True), "Age": "3600"})

    assert clock.now() == NOW
    assert clock.difference() is None


def test_what_the_feed_says_shows_which_clock_is_wrong() -> None:
    clock = ServerClock(lambda: NOW, lambda: 0.0)
    clock.heard({"Date": format_datetime(NOW - 30 * HOUR, usegmt=True)})
    assert clock.candidates() == [NOW - 30 * HOUR, NOW]

    clock.learn(clock.read(), after=NOW - 29 * HOUR)
    assert clock.candidates() == [clock.now()] == [clock.certain()] == [NOW]
    clock.learn(clock.read(), before=NOW + HOUR)
    assert clock.now() == NOW

    clock.heard({"Date": format_datetime(NOW, usegmt=True)})
    clock.learn(clock.read(), before=NOW + HOUR)
    clock.heard({"Date": format_datetime(NOW + HOUR, usegmt=True)})
    assert clock.certain() == NOW  # what was learned is over when the clocks agree
    clock.learn(clock.read(), before=NOW - HOUR)
    assert clock.candidates() == [NOW, NOW + HOUR]  # both cannot be wrong
