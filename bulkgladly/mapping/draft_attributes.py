"""Custom attributes from the columns that no field takes: dates, numbers, flags, and words of a short list. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bulkgladly.mapping.column_profiles import Profile
from bulkgladly.mapping.draft_fields import DraftSamples, cleaned, without_bad_values
from bulkgladly.mapping.draft_lines import DraftLine, source_option
from bulkgladly.mapping.draft_targets import Target, normal_name
from bulkgladly.mapping.number_evidence import numbers_in
from bulkgladly.placeholders import PLACEHOLDERS

__all__ = ("attribute_lines",)

_FEW = 12
"""A column with at most this many frequent values holds words of a list."""
_FREQUENT = 0.01
_MOSTLY = 0.8
_LEAST_ROWS = 20
"""Fewer rows do not tell whether a column has few values."""
_FLAGS: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "true", "1", "y", "t", "on", "ja", "oui"), True),
    **dict.fromkeys(("no", "false", "0", "n", "f", "off", "nein", "non"), False),
}
_KNOWN_FLAGS = frozenset({"true", "yes", "1", "false", "no", "0"})
"""What `as = "flag"` reads by itself."""
_TIMES = ("date", "time", "since", "at", "on", "created", "updated", "birthday", "dob")
_CODES = ("id", "no", "nr", "number", "key", "zip", "code", "postcode", "plz", "phone", "mobile", "fax", "year")


def attribute_lines(samples: DraftSamples, target: Target) -> Iterator[tuple[DraftLine, bool]]:
    """Yield a line for each column that is left, and whether it should be used: one that is always empty should not.

    `target` is the field `customAttribute:*`.
    """
    for profile in samples.left:
        if profile.is_list_of_objects or (profile.inside and not profile.is_one_of_a_list):
            continue
        steps = (*profile.names, profile.member) if profile.member else profile.names
        # In Gladly's own nested form, the attributes stand below one name.
        steps = steps[1:] if len(steps) > 1 and steps[0] == "customAttributes" else steps
        is_named_so = profile.is_column and profile.label.startswith(target.name.removesuffix("*"))
        name = profile.label if is_named_so else target.name.replace("*", "_".join(steps).replace(":", "_"))
        operations, doubt = _operations(profile, samples)
        options = (source_option(profile, is_single=True), *operations, *without_bad_values(target, operations))
        note = samples.note(profile)
        yield DraftLine(name, tuple(options), f"{note}; {doubt}" if doubt else note), bool(profile.filled)


def _operations(profile: Profile, samples: DraftSamples) -> tuple[list[tuple[str, object]], str]:
    name = normal_name(profile.label)
    texts = [text for text in map(str.strip, profile.texts) if text]
    if len(texts) < len(profile.values) or not texts:
        return [], ""
    if flags := _flags(texts):
        return flags, ""
    if dates := profile.dates(month_first=samples.month_first, takes_epoch=name.endswith(_TIMES)):
        found: list[tuple[str, object]] = [("date", dates.forms[0] if len(dates.forms) == 1 else list(dates.forms))]
        if not dates.has_clock:
            return [*found, ("date_as", "date")], dates.doubt
        zone: list[tuple[str, object]] = [("zone", "UTC")] if dates.is_local else []
        doubts = ["set zone to the time zone of these times"] if dates.is_local else []
        return found + zone, "; ".join([*doubts, *filter(None, [dates.doubt])])
    numbers = None if name.endswith(_CODES) else numbers_in(texts)
    if numbers is not None:
        return numbers.options(), ""
    table = {} if name.endswith(_CODES) else _table(texts)
    if table:
        words = table | dict.fromkeys(sorted(PLACEHOLDERS.intersection(texts)), "")
        return [("values", words), ("ignore_case", True), ("otherwise", "keep")], "review the list of values"
    return cleaned(profile), ""


def _flags(texts: Sequence[str]) -> list[tuple[str, object]]:
    words = Counter(text.lower() for text in texts if text not in PLACEHOLDERS)
    known = sum(times for word, times in words.items() if word in _FLAGS)
    # A column of ones and noughts may count something.
    if not words or known < _MOSTLY * sum(words.values()) or set(words) <= {"0", "1"} or len(words) < 2:
        return []
    further = {word: _FLAGS[word] for word in words if word in _FLAGS and word not in _KNOWN_FLAGS}
    further |= {"y": True, "n": False} if {"y", "n"} & set(further) else {}
    table: list[tuple[str, object]] = [("values", further), ("ignore_case", True), ("otherwise", "keep")]
    return [*(table if further else []), ("as", "flag")]


def _table(texts: Sequence[str]) -> dict[str, str]:
    """Return the frequent values of a column that has only a few, each as itself; words that differ by case are one."""
    given = [text for text in texts if text not in PLACEHOLDERS]
    if len(given) < _LEAST_ROWS:
        return {}
    words: dict[str, Counter[str]] = {}
    for text in given:
        words.setdefault(text.lower(), Counter())[text] += 1
    least = max(3, _FREQUENT * len(given))
    frequent = [spellings for spellings in words.values() if spellings.total() >= least]
    covered = sum(spellings.total() for spellings in frequent)
    if not 1 < len(frequent) <= _FEW or covered < _MOSTLY * len(given) or any(len(text) > 40 for text in words):
        return {}
    return {text: text for text in sorted(_spelled(frequent))}


def _spelled(words: Iterable[Counter[str]]) -> Iterator[str]:
    for spellings in words:
        yield spellings.most_common(1)[0][0]
