"""What the samples tell about one column: how many rows have it, and what its values are. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bulkgladly.mapping.column_shapes import shape, shown
from bulkgladly.mapping.date_evidence import DateReading, dates_in
from bulkgladly.mapping.row_values import Fields, is_empty, text_of
from bulkgladly.source_keys import without_invisible

__all__ = ("Profile", "profiles")

MOST_VALUES = 10_000
_MOST_SHAPES = 1000
MOST_KINDS = 20
"""The most elements of a list that are told apart by their `id` or `type`."""
_PATH_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EMAIL = r"[^@\s,;|<>]+@[^@\s,;|<>]+\.[^@\s,;|<>]+"
_ONE_EMAIL = re.compile(_EMAIL)
_EMAILS = re.compile(rf"{_EMAIL}(?:\s*[;,|]\s*{_EMAIL})*\s*[;,|]?")
_PHONE = re.compile(r"'?\+?[0-9(][0-9 ()./\u00a0-]{5,18}[0-9](\.0| ?(x|ext\.?) ?\d+)?")
_HTML = re.compile(r"</?(p|div|br|span|b|i|strong|a|ul|li|table|html|body)\b[^<>]*>", re.IGNORECASE)
_MARKS = (";", ",", "|")
_KIND_NAMES = ("type", "kind", "id", "name", "key")


@dataclass(slots=True)
class Profile:
    """What some rows tell about one column, or one path into nested rows.

    `names` are the steps of the path. `filled` counts the rows with a value there. `inside` is the rest of the path if
    it goes into a list of objects, to their `member`; then `values` are those of all its elements.
    """

    names: tuple[str, ...]
    inside: str = ""
    member: str = ""
    rows: int = 0
    filled: int = 0
    values: list[Any] = field(default_factory=list[Any])

    @property
    def path(self) -> str:
        """The path as JMESPath."""
        named = ".".join(name if _PATH_NAME.fullmatch(name) else json.dumps(name) for name in self.names)
        return named + self.inside

    @property
    def is_one_of_a_list(self) -> bool:
        """True if the path finds one element of a list by what tells it from the others, such as the id of a field."""
        return self.inside.startswith("[?")

    @property
    def label(self) -> str:
        """The name by which the column is recognised, and an attribute made of it is called."""
        return self.member or self.names[-1]

    @property
    def place(self) -> tuple[str, ...]:
        """What tells this column or path from all others."""
        return (*self.names, self.inside, self.member)

    @property
    def is_column(self) -> bool:
        """True if it is a column of the rows, and not a path into them."""
        return len(self.names) == 1 and not self.inside

    @property
    def texts(self) -> list[str]:
        """The values as texts, without lists and objects."""
        return [text_of(value) for value in self.values if not isinstance(value, list | dict)]

    @property
    def distinct(self) -> int:
        """The number of different texts."""
        return len(set(self.texts))

    @property
    def is_unique(self) -> bool:
        """True if every row has a value and no two are equal."""
        return 0 < self.rows == self.filled == self.distinct

    @property
    def is_list_of_objects(self) -> bool:
        """True if the values are lists of objects, each of which could be a record."""
        return bool(self.values) and all(
            isinstance(value, list) and all(isinstance(element, dict) for element in value) for value in self.values
        )

    @property
    def emails(self) -> float:
        """The share of the values that are email addresses, one or several."""
        return self._share(_EMAILS)

    @property
    def phones(self) -> float:
        """The share of the values that look like phone numbers; other numbers may, too."""
        return self._share(_PHONE)

    @property
    def email_mark(self) -> str | None:
        """What stands between several addresses in one value; None if every value has one at most."""
        several = [text for text in self.texts if text.count("@") > 1]
        for mark in _MARKS:
            if any(all(map(_ONE_EMAIL.fullmatch, filter(None, map(str.strip, text.split(mark))))) for text in several):
                return mark
        return None

    @property
    def looks_like_html(self) -> bool:
        """True if a value contains an HTML tag."""
        return any(_HTML.search(text) for text in self.texts)

    def dates(self, *, month_first: bool = True, takes_epoch: bool = True) -> DateReading | None:
        """Return how the values can be read as dates, or None if most are not dates."""
        return dates_in(self.texts, month_first=month_first, takes_epoch=takes_epoch)

    def note(self, *, show_values: bool) -> str:
        """Return a comment about the column: its most frequent shapes or values, and how many rows have it."""
        say = shown if show_values else shape
        common = [text for text, _ in Counter(say(value) for value in self.values[:_MOST_SHAPES]).most_common(3)]
        what = " | ".join(common) or "always empty"
        return f"{what}; in {self.filled:,} of {self.rows:,} rows"

    def _share(self, pattern: re.Pattern[str]) -> float:
        texts = self.texts
        return (
            sum(1 for text in texts if pattern.fullmatch(without_invisible(text).strip())) / len(texts) if texts else 0
        )


def profiles(rows: Iterable[Fields]) -> list[Profile]:
    """Return the profile of every column of some rows, of the members of objects in them, and of those of lists."""
    found: dict[tuple[tuple[str, ...], str, str], Profile] = {}
    number = 0
    for number, row in enumerate(rows, 1):  # noqa: B007 - counted on purpose
        for names, value in _leaves(row):
            _add(found, names, "", "", [] if is_empty(value) else [value])
            if isinstance(value, list) and value and all(isinstance(element, dict) for element in value):
                for (inside, member), values in _elements(value).items():
                    _add(found, names, inside, member, values)
    for profile in found.values():
        profile.rows = number
    many = Counter(one.names for one in found.values() if one.inside)
    above = {one.names[:depth] for one in found.values() for depth in range(1, len(one.names))}
    kept = [one for one in found.values() if not one.inside or many[one.names] <= MOST_KINDS]
    # An object that is empty in some rows has its members in others.
    return [one for one in kept if one.filled or one.names not in above]


def _add(
    found: dict[tuple[tuple[str, ...], str, str], Profile],
    names: tuple[str, ...],
    inside: str,
    member: str,
    values: list[Any],
) -> None:
    profile = found.setdefault((names, inside, member), Profile(names, inside, member))
    if values:
        profile.filled += 1
        if len(profile.values) < MOST_VALUES:
            profile.values += values


def _elements(elements: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[Any]]:
    """Return the values of the members of a list's objects, by the path from the list and the name of the member.

    Objects such as `{"id": 7, "value": "x"}` are told apart by their first member.
    """
    found: dict[tuple[str, str], list[Any]] = {}
    for element in elements:
        kind = next((name for name in _KIND_NAMES if name in element), None)
        which = None if kind is None or "value" not in element else element[kind]
        if isinstance(which, str | int) and not isinstance(which, bool):
            _collect(found, f"[?{kind} == {_literal(which)}].value", str(which), element["value"])
            continue
        for name, value in element.items():
            if not isinstance(value, dict | list) and _PATH_NAME.fullmatch(name):
                _collect(found, f"[].{name}", name, value)
    return found


def _collect(found: dict[tuple[str, str], list[Any]], inside: str, last: str, value: Any) -> None:
    values = found.setdefault((inside, last), [])
    if not is_empty(value):
        values.append(value)


def _literal(value: str | int) -> str:
    return f"`{value}`" if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _leaves(row: Mapping[str, Any], names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in row.items():
        if isinstance(value, dict) and value and len(names) < 3:
            yield from _leaves(value, (*names, name))
        else:
            yield (*names, name), value
