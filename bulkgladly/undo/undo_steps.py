"""The steps that take back what a run did to one object: read, decide, write, and look after an unclear reply. Pure.

A PATCH sets values, so it may be repeated. A deletion may be repeated too, and is looked up afterwards. Nothing is
deleted of which it is not certain that nobody has used it.
"""

from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from bulkgladly.gladly import outcomes
from bulkgladly.gladly.change import Held
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.messages import Reply, Request
from bulkgladly.operations import Body
from bulkgladly.records import Outcome, Problem, Stage, Word
from bulkgladly.undo.undo_decision import UndoAction, UndoDecision, decide_undo
from bulkgladly.undo.undo_images import ObjectImages

__all__ = ("GONE", "PARTLY", "UndoTask", "Undone", "undo_steps")

GONE = "gone"
"""The code of an object that no longer exists."""
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
        return Undone(_not_there(task, reply) or _again(outcomes.unread(reply, task.gladly_id)))
    decision = decide_undo(task.images, held, task.reversal, later=task.later)
    if decision.action is UndoAction.DELETE:
        return (yield from _delete(task))
    if decision.action is UndoAction.RESTORE:
        return (yield from _restore(task, decision, held))
    return _left_alone(task, decision)


def _not_there(task: UndoTask, reply: Reply, *, may_be_written: bool = False) -> Outcome | None:
    """Return how an object ends that was deleted or merged; None if the reply does not say so."""
    noun, gladly_id = task.reversal.noun, task.gladly_id
    if reply.is_absent and task.in_doubt and task.images.is_created:
        return Outcome(Word.DELETED, gladly_id)
    if reply.is_absent:
        detail = f"the {noun} no longer exists; there is nothing to take back"
        return Outcome(Word.UNCHANGED, gladly_id, code=GONE, detail=detail)
    if reply.successor is not None:
        into = f"somebody has merged the {noun} into {reply.successor}"
        what = "it may have been restored before" if may_be_written else "nothing was changed"
        detail = f"{into}, which also holds other data; {what}"
        return Outcome(Word.SKIPPED, gladly_id, Stage.CONFLICT, code="merged", detail=detail)
    return None


def _left_alone(task: UndoTask, decision: UndoDecision) -> Undone:
    gladly_id, as_before = task.gladly_id, _fields(decision.as_before)
    if task.in_doubt and decision.as_before:
        # An earlier process has restored it: otherwise there would be something to restore.
        return _restored(task, decision._replace(restored=decision.as_before), None)
    if decision.action is UndoAction.KEEP:
        return Undone(_kept(task, decision), as_before)
    if decision.action is UndoAction.CANNOT:
        names = _named(decision.unread)
        detail = f"{names} cannot be restored, because it was not read before it was written"
        end = Outcome.rejected(Problem("no_before", detail, names, Stage.CHECK), gladly_id=gladly_id)
        return Undone(end, as_before)
    end = Outcome(Word.UNCHANGED, gladly_id, code="as_before", detail="it is as it was before the run")
    return Undone(end, as_before)


def _kept(task: UndoTask, decision: UndoDecision) -> Outcome:
    names = _named(decision.kept)
    detail = f"{names} changed since the run, so it was left as it is"
    if run := next((task.later[name] for name in _fields(decision.kept) if name in task.later), None):
        detail = f"run {run} has changed {names} since; undo {run} first"
    return Outcome(Word.SKIPPED, task.gladly_id, Stage.CONFLICT, code="changed_since", attr=names, detail=detail)


# --- restore ---


def _restore(task: UndoTask, decision: UndoDecision, held: Held) -> UndoSteps:
    """Write what a decision says. What is removed is looked at afterwards: how Gladly removes a value is UNKNOWN.

    A value is removed by null, and a name of a map by leaving it out. Where that is refused or changes nothing, an
    empty value is written, and null for the name.
    """
    asked, is_written = decision, False
    for is_last in (False, True):
        changes = _emptied(task, asked) if is_last else asked.changes
        reply, done = yield from _all(task.reversal.restoring(task.gladly_id, changes, held))
        if reply.is_confirmed and not asked.cleared:
            return _restored(task, decision, reply)
        if reply.is_refused and not done and not reply.lost:
            if asked.cleared and not is_last:
                continue
            if is_written:
                break
            return Undone(_again(outcomes.refused(reply, task.gladly_id)))
        is_written = True
        # Also after a 404: it does not tell whether the object was deleted or merged, or exists.
        looked = yield task.reversal.fetch(task.gladly_id)
        if looked.object is None:
            gone = _not_there(task, looked, may_be_written=not reply.is_absent)
            return Undone(gone or _again(outcomes.unknown(looked, task.gladly_id)))
        held, asked = looked.object, decide_undo(task.images, looked.object, task.reversal, later=task.later)
        if asked.action is not UndoAction.RESTORE:
            return _restored(task, decision, reply) if reply.is_confirmed else _seen(task, decision, asked)
        if not reply.is_confirmed and (is_last or not (reply.is_refused and asked.cleared)):
            return _in_part(task, decision, asked, reply)
    return _restored(task, decision, reply, stuck=asked.restored)


def _seen(task: UndoTask, decision: UndoDecision, looked: UndoDecision) -> Undone:
    """Return the end of an object whose write had no usable response, by what a look has found.

    What somebody has changed in between is not restored, whether it had been for a moment or not.
    """
    # Of a list that was to be restored in part, what remains is what people have changed.
    restored = tuple(name for name in decision.restored if name in looked.as_before or name in decision.kept)
    if not restored:
        return _left_alone(task._replace(in_doubt=False), looked)
    return _restored(task, looked._replace(restored=restored), None)


def _in_part(task: UndoTask, decision: UndoDecision, looked: UndoDecision, reply: Reply) -> Undone:
    """Return the end of an object whose last request was not carried out, by what a look has found: others may be."""
    failed = _again(outcomes.refused(reply, task.gladly_id))
    restored = tuple(name for name in decision.restored if name in looked.as_before)
    if not restored:
        return Undone(failed)
    why = f"{_named(looked.restored)} could not be restored ({failed.detail})"
    whole = looked._replace(restored=(*restored, *looked.restored))
    return _restored(task, whole, reply, stuck=looked.restored, why=why)


def _emptied(task: UndoTask, decision: UndoDecision) -> Held:
    """Return the changes of a decision with the other way to remove values."""
    changes = dict(decision.changes)
    for name, keys in decision.cleared.items():
        if name in task.reversal.maps and changes[name] is not None:
            changes[name] = {**changes[name], **dict.fromkeys(keys)}
        elif name in task.reversal.maps:
            changes[name] = dict.fromkeys(keys)
        else:
            changes[name] = [] if name in task.reversal.lists else ""
    return changes


def _all(requests: tuple[Request, ...]) -> Generator[Request, Reply, tuple[Reply, int]]:
    """Send requests up to the first that is not confirmed; return the last reply, and how many before it were."""
    for done, request in enumerate(requests[:-1]):
        reply = yield request
        if not reply.is_confirmed:
            return reply, done
    return (yield requests[-1]), len(requests) - 1


def _restored(
    task: UndoTask, decision: UndoDecision, reply: Reply | None, *, stuck: tuple[str, ...] = (), why: str = ""
) -> Undone:
    """Return the end of an object that was restored; `stuck` are values that Gladly has not removed, or the reason."""
    restored = tuple(name for name in decision.restored if name not in stuck)
    told = f"restored {_named(restored)}" if restored else "nothing could be restored"
    status = (reply.status or None) if reply is not None else None
    end = Outcome(Word.UPDATED, task.gladly_id, status=status, detail=told)
    parts = [f"{_named(decision.kept)} changed since"] if decision.kept else []
    parts += [f"{_named(decision.unread)} was not read before"] if decision.unread else []
    parts += [why or f"Gladly has not removed {_named(stuck)}"] if stuck else []
    if parts:
        names = _named((*decision.kept, *decision.unread, *stuck))
        end = end._replace(code=PARTLY, attr=names, detail=f"{told}; left as it is: {'; '.join(parts)}")
    return Undone(end, _fields((*restored, *decision.as_before)))


# --- delete ---


def _delete(task: UndoTask) -> UndoSteps:
    """Delete an object, unless something hangs on it that a deletion would take along."""
    gladly_id, noun = task.gladly_id, task.reversal.noun
    for what, guard in task.reversal.guards:
        request = guard(gladly_id)
        reply = yield request
        # A content that does not exist is a 404; a list of a customer who exists never is.
        if reply.is_absent and request.declared.body is not Body.OBJECTS:
            continue
        if not reply.is_confirmed:
            return Undone(_again(outcomes.unread(reply, gladly_id)))
        if reply.objects or reply.object is not None:
            detail = f"the {noun} has {what}, which would be deleted with it, so it was left as it is"
            return Undone(Outcome(Word.SKIPPED, gladly_id, Stage.CONFLICT, code="in_use", attr=what, detail=detail))
    reply, _ = yield from _all(task.reversal.removing(gladly_id))
    if reply.is_confirmed:
        return Undone(Outcome(Word.DELETED, gladly_id, status=reply.status))
    if reply.is_refused and not reply.lost:
        return Undone(_again(outcomes.refused(reply, gladly_id)))
    looked = yield task.reversal.fetch(gladly_id)
    if looked.is_absent:
        # It was there a moment ago, so a request of ours has deleted it, or somebody else at the same time.
        return Undone(Outcome(Word.DELETED, gladly_id))
    end = outcomes.refused(reply, gladly_id) if looked.object is not None else outcomes.unknown(looked, gladly_id)
    return Undone(_again(end))


# --- words ---


def _again(outcome: Outcome) -> Outcome:
    """Return an outcome that says what to do about it after an undo: there is no `retry` of one."""
    return outcome._replace(detail=(outcome.detail or "").replace("`retry` the run", "undo the run again"))


def _fields(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the fields of names, of which those of maps are `customAttributes.NAME`."""
    return tuple(dict.fromkeys(name.partition(".")[0] for name in names))


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
