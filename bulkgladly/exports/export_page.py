"""What `report.md` of an export tells people: what was fetched, what is missing, what is about to be lost. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

from bulkgladly.exports.unit_kinds import UnitState
from bulkgladly.runs.observer import counted
from bulkgladly.runs.summary import cause_text
from bulkgladly.shown import MOST_NAME, shown_cell

if TYPE_CHECKING:
    from bulkgladly.exports.export_summary import ExportReport

__all__ = ("export_story", "export_title", "export_verdict", "states_text")

_MOST_NAMED = 3
_MISSING: Mapping[str, str] = {
    UnitState.INCOMPLETE: "incomplete",
    UnitState.GONE: "lost: Gladly has deleted it",
    UnitState.FAILED: "not fetched; the next run tries again",
}


def export_title(report: "ExportReport") -> str:
    """Return what was fetched, from where to where."""
    names = list(report.units)
    what = (
        ", ".join(names) if 0 < len(names) <= _MOST_NAMED else counted(len(names), "data set") if names else "Nothing"
    )
    host = report.host.removeprefix("https://")
    return (
        f"{what[:1].upper()}{what[1:]} from {shown_cell(host)} to {shown_cell(PurePath(report.out).name or report.out)}"
    )


def export_verdict(report: "ExportReport") -> str:
    """Return how the run ended, as one sentence."""
    if report.status == "complete":
        return "Finished, but something is missing." if report.exit_code else "Up to date."
    how = "Not finished" if report.status in ("stopped", "interrupted") else "Failed"
    return f"{how}: {shown_cell(cause_text(report.reason)).rstrip('.')}."


def export_story(report: "ExportReport") -> list[str]:
    """Return the parts of the page that say what has come and what has not."""
    parts = [" ".join(_sentences(report))]
    if report.next_loss is not None:
        parts.append(f"**Run it again before {report.next_loss}**: after that, Gladly deletes what was not fetched.")
    if report.told:
        cells = (
            (one.data_set, shown_cell(one.unit, MOST_NAME), _MISSING.get(one.state, one.state), shown_cell(one.detail))
            for one in report.told
        )
        rows = "\n".join(f"| {' | '.join(row)} |" for row in cells)
        parts.append(f"| data | what | state | why |\n|---|---|---|---|\n{rows}")
    if report.notes:
        parts.append("\n".join(f"- {shown_cell(note)}" for note in report.notes))
    if rows := "\n".join(f"| {name} | {about['rows']:,} |" for name, about in report.files.items() if about["rows"]):
        parts.append(f"| data | rows in the folder now |\n|---|---:|\n{rows}")
    return parts


def _sentences(report: "ExportReport") -> Iterable[str]:
    counts = report.counts
    good = [
        (counts["created"], "new"),
        (counts["updated"], "restated by Gladly, so that they replaced an earlier version"),
        (counts["unchanged"], "known already"),
    ]
    told = [f"{number:,} {what}" for number, what in good if number]
    fetched = sum(number for number, _ in good)
    if not counts["created"] and not counts["updated"]:
        yield "Nothing new was fetched." if not fetched else f"{counted(fetched, 'row')} fetched, and nothing new."
    elif len(told) == 1:
        yield f"{counted(fetched, 'row')} fetched, all of them {good[0][1] if counts['created'] else good[1][1]}."
    else:
        yield f"{counted(fetched, 'row')} fetched: {', '.join(told)}."
    if number := counts["rejected"]:
        yield f"{counted(number, 'line')} could not be read; `_rejects` in the folder has them, with the reason."


def states_text(units: Mapping[str, Mapping[str, int]]) -> str:
    """Return how many downloads ended in which state; empty if there were none."""
    total: Counter[str] = Counter()
    for states in units.values():
        total.update(states)
    return ", ".join(f"{number:,} {state}" for state, number in sorted(total.items()))
