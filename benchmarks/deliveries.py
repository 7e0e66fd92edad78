"""Whether the emulator keeps up with a burst of events: each is delivered to a webhook, and the API replies meanwhile.

    python -m benchmarks.deliveries [--rate 1000] [--seconds 60] [--check]

The emulator runs in its own process, pinned to one core. The receiver is on another core: an aiohttp
server that reads the event, remembers its id and replies 200. A third program asks the API for the
agents twenty times a second. The bar: every event arrives once, the last one at most 2 s late.
"""

import argparse
import asyncio
import base64
import multiprocessing
import statistics
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import aiohttp
import orjson
from aiohttp import web

from benchmarks.setting import TOKEN, USERNAME, emulator, machine, pin

LATE_S = 2.0


async def _receive(pipe: Connection, expected: int) -> None:
    """Send the URL, and then how many events have arrived, with and without repeats, when all have or after a while."""
    ids: list[str] = []
    complete = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.Response:
        event = orjson.loads(await request.read())
        if event["type"] != "PING":
            ids.append(event["id"])
            if len(ids) >= expected:
                complete.set()
        return web.Response()

    server = web.Server(handle, access_log=None)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    pipe.send(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/hook")
    for_s: float = await asyncio.to_thread(pipe.recv)
    with suppress(TimeoutError):
        await asyncio.wait_for(complete.wait(), for_s)
    listener.close()
    await server.shutdown(1)
    pipe.send((len(ids), len(set(ids))))


def _receiver(pipe: Connection, expected: int) -> None:
    pin(0)
    asyncio.run(_receive(pipe, expected))


async def _ask(session: aiohttp.ClientSession, done: asyncio.Event) -> list[float]:
    """Return how long each request to the API took, until the end."""
    latencies = []
    while not done.is_set():
        started = time.perf_counter()
        async with session.get("/api/v1/agents") as response:
            await response.read()
        latencies.append(time.perf_counter() - started)
        await asyncio.sleep(0.05)
    return latencies


async def _measure(url: str, pipe: Connection, rate: int, seconds: int) -> bool:
    """Print the figures; return whether they meet the bar."""
    count, done = rate * seconds, asyncio.Event()
    secret = base64.b64encode(f"{USERNAME}:{TOKEN}".encode()).decode()
    headers = {"Authorization": f"Basic {secret}"}
    async with aiohttp.ClientSession(url, headers=headers, raise_for_status=True) as session:
        hook = {"url": await asyncio.to_thread(pipe.recv), "events": ["CONTACT/STARTED"], "enabled": True}
        async with session.post("/api/v1/webhooks", json=hook):
            pass
        asking = asyncio.create_task(_ask(session, done))
        burst = {"type": "CONTACT/STARTED", "count": count, "per_second": rate}
        started = time.perf_counter()
        async with session.post("/_emulator/events", json=burst):
            pipe.send(seconds * 3.0)
        arrived, distinct = await asyncio.to_thread(pipe.recv)
        took_s = time.perf_counter() - started
        done.set()
        latencies = await asking
    print(
        f"  {arrived:,} events arrived ({distinct:,} distinct) of {count:,} at {rate:,}/s in {took_s:.1f} s; API:"
        f" median {statistics.median(latencies) * 1000:.1f} ms, slowest {max(latencies) * 1000:.1f} ms"
    )
    return arrived == distinct == count and took_s < seconds + LATE_S


def main() -> int:
    """Run the benchmark; return 1 if `--check` was given and the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print(f"deliveries of the emulator; {machine()}")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    receiver = context.Process(target=_receiver, args=(theirs, given.rate * given.seconds), daemon=True)
    receiver.start()
    with emulator("--rate", "0") as url:
        is_met = asyncio.run(_measure(url, ours, given.rate, given.seconds))
    receiver.join(10)
    print(f"  bar: every event once, the last one at most {LATE_S:.0f} s late: {'met' if is_met else 'MISSED'}")
    return int(given.check and not is_met)


if __name__ == "__main__":
    sys.exit(main())
