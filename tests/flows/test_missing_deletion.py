"""`--missing delete`: what imports have created and complete files no longer have is deleted, and nothing else."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import ImportOptions, Limits, Pace, RunFolder, UsageError
from bulkgladly.imports.retry_import import retry_import
from bulkgladly.imports.run_import import start_import
from bulkgladly.journal.steering_files import Orders, obeyed_in, write_steering
from bulkgladly.runs.observer import Observer, RunView
from tests.flows.conftest import World, check_report, people, person

DELETE: Mapping[str, Any] = {"is_complete": True, "missing": "delete"}


async def test_what_is_gone_is_deleted_by_a_run_of_its_own(world: World) -> None:
    """The report of the import has both, and the next night nothing is missing."""
    await world.run(world.csv(people(5)))
    path = world.csv(people(3))
    world.forget()

    report = await world.run(path, **DELETE, missing_limit=50)

    assert world.asked() == {"getCustomer": 2, "deleteCustomer": 2}
    assert (report.missing, report.missing_to_delete, report.missing_deleted, report.exit_code) == (2, 2, 2, 0)
    child = world.last_run()
    assert (child.name, child.header().parent, child.header().mode) == (report.missing_run, report.run, "delete")
    assert any(f"run {child.name} deleted 2 of the 2 that imports created" in line for line in report.details)
    assert sorted(world.names()) == [f"person.{number}@example.org" for number in range(3)]
    assert (await world.run(path, **DELETE)).missing == 0


async def test_more_than_the_limit_deletes_nothing(world: World) -> None:
    """A file that was cut short looks like many deletions."""
    await world.run(world.csv(people(5)))

    report = await world.run(world.csv(people(3)), **DELETE, missing_limit=39)

    assert (report.status, report.exit_code, report.missing, report.missing_to_delete) == ("complete", 3, 2, 0)
    assert report.reason is not None
    assert report.reason.startswith("2 records of 5 (40.0 %) would be missing, more than --missing-limit 39")
    page = (Path(report.folder) / "report.md").read_text()
    assert "**Finished, but nothing was deleted: 2 records of 5" in page
    assert (Path(report.folder) / "missing.csv").exists()
    assert len(world.names()) == 5


@pytest.mark.parametrize("row", [None, person(1, **{"email:1": "no address"})])
async def test_files_without_an_accepted_row_delete_nothing(row: dict[str, Any] | None, world: World) -> None:
    """Whatever the limit is: an export that failed leaves an empty file, and says nothing of what there is."""
    await world.run(world.csv(people(3)))

    report = await world.run(world.ndjson([] if row is None else [row]), **DELETE, missing_limit=100)

    missing = 3 if row is None else 2
    assert (report.status, report.exit_code, report.missing) == ("complete", 3, missing)
    assert (report.missing_to_delete, report.missing_run, len(world.names())) == (0, None, 3)
    assert report.reason is not None
    assert report.reason.startswith(f"the files have no row that was accepted, so {missing} records of earlier")


async def test_a_customer_that_no_import_has_created_stays(world: World) -> None:
    """One was there under its own id, one was found by its address, and one was merged into another since."""
    options: Mapping[str, Any] = {"key": None, "ignore_columns": ("crm",)}
    own = {"crm": "x", "id": "their-own-id", "name": "Their Own", "email:1": "their.own@example.org"}
    await world.run(world.csv([own], "first.csv"), namespace="others", **options)
    shutil.rmtree(world.state)
    await world.run(world.csv([person(0)], "second.csv"), namespace="others", **options)
    rows = [own, {**person(1), "id": "our-own-id"}]
    await world.run(world.csv(rows), **options)
    found = [person(0), person(2), person(3)]
    await world.run(world.csv(found), on_conflict="update")
    assert len(world.names()) == 5
    world.forget()

    report = await world.run(world.csv([person(3)]), **DELETE, missing_limit=100)

    # person(0) was found by its address, and "their-own-id" existed: only these two were created by imports.
    assert (report.missing, report.missing_to_delete, report.missing_deleted) == (4, 2, 2)
    assert sorted(world.names()) == ["person.0@example.org", "person.3@example.org", "their.own@example.org"]


async def test_rows_that_are_new_do_not_raise_the_limit(world: World) -> None:
    """The file of another system has many rows, and none of those that somebody agreed to delete a share of."""
    await world.run(world.csv(people(4)))
    others = [person(number) for number in range(10, 40)]

    stopped = await world.run(world.csv(others), **DELETE, missing_limit=20, max_rows=20)
    assert stopped.exit_code == 10
    report = await world.resume(limits=Limits())

    assert (report.exit_code, report.missing, report.missing_to_delete) == (3, 4, 0)
    assert report.reason is not None
    assert report.reason.startswith("4 records of 4 (100.0 %) would be missing")
    assert len(world.names()) == 34


async def test_a_customer_for_whom_another_source_or_key_stands_stays(world: World) -> None:
    """Another namespace has sent the customer as well, or the file has a rejected row of it under another key."""
    await world.run(world.csv(people(4)))
    await world.run(world.csv([person(0)], "shop.csv"), namespace="shop", on_conflict="update")
    await world.run(world.csv([person(1, crm="second-key")], "again.csv"), on_conflict="update")
    rows = [person(3), {**person(1, crm="second-key"), "email:1": "no address"}]
    world.forget()

    report = await world.run(world.csv(rows), **DELETE, missing_limit=100)

    assert report.counts["rejected"] == 1
    assert (report.missing, report.missing_to_delete, report.missing_deleted) == (2, 1, 1)
    assert sorted(world.names()) == [f"person.{number}@example.org" for number in (0, 1, 3)]


async def test_an_import_that_worked_meanwhile_forbids_it(world: World) -> None:
    """It has begun before, so what it has sent in the meantime looks as if this file had lost it."""
    await world.run(world.csv(people(4), "first.csv"))
    one = await world.run(world.csv([person(8), person(9)], "one.csv"), max_rows=1)
    two = await world.run(world.csv(people(4), "two.csv"), **DELETE, missing_limit=50, max_rows=1)
    assert two.status == "stopped"
    await world.resume(RunFolder(Path(one.folder)), limits=Limits())

    report = await world.resume(RunFolder(Path(two.folder)), limits=Limits())

    assert (report.exit_code, report.missing_deleted, len(world.names())) == (3, None, 6)
    assert report.reason is not None
    assert f"run {one.run} has imported customers since" in report.reason


async def test_a_row_without_a_key_forbids_it(world: World) -> None:
    """It could be one of those that seem to be missing."""
    await world.run(world.ndjson(people(3)))
    path = world.ndjson(people(2))
    path.write_bytes(path.read_bytes() + b"{broken\n")

    report = await world.run(path, **DELETE, missing_limit=100)

    assert (report.exit_code, report.missing, report.missing_to_delete) == (3, 1, 0)
    assert report.reason is not None
    assert report.reason.startswith("1 row without a key may be among the 1 that are missing")
    assert len(world.names()) == 3


async def test_what_people_have_deleted_in_gladly_is_missing_once(world: World) -> None:
    """Or such customers would fill the share limit; and they are still not created again."""
    await world.run(world.csv(people(4)))
    store = world.emulator.store.customers
    store.pop(next(one for one, profile in store.items() if profile["name"] == person(3)["name"]))

    report = await world.run(world.csv(people(3)), **DELETE, missing_limit=50)
    assert (report.missing, report.missing_deleted, report.exit_code) == (1, 0, 0)
    assert (await world.run(world.csv(people(3)), **DELETE)).missing == 0
    back = await world.run(world.csv([*people(3), person(3, name="Changed")]))
    assert back.rejects_by_code == {"deleted_since": 1}


async def test_an_import_that_stops_deletes_nothing_until_it_is_resumed(world: World) -> None:
    """Only at the end of the files is it known what they lack."""
    await world.run(world.csv(people(4)))
    path = world.csv([person(number, name="Changed") for number in range(3)])

    stopped = await world.run(path, **DELETE, missing_limit=50, max_rows=1)
    assert (stopped.exit_code, stopped.missing_run, len(world.names())) == (10, None, 4)
    resumed = await world.resume()

    assert (resumed.exit_code, resumed.missing_deleted, len(world.names())) == (0, 1, 3)


async def test_a_deletion_that_stops_is_resumed_unless_a_later_import_has_begun(world: World) -> None:
    """The later one may have sent again what was missing."""
    await world.run(world.csv(people(6)))
    alone = Pace(unlimited=True, concurrency=1)
    report = await world.run(world.csv(people(2)), **DELETE, missing_limit=90, max_requests=3, pace=alone)
    assert (report.status, report.exit_code, report.missing_to_delete, report.missing_deleted) == ("complete", 10, 4, 1)
    child = world.last_run()
    assert f"resume {child.name}" in report.next_commands[0]
    stopped = await world.resume(child, limits=Limits(max_requests=3))
    assert stopped.counts["deleted"] == 2

    later = await world.run(world.csv(people(3)))
    with pytest.raises(UsageError, match=f"run {later.run} has imported customers since"):
        await world.resume(child)
    assert len(world.names()) == 5  # person(2) is back
    (Path(later.folder) / "run.json").unlink()
    assert (await world.resume(child)).counts["deleted"] == 4


async def test_a_retry_forbids_it_and_a_clock_that_was_set_back_hides_no_import(world: World) -> None:
    """What a retry has sent since is in no file of the import that found it missing."""
    wrong = {**person(7), "email:1": "nobody"}
    early = await world.run(world.csv([*people(5), wrong], "early.csv"))
    alone = Pace(unlimited=True, concurrency=1)
    report = await world.run(world.csv(people(2)), **DELETE, missing_limit=90, max_requests=3, pace=alone)
    child = RunFolder(world.state / "runs" / (report.missing_run or ""))
    assert report.missing_deleted == 1
    again = await retry_import(
        RunFolder(Path(early.folder)),
        world.credentials,
        change=lambda options: replace(options, pace=world.options.pace, invalid_contacts="drop"),
        environment=world.environment,
    )
    for name in ("run.json", "report.json", "journal.sqlite"):  # an hour before, by all that a clock has written
        path = Path(again.folder) / name
        if name == "run.json":
            header = orjson.loads(path.read_bytes()) | {"created_at": "2001-01-01T00:00:00+00:00"}
            path.write_bytes(orjson.dumps(header))
        os.utime(path, (1, 1))

    with pytest.raises(UsageError, match=f"run {again.run} has imported customers since, so the records"):
        await world.resume(child)


@pytest.mark.parametrize("is_paused", [False, True])
async def test_what_was_ordered_of_the_import_holds_for_its_deletion(is_paused: bool, world: World) -> None:
    """The slower pace; and a run that is paused while nothing is left to send does not go on to delete."""
    await world.run(world.csv(people(5)))

    class Ordering(Observer):
        """Gives the orders when the session has done its rows, and has nothing left to send."""

        def tick(self, view: RunView) -> None:
            run = world.last_run()
            if view.done == 4 and (seen := obeyed_in(run.path)) is not None and run.header().mode != "delete":
                write_steering(run.path, Orders(seen.session, 1, is_paused=is_paused, rate=None if is_paused else 7.0))

    report = await start_import(
        "customers",
        [world.csv(people(4))],
        world.credentials,
        world.choose({**DELETE, "missing_limit": 50}),
        observer=Ordering(),
        environment=world.environment,
    )

    assert (report.exit_code, report.missing_deleted) == ((3, None) if is_paused else (0, 1))
    if is_paused:
        assert "was paused with `runs pause` when it ended, so nothing was deleted" in str(report.reason)
    else:
        assert world.last_run().header().settings["pace"]["rate"] == 7.0


async def test_it_is_refused_where_it_is_not_safe(world: World) -> None:
    """Nothing was sent then."""
    with pytest.raises(UsageError, match="pass --complete as well"):
        ImportOptions(missing="delete")
    with pytest.raises(UsageError, match="not a percentage"):
        ImportOptions(is_complete=True, missing_limit=101)
    with pytest.raises(UsageError, match="topics cannot be deleted by their ids alone"):
        await world.run(world.ndjson([{"crm": "t", "name": "Orders"}]), resource="topics", **DELETE)
    assert world.asked() == {}
    check_report(await world.run(world.csv(people(1)), is_complete=True))
