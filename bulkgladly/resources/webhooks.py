"""Webhooks: made disabled, then enabled; disabled before they are deleted. Facts: gladly-api, endpoints 74 to 78.

The URL is their natural key: unique in an organisation, so that a repeat makes no twin.
What exactly a duplicate URL answers is UNKNOWN; any refused create is followed by a look at
the list, which holds 20 webhooks at most.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word
from bulkgladly.resources.compare import lacking
from bulkgladly.resources.fields import MAKING, Field, Kind, column_plan
from bulkgladly.resources.objects import Preparation, segment
from bulkgladly.resources.once_steps import id_in_location
from bulkgladly.resources.outcomes import refused, undone, unknown, unread
from bulkgladly.resources.rules import some_of
from bulkgladly.resources.spec import Policy, Record, ResourceSpec, Steps
from bulkgladly.settings import is_loopback

__all__ = ("WEBHOOKS",)

_PATH = "/api/v1/webhooks"
_FIELDS = (
    Field("id", Kind.ID, help="the id in Gladly, of one that is there"),
    Field("url", required=MAKING, help="https, and unique among webhooks"),
    Field("name", most=200),
    Field("events", Kind.TEXTS, required=MAKING, help="such as CONVERSATION/CLOSED"),
    Field("enabled", Kind.FLAG, help="Gladly sends a PING to the URL when it is enabled"),
    Field("credentials", Kind.OBJECT, help="username, password and perhaps realm; written, never read back"),
    Field("headers", Kind.OBJECT, help="static headers; written, never read back"),
)
_SHOWN = ("url", "name", "events", "enabled")
_HIDDEN = ("credentials", "headers")
_PING = "the URL must answer Gladly's PING with 200"


@dataclass(frozen=True, slots=True)
class _Found:
    """A webhook, or (without a reply) that there is none, or why nobody knows."""

    held: Mapping[str, Any] | None = None
    reply: Reply | None = None


def _url_is_https(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    url = payload.get("url")
    if not isinstance(url, str):
        return
    try:
        parts = urlsplit(url)
        is_fit = bool(parts.hostname) and (parts.scheme == "https" or is_loopback(parts.hostname or ""))
    except ValueError:
        is_fit = False
    if not is_fit:
        yield Problem("invalid", "url must be an https URL", "url")


_RULES = (_url_is_https, some_of("id", "url"))


def _create(record: Record, policy: Policy) -> Steps:
    """Make a webhook: 1 request, and 1 to enable it; one whose URL is there already is compared."""
    if record.known is not None and not record.doubt and not _changed(record):
        return Outcome(Word.UNCHANGED, gladly_id=record.known.gladly_id)
    if record.doubt:
        found = yield from _by_url(record)
        if found.held is not None:
            return (yield from _settle_existing(record, policy, found.held, was_ours=True))
        if found.reply is not None:
            return unknown(found.reply, None)
    body = {name: record.payload[name] for name in (*_SHOWN, *_HIDDEN) if record.payload.get(name) is not None}
    # It is made disabled: one whose URL does not answer yet would not be made at all.
    content = orjson.dumps({**body, "enabled": False})
    reply = yield Request("createWebhook", "POST", _PATH, body=content, repeat=Repeat.DETECTED)
    gladly_id = id_in_location(reply) if reply.is_confirmed else None
    if gladly_id is not None:
        return (yield from _enable(record, gladly_id))
    found = yield from _by_url(record)
    was_ours = bool(reply.lost or record.doubt)
    if found.held is not None:
        return (yield from _settle_existing(record, policy, found.held, was_ours=was_ours))
    if found.reply is not None and was_ours:
        return unknown(found.reply, None)
    return undone(reply, None) if reply.is_unclear else refused(reply, None)


def _upsert(record: Record, policy: Policy) -> Steps:
    """Make a webhook, or bring the one with this id or URL up to the row."""
    if (record.known is not None or record.has_own_id) and not record.doubt:
        return (yield from _update(record, policy))
    return (yield from _create(record, policy))


def _update(record: Record, _policy: Policy) -> Steps:
    """Bring an existing webhook up to the row; found by its remembered or own id, else by its URL."""
    if record.known is not None and not _changed(record):
        return Outcome(Word.UNCHANGED, gladly_id=record.known.gladly_id)
    found = yield from _find(record)
    if found.reply is not None:
        return unread(found.reply, None)
    if found.held is None:
        return _gone()
    return (yield from _bring_up(record, found.held))


def _delete(record: Record, _policy: Policy) -> Steps:
    """Disable a webhook, since Gladly deletes no other, and delete it: 2 requests, 3 by its URL."""
    gladly_id = record.known.gladly_id if record.known else record.id if record.has_own_id else None
    if gladly_id is None:
        found = yield from _by_url(record)
        if found.reply is not None:
            return unread(found.reply, None)
        if found.held is None:
            return Outcome(Word.UNCHANGED)
        gladly_id = str(found.held["id"])
    disabled = yield _patch(gladly_id, {"enabled": False})
    if disabled.is_absent:
        return Outcome(Word.UNCHANGED, gladly_id=gladly_id)
    if not disabled.is_confirmed:
        return unknown(disabled, gladly_id) if disabled.is_unclear else refused(disabled, gladly_id)
    reply = yield Request("deleteWebhook", "DELETE", f"{_PATH}/{segment(gladly_id)}")
    if reply.is_confirmed or reply.is_absent:
        word = Word.DELETED if reply.is_confirmed or reply.lost else Word.UNCHANGED
        return Outcome(word, gladly_id=gladly_id)
    return (yield from _settle_deletion(gladly_id, reply)) if reply.is_unclear else refused(reply, gladly_id)


def _settle_deletion(gladly_id: str, reply: Reply) -> Steps:
    """After a deletion with an unclear end: look whether it is still there."""
    found = yield from _by_id(gladly_id)
    if found.held is None and found.reply is None:
        return Outcome(Word.DELETED, gladly_id=gladly_id)
    return unknown(found.reply, gladly_id) if found.held is None else refused(reply, gladly_id)


def _settle_existing(record: Record, policy: Policy, held: Mapping[str, Any], *, was_ours: bool) -> Steps:
    if was_ours and not lacking({**held, "enabled": record.payload.get("enabled")}, record.payload, _SHOWN):
        # What is written and never shown went with the same request.
        return (yield from _enable(record, str(held["id"])))
    if policy.mode is Mode.CREATE:
        differing = lacking(held, record.payload, _SHOWN)
        if not differing and not any(record.payload.get(name) for name in _HIDDEN):
            return Outcome(Word.UNCHANGED, gladly_id=str(held["id"]), accepted=record.fingerprints)
        detail = "another webhook has this URL; use --mode upsert to update it"
        problem = Problem("taken", detail, "url", Stage.CONFLICT)
        return Outcome.rejected(problem, status=400, gladly_id=str(held["id"]))
    return (yield from _bring_up(record, held))


def _enable(record: Record, gladly_id: str) -> Steps:
    if record.payload.get("enabled") is True:
        reply = yield _patch(gladly_id, {"enabled": True})
        if not reply.is_confirmed:
            outcome = unknown(reply, gladly_id) if reply.is_unclear else refused(reply, gladly_id)
            return outcome._replace(detail=f"the webhook was made, but not enabled: {outcome.detail}; {_PING}")
    return Outcome(Word.CREATED, gladly_id=gladly_id, accepted=record.fingerprints)


def _bring_up(record: Record, held: Mapping[str, Any]) -> Steps:
    changed = _changed(record)
    changes = lacking(held, record.payload, _SHOWN)
    changes |= {name: record.payload[name] for name in _HIDDEN if name in record.payload and name in changed}
    gladly_id = str(held["id"])
    if not changes:
        return Outcome(Word.UNCHANGED, gladly_id=gladly_id, accepted=record.fingerprints)
    reply = yield _patch(gladly_id, changes)
    if reply.is_confirmed:
        return Outcome(Word.UPDATED, gladly_id=gladly_id, status=reply.status, accepted=record.fingerprints)
    if reply.is_absent:
        return _gone()
    if reply.is_unclear:
        return (yield from _settle_patch(record, gladly_id, changes, reply))
    outcome = refused(reply, gladly_id)
    has_ping = "url" in changes or changes.get("enabled") is True
    return outcome._replace(detail=f"{outcome.detail}; {_PING}") if has_ping else outcome


def _settle_patch(record: Record, gladly_id: str, changes: Mapping[str, Any], reply: Reply) -> Steps:
    """After an unclear PATCH: look whether it was done; what is never shown cannot be looked at."""
    found = yield from _by_id(gladly_id)
    if found.held is None:
        return _gone() if found.reply is None else unknown(found.reply, gladly_id)
    if lacking(found.held, record.payload, [name for name in _SHOWN if name in changes]):
        return refused(reply, gladly_id)
    if any(name in changes for name in _HIDDEN):
        return unknown(reply, gladly_id)
    return Outcome(Word.UPDATED, gladly_id=gladly_id, accepted=record.fingerprints)


def _find(record: Record) -> Generator[Request, Reply, _Found]:
    gladly_id = record.known.gladly_id if record.known else record.id if record.has_own_id else None
    if gladly_id is None:
        return (yield from _by_url(record))
    return (yield from _by_id(gladly_id))


def _by_id(gladly_id: str) -> Generator[Request, Reply, _Found]:
    reply = yield Request("getWebhook", "GET", f"{_PATH}/{segment(gladly_id)}")
    if reply.object is not None:
        return _Found(reply.object)
    return _Found() if reply.is_absent else _Found(reply=reply)


def _by_url(record: Record) -> Generator[Request, Reply, _Found]:
    reply = yield Request("getWebhooks", "GET", _PATH)
    if not reply.is_confirmed:
        return _Found(reply=reply)
    url = record.payload.get("url")
    same = (one for one in reply.objects if one.get("url") == url)
    return _Found(next(same, None))


def _patch(gladly_id: str, changes: Mapping[str, Any]) -> Request:
    return Request("updateWebhook", "PATCH", f"{_PATH}/{segment(gladly_id)}", body=orjson.dumps(changes))


def _changed(record: Record) -> set[str]:
    accepted = record.known.accepted if record.known else {}
    return {name for name, print_ in record.fingerprints.items() if accepted.get(name) != print_}


def _gone() -> Outcome:
    detail = "Gladly has no such webhook; use --mode upsert to make those that are missing"
    return Outcome.rejected(Problem("not_exist", detail, None, Stage.API), status=404)


def _natural_key(payload: Mapping[str, Any]) -> str | None:
    url = payload.get("url")
    return f"url:{url}" if url else None


WEBHOOKS = ResourceSpec(
    name="webhooks",
    columns=column_plan(
        _FIELDS,
        read_only=("hasCredentials", "headerKeys", "createdAt", "updatedAt", "disabledAtDueToRetryLimit"),
    ),
    prepare=Preparation("webhooks", _FIELDS, rules=_RULES, natural_key=_natural_key),
    procedures={Mode.CREATE: _create, Mode.UPDATE: _update, Mode.UPSERT: _upsert, Mode.DELETE: _delete},
    requests_per_record={Mode.CREATE: (1, 2), Mode.UPDATE: (2, 2), Mode.UPSERT: (1, 3), Mode.DELETE: (2, 3)},
    operations=("createWebhook", "getWebhook", "getWebhooks", "updateWebhook", "deleteWebhook"),
    fields=_FIELDS,
    rules=_RULES,
    id_rule="Gladly's own; the URL is unique",
    deletes="webhooks",
    not_kept=("credentials and headers are never shown, so they are compared with what was sent before",),
)
