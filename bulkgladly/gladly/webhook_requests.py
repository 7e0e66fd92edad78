"""Requests about webhooks, and webhooks as Gladly lists them. Pure. Facts: gladly-api, endpoints 74 to 78."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import orjson

from bulkgladly.messages import Repeat, Request
from bulkgladly.times import time_of

__all__ = (
    "MOST_WEBHOOKS",
    "RETRIES_TAKE",
    "WEBHOOKS_PATH",
    "Webhook",
    "change_webhook",
    "create_webhook",
    "delete_webhook",
    "list_webhooks",
    "same_url",
)

WEBHOOKS_PATH = "/api/v1/webhooks"
MOST_WEBHOOKS = 20
RETRIES_TAKE = dt.timedelta(hours=1, minutes=35, seconds=30 + 5 * 15)
"""From the first failed delivery until Gladly gives up: waits of 30 s, 5 min, 30 min and 1 h, and five times 15 s."""
_PORTS = {"https": 443, "http": 80}


class Webhook(NamedTuple):
    """One webhook as Gladly shows it; secrets are never shown."""

    id: str
    url: str
    name: str
    events: tuple[str, ...]
    enabled: bool
    disabled_at: dt.datetime | None
    """When Gladly switched it off because deliveries kept failing; None if it did not."""

    @classmethod
    def of(cls, shown: Mapping[str, Any]) -> "Webhook":
        """Return a webhook of a list. What is missing is empty, and only a plain true means enabled."""
        texts = {name: value if isinstance(value := shown.get(name), str) else "" for name in ("id", "url", "name")}
        events = shown.get("events")
        return cls(
            **texts,
            events=tuple(each for each in events if isinstance(each, str)) if isinstance(events, list) else (),
            enabled=shown.get("enabled") is True,
            disabled_at=time_of(shown.get("disabledAtDueToRetryLimit")),
        )

    @property
    def label(self) -> str:
        """The webhook for people: its name, or its URL if it has none, and its id."""
        return f"{(self.name or self.url)!r} ({self.id})"


def list_webhooks() -> Request:
    """Return the request for all webhooks of the organisation."""
    return Request("getWebhooks", "GET", WEBHOOKS_PATH)


def create_webhook(fields: Mapping[str, Any], *, repeat: Repeat) -> Request:
    """Return the request that creates a webhook, disabled: an enabled one is refused if its URL does not respond."""
    body = orjson.dumps({**fields, "enabled": False})
    return Request("createWebhook", "POST", WEBHOOKS_PATH, body=body, repeat=repeat)


def change_webhook(webhook_id: str, changes: Mapping[str, Any]) -> Request:
    """Return the request that changes some fields of a webhook."""
    return Request("updateWebhook", "PATCH", _path(webhook_id), body=orjson.dumps(changes))


def delete_webhook(webhook_id: str) -> Request:
    """Return the request that deletes a webhook, which must be disabled."""
    return Request("deleteWebhook", "DELETE", _path(webhook_id))


def same_url(one: str, other: str) -> bool:
    """Tell whether two URLs lead to the same place; the case of the host and the usual port do not matter."""
    try:
        return one == other or _parts(one) == _parts(other)
    except ValueError:
        return False


def _path(webhook_id: str) -> str:
    return f"{WEBHOOKS_PATH}/{quote(webhook_id, safe='')}"


def _parts(url: str) -> tuple[Any, ...]:
    found = urlsplit(url)
    return found.scheme, found.hostname, found.port or _PORTS.get(found.scheme), found.path or "/", found.query
