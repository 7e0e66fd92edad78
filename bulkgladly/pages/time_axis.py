"""The axis of time under the plots of a page: working time in its measure, and short gaps for what is between. Pure."""

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from bulkgladly.journal.timeline import Sample, thinned

__all__ = ("EDGE", "AxisStretch", "Bin", "Tick", "TimeAxis", "bins_of")

MOST_BINS = 300
_JOIN_S = 3.0
"""Between two samples of a session: less than this is no gap."""
_GAPS = (0.012, 0.06)
"""The least and the most share of the width that a gap gets, however long it is."""
_ALL_GAPS = 0.3
_NEAR, _NEAR_ON_A_PHONE = 0.085, 0.21
_WIDE, _WIDE_ON_A_PHONE = 0.06, 0.19
"""The share of the width that a label with seconds takes."""
EDGE = 0.03
"""A label nearer to an end of the axis begins or ends there."""
_STEPS_S = (
    *(1, 2, 5, 10, 15, 30),
    *(each * 60 for each in (1, 2, 5, 10, 15, 30)),
    *(each * 3600 for each in (1, 2, 3, 6, 12)),
    *(each * 86400 for each in (1, 2, 7, 14, 30, 90, 365)),
)


class Bin(NamedTuple):
    """A sample where it is drawn: `begin` and `end` in seconds since 1970, never before the end of the one before."""

    begin: float
    end: float
    sample: Sample


class AxisStretch(NamedTuple):
    """A stretch of the axis, from `left` to `right` as shares of its width. In a gap no session worked."""

    begin: float
    end: float
    left: float
    right: float
    is_gap: bool


class Tick(NamedTuple):
    """A label of the axis at a share of its width; `is_minor` labels have no room on a phone."""

    x: float
    time: str
    day: str
    is_minor: bool


def bins_of(samples: Sequence[Sample]) -> tuple[list[Bin], float]:
    """Return samples as bins, in order, and by how many seconds this machine's clock was set back in all.

    Time after such a moment goes on from where it was, since the same hour cannot be drawn twice.
    """
    found: list[Bin] = []
    back = shift = 0.0
    for each in thinned(samples, MOST_BINS):
        begin = each.at + shift
        if found and begin < found[-1].end:
            late = found[-1].end - begin
            if late > 1.0:
                back, shift = back + late, shift + late
            begin = found[-1].end
        found.append(Bin(begin, begin + max(each.seconds, 0.001), each))
    return found, back


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Where moments lie on the width of a plot."""

    stretches: Sequence[AxisStretch]

    @classmethod
    def of(cls, bins: Sequence[Bin]) -> "TimeAxis":
        """Lay out bins from left to right; gaps are where the session changes, and where none worked for a while."""
        groups: list[list[Bin]] = []
        for each in bins:
            last = groups[-1][-1] if groups else None
            is_next = last and last.sample.session == each.sample.session and each.begin - last.end < _JOIN_S
            if is_next:
                groups[-1].append(each)
            else:
                groups.append([each])
        return cls(tuple(_laid_out(groups)))

    @property
    def gaps(self) -> list[AxisStretch]:
        """The stretches in which no session worked."""
        return [each for each in self.stretches if each.is_gap]

    def x(self, moment: float) -> float:
        """Return where a moment lies, as a share of the width; beyond the ends it is at the end."""
        at = max(0, bisect_right(self.stretches, moment, key=lambda each: each.begin) - 1)
        one = self.stretches[at]
        part = (moment - one.begin) / (one.end - one.begin) if one.end > one.begin else 0.0
        return one.left + min(1.0, max(0.0, part)) * (one.right - one.left)

    def ticks(self, zone: dt.tzinfo | None = None) -> list[Tick]:
        """Return the labels: round clock times in a time zone (None: this machine's), as many as fit."""
        working = [each for each in self.stretches if not each.is_gap]
        seconds, width = (
            sum(each.end - each.begin for each in working),
            sum(each.right - each.left for each in working),
        )
        step = next((each for each in _STEPS_S if each * width / seconds >= _NEAR), _STEPS_S[-1])
        ticks = list(_chosen([(self.x(at), at) for each in working for at in _round_times(each, step, zone)]))
        if not ticks:  # a moment, or a stretch between two round times
            ticks = [(0.0, working[0].begin)]
            step = 1
        return list(_labelled(ticks, step, zone))


def _laid_out(groups: Sequence[Sequence[Bin]]) -> Iterator[AxisStretch]:
    breaks = [after[0].begin - before[-1].end for before, after in pairwise(groups)]
    lengths = [group[-1].end - group[0].begin for group in groups]
    whole = sum(breaks) + sum(lengths)
    least = min(_GAPS[0], _ALL_GAPS / max(1, len(breaks)))
    shares = [min(max(least, each / whole), max(least, min(_GAPS[1], _ALL_GAPS / len(breaks)))) for each in breaks]
    scale, left = (1.0 - sum(shares)) / sum(lengths), 0.0
    for at, (group, length) in enumerate(zip(groups, lengths, strict=True)):
        right = left + length * scale
        yield AxisStretch(group[0].begin, group[-1].end, left, right, is_gap=False)
        if at < len(shares):
            left = right + shares[at]
            yield AxisStretch(group[-1].end, groups[at + 1][0].begin, right, left, is_gap=True)


def _round_times(stretch: AxisStretch, step: int, zone: dt.tzinfo | None) -> Iterator[float]:
    offset = _local(stretch.begin, zone).utcoffset() or dt.timedelta()
    shift = offset.total_seconds()
    at = -(-(stretch.begin + shift) // step) * step - shift
    while at <= stretch.end:
        yield at
        at += step


def _chosen(ticks: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    last = -1.0
    for x, at in ticks:
        if _middle(x, _WIDE) - last >= _NEAR:
            yield x, at
            last = _middle(x, _WIDE)


def _middle(x: float, wide: float) -> float:
    """Return where the middle of a label is that takes `wide` of the width: at the edges not at its tick."""
    return x + wide / 2 if x < EDGE else x - wide / 2 if x > 1 - EDGE else x


def _labelled(ticks: Sequence[tuple[float, float]], step: int, zone: dt.tzinfo | None) -> Iterator[Tick]:
    form = "%H:%M:%S" if step < 60 else "%H:%M"
    day, last = "", -1.0
    for x, at in ticks:
        local = _local(at, zone)
        here = f"{local.day} {local:%b}"
        middle = _middle(x, _WIDE_ON_A_PHONE)
        is_minor = middle - last < _NEAR_ON_A_PHONE
        last = last if is_minor else middle
        yield Tick(x, local.strftime(form), here if here != day else "", is_minor)
        day = here


def _local(moment: float, zone: dt.tzinfo | None) -> dt.datetime:
    return dt.datetime.fromtimestamp(moment, dt.UTC).astimezone(zone)
