"""What an error of the operating system or of SQLite means for a run.

Only this module tells a full disk from a wrong name, a lock and a damaged file.
"""

import contextlib
import errno
import os
import resource
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
"""Bytes. If less than this is free, SQLite's errors of reading and writing mean that the disk is full."""
# With these SQLite reports a full disk besides SQLITE_FULL: it could not extend or create a file.
_MAY_BE_FULL = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_FULL = MappingProxyType(
    {
        errno.ENOSPC: "no space left on the disk; make room",
        errno.EDQUOT: "the disk quota is used up; make room, or raise the quota",
        errno.EFBIG: "the file would be longer than allowed; raise the limit (ulimit -f)",
        errno.EROFS: "the file system is read-only; mount it for writing",
    }
)
_BROKEN = MappingProxyType(
    {
        errno.EIO: "the disk reports an error; check it, or use another",
        errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
        errno.ENFILE: "too many files are open on this machine; end other programs",
    }
)
_REFUSED = MappingProxyType(
    {
        errno.EACCES: "permission denied; allow writing there",
        errno.EPERM: "not permitted; allow writing there",
    }
)


def is_full(error: OSError) -> bool:
    """Tell whether an error says that nothing more can be written to a disk: no space, no quota, read-only."""
    return error.errno in _FULL


def not_written(what: object, error: OSError, then: str = "resume") -> DiskFull:
    """Return an error that was met while writing as one of ours: what, why, and what to do.

    `then` is what to do once the cause is removed.
    """
    reasons = {**_FULL, **_BROKEN, **_REFUSED}
    why = reasons.get(error.errno or 0, f"{error.strerror or error or type(error).__name__}; check the disk")
    return DiskFull(f"{what} could not be written: {why}, then {then}")


@contextlib.contextmanager
def writing(what: object, then: str = "resume") -> Iterator[None]:
    """Turn the system's errors within the block, in which something is written, into ours.

    Raises:
        DiskFull: There is no room, or the disk refuses to take more.
    """
    try:
        yield
    except OSError as error:
        raise not_written(what, error, then) from error


@contextlib.contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turn the errors of a full disk within the block into ours; all others stay as they are.

    Raises:
        DiskFull: No space is left where the folder is. What was published there is whole.
    """
    try:
        yield
    except OSError as exc:
        if is_full(exc):
            raise not_written(folder, exc) from exc
        raise


def os_problem(error: OSError) -> BulkgladlyError:
    """Return an error that no other code has handled as one of ours, since it is not a bug.

    A full or broken disk has exit code 5. All else is a path that cannot be used as requested.
    """
    names = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    if is_full(error) or error.errno in _BROKEN:
        return not_written(names or "a file", error, "start the same command again")
    why = error.strerror or str(error) or type(error).__name__
    return UsageError(f"{names} cannot be used: {why}" if names else why)


def database_error(error: Exception, path: Path) -> BulkgladlyError:
    """Return an error met while opening, reading or writing one of a run's databases as one of ours.

    An error that does not come from the file is a bug in this program: exit code 70.
    """
    if isinstance(error, BulkgladlyError):
        return error
    if isinstance(error, OSError):
        return file_error(error, path)
    code = _code(error)
    if code == sqlite3.SQLITE_FULL or "is full" in str(error) or (code in _MAY_BE_FULL and _has_little_room(path)):
        return _disk_full(path)
    if code in _MAY_BE_FULL and _is_at_limit(path):
        return DiskFull(f"{path}: {_FULL[errno.EFBIG]}, then resume")
    if is_locked(error):
        return JournalError(f"{path} is locked by another process; end that process, then try again")
    is_mistake = isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    # SQLite quotes a damaged schema in its message, which may not be text.
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
    """Return SQLite's primary error code; 0 if there is none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _is_at_limit(path: Path) -> bool:
    """Tell whether a database, or a file that belongs to it, is about as long as files of this process may be."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return False
    with contextlib.suppress(OSError):
        mine = [one for one in path.parent.iterdir() if path.name in one.name]
        return any(one.stat().st_size + _LITTLE_ROOM > limit for one in mine)
    return False


def _has_little_room(path: Path) -> bool:
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _LITTLE_ROOM
