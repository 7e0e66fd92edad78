"""Rates by weekday and time: the text, the moments at which they change, and how long requests take."""

import datetime as dt
import math
import time
from zoneinfo import ZoneInfo

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.rate_schedule import RateSchedule, instant_of, local_zone, rate_text, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = "Mon-Fri 08:00 3, 20:00 9; Sat-Sun 9"


def berlin(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_the_zone_of_the_machine_knows_the_second_of_two_equal_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library knows it, and Python has a place for it."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for hour, offset in ((0, 2), (1, 1)):
            moment = dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC)
            there = moment.astimezone(local_zone())
            assert (f"{there:%H:%M}", there.utcoffset()) == ("02:30", dt.timedelta(hours=offset))
            assert there.astimezone(dt.UTC) == moment
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "moment", "rate"),
    [
        (WEEK, "2026-11-27T08:00", 3),
        (WEEK, "2026-11-27T07:59:59", 9),
        (WEEK, "2026-11-27T19:59:59", 3),
        (WEEK, "2026-11-27T20:00", 9),
        (WEEK, "2026-11-29T12:00", 9),
        (WEEK, "2026-11-30T03:00", 9),
        ("5", "2026-11-27T03:00", 5),
        ("08:00 0, 20:00 usual", "2026-11-27T03:00", None),
        ("08:00 0, 20:00 usual", "2026-11-27T13:00", 0),
        ("Fri 20:00 9", "2026-11-26T13:00", 9),
        ("sat-mon 2; tuesday,Wed 08:00 4; Thu-Fri 1", "2026-11-29T13:00", 2),
        ("sat-mon 2; tuesday,Wed 08:00 4; Thu-Fri 1", "2026-11-24T07:00", 2),
        ("sat-mon 2; tuesday,Wed 08:00 4; Thu-Fri 1", "2026-11-26T07:00", 1),
    ],
)
def test_a_rate_holds_until_the_next_one(text: str, moment: str, rate: float | None) -> None:
    """Over midnight, over the end of the week, and over days that are not named."""
    assert RateSchedule.of(text, BERLIN).at(berlin(moment)) == rate


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        (" ; ", "it is empty"),
        ("Mon", "'Mon' is not a rate"),
        ("Mon-Foo 3", "'Foo' is not a weekday"),
        ("Moonday 3", "'Moonday' is not a weekday"),
        ("08:00 3, 8:00 4", "08:00 is given twice"),
        ("Mon 3; Mon-Tue 4", "Mon is in two groups"),
        ("3; Sat 4", "Sat is in two groups"),
        ("25:00 3", "'25:00' is not a time"),
        ("Mon 3, 4", "'4' is not a time and a rate"),
        ("08:00 3,", "a rate is missing"),
        ("08:00 -3", "'-3' is not a rate"),
        ("08:00 nan", "'nan' is not a rate"),
        ("08:00 inf", "'inf' is not a rate"),
        ("08:00 0.001", "'0.001' is not a rate"),
        ("0", "nothing could ever be sent"),
        ("Mon 08:00 0; Tue 0", "nothing could ever be sent"),
    ],
)
def test_what_is_not_a_schedule_is_told_with_its_part(text: str, told: str) -> None:
    """And with an example of one."""
    with pytest.raises(UsageError) as error:
        RateSchedule.of(text, BERLIN)

    assert told in str(error.value)
    assert 'write it like "Mon-Fri' in str(error.value)


def test_it_changes_at_its_times_and_only_where_the_rate_is_another() -> None:
    """The weekend of this schedule has the rate of Friday night."""
    spans = RateSchedule.of(WEEK, BERLIN).spans(berlin("2026-11-27T19:00"))

    found = [next(spans) for _ in range(3)]

    assert [(span.end.astimezone(BERLIN).isoformat()[:16], span.rate) for span in found] == [
        ("2026-11-27T20:00", 3),
        ("2026-11-30T08:00", 9),
        ("2026-11-30T20:00", 3),
    ]
    assert RateSchedule.of("4", BERLIN).next_change(berlin("2026-11-27T19:00")) is None


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("2026-03-29T01:30", "2026-03-29T00:30+00:00"),
        ("2026-03-29T02:30", "2026-03-29T01:00+00:00"),  # skipped: the moment of the jump
        ("2026-03-29T03:00", "2026-03-29T01:00+00:00"),
        ("2026-10-25T02:30", "2026-10-25T00:30+00:00"),  # twice: the first one
        ("2026-10-25T03:00", "2026-10-25T02:00+00:00"),
    ],
)
def test_in_the_nights_in_which_clocks_change_each_time_is_one_moment(time: str, instant: str) -> None:
    """A skipped time counts when the clock jumps over it, a time that comes twice only once."""
    assert instant_of(dt.datetime.fromisoformat(time), BERLIN) == dt.datetime.fromisoformat(instant)


def test_a_night_is_as_long_as_it_is() -> None:
    """With an hour more or less, as many requests more or less."""
    schedule = RateSchedule.of("00:00 1, 06:00 0.01", BERLIN)

    for day, hours in (("2026-03-29", 5), ("2026-10-25", 7), ("2026-11-27", 6)):
        span = next(schedule.spans(berlin(f"{day}T00:00")))
        assert (span.end - span.begin, span.rate) == (dt.timedelta(hours=hours), 1)


@pytest.mark.parametrize(
    ("text", "requests", "seconds"),
    [
        (WEEK, 10, 10 / 3),
        (WEEK, 3 * 3600, 3600),
        (WEEK, 3 * 3600 + 9 * 60, 3660),
        ("Fri 18:00 0, 20:00 usual", 9, 3601),
        ("5", 5 * 86400 * 400, 86400 * 400),
    ],
)
def test_a_duration_is_the_sum_over_the_rates(text: str, requests: float, seconds: float) -> None:
    """From 19:00 on a Friday; the pace of the run caps them all."""
    schedule = RateSchedule.of(text, BERLIN)

    assert schedule.seconds_for(requests, berlin("2026-11-27T19:00"), 9.0) == pytest.approx(seconds)
    assert schedule.seconds_for(1e12, berlin("2026-11-27T19:00"), 9.0) == math.inf


def test_the_machine_has_a_zone_with_its_own_changes() -> None:
    """And a name that does not exist is told."""
    moment = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
    assert moment.astimezone(local_zone()).replace(tzinfo=None) == moment.astimezone().replace(tzinfo=None)
    assert RateSchedule.of(WEEK, local_zone()).next_change(moment) is not None
    for name in ("Europe/Nowhere", "../etc/passwd", "", "/etc/localtime"):
        with pytest.raises(UsageError, match="unknown time zone"):
            zone_of(name)


@pytest.mark.parametrize(("rate", "text"), [(None, "the usual pace"), (0.0, "no requests"), (3.0, "3 requests/s")])
def test_a_rate_is_told_in_words(rate: float | None, text: str) -> None:
    """As the log has it."""
    assert rate_text(rate) == text
