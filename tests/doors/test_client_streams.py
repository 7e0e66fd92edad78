"""Downloads: bodies that are read as they come, from the emulator and from servers that do worse than it can."""

import asyncio
import contextlib
import gzip
import itertools
import traceback
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

import pytest

from bulkgladly.api import Client, Download, Pacer, RetryPolicy, Timeouts
from bulkgladly.api.downloads import BrokeOff
from bulkgladly.emulator import Emulator, drop_reply, half_body, hang, rate_limited, reset, status, wrong_length
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.errors import BodyTooLong, NotAuthenticated, NotPermitted, Outage, ReplyLost, Unreachable, UsageError
from bulkgladly.messages import Repeat, Request
from tests.doors.test_client import (
    CLOSE,
    NOT_EXIST,
    OK,
    ORGANIZATION,
    SECRET,
    TOKEN,
    USERNAME,
    Script,
    Server,
    Time,
    answer,
    client,
    confirmed,
    create,
    get,
    until,
)
from tests.idle_time import in_idle_time

LINES = b"".join(b'{"id":"item-%06d"}\n' % number for number in range(50_000))
KIB, MIB = 1024, 1024 * 1024


def gate_of(time: Time) -> Pacer:
    return Pacer(unlimited=True, clock=time, sleep=time.sleep, random=lambda: 1.0)


def file(job_id: str = "job", name: str = "items.jsonl") -> Request:
    return Request("getFile", "GET", f"/api/v1/export/jobs/{job_id}/files/{name}", accept="application/x-ndjson")


async def read(download: Download, size: int = MIB) -> bytes:
    return b"".join([block async for block in download.blocks(size)])


@contextlib.asynccontextmanager
async def emulated(
    *faults: Fault, content: bytes = LINES, **options: Any
) -> AsyncIterator[tuple[Client, Pacer, Request, Emulator]]:
    """A client of an emulator with one export file; the faults hit the first requests for it."""
    time = Time()
    gate = gate_of(time)
    emulator = Emulator(rate=None, username=USERNAME, token=TOKEN, **options)
    request = file(emulator.exports.add_job({"items.jsonl": content}))
    emulator.faults.script("getFile", faults)
    async with emulator, client(emulator.url, time, pacer=gate) as sender:
        yield sender, gate, request, emulator
    assert gate.in_flight == 0
    assert gate.sent == sender.sent.total()


async def exhaust(download: Download) -> None:
    """Read all of it and keep nothing."""
    async for block in download.blocks(MIB):
        assert len(block) < 2 * MIB


Step = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Raw:
    """A server that lets each request have the next step of a script, and closes the connection after it."""

    def __init__(self, *steps: Step) -> None:
        self._steps = iter(steps)
        self._tasks: set[asyncio.Task[None]] = set()
        self.heads: list[str] = []
        self.gone = asyncio.Event()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def was_asked(self, times: int) -> bool:
        return len(self.heads) == times

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await next(self._steps)(writer)
            await writer.drain()
        except ConnectionError:
            self.gone.set()
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def head(*headers: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 Said", *headers, "")).encode()


def says(*parts: bytes, then: asyncio.Event | None = None) -> Step:
    """Send some bytes; then wait for something, if told to, before the connection ends."""

    async def step(writer: asyncio.StreamWriter) -> None:
        writer.writelines(parts)
        await writer.drain()
        if then is not None:
            await then.wait()

    return step


def ends(reply: bytes) -> Step:
    """Send a whole reply, and say that the connection ends with it, so that the next request takes another."""
    return says(reply.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def endless(data: bytes, *headers: str) -> Step:
    """Send chunks of the same bytes until the client has closed the connection."""

    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(head("Transfer-Encoding: chunked", *headers))
        for _ in itertools.repeat(None):
            writer.write(chunk(data))
            await writer.drain()

    return step


def packed(data: bytes, coding: str = "gzip") -> Step:
    return says(head(f"Content-Encoding: {coding}", f"Content-Length: {len(data)}"), data)


@contextlib.asynccontextmanager
async def raw(*steps: Step, **options: Any) -> AsyncIterator[tuple[Client, Raw]]:
    time = Time()
    gate = gate_of(time)
    async with Raw(*steps) as server, client(server.url, time, pacer=gate, **options) as sender:
        yield sender, server
    assert gate.in_flight == 0


async def body_of(step: Step, **options: Any) -> bytes:
    """Download from a server that does one step, and return the whole body."""
    async with raw(step) as (sender, _), sender.stream(file(), **options) as download:
        return await read(download)


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_file_arrives_as_it_is(framing: str) -> None:
    """Every byte, in blocks of about the size asked for, with its length where the server tells it."""
    async with emulated(file_framing=framing) as (sender, gate, request, _):
        async with sender.stream(request) as download:
            first = [download.status, download.headers["content-type"], download.received, gate.in_flight]
            blocks = [block async for block in download.blocks(256 * KIB)]
            at_the_end = gate.in_flight

        assert first == [200, "application/x-ndjson", 0, 1]
        assert at_the_end == 0
        assert b"".join(blocks) == LINES
        assert all(len(block) >= 256 * KIB for block in blocks[:-1])
        assert download.received == len(LINES)
        assert download.length == (len(LINES) if framing == "length" else None)
        assert download.is_success
        assert download.has_visible_end


async def test_an_empty_file_has_no_blocks() -> None:
    """And is whole."""
    async with emulated(content=b"") as (sender, _, request, _), sender.stream(request) as download:
        assert await read(download) == b""
        assert (download.received, download.length) == (0, 0)


@pytest.mark.parametrize(
    "fault",
    [rate_limited(), rate_limited(retry_after_s=7), status(500), status(503, body="html"), drop_reply(), reset()],
    ids=["429", "429 with a time", "500", "503", "dropped", "reset"],
)
async def test_what_goes_wrong_before_the_body_is_repeated(fault: Fault) -> None:
    """As by `send`: the caller sees the body only."""
    async with emulated(fault) as (sender, gate, request, emulator):
        async with sender.stream(request) as download:
            assert await read(download) == LINES

        assert sender.sent["getFile"] == 2
        assert gate.throttled == sender.throttled == emulator.requests.count("getFile", status=429)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("fault", [half_body(), wrong_length()], ids=["half", "wrong length"])
async def test_a_body_that_breaks_off_is_an_error_and_can_be_asked_for_again(fault: Fault, framing: str) -> None:
    """Never a short file that looks whole."""
    async with emulated(fault, file_framing=framing) as (sender, _, request, _):
        async with sender.stream(request) as download:
            with pytest.raises(ReplyLost):
                await read(download)
            with pytest.raises(ReplyLost):
                await read(download)
        async with sender.stream(request) as download:
            assert await read(download) == LINES


async def test_a_refusal_is_read_whole() -> None:
    """A 404 has no blocks, which could end up in a file, but a reply that says why."""
    async with emulated() as (sender, *_):
        async with sender.stream(file("no-such-job")) as download:
            reply = await download.reply()
            with pytest.raises(RuntimeError, match="404"):
                await read(download)

        assert (download.status, download.is_success, reply.status) == (404, False, 404)
        assert [problem.code for problem in reply.problems] == ["not_exist"]
        assert reply.attempts == 1


async def test_a_refusal_whose_body_breaks_off_is_repeated() -> None:
    """It is a reply only when it is whole; after several tries it is given up."""
    broken = says(b"HTTP/1.1 404 Said\r\nContent-Length: 100\r\n\r\n{")
    async with raw(broken, ends(NOT_EXIST), ends(confirmed(ORGANIZATION))) as (sender, server):
        async with sender.stream(file()) as download:
            reply = await download.reply()

        assert (reply.status, reply.is_absent, reply.lost) == (404, True, 1)
        assert len(server.heads) == 3


async def test_a_server_error_to_the_end_is_given_back() -> None:
    """With its body, as by `send`."""
    script = [answer(500, b'{"code":"x"}')] * 9
    async with Server(script) as server, client(server.url, Time()) as sender, sender.stream(file()) as download:
        reply = await download.reply()

    assert (reply.status, reply.body, reply.attempts, reply.lost) == (500, b'{"code":"x"}', 5, 5)


async def test_no_answer_to_the_end_is_an_error() -> None:
    """There is nothing to give back; an unsafe request is not even repeated."""
    async with Server([CLOSE] * 9) as server, client(server.url, Time()) as sender:
        with pytest.raises(ReplyLost, match="getFile"):
            async with sender.stream(file()._replace(repeat=Repeat.UNSAFE)):
                pytest.fail("there is no download")

        assert len(server.seen) == 1


@pytest.mark.parametrize(("code", "error"), [(401, NotAuthenticated), (403, NotPermitted)])
async def test_credentials_that_do_not_open_stop_a_stream_too(code: int, error: type[Exception]) -> None:
    """As by `send`."""
    async with Server([answer(code)]) as server, client(server.url, Time()) as sender:
        with pytest.raises(error):
            async with sender.stream(file()):
                pytest.fail("there is no download")


async def test_the_headers_are_those_of_a_stream() -> None:
    """Credentials and the wanted type, and no packing, since packed bytes could not be counted."""
    async with Server([OK]) as server, client(server.url, Time()) as sender:
        async with sender.stream(file()._replace(accept="text/csv")) as download:
            await read(download)
        sent = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in server.heads[0].split("\r\n")[1:-2]}

    assert sent["authorization"] == f"Basic {SECRET}"
    assert (sent["accept"], sent["accept-encoding"]) == ("text/csv", "identity")


async def test_the_reply_of_a_success_is_its_body() -> None:
    """For replies that turn out to be small; one that is too large for memory says so."""
    async with Server([answer(200, b"a,b\n1,2\n")] * 2) as server:
        async with client(server.url, Time()) as sender, sender.stream(file()) as download:
            assert (await download.reply()).body == (await download.reply()).body == b"a,b\n1,2\n"
        async with client(server.url, Time(), max_body_bytes=5) as sender, sender.stream(file()) as download:
            with pytest.raises(BodyTooLong, match="5 bytes"):
                await download.reply()


async def test_leaving_early_closes_the_connection() -> None:
    """What was not read does not come; the place of the connection is free again."""
    async with raw(endless(b"x" * KIB), says(OK), max_connections=1) as (sender, server):
        async with sender.stream(file()) as download:
            async for block in download.blocks(KIB):
                assert block
                break
        await asyncio.wait_for(server.gone.wait(), 5)
        assert (await sender.send(get())).status == 200

        with pytest.raises(RuntimeError, match="left before its end"):
            await read(download)


async def test_an_error_of_the_reader_closes_the_connection_too() -> None:
    """And passes through."""
    async with raw(endless(b"x" * KIB)) as (sender, server):
        with pytest.raises(ZeroDivisionError):
            async with sender.stream(file()) as download:
                raise ZeroDivisionError(str(download.status))
        await asyncio.wait_for(server.gone.wait(), 5)


async def test_a_cancelled_reader_leaves_nothing_behind() -> None:
    """Neither while it waits for the headers nor in the middle of the body."""
    silence = asyncio.Event()
    part = head("Content-Length: 100") + b"x"
    async with raw(says(then=silence), says(part, then=silence), says(OK), max_connections=1) as (
        sender,
        server,
    ):

        async def download() -> None:
            async with sender.stream(file()) as opened:
                await read(opened)

        for asked in (1, 2):
            task = asyncio.create_task(download())
            await until(partial(server.was_asked, asked))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await sender.send(get())).status == 200


async def test_a_read_that_is_cancelled_can_be_taken_up_again() -> None:
    """Nothing that came is lost: the next block begins where the last one ended."""
    more = asyncio.Event()

    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(head("Content-Length: 6") + b"abc")
        await more.wait()
        writer.write(b"def")

    async with raw(step) as (sender, _), sender.stream(file()) as download:
        task = asyncio.create_task(read(download))
        await until(lambda: download.received == 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        more.set()

        assert await read(download) == b"abcdef"


@in_idle_time
async def test_a_body_that_stalls_is_given_up() -> None:
    """After the time without a byte, whatever came before."""
    silence = asyncio.Event()
    async with raw(says(head("Content-Length: 9"), b"part", then=silence)) as (sender, _):
        async with sender.stream(file(), stall_s=0.05) as download:
            with pytest.raises(ReplyLost, match=r"0\.05 s"):
                await read(download)

        assert download.received == 4


@in_idle_time
async def test_headers_that_never_come_are_a_lost_attempt() -> None:
    """It is repeated within the same call."""
    async with emulated(hang(), content=b"{}\n") as (sender, _, request, _):
        async with sender.stream(request, first_byte_s=0.05) as download:
            assert await read(download) == b"{}\n"

        assert sender.sent["getFile"] == 2


@in_idle_time
async def test_a_long_download_is_not_cut_by_the_limit_for_answers() -> None:
    """Each byte in time is in time, however many they are."""

    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(head("Content-Length: 8"))
        for _ in range(8):
            writer.write(b"x")
            await asyncio.sleep(0.01)

    limits = Timeouts(connect_s=1.0, total_s=0.02)
    async with raw(step, timeouts=limits) as (sender, _), sender.stream(file()) as download:
        assert await read(download) == b"x" * 8


@in_idle_time
async def test_a_refusal_that_never_ends_is_cut_by_it() -> None:
    """A drip would keep below the stall for ever."""
    drip = says(b"HTTP/1.1 404 Said\r\nContent-Length: 9\r\n\r\nx", then=asyncio.Event())
    limits = Timeouts(connect_s=1.0, total_s=0.05)
    steps = (drip, ends(NOT_EXIST), ends(confirmed(ORGANIZATION)))
    async with raw(*steps, timeouts=limits) as (sender, _), sender.stream(file()) as download:
        assert (await download.reply()).lost == 1


@pytest.mark.parametrize(
    "step",
    [
        says(head("Content-Length: 2000"), b"x" * 2000),
        says(head("Transfer-Encoding: chunked"), chunk(b"x" * 2000), chunk(b"")),
        says(head("Connection: close"), b"x" * 2000),
        packed(gzip.compress(b"x" * 2000)),
        endless(b"x" * 100),
        endless(gzip.compress(b""), "Content-Encoding: gzip"),
    ],
    ids=["length", "chunked", "until the end", "gzip", "endless", "endless nothing"],
)
async def test_a_body_beyond_its_limit_is_no_lost_reply(step: Step) -> None:
    """The next time it would be as long, so nothing that repeats what was lost may take it up."""
    async with raw(step) as (sender, server):
        async with sender.stream(file(), max_bytes=1000) as download:
            with pytest.raises(BodyTooLong, match="1000 bytes"):
                await read(download)

        assert len(server.heads) == 1
    assert not issubclass(BodyTooLong, ReplyLost)


async def test_a_body_of_just_its_limit_is_whole() -> None:
    """The limit itself is allowed."""
    assert await body_of(says(head("Content-Length: 1000"), b"x" * 1000), max_bytes=1000) == b"x" * 1000


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(LINES)),
        ("X-GZip", gzip.compress(LINES)),
        ("gzip", gzip.compress(LINES[:999]) + gzip.compress(b"") + gzip.compress(LINES[999:]) + b"\0" * 512),
        ("deflate", zlib.compress(LINES)),
        ("deflate", zlib.compress(LINES)[2:-4]),
        ("identity", LINES),
    ],
    ids=["gzip", "x-gzip", "members", "deflate", "bare deflate", "identity"],
)
async def test_packed_bodies_are_unpacked(coding: str, data: bytes) -> None:
    """Though none was asked for; their length is unknown then."""
    async with raw(packed(data, coding)) as (sender, _), sender.stream(file()) as download:
        assert await read(download) == LINES
        assert download.received == len(LINES)
        assert download.length == (len(LINES) if coding == "identity" else None)


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(LINES)[:-20]),
        ("gzip", gzip.compress(LINES)[:5]),
        ("gzip", gzip.compress(LINES)[:-8] + b"\1" * 8),
        ("gzip", LINES),
        ("gzip", gzip.compress(b"x") + b"and more"),
        ("deflate", zlib.compress(LINES)[:-20]),
        ("deflate", zlib.compress(b"x") + b"and more"),
        ("br", LINES),
        ("gzip, gzip", gzip.compress(gzip.compress(LINES))),
    ],
    ids=["cut", "cut head", "wrong sum", "no gzip", "more", "cut deflate", "more deflate", "br", "twice"],
)
async def test_what_cannot_be_unpacked_is_not_passed_on_as_whole(coding: str, data: bytes) -> None:
    """A cut is noticed by the packing even where the server counted its bytes right."""
    with pytest.raises(ReplyLost):
        await body_of(packed(data, coding))


async def test_a_refusal_is_unpacked_too() -> None:
    """Its reason must be readable."""
    body = gzip.compress(b'{"errors":[{"code":"invalid"}]}')
    step = says(f"HTTP/1.1 400 Said\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode(), body)
    async with raw(step) as (sender, _), sender.stream(file()) as download:
        assert [problem.code for problem in (await download.reply()).problems] == ["invalid"]


async def test_a_bomb_ends_at_its_limit_without_filling_the_memory() -> None:
    """A hundred kilobytes that would be a hundred megabytes."""
    squeezed = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeezed.compress(bytes(MIB)) for _ in range(100)) + squeezed.flush()
    async with raw(packed(bomb)) as (sender, _), sender.stream(file(), max_bytes=20 * MIB) as download:
        tracemalloc.start()
        try:
            with pytest.raises(BodyTooLong):
                await exhaust(download)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 8 * MIB


async def test_memory_stays_bounded_while_a_reader_is_slow() -> None:
    """The server has to wait: bytes that are not read do not pile up here."""
    async with raw(endless(b"x" * 64 * KIB)) as (sender, _), sender.stream(file()) as download:
        tracemalloc.start()
        try:
            taken = 0
            async for block in download.blocks(MIB):
                for _ in range(100):
                    await asyncio.sleep(0)
                taken += len(block)
                if taken > 30 * MIB:
                    break
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 8 * MIB


async def test_a_body_that_ends_with_its_connection_has_no_visible_end() -> None:
    """A cut cannot be told there, and the caller can know that."""
    step = says(head("Connection: close"), b"abc")
    async with raw(step) as (sender, _), sender.stream(file()) as download:
        assert await read(download) == b"abc"
        assert not download.has_visible_end


async def test_blocks_of_nothing_are_a_mistake() -> None:
    """They would never end."""
    async with Server([OK]) as server, client(server.url, Time()) as sender, sender.stream(file()) as download:
        with pytest.raises(ValueError, match="at least one byte"):
            download.blocks(0)


async def test_a_broken_body_counts_against_the_host() -> None:
    """After two more lost replies the host itself is asked before anything else is sent."""
    cut = answer(200, b"part", length=99)
    time = Time()
    async with Server([cut, CLOSE, CLOSE]) as server, client(server.url, time) as sender:
        async with sender.stream(file()) as download:
            with pytest.raises(ReplyLost):
                await read(download)
        for _ in range(2):
            await sender.send(create(Repeat.UNSAFE))
        assert ORGANIZATION not in server.seen

        await sender.send(create())

        assert server.seen.count(ORGANIZATION) == 1


async def test_a_body_that_is_not_the_file_counts_against_the_host() -> None:
    """A gateway that returns 200 for everything is an outage, like one that breaks off."""
    time = Time()
    async with Server([answer(200, b"<html>"), CLOSE, CLOSE]) as server, client(server.url, time) as sender:
        async with sender.stream(file()) as download:
            assert await anext(download.blocks(1))
            download.disbelieve("a page")
        for _ in range(2):
            await sender.send(create(Repeat.UNSAFE))

        await sender.send(create())

        assert server.seen.count(ORGANIZATION) == 1


@pytest.mark.parametrize("code", [201, 202, 203, 204, 206])
async def test_no_part_and_no_promise_of_a_file_is_published_as_the_file(code: int) -> None:
    """200 alone begins it; what else claims success is asked for again."""
    odd = answer(code, b"" if code == 204 else b'{"id":"part"}\n')
    async with Server([odd, answer(200, b'{"id":"whole"}\n')]) as server, client(server.url, Time()) as sender:
        async with sender.stream(file()) as download:
            assert await read(download) == b'{"id":"whole"}\n'

        assert len(server.seen) == 2


async def test_bytes_that_arrive_are_a_sign_of_life() -> None:
    """Between them, lost replies to other requests are not a row of failures."""
    parts = [asyncio.Event(), asyncio.Event()]

    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(head("Content-Length: 2"))
        for part in parts:
            await part.wait()
            writer.write(b"x")

    nothing = says()
    async with raw(step, nothing, nothing, nothing, nothing, says(OK)) as (sender, server):
        async with sender.stream(file()) as download:
            for part in parts:
                for _ in range(2):
                    assert (await sender.send(create(Repeat.UNSAFE))).status == 0
                part.set()
                assert await anext(download.blocks(1)) == b"x"
        assert (await sender.send(get())).status == 200

        assert not [line for line in server.heads if ORGANIZATION in line]


async def test_a_redirect_is_an_answer() -> None:
    """The credentials would go along if it were followed."""
    moved = b"HTTP/1.1 303 Said\r\nLocation: https://files.example.org/a?sig=1\r\nContent-Length: 0\r\n\r\n"
    async with Server([moved]) as server, client(server.url, Time()) as sender:
        path = "/api/v1/conversation-items/i/attachments/a"
        async with sender.stream(Request("getAttachment", "GET", path)) as download:
            assert (download.status, download.is_success) == (303, False)
            assert download.headers["location"] == "https://files.example.org/a?sig=1"

        assert len(server.seen) == 1


async def test_a_download_elsewhere_takes_no_credentials_along() -> None:
    """To the letter of its address, and outside the organisation's pace and counts."""
    time = Time()
    gate = gate_of(time)
    async with Server() as own, Server([answer(200, b"picture")]) as other, client(own.url, time, pacer=gate) as sender:
        address = f"{other.url}/bucket/a%2Fb%20%7Ec.png?X-Sig=a%2Bb%3D&x=1~2#part"
        async with sender.stream_elsewhere(address) as download:
            assert await read(download) == b"picture"

    [seen], [sent] = other.seen, other.heads
    assert seen == "GET /bucket/a%2Fb%20%7Ec.png?X-Sig=a%2Bb%3D&x=1~2"
    assert "authorization" not in sent.lower()
    assert SECRET not in sent
    assert (own.seen, gate.sent, sender.sent.total()) == ([], 0, 0)


async def test_a_download_from_the_own_host_takes_a_token_but_no_credentials() -> None:
    """It uses the organisation's budget; but an address is only a link, on any host."""
    time = Time()
    gate = gate_of(time)
    async with (
        Server([answer(429), answer(401)]) as own,
        client(own.url, time, pacer=gate) as sender,
        sender.stream_elsewhere(f"{own.url}/media/1") as download,
    ):
        assert download.status == 401

    assert len(own.seen) == gate.sent == sender.sent["download"] == 2
    assert not [sent for sent in own.heads if "authorization" in sent.lower()]


async def test_a_link_that_has_expired_is_an_answer() -> None:
    """403 is no lack of permission there, and 302 is not followed either."""
    script = [answer(403, b"<expired/>"), answer(302, headers="Location: http://127.0.0.1:1/\r\n")]
    async with Server() as own, Server(script) as other, client(own.url, Time()) as sender:
        async with sender.stream_elsewhere(other.url) as download:
            assert (await download.reply()).body == b"<expired/>"
        async with sender.stream_elsewhere(other.url) as download:
            assert download.status == 302


async def test_another_host_is_tried_a_few_times() -> None:
    """429 and 5xx and broken connections alike, with growing waits; its illness is not the organisation's."""
    script: Script = [
        answer(503),
        CLOSE,
        answer(429, headers="Retry-After: 9\r\n"),
        answer(200, b"at last"),
        *[CLOSE] * 5,
    ]
    time = Time()
    async with Server() as own, Server(script) as other, client(own.url, time, max_connections=1) as sender:
        async with sender.stream_elsewhere(other.url) as download:
            assert await read(download) == b"at last"
        assert time.slept == [1.0, 2.0, 9.0]
        with pytest.raises(ReplyLost):
            async with sender.stream_elsewhere(other.url):
                pytest.fail("there is no download")

        assert len(other.seen) == 9
        assert (await sender.send(get())).status == 200
        assert own.seen == ["GET /api/v1/agents"]


async def test_another_host_that_goes_on_failing_is_given_back() -> None:
    """Its last reply, or that it cannot be reached."""
    policy = RetryPolicy(max_failures=2)
    async with Server() as own, Server([answer(500)] * 9) as other, client(own.url, Time(), retry=policy) as sender:
        async with sender.stream_elsewhere(other.url) as download:
            assert (download.status, (await download.reply()).attempts) == (500, 2)
        with pytest.raises(Unreachable) as caught:
            async with sender.stream_elsewhere("http://127.0.0.1:1/?X-Sig=secret"):
                pytest.fail("there is no download")

    assert "secret" not in str(caught.value)


@in_idle_time
async def test_a_download_elsewhere_is_bounded_and_watched_like_any_other() -> None:
    """Limit, stall and breaks."""
    silence = asyncio.Event()
    steps = [
        endless(b"x" * 100),
        says(head("Content-Length: 9"), b"part", then=silence),
        says(head("Content-Length: 9"), b"part"),
    ]
    async with Server() as own, Raw(*steps) as other, client(own.url, Time(), max_connections=1) as sender:
        for error in (BodyTooLong, ReplyLost, ReplyLost):
            async with sender.stream_elsewhere(other.url, max_bytes=1000, stall_s=0.05) as download:
                with pytest.raises(error):
                    await read(download)


@pytest.mark.parametrize(
    ("base", "url", "words"),
    [
        ("https://org.gladly.com", "http://files.example.org/a?sig=secret", "files.example.org: .* not https"),
        ("http://127.0.0.1:1", "http://files.example.org/a?sig=secret", "not https"),
        ("https://org.gladly.com", "http://127.0.0.1:1/a?sig=secret", "not https"),
        ("https://org.gladly.com", "ftp://files.example.org/secret", "not https"),
        ("https://org.gladly.com", "file:///secret", "not an absolute URL"),
        ("https://org.gladly.com", "//files.example.org/secret", "not https"),
        ("https://org.gladly.com", "/a?sig=secret", "not an absolute URL"),
        ("https://org.gladly.com", "https://user:secret@files.example.org/", "names a user"),
        ("https://org.gladly.com", "https://files.example.org/\r\nsecret", "not an absolute URL"),
        ("https://org.gladly.com", "https://files.example.org\\@secret", "not an absolute URL"),
        ("https://org.gladly.com", "https://[secret/", "not a URL"),
        ("https://org.gladly.com", "https://files.example.org:secret/", "not a URL"),
        ("https://org.gladly.com", "", "not an absolute URL"),
    ],
)
async def test_an_address_that_is_not_safe_is_refused(base: str, url: str, words: str) -> None:
    """Before anything is sent; what it says after the host may be a secret."""
    async with client(base, Time()) as sender:
        with pytest.raises(UsageError, match=words) as caught:
            async with sender.stream_elsewhere(url):
                pytest.fail("there is no download")

    assert "secret" not in str(caught.value)


async def test_a_closed_client_streams_nothing() -> None:
    """Using it outside `async with` is a mistake in the program."""
    sender = client("http://127.0.0.1:1", Time())
    with pytest.raises(RuntimeError, match="async with"):
        async with sender.stream(file()):
            pytest.fail("there is no download")


@in_idle_time
async def test_a_host_that_accepts_nobody_is_no_reason_to_name_a_person() -> None:
    """What was searched for must not come back in the message about the connection."""
    request = get("/api/v1/customer-profiles", query=(("email", "ada@example.org"),))
    silence = asyncio.Event()
    limits = Timeouts(connect_s=0.05, total_s=5.0)
    async with Raw(*[says(then=silence)] * 9) as server:
        # The server takes the connection and never begins with TLS.
        url = server.url.replace("http://", "https://")
        async with client(url, Time(), timeouts=limits, first_contact_s=1.0) as sender:
            with pytest.raises(Outage, match=r"no connection within 0\.05 s") as caught:
                await sender.send(request)

    assert "ada" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("is_spaced", "waits"), [(True, [1.0, 2.0]), (False, [])])
async def test_a_download_that_breaks_off_begins_again(is_spaced: bool, waits: list[float]) -> None:
    """After waits that grow, unless the pace is wait enough; it is told which try it is."""
    time = Time()
    tries: list[int] = []

    async def once(number: int) -> str:
        tries.append(number)
        if number < 3:
            raise ReplyLost("broke off")
        return "whole"

    found = await client("http://127.0.0.1:1", time).repeated(once, tries=5, is_spaced=is_spaced)

    assert (found, tries, time.slept) == ("whole", [1, 2, 3], waits)


async def test_a_download_that_always_breaks_off_is_given_up() -> None:
    """With what was wrong the last time; an error of another kind ends it at once."""

    async def broken(number: int) -> None:
        raise ReplyLost(f"byte {number}") if number < 9 else BodyTooLong("too long")

    sender = client("http://127.0.0.1:1", Time())

    with pytest.raises(BrokeOff, match="3 downloads in a row broke off: byte 3"):
        await sender.repeated(broken, tries=3)
    with pytest.raises(BodyTooLong):
        await sender.repeated(broken, tries=20)
