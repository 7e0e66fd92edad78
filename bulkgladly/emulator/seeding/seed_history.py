"""One history for an organisation: items, conversations, tasks, events, export jobs and reports agree with it."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.seeding.history_objects import (
    Happening,
    add_objects,
    events_of_shift,
    events_of_story,
    sorted_until,
)
from bulkgladly.emulator.seeding.history_plan import HistoryPlan, Shift, Story, planned_history
from bulkgladly.emulator.seeding.history_reports import told_facts
from bulkgladly.emulator.seeding.seed_organisation import seed_customers

__all__ = ("History", "begin_events", "seed_history")

_CUSTOMERS = 150
_MORE_TOPICS: tuple[Entity, ...] = (
    {"id": "topic-4", "name": "Returns", "disabled": False},
    {"id": "topic-5", "name": "Refunds", "disabled": False, "parentId": "topic-4"},
    {"id": "topic-6", "name": "Sizes", "disabled": False},
)
_TOPICS = {"inbox-1": ("topic-1", "topic-2", "topic-6"), "inbox-2": ("topic-4", "topic-5")}


class History(NamedTuple):
    """What happened until `until`: the stories are the truth that every export of the organisation must tell."""

    stories: tuple[Story, ...]
    shifts: tuple[Shift, ...]
    happenings: tuple[Happening, ...]
    until: datetime


def seed_history(store: Store, days: int, *, seed: int) -> History:
    """Let the last days happen: fill the store, with customers if it has none, and return the history.

    The directory must be there. The same seed and days give the same history.
    """
    if not store.customers:
        seed_customers(store, _CUSTOMERS)
    store.collections["topics"].update({topic["id"]: topic for topic in _MORE_TOPICS})
    now = datetime.fromtimestamp(store.clock.wall(), UTC)
    members = {inbox["id"]: inbox["agentIds"] for inbox in store.collections["inbox_members"].values()}
    plan = HistoryPlan(seed, list(store.customers), members, _TOPICS)
    stories, shifts = planned_history(plan, days, now)
    for story in stories:
        add_objects(store, story)
    events = [each for story in stories for each in events_of_story(story)]
    events += [each for shift in shifts for each in events_of_shift(shift)]
    happenings = sorted_until(events, now)
    store.told = told_facts(stories, shifts, happenings, now)
    return History(tuple(stories), tuple(shifts), tuple(happenings), now)


def begin_events(store: Store, history: History, *, seed: int) -> None:
    """Start the event log of a store with what happened in the last 24 hours.

    Raises:
        ValueError: The log has events already.
    """
    since = history.until - timedelta(days=1)
    recent = (each for each in history.happenings if each.at > since)
    store.event_log.begin_with(
        # Negative numbers, because later events count from 1.
        Event(each.type, each.content, each.initiator, round(each.at.timestamp() * 1000), -number, seed)
        for number, each in enumerate(recent)
    )
