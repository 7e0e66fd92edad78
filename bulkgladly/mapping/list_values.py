"""What is done to a list as a whole, after each of its elements was converted. Pure."""

from collections.abc import Callable, Iterator
from typing import Any

from bulkgladly.mapping.row_values import MISSING, is_empty, text_of
from bulkgladly.mapping.tables import Table

__all__ = ("ListStep", "compile_list_step")

ListStep = Callable[[list[Any]], Any]


def compile_list_step(table: Table, *, is_spread: bool = False) -> ListStep | None:
    """Return what `take` or `combine` of a table make of a list, or None if it stays as it is.

    A list within a list, as `split` makes it of several columns, becomes part of the outer one.

    Raises:
        UsageError: The table is not valid.
    """
    place, mark = table.number("take"), table.text("combine")
    if place is not None and mark is not None:
        table.fail("combine", "and take cannot be used together; remove one of them")
    if place == 0:
        table.fail("take", "counts from 1, or from the end with -1")
    if mark is not None and is_spread:
        table.fail("combine", "makes one text, but the * of the field takes a list; remove one of them")
    if place is not None:
        index = place - 1 if place > 0 else place
        return lambda value: _taken(_filled(value), index)
    if mark is not None:
        return lambda value: mark.join(map(text_of, _filled(value))) or MISSING
    splits = "split" in table and "part" not in table
    return _flat if is_spread or splits else None


def _taken(value: list[Any], index: int) -> Any:
    return value[index] if -len(value) <= index < len(value) else MISSING


def _filled(value: list[Any]) -> list[Any]:
    return [element for element in _leaves(value) if not is_empty(element)]


def _flat(value: list[Any]) -> list[Any]:
    return list(_leaves(value)) if any(isinstance(element, list) for element in value) else value


def _leaves(value: list[Any]) -> Iterator[Any]:
    for element in value:
        if isinstance(element, list):
            yield from _leaves(element)
        else:
            yield element
