"""One table or folder of pages, made from what lies in a data set."""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from bulkgladly.builds.agent_intervals import agent_interval_rows
from bulkgladly.builds.build_columns import (
    AGENT_INTERVALS,
    BUILT_TABLES,
    CONTACT_LIFECYCLES,
    CONVERSATIONS,
    types_of_built,
)
from bulkgladly.builds.built_names import DirectoryNames, names_in
from bulkgladly.builds.contact_lifecycles import contact_lifecycle_rows
from bulkgladly.builds.conversation_pages import conversation_pages
from bulkgladly.builds.conversation_rows import conversation_rows
from bulkgladly.builds.missing_sets import MissingSet, missing_sets, refuse_without_rows
from bulkgladly.builds.sorted_rows import SortedRow
from bulkgladly.choices import unsupported
from bulkgladly.errors import UsageError
from bulkgladly.lake.built_table import TABLE_ENDINGS, built_table
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.published_rows import micros_of

__all__ = ("BuildPlaces", "BuildTimes", "Built", "build")

_MAKERS: Mapping[str, Callable[[Catalogue, DirectoryNames, Path], Iterator[SortedRow]]] = MappingProxyType(
    {
        CONVERSATIONS: conversation_rows,
        AGENT_INTERVALS: agent_interval_rows,
        CONTACT_LIFECYCLES: contact_lifecycle_rows,
    }
)
_TIMES = MappingProxyType(
    {
        CONVERSATIONS: ("opened_at", "opened_at"),
        AGENT_INTERVALS: ("from_at", "to_at"),
        CONTACT_LIFECYCLES: ("created_at", "created_at"),
    }
)
"""When what a row is about began, and when it ended, as far as --since and --until ask for it."""


class BuildPlaces(NamedTuple):
    """Where to write: a file or a folder for the table, and a folder for pages. Without both, a file right here."""

    out: Path | None = None
    pages: Path | None = None


class BuildTimes(NamedTuple):
    """Only rows that begin before `until`; and after `since`, or that end after it, if they have an end."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None


class Built(NamedTuple):
    """What was written: how many rows, to which file and folder; and what would fill more columns."""

    rows: int
    path: Path | None
    pages: Path | None
    missing: tuple[MissingSet, ...]


def build(folder: Catalogue, table: str, places: BuildPlaces, times: BuildTimes | None = None) -> Built:
    """Write a table, and perhaps pages, of a data set. Nothing is sent, and the data set is not changed.

    The same data gives the same rows in the same order. Each file, and the folder of pages, is replaced as a whole; an
    error or a kill leaves the earlier ones. The table is in place before the pages are.

    Raises:
        UsageError: The table does not exist, the folder has nothing of it, or a place cannot be used.
        InputError: The data set is damaged.
        OSError: A file cannot be written.
    """
    if table not in BUILT_TABLES:
        raise UsageError(unsupported(table, BUILT_TABLES))
    path = _target(places, table)
    _check_places(folder, table, path, places.pages)
    refuse_without_rows(folder, table)
    scratch = (path or places.pages or Path()).absolute().parent
    rows = 0
    with contextlib.ExitStack() as stack:
        # The last to be entered is the first to be put in place.
        pages = stack.enter_context(conversation_pages(places.pages.absolute())) if places.pages else None
        sink = stack.enter_context(built_table(path, types_of_built(table))) if path else None
        for _, row, size in _MAKERS[table](folder, names_in(folder), scratch):
            if not _is_wanted(row, table, times or BuildTimes()):
                continue
            rows += 1
            if sink:
                sink.write(row, size)
            if pages:
                pages.write(row)
    return Built(rows, path, places.pages, tuple(missing_sets(folder, table)))


def _target(places: BuildPlaces, table: str) -> Path | None:
    name = f"{table}{TABLE_ENDINGS[0]}"
    if places.out is None:
        return None if places.pages else Path(name)
    return places.out / name if places.out.is_dir() else places.out


def _check_places(folder: Catalogue, table: str, path: Path | None, pages: Path | None) -> None:
    if pages is not None and table != CONVERSATIONS:
        raise UsageError(f"--html: there are pages of {CONVERSATIONS} only; leave it out for {table}")
    for place in (path, pages):
        if place is None:
            continue
        if place.resolve().is_relative_to(folder.path.resolve()):
            raise UsageError(f"{place} is inside the data set, which holds only what was exported; write elsewhere")
        if not place.absolute().parent.is_dir():
            raise UsageError(f"{place}: the folder {place.parent} does not exist; create it first")
    if path is not None and path.suffix.lower() not in TABLE_ENDINGS:
        raise UsageError(f"{path}: unknown suffix {path.suffix!r}; name the file *.parquet, *.ndjson or *.csv")


def _is_wanted(row: Mapping[str, Any], table: str, times: BuildTimes) -> bool:
    began, ended = (row[name] for name in _TIMES[table])
    if times.since is None and times.until is None:
        return True
    if began is None:
        return False
    since = None if times.since is None else micros_of(times.since)
    is_after = since is None or began >= since or ended is None or ended > since
    return is_after and (times.until is None or began < micros_of(times.until))
