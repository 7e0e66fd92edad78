"""The shapes of a plot: steps along the axis of time as paths, and the grid behind them. Pure."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from bulkgladly.pages.time_axis import Bin, TimeAxis

__all__ = (
    "WIDTH",
    "GridLine",
    "PlotShape",
    "Step",
    "areas_of",
    "grid_of",
    "height_of",
    "lines_of",
    "number_text",
    "scale_of",
    "steps_of",
)

WIDTH = 10_000
"""Of the coordinates in paths, so that a tenth of a pixel is a whole number."""


class PlotShape(NamedTuple):
    """A path and the class of its colour."""

    kind: str
    path: str


class GridLine(NamedTuple):
    """A value of the vertical axis: its height within the panel, and its label."""

    y: float
    text: str


class Step(NamedTuple):
    """A bin as it is drawn: from left to right in thousandths, and its height from the top in pixels."""

    left: int
    right: int
    y: float


def height_of(value: float, top: float, height: float) -> float:
    """Return where a value lies below the top of a panel of this height, whose top is the value `top`."""
    return round(height - height * min(value, top) / top, 1)


def steps_of(
    axis: TimeAxis, bins: Sequence[Bin], value: Callable[[Bin], float | None], top: float, height: float
) -> list[list[Step]]:
    """Return the bins as steps, those without a gap between them together."""
    found: list[list[Step]] = []
    for each in bins:
        left, right = (round(WIDTH * axis.x(at)) for at in (each.begin, each.end))
        # What follows at once is joined, as far as the eye can see; a gap of the axis is wider.
        is_next = found and left - found[-1][-1].right <= WIDTH // 250
        step = Step(found[-1][-1].right if is_next else left, right, height_of(value(each) or 0.0, top, height))
        found[-1].append(step) if is_next else found.append([step])
    return found


def lines_of(groups: Sequence[Sequence[Step]]) -> str:
    """Return the path along the tops of steps."""
    return "".join(f"M{group[0].left} {group[0].y:g}{_along(group)}" for group in groups)


def areas_of(groups: Sequence[Sequence[Step]], height: float) -> str:
    """Return the path around steps, down to the foot of a panel of this height."""
    return "".join(f"M{group[0].left} {height:g}V{group[0].y:g}{_along(group)}V{height:g}Z" for group in groups)


def _along(group: Sequence[Step]) -> str:
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


def grid_of(step: float, top: float, height: float) -> list[GridLine]:
    """Return the lines of a grid from 0 to the top, a step apart."""
    number = int(top / step + 1e-9)
    return [GridLine(height_of(step * at, top, height), number_text(step * at)) for at in range(number + 1)]


def number_text(value: float) -> str:
    """Return a rate as people read it: 8.97, 1,250."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
