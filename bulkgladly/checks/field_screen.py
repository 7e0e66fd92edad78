"""The screen for objects that are declared by their fields: looks at whole columns instead of rows."""

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bulkgladly.checks.claims import Traits, traits_of_payload
from bulkgladly.files.layouts import FlatLayout
from bulkgladly.gladly.fields import Field, Kind, Link
from bulkgladly.gladly.preparation import Preparation
from bulkgladly.gladly.spec import ImportSpec, Policy
from bulkgladly.records import Problem, Row
from bulkgladly.source_keys import is_plain

__all__ = ("FieldScreen",)

Cells = Sequence[Any]
Look = Callable[[Cells], Collection[int]]
"""Returns the cells of a column that are not certainly fine. An empty text and None are fine."""

_TEXTS = frozenset({str, type(None)})
_FLAG_TYPES = frozenset({str, bool, type(None)})
_FLAGS: Mapping[Any, Any] = {"": "", None: None, "true": True, "false": False, True: True, False: False}
_MOMENT = re.compile(
    r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{3})?Z)?"
).fullmatch
_WHOLE_SECOND = len("2026-01-31T09:00:00Z")


@dataclass(frozen=True, slots=True)
class _ScreenedColumn:
    """A column that goes into the payload: its place in the row, and where its cells go."""

    at: int
    field: Field
    look: Look
    head: str
    part: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the columns of one layout are screened. In each group of `needed`, one cell must be filled in."""

    columns: tuple[_ScreenedColumn, ...]
    clashing: tuple[tuple[int, int], ...]
    needed: tuple[tuple[int, ...], ...]
    is_flat: bool


class FieldScreen:
    """Clears rows whose fields `read_fields` would certainly return unchanged.

    Their payload is made here, a column at a time, so that one look at a set of types or lengths
    clears many cells. Customer, rules, key and claims come from the preparation itself.
    """

    def __init__(self, spec: ImportSpec, preparation: Preparation, policy: Policy) -> None:
        self._spec, self._preparation, self._policy = spec, preparation, policy
        self._fields = {field.name: (rank, field) for rank, field in enumerate(spec.fields)}
        self._plans: dict[FlatLayout, _Plan | None] = {}

    def look(self, layout: FlatLayout, rows: Sequence[Row]) -> list[Traits | None]:
        """Return the traits of each row that is certainly fine, and None for the others. All have one layout."""
        plan = self._plan(layout)
        if plan is None:
            return [None] * len(rows)
        columns = list(zip(*[row.fields.values() for row in rows if row.fields], strict=True))
        closer = self._suspects(plan, columns)
        cells = list(zip(*[_converted(column.field, columns[column.at]) for column in plan.columns], strict=True))
        # In a batch without empty cells, payloads are made by `dict(zip())` alone, without a look at each cell.
        is_full = plan.is_flat and not any(
            "" in columns[column.at] or None in columns[column.at] for column in plan.columns
        )
        heads = [column.head for column in plan.columns]
        found: list[Traits | None] = []
        for index, row in enumerate(rows):
            if index in closer:
                found.append(None)
            elif is_full:
                found.append(self._traits(row, dict(zip(heads, cells[index], strict=True)), ()))
            else:
                found.append(self._traits(row, *_assembled(plan, cells[index])))
        return found

    def _traits(self, row: Row, payload: dict[str, Any], links: tuple[Link, ...]) -> Traits | None:
        taken = self._preparation.claims_of(row, payload, links, self._policy)
        if taken is None or isinstance(taken, Problem):
            return None
        payload, claims = taken
        # A row with a warning is not certainly fine: the judge has to report it.
        for rule in self._spec.warnings:
            for _ in rule(payload, self._policy):
                return None
        return traits_of_payload(self._spec, payload, claims, links)

    def _suspects(self, plan: _Plan, columns: Sequence[Cells]) -> set[int]:
        found: set[int] = set()
        for column in plan.columns:
            cells = columns[column.at]
            found.update(column.look(cells))
            # A null that clears a field is part of the payload, which is not made here.
            if self._policy.null == "clear" and None in cells:
                found.update(index for index, cell in enumerate(cells) if cell is None)
        for first, second in plan.clashing:
            pairs = enumerate(zip(columns[first], columns[second], strict=True))
            found.update(index for index, (one, other) in pairs if _is_there(one) and _is_there(other))
        for group in plan.needed:
            if len(group) == 1 and "" not in columns[group[0]] and None not in columns[group[0]]:
                continue
            cells_of = enumerate(zip(*[columns[at] for at in group], strict=True))
            found.update(index for index, cells in cells_of if not any(map(_is_there, cells)))
        return found

    def _plan(self, layout: FlatLayout) -> _Plan | None:
        if layout not in self._plans:
            if len(self._plans) >= 1000:  # rows that each have new keys must not fill the memory
                self._plans.clear()
            self._plans[layout] = self._made(layout)
        return self._plans[layout]

    def _made(self, layout: FlatLayout) -> _Plan | None:
        """Return the plan for a layout, or None if no row of it can be cleared."""
        if layout.problem is not None or layout.nested_lists or layout.flat_lists or not layout.scalars:
            return None
        fields = [field for _, field in sorted((self._fields[name] for name in layout.scalars), key=lambda one: one[0])]
        at = {name: index for index, name in enumerate(layout.names)}
        needed: list[tuple[int, ...]] = []
        for field in self._spec.fields:
            if self._policy.mode in field.required:
                group = tuple(at[other.name] for other in fields if other.place == field.place)
                if not group:
                    return None
                needed.append(group)
        columns = tuple(_ScreenedColumn(at[one.name], one, _look_for(one), *_head_and_part(one)) for one in fields)
        clashing = tuple(
            (one.at, other.at)
            for number, one in enumerate(columns)
            for other in columns[number + 1 :]
            if one.head == other.head and (one.part == other.part or not one.part or not other.part)
        )
        is_flat = not any(one.part or one.field.names or one.field.key_of for one in columns)
        return _Plan(columns, clashing, tuple(needed), is_flat)


def _assembled(plan: _Plan, cells: Cells) -> tuple[dict[str, Any], tuple[Link, ...]]:
    payload: dict[str, Any] = {}
    links: list[Link] = []
    for column, cell in zip(plan.columns, cells, strict=True):
        if cell is None or cell == "":
            continue
        if column.part:
            payload.setdefault(column.head, {})[column.part] = cell
        else:
            payload[column.head] = cell
        field = column.field
        if field.key_of is not None:
            links.append(Link(field.place, None, field.key_of, cell, field.name, is_key=True))
        elif field.names is not None:
            links.append(Link(field.place, None, field.names, cell, field.name, is_key=False))
    return payload, tuple(links)


def _head_and_part(field: Field) -> tuple[str, str]:
    head, _, part = field.place.partition(".")
    return head, part


def _is_there(cell: Any) -> bool:
    return cell is not None and cell != ""


def _converted(field: Field, cells: Cells) -> Cells:
    """Return cells as the payload holds them. Cells that were not found fine become anything."""
    if field.kind is Kind.MOMENT:
        return [cell[:-1] + ".000Z" if cell and len(cell) == _WHOLE_SECOND else cell for cell in map(_as_text, cells)]
    if field.kind is Kind.FLAG:
        return [_FLAGS.get(cell) if isinstance(cell, str | bool) else None for cell in cells]
    return cells


def _as_text(cell: Any) -> str:
    return cell if type(cell) is str else ""


def _look_for(field: Field) -> Look:
    match field.kind:
        case Kind.TEXT if field.key_of is not None and field.most is None:
            return _odd_keys
        case Kind.TEXT if field.pattern is None:
            return _texts_up_to(field.most)
        case Kind.ID:
            return _ids_up_to(field.most)
        case Kind.CHOICE:
            return _words(frozenset({None, "", *field.choices}))
        case Kind.FLAG:
            return _flags
        case Kind.MOMENT:
            return _moments
        case _:
            return _nothing_there


def _odd_keys(cells: Cells) -> Collection[int]:
    return [
        index
        for index, cell in enumerate(cells)
        if cell is not None and cell != "" and (type(cell) is not str or not is_plain(cell))
    ]


def _texts_up_to(most: int | None) -> Look:
    def look(cells: Cells) -> Collection[int]:
        # Most columns hold texts only: one set and one maximum then clear all of their cells.
        kinds = set(map(type, cells))
        if kinds == {str} and (most is None or max(map(len, cells)) <= most):
            return ()
        return [
            index
            for index, cell in enumerate(cells)
            if type(cell) not in _TEXTS or (most is not None and cell is not None and len(cell) > most)
        ]

    return look


def _ids_up_to(most: int | None) -> Look:
    match = re.compile(f"[A-Za-z0-9_-]{{0,{most or ''}}}").fullmatch

    def look(cells: Cells) -> Collection[int]:
        if set(map(type, cells)) == {str} and all(map(match, cells)):
            return ()
        return [
            index
            for index, cell in enumerate(cells)
            if type(cell) not in _TEXTS or (cell is not None and not match(cell))
        ]

    return look


def _words(allowed: frozenset[str | None]) -> Look:
    def look(cells: Cells) -> Collection[int]:
        return [index for index, cell in enumerate(cells) if type(cell) not in _TEXTS or cell not in allowed]

    return look


def _flags(cells: Cells) -> Collection[int]:
    return [index for index, cell in enumerate(cells) if type(cell) not in _FLAG_TYPES or cell not in _FLAGS]


def _moments(cells: Cells) -> Collection[int]:
    return [
        index
        for index, cell in enumerate(cells)
        if cell is not None
        and (type(cell) is not str or (found := _MOMENT(cell)) is None or not (found[1] is None or _is_day(found[1])))
    ]


def _nothing_there(cells: Cells) -> Collection[int]:
    return [index for index, cell in enumerate(cells) if cell is not None and cell != ""]


# The times in a file share few days, so that each day is parsed once.
@lru_cache(maxsize=20_000)
def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True
