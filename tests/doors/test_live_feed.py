"""Views as server-sent events: to the reader and through the routes of a server."""

import asyncio
import datetime as dt
import json
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bulkgladly.errors import UsageError
from bulkgladly.live.live_feed import LiveFeed
from bulkgladly.live.live_page import live_page
from bulkgladly.live.live_routes import add_live_routes
from bulkgladly.live.live_state import LiveState
from bulkgladly.times import to_milliseconds
from tests.flows.live_scene import TOKEN, scene_event, served_live

NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)
PATIENCE_S = 20.0


def login(number: int) -> dict[str, Any]:
    """Return that one more agent logged in."""
    agent = f"agent-{number}"
    return scene_event("AGENT_STATUS/LOGGED_IN", NOW, (agent, "AGENT"), agentId=agent)


def message_of(frame: bytes) -> tuple[str | None, Any]:
    """Return the last event in a frame with its data; None if it has none."""
    lines = [line.partition(b": ") for line in frame.split(b"\n")]
    names = [value for name, _, value in lines if name == b"event"]
    data = [value for name, _, value in lines if name == b"data"]
    assert frame.endswith(b"\n\n")
    return (names[-1].decode(), json.loads(data[-1])) if names else (None, None)


async def next_agents(frames: AsyncGenerator[bytes, None]) -> int:
    """Return how many agents the next view has. Heartbeats and what is no view are passed over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            name, data = message_of(await anext(frames))
            if name == "view":
                return len(data["agents"])


async def test_the_first_view_comes_at_once_and_the_next_with_a_change() -> None:
    """A reader sees what there is, and then what is new."""
    state = LiveState()
    feed = LiveFeed(state, now=lambda: NOW, gap_s=0.01)
    async with aclosing(feed.frames()) as frames:
        assert await anext(frames) == b"retry: 3000\n\n"
        assert await next_agents(frames) == 0

        state.apply(login(1))
        feed.changed()

        assert await next_agents(frames) == 1


async def test_changes_within_the_gap_are_one_frame() -> None:
    """Thousands of events a second are at most two views a second."""
    state = LiveState()
    made = 0

    def now() -> dt.datetime:
        nonlocal made
        made += 1
        return NOW + dt.timedelta(seconds=made)

    feed = LiveFeed(state, now=now, gap_s=0.2, heartbeat_s=60)
    async with aclosing(feed.frames()) as frames:
        await next_agents(frames)
        before, began = made, time.monotonic()
        for number in range(1000):
            state.apply(login(number))
            feed.changed()
            if number % 100 == 0:
                await asyncio.sleep(0)

        assert await next_agents(frames) == 500
        gaps = (time.monotonic() - began) // 0.2  # one, and more on a machine that is busy
        # One for the view and one for the time in its frame.
        assert made - before <= 2 * (gaps + 1)


async def test_a_slow_reader_gets_the_latest_view_and_holds_nobody_up() -> None:
    """Nothing is kept for a reader that takes nothing; when it comes back, it sees how things are now."""
    state = LiveState()
    feed = LiveFeed(state, now=lambda: NOW, gap_s=0.001)
    async with aclosing(feed.frames()) as slow, aclosing(feed.frames()) as quick:
        assert (await next_agents(slow), await next_agents(quick)) == (0, 0)
        for number in range(5):
            state.apply(login(number))
            feed.changed()
            assert await next_agents(quick) == number + 1

        assert await next_agents(slow) == 5


async def test_a_reader_that_comes_within_the_gap_gets_the_change_too() -> None:
    """It begins with the view that is there, and need not wait for further news to see what has changed since."""
    state = LiveState()
    feed = LiveFeed(state, now=lambda: NOW, gap_s=0.3, heartbeat_s=60)
    async with aclosing(feed.frames()) as first, aclosing(feed.frames()) as second:
        await next_agents(first)
        state.apply(login(1))
        feed.changed()

        seen = [await next_agents(second)]
        while seen[-1] != 1:
            seen.append(await next_agents(second))

        assert seen in ([1], [0, 1])


async def test_a_quiet_feed_shows_that_it_is_alive() -> None:
    """With a comment, which a proxy passes on, and the time, by which the page counts."""
    feed = LiveFeed(LiveState(), now=lambda: NOW, heartbeat_s=0.01)
    async with aclosing(feed.frames()) as frames, asyncio.timeout(PATIENCE_S):
        await next_agents(frames)

        beat = await anext(frames)

    assert beat.startswith(b": ")
    assert message_of(beat) == ("still", "2026-11-27T12:00:00.000Z")


async def test_what_time_alone_changes_is_told_with_the_heartbeat() -> None:
    """A task becomes overdue without any event."""
    state = LiveState()
    context = {"createdAt": "2026-11-27T11:00:00Z", "dueAt": "2026-11-27T12:00:05Z"}
    state.apply(scene_event("TASK/CREATED", NOW, ("a", "AGENT"), taskId="t", context=context))
    clock = iter((NOW, *[NOW + dt.timedelta(seconds=10)] * 1000))
    feed = LiveFeed(state, now=lambda: next(clock), heartbeat_s=0.01)
    overdue = []
    async with aclosing(feed.frames()) as frames, asyncio.timeout(PATIENCE_S):
        while True not in overdue:
            name, data = message_of(await anext(frames))
            if name == "view":
                overdue.append(data["tasks"][0]["is_overdue"])

    assert overdue == [False, True]


async def test_closing_the_feed_ends_its_readers() -> None:
    """So that a server with open pages can stop."""
    feed = LiveFeed(LiveState(), now=lambda: NOW)
    async with aclosing(feed.frames()) as frames:
        await next_agents(frames)
        feed.close()

        async with asyncio.timeout(PATIENCE_S):
            assert [frame async for frame in frames] == []


@asynccontextmanager
async def asking(**scene: Any) -> AsyncIterator[tuple[Any, aiohttp.ClientSession]]:
    """Serve the routes and give them with a client."""
    async with served_live(**scene) as served, aiohttp.ClientSession() as session:
        yield served, session


PATHS = ("/live", "/live/events", "/live/state.json")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", f"?token={TOKEN}x", "?token=%ff%00", f"?tok={TOKEN}"])
async def test_without_the_token_there_is_nothing(path: str, query: str) -> None:
    """The answer does not differ from that of a path that does not exist."""
    async with asking() as (scene, session):
        base = f"http://127.0.0.1:{scene.port}"
        async with session.get(f"{base}{path}{query}") as reply, session.get(f"{base}/none") as unknown:
            assert (reply.status, await reply.text()) == (unknown.status, await unknown.text())
            assert reply.status == 404


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_private_is_neither_kept_nor_passed_on(path: str) -> None:
    """By caches, by the next page's referrer, by a frame in another page."""
    async with asking() as (scene, session):
        reply = await session.get(f"http://127.0.0.1:{scene.port}{path}?token={TOKEN}")
        reply.close()

    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", PATHS)
async def test_the_routes_only_read(method: str, path: str) -> None:
    """No method changes anything."""
    async with asking() as (scene, session):
        reply = await session.request(method, f"http://127.0.0.1:{scene.port}{path}?token={TOKEN}")
        reply.close()

    assert reply.status == 405


async def test_the_state_is_one_json_object() -> None:
    """For a program that wants it once."""
    async with asking() as (scene, session):
        scene.happen(login(1))
        async with session.get(f"{scene.url}/state.json?token={TOKEN}") as reply:
            found = await reply.json()

    assert [each["agent_id"] for each in found["agents"]] == ["agent-1"]
    assert found["totals"]["waiting"] is None


async def test_only_so_many_readers_are_served() -> None:
    """One more is told to come back, and is served when another has gone."""
    async with asking(most_readers=2, feed={"heartbeat_s": 0.02}) as (scene, session):
        address = f"{scene.url}/events?token={TOKEN}"
        async with session.get(address) as first:
            async with session.get(address) as second:
                assert (first.status, second.status) == (200, 200)
                async with session.get(address) as third:
                    assert (third.status, third.headers["Retry-After"]) == (503, "30")
                second.close()
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    async with session.get(address) as again:
                        if again.status == 200:
                            break


async def test_a_reader_that_takes_nothing_loses_its_place() -> None:
    """A computer that fell asleep with the page open keeps its connection, but takes no frames."""
    names = {f"agent-{number}": "x" * 300 for number in range(500)}
    quickly = {"gap_s": 0.001}
    async with asking(names=names, most_readers=1, write_s=0.05, feed=quickly) as (scene, session):
        scene.happen(*map(login, range(500)))
        with socket.socket() as asleep:
            asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.to_thread(asleep.connect, ("127.0.0.1", scene.port))
            asleep.send(f"GET /live/events?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await asyncio.to_thread(asleep.recv, 16)
            statuses: list[int] = []
            async with asyncio.timeout(PATIENCE_S):
                while 200 not in statuses:
                    # What the system keeps for it is a few frames before it is full.
                    at = NOW + dt.timedelta(seconds=len(statuses))
                    scene.happen({**login(1), "timestamp": to_milliseconds(at)})
                    async with session.get(f"{scene.url}/events?token={TOKEN}") as reply:
                        statuses.append(reply.status)
                    await asyncio.sleep(0.01)

    assert statuses[0] == 503


async def test_a_server_with_open_pages_stops_at_once() -> None:
    """Their streams end, and the browser tries again later."""
    async with aiohttp.ClientSession() as session:
        async with served_live() as scene:
            reply = await session.get(f"{scene.url}/events?token={TOKEN}")
            assert await reply.content.readline() == b"retry: 3000\n"

        async with asyncio.timeout(PATIENCE_S):
            assert (await reply.content.read()).endswith(b"\n\n")


def test_a_token_that_could_be_guessed_is_refused() -> None:
    """Also an empty one, which would open the page to everybody."""
    for token in ("", "short"):
        with pytest.raises(UsageError, match="at least 16 characters"):
            add_live_routes(web.Application(), LiveFeed(LiveState()), token=token)


def test_the_page_needs_nothing_else_and_its_token_is_only_text() -> None:
    """No address of another place is in it, and no token can end an attribute."""
    body, headers = live_page('"><script>&/')
    page = body.decode()

    assert 'data-events="live/events?token=%22%3E%3Cscript%3E%26%2F"' in page
    assert page.count("<script>") == page.count("<style>") == 1
    assert "http" not in page
    assert "innerHTML" not in page
    assert policy_of(headers)["default-src"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]


def policy_of(headers: Mapping[str, str]) -> Mapping[str, str]:
    parts = (each.strip().partition(" ") for each in headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}
