"""Keys of different rows that differ only by case or by their form of Unicode: often one object, written twice."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from bulkgladly.checks.digests import Digests
from bulkgladly.gladly.identity import digest64
from bulkgladly.records import Problem
from bulkgladly.source_keys import normal_key

__all__ = ("KeySpellings",)

_MOST = 100_000
"""How many different keys are compared; what is beyond that is not told, so that memory stays bounded."""


class KeySpellings:
    """Finds the rows whose key another row has in another spelling.

    Hashes say in the first pass which rows are worth a second look; in the second, the keys themselves are compared.
    """

    def __init__(self, folder: Path, column: str | None, name: str | None = None) -> None:
        """`column` holds the key, None if there is none, and `name` is the user's; hashes are kept in `folder`."""
        self.column, self._name = column, name or column
        self._digests = Digests(folder)
        self._seen: dict[int, int] = {}

    def add(self, row: int, key: object) -> None:
        """Add the key of a row."""
        # Most keys are numbers, which have one spelling only.
        if type(key) is str and not (key.isascii() and key.isdigit()):
            self._digests.add(row, (_folded(key),))

    def rows(self) -> Iterator[int]:
        """Yield the rows whose key another row has, perhaps in another spelling."""
        return self._digests.shared()

    def problem(self, key: object) -> Problem | None:
        """Return what is odd about a key, if an earlier one differs from it only in spelling."""
        if type(key) is not str or self.column is None or len(self._seen) >= _MOST:
            return None
        exact = digest64("key", normal_key(key))
        if self._seen.setdefault(_folded(key), exact) == exact:
            return None
        detail = f"{self._name} differs from an earlier one only by case or by the form of its letters"
        return Problem("key_twin", detail, self._name)


def _folded(key: str) -> int:
    text = normal_key(key)
    return digest64("folded", (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold())
