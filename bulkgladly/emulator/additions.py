"""Conversations, items and tasks that come into being without the API, as they do at Gladly.

Nothing of the API's rules for new ones holds here: they can be old, closed or overdue.
"""

from collections.abc import Mapping
from typing import Any

from bulkgladly.emulator.operations.tasks import note_task
from bulkgladly.emulator.operations.timeline import assignee_of, new_timeline_id, note_message
from bulkgladly.emulator.organisation.event_log import APPLICATION
from bulkgladly.emulator.organisation.store import Entity, Store

__all__ = ("CONVERSATION_STATUSES", "place_comment", "place_conversation", "place_item", "place_task")

CONVERSATION_STATUSES = ("OPEN", "WAITING", "CLOSED")

_CONVERSATION_FIELDS = frozenset(
    {"id", "createdAt", "inboxId", "status", "agentId", "topicIds", "customAttributes", "closedAt"}
)
_ITEM_FIELDS = frozenset({"id", "timestamp", "sessionId", "initiator", "responder"})
_TASK_FIELDS = frozenset({"id", "timestamp", "createdBy", "assignee", "body", "dueAt", "status"})
_COMMENT_FIELDS = frozenset({"id", "agentId", "comment", "createdAt"})


def place_conversation(store: Store, customer_id: str, fields: Mapping[str, Any]) -> str:
    """Add a conversation; what `fields` leave out is an open one, now, in the first inbox."""
    _check(fields, _CONVERSATION_FIELDS, "a conversation")
    customer = store.customers[customer_id]
    now = store.now()
    usual = {"id": store.new_id("conversations"), "createdAt": now, "inboxId": _first_inbox(store), "status": "OPEN"}
    conversation = {**usual, "customerId": customer["id"], **fields}
    _check_choice("status", conversation["status"], CONVERSATION_STATUSES)
    if conversation["status"] == "CLOSED":
        conversation.setdefault("closedAt", now)
    _check_free(store, "conversations", conversation["id"])
    store.conversations[conversation["id"]] = conversation
    ids = {"customerId": customer_id, "conversationId": conversation["id"]}
    context = {"assignee": assignee_of(conversation)}
    store.happenings.note("CONVERSATION/CREATED", {**ids, "context": context}, APPLICATION)
    return str(conversation["id"])


def place_item(
    store: Store,
    content: Mapping[str, Any],
    *,
    conversation_id: str | None,
    customer_id: str | None,
    transcript: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
) -> str:
    """Add an item to a conversation, or to a customer outside of all; the customer begins it."""
    _check(fields, _ITEM_FIELDS, "an item")
    conversation = None if conversation_id is None else store.conversations[conversation_id]
    if conversation is not None:
        customer_id = conversation["customerId"]
    if customer_id is None:
        raise ValueError("an item needs a conversation_id or a customer_id")
    customer = store.customers[customer_id]
    initiator = {"id": customer["id"], "type": "CUSTOMER"}
    item: Entity = {"id": new_timeline_id(store), "customerId": customer_id, "timestamp": store.now()}
    item |= {"initiator": initiator, **fields, "content": {"type": content["type"], **content}}
    if conversation is not None:
        item["conversationId"] = conversation["id"]
    if "sessionId" in content:
        item.setdefault("sessionId", content["sessionId"])
    _check_free(store, "items", item["id"])
    store.items[item["id"]] = item
    if transcript is not None:
        store.collections["transcripts"][item["id"]] = {**transcript, "id": item["id"]}
    if conversation is not None:
        note_message(store, conversation, item)
    return str(item["id"])


def place_task(store: Store, customer_id: str, fields: Mapping[str, Any]) -> str:
    """Add a task; what `fields` leave out is an open one, due now, for the first inbox."""
    _check(fields, _TASK_FIELDS, "a task")
    customer, now = store.customers[customer_id], store.now()
    task: Entity = {
        "id": new_timeline_id(store),
        "customerId": customer["id"],
        "timestamp": now,
        "createdBy": APPLICATION,
        "assignee": {"inboxId": _first_inbox(store)},
        "body": "A task",
        "dueAt": now,
        "status": "OPEN",
        **fields,
    }
    _check_choice("status", task["status"], ("OPEN", "CLOSED"))
    _check_free(store, "tasks", task["id"])
    store.tasks[task["id"]] = task
    note_task(store, "TASK/CREATED", task)
    return str(task["id"])


def place_comment(store: Store, task_id: str, fields: Mapping[str, Any]) -> str:
    """Add a comment to a task, be it closed; what `fields` leave out is one of an agent, now."""
    _check(fields, _COMMENT_FIELDS, "a comment")
    task = store.tasks[task_id]
    agent_id = next(iter(store.collections["agents"]), "agent-0")
    usual = {"id": store.new_id("task_comments"), "agentId": agent_id, "comment": "A comment"}
    comment = {**usual, "createdAt": store.now(), **fields, "taskId": task_id}
    _check_free(store, "task_comments", comment["id"])
    store.task_comments[comment["id"]] = comment
    note_task(store, "TASK/COMMENT_ADDED", task, commentId=comment["id"])
    return str(comment["id"])


def _check(fields: Mapping[str, Any], known: frozenset[str], thing: str) -> None:
    unknown = sorted(set(fields) - known)
    if unknown:
        raise ValueError(f"{thing} has no {', '.join(unknown)}: it can have {', '.join(sorted(known))}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: it can be {', '.join(choices)}")


def _check_free(store: Store, kind: str, identifier: str) -> None:
    shared = ("items", "tasks") if kind in ("items", "tasks") else (kind,)
    if any(identifier in store.collections[name] for name in shared):
        raise ValueError(f"the id {identifier} is already in use")


def _first_inbox(store: Store) -> str:
    return next(iter(store.collections["inboxes"]), "inbox-0")
