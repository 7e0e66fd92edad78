"""What each record would do, as a change: for every object and mode, found out with requests that only read."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from bulkgladly.gladly.change import Action, Change
from bulkgladly.gladly.spec import Record
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Known, Word
from tests.unit.stepping import DUE, GONE, NOW, completed, judged, play, policy_for, record_of, remembered, reply

T = TypeVar("T")
HOURS = {"timezone": "Europe/Berlin", "monday": [{"start": "09:00", "stop": "17:00"}]}
NO_SCHEDULE = reply(200, [])
TALK = reply(200, {"id": "talk", "customerId": "ada", "topicIds": []})
CONTENT = {"answerId": "a", "language": "en-us", "type": "public", "bodyHtml": "<p>Yes.</p>", "title": "Yes"}

ROWS: Mapping[str, Mapping[str, Any]] = {
    "customers": {"name": "Ada", "emails": [{"original": "ada@example.org"}]},
    "activities": {"customerId": "ada", "activityType": "EMAIL", "title": "Welcome"},
    "tasks": {"customerId": "ada", "inboxId": "in", "body": "Call.", "dueAt": DUE},
    "task-comments": {"taskId": "t", "agentId": "agent", "comment": "Called."},
    "notes": {"conversationId": "talk", "body": "Called."},
    "topics": {"name": "Returns"},
    "conversations": {"conversationId": "talk", "status": "CLOSED", "topicIds": ["x"]},
    "conversation-topics": {"conversationId": "talk", "topicIds": ["x", "y"]},
    "freeform-topics": {"conversationId": "talk", "add": [{"key": "order", "value": "7"}]},
    "redactions": {"itemId": "item"},
    "answers": {"name": "Returns"},
    "answer-contents": CONTENT,
    "business-hours": {"name": "Berlin", "officeHours": HOURS},
    "webhooks": {"url": "https://example.org/hook", "events": "CONVERSATION/CLOSED"},
    "sms": {"mobileNumber": "+16505550100", "from": "+16505550199", "body": "Hello"},
    "emails": {"to": "ada@example.org", "from": "us@example.org", "subject": "Hello", "text": "Hello"},
    "replies": {"itemId": "item", "type": "EMAIL", "body": "Hello"},
    "recipient-collections": {
        "campaignId": "c",
        "name": "Launch",
        "startAfter": DUE,
        "recipients": [{"customerName": "Ada", "timezone": "UTC", "emailAddress": "ada@example.org"}],
    },
}
"""A row of each object."""

REPLIES: Mapping[tuple[str, str], Sequence[Reply]] = {
    ("customers", "update"): (reply(200, []), GONE),
    ("customers", "delete"): (reply(200, []), GONE),
    ("tasks", "update"): (GONE,),
    ("topics", "update"): (GONE,),
    ("answers", "update"): (GONE,),
    ("answer-contents", "create"): (GONE,),
    ("answer-contents", "update"): (GONE,),
    ("freeform-topics", "update"): (TALK,),
    ("business-hours", "update"): (NO_SCHEDULE,),
    ("business-hours", "upsert"): (NO_SCHEDULE,),
    ("webhooks", "update"): (reply(200, []),),
    ("webhooks", "delete"): (reply(200, []),),
}
"""What a look is told, where the mode takes one for a record that nothing is known of: there is no such object."""

EXPECTED = {
    "create": (Action.CREATE, Word.CREATED),
    "upsert": (Action.CREATE, Word.CREATED),
    "update": (Action.REFUSE, Word.REJECTED),
    "delete": (Action.DELETE, Word.DELETED),
}
OTHERWISE = {
    # What is changed without a look, and what a look finds nothing of.
    ("conversations", "update"): (Action.UPDATE, Word.UPDATED),
    ("conversation-topics", "update"): (Action.UPDATE, Word.UPDATED),
    ("freeform-topics", "update"): (Action.UPDATE, Word.UPDATED),
    ("answer-contents", "upsert"): (Action.UPDATE, Word.UPDATED),
    ("customers", "delete"): (Action.NONE, Word.UNCHANGED),
    ("webhooks", "delete"): (Action.NONE, Word.UNCHANGED),
    ("business-hours", "delete"): (Action.REFUSE, Word.REJECTED),
}
EVERY = [(name, mode.value) for name, spec in IMPORTS.items() for mode in spec.procedures]


def driven(asking: Generator[Request, Reply, T], answer: Callable[[], Reply]) -> T:
    """Answer each request, which must only read, and return the result."""
    try:
        request = next(asking)
        while True:
            assert (request.method, request.repeat) == ("GET", Repeat.HARMLESS), request.operation
            request = asking.send(judged(request, completed(request, answer())))
    except StopIteration as end:
        found: T = end.value
        return found


def decided(name: str, mode: str, record: Record, replies: Sequence[Reply] = ()) -> Change:
    """Return the change of a record; all replies must be used, and no more requested."""
    left = list(replies)
    change = driven(IMPORTS[name].decide(record, policy_for(mode)), lambda: left.pop(0))
    assert not left, f"{len(left)} replies were not asked for"
    return change


@pytest.mark.parametrize(("name", "mode"), EVERY)
def test_every_object_says_in_every_mode_what_it_would_do(name: str, mode: str) -> None:
    """As a value with the object, the key and the row, and without a request that writes."""
    record = record_of(name, ROWS[name], mode)

    change = decided(name, mode, record, REPLIES.get((name, mode), ()))

    assert (change.object, change.key, change.cause) == (name, "7", record.row.position)
    assert (change.action, change.word) == OTHERWISE.get((name, mode), EXPECTED[mode])
    assert (change.end is not None) == (change.action in (Action.NONE, Action.REFUSE))
    assert bool(change.after) == (change.action in (Action.CREATE, Action.UPDATE) or name == "conversation-topics")


def test_what_is_removed_of_an_object_stands_in_the_change() -> None:
    """So that a plan can name the topics that a conversation loses."""
    record = record_of("conversation-topics", ROWS["conversation-topics"], "delete")

    change = decided("conversation-topics", "delete", record)

    assert (change.id, change.after) == ("talk", {"topicIds": ["x", "y"]})


def test_what_a_look_showed_stands_in_the_change() -> None:
    """The fields that differ, and the schedule as it was, with the version that the write needs."""
    held = {"id": "h", "version": 3, "name": "Berlin", "primary": False, "officeHours": {"timezone": "UTC"}}
    record = record_of("business-hours", ROWS["business-hours"], "update")

    change = decided("business-hours", "update", record, [reply(200, [held]), reply(200, held)])

    assert (change.action, change.id, change.before) == (Action.UPDATE, "h", held)
    assert change.after == {"officeHours": HOURS}


@pytest.mark.parametrize("name", [name for name, spec in IMPORTS.items() if spec.is_at_most_once])
@pytest.mark.parametrize("later", ["known", "reserved", "in doubt"])
def test_a_create_that_was_decided_before_is_not_sent_if_it_may_have_been_since(name: str, later: str) -> None:
    """At most once also holds for a plan that is applied later: what is known by then counts."""
    record = record_of(name, ROWS[name], "create", sent_at=NOW.timestamp())
    change = decided(name, "create", record)
    by_now = {
        "known": record._replace(known=remembered(record)),
        "reserved": record._replace(known=Known("", {})),
        "in doubt": record._replace(doubt=True),
    }[later]

    outcome = driven(IMPORTS[name].apply(by_now, policy_for("create"), change), lambda: reply(200, []))

    assert change.action is Action.CREATE
    assert outcome.word is (Word.UNCHANGED if later == "known" else Word.UNKNOWN)


def test_a_record_known_by_a_former_id_is_changed_under_that_id() -> None:
    """The change names it, and carrying it out sends it."""
    record = record_of("topics", ROWS["topics"], "create")._replace(former_key="7 ", former_id="former")

    change = decided("topics", "create", record, [reply(200, {"id": "former", "name": "Returns"})])
    played = play("topics", "create", record, [reply(200, {"id": "former", "name": "Old"}), reply(201)])

    assert (change.action, change.id) == (Action.CREATE, "former")
    assert played.body()["id"] == "former"
