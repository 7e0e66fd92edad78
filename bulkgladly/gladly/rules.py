"""What Gladly would refuse, seen offline: rules that several kinds of objects share. Pure.

A rule looks at a payload and yields problems. Facts: gladly-api, README, "Endpoint rules that
yield errors", and schemas.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from bulkgladly.gladly.fields import MAKING
from bulkgladly.gladly.spec import Policy, Rule
from bulkgladly.records import Mode, Problem
from bulkgladly.times import time_of

__all__ = (
    "MAX_ACTIVITY_AGE",
    "assignee_has_inbox",
    "due_in_future",
    "due_only_if_known",
    "language_is_known",
    "occurred_within_a_year",
    "some_of",
)

MAX_ACTIVITY_AGE = dt.timedelta(days=365)
"""How long ago an activity may have occurred [gladly-api, schemas 4.3]."""


def due_in_future(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """A new task is due in the future; an `upsert` may meet one that exists, and is judged when it is sent."""
    due = time_of(payload.get("dueAt"))
    if policy.mode is Mode.CREATE and policy.now is not None and due is not None and due <= policy.now:
        detail = "dueAt has passed; Gladly takes new tasks only with a date in the future"
        yield Problem("due_in_past", detail, "dueAt")


def due_only_if_known(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """What `due_in_future` leaves open: in an `upsert` a task whose date has passed must be there already."""
    due = time_of(payload.get("dueAt"))
    if policy.mode is Mode.UPSERT and policy.now is not None and due is not None and due <= policy.now:
        detail = "dueAt has passed: refused unless the task is in Gladly already, since new ones are due in the future"
        yield Problem("due_in_past", detail, "dueAt")


def language_is_known(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """A content is in one of the organisation's languages; without a list of them nothing is judged."""
    language = payload.get("language")
    if policy.languages and isinstance(language, str) and language.lower() not in policy.languages:
        yield Problem("unknown_language", f"{language} is none of {', '.join(policy.languages)}", "language")


def occurred_within_a_year(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """History of more than a year cannot be created through the API."""
    occurred = time_of(payload.get("occurredAt"))
    if policy.mode is Mode.DELETE or policy.now is None or occurred is None:
        return
    if occurred < policy.now - MAX_ACTIVITY_AGE:
        detail = f"occurredAt is more than {MAX_ACTIVITY_AGE.days} days ago; Gladly brings in older history by hand"
        yield Problem("too_old", detail, "occurredAt")


def assignee_has_inbox(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    """Whoever is assigned, is so in an inbox."""
    assignee = payload.get("assignee")
    if isinstance(assignee, Mapping) and not assignee.get("inboxId"):
        yield Problem("blank", "the assignee needs an inbox (inbox or inboxId)", "inboxId")


def is_assigned(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """What is new is assigned to somebody."""
    if policy.mode in MAKING and not payload.get("assignee"):
        yield Problem("blank", "inbox (or inboxId) is missing; Gladly needs to know whose it is", "inboxId")


def some_of(*names: str) -> Rule:
    """Return the rule that a payload has at least one of these fields."""

    def rule(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
        if policy.mode is not Mode.DELETE and not any(payload.get(name) not in (None, "", [], {}) for name in names):
            yield Problem("nothing_to_do", f"the row has none of {', '.join(names)}, so there is nothing to send")

    return rule
