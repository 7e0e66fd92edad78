"""How a mapping fills one field: from which source, with which operations, up to which length. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.mapping.lengths import cut_html, cut_text, split_html, split_text
from bulkgladly.mapping.row_values import (
    MISSING,
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
from bulkgladly.mapping.value_operations import Operation, apply_all, compile_operations
from bulkgladly.records import DroppedValue

__all__ = ("FieldRule", "Length", "compile_field")

_SOURCES = ("from", "path", "constant", "join")
_SPREAD = "*"
_PATH = re.compile(r"[\w.]+")


@dataclass(frozen=True, slots=True)
class Length:
    """How many characters a field takes, and what happens to longer values: reject, cut, or split.

    Each piece of a split becomes a record of its own. Their numbers are added to the field `number_in`.
    """

    most: int
    policy: str = "reject"
    is_html: bool = False
    number_in: str | None = None

    def fit(self, value: Any) -> Any:
        """Return a value that is short enough.

        Raises:
            Unmappable: It is too long and must not or cannot be cut.
        """
        if isinstance(value, list):
            return [self.fit(element) for element in value]
        if not isinstance(value, str) or len(value) <= self.most:
            return value
        if self.policy == "cut":
            return cut_html(value, self.most) if self.is_html else cut_text(value, self.most)
        raise Unmappable(
            f"has {len(value):,} characters, but max is {self.most:,}; shorten it, or choose too_long = cut or split"
        )

    def pieces(self, value: Any) -> list[str]:
        """Return a text as pieces that are short enough.

        Raises:
            Unmappable: It cannot be split, or is not a text.
        """
        return split_html(value, self.most) if self.is_html else split_text(text_of(value), self.most)


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one field is filled. `target` may have a `*` in place of a number.

    The values of a list then go to `email:1`, `email:2` and so on, for `email:*`.
    """

    target: str
    source: Reference
    operations: tuple[Operation, ...] = ()
    default: Any = MISSING
    is_required: bool = False
    length: Length | None = None
    drops: bool = False
    """Whether a value that is not valid is left out; otherwise it rejects the record."""

    @property
    def column(self) -> str | None:
        """The column that is copied unchanged, or None if there is more to do."""
        is_plain = not self.operations and self.default is MISSING and not self.is_required and self.length is None
        return self.source.column if is_plain and not self.is_spread else None

    @property
    def is_spread(self) -> bool:
        """True if a list is spread over numbered columns."""
        return _SPREAD in self.target

    @property
    def is_split(self) -> bool:
        """True if a value that is too long becomes several records."""
        return self.length is not None and self.length.policy == "split"

    @property
    def source_name(self) -> str:
        """The column, columns or path that the user fills the field from; empty for a constant."""
        is_name = self.source.column is not None or _PATH.fullmatch(self.source.text) is not None
        return self.source.text if is_name and self.source.text not in _SOURCES else ", ".join(self.source.columns)

    @property
    def label(self) -> str:
        """The field as messages name it: the user's columns, with Gladly's field beside them if it differs."""
        name = self.source_name
        return self.target if name in ("", self.target) else f"{name} ({self.target})"

    def value(self, row: Fields, dropped: list[DroppedValue]) -> Any:
        """Return the field's value in a row: `MISSING` if the row has none, None if it has null.

        A value that will be split is returned whole. If the rule drops values that are not valid, they are added
        to `dropped`, and the rest is what it would be if their cells were empty.

        Raises:
            Unmappable: There is no such value; `attr` names the field.
        """
        try:
            value = self.source.read(row)
            return self._finished(apply_all(self.operations, value) if self.operations else value)
        except Unmappable as error:
            if not self.drops:
                raise self._named(error) from None
            problem = self._named(error)
        return self._surviving(row, problem, dropped)

    def _named(self, error: Unmappable) -> Unmappable:
        return Unmappable(f"{self.label} {error.detail}", self.target, code=error.code, is_skip=error.is_skip)

    def _surviving(self, row: Fields, problem: Unmappable, dropped: list[DroppedValue]) -> Any:
        """Return what is left of a value that is not valid: of a list, the elements that are."""
        try:
            found = self.source.read(row)
        except Unmappable:  # a join of what cannot be joined
            dropped.append(self._dropped(None, problem.detail, None))
            return self._finished(MISSING)
        steps = [*self.operations]
        if self.length is not None and not self.is_split:
            steps.append(self.length.fit)
        if not isinstance(found, list):
            kept = self._kept(found, steps, found, None, dropped)
        else:
            kept = [self._kept(one, steps, one, number, dropped) for number, one in enumerate(found, 1)]
        # An empty list may clear the field, which nobody has asked for.
        if isinstance(kept, list) and all(map(is_empty, kept)):
            kept = MISSING
        return self._finished(kept)

    def _kept(
        self, value: Any, steps: Sequence[Operation], original: Any, number: int | None, dropped: list[DroppedValue]
    ) -> Any:
        for at, step in enumerate(steps):
            if isinstance(value, list):
                return [self._kept(one, steps[at:], one, nth, dropped) for nth, one in enumerate(value, 1)]
            if is_empty(value):
                return value
            try:
                value = step(value)
            except Unmappable as error:
                dropped.append(self._dropped(number, f"{self.label} {error.detail}", original))
                return MISSING
        return value

    def _dropped(self, number: int | None, detail: str, value: Any) -> DroppedValue:
        columns = self.source.columns
        # For a list of columns, each element is the cell of one of them.
        is_one = number is not None and self.is_spread and 1 < len(columns) >= number
        column = columns[number - 1] if is_one and number else self.source_name
        field = self.target.replace(_SPREAD, str(number)) if number else self.target
        return DroppedValue(field, column or self.target, "mapping", detail, value)

    def _finished(self, value: Any) -> Any:
        if is_empty(value) or (self.is_spread and isinstance(value, list) and all(map(is_empty, value))):
            if self.default is not MISSING:
                return self.default
            if self.is_required:
                raise Unmappable("is required, but the row has no value for it")
            return MISSING if value == "" else value
        if isinstance(value, list) and not self.is_spread:
            value = [element for element in value if element is not MISSING]
        return value if self.length is None or self.is_split else self.length.fit(value)

    def spread(self, value: Any) -> list[tuple[str, Any]]:
        """Return the numbered columns that a value fills; the number of an empty element stays unused."""
        if value is MISSING or value is None:
            return []
        given = value if isinstance(value, list) else [value]
        # Of several columns, each of which was split, every part counts as one.
        elements = [one for element in given for one in (element if isinstance(element, list) else [element])]
        return [
            (self.target.replace(_SPREAD, str(number)), element)
            for number, element in enumerate(elements, 1)
            if not is_empty(element)
        ]


def compile_field(target: str, given: Any, file: str) -> FieldRule:
    """Return the rule for one entry of `[fields]`: the name of a column, or a table.

    Raises:
        UsageError: The entry is not valid; the message names file, field and key.
    """
    if target.count(_SPREAD) > 1:
        Table(file, "fields", {}).fail(f'"{target}"', "can have only one *, in place of a number")
    if not isinstance(given, dict):
        given = {"from": given}
    table = Table(file, f'fields."{target}"', given)
    source = _source(target, table)
    operations = compile_operations(table)
    rule = FieldRule(
        target=target,
        source=source,
        operations=operations,
        default=_default(table),
        is_required=table.flag("required"),
        length=_length(target, table),
        drops=table.choice("on_error", ("reject", "drop")) == "drop",
    )
    table.finish()
    if rule.drops and rule.is_required:
        table.fail("on_error", 'cannot be "drop" for a field with required = true; remove one of them')
    if source.is_constant and (operations or rule.length):
        table.fail("constant", "cannot be combined with operations; write the value as it should be")
    return rule


def _source(target: str, table: Table) -> Reference:
    given = table.given(_SOURCES)
    if len(given) != 1:
        what = f"has {' and '.join(given)}" if given else "does not say where the value comes from"
        table.fail(given[1] if given else "from", f"{what}; give exactly one of {', '.join(_SOURCES)}")
    for key in _SOURCES:  # asked for, so that `finish` compares a misspelt key with all of them
        table.value(key)
    key, value = given[0], table.value(given[0])
    if key == "join":
        return _joined(value, table)
    if table.given(("with",)):
        table.fail("with", "is the text between the parts of join, but there is no join")
    if key == "constant":
        return constant(table.plain("constant"))
    if key == "path":
        return compile_path(table.text("path") or "", table, key)
    if isinstance(value, list):
        return _all_or_first([compile_reference(one, table, key) for one in value], is_spread=_SPREAD in target)
    return compile_reference(value, table, key)


def _joined(given: Any, table: Table) -> Reference:
    between = table.text("with")
    if not isinstance(given, list) or not given:
        table.fail("join", 'must be a list of columns, such as ["First name", "Last name"]')
    parts = [compile_reference(one, table, "join") for one in given]
    mark = " " if between is None else between

    def join(row: Fields) -> Any:
        found = [(part, part.read(row)) for part in parts]
        if all(part.is_constant or is_empty(value) for part, value in found):
            return MISSING
        return mark.join(text_of(value) for _, value in found if not is_empty(value))

    return Reference(join, "join", _columns(parts))


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


def _default(table: Table) -> Any:
    return table.plain("default", MISSING)


def _length(target: str, table: Table) -> Length | None:
    most, policy = table.number("max"), table.choice("too_long", ("reject", "cut", "split"))
    number_in = table.text("number_in")
    if most is None:
        if stray := table.given(("too_long", "number_in")):
            table.fail(stray[0], "needs max, the number of characters that fit")
        return None
    if most < 1:
        table.fail("max", "must be at least 1")
    if number_in is not None and policy != "split":
        table.fail("number_in", 'can only be used with too_long = "split"')
    if policy == "split" and _SPREAD in target:
        table.fail("too_long", 'cannot be "split" for a field with *')
    return Length(most, policy or "reject", table.value("html") in ("clean", "from_text"), number_in)
