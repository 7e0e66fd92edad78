"""The steps that take back what a run did to one object: read, decide, write, and look after an unclear reply. Pure.

A PATCH sets values, so it may be repeated. A deletion may be repeated too, and is looked up afterwards. Nothing is
deleted of which it is not certain that nobody has used it.
"""

from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from bulkgladly.changes.undo_decision import UndoAction, UndoDecision, decide_undo
from bulkgladly.changes.undo_images import ObjectImages
from bulkgladly.gladly.change import Held
from bulkgladly.gladly.outcomes import refused, unknown, unread
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.messages import Reply, Request
from bulkgladly.records import Outcome, Problem, Stage, Word

__all__ = ("PARTLY", "UndoTask", "Undone", "undo_steps")

PARTLY = "partly"
"""The code of an object of which only a part could be restored."""
_MOST_NAMED = 8


class UndoTask(NamedTuple):
    """One object, and what is known before it is read.

    `later` says which later run has written which field. `in_doubt` says that an earlier process may have taken it
    back already.
    """

    gladly_id: str
    images: ObjectImages
    reversal: Reversal
    later: Mapping[str, str] = MappingProxyType({})
    in_doubt: bool = False


class Undone(NamedTuple):
    """How an object ended. `as_before` are the fields that Gladly holds as before the run, at least in part.

    What Gladly accepted of these fields is no longer true, so the next import has to send them again.
    """

    outcome: Outcome
    as_before: tuple[str, ...] = ()


UndoSteps = Generator[Request, Reply, Undone]


def undo_steps(task: UndoTask) -> UndoSteps:
    """Take back what the run did to an object, and return how that ended.

    The outcome is `deleted`, `updated` (restored; with the code `partly` if a part stays), `unchanged` (there was
    nothing to do), `skipped` (somebody has changed it since), `rejected` (it cannot be taken back) or `unknown`.
    """
    reply = yield task.reversal.fetch(task.gladly_id)
    held = reply.object
    if held is None:
        return Undone(_not_there(task, reply))
    decision = decide_undo(task.images, held, task.reversal, later=task.later)
    if decision.action is UndoAction.DELETE:
        return (yield from _delete(task))
    if decision.action is UndoAction.RESTORE:
        return (yield from _restore(task, decision, held))
    return Undone(_left_alone(task, decision), _as_before(task, decision))


def _not_there(task: UndoTask, reply: Reply) -> Outcome:
    noun, gladly_id = task.reversal.noun, task.gladly_id
    if reply.is_absent and task.in_doubt and task.images.is_created:
        return Outcome(Word.DELETED, gladly_id)
    if reply.is_absent:
        detail = f"the {noun} no longer exists; there is nothing to take back"
        return Outcome(Word.UNCHANGED, gladly_id, code="gone", detail=detail)
    if reply.successor is not None:
        into = f"somebody has merged the {noun} into {reply.successor}"
        detail = f"{into}, which also holds other data; nothing was changed"
        return Outcome(Word.SKIPPED, gladly_id, Stage.CONFLICT, code="merged", detail=detail)
    return unread(reply, gladly_id)


def _left_alone(task: UndoTask, decision: UndoDecision) -> Outcome:
    gladly_id = task.gladly_id
    if decision.action is UndoAction.KEEP:
        return _kept(task, decision)
    if decision.action is UndoAction.CANNOT:
        names = _named(decision.unread)
        detail = f"{names} cannot be restored, because nobody read it before; import with --undoable the next time"
        return Outcome.rejected(Problem("no_before", detail, names, Stage.CHECK), gladly_id=gladly_id)
    if task.in_doubt:
        return Outcome(Word.UPDATED, gladly_id, detail="restored")
    return Outcome(Word.UNCHANGED, gladly_id, code="as_before", detail="it is as it was before the run")


def _kept(task: UndoTask, decision: UndoDecision) -> Outcome:
    names = _named(decision.kept)
    detail = f"{names} changed since the run, so it was left as it is"
    if run := next((task.later[name] for name in _fields(decision.kept) if name in task.later), None):
        detail = f"run {run} has changed {names} since; undo {run} first"
    return Outcome(Word.SKIPPED, task.gladly_id, Stage.CONFLICT, code="changed_since", attr=names, detail=detail)


# --- restore ---


def _restore(task: UndoTask, decision: UndoDecision, held: Held) -> UndoSteps:
    reply = yield from _written(task, decision.changes, held)
    done = Undone(_restored(task, decision, reply), _as_before(task, decision))
    if reply.is_confirmed and not decision.cleared:
        return done
    if not reply.is_confirmed and not reply.is_unclear:
        return Undone(_refused_restore(task, reply))
    # The reply does not tell, or it is not known whether this organisation removes a name that a PATCH leaves out.
    looked = yield task.reversal.fetch(task.gladly_id)
    if looked.object is None:
        return Undone(unknown(looked, task.gladly_id))
    again = decide_undo(task.images, looked.object, task.reversal, later=task.later)
    if again.action is not UndoAction.RESTORE:
        return done
    if reply.is_confirmed:
        # It merges: what is left out stays, and null removes it.
        nulls = {name: {**again.changes[name], **dict.fromkeys(keys)} for name, keys in again.cleared.items()}
        reply = yield from _written(task, {**again.changes, **nulls}, looked.object)
    return done if reply.is_confirmed else Undone(refused(reply, task.gladly_id))


def _written(task: UndoTask, changes: Held, held: Held) -> Generator[Request, Reply, Reply]:
    """Write changes; a list that was not there before is emptied if Gladly does not let it be removed."""
    reply = yield from _all(task.reversal.restoring(task.gladly_id, changes, held))
    lists: dict[str, Any] = {name: [] for name in task.reversal.lists if name in changes and changes[name] is None}
    if lists and reply.is_refused:
        reply = yield from _all(task.reversal.restoring(task.gladly_id, {**changes, **lists}, held))
    return reply


def _all(requests: tuple[Request, ...]) -> Generator[Request, Reply, Reply]:
    """Send requests up to the first that is not confirmed, and return the last reply."""
    for request in requests[:-1]:
        reply = yield request
        if not reply.is_confirmed:
            return reply
    return (yield requests[-1])


def _refused_restore(task: UndoTask, reply: Reply) -> Outcome:
    if reply.is_absent:
        detail = f"the {task.reversal.noun} was deleted or merged a moment ago; nothing was changed"
        return Outcome(Word.SKIPPED, task.gladly_id, Stage.CONFLICT, code="gone", detail=detail)
    return refused(reply, task.gladly_id)


def _restored(task: UndoTask, decision: UndoDecision, reply: Reply) -> Outcome:
    told = f"restored {_named(decision.restored)}"
    end = Outcome(Word.UPDATED, task.gladly_id, status=reply.status or None, detail=told)
    if not decision.kept and not decision.unread:
        return end
    parts = [f"{_named(decision.kept)} changed since"] if decision.kept else []
    parts += [f"{_named(decision.unread)} was not read before"] if decision.unread else []
    names = _named((*decision.kept, *decision.unread))
    return end._replace(code=PARTLY, attr=names, detail=f"{end.detail}; left as it is: {'; '.join(parts)}")


# --- delete ---


def _delete(task: UndoTask) -> UndoSteps:
    """Delete an object, unless something hangs on it that a deletion would take along."""
    gladly_id, noun = task.gladly_id, task.reversal.noun
    for what, guard in task.reversal.guards:
        reply = yield guard(gladly_id)
        if reply.is_absent:
            continue
        if not reply.is_confirmed:
            return Undone(unread(reply, gladly_id))
        if reply.objects or reply.object is not None:
            detail = f"the {noun} has {what}, which a deletion would take along, so it was left as it is"
            return Undone(Outcome(Word.SKIPPED, gladly_id, Stage.CONFLICT, code="in_use", attr=what, detail=detail))
    reply = yield from _all(task.reversal.removing(gladly_id))
    if reply.is_confirmed:
        return Undone(Outcome(Word.DELETED, gladly_id, status=reply.status))
    if reply.is_refused:
        return Undone(refused(reply, gladly_id))
    looked = yield task.reversal.fetch(gladly_id)
    if looked.is_absent:
        # It was there a moment ago, so a request of ours has deleted it, or somebody else at the same time.
        return Undone(Outcome(Word.DELETED, gladly_id))
    return Undone(refused(reply, gladly_id) if looked.object is not None else unknown(looked, gladly_id))


# --- words ---


def _as_before(task: UndoTask, decision: UndoDecision) -> tuple[str, ...]:
    """Return the fields of the run of which something is as before it once the decision is carried out."""
    every = [*task.images.fields, *(f"{name}.{key}" for name, keys in task.images.maps.items() for key in keys)]
    stays = {*decision.kept, *decision.unread} - {*decision.restored}
    return tuple(dict.fromkeys(_fields(tuple(name for name in every if name not in stays))))


def _fields(names: tuple[str, ...]) -> list[str]:
    return [name.partition(".")[0] for name in names]


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
