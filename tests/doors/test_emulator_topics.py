"""The emulator's topics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import Emulator
from tests.doors.emulator_client import problems_of, replied
from tests.signing import basic_auth

TOPICS = "/api/v1/topics"


@asynccontextmanager
async def started(**changes: Any) -> AsyncIterator[tuple[Emulator, aiohttp.ClientSession]]:
    """An emulator without a limit, and a session that knows the credentials."""
    async with Emulator(rate=None, **changes) as emulator:
        credentials = basic_auth(emulator.options.username, emulator.options.token)
        async with aiohttp.ClientSession(emulator.url, headers={"Authorization": credentials}) as client:
            yield emulator, client


async def test_topic_answers_201_and_can_be_read_back() -> None:
    """Not archived unless asked for; it is the last of the list."""
    async with started() as (_, client):
        payload = {"id": "t-1", "name": "Gifts", "parentId": "topic-1"}
        async with client.post(TOPICS, json=payload) as response:
            assert (response.status, await response.read()) == (201, b"")
            assert response.headers["Location"] == f"{TOPICS}/t-1"

        assert await replied(client, "GET", f"{TOPICS}/t-1") == (200, payload | {"disabled": False})
        assert (await replied(client, "GET", TOPICS))[1][-1]["id"] == "t-1"


async def test_topic_without_an_id_gets_one() -> None:
    """In the usual style."""
    async with started() as (_, client), client.post(TOPICS, json={"name": "Gifts", "disabled": True}) as response:
        topic_id = response.headers["Location"].removeprefix(f"{TOPICS}/")

        assert len(topic_id) == 22
        assert (await replied(client, "GET", f"{TOPICS}/{topic_id}"))[1]["disabled"] is True


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, [("name", "blank")]),
        ({"name": " ", "id": "a/b"}, [("id", "invalid"), ("name", "blank")]),
        ({"name": 5}, [("name", "invalid")]),
        ({"name": "Gifts", "disabled": "no"}, [("disabled", "invalid")]),
        ({"name": "Gifts", "parentId": "none"}, [("parentId", "not_exist")]),
    ],
)
async def test_topic_that_cannot_be_is_400(payload: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Every fault is named, and nothing is added."""
    async with started() as (emulator, client):
        count = emulator.store.count("topics")

        status, body = await replied(client, "POST", TOPICS, payload)

        assert (status, problems_of(body)) == (400, expected)
        assert emulator.store.count("topics") == count


@pytest.mark.parametrize(
    ("payload", "attr", "meta"),
    [
        ({"id": "topic-1", "name": "Gifts"}, "id", None),
        ({"id": "topic-1", "name": "Orders"}, "id", None),
        ({"name": "Orders"}, "name", {"id": "topic-1"}),
    ],
)
async def test_taken_id_or_name_is_409(payload: dict[str, Any], attr: str, meta: dict[str, str] | None) -> None:
    """The name tells whose it is."""
    async with started() as (_, client):
        status, body = await replied(client, "POST", TOPICS, payload)

    assert (status, problems_of(body)) == (409, [(attr, "taken")])
    assert body["errors"][0].get("meta") == meta


async def test_update_changes_what_it_says() -> None:
    """The name has to be said; it may be the topic's own. An id in the body does no harm."""
    async with started() as (emulator, client):
        topics = emulator.store.collections["topics"]

        payload = {"id": "topic-2", "name": "Late orders", "disabled": True}
        assert await replied(client, "PATCH", f"{TOPICS}/topic-2", payload) == (204, None)
        assert topics["topic-2"] == payload | {"parentId": "topic-1"}

        assert (await replied(client, "PATCH", f"{TOPICS}/topic-2", {"name": "New"}))[0] == 204
        assert topics["topic-2"]["name"] == "New"


@pytest.mark.parametrize(
    ("topic", "payload", "status", "expected"),
    [
        ("topic-2", {"disabled": True}, 400, ("name", "blank")),
        ("topic-2", {"name": "Orders"}, 409, ("name", "taken")),
        ("topic-1", {"name": "Orders", "parentId": "topic-1"}, 400, ("parentId", "invalid")),
        ("topic-1", {"name": "Orders", "parentId": "topic-2"}, 400, ("parentId", "invalid")),
        ("none", {"name": "Gifts"}, 404, (None, "not_exist")),
    ],
)
async def test_update_that_cannot_be_is_refused(
    topic: str, payload: dict[str, Any], status: int, expected: tuple[str | None, str]
) -> None:
    """Nothing changes; a topic cannot come to lie below itself."""
    async with started() as (emulator, client):
        before = dict(emulator.store.collections["topics"])

        answer, body = await replied(client, "PATCH", f"{TOPICS}/{topic}", payload)

        assert (answer, problems_of(body)) == (status, [expected])
        assert dict(emulator.store.collections["topics"]) == before
