"""What people are told before and after a run."""

import math
from dataclasses import replace
from typing import Any

import orjson
import pytest

from bulkgladly.exports.export_summary import ExportReport, Told
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.import_page import Reason
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.reject_reasons import left_out, reason_for
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


REASONS = (
    Reason(
        code="invalid_phone",
        outcome="rejected",
        reason="the phone number is not valid",
        fix="correct the number or leave the cell empty",
        records=725,
        examples=tuple({"file": "in/crm_export.csv", "line": line, "field": "phone:1"} for line in (60, 193, 235)),
    ),
    Reason(
        code="taken",
        outcome="rejected",
        reason="another record in Gladly has the same id, address or name",
        fix="correct the address, or pass --on-conflict update or merge",
        records=1,
        examples=({"file": "in/crm_export.csv", "line": 7, "field": "emails[0]"},),
    ),
)


def forwarded(**changes: Any) -> Report:
    counts = {
        **dict.fromkeys(COUNT_WORDS, 0),
        "read": 50_617,
        "created": 49_685,
        "unchanged": 144,
        "rejected": 726,
        "skipped": 62,
    }
    values = {
        "counts": counts,
        "inputs": ("in/crm_export.csv",),
        "rows": 50_617,
        "reasons": REASONS,
        "rejects_by_code": {"invalid_phone": 725, "taken": 1},
        "rows_to_correct": 725,
        "repeats": 144,
        "skipped_by_code": {"mapping_skipped": 60, "blank_row": 2},
        "dropped_values": 23,
        "dropped_by_field": {"E-mail": 20, "Phone": 3},
        "files": {"rejected.csv": {"path": "r", "rows": 726, "bytes": 1, "blake2b": "00"}},
        "started_at": "2026-11-27T12:00:00+00:00",
        "ended_at": "2026-11-27T12:04:00+00:00",
        "elapsed_s": 240.0,
        "interruptions": (
            {"stopped_at": "2026-11-27T12:01:00+00:00", "resumed_at": "2026-11-27T12:03:00+00:00", "reason": "SIGINT"},
        ),
    }
    return report(**{**values, **changes})


def test_the_page_can_be_forwarded() -> None:
    """What was loaded, how much arrived, what did not and why, who acts; what support asks for comes after it."""
    page, _, details = forwarded().as_markdown().partition("## Details for support")

    assert page.startswith("# Customers from crm_export.csv to Gladly, 27 November 2026\n\n**Finished, but not")
    for sentence in (
        "49,685 of 50,617 rows are new in Gladly. 144 were in Gladly already, with the same values. 144 rows repeat ",
        " the key of another one. 726 (1.4 %) were not accepted. 60 were left out by your filter. 2 were blank.\n",
        "| why | rows | what to do | first ones (lines of crm_export.csv) |\n",
        "| the phone number is not valid | 725 | correct the number or leave the cell empty | 60, 193, 235 |\n",
        "23 values that are not valid were left out of records that arrived (20 in E-mail, 3 in Phone); see",
        "- the owner of crm_export.csv: correct 725 rows in `rejected.csv`",
        "- the person who runs bulkgladly: send 1 row again",
        "Took 4 min, 12 s of it working. 1 interruption: at ",
        " somebody pressed Ctrl-C, continued at ",
    ):
        assert sentence in page
    assert "blake2b" not in page.lower()
    assert "| 0 |" not in details
    assert "customers-upsert_20260101T000000Z_0000" in details


def test_a_rehearsal_is_called_one() -> None:
    """Its page must not be taken for that of an import."""
    page = forwarded(folder=".bulkgladly/rehearsals/runs/x").as_markdown()

    assert page.startswith("# Rehearsal, nothing was sent to Gladly: customers from crm_export.csv, 27 November 2026")


def test_rows_and_records_are_both_named() -> None:
    """One row of a ticket makes several messages."""
    page = forwarded(rows=500, repeats=0).as_markdown()

    assert "500 rows made 50,617 records. 49,685 of 50,617 records are new in Gladly." in page
    assert "| why | records | what to do |" in page


def test_several_files_name_the_file_of_a_line() -> None:
    """And the heading does not list all of them."""
    page = forwarded(inputs=("in/crm_export.csv", "b.csv", "c.csv", "d.csv")).as_markdown()

    assert page.startswith("# Customers from crm_export.csv and 3 more files to Gladly")
    assert "| crm_export.csv:60, crm_export.csv:193, crm_export.csv:235 |" in page


def test_a_run_that_is_not_finished_says_why_in_plain_words() -> None:
    """And what to do."""
    counts = {**forwarded().counts, "created": 49_000, "unprocessed": 685}
    page = forwarded(counts=counts, status="interrupted", exit_code=130, reason="SIGINT").as_markdown()

    assert "**Not finished: somebody pressed Ctrl-C.**" in page
    assert "685 (1.4 %) were not reached yet." in page
    assert "- the person who runs bulkgladly: continue with the first command below" in page


def test_the_closing_lines_have_the_fix_and_the_places() -> None:
    """Each reason in one line, and nothing that is 0."""
    assert forwarded().details == (
        "725 x the phone number is not valid (lines 60, 193, 235): correct the number or leave the cell empty",
        f"1 x {REASONS[1].reason} (line 7): correct the address, or pass --on-conflict update or merge",
        "144 rows with the key of another row",
        "60 left out by your filter",
        "2 blank",
        "23 values dropped because not valid; see warnings.csv",
        "725 rejects to correct: edit rejected.csv, then import it",
    )


def test_many_reasons_are_not_all_printed() -> None:
    """The page has all of them; a long wait is told as well."""
    many = tuple(replace(REASONS[0], code=f"c{at}", records=100 - at) for at in range(20))
    found = forwarded(reasons=many, waits_s={"outage: no connection to the host": 300.0, "throttled (429)": 2.0})

    assert found.details[8] == "1,038 x 12 other reasons; see report.md"
    page = found.as_markdown()
    assert page.count("| the phone number is not valid |") == 20
    assert "Took 4 min, waited 5 min (outage: no connection to the host), 12 s of it working." in page


def test_every_reason_has_words() -> None:
    """The codes with a fix have a reason, too; those of Gladly's own are named as they are."""
    assert reason_for("invalid_email", "check") == "the email address is not valid"
    assert reason_for("TOO_ODD", "api") == "Gladly refused it (TOO_ODD)"
    assert left_out("mapping_skipped") == "left out by your filter"
    assert left_out("taken").startswith("skipped, because")


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


def exported(**changes: Any) -> ExportReport:
    values: dict[str, Any] = {
        "run": "dump-export_20260101T000000Z_0000",
        "status": "complete",
        "exit_code": 1,
        "reason": None,
        "resource": "dump",
        "mode": "export",
        "host": "https://example.gladly.com",
        "counts": {"read": 1010, **dict.fromkeys(COUNT_WORDS, 0), "created": 900, "updated": 100, "rejected": 10},
        "requests": {"getFile": 9},
        "requests_total": 9,
        "throttled": 0,
        "waits_s": {},
        "seconds": 12.0,
        "files": {
            "items": {"path": "lake/items", "rows": 5000, "parts": 3, "bytes": 1},
            "events": {"path": "lake/events", "rows": 0, "parts": 0, "bytes": 0},
        },
        "folder": "runs/x",
        "out": "/data/lake",
        "units": {"items": {"done": 3, "gone": 1}},
        "told": (Told("items", "job-1", "gone", "the files are older than 14 days"),),
        "notes": ("a note",),
        "next_loss": "2026-11-28 17:15 UTC",
        "ended_at": "2026-11-27T12:04:00+00:00",
    }
    return ExportReport(**{**values, **changes})


def test_the_page_of_an_export_has_words_of_its_own() -> None:
    """Rows are fetched, new and restated; what is missing and what is about to be lost come first."""
    page, _, details = exported().as_markdown().partition("## Details for support")

    for part in (
        "# Items from example.gladly.com to lake, 27 November 2026\n\n**Finished, but something is missing.**\n",
        "1,000 rows fetched: 900 new, 100 restated by Gladly, so that they replaced an earlier version. 10 lines could",
        "**Run it again before 2026-11-28 17:15 UTC**",
        "| items | job-1 | lost: Gladly has deleted it | the files are older than 14 days |",
        "- a note",
        "| items | 5,000 |",
    ):
        assert part in page
    assert "events" not in page
    assert "created" not in page
    assert "Downloads: 3 done, 1 gone." in details


def test_an_export_without_news_says_so() -> None:
    """And nothing more."""
    counts = {"read": 24, **dict.fromkeys(COUNT_WORDS, 0), "unchanged": 24}
    page = exported(counts=counts, exit_code=0, told=(), notes=()).as_markdown()

    assert "**Up to date.**\n\n24 rows fetched, and nothing new.\n" in page
