"""Finds out how a column writes its numbers: thousands, decimals, currency. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bulkgladly.placeholders import PLACEHOLDERS

__all__ = ("NumberReading", "numbers_in")

_MOSTLY = 0.8
"""A column holds numbers if this share of its values are numbers."""
_CURRENCY = re.compile(r"[$€£¥₹]|\b(?:USD|EUR|GBP|CAD|AUD|CHF|JPY)\b")
_FORMS = (
    (None, ".", re.compile(r"[+-]?\d+(?:\.\d+)?")),
    (",", ".", re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")),
    (".", ",", re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?")),
    (" ", ",", re.compile(r"[+-]?(?:\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d+)(?:,\d+)?")),
    ("'", ".", re.compile(r"[+-]?(?:\d{1,3}(?:['\u2019]\d{3})+|\d+)(?:\.\d+)?")),
)
_EXACT_DIGITS = 15
_CODES = 0.02


@dataclass(frozen=True, slots=True)
class NumberReading:
    """How the numbers of a column can be read. `thousands` is None if none has a separator."""

    is_whole: bool
    thousands: str | None = None
    decimal: str = "."
    has_currency: bool = False

    def options(self) -> list[tuple[str, object]]:
        """Return the options of a mapping that read them."""
        found: list[tuple[str, object]] = [("as", "integer" if self.is_whole else "number")]
        found += [("thousands", self.thousands)] if self.thousands is not None else []
        found += [("decimal", self.decimal)] if self.decimal != "." and not self.is_whole else []
        return found + ([("currency", True)] if self.has_currency else [])


def numbers_in(texts: Sequence[str]) -> NumberReading | None:
    """Return how the numbers in some texts can be read, or None if most are not numbers.

    Digits with a zero in front, or more of them than a number holds, are a text: a post code, or the number of a card.
    """
    values = [text for text in map(str.strip, texts) if text and text not in PLACEHOLDERS]
    bare = [_CURRENCY.sub("", value).strip() for value in values]
    counts = [sum(1 for value in bare if pattern.fullmatch(value)) for _, _, pattern in _FORMS]
    best = max(range(len(_FORMS)), key=lambda at: counts[at])
    if not values or counts[best] < _MOSTLY * len(values):
        return None
    thousands, decimal, pattern = _FORMS[best]
    numbers = [value for value in bare if pattern.fullmatch(value)]
    if sum(map(_is_code, numbers)) > _CODES * len(numbers):
        return None
    is_whole = not any(decimal in value for value in numbers)
    has_currency = any(value != stripped for value, stripped in zip(values, bare, strict=True))
    return NumberReading(is_whole, thousands, decimal, has_currency)


def _is_code(value: str) -> bool:
    digits = value.lstrip("+-")
    return (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()) or len(digits) > _EXACT_DIGITS
