"""Values that are left out of a record because they are not valid, and the user's names for columns. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from bulkgladly.files.columns import compile_columns
from bulkgladly.gladly.spec import ImportSpec, Policy, drops_value_of
from bulkgladly.mapping.column_shapes import shape
from bulkgladly.records import DroppedValue, Problem

__all__ = ("ABOUT_WHAT_IS_MISSING", "ColumnNames", "DropRules", "LessOneValue", "as_noted")

ABOUT_WHAT_IS_MISSING = frozenset({"blank", "customer", "no_identifier", "nothing_to_do", "given_twice", "key_missing"})
"""Codes that may only be a consequence of the values that were taken out before."""

_NOT_ABOUT_A_VALUE = ABOUT_WHAT_IS_MISSING | {"two_primary", "unknown_column"}
_ENTRY = re.compile(r"([A-Za-z]+)\[(\d+)\](?:\.(\w+))?")


class LessOneValue(NamedTuple):
    """A row without the value at fault, and that value."""

    fields: dict[str, Any]
    dropped: DroppedValue


def as_noted(dropped: Iterable[DroppedValue], *, show_values: bool) -> tuple[DroppedValue, ...]:
    """Return left-out values as a journal keeps them: masked, unless they are to be shown."""
    text = _whole_text if show_values else shape
    return tuple(one._replace(value=text(one.value)) for one in dropped)


def _whole_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


class ColumnNames:
    """Names the columns of a row as its user knows them."""

    def __init__(self, spec: ImportSpec, policy: Policy, ignore: Collection[str] = ()) -> None:
        self._plan, self._ignore = spec.columns, frozenset(ignore)
        self._extra = (policy.key,) if policy.key else ()
        self._columns = dict(policy.columns)

    def column_of(self, target: str) -> str:
        """Return the user's column that fills a flat column, or the column itself."""
        name, _, rest = target.partition(":")
        number, _, part = rest.partition(":")
        spread = f"{name}:*:{part}" if part else f"{name}:*" if number else name
        return self._columns.get(target) or self._columns.get(spread) or target

    def entries_of(self, fields: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return the columns that hold the entries of each list of a row, in the order of its payload."""
        layout = compile_columns(tuple(fields), self._plan, self._ignore, extra_known=self._extra)
        found: dict[str, list[str]] = {}
        for spec, items in layout.flat_lists:
            filled = [item.value for item in items if item.value and fields[item.value] not in (None, "")]
            if filled:
                found[spec.field] = filled
        return found

    def target_of(self, attr: str, entries: Mapping[str, list[str]]) -> str:
        """Return the flat column that a problem is about, as far as the row has one: `phone:1:type`."""
        if (entry := _ENTRY.fullmatch(attr)) and int(entry[2]) < len(entries.get(entry[1], ())):
            column = entries[entry[1]][int(entry[2])]
            return f"{column}:{entry[3]}" if entry[3] else column
        return attr

    def named(self, problem: Problem, fields: Mapping[str, Any]) -> Problem:
        """Return a problem whose text names the user's column, with Gladly's field beside it if that differs."""
        if problem.attr is None or not problem.detail.startswith(problem.attr):
            return problem
        return self.renamed(problem, self.target_of(problem.attr, self.entries_of(fields)))

    def renamed(self, problem: Problem, target: str) -> Problem:
        """Return a problem whose text names the user's column that fills this one."""
        column = self.column_of(target)
        label = target if column == target else f"{column} ({target})"
        rest = problem.detail.removeprefix(problem.attr or "")
        return problem if rest == problem.detail else replace(problem, detail=label + rest)


class DropRules:
    """Takes values that are not valid out of rows, where the user has chosen to keep the rest of the record.

    What is left is the row as if the cell was empty: it never clears a field that Gladly holds.
    """

    def __init__(self, spec: ImportSpec, policy: Policy, names: ColumnNames) -> None:
        self._spec, self._policy, self._names = spec, policy, names
        self._drops = frozenset(policy.drops)

    def __bool__(self) -> bool:
        return bool(self._drops)

    def without_cell(self, fields: Mapping[str, Any], problem: Problem) -> LessOneValue | None:
        """Return a row without the column that a problem is about, or None if its value must not be left out."""
        column = problem.attr
        if column is None or fields.get(column) in (None, "") or not self._may_drop(column, problem):
            return None
        less = {name: cell for name, cell in fields.items() if name != column}
        if column.count(":") == 1:  # the parts of an address go with it
            less = {name: cell for name, cell in less.items() if not name.startswith(f"{column}:")}
        return LessOneValue(less, self._dropped(column, problem, fields[column]))

    def without_value(
        self, nested: Mapping[str, Any], problem: Problem, entries: dict[str, list[str]]
    ) -> LessOneValue | None:
        """Return a nested row without the value that a problem is about, or None if it must not be left out.

        `entries` are those of the row, and lose the columns of an entry that is left out.
        """
        if problem.attr is None:
            return None
        if entry := _ENTRY.fullmatch(problem.attr):
            return self._without_entry(nested, problem, entry, entries)
        name = self._name_in(nested, problem.attr)
        if name is None or not self._may_drop(name, problem):
            return None
        less = {other: value for other, value in nested.items() if other != name}
        return LessOneValue(less, self._dropped(name, problem, nested[name]))

    def _without_entry(
        self, nested: Mapping[str, Any], problem: Problem, entry: re.Match[str], entries: dict[str, list[str]]
    ) -> LessOneValue | None:
        name, index, part = entry[1], int(entry[2]), entry[3]
        items = nested.get(name)
        if not isinstance(items, list) or index >= len(items):
            return None
        target = self._names.target_of(problem.attr or "", entries)
        # An entry of a nested list has no column of its own: it is part of its list.
        if not self._may_drop(name if target == problem.attr else target, problem):
            return None
        item = items[index]
        if part and isinstance(item, dict) and part in item and part != "original":
            kept = [*items]
            kept[index] = {key: value for key, value in item.items() if key != part}
            return LessOneValue({**nested, name: kept}, self._dropped(target, problem, item[part]))
        if name in entries:
            del entries[name][index]
        value = item.get("original", item) if isinstance(item, dict) else item
        kept = [one for at, one in enumerate(items) if at != index]
        return LessOneValue({**nested, name: kept}, self._dropped(target, problem, value))

    def _name_in(self, nested: Mapping[str, Any], attr: str) -> str | None:
        """Return the field of a row that a problem is about; rules call it by its place in the payload."""
        places = [field.name for field in self._spec.fields if attr in (field.place, field.place.rpartition(".")[2])]
        return next((name for name in (attr, *places) if nested.get(name) not in (None, "")), None)

    def _may_drop(self, target: str, problem: Problem) -> bool:
        if problem.code in _NOT_ABOUT_A_VALUE or not self._spec.is_optional(target):
            return False
        # A number without its country is not wrong: an option is missing, and every row would lose its number.
        if problem.code == "phone_region" and self._policy.phone_region is None:
            return False
        return drops_value_of(target, self._drops)

    def _dropped(self, target: str, problem: Problem, value: Any) -> DroppedValue:
        detail = self._names.renamed(problem, target).detail
        return DroppedValue(target, self._names.column_of(target), problem.code, detail, value)
