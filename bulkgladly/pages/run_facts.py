"""What a run's folder tells about the run: its report if that is of the last session, and its journal in any case."""

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import orjson

from bulkgladly.journal.databases import reading
from bulkgladly.journal.reject_groups import groups_of_rejects
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.timeline import Sample, samples_of
from bulkgladly.journal.units import UnitLine, units_of
from bulkgladly.journal.writer import earlier_vitals
from bulkgladly.plain_words import cause_text

__all__ = ("FileFacts", "RunFacts", "SessionFacts", "Steered", "facts_of")

_OWN_FILES = ("lock", "report.html", "journal.sqlite-wal", "journal.sqlite-shm")
_OF_COMMANDS = "steering"
_ROW_WORDS = ("created", "updated", "unchanged", "rejected")
_MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A process that worked on the run: from when to when, and why it ended early (None: it did not, or cannot say)."""

    began: dt.datetime
    ended: dt.datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Steered:
    """What changed in a run while it worked: when, what and to which requests per second, if that is what changed.

    `what` is `paused`, `continued`, `rate`, `schedule` (another hour of it begins) or `stopped`.
    """

    at: float
    what: str
    value: float | None


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file in the folder; `rows` if the report counts them."""

    name: str
    size: int
    rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """All that a page tells. `report` has the fields of `report.json`, or as many as the journal knows by itself.

    `is_current` says whether the report is of the last session: that of a killed one, or of one that still works, is
    made from the journal and has fewer fields. `now` is when the page was made.
    """

    folder: Path
    header: RunHeader
    status: str
    report: Mapping[str, Any]
    is_current: bool
    sessions: Sequence[SessionFacts]
    samples: Sequence[Sample]
    steered: Sequence[Steered]
    files: Sequence[FileFacts]
    now: dt.datetime

    @property
    def is_running(self) -> bool:
        """Whether a process works on it."""
        return self.status == "running"


def facts_of(folder: Path, now: dt.datetime, reasons: Sequence[Mapping[str, Any]] = ()) -> RunFacts:
    """Read a run's folder, also while a process works on it.

    `reasons` are why rows did not arrive, as `reasons` in a report, for runs whose report does not tell.

    Raises:
        JournalDamaged: The run cannot be used.
    """
    run = RunFolder(folder)
    status, header = run.live_status(), run.header()
    vitals: dict[str, Any] = {}
    samples: list[Sample] = []
    with contextlib.suppress(ValueError, TypeError):  # a run without a plot is better than none
        samples = samples_of(folder)
    with reading(folder / "journal.sqlite") as connection:
        with contextlib.suppress(ValueError, TypeError):
            vitals = dict(earlier_vitals(connection))
        notes = dict(connection.execute("SELECT name, value FROM meta WHERE name IN ('status', 'steered')"))
    report = run.report()
    report = report if isinstance(report, dict) else None
    sessions = _sessions(vitals.get("sessions", ()), status)
    # A killed session leaves the report of the one before, or none.
    is_current = report is not None and notes.get("status") != "running" and _is_of(report, len(sessions))
    files = _files(folder, (report or {}).get("files", {}) if is_current else {})
    if report is None or not is_current:
        report = _from_journal(run, header, vitals, reasons)
    return RunFacts(
        folder=folder,
        header=header,
        status=status,
        report=report,
        is_current=is_current,
        sessions=sessions,
        samples=samples,
        steered=_steered(notes.get("steered")),
        files=files,
        now=now,
    )


def _is_of(report: Mapping[str, Any], sessions: int) -> bool:
    """Tell whether a report is of the last session; reports of older versions do not say."""
    interruptions = report.get("interruptions")
    return interruptions is None or not sessions or len(interruptions) + 1 == sessions


def _sessions(found: Sequence[Mapping[str, Any]], status: str) -> list[SessionFacts]:
    return [
        SessionFacts(
            dt.datetime.fromisoformat(each["from"]),
            dt.datetime.fromisoformat(each["until"]),
            _reason_of(each.get("reason"), is_last=at == len(found), status=status),
        )
        for at, each in enumerate(found, 1)
    ]


def _reason_of(reason: str | None, *, is_last: bool, status: str) -> str | None:
    if is_last and reason is None and status != "interrupted":
        return None
    return cause_text(reason)


def _steered(noted: str | None) -> list[Steered]:
    """Return what was changed while the run worked; entries that make no sense are left out."""
    found: list[Steered] = []
    with contextlib.suppress(ValueError, TypeError):
        for each in orjson.loads(noted or "[]"):
            with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
                value = each.get("value")
                at = dt.datetime.fromisoformat(each["at"]).timestamp()
                found.append(Steered(at, str(each["what"]), None if value is None else float(value)))
    # In the order in which it was ordered: a clock that was set back meanwhile does not change that.
    return found


def _files(folder: Path, told: Mapping[str, Mapping[str, Any]]) -> list[FileFacts]:
    found = []
    for path in sorted(folder.iterdir()):
        if path.name in _OWN_FILES or path.name.startswith((".", _OF_COMMANDS)) or not path.is_file():
            continue
        about, size = told.get(path.name, {}), path.stat().st_size
        # A result file without rows is there for programs; people would open it in vain.
        if size and about.get("rows") != 0:
            found.append(FileFacts(path.name, size, about.get("rows")))
    return found


# --- a run whose last session has left no report ---


def _from_journal(
    run: RunFolder, header: RunHeader, vitals: Mapping[str, Any], reasons: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    is_plan = header.mode == "plan"  # which writes a folder as well, but no rows of Gladly
    out = None if is_plan else header.settings.get("out")
    units = units_of(run.path) if out else []
    requests = vitals.get("requests", {})
    counts = _rows_of(units) if out else _outcomes_of(run.path)
    if is_plan:
        counts = _with_open(run.path, counts)
    return {
        "counts": {"read": sum(counts.values()), **counts},
        "requests": requests,
        "requests_total": sum(requests.values()),
        "throttled": vitals.get("throttled", 0),
        "waits_s": vitals.get("waits", {}),
        "seconds": vitals.get("seconds", 0.0),
        "started_at": header.created_at,
        "inputs": [_input_name(PurePath(item.path).name) for item in header.inputs],
        "reasons": list(reasons) or ([] if out else _groups(run.path)),
        **({"out": out, "units": _states_of(units), "told": _told(units)} if out else {}),
    }


def _input_name(name: str) -> str:
    return "the standard input" if name.startswith("stdin.") else name


def _outcomes_of(folder: Path) -> Mapping[str, int]:
    """Return how many records have ended with which outcome: as counted with each commit, which no scan has to do."""
    with reading(folder / "journal.sqlite") as connection, contextlib.suppress(ValueError):
        row = connection.execute("SELECT counts FROM checkpoint").fetchone()
        if row is not None:
            found: Mapping[str, int] = orjson.loads(row[0])
            return found
    return {}


def _with_open(folder: Path, counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the counts of a plan, with the records that its apply decides apart from those that are unchanged."""
    with reading(folder / "journal.sqlite") as connection:
        (number,) = connection.execute(
            """SELECT count(*) FROM records WHERE word = 'unchanged' AND detail LIKE '["open"%'"""
        ).fetchone()
    return {**counts, "open": number, "unchanged": counts.get("unchanged", 0) - number} if number else counts


def _rows_of(units: Sequence[UnitLine]) -> Counter[str]:
    return Counter({word: sum(getattr(unit, word) for unit in units) for word in _ROW_WORDS})


def _states_of(units: Sequence[UnitLine]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for unit in units:
        found.setdefault(unit.data_set, Counter())[unit.state] += 1
    return found


def _told(units: Sequence[UnitLine]) -> list[dict[str, str]]:
    bad = [unit for unit in units if unit.state not in ("done", "unchanged")]
    return [
        {"data_set": unit.data_set, "unit": unit.name, "state": unit.state, "detail": unit.detail}
        for unit in bad[:_MOST_TOLD]
    ]


def _groups(folder: Path) -> list[dict[str, Any]]:
    """Return why rows did not arrive by their codes alone: what to do about them is known above this room."""
    return [
        {
            "reason": group.code,
            "outcome": group.word,
            "records": group.number,
            "examples": [{"line": place.number} for place in group.first],
        }
        for group in groups_of_rejects(folder, split="")
    ]
