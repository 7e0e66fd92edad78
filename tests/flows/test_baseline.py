"""`--baseline`: a data set says what Gladly held, in place of a look; what it does not say is read first."""

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import Limits, Pace, Report, RunFolder, UsageError
from bulkgladly.emulator import Emulator
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.imports.baseline import INDEX
from bulkgladly.imports.dry_run import dry_run
from bulkgladly.imports.run_import import rehearse_import
from bulkgladly.lake.folder import DataFolder, utc_now
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.runs.observer import Observer
from bulkgladly.undo.run_undo import start_undo
from bulkgladly.undo.undo_options import UndoOptions
from tests.flows.conftest import TOKEN, World, person
from tests.flows.quickly import start_export, start_import
from tests.flows.verifying import verified


def somebody(number: int, **more: Any) -> dict[str, Any]:
    """An invented customer with all that a profile has."""
    return {
        **person(number),
        "address": f"{number} Example Lane",
        "phone:1": f"+1650555{100 + number:04}",
        "phone:1:type": "MOBILE",
        "customAttribute:tier": "gold",
        **more,
    }


def somebodies(count: int) -> list[dict[str, Any]]:
    """The first of them."""
    return [somebody(number) for number in range(count)]


class Told(Observer):
    """What a run has told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


async def exported(world: World, out: Path) -> Path:
    """Export the profiles of all customers, as a dump would."""
    ids = world.folder / "ids.txt"
    ids.write_text("".join(f"{one}\n" for one in world.emulator.store.customers))
    exports = world.folder / "exports"
    options = ExportOptions(out=out, words=("profiles",), ids=ids, pace=Pace(unlimited=True), state_dir=exports)
    await start_export(options, world.credentials)
    return out


async def a_known_organisation(world: World, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Create customers, export them, and forget that they were imported."""
    await world.run(world.csv(rows))
    lake = await exported(world, world.folder / "lake")
    shutil.rmtree(world.state)
    world.forget()
    return lake


def written(
    world: World, data_set: str, lines: Sequence[Mapping[str, Any]], *, gone: Sequence[str] = (), **columns: Any
) -> Path:
    """Write a unit of a data set, as if it was fetched now, with ids that Gladly no longer had."""
    out = world.folder / "lake"
    with DataFolder.open(out, host=world.credentials.host, create=True).lock() as folder:
        unit = f"unit-{len(folder.manifests(data_set))}"
        columns = columns or {"_fetched_at": utc_now()}
        with UnitWriter(folder, DATA_SETS[data_set], unit, Origin(unit, "test", columns)) as writer:
            writer.convert(orjson.dumps(line) + b"\n" for line in lines)
            writer.commit(about={"gone": dict.fromkeys(gone, round(utc_now().timestamp() * 1_000_000))})
    return out


async def compared(world: World, rows: Sequence[Mapping[str, Any]], lake: Path, **changes: Any) -> tuple[Report, Told]:
    """Import rows with a baseline, and check the report."""
    told = Told()
    options = world.choose({"baseline": lake, **changes})
    report = await start_import(
        "customers", [world.csv(rows)], world.credentials, options, observer=told, environment=world.environment
    )
    return report, told


async def test_only_differences_are_sent_and_the_next_night_needs_no_data_set(world: World) -> None:
    """Matched rows are remembered with what the data set has; the index is gone with the end of the run."""
    rows = somebodies(6)
    lake = await a_known_organisation(world, rows)
    rows[1]["name"], rows[2]["address"], rows[3]["customAttribute:tier"] = "Another Name", "Elsewhere", "silver"

    report, told = await compared(world, rows, lake)

    # Attributes are read before they are changed, whatever a data set says.
    assert world.asked() == {"updateCustomer": 3, "getCustomer": 1}
    assert (report.counts["updated"], report.counts["unchanged"]) == (3, 3)
    assert report.baseline is not None
    assert report.baseline["matched"] == {"id": 6}
    assert any("6 objects" in line and "6 of 6 rows match (6 by id)" in line for line in told.lines)
    assert any(line.startswith("6 rows matched the data set of ") for line in report.details)
    assert not (Path(report.folder) / INDEX).exists()
    world.forget()
    assert (await world.run(world.csv(rows))).counts["unchanged"] == 6
    rows[0]["name"] = "Later"
    assert (await world.run(world.csv(rows))).counts["updated"] == 1
    assert world.asked() == {"updateCustomer": 1}


async def test_a_customer_is_found_by_an_address_that_only_one_has(world: World) -> None:
    """By an email, else by a mobile number; never by a number that people share, and never by two at once."""
    rows = [somebody(0), somebody(1), somebody(2, **{"phone:1:type": "HOME"}), somebody(3)]
    lake = await a_known_organisation(world, rows)
    found = [
        somebody(0, crm="a"),
        {**somebody(1, crm="b"), "email:1": ""},
        {**somebody(2, crm="c"), "email:1": ""},
        {**somebody(3, crm="d"), "email:2": "person.0@example.org"},
    ]
    for row in found:
        row.setdefault("email:2", "")

    report, _ = await compared(world, found, lake, on_conflict="skip")

    assert report.baseline is not None
    assert report.baseline["matched"] == {"email": 1, "phone": 1}
    assert report.baseline["ambiguous"] == 1
    # The shared number makes a customer of its own, as it does without a data set; the fourth row is a conflict.
    assert report.counts["unchanged"] == 2
    assert (report.counts["created"], report.counts["skipped"]) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "words", "told"),
    [
        ({}, {"rejected": 1, "unchanged": 1}, "pass --on-conflict update"),
        ({"on_conflict": "skip"}, {"skipped": 1, "unchanged": 1}, "skips such a row"),
        ({"on_conflict": "merge"}, {"unchanged": 2}, "looked up in Gladly"),
        ({"on_conflict": "update"}, {"updated": 1, "unchanged": 1}, "looked up in Gladly"),
        ({"mode": "update"}, {"updated": 1, "unchanged": 1}, "looked up in Gladly"),
    ],
)
async def test_a_difference_of_a_customer_found_by_address_ends_as_without_a_data_set(
    changes: Mapping[str, Any], words: Mapping[str, int], told: str, world: World
) -> None:
    """Only an equal row is spared its request: under quarantine nobody is updated because of an address."""
    lake = await a_known_organisation(world, somebodies(2))
    rows = [somebody(0, crm="a"), somebody(1, crm="b", name="Another Name")]

    report, seen = await compared(world, rows, lake, **changes)

    assert {word: number for word, number in report.counts.items() if number and word != "read"} == words
    assert report.baseline is not None
    assert (report.baseline["left_to_policy"], report.baseline["matched"]) == (1, {"email": 1})
    assert any("1 row differs from the customer who has the address" in line and told in line for line in seen.lines)
    assert ("Another Name" in world.names().values()) is ("updated" in words)


async def test_an_address_that_belongs_to_another_customer_by_now_changes_only_that_one(world: World) -> None:
    """The data set is older than the address: its owner of that time keeps the name."""
    lake = await a_known_organisation(world, [person(0), person(1)])
    store = world.emulator.store
    first, second = ({**one} for one in store.customers.values())
    for one, emails in ((first, []), (second, first["emails"]), (first, second["emails"])):
        store.replace_customer({**one, "emails": emails})

    report, _ = await compared(world, [person(0, crm="a", name="New Name")], lake, on_conflict="update")

    assert report.counts["updated"] == 1
    assert [store.customers[one["id"]]["name"] for one in (first, second)] == ["Sample Person 0", "New Name"]


async def test_a_row_with_an_id_of_its_own_means_that_customer_only(world: World) -> None:
    """Whoever has its address."""
    lake = await a_known_organisation(world, somebodies(1))
    row = {**somebody(0), "id": "another-id"}

    report, _ = await compared(world, [row], lake, key=None, ignore_columns=("crm",))

    assert report.baseline is not None
    assert report.baseline["matched"] == {}
    assert report.rejects_by_code == {"taken": 1}


async def test_fields_that_the_data_set_lacks_are_told_and_read_first(world: World) -> None:
    """The lines of export jobs have no address and no attributes, and their phones have no type."""
    rows = somebodies(3)
    await world.run(world.csv(rows))
    shutil.rmtree(world.state)
    lines = [
        {"id": gladly_id, "name": profile["name"], "emailAddresses": [profile["emails"][0]["original"]]}
        for gladly_id, profile in world.emulator.store.customers.items()
    ]
    lake = written(world, "customers", lines, _job_id="job", _job_updated_at=utc_now(), _file="customers.jsonl")
    world.forget()
    plain = [{name: row[name] for name in ("crm", "name", "email:1")} for row in rows]
    assert (await compared(world, plain, lake, namespace="default"))[0].counts["unchanged"] == 3
    assert world.asked() == {}
    shutil.rmtree(world.state)
    rows[0]["address"] = "Elsewhere"

    report, told = await compared(world, rows, lake)

    assert world.asked() == {"getCustomer": 3, "updateCustomer": 1}
    assert (report.counts["updated"], report.counts["unchanged"]) == (1, 2)
    assert any(
        "lacks " in line and "address" in line and "3 rows with such a field are read" in line for line in told.lines
    )


async def test_a_field_that_earlier_runs_did_not_send_is_compared(world: World) -> None:
    """What they know of the others is newer than any data set."""
    rows = somebodies(2)
    lake = await a_known_organisation(world, rows)
    short = [{name: row[name] for name in ("crm", "name", "email:1")} for row in rows]
    await world.run(world.csv(short))
    world.forget()

    report, _ = await compared(world, rows, lake)

    assert (world.asked(), report.counts["unchanged"]) == ({}, 2)


async def test_what_has_changed_since_is_not_seen_and_a_deletion_is_not_undone(world: World) -> None:
    """A stale data set: an equal row changes nothing, and a customer who was deleted is not created again."""
    lake = await a_known_organisation(world, somebodies(3))
    store = world.emulator.store.customers
    by_name = {profile["name"]: gladly_id for gladly_id, profile in store.items()}
    store[by_name["Sample Person 0"]]["name"] = "Changed By A Person"
    del store[by_name["Sample Person 1"]]
    rows = [somebody(0), somebody(1, name="Another Name"), somebody(2)]

    report, _ = await compared(world, rows, lake)

    assert report.rejects_by_code == {"deleted_since": 1}
    assert report.counts["unchanged"] == 2
    assert "the data set of --baseline was fetched" in report.reasons[0].reason or report.reasons
    assert sorted(profile["name"] for profile in store.values()) == ["Changed By A Person", "Sample Person 2"]


async def test_the_newest_version_counts_and_what_was_gone_or_merged(world: World) -> None:
    """Older rows of the same id are replaced; an id that was merged away leads to the customer who remains."""
    lake = await a_known_organisation(world, somebodies(3))
    ids = {profile["name"]: gladly_id for gladly_id, profile in world.emulator.store.customers.items()}
    profiles = world.emulator.store.customers
    profiles[ids["Sample Person 0"]]["name"] = "Newer Name"
    del profiles[ids["Sample Person 1"]]
    merged = {**profiles[ids["Sample Person 2"]], "_asked_id": "merged-away"}
    written(world, "profiles", [profiles[ids["Sample Person 0"]], merged], gone=[ids["Sample Person 1"]])
    rows = [
        {**somebody(0, name="Newer Name"), "id": ids["Sample Person 0"]},
        {**somebody(1), "id": ids["Sample Person 1"]},
        {**somebody(2), "id": "merged-away"},
    ]
    world.forget()

    report, _ = await compared(world, rows, lake, key=None, ignore_columns=("crm",))

    # The second is no longer in Gladly, so it is created as without a data set.
    assert world.asked() == {"createCustomer": 1}
    assert report.counts["unchanged"] == 2
    assert {line["gladly_id"] for line in world.result(report, "success")} == set(ids.values())


async def test_a_merged_id_leads_to_the_newest_profile_of_the_customer_who_remains(world: World) -> None:
    """That one is compared, and not its version at the time when somebody asked for the merged one."""
    lake = await a_known_organisation(world, somebodies(3))
    store = world.emulator.store
    one, two, last = list(store.customers)
    store.merge(one, two)
    store.merge(two, last)
    heir = store.customers[last]
    written(world, "profiles", [{**heir, "_asked_id": one}, {**heir, "_asked_id": two}])
    heir["name"] = "Newer Name"
    written(world, "profiles", [heir])
    now = {"name": "Newer Name", "address": heir["address"]}
    rows = [{**somebody(0, **now), "id": one}, {**somebody(1, **now), "id": two}]
    world.forget()

    report, _ = await compared(world, rows, lake, key=None, ignore_columns=("crm",))
    by_email, _ = await compared(world, [somebody(2, crm="x", name="Newer Name")], lake, namespace="other")

    assert world.asked() == {}
    assert (report.counts["unchanged"], by_email.counts["unchanged"]) == (2, 1)
    assert {line["gladly_id"] for line in world.result(report, "success")} == {last}
    assert report.baseline is not None
    assert report.baseline["objects"] == 1


@pytest.mark.parametrize("is_fresh", [True, False])
async def test_a_merge_that_only_an_event_tells_is_followed(is_fresh: bool, world: World) -> None:
    """If nobody has fetched the customer who remains since, what they hold is not known, and Gladly tells it."""
    lake = await a_known_organisation(world, somebodies(2))
    store = world.emulator.store
    merged, heir = list(store.customers)
    store.merge(merged, heir)
    now = {"name": "Newer Name", "address": store.customers[heir]["address"]}
    store.customers[heir]["name"] = "Newer Name"
    content = {"sourceCustomerId": merged, "destinationCustomerId": heir}
    event = {"id": "e-1", "type": "CUSTOMER/MERGED", "timestamp": utc_now().isoformat(), "content": content}
    written(world, "events", [event])
    if is_fresh:
        written(world, "profiles", [store.customers[heir]])
    world.forget()

    report, _ = await compared(world, [somebody(0, **now)], lake)

    assert report.counts["unchanged"] == 1
    assert [line["gladly_id"] for line in world.result(report, "success")] == [heir]
    assert world.asked() == ({} if is_fresh else {"createCustomer": 1, "getCustomer": 2})


@pytest.mark.parametrize("by", ["verify", "undo"])
async def test_what_was_forgotten_is_sent_although_an_older_data_set_has_it(by: str, world: World) -> None:
    """`verify --forget` and `undo` have seen, or restored, what Gladly holds; the data set is from before."""
    await world.run(world.csv([somebody(0, name="Before")]))
    changed = await world.run(world.csv([somebody(0)]), undoable=True)
    lake = await exported(world, world.folder / "lake")
    if by == "undo":
        options = UndoOptions(run=changed.run, pace=world.options.pace, state_dir=world.state)
        await start_undo(RunFolder(Path(changed.folder)), world.credentials, options, environment=world.environment)
    else:
        [held] = world.emulator.store.customers.values()
        held["name"] = "Before"
        await verified(world, forget=True)
    assert list(world.names().values()) == ["Before"]

    report, _ = await compared(world, [somebody(0)], lake)

    assert (report.counts["updated"], list(world.names().values())) == (1, [somebody(0)["name"]])


async def test_what_cannot_be_used_is_refused_before_anything_is_sent(world: World) -> None:
    """Another organisation, no data set, no rows, damage, another object, another mode."""
    rows = [somebody(0)]
    lake = await a_known_organisation(world, rows)
    with pytest.raises(UsageError, match="is not a bulkgladly data set"):
        await compared(world, rows, world.folder)
    DataFolder.open(world.folder / "other", host="https://other.gladly.com", create=True)
    with pytest.raises(UsageError, match=r"holds data of https://other\.gladly\.com, not of http://127"):
        await compared(world, rows, world.folder / "other")
    DataFolder.open(world.folder / "empty", host=world.credentials.host, create=True)
    with pytest.raises(UsageError, match="has no rows of profiles or customers; run `bulkgladly export profiles"):
        await compared(world, rows, world.folder / "empty")
    for mode in ("create", "delete"):
        with pytest.raises(UsageError, match=f"it cannot decide what to {mode}"):
            await compared(world, rows, lake, mode=mode)
    with pytest.raises(UsageError, match="activities cannot be compared with a data set"):
        await start_import("activities", [world.csv(rows)], world.credentials, replace(world.options, baseline=lake))
    [manifest] = (lake / "_manifest" / "profiles").glob("*.json")
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-40])
    with pytest.raises(UsageError, match="cannot be used"):
        await compared(world, rows, lake)
    manifest.write_bytes(whole)
    [part] = (lake / "profiles").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-20])
    report, _ = await compared(world, rows, lake)
    assert (report.exit_code, report.status) == (2, "failed")
    assert world.asked() == {}


async def test_a_resume_uses_what_was_read_whatever_has_become_of_the_data_set(world: World) -> None:
    """Also if the process died while it was read: then nothing was sent yet."""
    rows = somebodies(4)
    lake = await a_known_organisation(world, rows)
    rows[3]["name"] = "Another Name"

    stopped, _ = await compared(world, rows, lake, max_rows=2)
    assert stopped.exit_code == 10
    assert (Path(stopped.folder) / INDEX).exists()
    shutil.rmtree(lake)
    resumed = await world.resume()

    assert (resumed.exit_code, resumed.counts["unchanged"], resumed.counts["updated"]) == (0, 3, 1)
    # It has counted the rows that it has read itself, and says so.
    assert any(line.startswith("since the resume, ") for line in resumed.details)
    assert world.asked() == {"updateCustomer": 1}


@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize("own", [{}, {"id": ""}])
@pytest.mark.parametrize("choice", [{"mode": "update"}, {"on_conflict": "update"}])
async def test_what_a_row_changes_is_not_compared_with_the_data_set_any_more(
    choice: dict[str, Any], own: dict[str, str], *, is_resumed: bool, world: World
) -> None:
    """A row with another key finds the customer by an address, and changes it; a later row says what it was before."""
    first = {**somebody(0), "email:2": "second@example.org"}
    lake = await a_known_organisation(world, [first])
    [held] = world.emulator.store.customers.values()
    own = dict.fromkeys(own, str(held["id"]))
    found = {**dict.fromkeys(first, ""), "crm": "x", "name": "Another Name", "email:1": "second@example.org"}
    later = {**first, "crm": "y", "email:2": ""}
    rows = [{**found, **dict.fromkeys(own, "")}, {**later, **own}]

    alone = Pace(unlimited=True, concurrency=1)
    report, _ = await compared(world, rows, lake, **choice, pace=alone, max_rows=1 if is_resumed else None)
    report = await world.resume(limits=Limits()) if is_resumed else report

    assert (report.counts["updated"], report.counts["unchanged"]) == (2, 0), report.reasons
    assert [one["name"] for one in world.emulator.store.customers.values()] == [first["name"]]


@pytest.mark.parametrize("format_", [1, 99])
async def test_a_resume_can_do_with_the_index_of_another_version(format_: int, world: World) -> None:
    """That of the version before is used, whatever has become of the data set; any other is made again."""
    rows = somebodies(4)
    lake = await a_known_organisation(world, rows)
    rows[3]["name"] = "Another Name"
    stopped, _ = await compared(world, rows, lake, max_rows=2)
    with closing(sqlite3.connect(Path(stopped.folder) / INDEX)) as index, index:
        index.execute("DROP TABLE merged")
        index.execute("ALTER TABLE ids ADD COLUMN line INTEGER")
        index.execute("UPDATE meta SET value = json_set(value, '$.format', ?) WHERE name = 'about'", (format_,))
    if format_ == 1:
        shutil.rmtree(lake)

    resumed = await world.resume()

    assert (resumed.exit_code, resumed.counts["unchanged"], resumed.counts["updated"]) == (0, 3, 1)
    assert world.asked() == {"updateCustomer": 1}


async def test_an_index_that_is_read_again_forgets_the_addresses_of_the_old_one(world: World) -> None:
    """They lead to its numbers, and the data set has changed in between."""
    lake = await a_known_organisation(world, somebodies(3))
    held = list(world.emulator.store.customers.values())
    rows = [somebody(number, crm=f"other-{number}") for number in range(3)]
    stopped, _ = await compared(world, rows, lake, max_rows=1)
    assert stopped.baseline is not None
    assert stopped.baseline["matched"] == {"email": 1}
    (Path(stopped.folder) / INDEX).write_bytes(b"not an index")
    shutil.rmtree(lake)
    written(world, "profiles", held[::-1])

    resumed = await world.resume()

    assert resumed.counts["unchanged"] == 3


async def test_tasks_and_topics_are_compared_as_well(world: World) -> None:
    """Each by its own comparison."""
    rows = [{"crm": f"t-{number}", "name": f"Topic {number}"} for number in range(3)]
    await world.run(world.ndjson(rows), resource="topics")
    out = world.folder / "lake"
    options = ExportOptions(
        out=out, words=("topics-list",), pace=Pace(unlimited=True), state_dir=world.folder / "exports"
    )
    await start_export(options, world.credentials)
    shutil.rmtree(world.state)
    world.forget()
    rows[1]["disabled"] = True  # type: ignore[assignment]

    report = await world.run(world.ndjson(rows), resource="topics", baseline=out)

    asked = {name: number for name, number in world.asked().items() if name != "getTopics"}
    assert asked == {"updateTopic": 1}
    assert report.counts["unchanged"] == 2


async def test_another_emulator_is_another_organisation(world: World) -> None:
    """The data set of one is refused for the other, and both are named."""
    lake = await a_known_organisation(world, somebodies(1))
    async with Emulator(rate=None, token=TOKEN) as other:
        stranger = replace(world, emulator=other)
        with pytest.raises(UsageError, match=f"holds data of {world.credentials.host}, not of {other.url}"):
            await compared(stranger, somebodies(1), lake)


async def test_a_dry_run_compares_as_well_and_a_rehearsal_does_not(world: World) -> None:
    """Nothing is sent; without a host it is not known whose data set it should be."""
    rows = somebodies(3)
    lake = await a_known_organisation(world, rows)
    rows[0]["name"] = "Another Name"
    options = world.choose({"baseline": lake})

    found = await dry_run("customers", [world.csv(rows)], options, host=world.credentials.host)
    assert (dict(found.first_requests), dict(found.settled)) == ({"updateCustomer": 1}, {"unchanged": 2})
    assert any("3 of 3 rows match (3 by id)" in line for line in found.notes)
    with pytest.raises(UsageError, match="set GLADLY_HOST or pass --profile"):
        await dry_run("customers", [world.csv(rows)], options, host="")
    told = Told()
    rehearsed = await rehearse_import(
        "customers", [world.csv(rows)], options, observer=told, environment=world.environment
    )
    assert rehearsed.counts["created"] == 3
    assert "the rehearsal does not use the data set of --baseline, since its organisation is empty" in told.lines
    assert world.asked() == {}
