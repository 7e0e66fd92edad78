"""The PING that a webhook must answer, and the log of those there were.

Facts: events.md, "Webhooks in brief", of the fact sheet. A PING has no documented schema: here it
is the envelope of an event without an initiator and with empty content.
"""

import base64
from collections.abc import Callable

import orjson

from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.outgoing_requests import Errand
from bulkgladly.emulator.protocol.replies import JSON, Reply

__all__ = ("LOG_DAYS", "LOG_LENGTH", "note_ping", "ping_errand")

LOG_LENGTH = 100
LOG_DAYS = 31
"""The log shows the last 100 requests of the past month."""

_DAY_S = 86_400


def ping_errand(store: Store, webhook: Entity, then: Callable[[int | None], Reply], *, within_s: float) -> Errand:
    """The POST to the webhook's URL, with its static headers and its Basic credentials."""
    ping = {"id": store.new_id("webhook_log"), "type": "PING", "timestamp": store.now(), "content": {}}
    headers = {**webhook.get("headers", {}), "Content-Type": JSON}
    credentials = webhook.get("credentials")
    if credentials:
        pair = f"{credentials['username']}:{credentials['password']}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Errand(webhook["url"], orjson.dumps(ping), headers, within_s, then)


def note_ping(store: Store, webhook: Entity, status: int | None, *, is_sent: bool) -> None:
    """Write a PING into the log, the collection `webhook_log`, and drop what is too old for it.

    A webhook that was not made, as its PING failed, has its line all the same.
    """
    entry = {"id": store.new_id("webhook_log"), "webhookId": webhook["id"], "url": webhook["url"], "type": "PING"}
    log = store.collections["webhook_log"]
    log[entry["id"]] = {**entry, "timestamp": store.now(), "status": status, "sent": is_sent}
    oldest = timestamp(store.clock.wall() - LOG_DAYS * _DAY_S)
    kept = [key for key, line in log.items() if line["timestamp"] >= oldest][-LOG_LENGTH:]
    for key in log.keys() - kept:
        del log[key]
