"""Times of day in words: when a run began, and when it will be done. Pure; all times are local ones."""

import datetime as dt

__all__ = ("after", "done_text", "when_text")

_NEAR_DAYS = 6
"""A day of the week names a day this near without doubt."""


def when_text(time: dt.datetime, now: dt.datetime) -> str:
    """Return a time in the past for people: `today 14:05`, `yesterday 14:05`, `3 Nov 14:05`, `3 Nov 2025`."""
    time = time.astimezone(now.tzinfo)
    days = (now.date() - time.date()).days
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {time:%H:%M}"
    is_this_year = time.year == now.year
    return f"{time.day} {time:%b %H:%M}" if is_this_year else f"{time.day} {time:%b %Y}"


def after(now: dt.datetime, seconds: float) -> dt.datetime:
    """Return the local time so many seconds after another one, also if clocks change in between."""
    # Python adds to an aware time what a clock on the wall shows.
    return (now.astimezone(dt.UTC) + dt.timedelta(seconds=seconds)).astimezone(now.tzinfo)


def done_text(seconds: float, now: dt.datetime) -> str:
    """Return when a run will be done: `done at about 14:05, in 1 h 12 min`; the day is named if it is another one."""
    from bulkgladly.runs.observer import duration_text

    end = after(now, seconds)
    days = (end.date() - now.date()).days
    if days == 0:
        day = ""
    elif days == 1:
        day = "tomorrow "
    else:
        day = f"{end:%A} " if days <= _NEAR_DAYS else f"on {end.day} {end:%B} "
    return f"done {day}at about {end:%H:%M}, in {duration_text(seconds)}"
