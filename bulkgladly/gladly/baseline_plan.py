"""How the rows of a data set stand for what Gladly held of an object, so that a look can be left out. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bulkgladly.gladly.change import Held
from bulkgladly.gladly.owners import Owners

__all__ = ("BaselinePlan", "BaselineSource", "MergeSource", "accepted_by", "unread_in")


def _as_it_is(held: dict[str, Any]) -> dict[str, Any]:
    return held


def _no_addresses(_held: Held) -> Iterable[str]:
    return ()


def _no_wanted(_payload: Held) -> Sequence[Sequence[str]]:
    return ()


@dataclass(frozen=True, slots=True)
class BaselineSource:
    """One data set whose rows can be compared.

    In a whole row, a field that is not there is empty in Gladly. In a row that is not whole,
    nothing is known of such a field. `columns` are those that are read, if they are not the fields
    of the plan; `as_held` turns an object with them into the form of the API. `tells_merges`
    says that a row whose id is not the one that was requested is that of the object into which
    the requested one was merged.
    """

    data_set: str
    is_whole: bool = True
    columns: tuple[str, ...] = ()
    as_held: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is
    tells_merges: bool = False


class MergeSource(NamedTuple):
    """A data set whose rows say that one object was merged into another: the columns with both ids, and with when.

    `within` is a part of the paths of those files that can have such rows.
    """

    data_set: str
    old: str
    heir: str
    told_at: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class BaselinePlan:
    """What a data set says of one kind of object.

    `sources` are in the order of preference: a row of the first replaces those of the others.
    `fields` are the payload fields that rows can have. `changes` is that of the object's
    endpoint. `hidden` are the fields that Gladly never shows, and `fixed` those that no update can
    change, so that nobody needs to know them.

    `addresses` returns what is unique about a held object, each with its kind in front, and
    `wanted` the groups of addresses by which a payload may be matched: a later group counts only
    if no address of an earlier one is known. `merges` are data sets that say which objects were
    merged into others.
    """

    sources: tuple[BaselineSource, ...]
    fields: frozenset[str]
    changes: Callable[[Held, Held, Owners], dict[str, Any]]
    hidden: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    addresses: Callable[[Held], Iterable[str]] = _no_addresses
    wanted: Callable[[Held], Sequence[Sequence[str]]] = _no_wanted
    merges: tuple[MergeSource, ...] = ()

    @property
    def data_sets(self) -> tuple[str, ...]:
        """The names of the data sets, the preferred one first."""
        return tuple(source.data_set for source in self.sources)

    @property
    def has_addresses(self) -> bool:
        """Whether an object can be found by something other than its id."""
        return self.wanted is not _no_wanted


def unread_in(plan: BaselinePlan, held: Held, payload: Held, *, is_whole: bool) -> tuple[str, ...]:
    """Return the fields of a payload of which a held object says nothing."""
    if is_whole and payload.keys() <= plan.fields:
        return ()
    return tuple(
        name
        for name in payload
        if name not in plan.fixed and (name not in plan.fields or (not is_whole and held.get(name) is None))
    )


def accepted_by(
    plan: BaselinePlan,
    held: Held,
    payload: Held,
    fingerprints: Mapping[str, str],
    owners: Owners = (),
    *,
    unread: Iterable[str] = (),
) -> Mapping[str, str]:
    """Return the fingerprints of the fields that a held object has as the payload asks, by the object's own comparison.

    A field that nobody has read, or that Gladly never shows, is not among them.
    """
    differing = plan.changes(held, payload, owners)
    if not differing and not unread and not plan.hidden and not plan.fixed:
        return fingerprints
    without = {*differing, *unread, *plan.hidden, *plan.fixed}
    return {name: print_ for name, print_ in fingerprints.items() if name not in without}
