"""When a sink is tried again, and with what."""

import pytest

from bulkgladly.inbox.sink_progress import Failing
from bulkgladly.sinks.settling import Unsent
from bulkgladly.sinks.sink_schedule import SinkSchedule, retry_wait_s

NEW = Failing(0, 0, 0.0, "")
DAY_S = 86400.0


def waiting(seq: int) -> Unsent:
    return Unsent((seq, seq), seq, f"key {seq}", seq)


def put(schedule: SinkSchedule, seq: int, now: float, known: Failing = NEW, *, give_up_s: float = DAY_S) -> Failing:
    return schedule.put_aside(waiting(seq), known, now, reason="x", give_up_s=give_up_s, retry_after_s=None)


@pytest.mark.parametrize(
    ("failures", "chance", "asked", "wait"),
    [
        (1, 0.0, None, 1.0),
        (1, 1.0, None, 1.0),
        (4, 0.0, None, 4.0),
        (4, 1.0, None, 8.0),
        (500, 1.0, None, 600.0),
        (1, 0.0, 7.0, 7.0),
        (1, 0.0, 1e9, 600.0),
        (1, 0.0, -5.0, 1.0),
        (4, 1.0, 2.0, 8.0),
    ],
)
def test_waits_have_a_floor_and_a_ceiling(failures: int, chance: float, asked: float | None, wait: float) -> None:
    """From 1 s to 10 minutes, whatever the receiver asks for."""
    assert retry_wait_s(failures, lambda: chance, asked) == wait


def test_a_batch_that_fails_is_halved_and_grows_again() -> None:
    """Until one event fails alone: then the next ones are tried one by one until something is taken."""
    schedule = SinkSchedule(lambda: 0.0)
    sizes = [schedule.limit()]
    while schedule.limit() > 1:
        schedule.split(schedule.limit())
        sizes.append(schedule.limit())

    assert sizes == [100, 50, 25, 12, 6, 3, 1]

    schedule.went_wrong(None)
    assert (schedule.is_down, schedule.limit()) == (True, 1)
    schedule.went_well(0.0)
    schedule.went_well(0.0)
    assert (schedule.is_down, schedule.limit()) == (False, 4)


def test_an_event_that_was_put_aside_takes_turns_with_others() -> None:
    """It is due by its own waits, and never twice in a row while others could go."""
    schedule = SinkSchedule(lambda: 0.0)
    put(schedule, 1, 10.0)

    assert schedule.due(10.9) is None
    first = schedule.due(11.0)
    assert first is not None
    assert first.event.seq == 1
    assert schedule.due(11.0) is None
    assert schedule.due(11.0) == first


def test_time_of_failing_adds_up_also_over_restarts() -> None:
    """Only between two attempts of one process, and not all of a time in which it did not run."""
    schedule = SinkSchedule(lambda: 0.0)
    once = put(schedule, 1, 10.0, Failing(1, 7, 100.0, "y"))
    twice = put(schedule, 1, 15.0, once)

    assert (once.attempts, once.failed_s) == (8, 100.0)
    assert (twice.attempts, twice.failed_s) == (9, 105.0)
    stopped = put(schedule, 1, 15.0 + 2 * DAY_S, twice)
    assert stopped.failed_s == 105.0 + 1200.0


def test_the_last_attempt_is_when_the_time_is_over() -> None:
    """Not up to 10 minutes later."""
    schedule = SinkSchedule(lambda: 1.0)
    put(schedule, 1, 0.0, Failing(1, 20, 95.0, ""), give_up_s=100.0)

    assert schedule.next_due() == 5.0


def test_a_sink_that_is_down_is_probed_with_few_events() -> None:
    """After ten, one of them is tried again and again, and no further one fails for it."""
    schedule = SinkSchedule(lambda: 0.0)
    for seq in range(10):
        assert schedule.limit() in (1, 100)
        put(schedule, seq, 0.0)
        schedule.went_wrong(None)

    assert schedule.limit() == 0
    assert schedule.due(0.0) is not None
    assert schedule.due(0.0) is not None


def test_when_a_sink_is_well_again_all_are_due() -> None:
    """They failed because it was down."""
    schedule = SinkSchedule(lambda: 1.0)
    for seq in range(3):
        put(schedule, seq, 0.0, Failing(seq, 12, 0.0, ""))
        schedule.went_wrong(None)
    assert schedule.next_due() == 600.0

    schedule.went_well(7.0)

    assert schedule.next_due() == 7.0
    assert schedule.remove(1)
    assert not schedule.remove(1)
