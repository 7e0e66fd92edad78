"""What a run did is taken back, as far as nobody has changed it since."""

import sqlite3
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import Limits, Report, RunFolder
from bulkgladly.emulator.operations.customer_profiles import checked_fields
from bulkgladly.errors import TakenBackRun, UnfinishedRun, UsageError
from bulkgladly.journal.results import count_by_word
from bulkgladly.undo.run_undo import preview_undo, resume_undo, start_undo
from bulkgladly.undo.undo_options import UndoOptions
from bulkgladly.undo.undo_page import cannot_text
from bulkgladly.undo.undo_summary import UndoReport
from tests.flows.conftest import World, lines, people


def run_of(world: World, report: Report | UndoReport) -> RunFolder:
    return RunFolder(world.state / "runs" / report.run)


async def undo(world: World, report: Report, **limits: Any) -> UndoReport:
    """Undo a run, and check what holds for every report."""
    options = UndoOptions(run=report.run, pace=world.options.pace, limits=Limits(**limits), state_dir=world.state)
    done = await start_undo(run_of(world, report), world.credentials, options, environment=world.environment)
    check(done)
    return done


def check(done: UndoReport) -> None:
    assert done.adds_up, done.counts
    assert orjson.loads((Path(done.folder) / "report.json").read_bytes()) == orjson.loads(orjson.dumps(done.as_dict()))
    if done.status == "complete":
        assert len(lines(Path(done.folder) / "undo.ndjson")) == done.counts["read"]


def profiles(world: World) -> dict[str, Any]:
    """All customers, without what Gladly notes of each change."""
    every = deepcopy(dict(world.emulator.store.customers))
    return {one: {name: value for name, value in held.items() if name != "updatedAt"} for one, held in every.items()}


async def test_new_customers_are_deleted_and_updated_ones_restored(world: World) -> None:
    """To the byte, with names, contact lists and attributes; and the next import sends everything again."""
    await world.rows(people(4, **{"phone:1": "+12125550123", "customAttribute:tier": "gold"}))
    before = profiles(world)
    rows = people(6, **{"phone:1": "+12125550199", "customAttribute:tier": "silver", "customAttribute:new": "x"})
    rows = [{**row, "name": f"Another {row['crm']}"} for row in rows]
    second = await world.rows(rows, read_first=True)
    assert (second.counts["created"], second.counts["updated"]) == (2, 4)

    counts = preview_undo(run_of(world, second)).counts
    world.forget()

    done = await undo(world, second)

    assert (done.exit_code, done.outcomes) == (0, {"restored": 4, "deleted": 2})
    assert counts.least <= sum(world.asked().values()) <= counts.requests
    assert profiles(world) == before
    again = await world.rows(rows, read_first=True)
    assert (again.counts["created"], again.counts["updated"]) == (2, 4)


def customer_of(world: World, number: int) -> str:
    """The id of an invented customer."""
    found = world.emulator.store.find_by_email(f"person.{number}@example.org")
    return str(found[0]["id"])


def edited(world: World, number: int, **fields: Any) -> None:
    """Let somebody change a customer in Gladly."""
    held = world.emulator.store.customers[customer_of(world, number)]
    world.emulator.store.replace_customer({**held, **checked_fields(fields)})


async def test_what_people_did_since_stays(make_world: Any) -> None:
    """Changed fields, added addresses and attributes, conversations, tasks, merges: kept, and told."""
    world = await make_world(attributes="merge")
    await world.rows(people(5, **{"customAttribute:tier": "gold"}))
    rows = people(13, **{"name": "Changed", "customAttribute:tier": "silver", "customAttribute:new": "x"})
    second = await world.rows(rows, read_first=True)
    before = profiles(world)
    ids = [customer_of(world, number) for number in range(13)]
    edited(world, 0, name="By a person")
    emails = [*before[ids[1]]["emails"], {"original": "more@example.org"}]
    edited(world, 1, emails=emails)
    edited(world, 2, customAttributes={"tier": "platinum", "new": "x", "theirs": "y"})
    world.emulator.store.remove_customer(ids[3])
    edited(world, 5, emails=[*before[ids[5]]["emails"], {"original": "five@example.org"}])
    world.emulator.add_conversation(ids[6], status="CLOSED")
    world.emulator.add_task(ids[7])
    world.emulator.store.merge(ids[8], ids[9])
    world.emulator.store.remove_customer(ids[10])
    edited(world, 11, address="1 Test Lane")

    done = await undo(world, second)

    held = profiles(world)
    assert (done.exit_code, done.outcomes) == (
        1,
        {"restored": 4, "deleted": 1, "nothing to do": 2, "kept": 6},
    )
    assert done.partly == 2
    assert (held[ids[0]]["name"], held[ids[0]]["customAttributes"]) == ("By a person", {"tier": "gold"})
    assert (held[ids[1]]["name"], len(held[ids[1]]["emails"])) == ("Sample Person 1", 2)
    assert held[ids[2]]["customAttributes"] == {"tier": "platinum", "theirs": "y"}
    assert held[ids[4]]["customAttributes"] == {"tier": "gold"}
    assert ids[12] not in held
    codes = {line["gladly_id"]: line.get("code") for line in lines(Path(done.folder) / "undo.ndjson")}
    kept = {5: "changed_since", 6: "in_use", 7: "in_use", 8: "merged", 9: "changed_since", 11: "changed_since"}
    others = {0: "partly", 1: None, 2: "partly", 3: "gone", 4: None, 10: "gone", 12: None}
    assert [codes[ids[number]] for number in range(13)] == [(kept | others)[number] for number in range(13)]


async def test_updates_that_nobody_read_are_told_and_left(world: World) -> None:
    """No request for them, before or during the undo."""
    await world.rows(people(3))
    second = await world.rows([{**row, "name": "Changed"} for row in people(3)])
    before = profiles(world)
    world.forget()

    preview = preview_undo(run_of(world, second))
    done = await undo(world, second)

    assert (preview.counts.to_do, preview.counts.cannot) == (0, {"no_before": 3})
    assert (done.exit_code, done.outcomes, world.asked()) == (1, {"not possible": 3}, {})
    assert profiles(world) == before


async def test_a_later_run_has_to_be_undone_first(world: World) -> None:
    """Its fields count as changed since; once it is undone, they are as the earlier run left them."""
    first = await world.rows(people(3))
    original = profiles(world)
    second = await world.rows([{**row, "name": "Second"} for row in people(2)], read_first=True)
    third = await world.rows([{**row, "name": "Third", "address": "x"} for row in people(2)], read_first=True)

    kept = await undo(world, second)
    assert (kept.exit_code, kept.outcomes) == (1, {"kept": 2})
    assert f"undo {third.run} first" in kept.left[0].detail
    assert [command.split()[1:3] for command in kept.next_commands[:2]] == [["undo", third.run], ["undo", second.run]]
    assert (await undo(world, third)).outcomes == {"restored": 2}
    assert (await undo(world, second)).outcomes == {"restored": 2}
    assert profiles(world) == original
    assert (await undo(world, first)).outcomes == {"deleted": 3}
    assert not profiles(world)


def clock_set_back(world: World, report: Report | UndoReport) -> None:
    """Let a run seem to have worked a day before it did, by all that a clock has written."""
    folder = run_of(world, report).path
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        for table in ("writes", "records", "intents"):
            journal.execute(f"UPDATE {table} SET at = at - 86400")  # noqa: S608 - names of our own
    for name in ("run.json", "report.json"):
        found = orjson.loads((folder / name).read_bytes())
        found |= {key: "2001-01-01T00:00:00+00:00" for key in ("created_at", "started_at", "ended_at") if key in found}
        (folder / name).write_bytes(orjson.dumps(found))


async def test_a_clock_that_was_set_back_makes_no_later_run_an_earlier_one(world: World) -> None:
    """Neither a later import, nor an undo, nor what was imported after an undo."""
    first = await world.rows(people(2))
    original = profiles(world)
    second = await world.rows([{**row, "name": "Second"} for row in people(2)], read_first=True)
    third = await world.rows([{**row, "name": "Third"} for row in people(1)], read_first=True)
    clock_set_back(world, third)

    done = await undo(world, second)
    assert done.outcomes == {"kept": 1, "restored": 1}
    assert third.run in done.left[0].detail
    clock_set_back(world, await undo(world, third))
    clock_set_back(world, await undo(world, second))
    assert profiles(world) == original
    assert (preview_undo(run_of(world, second)).counts.objects, preview_undo(run_of(world, first)).counts.by_clock) == (
        0,
        0,
    )


async def test_without_the_turns_of_an_older_version_the_clock_counts_and_that_is_told(world: World) -> None:
    """Only of the objects that both runs have written."""
    first = await world.rows(people(3))
    second = await world.rows([{**row, "name": "Second"} for row in people(2)], read_first=True)
    without_notes(world, first, "DROP TABLE turns", "DELETE FROM meta WHERE name LIKE '%_turn'")

    preview = preview_undo(run_of(world, first))
    assert preview.counts.by_clock == 2
    told = next(line for line in cannot_text(preview.counts, preview.spec) if "clock" in line)
    assert told.startswith("2 customers were written by other runs, too; which run was later is known only by this")
    assert (await undo(world, first)).outcomes == {"kept": 2, "deleted": 1}
    assert (await undo(world, second)).outcomes == {"restored": 2}


async def test_what_a_later_run_added_to_a_new_customer_keeps_it(world: World) -> None:
    """The API cannot list activities of a customer, but the journals know of ours."""
    first = await world.rows(people(2))
    row = {"crm": "a-1", "customerKey": "c-0", "activityType": "ISSUE", "title": "Order"}
    second = await world.rows([row], resource="activities")

    kept = await undo(world, first)
    assert kept.outcomes == {"deleted": 1, "kept": 1}
    assert second.run in kept.left[0].detail
    assert (await undo(world, second)).outcomes == {"deleted": 1}
    assert (await undo(world, first)).outcomes == {"deleted": 1}


async def test_an_undo_of_what_is_undone_does_nothing(world: World) -> None:
    """It is known from the journal of the first undo, so that it cannot touch what was imported again since."""
    first = await world.rows(people(3))
    done = await undo(world, first)
    again = await world.rows(people(3))
    assert again.counts["created"] == 3
    world.forget()

    counts = preview_undo(run_of(world, first)).counts
    second = await undo(world, first)

    assert (counts.objects, counts.already, counts.undone_by) == (0, 3, (done.run,))
    assert (second.exit_code, second.outcomes, world.asked()) == (0, {}, {})
    assert len(profiles(world)) == 3
    with pytest.raises(UsageError, match="is an undo, which cannot be undone; import the file of run"):
        await undo(world, done)  # type: ignore[arg-type]


async def test_a_run_with_messages_to_people_is_refused(world: World) -> None:
    """Nothing is sent, and no run begins."""
    row = {"crm": "m-1", "from": "+12125550100", "mobileNumber": "+12125550199", "body": "Hello"}
    sent = await world.rows([row], resource="sms", contacts_people=True)
    runs = len(list((world.state / "runs").iterdir()))

    with pytest.raises(UsageError, match="has sent messages to people"):
        await undo(world, sent)

    assert len(list((world.state / "runs").iterdir())) == runs


async def test_a_limit_stops_an_undo_and_a_resume_ends_it(world: World) -> None:
    """And a second undo of the same run is refused in between."""
    first = await world.rows(people(6))
    stopped = await undo(world, first, max_rows=2)
    assert (stopped.status, stopped.exit_code, stopped.outcomes) == ("stopped", 10, {"deleted": 2, "unprocessed": 4})

    with pytest.raises(UnfinishedRun, match=f"is not finished; continue it with `bulkgladly resume {stopped.run}"):
        await undo(world, first)
    run = run_of(world, stopped)
    done = await resume_undo(
        run, world.credentials, change=lambda stored: replace(stored, limits=Limits()), environment=world.environment
    )

    check(done)
    assert (done.status, done.exit_code, done.outcomes) == ("complete", 0, {"deleted": 6})
    assert count_by_word(run.path) == {"deleted": 6}
    assert not profiles(world)


async def test_a_run_that_was_taken_back_is_not_resumed_and_the_same_files_may_be_imported_again(world: World) -> None:
    """A resume would send the rest only, and say that all is done."""
    path = world.csv(people(5))
    stopped = await world.run(path, canary=2)
    assert (await undo(world, stopped)).outcomes == {"deleted": 2}

    with pytest.raises(
        TakenBackRun, match=r"took back 2 records of run .*, which a resume would not send again; import"
    ):
        await world.resume(run_of(world, stopped))
    again = await world.run(path, new_run=False)

    assert (again.status, again.counts["created"], len(profiles(world))) == ("complete", 5, 5)
    assert (await undo(world, stopped)).outcomes == {}


async def test_a_run_whose_requests_may_be_in_flight_is_refused(world: World) -> None:
    """Only a resume can find out what it has changed."""
    first = await world.rows(people(2))
    run = run_of(world, first)
    with closing(sqlite3.connect(run.path / "journal.sqlite")) as journal, journal:
        journal.execute("DELETE FROM records WHERE seq = 1")

    with pytest.raises(UsageError, match="was killed while requests were in flight, so it is not known"):
        await undo(world, first)

    assert len(profiles(world)) == 2


async def test_a_new_customer_whom_somebody_has_deleted_is_sent_again(world: World) -> None:
    """The undo had nothing to do for it, but it is taken back all the same."""
    first = await world.rows(people(2))
    world.emulator.store.remove_customer(customer_of(world, 0))

    assert (await undo(world, first)).outcomes == {"deleted": 1, "nothing to do": 1}
    assert (await world.rows(people(2))).counts["created"] == 2


async def test_all_requests_are_within_what_was_said(world: World) -> None:
    """Also the one that asks which organisation it is."""
    first = await world.rows(people(2))
    counts = preview_undo(run_of(world, first)).counts
    world.forget()

    await undo(world, first)

    assert counts.least <= sum(world.emulator.requests.by_operation.values()) <= counts.requests


def without_notes(world: World, report: Report, *statements: str) -> None:
    """Let a journal be one that an older version has begun."""
    with closing(sqlite3.connect(run_of(world, report).path / "journal.sqlite")) as journal, journal:
        for statement in statements:
            journal.execute(statement)


async def test_what_an_older_version_has_written_is_told_and_left(world: World) -> None:
    """It did not note what it changed; an undo does not say that there is nothing to do."""
    whole = await world.rows(people(2))
    mixed = await world.rows([{**row, "name": "Changed"} for row in people(3)], read_first=True)
    without_notes(world, whole, "DROP TABLE writes", "DROP TABLE trails")
    without_notes(world, mixed, "DELETE FROM writes WHERE seq = 0")  # begun by an older version, ended by this one
    world.forget()

    none = await undo(world, whole)
    assert (none.exit_code, none.outcomes, world.asked()) == (1, {"not possible": 2}, {})
    assert (none.left[0].code, "older version" in none.left[0].detail) == ("not_noted", True)
    some = await undo(world, mixed)
    assert (some.exit_code, some.outcomes) == (1, {"restored": 1, "deleted": 1, "not possible": 1})
    assert (await undo(world, mixed)).outcomes == {"not possible": 1}
