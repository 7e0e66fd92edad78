"""The events stream, as a client on a socket meets it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
import pytest

from bulkgladly.emulator import (
    Clock,
    Emulator,
    EmulatorOptions,
    drop_reply,
    half_body,
    rate_limited,
    reset,
    status,
    wrong_length,
)
from bulkgladly.emulator.__main__ import options_from
from bulkgladly.emulator.operations.event_types import ENTITIES, EVENT_SHAPES, WORDS, Field, entity_of
from tests.doors.emulator_client import client_of
from tests.signing import basic_auth

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
EVENTS = "/api/v1/events"
DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)
ALL = tuple(sorted(ENTITIES))
AGENT = {"id": "agent-1", "type": "AGENT"}
CLOSED = {
    "customerId": "c",
    "conversationId": "v",
    "context": {"assignee": {"inboxId": "inbox-1"}},
}


class Wall:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now.timestamp()


def an_emulator(wall: Wall | None = None, **options: Any) -> Emulator:
    """An emulator that has stopped at `NOW`."""
    return Emulator(rate=None, clock=Clock(wall=wall or Wall()), **options)


def moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def query(start: datetime | str, end: datetime | str | None = None, entities: Iterable[str] = ALL) -> Any:
    bounds = [("startAt", start), ("endAt", end)]
    written = [(name, moment(at) if isinstance(at, datetime) else at) for name, at in bounds if at is not None]
    return [*written, *(("entities", entity) for entity in entities)]


async def listed(
    client: aiohttp.ClientSession, start: datetime | str, *more: Any, **named: Any
) -> list[dict[str, Any]]:
    async with client.get(EVENTS, params=query(start, *more, **named)) as response:
        assert response.status == 200
        assert response.content_type == "application/x-jsonlines"
        return [orjson.loads(line) for line in (await response.read()).splitlines()]


def check(content: dict[str, Any], fields: tuple[Field, ...]) -> None:
    """Nothing else than what the shape has, all that is required, and words of the right list."""
    assert content.keys() <= {field.name for field in fields}
    assert content.keys() >= {field.name for field in fields if field.required}
    for field in fields:
        if field.name not in content:
            continue
        if isinstance(field.kind, tuple):
            check(content[field.name], field.kind)
        elif field.kind in WORDS:
            assert content[field.name] in WORDS[field.kind]


async def test_seeded_events_have_every_type_in_its_shape() -> None:
    """They lie in the last 24 hours, ascending to the millisecond, some of them at the same one."""
    async with client_of(an_emulator(seed_events=200)) as client:
        events = await listed(client, NOW - DAY)

    assert len(events) == 200
    assert {event["type"] for event in events} == set(EVENT_SHAPES)
    for event in events:
        assert list(event) == ["id", "type", "timestamp", "initiator", "content"]
        assert event["initiator"].keys() == {"id", "type"}
        check(event["content"], EVENT_SHAPES[event["type"]])
    moments = [event["timestamp"] for event in events]
    assert moments == sorted(moments)
    assert {len(each) for each in moments} == {24}
    assert moment(NOW - DAY) < moments[0]
    assert moments[-1] < moment(NOW)
    assert 150 < len(set(moments)) < 200
    assert len({event["id"] for event in events}) == 200


def test_seeded_events_repeat_themselves() -> None:
    """The same seed and moment give the same ones, another seed others."""

    def events(**options: Any) -> list[Any]:
        return [event.shown() for event in an_emulator(seed_events=90, **options).store.event_log]

    assert events() == events() != events(seed=1)


@pytest.mark.parametrize("entity", ALL)
async def test_entities_part_the_events(entity: str) -> None:
    """Each type comes with one entity; the assignee's with CONVERSATION."""
    async with client_of(an_emulator(seed_events=180)) as client:
        events = await listed(client, NOW - DAY, entities=[entity])

    types = {event["type"] for event in events}
    assert types == {event for event in EVENT_SHAPES if entity_of(event) == entity}
    assert len(events) == 4 * len(types)
    assert ("CONVERSATION_ASSIGNEE/UPDATED" in types) == (entity == "CONVERSATION")


async def test_several_entities_come_together() -> None:
    """The key is repeated; the order is that of time."""
    async with client_of(an_emulator(seed_events=180)) as client:
        events = await listed(client, NOW - DAY, entities=["TASK", "CUSTOMER"])

    assert {event["type"].partition("/")[0] for event in events} == {"TASK", "CUSTOMER"}
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)


async def test_what_happens_comes_after_what_was_seeded() -> None:
    """With id, moment, initiator and content as noted; types that are webhooks only do not come."""
    wall = Wall()
    emulator = an_emulator(wall, seed_events=45)
    wall.now += SECOND
    noted = emulator.store.event_log.add("CONVERSATION/CLOSED", CLOSED, AGENT)
    emulator.store.event_log.add("EXPORT_JOB/COMPLETED", {"jobId": "j"}, None)
    async with client_of(emulator) as client:
        events = await listed(client, NOW - timedelta(hours=23))

    assert events[-1] == {
        "id": noted.id,
        "type": "CONVERSATION/CLOSED",
        "timestamp": "2026-03-20T09:30:01.000Z",
        "initiator": AGENT,
        "content": CLOSED,
    }
    assert "EXPORT_JOB/COMPLETED" not in {event["type"] for event in events}
    assert events[-2]["timestamp"] < moment(NOW)


async def test_writes_to_the_api_become_events() -> None:
    """A customer who is created over the socket is one."""
    async with client_of(an_emulator()) as client:
        async with client.post("/api/v1/customer-profiles", json={"id": "ada"}) as response:
            assert response.status == 201
        (event,) = await listed(client, NOW - DAY)

    assert (event["type"], event["content"]) == ("CUSTOMER_PROFILE/CREATED", {"customerId": "ada"})


@pytest.mark.parametrize(("start", "found"), [("inclusive", "abc"), ("exclusive", "bc")])
async def test_bounds(start: Any, found: str) -> None:
    """The end belongs to the window, the start by option, each to the millisecond."""
    wall = Wall()
    emulator = an_emulator(wall, events_start=start)
    for name, ms in (("-", 0), ("a", 1), ("b", 2), ("c", 3), ("+", 4)):
        wall.now = NOW + timedelta(milliseconds=ms)
        emulator.store.event_log.add("CUSTOMER_PROFILE/UPDATED", {"customerId": name}, AGENT)
    async with client_of(emulator) as client:
        one, three = NOW + timedelta(milliseconds=1), NOW + timedelta(milliseconds=3)
        events = await listed(client, one, three)
        later = await listed(client, "2026-03-20T09:30:00.001001Z", three)

    assert "".join(event["content"]["customerId"] for event in events) == found
    assert "".join(event["content"]["customerId"] for event in later) == "bc"


async def test_end_is_now_unless_given() -> None:
    """What happened this millisecond is there at once."""
    wall = Wall()
    emulator = an_emulator(wall)
    emulator.store.event_log.add("CUSTOMER_PROFILE/UPDATED", {"customerId": "c"}, AGENT)
    async with client_of(emulator) as client:
        assert len(await listed(client, NOW - SECOND)) == 1
        assert len(await listed(client, NOW - SECOND, NOW + DAY)) == 1


async def test_events_show_up_late_by_option() -> None:
    """Each after its own part of the lag, so a later one can be there before an earlier one; then all are."""
    wall = Wall()
    emulator = an_emulator(wall, events_lag_s=15)
    for number in range(100):
        wall.now = NOW + number * SECOND / 10
        emulator.store.event_log.add("CUSTOMER_PROFILE/UPDATED", {"customerId": str(number)}, AGENT)
    async with client_of(emulator) as client:
        early = await listed(client, NOW)
        again = await listed(client, NOW)
        wall.now += 15 * SECOND
        late = await listed(client, NOW)

    assert 0 < len(early) < 100
    assert early == again
    numbers = [int(event["content"]["customerId"]) for event in early]
    assert numbers != list(range(len(numbers)))
    assert [int(event["content"]["customerId"]) for event in late] == list(range(100))


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ([], [("startAt", "blank"), ("entities", "blank")]),
        ([("startAt", ""), ("entities", "TASK")], [("startAt", "blank")]),
        (query(NOW, entities=[]), [("entities", "blank")]),
        (query(NOW - SECOND, entities=["TASK", "CASE"]), [("entities", "invalid")]),
        (query(NOW - SECOND, entities=["CONVERSATION_ASSIGNEE"]), [("entities", "invalid")]),
        (query(NOW - DAY - SECOND / 1000), [("startAt", "invalid")]),
        (query("yesterday"), [("startAt", "invalid")]),
        (query(NOW - SECOND, "now"), [("endAt", "invalid")]),
        (query(NOW - SECOND, NOW - SECOND), [("startAt", "invalid")]),
        (query(NOW - SECOND, NOW - 2 * SECOND), [("startAt", "invalid")]),
        (query(NOW), [("startAt", "invalid")]),
        ([("startAt", moment(NOW - SECOND)), *query(NOW - SECOND)], [("startAt", "invalid")]),
    ],
)
async def test_what_cannot_be_asked_is_400(given: Any, errors: list[tuple[str, str]]) -> None:
    """The parameter at fault is named."""
    async with client_of(an_emulator()) as client, client.get(EVENTS, params=given) as response:
        assert response.status == 400
        assert [(error["attr"], error["code"]) for error in (await response.json())["errors"]] == errors


async def test_plus_of_an_offset_must_be_escaped() -> None:
    """A bare one is a blank in a query."""
    async with client_of(an_emulator(seed_events=10)) as client:
        path = f"{EVENTS}?entities=TASK&startAt=2026-03-20T10:00:00"
        async with client.get(f"{path}%2B01:00") as response:
            assert response.status == 200
        async with client.get(f"{path}+01:00") as response:
            assert response.status == 400


async def test_stream_is_that_of_its_moment() -> None:
    """Many events come in chunks; what happens while they are sent is not among them."""
    emulator = an_emulator(seed_events=20_000)
    async with client_of(emulator) as client, client.get(EVENTS, params=query(NOW - DAY)) as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        first = await response.content.readline()
        emulator.store.event_log.add("CUSTOMER_PROFILE/UPDATED", {"customerId": "c"}, AGENT)
        rest = (await response.read()).splitlines()

    assert orjson.loads(first)["id"] != orjson.loads(rest[0])["id"]
    assert len(rest) == 20_000 - 1


async def read_into(received: bytearray, response: aiohttp.ClientResponse) -> None:
    async for block in response.content.iter_any():
        received += block


@pytest.mark.parametrize(("fault", "part"), [(half_body(), 0.5), (wrong_length(), 1.0)], ids=["half", "length"])
async def test_stream_breaks_in_its_middle(fault: Any, part: float) -> None:
    """True bytes come, and then an error in place of the end; the next stream is whole."""
    emulator = an_emulator(seed_events=3000)
    emulator.faults.script("GET /api/v1/events", [None, fault])
    received = bytearray()
    async with client_of(emulator) as client:
        async with client.get(EVENTS, params=query(NOW - DAY)) as response:
            whole = await response.read()
        async with client.get(EVENTS, params=query(NOW - DAY)) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await read_into(received, response)
        async with client.get(EVENTS, params=query(NOW - DAY)) as response:
            assert await response.read() == whole

    assert len(received) == int(len(whole) * part)
    assert whole.startswith(received)


@pytest.mark.parametrize("fault", [drop_reply(), reset(), half_body()], ids=["drop", "reset", "half"])
async def test_stream_gets_lost(fault: Any) -> None:
    """Also an empty one."""
    emulator = an_emulator()
    emulator.faults.script("listEvents", [fault] * 5)
    async with client_of(emulator) as client:
        with pytest.raises(aiohttp.ClientError):
            await listed(client, NOW - SECOND)


@pytest.mark.parametrize(("fault", "code"), [(status(503), 503), (rate_limited(), 429)])
async def test_other_faults_answer_for_the_stream(fault: Any, code: int) -> None:
    """As for any other operation."""
    emulator = an_emulator()
    emulator.faults.script("listEvents", [fault])
    async with client_of(emulator) as client, client.get(EVENTS, params=query(NOW - SECOND)) as response:
        assert response.status == code


async def test_events_need_the_permission() -> None:
    """Known users without it are refused."""
    headers = {"Authorization": basic_auth("noperm@example.org", "emulator-token")}
    async with client_of(an_emulator()) as client, client.get(EVENTS, headers=headers) as response:
        assert response.status == 403


def test_past_comes_before_what_was_noted() -> None:
    """Otherwise the order would be lost."""
    event_log = an_emulator(seed_events=1).store.event_log

    with pytest.raises(ValueError, match="earlier ones can only be added"):
        event_log.begin_with(())


@pytest.mark.parametrize("wrong", [{"seed_events": -1}, {"events_lag_s": -1}, {"events_start": "both"}])
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    """The message names them."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EmulatorOptions(**wrong)


def test_options_by_flag() -> None:
    """All of them."""
    options = options_from(["--seed-events", "9", "--events-lag", "15", "--events-start", "exclusive"])

    assert (options.seed_events, options.events_lag_s, options.events_start) == (9, 15, "exclusive")
