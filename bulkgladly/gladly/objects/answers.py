"""Answers and their contents in each language and channel. Facts: gladly-api, endpoints 41 to 47, schemas 9."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bulkgladly.gladly.change import Action, Change, Found, lacking, writing
from bulkgladly.gladly.data_sets import ASKED_ID, FLAG, GONE_SINCE, MOMENT, TEXT, TEXTS, DataColumn, DataSetPlan
from bulkgladly.gladly.decisions import changed_since, create_of, ended, update_of
from bulkgladly.gladly.earlier_attempts import has_before_image, noted_update, word_of_accepted, word_of_equal
from bulkgladly.gladly.endpoints import Endpoint, Search, look
from bulkgladly.gladly.exports import COMPOSITE, IdColumn, LiveExport, Parent
from bulkgladly.gladly.fields import ALWAYS, MAKING, Field, Kind, column_plan
from bulkgladly.gladly.outcomes import refused, undone, unknown, unread
from bulkgladly.gladly.owners import OwnedFields, writable
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.proofs import proof_of
from bulkgladly.gladly.reversal import BelongsTo, Guard, Reversal, stand_in
from bulkgladly.gladly.rules import language_is_known
from bulkgladly.gladly.spec import Deciding, GladlyObject, ImportSpec, Policy, Procedure, Record, Steps
from bulkgladly.gladly.upserts import Upserts
from bulkgladly.messages import ApiProblem, Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word

__all__ = ("ANSWERS", "ANSWER_CONTENTS", "ANSWER_TYPES", "OBJECT")

ANSWER_TYPES = ("public", "email", "messaging", "reference")
DEFAULT_LANGUAGE = "en-us"
"""The language that Gladly uses if none is given [endpoints, parameters]."""

_STATES = {"in_use": "remove it from rules, the help center and threads first"}
_FIELDS = (
    Field("id", Kind.ID, help="the id in Gladly; derived from the source key if it is missing"),
    Field("name", required=MAKING, most=500, help="unique among all answers"),
    Field("description", most=10_000, help="for email and messaging contents"),
    Field("audiences", Kind.TEXTS, into="audienceIds", names="audience", help="all its audiences, by name"),
    Field("audienceIds", Kind.TEXTS, help="all its audiences, by id"),
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


_AT = Endpoint(
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
_STEPS = Upserts(_AT)


def _content_of(kind: str) -> Guard:
    """Return the look for a content of an answer in the default language; the API does not list contents."""

    def look_for(gladly_id: str) -> Request:
        path = f"/api/v1/answers/{segment(gladly_id)}/languages/{DEFAULT_LANGUAGE}/type/{kind}"
        return Request("getAnswerContentByLanguageAndType", "GET", path)

    return "contents", look_for


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
        yield Problem("blank", f"{needed} is missing; a content of type {payload['type']} requires it", needed)


_CONTENT_RULES = (_has_what_its_type_needs, language_is_known)


def _decide_content(record: Record, policy: Policy) -> Deciding:
    """Decide on a content, after 1 request if the mode has to know whether it exists.

    PUT creates and replaces, with the same response for both. So what an `upsert` writes
    without a look counts as updated.
    """
    known, content_id = record.known, _content_id(record)
    if known is not None and not changed_since(record, known):
        return ended("answer-contents", record, Outcome(word_of_accepted(record), gladly_id=known.gladly_id))
    body = {name: record.payload[name] for name in _SAID if record.payload.get(name) is not None}
    # A known content, and any in an upsert, is written without a look: a PUT creates or replaces.
    is_read = policy.undoable or bool(policy.owners) or has_before_image(record)
    if (known is not None or policy.mode is Mode.UPSERT) and not is_read:
        return update_of("answer-contents", record, content_id, body)
    found = yield from look(_CONTENT_AT, record, content_id)
    if (end := _before_put(record, policy, found)) is not None:
        return ended("answer-contents", record, end, found)
    if found.held is None:
        return create_of("answer-contents", record)._replace(id=content_id, after=body)
    if policy.owners:
        # A PUT replaces the whole content, so what is not the file's is sent back as it is.
        kept = {name: found.held[name] for name in _SAID if found.held.get(name) is not None}
        body = {**kept, **writable(policy.owners, body, found.held)}
    return update_of("answer-contents", record, content_id, body, before=found.held)


def _put_content(record: Record, policy: Policy, change: Change) -> Steps:
    """Write a content: 1 request."""
    body = orjson.dumps(change.after)
    held = change.before
    is_first = held is None or noted_update(_CONTENT_AT, record, str(change.id), held, policy.owners) is None
    request = Request("addAnswerContentByLanguageAndType", "PUT", _path(record), body=body)
    reply = yield writing(request, change, replaces_noted=is_first)
    if reply.is_confirmed:
        return _written(record, change.word)
    if reply.is_absent:
        return _reject("not_exist", "Gladly has no such answer", reply.status)
    return (yield from _settle_put(record, change, reply)) if reply.is_unclear else refused(reply, None)


def _before_put(record: Record, policy: Policy, found: Found) -> Outcome | None:
    """Return how a record ends without a write, by what Gladly holds; None if it is written."""
    if found.is_absent and policy.mode is Mode.UPDATE:
        return _reject("not_exist", "Gladly has no such content; use --mode upsert to create it", 404)
    if found.is_absent:
        return None
    if found.held is None:
        return unread(found.reply, None)
    if not _CONTENT_AT.changes(found.held, record.payload, policy.owners):
        # A note of a create says that there was none just before.
        is_ours = any(one.effect.action == Action.CREATE for one in record.written)
        return _written(record, Word.CREATED if is_ours else word_of_equal(_CONTENT_AT, record, found, policy.owners))
    if policy.mode is Mode.CREATE:
        detail = "the answer has a content for this language and type; use --mode upsert to change it"
        return _reject("taken", detail, 200)
    return None


def _settle_put(record: Record, change: Change, reply: Reply) -> Steps:
    """Look whether the content exists, after a PUT whose response was unclear."""
    found = yield from look(_CONTENT_AT, record, _content_id(record))
    if found.reply is not None:
        return unknown(found.reply, None)
    is_there = found.held is not None and not lacking(found.held, change.after, _SAID)
    return _written(record, change.word) if is_there else undone(reply, None)


def _ask_content(record: Record, _gladly_id: str) -> Request:
    return Request("getAnswerContentByLanguageAndType", "GET", _path(record))


def _remove_content(record: Record, _gladly_id: str) -> Request:
    return Request("deleteAnswerContentByLanguageAndType", "DELETE", _path(record))


def _content_by_place(record: Record) -> Search:
    yield from ()
    return Found(_content_id(record))


def _find_content(record: Record, _gladly_id: str | None, _policy: Policy) -> Search:
    return (yield from look(_CONTENT_AT, record, _content_id(record)))


def _path(record: Record) -> str:
    answer, language, kind = (segment(str(record.payload[name])) for name in ("answerId", "language", "type"))
    return f"/api/v1/answers/{answer}/languages/{language}/type/{kind}"


def _content_id(record: Record) -> str:
    """Return what identifies a content, which has no id: its answer, language and type."""
    return _natural_key(record.payload)


def _natural_key(payload: Mapping[str, Any]) -> str:
    return "/".join(str(payload[name]) for name in ("answerId", "language", "type"))


def _written(record: Record, word: Word) -> Outcome:
    return Outcome(word, gladly_id=_content_id(record), accepted=record.fingerprints)


def _reject(code: str, detail: str, status: int) -> Outcome:
    return Outcome.rejected(Problem(code, detail, None, Stage.API), status=status)


_CONTENT_AT = Endpoint(
    object="answer-contents",
    noun="content",
    fetch=_ask_content,
    differences=lambda held, payload: lacking(held, payload, _SAID),
    remove=_remove_content,
    victim=_content_by_place,
    states=_STATES,
)


def _by_place(content_id: str) -> dict[str, Any]:
    return dict(zip(("answerId", "language", "type"), content_id.rsplit("/", 2), strict=True))


def _restore_content(content_id: str, changes: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[Request, ...]:
    # A PUT replaces the content, so it is sent whole.
    whole = {name: changes.get(name, held.get(name)) for name in _SAID}
    body = orjson.dumps({name: value for name, value in whole.items() if value is not None})
    path = _path(stand_in(_by_place(content_id)))
    return (Request("addAnswerContentByLanguageAndType", "PUT", path, body=body),)


ANSWERS = ImportSpec(
    name="answers",
    columns=column_plan(_FIELDS, read_only=("createdAt", "updatedAt")),
    prepare=Preparation("answers", _FIELDS),
    procedures=dict.fromkeys(Mode, _STEPS.procedure),
    requests_per_record={Mode.CREATE: (1, 2), Mode.UPDATE: (1, 2), Mode.UPSERT: (1, 3), Mode.DELETE: (1, 1)},
    operations=("addAnswer", "getAnswerById", "updateAnswer", "deleteAnswer"),
    fields=_FIELDS,
    fetch=_fetch,
    id_rule="our id; its length in Gladly is unknown",
    deletes="answers with all their contents",
    owned=OwnedFields(_CHANGEABLE, lists=("audienceIds",)),
    unlisted="name",
    unread=frozenset({Mode.DELETE}),
    reversal=Reversal(
        _AT,
        fields=("name", "description"),
        lists={"audienceIds": str},
        can_delete=True,
        guards=tuple(_content_of(kind) for kind in ANSWER_TYPES),
    ),
    proof=proof_of(_AT, _CHANGEABLE),
)

ANSWER_CONTENTS = ImportSpec(
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
        **dict.fromkeys((Mode.CREATE, Mode.UPDATE, Mode.UPSERT), Procedure(_decide_content, _put_content)),
        Mode.DELETE: Upserts(_CONTENT_AT).procedure,
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
    id_rule="none: answer, language and type identify a content",
    deletes="contents of answers",
    owned=OwnedFields(_SAID),
    unread=frozenset({Mode.UPSERT, Mode.DELETE}),
    reversal=Reversal(
        _CONTENT_AT,
        fields=_SAID,
        added_by_gladly=("answerId", "language", "type"),
        can_delete=True,
        belongs_to=BelongsTo("answers", lambda content_id, _: content_id.rsplit("/", 2)[0]),
        payload_of=_by_place,
        restore=_restore_content,
    ),
    proof=proof_of(_CONTENT_AT, _SAID, find=_find_content, instructions=("answerId", "language", "type")),
)

_LANGUAGE = DataColumn("language", TEXT, "The language, such as en-us.")
_ANSWER_COLUMNS = (
    DataColumn("id", TEXT, "The id of the answer."),
    DataColumn("name", TEXT, "Its name, unique among all answers."),
    DataColumn("description", TEXT, "What it is for; shown with email and messaging contents only."),
    DataColumn("audienceIds", TEXTS, "The audiences it is for."),
    DataColumn("createdAt", MOMENT, "When it was created."),
    DataColumn("updatedAt", MOMENT, "When it was last changed."),
    ASKED_ID,
)
_CONTENT_COLUMNS = (
    DataColumn("answerId", TEXT, "The answer it belongs to."),
    _LANGUAGE,
    DataColumn("type", TEXT, "Where it is used: public, email, messaging or reference."),
    DataColumn("title", TEXT, "The title of a public content."),
    DataColumn("subject", TEXT, "The subject of an email content."),
    DataColumn("bodyHtml", TEXT, "Its text, as HTML."),
    DataColumn("internal", FLAG, "Whether a reference content is only for the organisation's own people."),
    ASKED_ID,
)
_PUBLIC_COLUMNS = (
    DataColumn("id", TEXT, "The id of the answer."),
    _LANGUAGE,
    DataColumn("name", TEXT, "Its name."),
    DataColumn("bodyHtml", TEXT, "Its public text, as HTML."),
    DataColumn("updatedAt", MOMENT, "When it was last changed."),
    GONE_SINCE,
)


def _contents_of(answer: str, language: str | None) -> Iterator[str]:
    """Yield a key for each content that an answer may have; the API does not list those it has."""
    for kind in ANSWER_TYPES:
        yield COMPOSITE.join((answer, language or DEFAULT_LANGUAGE, kind))


OBJECT = GladlyObject(
    writes=(ANSWERS, ANSWER_CONTENTS),
    reads=(
        LiveExport(
            "public-answers", "listAnswers", "/api/v1/orgs/{orgId}/answers", "public-answers", cap=1000, order="name"
        ),
        LiveExport(
            "answers",
            "getAnswerById",
            "/api/v1/answers/{answerId}",
            "answers",
            Parent.ANSWER,
            is_list=False,
            ids_from=(IdColumn("public-answers", "id", "updatedAt"),),
        ),
        LiveExport(
            "answer-contents",
            "getAnswerContentByLanguageAndType",
            "/api/v1/answers/{answerId}/languages/{language}/type/{type}",
            "answer-contents",
            Parent.ANSWER,
            is_list=False,
            # Public answers also have their languages. The others are requested in the default language only.
            ids_from=(
                IdColumn("public-answers", "id", "updatedAt", "language"),
                IdColumn("answers", "id", "updatedAt"),
            ),
            keys_of=_contents_of,
        ),
    ),
    data_sets=(
        DataSetPlan("public-answers", _PUBLIC_COLUMNS, key=("id", "language")),
        DataSetPlan("answers", _ANSWER_COLUMNS),
        DataSetPlan("answer-contents", _CONTENT_COLUMNS, key=("answerId", "language", "type")),
    ),
)
