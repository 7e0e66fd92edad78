"""What a page says, part by part, from the facts of a run: plain values for the template, without markup. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import orjson

from bulkgladly.commands import next_command
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.pages.outcome_words import Outcomes, outcomes_of
from bulkgladly.pages.pace_plot import PacePlot, pace_plot
from bulkgladly.pages.run_facts import RunFacts
from bulkgladly.plain_words import cause_text, counted, day_text, duration_text, share_text

__all__ = ("Figure", "Head", "PageView", "view_of")

_MOST_REASONS = 12
_MOST_TOLD = 20
_PILLS = {
    "running": ("running", "live"),
    "complete": ("complete", "good"),
    "stopped": ("stopped", "warn"),
    "interrupted": ("interrupted", "warn"),
    "failed": ("failed", "bad"),
    "new": ("not begun", "warn"),
}
_ARRIVED = ("created", "updated", "deleted", "unchanged")
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
}


class Figure(NamedTuple):
    """A number that is seen first, with what it counts, and more about it."""

    value: str
    label: str
    more: str = ""
    tone: str = ""


class Head(NamedTuple):
    """The top of a page: what was moved, the word and the colour of its status, how it ended, and when."""

    title: str
    pill: str
    tone: str
    verdict: str
    meta: tuple[str, ...]


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
    told: Sequence[Mapping[str, str]]
    notes: Sequence[str]
    commands: Sequence[str]
    sessions: Sequence[Mapping[str, str]]
    requests: Sequence[tuple[str, int, float]]
    requests_note: str
    settings: Sequence[tuple[str, str]]
    files: Sequence[tuple[str, str, str, str]]
    folder: str
    made: str


def view_of(facts: RunFacts, zone: dt.tzinfo | None = None) -> PageView:
    """Return what a page says about a run, with times in a time zone (None: that of this machine)."""
    report, things = facts.report, _things_of(facts.report)
    reasons = list(report.get("reasons") or _by_code(report))
    outcomes = outcomes_of(dict(report.get("counts", {})), is_export="out" in report)
    plot = pace_plot(facts, things, zone)
    return PageView(
        run=facts.header.run,
        head=_head(facts, zone),
        loss=report.get("next_loss"),
        figures=list(_figures(facts, outcomes, things)),
        plot=plot,
        is_old=plot is None and not facts.is_running,
        things=things,
        outcomes=outcomes,
        sum_text=_sum_text(outcomes, things, facts),
        reasons=[_reason(each, len(report.get("inputs", ()))) for each in reasons[:_MOST_REASONS]],
        other_reasons=sum(each.get("records", 0) for each in reasons[_MOST_REASONS:]),
        data_sets=list(_data_sets(report)),
        told=[{**each, "state": _STATES.get(each["state"], each["state"])} for each in report.get("told", ())][
            :_MOST_TOLD
        ],
        notes=list(report.get("notes", ())),
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
        made=_moment_text(facts.now, zone),
    )


def _things_of(report: Mapping[str, Any]) -> str:
    """Return what the outcomes count: a mapping may make several records of a row."""
    if "out" in report or report.get("rows", 0) in (0, report.get("counts", {}).get("read")):
        return "rows"
    return "records"


# --- the top ---


def _head(facts: RunFacts, zone: dt.tzinfo | None) -> Head:
    pill, tone = _PILLS.get(facts.status, (facts.status, "warn"))
    exit_code = facts.report.get("exit_code") if facts.is_current else None
    if facts.status == "complete" and exit_code:
        pill, tone = "complete, with gaps" if "out" in facts.report else "complete, with rejects", "warn"
    meta = [facts.header.host.removeprefix("https://"), _when_text(facts, zone)]
    if exit_code is not None:
        meta.append(f"exit code {exit_code}")
    if facts.header.parent:
        meta.append(f"retry of {facts.header.parent}")
    return Head(_title(facts), pill, tone, _verdict(facts, zone), tuple(meta))


def _title(facts: RunFacts) -> str:
    if title := facts.report.get("title"):
        return str(title)
    header, out = facts.header, facts.report.get("out")
    if out:
        host = header.host.removeprefix("https://")
        return f"{header.resource.capitalize()} from {host} to {PurePath(str(out)).name or out}"
    names = [PurePath(str(name)).name for name in facts.report.get("inputs", ())]
    files = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    how = "deleted in" if header.mode == "delete" else "to"
    return f"{header.resource.capitalize()}{f' from {files}' if files else ''} {how} Gladly"


def _verdict(facts: RunFacts, zone: dt.tzinfo | None) -> str:
    if facts.is_running:
        return f"Still at work. This page shows it as of {_moment_text(facts.now, zone)}; it does not update itself."
    if facts.is_current and facts.report.get("verdict"):
        return str(facts.report["verdict"])
    if facts.status == "complete":
        return "Finished." if not facts.report.get("exit_code") else "Finished, but not everything arrived."
    reason = facts.report.get("reason") if facts.is_current else facts.sessions[-1].reason if facts.sessions else None
    return f"Not finished: {cause_text(reason).rstrip('.')}."


def _when_text(facts: RunFacts, zone: dt.tzinfo | None) -> str:
    began = dt.datetime.fromisoformat(facts.header.created_at).astimezone(zone)
    ended = facts.now if facts.is_running else _ended(facts)
    if ended is None:
        return f"{day_text(began)}, {began:%H:%M}"
    ended = ended.astimezone(zone)
    if f"{ended:%F%H%M}" == f"{began:%F%H%M}":
        return f"{day_text(began)}, {began:%H:%M}"
    if ended.date() == began.date():
        return f"{day_text(began)}, {began:%H:%M} to {ended:%H:%M}"
    return f"{day_text(began)}, {began:%H:%M} to {day_text(ended)}, {ended:%H:%M}"


def _ended(facts: RunFacts) -> dt.datetime | None:
    if facts.is_current and facts.report.get("ended_at"):
        return dt.datetime.fromisoformat(facts.report["ended_at"])
    return facts.sessions[-1].ended if facts.sessions else None


def _figures(facts: RunFacts, outcomes: Outcomes, things: str) -> Iterator[Figure]:
    report, counts = facts.report, facts.report.get("counts", {})
    read = outcomes.read
    if "out" in report:
        fetched = sum(counts.get(word, 0) for word in ("created", "updated", "unchanged"))
        yield Figure(f"{fetched:,}", "rows fetched", f"{counts.get('created', 0):,} of them new")
        if gaps := sum(
            number
            for states in report.get("units", {}).values()
            for state, number in states.items()
            if state not in ("done", "unchanged")
        ):
            yield Figure(f"{gaps:,}", "downloads incomplete or missing", "listed below", "bad")
    elif any(word in counts for word in _ARRIVED):
        arrived = sum(counts.get(word, 0) for word in _ARRIVED)
        share = f"{share_text(arrived, read)} of {counted(read, things.removesuffix('s'))}" if read else ""
        yield Figure(f"{arrived:,}", f"{_noun(arrived, things)} arrived", share)
        if lost := counts.get("rejected", 0) + counts.get("unknown", 0):
            yield Figure(f"{lost:,}", "did not arrive", share_text(lost, max(read, lost)), "bad")
    else:
        yield Figure(f"{read:,}", f"{_noun(read, things)} read")
    seconds, requests = report.get("seconds", 0.0), report.get("requests_total", 0)
    yield Figure(f"{requests:,}", "requests", f"{requests / seconds:.3g} a second" if seconds >= 1 else "")
    if seconds:
        stops = len(facts.sessions) - 1
        yield Figure(
            duration_text(seconds), "of work", counted(stops, "interruption") if stops > 0 else "without interruption"
        )


def _noun(number: int, things: str) -> str:
    return things.removesuffix("s") if number == 1 else things


# --- what became of the items ---


def _sum_text(outcomes: Outcomes, things: str, facts: RunFacts) -> str:
    if not outcomes.read and not outcomes.total:
        return f"No {things} were read."
    if not facts.is_current:
        return f"{counted(outcomes.total, things.removesuffix('s'))} so far."
    if outcomes.adds_up:
        return (
            f"All {counted(outcomes.read, things.removesuffix('s'))} are accounted for."
            if outcomes.read != 1
            else "The one row is accounted for."
        )
    return f"{outcomes.read:,} were read, but {outcomes.total:,} are accounted for."


def _by_code(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the reasons of a report of an older version, which has their codes only."""
    return [{"reason": code, "records": number} for code, number in report.get("rejects_by_code", {}).items()]


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
                "began": _moment_text(each.began, zone),
                "ended": "" if is_last and facts.is_running else _moment_text(each.ended, zone),
                "took": duration_text(max(0.0, (each.ended - each.began).total_seconds())),
                "why": ending,
            }
        )
    return found


def _requests(report: Mapping[str, Any]) -> list[tuple[str, int, float]]:
    numbers = sorted(report.get("requests", {}).items(), key=lambda each: (-each[1], each[0]))
    most = max((number for _, number in numbers), default=1) or 1
    return [(name, number, number / most) for name, number in numbers]


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
    found = [(name, _value_text(value)) for name, value in settings.items() if value is not None]
    return [*found, ("bulkgladly", facts.header.version)]


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _moment_text(moment: dt.datetime, zone: dt.tzinfo | None) -> str:
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b} {local:%H:%M:%S}"


def _size_text(size: int) -> str:
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:,.1f} {unit}"
    return f"{size:,} B"
