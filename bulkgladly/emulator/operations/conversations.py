"""Conversations: reading them with their items and notes, assigning, closing and reopening them, adding notes.

Facts: endpoints.md, rows 3 to 5, 14, 18 and 19, schemas.md, section 4.6, and README.md, "Endpoint rules
that yield errors", of the fact sheet. Conversations are not created by the API. Notes are items of them.

The API does not show which agents belong to an inbox. Here the collection `inbox_members` has the
`agentIds` of an inbox under its id; an inbox that is not in it takes every agent.
"""

from typing import NamedTuple

from bulkgladly.emulator.operations.item_types import is_shown
from bulkgladly.emulator.operations.timeline import (
    add_conversation_item,
    assign_conversation,
    close_conversation,
    existing_conversation,
    is_customer_waiting,
    log_conversation_event,
    open_conversation,
)
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.lists import capped_list
from bulkgladly.emulator.protocol.replies import Reply, created, json_reply, no_content
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("CONVERSATION_OPERATIONS", "NOTE_OPERATIONS", "Assignee", "read_assignee")


_CONVERSATION = "/api/v1/conversations/{conversationId}"

_NOTES = "/api/v1/conversations/{conversationId}/notes"


class Assignee(NamedTuple):
    """The inbox and the agent to whom something is assigned."""

    inbox_id: str
    agent_id: str | None


def read_assignee(fields: Fields, store: Store, *, required: bool = False) -> Assignee | None:
    """Return the `assignee` of a request body. Its inbox and its agent must exist."""
    part = fields.part("assignee", required=required)
    if part is None:
        return None
    inbox_id, agent_id = part.text("inboxId", required=True), part.text("agentId")
    if inbox_id is not None and inbox_id not in store.collections["inboxes"]:
        part.fault("inboxId", "not_exist", "no inbox has this id")
    if agent_id and agent_id not in store.collections["agents"]:
        part.fault("agentId", "not_exist", "no agent has this id")
    return None if inbox_id is None else Assignee(inbox_id, agent_id or None)


def _of_customer(call: Call) -> Reply:
    # No error is documented; the reply for a merged customer is UNKNOWN.
    customer_id = call.params["customerId"]
    if customer_id not in call.store.customers:
        raise call.not_found("customer")
    conversations = call.store.conversations.of("customerId", customer_id)
    return capped_list(call, "getConversations", conversations, by="createdAt")


def _get(call: Call) -> Reply:
    return json_reply(existing_conversation(call))


def _items(call: Call) -> Reply:
    conversation = existing_conversation(call)
    items = [item for item in call.store.items.of("conversationId", conversation["id"]) if is_shown(item)]
    sessions = call.query.get("sessionId")
    if sessions is not None:
        items = [item for item in items if item.get("sessionId") in sessions]
    return capped_list(call, "getConversationItems", items, by="timestamp")


def _patch(call: Call) -> Reply:
    conversation = existing_conversation(call)
    fields = Fields(call.json_object())
    assignee, status = read_assignee(fields, call.store), fields.part("status")
    value = None if status is None else status.choice("value", ("CLOSED", "OPEN"), required=True)
    force = status is not None and status.flag("force") is True
    # A conversation that the same request reopens is open when it is assigned.
    reassigns = assignee is not None and not _is_taken_as_unchanged(call, conversation, assignee)
    if assignee is not None:
        _check_membership(fields, call.store, assignee)
        if reassigns and conversation["status"] == "CLOSED" and value != "OPEN":
            fields.fault("assignee", "invalid_state", "a closed conversation cannot be reassigned")
    if value == "CLOSED" and conversation["status"] != "CLOSED":
        _check_closing(fields, call, conversation, force=force)
    fields.refuse_faults()
    if value == "OPEN":
        conversation = open_conversation(call.store, conversation)
    if assignee is not None and reassigns:
        conversation = assign_conversation(call.store, conversation, assignee.agent_id, inbox_id=assignee.inbox_id)
    if value == "CLOSED" and conversation["status"] != "CLOSED":
        close_conversation(call.store, conversation)
    return no_content()


def _is_taken_as_unchanged(call: Call, conversation: Entity, assignee: Assignee) -> bool:
    is_same = (conversation["inboxId"], conversation.get("agentId")) == assignee
    return is_same and (conversation["status"] != "CLOSED" or call.options.closed_assignee == "unchanged")


def _check_membership(fields: Fields, store: Store, assignee: Assignee) -> None:
    members = store.collections["inbox_members"].get(assignee.inbox_id)
    agent_id = assignee.agent_id
    if members is not None and agent_id in store.collections["agents"] and agent_id not in members["agentIds"]:
        fields.fault("assignee.agentId", "invalid", "the agent does not belong to the inbox")


def _check_closing(fields: Fields, call: Call, conversation: Entity, *, force: bool) -> None:
    if call.options.topics_before_closing and not conversation.get("topicIds"):
        fields.fault("status.value", "invalid_state", "the conversation needs a topic before it can be closed")
    if not force and is_customer_waiting(call.store, conversation["id"]):
        fields.fault(
            "status.value",
            "invalid_state",
            "the customer is waiting for a reply; use force to close the conversation anyway",
        )


def _add_note(call: Call) -> Reply:
    conversation = existing_conversation(call)
    fields = Fields(call.json_object())
    # The example has the text in `content`, the schema at the top.
    is_flat = call.options.other_spellings and "content" not in fields
    content = fields if is_flat else fields.part("content", required=True)
    body = None if content is None else content.text("body", required=True)
    fields.refuse_faults()
    note = add_conversation_item(call.store, conversation, {"type": "CONVERSATION_NOTE", "body": body})
    log_conversation_event(call.store, "CONVERSATION/NOTE_CREATED", conversation, noteId=note["id"])
    return created(f"{_NOTES.replace('{conversationId}', conversation['id'])}/{note['id']}")


def _get_note(call: Call) -> Reply:
    conversation = existing_conversation(call)
    note = call.store.items.get(call.params["noteId"])
    if (
        note is None
        or note.get("conversationId") != conversation["id"]
        or note["content"]["type"] != "CONVERSATION_NOTE"
    ):
        raise call.not_found("note")
    return json_reply(note)


CONVERSATION_OPERATIONS = (
    Operation("GET", "/api/v1/customers/{customerId}/conversations", "getConversations", _of_customer, (200, 404)),
    Operation("GET", _CONVERSATION, "getConversation", _get, (200, 404)),
    Operation("PATCH", _CONVERSATION, "patchConversation", _patch, (204, 400, 404)),
    Operation("GET", f"{_CONVERSATION}/items", "getConversationItems", _items, (200, 404)),
)

NOTE_OPERATIONS = (
    Operation("POST", _NOTES, "addNoteToConversation", _add_note, (201, 400, 404)),
    Operation("GET", f"{_NOTES}/{{noteId}}", "getNoteFromConversation", _get_note, (200, 404)),
)
