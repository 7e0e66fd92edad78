"""The four operations that show answers to anyone, without credentials.

Facts: endpoints.md, rows 37 to 40, of the fact sheet. An answer is shown if it has a public content in
the language. UNKNOWN, and chosen here: `lng` is en-us by default; an answer's `name` is its name in the
organisation; `audienceId` shows only answers with that audience; a search finds answers whose name,
title or text contains all its words in upper or lower case, and nothing without a word; a help center
has the answers that it uses.
"""

import re
from collections.abc import Iterator

from bulkgladly.emulator.operations.answer_contents import content_of
from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.protocol.replies import Reply, json_reply
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("DEFAULT_LANGUAGE", "LIST_CAP", "PUBLIC_ANSWER_OPERATIONS")

DEFAULT_LANGUAGE = "en-us"
LIST_CAP = 1000
"""listAnswers returns at most this many, and does not say if there are more."""

_PATH = "/api/v1/orgs/{orgId}"
_TAG = re.compile(r"<[^>]*>")


def _search(call: Call) -> Reply:
    words = (_asked(call, "q") or "").casefold().split()
    found = [answer for answer in _shown(call) if words and all(word in _searched(answer) for word in words)]
    return json_reply([_title(answer) for answer in found])


def _list(call: Call) -> Reply:
    by_name = sorted(_shown(call), key=lambda answer: str(answer["name"]))
    return json_reply([_public(answer) for answer in by_name[:LIST_CAP]])


def _titles(call: Call) -> Reply:
    uses = call.store.collections["answer_uses"].values()
    place = call.params["helpCenterId"]
    held = {use["answerId"] for use in uses if use.get("meta", {}).get("helpCenterID") == place}
    return json_reply([_title(answer) for answer in _shown(call) if answer["id"] in held])


def _get(call: Call) -> Reply:
    wanted = call.params["answerId"]
    for answer in _shown(call):
        if answer["id"] == wanted:
            return json_reply(_public(answer))
    raise call.not_found("answer")


def _shown(call: Call) -> Iterator[Entity]:
    """Yield the public answers, each with its content in the requested language.

    Raises:
        Refusal: 404, because the path names another organisation.
    """
    if call.params["orgId"] != call.store.organization.get("id"):
        raise call.not_found("organization")
    language = (_asked(call, "lng") or DEFAULT_LANGUAGE).lower()
    audience = _asked(call, "audienceId")
    for answer in call.store.collections["answers"].values():
        content = content_of(call.store, answer["id"], language, "public")
        if content is not None and (not audience or audience in answer.get("audienceIds", ())):
            yield {**content, **answer}


def _asked(call: Call, name: str) -> str | None:
    return next(iter(call.query.get(name, ())), None)


def _searched(answer: Entity) -> str:
    return f"{answer['name']} {answer['title']} {_TAG.sub(' ', answer['bodyHtml'])}".casefold()


def _public(answer: Entity) -> Entity:
    return {name: answer[name] for name in ("id", "name", "bodyHtml", "language", "updatedAt")}


def _title(answer: Entity) -> Entity:
    return {"id": answer["id"], "name": answer["name"]}


PUBLIC_ANSWER_OPERATIONS = (
    Operation("GET", f"{_PATH}/answers-search", "searchAnswers", _search, (200, 404), needs="none"),
    Operation("GET", f"{_PATH}/answers", "listAnswers", _list, (200, 404), needs="none"),
    Operation(
        "GET",
        f"{_PATH}/help-center/{{helpCenterId}}/answer-titles",
        "getAnswerTitles",
        _titles,
        (200, 404),
        needs="none",
    ),
    Operation("GET", f"{_PATH}/answers/{{answerId}}", "getAnswer", _get, (200, 404), needs="none"),
)
