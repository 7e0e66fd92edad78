"""Notes, business hours and messages, driven by hand: sent at most once, and never blindly again."""

import datetime as dt
from typing import Any

import pytest

from bulkgladly.gladly.once_steps import CLOCK_SKEW_S
from bulkgladly.gladly.spec import Draft, Record
from bulkgladly.messages import Repeat, Reply
from bulkgladly.records import Known, Problem, Word
from tests.unit.stepping import (
    BROKEN,
    DUE,
    GONE,
    LOST,
    NOW,
    ORGANISATION,
    created,
    play,
    prepared,
    record_of,
    refusal,
    remembered,
    reply,
)

SENT_AT = NOW.timestamp()
NOTE = {"conversationId": "talk", "body": "Called."}


def note(**more: Any) -> Record:
    return record_of("notes", NOTE, sent_at=SENT_AT, **more)


def listed(after_s: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A note as the list of items shows it."""
    moment = dt.datetime.fromtimestamp(SENT_AT + after_s, dt.UTC)
    item = {
        "id": "found",
        "timestamp": moment.isoformat().replace("+00:00", "Z"),
        "initiator": {"id": "api", "type": "API"},
        "content": {"type": "CONVERSATION_NOTE", "body": "Called."},
    }
    return {**item, **changes}


def test_a_note_takes_one_request() -> None:
    """In the form of the document's example, and unsafe to repeat."""
    played = play("notes", "create", note(), [created("/api/v1/conversations/talk/notes/n-1")])

    assert played.requests[0].repeat is Repeat.UNSAFE
    assert played.body() == {"content": {"body": "Called."}}
    assert (played.outcome.word, played.outcome.gladly_id) == (Word.CREATED, "n-1")


def test_a_note_may_have_the_form_of_the_api() -> None:
    """It means the same as its field."""
    nested = record_of("notes", {"conversationId": "talk", "content": {"body": "Called.", "type": "CONVERSATION_NOTE"}})

    assert nested.payload == NOTE


@pytest.mark.parametrize(
    ("items", "word"),
    [
        ([listed()], Word.CREATED),
        ([listed(initiator=None)], Word.CREATED),
        ([listed(-CLOCK_SKEW_S + 1)], Word.CREATED),
        ([listed(-CLOCK_SKEW_S - 1)], Word.UNKNOWN),
        ([listed(content={"type": "CONVERSATION_NOTE", "body": "Other"})], Word.UNKNOWN),
        ([listed(content={"type": "SMS", "content": "Called."})], Word.UNKNOWN),
        ([listed(initiator={"id": "agent-1", "type": "AGENT"})], Word.UNKNOWN),
        ([listed(id="rival")], Word.UNKNOWN),
        ([listed(id="rival"), listed()], Word.CREATED),
        (["nonsense", {}, listed(timestamp="nonsense")], Word.UNKNOWN),
        ([], Word.UNKNOWN),
    ],
)
@pytest.mark.parametrize("unclear", [LOST, BROKEN])
def test_a_lost_note_is_looked_for(unclear: Reply, items: list[Any], word: Word) -> None:
    """The same text, written through the API after the request was sent, and not another record's."""
    played = play("notes", "create", note(rivals=["rival"]), [unclear, reply(200, items)])

    assert played.calls == ["addNoteToConversation", "getConversationItems"]
    assert played.outcome.word is word
    assert played.outcome.gladly_id == ("found" if word is Word.CREATED else None)


def test_a_note_is_ours_only_where_it_is_younger_than_its_request() -> None:
    """The worker knows when it was sent; the record may have been prepared long before."""
    record = record_of("notes", NOTE)
    items = reply(200, [listed()])

    early = play("notes", "create", record, [LOST._replace(sent_at=SENT_AT), items])
    late = play("notes", "create", record, [LOST._replace(sent_at=SENT_AT + 2 * CLOCK_SKEW_S), items])

    assert (early.outcome.word, late.outcome.word) == (Word.CREATED, Word.UNKNOWN)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (reply(200, [listed()]), Word.CREATED),
        (reply(200, []), Word.UNKNOWN),
        (reply(200, [listed(-9999)]), Word.UNKNOWN),
        (GONE, Word.UNKNOWN),
        (reply(200, [], headers={"Gladly-Limited-Data": "true"}), Word.UNKNOWN),
        (reply(200, [listed(-9999)] * 1000), Word.UNKNOWN),
        (BROKEN, Word.UNKNOWN),
        (Reply(404, b"<html>no upstream</html>"), Word.UNKNOWN),
        (reply(200, {"not": "a list"}), Word.UNKNOWN),
    ],
)
@pytest.mark.parametrize("known", [None, Known("", {}, held_by="customers-create_x")])
def test_a_note_in_doubt_is_not_sent_again_whatever_the_list_says(
    known: Known | None, answer: Reply, word: Word
) -> None:
    """A note in the list is ours. A missing one may appear late, and a second note cannot be undone."""
    played = play("notes", "create", note(doubt=True, known=known), [answer])

    assert played.calls == ["getConversationItems"]
    assert played.outcome.word is word


@pytest.mark.parametrize(("held_by", "told"), [("notes-create_x", "retry notes-create_x"), ("", "an earlier run")])
def test_what_another_run_may_have_sent_names_that_run(held_by: str, told: str) -> None:
    """A person has to check, and must know which run can send it."""
    record = note(known=Known("", {}, held_by=held_by))

    played = play("notes", "create", record, [])

    assert (played.outcome.word, played.calls) == (Word.UNKNOWN, [])
    assert told in (played.outcome.detail or "")
    assert "--sent-nothing" in (played.outcome.detail or "")


def test_what_may_have_been_sent_is_remembered_and_never_sent() -> None:
    """Not in a later run either: its key is remembered."""
    lost = play("notes", "create", note(), [LOST, reply(200, [])])
    record = note()
    record = record._replace(known=Known("", dict(lost.outcome.accepted or {})))

    later = play("notes", "create", record, [])

    assert lost.outcome.accepted == note().fingerprints
    assert (later.outcome.word, later.outcome.code) == (Word.UNKNOWN, "unsettled")


@pytest.mark.parametrize(("before", "word"), [("Called.", Word.UNCHANGED), ("Other", Word.REJECTED)])
def test_a_key_stands_for_one_note(before: str, word: Word) -> None:
    """Notes cannot be changed, and are not sent twice."""
    record = note()
    record = record._replace(known=remembered(record, "n-1", body=before))

    assert play("notes", "create", record, []).outcome.word is word


@pytest.mark.parametrize(
    ("answer", "code"),
    [(GONE, "not_exist"), (refusal(400, "blank", "body"), "blank")],
)
def test_a_refused_note_is_a_reject(answer: Reply, code: str) -> None:
    """It was not created, so it may be corrected and sent."""
    played = play("notes", "create", note(), [answer])

    assert (played.outcome.word, played.outcome.code, played.outcome.accepted) == (Word.REJECTED, code, None)


@pytest.mark.parametrize("status", [200, 202, 301, 302, 303, 400, 404, 408, 409, 413, 422, 499])
@pytest.mark.parametrize("body", [b"", b"<html>a page</html>", b'{"message": "no route"}'])
def test_a_note_is_not_sent_twice_when_somebody_else_answers_for_gladly(status: int, body: bytes) -> None:
    """It may have been created, so it is looked for: `retry` would send a reject again."""
    made = play("notes", "create", note(), [Reply(status, body), reply(200, [listed()])])
    unseen = play("notes", "create", note(), [Reply(status, body), reply(200, [])])
    unread = play("notes", "create", note(), [Reply(status, body), Reply(404, b"<html>")])

    assert (made.outcome.word, made.outcome.gladly_id) == (Word.CREATED, "found")
    assert [one.outcome.word for one in (unseen, unread)] == [Word.UNKNOWN, Word.UNKNOWN]
    assert unseen.outcome.accepted == note().fingerprints


def test_a_note_without_an_id_in_its_place_is_looked_for() -> None:
    """Any gateway can return a 201."""
    nowhere = Reply(201, headers={"Location": ""})

    played = play("notes", "create", note(), [nowhere, reply(200, [listed()])])

    assert (played.calls[-1], played.outcome.word) == ("getConversationItems", Word.CREATED)


# --- business hours --------------------------------------------------------------------------

HOURS = {"timezone": "Europe/Paris", "monday": [{"start": "9:00", "stop": "17:00"}]}
PARIS = {"name": "Paris", "officeHours": HOURS}


def schedule(gladly_id: str = "bh_1", **fields: Any) -> dict[str, Any]:
    return {"id": gladly_id, "version": 3, "createdAt": "2026-05-01T12:00:01Z", "primary": False, **PARIS, **fields}


def test_an_upsert_looks_for_the_name_first() -> None:
    """No match is created, one is updated, several are a reject."""
    record = record_of("business-hours", PARIS, "upsert")
    other = schedule(officeHours={"timezone": "UTC"})

    made = play("business-hours", "upsert", record, [reply(200, []), reply(201, schedule())])
    found = play("business-hours", "upsert", record, [reply(200, [other]), reply(200, other), reply(200, schedule())])
    several = play("business-hours", "upsert", record, [reply(200, [schedule(), schedule("bh_2")])])
    unread = play("business-hours", "upsert", record, [BROKEN])

    assert made.calls == ["getBusinessHours", "createBusinessHours"]
    assert (made.outcome.word, made.outcome.gladly_id) == (Word.CREATED, "bh_1")
    assert found.calls == ["getBusinessHours", "getBusinessHoursById", "updateBusinessHours"]
    assert found.body() == {"version": 3, "name": "Paris", "primary": False, "officeHours": HOURS}
    assert (several.outcome.code, unread.outcome.word) == ("ambiguous", Word.REJECTED)


def test_a_schedule_whose_reply_was_lost_is_found_in_the_list() -> None:
    """An equal one that is older is not ours."""
    record = record_of("business-hours", PARIS, sent_at=SENT_AT)
    old = schedule("bh_0", createdAt="2020-01-01T00:00:00Z")

    found = play("business-hours", "create", record, [LOST, reply(200, [old, schedule()])])
    lost = play("business-hours", "create", record, [LOST, reply(200, [old])])

    assert (found.outcome.word, found.outcome.gladly_id) == (Word.CREATED, "bh_1")
    assert lost.outcome.word is Word.UNKNOWN


PAGE = Reply(200, b"<html>sign in</html>")
WRITTEN = reply(200, schedule(name="New", version=5))
OUTDATED = refusal(409, "version_outdated", "version")


@pytest.mark.parametrize(
    ("replies", "word"),
    [
        ([reply(200, schedule()), reply(200, schedule(name="New"))], Word.UPDATED),
        ([reply(200, schedule(name="New"))], Word.UNCHANGED),
        ([reply(200, schedule()), OUTDATED, reply(200, schedule(version=4)), WRITTEN], Word.UPDATED),
        ([reply(200, schedule()), OUTDATED, reply(200, schedule(version=4)), OUTDATED], Word.REJECTED),
        ([reply(200, schedule()), OUTDATED._replace(lost=1), reply(200, schedule(name="New"))], Word.UPDATED),
        ([reply(200, schedule()), LOST, reply(200, schedule(name="New"))], Word.UPDATED),
        ([reply(200, schedule()), LOST, LOST], Word.UNKNOWN),
        ([reply(200, schedule()), PAGE, reply(200, schedule(name="New"))], Word.UPDATED),
        ([reply(200, schedule()), PAGE, reply(200, schedule()), WRITTEN], Word.UPDATED),
        ([reply(200, schedule()), PAGE, PAGE], Word.UNKNOWN),
        ([reply(200, schedule()), LOST, reply(200, schedule()), LOST], Word.UNKNOWN),
        ([reply(200, schedule()), refusal(400, "invalid", "primary")], Word.REJECTED),
        ([GONE], Word.REJECTED),
        ([LOST], Word.REJECTED),
        ([PAGE], Word.REJECTED),
        ([reply(200, {"errors": []})], Word.REJECTED),
        ([reply(200, schedule("bh_2"))], Word.REJECTED),
        ([reply(200, {"id": "bh_1", "name": "Old"})], Word.REJECTED),
        ([reply(200, schedule(version="3"))], Word.REJECTED),
        ([reply(200, schedule(officeHours="always"))], Word.REJECTED),
    ],
)
def test_a_schedule_is_written_with_the_version_that_was_read(replies: list[Reply], word: Word) -> None:
    """It is read again once if somebody else, or our own first attempt, has changed it.

    A response that is not the whole schedule is not written back.
    """
    record = record_of("business-hours", {"id": "bh_1", "name": "New"}, "update")

    assert play("business-hours", "update", record, replies).outcome.word is word


def test_the_second_write_has_the_new_version() -> None:
    """Otherwise Gladly would refuse it again."""
    record = record_of("business-hours", {"id": "bh_1", "name": "New"}, "update")

    played = play(
        "business-hours",
        "update",
        record,
        [reply(200, schedule()), OUTDATED, reply(200, schedule(version=4)), WRITTEN],
    )

    assert [played.body(1)["version"], played.body(3)["version"]] == [3, 4]


def test_a_schedule_is_deleted_by_an_id_only() -> None:
    """No id is derived for objects that get their id from Gladly."""
    nameless = play("business-hours", "delete", record_of("business-hours", {}, "delete"), [])
    named = play("business-hours", "delete", record_of("business-hours", {"id": "bh_1"}, "delete"), [GONE])

    assert nameless.outcome.code == "no_identifier"
    assert named.outcome.word is Word.UNCHANGED


@pytest.mark.parametrize(
    ("hours", "attr"),
    [
        ({"monday": []}, "officeHours.timezone"),
        ({**HOURS, "friday": [{"start": "25:00", "stop": "9:00"}]}, "officeHours.friday"),
        ({**HOURS, "sunday": ["9-17"]}, "officeHours.sunday"),
    ],
)
def test_hours_that_are_none(hours: dict[str, Any], attr: str) -> None:
    """Checked before anything is sent."""
    found = prepared("business-hours", {"name": "x", "officeHours": hours})

    assert isinstance(found, Problem)
    assert found.attr == attr


# --- what reaches people ---------------------------------------------------------------------

SMS = {"mobileNumber": "+16505550100", "from": "+16505550199", "body": "Hello"}
EMAIL = {"to": "ada@example.org", "toName": "Ada", "from": "us@example.org", "subject": "s", "html": "<p>x</p>"}
REPLY = {"itemId": "in", "type": "sms", "body": "Hello"}
COLLECTION = {
    "campaignId": "c",
    "name": "May",
    "startAfter": DUE,
    "recipients": [{"customerName": "Ada", "timezone": "Europe/Paris", "emailAddress": "ada@example.org"}],
}
SENT = {
    "sms": reply(200, {"conversationItemId": "m-1"}),
    "emails": reply(200, {"conversationItemId": "m-1"}),
    "replies": created("/api/v1/conversation-items/m-1"),
    "recipient-collections": reply(200, {"id": "m-1"}),
}
MESSAGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("sms", SMS, {"customer": {"mobileNumber": "+16505550100"}, "from": "+16505550199", "body": "Hello"}),
    (
        "emails",
        EMAIL,
        {
            "to": [{"email": "ada@example.org", "name": "Ada"}],
            "from": "us@example.org",
            "subject": "s",
            "body": {"html": "<p>x</p>"},
        },
    ),
    ("replies", REPLY, {"content": {"type": "SMS", "body": "Hello"}}),
    ("recipient-collections", COLLECTION, {name: value for name, value in COLLECTION.items() if name != "campaignId"}),
]


@pytest.mark.parametrize(("resource", "fields", "body"), MESSAGES)
def test_a_message_is_sent_once(resource: str, fields: dict[str, Any], body: dict[str, Any]) -> None:
    """A lost reply, a crash, and a second run all end without a further request."""
    record = record_of(resource, fields)
    known = record_of(resource, fields)
    known = known._replace(known=remembered(known, "m-1"))

    sent = play(resource, "create", record, [SENT[resource]])
    lost = play(resource, "create", record, [LOST, ORGANISATION])
    in_doubt = play(resource, "create", record_of(resource, fields, doubt=True), [])
    again = play(resource, "create", known, [])

    assert (sent.body(), sent.outcome.gladly_id) == (body, "m-1")
    assert sent.requests[0].repeat is Repeat.UNSAFE
    assert [one.outcome.word for one in (sent, lost, in_doubt, again)] == [
        Word.CREATED,
        Word.UNKNOWN,
        Word.UNKNOWN,
        Word.UNCHANGED,
    ]


@pytest.mark.parametrize("status", [200, 201, 202, 302, 400, 404, 408, 499])
@pytest.mark.parametrize(("resource", "fields"), [(resource, fields) for resource, fields, _ in MESSAGES])
def test_nobody_is_texted_twice_when_somebody_else_answers_for_gladly(
    resource: str, fields: dict[str, Any], status: int
) -> None:
    """It may have been sent: unknown, not a reject that `retry` would send again."""
    played = play(
        resource, "create", record_of(resource, fields), [Reply(status, b"<html>a page</html>"), ORGANISATION]
    )

    assert played.outcome.word is Word.UNKNOWN
    assert played.outcome.accepted == record_of(resource, fields).fingerprints


@pytest.mark.parametrize(("resource", "fields", "body"), MESSAGES)
def test_a_message_in_the_form_of_the_api(resource: str, fields: dict[str, Any], body: dict[str, Any]) -> None:
    """A row may be the same object that the API takes."""
    parent: dict[str, Any] = {name: fields[name] for name in ("itemId", "campaignId") if name in fields}

    assert record_of(resource, {**parent, **body}).payload == record_of(resource, fields).payload


OPTIONS = [{"id": "a", "label": "Yes"}, {"id": "b", "label": "No"}]
QUICK = {"itemId": "in", "type": "CHAT_MESSAGE", "body": "?", "messageType": "QUICK_REPLY_REQUEST"}


@pytest.mark.parametrize(
    ("resource", "fields", "code"),
    [
        ("sms", {**SMS, "mobileNumber": "650 555 0100"}, "phone_region"),
        ("sms", {**SMS, "mobileNumber": "nobody"}, "invalid_phone"),
        ("sms", {**SMS, "body": ""}, "blank"),
        ("emails", {**EMAIL, "to": "nobody"}, "invalid_email"),
        ("emails", {**EMAIL, "to": [{"email": "a@example.org"}, {"email": "b@example.org"}]}, "invalid"),
        ("emails", {**EMAIL, "html": ""}, "blank"),
        ("emails", {**EMAIL, "subject": "x" * 1000}, "too_long"),
        ("replies", {**REPLY, "body": "x" * 2049}, "too_long"),
        ("replies", {**REPLY, "type": "FAX"}, "invalid_choice"),
        ("replies", {**QUICK, "messageData": {"options": []}}, "wrong_length"),
        ("replies", {**QUICK, "messageData": {"options": OPTIONS * 2}}, "wrong_length"),
        ("replies", {**QUICK, "messageData": {"options": [{"id": "a", "label": "x" * 51}]}}, "too_long"),
        ("recipient-collections", {**COLLECTION, "recipients": []}, "blank"),
        ("recipient-collections", {**COLLECTION, "recipients": [{"customerName": "Ada", "timezone": "UTC"}]}, "blank"),
        ("recipient-collections", {**COLLECTION, "endBefore": DUE}, "invalid"),
    ],
)
def test_a_message_that_cannot_be_sent(resource: str, fields: dict[str, Any], code: str) -> None:
    """Checked before it reaches anybody."""
    found = prepared(resource, fields)

    assert isinstance(found, Problem), found
    assert found.code == code
    assert isinstance(prepared("replies", {**QUICK, "messageData": {"options": OPTIONS}}), Draft)
