"""The files of a data set that are not parts: rejected lines, raw lines, and media.

Each is written below `_incoming`, synced, and gets its name when it is complete. Rejected and raw lines
are published with their unit. A media file lies at `media/<kind>/<two characters>/<hash>-<name>`, with
the hash of what it belongs to, so that files of the same name never collide. An index, a data set of
its own, lists these files.
"""

import base64
import contextlib
import hashlib
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import orjson
import zstandard

from bulkgladly.lake.manifest import SideFile
from bulkgladly.lake.places import INCOMING, segment
from bulkgladly.lake.rows import Reject
from bulkgladly.storage.durable import below, hash_of, partial_of, sync_file, sync_folder
from bulkgladly.storage.failures import full_disk_named

__all__ = (
    "MediaFile",
    "RawFile",
    "RejectsFile",
    "StoredFile",
    "media_place",
)

# --- Lines beside the parts of a unit ---


class _SideFile:
    """A file that is created with its first content, below `_incoming`."""

    kind = ""

    def __init__(self, top: Path, place: PurePosixPath) -> None:
        self._top = top
        self._place = place
        below(top, place.as_posix())
        self._hidden = partial_of(below(top, (INCOMING / place).as_posix()))
        self._file: Any = None

    def _open(self) -> Any:
        if self._file is None:
            self._hidden.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._opened(self._hidden)
        return self._file

    def _opened(self, path: Path) -> Any:
        return path.open("wb")

    def _described(self, lines: int | None) -> tuple[SideFile, ...]:
        """Close and sync the file, and return it if there is one."""
        if self._file is None:
            return ()
        self._file.close()
        sync_file(self._hidden)
        size, digest = self._hidden.stat().st_size, hash_of(self._hidden)
        partial = self._hidden.relative_to(self._top).as_posix()
        return (SideFile(self.kind, self._place.as_posix(), partial, lines, size, digest),)

    def drop(self) -> None:
        """Remove the file, unless it has its final name."""
        if self._file is not None:
            with contextlib.suppress(OSError, zstandard.ZstdError):
                self._file.close()
            self._hidden.unlink(missing_ok=True)


class RejectsFile(_SideFile):
    """Rejected lines, one JSON object each: its file and line, why it is not a row, and its bytes.

    `raw` holds the bytes as text, or `raw_base64` if they are not UTF-8.
    """

    kind = "rejects"

    def __init__(self, top: Path, place: PurePosixPath, file_name: str) -> None:
        super().__init__(top, place)
        self._file_name = file_name
        self.count = 0

    def add(self, refused: Reject) -> None:
        """Add a line."""
        about: dict[str, Any] = {
            "file": self._file_name,
            "line": refused.line,
            "code": refused.code,
            "detail": refused.detail,
        }
        try:
            about["raw"] = refused.raw.decode()
        except UnicodeDecodeError:
            about["raw_base64"] = base64.b64encode(refused.raw).decode()
        self._open().write(orjson.dumps(about, option=orjson.OPT_APPEND_NEWLINE))
        self.count += 1

    def finish(self) -> tuple[SideFile, ...]:
        """Return the file, closed and on the disk, if a line was rejected."""
        return self._described(self.count)


class RawFile(_SideFile):
    """The bytes as they came, as one zstd stream with a checksum. Each body begins on a new line."""

    kind = "raw"

    def __init__(self, top: Path, place: PurePosixPath) -> None:
        super().__init__(top, place)
        self._is_at_line_end = True

    def _opened(self, path: Path) -> Any:
        compressor = zstandard.ZstdCompressor(write_checksum=True)
        return compressor.stream_writer(path.open("wb"), closefd=True)

    def begin(self) -> None:
        """Begin another body."""
        if not self._is_at_line_end:
            self.add(b"\n")

    def add(self, block: bytes) -> None:
        """Add a piece of a body."""
        self._open().write(block)
        self._is_at_line_end = block.endswith(b"\n") if block else self._is_at_line_end

    def finish(self) -> tuple[SideFile, ...]:
        """Return the file, closed and on the disk, if anything came."""
        return self._described(None)


# --- Media ---

_MEDIA = "media"
_NAMELESS = "file"


class StoredFile(NamedTuple):
    """A stored file: its path below the top folder, its size, and its BLAKE2b (32 bytes, in hex)."""

    path: str
    bytes: int
    blake2b: str


def media_place(kind: str, key: str, name: str) -> PurePosixPath:
    """Return the path of a file. Any `name` is safe: it becomes one harmless part of the file name. Pure."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return PurePosixPath(_MEDIA, segment(kind), digest[:2], f"{digest}-{segment(name) or _NAMELESS}")


class MediaFile:
    """A file that is being written. `finish` or `drop` it; a kill leaves a file that `recover` removes.

    Raises:
        DiskFull: From each call that writes.
        InputError: One of its folders is a link.
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
        """The number of bytes added so far."""
        return self._size

    def add(self, block: bytes) -> None:
        """Write a block."""
        with full_disk_named(self._top):
            self._file.write(block)
        self._digest.update(block)
        self._size += len(block)

    def finish(self) -> StoredFile:
        """Give the file its name, replacing an earlier one. It is on the disk when this returns."""
        with full_disk_named(self._top):
            self._file.close()
            sync_file(self._partial)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.replace(self._path)
            # The folder itself and the three above it: any of them may have been created just now.
            for folder in self._path.parents[:4]:
                sync_folder(folder)
        return StoredFile(self._place.as_posix(), self._size, self._digest.hexdigest())

    def drop(self) -> None:
        """Remove the file, unless `finish` gave it its name. Calling it twice is safe."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._partial.unlink(missing_ok=True)
