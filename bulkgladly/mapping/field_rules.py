"""How a mapping fills one field: from which source, with which operations, up to which length. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.choices import Owner
from bulkgladly.mapping.dates import DateConversion
from bulkgladly.mapping.definitions import NO_DEFINITIONS, Definitions
from bulkgladly.mapping.field_lengths import Length, compile_length
from bulkgladly.mapping.field_sources import SOURCES, compile_source
from bulkgladly.mapping.list_values import ListStep, compile_list_step
from bulkgladly.mapping.row_values import MISSING, Fields, Reference, Unmappable, is_empty
from bulkgladly.mapping.tables import Table
from bulkgladly.mapping.value_operations import Operation, apply_all, compile_operations
from bulkgladly.records import DroppedValue

__all__ = ("FieldRule", "compile_field")

_SPREAD = "*"
_KEY_OF = re.compile("[a-z]+Key")
"""The fields that hold the source key of another object: customerKey, taskKey, answerKey, parentKey."""
_PATH = re.compile(r"[\w.]+")


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one field is filled. `target` may have a `*` in place of a number.

    The values of a list then go to `email:1`, `email:2` and so on, for `email:*`.

    - *what it is*: `column` to `label`, `can_be_ambiguous`, `is_ambiguous`
    - *its value in a row*: `value`, `_finished`, `spread`
    - *what is left of a value that is not valid*: `_surviving`, `_kept`, `_dropped`
    """

    target: str
    source: Reference
    operations: tuple[Operation, ...] = ()
    list_step: ListStep | None = None
    makes_one: bool = False
    """Whether `list_step` makes one value of a list; otherwise it flattens lists within lists."""
    default: Any = MISSING
    is_required: bool = False
    length: Length | None = None
    drops: bool = False
    """Whether a value that is not valid is left out; otherwise it rejects the record."""
    owner: str | None = None
    """Who owns the field of an object that exists; None is the usual owner."""

    @property
    def column(self) -> str | None:
        """The column that is copied unchanged, or None if there is more to do."""
        if self.operations or self.makes_one or self.is_required or self.length is not None or self.is_spread:
            return None
        return self.source.column if self.default is MISSING else None

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
        return self.source.text if is_name and self.source.text not in SOURCES else ", ".join(self.source.columns)

    @property
    def label(self) -> str:
        """The field as messages name it: the user's columns, with Gladly's field beside them if it differs."""
        name = self.source_name
        return self.target if name in ("", self.target) else f"{name} ({self.target})"

    @property
    def can_be_ambiguous(self) -> bool:
        """True if a date can be read in several forms."""
        return any(isinstance(one, DateConversion) and one.can_be_ambiguous for one in self.operations)

    def is_ambiguous(self, row: Fields) -> bool:
        """Tell whether a date in a row would be another day in another of its forms."""
        at = next((at for at, one in enumerate(self.operations) if isinstance(one, DateConversion)), None)
        conversion = None if at is None else self.operations[at]
        if not isinstance(conversion, DateConversion):
            return False
        try:
            return conversion.is_ambiguous(apply_all(self.operations[:at], self.source.read(row)))
        except Unmappable:
            return False

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
        if self.length is not None and not self.is_split and not self.makes_one:
            steps.append(self.length.fit)
        if not isinstance(found, list):
            kept = self._kept(found, steps, found, None, dropped)
        else:
            kept = [self._kept(one, steps, one, number, dropped) for number, one in enumerate(found, 1)]
        # An empty list may clear the field, which nobody has asked for.
        if isinstance(kept, list) and all(map(is_empty, kept)):
            kept = MISSING
        try:
            return self._finished(kept)
        except Unmappable as error:  # what a list became as a whole, which is too long
            dropped.append(self._dropped(None, f"{self.label} {error.detail}", found))
            return self._finished(MISSING)

    def _kept(
        self, value: Any, steps: Sequence[Operation], original: Any, number: int | None, dropped: list[DroppedValue]
    ) -> Any:
        for at, step in enumerate(steps):
            if isinstance(value, list):
                return [self._kept(one, steps[at:], one, number or nth, dropped) for nth, one in enumerate(value, 1)]
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
        if self.list_step is not None and isinstance(value, list):
            value = self.list_step(value)
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
        elements = value if isinstance(value, list) else [value]
        return [
            (self.target.replace(_SPREAD, str(number)), element)
            for number, element in enumerate(elements, 1)
            if not is_empty(element)
        ]


def compile_field(target: str, given: Any, file: str, definitions: Definitions = NO_DEFINITIONS) -> FieldRule:
    """Return the rule for one entry of `[fields]`: the name of a column, or a table.

    Raises:
        UsageError: The entry is not valid; the message names file, field and key.
    """
    if target.count(_SPREAD) > 1:
        Table(file, "fields", {}).fail(f'"{target}"', "can have only one *, in place of a number")
    if not isinstance(given, dict):
        given = {"from": given}
    table = Table(file, f'fields."{target}"', given)
    is_spread = _SPREAD in target
    source = compile_source(table, definitions, is_spread=is_spread, is_key=_KEY_OF.fullmatch(target) is not None)
    operations = compile_operations(table, definitions)
    rule = FieldRule(
        target=target,
        source=source,
        operations=operations,
        list_step=compile_list_step(table, is_spread=is_spread),
        makes_one=bool(table.given(("take", "combine"))),
        default=_default(table, definitions),
        is_required=table.flag("required"),
        length=compile_length(table),
        drops=table.choice("on_error", ("reject", "drop")) == "drop",
        owner=table.choice("owner", Owner),
    )
    table.finish()
    if rule.is_split and is_spread:
        table.fail("too_long", 'cannot be "split" for a field with *')
    if rule.drops and rule.is_required:
        table.fail("on_error", 'cannot be "drop" for a field with required = true; remove one of them')
    if source.is_constant and source.text == "constant" and (operations or rule.length):
        table.fail("constant", "cannot be combined with operations; write the value as it should be")
    return rule


def _default(table: Table, definitions: Definitions) -> Any:
    return definitions.variables.resolved(table.plain("default", MISSING), table, "default")
