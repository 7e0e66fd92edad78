"""What happened in an organisation, day by day: an invented history that people could have lived through.

Pure: the same seed, days and people give the same history. Agents differ in speed, channels in patience,
weekdays in load, and some customers come back. Times are in UTC.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from bulkgladly.emulator.organisation.identifiers import derived_id

__all__ = ("SLA_S", "HistoryPlan", "Message", "PlannedTask", "Shift", "Story", "Survey", "planned_history")

SLA_S: Mapping[str, float] = {"CHAT": 60, "EMAIL": 14_400, "PHONE_CALL": 40, "SMS": 900, "WHATSAPP": 900}
"""Within how many seconds an agent has to accept a contact, by its channel."""

_SHARES = {"CHAT": 30, "EMAIL": 34, "PHONE_CALL": 20, "SMS": 10, "WHATSAPP": 6}
_ACCEPT_S = {"CHAT": 30.0, "EMAIL": 7200.0, "PHONE_CALL": 18.0, "SMS": 420.0, "WHATSAPP": 480.0}
_WRITE_S = {"CHAT": 25.0, "EMAIL": 300.0, "PHONE_CALL": 0.0, "SMS": 70.0, "WHATSAPP": 70.0}
_REPLY_S = {"CHAT": 45.0, "EMAIL": 9000.0, "PHONE_CALL": 0.0, "SMS": 300.0, "WHATSAPP": 240.0}
_CALL_S = 260.0
_OPENS, _CLOSES = 8, 20
_BUSY_DAY, _QUIET_DAY = 34, 12


@dataclass(frozen=True, slots=True)
class Message:
    """One message: who wrote it (`CUSTOMER` or `AGENT`), and when."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Survey:
    """How a customer rated a conversation, from 1 to 5."""

    at: datetime
    score: int


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task that came out of a conversation. `closed` is None while it is open."""

    id: str
    created: datetime
    due: datetime
    closed: datetime | None


@dataclass(frozen=True, slots=True)
class Story:
    """One conversation with its only contact. What has not happened yet is None, or missing from `messages`.

    `accepted` is when an agent took the contact (on the phone: answered it), `ended` when the contact was over,
    `closed` when the conversation was closed. Durations are in seconds.
    """

    id: str
    customer_id: str
    channel: str
    inbox_id: str
    agent_id: str
    topic_id: str
    started: datetime
    accepted: datetime | None
    ended: datetime | None
    closed: datetime | None
    messages: tuple[Message, ...]
    handle_s: float
    after_s: float
    note_at: datetime | None = None
    survey: Survey | None = None
    task: PlannedTask | None = None

    @property
    def first_response_s(self) -> float | None:
        """The time until an agent replied or answered the call, or None if nobody has."""
        if self.channel == "PHONE_CALL":
            replied = self.accepted
        else:
            replied = next((message.at for message in self.messages if message.by == "AGENT"), None)
        return None if replied is None else (replied - self.started).total_seconds()

    @property
    def is_within_sla(self) -> bool | None:
        """Whether an agent accepted the contact in time, or None if nobody has accepted it."""
        if self.accepted is None:
            return None
        return (self.accepted - self.started).total_seconds() <= SLA_S[self.channel]

    def until(self, now: datetime) -> "Story":
        """Return what has happened of it by `now`."""

        def past(moment: datetime | None) -> datetime | None:
            return moment if moment is not None and moment <= now else None

        task = self.task if self.task is not None and self.task.created <= now else None
        return replace(
            self,
            accepted=past(self.accepted),
            ended=past(self.ended),
            closed=past(self.closed),
            messages=tuple(message for message in self.messages if message.at <= now),
            note_at=past(self.note_at),
            survey=self.survey if self.survey is not None and self.survey.at <= now else None,
            task=None if task is None else replace(task, closed=past(task.closed)),
        )


@dataclass(frozen=True, slots=True)
class Shift:
    """One agent's day at work, with one break."""

    agent_id: str
    begin: datetime
    away: datetime
    back: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """Who and what there is: ids of customers, of agents by inbox, and of topics by inbox."""

    seed: int
    customers: Sequence[str]
    agents: Mapping[str, Sequence[str]]
    topics: Mapping[str, Sequence[str]]

    @property
    def all_agents(self) -> list[str]:
        """Every agent once."""
        return list(dict.fromkeys(agent for each in self.agents.values() for agent in each))


def planned_history(plan: HistoryPlan, days: int, now: datetime) -> tuple[list[Story], list[Shift]]:
    """Return what happened in the days before `now` and until then, stories by their start."""
    stories: list[Story] = []
    shifts: list[Shift] = []
    for back in range(days, -1, -1):
        day = now.date() - timedelta(days=back)
        on_duty = list(_shifts(plan, day))
        shifts += on_duty
        stories += _stories_of(plan, day, on_duty)
    begun = sorted((story for story in stories if story.started <= now), key=lambda story: story.started)
    return [story.until(now) for story in _with_clear_surveys(begun)], [s for s in shifts if s.begin <= now]


def _shifts(plan: HistoryPlan, day: date) -> Iterator[Shift]:
    agents = plan.all_agents
    for number, agent_id in enumerate(agents):
        # On weekends half of them work, and so that the two halves cover the day.
        if day.weekday() >= 5 and (number + day.toordinal()) % 2:
            continue
        draw = Random(f"{plan.seed}:shift:{day}:{agent_id}")  # noqa: S311  # a repeatable draw is the point
        first = _OPENS + (_CLOSES - _OPENS - 8) * number / max(1, len(agents) - 1)
        begin = _moment(day, first * 3600 + draw.uniform(-300, 300))
        away = begin + timedelta(hours=4, seconds=round(draw.uniform(-900, 900)))
        back = away + timedelta(minutes=40, seconds=round(draw.uniform(-300, 300)))
        yield Shift(agent_id, begin, away, back, begin + timedelta(hours=8, seconds=round(draw.uniform(0, 900))))


def _stories_of(plan: HistoryPlan, day: date, on_duty: Sequence[Shift]) -> Iterator[Story]:
    draw = Random(f"{plan.seed}:history:{day}")  # noqa: S311  # a repeatable draw is the point
    count = round((_QUIET_DAY if day.weekday() >= 5 else _BUSY_DAY) * draw.uniform(0.85, 1.15))
    for number in range(count):
        story = _story(plan, draw, f"{plan.seed}:{day}:{number}", day, on_duty)
        yield story
        if draw.random() < 0.14 and story.closed is not None:
            again = story.closed + timedelta(hours=draw.uniform(20, 110))
            moment = again.replace(hour=draw.randrange(_OPENS + 1, _CLOSES - 1))
            later = _story(plan, draw, f"{plan.seed}:{day}:{number}:again", moment.date(), on_duty, after=story)
            yield later


def _story(
    plan: HistoryPlan, draw: Random, key: str, day: date, on_duty: Sequence[Shift], *, after: Story | None = None
) -> Story:
    channel = draw.choices(list(_SHARES), list(_SHARES.values()))[0]
    started = _moment(day, draw.triangular(_OPENS * 3600 + 900, _CLOSES * 3600 - 1800, 11 * 3600))
    inboxes = [inbox for inbox, topics in plan.topics.items() if topics and plan.agents.get(inbox)]
    inbox_id = draw.choices(inboxes, range(len(inboxes), 0, -1))[0]
    topic_id = draw.choice(plan.topics[inbox_id])
    # A few customers have many questions.
    customer_id = plan.customers[int(len(plan.customers) * draw.random() ** 2.2)]
    if after is not None:
        customer_id, inbox_id, topic_id = after.customer_id, after.inbox_id, after.topic_id
    agent_id = draw.choice(_free(plan, inbox_id, started, on_duty))
    speed = 0.55 * 1.42 ** plan.all_agents.index(agent_id)
    story = Story(
        derived_id(f"{key}:conversation"),
        customer_id,
        channel,
        inbox_id,
        agent_id,
        topic_id,
        started,
        *(None, None, None, (), 0.0, 0.0),
    )
    talk = _call if channel == "PHONE_CALL" else _talk
    return _followed_up(draw, key, talk(draw, story, speed))


def _free(plan: HistoryPlan, inbox_id: str, moment: datetime, on_duty: Sequence[Shift]) -> Sequence[str]:
    """Return the agents of an inbox who are at work, or all of them if nobody is."""
    at_work = {s.agent_id for s in on_duty if s.begin <= moment < s.end and not s.away <= moment < s.back}
    return [agent for agent in plan.agents[inbox_id] if agent in at_work] or plan.agents[inbox_id]


def _call(draw: Random, story: Story, speed: float) -> Story:
    wait = _spread(draw, _ACCEPT_S["PHONE_CALL"] * (0.6 + 0.4 * speed))
    if wait > 75:  # the caller hangs up
        return replace(story, ended=story.started + _seconds(75))
    accepted = story.started + _seconds(wait)
    length = _spread(draw, _CALL_S * speed)
    ended = accepted + _seconds(length)
    closed = ended + _seconds(draw.uniform(20, 120))
    after = (closed - ended).total_seconds()
    return replace(story, accepted=accepted, ended=ended, closed=closed, handle_s=_whole(length), after_s=after)


def _talk(draw: Random, story: Story, speed: float) -> Story:
    channel = story.channel
    accepted = _at_work(story.started + _seconds(_spread(draw, _ACCEPT_S[channel] * speed)), channel)
    if draw.random() < 0.03:  # nobody has taken it
        return replace(story, messages=(Message(story.started, "CUSTOMER"),))
    messages = [Message(story.started, "CUSTOMER")]
    moment, handled = accepted, 0.0
    for turn in range(draw.randrange(1, 4)):
        if turn:
            asked = messages[-1].at + _seconds(_spread(draw, _REPLY_S[channel]))
            messages.append(Message(asked, "CUSTOMER"))
            moment = _at_work(asked + _seconds(_spread(draw, _WRITE_S[channel] * speed)), channel)
        writing = _spread(draw, _WRITE_S[channel] * speed)
        handled += writing
        messages.append(Message(moment + _seconds(writing), "AGENT"))
    ended = messages[-1].at + _seconds(draw.uniform(5, 40))
    after = draw.uniform(15, 90)
    is_solved = draw.random() < 0.92
    return replace(
        story,
        accepted=accepted,
        ended=ended if is_solved else None,
        closed=ended + _seconds(after) if is_solved else None,
        messages=tuple(messages),
        handle_s=_whole((ended - accepted).total_seconds() if channel == "CHAT" else handled),
        after_s=_whole(after) if is_solved else 0.0,
    )


def _followed_up(draw: Random, key: str, story: Story) -> Story:
    """Return the story with a note, a task and a survey, in some cases."""
    if story.accepted is None or story.closed is None:
        return story
    note_at = story.accepted + _seconds(draw.uniform(5, 15)) if draw.random() < 0.3 else None
    task = None
    if draw.random() < 0.2:
        created = story.closed - _seconds(draw.uniform(1, 10))
        due = _moment(story.closed.date() + timedelta(days=draw.randrange(1, 4)), 17 * 3600)
        hours = draw.choices((draw.uniform(2, 20), draw.uniform(40, 100), None), (6, 2, 2))[0]
        closed = None if hours is None else created + timedelta(seconds=round(hours * 3600))
        task = PlannedTask(derived_id(f"{key}:task"), created, due, closed)
    survey = None
    if draw.random() < 0.4:
        waited = (story.first_response_s or 0.0) / SLA_S[story.channel]
        score = 5.6 - 1.4 * min(2.5, waited) + draw.uniform(-2.0, 0.7)
        survey = Survey(story.closed + _seconds(draw.uniform(600, 9000)), max(1, min(5, round(score))))
    return replace(story, note_at=note_at, task=task, survey=survey)


def _with_clear_surveys(stories: Sequence[Story]) -> Iterator[Story]:
    """Yield the stories, without surveys that came after another conversation of the customer was closed."""
    closings: dict[str, list[datetime]] = {}
    for story in stories:
        if story.closed is not None:
            closings.setdefault(story.customer_id, []).append(story.closed)
    for story in stories:
        survey, closed = story.survey, story.closed
        if survey is not None and closed is not None:
            others = [each for each in closings[story.customer_id] if closed < each <= survey.at]
            yield replace(story, survey=None) if others else story
        else:
            yield story


def _moment(day: date, second: float) -> datetime:
    return datetime.combine(day, time(), UTC) + _seconds(second)


def _seconds(count: float) -> timedelta:
    return timedelta(milliseconds=round(count * 1000))


def _whole(count: float) -> float:
    return round(count, 3)


def _spread(draw: Random, median: float) -> float:
    """Return a duration as people take it: some much longer than the median, none below a fifth of it."""
    return max(median / 5, draw.lognormvariate(math.log(median), 0.55)) if median else 0.0


def _at_work(moment: datetime, channel: str) -> datetime:
    """Return when an agent does what is due at a moment: emails wait for the next morning."""
    if channel != "EMAIL" or _OPENS <= moment.hour < _CLOSES:
        return moment
    day = moment.date() + timedelta(days=moment.hour >= _CLOSES)
    return _moment(day, _OPENS * 3600 + 600 + moment.minute * 40 + moment.second)
