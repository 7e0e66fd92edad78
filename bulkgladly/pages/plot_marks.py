"""What interrupted or changed a run, where it is drawn in the plot and what is said of it: stops, resumes, steering."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bulkgladly.pages.run_facts import RunFacts, Steered
from bulkgladly.pages.time_axis import AxisStretch, Bin, TimeAxis
from bulkgladly.plain_words import cause_text, counted, duration_text

__all__ = ("PlotBand", "PlotMark", "marked")

_ENDS_OF_PAUSES = ("continued", "stopped")
_MOST_MARKS = 12
_NEAR, _EDGE = 0.05, 0.015
_SHORT_S = 3600.0
"""A run that took less is told to the second."""


class PlotBand(NamedTuple):
    """A stretch of the plot, as shares of its width, in which nothing was sent; or a moment, of width 0.

    `number` is that of its mark, and where it stands; 0 for none.
    """

    kind: str
    x: float
    width: float
    number: int
    middle: float


class PlotMark(NamedTuple):
    """What is said of a band, beside its number: when, and what happened."""

    number: int
    when: str
    text: str


class _Event(NamedTuple):
    begin: float
    end: float
    left: float
    right: float
    kind: str
    text: str


def marked(
    facts: RunFacts, axis: TimeAxis, bins: Sequence[Bin], zone: dt.tzinfo | None
) -> tuple[list[PlotBand], list[PlotMark]]:
    """Return the bands of a plot and what is said of them, in the order of time."""
    events = sorted([*_gaps(facts, axis, bins), *_steering(facts, axis, bins[-1].end)])
    bands, marks = [], []
    last = -1.0
    for number, each in enumerate(events, 1):
        middle = min(1 - _EDGE, max(_EDGE, (each.left + each.right) / 2))
        # Numbers that would lie upon each other: the first is drawn, and all are told in their order.
        is_drawn = number <= _MOST_MARKS and middle - last >= _NEAR
        last = middle if is_drawn else last
        bands.append(PlotBand(each.kind, each.left, each.right - each.left, number if is_drawn else 0, middle))
        if number <= _MOST_MARKS:
            begun, ended = _when(each.begin, zone, bins), _when(each.end, zone, bins)
            marks.append(PlotMark(number, begun, each.text.format(end=ended)))
    if more := len(events) - _MOST_MARKS:
        marks += [PlotMark(0, "", f"and {more:,} more")] if more > 0 else []
    return bands, marks


def _gaps(facts: RunFacts, axis: TimeAxis, bins: Sequence[Bin]) -> Iterator[_Event]:
    for gap in axis.gaps:
        before = max((each.sample.session for each in bins if each.begin < gap.end), default=0)
        after = next((each.sample.session for each in bins if each.begin >= gap.end), before)
        yield _Event(gap.begin, gap.end, gap.left, gap.right, "gap", _gap_text(facts, gap, before, after))


def _gap_text(facts: RunFacts, gap: AxisStretch, before: int, after: int) -> str:
    if before == after:
        return "the machine slept, or its clock was set; continued {end}"
    session = facts.sessions[before - 1] if 0 < before <= len(facts.sessions) else None
    cause = cause_text(None) if session is None or session.reason is None else session.reason
    # A session that was killed in its first seconds has left nothing to draw.
    between = after - before - 1
    short = f"; {counted(between, 'session')} of a moment in between" if between > 0 else ""
    seconds = gap.end - gap.begin
    later = f"{{end}}, {duration_text(seconds)} later" if seconds >= 1 else "at once"
    return f"{_plain(cause)}{short}; continued {later}"


def _steering(facts: RunFacts, axis: TimeAxis, end: float) -> Iterator[_Event]:
    for at, one in enumerate(steered := facts.steered):
        left = axis.x(one.at)
        if one.what == "paused":
            later = [each.at for each in steered[at + 1 :] if each.what in _ENDS_OF_PAUSES]
            # A session that ends takes its pause with it, also if the next one began at once.
            later = later[:1] + [gap.begin for gap in axis.gaps if gap.begin >= one.at]
            later += [began for each in facts.sessions if (began := each.began.timestamp()) > one.at]
            until = max(one.at, min([end, *later]))
            yield _Event(one.at, until, left, axis.x(until), "pause", "paused by somebody, until {end}")
        elif one.what != "continued":
            yield _Event(one.at, one.at, left, left, "change", _plain(_change_text(one)))


def _change_text(one: Steered) -> str:
    rate = "" if one.value is None else f"{one.value:g} requests a second"
    if one.what == "schedule":
        return f"by the schedule, {'nothing is sent' if one.value == 0 else rate or 'the pace of the run'}"
    if one.what == "rate":
        return f"somebody set the pace to {rate}" if rate else "somebody gave the run its own pace again"
    return "stopped from another terminal" if one.what == "stopped" else one.what


def _plain(text: str) -> str:
    """Return a text from outside as a part of a format: its braces stand for themselves."""
    return text.replace("{", "{{").replace("}", "}}")


def _when(moment: float, zone: dt.tzinfo | None, bins: Sequence[Bin]) -> str:
    """Return a moment for people, to the second where a minute would hide the order of a short run."""
    local = dt.datetime.fromtimestamp(moment, dt.UTC).astimezone(zone)
    has_seconds = bins[-1].end - bins[0].begin < _SHORT_S
    return f"{local.day} {local:%b} {local:%H:%M:%S}" if has_seconds else f"{local.day} {local:%b} {local:%H:%M}"
