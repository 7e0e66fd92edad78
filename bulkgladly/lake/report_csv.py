"""The body of a report, cut into records while it arrives: quoted line breaks, blank lines, bad rows, cut ends.

What Gladly labels CSV can be something else: an empty body, an error in plain words, or a web page, all
with status 200 (gladly-api, reports, "CSV format as connectors handle it"). Memory is bounded by the
longest record.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bulkgladly.csv_records import CsvFault, CsvRecords
from bulkgladly.lake.rows import Reject
from bulkgladly.lines import cut_lines
from bulkgladly.shown import shown

__all__ = ("MAX_RECORD_BYTES", "BodyCutOff", "CsvRow", "NotAReport", "beginning", "records_in")

MAX_RECORD_BYTES = 64 << 20
"""A longer record is treated as a missing quote."""

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
    body = _Counted(blocks)
    lines = cut_lines(body, max_line_bytes=MAX_RECORD_BYTES, refusal=_too_large())
    records = CsvRecords(lines, max_bytes=MAX_RECORD_BYTES, is_nul_allowed=True)
    for cells in records.records(keeps_blank=True):
        # A line is followed by its newline, unless it is the last of the body.
        has_end = records.end < body.size
        if not isinstance(cells, CsvFault):
            yield CsvRow(records.first_line, cells, records.raw(), has_end)
        else:
            yield _reject(cells, records, has_end=has_end)


def _reject(fault: CsvFault, records: CsvRecords, *, has_end: bool) -> Reject:
    line = records.first_line
    match fault.code:
        case "too_large":
            raise _too_large()
        case "malformed":
            if records.is_at_end:
                raise BodyCutOff(f"the body ends within a quoted cell that begins near line {line}")
            return Reject(line, "malformed_csv", f"not valid CSV ({fault.detail})", records.raw())
        case _:
            if not has_end:
                raise BodyCutOff(f"the body ends within a character on line {line}")
            return Reject(line, "invalid_utf8", "has bytes that are not UTF-8", records.raw())


def _too_large() -> NotAReport:
    return NotAReport(f"a record is longer than {MAX_RECORD_BYTES} bytes; a quote is likely to be missing in it")


def beginning(text: str) -> str:
    """Return the beginning of a text for a message: one line, without anything like an address or a phone number."""
    # The search is quadratic in a text without blanks, so it is bounded, well beyond what is shown.
    return shown(_PERSONAL.sub("…", " ".join(text[:_MOST_SEARCHED].split())), _MOST_QUOTED)


class _Counted:
    """Passes blocks on, and counts their bytes: `size` says where the body ends, or where it is cut off."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.size += len(block)
            yield block
