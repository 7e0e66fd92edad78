"""Objects of events, requested from an emulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.api import Client, ClientOptions, Pacer
from bulkgladly.emulator import Emulator, status
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.sinks.object_fetch import ObjectFetch
from tests.flows.quickly import HASTY, QUICK
from tests.flows.sink_setting import HOST, ListSink, passing_on, put, soon, until


def about(event_type: str, **content: str) -> dict[str, Any]:
    return {"id": f"e-{event_type}", "type": event_type, "timestamp": "2026-11-27T08:00:00Z", "content": content}


@asynccontextmanager
async def client_of(emulator: Emulator, token: str | None = None) -> AsyncIterator[Client]:
    options = ClientOptions(
        retry=QUICK.retry,
        random=QUICK.random,
        give_up_after_s=0.05,
        first_contact_s=HASTY.first_contact_s,
        max_connections=20,
    )
    pacer = Pacer(unlimited=True)
    async with Client(
        emulator.url, emulator.options.username, token or emulator.options.token, pacer=pacer, options=options
    ) as client:
        yield client


class Now:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(rate=None, seed_customers=3, seed_conversations=3) as emulator:
        yield emulator


def first(emulator: Emulator, kind: str) -> dict[str, Any]:
    found: Any = emulator.store.collections[kind]
    return dict(next(iter(found.values())))


async def test_each_kind_of_object_is_added(emulator: Emulator) -> None:
    """With its type; an event about nothing that can be requested stays as it is."""
    conversation, customer, agent = (first(emulator, kind) for kind in ("conversations", "customers", "agents"))
    async with client_of(emulator) as client:
        fetch = ObjectFetch(client, window_s=5.0, clock=Now())
        found = [
            await fetch.object_members(event)
            for event in (
                about("CONTACT/OFFERED", conversationId=conversation["id"]),
                about("CUSTOMER_PROFILE/UPDATED", customerId=customer["id"]),
                about("AGENT_STATUS/LOGGED_IN", agentId=agent["id"]),
                about("SOMETHING/NEW", customerId=customer["id"]),
            )
        ]
        of_event = await fetch.customer(about("TASK/CREATED", customerId=customer["id"]))
        nobody = await fetch.customer(about("AGENT_STATUS/LOGGED_IN", agentId=agent["id"]))

    assert [(one.get("object_type"), one.get("object", {}).get("id")) for one in found] == [
        ("conversation", conversation["id"]),
        ("customer", customer["id"]),
        ("agent", agent["id"]),
        (None, None),
    ]
    assert of_event is not None
    assert of_event.object == found[1]["object"]
    assert nobody is None
    assert client.sent["getCustomer"] == 1


async def test_a_reply_serves_all_within_the_window(emulator: Emulator) -> None:
    """Those who want it at the same time wait for one request; after the window it is requested again."""
    now = Now()
    event = about("CUSTOMER_PROFILE/UPDATED", customerId=first(emulator, "customers")["id"])
    async with client_of(emulator) as client:
        fetch = ObjectFetch(client, window_s=5.0, clock=now)
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(fetch.object_members(event))
        now.s = 5.0
        await fetch.object_members(event)
        assert client.sent["getCustomer"] == 1
        now.s = 5.1
        await fetch.object_members(event)
        assert client.sent["getCustomer"] == 2


async def test_what_is_gone_is_data(emulator: Emulator) -> None:
    """A 404, a merge, and what Gladly refuses or never answers clearly: null, and why."""
    one, two = list(emulator.store.customers)[:2]
    emulator.store.merge(one, two)
    emulator.faults.script("GET /api/v1/tasks/t1", [status(500)] * 20)
    async with client_of(emulator) as client:
        fetch = ObjectFetch(client, window_s=5.0, clock=Now())
        merged = await fetch.object_members(about("CUSTOMER_PROFILE/UPDATED", customerId=one))
        absent = await fetch.object_members(about("CUSTOMER_PROFILE/DELETED", customerId="nobody"))
        unclear = await fetch.object_members(about("TASK/CREATED", taskId="t1"))

    assert merged == {"object_type": "customer", "object": None, "moved_to": two}
    assert absent == {"object_type": "customer", "object": None}
    assert unclear["object"] is None
    assert unclear["object_error"] == "no clear response (HTTP 500)"


async def test_a_cancel_leaves_others_their_request(emulator: Emulator) -> None:
    """Those who waited for the reply ask by themselves."""
    gate, begun = asyncio.Event(), asyncio.Event()

    class SlowFirst:
        def __init__(self, client: Client) -> None:
            self._client = client

        async def send(self, request: Any) -> Any:
            if not begun.is_set():
                begun.set()
                await gate.wait()
            return await self._client.send(request)

    event = about("CUSTOMER_PROFILE/UPDATED", customerId=first(emulator, "customers")["id"])
    async with client_of(emulator) as client:
        slow: Any = SlowFirst(client)
        fetch = ObjectFetch(slow, window_s=5.0, clock=Now())
        asked = asyncio.ensure_future(fetch.object_members(event))
        await begun.wait()
        waiting = asyncio.ensure_future(fetch.object_members(event))
        await asyncio.sleep(0)
        asked.cancel()

        assert (await waiting)["object"]["id"] == event["content"]["customerId"]
        with pytest.raises(asyncio.CancelledError):
            await asked


@pytest.mark.parametrize("is_out", ["outage", "token"])
async def test_a_sink_waits_while_gladly_cannot_be_asked(emulator: Emulator, tmp_path: Path, is_out: str) -> None:
    """It is told once, and nothing is passed on without its object."""
    sink, notes = ListSink(), list[str]()
    customer = first(emulator, "customers")["id"]
    bodies = [orjson.dumps({**about("CUSTOMER_PROFILE/UPDATED", customerId=customer), "id": f"e{n}"}) for n in range(5)]
    token = emulator.options.token
    with Inbox(tmp_path, HOST) as inbox:
        if is_out == "outage":
            emulator.refuse()
        async with client_of(emulator, "wrong" if is_out == "token" else token) as client:
            fetch = ObjectFetch(client, window_s=5.0, clock=Now())
            async with passing_on(inbox, sink, notes=notes, fetch=fetch):
                await put(inbox, bodies)
                await until(lambda: bool(notes))
                await asyncio.sleep(0.1)
                assert sink.tried == []
                if is_out == "outage":
                    await emulator.accept()
                    await soon(inbox, sink.name, 5)

    assert len([note for note in notes if "trying again" in note]) == 1
    if is_out == "outage":
        assert [one["object"]["id"] for one in sink.events] == [customer] * 5
