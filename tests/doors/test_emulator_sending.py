"""What would reach people, and what concerns them: messages, campaigns, identity tokens, recorders."""

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from bulkgladly.emulator import Clock, Emulator
from bulkgladly.emulator.__main__ import options_from
from bulkgladly.emulator.operations.identity_tokens import LIFETIME_S
from bulkgladly.emulator.options import EmulatorOptions
from tests.doors.emulator_client import an_emulator, asked, client_of

SMS = "/api/v1/communications/sms"
EMAIL = "/api/v1/communications/email"
TOKEN = "/api/v1/user-identity-jwt"
NOW = 1_767_225_600.0

TEXT = {"customer": {"mobileNumber": "+16505550101"}, "from": "+16505550199", "body": "Hello"}
MAIL = {
    "to": [{"email": "ada@example.org", "name": "Ada"}],
    "from": "help@example.org",
    "subject": "Hello",
    "body": {"html": "<p>Hi</p>", "text": "Hi"},
}


def sent(emulator: Emulator) -> list[dict[str, Any]]:
    """What would have reached people."""
    return list(emulator.store.collections["sent_messages"].values())


async def test_text_makes_the_customer_when_nobody_has_the_number() -> None:
    """Each accepted call sends one more message, to the same customer."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        first_status, first = await asked(client, "POST", SMS, TEXT)
        _, second = await asked(client, "POST", SMS, TEXT)

    assert first_status == 200
    assert first["customerId"] == second["customerId"]
    assert [message["id"] for message in sent(emulator)] == [first["conversationItemId"], second["conversationItemId"]]
    assert sent(emulator)[0]["content"] == {
        "type": "SMS",
        "from": "+16505550199",
        "to": "+16505550101",
        "content": "Hello",
    }
    [customer] = emulator.store.customers.values()
    assert [(phone["normalized"], phone["type"]) for phone in customer["phones"]] == [("+16505550101", "MOBILE")]


async def test_text_goes_to_the_owner_of_the_mobile_number() -> None:
    """Who has the same number at home is not meant: a customer is made."""
    emulator = an_emulator()
    emulator.add_customer(id="owner", phones=[{"original": "+16505550101", "type": "MOBILE"}])
    emulator.add_customer(id="flat", phones=[{"original": "+16505550101", "type": "HOME"}])
    emulator.add_customer(id="house", phones=[{"original": "+16505550102", "type": "HOME"}])
    async with client_of(emulator) as client:
        _, to_owner = await asked(client, "POST", SMS, TEXT)
        _, to_stranger = await asked(client, "POST", SMS, TEXT | {"customer": {"mobileNumber": "(650) 555-0102"}})

    assert to_owner["customerId"] == "owner"
    assert to_stranger["customerId"] not in ("owner", "flat", "house")
    assert emulator.store.count("customers") == 4


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"customer": None}, [("customer", "blank")]),
        ({"customer": "+16505550101"}, [("customer", "invalid")]),
        ({"customer": {}}, [("customer.mobileNumber", "blank")]),
        ({"customer": {"mobileNumber": "12"}}, [("customer.mobileNumber", "invalid")]),
        ({"customer": {"mobileNumber": 6505550101}}, [("customer.mobileNumber", "invalid")]),
        ({"from": None, "body": " "}, [("from", "blank"), ("body", "blank")]),
        ({"from": "me"}, [("from", "invalid")]),
    ],
)
async def test_text_that_cannot_be_is_400(changes: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    """Nothing is sent, and nobody is made."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        assert await asked(client, "POST", SMS, TEXT | changes) == (400, problems)

    assert (sent(emulator), emulator.store.count("customers")) == ([], 0)


async def test_email_makes_the_customer_or_finds_it_in_any_case() -> None:
    """A made one has the name of the recipient; a found one keeps its own."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        status, first = await asked(client, "POST", EMAIL, MAIL)
        _, second = await asked(client, "POST", EMAIL, MAIL | {"to": [{"email": "ADA@example.org", "name": "Other"}]})

    assert status == 200
    assert first["customerId"] == second["customerId"]
    [customer] = emulator.store.customers.values()
    assert (customer["name"], customer["emails"][0]["original"]) == ("Ada", "ada@example.org")
    assert sent(emulator)[0]["content"] == {
        "type": "EMAIL",
        "from": "help@example.org",
        "to": ["ada@example.org"],
        "subject": "Hello",
        "content": "Hi",
    }


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"to": []}, [("to", "blank")]),
        ({"to": "ada@example.org"}, [("to", "invalid")]),
        ({"to": [{"email": "a@example.org"}, {"email": "b@example.org"}]}, [("to", "invalid")]),
        ({"to": [{"name": "Ada"}]}, [("to.email", "blank")]),
        ({"to": [{"email": "nobody"}]}, [("to.email", "invalid")]),
        ({"from": "help"}, [("from", "invalid")]),
        ({"subject": ""}, [("subject", "blank")]),
        ({"subject": "s" * 1000}, [("subject", "too_long")]),
        ({"body": None}, [("body", "blank")]),
        ({"body": {"html": "", "text": None}}, [("body.text", "blank")]),
        ({"body": {"html": 5}}, [("body.html", "invalid"), ("body.text", "blank")]),
    ],
)
async def test_email_that_cannot_be_is_400(changes: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    """Nothing is sent, and nobody is made."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        assert await asked(client, "POST", EMAIL, MAIL | changes) == (400, problems)

    assert (sent(emulator), emulator.store.count("customers")) == ([], 0)


async def test_longest_subject_and_html_alone_are_sent() -> None:
    """Under 1000 characters; the text is the HTML where there is no other."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        payload = MAIL | {"subject": "s" * 999, "body": {"html": "<p>Hi</p>"}}
        assert (await asked(client, "POST", EMAIL, payload))[0] == 200

    assert sent(emulator)[0]["content"]["content"] == "<p>Hi</p>"


@pytest.mark.parametrize(("path", "payload"), [(SMS, TEXT), (EMAIL, MAIL)])
async def test_sender_can_have_to_be_configured(path: str, payload: dict[str, Any]) -> None:
    """By an option; the case of an address does not matter."""
    own, strange = an_emulator(senders=("+16505550199", "Help@Example.org")), an_emulator(senders=())
    async with client_of(own) as client:
        assert (await asked(client, "POST", path, payload))[0] == 200
    async with client_of(strange) as client:
        assert await asked(client, "POST", path, payload) == (400, [("from", "invalid")])


async def test_message_is_an_item_outside_any_conversation() -> None:
    """It stays in the log of what was sent when the customer goes."""
    emulator = an_emulator(clock=Clock(wall=lambda: NOW))
    async with client_of(emulator) as client:
        _, answer = await asked(client, "POST", SMS, TEXT)
        _, item = await asked(client, "GET", f"/api/v1/conversation-items/{answer['conversationItemId']}")
        assert (await asked(client, "DELETE", f"/api/v1/customer-profiles/{answer['customerId']}"))[0] == 204

    assert (item["customerId"], item["timestamp"]) == (answer["customerId"], "2026-01-01T00:00:00.000Z")
    assert item["initiator"]["type"] == "API"
    assert "conversationId" not in item
    assert sent(emulator) == [item]
    assert item["id"] not in emulator.store.collections["items"]


def decoded(part: str) -> Any:
    return orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.parametrize(("kind", "identity"), [("EMAIL", "ada@example.org"), ("MOBILE_PHONE_NUMBER", "+16505550101")])
async def test_identity_token_is_a_signed_jwt(kind: str, identity: str) -> None:
    """Three parts, a signature that fits, an end; minting changes nothing."""
    emulator = an_emulator(clock=Clock(wall=lambda: NOW), seed=7)
    before = {name: len(entities) for name, entities in emulator.store.collections.items()}
    async with client_of(emulator) as client:
        status, answer = await asked(client, "POST", TOKEN, {"identityType": kind, "identity": identity})

    head, claims, signature = answer["token"].split(".")
    expected = hmac.digest(b"emulator:7", f"{head}.{claims}".encode(), hashlib.sha256)
    assert status == 200
    assert decoded(head) == {"alg": "HS256", "typ": "JWT"}
    assert decoded(claims) == {
        "iss": "example-organization",
        "iat": int(NOW),
        "exp": int(NOW) + LIFETIME_S,
        "identityType": kind,
        "identity": identity,
    }
    assert signature == base64.urlsafe_b64encode(expected).rstrip(b"=").decode()
    assert {name: len(entities) for name, entities in emulator.store.collections.items()} == before


@pytest.mark.parametrize(
    ("payload", "problems"),
    [
        ({}, [("identityType", "blank"), ("identity", "blank")]),
        ({"identityType": "NAME", "identity": "Ada"}, [("identityType", "invalid")]),
        ({"identityType": "EMAIL", "identity": "Ada"}, [("identity", "invalid")]),
        ({"identityType": "MOBILE_PHONE_NUMBER", "identity": "650 555 0101"}, [("identity", "invalid")]),
        ({"identityType": "MOBILE_PHONE_NUMBER", "identity": "+1 650 555 0101"}, [("identity", "invalid")]),
        ({"identityType": "EMAIL", "identity": ["ada@example.org"]}, [("identity", "invalid")]),
    ],
)
async def test_token_for_nobody_is_400(payload: object, problems: list[tuple[str, str]]) -> None:
    """The identity must be one of its type."""
    async with client_of(an_emulator()) as client:
        assert await asked(client, "POST", TOKEN, payload) == (400, problems)


@pytest.mark.parametrize("agent", ["agent-1", "ADA.agent@example.org", "ada.agent%40example.org"])
async def test_recorder_of_a_call(agent: str) -> None:
    """By id or address of the agent; only whether it records can be changed."""
    emulator = an_emulator(seed_customers=1)
    item_id = emulator.start_call("agent-1", "seeded-0000000")
    path = f"/api/v1/agents/{agent}/call-recorder"
    call = {"agentId": "agent-1", "customerId": "seeded-0000000", "conversationItemId": item_id}
    async with client_of(emulator) as client:
        assert await asked(client, "GET", path) == (200, {**call, "recording": True})
        assert await asked(client, "PATCH", path, {"recording": False, "customerId": "other"}) == (204, None)
        assert await asked(client, "GET", path) == (200, {**call, "recording": False})
        assert await asked(client, "PATCH", path, {"recording": "no"}) == (400, [("recording", "invalid")])


async def test_call_is_an_item_of_its_customer() -> None:
    """It follows a merge to the one who survives, and ends when that one is deleted."""
    emulator = an_emulator(seed_customers=2)
    item_id = emulator.start_call("agent-1", "seeded-0000000")
    path = "/api/v1/agents/agent-1/call-recorder"
    async with client_of(emulator) as client:
        _, item = await asked(client, "GET", f"/api/v1/conversation-items/{item_id}")
        emulator.store.merge("seeded-0000000", "seeded-0000001")
        _, merged = await asked(client, "GET", path)
        await asked(client, "DELETE", "/api/v1/customer-profiles/seeded-0000001")
        _, deleted = await asked(client, "GET", path)

    assert (item["content"]["type"], item["responder"]["id"]) == ("PHONE_CALL", "agent-1")
    assert merged["customerId"] == "seeded-0000001"
    assert deleted == {"agentId": "agent-1", "recording": False}


async def test_recorder_without_a_call_changes_nothing() -> None:
    """What concerns a call is left out then."""
    emulator = an_emulator(seed_customers=1)
    emulator.start_call("agent-1", "seeded-0000000")
    emulator.end_call("agent-1")
    path = "/api/v1/agents/agent-1/call-recorder"
    async with client_of(emulator) as client:
        assert await asked(client, "PATCH", path, {"recording": True}) == (204, None)
        assert await asked(client, "GET", path) == (200, {"agentId": "agent-1", "recording": False})


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("agent", ["agent-9", "nobody@example.org"])
async def test_recorder_of_nobody_is_404(method: str, agent: str) -> None:
    """No such agent."""
    async with client_of(an_emulator()) as client:
        payload = {"recording": True} if method == "PATCH" else None

        assert await asked(client, method, f"/api/v1/agents/{agent}/call-recorder", payload) == (
            404,
            [(None, "not_exist")],
        )


@pytest.mark.parametrize(("agent", "customer"), [("agent-9", "seeded-0000000"), ("agent-1", "nobody")])
def test_call_needs_an_agent_and_a_customer(agent: str, customer: str) -> None:
    """Otherwise no call begins."""
    emulator = an_emulator(seed_customers=1)

    with pytest.raises(KeyError):
        emulator.start_call(agent, customer)

    assert emulator.store.count("calls") == 0


def collections_of(campaign: str) -> str:
    return f"/api/v1/campaigns/{campaign}/recipient-collections"


def recipients(**address: str) -> dict[str, Any]:
    """A body that has one recipient."""
    person = {"customerName": "Ada", "timezone": "America/New_York", **address}
    return {"name": "Spring", "startAfter": "2026-01-02T00:00:00Z", "recipients": [person]}


@pytest.mark.parametrize(
    ("campaign", "kind", "address"),
    [
        ("campaign-1", "EMAIL", {"emailAddress": "ada@example.org"}),
        ("campaign-2", "SMS", {"phoneNumber": "+16505550101"}),
        ("campaign-3", "VOICE", {"phoneNumber": "650 555 0101"}),
    ],
)
async def test_recipient_collection_answers_200_with_itself(campaign: str, kind: str, address: dict[str, str]) -> None:
    """Its people are not repeated in the answer; a blind repeat contacts them again."""
    emulator = an_emulator(clock=Clock(wall=lambda: NOW))
    payload = recipients(**address) | {"endBefore": "2026-01-03T00:00:00+01:00"}
    async with client_of(emulator) as client:
        status, collection = await asked(client, "POST", collections_of(campaign), payload)
        _, second = await asked(client, "POST", collections_of(campaign), payload)

    assert status == 200
    kept = emulator.store.collections["recipient_collections"]
    assert list(kept) == [collection["id"], second["id"]]
    assert kept[collection["id"]]["recipients"] == payload["recipients"]
    assert collection == {
        "id": collection["id"],
        "campaignId": campaign,
        "type": kind,
        "name": "Spring",
        "startAfter": "2026-01-02T00:00:00Z",
        "endBefore": "2026-01-02T23:00:00Z",
        "status": "SCHEDULED",
    }


async def test_collection_that_may_start_is_active() -> None:
    """And its end may be open."""
    emulator = an_emulator(clock=Clock(wall=lambda: NOW))
    payload = recipients(emailAddress="ada@example.org") | {"startAfter": "2026-01-01T00:00:00Z"}
    async with client_of(emulator) as client:
        _, collection = await asked(client, "POST", collections_of("campaign-1"), payload)

    assert collection["status"] == "ACTIVE"
    assert "endBefore" not in collection


@pytest.mark.parametrize(
    ("payload", "problems"),
    [
        ({}, [("name", "blank"), ("startAfter", "blank"), ("recipients", "blank")]),
        (recipients(), [("recipients.emailAddress", "blank")]),
        (recipients(phoneNumber="+16505550101"), [("recipients.emailAddress", "blank")]),
        (recipients(emailAddress="nobody"), [("recipients.emailAddress", "invalid")]),
        (recipients(emailAddress="a@example.org", timezone="EST6"), [("recipients.timezone", "invalid")]),
        (recipients(emailAddress="a@example.org", customerName=""), [("recipients.customerName", "blank")]),
        (recipients(emailAddress="a@example.org") | {"startAfter": "soon"}, [("startAfter", "invalid")]),
        (
            recipients(emailAddress="a@example.org") | {"endBefore": "2026-01-02T00:00:00Z"},
            [("endBefore", "invalid")],
        ),
        (recipients() | {"recipients": ["a@example.org"]}, [("recipients", "invalid")]),
    ],
)
async def test_collection_that_cannot_be_is_400(payload: object, problems: list[tuple[str, str]]) -> None:
    """Nobody is contacted, not even those who could be."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        assert await asked(client, "POST", collections_of("campaign-1"), payload) == (400, problems)

    assert emulator.store.count("recipient_collections") == 0


async def test_collection_of_a_campaign_that_is_not_there_is_404() -> None:
    """Campaigns are made in the application: here by a method."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        payload = recipients(phoneNumber="+16505550101")
        assert (await asked(client, "POST", collections_of("campaign-9"), payload))[0] == 404
        assert emulator.add_campaign("VOICE", "campaign-9") == "campaign-9"
        status, collection = await asked(client, "POST", collections_of("campaign-9"), payload)

    assert (status, collection["type"]) == (200, "VOICE")


def test_campaign_of_no_kind_is_refused() -> None:
    """There are three kinds."""
    with pytest.raises(ValueError, match="EMAIL, SMS, VOICE"):
        an_emulator().add_campaign("FAX")  # type: ignore[arg-type]


async def test_what_was_sent_survives_in_the_state_file(tmp_path: Path) -> None:
    """Messages, collections and calls."""
    file = tmp_path / "state.json"
    first = an_emulator(state_file=file, seed_customers=1)
    first.start_call("agent-2", "seeded-0000000")
    async with client_of(first) as client:
        await asked(client, "POST", SMS, TEXT)
        await asked(client, "POST", collections_of("campaign-2"), recipients(phoneNumber="+16505550101"))

    second = an_emulator(state_file=file)

    for kind in ("sent_messages", "recipient_collections", "calls", "campaigns"):
        assert second.store.collections[kind] == first.store.collections[kind], kind
        assert second.store.count(kind), kind


@pytest.mark.parametrize(
    ("method", "path"), [("POST", SMS), ("POST", EMAIL), ("POST", TOKEN), ("POST", collections_of("campaign-1"))]
)
async def test_sending_needs_the_permission(method: str, path: str) -> None:
    """401 without credentials, and nothing was sent."""
    emulator = an_emulator()
    async with emulator, aiohttp.ClientSession(emulator.url) as client:
        assert (await asked(client, method, path, {}))[0] == 401


def test_arguments_become_options() -> None:
    """Those of answers, messages and webhooks."""
    given = "--port 0 --language en-us --language de-de --kept-content reference --sender +16505550199 --ping send"

    assert options_from([*given.split(), "--ping-timeout", "2"]) == EmulatorOptions(
        languages=("en-us", "de-de"),
        kept_contents=("reference",),
        senders=("+16505550199",),
        ping="send",
        ping_timeout_s=2.0,
    )
