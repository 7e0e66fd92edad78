"""How fast webhooks are acknowledged beside landing, and whether a burst loses anything.

    python -m benchmarks.webhooks [--seconds 60] [--folder DIR ...] [--check]

The receiver is the whole service of `listen` in a process and on a core of its own: it lands every two seconds and
passes everything on to a command. The load comes from another process on another core. Latency counts from the moment
at which a delivery is due, so that a receiver which falls behind cannot hide it. Each setting runs once in memory
(/dev/shm, if there is one) and once on the disk of the folder for temporary files; `--folder` names others.

Bars: 200 deliveries a second, p99 of the acknowledgement 100 ms; 1,000 a second, nothing lost, and the peak of the
memory grows by less than 32 MB after the first sixth.
"""

import argparse
import asyncio
import base64
import contextlib
import datetime as dt
import io
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import aiohttp
import orjson
import pyarrow.dataset as pads

from benchmarks.setting import machine, pin
from bulkgladly import Credentials, Observer, Pace
from bulkgladly.emulator import Emulator
from bulkgladly.inbox.stored_events import inbox_path
from bulkgladly.realtime.realtime_options import RealtimeOptions
from bulkgladly.realtime.run_realtime import start_realtime
from bulkgladly.times import to_milliseconds
from bulkgladly.webhooks.listen_options import ListenOptions

__all__ = ("main",)

USERNAME, PASSWORD = "gladly", "benchmark-password"
SETTINGS = ((200, 0.5), (1000, 1.0))
"""Deliveries a second, and the share of `--seconds` for which they come."""
P99_BAR_MS = 100.0
GROWTH_BAR_MB = 32.0
WORKERS = 100
LAND_EVERY_S = 2.0


class Result(NamedTuple):
    """What one setting showed."""

    rate: int
    sent: int
    statuses: Counter[int]
    late_ms: list[float]
    stored: int
    landed: int
    passed_on: int
    growth_mb: float
    core: float
    """Which share of one core the receiver and the landing beside it used."""

    def quantile(self, share: float) -> float:
        """Return a quantile of the latency in milliseconds."""
        return self.late_ms[min(len(self.late_ms) - 1, int(share * len(self.late_ms)))]

    def missed(self) -> str | None:
        """Return which bar is missed."""
        if not self.statuses[200] == self.stored == self.landed == self.sent or self.passed_on != self.sent:
            return f"{self.sent} sent, {dict(self.statuses)} acknowledged, {self.stored} stored, {self.landed} landed"
        if self.rate == SETTINGS[0][0] and self.quantile(0.99) > P99_BAR_MS:
            return f"p99 {self.quantile(0.99):.1f} ms, wanted {P99_BAR_MS:.0f} ms"
        if self.growth_mb > GROWTH_BAR_MB:
            return f"the peak of the memory grew by {self.growth_mb:.0f} MB"
        return None


# --- the receiver ---


def _serve(pipe: Connection, folder: str, gladly: str) -> None:
    pin(0)
    os.environ["BULKGLADLY_LISTEN_USERNAME"], os.environ["BULKGLADLY_LISTEN_PASSWORD"] = USERNAME, PASSWORD
    asyncio.run(_receive(pipe, Path(folder), gladly))


async def _receive(pipe: Connection, folder: Path, gladly: str) -> None:
    options = RealtimeOptions(
        out=folder / "lake",
        sinks=(f"exec:sh -c 'cat >> {folder}/passed_on'",),
        settle_s=0.0,
        land_every_s=LAND_EVERY_S,
        listen=ListenOptions(at="127.0.0.1:0"),
        pace=Pace(unlimited=True),
        state_dir=folder / "state",
    )
    observer = _Address(pipe)
    began = time.process_time()
    service = asyncio.create_task(
        start_realtime(
            options, Credentials(gladly, "agent@example.org", "emulator-token"), observer=observer, with_signals=True
        )
    )
    while await asyncio.to_thread(pipe.recv) == "memory":
        pipe.send(_peak_mb())
    # As Ctrl-C does: what sinks have begun ends, and what is there lands.
    os.kill(os.getpid(), signal.SIGINT)
    await service
    pipe.send((_peak_mb(), time.process_time() - began))


class _Address(Observer):
    """Sends the address at which the service listens."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def note(self, text: str) -> None:
        if found := re.match(r"listening at (\S+)", text):
            self._pipe.send(found[1])


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


# --- the load ---


class _Load:
    """Deliveries that are due at even intervals, whatever became of the earlier ones."""

    def __init__(self, url: str, rate: int, count: int) -> None:
        self._url, self._rate, self._count = url, rate, count
        self.statuses: Counter[int] = Counter()
        self.late_ms: list[float] = []

    async def run(self) -> None:
        secret = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
        connector = aiohttp.TCPConnector(limit=WORKERS)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            numbers = iter(range(self._count))
            began = time.perf_counter() + 0.5
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(self._deliver(session, numbers, began))
        self.late_ms.sort()

    async def _deliver(self, session: aiohttp.ClientSession, numbers: Iterator[int], began: float) -> None:
        for number in numbers:
            due = began + number / self._rate
            await asyncio.sleep(due - time.perf_counter())
            try:
                async with session.post(self._url, data=io.BytesIO(_event(number))) as response:
                    await response.read()
                    self.statuses[response.status] += 1
            except aiohttp.ClientError:
                self.statuses[0] += 1
            self.late_ms.append((time.perf_counter() - due) * 1000)


def _event(number: int) -> bytes:
    content = {
        "customerId": f"cuStOmEr{number % 997:014}",
        "conversationId": f"cOnVeRsAtIoN{number % 4999:010}",
        "topicId": f"tOpIc{number % 31:017}",
        "context": {"assignee": {"inboxId": "iNbX0000000000000000AA"}},
    }
    return orjson.dumps(
        {
            "id": f"eVnT{number:018}",
            "type": "CONVERSATION/TOPIC_ADDED",
            "timestamp": to_milliseconds(dt.datetime.now(dt.UTC)),
            "initiator": {"id": "WmQ3x5T1R6yB0aC2dE4fGg", "type": "AGENT"},
            "content": content,
        }
    )


async def _measured(folder: Path, rate: int, seconds: float) -> Result:
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    async with Emulator(rate=None) as emulator:
        process = context.Process(target=_serve, args=(theirs, str(folder), emulator.url), daemon=True)
        process.start()
        try:
            load = _Load(await asyncio.to_thread(pipe.recv), rate, round(rate * seconds))
            warm_mb = await _with_memory(load, pipe, seconds / 6)
            pipe.send("stop")
            peak_mb, cpu_s = await asyncio.to_thread(pipe.recv)
        finally:
            await asyncio.to_thread(process.join, 20)
    return Result(
        rate,
        round(rate * seconds),
        load.statuses,
        load.late_ms,
        _stored(folder),
        pads.dataset(folder / "lake" / "events", partitioning="hive").count_rows(),
        len(set((folder / "passed_on").read_bytes().splitlines())),
        max(0.0, peak_mb - warm_mb),
        cpu_s / seconds,
    )


async def _with_memory(load: _Load, pipe: Connection, after_s: float) -> float:
    """Run the load, and return the peak of the receiver's memory some time after its beginning."""

    async def ask() -> float:
        await asyncio.sleep(after_s)
        pipe.send("memory")
        found: float = await asyncio.to_thread(pipe.recv)
        return found

    asking = asyncio.create_task(ask())
    await load.run()
    return await asking


def _stored(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(inbox_path(folder / "state"))) as connection:
        return int(connection.execute("SELECT COUNT(DISTINCT dedupe_id) FROM events").fetchone()[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the measurements; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the burst; the other runs half as long")
    parser.add_argument("--folder", type=Path, action="append", help="where the inbox is; repeatable")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)
    memory = Path("/dev/shm")  # noqa: S108 - the point is that it is in memory
    folders = given.folder or [*([memory] if memory.is_dir() else []), Path(tempfile.gettempdir())]

    pin(1)
    print(f"webhooks, {WORKERS} connections, landing beside; {machine()}")
    missed = []
    for parent in dict.fromkeys(folders):
        for rate, share in SETTINGS:
            folder = Path(tempfile.mkdtemp(prefix="webhooks-", dir=parent))
            try:
                found = asyncio.run(_measured(folder, rate, given.seconds * share))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            print(
                f"  {parent!s:<12} {rate:>5}/s: {found.statuses[200]:,} of {found.sent:,} acknowledged, "
                f"{found.stored:,} stored, {found.landed:,} landed, {found.passed_on:,} passed on; "
                f"p50 {found.quantile(0.5):.1f} ms, p99 {found.quantile(0.99):.1f} ms, "
                f"most {found.late_ms[-1]:.0f} ms; "
                f"memory +{found.growth_mb:.1f} MB, {found.core:.0%} of a core",
                flush=True,
            )
            if (why := found.missed()) is not None:
                missed.append(f"{parent}, {rate}/s: {why}")
    for line in missed:
        print(f"MISSED {line}")
    return 1 if missed and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
