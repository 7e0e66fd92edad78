"""Where the value of a field comes from: a column, a path, a constant, a template, or several of them. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from bulkgladly.mapping.definitions import Definitions
from bulkgladly.mapping.field_lengths import compile_length
from bulkgladly.mapping.list_values import compile_list_step
from bulkgladly.mapping.row_values import (
    MISSING,
    REFERENCES,
    Fields,
    Reference,
    Unmappable,
    compile_path,
    compile_reference,
    constant,
    is_empty,
    text_of,
)
from bulkgladly.mapping.tables import Table
from bulkgladly.mapping.templates import compile_template
from bulkgladly.mapping.value_operations import apply_all, compile_operations

__all__ = ("SOURCES", "compile_source")

SOURCES = ("from", "path", "constant", "var", "join", "template")
_OF_THE_FIELD = ("on_error", "required", "number_in")
"""Options that are about a whole field, and cannot be those of a part of it."""


def compile_source(
    table: Table, definitions: Definitions, *, is_spread: bool = False, is_key: bool = False
) -> Reference:
    """Return where a table says that the value comes from. With `is_spread`, several columns are a list.

    `is_key` says that it is the key of another record, so that a template cleans its places as that one's does.

    Raises:
        UsageError: It does not say so in exactly one way.
    """
    given = table.given(SOURCES)
    if len(given) != 1:
        what = f"has {' and '.join(given)}" if given else "does not say where the value comes from"
        table.fail(given[1] if given else "from", f"{what}; give exactly one of {', '.join(SOURCES)}")
    for key in SOURCES:  # asked for, so that `finish` compares a misspelt key with all of them
        table.value(key)
    key, value = given[0], table.value(given[0])
    if key == "join":
        return _joined(value, table, definitions)
    if table.given(("with",)):
        table.fail("with", "is the text between the parts of join, but there is no join")
    match key:
        case "constant":
            return constant(table.plain("constant"))
        case "var":
            return constant(definitions.variables.value(value, table, key), key)
        case "path":
            return compile_path(table.text("path") or "", table, key)
        case "template":
            return compile_template(table.text("template") or "", table, key, definitions.variables, is_key=is_key)
    if isinstance(value, list):
        parts = [_part(one, number, table, key, definitions) for number, one in enumerate(value, 1)]
        return _all_or_first(parts, is_spread=is_spread)
    return compile_reference(value, table, key, definitions.variables)


def _joined(given: Any, table: Table, definitions: Definitions) -> Reference:
    between = table.text("with")
    if not isinstance(given, list) or not given:
        table.fail("join", 'must be a list of columns, such as ["First name", "Last name"]')
    parts = [_part(one, number, table, "join", definitions) for number, one in enumerate(given, 1)]
    mark = " " if between is None else between

    def join(row: Fields) -> Any:
        found = [(part, part.read(row)) for part in parts]
        if all(part.is_constant or is_empty(value) for part, value in found):
            return MISSING
        return mark.join(text_of(value) for _, value in found if not is_empty(value))

    return Reference(join, "join", _columns(parts))


def _part(given: Any, number: int, table: Table, key: str, definitions: Definitions) -> Reference:
    """Return the reference for one part of a list: a reference, or a table with operations as a field has them."""
    if not isinstance(given, dict) or (len(given) == 1 and set(given) <= REFERENCES):
        return compile_reference(given, table, key, definitions.variables)
    part = Table(table.file, f"{table.name} {key} part {number}", given)
    if stray := part.given(_OF_THE_FIELD):
        part.fail(stray[0], "is an option of the whole field; move it out of the part")
    source = compile_source(part, definitions)
    operations = compile_operations(part, definitions)
    list_step, length = compile_list_step(part), compile_length(part)
    default = definitions.variables.resolved(part.plain("default", MISSING), part, "default")
    part.finish()
    if length is not None and length.policy == "split":
        part.fail("too_long", 'cannot be "split" for a part; split the whole field')

    def read(row: Fields) -> Any:
        try:
            value = apply_all(operations, source.read(row))
            if list_step is not None and isinstance(value, list):
                value = list_step(value)
            if is_empty(value):
                return default
            return value if length is None else length.fit(value)
        except Unmappable as error:
            name = source.text if source.text not in SOURCES else f"number {number}"
            raise Unmappable(f"has a part, {name}, that {error.detail}", code=error.code) from None

    return Reference(read, source.text, source.columns, is_constant=source.is_constant)


def _all_or_first(references: Sequence[Reference], *, is_spread: bool) -> Reference:
    """Return all columns as a list if the field has a `*`, else the first column that is not empty."""
    readers: list[Callable[[Fields], Any]] = [reference.read for reference in references]

    def first(row: Fields) -> Any:
        found: Any = MISSING
        for read in readers:
            value = read(row)
            if not is_empty(value):
                return value
            # Null may clear the field, but only if no other column has a value.
            found = None if value is None else found
        return found

    def every(row: Fields) -> Any:
        return [read(row) for read in readers]

    return Reference(every if is_spread else first, "from", _columns(references))


def _columns(references: Sequence[Reference]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for reference in references for name in reference.columns))
