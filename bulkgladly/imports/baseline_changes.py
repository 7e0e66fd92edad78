"""Of which objects a data set says no more what Gladly holds, because a row of this run may change them."""

from collections.abc import Mapping
from typing import NamedTuple

from bulkgladly.gladly.fingerprints import is_accepted
from bulkgladly.gladly.spec import Draft
from bulkgladly.records import Known

__all__ = ("ChangedObjects", "RowMatch", "is_covered")


class RowMatch(NamedTuple):
    """The number of the object that a row was matched with, by what (`id`, `email`), and whether the row may change it.

    A row that an address has led to may have another key than the row that changes the object by its id.
    """

    number: int
    by: str
    is_changing: bool


class ChangedObjects:
    """One or two bits for each object of a data set; used by one thread at a time."""

    def __init__(self, objects: int) -> None:
        """Begin with objects that no row changes."""
        self._changed, self._by_others = bytearray(objects // 8 + 1), bytearray(objects // 8 + 1)

    def mark(self, number: int) -> None:
        """Note that a row changes an object to which its key need not lead."""
        for bits in (self._changed, self._by_others):
            bits[number >> 3] |= 1 << (number & 7)

    def stale(self, matches: Mapping[int, RowMatch]) -> list[int]:
        """Return the rows, by their places, of whose objects nothing is known any more: a row before may change them.

        What these rows may change themselves counts from then on. Two rows with the same id wait for each other anyway,
        so among these the first makes no other stale.
        """
        found = []
        for at, (number, by, is_changing) in sorted(matches.items()):
            bits = self._by_others if by == "id" else self._changed
            if bits[number >> 3] & 1 << (number & 7):
                found.append(at)
            if is_changing and by == "id":
                self._changed[number >> 3] |= 1 << (number & 7)
            elif is_changing:
                self.mark(number)
        return found


def is_covered(draft: Draft, known: Known) -> bool:
    """Tell whether nothing of a draft differs from what is known."""
    if draft.fingerprints == known.accepted:
        return True
    return all(is_accepted(known.accepted.get(name), print_) for name, print_ in draft.fingerprints.items())
