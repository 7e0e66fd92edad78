"""The body of a report, cut into records while it arrives: quoted line breaks, blank lines, bad rows, cut ends.

What Gladly labels CSV can be something else: an empty body, an error in plain words, or a web page, all
with status 200 (gladly-api, reports, "CSV format as connectors handle it"). Memory is bounded by the
longest record.
"""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from bulkgladly.lake.rows import Reject
from bulkgladly.shown import shown

__all__ = ("MAX_RECORD_BYTES", "BodyCutOff", "CsvRow", "NotAReport", "beginning", "records_in")

MAX_RECORD_BYTES = 64 << 20
"""A longer record is treated as a missing quote."""

_BOM = b"\xef\xbb\xbf"
_MOST_QUOTED = 100
_MOST_SEARCHED = 4_000
_PERSONAL = re.compile(r"\S*@\S*|\+?\d[\d\s().-]{4,}\d")


class BodyCutOff(Exception):
    """The body ends within a record: the download broke off, and a new one may be complete."""


class NotAReport(Exception):
    """The body is not a report, although its status says success. The message is for people."""


class CsvRow(NamedTuple):
    """A record, the number of its first line, counted from 1, and its bytes. A blank line has no cells.

    `has_end` is false for a last record without a line end: its width tells whether it is complete.
    """

    line: int
    cells: list[str]
    raw: bytes
    has_end: bool


def records_in(blocks: Iterable[bytes]) -> Iterator[CsvRow | Reject]:
    """Yield the records of a body, cut anywhere into blocks; the first is the header.

    A record that is not valid CSV becomes a reject of its first line, and reading continues with the
    next line. One that is not UTF-8 becomes a reject.

    Raises:
        BodyCutOff: The body ends within a quoted cell, or within a character.
        NotAReport: A record is too long.
        Exception: Whatever `blocks` raised.
    """
    # The csv module has one limit for the whole process, so the real one, per record, is kept by the feed.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_BYTES))
    feed = _Feed(_lines_of(blocks))
    reader = csv.reader(feed, strict=True)
    while True:
        feed.begin_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            if feed.is_at_end:
                raise BodyCutOff(f"the body ends within a quoted cell that begins near line {feed.first_line}") from exc
            feed.give_back()
            reader = csv.reader(feed, strict=True)
            yield Reject(feed.first_line, "malformed_csv", f"not valid CSV ({exc})", feed.raw())
            continue
        if not feed.is_text:
            if not feed.has_line_end:
                raise BodyCutOff(f"the body ends within a character on line {feed.first_line}")
            yield Reject(feed.first_line, "invalid_utf8", "has bytes that are not UTF-8", feed.raw())
        else:
            yield CsvRow(feed.first_line, cells, feed.raw(), feed.has_line_end)


def beginning(text: str) -> str:
    """Return the beginning of a text for a message: one line, without anything like an address or a phone number."""
    # The search is quadratic in a text without blanks, so it is bounded, well beyond what is shown.
    return shown(_PERSONAL.sub("…", " ".join(text[:_MOST_SEARCHED].split())), _MOST_QUOTED)


def _lines_of(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a body with their ends; the last may have none."""
    rest: list[bytes] = []
    size = 0
    for block in blocks:
        *lines, last = block.split(b"\n")
        if lines:
            lines[0] = b"".join([*rest, lines[0]])
            rest, size = [], 0
            yield from (line + b"\n" for line in lines)
        rest.append(last)
        size += len(last)
        if size > MAX_RECORD_BYTES:
            raise _too_long()
    if size:
        yield b"".join(rest)


def _too_long() -> NotAReport:
    return NotAReport(f"a record is longer than {MAX_RECORD_BYTES} bytes; a closing quote is probably missing")


class _Feed:
    """Text lines for `csv.reader`, which remembers those of the current record."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._ahead: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self._size = 0
        self._line = 0
        self.is_at_end = False
        self.is_text = True

    def begin_record(self) -> None:
        """Forget the lines of the last record."""
        self._taken = []
        self._size = 0
        self.is_text = True

    @property
    def first_line(self) -> int:
        """The number of the first line of the record."""
        return self._line - len(self._taken) + 1

    @property
    def has_line_end(self) -> bool:
        """Whether the last line of the record had an end."""
        return bool(self._taken) and self._taken[-1].endswith(b"\n")

    def raw(self) -> bytes:
        """Return the bytes of the record, without its last line end."""
        return b"".join(self._taken).removesuffix(b"\n").removesuffix(b"\r")

    def give_back(self) -> None:
        """Reduce the record to its first line; the others are read again."""
        self._ahead.extendleft(reversed(self._taken[1:]))
        self._line -= len(self._taken) - 1
        del self._taken[1:]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        try:
            line = self._ahead.popleft() if self._ahead else next(self._lines)
        except StopIteration:
            self.is_at_end = True
            raise
        self._line += 1
        self._taken.append(line)
        self._size += len(line)
        if self._size > MAX_RECORD_BYTES:
            raise _too_long()
        if self._line == 1:
            line = line.removeprefix(_BOM)
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.is_text = False
            return line.decode(errors="replace")
