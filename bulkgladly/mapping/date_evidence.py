"""Finds out in which forms a column has its dates, from the values alone. Pure."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bulkgladly.placeholders import PLACEHOLDERS

__all__ = ("DateReading", "dates_in")

_MOSTLY = 0.6
"""A column holds dates if this share of its values can be read as dates."""
_FURTHER = 0.001
"""A further form is named if it reads this share of the values, and at least two of them."""

_SPECIAL = (
    ("iso", re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?Z|[+-]\d\d(:?\d\d)?)")),
    ("iso local", re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?")),
    ("epoch_ms", re.compile(r"1[0-9]{12}")),
    ("epoch", re.compile(r"1[0-9]{9}")),
)
_DAYS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_PATTERNS = tuple(day + clock for day in _DAYS for clock in _CLOCKS)
_PARTS = {
    "%Y": r"\d{4}", "%y": r"\d\d", "%m": r"\d\d?", "%d": r"\d\d?", "%b": "[A-Za-z]{3}", "%B": "[A-Za-z]{3,9}",
    "%H": r"\d\d?", "%I": r"\d\d?", "%M": r"\d\d", "%S": r"\d\d", "%p": "[AaPp][Mm]",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DateReading:
    """How the dates of a column can be read: `forms` for `date` of a mapping, the most frequent first.

    `is_local` says that some have no offset, `has_clock` that some have a time of day. `doubt` tells what a person
    must decide: values that fit two forms, or the other order of day and month.
    """

    forms: tuple[str, ...]
    is_local: bool
    has_clock: bool
    doubt: str = ""


def dates_in(texts: Sequence[str], *, month_first: bool = True, takes_epoch: bool = True) -> DateReading | None:
    """Return how the dates in some texts can be read, or None if most of them are not dates.

    If nothing tells whether the day or the month comes first, `month_first` decides. `takes_epoch` allows numbers of
    seconds or milliseconds, which may be anything unless the name of the column says that it holds times.
    """
    values = [text for text in map(str.strip, texts) if text and text not in PLACEHOLDERS]
    read: dict[str, set[int]] = {}
    for index, value in enumerate(values):
        for form in _forms_of(value):
            if takes_epoch or not form.startswith("epoch"):
                read.setdefault(form, set()).add(index)
    forms, doubts, number = _chosen(read, len(values), month_first)
    if any("%y" in form for form in forms):
        # For a date of birth, a year of 65 is most likely 1965, and nothing in the value says so.
        doubts.append("years have two digits: 69 to 99 become 1969 to 1999, 00 to 68 become 2000 to 2068")
    if not values or number < _MOSTLY * len(values):
        return None
    return DateReading(
        tuple(dict.fromkeys(form.removesuffix(" local") for form in forms)),
        is_local=any(form != "iso" and not form.startswith("epoch") for form in forms),
        has_clock=any(_has_clock(form, values) for form in forms),
        doubt="; ".join(doubts),
    )


def _chosen(read: dict[str, set[int]], of: int, month_first: bool) -> tuple[list[str], list[str], int]:
    """Return the forms that read the most values, what a person must decide about them, and how many they read.

    `read` has the values that each form reads. Of two forms that differ by the order of day and month, only one is
    taken: in a file that mixes them, nobody can tell the days apart.
    """
    forms: list[str] = []
    doubts: list[str] = []
    done: set[int] = set()
    left = dict(read)
    while left:
        form = max(left, key=lambda one: (len(left[one] - done), _rank(one, month_first)))
        found = left.pop(form) - done
        # One value is enough for the form that cannot be mistaken for another.
        if len(found) < (1 if not forms or form.startswith("iso") else max(2, _FURTHER * of)):
            continue
        if (other := _swapped(form)) is not None:
            doubts += _doubt(other, found, read.get(other, set()))
        left = {one: values for one, values in left.items() if not _is_other_order(one, form)}
        forms.append(form)
        done |= found
    return forms, doubts, len(done)


def _rank(form: str, month_first: bool) -> int:
    """Return which of two forms that read equally many values to take; the higher number wins."""
    if form == "iso":
        return 2
    return 1 if _is_month_first(form) == month_first else 0


def _is_month_first(form: str) -> bool:
    return form.startswith("%m")


def _is_other_order(form: str, other: str) -> bool:
    """Tell whether two forms with equal separators begin one with the day and the other with the month."""
    both = {form[:2], other[:2]} == {"%m", "%d"}
    return both and form[2] == other[2] and form[3:5] in ("%m", "%d") and other[3:5] in ("%m", "%d")


def _doubt(other: str, found: set[int], also: set[int]) -> list[str]:
    if found == also:
        return [f"all values also fit {other}: check which comes first, the day or the month"]
    against = len(also - found)
    if not against:
        return []
    return [f"{against:,} value{' fits' if against == 1 else 's fit'} only {other} and cannot be read"]


def _swapped(form: str) -> str | None:
    """Return a form with day and month in the other order, if it is one that values may fit as well."""
    found = form.replace("%m", "%_").replace("%d", "%m").replace("%_", "%d")
    return found if found != form and found in _PATTERNS else None


def _has_clock(form: str, values: Sequence[str]) -> bool:
    if form.startswith("epoch") or form == "iso":
        return True
    return "%M" in form or (form == "iso local" and any(":" in value for value in values))


@lru_cache(maxsize=4096)
def _forms_of(text: str) -> tuple[str, ...]:
    if len(text) > 40 or not any(char.isdigit() for char in text):
        return ()
    found = [form for form, pattern in _SPECIAL if pattern.fullmatch(text) and _is_date(text, form)]
    return (*found, *(form for form, pattern in _compiled() if pattern.fullmatch(text) and _is_date(text, form)))


def _is_date(text: str, form: str) -> bool:
    """Tell whether the numbers are those of a day: 00/00/0000 has the form only."""
    if form.startswith("epoch"):
        return True
    try:
        moment = dt.datetime.fromisoformat(text[:10]) if form[0] != "%" else dt.datetime.strptime(text, form)  # noqa: DTZ007 - only to see whether it can be read
    except ValueError:
        return False
    return moment.year > 1


@lru_cache(maxsize=1)
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((form, re.compile(_as_regular_expression(form))) for form in _PATTERNS)


def _as_regular_expression(form: str) -> str:
    text = re.escape(form).replace(r"\ ", " ").replace("%", "%")
    for part, pattern in _PARTS.items():
        text = text.replace(part, pattern)
    return text
