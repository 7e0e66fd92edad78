"""Tasks and their comments. Facts: gladly-api, endpoints 22 to 29, schemas 5."""

from collections.abc import Mapping
from typing import Any

import orjson

from bulkgladly.gladly.baseline_plan import BaselinePlan, BaselineSource
from bulkgladly.gladly.change import Held, lacking
from bulkgladly.gladly.data_sets import ASKED_ID, MOMENT, TEXT, DataColumn, DataSetPlan, texts_of
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.exports import IDS_OF_CUSTOMERS, IdColumn, LiveExport, Parent
from bulkgladly.gladly.fields import ALWAYS, MAKING, MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.preparation import CUSTOMER_FIELDS, Preparation, for_customer, segment
from bulkgladly.gladly.rules import assignee_has_inbox, due_in_future, due_only_if_known, is_assigned, keeps_its_tags
from bulkgladly.gladly.spec import GladlyObject, ImportSpec, Policy, Record, Screening
from bulkgladly.gladly.upserts import Upserts
from bulkgladly.messages import Repeat, Request
from bulkgladly.records import Mode, Problem
from bulkgladly.times import time_of

__all__ = ("ASSIGNEE_FIELDS", "OBJECT", "TASKS", "TASK_COMMENTS")

# --- Tasks, written ---

ASSIGNEE_FIELDS = (
    Field("inbox", into="assignee.inboxId", names="inbox", help="the inbox, by name"),
    Field("inboxId", Kind.ID, most=MAX_ID, into="assignee.inboxId"),
    Field("agent", into="assignee.agentId", names="agent", help="the agent, by email address or name"),
    Field("agentId", Kind.ID, most=MAX_ID, into="assignee.agentId"),
    Field("assignee", Kind.OBJECT, help="the same as an object with inboxId and agentId"),
)
"""The ways to name an assignee."""

_FIELDS = (
    Field("id", Kind.ID, most=MAX_ID, help="the id in Gladly; derived from the source key if it is missing"),
    *CUSTOMER_FIELDS,
    *ASSIGNEE_FIELDS,
    Field("body", required=MAKING, most=10_000, help="what is to be done; plain or rich text"),
    Field("dueAt", Kind.MOMENT, required=MAKING, help="when it is due; in the future for a new task"),
    Field("status", Kind.CHOICE, choices=("OPEN", "CLOSED"), help="a new task is closed by a second request"),
)
_CHANGEABLE = ("assignee", "body", "dueAt", "status")
_RULES = (is_assigned, assignee_has_inbox, due_in_future)


def _create(record: Record) -> Request:
    payload = record.payload
    body = {"id": record.id, "customer": payload.get("customer")}
    # A create cannot set the status: a closed task is closed by a second request (`_completing`).
    body |= {name: payload[name] for name in ("assignee", "body", "dueAt") if name in payload}
    content = orjson.dumps({name: value for name, value in body.items() if value is not None})
    if "customerId" in payload:
        path = f"/api/v1/customers/{segment(payload['customerId'])}/tasks"
        return Request("createTask", "POST", path, body=content, repeat=Repeat.DETECTED)
    # By address: Gladly finds the customer, or creates one.
    return Request("createTaskAndCustomer", "POST", "/api/v1/tasks", body=content, repeat=Repeat.DETECTED)


def _fetch(_record: Record, gladly_id: str) -> Request:
    return Request("getTask", "GET", f"/api/v1/tasks/{segment(gladly_id)}")


def _change(_record: Record, gladly_id: str, changes: Mapping[str, Any]) -> Request:
    return Request("updateTask", "PATCH", f"/api/v1/tasks/{segment(gladly_id)}", body=orjson.dumps(changes))


def _completing(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "CLOSED"} if payload.get("status") == "CLOSED" else {}


def _may_create(record: Record, policy: Policy) -> Problem | None:
    # Only a new task needs a date in the future, so an upsert looks first whether the task exists.
    due = time_of(record.payload.get("dueAt"))
    if policy.now is None or due is None or due > policy.now:
        return None
    detail = "dueAt has passed, and the task does not exist yet; Gladly accepts new ones only with a date in the future"
    return Problem("due_in_past", detail, "dueAt")


def _differences(held: Held, payload: Held) -> dict[str, Any]:
    return lacking(held, payload, _CHANGEABLE)


_STEPS = Upserts(
    Endpoint(
        object="tasks",
        noun="task",
        fetch=_fetch,
        differences=_differences,
        create=_create,
        change=_change,
        # A task cannot be moved to another customer.
        fixed=("customerId", "customer"),
        owner="customerId",
        parent=lambda record: "customer" if "customerId" in record.payload else None,
        completing=_completing,
        may_create=_may_create,
    )
)

TASKS = ImportSpec(
    name="tasks",
    columns=column_plan(_FIELDS, read_only=("timestamp", "createdBy")),
    prepare=Preparation("tasks", _FIELDS, rules=_RULES, clean=for_customer),
    procedures={Mode.CREATE: _STEPS.procedure, Mode.UPDATE: _STEPS.procedure, Mode.UPSERT: _STEPS.procedure},
    requests_per_record={Mode.CREATE: (1, 2), Mode.UPDATE: (1, 2), Mode.UPSERT: (1, 3)},
    operations=("createTask", "createTaskAndCustomer", "getTask", "updateTask", "getCustomer"),
    fields=_FIELDS,
    fetch=_fetch,
    rules=_RULES,
    warnings=(keeps_its_tags("body"), due_only_if_known),
    baseline=BaselinePlan(
        (BaselineSource("tasks"),), frozenset(_CHANGEABLE), _differences, fixed=frozenset(("customerId", "customer"))
    ),
    id_rule="our id, at most 50 characters",
    not_kept=("when the task was created, and by whom", "a due date in the past"),
    screening=Screening.FIELDS,
)

# --- Comments, written ---

_COMMENT_FIELDS = (
    Field("id", Kind.ID, most=MAX_ID, help="the id in Gladly; derived from the source key if it is missing"),
    Field("taskKey", into="taskId", key_of="tasks", required=ALWAYS, help="the task, by the source key of its import"),
    Field("taskId", Kind.ID, most=MAX_ID, help="the task, by its id"),
    Field("agent", into="agentId", names="agent", required=ALWAYS, help="the author, by email address or name"),
    Field("agentId", Kind.ID, most=MAX_ID),
    Field("comment", required=ALWAYS, most=10_000),
)


def _comments_path(record: Record) -> str:
    return f"/api/v1/tasks/{segment(record.payload['taskId'])}/comments"


def _comment(record: Record) -> Request:
    # The document requires a field `message`, but the one that it defines and returns is `comment`.
    body = {"id": record.id, "agentId": record.payload["agentId"], "comment": record.payload["comment"]}
    return Request("createTaskComment", "POST", _comments_path(record), body=orjson.dumps(body), repeat=Repeat.DETECTED)


def _fetch_comment(record: Record, gladly_id: str) -> Request:
    return Request("getTaskComment", "GET", f"{_comments_path(record)}/{segment(gladly_id)}")


_COMMENT_STEPS = Upserts(
    Endpoint(
        object="task-comments",
        noun="comment",
        fetch=_fetch_comment,
        differences=lambda held, payload: lacking(held, payload, ("taskId", "agentId", "comment")),
        create=_comment,
        parent=lambda _: "task",
        states={"invalid_state": "a closed task cannot get comments: reopen it, or leave the row out"},
    )
)

TASK_COMMENTS = ImportSpec(
    name="task-comments",
    columns=column_plan(_COMMENT_FIELDS, read_only=("createdAt",)),
    prepare=Preparation("task-comments", _COMMENT_FIELDS),
    procedures={Mode.CREATE: _COMMENT_STEPS.procedure},
    requests_per_record={Mode.CREATE: (1, 2)},
    operations=("createTaskComment", "getTaskComment"),
    fields=_COMMENT_FIELDS,
    fetch=_fetch_comment,
    lanes=("taskId",),
    id_rule="our id, at most 50 characters",
    not_kept=("when it was written: Gladly has now",),
    screening=Screening.FIELDS,
)

# --- Both, read ---

_TASK_COLUMNS = (
    DataColumn("id", TEXT, "The id of the task."),
    DataColumn("timestamp", MOMENT, "When the task was created."),
    DataColumn("customerId", TEXT, "The customer the task is about."),
    DataColumn(
        "createdBy", texts_of("id", "type"), "Who created the task: an id, and its type (an agent, the API, ...)."
    ),
    DataColumn("assignee", texts_of("inboxId", "agentId"), "The inbox and the agent that the task is assigned to."),
    DataColumn("status", TEXT, "OPEN or CLOSED."),
    DataColumn("body", TEXT, "What is to be done, as rich text."),
    DataColumn("dueAt", MOMENT, "When it is due."),
    ASKED_ID,
)
_COMMENT_COLUMNS = (
    DataColumn("id", TEXT, "The id of the comment."),
    DataColumn("taskId", TEXT, "The task it belongs to."),
    DataColumn("agentId", TEXT, "The agent who wrote it."),
    DataColumn("comment", TEXT, "Its text."),
    DataColumn("createdAt", MOMENT, "When it was written."),
    ASKED_ID,
)
_FROM_EVENTS = IdColumn("events", "taskId", "timestamp")

OBJECT = GladlyObject(
    writes=(TASKS, TASK_COMMENTS),
    reads=(
        LiveExport(
            "tasks",
            "getTasks",
            "/api/v1/customers/{customerId}/tasks",
            "tasks",
            Parent.CUSTOMER,
            cap=2000,
            order="timestamp, newest first",
            tells_of_cut=True,
            ids_from=(*IDS_OF_CUSTOMERS, IdColumn("profiles", "id")),
        ),
        LiveExport(
            "task", "getTask", "/api/v1/tasks/{taskId}", "tasks", Parent.TASK, is_list=False, ids_from=(_FROM_EVENTS,)
        ),
        LiveExport(
            "task-comments",
            "getTaskComments",
            "/api/v1/tasks/{taskId}/comments",
            "task-comments",
            Parent.TASK,
            cap=1000,
            order="createdAt",
            tells_of_cut=True,
            ids_from=(IdColumn("tasks", "id"), _FROM_EVENTS),
        ),
    ),
    data_sets=(DataSetPlan("tasks", _TASK_COLUMNS), DataSetPlan("task-comments", _COMMENT_COLUMNS)),
)
