"""The order in which events leave, as tables and as a property."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.sinks.settling import MOST_BYTES, Settling, Unsent, late_ones, sort_time_ms, wait_s


def seqs(events: list[Unsent]) -> list[int]:
    return [one.seq for one in events]


def test_older_events_of_a_key_leave_first() -> None:
    """An event that is due takes older ones with it that arrived later; other keys keep their windows."""
    settling = Settling(20.0)
    settling.add(1, "a", 200, due=20.0)
    settling.add(2, "b", 150, due=25.0)
    settling.add(3, "a", 100, due=30.0)

    assert settling.take(19.9, 100) == []
    assert settling.next_due() == 20.0
    assert seqs(settling.take(20.0, 100)) == [3, 1]
    assert seqs(settling.take(25.0, 100)) == [2]
    assert settling.next_due() is None


def test_without_a_window_events_leave_as_they_came() -> None:
    """Also those about one object, whatever their times."""
    settling = Settling(0.0)
    for seq, time_ms in enumerate([300, 100, 200], start=1):
        settling.add(seq, "a", time_ms, due=0.0)

    assert seqs(settling.take(0.0, 100)) == [1, 2, 3]


def test_a_batch_ends_at_its_limit_and_the_rest_follows() -> None:
    """The one that was due leaves with the next batch, after those that are older."""
    settling = Settling(20.0)
    settling.add(1, "a", 300, due=1.0)
    settling.add(2, "a", 100, due=9.0)
    settling.add(3, "a", 200, due=9.0)

    assert [seqs(settling.take(1.0, 2)), seqs(settling.take(1.0, 2))] == [[2, 3], [1]]


def test_large_events_leave_in_smaller_batches() -> None:
    """So that a batch does not fill the memory; one that is too large alone leaves alone."""
    settling = Settling(20.0)
    for seq, size in enumerate([MOST_BYTES // 2, MOST_BYTES // 2, 1, MOST_BYTES + 1, 1], start=1):
        settling.add(seq, "a" if seq < 3 else "", seq, due=1.0, size=size)

    batches = [seqs(settling.take(1.0, 100)) for _ in range(4)]

    assert batches == [[1, 2], [3], [4], [5]]


def test_a_blocked_key_waits_and_others_do_not() -> None:
    """What was given back leaves again in its place."""
    settling = Settling(20.0)
    for seq, key in enumerate("aab", start=1):
        settling.add(seq, key, seq, due=1.0)
    first = settling.take(1.0, 1)
    settling.block("a")

    assert seqs(settling.take(1.0, 100)) == [3]
    assert settling.next_due() is None

    settling.put_back(first)
    settling.unblock("a")
    assert seqs(settling.take(1.0, 100)) == [1, 2]


def test_done_means_that_nothing_older_is_open() -> None:
    """What was taken is open until it is resolved."""
    settling = Settling(20.0)
    for seq in (5, 6, 9):
        settling.add(seq, "", seq, due=0.0)

    assert settling.done_up_to(12) == 4
    assert seqs(settling.take(0.0, 2)) == [5, 6]
    settling.resolve([6])
    assert settling.done_up_to(12) == 4
    settling.resolve([5])
    assert settling.done_up_to(12) == 8
    settling.resolve([9])
    assert settling.done_up_to(12) == 12


def test_a_full_window_lets_the_oldest_leave_early() -> None:
    """So that memory is bounded whatever arrives."""
    settling = Settling(20.0, most=3)
    for seq in (1, 2, 3):
        settling.add(seq, f"k{seq}", seq, due=20.0 + seq)

    assert settling.room == 0
    assert seqs(settling.take(0.0, 100)) == [1]
    assert settling.room == 1


def test_late_is_what_leaves_after_a_newer_one() -> None:
    """By key; an event without a key is never late, and an equal time is not late."""
    leaving = [
        Unsent((0, seq), seq, key, time) for seq, key, time in [(1, "a", 5), (2, "a", 7), (3, "b", 1), (4, "", 0)]
    ]

    assert late_ones(leaving, {"a": 6, "b": 1}) == {1}
    assert late_ones([*leaving, Unsent((0, 5), 5, "a", 6)], {}) == {5}


def test_clocks_that_lie_change_little() -> None:
    """A time in the future counts as the arrival, and a wait is never longer than the window, nor negative."""
    assert sort_time_ms(10**15, 1_000_000) == 1_000_000 + 300_000
    assert sort_time_ms(5, 1_000_000) == 5
    assert [wait_s(received, 100_000, 20.0) for received in (100_000, 90_000, 0, 10**12)] == [20.0, 10.0, 0.0, 20.0]


arrivals = st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.integers(0, 50), st.integers(0, 3)), max_size=60)


@given(arrivals, st.integers(1, 7), st.integers(2, 30))
def test_each_event_leaves_once_and_in_the_order_of_its_key(
    came: list[tuple[str, int, int]], limit: int, most: int
) -> None:
    """Whatever the limits; those that leave at one moment are in order, and at the end all is done."""
    settling = Settling(5.0, most)
    left: list[int] = []
    now = 0.0

    def leave() -> Iterator[list[Unsent]]:
        while batch := settling.take(now, limit):
            yield batch

    for seq, (key, time_ms, step) in enumerate(came, start=1):
        now += step
        while not settling.room:
            for batch in leave():
                left += seqs(batch)
                settling.resolve(seqs(batch))
        settling.add(seq, key, time_ms, due=now + 5.0)
    now += 100.0
    last: list[Unsent] = [one for batch in leave() for one in batch]
    left += seqs(last)
    settling.resolve(seqs(last))

    assert sorted(left) == list(range(1, len(came) + 1))
    assert settling.done_up_to(len(came)) == len(came)
    for key in "abc":
        times = [one.order for one in last if one.key == key]
        assert times == sorted(times)
