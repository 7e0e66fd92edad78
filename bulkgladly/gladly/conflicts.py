"""What a record comes to if another object holds a value of it that must be unique. Requests only read. Pure.

An import asks this after Gladly has refused a create; a plan asks it before anything is sent.
"""

from collections.abc import Generator

from bulkgladly.gladly.change import Action, Found
from bulkgladly.gladly.decisions import Sight, by_look, ended, gap_filling
from bulkgladly.gladly.endpoints import Endpoint, look
from bulkgladly.gladly.spec import Deciding, Policy, Record
from bulkgladly.messages import ApiProblem, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word

__all__ = ("conflict_change", "conflict_end", "decided_by", "named", "taken_in_update")


def decided_by(at: Endpoint, record: Record, policy: Policy, found: Found, sight: Sight) -> Deciding:
    """Decide by what was found. A search is followed by a look where it is not enough to write over."""
    change = by_look(at, record, policy, found, sight)
    is_kept = policy.undoable and change.action is Action.UPDATE
    if found.is_searched and (is_kept or not at.shared.isdisjoint(change.after)):
        found = yield from look(at, record, found.gladly_id)
        change = by_look(at, record, policy, found, sight)
    return change


def conflict_end(at: Endpoint, policy: Policy, status: int, problem: ApiProblem, other: str | None) -> Outcome | None:
    """Return how a record ends by `--on-conflict`, because a value belongs to another object; None if it is written.

    `other` is the id of that object, if it is known; `status` is that of the refusal.
    """
    attr = problem.attr or at.unique.attr
    told = f"{problem.attr or at.unique.in_create} belongs to another {at.noun}{named(other)}"
    if policy.on_conflict == "skip":
        detail = f"{told}; skipped by --on-conflict"
        return Outcome(Word.SKIPPED, stage=Stage.CONFLICT, status=status, code="taken", attr=attr, detail=detail)
    cannot_be_found = at.rival is None and (policy.mode is Mode.CREATE or other is None)
    if policy.on_conflict == "quarantine" or cannot_be_found:
        return Outcome.rejected(Problem("taken", f"{told}; {at.unique.fix}", attr, Stage.CONFLICT), status=status)
    return None


def conflict_change(at: Endpoint, record: Record, policy: Policy, other: str | None) -> Deciding:
    """Return what is written to the object that holds a value of the record: `--on-conflict update` or `merge`."""
    found = yield from _rival(at, record, other)
    if isinstance(found, Outcome):
        return ended(at.object, record, found)
    if policy.on_conflict == "merge" and found.is_searched:
        found = yield from look(at, record, found.gladly_id)
    if policy.on_conflict == "merge" and found.held is not None:
        return gap_filling(at, record, policy, found)
    return (yield from decided_by(at, record, policy, found, Sight.SOUGHT))


def taken_in_update(at: Endpoint, problem: ApiProblem, status: int, gladly_id: str) -> Outcome:
    """Return the reject of an update that would give an object a value of another one."""
    whose = f"another {at.noun}{named(at.holder(problem))}"
    detail = f"{problem.attr or at.unique.in_update} belongs to {whose}; nothing of the row was written"
    reject = Problem("taken", detail, problem.attr or at.unique.attr, Stage.CONFLICT)
    return Outcome.rejected(reject, status=status, gladly_id=gladly_id)


def _rival(at: Endpoint, record: Record, other: str | None) -> Generator[Request, Reply, Found | Outcome]:
    if at.rival is not None:
        return (yield from at.rival(record))
    return (yield from look(at, record, other or record.id))


def named(other: str | None) -> str:
    """Return the id of another object as the end of a sentence, if it is known."""
    return f", {other}" if other else ""
