"""Who is available, who waits and what is due, from events in any order."""

import datetime as dt
import itertools
import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkgladly.emulator.operations.event_types import EVENT_SHAPES
from bulkgladly.live.live_state import LiveBounds, LiveState
from bulkgladly.live.live_view import AgentView, ContactView, LiveView, TaskView
from tests.soaking import few_or_many

NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)
NAMES = {"ada": "Ada Okafor", "first": "Tier 1"}
CUSTOMER, AGENT, RULE = ("c1", "CUSTOMER"), ("ada", "AGENT"), ("rule", "AUTOMATION")
_NUMBERS = itertools.count()


def at(minute: float) -> str:
    """Return the time that is so many minutes before NOW."""
    time = NOW - dt.timedelta(minutes=minute)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(kind: str, minute: float, initiator: tuple[str, str] = CUSTOMER, **content: Any) -> dict[str, Any]:
    """Return an event from so many minutes ago."""
    return {
        "id": f"event-{next(_NUMBERS):06}",
        "type": kind,
        "timestamp": at(minute),
        "initiator": {"id": initiator[0], "type": initiator[1]},
        "content": content,
    }


def contact(
    kind: str, minute: float, initiator: tuple[str, str] = CUSTOMER, *, channel: Any = "CHAT", **more: Any
) -> dict[str, Any]:
    """Return an event of the contact k1, in the inbox `first` unless it says something else."""
    content = {
        "channel": channel,
        "contactId": "k1",
        "conversationId": "v1",
        "customerId": "c1",
        "context": {"assignee": {"inboxId": "first"}},
    }
    return event(f"CONTACT/{kind}", minute, initiator, **{**content, **more})


def status(kind: str, minute: float, **more: Any) -> dict[str, Any]:
    """Return an event of the status of the agent ada."""
    return event(f"AGENT_STATUS/{kind}", minute, AGENT, agentId="ada", occurredAt=at(minute), **more)


def works(minute: float, *kinds: str) -> dict[str, Any]:
    """Return what the agent ada became available for."""
    content = {"agentId": "ada", "occurredAt": at(minute), "availableFor": list(kinds)}
    return event("AGENT_AVAILABILITY/UPDATED", minute, AGENT, **content)


def task(kind: str, minute: float, *, due: float | None = None, task_id: str = "t1", **more: Any) -> dict[str, Any]:
    """Return an event of a task; `due` is the due date in its context, in minutes before NOW."""
    context = {"createdAt": at(600), "assignee": {"inboxId": "first"}, **({} if due is None else {"dueAt": at(due)})}
    return event(f"TASK/{kind}", minute, AGENT, **{"customerId": "c1", "taskId": task_id, "context": context, **more})


def view_after(*events: Mapping[str, Any], now: dt.datetime = NOW) -> LiveView:
    """Return the view after events."""
    state = LiveState(names=NAMES)
    for each in events:
        state.apply(each)
    return state.snapshot(now)


def minutes_ago(moment: dt.datetime | None) -> float | None:
    return None if moment is None else (NOW - moment).total_seconds() / 60


def only_contact(*events: Mapping[str, Any]) -> ContactView:
    (found,) = view_after(*events).contacts
    return found


def only_agent(*events: Mapping[str, Any]) -> AgentView:
    (found,) = view_after(*events).agents
    return found


def only_task(*events: Mapping[str, Any]) -> TaskView:
    (found,) = view_after(*events).tasks
    return found


FRONT = {"activeReason": {"id": "r1", "name": "Front line"}}
IDLE: Mapping[str, Any] = {"availableFor": []}
LUNCH = {"awayReason": {"id": "r2", "name": "Lunch"}}


@pytest.mark.parametrize(
    ("events", "state", "reason", "minute"),
    [
        pytest.param([status("LOGGED_IN", 60, **FRONT)], "active", "Front line", 60, id="availability not known"),
        pytest.param([status("LOGGED_IN", 60, **FRONT), works(50, "VOICE")], "available", "Front line", 50, id="both"),
        pytest.param([works(50, "MAIL")], "available", None, 50, id="a login before the window"),
        pytest.param([status("LOGGED_IN", 60), works(50)], "unavailable", None, 50, id="available for nothing"),
        pytest.param([works(50)], "unavailable", None, 50, id="nothing, and nothing else known"),
        pytest.param([works(50, "MAIL"), status("WENT_AWAY", 40, **LUNCH)], "away", "Lunch", 40, id="away"),
        pytest.param([works(50, "MAIL"), status("WENT_AWAY", 40)], "away", None, 40, id="idle: no reason"),
        pytest.param(
            [works(50, "MAIL"), status("WENT_AWAY", 40), status("RETURNED_FROM_AWAY", 30, awayAt=at(40))],
            *("available", None, 30),
            id="back",
        ),
        pytest.param([works(50, "MAIL"), status("LOGGED_OUT", 40)], "logged_out", None, 40, id="logged out"),
        pytest.param([status("LOGGED_OUT", 40), works(39)], "logged_out", None, 40, id="logging out clears"),
        pytest.param([status("LOGGED_OUT", 40), works(30, "MAIL")], "available", None, 30, id="a login was missed"),
        pytest.param(
            [works(50, "MAIL"), event("AGENT_AVAILABILITY/FOCUS_ENTERED", 20, AGENT, agentId="ada")],
            *("focus", None, 20),
            id="in focus",
        ),
        pytest.param(
            [event("AGENT_AVAILABILITY/FOCUS_EXITED", 20, AGENT, agentId="ada", context={"availableFor": ["MAIL"]})],
            *("available", None, 20),
            id="out of focus, with what it was available for before",
        ),
        pytest.param(
            [works(21, "MAIL"), event("AGENT_AVAILABILITY/FOCUS_EXITED", 20, AGENT, agentId="ada", context=IDLE)],
            *("available", None, 20),
            id="out of focus, in which it was available for nothing",
        ),
        pytest.param(
            [
                event("AGENT_AVAILABILITY/FOCUS_ENTERED", 80, AGENT, agentId="ada"),
                status("LOGGED_IN", 60),
                works(50, "MAIL"),
            ],
            *("available", None, 50),
            id="a focus of an earlier day",
        ),
        pytest.param(
            [event("AGENT_AVAILABILITY/FOCUS_EXITED", 20, AGENT, agentId="ada")], "unknown", None, None, id="unknown"
        ),
        pytest.param(
            [event("AGENT_AVAILABILITY/FOCUS_EXITED", 20, AGENT, agentId="ada", context=IDLE)],
            *("unknown", None, None),
            id="what it was not available for in its focus says nothing",
        ),
    ],
)
def test_an_agents_state_follows_from_status_and_availability(
    events: list[dict[str, Any]], state: str, reason: str | None, minute: float | None
) -> None:
    """State, reason and since when; what no event has told of is unknown."""
    for order in itertools.permutations(events):
        found = only_agent(*order)

        assert (found.state, found.reason, minutes_ago(found.since)) == (state, reason, minute)


def test_what_occurred_counts_by_its_own_time() -> None:
    """`occurredAt` orders what an agent did and says since when, unless it cannot be true."""
    late = {**status("WENT_AWAY", 10), "content": {"agentId": "ada", "occurredAt": at(30)}}
    back = {**status("RETURNED_FROM_AWAY", 12), "content": {"agentId": "ada", "occurredAt": at(12)}}
    lying = {**status("LOGGED_IN", 5), "content": {"agentId": "ada", "occurredAt": at(-500)}}

    assert minutes_ago(only_agent(late).since) == 30
    assert only_agent(back, late).state == "active"
    assert minutes_ago(only_agent(lying).since) == 5


CALL: Mapping[str, Any] = {"channel": "PHONE_CALL"}
TO_ADA: Mapping[str, Any] = {"agentId": "ada"}


@pytest.mark.parametrize(
    ("events", "waiting", "minute", "is_at_least"),
    [
        pytest.param([contact("STARTED", 60)], "yes", 60, False, id="from the start"),
        pytest.param([contact("STARTED", 60), contact("MESSAGE_RECEIVED", 50)], "yes", 60, False, id="asks again"),
        pytest.param([contact("STARTED", 60), contact("MESSAGE_SENT", 50, AGENT)], "no", None, False, id="answered"),
        pytest.param(
            [contact("STARTED", 60), contact("MESSAGE_SENT", 50, AGENT), contact("MESSAGE_RECEIVED", 40)],
            *("yes", 40, False),
            id="asks after the answer",
        ),
        pytest.param(
            [contact("STARTED", 60), contact("MESSAGE_SENT", 59, RULE)], "yes", 60, False, id="a rule is no answer"
        ),
        pytest.param(
            [contact("STARTED", 60), contact("MESSAGE_SENT", 59, ("SIDEKICK_V2", "SYSTEM"))],
            *("no", None, False),
            id="what Gladly's AI sends is one",
        ),
        pytest.param(
            [
                contact("MESSAGE_SENT", 59, ("SIDEKICK_V2", "SYSTEM")),
                contact("TRANSFERRED", 58, RULE, reason="AUTOMATION", assignee={"inboxId": "second"}),
            ],
            *("yes", 58, False),
            id="an automation hands over",
        ),
        pytest.param([contact("STARTED", 60), contact("FULFILLED", 50)], "no", None, False, id="fulfilled"),
        pytest.param([contact("STARTED", 60, AGENT)], "no", None, False, id="an agent began it"),
        pytest.param([contact("STARTED", 60, RULE)], "no", None, False, id="a rule began it"),
        pytest.param(
            [contact("STARTED", 60, RULE), contact("MESSAGE_RECEIVED", 61)],
            "yes",
            61,
            False,
            id="a rule, for a message",
        ),
        pytest.param([contact("MESSAGE_RECEIVED", 40)], "yes", 40, True, id="what came before is not known"),
        pytest.param([contact("OFFERED", 40, **TO_ADA)], "yes", 40, True, id="offered, start not known"),
        pytest.param([contact("OFFER_ACCEPTED", 40, **TO_ADA)], "unknown", None, False, id="accepting is no answer"),
        pytest.param([contact("TRANSFERRED", 40, AGENT)], "unknown", None, False, id="unknown"),
        pytest.param([contact("STARTED", 60, **CALL)], "yes", 60, False, id="a call"),
        pytest.param(
            [contact("STARTED", 60, **CALL), contact("OFFER_ACCEPTED", 59, **CALL, **TO_ADA)],
            *("no", None, False),
            id="a call is answered when it is taken",
        ),
        pytest.param(
            [contact("OFFER_ACCEPTED", 59, **CALL, **TO_ADA), contact("HOLD_STARTED", 50, **CALL)],
            *("yes", 50, False),
            id="on hold",
        ),
        pytest.param(
            [contact("HOLD_STARTED", 50, **CALL), contact("HOLD_ENDED", 45, **CALL)], "no", None, False, id="hold over"
        ),
        pytest.param(
            [contact("OFFER_ACCEPTED", 59, **CALL, **TO_ADA), contact("TRANSFERRED", 50, AGENT, **CALL)],
            *("yes", 50, False),
            id="a call is transferred",
        ),
    ],
)
def test_a_customer_waits_from_asking_to_the_answer(
    events: list[dict[str, Any]], waiting: str, minute: float | None, is_at_least: bool
) -> None:
    """Each kind of contact, whatever order the events come in; what is not known is neither 0 nor answered."""
    for order in itertools.permutations(events):
        found = only_contact(*order)

        assert (found.waiting, minutes_ago(found.waiting_since), found.is_at_least) == (waiting, minute, is_at_least)


def test_a_late_answer_leaves_what_was_asked_after_it() -> None:
    """An answer that comes late ends the wait of what was asked before it, and of nothing else."""
    events = [contact("STARTED", 60), *(contact("MESSAGE_RECEIVED", minute) for minute in (55, 45, 40))]

    found = only_contact(*events, contact("MESSAGE_SENT", 50, AGENT))

    assert minutes_ago(found.waiting_since) == 45


@pytest.mark.parametrize(
    ("kind", "more", "step", "agent_id"),
    [
        ("STARTED", {}, "queued", None),
        ("OFFERED", TO_ADA, "offered", "ada"),
        ("OFFER_REJECTED", {**TO_ADA, "reason": "DECLINED"}, "declined", None),
        ("OFFER_REJECTED", {**TO_ADA, "reason": "MISSED"}, "missed", None),
        ("OFFER_REJECTED", {**TO_ADA, "reason": "DEVICE ERROR"}, "device error", None),
        ("OFFER_REJECTED", TO_ADA, "declined", None),
        ("OFFER_ACCEPTED", TO_ADA, "with agent", "ada"),
        ("JOINED", {"initiator": AGENT}, "with agent", "ada"),
        ("JOINED", {}, None, None),
        ("MESSAGE_SENT", {"initiator": AGENT}, "with agent", "ada"),
        ("MESSAGE_SENT", {"initiator": RULE}, None, None),
        ("HOLD_STARTED", CALL, "on hold", None),
        ("TRANSFERRED", {"assignee": {"inboxId": "second", "agentId": "ben"}}, "transferred", "ben"),
    ],
)
def test_a_contact_is_where_its_newest_event_says(
    kind: str, more: Mapping[str, Any], step: str | None, agent_id: str | None
) -> None:
    """The step in its life, and the agent who has it or is asked to."""
    found = only_contact(contact(kind, 10, **more))

    assert (found.step, found.agent_id) == (step, agent_id)
    assert (found.inbox_id, found.inbox_name) == (
        ("second", None) if kind == "TRANSFERRED" else ("first", NAMES["first"])
    )


def test_a_conversations_new_assignee_moves_its_contact() -> None:
    """Unless the contact itself has told of something newer."""
    moved = event(
        "CONVERSATION_ASSIGNEE/UPDATED", 30, RULE, conversationId="v1", assignee={"inboxId": "second"}, reason="MANUAL"
    )

    assert only_contact(contact("STARTED", 60), moved).inbox_id == "second"
    assert only_contact(moved, contact("MESSAGE_RECEIVED", 20)).inbox_id == "first"


def closed(minute: float, conversation: str = "v1") -> dict[str, Any]:
    return event("CONVERSATION/CLOSED", minute, AGENT, customerId="c1", conversationId=conversation)


def merged(minute: float, *, source: str = "1", target: str = "2") -> dict[str, Any]:
    content = {
        "sourceCustomerId": f"c{source}",
        "destinationCustomerId": f"c{target}",
        "sourceConversationId": f"v{source}",
        "destinationConversationId": f"v{target}",
    }
    return event("CUSTOMER/MERGED", minute, AGENT, **content)


@pytest.mark.parametrize(
    ("events", "is_open"),
    [
        pytest.param([contact("STARTED", 60), contact("ENDED", 50, status="ANSWERED")], False, id="ended"),
        pytest.param([contact("ENDED", 50), contact("MESSAGE_RECEIVED", 55)], False, id="a late event"),
        pytest.param([contact("ENDED", 50), contact("FULFILLED", 49)], False, id="an event just after the end"),
        pytest.param([contact("ENDED", 50), contact("STARTED", 40)], True, id="started again"),
        pytest.param([contact("ENDED", 50), contact("STARTED", 50)], False, id="at the same time"),
        pytest.param([contact("STARTED", 60), closed(50)], False, id="its end was missed, its conversation is closed"),
        pytest.param([contact("STARTED", 60), closed(70)], True, id="closed before"),
        pytest.param([contact("STARTED", 60), closed(50), contact("MESSAGE_SENT", 49.9, AGENT)], False, id="race"),
        pytest.param([contact("STARTED", 60), closed(50), contact("MESSAGE_RECEIVED", 40)], True, id="asks again"),
        pytest.param([closed(50), contact("OFFERED", 40)], True, id="closed before, its start was missed"),
        pytest.param([contact("STARTED", 60), merged(50), closed(40, "v2")], False, id="closed after the merge"),
        pytest.param([contact("STARTED", 60), merged(50), closed(55, "v2")], True, id="closed before the merge"),
    ],
)
def test_a_contact_is_open_until_it_or_its_conversation_ends(events: list[dict[str, Any]], is_open: bool) -> None:
    """And what comes late does not open it again."""
    for order in itertools.permutations(events):
        assert bool(view_after(*order).contacts) == is_open


def test_a_contact_that_starts_again_begins_from_nothing() -> None:
    """Neither its inbox nor its agent nor its wait is that of before it ended."""
    before = [contact("STARTED", 60, dueAt=at(30)), contact("OFFERED", 59, **TO_ADA), contact("ENDED", 50)]
    again = event("CONTACT/STARTED", 40, AGENT, contactId="k1", channel="EMAIL")

    for order in itertools.permutations([*before, again]):
        found = only_contact(*order)

        assert (found.channel, found.inbox_id, found.agent_id, found.step) == ("EMAIL", None, None, "queued")
        assert (found.conversation_id, found.due_at, found.waiting) == (None, None, "no")


def test_two_events_with_one_id_end_in_the_same_whichever_comes_first() -> None:
    """What is not possible happens, and must not make two pages differ."""
    one = {**status("WENT_AWAY", 5, **LUNCH), "id": "e1"}
    other = {**status("WENT_AWAY", 5, awayReason={"id": "r9", "name": "Training"}), "id": "e1"}

    assert view_after(one, other) == view_after(other, one)


def test_a_merged_customer_is_the_one_that_survived() -> None:
    """Merges are followed, also several, and merges in a circle do not hang."""
    chain = [contact("STARTED", 60), merged(50), merged(40, source="2", target="3")]

    found = only_contact(*chain)
    circle = only_contact(*chain, merged(30, source="3", target="1"))

    assert (found.customer_id, found.conversation_id) == ("c3", "v3")
    assert circle.customer_id in ("c1", "c2", "c3")


@pytest.mark.parametrize(
    ("events", "due", "is_open"),
    [
        pytest.param([task("CREATED", 60, due=-30)], -30, True, id="created"),
        pytest.param([task("CREATED", 60)], None, True, id="without a due date"),
        pytest.param([task("COMMENT_ADDED", 60, due=10)], 10, None, id="known from a context alone"),
        pytest.param([task("CREATED", 60, due=-30), task("DUE_DATE_UPDATED", 50, dueAt=at(5))], 5, True, id="moved"),
        pytest.param([task("CREATED", 60, due=-30), task("DUE_DATE_UPDATED", 50, due=-30)], None, True, id="taken off"),
        pytest.param([task("CREATED", 60, due=-30), task("CLOSED", 50, due=-30)], None, False, id="closed"),
        pytest.param(
            [task("CREATED", 60, due=-30), task("CLOSED", 50, due=-30), task("REOPENED", 40, due=-30)],
            *(-30, True),
            id="opened again",
        ),
    ],
)
def test_a_task_is_due_as_its_newest_event_says(
    events: list[dict[str, Any]], due: float | None, is_open: bool | None
) -> None:
    """Closed tasks and tasks without a due date are not listed."""
    for order in itertools.permutations(events):
        found = view_after(*order).tasks

        assert [(minutes_ago(each.due_at), each.is_open) for each in found] == ([(due, is_open)] if due else [])


def test_two_changes_at_once_both_count() -> None:
    """The context of the second event may not have the first change yet."""
    moved = task("DUE_DATE_UPDATED", 50, due=-30, dueAt=at(5))
    given_to_ada = task("ASSIGNEE_UPDATED", 49.99, due=-30, assignee={"inboxId": "first", "agentId": "ada"})
    transferred = contact("TRANSFERRED", 50, assignee={"inboxId": "second"})
    received = contact("MESSAGE_RECEIVED", 49.99)

    assert minutes_ago(only_task(moved, given_to_ada).due_at) == 5
    assert only_contact(transferred, received).inbox_id == "second"
    assert only_contact(transferred, contact("MESSAGE_RECEIVED", 40)).inbox_id == "first"


def test_tasks_are_listed_as_they_are_due() -> None:
    """The longest overdue first, with the agent who has it now."""
    given_to_ada = event(
        "TASK/ASSIGNEE_UPDATED", 9, AGENT, taskId="t2", assignee={"inboxId": "first", "agentId": "ada"}
    )

    view = view_after(task("CREATED", 60, due=-5), task("CREATED", 60, due=50, task_id="t2"), given_to_ada)

    assert [(each.task_id, each.is_overdue, each.agent_name) for each in view.tasks] == [
        ("t2", True, "Ada Okafor"),
        ("t1", False, None),
    ]
    assert (view.totals.tasks_overdue, view.totals.tasks_due, view.totals.tasks_undated) == (1, 1, 0)


def test_open_contacts_are_counted_by_channel_and_inbox() -> None:
    """Those who wait longest first, and of the contacts those in person; where nobody waits, nothing is longest."""
    view = view_after(
        contact("STARTED", 60),
        contact("STARTED", 90, contactId="k2"),
        contact("STARTED", 300, contactId="k3", channel="EMAIL"),
        contact("MESSAGE_SENT", 200, AGENT, contactId="k4", channel="SMS"),
        contact("OFFER_ACCEPTED", 100, contactId="k5", channel="SMS", **TO_ADA),
    )

    assert [(each.channel, each.open, each.waiting, each.unknown) for each in view.queues] == [
        ("EMAIL", 1, 1, 0),
        ("CHAT", 2, 2, 0),
        ("SMS", 2, 0, 1),
    ]
    assert [minutes_ago(each.longest_waiting_since) for each in view.queues] == [300, 90, None]
    assert [each.contact_id for each in view.contacts] == ["k2", "k1", "k3", "k5", "k4"]
    assert (minutes_ago(view.totals.longest_waiting_since), view.totals.longest_channel) == (300, "EMAIL")
    assert (view.totals.contacts, view.totals.waiting, view.totals.waiting_unknown) == (5, 3, 1)


def test_what_nothing_is_known_of_is_not_zero() -> None:
    """A count is there when something of its kind was seen; then 0 is a fact about what was seen."""
    nothing = view_after().totals
    ended = view_after(contact("ENDED", 10), works(10), task("CLOSED", 10)).totals

    assert {nothing.agents, nothing.available, nothing.contacts, nothing.waiting, nothing.tasks_overdue} == {None}
    assert (ended.available, ended.contacts, ended.waiting, ended.tasks_overdue) == (0, 0, 0, 0)


def test_a_reply_is_overdue_only_while_the_customer_waits() -> None:
    """The due time of a contact that was answered says nothing any more."""
    started = contact("STARTED", 60, dueAt=at(20))

    assert only_contact(started).is_overdue
    assert not only_contact(started, contact("MESSAGE_SENT", 50, AGENT)).is_overdue


def test_a_call_without_any_event_for_hours_is_not_listed() -> None:
    """Its end was probably missed. An email may wait for days."""
    view = view_after(contact("STARTED", 60 * 20, **CALL), contact("STARTED", 60 * 20, contactId="k2", channel="EMAIL"))

    assert [each.contact_id for each in view.contacts] == ["k2"]
    assert view.silent == 1


def test_the_view_says_from_when_and_where_events_are_missing() -> None:
    """Without being told, it is the oldest event that came."""
    gaps: list[tuple[dt.datetime, dt.datetime]] = []
    state = LiveState(gaps=gaps)
    state.apply(event("CONVERSATION/TOPIC_ADDED", 70))
    state.apply(event("NEW/KIND", 50))

    assert [minutes_ago(each) for each in (state.snapshot(NOW).known_since, state.snapshot(NOW).last_event_at)] == [
        70,
        50,
    ]
    state.known_since = NOW - dt.timedelta(hours=24)
    gap = (NOW - dt.timedelta(hours=3), NOW - dt.timedelta(hours=2))
    gaps[:] = [(NOW - dt.timedelta(days=9), NOW - dt.timedelta(days=8)), gap]
    assert (state.snapshot(NOW).known_since, state.snapshot(NOW).gaps) == (state.known_since, (gap,))


LIES: list[Any] = [
    None,
    [],
    "text",
    {},
    {"type": "CONTACT/STARTED"},
    {"type": 5, "timestamp": at(1)},
    {"type": "CONTACT/STARTED", "timestamp": "yesterday"},
    {"type": "CONTACT/STARTED", "timestamp": "0001-01-01T00:00:00Z", "content": {"contactId": "k1"}},
    {"type": "CONTACT/STARTED", "timestamp": at(1), "content": []},
    {"type": "CONTACT/STARTED", "timestamp": at(1), "content": {"contactId": ""}},
    {"type": "CONTACT/STARTED", "timestamp": at(1), "content": {"contactId": "k" * 1_000_000}},
    {"type": "TASK/CREATED", "timestamp": at(1), "content": {"taskId": 5}},
    {"type": "AGENT_STATUS/LOGGED_IN", "timestamp": at(1), "content": {}},
    {"type": "AGENT_AVAILABILITY/UPDATED", "timestamp": at(1), "content": {"agentId": "a", "availableFor": "VOICE"}},
    {"type": "CUSTOMER/MERGED", "timestamp": at(1), "content": {"sourceCustomerId": "c1"}},
    {"type": "CONVERSATION/CLOSED", "timestamp": at(1), "content": {"conversationId": None}},
    {"type": "NEW/KIND", "timestamp": at(1), "content": {"contactId": "k1"}},
    {"type": "PING"},
]


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
def test_what_is_not_an_event_changes_nothing(lie: Any) -> None:
    """Nothing is raised, and nothing is shown of it."""
    state = LiveState()

    assert not state.apply(lie)
    view = state.snapshot(NOW)
    assert (view.agents, view.contacts, view.tasks) == ((), (), ())


def test_an_odd_part_does_not_spoil_the_rest() -> None:
    """A contact is shown with what could be read."""
    found = only_contact(contact("STARTED", 60, channel=7, context={"assignee": "x"}, dueAt="soon", customerId=[]))

    assert (found.channel, found.inbox_id, found.due_at, found.customer_id) == (None, None, None, None)
    assert minutes_ago(found.waiting_since) == 60


def test_an_event_from_the_far_future_cannot_hide_all_later_ones() -> None:
    """It is left out if it is known when it came; a clock that is wrong by an hour does no harm."""
    state = LiveState()

    assert not state.apply(status("LOGGED_OUT", -60 * 24 * 365), received_at=NOW)
    assert state.apply(status("LOGGED_IN", -60), received_at=NOW)
    assert state.snapshot(NOW).agents[0].state == "active"
    assert state.snapshot(NOW).as_dict()["agents"][0]["since"] == at(-60)


def test_a_view_is_json_and_its_texts_are_harmless() -> None:
    """Names and reasons may hold anything, also what no JSON can hold."""
    hostile = "\x1b[2J\u202e\ud800\n<img src=x>"
    state = LiveState(names={"ada": hostile})
    state.apply(status("WENT_AWAY", 5, awayReason={"id": "r", "name": hostile}))
    state.apply(contact("STARTED", 60, dueAt=at(20), channel=hostile))

    plain = json.loads(orjson.dumps(state.snapshot(NOW).as_dict()))

    texts = [plain["agents"][0]["name"], plain["agents"][0]["reason"], plain["contacts"][0]["channel"]]
    assert all(text.isprintable() and "<img src=x>" in text for text in texts)
    assert (plain["contacts"][0]["waiting_s"], plain["contacts"][0]["due_in_s"]) == (3600, -1200)
    assert plain["at"] == "2026-11-27T12:00:00.000Z"


def test_memory_is_bounded_and_what_ended_goes_first() -> None:
    """The most that are remembered is stated; what was open and had to go is counted."""
    state = LiveState(bounds=LiveBounds(agents=10, contacts=20, ended=20, closed=20, assignees=20, merges=20, tasks=20))
    for number in range(200):
        state.apply(contact("STARTED", 1000 - number, contactId=f"open{number % 10}", channel="EMAIL"))
        state.apply(contact("ENDED", 1000 - number, contactId=f"k{number}"))
        state.apply(closed(1000 - number, f"v{number}"))
        state.apply(merged(1000 - number, source=f"s{number}"))
        state.apply(task("CLOSED", 1000 - number, task_id=f"t{number}"))
        state.apply({**status("LOGGED_OUT", 1000 - number), "content": {"agentId": f"a{number}"}})
    before = state.snapshot(NOW)
    for number in range(200):
        state.apply(contact("STARTED", 100 - number / 10, contactId=f"k{number}", channel="EMAIL"))

    after = state.snapshot(NOW)
    assert (len(before.contacts), before.forgotten) == (10, 0)
    assert len(before.agents) <= 10
    assert len(after.contacts) <= 20
    assert after.forgotten >= 180


def test_only_so_many_rows_are_listed_but_all_are_counted() -> None:
    """A view has a bounded size, and says what is not in it."""
    state = LiveState()
    for number in range(1000):
        state.apply(contact("STARTED", 60, contactId=f"k{number}", context={"assignee": {"inboxId": f"i{number}"}}))
        state.apply(task("CREATED", 60, due=5, task_id=f"t{number}"))
        state.apply({**status("LOGGED_IN", 60), "content": {"agentId": f"a{number}"}})

    view = state.snapshot(NOW)

    assert [len(each) for each in (view.agents, view.contacts, view.queues, view.tasks)] == [500, 200, 100, 100]
    assert view.left_out == {"agents": 500, "contacts": 800, "queues": 900, "tasks": 900}
    assert (view.totals.agents, view.totals.waiting, view.totals.tasks_overdue) == (1000, 1000, 1000)


THEMES = {
    "agents": [kind for kind in EVENT_SHAPES if kind.startswith("AGENT")],
    "contacts": [kind for kind in EVENT_SHAPES if kind.startswith("CONTACT")],
    "ends": [
        *("CONTACT/STARTED", "CONTACT/MESSAGE_RECEIVED", "CONTACT/MESSAGE_SENT", "CONTACT/ENDED"),
        *("CONVERSATION/CLOSED", "CONVERSATION_ASSIGNEE/UPDATED", "CUSTOMER/MERGED"),
    ],
    "tasks": [kind for kind in EVENT_SHAPES if kind.startswith("TASK")],
    "all": list(EVENT_SHAPES),
}
"""Types of events that are about the same: drawn from all, few would ever meet."""


def _values(name: str) -> st.SearchStrategy[Any]:
    """Return values that a field of an event may have: few, so that events meet, and some that are wrong."""
    few = {
        "availableFor": st.lists(st.sampled_from(["MAIL", "VOICE"]), max_size=1),
        "channel": st.sampled_from(["CHAT", "PHONE_CALL"]),
        "activeReason": st.sampled_from([{"id": "r1", "name": "Front line"}, {"id": "r2"}]),
        "awayReason": st.sampled_from([{"id": "r3", "name": "Lunch"}, None]),
        "reason": st.sampled_from(["MISSED", "AUTOMATION", "MANUAL"]),
        **{name: st.integers(0, 4).map(at) for name in ("occurredAt", "dueAt", "createdAt", "awayAt")},
        **{name: st.just(f"{name}1") for name in ("contactId", "taskId", "agentId", "sourceConversationId")},
        **dict.fromkeys(
            ("conversationId", "destinationConversationId"), st.sampled_from(["v1", "sourceConversationId1"])
        ),
    }
    usual = few.get(name, st.sampled_from([f"{name}1", f"{name}2"]))
    return st.one_of(*[usual] * 9, st.sampled_from([None, 7, ""]))


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw events about one agent, contact or task; several have one time, some also one id."""
    found = []
    kinds = THEMES[draw(st.sampled_from(sorted(THEMES)))]
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(kinds))
        content: dict[str, Any] = {}
        for field in EVENT_SHAPES[kind]:
            if field.required or draw(st.booleans()):
                content[field.name] = draw(_values(field.name))
        if draw(st.booleans()):
            content["context"] = {
                **{name: draw(_values(name)) for name in ("dueAt", "availableFor")},
                "assignee": {name: draw(_values(name)) for name in ("inboxId", "agentId")},
            }
        if kind.endswith(("TRANSFERRED", "ASSIGNEE_UPDATED", "ASSIGNEE/UPDATED")):
            content["assignee"] = {"inboxId": draw(_values("inboxId")), "agentId": draw(_values("agentId"))}
        initiator = draw(st.sampled_from([CUSTOMER, AGENT, RULE]))
        made = event(kind, draw(st.integers(0, 4)), initiator, **content)
        found.append({**made, "id": f"e{draw(st.sampled_from([number, 0]))}"})
    return found


@few_or_many(40, 2000)
def test_order_and_repetition_do_not_matter(examples: int) -> None:
    """Any order of the same events, with any of them repeated, ends in the same view; what came before is no news."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data(), history=histories())
    def check(data: st.DataObject, history: list[dict[str, Any]]) -> None:
        again = data.draw(st.lists(st.sampled_from(history), max_size=6))
        shuffled = data.draw(st.permutations([*history, *again]))
        state = LiveState()
        for each in history:
            state.apply(each)

        assert view_after(*shuffled) == view_after(*history)
        assert not any(state.apply(each) for each in history)

    check()
