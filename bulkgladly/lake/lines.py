"""Byte blocks, cut anywhere, into batches of whole lines. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly.lake.arrow import Array, integers, scalar

__all__ = ("BATCH_BYTES", "MAX_LINE_BYTES", "SHOWN_BYTES", "LineBatch", "cut")

BATCH_BYTES = 2 << 20
MAX_LINE_BYTES = 64 << 20
SHOWN_BYTES = 1000
_BOM = b"\xef\xbb\xbf"


_NO_LINES = pa.nulls(0, pa.binary())


class LineBatch(NamedTuple):
    """Lines that follow each other, each ended by a newline; `first` is the number of the first.

    `lines` has them as Arrow sees them, newline included, over the very bytes of `data`.
    `too_long` is the beginning of one line above the limit, which then is the only one.
    """

    first: int
    data: bytes
    lines: Array
    too_long: bytes | None = None


def cut(
    blocks: Iterable[bytes], *, batch_bytes: int = BATCH_BYTES, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[LineBatch]:
    """Yield all lines in batches of about `batch_bytes`; the last line needs no newline.

    Only the newline byte ends a line; a carriage return before it is dropped. A byte order
    mark at the start is dropped. No more than a batch or the longest allowed line is held.
    """
    cutter = _Cutter(max_line_bytes)
    for block in blocks:
        cutter.take(block)
        if cutter.held_bytes >= batch_bytes:
            yield from cutter.whole_lines()
    yield from cutter.whole_lines()
    yield from cutter.last_line()


class _Cutter:
    # Holds what was not given out yet: whole blocks, or the beginning of a line.
    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._parts: list[bytes] = []
        self._has_newline = False
        self._skipped: bytes | None = None
        self._next = 1
        self._is_start = True
        self.held_bytes = 0

    def take(self, block: bytes) -> None:
        self._parts.append(block)
        self.held_bytes += len(block)
        self._has_newline = self._has_newline or b"\n" in block

    def whole_lines(self) -> Iterator[LineBatch]:
        if not self._has_newline:
            self._skip_if_too_long()
            return
        data = self._up_to_last_newline()
        if self._skipped is not None:
            yield self._too_long(self._skipped)
            self._skipped = None
            _, _, data = data.partition(b"\n")
        if data:
            yield from self._apart(data)

    def last_line(self) -> Iterator[LineBatch]:
        if self._skipped is not None:
            yield self._too_long(self._skipped)
        elif data := self._joined(self._parts):
            yield from self._apart(data + b"\n")

    def _up_to_last_newline(self) -> bytes:
        """Return all whole lines, and hold what follows them; each byte is copied once."""
        at = len(self._parts) - 1
        while (end := self._parts[at].rfind(b"\n")) < 0:
            at -= 1
        data = self._joined([*self._parts[:at], memoryview(self._parts[at])[: end + 1]])
        self._hold([self._parts[at][end + 1 :], *self._parts[at + 1 :]])
        return data

    def _joined(self, parts: Iterable[bytes | memoryview]) -> bytes:
        data = b"".join(parts)
        if self._is_start:
            self._is_start = False
            data = data.removeprefix(_BOM)
        return data

    def _hold(self, rest: list[bytes]) -> None:
        self._parts = [part for part in rest if part]
        self.held_bytes = sum(map(len, self._parts))
        self._has_newline = False

    def _skip_if_too_long(self) -> None:
        if self._skipped is not None or self.held_bytes > self._max_line_bytes:
            if self._skipped is None:
                self._skipped = self._joined(self._parts)[:SHOWN_BYTES]
            self._hold([])

    def _too_long(self, beginning: bytes) -> LineBatch:
        self._next += 1
        return LineBatch(self._next - 1, b"", _NO_LINES, beginning[:SHOWN_BYTES])

    def _apart(self, data: bytes) -> Iterator[LineBatch]:
        """Yield lines, each ended by a newline, as one batch, unless one among them may be too long."""
        if len(data) <= self._max_line_bytes:
            yield self._batch(data)
            return
        lines: list[bytes] = []
        for line in data[:-1].split(b"\n"):
            if len(line) <= self._max_line_bytes:
                lines += (line, b"\n")
                continue
            if lines:
                yield self._batch(b"".join(lines))
            lines = []
            yield self._too_long(line)
        if lines:
            yield self._batch(b"".join(lines))

    def _batch(self, data: bytes) -> LineBatch:
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        lines = _split(data)
        self._next += len(lines)
        return LineBatch(self._next - len(lines), data, lines)


def _split(data: bytes) -> Array:
    """Return an array of the lines of `data`, each with its newline, without copying them."""
    body = pa.py_buffer(data)
    whole = pa.Array.from_buffers(
        pa.binary(), 1, cast("Any", [None, integers("i", (0, len(data) - 1)).buffers()[1], body])
    )
    ends = cast("Any", pc.split_pattern(whole, pattern="\n")).flatten()
    count = len(ends)
    sizes = pc.add(pc.binary_length(ends), scalar(1, pa.int32()))
    offsets = pa.concat_arrays([integers("i", (0,)), cast("Array", pc.cumulative_sum(sizes))])
    return pa.Array.from_buffers(pa.binary(), count, cast("Any", [None, offsets.buffers()[1], body]))
