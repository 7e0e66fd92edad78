"""Items of a customer's timeline: creating activities, reading, deleting and redacting.

Facts: endpoints.md, rows 6 to 8, 12, 13 and 21, and schemas.md, section 4, of the fact sheet. Activities
are the only items that the API creates as such. Tasks are on the same timeline: items cannot
have their ids, and a task that is read as an item is an item of a type that the API does not show.
"""

from datetime import timedelta
from typing import Any, NamedTuple

from bulkgladly.emulator.operations.customers import read_recipient
from bulkgladly.emulator.operations.item_types import DELETABLE_TYPE, REDACTABLE_TYPES, is_shown, redacted
from bulkgladly.emulator.operations.tasks import TaskDraft, read_task, store_task
from bulkgladly.emulator.operations.timeline import chosen_timeline_id
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.event_log import API_USER
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Refusal, Reply, created, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = (
    "ACTIVITY_TYPES",
    "ITEM_OPERATIONS",
    "MAX_AGE",
    "MAX_BODY",
    "MAX_LINK_TEXT",
    "MAX_SOURCE_NAME",
    "MAX_TITLE",
    "Activity",
    "existing_item",
    "read_activity",
)


_ITEMS = "/api/v1/conversation-items"
_ITEM = f"{_ITEMS}/{{itemId}}"
_OF_CUSTOMER = "/api/v1/customers/{customerId}/conversation-items"
_CREATABLE_TYPES = ("CUSTOMER_ACTIVITY", "TASK")

ACTIVITY_TYPES = ("EMAIL", "ISSUE", "SMS", "SURVEY")
MAX_AGE = timedelta(days=365)
"""How long ago an activity may have occurred; older activities cannot be created."""
MAX_TITLE = 100
MAX_BODY = 25_000
MAX_SOURCE_NAME = 50
MAX_LINK_TEXT = 50


class Activity(NamedTuple):
    """The content of an item, and its time on the timeline."""

    content: Entity
    moment: str


def existing_item(call: Call) -> Entity:
    """Return the item of the path.

    Raises:
        Refusal: 404, because there is no such item; 400 `invalid`, because the API does not show it.
    """
    item_id = call.params["itemId"]
    item = call.store.items.get(item_id)
    if item_id in call.store.tasks or (item is not None and not is_shown(item)):
        raise _unsupported("the API does not show items of this type")
    if item is None:
        raise call.not_found("conversation item")
    return item


def _create(call: Call) -> Reply:
    payload = call.json_object()
    fields = Fields(payload)
    recipient = read_recipient(fields, call.store)
    content = _read_content(fields, call.store)
    item_id = chosen_timeline_id(call.store, payload)
    return _kept(call.store, item_id, recipient.found_or_created(call.store), content)


def _create_for_customer(call: Call) -> Reply:
    customer_id = call.params["customerId"]
    if customer_id not in call.store.customers:
        raise _moved_or_unknown(call)
    payload = call.json_object()
    content = _read_content(Fields(payload), call.store)
    return _kept(call.store, chosen_timeline_id(call.store, payload), customer_id, content)


def _get(call: Call) -> Reply:
    return json_reply(existing_item(call))


def _delete(call: Call) -> Reply:
    item = existing_item(call)
    if item["customerId"] != call.params.get("customerId", item["customerId"]):
        raise call.not_found("conversation item")
    if item["content"]["type"] != DELETABLE_TYPE:
        raise _unsupported("only activities can be deleted")
    call.store.remove("items", item["id"])
    return no_content()


def _redact(call: Call) -> Reply:
    item = existing_item(call)
    if item["content"]["type"] not in REDACTABLE_TYPES:
        raise _unsupported("items of this type cannot be redacted")
    call.store.items[item["id"]] = item | {"content": redacted(item["content"])}
    call.store.collections["transcripts"].pop(item["id"], None)
    return created(f"{_ITEMS}/{item['id']}")


def _read_content(fields: Fields, store: Store) -> Activity | TaskDraft:
    content = fields.part("content", required=True)
    kind = None if content is None else content.choice("type", _CREATABLE_TYPES, required=True)
    if content is None or kind is None:
        raise fields.refusal()
    read = read_task(content, store) if kind == "TASK" else read_activity(content, store)
    fields.refuse_faults()
    return read


def _kept(store: Store, item_id: str, customer_id: str, content: Activity | TaskDraft) -> Reply:
    if isinstance(content, TaskDraft):
        task = store_task(store, item_id, customer_id, content)
        shown = {"type": "TASK", "assignee": task["assignee"], "body": task["body"], "dueAt": task["dueAt"]}
        return json_reply(_item(item_id, customer_id, task["timestamp"], shown))
    item = _item(item_id, customer_id, content.moment, content.content)
    store.items[item_id] = item
    return json_reply(item)


def _item(item_id: str, customer_id: str, moment: str, content: Entity) -> Entity:
    return {"id": item_id, "customerId": customer_id, "timestamp": moment, "initiator": API_USER, "content": content}


def _unsupported(detail: str) -> Refusal:
    return refuse(400, problem("invalid", detail, attr="type"))


def _moved_or_unknown(call: Call) -> Refusal:
    customer_id = call.params["customerId"]
    heir = call.store.successor(customer_id, last=call.options.moved_to == "last")
    if heir is None:
        return call.not_found("customer")
    meta = {"old": customer_id, "new": heir}
    moved = problem("moved", "this customer id was replaced", attr="customer id", meta=meta)
    location = call.absolute(_OF_CUSTOMER.replace("{customerId}", heir))
    return Refusal(json_reply({"errors": [moved]}, 301)._replace(headers={"Location": location}))


ITEM_OPERATIONS = (
    Operation("POST", _ITEMS, "createItem", _create, (200, 400, 409)),
    Operation("GET", _ITEM, "getItem", _get, (200, 400, 404)),
    Operation("DELETE", _ITEM, "deleteItem", _delete, (204, 400, 404)),
    Operation("POST", f"{_ITEM}/redact", "redactContent", _redact, (201, 400, 404)),
    Operation("POST", _OF_CUSTOMER, "createCustomerItem", _create_for_customer, (200, 301, 400, 404, 409)),
    Operation("DELETE", f"{_OF_CUSTOMER}/{{itemId}}", "deleteCustomerItem", _delete, (204, 400, 404)),
)


def read_activity(content: Fields, store: Store) -> Activity:
    """Return the activity of a request, in the form in which the API returns it.

    Its time on the timeline is when it occurred, or else when it was received. Faults are added to
    `content`; do not use the result then.
    """
    now = store.jobs.now()
    fields: dict[str, Any] = {
        "activityType": content.choice("activityType", ACTIVITY_TYPES, required=True),
        "title": content.text("title", max_length=MAX_TITLE),
        "body": content.text("body", max_length=MAX_BODY),
        "sourceName": content.text("sourceName", max_length=MAX_SOURCE_NAME),
        "link": _read_link(content),
        "expandByDefault": content.flag("expandByDefault") is True,
    }
    occurred = content.moment("occurredAt")
    if occurred is not None:
        if occurred < now - MAX_AGE:
            content.fault("occurredAt", "invalid", f"occurredAt is more than {MAX_AGE.days} days ago")
        fields["occurredAt"] = timestamp(occurred.timestamp())
    fields["receivedAt"] = timestamp(now.timestamp())
    kept = {name: value for name, value in fields.items() if value is not None}
    return Activity({"type": "CUSTOMER_ACTIVITY", **kept}, fields.get("occurredAt") or fields["receivedAt"])


def _read_link(content: Fields) -> dict[str, str] | None:
    link = content.part("link")
    if link is None:
        return None
    read = {"url": link.text("url"), "text": link.text("text", max_length=MAX_LINK_TEXT)}
    return {name: value for name, value in read.items() if value is not None}
