"""What is done for one object that takes an id of ours, in each mode, request by request. Pure generators.

The same rules for tasks, activities, comments, topics and answers; an `Endpoint` says where
they live and how they are compared. How a request is paced, repeated and journaled is not
decided here. Facts: gladly-api, README, "Client-supplied ids" and "Merged customers".
"""

from collections.abc import Generator
from dataclasses import dataclass

from bulkgladly.messages import ApiProblem, Reply, Request
from bulkgladly.records import Known, Mode, Outcome, Problem, Stage, Word
from bulkgladly.resources.endpoints import Endpoint, Held
from bulkgladly.resources.merges import MAX_MERGES
from bulkgladly.resources.objects import segment
from bulkgladly.resources.outcomes import first_problem, refused, undone, unknown, unread
from bulkgladly.resources.spec import Policy, Record, Steps

__all__ = ("PlainSteps", "survivor_of")

OWN_ID = (None, "id", "newConversationItems")
"""What a 409 names that is about our id, where it names anything [gladly-api, client-supplied ids]."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What asking for an object showed. `held` None with `reply` None: there is none."""

    gladly_id: str
    held: Held | None = None
    reply: Reply | None = None

    @property
    def is_absent(self) -> bool:
        return self.held is None and self.reply is None


class PlainSteps:
    """The procedures of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._at = endpoint

    def create(self, record: Record, policy: Policy) -> Steps:
        """Make the object; one that is there already with other content is a reject."""
        if record.known is not None and not record.doubt and not _changed_since(record, record.known):
            return Outcome(Word.UNCHANGED, gladly_id=record.known.gladly_id)
        return (yield from self._create(record, policy))

    def upsert(self, record: Record, policy: Policy) -> Steps:
        """Make the object, or bring the one that is there up to the row: 1 request when new or known."""
        if record.known is not None and not record.doubt:
            return (yield from self._update_known(record, record.known))
        return (yield from self._create(record, policy))

    def update(self, record: Record, _policy: Policy) -> Steps:
        """Bring an existing object up to the row; one that does not exist is a reject."""
        if record.known is not None:
            return (yield from self._update_known(record, record.known))
        found = yield from self._fetch(record, record.id)
        return (yield from self._bring_up(record, found))

    def delete(self, record: Record, _policy: Policy) -> Steps:
        """Delete the object by its remembered, own or derived id; one that is gone already is unchanged."""
        target = record.known.gladly_id if record.known else record.id
        reply = yield self._at.remove(record, target)
        if reply.is_confirmed:
            return Outcome(Word.DELETED, gladly_id=target, status=reply.status)
        if reply.is_absent:
            return Outcome(Word.DELETED if reply.lost else Word.UNCHANGED, gladly_id=target)
        if not reply.is_unclear:
            return self._refused(reply, target)
        found = yield from self._fetch(record, target)
        if found.is_absent:
            return Outcome(Word.DELETED, gladly_id=target)
        return self._refused(reply, target) if found.held is not None else unknown(found.reply, target)

    def _create(self, record: Record, policy: Policy, hops: int = 0) -> Steps:
        if record.doubt and not hops:
            # An earlier process may have made it: ask, never repeat blindly.
            found = yield from self._fetch(record, record.id)
            if not found.is_absent:
                return (yield from self._settle_existing(record, policy, found, was_ours=True))
        barrier = self._at.may_create(record, policy)
        if barrier is not None:
            return (yield from self._without_create(record, policy, barrier))
        reply = yield self._at.create(record)
        if reply.is_confirmed:
            return (yield from self._complete(record, reply))
        if reply.is_taken:
            return (yield from self._after_conflict(record, policy, reply))
        if reply.is_unclear:
            found = yield from self._fetch(record, record.id)
            if found.is_absent:
                return self._with_way_out(undone(reply, record.id))
            return (yield from self._settle_existing(record, policy, found, was_ours=True))
        if not reply.is_refused:
            return (yield from self._after_no_path(record, policy, reply, hops))
        return self._refused(reply, record.id)

    def _after_no_path(self, record: Record, policy: Policy, reply: Reply, hops: int) -> Steps:
        """The customer was merged, or the parent is not there."""
        survivor = yield from survivor_of(record, reply)
        if survivor is not None and hops < MAX_MERGES:
            record.payload = {**record.payload, "customerId": survivor}
            return (yield from self._create(record, policy, hops + 1))
        if reply.is_absent and (parent := self._at.parent(record)) is not None:
            problem = Problem("not_exist", f"Gladly has no such {parent}", f"{parent}Id", Stage.API)
            return Outcome.rejected(problem, status=reply.status)
        return self._refused(reply, record.id)

    def _without_create(self, record: Record, policy: Policy, barrier: Problem) -> Steps:
        if policy.mode is Mode.CREATE:
            return Outcome.rejected(barrier)
        found = yield from self._fetch(record, record.id)
        if found.is_absent:
            return Outcome.rejected(barrier)
        return (yield from self._bring_up(record, found))

    def _complete(self, record: Record, made: Reply) -> Steps:
        """After the create: what could not be said in it."""
        left = self._at.completing(record.payload)
        if left:
            outcome = yield from self._patch(record, record.id, left)
            if outcome.word is not Word.UPDATED:
                detail = f"the {self._at.noun} was made, but {', '.join(left)} could not be set: {outcome.detail}"
                return outcome._replace(gladly_id=record.id, detail=detail)
        return Outcome(Word.CREATED, gladly_id=record.id, status=made.status, accepted=record.fingerprints)

    def _after_conflict(self, record: Record, policy: Policy, reply: Reply) -> Steps:
        problem = next((one for one in reply.problems if one.attr in OWN_ID), first_problem(reply))
        if problem.attr in OWN_ID or reply.lost or record.doubt:
            # A name may be taken by our own first attempt, too.
            found = yield from self._fetch(record, record.id)
            if not found.is_absent:
                was_ours = bool(reply.lost or record.doubt)
                return (yield from self._settle_existing(record, policy, found, was_ours=was_ours))
        return (yield from self._by_conflict_policy(record, policy, reply, problem))

    def _settle_existing(self, record: Record, policy: Policy, found: _Found, *, was_ours: bool) -> Steps:
        """Our id is taken. Equal content: made by us, or unchanged. Different: it existed before."""
        if found.held is None:
            return unknown(found.reply, record.id)
        changes = self._at.differences(found.held, record.payload)
        if not changes:
            word = Word.CREATED if was_ours else Word.UNCHANGED
            return Outcome(word, gladly_id=found.gladly_id, accepted=record.fingerprints)
        is_rest = was_ours and changes.keys() <= self._at.completing(record.payload).keys()
        if (policy.mode is Mode.CREATE and not is_rest) or not self._at.can_change:
            detail = f"{_a(self._at.noun)} with this id exists and differs in {', '.join(changes)}" + (
                "; use --mode upsert to update it" if self._at.can_change else ", and cannot be changed"
            )
            problem = Problem("taken", detail, "id", Stage.CONFLICT)
            return Outcome.rejected(problem, status=409, gladly_id=found.gladly_id)
        outcome = yield from self._patch(record, found.gladly_id, changes)
        return outcome._replace(word=Word.CREATED) if is_rest and outcome.word is Word.UPDATED else outcome

    def _by_conflict_policy(self, record: Record, policy: Policy, reply: Reply, problem: ApiProblem) -> Steps:
        """Something else that is unique, a name as a rule, belongs to another object."""
        other = next((held_by for one in reply.problems if (held_by := self._at.holder(one)) is not None), None)
        attr, whose = problem.attr or "name", f"another {self._at.noun}" + (f", {other}" if other else "")
        if policy.on_conflict == "skip":
            detail = f"{attr} belongs to {whose}; skipped by --on-conflict"
            return Outcome(
                Word.SKIPPED, stage=Stage.CONFLICT, status=reply.status, code="taken", attr=attr, detail=detail
            )
        if policy.on_conflict == "quarantine" or policy.mode is Mode.CREATE or other is None:
            detail = f"{attr} belongs to {whose}; rename one, or choose --on-conflict skip, update or merge"
            return Outcome.rejected(Problem("taken", detail, attr, Stage.CONFLICT), status=reply.status)
        found = yield from self._fetch(record, other)
        if policy.on_conflict == "merge" and found.held is not None:
            gaps = {name: value for name, value in record.payload.items() if found.held.get(name) in (None, "", [])}
            changes = self._at.differences(found.held, gaps)
            if not changes:
                return Outcome(Word.UNCHANGED, gladly_id=other, accepted=record.fingerprints)
            return (yield from self._patch(record, other, changes))
        return (yield from self._bring_up(record, found))

    def _update_known(self, record: Record, known: Known) -> Steps:
        """Write what has changed since Gladly last accepted the record: no request, or 1."""
        changed = [name for name in _changed_since(record, known) if name not in self._at.fixed]
        if not changed:
            return Outcome(Word.UNCHANGED, gladly_id=known.gladly_id)
        changes = {name: record.payload[name] for name in changed}
        outcome = yield from self._patch(record, known.gladly_id, changes)
        if outcome == self._gone(known.gladly_id):
            detail = (
                f"the {self._at.noun} was deleted in Gladly since it was imported, and is not made again; leave the "
                "row out, or import it under another --namespace"
            )
            problem = Problem("deleted_since", detail, None, Stage.API)
            return Outcome.rejected(problem, status=404, gladly_id=known.gladly_id)
        return outcome

    def _bring_up(self, record: Record, found: _Found) -> Steps:
        if found.is_absent:
            return self._gone(found.gladly_id)
        if found.held is None:
            return unread(found.reply, found.gladly_id)
        changes = self._at.differences(found.held, record.payload)
        if not changes:
            return Outcome(Word.UNCHANGED, gladly_id=found.gladly_id, accepted=_remember(record))
        return (yield from self._patch(record, found.gladly_id, changes))

    def _patch(self, record: Record, gladly_id: str, changes: Held) -> Steps:
        reply = yield self._at.change(record, gladly_id, changes)
        if reply.is_confirmed:
            return Outcome(Word.UPDATED, gladly_id=gladly_id, status=reply.status, accepted=_remember(record))
        if reply.is_absent:
            return self._gone(gladly_id)
        if reply.is_taken:
            problem = next((one for one in reply.problems if one.code == "taken"), None)
            other = self._at.holder(problem) if problem else None
            attr = (problem.attr if problem else None) or "name"
            whose = f"another {self._at.noun}" + (f", {other}" if other else "")
            detail = f"{attr} belongs to {whose}; nothing of the row was written"
            return Outcome.rejected(
                Problem("taken", detail, attr, Stage.CONFLICT), status=reply.status, gladly_id=gladly_id
            )
        if not reply.is_unclear:
            return self._refused(reply, gladly_id)
        found = yield from self._fetch(record, gladly_id)
        if found.is_absent:
            return self._gone(gladly_id)
        if found.held is None:
            return unknown(found.reply, gladly_id)
        # What others changed meanwhile says nothing about this request.
        if self._at.differences(found.held, record.payload).keys() & changes.keys():
            return self._refused(reply, gladly_id)
        return Outcome(Word.UPDATED, gladly_id=gladly_id, accepted=_remember(record))

    def _fetch(self, record: Record, gladly_id: str) -> Generator[Request, Reply, _Found]:
        reply = yield self._at.fetch(record, gladly_id)
        if reply.object is not None:
            return _Found(gladly_id, reply.object)
        return _Found(gladly_id) if reply.is_absent else _Found(gladly_id, reply=reply)

    def _gone(self, gladly_id: str) -> Outcome:
        detail = f"Gladly has no such {self._at.noun}" + (
            "; use --mode upsert to make those that are missing" if self._at.can_create else ""
        )
        return Outcome.rejected(Problem("not_exist", detail, None, Stage.API), status=404, gladly_id=gladly_id)

    def _refused(self, reply: Reply, gladly_id: str) -> Outcome:
        return self._with_way_out(refused(reply, gladly_id))

    def _with_way_out(self, outcome: Outcome) -> Outcome:
        way_out = (self._at.states or {}).get(str(outcome.code))
        return outcome._replace(detail=f"{outcome.detail}; {way_out}") if way_out else outcome


def survivor_of(record: Record, reply: Reply) -> Generator[Request, Reply, str | None]:
    """Find into whom the customer of a record was merged; None where nothing says so.

    The reply names the survivor (301), or the profile is asked for: what some operations
    answer for a merged id is UNKNOWN, and 404 is what the emulator takes it for.
    """
    customer_id = record.payload.get("customerId")
    if reply.successor is not None or customer_id is None or not reply.is_absent:
        return reply.successor
    asked = yield Request("getCustomer", "GET", f"/api/v1/customer-profiles/{segment(str(customer_id))}")
    return asked.successor


def _changed_since(record: Record, known: Known) -> list[str]:
    return [name for name, print_ in record.fingerprints.items() if known.accepted.get(name) != print_]


def _remember(record: Record) -> dict[str, str]:
    """What Gladly holds now: earlier fields that this row does not mention stay as they were."""
    return {**(record.known.accepted if record.known else {}), **record.fingerprints}


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
