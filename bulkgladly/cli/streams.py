"""The standard streams as the program was given them: open, closed, full, or with nobody at the other end.

What cannot be written is dropped, and remembered. Nothing that is written to a standard stream
raises, so that no output decides how a run ends. Loads nothing but the standard library, since
it must come before everything else.
"""

import errno
import io
import os
import select
import sys
from typing import Any, BinaryIO, TextIO, cast

__all__ = ("lost_output", "mend_streams", "standard_input")


def mend_streams() -> None:
    """Make the standard streams safe to use, whatever they are. To be called once, as the program starts.

    A closed one is opened on nothing: otherwise the next file of ours, a journal even, would get
    its number, and what anybody writes to the stream would go there.
    """
    is_closed = [_take_number(handle) for handle in range(3)]
    if is_closed[0] or sys.stdin is None:
        sys.stdin = None  # as Python itself has it: there is no input
    sys.stdout = _text(1, sys.stdout, is_closed=is_closed[1])
    sys.stderr = _text(2, sys.stderr, is_closed=is_closed[2])


def standard_input() -> BinaryIO | None:
    """Return the bytes of the standard input, or None where it is closed."""
    return None if sys.stdin is None else sys.stdin.buffer


def lost_output() -> OSError | None:
    """Return why something written to the standard output did not arrive, once; None where all of it did."""
    sys.stdout.flush()
    outlet = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(outlet, Outlet):
        return None
    error, outlet.error = outlet.error, None
    return error


class Outlet(io.RawIOBase):
    """A standard stream that takes everything. `error` is the first that kept something from arriving."""

    def __init__(self, handle: int, *, is_closed: bool = False) -> None:
        self._handle, self._is_closed = handle, is_closed
        self.error: OSError | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The number of the stream."""
        return self._handle

    def isatty(self) -> bool:
        """Tell whether a person is at the other end."""
        return not self._is_closed and os.isatty(self._handle)

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Write what can be written, and drop the rest."""
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
        except BlockingIOError:  # whoever shares the stream with us has made it so
            select.select([], [self._handle], [])
            return 0


def _take_number(handle: int) -> bool:
    """Give the number of a closed stream to nothing; return whether it was closed."""
    try:
        os.fstat(handle)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
        return True
    return False


def _text(handle: int, found: TextIO | None, *, is_closed: bool) -> TextIO:
    outlet = Outlet(handle, is_closed=is_closed or found is None)
    encoding = getattr(found, "encoding", None) or "utf-8"
    is_line_by_line = handle == 2 or outlet.isatty()
    buffer = io.BufferedWriter(cast("Any", outlet))
    return io.TextIOWrapper(buffer, encoding=encoding, errors="backslashreplace", line_buffering=is_line_by_line)
