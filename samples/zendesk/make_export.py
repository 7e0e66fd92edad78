"""Write the sample export: `python samples/zendesk/make_export.py`. The records are the same every time.

An invented shop leaves Zendesk. The files have the names of fields that Zendesk's ticketing API
documents: users (with their identities beside them, as `include=identities` gives them),
organizations, and tickets with their comments inside, one object a line. The difficulties of real
exports are planted in fixed places. `--until` moves all dates, so that the export ends on that day. `--small` leaves
out the customers and tickets of which there are many alike.
"""

import argparse
import datetime as dt
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
UNTIL = dt.date(2026, 11, 20)
"""The day on which the committed files end."""
HOST = "https://support.example.org"

ORGANIZATIONS, STAFF, CUSTOMERS, TICKETS = 20, 8, 112, 150
COMMENTS = 500
SPOILED = frozenset({5, 10, 11, 20, 25, 33, 41, 45, 62, 65, 71, 72, 80, 81})
"""The customers who are unlike the others, and the tickets."""
PLANTED = frozenset({30, 31, 40, 50, 121, 122, *range(130, 137)})
ORDINARY = frozenset({18, 42, 44})
"""What a small export has of the other tickets: one of the customer with a long body, an attachment and a rating."""
FIRST_ORGANIZATION, FIRST_USER, FIRST_TICKET, FIRST_COMMENT = 2_900_000_001, 3_600_000_001, 1001, 7_100_000_001
SUPPORT, RETURNS = 4_500_001, 4_500_002
ORDER_FIELD, CHANNEL_FIELD = 5_300_001, 5_300_002

AGENTS = ("Ada", "Bela", "Cleo", "Dario", "Edda")
FIRST = ("Amir", "Beth", "Carl", "Dina", "Enzo", "Fern", "Gil", "Hope", "Iris", "Jon", "Kira", "Leo", "Mona", "Nils")
LAST = ("Archer", "Brook", "Cole", "Drake", "Eames", "Frost", "Grove", "Heath", "Irwin", "Jarvis", "Keller", "Lowe")
PLACES = ("Mill Lane", "Station Road", "High Street", "Orchard Close", "Harbour View")
FIRMS = ("Alpine Guides", "Boat Club", "City Couriers", "Dune Tours", "Evening School")
SUBJECTS = (
    ("Where is my parcel?", "I ordered two weeks ago, and nothing has come.", "It left our warehouse this morning."),
    ("Wrong size", "The jacket is too small. Can I have a larger one?", "Please send it back with the label enclosed."),
    ("Refund for order", "I sent everything back. When do I get my money?", "It is on its way, within five days."),
    ("Tent with a hole", "There is a hole beside the zip.", "I am sorry. A new one will be with you on Friday."),
    ("Change of address", "We have moved. Please note the new address.", "Thank you, it is noted."),
    ("Invoice missing", "Could you send me the invoice again?", "You find it attached."),
)
THANKS = ("Thank you!", "You are welcome.")

Json = dict[str, Any]


def moment(when: dt.datetime) -> str:
    """Return a time as Zendesk writes it."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def organizations(end: dt.datetime) -> list[Json]:
    """Return the companies that some customers belong to."""
    return [
        {
            "url": f"{HOST}/api/v2/organizations/{FIRST_ORGANIZATION + number}.json",
            "id": FIRST_ORGANIZATION + number,
            "name": f"{FIRMS[number % len(FIRMS)]} {number // len(FIRMS) + 1}",
            "shared_tickets": False,
            "shared_comments": False,
            "external_id": None,
            "created_at": moment(end - dt.timedelta(days=1900 - number)),
            "updated_at": moment(end - dt.timedelta(days=400 - number)),
            "domain_names": [],
            "details": "",
            "notes": "",
            "group_id": None,
            "tags": ["wholesale"] if number % 4 == 0 else [],
            "organization_fields": {},
        }
        for number in range(ORGANIZATIONS)
    ]


def identities(user_id: int, kind: str, values: Iterable[str]) -> list[Json]:
    """Return a user's email addresses or numbers; the first one is primary."""
    return [
        {
            "id": user_id * 10 + number + (5 if kind == "phone_number" else 0),
            "user_id": user_id,
            "type": kind,
            "value": value,
            "verified": number == 0,
            "primary": number == 0,
        }
        for number, value in enumerate(values)
    ]


def user(number: int, name: str, end: dt.datetime, *, emails: tuple[str, ...], phones: tuple[str, ...] = ()) -> Json:
    """Return a user; those from `STAFF` on are customers."""
    identity = FIRST_USER + number
    return {
        "id": identity,
        "url": f"{HOST}/api/v2/users/{identity}.json",
        "name": name,
        "email": emails[0] if emails else None,
        "created_at": moment(end - dt.timedelta(days=1500 - 12 * number, minutes=7 * number)),
        "updated_at": moment(end - dt.timedelta(days=3 + number % 40)),
        "time_zone": "Eastern Time (US & Canada)",
        "phone": phones[0] if phones else None,
        "shared_phone_number": False if phones else None,
        "locale": "en-US",
        "organization_id": None,
        "role": "end-user",
        "verified": bool(emails),
        "external_id": None,
        "tags": [],
        "alias": "",
        "active": True,
        "suspended": False,
        "default_group_id": None,
        "details": "",
        "notes": "",
        "user_fields": {},
        "identities": identities(identity, "email", emails) + identities(identity, "phone_number", phones),
    }


def staff(end: dt.datetime) -> list[Json]:
    """Return an admin, the agents, and an agent who has left."""
    found = [user(0, "Olga Owner", end, emails=("olga.owner@example.org",))]
    names = [f"{first} Agent" for first in AGENTS]
    found += [
        user(number, name, end, emails=(f"{name.split()[0].lower()}.agent@example.org",))
        for number, name in enumerate(names, 1)
    ]
    found += [user(6, "Lars Left", end, emails=("lars.left@example.org",))]
    found += [user(7, "Shop Robot", end, emails=("robot@example.org",))]
    for one in found:
        one |= {"role": "agent", "default_group_id": SUPPORT}
    found[0]["role"] = "admin"
    found[6]["active"] = False
    return found


def customers(end: dt.datetime, chance: random.Random) -> list[Json]:
    """Return the end users, with the fields of real ones."""
    found: list[Json] = []
    for number in range(STAFF, STAFF + CUSTOMERS):
        first, last = FIRST[number % len(FIRST)], LAST[number % len(LAST)]
        emails: tuple[str, ...] = (
            f"{first}.{last}{number}@Example.org".lower() if number % 9 else f"{first}.{last}@Example.org",
        )
        if number % 11 == 0:
            emails += (f"{first.lower()}.home{number}@example.org",)
        phones = (f"+1650555{number:04}",) if number % 3 == 0 else ()
        one = user(number, f"{first} {last}", end, emails=emails, phones=phones)
        if number % 2:
            one["organization_id"] = FIRST_ORGANIZATION + number % ORGANIZATIONS
        one["external_id"] = f"SHOP-{number:05}" if number % 4 else None
        one["tags"] = chance.sample(["vip", "newsletter", "wholesale", "slow_payer"], number % 3)
        one["user_fields"] = {
            "tier": chance.choice(["bronze", "silver", "gold", None]),
            "street": f"{chance.randrange(1, 200)} {chance.choice(PLACES)}, Exampletown",
        }
        found.append(one)
    spoil_customers(found)
    return found


def spoil_customers(found: list[Json]) -> None:
    """Plant what makes real users difficult to import."""
    for number in (20, 41, 62):  # no email; the last one has no number either
        found[number] |= {"email": None, "verified": False, "phone": None, "identities": []}
    for number in (20, 41):
        add_phone(found[number], f"+1650555{7000 + number}")
    for number in (5, 25, 45, 65):  # national numbers
        add_phone(found[number], f"(650) 555-0{100 + number}")
    add_phone(found[33], "ask at the till")
    add_phone(found[71], "+16505557071")
    add_phone(found[72], "+16505557071")  # a family shares this number
    found[10] |= {"name": "Permanently deleted user", "email": None, "active": False, "identities": []}
    found[11]["active"] = False
    found[80]["suspended"] = found[81]["suspended"] = True


def add_phone(one: Json, number: str) -> None:
    """Give a user this phone number as the only one."""
    one["phone"] = number
    one["identities"] = [item for item in one["identities"] if item["type"] == "email"]
    one["identities"] += identities(one["id"], "phone_number", [number])


class Tickets:
    """Creates the tickets, comment by comment."""

    def __init__(self, end: dt.datetime, people: list[Json], chance: random.Random) -> None:
        self._end, self._chance = end, chance
        self._agents, self._people = people[1:6], people[STAFF:]
        self._left, self._robot = people[6], people[7]
        self._comments = 0

    def all(self) -> list[Json]:
        """Return all tickets, the oldest first."""
        found = [self._ticket(number) for number in range(TICKETS)]
        self._spoil(found)
        return found

    def _ticket(self, number: int) -> Json:
        identity = FIRST_TICKET + number
        age = dt.timedelta(days=(TICKETS - 1 - number) ** 1.45 + 0.4, minutes=self._chance.randrange(600))
        created = self._end - age
        # Deleted users appear only where `_spoil` plants them.
        requester = next(one for one in self._people[number % CUSTOMERS :] + self._people if one["active"])
        agent = self._agents[number % 3]
        subject, question, answer = SUBJECTS[number % len(SUBJECTS)]
        channel = ("email", "web", "chat", "email", "sms")[number % 5]
        status = "closed" if age.days > 120 else ("new", "open", "pending", "hold", "solved")[number % 5]
        group = RETURNS if number % 6 in (1, 2) else SUPPORT
        rating = {"score": "good", "comment": "Quick and friendly."} if number % 10 == 4 else {"score": "unoffered"}
        last = TICKETS - 1 - number
        texts = [question, answer, *THANKS][: 2 + number % 3] if last else [question]
        comments: list[Json] = []
        for turn, text in enumerate(texts):
            author = requester if turn % 2 == 0 else agent
            when = min(created + dt.timedelta(hours=5 * turn, minutes=turn), self._end)
            comments.append(self.comment(author, when, text, channel if turn % 2 == 0 else "web"))
        if number % 4 == 1:
            note = f"Order {9000 + number} looked up; see the shop's own system."
            comments.append(self.comment(agent, created + dt.timedelta(hours=1), note, "web", public=False))
        return {
            "url": f"{HOST}/api/v2/tickets/{identity}.json",
            "id": identity,
            "external_id": None,
            "via": {"channel": channel, "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": moment(created),
            "updated_at": max(comment["created_at"] for comment in comments),
            "type": "question",
            "subject": subject,
            "description": question,
            "priority": ("low", "normal", "high", "urgent", None)[number % 5],
            "status": status,
            "recipient": "help@example.org",
            "requester_id": requester["id"],
            "submitter_id": requester["id"],
            "assignee_id": None if status == "new" else agent["id"],
            "organization_id": requester["organization_id"],
            "group_id": group,
            "collaborator_ids": [],
            "problem_id": None,
            "has_incidents": False,
            "due_at": None,
            "tags": ["returns"] if group == RETURNS else ["orders"],
            "custom_fields": [
                {"id": ORDER_FIELD, "value": f"A{9000 + number}" if number % 3 else None},
                {"id": CHANNEL_FIELD, "value": "online"},
            ],
            "satisfaction_rating": rating,
            "comments": comments,
        }

    def comment(self, author: Json, when: dt.datetime, text: str, channel: str, *, public: bool = True) -> Json:
        """Return a comment; `text` may have HTML in it."""
        self._comments += 1
        plain = text.replace("<br>", "\n") if "<" in text else text
        return {
            "id": FIRST_COMMENT + self._comments,
            "type": "Comment",
            "author_id": author["id"],
            "body": plain,
            "html_body": f'<div class="zd-comment" dir="auto">{text}<br></div>',
            "plain_body": plain,
            "public": public,
            "attachments": [],
            "audit_id": FIRST_COMMENT + 900_000 + self._comments,
            "via": {"channel": channel, "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": moment(when),
            "metadata": {"system": {}, "custom": {}},
        }

    def _spoil(self, found: list[Json]) -> None:
        """Plant what makes real tickets difficult to import, and fill up to the number of comments."""
        found[30]["comments"][1]["author_id"] = self._people[10]["id"]  # written by a deleted user
        found[31]["requester_id"] = self._people[11]["id"]  # requested by a deleted user
        found[40]["comments"][1]["author_id"] = self._left["id"]
        found[50]["status"] = "deleted"
        self._merge(found[121], into=found[122])
        self._set_text(found[130], 0, long_text(), extra="")
        self._set_text(found[131], 0, "My basket", extra=basket())
        found[132]["subject"] = "A subject that goes on and on, " * 6
        found[133]["subject"] = None
        found[134] |= {"type": "task", "due_at": moment(self._end + dt.timedelta(days=45)), "status": "open"}
        found[135] |= {"type": "task", "due_at": moment(self._end - dt.timedelta(days=5)), "status": "open"}
        found[136] |= {"assignee_id": self._left["id"], "status": "open"}
        for number in range(8, TICKETS, 17):
            found[number]["comments"][0]["attachments"] = [attachment(found[number]["id"])]
        missing = COMMENTS - sum(len(ticket["comments"]) for ticket in found)
        for number in range(missing):
            ticket = found[3 * number % (TICKETS - 20)]
            when = dt.datetime.fromisoformat(ticket["updated_at"]) + dt.timedelta(hours=2)
            ticket["comments"].append(self.comment(self._robot, when, "No answer for two days.", "rule", public=False))
            ticket["updated_at"] = moment(when)

    def _merge(self, ticket: Json, *, into: Json) -> None:
        agent, when = self._agents[0], dt.datetime.fromisoformat(into["updated_at"])
        ticket |= {"status": "closed", "tags": [*ticket["tags"], "closed_by_merge"]}
        ticket["comments"].append(self.comment(agent, when, f"Merged into #{into['id']}.", "web", public=False))
        added = self.comment(agent, when, f"Goes on from #{ticket['id']}: {ticket['description']}", "web")
        added["via"]["source"] |= {"rel": "merge", "from": {"ticket_id": ticket["id"], "subject": ticket["subject"]}}
        into["comments"].append(added)

    @staticmethod
    def _set_text(ticket: Json, number: int, text: str, *, extra: str) -> None:
        ticket["comments"][number] |= {"body": text, "plain_body": text}
        paragraphs = "".join(f"<p>{part}</p>" for part in text.split("\n\n"))
        ticket["comments"][number]["html_body"] = f'<div class="zd-comment">{paragraphs}{extra}</div>'


def long_text() -> str:
    """Return a text that is too long for one activity."""
    line = "the parcel was seen in depot {at}, left it again, and nobody there could say where it went next"
    return "\n\n".join(f"Day {day}: {line.format(at=day % 7 + 1)}." for day in range(1, 261))


def basket() -> str:
    """Return HTML of which Gladly does not accept much."""
    return (
        '<style>.b{color:red}</style><script>track("basket")</script><section><h4>Basket</h4>'
        '<table class="b"><tr><td style="font-size:20px">Tent</td><td onclick="x()">1</td></tr></table></section>'
        '<blockquote>You wrote: <code>A9131</code></blockquote><iframe src="https://shop.example.org/"></iframe>'
        '<img src="cid:logo@example.org"><p>See <a href="javascript:void(0)">here</a> or '
        '<a href="https://shop.example.org/basket/9131">there</a>.</p>'
    )


def attachment(number: int) -> Json:
    """Return an attachment as the export has it: its address, not its content."""
    return {
        "id": 8_000_000 + number,
        "file_name": f"photo-{number}.jpg",
        "content_url": f"{HOST}/attachments/token/{number}/?name=photo-{number}.jpg",
        "content_type": "image/jpeg",
        "size": 48_213,
        "inline": False,
        "deleted": False,
    }


def write_export(folder: Path, until: dt.date, *, is_small: bool = False) -> None:
    """Write the three files of an export that ends on this day; older files are replaced."""
    chance = random.Random(20261120)
    end = dt.datetime.combine(until, dt.time(8), dt.UTC)
    people = staff(end) + customers(end, chance)
    tickets = Tickets(end, people, chance).all()
    if is_small:
        people, tickets = small(people, tickets)
    for name, records in (("organizations", organizations(end)), ("users", people), ("tickets", tickets)):
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / f"{name}.ndjson").write_text(text, encoding="utf-8")


def small(people: list[Json], tickets: list[Json]) -> tuple[list[Json], list[Json]]:
    """Return what is unlike the rest, a few others, and the users who have to do with them."""
    kept = [tickets[number] for number in sorted(PLANTED | ORDINARY)]
    needed = {people[STAFF + number]["id"] for number in SPOILED}
    needed |= {one[name] for one in kept for name in ("requester_id", "assignee_id")}
    needed |= {comment["author_id"] for one in kept for comment in one["comments"]}
    return [one for one in people if one["id"] in needed], kept


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Write the invented export of a shop that leaves Zendesk.")
    parser.add_argument("--until", type=dt.date.fromisoformat, default=UNTIL, help="the day on which it ends")
    parser.add_argument("--folder", type=Path, default=HERE, help="where the files go")
    parser.add_argument("--small", action="store_true", help="only what is unlike the rest, and a few others")
    given = parser.parse_args()
    write_export(given.folder, given.until, is_small=given.small)


if __name__ == "__main__":
    main()
