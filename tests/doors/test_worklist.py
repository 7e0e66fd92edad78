"""What is still to be asked, against a model of two dictionaries."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.exports.worklist import ParentToAsk, ToAsk, WorkList

keys = st.sampled_from([f"key-{n}" for n in range(8)])
times = st.integers(0, 5)


@given(
    st.lists(st.tuples(keys, times)),
    st.lists(st.tuples(keys, times)),
    times,
    st.integers(1, 4),
)
def test_what_is_asked_is_what_is_not_known_or_has_changed_since(
    parents: Sequence[tuple[str, int]], known: Sequence[tuple[str, int]], floor: int, size: int
) -> None:
    """Each key once, in the order in which they came, in batches of the size asked for."""
    changed: dict[str, int] = {}
    for key, at in parents:
        changed[key] = max(changed.get(key, 0), at)
    answered: dict[str, int] = {}
    for key, at in known:
        answered[key] = max(answered.get(key, 0), at)
    work = WorkList()

    work.add(ParentToAsk(key, f"asked {key}", at) for key, at in parents)
    work.know(known)

    expected = [key for key, at in changed.items() if key not in answered or answered[key] < max(at, floor)]
    batches = list(work.to_ask(floor=floor, size=size))
    assert [one for batch in batches for one in batch] == [ToAsk(key, f"asked {key}") for key in expected]
    assert all(0 < len(batch) <= size for batch in batches)
    assert {key: work.known_at(key) for key in changed} == {key: answered.get(key) for key in changed}
    assert len(work) == len(changed)
    work.close()


def test_an_answer_while_asking_does_not_stop_the_rest() -> None:
    """What becomes known behind the place where the asking stands changes nothing; nothing comes twice."""
    work = WorkList()
    work.add(ParentToAsk(f"{n}", f"{n}") for n in range(10))
    asked = []

    for batch in work.to_ask(size=3):
        asked += [one.key for one in batch]
        work.know((one.key, 0) for one in batch)

    assert asked == [f"{n}" for n in range(10)]
    work.close()


def test_parents_that_cannot_be_read_to_their_end_leave_the_list_usable() -> None:
    """All or nothing, and the next ones are taken."""
    work = WorkList()

    def broken() -> Iterator[ParentToAsk]:
        yield ParentToAsk("a", "a")
        raise ValueError("the file ends here")

    with pytest.raises(ValueError, match="ends here"):
        work.add(broken())
    work.add([ParentToAsk("b", "b")])

    assert list(work.to_ask()) == [[ToAsk("b", "b")]]
    work.close()


def test_a_closed_list_is_empty_and_takes_nothing() -> None:
    """A run that is cut short still settles what is in flight."""
    work = WorkList()
    work.add([ParentToAsk("a", "a")])
    work.know([("a", 1)])
    work.close()
    work.close()

    work.know([("a", 2)])
    work.add([ParentToAsk("b", "b")])

    assert (len(work), work.known_at("a"), list(work.to_ask())) == (0, None, [])
