"""Several real processes on this machine, one organisation: together they keep its limit.

The emulator's bucket forgives a second of delays, so that a loaded machine breaks nothing; two processes that did
not know of each other would fill it within two seconds. `benchmarks.shared_budget` has the figures.
"""

import asyncio
import itertools
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest

from bulkgladly.emulator import Emulator, rate_limited
from bulkgladly.emulator.server.request_log import Seen
from tests.flows.conftest import TOKEN, people

ROOT = Path(__file__).parents[2]


class Machine:
    """Processes with one cache, and the emulator that they ask."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self._news = asyncio.Event()
        add = emulator.requests.add

        def seen(one: Seen) -> None:
            add(one)
            self._news.set()

        emulator.requests.add = seen  # type: ignore[method-assign, assignment]

    def environment(self) -> dict[str, str]:
        """Credentials and a cache, and nothing else of ours."""
        names = {name: value for name, value in os.environ.items() if not name.startswith(("GLADLY_", "BULKGLADLY_"))}
        own = {"GLADLY_HOST": self.emulator.url, "GLADLY_USERNAME": self.emulator.options.username}
        cache = str(self.folder / "cache")
        return {**names, **own, "GLADLY_API_TOKEN": TOKEN, "XDG_CACHE_HOME": cache, "PYTHONPATH": str(ROOT)}

    async def run(self, *arguments: str, **changes: str) -> asyncio.subprocess.Process:
        """Start a Python module."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment(), **changes},
            cwd=self.folder,
        )

    async def ask(self, *names: str) -> None:
        """Start processes that ask until they are ended, and wait until all have asked."""
        for name in names:
            self.processes[name] = await self.run("tests.flows.asking", name)
        await self.until(lambda: set(names) <= set(self.shares()))

    def shares(self, since: int = 0) -> Counter[str]:
        """How many reads each process made, among all requests from a number on."""
        seen = list(self.emulator.requests.recent)[since:]
        return Counter(one.path.rpartition("/")[2] for one in seen if one.method == "GET" and one.status == 200)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for requests until something is so."""
        async with asyncio.timeout(30):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def more(self, count: int) -> Counter[str]:
        """Wait for so many requests more, and return who made them."""
        begun = self.emulator.requests.total
        await self.until(lambda: self.emulator.requests.total >= begun + count)
        return self.shares(begun)

    @property
    def refused(self) -> int:
        """How many requests got a 429."""
        return self.emulator.requests.count(status=429)

    async def end(self) -> None:
        """Kill what still runs."""
        for process in self.processes.values():
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """An organisation with the documented limit, and no process yet."""
    async with Emulator(rate=10, algorithm="leaky", token=TOKEN) as emulator:
        machine = Machine(emulator, tmp_path)
        try:
            yield machine
        finally:
            await machine.end()


@pytest.mark.parametrize("number", [pytest.param(2, marks=pytest.mark.soak), 4])
async def test_processes_share_the_limit_by_themselves(machine: Machine, number: int) -> None:
    """None is refused, and each gets its share, without a flag."""
    names = [f"p{each}" for each in range(number)]
    await machine.ask(*names)

    shares = await machine.more(24)

    assert machine.refused == 0
    assert min(shares[name] for name in names) >= 24 / number / 3


async def test_the_share_of_a_killed_process_is_taken_over(machine: Machine) -> None:
    """Nothing has to run out or to be cleaned up, and a process that comes later finds its place."""
    await machine.ask("dead", "alive", "too")
    await machine.more(5)

    machine.processes["dead"].kill()
    await machine.processes["dead"].wait()
    shares = await machine.more(16)
    await machine.ask("later")

    assert set(shares) <= {"alive", "too", "dead"}
    assert shares["dead"] <= 1, "its last request may have been on its way"
    assert min(shares["alive"], shares["too"]) >= 4
    assert machine.refused == 0


async def test_a_stopped_process_harms_nobody(machine: Machine) -> None:
    """The others go on without it, and when it continues it sends no burst."""
    await machine.ask("stopped", "other")
    await machine.more(3)

    machine.processes["stopped"].send_signal(signal.SIGSTOP)
    await machine.more(3)  # its last request may have been on its way
    without = await machine.more(8)
    machine.processes["stopped"].send_signal(signal.SIGCONT)
    together = await machine.more(16)

    assert without == {"other": 8}
    assert min(together["stopped"], together["other"]) >= 3
    assert machine.refused == 0


@pytest.mark.soak
async def test_a_process_alone_wakes_up_beside_another(machine: Machine) -> None:
    """It was stopped while it had the limit for itself: before its next request it looks."""
    await machine.ask("alone")
    await machine.more(5)

    machine.processes["alone"].send_signal(signal.SIGSTOP)
    await machine.ask("newcomer")
    await machine.more(5)
    machine.processes["alone"].send_signal(signal.SIGCONT)
    shares = await machine.more(16)

    assert min(shares["alone"], shares["newcomer"]) >= 3
    assert machine.refused == 0


async def test_a_pause_that_one_was_told_holds_for_all(machine: Machine) -> None:
    """One 429 with `Retry-After`, and none of them sends until it is over."""
    await machine.ask("one", "other")
    await machine.more(5)
    machine.emulator.faults.script("getCustomer", [rate_limited(retry_after_s=3)])

    await machine.until(lambda: machine.refused == 1)
    refused = next(index for index, one in enumerate(machine.emulator.requests.recent) if one.status == 429)
    await machine.more(6)

    times = [one.at for one in machine.emulator.requests.recent][refused:]
    assert max(after - before for before, after in itertools.pairwise(times)) >= 1.2
    assert machine.refused == 1
    assert len(machine.shares(refused)) == 2


@pytest.mark.soak
async def test_reports_are_one_line_as_well(machine: Machine) -> None:
    """Ten a minute: the second report of all processes comes six seconds after the first."""
    for number in range(2):
        machine.processes[f"p{number}"] = await machine.run("tests.flows.asking", "reports")

    await machine.until(lambda: machine.emulator.requests.count("generateReport") >= 2)

    first, second = list(machine.emulator.requests.recent)[:2]
    assert second.at - first.at >= 4
    assert machine.refused == 0


async def test_two_imports_at_once_are_fine(machine: Machine) -> None:
    """As people start them: two commands, each with the default pace."""
    commands = []
    for name in ("first", "second"):
        path = machine.folder / f"{name}.ndjson"
        rows = [{**row, "crm": f"{name}-{row['crm']}", "email:1": f"{name}.{row['email:1']}"} for row in people(10)]
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        words = ["import", "customers", str(path), "--key", "crm", "--json", "--state-dir", name]
        commands.append(await machine.run("bulkgladly", *words))

    outputs = [await command.communicate() for command in commands]

    assert [command.returncode for command in commands] == [0, 0], outputs
    assert [orjson.loads(output)["counts"]["created"] for output, _ in outputs] == [10, 10]
    assert machine.refused == 0


async def test_a_cache_that_cannot_be_written_is_said_once(machine: Machine) -> None:
    """The run goes on with a quarter of the limit."""
    (machine.folder / "blocked").write_text("not a folder")
    path = machine.folder / "customers.ndjson"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in people(4)))
    words = ["import", "customers", str(path), "--key", "crm", "--state-dir", "state"]

    command = await machine.run("bulkgladly", *words, XDG_CACHE_HOME=str(machine.folder / "blocked"))
    _, errors = await command.communicate()

    assert command.returncode == 0, errors
    assert errors.decode().count("cannot share the pace") == 1
    assert "XDG_CACHE_HOME" in errors.decode()
    assert len(machine.emulator.store.customers) == 4
