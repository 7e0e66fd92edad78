"""Reads numbers as people and programs write them: with separators, a currency, or neither. Pure."""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bulkgladly.mapping.row_values import Unmappable, text_of
from bulkgladly.mapping.tables import Table

__all__ = ("compile_number",)

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_SYMBOLS = (
    "$¢£¤¥\u058f\u060b\u07fe\u07ff\u09f2\u09f3\u09fb\u0af1\u0bf9\u0e3f\u17db\u20a0-\u20cf"
    "\ua838\ufdfc\ufe69\uff04\uffe0\uffe1\uffe5\uffe6"
)
"""All currency signs of Unicode, in the form of a class of a regular expression."""
_UNIT = rf"(?:[^\W\d_]{{1,3}}\.?[{_SYMBOLS}]?|[{_SYMBOLS}])"
"""A sign, a code, or both: `$`, `EUR`, `US$`, `kr.`"""
_MONEY = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[+-]?)\s*{_UNIT}?\s*(?P<number>[+-]?[0-9].*?)\s*(?P<unit>{_UNIT})?\s*(?P<end>\))?"
)
_NO_UNITS = frozenset(
    (
        "k",
        "m",
        "b",
        "t",
        "mm",
        "mn",
        "bn",
        "tn",
        "mil",
        "mio",
        "mrd",
        "mld",
        "tsd",
        "tys",
        "cr",
        "dr",
        "lac",
        "l",
        "тыс",
        "млн",
    )
)
"""Letters beside a number that change what it is worth, and so are no currency: thousands, millions, credit."""
_BLANKS = "\u0020\u00a0\u2009\u202f"
"""What separates thousands if that is a blank."""
_QUOTES = "'\u2019"
_MINUS = str.maketrans({"\u2212": "-"})
_SEPARATORS = (",", ".", " ", "'", "_")


def compile_number(table: Table) -> Callable[[Any], Any] | None:
    """Return the operation of `as = "number"` or `"integer"` of a table, or None.

    `thousands` and `decimal` are the separators in its texts, and with `currency` a sign or a code before or after the
    number is removed; in brackets it is then negative. What is a number already, as in JSON, stays as it is.

    Raises:
        UsageError: The options are not valid.
    """
    kind = table.value("as")
    thousands, decimal = table.choice("thousands", _SEPARATORS), table.choice("decimal", (".", ","))
    has_currency = table.flag("currency")
    if kind not in ("integer", "number"):
        if stray := table.given(("thousands", "decimal", "currency")):
            table.fail(stray[0], 'can only be used with as = "number" or as = "integer"')
        return None
    if thousands is not None and thousands == (decimal or "."):
        table.fail(
            "thousands", f'and decimal are both {thousands!r}; set decimal = "{"," if thousands == "." else "."}"'
        )
    read = _whole if kind == "integer" else _decimal
    if thousands is None and decimal is None and not has_currency:
        return read
    form = _form(thousands, decimal or ".")

    def convert(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return read(value)
        text = text_of(value).strip().translate(_MINUS)
        plain = _plain(_without_currency(text) if has_currency else text, form)
        if plain is None:
            raise Unmappable(f"is not a number {_described(thousands, decimal or '.', has_currency=has_currency)}")
        return read(plain)

    return convert


def _form(thousands: str | None, decimal: str) -> re.Pattern[str]:
    """Return the pattern of a number: groups of three, or of two before the last three as in India; or no groups."""
    groups = ""
    if thousands is not None:
        mark = f"[{re.escape({' ': _BLANKS, chr(39): _QUOTES}.get(thousands, thousands))}]"
        groups = rf"|[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|[0-9]{{1,2}}(?:{mark}[0-9]{{2}})+{mark}[0-9]{{3}}"
    return re.compile(rf"([+-]?)([0-9]+{groups})(?:{re.escape(decimal)}([0-9]+))?")


def _plain(text: str | None, form: re.Pattern[str]) -> str | None:
    found = None if text is None else form.fullmatch(text)
    if found is None:
        return None
    sign, whole, decimals = found.groups()
    digits = re.sub("[^0-9]", "", whole)
    return f"{sign}{digits}.{decimals}" if decimals else f"{sign}{digits}"


def _without_currency(text: str) -> str | None:
    found = _MONEY.fullmatch(text)
    if found is None or (found["open"] is None) != (found["end"] is None):
        return None
    if re.sub(r"[\W_]", "", found["unit"] or "").lower() in _NO_UNITS:
        return None
    signs = [sign for sign in ("-" if found["open"] else "", found["sign"]) if sign]
    number = found["number"]
    if not signs:
        return number
    return None if len(signs) > 1 or number[0] in "+-" else signs[0] + number


def _described(thousands: str | None, decimal: str, *, has_currency: bool) -> str:
    example = f"1{thousands or ''}234{decimal}5"
    currency = " with or without a currency" if has_currency else ""
    return f"such as {example}{currency}; correct it, or set thousands and decimal"


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    text = text_of(value).strip()
    if not _INTEGER.fullmatch(text):
        raise Unmappable("is not a whole number")
    return int(text)


def _decimal(value: Any) -> float:
    text = text_of(value).strip()
    if not _DECIMAL.fullmatch(text) or not math.isfinite(number := float(text)):
        raise Unmappable("is not a number; use a point for decimals and no thousands separator")
    if Decimal(text) != Decimal(repr(number)):
        raise Unmappable('has more digits than a number can hold; keep it as text: as = "text"')
    return number
