"""The plot of a page: rate against budget, outcomes, throttling and waits over the time of a run, as shapes. Pure.

Widths are shares of the plot, so that the same picture fits a phone and a screen; heights are in pixels.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bulkgladly.pages.outcome_words import colour_of, is_problem, ordered_words
from bulkgladly.pages.plot_marks import PlotBand, PlotMark, marked
from bulkgladly.pages.plot_shapes import (
    GridLine,
    PlotShape,
    areas_of,
    grid_of,
    height_of,
    lines_of,
    number_text,
    scale_of,
    steps_of,
)
from bulkgladly.pages.run_facts import RunFacts
from bulkgladly.pages.time_axis import Bin, Tick, TimeAxis, bins_of
from bulkgladly.plain_words import counted, duration_text

__all__ = ("Hit", "PacePlot", "Panel", "clock_text", "pace_plot")

_TOP, _HEAD, _GAP, _AXIS = 26, 24, 14, 44
_PACE, _OUTCOMES, _LANE = 190, 90, 26
_MANY = 0.1
_UNITS = ((1.0, 1.0, "second"), (1 / 60, 60.0, "minute"), (0.0, 3600.0, "hour"))


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the plots above each other: `y` is where its heading stands, `top` where its shapes begin."""

    title: str
    note: str
    y: float
    height: float
    shapes: Sequence[PlotShape]
    grid: Sequence[GridLine] = ()
    budget: GridLine | None = None

    @property
    def top(self) -> float:
        """Where the shapes begin."""
        return self.y + _HEAD

    @property
    def bottom(self) -> float:
        """Where they end."""
        return self.top + self.height


class Hit(NamedTuple):
    """A span of the plot, from `x` for `width`, and what a pointer that rests there is told."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacePlot:
    """A plot, ready to be drawn. `words` are the outcomes in it, `back_s` by how much the clock was set back."""

    panels: Sequence[Panel]
    ticks: Sequence[Tick]
    bands: Sequence[PlotBand]
    marks: Sequence[PlotMark]
    hits: Sequence[Hit]
    words: Sequence[str]
    has_budget: bool
    zone: str
    summary: str
    back_s: float

    @property
    def bottom(self) -> float:
        """Where the axis of time is."""
        return self.panels[-1].bottom

    @property
    def height(self) -> float:
        """The height of the picture in pixels."""
        return self.bottom + _AXIS


def pace_plot(facts: RunFacts, things: str, zone: dt.tzinfo | None = None) -> PacePlot | None:
    """Return the plot of a run, whose outcomes count `things`; None if its journal has no samples."""
    bins, back_s = bins_of(facts.samples)
    if not bins:
        return None
    axis = TimeAxis.of(bins)
    words = ordered_words({word for each in bins for word in each.sample.counts})
    panels = [_pace_panel(axis, bins)]
    good = [word for word in words if not is_problem(word)]
    makers: Sequence[Callable[[float], Panel | None]] = (
        lambda y: _outcome_panel(axis, bins, good, things, y),
        lambda y: _problem_panel(axis, bins, [word for word in words if is_problem(word)], things, y),
        lambda y: _throttled_panel(axis, bins, y),
        lambda y: _wait_panel(axis, bins, y),
    )
    for make in makers:
        if (panel := make(panels[-1].bottom + _GAP)) is not None:
            panels.append(panel)
    bands, marks = marked(facts, axis, bins, zone)
    return PacePlot(
        panels=panels,
        ticks=axis.ticks(zone),
        bands=bands,
        marks=marks,
        hits=[_hit(axis, each, zone) for each in bins],
        words=words,
        has_budget=panels[0].budget is not None,
        zone=_zone_text(bins, zone),
        summary=_summary(bins),
        back_s=back_s,
    )


# --- the panels ---


def _pace_panel(axis: TimeAxis, bins: Sequence[Bin]) -> Panel:
    budgets = [rate for each in bins if (rate := _allowed(each)) is not None]
    step, top = scale_of(max([*map(_rate, bins), *budgets, 0.0]) * 1.05)
    rates = steps_of(axis, bins, _rate, top, _PACE)
    shapes = [PlotShape("pace area", areas_of(rates, _PACE)), PlotShape("pace line", lines_of(rates))]
    budget = None
    if budgets:
        allowed = steps_of(axis, [each for each in bins if _allowed(each) is not None], _allowed, top, _PACE)
        shapes.append(PlotShape("budget line", lines_of(allowed)))
        # Not that of a run which was paused when it ended: nothing is no pace.
        last = next((one for one in reversed(budgets) if one), 0.0)
        budget = GridLine(height_of(last, top, _PACE), f"allowed: {number_text(last)}/s")
    return Panel("Requests per second", "", 0.0 + _TOP - _HEAD + 4, _PACE, shapes, grid_of(step, top, _PACE), budget)


def _outcome_panel(axis: TimeAxis, bins: Sequence[Bin], words: Sequence[str], things: str, y: float) -> Panel | None:
    if not words:
        return None
    most = max(_per_second(each, words) for each in bins)
    _, factor, unit = next(each for each in _UNITS if most >= each[0])
    top = most * factor or 1.0
    shapes = []
    # The whole first, then ever smaller stacks before it: no shape needs a lower edge of its own.
    for number in range(len(words), 0, -1):
        heights = steps_of(axis, bins, _stacked(words[:number], factor), top, _OUTCOMES)
        shapes.append(PlotShape(f"fill {colour_of(words[number - 1])}", areas_of(heights, _OUTCOMES)))
    note = f"at most {number_text(most * factor)}"
    return Panel(f"{things.capitalize()} per {unit}, by outcome", note, y, _OUTCOMES, shapes)


def _stacked(words: Sequence[str], factor: float) -> Callable[[Bin], float]:
    return lambda each: factor * _per_second(each, words)


def _problem_panel(axis: TimeAxis, bins: Sequence[Bin], words: Sequence[str], things: str, y: float) -> Panel | None:
    number = sum(_count(each, words) for each in bins)
    share = lambda each: _count(each, words) / max(1, sum(each.sample.counts.values()))  # noqa: E731
    # A few among many stay low; only a tenth of the rows or more fills the height.
    top = max(_MANY, *map(share, bins), 0.0)
    title = "Not accepted" if {"rejected", "unknown"}.issuperset(words) else "To look at"
    return _lane(title, counted(number, things.removesuffix("s")), "bad", axis, bins, share, y, top=top)


def _throttled_panel(axis: TimeAxis, bins: Sequence[Bin], y: float) -> Panel | None:
    note = counted(sum(each.sample.throttled for each in bins), "request")
    return _lane(
        "Throttled (HTTP 429)", note, "bad", axis, bins, lambda each: each.sample.throttled / _seconds(each), y
    )


def _wait_panel(axis: TimeAxis, bins: Sequence[Bin], y: float) -> Panel | None:
    waited = sum(_waited(each) for each in bins)
    share = lambda each: min(1.0, _waited(each) / _seconds(each))  # noqa: E731 - one line, used once
    return _lane("Waiting", duration_text(waited), "warn", axis, bins, share, y, top=1.0)


def _lane(
    title: str,
    note: str,
    kind: str,
    axis: TimeAxis,
    bins: Sequence[Bin],
    value: Callable[[Bin], float],
    y: float,
    top: float = 0.0,
) -> Panel | None:
    """Return a narrow panel of what happens rarely; None if it never did."""
    most = top or max(map(value, bins))
    if not any(map(value, bins)):
        return None
    # What happened is seen, however little of it there was beside the worst moment.
    heights = steps_of(axis, bins, lambda each: max(value(each), most * 0.12) if value(each) else 0.0, most, _LANE)
    return Panel(title, note, y, _LANE, [PlotShape(f"fill {kind}", areas_of(heights, _LANE))])


# --- values ---


def _seconds(one: Bin) -> float:
    return max(one.sample.seconds, 0.001)


def _rate(one: Bin) -> float:
    return one.sample.requests / max(one.sample.seconds, 1.0)


def _allowed(one: Bin) -> float | None:
    return None if one.sample.allowed is None else one.sample.allowed / _seconds(one)


def _waited(one: Bin) -> float:
    return sum(one.sample.waits.values())


def _count(one: Bin, words: Sequence[str]) -> int:
    return sum(one.sample.counts.get(word, 0) for word in words)


def _per_second(one: Bin, words: Sequence[str]) -> float:
    return _count(one, words) / max(one.sample.seconds, 1.0)


# --- words ---


def clock_text(moment: float, zone: dt.tzinfo | None, *, has_seconds: bool = True) -> str:
    """Return the clock time of a moment in a time zone."""
    local = dt.datetime.fromtimestamp(moment, dt.UTC).astimezone(zone)
    return f"{local:%H:%M:%S}" if has_seconds else f"{local:%H:%M}"


def _hit(axis: TimeAxis, one: Bin, zone: dt.tzinfo | None) -> Hit:
    left, right = axis.x(one.begin), axis.x(one.end)
    return Hit(left, right - left, "; ".join(_told(one, zone)))


def _told(one: Bin, zone: dt.tzinfo | None) -> Iterator[str]:
    allowed = _allowed(one)
    of = "" if allowed is None else f" of {number_text(allowed)}"
    yield f"{clock_text(one.begin, zone)} to {clock_text(one.end, zone)}: {number_text(_rate(one))} requests/s{of}"
    if one.sample.throttled:
        yield f"{one.sample.throttled:,} throttled"
    for reason, seconds in one.sample.waits.items():
        yield f"waited {duration_text(seconds)}: {reason}"
    yield from _outcomes_told(one.sample.counts)


def _outcomes_told(counts: Mapping[str, int]) -> Iterator[str]:
    for word in ordered_words(counts):
        if counts[word]:
            yield f"{counts[word]:,} {word}"


def _zone_text(bins: Sequence[Bin], zone: dt.tzinfo | None) -> str:
    """Return the time zone of the labels: both if the clocks were changed in the time of the run."""
    ends = [dt.datetime.fromtimestamp(at, dt.UTC).astimezone(zone) for at in (bins[0].begin, bins[-1].end)]
    names = dict.fromkeys(_one_zone(each) for each in ends)
    return " and ".join(names)


def _one_zone(moment: dt.datetime) -> str:
    offset = f"{moment:%z}"
    told = f"UTC{offset[:3]}:{offset[3:5]}"
    name = moment.tzname() or ""
    return "UTC" if name == "UTC" else told if name[:1] in "+-" or not name or name == told else f"{name} ({told})"


def _summary(bins: Sequence[Bin]) -> str:
    seconds = sum(each.sample.seconds for each in bins)
    requests = sum(each.sample.requests for each in bins)
    allowed = [each.sample.allowed for each in bins]
    limit = None if None in allowed else sum(each for each in allowed if each is not None)
    rate = number_text(requests / max(seconds, 1.0))
    parts = [f"On average {rate} request{'' if rate == '1' else 's'} a second while it worked"]
    if limit is not None:
        parts.append(f", where {number_text(limit / max(seconds, 0.001))} were allowed")
    return f"{''.join(parts)}."
