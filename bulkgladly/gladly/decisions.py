"""Deciding what a record asks for: from what Gladly holds and what the row says to a change. Pure.

There are two ways to know what Gladly holds: what is remembered of earlier requests, which
costs nothing, and a look. `by_memory` returns None if only a look can tell.
"""

import enum
from typing import Any

from bulkgladly.gladly.change import Action, Change, Found, Held
from bulkgladly.gladly.earlier_attempts import has_before_image, word_of_accepted, word_of_equal
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.fingerprints import claims_less, is_accepted
from bulkgladly.gladly.outcomes import unknown, unread
from bulkgladly.gladly.owners import writable
from bulkgladly.gladly.spec import Policy, Record
from bulkgladly.messages import Reply
from bulkgladly.records import GONE, Known, Mode, Outcome, Problem, Stage, Word

__all__ = (
    "Sight",
    "as_accepted",
    "by_look",
    "by_memory",
    "changed_since",
    "create_of",
    "deletion_of",
    "ended",
    "first_create",
    "gap_filling",
    "gone",
    "gone_before",
    "is_elsewhere",
    "missing",
    "not_there",
    "remember",
    "update_of",
)


class Sight(enum.Enum):
    """Why the object that a look showed was looked at."""

    SOUGHT = "sought"
    """The record means it: by its id, by memory or by what is unique about it."""
    IN_THE_WAY = "in the way"
    """It existed already when the record should have been created."""
    OURS = "ours"
    """A request of this run, or of an earlier one, may have created it; if it does not exist, it is created."""


def by_memory(at: Endpoint, record: Record, policy: Policy) -> Change | None:
    """Decide by what is remembered; return None if a look is needed first.

    A create is optimistic: its own reply tells whether the object exists already, so a new one
    costs one request.
    """
    known, is_update = record.known, policy.mode is Mode.UPDATE
    if policy.mode is Mode.DELETE:
        is_meant = at.victim is None and not policy.undoable
        return deletion_of(at.object, record, known.gladly_id if known is not None else record.id) if is_meant else None
    if known is None or (record.doubt and not is_update):
        # If in doubt, an earlier process may have created it: look, never repeat blindly.
        return None if is_update or record.doubt else first_create(at, record, policy)
    changed = changed_since(record, known)
    if policy.mode is Mode.CREATE:
        if changed and is_elsewhere(record, known):
            return None
        # A create never updates. Its own conflict shows whether the object still differs, and rejects the row.
        return first_create(at, record, policy) if changed else _as_accepted(at, record, known)
    # No request can change what only a create sets, so a difference there costs none.
    changed = [name for name in changed if name not in at.fixed]
    if not changed:
        return _as_accepted(at, record, known)
    if at.is_read_first(policy, changed) or _is_read_anyway(record, policy, changed):
        return None
    after = {name: record.payload[name] for name in changed}
    return update_of(at.object, record, known.gladly_id, writable(policy.owners, after, {}))


def by_look(at: Endpoint, record: Record, policy: Policy, found: Found, sight: Sight) -> Change:
    """Decide by what a look has shown. For a deletion, what was found is deleted."""
    if policy.mode is Mode.DELETE:
        return deletion_of(at.object, record, found.gladly_id, before=found.held)
    if found.held is None and found.reply is not None:
        is_sought = sight is Sight.SOUGHT
        end = unread(found.reply, found.gladly_id) if is_sought else unknown(found.reply, record.id)
        return ended(at.object, record, end, found)
    if found.held is None:
        return _of_absent(at, record, policy, found, sight)
    changes = at.changes(found.held, record.payload, policy.owners)
    if at.hidden and sight is not Sight.OURS:
        # If our own create succeeded, the hidden fields were sent with that request.
        changes = {**changes, **_hidden_changes(at, record)}
    if sight is Sight.SOUGHT:
        changes = _still_asked(record, found, changes)
        if not changes:
            word = word_of_equal(at, record, found, policy.owners)
            return ended(at.object, record, Outcome(word, found.gladly_id, accepted=remember(record)), found)
        return update_of(at.object, record, found.gladly_id, changes, before=found.held)
    # A create has written all fields; their owners matter only afterwards.
    whole = at.differences(found.held, record.payload) if sight is Sight.OURS else changes
    # What a create leaves to a second request is part of creating the object.
    is_rest = sight is Sight.OURS and whole.keys() <= at.completing(record.payload).keys()
    changes = whole if is_rest else changes
    if not changes:
        word = word_of_equal(at, record, found, policy.owners)
        # If only a field differs that Gladly owns, the object may have been there before.
        word = Word.CREATED if is_rest and word is not Word.UPDATED else word
        return ended(at.object, record, Outcome(word, found.gladly_id, accepted=record.fingerprints), found)
    if (policy.mode is Mode.CREATE and not is_rest) or not at.can_change:
        return ended(at.object, record, _taken_id(at, found.gladly_id, changes), found)
    word = Word.CREATED if is_rest else Word.UPDATED
    return update_of(at.object, record, found.gladly_id, changes, before=found.held, word=word)


def gap_filling(at: Endpoint, record: Record, policy: Policy, found: Found) -> Change:
    """Decide to fill only what is empty in a held object; where Gladly holds a value, that value stays.

    `found` must have shown an object.
    """
    held = found.held or {}
    changes = at.additions(held, record.payload, policy.owners)
    if not changes:
        word = word_of_equal(at, record, found, policy.owners)
        return ended(at.object, record, Outcome(word, found.gladly_id, accepted=record.fingerprints), found)
    return update_of(at.object, record, found.gladly_id, changes, before=held)


def create_of(name: str, record: Record) -> Change:
    """Return the change that creates an object; `name` is that of the import, such as tasks."""
    position = record.row.position
    return Change(name, record.key, record.id, Action.CREATE, position, Word.CREATED, record.payload)


def update_of(
    name: str,
    record: Record,
    gladly_id: str,
    after: Held,
    *,
    before: Held | None = None,
    word: Word = Word.UPDATED,
) -> Change:
    """Return the change that writes some fields of an object."""
    return Change(name, record.key, gladly_id, Action.UPDATE, record.row.position, word, after, before)


def deletion_of(
    name: str, record: Record, gladly_id: str, *, before: Held | None = None, part: Held | None = None
) -> Change:
    """Return the change that deletes an object, or removes a part of it."""
    return Change(name, record.key, gladly_id, Action.DELETE, record.row.position, Word.DELETED, part or {}, before)


def ended(name: str, record: Record, end: Outcome, found: Found | None = None) -> Change:
    """Return the change of a record for which nothing is written, by how the record ends."""
    gladly_id, before = (found.gladly_id, found.held) if found is not None else (end.gladly_id, None)
    action = Action.REFUSE if end.word in (Word.REJECTED, Word.UNKNOWN) else Action.NONE
    return Change(name, record.key, gladly_id, action, record.row.position, end.word, {}, before, end)


def missing(at: Endpoint, record: Record, policy: Policy, gladly_id: str) -> Outcome:
    """Return how a record ends whose object Gladly does not have.

    An object that was deleted in Gladly after its import is not created again, because the
    person may have asked for the deletion.
    """
    is_update = policy.mode is Mode.UPDATE
    if record.known is not None and (is_update or (policy.mode is Mode.UPSERT and not record.doubt)):
        told = "it was imported" if record.known.held is None else "the data set of --baseline was fetched"
        detail = (
            f"the {at.noun} was deleted in Gladly after {told}, and is not created again; leave the row out, or "
            "import it with another --namespace"
        )
        problem = Problem("deleted_since", detail, None, Stage.API)
        return Outcome.rejected(problem, status=404, gladly_id=record.known.gladly_id)
    return not_there(at, gladly_id)


def gone(record: Record, reply: Reply, gladly_id: str) -> Outcome:
    """Return how a deletion ends whose object Gladly does not have: by this deletion, or before it.

    What was gone before is remembered as gone: it is not missing in every further complete
    input, and it is still not created again.
    """
    return Outcome(Word.DELETED, gladly_id=gladly_id) if reply.lost else gone_before(record, gladly_id)


def gone_before(record: Record, gladly_id: str) -> Outcome:
    """Return how a deletion ends whose object Gladly did not have before it."""
    known = record.known
    accepted = {**known.accepted, GONE: "1"} if known is not None and known.gladly_id == gladly_id else None
    return Outcome(Word.UNCHANGED, gladly_id=gladly_id, accepted=accepted)


def not_there(at: Endpoint, gladly_id: str | None) -> Outcome:
    """Return the reject of a record whose object Gladly does not have."""
    detail = f"Gladly has no such {at.noun}" + (
        "; use --mode upsert to create those that are missing" if at.can_create else ""
    )
    return Outcome.rejected(Problem("not_exist", detail, None, Stage.API), status=404, gladly_id=gladly_id)


def as_accepted(record: Record, known: Known) -> Outcome:
    """Return the outcome of a record that is as it is remembered."""
    # What only a data set has told is remembered, so that the next run needs no data set for it.
    accepted = known.accepted if known.held is not None else None
    return Outcome(word_of_accepted(record), known.gladly_id, accepted=accepted)


def changed_since(record: Record, known: Known) -> list[str]:
    """Return the fields of a record that differ from what Gladly last accepted."""
    accepted = known.accepted
    if record.fingerprints == accepted:
        return []
    return [
        name
        for name, print_ in record.fingerprints.items()
        if accepted.get(name) != print_ and not is_accepted(accepted.get(name), print_)
    ]


def is_elsewhere(record: Record, known: Known) -> bool:
    """Tell whether a create would not meet the object that the key of a record stands for, and make a second one."""
    return not record.has_own_id and known.gladly_id != record.id


def remember(record: Record) -> dict[str, str]:
    """Return the fingerprints of what Gladly holds after a change; fields that the row does not name are kept."""
    return {**(record.known.accepted if record.known else {}), **record.fingerprints}


def _is_read_anyway(record: Record, policy: Policy, changed: list[str]) -> bool:
    if policy.undoable or any(claims_less(record.fingerprints[name]) for name in changed):
        return True
    is_unread = record.known is not None and not set(record.known.unread).isdisjoint(changed)
    return is_unread or has_before_image(record)


def first_create(at: Endpoint, record: Record, policy: Policy) -> Change | None:
    """Return the change of a record of which nothing exists; None if it must not be created and may be there."""
    barrier = at.may_create(record, policy)
    if barrier is None:
        return create_of(at.object, record)
    # An object that must not be created may exist already, and then an upsert may change it.
    return ended(at.object, record, Outcome.rejected(barrier), Found(record.id)) if policy.mode is Mode.CREATE else None


def _of_absent(at: Endpoint, record: Record, policy: Policy, found: Found, sight: Sight) -> Change:
    is_made = sight is Sight.OURS
    is_new = is_made or (policy.mode is Mode.UPSERT and record.known is None)
    barrier = at.may_create(record, policy) if is_new else None
    if barrier is not None:
        return ended(at.object, record, Outcome.rejected(barrier), found)
    if is_made:
        return create_of(at.object, record)
    return ended(at.object, record, missing(at, record, policy, found.gladly_id), found)


def _still_asked(record: Record, found: Found, changes: Held) -> dict[str, Any]:
    """Return changes without the fields that the row still has as Gladly accepted them.

    There people, or `--on-conflict merge`, have decided otherwise. To look first must not write more than to write
    without a look; `verify --forget` is what makes an import write such a field again.
    """
    known = record.known
    if known is None or known.gladly_id != found.gladly_id:
        return dict(changes)
    changed = changed_since(record, known)
    return {name: value for name, value in changes.items() if name in changed or name not in record.fingerprints}


def _hidden_changes(at: Endpoint, record: Record) -> Held:
    accepted = record.known.accepted if record.known is not None else {}
    return {
        name: record.payload[name]
        for name in at.hidden
        if name in record.fingerprints and record.fingerprints[name] != accepted.get(name)
    }


def _taken_id(at: Endpoint, gladly_id: str, changes: Held) -> Outcome:
    article = "an" if at.noun[0] in "aeiou" else "a"
    detail = f"{article} {at.noun} with this id exists and differs in {', '.join(changes)}" + (
        "; use --mode upsert to update it" if at.can_change else ", and cannot be changed"
    )
    return Outcome.rejected(Problem("taken", detail, "id", Stage.CONFLICT), status=409, gladly_id=gladly_id)


def _as_accepted(at: Endpoint, record: Record, known: Known) -> Change:
    return ended(at.object, record, as_accepted(record, known))
