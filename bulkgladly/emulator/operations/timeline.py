"""What operations on conversations share: finding one, adding items to it, changing it, logging its events."""

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
    "assign_conversation",
    "assignee_of",
    "change_conversation",
    "chosen_timeline_id",
    "close_conversation",
    "contact_of",
    "existing_conversation",
    "is_customer_waiting",
    "log_conversation_event",
    "log_message_event",
    "new_timeline_id",
    "open_conversation",
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
"""The content types of messages from one person to another."""


def existing_conversation(call: Call) -> Entity:
    """Return the conversation in the path.

    Raises:
        Refusal: 404, because there is no such conversation, or the path names another customer.
    """
    conversation = call.store.conversations.get(call.params["conversationId"])
    if conversation is None or conversation["customerId"] != call.params.get("customerId", conversation["customerId"]):
        raise call.not_found("conversation")
    return conversation


def assignee_of(entity: Mapping[str, Any]) -> Entity:
    """Return the inbox and the agent of a conversation, in the form used by events."""
    assignee = {"inboxId": entity["inboxId"]}
    return assignee | {"agentId": entity["agentId"]} if entity.get("agentId") else assignee


def is_customer_waiting(store: Store, conversation_id: str) -> bool:
    """Return whether the last message of a conversation is from the customer.

    The documents speak of a customer who waits for a reply, without a definition. The status WAITING
    does not help: they do not say who waits for whom.
    """
    items = store.items.of("conversationId", conversation_id)
    messages = [item for item in reversed(items) if item["content"]["type"] in MESSAGE_TYPES]
    last = max(messages, key=lambda item: moment_of(item["timestamp"]), default=None)
    return last is not None and last["initiator"]["type"] == "CUSTOMER"


def new_timeline_id(store: Store) -> str:
    """Return a new id for an item or a task; no two of them have the same id."""
    while store.is_id_taken("tasks", identifier := store.new_id("items")):
        pass
    return identifier


def chosen_timeline_id(store: Store, payload: Mapping[str, Any], *, conflict: int = 409) -> str:
    """Return the id that a request body has for an item or a task, or a new one.

    Raises:
        Refusal: 400 for an id that is not valid, `conflict` for one that an item or a task has.
    """
    chosen = payload.get("id")
    if chosen is None:
        return new_timeline_id(store)
    item_id = checked_id(chosen)
    if store.is_id_taken("items", item_id) or store.is_id_taken("tasks", item_id):
        detail = "an item with this id already exists"
        raise refuse(conflict, problem("taken", detail, attr="newConversationItems"))
    return item_id


def add_conversation_item(store: Store, conversation: Mapping[str, Any], content: Entity, **fields: Any) -> Entity:
    """Add an item to a conversation, by default from the API user and now."""
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
    """Replace fields of a conversation; None removes a field."""
    changed = {name: value for name, value in {**conversation, **fields}.items() if value is not None}
    store.conversations[changed["id"]] = changed
    return changed


def log_conversation_event(
    store: Store,
    type: str,  # noqa: A002
    conversation: Mapping[str, Any],
    *,
    initiator: Entity = API_USER,
    **content: Any,
) -> None:
    """Add an event of a conversation to the log; `content` is what it has besides the two ids."""
    ids = {"customerId": conversation["customerId"], "conversationId": conversation["id"]}
    store.event_log.add(type, {**ids, **content}, initiator)


def open_conversation(store: Store, conversation: Entity, *, initiator: Entity = API_USER) -> Entity:
    """Give a conversation the status OPEN, and return it. Only a closed one is reopened, with an item and an event."""
    if conversation["status"] == "OPEN":
        return conversation
    opened = change_conversation(store, conversation, status="OPEN", closedAt=None)
    _log_status(store, opened)
    if conversation["status"] == "CLOSED":
        item = {"type": "CONVERSATION_STATUS_CHANGE", "status": "OPEN"}
        add_conversation_item(store, opened, item, initiator=initiator)
        context = {"assignee": assignee_of(conversation)}
        log_conversation_event(store, "CONVERSATION/REOPENED", opened, initiator=initiator, context=context)
    return opened


def close_conversation(store: Store, conversation: Entity, *, initiator: Entity = API_USER) -> Entity:
    """Close a conversation that is not closed, with an item and an event, and return it."""
    closed = change_conversation(store, conversation, status="CLOSED", closedAt=store.now())
    item = {"type": "CONVERSATION_STATUS_CHANGE", "status": "CLOSED"}
    add_conversation_item(store, closed, item, initiator=initiator)
    _log_status(store, closed)
    context = {"assignee": assignee_of(conversation)}
    log_conversation_event(store, "CONVERSATION/CLOSED", closed, initiator=initiator, context=context)
    return closed


def assign_conversation(
    store: Store,
    conversation: Entity,
    agent_id: str | None,
    *,
    inbox_id: str | None = None,
    reason: str = "MANUAL",
    initiator: Entity = API_USER,
) -> Entity:
    """Give a conversation another agent, or none, and perhaps another inbox, with an event; return it."""
    inbox_id = inbox_id or conversation["inboxId"]
    assigned = change_conversation(store, conversation, inboxId=inbox_id, agentId=agent_id)
    log_conversation_event(
        store,
        "CONVERSATION_ASSIGNEE/UPDATED",
        assigned,
        initiator=initiator,
        reason=reason,
        assignee=assignee_of(assigned),
        context={"assignee": assignee_of(conversation)},
    )
    return assigned


def contact_of(conversation_id: str, channel: str) -> str:
    """Return the id of the contact of a conversation on a channel; here it has one on each."""
    return derived_id(f"contact:{channel}:{conversation_id}")


def _log_status(store: Store, conversation: Entity) -> None:
    """Add the event of a new status, which only webhooks get and which has no initiator."""
    ids = {"customerId": conversation["customerId"], "conversationId": conversation["id"]}
    store.event_log.add("CONVERSATION_STATUS/UPDATED", ids)


def log_message_event(store: Store, conversation: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    """Add the event of a message to the log. Other items have none, nor has TWITTER, whose channel is not known."""
    channel = CHANNELS.get(item["content"]["type"])
    is_customers = item["initiator"]["type"] == "CUSTOMER"
    # In the events, an outgoing voicemail is not a message.
    if channel is None or (channel == "VOICEMAIL" and not is_customers):
        return
    content = {
        "channel": channel,
        "contactId": contact_of(conversation["id"], channel),
        "conversationId": conversation["id"],
        "customerId": conversation["customerId"],
        "messageId": item["id"],
        "context": {"assignee": assignee_of(conversation)},
    }
    direction = "RECEIVED" if is_customers else "SENT"
    store.event_log.add(f"CONTACT/MESSAGE_{direction}", content, item["initiator"])
