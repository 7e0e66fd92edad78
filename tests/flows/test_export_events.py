"""The stream of events: each event once, however windows overlap, and losses are reported."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.emulator import half_body, reset, status
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import Reply, problem
from bulkgladly.exports.event_windows import MARGIN, OVERLAP, SETTLING, Events, plan_of
from bulkgladly.exports.export_context import DOWNLOAD_TRIES
from bulkgladly.exports.unit_kinds import UnitState
from bulkgladly.gladly.objects.events import EVENT_ENTITIES, EVENTS_WINDOW
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.summaries import coverage_of
from bulkgladly.lake.verify import verify
from tests.flows.driving import Driver, Ends, later
from tests.flows.exporting import NIGHT, Lake, as_lines

EDGE = EVENTS_WINDOW - MARGIN
NOW = NIGHT
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def event(number: int, time: dt.datetime, kind: str = "TASK/CREATED") -> dict[str, Any]:
    """An invented event, the same for the same number."""
    return {
        "id": f"event-{number}",
        "type": kind,
        "timestamp": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "initiator": {"id": "agent-1", "type": "AGENT"},
        "content": {"customerId": "c", "taskId": f"t-{number}", "context": {"createdAt": "2026-03-01T00:00:00Z"}},
    }


def happen(lake: Lake, count: int, kind: str = "TASK/CREATED") -> list[str]:
    """Let a number of things happen at this moment, and return the ids of the events."""
    found = [lake.emulator.store.event_log.add(kind, {"customerId": "c", "taskId": "t"}) for _ in range(count)]
    return [one.id for one in found]


def stream(*events: Any) -> Fault:
    """A body of these events."""
    return Fault("answer", reply=Reply(200, as_lines(events), content_type="application/x-jsonlines"))


async def read(lake: Lake, **changes: Any) -> Ends:
    """Read the events once."""
    return await Driver(lake).drive(lambda _: Events(), **changes)


def covered(lake: Lake) -> tuple[tuple[dt.datetime, dt.datetime], ...]:
    return coverage_of(one.covered for one in lake.manifests("events").values() if one.covered).spans


async def test_the_first_reading_takes_what_there_is(make_lake: Callable[..., Any]) -> None:
    """One request for all entities, from just inside the last 24 hours to what has settled."""
    lake = await make_lake(seed_events=500)
    now = later(lake, minutes=1)

    (end,) = await read(lake)

    assert lake.asked() == {"listEvents": 1}
    assert (end.result.state, end.result.created, end.result.unchanged) == (UnitState.DONE, 500, 0)
    expected = {one.id for one in lake.emulator.store.event_log}
    assert set(lake.ids("events")) == expected
    assert covered(lake) == ((now - EDGE, now - SETTLING),)
    assert set(lake.table("events").column("entity").to_pylist()) > {"CONTACT", "TASK"}
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_windows_overlap_and_rows_do_not(lake: Lake) -> None:
    """What stands in two windows, or twice in a body, is one row; the windows join without a gap."""
    begin = lake.wall.now
    first = happen(lake, 3)
    later(lake, seconds=40)
    await read(lake)
    second = happen(lake, 2)
    now = later(lake, seconds=30)

    result = (await read(lake)).only()

    assert (result.state, result.created, result.unchanged) == (UnitState.DONE, 2, 3)
    assert lake.ids("events") == sorted(first + second)
    assert covered(lake) == ((begin + dt.timedelta(seconds=40) - EDGE, now - SETTLING),)


async def test_an_event_that_becomes_visible_late_is_found(make_lake: Callable[..., Any]) -> None:
    """Up to 15 seconds late, in any order: no window ends before its events are visible."""
    lake = await make_lake(events_lag_s=15)
    made: list[str] = []
    for _ in range(40):
        made += happen(lake, 3)
        later(lake, seconds=7)
        await read(lake)
    later(lake, seconds=60)

    await read(lake)

    assert lake.ids("events") == sorted(made)


async def test_events_that_come_twice_in_one_body_are_one_row(lake: Lake) -> None:
    time = lake.wall.now - HOUR
    body = [
        event(1, time),
        event(2, time),
        event(1, time),
        {**event(3, time), "id": None},
        {**event(3, time), "id": None},
    ]
    lake.emulator.faults.script("listEvents", [stream(*body)])

    result = (await read(lake)).only()

    assert (result.created, result.unchanged) == (4, 1)
    assert lake.ids("events") == ["None", "None", "event-1", "event-2"]


async def test_quiet_windows_leave_one_unit_that_grows(lake: Lake) -> None:
    """Nothing new: no part, but the covered time moves on, and the manifests do not pile up."""
    begin = later(lake, minutes=10) - EDGE
    for _ in range(5):
        assert (await read(lake)).only().state is UnitState.UNCHANGED
        later(lake, minutes=10)

    assert len(lake.manifests("events")) == 1
    assert covered(lake) == ((begin, lake.wall.now - dt.timedelta(minutes=10) - SETTLING),)
    assert not list(lake.out.rglob("*.parquet"))
    made = happen(lake, 1)
    later(lake, minutes=1)
    await read(lake)
    later(lake, minutes=10)
    await read(lake)
    later(lake, minutes=10)
    await read(lake)
    assert lake.ids("events") == made
    assert len(lake.manifests("events")) == 3
    assert len(covered(lake)) == 1


async def test_more_than_a_day_off_is_a_gap_that_is_told_once(lake: Lake) -> None:
    """What lies before the edge is lost; the unit begins at the edge, and its manifest says so."""
    happen(lake, 1)
    first = later(lake, minutes=1)
    await read(lake)
    later(lake, days=3)
    kept = happen(lake, 2)
    now = later(lake, minutes=1)

    gap, window = await read(lake)

    assert (gap.result.state, window.result.state) == (UnitState.GONE, UnitState.DONE)
    assert "are lost" in gap.result.detail
    assert "2026-03-20 03:26 to 2026-03-22 03:29" in gap.result.detail
    assert window.result.created == len(kept)
    assert covered(lake)[1] == (now - EDGE, now - SETTLING)
    (about,) = [one.source["gap"] for one in lake.manifests("events").values() if "gap" in one.source]
    assert about == [(first - SETTLING).isoformat(), (now - EDGE).isoformat()]
    later(lake, hours=1)
    assert (await read(lake)).only().state is UnitState.UNCHANGED
    later(lake, hours=1)
    await read(lake)
    assert len([one for one in lake.manifests("events").values() if "gap" in one.source]) == 1


@pytest.mark.parametrize("is_named", [True, False])
async def test_an_entity_that_is_refused_does_not_keep_the_others_away(lake: Lake, is_named: bool) -> None:
    """It is reported, and the rest is read, even if the refusal does not name it."""
    made = happen(lake, 2)
    later(lake, minutes=1)
    detail = "CUSTOMER_PROFILE is no entity" if is_named else "invalid"
    body = orjson.dumps({"errors": [problem("invalid", detail, attr="entities")]})
    refusal = Fault("answer", reply=Reply(400, body))
    alone = [refusal if name == "CUSTOMER_PROFILE" else None for name in EVENT_ENTITIES]
    lake.emulator.faults.script("listEvents", [refusal, *([] if is_named else alone)])

    ends = await read(lake)

    assert ends.only().created == 2
    assert lake.ids("events") == sorted(made)
    assert ends.notes == ["events: Gladly refuses CUSTOMER_PROFILE; the other entities are read without them"]
    (manifest,) = lake.manifests("events").values()
    assert manifest.source["entities"] == [name for name in EVENT_ENTITIES if name != "CUSTOMER_PROFILE"]


async def test_a_clock_that_differs_costs_an_hour_and_not_the_reading(lake: Lake) -> None:
    """Where Gladly finds the beginning too early, it is asked again from 23 hours before on."""
    made = happen(lake, 1)
    now = later(lake, minutes=1)
    lake.wall.now += 10 * dt.timedelta(minutes=1)
    driver = Driver(lake)
    driver.now = now

    ends = await driver.drive(lambda _: Events())

    assert ends.only().created == 1
    assert lake.ids("events") == made
    assert "too early" in ends.notes[0]


async def test_a_beginning_that_is_always_too_early_fails_the_unit(lake: Lake) -> None:
    """It is moved once; then each entity is tried alone, and that is all."""
    driver = Driver(lake)
    driver.now = lake.wall.now - DAY

    ends = await driver.drive(lambda _: Events())

    assert ends.only().state is UnitState.FAILED
    assert lake.asked() == {"listEvents": 2 + len(EVENT_ENTITIES)}


async def test_a_refusal_without_a_reason_fails_the_unit(lake: Lake) -> None:
    """All entities refused alone: nothing is published, nothing counts as covered."""
    lake.emulator.faults.script("listEvents", [status(400)] * 9)

    result = (await read(lake)).only()

    assert result.state is UnitState.FAILED
    assert "400" in result.detail
    assert not lake.manifests("events")


@pytest.mark.parametrize("fault", [half_body, reset], ids=lambda fault: fault.__name__)
async def test_a_body_that_breaks_off_is_read_again_from_its_beginning(lake: Lake, fault: Callable[[], Fault]) -> None:
    """No event is lost for having been seen in the broken body."""
    made = happen(lake, 600)
    later(lake, minutes=1)
    lake.emulator.faults.script("listEvents", [fault()])

    result = (await read(lake)).only()

    assert (result.created, result.unchanged) == (600, 0)
    assert lake.ids("events") == sorted(made)


async def test_a_window_that_cannot_be_read_is_read_the_next_time(lake: Lake) -> None:
    """What failed is not covered, so nothing is lost within 24 hours."""
    made = happen(lake, 3)
    later(lake, minutes=1)
    lake.emulator.faults.script("listEvents", [half_body()] * DOWNLOAD_TRIES)

    failed = (await read(lake)).only()
    later(lake, hours=20)
    result = (await read(lake)).only()

    assert failed.state is UnitState.FAILED
    assert result.created == 3
    assert lake.ids("events") == sorted(made)


async def test_lines_that_are_no_events_are_rejects(lake: Lake) -> None:
    """They are counted and kept, and a window of which nothing else is new stays a unit of its own."""
    known = as_lines([event(1, lake.wall.now - HOUR)])
    lake.emulator.faults.script(
        "listEvents", [Fault("answer", reply=Reply(200, known + line)) for line in (b"oops\n", b"x\n")]
    )

    result = (await read(lake)).only()
    later(lake, minutes=5)
    only_rejects = (await read(lake)).only()

    assert (result.created, result.rejected) == (1, 1)
    assert (only_rejects.state, only_rejects.created, only_rejects.rejected) == (UnitState.DONE, 0, 1)
    assert [one["raw"] for one in lake.rejects("events")] == ["oops", "x"]


@pytest.mark.parametrize(
    "body", [b"x\n", b"<html>\n</html>", b'{"errors":[{"code":"invalid"}]}\n', b'{"id":7}\n', b"[]"]
)
async def test_no_window_counts_as_read_for_an_answer_without_events(lake: Lake, body: bytes) -> None:
    """What is not the stream is asked for again; covered by it, the window would be lost after 24 hours."""
    made = happen(lake, 3)
    later(lake, minutes=1)
    page = Fault("answer", executes=False, reply=Reply(200, body))
    lake.emulator.faults.script("listEvents", [page])
    once = (await read(lake)).only()
    lake.emulator.faults.after("listEvents", 0, page)
    later(lake, minutes=5)

    always = (await read(lake)).only()

    assert (once.state, once.created, once.rejected) == (UnitState.DONE, 3, 0)
    assert always.state is UnitState.FAILED
    assert "not the file" in always.detail
    assert lake.ids("events") == sorted(made)
    assert not lake.rejects("events")


async def test_since_and_until_narrow_the_window(lake: Lake) -> None:
    now = lake.wall.now

    await read(lake, since=now - 2 * HOUR, until=now - HOUR)

    assert covered(lake) == ((now - 2 * HOUR, now - HOUR),)


async def test_a_period_outside_of_the_last_day_asks_nothing(lake: Lake) -> None:
    now = lake.wall.now

    ends = await read(lake, since=now - 5 * DAY, until=now - 3 * DAY)

    assert not list(ends)
    assert not lake.asked()


moments = st.integers(-4000, 200).map(lambda minutes: NOW + dt.timedelta(minutes=minutes))


@given(st.lists(st.tuples(moments, moments), max_size=4), st.none() | moments)
def test_no_plan_leaves_out_what_can_still_be_had(
    spans: Sequence[tuple[dt.datetime, dt.datetime]], latest: dt.datetime | None
) -> None:
    """After the reading everything between the end of the past coverage and now is covered, or told as lost."""
    spans = [span for span in spans if span[0] < span[1]]
    until = coverage_of(spans).until

    plan = plan_of(spans, latest, NOW)

    lost = [plan.gap] if plan.gap else []
    after = coverage_of([*spans, *lost, *([plan.window] if plan.window else [])])
    if until is None or until < NOW - SETTLING:
        assert plan.window is not None
        assert plan.window[1] == NOW - SETTLING
        assert plan.window[0] >= NOW - EDGE
        assert after.spans[-1][0] <= (until or NOW - EDGE)
        if until is not None:
            assert plan.window[0] <= max((latest or until) - OVERLAP, NOW - EDGE)
    assert (plan.gap is not None) == (until is not None and until < NOW - EDGE)
