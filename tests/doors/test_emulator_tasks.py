"""The emulator's tasks and their comments."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import Clock, Emulator
from tests.doors.emulator_client import problems_of, replied
from tests.signing import basic_auth

TASKS = "/api/v1/tasks"
OF_CUSTOMER = "/api/v1/customers/c-1/tasks"
NOW = Clock(wall=lambda: 1_704_164_645.678)
DRAFT = {"assignee": {"inboxId": "inbox-1"}, "body": "Call back", "dueAt": "2024-01-02T03:04:05.679Z"}


@asynccontextmanager
async def started(**changes: Any) -> AsyncIterator[tuple[Emulator, aiohttp.ClientSession]]:
    """An emulator without a limit, with one customer, and a session that knows the credentials."""
    async with Emulator(rate=None, clock=NOW, **changes) as emulator:
        emulator.add_customer(id="c-1", emails=[{"original": "ada@example.org"}])
        credentials = basic_auth(emulator.options.username, emulator.options.token)
        async with aiohttp.ClientSession(emulator.url, headers={"Authorization": credentials}) as client:
            yield emulator, client


async def test_task_answers_201_with_a_relative_location() -> None:
    """And is read back as an open one of the API user; nobody means no agent."""
    async with started() as (emulator, client):
        payload = DRAFT | {"id": "t-1", "assignee": {"inboxId": "inbox-1", "agentId": None}}
        async with client.post(OF_CUSTOMER, json=payload) as response:
            assert (response.status, await response.read()) == (201, b"")
            assert response.headers["Location"] == f"{TASKS}/t-1"

        assert await replied(client, "GET", f"{TASKS}/t-1") == (
            200,
            {
                "id": "t-1",
                "customerId": "c-1",
                "timestamp": "2024-01-02T03:04:05.678Z",
                "createdBy": {"id": "example-api-user", "type": "API"},
                "assignee": {"inboxId": "inbox-1"},
                "body": "Call back",
                "dueAt": "2024-01-02T03:04:05.679Z",
                "status": "OPEN",
            },
        )
        noted = list(emulator.store.event_log)[-1]
        assert (noted.type, noted.content) == (
            "TASK/CREATED",
            {
                "customerId": "c-1",
                "taskId": "t-1",
                "context": {
                    "createdAt": "2024-01-02T03:04:05.678Z",
                    "assignee": {"inboxId": "inbox-1"},
                    "dueAt": "2024-01-02T03:04:05.679Z",
                },
            },
        )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"assignee": None, "body": None, "dueAt": None},
            [("assignee", "blank"), ("body", "blank"), ("dueAt", "blank")],
        ),
        ({"assignee": {"agentId": "agent-1"}}, [("assignee.inboxId", "blank")]),
        ({"assignee": {"inboxId": "none"}}, [("assignee.inboxId", "not_exist")]),
        ({"assignee": {"inboxId": "inbox-1", "agentId": "nobody"}}, [("assignee.agentId", "not_exist")]),
        ({"body": "x" * 10_001}, [("body", "too_long")]),
        ({"dueAt": "2024-01-02T03:04:05.678Z"}, [("dueAt", "invalid")]),
        ({"dueAt": "tomorrow"}, [("dueAt", "invalid")]),
        ({"id": "a b"}, [("id", "invalid")]),
    ],
)
@pytest.mark.parametrize("path", [TASKS, OF_CUSTOMER])
async def test_task_that_cannot_be_is_400(path: str, changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Every fault is named; neither a task nor a customer is made."""
    async with started() as (emulator, client):
        payload = DRAFT | {"customer": {"emailAddress": "new@example.org"}} | changes

        status, body = await replied(client, "POST", path, payload)

        assert (status, problems_of(body)) == (400, expected)
        assert [emulator.store.count(kind) for kind in ("tasks", "customers")] == [0, 1]


@pytest.mark.parametrize(
    ("customer", "customers"), [({"emailAddress": "ada@example.org"}, 1), ({"mobilePhone": "+16505550124"}, 2)]
)
async def test_task_finds_or_creates_its_customer(customer: dict[str, str], customers: int) -> None:
    """One address; the new customer has it."""
    async with started() as (emulator, client):
        for _ in range(2):
            assert (await replied(client, "POST", TASKS, DRAFT | {"customer": customer}))[0] == 201

        assert emulator.store.count("customers") == customers
        assert {task["customerId"] for task in emulator.store.tasks.values()} == {list(emulator.store.customers)[-1]}


@pytest.mark.parametrize(
    ("path", "documented", "expected"),
    [(OF_CUSTOMER, True, 409), (TASKS, True, 409), (OF_CUSTOMER, False, 409), (TASKS, False, 400)],
)
async def test_taken_task_id_is_refused(path: str, documented: bool, expected: int) -> None:
    """409 where it is documented; elsewhere the option decides. An item's id is taken as well."""
    async with started(undocumented_409=documented) as (emulator, client):
        emulator.add_task("c-1", id="t-1")
        emulator.add_item({"type": "SMS", "content": "Hi"}, customer_id="c-1", id="i-1")
        for identifier in ("t-1", "i-1"):
            payload = DRAFT | {"id": identifier, "customer": {"emailAddress": "new@example.org"}}

            status, body = await replied(client, "POST", path, payload)

            assert (status, problems_of(body)) == (expected, [("newConversationItems", "taken")])
        assert emulator.store.count("customers") == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/customers/nobody/tasks"),
        ("GET", "/api/v1/customers/nobody/tasks"),
        ("GET", f"{TASKS}/none"),
        ("PATCH", f"{TASKS}/none"),
        ("POST", f"{TASKS}/none/comments"),
        ("GET", f"{TASKS}/none/comments"),
        ("GET", f"{TASKS}/t-1/comments/none"),
        ("GET", f"{TASKS}/t-1/comments/of-t-2"),
    ],
)
async def test_what_is_not_there_is_404(method: str, path: str) -> None:
    """Also the comment of another task."""
    async with started() as (emulator, client):
        emulator.add_task("c-1", id="t-1")
        emulator.add_task("c-1", id="t-2")
        emulator.add_task_comment("t-2", id="of-t-2")

        status, body = await replied(client, method, path, {})

        assert (status, problems_of(body)) == (404, [(None, "not_exist")])


@pytest.mark.parametrize(
    ("query", "changes", "expected", "header"),
    [
        ("", {}, ["t-3", "t-2", "t-1"], None),
        ("?status=OPEN", {}, ["t-3", "t-1"], None),
        ("?status=CLOSED", {}, ["t-2"], None),
        ("", {"caps": {"getTasks": 2}}, ["t-3", "t-2"], "true"),
        ("", {"caps": {"getTasks": 2}, "capped_end": "newest"}, ["t-2", "t-1"], "true"),
        ("?status=OPEN", {"caps": {"getTasks": 2}}, ["t-3", "t-1"], None),
    ],
)
async def test_tasks_come_newest_first(
    query: str, changes: dict[str, Any], expected: list[str], header: str | None
) -> None:
    """All or those of a status; the cap counts those asked for."""
    async with started(**changes) as (emulator, client):
        for n, status in ((2, "CLOSED"), (1, "OPEN"), (3, "OPEN")):
            emulator.add_task("c-1", id=f"t-{n}", status=status, timestamp=f"2023-01-0{n}T00:00:00Z")

        async with client.get(OF_CUSTOMER + query) as response:
            assert [task["id"] for task in await response.json()] == expected
            assert response.headers.get("Gladly-Limited-Data") == header


@pytest.mark.parametrize("query", ["status=WAITING", "status=open", "status=OPEN&status=CLOSED"])
async def test_status_that_no_task_has_is_400(query: str) -> None:
    """It is named."""
    async with started() as (_, client):
        status, body = await replied(client, "GET", f"{OF_CUSTOMER}?{query}")

    assert (status, problems_of(body)) == (400, [("status", "invalid")])


@pytest.mark.parametrize(
    ("patch", "event"),
    [
        ({"status": "CLOSED"}, "TASK/CLOSED"),
        ({"body": "New"}, "TASK/CONTENT_UPDATED"),
        ({"dueAt": "2020-01-01T00:00:00.000Z"}, "TASK/DUE_DATE_UPDATED"),
        ({"assignee": {"inboxId": "inbox-2", "agentId": "agent-5"}}, "TASK/ASSIGNEE_UPDATED"),
    ],
)
async def test_update_changes_what_it_says_and_is_noted_once(patch: dict[str, Any], event: str) -> None:
    """A repeat is 204 as well and changes nothing; the event has what was before."""
    async with started() as (emulator, client):
        emulator.add_task("c-1", id="t-1")
        before = emulator.store.tasks["t-1"]

        for _ in range(2):
            assert await replied(client, "PATCH", f"{TASKS}/t-1", patch) == (204, None)

        assert emulator.store.tasks["t-1"] == before | patch
        noted = [each for each in emulator.store.event_log if each.type == event]
        assert [each.content["context"]["assignee"] for each in noted] == [before["assignee"]]


async def test_closed_task_can_be_opened_again() -> None:
    """OPEN reopens."""
    async with started() as (emulator, client):
        emulator.add_task("c-1", id="t-1", status="CLOSED")

        assert (await replied(client, "PATCH", f"{TASKS}/t-1", {"status": "OPEN"}))[0] == 204

        assert emulator.store.tasks["t-1"]["status"] == "OPEN"
        assert list(emulator.store.event_log)[-1].type == "TASK/REOPENED"


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"status": "DONE"}, ("status", "invalid")),
        ({"body": "x" * 10_001}, ("body", "too_long")),
        ({"dueAt": "soon"}, ("dueAt", "invalid")),
        ({"assignee": {}}, ("assignee.inboxId", "blank")),
    ],
)
async def test_update_that_cannot_be_is_400(patch: dict[str, Any], expected: tuple[str, str]) -> None:
    """Nothing changes."""
    async with started() as (emulator, client):
        emulator.add_task("c-1", id="t-1")
        before = emulator.store.tasks["t-1"]

        status, body = await replied(client, "PATCH", f"{TASKS}/t-1", patch)

        assert (status, problems_of(body)) == (400, [expected])
        assert emulator.store.tasks["t-1"] == before


async def test_comment_answers_201_and_can_be_read_back() -> None:
    """Alone at its `Location`, and in the list, oldest first."""
    async with started() as (emulator, client):
        emulator.add_task("c-1", id="t-1")
        emulator.add_task_comment("t-1", id="later", createdAt="2024-03-01T00:00:00Z")
        payload = {"id": "k-1", "agentId": "agent-1", "comment": "Done"}

        async with client.post(f"{TASKS}/t-1/comments", json=payload) as response:
            assert (response.status, await response.read()) == (201, b"")
            assert response.headers["Location"] == f"{TASKS}/t-1/comments/k-1"
        comment = payload | {"taskId": "t-1", "createdAt": "2024-01-02T03:04:05.678Z"}

        assert await replied(client, "GET", f"{TASKS}/t-1/comments/k-1") == (200, comment)
        _, listed = await replied(client, "GET", f"{TASKS}/t-1/comments")
        assert [entry["id"] for entry in listed] == ["k-1", "later"]
        noted = list(emulator.store.event_log)[-1]
        assert (noted.type, noted.content["commentId"]) == ("TASK/COMMENT_ADDED", "k-1")


async def test_comments_are_cut_at_their_cap() -> None:
    """With the header that says so."""
    async with started(caps={"getTaskComments": 1}) as (emulator, client):
        emulator.add_task("c-1", id="t-1")
        for n in (1, 2):
            emulator.add_task_comment("t-1", id=f"k-{n}", createdAt=f"2024-01-0{n}T00:00:00Z")

        async with client.get(f"{TASKS}/t-1/comments") as response:
            assert [comment["id"] for comment in await response.json()] == ["k-2"]
            assert response.headers["Gladly-Limited-Data"] == "true"


@pytest.mark.parametrize(("undocumented", "expected"), [(True, 409), (False, 400)])
async def test_taken_comment_id_is_refused(undocumented: bool, expected: int) -> None:
    """Which status says so is an option, as the document lists none."""
    async with started(undocumented_409=undocumented) as (emulator, client):
        emulator.add_task("c-1", id="t-1")
        payload = {"id": "k-1", "agentId": "agent-1", "comment": "Done"}
        await replied(client, "POST", f"{TASKS}/t-1/comments", payload)

        status, body = await replied(client, "POST", f"{TASKS}/t-1/comments", payload)

        assert (status, problems_of(body)) == (expected, [("id", "taken")])
        assert emulator.store.count("task_comments") == 1


@pytest.mark.parametrize(
    ("payload", "changes", "expected"),
    [
        ({}, {}, [("agentId", "blank"), ("comment", "blank")]),
        ({"agentId": "nobody", "comment": "x" * 10_001}, {}, [("agentId", "not_exist"), ("comment", "too_long")]),
        ({"agentId": "agent-1", "message": "Hi"}, {}, [("comment", "blank")]),
        ({"agentId": "agent-1", "message": "Hi"}, {"other_spellings": True}, []),
        ({"agentId": "agent-1", "comment": "Hi"}, {"other_spellings": True}, []),
        ({"agentId": "agent-1", "comment": "x" * 10_000}, {}, []),
    ],
)
async def test_comment_needs_an_agent_and_a_text(
    payload: dict[str, Any], changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """The other spelling of the text by option."""
    async with started(**changes) as (emulator, client):
        emulator.add_task("c-1", id="t-1")

        status, body = await replied(client, "POST", f"{TASKS}/t-1/comments", payload)

        assert status == (400 if expected else 201)
        assert body is None or problems_of(body) == expected


async def test_closed_task_takes_no_comments() -> None:
    """400, and those it has stay readable."""
    async with started() as (emulator, client):
        emulator.add_task("c-1", id="t-1", status="CLOSED")
        emulator.add_task_comment("t-1", id="k-1")

        payload = {"agentId": "agent-1", "comment": "Late"}
        status, body = await replied(client, "POST", f"{TASKS}/t-1/comments", payload)

        assert (status, problems_of(body)) == (400, [("status", "invalid_state")])
        assert len((await replied(client, "GET", f"{TASKS}/t-1/comments"))[1]) == 1
