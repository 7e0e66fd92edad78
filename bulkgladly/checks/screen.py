"""Screen, then judge: which rows are certainly fine, without making records of them.

A screen may only say "certainly fine" or "look closer". What it clears, the general path
(`Preparer` and the rules) would have passed with the same claims; a property test compares
the two. Everything else is judged there.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from bulkgladly.checks.claims import Traits
from bulkgladly.checks.customer_screen import CustomerScreen
from bulkgladly.checks.field_screen import FieldScreen
from bulkgladly.files.columns import compile_columns
from bulkgladly.files.layouts import FlatLayout
from bulkgladly.gladly.preparation import Preparation
from bulkgladly.gladly.spec import Policy, ResourceSpec, Screening
from bulkgladly.records import Row

__all__ = ("Screen",)


class LayoutScreen(Protocol):
    """Looks at rows that have the same columns."""

    def look(self, layout: FlatLayout, rows: Sequence[Row]) -> list[Traits | None]:
        """Return the traits of each row that is certainly fine, and None for all others."""
        ...


class Screen:
    """The screen of one resource and policy; where there is none, it clears nothing."""

    def __init__(self, spec: ResourceSpec, policy: Policy, ignore: Collection[str] = ()) -> None:
        self._spec = spec
        self._ignore = frozenset(ignore)
        self._extra = (policy.key,) if policy.key else ()
        self._screen = _screen_for(spec, policy)

    def look(self, rows: Sequence[Row]) -> list[Traits | None]:
        """Return the traits of each row that is certainly fine, and None for all others."""
        found: list[Traits | None] = [None] * len(rows)
        if self._screen is None:
            return found
        groups: dict[tuple[str, ...], list[int]] = {}
        for index, row in enumerate(rows):
            if row.fields is not None and row.problem is None:
                groups.setdefault(tuple(row.fields), []).append(index)
        for names, indexes in groups.items():
            layout = compile_columns(names, self._spec.columns, self._ignore, extra_known=self._extra)
            group = rows if len(indexes) == len(rows) else [rows[index] for index in indexes]
            for index, traits in zip(indexes, self._screen.look(layout, group), strict=True):
                found[index] = traits
        return found


def _screen_for(spec: ResourceSpec, policy: Policy) -> LayoutScreen | None:
    if spec.screening is Screening.CONTACTS and not spec.rules and not spec.warnings:
        return CustomerScreen(policy)
    if spec.screening is Screening.FIELDS and isinstance(spec.prepare, Preparation):
        return FieldScreen(spec, spec.prepare, policy)
    return None
