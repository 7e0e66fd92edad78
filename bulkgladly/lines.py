"""Cutting a stream of byte blocks into lines: only at the newline byte, and with bounded memory. Pure.

Text functions would also cut at U+2028 and others, which JSON and CSV allow within a value.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ("BOM", "MAX_LINE_BYTES", "SHOWN_BYTES", "Line", "LineCutter", "Stretch", "cut_lines", "stretches")

BOM = b"\xef\xbb\xbf"
MAX_LINE_BYTES = 64 << 20
SHOWN_BYTES = 1000
"""How many bytes are kept of a line that is too long."""

Line = tuple[int, bytes, bool]
"""The offset at which a line begins, its bytes without the newline, and whether they are the whole line."""


class Stretch(NamedTuple):
    """Consecutive whole lines, each with its newline; the last line of the stream may have none.

    `size` is how many bytes of the stream they take. With `is_cut` it is a single line above
    the limit instead, and `data` is its beginning.
    """

    data: bytes
    size: int
    is_cut: bool = False


def stretches(
    blocks: Iterable[bytes],
    *,
    max_line_bytes: int = MAX_LINE_BYTES,
    batch_bytes: int = 0,
    refusal: Exception | None = None,
) -> Iterator[Stretch]:
    """Yield all lines, in stretches of at least `batch_bytes` except for the last.

    Memory holds at most one batch, or one line of the longest allowed size. Each byte is copied once.

    Raises:
        Exception: `refusal`, if given, as soon as a line is too long. Without it the line is cut.
    """
    cutter = LineCutter(max_line_bytes, refusal)
    for block in blocks:
        cutter.take(block)
        if cutter.held_bytes >= batch_bytes:
            yield from cutter.whole_lines()
    yield from cutter.whole_lines()
    yield from cutter.last_line()


def cut_lines(
    blocks: Iterable[bytes], *, max_line_bytes: int, offset: int = 0, refusal: Exception | None = None
) -> Iterator[Line]:
    """Yield the lines of a stream that stands at `offset`; the last one needs no newline.

    Of a line above `max_line_bytes` only the first SHOWN_BYTES at most are kept, and it is
    marked as not whole.

    Raises:
        Exception: `refusal`, if given, as soon as a line is too long.
    """
    for data, size, is_cut in stretches(blocks, max_line_bytes=max_line_bytes, refusal=refusal):
        if is_cut:
            yield offset, data, False
            offset += size
            continue
        lines = data.split(b"\n")
        last = lines.pop()
        for line in lines:
            yield offset, line, True
            offset += len(line) + 1
        if last:
            yield offset, last, True


class LineCutter:
    """Cuts blocks into stretches of whole lines, for callers to whom the blocks come one by one.

    It holds what was not yielded yet: whole blocks, or the beginning of a line.
    """

    def __init__(self, max_line_bytes: int, refusal: Exception | None = None) -> None:
        self._max_line_bytes, self._refusal = max_line_bytes, refusal
        self._parts: list[bytes] = []
        self._has_newline = False
        self._skipped: bytes | None = None
        self._skipped_bytes = 0
        self.held_bytes = 0

    def take(self, block: bytes) -> None:
        """Add a block."""
        self._parts.append(block)
        self.held_bytes += len(block)
        self._has_newline = self._has_newline or b"\n" in block

    def whole_lines(self) -> Iterator[Stretch]:
        """Yield the lines that have ended."""
        if not self._has_newline:
            self._skip_if_too_long()
            return
        data = self._up_to_last_newline()
        if self._skipped is not None:
            rest, _, data = data.partition(b"\n")
            yield Stretch(self._skipped, self._skipped_bytes + len(rest) + 1, is_cut=True)
            self._skipped = None
        if data:
            yield from self._apart(data)

    def last_line(self) -> Iterator[Stretch]:
        """Yield the line that the end of the stream has ended, if there is one."""
        if self._skipped is not None:
            yield Stretch(self._skipped, self._skipped_bytes, is_cut=True)
        elif data := b"".join(self._parts):
            yield from self._apart(data)

    def _up_to_last_newline(self) -> bytes:
        """Return all whole lines, and hold what follows them."""
        at = len(self._parts) - 1
        while (end := self._parts[at].rfind(b"\n")) < 0:
            at -= 1
        # A view and not a slice, so that the join is the only copy.
        data = b"".join([*self._parts[:at], memoryview(self._parts[at])[: end + 1]])
        self._hold([self._parts[at][end + 1 :], *self._parts[at + 1 :]])
        return data

    def _hold(self, rest: list[bytes]) -> None:
        self._parts = [part for part in rest if part]
        self.held_bytes = sum(map(len, self._parts))
        self._has_newline = False

    def _skip_if_too_long(self) -> None:
        if self._skipped is None and self.held_bytes <= self._max_line_bytes:
            return
        if self._skipped is None:
            self._skipped, self._skipped_bytes = self._beginning(b"".join(self._parts)), 0
        self._skipped_bytes += self.held_bytes
        self._hold([])

    def _apart(self, data: bytes) -> Iterator[Stretch]:
        """Yield lines as one stretch, unless one among them may be too long."""
        if len(data) <= self._max_line_bytes:
            yield Stretch(data, len(data))
            return
        *whole, last = data.split(b"\n")
        fit: list[bytes] = []  # joined once, since adding to bytes would copy all of them for each line
        for line in (*(line + b"\n" for line in whole), *((last,) if last else ())):
            if len(line.removesuffix(b"\n")) <= self._max_line_bytes:
                fit.append(line)
                continue
            yield from _joined(fit)
            fit = []
            yield Stretch(self._beginning(line), len(line), is_cut=True)
        yield from _joined(fit)

    def _beginning(self, line: bytes) -> bytes:
        if self._refusal is not None:
            raise self._refusal
        return line[: min(SHOWN_BYTES, self._max_line_bytes)]


def _joined(lines: list[bytes]) -> Iterator[Stretch]:
    if lines:
        data = b"".join(lines)
        yield Stretch(data, len(data))
