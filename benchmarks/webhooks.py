"""How fast webhooks are acknowledged beside landing, and whether a burst loses anything.

    python -m benchmarks.webhooks [--seconds 60] [--folder DIR ...] [--check]

The receiver has a process and a core of its own; the load comes from another process on another core. While it
receives, the receiver also reads its inbox and writes Parquet, as landing does. Latency counts from the moment at which
a delivery is due, so that a receiver which falls behind cannot hide it. Each setting runs once in memory (/dev/shm, if
there is one) and once on the disk of the folder for temporary files; `--folder` names others.

Bars: 200 deliveries a second, p99 of the acknowledgement 100 ms; 1,000 a second, nothing lost, and the peak of the
memory grows by less than 32 MB after the first sixth.
"""

import argparse
import asyncio
import base64
import contextlib
import io
import multiprocessing
import os
import resource
import shutil
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
import anyio.to_thread
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.setting import machine, pin
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.stored_events import StoredEvent, inbox_path
from bulkgladly.webhooks.listen_options import ListenOptions
from bulkgladly.webhooks.listen_secrets import ListenSecrets
from bulkgladly.webhooks.webhook_server import WebhookServer

__all__ = ("main",)

USERNAME, PASSWORD = "gladly", "benchmark-password"
SETTINGS = ((200, 0.5), (1000, 1.0))
"""Deliveries a second, and the share of `--seconds` for which they come."""
P99_BAR_MS = 100.0
GROWTH_BAR_MB = 32.0
WORKERS = 100
LAND_EVERY_S = 2.0
LAND_ROWS = 500


class Result(NamedTuple):
    """What one setting showed."""

    rate: int
    sent: int
    statuses: Counter[int]
    late_ms: list[float]
    stored: int
    landed: int
    growth_mb: float
    core: float
    """Which share of one core the receiver and the landing beside it used."""

    def quantile(self, share: float) -> float:
        """Return a quantile of the latency in milliseconds."""
        return self.late_ms[min(len(self.late_ms) - 1, int(share * len(self.late_ms)))]

    def missed(self) -> str | None:
        """Return which bar is missed."""
        if self.statuses[200] != self.sent or self.stored != self.sent:
            return f"{self.sent} sent, {dict(self.statuses)} acknowledged, {self.stored} stored"
        if self.rate == SETTINGS[0][0] and self.quantile(0.99) > P99_BAR_MS:
            return f"p99 {self.quantile(0.99):.1f} ms, wanted {P99_BAR_MS:.0f} ms"
        if self.growth_mb > GROWTH_BAR_MB:
            return f"the peak of the memory grew by {self.growth_mb:.0f} MB"
        return None


# --- the receiver ---


def _serve(pipe: Connection, folder: str) -> None:
    pin(0)
    asyncio.run(_receive(pipe, Path(folder)))


async def _receive(pipe: Connection, folder: Path) -> None:
    secrets = ListenSecrets(USERNAME, [PASSWORD])
    with Inbox(folder / "state", "https://example.gladly.com") as inbox:
        server = WebhookServer(inbox, ListenOptions(at="127.0.0.1:0"), secrets)
        await server.start()
        sample = StoredEvent(0, "warm-up", "", 0, 0, "webhook", "", _event(0))
        _write([sample], folder / "warm-up.parquet")  # so that loading pyarrow does not look like a leak
        landing = asyncio.create_task(_land(inbox, folder))
        pipe.send(server.url)
        began = time.process_time()
        while await asyncio.to_thread(pipe.recv) == "memory":
            pipe.send(_peak_mb())
        landing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await landing
        await server.stop()
        pipe.send((_peak_mb(), inbox.reader.cursors().get("lake", 0), time.process_time() - began))


async def _land(inbox: Inbox, folder: Path) -> None:
    """Write what has arrived to Parquet files, all the time, and move the cursor behind each."""
    done = await inbox.begin_cursor("lake")
    while True:
        events = await anyio.to_thread.run_sync(inbox.reader.after, done, LAND_ROWS)
        if events:
            done = events[-1].seq
            await anyio.to_thread.run_sync(_write, events, folder / f"part-{done:09}.parquet")
            await inbox.move_cursor("lake", done)
        if len(events) < LAND_ROWS:
            await asyncio.sleep(LAND_EVERY_S)


def _write(events: Sequence[StoredEvent], path: Path) -> None:
    rows = [{**each.parsed(), "content": orjson.dumps(each.parsed()["content"]).decode()} for each in events]
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")
    with path.open("rb") as file:
        os.fsync(file.fileno())


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
            "timestamp": "2026-11-27T10:00:00.123Z",
            "initiator": {"id": "WmQ3x5T1R6yB0aC2dE4fGg", "type": "AGENT"},
            "content": content,
        }
    )


def _measured(folder: Path, rate: int, seconds: float) -> Result:
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, str(folder)), daemon=True)
    process.start()
    try:
        load = _Load(pipe.recv(), rate, round(rate * seconds))
        warm_mb = asyncio.run(_with_memory(load, pipe, seconds / 6))
        pipe.send("stop")
        peak_mb, landed, cpu_s = pipe.recv()
    finally:
        process.join(20)
    return Result(
        rate,
        round(rate * seconds),
        load.statuses,
        load.late_ms,
        _stored(folder),
        landed,
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
                found = _measured(folder, rate, given.seconds * share)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            print(
                f"  {parent!s:<12} {rate:>5}/s: {found.statuses[200]:,} of {found.sent:,} acknowledged, "
                f"{found.stored:,} stored, {found.landed:,} landed; p50 {found.quantile(0.5):.1f} ms, "
                f"p99 {found.quantile(0.99):.1f} ms, most {found.late_ms[-1]:.0f} ms; "
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
