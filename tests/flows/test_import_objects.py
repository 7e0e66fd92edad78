"""Every kind of object and mode against the emulator: what it costs, and what faults and states make of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulkgladly import UsageError
from bulkgladly.emulator import drop_reply, rate_limited, slow
from bulkgladly.emulator.faults.fault import Fault, status
from bulkgladly.imports.dry_run import dry_run
from bulkgladly.imports.import_options import namespaces_after
from bulkgladly.runs.environment import Bounds
from tests.flows.conftest import World
from tests.flows.exporting import NOT_THERE

DUE = "2099-01-31T09:00:00Z"


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def customer(world: World, customer_id: str = "ada", **fields: Any) -> str:
    """A customer whom somebody else made."""
    return world.emulator.add_customer(
        **{"id": customer_id, "name": "Ada Sample", "emails": [{"original": f"{customer_id}@example.org"}], **fields}
    )


def task(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "crm": f"t-{number}",
        "customerId": "ada",
        "inbox": "General",
        "body": f"Call back {number}",
        "dueAt": DUE,
        **more,
    }


def activity(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "crm": f"a-{number}",
        "customerId": "ada",
        "activityType": "ISSUE",
        "title": f"Order {number}",
        "occurredAt": ago(days=number),
        **more,
    }


def forget_state(world: World) -> None:
    """As on another machine: what earlier runs taught us is gone."""
    for path in world.state.glob("state.sqlite*"):
        path.unlink()


def done(report: Any) -> dict[str, int]:
    """The counts that are not zero, without what was read."""
    return {word: count for word, count in report.counts.items() if count and word != "read"}


# --- tasks -----------------------------------------------------------------------------------


async def test_a_task_costs_one_request_and_the_names_one_each(world: World) -> None:
    """Two tasks, one list of inboxes and one of agents."""
    customer(world)

    report = await world.rows([task(1), task(2, agent="bela.agent@example.org")], resource="tasks")

    assert world.asked() == {"getInboxes": 1, "getAgents": 1, "createTask": 2}
    assert done(report) == {"created": 2}
    assert [made["assignee"] for made in world.emulator.store.tasks.values()] == [
        {"inboxId": "inbox-1"},
        {"inboxId": "inbox-1", "agentId": "agent-2"},
    ]


async def test_a_task_is_known_the_next_time(world: World) -> None:
    """Unchanged: no request; changed: one; closed: the same one."""
    customer(world)
    await world.rows([task(1), task(2), task(3)], resource="tasks")
    world.forget()

    report = await world.rows([task(1), task(2, body="Call at noon"), task(3, status="closed")], resource="tasks")

    assert world.asked() == {"getInboxes": 1, "updateTask": 2}
    assert done(report) == {"unchanged": 1, "updated": 2}
    assert [(one["body"], one["status"]) for one in world.emulator.store.tasks.values()] == [
        ("Call back 1", "OPEN"),
        ("Call at noon", "OPEN"),
        ("Call back 3", "CLOSED"),
    ]


async def test_a_closed_task_takes_two_requests(world: World) -> None:
    """Made open, as the API wants it, and closed then."""
    customer(world)

    report = await world.rows([task(status="CLOSED", inboxId="inbox-1", inbox="")], resource="tasks")

    assert world.asked() == {"createTask": 1, "updateTask": 1}
    assert done(report) == {"created": 1}
    [made] = world.emulator.store.tasks.values()
    assert made["status"] == "CLOSED"


async def test_a_task_for_an_address_makes_the_customer(world: World) -> None:
    """One request for both."""
    rows = [task(customerEmail="new@example.org") | {"customerId": ""}]

    report = await world.rows(rows, resource="tasks")

    assert world.asked() == {"getInboxes": 1, "createTaskAndCustomer": 1}
    assert done(report) == {"created": 1}
    assert "new@example.org" in world.names()


@pytest.mark.parametrize("undocumented_409", [True, False])
@pytest.mark.parametrize("whose", [{"customerId": "ada"}, {"customerId": "", "customerEmail": "ada@example.org"}])
async def test_a_lost_reply_makes_no_second_task(
    whose: Mapping[str, Any], undocumented_409: bool, make_world: Callable[..., Any]
) -> None:
    """The repeat is refused, in whatever way, and a look shows that the first one did it."""
    world = await make_world(undocumented_409=undocumented_409)
    customer(world)
    operation = "createTask" if whose["customerId"] else "createTaskAndCustomer"
    world.emulator.faults.script(operation, [drop_reply()])

    report = await world.rows([task(**whose)], resource="tasks")

    assert world.asked() == {"getInboxes": 1, operation: 2, "getTask": 1}
    assert done(report) == {"created": 1}
    assert world.emulator.store.count("tasks") == 1


async def test_a_task_without_memory_is_compared(world: World) -> None:
    """Equal costs two requests, different three; the same id is met again."""
    customer(world)
    await world.rows([task(1), task(2)], resource="tasks")
    forget_state(world)
    world.forget()

    report = await world.rows([task(1), task(2, body="Call at noon")], resource="tasks")

    assert world.asked() == {"getInboxes": 1, "createTask": 2, "getTask": 2, "updateTask": 1}
    assert done(report) == {"unchanged": 1, "updated": 1}


async def test_a_task_that_is_overdue_by_now_is_not_made_and_is_found(world: World) -> None:
    """Gladly makes no task with a past date; one that is there is updated all the same."""
    customer(world)
    world.emulator.add_task("ada", id="held", body="Old", dueAt="2020-01-01T00:00:00Z")
    past = "2020-01-01T00:00:00Z"

    report = await world.rows(
        [task(1, dueAt=past), task(2, id="held", body="New", dueAt=past)],
        resource="tasks",
    )

    assert done(report) == {"rejected": 1, "updated": 1}
    assert report.rejects_by_code == {"due_in_past": 1}
    assert "createTask" not in world.asked()
    assert world.emulator.store.tasks["held"]["body"] == "New"


async def test_a_merged_customer_gets_the_task(world: World) -> None:
    """The first try finds nobody, a look names the survivor, and the second try goes there."""
    customer(world)
    customer(world, "bela")
    world.emulator.store.merge("ada", "bela")

    report = await world.rows([task(inbox="", inboxId="inbox-1")], resource="tasks")

    assert world.asked() == {"createTask": 2, "getCustomer": 1}
    assert done(report) == {"created": 1}
    [made] = world.emulator.store.tasks.values()
    assert made["customerId"] == "bela"


async def test_a_task_of_nobody_is_rejected(world: World) -> None:
    """Gladly has no such customer, and says nothing of a merge."""
    report = await world.rows([task(inbox="", inboxId="inbox-1")], resource="tasks")

    assert world.asked() == {"createTask": 1, "getCustomer": 1}
    assert report.rejects_by_code == {"not_exist": 1}


async def test_an_update_makes_no_task(world: World) -> None:
    """One that is there costs two requests, one that is not costs one and is rejected."""
    customer(world)
    world.emulator.add_task("ada", id="held", body="Old", dueAt=DUE)

    report = await world.rows(
        [{"crm": "1", "id": "held", "status": "CLOSED"}, {"crm": "2", "id": "gone", "status": "CLOSED"}],
        resource="tasks",
        mode="update",
    )

    assert world.asked() == {"getTask": 2, "updateTask": 1}
    assert done(report) == {"updated": 1, "rejected": 1}
    assert world.emulator.store.tasks["held"]["status"] == "CLOSED"


# --- activities ------------------------------------------------------------------------------


async def test_an_activity_costs_one_request(world: World) -> None:
    """By id, or by an address, which makes the customer where nobody has it."""
    customer(world)

    report = await world.rows(
        [activity(1), activity(2, customerId="", customerMobile="+16505550123")], resource="activities"
    )

    assert world.asked() == {"createCustomerItem": 1, "createItem": 1}
    assert done(report) == {"created": 2}
    assert [item["content"]["title"] for item in world.emulator.store.items.values()] == ["Order 1", "Order 2"]


async def test_an_activity_in_the_form_of_the_api(world: World) -> None:
    """The same object that the API takes, as a row."""
    customer(world)
    content = {
        "type": "CUSTOMER_ACTIVITY",
        "activityType": "SURVEY",
        "link": {"url": "https://example.org", "text": "x"},
    }

    report = await world.rows([{"crm": "1", "customerId": "ada", "content": content}], resource="activities")

    assert done(report) == {"created": 1}
    [item] = world.emulator.store.items.values()
    assert item["content"]["link"] == {"url": "https://example.org", "text": "x"}


async def test_a_repeated_activity_costs_nothing_or_two(world: World) -> None:
    """With what is remembered, and without it; a different one cannot be changed."""
    customer(world)
    rows = [activity(1), activity(2)]
    await world.rows(rows, resource="activities")
    world.forget()

    known = await world.rows(rows, resource="activities")
    asked_known = world.asked()
    forget_state(world)
    unknown = await world.rows([rows[0], {**rows[1], "title": "Other"}], resource="activities")

    assert asked_known == {}
    assert done(known) == {"unchanged": 2}
    assert world.asked() == {"createCustomerItem": 2, "getItem": 2}
    assert done(unknown) == {"unchanged": 1, "rejected": 1}
    assert unknown.rejects_by_code == {"taken": 1}


async def test_a_lost_reply_makes_no_second_activity(world: World) -> None:
    """The repeat is refused, and a look shows that the first one did it."""
    customer(world)
    world.emulator.faults.script("createCustomerItem", [drop_reply()])

    report = await world.rows([activity(1)], resource="activities")

    assert world.asked() == {"createCustomerItem": 2, "getItem": 1}
    assert done(report) == {"created": 1}
    assert world.emulator.store.count("items") == 1


async def test_an_activity_follows_its_customer_into_a_merge(world: World) -> None:
    """The 301 names the survivor: one request more, and no look."""
    customer(world)
    customer(world, "bela")
    world.emulator.store.merge("ada", "bela")

    report = await world.rows([activity(1)], resource="activities")

    assert world.asked() == {"createCustomerItem": 2}
    assert done(report) == {"created": 1}
    [item] = world.emulator.store.items.values()
    assert item["customerId"] == "bela"


async def test_history_of_more_than_a_year_costs_nothing(world: World) -> None:
    """It is rejected before the first request."""
    report = await world.rows([activity(1, occurredAt=ago(days=366))], resource="activities")

    assert world.asked() == {}
    assert report.rejects_by_code == {"too_old": 1}


async def test_activities_are_deleted_by_key_and_by_id(world: World) -> None:
    """What is gone already is unchanged; what is no activity is refused by Gladly."""
    customer(world)
    await world.rows([activity(1)], resource="activities")
    note = world.emulator.add_item({"type": "CONVERSATION_NOTE", "body": "x"}, customer_id="ada")
    world.forget()

    report = await world.rows(
        [{"crm": "a-1"}, {"crm": "other"}, {"crm": "3", "id": note}], resource="activities", mode="delete"
    )

    assert world.asked() == {"deleteItem": 3}
    assert done(report) == {"deleted": 1, "unchanged": 1, "rejected": 1}
    assert list(world.emulator.store.items) == [note]


# --- topics ----------------------------------------------------------------------------------


async def test_parents_are_made_before_their_children(world: World) -> None:
    """In whatever order the rows come; one request each, and the list of those there are."""
    rows = [
        {"path": "Gifts / Cards / Paper"},
        {"name": "Wrapping", "parent": "Gifts"},
        {"path": "Gifts / Cards"},
        {"name": "Gifts"},
        {"name": "Very late orders", "parent": "Orders / Late orders"},
    ]

    report = await world.rows(rows, resource="topics", key=None)

    assert world.asked() == {"getTopics": 1, "addTopic": 5}
    assert done(report) == {"created": 5}
    made = {topic["name"]: topic for topic in world.emulator.store.collections["topics"].values()}
    parents = {name: made[name].get("parentId") for name in ("Gifts", "Wrapping", "Cards", "Paper")}
    assert parents == {
        "Gifts": None,
        "Wrapping": made["Gifts"]["id"],
        "Cards": made["Gifts"]["id"],
        "Paper": made["Cards"]["id"],
    }
    assert made["Very late orders"]["parentId"] == "topic-2"


async def test_a_child_of_a_rejected_topic_is_rejected(world: World) -> None:
    """Its parent is neither in Gladly nor on its way any more."""
    rows = [{"crm": "child", "name": "Child", "parentKey": "parent"}, {"crm": "parent", "name": "Orders"}]

    report = await world.rows(rows, resource="topics")

    assert world.asked() == {"addTopic": 1}
    assert report.rejects_by_code == {"taken": 1, "unknown_key": 1}


@pytest.mark.parametrize(
    ("on_conflict", "word", "asked"),
    [
        ("quarantine", "rejected", {"addTopic": 1}),
        ("skip", "skipped", {"addTopic": 1}),
        ("update", "updated", {"addTopic": 1, "getTopic": 1, "updateTopic": 1}),
        ("merge", "unchanged", {"addTopic": 1, "getTopic": 1}),
    ],
)
async def test_a_taken_name_is_settled_by_the_policy(
    on_conflict: str, word: str, asked: dict[str, int], world: World
) -> None:
    """Gladly names the other topic, so no search is needed; children then lie below that one."""
    rows = [{"crm": "1", "name": "Old stock", "disabled": False}]

    report = await world.rows(rows, resource="topics", on_conflict=on_conflict)

    assert world.asked() == asked
    assert done(report) == {word: 1}
    assert world.emulator.store.collections["topics"]["topic-3"]["disabled"] is (on_conflict != "update")


async def test_a_dry_run_accepts_no_topic_that_an_import_rejects_for_its_parent(world: World) -> None:
    """Parents that do not exist, are rejected, or are below their own child; the order in the file does not matter."""
    rows = [
        {"crm": "b", "name": "B", "parentKey": "a"},
        {"crm": "a", "name": "A"},
        {"crm": "c", "name": "C", "parentKey": "d"},
        {"crm": "d", "name": "D", "parentKey": "c"},
        {"crm": "e", "name": "E", "parentKey": "nobody"},
        {"crm": "f", "name": "F", "parentKey": "e"},
        {"crm": "b", "name": "B", "parentKey": "a"},
        {"crm": "h", "name": "H", "parentKey": "imported before"},
        {"crm": "i", "name": "", "parentKey": "a"},
        {"crm": "j", "name": "J", "parentKey": "i"},
    ]
    await world.rows([{"crm": "imported before", "name": "Before"}], resource="topics")
    path = world.ndjson(rows)

    dry = await dry_run("topics", [str(path)], world.options, host=world.emulator.url)
    report = await world.run(path, resource="topics")

    assert {finding.code: finding.rows for finding in dry.findings} == report.rejects_by_code
    assert (dict(dry.first_requests), dry.exit_code) == ({"addTopic": report.counts["created"]}, 1)
    assert done(report) == {"created": 3, "unchanged": 1, "rejected": 6}


async def test_a_topic_is_renamed_by_its_path(world: World) -> None:
    """A list, a read and a write; and the same row is unchanged the next time."""
    row = {"crm": "1", "topic": "Orders / Late orders", "name": "Delayed orders"}

    report = await world.rows([row], resource="topics", mode="update")

    assert world.asked() == {"getTopics": 1, "getTopic": 1, "updateTopic": 1}
    assert done(report) == {"updated": 1}
    assert world.emulator.store.collections["topics"]["topic-2"]["name"] == "Delayed orders"


async def test_a_topic_is_renamed_by_its_key(world: World) -> None:
    """The key stays, the name changes: one request; a name that is taken is a reject."""
    await world.rows([{"crm": "1", "name": "Gifts"}, {"crm": "2", "name": "Cards"}], resource="topics")
    world.forget()

    report = await world.rows([{"crm": "1", "name": "Presents"}, {"crm": "2", "name": "Orders"}], resource="topics")

    assert world.asked() == {"updateTopic": 2}
    assert done(report) == {"updated": 1, "rejected": 1}
    names = {topic["name"] for topic in world.emulator.store.collections["topics"].values()}
    assert {"Presents", "Cards"} <= names


# --- comments, notes and what conversations have ----------------------------------------------


def conversation(world: World, conversation_id: str = "talk", **fields: Any) -> str:
    """A conversation of Ada, who is made with the first."""
    if "ada" not in world.emulator.store.customers:
        customer(world)
    return world.emulator.add_conversation("ada", **{"id": conversation_id, "inboxId": "inbox-1", **fields})


def talk(world: World, conversation_id: str = "talk") -> Mapping[str, Any]:
    """The conversation as it is now."""
    return world.emulator.store.conversations[conversation_id]


def notes(world: World) -> list[str]:
    """The texts of all notes, in order."""
    items = world.emulator.store.items.values()
    return [item["content"]["body"] for item in items if item["content"]["type"] == "CONVERSATION_NOTE"]


async def test_comments_are_joined_to_their_tasks_and_keep_their_order(world: World) -> None:
    """The crosswalk of the tasks' run says which task it is, without a request."""
    customer(world)
    await world.rows([task(1), task(2)], resource="tasks")
    world.forget()
    rows = [
        {"crm": f"c-{number}", "taskKey": f"t-{number % 2 + 1}", "agentId": "agent-1", "comment": f"No {number}"}
        for number in range(20)
    ]

    report = await world.rows(rows, resource="task-comments")

    assert world.asked() == {"createTaskComment": 20}
    assert done(report) == {"created": 20}
    first = [one for one in world.emulator.store.task_comments.values() if one["comment"] in ("No 0", "No 2", "No 4")]
    assert [one["comment"] for one in first] == ["No 0", "No 2", "No 4"]
    assert len({one["taskId"] for one in first}) == 1


@pytest.mark.parametrize("most_waiting", [1000, 2])
async def test_a_slow_task_holds_up_its_own_comments_alone(most_waiting: int, world: World) -> None:
    """Those behind it wait, in order; those of another task go on, as long as there is room for the waiting."""
    customer(world)
    for task_id in ("slow", "quick"):
        world.emulator.add_task("ada", id=task_id)
    world.emulator.faults.script("createTaskComment", [slow(0.3)])
    slow_ones = [{"crm": f"{n}", "taskId": "slow", "agentId": "agent-1", "comment": f"slow {n}"} for n in range(5)]
    quick = {"crm": "q", "taskId": "quick", "agentId": "agent-1", "comment": "quick"}

    bounds = Bounds(records_waiting=most_waiting)
    report = await world.rows([*slow_ones, quick], resource="task-comments", bounds=bounds)

    order = [one["comment"] for one in world.emulator.store.task_comments.values()]
    assert done(report) == {"created": 6}
    assert [comment for comment in order if comment != "quick"] == [f"slow {n}" for n in range(5)]
    if most_waiting > 5:
        assert order.index("quick") < order.index("slow 1")


async def test_a_stop_leaves_what_waits_in_a_lane_unprocessed(world: World) -> None:
    """It was never begun, and resume takes it up."""
    customer(world)
    world.emulator.add_task("ada", id="held")
    rows = [{"crm": f"{n}", "taskId": "held", "agentId": "agent-1", "comment": f"x{n}"} for n in range(20)]

    stopped = await world.run(world.ndjson(rows), resource="task-comments", max_requests=5)
    resumed = await world.resume()

    assert stopped.exit_code == 10
    assert 0 < stopped.counts["unprocessed"] < 20
    assert done(resumed) == {"created": 20}
    assert [one["comment"] for one in world.emulator.store.task_comments.values()] == [f"x{n}" for n in range(20)]


async def test_a_key_that_leads_nowhere_costs_nothing(world: World) -> None:
    """The row is rejected, and told how the earlier run is named."""
    row = {"crm": "1", "taskKey": "t-9", "agentId": "agent-1", "comment": "x"}

    report = await world.rows([row], resource="task-comments")

    assert world.asked() == {}
    assert report.rejects_by_code == {"unknown_key": 1}
    [reject] = world.result(report, "rejected")
    assert "--after" in reject["_bulkgladly"]["detail"]


async def test_after_looks_keys_up_in_the_namespace_of_another_run(world: World) -> None:
    """Customers of one source system, and activities of another."""
    await world.rows([{"crm": "7", "email:1": "seven@example.org"}], namespace="shop")
    last = world.last_run()
    rows = [activity(1, customerKey="7", customerId="")]

    without = await world.rows(rows, resource="activities", namespace="till")
    joined = await world.rows(rows, resource="activities", namespace="till", after=(("customers", "shop"),))

    assert without.rejects_by_code == {"unknown_key": 1}
    assert done(joined) == {"created": 1}
    assert namespaces_after(world.state, [last.name]) == (("customers", "shop"),)
    [item] = world.emulator.store.items.values()
    assert item["customerId"] in world.emulator.store.customers


@pytest.mark.parametrize("undocumented_409", [True, False])
async def test_a_lost_reply_makes_no_second_comment(undocumented_409: bool, make_world: Callable[..., Any]) -> None:
    """Whatever a repeat of the id answers."""
    world = await make_world(undocumented_409=undocumented_409)
    customer(world)
    world.emulator.add_task("ada", id="held")
    world.emulator.faults.script("createTaskComment", [drop_reply()])
    row = {"crm": "1", "taskId": "held", "agent": "ada.agent@example.org", "comment": "x"}

    report = await world.rows([row], resource="task-comments")

    assert world.asked() == {"getAgents": 1, "createTaskComment": 2, "getTaskComment": 1}
    assert done(report) == {"created": 1}
    assert world.emulator.store.count("task_comments") == 1


async def test_a_closed_task_takes_no_comment(world: World) -> None:
    """The reject says what to do about it."""
    customer(world)
    world.emulator.add_task("ada", id="held", status="CLOSED")
    row = {"crm": "1", "taskId": "held", "agentId": "agent-1", "comment": "x"}

    report = await world.rows([row], resource="task-comments")

    assert report.rejects_by_code == {"invalid_state": 1}
    [reject] = world.result(report, "rejected")
    assert "reopen" in reject["_bulkgladly"]["detail"]


async def test_notes_cost_one_request_and_are_never_made_again(world: World) -> None:
    """Neither by the same file nor by another text under the same key."""
    conversation(world)
    rows = [
        {"crm": "1", "conversationId": "talk", "body": "Called."},
        {"crm": "2", "conversationId": "talk", "body": "No"},
    ]

    first = await world.rows(rows, resource="notes")
    again = await world.rows([rows[0], {**rows[1], "body": "Other"}], resource="notes")

    assert world.asked() == {"addNoteToConversation": 2}
    assert done(first) == {"created": 2}
    assert done(again) == {"unchanged": 1, "rejected": 1}
    assert notes(world) == ["Called.", "No"]


async def test_a_note_whose_reply_was_lost_is_found_in_the_list(world: World) -> None:
    """Equal notes of other rows, of people and of earlier days are not taken for it."""
    conversation(world)
    note = {"type": "CONVERSATION_NOTE", "body": "Called."}
    world.emulator.add_item(note, conversation_id="talk", timestamp=ago(days=1), initiator={"id": "x", "type": "API"})
    world.emulator.add_item(note, conversation_id="talk", initiator={"id": "agent-1", "type": "AGENT"})
    world.emulator.faults.script("addNoteToConversation", [None, drop_reply()])
    rows = [{"crm": str(number), "conversationId": "talk", "body": "Called."} for number in range(3)]

    report = await world.rows(rows, resource="notes")

    assert world.asked() == {"addNoteToConversation": 3, "getConversationItems": 1}
    assert done(report) == {"created": 3}
    assert len(notes(world)) == 5
    ids = {line["gladly_id"] for line in world.result(report, "success")}
    assert len(ids) == 3


async def test_a_note_that_was_not_made_ends_as_unknown(world: World) -> None:
    """The list may lag, so that it is not there proves nothing; it is not sent again, either."""
    conversation(world)
    world.emulator.faults.script("addNoteToConversation", [status(500)])
    row = {"crm": "1", "conversationId": "talk", "body": "Called."}

    report = await world.rows([row], resource="notes")
    again = await world.rows([row], resource="notes")

    assert world.asked() == {"addNoteToConversation": 1, "getConversationItems": 1}
    assert (done(report), done(again)) == ({"unknown": 1}, {"unknown": 1})
    assert notes(world) == []


async def test_a_conversation_is_closed_with_its_topics_first(make_world: Callable[..., Any]) -> None:
    """Two requests, and the lists of names."""
    world = await make_world(topics_before_closing=True)
    conversation(world)
    row = {"conversationId": "talk", "topics": "Orders / Late orders; Orders", "inbox": "Returns", "status": "closed"}

    report = await world.rows([row], resource="conversations", key=None)

    assert world.asked() == {"getTopics": 1, "getInboxes": 1, "addTopicToConversation": 1, "patchConversation": 1}
    assert done(report) == {"updated": 1}
    assert (talk(world)["status"], talk(world)["inboxId"]) == ("CLOSED", "inbox-2")
    assert talk(world)["topicIds"] == ["topic-2", "topic-1"]


async def test_a_waiting_customer_is_closed_by_force_alone(world: World) -> None:
    """Without the policy the row is rejected with the way out."""
    conversation(world)
    world.emulator.add_item(
        {"type": "SMS", "from": "+16505550100", "to": "+16505550199", "content": "Hello?"}, conversation_id="talk"
    )
    row = {"conversationId": "talk", "status": "CLOSED"}

    refused = await world.rows([row], resource="conversations", key=None)
    forced = await world.rows([row], resource="conversations", key=None, force_close=True)

    assert world.asked() == {"patchConversation": 2, "getConversation": 1}
    assert refused.rejects_by_code == {"invalid_state": 1}
    [reject] = world.result(refused, "rejected")
    assert "--force-close" in reject["_bulkgladly"]["detail"]
    assert done(forced) == {"updated": 1}
    assert talk(world)["status"] == "CLOSED"


async def test_a_closed_conversation_is_assigned_when_it_is_reopened(world: World) -> None:
    """By itself that is refused; already as wanted, it is unchanged."""
    conversation(world, status="CLOSED")
    assigned = {"conversationId": "talk", "inboxId": "inbox-2"}

    refused = await world.rows([assigned], resource="conversations", key=None)
    reopened = await world.rows([{**assigned, "status": "OPEN"}], resource="conversations", key=None)
    closed = await world.rows([{**assigned, "status": "CLOSED"}], resource="conversations", key=None)
    again = await world.rows([{**assigned, "status": "CLOSED"}], resource="conversations", key=None)

    assert refused.rejects_by_code == {"invalid_state": 1}
    assert [done(report) for report in (reopened, closed, again)] == [{"updated": 1}, {"updated": 1}, {"unchanged": 1}]
    assert (talk(world)["status"], talk(world)["inboxId"]) == ("CLOSED", "inbox-2")


async def test_a_close_whose_reply_was_lost_is_recognised(world: World) -> None:
    """Its repeat is refused, since a closed conversation cannot be assigned."""
    conversation(world)
    world.emulator.faults.script("patchConversation", [drop_reply()])
    row = {"conversationId": "talk", "inboxId": "inbox-2", "status": "CLOSED"}

    report = await world.rows([row], resource="conversations", key=None)

    assert world.asked() == {"patchConversation": 2, "getConversation": 1}
    assert done(report) == {"updated": 1}


async def test_topics_go_on_and_off_a_conversation(world: World) -> None:
    """All of a row go on by one request, and come off by one each."""
    conversation(world)
    row = {"conversationId": "talk", "topics": ["Orders", "Late orders"]}

    added = await world.rows([row], resource="conversation-topics", key=None)
    topic_ids = talk(world)["topicIds"]
    removed = await world.rows([row], resource="conversation-topics", key=None, mode="delete")

    assert world.asked() == {"getTopics": 2, "addTopicToConversation": 1, "deleteTopicFromConversation": 2}
    assert (done(added), topic_ids) == ({"updated": 1}, ["topic-1", "topic-2"])
    assert (done(removed), talk(world)["topicIds"]) == ({"deleted": 1}, [])


async def test_freeform_topics_are_changed_by_key(world: World) -> None:
    """In both forms of a row; the conversation is asked for its customer where the row does not say."""
    conversation(world)
    rows: list[dict[str, Any]] = [
        {"conversationId": "talk", "customerId": "ada", "add": [{"key": "orderId", "value": "A1"}]},
        {"conversationId": "talk", "add:1": "S1", "add:1:key": "storeId", "remove:1": "A1", "remove:1:key": "orderId"},
    ]

    report = await world.rows(rows, resource="freeform-topics", key=None)

    assert world.asked() == {"changeFreeformTopics": 2, "getConversation": 1}
    assert done(report) == {"updated": 2}
    assert talk(world)["customAttributes"] == [{"id": "custom-attribute-2", "value": "S1"}]


async def test_redactions_have_to_be_asked_for(world: World) -> None:
    """They take one request each, and are never the default."""
    conversation(world)
    item = world.emulator.add_item(
        {"type": "SMS", "from": "+16505550100", "to": "+16505550199", "content": "4111"}, conversation_id="talk"
    )
    rows = [{"itemId": item}, {"itemId": "gone"}]

    with pytest.raises(UsageError, match="--mode delete"):
        await world.rows(rows, resource="redactions", key=None)
    report = await world.rows(rows, resource="redactions", key=None, mode="delete")

    assert world.asked() == {"redactContent": 2}
    assert done(report) == {"deleted": 1, "rejected": 1}
    assert "4111" not in str(world.emulator.store.items[item]["content"])


# --- names -----------------------------------------------------------------------------------


async def test_names_that_lead_nowhere_stop_the_run_before_the_first_write(world: World) -> None:
    """All of them are listed, with how many rows use each; and the run does not stand in the way."""
    customer(world)
    rows = [task(1), task(2, inbox="Refunds"), task(3, inbox="Refunds"), task(4, agent="nobody@example.org")]

    stopped = await world.run(world.ndjson(rows), resource="tasks")
    asked = world.asked()
    went_on = await world.run(world.ndjson(rows), resource="tasks", missing_names="reject")

    assert stopped.exit_code == 2
    assert "inbox 'Refunds': unknown_name, 2 rows" in (stopped.reason or "")
    assert "agent 'nobody@example.org': unknown_name, 1 row" in (stopped.reason or "")
    assert asked == {"getInboxes": 1, "getAgents": 1}
    assert done(went_on) == {"created": 1, "rejected": 3}
    assert went_on.rejects_by_code == {"unknown_name": 3}


async def test_ids_need_no_list(world: World) -> None:
    """Where rows use ids, nobody asks for names."""
    customer(world)
    row = {"crm": "1", "customerId": "ada", "assignee": {"inboxId": "inbox-1"}, "body": "x", "dueAt": DUE}

    report = await world.rows([row], resource="tasks")

    assert world.asked() == {"createTask": 1}
    assert done(report) == {"created": 1}


@pytest.mark.parametrize("fault", [NOT_THERE, status(404, body="html"), status(400)], ids=["404", "a page", "400"])
async def test_a_list_of_names_that_cannot_be_had_ends_the_run(fault: Fault, world: World) -> None:
    """Nothing was written, and the run is resumed later."""
    customer(world)
    world.emulator.faults.after("getInboxes", 0, fault)

    stopped = await world.run(world.ndjson([task(1)]), resource="tasks")
    world.emulator.faults.clear()
    resumed = await world.resume()

    assert (stopped.exit_code, stopped.counts["unprocessed"]) == (5, 1)
    assert done(resumed) == {"created": 1}


# --- answers and their contents ----------------------------------------------------------------


async def test_answers_in_every_mode(world: World) -> None:
    """Made, changed, and deleted; one that is in use is refused with the way out."""
    rows = [{"crm": "1", "name": "Exchanges", "audiences": "Members"}, {"crm": "2", "name": "Sizes"}]

    made = await world.rows(rows, resource="answers")
    changed = await world.rows([{**rows[0], "audiences": "Members; Everybody"}, rows[1]], resource="answers")
    ids = [one["gladly_id"] for one in world.result(made, "success")]
    world.emulator.use_answer(ids[1])
    world.forget()
    deleted = await world.rows([{"crm": "1"}, {"crm": "2"}, {"crm": "3"}], resource="answers", mode="delete")

    assert world.asked() == {"deleteAnswer": 3}
    assert (done(made), done(changed)) == ({"created": 2}, {"updated": 1, "unchanged": 1})
    assert done(deleted) == {"deleted": 1, "rejected": 1, "unchanged": 1}
    assert deleted.rejects_by_code == {"in_use": 1}
    assert ids[0] not in world.emulator.store.collections["answers"]


async def test_a_taken_name_of_an_answer(world: World) -> None:
    """On a create Gladly names the other one, 409; on an update it is a 400."""
    taken = {"crm": "1", "name": "Returns", "description": "New"}

    refused = await world.rows([taken], resource="answers")
    adopted = await world.rows([taken], resource="answers", on_conflict="update")
    renamed = await world.rows([{"crm": "1", "name": "Delivery times"}], resource="answers")

    assert world.asked() == {"addAnswer": 2, "getAnswerById": 1, "updateAnswer": 2}
    assert (done(refused), done(adopted), done(renamed)) == ({"rejected": 1}, {"updated": 1}, {"rejected": 1})
    assert renamed.rejects_by_code == {"taken": 1}
    assert world.emulator.store.collections["answers"]["answer-1"]["description"] == "New"


async def test_a_lost_reply_makes_no_second_answer(world: World) -> None:
    """The repeat is refused for the id and for the name; both are ours."""
    world.emulator.faults.script("addAnswer", [drop_reply()])

    report = await world.rows([{"crm": "1", "name": "Exchanges"}], resource="answers")

    assert world.asked() == {"addAnswer": 2, "getAnswerById": 1}
    assert done(report) == {"created": 1}


async def test_contents_of_answers_by_their_keys(world: World) -> None:
    """One request in an upsert; what was accepted before takes none."""
    await world.rows([{"crm": "1", "name": "Exchanges"}], resource="answers")
    world.forget()
    content = {
        "crm": "c",
        "answerKey": "1",
        "language": "EN-US",
        "type": "public",
        "bodyHtml": "<p>x</p>",
        "title": "X",
    }

    made = await world.rows([content], resource="answer-contents")
    again = await world.rows([content], resource="answer-contents")
    deleted = await world.rows([content], resource="answer-contents", mode="delete")

    assert world.asked() == {"addAnswerContentByLanguageAndType": 1, "deleteAnswerContentByLanguageAndType": 1}
    assert [done(report) for report in (made, again, deleted)] == [{"updated": 1}, {"unchanged": 1}, {"deleted": 1}]


@pytest.mark.parametrize(
    ("mode", "words", "written"),
    [
        ("create", {"created": 1, "rejected": 1, "unchanged": 1}, 1),
        ("update", {"rejected": 1, "updated": 1, "unchanged": 1}, 1),
    ],
)
async def test_contents_are_asked_about_where_the_mode_asks(
    mode: str, words: dict[str, int], written: int, world: World
) -> None:
    """A new one, a different one, and an equal one."""
    place = {"answerId": "answer-1", "language": "en-us"}
    rows = [
        {**place, "type": "messaging", "bodyHtml": "<p>new</p>"},
        {**place, "type": "email", "bodyHtml": "<p>other</p>", "subject": "Your return"},
        {
            **place,
            "language": "es-mx",
            "type": "public",
            "bodyHtml": "<p>Tiene 30 días.</p>",
            "title": "¿Cómo devuelvo algo?",
        },
    ]

    report = await world.rows(rows, resource="answer-contents", key=None, mode=mode)

    assert world.asked() == {
        "getAnswerContentByLanguageAndType": 3,
        "addAnswerContentByLanguageAndType": written,
    }
    assert done(report) == words


# --- business hours ----------------------------------------------------------------------------

HOURS = {"timezone": "Europe/Paris", "monday": [{"start": "9:00", "stop": "17:00"}]}


async def test_business_hours_in_every_mode(world: World) -> None:
    """Found by name, written with the version that was read, deleted by what is remembered."""
    paris = {"crm": "1", "name": "Paris", "officeHours": HOURS}

    made = await world.rows([paris], resource="business-hours")
    asked_made = world.asked()
    world.forget()
    changed = await world.rows([{**paris, "name": "Paris and Lyon"}], resource="business-hours")
    asked_changed = world.asked()
    world.forget()
    deleted = await world.rows([{"crm": "1"}], resource="business-hours", mode="delete")

    assert asked_made == {"getBusinessHours": 1, "createBusinessHours": 1}
    assert asked_changed == {"getBusinessHoursById": 1, "updateBusinessHours": 1}
    assert world.asked() == {"deleteBusinessHours": 1}
    assert [done(report) for report in (made, changed, deleted)] == [{"created": 1}, {"updated": 1}, {"deleted": 1}]
    assert world.emulator.store.count("business_hours") == 2


async def test_business_hours_are_made_at_most_once(world: World) -> None:
    """A lost reply is settled by the list; without memory the name finds what is there."""
    world.emulator.faults.script("createBusinessHours", [drop_reply()])
    paris = {"crm": "1", "name": "Paris", "officeHours": HOURS}

    made = await world.rows([paris], resource="business-hours", mode="create")
    forget_state(world)
    again = await world.rows([paris], resource="business-hours")

    assert world.asked() == {"createBusinessHours": 1, "getBusinessHours": 2, "getBusinessHoursById": 1}
    assert (done(made), done(again)) == ({"created": 1}, {"unchanged": 1})
    assert world.emulator.store.count("business_hours") == 3


async def test_an_outdated_version_is_read_again(world: World) -> None:
    """Once; the fields that the row does not have stay as they are."""
    schedules = world.emulator.store.collections["business_hours"]
    world.emulator.faults.script("updateBusinessHours", [status(409)])

    report = await world.rows(
        [{"id": "bh_stores", "name": "Shops"}], resource="business-hours", key=None, mode="update"
    )

    assert world.asked() == {"getBusinessHoursById": 2, "updateBusinessHours": 2}
    assert done(report) == {"updated": 1}
    assert (schedules["bh_stores"]["name"], "saturday" in schedules["bh_stores"]["officeHours"]) == ("Shops", True)


async def test_the_primary_schedule_stays(world: World) -> None:
    """Gladly refuses to delete it, and the row is rejected."""
    report = await world.rows([{"id": "bh_support"}], resource="business-hours", key=None, mode="delete")

    assert done(report) == {"rejected": 1}
    assert report.rejects_by_code == {"invalid": 1}


# --- webhooks ----------------------------------------------------------------------------------


def hook(**more: Any) -> dict[str, Any]:
    return {"url": "https://example.org/hook", "events": ["TASK/CREATED"], "enabled": True, **more}


async def test_a_webhook_is_made_disabled_and_then_enabled(world: World) -> None:
    """Two requests; known by its URL, it takes none, and one for a change after a read."""
    made = await world.rows([hook()], resource="webhooks", key=None)
    asked_made = world.asked()
    world.forget()
    again = await world.rows([hook()], resource="webhooks", key=None)
    changed = await world.rows([hook(name="Orders")], resource="webhooks", key=None)

    assert asked_made == {"createWebhook": 1, "updateWebhook": 1}
    assert world.asked() == {"getWebhook": 1, "updateWebhook": 1}
    assert [done(report) for report in (made, again, changed)] == [{"created": 1}, {"unchanged": 1}, {"updated": 1}]
    [held] = world.emulator.store.collections["webhooks"].values()
    assert (held["enabled"], held["name"]) == (True, "Orders")


async def test_a_webhook_is_made_although_its_ping_fails(make_world: Callable[..., Any]) -> None:
    """The reject says what is missing, and the next try only enables it."""
    world = await make_world(ping="refuse")

    report = await world.rows([hook()], resource="webhooks", key=None)

    assert done(report) == {"rejected": 1}
    [reject] = world.result(report, "rejected")
    assert "PING" in reject["_bulkgladly"]["detail"]
    [held] = world.emulator.store.collections["webhooks"].values()
    assert held["enabled"] is False


async def test_a_lost_reply_makes_no_second_webhook(world: World) -> None:
    """The repeat is refused for the URL, and the list tells whose it is."""
    world.emulator.faults.script("createWebhook", [drop_reply()])

    report = await world.rows([hook()], resource="webhooks", key=None)

    assert world.asked() == {"createWebhook": 2, "getWebhooks": 1, "updateWebhook": 1}
    assert done(report) == {"created": 1}
    [held] = world.emulator.store.collections["webhooks"].values()
    assert held["enabled"] is True


async def test_a_webhook_is_disabled_before_it_is_deleted(world: World) -> None:
    """By what is remembered two requests, by its URL three; one that is gone is unchanged."""
    await world.rows([hook(), hook(url="https://example.org/other")], resource="webhooks", key=None)
    world.forget()

    known = await world.rows([{"url": "https://example.org/hook"}], resource="webhooks", key=None, mode="delete")
    forget_state(world)
    found = await world.rows(
        [{"url": "https://example.org/other"}, {"url": "https://example.org/gone"}],
        resource="webhooks",
        key=None,
        mode="delete",
    )

    assert world.asked() == {"updateWebhook": 2, "deleteWebhook": 2, "getWebhooks": 2}
    assert (done(known), done(found)) == ({"deleted": 1}, {"deleted": 1, "unchanged": 1})


# --- what reaches people -----------------------------------------------------------------------


def text(number: int) -> dict[str, Any]:
    return {"crm": f"s-{number}", "mobileNumber": f"+1650555010{number}", "from": "+16505550199", "body": "Hello"}


async def test_nobody_gets_a_message_by_mistake(world: World) -> None:
    """The refusal says how many there would be."""
    with pytest.raises(UsageError, match=r"text message to a person, 3 times.*--i-know-this-contacts-people"):
        await world.rows([text(1), text(2), text(3)], resource="sms")

    assert world.emulator.requests.by_operation == {}


async def test_one_message_goes_first(world: World) -> None:
    """It is looked at by a person, and resume sends the others, each once."""
    rows = [text(number) for number in range(5)]

    first = await world.run(world.ndjson(rows), resource="sms", contacts_people=True)
    asked_first = world.asked()
    rest = await world.resume()
    again = await world.rows(rows, resource="sms", contacts_people=True)

    assert asked_first == {"sendSMS": 1}
    assert (first.exit_code, first.counts["created"], first.counts["unprocessed"]) == (10, 1, 4)
    assert done(rest) == {"created": 5}
    assert done(again) == {"unchanged": 5}
    assert world.asked() == {"sendSMS": 5}


async def test_a_lost_message_is_never_sent_again(world: World) -> None:
    """Nothing tells whether it arrived; neither resume nor retry nor another run sends it."""
    world.emulator.faults.script("sendSMS", [drop_reply()])
    rows = [text(1)]

    report = await world.rows(rows, resource="sms", contacts_people=True)
    with pytest.raises(UsageError, match=r"skipped.*--sent-nothing"):
        await world.retry()
    again = await world.rows(rows, resource="sms", contacts_people=True)

    assert [done(one) for one in (report, again)] == [{"unknown": 1}] * 2
    assert world.asked() == {"sendSMS": 1}
    assert world.emulator.store.count("sent_messages") == 1


async def test_a_message_that_was_throttled_is_sent(world: World) -> None:
    """A 429 was not executed, so it is sent again: the one repeat that is safe."""
    world.emulator.faults.script("sendSMS", [rate_limited(), rate_limited()])

    report = await world.rows([text(1)], resource="sms", contacts_people=True)

    assert world.asked() == {"sendSMS": 3}
    assert done(report) == {"created": 1}
    assert world.emulator.store.count("sent_messages") == 1


async def test_what_is_unknown_is_no_reason_to_retry(world: World) -> None:
    """A retry would leave it alone."""
    world.emulator.faults.script("sendSMS", [drop_reply()])

    report = await world.rows([text(1)], resource="sms", contacts_people=True)

    assert done(report) == {"unknown": 1}
    assert not [command for command in report.next_commands if "retry" in command]


@pytest.mark.parametrize(
    ("resource", "row", "operation"),
    [
        pytest.param(
            "emails",
            {
                "to": [{"email": "ada@example.org", "name": "Ada"}],
                "from": "us@example.org",
                "subject": "s",
                "text": "t",
            },
            "sendEmail",
            id="email",
        ),
        pytest.param("replies", {"itemId": "in", "type": "SMS", "body": "Hello"}, "replyToMessage", id="reply"),
        pytest.param(
            "recipient-collections",
            {
                "campaignId": "campaign-1",
                "name": "May",
                "startAfter": DUE,
                "recipients:1": "Ada",
                "recipients:1:timezone": "Europe/Paris",
                "recipients:1:emailAddress": "ada@example.org",
            },
            "createRecipientCollection",
            id="collection",
        ),
    ],
)
async def test_other_messages_cost_one_request(
    resource: str, row: dict[str, Any], operation: str, world: World
) -> None:
    """Where they are meant."""
    conversation(world)
    sms = {"type": "SMS", "from": "+16505550100", "to": "+16505550199", "content": "?"}
    world.emulator.add_item(sms, conversation_id="talk", id="in")

    report = await world.rows([row], resource=resource, key=None, contacts_people=True)

    assert world.asked() == {operation: 1}
    assert done(report) == {"created": 1}


# --- what is told before anything is sent ------------------------------------------------------


async def test_a_dry_run_joins_keys_and_takes_names_as_they_are(world: World) -> None:
    """Without a request: what is known of earlier runs is known here, too."""
    await world.rows([{"crm": "7", "email:1": "seven@example.org"}])
    world.emulator.requests.clear()
    rows = [
        activity(1, customerId="", customerKey="7"),
        activity(2, customerId="", customerKey="8"),
        activity(3, occurredAt=ago(days=400)),
    ]
    options = replace(world.options, mode=None)

    found = await dry_run("activities", [str(world.ndjson(rows))], options, host=world.emulator.url)
    named = await dry_run("tasks", [str(world.ndjson([task(1, inbox="Nowhere")]))], options, host=world.emulator.url)

    assert world.emulator.requests.by_operation == {}
    assert dict(found.first_requests) == {"createCustomerItem": 1}
    assert {finding.code: finding.rows for finding in found.findings} == {"unknown_key": 1, "too_old": 1}
    assert dict(named.first_requests) == {"createTask": 1}


@pytest.mark.parametrize(
    ("resource", "mode", "message"),
    [
        ("activities", "update", "activities do not support --mode update; supported modes: create, delete"),
        ("conversations", "create", "conversations do not support --mode create"),
        ("people", None, "unknown object 'people'"),
    ],
)
async def test_a_mode_that_a_resource_does_not_have_is_refused(
    resource: str, mode: str | None, message: str, world: World
) -> None:
    """Before a run is made."""
    with pytest.raises(UsageError, match=message):
        await world.run(world.ndjson([{"crm": "1"}]), resource=resource, mode=mode)

    assert not list((world.state / "runs").glob("*"))


async def test_after_wants_an_import_that_there_is(world: World) -> None:
    """And one namespace for each resource."""
    await world.rows([{"crm": "7", "email:1": "seven@example.org"}], namespace="shop")
    shop = world.last_run().name
    await world.rows([{"crm": "7", "email:1": "till@example.org"}], namespace="till")
    till = world.last_run().name

    assert namespaces_after(world.state, [till]) == (("customers", "till"),)
    with pytest.raises(UsageError, match="no run 'nothing'"):
        namespaces_after(world.state, ["nothing"])
    with pytest.raises(UsageError, match="different namespaces"):
        namespaces_after(world.state, [shop, till])


async def test_a_stopped_run_of_messages_can_be_started_anew(world: World) -> None:
    """Nothing was on its way, so what was sent is known, and is not sent again."""
    path = world.ndjson([text(number) for number in range(2)])
    await world.run(path, resource="sms", contacts_people=True)

    with pytest.raises(UsageError, match="--new-run"):
        await world.run(path, resource="sms", contacts_people=True)
    await world.run(path, resource="sms", contacts_people=True, new_run=True)

    assert world.asked() == {"sendSMS": 2}
    assert world.emulator.store.count("sent_messages") == 2


async def test_more_topics_than_can_be_put_in_order_are_refused(world: World) -> None:
    """With the way out, and before anything is written."""
    path = world.ndjson([{"crm": str(n), "name": f"x{n}"} for n in range(4)])

    report = await world.run(path, resource="topics", bounds=Bounds(rows_in_order=3))

    assert (report.exit_code, world.asked()) == (2, {})
    assert "split it into several files, parents first" in (report.reason or "")


async def test_names_beyond_the_scan_are_looked_at_in_their_turn(world: World) -> None:
    """A very long input is not read twice to its end: what it has later is rejected row by row."""
    customer(world)
    rows = [task(1), task(2), task(3, agent="ada.agent@example.org"), task(4, inbox="Nowhere")]

    report = await world.rows(rows, resource="tasks", bounds=Bounds(rows_scanned=2))

    assert world.asked() == {"getInboxes": 1, "getAgents": 1, "createTask": 3}
    assert report.rejects_by_code == {"unknown_name": 1}
