"""How a CSV file is written: so that rejects come back in the form of the file that they are from. Pure."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from bulkgladly.records import Part, Position, Problem, Row, Stage

__all__ = (
    "DUPLICATE",
    "FIX",
    "LINE",
    "PART",
    "RAW",
    "REASON",
    "CsvForm",
    "CsvLines",
    "added_columns",
    "columns_without",
    "part_in",
    "rejected_row",
)

LINE, REASON, FIX, RAW, PART, DUPLICATE = "_line", "_reason", "_fix", "_raw", "_part", "_duplicate"
_ALWAYS = frozenset({LINE, REASON, FIX})
_SOMETIMES = frozenset({RAW, PART, DUPLICATE})
_LINE_ENDS = re.compile(r"\r\n|[\r\n]")
_END = "\r\n"
"""What the writer ends a record with: it puts only cells in quotes that hold one of its characters."""


@dataclass(frozen=True, slots=True)
class CsvForm:
    """The header and the dialect of a CSV file. With `quotechar` None, quotes are ordinary characters."""

    names: tuple[str, ...]
    delimiter: str
    quotechar: str | None
    encoding: str
    has_mark: bool = field(default=False, compare=False)
    """Whether the file begins with the byte order mark of UTF-8."""
    raw_encoding: str = field(default="utf-8", compare=False)
    """The encoding of the bytes of rows that could not be read: they may have been converted before they were cut."""


class CsvLines:
    """Writes records as the lines of a CSV file, each as bytes."""

    def __init__(self, form: CsvForm) -> None:
        encoding = "utf-8-sig" if form.has_mark else form.encoding
        self._form = form
        self._text = io.StringIO(newline="")
        # What we add may hold characters that the encoding of the input lacks.
        self._bytes = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", newline="")
        self._writer = csv.writer(
            self._text,
            delimiter=form.delimiter,
            quotechar=form.quotechar,
            quoting=csv.QUOTE_NONE if form.quotechar is None else csv.QUOTE_MINIMAL,
            lineterminator=_END,
        )

    def line(self, cells: Sequence[str]) -> bytes:
        """Return one record with its line end."""
        if self._form.quotechar is None:  # without quotes, nothing can hold a delimiter or a line end
            cells = [_LINE_ENDS.sub(" ", cell.replace(self._form.delimiter, " ")).rstrip() for cell in cells]
        self._text.seek(0)
        self._text.truncate()
        self._writer.writerow(cells)
        return self._encoded(self._text.getvalue().removesuffix(_END) + "\n")

    def _encoded(self, text: str) -> bytes:
        self._bytes.write(text)
        self._bytes.flush()
        raw = self._bytes.buffer
        assert isinstance(raw, io.BytesIO)  # noqa: S101 - it was made above
        found = raw.getvalue()
        raw.seek(0)
        raw.truncate()
        return found


def added_columns(names: Sequence[str]) -> frozenset[str]:
    """Return the columns of a header that were added to rejects: none, if the header is not that of rejects."""
    return (_ALWAYS | _SOMETIMES) & frozenset(names) if frozenset(names) >= _ALWAYS else frozenset()


def columns_without(ours: Collection[str], names: Iterable[str], added: Iterable[str]) -> tuple[str, ...]:
    """Return the names in a header but `ours`, and then those of the columns that all rows get beside them."""
    theirs = tuple(name for name in names if name not in ours)
    return theirs + tuple(name for name in added if name not in theirs)


def part_in(text: str) -> Part | None:
    """Return which record of a row `2/3` means; None if the text does not say it."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 0 < int(number) <= int(of)):
        return None
    return Part(int(number), int(of))


def rejected_row(position: Position, fields: dict[str, str], ours: Iterable[str]) -> Row:
    """Return a row of our own table of rejects as the row that was rejected; `ours` are the columns we added.

    `fields` is used up.
    """
    added = {name: fields.pop(name) for name in ours}
    raw = added.get(RAW, "")
    if raw and not any(fields.values()):
        detail = f"was not readable; fill in its cells from {RAW} and empty {RAW}, or delete the line"
        return Row(position, None, Problem("unedited", detail, stage=Stage.READ), raw.encode())
    part = part_in(added.get(PART, ""))
    if added.get(DUPLICATE, "").strip():  # alone, it would overwrite the row of its file that was sent
        detail = f"another row of its file has the same key; delete one, or empty {DUPLICATE} to let this one win"
        return Row(position, None, Problem("duplicate_key", detail), source={**fields}, part=part)
    return Row(position, {**fields}, part=part)
