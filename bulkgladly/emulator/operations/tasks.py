"""Tasks of customers, and the comments on them.

Facts: endpoints.md, rows 22 to 29, and schemas.md, section 5, of the fact sheet.
"""

from typing import Any, NamedTuple

from bulkgladly.emulator.operations.conversations import Assignee, read_assignee
from bulkgladly.emulator.operations.customer_profiles import checked_id
from bulkgladly.emulator.operations.customers import read_recipient
from bulkgladly.emulator.operations.timeline import chosen_timeline_id
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.event_log import API_USER
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.lists import capped_list
from bulkgladly.emulator.protocol.replies import Reply, created, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = (
    "MAX_COMMENT",
    "MAX_TASK_BODY",
    "TASK_COMMENT_OPERATIONS",
    "TASK_OPERATIONS",
    "TASK_STATUSES",
    "TaskDraft",
    "existing_task",
    "log_task_event",
    "read_task",
    "store_task",
)


MAX_TASK_BODY = 10_000
TASK_STATUSES = ("OPEN", "CLOSED")

_TASKS = "/api/v1/tasks"
_TASK = f"{_TASKS}/{{taskId}}"
_OF_CUSTOMER = "/api/v1/customers/{customerId}/tasks"

MAX_COMMENT = 10_000

_COMMENTS = "/api/v1/tasks/{taskId}/comments"


class TaskDraft(NamedTuple):
    """The fields of a new task."""

    assignee: Entity
    body: str
    due_at: str


def read_task(fields: Fields, store: Store) -> TaskDraft:
    """Return the new task of a request body. It must be due in the future.

    Faults are added to `fields`; do not use the result then.
    """
    assignee = read_assignee(fields, store, required=True)
    body = fields.text("body", required=True, max_length=MAX_TASK_BODY)
    due = fields.moment("dueAt", required=True)
    if due is not None and due <= store.jobs.now():
        fields.fault("dueAt", "invalid", "dueAt must be in the future")
    return TaskDraft(
        {} if assignee is None else _shown(assignee), body or "", "" if due is None else timestamp(due.timestamp())
    )


def store_task(store: Store, task_id: str, customer_id: str, draft: TaskDraft) -> Entity:
    """Add a new task to the store, created now by the API user."""
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
    log_task_event(store, "TASK/CREATED", task)
    return task


def existing_task(call: Call) -> Entity:
    """Return the task in the path.

    Raises:
        Refusal: 404, because there is no such task.
    """
    task = call.store.tasks.get(call.params["taskId"])
    if task is None:
        raise call.not_found("task")
    return task


def log_task_event(store: Store, type: str, before: Entity, **content: Any) -> None:  # noqa: A002
    """Add an event of a task to the log; its context is the task as it was before."""
    context = {"createdAt": before["timestamp"], "assignee": before.get("assignee"), "dueAt": before.get("dueAt")}
    context = {name: value for name, value in context.items() if value is not None}
    ids = {"customerId": before["customerId"], "taskId": before["id"]}
    store.event_log.add(type, {**ids, **content, "context": context}, API_USER)


def _create_with_customer(call: Call) -> Reply:
    payload = call.json_object()
    fields = Fields(payload)
    recipient = read_recipient(fields, call.store)
    draft = read_task(fields, call.store)
    fields.refuse_faults()
    task_id = chosen_timeline_id(call.store, payload, conflict=409 if call.options.undocumented_409 else 400)
    store_task(call.store, task_id, recipient.found_or_created(call.store), draft)
    return created(f"{_TASKS}/{task_id}")


def _create(call: Call) -> Reply:
    customer_id = _existing_customer(call)
    payload = call.json_object()
    fields = Fields(payload)
    draft = read_task(fields, call.store)
    fields.refuse_faults()
    task_id = chosen_timeline_id(call.store, payload)
    store_task(call.store, task_id, customer_id, draft)
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
    # Only new tasks must be due in the future.
    due = fields.moment("dueAt")
    changes: Entity = {
        "status": fields.choice("status", TASK_STATUSES),
        "body": fields.text("body", max_length=MAX_TASK_BODY),
        "dueAt": None if due is None else timestamp(due.timestamp()),
        "assignee": None if assignee is None else _shown(assignee),
    }
    fields.refuse_faults()
    changed = {name: value for name, value in changes.items() if value is not None and value != before.get(name)}
    call.store.tasks[before["id"]] = before | changed
    _log_changes(call.store, before, changed)
    return no_content()


def _log_changes(store: Store, before: Entity, changed: Entity) -> None:
    if "status" in changed:
        log_task_event(store, "TASK/CLOSED" if changed["status"] == "CLOSED" else "TASK/REOPENED", before)
    if "body" in changed:
        log_task_event(store, "TASK/CONTENT_UPDATED", before)
    if "dueAt" in changed:
        log_task_event(store, "TASK/DUE_DATE_UPDATED", before, dueAt=changed["dueAt"])
    if "assignee" in changed:
        log_task_event(store, "TASK/ASSIGNEE_UPDATED", before, assignee=changed["assignee"])


def _existing_customer(call: Call) -> str:
    # The reply for a merged id is UNKNOWN; here it is the same as for an unknown id.
    customer_id = call.params["customerId"]
    if customer_id not in call.store.customers:
        raise call.not_found("customer")
    return customer_id


def _shown(assignee: Assignee) -> Entity:
    agent = {} if assignee.agent_id is None else {"agentId": assignee.agent_id}
    return {"inboxId": assignee.inbox_id, **agent}


def _create_comment(call: Call) -> Reply:
    task = existing_task(call)
    payload = call.json_object()
    fields = Fields(payload)
    agent_id = fields.text("agentId", required=True)
    if agent_id is not None and agent_id not in call.store.collections["agents"]:
        fields.fault("agentId", "not_exist", "no agent has this id")
    # The document calls the field `comment`, but `message` in its list of required fields.
    name = "message" if call.options.other_spellings and "comment" not in fields else "comment"
    comment = fields.text(name, required=True, max_length=MAX_COMMENT)
    fields.refuse_faults()
    comment_id = _free_comment_id(call, payload.get("id"))
    if task["status"] == "CLOSED":
        raise refuse(400, problem("invalid_state", "a closed task cannot get comments", attr="status"))
    kept = {"id": comment_id, "agentId": agent_id, "comment": comment, "taskId": task["id"]}
    call.store.task_comments[comment_id] = kept | {"createdAt": call.store.now()}
    log_task_event(call.store, "TASK/COMMENT_ADDED", task, commentId=comment_id)
    return created(f"{_COMMENTS.replace('{taskId}', task['id'])}/{comment_id}")


def _list_comments(call: Call) -> Reply:
    comments = call.store.task_comments.of("taskId", existing_task(call)["id"])
    return capped_list(call, "getTaskComments", comments, by="createdAt")


def _get_comment(call: Call) -> Reply:
    task = existing_task(call)
    comment = call.store.task_comments.get(call.params["commentId"])
    if comment is None or comment["taskId"] != task["id"]:
        raise call.not_found("comment")
    return json_reply(comment)


def _free_comment_id(call: Call, chosen: object) -> str:
    if chosen is None:
        return call.store.new_id("task_comments")
    comment_id = checked_id(chosen)
    if call.store.is_id_taken("task_comments", comment_id):
        status = 409 if call.options.undocumented_409 else 400
        raise refuse(status, problem("taken", "a comment with this id already exists", attr="id"))
    return comment_id


TASK_OPERATIONS = (
    Operation("POST", _TASKS, "createTaskAndCustomer", _create_with_customer, (201, 400, 409)),
    Operation("POST", _OF_CUSTOMER, "createTask", _create, (201, 400, 404, 409)),
    Operation("GET", _OF_CUSTOMER, "getTasks", _of_customer, (200, 400, 404)),
    Operation("PATCH", _TASK, "updateTask", _update, (204, 400, 404)),
    Operation("GET", _TASK, "getTask", _get, (200, 404)),
)

TASK_COMMENT_OPERATIONS = (
    Operation("POST", _COMMENTS, "createTaskComment", _create_comment, (201, 400, 404, 409)),
    Operation("GET", _COMMENTS, "getTaskComments", _list_comments, (200, 404)),
    Operation("GET", f"{_COMMENTS}/{{commentId}}", "getTaskComment", _get_comment, (200, 404)),
)
