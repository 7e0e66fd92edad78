"""Answers, their contents and webhooks, driven by hand."""

from typing import Any

import pytest

from bulkgladly.gladly.spec import Draft
from bulkgladly.messages import Effect, NotedWrite, Repeat, Reply
from bulkgladly.records import Problem, Word
from tests.unit.stepping import BROKEN, DONE, GONE, LOST, created, play, prepared, record_of, refusal, remembered, reply

ANSWER = {"name": "Returns", "audienceIds": "a;b"}
NAME_TAKEN = refusal(409, "taken", "name", existingAnswerId="other")
IN_USE = refusal(400, "in_use", helpCenterID="h")


def answer(**fields: Any) -> Reply:
    return reply(200, {"name": "Returns", "audienceIds": ["b", "a"], **fields})


def test_an_answer_is_made_with_200() -> None:
    """Gladly responds with 200, not with 201."""
    record = record_of("answers", ANSWER)

    played = play("answers", "create", record, [reply(200, {"id": record.id})])

    assert played.body() == {"id": record.id, "name": "Returns", "audienceIds": ["a", "b"]}
    assert played.outcome.word is Word.CREATED


def test_audiences_are_a_set_and_written_whole() -> None:
    """Another order is not a change; a missing one is."""
    record = record_of("answers", {"id": "held", **ANSWER}, "update")

    same = play("answers", "update", record, [answer()])
    fewer = play("answers", "update", record, [answer(audienceIds=["a"]), DONE])

    assert same.outcome.word is Word.UNCHANGED
    assert fewer.body() == {"audienceIds": ["a", "b"]}


@pytest.mark.parametrize(("status", "code"), [(409, "taken"), (400, "taken")])
def test_a_name_that_is_taken_in_a_create_is_adopted_by_policy(status: int, code: str) -> None:
    """With any status of the refusal."""
    record = record_of("answers", ANSWER, "upsert")
    taken = NAME_TAKEN._replace(status=status)

    refused = play("answers", "upsert", record, [taken])
    adopted = play("answers", "upsert", record, [taken, answer(audienceIds=[]), DONE], on_conflict="update")

    assert refused.outcome.code == code
    assert adopted.requests[1].path == "/api/v1/answers/other"
    assert adopted.outcome.gladly_id == "other"


def test_a_rename_to_a_taken_name_is_a_400() -> None:
    """The reject is a conflict all the same."""
    record = record_of("answers", ANSWER, "upsert")
    record = record._replace(known=remembered(record, name="Old"))

    played = play("answers", "upsert", record, [refusal(400, "taken", "name")])

    assert (played.outcome.code, played.outcome.status) == ("taken", 400)


def test_an_answer_in_use_says_where_to_look() -> None:
    """Gladly refuses to delete it."""
    played = play("answers", "delete", record_of("answers", {"id": "held"}, "delete"), [IN_USE])

    assert played.outcome.code == "in_use"
    assert "help center" in (played.outcome.detail or "")


# --- contents --------------------------------------------------------------------------------

LOGIN = Reply(200, b"<html>sign in</html>")
NOT_FOUND_PAGE = Reply(404, b"<html>not found</html>")
CONTENT = {"answerId": "held", "language": "EN-us", "type": "Public", "bodyHtml": "<p>x</p>", "title": "X"}


def content(**fields: Any) -> Reply:
    place = {"answerId": "held", "language": "en-us", "type": "public"}
    return reply(200, {**place, "bodyHtml": "<p>x</p>", "title": "X", **fields})


@pytest.mark.parametrize(
    ("mode", "replies", "word"),
    [
        ("upsert", [content()], Word.UPDATED),
        ("create", [GONE, content()], Word.CREATED),
        ("create", [content()], Word.UNCHANGED),
        ("create", [content(title="Y")], Word.REJECTED),
        ("update", [GONE], Word.REJECTED),
        ("update", [content()], Word.UNCHANGED),
        ("update", [content(title="Y"), content()], Word.UPDATED),
        ("update", [LOST], Word.REJECTED),
        ("upsert", [GONE], Word.REJECTED),
        ("upsert", [refusal(400, "invalid", "language")], Word.REJECTED),
        ("upsert", [LOST, content()], Word.UPDATED),
        ("upsert", [LOST, content(title="Y")], Word.REJECTED),
        ("upsert", [LOST, GONE], Word.REJECTED),
        ("upsert", [LOST, LOST], Word.UNKNOWN),
        ("upsert", [LOGIN, content()], Word.UPDATED),
        ("upsert", [LOGIN, GONE], Word.UNKNOWN),
        ("upsert", [LOGIN, LOGIN], Word.UNKNOWN),
        ("create", [LOGIN], Word.REJECTED),
        ("create", [NOT_FOUND_PAGE], Word.REJECTED),
    ],
)
def test_a_content_in_each_mode(mode: str, replies: list[Reply], word: Word) -> None:
    """It is read if the mode has to know whether it exists, or if the write was unclear."""
    record = record_of("answer-contents", CONTENT, mode)

    played = play("answer-contents", mode, record, replies)

    assert played.requests[0].path == "/api/v1/answers/held/languages/en-us/type/public"
    assert {request.repeat for request in played.requests} == {Repeat.HARMLESS}
    assert played.outcome.word is word


def test_a_content_is_sent_without_its_place() -> None:
    """The path says where it goes; what was accepted is not sent again."""
    record = record_of("answer-contents", CONTENT, "upsert")
    played = play("answer-contents", "upsert", record, [content()])
    record = record._replace(known=remembered(record))

    assert played.body() == {"bodyHtml": "<p>x</p>", "title": "X"}
    assert play("answer-contents", "upsert", record, []).outcome.word is Word.UNCHANGED


@pytest.mark.parametrize(
    ("replies", "word"),
    [
        ([DONE], Word.DELETED),
        ([GONE], Word.UNCHANGED),
        ([GONE._replace(lost=1)], Word.DELETED),
        ([IN_USE], Word.REJECTED),
        ([LOST, GONE], Word.DELETED),
        ([LOST, content()], Word.REJECTED),
        ([LOST, LOST], Word.UNKNOWN),
        ([NOT_FOUND_PAGE, content()], Word.REJECTED),
        ([NOT_FOUND_PAGE, NOT_FOUND_PAGE], Word.UNKNOWN),
    ],
)
def test_a_content_is_deleted(replies: list[Reply], word: Word) -> None:
    """By its place alone; a page that says "not found" is not taken for "deleted"."""
    fields = {name: CONTENT[name] for name in ("answerId", "language", "type")}

    assert (
        play("answer-contents", "delete", record_of("answer-contents", fields, "delete"), replies).outcome.word is word
    )


@pytest.mark.parametrize(
    ("change", "attr"),
    [
        ({"title": ""}, "title"),
        ({"type": "email"}, "subject"),
        ({"bodyHtml": ""}, "bodyHtml"),
        ({"language": "english"}, "language"),
    ],
)
def test_a_content_has_what_its_type_needs(change: dict[str, str], attr: str) -> None:
    """Checked before it is sent. Without a key column, its place is its key."""
    found = prepared("answer-contents", {**CONTENT, **change})
    keyless = prepared("answer-contents", CONTENT, key=None)

    assert isinstance(found, Problem)
    assert found.attr == attr
    assert isinstance(keyless, Draft)
    assert keyless.key == "held/en-us/public"


# --- webhooks --------------------------------------------------------------------------------

HOOK = {"url": "https://example.org/hook", "events": "TASK/CREATED;TASK/CLOSED", "enabled": True}
URL_TAKEN = refusal(400, "taken", "url")


def hook(**fields: Any) -> dict[str, Any]:
    events = ["TASK/CLOSED", "TASK/CREATED"]
    return {"id": "w-1", "url": HOOK["url"], "events": events, "enabled": True, "hasCredentials": False, **fields}


MADE = created("/api/v1/webhooks/w-1")


def test_a_webhook_is_made_disabled() -> None:
    """And enabled by a second request, if the row wants it."""
    played = play("webhooks", "create", record_of("webhooks", HOOK), [MADE, DONE])
    quiet = play("webhooks", "create", record_of("webhooks", {**HOOK, "enabled": "no"}), [MADE])

    assert played.body(0)["enabled"] is False
    assert (played.body(1), played.requests[1].path) == ({"enabled": True}, "/api/v1/webhooks/w-1")
    assert (played.outcome.word, quiet.outcome.word) == (Word.CREATED, Word.CREATED)
    assert played.outcome.gladly_id == "w-1"


@pytest.mark.parametrize(
    ("mode", "first", "listed", "more", "word"),
    [
        ("create", URL_TAKEN._replace(lost=1), [hook(enabled=False)], [DONE], Word.CREATED),
        ("create", LOST, [hook(enabled=False)], [DONE], Word.CREATED),
        ("create", Reply(201, headers={"Location": ""}), [hook(enabled=False)], [DONE], Word.CREATED),
        ("create", Reply(201, headers={"Location": ""}), [], [], Word.UNKNOWN),
        ("create", Reply(200, b"<html>sign in</html>"), [], [], Word.UNKNOWN),
        ("create", URL_TAKEN, [hook()], [], Word.UNCHANGED),
        ("create", URL_TAKEN, [hook(enabled=False)], [], Word.REJECTED),
        ("upsert", URL_TAKEN, [hook(enabled=False)], [DONE], Word.UPDATED),
        ("upsert", URL_TAKEN, [hook()], [], Word.UNCHANGED),
        ("upsert", Reply(400), [hook(enabled=False)], [DONE], Word.CREATED),
        ("upsert", Reply(409, b"<html>"), [hook(events=["TASK/CREATED"])], [DONE], Word.UPDATED),
        ("upsert", Reply(409, b"<html>"), [], [], Word.REJECTED),
        ("create", refusal(400, "invalid", "events"), [hook(url="https://example.org/other")], [], Word.REJECTED),
        ("create", LOST, [], [], Word.REJECTED),
    ],
)
def test_a_refused_webhook_is_looked_for_by_its_url(
    mode: str, first: Reply, listed: list[Any], more: list[Reply], word: Word
) -> None:
    """The response to a duplicate is unknown, so the list is read after any refusal.

    A response that is not Gladly's may hide a create that was done: what the list shows is ours then.
    """
    played = play("webhooks", mode, record_of("webhooks", HOOK, mode), [first, reply(200, listed), *more])

    assert played.calls[:2] == ["createWebhook", "getWebhooks"]
    assert played.outcome.word is word


@pytest.mark.parametrize(
    ("replies", "word"),
    [
        ([reply(200, [hook(enabled=False)]), DONE], Word.CREATED),
        ([reply(200, []), MADE, DONE], Word.CREATED),
        ([BROKEN], Word.UNKNOWN),
    ],
)
def test_a_webhook_in_doubt_is_looked_for_first(replies: list[Reply], word: Word) -> None:
    """An earlier process may have created it."""
    record = record_of("webhooks", HOOK, "upsert", doubt=True)

    assert play("webhooks", "upsert", record, replies).outcome.word is word


def test_what_is_never_shown_is_sent_when_it_has_changed() -> None:
    """And with the first write, if nothing is remembered."""
    fields = {**HOOK, "headers": {"X-Key": "1"}}
    new = record_of("webhooks", {"id": "w-1", **fields}, "update")
    same, changed = record_of("webhooks", fields, "update"), record_of("webhooks", fields, "update")
    same = same._replace(known=remembered(same, "w-1", name="Old"))
    changed = changed._replace(known=remembered(changed, "w-1", headers={"X-Key": "0"}))

    first = play("webhooks", "update", new, [reply(200, hook()), DONE])
    none = play("webhooks", "update", same, [])
    second = play("webhooks", "update", changed, [reply(200, hook()), DONE])

    assert first.body() == second.body() == {"headers": {"X-Key": "1"}}
    assert none.outcome.word is Word.UNCHANGED


def test_a_ping_that_fails_is_named() -> None:
    """On enabling, and on a change of the URL."""
    record = record_of("webhooks", {"id": "w-1", "url": "https://example.org/new"}, "update")

    made = play("webhooks", "create", record_of("webhooks", HOOK), [MADE, refusal(400, "invalid", "url")])
    moved = play("webhooks", "update", record, [reply(200, hook()), refusal(400, "invalid", "url")])

    assert (made.outcome.word, made.outcome.gladly_id) == (Word.REJECTED, "w-1")
    assert all("PING" in (one.outcome.detail or "") for one in (made, moved))


@pytest.mark.parametrize(
    ("fields", "replies", "word"),
    [
        ({"id": "w-1"}, [DONE, DONE], Word.DELETED),
        ({"id": "w-1"}, [GONE], Word.UNCHANGED),
        ({"id": "w-1"}, [DONE, GONE], Word.UNCHANGED),
        ({"id": "w-1"}, [DONE, GONE._replace(lost=1)], Word.DELETED),
        ({"id": "w-1"}, [LOST], Word.UNKNOWN),
        ({"id": "w-1"}, [refusal(400, "invalid", "enabled")], Word.REJECTED),
        ({"id": "w-1"}, [DONE, LOST, GONE], Word.DELETED),
        ({"id": "w-1"}, [DONE, LOST, reply(200, hook(enabled=False))], Word.REJECTED),
        ({"id": "w-1"}, [DONE, LOST, LOST], Word.UNKNOWN),
        ({"id": "w-1"}, [DONE, NOT_FOUND_PAGE, NOT_FOUND_PAGE], Word.UNKNOWN),
        ({"id": "w-1"}, [DONE, refusal(400, "invalid_state")], Word.REJECTED),
        ({"url": HOOK["url"]}, [reply(200, [hook()]), DONE, DONE], Word.DELETED),
        ({"url": HOOK["url"]}, [reply(200, [])], Word.UNCHANGED),
        ({"url": HOOK["url"]}, [BROKEN], Word.REJECTED),
    ],
)
def test_a_webhook_is_disabled_and_deleted(fields: dict[str, Any], replies: list[Reply], word: Word) -> None:
    """Gladly deletes no other. If the response to the deletion is unclear, it is looked up."""
    played = play("webhooks", "delete", record_of("webhooks", fields, "delete"), replies)

    assert played.outcome.word is word
    if word is Word.DELETED:
        calls = [call for call in played.calls if call != "getWebhook"]
        assert calls[-2:] == ["updateWebhook", "deleteWebhook"]


@pytest.mark.parametrize(("action", "word"), [("delete", Word.DELETED), ("update", Word.UNCHANGED)])
def test_a_webhook_that_a_killed_process_has_deleted_ends_as_deleted(action: str, word: Word) -> None:
    """Nobody has read it, but it was disabled, or the deletion would not have left."""
    noted = NotedWrite(0, 1, "deleteWebhook", Effect(action, "w-1", None, {}))
    record = record_of("webhooks", {"id": "w-1"}, "delete")._replace(written=(noted,))

    assert play("webhooks", "delete", record, [GONE]).outcome.word is word


@pytest.mark.parametrize("url", ["http://example.org/hook", "example.org", "http://127.0.0.1.example.org"])
def test_a_url_is_https(url: str) -> None:
    """Or on this machine, where an emulator's webhooks can go."""
    found = prepared("webhooks", {**HOOK, "url": url})

    assert isinstance(found, Problem)
    assert found.attr == "url"
    assert isinstance(prepared("webhooks", {**HOOK, "url": "http://127.0.0.1:8080/hook"}), Draft)
