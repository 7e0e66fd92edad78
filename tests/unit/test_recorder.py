"""What a session keeps of its pace, and how few samples a run of any length has."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.journal.timeline import MOST_SAMPLES, Sample, merged, thinned
from bulkgladly.runs.recorder import Costs, Recorder

INFINITE = float("inf")


class Times:
    """A clock that never jumps, and one of the machine that may."""

    def __init__(self) -> None:
        self.now, self.ahead = 100.0, 1_000_000.0

    def clock(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.ahead


def recorder(times: Times, *, session: int = 1, counts: dict[str, int] | None = None) -> Recorder:
    return Recorder(session, counts or {}, clock=times.clock, wall=times.wall)


def costs(requests: int, throttled: int = 0, waits: dict[str, float] | None = None, rate: float = 9.0) -> Costs:
    return Costs(requests, throttled, waits or {}, rate)


def test_a_short_session_has_a_sample_for_each_second() -> None:
    """And the last moment, whose rate would be chance, belongs to the last of them."""
    times, found = Times(), []
    one = recorder(times)
    for second in range(1, 6):
        times.now += 1.0
        found += one.look(costs(second * 8), {"created": second * 7, "rejected": second})
    times.now += 0.03
    one.look(costs(41), {"created": 36, "rejected": 5})
    found += one.unwritten()

    kept = list({each.nth: each for each in found}.values())
    assert [round(each.seconds, 2) for each in kept] == [1.0, 1.0, 1.0, 1.0, 1.03]
    assert [each.requests for each in kept] == [8, 8, 8, 8, 9]
    assert kept[0].counts == {"created": 7, "rejected": 1}
    assert kept[0].allowed == 9.0
    assert [each.at for each in kept] == [1_000_100.0 + second for second in range(5)]


def test_what_earlier_sessions_did_is_not_counted_again() -> None:
    """A resume begins with the outcomes of all sessions before it."""
    times = Times()
    one = recorder(times, session=3, counts={"created": 500})
    times.now += 1.0
    one.look(costs(4), {"created": 504})

    (sample,) = one.unwritten()
    assert (sample.session, sample.counts) == (3, {"created": 4})


def test_a_pause_counts_where_it_passes() -> None:
    """It is known as a whole when it begins: five minutes of Retry-After are not five minutes of the first second."""
    times, waited = Times(), []
    one = recorder(times)
    for _ in range(5):
        times.now += 1.0
        one.look(costs(1, 1, {"throttled (429)": 3.5}), {})
        waited.append(one.unwritten()[-1].waits.get("throttled (429)", 0.0))

    assert waited == [1.0, 1.0, 1.0, 0.5, 0.0]


def test_a_pace_without_a_limit_has_no_budget() -> None:
    """Nothing could be drawn for it."""
    times = Times()
    one = recorder(times)
    times.now += 1.0
    one.look(costs(400, rate=INFINITE), {})

    assert one.unwritten()[0].allowed is None


@pytest.mark.parametrize("jump", [-3600.0, 7200.0], ids=["set back", "slept"])
def test_a_clock_that_jumps_begins_a_sample(jump: float) -> None:
    """Each says when it began by the machine's clock, and how long it was by one that never jumps."""
    times = Times()
    one = recorder(times)
    times.now += 1.0
    one.look(costs(5), {})
    times.ahead += jump
    times.now += 1.0
    one.look(costs(9), {})

    before, after = one.unwritten()
    assert (before.at, after.at) == (1_000_100.0, 1_000_101.0 + jump)
    assert [before.seconds, after.seconds] == [1.0, 1.0]


def test_samples_are_written_soon_and_then_rarely() -> None:
    """A session that is killed after seconds has left some; one of hours writes each ten seconds."""
    times, written = Times(), []
    one = recorder(times)
    for second in range(1, 301):
        times.now += 1.0
        if one.look(costs(second), {}):
            written.append(second)

    assert written[0] == 3
    assert len([each for each in written if each > 60]) == 24


def in_a_row(number: int, *, sessions: int = 1, seconds: float = 10.0) -> list[Sample]:
    """Samples of sessions with a pause between them."""

    def all_of_them() -> Iterator[Sample]:
        at = 1_000_000.0
        for nth in range(number):
            session = 1 + nth * sessions // number
            at += 3600.0 if session != 1 + (nth - 1) * sessions // number else 0.0
            waits, counts = {"outage: x": 0.5}, {"created": 7, "rejected": nth % 2}
            yield Sample(nth, session, at, seconds, 80, nth % 3, 9.0 + nth % 5, 90.0, waits, counts)
            at += seconds

    return list(all_of_them())


@settings(deadline=None, max_examples=50)
@given(number=st.integers(1, 1500), sessions=st.integers(1, 900), most=st.integers(2, 700), short=st.booleans())
def test_thinning_keeps_sums_and_maxima(number: int, sessions: int, most: int, short: bool) -> None:
    """Whatever the length and the number of sessions: at most so many samples, in order, and none of it lost."""
    samples = in_a_row(number, sessions=min(sessions, number), seconds=0.4 if short else 10.0)

    kept = thinned(samples, most)

    assert len(kept) <= most
    assert kept[-1] == samples[-1]
    whole, left = merged(samples), merged(kept)
    assert left.counts == whole.counts
    assert (left.requests, left.throttled, left.peak) == (whole.requests, whole.throttled, whole.peak)
    assert left.seconds == pytest.approx(whole.seconds)
    assert left.allowed == pytest.approx(whole.allowed)
    assert left.waits == pytest.approx(whole.waits)
    assert [each.at for each in kept] == sorted(each.at for each in kept)


def test_sessions_stay_apart_as_long_as_there_is_room() -> None:
    """Their stops are what a reader looks for."""
    kept = thinned(in_a_row(5 * MOST_SAMPLES, sessions=5), 300)

    assert len(kept) > 100
    assert {each.session for each in kept} == {1, 2, 3, 4, 5}
    first, second = ([each for each in kept if each.session == number] for number in (1, 2))
    assert second[0].at - first[-1].until == pytest.approx(3600.0)
