"""Who owns a field: the table of the documents, held against the steps of real objects."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.errors import UsageError
from bulkgladly.gladly.fingerprints import fingerprints_of, is_accepted
from bulkgladly.gladly.identity import fingerprint
from bulkgladly.gladly.owners import RIGHTS, owners_from, refuse_owners, writable
from bulkgladly.gladly.spec import Record
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.messages import Reply
from bulkgladly.records import Known, Outcome, Word
from tests.unit.stepping import DONE, LOST, Played, play, record_of, refusal, reply

DOCUMENT = Path(__file__).parents[2] / "docs" / "importing.md"
OWNERS = ("source", "gladly", "fill", "union")
HELD = ("nothing", "the same", "another")
ROWS = ("a value", "null", "no field")
EMAIL = {"original": "ada@example.org"}


def documented() -> dict[tuple[str, str], str]:
    """The table of the documents: what happens, by owner and by what Gladly has, or by a null in the row."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("| owner |"))
    table: dict[tuple[str, str], str] = {}
    for line in itertools.takewhile(lambda one: one.startswith("|"), lines[at + 2 :]):
        owner, *cells = (cell.strip(" `") for cell in line.strip("|").split("|"))
        table |= {(owner, held): cell for held, cell in zip((*HELD, "null"), cells, strict=True)}
    return table


TABLE = documented()


def expected(owner: str, held: str, row: str, null: str) -> str:
    """What the document says happens to one field."""
    if row == "no field" or (row == "null" and null == "keep"):
        return "nothing"
    if row == "null":
        return TABLE[owner, "null"] if held != "nothing" else "nothing"
    return TABLE[owner, held]


def held_profile(**fields: Any) -> Reply:
    return reply(200, {"emails": [EMAIL], **fields})


def changed(record: Record, *names: str) -> Record:
    """The record, of which Gladly has accepted other values for some fields."""
    prints = {**record.fingerprints, **dict.fromkeys(names, fingerprint("something else"))}
    return record._replace(known=Known("held", prints))


def steps_of(record: Record, held: Reply, **policy: Any) -> Played:
    """The steps of an upsert that is read first, whichever requests they take: a look, and perhaps a PATCH."""
    for replies in ([], [held], [held, DONE]):
        try:
            return play("customers", "upsert", record, replies, **policy)
        except AssertionError as error:
            if "no reply left" not in str(error):
                raise
    raise AssertionError("the steps take more than two requests")


def written(played: Played) -> Mapping[str, Any]:
    """What the one PATCH said; nothing without one."""
    bodies = [orjson.loads(one.body or b"{}") for one in played.requests if one.method == "PATCH"]
    assert len(bodies) <= 1
    return bodies[0] if bodies else {}


def remembered(record: Record, outcome: Outcome) -> Record:
    """The same row in the next run."""
    assert outcome.accepted is not None
    return record._replace(known=Known("held", outcome.accepted))


def test_the_code_and_the_document_have_the_same_table() -> None:
    """What a file may do, by the name of the owner."""
    for owner, rights in RIGHTS.items():
        assert TABLE[str(owner), "nothing"] == ("written" if rights.fills else "nothing")
        assert (TABLE[str(owner), "another"] != "nothing") is rights.changes
        assert (TABLE[str(owner), "null"] == "cleared") is rights.clears
        assert TABLE[str(owner), "the same"] == "nothing"


@pytest.mark.parametrize("null", ["keep", "clear"])
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("owner", ["source", "gladly", "fill"])
@pytest.mark.parametrize("field", ["address", "customAttributes.tier"])
def test_a_text_and_an_attribute_follow_the_table(field: str, owner: str, held: str, row: str, null: str) -> None:
    """Whatever is written; afterwards the same row takes no request."""
    name, _, part = field.partition(".")
    policy: dict[str, Any] = {"owners": ((field, owner),), "null": null, "read_first": True}
    column = f"customAttribute:{part}" if part else name
    flat: dict[str, Any] = {} if row == "no field" else {column: None if row == "null" else "mine"}
    record = changed(record_of("customers", {"email:1": EMAIL["original"], **flat}, "upsert", **policy), name)
    now = {"nothing": None, "the same": "mine", "another": "theirs"}[held]
    profile = held_profile(**({name: {part: now, "other": 1}} if part else {name: now}))

    played = steps_of(record, profile, **policy)

    body = written(played)
    found = body.get(name, {}).get(part, "-") if part else body.get(name, "-")
    assert {"-": "nothing", "mine": "written", None: "cleared"}.get(found, found) == expected(owner, held, row, null)
    if part and body:
        assert body[name]["other"] == 1
    if owner == "gladly" or row == "no field":
        assert not played.requests
    if played.outcome.accepted is not None:
        assert not play("customers", "upsert", remembered(record, played.outcome), [], **policy).requests


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("owner", OWNERS)
def test_a_contact_list_follows_the_table(owner: str, held: str) -> None:
    """`source` makes the list that of the row; only then an address is removed."""
    policy: dict[str, Any] = {"owners": (("emails", owner),)}
    theirs = {"original": "theirs@example.org", "normalized": "theirs@example.org"}
    record = changed(record_of("customers", {"email:1": EMAIL["original"]}, "upsert", **policy), "emails")
    profile = reply(200, {"emails": {"nothing": [], "the same": [EMAIL], "another": [theirs]}[held]})

    played = steps_of(record, profile, **policy)

    addresses = [entry["original"] for entry in written(played).get("emails", [])]
    whole = ["ada@example.org"]
    kinds: dict[str, list[str]] = {"nothing": [], "written": whole, "added": ["theirs@example.org", *whole]}
    assert addresses == kinds[TABLE[owner, held]]
    if played.outcome.accepted is not None:
        assert not play("customers", "upsert", remembered(record, played.outcome), [], **policy).requests


def test_source_takes_an_address_away_that_the_row_does_not_have() -> None:
    """An entry that stays is sent as Gladly holds it."""
    policy: dict[str, Any] = {"owners": (("emails", "source"),)}
    mine = {"original": "Ada@example.org", "normalized": "ada@example.org", "primary": True}
    record = changed(record_of("customers", {"email:1": EMAIL["original"]}, "upsert", **policy), "emails")

    played = steps_of(record, reply(200, {"emails": [mine, {"original": "old@example.org"}]}), **policy)

    assert written(played) == {"emails": [mine]}


def test_a_lost_removal_is_not_taken_for_done() -> None:
    """After an unclear reply, an address that is still there says that nothing was written."""
    policy: dict[str, Any] = {"owners": (("emails", "source"),)}
    record = changed(record_of("customers", {"email:1": EMAIL["original"]}, "upsert", **policy), "emails")
    both = reply(200, {"emails": [EMAIL, {"original": "old@example.org"}]})

    kept = play("customers", "upsert", record, [both, LOST, both], **policy)
    done = play("customers", "upsert", record, [both, LOST, held_profile()], **policy)

    assert (kept.outcome.word, done.outcome.word) == (Word.REJECTED, Word.UPDATED)


def test_what_gladly_owns_is_set_in_a_create() -> None:
    """And what is compared after a conflict is only what the file may write."""
    policy: dict[str, Any] = {"owners": (("address", "gladly"), ("customAttributes.tier", "gladly"))}
    fields = {"email:1": EMAIL["original"], "address": "mine", "customAttribute:tier": "gold"}
    record = record_of("customers", fields, "upsert", **policy)

    made = play("customers", "upsert", record, [reply(201)], **policy)
    there = play("customers", "upsert", record, [refusal(409, "taken", "id"), held_profile(address="theirs")], **policy)

    assert (made.body()["address"], made.body()["customAttributes"]) == ("mine", {"tier": "gold"})
    assert there.outcome.word is Word.UNCHANGED


def test_an_attribute_of_gladly_costs_nothing_and_is_sent_back_as_it_is() -> None:
    """The other attribute of the row is written."""
    policy: dict[str, Any] = {"owners": (("customAttributes.tier", "gladly"),)}
    one = record_of("customers", {"id": "held", "customAttribute:tier": "gold"}, "upsert", **policy)
    both = record_of(
        "customers", {"id": "held", "customAttribute:tier": "gold", "customAttribute:a": 1}, "upsert", **policy
    )
    held = held_profile(customAttributes={"tier": "silver"})

    idle = play("customers", "upsert", changed(one), [], **policy)
    played = play("customers", "upsert", changed(both, "customAttributes"), [held, DONE], **policy)

    assert idle.outcome.word is Word.UNCHANGED
    assert played.body() == {"customAttributes": {"tier": "silver", "a": 1}}


def test_another_owner_later_is_noticed() -> None:
    """What was left to Gladly counts as not accepted once the file owns it; the other way round costs nothing."""
    payload = {"address": "mine", "emails": [EMAIL]}
    prints = {owner: fingerprints_of(payload, (("address", owner), ("emails", owner))) for owner in OWNERS[:3]}
    usual = fingerprints_of(payload, ())

    assert prints["gladly"] == {}
    assert is_accepted(usual["address"], prints["fill"]["address"])
    assert not is_accepted(prints["fill"]["address"], usual["address"])
    assert not is_accepted(usual["emails"], prints["source"]["emails"])
    assert is_accepted(prints["source"]["emails"], usual["emails"])


def test_the_audiences_of_an_answer_can_be_united() -> None:
    """Those that Gladly has stay, and after that the row takes no request."""
    policy: dict[str, Any] = {"owners": (("audienceIds", "union"),)}
    record = record_of("answers", {"name": "Returns", "audienceIds": "a;b"}, "upsert", **policy)
    held = reply(200, {"name": "Returns", "audienceIds": ["c", "a"]})

    played = play("answers", "upsert", changed(record, "audienceIds"), [held, DONE], **policy)

    assert played.body() == {"audienceIds": ["c", "a", "b"]}
    assert not play("answers", "upsert", remembered(record, played.outcome), [], **policy).requests


def test_what_a_row_names_twice_is_added_once() -> None:
    """A list that is united has no duplicates that Gladly did not have."""
    united = writable((("audienceIds", "union"),), {"audienceIds": ["b", "a", "b"]}, {"audienceIds": ["a"]})

    assert united == {"audienceIds": ["a", "b"]}


def test_an_empty_part_of_an_assignee_is_filled() -> None:
    """The inbox stays, the agent is set."""
    policy: dict[str, Any] = {"owners": (("assignee", "fill"),)}
    row = {"id": "held", "inboxId": "mine", "agentId": "ann"}
    record = changed(record_of("tasks", row, "update", **policy), "assignee")

    played = play("tasks", "update", record, [reply(200, {"assignee": {"inboxId": "theirs"}}), DONE], **policy)

    assert played.body() == {"assignee": {"inboxId": "theirs", "agentId": "ann"}}


def test_the_name_of_a_topic_that_is_gladlys_is_sent_back() -> None:
    """Gladly requires it in every update."""
    policy: dict[str, Any] = {"owners": (("name", "gladly"),)}
    record = changed(record_of("topics", {"name": "Mine", "disabled": True}, "upsert", **policy), "disabled")

    played = play("topics", "upsert", record, [reply(200, {"name": "Theirs"}), DONE], **policy)

    assert played.body() == {"name": "Theirs", "disabled": True}


def test_a_content_keeps_what_is_not_the_files() -> None:
    """A PUT replaces the whole content."""
    policy: dict[str, Any] = {"owners": (("title", "gladly"),)}
    row = {"answerId": "a", "language": "en-us", "type": "public", "bodyHtml": "new", "title": "Mine"}
    record = record_of("answer-contents", row, "upsert", **policy)
    held = reply(200, {"bodyHtml": "old", "title": "Theirs"})

    played = play("answer-contents", "upsert", record, [held, reply(200, {"bodyHtml": "new"})], **policy)

    assert played.body() == {"bodyHtml": "new", "title": "Theirs"}


@pytest.mark.parametrize(
    ("resource", "words", "said"),
    [
        ("customers", ["adress=fill"], "have no field 'adress' that an update can write; did you mean address?"),
        ("customers", ["tier=fill"], "choose from name, image, address"),
        (
            "customers",
            ["address=file"],
            "choose source, gladly, fill or union; did you mean fill",
        ),
        ("customers", ["address"], "write FIELD=OWNER, such as --owner address=fill"),
        ("customers", ["address=union"], "only lists can have the owner union (emails or phones)"),
        ("tasks", ["body=union"], "tasks have no lists to unite; use source, gladly or fill"),
        ("conversations", ["topics=source"], "an import only ever adds to topicIds; use union or gladly"),
        ("webhooks", ["credentials=fill"], "Gladly never shows credentials"),
        ("notes", ["body=fill"], "notes cannot be updated, so their fields have no owners"),
    ],
)
def test_owners_that_cannot_be_are_refused(resource: str, words: list[str], said: str) -> None:
    """With what to do instead."""
    with pytest.raises(UsageError, match=re.escape(said)):
        refuse_owners(resource, IMPORTS[resource].owned, owners_from(words))


def test_flat_columns_name_fields() -> None:
    """As in a row, or as Gladly calls them."""
    words = ["customAttribute:tier=gladly", "email:1=source", "inbox=fill", "customAttributes.tier=fill"]

    assert owners_from(words) == (("customAttributes.tier", "fill"), ("emails", "source"), ("assignee", "fill"))


# --- read first, so that it can be restored ---


def befores(played: Played) -> list[Mapping[str, Any] | None]:
    """What was read before each request that writes."""
    return [one.effect.before for one in played.requests if one.effect is not None]


@pytest.mark.parametrize(
    ("resource", "mode", "row", "held"),
    [
        ("customers", "upsert", {"id": "held", "name": "New"}, {"name": "Old"}),
        ("customers", "delete", {"id": "held"}, {"name": "Old"}),
        ("topics", "upsert", {"name": "New"}, {"name": "Old"}),
        ("tasks", "update", {"id": "held", "body": "New"}, {"body": "Old"}),
        ("answers", "delete", {"id": "held"}, {"name": "Old"}),
        ("webhooks", "delete", {"id": "held"}, {"url": "https://example.org/in"}),
        ("conversations", "update", {"conversationId": "held", "status": "CLOSED"}, {"status": "OPEN"}),
        ("conversation-topics", "update", {"conversationId": "held", "topicIds": "a"}, {"topicIds": []}),
        ("activities", "delete", {"id": "held"}, {"content": {"type": "CUSTOMER_ACTIVITY"}}),
    ],
)
def test_everything_is_read_before_it_is_written_if_that_is_asked_for(
    resource: str, mode: str, row: Mapping[str, Any], held: Mapping[str, Any]
) -> None:
    """1 request more, and the journal gets what Gladly held."""
    record = changed(record_of(resource, row, mode), *record_of(resource, row, mode).fingerprints)
    writes = 2 if resource == "webhooks" else 1

    read = play(resource, mode, record, [reply(200, held), *[DONE] * writes], undoable=True)
    unread = play(resource, mode, record, [DONE] * writes)

    assert [before and {name: before[name] for name in held} for before in befores(read)] == [held] * writes
    assert befores(unread) == [None] * writes


def test_a_deletion_that_cannot_be_read_is_not_made() -> None:
    """Nothing is deleted whose content is lost then."""
    record = record_of("customers", {"id": "held"}, "delete")

    unclear = play("customers", "delete", record, [LOST], undoable=True)
    gone = play("customers", "delete", record, [refusal(404, "not_exist")], undoable=True)

    assert unclear.outcome.word is Word.REJECTED
    assert gone.outcome.word is Word.UNCHANGED


def test_a_search_is_no_before_image() -> None:
    """Its index may lag behind, so the customer is read by the id."""
    row = {"email:1": EMAIL["original"], "name": "New"}
    found = reply(200, [{"id": "held", "name": "Older", "emails": [EMAIL]}])

    played = play(
        "customers",
        "update",
        record_of("customers", row, "update"),
        [found, held_profile(name="Old"), DONE],
        undoable=True,
    )

    assert [before and before["name"] for before in befores(played)] == ["Old"]
