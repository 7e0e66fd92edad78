"""Several input files, read as one sequence of rows."""

import os
import shutil
from abc import abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from bulkgladly.errors import InputError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.folders import with_folders
from bulkgladly.files.opening import files_of, open_reader
from bulkgladly.local_paths import local_path
from bulkgladly.records import Mark, Row
from bulkgladly.storage.durable import hash_of, replacing
from bulkgladly.storage.failures import is_full, not_written

__all__ = ("Expand", "Inputs", "OpenedFile", "spool")

_CHUNK_BYTES = 1 << 20
_EXPANDED_SAMPLE = 200
_START = Mark()


class Expand(Protocol):
    """Turns one row into one or more rows, all at its position and the same ones every time."""

    @property
    @abstractmethod
    def is_one_to_one(self) -> bool:
        """True if every row becomes exactly one row."""

    @abstractmethod
    def __call__(self, row: Row) -> list[Row]:
        """Return the rows that replace a row; `seq` is left unset."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The state of one input file when the run opened it."""

    path: Path
    size: int
    mtime_ns: int
    identity: tuple[int, int, int] = (0, 0, 0)
    """Device, inode and last change of the file; a file that replaces it has others."""

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

    With `expand` the rows of the run are those that `expand` makes from the rows of the files; `readers` still give
    the rows as they are in the files. `names` are what people know the files by.
    """

    def __init__(
        self, readers: Sequence[Reader], expand: Expand | None = None, *, names: Sequence[str] | None = None
    ) -> None:
        self.readers = tuple(readers)
        self.expand = expand
        self.files = tuple(_describe(reader.path) for reader in readers)
        self.names = tuple(names or (str(reader.path) for reader in readers))
        self._held: list[int] = []
        self._folders: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each thing that was recognised in the files; files with the same one share a line."""
        found: dict[str, list[str]] = {}
        for name, reader in zip(self.names, self.readers, strict=True):
            for note in reader.notes:
                found.setdefault(note, []).append(name)
        folders = [
            f"{folder}: is a folder; its data files are read in the order of their names" for folder in self._folders
        ]
        return (
            *folders,
            *(
                f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}"
                for note, names in found.items()
            ),
        )

    @property
    def is_one_to_one(self) -> bool:
        """True if every row of the files is one row of the run."""
        return self.expand is None or self.expand.is_one_to_one

    def hold(self) -> None:
        """Keep the files open, so that they can be read to their end even if somebody deletes or replaces them."""
        for reader in self.readers:
            try:
                handle = os.open(reader.path, os.O_RDONLY)
            except OSError:
                continue  # reading it will raise the right error
            self._held.append(handle)
            reader.hold(handle)

    def let_go(self) -> None:
        """Close what `hold` keeps open. May be called twice."""
        for reader in self.readers:
            reader.hold(None)
        while self._held:
            os.close(self._held.pop())

    def altered(self, digests: Sequence[str]) -> list[str]:
        """Return a sentence for each file that has changed since it was opened.

        Size, times and inode are compared first. If they differ the whole file is read and compared with `digests`.
        """
        found = []
        for file, digest in zip(self.files, digests, strict=True):
            try:
                if _describe(file.path) != file and file.fingerprint() != digest:
                    found.append(f"{file.path} was changed while it was read")
            except InputError:
                what = "can no longer be read" if os.path.lexists(file.path) else "was removed while it was read"
                found.append(f"{file.path} {what}")
        return found

    @classmethod
    def open(
        cls,
        patterns: Sequence[str],
        options: ReadOptions | None = None,
        *,
        expand: Expand | None = None,
        names: Sequence[str] | None = None,
    ) -> Self:
        """Find the files and read the beginning of each. `names` are for people, if the paths would mislead them.

        Raises:
            InputError: As `files_of` and `open_reader`.
        """
        options = with_folders(options or ReadOptions(), [local_path(pattern) for pattern in patterns])
        readers = [open_reader(path, index, options) for index, path in enumerate(files_of(patterns))]
        inputs = cls(readers, expand, names=names)
        inputs._folders = tuple(pattern for pattern in patterns if local_path(pattern).is_dir())
        return inputs

    def batches(self, start: Mark = _START, *, size: int = 256) -> Generator[list[Row], None, None]:
        """Yield the rows from a mark on with their `seq` set; one batch is in memory at a time.

        Close the generator if you may not read it to its end: it keeps a file open.

        Raises:
            InputError: A file cannot be read further, or the mark is in a file that was not given.
        """
        seq, position = start.seq, start.position
        first = position.file if position else 0
        if first >= len(self.readers):
            raise InputError(f"the run stopped in input file {first + 1}, but only {len(self.readers)} were given")
        for index, reader in enumerate(self.readers[first:], first):
            for found in reader.batches(position if index == first else None, size=size):
                for batch in (found,) if self.expand is None else _expanded(found, self.expand, size):
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
        if self.expand is not None:
            rows = next(_expanded(rows, self.expand, n), [])
        for seq, row in enumerate(rows):
            row.seq = seq
        return rows

    def estimate_rows(self) -> tuple[int, bool]:
        """Return how many rows the run has, and whether that is exact."""
        guesses = [reader.estimate_rows() for reader in self.readers]
        count, is_exact = sum(count for count, _ in guesses), all(is_exact for _, is_exact in guesses)
        if self.expand is None or self.expand.is_one_to_one:
            return count, is_exact
        rows = [row for reader in self.readers for row in reader.sample(_EXPANDED_SAMPLE // len(self.readers) + 1)]
        if not rows:
            return count, is_exact
        made = sum(len(self.expand(row)) for row in rows)
        return max(count, round(count * made / len(rows))), is_exact and len(rows) >= count


def _expanded(rows: Sequence[Row], expand: Expand, size: int) -> Iterator[list[Row]]:
    """Yield expanded rows, at most `size` at a time: one row may become very many."""
    batch: list[Row] = []
    for row in rows:
        batch += expand(row)
        while len(batch) >= size:
            yield batch[:size]
            batch = batch[size:]
    if batch:
        yield batch


def spool(stream: BinaryIO, path: Path) -> None:
    """Copy a stream to a file that only its owner can read; it is complete and durable on return.

    A crash leaves no file of this name, at most one ending in `.partial`.

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
        raise InputError(f"{path}: the input cannot be saved: {exc}") from exc


def _describe(path: Path) -> OpenedFile:
    try:
        stats = path.stat()
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc}") from exc
    return OpenedFile(path, stats.st_size, stats.st_mtime_ns, (stats.st_dev, stats.st_ino, stats.st_ctime_ns))
