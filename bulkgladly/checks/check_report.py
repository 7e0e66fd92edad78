"""What `check` has found: one entry per rule and field with counts, places and the fix, and the report of all."""

import dataclasses
import enum
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.records import Position, Problem, Row, Stage, Word
from bulkgladly.runs.observer import Estimate

__all__ = (
    "CHECK_COUNTS",
    "CheckReport",
    "Example",
    "Finding",
    "Findings",
    "Severity",
    "fix_for",
    "severity_of",
    "severity_of_warning",
)

EXAMPLES = 3
MOST_FIELDS = 200
_SHOWN = 80
_ITEM = re.compile(r"([a-z]+)\[(\d+)\]")
_STEPS = re.compile(r"[^.\[\]]+")
_NUMBERS = re.compile(r"\[\d+\]|:\d+(?=:|$)")

_FIXES: Mapping[str, str] = {
    "too_long": 'shorten it; in a mapping: max with too_long = "cut", or "split" into several records',
    "blank": "fill it in; in a mapping: default, or a constant",
    "invalid_choice": "correct the word; in a mapping: values, a table of your words and Gladly's",
    "invalid_email": "correct the address or leave the cell empty; in a mapping: extract takes it out of other text",
    "invalid_phone": "correct the number or leave the cell empty",
    "phone_region": "write numbers with + and country, or pass the country of national ones, such as --phone-region GB",
    "two_primary": "mark one address as primary",
    "no_identifier": "add an email, a phone or an id, or name the column that identifies a row: --key",
    "key_missing": "fill in the key column; every row needs its own",
    "key_type": "use a key column of texts or whole numbers",
    "key_invisible": "nothing has to be done; to see these characters, export the column again from its source",
    "key_apostrophe": "nothing has to be done; to be rid of them, export the column as plain text",
    "key_decimal": "export the column as text (in pandas: dtype=str), so that 4711 stays 4711",
    "key_rounded": "export the column as text again; digits may be lost, and different rows may have one key",
    "key_spelling": "nothing has to be done",
    "id": "use letters, digits, - and _, or leave the id out and name your own: --key",
    "invalid_time": 'write times with their zone; in a mapping: date and zone, such as zone = "Europe/London"',
    "too_old": "leave the row out; Gladly brings in older history by hand",
    "due_in_past": "give it a date in the future, or leave the row out; old tasks cannot be brought in with their date",
    "not_a_flag": "write true or false; in a mapping: values",
    "not_a_number": "write a whole number",
    "unknown_column": "correct the name, or leave the column out: --ignore-columns",
    "given_twice": "leave one of the two columns out: --ignore-columns",
    "customer": "name the customer in one way only: customerId, customerKey, customerEmail or customerMobile",
    "unknown_key": "import the parents first, and name their file (--parents) or their run; or correct the key",
    "unknown_parent": "import the parents first, and name their file: --parents; or correct the id",
    "duplicate_key": "remove one of the rows, or let the last one win: --on-duplicate last",
    "duplicate_address": "give the address to one row, or choose --on-conflict skip, update or merge",
    "unknown_language": "use one of the organisation's languages, or add it in Gladly and to --languages",
    "html_tag": 'take the tags out; in a mapping: html = "clean", or html = "to_text"',
    "html_attribute": 'take the attributes out; in a mapping: html = "clean"',
    "html_style": 'take the styles out; in a mapping: html = "clean"',
    "mapping": "correct the row or the mapping; `map check` shows rows before and after",
    "mapping_skipped": "nothing: the mapping leaves these rows out",
    "header_again": "remove the line",
    "ragged_row": "put cells that hold the delimiter into quotes",
    "malformed_csv": "close every quote, and double the quotes inside a quoted cell",
    "malformed_json": "correct the line",
    "invalid_utf8": "save the file as UTF-8, or name its encoding: --encoding",
    "invalid_encoding": "name the encoding of the file: --encoding",
    "nul_character": "remove the NUL characters",
    "record_too_large": "shorten the row, or look for a missing quote",
}


def fix_for(problem: Problem) -> str:
    """Return what helps, in the words of the flags and of mappings."""
    fix = _FIXES.get(problem.code)
    if fix is not None:
        return fix
    return "correct the file" if problem.stage is Stage.READ else "correct the value"


class Severity(enum.StrEnum):
    """What would become of the row, the worst first."""

    REFUSED = "refused"
    """It would be rejected, here or by Gladly."""
    DEPENDS = "depends"
    """It would be refused unless Gladly holds the object already."""
    CHANGED = "changed"
    """Gladly may not keep it as it is sent."""
    SKIPPED = "skipped"
    """It would be left out, because a policy of the user says so."""


@dataclass(slots=True)
class Example:
    """Where a finding stands: a place, the field, and with `--show-values` what is there."""

    position: Position
    attr: str | None
    detail: str
    value: str | None = None
    place: str = ""
    """For people, such as `customers.csv:17`; set when all is read."""


@dataclass(slots=True)
class Finding:
    """One rule that rows break, in one field: how many rows, the first three, and what helps.

    `field` is None where the rule is about the row as a whole; numbers in it are left out
    (`emails[]`, `phone:type`).
    """

    severity: Severity
    code: str
    field: str | None
    fix: str
    rows: int = 0
    examples: list[Example] = dataclasses.field(default_factory=list[Example])

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON can hold it."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "field": self.field,
            "rows": self.rows,
            "fix": self.fix,
            "examples": [_example_as_dict(example) for example in self.examples],
        }


class Findings:
    """Collects findings. Memory is that of the rules and their examples, however many rows there are."""

    def __init__(self, *, show_values: bool = False) -> None:
        self._found: dict[tuple[Severity, str, str | None], Finding] = {}
        self._fields: Counter[str] = Counter()
        self._show_values = show_values

    def note(self, row: Row, problems: Iterable[Problem], severity: Severity | None = None) -> None:
        """Note what is wrong with a row; a rule that it breaks twice in the same field counts once."""
        noted: set[int] = set()
        for problem in problems:
            finding = self._finding(problem, severity or severity_of(problem))
            if id(finding) in noted:
                continue
            noted.add(id(finding))
            finding.rows += 1
            if len(finding.examples) < EXAMPLES:
                value = _value_at(row, problem.attr) if self._show_values else None
                finding.examples.append(Example(row.position, problem.attr, problem.detail, value))

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
            if self._fields[problem.code] > MOST_FIELDS:  # rows with ever new columns must not fill the memory
                key = (severity, problem.code, None)
        return self._found.setdefault(key, Finding(severity, problem.code, key[2], fix_for(problem)))


CHECK_COUNTS = ("good", "refused", "depends", "changed", "repeated", "skipped")
"""How a row can fare: each row is counted once, by the worst that there is to say about it."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What an import of the input would run into, as far as it can be told without Gladly.

    `counts` has `read` and one entry for each of `CHECK_COUNTS`; `repeated` are rows that
    equal an earlier one and need no request. `estimates` are for the rows that would be
    sent, by mode. `not_judged` tells what could not be looked up offline, and how often.
    """

    resource: str
    mode: str
    files: tuple[str, ...]
    counts: Mapping[str, int]
    findings: Sequence[Finding]
    not_judged: Mapping[str, int]
    estimates: Mapping[str, Estimate]
    seconds: float

    @property
    def exit_code(self) -> int:
        """1 when there is something that the user should look at, else 0."""
        return int(any(finding.severity is not Severity.SKIPPED for finding in self.findings))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "resource": self.resource,
            "mode": self.mode,
            "files": list(self.files),
            "exit_code": self.exit_code,
            "counts": dict(self.counts),
            "findings": [finding.as_dict() for finding in self.findings],
            "not_judged": dict(self.not_judged),
            "estimates": {
                mode: {
                    "rows": one.rows,
                    "requests_low": one.requests_low,
                    "requests_high": one.requests_high,
                    "seconds_low": round(one.requests_low / one.per_second, 1),
                    "seconds_high": round(one.requests_high / one.per_second, 1),
                    "per_second": one.per_second,
                }
                for mode, one in self.estimates.items()
            },
            "seconds": round(self.seconds, 2),
        }


def severity_of(problem: Problem) -> Severity:
    """Return the severity of what keeps a row from being sent."""
    return Severity.SKIPPED if problem.word is Word.SKIPPED else Severity.REFUSED


def severity_of_warning(problem: Problem) -> Severity:
    """Return the severity of what does not keep a row from being sent."""
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
    """Return what stands at a field of a row, shortened; the row as it was read where the field is not found."""
    fields: Any = row.source or row.fields
    if fields is None:
        return row.raw[:_SHOWN].decode("utf-8", "replace")
    found = _walk(row.fields or fields, attr) if attr else None
    if found is None:
        found = {name: value for name, value in fields.items() if value not in (None, "")}
    text = found if isinstance(found, str) else str(found)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _walk(fields: Mapping[str, Any], attr: str) -> Any:
    """Return what stands at a place such as `emails[1]`, `link.text` or a column; None where there is nothing."""
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
    """Return what `emails[1]` is in a row of flat columns: the second one of `email:N` that is filled in."""
    place = _ITEM.match(attr)
    if place is None:
        return None
    prefix, index = place[1].removesuffix("s"), int(place[2])
    columns = (f"{prefix}:{number}" for number in range(1, len(fields) + 1))
    filled = [fields[name] for name in columns if fields.get(name) not in (None, "")]
    return filled[index] if index < len(filled) else None
