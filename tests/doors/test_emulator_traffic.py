"""Events on request, and the contact centre at work."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import Clock, Emulator, Event
from bulkgladly.emulator.operations.event_types import EVENT_SHAPES, WEBHOOK_ONLY_SHAPES, WORDS, Field
from bulkgladly.emulator.traffic.contact_centre import ContactCentre
from bulkgladly.emulator.traffic.emitter import MAX_AT_ONCE

SHAPES = {**EVENT_SHAPES, **WEBHOOK_ONLY_SHAPES}
MOMENT = 1_767_000_000.0


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


async def asked(emulator: Emulator, name: str, payload: object) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(emulator.url) as client,
        client.post(f"/_emulator/{name}", json=payload) as response,
    ):
        return response.status, await response.json()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks do; the test's own limit ends it."""
    while not condition():  # noqa: ASYNC110  # the emulator has no event for it, and needs none
        await asyncio.sleep(0)


# On request


@pytest.mark.parametrize("kind", SHAPES)
def test_any_type_can_be_emitted(kind: str) -> None:
    """In its shape; only those of webhooks alone have no initiator."""
    emulator = Emulator()
    for event in emulator.emit(kind, count=5):
        assert event.type == kind
        assert (event.initiator is None) == (kind in WEBHOOK_ONLY_SHAPES)
        check(event.content, SHAPES[kind])

    assert len(emulator.store.event_log) == 5


def test_given_fields_are_taken_and_the_others_are_invented() -> None:
    """So is the initiator."""
    agent = {"id": "agent-1", "type": "AGENT"}
    [event] = Emulator().emit("TASK/CREATED", {"taskId": "t-1"}, initiator=agent)

    assert event.content["taskId"] == "t-1"
    assert event.initiator == agent
    check(event.content, SHAPES["TASK/CREATED"])


def test_types_come_in_turn() -> None:
    """Those that are named, or all of the stream."""
    emulator = Emulator()
    named = emulator.emit(("TASK/CREATED", "TASK/CLOSED"), count=3)

    assert [event.type for event in named] == ["TASK/CREATED", "TASK/CLOSED", "TASK/CREATED"]
    assert {event.type for event in emulator.emit(count=len(EVENT_SHAPES))} == set(EVENT_SHAPES)


def test_the_seed_decides_what_is_invented() -> None:
    """The same seed and moment give the same events."""

    def emitted(seed: int) -> list[dict[str, Any]]:
        emulator = Emulator(seed=seed, clock=Clock(wall=lambda: MOMENT))
        return [event.shown() for event in emulator.emit(count=90)]

    assert emitted(1) == emitted(1) != emitted(2)


@pytest.mark.parametrize(
    "wrong", [{"types": "TASK/EATEN"}, {"types": "PING"}, {"types": []}, {"count": 0}, {"count": MAX_AT_ONCE + 1}]
)
def test_what_cannot_be_emitted_is_refused(wrong: dict[str, Any]) -> None:
    """And nothing is added."""
    emulator = Emulator()
    with pytest.raises(ValueError, match=r"event type|count"):
        emulator.emit(**wrong)

    assert not len(emulator.store.event_log)


async def test_events_at_a_rate() -> None:
    """All of them, in the end; other tasks run in between."""
    emulator = Emulator()
    other = asyncio.get_running_loop().create_task(until(lambda: len(emulator.store.event_log)))
    events = await emulator.emit_at_rate(100_000, 25_000, "TASK/CREATED")
    await other

    assert len({event.id for event in events}) == len(emulator.store.event_log) == 25_000


@pytest.mark.parametrize(("rate", "count"), [(0, 1), (-1, 1), (float("inf"), 1), (float("nan"), 1), (1, 0)])
async def test_a_rate_that_cannot_be_is_refused(rate: float, count: int) -> None:
    """Nobody waits for ever."""
    with pytest.raises(ValueError, match=r"per_second|count"):
        await Emulator().emit_at_rate(rate, count)


async def test_emitting_by_request() -> None:
    """At once with the ids, or in the background at a rate; the emulator stops in the middle of it."""
    async with Emulator(rate=None) as emulator:
        wanted = {"type": "TASK/CREATED", "content": {"taskId": "t"}, "count": 3}
        status, reply = await asked(emulator, "events", wanted)
        assert status == 200
        assert reply["ids"] == [event.id for event in emulator.store.event_log]
        assert {event.content["taskId"] for event in emulator.store.event_log} == {"t"}
        endless = {"count": 10**6, "per_second": 500}
        assert await asked(emulator, "events", endless) == (200, {"count": 10**6, "per_second": 500.0})
        await until(lambda: len(emulator.store.event_log) > 20)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("events", {"type": "TASK/EATEN"}),
        ("events", {"type": "TASK/EATEN", "per_second": 1}),
        ("events", {"type": 5}),
        ("events", {"count": 1.5}),
        ("events", {"count": True}),
        ("events", {"count": 10**6}),
        ("events", {"count": 5, "per_second": 0}),
        ("events", {"count": 5, "per_second": "many"}),
        ("events", {"content": [1]}),
        ("events", {"content": [1], "per_second": 1}),
        ("events", {"initiator": "me", "per_second": 1}),
        ("events", {"rate": 5}),
        ("events", 5),
        ("live", {}),
        ("live", {"per_minute": -1}),
        ("live", {"per_minute": "inf"}),
        ("live", []),
    ],
)
async def test_a_request_that_cannot_be_carried_out_is_400(name: str, payload: object) -> None:
    """And nothing happens."""
    async with Emulator(rate=None) as emulator:
        status, reply = await asked(emulator, name, payload)

        assert status == 400
        assert reply["errors"][0]["detail"]
        assert not len(emulator.store.event_log)


# The contact centre


class Day:
    """A contact centre whose time is moved by the test."""

    def __init__(self, *, per_minute: float = 6, seed: int = 0, **options: Any) -> None:
        self._now = MOMENT
        self.emulator = Emulator(clock=Clock(wall=lambda: self._now), seed=seed, **options)
        self._before = len(self.emulator.store.event_log)
        self._centre = ContactCentre(self.emulator, per_minute=per_minute, seed=seed)
        self._seconds = 0

    def pass_by(self, seconds: int) -> list[Event]:
        """Everything that has happened when so many more seconds are over."""
        for _ in range(seconds):
            self._now += 1
            self._seconds += 1
            self._centre.advance(self._seconds)
        return list(self.emulator.store.event_log)[self._before :]


def test_everything_that_a_live_table_shows_happens_in_an_hour() -> None:
    """In the documented shapes, with ids that the API knows."""
    day = Day(seed_customers=20, seed_conversations=1)
    events = day.pass_by(3600)
    store = day.emulator.store
    types = Counter(event.type for event in events)

    assert types.keys() >= {
        *(f"AGENT_STATUS/{word}" for word in ("LOGGED_IN", "LOGGED_OUT", "WENT_AWAY", "RETURNED_FROM_AWAY")),
        *(f"AGENT_AVAILABILITY/{word}" for word in ("UPDATED", "FOCUS_ENTERED", "FOCUS_EXITED")),
        *(f"CONTACT/{word}" for word in ("STARTED", "OFFERED", "OFFER_ACCEPTED", "OFFER_REJECTED", "JOINED")),
        *(f"CONTACT/{word}" for word in ("MESSAGE_RECEIVED", "MESSAGE_SENT", "HOLD_STARTED", "HOLD_ENDED")),
        *("CONTACT/FULFILLED", "CONTACT/ENDED", "CONVERSATION_STATUS/UPDATED", "CONVERSATION_ASSIGNEE/UPDATED"),
        *(f"CONVERSATION/{word}" for word in ("CREATED", "CLOSED", "REOPENED", "TOPIC_ADDED")),
        *(f"TASK/{word}" for word in ("CREATED", "DUE_DATE_UPDATED", "COMMENT_ADDED", "CLOSED")),
        "CUSTOMER_PROFILE/CREATED",
    }
    assert 250 < types["CONTACT/STARTED"] < 550
    for event in events:
        check(event.content, SHAPES[event.type])
        assert event.content.get("conversationId", next(iter(store.conversations))) in store.conversations
        assert event.content.get("customerId", next(iter(store.customers))) in store.customers
        assert event.content.get("messageId", next(iter(store.items))) in store.items


def test_a_contact_takes_its_course() -> None:
    """It starts once, is accepted only by the agent to whom it was offered, and nothing follows its end."""
    courses: dict[str, list[Event]] = {}
    for event in Day(seed_customers=20).pass_by(3600):
        if event.type.startswith("CONTACT/"):
            courses.setdefault(event.content["contactId"], []).append(event)

    assert len(courses) > 200
    for course in courses.values():
        names = [event.type.removeprefix("CONTACT/") for event in course]
        assert names[0] == "STARTED"
        assert names.count("STARTED") == 1
        assert "ENDED" not in names[:-1]
        offered = None
        for event, name in zip(course, names, strict=True):
            offered = event.content["agentId"] if name == "OFFERED" else offered
            if name in ("OFFER_ACCEPTED", "OFFER_REJECTED"):
                assert event.content["agentId"] == offered
    assert sum(course[-1].type == "CONTACT/ENDED" for course in courses.values()) > 0.9 * len(courses)


def test_agents_get_contacts_only_while_they_are_available() -> None:
    """For the work that the channel needs, and a call alone."""
    available: dict[str, list[str]] = {}
    for event in Day(seed_customers=20).pass_by(3600):
        if event.type == "AGENT_AVAILABILITY/UPDATED":
            available[event.content["agentId"]] = event.content["availableFor"]
        if event.type == "CONTACT/OFFERED":
            work = {"PHONE_CALL": "VOICE", "EMAIL": "MAIL", "VOICEMAIL": "MAIL"}
            assert work.get(event.content["channel"], "MESSAGING") in available[event.content["agentId"]]


def test_the_same_seed_gives_the_same_day() -> None:
    """Another seed gives another one."""

    def story(seed: int) -> list[tuple[str, str, Any]]:
        return [(event.type, event.timestamp, event.content) for event in Day(seed=seed).pass_by(600)]

    assert story(1) == story(1) != story(2)


def test_what_others_do_with_the_objects_ends_a_contact() -> None:
    """Conversations that are closed or gone, and customers who are deleted, break nothing."""
    day = Day()
    store = day.emulator.store
    for _ in range(60):
        day.pass_by(20)
        for number, conversation in enumerate(list(store.conversations.values())):
            if conversation["status"] != "CLOSED" and number % 2:
                store.conversations[conversation["id"]] = conversation | {"status": "CLOSED"}
        for customer_id in list(store.customers)[::5]:
            store.remove_customer(customer_id)
        for task_id in list(store.tasks)[::3]:
            store.remove("tasks", task_id)

    reasons = {event.content.get("reason") for event in day.pass_by(60) if event.type == "CONTACT/ENDED"}
    assert {"CONVERSATION_CLOSED", "CUSTOMER_DELETED"} <= reasons


def test_callers_who_wait_too_long_leave() -> None:
    """Where there is no agent, nobody else does anything."""
    emulator = Emulator(seed_customers=5)
    emulator.store.collections["agents"].clear()
    ContactCentre(emulator, per_minute=6).advance(1800)
    events = list(emulator.store.event_log)

    assert not [event for event in events if event.type == "CONTACT/OFFERED"]
    ended = [event.content for event in events if event.type == "CONTACT/ENDED"]
    assert {(content["channel"], content["status"]) for content in ended} == {("PHONE_CALL", "ABANDONED")}


def test_more_contacts_take_less_time() -> None:
    """So that the same five agents can cope with any number."""
    events = Day(per_minute=600, seed_customers=300).pass_by(60)
    types = Counter(event.type for event in events)

    assert types["CONTACT/STARTED"] > 300
    assert types["CONTACT/ENDED"] > 0.9 * types["CONTACT/STARTED"]


async def test_live_traffic_by_option_and_by_request() -> None:
    """It works from the start to the stop, and can be ended and begun again in between."""
    async with asyncio.timeout(30), Emulator(rate=None, live_traffic=60_000, seed_customers=10) as emulator:
        log = emulator.store.event_log
        await until(lambda: any(event.type == "CONTACT/ENDED" for event in log))
        assert await asked(emulator, "live", {"per_minute": 0}) == (200, {"per_minute": 0.0})
        count = len(log)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(log) == count
        await asked(emulator, "live", {"per_minute": 60_000})
        await until(lambda: len(log) > count + 100)


async def test_a_contact_centre_that_breaks_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The emulator goes on without it."""
    async with asyncio.timeout(30), Emulator(rate=None) as emulator:
        emulator.store.collections["agents"] = None  # type: ignore[assignment]
        emulator.traffic.live(6)
        await until(lambda: caplog.messages)

    assert "the traffic has stopped" in caplog.messages[0]
