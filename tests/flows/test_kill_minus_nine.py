"""Real processes, really killed: `kill -9` at random moments, and `resume` until it is done."""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from bulkgladly.emulator import Emulator, drop_reply
from tests.flows.conftest import TOKEN, files_with, lines, people

RESULTS = ("success", "rejected", "unprocessed")


class Program:
    """The command line, in processes of its own against one emulator."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self._emulator, self._folder = emulator, folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GLADLY_", "BULKGLADLY_"))},
            "GLADLY_HOST": emulator.url,
            "GLADLY_USERNAME": emulator.options.username,
            "GLADLY_API_TOKEN": TOKEN,
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pace = ("--rate", "unlimited", "--reserve", "0", "--concurrency", "8", "--progress", "none", "--json")
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bulkgladly",
            *arguments,
            *pace,
            "--state-dir",
            str(self._folder / "state"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )

    async def end(self, process: asyncio.subprocess.Process) -> tuple[int, bytes, bytes]:
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output, errors


class Watch:
    """Kills a process when the emulator has carried out so many creates more."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._add = emulator.requests.add
        self._wanted: int | None = None
        self._reached = asyncio.Event()
        emulator.requests.add = self._seen  # type: ignore[method-assign]

    def _seen(self, seen: object) -> None:
        self._add(seen)  # type: ignore[arg-type]
        if self._wanted is not None and len(self._emulator.store.customers) >= self._wanted:
            self._reached.set()

    async def kill_after(self, creates: int, process: asyncio.subprocess.Process) -> bool:
        """True when it was killed, False when it ended before."""
        self._reached.clear()
        self._wanted = len(self._emulator.store.customers) + creates
        ended = asyncio.ensure_future(process.wait())
        reached = asyncio.ensure_future(self._reached.wait())
        await asyncio.wait([ended, reached], return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        await asyncio.gather(reached, return_exceptions=True)
        is_killed = not ended.done()
        if is_killed:
            process.kill()
        await ended
        await process.communicate()
        return is_killed


async def kill_and_resume(folder: Path, *, rows: int, kills: int, seed: int) -> None:
    """Import rows, killing the process over and over, and check that every customer is there once."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable draw is the point
    path = folder / "customers.ndjson"
    bad = frozenset(chance.sample(range(rows), rows // 50))
    content = [{**row, "email:1": "nobody"} if number in bad else row for number, row in enumerate(people(rows))]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in content))
    async with Emulator(rate=None, token=TOKEN) as emulator:
        emulator.faults.every("createCustomer", 7, drop_reply())
        program, watch = Program(emulator, folder), Watch(emulator)
        at_most = max(1, 2 * (rows - len(bad)) // (kills + 4))
        process = await program.start("import", "customers", str(path), "--key", "crm", "--new-run")
        killed = 0
        while killed < kills and await watch.kill_after(chance.randint(1, at_most), process):
            killed += 1
            process = await program.start("resume")
        status, output, errors = await program.end(process)

        _check(emulator, rows=rows, bad=len(bad))
    assert killed == kills, "it ended before it was killed often enough"
    assert status == 1, errors.decode()
    _check_report(json.loads(output), rows=rows, bad=len(bad))
    assert TOKEN.encode() not in output + errors
    assert not files_with(TOKEN, folder)


def _check(emulator: Emulator, *, rows: int, bad: int) -> None:
    held = Counter(entry["normalized"] for profile in emulator.store.customers.values() for entry in profile["emails"])
    assert len(emulator.store.customers) == len(held) == rows - bad
    assert set(held.values()) == {1}


def _check_report(report: dict[str, object], *, rows: int, bad: int) -> None:
    counts, folder = report["counts"], Path(str(report["folder"]))
    assert isinstance(counts, dict)
    assert report["invariant_holds"] is True
    assert report["status"] == "complete"
    assert (counts["read"], counts["created"], counts["rejected"]) == (rows, rows - bad, bad)
    success, rejected, unprocessed = (lines(folder / f"{name}.ndjson") for name in RESULTS)
    told = [line["position"]["record"] for line in success]
    told += [line["_bulkgladly"]["position"]["record"] for line in rejected]
    assert sorted(told) == list(range(1, rows + 1))
    assert unprocessed == []


async def test_killed_three_times(tmp_path: Path) -> None:
    """200 rows, replies dropped after the commit, three kills: nobody is missing, nobody is there twice."""
    await kill_and_resume(tmp_path, rows=200, kills=3, seed=7)


@pytest.mark.soak
@pytest.mark.timeout(2400)
async def test_killed_a_hundred_times(tmp_path: Path) -> None:
    """The same over 5,000 rows and 100 kills."""
    await kill_and_resume(tmp_path, rows=5000, kills=100, seed=11)
