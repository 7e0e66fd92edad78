"""`kill -9` at random moments of a dump: always readable, every row once at the end."""

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.emulator.server.request_log import Seen
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.verify import verify
from tests.flows.exporting import DAY, NIGHT, TOKEN, Lake, a_lake, note_line
from tests.readers import by_duckdb, by_polars

WORDS = "items,customers"


async def start(lake: Lake) -> asyncio.subprocess.Process:
    """A dump as a process of its own."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GLADLY_", "BULKGLADLY_"))},
        "GLADLY_HOST": lake.emulator.url,
        "GLADLY_USERNAME": lake.emulator.options.username,
        "GLADLY_API_TOKEN": TOKEN,
    }
    pace = ("--rate", "unlimited", "--progress", "none", "--json", "--state-dir", str(lake.folder / "state"))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bulkgladly", "dump", str(lake.out), "--what", WORDS, *pace),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )


class Downloads:
    """Counts file downloads, and wakes whoever waits for so many more."""

    def __init__(self, lake: Lake) -> None:
        self._add = lake.emulator.requests.add
        self._left = 0
        self._reached = asyncio.Event()
        lake.emulator.requests.add = self._seen  # type: ignore[method-assign]

    def _seen(self, seen: Seen) -> None:
        self._add(seen)
        if seen.operation == "getFile":
            self._left -= 1
            if self._left <= 0:
                self._reached.set()

    async def wait_for(self, number: int, process: asyncio.subprocess.Process) -> bool:
        """True when so many more came, False when the process ended before."""
        self._left = number
        self._reached.clear()
        ended, reached = asyncio.ensure_future(process.wait()), asyncio.ensure_future(self._reached.wait())
        await asyncio.wait([ended, reached], return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        await asyncio.gather(reached, return_exceptions=True)
        if ended.done():
            return False
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
        return True


def fill(lake: Lake, *, jobs: int, rows: int) -> dict[str, str]:
    """Add hourly jobs, and return for each item the job that has it."""
    held: dict[str, str] = {}
    for number in range(jobs):
        items = [note_line(number * rows + row) for row in range(rows)]
        customers = [{"id": f"customer-{number}-{row}", "name": "Somebody"} for row in range(20)]
        job = lake.emulator.exports.add_job(
            {"conversation_items.jsonl": lines(items), "customers.jsonl": lines(customers)},
            updated_at=NIGHT - DAY + number * DAY / (2 * jobs),
            job_id=f"job-{number:03}",
        )
        held.update({str(item["id"]): job for item in items})
    return held


def lines(rows: list[dict[str, Any]]) -> bytes:
    """Rows as JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


async def dump_under_kills(folder: Path, *, jobs: int, rows: int, kills: int, seed: int) -> None:
    """Dump again and again, killed at random moments between and within downloads, and look after each."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable draw is the point
    lake = a_lake(folder)
    held = fill(lake, jobs=jobs, rows=rows)
    async with lake.emulator:
        downloads = Downloads(lake)
        at_most = max(1, 4 * jobs // kills)
        killed = 0
        while killed < kills:
            process = await start(lake)
            if not await downloads.wait_for(chance.randint(1, at_most), process):
                break
            # Not only when a download begins: also while it is converted, and while it is published.
            await asyncio.sleep(chance.random() * 0.03)
            process.kill()
            await process.communicate()
            killed += 1
            check_readable(lake, held)
        process = await start(lake)
        output, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    assert json.loads(output)["invariant_holds"] is True
    assert lake.ids() == sorted(held)
    assert len(set(lake.ids("customers"))) == lake.table("customers").num_rows == jobs * 20
    found = verify(DataFolder.open(lake.out), deep=True)
    assert not found.findings
    assert not [path for path in lake.out.rglob("*") if "partial" in path.name]
    assert killed == kills or killed > kills // 2, "it ended before it was killed often enough"


def check_readable(lake: Lake, held: dict[str, str]) -> None:
    """Whatever was killed: what is there opens as one table, and no row is there twice."""
    ids = lake.ids()
    assert len(set(ids)) == len(ids)
    assert set(ids) <= set(held)
    if ids:
        for read in (by_polars, by_duckdb):
            _, counts = read(lake.out / "items", "id")
            assert counts == dict.fromkeys(ids, 1)


async def test_a_dump_killed_three_times(tmp_path: Path) -> None:
    """Six jobs, three kills."""
    await dump_under_kills(tmp_path, jobs=6, rows=200, kills=3, seed=3)


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_a_dump_killed_fifty_times(tmp_path: Path) -> None:
    """Forty jobs, fifty kills."""
    await dump_under_kills(tmp_path, jobs=40, rows=5000, kills=50, seed=5)
