"""Verifying: what Gladly holds is compared with what was sent, field by field, and nothing is written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bulkgladly import Limits
from bulkgladly.changes.verify_options import VerifyOptions
from bulkgladly.changes.verify_run import resume_verify, verify_files, verify_plan, verify_run
from bulkgladly.changes.verify_summary import VerifyReport
from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.options import stored
from bulkgladly.runs.session import Terms
from tests.flows.conftest import World, people, person
from tests.flows.test_import_objects import forget_state, task
from tests.flows.test_import_objects_kills import KINDS, rows_of

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


def terms(world: World) -> Terms:
    return Terms(world.credentials, Observer(), environment=world.environment)


def chosen(world: World, **more: Any) -> VerifyOptions:
    return VerifyOptions(**{"pace": world.options.pace, "state_dir": world.state, **more})


async def verified(world: World, **more: Any) -> VerifyReport:
    """Verify the last run."""
    report = await verify_run(world.last_run(), chosen(world, **more), terms(world))
    assert report.adds_up, report.counts
    return report


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
