"""What Gladly holds is compared with what a row says, field by field: tables without a request."""

from collections.abc import Mapping
from typing import Any

import pytest

from bulkgladly.gladly.change import Found
from bulkgladly.gladly.proofs import Proof
from bulkgladly.gladly.spec import Policy, Record
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.messages import Reply
from bulkgladly.records import Mode, Outcome, Position, Problem, Row
from bulkgladly.verification.verify_compare import Candidate, verdict_of

HOST = "https://example.gladly.com"
PROFILE: Mapping[str, Any] = {
    "id": "c-1",
    "name": "Ada Ashby",
    "address": "1 Test Lane",
    "emails": [{"original": "Ada@Example.org", "normalized": "ada@example.org", "primary": True}],
    "phones": [{"original": "+16505550100", "type": "MOBILE", "regionCode": "US"}],
    "customAttributes": {"tier": "gold", "since": 3},
}


def proof(name: str) -> Proof:
    found = IMPORTS[name].proof
    assert found is not None
    return found


def record(payload: Mapping[str, Any], **more: Any) -> Record:
    row = Row(Position(0, 0, 1), {}, seq=0)
    return Record(row, "k", "c-1", False, payload, {}, (), (), None, None, **more)


@pytest.mark.parametrize("name", IMPORTS)
def test_every_object_is_proved_or_says_why_not(name: str) -> None:
    """One of the two, never both; what is compared is what a row can say."""
    spec = IMPORTS[name]

    assert (spec.proof is None) == bool(spec.unproven)
    if spec.proof is not None and spec.fields:
        places = {field.place.partition(".")[0] for field in spec.fields}
        assert {*spec.proof.compared, *spec.proof.instructions} <= places


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        ({"name": "Ada Ashby", "emails": [{"original": "ada@example.org"}]}, []),
        ({"name": "Ada"}, [("name", "Ada", "Ada Ashby")]),
        ({"name": None}, [("name", None, "Ada Ashby")]),
        ({"image": None}, []),
        (
            {"emails": [{"original": "ada@example.org"}, {"original": "b@example.org"}]},
            [("emails", "b@example.org", None)],
        ),
        ({"emails": [{"original": "ada@example.org", "primary": False}]}, [("emails.primary", False, True)]),
        ({"phones": [{"original": "+16505550100", "type": "HOME"}]}, [("phones.type", "HOME", "MOBILE")]),
        ({"phones": [{"original": "+16505550199"}]}, [("phones", "+16505550199", None)]),
        ({"customAttributes": {"tier": "gold"}}, []),
        (
            {"customAttributes": {"tier": "lead", "since": "3"}},
            [("customAttributes.tier", "lead", "gold"), ("customAttributes.since", "3", 3)],
        ),
    ],
)
def test_a_profile_is_compared_part_by_part(payload: Mapping[str, Any], fields: list[tuple[str, Any, Any]]) -> None:
    """Where the import would change something, and nowhere else."""
    customers = proof("customers")

    found = customers.compare(PROFILE, payload)

    assert [tuple(one) for one in found] == fields
    assert bool(found) == bool(customers.differences(PROFILE, payload))


@pytest.mark.parametrize(
    ("name", "held", "payload", "fields"),
    [
        (
            "tasks",
            {"body": " Call ", "dueAt": "2099-01-31T09:00:00Z"},
            {"body": "Call", "dueAt": "2099-01-31T10:00:00.000+01:00"},
            [],
        ),
        ("tasks", {"assignee": {"inboxId": "i"}}, {"assignee": {"inboxId": "i", "agentId": "a"}}, ["assignee.agentId"]),
        ("activities", {"content": {"title": "A"}}, {"title": "B", "customerId": "x"}, ["title"]),
        ("activities", {"content": None}, {"title": "B"}, ["title"]),
        ("conversations", {"status": "WAITING", "topicIds": ["a", "b"]}, {"status": "OPEN", "topicIds": ["b"]}, []),
        (
            "conversations",
            {"status": "OPEN", "inboxId": "i"},
            {"status": "CLOSED", "assignee": {"inboxId": "j"}},
            ["assignee.inboxId", "status"],
        ),
        ("conversation-topics", {"topicIds": None}, {"conversationId": "c", "topicIds": ["a"]}, ["topicIds"]),
        ("notes", {"content": {"type": "SMS", "body": "x"}}, {"body": "x", "conversationId": "c"}, ["body"]),
        (
            "freeform-topics",
            {"freeform": [{"key": "k", "value": "v"}]},
            {"add": [{"key": "k", "value": "v"}], "remove": [{"key": "k", "value": "v"}]},
            ["k"],
        ),
        ("webhooks", {"url": "u", "enabled": False}, {"url": "u", "enabled": True, "credentials": {}}, ["enabled"]),
    ],
)
def test_objects_are_compared_as_an_import_compares_them(
    name: str, held: Mapping[str, Any], payload: Mapping[str, Any], fields: list[str]
) -> None:
    """Moments, spaces, order, and what people have added are no difference."""
    assert [one.field for one in proof(name).compare(held, payload)] == fields


@pytest.mark.parametrize(
    ("found", "mode", "word"),
    [
        (Found("c-1", PROFILE), Mode.UPSERT, "equal"),
        (Found("c-1"), Mode.UPSERT, "missing"),
        (Found("c-1", reply=Reply(503)), Mode.UPSERT, "unreadable"),
        (Found("c-1", reply=Reply(0)), Mode.UPSERT, "unreadable"),
        (Found("heir", PROFILE), Mode.UPSERT, "merged"),
        (Found("theirs", PROFILE, is_searched=True), Mode.UPSERT, "equal"),
        (Outcome.rejected(Problem("ambiguous", "two")), Mode.UPSERT, "unreadable"),
        (Found("c-1"), Mode.DELETE, "equal"),
        (Found("c-1", PROFILE), Mode.DELETE, "different"),
        (Found("heir", PROFILE), Mode.DELETE, "merged"),
        (Found("c-1", reply=Reply(404)), Mode.DELETE, "unreadable"),
    ],
)
def test_each_look_has_its_verdict(found: Found | Outcome, mode: Mode, word: str) -> None:
    """Only what Gladly has confirmed says something about the object."""
    verdict = verdict_of(Candidate(record({"name": "Ada Ashby"})), found, proof("customers"), Policy(HOST, mode))

    assert verdict.word == word
    assert bool(verdict.fields) == (mode is Mode.DELETE and word in ("different", "merged"))


def test_a_policy_decides_which_fields_the_file_owns() -> None:
    """A customer found by an address keeps what Gladly held, if the import only filled gaps; one of ours does not."""
    policy, customers = Policy(HOST, on_conflict="merge"), proof("customers")
    ours = Candidate(record({"name": "Other", "image": "i"}))

    theirs = verdict_of(ours, Found("theirs", PROFILE, is_searched=True), customers, policy)
    own = verdict_of(ours, Found("c-1", PROFILE), customers, policy)

    assert [name for name, _, _ in theirs.fields] == ["image"]
    assert [name for name, _, _ in own.fields] == ["name", "image"]


@pytest.mark.parametrize(
    ("owner", "on_conflict", "fields"),
    [
        ("source", "quarantine", [("emails", None, "Ada@Example.org")]),
        ("union", "quarantine", []),
        ("source", "merge", []),
    ],
)
def test_an_address_that_people_added_differs_if_the_file_owns_the_list(
    owner: str, on_conflict: str, fields: list[tuple[str, Any, Any]]
) -> None:
    """An import with the same owner would remove it, unless it only fills gaps."""
    held = {**PROFILE, "emails": [*PROFILE["emails"], {"original": "new@example.org"}]}
    policy = Policy(HOST, owners=(("emails", owner),), on_conflict=on_conflict)
    candidate = Candidate(record({"emails": [{"original": "NEW@example.org"}]}))
    gladly_id = "theirs" if on_conflict == "merge" else "c-1"

    verdict = verdict_of(candidate, Found(gladly_id, held, is_searched=True), proof("customers"), policy)

    assert [tuple(one) for one in verdict.fields] == fields
