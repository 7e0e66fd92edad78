"""Wherever a process dies, no object is made twice, and what nobody can tell is told as unknown."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bulkgladly import Pace, UsageError
from bulkgladly.emulator import drop_reply
from tests.flows.conftest import World
from tests.flows.test_kill_points import POINTS, Crash, Plug

ROWS = 12
DUE = "2099-01-31T09:00:00Z"

KINDS: dict[str, dict[str, Any]] = {
    "tasks": {"customerId": "ada", "inboxId": "inbox-1", "body": "{}", "dueAt": DUE, "status": "CLOSED"},
    "activities": {"customerId": "ada", "activityType": "ISSUE", "title": "{}"},
    "topics": {"name": "{}"},
    "answers": {"name": "{}"},
    "task-comments": {"taskId": "held", "agentId": "agent-1", "comment": "{}"},
    "notes": {"conversationId": "talk", "body": "{}"},
    "business-hours": {"name": "{}", "officeHours": {"timezone": "Europe/Paris"}},
    "webhooks": {"url": "https://example.org/{}", "events": ["TASK/CREATED"], "enabled": True},
}
AT_MOST_ONCE = ("notes", "business-hours")
SHOWN = {
    "tasks": ("tasks", "body"),
    "topics": ("topics", "name"),
    "answers": ("answers", "name"),
    "task-comments": ("task_comments", "comment"),
    "business-hours": ("business_hours", "name"),
    "webhooks": ("webhooks", "url"),
}


def rows_of(resource: str) -> list[dict[str, Any]]:
    fields = KINDS[resource]
    return [
        {"crm": str(number)}
        | {name: value.format(f"x{number}") if isinstance(value, str) else value for name, value in fields.items()}
        for number in range(ROWS)
    ]


def made(world: World, resource: str) -> Counter[str]:
    """How many objects there are of each row, by the number in their text."""
    store = world.emulator.store
    if resource in SHOWN:
        kind, field = SHOWN[resource]
        texts = [str(one[field]) for one in store.collections[kind].values()]
    else:
        texts = [str(item["content"].get("title") or item["content"].get("body")) for item in store.items.values()]
    return Counter(text.rpartition("x")[2] for text in texts if text.rpartition("x")[2].isdigit())


@pytest.fixture
async def plug(world: World) -> AsyncIterator[Plug]:
    """An organisation with a customer, a conversation and a task, and a plug to pull."""
    world.emulator.add_customer(id="ada", emails=[{"original": "ada@example.org"}])
    world.emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
    world.emulator.add_task("ada", id="held", body="held")
    plug = Plug(world)
    yield plug
    plug.out()


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("resource", KINDS)
async def test_every_object_once_wherever_it_dies(resource: str, point: str, world: World, plug: Plug) -> None:
    """What was in doubt is asked about: by its id, or in the list where Gladly gives the ids."""
    path = world.ndjson(rows_of(resource))
    plug.at(point, 5 if point != "before intent" else 1)
    with pytest.raises(Crash):
        await world.run(path, resource=resource, pace=Pace(unlimited=True, concurrency=3))
    plug.out()

    report = await world.resume(state=plug.after)

    if resource in AT_MOST_ONCE:
        # What was about to leave proves nothing by not being there: a person has to look.
        missing = set(map(str, range(ROWS))) - set(made(world, resource))
        assert {row["crm"] for row in world.result(report, "rejected")} == missing
        assert report.counts["unknown"] == len(missing) <= 3
        if missing:
            world.options = world.choose({"state_dir": plug.after})
            again = await world.retry(sent_nothing=True)
            assert (again.counts["created"], again.exit_code) == (len(missing), 0)
    else:
        assert (report.counts["created"], report.exit_code) == (ROWS, 0)
    assert made(world, resource) == dict.fromkeys(map(str, range(ROWS)), 1)
    if resource == "tasks":
        assert {task["status"] for key, task in world.emulator.store.tasks.items() if key != "held"} == {"CLOSED"}


@pytest.mark.parametrize("point", POINTS)
async def test_no_message_twice_wherever_it_dies(point: str, world: World, plug: Plug) -> None:
    """What was on its way ends as unknown, and nobody hears from us twice."""
    rows = [
        {"crm": str(number), "mobileNumber": f"+165055501{number:02}", "from": "+16505550199", "body": "Hello"}
        for number in range(ROWS)
    ]
    await world.run(world.ndjson(rows), resource="sms", contacts_people=True)
    world.emulator.faults.script("sendSMS", [None, None, drop_reply()])
    plug.at(point, 4 if point != "before intent" else 1)
    with pytest.raises(Crash):
        await world.resume()
    plug.out()

    report = await world.resume(state=plug.after)

    heard = Counter(message["content"]["to"] for message in world.emulator.store.collections["sent_messages"].values())
    assert max(heard.values()) == 1
    assert report.counts["created"] + report.counts["unknown"] == ROWS
    assert report.counts["created"] <= len(heard)
    # Those in flight, and the outcomes that did not come to be written.
    assert report.counts["unknown"] <= 4 + 5


async def test_messages_in_doubt_stand_in_the_way_of_a_new_run(world: World, plug: Plug) -> None:
    """What was on its way might go out twice: only a resume settles it."""
    row = {"crm": "1", "mobileNumber": "+16505550100", "from": "+16505550199", "body": "Hello"}
    path = world.ndjson([row])
    plug.at("after commit on the server, before the reply", 1)
    with pytest.raises(Crash):
        await world.run(path, resource="sms", contacts_people=True)
    plug.out()
    world.options = world.choose({"state_dir": plug.after})

    with pytest.raises(UsageError, match="could send them twice"):
        await world.run(path, resource="sms", contacts_people=True, new_run=True)
    settled = await world.resume()
    again = await world.run(path, resource="sms", contacts_people=True, new_run=True)

    assert (settled.counts["unknown"], again.counts["unknown"]) == (1, 1)
    assert world.emulator.store.count("sent_messages") == 1


async def test_a_resume_learns_the_names_again(world: World, plug: Plug) -> None:
    """For the rows that are left alone."""
    rows = [{"crm": str(number), "path": f"Orders / x{number}"} for number in range(ROWS)]
    plug.at("before settle", 5)
    with pytest.raises(Crash):
        await world.run(world.ndjson(rows), resource="topics")
    plug.out()

    report = await world.resume(state=plug.after)

    assert report.counts["created"] == ROWS
    topics = world.emulator.store.collections["topics"].values()
    assert {topic.get("parentId") for topic in topics if topic["name"].startswith("x")} == {"topic-1"}
