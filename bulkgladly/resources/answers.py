"""Answers and what they say in each language and channel. Facts: gladly-api, endpoints 41 to 47, schemas 9."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bulkgladly.messages import ApiProblem, Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word
from bulkgladly.resources.compare import lacking
from bulkgladly.resources.endpoints import Endpoint
from bulkgladly.resources.exports import ANSWER_TYPES
from bulkgladly.resources.fields import ALWAYS, MAKING, Field, Kind, column_plan
from bulkgladly.resources.objects import Preparation, segment
from bulkgladly.resources.outcomes import refused, undone, unknown, unread
from bulkgladly.resources.rules import language_is_known
from bulkgladly.resources.spec import Policy, Record, ResourceSpec, Steps
from bulkgladly.resources.upserts import Upserts

__all__ = ("ANSWERS", "ANSWER_CONTENTS")

_STATES = {"in_use": "take it out of rules, help center and threads first"}
_FIELDS = (
    Field("id", Kind.ID, help="the id in Gladly; derived from the source key where it is missing"),
    Field("name", required=MAKING, most=500, help="unique among all answers"),
    Field("description", most=10_000, help="for email and messaging contents"),
    Field("audiences", Kind.TEXTS, into="audienceIds", names="audience", help="audiences by name; all of them"),
    Field("audienceIds", Kind.TEXTS, help="audiences by id; all of them"),
)
_CHANGEABLE = ("name", "description", "audienceIds")


def _create(record: Record) -> Request:
    fields = {name: record.payload[name] for name in _CHANGEABLE if record.payload.get(name) is not None}
    body = orjson.dumps({"id": record.id, **fields})
    return Request("addAnswer", "POST", "/api/v1/answers", body=body, repeat=Repeat.DETECTED)


def _fetch(_record: Record, gladly_id: str) -> Request:
    return Request("getAnswerById", "GET", f"/api/v1/answers/{segment(gladly_id)}")


def _change(_record: Record, gladly_id: str, changes: Mapping[str, Any]) -> Request:
    return Request("updateAnswer", "PATCH", f"/api/v1/answers/{segment(gladly_id)}", body=orjson.dumps(changes))


def _remove(_record: Record, gladly_id: str) -> Request:
    return Request("deleteAnswer", "DELETE", f"/api/v1/answers/{segment(gladly_id)}")


def _holder(problem: ApiProblem) -> str | None:
    other = problem.meta.get("existingAnswerId")
    return other if isinstance(other, str) else None


_STEPS = Upserts(
    Endpoint(
        object="answers",
        noun="answer",
        fetch=_fetch,
        differences=lambda held, payload: lacking(held, payload, _CHANGEABLE),
        create=_create,
        change=_change,
        remove=_remove,
        holder=_holder,
        states=_STATES,
    )
)

_CONTENT_FIELDS = (
    Field("answerKey", into="answerId", key_of="answers", required=ALWAYS, help="the answer, by its source key"),
    Field("answerId", Kind.ID, help="the answer, by its id"),
    Field("language", required=ALWAYS, pattern="[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", help="a code such as en-us"),
    Field("type", Kind.CHOICE, required=ALWAYS, choices=ANSWER_TYPES),
    Field("bodyHtml", required=MAKING | {Mode.UPDATE}),
    Field("title", help="of a public content"),
    Field("subject", help="of an email content"),
    Field("internal", Kind.FLAG, help="of a reference content"),
)
_SAID = ("bodyHtml", "title", "subject", "internal")


def _lower_language(payload: dict[str, Any], _policy: Policy) -> dict[str, Any]:
    return {**payload, "language": str(payload["language"]).lower()}


def _has_what_its_type_needs(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    needed = {"public": "title", "email": "subject"}.get(str(payload.get("type")))
    if policy.mode is not Mode.DELETE and needed is not None and not payload.get(needed):
        yield Problem("blank", f"{needed} is missing; a content of type {payload['type']} needs it", needed)


_CONTENT_RULES = (_has_what_its_type_needs, language_is_known)


def _put_content(record: Record, policy: Policy) -> Steps:
    """Write a content: 1 request, and 1 before it where the mode asks whether it is there.

    PUT makes and replaces, and answers the same for both; so what an `upsert` writes without
    asking counts as updated.
    """
    known = record.known
    is_equal = known is not None and all(known.accepted.get(name) == p for name, p in record.fingerprints.items())
    if is_equal and known is not None:
        return Outcome(Word.UNCHANGED, gladly_id=known.gladly_id)
    word = Word.UPDATED
    if known is None and policy.mode is not Mode.UPSERT:
        asked = yield _ask_content(record)
        if (found := _before_put(record, policy, asked)) is not None:
            return found
        word = Word.CREATED if asked.is_absent else word
    body = {name: record.payload[name] for name in _SAID if record.payload.get(name) is not None}
    reply = yield Request("addAnswerContentByLanguageAndType", "PUT", _path(record), body=orjson.dumps(body))
    if reply.is_confirmed:
        return _written(record, word)
    if reply.is_absent:
        return _reject("not_exist", "Gladly has no such answer", reply)
    return (yield from _settle_put(record, word, reply)) if reply.is_unclear else refused(reply, None)


def _before_put(record: Record, policy: Policy, asked: Reply) -> Outcome | None:
    """Return how a record ends without a write, by what is there; None where it is written."""
    held = asked.object
    if asked.is_absent:
        is_needed = policy.mode is Mode.UPDATE
        detail = "Gladly has no such content; use --mode upsert to make it"
        return _reject("not_exist", detail, asked) if is_needed else None
    if held is None:
        return unread(asked, None)
    if not lacking(held, record.payload, _SAID):
        return _written(record, Word.UNCHANGED)
    if policy.mode is Mode.CREATE:
        return _reject("taken", "there is a content for this language and type; use --mode upsert", asked)
    return None


def _settle_put(record: Record, word: Word, reply: Reply) -> Steps:
    """After a PUT with an unclear end: look whether the content is there."""
    asked = yield _ask_content(record)
    if asked.object is not None and not lacking(asked.object, record.payload, _SAID):
        return _written(record, word)
    return undone(reply, None) if asked.object is not None or asked.is_absent else unknown(asked, None)


def _delete_content(record: Record, _policy: Policy) -> Steps:
    """Delete a content: 1 request; one that is gone already is unchanged."""
    reply = yield Request("deleteAnswerContentByLanguageAndType", "DELETE", _path(record))
    if reply.is_confirmed or (reply.is_absent and reply.lost):
        return Outcome(Word.DELETED, gladly_id=_content_id(record))
    if reply.is_absent:
        return Outcome(Word.UNCHANGED, gladly_id=_content_id(record))
    if reply.is_unclear:
        asked = yield _ask_content(record)
        if asked.is_absent:
            return Outcome(Word.DELETED, gladly_id=_content_id(record))
        return unknown(asked, None) if asked.object is None else refused(reply, None)
    outcome = refused(reply, None)
    way_out = _STATES.get(str(outcome.code))
    return outcome._replace(detail=f"{outcome.detail}; {way_out}") if way_out else outcome


def _ask_content(record: Record) -> Request:
    return Request("getAnswerContentByLanguageAndType", "GET", _path(record))


def _path(record: Record) -> str:
    answer, language, kind = (segment(str(record.payload[name])) for name in ("answerId", "language", "type"))
    return f"/api/v1/answers/{answer}/languages/{language}/type/{kind}"


def _content_id(record: Record) -> str:
    """A content has no id of its own: it is named by its place."""
    return _natural_key(record.payload)


def _natural_key(payload: Mapping[str, Any]) -> str:
    return "/".join(str(payload[name]) for name in ("answerId", "language", "type"))


def _written(record: Record, word: Word) -> Outcome:
    return Outcome(word, gladly_id=_content_id(record), accepted=record.fingerprints)


def _reject(code: str, detail: str, reply: Reply) -> Outcome:
    return Outcome.rejected(Problem(code, detail, None, Stage.API), status=reply.status)


ANSWERS = ResourceSpec(
    name="answers",
    columns=column_plan(_FIELDS, read_only=("createdAt", "updatedAt")),
    prepare=Preparation("answers", _FIELDS),
    procedures={
        Mode.CREATE: _STEPS.write,
        Mode.UPDATE: _STEPS.write,
        Mode.UPSERT: _STEPS.write,
        Mode.DELETE: _STEPS.delete,
    },
    requests_per_record={Mode.CREATE: (1, 2), Mode.UPDATE: (1, 2), Mode.UPSERT: (1, 3), Mode.DELETE: (1, 1)},
    operations=("addAnswer", "getAnswerById", "updateAnswer", "deleteAnswer"),
    fields=_FIELDS,
    fetch=_fetch,
    id_rule="our id; its length in Gladly is unknown",
    deletes="answers with all their contents",
)

ANSWER_CONTENTS = ResourceSpec(
    name="answer-contents",
    columns=column_plan(_CONTENT_FIELDS),
    prepare=Preparation(
        "answer-contents",
        _CONTENT_FIELDS,
        rules=_CONTENT_RULES,
        natural_key=_natural_key,
        clean=_lower_language,
    ),
    procedures={
        Mode.CREATE: _put_content,
        Mode.UPDATE: _put_content,
        Mode.UPSERT: _put_content,
        Mode.DELETE: _delete_content,
    },
    requests_per_record={Mode.CREATE: (1, 2), Mode.UPDATE: (1, 2), Mode.UPSERT: (1, 1), Mode.DELETE: (1, 1)},
    operations=(
        "addAnswerContentByLanguageAndType",
        "getAnswerContentByLanguageAndType",
        "deleteAnswerContentByLanguageAndType",
    ),
    fields=_CONTENT_FIELDS,
    rules=_CONTENT_RULES,
    repeat=Repeat.HARMLESS,
    id_rule="none: answer, language and type name a content",
    deletes="contents of answers",
)
