"""The files of a unit that are no parts: the lines that are no rows, and all lines as they came."""

import base64
import contextlib
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
import zstandard

from bulkgladly.lake.manifest import SideFile
from bulkgladly.lake.places import INCOMING
from bulkgladly.lake.rows import Reject
from bulkgladly.storage.durable import below, hash_of, partial_of, sync_file

__all__ = ("RawFile", "RejectsFile")


class _SideFile:
    """A file that is made with its first content, below `_incoming`."""

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
        """Close and sync the file, and return it; nothing where there is none."""
        if self._file is None:
            return ()
        self._file.close()
        sync_file(self._hidden)
        size, digest = self._hidden.stat().st_size, hash_of(self._hidden)
        partial = self._hidden.relative_to(self._top).as_posix()
        return (SideFile(self.kind, self._place.as_posix(), partial, lines, size, digest),)

    def drop(self) -> None:
        """Remove the file if it has not got its name."""
        if self._file is not None:
            with contextlib.suppress(OSError, zstandard.ZstdError):
                self._file.close()
            self._hidden.unlink(missing_ok=True)


class RejectsFile(_SideFile):
    """Rejected lines, one JSON object each: where it stood, why it is no row, and its bytes.

    `raw` holds the bytes as text, or `raw_base64` where they are no UTF-8.
    """

    kind = "rejects"

    def __init__(self, top: Path, place: PurePosixPath, file_name: str) -> None:
        super().__init__(top, place)
        self._file_name = file_name
        self.count = 0

    def add(self, refused: Reject) -> None:
        """Take a line."""
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
        """Return the file, closed and on the disk; nothing where no line was rejected."""
        return self._described(self.count)


class RawFile(_SideFile):
    """The bytes that came, as one zstd stream with a checksum. A body begins on a line of its own."""

    kind = "raw"

    def __init__(self, top: Path, place: PurePosixPath) -> None:
        super().__init__(top, place)
        self._is_at_line_end = True

    def _opened(self, path: Path) -> Any:
        compressor = zstandard.ZstdCompressor(write_checksum=True)
        return compressor.stream_writer(path.open("wb"), closefd=True)

    def begin(self) -> None:
        """Begin a further body."""
        if not self._is_at_line_end:
            self.add(b"\n")

    def add(self, block: bytes) -> None:
        """Take a piece of a body."""
        self._open().write(block)
        self._is_at_line_end = block.endswith(b"\n") if block else self._is_at_line_end

    def finish(self) -> tuple[SideFile, ...]:
        """Return the file, closed and on the disk; nothing where nothing came."""
        return self._described(None)
