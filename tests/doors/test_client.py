"""The client against a small server on loopback that replies, and fails, by script."""

import asyncio
import base64
import socket
import struct
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import pytest

from bulkgladly.api import Client, ClientOptions, Pacer, RetryPolicy, Timeouts
from bulkgladly.errors import NotAuthenticated, NotPermitted, Outage, UsageError, WrongOrganisation
from bulkgladly.messages import Meaning, Repeat, Reply, Request
from tests.idle_time import in_idle_time

TOKEN = "s3cr3t-token"
USERNAME = "agent@example.org"
SECRET = base64.b64encode(f"{USERNAME}:{TOKEN}".encode()).decode()

RESET = "reset"
CLOSE = "close"
HANG = "hang"


def answer(status: int, body: bytes = b"{}", *, headers: str = "", length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


OK = answer(200, b"[]")
"""What confirms the read of a list. In its place `Server` gives each other request what confirms that."""
ORGANIZATION = "GET /api/v1/organization"
PAGE = b"<html>a page</html>"
TAKEN = answer(409, b'{"errors":[{"code":"taken","attr":"id"}]}')
NOT_EXIST = answer(404, b'{"errors":[{"code":"not_exist","detail":"there is no such thing"}]}')


def confirmed(line: str) -> bytes:
    """What Gladly returns when it has done what the first line of a request wants."""
    if line == ORGANIZATION:
        return answer(200, b'{"id":"org","name":"Example Organization"}')
    match line.split(" ", maxsplit=1)[0], line.rpartition("/")[2]:
        case ("POST", "customer-profiles"):
            return answer(201, b"", headers="Location: /api/v1/customer-profiles/made\r\n")
        case ("PATCH" | "DELETE", _):
            return answer(204, b"")
        case ("PUT", made):
            return answer(200, b'{"id":"%s"}' % made.encode())
    return OK


Script = Sequence[bytes | str]


@dataclass
class Server:
    """Answers each request with the next step of the script, and with what confirms it after its end.

    A step is the bytes of an answer, or one of RESET, CLOSE, HANG. Bytes that end short of
    their Content-Length are followed by a close.
    """

    script: Script = ()
    probes: Script = ()
    answered: Counter[bool] = field(default_factory=Counter)
    seen: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (step := await self._next(reader)) is not None:
                if not await self._play(step, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> bytes | str | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(v) for k, v in _fields(head) if k == "content-length"), 0)
        self.bodies.append(await reader.readexactly(length))
        line = head.split("\r\n", 1)[0].removesuffix(" HTTP/1.1")
        self.seen.append(line)
        self.heads.append(head)
        is_probe = line == ORGANIZATION
        steps, step = self.probes if is_probe else self.script, self.answered[is_probe]
        self.answered[is_probe] += 1
        played = steps[step] if step < len(steps) else OK
        return confirmed(line) if played == OK else played

    async def _play(self, step: bytes | str, writer: asyncio.StreamWriter) -> bool:
        if step == HANG:
            await asyncio.sleep(60)
        if step == RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(step, str):
            writer.transport.abort() if step == RESET else writer.close()
            return False
        writer.write(step)
        await writer.drain()
        head, body = step.split(b"\r\n\r\n", 1) if b"\r\n\r\n" in step else (step, b"")
        promised = next((int(v) for k, v in _fields(head.decode()) if k == "content-length"), -1)
        return promised == len(body)


def _fields(head: str) -> list[tuple[str, str]]:
    pairs = (line.split(":", 1) for line in head.split("\r\n")[1:] if ":" in line)
    return [(name.strip().lower(), value.strip()) for name, value in pairs]


class Time:
    """A clock that sleeping moves, so that nothing is waited for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


FAST = Timeouts(connect_s=1.0, total_s=0.1)


def client(
    url: str, time: Time, *, pacer: Pacer | None = None, reports_pacer: Pacer | None = None, **options: Any
) -> Client:
    options.setdefault("timeouts", Timeouts(connect_s=2.0, total_s=10.0))
    gate = pacer or Pacer(unlimited=True, clock=time, sleep=time.sleep, random=lambda: 1.0)
    chosen = ClientOptions(clock=time, sleep=time.sleep, random=lambda: 1.0, **options)
    return Client(url, USERNAME, TOKEN, pacer=gate, reports_pacer=reports_pacer, options=chosen)


def get(path: str = "/api/v1/agents", **options: Any) -> Request:
    return Request("getAgents", "GET", path, **options)


def create(repeat: Repeat = Repeat.DETECTED, body: bytes = b'{"name":"Ada"}') -> Request:
    return Request("createCustomer", "POST", "/api/v1/customer-profiles", body=body, repeat=repeat)


async def until(condition: Callable[[], object]) -> None:
    """Let the other tasks run until something has happened."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what is waited for is a list of the server, not an event
            await asyncio.sleep(0.001)


async def send_one(
    request: Request, script: Script, *, probes: Script | None = None, **options: Any
) -> tuple[Reply, Server, Client, Pacer, Time]:
    """Send one request to a server with this script; what arrived is always what the pacer let out."""
    time = Time()
    gate = Pacer(unlimited=True, clock=time, sleep=time.sleep, random=lambda: 1.0)
    async with Server(script, probes or ()) as server, client(server.url, time, pacer=gate, **options) as sender:
        reply = await sender.send(request)
    assert gate.sent == len(server.seen) == sender.sent.total()
    assert gate.in_flight == 0
    return reply, server, sender, gate, time


async def test_a_request_arrives_as_it_should() -> None:
    """Basic auth, JSON both ways, our name, a body byte for byte, no cookies."""
    reply, server, *_ = await send_one(
        create(),
        [answer(201, b"", headers="Location: /api/v1/customer-profiles/x\r\nSet-Cookie: a=b\r\n")],
    )

    head = dict(_fields(server.heads[0]))
    assert server.seen == ["POST /api/v1/customer-profiles"]
    assert head["authorization"] == f"Basic {SECRET}"
    assert head["content-type"] == head["accept"] == "application/json"
    assert head["user-agent"].startswith("bulkgladly/")
    assert server.bodies == [b'{"name":"Ada"}']
    assert (reply.status, reply.attempts, reply.lost) == (201, 1, 0)
    assert reply.headers["location"] == "/api/v1/customer-profiles/x"


@pytest.mark.parametrize(
    ("path", "query", "line"),
    [
        ("/api/v1/agents", (), "GET /api/v1/agents"),
        ("/api/v1/customers", (("phoneNumber", "+1 650"),), "GET /api/v1/customers?phoneNumber=%2B1%20650"),
        ("/api/v1/topics/a%2Fb", (("a", "1"), ("a", "&=")), "GET /api/v1/topics/a%2Fb?a=1&a=%26%3D"),
        ("/api/v1/x y\r\nEvil: 1", (), "GET /api/v1/x%20y%0D%0AEvil:%201"),
    ],
)
async def test_urls_are_sent_as_meant(path: str, query: tuple[tuple[str, str], ...], line: str) -> None:
    """A plus sign stays one, an escaped slash stays escaped, and no path can add a header."""
    _, server, *_ = await send_one(get(path, query=query), [])

    assert server.seen == [line]


@pytest.mark.parametrize("path", ["@evil.example/x", "evil", "https://evil.example/"])
async def test_a_path_cannot_lead_to_another_host(path: str) -> None:
    """The credentials go to the configured host only."""
    with pytest.raises(UsageError, match="slash"):
        await send_one(get(path), [])


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (201, b"", Meaning.CONFIRMED),
        (301, b'{"errors":[{"code":"moved","meta":{"new":"heir"}}]}', Meaning.MOVED),
        (400, b'{"errors":[{"code":"invalid"}]}', Meaning.REFUSED),
        (400, b'[{"code":"taken"}]', Meaning.TAKEN),
        (409, b'{"errors":{"detail":"there is one"}}', Meaning.TAKEN),
    ],
)
async def test_what_gladly_says_is_given_back(status: int, body: bytes, meaning: Meaning) -> None:
    """With what it means. Redirects are not followed, and a refusal is the caller's to tell."""
    script: Script = [answer(status, body, headers="Location: http://evil.example/made\r\n")]

    reply, server, *_ = await send_one(create(), script)

    assert (reply.status, reply.body, reply.attempts, reply.lost) == (status, body, 1, 0)
    assert reply.meaning is meaning
    assert len(server.seen) == 1


UNCLEAR: list[Any] = [
    pytest.param(answer(200, PAGE), id="200 with a page"),
    pytest.param(answer(201, PAGE, headers="Location: /login\r\n"), id="201 with a page"),
    pytest.param(answer(201, b""), id="201 without a place"),
    pytest.param(answer(201, b'{"errors":[{"code":"invalid"}]}', headers="Location: /x\r\n"), id="201 with an error"),
    pytest.param(answer(202, b""), id="202"),
    pytest.param(answer(204, b""), id="204"),
    pytest.param(answer(301, b"", headers="Location: /login\r\n"), id="301 to a login page"),
    pytest.param(answer(302, b"", headers="Location: /login\r\n"), id="302"),
    pytest.param(answer(303, PAGE, headers="Location: http://evil.example/\r\n"), id="303"),
    pytest.param(answer(400, PAGE), id="400 with a page"),
    pytest.param(answer(404, PAGE), id="404 with a page"),
    pytest.param(answer(404, b'{"message":"no route"}'), id="404 of a gateway"),
    pytest.param(answer(408, b""), id="408"),
    pytest.param(answer(409, b""), id="409 with nothing"),
    pytest.param(answer(413, PAGE), id="413"),
    pytest.param(answer(422, b'{"errors":[{"code":"invalid"}]}'), id="422"),
    pytest.param(answer(502, PAGE), id="502"),
]


@pytest.mark.parametrize("step", UNCLEAR)
async def test_what_is_not_gladlys_answer_is_repeated_where_that_is_safe(step: bytes) -> None:
    """It may have been executed, like a request whose reply was lost."""
    reply, server, *_ = await send_one(create(), [step, TAKEN])

    assert (reply.status, reply.attempts, reply.lost) == (409, 2, 1)
    assert server.seen == ["POST /api/v1/customer-profiles"] * 2


@pytest.mark.parametrize("step", UNCLEAR)
async def test_nobody_is_texted_twice_after_an_answer_that_is_not_gladlys(step: bytes) -> None:
    """At most once: it is given back at once, with what was said, as neither done nor refused."""
    reply, server, *_ = await send_one(create(Repeat.UNSAFE), [step])

    assert (reply.status, reply.attempts, reply.lost) == (int(step[9:12]), 1, 1)
    assert reply.meaning is Meaning.UNCLEAR
    assert reply.body == step.split(b"\r\n\r\n", 1)[1]
    assert len(server.seen) == 1


async def test_a_login_page_in_front_of_everything_is_an_outage() -> None:
    """A host whose replies never have Gladly's form gets no further requests."""
    time = Time()
    pages = [answer(200, PAGE)] * 99
    async with Server(pages, pages) as server, client(server.url, time, give_up_after_s=60) as sender:
        results = await asyncio.gather(*(sender.send(create()) for _ in range(20)), return_exceptions=True)

    assert {type(result) for result in results} == {Outage}
    assert "not in Gladly's format" in str(results[0])
    assert len([line for line in server.seen if line != ORGANIZATION]) <= 20


async def test_one_request_that_is_never_answered_is_no_outage_however_short_the_patience() -> None:
    """The failures that used the patience up are its own: the host is asked before everybody's work ends."""
    time = Time()
    pages = [answer(200, PAGE)] * 9
    async with Server(pages, [OK] * 9) as server, client(server.url, time, give_up_after_s=0.001) as sender:
        reply = await sender.send(create())

    assert (reply.meaning, reply.attempts) == (Meaning.UNCLEAR, 5)
    assert server.seen.count(ORGANIZATION) > 0


async def test_nothing_is_absent_before_the_organisation_has_answered() -> None:
    """It is asked after the first 404, and once a minute at most."""
    time = Time()
    async with Server([NOT_EXIST] * 99) as server, client(server.url, time) as sender:
        first = [await sender.send(create()) for _ in range(5)]
        asked_first = server.seen.count(ORGANIZATION)
        time.now += 59
        await sender.send(create())
        asked_within = server.seen.count(ORGANIZATION)
        time.now += 2
        await sender.send(create())

    assert [(reply.meaning, reply.status, reply.lost) for reply in first] == [(Meaning.ABSENT, 404, 0)] * 5
    assert (asked_first, asked_within, server.seen.count(ORGANIZATION)) == (1, 1, 2)


async def test_absences_of_the_same_moment_share_the_question() -> None:
    """Those that come while the organisation is asked take its reply, good or bad."""
    time = Time()
    async with Server([NOT_EXIST] * 9) as server, client(server.url, time) as sender:
        replies = await asyncio.gather(*(sender.send(create()) for _ in range(9)))
        asked = server.seen.count(ORGANIZATION)
    async with Server([NOT_EXIST] * 9, [NOT_EXIST] * 9) as server, client(server.url, time) as sender:
        refused = await asyncio.gather(*(sender.send(create()) for _ in range(9)), return_exceptions=True)

    assert ({reply.meaning for reply in replies}, asked) == ({Meaning.ABSENT}, 1)
    assert {type(one) for one in refused} == {WrongOrganisation}


async def test_an_absence_waits_until_the_organisation_can_be_asked() -> None:
    """A 404 from a host that gives no other reply is not believed until the organisation itself has replied."""
    reply, server, *_ = await send_one(create(), [NOT_EXIST] * 2, probes=[answer(503), CLOSE, OK])

    assert (reply.meaning, reply.attempts, reply.lost) == (Meaning.ABSENT, 2, 1)
    assert server.seen == [
        "POST /api/v1/customer-profiles",
        *[ORGANIZATION] * 3,
        "POST /api/v1/customer-profiles",
        ORGANIZATION,
    ]


@pytest.mark.parametrize("probe", [NOT_EXIST, answer(404, PAGE), answer(302, b"", headers="Location: /login\r\n")])
async def test_a_host_without_an_organisation_stops_the_run(probe: bytes) -> None:
    """A misspelt host returns 404 for everything: no record is rejected or counted as deleted for that."""
    with pytest.raises(WrongOrganisation, match="check GLADLY_HOST") as caught:
        await send_one(create(), [NOT_EXIST], probes=[probe])

    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [(401, NotAuthenticated, "GLADLY_API_TOKEN"), (403, NotPermitted, "API User")],
)
async def test_bad_credentials_stop_with_advice(status: int, error: type[Exception], words: str) -> None:
    """The message names the host, the user and the way out, and never the token."""
    with pytest.raises(error, match=words) as caught:
        await send_one(create(), [answer(status, b"<html>no</html>")])

    text = "".join(traceback.format_exception(caught.value))
    assert USERNAME in text
    assert "127.0.0.1" in text
    assert TOKEN not in text
    assert SECRET not in text


@pytest.mark.parametrize("repeat", list(Repeat))
async def test_a_429_is_repeated_until_it_passes(repeat: Repeat) -> None:
    """Also for unsafe requests, and without counting as lost; everybody pauses meanwhile."""
    script: Script = [answer(429, b"slow down")] * 12

    reply, _, sender, gate, time = await send_one(create(repeat), script)

    assert (reply.status, reply.attempts, reply.lost) == (201, 13, 0)
    assert sender.throttled == gate.throttled == 12
    assert sum(time.slept) >= 0.5 + 1 + 2 + 4 + 8 + 16 + 32 + 5 * 60


LOST: list[Any] = [
    pytest.param(RESET, id="reset"),
    pytest.param(CLOSE, id="closed without an answer"),
    pytest.param(HANG, id="no answer in time"),
    pytest.param(answer(201, b'{"id":', length=100), id="half a body"),
    pytest.param(b"HTTP/1.1 201 Said\r\nContent-Le", id="half a head"),
    pytest.param(b"garbage\r\n\r\n", id="no HTTP"),
    pytest.param(answer(200, b"not gzip", headers="Content-Encoding: gzip\r\n"), id="a broken encoding"),
]


@pytest.mark.parametrize("step", LOST)
@in_idle_time
async def test_a_lost_answer_is_repeated_where_that_is_safe(step: bytes | str) -> None:
    """The reply that follows says how often the request may have been executed before."""
    reply, server, *_ = await send_one(create(), [step, TAKEN], timeouts=FAST)

    assert (reply.status, reply.attempts, reply.lost) == (409, 2, 1)
    assert len(server.seen) == 2


@pytest.mark.parametrize("step", LOST)
@in_idle_time
async def test_a_lost_answer_ends_an_unsafe_request(step: bytes | str) -> None:
    """At most once: the caller learns that the outcome is unknown."""
    reply, server, *_ = await send_one(create(Repeat.UNSAFE), [step], timeouts=FAST)

    assert (reply.status, reply.body, reply.attempts, reply.lost) == (0, b"", 1, 1)
    assert len(server.seen) == 1


async def test_a_server_error_ends_an_unsafe_request_with_its_body() -> None:
    """A gateway may speak for a server that did the work."""
    reply, *_ = await send_one(create(Repeat.UNSAFE), [answer(502, b"<html>Bad gateway</html>")])

    assert (reply.status, reply.body, reply.attempts, reply.lost) == (502, b"<html>Bad gateway</html>", 1, 1)
    assert reply.problems == ()
    assert reply.meaning is Meaning.UNCLEAR


async def test_a_poison_record_is_given_back() -> None:
    """Five failures while the host answers probes: the record is to blame, and the run continues."""
    script: Script = [answer(500, b'{"n":%d}' % n) for n in range(9)]

    reply, server, *_ = await send_one(create(), script)

    assert (reply.status, reply.body, reply.attempts, reply.lost) == (500, b'{"n":4}', 5, 5)
    assert ORGANIZATION in server.seen


async def test_a_record_that_is_never_answered_is_given_back_too() -> None:
    """Then there is no status to give."""
    reply, *_ = await send_one(create(), [CLOSE] * 9)

    assert (reply.status, reply.attempts, reply.lost) == (0, 5, 5)


async def test_a_poison_record_does_not_stop_the_others() -> None:
    """All other requests get their replies."""
    time = Time()
    async with Server() as server, client(server.url, time) as sender:
        fail = asyncio.create_task(sender.send(create()))
        server.script = [CLOSE, CLOSE]
        replies = await asyncio.gather(*(sender.send(get()) for _ in range(20)))
        await fail

    assert {reply.status for reply in replies} == {200}


async def test_three_failures_in_a_row_pause_everybody_until_a_probe_is_answered() -> None:
    """During an outage only probes leave; the requests wait, and get their replies afterwards."""
    reply, server, _, _, time = await send_one(
        create(),
        [answer(503)] * 3,
        probes=[answer(503), CLOSE, answer(503), OK],
        retry=RetryPolicy(base_s=0.1),
    )

    assert (reply.status, reply.lost) == (201, 3)
    assert server.seen[3:7] == [ORGANIZATION] * 4
    assert len(server.seen) == 8
    assert sum(time.slept) >= 0.5 + 1 + 2 + 4


async def test_an_outage_spends_no_unsafe_requests() -> None:
    """Of many unsafe requests only those already on their way end in doubt."""
    time = Time()
    probes: Script = [answer(503)] * 6
    async with Server([answer(503)] * 3, probes) as server, client(server.url, time, max_connections=3) as sender:
        replies = await asyncio.gather(*(sender.send(create(Repeat.UNSAFE)) for _ in range(12)))

    assert sorted(reply.status for reply in replies) == [201] * 9 + [503] * 3
    assert server.seen.count(ORGANIZATION) == 7


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_host_that_never_answered_is_given_up_after_first_contact() -> None:
    """Thirty seconds, not an hour: a typing error should show."""
    time = Time()
    async with client(f"http://127.0.0.1:{free_port()}", time) as sender:
        with pytest.raises(Outage, match="check GLADLY_HOST") as caught:
            await asyncio.gather(*(sender.send(create()) for _ in range(5)))

    assert 29 <= time.now - 100 <= 40
    assert "no connection" in str(caught.value)
    assert caught.value.exit_code == 5


async def test_an_unknown_name_advises_to_check_the_organisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name without an address is most often a misspelt organisation."""

    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    time = Time()
    async with client("https://no-such-organisation.invalid", time) as sender:
        with pytest.raises(Outage, match="organisation name"):
            await sender.send(get())


async def test_a_later_outage_is_waited_out() -> None:
    """The client waits for a host that has replied before; probes come at most thirty seconds apart."""
    time = Time()
    async with Server() as server:
        sender = client(server.url, time)
        async with sender:
            await sender.send(get())
            await server.__aexit__(None, None, None)
            waiting = asyncio.create_task(sender.send(create()))
            await until(lambda: time.now >= 100 + 600)
            await server.__aenter__()
            reply = await waiting

    assert reply.status == 201
    assert reply.lost == 0
    assert max(time.slept) <= 30.0
    assert server.seen[1:] == [ORGANIZATION, "POST /api/v1/customer-profiles"]


async def test_a_later_outage_ends_after_its_time() -> None:
    """Then all that wait are told at once, and the same client can be used again."""
    time = Time()
    async with Server() as server:
        sender = client(server.url, time, give_up_after_s=120)
        async with sender:
            await sender.send(get())
            time.now += 5000
            await server.__aexit__(None, None, None)
            results = await asyncio.gather(*(sender.send(create()) for _ in range(4)), return_exceptions=True)

            given_up_at = time.now
            await server.__aenter__()
            reply = await sender.send(create())

    assert [type(result) for result in results] == [Outage] * 4
    assert 120 <= given_up_at - 5100 <= 180
    assert "resume" in str(results[0])
    assert reply.status == 201


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(get(), id="GET"),
        pytest.param(Request("updateBusinessHours", "PUT", "/api/v1/business-hours/h", body=b"{}"), id="PUT"),
        pytest.param(Request("deleteCustomer", "DELETE", "/api/v1/customer-profiles/c"), id="DELETE"),
        pytest.param(create(), id="POST"),
        pytest.param(Request("updateCustomer", "PATCH", "/api/v1/customer-profiles/c", body=b"{}"), id="PATCH"),
    ],
)
async def test_a_dropped_kept_connection_is_not_repeated_behind_the_pacer(request_: Request) -> None:
    """Some methods aiohttp would send twice without a word; each send must take a token."""
    time = Time()
    gate = Pacer(unlimited=True, clock=time, sleep=time.sleep)
    async with Server([OK, CLOSE, OK, RESET]) as server, client(server.url, time, pacer=gate) as sender:
        first = await sender.send(request_)
        second = await sender.send(request_)
        third = await sender.send(request_)

    assert [reply.attempts for reply in (first, second, third)] == [1, 2, 2]
    assert [reply.lost for reply in (first, second, third)] == [0, 1, 1]
    assert len(server.seen) == gate.sent == 5


async def test_every_send_takes_a_token() -> None:
    """Whatever goes wrong, the server never sees more requests than the pacer let out."""
    script: Script = [OK, answer(429), CLOSE, answer(500), RESET, answer(429), answer(503), CLOSE] * 3
    time = Time()
    gate = Pacer(unlimited=True, clock=time, sleep=time.sleep)
    async with (
        Server(script, [CLOSE, answer(500), OK, answer(429)]) as server,
        client(server.url, time, pacer=gate) as sender,
    ):
        await asyncio.gather(*(sender.send(request) for request in (get(), create()) * 15))

    assert len(server.seen) == gate.sent == sender.sent.total()
    assert sender.sent["getOrganization"] == server.seen.count(ORGANIZATION)
    assert gate.in_flight == 0


async def test_a_cancelled_request_gives_its_ticket_back() -> None:
    """Cancellation passes through, and the pacer does not count the request as in flight for ever."""
    time = Time()
    gate = Pacer(unlimited=True, clock=time, sleep=time.sleep)
    async with Server([HANG]) as server, client(server.url, time, pacer=gate, max_connections=1) as sender:
        task = asyncio.create_task(sender.send(create()))
        await until(lambda: server.seen)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gate.in_flight == 0
        assert (await sender.send(get())).status == 200


async def test_a_cancelled_probe_is_taken_over() -> None:
    """The next request that waits for the host takes over the probing."""
    time = Time()
    probes: Script = [HANG, OK]
    async with Server([CLOSE] * 4, probes) as server, client(server.url, time) as sender:
        first, second = (asyncio.create_task(sender.send(create())) for _ in range(2))
        await until(lambda: ORGANIZATION in server.seen)
        first.cancel()
        second_reply = asyncio.wait_for(second, 5)
        await asyncio.gather(first, return_exceptions=True)
        assert (await second_reply).status == 201


@pytest.mark.parametrize("is_packed", [True, False])
async def test_an_endless_answer_is_cut_off(is_packed: bool) -> None:
    """A body above the cap is a lost reply, whether the length is announced or the body is chunked."""
    long = (
        answer(200, b"x" * 2000)
        if is_packed
        else b"HTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n\r\n" + b"7d0\r\n" + b"x" * 2000 + b"\r\n" * 2
    )
    reply, *_ = await send_one(create(Repeat.UNSAFE), [long], max_body_bytes=1000)

    assert (reply.status, reply.lost) == (0, 1)


async def test_a_large_body_is_sent_whole() -> None:
    """Also above the size where aiohttp warns about bytes."""
    body = b'{"name":"%s"}' % (b"x" * (3 * 1024 * 1024))
    reply, server, *_ = await send_one(create(body=body), [CLOSE, OK])

    assert reply.status == 201
    assert server.bodies == [body, body]


async def test_the_limit_headers_reach_the_pacer() -> None:
    """And nonsense in them is ignored."""
    time = Time()
    gate = Pacer(clock=time, sleep=time.sleep)
    headers = "Ratelimit-Limit-Second: 50\r\nRatelimit-Remaining-Second: 49\r\n"
    nonsense = "Ratelimit-Limit-Second: -3\r\nRatelimit-Remaining-Second: many\r\nRetry-After: soon\r\n"
    script: Script = [answer(200, b"[]", headers=headers), answer(200, b"[]", headers=nonsense)]
    async with Server(script) as server, client(server.url, time, pacer=gate) as sender:
        await sender.send(get())
        await sender.send(get())

    assert gate.view().limit == 50


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://org.gladly.com", "https"),
        ("http://127.0.0.1.evil.example", "https"),
        ("ftp://org.gladly.com", "is not a valid address"),
        ("https://", "is not a valid address"),
        ("https://user:pass@org.gladly.com", "no user"),
        ("https://org.gladly.com/?x=1", "no user, path or query"),
        ("https://org.gladly.com:x", "is not a valid address"),
    ],
)
def test_a_base_url_that_could_leak_the_token_is_refused(url: str, words: str) -> None:
    """Only https, but for loopback; and a password in a URL is not shown."""
    with pytest.raises(UsageError, match=words) as caught:
        client(url, Time())

    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.9", "http://[::1]:8080/", "https://a.gladly.qa"])
def test_loopback_and_https_are_welcome(url: str) -> None:
    """The emulator speaks plain http."""
    client(url, Time())


@pytest.mark.parametrize(("username", "token"), [("", "t"), ("a@b", ""), ("a:b", "t")])
def test_credentials_that_cannot_work_are_refused(username: str, token: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError):
        Client("https://a.gladly.com", username, token, pacer=Pacer())


def test_the_proxy_of_the_environment_is_for_https_hosts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never for loopback, and NO_PROXY is honoured."""
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "direct.gladly.com")

    def proxy_of(url: str) -> str | None:
        return client(url, Time())._address.proxy()

    assert proxy_of("https://org.gladly.com") == "http://proxy.example:3128"
    assert proxy_of("https://direct.gladly.com") is None
    assert proxy_of("https://localhost") is None
    assert proxy_of("http://127.0.0.1:1") is None


async def test_the_token_is_in_no_repr_and_no_traceback() -> None:
    """Not even in the causes of an outage after a reply that is not HTTP."""
    time = Time()
    async with Server([b"garbage\r\n\r\n"] * 9, [b"garbage\r\n\r\n"] * 99) as server:
        sender = client(server.url, time, first_contact_s=5)
        async with sender:
            with pytest.raises(Outage) as caught:
                await sender.send(get())

    shown: list[Callable[[], str]] = [
        lambda: repr(sender),
        lambda: repr(caught.value),
        lambda: "".join(traceback.TracebackException.from_exception(caught.value).format()),
    ]
    for show in shown:
        assert TOKEN not in show()
        assert SECRET not in show()


async def test_a_closed_client_says_so() -> None:
    """Using it outside `async with` is a mistake in the program."""
    with pytest.raises(RuntimeError, match="async with"):
        await client("http://127.0.0.1:1", Time()).send(get())
