"""Folders of runs as they are when a page is made of them: of seconds, of days, with one sample, hostile, old."""

import datetime as dt
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from benchmarks.report_page import END, invented_run
from bulkgladly.journal.timeline import Sample, write_samples

__all__ = ("BEGAN", "HOSTILE", "SCENES", "a_run", "at_second", "with_report")

HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(1)</script>\u202e\u05e9\u05dc\u05d5\u05dd "
    + "w" * 300
    + "\"'&amp;{{ 7*7 }}{end}"
)
"""Markup, a mark that reverses the line, another direction of writing, a long word, and a template's own signs."""
BEGAN = END.timestamp() - 5
"""When the runs of the scenes began, in seconds since 1970."""
OUTAGE = "outage: no connection"


def a_run(folder: Path, *samples: Sample, sessions: int = 1, steered: object = None) -> Path:
    """A run that ended a moment ago, with these samples."""
    path = invented_run(folder, days=5 / 86400, records=0, resumes=sessions - 1)
    connection = sqlite3.connect(path / "journal.sqlite", isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("DELETE FROM timeline")
    write_samples(connection, samples)
    if steered is not None:
        connection.execute("INSERT INTO meta VALUES ('steered', ?)", (orjson.dumps(steered).decode(),))
    connection.execute("UPDATE meta SET value = 'complete' WHERE name = 'status'")
    connection.execute("COMMIT")
    connection.close()
    return path


def with_report(path: Path, **fields: Any) -> Path:
    """The run with a report of its last session."""
    counts = {"read": 50, "created": 44, "updated": 0, "unchanged": 2, "rejected": 4}
    report: Mapping[str, Any] = {
        "title": "Customers from customers.csv to Gladly",
        "verdict": "Finished, but not everything arrived.",
        "status": "complete",
        "exit_code": 1,
        "reason": None,
        "counts": counts,
        "rows": 50,
        "requests": {"createCustomer": 46, "getOrganization": 1},
        "requests_total": 47,
        "throttled": 2,
        "waits_s": {"throttled (429)": 1.2},
        "seconds": 5.0,
        "ended_at": END.isoformat(),
        "reasons": [
            {"reason": "the email address is not valid", "fix": "correct it", "records": 4, "examples": [{"line": 7}]}
        ],
        "settings": {"mode": "upsert", "rate": 9.0, "key": "crm_id"},
        "next_commands": ["bulkgladly runs show"],
        "files": {},
        **fields,
    }
    (path / "report.json").write_bytes(orjson.dumps(report))
    return path


def of_seconds(folder: Path) -> Path:
    """Five seconds, throttled once."""
    samples = [
        Sample(nth, 1, BEGAN + nth, 1.0, 9, int(nth == 2), 9.0, 9.0, {}, {"created": 8, "rejected": nth % 2})
        for nth in range(5)
    ]
    return with_report(a_run(folder, *samples))


def of_days(folder: Path) -> Path:
    """Three days with four resumes, killed at its end."""
    return invented_run(folder, days=3, records=2000, looks=300)


def of_a_moment(folder: Path) -> Path:
    """One sample of less than a second, without a limit."""
    one = Sample(1, 1, BEGAN, 0.2, 3, counts={"created": 1})
    return with_report(a_run(folder, one), counts={"read": 1, "created": 1})


def of_before(folder: Path) -> Path:
    """A run of an earlier version: no table of samples, and a report with fewer fields."""
    path = a_run(folder)
    with sqlite3.connect(path / "journal.sqlite") as connection:
        connection.execute("DROP TABLE timeline")
    (path / "report.json").write_bytes(
        orjson.dumps({"counts": {"read": 2, "created": 1, "rejected": 1}, "rejects_by_code": {"invalid_phone": 1}})
    )
    return path


def at_second(at: float) -> str:
    """The time of a second of the run."""
    return dt.datetime.fromtimestamp(BEGAN + at, dt.UTC).isoformat()


def steered(folder: Path) -> Path:
    """Slowed down, paused and continued by somebody; then the machine's clock was set back."""
    spans = [(1, 0.0), (1, 60.0), (1, 120.0), (1, 600.0), (2, -1800.0), (2, -1740.0)]
    samples = [
        Sample(nth, session, BEGAN + at, 60.0, 500 - 300 * (nth == 1), 0, 9.0, 540.0, {OUTAGE: 9.0}, {"created": 400})
        for nth, (session, at) in enumerate(spans)
    ]
    events = [
        {"at": at_second(60), "what": "rate", "value": 4.0},
        {"at": at_second(100), "what": "paused", "value": None},
        {"at": at_second(160), "what": "continued", "value": None},
        {"at": at_second(620), "what": "schedule", "value": 0.0},
        {"nonsense": 1},
    ]
    return with_report(a_run(folder, *samples, sessions=2, steered=events), interruptions=[{}])


def an_export(folder: Path) -> Path:
    """Data sets with gaps, and something that is about to be lost."""
    samples = [Sample(nth, 1, BEGAN + 60 * nth, 60.0, 30, 0, 2.0, 540.0, {}, {"created": 900}) for nth in range(9)]
    return with_report(
        a_run(folder, *samples),
        title="items and profiles from acme.example.org to lake",
        out="lake",
        counts={"read": 8100, "created": 8000, "updated": 60, "unchanged": 40},
        units={"items": {"done": 40, "gone": 1}, "profiles": {"done": 2, "incomplete": 1}},
        files={"items": {"rows": 812_345, "bytes": 91_234_567}, "profiles": {"rows": 4_002, "bytes": 812_000}},
        told=[{"data_set": "items", "unit": "job 2026-11-12", "state": "gone", "detail": "deleted after 14 days"}],
        notes=["2 files of the folder are not known"],
        next_loss="2026-12-09 02:00 UTC",
        reasons=[],
    )


def a_verification(folder: Path) -> Path:
    """A run of another kind: outcomes of its own, in its own words."""
    one = Sample(1, 1, BEGAN, 4.0, 30, 0, 9.0, 36.0, {}, {"equal": 27, "different": 3})
    path = with_report(
        a_run(folder, one),
        title="customers in acme.example.org compared with customers.csv",
        verdict="3 rows differ.",
        counts={"read": 33, "equal": 30, "different": 3},
        outcomes={"restored": 30, "not possible": 3},
        reasons=[{"code": "no words"}],
        details=["phone differs in 3 rows"],
        things="objects",
        rows=0,
    )
    header = orjson.loads((path / "run.json").read_bytes())
    (path / "run.json").write_bytes(orjson.dumps({**header, "mode": "verify"}))
    return path


def hostile(folder: Path) -> Path:
    """Everything that comes from outside is an attack."""
    one = Sample(1, 1, BEGAN, 4.0, 30, 1, 9.0, 36.0, {HOSTILE: 2.0}, {HOSTILE: 12, "created": 3})
    told = {"data_set": HOSTILE, "unit": HOSTILE, "state": HOSTILE, "detail": HOSTILE}
    path = with_report(
        a_run(folder, one, steered=[{"at": END.isoformat(), "what": HOSTILE, "value": 1}]),
        title=HOSTILE,
        verdict=HOSTILE,
        counts={"read": 15, HOSTILE: 12, "created": 3},
        reasons=[{"reason": HOSTILE, "fix": HOSTILE, "records": 3, "examples": [{"line": HOSTILE}]}],
        requests={HOSTILE: 3},
        waits_s={HOSTILE: 5.0},
        settings={HOSTILE: HOSTILE},
        next_commands=[HOSTILE],
        out=HOSTILE,
        units={HOSTILE: {HOSTILE: 1}},
        told=[told],
        notes=[HOSTILE],
        next_loss=HOSTILE,
    )
    (path / "<script>alert(1)<!--").write_text("x")
    return path


SCENES: Mapping[str, Callable[[Path], Path]] = {
    "seconds": of_seconds,
    "days": of_days,
    "moment": of_a_moment,
    "before": of_before,
    "steered": steered,
    "export": an_export,
    "verification": a_verification,
    "hostile": hostile,
}
