"""RFC 3339 texts: 0 to 9 fraction digits, Z or an offset. Pure.

Minutes, seconds and the minutes of an offset may be missing, since Arrow reads such texts too.
"""

import datetime as dt
import re
from typing import NamedTuple

__all__ = ("Moment", "canonical", "is_plain", "moment_of")

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d)(:\d\d)?(:\d\d)?(?:\.(\d{1,9}))?([Zz]|[+-]\d\d(?::?\d\d)?)",
    re.ASCII,
)
_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)


class Moment(NamedTuple):
    """A time in UTC to the microsecond, and what was cut off, in nanoseconds."""

    time: dt.datetime
    lost_ns: int


def is_plain(text: str) -> bool:
    """Tell whether a text has the form that Gladly usually writes, which Arrow reads unaided."""
    return _PLAIN.fullmatch(text) is not None and moment_of(text) is not None


def moment_of(text: str) -> Moment | None:
    """Return the time that a text names; None if it is no time with a zone, or outside the years 1 to 9999."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    day, hour, minutes, seconds, fraction, zone = found.groups()
    digits = (fraction or "").ljust(9, "0")
    if fraction and not seconds:
        return None
    try:
        local = dt.datetime.fromisoformat(
            f"{day}T{hour}{minutes or ':00'}{seconds or ':00'}.{digits[:6]}{zone.upper()}"
        )
        return Moment(local.astimezone(dt.UTC), int(digits[6:]))
    except (ValueError, OverflowError):
        return None


def canonical(time: dt.datetime) -> str:
    """Return a time in UTC as text, with three fraction digits, or six where needed."""
    precision = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
