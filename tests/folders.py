"""Folders in memory, where the system has them: for tests in which a thousand syncs to a disk prove nothing."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ("in_memory", "new_in_memory")

_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder below it is made for its owner alone


def new_in_memory(prefix: str) -> Path:
    """Make a folder, on a disk where there is no other; whoever asks removes it."""
    has_memory = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if has_memory else None))


@contextmanager
def in_memory() -> Iterator[Path]:
    """As `new_in_memory`, and it goes with the block."""
    path = new_in_memory("bulkgladly-")
    try:
        yield path
    finally:
        shutil.rmtree(path)
