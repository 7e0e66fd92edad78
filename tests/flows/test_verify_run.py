"""Verifying: what Gladly holds is compared with what was sent, field by field, and nothing is written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow.parquet as pq
import pytest

from bulkgladly import Limits, Pace, RunFolder
from bulkgladly.emulator.faults.fault import Fault, drop_reply, reset
from bulkgladly.emulator.faults.fault_catalogue import CATALOGUE
from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.imports.mapping_choice import choose_mapping
from bulkgladly.journal.runs import newest_import
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.session import Terms
from bulkgladly.verification.verify_options import VerifyOptions
from bulkgladly.verification.verify_page import DifferingField, detail_lines
from bulkgladly.verification.verify_run import resume_verify, verify_files, verify_plan, verify_run
from bulkgladly.verification.verify_summary import VerifyReport
from tests.flows.conftest import World, people, person
from tests.flows.planning import edit
from tests.flows.planning import plan as planned
from tests.flows.quickly import start_import
from tests.flows.test_import_objects import forget_state, task
from tests.flows.test_import_objects_kills import KINDS, rows_of
from tests.flows.verifying import chosen, terms, verified

LEFT_OUT = "not compared, because Gladly sets it itself or never shows it"


class Noting(Observer):
    """Keeps the notes of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


ADA = {
    "name": "Ada Ashby",
    "address": "1 Test Lane",
    "emails": [{"original": "ada@example.org"}],
    "phones": [{"original": "+16505550100", "type": "MOBILE"}],
    "customAttributes": {"tier": "gold"},
}


def persons(count: int) -> list[dict[str, Any]]:
    """Customers with everything that a profile can have."""
    return [
        {
            **ADA,
            "crm": f"k-{n}",
            "emails": [{"original": f"ada{n}@example.org"}],
            "phones": [{"original": f"+1650555010{n}", "type": "MOBILE"}],
        }
        for n in range(count)
    ]


async def compared(world: World, rows: list[dict[str, Any]], resource: str = "customers", **more: Any) -> VerifyReport:
    """Verify a file."""
    mine = chosen(world, sample=more.pop("sample", None))
    path = world.ndjson(rows, name="rows.ndjson")
    report = await verify_files(resource, [path], world.choose(more), terms(world), chosen=mine)
    assert report.adds_up, report.counts
    return report


def table(report: VerifyReport) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(Path(report.folder) / "verify.parquet").to_pylist()
    return found


def differences(report: VerifyReport) -> dict[str, list[str]]:
    """The word and the fields of each row that is not equal, by its key."""
    return {
        row["key"]: [row["word"], *(field["field"] for field in row["fields"])]
        for row in table(report)
        if row["word"] != "equal"
    }


def words(report: VerifyReport) -> Counter[str]:
    return Counter(row["word"] for row in table(report))


# --- what is found ---


async def test_after_a_run_everything_is_equal(world: World) -> None:
    """One request for each row that was sent, none for one that was rejected; nothing is written."""
    await world.rows([*persons(5), {"crm": "bad", "emails": [{"original": "nobody"}]}])
    world.forget()

    report = await verified(world)

    assert world.asked() == {"getCustomer": 5}
    assert (report.status, report.exit_code, report.differing) == ("complete", 0, 0)
    assert (report.counts["equal"], report.counts["not_sent"], report.counts["read"]) == (5, 1, 6)
    assert [(row["line"], row["key"], row["word"]) for row in table(report)][-1] == (6, None, "not_sent")


async def test_ten_planted_differences_are_found_and_nothing_else(world: World) -> None:
    """Ten kinds, in customers, tasks and topics; what people have added is no difference."""
    store = world.emulator.store
    customers = await world.run(world.ndjson(persons(10), "people.ndjson"))
    ids = {row["key"]: row["gladly_id"] for row in world.result(customers, "success")}
    run_of_customers = world.last_run()
    world.emulator.add_customer(id="ada", name="Ada Sample", emails=[{"original": "sample@example.org"}])
    await world.run(world.ndjson([task(n, status="OPEN") for n in range(3)], "tasks.ndjson"), resource="tasks")
    run_of_tasks = world.last_run()
    rows = [{"crm": f"p-{n}", "name": f"Topic {n}"} for n in range(3)]
    topics = await world.run(world.ndjson(rows, "topics.ndjson"), resource="topics")
    topic_ids = {row["key"]: row["gladly_id"] for row in world.result(topics, "success")}
    run_of_topics = world.last_run()

    def change(key: str, **fields: Any) -> None:
        store.replace_customer({**store.customers[ids[key]], **fields})

    change("k-0", name="Somebody Else")
    change("k-1", emails=[])
    change("k-2", phones=[{**store.customers[ids["k-2"]]["phones"][0], "type": "HOME"}])
    change("k-3", customAttributes={"tier": "silver"})
    change("k-4", address="9 Moved Street")
    store.remove_customer(ids["k-5"])
    world.emulator.add_customer(id="heir", name="Ada Ashby", address="1 Test Lane", customAttributes={"tier": "lead"})
    store.merge(ids["k-6"], "heir")
    world.emulator.add_customer(id="twin", name="Ada Ashby")
    store.merge(ids["k-7"], "twin")
    profile = store.customers[ids["k-8"]]
    change(
        "k-8",
        emails=[*profile["emails"], {"original": "work@example.org", "normalized": "work@example.org"}],
        customAttributes={"tier": "gold", "owner": "Bela"},
    )
    tasks = list(store.tasks.values())
    store.tasks[tasks[0]["id"]] = {**tasks[0], "status": "CLOSED"}
    store.tasks[tasks[1]["id"]] = {**tasks[1], "dueAt": "2099-02-01T09:00:00.000Z"}
    store.collections["topics"][topic_ids["p-1"]]["name"] = "Renamed"

    found = await verify_run(run_of_customers, chosen(world), terms(world))
    found_tasks = await verify_run(run_of_tasks, chosen(world), terms(world))
    found_topics = await verify_run(run_of_topics, chosen(world), terms(world))

    assert differences(found) == {
        "k-0": ["different", "name"],
        "k-1": ["different", "emails"],
        "k-2": ["different", "phones.type"],
        "k-3": ["different", "customAttributes.tier"],
        "k-4": ["different", "address"],
        "k-5": ["missing"],
        "k-6": ["merged", "customAttributes.tier"],
        "k-7": ["merged"],
    }
    assert (found.differing, found.exit_code) == (7, 6)
    assert next(row["id"] for row in table(found) if row["key"] == "k-6") == "heir"
    assert differences(found_tasks) == {"t-0": ["different", "status"], "t-1": ["different", "dueAt"]}
    assert differences(found_topics) == {"p-1": ["different", "name"]}
    assert found.differing + found_tasks.differing + found_topics.differing == 10
    assert Counter({one.field: one.rows for one in found.fields}) == {
        **dict.fromkeys(("name", "emails", "phones.type", "address"), 1),
        "customAttributes.tier": 2,
    }


KINDS_HERE: Mapping[str, Mapping[str, Any]] = {
    **KINDS,
    "conversations": {"conversationId": "talk", "status": "CLOSED", "topicIds": ["topic-1"], "force": True},
    "conversation-topics": {"conversationId": "talk", "topicIds": ["topic-2"]},
    "freeform-topics": {"conversationId": "talk", "add": [{"key": "orderId", "value": "{}"}]},
    "answer-contents": {
        "answerId": "held-answer",
        "language": "en-us",
        "type": "public",
        "title": "T",
        "bodyHtml": "{}",
    },
}
ONE_REQUEST = {"topics": "getTopics", "business-hours": "getBusinessHours", "webhooks": "getWebhooks"}


@pytest.mark.parametrize("resource", KINDS_HERE)
async def test_every_object_that_can_be_read_is_verified(resource: str, world: World) -> None:
    """Right after its import nothing differs, with at most one request for each row, or one for all."""
    world.emulator.add_customer(id="ada", emails=[{"original": "ada@example.org"}])
    world.emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
    world.emulator.add_task("ada", id="held", body="held")
    await world.rows([{"id": "held-answer", "name": "Held"}], resource="answers", key=None)
    fields = KINDS_HERE[resource]
    rows = rows_of(resource) if resource in KINDS else [{"crm": "1", **fields}]
    made = await world.rows(rows, resource=resource, mode="create" if resource == "business-hours" else None)
    assert made.exit_code == 0
    world.forget()

    report = await verified(world)

    assert (report.exit_code, report.counts["equal"]) == (0, len(rows)), differences(report)
    asked = world.asked()
    assert asked == {ONE_REQUEST[resource]: 1} if resource in ONE_REQUEST else sum(asked.values()) <= len(rows) + 1
    assert all(operation.startswith("get") for operation in asked)


@pytest.mark.parametrize("resource", ["sms", "redactions"])
async def test_what_cannot_be_verified_is_said_before_anything_is_sent(resource: str, world: World) -> None:
    """With the reason, and with what can be."""
    with pytest.raises(UsageError, match=f"{resource} cannot be verified: .*customers"):
        await compared(world, [{"crm": "1"}], resource)

    assert world.emulator.requests.count() == 0


# --- what lies ---

LIES: Mapping[str, Fault] = {
    "a sign-in page": CATALOGUE["200_html"],
    "another object": CATALOGUE["own_other"],
    "a 404 of a gateway": CATALOGUE["404_html"],
    "an empty 404": CATALOGUE["404_empty"],
    "a 503": CATALOGUE["503_html"],
    "a list": CATALOGUE["own_listed"],
    "a cut body": CATALOGUE["200_cut_json"],
    "an object without members": CATALOGUE["200_object"],
    "a redirect": CATALOGUE["302_to_sign_in"],
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_unreadable_and_never_equal_or_missing(lie: str, world: World) -> None:
    """Each response about one customer is a lie; the others are equal, and the exit code says that one was not read."""
    made = await world.rows(persons(4))
    victim = next(row["gladly_id"] for row in world.result(made, "success") if row["key"] == "k-2")
    world.emulator.faults.after(f"GET /api/v1/customer-profiles/{victim}", 0, LIES[lie])

    report = await verified(world)

    assert differences(report) == {"k-2": ["unreadable"]}
    assert (report.status, report.exit_code, report.counts["equal"]) == ("complete", 1, 3)
    assert any(" verify " in command for command in report.next_commands)


async def test_a_list_that_lies_is_replaced_by_a_look_at_each(world: World) -> None:
    """Topics come by one list; if that is a sign-in page, each is requested by its id."""
    await world.rows(rows_of("topics")[:3], resource="topics")
    world.emulator.faults.after("getTopics", 0, CATALOGUE["200_html"])
    world.forget()

    report = await verified(world)

    assert (report.exit_code, report.counts["equal"]) == (0, 3)
    assert world.asked()["getTopic"] == 3


# --- files, with and without what is remembered ---


async def test_a_file_is_found_as_an_import_would_find_it(world: World) -> None:
    """By the state, else by the derived id, else by an address that only one customer has; a stranger is missing."""
    await world.rows(persons(2))
    world.emulator.add_customer(id="theirs", **{**ADA, "emails": [{"original": "ada2@example.org"}], "phones": []})
    rows = [*persons(4), {"crm": "bad", "emails": [{"original": "nobody"}]}]
    world.forget()

    known = await compared(world, rows)
    asked = world.asked()
    forget_state(world)
    derived = await compared(world, rows)

    expected = {"k-3": ["missing"], None: ["not_sent"], "k-2": ["different", "phones"]}
    assert differences(known) == differences(derived) == expected
    assert asked == {"getCustomer": 2 + 2 + 1, "findCustomers": 1 + 2}
    assert not (world.state / "state.sqlite").exists()


async def test_rows_that_an_import_would_reject_are_not_sent(world: World) -> None:
    """A second row with the same key, or the same address; an equal row is compared like the first."""
    await world.rows(persons(1))
    other = {"crm": "other", "emails": [{"original": "ada0@example.org"}]}

    report = await compared(world, [*persons(1), *persons(1), {**persons(1)[0], "name": "Bela Birch"}, other])

    assert [row["word"] for row in table(report)] == ["equal", "equal", "not_sent", "not_sent"]
    assert [row["code"] for row in table(report)][2:] == ["duplicate_key", "duplicate_address"]


async def test_a_row_that_a_later_one_has_overwritten_is_no_difference(world: World) -> None:
    """With `on_duplicate="last"` the last row counts, in a run and in a file."""
    rows = [persons(1)[0], {**persons(1)[0], "name": "Bela Birch"}]
    await world.rows(rows, on_duplicate="last")

    of_run = await verified(world)
    of_file = await compared(world, rows, on_duplicate="last")

    for report in (of_run, of_file):
        assert [(row["word"], row["code"]) for row in table(report)] == [("not_sent", "superseded"), ("equal", None)]
        assert report.exit_code == 0


async def test_what_a_merge_policy_leaves_to_gladly_is_no_difference(world: World) -> None:
    """`on_conflict="merge"` fills what is empty, and keeps what Gladly holds; a lost address is one all the same."""
    world.emulator.add_customer(id="theirs", name="Theirs", emails=[{"original": "ada0@example.org"}])
    await world.rows(persons(1), on_conflict="merge")
    run = world.last_run()
    before = await verified(world)
    world.emulator.store.replace_customer({**world.emulator.customer("theirs"), "phones": []})

    after = await verify_run(run, chosen(world), terms(world))

    assert (before.exit_code, before.counts["equal"]) == (0, 1)
    assert differences(after) == {"k-0": ["different", "phones"]}


async def test_deletions_are_verified_as_gone(world: World) -> None:
    """What is still there is a difference, also if somebody has made it again."""
    await world.rows(persons(3))
    rows = [{"crm": f"k-{n}"} for n in range(3)]
    await world.rows(rows, mode="delete")
    run = world.last_run()
    first = await verified(world)
    [gladly_id] = [row["id"] for row in table(first) if row["key"] == "k-1"]
    world.emulator.add_customer(id=gladly_id, name="Back Again", emails=[{"original": "back@example.org"}])

    again = await verify_run(run, chosen(world), terms(world))

    assert (first.exit_code, first.counts["equal"]) == (0, 3)
    assert differences(again) == {"k-1": ["different", ""]}


async def test_hidden_fields_are_said_to_be_unverified(world: World) -> None:
    """Gladly never shows a webhook's credentials: a row with nothing else is not equal."""
    hook = {"crm": "1", **KINDS["webhooks"], "credentials": {"username": "x", "password": "y"}}
    await world.rows([hook], resource="webhooks")
    [gladly_id] = world.emulator.store.collections["webhooks"]

    report = await verified(world)
    other = {"id": gladly_id, "credentials": {"username": "z", "password": "y"}}
    bare = await compared(world, [other], "webhooks", key=None, mode="update")

    assert (report.exit_code, report.unverified) == (0, {"credentials": 1})
    assert await _told_first(world, "webhooks") == [f"{LEFT_OUT}: credentials"]
    assert [(row["word"], row["code"]) for row in table(bare)] == [("unreadable", "not_shown")]


def test_many_fields_are_counted_and_the_first_are_named() -> None:
    """Attributes can have any number of names; the report has all of them, and a terminal some."""
    sample = {"place": "a.csv:2", "expected": "a", "held": "b"}
    fields = tuple(DifferingField(f"customAttributes.a{n}", 1, (sample,)) for n in range(400))
    counts = dict.fromkeys(VerifyReport.words, 0)
    report = SimpleNamespace(
        fields=fields, counts=counts, is_masked=False, samples={}, codes={}, unverified={}, sample_says=""
    )

    *_, last = detail_lines(cast("VerifyReport", report))

    assert last.startswith("and 395 more fields: customAttributes.a5, ")
    assert last.endswith("customAttributes.a24, ... (report.json has all)")


async def _told_first(world: World, resource: str = "customers") -> list[str]:
    """The notes of a verification of the last import of an object."""
    run = newest_import(world.state, resource=resource)
    assert run is not None
    notes = Noting()
    await verify_run(run, chosen(world), Terms(world.credentials, notes, environment=world.environment))
    return [line for line in notes.told if "compared" in line]


async def test_only_columns_that_the_file_has_are_said_to_be_left_out(world: World) -> None:
    """What Gladly sets itself is named if the file has it, as a data set of ours does; else there is nothing to say."""
    await world.rows([person(0)])
    assert await _told_first(world) == []
    await world.rows([person(1, createdAt="2026-01-01T00:00:00Z")])
    assert await _told_first(world) == [f"{LEFT_OUT}: createdAt"]
    path = world.csv([{"No": "1", "createdAt": "2026", "Mail": "m@example.org"}])
    mapping = world.folder / "map.toml"
    mapping.write_text('version = 1\nto = "customers"\nkey = "No"\n[fields]\n"email:1" = "Mail"\n', "utf-8")
    await world.run(path, mapping=choose_mapping(mapping, None), key=None)
    assert await _told_first(world) == []


# --- samples, stops, and inputs that changed ---


@pytest.mark.parametrize("sample", ["7", "30%"])
async def test_a_sample_is_the_same_on_resume(sample: str, world: World) -> None:
    """A run that was stopped twice looks at the rows at which one look would, each once."""
    await world.rows(people(40))
    run = world.last_run()
    world.forget()
    report = await verify_run(run, chosen(world, sample=sample, limits=Limits(max_requests=3)), terms(world))
    assert (report.status, report.exit_code, report.adds_up) == ("stopped", 10, True)
    assert report.sample_says == "", "the first rows say nothing about all"
    verification = world.last_run()
    for limits in (Limits(max_requests=3), Limits()):

        def change(options: VerifyOptions, limits: Limits = limits) -> VerifyOptions:
            return replace(options, limits=limits)

        report = await resume_verify(verification, world.credentials, change=change, environment=world.environment)
        assert report.adds_up, report.counts

    assert (report.status, report.exit_code) == ("complete", 0)
    looked_at = report.counts["equal"]
    assert world.asked() == {"getCustomer": looked_at}
    assert looked_at == 7 if sample == "7" else 3 <= looked_at <= 25
    assert (report.counts["read"], report.counts["not_sampled"]) == (40, 40 - looked_at)
    assert f"{looked_at} of 40 rows checked; none differs, so at most" in report.sample_says


async def test_a_changed_input_is_refused_with_the_fix(world: World) -> None:
    """What a file said when it was sent can only be known from that file."""
    await world.rows([person(1)])
    run = world.last_run()
    world.ndjson([person(2)])

    with pytest.raises(InputChanged, match=r"restore the old file, or compare Gladly with the files as they are now"):
        await verify_run(run, chosen(world), terms(world))
    (world.folder / "customers.ndjson").unlink()
    with pytest.raises(UsageError, match=r"does not exist any more; move the files back, or say where they are now"):
        await verify_run(run, chosen(world), terms(world))


async def test_a_moved_input_is_named_at_its_new_place(world: World) -> None:
    """The message has the command, the file is recognised by its content, and a resume finds it again."""
    run = RunFolder(Path((await world.rows(people(4))).folder))
    old = world.folder / "customers.ndjson"
    new = world.folder / "archive" / "renamed.ndjson"
    new.parent.mkdir()
    old.rename(new)
    stranger = world.ndjson([person(7)], "other.ndjson")

    with pytest.raises(UsageError) as gone:
        await verify_run(run, chosen(world), terms(world))
    with pytest.raises(UsageError, match=r"other.ndjson is not an input of run") as strange:
        await verify_run(run, chosen(world), terms(world), moved=[new, stranger])
    stopped = await verify_run(run, chosen(world, limits=Limits(max_requests=3)), terms(world), moved=[new])
    verification = RunFolder(Path(stopped.folder))
    resumed = await resume_verify(
        verification, world.credentials, change=lambda one: replace(one, limits=Limits()), environment=world.environment
    )

    assert f"verify {run.name} NEW-FOLDER/customers.ndjson" in str(gone.value)
    assert f"verify customers {stranger}" in str(strange.value)
    assert (stopped.exit_code, resumed.exit_code, resumed.counts["equal"]) == (10, 0, 4)
    new.rename(old)
    with pytest.raises(UsageError, match=f"verify {run.name} NEW-FOLDER/renamed.ndjson"):
        await resume_verify(verification, world.credentials, environment=world.environment)


async def test_files_with_one_content_are_each_found_at_their_new_places(world: World) -> None:
    """Which of two equal files was which does not matter; one of them cannot stand for both."""
    paths = [world.ndjson([person(0)], name) for name in ("a.ndjson", "b.ndjson")]
    report = await start_import("customers", [str(one) for one in paths], world.credentials, world.options)
    run = RunFolder(Path(report.folder))
    moved = [one.rename(one.with_name(f"moved-{one.name}")) for one in paths]

    with pytest.raises(UsageError, match=r"b.ndjson, an input of run .* verify \S+ NEW-FOLDER/b.ndjson"):
        await verify_run(run, chosen(world), terms(world), moved=moved[:1])
    both = await verify_run(run, chosen(world), terms(world), moved=moved)

    assert (both.exit_code, both.counts["equal"]) == (0, 2)


async def test_an_unfinished_verification_does_not_stand_in_the_way_of_an_import(world: World) -> None:
    """It has read the same input, but sends nothing."""
    path = world.ndjson(people(4))
    await world.run(path)
    stopped = await verified(world, limits=Limits(max_requests=2))

    again = await world.run(path)

    assert (stopped.exit_code, again.exit_code, again.counts["unchanged"]) == (10, 0, 4)


async def test_a_plan_is_verified_with_its_options(world: World) -> None:
    """Its files, object and options are in `plan.json`; a changed file is refused, and so is an edited plan."""
    path = world.ndjson(people(2), "customers.ndjson")
    await world.run(path)
    await planned(world, people(2))
    folder = world.folder / "a.plan"

    report = await verify_plan(folder, chosen(world), terms(world))

    assert (report.exit_code, report.counts["equal"]) == (0, 2)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(InputChanged, match="changed since it was planned"):
        await verify_plan(folder, chosen(world), terms(world))
    moved = path.rename(path.with_name("elsewhere.ndjson"))
    with pytest.raises(UsageError, match=r"an input of .*a.plan, does not exist any more"):
        await verify_plan(folder, chosen(world), terms(world))
    moved.write_bytes(moved.read_bytes()[:-1])
    again = await verify_plan(folder, chosen(world), terms(world), moved=[moved])
    assert (again.exit_code, again.counts["equal"]) == (0, 2)
    edit(folder / "plan.json", mode="create")
    with pytest.raises(UsageError, match="was edited after"):
        await verify_plan(folder, chosen(world), terms(world))


async def test_a_plan_of_another_organisation_is_not_compared(world: World) -> None:
    """The host answers as another one by now: its records are not missing, and a resume says the same."""
    await world.run(world.ndjson(people(2), "customers.ndjson"))
    await planned(world, people(2))
    world.emulator.store.organization["id"] = "another-organisation"
    world.forget()

    report = await verify_plan(world.folder / "a.plan", chosen(world), terms(world))
    resumed = await resume_verify(RunFolder(Path(report.folder)), world.credentials, environment=world.environment)

    for one in (report, resumed):
        assert (one.exit_code, one.counts["missing"], one.differing) == (2, 0, 0)
        assert "another-organisation now; nothing was compared" in (one.reason or "")
    assert world.asked() == {}


async def test_a_run_on_its_way_is_verified_as_far_as_it_is(world: World) -> None:
    """Rows that it has not reached are not sent; a verification cannot be verified."""
    await world.rows(people(5), max_rows=2)

    report = await verified(world)

    assert (report.counts["equal"], report.counts["not_sent"], report.codes) == (2, 3, {"unprocessed": 3})
    with pytest.raises(UsageError, match=rf"is not an import \(verify\).*: `bulkgladly verify {report.verified_run} "):
        await verified(world)


# --- from a difference back to what the file says ---


async def test_what_was_forgotten_is_written_by_the_next_import(world: World) -> None:
    """Without `forget` an import leaves the difference; with it, it costs a look and a change. A deletion stays."""
    await world.rows(persons(4))
    run = world.last_run()
    first, second, gone, _ = world.emulator.store.customers.values()
    world.emulator.store.replace_customer({**first, "name": "Edited"})
    world.emulator.store.replace_customer({**second, "emails": [], "customAttributes": {"tier": "none", "plan": "b"}})
    world.emulator.store.remove_customer(gone["id"])
    told = await verify_run(run, chosen(world), terms(world))
    left = await world.rows(persons(4))
    assert (left.counts["unchanged"], told.exit_code) == (4, 6)
    state = f"--state-dir {world.state}"
    assert told.next_commands == (
        f"bulkgladly explain {run.name} customers.ndjson:1 {state}",
        f"bulkgladly verify {run.name} --forget {state}",
        f"bulkgladly undo {run.name} --dry-run {state}",
        f"bulkgladly runs show {told.run} {state}",
    )

    forgot = await verify_run(run, chosen(world, forget=True), terms(world))
    world.forget()
    again = await world.rows(persons(4), read_first=True)

    assert any(one.startswith("bulkgladly plan customers ") and " --live " in one for one in forgot.next_commands)
    assert any("--read-first" in command for command in forgot.next_commands)
    assert world.asked() == {"getCustomer": 2, "updateCustomer": 2}
    assert (again.counts["updated"], again.counts["unchanged"]) == (2, 2)
    assert differences(await verified(world)) == {"k-2": ["missing"]}
    assert world.emulator.customer(second["id"])["customAttributes"] == {"tier": "gold", "plan": "b"}


async def test_notes_are_never_forgotten(world: World) -> None:
    """What is sent at most once would be sent twice."""
    path = world.ndjson([{"crm": "1", "conversationId": "talk", "body": "x"}])

    with pytest.raises(UsageError, match="--forget is for objects that an import can change"):
        await verify_files("notes", [path], world.options, terms(world), chosen=chosen(world, forget=True))


async def test_what_a_run_does_not_know_is_found_out(world: World) -> None:
    """A note whose response was lost is there, one whose request was reset is not; both runs call them unknown."""
    world.emulator.add_customer(id="ada", emails=[{"original": "ada@example.org"}])
    world.emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
    world.emulator.faults.script("addNoteToConversation", [drop_reply(), reset()])
    world.emulator.faults.after("getConversationItems", 0, CATALOGUE["503_html"])
    rows = [{"crm": f"n-{n}", "conversationId": "talk", "body": f"Note {n}"} for n in range(2)]
    made = await world.rows(rows, resource="notes", pace=Pace(unlimited=True, concurrency=1))
    world.emulator.faults.clear()

    report = await verified(world)

    assert made.counts["unknown"] == 2
    assert sorted(row["word"] for row in table(report)) == ["equal", "missing"]


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_no_response_of_the_catalogue_makes_a_wrong_verdict(world: World) -> None:
    """Each odd response there is, about one customer, for as long as it takes: different is never said."""
    made = await world.rows(persons(2))
    run = world.last_run()
    victim = next(row["gladly_id"] for row in world.result(made, "success") if row["key"] == "k-1")
    found: dict[str, set[str]] = {}
    for name, fault in CATALOGUE.items():
        if any(part in name for part in ("429", "hang", "silence", "retry_after")):
            continue  # they are waited out
        world.emulator.faults.clear()
        world.emulator.faults.after(f"GET /api/v1/customer-profiles/{victim}", 0, fault)
        report = await verify_run(run, chosen(world), terms(world))
        for word in words(report) if report.status == "complete" else ():
            found.setdefault(word, set()).add(name)

    assert found.keys() == {"equal", "unreadable", "missing"}
    # Gladly's own words, and a merge into a customer who does not exist, are believed.
    assert found["missing"] == {"404_errors", "404_gladly", "301_to_other_id", "301_moved_to_other"}
