"""What a plan of an undo says: how much it is altogether, and what is to be done with each object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkgladly.journal.run_writes import RunWrites, WrittenChange
from bulkgladly.records import Position

__all__ = ("PlanCounts", "PlannedObject", "changes_of")


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """How many objects an undo deletes and restores, and how many it cannot take back, by code.

    `already` objects were taken back by an earlier undo, the runs of which are `undone_by`. `unread` are some of those
    to restore: not every field of them was read. Of `unsettled` records of the run it is not known what they changed.
    Of `by_clock` objects, which other runs have written as well, only this machine's clock says which run was later.
    `requests` are the most that it takes, and `least` those if everything has changed since.
    """

    noun: str
    to_delete: int = 0
    to_restore: int = 0
    cannot: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    already: int = 0
    undone_by: tuple[str, ...] = ()
    unsettled: int = 0
    by_clock: int = 0
    least: int = 0
    requests: int = 0

    @property
    def objects(self) -> int:
        """All objects that are not taken back yet."""
        return self.to_delete + self.to_restore + sum(self.cannot.values())

    @property
    def to_do(self) -> int:
        """The objects that something can be done about."""
        return self.to_delete + self.to_restore


class PlannedObject(NamedTuple):
    """One object: its number, its id, the records of the run that changed it, and what is to be done.

    `todo` is delete, restore or cannot; `code` is why not. `keys` are the source keys under which the state knows the
    object. `later` says which later run has written which field.
    """

    item: int
    gladly_id: str
    seqs: tuple[int, ...]
    todo: str
    code: str
    position: Position
    keys: tuple[str, ...]
    later: Mapping[str, str]


def changes_of(planned: PlannedObject, writes: RunWrites) -> list[WrittenChange]:
    """Return what the run has written to an object, the oldest first.

    Raises:
        JournalDamaged: The journal of the run cannot be read.
    """
    every = (one for seq in planned.seqs for one in writes.of(seq))
    ours = [one for one in every if one.is_done and one.gladly_id == planned.gladly_id]
    # By time: rows that mean the same object by different keys are not always sent in the order of the input.
    return sorted(ours, key=lambda one: (one.at, one.seq, one.nth))
