"""Invented facts that happened, which the reports tell of.

A fact is a number of one day with 64 drawn bits; everything that is told of it comes from those
bits, so it reads the same in every report and under every filter.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from typing import NamedTuple

from bulkgladly.emulator.options import TimeForm
from bulkgladly.emulator.organisation.store import Entity, Store

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
"""What a cell says for each channel of the filter; how Gladly spells it there is known for contacts only."""

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
    """Who and what the reports speak of: the directory at one moment."""

    agents: Sequence[Entity]
    inboxes: Sequence[Entity]
    topics: Sequence[Entity]
    parents: Mapping[str, Entity]
    """The topic above, by topic id."""
    teams: Mapping[str, Sequence[Entity]]
    """By agent id."""
    customers: int


def directory_of(store: Store, customers: int) -> Directory:
    """The directory as it is now; `customers` is the number of invented ones that rows may name."""
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
    """A moment as a cell shows it: milliseconds, `Z` in UTC."""
    local = moment.astimezone(UTC if form == "utc" else zone)
    text = local.isoformat(timespec="milliseconds")
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


class ReportView(NamedTuple):
    """How a report looks at facts."""

    zone: tzinfo
    zone_name: str
    form: TimeForm
    phone: str = ""


class Fact:
    """One invented fact of one UTC day, seen in the time zone of a report.

    `owner` numbers the contact, conversation or task that it is or belongs to.
    """

    __slots__ = ("_day", "_directory", "_owner", "_place", "bits", "moment", "view")

    def __init__(self, day: datetime, owner: int, bits: int, directory: Directory, view: ReportView) -> None:
        self._day, self._owner, self._directory = day, owner, directory
        self.view = view
        self.bits = bits
        self._place = bits & _OWNER_BITS
        self.moment = day + timedelta(milliseconds=(bits >> 32) % 86_400_000)

    def pick(self, choices: Sequence[str], shift: int) -> str:
        """One of the choices, decided by the bits from `shift` on."""
        return choices[(self.bits >> shift) % len(choices)]

    def seconds(self, most: int, shift: int) -> float:
        """A duration of up to so many seconds, with a fraction."""
        return (self.bits >> shift) % (most * 10) / 10

    def write(self, moment: datetime) -> str:
        """The moment as a cell shows it."""
        return moment_text(moment, self.view.zone, self.view.form)

    def after(self, seconds: float) -> str:
        """The moment so many seconds after the fact's own, as a cell shows it."""
        return self.write(self.moment + timedelta(seconds=seconds))

    def named(self, kind: str) -> str:
        """The id of what it is or belongs to."""
        return f"{kind}-{self._day:%Y%m%d}-{self._owner:05}"

    @property
    def date(self) -> str:
        """Its day in the report's time zone."""
        return f"{self.moment.astimezone(self.view.zone):%Y-%m-%d}"

    @property
    def agent(self) -> Entity:
        """Whose it is."""
        return self._directory.agents[self._place % len(self._directory.agents)]

    @property
    def inbox(self) -> Entity:
        """Where it lies."""
        return self._directory.inboxes[(self._place >> 8) % len(self._directory.inboxes)]

    @property
    def other_inbox(self) -> Entity:
        """Where it goes."""
        return self._directory.inboxes[(self.bits >> 20) % len(self._directory.inboxes)]

    @property
    def other_agent(self) -> Entity:
        """Who gets it."""
        return self._directory.agents[(self.bits >> 22) % len(self._directory.agents)]

    @property
    def teams(self) -> Sequence[Entity]:
        """The teams of its agent."""
        return self._directory.teams.get(self.agent["id"], ())

    @property
    def channel(self) -> str:
        """How it came, as a cell says it."""
        return _CHANNEL_TEXTS[(self._place >> 16) % len(_CHANNEL_TEXTS)]

    @property
    def topic(self) -> Entity:
        """What it is about."""
        return self._directory.topics[(self.bits >> 26) % len(self._directory.topics)]

    @property
    def topics(self) -> Sequence[Entity]:
        """One or two topics."""
        second = self._directory.topics[(self.bits >> 29) % len(self._directory.topics)]
        return (self.topic,) if second is self.topic else (self.topic, second)

    def path(self, topic: Entity) -> str:
        """A topic with those above it."""
        names = [topic["name"]]
        while (parent := self._directory.parents.get(topic["id"])) is not None and len(names) < _DEEPEST:
            topic = parent
            names.insert(0, topic["name"])
        return " > ".join(names)

    @property
    def customer(self) -> str:
        """Id of the seeded customer whose it is."""
        return f"seeded-{(self._day.toordinal() * 31 + self._owner) % self._directory.customers:07}"

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self.bits >> 12 & 7 != 0

    def event(self, of: str) -> str:
        """What kind of event it is."""
        return self.pick(_EVENTS[of], 40)

    @property
    def initiator(self) -> str:
        """Who began it."""
        return self.pick(_INITIATORS, 44)

    @property
    def answered(self) -> bool:
        """Whether somebody saw to it."""
        return self.closed and self.bits >> 48 & 3 != 0


def facts_of(
    subject: str, day: datetime, count: int, directory: Directory, view: ReportView, *, seed: int
) -> Iterator[Fact]:
    """The facts of one subject and UTC day, in no order of time: the same ones however often they are asked for.

    Four events in a row befall the same fact, and agree on where it lies and whose it is.
    """
    draw = Random(f"{seed}:{subject}:{day:%Y-%m-%d}")  # noqa: S311  # a repeatable draw is the point
    each = _EVENTS_EACH if subject.endswith("_event") else 1
    shared = 0
    for number in range(count):
        bits = draw.getrandbits(64)
        if number % each == 0:
            shared = bits & _OWNER_BITS
        yield Fact(day, number // each, bits & ~_OWNER_BITS | shared, directory, view)
