"""The low-water mark: whatever the order, it forgets nothing and repeats nothing."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.journal.positions import Frontier, ranges_of
from bulkgladly.records import Mark, Position


def place(seq: int) -> Position:
    return Position(0, seq * 10, seq + 1)


def settled_set(frontier: Frontier, limit: int) -> set[int]:
    mark, above = frontier.advance(), frontier.above()
    return set(range(mark.seq)) | {seq for first, last in above for seq in range(first, min(last + 1, limit))}


@given(st.sets(st.integers(0, 60)))
def test_ranges_are_the_numbers(numbers: set[int]) -> None:
    """Closed, sorted, never touching: as short as can be."""
    ranges = ranges_of(numbers)

    assert {number for first, last in ranges for number in range(first, last + 1)} == numbers
    assert all(first <= last for first, last in ranges)
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(ranges))


def test_ranges_of_an_example() -> None:
    """As the docstring says."""
    assert ranges_of([9, 4, 3, 5]) == [(3, 5), (9, 9)]


def test_a_new_frontier_stands_at_the_beginning() -> None:
    """Nothing read, nothing settled."""
    frontier = Frontier()

    assert frontier.advance() == Mark()
    assert frontier.above() == []
    assert not frontier.is_settled(0)


def test_the_mark_stands_at_the_first_open_row() -> None:
    """A resume seeks to it and skips what is above."""
    frontier = Frontier()
    for seq in range(5):
        frontier.admit(seq, place(seq))
    for seq in (0, 1, 3):
        frontier.settle(seq)

    assert frontier.advance() == Mark(2, place(2))
    assert frontier.above() == [(3, 3)]
    assert [frontier.is_settled(seq) for seq in range(5)] == [True, True, False, True, False]


def test_the_last_row_is_not_passed() -> None:
    """Where the next one begins is not known before it is read."""
    frontier = Frontier()
    frontier.admit(0, place(0))
    frontier.settle(0)

    assert frontier.advance() == Mark(0, place(0))
    assert frontier.above() == [(0, 0)]
    frontier.admit(1, place(1))
    assert frontier.advance() == Mark(1, place(1))
    assert frontier.above() == []


@given(st.data(), st.integers(1, 30))
def test_mark_and_above_are_what_is_settled(data: st.DataObject, rows: int) -> None:
    """Rows are admitted in order and settle in any; at every moment the two say exactly what is done."""
    frontier = Frontier()
    admitted, settled = 0, set[int]()

    for _ in range(data.draw(st.integers(0, 3 * rows), label="steps")):
        open_rows = sorted(set(range(admitted)) - settled)
        if admitted < rows and (not open_rows or data.draw(st.booleans(), label="read on")):
            frontier.admit(admitted, place(admitted))
            admitted += 1
        elif open_rows:
            settled.add(seq := data.draw(st.sampled_from(open_rows), label="settle"))
            frontier.settle(seq)

        assert settled_set(frontier, rows) == settled
        assert {seq for seq in range(rows) if frontier.is_settled(seq)} == settled
        mark = frontier.advance()
        assert mark.position in (place(mark.seq), None)
        assert mark.seq not in settled or mark.seq == admitted - 1


@given(st.integers(1, 25), st.sets(st.integers(0, 24)), st.integers(0, 25), st.sets(st.integers(0, 24)))
def test_a_resume_loses_nothing_and_repeats_nothing(
    rows: int, first: set[int], read_first: int, second: set[int]
) -> None:
    """Whatever two sessions did: together they settle each row once, and the end says so."""
    before = Frontier()
    read_first = min(read_first, rows)
    for seq in range(read_first):
        before.admit(seq, place(seq))
    done = {seq for seq in first if seq < read_first}
    for seq in done:
        before.settle(seq)
    mark, above = before.advance(), before.above()

    after = Frontier(mark, above)
    assert {seq for seq in range(rows) if after.is_settled(seq)} == done
    wanted = [seq for seq in range(mark.seq, rows) if not after.is_settled(seq)]
    assert set(wanted) | done == set(range(rows))
    assert not set(wanted) & done

    for seq in range(mark.seq, rows):
        after.admit(seq, place(seq))
    also = [seq for seq in wanted if seq in second]
    for seq in also:
        after.settle(seq)
    assert settled_set(after, rows) == done | set(also)

    for seq in set(wanted) - set(also):
        after.settle(seq)
    assert settled_set(after, rows) == set(range(rows))


def test_the_mark_never_stands_between_rows_of_one_place() -> None:
    """They are made of one row of input, so a resume makes all of them again, from the first."""
    frontier = Frontier()
    for seq, at in enumerate((0, 1, 1, 1, 2)):
        frontier.admit(seq, place(at))
    for seq in (0, 1, 3):
        frontier.settle(seq)

    assert frontier.advance() == Mark(1, place(1))
    assert frontier.above() == [(1, 1), (3, 3)]

    frontier.settle(2)
    assert frontier.advance() == Mark(4, place(2))
    assert frontier.above() == []


@given(st.data(), st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_a_resume_in_the_middle_of_a_row_counts_as_before(data: st.DataObject, sizes: list[int]) -> None:
    """Wherever a session ends among the rows of one place: the mark leads to the first of them."""
    places = [at for at, size in enumerate(sizes) for _ in range(size)]
    read = data.draw(st.integers(0, len(places)), label="read")
    frontier = Frontier()
    for seq, at in enumerate(places[:read]):
        frontier.admit(seq, place(at))
    done = data.draw(st.sets(st.integers(0, max(0, read - 1))), label="done") if read else set[int]()
    for seq in done:
        frontier.settle(seq)
    mark = frontier.advance()

    assert mark.position is None or places.index(mark.position.number - 1) == mark.seq
    after = Frontier(mark, frontier.above())
    assert {seq for seq in range(len(places)) if after.is_settled(seq)} == done
    for seq in range(mark.seq, len(places)):
        after.admit(seq, place(places[seq]))
        after.settle(seq)
    assert settled_set(after, len(places)) == set(range(len(places)))
    assert after.advance().seq == places.index(places[-1])
