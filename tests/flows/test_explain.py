"""`explain`: the story of one record, whatever became of it, and whatever is left of its run."""

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bulkgladly import Credentials, Report, RunFolder, UsageError
from bulkgladly.emulator import Emulator, drop_reply
from bulkgladly.errors import JournalDamaged
from bulkgladly.explanations.explain_columns import cut, wrapped
from bulkgladly.explanations.explain_lines import few_stories, story_lines
from bulkgladly.explanations.explain_run import Explained, NowAsked, explain_record
from bulkgladly.explanations.record_story import PENDING, RecordStory, StoryDropped, StoryField, StoryRequest
from bulkgladly.gladly.identity import digest64
from bulkgladly.imports.mapping_choice import choose_mapping
from bulkgladly.journal.entries import Admission, Intent
from bulkgladly.journal.ledger import Ledger
from bulkgladly.plans.apply_checks import run_of_plan
from bulkgladly.records import Claim, Position
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.session import Terms
from bulkgladly.shown import shown
from bulkgladly.undo.run_undo import start_undo
from bulkgladly.undo.undo_options import UndoOptions
from bulkgladly.verification.verify_options import VerifyOptions
from bulkgladly.verification.verify_run import verify_run
from tests.flows.conftest import World, people, person
from tests.flows.planning import apply
from tests.flows.planning import plan as planned
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.quickly import HASTY, QUICK, start_import
from tests.flows.serving import served

OFFLINE = NowAsked(None, "")


async def explained(world: World, run: Report | RunFolder, text: str, **more: Any) -> Explained:
    folder = run if isinstance(run, RunFolder) else RunFolder(Path(run.folder))
    asked = more.pop("asked", NowAsked(world.credentials))
    found = await explain_record(folder, text, asked=asked, environment=more.pop("environment", QUICK), **more)
    for story in found.stories:
        for width in (60, 80, 140):
            lines = story_lines(story, width=width)
            assert len(lines) <= 23
            assert max(map(cell_len, lines)) <= width
    return found


async def story_of(world: World, run: Report | RunFolder, text: str, **more: Any) -> RecordStory:
    [story] = (await explained(world, run, text, **more)).stories
    return story


def screen(story: RecordStory, width: int = 200) -> str:
    return "\n".join(story_lines(story, width=width))


# --- how records end ---


async def test_a_create_an_update_and_a_row_that_was_not_sent(world: World) -> None:
    """Each says what was known before, what was sent, what was written, and why; one request asks what is there."""
    first = await world.rows(people(2))
    second = await world.rows([person(0, name="Changed"), person(1)])

    made = await story_of(world, first, "c-0")
    changed = await story_of(world, second, "c-0")
    world.forget()
    same = await story_of(world, second, "row:2")

    assert world.asked() == {"getCustomer": 1}
    assert made.decision == "No run before this one knew the key, so it was created with one request."
    assert [(one.operation, one.status, one.meant) for one in made.requests] == [("createCustomer", 201, "done")]
    assert (made.key, made.key_from, made.id_from) == ("c-0", "column crm", "derived from the key")
    assert (made.claims, same.claims) == ([], ["key", "email 1"])  # the file of the first run is gone
    assert made.now == "Gladly holds something else; it was changed since, or the row was not written:"
    assert [one.field for one in made.now_differs] == ["name"]
    assert first.run in changed.known_before
    assert (
        changed.decision
        == f"Run {first.run} knew the key; what had changed in name was written without reading it first."
    )
    assert [(one.field, one.from_, one.before) for one in changed.written] == [("name", "updateCustomer", "?")]
    assert same.decision == f"Gladly had accepted the same content in run {first.run}, so nothing was sent."
    assert (same.requests_note, same.now) == ("none were needed", "Gladly holds what the row says")


async def test_a_clock_that_was_set_back_hides_no_earlier_run(world: World) -> None:
    """The turns of the state say which run knew the key before, whatever their times are."""
    first = await world.rows(people(1))
    with sqlite3.connect(Path(first.folder) / "journal.sqlite") as journal:  # it seems to have worked tomorrow
        journal.execute("UPDATE records SET at = at + 86400")
    journal.close()
    header = Path(first.folder) / "run.json"
    header.write_text(header.read_text("utf-8").replace('"created_at": "20', '"created_at": "21'), "utf-8")
    second = await world.rows([{**people(1)[0], "name": "New"}])

    told = await story_of(world, second, "c-0")
    written = "what had changed in name was written without reading it first"
    assert told.decision == f"Run {first.run} knew the key; {written}."
    assert "No run before this one knew the key" in str((await story_of(world, first, "c-0")).decision)


async def test_what_was_read_first_is_told_with_what_it_held(world: World) -> None:
    """The fields before and after, masked, and as they are on demand."""
    await world.rows([person(0, **{"customAttribute:tier": "gold"})])
    report = await world.rows([person(0, name="New Name", **{"customAttribute:tier": "silver"})], read_first=True)

    masked = await story_of(world, report, "c-0", asked=OFFLINE)
    shown = await story_of(world, report, "c-0", asked=OFFLINE, show_values=True)

    assert "the object was read first, differed in name, customAttributes, and only that was written" in masked.decision
    assert [one.meant for one in masked.requests] == ["read", "done"]
    assert [tuple(one) for one in masked.written] == [
        ("name", "updateCustomer", '"Aaaaaa Aaaaaa 9"', '"Aaa Aaaa"'),
        ("customAttributes.tier", "updateCustomer", '"aaaa"', '"aaaaaa"'),
    ]
    assert shown.written[1][2:] == ('"gold"', '"silver"')
    assert "updateCustomer HTTP 204: done" in screen(shown) or "updateCustomer HTTP 200: done" in screen(shown)


async def test_a_record_that_was_taken_back_says_so(world: World) -> None:
    """By which undo, or why not; and the undo itself says what it did."""
    await world.rows([person(0), person(2)])
    report = await world.rows([person(number, name="Planted") for number in range(3)], read_first=True)
    [held] = world.emulator.store.find_by_email("person.2@example.org")
    world.emulator.store.replace_customer({**held, "name": "By a person"})
    before = await story_of(world, report, "c-0")
    options = UndoOptions(run=report.run, pace=world.options.pace, state_dir=world.state)
    folder = RunFolder(Path(report.folder))
    done = await start_undo(folder, world.credentials, options, environment=world.environment)

    told = {key: await story_of(world, report, key) for key in ("c-0", "c-1", "c-2")}
    ours = await story_of(world, RunFolder(Path(done.folder)), "c-1")

    assert before.undone == ""
    assert told["c-0"].undone.startswith(f"taken back by run {done.run} at ")
    assert "its former values were restored" in told["c-0"].undone
    assert "it was deleted" in told["c-1"].undone
    assert f"run {done.run} has kept it at " in told["c-2"].undone
    [by_row] = (await explained(world, RunFolder(Path(done.folder)), "customers.ndjson:2")).stories
    assert (by_row.place, by_row.key) == ("customers.ndjson:2", "c-1")
    assert "\nundone    taken back by run" in screen(told["c-0"])
    assert ours.decision.startswith("The undo deleted it, because the run had created it")
    assert report.run in ours.row_note
    assert "lanted" not in repr(told)


async def test_no_personal_value_is_told_without_being_asked_for(world: World) -> None:
    """Neither of the row, nor of what was written, nor of what Gladly holds; not in JSON either."""
    await world.rows([person(0, name="Planted Name")])
    report = await world.rows([person(0, name="Planted Other"), person(1, **{"email:1": "planted-nobody"})])

    stories = [await story_of(world, report, text) for text in ("c-0", "c-1")]

    for story in stories:
        assert "lanted" not in repr(asdict(story))


async def test_a_rejected_row_says_why_and_how_to_fix_it(world: World) -> None:
    """By its key or its line; the row is from the journal if the file has changed."""
    report = await world.rows([person(0), person(1, **{"email:1": "nobody"})])
    world.ndjson(people(1))

    story = await story_of(world, report, "2")

    assert (story.outcome, story.code, story.key) == ("rejected", "invalid_email", "c-1")
    assert story.decision == "Nothing was sent: the email address is not valid."
    assert story.fix.startswith("correct the address")
    assert story.row_note == "customers.ndjson has changed since the run began; this row is from the journal"
    assert story.row["email:1"] == '"aaaaaa"'
    assert story.now == "not asked: the record has no id in Gladly"


async def test_an_address_of_another_row_is_told_with_its_place(world: World) -> None:
    """What is claimed, and who holds it."""
    report = await world.rows([person(0), person(1, **{"email:1": "person.0@example.org"})])

    story = await story_of(world, report, "c-1")

    assert story.claims == ["key", "email 1 (held by customers.ndjson:1)"]
    assert "another row has the same email or phone" in story.decision


async def test_a_key_that_came_twice_has_two_stories(world: World) -> None:
    """They are listed, and one of them is chosen."""
    report = await world.rows([person(0), person(0, name="Other")])

    both = await explained(world, report, "c-0")
    second = await story_of(world, report, "c-0", nth=2)

    assert [one.outcome for one in both.stories] == ["created", "rejected"]
    assert few_stories(both.stories, 20)[1].split() == ["2", "rejected", "customers.ndjson:2", "c-0"]
    assert second.code == "duplicate_key"
    with pytest.raises(UsageError, match="--record 3: c-0 has 2 records; choose from 1 to 2"):
        await explained(world, report, "c-0", nth=3)


async def test_an_equal_row_of_the_same_run_is_not_sent_again(world: World) -> None:
    """The story names the row that was sent."""
    report = await world.rows([person(0), person(0)])

    story = await story_of(world, report, "2")

    assert story.decision == "The row at customers.ndjson:1 has the same key and content, so nothing was sent again."


async def test_a_lost_response_is_told_as_what_it_was(world: World) -> None:
    """A create whose reply was lost, and the look that settled it."""
    world.emulator.faults.script("createCustomer", [drop_reply()])

    report = await world.rows([person(0)])
    story = await story_of(world, report, "c-0")

    assert story.outcome == "created"
    assert [one.operation for one in story.requests] == ["createCustomer", "getCustomer"]
    assert story.requests[0].attempts == 2
    assert "a lookup in Gladly showed that it was created" in story.decision


async def test_a_deletion_and_what_is_left(world: World) -> None:
    """Gladly does not have it any more; the run that created it knew it."""
    await world.rows([person(0)])
    report = await world.rows([{"crm": "c-0"}], mode="delete")

    story = await story_of(world, report, "c-0")

    assert story.outcome == "deleted"
    assert story.decision == "The run deletes the objects of its rows, and Gladly has deleted this one."
    assert story.now == "Gladly does not have the object"


# --- what Gladly holds now ---


async def test_edits_merges_and_deletions_since_are_told(world: World) -> None:
    """What differs is named; what is gone is gone; what was merged is somewhere else."""
    report = await world.rows(people(3))
    ids = [(await story_of(world, report, f"c-{n}", asked=OFFLINE)).gladly_id for n in range(3)]
    world.emulator.store.customers[ids[0]]["name"] = "Edited"
    del world.emulator.store.customers[ids[1]]
    world.emulator.add_customer(id="heir", name="Sample Person 2")
    world.emulator.store.merge(ids[2], "heir")

    edited, gone, merged = [await story_of(world, report, one) for one in ids]

    assert [(one.field, one.before, one.after) for one in edited.now_differs] == [
        ("name", '"Aaaaaa"', '"Aaaaaa Aaaaaa 9"')
    ]
    assert gone.now == "Gladly does not have the object"
    assert "merged into heir" in merged.now


async def test_what_gladly_holds_is_compared_as_verify_does(world: World) -> None:
    """With `--on-conflict merge` what Gladly held before is no difference; what is too much in a list is told alone."""
    emails = [{"original": "theirs@example.org"}]
    world.emulator.add_customer(id="theirs", name="Theirs", emails=emails)
    merged = await world.rows([{"crm": "m", "name": "Ours", "emails": emails}], on_conflict="merge")
    assert (await story_of(world, merged, "m")).now == "Gladly holds what the row says"

    owned = await world.rows(
        [{"crm": "o", "name": "Own", "emails": [{"original": "own@example.org"}]}], owners=(("emails", "source"),)
    )
    gladly_id = (await story_of(world, owned, "o", asked=OFFLINE)).gladly_id
    world.emulator.store.customers[gladly_id]["emails"].append({"original": "more@example.org"})
    story = await story_of(world, owned, "o", show_values=True)

    assert [(one.field, one.before, one.after) for one in story.now_differs] == [
        ("emails", '"more@example.org"', "nothing")
    ]


@pytest.mark.parametrize(
    ("credentials", "told"),
    [
        (None, "not asked: no credentials"),
        (Credentials("https://other.gladly.com", "a", "b"), "not asked: the run is of http://127.0.0.1"),
        (Credentials("http://127.0.0.1:9", "a", "b"), "not asked: the run is of"),
    ],
)
async def test_without_a_way_to_ask_the_rest_is_told(credentials: Credentials | None, told: str, world: World) -> None:
    """No credentials, or those of another organisation."""
    report = await world.rows([person(0)])
    why_not = "" if credentials else "not asked: no credentials"

    story = await story_of(world, report, "c-0", asked=NowAsked(credentials, why_not))

    assert story.now.startswith(told)
    assert story.outcome == "created"


async def test_an_outage_leaves_the_rest_of_the_story(world: World) -> None:
    """Gladly cannot be asked; that is told in its place."""
    report = await world.rows([person(0)])
    await world.emulator.stop()

    story = await story_of(world, report, "c-0", environment=HASTY)

    assert story.now.startswith("Gladly could not be asked: ")
    assert story.outcome == "created"


async def test_objects_that_refer_to_others_are_compared_by_what_was_written(world: World) -> None:
    """The names in a row stand for ids, which the journal has."""
    task = {
        "crm": "t-1",
        "customerEmail": "a@example.org",
        "inbox": "General",
        "body": "Call",
        "dueAt": "2050-01-31T09:00:00Z",
    }
    report = await world.rows([task], resource="tasks")
    story = await story_of(world, report, "t-1")

    assert (story.object, story.outcome, story.now) == ("tasks", "created", "Gladly holds what the row says")


async def test_a_create_in_two_requests_is_no_look(world: World) -> None:
    """A closed task is created and then closed; nobody has looked it up before."""
    task = {
        "crm": "t-2",
        "customerEmail": "b@example.org",
        "inbox": "General",
        "body": "Call",
        "dueAt": "2050-01-31T09:00:00Z",
        "status": "CLOSED",
    }
    report = await world.rows([task], resource="tasks")
    story = await story_of(world, report, "t-2", asked=OFFLINE)

    assert [one.operation for one in story.requests] == ["createTaskAndCustomer", "updateTask"]
    assert "so it was created; what a create cannot set took another request" in story.decision


# --- mappings ---


async def test_a_mapping_and_what_it_left_out(world: World) -> None:
    """What the columns became, what only has another name, and the value that was dropped, with the reason."""
    path = world.csv([{"No": "5001", "Who": " ada ashby ", "Mail": "ada@example.org", "Phone": "ask Jon"}])
    mapping = world.folder / "map.toml"
    mapping.write_text(
        'version = 1\nto = "customers"\nkey = "No"\n[fields]\n"email:1" = "Mail"\n'
        'name = { from = "Who", trim = true }\n"phone:1" = { from = "Phone", on_error = "drop" }\n',
        "utf-8",
    )
    report = await world.run(path, mapping=choose_mapping(mapping, None), key=None)

    story = await story_of(world, report, "5001", show_values=True)

    assert (story.key_from, story.outcome) == ("the key of the mapping", "created")
    assert ("name", "Who", '" ada ashby "', '"ada ashby"') in [tuple(one) for one in story.made]
    assert [(one.field, one.from_, one.reason) for one in story.dropped] == [
        ("phone:1", "Phone", "the phone number is not valid")
    ]
    assert "phone:1 <- Phone" in screen(story)


async def test_a_row_of_several_records_is_listed(world: World) -> None:
    """By its line all of them, by a key one."""
    path = world.ndjson([{"No": "1", "people": [{"mail": "a@example.org"}, {"mail": "b@example.org"}]}], "rows.ndjson")
    mapping = world.folder / "map.toml"
    mapping.write_text(
        'version = 1\nto = "customers"\nkey = "No"\n[each]\nof = "people"\nas = "p"\n'
        '[fields]\n"email:1" = { path = "p.mail" }\n',
        "utf-8",
    )
    options = replace(world.options, key=None, mapping=choose_mapping(mapping, None))
    report = await start_import("customers", [str(path)], world.credentials, options)

    both = await explained(world, report, "rows.ndjson:1")
    second = await story_of(world, report, both.stories[1].key)

    assert [one.key for one in both.stories] == ["1#1", "1#2"]
    assert second.part == "record 2 of 2 of its row"
    assert second.made[0].field == "email:1"


# --- not found, not reached, not ended ---


async def test_a_verification_has_no_story_and_names_the_run_that_has(world: World) -> None:
    """It is not said that the row was not reached."""
    report = await world.rows([person(0)])
    chosen = VerifyOptions(pace=world.options.pace, state_dir=world.state)
    terms = Terms(world.credentials, Observer(), environment=world.environment)
    verified = await verify_run(world.last_run(), chosen, terms)

    with pytest.raises(UsageError, match=rf"is a verification.*: `bulkgladly explain {report.run} customers.ndjson:1 "):
        await explained(world, RunFolder(Path(verified.folder)), "customers.ndjson:1")


async def test_a_near_key_that_is_an_address_is_not_told(world: World) -> None:
    """Neither an email nor a phone number: the row is named in its place, and the key line is masked."""
    rows = [{"crm": "ada@example.org", "name": "Ada"}, {"crm": "+1 650 555 0100", "name": "Bo"}]
    report = await world.rows(rows)

    for text, place in (("ade@example.org", "customers.ndjson:1"), ("+1 650 555 0101", "customers.ndjson:2")):
        with pytest.raises(UsageError, match=rf"did you mean {place}\? Otherwise") as refused:
            await explained(world, report, text)
        assert not any(row["crm"] in str(refused.value) for row in rows)
    assert (await story_of(world, report, "+1 650 555 0100", asked=OFFLINE)).key == "+9 999 999 9999"


async def test_a_wrong_name_gets_a_near_one(world: World) -> None:
    """And how to name a row; an unknown file, a line without a row."""
    report = await world.rows([person(1042), person(7)])

    for text, told in (
        ("c-1024", r"; did you mean 'c-1042'\? Otherwise name a row as customers\.ndjson:2"),
        ("nothing like it", "name a row as customers.ndjson:2, or give a source key or an id of Gladly"),
        ("3", "has no row that begins at customers.ndjson:3; the nearest row begins at line 2"),
        ("row:other.csv:1", "has no input"),
        ("id:c-7", "has no record with the key or id 'c-7'"),
    ):
        with pytest.raises(UsageError, match=told):
            await explained(world, report, text)


async def test_a_number_may_be_a_row_and_a_key(world: World) -> None:
    """The row is told, and how to name the other; the prefixes leave no choice."""
    report = await world.rows([{**person(0), "crm": "2"}, {**person(1), "crm": "9"}])

    found = await explained(world, report, "2")

    assert (found.stories[0].key, found.note.startswith("key 2 is another record: bulkgladly explain")) == ("9", True)
    assert (await story_of(world, report, "key:2")).place == "customers.ndjson:1"
    assert (await story_of(world, report, "9")).place == "customers.ndjson:2"


async def test_a_number_of_any_length_is_a_row_a_key_or_nothing(world: World) -> None:
    """Longer ones than a journal can hold are keys, and digits of other scripts are texts."""
    report = await world.rows([person(0, crm="9" * 40), person(1)])

    assert (await story_of(world, report, "9" * 40, asked=OFFLINE)).key == "9" * 40
    for text in ("9" * 41, "9" * 5000, "row:" + "9" * 30, f"{report.inputs[0]}:{'9' * 30}", "\uff12"):
        with pytest.raises(UsageError, match="has no"):
            await explained(world, report, text, asked=OFFLINE)


async def test_a_planned_record_is_found_by_its_key(world: World) -> None:
    """A plan notes no keys with its records; the values are told one after the other, although both have one form."""
    await world.rows([person(0, name="Ada Ashby")])
    await planned(world, [person(0, name="Zoe Ashby"), person(1)], live=True)
    run = world.last_run()

    update, create = [await story_of(world, run, key, asked=OFFLINE) for key in ("c-0", "c-1")]

    assert (update.outcome, create.outcome) == ("to update", "to create")
    assert 'planned   name: "Aaa Aaaaa" -> "Aaa Aaaaa"' in screen(update)


async def test_the_folder_of_a_plan_stands_for_its_run(world: World) -> None:
    """For the one that has applied it, else for the one that made it; a plan without requests has none."""
    await world.rows([person(0)])
    await planned(world, [person(0, name="Zoe Ashby")], "live.plan", live=True)
    made = world.last_run().name
    await planned(world, [person(0, name="Zoe Ashby")], "offline.plan")
    live, offline = world.folder / "live.plan", world.folder / "offline.plan"

    before = run_of_plan(live, world.state)
    none = run_of_plan(offline, world.state)
    applied = await apply(world, "live.plan")
    after = run_of_plan(live, world.state)

    assert (before and before.name, none, after and after.name) == (made, None, applied.run)


async def test_a_row_that_was_not_reached_says_how_far_the_run_is(world: World) -> None:
    """With the command that goes on."""
    report = await world.rows(people(5), max_rows=2)

    with pytest.raises(
        UsageError, match=r"customers\.ndjson:4 was not reached: .* is stopped and has got to .*:2; continue"
    ):
        await explained(world, report, "4")


async def test_a_record_that_has_not_ended_tells_its_story_so_far(world: World) -> None:
    """By its key or its row: the request that was about to leave. The run that works on it is not held up."""
    run = RunFolder(Path((await world.rows([person(0)])).folder))
    ledger = Ledger(run.path, state=world.state / "state.sqlite", scope=(world.emulator.url, "customers", "default"))
    await ledger.admit([Admission(7, Position(0, 0, 8), "c-7", 1, (Claim("key", digest64("key", "c-7")),))])
    await ledger.intend([Intent(7, "an-id", "createCustomer")])

    by_key, by_row = [await story_of(world, run, text) for text in ("c-7", "row:8")]
    ledger.close()

    assert by_key == by_row
    assert (by_key.outcome, by_key.gladly_id) == (PENDING, "an-id")
    assert by_key.decision.startswith("At ")
    assert " createCustomer was about to leave; its outcome is not known yet; the run is " in by_key.decision
    assert by_key.now == "Gladly does not have the object"
    assert "not ended yet" in screen(by_key)


# --- what is left of a run ---


async def test_without_the_input_the_journal_still_tells(world: World) -> None:
    """Key, id, requests, writes, decision."""
    report = await world.rows([person(0)])
    (world.folder / "customers.ndjson").unlink()

    story = await story_of(world, report, "c-0")

    assert (story.row_note, story.row) == ("customers.ndjson is gone", {})
    assert [one.field for one in story.written] == ["name", "emails"]
    assert story.now == "Gladly holds what the row says"


async def test_a_run_of_an_older_version_has_no_requests_to_tell(world: World) -> None:
    """Their number is known, and that they were not kept."""
    report = await world.rows([person(0)])
    with sqlite3.connect(Path(report.folder) / "journal.sqlite") as connection:
        connection.execute("DROP TABLE trails")
        connection.execute("DROP TABLE writes")
    connection.close()

    story = await story_of(world, report, "c-0")

    assert (story.requests_note, story.written) == ("1 sent; this run did not keep them", [])
    assert story.outcome == "created"


async def test_a_run_of_another_kind_tells_what_its_tables_hold(world: World) -> None:
    """A verb that keeps its records in the same journal, with options of its own."""
    run = RunFolder(Path((await world.rows([person(0)])).folder))
    header = run.header()
    run.write_header(replace(header, mode="undo", settings={"of": "a run"}))

    story = await story_of(world, run, "c-0")

    assert story.decision == "The run (undo) ended it as created."
    assert [one.operation for one in story.requests] == ["createCustomer"]


async def test_a_damaged_journal_is_named(world: World) -> None:
    """It cannot be read, and the message says what to do."""
    report = await world.rows([person(0)])
    (Path(report.folder) / "journal.sqlite").write_bytes(b"x" * 4096)

    with pytest.raises(JournalDamaged, match=r"journal\.sqlite"):
        await explained(world, report, "c-0")


def test_what_is_wide_or_harmful_fits_the_screen() -> None:
    """Wide letters take two columns, and what a terminal obeys is longer when it is escaped; nothing is obeyed."""
    wide, harmful = "\u6f22\u5b57" * 60 + "\U0001f600" * 50, " \x1b[2J\r\n" * 9
    odd = wide + harmful + "\u202e\u05e9\u05dc\u05d5\u05dd" * 20 + "e\u0301" * 90
    field = StoryField(odd, odd, odd, odd)
    story = RecordStory(
        run="a-run",
        object="customers",
        mode="upsert",
        place=odd,
        key=odd,
        gladly_id=odd,
        detail=odd,
        decision=odd,
        fix=odd,
        now=odd,
        row={odd: odd},
        made=[field],
        written=[field],
        dropped=[StoryDropped(odd, odd, odd, "code", odd, odd)],
        requests=[StoryRequest("2026-11-27 20:00:00", odd, 200, [odd], 1, odd)],
        now_differs=[field],
    )
    for width in (60, 80, 140):
        for line in (*story_lines(story, width=width), *few_stories([story], 5, width=width)):
            assert cell_len(line) <= width
            assert line.isprintable()


@given(text=st.text(st.sampled_from("ab \u6f22\u0301\x1b\u202e\U0001f600-"), max_size=60), width=st.integers(8, 40))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    """As a terminal counts; spaces between words are all that may go."""
    lines = wrapped(text, width)

    assert all(0 < cell_len(line) <= width or not cell_len(line) for line in lines)
    assert "".join("".join(lines).split()) == "".join(shown(text).split())
    assert cell_len(cut(text, width)) <= width


def test_a_story_of_many_columns_fits_one_screen(world: World) -> None:
    """What is many is counted; what says why is never cut away."""
    del world
    story = RecordStory(
        "a-run",
        "customers",
        "upsert",
        "customers.csv:17",
        row={f"column {n}": "x" * 30 for n in range(60)},
        claims=[f"email {n}" for n in range(40)],
        decision="why " * 20,
        fix="fix " * 20,
        outcome="rejected",
        detail="said " * 30,
    )

    lines = story_lines(story)

    assert len(lines) <= 23
    assert any(line.startswith("fix ") for line in lines)
    assert any(line.startswith("why ") for line in lines)


# --- the command ---


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None, seed_customers=2)) as running:
        yield running


@pytest.fixture
def program(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    rows = f"crm_id,name,email:1\nCRM-1,Ada Ashby,{tmp_path.name}@example.org\nCRM-2,Ben Birch,nobody\n"
    (tmp_path / "customers.csv").write_text(rows, "utf-8")
    return heard(program_in(tmp_path, monkeypatch, emulator), capsys)


def test_the_command_tells_a_story(program: HeardProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a run the newest import, also after a verification; 2 if there is nothing to tell; the rest on stderr."""
    nothing = program("explain", "CRM-1")
    program("import", "customers", "customers.csv", "--key", "crm_id")
    program("verify", "customers-upsert")
    story = program("explain", "customers-upsert", "customers.csv:2")
    as_json = program("explain", "CRM-2", "--json", "--offline")
    wrong = program("explain", "CRM-3")
    monkeypatch.delenv("GLADLY_HOST")
    alone = program("explain", "CRM-1")

    assert (nothing.code, "there are no runs in" in nothing.err) == (2, True)
    assert (story.code, "now       Gladly holds what the row says" in story.out) == (0, True)
    assert "Values are masked" in story.err
    assert '"code": "invalid_email"' in as_json.out
    assert (wrong.code, "did you mean 'CRM-1'?" in wrong.err or "did you mean 'CRM-2'?" in wrong.err) == (2, True)
    assert (alone.code, "not asked: no credentials; set GLADLY_HOST" in alone.out) == (0, True)


def test_an_export_tells_of_its_downloads(program: HeardProgram) -> None:
    """By data set or name; a key gets the names that there are."""
    program("export", "agents-list", "inboxes", "--out", "lake")

    unit = program("explain", "inboxes")
    wrong = program("explain", "CRM-1")

    assert (unit.code, "inboxes/" in unit.out, ": done" in unit.out) == (0, True, True)
    assert (wrong.code, "moves no rows into Gladly" in wrong.err) == (2, True)
    program("import", "customers", "customers.csv", "--key", "crm_id")
    instead = program("explain", "export_", "CRM-1")
    assert "the newest import has sent: `bulkgladly explain customers-upsert_" in instead.err


def test_a_plan_and_words_in_the_wrong_order_are_understood(program: HeardProgram) -> None:
    """The folder of a plan stands for its run; if there is none, or the run comes last, the message has the fix."""
    program("import", "customers", "customers.csv", "--key", "crm_id")
    Path("customers.csv").write_text(Path("customers.csv").read_text("utf-8").replace("CRM-2", "CRM-9"), "utf-8")
    program("plan", "customers", "customers.csv", "--key", "crm_id", "--out", "offline.plan")
    program("plan", "customers", "customers.csv", "--key", "crm_id", "--out", "live.plan", "--live")

    told = program("explain", "live.plan", "customers.csv:3", "--offline")
    alone = program("explain", "offline.plan", "customers.csv:3")
    turned = program("explain", "CRM-1", "customers-upsert")

    assert (told.code, "of run customers-plan_" in told.out) == (0, True)
    assert (alone.code, "not applied yet, so no run tells of it; each change is in offline.plan" in alone.err) == (
        2,
        True,
    )
    assert (turned.code, "`bulkgladly explain customers-upsert CRM-1`" in turned.err) == (2, True)
