"""The answers to the ten questions of docs/queries.md, from a history itself: no query, no file, no report."""

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bulkgladly.emulator.seeding.history_plan import Story

__all__ = ("ANSWERS", "Row")

Row = tuple[Any, ...]
Truth = Callable[[Sequence[Story], dt.datetime], list[Row]]

NAMES = {f"agent-{n}": f"{first} Agent" for n, first in enumerate(("Ada", "Bela", "Cleo", "Dario", "Edda"), start=1)}
INBOXES = {"inbox-1": "General", "inbox-2": "Returns"}
TOPICS = {
    "topic-1": "Orders",
    "topic-2": "Orders > Late orders",
    "topic-4": "Returns",
    "topic-5": "Returns > Refunds",
    "topic-6": "Sizes",
}


def grouped(pairs: Iterable[tuple[Any, Any]]) -> Mapping[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return dict(sorted(groups.items()))


def is_open(story: Story) -> bool:
    hung_up = story.ended is not None and story.accepted is None
    return story.closed is None and not hung_up


def per_channel_and_day(stories: Sequence[Story], _: dt.datetime) -> list[Row]:
    counts = Counter((story.started.date(), story.channel) for story in stories)
    return [(*key, count) for key, count in sorted(counts.items())]


def first_response(stories: Sequence[Story], _: dt.datetime) -> list[Row]:
    waits = grouped((NAMES[s.agent_id], s.first_response_s) for s in stories if has_replied(s))
    return [(name, len(each), round(statistics.median(each), 1)) for name, each in waits.items()]


def has_replied(story: Story) -> bool:
    """A call is an item only when it is over."""
    return story.first_response_s is not None and (story.channel != "PHONE_CALL" or story.ended is not None)


def handle_time(stories: Sequence[Story], _: dt.datetime) -> list[Row]:
    times = grouped((s.channel, s.handle_s) for s in stories if s.accepted and s.ended)
    return [(channel, len(each), round(statistics.fmean(each), 1)) for channel, each in times.items()]


def satisfaction(stories: Sequence[Story], _: dt.datetime) -> list[Row]:
    scores = grouped((NAMES[s.agent_id], s.survey.score) for s in stories if s.survey)
    return [
        (name, len(each), round(statistics.fmean(each), 2), round(100 * sum(x >= 4 for x in each) / len(each), 1))
        for name, each in scores.items()
    ]


def backlog(stories: Sequence[Story], as_of: dt.datetime) -> list[Row]:
    starts = grouped((INBOXES[s.inbox_id], s.started) for s in stories if is_open(s))
    old = as_of - dt.timedelta(days=3)
    return [(name, len(each), sum(start < old for start in each)) for name, each in starts.items()]


def overdue(stories: Sequence[Story], as_of: dt.datetime) -> list[Row]:
    tasks = [(NAMES[s.agent_id], s.task) for s in stories if s.task]
    late = grouped((name, as_of - t.due) for name, t in tasks if t.closed is None and t.due < as_of)
    return [(name, len(each), int(max(each).total_seconds() // 3600)) for name, each in late.items()]


def busy_vips(stories: Sequence[Story], as_of: dt.datetime) -> list[Row]:
    recent = Counter(s.customer_id for s in stories if s.started >= as_of - dt.timedelta(days=7))
    return [(c, name_of(c), n) for c, n in sorted(recent.items()) if n >= 3 and int(c[-7:]) % 3 == 2]


def name_of(customer_id: str) -> str:
    first = ("Ada", "Bela", "Cleo", "Dario", "Edda", "Finn", "Gwen", "Hugo", "Ines", "Jorin")
    last = ("Sample", "Example", "Mock", "Placeholder", "Trial", "Fixture", "Draft")
    number = int(customer_id[-7:])
    return f"{first[number % 10]} {last[number // 10 % 7]}"


def repeats(stories: Sequence[Story], _: dt.datetime) -> list[Row]:
    before: dict[str, dt.datetime] = {}
    found: list[tuple[str, bool]] = []
    for story in sorted(stories, key=lambda each: each.started):
        last = before.get(story.customer_id)
        found.append((story.channel, last is not None and story.started - last <= dt.timedelta(days=7)))
        before[story.customer_id] = story.started
    return [(c, len(each), round(100 * sum(each) / len(each), 1)) for c, each in grouped(found).items()]


def topic_trends(stories: Sequence[Story], _: dt.datetime) -> list[Row]:
    tagged = [(s.started.date(), TOPICS[s.topic_id]) for s in stories if s.accepted]
    counts = Counter((day - dt.timedelta(days=day.weekday()), path) for day, path in tagged)
    return [(*key, count) for key, count in sorted(counts.items())]


def service_level(stories: Sequence[Story], _: dt.datetime) -> list[Row]:
    judged = grouped((s.channel, s.is_within_sla) for s in stories if s.is_within_sla is not None)
    return [(c, len(each), round(100 * sum(each) / len(each), 1)) for c, each in judged.items()]


ANSWERS: Mapping[int, Truth] = {
    1: per_channel_and_day,
    2: first_response,
    3: handle_time,
    4: satisfaction,
    5: backlog,
    6: overdue,
    7: busy_vips,
    8: repeats,
    9: topic_trends,
    10: service_level,
}
"""By the number of the question."""
