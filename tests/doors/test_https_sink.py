"""The https sink, towards receivers that run."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from bulkgladly.errors import UsageError
from bulkgladly.sinks.https_sink import HttpsSink
from bulkgladly.sinks.outgoing import Outgoing
from bulkgladly.sinks.sink_choice import sink_of, sinks_of
from bulkgladly.sinks.sinks import Fate, SinkTimes
from tests.doors.serving_tls import CERTIFICATE, proxy, secure_server, server_context

SECRET = "whsec_" + "A" * 42 + "E="
Answer = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]


def events(count: int, key: str = "") -> list[Outgoing]:
    return [Outgoing(f"e{n}", key, json.dumps({"id": f"e{n}"}).encode()) for n in range(count)]


async def fine(_request: web.BaseRequest, _event: str) -> web.StreamResponse:
    return web.Response(status=204)


@contextlib.asynccontextmanager
async def receiver(
    answer: Answer = fine, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[tuple[Any, dict[str, str], bytes]]]]:
    """A server that keeps each request; yields its address and the requests."""
    got: list[tuple[Any, dict[str, str], bytes]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        got.append((request.rel_url, dict(request.headers), body))
        return await answer(request, json.loads(body)["id"])

    server = TestServer(_application(handle))
    await server.start_server(ssl=tls)
    try:
        yield str(server.make_url("/hook?token=s3cret")), got
    finally:
        await server.close()


def _application(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", handle)
    return application


@contextlib.asynccontextmanager
async def sink_to(url: str, **options: Any) -> AsyncIterator[HttpsSink]:
    sink = HttpsSink(url, **options)
    try:
        yield sink
    finally:
        await sink.close()


async def test_each_event_is_a_post_with_a_signature() -> None:
    """A receiver verifies it with the library; only headers that are ours are sent."""
    async with receiver() as (url, got):
        sink = sink_of(url, print, signing_secret=SECRET, sign_env="KEY")
        replies = await sink.deliver(events(3))
        await sink.close()

    assert [one.fate for one in replies] == [Fate.TAKEN] * 3
    assert sorted(body for _, _, body in got) == [event.line for event in events(3)]
    for path, headers, body in got:
        assert str(path) == "/hook?token=s3cret"
        assert Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
        assert {name.lower() for name in headers} <= {
            *("host", "user-agent", "accept", "accept-encoding", "content-type", "content-length"),
            *("webhook-id", "webhook-timestamp", "webhook-signature"),
        }


def test_no_name_shows_a_secret() -> None:
    """Neither that of the cursor nor the label; another token is another cursor."""
    one, other = (HttpsSink(f"https://hooks.example.org:8443/x/{word}?t={word}") for word in ("s3cret", "0ther"))

    assert one.label == other.label == "https://hooks.example.org:8443"
    assert one.name != other.name
    assert one.name == HttpsSink("https://hooks.example.org:8443/x/s3cret?t=s3cret").name
    assert "s3cret" not in one.name


@pytest.mark.parametrize(
    ("status", "fate", "reason"),
    [
        (200, Fate.TAKEN, ""),
        (202, Fate.TAKEN, ""),
        (301, Fate.FAILED, "HTTP 301 Moved Permanently: redirects are not followed; use the final address in --to"),
        (307, Fate.FAILED, "HTTP 307 Temporary Redirect: redirects are not followed; use the final address in --to"),
        (400, Fate.REFUSED, "HTTP 400 Bad Request"),
        (404, Fate.REFUSED, "HTTP 404 Not Found"),
        (408, Fate.FAILED, "HTTP 408 Request Timeout"),
        (425, Fate.FAILED, "HTTP 425 Too Early"),
        (429, Fate.FAILED, "HTTP 429 Too Many Requests"),
        (499, Fate.REFUSED, "HTTP 499"),
        (500, Fate.FAILED, "HTTP 500 Internal Server Error"),
        (599, Fate.FAILED, "HTTP 599"),
    ],
)
async def test_what_a_status_means(status: int, fate: Fate, reason: str) -> None:
    """A redirect is a failure and is not followed; most 4xx are for ever."""

    async def answer(_request: web.BaseRequest, _event: str) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere", "Retry-After": "7"}, body=b"x" * 100_000)

    async with receiver(answer) as (url, got), sink_to(url) as sink:
        (reply,) = await sink.deliver(events(1))

    assert (reply.fate, reply.reason) == (fate, reason)
    assert reply.retry_after_s == (7.0 if fate is Fate.FAILED and status >= 400 else None)
    assert [str(path) for path, _, _ in got] == ["/hook?token=s3cret"]


async def test_events_about_one_object_stay_in_order() -> None:
    """The first that fails ends its row; events about others go on beside."""

    async def answer(_request: web.BaseRequest, event: str) -> web.StreamResponse:
        return web.Response(status=503 if event == "e1" else 200)

    batch = [*events(4, "a"), Outgoing("b0", "b", b'{"id":"b0"}')]
    async with receiver(answer) as (url, got), sink_to(url) as sink:
        replies = await sink.deliver(batch)

    assert [one.fate for one in replies] == [Fate.TAKEN, Fate.FAILED, Fate.UNTRIED, Fate.UNTRIED, Fate.TAKEN]
    assert sorted(json.loads(body)["id"] for _, _, body in got) == ["b0", "e0", "e1"]


async def test_a_receiver_that_is_not_there_is_asked_a_few_times_only() -> None:
    """Not once for each object of the batch."""
    async with sink_to("http://127.0.0.1:9/x") as sink:
        replies = await sink.deliver(events(100))

    tried = [one for one in replies if one.fate is Fate.FAILED]
    assert 1 <= len(tried) <= 8
    assert {one.fate for one in replies} <= {Fate.FAILED, Fate.UNTRIED}
    assert tried[0].reason.startswith("cannot be reached: ")


async def test_a_receiver_that_hangs_is_left() -> None:
    """After the time-out; what it did is unknown, so the event is sent again later."""
    gate = asyncio.Event()

    async def answer(_request: web.BaseRequest, _event: str) -> web.StreamResponse:
        await gate.wait()
        return web.Response()

    async with receiver(answer) as (url, _), sink_to(url, times=SinkTimes(request_s=0.2)) as sink:
        (reply,) = await sink.deliver(events(1))
        gate.set()

    assert (reply.fate, reply.reason) == (Fate.FAILED, "no response within 0.2 s")


async def test_a_body_that_never_ends_takes_nothing_back() -> None:
    """The status has come: the event was taken."""

    async def answer(request: web.BaseRequest, _event: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"some")
        await asyncio.sleep(5)
        return response

    async with receiver(answer) as (url, _), sink_to(url) as sink:
        (reply,) = await sink.deliver(events(1))

    assert reply.fate is Fate.TAKEN


async def test_a_connection_that_breaks_is_a_failure_without_the_address() -> None:
    """The message could quote the address, and with it a token."""

    async def answer(request: web.BaseRequest, _event: str) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with receiver(answer) as (url, _), sink_to(url) as sink:
        (reply,) = await sink.deliver(events(1))

    assert reply.fate is Fate.FAILED
    assert "s3cret" not in reply.reason


async def test_only_trusted_certificates_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the system, or by SSL_CERT_FILE."""
    async with receiver(tls=server_context()) as (url, got):
        async with sink_to(url.replace("127.0.0.1", "localhost")) as sink:
            (refused,) = await sink.deliver(events(1))
        assert got == []
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        async with sink_to(url.replace("127.0.0.1", "localhost")) as sink:
            (accepted,) = await sink.deliver(events(1))

    assert "certificate is not trusted" in refused.reason
    assert (refused.fate, accepted.fate, len(got)) == (Fate.FAILED, Fate.TAKEN, 1)


async def test_a_proxy_sees_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used as for Gladly, and gets the name of the host only."""
    heads: list[str] = []
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with secure_server(heads) as port, proxy(port) as way:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{way.url}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with sink_to("https://org.example.test/hook?token=s3cret") as sink:
            (reply,) = await sink.deliver(events(1))

    assert reply.fate is Fate.TAKEN
    assert "POST /hook?token=s3cret" in heads[0]
    (connect,) = way.connects
    assert connect.startswith("CONNECT org.example.test:443 ")
    assert "s3cret" not in connect
    assert "webhook-id" not in connect.lower()
    assert b"s3cret" not in way.upwards


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://hooks.example.org/x?token=s3cret", "http://hooks.example.org: events are sent over https only"),
        ("https://a:s3cret@hooks.example.org/", "https://hooks.example.org names a user"),
        ("https://hooks.example.org:port/", "not a valid address"),
        ("https:///x", "not a valid address"),
        ("https://hooks.example.org/a b", "not a valid address"),
        ("ftp://hooks.example.org/s3cret", "ftp:... is not supported"),
    ],
)
def test_addresses_that_cannot_work_are_refused(text: str, told: str) -> None:
    """With the fix, and without what may be secret."""
    with pytest.raises(UsageError, match="--to") as caught:
        sink_of(text, print)

    assert told in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_sink_is_given_once() -> None:
    """Two loops with one cursor would each get half of the events."""
    with pytest.raises(UsageError, match=r"--to https://example\.org is given twice"):
        sinks_of(("-", "https://example.org/x", "https://example.org/x"), print)

    assert [sink.label for sink in sinks_of(("-", "exec:cat"), print)] == ["the standard output", "exec:cat"]
