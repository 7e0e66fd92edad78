"""Folders as inputs: which of their files hold rows, and the columns that the names of folders stand for.

Spark, Hive and others write `table/country=DE/part-0.parquet` and leave the column out of the file.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from bulkgladly.files.contract import ReadOptions

__all__ = ("added_note", "files_in", "folder_columns", "is_bookkeeping", "with_folders")

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def is_bookkeeping(name: str) -> bool:
    """Tell whether a file or folder is what writers leave beside the data: `_SUCCESS`, `_committed_1`, `.part.crc`."""
    return name.startswith(("_", "."))


def files_in(folder: Path) -> Iterator[Path]:
    """Yield all files in a folder and below it, in the order of their names, without bookkeeping.

    Raises:
        OSError: A folder cannot be listed.
    """
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if is_bookkeeping(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from files_in(folder / entry.name)
        else:
            yield folder / entry.name


def added_note(values: Mapping[str, str]) -> str:
    """Return the line that says which columns come from the names of folders."""
    return f"has {', '.join(values)} from the names of its folders"


def with_folders(options: ReadOptions, paths: list[Path]) -> ReadOptions:
    """Return options that remember which folders were given, so that a resume finds the same columns in their files."""
    given = tuple(str(path.absolute()) for path in paths if path.is_dir())
    return replace(options, folders=given) if given else options


def folder_columns(path: Path, options: ReadOptions) -> dict[str, str]:
    """Return the columns of a file that the folders above it name, as far as these are in a folder that was given.

    A folder for rows without a value gives an empty text.
    """
    for folder in options.folders:
        try:
            inner = path.absolute().relative_to(folder)
        except ValueError:
            continue
        pairs = (part.partition("=") for part in inner.parts[:-1])
        return {unquote(name): "" if value == _NO_VALUE else unquote(value) for name, mark, value in pairs if mark}
    return {}
