"""A listener that is killed or stopped at random moments while deliveries come: what got 200 is there, each once."""

import asyncio
import contextlib
import itertools
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from bulkgladly.inbox.event_inbox import Inbox
from tests.doors.test_webhook_server import basic, event
from tests.flows.receiving import HOST, PASSWORD

AT_ONCE = 20


@contextlib.contextmanager
def receiver(state_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A listener in a process of its own, and its URL."""
    command = [sys.executable, "-m", "tests.flows.receiving", str(state_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


async def deliver(url: str, numbers: Iterator[int], acknowledged: list[int], ended: asyncio.Event) -> None:
    """Deliver events one after the other, each twice at times, until the listener is gone."""
    async with aiohttp.ClientSession(headers=basic(PASSWORD)) as session:
        for number in numbers:
            for _ in range(1 + number % 2):
                try:
                    async with session.post(url, data=event(number)) as response:
                        assert response.status == 200
                except aiohttp.ClientError:
                    return
                acknowledged.append(number)
            if ended.is_set():
                return


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """Five kills at random moments; lost responses and copies make no difference."""
    state, numbers, acknowledged = tmp_path / "state", itertools.count(), list[int]()
    chance = random.Random(11)  # noqa: S311 - moments, not secrets
    for _ in range(5):
        with receiver(state) as (process, url):
            enough, ended = len(acknowledged) + chance.randrange(20, 300), asyncio.Event()
            senders = [asyncio.ensure_future(deliver(url, numbers, acknowledged, ended)) for _ in range(AT_ONCE)]
            while len(acknowledged) < enough:  # noqa: ASYNC110 - a list has no event
                await asyncio.sleep(0.001)
            process.kill()
            await asyncio.gather(*senders)

    with Inbox(state, HOST) as inbox:
        stored = Counter(each.dedupe_id for each in inbox.reader.after(0, limit=1_000_000))
    assert {f"event-{number}" for number in acknowledged} <= set(stored)
    assert set(stored.values()) == {1}


async def test_a_listener_that_sleeps_goes_on(tmp_path: Path) -> None:
    """Deliveries wait while it is stopped (SIGSTOP), and are acknowledged when it continues."""
    numbers, acknowledged, ended = itertools.count(), list[int](), asyncio.Event()
    with receiver(tmp_path / "state") as (process, url):
        process.send_signal(signal.SIGSTOP)
        senders = [asyncio.ensure_future(deliver(url, numbers, acknowledged, ended)) for _ in range(AT_ONCE)]
        await asyncio.sleep(0.1)
        assert acknowledged == []
        process.send_signal(signal.SIGCONT)
        while len(acknowledged) < 100:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.001)
        ended.set()
        await asyncio.gather(*senders)

    with Inbox(tmp_path / "state", HOST) as inbox:
        stored = {each.dedupe_id for each in inbox.reader.after(0, limit=1_000_000)}
    assert stored == {f"event-{number}" for number in acknowledged}
