"""Comments on tasks. Facts: gladly-api, endpoints 27 to 29, schemas 5."""

import orjson

from bulkgladly.messages import Repeat, Request
from bulkgladly.records import Mode
from bulkgladly.resources.compare import lacking
from bulkgladly.resources.endpoints import Endpoint
from bulkgladly.resources.fields import ALWAYS, MAX_ID, Field, Kind, column_plan
from bulkgladly.resources.preparation import Preparation, segment
from bulkgladly.resources.spec import Record, ResourceSpec
from bulkgladly.resources.upserts import Upserts

__all__ = ("TASK_COMMENTS",)

_FIELDS = (
    Field("id", Kind.ID, most=MAX_ID, help="the id in Gladly; derived from the source key where it is missing"),
    Field("taskKey", into="taskId", key_of="tasks", required=ALWAYS, help="the task, by the source key of its import"),
    Field("taskId", Kind.ID, most=MAX_ID, help="the task, by its id"),
    Field("agent", into="agentId", names="agent", required=ALWAYS, help="who writes, by email address or name"),
    Field("agentId", Kind.ID, most=MAX_ID),
    Field("comment", required=ALWAYS, most=10_000),
)


def _path(record: Record) -> str:
    return f"/api/v1/tasks/{segment(record.payload['taskId'])}/comments"


def _create(record: Record) -> Request:
    # The document's list of required fields says `message`; the field it defines and returns is `comment`.
    body = {"id": record.id, "agentId": record.payload["agentId"], "comment": record.payload["comment"]}
    return Request("createTaskComment", "POST", _path(record), body=orjson.dumps(body), repeat=Repeat.DETECTED)


def _fetch(record: Record, gladly_id: str) -> Request:
    return Request("getTaskComment", "GET", f"{_path(record)}/{segment(gladly_id)}")


_STEPS = Upserts(
    Endpoint(
        object="task-comments",
        noun="comment",
        fetch=_fetch,
        differences=lambda held, payload: lacking(held, payload, ("taskId", "agentId", "comment")),
        create=_create,
        parent=lambda _: "task",
        states={"invalid_state": "a closed task takes no comments: reopen it, or leave the row out"},
    )
)

TASK_COMMENTS = ResourceSpec(
    name="task-comments",
    columns=column_plan(_FIELDS, read_only=("createdAt",)),
    prepare=Preparation("task-comments", _FIELDS),
    procedures={Mode.CREATE: _STEPS.steps},
    requests_per_record={Mode.CREATE: (1, 2)},
    operations=("createTaskComment", "getTaskComment"),
    fields=_FIELDS,
    fetch=_fetch,
    lanes=("taskId",),
    id_rule="our id, at most 50 characters",
    not_kept=("when it was written: now",),
)
