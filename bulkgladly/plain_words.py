"""Numbers, spans of time and reasons of a run, as people read them."""

import datetime as dt
from collections.abc import Mapping

__all__ = ("cause_text", "counted", "day_text", "duration_text", "share_text")

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_CAUSES: Mapping[str, str] = {
    "SIGINT": "somebody pressed Ctrl-C",
    "SIGINT, twice": "somebody pressed Ctrl-C twice",
    "SIGTERM": "the system or another person ended it",
    "SIGTERM, twice": "the system or another person ended it",
    "runs stop": "somebody stopped it with runs stop",
    "SIGHUP": "its terminal was closed",
}


def counted(number: int, word: str) -> str:
    """Return a number with its noun: 1 row, 2,000 rows."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def duration_text(seconds: float) -> str:
    """Return a duration for people: less than 1 s, 42 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if 0 < seconds < 1:
        return "less than 1 s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def share_text(part: int, whole: int) -> str:
    """Return a share in percent. It is rounded, but 100 % is all of it, and more than nothing is not 0 %."""
    # 99.96 % of a million rows leaves 400 undone: "100 %" would hide them.
    tenths = 1000 if part == whole else min(999, round(1000 * part / whole))
    return "<0.1 %" if part and not tenths else f"{tenths / 10:g} %"


def day_text(moment: dt.datetime) -> str:
    """Return a day: `27 November 2026`."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def cause_text(reason: str | None) -> str:
    """Return why a session ended early, in plain words."""
    if reason is None:
        return "the process was killed, or the machine went down"
    return _CAUSES.get(reason, reason)
