"""The folder `current/<data set>/`: its manifest, and how a new folder replaces the old one as a whole.

In this order: `announce` writes the manifest of the new folder as `.json.next`, `put_in_place`
exchanges the folders, `settle_manifests` gives the manifest its name. After a kill in between, the
folder that is present decides whether the manifest is kept. The manifest lies outside of the folder,
which readers open as a whole: `_manifest/current/<data set>.json`.

Where the system can exchange two names in one step (Linux), readers, and processes after a kill, find
either the old folder or the new one. Elsewhere it takes two renames: a kill between them leaves no
folder under the name and both beside it, and `settle_folders` completes the exchange.
"""

import contextlib
import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bulkgladly.documents import as_json
from bulkgladly.errors import UsageError
from bulkgladly.lake.manifest import Manifest, manifest_json, read_manifest
from bulkgladly.lake.places import CURRENT, MANIFESTS, data_set_of_place, is_partial, place_of
from bulkgladly.storage.durable import below, sync_folder, write_whole

__all__ = (
    "UNIT",
    "announce",
    "announced",
    "data_set_announced",
    "drop_current",
    "folder_of_current",
    "holds_parts",
    "manifest_of_current",
    "place_of_current",
    "put_in_place",
    "remove_tree",
    "scratch_of",
    "settle_folders",
    "settle_manifests",
)

UNIT = "current"
_NEXT = ".next"


def folder_of_current(data_set: str) -> PurePosixPath:
    """Return the folder of a compacted data set."""
    return CURRENT / place_of(data_set)


def place_of_current(data_set: str) -> PurePosixPath:
    """Return the place of its manifest."""
    return PurePosixPath(MANIFESTS, CURRENT, f"{place_of(data_set)}.json")


def manifest_of_current(top: Path, data_set: str) -> Manifest | None:
    """Return the manifest of a compacted data set, or None: early versions wrote none.

    Raises:
        UsageError: It is damaged, belongs to another data set, or was written by a newer version.
    """
    path = top / place_of_current(data_set)
    if not path.exists():
        return None
    found = read_manifest(path)
    if (found.data_set, found.unit) != (data_set, UNIT):
        raise UsageError(f"{path} belongs to {found.data_set}, unit {found.unit}")
    return found


def announce(top: Path, manifest: Manifest) -> None:
    """Write what the folder will hold, before it is put in place; `settle_manifests` relies on it."""
    path = below(top, f"{place_of_current(manifest.data_set)}{_NEXT}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, as_json(manifest_json(manifest)))


def announced(top: Path) -> Iterator[Path]:
    """Yield the manifests that were announced and not settled."""
    yield from sorted((top / MANIFESTS / CURRENT).rglob(f"*.json{_NEXT}"))


def data_set_announced(path: Path, top: Path) -> str:
    """Return the data set of an announced manifest, by its path."""
    place = path.relative_to(top / MANIFESTS / CURRENT)
    return data_set_of_place(PurePosixPath(*place.parts[:-1], place.name.removesuffix(f".json{_NEXT}")))


def settle_manifests(top: Path) -> None:
    """Give each announced manifest its name if its folder is in place, and remove it if not."""
    for path in announced(top):
        # A damaged announcement is dropped like one whose folder did not get its place.
        is_there = False
        with contextlib.suppress(UsageError):
            manifest = read_manifest(path)
            is_there = holds_parts(top, manifest)
        if is_there:
            path.replace(path.with_suffix(""))
        else:
            path.unlink()
        sync_folder(path.parent)
    for path in (top / MANIFESTS / CURRENT).rglob(".*"):
        if is_partial(path.name):
            path.unlink(missing_ok=True)


def holds_parts(top: Path, manifest: Manifest) -> bool:
    """Tell whether the folder has the parts of its manifest, by their names and sizes.

    Their numbers differ from those of the parts before them.
    """
    folder = top / folder_of_current(manifest.data_set)
    return folder.is_dir() and {(part.path, part.bytes) for part in manifest.parts} <= {
        (found.name, found.stat().st_size) for found in folder.iterdir()
    }


def drop_current(top: Path, data_set: str) -> None:
    """Remove the folder of a compacted data set and its manifest; a kill in between leaves only the manifest."""
    final = below(top, folder_of_current(data_set).as_posix())
    if final.is_dir():
        # Under a hidden name first, which `settle_folders` removes: a reader finds all of it or nothing.
        old = final.with_name(f".{final.name}{_OLD}")
        remove_tree(old)
        final.replace(old)
        sync_folder(final.parent)
        remove_tree(old)
    below(top, place_of_current(data_set).as_posix()).unlink(missing_ok=True)


_NEW, _OLD = ".new", ".old"
_AT_CWD, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""


def scratch_of(top: Path) -> Path:
    """Return a folder for the temporary files of this process; `settle_folders` removes what a kill leaves of it."""
    return top / f".compact-{os.getpid()}"


def _remove_scratch(top: Path) -> list[Path]:
    """Remove the temporary files of earlier processes, and return them. Only the lock holder may call it."""
    return [remove_tree(path) for path in sorted(top.glob(".compact-*"))]


def put_in_place(made: Path, final: Path) -> None:
    """Give a complete, synced folder its name, and remove the folder that had the name.

    Both must be on the same file system. After a kill, either the old folder has the name or the new one.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    # Beside the old folder first, under a hidden name: the exchange needs both on one file system, and a kill
    # must leave it where `settle_folders` looks.
    new = final.with_name(f".{final.name}{_NEW}")
    remove_tree(new)
    made.replace(new)
    sync_folder(final.parent)
    _finish(new, final)


def settle_folders(top: Path) -> list[Path]:
    """Complete or undo an interrupted exchange, remove temporary folders, and return what was removed."""
    removed = _remove_scratch(top)
    current = top / CURRENT
    if current.is_symlink() or not current.is_dir():
        return removed
    for new in sorted(current.rglob(f".*{_NEW}")):
        final = new.with_name(new.name.removeprefix(".").removesuffix(_NEW))
        if final.exists():
            removed.append(remove_tree(new))
        else:
            _finish(new, final)
    removed += [remove_tree(old) for old in sorted(current.rglob(f".*{_OLD}"))]
    return removed


def _finish(new: Path, final: Path) -> None:
    old = final.with_name(f".{final.name}{_OLD}")
    remove_tree(old)
    if not final.exists():
        new.replace(final)
    elif _exchange(new, final):
        new.replace(old)
    else:
        final.replace(old)
        new.replace(final)
    sync_folder(final.parent)
    remove_tree(old)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; return False if the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    result: int = rename(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE)
    return result == 0


def remove_tree(path: Path) -> Path:
    """Remove a folder with its content, or a link but not its target. It may be missing."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    return path
