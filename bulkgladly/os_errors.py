"""What an error of the operating system means for a run: the one place that tells a full disk from a wrong name.

SQLite has errors of its own: those of a journal are told apart where it is opened.
"""

import contextlib
import errno
from collections.abc import Iterator
from types import MappingProxyType

from bulkgladly.errors import BulkgladlyError, DiskFull, UsageError

__all__ = ("is_full", "not_written", "os_problem", "writing")

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


def os_problem(error: OSError) -> BulkgladlyError:
    """Return an error that nobody met in its place as one of ours: it is no bug, whatever caused it.

    A full or broken disk ends with 5. All else is a name that cannot be used as asked.
    """
    names = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    if is_full(error) or error.errno in _BROKEN:
        return not_written(names or "a file", error, "start the same command again")
    why = error.strerror or str(error) or type(error).__name__
    return UsageError(f"{names} cannot be used: {why}" if names else why)
