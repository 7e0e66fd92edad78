"""The times within which a data set has no events, although it has some before and after them."""

import math

from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.published_rows import micros_of
from bulkgladly.lake.summaries import coverage_of

__all__ = ("EventGaps",)


class EventGaps:
    """The gaps of the data set `events`: what happened in them is not known."""

    def __init__(self, folder: Catalogue) -> None:
        """Read them from the manifests.

        Raises:
            InputError: A manifest is damaged.
        """
        covered = coverage_of(one.covered for one in folder.iter_manifests("events") if one.covered)
        self._gaps = [(micros_of(begin), micros_of(end)) for begin, end in covered.gaps]

    def is_within(self, begin: int | None, end: int | None) -> bool:
        """Tell whether a gap lies between two times, at least in part; None is before or after all others."""
        first, last = -math.inf if begin is None else begin, math.inf if end is None else end
        return any(gap_begin < last and first < gap_end for gap_begin, gap_end in self._gaps)
