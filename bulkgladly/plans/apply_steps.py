"""The steps of a record of a plan: what was planned, after a look at what it writes over. Pure generators.

A record that is no longer as the plan saw it ends as rejected with the code `moved`; nothing of it is written.
"""

from collections.abc import Callable, Generator
from typing import Any

from bulkgladly.gladly.change import Action, Change, Found, Held, same_value
from bulkgladly.gladly.decisions import changed_since, create_of, remember
from bulkgladly.gladly.earlier_attempts import deleted_before, is_written, word_of_accepted
from bulkgladly.gladly.fingerprints import held_fingerprints
from bulkgladly.gladly.identity import digest64
from bulkgladly.gladly.outcomes import unread
from bulkgladly.gladly.spec import ImportSpec, Policy, Procedure, Record, Steps
from bulkgladly.messages import Reply, Request
from bulkgladly.plans.planned_changes import PlannedChange, ending_of, memory_of
from bulkgladly.records import FORGOTTEN, Mode, Outcome, Problem, Stage, Word

__all__ = ("PlannedSteps",)


class PlannedSteps:
    """Chooses the steps of each record by its planned change. Chapters: choose, create, update and delete, moved."""

    def __init__(self, spec: ImportSpec, policy: Policy, find: Callable[[int], PlannedChange | None]) -> None:
        """`find` returns what is planned for a record by its number; None if memory says that it is unchanged."""
        self._spec, self._policy, self._find = spec, policy, find
        self._procedure: Procedure = spec.procedures[policy.mode]

    # --- choose --------------------------------------------------------------------------------

    def queued(self, record: Record) -> Record:
        """Return a record that waits for those before it which write to the same object."""
        planned = self._find(record.row.seq)
        if planned is None or not planned.is_shared or planned.gladly_id is None:
            return record
        return record._replace(lanes=(*record.lanes, digest64("target", planned.gladly_id)))

    def steps(self, record: Record) -> Steps:
        """Do what was planned for a record, and return how it ends."""
        planned = self._find(record.row.seq)
        if planned is None:
            return self._as_remembered(record)
        match planned.action:
            case Action.CREATE:
                return (yield from self._create(record, planned))
            case Action.UPDATE | Action.DELETE:
                return (yield from self._write_over(record, planned))
            case Action.NONE | Action.REFUSE:
                return self._ended(record, planned)
            case _:  # left open
                return (yield from self._spec.steps(record, self._policy))

    def _as_remembered(self, record: Record) -> Outcome:
        known = record.known
        if known is None or changed_since(record, known):
            return _moved(None, "another run has written this record since the plan was made", "key")
        return Outcome(Word.UNCHANGED, gladly_id=known.gladly_id)

    def _ended(self, record: Record, planned: PlannedChange) -> Outcome:
        if planned.action == Action.REFUSE or planned.code is not None:
            return ending_of(planned)
        if (planned.reason or "").startswith("repeats "):
            # It equals an earlier row, and is in Gladly only if that one arrived.
            if record.known is not None and not changed_since(record, record.known):
                return Outcome(Word.UNCHANGED, gladly_id=record.known.gladly_id)
            return _moved(None, f"it {planned.reason}, which did not arrive", "key")
        if memory_of(record.known, record.former_key) != planned.memory:
            return self._as_remembered(record)
        # A deletion leaves nothing to remember, nor does what has no id.
        is_gone = self._policy.mode is Mode.DELETE or planned.gladly_id is None
        return ending_of(planned, None if is_gone else remember(record))

    # --- create --------------------------------------------------------------------------------

    def _create(self, record: Record, planned: PlannedChange) -> Steps:
        """Send a create as it was planned. What the plan did not see in its way is left alone."""
        if record.known is not None or record.doubt:
            # This run, or another one, may have created it: the steps of an import find that out.
            return (yield from self._kept_to(self._spec.steps(record, self._policy), record, planned))
        # What is sent at most once is decided again if a look has decided it: another one may have made it since.
        if self._procedure.look is None and (not self._spec.is_at_most_once or len(planned.costs) > 1):
            return (yield from self._decided_again(record, planned))
        payload = planned.after()
        record = record._replace(payload=payload) if payload != record.payload else record
        change = create_of(self._spec.name, record)._replace(id=planned.gladly_id)
        return (yield from self._kept_to(self._spec.apply(record, self._policy, change), record, planned))

    def _kept_to(self, steps: Steps, record: Record, planned: PlannedChange) -> Steps:
        """Take steps as far as they were planned: one create, and after it only what completes the new object."""
        may_write, is_made = True, record.doubt
        try:
            request = next(steps)
            while True:
                is_write = request.method != "GET"
                if is_write and (not may_write or request.operation not in planned.costs):
                    steps.close()
                    return _moved(planned.gladly_id, "an object that did not exist when it was planned is in the way")
                reply = yield request
                if is_write and reply.is_taken and not (reply.lost or record.doubt):
                    steps.close()
                    problem = next(iter(reply.problems), None)
                    return self._in_the_way(planned, reply, None if problem is None else problem.attr)
                if is_write:
                    is_made = is_made or reply.is_confirmed
                    may_write = is_made
                request = steps.send(reply)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome

    def _in_the_way(self, planned: PlannedChange, reply: Reply, attr: str | None) -> Outcome:
        detail = f"{attr or 'its id'} is taken by an object that the plan did not see"
        return _moved(planned.gladly_id, detail, attr, status=reply.status)

    # --- update and delete ---------------------------------------------------------------------

    def _write_over(self, record: Record, planned: PlannedChange) -> Steps:
        """Write an update or deletion, if Gladly still holds what the plan saw."""
        if self._procedure.look is None:
            return (yield from self._decided_again(record, planned))
        found = yield from _look_once(self._procedure.look(record, planned.gladly_id or record.id))
        if found is None:
            return _moved(planned.gladly_id, "it was merged into another object since the plan was made")
        if found.reply is not None:
            return unread(found.reply, planned.gladly_id)
        if found.held is None:
            return self._gone(record, planned)
        if self._is_as_wanted(planned, found.held):
            return Outcome(word_of_accepted(record), planned.gladly_id, accepted=remember(record))
        if is_written(record, planned.gladly_id, found.held):
            # By this run before it was killed. What others have changed since stays, as after a run that was not.
            return Outcome(Word.UPDATED, planned.gladly_id, accepted=remember(record))
        if (moved := self._moved_field(record, planned, found.held)) is not None:
            return _moved(planned.gladly_id, f"{moved} is no longer as the plan saw it", moved)
        return (yield from self._spec.apply(record, self._policy, self._change(record, planned, found.held)))

    def _change(self, record: Record, planned: PlannedChange, held: Held) -> Change:
        return Change(
            self._spec.name,
            record.key,
            planned.gladly_id,
            Action(planned.action),
            record.row.position,
            Word(planned.word),
            planned.after(),
            held,
        )

    def _gone(self, record: Record, planned: PlannedChange) -> Outcome:
        if planned.action == Action.DELETE:
            return deleted_before(record, Outcome(Word.UNCHANGED, gladly_id=planned.gladly_id))
        return _moved(planned.gladly_id, "it was deleted in Gladly since the plan was made", status=404)

    def _is_as_wanted(self, planned: PlannedChange, held: Held) -> bool:
        """Tell whether there is nothing to write: somebody else has, or this run before it was killed."""
        after = planned.after()
        # In one direction: Gladly adds to what it gets, such as the normalized form of an address.
        return planned.action == Action.UPDATE and all(same_value(held.get(name), one) for name, one in after.items())

    def _moved_field(self, record: Record, planned: PlannedChange, held: Held) -> str | None:
        """Return the first field that Gladly no longer holds as the plan saw it."""
        before = planned.before()
        if before is not None:
            return next((name for name, value in before.items() if not _is_same(held.get(name), value)), None)
        # Nobody has read it: memory has the fingerprint of what was accepted last.
        accepted = record.known.accepted if record.known is not None else {}
        names = [one.field for one in planned.fields if accepted.get(one.field, FORGOTTEN) != FORGOTTEN]
        return next((name for name in names if accepted[name] not in held_fingerprints(held.get(name))), None)

    def _decided_again(self, record: Record, planned: PlannedChange) -> Steps:
        """Write a change of an object whose steps decide by reading, if they decide as they did for the plan."""
        change = yield from self._spec.decide(record, self._policy)
        if change.end is not None:
            # An end as written is that of this run, before it was killed.
            is_moved = change.end.word in (Word.REJECTED, Word.SKIPPED)
            return _moved(planned.gladly_id, f"{change.end.detail or 'it has changed'}") if is_moved else change.end
        is_same = (change.action, change.id) == (planned.action, planned.gladly_id)
        if not is_same or not _is_same(dict(change.after), planned.after()):
            return _moved(planned.gladly_id, "the change that is needed now is not the one that was planned")
        return (yield from self._spec.apply(record, self._policy, change))


def _look_once(looking: Generator[Request, Reply, Found]) -> Generator[Request, Reply, Found | None]:
    """Look at an object with one request; None if it was merged into another one."""
    request = next(looking)
    reply = yield request
    try:
        looking.send(reply)
    except StopIteration as end:
        found: Found = end.value
        return found
    looking.close()
    return None


def _is_same(held: Any, seen: Any) -> bool:
    """Tell whether two values are the same in both directions: nothing was taken away, and nothing was added."""
    return same_value(held, seen) and same_value(seen, held)


def _moved(gladly_id: str | None, detail: str, attr: str | None = None, *, status: int | None = None) -> Outcome:
    problem = Problem("moved", f"{detail}; nothing was written; plan again", attr, Stage.CONFLICT)
    return Outcome.rejected(problem, status=status, gladly_id=gladly_id)
