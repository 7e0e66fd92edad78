"""Finds the input files, tells their formats and opens the reader for each."""

import glob
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from bulkgladly.errors import InputError
from bulkgladly.files.contract import FORMATS, Reader, ReadOptions
from bulkgladly.files.folders import files_in, folder_columns, is_bookkeeping
from bulkgladly.local_paths import local_path

__all__ = ("files_of", "format_of", "open_reader")

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
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
_COMPRESSED = (".gz", ".zst")
_IN_EXCEL = "save the sheet as CSV (in Excel: Save As, CSV UTF-8)"
_OTHERS = {
    ".xlsb": f"is a binary Excel file; save it as .xlsx, or {_IN_EXCEL}",
    ".xls": f"is an old Excel file; save it as .xlsx, or {_IN_EXCEL}",
    ".ods": "is a LibreOffice spreadsheet; save the sheet as CSV",
    ".numbers": "is a Numbers spreadsheet; export it as CSV",
    ".pdf": "is a PDF document; export the table as CSV from the program that made it",
    ".html": "is a web page; export the table as CSV",
    ".xml": "is an XML document; export it as CSV or NDJSON",
    ".zip": "is a ZIP archive; unpack it",
    ".tar": "is an archive; unpack it",
    ".tgz": "is an archive; unpack it",
    ".7z": "is an archive; unpack it",
    ".bz2": "is bzip2-compressed; unpack it, or compress it with gzip or zstd",
    ".xz": "is xz-compressed; unpack it, or compress it with gzip or zstd",
    ".avro": "is an Avro file; convert it to Parquet",
    ".orc": "is an ORC file; convert it to Parquet",
    ".sqlite": "is a database; export the table as CSV",
    ".db": "is a database; export the table as CSV",
}
"""What other names show, and what to do."""


def files_of(patterns: Sequence[str]) -> list[Path]:
    """Return the files that names and patterns stand for, in the order in which they are read.

    The order is that of `patterns`; what one pattern matches, or a folder has, is sorted by name. A name that exists is
    taken literally, whatever characters it has.

    Raises:
        InputError: There are none, a pattern matches nothing, or a file comes twice.
    """
    paths = [path for pattern in patterns for path in _expand(pattern)]
    if not paths:
        raise InputError("no input file was given")
    _refuse_duplicates(paths)
    return paths


def _expand(pattern: str) -> list[Path]:
    if not pattern:  # a variable of the shell that is not set; as a path it would be the current folder
        raise InputError("the name of an input file is empty; name a file, or . for the current folder")
    path = local_path(pattern)
    if path.is_dir():
        return _data_files(path)
    if not glob.has_magic(pattern) or os.path.lexists(pattern):
        return [path]
    found = sorted(Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207 - may be absolute
    files = [path for path in found if not path.is_dir() and not (is_bookkeeping(path.name) and not path.suffix)]
    if not files:
        raise InputError(f"{pattern}: no file matches this pattern")
    return files


def _data_files(folder: Path) -> list[Path]:
    try:
        # Spark writes empty files for empty partitions.
        files = [path for path in files_in(folder) if path.stat().st_size]
    except OSError as exc:
        raise InputError(f"{folder}: cannot be listed: {exc}; check its permissions") from exc
    if not files:
        raise InputError(f"{folder}: is a folder without data files")
    return files


def _refuse_duplicates(paths: list[Path]) -> None:
    seen: dict[Path, Path] = {}
    for path in paths:
        if any("\ud800" <= character <= "\udfff" for character in str(path)):
            raise InputError(f"{path}: the name is not valid UTF-8; rename the file")
        try:
            real = path.resolve()
        except (OSError, RuntimeError, ValueError) as exc:
            raise InputError(f"{path}: cannot be found: {exc}") from exc
        if real in seen:
            raise InputError(f"{path}: is given twice (also as {seen[real]}); its rows would be read twice")
        seen[real] = path


def format_of(path: Path, options: ReadOptions) -> str:
    """Return which of FORMATS a file has, from the option or else from its suffix.

    Raises:
        InputError: The suffix is not known, or a file of this format is compressed as a whole.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in _COMPRESSED
    inner = suffixes[:-1] if packed else suffixes
    found = options.format or (_BY_SUFFIX.get(inner[-1]) if inner else None)
    if found is None and suffixes and (other := _OTHERS.get(suffixes[-1])):
        raise InputError(f"{path}: {other}")
    if found is None:
        raise InputError(f"{path}: the file name does not show the format; pass --format {'|'.join(FORMATS)}")
    if packed and found in ("parquet", "arrow", "xlsx"):
        raise InputError(f"{path}: a compressed {found} file cannot be read; unpack it first")
    return found


def open_reader(path: Path, file_index: int, options: ReadOptions) -> Reader:
    """Return the reader for one file; `file_index` goes into the positions of its rows.

    The beginning of the file is read (header, schema), so most mistakes are found here.

    Raises:
        InputError: The file is missing, unreadable or not what its format says.
    """
    _require_regular_file(path)
    reader = _reader_for(path, file_index, options)
    if columns := folder_columns(path, options):
        reader.add_columns(columns)
    return reader


def _reader_for(path: Path, file_index: int, options: ReadOptions) -> Reader:
    # Each format is loaded when first needed: pyarrow alone costs more than `--help` may take.
    match format_of(path, options):
        case "ndjson":
            from bulkgladly.files.text_files import NdjsonReader  # noqa: PLC0415 - see above

            return NdjsonReader(path, file_index, options)
        case "csv":
            from bulkgladly.files.csv_files import CsvReader  # noqa: PLC0415 - see above

            return CsvReader(path, file_index, options)
        case "parquet":
            from bulkgladly.files.columnar_files import ParquetReader  # noqa: PLC0415 - see above

            return ParquetReader(path, file_index)
        case "xlsx":
            return _sheet_reader(path, file_index, options)
        case _:
            from bulkgladly.files.columnar_files import ArrowReader  # noqa: PLC0415 - see above

            return ArrowReader(path, file_index)


def _sheet_reader(path: Path, file_index: int, options: ReadOptions) -> Reader:
    try:
        from bulkgladly.files.sheet_files import SheetReader  # noqa: PLC0415 - an extra, which may not be installed
    except ModuleNotFoundError as exc:
        install = "install the library for them (pip install 'bulkgladly[xlsx]')"
        raise InputError(f"{path}: is an Excel file; {install}, or {_IN_EXCEL}") from exc
    return SheetReader(path, file_index, options)


def _require_regular_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as exc:
        raise InputError(f"{path}: no such file") from exc
    except (OSError, ValueError) as exc:
        raise InputError(f"{path}: cannot be read: {exc}") from exc
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; pass its files, for example '{path}/*.ndjson'")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: not a regular file, so a resume cannot seek in it; pipe it in as -")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: not readable; check its permissions")
