"""The lock of a data folder: one process writes, and the lock dies with it."""

import fcntl
import os
from pathlib import Path

from bulkgladly.errors import UsageError
from bulkgladly.lake.disk import full_disk_named
from bulkgladly.lake.places import LOCK

__all__ = ("WriterLock",)


class WriterLock:
    """The right to write into a folder. Readers need none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object has it."""
        return self._handle is not None

    def take(self) -> None:
        """Get the lock, until `release` or the end of the process, however it ends.

        Raises:
            UsageError: Somebody else has it, or the folder cannot be written.
            DiskFull: No space.
        """
        try:
            handle = os.open(self._folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise UsageError(f"{self._folder} cannot be written: {exc.strerror}") from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
            os.close(handle)
            raise UsageError(f"{self._folder} is in use by process {holder or '?'}; wait for it, or end it") from exc
        self._handle = handle
        with full_disk_named(self._folder):
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give the lock back. Calling it twice is allowed."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def is_held_by_another(self) -> bool:
        """Tell whether somebody else has the lock, now."""
        try:
            handle = os.open(self._folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return not self.is_held
        finally:
            os.close(handle)
        return False
