"""What every input format offers, and how its files are read."""

import codecs
import contextlib
import os
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bulkgladly.errors import UsageError
from bulkgladly.records import Position, Row

__all__ = ("FORMATS", "ReadOptions", "Reader", "place_of")

FORMATS = ("ndjson", "csv", "parquet", "arrow")

_NO_FILE_ENCODINGS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How the files of one run are read; `format` overrides what their suffix says.

    `delimiter` is a comma unless said otherwise, and then a tab in `.tsv` files. Without a
    `quotechar` (None) quotes in CSV files have no meaning.

    Raises:
        UsageError: An option that no file could be read with.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    quotechar: str | None = '"'
    max_record_bytes: int = 64 * 1024 * 1024
    format: str | None = None

    def __post_init__(self) -> None:
        if not _is_text_encoding(self.encoding):
            raise UsageError(f"--encoding {self.encoding} is not known; try utf-8, cp1252 or utf-16")
        for name, char in (("--delimiter", self.delimiter), ("--quotechar", self.quotechar)):
            if char is not None and (len(char) != 1 or char in "\r\n\0"):
                raise UsageError(f"{name} must be one character, not {char!r}")
        if self.delimiter == self.quotechar:
            raise UsageError(f"--delimiter and --quotechar are both {self.delimiter!r}")
        if self.max_record_bytes < 1:
            raise UsageError("the largest record must have at least one byte")
        if self.format is not None and self.format not in FORMATS:
            raise UsageError(f"--format {self.format} is not known; choose one of {', '.join(FORMATS)}")


class Reader(Protocol):
    """One input file. It holds no open file between calls and may be read any number of times.

    All methods are synchronous, do their work in the calling thread, and raise `InputError`
    when the file as a whole cannot be read on; what is wrong with one row is in the row.
    """

    @property
    @abstractmethod
    def path(self) -> Path:
        """The file, as the user named it."""

    @abstractmethod
    def columns(self) -> tuple[str, ...] | None:
        """Return the column names that all rows share, or None if each row brings its own."""

    @abstractmethod
    def batches(self, start: Position | None = None, *, size: int = 256) -> Iterator[list[Row]]:
        """Yield the rows in file order, at most `size` at a time and never an empty list.

        With `start`, which must be the position of a row read before, that row comes first
        and everything after it is as it was then. `seq` is left unset.
        """

    @abstractmethod
    def estimate_rows(self) -> tuple[int, bool]:
        """Return how many rows the file has, and whether that is exact. Takes milliseconds."""

    @abstractmethod
    def sample(self, n: int) -> list[Row]:
        """Return the first `n` rows, or all if there are fewer."""

    @abstractmethod
    def hold(self, handle: int | None) -> None:
        """Read from an open file of the caller's, where its name is gone or stands for another one; None: no more."""


def place_of(path: Path, handle: int | None) -> Path:
    """Return under which name a file can be opened that may be held open: its own, unless that is gone or another's.

    Only Linux has another name for a file without one; elsewhere such a file is lost.
    """
    if handle is None:
        return path
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(handle), path.stat()):
            return path
    held = Path(f"/proc/self/fd/{handle}")
    return held if held.exists() else path


def _is_text_encoding(name: str) -> bool:
    try:
        codec = codecs.lookup(name).name
        return codec not in _NO_FILE_ENCODINGS and "é\n".encode(codec, "ignore") != b""
    except LookupError:  # also for codecs that make no text, such as base64
        return False
