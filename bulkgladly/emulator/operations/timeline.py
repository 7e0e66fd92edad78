"""What every operation on a conversation needs: the conversation, its items, the news of a change."""

from collections.abc import Mapping
from typing import Any

from bulkgladly.emulator.operations.customer_profiles import checked_id
from bulkgladly.emulator.organisation.clock import moment_of
from bulkgladly.emulator.organisation.event_log import API_USER
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.replies import problem, refuse
from bulkgladly.emulator.protocol.routing import Call

__all__ = (
    "CHANNELS",
    "MESSAGE_TYPES",
    "add_conversation_item",
    "assignee_of",
    "change_conversation",
    "chosen_timeline_id",
    "existing_conversation",
    "is_customer_waiting",
    "log_conversation_event",
    "log_message_event",
    "new_timeline_id",
)

CHANNELS = {
    "CHAT_MESSAGE": "CHAT",
    "EMAIL": "EMAIL",
    "FACEBOOK_MESSAGE": "FB_MESSENGER",
    "INSTAGRAM_DIRECT": "INSTAGRAM_DIRECT",
    "SMS": "SMS",
    "VOICEMAIL": "VOICEMAIL",
    "WHATSAPP": "WHATSAPP",
}
"""The channel of a contact, by the content type of its messages (events.md, "K channels")."""

MESSAGE_TYPES = frozenset({*CHANNELS, "TWITTER"})
"""Content types with which somebody says something to somebody."""


def existing_conversation(call: Call) -> Entity:
    """The conversation of the path.

    Raises:
        Refusal: 404; also where the path names another customer than its own.
    """
    conversation = call.store.conversations.get(call.params["conversationId"])
    if conversation is None or conversation["customerId"] != call.params.get("customerId", conversation["customerId"]):
        raise call.not_found("conversation")
    return conversation


def assignee_of(entity: Mapping[str, Any]) -> Entity:
    """Inbox and agent of a conversation, in the form that events have."""
    assignee = {"inboxId": entity["inboxId"]}
    return assignee | {"agentId": entity["agentId"]} if entity.get("agentId") else assignee


def is_customer_waiting(store: Store, conversation_id: str) -> bool:
    """Whether the last message of a conversation is the customer's.

    The documents speak of a customer who waits for an answer and define no more. The status
    WAITING is no sign: they do not say who waits for whom in it.
    """
    items = store.items.of("conversationId", conversation_id)
    messages = [item for item in reversed(items) if item["content"]["type"] in MESSAGE_TYPES]
    last = max(messages, key=lambda item: moment_of(item["timestamp"]), default=None)
    return last is not None and last["initiator"]["type"] == "CUSTOMER"


def new_timeline_id(store: Store) -> str:
    """A fresh id for an item or a task, which share one space of ids."""
    while store.is_id_taken("tasks", identifier := store.new_id("items")):
        pass
    return identifier


def chosen_timeline_id(store: Store, payload: Mapping[str, Any], *, conflict: int = 409) -> str:
    """The id that a request body chose for an item or a task, or a fresh one.

    Raises:
        Refusal: 400 for what cannot be an id; `conflict` for one that is taken, whatever it has it.
    """
    chosen = payload.get("id")
    if chosen is None:
        return new_timeline_id(store)
    item_id = checked_id(chosen)
    if store.is_id_taken("items", item_id) or store.is_id_taken("tasks", item_id):
        detail = "an item with this id is already there"
        raise refuse(conflict, problem("taken", detail, attr="newConversationItems"))
    return item_id


def add_conversation_item(store: Store, conversation: Mapping[str, Any], content: Entity, **fields: Any) -> Entity:
    """Add an item of the API user to a conversation, now unless `fields` say otherwise."""
    item = {
        "id": new_timeline_id(store),
        "conversationId": conversation["id"],
        "customerId": conversation["customerId"],
        "timestamp": store.now(),
        "initiator": API_USER,
        **fields,
        "content": content,
    }
    store.items[item["id"]] = item
    return item


def change_conversation(store: Store, conversation: Mapping[str, Any], **fields: Any) -> Entity:
    """Put other values in the place of those that a conversation has; None takes a field away."""
    changed = {name: value for name, value in {**conversation, **fields}.items() if value is not None}
    store.conversations[changed["id"]] = changed
    return changed


def log_conversation_event(store: Store, type: str, conversation: Mapping[str, Any], **content: Any) -> None:  # noqa: A002
    """Note what happened to a conversation; what the event has besides the two ids is the caller's."""
    ids = {"customerId": conversation["customerId"], "conversationId": conversation["id"]}
    store.event_log.add(type, {**ids, **content}, API_USER)


def log_message_event(store: Store, conversation: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    """Note that a message came in or went out; other items are none, and of TWITTER no channel is known."""
    channel = CHANNELS.get(item["content"]["type"])
    is_customers = item["initiator"]["type"] == "CUSTOMER"
    # An outgoing voicemail is no message in the events.
    if channel is None or (channel == "VOICEMAIL" and not is_customers):
        return
    content = {
        "channel": channel,
        "contactId": derived_id(f"contact:{channel}:{conversation['id']}"),
        "conversationId": conversation["id"],
        "customerId": conversation["customerId"],
        "messageId": item["id"],
        "context": {"assignee": assignee_of(conversation)},
    }
    direction = "RECEIVED" if is_customers else "SENT"
    store.event_log.add(f"CONTACT/MESSAGE_{direction}", content, item["initiator"])
