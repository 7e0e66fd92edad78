"""Scripted faults, as a client on a socket meets them."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest

from bulkgladly.emulator import (
    Clock,
    Emulator,
    Fault,
    FaultScript,
    FaultScriptError,
    drop_reply,
    half_body,
    hang,
    rate_limited,
    reset,
    slow,
    status,
    wrong_length,
)

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
