"""Numbers as people write them: digits, and a point before decimals.

`int()` and `float()` take much more: `1_0`, ` 5 `, `1e3`, `nan`, and the digits of every script. What somebody
did not mean as a number must not become one.
"""

import re

__all__ = ("decimal_number", "percentage", "whole_number")

_MOST_DIGITS = 300
"""More make infinity of a float, and `int` refuses to read many thousands."""
_WHOLE = re.compile(rf"[0-9]{{1,{_MOST_DIGITS}}}")
_DECIMAL = re.compile(rf"[0-9]{{1,{_MOST_DIGITS}}}(?:\.[0-9]{{1,{_MOST_DIGITS}}})?|\.[0-9]{{1,{_MOST_DIGITS}}}")


def whole_number(text: str) -> int | None:
    """Return a whole number that is not negative, such as `500`; None if the text is not one."""
    return int(text) if _WHOLE.fullmatch(text) else None


def decimal_number(text: str) -> float | None:
    """Return a number that is not negative, such as `5`, `0.5` or `.5`; None if the text is not one."""
    return float(text) if _DECIMAL.fullmatch(text) else None


def percentage(text: str) -> float | None:
    """Return the number before the sign of a percentage, such as `5%` or `0.5%`; None if the text is not one."""
    return decimal_number(text[:-1]) if text.endswith("%") else None
