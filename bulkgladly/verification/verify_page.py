"""What a verification says to people: differences by field with samples, masked unless the user wants to see them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bulkgladly.journal.verdicts import RowVerdict
from bulkgladly.mapping.column_shapes import shape, shown
from bulkgladly.records import place_of_row
from bulkgladly.runs.observer import counted
from bulkgladly.shown import shown_cell

if TYPE_CHECKING:
    from bulkgladly.verification.verify_summary import VerifyReport

__all__ = ("VERIFY_TABLE", "DifferingField", "Samples", "detail_lines", "story_of")

VERIFY_TABLE = "verify.parquet"
_SAMPLES = 3
_MOST_FIELDS = 500
"""Fields that are told apart; custom attributes may have any number of names."""
_OTHERS = "(other fields)"
_FIELDS_TOLD = 5
_NAMES_TOLD = 20
_WHOLE = "(the whole object)"
_HEADINGS: Mapping[str, str] = {
    "missing": "missing in Gladly",
    "merged": "merged into another customer",
    "unreadable": "that could not be read",
    "not_sent": "not sent, so there was nothing to compare",
}


@dataclass(frozen=True, slots=True)
class DifferingField:
    """A field, the number of rows that differ in it, and the first of them: place, expected and held."""

    field: str
    rows: int
    samples: tuple[Mapping[str, str], ...]


class Samples:
    """Counts differences by field, and keeps the first places of each field and of each verdict."""

    def __init__(self, names: Sequence[str], *, show_values: bool) -> None:
        """`names` are the input files, by number."""
        self._names, self._shown = names, shown if show_values else shape
        self._rows: Counter[str] = Counter()
        self._samples: dict[str, list[Mapping[str, str]]] = {}
        self._places: dict[str, list[str]] = {}

    def take(self, one: RowVerdict) -> None:
        """Add a verdict."""
        place = self._place(one)
        if one.word in _HEADINGS and len(kept := self._places.setdefault(one.word, [])) < _SAMPLES:
            into = f", now {one.gladly_id}" if one.word == "merged" and one.gladly_id else ""
            kept.append(f"{place}{into}{f': {one.detail}' if one.detail else ''}")
        seen: set[str] = set()
        for name, expected, held in one.fields:
            field = self._field(name)
            self._rows[field] += field not in seen
            seen.add(field)
            kept_samples = self._samples.setdefault(field, [])
            if len(kept_samples) < _SAMPLES:
                kept_samples.append({"place": place, "expected": self._said(expected), "held": self._said(held)})

    def fields(self) -> tuple[DifferingField, ...]:
        """Return the fields that differ, the most frequent first."""
        return tuple(
            DifferingField(field, rows, tuple(self._samples[field])) for field, rows in self._rows.most_common()
        )

    def places(self) -> dict[str, tuple[str, ...]]:
        """Return the first places of each verdict that is not about a field."""
        return {word: tuple(places) for word, places in self._places.items()}

    def _field(self, name: str) -> str:
        name = name or _WHOLE
        return name if name in self._rows or len(self._rows) < _MOST_FIELDS else _OTHERS

    def _said(self, value: Any) -> str:
        return "nothing" if value is None or value in ("", [], {}) else self._shown(value)

    def _place(self, one: RowVerdict) -> str:
        at = one.position
        name = self._names[at.file] if at.file < len(self._names) else str(at.file)
        return place_of_row(name.rpartition("/")[2], at.number)


def detail_lines(report: "VerifyReport") -> tuple[str, ...]:
    """Return lines for a terminal: what differs, with one sample each, and what could not be told."""
    lines: list[str] = []
    for one in report.fields[:_FIELDS_TOLD]:
        first = one.samples[0]
        lines.append(f"{_differ(one)}, such as {_sample_text(first)}")
    if more := report.fields[_FIELDS_TOLD:]:
        names = ", ".join(one.field for one in more[:_NAMES_TOLD])
        rest = ", ... (report.json has all)" if len(more) > _NAMES_TOLD else ""
        lines.append(f"and {counted(len(more), 'more field')}: {names}{rest}")
    if report.fields and report.is_masked:
        lines.append(f"values are masked (a/A letter, 9 digit); {VERIFY_TABLE} has them, or use --show-values")
    for word, heading in _HEADINGS.items():
        if (number := report.counts[word]) and word != "not_sent":
            lines.append(f"{counted(number, 'row')} {heading}: {'; '.join(report.samples.get(word, ()))}")
    if report.counts["not_sent"]:
        codes = ", ".join(f"{code} {number:,}" for code, number in report.codes.items())
        lines.append(f"{counted(report.counts['not_sent'], 'row')} {_HEADINGS['not_sent']} ({codes})")
    if report.unverified:
        lines.append(f"not compared, because Gladly does not show it or cannot change it: {_unverified(report)}")
    if report.sample_says:
        lines.append(report.sample_says)
    return tuple(lines)


def story_of(report: "VerifyReport") -> list[str]:
    """Return the parts of the page that say what Gladly holds."""
    parts = [f"{report.sample_says}."] if report.sample_says else []
    for one in report.fields:
        samples = "\n".join(f"- {shown_cell(_sample_text(each))}" for each in one.samples)
        parts.append(f"{shown_cell(_differ(one))}:\n\n{samples}")
    for word, heading in _HEADINGS.items():
        if number := report.counts[word]:
            places = "\n".join(f"- {shown_cell(each)}" for each in report.samples.get(word, ()))
            parts.append(f"{counted(number, 'row')} {heading}:\n\n{places}")
    if report.unverified:
        parts.append(f"Not compared, because Gladly does not show it or cannot change it: {_unverified(report)}.")
    return parts


def _differ(one: DifferingField) -> str:
    return f"{counted(one.rows, 'row')} {'differs' if one.rows == 1 else 'differ'} in {one.field}"


def _sample_text(sample: Mapping[str, str]) -> str:
    return f"{sample['place']}: the file has {sample['expected']}, Gladly holds {sample['held']}"


def _unverified(report: "VerifyReport") -> str:
    return ", ".join(f"{field} ({counted(rows, 'row')})" for field, rows in report.unverified.items())
