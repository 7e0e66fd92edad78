"""Screen, then judge: which rows are certainly fine, and everything that is wrong with the others.

A screen may only say "certainly fine" or "look closer", and makes no record of a row. What it
clears, the judge (`Preparer` and the rules) would have passed with the same claims; a property
test compares the two.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from bulkgladly.checks.claims import Traits
from bulkgladly.checks.customer_screen import CustomerScreen
from bulkgladly.checks.field_screen import FieldScreen
from bulkgladly.files.columns import compile_columns
from bulkgladly.files.inputs import Expand
from bulkgladly.files.layouts import ColumnProblem, FlatLayout
from bulkgladly.gladly.preparation import Preparation
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, Screening
from bulkgladly.imports.drafts import Preparer
from bulkgladly.imports.dropped_values import ABOUT_WHAT_IS_MISSING
from bulkgladly.records import Problem, Row, Stage
from bulkgladly.source_keys import oddities

__all__ = ("Judge", "Screen", "Verdict")

_MOST_PROBLEMS = 20  # one row with many bad cells must not fill the report
_INDEXED = re.compile(r"([A-Za-z]+)\[(\d+)\]")


class LayoutScreen(Protocol):
    """Looks at rows that have the same columns."""

    def look(self, layout: FlatLayout, rows: Sequence[Row]) -> list[Traits | None]:
        """Return the traits of each row that is certainly fine, and None for the others."""
        ...


class Screen:
    """The screen for one object and policy. An object without a screen of its own gets none of its rows cleared."""

    def __init__(self, spec: ImportSpec, policy: Policy, ignore: Collection[str] = ()) -> None:
        self._spec = spec
        self._ignore = frozenset(ignore)
        self._extra = (policy.key,) if policy.key else ()
        self._screen = _screen_for(spec, policy)

    def look(self, rows: Sequence[Row]) -> list[Traits | None]:
        """Return the traits of each row that is certainly fine, and None for the others."""
        found: list[Traits | None] = [None] * len(rows)
        if self._screen is None:
            return found
        groups: dict[tuple[str, ...], list[int]] = {}
        # JSON lines may each have other keys; rows with the same ones are screened together.
        for index, row in enumerate(rows):
            if row.fields is not None and row.problem is None and not row.dropped:
                groups.setdefault(tuple(row.fields), []).append(index)
        for names, indexes in groups.items():
            layout = compile_columns(names, self._spec.columns, self._ignore, extra_known=self._extra)
            group = rows if len(indexes) == len(rows) else [rows[index] for index in indexes]
            for index, traits in zip(indexes, self._screen.look(layout, group), strict=True):
                found[index] = traits
        return found


def _screen_for(spec: ImportSpec, policy: Policy) -> LayoutScreen | None:
    if spec.screening is Screening.CONTACTS and not spec.rules and not spec.warnings:
        return CustomerScreen(policy)
    if spec.screening is Screening.FIELDS and isinstance(spec.prepare, Preparation):
        return FieldScreen(spec, spec.prepare, policy)
    return None


class Verdict(NamedTuple):
    """A record, or the problems of its row. An import rejects the row for the first of them."""

    record: Draft | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Judge:
    """Judges rows one by one, with the same preparation and rules as an import.

    `droppable` are the columns whose values could be left out, and `expand` is the mapping that leaves them out.
    `key_name` is what the user calls the column of the key, if a mapping reads it.
    """

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        ignore: Collection[str] = (),
        *,
        droppable: Collection[str] = (),
        expand: Expand | None = None,
        key_name: str | None = None,
    ) -> None:
        self._spec, self._policy, self._key_name = spec, policy, key_name or policy.key
        self.preparer = self._preparer = Preparer(spec, policy, ignore)
        self._lenient = Preparer(spec, replace(policy, drops=tuple(droppable)), ignore) if droppable else None
        self._expand = expand

    def verdict(self, row: Row) -> Verdict:
        """Return a row's record or all of its problems, without regard to other rows."""
        item = self._preparer.draft_of(row)
        if isinstance(item, Draft):
            return Verdict(item, (), tuple(self._warnings(item)))
        return Verdict(None, (item, *self._further(row, item)))

    def could_be_kept(self, row: Row) -> bool:
        """Tell whether a row that would be rejected would be sent if values that are not valid were left out."""
        if self._lenient is None:
            return False
        if self._expand is not None and row.source is not None:
            rows = self._expand(Row(row.position, row.source))
            at = row.part.number - 1 if row.part else 0
            if at >= len(rows):
                return False
            row = rows[at]
        return isinstance(self._lenient.draft_of(row), Draft)

    def _warnings(self, record: Draft) -> list[Problem]:
        found = [problem for rule in self._spec.warnings for problem in rule(record.payload, self._policy)]
        if self._key_name is not None:
            found += _odd_key(record.former_key or record.key, self._key_name)
        for link in record.links:
            if link.is_key:
                found += _odd_key(link.former or link.text, link.attr)
        return found

    def _further(self, row: Row, first: Problem) -> list[Problem]:
        """Return the further problems of a row: those found when the value at fault is taken out."""
        if row.fields is None or first.stage is not Stage.CHECK:
            return []
        # Preparation stops at the first problem. To find the next one, the value at fault is taken out, and again.
        fields, found = dict(row.fields), [first]
        while len(found) < _MOST_PROBLEMS:
            try:
                nested = self._preparer.nested(fields)
            except ColumnProblem as error:
                is_known = _is_same(error.problem, found[-1])
                if not is_known and not self._preparer.is_droppable_cell(fields, error.problem):
                    found.append(self._preparer.named(error.problem, fields))
                if fields.pop(error.problem.attr or "", None) is None:
                    break
                continue
            entries = self._preparer.names.entries_of(fields)
            return [*found[1:], *self._further_nested(row, nested, found[-1], entries)]
        return found[1:]

    def _further_nested(
        self, row: Row, nested: dict[str, Any], last: Problem, entries: dict[str, list[str]]
    ) -> list[Problem]:
        names = self._preparer.names
        found: list[Problem] = []
        while len(found) < _MOST_PROBLEMS:
            item = self._spec.prepare(row, dict(nested), self._policy)
            if isinstance(item, Draft):
                break
            # A value that would be left out does not refuse the row, whatever else does.
            is_droppable = self._preparer.is_droppable(nested, item, entries)
            item = names.renamed(item, names.target_of(item.attr or "", entries))
            if not _is_same(item, last) and item.code not in ABOUT_WHAT_IS_MISSING:
                found += [] if is_droppable else [item]
            elif not _is_same(item, last):
                break
            last = item
            if (entry := _INDEXED.match(item.attr or "")) and int(entry[2]) < len(entries.get(entry[1], ())):
                del entries[entry[1]][int(entry[2])]
            rest = _without(nested, item.attr)
            if rest is None:
                break
            nested = rest
        return found


def _is_same(one: Problem, other: Problem) -> bool:
    return (one.code, one.attr) == (other.code, other.attr)


def _odd_key(written: str, column: str) -> list[Problem]:
    """Return what is odd about a source key. The parts of a mapping's key are judged one by one."""
    found = dict(oddity for part in [written, *written.split("#")] for oddity in oddities(part))
    return [Problem(code, f"{column} {detail}", column) for code, detail in found.items()]


def _without(nested: dict[str, Any], attr: str | None) -> dict[str, Any] | None:
    """Return a nested row without the value at fault, or None if that value cannot be found."""
    if attr is None:
        return None
    if entry := _INDEXED.match(attr):
        name, index = entry[1], int(entry[2])
        items = nested.get(name)
        if not isinstance(items, list) or index >= len(items):
            return None
        return {**nested, name: [item for at, item in enumerate(items) if at != index]}
    if nested.get(attr) not in (None, ""):
        return {name: value for name, value in nested.items() if name != attr}
    for name in ("content", "customer"):
        holder = nested.get(name)
        if isinstance(holder, dict) and holder.get(attr) not in (None, ""):
            return {**nested, name: {part: value for part, value in holder.items() if part != attr}}
    return None
