"""Lookups: what belongs to a value in another file, as the tables `[lookup.NAME]` of a mapping declare it. Pure.

The files are opened elsewhere: a declaration says which entries a row of its file has, and the fields of the mapping
get a function for each lookup that finds one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bulkgladly.mapping.row_values import (
    MISSING,
    Fields,
    Reference,
    Unmappable,
    compile_path,
    compile_reference,
    is_empty,
    is_false,
)
from bulkgladly.mapping.tables import Table
from bulkgladly.mapping.variables import Variables
from bulkgladly.source_keys import NotAKey, read_key

__all__ = ("Find", "LookupPlan", "compile_lookups", "following", "looking_up")

Find = Callable[[str], Any]
"""Returns what belongs to a key: `MISSING` if there is no such key, None if nothing belongs to it."""


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """One table `[lookup.NAME]`: the keys and values of the rows of `file`, which is relative to the mapping file.

    Rows for which `where` returns nothing or false are left out. Without `value`, the whole row belongs to a key, or
    those of its columns that the mapping uses (`parts`, None for all). `duplicates` says what happens if one key has
    two different values: reject, first or last.
    """

    name: str
    file: str
    key: Reference
    value: Reference | None
    where: Reference | None
    duplicates: str
    ignores_case: bool
    parts: frozenset[str] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the file that are read."""
        places = (self.key, self.value, self.where)
        return (*(name for place in places if place for name in place.columns), *sorted(self.values_in))

    @property
    def values_in(self) -> frozenset[str]:
        """The columns that hold what belongs to a key; none if it is the whole row."""
        return frozenset(self.value.columns) if self.value else self.parts or frozenset()

    def entries(self, row: Fields) -> Iterator[tuple[str, Any]]:
        """Yield the keys of a row of the file, in the form in which they are compared, with what belongs to them.

        If there is a list where the key is, each of its elements is a key. Empty keys are left out.

        Raises:
            Unmappable: A key is not a text or a whole number.
        """
        if self.where is not None and is_false(self.where.read(row)):
            return
        found = self.key.read(row)
        value = self._value(row)
        for one in found if isinstance(found, list) else [found]:
            if not is_empty(one) and (key := self.form(one)) is not None:
                yield key, None if is_empty(value) else value

    def _value(self, row: Fields) -> Any:
        if self.value is not None:
            return self.value.read(row)
        return row if self.parts is None else {name: row[name] for name in sorted(self.parts) if name in row}

    def form(self, value: Any) -> str | None:
        """Return a value in the form in which keys are compared; None if nothing is left of it.

        Raises:
            Unmappable: It is not a text or a whole number.
        """
        key = self.cleaned(value)
        return key.casefold() if key is not None and self.ignores_case else key

    def cleaned(self, value: Any) -> str | None:
        """Return a value as a source key, with its upper and lower case; None if nothing is left of it.

        Raises:
            Unmappable: It is not a text or a whole number.
        """
        try:
            return read_key(value).text
        except NotAKey as error:
            if error.code == "key_missing":
                return None
            raise Unmappable(f"is not a text or a whole number, so [lookup.{self.name}] cannot have it") from None


def compile_lookups(table: Table | None, variables: Variables) -> dict[str, LookupPlan]:
    """Return the lookups that `[lookup]` declares, by name.

    Raises:
        UsageError: One is not valid.
    """
    if table is None:
        return {}
    return {name: _plan(name, one, variables) for name, _ in table.items() if (one := table.table(name)) is not None}


def _plan(name: str, table: Table, variables: Variables) -> LookupPlan:
    if not name.isidentifier():
        table.fail("name", f"{name!r} must be a single word of letters, digits and _")
    file = table.text("file")
    if not file:
        table.fail("file", 'is missing; name the file to look in, such as file = "organizations.ndjson"')
    if "key" not in table:
        table.fail("key", 'is missing; name the column to look in, such as key = "id"')
    value, where = table.value("value"), table.text("where")
    found = LookupPlan(
        name=name,
        file=file,
        key=compile_reference(table.value("key"), table, "key", variables),
        value=None if value is None else compile_reference(value, table, "value", variables),
        where=None if where is None else compile_path(where, table, "where"),
        duplicates=table.choice("duplicates", ("reject", "first", "last")) or "reject",
        ignores_case=table.flag("ignore_case"),
    )
    table.finish()
    if found.key.is_constant:
        table.fail("key", "must be a column or a path, since each row of the file has its own")
    return found


def looking_up(plan: LookupPlan, find: Find, part: Reference | None, otherwise: str) -> Callable[[Any], Any]:
    """Return the operation of `lookup`: a value becomes what belongs to it, or a part of that.

    `otherwise` says what becomes of a value that has no entry: reject, keep or drop.
    """

    def look_up(value: Any) -> Any:
        key = plan.form(value)
        found = MISSING if key is None else find(key)
        if found is MISSING:
            if otherwise == "keep":
                return value
            if otherwise == "drop":
                return MISSING
            raise Unmappable(f"is not in {plan.file} ([lookup.{plan.name}]); add it there, or set otherwise")
        if part is not None:
            found = part.read(found) if isinstance(found, dict) else MISSING
        return MISSING if found is None else found

    return look_up


def following(plan: LookupPlan, find: Find) -> Callable[[Any], Any]:
    """Return the operation of `same_as`: a key becomes the last one that it leads to, and an unknown one stays.

    The values of the table are cleaned keys, and it has no circles: opening it sees to both. A key is returned
    as the file writes it, also if case does not count when keys are compared.
    """

    def follow(value: Any) -> Any:
        key = plan.form(value)
        if key is None:
            return value
        last, at = value, key
        while (found := find(at)) is not MISSING:
            after = plan.form(found)
            if after is None or after == at:
                break
            last, at = found, after
        return value if at == key else last

    return follow
