"""What each of the API's 80 operations returns when it has done what was requested, as data.

One row per operation: method, path, the one status that confirms, and what the reply must hold to be a
confirmation. A status alone proves nothing: gateways, login pages and caches respond with 200 as well.
Facts: gladly-api, endpoints (statuses, bodies, `Location`) and schemas (the fields named here).
"""

import enum
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ("DOWNLOAD", "OPERATIONS", "Body", "Operation", "operation_of")


class Body(enum.Enum):
    """What a confirming reply holds."""

    NOTHING = "nothing"
    OBJECT = "an object"
    OBJECTS = "a list of objects"
    ENTRIES = "a list whose entries are judged one by one"
    LINES = "JSON lines"
    CSV = "a table"
    BYTES = "a file"
    ELSEWHERE = "the address of a file, in `Location`"

    @property
    def is_streamed(self) -> bool:
        """Whether the body is read while it arrives, so that its reader must judge it."""
        return self in (Body.LINES, Body.CSV, Body.BYTES)


class Operation(NamedTuple):
    """One operation. A reply confirms it only if all of this holds.

    `needs` are members that the object (each object of a list) must have: texts that are not empty, or lists.
    `equals` pairs a member with a variable of the path, or, as `body.<name>`, with a member of the request's
    body: the two must be the same. `echoes` does so too, but the member may be missing. `shapes` checks members
    that are merged with ours and sent back, since one of another form would be lost. `one_of` names members of
    which each object has at least one. `located` is the member of the request's body with which `Location` ends;
    empty if `Location` ends in an id that Gladly chose, None if there is no `Location`.
    """

    method: str
    path: str
    status: int
    body: Body
    needs: tuple[str, ...] = ()
    equals: tuple[tuple[str, str], ...] = ()
    echoes: tuple[tuple[str, str], ...] = ()
    shapes: tuple[tuple[str, Callable[[Any], bool]], ...] = ()
    located: str | None = None
    one_of: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the path's variables, in order."""
        return tuple(_VARIABLE.findall(self.path))


_VARIABLE = re.compile(r"\{(\w+)\}")
_ID = ("id",)
_OWN_ID = (("id", "body.id"),)


def _is_contacts(value: Any) -> bool:
    """Tell whether a value is a list of addresses, each as it was entered [schemas 2.1]."""
    return isinstance(value, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("original"), str) for entry in value
    )


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _is_version(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_PROFILE = (("emails", _is_contacts), ("phones", _is_contacts), ("customAttributes", _is_map))
_PROFILE_HAS = ("name", "emails", "phones", "address", "customAttributes", "createdAt", "updatedAt")
_HOURS_SHAPE = (("version", _is_version), ("officeHours", _is_map))


def _one(path: str, variable: str, member: str = "id") -> Operation:
    """Return a read of one object, which must have the requested id."""
    return Operation("GET", path, 200, Body.OBJECT, equals=((member, variable),))


def _many(
    path: str, *, equals: tuple[tuple[str, str], ...] = (), echoes: tuple[tuple[str, str], ...] = ()
) -> Operation:
    """Return a read of a list of objects that have ids."""
    return Operation("GET", path, 200, Body.OBJECTS, needs=_ID, equals=equals, echoes=echoes)


def _located(path: str, member: str = "") -> Operation:
    """Return a create that returns only the location of the new object."""
    return Operation("POST", path, 201, Body.NOTHING, located=member)


def _done(method: str, path: str) -> Operation:
    return Operation(method, path, 204, Body.NOTHING)


_CUSTOMER = "/api/v1/customer-profiles/{customerId}"
_OF_CUSTOMER = "/api/v1/customers/{customerId}"
_CONVERSATION = "/api/v1/conversations/{conversationId}"
_ITEMS = "/api/v1/conversation-items"
_ITEM = f"{_ITEMS}/{{itemId}}"
_TASK = "/api/v1/tasks/{taskId}"
_ANSWER = "/api/v1/answers/{answerId}"
_CONTENT = f"{_ANSWER}/languages/{{language}}/type/{{type}}"
_CONTENT_KEY = (("answerId", "answerId"), ("language", "language"), ("type", "type"))
_PUBLIC = "/api/v1/orgs/{orgId}"
_AGENT = "/api/v1/agents/{agentId}"
_HOURS = "/api/v1/business-hours"
_ONE_HOURS = f"{_HOURS}/{{businessHoursId}}"
_TOPIC = "/api/v1/topics/{topicId}"
_JOB = "/api/v1/export/jobs/{jobId}"
_WEBHOOK = "/api/v1/webhooks/{webhookId}"
_SENT = ("conversationItemId",)

OPERATIONS: Mapping[str, Operation] = {
    "sendSMS": Operation("POST", "/api/v1/communications/sms", 200, Body.OBJECT, needs=_SENT),
    "sendEmail": Operation("POST", "/api/v1/communications/email", 200, Body.OBJECT, needs=_SENT),
    "getConversations": _many(f"{_OF_CUSTOMER}/conversations", equals=(("customerId", "customerId"),)),
    "getConversation": _one(_CONVERSATION, "conversationId"),
    "patchConversation": _done("PATCH", _CONVERSATION),
    "createItem": Operation("POST", _ITEMS, 200, Body.OBJECT, equals=_OWN_ID),
    "getItem": _one(_ITEM, "itemId"),
    "deleteItem": _done("DELETE", _ITEM),
    "getMedia": Operation("GET", f"{_ITEM}/media/recording", 200, Body.BYTES),
    "getVoiceTranscript": Operation("GET", f"{_ITEM}/voice-transcript", 200, Body.OBJECT, needs=("paragraphs",)),
    "getAttachment": Operation("GET", f"{_ITEM}/attachments/{{attachmentId}}", 303, Body.ELSEWHERE),
    "createCustomerItem": Operation("POST", f"{_OF_CUSTOMER}/conversation-items", 200, Body.OBJECT, equals=_OWN_ID),
    "deleteCustomerItem": _done("DELETE", f"{_OF_CUSTOMER}/conversation-items/{{itemId}}"),
    "getConversationItems": _many(f"{_CONVERSATION}/items", echoes=(("conversationId", "conversationId"),)),
    "addTopicToConversation": _done("POST", f"{_CONVERSATION}/topics"),
    "deleteTopicFromConversation": _done("DELETE", f"{_CONVERSATION}/topics/{{topicId}}"),
    "changeFreeformTopics": _done(
        "POST", "/api/v1/customer-history/{customerId}/conversations/{conversationId}/custom-attributes"
    ),
    "addNoteToConversation": _located(f"{_CONVERSATION}/notes"),
    "getNoteFromConversation": _one(f"{_CONVERSATION}/notes/{{noteId}}", "noteId"),
    "replyToMessage": _located(f"{_ITEM}/reply"),
    "redactContent": _located(f"{_ITEM}/redact"),
    "createTaskAndCustomer": _located("/api/v1/tasks", "id"),
    "createTask": _located(f"{_OF_CUSTOMER}/tasks", "id"),
    "getTasks": _many(f"{_OF_CUSTOMER}/tasks", equals=(("customerId", "customerId"),)),
    "updateTask": _done("PATCH", _TASK),
    "getTask": _one(_TASK, "taskId"),
    "createTaskComment": _located(f"{_TASK}/comments", "id"),
    "getTaskComments": _many(f"{_TASK}/comments", echoes=(("taskId", "taskId"),)),
    "getTaskComment": _one(f"{_TASK}/comments/{{commentId}}", "commentId"),
    "getCustomAttribute": _one("/api/v1/custom-attributes/{customAttributeId}", "customAttributeId"),
    "createCustomer": _located("/api/v1/customer-profiles", "id"),
    "findCustomers": _many("/api/v1/customer-profiles")._replace(shapes=_PROFILE, one_of=_PROFILE_HAS),
    "getCustomer": _one(_CUSTOMER, "customerId")._replace(shapes=_PROFILE, one_of=_PROFILE_HAS),
    "updateCustomer": _done("PATCH", _CUSTOMER),
    "deleteCustomer": _done("DELETE", _CUSTOMER),
    "createUserIdentityJWT": Operation("POST", "/api/v1/user-identity-jwt", 200, Body.OBJECT, needs=("token",)),
    "searchAnswers": _many(f"{_PUBLIC}/answers-search"),
    "listAnswers": _many(f"{_PUBLIC}/answers"),
    "getAnswerTitles": _many(f"{_PUBLIC}/help-center/{{helpCenterId}}/answer-titles"),
    "getAnswer": _one(f"{_PUBLIC}/answers/{{answerId}}", "answerId"),
    "addAnswer": Operation("POST", "/api/v1/answers", 200, Body.OBJECT, equals=_OWN_ID),
    "getAnswerById": _one(_ANSWER, "answerId"),
    "updateAnswer": _done("PATCH", _ANSWER),
    "deleteAnswer": _done("DELETE", _ANSWER),
    "getAnswerContentByLanguageAndType": Operation(
        "GET", _CONTENT, 200, Body.OBJECT, needs=("bodyHtml",), echoes=_CONTENT_KEY
    ),
    "addAnswerContentByLanguageAndType": Operation(
        "PUT", _CONTENT, 200, Body.OBJECT, needs=("bodyHtml",), echoes=_CONTENT_KEY
    ),
    "deleteAnswerContentByLanguageAndType": _done("DELETE", _CONTENT),
    "getAgents": _many("/api/v1/agents"),
    "getAgent": _one(_AGENT, "agentId"),
    # An agent may be requested by email address, so the id in the reply proves nothing.
    "getAgentCallRecording": Operation("GET", f"{_AGENT}/call-recorder", 200, Body.OBJECT, needs=("agentId",)),
    "updateAgentCallRecording": _done("PATCH", f"{_AGENT}/call-recorder"),
    "getAudiences": _many("/api/v1/audiences"),
    "getBusinessHours": _many(_HOURS),
    "createBusinessHours": Operation("POST", _HOURS, 201, Body.OBJECT, needs=_ID),
    "getBusinessHoursById": _one(_ONE_HOURS, "businessHoursId")._replace(shapes=_HOURS_SHAPE),
    "updateBusinessHours": Operation("PUT", _ONE_HOURS, 200, Body.OBJECT, equals=(("id", "businessHoursId"),)),
    "deleteBusinessHours": _done("DELETE", _ONE_HOURS),
    "getOrganization": Operation("GET", "/api/v1/organization", 200, Body.OBJECT, needs=_ID),
    "getInboxes": _many("/api/v1/inboxes"),
    "getInbox": _one("/api/v1/inboxes/{inboxId}", "inboxId"),
    "getTeams": _many("/api/v1/teams"),
    "getTeam": _one("/api/v1/teams/{teamId}", "teamId"),
    "getTopics": _many("/api/v1/topics"),
    "addTopic": _located("/api/v1/topics", "id"),
    "getTopic": _one(_TOPIC, "topicId"),
    "updateTopic": _done("PATCH", _TOPIC),
    "findSchedules": _many("/api/v1/export/schedules"),
    # One odd job must not hide the others, which Gladly keeps for 14 days only.
    "findJobs": Operation("GET", "/api/v1/export/jobs", 200, Body.ENTRIES, needs=("id", "status")),
    "getJob": _one(_JOB, "jobId"),
    "deleteJob": _done("DELETE", _JOB),
    "getFile": Operation("GET", f"{_JOB}/files/{{filename}}", 200, Body.LINES),
    "createRecipientCollection": Operation(
        "POST",
        "/api/v1/campaigns/{campaignId}/recipient-collections",
        200,
        Body.OBJECT,
        needs=_ID,
        equals=(("campaignId", "campaignId"),),
    ),
    "generateReport": Operation("POST", "/api/v1/reports", 200, Body.CSV),
    "createWebhook": _located("/api/v1/webhooks"),
    "getWebhooks": _many("/api/v1/webhooks"),
    "updateWebhook": _done("PATCH", _WEBHOOK),
    "deleteWebhook": _done("DELETE", _WEBHOOK),
    "getWebhook": _one(_WEBHOOK, "webhookId"),
    "generateWorkSessionReport": Operation("POST", "/api/v1/reports/work-session-events", 200, Body.CSV),
    "listEvents": Operation("GET", "/api/v1/events", 200, Body.LINES),
}
"""By operation id, as published; by the project's own name if there is none."""

DOWNLOAD = "download"
"""The name for reading a file at an address that a reply named; not an operation of the API."""
_DOWNLOAD = Operation("GET", "", 200, Body.BYTES)


def operation_of(name: str) -> Operation:
    """Return the declaration of an operation, or of a download."""
    return _DOWNLOAD if name == DOWNLOAD else OPERATIONS[name]
