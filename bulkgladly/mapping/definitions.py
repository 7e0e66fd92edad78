"""What the tables `[vars]` and `[lookup.NAME]` of a mapping file define for all of its fields. Pure."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from bulkgladly.choices import closest
from bulkgladly.mapping.lookups import Find, LookupPlan, compile_lookups, following, looking_up
from bulkgladly.mapping.row_values import compile_path
from bulkgladly.mapping.tables import Table
from bulkgladly.mapping.variables import NO_VARIABLES, Variables, compile_variables

__all__ = ("NO_DEFINITIONS", "Definitions", "Given", "compile_definitions")


@dataclass(frozen=True, slots=True)
class Given:
    """What a mapping gets from outside: variables that go before its own, the tables of its lookups, and the day.

    Without its table, a lookup can be compiled but not used. `today` is the day that dates are relative to; the same.
    """

    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tables: Mapping[str, Find] = field(default_factory=dict[str, Find])
    today: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Definitions:
    """The names that fields can use, and how they use them.

    `followed` are the lookups that `same_as` uses, which must have no circles. `parts` are the columns that fields take
    of the rows of each lookup, None for the whole row.
    """

    variables: Variables = NO_VARIABLES
    lookups: Mapping[str, LookupPlan] = field(default_factory=dict[str, LookupPlan])
    given: Given = field(default_factory=Given)
    followed: set[str] = field(default_factory=set[str])
    parts: dict[str, frozenset[str] | None] = field(default_factory=dict[str, "frozenset[str] | None"])

    def looking_up(self, table: Table) -> Callable[[Any], Any] | None:
        """Return the operation of `lookup` in a table, or None.

        Raises:
            UsageError: There is no such lookup, or its options are not valid.
        """
        text = table.text("lookup")
        if text is None:
            return None
        if "values" in table:
            table.fail("lookup", "and values cannot be used together; use one of them in a part of join")
        name, _, path = text.partition(".")
        otherwise = table.choice("otherwise", ("reject", "keep", "drop")) or "reject"
        plan = self._plan(name, table, "lookup")
        part = compile_path(path, table, "lookup") if path else None
        before = self.parts.get(name, frozenset())
        self.parts[name] = None if part is None or before is None else before | frozenset(part.columns)
        return looking_up(plan, self._find(name), part, otherwise)

    def following(self, table: Table) -> Callable[[Any], Any] | None:
        """Return the operation of `same_as` in a table, or None.

        Raises:
            UsageError: There is no such lookup, or it has no value.
        """
        name = table.text("same_as")
        if name is None:
            return None
        plan = self._plan(name, table, "same_as")
        if plan.value is None:
            table.fail("same_as", f"[lookup.{name}] has no value; name the column with the key that remains")
        self.followed.add(name)
        return following(plan, self._find(name))

    def plans(self) -> tuple[LookupPlan, ...]:
        """Return the lookups, each with the parts of its rows that fields use; to be asked when all are compiled."""
        return tuple(replace(plan, parts=self.parts.get(plan.name)) for plan in self.lookups.values())

    def _plan(self, name: str, table: Table, key: str) -> LookupPlan:
        if name not in self.lookups:
            meant = closest(name, self.lookups)
            hint = f"did you mean {meant}?" if meant else f"add a table [lookup.{name}] with file and key"
            table.fail(key, f"there is no lookup {name!r}; {hint}")
        return self.lookups[name]

    def _find(self, name: str) -> Find:
        return self.given.tables.get(name, _not_opened)


def compile_definitions(top: Table, given: Given) -> Definitions:
    """Return what the tables `[vars]` and `[lookup.NAME]` of a mapping file define.

    Raises:
        UsageError: One of them is not valid.
    """
    variables = compile_variables(top.table("vars"), given.variables)
    return Definitions(variables, compile_lookups(top.table("lookup"), variables), given)


def _not_opened(_: str) -> NoReturn:
    raise RuntimeError("the tables of the lookups were not opened for this mapping")


NO_DEFINITIONS = Definitions()
