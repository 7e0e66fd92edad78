"""The top of a page: what was moved, from where to where, how it ended, and the numbers that are seen first. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import NamedTuple

from bulkgladly.pages.outcome_words import Outcomes, is_problem
from bulkgladly.pages.run_facts import RunFacts
from bulkgladly.plain_words import cause_text, counted, day_text, duration_text, share_text

__all__ = ("IMPORT_MODES", "Figure", "Head", "figures_of", "head_of", "moment_text")

_PILLS = {
    "running": ("running", "live"),
    "complete": ("complete", "good"),
    "stopped": ("stopped", "warn"),
    "interrupted": ("interrupted", "warn"),
    "failed": ("failed", "bad"),
    "new": ("not begun", "warn"),
}
IMPORT_MODES = ("create", "update", "upsert", "delete", "apply")
_ARRIVED = ("created", "updated", "deleted", "unchanged")


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


def head_of(facts: RunFacts, zone: dt.tzinfo | None) -> Head:
    """Return the top of the page of a run."""
    pill, tone = _PILLS.get(facts.status, (facts.status, "warn"))
    exit_code = facts.report.get("exit_code") if facts.is_current else None
    if facts.status == "complete" and exit_code:
        what = "gaps" if "out" in facts.report else "rejects" if facts.header.mode in IMPORT_MODES else "findings"
        pill, tone = f"complete, with {what}", "warn"
    meta = [facts.header.host.removeprefix("https://"), _when_text(facts, zone)]
    if exit_code is not None:
        meta.append(f"exit code {exit_code}")
    if facts.header.parent and facts.header.mode in IMPORT_MODES:
        meta.append(f"retry of {facts.header.parent}")
    return Head(_title(facts), pill, tone, _verdict(facts, zone), tuple(meta))


def _title(facts: RunFacts) -> str:
    header, out = facts.header, facts.report.get("out")
    if title := facts.report.get("title"):
        return f"{title[:1].upper()}{title[1:]}" if header.mode == "verify" else str(title)
    if out:
        host = header.host.removeprefix("https://")
        return f"{header.resource.capitalize()} from {host} to {PurePath(str(out)).name or out}"
    names = [PurePath(str(name)).name for name in facts.report.get("inputs", ())]
    files = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    other = {
        "undo": f"Undo of {header.parent}",
        "verify": f"{header.resource.capitalize()} in Gladly compared with {header.parent or files}",
        "plan": f"Plan for {header.resource}{f' from {files}' if files else ''}",
        "repair": f"Known keys of {header.resource}, looked up in Gladly",
    }
    if header.mode in other:
        return other[header.mode]
    how = "deleted in" if header.mode == "delete" else "to"
    planned = f", as planned in {header.plan.name}" if header.plan is not None else ""
    return f"{header.resource.capitalize()}{f' from {files}' if files else ''} {how} Gladly{planned}"


def _verdict(facts: RunFacts, zone: dt.tzinfo | None) -> str:
    if facts.is_running:
        return f"Still at work. This page shows it as of {moment_text(facts.now, zone)}; it does not update itself."
    if facts.is_current and facts.report.get("verdict"):
        return str(facts.report["verdict"])
    if facts.status == "complete":
        return "Finished." if not facts.report.get("exit_code") else "Finished, but not everything arrived."
    reason = facts.report.get("reason") if facts.is_current else facts.sessions[-1].reason if facts.sessions else None
    return f"Not finished: {cause_text(reason).rstrip('.')}."


def _when_text(facts: RunFacts, zone: dt.tzinfo | None) -> str:
    began = dt.datetime.fromisoformat(facts.header.created_at).astimezone(zone)
    if facts.is_running:
        return f"since {day_text(began)}, {began:%H:%M}"
    ended = _ended(facts)
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


def figures_of(facts: RunFacts, outcomes: Outcomes, things: str) -> Iterator[Figure]:
    """Yield the numbers that are seen first: how much arrived, how much did not, and what it cost."""
    report, counts = facts.report, facts.report.get("counts", {})
    read, noun = outcomes.read, things.removesuffix("s")
    if "out" in report:
        fetched = sum(counts.get(word, 0) for word in ("created", "updated", "unchanged"))
        yield Figure(f"{fetched:,}", "rows fetched", f"{counts.get('created', 0):,} of them new")
        if gaps := _gaps_in(report.get("units", {})):
            yield Figure(f"{gaps:,}", "downloads incomplete or missing", "listed below", "bad")
    elif facts.header.mode in IMPORT_MODES:
        arrived = sum(counts.get(word, 0) for word in _ARRIVED)
        share = f"{share_text(arrived, read)} of {counted(read, noun)}" if read else ""
        became = "deleted" if facts.header.mode == "delete" else "arrived"
        yield Figure(f"{arrived:,}", f"{noun if arrived == 1 else things} {became}", share)
        if lost := counts.get("rejected", 0) + counts.get("unknown", 0):
            yield Figure(f"{lost:,}", "did not arrive", share_text(lost, max(read, lost)), "bad")
    else:
        yield Figure(f"{read:,}", noun if read == 1 else things)
        if found := sum(row.number for row in outcomes.rows if is_problem(row.word)):
            yield Figure(f"{found:,}", "to look at", share_text(found, max(read, found)), "bad")
    seconds, requests = report.get("seconds", 0.0), report.get("requests_total", 0)
    yield Figure(
        f"{requests:,}",
        "request" if requests == 1 else "requests",
        f"{requests / seconds:.3g} a second" if seconds >= 1 else "",
    )
    if seconds:
        stops = len(facts.sessions) - 1
        is_smooth = facts.status == "complete"
        more = counted(stops, "interruption") if stops > 0 else "without interruption" if is_smooth else ""
        # On a phone, "less than 1" and "s" would stand on two lines.
        yield Figure("\N{NO-BREAK SPACE}".join(duration_text(seconds).rsplit(" ", 1)), "of work", more)


def _gaps_in(units: Mapping[str, Mapping[str, int]]) -> int:
    """Return how many downloads did not end well, of all data sets."""
    return sum(
        number for states in units.values() for state, number in states.items() if state not in ("done", "unchanged")
    )


def moment_text(moment: dt.datetime, zone: dt.tzinfo | None) -> str:
    """Return a moment as people read it: `27 Nov 15:36:11`."""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b} {local:%H:%M:%S}"
