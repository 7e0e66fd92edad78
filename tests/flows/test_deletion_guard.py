"""`--missing delete` reads each customer before it is deleted: one who may be somebody else's by now stays."""

import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Limits, Pace, Report, RunFolder, UsageError, list_runs
from bulkgladly.emulator.faults.fault_catalogue import CATALOGUE
from bulkgladly.emulator.operations.customer_profiles import checked_fields
from bulkgladly.explanations.explain_run import NowAsked, explain_record
from bulkgladly.journal.run_writes import RunWrites
from tests.flows.conftest import World, lines, people, person
from tests.flows.test_crosswalk_repair import ids, repair
from tests.flows.test_kill_points import Crash, Plug

DELETE: Mapping[str, Any] = {"is_complete": True, "missing": "delete", "missing_limit": 100}
ALONE = Pace(unlimited=True, concurrency=1)
LIES = ("404_html", "404_empty", "503_html", "own_other", "302_to_sign_in", "200_html")


@pytest.fixture
async def plug(world: World) -> AsyncIterator[Plug]:
    plug = Plug(world)
    yield plug
    plug.out()


def customer(world: World, number: int) -> dict[str, Any]:
    return dict(world.emulator.store.find_by_email(f"person.{number}@example.org")[0])


def edited(world: World, number: int, **fields: Any) -> None:
    """Let somebody change a customer in Gladly."""
    world.emulator.store.replace_customer({**customer(world, number), **checked_fields(fields)})


def deletion(world: World) -> RunFolder:
    """The newest run that deletes."""
    return max((run for run in list_runs(world.state) if run.header().mode == "delete"), key=lambda run: run.name)


def why_kept(world: World) -> dict[str, str]:
    """The reasons of what the last deletion kept, by key."""
    run = deletion(world)
    report = run.report() or {}
    found = {one["key"]: one["_bulkgladly"] for one in lines(run.path / "rejected.ndjson")}
    assert sum(report["skipped_by_code"].values()) == report["counts"]["skipped"] == len(found)
    return {key: f"{about['code']}: {about['detail']}" for key, about in found.items()}


async def test_a_customer_into_whom_another_row_was_merged_stays(world: World) -> None:
    """Gladly has the address of a row of the file in that profile, whether or not the row was sent."""
    await world.run(world.csv(people(4)))
    store = world.emulator.store
    store.merge(customer(world, 0)["id"], customer(world, 3)["id"])
    world.forget()

    report = await world.run(world.csv(people(2)), **DELETE)

    assert world.asked() == {"getCustomer": 2, "deleteCustomer": 1}
    assert (report.missing_to_delete, report.missing_deleted, report.missing_kept, report.exit_code) == (2, 1, 1, 0)
    assert why_kept(world) == {"c-3": "kept_in_the_files: not deleted: customers.csv:2 has one of its addresses"}
    assert customer(world, 0) == customer(world, 3)
    assert any(
        f"deleted 1 of the 2 that imports created, and kept 1; `runs show {report.missing_run}`" in line
        for line in report.details
    )


async def test_a_customer_who_was_merged_away_is_never_deleted_by_the_old_id(world: World) -> None:
    """What a deletion by that id would do is not known: it could delete the survivor."""
    await world.run(world.csv(people(3)))
    world.emulator.store.merge(customer(world, 2)["id"], customer(world, 0)["id"])
    world.forget()

    report = await world.run(world.csv(people(2)), **DELETE)

    assert world.asked() == {"getCustomer": 1}
    assert (report.missing_kept, report.exit_code) == (1, 0)
    assert why_kept(world)["c-2"].startswith("kept_merged: not deleted: somebody has merged it into ")


async def test_what_people_have_changed_stays_and_what_they_have_added_elsewhere_does_not_count(world: World) -> None:
    """A name, an address that nobody sent and a number are theirs; attributes also come from look-ups."""
    phone = {"phone:1": "+442079460018", "phone:1:type": "MOBILE"}
    await world.run(world.csv(people(5, **phone | {"phone:1": ""} | {"phone:1:type": ""})))
    await world.run(world.csv([person(number, **phone | {"phone:1": f"+44207946001{number}"}) for number in range(5)]))
    edited(world, 1, name="By a person")
    edited(world, 2, emails=[*customer(world, 2)["emails"], {"original": "other@example.org"}])
    edited(world, 3, phones=[])
    edited(world, 4, customAttributes={"tier": "gold"})

    report = await world.run(world.csv(people(1)), **DELETE)

    assert (report.missing_deleted, report.missing_kept) == (1, 3)
    told = {key: text.partition(" in Gladly")[0].rpartition(" ")[2] for key, text in why_kept(world).items()}
    assert told == {"c-1": "name", "c-2": "emails", "c-3": "phones"}
    assert "4 records" in " ".join(report.details)


async def test_who_was_kept_does_not_count_toward_the_limit_the_next_night(world: World) -> None:
    """They are missing every night. Within the limit they are looked at again, and above it they stay."""
    await world.run(world.csv(people(10)))
    for number in (8, 9):
        edited(world, number, name="Somebody Else")
    assert (await world.run(world.csv(people(8)), **DELETE)).missing_kept == 2
    edited(world, 9, name=person(9)["name"])
    world.forget()

    above = await world.run(world.csv(people(7)), **{**DELETE, "missing_limit": 20})

    assert (above.exit_code, above.missing, above.missing_deleted, above.missing_left) == (0, 3, 1, 2)
    assert world.asked() == {"getCustomer": 1, "deleteCustomer": 1}
    assert any("2 that earlier deletions have kept were not looked at again" in line for line in above.details)
    within = await world.run(world.csv(people(7)), **{**DELETE, "missing_limit": 30})
    assert (within.missing_deleted, within.missing_kept, within.missing_left) == (1, 1, 0)
    # Sent again, and then missing again, they count like everybody else.
    await world.run(world.csv([*people(7), person(8, name="Another Name")]))
    again = await world.run(world.csv(people(7)), **{**DELETE, "missing_limit": 10})
    assert (again.exit_code, again.missing) == (3, 1)


@pytest.mark.parametrize("bad", [{}, {"phone:1": "12"}])
async def test_a_customer_whose_address_has_another_key_in_the_file_stays(bad: dict[str, str], world: World) -> None:
    """The source has renamed the key; its row is rejected, by Gladly or before anything is noted of its addresses."""
    await world.run(world.csv(people(2)))
    renamed = {**person(1, crm="renamed"), **bad}

    report = await world.run(world.csv([{**person(0), **dict.fromkeys(bad, "")}, renamed]), **DELETE)

    assert (report.counts["rejected"], report.missing_deleted, report.missing_kept) == (1, 0, 1)
    assert why_kept(world) == {"c-1": "kept_in_the_files: not deleted: customers.csv:3 has one of its addresses"}


@pytest.mark.parametrize("lie", LIES)
async def test_a_response_that_does_not_tell_deletes_nothing(lie: str, world: World) -> None:
    """A gateway's 404 is not Gladly's; the next night tries again."""
    await world.run(world.csv(people(2)))
    world.emulator.faults.after(f"GET /api/v1/customer-profiles/{customer(world, 1)['id']}", 0, CATALOGUE[lie])
    world.forget()

    report = await world.run(world.csv(people(1)), **DELETE)

    assert (report.exit_code, report.missing_deleted, len(world.names())) == (1, 0, 2)
    assert "deleteCustomer" not in world.asked()
    assert not any(" retry " in command for command in report.next_commands)
    with pytest.raises(UsageError, match="may be there again by now"):
        await world.retry()
    world.emulator.faults.clear()
    assert (await world.run(world.csv(people(1)), **DELETE)).missing_deleted == 1


@pytest.mark.parametrize("point", ["after intent, before send", "after commit on the server, before the reply"])
async def test_a_kill_between_the_look_and_the_end_of_the_deletion(point: str, world: World, plug: Plug) -> None:
    """What Gladly held is in the journal, and the resume ends with the right word."""
    await world.run(world.csv(people(3)))
    plug.at(point, 1)
    with pytest.raises(Crash):
        await world.run(world.csv(people(1)), **DELETE, pace=ALONE)
    plug.out()

    report = await world.resume(state=plug.after)

    assert (report.counts["deleted"], report.exit_code, list(world.names())) == (2, 0, ["person.0@example.org"])
    with RunWrites(Path(report.folder)) as writes:
        held = sorted(str((one.before or {}).get("name")) for one in writes.newest_first())
    assert held == ["Sample Person 1", "Sample Person 2"]


async def test_a_kill_after_the_look_does_not_delete_what_was_changed_since(world: World, plug: Plug) -> None:
    """The resume looks again."""
    await world.run(world.csv(people(2)))
    plug.at("after intent, before send", 1)
    with pytest.raises(Crash):
        await world.run(world.csv(people(1)), **DELETE, pace=ALONE)
    plug.out()
    edited(world, 1, name="By a person")

    report = await world.resume(state=plug.after)

    assert (report.counts["deleted"], report.counts["skipped"], len(world.names())) == (0, 1, 2)


async def stopped_deletion(world: World) -> Report:
    """Delete one of three missing customers, and stop."""
    await world.run(world.csv(people(4)))
    report = await world.run(world.csv(people(1)), **DELETE, max_requests=3, pace=ALONE)
    assert (report.missing_deleted, len(world.names())) == (1, 3)
    return report


async def test_what_a_repair_has_found_meanwhile_counts(world: World) -> None:
    """A key of the file leads to the customer by now, although no address of its row is there."""
    await stopped_deletion(world)
    victim = customer(world, 3)["id"]
    world.emulator.store.merge(ids(world)["c-0"], victim)
    await repair(world)
    held = world.emulator.store.customers[victim]
    world.emulator.store.replace_customer({**held, "emails": held["emails"][:1]})

    report = await world.resume(deletion(world), limits=Limits())

    assert (report.counts["deleted"], report.counts["skipped"]) == (2, 1)
    assert why_kept(world)["c-3"].startswith("kept_no_longer_missing")
    assert victim in world.emulator.store.customers


async def test_a_deletion_whose_import_is_gone_is_not_resumed(world: World) -> None:
    """Nobody knows which rows its files had."""
    report = await stopped_deletion(world)
    child = world.last_run()
    shutil.rmtree(report.folder)

    with pytest.raises(UsageError, match=f"run {report.run}, which found missing what {child.name} deletes"):
        await world.resume(child, limits=Limits())
    assert len(world.names()) == 3


async def test_explain_tells_why_one_stays_and_what_another_held(world: World) -> None:
    """By key, in the run that deletes."""
    await world.run(world.csv(people(3)))
    edited(world, 1, name="By a person")
    await world.run(world.csv(people(1)), **DELETE)
    run = world.last_run()

    [kept] = (await explain_record(run, "c-1", asked=NowAsked())).stories
    [gone] = (await explain_record(run, "c-2", asked=NowAsked(), show_values=True)).stories

    assert kept.decision == "The row was kept, because Gladly holds something else than was sent last."
    assert [one.operation for one in gone.requests] == ["getCustomer", "deleteCustomer"]
