"""Conversations and their labels, driven by hand."""

from typing import Any

import pytest

from bulkgladly.messages import Effect, NotedWrite, Repeat, Reply
from bulkgladly.records import Problem, Word
from tests.unit.stepping import BROKEN, DONE, GONE, LOST, created, play, prepared, record_of, refusal, reply

CLOSE = {"conversationId": "talk", "inboxId": "in", "status": "CLOSED"}
STATE = refusal(400, "invalid_state", "status.value")


def held(**fields: Any) -> Reply:
    """The conversation as Gladly shows it."""
    return reply(200, {"id": "talk", "customerId": "ada", "inboxId": "in", "status": "CLOSED", **fields})


def update(fields: dict[str, Any], replies: list[Reply], **policy: Any) -> Any:
    return play("conversations", "update", record_of("conversations", fields, "update"), replies, **policy)


def test_topics_come_before_closing_and_after_reopening() -> None:
    """Closing may need them, and a closed conversation may refuse them."""
    closed = update({**CLOSE, "topicIds": "t-1;t-2"}, [DONE, DONE])
    opened = update({"conversationId": "talk", "status": "OPEN", "topicIds": "t-1"}, [DONE, DONE])

    assert closed.calls == ["addTopicToConversation", "patchConversation"]
    assert closed.body(0) == {"topicIds": ["t-1", "t-2"]}
    assert closed.body(1) == {"assignee": {"inboxId": "in"}, "status": {"value": "CLOSED"}}
    assert opened.calls == ["patchConversation", "addTopicToConversation"]
    assert {request.repeat for request in closed.requests} == {Repeat.HARMLESS}
    assert closed.outcome.word is opened.outcome.word is Word.UPDATED


@pytest.mark.parametrize(
    ("fields", "force_close", "forced"),
    [({}, False, None), ({}, True, True), ({"force": "yes"}, False, True), ({"force": "no"}, True, None)],
)
def test_force_is_said_only_where_it_is_meant(fields: dict[str, str], force_close: bool, forced: bool | None) -> None:
    """By the policy, or by the row, which counts more."""
    played = update({**CLOSE, **fields}, [DONE], force_close=force_close)

    assert played.body()["status"].get("force") is forced
    assert (
        "force" not in update({"conversationId": "talk", "status": "OPEN"}, [DONE], force_close=True).body()["status"]
    )


@pytest.mark.parametrize(
    ("answer", "asked", "word", "code"),
    [
        (STATE, held(), Word.UNCHANGED, None),
        (STATE._replace(lost=1), held(), Word.UPDATED, None),
        (STATE, held(status="OPEN"), Word.REJECTED, "invalid_state"),
        (STATE, held(inboxId="other"), Word.REJECTED, "invalid_state"),
        (STATE, BROKEN, Word.REJECTED, "http_503"),
        (STATE._replace(lost=1), BROKEN, Word.UNKNOWN, "unsettled"),
        (BROKEN, held(), Word.UPDATED, None),
        (BROKEN, held(status="WAITING"), Word.REJECTED, "http_503"),
        (LOST, LOST, Word.UNKNOWN, "unsettled"),
        (LOST, GONE, Word.REJECTED, "not_exist"),
    ],
)
def test_a_state_that_forbids_it_is_looked_at(answer: Reply, asked: Reply, word: Word, code: str | None) -> None:
    """Our first attempt may have been done, or the state may be right already; otherwise the reject names the fix."""
    played = update(CLOSE, [answer, asked])

    assert played.calls == ["patchConversation", "getConversation"]
    assert (played.outcome.word, played.outcome.code) == (word, code)
    if code == "invalid_state":
        assert "--force-close" in (played.outcome.detail or "")


def test_a_state_that_a_killed_process_has_set_counts_as_updated() -> None:
    """Gladly refuses to do again what was done; the row is not unchanged, or undo would leave the conversation so."""
    effect = Effect("update", "talk", None, {"status": {"value": "CLOSED"}})
    record = record_of("conversations", CLOSE, "update")
    record = record._replace(written=[NotedWrite(1, 1, "patchConversation", effect)])

    played = play("conversations", "update", record, [STATE, held()])

    assert played.outcome.word is Word.UPDATED


@pytest.mark.parametrize("is_noted", [True, False])
def test_topics_that_a_killed_process_has_removed_count_as_deleted(is_noted: bool) -> None:
    """They are not found any more."""
    effect = Effect("delete", "talk", {"topicIds": ["t-1"]}, {"topicIds": ["t-1"]})
    record = record_of("conversation-topics", {"conversationId": "talk", "topicIds": "t-1"}, "delete")
    if is_noted:
        record = record._replace(written=[NotedWrite(1, 1, "deleteTopicFromConversation", effect)])

    played = play("conversation-topics", "delete", record, [GONE, held(topicIds=[])])

    assert played.outcome.word is (Word.DELETED if is_noted else Word.UNCHANGED)


@pytest.mark.parametrize("answer", [GONE, refusal(400, "invalid", "topicIds")])
def test_nothing_is_closed_whose_topics_are_refused(answer: Reply) -> None:
    """The first refusal ends the record."""
    played = update({**CLOSE, "topicIds": "t-1"}, [answer])

    assert played.calls == ["addTopicToConversation"]
    assert played.outcome.word is Word.REJECTED


def test_waiting_is_open() -> None:
    """A conversation whose customer waits needs no reopening."""
    played = update({"conversationId": "talk", "status": "OPEN"}, [STATE, held(status="WAITING")])

    assert played.outcome.word is Word.UNCHANGED


@pytest.mark.parametrize(
    ("resource", "fields", "mode", "code"),
    [
        ("conversations", {"conversationId": "talk"}, "update", "nothing_to_do"),
        ("conversations", {"status": "OPEN"}, "update", "blank"),
        ("conversations", {"conversationId": "talk", "agentId": "a"}, "update", "blank"),
        ("conversations", {"conversationId": "talk", "id": "x"}, "update", "given_twice"),
        ("conversation-topics", {"conversationId": "talk"}, "delete", "blank"),
        ("freeform-topics", {"conversationId": "talk"}, "update", "nothing_to_do"),
        ("redactions", {}, "delete", "blank"),
    ],
)
def test_a_row_without_what_it_needs(resource: str, fields: dict[str, Any], mode: str, code: str) -> None:
    """Costs no request."""
    found = prepared(resource, fields, mode)

    assert isinstance(found, Problem), found
    assert found.code == code


NOT_FOUND_PAGE = Reply(404, b"<html>not found</html>")
TOPICS = {"conversationId": "talk", "topicIds": ["t-1", "t-2"]}


@pytest.mark.parametrize(
    ("replies", "word"),
    [
        ([DONE, DONE], Word.DELETED),
        ([DONE, GONE, held()], Word.DELETED),
        ([GONE, held(), GONE, held()], Word.UNCHANGED),
        ([GONE, GONE], Word.REJECTED),
        ([GONE, held(topicIds=["t-1", "t-2"])], Word.REJECTED),
        ([GONE, BROKEN], Word.UNKNOWN),
        ([LOST, held(topicIds=["t-2"]), DONE], Word.DELETED),
        ([LOST, held(topicIds=["t-1", "t-2"])], Word.REJECTED),
        ([LOST, LOST], Word.UNKNOWN),
        ([LOST, GONE], Word.REJECTED),
        ([NOT_FOUND_PAGE, held(topicIds=["t-1", "t-2"])], Word.REJECTED),
        ([refusal(400, "invalid")], Word.REJECTED),
    ],
)
def test_topics_come_off_one_by_one(replies: list[Reply], word: Word) -> None:
    """A missing topic, a missing conversation and a page that says "not found" are three different cases."""
    record = record_of("conversation-topics", TOPICS, "delete")

    assert play("conversation-topics", "delete", record, replies).outcome.word is word


def test_freeform_topics_follow_their_conversation_to_another_customer() -> None:
    """The customer of the row was merged; the conversation shows into whom."""
    fields = {"conversationId": "talk", "customerId": "old", "add": [{"key": "orderId", "value": "A1"}]}
    record = record_of("freeform-topics", fields, "update")

    moved = play("freeform-topics", "update", record, [GONE, held(), DONE])
    gone = play("freeform-topics", "update", record, [GONE, GONE])
    same = play("freeform-topics", "update", record, [GONE, held(customerId="old")])

    assert moved.calls == ["changeFreeformTopics", "getConversation", "changeFreeformTopics"]
    assert moved.requests[2].path.startswith("/api/v1/customer-history/ada/")
    assert moved.body() == {"add": [{"key": "orderId", "value": "A1"}]}
    assert [one.outcome.word for one in (moved, gone, same)] == [Word.UPDATED, Word.REJECTED, Word.REJECTED]
    # The conversation was just read, so it must not be called missing.
    assert (gone.outcome.detail, same.outcome.detail) == ("Gladly has no such conversation", "as the API says")


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (created(), Word.DELETED),
        (GONE, Word.REJECTED),
        (refusal(400, "invalid", "type"), Word.REJECTED),
        (LOST, Word.UNKNOWN),
    ],
)
def test_a_redaction_takes_one_request(answer: Reply, word: Word) -> None:
    """It may be repeated: the content is removed either way."""
    played = play("redactions", "delete", record_of("redactions", {"itemId": "x"}, "delete"), [answer])

    assert (played.calls, played.outcome.word) == (["redactContent"], word)
