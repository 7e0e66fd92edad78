"""Files that must be whole after a kill or a power loss: written aside, synced and renamed, and the folder synced."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bulkgladly.errors import InputError

__all__ = (
    "append_lines",
    "below",
    "hash_of",
    "partial_of",
    "replacing",
    "sync_file",
    "sync_folder",
    "touch_private",
    "write_new",
    "write_private",
    "write_whole",
)

_PRIVATE = 0o600
_HASH_BLOCK = 1 << 20


def partial_of(path: Path) -> Path:
    """Return the hidden name that a file has until it is whole."""
    return path.with_name(f".{path.name}.partial")


def sync_file(path: Path) -> None:
    """Wait until all that was written to a file is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder, as they are now, are on the disk."""
    sync_file(folder)


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when the block ends; it is on the disk then.

    An error, including one raised in the block, leaves nothing of it. A kill leaves
    at most the hidden file.

    Raises:
        OSError: It cannot be written; the old file is still there.
    """
    aside = partial_of(path)
    try:
        handle = os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    # The content first, then the name: after a power loss the name never leads to a truncated file.
    sync_folder(path.parent)


def write_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file whole or not at all; it is on the disk when this returns."""
    with replacing(path, mode=mode) as file:
        file.write(content)


def write_private(path: Path, content: bytes) -> None:
    """Write a file as `write_whole` does, readable by its owner only."""
    write_whole(path, content, mode=_PRIVATE)


def write_new(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file that must not exist yet; it is on the disk when this returns. An error leaves nothing of it.

    Raises:
        FileExistsError: The name is taken. The existing file is not touched.
        OSError: It cannot be written.
    """
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_lines(path: Path, lines: bytes) -> None:
    """Append whole lines to a file that only its owner can read; they are on the disk when this returns.

    A line that an earlier process could not finish is ended first, so that it spoils no other.

    Raises:
        OSError: They cannot be written; a part of them may be there.
    """
    is_new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, _PRIVATE)
    with os.fdopen(handle, "r+b", buffering=0) as file:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        left = memoryview(lines)
        while left:
            left = left[file.write(left) :]
        os.fsync(handle)
    if is_new:
        sync_folder(path.parent)


def touch_private(path: Path) -> None:
    """Create an empty file that only its owner can read, unless it exists; its name is on the disk on return.

    An existing file is not opened: closing it would drop SQLite's locks of this process.

    Raises:
        OSError: It cannot be created.
    """
    with contextlib.suppress(FileExistsError):
        write_new(path, b"", mode=_PRIVATE)


def hash_of(path: Path) -> str:
    """Return the BLAKE2b of a file (32 bytes, in hex), read in blocks of a megabyte."""
    digest = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def below(top: Path, name: str) -> Path:
    """Return the path of a name below a folder.

    Raises:
        InputError: The name leads out of the folder, by itself or through a link on its way.
    """
    pure = PurePosixPath(name)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\0" in name:
        raise InputError(f"{name!r} is not a valid name of a file below {top}")
    folder = top
    for step in pure.parts[:-1]:
        folder /= step
        if folder.is_symlink():
            raise InputError(f"{folder} is a link, and files are not written or removed through links; use a folder")
    return folder / pure.name
