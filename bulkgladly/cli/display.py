"""What a person sees while a run works: a live view on a terminal, one line a minute elsewhere."""

import logging
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bulkgladly.runs.observer import Estimate, Observer, RunView, counted, duration_text
from bulkgladly.shown import MOST_NAME, shown

__all__ = ("LineDisplay", "LiveDisplay", "display_for", "logger_for", "summary_of")

HEARTBEAT_S = 60.0
FIRST_HEARTBEAT_S = 5.0
WAIT_SHOWN_S = 2.0
SHOWN = ("created", "updated", "deleted", "unchanged", "skipped", "rejected", "unknown")


def logger_for(log_format: str) -> logging.Logger:
    """Return the logger for people's lines on stderr; with `json` each line is one object."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    if log_format == "json":
        from pythonjsonlogger.json import JsonFormatter

        handler.setFormatter(JsonFormatter("%(message)s", timestamp=True, rename_fields={"levelname": "level"}))
    logger = logging.getLogger("bulkgladly")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


class _OneLine(logging.Formatter):
    """A message as one line, whatever it quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return shown(record.getMessage())


class LineDisplay(Observer):
    """One line when the run starts, one a minute, and one for each long wait."""

    def __init__(self, logger: logging.Logger, *, is_quiet: bool = False) -> None:
        self._logger = logger
        self._is_quiet = is_quiet
        self._last = FIRST_HEARTBEAT_S - HEARTBEAT_S
        self._waiting: str | None = None

    def started(self, run: str, estimate: Estimate, *, resumed_from: int = 0) -> None:
        """Print the estimate before the first request."""
        again = f", going on after {resumed_from:,} records" if resumed_from else ""
        self._logger.info("%s: %s%s", run, estimate.text(), again, extra={"run": run, "event": "started"})

    def tick(self, view: RunView) -> None:
        """Print a heartbeat once a minute, and a long wait when it begins."""
        if view.waiting != self._waiting:
            self._waiting = view.waiting
            if view.waiting is not None and view.waiting_s >= WAIT_SHOWN_S:
                self._logger.info(
                    "waiting %s: %s",
                    duration_text(view.waiting_s),
                    view.waiting,
                    extra={"run": view.run, "event": "waiting", "wait_s": round(view.waiting_s, 1)},
                )
        if not self._is_quiet and view.seconds - self._last >= HEARTBEAT_S:
            self._last = view.seconds
            self._logger.info("%s", view_text(view), extra={"event": "progress", **view_fields(view)})

    def note(self, text: str) -> None:
        """Print a line."""
        self._logger.info("%s", text)


class LiveDisplay(LineDisplay):
    """A live view of a few lines on a terminal."""

    interval_s = 0.25

    def __init__(self, logger: logging.Logger, live: Any) -> None:
        super().__init__(logger, is_quiet=True)
        self._live = live

    def tick(self, view: RunView) -> None:
        """Redraw the view."""
        self._live.update(_panel(view))


@contextmanager
def display_for(progress: str, logger: logging.Logger) -> Iterator[Observer]:
    """Give the display that fits the terminal and the user's wish, for the length of a run."""
    is_text = not any(type(handler.formatter).__name__ == "JsonFormatter" for handler in logger.handlers)
    if progress == "bar" or (progress == "auto" and sys.stderr.isatty() and is_text):
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as live:
            yield LiveDisplay(logger, live)
    else:
        yield LineDisplay(logger, is_quiet=progress == "none")


def view_text(view: RunView) -> str:
    """Return a run's state as one line."""
    parts = [f"{view.done:,} of {'' if view.rows_exact else '~'}{view.rows:,} {view.things}"]
    parts += [f"{view.counts[word]:,} {word}" for word in SHOWN if view.counts.get(word)]
    parts.append(_pace_text(view))
    if view.throttled:
        parts.append(f"{view.throttled:,} of 429")
    if view.eta_s is not None:
        parts.append(f"{duration_text(view.eta_s)} left")
    if view.waiting is not None and view.waiting_s >= WAIT_SHOWN_S:
        parts.append(f"waiting {duration_text(view.waiting_s)}: {view.waiting}")
    return ", ".join(parts)


def _pace_text(view: RunView) -> str:
    if math.isinf(view.allowed_per_second):
        return f"{view.requests_per_second:.1f} requests/s, no limit"
    return f"{view.requests_per_second:.1f} of {view.allowed_per_second:.1f} requests/s"


def view_fields(view: RunView) -> dict[str, Any]:
    """Return a run's state as fields of a log line."""
    return {
        "run": view.run,
        "done": view.done,
        "rows": view.rows,
        "counts": dict(view.counts),
        "requests": view.requests,
        "requests_per_second": round(view.requests_per_second, 2),
        "allowed_per_second": None if math.isinf(view.allowed_per_second) else round(view.allowed_per_second, 2),
        "throttled": view.throttled,
        "eta_s": view.eta_s and round(view.eta_s),
    }


def summary_of(report: Any) -> Sequence[str]:
    """Return the end of a run as a few lines: counts, invariant, files, the next commands."""
    counts = report.counts
    told = ", ".join(f"{counts[word]:,} {word}" for word in (*SHOWN, "unprocessed") if counts[word])
    effort = f"{counted(report.requests_total, 'request')}, {counted(report.throttled, 'answer')} of 429"
    lines = [
        f"{report.run}: {report.status}" + (f" ({report.reason})" if report.reason else ""),
        f"  read {counts['read']:,} = {told or 'nothing'}"
        + ("" if report.adds_up else "   DOES NOT ADD UP: please report this as a bug"),
        f"  {effort}, {duration_text(report.seconds)}",
    ]
    lines += [f"  {detail}" for detail in report.details]
    width = max(map(len, report.files), default=0)
    lines += [f"  {name:<{width}} {about['rows']:>9,} rows  {about['path']}" for name, about in report.files.items()]
    lines += [f"  next: {command}" for command in report.next_commands]
    return lines


def _panel(view: RunView) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    top = Table.grid(padding=(0, 1))
    share = 100 * view.done / view.rows if view.rows else 0.0
    eta = f"{duration_text(view.eta_s)} left" if view.eta_s is not None else "time left: not known yet"
    about = "" if view.rows_exact else "~"
    top.add_row(
        ProgressBar(total=max(view.rows, 1), completed=view.done, width=36),
        Text(f"{view.done:,} of {about}{view.rows:,} {view.things}  {share:.1f} %  {eta}"),
    )
    told = "  ".join(f"{word} {view.counts[word]:,}" for word in SHOWN if view.counts.get(word))
    pace = f"{_pace_text(view)}  in flight {view.in_flight}  429s {view.throttled}  "
    wait = f"waiting {duration_text(view.waiting_s)}: " if view.waiting_s else ""
    # Text, not str: what Rich is given as a str it reads as markup.
    return Group(
        top,
        Text(told or "nothing done yet"),
        Text(pace + (wait + shown(view.waiting, MOST_NAME) if view.waiting else "")),
        Text("Ctrl-C stops safely (resume later); press it twice to stop at once"),
    )
