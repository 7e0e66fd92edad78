"""What a killed process has done for a record: by its notes, and by what a look shows. Pure.

A resume reads again what it has to decide on, and may find its own first attempt. What that attempt was about to write
is in the journal, and comes with the record.
"""

from collections.abc import Callable, Iterator, Mapping

from bulkgladly.choices import Owner
from bulkgladly.gladly.change import Action, Found, Held, is_equal, same_in_map, same_value
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.owners import Owners
from bulkgladly.gladly.spec import Record
from bulkgladly.messages import Effect
from bulkgladly.records import Outcome, Word

__all__ = ("deleted_before", "has_before_image", "is_written", "noted_update", "word_of_accepted", "word_of_equal")


def has_before_image(record: Record) -> bool:
    """Tell whether an earlier process has read the object before it wrote: only a look shows whether that counts."""
    return any(one.effect.before is not None for one in record.written)


def noted_update(at: Endpoint, record: Record, gladly_id: str, held: Held, owners: Owners) -> Effect | None:
    """Return the first update of an object that an earlier process noted, and that Gladly has carried out.

    A change is carried out whole or not at all, so one field tells that is held as it was written. Only a note of
    what Gladly held before is looked for: without one, nothing is lost if the change is made again.
    """
    if not record.written:
        return None
    whole = tuple(one for one in owners if one[1] == Owner.SOURCE)
    for one in record.written:
        effect = one.effect
        if effect.before is None or effect.action != Action.UPDATE or effect.gladly_id != gladly_id:
            continue
        shown = {name: value for name, value in effect.after.items() if name not in at.hidden}
        # A list that the file owns was written whole; all else only says what must be there.
        if any(not at.changes(held, part, whole) for part in _written_parts(effect.before, shown)):
            return effect
    return None


def is_written(record: Record, gladly_id: str | None, held: Held) -> bool:
    """Tell whether an earlier process has certainly updated an object, whatever others have changed of it since.

    A change is carried out whole or not at all. So it was if one of its fields is held as it was written, and none
    as it was before.
    """
    for one in record.written:
        effect = one.effect
        if effect.before is None or effect.action != Action.UPDATE or effect.gladly_id != gladly_id:
            continue
        parts = list(_written_parts(effect.before, effect.after))
        is_as_before = any(_has(held, part) for part in map(_part_of(effect.before), parts))
        if not is_as_before and any(_has(held, part) for part in parts):
            return True
    return False


def deleted_before(record: Record, end: Outcome, *, is_proved: bool = False) -> Outcome:
    """Return the end of a deletion that found nothing: as deleted, if an earlier process has read the object.

    With `is_proved`, a deletion only ever leaves when Gladly has shown in another way that there is such an object.
    """
    if end.word is not Word.UNCHANGED:
        return end
    notes = (one.effect for one in record.written)
    done = next((one for one in notes if one.action == Action.DELETE and (is_proved or one.before is not None)), None)
    return end if done is None else end._replace(word=Word.DELETED, gladly_id=done.gladly_id)


def word_of_equal(at: Endpoint, record: Record, found: Found, owners: Owners) -> Word:
    """Return how a record ends whose object has all that the row says: updated, if an earlier process did it."""
    noted = noted_update(at, record, found.gladly_id, found.held or {}, owners)
    # What a create leaves to a second request is part of creating the object.
    is_ours = noted is not None and not noted.after.keys() <= at.completing(record.payload).keys()
    return Word.UPDATED if is_ours else Word.UNCHANGED


def word_of_accepted(record: Record) -> Word:
    """Return how a record ends that the state has as it is: updated, if an earlier process was about to write it."""
    # The state is committed before the journal, so what was noted for the row was done.
    is_noted = any(one.effect.action == Action.UPDATE for one in record.written)
    return Word.UPDATED if is_noted else Word.UNCHANGED


def _written_parts(before: Held, after: Held) -> Iterator[Held]:
    """Yield what a change has written, each field by itself; of custom attributes and the like, each that differed."""
    for name, value in after.items():
        if not isinstance(value, Mapping):
            yield {name: value}
            continue
        held = before.get(name)
        held = held if isinstance(held, Mapping) else {}
        yield from ({name: {key: part}} for key, part in value.items() if not is_equal(held.get(key), part))


def _part_of(held: Held) -> Callable[[Held], Held]:
    """Return what gives the part of an object that stands where another part stands."""

    def part(like: Held) -> Held:
        [(name, value)] = like.items()
        if not isinstance(value, Mapping):
            return {name: held.get(name)}
        within = held.get(name)
        return {name: {key: within.get(key) if isinstance(within, Mapping) else None for key in value}}

    return part


def _has(held: Held, part: Held) -> bool:
    """Tell whether an object has a part; an object or list that is not there has nothing."""
    [(name, value)] = part.items()
    if isinstance(value, Mapping):
        within = held.get(name)
        return all(
            same_in_map(within.get(key) if isinstance(within, Mapping) else None, one) for key, one in value.items()
        )
    return same_value(held.get(name), value)
