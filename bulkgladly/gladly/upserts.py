"""The steps of an object that takes an id from the client, in each mode, request by request. Pure generators.

The rules are the same for all of them; an `Endpoint` has the requests of one kind of object and
its own rules. `endpoints` looks, `decisions` decides, and the writes are here. The reply to a
write may be a conflict, or may not tell what happened: then the object is looked at, and decided
on, again. How a request is paced, repeated and journaled is decided elsewhere.
Facts: gladly-api, README, "Client-supplied ids", "Retry safety" and "Merged customers".
"""

from collections.abc import Callable, Generator
from typing import Any

from bulkgladly.gladly.change import Action, Change, Found, Held, after_change, creating, without, writing
from bulkgladly.gladly.conflicts import conflict_change, conflict_end, decided_by, taken_in_update
from bulkgladly.gladly.decisions import (
    Sight,
    as_accepted,
    by_look,
    by_memory,
    ended,
    first_create,
    gone,
    gone_before,
    missing,
    remember,
    update_of,
)
from bulkgladly.gladly.earlier_attempts import deleted_before, noted_update
from bulkgladly.gladly.endpoints import MAX_MERGES, Endpoint, Look, look, told_of_owner
from bulkgladly.gladly.foresight import foreseen, merged_away
from bulkgladly.gladly.outcomes import first_problem, refused, undone, unknown, unread, with_hint
from bulkgladly.gladly.spec import Deciding, Policy, Procedure, Record, Steps
from bulkgladly.messages import ApiProblem, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word

__all__ = ("Upserts",)

Differ = Callable[[Held, Held], dict[str, Any]]
"""Returns what a held object lacks of a payload, as far as a change writes it."""


class Upserts:
    """Decides on and writes the objects of one endpoint.

    Chapters: look, decide, apply; create, and what follows a conflict; update; delete; messages.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._at = endpoint

    @property
    def procedure(self) -> Procedure:
        """The two steps, which are the same for every mode."""
        return Procedure(self.decide, self.apply, self.foresee, self.look, self.at_once)

    # --- look, decide, apply -------------------------------------------------------------------

    def at_once(self, record: Record, policy: Policy) -> Outcome | None:
        """Return the outcome of a record that is exactly as it is remembered. Most are, in a repeated import."""
        known = record.known
        if known is None or record.doubt or policy.mode is Mode.DELETE or record.fingerprints != known.accepted:
            return None
        return as_accepted(record, known)

    def decide(self, record: Record, policy: Policy) -> Deciding:
        """Return what the mode of the policy asks for.

        `create` creates the object; one that exists with other content is a reject. `update`
        changes it; one that does not exist is a reject. `upsert` does either: 1 request when
        new, none when Gladly has accepted the content before, 1 when known and changed (2
        where what changed must be read first). `delete` deletes it by its remembered, own or
        derived id; one that no longer exists is unchanged. What an earlier process may have
        created is looked up, and never sent again blindly.
        """
        change = by_memory(self._at, record, policy)
        if change is not None:
            return change  # no look is needed for most records
        sight = Sight.OURS if record.doubt and policy.mode is not Mode.UPDATE else Sight.SOUGHT
        if policy.mode is Mode.CREATE and not record.doubt:
            sight = Sight.IN_THE_WAY  # its key stands for an object with another id
        found = yield from self._first_look(record, policy, sight)
        if isinstance(found, Outcome):
            return ended(self._at.object, record, deleted_before(record, found))
        if sight is Sight.IN_THE_WAY and found.held is None:
            if found.reply is not None:  # nothing was sent, so nothing is in doubt
                return ended(self._at.object, record, unread(found.reply, found.gladly_id), found)
            if (new := first_create(self._at, record, policy)) is not None:
                return new
        return (yield from decided_by(self._at, record, policy, found, sight))

    def apply(self, record: Record, policy: Policy, change: Change) -> Steps:
        """Do what a change says, or return its end."""
        if change.end is not None:
            return change.end
        if change.action is Action.CREATE:
            return (yield from self._create(record, policy))
        if change.action is Action.DELETE:
            return deleted_before(record, (yield from self._remove(record, change)))
        return (yield from self._update(record, policy, change))

    def foresee(self, record: Record, policy: Policy, change: Change) -> Deciding:
        """Return what a change would come to: reads what it would meet or write over."""
        return foreseen(self._at, record, policy, change)

    def look(self, record: Record, gladly_id: str) -> Look:
        """Read an object by its id; merges are followed."""
        return look(self._at, record, gladly_id)

    def _first_look(self, record: Record, policy: Policy, sight: Sight) -> Generator[Request, Reply, Found | Outcome]:
        if policy.mode is Mode.DELETE:
            return (yield from self._victim(record, policy))
        if record.known is not None and sight is not Sight.OURS:
            return (yield from look(self._at, record, record.known.gladly_id))
        if policy.mode is Mode.UPDATE and self._at.locate is not None:
            return (yield from self._at.locate(record))
        return (yield from look(self._at, record, record.id))

    # --- create --------------------------------------------------------------------------------

    def _create(self, record: Record, policy: Policy, hops: int = 0) -> Steps:
        left = self._at.completing(record.payload)
        reply = yield creating(self._at.create(record), record.id, without(record.payload, left))
        if reply.is_confirmed:
            return (yield from self._complete(record, policy, reply, left)) if left else self._made(record, reply)
        if reply.is_taken:
            return (yield from self._after_conflict(record, policy, reply))
        if reply.is_unclear:
            found = yield from look(self._at, record, record.id)
            if found.is_absent:
                return self._with_fix(undone(reply, record.id))
            return (yield from self._settle(record, policy, found, Sight.OURS))
        if not reply.is_refused:
            return (yield from self._after_no_path(record, policy, reply, hops))
        return self._refused(reply, record.id)

    def _made(self, record: Record, reply: Reply) -> Outcome:
        return Outcome(Word.CREATED, gladly_id=record.id, status=reply.status, accepted=record.fingerprints)

    def _complete(self, record: Record, policy: Policy, made: Reply, left: Held) -> Steps:
        """Write what the create could not set."""
        rest = update_of(self._at.object, record, record.id, left, word=Word.CREATED)
        outcome = yield from self._update(record, policy, rest)
        if outcome.word is not Word.CREATED:
            detail = f"the {self._at.noun} was created, but {', '.join(left)} could not be set: {outcome.detail}"
            return outcome._replace(gladly_id=record.id, detail=detail)
        return self._made(record, made)

    def _after_no_path(self, record: Record, policy: Policy, reply: Reply, hops: int) -> Steps:
        """Create again below the survivor if the customer was merged; otherwise the parent does not exist."""
        owner = self._at.owner
        told = (yield from told_of_owner(record, reply, owner)) if owner is not None else reply
        if told.successor is not None and owner is not None and hops < MAX_MERGES:
            below = record._replace(payload={**record.payload, owner: told.successor})
            return (yield from self._create(below, policy, hops + 1))
        if told is not reply and told.successor is None and not (told.is_confirmed or told.is_absent):
            return unread(told, record.id)  # the customer may have been merged, so nothing proves that it is missing
        if reply.is_absent and (parent := self._at.parent(record)) is not None:
            problem = Problem("not_exist", f"Gladly has no such {parent}", f"{parent}Id", Stage.API)
            return Outcome.rejected(problem, status=reply.status)
        return self._refused(reply, record.id)

    def _after_conflict(self, record: Record, policy: Policy, reply: Reply) -> Steps:
        """Look who holds our id, or another value that must be unique, and decide again."""
        own_id = self._at.own_id
        problem = next((one for one in reply.problems if one.attr in own_id), first_problem(reply))
        may_be_ours = bool(reply.lost or record.doubt)
        is_about_id = problem.attr is None or problem.attr in own_id
        if is_about_id or may_be_ours:
            # Our own first attempt may also be what holds an address or a name.
            found = yield from look(self._at, record, record.id)
            if not found.is_absent:
                sight = Sight.OURS if may_be_ours else Sight.IN_THE_WAY
                return (yield from self._settle(record, policy, found, sight))
            if is_about_id and may_be_ours and self._holder(reply) is None:
                # The id is taken, but the object is not found: one of the two replies is out of date, and the
                # object may be our own.
                return unknown(found.reply, record.id)
        return (yield from self._by_conflict_policy(record, policy, reply, problem))

    def _settle(self, record: Record, policy: Policy, found: Found, sight: Sight) -> Steps:
        """Decide again, because our id is taken: by our own create, or by an object that existed before."""
        return (yield from self.apply(record, policy, by_look(self._at, record, policy, found, sight)))

    def _by_conflict_policy(self, record: Record, policy: Policy, reply: Reply, problem: ApiProblem) -> Steps:
        """Do what `--on-conflict` says: an address or a name belongs to another object."""
        at, other = self._at, self._holder(reply)
        if (end := conflict_end(at, policy, reply.status, problem, other)) is not None:
            return end
        change = yield from conflict_change(at, record, policy, other)
        if change.end is None and policy.on_conflict == "merge":
            return (yield from self._update(record, policy, change, differ=self._gaps(policy)))
        return (yield from self.apply(record, policy, change))

    # --- update --------------------------------------------------------------------------------

    def _update(
        self, record: Record, policy: Policy, change: Change, *, differ: Differ | None = None, hops: int = 0
    ) -> Steps:
        """Write what a change says; `differ` finds what is still missing if the reply does not tell."""
        at, gladly_id = self._at, change.id or record.id
        owners = policy.owners
        # Some requests repeat a field of the row, which may not be the file's.
        written = record._replace(payload=after_change(record.payload, change)) if owners else record
        request = at.change(written, gladly_id, change.after)
        is_first = change.before is None or noted_update(at, record, gladly_id, change.before, owners) is None
        change = change._replace(id=gladly_id)
        reply = yield writing(request, change, part=at.noted(change.after), replaces_noted=is_first)
        if reply.is_confirmed:
            return Outcome(change.word, gladly_id=gladly_id, status=reply.status, accepted=remember(record))
        if reply.is_taken:
            return self._taken(reply, gladly_id)
        # If objects of this kind can be merged, a 404 may also mean that this one was merged into another.
        may_be_merged = at.is_merged and not reply.is_refused
        if reply.is_absent and not may_be_merged:
            return missing(at, record, policy, gladly_id)
        if not reply.is_unclear and not may_be_merged:
            return with_hint(self._refused(reply, gladly_id), at.hint(change.after))
        return (yield from self._settle_update(record, policy, change, reply, differ or self._changes(policy), hops))

    def _settle_update(
        self, record: Record, policy: Policy, change: Change, reply: Reply, differ: Differ, hops: int
    ) -> Steps:
        """Look and decide again: the reply does not tell whether the change was done, or the object was merged."""
        gladly_id = change.id or record.id
        found = yield from look(self._at, record, gladly_id)
        if found.is_absent:
            return missing(self._at, record, policy, gladly_id)
        if found.held is None:
            return unknown(found.reply, gladly_id)
        left = differ(found.held, record.payload)
        is_same = found.gladly_id == gladly_id
        if is_same:
            # What others have changed since says nothing about this request.
            left = {name: value for name, value in left.items() if name in change.after}
        if not left and not change.after.keys().isdisjoint(self._at.hidden):
            return unknown(reply, gladly_id)
        if not left:
            return Outcome(change.word, gladly_id=found.gladly_id, accepted=remember(record))
        if is_same or hops >= MAX_MERGES:
            return self._refused(reply, gladly_id)
        again = change._replace(id=found.gladly_id, before=found.held, after=left)
        return (yield from self._update(record, policy, again, differ=differ, hops=hops + 1))

    def _changes(self, policy: Policy) -> Differ:
        return lambda held, payload: self._at.changes(held, payload, policy.owners)

    def _gaps(self, policy: Policy) -> Differ:
        return lambda held, payload: self._at.additions(held, payload, policy.owners)

    def _taken(self, reply: Reply, gladly_id: str) -> Outcome:
        problem = next((one for one in reply.problems if one.code == "taken"), first_problem(reply))
        return taken_in_update(self._at, problem, reply.status, gladly_id)

    # --- delete --------------------------------------------------------------------------------

    def _victim(self, record: Record, policy: Policy) -> Generator[Request, Reply, Found | Outcome]:
        """Find the object to delete; read it if its before-image is to be kept."""
        at = self._at
        usual = Found(record.known.gladly_id if record.known is not None else record.id)
        found = (yield from at.victim(record)) if at.victim is not None else usual
        if not policy.undoable or isinstance(found, Outcome) or found.held is not None:
            return found
        seen = found if found.reply is not None else (yield from look(at, record, found.gladly_id))
        if seen.reply is not None:
            return unread(seen.reply, found.gladly_id)
        if seen.is_absent:
            return gone_before(record, found.gladly_id)
        # Whether a deletion by the id of a merged object would delete the survivor is UNKNOWN.
        return merged_away(seen, found.gladly_id) if seen.gladly_id != found.gladly_id else seen

    def _remove(self, record: Record, change: Change) -> Steps:
        """Delete an object: 1 request, and 1 look if the reply does not tell."""
        at, gladly_id = self._at, change.id or record.id
        is_seen = change.before is not None
        reply = yield writing(at.remove(record, gladly_id), change._replace(id=gladly_id), replaces_noted=is_seen)
        if reply.is_confirmed:
            return Outcome(Word.DELETED, gladly_id=gladly_id, status=reply.status)
        may_be_merged = at.is_merged and not reply.is_refused
        if reply.is_absent and not may_be_merged:
            return gone(record, reply, gladly_id)
        if not reply.is_unclear and not may_be_merged:
            return self._refused(reply, gladly_id)
        found = yield from look(at, record, gladly_id)
        if found.is_absent:
            return gone(record, reply, gladly_id)
        if found.held is None:
            return unknown(found.reply, gladly_id)
        if found.gladly_id != gladly_id:
            return merged_away(found, gladly_id)
        return self._refused(reply, gladly_id)

    # --- messages ------------------------------------------------------------------------------

    def _holder(self, reply: Reply) -> str | None:
        return next((other for one in reply.problems if (other := self._at.holder(one)) is not None), None)

    def _refused(self, reply: Reply, gladly_id: str) -> Outcome:
        return self._with_fix(refused(reply, gladly_id))

    def _with_fix(self, outcome: Outcome) -> Outcome:
        return with_hint(outcome, (self._at.states or {}).get(str(outcome.code)))
