"""Converts flat columns to nested payloads and back, by a `ColumnPlan`. Pure.

A row may be nested like the API (`emails`, `customAttributes`), flat (`email:1`, `email:1:primary`,
`customAttribute:KEY`) or mixed. For every format the same values leave a field alone or may clear it:

    column or key missing     the field is left alone
    scalar or flat cell ""    the field is left alone
    scalar, attribute, or     null in the payload; the caller keeps or clears the field
      whole field null
    flat cell of a list null  left out, like ""
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bulkgladly.files.layouts import COMPUTED_PARTS, ColumnProblem, EntryColumns, FlatLayout, compile_layout
from bulkgladly.records import ColumnPlan, ListColumn

__all__ = ("compile_columns", "flatten", "nest", "unknown_columns")

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Nested = dict[str, Any]


def compile_columns(
    names: Iterable[str], plan: ColumnPlan, ignore: Collection[str] = (), *, extra_known: Collection[str] = ()
) -> FlatLayout:
    """Return what the columns of a header, or the keys of a row, mean; compiled once for equal names.

    `ignore` are columns to leave out even if the plan knows them; `*` in it leaves out all unknown columns.
    `extra_known` are columns that the caller uses for itself, such as the source key; they do not go into the payload.
    """
    return compile_layout(tuple(names), plan, frozenset(ignore), frozenset(extra_known))


def unknown_columns(
    names: Iterable[str], plan: ColumnPlan, ignore: Collection[str] = (), *, extra_known: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the columns without a meaning; `layouts.suggestion` returns what they may have meant."""
    return compile_columns(names, plan, ignore, extra_known=extra_known).unknown


def nest(fields: Mapping[str, Any], plan: ColumnPlan, layout: FlatLayout | None = None) -> Nested:
    """Return the payload of a row; the row is not changed.

    `layout` is that of the file's header. A row with other keys gets its own layout, with the same ignored and known
    columns. Empty items of a list are dropped; a list with only empty items is left out, because an empty list
    would erase what Gladly holds.

    Raises:
        ColumnProblem: A column is unknown, a value does not fit its column, or two columns set the same field.
    """
    # Rows of a table have the header's names and layout; JSON rows with other keys find theirs in a cache.
    names = tuple(fields)
    if layout is None:
        layout = compile_layout(names, plan, frozenset(), frozenset())
    elif layout.names != names or layout.plan is not plan:
        layout = compile_layout(names, plan, layout.ignore, layout.extra_known)
    if layout.problem is not None:
        raise ColumnProblem(layout.problem)

    payload: Nested = {}
    for name in layout.scalars:
        value = fields[name]
        if value != "":
            payload[name] = value
    for spec in layout.nested_lists:
        _take_list(payload, fields[spec.field], spec)
    for spec, items in layout.flat_lists:
        if found := _read_items(fields, spec, items):
            if payload.get(spec.field):
                raise ColumnProblem.of(
                    "given_twice", items[0].first, f"and {spec.field} set the same field; remove one"
                )
            payload[spec.field] = found
    if layout.open_map is not None:
        _take_map(payload, fields[layout.open_map], layout.open_map)
    if layout.attributes and plan.open_map:
        _add_attributes(payload, fields, layout.attributes, plan.open_map)
    return payload


def flatten(payload: Mapping[str, Any], plan: ColumnPlan) -> dict[str, Any]:
    """Return a nested payload as flat columns; `nest` turns them into the same payload again.

    What has no flat form (a null in place of a list, fields that the plan does not know) keeps its name and value.
    Only empty lists and maps are lost, since they have no column.
    """
    flat: dict[str, Any] = {}
    lists = {spec.field: spec for spec in plan.lists}
    for name, value in payload.items():
        spec = lists.get(name)
        if spec is not None and isinstance(value, list) and all(isinstance(item, dict) for item in value):
            for number, item in enumerate(value, 1):
                for part, cell in item.items():
                    flat[f"{spec.prefix}:{number}" + (f":{part}" if part != spec.value else "")] = cell
        elif name == plan.open_map and plan.open_prefix and isinstance(value, dict):
            for key, cell in value.items():
                flat[f"{plan.open_prefix}:{key}"] = cell
        else:
            flat[name] = value
    return flat


def _take_list(payload: Nested, value: Any, spec: ListColumn) -> None:
    """Copy a nested list, without its empty items and without what Gladly computes."""
    if value is None:
        payload[spec.field] = None
        return
    if not isinstance(value, list):
        raise ColumnProblem.of("not_a_list", spec.field, f"must be a list of objects with {spec.value!r}")
    kept = [made for index, item in enumerate(value) if (made := _nested_item(item, spec, index))]
    if kept or not value:
        payload[spec.field] = kept


def _nested_item(item: Any, spec: ListColumn, index: int) -> Nested | None:
    if not isinstance(item, dict):
        raise ColumnProblem.of("not_an_object", f"{spec.field}[{index}]", f"must be an object with {spec.value!r}")
    if None in item.values() or not COMPUTED_PARTS.isdisjoint(item):
        kept = {part: cell for part, cell in item.items() if cell is not None and part not in COMPUTED_PARTS}
    else:
        kept = dict(item)  # nearly every entry, at a fifth of the time
    if kept.get(spec.value, "") == "":
        if any(
            cell != "" for part, cell in kept.items() if part != spec.value and spec.parts.get(part, "text") == "text"
        ):
            where = f"{spec.field}[{index}].{spec.value}"
            raise ColumnProblem.of("no_value", where, "is missing, but other parts of this entry are given")
        return None
    for part in spec.choices:
        if type(cell := kept.get(part)) is str:
            kept[part] = cell.upper()
    return kept


def _read_items(fields: Mapping[str, Any], spec: ListColumn, items: Sequence[EntryColumns]) -> list[Nested]:
    """Read the numbered columns of a list; empty numbers are skipped."""
    found: list[Nested] = []
    for item in items:
        value = fields[item.value] if item.value is not None else None
        if value is not None and value != "":
            made: Nested = {spec.value: value if type(value) is str else _text(value, item.first)}
            for column, part, kind in item.parts:
                cell = fields[column]
                if cell is not None and cell != "":
                    made[part] = _cell(cell, kind, column)
            found.append(made)
            continue
        # A type without a number says nothing: exports and mappings write it into every row. An extension is a loss.
        for column, _, kind in item.parts:
            if kind == "text" and fields[column] is not None and fields[column] != "":
                main = f"{spec.prefix}:{item.number}"
                raise ColumnProblem.of("no_value", column, f"is given, but {main} is missing or empty")
    return found


def _cell(value: Any, kind: str, column: str) -> Any:
    if kind == "flag":
        flag = value if type(value) is bool else _FLAGS.get(str(value).strip().lower())
        if flag is None:
            raise ColumnProblem.of("not_a_flag", column, "must be true or false (or yes, no, 1, 0)")
        return flag
    text = _text(value, column)
    return text.strip().upper() if kind == "choice" else text


def _text(value: Any, column: str) -> str:
    if type(value) is str:
        return value
    if type(value) is int:  # a whole number has one text; true, 1.5 or an object do not
        return str(value)
    raise ColumnProblem.of("not_text", column, "must be text")


def _take_map(payload: Nested, value: Any, name: str) -> None:
    if value is not None and not isinstance(value, dict):
        raise ColumnProblem.of("not_an_object", name, "must be an object of attributes")
    payload[name] = None if value is None else dict(value)


def _add_attributes(payload: Nested, fields: Mapping[str, Any], columns: Sequence[tuple[str, str]], name: str) -> None:
    found = {key: fields[column] for column, key in columns if fields[column] != ""}
    if not found:
        return
    given = payload.get(name)
    if given:
        for column, key in columns:
            if key in found and key in given:
                raise ColumnProblem.of("given_twice", column, f"and {name} set the same attribute; remove one")
        found = {**given, **found}
    payload[name] = found
