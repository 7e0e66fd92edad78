"""Comments on tasks.

Facts: endpoints.md, rows 27 to 29, and schemas.md, section 5, of the fact sheet.
"""

from bulkgladly.emulator.operations.customer_profiles import checked_id
from bulkgladly.emulator.operations.tasks import existing_task, note_task
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.lists import capped_list
from bulkgladly.emulator.protocol.replies import Reply, created, json_reply, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("MAX_COMMENT", "TASK_COMMENT_OPERATIONS")

MAX_COMMENT = 10_000

_COMMENTS = "/api/v1/tasks/{taskId}/comments"


def _create(call: Call) -> Reply:
    task = existing_task(call)
    payload = call.json_object()
    fields = Fields(payload)
    agent_id = fields.text("agentId", required=True)
    if agent_id is not None and agent_id not in call.store.collections["agents"]:
        fields.fault("agentId", "not_exist", "no agent has this id")
    # The document calls the field `comment`, and `message` in the list of what is required.
    name = "message" if call.options.other_spellings and "comment" not in fields else "comment"
    comment = fields.text(name, required=True, most=MAX_COMMENT)
    fields.refuse_faults()
    comment_id = _free_id(call, payload.get("id"))
    if task["status"] == "CLOSED":
        raise refuse(400, problem("invalid_state", "a closed task takes no comments", attr="status"))
    kept = {"id": comment_id, "agentId": agent_id, "comment": comment, "taskId": task["id"]}
    call.store.task_comments[comment_id] = kept | {"createdAt": call.store.now()}
    note_task(call.store, "TASK/COMMENT_ADDED", task, commentId=comment_id)
    return created(f"{_COMMENTS.replace('{taskId}', task['id'])}/{comment_id}")


def _list(call: Call) -> Reply:
    comments = call.store.task_comments.of("taskId", existing_task(call)["id"])
    return capped_list(call, "getTaskComments", comments, by="createdAt")


def _get(call: Call) -> Reply:
    task = existing_task(call)
    comment = call.store.task_comments.get(call.params["commentId"])
    if comment is None or comment["taskId"] != task["id"]:
        raise call.not_found("comment")
    return json_reply(comment)


def _free_id(call: Call, chosen: object) -> str:
    if chosen is None:
        return call.store.new_id("task_comments")
    comment_id = checked_id(chosen)
    if call.store.has_had("task_comments", comment_id):
        status = 409 if call.options.undocumented_409 else 400
        raise refuse(status, problem("taken", "a comment with this id is already there", attr="id"))
    return comment_id


TASK_COMMENT_OPERATIONS = (
    Operation("POST", _COMMENTS, "createTaskComment", _create, (201, 400, 404, 409)),
    Operation("GET", _COMMENTS, "getTaskComments", _list, (200, 404)),
    Operation("GET", f"{_COMMENTS}/{{commentId}}", "getTaskComment", _get, (200, 404)),
)
