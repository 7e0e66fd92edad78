"""What the writes of a run were to one object: what each field was before them, and what they left. Pure."""

import enum
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from bulkgladly.gladly.change import Action, Held, is_equal
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.records import Word

__all__ = ("UNREAD", "Image", "ObjectImages", "Unread", "WriteLike", "images_of")


class Unread(enum.Enum):
    """Stands for a value that nobody has read."""

    UNREAD = "unread"


UNREAD = Unread.UNREAD


class WriteLike(Protocol):
    """One write as the journal has it."""

    @property
    def action(self) -> str:
        """create, update or delete."""
        ...

    @property
    def before(self) -> Held | None:
        """What Gladly held of the object; None if nobody has read it."""
        ...

    @property
    def after(self) -> Held | None:
        """The fields that were written."""
        ...

    @property
    def word(self) -> str | None:
        """How the record of the write ended; None if it has not."""
        ...


class Image(NamedTuple):
    """One field, or one name of a map: what it was before the run (None: nothing), and what the run left."""

    before: Any
    left: Any


class ObjectImages(NamedTuple):
    """What a run did to one object. `fields` has each field that it wrote; a map has an image for each of its names."""

    is_created: bool
    is_deleted: bool
    fields: Mapping[str, Image]
    maps: Mapping[str, Mapping[str, Image]]
    new_maps: frozenset[str] = frozenset()
    """Maps that the object did not have before."""

    @property
    def is_addition(self) -> bool:
        """Whether the run has set a field, or a name of a map, that had no value before."""
        every = [*self.fields.values(), *(one for keys in self.maps.values() for one in keys.values())]
        return any(one.before is None and one.left not in (None, "", []) for one in every)

    @property
    def left(self) -> dict[str, Any]:
        """The object as the run left it, as far as the run wrote it."""
        whole = {name: image.left for name, image in self.fields.items()}
        return whole | {name: {key: one.left for key, one in keys.items()} for name, keys in self.maps.items()}


def images_of(writes: Iterable[WriteLike], reversal: Reversal) -> ObjectImages:
    """Return what the writes of a run to one object did, taken together; the oldest write comes first.

    A write whose record ended in another way did not happen: a create that was refused because the id is taken, before
    the record became an update.
    """
    is_created = is_deleted = False
    fields: dict[str, Image] = {}
    maps: dict[str, dict[str, Image]] = {}
    new_maps: set[str] = set()
    for write in writes:
        if write.action == Action.CREATE and write.word != Word.CREATED:
            continue
        is_created = is_created or write.action == Action.CREATE
        before = None if write.before is None else reversal.seen(write.before)
        base = None if before is None else {**before, **{name: image.left for name, image in fields.items()}}
        after = reversal.left(base, write.after or {}, write.action)
        is_deleted = is_deleted or (write.action == Action.DELETE and not after)
        for name, value in after.items():
            if name in reversal.maps:
                if name not in maps and before is not None and before.get(name) is None:
                    new_maps.add(name)
                _add_names(maps.setdefault(name, {}), name, before, value)
            else:
                known = UNREAD if before is None or name in reversal.at.hidden else before.get(name)
                fields[name] = Image(fields[name].before if name in fields else known, value)
    return ObjectImages(is_created, is_deleted, fields, maps, frozenset(new_maps))


def _add_names(images: dict[str, Image], field: str, before: Held | None, value: Any) -> None:
    """Add the names of a map that a write changed. Those that it only sent back were not changed by it."""
    held = UNREAD if before is None else before.get(field)
    for name, left in (value if isinstance(value, Mapping) else {}).items():
        known = UNREAD if held is UNREAD else held.get(name) if isinstance(held, Mapping) else None
        if name in images:
            images[name] = Image(images[name].before, left)
        elif known is UNREAD or not is_equal(known, left):
            images[name] = Image(known, left)
