"""The emulator's conversations: reading, assigning, closing, labels, notes, and what is noted of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import Clock, Emulator, EmulatorOptions
from bulkgladly.emulator.__main__ import options_from
from bulkgladly.emulator.operations.event_types import EVENT_SHAPES, WEBHOOK_ONLY_SHAPES, WORDS, Field
from bulkgladly.emulator.organisation.event_log import EventLog
from bulkgladly.emulator.organisation.indexes import OwnedObjects
from tests.doors.emulator_client import problems_of, replied
from tests.signing import basic_auth

CONVERSATIONS = "/api/v1/conversations"
NOW = Clock(wall=lambda: 1_704_164_645.678)


@asynccontextmanager
async def started(**changes: Any) -> AsyncIterator[tuple[Emulator, aiohttp.ClientSession]]:
    """An emulator without a limit, with one customer, and a session that knows the credentials."""
    async with Emulator(**({"clock": NOW, "rate": None} | changes)) as emulator:
        emulator.add_customer(id="c-1", emails=[{"original": "ada@example.org"}])
        credentials = basic_auth(emulator.options.username, emulator.options.token)
        async with aiohttp.ClientSession(emulator.url, headers={"Authorization": credentials}) as client:
            yield emulator, client


def types_noted(emulator: Emulator) -> list[str]:
    return [event.type for event in emulator.store.event_log]


async def test_conversations_of_a_customer_come_oldest_first() -> None:
    """Moments are compared, not texts; other customers' are not there."""
    async with started() as (emulator, client):
        emulator.add_customer(id="c-2")
        emulator.add_conversation("c-1", id="v-late", createdAt="2024-01-01T00:00:00.5Z")
        emulator.add_conversation("c-1", id="v-early", createdAt="2024-01-01T00:00:00Z")
        emulator.add_conversation("c-2", id="v-other")

        status, found = await replied(client, "GET", "/api/v1/customers/c-1/conversations")

        assert (status, [conversation["id"] for conversation in found]) == (200, ["v-early", "v-late"])


async def test_conversation_has_the_documented_fields() -> None:
    """Those that were not set are absent."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", topicIds=["topic-1"])

        assert await replied(client, "GET", f"{CONVERSATIONS}/v-1") == (
            200,
            {
                "id": "v-1",
                "createdAt": "2024-01-02T03:04:05.678Z",
                "inboxId": "inbox-1",
                "status": "OPEN",
                "customerId": "c-1",
                "topicIds": ["topic-1"],
            },
        )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/customers/nobody/conversations"),
        ("GET", f"{CONVERSATIONS}/none"),
        ("PATCH", f"{CONVERSATIONS}/none"),
        ("GET", f"{CONVERSATIONS}/none/items"),
        ("POST", f"{CONVERSATIONS}/none/topics"),
        ("DELETE", f"{CONVERSATIONS}/none/topics/topic-1"),
        ("POST", f"{CONVERSATIONS}/none/notes"),
        ("GET", f"{CONVERSATIONS}/v-1/notes/none"),
        ("GET", f"{CONVERSATIONS}/v-1/notes/elsewhere"),
        ("GET", f"{CONVERSATIONS}/v-1/notes/no-note"),
        ("POST", "/api/v1/customer-history/c-2/conversations/v-1/custom-attributes"),
        ("GET", "/api/v1/custom-attributes/none"),
    ],
)
async def test_what_is_not_there_is_404(method: str, path: str) -> None:
    """Also a conversation of another customer, a note of another conversation, an item that is none."""
    async with started() as (emulator, client):
        emulator.add_customer(id="c-2")
        emulator.add_conversation("c-1", id="v-1")
        emulator.add_conversation("c-1", id="v-2")
        emulator.add_item({"type": "CONVERSATION_NOTE", "body": "Hi"}, conversation_id="v-2", id="elsewhere")
        emulator.add_item({"type": "WHATSAPP", "content": "Hi"}, conversation_id="v-1", id="no-note")

        status, body = await replied(client, method, path, {})

        assert (status, problems_of(body)) == (404, [(None, "not_exist")])


@pytest.mark.parametrize(
    ("changes", "expected", "header"),
    [
        ({}, ["v-1", "v-2"], "true"),
        ({"capped_end": "newest"}, ["v-0", "v-1"], "true"),
        ({"caps": {"getConversations": 3}}, ["v-0", "v-1", "v-2"], None),
        ({"caps": {"getConversations": 3}, "limited_data": "value"}, ["v-0", "v-1", "v-2"], "false"),
        ({"limited_data": "value"}, ["v-1", "v-2"], "true"),
    ],
    ids=["oldest go", "newest go", "at the cap", "at the cap with a value", "cut with a value"],
)
async def test_list_is_cut_at_its_cap(changes: dict[str, Any], expected: list[str], header: str | None) -> None:
    """Which end goes and how the header looks are options; at the cap itself nothing is cut."""
    async with started(**({"caps": {"getConversations": 2}} | changes)) as (emulator, client):
        for n in range(3):
            emulator.add_conversation("c-1", id=f"v-{n}", createdAt=f"2024-01-0{n + 1}T00:00:00Z")

        async with client.get("/api/v1/customers/c-1/conversations") as response:
            assert [conversation["id"] for conversation in await response.json()] == expected
            assert response.headers.get("Gladly-Limited-Data") == header


async def test_items_of_a_conversation_can_be_those_of_a_session() -> None:
    """Oldest first; items of other conversations and of types that are not shown are left out."""
    async with started(caps={"getConversationItems": 2}) as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")
        chat = {"type": "CHAT_MESSAGE", "messageType": "TEXT", "content": "Hi"}
        for n, session in ((2, "s-1"), (1, "s-1"), (3, "s-2")):
            moment = f"2024-01-01T00:00:0{n}Z"
            emulator.add_item({**chat, "sessionId": session}, conversation_id="v-1", id=f"i-{n}", timestamp=moment)
        emulator.add_item({"type": "SECRET"}, conversation_id="v-1")
        emulator.add_item(chat, customer_id="c-1")

        async with client.get(f"{CONVERSATIONS}/v-1/items?sessionId=s-1") as response:
            assert [item["id"] for item in await response.json()] == ["i-1", "i-2"]
            assert "Gladly-Limited-Data" not in response.headers
        async with client.get(f"{CONVERSATIONS}/v-1/items") as response:
            assert [item["id"] for item in await response.json()] == ["i-2", "i-3"]
            assert response.headers["Gladly-Limited-Data"] == "true"


async def test_closing_and_reopening_leave_their_marks() -> None:
    """`closedAt`, an item for each change, and an event with the assignee before it."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", agentId="agent-1")

        assert await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", {"status": {"value": "CLOSED"}}) == (204, None)
        closed = emulator.store.conversations["v-1"]
        assert await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", {"status": {"value": "CLOSED"}}) == (204, None)
        assert await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", {"status": {"value": "OPEN"}}) == (204, None)
        _, items = await replied(client, "GET", f"{CONVERSATIONS}/v-1/items")

        assert (closed["status"], closed["closedAt"]) == ("CLOSED", "2024-01-02T03:04:05.678Z")
        assert "closedAt" not in emulator.store.conversations["v-1"]
        assert [item["content"] for item in items] == [
            {"type": "CONVERSATION_STATUS_CHANGE", "status": status} for status in ("CLOSED", "OPEN")
        ]
        status, closed_event, reopened = "CONVERSATION_STATUS/UPDATED", "CONVERSATION/CLOSED", "CONVERSATION/REOPENED"
        assert types_noted(emulator)[-4:] == [status, closed_event, status, reopened]
        assert list(emulator.store.event_log)[-1].content == {
            "customerId": "c-1",
            "conversationId": "v-1",
            "context": {"assignee": {"inboxId": "inbox-1", "agentId": "agent-1"}},
        }


async def test_waiting_conversation_that_is_opened_is_not_reopened() -> None:
    """The status changes; nothing was closed, so only the webhooks' event of a status tells of it."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", status="WAITING")

        assert (await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", {"status": {"value": "OPEN"}}))[0] == 204

        assert emulator.store.conversations["v-1"]["status"] == "OPEN"
        assert types_noted(emulator)[-2:] == ["CONVERSATION/CREATED", "CONVERSATION_STATUS/UPDATED"]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"assignee": {}, "status": {}}, [("assignee.inboxId", "blank"), ("status.value", "blank")]),
        ({"status": {"value": "WAITING"}}, [("status.value", "invalid")]),
        ({"status": "CLOSED", "force": True}, [("status", "invalid")]),
        ({"status": {"value": "OPEN", "force": "yes"}}, [("status.force", "invalid")]),
        ({"assignee": {"inboxId": "none"}}, [("assignee.inboxId", "not_exist")]),
        ({"assignee": {"inboxId": "inbox-1", "agentId": "nobody"}}, [("assignee.agentId", "not_exist")]),
        ({"assignee": {"inboxId": "inbox-2", "agentId": "agent-4"}}, [("assignee.agentId", "invalid")]),
    ],
)
async def test_patch_that_cannot_be_is_400(patch: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Every fault is named, and nothing changes."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")
        before = emulator.store.conversations["v-1"]

        status, body = await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", patch)

        assert (status, problems_of(body)) == (400, expected)
        assert emulator.store.conversations["v-1"] == before


async def test_assignee_changes_with_the_reason_and_both_sides() -> None:
    """Nobody in the new inbox when no agent is named, or when it is null."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", agentId="agent-1")
        patch = {"assignee": {"inboxId": "inbox-2", "agentId": None}}

        assert (await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", patch))[0] == 204
        assert (await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", patch))[0] == 204

        conversation = emulator.store.conversations["v-1"]
        assert (conversation["inboxId"], conversation.get("agentId")) == ("inbox-2", None)
        assert types_noted(emulator).count("CONVERSATION_ASSIGNEE/UPDATED") == 1
        assert list(emulator.store.event_log)[-1].content == {
            "customerId": "c-1",
            "conversationId": "v-1",
            "reason": "MANUAL",
            "assignee": {"inboxId": "inbox-2"},
            "context": {"assignee": {"inboxId": "inbox-1", "agentId": "agent-1"}},
        }


async def test_inbox_without_a_list_of_members_takes_every_agent() -> None:
    """So an inbox that a test adds needs no more."""
    async with started() as (emulator, client):
        emulator.store.collections["inboxes"]["mine"] = {"id": "mine", "name": "Mine", "disabled": False}
        emulator.add_conversation("c-1", id="v-1")

        patch = {"assignee": {"inboxId": "mine", "agentId": "agent-5"}}

        assert (await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", patch))[0] == 204


@pytest.mark.parametrize(
    ("mode", "inbox", "expected"),
    [
        ("refuse", "inbox-1", 400),
        ("unchanged", "inbox-1", 204),
        ("refuse", "inbox-2", 400),
        ("unchanged", "inbox-2", 400),
    ],
)
async def test_closed_conversation_cannot_be_reassigned(mode: str, inbox: str, expected: int) -> None:
    """The one that it has is a matter of the option; a second close with an assignee is such a case."""
    async with started(closed_assignee=mode) as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", status="CLOSED")
        patch = {"assignee": {"inboxId": inbox}, "status": {"value": "CLOSED"}}

        status, body = await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", patch)

        assert status == expected
        assert body is None or problems_of(body) == [("assignee", "invalid_state")]


@pytest.mark.parametrize(("before", "after"), [("OPEN", "CLOSED"), ("CLOSED", "OPEN")])
async def test_one_patch_can_assign_and_change_the_status(before: str, after: str) -> None:
    """It is assigned while it is open."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", status=before)

        patch = {"assignee": {"inboxId": "inbox-2"}, "status": {"value": after}}

        assert (await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", patch))[0] == 204
        conversation = emulator.store.conversations["v-1"]
        assert (conversation["inboxId"], conversation["status"]) == ("inbox-2", after)


@pytest.mark.parametrize(
    ("last", "force", "expected"),
    [("CUSTOMER", False, 400), ("CUSTOMER", True, 204), ("AGENT", False, 204)],
)
async def test_customer_who_waits_is_left_by_force_only(last: str, force: bool, expected: int) -> None:
    """The last message decides; a note after it is none."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")
        emulator.add_item({"type": "WHATSAPP", "content": "Hello?"}, conversation_id="v-1")
        someone = {"id": "someone", "type": last}
        emulator.add_item({"type": "WHATSAPP", "content": "?"}, conversation_id="v-1", initiator=someone)
        agent = {"id": "agent-1", "type": "AGENT"}
        emulator.add_item({"type": "CONVERSATION_NOTE", "body": "Later"}, conversation_id="v-1", initiator=agent)

        patch = {"status": {"value": "CLOSED", "force": force}}
        status, body = await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", patch)

        assert status == expected
        assert body is None or problems_of(body) == [("status.value", "invalid_state")]


async def test_last_message_is_the_latest_not_the_one_that_was_added_last() -> None:
    """Items can come to a conversation in any order."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")
        message, agent = {"type": "WHATSAPP", "content": "?"}, {"id": "agent-1", "type": "AGENT"}
        emulator.add_item(message, conversation_id="v-1", timestamp="2024-01-01T00:00:00.5Z")
        emulator.add_item(message, conversation_id="v-1", timestamp="2024-01-01T00:00:00Z", initiator=agent)

        assert (await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", {"status": {"value": "CLOSED"}}))[0] == 400


def test_voicemail_that_an_agent_leaves_is_no_message_sent() -> None:
    """The events have voicemails of customers only; what lies outside of conversations has no contact."""
    emulator = Emulator()
    emulator.add_customer(id="c-1")
    emulator.add_conversation("c-1", id="v-1")
    emulator.add_item({"type": "VOICEMAIL"}, conversation_id="v-1", initiator={"id": "agent-1", "type": "AGENT"})
    emulator.add_item({"type": "VOICEMAIL"}, customer_id="c-1")
    assert types_noted(emulator)[-1] == "CONVERSATION/CREATED"

    emulator.add_item({"type": "VOICEMAIL"}, conversation_id="v-1")

    assert types_noted(emulator)[-1] == "CONTACT/MESSAGE_RECEIVED"


def test_what_belongs_together_is_found_in_its_order() -> None:
    """A replaced object keeps its place, one that moves goes to the end of the other, a deleted one is gone."""
    tasks = OwnedObjects("customerId")
    for name in "abc":
        tasks[name] = {"id": name, "customerId": "c-1"}
    tasks["a"] = {"id": "a", "customerId": "c-1", "status": "CLOSED"}
    assert [task["id"] for task in tasks.of("customerId", "c-1")] == ["a", "b", "c"]

    tasks["b"] = {"id": "b", "customerId": "c-2"}
    tasks["a"] = {"id": "a", "customerId": "c-2"}
    del tasks["c"]

    assert [task["id"] for task in tasks.of("customerId", "c-2")] == ["b", "a"]
    assert tasks.of("customerId", "c-1") == []
    assert len(tasks) == 2


@pytest.mark.parametrize(("topics", "expected"), [([], 400), (["topic-1"], 204)])
async def test_topics_can_be_asked_for_before_closing(topics: list[str], expected: int) -> None:
    """By option, as organizations can."""
    async with started(topics_before_closing=True) as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", topicIds=topics)

        status, _ = await replied(client, "PATCH", f"{CONVERSATIONS}/v-1", {"status": {"value": "CLOSED"}})

        assert status == expected


async def test_topics_are_a_set_with_an_item_and_events_for_what_changed() -> None:
    """Those already there are ignored, one that is not there is removed without a word."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", topicIds=["topic-1"])
        topics = f"{CONVERSATIONS}/v-1/topics"

        assert await replied(client, "POST", topics, {"topicIds": ["topic-2", "topic-1", "topic-2"]}) == (204, None)
        assert emulator.store.conversations["v-1"]["topicIds"] == ["topic-1", "topic-2"]
        assert (await replied(client, "POST", topics, {"topicIds": ["topic-1"]}))[0] == 204
        assert await replied(client, "DELETE", f"{topics}/topic-1") == (204, None)
        assert (await replied(client, "DELETE", f"{topics}/topic-1"))[0] == 204

        assert emulator.store.conversations["v-1"]["topicIds"] == ["topic-2"]
        _, items = await replied(client, "GET", f"{CONVERSATIONS}/v-1/items")
        assert [(i["content"]["addedTopicIds"], i["content"]["removedTopicIds"]) for i in items] == [
            (["topic-2"], []),
            ([], ["topic-1"]),
        ]
        noted = [(h.type, h.content.get("topicId")) for h in emulator.store.event_log][-2:]
        assert noted == [("CONVERSATION/TOPIC_ADDED", "topic-2"), ("CONVERSATION/TOPIC_REMOVED", "topic-1")]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, ("topicIds", "blank")),
        ({"topicIds": []}, ("topicIds", "blank")),
        ({"topicIDs": ["topic-1"]}, ("topicIds", "blank")),
        ({"topicIds": "topic-1"}, ("topicIds", "invalid")),
        ({"topicIds": ["topic-1", "none"]}, ("topicIds", "not_exist")),
        ({"topicIds": ["topic-3"]}, ("topicIds", "invalid")),
    ],
)
async def test_topics_that_cannot_be_applied_are_400(payload: dict[str, Any], expected: tuple[str, str]) -> None:
    """Unknown ones and archived ones; none of the others is applied either."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")

        status, body = await replied(client, "POST", f"{CONVERSATIONS}/v-1/topics", payload)

        assert (status, problems_of(body)) == (400, [expected])
        assert "topicIds" not in emulator.store.conversations["v-1"]


async def test_freeform_topics_are_changed_by_key_and_shown_by_id() -> None:
    """The same one can be there with several values; what is there already is not there twice."""
    path = "/api/v1/customer-history/c-1/conversations/v-1/custom-attributes"
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", customAttributes=[{"id": "custom-attribute-1", "value": "A0"}])
        add = [{"key": "orderId", "value": value} for value in ("A1", "A0", "A1")]
        remove = [{"key": "orderId", "value": value} for value in ("A0", "A9")]

        assert await replied(client, "POST", path, {"add": add}) == (204, None)
        assert await replied(client, "POST", path, {"remove": remove}) == (204, None)
        _, definition = await replied(client, "GET", "/api/v1/custom-attributes/custom-attribute-1")

        assert definition["key"] == "orderId"
        assert emulator.store.conversations["v-1"]["customAttributes"] == [{"id": "custom-attribute-1", "value": "A1"}]
        assert [(h.type, h.content.get("customAttributeValue")) for h in emulator.store.event_log][-2:] == [
            ("CONVERSATION/CUSTOM_ATTRIBUTE_ADDED", "A1"),
            ("CONVERSATION/CUSTOM_ATTRIBUTE_REMOVED", "A0"),
        ]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, [(None, "blank")]),
        ({"add": [{"key": "none", "value": "1"}]}, [("add.key", "not_exist")]),
        ({"add": [{"key": "couponId", "value": "1"}]}, [("add.key", "invalid")]),
        ({"add": [{"key": "orderId", "value": " "}]}, [("add.value", "blank")]),
        ({"add": {"orderId": "1"}}, [("add", "invalid")]),
        ({"remove": [{"value": "1"}]}, [("remove.key", "blank")]),
    ],
)
async def test_freeform_topics_that_cannot_be_are_400(payload: Any, expected: list[tuple[str | None, str]]) -> None:
    """Unknown keys, archived ones, and what has no value."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")
        path = "/api/v1/customer-history/c-1/conversations/v-1/custom-attributes"

        status, body = await replied(client, "POST", path, payload)

        assert (status, problems_of(body)) == (400, expected)


async def test_note_is_an_item_of_its_conversation() -> None:
    """201 with a relative `Location` that answers; a repeat makes a second note."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1", status="CLOSED")
        places = []
        for _ in range(2):
            async with client.post(f"{CONVERSATIONS}/v-1/notes", json={"content": {"body": "<b>Hi</b>"}}) as response:
                assert (response.status, await response.read()) == (201, b"")
                places.append(response.headers["Location"])

        status, note = await replied(client, "GET", places[0])
        _, items = await replied(client, "GET", f"{CONVERSATIONS}/v-1/items")

        assert (status, note["content"]) == (200, {"type": "CONVERSATION_NOTE", "body": "<b>Hi</b>"})
        assert [f"{CONVERSATIONS}/v-1/notes/{item['id']}" for item in items] == places
        assert list(emulator.store.event_log)[-2].content["noteId"] == note["id"]


@pytest.mark.parametrize(
    ("changes", "payload", "expected"),
    [
        ({}, {"body": "Hi"}, 400),
        ({"other_spellings": True}, {"body": "Hi"}, 201),
        ({"other_spellings": True}, {"content": {"body": "Hi"}}, 201),
        ({}, {"content": {"body": " "}}, 400),
        ({"other_spellings": True}, {}, 400),
    ],
)
async def test_note_in_the_other_spelling_by_option(
    changes: dict[str, Any], payload: dict[str, Any], expected: int
) -> None:
    """The schema of the document has the body at the top, its example within content."""
    async with started(**changes) as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")

        assert (await replied(client, "POST", f"{CONVERSATIONS}/v-1/notes", payload))[0] == expected


async def test_deleted_customer_takes_all_that_belongs_to_it_along() -> None:
    """Conversations, items with their transcripts, tasks and comments; the others' stay."""
    kinds = ("conversations", "items", "transcripts", "tasks", "task_comments")
    async with started(seed_customers=2, seed_conversations=3) as (emulator, client):
        for conversation in emulator.store.conversations.of("customerId", "seeded-0000000"):
            emulator.store.conversations[conversation["id"]] = conversation | {"status": "CLOSED"}
        before = {kind: emulator.store.count(kind) for kind in kinds}

        assert (await replied(client, "DELETE", "/api/v1/customer-profiles/seeded-0000000"))[0] == 204

        assert {kind: emulator.store.count(kind) * 2 for kind in kinds} == before
        assert {item["customerId"] for item in emulator.store.items.values()} == {"seeded-0000001"}


async def test_merge_moves_everything_and_joins_open_conversations() -> None:
    """The survivor's open conversation gains the items of the other's, which is gone; closed ones move."""
    async with started() as (emulator, client):
        emulator.add_customer(id="old")
        for owner in ("old", "c-1"):
            emulator.add_conversation(owner, id=f"open-{owner}", topicIds=["of-both", f"of-{owner}"])
            emulator.add_conversation(owner, id=f"closed-{owner}", status="CLOSED")
            emulator.add_item({"type": "WHATSAPP", "content": "Hi"}, conversation_id=f"open-{owner}", id=f"i-{owner}")
            emulator.add_task(owner, id=f"t-{owner}")

        emulator.store.merge("old", "c-1")

        _, conversations = await replied(client, "GET", "/api/v1/customers/c-1/conversations")
        _, items = await replied(client, "GET", f"{CONVERSATIONS}/open-c-1/items")
        _, tasks = await replied(client, "GET", "/api/v1/customers/c-1/tasks")
        assert {conversation["id"] for conversation in conversations} == {"open-c-1", "closed-c-1", "closed-old"}
        assert {(item["id"], item["customerId"]) for item in items} == {("i-old", "c-1"), ("i-c-1", "c-1")}
        assert {task["id"] for task in tasks} == {"t-old", "t-c-1"}
        assert emulator.store.conversations["open-c-1"]["topicIds"] == ["of-both", "of-c-1", "of-old"]
        assert (await replied(client, "GET", f"{CONVERSATIONS}/open-old"))[0] == 404
        assert list(emulator.store.event_log)[-1].content == {
            "sourceCustomerId": "old",
            "destinationCustomerId": "c-1",
            "sourceConversationId": "open-old",
            "destinationConversationId": "open-c-1",
        }


async def test_profiles_are_noted_as_well() -> None:
    """Created, updated, deleted: once each, with the id alone; a refused one leaves nothing."""
    profiles = "/api/v1/customer-profiles"
    async with started() as (emulator, client):
        await replied(client, "POST", profiles, {"id": "c-2", "name": "Ada"})
        await replied(client, "POST", profiles, {"id": "c-2"})
        await replied(client, "PATCH", f"{profiles}/c-2", {"name": "Bela"})
        await replied(client, "DELETE", f"{profiles}/c-2")

        noted = [(event.type, event.content) for event in emulator.store.event_log][1:]

    assert noted == [(f"CUSTOMER_PROFILE/{word}", {"customerId": "c-2"}) for word in ("CREATED", "UPDATED", "DELETED")]


def test_happenings_keep_their_order_and_no_more_than_they_may() -> None:
    """Moments never fall, ids differ, the oldest go first."""
    moments = iter([3.0, 2.0, 2.5, 4.1239])
    event_log = EventLog(Clock(wall=lambda: next(moments)), keep=3)
    for word in "abcd":
        event_log.add(word, {"n": word}, {"id": "x", "type": "API"})

    kept = list(event_log)
    assert [event.type for event in kept] == ["b", "c", "d"]
    assert [event.timestamp for event in kept] == [
        "1970-01-01T00:00:03.000Z",
        "1970-01-01T00:00:03.000Z",
        "1970-01-01T00:00:04.123Z",
    ]
    assert len({event.id for event in kept}) == len(event_log) == 3
    assert kept[-1].shown() == {
        "id": kept[-1].id,
        "type": "d",
        "timestamp": "1970-01-01T00:00:04.123Z",
        "initiator": {"id": "x", "type": "API"},
        "content": {"n": "d"},
    }
    assert "initiator" not in EventLog(Clock()).add("e", {}).shown()


def test_seeded_conversations_are_the_same_for_the_same_seed() -> None:
    """And other ones for another; every status is among them, and a task with two comments for each."""
    one, two, other = (Emulator(seed_customers=6, seed_conversations=2, seed=seed).store for seed in (1, 1, 2))

    kinds = ("conversations", "items", "transcripts", "tasks", "task_comments")
    assert all(dict(one.collections[kind]) == dict(two.collections[kind]) for kind in kinds)
    assert not set(one.conversations) & set(other.conversations)
    assert {conversation["status"] for conversation in one.conversations.values()} == {"OPEN", "WAITING", "CLOSED"}
    assert [one.count(kind) for kind in ("conversations", "tasks", "task_comments")] == [12, 12, 24]
    assert not list(one.event_log)


async def test_state_file_holds_conversations_items_and_tasks(tmp_path: Path) -> None:
    """What belongs to whom is known again, and no id is given twice."""
    file = tmp_path / "state.json"
    async with started(state_file=file) as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")
        await replied(client, "POST", f"{CONVERSATIONS}/v-1/notes", {"content": {"body": "Hi"}})
        emulator.add_task("c-1", id="t-1")

    again = Emulator(state_file=file)

    assert [item["content"]["body"] for item in again.store.items.of("conversationId", "v-1")] == ["Hi"]
    assert [task["id"] for task in again.store.tasks.of("customerId", "c-1")] == ["t-1"]
    assert again.add_item({"type": "WHATSAPP", "content": "Hi"}, conversation_id="v-1") not in emulator.store.items


@pytest.mark.parametrize(
    ("add", "error"),
    [
        (lambda e: e.add_conversation("nobody"), KeyError),
        (lambda e: e.add_conversation("c-1", status="DONE"), ValueError),
        (lambda e: e.add_conversation("c-1", colour="red"), ValueError),
        (lambda e: e.add_conversation("c-1", id="v-1"), ValueError),
        (lambda e: e.add_item({"type": "SMS"}), ValueError),
        (lambda e: e.add_item({"type": "SMS"}, customer_id="c-1", id="t-1"), ValueError),
        (lambda e: e.add_item({}, customer_id="c-1"), KeyError),
        (lambda e: e.add_task("c-1", status="WAITING"), ValueError),
        (lambda e: e.add_task_comment("none"), KeyError),
    ],
)
def test_what_cannot_be_added_past_the_socket_is_refused(add: Any, error: type[Exception]) -> None:
    """Nothing is added."""
    emulator = Emulator()
    emulator.add_customer(id="c-1")
    emulator.add_conversation("c-1", id="v-1")
    emulator.add_task("c-1", id="t-1")

    with pytest.raises(error):
        add(emulator)

    assert [emulator.store.count(kind) for kind in ("conversations", "items", "tasks", "task_comments")] == [1, 0, 1, 0]


def test_cap_of_an_operation_that_has_none_is_refused() -> None:
    """The message names those that have one."""
    with pytest.raises(ValueError, match="getTasks"):
        Emulator(caps={"getAgents": 5})
    with pytest.raises(ValueError, match="getTasks=0"):
        Emulator(caps={"getTasks": 0})


def test_choices_can_be_made_on_the_command_line() -> None:
    """Those about conversations; a cap that is no number is refused in one line."""
    given = "--seed-conversations 2 --cap getTasks=5 --cap getConversations=1 --limited-data value --capped-end newest"
    given += " --topics-before-closing --closed-assignee unchanged --no-undocumented-409 --other-spellings"

    assert options_from(["--port", "0", *given.split()]) == EmulatorOptions(
        seed_conversations=2,
        caps={"getTasks": 5, "getConversations": 1},
        limited_data="value",
        capped_end="newest",
        topics_before_closing=True,
        closed_assignee="unchanged",
        undocumented_409=False,
        other_spellings=True,
    )
    with pytest.raises(SystemExit):
        options_from(["--cap", "getTasks"])


def check(content: Any, fields: tuple[Field, ...]) -> None:
    """The content has nothing that its shape does not have, and all that is required."""
    assert {field.name for field in fields if field.required} <= set(content) <= {field.name for field in fields}
    for field in fields:
        if field.name not in content:
            continue
        if isinstance(field.kind, tuple):
            check(content[field.name], field.kind)
        elif field.kind in WORDS:
            assert content[field.name] in WORDS[field.kind]


async def test_whatever_is_noted_has_the_documented_shape() -> None:
    """Each kind of write once; types that the stream does not have are not noted at all."""
    conversation, customer = f"{CONVERSATIONS}/v-1", "/api/v1/customers/c-1"
    attribute = [{"key": "orderId", "value": "A1"}]
    task = {"id": "t-1", "assignee": {"inboxId": "inbox-1"}, "body": "Call", "dueAt": "2024-03-01T00:00:00Z"}
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-1")
        emulator.add_item({"type": "WHATSAPP", "content": "?"}, conversation_id="v-1", id="i-1")
        for method, path, payload in (
            ("POST", "/api/v1/conversation-items/i-1/reply", {"content": {"type": "WHATSAPP", "body": "Yes"}}),
            ("POST", f"{conversation}/topics", {"topicIds": ["topic-1"]}),
            ("DELETE", f"{conversation}/topics/topic-1", None),
            ("POST", "/api/v1/customer-history/c-1/conversations/v-1/custom-attributes", {"add": attribute}),
            ("POST", "/api/v1/customer-history/c-1/conversations/v-1/custom-attributes", {"remove": attribute}),
            ("POST", f"{conversation}/notes", {"content": {"body": "Hi"}}),
            ("PATCH", conversation, {"assignee": {"inboxId": "inbox-2"}, "status": {"value": "CLOSED"}}),
            ("PATCH", conversation, {"status": {"value": "OPEN"}}),
            ("POST", f"{customer}/tasks", task),
            ("POST", "/api/v1/tasks/t-1/comments", {"agentId": "agent-1", "comment": "Hi"}),
            ("PATCH", "/api/v1/tasks/t-1", {"body": "B", "dueAt": "2024-04-01T00:00:00Z", "status": "CLOSED"}),
            ("PATCH", "/api/v1/tasks/t-1", {"assignee": {"inboxId": "inbox-2"}, "status": "OPEN"}),
            ("PATCH", "/api/v1/customer-profiles/c-1", {"name": "Ada"}),
            ("POST", "/api/v1/customer-profiles", {"id": "c-2"}),
            ("DELETE", "/api/v1/customer-profiles/c-2", None),
        ):
            assert (await replied(client, method, path, payload))[0] in (201, 204)
        emulator.add_customer(id="old")
        emulator.store.merge("old", "c-1")

        noted = list(emulator.store.event_log)

    assert {event.type for event in noted} == {
        *("CONTACT/MESSAGE_RECEIVED", "CONTACT/MESSAGE_SENT", "CONVERSATION_ASSIGNEE/UPDATED"),
        *(f"CONVERSATION/{word}" for word in ("CREATED", "CLOSED", "REOPENED", "NOTE_CREATED")),
        *(f"CONVERSATION/{what}_{how}ED" for what in ("TOPIC", "CUSTOM_ATTRIBUTE") for how in ("ADD", "REMOV")),
        *(f"TASK/{word}" for word in ("CREATED", "CLOSED", "REOPENED", "COMMENT_ADDED", "CONTENT_UPDATED")),
        *("TASK/DUE_DATE_UPDATED", "TASK/ASSIGNEE_UPDATED", "CUSTOMER/MERGED", "CONVERSATION_STATUS/UPDATED"),
        *(f"CUSTOMER_PROFILE/{word}" for word in ("CREATED", "UPDATED", "DELETED", "MERGED")),
    }
    for event in noted:
        assert (event.initiator is None) == (event.type in WEBHOOK_ONLY_SHAPES)
        check(event.content, {**EVENT_SHAPES, **WEBHOOK_ONLY_SHAPES}[event.type])
