"""Where moments lie under a plot: working time in its measure, short gaps, and labels that can be read."""

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.journal.timeline import Sample
from bulkgladly.pages.time_axis import TimeAxis, bins_of

NOON = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC).timestamp()


def samples(*spans: tuple[int, float, float]) -> list[Sample]:
    """Samples from session, begin after noon and length."""
    return [Sample(nth, session, NOON + at, seconds, 9) for nth, (session, at, seconds) in enumerate(spans)]


def axis_of(*spans: tuple[int, float, float]) -> TimeAxis:
    return TimeAxis.of(bins_of(samples(*spans))[0])


def test_one_stretch_takes_the_whole_width() -> None:
    """A run without stops, from its begin to its end."""
    axis = axis_of((1, 0, 10), (1, 10, 10), (1, 20, 20))

    assert [axis.x(NOON + at) for at in (-5, 0, 20, 40, 99)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert axis.gaps == []


def test_a_long_stop_is_a_narrow_gap() -> None:
    """Five minutes of work after three days can be seen as well as the five minutes before."""
    axis = axis_of((1, 0, 300), (2, 3 * 86400, 300))

    (gap,) = axis.gaps
    assert gap.right - gap.left == pytest.approx(0.06)
    assert gap.left == pytest.approx(0.47)
    assert axis.x(NOON + 3 * 86400 + 300) == 1.0


def test_a_short_stop_is_seen_as_well() -> None:
    """A second between two sessions of hours would be less than a pixel."""
    axis = axis_of((1, 0, 7200), (2, 7201, 7200))

    (gap,) = axis.gaps
    assert gap.right - gap.left == pytest.approx(0.012)


def test_hundreds_of_stops_leave_room_for_the_work() -> None:
    """Gaps never take more than their share."""
    axis = axis_of(*((session, session * 600, 60) for session in range(1, 250)))

    assert sum(each.right - each.left for each in axis.gaps) <= 0.31
    assert axis.stretches[-1].right == pytest.approx(1.0)


def test_a_clock_that_was_set_back_goes_on() -> None:
    """The same hour is not drawn twice, and the page can say by how much."""
    bins, back = bins_of(samples((1, 0, 600), (2, -3000, 600), (2, -2400, 600)))

    assert back == pytest.approx(3600.0)
    assert [each.begin for each in bins] == sorted(each.begin for each in bins)
    assert bins[1].begin >= bins[0].end
    assert bins[2].end - bins[1].begin == pytest.approx(1200.0)


def test_labels_are_round_times_with_their_day() -> None:
    """The day stands at the first label, and where it changes."""
    ticks = axis_of((1, 0, 86400)).ticks(dt.UTC)

    assert [(tick.time, tick.day) for tick in ticks if tick.time in ("12:00", "15:00", "00:00")][:3] == [
        ("12:00", "27 Nov"),
        ("15:00", ""),
        ("00:00", "28 Nov"),
    ]


def test_labels_are_in_the_zone_of_the_reader() -> None:
    """Also where its hours are not those of UTC."""
    ticks = axis_of((1, 0, 4 * 3600)).ticks(ZoneInfo("Asia/Kolkata"))

    assert ticks[0].time == "17:30"
    assert {tick.time[-2:] for tick in ticks} <= {"00", "30"}


@pytest.mark.parametrize("seconds", [0.001, 0.4, 1.0, 5.0])
def test_a_moment_has_a_label(seconds: float) -> None:
    """A run of less than a second has no round time in it, and still says when it was."""
    ticks = axis_of((1, 0.3, seconds)).ticks(dt.UTC)

    assert ticks
    assert ticks[0].day == "27 Nov"


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 400_000.0), st.floats(0.01, 400_000.0)), min_size=1, max_size=12))
def test_any_run_has_an_axis(stretches: list[tuple[float, float]]) -> None:
    """Labels never overlap, on a screen or on a phone, and moments stay in order."""
    at, spans = 0.0, []
    for session, (pause, length) in enumerate(stretches, 1):
        spans.append((session, at + pause, length))
        at += pause + length

    axis = axis_of(*spans)

    edges = [each.left for each in axis.stretches] + [axis.stretches[-1].right]
    assert edges == sorted(edges)
    assert edges[-1] == pytest.approx(1.0)
    ticks = axis.ticks(dt.UTC)
    for least, shown in ((0.06, ticks), (0.15, [each for each in ticks if not each.is_minor])):
        assert all(after.x - before.x >= least for before, after in itertools.pairwise(shown))
