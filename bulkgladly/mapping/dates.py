"""Converts dates of other systems to the one form that Gladly accepts. Pure."""

import contextlib
import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any

from bulkgladly.choices import closest
from bulkgladly.mapping.date_periods import AllowedPeriod, compile_period, compile_shift
from bulkgladly.mapping.definitions import NO_DEFINITIONS, Definitions
from bulkgladly.mapping.row_values import MISSING, Unmappable, is_empty, text_of
from bulkgladly.mapping.tables import Table
from bulkgladly.times import to_milliseconds, written_time

__all__ = ("DATE_FORMS", "DateConversion", "compile_dates", "compile_zone")

DATE_FORMS = ("timestamp", "date")
_EPOCHS = {"epoch": 1_000_000, "epoch_ms": 1000}
"""Microseconds per unit."""
_OF_DATES = ("add", "not_before", "not_after", "outside")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NUMBER = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,9}))?")
_HAS_OFFSET = re.compile(r"(?<!%)(%%)*%z")
_DIRECTIVES = re.compile(r"%(.)", re.DOTALL)
_YEARS = frozenset("YyGcxDF")
_HAS_DIRECTIVE = re.compile(r"%[a-zA-Z]")

Reader = Callable[[str], dt.datetime]


class DateConversion:
    """The operation for the dates of one field: read in one of several forms, moved, kept in a period, and written."""

    def __init__(
        self,
        readers: Mapping[str, Reader],
        zone: dt.tzinfo | None,
        form: str,
        shift: Callable[[dt.datetime], dt.datetime] | None,
        period: AllowedPeriod | None,
    ) -> None:
        self._readers, self._zone, self._form = readers, zone, form
        self._shift, self._period = shift, period

    @property
    def can_be_ambiguous(self) -> bool:
        """True if one text can be read in several forms. The epochs count as one, since they differ by their size."""
        return len({"epoch" if form in _EPOCHS else form for form in self._readers}) > 1

    def __call__(self, value: Any) -> Any:
        """Return a value as Gladly needs it, or `MISSING` if it is to be left out.

        Raises:
            Unmappable: It is not a time in any of the forms, or outside of the period.
        """
        text = text_of(value).strip()
        for read in self._readers.values():
            try:
                moment = read(text)
            except (ValueError, OverflowError, OSError):
                continue
            return self._finished(moment)
        raise Unmappable(f"is not a time in the form {' or '.join(self._readers)}; add its format to date")

    def is_ambiguous(self, value: Any) -> bool:
        """Tell whether a value is another day in another of the forms."""
        if isinstance(value, list):
            return any(map(self.is_ambiguous, value))
        if is_empty(value) or isinstance(value, dict):
            return False
        days: set[dt.date] = set()
        has_epoch = False
        for form, read in self._readers.items():
            if has_epoch and form in _EPOCHS:
                continue
            with contextlib.suppress(ValueError, OverflowError, OSError):
                days.add(read(text_of(value).strip()).date())
                has_epoch = has_epoch or form in _EPOCHS
        return len(days) > 1

    def _finished(self, moment: dt.datetime) -> Any:
        try:
            if self._shift is not None:
                moment = self._shift(moment)
            if self._period is not None:
                kept = self._period.kept(moment, self._zone, is_day=self._form == "date")
                return MISSING if kept is None else _written(kept, self._zone, self._form)
            return _written(moment, self._zone, self._form)
        except OverflowError:
            raise Unmappable("is a time outside the years 1 to 9999") from None


def compile_dates(table: Table, definitions: Definitions = NO_DEFINITIONS) -> DateConversion | None:
    """Return the operation for `date` of a field and the options that belong to it, or None.

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
        needless = ("date_as", *_OF_DATES, *(() if "template" in table else ("zone",)))  # a template has times, too
        if stray := table.given(needless):
            table.fail(stray[0], "needs date, the format of the times")
        return None
    formats = given if isinstance(given, list) else [given]
    if not formats or not all(isinstance(one, str) for one in formats):
        table.fail("date", "must be iso, epoch, epoch_ms, a pattern like %d.%m.%Y, or a list of them")
    # Milliseconds are too large to be seconds, and so are tried last: seconds would be days in January 1970.
    formats = sorted(formats, key=lambda one: one == "epoch_ms") if "epoch" in formats else formats
    shift, period = compile_shift(table, zone), compile_period(table, zone, definitions)
    return DateConversion({one: _reader(one, zone, form, table) for one in formats}, zone, form, shift, period)


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
    names = _DIRECTIVES.findall(form)
    if "Z" in names:
        table.fail(
            "date",
            f"{form}: %Z cannot be used, since names of time zones mean different times; use %z for "
            'offsets, or write the name as it stands in the rows, with zone: date = "%d.%m.%Y %H:%M UTC"',
        )
    if not _YEARS & set(names):
        table.fail("date", f"{form} has no year (%Y or %y), so every date would be in 1900")
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
    return to_milliseconds(moment)
