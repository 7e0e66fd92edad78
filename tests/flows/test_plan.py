"""Plans: what they say, what an apply does of them, and when it refuses."""

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Limits, UsageError
from bulkgladly.cli.runs_command import about_run
from bulkgladly.emulator import drop_reply
from bulkgladly.errors import BulkgladlyError
from bulkgladly.imports.retry_import import retry_import
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.pages.page_view import view_of
from bulkgladly.pages.run_facts import facts_of
from bulkgladly.plans.plan_folder import opened_plan
from bulkgladly.plans.plan_options import PlanOptions
from bulkgladly.plans.plan_run import PlanReport, plan_live
from tests.flows.conftest import World, lines, people, person
from tests.flows.planning import apply, changes_of, edit, plan
from tests.flows.quickly import resume_run
from tests.flows.test_baseline import Told, a_known_organisation, somebodies


async def imported(world: World, number: int = 4) -> list[dict[str, Any]]:
    """Import some people, and return their rows."""
    rows = people(number)
    await world.run(world.ndjson(rows))
    world.forget()
    return rows


async def test_a_plan_says_without_a_request_what_memory_knows(world: World) -> None:
    """New, changed, unchanged and bad rows are told apart; what only a request can tell stays open."""
    rows = await imported(world)
    rows[1]["name"] = "Ada"
    rows[2]["email:2"] = "second@example.org"
    bad = person(8, **{"email:1": "nowhere"})

    info = await plan(world, [*rows, person(9), bad])

    assert not world.emulator.requests.total
    assert info.actions == {"none": 2, "update": 1, "open": 1, "create": 1, "refuse": 1}
    assert info.rejects == {"invalid_email": 1}
    assert info.least["createCustomer"] == info.most["createCustomer"] == 1
    assert (info.least["updateCustomer"], info.most["updateCustomer"]) == (0, 2)
    folder = world.folder / "a.plan"
    assert (folder.stat().st_mode & 0o777, (folder / "plan.json").stat().st_mode & 0o777) == (0o700, 0o600)
    summary = (folder / "summary.md").read_text()
    assert "Ada" not in summary
    assert "Aaa" in summary
    assert [row["crm"] for row in lines(folder / "rejected.ndjson")] == ["c-8"]


async def test_an_offline_plan_is_applied_within_its_numbers(world: World) -> None:
    """What was open is decided as an import would; what was planned is done."""
    rows = await imported(world)
    rows[1]["name"] = "Ada"
    rows[2]["email:2"] = "second@example.org"
    info = await plan(world, [*rows, person(9)])

    report = await apply(world)

    assert (report.counts["created"], report.counts["updated"], report.counts["unchanged"]) == (1, 2, 2)
    assert all(info.least.get(name, 0) <= number <= info.most[name] for name, number in report.requests.items())
    assert world.names()["person.1@example.org"] == "Ada"
    assert (await plan(world, [*rows, person(9)])).writes == 0


async def test_a_run_says_which_plan_it_applies(world: World) -> None:
    """In its name, its report, its page (also without a report, after a kill) and in `runs list`."""
    rows = await imported(world)
    await plan(world, [*rows, person(9)])

    report = await apply(world)

    run, said = RunFolder(Path(report.folder)), "as planned in a.plan"
    now = dt.datetime.now(dt.UTC)
    assert run.name.startswith("customers-apply_")
    assert said in report.as_markdown().splitlines()[0]
    assert about_run(run)["applies"] == str(world.folder / "a.plan")
    assert view_of(facts_of(run.path, now)).head.title.endswith(said)
    (run.path / "report.json").unlink()
    assert view_of(facts_of(run.path, now)).head.title.endswith(said)


async def test_a_live_plan_sees_what_is_in_the_way(world: World) -> None:
    """A create whose address belongs to another customer is planned as --on-conflict says, and done so."""
    world.emulator.add_customer(id="x", name="Old", emails=[{"original": "person.1@example.org"}])

    quarantined = await plan(world, people(2), "q.plan", live=True)
    info = await plan(world, people(2), live=True, on_conflict="update")
    report = await apply(world)

    assert (quarantined.actions, quarantined.rejects) == ({"create": 1, "refuse": 1}, {"taken": 1})
    assert info.actions == {"create": 1, "update": 1}
    assert report.requests == info.least == info.most
    assert world.emulator.store.customers["x"]["name"] == "Sample Person 1"
    assert (report.counts["created"], report.counts["updated"]) == (1, 1)


async def test_a_live_plan_sees_names_that_are_taken(world: World) -> None:
    """Of topics, in one list for all rows: a new one, one that is there, and a name that an update would take."""
    await world.run(world.ndjson([{"crm": "t-0", "name": "Sizes"}], "old.ndjson"), resource="topics")
    others = [{"crm": "returns", "name": "Returns"}, {"crm": "orders", "name": "Orders"}]
    await world.run(world.ndjson(others, "others.ndjson"), resource="topics", namespace="others")
    rows = [{"crm": f"t-{at}", "name": name} for at, name in enumerate(("Orders", "Returns", "Colours"))]

    info = await plan(world, rows, "q.plan", live=True, resource="topics")
    updated = await plan(world, rows, live=True, resource="topics", on_conflict="update")
    report = await apply(world)

    refused = [one for one in changes_of(world.folder / "q.plan") if one.action == "refuse"]
    assert info.actions == {"refuse": 2, "create": 1}
    assert [(one.code, one.attr) for one in refused] == [("taken", "name")] * 2
    assert all("name belongs to another topic, " in str(one.reason) for one in refused)
    assert info.read["getTopics"] == 1
    assert updated.actions == {"refuse": 1, "none": 1, "create": 1}
    assert report.requests == updated.least


async def test_a_plan_and_its_run_count_in_words_of_a_plan(world: World) -> None:
    """In the report, its page and `runs list`, when it is complete and as far as it has got."""
    rows = await imported(world)
    rows[1]["name"] = "Ada"
    path = world.ndjson([*rows, person(9), person(8, **{"email:1": "nowhere"})])
    world.emulator.add_customer(id="x", name="Old", emails=[{"original": "person.9@example.org"}])
    options = PlanOptions.of(world.options, out=world.folder / "a.plan", is_live=True)

    first = await plan_live(
        "customers",
        [path],
        world.credentials,
        replace(options, limits=Limits(max_requests=2)),
        environment=world.environment,
    )
    part = about_run(RunFolder(Path(first.folder)))["counts"]
    (Path(first.folder) / "report.json").unlink()  # as after a kill
    view = view_of(facts_of(Path(first.folder), dt.datetime.now(dt.UTC)))
    report = await resume_run(RunFolder(Path(first.folder)), world.credentials, environment=world.environment)

    assert isinstance(report, PlanReport)
    assert (first.status, first.adds_up, report.adds_up) == ("stopped", True, True)
    assert {"read", *part} <= first.counts.keys()
    assert all(part[word] == first.counts[word] for word in part)
    assert {row.word.replace(" ", "_"): row.number for row in view.outcomes.rows} == part
    assert view.head.title == "Plan for customers from customers.ndjson"
    found = {"to_update": 1, "unchanged": 3, "rejected": 2}
    assert {word: number for word, number in report.counts.items() if number} == {"read": 6, **found}
    assert about_run(RunFolder(Path(first.folder)))["counts"] == found
    assert (report.changed, report.conflicts) == ({"name": 1}, 1)
    assert (report.exit_code, report.rejects_by_code) == (1, {"invalid_email": 1, "taken": 1})
    page = report.as_markdown()
    assert "| to update | 1 |" in page
    assert "| name | 1 |" in page


async def test_rows_that_a_filter_leaves_out_are_not_rejected(world: World) -> None:
    """A conflict that --on-conflict skips counts as skipped."""
    world.emulator.add_customer(id="x", name="Old", emails=[{"original": "person.1@example.org"}])

    info = await plan(world, people(2), live=True, on_conflict="skip")

    assert (info.actions, info.rejects) == ({"create": 1, "none": 1}, {})
    assert not (world.folder / "a.plan" / "rejected.ndjson").exists()


@pytest.mark.parametrize("live", [False, True])
async def test_values_that_are_left_out_are_in_the_folder(world: World, live: bool) -> None:
    """Of new records and of unchanged ones, masked, as the import of the same rows writes them."""
    bad = [person(number, **{"email:2": "nowhere"}) for number in range(2)]
    await world.run(world.ndjson(bad[:1]), invalid_contacts="drop")

    info = await plan(world, bad, live=live, invalid_contacts="drop")
    report = await apply(world)

    folder = world.folder / "a.plan"
    assert info.actions == {"create": 1, "none": 1}
    assert "warnings.csv" in info.files
    assert (folder / "warnings.csv").read_bytes() == (Path(report.folder) / "warnings.csv").read_bytes()
    assert "nowhere" not in (folder / "warnings.csv").read_text()
    assert "2 values that are not valid are left out" in (folder / "summary.md").read_text()


async def test_a_plan_says_which_names_it_cannot_look_up(world: World) -> None:
    """Of answers, which no request lists, a plan says so; an apply rejects what is taken."""
    await world.run(world.ndjson([{"crm": "old", "name": "Returns"}], "old.ndjson"), resource="answers")
    world.forget()

    info = await plan(world, [{"crm": "a-1", "name": "Returns"}], live=True, resource="answers")
    report = await apply(world)

    assert info.actions == {"create": 1}
    assert "Each name must be unique among answers" in (world.folder / "a.plan" / "summary.md").read_text()
    assert report.rejects_by_code == {"moved": 1}


async def test_a_create_that_meets_what_the_plan_did_not_see_is_moved(world: World) -> None:
    """It costs its one request, and the other customer stays as it is, whatever --on-conflict says."""
    await imported(world, 1)
    world.emulator.add_customer(id="x", name="Old", emails=[{"original": "person.5@example.org"}])
    info = await plan(world, [person(5)], on_conflict="update")

    report = await apply(world)

    assert report.rejects_by_code == {"moved": 1}
    assert report.requests["createCustomer"] == info.most["createCustomer"] == 1
    assert report.requests_total == 2
    assert world.emulator.store.customers["x"]["name"] == "Old"


async def test_nothing_is_written_over_that_has_moved(world: World) -> None:
    """Changed fields, a deleted and a merged customer end as moved; others' fields do not matter."""
    rows = await imported(world, 5)
    for row in rows:
        row["name"] = f"New {row['name']}"
    await plan(world, rows, live=True)
    held = {profile["name"]: key for key, profile in world.emulator.store.customers.items()}
    ids = [held[f"Sample Person {number}"] for number in range(5)]
    store = world.emulator.store
    store.replace_customer({**store.customers[ids[0]], "name": "By hand"})
    store.replace_customer({**store.customers[ids[1]], "address": "1 High Street"})
    store.remove_customer(ids[2])
    world.emulator.add_customer(id="heir", name="Heir")
    store.merge(ids[3], "heir")

    report = await apply(world)

    assert report.rejects_by_code == {"moved": 3}
    assert report.counts["updated"] == 2
    assert store.customers[ids[0]]["name"] == "By hand"
    assert store.customers[ids[1]] | {"updatedAt": ""} == store.customers[ids[1]] | {
        "updatedAt": "",
        "name": "New Sample Person 1",
    }
    assert store.customers["heir"]["name"] == "Heir"


async def test_an_offline_update_leaves_alone_what_people_changed_since(world: World) -> None:
    """Nobody has read the old value, but memory has the fingerprint of what was accepted last."""
    rows = await imported(world, 2)
    for row in rows:
        row["name"] = f"New {row['name']}"
    await plan(world, rows)
    store = world.emulator.store
    touched = next(key for key, profile in store.customers.items() if profile["name"] == "Sample Person 0")
    store.replace_customer({**store.customers[touched], "name": "By hand"})

    report = await apply(world)

    assert (report.counts["updated"], report.rejects_by_code) == (1, {"moved": 1})
    assert store.customers[touched]["name"] == "By hand"


async def test_deletions_are_read_before_they_are_done(world: World) -> None:
    """One that is gone already is unchanged, and one that was changed since is kept."""
    rows = await imported(world, 3)
    info = await plan(world, rows, live=True, mode="delete")
    store = world.emulator.store
    held = {profile["name"]: key for key, profile in store.customers.items()}
    store.replace_customer({**store.customers[held["Sample Person 0"]], "name": "By hand"})
    store.remove_customer(held["Sample Person 1"])

    report = await apply(world)

    assert info.most["deleteCustomer"] == 3
    assert (report.counts["deleted"], report.counts["unchanged"], report.rejects_by_code) == (1, 1, {"moved": 1})
    assert list(store.customers) == [held["Sample Person 0"]]


EDITS: dict[str, tuple[Any, str]] = {
    "summary": (lambda _world, folder: (folder / "summary.md").write_text("nothing"), "summary.md was edited"),
    "changes": (lambda _world, folder: (folder / "changes.parquet").unlink(), "changes.parquet is missing"),
    "numbers": (lambda _world, folder: edit(folder / "plan.json", mode="create"), "was edited after"),
    "format": (lambda _world, folder: edit(folder / "plan.json", format=99), "has format 99"),
    "input": (lambda world, _folder: world.ndjson(people(3), "customers.ndjson"), "customers.ndjson has changed"),
    "gone": (lambda world, _folder: (world.folder / "customers.ndjson").unlink(), "cannot be read"),
    "no plan": (lambda _world, folder: shutil.rmtree(folder), "is not a plan"),
}


@pytest.mark.parametrize("what", EDITS)
async def test_a_plan_that_no_longer_fits_is_refused_as_a_whole(world: World, what: str) -> None:
    """The message names the difference, the exit code is 2, and nothing was sent."""
    rows = await imported(world, 2)
    await plan(world, [*rows, person(9)])
    change, said = EDITS[what]
    change(world, world.folder / "a.plan")

    with pytest.raises(UsageError, match=said) as refused:
        await apply(world)

    assert refused.value.exit_code == 2
    assert not world.emulator.requests.total


async def test_a_plan_is_refused_when_another_run_has_written_its_records(world: World) -> None:
    """A key that was new is known by now, and a record was changed: both are counted, the first ones named."""
    rows = await imported(world, 3)
    changed = [{**row, "name": "Ada"} for row in rows[:2]]
    await plan(world, [*changed, person(9)])
    await world.run(world.ndjson([changed[0], person(9)], "other.ndjson"))
    world.forget()

    with pytest.raises(
        UsageError, match=r"2 records .* were written by another run since: customers.ndjson:1 .key c-0"
    ):
        await apply(world)

    assert not world.emulator.requests.total


async def test_a_plan_is_for_one_organisation(world: World) -> None:
    """Another host is refused before a request, another organisation behind the host after the first."""
    await imported(world, 1)
    await plan(world, [person(9)])
    world.emulator.store.organization["id"] = "another"

    report = await apply(world)

    assert (report.exit_code, report.requests) == (2, {"getOrganization": 1})
    assert "another" in str(report.reason)


async def test_an_offline_plan_needs_a_run_before_it(world: World) -> None:
    """Nothing is known of an organisation that no run has reached."""
    with pytest.raises(UsageError, match="pass --live"):
        await plan(world, people(1))


async def test_a_plan_does_not_replace_what_is_there(world: World) -> None:
    """Neither another folder, nor a plan without --force."""
    await imported(world, 1)
    await plan(world, people(1))
    (world.folder / "other").mkdir()
    path = world.ndjson(people(1))

    for name, said in (("other", "is not a plan"), ("a.plan", "--force")):
        options = PlanOptions.of(world.options, out=world.folder / name, is_live=True)
        with pytest.raises(UsageError, match=said):
            await plan_live("customers", [path], world.credentials, options, environment=world.environment)

    assert not world.emulator.requests.total


async def test_a_live_plan_is_resumed(world: World) -> None:
    """What was planned is not read again, and the folder is there when all is planned."""
    rows = people(20)
    path = world.ndjson(rows)
    options = PlanOptions.of(world.choose({"max_requests": 11}), out=world.folder / "a.plan", is_live=True)
    first = await plan_live("customers", [path], world.credentials, options, environment=world.environment)

    assert (first.status, first.exit_code, first.adds_up) == ("stopped", 10, True)
    assert not options.out.exists()

    last: Any = await resume_run(
        world.last_run(), world.credentials, change=lambda stored: replace(stored, limits=Limits())
    )

    assert (last.status, opened_plan(options.out).actions) == ("complete", {"create": 20})
    assert last.requests["getCustomer"] + last.requests["findCustomers"] <= 40 + 2 * 12
    report = await apply(world)
    assert report.counts["created"] == 20


@pytest.mark.parametrize("value", [False, 0])
async def test_an_attribute_that_says_zero_or_no_is_written(value: Any, world: World) -> None:
    """It is not what an absent one says."""
    rows = await imported(world, 1)
    await plan(world, [{**rows[0], "customAttribute:new": value}], live=True)

    report = await apply(world)

    [profile] = world.emulator.store.customers.values()
    assert report.counts["updated"] == 1
    assert profile["customAttributes"] == {"new": value}


async def test_a_resumed_apply_does_not_call_its_own_records_moved(world: World) -> None:
    """Responses are lost, and the run ends in the middle; the rest is done by the resume."""
    rows = await imported(world, 3)
    rows = [{**row, "name": f"New {row['name']}"} for row in rows]
    await plan(world, [*rows, *(person(number) for number in range(10, 14))], live=True)
    world.emulator.faults.script("updateCustomer", [drop_reply()])

    first = await apply(world, limits=lambda limits: replace(limits, max_requests=6))
    last: Any = await resume_run(
        world.last_run(), world.credentials, change=lambda stored: replace(stored, limits=Limits())
    )

    assert first.exit_code == 10
    assert (last.status, last.rejects_by_code) == ("complete", {})
    assert last.counts["created"] == 4
    assert last.counts["updated"] + last.counts["unchanged"] == 3
    assert sorted(world.names().values())[:3] == [f"New Sample Person {number}" for number in range(3)]


async def test_a_run_whose_plan_is_gone_is_not_resumed(world: World) -> None:
    """Its steps would be others."""
    rows = await imported(world, 2)
    await plan(world, [*rows, person(9), person(10)])
    await apply(world, limits=lambda limits: replace(limits, max_requests=2))
    edit(world.folder / "a.plan" / "plan.json", mode="create")

    with pytest.raises(BulkgladlyError, match="is not the plan with which run"):
        await resume_run(world.last_run(), world.credentials)


async def test_rows_that_follow_others_are_said_to_be_open(world: World) -> None:
    """Equal rows are written once; a row that changes what an earlier one wrote is decided after it."""
    await imported(world, 1)
    rows = [person(5), person(5), person(5, name="Last")]

    info = await plan(world, rows, live=True, on_duplicate="last")
    report = await apply(world)

    assert info.actions == {"create": 1, "none": 1, "open": 1}
    assert [change.reason for change in changes_of(world.folder / "a.plan")][1:] == [
        "repeats customers.ndjson:1",
        "follows customers.ndjson:1",
    ]
    assert (report.counts["created"], report.counts["updated"], report.counts["unchanged"]) == (1, 1, 1)
    assert world.names()["person.5@example.org"] == "Last"


async def test_what_a_plan_knows_only_by_a_look_is_remembered(world: World) -> None:
    """After the apply, memory knows that the customers are as the file says, although nothing was written."""
    for number in range(2):
        row = person(number)
        world.emulator.add_customer(id=f"own-{number}", name=row["name"], emails=[{"original": row["email:1"]}])
    rows = [{**person(number), "id": f"own-{number}"} for number in range(2)]

    info = await plan(world, rows, live=True)
    await apply(world)

    assert info.actions == {"none": 2}
    assert not (await plan(world, rows)).most.keys() - {"getOrganization"}


async def test_tasks_of_merged_customers_are_planned_below_the_survivor(world: World) -> None:
    """A live plan looks at the customer as well, so that the apply sends one request for each task."""
    for name in ("old", "heir"):
        world.emulator.add_customer(id=name, emails=[{"original": f"{name}@example.org"}])
    world.emulator.store.merge("old", "heir")
    tasks = [
        {"crm": f"t-{name}", "customerId": name, "inboxId": "inbox-1", "body": "Call", "dueAt": "2099-01-01T00:00:00Z"}
        for name in ("old", "heir", "nobody")
    ]

    info = await plan(world, tasks, live=True, resource="tasks")
    report = await apply(world)

    assert (info.actions, info.rejects) == ({"create": 2, "refuse": 1}, {"not_exist": 1})
    assert report.requests == info.least == info.most
    assert {task["customerId"] for task in world.emulator.store.tasks.values()} == {"heir"}


@pytest.mark.parametrize("live", [False, True])
async def test_a_plan_rests_on_a_data_set_where_memory_knows_nothing(world: World, live: bool) -> None:
    """The first night sends only differences, and what the data set said is remembered by the apply."""
    rows = somebodies(5)
    lake = await a_known_organisation(world, rows)
    rows[1]["name"] = "Ada"

    info = await plan(world, rows, live=live, baseline=lake)
    shutil.rmtree(lake / "profiles")  # the plan has kept what it said
    world.forget()
    report = await apply(world)

    assert info.actions == {"none": 4, "update": 1}
    assert "baseline" in (world.folder / "a.plan" / "summary.md").read_text()
    assert (report.counts["updated"], report.counts["unchanged"]) == (1, 4)
    assert world.asked() == {"getCustomer": 1, "updateCustomer": 1}
    assert (await plan(world, rows)).writes == 0


async def test_what_has_moved_is_planned_again_and_never_retried(world: World) -> None:
    """A retry is an import, and would write over what the plan was to protect."""
    rows = await imported(world, 2)
    rows[0]["name"] = "Ada"
    await plan(world, rows)
    gladly_id = changes_of(world.folder / "a.plan")[0].gladly_id
    profile = world.emulator.store.customers[gladly_id or ""]
    world.emulator.store.replace_customer({**profile, "name": "Zoe"})

    report = await apply(world)

    assert (report.counts["rejected"], list(report.rejects_by_code)) == (1, ["moved"])
    [again, _show] = report.next_commands
    assert again.startswith("bulkgladly plan customers ")
    assert "--live" in again
    assert "a-again.plan" in again
    with pytest.raises(UsageError, match="has moved since the plan was made; plan again: bulkgladly plan"):
        await retry_import(RunFolder(Path(report.folder)), world.credentials, environment=world.environment)
    assert "Zoe" in {one["name"] for one in world.emulator.store.customers.values()}


async def test_an_apply_does_not_warn_of_updates_that_nobody_has_read(world: World) -> None:
    """It reads each object before it writes, so an undo can restore them all."""
    rows = await imported(world, 2)
    rows[0]["name"] = "Ada"
    await plan(world, rows)
    heard = Told()

    report = await apply(world, observer=heard)

    assert report.counts["updated"] == 1
    assert not [line for line in heard.lines if "cannot be taken back" in line]


async def test_the_page_says_which_entry_of_a_map_changes_and_how_it_was_made(world: World) -> None:
    """The page shows the old and the new value of an attribute, and the options that decide."""
    rows = [{**one, "customAttribute:tier": "gold", "customAttribute:code": "A1"} for one in people(1)]
    await world.run(world.ndjson(rows))
    rows[0]["customAttribute:tier"] = "platinum"

    await plan(world, rows, live=True, on_conflict="merge", owners=(("name", "fill"),))

    page = (world.folder / "a.plan" / "summary.md").read_text("utf-8")
    assert ": tier: aa…a → aa…a |" in page
    assert "Made with `bulkgladly plan customers customers.ndjson --key crm --on-conflict merge" in page
    assert "--owner name=fill --live`." in page


@pytest.mark.parametrize(
    ("resource", "row", "said"),
    [
        (
            "topics",
            {"name": "Returns"},
            "1 new record: Gladly's API cannot delete topics; archive them instead (disabled).",
        ),
        ("business-hours", {"name": "Night", "officeHours": {"timezone": "UTC", "days": []}}, None),
        ("customers", person(3), None),
    ],
)
async def test_the_page_says_what_an_undo_cannot_delete(
    world: World, resource: str, row: dict[str, Any], said: str | None
) -> None:
    """It is what `undo` says: new topics stay, and new business hours can be deleted, though they are sent once."""
    key = "crm" if resource == "customers" else None
    info = await plan(world, [row], live=True, resource=resource, key=key)

    page = (world.folder / "a.plan" / "summary.md").read_text("utf-8")
    assert "| 1 | to create |" in page
    assert (said or "") in page
    assert ("What cannot be taken back" in page) is (said is not None)
    assert (await apply(world)).requests == info.least == info.most


async def test_updates_that_nobody_has_read_can_be_taken_back_after_the_apply(world: World) -> None:
    """An offline plan has no old values, but its apply reads them first, so they are no reason to hesitate."""
    rows = await imported(world, 2)
    rows[0]["name"] = "Ada"

    await plan(world, rows)

    page = (world.folder / "a.plan" / "summary.md").read_text("utf-8")
    assert "1 record: the old values have not been read yet; `apply` reads them before it writes." in page
    assert "What cannot be taken back" not in page


async def test_what_has_no_unique_name_is_looked_for_once_more_before_it_is_created(world: World) -> None:
    """Gladly would take a second schedule of the same name, so only the look of the apply keeps it from being made."""
    row = {"name": "Night", "officeHours": {"timezone": "UTC", "days": []}}
    await plan(world, [row], live=True, resource="business-hours", key=None)
    await world.run(world.ndjson([row], "other.ndjson"), resource="business-hours", key=None, state_dir=world.folder)

    report = await apply(world)

    assert report.counts["created"] == 0
    assert "createBusinessHours" not in report.requests
