"""What a mapping cannot do with tickets: dates in titles, times that are too old, names of authors.

`bulkgladly ... --transform threads:tickets` passes each ticket to `tickets`, and the mapping gets
what that returns. GO_LIVE in the environment is the day of the go-live, such as 2026-11-20; the default
is today. Set it and keep it: ages and due dates count from that day, so a run that is resumed on
another day still creates the same records.
"""

import datetime as dt
import functools
import html
import json
import os
from pathlib import Path
from typing import Any

__all__ = ("tickets",)

USERS = Path(__file__).with_name("users.ndjson")
GO_LIVE = dt.datetime.combine(
    dt.date.fromisoformat(os.environ.get("GO_LIVE") or dt.datetime.now(dt.UTC).date().isoformat()), dt.time(17), dt.UTC
)
OLDEST = GO_LIVE - dt.timedelta(days=350)
"""Gladly accepts times of at most a year ago; the margin allows for a long import or a late start."""
DAYS_TO_DO = {"urgent": 1, "high": 3, "normal": 7, "low": 14}
FEWEST_DAYS = 2
"""The earliest due date of a task, in days after the go-live, because the import itself takes time."""
ROOM_IN_TITLE = 86
"""Characters of a title including the date; Gladly accepts 100, and `(1/2)` of a split needs some."""

Json = dict[str, Any]


def tickets(ticket: Json) -> Json:
    """Add to a ticket what its task needs, and to each comment what its activity needs."""
    for comment in ticket["comments"]:
        comment["text"] = f"<p><b>{_who(ticket, comment)}</b></p>{comment['html_body']}{_attachments(comment)}"
    ticket["comments"] += _rating(ticket)
    for comment in ticket["comments"]:
        comment["title"] = _title(ticket, comment["created_at"])
        if dt.datetime.fromisoformat(comment["created_at"]) >= OLDEST:
            comment["occurred_at"] = comment["created_at"]
    ticket["task"] = f"<p><b>{_escaped(_title(ticket, ticket['created_at']))}</b></p><p>Status: {ticket['status']}</p>"
    ticket["task_due"] = _due(ticket)
    ticket["agent_email"] = _staff().get(ticket["assignee_id"], {}).get("email")
    return ticket


@functools.cache
def _staff() -> dict[int, Json]:
    """Return the agents by id; the many other users are not kept in memory."""
    found: dict[int, Json] = {}
    with USERS.open(encoding="utf-8") as file:
        for line in file:
            user = json.loads(line)
            if user["role"] != "end-user":
                found[user["id"]] = user if user["active"] else {**user, "email": None}
    return found


def _title(ticket: Json, when: str) -> str:
    subject = " ".join((ticket["subject"] or "(no subject)").split())
    start = f"#{ticket['id']} {subject}"
    room = ROOM_IN_TITLE - len(when[:10]) - 3
    return f"{start if len(start) <= room else start[: room - 1].rstrip() + '…'} ({when[:10]})"


def _who(ticket: Json, comment: Json) -> str:
    """Return who wrote it, and when, because Gladly shows the user of the import as the author."""
    author = comment["author_id"]
    name = "Customer" if author == ticket["requester_id"] else _staff().get(author, {}).get("name", "Somebody else")
    kind = "" if comment["public"] else ", internal note"
    merged = comment["via"]["source"].get("rel") == "merge"
    origin = f", from #{comment['via']['source']['from']['ticket_id']}" if merged else ""
    return _escaped(f"{name}, {comment['created_at'][:16].replace('T', ' ')} UTC{kind}{origin}")


def _attachments(comment: Json) -> str:
    links = [
        f'<li><a href="{_escaped(one["content_url"])}">{_escaped(one["file_name"])}</a></li>'
        for one in comment["attachments"]
        if not one["deleted"]
    ]
    return f"<p>Attachments in Zendesk:</p><ul>{''.join(links)}</ul>" if links else ""


def _rating(ticket: Json) -> list[Json]:
    """Return the customer's rating as one more comment, if there is a rating."""
    rating = ticket["satisfaction_rating"] or {}
    if rating.get("score") not in ("good", "bad"):
        return []
    text = f"<p>Rated {rating['score']}</p><p>{_escaped(rating.get('comment') or '')}</p>"
    return [{"id": "rating", "text": text, "created_at": ticket["updated_at"], "via": {"channel": "survey"}}]


def _due(ticket: Json) -> str:
    earliest = GO_LIVE + dt.timedelta(days=FEWEST_DAYS)
    if ticket["due_at"]:
        due = dt.datetime.fromisoformat(ticket["due_at"])
    else:
        due = GO_LIVE + dt.timedelta(days=DAYS_TO_DO.get(ticket["priority"] or "normal", 7))
    return max(due, earliest).isoformat()


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
