"""The emulator's items: activities, reading, deleting, redacting, replying, media."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import Clock, Emulator, half_body
from bulkgladly.emulator.operations.item_types import REDACTABLE_TYPES, redacted
from bulkgladly.emulator.operations.media import attachment_bytes, recording_bytes
from bulkgladly.emulator.seeding.conversation_script import Scene, contents
from tests.doors.emulator_client import problems_of, replied
from tests.signing import basic_auth

ITEMS = "/api/v1/conversation-items"
OF_CUSTOMER = "/api/v1/customers/c-1/conversation-items"
NOW = Clock(wall=lambda: 1_704_164_645.678)
SURVEY = {"type": "CUSTOMER_ACTIVITY", "activityType": "SURVEY"}
TASK = {"type": "TASK", "assignee": {"inboxId": "inbox-1"}, "body": "Call", "dueAt": "2024-02-01T00:00:00Z"}
PICTURE: dict[str, Any] = {"id": "a-1", "contentType": "image/png", "filename": "box.png", "fileSize": 100_001}


@asynccontextmanager
async def started(**changes: Any) -> AsyncIterator[tuple[Emulator, aiohttp.ClientSession]]:
    """An emulator without a limit, with one customer in an open conversation, and a session."""
    async with Emulator(**({"clock": NOW, "rate": None} | changes)) as emulator:
        phones = [{"original": "+16505550123", "type": "MOBILE"}]
        emulator.add_customer(id="c-1", emails=[{"original": "ada@example.org"}], phones=phones)
        emulator.add_conversation("c-1", id="v-1")
        credentials = basic_auth(emulator.options.username, emulator.options.token)
        async with aiohttp.ClientSession(emulator.url, headers={"Authorization": credentials}) as client:
            yield emulator, client


async def test_activity_answers_200_with_the_item() -> None:
    """It lies where it occurred, belongs to no conversation, and is read back the same."""
    content = SURVEY | {
        "title": "Survey",
        "body": "<p>5</p>",
        "sourceName": "Example",
        "link": {"url": "https://example.org/1", "text": "Open"},
        "occurredAt": "2023-12-31T23:00:00.1234567-01:00",
        "nonsense": 1,
    }
    async with started() as (_, client):
        status, made = await replied(client, "POST", OF_CUSTOMER, {"id": "i-1", "content": content})

        assert (status, made) == (
            200,
            {
                "id": "i-1",
                "customerId": "c-1",
                "timestamp": "2024-01-01T00:00:00.123Z",
                "initiator": {"id": "example-api-user", "type": "API"},
                "content": {
                    **{name: content[name] for name in ("type", "activityType", "title", "body", "sourceName", "link")},
                    "expandByDefault": False,
                    "occurredAt": "2024-01-01T00:00:00.123Z",
                    "receivedAt": "2024-01-02T03:04:05.678Z",
                },
            },
        )
        assert await replied(client, "GET", f"{ITEMS}/i-1") == (200, made)


async def test_activity_that_does_not_say_when_lies_where_it_was_received() -> None:
    """And shows no `occurredAt`; without an id it gets one."""
    async with started() as (_, client):
        _, made = await replied(client, "POST", OF_CUSTOMER, {"content": SURVEY})

    assert len(made["id"]) == 22
    assert made["timestamp"] == made["content"]["receivedAt"] == "2024-01-02T03:04:05.678Z"
    assert "occurredAt" not in made["content"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, [("content", "blank")]),
        ({}, [("content.type", "blank")]),
        ({"type": "SMS"}, [("content.type", "invalid")]),
        ({"type": "CUSTOMER_ACTIVITY"}, [("content.activityType", "blank")]),
        (SURVEY | {"activityType": "CALL"}, [("content.activityType", "invalid")]),
        (
            SURVEY | {"title": "x" * 101, "body": "x" * 25_001},
            [("content.title", "too_long"), ("content.body", "too_long")],
        ),
        (SURVEY | {"sourceName": "x" * 51}, [("content.sourceName", "too_long")]),
        (SURVEY | {"link": {"text": "x" * 51}}, [("content.link.text", "too_long")]),
        (SURVEY | {"link": "https://example.org"}, [("content.link", "invalid")]),
        (SURVEY | {"expandByDefault": "no"}, [("content.expandByDefault", "invalid")]),
        (SURVEY | {"occurredAt": "2023-01-02T03:04:05.677Z"}, [("content.occurredAt", "invalid")]),
        (SURVEY | {"occurredAt": "2023-12-01"}, [("content.occurredAt", "invalid")]),
        (SURVEY | {"occurredAt": "2023-13-01T00:00:00Z"}, [("content.occurredAt", "invalid")]),
        (TASK | {"dueAt": "2024-01-02T03:04:05.678Z"}, [("content.dueAt", "invalid")]),
    ],
)
async def test_content_that_cannot_be_is_400(content: Any, expected: list[tuple[str, str]]) -> None:
    """Every fault is named, and nothing is added."""
    async with started() as (emulator, client):
        status, body = await replied(client, "POST", OF_CUSTOMER, {"content": content})

        assert (status, problems_of(body)) == (400, expected)
        assert emulator.store.count("items") == emulator.store.count("tasks") == 0


async def test_limits_of_an_activity_are_inside() -> None:
    """As long as allowed, and exactly a year old."""
    content = SURVEY | {
        "title": "x" * 100,
        "body": "x" * 25_000,
        "sourceName": "x" * 50,
        "link": {"url": "https://example.org", "text": "x" * 50},
        "occurredAt": "2023-01-02T03:04:05.678Z",
    }
    async with started() as (_, client):
        assert (await replied(client, "POST", OF_CUSTOMER, {"id": "x" * 50, "content": content}))[0] == 200


@pytest.mark.parametrize("identifier", ["", "x" * 51, "a/b", 7])
async def test_item_id_that_cannot_be_is_400(identifier: object) -> None:
    """URL-safe, at most 50 characters."""
    async with started() as (_, client):
        status, body = await replied(client, "POST", OF_CUSTOMER, {"id": identifier, "content": SURVEY})

    assert (status, problems_of(body)) == (400, [("id", "invalid")])


@pytest.mark.parametrize("path", [ITEMS, OF_CUSTOMER])
async def test_taken_item_id_is_409(path: str) -> None:
    """Even with equal content, and even if it is a task that has it; nothing changes."""
    async with started() as (emulator, client):
        emulator.add_item({"type": "SMS", "content": "Hi"}, conversation_id="v-1", id="i-1")
        emulator.add_task("c-1", id="t-1")
        for identifier in ("i-1", "t-1"):
            customer = {"emailAddress": "new@example.org"}
            payload = {"id": identifier, "customer": customer, "content": SURVEY}

            status, body = await replied(client, "POST", path, payload)

            assert (status, problems_of(body)) == (409, [("newConversationItems", "taken")])
        assert [emulator.store.count(kind) for kind in ("items", "customers")] == [1, 1]


@pytest.mark.parametrize(("mode", "expected"), [("free", 200), ("taken", 409)])
async def test_id_of_a_deleted_item_by_option(mode: str, expected: int) -> None:
    """Whether it can be used again Gladly does not say."""
    async with started(deleted_ids=mode) as (_, client):
        await replied(client, "POST", OF_CUSTOMER, {"id": "i-1", "content": SURVEY})
        assert await replied(client, "DELETE", f"{ITEMS}/i-1") == (204, None)

        assert (await replied(client, "POST", OF_CUSTOMER, {"id": "i-1", "content": SURVEY}))[0] == expected


@pytest.mark.parametrize(
    ("customer", "is_known"),
    [
        ({"emailAddress": "ADA@example.org"}, True),
        ({"emailAddress": "new@example.org"}, False),
        ({"mobilePhone": "(650) 555-0123"}, True),
        ({"mobilePhone": "+16505550124"}, False),
    ],
)
async def test_item_finds_or_creates_its_customer(customer: dict[str, str], is_known: bool) -> None:
    """By an address in any form; a new customer is noted as such, and found the next time."""
    async with started() as (emulator, client):
        made = [await replied(client, "POST", ITEMS, {"customer": customer, "content": SURVEY}) for _ in range(2)]

        assert [status for status, _ in made] == [200, 200]
        ids = {item["customerId"] for _, item in made}
        assert len(ids) == 1
        assert (ids == {"c-1"}) == is_known
        assert emulator.store.count("customers") == (1 if is_known else 2)
        created = [h for h in emulator.store.event_log if h.type == "CUSTOMER_PROFILE/CREATED"]
        assert {h.content["customerId"] for h in created} == {"c-1"} | ids


async def test_number_of_another_type_names_nobody() -> None:
    """Such numbers can repeat, so a customer with the mobile number is created."""
    async with started() as (emulator, client):
        emulator.add_customer(id="c-2", phones=[{"original": "+16505550199", "type": "HOME"}])

        _, made = await replied(client, "POST", ITEMS, {"customer": {"mobilePhone": "+16505550199"}, "content": SURVEY})

        assert made["customerId"] != "c-2"
        [phone] = emulator.customer(made["customerId"])["phones"]
        assert (phone["normalized"], phone["type"]) == ("+16505550199", "MOBILE")


@pytest.mark.parametrize(
    ("customer", "expected"),
    [
        (None, ("customer", "blank")),
        ({}, ("customer", "invalid")),
        ({"emailAddress": "a@example.org", "mobilePhone": "+16505550124"}, ("customer", "invalid")),
        ({"emailAddress": "nobody"}, ("customer.emailAddress", "invalid")),
        ({"mobilePhone": "12"}, ("customer.mobilePhone", "invalid")),
    ],
)
async def test_customer_that_cannot_be_named_so_is_400(customer: Any, expected: tuple[str, str]) -> None:
    """Exactly one address, and nobody is created; the faults of the content are named as well."""
    async with started() as (emulator, client):
        status, body = await replied(client, "POST", ITEMS, {"customer": customer, "content": {"type": "SMS"}})

        assert (status, problems_of(body)) == (400, [expected, ("content.type", "invalid")])
        assert emulator.store.count("customers") == 1


async def test_task_content_makes_a_task() -> None:
    """The deprecated way: answered as an item, there as a task, and no item to be read."""
    async with started() as (emulator, client):
        status, made = await replied(client, "POST", OF_CUSTOMER, {"id": "t-1", "content": TASK})
        _, task = await replied(client, "GET", "/api/v1/tasks/t-1")

        assert (status, made["content"]) == (200, TASK | {"dueAt": "2024-02-01T00:00:00.000Z"})
        assert (task["body"], task["assignee"], task["status"]) == ("Call", {"inboxId": "inbox-1"}, "OPEN")
        assert problems_of((await replied(client, "GET", f"{ITEMS}/t-1"))[1]) == [("type", "invalid")]
        assert emulator.store.count("items") == 0


async def test_item_for_a_merged_customer_is_301() -> None:
    """With an absolute `Location` on the same host, and both ids; nothing is added."""
    async with started() as (emulator, client):
        emulator.add_customer(id="old")
        emulator.store.merge("old", "c-1")
        path = "/api/v1/customers/old/conversation-items"

        async with client.post(path, json={"content": SURVEY}, allow_redirects=False) as response:
            assert response.status == 301
            assert response.headers["Location"] == f"{emulator.url}{OF_CUSTOMER}"
            [problem] = (await response.json())["errors"]
        assert (problem["attr"], problem["code"]) == ("customer id", "moved")
        assert problem["meta"] == {"old": "old", "new": "c-1"}
        assert emulator.store.count("items") == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/customers/nobody/conversation-items"),
        ("GET", f"{ITEMS}/none"),
        ("DELETE", f"{ITEMS}/none"),
        ("DELETE", f"{OF_CUSTOMER}/other"),
        ("POST", f"{ITEMS}/none/redact"),
        ("POST", f"{ITEMS}/none/reply"),
        ("GET", f"{ITEMS}/other/media/recording"),
        ("GET", f"{ITEMS}/silent/media/recording"),
        ("GET", f"{ITEMS}/silent/voice-transcript"),
        ("GET", f"{ITEMS}/none/voice-transcript"),
        ("GET", f"{ITEMS}/none/attachments/a-1"),
        ("GET", f"{ITEMS}/text/attachments/a-1"),
    ],
)
async def test_what_is_not_there_is_404(method: str, path: str) -> None:
    """Also the item of another customer, a call without a recording, a message without attachments."""
    async with started() as (emulator, client):
        emulator.add_customer(id="c-2")
        emulator.add_item(SURVEY, customer_id="c-2", id="other")
        emulator.add_item({"type": "PHONE_CALL"}, conversation_id="v-1", id="silent")
        emulator.add_item({"type": "SMS", "content": "Hi"}, conversation_id="v-1", id="text")

        status, body = await replied(client, method, path, {})

        assert (status, problems_of(body)) == (404, [(None, "not_exist")])


async def test_only_activities_can_be_deleted() -> None:
    """400 for another type; the second time it is 404, also by the customer's path."""
    async with started() as (emulator, client):
        emulator.add_item({"type": "SMS", "content": "Hi"}, conversation_id="v-1", id="text")
        emulator.add_item(SURVEY, customer_id="c-1", id="survey")

        for path in (ITEMS, OF_CUSTOMER):
            assert (await replied(client, "DELETE", f"{path}/text"))[0] == 400
        assert await replied(client, "DELETE", f"{OF_CUSTOMER}/survey") == (204, None)
        assert (await replied(client, "DELETE", f"{OF_CUSTOMER}/survey"))[0] == 404
        assert list(emulator.store.items) == ["text"]


async def test_item_of_a_type_that_is_not_shown_is_400() -> None:
    """It is there, but not for the API."""
    async with started() as (emulator, client):
        emulator.add_item({"type": "SECRET", "content": "x"}, conversation_id="v-1", id="i-1")

        status, body = await replied(client, "GET", f"{ITEMS}/i-1")

        assert (status, problems_of(body)) == (400, [("type", "invalid")])


def everything_said(value: object) -> list[str]:
    """All texts in it, however deep."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in everything_said(part)]
    if isinstance(value, list):
        return [text for part in value for text in everything_said(part)]
    return [value] if isinstance(value, str) else []


def test_nothing_said_is_left_of_what_is_redacted() -> None:
    """Texts, subjects, summaries, attachments and recordings go; the type and the addresses stay."""
    nobody = {"id": "nobody", "type": "CUSTOMER"}
    scene = Scene(nobody, nobody, "ada@example.org", "+16505550123", [], lambda: "the secret words")
    said = [content for _, content in contents(scene) if content["type"] in REDACTABLE_TYPES]
    assert {content["type"] for content in said} == set(REDACTABLE_TYPES)

    for content in said:
        left = redacted(content)

        assert not any("secret" in text or "recording" in text for text in everything_said(left))
        assert {left.get("content", ""), left.get("subject", "")} == {""}
        assert not left.keys() & {"attachments", "recordingUrl", "recordingDuration"}
        assert {name: left.get(name) for name in ("type", "from", "to", "sessionId")} == {
            name: content.get(name) for name in ("type", "from", "to", "sessionId")
        }


async def test_redaction_answers_201_however_often() -> None:
    """Recording, transcript and attachment are gone with it; `Location` is relative."""
    async with started() as (emulator, client):
        tape = {"type": "VOICEMAIL", "recordingStatus": "AVAILABLE", "recordingDuration": 2}
        emulator.add_item(tape, conversation_id="v-1", id="i-1", transcript={"paragraphs": []})

        for _ in range(2):
            async with client.post(f"{ITEMS}/i-1/redact") as response:
                assert (response.status, response.headers["Location"]) == (201, f"{ITEMS}/i-1")

        _, item = await replied(client, "GET", f"{ITEMS}/i-1")
        assert item["content"] == {
            "type": "VOICEMAIL",
            "recordingStatus": "DELETED",
            "recordingSummary": {"status": "REDACTED"},
        }
        assert (await replied(client, "GET", f"{ITEMS}/i-1/media/recording"))[0] == 404
        assert (await replied(client, "GET", f"{ITEMS}/i-1/voice-transcript"))[0] == 404


async def test_type_that_cannot_be_redacted_is_400() -> None:
    """And stays as it is."""
    async with started() as (emulator, client):
        emulator.add_item({"type": "CONVERSATION_NOTE", "body": "Hi"}, conversation_id="v-1", id="i-1")

        assert (await replied(client, "POST", f"{ITEMS}/i-1/redact"))[0] == 400
        assert emulator.store.items["i-1"]["content"]["body"] == "Hi"


@pytest.mark.parametrize(
    ("original", "reply", "expected"),
    [
        (
            {"type": "SMS", "from": "+16505550123", "to": "+16505550199", "content": "?"},
            {"type": "SMS", "body": "Yes"},
            {"type": "SMS", "from": "+16505550199", "to": "+16505550123", "content": "Yes"},
        ),
        (
            {"type": "EMAIL", "from": "a@example.org", "to": ["help@example.org"], "subject": "Box", "content": "?"},
            {"type": "EMAIL", "body": "<p>Yes</p>"},
            {
                "type": "EMAIL",
                "from": "help@example.org",
                "to": ["a@example.org"],
                "subject": "Re: Box",
                "content": "Yes",
            },
        ),
        (
            {"type": "CHAT_MESSAGE", "messageType": "TEXT", "sessionId": "s-1", "content": "?"},
            {
                "type": "CHAT_MESSAGE",
                "messageType": "QUICK_REPLY_REQUEST",
                "body": "Done?",
                "messageData": {"options": [{"id": "yes", "label": "Yes"}]},
            },
            {
                "type": "CHAT_MESSAGE",
                "messageType": "QUICK_REPLY_REQUEST",
                "sessionId": "s-1",
                "content": "Done?",
                "messageData": {"options": [{"id": "yes", "label": "Yes"}]},
            },
        ),
        (
            {"type": "FACEBOOK_MESSAGE", "pageId": "1", "userId": "2", "content": "?"},
            {"type": "FACEBOOK_MESSAGE", "body": "Yes"},
            {"type": "FACEBOOK_MESSAGE", "pageId": "1", "userId": "2", "content": "Yes"},
        ),
        (
            {"type": "INSTAGRAM_DIRECT", "content": "?"},
            {"type": "INSTAGRAM_DIRECT", "body": "x" * 2048},
            {"type": "INSTAGRAM_DIRECT", "content": "x" * 2048},
        ),
    ],
    ids=["sms", "email", "chat", "facebook", "instagram"],
)
async def test_reply_goes_back_on_the_same_channel(
    original: dict[str, Any], reply: dict[str, Any], expected: dict[str, Any]
) -> None:
    """201 with the new item in `Location`; the conversation that had no agent has the API user now."""
    async with started() as (emulator, client):
        emulator.add_item(original, conversation_id="v-1", id="i-1")

        async with client.post(f"{ITEMS}/i-1/reply", json={"content": reply}) as response:
            assert (response.status, await response.read()) == (201, b"")
            status, sent = await replied(client, "GET", response.headers["Location"])

        assert (status, sent["content"], sent["conversationId"]) == (200, expected, "v-1")
        assert sent.get("sessionId") == original.get("sessionId")
        assert emulator.store.conversations["v-1"]["agentId"] == sent["initiator"]["id"]
        received, message, assigned = list(emulator.store.event_log)[-3:]
        assert [event.type for event in (received, message, assigned)] == [
            "CONTACT/MESSAGE_RECEIVED",
            "CONTACT/MESSAGE_SENT",
            "CONVERSATION_ASSIGNEE/UPDATED",
        ]
        assert message.content["messageId"] == sent["id"]
        assert message.content["contactId"] == received.content["contactId"]
        assert assigned.content["reason"] == "MESSAGE_OUTBOUND"


async def test_reply_leaves_the_agent_of_a_conversation() -> None:
    """Only an unassigned conversation goes to the API user."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="v-2", agentId="agent-1")
        emulator.add_item({"type": "WHATSAPP", "content": "?"}, conversation_id="v-2", id="i-1")

        await replied(client, "POST", f"{ITEMS}/i-1/reply", {"content": {"type": "WHATSAPP", "body": "Yes"}})

        assert emulator.store.conversations["v-2"]["agentId"] == "agent-1"
        assert list(emulator.store.event_log)[-1].type == "CONTACT/MESSAGE_SENT"


CHAT = {"type": "CHAT_MESSAGE", "body": "?", "messageType": "QUICK_REPLY_REQUEST"}
YES = {"id": "yes", "label": "Yes"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"body": "Yes"}, [("content.type", "blank")]),
        ({"type": "", "body": "Yes"}, [("content.type", "blank")]),
        ({"type": "PHONE_CALL", "body": "Yes"}, [("content.type", "invalid")]),
        ({"type": "SMS", "body": "Yes"}, [("content.type", "invalid")]),
        ({"type": "CHAT_MESSAGE"}, [("content.body", "blank")]),
        ({"type": "CHAT_MESSAGE", "body": "x" * 2049}, [("content.body", "too_long")]),
        (CHAT, [("content.messageData", "blank")]),
        (CHAT | {"messageData": {"options": []}}, [("content.messageData.options", "wrong_length")]),
        (CHAT | {"messageData": {"options": [YES | {"id": str(n)} for n in range(11)]}},
         [("content.messageData.options", "wrong_length")]),
        (CHAT | {"messageData": {"options": [YES, YES]}}, [("content.messageData.options", "taken")]),
        (CHAT | {"messageData": {"options": [{"id": "a b", "label": "x" * 51}]}},
         [("content.messageData.options.id", "invalid"), ("content.messageData.options.label", "too_long")]),
    ],
)  # fmt: skip
async def test_reply_that_cannot_be_is_400(content: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Nothing is sent."""
    async with started() as (emulator, client):
        message = {"type": "CHAT_MESSAGE", "messageType": "TEXT", "sessionId": "s-1", "content": "?"}
        emulator.add_item(message, conversation_id="v-1", id="i-1")

        status, body = await replied(client, "POST", f"{ITEMS}/i-1/reply", {"content": content})

        assert (status, problems_of(body)) == (400, expected)
        assert emulator.store.count("items") == 1


@pytest.mark.parametrize("case", ["an agent's", "outside of conversations", "in a closed one"])
async def test_message_that_cannot_be_replied_to_is_400(case: str) -> None:
    """Only those of customers, in conversations that are not closed."""
    async with started() as (emulator, client):
        emulator.add_conversation("c-1", id="closed", status="CLOSED")
        message = {"type": "WHATSAPP", "content": "?"}
        if case == "an agent's":
            emulator.add_item(message, conversation_id="v-1", id="i-1", initiator={"id": "agent-1", "type": "AGENT"})
        elif case == "outside of conversations":
            emulator.add_item(message, customer_id="c-1", id="i-1")
        else:
            emulator.add_item(message, conversation_id="closed", id="i-1")

        reply = {"content": {"type": "WHATSAPP", "body": "Yes"}}

        assert (await replied(client, "POST", f"{ITEMS}/i-1/reply", reply))[0] == 400
        assert emulator.store.count("items") == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_recording_is_an_mp3_as_long_as_the_call(framing: str) -> None:
    """Every frame is mono at 32 kbit/s; two calls sound different."""
    async with started(file_framing=framing) as (emulator, client):
        call = {"type": "PHONE_CALL", "recordingStatus": "AVAILABLE", "recordingDuration": 60}
        for name in ("i-1", "i-2"):
            emulator.add_item(call, conversation_id="v-1", id=name)

        async with client.get(f"{ITEMS}/i-1/media/recording") as response:
            recording = await response.read()
            assert (response.status, response.content_type) == (200, "audio/mpeg")
            assert (response.content_length is None) == (framing == "chunked")

        assert recording == recording_bytes("i-1", 60) != recording_bytes("i-2", 60)
        # 4,000 bytes a second is what 32 kbit/s means.
        assert len(recording) == 60 * 4000
        assert {recording[start : start + 4] for start in range(0, len(recording), 96)} == {b"\xff\xfb\x14\xc0"}


async def test_transcript_is_there_for_calls_that_have_one() -> None:
    """Without the emulator's own id."""
    transcript = {"paragraphs": [{"transcript": "Hi", "speaker": 0}], "language": "en"}
    async with started() as (emulator, client):
        emulator.add_item({"type": "PHONE_CALL"}, conversation_id="v-1", id="i-1", transcript=transcript)

        assert await replied(client, "GET", f"{ITEMS}/i-1/voice-transcript") == (200, transcript)


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_attachment_lies_behind_an_address_that_wants_no_credentials(framing: str) -> None:
    """303 with an absolute address on this host; there the bytes, and 400 for who brings credentials."""
    async with started(file_framing=framing) as (emulator, client):
        message = {"type": "WHATSAPP", "content": "Look", "attachments": [PICTURE]}
        emulator.add_item(message, conversation_id="v-1", id="i-1")

        async with client.get(f"{ITEMS}/i-1/attachments/a-1", allow_redirects=False) as response:
            assert (response.status, await response.read()) == (303, b"")
            place = response.headers["Location"]
        async with client.get(place) as response:
            assert response.status == 400
        async with aiohttp.ClientSession() as stranger, stranger.get(place) as response:
            assert (response.status, response.content_type) == (200, "image/png")
            assert (response.content_length is None) == (framing == "chunked")
            assert await response.read() == attachment_bytes("i-1", "a-1", PICTURE["fileSize"])

        assert place.startswith(f"{emulator.url}/")
        assert emulator.requests.count("downloadAttachment") == 2


async def test_address_of_an_attachment_cannot_be_made_up() -> None:
    """It is no use for another file, nor after a redaction."""
    async with started() as (emulator, client), aiohttp.ClientSession() as stranger:
        message = {"type": "WHATSAPP", "content": "Look", "attachments": [PICTURE, PICTURE | {"id": "a-2"}]}
        emulator.add_item(message, conversation_id="v-1", id="i-1")
        async with client.get(f"{ITEMS}/i-1/attachments/a-1", allow_redirects=False) as response:
            place = response.headers["Location"]

        async with stranger.get(place.replace("/a-1/", "/a-2/")) as response:
            assert response.status == 404
        await replied(client, "POST", f"{ITEMS}/i-1/redact")
        async with stranger.get(place) as response:
            assert response.status == 404


async def test_downloads_take_nothing_of_the_budget_and_can_break() -> None:
    """They lie elsewhere; a script of faults reaches them all the same."""
    async with started(rate=1) as (emulator, client), aiohttp.ClientSession() as stranger:
        message = {"type": "WHATSAPP", "content": "Look", "attachments": [PICTURE]}
        emulator.add_item(message, conversation_id="v-1", id="i-1")
        async with client.get(f"{ITEMS}/i-1/attachments/a-1", allow_redirects=False) as response:
            place = response.headers["Location"]
        emulator.faults.script("downloadAttachment", [None, None, half_body()])

        for _ in range(2):
            async with stranger.get(place) as response:
                assert response.status == 200
                assert "Ratelimit-Limit-Second" not in response.headers
                await response.read()
        with pytest.raises(aiohttp.ClientPayloadError):
            async with stranger.get(place) as response:
                await response.read()
        assert emulator.limiter.admitted == 1


async def test_item_without_attachments_by_its_type_is_400() -> None:
    """As the documents say."""
    async with started() as (emulator, client):
        emulator.add_item(SURVEY, customer_id="c-1", id="i-1")

        status, body = await replied(client, "GET", f"{ITEMS}/i-1/attachments/a-1")

        assert (status, problems_of(body)) == (400, [("type", "invalid")])


async def test_all_that_seeded_items_refer_to_is_there() -> None:
    """Recordings at their `recordingUrl`, transcripts, attachments of the announced size."""
    async with (
        started(seed_customers=1, seed_conversations=1) as (emulator, client),
        aiohttp.ClientSession() as stranger,
    ):
        found: set[str] = set()
        for item in emulator.store.items.values():
            status, shown = await replied(client, "GET", f"{ITEMS}/{item['id']}")
            assert (status, shown) == (200, item)
            content = item["content"]
            if "recordingUrl" in content:
                async with client.get(content["recordingUrl"]) as response:
                    assert response.status == 200
                    assert response.content_length == len(recording_bytes(item["id"], 1))
                _, transcript = await replied(client, "GET", f"{ITEMS}/{item['id']}/voice-transcript")
                assert transcript["customerId"] == item["customerId"]
                found.add("recording")
            for attachment in content.get("attachments", ()):
                path = f"{ITEMS}/{item['id']}/attachments/{attachment['id']}"
                async with client.get(path, allow_redirects=False) as response:
                    place = response.headers["Location"]
                async with stranger.get(place) as response:
                    assert len(await response.read()) == attachment["fileSize"]
                found.add("attachment")
            # What comes through the API belongs to no conversation.
            assert ("conversationId" in item) == (content["type"] != "CUSTOMER_ACTIVITY")

        assert found == {"recording", "attachment"}
