"""Turns one row into the records that a mapping makes of it, or into the reason why there are none."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from bulkgladly.mapping.field_rules import FieldRule
from bulkgladly.mapping.lengths import cut_text
from bulkgladly.mapping.mapping import Each, Mapping
from bulkgladly.mapping.row_values import MISSING, Fields, Reference, Unmappable, is_empty, is_false
from bulkgladly.mapping.transform import Transform
from bulkgladly.records import DroppedValue, Part, Problem, Row, Word
from bulkgladly.source_keys import NotAKey, SourceKey, read_key

__all__ = ("DROPPED_VALUES", "FORMER_KEY_COLUMN", "KEY_COLUMN", "Made", "Mapper")

KEY_COLUMN = "_key"
"""The column that holds the source key of a mapping's records."""

FORMER_KEY_COLUMN = "_former_key"
"""Holds the former spelling of a record's key until the record becomes a row."""

DROPPED_VALUES = "_dropped_values"
"""Holds the values that a record was made without, until the record becomes a row."""

Made = dict[str, Any] | Unmappable
"""One record, or why there is none."""


class Mapper:
    """Makes rows with a transform, a mapping, or both; the chapters go from a row to the pieces of a record.

    `key` overrides where the mapping finds a row's source key. `nested` names the fields that are whole lists or
    objects; they are left out if a row has no value. All other fields become an empty text, so that all records
    have the same columns.
    """

    def __init__(
        self,
        mapping: Mapping | None,
        transform: Transform | None = None,
        *,
        key: Reference | None = None,
        nested: Collection[str] = (),
    ) -> None:
        self._transform = transform
        self._mapping = mapping
        self._given_key = key
        self._key = key or (mapping.key if mapping else None)
        self._renames: tuple[tuple[str, str], ...] = ()
        self._rules = mapping.rules if mapping else ()
        self._nested = frozenset(nested)
        # Plain columns are the most frequent rule, so they are copied without the general path of a rule.
        if mapping is not None:
            plain = [(rule, column) for rule in mapping.rules if (column := rule.column) is not None]
            self._renames = tuple((rule.target, column) for rule, column in plain if rule.target not in self._nested)
            renamed = {target for target, _ in self._renames}
            self._rules = tuple(rule for rule in mapping.rules if rule.target not in renamed)
        self._dated = tuple(rule for rule in self._rules if rule.can_be_ambiguous)
        self._split = next((rule for rule in self._rules if rule.is_split), None)

    @property
    def is_one_to_one(self) -> bool:
        """True if every row makes exactly one record."""
        return self._transform is None and not (self._mapping and self._mapping.splits)

    @property
    def key_text(self) -> str | None:
        """Where the key of a row comes from, as the user wrote it."""
        return self._key.text if self._key is not None else None

    def dropping(self, drops: Callable[[str], bool]) -> "Mapper":
        """Return a mapper that leaves out values that are not valid of the fields that `drops` says so of."""
        if self._mapping is None:
            return self
        rules = tuple(replace(rule, drops=drops(rule.target)) for rule in self._mapping.rules)
        mapping = replace(self._mapping, rules=rules)
        return Mapper(mapping, self._transform, key=self._given_key, nested=self._nested)

    # --- a row becomes rows ---

    def __call__(self, row: Row) -> list[Row]:
        """Return the rows that replace one row: at least one, always in the same order.

        All have its position, and its fields as their `source`. A record that cannot be made, or that the mapping
        leaves out, is a row with a problem.
        """
        if row.fields is None:
            return [row]
        source = row.fields
        records = self.records(source)
        of = len(records)
        if of == 1:
            return [_row(row, records[0], None)]
        rows = [_row(row, made, Part(number, of)) for number, made in enumerate(records, 1)]
        if row.part is not None and row.part.of == of:
            # The row comes from a rejects file, and the other records of it were accepted.
            return [rows[row.part.number - 1]]
        return rows

    def records(self, source: Fields) -> list[Made]:
        """Return the records of one row: at least one, or the reason why there is none."""
        try:
            rows = [source] if self._transform is None else self._transform.rows(source)
        except Unmappable as error:
            return [error]
        if self._mapping is None:
            made: list[Made] = [dict(row) for row in rows]
        else:
            numbers = self._numbers(rows)
            made = [one for row, n in zip(rows, numbers, strict=True) for one in self._records(row, n, self._mapping)]
        return made or [Unmappable("the transform returned no row", code="mapping_skipped", is_skip=True)]

    @property
    def can_be_ambiguous(self) -> bool:
        """True if a field has a date that can be read in several forms."""
        return bool(self._dated)

    def ambiguous_dates(self, source: Fields) -> list[FieldRule]:
        """Return the fields of a row's records whose dates would be other days in another of their forms."""
        if self._mapping is None:
            return []
        try:
            rows = [source] if self._transform is None else self._transform.rows(source)
            for row in rows:
                _pass_filter(row, self._mapping)
            elements = [one for row in rows for one in _elements(row, self._mapping.each)]
        except Unmappable:
            return []
        return [rule for rule in self._dated if any(map(rule.is_ambiguous, elements))]

    # --- the keys of its records ---

    def _numbers(self, rows: Sequence[Fields]) -> list[int]:
        """Number the rows of a transform that have the same key, each from 1."""
        if len(rows) == 1 or self._key is None:
            return [1] * len(rows)
        seen: Counter[str] = Counter()
        numbers: list[int] = []
        for row in rows:
            try:
                key = _key_of(row, self._key)
            except Unmappable:
                numbers.append(1)  # the row is rejected later, for its key
                continue
            seen[key.text] += 1
            numbers.append(seen[key.text])
        return numbers

    # --- its records ---

    def _records(self, row: Fields, number: int, mapping: Mapping) -> list[Made]:
        try:
            # Most mappings have neither, and a call for each row is 3 % of the time of plain columns.
            if mapping.where is not None:
                _pass_filter(row, mapping)
            key = None if self._key is None else _key_of(row, self._key)
            if key is not None and number > 1:
                key = _joined(key, SourceKey(str(number)))
            elements = [row] if mapping.each is None else _elements(row, mapping.each)
        except Unmappable as error:
            if error.is_skip and mapping.each is None:
                error.key = self._key_if_any(row, number)
            return [error]
        found: list[Made] = []
        for element in elements:
            full = None
            try:
                full = self._full_key(element, key)
                found += self._record(element, full)
            except Unmappable as error:
                error.key = None if full is None else full.text
                found.append(error)
        return found

    def _key_if_any(self, row: Fields, number: int) -> str | None:
        """Return the key of a row that is left out, so that nobody takes its record for one that is gone."""
        if self._key is None:
            return None
        try:
            key = _key_of(row, self._key)
        except Unmappable:
            return None
        return (key if number == 1 else _joined(key, SourceKey(str(number)))).text

    def _full_key(self, element: Fields, key: SourceKey | None) -> SourceKey | None:
        """Return the key of an element's record; it must not depend on what happens to the other elements."""
        each = self._mapping.each if self._mapping else None
        if each is None or key is None or each.number not in element:
            return key
        return _joined(key, SourceKey(str(element[each.number])) if each.key is None else _key_of(element, each.key))

    def _record(self, row: Fields, key: SourceKey | None) -> list[dict[str, Any]]:
        made: dict[str, Any] = {} if key is None else {KEY_COLUMN: key.text}
        if key is not None and key.former is not None:
            made[FORMER_KEY_COLUMN] = key.former
        for target, column in self._renames:
            made[target] = row.get(column, "")
        dropped: list[DroppedValue] = []
        for rule in self._rules:
            value = rule.value(row, dropped)
            if rule.is_spread:
                made.update(rule.spread(value))
            elif value is not MISSING:
                made[rule.target] = value
            elif rule.target not in self._nested:
                made[rule.target] = ""
        if dropped:
            made[DROPPED_VALUES] = tuple(dropped)
        return [made] if self._split is None else self._pieces(made)

    # --- the pieces of a record that is too long ---

    def _pieces(self, made: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a record as several if the field that can be split is too long."""
        rule = self._split
        if rule is None or rule.length is None or is_empty(made.get(rule.target)):
            return [made]
        try:
            pieces = rule.length.pieces(made[rule.target])
        except Unmappable as error:
            if rule.drops:
                gone = DroppedValue(
                    rule.target,
                    rule.source_name or rule.target,
                    "mapping",
                    f"{rule.label} {error.detail}",
                    made[rule.target],
                )
                return [{**made, rule.target: "", DROPPED_VALUES: (*made.get(DROPPED_VALUES, ()), gone)}]
            raise Unmappable(f"{rule.label} {error.detail}", rule.target) from None
        if len(pieces) == 1:
            return [{**made, rule.target: pieces[0]}]
        found = []
        for number, piece in enumerate(pieces, 1):
            one = {**made, **self._counted(made, number, len(pieces)), rule.target: piece}
            # The first piece keeps the row's key, so that a text which was short before is updated and not doubled.
            if number > 1:
                one.pop(DROPPED_VALUES, None)  # told once, with the first piece
            if number > 1 and KEY_COLUMN in made:
                one |= {name: f"{made[name]}#{number}" for name in (KEY_COLUMN, FORMER_KEY_COLUMN) if name in made}
            found.append(one)
        return found

    def _counted(self, made: dict[str, Any], number: int, of: int) -> dict[str, Any]:
        target = self._split.length.number_in if self._split and self._split.length else None
        if target is None:
            return {}
        mark = f"({number}/{of})"
        text = "" if is_empty(made.get(target)) else str(made[target])
        # The number must fit within the limit of its field, so the text before it makes room.
        length = next((rule.length for rule in self._rules if rule.target == target), None)
        if length is not None:
            text = cut_text(text, max(1, length.most - len(mark) - 1))
        return {target: f"{text} {mark}".strip()}


def _row(row: Row, made: Made, part: Part | None) -> Row:
    if isinstance(made, Unmappable):
        problem = Problem(made.code, made.detail, made.attr, word=Word.SKIPPED if made.is_skip else Word.REJECTED)
        return Row(row.position, None, problem, source=row.fields, part=part, key=made.key)
    return Row(
        row.position,
        made,
        source=row.fields,
        part=part,
        former_key=made.pop(FORMER_KEY_COLUMN, None),
        dropped=made.pop(DROPPED_VALUES, ()),
    )


def _pass_filter(row: Fields, mapping: Mapping) -> None:
    """Raise a problem that is a skip if the mapping's own filter leaves a row out."""
    if mapping.where is not None and is_false(mapping.where.read(row)):
        detail = f"does not match the filter: where = {mapping.where.text}"
        raise Unmappable(detail, code="mapping_skipped", is_skip=True)


def _elements(row: Fields, each: Each | None) -> list[Fields]:
    if each is None:
        return [row]
    found = each.source.read(row)
    if is_empty(found):
        if each.empty == "row":
            return [row]
        is_skip = each.empty == "skip"
        detail = f"{each.source.text} is empty, but the mapping makes a record from each of its elements"
        raise Unmappable(detail, code="mapping_skipped" if is_skip else "mapping", is_skip=is_skip)
    if not isinstance(found, list):
        raise Unmappable(f"{each.source.text} is not a list, but the mapping makes a record from each of its elements")
    count = len(found)
    return [{**row, each.name: one, each.number: number, each.count: count} for number, one in enumerate(found, 1)]


def _key_of(row: Fields, key: Reference) -> SourceKey:
    try:
        value = key.read(row)
    except Unmappable as error:
        name = key.text if "{" in key.text else f"column {key.text}"
        raise Unmappable(f"the key {name} {error.detail}", key.text, code=error.code) from None
    try:
        return read_key(None if value is MISSING else value)
    except NotAKey as error:
        if error.code == "key_type" and not is_empty(value):
            detail = f"the key column {key.text} must hold a text or a whole number"
            raise Unmappable(detail, key.text, code="key_type") from None
    what = f"the key {key.text}" if "{" in key.text else f"the key column {key.text}"
    detail = f"{what} is empty or holds a placeholder such as N/A; every row needs its own key"
    raise Unmappable(detail, key.text, code="key_missing")


def _joined(key: SourceKey, further: SourceKey) -> SourceKey:
    """Return a key with a further part; each part is normalised by itself."""
    text = f"{key.text}#{further.text}"
    former = f"{key.former or key.text}#{further.former or further.text}"
    return SourceKey(text, None if former == text else former)
