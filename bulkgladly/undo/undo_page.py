"""What an undo tells people: before it, what will be taken back and what cannot be, and afterwards what was. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.records import Word
from bulkgladly.runs.observer import Estimate, counted
from bulkgladly.settings import Foreseen

if TYPE_CHECKING:
    from bulkgladly.undo.planned_objects import PlanCounts

__all__ = ("SAID", "cannot_text", "estimate_of_undo", "plan_line", "plan_text", "said_of", "several", "why_not")

SAID: Mapping[str, str] = {
    Word.UPDATED: "restored",
    Word.DELETED: "deleted",
    Word.UNCHANGED: "nothing to do",
    Word.SKIPPED: "kept",
    Word.REJECTED: "not possible",
    Word.UNKNOWN: "unknown",
    "unprocessed": "unprocessed",
}
"""How the ends of an undo are called for people, by the words of the journal."""


def said_of(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts under the words that people read."""
    return {said: counts[word] for word, said in SAID.items() if counts.get(word)}


def several(number: int, noun: str) -> str:
    """Return a number of objects with their noun: 1 activity, 2,000 activities."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def why_not(code: str, spec: ImportSpec) -> str:
    """Return why an object cannot be taken back, and what helps the next time."""
    reversal = spec.reversal
    if reversal is None or code == "not_restorable":
        return spec.irreversible
    if code == "no_before":
        return (
            "it was not read before it was updated, so its old values are not known; next time, import with "
            "--read-first or --undoable"
        )
    if code == "not_noted":
        return "it was written by an older version of bulkgladly, which did not record what it changed; check in Gladly"
    if code == "deletion":
        return "it was deleted, and an object that is created again does not get back what people had added to it"
    return reversal.why_not


def plan_text(counts: "PlanCounts") -> str:
    """Return what will be done: `720 to delete, 1,180 to restore`."""
    parts = [f"{counts.to_delete:,} to delete"] if counts.to_delete else []
    parts += [f"{counts.to_restore:,} to restore"] if counts.to_restore else []
    if number := sum(counts.cannot.values()):
        parts.append(f"{number:,} that cannot be taken back")
    return ", ".join(parts) or "nothing to do"


def estimate_of_undo(counts: "PlanCounts", pace: Foreseen, *, done: int = 0, most: int | None = None) -> Estimate:
    """Return how many requests an undo takes, and how long those take.

    Of the objects, `done` have ended in earlier sessions, and `most` are taken back in this one: both take their share.
    """
    left = max(0, counts.objects - done)
    share = (left if most is None else min(left, most)) / max(1, counts.objects)
    rows, todo, low, high = (
        round(number * share) for number in (counts.objects, counts.to_do, counts.least, counts.requests)
    )
    judged = "by their share" if share < 1 else ""
    return Estimate(rows, True, low, high, pace.usual, rows - todo, judged=judged, pace=pace).of_run()


def plan_line(counts: "PlanCounts", run: str, estimate: Estimate) -> str:
    """Return what is about to be done as one line."""
    effort = f"; {estimate.effort()}" if counts.to_do else ""
    return f"undo of {run}: {plan_text(counts)}{effort}; Ctrl-C stops safely"


def cannot_text(counts: "PlanCounts", spec: ImportSpec) -> list[str]:
    """Return a line for each reason why something cannot be taken back, or may be judged wrongly."""
    lines = [f"{several(number, counts.noun)}: {why_not(code, spec)}" for code, number in counts.cannot.items()]
    if counts.unread:
        lines.append(
            f"{several(counts.unread, counts.noun)} can be restored only in part, because not every field was read "
            "before it was written"
        )
    if counts.unsettled:
        lines.append(
            f"{counted(counts.unsettled, 'record')} of the run ended as rejected or unknown after a request that may "
            "have changed something; check in Gladly"
        )
    if counts.by_clock:
        lines.append(
            f"{several(counts.by_clock, counts.noun)} were written by other runs, too; which run was later is known "
            "only by this machine's clock, because an older version ran one of them, or the state was replaced"
        )
    return lines
