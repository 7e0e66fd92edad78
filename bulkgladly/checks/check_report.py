"""What `check` finds: one entry per rule and field with counts, places and the fix, and the report of them all."""

import dataclasses
import enum
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.imports.fixes import fix_for
from bulkgladly.imports.preview import PreviewRow
from bulkgladly.records import Position, Problem, Row, Word
from bulkgladly.runs.observer import Estimate

__all__ = (
    "CHECK_COUNTS",
    "CheckReport",
    "Example",
    "Finding",
    "Findings",
    "Severity",
    "severity_of",
    "severity_of_warning",
)

EXAMPLES = 3
MOST_FIELDS = 200  # of one rule; from then on its findings are no longer told apart by field
_SHOWN = 80
_ITEM = re.compile(r"([a-z]+)\[(\d+)\]")
_STEPS = re.compile(r"[^.\[\]]+")
# emails[3] and email:3 are the same field of different rows.
_NUMBERS = re.compile(r"\[\d+\]|:\d+(?=:|$)")


class Severity(enum.StrEnum):
    """What would happen to the row, worst first."""

    REFUSED = "refused"
    """It would be rejected, here or by Gladly."""
    DEPENDS = "depends"
    """It would be refused unless Gladly holds the object already."""
    CHANGED = "changed"
    """Gladly may not keep it as it is sent."""
    NOTED = "noted"
    """It would be sent as it is, and a person should look whether that is meant."""
    DROPPED = "dropped"
    """It would be sent without this value, because an option or a mapping of the user says so."""
    SKIPPED = "skipped"
    """It would be skipped, because an option or a mapping of the user says so."""


@dataclass(slots=True)
class Example:
    """One place of a finding: the row, the field, and with `--show-values` the value."""

    position: Position
    attr: str | None
    detail: str
    value: str | None = None
    place: str = ""
    """For people, such as `customers.csv:17`. Set when the whole input has been read."""


@dataclass(slots=True)
class Finding:
    """One rule that rows break in one field: how many rows, the first three, and the fix.

    `field` is None if the rule is about the whole row. Numbers in it are left out (`emails[]`,
    `phone:type`), so that rows with many addresses make one finding.
    """

    severity: Severity
    code: str
    field: str | None
    fix: str
    rows: int = 0
    kept_by_drop: int = 0
    """Rows that would be sent if this value alone was left out."""
    examples: list[Example] = dataclasses.field(default_factory=list[Example])

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON can hold it."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "field": self.field,
            "rows": self.rows,
            "kept_by_drop": self.kept_by_drop,
            "fix": self.fix,
            "examples": [_example_as_dict(example) for example in self.examples],
        }


class Findings:
    """Collects findings. Memory grows with the rules and their examples, not with the rows."""

    def __init__(self, *, show_values: bool = False) -> None:
        self._found: dict[tuple[Severity, str, str | None], Finding] = {}
        self._fields: Counter[str] = Counter()
        self._show_values = show_values

    def note(
        self, row: Row, problems: Iterable[Problem], severity: Severity | None = None, *, is_keepable: bool = False
    ) -> None:
        """Add the problems of a row. A rule that a row breaks twice in the same field counts once.

        `is_keepable` says that the row would be sent if the values at fault were left out.
        """
        noted: set[int] = set()
        finding = None
        for problem in problems:
            finding = self._finding(problem, severity or severity_of(problem))
            if id(finding) in noted:
                continue
            noted.add(id(finding))
            finding.rows += 1
            if len(finding.examples) < EXAMPLES:
                value = _value_at(row, problem.attr) if self._show_values else None
                finding.examples.append(Example(row.position, problem.attr, problem.detail, value))
        if is_keepable and finding is not None and len(noted) == 1:
            finding.kept_by_drop += 1

    def sorted(self) -> list[Finding]:
        """Return the findings, the worst and the most frequent first."""
        order = list(Severity)
        return sorted(
            self._found.values(),
            key=lambda one: (order.index(one.severity), -one.rows, one.code, one.field or ""),
        )

    def _finding(self, problem: Problem, severity: Severity) -> Finding:
        name = _NUMBERS.sub(lambda found: "[]" if found[0][0] == "[" else "", problem.attr) if problem.attr else None
        key = (severity, problem.code, name)
        if key not in self._found:
            self._fields[problem.code] += 1
            if self._fields[problem.code] > MOST_FIELDS:  # rows that each have new columns must not fill the memory
                key = (severity, problem.code, None)
        return self._found.setdefault(key, Finding(severity, problem.code, key[2], fix_for(problem)))


CHECK_COUNTS = ("good", "refused", "depends", "changed", "repeated", "skipped")
"""The results of a row. Each row is counted once, under the worst of its findings."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The problems that an import of the input would meet, as far as they can be found without Gladly.

    `counts` has `read` and one entry for each of `CHECK_COUNTS`; `repeated` rows equal an earlier
    one and need no request. `estimates` are for the rows that would be sent, by mode. `not_judged`
    counts the references that could not be looked up offline, by what they are. `kept_by_drop` are the refused rows
    that would be sent if their values at fault were left out. `memory` says which earlier runs the estimates count.
    `samples` are the first rows with their records, and not part of `as_dict`, because their values are not masked.
    """

    resource: str
    mode: str
    files: tuple[str, ...]
    counts: Mapping[str, int]
    findings: Sequence[Finding]
    not_judged: Mapping[str, int]
    estimates: Mapping[str, Estimate]
    seconds: float
    notes: Sequence[str] = ()
    """What was recognised in the files without being told, a line each."""
    kept_by_drop: int = 0
    memory: str = ""
    samples: Sequence[PreviewRow] = ()

    @property
    def exit_code(self) -> int:
        """1 if there are findings other than what the user has chosen (skipped rows, dropped values), else 0."""
        chosen = (Severity.SKIPPED, Severity.DROPPED)
        return int(any(finding.severity not in chosen for finding in self.findings))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "resource": self.resource,
            "mode": self.mode,
            "files": list(self.files),
            "notes": list(self.notes),
            "exit_code": self.exit_code,
            "counts": dict(self.counts),
            "findings": [finding.as_dict() for finding in self.findings],
            "not_judged": dict(self.not_judged),
            "estimates": {
                mode: {
                    "rows": one.to_send,
                    "requests_low": one.requests_low,
                    "requests_high": one.requests_high,
                    "seconds_low": round(one.seconds_for(one.requests_low), 1),
                    "seconds_high": round(one.seconds_for(one.requests_high), 1),
                    "per_second": one.per_second,
                    "operations": dict(one.operations),
                    "split": dict(one.split),
                }
                for mode, one in self.estimates.items()
            },
            "kept_by_drop": self.kept_by_drop,
            "memory": self.memory,
            "seconds": round(self.seconds, 2),
        }


def severity_of(problem: Problem) -> Severity:
    """Return the severity of a problem that keeps a row from being sent."""
    return Severity.SKIPPED if problem.word is Word.SKIPPED else Severity.REFUSED


def severity_of_warning(problem: Problem) -> Severity:
    """Return the severity of a problem that does not keep a row from being sent."""
    return Severity.DEPENDS if problem.code == "due_in_past" else Severity.CHANGED


def _example_as_dict(example: Example) -> dict[str, Any]:
    found = {
        "place": example.place,
        "file": example.position.file,
        "number": example.position.number,
        "attr": example.attr,
        "detail": example.detail,
    }
    return found if example.value is None else {**found, "value": example.value}


def _value_at(row: Row, attr: str | None) -> str:
    """Return the value of a field, shortened; if the field is not found, the row as it was read."""
    fields: Any = row.source or row.fields
    if fields is None:
        return row.raw[:_SHOWN].decode("utf-8", "replace")
    found = _walk(row.fields or fields, attr) if attr else None
    if found is None and attr:  # a column of the file, that a mapping has made other fields of
        found = fields.get(attr)
    if found is None:
        found = {name: value for name, value in fields.items() if value not in (None, "")}
    text = found if isinstance(found, str) else str(found)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _walk(fields: Mapping[str, Any], attr: str) -> Any:
    """Return the value at a path such as `emails[1]`, `link.text` or a column; None if there is none."""
    if attr in fields:
        return fields[attr]
    found: Any = fields
    for name in _STEPS.findall(attr):
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal():
            found = found[int(name)] if int(name) < len(found) else None
    return _flat_item(fields, attr) if found is None else found


def _flat_item(fields: Mapping[str, Any], attr: str) -> Any:
    """Return the value of `emails[1]` in a row of flat columns: the second `email:N` that is filled in."""
    place = _ITEM.match(attr)
    if place is None:
        return None
    prefix, index = place[1].removesuffix("s"), int(place[2])
    columns = (f"{prefix}:{number}" for number in range(1, len(fields) + 1))
    filled = [fields[name] for name in columns if fields.get(name) not in (None, "")]
    return filled[index] if index < len(filled) else None
