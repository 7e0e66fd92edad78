"""Every kind of Gladly object that we move: what the modules in `objects` hand over, put together."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

from bulkgladly.errors import UsageError
from bulkgladly.gladly import objects
from bulkgladly.gladly.data_sets import DataSetPlan
from bulkgladly.gladly.exports import LiveExport, Parent
from bulkgladly.gladly.gladly_object import GladlyObject
from bulkgladly.gladly.spec import ResourceSpec
from bulkgladly.messages import Request

__all__ = (
    "DATA_SET_PLANS",
    "LIVE_EXPORTS",
    "NAME_LISTS",
    "NOT_WRITTEN",
    "OBJECTS",
    "RESOURCES",
    "SUCCESSORS",
    "live_export",
    "resource",
)

_WRITTEN_ORDER = (
    *("customers", "activities", "tasks", "task-comments", "notes", "topics"),
    *("conversations", "conversation-topics", "freeform-topics", "redactions"),
    *("answers", "answer-contents", "business-hours", "webhooks"),
    *("sms", "emails", "replies", "recipient-collections"),
)
_READ_ORDER = (
    *("organization", "agents-list", "topics-list", "inboxes", "teams", "audiences", "business-hours", "webhooks"),
    *("schedules", "jobs", "public-answers"),
    *("profiles", "conversations", "conversation", "conversation-items", "item", "tasks", "task", "task-comments"),
    *("answers", "answer-contents", "recordings", "transcripts", "attachments"),
)
"""The order in which words are listed, and in which one export builds on the other; all others follow them."""

T = TypeVar("T", ResourceSpec, LiveExport)


def _handed_over() -> Iterator[GladlyObject]:
    for found in iter_modules(objects.__path__):
        yield import_module(f"{objects.__name__}.{found.name}").OBJECT


def _ordered(found: Mapping[str, T], order: Sequence[str]) -> dict[str, T]:
    names = dict.fromkeys((*(name for name in order if name in found), *found))
    return {name: found[name] for name in names}


OBJECTS: tuple[GladlyObject, ...] = tuple(_handed_over())
"""One entry for each module."""

RESOURCES: dict[str, ResourceSpec] = _ordered(
    {spec.name: spec for each in OBJECTS for spec in each.writes}, _WRITTEN_ORDER
)
"""What can be imported, by its word."""

LIVE_EXPORTS: Mapping[str, LiveExport] = _ordered(
    {row.word: row for each in OBJECTS for row in each.reads}, _READ_ORDER
)
"""What can be asked for, by its word."""

DATA_SET_PLANS: Mapping[str, DataSetPlan] = {plan.name: plan for each in OBJECTS for plan in each.data_sets}
"""What is declared of each data set, by its name."""

NAME_LISTS: Mapping[str, Request] = {row.names: row.request() for row in LIVE_EXPORTS.values() if row.names is not None}
"""Which list knows the names of a kind; each is whole, in one request [gladly-api, paging]."""

SUCCESSORS: Mapping[Parent, LiveExport] = {row.parent: row for row in LIVE_EXPORTS.values() if row.tells_successor}
"""What names the parent that remains after a merge, for each kind of parent that can be merged."""

NOT_WRITTEN: dict[str, str] = {
    "updateAgentCallRecording": "acts on a call that is going on now; there is nothing to import, and no state to keep",
    "createUserIdentityJWT": "makes a token for a customer to sign in with; nothing is stored in Gladly",
    "deleteCustomerItem": "deleteItem does the same without the customer's id, which a merge may have changed",
    "deleteJob": "removes an export of Gladly's own with its files; not an object that people bring in",
    "generateReport": "reads: see `export`",
    "generateWorkSessionReport": "reads: see `export`",
}
"""Operations that are no read by their method, and that no import uses, each with the reason."""


def resource(name: str) -> ResourceSpec:
    """Return what can be imported under a word.

    Raises:
        UsageError: There is no such resource; the message lists those there are.
    """
    try:
        return RESOURCES[name]
    except KeyError:
        known = ", ".join(RESOURCES)
        raise UsageError(f"there is no resource {name!r} to import; choose one of: {known}") from None


def live_export(word: str) -> LiveExport:
    """Return what can be asked for under a word.

    Raises:
        UsageError: There is no such word; the message lists those there are.
    """
    try:
        return LIVE_EXPORTS[word]
    except KeyError:
        known = ", ".join(LIVE_EXPORTS)
        raise UsageError(f"{word!r} cannot be asked for; choose one of: {known}") from None
