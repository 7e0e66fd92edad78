"""Write an awkward Zendesk export: `python samples/presets/make_zendesk.py FOLDER --users 300 --tickets 500`.

An invented shop leaves Zendesk, with all that its export may consist of: users with their identities, tickets with one
to six comments, side conversations, ratings, macros, articles, groups, ticket fields. Some files are pages of the API,
others have an object a line, as the JSON export has. What makes real exports difficult is planted in fixed places. The
records are the same every time; `--until` moves all dates. Without numbers, it writes the sample in `zendesk/`.
"""

import argparse
import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

from samples.zendesk.make_export import (
    FIRST,
    FIRST_USER,
    HOST,
    LAST,
    SUBJECTS,
    UNTIL,
    attachment,
    basket,
    identities,
    long_text,
    moment,
    user,
)

__all__ = ("AGENTS", "FIRST_TICKET", "write_zendesk")

HERE = Path(__file__).parent / "zendesk"
AGENTS = ("Ada", "Bela", "Cleo", "Dario", "Edda")
GROUPS = {4_500_001: "Support", 4_500_002: "Returns"}
FIRST_TICKET, FIRST_ORGANIZATION, FIRST_COMMENT = 2001, 2_900_000_001, 7_200_000_001
ORDER, SIZES = 5_300_001, 5_300_002
MERGED_INTO = {FIRST_USER + 900_001: 0}
"""Users that are not in the export, because they were merged into others: the number of the customer who remains."""

Json = dict[str, Any]


def people(count: int, end: dt.datetime) -> list[Json]:
    """Return the agents, one of whom has left, and the customers."""
    staff = [
        user(at, f"{name} Agent", end, emails=(f"{name.lower()}.agent@example.org",)) for at, name in enumerate(AGENTS)
    ]
    staff.append(user(len(staff), "Lars Left", end, emails=("lars.left@example.org",)) | {"active": False})
    for one in staff:
        one["role"] = "agent"
    found = [*staff]
    for at in range(len(staff), count):
        name = f"{FIRST[at % len(FIRST)]} {LAST[at % len(LAST)]}"
        emails: tuple[str, ...] = (f"{name.replace(' ', '.')}.{at}@Example.org",)
        if at % 9 == 0:
            emails += (f"home.{at}@example.org",)
        one = user(at, name, end, emails=emails, phones=(f"+1650555{100 + at:04}",) if at % 3 == 0 else ())
        one |= {
            "organization_id": FIRST_ORGANIZATION + at % 5 if at % 2 else None,
            "tags": ["vip"] if at % 7 == 0 else [],
        }
        one["user_fields"] = {"tier": ("gold", "silver", None)[at % 3], "newsletter": None}
        found.append(one)
    customers = found[len(staff) :]
    customers[2] |= {"name": "Permanently deleted user", "email": None, "active": False, "identities": []}
    customers[3] |= {
        "phone": "ask at the till",
        "identities": identities(customers[3]["id"], "phone_number", ["ask at the till"]),
    }
    customers[4] |= {
        "phone": "(650) 555-0104",
        "identities": identities(customers[4]["id"], "phone_number", ["(650) 555-0104"]),
    }
    customers[5]["suspended"] = True
    return found


class Tickets:
    """Creates the tickets, their comments, and what belongs to them."""

    def __init__(self, end: dt.datetime, users: list[Json], chance: random.Random) -> None:
        self._end, self._chance = end, chance
        self._staff, self._customers = users[: len(AGENTS) + 1], users[len(AGENTS) + 1 :]
        self._comments = 0
        self.side_events: list[Json] = []
        self.ratings: list[Json] = []

    def all(self, count: int) -> list[Json]:
        """Return the tickets, the oldest first."""
        found = [self._ticket(at, count) for at in range(count)]
        found[1]["requester_id"] = self._customers[2]["id"]  # deleted for good
        found[2]["requester_id"] = next(iter(MERGED_INTO))
        found[3]["comments"][-1]["author_id"] = 1  # a user that the export does not have
        found[4]["subject"] = None
        found[5]["subject"] = "A subject that goes on and on, " * 6
        found[6]["status"] = "deleted"
        found[7]["comments"][0] |= {"html_body": "".join(f"<p>{part}</p>" for part in long_text().split("\n\n"))}
        found[8]["comments"][0]["html_body"] += basket()
        found[8]["group_id"] = None
        found[9]["comments"][0]["attachments"] = [attachment(found[9]["id"])]
        return found

    def _ticket(self, at: int, count: int) -> Json:
        number = FIRST_TICKET + at
        created = self._end - dt.timedelta(days=(count - at) * 900 / count, minutes=at % 600)
        requester = self._customers[at % len(self._customers)]
        if not requester["active"]:
            requester = self._customers[0]
        agent = self._staff[at % len(self._staff)]
        subject, question, answer = SUBJECTS[at % len(SUBJECTS)]
        texts = [question, answer, "Thank you!", "You are welcome.", "One more thing.", "Yes?"][: 1 + at % 6]
        status = ("closed", "solved", "open", "closed", "pending", "closed")[at % 6]
        ticket: Json = {
            "url": f"{HOST}/api/v2/tickets/{number}.json",
            "id": number,
            "via": {"channel": ("email", "web", "sms")[at % 3], "source": {"rel": None}},
            "created_at": moment(created),
            "updated_at": moment(min(created + dt.timedelta(hours=5 * len(texts)), self._end)),
            "subject": f"{subject} <{at}>" if at % 50 == 10 else subject,
            "description": question,
            "priority": ("low", "normal", "urgent", None)[at % 4],
            "status": status,
            "requester_id": requester["id"],
            "assignee_id": agent["id"],
            "organization_id": requester["organization_id"],
            "group_id": list(GROUPS)[at % 2],
            "due_at": moment(self._end + dt.timedelta(days=90)) if at % 30 == 8 else None,
            "tags": ["orders"],
            "custom_fields": [
                {"id": ORDER, "value": f"A{9000 + at}" if at % 3 else None},
                {"id": SIZES, "value": None},
            ],
            "comments": [
                self._comment(at, turn, text, requester if turn % 2 == 0 else agent, created)
                for turn, text in enumerate(texts)
            ],
        }
        if at % 5 == 4:
            self._rate(ticket, requester)
        if at % 12 == 11:
            self._side_conversation(ticket, agent, created)
        return ticket

    def _comment(self, at: int, turn: int, text: str, author: Json, created: dt.datetime) -> Json:
        self._comments += 1
        return {
            "id": FIRST_COMMENT + self._comments,
            "type": "Comment",
            "author_id": author["id"],
            "body": text,
            "html_body": f'<div class="zd-comment" dir="auto">{text}<br></div>',
            "public": (at + turn) % 7 != 3,
            "attachments": [],
            "via": {"channel": "email" if turn % 2 == 0 else "web", "source": {"rel": None}},
            "created_at": moment(min(created + dt.timedelta(hours=5 * turn), self._end)),
        }

    def _rate(self, ticket: Json, requester: Json) -> None:
        at = len(self.ratings)
        self.ratings.append(
            {
                "id": 8_800_001 + at,
                "assignee_id": ticket["assignee_id"],
                "requester_id": requester["id"],
                "ticket_id": ticket["id"],
                "score": ("good", "bad", "offered")[at % 3],
                "comment": "Quick and friendly." if at % 3 == 0 else None,
                "created_at": ticket["updated_at"],
                "updated_at": ticket["updated_at"],
            }
        )

    def _side_conversation(self, ticket: Json, agent: Json, created: dt.datetime) -> None:
        for turn, text in enumerate(("Where is the parcel of this order?", "In depot 7.")):
            at = len(self.side_events)
            name = agent["name"] if turn == 0 else "Fast Freight"
            self.side_events.append(
                {
                    "id": f"8566255a-ece5-11e8-857d-{at:012}",
                    "side_conversation_id": f"8566255a-ece5-11e8-857c-{at // 2:012}",
                    "ticket_id": ticket["id"],
                    "type": "create" if turn == 0 else "reply",
                    "actor": {"user_id": None, "name": name, "email": "freight@example.org"},
                    "message": {"subject": "Parcel", "preview_text": text, "body": text, "html_body": f"<p>{text}</p>"},
                    "created_at": moment(min(created + dt.timedelta(hours=2 + turn), self._end)),
                }
            )


def macros() -> list[Json]:
    """Return macros: with a text, with HTML, without a text, and one that is not active."""
    texts = ("comment_value", "comment_value_html", "status", "comment_value")
    values: tuple[Any, ...] = (
        ["channel:all", "Thank you for your patience."],
        "<p>It is on its way.</p>",
        "solved",
        "Old",
    )
    return [
        {
            "id": 360_001 + at,
            "url": f"{HOST}/api/v2/macros/{360_001 + at}.json",
            "title": ("Patience", "Shipping::On its way", "Close", "Old words")[at],
            "active": at != 3,
            "description": None,
            "actions": [{"field": field, "value": value}],
            "restriction": None,
        }
        for at, (field, value) in enumerate(zip(texts, values, strict=True))
    ]


def articles() -> list[Json]:
    """Return articles of the help center, one of them a draft."""
    titles = ("How to return something", "Delivery times", "Sizes", "To be written")
    return [
        {
            "id": 370_001 + at,
            "html_url": f"{HOST}/hc/en-us/articles/{370_001 + at}",
            "title": title,
            "body": f"<h1>{title}</h1><p>It takes {at + 2} days.</p>",
            "locale": "en-us",
            "draft": at == 3,
            "section_id": 1,
            "label_names": [],
        }
        for at, title in enumerate(titles)
    ]


def organizations() -> list[Json]:
    """Return the companies that some customers belong to."""
    names = ("Alpine Guides", "Boat Club", "City Couriers", "Dune Tours", "Evening School")
    return [
        {
            "id": FIRST_ORGANIZATION + at,
            "name": name,
            "domain_names": [],
            "shared_tickets": False,
            "organization_fields": {},
        }
        for at, name in enumerate(names)
    ]


def write_zendesk(folder: Path, *, users: int, tickets: int, until: dt.date = UNTIL) -> int:
    """Write the files of an export that ends on this day, and return how many records they have, with the comments."""
    end = dt.datetime.combine(until, dt.time(8), dt.UTC)
    persons = people(users, end)
    maker = Tickets(end, persons, random.Random(20261120))
    every = maker.all(tickets)
    remaining = persons[len(AGENTS) + 1]["id"]
    pages = {
        "users": persons,
        "organizations": organizations(),
        "groups": [{"id": number, "name": name, "deleted": False, "default": False} for number, name in GROUPS.items()],
        "ticket_fields": [
            {"id": ORDER, "title": "Order number", "type": "text"},
            {"id": SIZES, "title": "Size", "type": "tagger"},
        ],
        "satisfaction_ratings": maker.ratings,
        "macros": macros(),
        "articles": articles(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in pages.items():
        page = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        after = f'"next_page": null, "previous_page": null, "count": {len(rows)}'
        _write(folder / f"{name}.json", f'{{"{name}": [\n{page}\n], {after}}}\n')
    for name, rows in (("tickets", every), ("side_conversation_events", maker.side_events)):
        _write(folder / f"{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    _write(folder / "merged_users.csv", "id,merged_into\n" + "".join(f"{old},{remaining}\n" for old in MERGED_INTO))
    comments = sum(len(ticket["comments"]) for ticket in every)
    return sum(map(len, pages.values())) + len(every) + len(maker.side_events) + comments


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Write an awkward export of an invented shop that leaves Zendesk.")
    parser.add_argument("folder", nargs="?", type=Path, default=HERE, help="where the files go")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--tickets", type=int, default=14)
    parser.add_argument("--until", type=dt.date.fromisoformat, default=UNTIL, help="the day on which it ends")
    given = parser.parse_args()
    count = write_zendesk(given.folder, users=given.users, tickets=given.tickets, until=given.until)
    print(f"{count:,} records in {given.folder}")


if __name__ == "__main__":
    main()
