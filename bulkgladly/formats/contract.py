"""What every input format offers, and which one a file name stands for."""

import codecs
import os
import stat
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bulkgladly.errors import InputError, UsageError
from bulkgladly.records import Position, Row

__all__ = ("FORMATS", "ReadOptions", "Reader", "format_of", "open_reader")

FORMATS = ("ndjson", "csv", "parquet", "arrow")

_BY_SUFFIX = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_NO_FILE_ENCODINGS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})
_COMPRESSED = (".gz", ".zst")


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


def _is_text_encoding(name: str) -> bool:
    try:
        codec = codecs.lookup(name).name
        return codec not in _NO_FILE_ENCODINGS and "é\n".encode(codec, "ignore") != b""
    except LookupError:  # also for codecs that make no text, such as base64
        return False


def format_of(path: Path, options: ReadOptions) -> str:
    """Return which of FORMATS a file is in, by the option or else by its suffix.

    Raises:
        InputError: The suffix says nothing, or the format cannot be compressed from outside.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in _COMPRESSED
    inner = suffixes[:-1] if packed else suffixes
    found = options.format or (_BY_SUFFIX.get(inner[-1]) if inner else None)
    if found is None:
        raise InputError(f"{path}: the name does not tell the format; say --format {'|'.join(FORMATS)}")
    if packed and found in ("parquet", "arrow"):
        raise InputError(f"{path}: a {found} file is read in place and cannot be; unpack it first")
    return found


def open_reader(path: Path, file_index: int, options: ReadOptions) -> Reader:
    """Return the reader for one file; `file_index` goes into the positions of its rows.

    The beginning of the file is read (header, schema), so most mistakes show up here.

    Raises:
        InputError: The file is missing, unreadable or not what its format says.
    """
    # Each format is loaded when first needed: pyarrow alone costs more than `--help` may take.
    _require_regular_file(path)
    match format_of(path, options):
        case "ndjson":
            from bulkgladly.formats.ndjson_files import NdjsonReader  # noqa: PLC0415 - see above

            return NdjsonReader(path, file_index, options)
        case "csv":
            from bulkgladly.formats.csv_files import CsvReader  # noqa: PLC0415 - see above

            return CsvReader(path, file_index, options)
        case "parquet":
            from bulkgladly.formats.columnar_files import ParquetReader  # noqa: PLC0415 - see above

            return ParquetReader(path, file_index)
        case _:
            from bulkgladly.formats.columnar_files import ArrowReader  # noqa: PLC0415 - see above

            return ArrowReader(path, file_index)


def _require_regular_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as exc:
        raise InputError(f"{path}: there is no such file") from exc
    except (OSError, ValueError) as exc:
        raise InputError(f"{path}: cannot be read: {exc}") from exc
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; name its files, for example '{path}/*.ndjson'")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is no regular file, so a resume could not seek in it; pipe it in as -")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: you may not read it; check its permissions")
