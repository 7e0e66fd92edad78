"""What a page says, part by part, from the facts of a run: plain values for the template, without markup. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any, NamedTuple

import orjson

from bulkgladly.commands import next_command
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.pages.outcome_words import Outcomes, outcomes_of, said_of
from bulkgladly.pages.pace_plot import PacePlot, pace_plot
from bulkgladly.pages.page_head import IMPORT_MODES, Figure, Head, figures_of, head_of, moment_text
from bulkgladly.pages.run_facts import RunFacts
from bulkgladly.plain_words import counted, duration_text

__all__ = ("PageView", "view_of")

_MOST_REASONS = 12
_MOST_TOLD = 20
_THINGS = {"undo": "objects", "repair": "keys"}
"""What is counted by runs whose report does not say so yet."""
_MISSING = "missing.ndjson"
_STATES = {"gone": "lost: Gladly has deleted it", "failed": "not fetched; the next run tries again"}
_FILES = {
    "run.json": "what the run began with",
    "journal.sqlite": "the checkpoint, for resume",
    "report.md": "the same as this page, as text",
    "report.json": "the same, for programs",
    "success.ndjson": "what was done",
    "rejected.ndjson": "rows that did not arrive, for programs",
    "rejected.csv": "rows that did not arrive, to correct",
    "warnings.csv": "values that were left out",
    "missing.csv": "what the input no longer has",
    "unprocessed.ndjson": "rows that were not reached",
    "undo.ndjson": "what became of each object",
    "undo.sqlite": "what was to be taken back, for resume",
    "verify.parquet": "the verdict on each row, with its differences",
    "repair.ndjson": "keys whose objects have moved or are gone",
}


class PageView(NamedTuple):
    """All parts of a page. What a run does not have is empty or None, and is not shown."""

    run: str
    head: Head
    loss: str | None
    figures: Sequence[Figure]
    plot: PacePlot | None
    is_old: bool
    things: str
    outcomes: Outcomes
    sum_text: str
    reasons: Sequence[Mapping[str, Any]]
    other_reasons: int
    data_sets: Sequence[Mapping[str, Any]]
    told: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    commands: Sequence[str]
    sessions: Sequence[Mapping[str, str]]
    requests: Sequence[tuple[str, int, float]]
    requests_note: str
    settings: Sequence[tuple[str, str]]
    files: Sequence[tuple[str, str, str, str]]
    folder: str
    made: str
    is_bare: bool
    """Whether it is certain that no value of a row is on the page: other runs may tell them, if the user wants it."""


def view_of(facts: RunFacts, zone: dt.tzinfo | None = None) -> PageView:
    """Return what a page says about a run, with times in a time zone (None: that of this machine)."""
    report, things = facts.report, _things_of(facts)
    reasons = [each for each in report.get("reasons", ()) if "reason" in each] or _by_code(facts)
    mode = _mode_of(facts.header)
    outcomes = outcomes_of(_counts_of(report, mode), is_export="out" in report)
    samples = [each._replace(counts=said_of(each.counts, mode)) for each in facts.samples]
    facts = replace(facts, samples=samples)
    plot, told = pace_plot(facts, things, zone), list(report.get("told", ()) if "out" in report else ())
    return PageView(
        run=facts.header.run,
        head=head_of(facts, zone),
        loss=report.get("next_loss"),
        figures=list(figures_of(facts, outcomes, things)),
        plot=plot,
        is_old=plot is None and not facts.is_running,
        things=things,
        outcomes=outcomes,
        sum_text=_sum_text(outcomes, things, facts),
        reasons=[_reason(each, len(report.get("inputs", ()))) for each in reasons[:_MOST_REASONS]],
        other_reasons=sum(each.get("records", 0) for each in reasons[_MOST_REASONS:]),
        data_sets=list(_data_sets(report)),
        told=[{**each, "state": _STATES.get(each["state"], each["state"])} for each in told[:_MOST_TOLD]],
        notes=_notes(facts),
        commands=_commands(facts),
        sessions=_sessions(facts, zone),
        requests=_requests(report),
        requests_note=_requests_note(report),
        settings=_settings(facts),
        files=[
            (each.name, _FILES.get(each.name, ""), "" if each.rows is None else f"{each.rows:,}", _size_text(each.size))
            for each in facts.files
        ],
        folder=str(facts.folder),
        made=moment_text(facts.now, zone),
        is_bare="out" in report or facts.header.mode in IMPORT_MODES,
    )


def _mode_of(header: RunHeader) -> str:
    """Return the mode by which outcomes are named; `missing` for the deletion of what an import found missing."""
    # `imports` writes that file for no other run; it is a layer above.
    is_missing = header.parent is not None and any(PurePath(file.path).name == _MISSING for file in header.inputs)
    return "missing" if header.mode == "delete" and is_missing else header.mode


def _things_of(facts: RunFacts) -> str:
    """Return what the outcomes count: a mapping may make several records of a row."""
    report = facts.report
    if "things" not in report and facts.header.mode in _THINGS:
        return _THINGS[facts.header.mode]
    if "out" in report or report.get("rows", 0) in (0, report.get("counts", {}).get("read")):
        return "rows" if report.get("things", "records") == "records" else str(report["things"])
    return "records"


def _counts_of(report: Mapping[str, Any], mode: str) -> dict[str, int]:
    """Return the outcomes by the words of people: those of the report, if it has them, or else those of its mode."""
    counts, said = report.get("counts", {}), report.get("outcomes")
    read = counts.get("read", 0)
    if isinstance(said, dict) and sum(said.values()) == read:
        return {"read": read, **said}
    return said_of(counts, mode)


# --- what became of the items ---


def _sum_text(outcomes: Outcomes, things: str, facts: RunFacts) -> str:
    noun = things.removesuffix("s")
    if not outcomes.read and not outcomes.total:
        return f"No {things} were read."
    if not facts.is_current:
        return f"{counted(outcomes.total, noun)} so far."
    if not outcomes.adds_up:
        return f"{outcomes.read:,} were read, but {outcomes.total:,} are accounted for."
    return (
        f"All {outcomes.read:,} {things} are accounted for." if outcomes.read > 1 else f"The {noun} is accounted for."
    )


def _notes(facts: RunFacts) -> list[str]:
    """Return what else a person should know. What an import has to tell has a place of its own on the page."""
    is_other = "out" not in facts.report and facts.header.mode not in IMPORT_MODES
    return [str(each).strip() for each in facts.report.get("details" if is_other else "notes", ())]


def _by_code(facts: RunFacts) -> list[dict[str, Any]]:
    """Return the reasons of an import of an older version, which has their codes only.

    Runs of other kinds say the same in words of their own, in their notes.
    """
    if facts.header.mode not in IMPORT_MODES:
        return []
    return [{"reason": code, "records": number} for code, number in facts.report.get("rejects_by_code", {}).items()]


def _reason(each: Mapping[str, Any], inputs: int) -> dict[str, Any]:
    places = [
        f"{PurePath(place['file']).name}:{place['line']}" if inputs > 1 and place.get("file") else str(place["line"])
        for place in each.get("examples", ())
        if place.get("line") is not None
    ]
    return {
        "reason": each["reason"],
        "number": each.get("records", 0),
        "fix": each.get("fix", ""),
        "places": ", ".join(dict.fromkeys(places)),
    }


def _data_sets(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    files, units = report.get("files", {}), report.get("units", {})
    if "out" not in report:
        return
    for name in dict.fromkeys([*units, *files]):
        about, states = files.get(name, {}), units.get(name, {})
        yield {
            "name": name,
            "rows": about.get("rows"),
            "size": _size_text(about["bytes"]) if "bytes" in about else "",
            "downloads": sum(states.values()),
            "states": ", ".join(f"{number:,} {state}" for state, number in sorted(states.items())),
            "is_whole": set(states) <= {"done", "unchanged"},
        }


# --- what to do, and what it took ---


def _commands(facts: RunFacts) -> list[str]:
    if facts.is_current:
        return list(facts.report.get("next_commands", ()))
    run = RunFolder(facts.folder)
    if facts.is_running:
        return [next_command("runs", "show", run.name, state_dir=run.state_dir)]
    return [next_command("resume", run.name, state_dir=run.state_dir, connects=True)]


def _sessions(facts: RunFacts, zone: dt.tzinfo | None) -> list[dict[str, str]]:
    found = []
    for number, each in enumerate(facts.sessions, 1):
        is_last = number == len(facts.sessions)
        ending = each.reason or ("still at work" if facts.is_running else "it was done")
        found.append(
            {
                "number": str(number),
                "began": moment_text(each.began, zone),
                "ended": "" if is_last and facts.is_running else moment_text(each.ended, zone),
                # The moments are whole seconds, so a short session seems to have taken none.
                "took": duration_text(max(0.5, (each.ended - each.began).total_seconds())),
                "why": ending,
            }
        )
    return found


def _requests(report: Mapping[str, Any]) -> list[tuple[str, int, float]]:
    numbers = sorted(report.get("requests", {}).items(), key=lambda each: (-each[1], each[0]))
    total = sum(number for _, number in numbers) or 1
    return [(name, number, number / total) for name, number in numbers]


def _requests_note(report: Mapping[str, Any]) -> str:
    parts = []
    if throttled := report.get("throttled", 0):
        parts.append(f"{counted(throttled, 'request')} throttled (HTTP 429)")
    parts += [f"waited {duration_text(span)}: {why}" for why, span in report.get("waits_s", {}).items() if span >= 1]
    return "; ".join(parts)


def _settings(facts: RunFacts) -> list[tuple[str, str]]:
    settings = facts.report.get("settings")
    if settings is None:
        pace = facts.header.settings.get("pace") or {}
        settings = {"mode": facts.header.mode, "key": facts.header.settings.get("key"), "rate": pace.get("rate")}
    found = [(name.replace("_", " "), _value_text(value)) for name, value in settings.items() if value is not None]
    return [*found, ("bulkgladly", facts.header.version)]


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _size_text(size: int) -> str:
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:,.1f} {unit}"
    return f"{size:,} B"
