"""Dates that are moved, and what happens to those outside of a period. Pure."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bulkgladly.mapping.definitions import Definitions
from bulkgladly.mapping.row_values import Unmappable
from bulkgladly.mapping.tables import Table
from bulkgladly.times import written_time

__all__ = ("AllowedPeriod", "compile_period", "compile_shift")

_AMOUNT = re.compile(r"([+-]?)([0-9]{1,5})([wdhm])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_LAST = dt.timedelta(milliseconds=1)

_SOME_DAY = dt.date(2000, 1, 1)

Shift = Callable[[dt.datetime], dt.datetime]


@dataclass(frozen=True, slots=True)
class AllowedPeriod:
    """The period in which a time must be, both ends included, and what happens outside: reject, drop or limit."""

    first: dt.datetime | None
    last: dt.datetime | None
    outside: str
    has_day: bool = True
    """Whether the day is known that the ends are relative to; if not, the mapping can only be looked at."""

    def kept(self, moment: dt.datetime, zone: dt.tzinfo | None, *, is_day: bool) -> dt.datetime | None:
        """Return a time if it is in the period, or the end of the period that is next to it; None to drop it.

        With `is_day` only the days are compared. A time without an offset is one of the zone, or else UTC.

        Raises:
            Unmappable: It is outside, and must not be.
        """
        if not self.has_day:
            raise RuntimeError("the day that dates are relative to was not given for this mapping")
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone or dt.UTC)
        # The day that is written, which is that of the zone.
        day = moment if zone is None else aware.astimezone(zone)
        for end, sign, name in ((self.first, 1, "not_before"), (self.last, -1, "not_after")):
            if end is None or not _is_beyond(day if is_day else aware, end.astimezone(zone or dt.UTC), sign, is_day):
                continue
            if self.outside == "limit":
                return end.astimezone(zone or dt.UTC)
            if self.outside == "drop":
                return None
            word = "earlier" if sign == 1 else "later"
            raise Unmappable(f"is {word} than {name} allows ({end.date()}); correct it, or set outside")
        return moment


def _is_beyond(moment: dt.datetime, end: dt.datetime, sign: int, is_day: bool) -> bool:
    if is_day:
        return (end.date() - moment.date()).days * sign > 0
    return (end - moment).total_seconds() * sign > 0


def compile_shift(table: Table, zone: dt.tzinfo | None) -> Shift | None:
    """Return the operation of `add` in a table, or None.

    Weeks and days are added by the calendar of the zone, so that a time of day stays; hours and minutes exactly.

    Raises:
        UsageError: It is not valid.
    """
    text = table.text("add")
    if text is None:
        return None
    amount = _amount(text)
    if amount is None:
        table.fail("add", f"{text!r} is not a time span; write a number with w, d, h or m, such as 3d or -12h")
    if text[-1] in "wd":
        # By the calendar of the zone: a day is not always 24 hours long there.
        return lambda moment: (moment if None in (zone, moment.tzinfo) else moment.astimezone(zone)) + amount

    def shift(moment: dt.datetime) -> dt.datetime:
        if moment.tzinfo is None and zone is None:
            return moment + amount
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        return aware.astimezone(dt.UTC) + amount

    return shift


def compile_period(table: Table, zone: dt.tzinfo | None, definitions: Definitions) -> AllowedPeriod | None:
    """Return what `not_before`, `not_after` and `outside` of a table say, or None.

    Raises:
        UsageError: One of them is not valid.
    """
    outside = table.choice("outside", ("reject", "drop", "limit"))
    first = _end(table, "not_before", zone, definitions, is_last=False)
    last = _end(table, "not_after", zone, definitions, is_last=True)
    if first is None and last is None:
        if outside is not None:
            table.fail("outside", "needs not_before or not_after")
        return None
    if first is not None and last is not None and first > last:
        table.fail("not_after", "is before not_before; exchange them")
    given = [definitions.variables.resolved(table.value(key), table, key) for key in ("not_before", "not_after")]
    is_relative = any(isinstance(one, str) and _amount(one) is not None for one in given)
    return AllowedPeriod(
        first, last, outside or "reject", has_day=not is_relative or definitions.given.today is not None
    )


def _end(
    table: Table, key: str, zone: dt.tzinfo | None, definitions: Definitions, *, is_last: bool
) -> dt.datetime | None:
    given: Any = definitions.variables.resolved(table.value(key), table, key)
    if given is None:
        return None
    if isinstance(given, dict) and set(given) == {"var", "add"}:
        return _moved_end(table, key, given, zone, definitions, is_last=is_last)
    text = given if isinstance(given, str) else ""
    amount, moment = _amount(text), written_time(text)
    if amount is not None:
        try:
            moment = dt.datetime.combine(definitions.given.today or _SOME_DAY, dt.time()) + amount
        except OverflowError:
            table.fail(key, f"{text!r} is outside the years 1 to 9999")
    if moment is None:
        table.fail(key, "must be a time span such as -360d, a date such as 2026-12-01, or { var = … } with one")
    is_day = text[-1] in "wd" if amount is not None else ":" not in text
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone or dt.UTC)
    return moment + dt.timedelta(days=1) - _LAST if is_day and is_last else moment


def _moved_end(
    table: Table, key: str, given: dict[str, Any], zone: dt.tzinfo | None, definitions: Definitions, *, is_last: bool
) -> dt.datetime:
    """Return the end that a variable names, moved by a span: `{ var = "go_live", add = "-350d" }`."""
    part = Table(table.file, f"{table.name}.{key}", {key: {"var": given["var"]}, "add": given["add"]})
    end, shift = _end(part, key, zone, definitions, is_last=is_last), compile_shift(part, zone)
    if end is None or shift is None:
        table.fail(key, "needs the value of a variable and a span, both in quotes")
    return shift(end)


def _amount(text: str) -> dt.timedelta | None:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    sign, number, unit = found.groups()
    return dt.timedelta(**{_UNITS[unit]: int(number) * (-1 if sign == "-" else 1)})
