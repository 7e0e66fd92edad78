"""Cells of a spreadsheet as the texts that a CSV file would have. Pure, without the library that reads them."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal

__all__ = ("CellValue", "cell_text", "column_letters", "is_formatted_date")

CellValue = str | int | float | bool | datetime | date | time | timedelta | None
"""What the library gives for a cell."""

_LOST_DIGITS = 10**15
"""Spreadsheets keep 15 digits of a number: a larger whole one has lost some."""
_ONLY_ZEROS = re.compile(r"0{2,}(?:;@)?").fullmatch
"""A format such as 00000, which shows the postal code 1234 as 01234."""
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_ESCAPED = re.compile(r"_x(000[9ADad]|005[Ff])_")
"""How Excel writes line breaks and tabs that XML would change, and a `_` before what only looks like one; the library
leaves them as they are."""
_MIDNIGHT = time()


def cell_text(value: CellValue, number_format: str = "General") -> str:
    """Return a cell as text: what it means, and not how many of its digits are shown.

    Dates and times are ISO, whole numbers have no decimals, and a number whose format is zeros only has them in front.
    A whole number that has lost digits gets an exponent, as spreadsheets show it: 1.234567890123457E+16.
    """
    match value:
        case None:
            return ""
        case str():
            return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if "_x0" in value else value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number_text(value, number_format)
        case datetime():
            is_day = value.time() == _MIDNIGHT and is_formatted_date(number_format)
            return value.date().isoformat() if is_day else _moment_text(value)
        case date():
            return value.isoformat()
        case time():
            return _moment_text(value)
        case timedelta():
            return _span_text(value)


def is_formatted_date(number_format: str) -> bool:
    """Tell whether a format shows days and no hours, minutes or seconds."""
    bare = _QUOTED.sub("", number_format).lower()
    return "h" not in bare and "s" not in bare and ("d" in bare or "y" in bare)


def column_letters(number: int) -> str:
    """Return the name of a column, counted from 1: 1 is A, 28 is AB."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _number_text(value: float, number_format: str) -> str:
    if isinstance(value, float) and not value.is_integer():
        return format(Decimal(repr(value)), "f")
    whole = int(value)
    if abs(whole) >= _LOST_DIGITS:
        return f"{Decimal(repr(value)).normalize():E}"
    if _ONLY_ZEROS(number_format):
        return f"{whole:0{number_format.count('0')}d}"
    return str(whole)


def _moment_text(value: datetime | time) -> str:
    return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")


def _span_text(value: timedelta) -> str:
    """Return a duration as spreadsheets show it: 30:00:00."""
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
