"""Times as texts in RFC 3339: one grammar for reading, and the forms for writing. Pure."""

import datetime as dt
import re
from typing import NamedTuple

__all__ = ("Moment", "canonical", "is_plain", "moment_of", "time_of", "to_milliseconds", "written_time")

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d)(:\d\d)?(:\d\d)?(?:\.(\d{1,9}))?([Zz]|[+-]\d\d(?::?\d\d)?)",
    re.ASCII,
)
_WRITTEN = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[Tt ]((?:[01]\d|2[0-3]):[0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?"
    r"(?: ?([Zz]|UTC|GMT|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d(?::[0-5]\d)?)?))?)?",
    re.ASCII,
)
_UTC = ("Z", "z", "UTC", "GMT")
_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_OFFSET = len("+00:00")


class Moment(NamedTuple):
    """A time in UTC to the microsecond, and what was cut off, in nanoseconds."""

    time: dt.datetime
    lost_ns: int


def is_plain(text: str) -> bool:
    """Tell whether a text has the form that Gladly usually writes, which Arrow can read by itself."""
    return _PLAIN.fullmatch(text) is not None and moment_of(text) is not None


def moment_of(text: str) -> Moment | None:
    """Return the time that a text names; None if it is not a time with a zone, or not in the years 1 to 9999.

    Fractions have 0 to 9 digits. Minutes, seconds and the minutes of an offset may be
    missing, since Arrow reads such texts, too.
    """
    found = _FORM.fullmatch(text)
    return None if found is None else _moment(found)


def time_of(value: object) -> dt.datetime | None:
    """Return the time that a text in RFC 3339 names, in UTC; None for all else, also if a part is missing.

    Digits below microseconds are cut off.
    """
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None or not found[4] or 1 < len(found[6]) < _OFFSET:
        return None
    moment = _moment(found)
    return moment and moment.time


def _moment(found: re.Match[str]) -> Moment | None:
    day, hour, minutes, seconds, fraction, zone = found.groups()
    if fraction and not seconds:
        return None
    digits = (fraction or "").ljust(9, "0")
    try:
        local = dt.datetime.fromisoformat(
            f"{day}T{hour}{minutes or ':00'}{seconds or ':00'}.{digits[:6]}{zone.upper()}"
        )
        return Moment(local.astimezone(dt.UTC), int(digits[6:]))
    except (ValueError, OverflowError):
        return None


def written_time(text: str) -> dt.datetime | None:
    """Return the time that people and programs write in ISO 8601, whatever they leave out; None for all else.

    It may be a day alone, and seconds and the minutes of an offset may be missing. Without an offset, the time is
    naive. Digits below microseconds are cut off.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        return None
    day, clock, seconds, fraction, zone = found.groups()
    # The library's parser would also take weeks, bare digits and any separator.
    exact = f"{day}T{clock or '00:00'}:{seconds or '00'}.{(fraction or '0')[:6]:0<6}"
    try:
        return dt.datetime.fromisoformat(exact + ("" if zone is None else "+00:00" if zone in _UTC else zone))
    except ValueError:
        return None


def to_milliseconds(time: dt.datetime) -> str:
    """Return a time as it is sent: in UTC, with three fraction digits; further digits are cut off."""
    return _in_utc(time, "milliseconds")


def canonical(time: dt.datetime) -> str:
    """Return a time in UTC with three fraction digits, or six if needed."""
    return _in_utc(time, "microseconds" if time.microsecond % 1000 else "milliseconds")


def _in_utc(time: dt.datetime, precision: str) -> str:
    # Z and not +00:00, since the plus of an offset must be escaped in a URL.
    return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
