"""Invented facts, from which the reports are made.

A fact has a number within its day and 64 random bits. All its values come from those bits, so it is the
same in every report and with every filter.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from bulkgladly.emulator.options import TimeForm
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.organisation.told_facts import KnownValue

__all__ = ("CHANNELS", "Directory", "Fact", "ReportView", "directory_of", "facts_of", "moment_text")

CHANNELS: Mapping[str, str] = {
    "chat": "CHAT",
    "email": "EMAIL",
    "fbMessenger": "FB_MESSENGER",
    "sms": "SMS",
    "twitter": "TWITTER",
    "voice": "PHONE_CALL",
    "whatsapp": "WHATSAPP",
    "instagramDirect": "INSTAGRAM_DIRECT",
}
"""The text of a cell for each channel of the filter. Gladly's spelling is known for contacts only."""

_EVENTS_EACH = 4
_DEEPEST = 9
_OWNER_BITS = 0xFFFF_FFFF

_CHANNEL_TEXTS = tuple(CHANNELS.values())
_NOBODY: Entity = {"id": "", "name": "", "emailAddress": ""}
_EVENTS = {
    "agent": (
        *("AGENT_STATUS/LOGGED_IN", "AGENT_STATUS/WENT_AWAY", "AGENT_STATUS/RETURNED_FROM_AWAY"),
        *("AGENT_STATUS/CHANGED_ACTIVE_REASON", "AGENT_AVAILABILITY/UPDATED", "AGENT_STATUS/LOGGED_OUT"),
    ),
    "contact": (
        *("CONTACT/STARTED", "CONTACT/OFFERED", "CONTACT/OFFER_ACCEPTED", "CONTACT/OFFER_REJECTED"),
        *("CONTACT/JOINED", "CONTACT/MESSAGE_RECEIVED", "CONTACT/MESSAGE_SENT", "CONTACT/HOLD_STARTED"),
        *("CONTACT/HOLD_ENDED", "CONTACT/TRANSFERRED", "CONTACT/FULFILLED", "CONTACT/ENDED"),
        *("PAYMENT_REQUEST/CREATED", "PAYMENT_REQUEST/CHANGED", "PAYMENT_REQUEST/VIEWED"),
    ),
    "conversation": (
        *("CONVERSATION/CREATED", "CONVERSATION/CLOSED", "CONVERSATION/REOPENED", "CONVERSATION/TOPIC_ADDED"),
        *("CONVERSATION/TOPIC_REMOVED", "CONVERSATION_ASSIGNEE/UPDATED", "NOTE/CREATED", "CUSTOMER/MERGED"),
    ),
    "task": ("TASK/CREATED", "TASK/ASSIGNEE_UPDATED", "TASK/COMMENT_ADDED", "TASK/CLOSED", "TASK/REOPENED"),
}
_INITIATORS = ("CUSTOMER", "AGENT", "AUTOMATION", "INTERNAL", "EXTERNAL", "APPLICATION", "SYSTEM")


class Directory(NamedTuple):
    """The people and things in the reports: the directory at one moment."""

    agents: Sequence[Entity]
    inboxes: Sequence[Entity]
    topics: Sequence[Entity]
    parents: Mapping[str, Entity]
    """The parent topic, by topic id."""
    teams: Mapping[str, Sequence[Entity]]
    """By agent id."""
    customers: int


def directory_of(store: Store, customers: int) -> Directory:
    """Return the present directory; `customers` is the number of invented customers that rows may name."""
    held = store.collections
    topics = tuple(held["topics"].values())
    teams: dict[str, list[Entity]] = {}
    for team in held["teams"].values():
        for agent_id in team.get("agentIds", ()):
            teams.setdefault(agent_id, []).append(team)
    return Directory(
        tuple(held["agents"].values()) or (_NOBODY,),
        tuple(held["inboxes"].values()) or (_NOBODY,),
        topics or (_NOBODY,),
        {t["id"]: held["topics"][t["parentId"]] for t in topics if t.get("parentId") in held["topics"]},
        teams,
        max(1, customers),
    )


def moment_text(moment: datetime, zone: tzinfo, form: TimeForm) -> str:
    """Return a time as a cell shows it: with milliseconds, and `Z` for UTC."""
    local = moment.astimezone(UTC if form == "utc" else zone)
    text = local.isoformat(timespec="milliseconds")
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


class ReportView(NamedTuple):
    """How a report shows facts: its time zone, the form of its times, the phone number of its filter."""

    zone: tzinfo
    zone_name: str
    form: TimeForm
    phone: str = ""


class Fact:
    """One invented fact of one UTC day, in the time zone of a report.

    `owner` is the number of its contact, conversation or task.
    """

    __slots__ = ("_day", "_directory", "_owner", "_place", "bits", "moment", "view")

    known: Mapping[str, KnownValue] = MappingProxyType({})
    """Values of cells that are not invented, by the words of the columns."""

    def __init__(self, day: datetime, owner: int, bits: int, directory: Directory, view: ReportView) -> None:
        self._day, self._owner, self._directory = day, owner, directory
        self.view = view
        self.bits = bits
        self._place = bits & _OWNER_BITS
        self.moment = day + timedelta(milliseconds=(bits >> 32) % 86_400_000)

    def pick(self, choices: Sequence[str], shift: int) -> str:
        """Return one of the choices, selected by the bits from `shift`."""
        return choices[(self.bits >> shift) % len(choices)]

    def seconds(self, most: int, shift: int) -> float:
        """Return a duration of less than `most` seconds, with a fraction."""
        return (self.bits >> shift) % (most * 10) / 10

    def write(self, moment: datetime) -> str:
        """Return the time as a cell shows it."""
        return moment_text(moment, self.view.zone, self.view.form)

    def after(self, seconds: float) -> str:
        """Return the time `seconds` after the fact, as a cell shows it."""
        return self.write(self.moment + timedelta(seconds=seconds))

    def named(self, kind: str) -> str:
        """Return the id of its contact, conversation, task or the like."""
        return f"{kind}-{self._day:%Y%m%d}-{self._owner:05}"

    @property
    def date(self) -> str:
        """Its day in the report's time zone."""
        return f"{self.moment.astimezone(self.view.zone):%Y-%m-%d}"

    @property
    def agent(self) -> Entity:
        """Its agent."""
        return self._directory.agents[self._place % len(self._directory.agents)]

    @property
    def inbox(self) -> Entity:
        """Its inbox."""
        return self._directory.inboxes[(self._place >> 8) % len(self._directory.inboxes)]

    @property
    def other_inbox(self) -> Entity:
        """The inbox to which it is transferred."""
        return self._directory.inboxes[(self.bits >> 20) % len(self._directory.inboxes)]

    @property
    def other_agent(self) -> Entity:
        """The agent to whom it is transferred."""
        return self._directory.agents[(self.bits >> 22) % len(self._directory.agents)]

    @property
    def teams(self) -> Sequence[Entity]:
        """The teams of its agent."""
        return self._directory.teams.get(self.agent["id"], ())

    @property
    def channel(self) -> str:
        """Its channel, as a cell shows it."""
        return _CHANNEL_TEXTS[(self._place >> 16) % len(_CHANNEL_TEXTS)]

    @property
    def topic(self) -> Entity:
        """Its first topic."""
        return self._directory.topics[(self.bits >> 26) % len(self._directory.topics)]

    @property
    def topics(self) -> Sequence[Entity]:
        """One or two topics."""
        second = self._directory.topics[(self.bits >> 29) % len(self._directory.topics)]
        return (self.topic,) if second is self.topic else (self.topic, second)

    def path(self, topic: Entity) -> str:
        """Return the names of a topic and of its parents, from the top."""
        names = [topic["name"]]
        while (parent := self._directory.parents.get(topic["id"])) is not None and len(names) < _DEEPEST:
            topic = parent
            names.insert(0, topic["name"])
        return " > ".join(names)

    @property
    def customer(self) -> str:
        """The id of its customer, one of the seeded ones."""
        return f"seeded-{(self._day.toordinal() * 31 + self._owner) % self._directory.customers:07}"

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self.bits >> 12 & 7 != 0

    def event(self, of: str) -> str:
        """Return the type of its event, among those of `of`."""
        return self.pick(_EVENTS[of], 40)

    @property
    def initiator(self) -> str:
        """The type of its initiator."""
        return self.pick(_INITIATORS, 44)

    @property
    def answered(self) -> bool:
        """Whether it was answered."""
        return self.closed and self.bits >> 48 & 3 != 0


def facts_of(
    subject: str, day: datetime, count: int, directory: Directory, view: ReportView, *, seed: int
) -> Iterator[Fact]:
    """Yield the facts of one subject and UTC day, not sorted by time, and always the same.

    Four events in a row belong to the same contact, conversation or task, and have the same inbox and agent.
    """
    draw = Random(f"{seed}:{subject}:{day:%Y-%m-%d}")  # noqa: S311  # a repeatable draw is the point
    each = _EVENTS_EACH if subject.endswith("_event") else 1
    shared = 0
    for number in range(count):
        bits = draw.getrandbits(64)
        if number % each == 0:
            shared = bits & _OWNER_BITS
        yield Fact(day, number // each, bits & ~_OWNER_BITS | shared, directory, view)
