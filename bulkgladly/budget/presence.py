"""Who else uses a budget: each process holds the lock of one numbered file, and the system ends it with the process."""

import time
from pathlib import Path

from bulkgladly.storage.lock import Lock, LockHeld

__all__ = ("MOST_SEATS", "Presence", "forget_unused")

MOST_SEATS = 64
"""How many may use one budget at the same time."""

_KEPT_S = 7 * 24 * 3600.0


class Presence:
    """One place among those who use a budget. Two objects in one process count as two."""

    def __init__(self, folder: Path) -> None:
        """Use the lock files in `folder`, which is created when it is needed."""
        self._folder = folder
        self._lock: Lock | None = None
        self.seat = -1
        """The number of the own file; -1 before `join`."""

    def join(self) -> bool:
        """Take a seat, unless it is taken already, and return whether it is a new one.

        The files may have been deleted meanwhile, as a whole cache is; then others would not see the old seat.

        Raises:
            OSError: The folder or its files cannot be written, or all seats are taken.
        """
        if self._lock is not None and self._lock.is_in_place():
            return False
        self.leave()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        refused: OSError | None = None
        for seat in range(MOST_SEATS):
            lock = Lock(self._folder / str(seat))
            try:
                lock.take()
            except LockHeld:
                continue
            except FileNotFoundError:
                # It was deleted at this moment.
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                continue
            except PermissionError as error:
                # The file of another user who shares this folder, such as root under sudo.
                refused = error
                continue
            self._lock, self.seat = lock, seat
            return True
        raise refused or BlockingIOError(None, f"{MOST_SEATS} processes use it already", str(self._folder))

    def others(self) -> frozenset[int]:
        """Return the seats that others hold. One that cannot be looked at counts as held.

        Raises:
            OSError: The folder cannot be read.
        """
        names = (path.name for path in self._folder.iterdir())
        seats = (int(name) for name in names if name.isascii() and name.isdecimal())
        return frozenset(seat for seat in seats if seat != self.seat and self._is_held(seat))

    def _is_held(self, seat: int) -> bool:
        try:
            return Lock(self._folder / str(seat)).is_held_by_anybody()
        except OSError:
            return True

    def are_held(self) -> bool:
        """Return whether anybody has a seat."""
        return self._folder.is_dir() and bool(self.others())

    def leave(self) -> None:
        """Give the seat back. Calling it twice is allowed."""
        if self._lock is not None:
            self._lock.release()
        self._lock, self.seat = None, -1


def forget_unused(folder: Path) -> None:
    """Delete the budgets in a folder that nobody has used for a week: each emulator on a port of its own leaves one.

    A process that begins to use one at this moment makes its files again. A wrong clock does no harm: what a budget
    says is worth minutes.

    Raises:
        OSError: A file cannot be deleted.
    """
    for path in folder.glob("budget-*.sqlite"):
        seats = path.with_suffix(".seats")
        files = [path, *seats.glob("*")]
        if time.time() - max(file.stat().st_mtime for file in files) < _KEPT_S or Presence(seats).are_held():
            continue
        ends = (".sqlite-wal", ".sqlite-shm", ".damaged", ".lock", ".sqlite")
        for file in (*files[1:], *(path.with_suffix(end) for end in ends)):
            file.unlink(missing_ok=True)
        if seats.is_dir():
            seats.rmdir()
