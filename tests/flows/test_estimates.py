"""Estimates know what earlier runs have sent: in `check`, in a dry run and at the start of a run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Estimate, ImportOptions, Observer
from bulkgladly.checks.run_check import check
from bulkgladly.imports.dry_run import dry_run
from bulkgladly.imports.run_import import resume_import
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.plans.plan_options import PlanOptions
from bulkgladly.plans.plan_run import plan_live
from bulkgladly.runs.environment import Bounds
from bulkgladly.settings import Limits
from tests.flows.conftest import World, person
from tests.flows.quickly import start_import


class Heard(Observer):
    """Keeps the estimate at the start."""

    def __init__(self) -> None:
        self.estimates: list[Estimate] = []

    def started(self, run: str, estimate: Estimate, *, resumed_from: int = 0) -> None:  # noqa: ARG002
        self.estimates.append(estimate)


async def estimated(world: World, path: Path, resource: str = "customers", **changes: Any) -> list[dict[str, int]]:
    """What becomes of the rows: by `check`, by a dry run, and by the line at the start of a run."""
    options = world.choose(changes)
    report = await check(resource, [path], options, host=world.credentials.host)
    dry = await dry_run(resource, [path], options, host=world.credentials.host)
    heard = Heard()
    await start_import(resource, [path], world.credentials, options, observer=heard, new_run=True)
    estimates = [report.estimates[report.mode], dry.estimate, heard.estimates[0]]
    assert len({(one.to_send, one.requests_low, one.requests_high) for one in estimates}) == 1
    return [dict(sorted(one.split.items())) for one in estimates]


async def test_the_second_day_is_told_by_what_has_changed(world: World) -> None:
    """New, changed and unchanged rows, in other spellings too; bad rows are not counted as work."""
    first = [person(number, **{"phone:1": f"+1650555010{number}", "phone:1:type": "home"}) for number in range(6)]
    await world.run(world.csv(first))

    second = [{**row} for row in first]
    second[1]["name"] = "Another Name"
    second[2]["phone:1"] = "+1 650 555 0102"
    second[3]["name"] = ""
    second[4]["email:1"] = "nobody"
    second.append(person(9, **{"phone:1": "", "phone:1:type": ""}))
    by_check, by_dry_run, by_start = await estimated(world, world.csv(second))

    assert by_check == by_dry_run == {"to create": 1, "to update": 1, "unchanged": 4}
    assert by_start == {**by_check, "to reject": 1}


@pytest.mark.parametrize(("mode", "split"), [("create", {"unchanged": 2}), ("delete", {"to delete": 2})])
async def test_a_mode_decides_what_an_unchanged_row_takes(mode: str, split: Mapping[str, int], world: World) -> None:
    """A deletion is work although nothing has changed."""
    path = world.csv([person(1), person(2)])
    await world.run(path)

    assert await estimated(world, path, mode=mode) == [split] * 3


async def test_rows_that_refer_to_others_are_compared_with_the_ids_of_these(world: World) -> None:
    """Keys are resolved by what earlier runs have sent."""
    await world.run(world.csv([person(1)]))
    task = {"customerKey": "c-1", "inboxId": "inbox-1", "body": "Call back", "dueAt": "2099-01-01T00:00:00Z"}
    tasks = [{"crm": f"t-{number}", **task} for number in range(3)]
    await world.run(world.ndjson(tasks[:2], "tasks.ndjson"), resource="tasks")

    found = await estimated(world, world.ndjson(tasks, "tasks.ndjson"), "tasks")

    assert found == [{"to create": 1, "unchanged": 2}] * 3


async def test_records_without_a_key_are_known_by_their_content(world: World) -> None:
    """Their key is a hash, which takes a draft."""
    rows = [{"name": "Ada", "email:1": "ada@example.org"}, {"name": "Ben", "email:1": "ben@example.org"}]
    await world.run(world.csv(rows[:1]), key=None)

    assert await estimated(world, world.csv(rows), key=None) == [{"to create": 1, "unchanged": 1}] * 3


async def test_an_estimate_says_which_runs_it_does_not_know(world: World) -> None:
    """Without a host it names those that it could have counted; a first import says that there are none."""
    path = world.csv([person(1)])
    host = world.credentials.host
    first = await check("customers", [path], world.options, host=host)
    assert first.memory.startswith(f"no earlier run has sent customers to {host}")
    assert not first.estimates["upsert"].split

    await world.run(path)
    unknown = await check("customers", [path], world.options)
    advice = "set GLADLY_HOST or pass --profile to count them"
    assert unknown.memory == f"without earlier runs, such as those into {host}: {advice}"
    assert unknown.estimates["upsert"].requests_low == 1 + 1
    elsewhere = await dry_run("customers", [path], ImportOptions(key="crm", state_dir=world.folder / "new"), host="")
    assert elsewhere.memory == f"without earlier runs: {advice}"


async def test_what_a_run_takes_is_within_what_its_start_says(world: World) -> None:
    """Of a first import and of a repeated one: the check of the organisation counts, and rejected rows do not."""
    rows = [person(1), person(2, **{"email:1": "nobody"}), person(3)]
    path = world.csv(rows)
    for _ in range(2):
        heard = Heard()
        report = await start_import(
            "customers", [path], world.credentials, world.options, observer=heard, environment=world.environment
        )
        [estimate] = heard.estimates
        assert estimate.split["to reject"] == 1
        assert estimate.requests_low == report.requests_total <= estimate.requests_high
        assert ("1 request" in estimate.text()) is (report.counts["unchanged"] == 2)


async def test_keys_of_other_objects_are_known_in_a_first_import_too(world: World) -> None:
    """What was imported of the objects that rows refer to is looked up, although nothing is known of the rows."""
    await world.run(world.csv([person(1)]))
    task = {"crm": "t-1", "customerKey": "c-1", "inboxId": "inbox-1", "body": "Call", "dueAt": "2099-01-01T00:00:00Z"}

    found = await estimated(world, world.ndjson([task], "tasks.ndjson"), "tasks")

    assert found[-1] == {"to create": 1}


async def test_a_live_plan_is_priced_by_what_it_reads(world: World) -> None:
    """New rows, changed ones and those that nothing is to be read of; the proof of what is absent counts once."""
    known = [person(1), person(2)]
    await world.run(world.csv(known))
    rows = [known[0], {**known[1], "name": "Another Name"}, person(3), person(4), person(5, **{"email:1": "nobody"})]
    path, heard = world.csv(rows), Heard()
    options = PlanOptions.of(world.options, out=world.folder / "a.plan", is_live=True)

    report = await plan_live(
        "customers", [path], world.credentials, options, observer=heard, environment=world.environment
    )

    [estimate] = heard.estimates
    assert estimate.split == {"to create": 2, "to update": 1, "unchanged": 1, "to reject": 1}
    assert (estimate.requests_low, estimate.requests_high) == (1 + 3, 1 + 1 + 2 * 2 + 1)
    assert report.requests_total == estimate.requests_high
    assert report.requests["getOrganization"] == 2


async def test_a_long_input_is_judged_by_its_beginning(world: World) -> None:
    """A run must begin soon, so that the estimate says by how many rows it was made."""
    rows = [person(number) for number in range(600)]
    path = world.csv(rows)
    await world.run(path)
    heard = Heard()
    environment = replace(world.environment, bounds=Bounds(rows_foreseen=256))

    await start_import("customers", [path], world.credentials, world.options, observer=heard, environment=environment)

    [estimate] = heard.estimates
    assert estimate.split.keys() == {"unchanged"}
    assert estimate.to_send == 0
    assert "by the first 256 rows" in estimate.text()


async def test_a_resume_counts_only_what_is_left(world: World) -> None:
    """It begins a little before its first open row, so it reads some that are done."""
    report = await world.run(world.csv([person(number) for number in range(4)]), max_rows=2)
    heard = Heard()

    again = await resume_import(
        RunFolder(Path(report.folder)),
        world.credentials,
        change=lambda stored: replace(stored, limits=Limits()),
        observer=heard,
        environment=world.environment,
    )

    assert again.counts["created"] == 4
    assert [estimate.split for estimate in heard.estimates] == [{"to create": 2}]


async def test_reading_before_updates_is_in_the_price(world: World) -> None:
    """One more request for the row that is updated, and none for new and unchanged ones."""
    await world.run(world.csv([person(1), person(2)]))
    path = world.csv([person(1), person(2, name="Another Name"), person(3)])

    found = await estimated(world, path, undoable=True)
    dry = await dry_run("customers", [path], world.choose({"undoable": True}), host=world.credentials.host)

    assert found == [{"to create": 1, "to update": 1, "unchanged": 1}] * 3
    assert world.asked()["getCustomer"] == 1
    assert dry.estimate.requests_low == 1


async def test_reading_before_deletions_is_in_the_price(world: World) -> None:
    """Of every row, whether an earlier run knows it or not."""
    rows = [person(number, **{"email:1": ""}) for number in range(4)]
    await world.run(world.csv(rows[:2]))
    path = world.csv(rows[1:], "leavers.csv")

    found = await estimated(world, path, mode="delete", undoable=True)

    assert found == [{"to delete": 3}] * 3
