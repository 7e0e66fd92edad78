"""What is sent to the URL of a webhook, and the log of it.

Facts: events.md, "Webhooks in brief" and "Envelope", of the fact sheet. The schema of a PING is not
documented: here it is an event without an initiator and with empty content.
"""

import base64
from collections.abc import Callable, Mapping

import orjson

from bulkgladly.emulator.operations.event_types import DEPRECATED_SPELLING
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.outgoing_requests import OutgoingRequest
from bulkgladly.emulator.protocol.replies import JSON, Reply

__all__ = (
    "LOG_DAYS",
    "LOG_LENGTH",
    "deactivate",
    "delivery_body",
    "is_subscribed",
    "log_webhook_request",
    "ping_request",
    "webhook_headers",
)

LOG_LENGTH = 100
LOG_DAYS = 31
"""The log shows the last 100 requests of the past month."""

_DAY_S = 86_400


def is_subscribed(webhook: Mapping[str, object], event_type: str) -> bool:
    """Return whether a webhook is enabled and gets events of this type."""
    events = webhook["events"]
    if not webhook["enabled"] or not isinstance(events, list):
        return False
    return event_type in events or (event_type == "CUSTOMER_PROFILE/MERGED" and DEPRECATED_SPELLING in events)


def webhook_headers(webhook: Entity) -> dict[str, str]:
    """Return the headers of every request to a webhook: its own, and its Basic credentials."""
    headers = {**webhook.get("headers", {}), "Content-Type": JSON}
    credentials = webhook.get("credentials")
    if credentials:
        pair = f"{credentials['username']}:{credentials['password']}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers


def delivery_body(event: Event) -> bytes:
    """Return the body of a delivery: the event as in the stream."""
    return orjson.dumps(event.shown())


def ping_request(
    store: Store, webhook: Entity, then: Callable[[int | None], Reply], *, within_s: float
) -> OutgoingRequest:
    """Return the PING to the webhook's URL, with its headers and Basic credentials."""
    ping = {"id": store.new_id("webhook_log"), "type": "PING", "timestamp": store.now(), "content": {}}
    return OutgoingRequest(webhook["url"], orjson.dumps(ping), webhook_headers(webhook), within_s, then)


def log_webhook_request(
    store: Store, webhook: Entity, event_type: str, status: int | None, *, is_sent: bool, **more: object
) -> None:
    """Add a request to the log, the collection `webhook_log`, and remove entries that are too old.

    A webhook that was not created because its PING failed has an entry as well. `more` are further fields
    of the entry.
    """
    log = store.collections["webhook_log"]
    now_s = store.clock.wall()
    entry: Entity = {"webhookId": webhook["id"], "url": webhook["url"], "type": event_type, **more}
    entry |= {"timestamp": timestamp(now_s), "status": status, "sent": is_sent}
    # Deliveries come at any time, so they must not take ids from the series of the other objects.
    entry["id"] = derived_id(f"webhook_log:{[*log][-1:]}:{entry}")
    log[entry["id"]] = entry
    oldest = timestamp(now_s - LOG_DAYS * _DAY_S)
    # Oldest first, so the loop ends after the entry that this one replaces.
    while len(log) > LOG_LENGTH or log[next(iter(log))]["timestamp"] < oldest:
        del log[next(iter(log))]


def deactivate(store: Store, webhook_id: str) -> None:
    """Disable a webhook as Gladly does after the last redelivery.

    Raises:
        KeyError: There is no such webhook.
    """
    now, webhooks = store.now(), store.collections["webhooks"]
    disabled = {"enabled": False, "disabledAtDueToRetryLimit": now, "updatedAt": now}
    webhooks[webhook_id] = webhooks[webhook_id] | disabled
