"""Invented conversations of the invented customers: the same for the same seed, on every machine.

A conversation has an item of every content type; a third of the conversations are not closed. Each comes
with a task that has two comments. They are too old to be in the event log.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.seeding.conversation_script import NUMBER_TOKEN, TIME_TOKEN, Scene, at, contents

__all__ = ("seed_conversations", "seed_custom_attributes")

_START = datetime(2024, 2, 1, tzinfo=UTC)
_TEXTS = (
    "Where is my parcel?",
    "It came this morning, thanks.",
    "Can the order still be changed?",
    "Größe M bitte, nicht L.",
    'The box was marked "open this side",\nand it was closed.',
)


def seed_conversations(store: Store, each: int, *, seed: int) -> None:
    """Give every customer in the store `each` conversations, with items and tasks."""
    agents = list(store.collections["agents"])
    for number, customer in enumerate(list(store.customers.values())):
        for turn in range(each):
            draw = random.Random(f"{seed}:conversation:{number}:{turn}")  # noqa: S311  # a repeatable draw is the point
            key = f"{seed}:{customer['id']}:{turn}"
            begun = _START + timedelta(days=turn, minutes=number % 1440)
            agent_id = draw.choice(agents)
            conversation = _conversation(store, customer, key, begun, agent_id, number + turn)
            store.conversations[conversation["id"]] = conversation
            for item in _items(store, customer, conversation, begun, draw):
                store.items[item["id"]] = item
                if item["content"].get("recordingStatus") == "AVAILABLE":
                    store.collections["transcripts"][item["id"]] = _transcript(item)
            _add_task(store, customer, key, begun, agent_id, is_closed=conversation["status"] == "CLOSED")


def seed_custom_attributes(store: Store) -> None:
    """Give the organisation a few freeform topics, one of them archived."""
    moment = timestamp(_START.timestamp())
    for number, (key, label) in enumerate(
        (("orderId", "Order"), ("storeId", "Store"), ("couponId", "Coupon")), start=1
    ):
        definition = {"id": f"custom-attribute-{number}", "key": key, "label": label, "deactivated": key == "couponId"}
        definition |= {"createdAt": moment, "createdBy": "agent-1"}
        store.collections["custom_attributes"][str(definition["id"])] = definition


def _conversation(store: Store, customer: Entity, key: str, begun: datetime, agent_id: str, number: int) -> Entity:
    status = ("CLOSED", "CLOSED", "OPEN", "CLOSED", "CLOSED", "WAITING")[number % 6]
    conversation: Entity = {
        "id": derived_id(f"{key}:conversation"),
        "customerId": customer["id"],
        "createdAt": timestamp(begun.timestamp()),
        "inboxId": next(iter(store.collections["inboxes"])),
        "status": status,
        "agentId": agent_id,
        "topicIds": list(store.collections["topics"])[:2],
        "customAttributes": [{"id": "custom-attribute-1", "value": f"A-{number}"}],
    }
    if status == "CLOSED":
        conversation["closedAt"] = timestamp((begun + timedelta(milliseconds=900)).timestamp())
    return conversation


def _items(
    store: Store, customer: Entity, conversation: Entity, begun: datetime, draw: random.Random
) -> Iterator[Entity]:
    scene = Scene(
        customer={"id": customer["id"], "type": "CUSTOMER"},
        agent={"id": conversation["agentId"], "type": "AGENT"},
        email=next((email["normalized"] for email in customer.get("emails", ())), "nobody@example.org"),
        phone=next((phone["normalized"] for phone in customer.get("phones", ())), "+16505550100"),
        topics=list(store.collections["topics"]),
        say=lambda: draw.choice(_TEXTS),
    )
    second = begun.replace(tzinfo=None).isoformat(timespec="seconds")
    for n, (initiator, template) in enumerate(contents(scene)):
        if template["type"] == "CONVERSATION_STATUS_CHANGE" and conversation["status"] != "CLOSED":
            continue
        item_id = derived_id(f"{conversation['id']}:{n}")
        item = {"id": item_id, "conversationId": conversation["id"], "customerId": customer["id"]}
        item |= {"timestamp": at(n), "initiator": initiator, "content": template}
        # Placeholders are replaced in the JSON text, because they stand in many fields.
        written = orjson.dumps(item).replace(TIME_TOKEN.encode(), second.encode())
        item = orjson.loads(written.replace(NUMBER_TOKEN.encode(), conversation["id"].encode()))
        yield _finished(item, scene)


def _finished(item: dict[str, Any], scene: Scene) -> Entity:
    content = item["content"]
    if content["type"] == "CUSTOMER_ACTIVITY":
        # Items created through the API do not belong to a conversation.
        del item["conversationId"]
    if "recordingUrl" in content:
        content["recordingUrl"] = f"/api/v1/conversation-items/{item['id']}/media/recording"
    if content.get("answeredAt"):
        item["responder"] = scene.customer
    if content["type"] in ("CHAT_MESSAGE", "VOICE_AI_MESSAGE"):
        item["sessionId"] = content.get("sessionId", f"session-of-{item['id']}")
    return item


def _transcript(item: Entity) -> Entity:
    paragraphs = [
        {"transcript": "Hello, how can I help?", "speaker": 0, "startTime": 0.0, "endTime": 0.4},
        {"transcript": "It is about my order.", "speaker": 1, "startTime": 0.4, "endTime": 1.0},
    ]
    people = {"customerId": item["customerId"], "numberOfSpeakers": 2, "language": "en"}
    moments = {"createdAt": item["timestamp"], "updatedAt": item["timestamp"]}
    return {"id": item["id"], "paragraphs": paragraphs, **people, **moments}


def _add_task(store: Store, customer: Entity, key: str, begun: datetime, agent_id: str, *, is_closed: bool) -> None:
    task_id = derived_id(f"{key}:task")
    store.tasks[task_id] = {
        "id": task_id,
        "customerId": customer["id"],
        "timestamp": timestamp((begun + timedelta(minutes=5)).timestamp()),
        "createdBy": {"id": agent_id, "type": "AGENT"},
        "assignee": {"inboxId": next(iter(store.collections["inboxes"])), "agentId": agent_id},
        "body": "<p>Ask whether the parcel arrived.</p>",
        "dueAt": timestamp((begun + timedelta(days=7)).timestamp()),
        "status": "CLOSED" if is_closed else "OPEN",
    }
    for n, text in enumerate(("Asked, no answer yet.", "It arrived.")):
        comment_id = derived_id(f"{key}:comment:{n}")
        moment = timestamp((begun + timedelta(minutes=10 + n)).timestamp())
        comment = {"id": comment_id, "agentId": agent_id, "comment": text, "taskId": task_id, "createdAt": moment}
        store.task_comments[comment_id] = comment
