"""Webhooks: created disabled and then enabled, disabled before deletion. Facts: gladly-api, endpoints 74 to 78.

The URL is unique in an organisation, so a repeat creates no duplicate, and it is the natural
key. What Gladly returns for a duplicate URL is UNKNOWN, so every refused create is followed by
a look at the list, which has 20 webhooks at most.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from bulkgladly.gladly.change import Action, Change, Found, Held, creating, lacking, without, writing
from bulkgladly.gladly.data_sets import FLAG, GONE_SINCE, MOMENT, TEXT, TEXTS, DataColumn, DataSetPlan
from bulkgladly.gladly.decisions import (
    Sight,
    by_look,
    changed_since,
    create_of,
    deletion_of,
    ended,
    not_there,
    update_of,
)
from bulkgladly.gladly.earlier_attempts import deleted_before, word_of_accepted
from bulkgladly.gladly.endpoints import Endpoint, Look, Search, Unique, look
from bulkgladly.gladly.exports import LiveExport
from bulkgladly.gladly.fields import MAKING, Field, Kind, column_plan
from bulkgladly.gladly.once_steps import id_in_location
from bulkgladly.gladly.outcomes import refused, undone, unknown, unread
from bulkgladly.gladly.owners import OwnedFields
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.proofs import in_list, proof_of
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.gladly.rules import some_of
from bulkgladly.gladly.spec import Deciding, GladlyObject, ImportSpec, Policy, Procedure, Record, Steps
from bulkgladly.gladly.upserts import Upserts
from bulkgladly.gladly.webhook_requests import (
    WEBHOOKS_PATH,
    change_webhook,
    create_webhook,
    delete_webhook,
    list_webhooks,
)
from bulkgladly.messages import Repeat, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word
from bulkgladly.settings import is_loopback

__all__ = ("OBJECT", "WEBHOOKS")

_FIELDS = (
    Field("id", Kind.ID, help="the id in Gladly of an existing webhook"),
    Field("url", required=MAKING, help="https, and unique among webhooks"),
    Field("name", most=200),
    Field("events", Kind.TEXTS, required=MAKING, help="such as CONVERSATION/CLOSED"),
    Field("enabled", Kind.FLAG, help="Gladly sends a PING to the URL when it is enabled"),
    Field("credentials", Kind.OBJECT, help="username, password and perhaps realm; never shown by Gladly"),
    Field("headers", Kind.OBJECT, help="static headers; never shown by Gladly"),
)
_SHOWN = ("url", "name", "events", "enabled")
_HIDDEN = ("credentials", "headers")
_PING = "the URL must respond to Gladly's PING with 200"


def _url_is_https(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    url = payload.get("url")
    if not isinstance(url, str):
        return
    try:
        parts = urlsplit(url)
        # Plain http on this machine is for the emulator.
        is_fit = bool(parts.hostname) and (parts.scheme == "https" or is_loopback(parts.hostname or ""))
    except ValueError:
        is_fit = False
    if not is_fit:
        yield Problem("invalid", "url must be an https URL", "url")


_RULES = (_url_is_https, some_of("id", "url"))


def _request(record: Record) -> Request:
    body = {name: record.payload[name] for name in (*_SHOWN, *_HIDDEN) if record.payload.get(name) is not None}
    return create_webhook(body, repeat=Repeat.DETECTED)


def _fetch(_record: Record, gladly_id: str) -> Request:
    return Request("getWebhook", "GET", f"{WEBHOOKS_PATH}/{segment(gladly_id)}")


def _change(_record: Record, gladly_id: str, changes: Held) -> Request:
    return change_webhook(gladly_id, changes)


def _remove(_record: Record, gladly_id: str) -> Request:
    return delete_webhook(gladly_id)


def _located(record: Record) -> Search:
    """Find the webhook that a row means: by its own id, else by its URL."""
    if record.has_own_id:
        return (yield from look(_AT, record, record.id))
    found = yield from _by_url(record)
    if found.is_absent:
        return not_there(_AT, None)
    return unread(found.reply, None) if found.reply is not None else found


def _by_url(record: Record) -> Look:
    reply = yield list_webhooks()
    return _pick(record, reply.objects) if reply.is_confirmed else Found(record.id, reply=reply)


def _pick(record: Record, listed: list[dict[str, Any]]) -> Found:
    url = record.payload.get("url")
    same = next((one for one in listed if one.get("url") == url), None)
    return Found(record.id if same is None else str(same["id"]), same)


def _enabling(payload: Held) -> dict[str, Any]:
    return {"enabled": True} if payload.get("enabled") is True else {}


_AT = Endpoint(
    object="webhooks",
    noun="webhook",
    fetch=_fetch,
    differences=lambda held, payload: lacking(held, payload, _SHOWN),
    create=_request,
    change=_change,
    remove=_remove,
    locate=_located,
    # Changes are compared with what Gladly holds, because somebody may have disabled it since.
    is_read_first=lambda _policy, _changed: True,
    hidden=_HIDDEN,
    completing=_enabling,
    hint=lambda changes: _PING if "url" in changes or changes.get("enabled") is True else None,
    unique=Unique("url", "URL", "URL"),
)
_STEPS = Upserts(_AT)


def _removing(gladly_id: str) -> tuple[Request, ...]:
    # Gladly deletes no webhook that is enabled.
    return change_webhook(gladly_id, {"enabled": False}), delete_webhook(gladly_id)


def _restoring(gladly_id: str, changes: Held, _held: Held) -> tuple[Request, ...]:
    flags = {"enabled": bool(changes["enabled"])} if "enabled" in changes else {}
    return (change_webhook(gladly_id, {**changes, **flags}),)


# --- look and decide ---


def _decide_create(record: Record, policy: Policy) -> Deciding:
    """Decide to create a webhook; one that may exist from an earlier attempt is looked for by its URL."""
    if record.known is not None and not record.doubt and not changed_since(record, record.known):
        return ended("webhooks", record, Outcome(word_of_accepted(record), gladly_id=record.known.gladly_id))
    if record.doubt:
        found = yield from _by_url(record)
        if not found.is_absent:
            return _by_list(record, policy, found, may_be_ours=True)
    return create_of("webhooks", record)._replace(id=None)


def _decide_upsert(record: Record, policy: Policy) -> Deciding:
    """Decide to create a webhook, or to update the one with this id or URL."""
    if (record.known is not None or record.has_own_id) and not record.doubt:
        # Ids are Gladly's own: a row that has one means a webhook that exists.
        return (yield from _STEPS.decide(record, replace(policy, mode=Mode.UPDATE)))
    return (yield from _decide_create(record, policy))


def _decide_deletion(record: Record, policy: Policy) -> Deciding:
    """Decide to delete a webhook: by its remembered or own id, else after 1 request by its URL."""
    if record.known is not None or record.has_own_id:
        gladly_id = record.known.gladly_id if record.known else record.id
        if not policy.undoable:
            return deletion_of("webhooks", record, gladly_id)
        found = yield from look(_AT, record, gladly_id)
    else:
        found = yield from _by_url(record)
    if found.held is not None:
        return deletion_of("webhooks", record, found.gladly_id, before=found.held)
    end = Outcome(Word.UNCHANGED) if found.is_absent else unread(found.reply, None)
    return ended("webhooks", record, deleted_before(record, end, is_proved=True))


def _by_list(record: Record, policy: Policy, found: Found, *, may_be_ours: bool) -> Change:
    """Decide by the list, which has a webhook with this URL or could not be read."""
    if found.reply is not None:
        return ended("webhooks", record, unknown(found.reply, None))
    if may_be_ours and not _enabling(record.payload):
        # It was created disabled. If somebody has enabled it since, it is still the one of this row.
        found = found._replace(held={**(found.held or {}), "enabled": record.payload.get("enabled")})
    change = by_look(_AT, record, policy, found, Sight.OURS if may_be_ours else Sight.IN_THE_WAY)
    if change.action is not Action.REFUSE:
        return change
    problem = Problem("taken", "another webhook has this URL; use --mode upsert to update it", "url", Stage.CONFLICT)
    return ended("webhooks", record, Outcome.rejected(problem, status=400, gladly_id=found.gladly_id), found)


# --- apply ---


def _apply(record: Record, policy: Policy, change: Change) -> Steps:
    if change.action is not Action.CREATE:
        return (yield from _STEPS.apply(record, policy, change))
    return (yield from _create(record, policy))


def _create(record: Record, policy: Policy) -> Steps:
    """Create a webhook: 1 request, and 1 to enable it; one that has its URL already is compared."""
    reply = yield creating(_request(record), None, _AT.noted(without(record.payload, ("enabled",))))
    gladly_id = id_in_location(reply) if reply.is_confirmed else None
    if gladly_id is not None:
        return (yield from _enable(record, policy, gladly_id))
    # After any refusal, because the code of a duplicate URL is UNKNOWN.
    found = yield from _by_url(record)
    may_be_ours = bool(reply.lost or record.doubt)
    if found.held is not None or (found.reply is not None and may_be_ours):
        return (yield from _STEPS.apply(record, policy, _by_list(record, policy, found, may_be_ours=may_be_ours)))
    return undone(reply, None) if reply.is_unclear else refused(reply, None)


def _delete(record: Record, policy: Policy, change: Change) -> Steps:
    """Disable a webhook, because Gladly deletes no other, and delete it: 2 requests."""
    gladly_id = str(change.id)
    disabling = update_of("webhooks", record, gladly_id, {"enabled": False}, before=change.before)
    disabled = yield writing(_change(record, gladly_id, disabling.after), disabling)
    if disabled.is_absent:
        # An earlier process that was about to delete it had disabled it, so it was there.
        return deleted_before(record, Outcome(Word.UNCHANGED, gladly_id=gladly_id), is_proved=True)
    if not disabled.is_confirmed:
        return unknown(disabled, gladly_id) if disabled.is_unclear else refused(disabled, gladly_id)
    return (yield from _STEPS.apply(record, policy, change))


def _enable(record: Record, policy: Policy, gladly_id: str) -> Steps:
    if left := _enabling(record.payload):
        enabling = update_of("webhooks", record, gladly_id, left, word=Word.CREATED)
        outcome = yield from _STEPS.apply(record, policy, enabling)
        if outcome.word is not Word.CREATED:
            return outcome._replace(detail=f"the webhook was created, but not enabled: {outcome.detail}")
    return Outcome(Word.CREATED, gladly_id=gladly_id, accepted=record.fingerprints)


def _natural_key(payload: Mapping[str, Any]) -> str | None:
    url = payload.get("url")
    return f"url:{url}" if url else None


WEBHOOKS = ImportSpec(
    name="webhooks",
    columns=column_plan(
        _FIELDS,
        read_only=("hasCredentials", "headerKeys", "createdAt", "updatedAt", "disabledAtDueToRetryLimit"),
    ),
    prepare=Preparation("webhooks", _FIELDS, rules=_RULES, natural_key=_natural_key),
    procedures={
        Mode.CREATE: Procedure(_decide_create, _apply),
        Mode.UPDATE: _STEPS.procedure,
        Mode.UPSERT: Procedure(_decide_upsert, _apply),
        Mode.DELETE: Procedure(_decide_deletion, _delete),
    },
    requests_per_record={Mode.CREATE: (1, 2), Mode.UPDATE: (2, 2), Mode.UPSERT: (1, 3), Mode.DELETE: (2, 3)},
    operations=("createWebhook", "getWebhook", "getWebhooks", "updateWebhook", "deleteWebhook"),
    fields=_FIELDS,
    rules=_RULES,
    id_rule="Gladly's own; the URL is unique",
    deletes="webhooks",
    owned=OwnedFields((*_SHOWN, *_HIDDEN), lists=("events",), unseen=_HIDDEN),
    unread=frozenset({Mode.DELETE}),
    reversal=Reversal(
        _AT,
        fields=_SHOWN,
        added_by_gladly=("hasCredentials", "headerKeys", "disabledAtDueToRetryLimit"),
        can_delete=True,
        restore=_restoring,
        remove=_removing,
    ),
    not_kept=("credentials and headers are never shown, so they are compared with what was sent before",),
    proof=proof_of(
        _AT, _SHOWN, find=in_list(_AT, list_webhooks(), _pick), shared=frozenset({"getWebhooks"}), is_listed=True
    ),
)

_COLUMNS = (
    DataColumn("id", TEXT, "The id of the webhook."),
    DataColumn("name", TEXT, "Its name."),
    DataColumn("url", TEXT, "The address that Gladly sends events to, unique among webhooks."),
    DataColumn("events", TEXTS, "The types of events that it gets."),
    DataColumn("enabled", FLAG, "Whether Gladly sends it events now."),
    DataColumn("hasCredentials", FLAG, "Whether Gladly sends credentials; it never shows which."),
    DataColumn("headerKeys", TEXTS, "The names of the headers that are added; their values are never shown."),
    DataColumn("createdAt", MOMENT, "When it was created."),
    DataColumn("updatedAt", MOMENT, "When it was last changed."),
    DataColumn("disabledAtDueToRetryLimit", MOMENT, "When Gladly switched it off because deliveries kept failing."),
    GONE_SINCE,
)

OBJECT = GladlyObject(
    writes=(WEBHOOKS,),
    reads=(LiveExport("webhooks", "getWebhooks", WEBHOOKS_PATH, "webhooks"),),
    data_sets=(DataSetPlan("webhooks", _COLUMNS),),
)
