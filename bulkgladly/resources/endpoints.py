"""Where one kind of object lives, as the shared steps need to know it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bulkgladly.messages import ApiProblem, Request
from bulkgladly.records import Problem
from bulkgladly.resources.spec import Policy, Record

__all__ = ("Endpoint", "Held")

Held = Mapping[str, Any]


def _no_create(_record: Record) -> Request:
    raise TypeError("objects of this kind are not made through the API")


def _no_change(_record: Record, _gladly_id: str, _changes: Held) -> Request:
    raise TypeError("objects of this kind cannot be changed")


def _no_removal(_record: Record, _gladly_id: str) -> Request:
    raise TypeError("objects of this kind cannot be deleted")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one kind of object lives.

    `noun` is for messages. `create`, `fetch`, `change` and `remove` make the requests; what
    cannot be done has its default. `fixed` are fields that a create sets once and for all.
    `parent` says below what kind of object a record is made, where a 404 then tells of.
    `differences` returns what a held object lacks of a payload, in the form of a change.
    `completing` returns what a new object needs beyond its create, in the same form. `holder`
    reads from a conflict which other object stands in the way. `may_create` says why a
    record must not be made, though it could be changed. `states` has the codes of refusals
    that depend on the state of things, and the way out of each.
    """

    noun: str
    fetch: Callable[[Record, str], Request]
    differences: Callable[[Held, Held], dict[str, Any]]
    create: Callable[[Record], Request] = _no_create
    change: Callable[[Record, str, Held], Request] = _no_change
    remove: Callable[[Record, str], Request] = _no_removal
    fixed: tuple[str, ...] = ()
    parent: Callable[[Record], str | None] = lambda _: None
    completing: Callable[[Held], dict[str, Any]] = lambda _: {}
    holder: Callable[[ApiProblem], str | None] = lambda _: None
    may_create: Callable[[Record, Policy], Problem | None] = lambda _record, _policy: None
    states: Mapping[str, str] | None = None

    @property
    def can_create(self) -> bool:
        """Whether the API makes such objects."""
        return self.create is not _no_create

    @property
    def can_change(self) -> bool:
        """Whether the API changes such objects."""
        return self.change is not _no_change
