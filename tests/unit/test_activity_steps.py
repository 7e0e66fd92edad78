"""Activities and topics, driven by hand: what is theirs alone."""

import datetime as dt
from typing import Any

import pytest

from bulkgladly.gladly.directory import Directory
from bulkgladly.gladly.objects.topics import parents_first
from bulkgladly.gladly.preparation import complete, problems_of
from bulkgladly.gladly.spec import Draft
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.messages import Reply
from bulkgladly.records import Problem, Stage, Word
from tests.unit.stepping import (
    BROKEN,
    DONE,
    GONE,
    LOST,
    NOW,
    created,
    play,
    policy_for,
    prepared,
    record_of,
    refusal,
    remembered,
    reply,
)

ACTIVITY = {"customerId": "ada", "activityType": "issue", "title": "Order", "linkUrl": "https://example.org/1"}
CONTENT = {
    "type": "CUSTOMER_ACTIVITY",
    "activityType": "ISSUE",
    "title": "Order",
    "link": {"url": "https://example.org/1"},
}


def item(**content: Any) -> Reply:
    """The activity as Gladly shows it, with what it adds."""
    added = {"receivedAt": "2026-05-01T12:00:00Z", "expandByDefault": False}
    return reply(200, {"customerId": "ada", "content": {**CONTENT, **added, **content}})


def when(**ago: float) -> str:
    return (NOW - dt.timedelta(**ago)).isoformat()


@pytest.mark.parametrize("look", [LOST, BROKEN, refusal(400, "invalid")], ids=["lost", "503", "refused"])
def test_a_merged_customer_is_not_called_missing_because_the_profile_could_not_be_read(look: Reply) -> None:
    """Only the profile tells a merge. Without it nothing was proved, and a retry finds out."""
    played = play("activities", "create", record_of("activities", ACTIVITY), [GONE, look])

    assert played.calls == ["createCustomerItem", "getCustomer"]
    assert (played.outcome.word, played.outcome.code == "not_exist") == (Word.REJECTED, False)
    assert "retry" in (played.outcome.detail or "") or look.status == 400


def test_an_activity_is_made_below_its_customer_or_beside_an_address() -> None:
    """With the content in the API's own form."""
    by_id = record_of("activities", ACTIVITY)
    by_number = record_of("activities", {**ACTIVITY, "customerId": "", "customerMobile": "+16505550100"})

    first = play("activities", "create", by_id, [reply(200, {"content": CONTENT})])
    second = play("activities", "create", by_number, [reply(200, {"content": CONTENT})])

    assert first.calls == ["createCustomerItem"]
    assert first.body() == {"id": by_id.id, "content": CONTENT}
    assert second.calls == ["createItem"]
    assert second.body() == {"id": by_number.id, "content": CONTENT, "customer": {"mobilePhone": "+16505550100"}}


def test_a_row_may_have_the_form_of_the_api() -> None:
    """It means the same as its fields."""
    nested = record_of("activities", {"customerId": "ada", "content": {**CONTENT, "receivedAt": "x"}})

    assert nested.payload == record_of("activities", ACTIVITY).payload


@pytest.mark.parametrize(("change", "word"), [({}, Word.UNCHANGED), ({"title": "Other"}, Word.REJECTED)])
def test_an_activity_that_exists_cannot_be_changed(change: dict[str, Any], word: Word) -> None:
    """What Gladly adds to it does not count as a difference."""
    record = record_of("activities", ACTIVITY)
    taken = refusal(409, "taken", "newConversationItems")

    played = play("activities", "create", record, [taken, item(**change)])

    assert played.outcome.word is word


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"activityType": ""}, "blank"),
        ({"activityType": "CALL"}, "invalid_choice"),
        ({"title": "x" * 101}, "too_long"),
        ({"link": {"url": "u", "text": "x" * 51}, "linkUrl": ""}, "too_long"),
        ({"linkText": "x" * 51}, "too_long"),
        ({"occurredAt": when(days=366)}, "too_old"),
    ],
)
def test_an_activity_that_gladly_would_refuse(change: dict[str, Any], code: str) -> None:
    """Checked offline, by the same rules for an import and for a check."""
    found = prepared("activities", {**ACTIVITY, **change})

    assert isinstance(found, Problem)
    assert found.code == code


def test_a_year_ago_is_no_more_than_a_year_ago() -> None:
    """To the second; without a clock times are not judged, and deletions never are."""
    edge = {**ACTIVITY, "occurredAt": when(days=365)}
    old = {**ACTIVITY, "occurredAt": when(days=365, seconds=1)}

    assert isinstance(prepared("activities", edge), Draft)
    assert isinstance(prepared("activities", old), Problem)
    assert isinstance(prepared("activities", old, now=None), Draft)
    assert isinstance(prepared("activities", {**old, "id": "x"}, "delete"), Draft)


def test_a_check_gets_every_problem_of_a_row() -> None:
    """Where an import stops at the first."""
    row = {**ACTIVITY, "linkUrl": "", "link": {"text": "x" * 51}, "occurredAt": when(days=999)}
    nested = {name: value for name, value in row.items() if value != ""}

    found = problems_of(IMPORTS["activities"], nested, policy_for("create"))

    assert [problem.code for problem in found] == ["too_long", "too_old"]
    assert problems_of(IMPORTS["activities"], {"customerId": "a b"}, policy_for("create"))[0].code == "id"


@pytest.mark.parametrize(
    ("replies", "word"),
    [
        ([DONE], Word.DELETED),
        ([GONE], Word.UNCHANGED),
        ([GONE._replace(lost=1)], Word.DELETED),
        ([BROKEN, GONE], Word.DELETED),
        ([BROKEN, item()], Word.REJECTED),
        ([BROKEN, LOST], Word.UNKNOWN),
        ([refusal(400, "invalid", "type")], Word.REJECTED),
    ],
)
def test_an_activity_is_deleted(replies: list[Reply], word: Word) -> None:
    """One that does not exist is unchanged, unless an attempt was lost."""
    record = record_of("activities", {"id": "held"}, "delete")

    played = play("activities", "delete", record, replies)

    assert played.outcome.word is word
    assert played.requests[0].path == "/api/v1/conversation-items/held"


# --- topics ----------------------------------------------------------------------------------


def topic(name: str, crm: str | None = None, **fields: Any) -> Draft:
    found = prepared("topics", {"crm": crm or name, "name": name, **fields})
    assert isinstance(found, Draft), found
    return found


def keys(drafts: list[Draft]) -> list[str]:
    return [draft.key for draft in drafts]


def test_parents_go_first_and_all_else_stays_in_order() -> None:
    """By key and by path, over several levels, in any order of the input."""
    drafts = [
        topic("Paper", parent="Gifts / Cards"),
        topic("Alone"),
        topic("Cards", parentKey="Gifts"),
        topic("Gifts"),
        topic("Wood", parent="Gifts / Cards"),
    ]

    ordered = parents_first(drafts)

    assert keys(ordered) == ["Gifts", "Cards", "Paper", "Alone", "Wood"]
    assert [(link.text, link.or_name) for link in ordered[2].links] == [("Cards", "Gifts / Cards")]
    assert [(link.text, link.or_name) for link in drafts[0].links] == [("Gifts / Cards", None)]


def test_a_parent_in_the_input_may_be_named_by_its_id() -> None:
    """It goes first, and the topic waits for it; a parent that only Gladly has needs no waiting."""
    drafts = [topic("Paper", id="t-2", parentId="t-1"), topic("Gifts", id="t-1"), topic("Old", parentId="t-9")]

    ordered = parents_first(drafts)

    assert [draft.payload["name"] for draft in ordered] == ["Gifts", "Paper", "Old"]
    assert [[(link.kind, link.text) for link in draft.links] for draft in ordered] == [
        [],
        [("topics", ordered[0].key)],
        [],
    ]


def test_a_circle_of_parents_ends() -> None:
    """Every record comes once."""
    drafts = [
        topic("a", parentKey="b"),
        topic("b", parentKey="a"),
        topic("c", parentKey="c"),
        topic("d", parentKey="x"),
    ]

    assert sorted(keys(parents_first(drafts))) == ["a", "b", "c", "d"]


def test_a_path_is_a_name_and_a_parent() -> None:
    """One level needs no parent; a name of its own wins over the path's."""
    deep = prepared("topics", {"path": "Orders / Late / Very"})
    flat = prepared("topics", {"path": "Orders"})

    assert isinstance(deep, Draft)
    assert isinstance(flat, Draft)
    assert (deep.payload, [link.text for link in deep.links]) == (
        {"name": "Very", "parentId": "Orders / Late"},
        ["Orders / Late"],
    )
    assert (flat.payload, flat.links) == ({"name": "Orders"}, ())


def test_a_topic_that_is_there_is_named_by_its_path() -> None:
    """It does not count as a parent in the input, although it has the path of one."""
    [_, draft] = parents_first([topic("Late", parent="Orders"), topic("Delayed", topic="Orders / Late")])
    directory = Directory(
        {"topic": [{"id": "t-1", "name": "Orders"}, {"id": "t-2", "name": "Late", "parentId": "t-1"}]}
    )

    whole = complete(draft, IMPORTS["topics"], directory, {})

    assert isinstance(whole, Draft)
    assert (whole.id, whole.has_own_id, whole.payload) == ("t-2", True, {"name": "Delayed"})
    assert [claim.attr for claim in whole.claims] == ["key", "id"]


def test_an_update_of_a_topic_has_its_name() -> None:
    """Gladly requires it in each update, changed or not."""
    record = record_of("topics", {"name": "Orders", "disabled": True}, "upsert")
    record = record._replace(known=remembered(record, disabled=False))

    assert play("topics", "upsert", record, [DONE]).body() == {"name": "Orders", "disabled": True}


NAME_TAKEN = refusal(409, "taken", "name", id="other")


@pytest.mark.parametrize(
    ("on_conflict", "replies", "word"),
    [
        ("quarantine", [NAME_TAKEN], Word.REJECTED),
        ("skip", [NAME_TAKEN], Word.SKIPPED),
        ("update", [NAME_TAKEN, reply(200, {"id": "other", "name": "Orders", "parentId": "p"}), DONE], Word.UPDATED),
        ("update", [NAME_TAKEN, GONE], Word.REJECTED),
        ("merge", [NAME_TAKEN, reply(200, {"id": "other", "name": "Orders", "parentId": "p"})], Word.UNCHANGED),
        ("merge", [NAME_TAKEN, reply(200, {"id": "other", "name": "Orders"}), DONE], Word.UPDATED),
        ("update", [refusal(409, "taken", "name")], Word.REJECTED),
    ],
)
def test_a_taken_name_goes_by_the_policy(on_conflict: str, replies: list[Reply], word: Word) -> None:
    """The other topic is adopted only where Gladly says which one it is."""
    record = record_of("topics", {"name": "Orders", "parentId": "q"}, "upsert")

    played = play("topics", "upsert", record, replies, on_conflict=on_conflict)

    assert played.outcome.word is word
    if word is Word.UPDATED:
        assert played.outcome.gladly_id == "other"
    if word is Word.REJECTED and len(replies) == 1:
        assert played.outcome.stage is Stage.CONFLICT


def test_a_name_taken_by_our_own_lost_attempt() -> None:
    """The first attempt created the topic, and the second one got a conflict with its name."""
    record = record_of("topics", {"name": "Orders"})

    played = play(
        "topics", "create", record, [NAME_TAKEN._replace(lost=1), reply(200, {"id": record.id, "name": "Orders"})]
    )

    assert played.calls == ["addTopic", "getTopic"]
    assert played.outcome.word is Word.CREATED


def test_a_rename_to_a_taken_name_writes_nothing() -> None:
    """The reject names the other topic."""
    record = record_of("topics", {"name": "Orders"}, "upsert")
    record = record._replace(known=remembered(record, name="Old"))

    played = play("topics", "upsert", record, [NAME_TAKEN])

    assert (played.outcome.code, played.outcome.attr, played.outcome.stage) == ("taken", "name", Stage.CONFLICT)
    assert "other" in (played.outcome.detail or "")


def test_the_same_name_gives_the_same_id_without_a_key() -> None:
    """So a second run without memory meets the first one's topic."""
    first = prepared("topics", {"name": "Orders"}, key=None)
    second = prepared("topics", {"path": "Orders", "disabled": True}, key=None)

    assert isinstance(first, Draft)
    assert isinstance(second, Draft)
    assert first.id == second.id


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(created("/api/v1/topics/other"), id="another id"),
        pytest.param(Reply(201, headers={"Location": ""}), id="no id"),
    ],
)
def test_a_create_under_another_id_is_not_reported_as_created_under_ours(elsewhere: Reply) -> None:
    """Later runs would find nothing under our id. The look decides, and nothing is sent again automatically."""
    record = record_of("topics", {"name": "Orders"})

    ours = play("topics", "create", record, [created(f"/api/v1/topics/{record.id}")])
    there = play("topics", "create", record, [elsewhere, reply(200, {"name": "Orders"})])
    nowhere = play("topics", "create", record, [elsewhere, GONE])

    assert (ours.outcome.word, ours.outcome.gladly_id) == (Word.CREATED, record.id)
    assert there.calls == nowhere.calls == ["addTopic", "getTopic"]
    assert (there.outcome.word, there.outcome.gladly_id) == (Word.CREATED, record.id)
    assert (nowhere.outcome.word, nowhere.outcome.status) == (Word.UNKNOWN, 201)
