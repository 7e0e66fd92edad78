"""Which format a file name stands for, and the reader for it."""

import os
import stat
from pathlib import Path

from bulkgladly.errors import InputError
from bulkgladly.files.contract import FORMATS, Reader, ReadOptions

__all__ = ("format_of", "open_reader")

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
_COMPRESSED = (".gz", ".zst")


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
        raise InputError(f"{path}: the name does not tell the format; pass --format {'|'.join(FORMATS)}")
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
            from bulkgladly.files.text_files import NdjsonReader  # noqa: PLC0415 - see above

            return NdjsonReader(path, file_index, options)
        case "csv":
            from bulkgladly.files.text_files import CsvReader  # noqa: PLC0415 - see above

            return CsvReader(path, file_index, options)
        case "parquet":
            from bulkgladly.files.columnar_files import ParquetReader  # noqa: PLC0415 - see above

            return ParquetReader(path, file_index)
        case _:
            from bulkgladly.files.columnar_files import ArrowReader  # noqa: PLC0415 - see above

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
