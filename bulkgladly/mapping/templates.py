"""Templates: texts with places that values of the row fill, such as `#{id} {subject} ({created_at:date})`. Pure."""

import datetime as dt
import html
import re
from collections.abc import Callable, Sequence
from typing import Any

from bulkgladly.mapping.dates import compile_zone
from bulkgladly.mapping.row_values import (
    MISSING,
    Fields,
    Reference,
    Unmappable,
    column,
    compile_path,
    is_empty,
    text_of,
)
from bulkgladly.mapping.tables import Table
from bulkgladly.mapping.variables import NO_VARIABLES, Variables
from bulkgladly.source_keys import NotAKey, read_key
from bulkgladly.times import written_time

__all__ = ("compile_template",)

_PIECE = re.compile(r'\{\{|\}\}|\{((?:"[^"]*"|[^{}"])*)\}|[{}]')
_PLACE = re.compile(r'(?:"([^"]+)"|\$(\w+)|([^":$]+))(?::(.+))?')
_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_DIRECTIVE = re.compile(r"%[a-zA-Z]")
_FORMS = "date, html, or a pattern like %d.%m.%Y"

Part = tuple[Callable[[Fields], Any], bool]
"""What reads a part of the text, and whether it is a place that the row fills."""


def compile_template(
    text: str, table: Table, key: str = "template", variables: Variables = NO_VARIABLES, *, is_key: bool = False
) -> Reference:
    """Return the reference for a template. It is empty if all its places are; as a key, if one of them is.

    Raises:
        UsageError: It is not a valid template.
    """
    zone = compile_zone(table)
    parts: list[Part] = []
    columns: list[str] = []
    end = 0
    for found in _PIECE.finditer(text):
        parts += _fixed(text[end : found.start()])
        end = found.end()
        if found[0] in ("{{", "}}"):
            parts += _fixed(found[0][0])
        elif found[1] is None:
            table.fail(key, f"has a single {found[0]}; write {found[0] * 2} if it is part of the text")
        else:
            part, names = _place(found[1], table, key, variables, zone)
            parts.append(part)
            columns += names
    parts += _fixed(text[end:])
    if not columns:
        table.fail(key, "has no {name} of a column; use constant for a text that is always the same")
    return Reference(_reader(parts, is_key=is_key), text, tuple(dict.fromkeys(columns)))


def _fixed(text: str) -> list[Part]:
    return [(lambda _: text, False)] if text else []


def _reader(parts: Sequence[Part], *, is_key: bool) -> Callable[[Fields], Any]:
    def read(row: Fields) -> Any:
        found = [(part(row), is_place) for part, is_place in parts]
        if all(is_empty(value) for value, is_place in found if is_place):
            return MISSING
        return "".join(text_of(value) for value, _ in found if not is_empty(value))

    def read_key_of(row: Fields) -> Any:
        found = [_key_part(part(row)) if is_place else part(row) for part, is_place in parts]
        return MISSING if any(map(is_empty, found)) else "".join(map(text_of, found))

    return read_key_of if is_key else read


def _key_part(value: Any) -> Any:
    """Return what a place gives to a key, in the form in which keys are compared: 7, "7" and " 7.0 " are one key."""
    try:
        return read_key(None if value is MISSING else value).text
    except NotAKey as error:
        if error.code == "key_missing" or is_empty(value):
            return MISSING
        raise Unmappable("has a part that is not a text or a whole number", code="key_type") from None


def _place(
    text: str, table: Table, key: str, variables: Variables, zone: dt.tzinfo | None
) -> tuple[Part, tuple[str, ...]]:
    found = _PLACE.fullmatch(text)
    if found is None:
        table.fail(key, f"{{{text}}} names no column; put a name with : or $ in double quotes")
    quoted, variable, name, form = found.groups()
    if variable is not None:
        value = variables.value(variable, table, key)
        return (lambda _: value, False), ()
    if quoted is None and "[" in name:
        table.fail(key, f"{{{text}}} is not a column or a path of names; put the name of a column in double quotes")
    if quoted is not None:
        reference = column(quoted)
    else:
        reference = compile_path(name, table, key) if _PATH.fullmatch(name) else column(name)
    if form is None:
        return (reference.read, True), reference.columns
    return (_formed(reference, text, _form(form, table, key, zone)), True), reference.columns


def _formed(reference: Reference, text: str, change: Callable[[str], str | None]) -> Callable[[Fields], Any]:
    def read(row: Fields) -> Any:
        value = reference.read(row)
        if is_empty(value):
            return MISSING
        changed = change(text_of(value))
        if changed is None:
            raise Unmappable(f"has a {{{text}}} in its template that is not a time, such as 2026-01-31T09:00:00Z")
        return changed

    return read


def _form(form: str, table: Table, key: str, zone: dt.tzinfo | None) -> Callable[[str], str | None]:
    if form == "html":
        return lambda value: html.escape(value, quote=True)
    if form != "date" and not _DIRECTIVE.search(form):
        table.fail(key, f"{form!r} is not a format; use {_FORMS}")

    def written(value: str) -> str | None:
        moment = written_time(value)
        if moment is None:
            return None
        if zone is not None and moment.tzinfo is not None:
            moment = moment.astimezone(zone)
        return moment.date().isoformat() if form == "date" else moment.strftime(form)

    return written
