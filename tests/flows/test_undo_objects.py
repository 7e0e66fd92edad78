"""Every kind of object that can be imported: what an undo takes back of it, and what stays."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from bulkgladly.undo.run_undo import preview_undo
from tests.flows.conftest import World
from tests.flows.test_undo import run_of, undo

KEPT = ("answers", "answer_contents", "business_hours", "conversations", "items", "tasks", "topics", "webhooks")
NOTED = ("updatedAt", "version")
"""What Gladly notes of each change."""
DUE = "2099-01-31T09:00:00Z"
HOURS = {"timezone": "Europe/Paris", "monday": [{"start": "9:00", "stop": "17:00"}]}


def held(world: World) -> dict[str, Any]:
    """All that Gladly holds beside customers."""
    found = {name: deepcopy(dict(world.emulator.store.collections[name])) for name in KEPT}
    return {
        name: {
            one: {key: value for key, value in entity.items() if key not in NOTED and value not in ("", [])}
            for one, entity in every.items()
        }
        for name, every in found.items()
    }


def forget_state(world: World) -> None:
    for path in world.state.glob("state.sqlite*"):
        path.unlink()


@pytest.fixture
async def talk(make_world: Callable[..., Any]) -> World:
    """An organisation with a customer who has an open conversation."""
    world: World = await make_world()
    world.emulator.add_customer(id="ada", name="Ada Sample", emails=[{"original": "ada@example.org"}])
    world.emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
    return world


NEW: dict[str, dict[str, Any]] = {
    "activities": {"customerId": "ada", "activityType": "ISSUE", "title": "Order", "body": "<p>One table</p>"},
    "answers": {"name": "Exchanges", "description": "How", "audiences": "Members"},
    "answer-contents": {
        "answerId": "answer-1",
        "language": "en-us",
        "type": "messaging",
        "bodyHtml": "<p>new</p>",
    },
    "business-hours": {"name": "Paris", "officeHours": HOURS},
    "webhooks": {"url": "https://example.org/hook", "events": ["TASK/CREATED"], "enabled": True},
}


@pytest.mark.parametrize("resource", NEW)
async def test_what_is_new_is_deleted(resource: str, talk: World) -> None:
    """Nothing of it is left, and the next import creates it again."""
    before = held(talk)
    report = await talk.rows([{"crm": "1", **NEW[resource]}], resource=resource, mode="create")
    assert held(talk) != before

    done = await undo(talk, report)

    assert (done.exit_code, done.outcomes) == (0, {"deleted": 1})
    assert held(talk) == before
    again = await talk.rows([{"crm": "1", **NEW[resource]}], resource=resource, mode="create")
    assert again.counts["created"] == 1


STAYS: dict[str, dict[str, Any]] = {
    "tasks": {"customerId": "ada", "inboxId": "inbox-1", "body": "Call back", "dueAt": DUE, "status": "CLOSED"},
    "topics": {"name": "New topic"},
    "notes": {"conversationId": "talk", "body": "A note"},
}


@pytest.mark.parametrize("resource", STAYS)
async def test_what_cannot_be_deleted_is_told_and_costs_nothing(resource: str, talk: World) -> None:
    """Before the undo, and in its report."""
    report = await talk.rows([{"crm": "1", **STAYS[resource]}], resource=resource)
    before = held(talk)
    talk.forget()

    counts = preview_undo(run_of(talk, report)).counts
    done = await undo(talk, report)

    assert (counts.to_do, counts.cannot) == (0, {"not_deletable": 1})
    assert (done.exit_code, done.outcomes, talk.asked(), held(talk)) == (1, {"not possible": 1}, {}, before)
    assert "Gladly's API cannot delete" in done.left[0].detail


CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tasks": (
        {"customerId": "ada", "inboxId": "inbox-1", "body": "Call back", "dueAt": DUE},
        {"inboxId": "inbox-2", "body": "Call at noon", "status": "CLOSED"},
    ),
    "topics": ({"name": "New topic"}, {"name": "Newer topic", "disabled": True}),
    "answers": ({"name": "Exchanges"}, {"name": "Swaps", "description": "How", "audiences": "Members"}),
    "answer-contents": (
        {"answerId": "answer-1", "language": "en-us", "type": "public", "bodyHtml": "<p>old</p>", "title": "Old"},
        {"bodyHtml": "<p>new</p>", "title": "New"},
    ),
    "business-hours": (
        {"name": "Paris", "officeHours": HOURS},
        {"officeHours": {**HOURS, "timezone": "Europe/Berlin"}},
    ),
    "webhooks": (
        {"url": "https://example.org/hook", "events": ["TASK/CREATED"], "enabled": True},
        {"name": "Orders", "enabled": False, "events": ["TASK/CLOSED"]},
    ),
}


@pytest.mark.parametrize("resource", CHANGED)
async def test_what_was_changed_is_restored(resource: str, talk: World) -> None:
    """To what it was, whatever the API calls a change; what somebody has changed since is kept."""
    first, change = CHANGED[resource]
    made = await talk.rows([{"crm": "1", **first}], resource=resource)
    before = held(talk)
    if resource in ("tasks", "topics", "answers", "answer-contents"):
        # What an import remembers, it writes without a look.
        forget_state(talk)
    mode = "update" if resource == "answer-contents" else "upsert"
    report = await talk.rows([{"crm": "1", **first, **change}], resource=resource, mode=mode)
    assert (made.counts["rejected"], report.counts["updated"]) == (0, 1)

    done = await undo(talk, report)

    assert (done.exit_code, done.outcomes) == (0, {"restored": 1})
    assert held(talk) == before


async def test_what_gladly_does_not_remove_is_told(talk: World) -> None:
    """A topic stays below its parent: how to move one to the top is UNKNOWN, and null and "" are tried."""
    await talk.rows([{"crm": "1", "name": "New topic"}], resource="topics")
    forget_state(talk)
    row = {"crm": "1", "name": "Newer topic", "parentId": "topic-1"}
    report = await talk.rows([row], resource="topics")

    done = await undo(talk, report)

    assert (done.exit_code, done.outcomes, done.partly) == (1, {"restored": 1}, 1)
    assert done.left[0].detail == "restored name; left as it is: Gladly has not removed parentId"
    [topic] = [one for one in held(talk)["topics"].values() if one["name"] == "New topic"]
    assert topic["parentId"] == "topic-1"


async def test_a_webhook_whose_secret_was_changed_is_restored_in_part(talk: World) -> None:
    """Gladly never shows it, so nobody can know what it was."""
    hook = {"crm": "1", **NEW["webhooks"]}
    await talk.rows([hook], resource="webhooks")
    secret = {"credentials": {"username": "a", "password": "b"}}
    report = await talk.rows([{**hook, "name": "Orders", **secret}], resource="webhooks")

    done = await undo(talk, report)

    assert (done.exit_code, done.outcomes, done.partly) == (1, {"restored": 1}, 1)
    assert not any(found.get("name") for found in held(talk)["webhooks"].values())


async def test_topics_go_back_on_and_off_a_conversation(talk: World) -> None:
    """Those of people stay."""
    rows = [{"conversationId": "talk", "topicIds": ["topic-1", "topic-2"]}]
    report = await talk.rows(rows, resource="conversation-topics", key=None)

    assert (await undo(talk, report)).outcomes == {"not possible": 1}
    assert held(talk)["conversations"]["talk"]["topicIds"] == ["topic-1", "topic-2"]


async def test_deletions_and_redactions_stay_done(talk: World) -> None:
    """An object that was deleted is not created again."""
    talk.emulator.add_customer(id="bob", emails=[{"original": "bob@example.org"}])
    sms = {"type": "SMS", "from": "+12125550100", "to": "+12125550199", "content": "4111"}
    item = talk.emulator.add_item(sms, conversation_id="talk")
    deleted = await talk.rows([{"id": "bob"}], key=None, mode="delete")
    redacted = await talk.rows([{"itemId": item}], resource="redactions", key=None, mode="delete")

    for report, why in ((deleted, "it was deleted"), (redacted, "a redaction cannot be undone")):
        done = await undo(talk, report)
        assert (done.exit_code, done.outcomes) == (1, {"not possible": 1})
        assert why in done.left[0].detail


async def test_an_answer_with_contents_is_kept(talk: World) -> None:
    """Of a person; and of a later run, in whatever language."""
    first = await talk.rows([{"crm": "1", "name": "Exchanges"}, {"crm": "2", "name": "Sizes"}], resource="answers")
    ids = [one["gladly_id"] for one in talk.result(first, "success")]
    content = {"language": "es-mx", "type": "messaging", "bodyHtml": "<p>x</p>", "answerId": ids[0]}
    second = await talk.rows([content], resource="answer-contents", key=None, mode="create")

    kept = await undo(talk, first)
    assert kept.outcomes == {"deleted": 1, "kept": 1}
    assert second.run in kept.left[0].detail
    content = {**content, "language": "en-us"}
    await undo(talk, second)
    third = await talk.rows([content], resource="answer-contents", key=None, mode="create")
    for path in (talk.state / "runs" / third.run).iterdir():
        path.unlink()  # as if another machine had done it

    kept = await undo(talk, first)
    assert kept.outcomes == {"kept": 1}
    assert "has contents, which would be deleted with it" in kept.left[0].detail


@pytest.mark.parametrize("resource", CHANGED)
async def test_what_was_read_before_it_was_changed_is_restored(resource: str, talk: World) -> None:
    """With --undoable every update can be taken back, also of what an import remembers."""
    first, change = CHANGED[resource]
    await talk.rows([{"crm": "1", **first}], resource=resource)
    before = held(talk)
    report = await talk.rows([{"crm": "1", **first, **change}], resource=resource, undoable=True)

    done = await undo(talk, report)

    assert (done.exit_code, done.outcomes, held(talk)) == (0, {"restored": 1}, before)


CONVERSATIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("conversation-topics", "update", {"topicIds": ["topic-1", "topic-2"]}),
    ("conversation-topics", "delete", {"topicIds": ["topic-2"]}),
    ("conversations", "update", {"inboxId": "inbox-2", "topicIds": ["topic-1"], "status": "CLOSED"}),
)


@pytest.mark.parametrize(("resource", "mode", "row"), CONVERSATIONS)
async def test_a_conversation_goes_back(resource: str, mode: str, row: dict[str, Any], talk: World) -> None:
    """Its topics, its assignee and its status."""
    talk.emulator.store.conversations["talk"]["topicIds"] = ["topic-2"]
    before = held(talk)["conversations"]
    row = {"conversationId": "talk", **row}
    report = await talk.rows([row], resource=resource, key=None, mode=mode, undoable=True)
    assert held(talk)["conversations"] != before

    done = await undo(talk, report)

    assert (done.exit_code, done.outcomes) == (0, {"restored": 1})
    after = held(talk)["conversations"]
    after["talk"].pop("closedAt", None)
    assert after == before
