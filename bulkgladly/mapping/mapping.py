"""Reads a mapping file, and checks and compiles it once. No row is looked at here."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bulkgladly.errors import InputError, UsageError
from bulkgladly.mapping.definitions import Definitions, Given, compile_definitions
from bulkgladly.mapping.field_rules import FieldRule, compile_field
from bulkgladly.mapping.key_rules import compile_key
from bulkgladly.mapping.lookups import LookupPlan
from bulkgladly.mapping.row_values import Reference, compile_path
from bulkgladly.mapping.tables import Table

__all__ = ("VERSION", "Each", "Mapping", "load_mapping", "parse_mapping", "read_mapping")

VERSION = 1


@dataclass(frozen=True, slots=True)
class Each:
    """Makes one record for each element of a list in a row.

    Fields see the row with the element as `name`, its number from 1 as `<name>_number` and the number of elements as
    `<name>_count`. `key` is added to the row's source key to get that of an element. `empty` says what happens to a
    row without elements: skip, row (one record from the row alone) or reject.
    """

    source: Reference
    name: str
    key: Reference | None
    empty: str

    @property
    def number(self) -> str:
        """The name under which fields see an element's number."""
        return f"{self.name}_number"

    @property
    def count(self) -> str:
        """The name under which fields see the number of elements."""
        return f"{self.name}_count"


@dataclass(frozen=True, slots=True)
class Mapping:
    """How rows become records of an object. `key` is where a row's source key is, `where` the filter of rows.

    `followed` names those of the `lookups` that lead from key to key, and must have no cycles.
    """

    file: str
    to: str
    rules: tuple[FieldRule, ...]
    key: Reference | None = None
    where: Reference | None = None
    each: Each | None = None
    lookups: tuple[LookupPlan, ...] = ()
    followed: frozenset[str] = frozenset()

    @property
    def targets(self) -> tuple[str, ...]:
        """The fields that are filled; `*` stands for a number."""
        return tuple(rule.target for rule in self.rules)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows that the mapping reads."""
        own = [self.key, self.where, self.each.source if self.each else None, *(rule.source for rule in self.rules)]
        own.append(self.each.key if self.each else None)
        made = {self.each.name, self.each.number, self.each.count} if self.each else set[str]()
        found = dict.fromkeys(name for reference in own if reference for name in reference.columns)
        return tuple(name for name in found if name not in made)

    @property
    def splits(self) -> bool:
        """True if a row can become several records."""
        return self.each is not None or any(rule.is_split for rule in self.rules)


def read_mapping(path: Path) -> str:
    """Return the text of a mapping file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error  # without the number, and the path again
        raise InputError(f"{path}: cannot be read: {why}") from error


def load_mapping(path: Path) -> Mapping:
    """Return the mapping in a file.

    Raises:
        InputError: It cannot be read.
        UsageError: It is not a valid mapping; the message names file, table and key, and suggests a fix.
    """
    return parse_mapping(read_mapping(path), str(path))


def parse_mapping(text: str, file: str, given: Given | None = None) -> Mapping:
    """Return the mapping in a TOML text; `file` is its name in messages, `given` what it gets from outside.

    Raises:
        UsageError: As `load_mapping`.
    """
    top = Table.of_text(text, file)
    top.check_version(VERSION)
    to = top.text("to")
    if to is None:
        top.fail("to", 'is missing; name the object that the rows become, such as to = "customers"')
    definitions = compile_definitions(top, given or Given())
    key = compile_key(top, definitions)
    where = top.text("where")
    each = _each(top.table("each"), definitions)
    fields = top.table("fields")
    top.finish()
    if fields is None:
        top.fail("[fields]", 'is missing; add where each field comes from, such as name = "Full name"')
    rules = tuple(compile_field(target, given, file, definitions) for target, given in fields.items())
    mapping = Mapping(
        file=file,
        to=to,
        rules=rules,
        key=key,
        where=None if where is None else compile_path(where, top, "where"),
        each=each,
        lookups=definitions.plans(),
        followed=frozenset(definitions.followed),
    )
    _check_as_a_whole(mapping, fields)
    return mapping


def _each(table: Table | None, definitions: Definitions) -> Each | None:
    if table is None:
        return None
    text = table.text("of")
    if text is None:
        table.fail("of", 'is missing; add the path to the list, such as of = "comments"')
    name = table.text("as") or "item"
    if not name.isidentifier():
        table.fail("as", "must be a single word of letters, digits and _")
    found = Each(
        source=compile_path(text, table, "of"),
        name=name,
        key=compile_key(table, definitions),
        empty=table.choice("empty", ("skip", "row", "reject")) or "skip",
    )
    table.finish()
    return found


def _check_as_a_whole(mapping: Mapping, fields: Table) -> None:
    split = [rule for rule in mapping.rules if rule.is_split]
    if len(split) > 1:
        fields.fail(f'"{split[1].target}" too_long', f"only one field can be split, and {split[0].target} already is")
    for rule in split:
        number_in = rule.length.number_in if rule.length else None
        if number_in is not None and number_in not in mapping.targets:
            fields.fail(f'"{rule.target}" number_in', f"{number_in} is not a field of this mapping")
    _refuse_double(mapping.rules, fields)
    if mapping.each is not None and mapping.each.key is not None and mapping.key is None:
        raise UsageError(f"{mapping.file}: [each] key: needs a key of the row as well; add key = ... above the tables")


def _refuse_double(rules: Iterable[FieldRule], fields: Table) -> None:
    """Refuse `email:1` beside `email:*`: for some rows one would overwrite the other."""
    spread = [rule.target for rule in rules if rule.is_spread]
    for target in spread:
        before, _, after = target.partition("*")
        for rule in rules:
            middle = rule.target.removeprefix(before).removesuffix(after)
            if middle.isdecimal() and f"{before}{middle}{after}" == rule.target:
                fields.fail(f'"{rule.target}"', f"is also filled by {target}; remove one of them")
