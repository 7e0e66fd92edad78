"""Which column fills which field, and with which operations: the guesses for any kind of object. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bulkgladly.mapping.column_profiles import Profile
from bulkgladly.mapping.draft_lines import DraftLine, source_option
from bulkgladly.mapping.draft_targets import Target, is_named, normal_name
from bulkgladly.placeholders import PLACEHOLDERS

__all__ = ("DraftSamples", "cleaned", "field_lines", "fits", "without_bad_values")

MOSTLY = 0.5
"""A column in which more values than this share are email addresses holds them, whatever its name."""
_MAKES_SPLIT = 1000
"""A text that is too long is split or rejected if its field takes at least this many characters, else cut."""
_MOST_WORDS = 20
_PHONES = re.compile("phone|telefon|mobil|handy|cell")
_MANY = 20
_SHORT = ("subject", "summary", "note")
_STAFF = ("owner", "agent", "assignee", "createdby", "modifiedby", "manager", "username", "login", "salesrep")
_IN_GLADLY = re.compile(r"(email|phone):\d+")
"""Columns that are named as in Gladly hold what their name says, whatever the values."""
_MEANS: Mapping[str, tuple[str, ...]] = {
    "EMAIL": ("email", "mail", "e-mail"),
    "SMS": ("sms", "text", "mms"),
    "SURVEY": ("survey", "csat", "nps", "rating"),
    "OPEN": ("open", "new", "pending", "hold", "on-hold", "waiting", "in progress", "todo", "to do", "active"),
    "CLOSED": ("closed", "solved", "resolved", "done", "completed", "complete", "deleted"),
}
"""Words of other systems for the choices of a field."""
_REST = {"activityType": "ISSUE"}
"""What all other words become."""


@dataclass(slots=True)
class DraftSamples:
    """What a draft is made from. `used` are the columns that are filled in already.

    `element` is the name of the list's element that is the record, if it is one. `month_first` decides about dates
    that can be read in two ways.
    """

    found: Sequence[Profile]
    targets: Sequence[Target]
    to: str
    show_values: bool = False
    element: str | None = None
    month_first: bool = True
    used: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])

    @property
    def left(self) -> list[Profile]:
        """The columns that nothing uses yet."""
        return [profile for profile in self.found if profile.place not in self.used]

    def target(self, name: str) -> Target | None:
        """Return a field by its name, if the object has it."""
        return next((target for target in self.targets if target.name == name), None)

    def use(self, *found: Profile) -> None:
        """Count columns as used. Of a list, the whole and its members stand for the same values."""
        self.used |= {profile.place for profile in found}

    def note(self, profile: Profile) -> str:
        """Return the comment about a column."""
        return profile.note(show_values=self.show_values)


def field_lines(samples: DraftSamples, *, has_key: bool, taken: Iterable[str] = ()) -> list[DraftLine]:
    """Return a line for each field that a column seems to hold; `taken` are fields that have one already."""
    lines: list[DraftLine] = []
    filled = set(taken)
    is_split = not has_key  # one field at most can be split, and only if rows have a key
    for target in samples.targets:
        if target.name in filled or "*" in target.name:
            continue
        candidates = [profile for profile in samples.left if fits(profile, target, samples)]
        if (profile := _best(candidates, target, samples)) is None:
            continue
        options = [source_option(profile), *_operations(profile, target, samples)]
        if target.most is not None and not target.is_identity:
            options += _length_options(target, is_split=is_split)
            is_split = is_split or (target.in_pieces and target.most >= _MAKES_SPLIT)
        options += without_bad_values(target, options)
        lines.append(DraftLine(target.name, tuple(options), _note(profile, target, samples)))
        samples.use(profile)
    return [_numbered(line, {line.target for line in lines}) for line in lines]


def fits(profile: Profile, target: Target, samples: DraftSamples) -> bool:
    """Tell whether a column seems to hold the values of a field."""
    if profile.is_list_of_objects:
        return False
    last, whole = normal_name(profile.label), normal_name("".join(profile.names))
    named = is_named({last.rstrip("0123456789") if "*" in target.name else last, whole}, target, samples.to)
    is_in_gladly = profile.is_column and _IN_GLADLY.fullmatch(profile.label.lower()) is not None
    if is_in_gladly or not profile.filled:
        return named and "*" in target.name and not profile.inside
    if target.name == "email:*":
        return (named and profile.emails > 0) or (profile.emails > MOSTLY and _is_of_customer(profile))
    if target.name == "phone:*":
        is_called_so = profile.phones > MOSTLY and _PHONES.search(last) is not None
        return (named and profile.phones > 0) or is_called_so
    if profile.inside:
        return False
    if target.name == "customerEmail":
        return named and profile.emails > 0
    if target.name == "id":
        return False  # an id in Gladly; what other systems call id is a key
    return named and (not target.is_time or profile.dates(month_first=samples.month_first) is not None)


def _is_of_customer(profile: Profile) -> bool:
    """Tell whether addresses under another name may be those of the customers: the owner of many has one address."""
    name = normal_name("".join(profile.names))
    is_of_staff = any(word in name for word in _STAFF)
    return not is_of_staff and (profile.filled < _MANY or profile.distinct > MOSTLY * len(profile.values))


def cleaned(profile: Profile) -> list[tuple[str, object]]:
    """Return the operations that clean the texts of a column: blanks around them, and words for no value."""
    texts = profile.texts
    found: list[tuple[str, object]] = [("trim", True)] if any(text != text.strip() for text in texts) else []
    if words := sorted(PLACEHOLDERS.intersection(texts)):
        found += [("values", dict.fromkeys(words, "")), ("otherwise", "keep")]
    return found


def without_bad_values(target: Target, options: Iterable[tuple[str, object]] = ()) -> list[tuple[str, object]]:
    """Return the option that keeps a record without a value that is not valid; never for a text that may be long."""
    is_kept = target.is_optional and ("too_long", "reject") not in options
    return [("on_error", "drop")] if is_kept else []


def _numbered(line: DraftLine, filled: set[str]) -> DraftLine:
    """Return a line that numbers the pieces of its text in the title, only if there is one."""
    options = tuple(one for one in line.options if one[0] != "number_in" or one[1] in filled)
    return replace(line, options=options)


def _best(candidates: Sequence[Profile], target: Target, samples: DraftSamples) -> Profile | None:
    """Return the one column whose name is most like the field's."""
    wanted = normal_name(target.name)

    def rank(one: Profile) -> tuple[int, bool, int, bool, bool, int]:
        is_of_element = samples.element is not None and one.names[0] == samples.element
        # The author of an element may be an agent; the customer is that of the row.
        is_in_place = is_of_element != target.name.startswith("customer")
        name = normal_name(one.label)
        is_short = target.name == "body" and name in _SHORT
        steps = len(one.names)
        return (-len(_meant(one, target)), not is_in_place, steps, name != wanted, is_short, -one.filled)

    return min(candidates, key=rank, default=None)


def _operations(profile: Profile, target: Target, samples: DraftSamples) -> Iterator[tuple[str, object]]:
    if target.is_time and (dates := profile.dates(month_first=samples.month_first)):
        yield "date", dates.forms[0] if len(dates.forms) == 1 else list(dates.forms)
        if dates.is_local:
            yield "zone", "UTC"
    elif profile.looks_like_html and target.most is not None and target.most >= _MAKES_SPLIT:
        yield "html", "clean"
    elif target.choices:
        yield from _translation(profile, target)
    elif target.is_list and not any(isinstance(value, list) for value in profile.values):
        marks = [mark for mark in (";", ",") if any(mark in text for text in profile.texts)]
        if marks == [","]:
            yield "split", ","
    elif not target.is_identity:
        yield from cleaned(profile)


def _translation(profile: Profile, target: Target) -> Iterator[tuple[str, object]]:
    """Yield what turns the words of a column into the choices of a field."""
    known = {text.strip() for text in profile.texts}
    same = {text: choice for text in known for choice in target.choices if text.lower() == choice.lower()}
    if set(same) == known:
        if set(same) != set(same.values()):
            yield "case", "upper"
        return
    meant = _meant(profile, target)
    rest = _REST.get(target.name)
    if meant and len(known) <= _MOST_WORDS:
        yield "values", meant | ({} if rest is None or set(meant) == known else {"*": rest})
        yield "ignore_case", True


def _meant(profile: Profile, target: Target) -> dict[str, str]:
    """Return the words of a column that mean a choice of a field."""
    return {
        text: choice
        for text in sorted({text.strip() for text in profile.texts if target.choices})
        for choice in target.choices
        if text.lower() in (choice.lower(), *_MEANS.get(choice, ()))
    }


def _length_options(target: Target, *, is_split: bool) -> Iterator[tuple[str, object]]:
    yield "max", target.most
    if target.most is None or target.most < _MAKES_SPLIT or (target.in_pieces and is_split):
        yield "too_long", "cut"
        return
    if not target.in_pieces:
        yield "too_long", "reject"
        return
    yield "too_long", "split"
    yield "number_in", "title"


def _note(profile: Profile, target: Target, samples: DraftSamples) -> str:
    note = samples.note(profile)
    if target.choices and {text.strip().upper() for text in profile.texts} - set(target.choices):
        words = ", ".join(target.choices)
        note += f'; must become {words}: translate other words with values = {{ theirs = "{target.choices[0]}" }}'
    if target.is_required and profile.filled < profile.rows:
        missing = profile.rows - profile.filled
        note += f"; required, but {missing:,} {'row has' if missing == 1 else 'rows have'} none"
    dates = profile.dates(month_first=samples.month_first) if target.is_time else None
    if dates is not None and dates.is_local:
        note += "; set zone to the time zone of these times"
    return f"{note}; {dates.doubt}" if dates is not None and dates.doubt else note
