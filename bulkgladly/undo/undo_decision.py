"""Deciding what `undo` does with one object, by what the run left and what Gladly holds now. Pure.

The rule is the same for whole values, entries of lists and names of maps: what is still as the run left it goes back to
what it was before, and what anybody has changed since stays as it is.
"""

import enum
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from bulkgladly.gladly.change import Held, is_equal, same_in_map, same_value
from bulkgladly.gladly.reversal import Identity, Reversal
from bulkgladly.undo.undo_images import UNREAD, Image, ObjectImages

__all__ = ("FieldUndo", "UndoAction", "UndoDecision", "UndoFate", "decide_undo", "fate_of", "undone_list")

# What Gladly adds to an address by itself [gladly-api, schemas 2.1].
_ADDED = ("normalized",)
_USUAL: Mapping[str, Any] = {"regionCode": "US"}
_ALWAYS_ADDED = ("id", "createdAt", "updatedAt")


class UndoFate(enum.StrEnum):
    """What becomes of one value."""

    NOTHING = "nothing"
    """Gladly holds what it held before the run."""
    RESTORE = "restore"
    """Gladly holds what the run left, so the value before the run is written."""
    KEEP = "keep"
    """Somebody has changed it since."""
    UNREAD = "unread"
    """Nobody read it before the run wrote it, so there is nothing to restore."""


class UndoAction(enum.StrEnum):
    """What is done with one object."""

    NOTHING = "nothing"
    RESTORE = "restore"
    DELETE = "delete"
    KEEP = "keep"
    CANNOT = "cannot"


class FieldUndo(NamedTuple):
    """What becomes of one field. `value` is what to write: None removes it. `is_partly` says that some of it stays."""

    fate: UndoFate
    value: Any = None
    is_partly: bool = False


class UndoDecision(NamedTuple):
    """What is done with one object.

    `changes` are the fields to write, in the form of the object. `restored`, `kept`, `unread` and `as_before` (nothing
    to do) name fields; those of maps are `customAttributes.NAME`. `cleared` has the fields of which something is
    removed: of a map, these names.
    """

    action: UndoAction
    changes: Held = MappingProxyType({})
    restored: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    as_before: tuple[str, ...] = ()
    cleared: Mapping[str, tuple[str, ...]] = MappingProxyType({})


def decide_undo(
    images: ObjectImages, held: Held, reversal: Reversal, *, later: Collection[str] = frozenset()
) -> UndoDecision:
    """Return what to do with an object that Gladly holds.

    `later` are the fields that a later run of ours has written: they count as changed since. An object that the run
    created is deleted only if it is as the run left it, in every field.
    """
    seen = reversal.seen(held)
    if images.is_created:
        if changed := tuple(sorted({*_differing(images.left, seen, reversal), *later})):
            return UndoDecision(UndoAction.KEEP, kept=changed)
        return UndoDecision(UndoAction.DELETE if reversal.can_delete else UndoAction.CANNOT)
    parts = _Parts()
    for name, image in images.fields.items():
        parts.add(name, _of_field(name, image, seen, reversal, is_later=name in later))
    for name, keys in images.maps.items():
        parts.add_map(name, keys, seen.get(name), is_later=name in later, is_new=name in images.new_maps)
    return parts.decision()


def fate_of(image: Image, held: Any, *, is_later: bool = False, is_in_map: bool = False) -> UndoFate:
    """Return what becomes of a whole value, or of one of a map."""
    same = _same_in_map if is_in_map else _same
    if image.before is UNREAD:
        return UndoFate.UNREAD
    if same(held, image.before):
        return UndoFate.NOTHING
    return UndoFate.RESTORE if same(held, image.left) and not is_later else UndoFate.KEEP


def undone_list(before: list[Any], left: list[Any], held: list[Any], identity: Identity) -> FieldUndo:
    """Return what becomes of a list: what the run added is removed, what it removed is added, all else stays."""
    if _same_entries(held, before, identity):
        return FieldUndo(UndoFate.NOTHING)
    if _same_entries(held, left, identity):
        return FieldUndo(UndoFate.RESTORE, before)  # as it was, in its order
    was, ours, now = _by(before, identity), _by(left, identity), _by(held, identity)
    entries: list[Any] = []
    is_kept = False
    for name, entry in now.items():
        undone, is_touched = _entry(was.get(name), ours.get(name), entry)
        is_kept = is_kept or is_touched
        entries += [] if undone is None else [undone]
    entries += [entry for name, entry in was.items() if name not in ours and name not in now]
    entries = _with_one_primary(entries, held, identity)
    if _same_entries(entries, held, identity):
        return FieldUndo(UndoFate.KEEP if is_kept else UndoFate.NOTHING)
    return FieldUndo(UndoFate.RESTORE, entries, is_kept)


def _entry(before: Any, left: Any, held: Any) -> tuple[Any, bool]:
    """Return a held entry as it is to be (None: removed), and whether somebody has changed what the run wrote of it."""
    if left is None or (before is not None and _same_entry(before, left)):
        return held, False  # not the run's: it was there before, or somebody has added it
    if _same_entry(held, left):
        return before, False
    if before is None or not isinstance(held, dict):
        return held, True
    undone = dict(held)
    for part in {*before, *left} - set(_ADDED):
        if not _same_part(part, before, left) and _same_part(part, held, left):
            undone[part] = before.get(part)
    return {part: value for part, value in undone.items() if value is not None or part in held}, True


def _with_one_primary(entries: list[Any], held: list[Any], identity: Identity) -> list[Any]:
    """Return entries of which one is primary at most: the one that somebody chose, if there would be two."""
    primary = [entry for entry in entries if isinstance(entry, dict) and entry.get("primary")]
    if len(primary) < 2:
        return entries
    chosen = {identity(entry) for entry in held if isinstance(entry, dict) and entry.get("primary")}
    return [
        {**entry, "primary": False} if entry in primary and identity(entry) not in chosen else entry
        for entry in entries
    ]


class _Parts:
    """Collects what becomes of the fields of one object."""

    def __init__(self) -> None:
        self._changes: dict[str, Any] = {}
        self._named: dict[UndoFate, list[str]] = {fate: [] for fate in UndoFate}
        self._cleared: dict[str, tuple[str, ...]] = {}

    def add(self, name: str, undone: FieldUndo) -> None:
        self._named[undone.fate].append(name)
        if undone.fate is UndoFate.RESTORE:
            self._changes[name] = undone.value
            if undone.value is None:
                self._cleared[name] = ()
        if undone.is_partly:
            self._named[UndoFate.KEEP].append(name)

    def add_map(self, name: str, images: Mapping[str, Image], held: Any, *, is_later: bool, is_new: bool) -> None:
        now = held if isinstance(held, Mapping) else {}
        whole, cleared = dict(now), []
        for key, image in images.items():
            fate = fate_of(image, now.get(key), is_later=is_later, is_in_map=True)
            self._named[fate].append(f"{name}.{key}")
            if fate is UndoFate.RESTORE and image.before is None:
                del whole[key]
                cleared.append(key)
            elif fate is UndoFate.RESTORE:
                whole[key] = image.before
        if not is_equal(whole, now):
            # Sent whole: whether a PATCH merges attributes with those that are there is UNKNOWN.
            self._changes[name] = None if is_new and not whole else whole
        if cleared:
            self._cleared[name] = tuple(cleared)

    def decision(self) -> UndoDecision:
        kept, unread = self._named[UndoFate.KEEP], self._named[UndoFate.UNREAD]
        action = UndoAction.CANNOT if unread else UndoAction.NOTHING
        action = UndoAction.KEEP if kept else action
        action = UndoAction.RESTORE if self._changes else action
        restored, as_before = tuple(self._named[UndoFate.RESTORE]), tuple(self._named[UndoFate.NOTHING])
        return UndoDecision(action, self._changes, restored, tuple(kept), tuple(unread), as_before, self._cleared)


def _of_field(name: str, image: Image, held: Held, reversal: Reversal, *, is_later: bool) -> FieldUndo:
    identity = reversal.lists.get(name)
    now = held.get(name)
    fate = fate_of(image, now, is_later=is_later)
    if identity is None or image.before is UNREAD or (is_later and fate is not UndoFate.NOTHING):
        return FieldUndo(fate, image.before)
    undone = undone_list(image.before or [], image.left or [], now or [], identity)
    # A list that was not there before is removed, not left empty.
    return undone._replace(value=image.before) if not undone.value and not image.before else undone


# --- whether an object is as the run left it ---


def _differing(left: Held, held: Held, reversal: Reversal) -> list[str]:
    """Return the fields in which a held object is not as the run left it; what Gladly adds does not count."""
    ignored = {*_ALWAYS_ADDED, *reversal.added_by_gladly, *reversal.at.hidden}
    return [
        name
        for name in {*left, *held}
        if name not in ignored and not _same_field(name, left.get(name), held.get(name), reversal)
    ]


def _same_field(name: str, left: Any, held: Any, reversal: Reversal) -> bool:
    if name in reversal.lists:
        return _same_entries(held or [], left or [], reversal.lists[name])
    if name in reversal.maps:
        first, second = left or {}, held or {}
        return all(_same_in_map(second.get(key), first.get(key)) for key in {*first, *second})
    return _same(held, left)


def _same(held: Any, wanted: Any) -> bool:
    """Tell whether two values are equal in both directions: nothing was added to either."""
    return same_value(held, wanted) and same_value(wanted, held)


def _same_in_map(held: Any, wanted: Any) -> bool:
    return same_in_map(held, wanted) and same_in_map(wanted, held)


def _same_entries(held: list[Any], wanted: list[Any], identity: Identity) -> bool:
    first, second = _by(held, identity), _by(wanted, identity)
    return (
        len(held) == len(wanted)
        and first.keys() == second.keys()
        and all(_same_entry(first[name], second[name]) for name in first)
    )


def _same_entry(held: Any, wanted: Any) -> bool:
    if not isinstance(held, dict) or not isinstance(wanted, dict):
        return is_equal(held, wanted)
    return all(_same_part(part, held, wanted) for part in {*held, *wanted} - {"original", *_ADDED})


def _same_part(part: str, held: Held, wanted: Held) -> bool:
    usual = _USUAL.get(part)
    return _same(held.get(part) or usual, wanted.get(part) or usual)


def _by(entries: list[Any], identity: Identity) -> dict[str, Any]:
    return {identity(entry): entry for entry in entries}
