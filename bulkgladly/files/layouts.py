"""What the columns of a row mean, worked out once for each set of columns. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from bulkgladly.choices import closest
from bulkgladly.records import ColumnPlan, ListColumn, Problem

__all__ = ("COMPUTED_PARTS", "ColumnProblem", "EntryColumns", "FlatLayout", "compile_layout", "suggestion")

COMPUTED_PARTS = frozenset({"normalized"})
"""Parts of a list item that Gladly computes: accepted in a row, never sent."""

_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_CACHE_ENTRIES = 1024


class ColumnProblem(Exception):
    """A row cannot become a payload; `problem` names the column and the fix."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem

    @classmethod
    def of(cls, code: str, column: str, detail: str) -> Self:
        """Return the error about one column; `detail` continues a sentence that begins with its name."""
        return cls(Problem(code, f"{column} {detail}", column))


@dataclass(frozen=True, slots=True)
class EntryColumns:
    """The columns of one numbered list item; each part is its column, its name and its kind."""

    number: int
    value: str | None
    parts: tuple[tuple[str, str, str], ...]

    @property
    def first(self) -> str:
        """One column of the item, to name it by."""
        return self.value or self.parts[0][0]


@dataclass(frozen=True, slots=True, eq=False)
class FlatLayout:
    """What each of `names` means in the payload.

    `unknown` are the columns without a meaning, and `problem` says so. Columns that are ignored, read-only, or
    known only to the caller are in `names` and nowhere else.
    """

    names: tuple[str, ...]
    plan: ColumnPlan
    ignore: frozenset[str]
    extra_known: frozenset[str]
    scalars: tuple[str, ...]
    nested_lists: tuple[ListColumn, ...]
    flat_lists: tuple[tuple[ListColumn, tuple[EntryColumns, ...]], ...]
    open_map: str | None
    attributes: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    problem: Problem | None


# Keyed by the id of the plan, since plans hold mappings and have no hash. A layout keeps its plan alive, so no other
# plan gets the same id.
_layouts: dict[tuple[tuple[str, ...], int, frozenset[str], frozenset[str]], FlatLayout] = {}


def compile_layout(
    names: tuple[str, ...], plan: ColumnPlan, ignore: frozenset[str], extra_known: frozenset[str]
) -> FlatLayout:
    """Return the layout of these columns; `compile_columns` explains the arguments."""
    key = (names, id(plan), ignore, extra_known)
    layout = _layouts.get(key)
    if layout is None:
        if len(_layouts) >= _CACHE_ENTRIES:  # JSON rows can each have other keys; they must not fill the memory
            _layouts.clear()
        layout = _layouts[key] = _compile(names, plan, ignore, extra_known)
    return layout


def suggestion(name: str, plan: ColumnPlan) -> str | None:
    """Return the known column that was probably meant, or None if none is similar."""
    for spec in plan.lists:
        if name.lower() == spec.prefix.lower():
            return f"{spec.prefix}:1"
    if plan.open_prefix and name.lower().startswith(plan.open_prefix.lower()):
        key = name[len(plan.open_prefix) :].lstrip("s:._- ")
        return f"{plan.open_prefix}:{key or 'KEY'}"
    prefix, _, key = name.partition(":")
    if plan.open_prefix and key and closest(prefix, [plan.open_prefix], cutoff=0.8):
        return f"{plan.open_prefix}:{key}"
    return closest(name, _examples(plan), cutoff=0.7)


def _examples(plan: ColumnPlan) -> Iterable[str]:
    yield from plan.scalars
    for spec in plan.lists:
        yield spec.field
        for number in (1, 2):
            yield f"{spec.prefix}:{number}"
            for part in spec.parts:
                yield f"{spec.prefix}:{number}:{part}"
    if plan.open_map:
        yield plan.open_map


def _compile(
    names: tuple[str, ...], plan: ColumnPlan, ignore: frozenset[str], extra_known: frozenset[str]
) -> FlatLayout:
    lists = {spec.field: spec for spec in plan.lists}
    prefixes = {spec.prefix: spec for spec in plan.lists}
    scalars: list[str] = []
    nested: list[ListColumn] = []
    items: defaultdict[str, defaultdict[int, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    attributes: list[tuple[str, str]] = []
    open_map: str | None = None
    unknown: list[str] = []
    for name in names:
        prefix, _, rest = name.partition(":")
        if name in ignore:
            continue
        if name in plan.scalars:
            scalars.append(name)
        elif name in lists:
            nested.append(lists[name])
        elif name == plan.open_map:
            open_map = name
        elif prefix == plan.open_prefix and rest:
            attributes.append((name, rest))
        elif prefix in prefixes and (place := _place(rest, prefixes[prefix])):
            items[prefix][place[0]][place[1]] = name
        elif name not in plan.read_only and name not in extra_known and "*" not in ignore:
            unknown.append(name)
    flat = tuple((prefixes[prefix], _items(prefixes[prefix], numbered)) for prefix, numbered in items.items())
    return FlatLayout(
        names,
        plan,
        ignore,
        extra_known,
        tuple(scalars),
        tuple(nested),
        tuple((spec, columns) for spec, columns in flat if columns),
        open_map,
        tuple(attributes),
        tuple(unknown),
        _unknown_problem(unknown, plan),
    )


def _place(rest: str, spec: ListColumn) -> tuple[int, str] | None:
    """Return the number and the part that `1` or `1:primary` names, or None."""
    number, colon, part = rest.partition(":")
    if not _NUMBER.fullmatch(number):
        return None
    if not colon:
        return int(number), spec.value
    return (int(number), part) if part in spec.parts or part in COMPUTED_PARTS else None


def _items(spec: ListColumn, numbered: dict[int, dict[str, str]]) -> tuple[EntryColumns, ...]:
    made = []
    for number, columns in sorted(numbered.items()):
        parts = tuple((columns[part], part, kind) for part, kind in spec.parts.items() if part in columns)
        if spec.value in columns or parts:
            made.append(EntryColumns(number, columns.get(spec.value), parts))
    return tuple(made)


def _unknown_problem(unknown: list[str], plan: ColumnPlan) -> Problem | None:
    if not unknown:
        return None
    name = unknown[0]
    meant = suggestion(name, plan)
    hint = f"did you mean {meant}? Correct" if meant else "correct"
    detail = f"{name} is not a column of this object; {hint} the name, or leave it out with --ignore-columns"
    return Problem("unknown_column", detail, name)
