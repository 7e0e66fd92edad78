"""What an error of the operating system or of SQLite means for a run.

The one place that tells a full disk from a wrong name, a lock and a damaged file.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from bulkgladly.errors import BulkgladlyError, DiskFull, JournalDamaged, JournalError, UsageError

__all__ = (
    "database_error",
    "file_error",
    "full_disk_named",
    "is_full",
    "is_locked",
    "not_written",
    "os_problem",
    "writing",
)

_LITTLE_ROOM = 256 * 1024
"""Bytes. With less than this free, SQLite's errors of reading and writing mean that the disk is full."""
# The errors with which SQLite tells of a full disk besides SQLITE_FULL: it could not extend or make a file.
_MAY_BE_FULL = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_FULL = MappingProxyType(
    {
        errno.ENOSPC: "no space left on the disk; make room",
        errno.EDQUOT: "the disk quota is used up; make room, or ask for more",
        errno.EFBIG: "the file would be longer than is allowed here; raise the limit (ulimit -f)",
        errno.EROFS: "the file system is read-only; mount it for writing",
    }
)
_BROKEN = MappingProxyType(
    {
        errno.EIO: "the disk reports an error; look at it, or use another",
        errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
        errno.ENFILE: "too many files are open on this machine; end something else",
    }
)
_REFUSED = MappingProxyType(
    {
        errno.EACCES: "permission denied; allow writing there",
        errno.EPERM: "not permitted; allow writing there",
    }
)


def is_full(error: OSError) -> bool:
    """Tell whether an error says that a disk takes no more, whatever it is: no space, no quota, read-only."""
    return error.errno in _FULL


def not_written(what: object, error: OSError, then: str = "resume") -> DiskFull:
    """Return an error that was met while writing in mid-run as one of ours: what, why, and what to do.

    `then` is what goes on once the reason is gone.
    """
    reasons = {**_FULL, **_BROKEN, **_REFUSED}
    why = reasons.get(error.errno or 0, f"{error.strerror or error or type(error).__name__}; look at the disk")
    return DiskFull(f"{what} could not be written: {why}, then {then}")


@contextlib.contextmanager
def writing(what: object, then: str = "resume") -> Iterator[None]:
    """Turn the system's errors while something is written into ours.

    Raises:
        DiskFull: There is no room, or the disk refuses to take more.
    """
    try:
        yield
    except OSError as error:
        raise not_written(what, error, then) from error


@contextlib.contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turn the errors of a disk without space into ours; all others stay as they are.

    Raises:
        DiskFull: There is no space left where the folder is. What is published there is whole.
    """
    try:
        yield
    except OSError as exc:
        if is_full(exc):
            raise not_written(folder, exc) from exc
        raise


def os_problem(error: OSError) -> BulkgladlyError:
    """Return an error that nobody met in its place as one of ours: it is no bug, whatever caused it.

    A full or broken disk ends with 5. All else is a name that cannot be used as asked.
    """
    names = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    if is_full(error) or error.errno in _BROKEN:
        return not_written(names or "a file", error, "start the same command again")
    why = error.strerror or str(error) or type(error).__name__
    return UsageError(f"{names} cannot be used: {why}" if names else why)


def database_error(error: Exception, path: Path) -> BulkgladlyError:
    """Return an error met while opening, reading or writing one of a run's databases as one of ours.

    An error that is none of the file's is a mistake in this program: exit code 70.
    """
    if isinstance(error, BulkgladlyError):
        return error
    if isinstance(error, OSError):
        return file_error(error, path)
    code = _code(error)
    if code == sqlite3.SQLITE_FULL or "is full" in str(error) or (code in _MAY_BE_FULL and _has_little_room(path)):
        return _disk_full(path)
    if is_locked(error):
        return JournalError(f"{path} is locked by another process; end that process, then try again")
    is_mistake = isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    # SQLite quotes a damaged schema in its message, and that may be no text.
    if isinstance(error, sqlite3.Error | UnicodeDecodeError) and not is_mistake:
        return JournalDamaged(f"{path} cannot be used: {error}")
    return BulkgladlyError(f"internal error while {path.name} was used: {type(error).__name__}: {error}")


def file_error(error: OSError, path: Path) -> BulkgladlyError:
    """Return an error of the file system, met at one of a run's own files, as one of ours."""
    if is_full(error):
        return _disk_full(path)
    return JournalError(f"{path} cannot be used: {error.strerror or error}")


def is_locked(error: Exception) -> bool:
    """Tell whether SQLite says that another connection has the database."""
    return _code(error) in _LOCKED


def _disk_full(path: Path) -> DiskFull:
    return DiskFull(f"{path}: no space left on the disk; make room, then resume")


def _code(error: BaseException) -> int:
    """Return SQLite's primary error code; 0 where there is none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _has_little_room(path: Path) -> bool:
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _LITTLE_ROOM
