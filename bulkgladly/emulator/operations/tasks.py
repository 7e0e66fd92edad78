"""Tasks of customers.

Facts: endpoints.md, rows 22 to 26, and schemas.md, section 5, of the fact sheet.
"""

from typing import Any, NamedTuple

from bulkgladly.emulator.operations.conversations import Assignee, read_assignee
from bulkgladly.emulator.operations.recipients import read_recipient
from bulkgladly.emulator.operations.timeline import chosen_timeline_id
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.event_log import API_USER
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.lists import capped_list
from bulkgladly.emulator.protocol.replies import Reply, created, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = (
    "MAX_TASK_BODY",
    "TASK_OPERATIONS",
    "TASK_STATUSES",
    "TaskDraft",
    "existing_task",
    "keep_task",
    "note_task",
    "read_task",
)

MAX_TASK_BODY = 10_000
TASK_STATUSES = ("OPEN", "CLOSED")

_TASKS = "/api/v1/tasks"
_TASK = f"{_TASKS}/{{taskId}}"
_OF_CUSTOMER = "/api/v1/customers/{customerId}/tasks"


class TaskDraft(NamedTuple):
    """What a new task says."""

    assignee: Entity
    body: str
    due_at: str


def read_task(fields: Fields, store: Store) -> TaskDraft:
    """What a request body says of a new task: it is due in the future.

    Faults are left in `fields`; what is returned means nothing then.
    """
    assignee = read_assignee(fields, store, required=True)
    body = fields.text("body", required=True, most=MAX_TASK_BODY)
    due = fields.moment("dueAt", required=True)
    if due is not None and due <= store.jobs.now():
        fields.fault("dueAt", "invalid", "dueAt is not in the future")
    return TaskDraft(
        {} if assignee is None else _shown(assignee), body or "", "" if due is None else timestamp(due.timestamp())
    )


def keep_task(store: Store, task_id: str, customer_id: str, draft: TaskDraft) -> Entity:
    """Put a new task into the store, created now by the API user."""
    task = {
        "id": task_id,
        "customerId": customer_id,
        "timestamp": store.now(),
        "createdBy": API_USER,
        "assignee": draft.assignee,
        "body": draft.body,
        "dueAt": draft.due_at,
        "status": "OPEN",
    }
    store.tasks[task_id] = task
    note_task(store, "TASK/CREATED", task)
    return task


def existing_task(call: Call) -> Entity:
    """The task of the path.

    Raises:
        Refusal: 404.
    """
    task = call.store.tasks.get(call.params["taskId"])
    if task is None:
        raise call.not_found("task")
    return task


def note_task(store: Store, type: str, before: Entity, **content: Any) -> None:  # noqa: A002
    """Note what happened to a task, with what it was before as the context."""
    context = {"createdAt": before["timestamp"], "assignee": before.get("assignee"), "dueAt": before.get("dueAt")}
    context = {name: value for name, value in context.items() if value is not None}
    ids = {"customerId": before["customerId"], "taskId": before["id"]}
    store.happenings.note(type, {**ids, **content, "context": context}, API_USER)


def _create_with_customer(call: Call) -> Reply:
    payload = call.json_object()
    fields = Fields(payload)
    recipient = read_recipient(fields, call.store)
    draft = read_task(fields, call.store)
    fields.refuse_faults()
    task_id = chosen_timeline_id(call.store, payload, conflict=409 if call.options.undocumented_409 else 400)
    keep_task(call.store, task_id, recipient.found_or_created(call.store), draft)
    return created(f"{_TASKS}/{task_id}")


def _create(call: Call) -> Reply:
    customer_id = _existing_customer(call)
    payload = call.json_object()
    fields = Fields(payload)
    draft = read_task(fields, call.store)
    fields.refuse_faults()
    task_id = chosen_timeline_id(call.store, payload)
    keep_task(call.store, task_id, customer_id, draft)
    return created(f"{_TASKS}/{task_id}")


def _of_customer(call: Call) -> Reply:
    tasks = call.store.tasks.of("customerId", _existing_customer(call))
    wanted = call.query.get("status")
    if wanted is not None:
        if len(wanted) != 1 or wanted[0] not in TASK_STATUSES:
            raise refuse(400, problem("invalid", f"status can be {', '.join(TASK_STATUSES)}", attr="status"))
        tasks = [task for task in tasks if task["status"] == wanted[0]]
    return capped_list(call, "getTasks", tasks, by="timestamp", newest_first=True)


def _get(call: Call) -> Reply:
    return json_reply(existing_task(call))


def _update(call: Call) -> Reply:
    before = existing_task(call)
    fields = Fields(call.json_object())
    assignee = read_assignee(fields, call.store)
    # That a task is due in the future is asked of new ones only.
    due = fields.moment("dueAt")
    changes: Entity = {
        "status": fields.choice("status", TASK_STATUSES),
        "body": fields.text("body", most=MAX_TASK_BODY),
        "dueAt": None if due is None else timestamp(due.timestamp()),
        "assignee": None if assignee is None else _shown(assignee),
    }
    fields.refuse_faults()
    changed = {name: value for name, value in changes.items() if value is not None and value != before.get(name)}
    call.store.tasks[before["id"]] = before | changed
    _note_changes(call.store, before, changed)
    return no_content()


def _note_changes(store: Store, before: Entity, changed: Entity) -> None:
    if "status" in changed:
        note_task(store, "TASK/CLOSED" if changed["status"] == "CLOSED" else "TASK/REOPENED", before)
    if "body" in changed:
        note_task(store, "TASK/CONTENT_UPDATED", before)
    if "dueAt" in changed:
        note_task(store, "TASK/DUE_DATE_UPDATED", before, dueAt=changed["dueAt"])
    if "assignee" in changed:
        note_task(store, "TASK/ASSIGNEE_UPDATED", before, assignee=changed["assignee"])


def _existing_customer(call: Call) -> str:
    # What a merged id answers here is UNKNOWN: it is treated as any other that no customer has.
    customer_id = call.params["customerId"]
    if customer_id not in call.store.customers:
        raise call.not_found("customer")
    return customer_id


def _shown(assignee: Assignee) -> Entity:
    agent = {} if assignee.agent_id is None else {"agentId": assignee.agent_id}
    return {"inboxId": assignee.inbox_id, **agent}


TASK_OPERATIONS = (
    Operation("POST", _TASKS, "createTaskAndCustomer", _create_with_customer, (201, 400, 409)),
    Operation("POST", _OF_CUSTOMER, "createTask", _create, (201, 400, 404, 409)),
    Operation("GET", _OF_CUSTOMER, "getTasks", _of_customer, (200, 400, 404)),
    Operation("PATCH", _TASK, "updateTask", _update, (204, 400, 404)),
    Operation("GET", _TASK, "getTask", _get, (200, 404)),
)
