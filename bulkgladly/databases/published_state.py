"""What is published of a data set at one moment, while another process may be writing it."""

import hashlib
import time

from bulkgladly.errors import DataSetInUse
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.manifest import Manifest

__all__ = ("digest_of", "published_units")

_LOOKS, _PAUSE_S = 60, 0.5
"""Carrying out a decision takes moments, unless the process that made it was killed."""


def published_units(folder: Catalogue, data_set: str) -> list[Manifest]:
    """Return the units of a data set, by name, as they were at one moment. No lock is needed.

    Raises:
        DataSetInUse: A unit was being published all the time, or its process was killed while it did.
        InputError: A manifest is damaged.
        UsageError: A manifest was written by a newer version.
    """
    for _ in range(_LOOKS):
        before = _names(folder, data_set)
        # A unit that is about to replace others may be listed neither with nor without them.
        if before is not None:
            found = folder.manifests(data_set)
            if before == _names(folder, data_set):
                return found
        time.sleep(_PAUSE_S)
    raise DataSetInUse(
        f"{folder.path}: {data_set} is being written, or that was interrupted; run the export again, and then this"
    )


def _names(folder: Catalogue, data_set: str) -> set[tuple[str, int, int]] | None:
    """Return which manifests there are, and None while a decision about any is being carried out."""
    paths = list(folder.unit_paths(data_set))
    if any(path.with_name(f"{path.name}.next").exists() for path in paths) or _is_begun(folder, data_set):
        return None
    try:
        return {(path.name, (found := path.stat()).st_ino, found.st_mtime_ns) for path in paths}
    except FileNotFoundError:
        return None


def _is_begun(folder: Catalogue, data_set: str) -> bool:
    places = dict(folder.manifest_folders())
    return data_set in places and any(places[data_set].glob("*.json.next"))


def digest_of(manifest: Manifest) -> str:
    """Return the BLAKE2b (16 bytes, in hex) of what a unit holds, by the hashes of its parts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in sorted(manifest.parts, key=lambda part: part.path):
        digest.update(f"{part.path}\n{part.blake2b}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
