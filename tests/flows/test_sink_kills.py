"""Processes that pass events on and are killed at any moment."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

ROOT = Path(__file__).parents[2]
COUNT = 800
KILLS = [3, pytest.param(8, marks=pytest.mark.soak)]
LINE_BYTES = 230


def run_until(folder: Path, to: str, settle_s: float, is_time: Callable[[], bool] = lambda: False) -> int:
    """Run the process until it has passed on everything, or kill it when it is time; return how it ended."""
    command = [sys.executable, "-m", "tests.flows.passing_process", str(folder), to, str(settle_s), str(COUNT)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if is_time():
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
        return process.wait()


def kill_often(folder: Path, to: str, settle_s: float, arrived: Callable[[], int], kills: int) -> None:
    """Kill the process each time that some more has arrived, and let the last one end by itself."""
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    ends = []
    for number in range(kills):
        least = (number + chance.random()) * COUNT / kills
        ends.append(run_until(folder, to, settle_s, lambda least=least: arrived() > least))  # type: ignore[misc]
    assert ends.count(-signal.SIGKILL) > kills // 2
    assert run_until(folder, to, settle_s) == 0


@contextlib.contextmanager
def receiver(got: list[dict[str, object]]) -> Iterator[str]:
    """A receiver in a thread of its own, which outlives all kills."""
    loop, ready, address = asyncio.new_event_loop(), threading.Event(), ""

    async def handle(request: web.Request) -> web.StreamResponse:
        got.append(await request.json())
        return web.Response()

    def serve() -> None:
        nonlocal address
        application = web.Application()
        application.router.add_post("/", handle)
        server = TestServer(application)
        loop.run_until_complete(server.start_server())
        address = str(server.make_url("/"))
        ready.set()
        loop.run_forever()
        loop.run_until_complete(server.close())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    ready.wait(10)
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def whole_events(written: bytes) -> Iterator[dict[str, object]]:
    """The events that a command got whole. A kill can cut a line, and then the next one follows in the same line."""
    for line in written.splitlines():
        for begin in (place for place, byte in enumerate(line) if byte == ord("{")):
            with contextlib.suppress(ValueError):
                yield json.loads(line[begin:])
                break


def assert_in_order(got: list[dict[str, object]]) -> None:
    """After the copies are left out, events about one object are in order but for late ones."""
    first: dict[str, dict[str, object]] = {}
    for one in got:
        first.setdefault(str(one["id"]), one)
    for key in range(5):
        numbers = [int(name[1:]) for name, one in first.items() if int(name[1:]) % 5 == key and "_late" not in one]
        assert numbers == sorted(numbers)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("settle_s", [0.0, pytest.param(0.05, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kills", KILLS)
def test_a_command_gets_all_events_through_kills(tmp_path: Path, settle_s: float, kills: int) -> None:
    """Killed at many moments: nothing is lost, and only batches under way come again."""
    out = tmp_path / "out.ndjson"

    def arrived() -> int:
        return out.stat().st_size // LINE_BYTES if out.exists() else 0

    kill_often(tmp_path, f"exec:tee -a {out}", settle_s, arrived, kills)

    got = list(whole_events(out.read_bytes()))
    assert {one["id"] for one in got} == {f"e{number}" for number in range(COUNT)}
    assert len(got) <= COUNT + kills * 100
    if settle_s:
        assert_in_order(got)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kills", KILLS)
def test_a_receiver_gets_all_events_through_kills(tmp_path: Path, kills: int) -> None:
    """The same over http."""
    got: list[dict[str, object]] = []
    with receiver(got) as address:
        kill_often(tmp_path, address, 0.05, lambda: len(got), kills)

    assert {one["id"] for one in got} == {f"e{number}" for number in range(COUNT)}
    assert_in_order(got)
