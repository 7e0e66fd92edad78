"""Several input files as one run of rows."""

import os
import shutil
from abc import abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from bulkgladly.errors import InputError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.opening import files_of, open_reader
from bulkgladly.records import Mark, Row
from bulkgladly.storage.durable import hash_of, replacing
from bulkgladly.storage.failures import is_full, not_written

__all__ = ("Expand", "Inputs", "OpenedFile", "spool")

_CHUNK_BYTES = 1 << 20
_EXPANDED_SAMPLE = 200
_START = Mark()


class Expand(Protocol):
    """What makes rows of a row: one or more, all at its position, and the same ones every time."""

    @property
    @abstractmethod
    def is_one_to_one(self) -> bool:
        """True where every row makes exactly one."""

    @abstractmethod
    def __call__(self, row: Row) -> list[Row]:
        """Return the rows that take the place of one; `seq` is left unset."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """One input file as it was when the run opened it."""

    path: Path
    size: int
    mtime_ns: int
    identity: tuple[int, int, int] = (0, 0, 0)
    """Device, number and last change of the file, by which one that was put in its place is told."""

    @property
    def name(self) -> str:
        """The path as the user gave it, or as the pattern found it."""
        return str(self.path)

    def fingerprint(self) -> str:
        """Return the BLAKE2b hash of the whole content in hex; reads all of it.

        Raises:
            InputError: The file cannot be read.
        """
        try:
            return hash_of(self.path)
        except OSError as exc:
            raise InputError(f"{self.path}: cannot be read: {exc}") from exc


class Inputs:
    """The files of one run, in a fixed order, read one after the other.

    With `expand` the rows of the run are those that it makes of the files' rows; what
    `readers` give stays as it is in the files.
    """

    def __init__(self, readers: Sequence[Reader], expand: Expand | None = None) -> None:
        self.readers = tuple(readers)
        self._expand = expand
        self.files = tuple(_describe(reader.path) for reader in readers)
        self._held: list[int] = []

    def hold(self) -> None:
        """Keep the files open, so that they can be read to their end where somebody removes or replaces them."""
        for reader in self.readers:
            try:
                handle = os.open(reader.path, os.O_RDONLY)
            except OSError:
                continue  # whoever reads it learns why
            self._held.append(handle)
            reader.hold(handle)

    def let_go(self) -> None:
        """Close what `hold` keeps open. May be called twice."""
        for reader in self.readers:
            reader.hold(None)
        while self._held:
            os.close(self._held.pop())

    def altered(self, digests: Sequence[str]) -> list[str]:
        """Say which files are not any more what they were when they were opened.

        Size, times and number of the file are compared, and its content with `digests` where
        these differ. Reads such a file whole.
        """
        found = []
        for file, digest in zip(self.files, digests, strict=True):
            try:
                if _describe(file.path) != file and file.fingerprint() != digest:
                    found.append(f"{file.path} was changed while it was read")
            except InputError:
                what = "cannot be read any more" if os.path.lexists(file.path) else "was removed while it was read"
                found.append(f"{file.path} {what}")
        return found

    @classmethod
    def open(cls, patterns: Sequence[str], options: ReadOptions | None = None, *, expand: Expand | None = None) -> Self:
        """Find the files and read the beginning of each.

        Raises:
            InputError: As `files_of` and `open_reader`.
        """
        options = options or ReadOptions()
        return cls([open_reader(path, index, options) for index, path in enumerate(files_of(patterns))], expand)

    def batches(self, start: Mark = _START, *, size: int = 256) -> Generator[list[Row], None, None]:
        """Yield the rows from a mark on with their `seq` set; one batch is in memory at a time.

        Close it where it may not be read to its end: it has a file open.

        Raises:
            InputError: A file cannot be read on, or the mark lies in a file that is not there.
        """
        seq, position = start.seq, start.position
        first = position.file if position else 0
        if first >= len(self.readers):
            raise InputError(f"the run stands in input file {first + 1}, but only {len(self.readers)} were named")
        for index, reader in enumerate(self.readers[first:], first):
            for found in reader.batches(position if index == first else None, size=size):
                for batch in (found,) if self._expand is None else _expanded(found, self._expand, size):
                    for row in batch:
                        row.seq = seq
                        seq += 1
                    yield batch

    def sample(self, n: int) -> list[Row]:
        """Return the first `n` rows of the run; `seq` counts them from 0."""
        rows: list[Row] = []
        for reader in self.readers:
            if len(rows) >= n:
                break
            rows += reader.sample(n - len(rows))
        if self._expand is not None:
            rows = next(_expanded(rows, self._expand, n), [])
        for seq, row in enumerate(rows):
            row.seq = seq
        return rows

    def estimate_rows(self) -> tuple[int, bool]:
        """Return how many rows all files have or make, and whether that is exact."""
        guesses = [reader.estimate_rows() for reader in self.readers]
        count, is_exact = sum(count for count, _ in guesses), all(is_exact for _, is_exact in guesses)
        if self._expand is None or self._expand.is_one_to_one:
            return count, is_exact
        rows = [row for reader in self.readers for row in reader.sample(_EXPANDED_SAMPLE // len(self.readers) + 1)]
        if not rows:
            return count, is_exact
        made = sum(len(self._expand(row)) for row in rows)
        return max(count, round(count * made / len(rows))), is_exact and len(rows) >= count


def _expanded(rows: Sequence[Row], expand: Expand, size: int) -> Iterator[list[Row]]:
    """Yield what rows make, at most `size` at a time: one row may make very many."""
    batch: list[Row] = []
    for row in rows:
        batch += expand(row)
        while len(batch) >= size:
            yield batch[:size]
            batch = batch[size:]
    if batch:
        yield batch


def spool(stream: BinaryIO, path: Path) -> None:
    """Copy a stream to a file, readable by its owner only, that is whole and durable on return.

    Killed before: there is no file of this name, at most one ending in `.partial`.

    Raises:
        DiskFull: There is no room for it.
        InputError: The stream cannot be read, or the file cannot be written.
    """
    try:
        with replacing(path, mode=0o600) as file:
            shutil.copyfileobj(stream, file, _CHUNK_BYTES)
    except OSError as exc:
        if is_full(exc):
            raise not_written(f"the copy of the input in {path}", exc, "start again") from exc
        raise InputError(f"{path}: the input cannot be kept: {exc}") from exc


def _describe(path: Path) -> OpenedFile:
    try:
        stats = path.stat()
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc}") from exc
    return OpenedFile(path, stats.st_size, stats.st_mtime_ns, (stats.st_dev, stats.st_ino, stats.st_ctime_ns))
