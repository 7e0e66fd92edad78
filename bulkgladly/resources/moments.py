"""Times as the API writes and takes them: RFC 3339 with a zone. Pure."""

import datetime as dt
import re

__all__ = ("moment_of", "written")

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")


def moment_of(text: object) -> dt.datetime | None:
    """Return the moment that a text in RFC 3339 names, in UTC; None where it names none.

    Fractions have 0 to 9 digits; what is below microseconds is cut.
    """
    found = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in "Zz" else zone
    try:
        return dt.datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone}").astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def written(moment: dt.datetime) -> str:
    """Return an aware moment in UTC, to the millisecond, as it is sent."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
