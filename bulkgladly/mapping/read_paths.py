"""Which values of a row a JMESPath looks at, as paths such as `comments[].author.name`. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import jmespath

__all__ = ("paths_read",)

_SAME_ELEMENTS = frozenset({"sort_by", "sort", "reverse", "max_by", "min_by", "not_null", "to_array"})
"""Functions that return what they are given, or elements of it."""
_CHAINS = frozenset({"identity", "current", "subexpression", "pipe", "index_expression"})
_LISTS = frozenset({"index", "slice", "flatten", "projection", "filter_projection"})
_ALTERNATIVES = frozenset({"or_expression", "and_expression", "value_projection"})


def paths_read(text: str) -> tuple[str, ...]:
    """Return the paths that a valid expression reads; `[]` stands for the elements of a list.

    A path that ends at an object or a list stands for all that is below it.
    """
    found: dict[str, None] = {}
    results = _visit(jmespath.compile(text).parsed, ("",), found)
    found |= dict.fromkeys(results)
    return tuple(path for path in found if path)


def _visit(node: Mapping[str, Any], bases: Sequence[str], found: dict[str, None]) -> tuple[str, ...]:
    """Return the paths of what a part of an expression results in, and add to `found` what it reads beside that."""
    kind, children = str(node["type"]), node.get("children", ())
    if kind == "field":
        return tuple(f"{base}.{node['value']}" if base else str(node["value"]) for base in bases)
    if kind in _CHAINS:
        for child in children:
            bases = _visit(child, bases, found)
        return tuple(bases)
    if kind in _LISTS:
        return _visit_list(kind, children, bases, found)
    if kind == "function_expression":
        return _call(str(node["value"]), children, bases, found)
    if kind == "value_projection":  # all values of an object, whatever they are called
        children = children[:1]
    results = tuple(path for child in children for path in _visit(child, bases, found))
    if kind in _ALTERNATIVES:
        return results
    found |= dict.fromkeys(results)  # comparisons, lists and objects of several parts
    return ()


def _visit_list(kind: str, children: Sequence[Any], bases: Sequence[str], found: dict[str, None]) -> tuple[str, ...]:
    if kind in ("index", "slice"):  # their children are numbers
        return _elements(bases)
    elements = _elements(_visit(children[0], bases, found))
    if kind == "flatten":
        return elements
    for condition in children[2:]:
        found |= dict.fromkeys(_visit(condition, elements, found))
    return _visit(children[1], elements, found)


def _call(
    name: str, arguments: Sequence[Mapping[str, Any]], bases: Sequence[str], found: dict[str, None]
) -> tuple[str, ...]:
    given = tuple(path for one in arguments if one["type"] != "expref" for path in _visit(one, bases, found))
    for argument in arguments:
        if argument["type"] == "expref":  # `&created_at`, which is looked at in each element of the list beside it
            found |= dict.fromkeys(_visit(argument["children"][0], _elements(given), found))
    if name in _SAME_ELEMENTS:
        return given
    if name == "map":  # of each element, only what the expression looks at
        return ()
    found |= dict.fromkeys(given)
    return ()


def _elements(paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(path if path.endswith("[]") else f"{path}[]" for path in paths)
