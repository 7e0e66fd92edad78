"""Texts of the command line as numbers: shares, spans of time, sizes, rates, error budgets."""

import math
import re

from bulkgladly.errors import UsageError
from bulkgladly.plain_numbers import decimal_number, percentage, whole_number

__all__ = ("bounded", "bytes_of", "concurrency_of", "error_budget_of", "rate_of", "seconds_of", "share_of")

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?)B?", re.ASCII)
_BYTES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
MOST_NUMBER = 2**53 - 1  # the largest whole number that is exact in JSON readers that use floats
MOST_SECONDS = 3650 * 86400.0  # ten years, far below where dates overflow
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def share_of(text: str, *, flag: str = "--reserve", can_be_all: bool = False) -> float:
    """Return a share from 0 to below 1, or with `can_be_all` to 1, written as 0.1 or 10%.

    Raises:
        UsageError: Not a share.
    """
    percent = percentage(text)
    share = percent / 100 if percent is not None else decimal_number(text)
    if share is None or share > 1 or (share == 1 and not can_be_all):
        most = "to 1" if can_be_all else "to below 1"
        raise UsageError(f"{flag} {text} is not a share from 0 {most}; use 0.1 or 10%, for example")
    return share


def seconds_of(flag: str, text: str) -> float:
    """Return a span of time in seconds, written as 90, 90s, 30m, 8h or 2d.

    Raises:
        UsageError: Not a span.
    """
    found = _SPAN.fullmatch(text.strip())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 0 < seconds <= MOST_SECONDS:
        raise UsageError(f"{flag} {text} is not a time above 0; use 90s, 30m, 8h or 2d, for example")
    return seconds


def bytes_of(flag: str, text: str) -> int:
    """Return a size in bytes, written as 1000, 500MB, 20GB.

    Raises:
        UsageError: Not a size above 0.
    """
    found = _SIZE.fullmatch(text.strip())
    size = float(found[1]) * _BYTES[found[2]] if found else 0.0
    if not 1 <= size <= MOST_NUMBER:
        raise UsageError(f"{flag} {text} is not a size above 0; use 500MB or 20GB, for example")
    return int(size)


def rate_of(text: str, *, what: str = "--rate ") -> float:
    """Return requests per second; infinity for `unlimited`. `what` is named in the error.

    Raises:
        UsageError: Not a rate.
    """
    if text == "unlimited":
        return math.inf
    rate = decimal_number(text)
    if not rate:
        raise UsageError(f"{what}{text} is not a number of requests a second above 0; use 5, for example")
    return rate


def bounded(number: int) -> int:
    """Return a count, at most the largest whole number that every JSON reader can hold. More would be no limit."""
    return min(number, MOST_NUMBER)


def concurrency_of(text: str) -> int | None:
    """Return how many requests may be in flight at once; None for `auto`.

    Raises:
        UsageError: Not a number from 1 to 1000.
    """
    if text == "auto":
        return None
    number = whole_number(text)
    if number is None or not 1 <= number <= 1000:
        raise UsageError(f"--concurrency {text} is not valid; use auto, or a number from 1 to 1000")
    return number


def error_budget_of(text: str) -> tuple[int | None, float | None]:
    """Return how many records may be rejected: a count and None, or None and a percentage.

    Raises:
        UsageError: Neither.
    """
    percent, count = percentage(text), whole_number(text)
    if percent is not None and percent <= 100:
        return None, percent
    if count is not None:
        return bounded(count), None
    raise UsageError(f"--max-errors {text} is not valid; use a count such as 100, or a percentage such as 1%")
