"""Lines of bytes: cut at the newline byte and nowhere else, with bounded memory."""

from collections.abc import Iterator

from bulkgladly.formats.sources import Stream

__all__ = ("BOM", "SHOWN_BYTES", "Line", "cut_lines")

BOM = b"\xef\xbb\xbf"
SHOWN_BYTES = 1000

Line = tuple[int, bytes, bool]
"""The offset at which a line begins, its bytes without the newline, and whether they are all of it."""


def cut_lines(stream: Stream, *, max_bytes: int) -> Iterator[Line]:
    """Yield the lines from where the stream stands; the last one needs no newline.

    Of a line above `max_bytes` only the first SHOWN_BYTES at most are kept, and it is marked as
    not whole. Text functions would also cut at U+2028 and others, which JSON and CSV allow
    inside a value.
    """
    offset = stream.offset
    held = _Held(max_bytes)
    for block in stream:
        lines = block.split(b"\n")
        held.add(lines[0])
        if len(lines) == 1:
            continue
        yield (offset, *held.line())
        offset += held.size + 1
        for data in lines[1:-1]:
            size = len(data)
            yield (offset, data, True) if size <= max_bytes else (offset, data[: min(SHOWN_BYTES, max_bytes)], False)
            offset += size + 1
        held = _Held(max_bytes)
        held.add(lines[-1])
    if held.size:
        yield (offset, *held.line())


class _Held:
    """The beginning of a line whose end is in a later block."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._is_whole = True
        self.size = 0

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self._is_whole:
            self._parts.append(part)
        if self._is_whole and self.size > self._max_bytes:
            self._parts = [b"".join(self._parts)[: min(SHOWN_BYTES, self._max_bytes)]]
            self._is_whole = False

    def line(self) -> tuple[bytes, bool]:
        return b"".join(self._parts), self._is_whole
