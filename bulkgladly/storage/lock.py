"""A lock file that names its holder, and whose lock ends with the holder's process, even if that is killed."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

__all__ = ("Lock", "LockHeld")

_PAUSE_S = 0.01


class LockHeld(Exception):
    """Another process holds the lock. `holder` is its process id, or `?` if it has not written it yet."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is held by process {holder}")
        self.holder = holder


class Lock:
    """An exclusive lock on a file of its own, between processes and within one. Readers do not take it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds it."""
        return self._handle is not None

    def take(self, *, wait_s: float = 0.0) -> None:
        """Take the lock, and hold it until `release` or the end of the process.

        `wait_s` is how long to wait for another holder to release it.

        Raises:
            LockHeld: Another process holds it.
            FileNotFoundError: The folder is missing, or the last holder removed it.
            OSError: Its file cannot be opened or locked.
        """
        handle = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            self._wait_for(handle, wait_s)
            # The last holder may have removed the file: then this lock protects nothing.
            if not os.path.samestat(os.fstat(handle), self._path.stat()):
                raise FileNotFoundError(self._path)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        # Only for the message that other processes print: a full disk does not matter here.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)

    def _wait_for(self, handle: int, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while not _is_locked_now(handle, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
                raise LockHeld(self._path, holder or "?")
            time.sleep(_PAUSE_S)

    def release(self) -> None:
        """Release the lock. Calling it twice is allowed."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def is_in_place(self) -> bool:
        """Return whether this object holds the lock, and others would still find its file under its name."""
        if self._handle is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._handle), self._path.stat())
        except OSError:
            return False

    def is_held_by_anybody(self) -> bool:
        """Return whether the lock is held now, by this object or another.

        Raises:
            OSError: Its file exists and cannot be opened.
        """
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            return not _is_locked_now(handle, fcntl.LOCK_SH)
        finally:
            os.close(handle)

    def holder(self) -> int:
        """Return the process id that the last holder wrote; 0 if there is none. It may have ended since."""
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return 0
        return int(text) if text.isdecimal() else 0


def _is_locked_now(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
