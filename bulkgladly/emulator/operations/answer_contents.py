"""The operations on the contents of answers: one text for each language and type.

Facts: endpoints.md, rows 45 to 47, and schemas.md, section 9, of the fact sheet. Which types of
contents cannot be deleted (400 `not implemented`) is UNKNOWN: the option `kept_contents` names them.
That writing or deleting a content changes the answer's `updatedAt` is an assumption.
"""

import re

from bulkgladly.emulator.operations.answers import CONTENT_TYPES, existing_answer, refusal_if_used
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Reply, json_reply, no_content
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("ANSWER_CONTENT_OPERATIONS", "content_key", "content_of")

_PATH = "/api/v1/answers/{answerId}/languages/{language}/type/{type}"
# Codes are in lower case, as in Gladly's own import script.
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")


def content_key(answer_id: str, language: str, content_type: str) -> str:
    """Return the key of a content. Ids have no slash, so keys are unique."""
    return f"{answer_id}/{language}/{content_type}"


def content_of(store: Store, answer_id: str, language: str, content_type: str) -> Entity | None:
    """Return the content as the API returns it, or None."""
    found = store.collections["answer_contents"].get(content_key(answer_id, language, content_type))
    return None if found is None else {name: value for name, value in found.items() if name != "id"}


def _get(call: Call) -> Reply:
    return json_reply(_existing(call))


def _put(call: Call) -> Reply:
    answer, (language, content_type) = existing_answer(call), _place(call)
    body = Fields(call.json_object())
    content: Entity = {"answerId": answer["id"], "language": language, "type": content_type}
    content["bodyHtml"] = body.required_text("bodyHtml")
    match content_type:
        case "public":
            content["title"] = body.required_text("title")
        case "email":
            content["subject"] = body.required_text("subject")
        case "reference":
            content["internal"] = body.flag("internal") or False
    body.refuse_faults()
    key = content_key(answer["id"], language, content_type)
    call.store.collections["answer_contents"][key] = {"id": key, **content}
    _touch(call.store, answer["id"])
    return json_reply(content)


def _delete(call: Call) -> Reply:
    content = _existing(call)
    answer_id, language, content_type = content["answerId"], content["language"], content["type"]
    if content_type in call.options.kept_contents:
        body = Fields({})
        body.fault("type", "invalid", "not implemented")
        body.refuse_faults()
    used = refusal_if_used(call.store, answer_id, content_type)
    if used is not None:
        raise used
    del call.store.collections["answer_contents"][content_key(answer_id, language, content_type)]
    _touch(call.store, answer_id)
    return no_content()


def _touch(store: Store, answer_id: str) -> None:
    answers = store.collections["answers"]
    answers[answer_id] = answers[answer_id] | {"updatedAt": store.now()}


def _existing(call: Call) -> Entity:
    answer = existing_answer(call)
    content = content_of(call.store, answer["id"], *_place(call))
    if content is None:
        raise call.not_found("content")
    return content


def _place(call: Call) -> tuple[str, str]:
    """Return the language and the type in the path."""
    language, content_type = call.params["language"], call.params["type"]
    body = Fields({})
    if not _LANGUAGE.fullmatch(language):
        body.fault("language", "invalid", "no language code")
    elif language not in call.options.languages:
        body.fault("language", "invalid", "the language is not configured for the organization")
    if content_type not in CONTENT_TYPES:
        body.fault("type", "invalid", f"type can be {', '.join(CONTENT_TYPES)}")
    body.refuse_faults()
    return language, content_type


ANSWER_CONTENT_OPERATIONS = (
    Operation("GET", _PATH, "getAnswerContentByLanguageAndType", _get, (200, 400, 404)),
    Operation("PUT", _PATH, "addAnswerContentByLanguageAndType", _put, (200, 400, 404)),
    Operation("DELETE", _PATH, "deleteAnswerContentByLanguageAndType", _delete, (204, 400, 404)),
)
