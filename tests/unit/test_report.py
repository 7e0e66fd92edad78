"""What people are told before and after a run."""

import math
from typing import Any

import orjson
import pytest

from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.import_summary import Report
from bulkgladly.records import Mode, Word
from bulkgladly.runs.observer import Estimate, duration_text
from bulkgladly.runs.summary import COUNT_WORDS

CUSTOMERS = import_spec("customers")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (42.4, "42 s"),
        (99, "99 s"),
        (100, "2 min"),
        (720, "12 min"),
        (5940, "1 h 39 min"),
        (12_000, "3 h 20 min"),
        (97_200, "27 h 00 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    """One or two units, whatever the span."""
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("mode", "low", "high"),
    [("create", 1000, 1000), ("update", 1000, 3000), ("upsert", 1000, 3000), ("delete", 1000, 3000)],
)
def test_the_estimate_has_the_fewest_and_the_most(mode: str, low: int, high: int) -> None:
    """From the table's requests per record."""
    estimate = Estimate.of(CUSTOMERS.requests_per_record[Mode(mode)], 1000, True, 9.0)

    assert (estimate.requests_low, estimate.requests_high) == (low, high)
    assert "Ctrl-C stops safely" in estimate.text()


def test_the_estimate_says_how_long() -> None:
    """In the words of people, at the pace of the run."""
    text = Estimate.of(CUSTOMERS.requests_per_record[Mode.CREATE], 324_000, True, 9.0).text()

    assert text == "324,000 rows: 324,000 requests, 10 h 00 min at 9/s; Ctrl-C stops safely"


def test_a_guess_is_called_one() -> None:
    """Rows that were not counted, and a pace without a limit."""
    text = Estimate.of(CUSTOMERS.requests_per_record[Mode.UPSERT], 2000, False, math.inf).text()

    assert text.startswith("about 2,000 rows: 2,000 to 6,000 requests; ")


def report(**changes: Any) -> Report:
    counts = {"read": 10, **dict.fromkeys(COUNT_WORDS, 0), "created": 7, "rejected": 2, "unprocessed": 1}
    values: dict[str, Any] = {
        "run": "customers-upsert_20260101T000000Z_0000",
        "status": "complete",
        "exit_code": 1,
        "reason": None,
        "resource": "customers",
        "mode": "upsert",
        "host": "https://example.gladly.com",
        "counts": counts,
        "requests": {"createCustomer": 9},
        "requests_total": 9,
        "throttled": 3,
        "waits_s": {"throttled (429)": 12.0},
        "seconds": 12.0,
        "files": {"success.ndjson": {"path": "success.ndjson", "rows": 7, "bytes": 1, "blake2b": "00"}},
        "folder": "runs/x",
        "rejects_by_code": {"taken": 2},
        "next_commands": ("bulkgladly retry x",),
    }
    return Report(**{**values, **changes})


def test_every_outcome_word_is_counted() -> None:
    """The words of the outcomes and `unprocessed`, and no others."""
    assert set(COUNT_WORDS) == {word.value for word in Word} | {"unprocessed"}


def test_the_invariant_is_judged_by_the_sum() -> None:
    """Read is the sum of all others."""
    assert report().adds_up
    assert not report(counts={**report().counts, "read": 11}).adds_up


def test_the_report_as_json_has_its_promised_top() -> None:
    """Programs rely on these names."""
    found = orjson.loads(orjson.dumps(report().as_dict()))

    assert {"run", "status", "exit_code", "counts", "requests", "files", "invariant_holds"} <= set(found)
    assert found["invariant_holds"] is True


def test_the_report_as_a_page_says_all_of_it() -> None:
    """Counts, requests, rejects by code, the sum, and the next command."""
    page = report(reason="SIGINT").as_markdown()

    for part in (
        "| created | 7 |",
        "| createCustomer | 9 |",
        "| taken | 2 |",
        "All rows are accounted for",
        "SIGINT",
        "bulkgladly retry x",
    ):
        assert part in page


def test_a_sum_that_is_wrong_is_not_hidden() -> None:
    """It would be our bug, and the page says so."""
    page = report(counts={**report().counts, "read": 11}).as_markdown()

    assert "Not all rows are accounted for" in page


def test_the_report_tells_the_pace_and_why_it_waited() -> None:
    """Who wonders why a night was long finds it in the report."""
    page = report().as_markdown()

    assert "0.75 requests a second" in page
    assert "waited 12 s: throttled (429)" in page
    assert report().as_dict()["requests_per_second"] == 0.75
