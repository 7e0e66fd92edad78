"""`kill -9` at random moments while rules run: each timer fires, and what it does is done as promised."""

import asyncio
import contextlib
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.conftest import World
from tests.flows.rule_program import expected, main

COUNT = 30


async def start(world: World, out: Path, first_ms: int) -> asyncio.subprocess.Process:
    arguments = (str(world.state), world.emulator.url, str(out), str(first_ms), str(COUNT))
    module = main.__module__
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )


def bodies(emulator: Emulator) -> tuple[Counter[str], Counter[str]]:
    """The tasks and the notes, by their texts."""
    tasks = Counter(str(task["body"]) for task in emulator.store.collections["tasks"].values())
    items = [item["content"] for item in emulator.store.items.values()]
    return tasks, Counter(str(each["body"]) for each in items if each.get("type") == "CONVERSATION_NOTE")


@pytest.mark.parametrize(
    ("kills", "seed"), [(2, 1), *(pytest.param(4, seed, marks=pytest.mark.soak) for seed in range(1, 30))]
)
async def test_killed_at_random_moments(world: World, kills: int, seed: int) -> None:
    """Each task once, each note at most once, each line at least once, and nothing for contacts that ended."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    world.emulator.add_customer(id="ada", emails=[{"original": "ada@example.org"}])
    world.emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
    out, first_ms = world.folder / "out.txt", round(time.time() * 1000)
    dead = world.state / "dead.ndjson"

    for _ in range(kills):
        process = await start(world, out, first_ms)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"begun\n"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), chance.uniform(0.0, 0.6))
        assert process.returncode is None
        process.kill()
        await process.wait()
    process = await start(world, out, first_ms)
    ends = time.monotonic() + 40
    wanted = expected(COUNT)
    while True:
        tasks, notes = bodies(world.emulator)
        lost = dead.read_text().count("\n") if dead.exists() else 0
        lines = set(out.read_text().split()) if out.exists() else set[str]()
        if len(tasks) == len(lines) == len(wanted) and len(notes) + lost >= len(wanted):
            break
        assert time.monotonic() < ends, (len(tasks), len(notes), lost, len(lines))
        await asyncio.sleep(0.02)
    process.kill()
    await process.wait()

    assert bodies(world.emulator)[0] == dict.fromkeys(wanted, 1)
    assert set(notes.values()) <= {1}
    assert lines == {f"waits:{event_id}" for event_id in wanted}
