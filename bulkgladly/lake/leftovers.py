"""What kills leave behind: files that were being written, files that no manifest names, scratch folders."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.lake.current_folder import remove_tree, settle_folders
from bulkgladly.lake.places import INCOMING, MANIFESTS, MARKER, RAW, REJECTS, is_part, is_partial, place_of
from bulkgladly.storage.durable import partial_of

__all__ = ("foreign_files", "is_ours", "remove_empty_folders", "remove_leftovers", "unnamed_files")


def remove_leftovers(top: Path, data_sets: Sequence[str], named: set[str]) -> tuple[Path, ...]:
    """Remove the files of ours that no manifest names, and return them; `named` are those that one does.

    All of `_incoming` is removed, so commits that were interrupted must be carried out before.
    Elsewhere only files go that could be ours: by their place and name, and a Parquet file also by
    what its footer says. Links are removed as links, and never followed.
    """
    removed = list(unnamed_files(top, data_sets, named))
    for path in removed:
        path.unlink(missing_ok=True)
    remove_tree(top / INCOMING)
    partial_of(top / MARKER).unlink(missing_ok=True)
    for data_set in data_sets:
        remove_empty_folders(top / place_of(data_set), lambda folder: "=" in folder.name)
    return (*removed, *settle_folders(top))


def unnamed_files(top: Path, data_sets: Sequence[str], named: set[str]) -> Iterator[Path]:
    """Yield the files of ours below a top folder whose names are not among those given, each once."""
    yield from (path for path in _files_below(top, PurePosixPath(INCOMING)) if _name(path, top) not in named)
    for place in _outermost(data_sets):
        for path in _files_below(top, place):
            if _name(path, top) not in named and is_ours(path):
                yield path
        yield from (path for path in _files_below(top, MANIFESTS / place) if is_partial(path.name))
        for room in (REJECTS, RAW):
            yield from (path for path in _files_below(top, room / place) if _name(path, top) not in named)


def foreign_files(top: Path, data_sets: Sequence[str], named: set[str]) -> Iterator[Path]:
    """Yield the files among the parts that are not ours, also hidden ones.

    Some readers take them for parts, others refuse a folder that holds anything else.
    """
    for place in _outermost(data_sets):
        for path in _files_below(top, place):
            if _name(path, top) not in named and not is_ours(path):
                yield path


def is_ours(path: Path) -> bool:
    """Tell whether a file among the parts could be one of ours, whole or unfinished."""
    return is_partial(path.name) or (is_part(path.name) and _may_be_ours(path))


def _outermost(data_sets: Sequence[str]) -> list[PurePosixPath]:
    """Return the folders of data sets without those that lie in the folder of another."""
    places = {place_of(name) for name in data_sets}
    return sorted(place for place in places if not places.intersection(place.parents))


def _name(path: Path, top: Path) -> str:
    return path.relative_to(top).as_posix()


def _files_below(top: Path, place: PurePosixPath) -> Iterator[Path]:
    folder = top
    for step in place.parts:
        folder /= step
        if folder.is_symlink():
            return
    for at, names, files in os.walk(folder):
        names.sort()
        links = [name for name in names if Path(at, name).is_symlink()]
        yield from (Path(at, name) for name in sorted(files + links))


def _may_be_ours(path: Path) -> bool:
    """Tell whether a file may be a part of ours: a Parquet file of others does not name a data set."""
    if path.suffix != ".parquet" or path.is_symlink():
        return True
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return b"bulkgladly.data_set" in metadata


def remove_empty_folders(top: Path, is_ours: Callable[[Path], bool] = lambda _: True) -> None:
    """Remove a folder and those below it, as far as they are empty and ours."""
    if top.is_symlink():
        return
    for at, _, _ in os.walk(top, topdown=False):
        if is_ours(Path(at)):
            with contextlib.suppress(OSError):
                Path(at).rmdir()
