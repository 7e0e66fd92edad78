"""The lines that a CSV parser takes for one record, so that it can fail without losing the next ones."""

from collections import deque
from collections.abc import Iterator
from typing import Self

from bulkgladly.lines import BOM, Line
from bulkgladly.records import Problem

__all__ = ("MAX_RECORD_LINES", "CsvFeed", "RecordTooLarge")

MAX_RECORD_LINES = 10_000


class RecordTooLarge(Exception):
    """One record took more bytes or lines than any should; a quote is likely to be missing."""


class CsvFeed:
    """An iterator of text lines for `csv.reader` that remembers what one record took.

    `taken` are the lines of the record, `first_line` is where it begins, counted from 1
    where the feed began. `damage` says why its text cannot be used, although it could be cut.
    """

    def __init__(self, lines: Iterator[Line], encoding: str, *, max_bytes: int) -> None:
        self._lines = lines
        self._encoding = encoding
        self._max_bytes = max_bytes
        self._ahead: deque[Line] = deque()
        self._size = 0
        self._line = 0
        self.taken: list[Line] = []
        self.damage: Problem | None = None

    @property
    def first_line(self) -> int:
        """The number of the line at which the record begins."""
        return self._line - len(self.taken) + 1

    def begin_record(self) -> None:
        """Forget the lines of the last record."""
        self.taken = []
        self.damage = None
        self._size = 0

    def give_back(self) -> None:
        """Let the record be its first line alone; the others come again."""
        self._ahead.extendleft(reversed(self.taken[1:]))
        self._line -= len(self.taken) - 1
        del self.taken[1:]

    def raw(self) -> bytes:
        """Return the bytes of the record, without its last line end."""
        return b"\n".join([data for _, data, _ in self.taken]).removesuffix(b"\r")

    def next_offset(self, end: int) -> int:
        """Return where the next record begins, or `end` if there is none."""
        if not self._ahead:
            self._ahead.extend(line for line in (next(self._lines, None),) if line)
        return self._ahead[0][0] if self._ahead else end

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else next(self._lines)
        offset, data, is_whole = line
        self._line += 1
        self.taken.append(line)
        self._size += len(data)
        if not is_whole or self._size > self._max_bytes or len(self.taken) > MAX_RECORD_LINES:
            raise RecordTooLarge
        if not offset:
            data = data.removeprefix(BOM)
        if b"\0" in data:
            self.damage = Problem("nul_character", "has a NUL character; remove it")
        try:
            return data.decode(self._encoding) + "\n"
        except UnicodeDecodeError:
            self.damage = Problem(
                "invalid_encoding", f"has bytes that are not {self._encoding}; correct them or --encoding"
            )
            return data.decode(self._encoding, "replace") + "\n"
