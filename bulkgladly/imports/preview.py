"""Sample rows before and after: what a mapping, and the cleaning behind it, make of the first rows of an input.

`check`, `map check` and `explain` show the same. A record is made as in an import, so what is shown is what would be
sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.files.inputs import Expand, Inputs
from bulkgladly.files.text_files import TextReader
from bulkgladly.gladly.spec import Draft, ImportSpec
from bulkgladly.imports.drafts import Preparer
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.mapping.mapper import KEY_COLUMN
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.records import DroppedValue, Part, Position, Problem, Row

__all__ = ("KEY", "PreviewRecord", "PreviewRow", "PreviewValue", "Previewer", "first_rows", "place_in", "told_values")

KEY = "key"
"""What the source key of a record is called, since the user has no such column."""


@dataclass(frozen=True, slots=True)
class PreviewValue:
    """A field of a record: Gladly's name, and what its row and the record have there.

    `column` are the user's columns that fill it. `before` is None if no single column fills it. `is_constant` says that
    the value stands in the mapping itself, so that it tells nothing of the row.
    """

    field: str
    column: str
    before: Any
    after: Any
    is_constant: bool = False

    @property
    def is_same(self) -> bool:
        """Whether the value is sent as the row has it, perhaps under another name."""
        if self.before is None:
            return False
        before, after = str(self.before), str(self.after)
        # A time is sent with its milliseconds, which is nothing that a person has to look at.
        return before == after or after == f"{before.removesuffix('Z')}.000Z"


@dataclass(frozen=True, slots=True)
class PreviewRecord:
    """One record of a row, or why there is none."""

    values: tuple[PreviewValue, ...]
    dropped: tuple[DroppedValue, ...] = ()
    problem: Problem | None = None
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A row of the input and its records. `source` is the row as it was read."""

    row: Row
    place: str
    source: Mapping[str, Any]
    records: tuple[PreviewRecord, ...]


def first_rows(inputs: Inputs, most: int) -> Iterator[Row]:
    """Yield the first rows of an input as they are read, before any mapping.

    Raises:
        InputError: A file cannot be read.
    """
    left = most
    for reader in inputs.readers:
        if left <= 0:
            return
        for row in reader.sample(left):
            left -= 1
            yield row


def place_in(inputs: Inputs, position: Position) -> str:
    """Return the place of a row as an editor understands it: file and line, or the row of a table."""
    name = inputs.names[position.file]
    is_text = isinstance(inputs.readers[position.file], TextReader)
    return f"{name}:{position.number}" if is_text else f"{name}, row {position.number}"


class Previewer:
    """Shows rows of an input beside their records."""

    def __init__(
        self, spec: ImportSpec, options: ImportOptions, preparer: Preparer, expand: Expand | None, inputs: Inputs
    ) -> None:
        self._spec, self._preparer, self._expand, self._inputs = spec, preparer, expand, inputs
        self._places = {field.name: field.place for field in spec.fields if field.parts is None}
        self._key, self._key_column = options.policy("").key, options.key or ""
        self._constants: frozenset[str] = frozenset()
        choice = options.mapping
        self._is_mapped = choice is not None and choice.file is not None
        if choice is not None and choice.file is not None:
            mapping = parse_mapping(choice.text, choice.file)
            self._constants = frozenset(rule.target for rule in mapping.rules if rule.source.is_constant)
            if mapping.key is not None:
                self._key_column = self._key_column or mapping.key.text

    def shown(self, row: Row) -> PreviewRow:
        """Return a row with its records."""
        made = [row] if self._expand is None else self._expand(row)
        records = tuple(self.record(one, row.fields or {}) for one in made)
        return PreviewRow(row, place_in(self._inputs, row.position), row.fields or {}, records)

    def record(self, row: Row, source: Mapping[str, Any]) -> PreviewRecord:
        """Return one record of a row, as the mapping made it, beside the row as it was read."""
        item = self._preparer.draft_of(row)
        problem, draft = (item, None) if isinstance(item, Problem) else (None, item)
        dropped = row.dropped if draft is None else draft.row.dropped
        values = tuple(self._values(row.fields or {}, source, draft))
        gone = {one.field for one in dropped}
        return PreviewRecord(tuple(one for one in values if one.field not in gone), tuple(dropped), problem, row.part)

    def _values(
        self, fields: Mapping[str, Any], source: Mapping[str, Any], draft: Draft | None
    ) -> Iterator[PreviewValue]:
        sent = {} if draft is None else self._sent(fields, draft)
        for name, value in fields.items():
            after = sent.get(name, value)
            if name == self._key:
                after = value if draft is None else draft.key
                column = self._key_column if self._is_mapped else name
                yield PreviewValue(KEY if name == KEY_COLUMN else name, column, source.get(column), after)
                continue
            column = self._preparer.names.column_of(name)
            if draft is not None and name not in sent and self._is_part(name):
                continue  # a type without a number is not sent
            before = source.get(column)
            if after not in (None, "") or before not in (None, ""):
                yield PreviewValue(name, column, before, after, name in self._constants)

    def _is_part(self, name: str) -> bool:
        prefix, _, rest = name.partition(":")
        return ":" in rest and any(one.prefix == prefix for one in self._spec.columns.lists)

    def _sent(self, fields: Mapping[str, Any], draft: Draft) -> dict[str, Any]:
        """Return what is sent for the columns of a row, as far as a column stands for one value of the payload."""
        payload, plan = draft.payload, self._spec.columns
        found: dict[str, Any] = {name: payload[name] for name in fields if name in payload}
        entries = self._preparer.names.entries_of(fields)
        for one in plan.lists:
            columns, items = entries.get(one.field, []), payload.get(one.field) or []
            if len(columns) != len(items):
                continue  # an address that came twice is sent once
            for column, item in zip(columns, items, strict=True):
                found[column] = item.get(one.value)
                found |= {f"{column}:{part}": item[part] for part in one.parts if part in item}
        if plan.open_map and isinstance(attributes := payload.get(plan.open_map), Mapping):
            found |= {f"{plan.open_prefix}:{name}": value for name, value in attributes.items()}
        for name in fields:
            if name in self._places and (value := _at(payload, self._places[name])) is not None:
                found[name] = value
        return found


def _at(payload: Mapping[str, Any], place: str) -> Any:
    """Return the value at a place such as `assignee.inboxId`; None if there is none."""
    found: Any = payload
    for name in place.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def told_values(rows: Sequence[PreviewRow]) -> list[tuple[str, str]]:
    """Return the fields that are filled from another column without a change in any row, each with the column."""
    changed: set[str] = set()
    same: dict[str, str] = {}
    for row in rows:
        for record in row.records:
            for value in record.values:
                if value.is_same:
                    same.setdefault(value.field, value.column)
                else:
                    changed.add(value.field)
    return [(field, column) for field, column in same.items() if field != column and field not in changed]
