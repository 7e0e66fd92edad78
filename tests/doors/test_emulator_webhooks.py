"""Webhooks and their PING, over real sockets to both sides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bulkgladly.emulator import Clock, drop_reply, status
from bulkgladly.emulator.operations.event_types import DEPRECATED_SPELLING
from bulkgladly.emulator.protocol.outgoing_requests import OutgoingRequest, is_loopback, send_outgoing
from bulkgladly.emulator.protocol.replies import Reply
from tests.doors.emulator_client import an_emulator, asked, client_of
from tests.signing import basic_auth

PATH = "/api/v1/webhooks"
URL = "https://hooks.example.org/one"
EVENTS = ["TASK/CREATED", "EXPORT_JOB/COMPLETED"]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Receiver:
    """A server of one's own on this machine, which notes what comes and answers as it is told to."""

    def __init__(self, status: int = 200, *, then: Handler | None = None) -> None:
        self.status = status
        self.seen: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self._then = then

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append((request.method, await request.json(), dict(request.headers)))
        if self._then is not None:
            return await self._then(request)
        return web.Response(status=self.status)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The URL at which it can be reached."""
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self.answer)
        async with TestServer(application, host="127.0.0.1") as server:
            yield str(server.make_url("/hook"))


async def made(client: aiohttp.ClientSession, **fields: Any) -> str:
    """The path of a new webhook."""
    async with client.post(PATH, json={"url": URL, "events": EVENTS, **fields}) as response:
        assert response.status == 201, await response.text()
        return response.headers["Location"]


async def test_create_answers_201_with_a_relative_location_and_no_body() -> None:
    """The webhook is disabled unless it says otherwise."""
    clock = Clock(wall=lambda: 1_704_164_645.678)
    payload: dict[str, Any] = {"url": URL, "events": EVENTS, "name": "Lake", "id": "mine", "hasCredentials": True}
    emulator = an_emulator(clock=clock)
    async with client_of(emulator) as client:
        async with client.post(PATH, json=payload) as response:
            assert (response.status, await response.read()) == (201, b"")
            path = response.headers["Location"]
        _, webhook = await asked(client, "GET", path)
        listed = await asked(client, "GET", PATH)

    assert webhook == {
        "id": path.removeprefix(f"{PATH}/"),
        "name": "Lake",
        "url": URL,
        "events": EVENTS,
        "enabled": False,
        "hasCredentials": False,
        "headerKeys": [],
        "createdAt": "2024-01-02T03:04:05.678Z",
        "updatedAt": "2024-01-02T03:04:05.678Z",
    }
    assert webhook["id"] != "mine"
    assert listed == (200, [webhook])


async def test_what_is_write_only_does_not_come_back() -> None:
    """Only that there are credentials, and the names of the headers."""
    secrets = {"credentials": {"username": "me", "password": "hidden"}, "headers": {"X-Key": "hidden"}}
    async with client_of(an_emulator()) as client:
        path = await made(client, **secrets)
        _, webhook = await asked(client, "GET", path)
        await asked(client, "PATCH", path, {"credentials": None, "headers": None})
        _, emptied = await asked(client, "GET", path)

    assert (webhook["hasCredentials"], webhook["headerKeys"]) == (True, ["X-Key"])
    assert "hidden" not in str(webhook)
    assert (emptied["hasCredentials"], emptied["headerKeys"]) == (False, [])


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"url": None, "events": None}, [("url", "blank"), ("events", "blank")]),
        ({"url": "http://hooks.example.org/"}, [("url", "invalid")]),
        ({"url": "ftp://127.0.0.1/"}, [("url", "invalid")]),
        ({"url": "hooks.example.org"}, [("url", "invalid")]),
        ({"url": "https://"}, [("url", "invalid")]),
        ({"url": "https://[nonsense/"}, [("url", "invalid")]),
        ({"url": 5}, [("url", "invalid")]),
        ({"events": []}, [("events", "blank")]),
        ({"events": ["TASK/CREATED", "TASK/EATEN"]}, [("events", "invalid")]),
        ({"events": ["PING"]}, [("events", "invalid")]),
        ({"events": "TASK/CREATED"}, [("events", "invalid")]),
        ({"name": "n" * 201}, [("name", "too_long")]),
        ({"enabled": "yes"}, [("enabled", "invalid")]),
        ({"credentials": {"username": "me"}}, [("credentials.password", "blank")]),
        ({"credentials": "me"}, [("credentials", "invalid")]),
        ({"headers": {"X-Key": 1}}, [("headers", "invalid")]),
        ({"headers": {"X Key": "v"}}, [("headers", "invalid")]),
        ({"headers": {"X-Key": "v\r\nX-Other: w"}}, [("headers", "invalid")]),
    ],
)
async def test_webhook_that_cannot_be_is_400(changes: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    """On create and on update alike; nothing changes."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        assert await asked(client, "POST", PATH, {"url": URL, "events": EVENTS, **changes}) == (400, problems)
        assert emulator.store.count("webhooks") == 0
        path = await made(client)
        before = dict(emulator.store.collections["webhooks"])
        assert await asked(client, "PATCH", path, changes) == (400, problems)

    assert dict(emulator.store.collections["webhooks"]) == before


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:9/x", "https://127.0.0.1/x"]
)
async def test_loopback_needs_no_https(url: str) -> None:
    """So that a test can have a receiver of its own."""
    async with client_of(an_emulator()) as client:
        await made(client, url=url, events=[DEPRECATED_SPELLING, "CUSTOMER_PROFILE/MERGED"])


async def test_url_belongs_to_one_webhook() -> None:
    """A repeat of a create cannot make a second one; a repeat of a PATCH does no harm."""
    async with client_of(an_emulator()) as client:
        path = await made(client)
        other = await made(client, url=f"{URL}/two")

        assert await asked(client, "POST", PATH, {"url": URL, "events": EVENTS}) == (400, [("url", "taken")])
        assert await asked(client, "PATCH", other, {"url": URL}) == (400, [("url", "taken")])
        assert await asked(client, "PATCH", path, {"url": URL}) == (204, None)


async def test_there_are_at_most_twenty() -> None:
    """Deleting one makes room for one."""
    async with client_of(an_emulator()) as client:
        paths = [await made(client, url=f"{URL}/{number}") for number in range(20)]
        payload = {"url": URL, "events": EVENTS}

        assert await asked(client, "POST", PATH, payload) == (400, [(None, "invalid")])
        assert await asked(client, "DELETE", paths[0]) == (204, None)
        assert (await asked(client, "POST", PATH, payload))[0] == 201


async def test_enabled_webhook_cannot_be_deleted() -> None:
    """400 without a body, as none is declared; disabled it goes, once."""
    async with client_of(an_emulator()) as client:
        path = await made(client, enabled=True)

        assert await asked(client, "DELETE", path) == (400, None)
        assert await asked(client, "PATCH", path, {"enabled": False}) == (204, None)
        assert await asked(client, "DELETE", path) == (204, None)
        assert await asked(client, "DELETE", path) == (404, [(None, "not_exist")])


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_unknown_webhook_is_404(method: str) -> None:
    """Whatever is asked of it."""
    async with client_of(an_emulator()) as client:
        payload: dict[str, Any] | None = {} if method == "PATCH" else None

        assert await asked(client, method, f"{PATH}/nobody", payload) == (404, [(None, "not_exist")])


async def test_patch_changes_what_it_names() -> None:
    """Events are replaced as a whole, and a null for the flag changes nothing."""
    async with client_of(an_emulator()) as client:
        path = await made(client, name="Lake", enabled=True)
        _, before = await asked(client, "GET", path)
        assert await asked(client, "PATCH", path, {"events": ["CUSTOMER/MERGED"], "enabled": None}) == (204, None)
        _, after = await asked(client, "GET", path)

    assert after == before | {"events": ["CUSTOMER/MERGED"], "updatedAt": after["updatedAt"]}


async def test_webhook_that_gladly_gave_up_on_is_enabled_by_hand() -> None:
    """The date of giving up goes with that."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        path = await made(client, enabled=True)
        emulator.give_up_on_webhook(path.removeprefix(f"{PATH}/"))
        _, gone = await asked(client, "GET", path)
        await asked(client, "PATCH", path, {"name": "Lake"})
        _, renamed = await asked(client, "GET", path)
        await asked(client, "PATCH", path, {"enabled": True})
        _, back = await asked(client, "GET", path)

    assert gone["enabled"] is renamed["enabled"] is False
    assert gone["disabledAtDueToRetryLimit"] == renamed["disabledAtDueToRetryLimit"] == gone["updatedAt"]
    assert back["enabled"] is True
    assert "disabledAtDueToRetryLimit" not in back


@pytest.mark.parametrize(
    ("changes", "pings"),
    [
        ({"enabled": True}, 1),
        ({"url": f"{URL}/new"}, 1),
        ({"url": f"{URL}/new", "enabled": True}, 1),
        ({"url": URL}, 0),
        ({"enabled": False}, 0),
        ({"name": "n", "events": EVENTS, "headers": {}}, 0),
    ],
)
async def test_enabling_or_another_url_needs_a_ping(changes: dict[str, Any], pings: int) -> None:
    """And nothing else does; where none is answered, nothing changes."""
    emulator = an_emulator(ping="refuse")
    async with client_of(emulator) as client:
        path = await made(client)
        _, before = await asked(client, "GET", path)
        answer = await asked(client, "PATCH", path, changes)
        _, after = await asked(client, "GET", path)

    assert answer == ((400, [("url", "invalid")]) if pings else (204, None))
    assert emulator.store.count("webhook_log") == pings
    assert after == before or not pings


async def test_enabled_webhook_is_made_only_with_a_ping() -> None:
    """A disabled one needs none. The log has the PING that failed, too."""
    emulator = an_emulator(ping="refuse")
    async with client_of(emulator) as client:
        payload = {"url": URL, "events": EVENTS, "enabled": True}
        assert await asked(client, "POST", PATH, payload) == (400, [("url", "invalid")])

    assert emulator.store.count("webhooks") == 0
    [line] = emulator.store.collections["webhook_log"].values()
    assert (line["url"], line["type"], line["status"], line["sent"]) == (URL, "PING", None, False)


async def test_ping_is_sent_to_a_loopback_address() -> None:
    """As an event without content, with the webhook's own headers and credentials."""
    receiver = Receiver()
    emulator = an_emulator(ping="send")
    async with receiver.listening() as url, client_of(emulator) as client:
        credentials = {"username": "me", "password": "token", "realm": "r"}
        path = await made(client, url=url, enabled=True, credentials=credentials, headers={"X-Key": "v"})
        _, webhook = await asked(client, "GET", path)

    [(method, ping, headers)] = receiver.seen
    assert webhook["enabled"] is True
    assert method == "POST"
    assert sorted(ping) == ["content", "id", "timestamp", "type"]
    assert (ping["type"], ping["content"]) == ("PING", {})
    assert headers["Authorization"] == basic_auth("me", "token")
    assert (headers["X-Key"], headers["Content-Type"]) == ("v", "application/json")
    [line] = emulator.store.collections["webhook_log"].values()
    assert (line["webhookId"], line["status"], line["sent"]) == (webhook["id"], 200, True)


async def test_webhook_that_is_enabled_already_needs_no_ping() -> None:
    """A PATCH that is repeated does not ask again."""
    receiver = Receiver()
    async with receiver.listening() as url, client_of(an_emulator(ping="send")) as client:
        path = await made(client, url=url, enabled=True)
        receiver.status = 500
        assert await asked(client, "PATCH", path, {"enabled": True, "url": url, "name": "n"}) == (204, None)

    assert len(receiver.seen) == 1


@pytest.mark.parametrize("status", [201, 204, 302, 404, 500])
async def test_ping_must_be_answered_with_200(status: int) -> None:
    """Another success is none, and a redirect is not followed."""
    receiver = Receiver(status)
    emulator = an_emulator(ping="send")
    async with receiver.listening() as url, client_of(emulator) as client:
        payload = {"url": url, "events": EVENTS, "enabled": True}
        assert await asked(client, "POST", PATH, payload) == (400, [("url", "invalid")])
        receiver.status = 200
        assert (await asked(client, "POST", PATH, payload))[0] == 201

    assert len(receiver.seen) == 2


async def test_redirect_of_a_ping_is_not_followed() -> None:
    """Wherever it points, nothing more is sent."""

    async def redirect(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    receiver = Receiver(then=redirect)
    async with receiver.listening() as url, client_of(an_emulator(ping="send")) as client:
        assert (await asked(client, "POST", PATH, {"url": url, "events": EVENTS, "enabled": True}))[0] == 400

    assert len(receiver.seen) == 1


async def test_ping_without_a_server_is_not_answered() -> None:
    """The port is closed, or the server says nothing in time."""
    waiting = asyncio.Event()

    async def silence(request: web.BaseRequest) -> web.StreamResponse:
        await waiting.wait()
        return web.Response()

    async with Receiver().listening() as closed:
        pass
    emulator = an_emulator(ping="send", ping_timeout_s=0.05)
    async with Receiver(then=silence).listening() as silent, client_of(emulator) as client:
        for url in (closed, silent):
            payload = {"url": url, "events": EVENTS, "enabled": True}
            assert await asked(client, "POST", PATH, payload) == (400, [("url", "invalid")])
        waiting.set()

    assert [line["status"] for line in emulator.store.collections["webhook_log"].values()] == [None, None]


async def test_no_ping_leaves_the_machine() -> None:
    """With `send`, another address counts as having answered, and the log says that nothing was sent."""
    emulator = an_emulator(ping="send")
    async with client_of(emulator) as client:
        await made(client, enabled=True)

    [line] = emulator.store.collections["webhook_log"].values()
    assert (line["status"], line["sent"]) == (200, False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1/", True),
        ("http://127.9.9.9:80/x", True),
        ("http://[::1]/", True),
        ("http://localhost:8080/", True),
        ("http://LOCALHOST/", True),
        ("http://192.0.2.1/", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://localhost.example.org/", False),
        ("http://127.0.0.1@example.org/", False),
        ("http://example.org/?127.0.0.1", False),
        ("http://0.0.0.0/", False),
        ("http://2130706433/", False),
        ("nonsense", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_what_is_loopback(url: str, expected: bool) -> None:
    """By its text alone."""
    assert is_loopback(url) is expected


async def test_errand_to_another_machine_is_refused() -> None:
    """Whoever asks for it."""
    with pytest.raises(ValueError, match="loopback"):
        await send_outgoing(OutgoingRequest(URL, b"", {}, 1.0, lambda _: Reply(200)))


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_two_webhooks_cannot_get_one_url_while_a_ping_is_on_its_way(method: str) -> None:
    """What was free before the PING is looked at again after it."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.Response()

    emulator = an_emulator(ping="send")
    async with Receiver(then=wait).listening() as url, client_of(emulator) as client:
        path = PATH if method == "POST" else await made(client)
        slow = asyncio.create_task(asked(client, method, path, {"url": url, "events": EVENTS, "enabled": True}))
        await arrived.wait()
        quick = await made(client, url=url)
        go_on.set()

        assert await slow == (400, [("url", "taken")])
        assert (await asked(client, "GET", quick))[1]["url"] == url

    assert sum(webhook["url"] == url for webhook in emulator.store.collections["webhooks"].values()) == 1


async def test_webhook_that_goes_while_its_ping_is_on_its_way_is_404() -> None:
    """The change finds nothing to change."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.Response()

    async with Receiver(then=wait).listening() as url, client_of(an_emulator(ping="send")) as client:
        path = await made(client, url=url)
        slow = asyncio.create_task(asked(client, "PATCH", path, {"enabled": True}))
        await arrived.wait()
        assert (await asked(client, "DELETE", path))[0] == 204
        go_on.set()

        assert (await slow)[0] == 404


async def test_emulator_stops_while_a_ping_waits() -> None:
    """Nothing is made, and nothing is left behind."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.Response()

    emulator = an_emulator(ping="send")
    async with Receiver(then=wait).listening() as url:
        async with client_of(emulator) as client:
            payload = {"url": url, "events": EVENTS, "enabled": True}
            slow = asyncio.create_task(asked(client, "POST", PATH, payload))
            await arrived.wait()
            await emulator.stop()
            with pytest.raises(aiohttp.ClientError):
                await slow
        go_on.set()

    assert emulator.store.count("webhooks") == 0


async def test_faults_spoil_the_answer_and_not_the_ping() -> None:
    """A dropped reply comes after the PING and the commit; a 503 before both."""
    receiver = Receiver()
    emulator = an_emulator(ping="send")
    emulator.faults.at("createWebhook", [1], status(503))
    emulator.faults.at("createWebhook", [2], drop_reply())
    async with receiver.listening() as url, client_of(emulator) as client:
        payload = {"url": url, "events": EVENTS, "enabled": True}
        assert (await asked(client, "POST", PATH, payload))[0] == 503
        assert (len(receiver.seen), emulator.store.count("webhooks")) == (0, 0)
        with pytest.raises(aiohttp.ClientError):
            await asked(client, "POST", PATH, payload)
        assert await asked(client, "POST", PATH, payload) == (400, [("url", "taken")])

    assert (len(receiver.seen), emulator.store.count("webhooks")) == (1, 1)


async def test_log_keeps_a_hundred_lines_of_a_month() -> None:
    """Older lines go when a new one comes."""
    now = [1_767_225_600.0]
    emulator = an_emulator(ping="refuse", clock=Clock(wall=lambda: now[0]))
    log = emulator.store.collections["webhook_log"]
    payload = {"url": URL, "events": EVENTS, "enabled": True}
    async with client_of(emulator) as client:
        for _ in range(102):
            await asked(client, "POST", PATH, payload)
            now[0] += 1
        assert next(line["timestamp"] for line in log.values()) == "2026-01-01T00:00:02.000Z"
        assert len(log) == 100

        now[0] += 31 * 86_400
        await asked(client, "POST", PATH, payload)

    assert len(log) == 1


async def test_webhooks_survive_in_the_state_file(tmp_path: Path) -> None:
    """With what is write-only."""
    file = tmp_path / "state.json"
    first = an_emulator(state_file=file)
    async with client_of(first) as client:
        await made(client, enabled=True, headers={"X-Key": "v"})

    second = an_emulator(state_file=file)

    assert second.store.collections["webhooks"] == first.store.collections["webhooks"]
    assert second.store.collections["webhook_log"] == first.store.collections["webhook_log"]


def test_time_for_a_ping_must_be_some() -> None:
    """No time at all would refuse every webhook."""
    with pytest.raises(ValueError, match="ping_timeout_s"):
        an_emulator(ping_timeout_s=0)
