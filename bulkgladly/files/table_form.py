"""What the first lines of a table show: its delimiter, where its header is, and what is wrong with it. Pure."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bulkgladly.errors import InputError
from bulkgladly.lines import BOM

if TYPE_CHECKING:
    import _csv

__all__ = (
    "DELIMITERS",
    "HeaderHint",
    "delimiter_of",
    "header_elsewhere",
    "header_hint",
    "is_header",
    "nameless",
    "refuse_twice",
    "sep_line",
    "shown_delimiter",
)

DELIMITERS = {",": ",", ";": "';'", "\t": r"$'\t'", "|": "'|'"}
"""The usual delimiters, as a shell takes them."""

_SEP = re.compile(rb'"?sep=(.)"?[,;\t|]*\r?\n', re.IGNORECASE)
_LOOKED_AT = 50
_MOST_PREAMBLE = 30
_AROUND = " \t\ufeff"
_ALIKE = 0.8
"""The share of rows that must be as wide as the header for a delimiter to be believed."""

Records = Sequence[Sequence[str]]


class HeaderHint(NamedTuple):
    """Which line looks like the header in a file that does not begin with it."""

    line: int
    names: tuple[str, ...]


def sep_line(head: bytes) -> tuple[str, int] | None:
    """Return the delimiter that Excel's line `sep=;` names, and how many bytes the line takes; None without one."""
    found = _SEP.match(head.removeprefix(BOM))
    if found is None or not found[1].isascii():
        return None
    return found[1].decode(), found.end() + (len(BOM) if head.startswith(BOM) else 0)


def delimiter_of(text: str, default: str, quote: str | None) -> str:
    """Return the delimiter that the first lines of a file clearly show, or else the default.

    Another one than the default is believed only if the default finds a single column, exactly
    one of the others finds several, and the rows are as wide as the header.
    """
    first = _records(text, default, quote)
    if not first or len(_filled(first[0])) != 1:
        return default
    fit = [one for one in DELIMITERS if one != default and _is_table(_records(text, one, quote))]
    return fit[0] if len(fit) == 1 else default


def header_hint(text: str, delimiter: str, quote: str | None) -> HeaderHint | None:
    """Return the line that looks like the header, if the first one does not and rows of its width follow."""
    for char in (delimiter, *(other for other in DELIMITERS if other != delimiter)):
        rows = list(_numbered(text, char, quote))
        if not rows or len(_filled(rows[0][1])) > 1:
            if char == delimiter:
                return None
            continue
        at = next((at for at, (_, cells) in enumerate(rows) if len(_filled(cells)) > 1), None)
        if at is None:
            continue
        line, cells = rows[at]
        widths = [len(later) for _, later in rows[at:]]
        if len(widths) > 1 and _share(widths) >= _ALIKE and _are_names(_filled(cells)):
            return HeaderHint(line, tuple(cells))
    return None


def header_elsewhere(text: str, delimiter: str, quote: str | None) -> str | None:
    """Return what is wrong with a file whose header is not in its first line, and what to do; None if it is there."""
    hint = header_hint(text, delimiter, quote)
    if hint is None:
        return None
    named = ", ".join(hint.names[:3]) + (", …" if len(hint.names) > 3 else "")
    fix = f"pass --skip-lines {hint.line - 1} if it is the header, or --skip-lines 0 if line 1 is"
    return f"line 1 is not a header, but line {hint.line} looks like one ({named}); {fix}"


def nameless(names: Sequence[str]) -> frozenset[int]:
    """Return the columns that have no name: spreadsheets write some behind the last column."""
    return frozenset(at for at, name in enumerate(names) if not name.strip(_AROUND))


def refuse_twice(path: Path, names: Sequence[str]) -> None:
    """Refuse a header with a name that occurs twice.

    Raises:
        InputError: It has one; the message names it.
    """
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{path}: the header has {', '.join(map(repr, twice))} more than once; rename or remove one")


def is_header(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether a record repeats the header, perhaps with the byte order mark of a concatenated file."""
    return all(cell.strip(_AROUND) == name.strip(_AROUND) for cell, name in zip(cells, names, strict=True))


def _numbered(text: str, delimiter: str, quote: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the first records that are not blank, each with the line at which it begins."""
    reader, line = _reader(text, delimiter, quote), 1
    for cells in _taken(reader, _MOST_PREAMBLE):
        if _filled(cells):
            yield line, cells
        line = reader.line_num + 1


def shown_delimiter(char: str) -> str:
    """Return a delimiter as a sentence names it."""
    return "tabs" if char == "\t" else repr(char)


def _are_names(cells: Sequence[str]) -> bool:
    """Tell whether cells look like column names, and not like values."""
    return len(set(cells)) == len(cells) and not any(cell.strip()[:1].isdigit() or "@" in cell for cell in cells)


def _share(widths: Sequence[int]) -> float:
    return sum(width == widths[0] for width in widths) / len(widths)


def _filled(cells: Sequence[str]) -> list[str]:
    return [cell for cell in cells if cell.strip()]


def _is_table(records: Records) -> bool:
    if not records or len(records[0]) < 2:
        return False
    names = _filled(records[0])
    return len(names) > 1 and len(set(names)) == len(names) and _share([len(cells) for cells in records]) >= _ALIKE


def _records(text: str, delimiter: str, quote: str | None) -> Records:
    return [cells for cells in _taken(_reader(text, delimiter, quote), _LOOKED_AT) if cells]


def _reader(text: str, delimiter: str, quote: str | None) -> "_csv.Reader":
    lines = io.StringIO(text, newline="")
    if quote is None:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote)


def _taken(reader: Iterable[list[str]], most: int) -> Iterable[list[str]]:
    rows = iter(reader)
    for _ in range(most):
        try:
            yield next(rows)
        except (StopIteration, csv.Error):
            return
