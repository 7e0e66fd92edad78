"""Files that must be whole after a kill or a power loss: written aside, synced, renamed."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bulkgladly.errors import InputError
from bulkgladly.os_errors import is_full, not_written

__all__ = ("below", "full_disk_named", "hash_of", "partial_of", "sync_file", "sync_folder", "write_whole")

_HASH_BLOCK = 1 << 20


def partial_of(path: Path) -> Path:
    """Return the hidden name that a file has until it is whole."""
    return path.with_name(f".{path.name}.partial")


def sync_file(path: Path) -> None:
    """Wait until the disk has what was written to a file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder as they are now."""
    sync_file(folder)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; it is on the disk under its name when this returns."""
    aside = partial_of(path)
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync_folder(path.parent)


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
        raise InputError(f"{name!r} is no name of a file below {top}")
    folder = top
    for step in pure.parts[:-1]:
        folder /= step
        if folder.is_symlink():
            raise InputError(f"{folder} is a link; nothing is written or removed through it: put a folder in its place")
    return folder / pure.name


@contextlib.contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turn the errors of a disk without space into ours.

    Raises:
        DiskFull: There is no space left where the folder is. What is published there is whole.
    """
    try:
        yield
    except OSError as exc:
        if is_full(exc):
            raise not_written(folder, exc) from exc
        raise
