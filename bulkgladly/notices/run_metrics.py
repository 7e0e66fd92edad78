"""The figures of a command for monitoring, under the names that dashboards and alert rules use. Pure."""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bulkgladly._version import __version__
from bulkgladly.runs.observer import EventView, RunView

__all__ = ("METRICS", "Metric", "MetricValue", "RunMetrics")

_LOSS_FORM = "%Y-%m-%d %H:%M UTC"
"""As an export says when the next data will be lost."""
_NOT_OUTCOMES = ("read", "unprocessed")


class Metric(NamedTuple):
    """What is measured: `counter` or `gauge`, what it means, and its labels besides `command`."""

    kind: str
    about: str
    labels: tuple[str, ...] = ()


METRICS: Mapping[str, Metric] = {
    "bulkgladly_requests_total": Metric(
        "counter", "Requests to Gladly, by what their responses meant.", ("method", "outcome")
    ),
    "bulkgladly_records_total": Metric(
        "counter", "Records by outcome, all sessions of a run.", ("resource", "outcome")
    ),
    "bulkgladly_units_total": Metric("counter", "Downloads of an export by their end.", ("data_set", "state")),
    "bulkgladly_rows_published_total": Metric("counter", "Rows added to a data set or replaced in it.", ("data_set",)),
    "bulkgladly_events_total": Metric("counter", "Events received, by the way on which they came.", ("via",)),
    "bulkgladly_inbox_lag_seconds": Metric(
        "gauge", "How long the oldest received event has waited to be used, beyond what --land-every lets it wait."
    ),
    "bulkgladly_budget_share": Metric("gauge", "Requests per second, as a share of what the pace allows."),
    "bulkgladly_throttled_seconds_total": Metric("counter", "Seconds in which Gladly's limit held all requests."),
    "bulkgladly_next_loss_timestamp_seconds": Metric(
        "gauge", "When Gladly deletes data that was not fetched, unless another export runs before."
    ),
    "bulkgladly_last_success_timestamp_seconds": Metric("gauge", "When the command last ended well."),
    "bulkgladly_run_info": Metric("gauge", "The present or last run.", ("run", "version")),
}
"""By name; counters end in `_total`, and times are in seconds."""


class MetricValue(NamedTuple):
    """One figure: the name of its metric, its labels, and its value."""

    name: str
    labels: Mapping[str, str]
    value: float


class RunMetrics:
    """Collects what a command tells, and returns it as figures. Callable from any thread.

    A command may work on several runs, one after the other: their figures are added.
    """

    def __init__(self, command: str) -> None:
        """Nothing is known yet."""
        self._command = command
        self._run = ""
        self._views: dict[str, RunView] = {}
        self._events: EventView | None = None
        self._report: Any = None
        self._succeeded_at: float | None = None

    # --- what is told ---

    def began(self, run: str) -> None:
        """Note which run is worked on now."""
        self._run = run

    def saw(self, view: RunView) -> None:
        """Note the progress of a run."""
        self._views[view.run] = view

    def received(self, view: EventView) -> None:
        """Note the state of a service that receives events."""
        self._events = view

    def reported(self, report: Any) -> None:
        """Note what the command returns at its end."""
        self._report = report

    def succeeded(self, at: float) -> None:
        """Note that the command ended well, in seconds since 1970."""
        self._succeeded_at = at

    # --- what is known ---

    def figures(self) -> list[MetricValue]:
        """Return all figures, in the order of `METRICS`."""
        found = [*self._work(), *self._of_report(), *self._of_events()]
        if self._succeeded_at is not None:
            found.append(self._one("last_success_timestamp_seconds", self._succeeded_at))
        found.append(self._one("run_info", 1, run=self._run, version=__version__))
        order = list(METRICS)
        return sorted(found, key=lambda figure: order.index(figure.name))

    def _one(self, name: str, value: float, **labels: str) -> MetricValue:
        return MetricValue(f"bulkgladly_{name}", {"command": self._command, **labels}, value)

    def _work(self) -> Iterable[MetricValue]:
        sources: list[RunView | EventView] = list(self._views.values())
        sources += [self._events] if self._events is not None else []
        requests: Counter[tuple[str, str]] = Counter()
        for source in sources:
            requests.update(source.outcomes)
        for (method, outcome), number in requests.items():
            yield self._one("requests_total", number, method=method, outcome=outcome)
        for (resource, outcome), number in self._records().items():
            yield self._one("records_total", number, resource=resource, outcome=outcome)
        if sources:
            yield self._one("throttled_seconds_total", sum(source.throttled_s for source in sources))
            yield self._one("budget_share", _share(sources[-1].requests_per_second, sources[-1].allowed_per_second))

    def _records(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for view in list(self._views.values()):
            for word, number in view.counts.items():
                if word not in _NOT_OUTCOMES:
                    found[_resource_of(view.run), word] += number
        return found

    def _of_report(self) -> Iterable[MetricValue]:
        report = self._report
        for data_set, states in (getattr(report, "units", None) or {}).items():
            for state, number in states.items():
                yield self._one("units_total", number, data_set=data_set, state=state)
        for data_set, number in (getattr(report, "published", None) or {}).items():
            yield self._one("rows_published_total", number, data_set=data_set)
        if (loss := getattr(report, "next_loss", None)) is not None:
            moment = dt.datetime.strptime(loss, _LOSS_FORM).replace(tzinfo=dt.UTC)
            yield self._one("next_loss_timestamp_seconds", moment.timestamp())

    def _of_events(self) -> Iterable[MetricValue]:
        if (view := self._events) is not None:
            for via, number in view.events.items():
                yield self._one("events_total", number, via=via)
            yield self._one("inbox_lag_seconds", view.lag_s)


def _resource_of(run: str) -> str:
    """Return what a run moves, from its name: `customers-upsert_20261127T021500Z_4a20f903`."""
    return run.partition("_")[0].rpartition("-")[0] or run


def _share(now: float, most: float) -> float:
    return now / most if most > 0 and math.isfinite(most) else 0.0
