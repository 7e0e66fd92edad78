"""What spreadsheets and databases leave in values: placeholders, rounded numbers, marks of text, rows within a cell.

Such values are sent as they are. Only a person knows whether `None` is a name, so `check` counts them and shows the
fix.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from bulkgladly.checks.check_report import Findings, Severity
from bulkgladly.files.csv_files import CsvReader
from bulkgladly.files.inputs import Inputs
from bulkgladly.placeholders import PLACEHOLDERS
from bulkgladly.records import Position, Problem, Row, Stage

__all__ = ("ValueScreen",)

_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+").fullmatch
_DECIMAL = re.compile(r"[0-9]{4,}\.0").fullmatch
_APOSTROPHE = re.compile(r"'[+0-9].*").fullmatch
_FORMULA = re.compile(r'=".*"').fullmatch
_TRACES = re.compile(r"""[eE]\+[0-9]|\.0|'[+0-9]|=\"""").search
_BETWEEN = "\x1f"
_BETWEEN_PARTS = re.compile(r"[\s,;/]+")
_NEVER_TEXT = ("email:", "phone:", "_")

_DETAILS: Mapping[str, str] = {
    "placeholder": "holds a placeholder such as N/A, which would be sent as text",
    "number_rounded": "looks like a number that a spreadsheet has rounded, such as 6.50378E+09",
    "number_decimal": "is a whole number with a decimal, such as 4711.0",
    "number_apostrophe": "begins with an apostrophe, which spreadsheets put before numbers",
    "cell_formula": 'is a formula such as ="4711", which spreadsheets use to keep a number as text',
    "rows_in_cell": "holds line breaks and looks like several rows; a quote may be missing or misplaced",
}


class ValueScreen:
    """Looks at the values of rows as they stand in the file, and notes what is odd about them. No row is refused."""

    def __init__(self, inputs: Inputs, findings: Findings, *, keys: Collection[str | None]) -> None:
        """`keys` are the columns of source keys: the rules for keys tell of what is cleaned there."""
        self._findings, self._keys = findings, frozenset(keys)
        readers = inputs.readers
        self._delimiters = [reader.delimiter if isinstance(reader, CsvReader) else None for reader in readers]
        self._last: Position | None = None

    def look(self, rows: Sequence[Row]) -> None:
        """Note what is odd about the rows. Several records of one row count once."""
        for row in rows:
            if row.position == self._last:
                continue
            self._last = row.position
            fields = row.fields if row.source is None else row.source
            if fields is None:
                continue
            problems = self._problems(fields, self._delimiters[row.position.file])
            if found := [one for one in problems if one.code != "placeholder" or _is_sent(row, fields, one.attr)]:
                self._findings.note(row, found, Severity.NOTED)

    def _problems(self, fields: Mapping[str, Any], delimiter: str | None) -> Iterator[Problem]:
        values = fields.values()
        try:
            joined = _BETWEEN.join(values)
        except TypeError:  # JSON: only the texts at the top
            fields = {name: value for name, value in fields.items() if type(value) is str}
            values = fields.values()
            joined = _BETWEEN.join(values)
        if not PLACEHOLDERS.isdisjoint(values):
            yield from (_problem("placeholder", name) for name, value in fields.items() if value in PLACEHOLDERS)
        if _TRACES(joined):
            for name, value in fields.items():
                code = _damage(value)
                if code and name not in self._keys:
                    yield _problem(code, name)
        if delimiter is not None and "\n" in joined:
            width = len(fields)
            for at, (name, value) in enumerate(fields.items()):
                if "\n" in value and _holds_rows(value, delimiter, at, width):
                    yield _problem("rows_in_cell", name)


def _is_sent(row: Row, source: Mapping[str, Any], column: str | None) -> bool:
    """Tell whether a placeholder is in the record of a row: a mapping may have emptied it, or left it out.

    As an address or a phone number it is refused anyway.
    """
    if row.source is None or row.fields is None or row.part is not None or column is None:
        return row.fields is not None
    texts = [value for name, value in row.fields.items() if type(value) is str and not name.startswith(_NEVER_TEXT)]
    # A mapping may have joined it with other texts.
    return any(source[column] in (text, *_BETWEEN_PARTS.split(text)) for text in texts)


def _problem(code: str, name: str) -> Problem:
    return Problem(code, f"{name} {_DETAILS[code]}", name, stage=Stage.READ)


def _damage(value: str) -> str | None:
    if _ROUNDED(value):
        return "number_rounded"
    if _DECIMAL(value):
        return "number_decimal"
    if _APOSTROPHE(value):
        return "number_apostrophe"
    return "cell_formula" if _FORMULA(value) else None


def _holds_rows(value: str, delimiter: str, at: int, width: int) -> bool:
    """Tell whether a cell, the one `at` this place, is the end of a row, whole rows, and the beginning of a row."""
    if width < 3:  # an address over two lines has a comma, too
        return False
    first, *within, last = (line.count(delimiter) for line in value.split("\n"))
    return (width - 1) in within or (first == width - 1 - at and last == at)
