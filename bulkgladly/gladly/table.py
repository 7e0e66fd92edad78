"""All kinds of Gladly objects that are imported or exported, collected from the modules in `objects`."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

from bulkgladly.choices import closest
from bulkgladly.errors import UsageError
from bulkgladly.gladly import objects
from bulkgladly.gladly.data_sets import DataSetPlan
from bulkgladly.gladly.exports import LiveExport, Parent
from bulkgladly.gladly.metric_sets import MetricSet
from bulkgladly.gladly.spec import GladlyObject, ImportSpec
from bulkgladly.messages import Request

__all__ = (
    "DATA_SET_PLANS",
    "IMPORTS",
    "LIVE_EXPORTS",
    "METRIC_SETS",
    "NAME_LISTS",
    "NOT_WRITTEN",
    "OBJECTS",
    "OLDER_METRIC_SETS",
    "SUCCESSORS",
    "import_spec",
    "live_export",
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
"""The order in which objects are listed and exported, because one export uses the ids of another; all others follow."""

T = TypeVar("T", ImportSpec, LiveExport)


def _handed_over() -> Iterator[GladlyObject]:
    # The folder is the list: a module that is added there needs no entry here.
    for found in iter_modules(objects.__path__):
        yield import_module(f"{objects.__name__}.{found.name}").OBJECT


def _ordered(found: Mapping[str, T], order: Sequence[str]) -> dict[str, T]:
    names = dict.fromkeys((*(name for name in order if name in found), *found))
    return {name: found[name] for name in names}


OBJECTS: tuple[GladlyObject, ...] = tuple(_handed_over())
"""One entry for each module."""

IMPORTS: dict[str, ImportSpec] = _ordered({spec.name: spec for each in OBJECTS for spec in each.writes}, _WRITTEN_ORDER)
"""What can be imported, by its name."""

LIVE_EXPORTS: Mapping[str, LiveExport] = _ordered(
    {row.word: row for each in OBJECTS for row in each.reads}, _READ_ORDER
)
"""What can be exported through the live API, by its name."""

DATA_SET_PLANS: Mapping[str, DataSetPlan] = {plan.name: plan for each in OBJECTS for plan in each.data_sets}
"""The declaration of each data set, by its name."""

METRIC_SETS: Mapping[str, MetricSet] = {one.name: one for each in OBJECTS for one in each.metric_sets if one.is_listed}
"""The metric sets that Gladly documents, by name."""

OLDER_METRIC_SETS: Mapping[str, MetricSet] = {
    one.name: one for each in OBJECTS for one in each.metric_sets if not one.is_listed
}
"""Metric sets that only other sources name."""

NAME_LISTS: Mapping[str, Request] = {row.names: row.request() for row in LIVE_EXPORTS.values() if row.names is not None}
"""The list that resolves each kind of name; each list is complete in one request [gladly-api, paging]."""

SUCCESSORS: Mapping[Parent, LiveExport] = {row.parent: row for row in LIVE_EXPORTS.values() if row.tells_successor}
"""What names the parent that remains after a merge, for each kind of parent that can be merged."""

NOT_WRITTEN: dict[str, str] = {
    "updateAgentCallRecording": "changes a call in progress; there is nothing to import",
    "createUserIdentityJWT": "creates a token for a customer to sign in with; nothing is stored in Gladly",
    "deleteCustomerItem": "deleteItem does the same without the customer's id, which a merge may have changed",
    "deleteJob": "deletes one of Gladly's own exports with its files; not something to import",
    "generateReport": "reads: see `export`",
    "generateWorkSessionReport": "reads: see `export`",
}
"""Operations whose method is not GET and that no import uses, each with the reason."""


def import_spec(name: str) -> ImportSpec:
    """Return the object that is imported under a name.

    Raises:
        UsageError: No such object can be imported; the message lists all that can.
    """
    try:
        return IMPORTS[name]
    except KeyError:
        known = ", ".join(IMPORTS)
        meant = closest(name, IMPORTS)
        hint = f"did you mean {meant!r}? " if meant else ""
        raise UsageError(f"unknown object {name!r}; {hint}choose from: {known}") from None


def live_export(word: str) -> LiveExport:
    """Return the live export of a name.

    Raises:
        UsageError: No such object can be exported; the message lists all that can.
    """
    try:
        return LIVE_EXPORTS[word]
    except KeyError:
        known = ", ".join(LIVE_EXPORTS)
        raise UsageError(f"{word!r} cannot be exported through the live API; choose from: {known}") from None
