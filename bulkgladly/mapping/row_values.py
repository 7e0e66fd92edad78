"""The values that a mapping works on: what may be missing, and where in a row each is found. Pure.

A place is a column, a path into nested JSON, or a constant. Paths are JMESPath. A path of plain names
(`user.address.city`), the most frequent by far, is walked directly, which takes a tenth of the time.
"""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from bulkgladly.json_paths import expression_mistake
from bulkgladly.mapping.tables import Table
from bulkgladly.mapping.variables import NO_VARIABLES, Variables

__all__ = (
    "MISSING",
    "REFERENCES",
    "Fields",
    "Reference",
    "Unmappable",
    "column",
    "compile_path",
    "compile_reference",
    "constant",
    "is_empty",
    "is_false",
    "text_of",
)

Fields = Mapping[str, Any]


class _Missing(enum.Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
"""Stands for a column that a row does not have. Null is different: it may clear a field."""


class Unmappable(Exception):
    """A row, or one of its records, cannot be converted. `detail` never contains a value of the row.

    `attr` is the field that could not be filled. `is_skip` says that the mapping's own filter left it out. `key` is the
    source key of the record, once that is known.
    """

    def __init__(self, detail: str, attr: str | None = None, *, code: str = "mapping", is_skip: bool = False) -> None:
        super().__init__(detail)
        self.detail, self.attr, self.code, self.is_skip = detail, attr, code, is_skip
        self.key: str | None = None


def is_empty(value: Any) -> bool:
    """Tell whether a value is missing, null, or an empty text, list or object."""
    return value is None or value is MISSING or (not value and isinstance(value, str | list | dict))


def is_false(value: Any) -> bool:
    """Tell whether a value counts as false in JMESPath: missing, false or empty, but not 0."""
    return value is False or is_empty(value)


def text_of(value: Any) -> str:
    """Return a value as text.

    Raises:
        Unmappable: It is an object or a list.
    """
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise Unmappable("is an object or a list where a text is needed; select a part of it with path")


# --- where a value is found ---

REFERENCES = frozenset({"column", "path", "constant", "var"})
"""The tables with one key that name a place: `{ path = "user.name" }`."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_ON_THE_LEFT = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "flatten", "pipe"}
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a row. `read` returns the value there, or `MISSING`.

    `text` is its name in messages. `columns` are the columns of the row that it starts from; `column` is set if it
    is a single column and nothing else.
    """

    read: Callable[[Fields], Any]
    text: str
    columns: tuple[str, ...] = ()
    column: str | None = None
    is_constant: bool = False


def column(name: str) -> Reference:
    """Return the reference to a column, spelled as in the file."""
    return Reference(lambda row: row.get(name, MISSING), name, (name,), name)


def constant(value: Any, text: str = "constant") -> Reference:
    """Return a reference to a value that is the same for all rows."""
    return Reference(lambda _: value, text, is_constant=True)


def compile_path(text: str, table: Table, key: str) -> Reference:
    """Return the reference for a JMESPath. Null counts as missing, because JMESPath cannot tell the two apart.

    Raises:
        UsageError: It is not a valid JMESPath.
    """
    try:
        compiled = jmespath.compile(text)
    except JMESPathError as error:
        reason = expression_mistake(error)
        table.fail(key, f"{text!r} is not a valid JMESPath: {reason}")
    if _PLAIN.fullmatch(text):
        names = tuple(text.split("."))
        return Reference(_walker(names), text, names[:1])

    def search(row: Fields) -> Any:
        try:
            found = compiled.search(row)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # The message of the library is left out, since it quotes the value.
            raise Unmappable(f"the path {text} cannot be applied to this row ({type(error).__name__})") from None
        return MISSING if found is None else found

    return Reference(search, text, tuple(dict.fromkeys(_roots(compiled.parsed))))


def compile_reference(given: Any, table: Table, key: str, variables: Variables = NO_VARIABLES) -> Reference:
    """Return the reference for a text (a column), or for a table with `column`, `path`, `constant` or `var`.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(given, str):
        return column(given)
    if not isinstance(given, dict) or len(given) != 1 or not set(given) <= REFERENCES:
        table.fail(key, 'must be a column, or a table like { path = "user.name" } or { constant = "VIP" }')
    ((kind, value),) = given.items()
    if kind == "constant":
        return constant(Table(table.file, f"{table.name}.{key}", given).plain(kind))
    if kind == "var":
        return constant(variables.value(value, table, key), kind)
    if not isinstance(value, str):
        table.fail(key, f"{kind} must be a text")
    return column(value) if kind == "column" else compile_path(value, table, key)


def _walker(names: tuple[str, ...]) -> Callable[[Fields], Any]:
    def walk(row: Fields) -> Any:
        value: Any = row
        for name in names:
            if not isinstance(value, dict):
                return MISSING
            value = value.get(name)
        return MISSING if value is None else value

    return walk


def _roots(node: Mapping[str, Any]) -> list[str]:
    """Return the columns that an expression starts from; its right-hand parts are relative to them."""
    children = node.get("children", [])
    if node["type"] == "field":
        return [node["value"]]
    if node["type"] in _ON_THE_LEFT:
        return _roots(children[0])
    return [name for child in children for name in _roots(child)]
