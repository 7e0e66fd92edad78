"""Bodies and connections that lie. Each is a lost reply: never a success, and never a hang."""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable

import pytest

from bulkgladly.api import Timeouts
from bulkgladly.errors import BodyTooLong, Outage, ReplyLost
from bulkgladly.messages import Repeat
from tests.doors.test_client import FAST, OK, Server, Time, answer, client, create, get, send_one, until
from tests.doors.test_client_streams import Raw, chunk, exhaust, file, head, packed, raw, says
from tests.idle_time import in_idle_time

LINES = b'{"id":"a"}\n' * 400
AGENTS = b"[" + LINES.replace(b"\n", b",")[:-1] + b"]"
PACKED = gzip.compress(AGENTS, mtime=0)
GZIP = gzip.compress(LINES, mtime=0)
CHUNKED = "Transfer-Encoding: chunked"


def packed_as(coding: str, data: bytes) -> bytes:
    return answer(200, data, headers=f"Content-Encoding: {coding}\r\n")


LIES = {
    "longer than its length": answer(200, LINES, length=100),
    "shorter than its length, then silence": answer(200, LINES, length=5000),
    "two lengths": answer(200, LINES, headers="Content-Length: 7\r\n"),
    "length and chunks": answer(200, chunk(LINES) + chunk(b""), headers=f"{CHUNKED}\r\n"),
    "a length below zero": answer(200, LINES, length=-5),
    "a chunk without a size": head(CHUNKED) + b"zz\r\n" + LINES,
    "a chunk that is cut": head(CHUNKED) + chunk(LINES)[:-50],
    "no last chunk": head(CHUNKED) + chunk(LINES),
    "garbage for gzip": packed_as("gzip", b"garbage" * 9),
    "gzip that is cut": packed_as("gzip", GZIP[:-9]),
    "gzip with a wrong sum": packed_as("gzip", GZIP[:-8] + b"\0" * 8),
    "gzip with a tail": packed_as("gzip", GZIP + b"tail"),
    "deflate that is cut": packed_as("deflate", zlib.compress(LINES)[:-5]),
    "a packing nobody asked for": packed_as("br", b"\x0b\x02\x80hello\x03"),
    "garbage for a head": b"HTP/1 200\r\n\r\n" + LINES,
    "an endless line for a head": b"HTTP/1.1 200 Said\r\nX-Long: " + b"x" * 70000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@in_idle_time
async def test_an_answer_that_lies_about_its_body_is_lost(lie: bytes) -> None:
    """What may have been executed once is not sent again, and counts as perhaps executed."""
    reply, *_ = await send_one(create(Repeat.UNSAFE), [lie], timeouts=FAST)

    assert (reply.status, reply.body, reply.attempts, reply.lost) == (0, b"", 1, 1)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@in_idle_time
async def test_it_is_asked_for_again_where_that_is_safe(lie: bytes) -> None:
    """And the whole reply is what counts."""
    reply, *_ = await send_one(get(), [lie, answer(200, AGENTS)], timeouts=FAST)

    assert (reply.body, reply.is_confirmed, reply.lost) == (AGENTS, True, 1)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@in_idle_time
async def test_a_download_that_lies_is_lost(lie: bytes) -> None:
    """Before its body or within it: never an end that looks like one."""
    time = Time()
    silence = asyncio.Event()
    async with raw(*[says(lie, then=silence)] * 40, timeouts=FAST, first_contact_s=2.0) as (sender, _):
        with pytest.raises((ReplyLost, Outage)):
            async with sender.stream(file(), stall_s=0.1, first_byte_s=0.5) as download:
                await exhaust(download)
    assert time.slept == []


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", PACKED),
        ("gzip", gzip.compress(b"", mtime=0) + PACKED),
        ("deflate", zlib.compress(AGENTS)),
        ("identity", AGENTS),
    ],
)
async def test_a_packed_answer_arrives_unpacked(coding: str, data: bytes) -> None:
    """Several gzip members are one reply."""
    reply, server, *_ = await send_one(get(), [packed_as(coding, data)])

    assert reply.body == AGENTS
    assert "Accept-Encoding: gzip, deflate" in server.heads[0]


def dripping(*beginning: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def step(writer: asyncio.StreamWriter) -> None:
        writer.writelines(beginning)
        while True:
            writer.write(chunk(b"x"))
            await writer.drain()
            await asyncio.sleep(0.02)

    return step


@in_idle_time
async def test_an_answer_that_drips_for_ever_hits_the_deadline() -> None:
    """Each byte is in time, and the whole never comes."""
    async with raw(dripping(head(CHUNKED)), timeouts=FAST) as (sender, _):
        reply = await sender.send(create(Repeat.UNSAFE))

    assert (reply.status, reply.lost) == (0, 1)


class Slow(Time):
    """A clock on which every look takes five seconds."""

    def __call__(self) -> float:
        self.now += 5
        return self.now


async def test_a_download_that_drips_for_ever_is_given_up() -> None:
    """A byte every five seconds keeps every silence short, and would hold the export for ever."""
    async with (
        Raw(dripping(head(CHUNKED))) as server,
        client(server.url, Slow()) as sender,
        sender.stream(file()) as download,
    ):
        with pytest.raises(ReplyLost, match="too slow"):
            await exhaust(download)

    assert 20 <= download.received <= 30


async def test_a_slow_download_goes_on() -> None:
    """Two kilobytes a second are little, and no drip."""
    size = 10 * 1024
    body = head(CHUNKED) + chunk(b"x" * size)
    come = asyncio.Event()

    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(body)
        for _ in range(60):
            come.clear()
            await come.wait()
            writer.write(chunk(b"x" * size))
        writer.write(chunk(b""))

    async with Raw(step) as server, client(server.url, Slow()) as sender, sender.stream(file()) as download:
        async for _ in download.blocks(1):
            come.set()

    assert download.received == 61 * size


def nothings(megabytes: int) -> bytes:
    return gzip.compress(b"\n" * (megabytes << 20), mtime=0)


async def test_minutes_of_work_in_a_few_bytes_are_refused() -> None:
    """Half a megabyte of packed blank lines is half a gigabyte to be looked at line by line."""
    async with raw(packed(nothings(100))) as (sender, _), sender.stream(file()) as download:
        with pytest.raises(BodyTooLong, match="200 times"):
            await exhaust(download)

    assert download.received <= 64 << 20


async def test_a_file_that_packs_well_is_none_of_these() -> None:
    """Lines that differ in a few characters each pack thirty times and more."""
    lines = b"".join(
        b'{"id":"%022d","type":"CHAT_MESSAGE","sent":"2026-05-01T00:00:00.000Z"}\n' % n for n in range(300_000)
    )
    data = gzip.compress(lines, mtime=0)
    async with raw(packed(data)) as (sender, _), sender.stream(file()) as download:
        await exhaust(download)

    assert download.received == len(lines) > 10 * len(data)


STRAY = {
    "a farewell": answer(408),
    "a whole answer": answer(200, b'"of somebody else"'),
    "the rest of a body": b"extra\r\n",
}


@pytest.mark.parametrize("stray", STRAY.values(), ids=STRAY)
async def test_what_comes_unasked_is_never_the_answer_to_the_next_request(stray: bytes) -> None:
    """A balancer's 408 on a quiet connection is no refusal of a record."""
    writers: list[asyncio.StreamWriter] = []
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        writers.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                asked += 1
                writer.write(answer(200, b'[{"id":"%d"}]' % asked))
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Time()) as sender:
        assert (await sender.send(get())).body == b'[{"id":"1"}]'
        writers[0].write(stray)
        await writers[0].drain()
        kept = sender._wire._session.connector  # type: ignore[union-attr]
        await until(lambda: all(each.should_close for conns in kept._conns.values() for each, _ in conns))  # type: ignore[union-attr]
        reply = await sender.send(get())

    assert (reply.status, reply.body, reply.lost) == (200, b'[{"id":"2"}]', 0)
    assert len(writers) == 2


class Balancer(Server):
    """Replies to the first request of each connection, and resets it at the second, which is not carried out."""

    def __init__(self) -> None:
        super().__init__()
        self.carried_out = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            reply = await self._next(reader)
            self.carried_out += 1
            writer.write(reply if isinstance(reply, bytes) else OK)
            await self._next(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


async def test_a_note_arrives_although_a_balancer_closes_kept_connections() -> None:
    """What is sent at most once never goes out on a used connection; the rest is repeated as before."""
    async with Balancer() as server, client(server.url, Time()) as sender:
        await sender.send(get())
        notes = [await sender.send(create(Repeat.UNSAFE)) for _ in range(8)]
        customers = [await sender.send(create()) for _ in range(4)]

    assert [(reply.status, reply.attempts, reply.lost) for reply in notes] == [(201, 1, 0)] * 8
    assert [reply.status for reply in customers] == [201] * 4
    assert any(reply.lost for reply in customers)
    assert server.carried_out == 1 + 8 + 4


async def test_connections_are_given_up_before_a_balancer_does() -> None:
    """Ordinary ones keep a quiet connection for five seconds and more."""
    async with Server() as server, client(server.url, Time(), timeouts=Timeouts()) as sender:
        await sender.send(get())
        kept = sender._wire._session.connector  # type: ignore[union-attr]
        assert kept is not None
        assert kept._keepalive_timeout is not None
        assert kept._keepalive_timeout < 5
