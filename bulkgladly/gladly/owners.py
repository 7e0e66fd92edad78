"""Who owns a field of an object that exists: the file, Gladly, or both. Pure.

What an update may write of a row's value, by the owner and by what Gladly holds:

| owner    | Gladly has nothing | Gladly has the same | Gladly has another value         | null, with `--null clear` |
|----------|--------------------|---------------------|----------------------------------|---------------------------|
| `source` | written            | nothing             | written                          | cleared                   |
| `gladly` | nothing            | nothing             | nothing                          | nothing                   |
| `fill`   | written            | nothing             | nothing                          | nothing                   |
| `union`  | written            | nothing             | what is lacking is added to it   | nothing                   |

A field that the row does not have is never written, nor is a null with `--null keep`. A create writes all fields that
the row has, also those of other owners. The usual owner is `source`, and `union` for contact lists, which are never
cleared. A custom attribute can have an owner of its own. `fill` fills those parts of an object (an assignee) that are
empty.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from bulkgladly.choices import Owner, closest, one_of, unsupported
from bulkgladly.errors import UsageError

__all__ = (
    "ATTRIBUTES_FIELD",
    "CONTACT_LISTS",
    "NOT_CHANGED",
    "RIGHTS",
    "OwnedFields",
    "Owners",
    "Rights",
    "claimed",
    "field_of_column",
    "owner_of",
    "owners_from",
    "refuse_owners",
    "whole_lists",
    "writable",
)

Owners = tuple[tuple[str, str], ...]
"""The owners that the user has named, by field; `customAttributes.NAME` is one attribute."""

CONTACT_LISTS = ("emails", "phones")
ATTRIBUTES_FIELD = "customAttributes"


class Rights(NamedTuple):
    """What a file may do to a field: `fills` one that is empty, `changes` one that has a value, `clears` it."""

    fills: bool
    changes: bool
    clears: bool


RIGHTS: Mapping[str, Rights] = {
    Owner.SOURCE: Rights(fills=True, changes=True, clears=True),
    Owner.GLADLY: Rights(fills=False, changes=False, clears=False),
    Owner.FILL: Rights(fills=True, changes=False, clears=False),
    Owner.UNION: Rights(fills=True, changes=True, clears=False),
}
"""The table of the module, as it is used. What a `union` changes is only ever added to."""


class OwnedFields(NamedTuple):
    """The fields of an object that an update can write, for messages and checks.

    `lists` are those that can be united. `added` are lists to which the API only ever adds, and `unseen` are fields
    that Gladly never shows.
    """

    fields: tuple[str, ...]
    lists: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


NOT_CHANGED = OwnedFields(())
"""Of an object that an update cannot change."""


_FIELDS_OF_COLUMNS = {
    **dict.fromkeys(("inbox", "inboxId", "agent", "agentId"), "assignee"),
    **dict.fromkeys(("parent", "parentKey"), "parentId"),
    "audiences": "audienceIds",
    "topics": "topicIds",
}


def field_of_column(column: str) -> str:
    """Return Gladly's field that a column of a row fills: `customAttributes.tier` for `customAttribute:tier`."""
    head, _, rest = column.partition(":")
    flat = {"customAttribute": f"{ATTRIBUTES_FIELD}.{rest}", "email": "emails", "phone": "phones"}
    return flat.get(head, column) if rest else _FIELDS_OF_COLUMNS.get(column, column)


def owner_of(owners: Owners, field: str, part: str | None = None) -> str:
    """Return who owns a field, or an attribute of it: as named for the attribute, else for the field, else usual."""
    named = _by_field(owners)
    found = named.get(f"{field}.{part}") if part is not None else None
    return found or named.get(field) or (Owner.UNION if field in CONTACT_LISTS else Owner.SOURCE)


def claimed(owners: Owners, field: str, value: Any) -> tuple[Any, str] | None:
    """Return what of a row's value the file has a say in, and a mark for how; None if it has no say.

    The mark goes with the fingerprint of the value, so that another owner later is noticed. It is empty for the usual
    owner. After a `/`, Gladly may hold something else; after a `=`, it holds exactly this.
    """
    if field == ATTRIBUTES_FIELD and isinstance(value, Mapping):
        by_part = {part: owner_of(owners, field, part) for part in value}
        kept = {part: one for part, one in value.items() if _has_say(by_part[part], one)}
        filled = sorted(part for part in kept if by_part[part] == Owner.FILL)
        mark = f"/fill:{','.join(filled)}" if filled else ""
        return (kept, mark) if kept else None
    owner = owner_of(owners, field)
    if not _has_say(owner, value):
        return None
    if field in CONTACT_LISTS:
        return value, {Owner.SOURCE: "=source", Owner.FILL: "/fill"}.get(Owner(owner), "")
    return value, "" if owner == Owner.SOURCE else f"/{owner}"


def whole_lists(owners: Owners, payload: Mapping[str, Any]) -> list[str]:
    """Return the contact lists of a payload that the file decides as a whole: what it does not name is removed."""
    return [name for name in payload if name in CONTACT_LISTS and owner_of(owners, name) == Owner.SOURCE]


def writable(owners: Owners, payload: Mapping[str, Any], held: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a payload that an update may write over what is held. United lists come as a whole."""
    if not owners:
        return payload
    found: dict[str, Any] = {}
    for name, value in payload.items():
        now = held.get(name)
        if name == ATTRIBUTES_FIELD and isinstance(value, Mapping):
            now = now if isinstance(now, Mapping) else {}
            parts = {key: one for key, one in value.items() if _may(owner_of(owners, name, key), now.get(key), one)}
            if parts:
                found[name] = parts
            continue
        owner = owner_of(owners, name)
        if owner == Owner.FILL and isinstance(value, Mapping) and isinstance(now, Mapping):
            found[name] = {**value, **{part: one for part, one in now.items() if not _is_empty(one)}}
        elif _may(owner, now, value):
            is_united = owner == Owner.UNION and name not in CONTACT_LISTS
            found[name] = _united(now, value) if is_united else value
    return found


def _united(held: Any, value: Any) -> Any:
    if not isinstance(held, list) or not isinstance(value, list):
        return value
    united = list(held)
    for one in value:
        if one not in united:
            united.append(one)
    return united


def _may(owner: str, held: Any, value: Any) -> bool:
    rights = RIGHTS[owner]
    if value is None:
        return rights.clears
    return rights.fills if _is_empty(held) else rights.changes


def _has_say(owner: str, value: Any) -> bool:
    rights = RIGHTS[owner]
    return rights.clears if value is None else rights.fills


def _is_empty(held: Any) -> bool:
    if isinstance(held, Mapping):
        return all(_is_empty(value) for value in held.values())
    return held in (None, "", [])


@lru_cache(maxsize=64)
def _by_field(owners: Owners) -> Mapping[str, str]:
    return dict(owners)


# --- what the user has named ---


def owners_from(words: Iterable[str]) -> Owners:
    """Return the owners in the values of `--owner`, each `FIELD=OWNER`. The last one of a field counts.

    Raises:
        UsageError: One has another form, or names no owner.
    """
    found: dict[str, str] = {}
    for word in words:
        field, _, owner = word.partition("=")
        if not field.strip() or not owner:
            raise UsageError(f"--owner {word}: write FIELD=OWNER, such as --owner address=fill")
        if owner not in tuple(Owner):
            meant = closest(owner, Owner)
            hint = f"; did you mean {meant}?" if meant else ""
            raise UsageError(f"--owner {word}: {unsupported(owner, Owner)}{hint}")
        found[field_of_column(field.strip())] = owner
    return tuple(found.items())


def refuse_owners(name: str, known: OwnedFields, owners: Owners, *, where: str = "--owner") -> None:
    """Refuse owners that an object cannot have; `name` is that of the object, `where` the place in messages.

    Raises:
        UsageError: A field does not exist or has no such owner; the message has the fix.
    """
    for field, owner in owners:
        head, _, part = field.partition(".")
        if not known.fields:
            raise UsageError(f"{where}: {name} cannot be updated, so their fields have no owners; remove it")
        if head not in known.fields or (part and head != ATTRIBUTES_FIELD) or field.endswith("."):
            raise UsageError(
                f"{where} {field}={owner}: {name} have no field {field!r} that an update can write; "
                f"{_hint(field, known)}"
            )
        lists = one_of(known.lists) if known.lists else ""
        if owner == Owner.UNION and field not in known.lists:
            what = f"only lists can have the owner union ({lists})" if lists else f"{name} have no lists to unite"
            raise UsageError(f"{where} {field}={owner}: {what}; use source, gladly or fill")
        if owner in (Owner.SOURCE, Owner.FILL) and field in known.added:
            raise UsageError(f"{where} {field}={owner}: an import only ever adds to {field}; use union or gladly")
        if owner == Owner.FILL and field in known.unseen:
            raise UsageError(
                f"{where} {field}={owner}: Gladly never shows {field}, so it is not known whether it is "
                "empty; use source or gladly"
            )


def _hint(field: str, known: OwnedFields) -> str:
    meant = closest(field, known.fields)
    if meant is not None:
        return f"did you mean {meant}?"
    more = f", and {ATTRIBUTES_FIELD}.NAME for one attribute" if ATTRIBUTES_FIELD in known.fields else ""
    return f"choose from {', '.join(known.fields)}{more}"
