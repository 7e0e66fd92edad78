"""`listen` as real processes, really killed, while events come twice, late, in any order, and with lost replies.

Each time it starts again, it goes on from its inbox and fills what it missed from the feed. At the end every event is
in the data set once, and each sink got every event.
"""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import orjson
import pyarrow.dataset as pads
import pytest

from bulkgladly.emulator import Emulator, Mischief
from bulkgladly.inbox.stored_events import InboxReader, inbox_path
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.verify import verify
from tests.flows.conftest import TOKEN

PASSWORD = "planted-webhook-secret-1c9"


class Listening:
    """The command line, in processes of its own, one after the other, against one emulator."""

    def __init__(self, emulator: Emulator, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self.lake, self.state, self.passed_on = folder / "lake", folder / "state", folder / "passed_on.ndjson"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GLADLY_", "BULKGLADLY_"))},
            "GLADLY_HOST": emulator.url,
            "GLADLY_USERNAME": emulator.options.username,
            "GLADLY_API_TOKEN": TOKEN,
            "BULKGLADLY_LISTEN_USERNAME": "gladly",
            "BULKGLADLY_LISTEN_PASSWORD": PASSWORD,
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/gladly"

    async def start(self) -> asyncio.subprocess.Process:
        arguments = [
            *("listen", "--at", f"127.0.0.1:{self._port}", "--out", str(self.lake), "--state-dir", str(self.state)),
            *("--land-every", "1s", "--settle", "0", "--to", f"exec:tee -a {self.passed_on}", "--heal", "--json"),
            *("--rate", "unlimited"),
        ]
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bulkgladly",
            *arguments,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )

    async def is_up(self, process: asyncio.subprocess.Process) -> None:
        """Return when it accepts connections."""
        while True:
            assert process.returncode is None, (await process.communicate())[1].decode()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return

    def landed(self) -> list[str]:
        """The ids in the data set."""
        table = pads.dataset(self.lake / "events", partitioning="hive").to_table(["id"])
        return sorted(map(str, table.column("id").to_pylist()))

    def sent_on(self) -> list[str]:
        """The ids that the sink got, in the order in which it got them. A kill can cut the last line of a batch."""
        found = []
        for line in self.passed_on.read_bytes().splitlines():
            try:
                found.append(str(orjson.loads(line)["id"]))
            except orjson.JSONDecodeError:
                continue
        return found


async def _killed_often(folder: Path, *, kills: int, per_second: float, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # a repeatable draw is the point
    port = 20_000 + chance.randrange(20_000)
    async with Emulator(token=TOKEN, rate=None, time_scale=30, seed=seed) as emulator:
        listening = Listening(emulator, folder, port)
        _subscribe(emulator, listening.url)
        emulator.deliveries.mischief = Mischief(duplicates=0.1, reorder_s=0.3, lost_replies=0.1)
        emitted: list[str] = []
        is_done = False

        async def emit() -> None:
            while not is_done:
                emitted.extend(event.id for event in emulator.emit(["TASK/CREATED", "CONTACT/STARTED"], count=2))
                await asyncio.sleep(2 / per_second)

        emitter = asyncio.ensure_future(emit())
        try:
            for _ in range(kills):
                process = await listening.start()
                if chance.random() < 0.8:
                    await listening.is_up(process)
                await asyncio.sleep(chance.random() ** 2 * 1.5)
                process.kill()
                await process.communicate()
        finally:
            is_done = True
            await emitter
        await _end_well(listening, emitted)


def _subscribe(emulator: Emulator, url: str) -> None:
    """A webhook for our URL, as `listen register` makes it."""
    store = emulator.store
    webhook = {
        "id": "webhook-1",
        "name": "bulkgladly",
        "url": url,
        "events": ["TASK/CREATED", "CONTACT/STARTED"],
        "enabled": True,
        "credentials": {"username": "gladly", "password": PASSWORD},
        "createdAt": store.now(),
        "updatedAt": store.now(),
    }
    store.collections["webhooks"]["webhook-1"] = webhook


async def _end_well(listening: Listening, emitted: list[str]) -> None:
    """The last process is stopped by a signal when it has everything."""
    process = await listening.start()
    async with asyncio.timeout(40):
        while set(listening.sent_on() if listening.passed_on.exists() else ()) < set(emitted):
            assert process.returncode is None, (await process.communicate())[1].decode()
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()

    assert listening.landed() == sorted(emitted)
    assert len(set(emitted)) == len(emitted)
    assert set(listening.sent_on()) == set(emitted)
    assert verify(DataFolder.open(listening.lake), deep=True).is_sound
    reader = InboxReader(inbox_path(listening.state))
    try:
        assert not reader.gaps()
        stored = [found.dedupe_id for found in reader.after(0, limit=1_000_000) if not found.why]
    finally:
        reader.close()
    assert sorted(stored) == sorted(emitted)


async def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    await _killed_often(tmp_path, kills=2, per_second=60, seed=7)


@pytest.mark.soak
async def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    await _killed_often(tmp_path, kills=200, per_second=60, seed=11)
