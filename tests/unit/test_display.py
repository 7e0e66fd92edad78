"""How amounts, shares and times are put into words."""

import datetime as dt
import math
from types import SimpleNamespace

import pytest

from bulkgladly.cli.display import read_text, summary_of, view_text
from bulkgladly.cli.progress_words import counts_text
from bulkgladly.runs.observer import Estimate, RunView, share_text
from bulkgladly.runs.summary import COUNT_WORDS


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 5, "0 %"),
        (1, 3, "33.3 %"),
        (2, 3, "66.7 %"),
        (1, 10_000, "<0.1 %"),
        (999_999, 1_000_000, "99.9 %"),
        (7, 7, "100 %"),
    ],
)
def test_a_share_is_rounded_but_never_to_all_or_nothing(part: int, whole: int, text: str) -> None:
    """100 % means all of it, and something is more than 0 %."""
    assert share_text(part, whole) == text


def test_counts_that_are_zero_are_left_out() -> None:
    """Shares are given where there is something to compare."""
    words = ("created", "updated", "rejected")

    assert counts_text({"created": 3, "updated": 0, "rejected": 1}, words) == "3 created (75 %), 1 rejected (25 %)"
    assert counts_text({"created": 1200}, words) == "1,200 created"
    assert counts_text({}, words) == ""


def test_effort_is_a_span_of_requests_and_of_time() -> None:
    """Without a limit there is no time to tell, and below a second only the longest time counts."""
    assert Estimate(4, True, 4, 12, 9.0).effort() == "4 to 12 requests, up to 1 s at 9/s"
    assert Estimate(4, True, 4, 12, 2.0).effort() == "4 to 12 requests, 2 s to 6 s at 2/s"
    assert Estimate(1, True, 1, 1, 9.0).effort() == "1 request, less than 1 s at 9/s"
    assert Estimate(4, True, 4, 12, math.inf).effort() == "4 to 12 requests"


@pytest.mark.parametrize(("left_s", "end"), [(1800.0, "until 23:30"), (54_000.0, "until Sat 14:00")])
def test_a_far_end_is_named_with_its_day(left_s: float, end: str) -> None:
    """The end of a run is a time of day."""
    view = RunView("run", {}, 5, 10, True, 60.0, 5, 1.0, 9.0, 0, 0, None, 0.0, left_s)

    assert end in view_text(view, dt.datetime(2026, 11, 27, 23, 0))  # noqa: DTZ001 - local time


def test_an_export_counts_downloads() -> None:
    """What it calls a unit is an inner word."""
    view = RunView("run", {}, 5, 10, True, 60.0, 5, 1.0, 9.0, 0, 0, None, 0.0, None, things="units")

    assert view_text(view, dt.datetime(2026, 11, 27, 23, 0)).startswith("5 of 10 downloads (50 %), ")  # noqa: DTZ001


def summary(mode: str, exit_code: int = 0, **counts: int) -> list[str]:
    """The lines of a run that ended with these counts."""
    every = {"read": sum(counts.values()), **dict.fromkeys(COUNT_WORDS, 0), **counts}
    report = SimpleNamespace(
        run="r",
        folder="/no/such/folder",
        status="complete",
        reason=None,
        mode=mode,
        exit_code=exit_code,
        counts=every,
        adds_up=True,
        requests_total=1,
        throttled=0,
        seconds=0.2,
        details=(),
        files={"success.ndjson": {"rows": 1, "path": "p"}, "rejected.ndjson": {"rows": 0, "path": "q"}},
        next_commands=("bulkgladly resume",),
    )
    return list(summary_of(report))


def test_a_summary_names_what_there_is_and_nothing_else() -> None:
    """No file without rows, no throttled requests where there were none."""
    assert summary("upsert", created=1) == [
        "r: complete",
        "  1 row read: 1 created",
        "  1 request in less than 1 s",
        "  success.ndjson  1 row  p",
        "  next: bulkgladly resume",
    ]


@pytest.mark.parametrize(
    ("mode", "exit_code", "counts", "text"),
    [
        ("export", 0, {}, "nothing new"),
        ("export", 0, {"unchanged": 2}, "nothing new (2 rows unchanged)"),
        ("export", 1, {}, "no rows"),
        ("export", 1, {"unchanged": 2}, "2 rows fetched: 2 unchanged"),
        ("upsert", 0, {}, "no rows"),
    ],
)
def test_only_an_export_without_trouble_has_nothing_new(
    mode: str, exit_code: int, counts: dict[str, int], text: str
) -> None:
    """Where something failed, there may be more."""
    assert summary(mode, exit_code, **counts)[1] == f"  {text}"


def test_rows_and_records_are_both_told() -> None:
    """A mapping may make several records of a row."""
    report = SimpleNamespace(mode="create", exit_code=0, counts={"read": 2078, "created": 2078}, rows=500)

    assert read_text(report) == "500 rows, 2,078 records: 2,078 created"
