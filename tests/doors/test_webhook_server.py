"""The webhook server over real connections: what each delivery gets, and what is in the inbox then."""

import asyncio
import base64
import contextlib
import datetime as dt
import gzip
import io
import json
import logging
import os
import resource
import shutil
import socket
import sqlite3
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from bulkgladly.errors import UsageError
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.stored_events import StoredEvent
from bulkgladly.webhooks.listen_options import ListenOptions
from bulkgladly.webhooks.listen_secrets import ListenSecrets
from bulkgladly.webhooks.webhook_server import ServerBounds, WebhookServer
from tests.doors.serving_tls import CERTIFICATE

HOST = "https://example.gladly.com"
PASSWORD = "planted-password-1f6b"
SECRETS = ListenSecrets("gladly", [PASSWORD])
NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
LIMIT_S = 10.0
Headers = Mapping[str, str]


def basic(password: str = PASSWORD, username: str = "gladly") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}


def event(number: int = 1, event_type: str = "CONVERSATION/CLOSED", **more: Any) -> bytes:
    """One event as Gladly sends it."""
    about = {"id": f"event-{number}", "type": event_type, "timestamp": "2026-11-27T11:59:00.000Z"}
    return orjson.dumps({**about, "content": {"conversationId": "c-1"}, **more})


@dataclass
class Listening:
    """A server, its inbox, and the lines that it told."""

    server: WebhookServer
    inbox: Inbox
    session: aiohttp.ClientSession
    told: list[str] = field(default_factory=list)

    async def post(self, body: Any, headers: Headers | None = None, **more: Any) -> int:
        """Deliver something, and return the status; the response must be empty."""
        given = basic() if headers is None else headers
        async with self.session.post(self.server.url, data=body, headers=given, **more) as response:
            assert await response.read() == b""
            return response.status

    async def health(self) -> tuple[int, dict[str, Any]]:
        url = self.server.url.rpartition("/")[0] + "/healthz"
        async with self.session.get(url) as response:
            return response.status, json.loads(await response.read())

    def stored(self) -> list[StoredEvent]:
        return self.inbox.reader.after(0)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.server.url.partition("://")[2].partition("/")[0].rpartition(":")
        return host, int(port)


@contextlib.asynccontextmanager
async def listening(
    folder: Path,
    options: ListenOptions | None = None,
    secrets: ListenSecrets = SECRETS,
    **more: Any,
) -> AsyncIterator[Listening]:
    told: list[str] = []
    options = options or ListenOptions(at="127.0.0.1:0")
    with Inbox(folder / "state", HOST) as inbox:
        server = WebhookServer(inbox, options, secrets, note=told.append, now=lambda: NOW, **more)
        await server.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield Listening(server, inbox, session, told)
        finally:
            await server.stop()
    assert not [line for line in told if PASSWORD in line]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Listening]:
    async with listening(tmp_path) as found:
        yield found


@contextlib.contextmanager
def locked(inbox: Inbox) -> Iterator[None]:
    """Another process writes to the inbox for a long time."""
    other = sqlite3.connect(inbox.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must become true."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


# --- what is authentic gets 200 after it is stored ---


@pytest.mark.parametrize("event_type", ["CONVERSATION/CLOSED", "EXPORT_JOB/COMPLETED", "SOMETHING/NEW"])
async def test_an_event_is_stored_as_it_came(here: Listening, event_type: str) -> None:
    """Known or unknown type: the same bytes, before the 200."""
    body = b" " + event(event_type=event_type)

    assert await here.post(body) == 200

    (found,) = here.stored()
    assert (found.body, found.type, found.via, found.why) == (body, event_type, "webhook", "")
    assert here.server.counts == {"stored": 1, "seen_twice": 0}


async def test_a_second_copy_is_acknowledged_and_not_stored(here: Listening) -> None:
    """Gladly repeats a delivery whose response was lost."""
    assert [await here.post(event()), await here.post(event())] == [200, 200]

    assert len(here.stored()) == 1
    assert here.server.counts == {"stored": 1, "seen_twice": 1}


STRANGE = {
    "nothing": b"",
    "not JSON": b"<html>",
    "cut": event()[:20],
    "no id": orjson.dumps({"type": "TASK/CREATED"}),
    "no type": orjson.dumps({"id": "e-1"}),
    "a list": orjson.dumps([1]),
    "a number": b"17",
    "not UTF-8": b'{"id": "\xff\xfe", "type": "TASK/CREATED"}',
    "a surrogate": b'{"id": "\\ud800", "type": "TASK/CREATED"}',
    "very deep": b"[" * 5000 + b"]" * 5000,
    "a blank id": b'{"id": " ", "type": "TASK/CREATED"}',
    "a NUL": b'{"id": "a\\u0000", "type": "TASK/CREATED"}',
    "NaN": b'{"id": "e", "type": "TASK/CREATED", "content": NaN}',
}


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
async def test_what_is_not_an_event_is_kept_and_acknowledged(here: Listening, body: bytes) -> None:
    """A repeat would bring the same bytes, and four failures deactivate the webhook."""
    assert await here.post(body) == 200

    (found,) = here.stored()
    assert found.body == body
    assert found.why
    assert here.server.counts["strange"] == 1
    assert [line for line in here.told if "is not an event" in line]


@pytest.mark.parametrize("timestamp", [None, "yesterday", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
async def test_an_odd_timestamp_loses_nothing(here: Listening, timestamp: str | None) -> None:
    """Whatever the clock of the sender says."""
    assert await here.post(event(timestamp=timestamp)) == 200

    assert [found.why for found in here.stored()] == [""]


PINGS = (
    b'{"id":"p-1","type":"PING","timestamp":"2026-11-27T12:00:00.000Z","content":{}}',
    b'{"type":"PING"}',
    b'{"type":"PING","id":null}',
)


@pytest.mark.parametrize("body", PINGS)
async def test_a_ping_is_acknowledged_and_remembered(here: Listening, body: bytes) -> None:
    """It is not an event; when it came is on the disk."""
    assert await here.post(body) == 200

    assert here.stored() == []
    assert here.inbox.reader.fact("last_ping_at") == "2026-11-27T12:00:00.000Z"
    assert here.server.counts == {"ping": 1}


async def test_a_ping_that_cannot_be_remembered_gets_503(tmp_path: Path) -> None:
    """No 200 says that the address works while nothing can be stored."""
    async with listening(tmp_path, bounds=ServerBounds(store_s=0.1)) as here:
        with locked(here.inbox):
            assert await here.post(PINGS[0]) == 503


async def test_many_deliveries_share_a_connection(here: Listening) -> None:
    """And each is stored once."""
    statuses = await asyncio.gather(*(here.post(event(number)) for number in range(200)))

    assert set(statuses) == {200}
    assert {found.dedupe_id for found in here.stored()} == {f"event-{number}" for number in range(200)}


# --- secrets ---


WRONG: Mapping[str, Headers] = {
    "nothing": {},
    "another password": basic("another"),
    "another user": basic(username="somebody"),
    "no password": basic(""),
    "a bearer": {"Authorization": f"Bearer {PASSWORD}"},
    "not base64": {"Authorization": "Basic !!!"},
    "only a scheme": {"Authorization": "Basic"},
    "bytes above ASCII": {"Authorization": "Basic \xe4\xf6"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
async def test_a_wrong_secret_gets_401_and_leaves_nothing(here: Listening, headers: Headers) -> None:
    """Neither stored nor repeated; counted."""
    assert await here.post(event(), headers) == 401

    assert here.stored() == []
    assert here.server.counts == {"refused": 1}


async def test_wrong_secrets_are_told_once_a_minute(tmp_path: Path) -> None:
    """With how many there were, and a sender cannot fill the log with them."""
    now = 0.0
    async with listening(tmp_path, clock=lambda: now) as here:
        for _ in range(5):
            await here.post(event(), {})
        assert len(here.told) == 1
        now = 61.0
        await here.post(event(), {})

        assert len(here.told) == 2
        assert here.told[1].endswith("(5 times since this was last told)")


async def test_a_header_may_be_the_secret(tmp_path: Path) -> None:
    """Its name has no case."""
    secrets = ListenSecrets(headers=[("X-Token", "abc")])
    async with listening(tmp_path, secrets=secrets) as here:
        assert await here.post(event(), {"x-token": "abc"}) == 200
        assert [await here.post(event(), wrong) for wrong in ({}, {"X-Token": "abcd"}, {"X-Other": "abc"})] == [401] * 3


async def test_both_secrets_are_needed_if_both_are_set(tmp_path: Path) -> None:
    """One of them alone proves nothing."""
    secrets = ListenSecrets("gladly", [PASSWORD], [("X-Token", "abc")])
    async with listening(tmp_path, secrets=secrets) as here:
        assert await here.post(event(), basic()) == 401
        assert await here.post(event(), {"X-Token": "abc"}) == 401
        assert await here.post(event(), {**basic(), "X-Token": "abc"}) == 200


async def test_old_and_new_secrets_are_accepted_during_a_rotation(tmp_path: Path) -> None:
    """Any of the lines."""
    secrets = ListenSecrets("gladly", ["new", "old"], [("X-Token", "b"), ("X-Old-Token", "a")])
    async with listening(tmp_path, secrets=secrets) as here:
        for number, (password, header) in enumerate([("new", "X-Token: b"), ("old", "X-Old-Token: a")]):
            name, _, value = header.partition(": ")
            assert await here.post(event(number), {**basic(password), name: value}) == 200
        assert await here.post(event(), {**basic("older"), "X-Token": "b"}) == 401


# --- bodies ---


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_the_first_part_of_a_body_that_is_too_long_is_kept(here: Listening, is_chunked: bool) -> None:
    """10 MB from Gladly: acknowledged, told, and no more than the limit is stored."""
    body = b'{"id":"big","type":"TASK/CREATED","content":{"text":"' + b"x" * 10_000_000 + b'"}}'

    async def blocks() -> AsyncIterator[bytes]:
        yield body[:100]
        yield body[100:]

    assert await here.post(blocks() if is_chunked else io.BytesIO(body)) == 200

    (found,) = here.stored()
    assert found.body == body[:1_000_000]
    assert "longer than 1,000,000 bytes" in found.why
    assert [line for line in here.told if "longer than 1,000,000 bytes" in line]


async def test_no_more_is_read_than_bounds_allow(tmp_path: Path) -> None:
    """Of an endless body the beginning is enough."""
    options = ListenOptions(at="127.0.0.1:0", max_body_bytes=1000)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)

    async with listening(tmp_path, options) as here:
        with contextlib.suppress(aiohttp.ClientError):
            assert await here.post(endless()) == 200
        await until(lambda: bool(here.stored()))

        assert [len(found.body) for found in here.stored()] == [1000]


def _raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKED: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "two files": ("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
    "zlib": ("deflate", zlib.compress),
    "raw": ("deflate", _raw),
    "not packed": ("identity", lambda body: body),
}


@pytest.mark.parametrize(("encoding", "pack"), PACKED.values(), ids=PACKED)
async def test_packed_bodies_are_unpacked(here: Listening, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """The inbox has the event itself."""
    assert await here.post(pack(event()), {**basic(), "Content-Encoding": encoding}) == 200

    assert [(found.body, found.why) for found in here.stored()] == [(event(), "")]


BROKEN: Mapping[str, tuple[str, bytes]] = {
    "not gzip": ("gzip", event()),
    "cut": ("gzip", gzip.compress(event())[:-9]),
    "something behind": ("gzip", gzip.compress(event()) + b"more"),
    "many files": ("gzip", gzip.compress(b"") * 1000),
    "a bomb": ("gzip", gzip.compress(b"x" * 50_000_000)),
    "a bomb in deflate": ("deflate", zlib.compress(b"x" * 50_000_000)),
    "unknown": ("br", b"\x8b\x02\x80"),
    "twice": ("gzip, gzip", gzip.compress(gzip.compress(event()))),
}


@pytest.mark.parametrize(("encoding", "body"), BROKEN.values(), ids=BROKEN)
async def test_what_cannot_be_unpacked_is_kept_as_it_came(here: Listening, encoding: str, body: bytes) -> None:
    """Acknowledged, with the reason."""
    assert await here.post(body, {**basic(), "Content-Encoding": encoding}) == 200

    (found,) = here.stored()
    assert found.body == body
    assert "pack" in found.why


def head(path: str = "/gladly", method: str = "POST", headers: Headers | None = None, **more: str) -> bytes:
    """The head of a request, for what no client sends by itself."""
    given = {"Host": "example.org", **(basic() if headers is None else headers)}
    given |= {name.replace("_", "-"): value for name, value in more.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


async def status_of(reader: asyncio.StreamReader) -> int:
    """The status of the next response, whose head is read."""
    async with asyncio.timeout(LIMIT_S):
        return int((await reader.readuntil(b"\r\n\r\n")).split()[1])


async def test_slow_bodies_end_and_hurt_nobody(tmp_path: Path) -> None:
    """Those that drip get 408; others are served meanwhile."""
    async with listening(tmp_path, bounds=ServerBounds(body_s=0.3)) as here:
        drips = [await asyncio.open_connection(*here.address) for _ in range(50)]
        for _, writer in drips:
            writer.write(head(Content_Length="100") + b"{")

        assert await here.post(event()) == 200
        assert [await status_of(reader) for reader, _ in drips] == [408] * 50
        assert [found.dedupe_id for found in here.stored()] == ["event-1"]
        for _, writer in drips:
            writer.close()


async def test_a_body_that_breaks_off_leaves_nothing(here: Listening) -> None:
    """It was never acknowledged, so Gladly sends it again."""
    _, writer = await asyncio.open_connection(*here.address)
    writer.write(head(Content_Length=str(len(event()))) + event()[:-5])
    await writer.drain()
    writer.close()
    await until(lambda: here.server.counts.get("broken_off") == 1)

    assert here.stored() == []
    assert await here.post(event()) == 200


async def test_continue_is_sent_to_those_who_know_the_secret(here: Listening) -> None:
    """A body with a wrong secret need not even be sent."""
    body = event()
    for headers, expected in ((basic(), [100, 200]), ({}, [401])):
        reader, writer = await asyncio.open_connection(*here.address)
        writer.write(head(headers=headers, Content_Length=str(len(body)), Expect="100-continue"))
        found = [await status_of(reader)]
        if found == [100]:
            writer.write(body)
            found.append(await status_of(reader))
        writer.close()

        assert found == expected


async def test_bytes_that_are_not_http_get_a_bare_400(here: Listening, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the response nor a log repeats them."""
    caplog.set_level(logging.DEBUG)
    for sent in (b"\x16\x03\x01planted\r\n\r\n", b"POST /gladly HTTP/1.1\r\nplanted\r\n\r\n"):
        reader, writer = await asyncio.open_connection(*here.address)
        writer.write(sent)
        async with asyncio.timeout(LIMIT_S):
            response = await reader.read()
        writer.close()

        assert response.startswith(b"HTTP/1.")
        assert response.split()[1] == b"400"
        assert b"planted" not in response
    assert "planted" not in caplog.text


async def test_chunks_that_are_broken_get_400_and_leave_nothing(here: Listening) -> None:
    """What arrived is not what was sent."""
    reader, writer = await asyncio.open_connection(*here.address)
    writer.write(head(Transfer_Encoding="chunked") + b"5\r\n{}{}{\r\nplanted\r\n")

    assert await status_of(reader) == 400
    assert here.stored() == []
    writer.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/gladly", 405),
        ("HEAD", "/gladly", 405),
        ("PUT", "/gladly", 405),
        ("POST", "/gladly/", 404),
        ("POST", "/", 404),
        ("GET", "/planted", 404),
        ("POST", "/healthz", 405),
        ("POST", "/gladly/../etc", 404),
    ],
)
async def test_other_paths_and_methods_get_a_bare_status(here: Listening, method: str, path: str, status: int) -> None:
    """With an empty body, whatever was requested."""
    url = here.server.url.removesuffix("/gladly") + path
    async with here.session.request(method, url, headers=basic(), data=event()) as response:
        assert (response.status, await response.read()) == (status, b"")
        assert ("Allow" in response.headers) is (status == 405)
    assert here.stored() == []


# --- when nothing can be stored ---


async def test_a_locked_inbox_gets_503_and_recovers(tmp_path: Path) -> None:
    """No 200 without a row, and the next delivery works."""
    async with listening(tmp_path, bounds=ServerBounds(store_s=0.2)) as here:
        with locked(here.inbox):
            assert await here.post(event(1)) == 503
        await until(lambda: here.inbox.reader.last_seq() == 1)  # it was asked for, so it is stored all the same

        for number in (1, 2):
            # Gladly delivers again after a 503, which a disk that is slow for a moment gets as well.
            async with asyncio.timeout(LIMIT_S):
                while (found := await here.post(event(number))) == 503:
                    pass
            assert found == 200
        assert [found.dedupe_id for found in here.stored()] == ["event-1", "event-2"]
        assert [line for line in here.told if "503" in line]


@contextlib.contextmanager
def longest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond a size: what the system does when a quota is used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_gets_503_and_recovers(here: Listening) -> None:
    """Whatever was answered with 200 is stored, and nothing else is lost from Gladly's point of view."""
    wal = here.inbox.path.with_name(f"{here.inbox.path.name}-wal")
    with longest_file(wal.stat().st_size + 8192):
        statuses = [await here.post(event(number, note="x" * 3000)) for number in range(10)]
    assert 503 in statuses
    taken = {f"event-{number}" for number, status in enumerate(statuses) if status == 200}
    assert {found.dedupe_id for found in here.stored()} == taken

    assert [await here.post(event(number, note="x" * 3000)) for number in range(10)] == [200] * 10
    assert len(here.stored()) == 10
    assert [line for line in here.told if "could not be stored (503)" in line]


async def test_sqlites_own_full_gets_503(here: Listening) -> None:
    """As when the database may not grow."""
    await here.inbox.ask(lambda connection: connection.execute("PRAGMA max_page_count = 1") and None)

    assert await here.post(event(1, note="x" * 100_000)) == 503
    assert here.stored() == []
    assert [line for line in here.told if "no space left" in line]


async def test_too_much_at_once_gets_503(tmp_path: Path) -> None:
    """Memory is bounded; Gladly repeats what had no room."""
    bounds = ServerBounds(held_bytes=1000)
    async with listening(tmp_path, bounds=bounds) as here:
        assert await here.post(event(1, note="x" * 2000)) == 503
        reader, writer = await asyncio.open_connection(*here.address)
        writer.write(head(Content_Length="901") + b"x" * 900)
        await until(lambda: here.server.in_flight == 1)
        assert await here.post(event(2)) == 503
        writer.write(b"x")
        assert await status_of(reader) == 200
        writer.close()

        assert await here.post(event(2)) == 200


# --- connections ---


async def test_a_silent_connection_ends(tmp_path: Path) -> None:
    """Who sends no request holds nothing for long."""
    async with listening(tmp_path, bounds=ServerBounds(first_request_s=0.1)) as here:
        reader, writer = await asyncio.open_connection(*here.address)
        writer.write(b"POST /gladly HTTP/1.1\r\nHost:")
        async with asyncio.timeout(LIMIT_S):
            assert await reader.read() == b""
        writer.close()


async def test_silent_connections_make_room_for_deliveries(tmp_path: Path) -> None:
    """However many there are, the oldest of them is closed for the next."""
    async with listening(tmp_path, bounds=ServerBounds(connections=4)) as here:
        silent = [await asyncio.open_connection(*here.address) for _ in range(20)]

        assert await here.post(event()) == 200
        async with asyncio.timeout(LIMIT_S):
            assert await silent[0][0].read() == b""
        assert here.server.counts["connections_closed"] >= 16
        for _, writer in silent:
            writer.close()


async def test_a_stop_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """A delivery that waits for the disk gets its 200, and later ones find nobody."""
    async with listening(tmp_path) as here:
        with locked(here.inbox):
            waiting = asyncio.ensure_future(here.post(event()))
            await until(lambda: here.server.in_flight == 1)
            stopping = asyncio.ensure_future(here.server.stop())
            await asyncio.sleep(0)
        assert await waiting == 200
        await stopping

        assert len(here.stored()) == 1
        with pytest.raises(aiohttp.ClientConnectorError):
            await here.post(event(2))


async def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    """What takes too long gets no response."""
    async with listening(tmp_path, bounds=ServerBounds(grace_s=0.1)) as here:
        with locked(here.inbox):
            waiting = asyncio.ensure_future(here.post(event()))
            await until(lambda: here.server.in_flight == 1)
            async with asyncio.timeout(LIMIT_S):
                await here.server.stop()
        with pytest.raises(aiohttp.ClientError):
            await waiting


# --- addresses ---


async def test_a_second_listener_of_an_inbox_is_refused(here: Listening) -> None:
    """It is told which process has it."""
    with pytest.raises(UsageError, match=f"process {os.getpid()} already receives"):
        Inbox(here.inbox.path.parent, HOST)


async def refusal_of(folder: Path, options: ListenOptions) -> str:
    with pytest.raises(UsageError) as found:
        async with listening(folder, options):
            pass
    return str(found.value)


async def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """With the port and the fix."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert "is taken by another program" in await refusal_of(tmp_path, ListenOptions(at=f"127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("8080", "not an address with a port"),
        ("127.0.0.1", "not an address with a port"),
        ("127.0.0.1:99999", "not an address with a port"),
        ("http://127.0.0.1:80", "not an address with a port"),
        ("192.0.2.1:8080", "has no such address"),
        ("nobody.invalid:8080", "not an address of this machine"),
    ],
)
async def test_addresses_that_cannot_work_are_refused(tmp_path: Path, at: str, text: str) -> None:
    """Before anything is received."""
    assert text in await refusal_of(tmp_path, ListenOptions(at=at))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every port")
async def test_a_port_without_permission_is_refused(tmp_path: Path) -> None:
    """With two fixes."""
    assert "needs a permission" in await refusal_of(tmp_path, ListenOptions(at="127.0.0.1:1"))


@pytest.mark.parametrize("path", ["gladly", "", "/a b", "/{name}", "/healthz", "/live", "/live/x", "/gladly?x=1"])
async def test_paths_that_cannot_work_are_refused(tmp_path: Path, path: str) -> None:
    """Also those that are used for something else."""
    assert f"--path {path}" in await refusal_of(tmp_path, ListenOptions(at="127.0.0.1:0", path=path))


async def test_another_path_and_ipv6(tmp_path: Path) -> None:
    """Both stand in the URL."""
    options = ListenOptions(at="[::1]:0", path="/hooks/gladly-1")
    async with listening(tmp_path, options) as here:
        assert here.server.url.startswith("http://[::1]:")
        assert here.server.url.endswith("/hooks/gladly-1")
        assert await here.post(event()) == 200


# --- TLS ---


def trusting(certificate: Path = CERTIFICATE) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def tls(tmp_path: Path) -> ListenOptions:
    """A copy of the certificate and its key, which a test may change."""
    for name in ("certificate.pem", "key.pem"):
        shutil.copy(CERTIFICATE.parent / name, tmp_path / name)
    return ListenOptions(at="127.0.0.1:0", tls_cert=tmp_path / "certificate.pem", tls_key=tmp_path / "key.pem")


async def test_deliveries_may_come_over_tls(tmp_path: Path, tls: ListenOptions) -> None:
    """By itself, without a proxy."""
    async with listening(tmp_path, tls) as here:
        assert here.server.url.startswith("https://")
        assert await here.post(event(), ssl=trusting()) == 200


async def test_a_renewed_certificate_is_used(tmp_path: Path, tls: ListenOptions) -> None:
    """From the next connection on; while it is half written, the old one serves."""
    async with listening(tmp_path, tls) as here:
        good = (tmp_path / "certificate.pem").read_bytes()
        for content in (b"half", good):
            (tmp_path / "certificate.pem").write_bytes(content)
            async with (
                aiohttp.ClientSession() as session,
                session.post(here.server.url, data=event(), headers=basic(), ssl=trusting()) as response,
            ):
                assert response.status == 200


async def test_tls_files_that_cannot_work_are_refused(tmp_path: Path, tls: ListenOptions) -> None:
    """Missing, not a certificate, or a key alone."""
    at, cert, key = tls.at, tmp_path / "certificate.pem", tmp_path / "key.pem"
    nowhere = tmp_path / "nowhere.pem"

    assert "nowhere.pem cannot be read" in await refusal_of(tmp_path, ListenOptions(at=at, tls_cert=nowhere))
    assert "nowhere.pem cannot be read" in await refusal_of(
        tmp_path, ListenOptions(at=at, tls_cert=cert, tls_key=nowhere)
    )
    assert "cannot be used for TLS" in await refusal_of(tmp_path, ListenOptions(at=at, tls_cert=key, tls_key=key))
    assert "cannot be used for TLS" in await refusal_of(tmp_path, ListenOptions(at=at, tls_cert=cert))
    assert "--tls-key needs --tls-cert" in await refusal_of(tmp_path, ListenOptions(at=at, tls_key=key))


# --- what else is served ---


async def test_the_health_page_says_how_it_is(here: Listening) -> None:
    """How old the newest event is, who waits for what, and how much room there is."""
    await here.inbox.begin_cursor("lake")
    await here.post(event())

    status, found = await here.health()

    assert status == 200
    assert found["is_storing"]
    assert (found["seconds_since_received"], found["seconds_since_recorded"]) == (0.0, 60.0)
    assert found["waiting"] == {"lake": 1}
    assert found["free_bytes"] > 0
    assert found["requests"] == {"stored": 1, "seen_twice": 0}
    assert found["last_ping_at"] is None


async def test_the_health_page_says_when_nothing_can_be_stored(tmp_path: Path) -> None:
    """503, without the path of the inbox."""
    now = 0.0
    async with listening(tmp_path, clock=lambda: now) as here:
        assert (await here.health())[0] == 200
        await here.inbox.ask(lambda connection: connection.execute("PRAGMA query_only = 1") and None)
        assert (await here.health())[0] == 200  # asked again at once, it does not look again
        now = 3.0

        status, found = await here.health()

        assert (status, found["is_storing"]) == (503, False)
        assert str(tmp_path) not in json.dumps(found)


async def test_the_health_page_has_a_head(here: Listening) -> None:
    """For checks that want only the status."""
    async with here.session.head(here.server.url.replace("/gladly", "/healthz")) as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_pages_may_be_added(tmp_path: Path) -> None:
    """As the live page is."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="live")

    async with (
        listening(tmp_path, add_routes=lambda app: app.router.add_get("/live", page)) as here,
        here.session.get(here.server.url.replace("/gladly", "/live")) as response,
    ):
        assert await response.text() == "live"


async def test_an_error_of_ours_is_told_without_its_words(tmp_path: Path) -> None:
    """500 with an empty body."""

    async def page(_: web.Request) -> web.Response:
        raise ValueError("planted")

    async with listening(tmp_path, add_routes=lambda app: app.router.add_get("/live", page)) as here:
        async with here.session.get(here.server.url.replace("/gladly", "/live")) as response:
            assert (response.status, await response.read()) == (500, b"")
        assert here.server.counts["failed"] == 1
        assert [line for line in here.told if "internal error" in line]
        assert not [line for line in here.told if "planted" in line]
