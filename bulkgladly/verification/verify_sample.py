"""Which rows a sample has, and what it says about all of them. Pure.

The choice depends on the object that a row is about, and on the name of the verification: a resume makes the same
choice, and rows about one object are chosen together.
"""

import heapq
import math
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import xxhash

__all__ = ("Bounds95", "RowReservoir", "bounds_of", "confidence_text", "is_in_share")

T = TypeVar("T")
_RANGE = 1 << 64
_STEPS = 60
_ALL = 100.0
_FEW = 5_000
"""So many differences are counted exactly, in about a second."""
_DEVIATIONS = 1.959964
"""Standard deviations to either side within which 95 % lie."""


def _draw(salt: str, identity: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{salt}\x1f{identity}".encode())


def is_in_share(share: float, salt: str, identity: str) -> bool:
    """Tell whether an object belongs to a sample that is a share of all."""
    return _draw(salt, identity) < share * _RANGE


class RowReservoir(Generic[T]):
    """Chooses a number of rows while they are offered one by one; memory holds the chosen ones.

    A later row about the same object goes before an earlier one, which it has overwritten.
    """

    def __init__(self, size: int, salt: str) -> None:
        self._size, self._salt = size, salt
        # The smallest draws are chosen. A heap has its smallest entry first, so the entries are negative.
        self._heap: list[tuple[int, int, T]] = []
        self.offered = 0

    def offer(self, identity: str, seq: int, row: T) -> None:
        """Offer a row; `seq` is its number, which no other row has."""
        self.offered += 1
        entry = (-_draw(self._salt, identity), seq, row)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        elif entry[:2] > self._heap[0][:2]:
            heapq.heapreplace(self._heap, entry)

    def chosen(self) -> list[T]:
        """Return the chosen rows, in input order, and forget them."""
        rows = [row for _, _, row in sorted(self._heap, key=lambda entry: entry[1])]
        self._heap.clear()
        return rows


class Bounds95(NamedTuple):
    """Between which shares the true share lies, with 95 % confidence."""

    least: float
    most: float


def bounds_of(found: int, checked: int) -> Bounds95:
    """Return what a sample says about the share of rows that differ, when `found` of `checked` do.

    The bounds are exact for a random sample of a large number of rows (Clopper and Pearson). If none or all were
    found, the whole 5 % of doubt is on one side.
    """
    if 2 * found > checked:
        other = bounds_of(checked - found, checked)
        return Bounds95(1 - other.most, 1 - other.least)
    if found > _FEW:
        return _approximate(found, checked)
    doubt = 0.05 if found in (0, checked) else 0.025
    least = 0.0 if not found else _solved(lambda share: 1 - _at_most(found - 1, checked, share) < doubt)
    most = 1.0 if found == checked else _solved(lambda share: _at_most(found, checked, share) > doubt)
    return Bounds95(least, most)


def _approximate(found: int, checked: int) -> Bounds95:
    """Return the bounds by the normal distribution (Wilson), which for large numbers are almost the exact ones."""
    share, square = found / checked, _DEVIATIONS**2
    middle = share + square / (2 * checked)
    spread = _DEVIATIONS * math.sqrt(share * (1 - share) / checked + square / (4 * checked**2))
    return Bounds95((middle - spread) / (1 + square / checked), (middle + spread) / (1 + square / checked))


def _solved(is_below: Callable[[float], bool]) -> float:
    """Return the share at which a condition that holds for small shares ends, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _at_most(found: int, checked: int, share: float) -> float:
    """Return how probable it is that at most `found` of `checked` rows differ, when this share of all does."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return 1.0 if found >= checked else 0.0
    yes, no = math.log(share), math.log1p(-share)
    whole = math.lgamma(checked + 1)
    terms = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(checked - k + 1) + k * yes + (checked - k) * no)
        for k in range(found + 1)
    )
    return min(1.0, math.fsum(terms))


def confidence_text(found: int, checked: int, population: int) -> str:
    """Return what a sample says about all rows, in one sentence."""
    text = f"{checked:,} of {population:,} rows checked"
    if not checked or checked >= population:
        return text
    bounds = bounds_of(found, checked)
    if not found:
        return f"{text}; none differs, so at most {_percent(bounds.most)} of all differ, with 95 % confidence"
    differ = "differs" if found == 1 else "differ"
    span = f"{_percent(bounds.least)} to {_percent(bounds.most)}"
    return f"{text}; {found:,} {differ}, so {span} of all differ, with 95 % confidence"


def _percent(share: float) -> str:
    value = share * _ALL
    digits = 1 if value >= 0.1 else 3
    return f"{round(value, digits):g} %"
