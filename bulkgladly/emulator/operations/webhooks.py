"""The five operations on webhooks. Their PING is sent if the options say so.

Facts: endpoints.md, rows 74 to 78, events.md, "Webhooks in brief", and schemas.md, section 10, of
the fact sheet. The URL must reply to a PING with 200 when a webhook is created enabled, is enabled, or gets
another URL; otherwise nothing changes. The texts and codes of createWebhook's refusals are UNKNOWN. The
refusal to delete an enabled webhook has no body.

Credentials and headers, which are write-only, are in the store and in the state file unencrypted.
"""

import re
from collections.abc import Callable, MutableMapping

from yarl import URL

from bulkgladly.emulator.operations.event_types import DEPRECATED_SPELLING, WEBHOOK_EVENTS
from bulkgladly.emulator.operations.webhook_requests import log_webhook_request, ping_request
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.outgoing_requests import OutgoingRequest, is_loopback
from bulkgladly.emulator.protocol.replies import Refusal, Reply, created, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("MAX_NAME", "MAX_WEBHOOKS", "WEBHOOK_OPERATIONS")


MAX_NAME = 200
MAX_WEBHOOKS = 20

_PATH = "/api/v1/webhooks"
_ONE = f"{_PATH}/{{webhookId}}"
_SUBSCRIBABLE = frozenset({*WEBHOOK_EVENTS, DEPRECATED_SPELLING})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_WRITE_ONLY = ("credentials", "headers")


def _list(call: Call) -> Reply:
    return json_reply([_shown(webhook) for webhook in _webhooks(call.store).values()])


def _get(call: Call) -> Reply:
    return json_reply(_shown(_existing(call)))


def _create(call: Call) -> Reply | OutgoingRequest:
    store, body = call.store, Fields(call.json_object())
    fields: Entity = {"url": _url(body), "events": _events(body), **_optional_fields(body)}
    body.refuse_faults()
    _check_room(store)
    _check_unique(store, fields["url"])
    moment = store.now()
    webhook: Entity = {
        "id": store.new_id("webhooks"),
        "enabled": False,
        **fields,
        "createdAt": moment,
        "updatedAt": moment,
    }

    def commit() -> Reply:
        _check_room(store)
        _check_unique(store, webhook["url"])
        _webhooks(store)[webhook["id"]] = webhook
        return created(f"{_PATH}/{webhook['id']}")

    return _after_ping(call, webhook, commit) if webhook["enabled"] else commit()


def _update(call: Call) -> Reply | OutgoingRequest:
    before, body = _existing(call), Fields(call.json_object())
    changes = _optional_fields(body)
    if body.mentions("url"):
        changes["url"] = _url(body)
    if body.mentions("events"):
        changes["events"] = _events(body)
    body.refuse_faults()
    after = before | changes
    _check_unique(call.store, after["url"], other_than=before["id"])

    def commit() -> Reply:
        _check_unique(call.store, after["url"], other_than=before["id"])
        webhook = _existing(call) | changes | {"updatedAt": call.store.now()}
        if webhook["enabled"]:
            webhook.pop("disabledAtDueToRetryLimit", None)
        _webhooks(call.store)[webhook["id"]] = webhook
        return no_content()

    is_enabled_now = after["enabled"] and not before["enabled"]
    return _after_ping(call, after, commit) if is_enabled_now or after["url"] != before["url"] else commit()


def _delete(call: Call) -> Reply:
    webhook = _existing(call)
    if webhook["enabled"]:
        raise Refusal(Reply(400))
    call.store.remove("webhooks", webhook["id"])
    return no_content()


def _after_ping(call: Call, webhook: Entity, commit: Callable[[], Reply]) -> Reply | OutgoingRequest:
    """Call `commit` once the URL has replied to the PING, or is assumed to have done so."""
    is_sent = call.options.ping == "send" and is_loopback(webhook["url"])

    def then(status: int | None) -> Reply:
        log_webhook_request(call.store, webhook, "PING", status, is_sent=is_sent)
        if status != 200:
            raise refuse(400, problem("invalid", "the URL did not reply to the PING with 200", attr="url"))
        return commit()

    if is_sent:
        return ping_request(call.store, webhook, then, within_s=call.options.ping_timeout_s)
    return then(None if call.options.ping == "refuse" else 200)


def _webhooks(store: Store) -> MutableMapping[str, Entity]:
    return store.collections["webhooks"]


def _existing(call: Call) -> Entity:
    webhook = _webhooks(call.store).get(call.params["webhookId"])
    if webhook is None:
        raise call.not_found("webhook")
    return webhook


def _check_room(store: Store) -> None:
    if len(_webhooks(store)) >= MAX_WEBHOOKS:
        raise refuse(400, problem("invalid", f"an organization has at most {MAX_WEBHOOKS} webhooks"))


def _check_unique(store: Store, url: str, other_than: str | None = None) -> None:
    if any(webhook["url"] == url and webhook["id"] != other_than for webhook in _webhooks(store).values()):
        raise refuse(400, problem("taken", "another webhook has this URL", attr="url"))


def _shown(webhook: Entity) -> Entity:
    shown = {name: value for name, value in webhook.items() if name not in _WRITE_ONLY}
    return shown | {"hasCredentials": bool(webhook.get("credentials")), "headerKeys": list(webhook.get("headers", ()))}


def _url(body: Fields) -> str:
    text = body.required_text("url")
    try:
        url = URL(text)
        allowed = ("https", "http") if is_loopback(text) else ("https",)
        if text and not (url.host and url.scheme in allowed):
            body.fault("url", "invalid", "url must be an https URL")
    except ValueError:
        body.fault("url", "invalid", "url is not a valid URL")
    return text


def _events(body: Fields) -> list[str]:
    events = body.texts("events")
    if not _SUBSCRIBABLE.issuperset(events):
        body.fault("events", "invalid", "events must be those that webhooks can subscribe to")
    return events


def _optional_fields(body: Fields) -> Entity:
    """Return which of name, enabled, credentials and headers the body has; null empties all except `enabled`."""
    fields: Entity = {}
    if body.mentions("name"):
        fields["name"] = body.text("name", max_length=MAX_NAME) or ""
    enabled = body.flag("enabled")
    if enabled is not None:
        fields["enabled"] = enabled
    if body.mentions("credentials"):
        fields["credentials"] = _credentials(body.part("credentials"))
    if body.mentions("headers"):
        fields["headers"] = _headers(body)
    return fields


def _credentials(body: Fields | None) -> dict[str, str] | None:
    if body is None:
        return None
    credentials = {"username": body.required_text("username"), "password": body.required_text("password")}
    realm = body.text("realm")
    return credentials if realm is None else credentials | {"realm": realm}


def _headers(body: Fields) -> dict[str, str]:
    headers = body.text_mapping("headers")
    if not all(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(text) for name, text in headers.items()):
        body.fault("headers", "invalid", "headers must have names and values that HTTP allows")
    return headers


WEBHOOK_OPERATIONS = (
    Operation("POST", _PATH, "createWebhook", _create, (201, 400)),
    Operation("GET", _PATH, "getWebhooks", _list, (200,)),
    Operation("PATCH", _ONE, "updateWebhook", _update, (204, 400, 404)),
    Operation("DELETE", _ONE, "deleteWebhook", _delete, (204, 400, 404)),
    Operation("GET", _ONE, "getWebhook", _get, (200, 404)),
)
