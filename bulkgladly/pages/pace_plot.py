"""The plot of a page: rate against budget, outcomes, throttling and waits over the time of a run, as shapes. Pure.

Widths are shares of the plot, so that the same picture fits a phone and a screen; heights are in pixels.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from bulkgladly.pages.outcome_words import colour_of, is_problem, ordered_words
from bulkgladly.pages.plot_marks import Band, Mark, marked
from bulkgladly.pages.run_facts import RunFacts
from bulkgladly.pages.time_axis import Bin, Tick, TimeAxis, bins_of
from bulkgladly.plain_words import counted, duration_text

__all__ = ("WIDTH", "GridLine", "Hit", "PacePlot", "Panel", "Shape", "clock_text", "pace_plot", "scale_of")

WIDTH = 10_000
"""Of the coordinates in paths, so that a thousandth of a pixel is a whole number."""
_TOP, _HEAD, _GAP, _AXIS = 26, 24, 14, 44
_PACE, _OUTCOMES, _LANE = 190, 90, 26
_MANY = 0.1
_UNITS = ((1.0, 1.0, "second"), (1 / 60, 60.0, "minute"), (0.0, 3600.0, "hour"))


class Shape(NamedTuple):
    """A path and the class of its colour."""

    kind: str
    path: str


class GridLine(NamedTuple):
    """A value of the vertical axis: its height within the panel, and its label."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the plots above each other: `y` is where its heading stands, `top` where its shapes begin."""

    title: str
    note: str
    y: float
    height: float
    shapes: Sequence[Shape]
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
    bands: Sequence[Band]
    marks: Sequence[Mark]
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
    rates = _steps(axis, bins, _rate, top, _PACE)
    shapes = [Shape("pace area", _areas(rates, _PACE)), Shape("pace line", _lines(rates))]
    budget = None
    if budgets:
        allowed = _steps(axis, [each for each in bins if _allowed(each) is not None], _allowed, top, _PACE)
        shapes.append(Shape("budget line", _lines(allowed)))
        budget = GridLine(_y(budgets[-1], top, _PACE), f"allowed: {_number(budgets[-1])}/s")
    return Panel("Requests per second", "", 0.0 + _TOP - _HEAD + 4, _PACE, shapes, _grid(step, top, _PACE), budget)


def _outcome_panel(axis: TimeAxis, bins: Sequence[Bin], words: Sequence[str], things: str, y: float) -> Panel | None:
    if not words:
        return None
    most = max(_per_second(each, words) for each in bins)
    _, factor, unit = next(each for each in _UNITS if most >= each[0])
    top = most * factor or 1.0
    shapes = []
    # The whole first, then ever smaller stacks before it: no shape needs a lower edge of its own.
    for number in range(len(words), 0, -1):
        heights = _steps(axis, bins, _stacked(words[:number], factor), top, _OUTCOMES)
        shapes.append(Shape(f"fill {colour_of(words[number - 1])}", _areas(heights, _OUTCOMES)))
    note = f"at most {_number(most * factor)}"
    return Panel(f"{things.capitalize()} per {unit}, by outcome", note, y, _OUTCOMES, shapes)


def _stacked(words: Sequence[str], factor: float) -> Callable[[Bin], float]:
    return lambda each: factor * _per_second(each, words)


def _problem_panel(axis: TimeAxis, bins: Sequence[Bin], words: Sequence[str], things: str, y: float) -> Panel | None:
    number = sum(_count(each, words) for each in bins)
    share = lambda each: _count(each, words) / max(1, sum(each.sample.counts.values()))  # noqa: E731
    # A few among many stay low; only a tenth of the rows or more fills the height.
    top = max(_MANY, *map(share, bins), 0.0)
    return _lane("Not accepted", counted(number, things.removesuffix("s")), "bad", axis, bins, share, y, top=top)


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
    heights = _steps(axis, bins, lambda each: max(value(each), most * 0.12) if value(each) else 0.0, most, _LANE)
    return Panel(title, note, y, _LANE, [Shape(f"fill {kind}", _areas(heights, _LANE))])


# --- values and shapes ---


class _Step(NamedTuple):
    left: int
    right: int
    y: float


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


def _y(value: float, top: float, height: float) -> float:
    return round(height - height * min(value, top) / top, 1)


def _steps(
    axis: TimeAxis, bins: Sequence[Bin], value: Callable[[Bin], float | None], top: float, height: float
) -> list[list[_Step]]:
    """Return the bins as steps, those without a gap between them together."""
    found: list[list[_Step]] = []
    for each in bins:
        left, right = (round(WIDTH * axis.x(at)) for at in (each.begin, each.end))
        # What follows at once is joined, as far as the eye can see; a gap of the axis is wider.
        is_next = found and left - found[-1][-1].right <= WIDTH // 250
        step = _Step(found[-1][-1].right if is_next else left, right, _y(value(each) or 0.0, top, height))
        found[-1].append(step) if is_next else found.append([step])
    return found


def _lines(groups: Sequence[Sequence[_Step]]) -> str:
    return "".join(f"M{group[0].left} {group[0].y:g}{_along(group)}" for group in groups)


def _areas(groups: Sequence[Sequence[_Step]], height: float) -> str:
    return "".join(f"M{group[0].left} {height:g}V{group[0].y:g}{_along(group)}V{height:g}Z" for group in groups)


def _along(group: Sequence[_Step]) -> str:
    rest = [
        f"V{after.y:g}H{after.right}" if after.y != before.y else f"H{after.right}" for before, after in pairwise(group)
    ]
    return f"H{group[0].right}{''.join(rest)}"


def scale_of(most: float) -> tuple[float, float]:
    """Return the step of a grid of two to four lines for values up to `most`, and the value at its top."""
    if most <= 0:
        return 1.0, 1.0
    size = 1.0
    while size > most:
        size /= 10
    while size * 10 <= most:
        size *= 10
    step = next(each * size for each in (0.25, 0.5, 1.0, 2.5, 5.0) if most / (each * size) <= 4)
    return step, most


def _grid(step: float, top: float, height: float) -> list[GridLine]:
    number = int(top / step + 1e-9)
    return [GridLine(_y(step * at, top, height), _number(step * at)) for at in range(number + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


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
    of = "" if allowed is None else f" of {_number(allowed)}"
    yield f"{clock_text(one.begin, zone)} to {clock_text(one.end, zone)}: {_number(_rate(one))} requests/s{of}"
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
    parts = [f"On average {_number(requests / max(seconds, 1.0))} requests a second while it worked"]
    if limit is not None:
        parts.append(f", where {_number(limit / max(seconds, 0.001))} were allowed")
    return f"{''.join(parts)}."
