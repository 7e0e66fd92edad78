"""A history as reports tell it: facts by subject, with the ids and times of the objects and events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bulkgladly.emulator.operations.timeline import contact_of
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.organisation.told_facts import KnownValue, ToldFact, ToldFacts
from bulkgladly.emulator.seeding.history_objects import Happening
from bulkgladly.emulator.seeding.history_plan import Shift, Story

__all__ = ("told_facts",)

_REPORT_NAMES = {"CONVERSATION/NOTE_CREATED": "NOTE/CREATED"}
"""Events whose name in reports differs from that in the stream."""

_NEVER = ("ai_session", "payment", "proactive", "ivr")
"""Subjects with ids of contacts that did not happen in the history."""


def told_facts(
    stories: Sequence[Story], shifts: Sequence[Shift], happenings: Sequence[Happening], now: datetime
) -> ToldFacts:
    """Return the facts of a history until `now`."""
    by_id = {story.id: story for story in stories}
    tasks = {story.task.id: story for story in stories if story.task is not None}
    return ToldFacts(
        {
            **dict.fromkeys(_NEVER, ()),
            "conversation": map(_conversation, stories),
            "contact": list(_contacts(stories, shifts, now)),
            "contact_session": [_contact(story, story.ended or story.started) for story in stories],
            "contact_ended": [_contact(story, story.ended) for story in stories if story.ended],
            "task": [_task(story) for story in stories if story.task is not None],
            "contact_event": [_event(each, by_id) for each in happenings if each.type.startswith("CONTACT/")],
            "conversation_event": [_event(each, by_id) for each in happenings if each.type.startswith("CONVERSATION")],
            "task_event": [_task_event(each, tasks) for each in happenings if each.type.startswith("TASK/")],
            "agent_event": [_agent_event(each) for each in happenings if each.type.startswith("AGENT_")],
            "agent_duration": [fact for shift in shifts for fact in _durations(shift, now)],
            "agent_status": [_agent_day(shift, now) for shift in shifts],
        }
    )


def _closed(story: Story) -> datetime | None:
    return story.closed or (story.ended if not story.accepted else None)


def _fact(story: Story, moment: datetime, known: Mapping[str, KnownValue], **more: object) -> ToldFact:
    names = {"conversation": story.id, "contact": contact_of(story.id, story.channel)}
    return ToldFact(
        moment=moment,
        agent_id=story.agent_id if story.accepted else "",
        inbox_id=story.inbox_id,
        channel=story.channel,
        customer_id=story.customer_id,
        topic_ids=(story.topic_id,) if story.accepted else (),
        names=names | ({"task": story.task.id} if story.task else {}),
        known=known,
        **more,  # type: ignore[arg-type]
    )


def _conversation(story: Story) -> ToldFact:
    closed = _closed(story)
    known: dict[str, KnownValue] = {
        "conversation.status": "CLOSED" if closed else "OPEN",
        "conversation.closed": closed,
        "conversation.open_s": None if closed is None else (closed - story.started).total_seconds(),
        "conversation.closings": "1" if closed else "0",
        **dict.fromkeys(("starter.agent.id", "starter.agent.name")),
        "starter.type": "Customer",
        "few": "1",
        "one": "1" if story.accepted else "0",
        "handle_s": story.handle_s if story.ended and story.accepted else None,
    }
    return _fact(story, story.started, known, is_closed=closed is not None)


def _contact(story: Story, moment: datetime) -> ToldFact:
    is_answered = story.accepted is not None and story.ended is not None
    status = "ANSWERED" if is_answered else "ABANDONED" if story.ended else "UNKNOWN"
    accepted, within = story.accepted, story.is_within_sla
    known: dict[str, KnownValue] = {
        "contact.status": status,
        "contact.created": story.started,
        "contact.routed": story.started + timedelta(milliseconds=400),
        "contact.accepted": accepted,
        "contact.ended": story.ended,
        "contact.within_sla": None if within is None else str(within).lower(),
        "handler.id": story.agent_id if accepted else None,
        "handle_s": story.handle_s if is_answered else None,
        "wait_s": (accepted - story.started).total_seconds() if accepted else 0.0,
        "hold_s": 0.0 if story.channel == "PHONE_CALL" else None,
        "after_s": story.after_s if is_answered else None,
        "unknown_s": None,
        "session.id": derived_id(f"{story.id}:session") if story.ended else None,
        "direction": "INBOUND",
        "entry_point": "help@example.org" if story.channel == "EMAIL" else None,
        **dict.fromkeys(("ivr.of_call",)),
        "starter.type": "Customer",
    }
    return _fact(story, moment, known, is_closed=story.ended is not None, is_answered=is_answered)


def _contacts(stories: Sequence[Story], shifts: Sequence[Shift], now: datetime) -> Iterator[ToldFact]:
    """Yield the contacts by their start; the first of an agent's day has the agent's hours, so that sums are right."""
    days = {(shift.agent_id, shift.begin.date()): _agent_day(shift, now).known for shift in shifts}
    for story in stories:
        fact = _contact(story, story.started)
        hours = days.pop((fact.agent_id, story.started.date()), _NO_HOURS)
        yield replace(fact, known={**fact.known, **hours})


_NO_HOURS: Mapping[str, KnownValue] = dict.fromkeys(("logged_s", "away_s", "away_n", "changed_n"), 0.0)


def _task(story: Story) -> ToldFact:
    task = story.task
    assert task is not None  # noqa: S101  # the caller chose stories with a task
    known: dict[str, KnownValue] = {
        "ended": task.due,
        "task.status": "CLOSED" if task.closed else "OPEN",
        "task.closed": task.closed,
        "remark": "Ask whether the parcel arrived.",
    }
    is_closed = task.closed is not None
    return _fact(story, task.created, known, is_closed=is_closed, is_answered=is_closed)


def _event(each: Happening, by_id: Mapping[str, Story]) -> ToldFact:
    story = by_id[each.content["conversationId"]]
    known: dict[str, KnownValue] = {"initiator.id": each.initiator["id"]}
    if each.type.startswith("CONVERSATION_ASSIGNEE"):
        known |= {"event.reason": each.content["reason"]}
    if each.type.startswith("CONTACT/"):
        known |= dict.fromkeys(("ivr.of_call", "contact.fulfilled_by"))
    event = _REPORT_NAMES.get(each.type, each.type)
    return _fact(story, each.at, known, event=event, initiator=each.initiator["type"])


def _task_event(each: Happening, tasks: Mapping[str, Story]) -> ToldFact:
    known: dict[str, KnownValue] = {"initiator.id": each.initiator["id"]}
    story = tasks[each.content["taskId"]]
    return _fact(story, each.at, known, event=each.type, initiator=each.initiator["type"])


def _agent_event(each: Happening) -> ToldFact:
    available = each.content.get("availableFor")
    known: dict[str, KnownValue] = {
        "agent.available_for": None if available is None else f"[{', '.join(available)}]",
        "agent.away_reason": each.content.get("awayReason", {}).get("name"),
        "agent.active_reason": each.content.get("activeReason", {}).get("name"),
    }
    return ToldFact(moment=each.at, agent_id=each.content["agentId"], event=each.type, known=known)


def _durations(shift: Shift, now: datetime) -> Iterator[ToldFact]:
    spans = ((shift.begin, shift.away, "ACTIVE", None), (shift.away, shift.back, "AWAY", "Lunch"))
    for begin, end, state, context in (*spans, (shift.back, shift.end, "ACTIVE", None)):
        if end <= now:
            minutes = (end - begin).total_seconds() / 60
            known: dict[str, KnownValue] = {"ended": end, "agent.state": state, "agent.context": context}
            yield ToldFact(moment=begin, agent_id=shift.agent_id, known=known | {"duration_min": round(minutes, 3)})


def _agent_day(shift: Shift, now: datetime) -> ToldFact:
    """Return a whole day of an agent, as the sums of reports have it."""
    logged = (min(now, shift.end) - shift.begin).total_seconds()
    away = max(0.0, (min(now, shift.back) - shift.away).total_seconds())
    times = 1.0 if away else 0.0
    known: dict[str, KnownValue] = {"logged_s": logged, "away_s": away, "away_n": times, "changed_n": 0.0}
    return ToldFact(moment=shift.begin, agent_id=shift.agent_id, known=known)
