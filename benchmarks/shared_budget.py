"""How much of the limit several processes of one machine use together, and how fairly.

    python -m benchmarks.shared_budget [--processes 4] [--seconds 20] [--check]

Real processes ask one emulator, which allows 10 requests a second in fixed windows, as fast as they may and without
a reserve. In turn: one process alone; all at once; one of them killed with SIGKILL in the middle; one stopped with
SIGSTOP and continued. Then the CPU of an import that is alone, with and without the shared budget, in one process
each. Bars: alone 0.98 of the limit, together 0.95, no 429 after the start, each process at least 0.8 of an
equal share, the share of a killed process taken over within a second, at most 2 % more CPU.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

import orjson

from benchmarks.setting import TOKEN, USERNAME, environment_for, machine
from bulkgladly.emulator import Clock, Emulator

__all__ = ("main",)

LIMIT = 10
ALONE, TOGETHER, FAIR, CPU = 0.98, 0.95, 0.8, 1.02
SETTLED_S = 4.0
"""Before this time, since the last process began, the pace is still being found."""


class Seen(NamedTuple):
    """One request: when, from which process, and whether it was refused."""

    at: float
    who: str
    is_refused: bool


async def ask(url: str, name: str, *, is_shared: bool) -> None:
    """Create one customer and read it as fast as allowed, until the process is ended."""
    from bulkgladly import Credentials, Limits, Pace  # noqa: PLC0415 - only the processes that ask need it
    from bulkgladly.messages import Repeat, Request  # noqa: PLC0415
    from bulkgladly.runs.connection import Connection  # noqa: PLC0415
    from bulkgladly.runs.environment import USUAL, Environment  # noqa: PLC0415

    environment = USUAL if is_shared else Environment()
    connection = Connection(Credentials(url, USERNAME, TOKEN), Pace(reserve=0), Limits(), environment)
    body = orjson.dumps({"id": name, "name": name, "emails": [{"original": f"{name}@example.org"}]})
    path = "/api/v1/customer-profiles"
    async with connection.client as client:
        await client.send(Request("createCustomer", "POST", path, body=body, repeat=Repeat.DETECTED))

        async def worker() -> None:
            while True:
                await client.send(Request("getCustomer", "GET", f"{path}/{name}"))

        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(worker())


class Scene:
    """One emulator, and processes that ask it. The processes share a cache of their own."""

    def __init__(self, emulator: Emulator, cache: str) -> None:
        self._emulator = emulator
        self._environment = environment_for(emulator.url) | {"XDG_CACHE_HOME": cache}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *, is_shared: bool = True) -> subprocess.Popen[bytes]:
        """Start one process more; its customer is named by its number."""
        command = [sys.executable, "-m", "benchmarks.shared_budget", "--ask", f"p{len(self.processes)}"]
        process = subprocess.Popen([*command, *(() if is_shared else ("--apart",))], env=self._environment)
        self.processes.append(process)
        return process

    async def all_ask(self, number: int) -> float:
        """Wait until so many processes have asked, and return when the last of them began."""
        async with asyncio.timeout(30):
            while len({seen.who for seen in self.seen()}) < number:  # noqa: ASYNC110 - other processes tell nobody
                await asyncio.sleep(0.05)
        return time.monotonic()

    def seen(self, since: float = 0.0, until: float = float("inf")) -> list[Seen]:
        """The reads of all processes in a time."""
        return [
            Seen(each.at, each.path.rpartition("/")[2], each.status == 429)
            for each in self._emulator.requests.recent
            if since <= each.at < until and each.method == "GET" and "/customer-profiles/" in each.path
        ]

    def end(self) -> None:
        """End all processes."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


@contextlib.contextmanager
def ended(scene: Scene) -> Iterator[Scene]:
    """End the processes of a scene after the block."""
    try:
        yield scene
    finally:
        scene.end()


class Figures(NamedTuple):
    """What a scene showed while it was settled."""

    use: float
    refused: int
    fairness: float
    """The smallest share of a process, relative to an equal one."""
    detail: str = ""


def figures(seen: Sequence[Seen], seconds: float, processes: int, detail: str = "") -> Figures:
    """Return the figures of some requests within some seconds."""
    accepted = [each for each in seen if not each.is_refused]
    shares = Counter(each.who for each in accepted)
    least = min(shares.values()) if len(shares) >= processes else 0
    fairness = least * processes / max(1, len(accepted))
    return Figures(len(accepted) / (LIMIT * seconds), len(seen) - len(accepted), fairness, detail)


async def steady(scene: Scene, processes: int, seconds: float) -> Figures:
    """All ask at the same time."""
    for _ in range(processes):
        scene.start()
    start = await scene.all_ask(processes) + SETTLED_S
    await asyncio.sleep(SETTLED_S + seconds)
    return figures(scene.seen(start, start + seconds), seconds, processes)


async def killed(scene: Scene, processes: int, seconds: float) -> Figures:
    """One is killed: the figures are those of the others from one second later on."""
    for _ in range(processes):
        scene.start()
    await scene.all_ask(processes)
    await asyncio.sleep(SETTLED_S)
    scene.processes[0].kill()
    start = time.monotonic() + 1.0
    await asyncio.sleep(1.0 + seconds)
    first = len(scene.seen(start - 1.0, start))
    return figures(scene.seen(start, start + seconds), seconds, processes - 1, f"{first} in the first second")


async def stopped(scene: Scene, processes: int, seconds: float) -> Figures:
    """One is stopped and continued: the figures are those of all from the stop until the end."""
    for _ in range(processes):
        scene.start()
    await scene.all_ask(processes)
    await asyncio.sleep(SETTLED_S)
    start = time.monotonic()
    scene.processes[0].send_signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    scene.processes[0].send_signal(signal.SIGCONT)
    await asyncio.sleep(seconds)
    again = sum(each.who == "p0" for each in scene.seen(start + seconds, start + 2 * seconds))
    found = figures(scene.seen(start, start + 2 * seconds), 2 * seconds, 1, f"{again} of the one that was continued")
    return found._replace(fairness=1.0)


async def cpu_of(scene: Scene, seconds: float, *, is_shared: bool) -> float:
    """Return the CPU seconds that a process alone takes in so many seconds after its start."""
    process = scene.start(is_shared=is_shared)
    await scene.all_ask(len(scene.processes))
    await asyncio.sleep(1.0)
    before = _cpu(process.pid)
    await asyncio.sleep(seconds)
    return _cpu(process.pid) - before


def _cpu(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - not a file on a disk
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def _scene(phase_s: float = 0.0) -> AsyncIterator[Scene]:
    clock = Clock(wall=time.monotonic)
    with tempfile.TemporaryDirectory() as cache:
        async with Emulator(
            rate=LIMIT, token=TOKEN, latency_s=0.05, jitter_s=0.01, phase_s=phase_s, clock=clock
        ) as emulator:
            with ended(Scene(emulator, cache)) as scene:
                yield scene


async def measure(processes: int, seconds: float) -> dict[str, Figures]:
    """Return the figures of all scenes."""
    found: dict[str, Figures] = {}
    for name, play, number in (
        ("alone", steady, 1),
        ("together", steady, processes),
        ("one killed", killed, processes),
        ("one stopped", stopped, processes),
    ):
        async with _scene(0.37 * len(found)) as scene:
            found[name] = await play(scene, number, seconds)
    return found


async def measure_cpu(seconds: float) -> tuple[float, float]:
    """Return the CPU of a process that is alone, with the shared budget and without, in seconds."""
    both = []
    for is_shared in (True, False):
        async with _scene() as scene:
            both.append(await cpu_of(scene, seconds, is_shared=is_shared))
    return both[0], both[1]


def missed_bars(found: dict[str, Figures]) -> list[str]:
    """Return a text for each bar that is missed."""
    missed = []
    for name, each in found.items():
        bar = ALONE if name == "alone" else TOGETHER
        if each.use < bar:
            missed.append(f"{name}: {each.use:.3f} of the limit used; wanted {bar}")
        if each.refused:
            missed.append(f"{name}: {each.refused} requests refused; wanted none")
        if each.fairness < FAIR:
            missed.append(f"{name}: one process had {each.fairness:.2f} of an equal share; wanted {FAIR}")
    return missed


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the measurements; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.ask:
        asyncio.run(ask(os.environ["GLADLY_HOST"], given.ask, is_shared=not given.apart))
        return 0
    print(f"{given.processes} processes at {LIMIT}/s, {given.seconds:g} s each; {machine()}")
    found = asyncio.run(measure(given.processes, given.seconds))
    for name, each in found.items():
        print(f"  {name:12} use {each.use:.3f}, refused {each.refused}, fairness {each.fairness:.2f}  {each.detail}")
    missed = missed_bars(found)
    with_budget, without = asyncio.run(measure_cpu(given.seconds))
    print(f"  CPU alone: {with_budget:.2f} s with the shared budget, {without:.2f} s without")
    if with_budget > CPU * without + 0.05:
        missed.append(f"CPU: {with_budget:.2f} s with the shared budget, {without:.2f} s without")
    for line in missed:
        print(f"MISSED {line}")
    return 1 if missed and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
