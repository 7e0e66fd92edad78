"""Finding the rows of an input that share a value, for any number of rows in little memory."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bulkgladly.storage.failures import writing

__all__ = ("Digests",)

_PARTS = 256
_MASK = _PARTS - 1
_HELD = 1 << 20


class Digests:
    """64-bit hashes, each with the number of its row, kept on disk in 256 parts.

    Equal hashes lie in the same part, so that only one part at a time has to be in memory. Values
    with equal hashes are likely, but not certain, to be equal.
    """

    def __init__(self, folder: Path, *, held: int = _HELD) -> None:
        """Keep the parts in a folder, which must be empty; up to `held` pairs wait in memory to be written.

        Raises:
            DiskFull: The folder cannot be created.
        """
        self._folder = folder
        self._most_held, self._held = held, 0
        self._parts = [array("q") for _ in range(_PARTS)]
        self._is_on_disk = False
        with writing(f"the folder {folder}", "start again"):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, row: int, digests: Sequence[int]) -> None:
        """Add the digests of a row.

        Raises:
            DiskFull: They cannot be written.
        """
        for digest in digests:
            # Digest and row alternate in one array: 16 bytes for a pair, where a tuple of two integers takes over 100.
            self._parts[digest & _MASK].extend((digest, row))
        self._held += len(digests)
        if self._held >= self._most_held:
            self._write()

    def shared(self) -> Iterator[int]:
        """Yield the rows with a digest that another row has as well, in any order, some more than once."""
        for part in range(_PARTS):
            pairs = self._read(part)
            digests = pairs[::2]
            if len(set(digests)) == len(digests):
                continue
            again = {digest for digest, count in Counter(digests).items() if count > 1}
            yield from (row for digest, row in zip(digests, pairs[1::2], strict=True) if digest in again)

    def holds(self, digest: int) -> bool:
        """Tell whether a digest was added. Each call reads a whole part, so do not call it often."""
        return digest in self._read(digest & _MASK)[::2]

    def absent_from(self, *others: "Digests") -> Iterator[int]:
        """Yield the rows with a digest that is in none of the others."""
        for part in range(_PARTS):
            pairs = self._read(part)
            if not pairs:
                continue
            there = {digest for other in others for digest in other._read(part)[::2]}
            yield from (pairs[at + 1] for at in range(0, len(pairs), 2) if pairs[at] not in there)

    def common_with(self, other: "Digests") -> int:
        """Return how many different digests are in both."""
        return sum(len(set(self._read(part)[::2]) & set(other._read(part)[::2])) for part in range(_PARTS))

    def without(self, is_gone: Callable[[int], bool], folder: Path) -> "Digests":
        """Return the digests of the other rows, in another folder.

        Raises:
            DiskFull: They cannot be written.
        """
        kept = Digests(folder, held=self._most_held)
        for part in range(_PARTS):
            pairs = self._read(part)
            for digest, row in zip(pairs[::2], pairs[1::2], strict=True):
                if not is_gone(row):
                    kept.add(row, (digest,))
        return kept

    def _path(self, part: int) -> Path:
        return self._folder / f"{part:03}"

    def _write(self) -> None:
        with writing(f"the hashes of what must be unique, in {self._folder},", "start again"):
            for number, part in enumerate(self._parts):
                if part:
                    with self._path(number).open("ab") as file:
                        part.tofile(file)
                    del part[:]
        self._held, self._is_on_disk = 0, True

    def _read(self, part: int) -> "array[int]":
        pairs = array("q")
        if self._is_on_disk and (path := self._path(part)).exists():
            pairs.frombytes(path.read_bytes())
        pairs.extend(self._parts[part])
        return pairs
