"""The operations that a mapping can apply to one value: a closed list, compiled once. Pure.

They run in the order of `compile_operations`, whatever their order in the file. Each gets one value that is not
empty; for a list it gets every element.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from bulkgladly.mapping.dates import compile_dates
from bulkgladly.mapping.definitions import NO_DEFINITIONS, Definitions
from bulkgladly.mapping.html import clean_html, html_to_text, text_to_html
from bulkgladly.mapping.numbers import compile_number
from bulkgladly.mapping.row_values import MISSING, Unmappable, is_empty, text_of
from bulkgladly.mapping.tables import Table

__all__ = ("Operation", "apply_all", "compile_operations")

Operation = Callable[[Any], Any]

_CASES: dict[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper, "title": str.title}
_HTML: dict[str, Callable[[str], str]] = {"clean": clean_html, "to_text": html_to_text, "from_text": text_to_html}
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def compile_operations(table: Table, definitions: Definitions = NO_DEFINITIONS) -> tuple[Operation, ...]:
    """Return the operations in a field's table, in the order in which they run.

    Raises:
        UsageError: The table is not valid.
    """
    # Text is taken apart and cleaned first, then looked up: so `values` can turn words into dates or numbers, which
    # are converted last.
    found = [_extract(table), _replace(table), _split(table), _trim(table), _case(table)]
    found += [definitions.following(table), definitions.looking_up(table), _values(table, definitions)]
    found += [compile_dates(table, definitions), _kind(table), _html(table)]
    return tuple(one for one in found if one is not None)


def apply_all(operations: tuple[Operation, ...], value: Any) -> Any:
    """Return a value after all operations; `MISSING` if one of them leaves nothing.

    Raises:
        Unmappable: An operation cannot be applied to the value.
    """
    for operation in operations:
        value = _apply(operation, value)
    return value


def _apply(operation: Operation, value: Any) -> Any:
    if isinstance(value, list):
        return [_apply(operation, element) for element in value]
    return value if is_empty(value) else operation(value)


def _extract(table: Table) -> Operation | None:
    pattern = table.text("extract")
    if pattern is None:
        return None
    try:
        search = re.compile(pattern).search
    except re.error as error:
        table.fail("extract", f"is not a valid regular expression: {error}")

    def extract(value: Any) -> Any:
        found = search(text_of(value))
        if found is None:
            return MISSING
        return (found[1] if found.re.groups else found[0]) or MISSING

    return extract


def _replace(table: Table) -> Operation | None:
    given = table.value("replace")
    if given is None:
        return None
    if isinstance(given, dict):
        texts = Table(table.file, f"{table.name}.replace", given)
        steps = [_literal(old, new, texts) for old, new in given.items()]
    elif isinstance(given, list) and all(isinstance(one, dict) for one in given):
        numbered = enumerate(given, 1)
        steps = [_pattern(Table(table.file, f"{table.name} replace {number}", one)) for number, one in numbered]
    else:
        table.fail("replace", 'must be a table like { "old" = "new" }, or a list of { pattern = "…", with = "…" }')

    def replace(value: Any) -> Any:
        text = text_of(value)
        for step in steps:
            text = step(text)
        return text

    return replace


def _literal(old: str, new: Any, table: Table) -> Callable[[str], str]:
    if not old:
        table.fail('""', "must not be empty; name the text to replace")
    if not isinstance(new, str):
        table.fail(f'"{old}"', "must be a text")
    return lambda text: text.replace(old, new)


def _pattern(table: Table) -> Callable[[str], str]:
    pattern, new = table.text("pattern"), table.text("with")
    table.finish()
    if not pattern or new is None:
        table.fail("with" if pattern else "pattern", 'is missing; write { pattern = "…", with = "…" }')
    try:
        compiled = re.compile(pattern)
        compiled.sub(new, "")  # finds what is wrong with the replacement
    except (re.error, IndexError) as error:
        table.fail("pattern", f"is not a valid regular expression, or with does not fit it: {error}")
    return lambda text: compiled.sub(new, text)


def _split(table: Table) -> Operation | None:
    mark, part = table.text("split"), table.number("part")
    if mark is None:
        if part is not None:
            table.fail("part", "needs split, the text between the parts")
        return None
    if not mark:
        table.fail("split", "must not be empty")
    if part == 0:
        table.fail("part", "counts from 1, or from the end with -1")

    def parts_of(value: Any) -> list[str]:
        return [one for one in (one.strip() for one in text_of(value).split(mark)) if one]

    if part is None:
        return parts_of
    index = part - 1 if part > 0 else part

    def part_of(value: Any) -> Any:
        parts = parts_of(value)
        return parts[index] if -len(parts) <= index < len(parts) else MISSING

    return part_of


def _trim(table: Table) -> Operation | None:
    return (lambda value: text_of(value).strip()) if table.flag("trim") else None


def _case(table: Table) -> Operation | None:
    name = table.choice("case", _CASES)
    if name is None:
        return None
    change = _CASES[name]
    return lambda value: change(text_of(value))


def _values(table: Table, definitions: Definitions) -> Operation | None:
    table.plain("values")
    given, otherwise = table.table("values"), table.choice("otherwise", ("reject", "keep", "drop"))
    ignores_case = table.flag("ignore_case")
    if given is None:
        needless = ("ignore_case",) if "lookup" in table else ("otherwise", "ignore_case")
        if stray := table.given(needless):
            table.fail(stray[0], "can only be used together with values")
        return None
    known = {theirs: definitions.variables.resolved(ours, given, theirs) for theirs, ours in given.items()}
    if "*" in known and otherwise is not None:
        table.fail("otherwise", 'and the entry "*" of values both decide about other values; remove one of them')
    rest = known.pop("*", None)
    if ignores_case:
        forms = Counter(key.lower() for key in known)
        if twice := next((key for key in known if forms[key.lower()] > 1), None):
            table.fail("values", f"has {twice!r} twice if case does not count; remove one, or ignore_case")
        known = {key.lower(): value for key, value in known.items()}

    def look_up(value: Any) -> Any:
        text = text_of(value).strip()
        found = known.get(text.lower() if ignores_case else text, MISSING)
        if found is not MISSING:
            return found
        if rest is not None:
            return rest
        if otherwise == "keep":
            return value
        if otherwise == "drop":
            return MISSING
        raise Unmappable(f'is not one of the {len(known)} entries of values; add it, or "*" for all others')

    return look_up


def _kind(table: Table) -> Operation | None:
    name = table.choice("as", ("text", "integer", "number", "flag"))
    number = compile_number(table)
    return number if name is None or number is not None else _KINDS[name]


def _html(table: Table) -> Operation | None:
    name = table.choice("html", _HTML)
    if name is None:
        return None
    change = _HTML[name]
    return lambda value: change(text_of(value))


def _flag(value: Any) -> bool:
    flag = value if isinstance(value, bool) else _FLAGS.get(text_of(value).strip().lower())
    if flag is None:
        raise Unmappable("is not true or false (or yes, no, 1, 0); translate it with values")
    return flag


_KINDS: dict[str, Operation] = {"text": text_of, "flag": _flag}
