"""What every reader of input files offers, and the options that files are read with."""

import codecs
import contextlib
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bulkgladly.choices import unsupported
from bulkgladly.errors import UsageError
from bulkgladly.files.csv_forms import CsvForm
from bulkgladly.records import Position, Row

__all__ = ("FORMATS", "ReadOptions", "Reader", "place_of")

FORMATS = ("ndjson", "csv", "parquet", "arrow", "xlsx")

_NO_FILE_ENCODINGS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How the files of one run are read; `format` overrides what their suffix says.

    `encoding` and `delimiter` None mean what the beginning of a file clearly shows, or else UTF-8, and a comma (a tab
    in `.tsv` files). With `quotechar` None, quotes in CSV files are ordinary characters. `skip_lines` is how many lines
    of CSV files, or rows of Excel files, stand before the header; None refuses files in which the header seems to come
    later. `sheet` is the sheet of Excel files; None means the first one that is visible and not empty.
    `folders` are the folders that were given as inputs: in them, `column=value` in the name of a folder is a column.
    With `is_plain` nothing is recognised: runs that earlier versions began must read the same rows to their end.
    With `has_pages` an API's page, `{"data": [...]}`, is one row: a mapping goes through its list. `page_lists` are the
    names of the lists for which this holds; none means all.

    Raises:
        UsageError: No file can be read with these options.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quotechar: str | None = '"'
    max_record_bytes: int = 64 * 1024 * 1024
    format: str | None = None
    skip_lines: int | None = None
    sheet: str | None = None
    folders: tuple[str, ...] = ()
    is_plain: bool = False
    has_pages: bool = False
    page_lists: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.encoding is not None and not _is_text_encoding(self.encoding):
            raise UsageError(f"unknown --encoding {self.encoding}; use for example utf-8, cp1252 or utf-16")
        for name, char in (("--delimiter", self.delimiter), ("--quotechar", self.quotechar)):
            if char is not None and (len(char) != 1 or char in "\r\n\0"):
                raise UsageError(f"{name} must be one character, not {char!r}")
        if self.delimiter is not None and self.delimiter == self.quotechar:
            raise UsageError(
                f"--delimiter and --quotechar are both {self.delimiter!r}; choose another character for one of them"
            )
        if self.max_record_bytes < 1:
            raise UsageError("max_record_bytes must be at least 1")
        if self.skip_lines is not None and self.skip_lines < 0:
            raise UsageError("--skip-lines must not be negative")
        if self.format is not None and self.format not in FORMATS:
            raise UsageError(f"--format: {unsupported(self.format, FORMATS)}")

    def flags(self) -> list[str]:
        """Return the flags with which another command reads the same files in the same way."""
        words = [] if self.format is None else ["--format", self.format]
        words += [] if self.encoding is None else ["--encoding", self.encoding]
        words += [] if self.delimiter is None else ["--delimiter", self.delimiter]
        words += [] if self.skip_lines is None else ["--skip-lines", str(self.skip_lines)]
        return words + ([] if self.sheet is None else ["--sheet", self.sheet])


class Reader(Protocol):
    """One input file. It keeps no file open between calls and can be read any number of times.

    All methods are synchronous and work in the calling thread. They raise `InputError` when the file as a whole
    cannot be read further; what is wrong with one row is in the row.
    """

    @property
    @abstractmethod
    def path(self) -> Path:
        """The file, as the user named it."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What was recognised in the file without being told, such as `is UTF-16, by its byte order mark`."""

    @property
    @abstractmethod
    def has_rejects(self) -> bool:
        """Whether it is a file of rejects that a run has written, so that it lacks the rows that arrived."""

    @abstractmethod
    def columns(self) -> tuple[str, ...] | None:
        """Return the column names that all rows share, or None if each row has its own."""

    @abstractmethod
    def form(self) -> CsvForm | None:
        """Return the form of the CSV file in which rejects are written; None if they are not written as a table."""

    @abstractmethod
    def batches(self, start: Position | None = None, *, size: int = 256) -> Iterator[list[Row]]:
        """Yield the rows in file order, at most `size` at a time and never an empty list.

        `start` must be the position of a row that was read before: that row comes first, and all rows after it are
        as they were then. `seq` is left unset.
        """

    @abstractmethod
    def estimate_rows(self) -> tuple[int, bool]:
        """Return how many rows the file has, and whether that is exact. Takes milliseconds."""

    @abstractmethod
    def sample(self, n: int) -> list[Row]:
        """Return the first `n` rows, or all if there are fewer."""

    @abstractmethod
    def add_columns(self, values: Mapping[str, str]) -> None:
        """Give all rows these columns as well, unless they have them."""

    @abstractmethod
    def hold(self, handle: int | None) -> None:
        """Read from this open file if the path is deleted or names another file; None ends that."""


def place_of(path: Path, handle: int | None) -> Path:
    """Return a path under which a file can be opened, which the caller may hold open as `handle`.

    It is its own path, unless that is deleted or names another file. Only Linux has a second path then; elsewhere
    such a file is lost.
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
    except LookupError:  # also raised for codecs that make no text, such as base64
        return False
