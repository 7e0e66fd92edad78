"""The manifest of `current/<data set>/`: what `compact` put there, so that damage to it is seen as well.

It lies outside of the folder, which readers open as a whole: `_manifest/current/<data set>.json`.
`.json.next` is written before the folder is exchanged and gets its name afterwards; a kill in
between is ended by looking which of the two the folder is.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from bulkgladly.errors import UsageError
from bulkgladly.lake.disk import below, sync_folder, write_whole
from bulkgladly.lake.manifest import Manifest, manifest_json, read_manifest
from bulkgladly.lake.part_files import PartReport
from bulkgladly.lake.places import CURRENT, MANIFESTS, is_partial, place_of
from bulkgladly.lake.strict_json import as_json

__all__ = ("UNIT", "announce", "announced", "folder_of_current", "manifest_of_current", "place_of_current", "settle")

UNIT = "current"
_NEXT = ".next"


def folder_of_current(data_set: str) -> PurePosixPath:
    """Return the folder of a compacted data set."""
    return CURRENT / place_of(data_set)


def place_of_current(data_set: str) -> PurePosixPath:
    """Return where its manifest stands."""
    return PurePosixPath(MANIFESTS, CURRENT, f"{place_of(data_set)}.json")


def manifest_of_current(top: Path, data_set: str) -> Manifest | None:
    """Return the manifest of a compacted data set; None where there is none, as before manifests were written.

    Raises:
        UsageError: It is damaged, or of another data set, or was written by a newer version.
    """
    path = top / place_of_current(data_set)
    if not path.exists():
        return None
    found = read_manifest(path)
    if (found.data_set, found.unit) != (data_set, UNIT):
        raise UsageError(f"{path} is of {found.data_set}, unit {found.unit}")
    return found


def announce(top: Path, manifest: Manifest) -> None:
    """Write what the folder will hold, before it gets its place; `settle` goes by it."""
    path = below(top, f"{place_of_current(manifest.data_set)}{_NEXT}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, as_json(manifest_json(manifest)))


def announced(top: Path) -> Iterator[Path]:
    """Yield what was announced and is not settled."""
    yield from sorted((top / MANIFESTS / CURRENT).rglob(f"*.json{_NEXT}"))


def settle(top: Path) -> None:
    """Give each manifest that was announced its name, if its folder got its place, and drop it if not."""
    for path in announced(top):
        is_there = False
        with contextlib.suppress(UsageError):
            manifest = read_manifest(path)
            is_there = _holds(top / folder_of_current(manifest.data_set), manifest.parts)
        if is_there:
            path.replace(path.with_suffix(""))
        else:
            path.unlink()
        sync_folder(path.parent)
    for path in (top / MANIFESTS / CURRENT).rglob(".*"):
        if is_partial(path.name):
            path.unlink(missing_ok=True)


def _holds(folder: Path, parts: Sequence[PartReport]) -> bool:
    """Tell whether a folder has these parts. Their numbers differ from those of the parts before."""
    return folder.is_dir() and {(part.path, part.bytes) for part in parts} <= {
        (found.name, found.stat().st_size) for found in folder.iterdir()
    }
