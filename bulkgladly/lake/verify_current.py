"""Whether `current/` holds what `compact` has put there."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.current import announced, folder_of_current, manifest_of_current, place_of_current
from bulkgladly.lake.file_formats import rows_in
from bulkgladly.lake.findings import Finding, FindingKind, foreign
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.known import known_data_set
from bulkgladly.lake.leftovers import is_ours
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.part_checks import about_part
from bulkgladly.lake.places import CURRENT, MANIFESTS, data_set_of_place

__all__ = ("about_current",)

_AGAIN = "nothing is lost: make it again with `bulkgladly dataset compact`"


def about_current(folder: DataFolder, *, deep: bool, is_in_use: bool) -> list[Finding]:
    """Return what is wrong there. Where somebody writes, what may be on its way is passed over.

    A folder that is not there at all is no finding: it can be made again at any time. One that
    was made before there were manifests for it is looked at without.
    """
    if is_in_use:
        return []
    top = folder.path / CURRENT
    found = [_unfinished(path, folder.path) for path in announced(folder.path)]
    if top.is_symlink():
        return [*found, _finding(FindingKind.FOREIGN, CURRENT, CURRENT, "is a link", "put a folder in its place")]
    for place in sorted(_places(folder.path)):
        here = top / place
        names = sorted(one.name for one in here.iterdir() if one.is_symlink() or not one.is_dir())
        found += _about_folder(folder, data_set_of_place(place), here, names, deep=deep)
    return found


def _places(top: Path) -> set[PurePosixPath]:
    """Return the folders below `current/` that hold files, or should."""
    current = top / CURRENT
    manifests = top / MANIFESTS / CURRENT
    found: set[PurePosixPath] = set()
    for at, names, files in os.walk(current):
        here = Path(at)
        if here != current and (files or any(here.joinpath(name).is_symlink() for name in names)):
            found.add(PurePosixPath(here.relative_to(current).as_posix()))
    for path in manifests.rglob("*.json"):
        place = PurePosixPath(path.relative_to(manifests).with_suffix("").as_posix())
        if current.joinpath(place).is_dir():
            found.add(place)
    return found


def _about_folder(folder: DataFolder, data_set: str, here: Path, names: list[str], *, deep: bool) -> Iterator[Finding]:
    top = folder.path
    try:
        manifest = manifest_of_current(top, data_set)
    except InputError as error:
        place = place_of_current(data_set).as_posix()
        yield _finding(FindingKind.DAMAGED_MANIFEST, data_set, place, str(error).partition(";")[0], _AGAIN)
        return
    except UsageError as error:  # its folder is none of a data set, or it was misplaced
        yield _finding(FindingKind.FOREIGN, data_set, here.relative_to(top).as_posix(), str(error), _AGAIN)
        return
    if manifest is None:
        yield from _about_unsealed(top, data_set, here, names)
        return
    yield from _about_parts(folder, manifest, deep=deep)
    named = {part.path for part in manifest.parts}
    for path in (here / name for name in names if name not in named):
        if is_ours(path):
            detail = "no manifest names it, and readers count its rows"
            yield _finding(FindingKind.UNNAMED, data_set, path.relative_to(top).as_posix(), detail, _AGAIN)
        else:
            yield foreign(path, top)


def _about_parts(folder: DataFolder, manifest: Manifest, *, deep: bool) -> Iterator[Finding]:
    try:
        known = known_data_set(folder, manifest.data_set)
    except InputError:
        known = None  # told with the data set itself
    place = folder_of_current(manifest.data_set)
    for part in manifest.parts:
        name = (place / part.path).as_posix()
        for kind, detail in about_part(folder.path, name, part, manifest.data_set, known, deep=deep):
            yield _finding(kind, manifest.data_set, name, detail, _AGAIN)


def _about_unsealed(top: Path, data_set: str, here: Path, names: list[str]) -> Iterator[Finding]:
    for path in (here / name for name in names):
        if path.is_symlink() or not is_ours(path):
            yield foreign(path, top)
            continue
        try:
            rows_in(path)
        except OSError as error:
            name = path.relative_to(top).as_posix()
            yield _finding(FindingKind.ROWS, data_set, name, f"cannot be read: {error}", _AGAIN)


def _unfinished(path: Path, top: Path) -> Finding:
    place = path.relative_to(top)
    data_set = data_set_of_place(PurePosixPath(*place.parts[2:-1], place.name.removesuffix(".json.next")))
    way_out = "the next export or compact ends it; nothing is lost"
    return _finding(FindingKind.UNFINISHED, data_set, place.as_posix(), "its compaction was cut", way_out)


def _finding(kind: FindingKind, data_set: str, path: str, detail: str, way_out: str) -> Finding:
    return Finding(kind, data_set, None, path, detail, way_out)
