"""Two processes on one state: the second one is told which run the first one works on, and nothing of it is lost."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bulkgladly import Limits, Pace
from bulkgladly.crosswalk.crosswalk_repair import start_repair
from bulkgladly.crosswalk.repair_report import RepairOptions
from bulkgladly.errors import UnfinishedRun
from bulkgladly.journal.state import State
from bulkgladly.journal.state_reader import StateReader
from bulkgladly.records import FORGOTTEN
from bulkgladly.runs.beginning import unfinished
from tests.flows.conftest import World, people
from tests.flows.planning import apply
from tests.flows.planning import plan as planned
from tests.flows.quickly import QUICK


async def _import(world: World, limits: Limits) -> object:
    return await world.run(world.ndjson(people(9)), max_requests=limits.max_requests)


async def _repair(world: World, limits: Limits) -> object:
    options = RepairOptions(pace=Pace(unlimited=True, concurrency=1), state_dir=world.state, limits=limits)
    return await start_repair("customers", world.credentials, options, environment=QUICK)


async def _apply(world: World, limits: Limits) -> object:
    if not (world.folder / "a.plan").exists():
        await planned(world, people(30))
    return await apply(world, limits=lambda found: replace(found, max_requests=limits.max_requests))


@pytest.mark.parametrize(
    ("begin", "about"), [(_import, "of the same input"), (_repair, "of the same keys"), (_apply, "of the same plan")]
)
async def test_a_run_that_another_process_works_on_is_named(
    begin: Callable[[World, Limits], Awaitable[object]], about: str, world: World
) -> None:
    """Its resume would be refused as well, so that is not the advice; when the process has ended, it is."""
    if begin is not _import:
        await world.rows(people(12))
    await begin(world, Limits(max_requests=5 if begin is _import else 12))
    [run] = unfinished(world.state, lambda _: True)

    with run.lock(), pytest.raises(UnfinishedRun) as running:
        await begin(world, Limits())
    with pytest.raises(UnfinishedRun, match="continue it with `bulkgladly resume"):
        await begin(world, Limits())

    assert f"is working on run {run.name} {about}; wait for it, or stop it with `bulkgladly runs stop" in str(
        running.value
    )


async def test_what_another_run_writes_about_a_key_is_not_forgotten(world: World) -> None:
    """Only the fields that were named go, and the id and the others are those that stand there by then."""
    await world.rows(people(2))
    state, scope = world.state / "state.sqlite", (world.credentials.host, "customers", "default")
    other = State(state, scope, is_synced=False, run="other")
    other.remember([("c-0", "elsewhere", {"name": "new", "emails": "new"})])
    other.commit()
    other.close()
    mine = State(state, scope, is_synced=False, run="mine")

    assert [mine.forget_accepted([key], {"name"}) for key in ("c-0", "c-1", "c-1", "nobody")] == [1, 1, 0, 0]
    mine.commit()
    mine.close()
    reader = StateReader(state, *scope)
    known = reader.known(["c-0", "c-1"])
    reader.close()

    assert (known["c-0"].gladly_id, known["c-0"].accepted) == ("elsewhere", {"name": FORGOTTEN, "emails": "new"})
    assert known["c-1"].accepted["name"] == FORGOTTEN
