"""CSV cut into records, so that a broken record costs its first line and not the rest of the file. Pure."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from bulkgladly.lines import BOM, Line

__all__ = ("CsvFault", "CsvRecords")


class _TooLarge(Exception):
    """A record took more bytes or lines than any should; a quote is likely to be missing."""


class CsvFault(NamedTuple):
    """Why a record has no cells: `code` is `too_large`, `malformed`, `nul` or `undecodable`.

    `detail` is what the csv module says of a malformed record.
    """

    code: str
    detail: str = ""


class CsvRecords:
    """Cuts lines into records, and remembers which lines one record took.

    While a record is worked on, `taken` has its lines. `first_line` is the number of the first one, counted from
    1 where the stream of lines began, and `end` the offset behind the last one, without its newline.
    """

    def __init__(
        self,
        lines: Iterator[Line],
        encoding: str = "utf-8",
        *,
        max_bytes: int,
        max_lines: int | None = None,
        is_nul_allowed: bool = False,
    ) -> None:
        # The csv module has one limit for the whole process; ours is kept below, for the record.
        csv.field_size_limit(max(csv.field_size_limit(), max_bytes))
        self._lines, self._encoding = lines, encoding
        self._max_bytes, self._max_lines = max_bytes, max_lines or max_bytes
        self._is_nul_allowed = is_nul_allowed
        self._ahead: deque[Line] = deque()
        self._size = 0
        self._line = 0
        self._fault: CsvFault | None = None
        self.taken: list[Line] = []
        self.is_at_end = False
        """Whether the last line was asked for and there was none."""

    def records(self, *, keeps_blank: bool = False, **dialect: Any) -> Iterator[list[str] | CsvFault]:
        """Yield the cells of each record, or why it has none; a blank line is a record without cells if kept.

        After a record that is malformed or too large, reading goes on with its second line: one bad quote
        must not swallow a file.
        """
        reader = csv.reader(self, strict=True, **dialect)
        while True:
            self._begin_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _TooLarge:
                fault = CsvFault("too_large")
            except csv.Error as exc:
                fault = CsvFault("malformed", str(exc))
            else:
                if self._fault is not None:
                    yield self._fault
                elif cells or keeps_blank:
                    yield cells
                continue
            self._give_back()
            # A reader that failed keeps the beginning of the record, so a new one goes on.
            reader = csv.reader(self, strict=True, **dialect)
            yield fault

    def _begin_record(self) -> None:
        self.taken = []
        self._fault = None
        self._size = 0

    def _give_back(self) -> None:
        """Let the record be its first line alone; the others come again."""
        self._ahead.extendleft(reversed(self.taken[1:]))
        self._line -= len(self.taken) - 1
        del self.taken[1:]

    @property
    def first_line(self) -> int:
        """The number of the line at which the record begins."""
        return self._line - len(self.taken) + 1

    @property
    def end(self) -> int:
        """The offset behind the last byte of the record."""
        offset, data, _ = self.taken[-1]
        return offset + len(data)

    def raw(self) -> bytes:
        """Return the bytes of the record, without its last line end."""
        return b"\n".join([data for _, data, _ in self.taken]).removesuffix(b"\r")

    def next_offset(self, end: int) -> int:
        """Return where the next record begins, or `end` if there is none."""
        if not self._ahead:
            self._ahead.extend(line for line in (next(self._lines, None),) if line)
        return self._ahead[0][0] if self._ahead else end

    # --- the lines as the csv module asks for them ---

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        try:
            line = self._ahead.popleft() if self._ahead else next(self._lines)
        except StopIteration:
            self.is_at_end = True
            raise
        offset, data, is_whole = line
        self._line += 1
        self.taken.append(line)
        self._size += len(data)
        if not is_whole or self._size > self._max_bytes or len(self.taken) > self._max_lines:
            raise _TooLarge
        if not offset:  # files that were joined or converted twice have two
            data = data.removeprefix(BOM).removeprefix(BOM)
        if b"\0" in data and not self._is_nul_allowed:
            self._fault = CsvFault("nul")
        try:
            return data.decode(self._encoding) + "\n"
        except UnicodeDecodeError:
            self._fault = CsvFault("undecodable")
            return data.decode(self._encoding, "replace") + "\n"
