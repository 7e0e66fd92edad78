"""Files of media below the top folder: `media/<kind>/<two characters>/<hash>-<name>`, whole or not there.

The hash is made of what the file belongs to, so that every item has a place of its own,
whatever its files are called. A file is written below `_incoming`, synced, and renamed; which
files there are is said by the index, a data set of its own.
"""

import contextlib
import hashlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bulkgladly.lake.places import INCOMING, segment
from bulkgladly.storage.durable import below, partial_of, sync_file, sync_folder
from bulkgladly.storage.failures import full_disk_named

__all__ = ("MediaFile", "StoredFile", "media_place")

_MEDIA = "media"
_NAMELESS = "file"


class StoredFile(NamedTuple):
    """A file that is there: its path below the top folder, its size, its BLAKE2b (32 bytes, in hex)."""

    path: str
    bytes: int
    blake2b: str


def media_place(kind: str, key: str, name: str) -> PurePosixPath:
    """Return where a file lies. `name` may be anything at all: it becomes one harmless part of the file name. Pure."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return PurePosixPath(_MEDIA, segment(kind), digest[:2], f"{digest}-{segment(name) or _NAMELESS}")


class MediaFile:
    """One file that is being written. `finish` or `drop` it; killed, it leaves a file that `recover` removes.

    Raises:
        DiskFull: From each call that writes.
        InputError: A link stands in the place of a folder.
    """

    def __init__(self, top: Path, kind: str, key: str, name: str) -> None:
        self._top = top
        self._place = media_place(kind, key, name)
        self._path = below(top, self._place.as_posix())
        self._partial = partial_of(below(top, (INCOMING / self._place).as_posix()))
        self._digest = hashlib.blake2b(digest_size=32)
        self._size = 0
        with full_disk_named(top):
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            self._partial.unlink(missing_ok=True)  # never written through a link
            self._file = self._partial.open("xb")

    @property
    def size(self) -> int:
        """How many bytes were added."""
        return self._size

    def add(self, block: bytes) -> None:
        """Write a block."""
        with full_disk_named(self._top):
            self._file.write(block)
        self._digest.update(block)
        self._size += len(block)

    def finish(self) -> StoredFile:
        """Give the file its name, in place of an earlier one. It is on the disk when this returns."""
        with full_disk_named(self._top):
            self._file.close()
            sync_file(self._partial)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.replace(self._path)
            for folder in self._path.parents[:4]:
                sync_folder(folder)
        return StoredFile(self._place.as_posix(), self._size, self._digest.hexdigest())

    def drop(self) -> None:
        """Leave nothing of a file that has not got its name. Safe to call twice, and after `finish`."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._partial.unlink(missing_ok=True)
