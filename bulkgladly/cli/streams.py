"""The standard streams, whatever the program was started with: open, closed, full, or a broken pipe.

Text that cannot be written is dropped and the error is kept. Writing never raises, so that a full
disk behind `> log` cannot end a run. This module loads only the standard library, because it must
run before anything else.
"""

import errno
import io
import os
import select
import sys
from typing import Any, BinaryIO, TextIO, cast

__all__ = ("lost_output", "mend_streams", "standard_input")


def mend_streams() -> None:
    """Make the standard streams safe to use. Call it once, when the program starts.

    A closed stream is opened on /dev/null. Otherwise the next file that is opened would get its
    number, and text for the stream would end up in that file, perhaps a journal.
    """
    is_closed = [_take_number(handle) for handle in range(3)]
    if is_closed[0] or sys.stdin is None:
        sys.stdin = None  # what Python itself does when there is no input
    sys.stdout = _text(1, sys.stdout, is_closed=is_closed[1])
    sys.stderr = _text(2, sys.stderr, is_closed=is_closed[2])


def standard_input() -> BinaryIO | None:
    """Return the standard input as bytes, or None if it is closed."""
    return None if sys.stdin is None else sys.stdin.buffer


def lost_output() -> OSError | None:
    """Return the first error of the standard output since the last call, or None if all text was written."""
    sys.stdout.flush()
    outlet = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(outlet, Outlet):
        return None
    error, outlet.error = outlet.error, None
    return error


class Outlet(io.RawIOBase):
    """A standard stream that takes all text. `error` is the first error by which text was lost."""

    def __init__(self, handle: int, *, is_closed: bool = False) -> None:
        self._handle, self._is_closed = handle, is_closed
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the number of the stream."""
        return self._handle

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return not self._is_closed and os.isatty(self._handle)

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Write what can be written, and drop the rest. The length of all of it is returned."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            if self._is_closed and size:
                raise OSError(errno.EBADF, "it is closed")
            while left:
                left = left[self._some(left) :]
        except OSError as error:
            self.error = self.error or error
        return size

    def _some(self, data: memoryview) -> int:
        try:
            return os.write(self._handle, data)
        except BlockingIOError:  # another process has set the shared stream to non-blocking
            select.select([], [self._handle], [])
            return 0


def _take_number(handle: int) -> bool:
    """Open /dev/null in place of a closed stream, and return whether it was closed."""
    try:
        os.fstat(handle)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # the system gives the lowest free number, which is this one
        return True
    return False


def _text(handle: int, found: TextIO | None, *, is_closed: bool) -> TextIO:
    outlet = Outlet(handle, is_closed=is_closed or found is None)
    encoding = getattr(found, "encoding", None) or "utf-8"
    is_line_by_line = handle == 2 or outlet.isatty()
    buffer = io.BufferedWriter(cast("Any", outlet))
    return io.TextIOWrapper(buffer, encoding=encoding, errors="backslashreplace", line_buffering=is_line_by_line)
