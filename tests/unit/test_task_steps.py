"""Tasks and comments, driven by hand: the rules that all objects with ids of ours share."""

from typing import Any

import pytest

from bulkgladly.messages import Repeat, Reply
from bulkgladly.records import Problem, Stage, Word
from tests.unit.stepping import (
    BROKEN,
    DONE,
    DUE,
    GONE,
    LOST,
    created,
    play,
    prepared,
    record_of,
    refusal,
    remembered,
    reply,
)

FIELDS = {"customerId": "ada", "inboxId": "general", "body": "Call back", "dueAt": DUE}
TAKEN = refusal(409, "taken", "newConversationItems")
TAKEN_400 = refusal(400, "taken", "id")
NOT_GLADLYS = [Reply(status, b"<html>a page</html>") for status in (302, 404, 408, 409, 413)]
CLAIMS = [Reply(200, b"<html>sign in</html>"), Reply(202), reply(200, {"errors": [{"code": "invalid"}]})]


def held(**fields: Any) -> Reply:
    """The task as Gladly shows it, with what it adds."""
    task = {
        "customerId": "ada",
        "timestamp": "2026-01-01T00:00:00Z",
        "assignee": {"inboxId": "general", "agentId": "bela"},
        "body": "Call back",
        "dueAt": "2099-01-31T09:00:00Z",
        "status": "OPEN",
    }
    return reply(200, {**task, **fields})


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_a_new_task_takes_one_request(mode: str) -> None:
    """A create under our id, below its customer."""
    record = record_of("tasks", FIELDS, mode)

    played = play("tasks", mode, record, [created()])

    assert played.calls == ["createTask"]
    assert played.requests[0].path == "/api/v1/customers/ada/tasks"
    assert played.requests[0].repeat is Repeat.DETECTED
    assert played.body() == {"id": record.id, "assignee": {"inboxId": "general"}, "body": "Call back", "dueAt": DUE}
    assert (played.outcome.word, played.outcome.gladly_id) == (Word.CREATED, record.id)
    assert played.outcome.accepted == record.fingerprints


def test_a_closed_task_is_closed_after_it_was_made() -> None:
    """If that fails, the reject says that the task was created."""
    record = record_of("tasks", {**FIELDS, "status": "CLOSED"})

    closed = play("tasks", "create", record, [created(), DONE])
    failed = play("tasks", "create", record, [created(), refusal(400, "invalid")])

    assert closed.calls == failed.calls == ["createTask", "updateTask"]
    assert closed.body() == {"status": "CLOSED"}
    assert closed.outcome.word is Word.CREATED
    assert (failed.outcome.word, failed.outcome.gladly_id) == (Word.REJECTED, record.id)
    assert "was created" in (failed.outcome.detail or "")


@pytest.mark.parametrize("taken", [TAKEN, TAKEN_400], ids=["409", "400"])
@pytest.mark.parametrize(("lost", "word"), [(0, Word.UNCHANGED), (1, Word.CREATED)])
def test_a_taken_id_with_equal_content(taken: Reply, lost: int, word: Word) -> None:
    """It counts as created if an attempt of ours was lost, and as unchanged otherwise."""
    record = record_of("tasks", FIELDS)

    played = play("tasks", "create", record, [taken._replace(lost=lost), held()])

    assert played.calls == ["createTask", "getTask"]
    assert played.outcome.word is word


def test_a_taken_id_with_other_content() -> None:
    """A reject in a create, which names the fields and no values; an update in an upsert."""
    record = record_of("tasks", FIELDS)

    refused = play("tasks", "create", record, [TAKEN, held(body="Secret")])
    updated = play("tasks", "upsert", record, [TAKEN, held(body="Secret"), DONE])

    assert (refused.outcome.code, refused.outcome.stage) == ("taken", Stage.CONFLICT)
    assert "body" in (refused.outcome.detail or "")
    assert "Secret" not in (refused.outcome.detail or "")
    assert (updated.body(), updated.outcome.word) == ({"body": "Call back"}, Word.UPDATED)


def test_what_is_left_of_a_lost_create_is_finished() -> None:
    """The task exists but is open: closing it is part of creating it."""
    record = record_of("tasks", {**FIELDS, "status": "CLOSED"}, doubt=True)

    played = play("tasks", "create", record, [held(), DONE])

    assert played.calls == ["getTask", "updateTask"]
    assert played.outcome.word is Word.CREATED


def test_an_id_that_is_taken_and_not_shown_may_be_our_own() -> None:
    """After a lost attempt it is unknown whose it is; otherwise it is not ours."""
    record = record_of("tasks", FIELDS)

    lost = play("tasks", "create", record, [TAKEN._replace(lost=1), GONE])
    other = play("tasks", "create", record, [TAKEN, GONE])

    assert (lost.outcome.word, other.outcome.word) == (Word.UNKNOWN, Word.REJECTED)


@pytest.mark.parametrize("unclear", [LOST, BROKEN, *NOT_GLADLYS])
def test_an_unclear_create_is_settled_by_asking(unclear: Reply) -> None:
    """Found means created, not found a reject, no response unknown."""
    record = record_of("tasks", FIELDS)

    made = play("tasks", "upsert", record, [unclear, held()])
    not_made = play("tasks", "upsert", record, [unclear, GONE])
    nobody_knows = play("tasks", "upsert", record, [unclear, LOST])

    assert made.calls == not_made.calls == nobody_knows.calls == ["createTask", "getTask"]
    assert (made.outcome.word, not_made.outcome.word) == (Word.CREATED, Word.REJECTED)
    assert nobody_knows.outcome.word is Word.UNKNOWN


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_task_that_somebody_claims_was_made_is_looked_at(claim: Reply) -> None:
    """Found means created. Not found means unknown, and it is not sent again automatically."""
    made = play("tasks", "create", record_of("tasks", FIELDS), [claim, held()])
    not_there = play("tasks", "create", record_of("tasks", FIELDS), [claim, GONE])

    assert made.calls == not_there.calls == ["createTask", "getTask"]
    assert (made.outcome.word, not_there.outcome.word) == (Word.CREATED, Word.UNKNOWN)
    assert "check in Gladly" in (not_there.outcome.detail or "")


def test_doubt_is_settled_by_asking_first() -> None:
    """An earlier process may have sent the create."""
    record = record_of("tasks", FIELDS, doubt=True)

    there = play("tasks", "upsert", record, [held()])
    not_there = play("tasks", "upsert", record, [GONE, created()])
    nobody_knows = play("tasks", "upsert", record, [BROKEN])

    assert (there.calls, there.outcome.word) == (["getTask"], Word.CREATED)
    assert (not_there.calls, not_there.outcome.word) == (["getTask", "createTask"], Word.CREATED)
    assert nobody_knows.outcome.word is Word.UNKNOWN


def test_a_merge_is_followed_and_no_further_than_five_times() -> None:
    """By the 301 if there is one, else by reading the profile."""
    moved = refusal(301, "moved", "customer id", old="ada", new="bela")

    named = play("tasks", "create", record_of("tasks", FIELDS), [moved, created()])
    asked = play("tasks", "create", record_of("tasks", FIELDS), [GONE, moved, created()])
    ever_on = [refusal(301, "moved", "customer id", old="ada", new=f"c-{turn}") for turn in range(6)]
    endless = play("tasks", "create", record_of("tasks", FIELDS), ever_on)

    assert named.calls == ["createTask", "createTask"]
    assert named.requests[1].path == "/api/v1/customers/bela/tasks"
    assert asked.calls == ["createTask", "getCustomer", "createTask"]
    assert (named.outcome.word, asked.outcome.word) == (Word.CREATED, Word.CREATED)
    assert (endless.outcome.word, endless.outcome.status) == (Word.REJECTED, 301)


def test_a_customer_that_is_not_there_is_a_reject() -> None:
    """The parent is named."""
    played = play("tasks", "create", record_of("tasks", FIELDS), [GONE, GONE])

    assert (played.outcome.code, played.outcome.attr, played.outcome.status) == ("not_exist", "customerId", 404)


def test_a_path_without_a_parent_that_is_not_there_is_a_reject() -> None:
    """With Gladly's own words. The client has checked that the organisation exists."""
    fields = {**FIELDS, "customerEmail": "Ada@example.org"}
    del fields["customerId"]
    record = record_of("tasks", fields)

    played = play("tasks", "create", record, [GONE])

    assert played.calls == ["createTaskAndCustomer"]
    assert played.body(0)["customer"] == {"emailAddress": "Ada@example.org"}
    assert (played.outcome.word, played.outcome.code, played.outcome.status) == (Word.REJECTED, "not_exist", 404)


def test_a_known_task_takes_one_request_for_what_has_changed() -> None:
    """No request if nothing has; and never its customer, which no update can change."""
    record = record_of("tasks", FIELDS, "upsert")
    record = record._replace(known=remembered(record, body="Old", customerId="before-the-merge"))
    same = record_of("tasks", FIELDS, "upsert")
    same = same._replace(known=remembered(same, customerId="before-the-merge"))

    changed = play("tasks", "upsert", record, [DONE])

    assert (changed.body(), changed.requests[0].path) == ({"body": "Call back"}, "/api/v1/tasks/held")
    assert changed.outcome.word is Word.UPDATED
    assert play("tasks", "upsert", same, []).outcome.word is Word.UNCHANGED


def test_a_known_task_that_is_gone_is_not_made_again() -> None:
    """Somebody has deleted it since."""
    record = record_of("tasks", FIELDS, "upsert")
    record = record._replace(known=remembered(record, body="Old"))

    assert play("tasks", "upsert", record, [GONE]).outcome.code == "deleted_since"


@pytest.mark.parametrize(
    ("after", "word"),
    [(held(), Word.UPDATED), (held(body="Old"), Word.REJECTED), (GONE, Word.REJECTED), (LOST, Word.UNKNOWN)],
)
def test_an_unclear_update_is_settled_by_asking(after: Reply, word: Word) -> None:
    """The task has the change, lacks it, does not exist, or cannot be read."""
    record = record_of("tasks", FIELDS, "upsert")
    record = record._replace(known=remembered(record, body="Old"))

    played = play("tasks", "upsert", record, [BROKEN, after])

    assert played.calls == ["updateTask", "getTask"]
    assert played.outcome.word is word


def test_an_update_reads_and_writes_what_differs() -> None:
    """Equal content costs only the read; a response that is not Gladly's is a reject."""
    record = record_of("tasks", {"id": "held", "agentId": "cleo", "inboxId": "general"}, "update")

    played = play("tasks", "update", record, [held(), DONE])
    equal = play("tasks", "update", record, [held(assignee={"inboxId": "general", "agentId": "cleo"})])
    gone = play("tasks", "update", record, [GONE])
    unread = play("tasks", "update", record, [reply(200, [])])
    other = play("tasks", "update", record, [held(id="somebody-elses")])
    page = play("tasks", "update", record, [Reply(404, b"<html>not found</html>")])

    assert played.body() == {"assignee": {"inboxId": "general", "agentId": "cleo"}}
    assert [one.outcome.word for one in (played, equal)] == [Word.UPDATED, Word.UNCHANGED]
    assert [one.outcome.code for one in (gone, unread, other, page)] == ["not_exist", *["unreadable"] * 3]


def test_a_past_date_is_refused_where_a_task_would_be_made() -> None:
    """Without a request in a create; an upsert looks whether the task exists first."""
    past = {**FIELDS, "dueAt": "2020-01-01T00:00:00Z"}
    record = record_of("tasks", past, "upsert")

    found = prepared("tasks", past, "create")
    gone = play("tasks", "upsert", record, [GONE])
    there = play("tasks", "upsert", record, [held(dueAt="2020-01-01T00:00:00Z")])

    assert isinstance(found, Problem)
    assert (found.code, gone.outcome.code) == ("due_in_past", "due_in_past")
    assert gone.calls == there.calls == ["getTask"]
    assert there.outcome.word is Word.UNCHANGED


@pytest.mark.parametrize(
    ("change", "code", "attr"),
    [
        ({"customerId": ""}, "customer", "customerId"),
        ({"customerEmail": "ada@example.org"}, "customer", "customerId"),
        ({"customerId": "", "customerEmail": "nobody"}, "invalid_email", "emails[0]"),
        ({"customerId": "", "customerMobile": "020 7946 0018"}, "phone_region", "phones[0]"),
        ({"customerKey": "7"}, "given_twice", "customerKey"),
        ({"inboxId": ""}, "blank", "inboxId"),
        ({"inbox": "General"}, "given_twice", "inboxId"),
        ({"assignee": {"agentId": "x"}}, "given_twice", "assignee"),
        ({"inboxId": "", "agentId": "x"}, "blank", "inboxId"),
        ({"body": ""}, "blank", "body"),
        ({"body": "x" * 10_001}, "too_long", "body"),
        ({"dueAt": "tomorrow"}, "invalid_time", "dueAt"),
        ({"dueAt": "2099-01-31T09:00:00"}, "invalid_time", "dueAt"),
        ({"status": "WAITING"}, "invalid_choice", "status"),
        ({"id": "a b"}, "id", "id"),
        ({"id": "x" * 51}, "id", "id"),
    ],
)
def test_a_row_that_cannot_be_sent(change: dict[str, Any], code: str, attr: str) -> None:
    """Named with the field at fault, before anything is sent."""
    found = prepared("tasks", {**FIELDS, **change})

    assert isinstance(found, Problem), found
    assert (found.code, found.attr) == (code, attr)


COMMENT = {"taskId": "held", "agentId": "bela", "comment": "Done"}


def test_a_comment_is_made_below_its_task() -> None:
    """Its text is in the field that the document defines and returns."""
    record = record_of("task-comments", COMMENT)

    played = play("task-comments", "create", record, [created()])
    closed = play("task-comments", "create", record, [refusal(400, "invalid_state")])
    gone = play("task-comments", "create", record, [GONE])

    assert played.requests[0].path == "/api/v1/tasks/held/comments"
    assert played.body() == {"id": record.id, "agentId": "bela", "comment": "Done"}
    assert (closed.outcome.code, gone.outcome.attr) == ("invalid_state", "taskId")
    assert "reopen" in (closed.outcome.detail or "")


def test_a_comment_that_exists_cannot_be_changed() -> None:
    """Equal is unchanged, different a reject that says so."""
    record = record_of("task-comments", COMMENT)
    other = {"id": record.id, "taskId": "held", "agentId": "bela", "comment": "Other"}

    equal = play("task-comments", "create", record, [TAKEN_400, reply(200, {**other, "comment": "Done"})])
    different = play("task-comments", "create", record, [TAKEN_400, reply(200, other)])

    assert equal.outcome.word is Word.UNCHANGED
    assert (different.outcome.code, "cannot be changed" in (different.outcome.detail or "")) == ("taken", True)
