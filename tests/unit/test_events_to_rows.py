"""Intervals of agents and lives of contacts, from events in any order, with copies and with some missing."""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.builds.agent_intervals import intervals_of, known_order
from bulkgladly.builds.contact_lifecycles import lifecycle_of
from bulkgladly.builds.sorted_rows import SortedRow

READY, LUNCH = {"id": "r", "name": "Ready"}, {"id": "l", "name": "Lunch"}
Told = tuple[int, str, dict[str, Any]]


def intervals(*told: Told, copies: int = 1) -> list[dict[str, Any]]:
    """The intervals of one agent, from times in seconds, types and fields, each event some times."""
    events: list[SortedRow] = []
    for number, (at, kind, more) in [*enumerate(told)] * copies:
        row = {"type": kind, "occurredAt": at * 1_000_000, "awayAt": None, **more}
        events += (SortedRow((when, rank, f"e{number}"), event, 0) for when, rank, event in known_order(row))
    found = [SortedRow(("agent", *row.key), row.row, 0) for row in sorted(events, key=lambda each: each.key)]
    return list(intervals_of(iter(found)))


def states(*told: Told) -> list[tuple[str, float | None]]:
    return [(row["state"], row["seconds"]) for row in intervals(*told)]


LOGGED_IN, LOGGED_OUT = "AGENT_STATUS/LOGGED_IN", "AGENT_STATUS/LOGGED_OUT"
AWAY, BACK = "AGENT_STATUS/WENT_AWAY", "AGENT_STATUS/RETURNED_FROM_AWAY"
UPDATED = "AGENT_AVAILABILITY/UPDATED"
FOCUS, NO_FOCUS = "AGENT_AVAILABILITY/FOCUS_ENTERED", "AGENT_AVAILABILITY/FOCUS_EXITED"


def test_a_day_of_an_agent() -> None:
    """Each state from its event to the next one; the last has no end."""
    found = intervals(
        (0, LOGGED_IN, {"activeReason": READY}),
        (0, UPDATED, {"availableFor": ["VOICE", "MAIL"]}),
        (60, AWAY, {"awayReason": LUNCH}),
        (90, BACK, {"awayAt": 60_000_000, "activeReason": READY, "awayReason": LUNCH}),
        (100, UPDATED, {"availableFor": []}),
        (110, FOCUS, {"context": {"availableFor": []}}),
        (120, NO_FOCUS, {"context": {"availableFor": []}}),
        (130, LOGGED_OUT, {}),
    )

    assert [(row["state"], row["reason"], row["seconds"]) for row in found] == [
        ("available", "Ready", 60.0),
        ("away", "Lunch", 30.0),
        ("available", "Ready", 10.0),
        ("unavailable", "Ready", 10.0),
        ("focus", "Ready", 10.0),
        ("unavailable", "Ready", 10.0),
        ("logged_out", None, None),
    ]
    assert found[0]["available_for"] == ["MAIL", "VOICE"]
    assert found[-1]["available_for"] is None
    assert all(one["to_at"] == other["from_at"] for one, other in itertools.pairwise(found))


def test_what_is_not_known_is_not_invented() -> None:
    """Without a login, availability alone tells; without availability, an agent is only active."""
    assert states((0, UPDATED, {"availableFor": ["MAIL"]}), (9, LOGGED_OUT, {})) == [
        ("available", 9.0),
        ("logged_out", None),
    ]
    assert states((0, LOGGED_IN, {"activeReason": None})) == [("active", None)]
    assert states((0, NO_FOCUS, {"context": None})) == [("unknown", None)]


def test_a_return_tells_of_an_absence_whose_event_is_missing() -> None:
    """It says since when, so the interval before it is not counted as available."""
    told: list[Told] = [
        (0, LOGGED_IN, {"activeReason": READY}),
        (90, BACK, {"awayAt": 60_000_000, "activeReason": READY, "awayReason": LUNCH}),
    ]
    assert states(*told) == [("active", 60.0), ("away", 30.0), ("active", None)]


def test_several_changes_at_one_instant_are_one() -> None:
    """There is no interval without a length; a status that is told again begins no new interval."""
    told: list[Told] = [
        (0, LOGGED_IN, {"activeReason": READY}),
        (5, AWAY, {"awayReason": LUNCH}),
        (5, LOGGED_OUT, {}),
        (7, LOGGED_OUT, {}),
    ]
    assert states(*told) == [("active", 5.0), ("logged_out", None)]


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from([LOGGED_IN, LOGGED_OUT, AWAY, BACK, UPDATED, FOCUS, NO_FOCUS]),
        st.fixed_dictionaries(
            {
                "availableFor": st.sampled_from([None, [], ["MAIL"], ["MAIL", "VOICE"]]),
                "activeReason": st.sampled_from([None, READY]),
                "awayReason": st.sampled_from([None, LUNCH]),
                "awayAt": st.sampled_from([None, 3_000_000, 25_000_000]),
                "context": st.sampled_from([None, {"availableFor": ["MAIL"]}]),
            }
        ),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(told=EVENTS)
def test_intervals_never_overlap_and_leave_no_hole(told: list[Told]) -> None:
    """Each has a length, begins where the one before it ends, and differs from it; copies change nothing."""
    found = intervals(*told)

    assert found == intervals(*told, copies=2)
    assert all(one["to_at"] == other["from_at"] for one, other in itertools.pairwise(found))
    assert all(row["seconds"] > 0 for row in found[:-1])
    assert [row["to_at"] for row in found[-1:]] == [None] * bool(told)
    seen = [(row["state"], row["reason"], row["available_for"]) for row in found]
    assert all(one != other for one, other in itertools.pairwise(seen))


# --- contacts ---


def life(*told: Told) -> dict[str, Any]:
    """The row of a contact, from times in seconds."""
    fields = ("conversationId", "customerId", "channel", "agentId", "assignee", "status", "reason", "context")
    blank = dict.fromkeys((*fields, "initiator"))
    events = [{**blank, "type": f"CONTACT/{kind}", "timestamp": at * 1_000_000, **more} for at, kind, more in told]
    return lifecycle_of("k", events)


def agent(name: str) -> dict[str, Any]:
    return {"agentId": name, "initiator": {"id": name, "type": "AGENT"}}


def test_a_contact_that_was_declined_accepted_put_on_hold_and_ended() -> None:
    """Its offers with their outcomes, and each duration."""
    row = life(
        (0, "STARTED", {"channel": "PHONE_CALL", "context": {"assignee": {"inboxId": "in"}}}),
        (2, "OFFERED", {"agentId": "a"}),
        (5, "OFFER_REJECTED", {"agentId": "a", "reason": "MISSED"}),
        (6, "OFFERED", {"agentId": "b"}),
        (8, "OFFER_ACCEPTED", agent("b")),
        (20, "HOLD_STARTED", {}),
        (25, "HOLD_ENDED", {}),
        (26, "HOLD_STARTED", {}),
        (30, "ENDED", {"status": "ANSWERED", "reason": "AGENT_ENDED"}),
    )

    assert [(each["agent_id"], each["outcome"]) for each in row["offers"]] == [("a", "missed"), ("b", "accepted")]
    assert (row["declined"], row["agent_id"], row["inbox_id"]) == (1, "b", "in")
    assert (row["wait_s"], row["hold_s"], row["total_s"]) == (8.0, 9.0, 30.0)
    assert (row["status"], row["reason"], row["first_reply_s"]) == ("ANSWERED", "AGENT_ENDED", None)


def test_a_contact_whose_start_is_missing_has_no_durations_from_it() -> None:
    """And one that was opened again has no end."""
    late = life((3, "OFFER_ACCEPTED", agent("a")), (9, "ENDED", {"status": "ANSWERED"}))
    again = life((0, "STARTED", {}), (5, "ENDED", {"status": "UNANSWERED"}), (8, "STARTED", {}))

    assert (late["created_at"], late["wait_s"], late["total_s"]) == (None, None, None)
    assert [(each["at"], each["outcome"]) for each in late["offers"]] == [(None, "accepted")]
    assert (again["ended_at"], again["status"], again["total_s"]) == (None, None, None)


@settings(max_examples=40)
@given(
    told=st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from(
                [
                    *("STARTED", "OFFERED", "OFFER_ACCEPTED", "OFFER_REJECTED", "TRANSFERRED", "MESSAGE_SENT"),
                    *("HOLD_STARTED", "HOLD_ENDED", "FULFILLED", "ENDED", "MESSAGE_RECEIVED", "JOINED"),
                ]
            ),
            st.sampled_from([agent("a"), agent("b"), {}]),
        ),
        max_size=14,
    )
)
def test_no_duration_is_negative(told: list[Told]) -> None:
    """Whatever is there of a contact; each offer and each outcome is in `offers` once."""
    row = life(*sorted(told, key=lambda each: each[0]))

    assert all(row[name] is None or row[name] >= 0 for name in ("wait_s", "first_reply_s", "hold_s", "total_s"))
    kinds = [kind for _, kind, _ in told]
    assert sum(each["at"] is not None for each in row["offers"]) == kinds.count("OFFERED")
    outcomes = kinds.count("OFFER_ACCEPTED") + kinds.count("OFFER_REJECTED")
    assert sum(each["outcome"] is not None for each in row["offers"]) == outcomes
