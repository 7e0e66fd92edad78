"""How much of the allowed rate each pace uses, and how many 429s it gets.

    python -m benchmarks.pacing [--runs 5] [--requests 400] [--algorithms fixed leaky sliding] [--check]

The emulator runs in its own process: 10 requests a second, 80 ms +-20 ms of latency, half of it
before the limiter, and another window phase in each run. All clients of one run work at the same
time, each against its own emulator. "use" counts the accepted requests of the whole one-second
windows between the first and the last; "overall" divides all accepted requests by limit times time.
The two clients for comparison do not repeat refused requests.
"""

import argparse
import asyncio
import base64
import contextlib
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
from aiolimiter import AsyncLimiter

from bulkgladly.api import Client, Pacer
from bulkgladly.emulator import Clock, Emulator
from bulkgladly.messages import Repeat, Request

__all__ = ("Emulators", "Result", "bare", "even", "machine", "main", "ours", "results_of", "show_table", "shown")

LIMIT = 10
USERNAME, TOKEN = "agent@example.org", "emulator-token"
LATENCY_S, JITTER_S = 0.08, 0.02
WORKERS = 20
BARS = {"fixed": 0.98, "leaky": 0.965, "sliding": 0.965}


@dataclass(frozen=True)
class Result:
    """The result of one client against one emulator."""

    use: float
    overall: float
    accepted: int
    refused: int
    wall_s: float
    neighbour_refused: float = 0.0


class Emulators:
    """Emulators in another process, so that their work does not delay the clients."""

    def __init__(self, specs: Sequence[dict[str, Any]]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_host, args=(theirs, list(specs)), daemon=True)

    def __enter__(self) -> list[str]:
        self._process.start()
        urls: list[str] = self._pipe.recv()
        return urls

    def __exit__(self, *_: object) -> None:
        self._process.join(10)

    def seen(self) -> list[tuple[list[float], int, float]]:
        """Stop them; return when each accepted requests, how many it refused, and its share of the neighbour's."""
        self._pipe.send("stop")
        seen: list[tuple[list[float], int, float]] = self._pipe.recv()
        return seen


def _host(pipe: Connection, specs: list[dict[str, Any]]) -> None:
    asyncio.run(_serve(pipe, specs))


async def _serve(pipe: Connection, specs: list[dict[str, Any]]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        emulators = [
            await stack.enter_async_context(
                Emulator(
                    rate=LIMIT,
                    latency_s=LATENCY_S,
                    jitter_s=JITTER_S,
                    clock=Clock(wall=time.monotonic),
                    **spec,
                )
            )
            for spec in specs
        ]
        pipe.send([emulator.url for emulator in emulators])
        await asyncio.to_thread(pipe.recv)
        pipe.send([_seen_by(emulator) for emulator in emulators])


def _seen_by(emulator: Emulator) -> tuple[list[float], int, float]:
    seen = list(emulator.requests.recent)
    accepted = [request.at for request in seen if request.status is not None and request.status < 300]
    share = 0.0
    if (neighbour := emulator.limiter.neighbour) is not None:
        share = neighbour.refused / max(1, neighbour.refused + neighbour.admitted)
    return accepted, sum(request.status == 429 for request in seen), share


def body(number: int) -> bytes:
    """Return a customer that clashes with no other row."""
    return b'{"id":"row-%d","name":"Row %d","emails":[{"original":"row%d@example.org"}]}' % (
        number,
        number,
        number,
    )


async def ours(url: str, rows: int, *, seed: int) -> None:
    """Send the rows with the client of bulkgladly, which repeats refused ones."""
    del seed
    async with Client(url, USERNAME, TOKEN, pacer=Pacer(reserve=0.0)) as client:

        async def send(number: int) -> None:
            request = Request(
                "createCustomer",
                "POST",
                "/api/v1/customer-profiles",
                body=body(number),
                repeat=Repeat.DETECTED,
            )
            await client.send(request)

        await _work(rows, send)


def bare(gate: Callable[[], Callable[[], Awaitable[None]]], *, repeats: bool = False) -> Callable[..., Any]:
    """Return a client that is aiohttp behind a gate."""

    async def run(url: str, rows: int, *, seed: int) -> None:
        del seed
        wait = gate()
        secret = base64.b64encode(f"{USERNAME}:{TOKEN}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers) as session:

            async def send(number: int) -> None:
                while True:
                    await wait()
                    async with session.post(f"{url}/api/v1/customer-profiles", data=body(number)) as response:
                        await response.read()
                        if response.status != 429 or not repeats:
                            return

            await _work(rows, send)

    return run


def even(share: float) -> Callable[[], Callable[[], Awaitable[None]]]:
    """Return a gate that opens at even intervals of an absolute time line."""

    def gate() -> Callable[[], Awaitable[None]]:
        due = 0.0

        async def wait() -> None:
            nonlocal due
            now = time.monotonic()
            due = max(due + 1 / (share * LIMIT), now)
            await asyncio.sleep(due - now)

        return wait

    return gate


def bucket() -> Callable[[], Awaitable[None]]:
    """Return the usual gate: `AsyncLimiter(10, 1)`."""
    return AsyncLimiter(LIMIT, 1).acquire


async def _work(rows: int, send: Callable[[int], Awaitable[None]]) -> None:
    numbers = iter(range(rows))

    async def worker() -> None:
        for number in numbers:
            await send(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(worker())


PACES: dict[str, Callable[..., Any]] = {
    "bulkgladly": ours,
    "even spacing at 0.98": bare(even(0.98)),
    "AsyncLimiter(10, 1)": bare(bucket),
}


async def _all_at_once(jobs: Sequence[Callable[[], Awaitable[None]]]) -> None:
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            # The clients must not send their requests in step.
            await asyncio.sleep(0.037)
            group.create_task(_run(job))


async def _run(job: Callable[[], Awaitable[None]]) -> None:
    await job()


def results_of(rounds: Sequence[dict[str, Any]], rows: int, paces: dict[str, Callable[..., Any]]) -> list[Result]:
    """Run each pace against each emulator, all at the same time; return the results in that order."""
    cells = [(spec, pace) for spec in rounds for pace in paces.values()]
    emulators = Emulators([spec for spec, _ in cells])
    with emulators as urls:
        jobs = [
            lambda url=url, pace=pace, seed=n: pace(url, rows, seed=seed)
            for n, ((_, pace), url) in enumerate(zip(cells, urls, strict=True))
        ]
        asyncio.run(_all_at_once(jobs))
        seen = emulators.seen()
    return [
        _result(accepted, refused, share, spec.get("phase_s", 0.0))
        for (spec, _), (accepted, refused, share) in zip(cells, seen, strict=True)
    ]


def _result(accepted: list[float], refused: int, share: float, phase_s: float) -> Result:
    windows = Counter(int(at - phase_s) for at in accepted)
    inner = range(min(windows) + 1, max(windows))
    wall_s = max(accepted) - min(accepted)
    return Result(
        use=sum(windows[window] for window in inner) / (LIMIT * len(inner)),
        overall=(len(accepted) - 1) / (LIMIT * wall_s),
        accepted=len(accepted),
        refused=refused,
        wall_s=wall_s,
        neighbour_refused=share,
    )


def shown(values: Sequence[float], form: str = ".3f") -> str:
    """Return the median, the least and the most as text."""
    return f"{statistics.median(values):{form}} [{min(values):{form}}..{max(values):{form}}]"


def machine() -> str:
    """Return a line about the machine and the setting."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}; "
        f"limit {LIMIT}/s, {LATENCY_S * 1000:.0f} ms +-{JITTER_S * 1000:.0f} ms, loopback"
    )


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the measurements; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--algorithms", nargs="+", choices=list(BARS), default=list(BARS))
    parser.add_argument("--at-once", type=int, default=5, help="runs at the same time (default 5)")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)

    cells: dict[tuple[str, str], list[Result]] = {}
    for first in range(0, given.runs, given.at_once):
        runs = range(first, min(first + given.at_once, given.runs))
        rounds = [
            {"algorithm": algorithm, "phase_s": run * 0.37 % 1, "seed": run}
            for run in runs
            for algorithm in given.algorithms
        ]
        results = iter(results_of(rounds, given.requests, PACES))
        for spec in rounds:
            for name in PACES:
                cells.setdefault((spec["algorithm"], name), []).append(next(results))

    print(f"{given.requests} requests, {given.runs} runs, median [min..max]; {machine()}\n")
    show_table(
        ("limiter", "pace", "use of the limit", "overall", "429s"),
        [
            (
                algorithm,
                name,
                shown([r.use for r in results]),
                shown([r.overall for r in results]),
                shown([r.refused for r in results], ".0f"),
            )
            for (algorithm, name), results in cells.items()
        ],
    )
    missed = [
        f"{algorithm}: {use:.3f} used, {refused:.0f} refused; wanted {BARS[algorithm]} and none"
        for (algorithm, name), results in cells.items()
        if name == "bulkgladly"
        for use in [statistics.median(r.use for r in results)]
        for refused in [statistics.median(r.refused for r in results)]
        if use < BARS[algorithm] or refused
    ]
    for line in missed:
        print(f"MISSED {line}")
    return 1 if missed and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
