"""The items that the API can create: activities of customers.

Facts: schemas.md, sections 4.2 and 4.3, of the fact sheet.
"""

from datetime import timedelta
from typing import Any, NamedTuple

from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields

__all__ = (
    "ACTIVITY_TYPES",
    "MAX_AGE",
    "MAX_BODY",
    "MAX_LINK_TEXT",
    "MAX_SOURCE_NAME",
    "MAX_TITLE",
    "Activity",
    "read_activity",
)

ACTIVITY_TYPES = ("EMAIL", "ISSUE", "SMS", "SURVEY")
MAX_AGE = timedelta(days=365)
"""How long ago an activity may have occurred; older history cannot be created."""
MAX_TITLE = 100
MAX_BODY = 25_000
MAX_SOURCE_NAME = 50
MAX_LINK_TEXT = 50


class Activity(NamedTuple):
    """The content of an item, and where on the timeline it lies."""

    content: Entity
    moment: str


def read_activity(content: Fields, store: Store) -> Activity:
    """The content of a request, in the form in which the API returns it.

    It lies where it occurred, without that where it was received. Faults are left in `content`;
    what is returned means nothing then.
    """
    now = store.jobs.now()
    fields: dict[str, Any] = {
        "activityType": content.choice("activityType", ACTIVITY_TYPES, required=True),
        "title": content.text("title", most=MAX_TITLE),
        "body": content.text("body", most=MAX_BODY),
        "sourceName": content.text("sourceName", most=MAX_SOURCE_NAME),
        "link": _read_link(content),
        "expandByDefault": content.flag("expandByDefault") is True,
    }
    occurred = content.moment("occurredAt")
    if occurred is not None:
        if occurred < now - MAX_AGE:
            content.fault("occurredAt", "invalid", f"occurredAt is more than {MAX_AGE.days} days ago")
        fields["occurredAt"] = timestamp(occurred.timestamp())
    fields["receivedAt"] = timestamp(now.timestamp())
    kept = {name: value for name, value in fields.items() if value is not None}
    return Activity({"type": "CUSTOMER_ACTIVITY", **kept}, fields.get("occurredAt") or fields["receivedAt"])


def _read_link(content: Fields) -> dict[str, str] | None:
    link = content.part("link")
    if link is None:
        return None
    read = {"url": link.text("url"), "text": link.text("text", most=MAX_LINK_TEXT)}
    return {name: value for name, value in read.items() if value is not None}
