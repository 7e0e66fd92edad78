"""Names to ids, and payloads with names and keys in them."""

from typing import Any

import pytest

from bulkgladly.gladly.directory import Directory, names_below, path_of
from bulkgladly.gladly.preparation import complete
from bulkgladly.gladly.spec import Draft
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.records import Problem
from tests.unit.stepping import DUE, prepared

DIRECTORY = Directory(
    {
        "inbox": [
            {"id": "in-1", "name": "General"},
            {"id": "in-2", "name": "general"},
            {"id": "in-3", "name": "Returns"},
            {"id": "in-4", "name": "Old", "disabled": True},
            {"id": "in-5", "name": "Twice"},
            {"id": "in-6", "name": "Twice"},
            {"id": "in-7", "name": "Moved", "disabled": True},
            {"id": "in-8", "name": "Moved", "disabled": False},
            {"name": "No id"},
            {"id": "in-9", "name": None},
        ],
        "agent": [
            {"id": "a-1", "name": "Ada Agent", "emailAddress": "Ada@example.org"},
            {"id": "a-2", "name": "Bela Agent"},
        ],
        "topic": [
            {"id": "t-1", "name": "Orders"},
            {"id": "t-2", "name": "Returns", "parentId": "t-1"},
            {"id": "t-3", "name": "Late", "parentId": "t-2"},
            {"id": "t-4", "name": "In/Out"},
            {"id": "t-5", "name": "Lost", "parentId": "nowhere"},
            {"id": "t-6", "name": "Egg", "parentId": "t-7"},
            {"id": "t-7", "name": "Hen", "parentId": "t-6"},
        ],
    }
)


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("inbox", "General", "in-1"),
        ("inbox", "general", "in-2"),
        ("inbox", " returns ", "in-3"),
        ("inbox", "Moved", "in-8"),
        ("agent", "ada@example.org", "a-1"),
        ("agent", "Bela Agent", "a-2"),
        ("topic", "Orders", "t-1"),
        ("topic", "Orders / Returns", "t-2"),
        ("topic", "Orders/Returns / Late", "t-3"),
        ("topic", "late", "t-3"),
        ("topic", "In/Out", "t-4"),
        ("topic", "Lost", "t-5"),
        ("topic", "Hen", "t-7"),
    ],
)
def test_a_name_leads_to_an_id(kind: str, name: str, found: str) -> None:
    """The exact spelling counts first, then any case; topics can also be named by their path."""
    assert DIRECTORY.resolve(kind, name, "field") == found


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("inbox", "GENERAL", "ambiguous_name"),
        ("inbox", "Twice", "ambiguous_name"),
        ("inbox", "Old", "disabled_name"),
        ("inbox", "Nobody", "unknown_name"),
        ("inbox", "None", "unknown_name"),
        ("agent", "", "unknown_name"),
        ("topic", "Returns / Orders", "unknown_name"),
        ("team", "Mornings", "unknown_name"),
    ],
)
def test_a_name_that_leads_nowhere_or_to_several(kind: str, name: str, code: str) -> None:
    """The problem names the field, but not the name, because agents have names of people."""
    found = DIRECTORY.resolve(kind, name, "field")

    assert isinstance(found, Problem)
    assert (found.code, found.attr) == (code, "field")
    assert not name or name not in found.detail


def test_without_lists_a_name_stands_for_itself() -> None:
    """A dry run reads no lists."""
    assert Directory().resolve("inbox", "Nobody", "inbox") == "Nobody"


def test_paths_are_taken_apart_and_put_together() -> None:
    """A slash without spaces is part of a name."""
    assert names_below("Orders / In/Out /  Late ") == ("Orders", "In/Out", "Late")
    assert path_of(("Orders", "Returns")) == "Orders / Returns"


def draft_of(resource: str, **fields: Any) -> Draft:
    found = prepared(resource, fields)
    assert isinstance(found, Draft), found
    return found


def test_names_and_keys_give_way_to_ids() -> None:
    """In objects and in plain fields; the fingerprints are those of what is sent."""
    record = draft_of("tasks", customerKey="7", inbox="Returns", agent="ada@example.org", body="x", dueAt=DUE)
    same = draft_of("tasks", customerId="ada", inboxId="in-3", agentId="a-1", body="x", dueAt=DUE)

    whole = complete(record, IMPORTS["tasks"], DIRECTORY, {("customers", "7"): "ada"})

    assert isinstance(whole, Draft)
    assert whole.payload["assignee"] == {"inboxId": "in-3", "agentId": "a-1"}
    assert whole.payload["customerId"] == "ada"
    assert (whole.fingerprints, whole.links) == (same.fingerprints, ())
    assert (len(record.links), record.payload["customerId"]) == (3, "7")


def test_every_name_of_a_list_is_resolved() -> None:
    """In its place; the problem of an unknown one names the field."""
    record = draft_of("answers", name="x", audiences="Members; Everybody")
    directory = Directory({"audience": [{"id": "au-1", "name": "Everybody"}, {"id": "au-2", "name": "Members"}]})

    whole = complete(record, IMPORTS["answers"], directory, {})
    other = complete(draft_of("answers", name="x", audiences="Nobody"), IMPORTS["answers"], directory, {})

    assert isinstance(whole, Draft)
    assert whole.payload["audienceIds"] == ["au-2", "au-1"]
    assert isinstance(other, Problem)
    assert (other.code, other.attr) == ("unknown_name", "audiences")


def test_a_key_of_another_resource_must_be_known() -> None:
    """A key of the same object may still be in flight, until no record is left."""
    comment = draft_of("task-comments", taskKey="7", agentId="a", comment="x")
    topic = draft_of("topics", name="x", parentKey="7")

    unknown = complete(comment, IMPORTS["task-comments"], DIRECTORY, {})
    still_open = complete(topic, IMPORTS["topics"], DIRECTORY, {})
    at_last = complete(topic, IMPORTS["topics"], DIRECTORY, {}, is_last=True)

    assert isinstance(unknown, Problem)
    assert (unknown.code, unknown.attr) == ("unknown_key", "taskKey")
    assert isinstance(still_open, Draft)
    assert (len(still_open.links), still_open.lanes) == (1, (topic_claim("7"),))
    assert isinstance(at_last, Problem)
    assert (at_last.code, at_last.attr) == ("unknown_key", "parentKey")


def topic_claim(key: str) -> int:
    """What the record of this key claims while it is in flight."""
    parent = prepared("topics", {"crm": key, "name": "Parent"})
    assert isinstance(parent, Draft)
    return next(claim.digest for claim in parent.claims if claim.attr == "key")


def test_the_name_of_an_object_stands_for_its_id() -> None:
    """A record of one conversation waits for the one before."""
    first = draft_of("conversation-topics", conversationId="talk", topicIds="t-1")
    second = draft_of("notes", conversationId="talk", body="x")
    other = draft_of("conversation-topics", conversationId="other", topicIds="t-1")

    lanes: list[tuple[int, ...]] = []
    for draft, name in ((first, "conversation-topics"), (second, "notes"), (other, "conversation-topics")):
        whole = complete(draft, IMPORTS[name], DIRECTORY, {})
        assert isinstance(whole, Draft)
        lanes.append(whole.lanes)

    assert lanes[0] == lanes[1] != lanes[2]
