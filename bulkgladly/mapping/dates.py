"""Converts dates of other systems to the one form that Gladly accepts. Pure."""

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from bulkgladly.choices import closest
from bulkgladly.mapping.row_values import Unmappable, text_of
from bulkgladly.mapping.tables import Table
from bulkgladly.times import to_milliseconds, written_time

__all__ = ("DATE_FORMS", "compile_dates", "compile_zone")

DATE_FORMS = ("timestamp", "date")
_EPOCHS = {"epoch": 1_000_000, "epoch_ms": 1000}
"""Microseconds per unit."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NUMBER = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,9}))?")
_HAS_OFFSET = re.compile(r"(?<!%)(%%)*%z")
_HAS_DIRECTIVE = re.compile(r"%[a-zA-Z]")

Convert = Callable[[Any], str]


def compile_dates(table: Table) -> Convert | None:
    """Return the operation for `date`, `zone` and `date_as` of a field, or None.

    `date` is `iso` (a day, or a day and a time with or without an offset, with hyphens and colons), `epoch`,
    `epoch_ms` (digits, perhaps with decimals), a strptime pattern, or a list of these, tried in turn. `zone` is the
    time zone of times without an offset. When clocks go back, a time that occurs twice is the earlier one; when they
    go forward, a time that does not exist gets the offset from before. The result is a moment in UTC with
    milliseconds, or a day with `date_as = "date"`.

    Raises:
        UsageError: The table is not valid.
    """
    given = table.value("date")
    zone = compile_zone(table)
    form = table.choice("date_as", DATE_FORMS) or "timestamp"
    if given is None:
        needless = ("date_as",) if "template" in table else ("zone", "date_as")  # a template has places for times
        if stray := table.given(needless):
            table.fail(stray[0], "needs date, the format of the times")
        return None
    formats = given if isinstance(given, list) else [given]
    if not formats or not all(isinstance(one, str) for one in formats):
        table.fail("date", "must be iso, epoch, epoch_ms, a pattern like %d.%m.%Y, or a list of them")
    readers = [_reader(one, zone, form, table) for one in formats]

    def convert(value: Any) -> str:
        text = text_of(value).strip()
        for read in readers:
            try:
                moment = read(text)
            except (ValueError, OverflowError, OSError):
                continue
            return _written(moment, zone, form)
        raise Unmappable(f"is not a time in the form {' or '.join(formats)}; add its format to date")

    return convert


def compile_zone(table: Table) -> zoneinfo.ZoneInfo | None:
    """Return the time zone of a table, or None.

    Raises:
        UsageError: It is not known.
    """
    name = table.text("zone")
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        if not known:
            table.fail("zone", "this system has no time zone data; install it, for example with: pip install tzdata")
        meant = closest(name, known)
        hint = f"; did you mean {meant}?" if meant else ", such as Europe/Berlin"
        table.fail("zone", f"{name!r} is not a time zone of the IANA list{hint}")


def _reader(form: str, zone: dt.tzinfo | None, wanted: str, table: Table) -> Callable[[str], dt.datetime]:
    if form == "iso":
        return _iso
    if form in _EPOCHS:
        unit = _EPOCHS[form]
        return lambda text: _since_epoch(text, unit)
    if not _HAS_DIRECTIVE.search(form):
        table.fail("date", f"{form!r} is not a date format; use iso, epoch, epoch_ms, or a pattern like %d.%m.%Y %H:%M")
    try:
        dt.datetime.strptime("", form)  # noqa: DTZ007 - only to check the pattern
    except (ValueError, re.error) as error:
        if "does not match" not in str(error):
            table.fail("date", f"{form!r} is not a valid strptime pattern")
    if wanted == "timestamp" and zone is None and not _HAS_OFFSET.search(form):
        table.fail("date", f'{form} has no offset (%z); set the time zone of these times, such as zone = "UTC"')
    return lambda text: dt.datetime.strptime(text, form)  # noqa: DTZ007 - the zone is added by `_written`


def _iso(text: str) -> dt.datetime:
    found = written_time(text)
    if found is None:
        raise ValueError("no such form")
    return found


def _since_epoch(text: str, unit: int) -> dt.datetime:
    """Read seconds or milliseconds since 1970, exact to the microsecond; a float would not be."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ValueError("no such form")
    sign, whole, decimals = found.groups()
    micros = int(whole) * unit + int(f"{decimals or '0':0<9}") * unit // 10**9
    return _EPOCH + dt.timedelta(microseconds=-micros if sign else micros)


def _written(moment: dt.datetime, zone: dt.tzinfo | None, form: str) -> str:
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=zone)
    # The day is that of the zone: in UTC it could be the day before.
    if form == "date":
        return (moment if zone is None else moment.astimezone(zone)).date().isoformat()
    if moment.tzinfo is None:
        raise Unmappable('is a time without an offset; set its time zone, such as zone = "Europe/Berlin"')
    try:
        return to_milliseconds(moment)
    except OverflowError:
        raise Unmappable("is a time outside the years 1 to 9999") from None
