"""The shape of values, which says what a column holds without showing it. Pure."""

import re
from typing import Any

from bulkgladly.mapping.row_values import text_of

__all__ = ("masked", "shape", "shown")

MOST_SHOWN = 40
_RUN = re.compile(r"(.)\1{3,}")


def shape(value: Any) -> str:
    """Return the shape of a value: letters as a or A, digits as 9, long runs shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, dict):
        return f"object with {', '.join(shown(name) for name in sorted(value)[:6]) or 'nothing'}"
    if isinstance(value, list):
        return f"list of {len(value)}" + (f": {shape(value[0])}" if value else "")
    masked = "".join(_mask(char) for char in text_of(value)[: 4 * MOST_SHOWN])
    masked = _RUN.sub(lambda run: f"{run[1]}{run[1]}…{run[1]}", masked)
    return masked if len(masked) <= MOST_SHOWN else masked[: MOST_SHOWN - 1] + "…"


def masked(value: Any) -> Any:
    """Return a value of the same kind and length without what it says: letters as a or A, digits as 9.

    Numbers become texts of their digits, and true or false says no more than that.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, dict):
        return {name: masked(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    return "".join(map(_mask, text_of(value)))


def shown(value: Any) -> str:
    """Return a value itself, on one line and shortened: only for users who asked for `--show-values`."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def _mask(char: str) -> str:
    if char.isnumeric():
        return "9"
    if char.isalpha():
        return "A" if char.isupper() else "a"
    return char if char.isprintable() else " "
