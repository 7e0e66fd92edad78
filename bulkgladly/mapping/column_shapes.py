"""Describes the values of a column without showing them. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bulkgladly.mapping.row_values import Fields, is_empty, text_of

__all__ = ("Profile", "masked", "profiles", "shape", "shown")

MOST_SHOWN = 40
MOST_DISTINCT = 1000
_RUN = re.compile(r"(.)\1{3,}")
_PATH_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{5,18}[0-9]")
_HTML = re.compile(r"</?(p|div|br|span|b|i|strong|a|ul|li|table|html|body)\b[^<>]*>", re.IGNORECASE)
_DATES = (
    ("iso", re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")),
    ("iso local", re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?")),
    ("%d.%m.%Y %H:%M:%S", re.compile(r"\d\d?\.\d\d?\.\d{4} \d\d?:\d\d:\d\d")),
    ("%d.%m.%Y %H:%M", re.compile(r"\d\d?\.\d\d?\.\d{4} \d\d?:\d\d")),
    ("%d.%m.%Y", re.compile(r"\d\d?\.\d\d?\.\d{4}")),
    ("%m/%d/%Y %H:%M", re.compile(r"\d\d?/\d\d?/\d{4} \d\d?:\d\d")),
    ("%m/%d/%Y", re.compile(r"\d\d?/\d\d?/\d{4}")),
    ("epoch_ms", re.compile(r"1[0-9]{12}")),
    ("epoch", re.compile(r"1[0-9]{9}")),
)


def shape(value: Any) -> str:
    """Return the shape of a value: letters as a or A, digits as 9, long runs shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, dict):
        return f"object with {', '.join(shown(name) for name in sorted(value)[:6]) or 'nothing'}"
    if isinstance(value, list):
        return f"list of {len(value)}" + (f": {shape(value[0])}" if value else "")
    masked = "".join(_mask(char) for char in text_of(value)[: 4 * MOST_SHOWN])
    masked = _RUN.sub(lambda run: f"{run[1]}{run[1]}…{run[1]}", masked)
    return masked if len(masked) <= MOST_SHOWN else masked[: MOST_SHOWN - 1] + "…"


def masked(value: Any) -> Any:
    """Return a value of the same kind and length without what it says: letters as a or A, digits as 9.

    Numbers become texts of their digits, and true or false says no more than that.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, dict):
        return {name: masked(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    return "".join(map(_mask, text_of(value)))


def shown(value: Any) -> str:
    """Return a value itself, on one line and shortened: only for users who asked for `--show-values`."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


@dataclass(slots=True)
class Profile:
    """What some rows tell about one column, or one path into nested rows.

    `names` are the steps of the path. `filled` counts the rows with a value there.
    """

    names: tuple[str, ...]
    rows: int = 0
    filled: int = 0
    values: list[Any] = field(default_factory=list[Any])

    @property
    def path(self) -> str:
        """The path as JMESPath."""
        return ".".join(name if _PATH_NAME.fullmatch(name) else json.dumps(name) for name in self.names)

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
        """The share of the values that are email addresses."""
        return self._share(EMAIL)

    @property
    def phones(self) -> float:
        """The share of the values that look like phone numbers; other numbers may, too."""
        return self._share(_PHONE)

    @property
    def looks_like_html(self) -> bool:
        """True if a value contains an HTML tag."""
        return any(_HTML.search(text) for text in self.texts)

    @property
    def date_form(self) -> str | None:
        """The date format of all values, or None; `iso local` has no offset."""
        for form, pattern in _DATES:
            if self._share(pattern) == 1:
                days_first = form.startswith("%m/") and any(int(text.partition("/")[0]) > 12 for text in self.texts)
                return form.replace("%m/%d", "%d/%m") if days_first else form
        return None

    def note(self, *, show_values: bool) -> str:
        """Return a comment about the column: its most frequent shapes or values, and how many rows have it."""
        say = shown if show_values else shape
        common = [text for text, _ in Counter(say(value) for value in self.values).most_common(3)]
        what = " | ".join(common) or "always empty"
        return f"{what}; in {self.filled} of {self.rows} rows"

    def _share(self, pattern: re.Pattern[str]) -> float:
        texts = self.texts
        return sum(1 for text in texts if pattern.fullmatch(text.strip())) / len(texts) if texts else 0


def profiles(rows: Iterable[Fields]) -> list[Profile]:
    """Return the profile of every column of some rows, and of the members of objects in them."""
    found: dict[tuple[str, ...], Profile] = {}
    number = 0
    for number, row in enumerate(rows, 1):  # noqa: B007 - counted on purpose
        for names, value in _leaves(row):
            profile = found.setdefault(names, Profile(names))
            if not is_empty(value):
                profile.filled += 1
                if len(profile.values) < MOST_DISTINCT:
                    profile.values.append(value)
    for profile in found.values():
        profile.rows = number
    return list(found.values())


def _leaves(row: Mapping[str, Any], names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in row.items():
        if isinstance(value, dict) and value and len(names) < 3:
            yield from _leaves(value, (*names, name))
        else:
            yield (*names, name), value


def _mask(char: str) -> str:
    if char.isnumeric():
        return "9"
    if char.isalpha():
        return "A" if char.isupper() else "a"
    return char if char.isprintable() else " "
