"""Live state in a terminal and as lines."""

import datetime as dt
import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from bulkgladly.cli.live_display import live_table
from bulkgladly.cli.live_words import headline, live_lines
from bulkgladly.live.live_state import LiveState
from bulkgladly.live.live_view import LiveView
from tests.flows.live_scene import NAMES, a_morning, scene_event

NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)


GAP = (NOW - dt.timedelta(hours=3), NOW - dt.timedelta(hours=2))


def morning(*, gaps: Sequence[tuple[dt.datetime, dt.datetime]] = ()) -> LiveState:
    state = LiveState(names=NAMES, gaps=gaps, known_since=NOW - dt.timedelta(hours=5))
    for event in a_morning(NOW):
        state.apply(event)
    return state


def crowded() -> LiveView:
    """A view with more of everything than fits on any screen, and with long texts."""
    names = {f"agent-{number}": f"A very long name of somebody {number}" * 3 for number in range(40)}
    state = LiveState(names=names, gaps=[GAP])
    for number in range(300):
        who = (f"agent-{number % 40}", "AGENT")
        content = {
            "channel": "INSTAGRAM_DIRECT",
            "contactId": f"contact-{number}",
            "customerId": "c" * 60,
            "dueAt": "2026-11-27T11:59:00Z",
            "context": {"assignee": {"inboxId": f"inbox-{number}" * 9}},
        }
        at = NOW - dt.timedelta(hours=number)
        state.apply(scene_event("CONTACT/STARTED", at, ("c", "CUSTOMER"), **content))
        state.apply(scene_event("CONTACT/OFFERED", at, ("s", "SYSTEM"), **content, agentId=who[0]))
        works = ["MAIL", "MESSAGING", "TASK", "VOICE"]
        state.apply(scene_event("AGENT_AVAILABILITY/UPDATED", at, who, agentId=who[0], availableFor=works))
        context = {"dueAt": "2026-11-27T11:00:00Z", "createdAt": "2026-11-26T11:00:00Z"}
        state.apply(scene_event("TASK/COMMENT_ADDED", at, who, taskId=f"{number}" * 30, context=context))
    return state.snapshot(NOW)


def drawn(view: LiveView, *, width: int, height: int | None = None) -> list[str]:
    """Return the lines that a terminal of a width gets."""
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(live_table(view, width=width, height=height))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 80, 119, 120, 140, 300])
@pytest.mark.parametrize("height", [None, 10, 24, 40])
def test_tables_fit_the_terminal(width: int, height: int | None) -> None:
    """No line is wrapped: one row is one line, and none of the screen is lost below its end."""
    for view in (crowded(), morning().snapshot(NOW), LiveState().snapshot(NOW)):
        lines = drawn(view, width=width, height=height)

        assert max(map(len, lines)) <= width
        assert height is None or len(lines) <= height
        assert sum(line.startswith("WAITING") for line in lines) == bool(view.contacts)


def test_a_wide_terminal_shows_more_columns() -> None:
    """A narrow one leaves out what matters least."""
    narrow, wide = (drawn(morning().snapshot(NOW), width=width) for width in (80, 140))

    assert "CUSTOMER" not in "\n".join(narrow)
    assert "CUSTOMER" in "\n".join(wide)
    assert any("Returns and exchanges" in line and "customer-2" in line for line in wide)


def test_what_does_not_fit_is_counted() -> None:
    """With those that the view itself does not list."""
    view = crowded()

    lines = drawn(view, width=80, height=24)

    rows = sum("Instagram" in line and "ago" in line for line in lines)
    assert rows >= 3
    assert f"+ {300 - rows} more" in lines
    assert view.left_out["contacts"] == 100


def test_the_headline_has_no_number_for_what_is_not_known() -> None:
    """And it fits into 80 columns."""
    state = morning()

    assert headline(LiveState().snapshot(NOW)) == "no agent seen, no contact seen"
    told = headline(state.snapshot(NOW))
    assert told == "2 of 4 available, 5 of 5 waiting (2 overdue), longest 4 h 20 min, 1 task overdue"
    assert len(told) <= 80


def test_lines_tell_the_same_without_a_terminal() -> None:
    """A line for each contact that waits, for each agent and each task; the same words as in the tables."""
    lines = list(live_lines(morning().snapshot(NOW)))

    assert lines[3] == "waiting 4 h 20 min, Email, Returns and exchanges, queued, reply due in 45 min"
    assert "waiting 3 min, Phone, Tier 1, offered to Ada Okafor" in lines
    assert "agent Ada Okafor: available, for 3 h 09 min, messaging, voice, Front line" in lines
    assert "queue Phone, Tier 1: 1 open, 1 waiting" in lines
    assert "agent Eva-Maria Hohenstein-Sigmaringen: away, for 41 min, Lunch" in lines
    assert "task task-0: due 2 h 10 min ago, Ben Sørensen, Tier 1" in lines
    assert lines[-1].startswith("from events since ")


def test_text_from_outside_is_neither_obeyed_nor_markup() -> None:
    """Neither escape sequences nor Rich's own tags, in names, reasons and ids."""
    hostile = "[red]x[/red]\x1b[2J\n\u202e[/]"
    state = LiveState(names={"agent-x": hostile})
    away = {"id": "r", "name": hostile}
    state.apply(scene_event("AGENT_STATUS/WENT_AWAY", NOW, ("a", "AGENT"), agentId="agent-x", awayReason=away))
    view = state.snapshot(NOW)

    for lines in (drawn(view, width=140), list(live_lines(view))):
        text = "\n".join(lines)
        assert "[red]x[/red]\\x1b[2J\\n\\u202e" in text
        assert "\x1b" not in text
        assert all(line.isprintable() for line in lines)


def test_gaps_and_what_is_left_out_are_told() -> None:
    """A reader must know what the table cannot show."""
    state = morning(gaps=[GAP])
    call = {"channel": "PHONE_CALL", "contactId": "old"}
    state.apply(scene_event("CONTACT/STARTED", NOW - dt.timedelta(hours=7), ("c", "CUSTOMER"), **call))

    text = "\n".join(live_lines(state.snapshot(NOW)))

    assert "events missing from " in text
    assert "1 silent for long left out" in text
