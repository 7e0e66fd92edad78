"""Invented conversation items as the lines of an export file, one conversation after the other.

Facts: schemas.md, section 4.1, and export-files.md, "conversation_items.jsonl", of the fact sheet.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import orjson

from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.seeding.conversation_script import NUMBER_TOKEN, TIME_TOKEN, Scene, at, contents

__all__ = ("ITEMS_PER_CONVERSATION", "Cast", "InventedItems")

_MOST_PEOPLE = 250
_CONVERSATIONS_PER_BLOCK = 16
_TEXTS = (
    "Where is my order?",
    "It arrived today, thank you.",
    "Could you change the address, please?",
    "Größe M passt nicht, ich hätte gern L.",
    'The label says "fragile",\nbut the box was open.',
    "The blue one, not the green one.",
)


class Cast(NamedTuple):
    """The people and topics of the items, as the API returns them: at least one customer and one agent."""

    customers: Sequence[Entity]
    agents: Sequence[Entity]
    topics: Sequence[Entity]


class InventedItems:
    """`count` items of one job, the same for the same job id, however often they are read.

    A conversation is rendered once for each of at most 250 customers. What differs between two
    conversations of a customer has a fixed width, so the size is known without reading the file,
    and memory does not grow with it.
    """

    def __init__(self, job_id: str, count: int, cast: Cast, period: tuple[datetime, datetime]) -> None:
        self._job_id = job_id
        self._count = count
        self._cast = cast
        self._start, self._span = period[0], period[1] - period[0]
        self._conversations = -(-count // ITEMS_PER_CONVERSATION)
        self._rendered: list[bytes] = []

    def blocks(self) -> Iterator[bytes]:
        """Yield the lines, many at a time."""
        conversations = map(self._conversation, range(self._conversations))
        while block := b"".join(islice(conversations, _CONVERSATIONS_PER_BLOCK)):
            yield block

    def size(self) -> int:
        """Return the number of bytes in all lines."""
        if not self._count:
            return 0
        whole = self._count // ITEMS_PER_CONVERSATION
        # Templates have fixed lengths, and conversations take them in turn.
        rounds, rest = divmod(whole, len(self._templates()))
        lengths = [len(template) for template in self._templates()]
        last = self._conversation(whole) if whole < self._conversations else b""
        return rounds * sum(lengths) + sum(lengths[:rest]) + len(last)

    def _conversation(self, number: int) -> bytes:
        templates = self._templates()
        moment = self._start + self._span * number / self._conversations
        second = moment.replace(tzinfo=None).isoformat(timespec="seconds")
        lines = templates[number % len(templates)].replace(NUMBER_TOKEN.encode(), b"%09d" % number)
        lines = lines.replace(TIME_TOKEN.encode(), second.encode())
        left = self._count - number * ITEMS_PER_CONVERSATION
        return lines if left >= ITEMS_PER_CONVERSATION else b"".join(lines.splitlines(keepends=True)[:left])

    def _templates(self) -> list[bytes]:
        if not self._rendered:
            draw = random.Random(self._job_id)  # noqa: S311  # a repeatable draw is the point
            customers = self._cast.customers
            first = draw.randrange(len(customers))
            for number in range(min(self._conversations, _MOST_PEOPLE, len(customers))):
                customer = customers[(first + number) % len(customers)]
                self._rendered.append(b"".join(self._lines(customer, draw)))
        return self._rendered

    def _lines(self, customer: Entity, draw: random.Random) -> Iterator[bytes]:
        scene = Scene(
            customer={"id": customer["id"], "type": "CUSTOMER"},
            agent={"id": draw.choice(self._cast.agents)["id"], "type": "AGENT"},
            email=next((email["normalized"] for email in customer.get("emails", ())), "nobody@example.org"),
            phone=next((phone["normalized"] for phone in customer.get("phones", ())), "+16505550100"),
            topics=[topic["id"] for topic in self._cast.topics],
            say=lambda: draw.choice(_TEXTS),
        )
        conversation = f"{self._job_id}-{NUMBER_TOKEN}"
        for n, (initiator, content) in enumerate(contents(scene)):
            item = {"id": f"{conversation}-{n:02}", "conversationId": conversation, "customerId": customer["id"]}
            item |= {"timestamp": at(n), "initiator": initiator, "content": content}
            if content["type"] == "CUSTOMER_ACTIVITY":
                del item["conversationId"]
            if content.get("answeredAt"):
                item["responder"] = scene.customer
            yield orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE)


_NOBODY = Scene({"id": ""}, {"id": ""}, "", "", [], str)

ITEMS_PER_CONVERSATION = sum(1 for _ in contents(_NOBODY))
"""The number of lines of one conversation: every content type, some in several forms."""
