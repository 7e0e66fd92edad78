"""The time by which a run must be done: what a text means, what fits, and when a run is late."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.runs.finish_by import CannotFinish, FinishBy, finish_time_of
from bulkgladly.runs.observer import Estimate, RunView
from bulkgladly.settings import Foreseen, Pace

NOW = dt.datetime(2026, 11, 27, 19, 0, tzinfo=dt.UTC)


def here(text: str) -> dt.datetime:
    """A time on this machine's clock."""
    return dt.datetime.fromisoformat(text).astimezone()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("06:00", "2026-11-28T06:00"),
        ("6:00", "2026-11-28T06:00"),
        ("23:15", "2026-11-27T23:15"),
        ("2026-12-01T06:00", "2026-12-01T06:00"),
        ("2026-12-01 06:00:30", "2026-12-01T06:00:30"),
    ],
)
def test_a_time_is_the_next_one_on_the_clock_of_the_machine(text: str, moment: str) -> None:
    """Today if it is still to come, else tomorrow; or a date and a time."""
    assert finish_time_of("--finish-by", text, here("2026-11-27T19:00")) == here(moment)


@pytest.mark.parametrize(
    ("text", "now", "moment"),
    [
        ("02:30", "2026-03-29T00:30", "2026-03-29T01:00"),  # skipped: at the jump, at which it is 03:00
        ("02:30", "2026-03-29T01:00", "2026-03-30T00:30"),
        ("2026-03-29T02:30", "2026-03-29T00:30", "2026-03-29T01:00"),
        ("02:30", "2026-10-25T00:00", "2026-10-25T00:30"),  # 02:00 in summer time: the first of the two
        ("02:30", "2026-10-25T00:45", "2026-10-25T01:30"),  # 02:45 in summer time: the second
        ("2026-10-25T02:30", "2026-10-25T00:45", "2026-10-25T01:30"),
        ("02:30", "2026-10-25T01:30", "2026-10-26T01:30"),
        ("06:00", "2026-10-24T20:00", "2026-10-25T05:00"),
    ],
)
def test_in_the_nights_in_which_clocks_change_the_next_moment_is_meant(text: str, now: str, moment: str) -> None:
    """A time that is skipped is not refused, and one that comes twice is not put off to the next day."""
    found = finish_time_of("--finish-by", text, utc(now), zone=ZoneInfo("Europe/Berlin"))
    assert found == utc(moment)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def test_a_time_that_has_passed_twice_is_refused() -> None:
    """Once is not enough."""
    with pytest.raises(UsageError, match="has passed"):
        finish_time_of("--finish-by", "2026-10-25T02:30", utc("2026-10-25T01:30"), zone=ZoneInfo("Europe/Berlin"))


def test_the_clock_of_the_machine_may_jump_in_a_run() -> None:
    """The moment stays the same: a jump forward takes from what is left, and a jump back gives it back."""
    now = [NOW]
    deadline = FinishBy(NOW + dt.timedelta(hours=2), lambda: now[0])
    assert deadline.seconds_left() == 7200
    now[0] = NOW + dt.timedelta(hours=1)
    assert deadline.seconds_left() == 3600
    now[0] = NOW - dt.timedelta(hours=1)
    assert deadline.seconds_left() == 10800


def test_an_offset_counts_where_it_is_given() -> None:
    """Also `Z`."""
    assert finish_time_of("--finish-by", "2026-11-28T06:00+05:30", NOW).isoformat() == "2026-11-28T00:30:00+00:00"
    assert finish_time_of("--finish-by", "2026-11-28T06:00Z", NOW).isoformat() == "2026-11-28T06:00:00+00:00"


@pytest.mark.parametrize(
    "text", ["", "24:00", "6", "06.00", "tomorrow", "2026-11-28", "20261128", "06:60", "1:2:3", "06:0x"]
)
def test_what_is_not_a_time_is_refused(text: str) -> None:
    """A date alone could mean its beginning or its end."""
    with pytest.raises(UsageError, match="use a time such as 06:00"):
        finish_time_of("--finish-by", text, NOW)


def test_a_time_that_has_passed_is_refused() -> None:
    """It would stop the run at once."""
    with pytest.raises(UsageError, match="has passed"):
        finish_time_of("--finish-by", "2026-11-27T18:59Z", NOW)


def estimate(low: int, high: int, *, pace: Pace | None = None, is_exact: bool = True) -> Estimate:
    foreseen = (pace or Pace()).foreseen(NOW)
    return replace(Estimate.of((1, 1), low, is_exact, foreseen), requests_high=high)


def test_what_cannot_be_done_is_refused_with_what_it_would_take() -> None:
    """Nine a second for an hour are 32,400."""
    by = FinishBy(NOW + dt.timedelta(hours=1), lambda: NOW)

    assert by.judge(estimate(32_000, 32_000)) is None
    assert "may not be done by" in (by.judge(estimate(32_000, 64_000)) or "")
    with pytest.raises(
        CannotFinish, match=r"36,000 requests at 9/s take 1 h 07 min .* takes 10\.0 requests/s.*--limit 32400 "
    ):
        by.judge(estimate(36_000, 36_000), part="pass --limit {} to import a part")
    assert by.judge(estimate(33_000, 33_000, is_exact=False)) is not None, "an estimate of rows is not that exact"
    assert FinishBy(None, lambda: NOW).judge(estimate(10**9, 10**9)) is None


def test_the_schedule_decides_what_fits() -> None:
    """At night more fits than the present rate would allow."""
    night = Pace(schedule="08:00 1, 20:00 9", zone="UTC")
    by = FinishBy(NOW + dt.timedelta(hours=2), lambda: NOW)

    assert by.judge(estimate(36_000, 36_000, pace=night)) is None
    with pytest.raises(CannotFinish, match="by --rate-schedule take"):
        by.judge(estimate(36_100, 36_100, pace=night))


def view(eta_s: float | None, **changes: float) -> RunView:
    shown = RunView("r", {}, 500, 1000, True, 100.0, 500, 9.0, 9.0, 1, 0, None, 0.0, eta_s)
    return replace(shown, **changes)  # type: ignore[arg-type]


def test_a_late_run_is_told_once_and_again_when_it_is_in_time() -> None:
    """What lies within a twentieth is not told, so that the line does not flicker."""
    by = FinishBy(NOW + dt.timedelta(hours=1), lambda: NOW)

    told = [by.behind_text(view(eta_s)) for eta_s in (None, 3500, 3700, 3900, 4000, 3700, 3500, 3500)]

    assert [(line or "").partition(" ")[0] for line in told] == ["", "", "", "behind:", "", "", "in", ""]
    assert by.behind_text(view(9999, seconds=30.0)) is None, "too early to know"
    assert by.behind_text(view(9999, done=20)) is None, "too little to know"


def test_an_estimate_says_when_it_is_done() -> None:
    """On the clock of the machine, if that is worth telling; with a schedule instead of a rate."""
    at = (NOW + dt.timedelta(hours=1)).astimezone()
    assert estimate(32_400, 32_400).effort() == f"32,400 requests, 1 h 00 min at 9/s, done at about {at:%H:%M}"
    assert estimate(9, 9).effort() == "9 requests, 1 s at 9/s"
    night = Pace(schedule="08:00 1, 20:00 9", zone="UTC")
    assert "1 h 00 min by --rate-schedule" in estimate(3_600, 3_600, pace=night).effort()
    assert Foreseen(9.0, NOW).end_of(9 * 3600) == at
    operations = replace(estimate(4, 4), operations={"createCustomer": 3, "updateCustomer": 1, "getCustomer": 0})
    assert "4 rows: 3 createCustomer, 1 updateCustomer: 4 requests" in operations.text()
