"""The source keys that an import will create, so that the rows of later imports can be checked before it has run."""

from collections.abc import Callable
from pathlib import Path

from bulkgladly.checks.digests import Digests
from bulkgladly.checks.known_parents import digest_of_key
from bulkgladly.gladly.identity import key_in
from bulkgladly.records import Problem, Row
from bulkgladly.source_keys import NotAKey, read_key

__all__ = ("PlannedKeys",)

_HELD = 1 << 18
"""Keys that wait in memory to be written: fewer than usual, because those of all imports are kept until the end."""


class PlannedKeys:
    """Collects the source keys of the rows that would be sent: 16 bytes a row, on the disk."""

    def __init__(self, folder: Path, resource: str, column: str | None) -> None:
        """`column` holds the keys; without one, an id is the key. Hashes are kept in `folder`, which must be empty."""
        self._resource, self._column, self._folder = resource, column, folder
        self.digests = Digests(folder / "all", held=_HELD)

    def add(self, row: Row) -> None:
        """Add the key of a row, if it has one. A record that is identified by its content cannot be referred to.

        Raises:
            DiskFull: It cannot be written.
        """
        if self._column is not None:
            key = key_in(row, self._column)
            if not isinstance(key, Problem):
                self.digests.add(row.seq, (digest_of_key(self._resource, key.text),))
            return
        try:
            found = read_key((row.fields or {}).get("id"))
        except NotAKey:
            return
        self.digests.add(row.seq, (digest_of_key(self._resource, found.text),))

    def settle(self, is_gone: Callable[[int], bool]) -> None:
        """Leave out the rows that turned out not to be sent.

        Raises:
            DiskFull: The rest cannot be written.
        """
        self.digests = self.digests.without(is_gone, self._folder / "kept")

    def common_with(self, other: "PlannedKeys") -> int:
        """Return how many different keys both have."""
        return self.digests.common_with(other.digests)
