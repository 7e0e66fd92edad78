"""What can be exported through the live API, one row each, and how its answers are read. Pure.

Facts are from gladly-api: endpoints (operations), README (paging: caps, order, the sign of a
cut list), events. There is no paging: a list is whole, or it is cut at its cap and the rest
cannot be asked for.
"""

import datetime as dt
import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from bulkgladly.errors import UsageError
from bulkgladly.messages import Request
from bulkgladly.times import to_milliseconds

__all__ = (
    "ANSWER_TYPES",
    "DEFAULT_LANGUAGE",
    "EVENTS_WINDOW",
    "EVENT_ENTITIES",
    "EVENT_LAG",
    "LIMITED_DATA",
    "LIVE_EXPORTS",
    "PROFILES_BY_EMAIL",
    "Cut",
    "LiveExport",
    "Parent",
    "cut_of",
    "events_request",
    "is_askable",
    "live_export",
)

LIMITED_DATA = "Gladly-Limited-Data"
ANSWER_TYPES = ("public", "email", "messaging", "reference")
DEFAULT_LANGUAGE = "en-us"
"""What Gladly takes where no language is asked for [endpoints, parameters]."""

EVENT_ENTITIES = (
    "AGENT_AVAILABILITY",
    "AGENT_STATUS",
    "CONTACT",
    "CONVERSATION",
    "CUSTOMER",
    "CUSTOMER_PROFILE",
    "PAYMENT_REQUEST",
    "TASK",
)
EVENTS_WINDOW = dt.timedelta(hours=24)
"""How far back events can be asked for; there is no other way to older ones."""
EVENT_LAG = dt.timedelta(seconds=15)
"""How late an event may appear."""

_VARIABLE = re.compile(r"\{(\w+)\}")
_NEVER = ("", ".", "..")


class Parent(enum.StrEnum):
    """Whose objects an operation returns: the kind of id in its path."""

    NONE = "none"
    CUSTOMER = "customer"
    CONVERSATION = "conversation"
    TASK = "task"
    ITEM = "item"
    ANSWER = "answer"
    EMAIL = "email"
    """No id: an address that is looked up."""


class Cut(enum.Enum):
    """Whether a list is all there is."""

    NO = "whole"
    POSSIBLY = "possibly cut"
    YES = "cut"


@dataclass(frozen=True, slots=True)
class LiveExport:
    """One operation whose answers become rows of a data set.

    `cap` is the length at which the list is cut, None where none is stated; `order` says
    what the list is sorted by. Which end a cut list loses is UNKNOWN. `tells_of_cut` is
    true where the header `Gladly-Limited-Data` is documented for it. `accept` is for
    answers that are no JSON.
    """

    word: str
    operation: str
    path: str
    data_set: str
    parent: Parent = Parent.NONE
    is_list: bool = True
    cap: int | None = None
    order: str | None = None
    tells_of_cut: bool = False
    accept: str | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the path's variables, in order."""
        return tuple(_VARIABLE.findall(self.path))

    def request(self, *values: str, query: tuple[tuple[str, str], ...] = ()) -> Request:
        """Return the request with a value for each variable of the path, each kept within its segment.

        Raises:
            ValueError: A value that no path can hold, see `is_askable`; or not one for each variable.
        """
        if not all(map(is_askable, values)):
            raise ValueError("an id that is empty, all dots, or has control characters")
        named = dict(zip(self.variables, values, strict=True))
        path = _VARIABLE.sub(lambda found: quote(named[found[1]], safe=""), self.path)
        return Request(self.operation, "GET", path, query, accept=self.accept)


def is_askable(value: str) -> bool:
    """Tell whether a text from outside can stand as one segment of a path."""
    return value not in _NEVER and value.isprintable()


def cut_of(row: LiveExport, headers: Mapping[str, str], count: int) -> Cut:
    """Judge a list of `count` elements by its headers and its length.

    The document calls the header a flag and gives no values: absent and `false` are alike,
    anything else means cut. Both leave one case open, a list exactly at its cap. It counts as
    possibly cut: a flag that is set only where something is missing proves nothing by its
    absence, as long as nobody has seen it. Longer than the cap means that the cap was raised,
    which the header would still tell; without a header in the document nothing would.
    """
    flag = headers.get(LIMITED_DATA)
    if flag is not None and flag.strip().lower() != "false":
        return Cut.YES
    if row.cap is None or count < row.cap:
        return Cut.NO
    return Cut.NO if row.tells_of_cut and count > row.cap else Cut.POSSIBLY


def events_request(start: dt.datetime, end: dt.datetime, entities: Sequence[str] = EVENT_ENTITIES) -> Request:
    """Return the request for the events recorded from `start` to `end`, both aware; all entities at once."""
    query = [
        ("startAt", to_milliseconds(start)),
        ("endAt", to_milliseconds(end)),
        *(("entities", name) for name in entities),
    ]
    return Request("listEvents", "GET", "/api/v1/events", tuple(query), accept="application/x-jsonlines")


def live_export(word: str) -> LiveExport:
    """Return the row of the table for a word.

    Raises:
        UsageError: There is no such row; the message lists those there are.
    """
    try:
        return LIVE_EXPORTS[word]
    except KeyError:
        known = ", ".join(LIVE_EXPORTS)
        raise UsageError(f"{word!r} cannot be asked for; choose one of: {known}") from None


_ITEM = "/api/v1/conversation-items/{itemId}"
_ROWS = (
    LiveExport("organization", "getOrganization", "/api/v1/organization", "organization", is_list=False),
    LiveExport("agents-list", "getAgents", "/api/v1/agents", "agents-list"),
    LiveExport("topics-list", "getTopics", "/api/v1/topics", "topics-list"),
    LiveExport("inboxes", "getInboxes", "/api/v1/inboxes", "inboxes"),
    LiveExport("teams", "getTeams", "/api/v1/teams", "teams"),
    LiveExport("audiences", "getAudiences", "/api/v1/audiences", "audiences"),
    LiveExport("business-hours", "getBusinessHours", "/api/v1/business-hours", "business-hours"),
    LiveExport("webhooks", "getWebhooks", "/api/v1/webhooks", "webhooks"),
    LiveExport("schedules", "findSchedules", "/api/v1/export/schedules", "schedules"),
    LiveExport("jobs", "findJobs", "/api/v1/export/jobs", "jobs"),
    LiveExport(
        "public-answers", "listAnswers", "/api/v1/orgs/{orgId}/answers", "public-answers", cap=1000, order="name"
    ),
    LiveExport(
        "profiles",
        "getCustomer",
        "/api/v1/customer-profiles/{customerId}",
        "profiles",
        Parent.CUSTOMER,
        is_list=False,
    ),
    LiveExport(
        "conversations",
        "getConversations",
        "/api/v1/customers/{customerId}/conversations",
        "conversations",
        Parent.CUSTOMER,
        cap=100,
        order="timestamp",
        tells_of_cut=True,
    ),
    LiveExport(
        "conversation",
        "getConversation",
        "/api/v1/conversations/{conversationId}",
        "conversations",
        Parent.CONVERSATION,
        is_list=False,
    ),
    LiveExport(
        "conversation-items",
        "getConversationItems",
        "/api/v1/conversations/{conversationId}/items",
        "conversation-items",
        Parent.CONVERSATION,
        cap=1000,
        order="timestamp",
        tells_of_cut=True,
    ),
    LiveExport("item", "getItem", _ITEM, "conversation-items", Parent.ITEM, is_list=False),
    LiveExport(
        "tasks",
        "getTasks",
        "/api/v1/customers/{customerId}/tasks",
        "tasks",
        Parent.CUSTOMER,
        cap=2000,
        order="timestamp, newest first",
        tells_of_cut=True,
    ),
    LiveExport("task", "getTask", "/api/v1/tasks/{taskId}", "tasks", Parent.TASK, is_list=False),
    LiveExport(
        "task-comments",
        "getTaskComments",
        "/api/v1/tasks/{taskId}/comments",
        "task-comments",
        Parent.TASK,
        cap=1000,
        order="createdAt",
        tells_of_cut=True,
    ),
    LiveExport("answers", "getAnswerById", "/api/v1/answers/{answerId}", "answers", Parent.ANSWER, is_list=False),
    LiveExport(
        "answer-contents",
        "getAnswerContentByLanguageAndType",
        "/api/v1/answers/{answerId}/languages/{language}/type/{type}",
        "answer-contents",
        Parent.ANSWER,
        is_list=False,
    ),
    LiveExport(
        "recordings",
        "getMedia",
        f"{_ITEM}/media/recording",
        "recordings",
        Parent.ITEM,
        is_list=False,
        accept="audio/mpeg",
    ),
    LiveExport(
        "transcripts", "getVoiceTranscript", f"{_ITEM}/voice-transcript", "transcripts", Parent.ITEM, is_list=False
    ),
    LiveExport(
        "attachments",
        "getAttachment",
        f"{_ITEM}/attachments/{{attachmentId}}",
        "attachments",
        Parent.ITEM,
        is_list=False,
    ),
)
LIVE_EXPORTS: Mapping[str, LiveExport] = {row.word: row for row in _ROWS}

PROFILES_BY_EMAIL = LiveExport(
    "profiles",
    "findCustomers",
    "/api/v1/customer-profiles",
    "profiles",
    Parent.EMAIL,
    cap=50,
    order="updatedAt, newest first",
)
"""The other way to profiles: by address, `query=(("email", ...),)`."""
