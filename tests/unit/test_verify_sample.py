"""Samples: the same choice every time, of the size that was asked for, and what they prove."""

from collections import Counter

import pytest

from bulkgladly.verification.verify_options import sample_size
from bulkgladly.verification.verify_sample import RowReservoir, bounds_of, confidence_text, is_in_share


def test_a_number_of_rows_is_chosen_whatever_was_seen_before() -> None:
    """The same rows, in input order; another verification chooses others."""
    chosen = []
    for salt in ("run", "run", "other"):
        reservoir: RowReservoir[int] = RowReservoir(50, salt)
        for seq in range(2_000):
            reservoir.offer(f"k-{seq}", seq, seq)
        chosen.append(reservoir.chosen())

    assert chosen[0] == chosen[1] == sorted(chosen[0])
    assert len(set(chosen[0])) == len(set(chosen[2])) == 50
    assert chosen[0] != chosen[2]


def test_each_row_is_as_likely_as_any_other() -> None:
    """Over many verifications no third of the input is preferred."""
    counts: Counter[int] = Counter()
    for number in range(300):
        reservoir: RowReservoir[int] = RowReservoir(10, f"run-{number}")
        for seq in range(90):
            reservoir.offer(f"k-{seq}", seq, seq // 30)
        counts.update(reservoir.chosen())

    assert counts.total() == 3_000
    assert all(850 < count < 1_150 for count in counts.values())


def test_a_later_row_about_the_same_object_goes_first() -> None:
    """What the earlier one said was overwritten."""
    reservoir: RowReservoir[str] = RowReservoir(1, "run")
    for seq, row in enumerate(("first", "second", "third")):
        reservoir.offer("same", seq, row)

    assert reservoir.chosen() == ["third"]


def test_a_share_is_about_that_share_and_independent_of_the_order() -> None:
    """A twentieth of 20,000 objects."""
    chosen = [number for number in range(20_000) if is_in_share(0.05, "run", f"k-{number}")]

    assert 900 < len(chosen) < 1_100
    assert is_in_share(1.0, "run", "anything")


@pytest.mark.parametrize(
    ("found", "checked", "least", "most"),
    [(0, 500, 0.0, 0.00597), (3, 500, 0.00124, 0.01743), (500, 500, 0.99403, 1.0), (5, 10, 0.187, 0.813)],
)
def test_the_bounds_are_those_of_the_tables(found: int, checked: int, least: float, most: float) -> None:
    """Clopper and Pearson, 95 %; one-sided where nothing, or everything, was found."""
    assert bounds_of(found, checked) == pytest.approx((least, most), abs=5e-4)


def test_many_differences_are_bounded_as_well() -> None:
    """Beyond a few thousand an approximation takes over, without a step."""
    exact, near = bounds_of(5_000, 100_000), bounds_of(5_001, 100_000)

    assert near == pytest.approx(exact, abs=1e-4)
    mirrored = bounds_of(95_000, 100_000)
    assert (1 - mirrored.most, 1 - mirrored.least) == pytest.approx(exact)


def test_a_sample_is_explained_in_plain_words() -> None:
    """What is not sampled is not bounded."""
    assert confidence_text(0, 500, 120_000) == (
        "500 of 120,000 rows checked; none differs, so at most 0.6 % of all differ, with 95 % confidence"
    )
    assert confidence_text(1, 500, 120_000).startswith("500 of 120,000 rows checked; 1 differs, so 0.005 % to 1.1 % ")
    assert confidence_text(2, 9, 9) == "9 of 9 rows checked"


def test_sizes_are_numbers_or_percentages() -> None:
    """Anything else is refused by the options."""
    assert sample_size(None) is None
    assert (sample_size("500"), sample_size("5%")) == ((500, None), (None, 0.05))
