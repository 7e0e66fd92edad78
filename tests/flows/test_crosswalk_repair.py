"""`crosswalk repair`: merges are followed, deletions told, and nothing is forgotten without a word."""

from dataclasses import replace
from typing import Any

import pytest

from bulkgladly import Limits, Pace, UsageError
from bulkgladly.crosswalk.crosswalk_export import export_crosswalk
from bulkgladly.crosswalk.crosswalk_import import CrosswalkSource, import_crosswalk
from bulkgladly.crosswalk.crosswalk_repair import REPAIRED_OBJECTS, start_repair
from bulkgladly.crosswalk.repair_report import RepairOptions, RepairReport
from bulkgladly.emulator import status
from bulkgladly.errors import UnfinishedRun
from bulkgladly.explanations.explain_run import NowAsked, explain_record
from bulkgladly.gladly.spec import Record
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.journal.crosswalk import entries_in
from bulkgladly.records import Position, Row
from tests.flows.conftest import World, lines, people, person
from tests.flows.quickly import QUICK, resume_run
from tests.flows.test_verify_run import LIES


async def repair(world: World, **changes: Any) -> RepairReport:
    options = RepairOptions(pace=Pace(unlimited=True), state_dir=world.state, **changes)
    report = await start_repair("customers", world.credentials, options, environment=QUICK)
    assert report.adds_up
    return report


def ids(world: World) -> dict[str, str]:
    return {one.key: one.gladly_id for one in entries_in(world.state / "state.sqlite", "customers")}


async def test_merges_are_followed_and_deletions_told(make_world: Any) -> None:
    """One request a key, one more a merge; then the next import of a merged row is a single PATCH of the survivor."""
    world: World = await make_world()
    await world.rows(people(4))
    before = ids(world)
    world.emulator.add_customer(id="heir", name="Heir")
    world.emulator.store.merge(before["c-1"], "heir")
    del world.emulator.store.customers[before["c-2"]]
    world.forget()

    report = await repair(world)

    assert (report.status, report.exit_code) == ("complete", 1)
    assert {word: number for word, number in report.counts.items() if number} == {
        "read": 4,
        "found": 2,
        "corrected": 1,
        "no_longer_there": 1,
    }
    assert world.asked() == {"getCustomer": 5}
    assert ids(world) == {**before, "c-1": "heir"}
    run = world.last_run()
    told = {one["key"]: one for one in lines(run.path / "repair.ndjson")}
    story = await explain_record(run, "c-1", asked=NowAsked())
    assert story.note.endswith("merged into heir, to which it leads now")
    assert (told["c-1"]["now"], told["c-2"]["result"]) == ("heir", "deleted in Gladly")
    world.forget()
    again = await world.rows([person(1, name="Changed"), person(2)])
    assert (again.counts["updated"], again.counts["unchanged"]) == (1, 1)
    assert world.asked() == {"updateCustomer": 1}
    assert world.emulator.customer("heir")["name"] == "Changed"


async def test_deleted_ones_are_forgotten_only_on_demand_and_never_many(world: World) -> None:
    """More than a share is suspicious: exit code 3, and all are known as before."""
    await world.rows(people(12))
    before = ids(world)
    for key in list(before)[:11]:
        del world.emulator.store.customers[before[key]]

    refused = await repair(world, forget_deleted=True)
    kept = ids(world)
    done = await repair(world, forget_deleted=True, max_forgotten=1.0)

    assert (refused.exit_code, refused.status, kept) == (3, "complete", before)
    assert "suspicious" in (refused.reason or "")
    assert (done.exit_code, done.counts["forgotten"], len(ids(world))) == (0, 11, 1)


async def test_an_unclear_response_leaves_a_key_as_it_was(world: World) -> None:
    """A gateway's 404 is no proof; the key stays, and the command is named again."""
    await world.rows(people(2))
    before = ids(world)
    world.emulator.faults.script("getCustomer", [status(404, body="html")] * 50)

    report = await repair(world, forget_deleted=True)

    assert report.counts["unknown"] >= 1
    assert report.counts["forgotten"] == 0
    assert ids(world) == before
    assert "crosswalk repair customers" in report.next_commands[0]


async def test_a_resume_looks_only_at_what_is_left(world: World) -> None:
    """After a limit, pages that are settled are not requested again."""
    await world.rows(people(70))
    heir = ids(world)["c-0"]
    world.emulator.add_customer(id="heir", name="Heir")
    world.emulator.store.merge(heir, "heir")
    alone = Pace(unlimited=True, concurrency=1)
    options = RepairOptions(pace=alone, state_dir=world.state, limits=Limits(max_requests=52))
    first = await start_repair("customers", world.credentials, options, environment=QUICK)
    world.forget()
    with pytest.raises(UnfinishedRun, match="continue it with `bulkgladly resume customers-repair"):
        await start_repair("customers", world.credentials, options, environment=QUICK)

    last = await resume_run(
        world.last_run(), world.credentials, change=lambda found: replace(found, limits=Limits()), environment=QUICK
    )

    assert (first.status, first.exit_code, first.counts["corrected"]) == ("stopped", 10, 1)
    assert first.counts["unprocessed"] == 20
    assert first.next_commands[0].startswith("bulkgladly resume")
    assert world.asked() == {"getCustomer": 20}
    assert (last.status, last.counts["corrected"], last.counts["found"]) == ("complete", 1, 69)


async def test_what_cannot_be_looked_at_is_refused(world: World) -> None:
    """Without a state, and of objects that are not requested by their id; no run is left behind."""
    with pytest.raises(UsageError, match="so no key of customers is known"):
        await repair(world)
    with pytest.raises(UsageError, match="cannot be requested by their id alone"):
        await start_repair("notes", world.credentials, RepairOptions(state_dir=world.state), environment=QUICK)

    assert not (world.state / "runs").exists()


def test_the_list_of_objects_is_complete() -> None:
    """Everything whose request needs nothing but the id is in it, and nothing else."""
    bare = Record(Row(Position(0, 0, 0), {}), "", "x", True, {}, {}, (), (), None, None)
    found = set()
    for name, spec in IMPORTS.items():
        try:
            if spec.fetch is not None and spec.fetch(bare, "x"):
                found.add(name)
        except KeyError:
            continue

    assert found == set(REPAIRED_OBJECTS)


async def test_keys_without_fingerprints_cost_a_look_and_no_duplicate(world: World) -> None:
    """Ids of another tool: the next import looks once at what is equal, and then rows are free again."""
    await world.rows(people(3))
    path = world.folder / "ids.csv"
    export_crosswalk(world.state, "customers", path)
    options = replace(world.options, state_dir=world.folder / "new")
    import_crosswalk(options.state_dir, "customers", CrosswalkSource(str(path)))
    world.forget()

    first = await world.rows(people(3), state_dir=options.state_dir)
    cost = world.asked()
    world.forget()
    second = await world.rows(people(3), state_dir=options.state_dir)

    assert (first.counts["unchanged"], cost) == (3, {"getCustomer": 3})
    assert (second.counts["unchanged"], world.asked()) == (3, {})
    assert len(world.emulator.store.customers) == 3


async def test_no_lie_moves_or_forgets_a_key(world: World) -> None:
    """Each of the lies that `verify` is told, about one key; the last customer was deleted, and only that is told."""
    await world.rows(people(len(LIES) + 1))
    before = ids(world)
    *victims, (gone, gone_id) = before.items()
    for (_, gladly_id), lie in zip(victims, LIES.values(), strict=True):
        world.emulator.faults.after(f"GET /api/v1/customer-profiles/{gladly_id}", 0, lie)
    world.emulator.store.remove_customer(gone_id)

    report = await repair(world, forget_deleted=True, max_forgotten=1.0)

    assert {key: gladly_id for key, gladly_id in before.items() if key != gone} == ids(world)
    assert (report.exit_code, report.counts["forgotten"], report.counts["corrected"]) == (1, 1, 0)
    assert report.counts["unknown"] == len(LIES)
