"""Events that the emulator delivers to webhooks, over real sockets to both sides."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from bulkgladly.emulator import Emulator, EmulatorOptions, Mischief
from bulkgladly.emulator.__main__ import options_from
from bulkgladly.emulator.deliveries.delivery_queue import MAX_IN_FLIGHT, Delivery, DeliveryQueue
from bulkgladly.emulator.operations.event_types import DEPRECATED_SPELLING, WEBHOOK_EVENTS, WEBHOOK_ONLY_SHAPES
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.protocol.outgoing_requests import LoopbackClient
from tests.signing import basic_auth

PATH = "/api/v1/webhooks"
AT_ONCE = 1e9
"""A time scale with which no redelivery waits."""

Reply = int | Callable[[], Any]
"""A status, or a coroutine that is awaited before 200 is sent."""


class Receiver:
    """A server of one's own on this machine. It gives the replies that it is told, and then always the last one."""

    def __init__(self, *replies: Reply) -> None:
        self.replies: list[Reply] = list(replies) or [200]
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        event = orjson.loads(await request.read())
        if event["type"] == "PING":
            return web.Response()
        assert (request.method, request.path) == ("POST", "/hook")
        self.events.append(event)
        self.headers.append(dict(request.headers))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, int):
            return web.Response(status=reply, headers={"Location": "/elsewhere"} if reply == 307 else {})
        await reply()
        return web.Response()

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        handlers = web.Server(self, access_log=None)
        server = await asyncio.get_running_loop().create_server(handlers, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        try:
            yield
        finally:
            server.close()
            handlers.pre_shutdown()
            await handlers.shutdown(1)


@asynccontextmanager
async def started(*receivers: Receiver, **options: Any) -> AsyncIterator[tuple[Emulator, aiohttp.ClientSession]]:
    """Listening receivers, a running emulator without a limit, and somebody who may use it."""
    emulator = Emulator(**{"rate": None, "time_scale": AT_ONCE, **options})
    credentials = basic_auth(emulator.options.username, emulator.options.token)
    async with (
        asyncio.timeout(30),
        AsyncExitStack() as stack,
    ):
        for receiver in receivers:
            await stack.enter_async_context(receiver.listening())
        await stack.enter_async_context(emulator)
        session = aiohttp.ClientSession(emulator.url, headers={"Authorization": credentials})
        yield emulator, await stack.enter_async_context(session)


async def made(client: aiohttp.ClientSession, url: str, events: Iterable[str] = WEBHOOK_EVENTS, **fields: Any) -> str:
    """The id of a new webhook, enabled unless it says otherwise."""
    payload = {"url": url, "events": list(events), "enabled": True, **fields}
    async with client.post(PATH, json=payload) as response:
        assert response.status == 201, await response.text()
        return response.headers["Location"].removeprefix(f"{PATH}/")


async def patched(client: aiohttp.ClientSession, webhook_id: str, **fields: Any) -> int:
    async with client.patch(f"{PATH}/{webhook_id}", json=fields) as response:
        return response.status


async def control(client: aiohttp.ClientSession, name: str, payload: object = None) -> tuple[int, Any]:
    method = "GET" if payload is None else "POST"
    async with client.request(method, f"/_emulator/{name}", json=payload) as response:
        return response.status, await response.json()


async def feed(client: aiohttp.ClientSession) -> list[dict[str, Any]]:
    start = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    entities = ("TASK", "CONTACT", "CONVERSATION", "CUSTOMER", "CUSTOMER_PROFILE", "AGENT_STATUS")
    query = [("startAt", start), *(("entities", entity) for entity in entities)]
    async with client.get("/api/v1/events", params=query) as response:
        assert response.status == 200
        return [orjson.loads(line) for line in (await response.read()).splitlines()]


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks do; the test's own limit ends it."""
    while not condition():  # noqa: ASYNC110  # the emulator has no event for it, and needs none
        await asyncio.sleep(0)


def logged(emulator: Emulator) -> list[tuple[str, int, int | None]]:
    """Type, attempt and status of each logged request but PINGs."""
    lines = emulator.store.collections["webhook_log"].values()
    return [(line["type"], line["attempt"], line["status"]) for line in lines if line["type"] != "PING"]


# What is delivered


async def test_an_event_comes_as_in_the_feed_with_credentials_and_headers() -> None:
    """The same envelope, byte for byte the same content."""
    receiver = Receiver()
    async with started(receiver) as (emulator, client):
        credentials = {"username": "me", "password": "secret"}
        await made(client, receiver.url, credentials=credentials, headers={"X-Key": "v"})
        async with client.post("/api/v1/customer-profiles", json={"id": "ada"}) as response:
            assert response.status == 201
        await emulator.deliveries.drained()
        listed = await feed(client)

    assert receiver.events == listed
    assert [event["type"] for event in listed] == ["CUSTOMER_PROFILE/CREATED"]
    [headers] = receiver.headers
    assert headers["Authorization"] == basic_auth("me", "secret")
    assert (headers["X-Key"], headers["Content-Type"]) == ("v", "application/json")


async def test_each_webhook_gets_what_it_subscribes_to_while_it_is_enabled() -> None:
    """The deprecated spelling is one of the same type."""
    one, two, off = Receiver(), Receiver(), Receiver()
    async with started(one, two, off) as (emulator, client):
        await made(client, one.url, ["TASK/CREATED", DEPRECATED_SPELLING])
        await made(client, two.url, ["TASK/CREATED", "CONTACT/STARTED"])
        await made(client, off.url, enabled=False)
        for kind in ("TASK/CREATED", "CONTACT/STARTED", "CONTACT/ENDED", "CUSTOMER_PROFILE/MERGED"):
            emulator.emit(kind)
        await emulator.deliveries.drained()

    assert {event["type"] for event in one.events} == {"TASK/CREATED", "CUSTOMER_PROFILE/MERGED"}
    assert {event["type"] for event in two.events} == {"TASK/CREATED", "CONTACT/STARTED"}
    assert not off.events


async def test_types_of_webhooks_alone_have_no_initiator_and_are_not_in_the_feed() -> None:
    """A job that ends, a status that changes, and the deprecated event of a merge beside the present one."""
    receiver = Receiver()
    async with started(receiver) as (emulator, client):
        await made(client, receiver.url)
        emulator.exports.add_job(status="FAILED", job_id="job-1")
        waiting = emulator.exports.add_job(status="PENDING", job_id="job-2")
        emulator.exports.finish_job(waiting)
        emulator.add_customer(id="old")
        emulator.add_customer(id="new")
        emulator.add_conversation("new", id="talk")
        emulator.store.merge("old", "new")
        for status in ("CLOSED", "OPEN", "OPEN"):
            async with client.patch("/api/v1/conversations/talk", json={"status": {"value": status}}) as response:
                assert response.status == 204
        await emulator.deliveries.drained()
        listed = {event["type"] for event in await feed(client)}

    alone = [event for event in receiver.events if event["type"] in WEBHOOK_ONLY_SHAPES]
    assert all(list(event) == ["id", "type", "timestamp", "content"] for event in alone)
    talk = {"customerId": "new", "conversationId": "talk"}
    assert sorted((event["type"], event["content"]) for event in alone if event["type"][0] != "E") == [
        ("CONVERSATION_STATUS/UPDATED", talk),
        ("CONVERSATION_STATUS/UPDATED", talk),
        ("CUSTOMER_PROFILE/MERGED", {"sourceCustomerId": "old", "destinationCustomerId": "new"}),
    ]
    assert {(event["type"], event["content"]["jobId"]) for event in alone if event["type"][0] == "E"} == {
        ("EXPORT_JOB/FAILED", "job-1"),
        ("EXPORT_JOB/COMPLETED", "job-2"),
    }
    assert {"CUSTOMER/MERGED", "CONVERSATION/CLOSED", "CONVERSATION/REOPENED"} <= listed
    assert not listed & set(WEBHOOK_ONLY_SHAPES)


async def test_jobs_of_past_nights_and_of_the_future_cause_no_event() -> None:
    """Only a job that becomes complete while somebody can listen does."""
    emulator = Emulator(seed_jobs=3)
    emulator.exports.add_job(updated_at=datetime.now(UTC) + timedelta(hours=1))
    emulator.exports.add_job(status="IN_PROGRESS")

    assert not len(emulator.store.event_log)


async def test_nothing_leaves_the_machine() -> None:
    """An event for another host is logged as not sent, which is no failure."""
    async with started() as (emulator, client):
        webhook_id = await made(client, "https://hooks.example.org/one")
        emulator.emit("TASK/CREATED")
        await emulator.deliveries.drained()
        _, [_, line] = await control(client, "webhook_log")

    assert (line["type"], line["sent"], line["status"], line["attempt"]) == ("TASK/CREATED", False, None, 1)
    assert emulator.store.collections["webhooks"][webhook_id]["enabled"] is True
    assert (emulator.deliveries.counts.not_sent, emulator.deliveries.counts.failed) == (1, 0)


# What happens if it fails


async def hanging() -> None:
    await asyncio.sleep(3600)


async def test_a_delivery_that_fails_is_repeated() -> None:
    """Neither an error nor a redirect nor silence delivers; any success does, and the log has every attempt."""
    receiver = Receiver(500, 307, hanging, 204)
    async with started(receiver, delivery_timeout_s=2) as (emulator, client):
        await made(client, receiver.url)
        [event] = emulator.emit("TASK/CREATED")
        await emulator.deliveries.drained()

    assert receiver.ids == [event.id] * 4
    assert [line[1:] for line in logged(emulator)] == [(1, 500), (2, 307), (3, None), (4, 204)]
    assert (emulator.deliveries.counts.delivered, emulator.deliveries.counts.failed) == (1, 3)


async def test_the_fifth_failure_deactivates_the_webhook(caplog: pytest.LogCaptureFixture) -> None:
    """With a date and an email. What else was pending is dropped; enabled again, it gets what happens then."""
    receiver = Receiver(500)
    async with started(receiver) as (emulator, client):
        webhook_id = await made(client, receiver.url, name="lake")
        events = emulator.emit("TASK/CREATED", count=20)
        with caplog.at_level(logging.WARNING, "bulkgladly.emulator"):
            await emulator.deliveries.drained()
        gone = emulator.store.collections["webhooks"][webhook_id]
        emulator.emit("TASK/CREATED")
        before = len(receiver.events)
        receiver.replies[:] = [200]
        assert await patched(client, webhook_id, enabled=True) == 204
        [last] = emulator.emit("TASK/CREATED")
        await emulator.deliveries.drained()
        back = emulator.store.collections["webhooks"][webhook_id]

    assert gone["enabled"] is False
    assert gone["disabledAtDueToRetryLimit"] == gone["updatedAt"]
    [email] = caplog.messages
    assert all(part in email for part in ("email", "lake", webhook_id, "5 attempts"))
    assert max(receiver.ids.count(event.id) for event in events) == 5
    assert receiver.ids[before:] == [last.id]
    assert back["enabled"] is True
    assert "disabledAtDueToRetryLimit" not in back
    assert emulator.deliveries.counts.deactivated == 1


async def test_a_deactivated_webhook_stays_so_until_a_ping_is_answered() -> None:
    """By default the PING is really sent."""
    receiver = Receiver(503)
    async with started(receiver) as (emulator, client):
        webhook_id = await made(client, receiver.url)
        emulator.emit("TASK/CREATED")
        await emulator.deliveries.drained()
        emulator.store.collections["webhooks"][webhook_id] |= {"url": "http://127.0.0.1:9/hook"}

        assert await patched(client, webhook_id, enabled=True) == 400
        assert await patched(client, webhook_id, enabled=True, url=receiver.url) == 204


async def test_what_is_pending_for_a_disabled_or_deleted_webhook_is_dropped() -> None:
    """It is asked for when it becomes due."""
    receiver = Receiver()
    async with started(receiver) as (emulator, client):
        one = await made(client, receiver.url)
        emulator.deliveries.pause()
        emulator.emit("TASK/CREATED", count=3)
        assert await patched(client, one, enabled=False) == 204
        emulator.deliveries.resume()
        await emulator.deliveries.drained()
        two = await made(client, f"{receiver.url}?2")
        emulator.deliveries.pause()
        emulator.emit("TASK/CREATED", count=2)
        await patched(client, two, enabled=False)
        async with client.delete(f"{PATH}/{two}") as response:
            assert response.status == 204
        emulator.deliveries.resume()
        await emulator.deliveries.drained()

    assert not receiver.events
    assert emulator.deliveries.counts.dropped == 5


async def test_redeliveries_wait_unless_time_is_scaled() -> None:
    """At least half a minute; who stops meanwhile does not wait for them."""
    receiver = Receiver(500)
    async with started(receiver, time_scale=1) as (emulator, client):
        await made(client, receiver.url)
        emulator.emit("TASK/CREATED", count=3)
        await until(lambda: emulator.deliveries.counts.failed == 3)
        status = emulator.deliveries.status()

    assert (status["waiting"], status["due"]) == (3, 0)
    assert len(receiver.events) == 3


async def test_headers_that_cannot_be_sent_are_a_failure() -> None:
    """No webhook can stop the others by its headers."""
    receiver = Receiver()
    async with started(receiver, ping="assume_ok") as (emulator, client):
        await made(client, receiver.url, headers={"Content-Length": "many"})
        await made(client, f"{receiver.url}?2")
        emulator.emit("TASK/CREATED")
        await emulator.deliveries.drained()

    assert len(receiver.events) == 1
    assert emulator.deliveries.counts.deactivated == 1


# Order and bounds


async def test_a_slow_receiver_holds_eight_requests_and_nobody_else() -> None:
    """The API replies and another webhook gets its events meanwhile; then everything comes."""
    gate = asyncio.Event()
    slow, quick = Receiver(gate.wait), Receiver()
    async with started(slow, quick) as (emulator, client):
        await made(client, slow.url)
        await made(client, quick.url)
        emulator.emit("TASK/CREATED", count=100)
        await until(lambda: len(quick.events) == 100 and len(slow.events) == MAX_IN_FLIGHT)
        status, state = await control(client, "deliveries")
        gate.set()
        await emulator.deliveries.drained()

    assert (status, state["in_flight"], state["due"]) == (200, MAX_IN_FLIGHT, 100 - MAX_IN_FLIGHT)
    assert len(slow.events) == len(set(slow.ids)) == 100


async def test_deliveries_start_in_the_order_of_the_events() -> None:
    """Also if each takes a different time."""
    begun: list[int] = []

    async def send(delivery: Delivery) -> None:
        begun.append(delivery.event.number)
        for _ in range(delivery.event.number * 7 % 5):
            await asyncio.sleep(0)

    queue = DeliveryQueue(send, lambda: False)
    for number in range(200):
        queue.put(Delivery(Event("TASK/CREATED", {}, None, 0, number)))
        if number % 13 == 0:
            await asyncio.sleep(0)
    await until(lambda: not queue.due + queue.in_flight)

    assert begun == list(range(200))


async def test_nothing_starts_during_a_pause() -> None:
    """Events are kept, and sent afterwards."""
    receiver = Receiver()
    async with started(receiver) as (emulator, client):
        await made(client, receiver.url)
        assert (await control(client, "deliveries", {"paused": True}))[1]["paused"] is True
        emulator.emit("TASK/CREATED", count=30)
        _, state = await control(client, "deliveries")
        assert (state["due"], state["in_flight"], receiver.events) == (30, 0, [])
        await control(client, "deliveries", {"paused": False})
        await emulator.deliveries.drained()

    assert len(set(receiver.ids)) == 30


async def test_the_emulator_stops_while_a_receiver_hangs() -> None:
    """Requests are cancelled, what is queued is forgotten, and events that come later are only logged."""
    receiver = Receiver(hanging)
    async with started(receiver) as (emulator, client):
        await made(client, receiver.url)
        emulator.emit("TASK/CREATED", count=50)
        await until(lambda: receiver.events)
    emulator.emit("TASK/CREATED")

    assert emulator.deliveries.status()["due"] == emulator.deliveries.status()["in_flight"] == 0
    assert emulator.deliveries.counts.delivered == 0


async def test_webhooks_of_a_state_file_get_events(tmp_path: Path) -> None:
    """They are enabled as they were, and need no new PING."""
    receiver, state = Receiver(), tmp_path / "state.json"
    async with receiver.listening():
        async with started(state_file=state) as (_, client):
            await made(client, receiver.url)
        async with started(state_file=state) as (emulator, _):
            [event] = emulator.emit("TASK/CREATED")
            await emulator.deliveries.drained()

    assert receiver.ids == [event.id]


# What goes wrong on purpose


async def test_duplicates() -> None:
    """A share of the events comes twice, and the seed says which."""
    found: list[list[int]] = []
    for seed in (1, 1, 2):
        receiver = Receiver()
        async with started(receiver, seed=seed, delivery_duplicates=0.5) as (emulator, client):
            await made(client, receiver.url)
            events = emulator.emit("TASK/CREATED", count=60)
            await emulator.deliveries.drained()
        assert set(receiver.ids) == {event.id for event in events}
        found.append([receiver.ids.count(event.id) for event in events])
        assert emulator.deliveries.counts.duplicates == len(receiver.ids) - 60

    assert found[0] == found[1] != found[2]
    assert set(found[0]) == {1, 2}


async def test_a_duplicate_that_fails_is_not_repeated() -> None:
    """Only one of the two counts towards the limit."""
    receiver = Receiver(500)
    async with started(receiver, delivery_duplicates=1) as (emulator, client):
        await made(client, receiver.url)
        emulator.emit("TASK/CREATED")
        await emulator.deliveries.drained()

    assert len(receiver.events) == 6
    assert emulator.deliveries.counts.deactivated == 1


async def test_another_order() -> None:
    """Each event is held back for a time of its own, and all of them come."""
    receiver = Receiver()
    async with started(receiver) as (emulator, client):
        await made(client, receiver.url)
        await control(client, "deliveries", {"reorder_s": 0.2})
        events = [event.id for event in emulator.emit("TASK/CREATED", count=40)]
        await emulator.deliveries.drained()

    assert sorted(receiver.ids) == sorted(events)
    assert receiver.ids != events


async def test_lost_replies() -> None:
    """The receiver has replied but gets the event again; that alone never deactivates the webhook."""
    receiver = Receiver()
    async with started(receiver, delivery_lost_replies=1) as (emulator, client):
        webhook_id = await made(client, receiver.url)
        events = emulator.emit("TASK/CREATED", count=5)
        await emulator.deliveries.drained()

    assert [receiver.ids.count(event.id) for event in events] == [5] * 5
    counts = emulator.deliveries.counts
    assert (counts.delivered, counts.failed, counts.lost_replies) == (5, 20, 20)
    assert emulator.store.collections["webhooks"][webhook_id]["enabled"] is True
    assert {(attempt, status) for _, attempt, status in logged(emulator)} == {
        *((attempt, None) for attempt in range(1, 5)),
        (5, 200),
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"duplicates": 1.5},
        {"lost_replies": -0.1},
        {"lost_replies": True},
        {"reorder_s": -1},
        {"reorder_s": "long"},
        {"paused": 1},
        {"loops": 1},
        [1],
        5,
    ],
)
async def test_settings_that_cannot_be_are_400(settings: object) -> None:
    """And nothing changes."""
    async with started() as (emulator, client):
        before = emulator.deliveries.status()
        assert (await control(client, "deliveries", settings))[0] == 400
        assert emulator.deliveries.status() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_scale": 0},
        {"delivery_timeout_s": 0},
        {"delivery_duplicates": 1.1},
        {"delivery_lost_replies": -1},
        {"delivery_reorder_s": float("inf")},
        {"live_traffic": float("nan")},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    """The message names them."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EmulatorOptions(**wrong)


def test_options_by_flag() -> None:
    """All of them."""
    flags = "--time-scale 600 --delivery-timeout 2 --delivery-duplicates 0.1 --delivery-reorder 5"
    options = options_from([*flags.split(), "--delivery-lost-replies", "0.2"])
    emulator = Emulator(options)

    assert (options.time_scale, options.delivery_timeout_s) == (600, 2)
    assert emulator.deliveries.mischief == Mischief(duplicates=0.1, reorder_s=5, lost_replies=0.2)


async def test_the_client_refuses_other_machines() -> None:
    """Whoever calls it."""
    with pytest.raises(ValueError, match="loopback"):
        await LoopbackClient(within_s=1).post("https://hooks.example.org/", b"", {})
