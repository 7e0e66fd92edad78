"""Everything that is wrong with a row, as far as it can be told offline."""

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from bulkgladly.files.layouts import ColumnProblem
from bulkgladly.gladly.spec import Draft, Policy, ResourceSpec
from bulkgladly.imports.drafts import Preparer
from bulkgladly.records import Problem, Row, Stage
from bulkgladly.source_keys import oddities

__all__ = ("Judge", "Verdict")

_ABOUT_WHAT_IS_MISSING = frozenset(
    {"blank", "customer", "no_identifier", "nothing_to_do", "given_twice", "key_missing"}
)
"""Codes that may only follow from what was taken out before."""
_MOST_PROBLEMS = 20
_INDEXED = re.compile(r"([A-Za-z]+)\[(\d+)\]")


class Verdict(NamedTuple):
    """A record or the problems that keep a row from being one; the first is what an import rejects it for."""

    record: Draft | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Judge:
    """Looks at rows one by one, with the same preparation and rules as an import."""

    def __init__(self, spec: ResourceSpec, policy: Policy, ignore: Collection[str] = ()) -> None:
        self._spec, self._policy = spec, policy
        self._preparer = Preparer(spec, policy, ignore)

    def verdict(self, row: Row) -> Verdict:
        """Return what there is to say about a row by itself."""
        item = self._preparer.draft_of(row)
        if isinstance(item, Draft):
            return Verdict(item, (), tuple(self._warnings(item)))
        return Verdict(None, (item, *self._further(row, item)))

    def _warnings(self, record: Draft) -> list[Problem]:
        found = [problem for rule in self._spec.warnings for problem in rule(record.payload, self._policy)]
        if self._policy.key is not None:
            found += _odd_key(record.former_key or record.key, self._policy.key)
        for link in record.links:
            if link.is_key:
                found += _odd_key(link.former or link.text, link.attr)
        return found

    def _further(self, row: Row, first: Problem) -> list[Problem]:
        """Return the other problems of a row: what is found when the value at fault is taken out."""
        if row.fields is None or first.stage is not Stage.CHECK:
            return []
        fields, found = dict(row.fields), [first]
        while len(found) < _MOST_PROBLEMS:
            try:
                nested = self._preparer.nested(fields)
            except ColumnProblem as error:
                if error.problem != found[-1]:
                    found.append(error.problem)
                if fields.pop(error.problem.attr or "", None) is None:
                    break
                continue
            return [*found[1:], *self._further_nested(row, nested, found[-1])]
        return found[1:]

    def _further_nested(self, row: Row, nested: dict[str, Any], last: Problem) -> list[Problem]:
        found: list[Problem] = []
        while len(found) < _MOST_PROBLEMS:
            item = self._spec.prepare(row, dict(nested), self._policy)
            if isinstance(item, Draft):
                break
            if item != last and item.code not in _ABOUT_WHAT_IS_MISSING:
                found.append(item)
            elif item != last:
                break
            last = item
            rest = _without(nested, item.attr)
            if rest is None:
                break
            nested = rest
        return found


def _odd_key(written: str, column: str) -> list[Problem]:
    """Return what is odd about a source key; the parts of a mapping's key are looked at one by one."""
    found = dict(oddity for part in [written, *written.split("#")] for oddity in oddities(part))
    return [Problem(code, f"{column} {detail}", column) for code, detail in found.items()]


def _without(nested: dict[str, Any], attr: str | None) -> dict[str, Any] | None:
    """Return a nested row without the value at fault; None where it cannot be told which it is."""
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
