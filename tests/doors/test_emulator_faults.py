"""Scripted faults, as a client on a socket meets them."""

import asyncio
import base64
import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

import orjson
import pytest

from bulkgladly.emulator import (
    Clock,
    Emulator,
    Fault,
    FaultScript,
    FaultScriptError,
    answer,
    drop_reply,
    half_body,
    hang,
    rate_limited,
    reset,
    slow,
    status,
    wrong_length,
)
from bulkgladly.emulator.faults.fault_catalogue import BODIES, CATALOGUE, RETRY_AFTER

CREATE = "POST /api/v1/customer-profiles"
AGENTS = "GET /api/v1/agents"


async def raw(emulator: Emulator, request: str, body: bytes = b"{}") -> bytes:
    """All bytes the emulator sends until it closes; no client library smooths anything over."""
    credentials = base64.b64encode(b"agent@example.org:emulator-token").decode()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(emulator.url.rsplit(":", 1)[1]))
    head = f"{request} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    try:
        return await reader.read()
    finally:
        writer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the emulator run until something is true of it; the test's timeout is the limit."""
    while not condition():  # noqa: ASYNC110  # the emulator has no event for it, and needs none
        await asyncio.sleep(0)


class Line:
    """One kept-alive connection, byte by byte."""

    def __init__(self, emulator: Emulator) -> None:
        self._port = int(emulator.url.rsplit(":", 1)[1])

    async def __aenter__(self) -> Self:
        self.reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    def ask(self, request: str = "GET /api/v1/agents") -> None:
        credentials = base64.b64encode(b"agent@example.org:emulator-token").decode()
        self._writer.write(f"{request} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\r\n".encode())

    async def answer(self) -> tuple[int, bytes]:
        """One answer that announces its length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        return status_of(head), await self.reader.readexactly(int(length.split()[1]))


def parted(answer: bytes) -> tuple[Mapping[str, str], bytes]:
    """The headers and the body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:]), body


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])


def announced_and_sent(answer: bytes) -> tuple[int, int]:
    head, _, body = answer.partition(b"\r\n\r\n")
    [length] = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return int(length.split()[1]), len(body)


async def test_script_is_used_up_in_order_and_none_passes() -> None:
    """One entry per matching request; other requests do not count; afterwards all is well."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(CREATE, [None, status(500), status(503)])
        seen = []
        for _ in range(4):
            await raw(emulator, AGENTS)
            seen.append(status_of(await raw(emulator, CREATE)))

        assert seen == [201, 500, 503, 201]
        assert emulator.store.count("customers") == 2
        assert emulator.faults.fired == 2


async def test_dropped_reply_was_committed() -> None:
    """The client sees nothing, the store holds the customer, the log shows no status."""
    async with Emulator() as emulator:
        emulator.faults.script(CREATE, [drop_reply()])

        assert await raw(emulator, CREATE, b'{"id": "c-1"}') == b""

        assert list(emulator.store.customers) == ["c-1"]
        assert emulator.requests.recent[-1].status is None


@pytest.mark.parametrize("executes", [False, True])
async def test_reset_is_a_reset(executes: bool) -> None:
    """The connection ends with RST; the request was carried out only if asked for."""
    async with Emulator() as emulator:
        emulator.faults.script(CREATE, [reset(executes=executes)])

        with pytest.raises(ConnectionResetError):
            await raw(emulator, CREATE)

        assert emulator.store.count("customers") == executes


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("json", b'{"errors":['), ("html", b"<html>"), ("plain", b"scripted 502"), ("empty", b"")],
)
async def test_status_comes_in_every_dress(kind: Any, expected: bytes) -> None:
    """A gateway may speak JSON, HTML, text or not at all; nothing was carried out."""
    async with Emulator() as emulator:
        emulator.faults.script(CREATE, [status(502, body=kind)])

        answer = await raw(emulator, CREATE)

        assert status_of(answer) == 502
        assert answer.partition(b"\r\n\r\n")[2].startswith(expected)
        assert emulator.store.count("customers") == 0


async def test_status_after_execution() -> None:
    """The answer says failure, the store says success."""
    async with Emulator() as emulator:
        emulator.faults.script(CREATE, [status(500, executes=True)])

        assert status_of(await raw(emulator, CREATE)) == 500
        assert emulator.store.count("customers") == 1


@pytest.mark.parametrize(("wait_s", "expected"), [(None, False), (7, True)])
async def test_scripted_429_with_and_without_retry_after(wait_s: int | None, expected: bool) -> None:
    """It is not carried out, whatever the budget says."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(CREATE, [rate_limited(retry_after_s=wait_s)])

        answer = await raw(emulator, CREATE)

        assert status_of(answer) == 429
        assert (b"Retry-After: 7\r\n" in answer) == expected
        assert emulator.store.count("customers") == 0


async def test_half_a_body_announces_the_whole() -> None:
    """The length is true, the body is not."""
    async with Emulator() as emulator:
        emulator.faults.script(AGENTS, [half_body()])

        announced, sent = announced_and_sent(await raw(emulator, AGENTS))

        assert sent == announced // 2 > 0


async def test_half_of_an_answer_without_body_is_half_a_head() -> None:
    """A create's 201 breaks off before its head ends."""
    async with Emulator() as emulator:
        emulator.faults.script(CREATE, [half_body()])

        answer = await raw(emulator, CREATE)

        assert answer.startswith(b"HTTP/1.1 201")
        assert b"\r\n\r\n" not in answer
        assert emulator.store.count("customers") == 1


async def test_wrong_length_promises_more_than_comes() -> None:
    """The body is whole, the announced length is not kept."""
    async with Emulator() as emulator:
        _, whole = announced_and_sent(await raw(emulator, AGENTS))
        emulator.faults.script(AGENTS, [wrong_length()])

        announced, sent = announced_and_sent(await raw(emulator, AGENTS))

        assert sent == whole < announced


async def test_slow_answer_was_committed_at_once() -> None:
    """The store changes before the delay, which is where a client's timeout strikes."""
    async with Emulator() as emulator:
        emulator.faults.script(CREATE, [slow(60)])
        waiting = asyncio.create_task(raw(emulator, CREATE))
        await until(lambda: emulator.store.count("customers") == 1)

        assert not waiting.done()
        waiting.cancel()


async def test_slow_without_execution_is_a_gateway_timeout() -> None:
    """Nothing happened, and the late answer is a 504."""
    async with Emulator() as emulator:
        emulator.faults.script(CREATE, [slow(0.001, executes=False)])

        assert status_of(await raw(emulator, CREATE)) == 504
        assert emulator.store.count("customers") == 0


async def test_stop_does_not_wait_for_what_hangs() -> None:
    """The connection ends without an answer when the emulator stops."""
    async with Emulator() as emulator:
        emulator.faults.script("*", [hang(executes=True)])
        waiting = asyncio.create_task(raw(emulator, CREATE))
        await until(lambda: emulator.requests.count() == 1)
        assert not waiting.done()

    assert await waiting == b""
    assert emulator.store.count("customers") == 1


async def test_hanging_ends_when_the_client_gives_up() -> None:
    """The emulator holds nothing for a client that has gone."""
    async with Emulator() as emulator:
        emulator.faults.script(AGENTS, [hang()])
        _, writer = await asyncio.open_connection("127.0.0.1", int(emulator.url.rsplit(":", 1)[1]))
        writer.write(b"GET /api/v1/agents HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: emulator.requests.count() == 1)
        writer.close()
        await writer.wait_closed()

        await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_refused_requests_do_not_use_up_the_script() -> None:
    """A fault meant for a create is not wasted on a 429."""
    async with Emulator(rate=1, clock=Clock(monotonic=lambda: 1.0)) as emulator:
        emulator.faults.script(CREATE, [None, status(500)])
        seen = [status_of(await raw(emulator, CREATE)) for _ in range(2)]
        emulator.limiter.rate = None
        seen.append(status_of(await raw(emulator, CREATE)))

        assert seen == [201, 429, 500]


def hits(faults: FaultScript, number: int, request: str = CREATE) -> list[int]:
    return [n for n in range(1, number + 1) if faults.next_fault(request, "createCustomer") is not None]


@pytest.mark.parametrize(
    ("when", "expected"),
    [({"at": [3, 7]}, [3, 7]), ({"every": 4}, [4, 8]), ({"after": 8}, [9, 10]), ({}, list(range(1, 11)))],
    ids=["at", "every", "after", "always"],
)
def test_file_says_when(when: dict[str, Any], expected: list[int]) -> None:
    """The JSON form knows the same ways to choose a request."""
    faults = FaultScript()
    faults.load([{"match": CREATE, **when, "fault": "drop_reply"}])

    assert hits(faults, 10) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (CREATE, True),
        ("POST *", True),
        ("* /api/v1/customer-*", True),
        ("*", True),
        ("createCustomer", True),
        ("POST /api/v1/customer", False),
        ("GET *", False),
        ("POST /api/v1/customer.profiles", False),
    ],
)
def test_pattern_is_a_request_or_an_operation(pattern: str, expected: bool) -> None:
    """A star stands for anything; everything else stands for itself."""
    faults = FaultScript()
    faults.script(pattern, [reset()])

    assert bool(hits(faults, 1)) == expected


def test_first_rule_with_a_fault_decides_and_all_rules_count() -> None:
    """Two scripts run side by side over the same requests."""
    faults = FaultScript()
    faults.at(CREATE, [2], drop_reply())
    faults.every("POST *", 2, reset())

    chosen = [faults.next_fault(CREATE, "createCustomer") for _ in range(4)]

    assert chosen == [None, drop_reply(), None, reset()]


def test_rules_can_be_dropped() -> None:
    """Afterwards nothing goes wrong."""
    faults = FaultScript()
    faults.after("*", 0, reset())
    faults.clear()

    assert hits(faults, 3) == []


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"fault": "reset", "executes": True}, reset(executes=True)),
        ({"fault": "status", "status": 503, "body": "html"}, status(503, body="html")),
        ({"fault": "rate_limited", "retry_after_s": 2}, rate_limited(retry_after_s=2)),
        ({"fault": "slow", "delay_s": 5}, slow(5)),
        ({"fault": "half_body"}, half_body()),
        ({"fault": "wrong_length"}, wrong_length()),
        ({"fault": "hang"}, hang()),
        ({"fault": "answer", "status": 202, "json": {"a": 1}}, answer(202, body=b'{"a":1}')),
        ({"fault": "answer", "base64": "/wA=", "framing": "raw"}, answer(body=b"\xff\0", framing="raw")),
        ({"fault": "answer", "status": 301, "headers": {"Location": "{path}"}}, CATALOGUE["301_to_self"]),
        ({"fault": "404_html", "executes": True}, replace(CATALOGUE["404_html"], executes=True)),
        ({"fault": "own_wrapped", "delay_s": 1}, Fault(alter="wrapped", delay_s=1)),
    ],
)
def test_every_fault_has_a_json_form(entry: dict[str, Any], fault: Fault) -> None:
    """The arguments have the names of the functions' own."""
    faults = FaultScript()
    faults.load([entry])

    assert faults.next_fault(CREATE, "createCustomer") == fault


@pytest.mark.parametrize(
    "document",
    [
        {},
        ["drop_reply"],
        [{"fault": "explode"}],
        [{"fault": ["reset"]}],
        [{"fault": "slow"}],
        [{"fault": "slow", "delay_s": "long"}],
        [{"fault": "slow", "delay_s": -1}],
        [{"fault": "status", "status": 42}],
        [{"fault": "status", "status": 500, "body": "xml"}],
        [{"fault": "reset", "nonsense": 1}],
        [{"fault": "reset", "at": [1], "every": 2}],
        [{"fault": "reset", "every": 0}],
        [{"fault": "reset", "at": 3}],
        [{"fault": "reset", "at": [0]}],
        [{"fault": "reset", "after": -1}],
        [{"fault": "reset", "after": "x"}],
        [{"fault": "reset", "at": [1], "times": 0}],
        [{"fault": "reset", "times": 2}],
        [{"fault": "answer", "status": 42}],
        [{"fault": "answer", "framing": "loose"}],
        [{"fault": "answer", "ending": "explode"}],
        [{"fault": "answer", "coding": "zip"}],
        [{"fault": "answer", "alter": "better"}],
        [{"fault": "answer", "body": "a", "json": 1}],
        [{"fault": "answer", "base64": "%"}],
        [{"fault": "answer", "drip_s": -1}],
        [{"fault": "answer", "headers": {"A": "b\r\nC: d"}}],
        [{"fault": "404_html", "nonsense": 1}],
    ],
)
def test_script_that_cannot_be_followed_is_refused_whole(document: object) -> None:
    """A mistake shows at loading, not in the middle of a run; good entries before it are not kept."""
    faults = FaultScript()
    if isinstance(document, list):
        document = [{"fault": "reset"}, *document]

    with pytest.raises(FaultScriptError, match=r"entry 2|JSON list"):
        faults.load(document)

    assert len(faults) == 0


PERSON = {"id": "c-1", "name": "Ada Ashby", "emails": [{"original": "ada@example.org"}]}
GET = "GET /api/v1/customer-profiles/c-1"


@pytest.mark.timeout(60)
async def test_every_answer_of_the_catalogue_is_given_and_the_emulator_goes_on() -> None:
    """Each is sent as its name says; afterwards the next request is answered as ever."""
    async with Emulator(rate=None) as emulator:
        emulator.add_customer(**PERSON)
        for name, fault in CATALOGUE.items():
            emulator.faults.clear()
            emulator.faults.script(GET, [fault])
            async with Line(emulator) as line:
                line.ask(GET)
                if "silence" in name:
                    await until(lambda: emulator.requests.recent[-1].path.endswith("c-1"))
                    emulator.requests.clear()
                    beginning = b""
                else:
                    beginning = await _beginning(line)
            await emulator.accept()

            if name[:3].isdigit():
                assert status_of(beginning) == int(name[:3]), name
            if any(word in name for word in ("silence", "reset_", "closed_", "refused_")):
                assert beginning == b"", name
            assert status_of(await raw(emulator, AGENTS)) == 200, name


async def _beginning(line: Line) -> bytes:
    try:
        return await line.reader.read(4096)
    except ConnectionError:
        return b""


def test_the_catalogue_holds_what_the_fault_matrix_asks_for() -> None:
    """Every status with every body, every form of Retry-After, and the ends of a connection before and after."""
    wanted = {f"{status}_{body}" for status in (200, 201, 202, 204, 206) for body in BODIES}
    wanted |= {
        f"{status}_{body}" for status in (401, 403, 404, 407, 408, 413, 431, 451, 499) for body in ("html", "empty")
    }
    wanted |= {f"{status}_{body}" for status in (429, 500, 502, 503, 504) for body in ("html", "empty", "errors")}
    wanted |= {f"429_retry_after_{form}" for form in RETRY_AFTER}
    wanted |= {f"{status}_to_{place}" for status in (301, 302, 303, 307, 308) for place in ("self", "foreign")}
    wanted |= {f"{end}_{when}" for end in ("reset", "closed", "silence", "refused") for when in ("before", "after")}

    assert wanted <= CATALOGUE.keys()
    assert [name for name, fault in CATALOGUE.items() if name.endswith("_before") and fault.executes] == []


@pytest.mark.parametrize(
    ("framing", "said", "sent"),
    [
        ("length", {"Content-Length": "8"}, b"whatever"),
        ("chunked", {"Transfer-Encoding": "chunked"}, b"8\r\nwhatever\r\n0\r\n\r\n"),
        ("chunked_cut", {"Transfer-Encoding": "chunked"}, b"8\r\nwhatever\r\n"),
        ("unframed", {"Connection": "close"}, b"whatever"),
        ("half", {"Content-Length": "8"}, b"what"),
        ("overlong", {"Content-Length": "72"}, b"whatever"),
        ("short", {"Content-Length": "4"}, b"whatever"),
    ],
)
async def test_a_body_is_announced_and_sent_as_the_framing_says(
    framing: Any, said: Mapping[str, str], sent: bytes
) -> None:
    """True or not, the bytes on the wire are those."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(AGENTS, [answer(200, body="whatever", framing=framing, ending="close")])

        headers, body = parted(await raw(emulator, AGENTS))

        assert body == sent
        assert said.items() <= headers.items()


async def test_raw_bytes_take_the_place_of_the_whole_answer() -> None:
    """Nothing is added to them."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(AGENTS, [answer(body=b"HTTP/1.1 2\0", framing="raw", ending="close")])

        assert await raw(emulator, AGENTS) == b"HTTP/1.1 2\0"


async def test_an_endless_body_goes_on_until_the_client_has_enough() -> None:
    """It is never held whole, and the connection is free when the client has gone."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(AGENTS, [answer(200, body=b"line\n", framing="endless")])
        async with Line(emulator) as line:
            line.ask()
            read = 0
            while read < 8 << 20:
                read += len(await line.reader.read(1 << 20))
        await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_a_body_drips() -> None:
    """A byte at a time, and whole in the end."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(AGENTS, [answer(200, body="whatever", drip_s=0.0001)])

        assert parted(await raw(emulator, AGENTS))[1] == b"whatever"


async def test_packed_bodies_are_packed_or_say_so_only() -> None:
    """Gzip that is, gzip that is not, and gzip that ends too early."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(
            AGENTS, [answer(200, body="whatever", coding=coding) for coding in ("gzip", "gzip_lie", "gzip_cut")]
        )
        bodies = []
        for _ in range(3):
            headers, body = parted(await raw(emulator, AGENTS))
            assert headers["Content-Encoding"] == "gzip"
            bodies.append(body)

    assert gzip.decompress(bodies[0]) == b"whatever"
    assert bodies[1] == b"whatever"
    with pytest.raises((EOFError, zlib.error)):
        gzip.decompress(bodies[2])


@pytest.mark.parametrize(
    ("alter", "check"),
    [
        ("other", lambda found, own: found["id"] == "other-c-1" and found["emails"] != own["emails"]),
        ("wrapped", lambda found, own: found == {"data": own}),
        ("listed", lambda found, own: found == [own]),
    ],
)
async def test_the_operations_own_answer_is_altered(alter: Any, check: Callable[[Any, Any], bool]) -> None:
    """Another object, or the right one where it should not be."""
    async with Emulator(rate=None) as emulator:
        emulator.add_customer(**PERSON)
        emulator.faults.script(GET, [None, Fault(alter=alter)])
        own, found = [orjson.loads(parted(await raw(emulator, GET))[1]) for _ in range(2)]

        assert check(found, own)


async def test_a_create_can_name_another_id() -> None:
    """The customer is there under its own id, and `Location` says another."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(CREATE, [CATALOGUE["own_other"]])

        headers, _ = parted(await raw(emulator, CREATE, orjson.dumps(PERSON)))

        assert headers["Location"].endswith("/other-c-1")
        assert list(emulator.store.customers) == ["c-1"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("302_to_self", "/api/v1/agents"),
        ("302_to_foreign", "https://elsewhere.example.org/api/v1/agents"),
        ("302_to_self_absolute", "http://x/api/v1/agents"),
    ],
)
async def test_redirects_name_the_place(name: str, place: str) -> None:
    """The path of the request, here or elsewhere."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(AGENTS, [CATALOGUE[name]])

        assert parted(await raw(emulator, AGENTS))[0]["Location"] == place


async def test_a_stale_connection_ends_as_it_is_used_again() -> None:
    """The first answer is whole; the second request on the connection is not read, let alone carried out."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(AGENTS, [Fault("stale")])
        async with Line(emulator) as line:
            line.ask()
            status, _ = await line.answer()
            line.ask(f"{CREATE}")
            rest = await _beginning(line)

        assert (status, rest) == (200, b"")
        assert emulator.requests.count("createCustomer") == 0
        assert emulator.store.count("customers") == 0


async def test_a_surplus_of_bytes_stands_before_the_next_answer() -> None:
    """What was sent beyond the announced length stays on a kept connection."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(AGENTS, [answer(200, body="whatever", framing="short")])
        async with Line(emulator) as line:
            line.ask()
            first = await line.answer()
            line.ask()

            assert first == (200, b"what")
            assert (await line.reader.readexactly(8)) == b"everHTTP"


@pytest.mark.parametrize("ending", ["reset", "close"])
async def test_a_connection_can_end_before_anything_is_read(ending: Any) -> None:
    """It counts as a connection, not as a request; the next one is served."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script("connect", [Fault(ending)])
        async with Line(emulator) as line:
            line.ask()
            assert await _beginning(line) == b""

        assert status_of(await raw(emulator, AGENTS)) == 200
        assert emulator.requests.count() == 1


async def test_rules_for_requests_do_not_count_connections() -> None:
    """A star is every request."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script("*", [None, status(500)])

        assert [status_of(await raw(emulator, AGENTS)) for _ in range(3)] == [200, 500, 200]


async def test_a_silent_connection_ends_when_the_emulator_stops() -> None:
    """Nobody reads it and nobody answers."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script("connect", [Fault("hang")])
        waiting = asyncio.create_task(raw(emulator, AGENTS))
        await until(lambda: emulator.faults.fired == 1)
        await asyncio.sleep(0)

    with pytest.raises(ConnectionError):
        await waiting


async def test_connections_are_refused_for_a_time() -> None:
    """The port answers nobody, and open connections end; afterwards all is as before."""
    async with Emulator(rate=None) as emulator:
        url = emulator.url
        async with Line(emulator) as line:
            line.ask()
            await line.answer()
            emulator.refuse()

            assert await _beginning(line) == b""
            for _ in range(2):
                with pytest.raises(ConnectionRefusedError):
                    await raw(emulator, AGENTS)
        await emulator.accept()

        assert status_of(await raw(emulator, AGENTS)) == 200
        assert emulator.url == url


async def test_a_refusal_ends_by_itself() -> None:
    """After the time that the fault says; the answer before it is whole."""
    async with Emulator(rate=None) as emulator:
        emulator.faults.script(AGENTS, [Fault("refuse", refuse_s=0.01)])
        assert status_of(await raw(emulator, AGENTS)) == 200
        refused = 0
        while True:
            try:
                assert status_of(await raw(emulator, AGENTS)) == 200
                break
            except ConnectionRefusedError:
                refused += 1

        assert refused


async def test_an_emulator_that_refuses_can_stop() -> None:
    """Nothing is left listening or waiting."""
    async with Emulator(rate=None) as emulator:
        emulator.refuse(60)
    await until(lambda: len(asyncio.all_tasks()) == 1)

    with pytest.raises(ConnectionRefusedError):
        await raw(emulator, AGENTS)


def test_a_storm_is_so_many_in_a_row() -> None:
    """From each number that is named."""
    faults = FaultScript()
    faults.load([{"match": CREATE, "at": [2, 7], "times": 3, "fault": "429_errors"}])

    assert hits(faults, 10) == [2, 3, 4, 7, 8, 9]
