"""What a decided change would come to, found out by reading alone, so that a plan says what Gladly would do. Pure.

An import decides by memory and lets the reply to a write tell the rest: an id that exists, an address of
another object, an object that was deleted or merged. A plan looks at these before anything is written.
"""

from collections.abc import Mapping
from typing import Any

from bulkgladly.gladly.change import Action, Change, Found, Held
from bulkgladly.gladly.conflicts import conflict_change, conflict_end, decided_by, taken_in_update
from bulkgladly.gladly.decisions import Sight, ended, missing, remember, update_of
from bulkgladly.gladly.endpoints import Endpoint, look, told_of_owner
from bulkgladly.gladly.outcomes import unread
from bulkgladly.gladly.spec import Deciding, Policy, Record
from bulkgladly.messages import Meaning, Reply
from bulkgladly.records import Outcome, Problem, Stage, Word

__all__ = ("foreseen", "merged_away")

_TAKEN = 409
"""The status with which Gladly refuses what must be unique."""


def foreseen(at: Endpoint, record: Record, policy: Policy, change: Change) -> Deciding:
    """Return what a change comes to. What stays a write has what it meets or writes over in `before`.

    A create costs 1 request, and 1 for each value that must be unique; an update or deletion that was
    decided by memory 1. A merge that is met costs 1 more.
    """
    if change.action is Action.CREATE:
        change = yield from _create(at, record, policy, change)
    elif change.action is Action.DELETE and change.before is None:
        change = yield from _deletion(at, record, change)
    elif change.action is Action.UPDATE and change.before is None:
        change = yield from _update(at, record, policy, change)
    if change.action is Action.UPDATE and at.collision is not None:
        return (yield from _without_collision(at, record, change))
    return change


def _create(at: Endpoint, record: Record, policy: Policy, change: Change) -> Deciding:
    found = yield from look(at, record, record.id)
    if found.reply is not None:
        return ended(at.object, record, unread(found.reply, found.gladly_id), found)
    if not found.is_absent:
        return (yield from decided_by(at, record, policy, found, Sight.IN_THE_WAY))
    taken = (yield from at.collision(record.payload, None)) if at.collision is not None else None
    if isinstance(taken, Outcome):
        return ended(at.object, record, taken)
    if taken is not None:
        end = conflict_end(at, policy, _TAKEN, taken, at.holder(taken))
        if end is not None:
            return ended(at.object, record, end)
        return (yield from conflict_change(at, record, policy, at.holder(taken)))
    return (yield from _below_owner(at, record, change))


def _below_owner(at: Endpoint, record: Record, change: Change) -> Deciding:
    """Look at the customer below whom an object would be created; one that was merged is replaced by the survivor."""
    owner = at.owner
    if owner is None or owner not in record.payload:
        return change
    told = yield from told_of_owner(record, Reply(404, meaning=Meaning.ABSENT), owner)
    if told.successor is not None:
        return change._replace(after={**change.after, owner: told.successor})
    if told.is_confirmed:
        return change
    if not told.is_absent:
        return ended(at.object, record, unread(told, record.id))
    problem = Problem("not_exist", f"Gladly has no such {at.parent(record) or 'customer'}", owner, Stage.API)
    return ended(at.object, record, Outcome.rejected(problem, status=told.status))


def _update(at: Endpoint, record: Record, policy: Policy, change: Change) -> Deciding:
    """Look at what an update that memory asks for would write over."""
    gladly_id = change.id or record.id
    found = yield from look(at, record, gladly_id)
    if found.reply is not None:
        return ended(at.object, record, unread(found.reply, gladly_id), found)
    if found.held is None:
        return ended(at.object, record, missing(at, record, policy, gladly_id), found)
    left = at.changes(found.held, record.payload, policy.owners)
    if found.gladly_id == gladly_id:
        # What others have changed in fields that the row has not changed is not this record's business.
        left = {name: value for name, value in left.items() if name in change.after}
        left |= {name: value for name, value in change.after.items() if name in at.hidden}
    if not left:
        end = Outcome(Word.UNCHANGED, found.gladly_id, accepted=remember(record))
        return ended(at.object, record, end, found)
    return update_of(at.object, record, found.gladly_id, left, before=found.held)


def _deletion(at: Endpoint, record: Record, change: Change) -> Deciding:
    gladly_id = change.id or record.id
    found = yield from look(at, record, gladly_id)
    if found.reply is not None:
        return ended(at.object, record, unread(found.reply, gladly_id), found)
    if found.held is None:
        return ended(at.object, record, Outcome(Word.UNCHANGED, gladly_id=gladly_id), found)
    if found.gladly_id != gladly_id:
        return ended(at.object, record, merged_away(found, gladly_id), found)
    return change._replace(before=found.held)


def merged_away(found: Found, gladly_id: str) -> Outcome:
    """Return the reject of a deletion whose object was merged into another one."""
    # The object it was merged into also holds another record's data.
    detail = f"merged into {found.gladly_id}, which also holds other data; to delete that, use its id"
    return Outcome.rejected(Problem("moved", detail, "id", Stage.API), status=301, gladly_id=gladly_id)


def _without_collision(at: Endpoint, record: Record, change: Change) -> Deciding:
    """Look whether the values that an update adds belong to another object; then Gladly would refuse all of it."""
    if at.collision is None or change.id is None:
        return change
    added = _added(change.before or {}, change.after)
    taken = (yield from at.collision(added, change.id)) if added else None
    if taken is None:
        return change
    end = taken if isinstance(taken, Outcome) else taken_in_update(at, taken, _TAKEN, change.id)
    found = Found(change.id, change.before)
    return ended(at.object, record, end, found)


def _added(before: Held, after: Held) -> Mapping[str, Any]:
    """Return what an update writes and the object does not hold; of lists the entries in another form."""
    new = {
        name: [one for one in value if one not in (before.get(name) or ())] if isinstance(value, list) else value
        for name, value in after.items()
        if value != before.get(name)
    }
    return {name: value for name, value in new.items() if value}
