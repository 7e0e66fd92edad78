"""What a person sees of a run: a live view on a terminal, one line a minute elsewhere, and the summary."""

import contextlib
import datetime as dt
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bulkgladly.runs.observer import Estimate, Observer, RunView, counted, duration_text, share_text
from bulkgladly.shown import MOST_NAME, shown

__all__ = (
    "LineDisplay",
    "LiveDisplay",
    "counts_text",
    "display_for",
    "logger_for",
    "path_from_here",
    "read_text",
    "share_text",
    "summary_of",
    "view_text",
)

HEARTBEAT_S = 60.0
FIRST_HEARTBEAT_S = 5.0
WAIT_SHOWN_S = 2.0
FAR_OFF_S = 12 * 3600.0
"""An end that is further away is named with its day."""
_SAID = {"units": "downloads"}
"""What a run counts, in words for people, where its own word is an inner one."""
_OF_EXPORTS = {"created": "new", "updated": "restated"}
"""What became of the rows of an export, in words for people."""
# In the order of the sum in the README and in report.md.
SHOWN = ("created", "new", "updated", "restated", "deleted", "unchanged", "skipped", "rejected", "unknown")


def logger_for(log_format: str) -> logging.Logger:
    """Return the logger for the lines on stderr; with `json` each line is one object."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    if log_format == "json":
        from pythonjsonlogger.json import JsonFormatter

        handler.setFormatter(JsonFormatter("%(message)s", timestamp=True, rename_fields={"levelname": "level"}))
    logger = logging.getLogger("bulkgladly")
    logger.handlers[:] = [handler]  # one process may run several commands, as tests do
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a program that uses us may have a root logger, which would print each line again
    return logger


class _OneLine(logging.Formatter):
    """Formats a message as one line, whatever it quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return shown(record.getMessage())


class LineDisplay(Observer):
    """Prints one line when the run starts, one a minute, and one for each long wait.

    The first comes after a few seconds, so that one sees soon whether it works. `now` is the local
    time, for the time of day at which the run will end.
    """

    def __init__(
        self, logger: logging.Logger, *, is_quiet: bool = False, now: Callable[[], dt.datetime] = dt.datetime.now
    ) -> None:
        self._logger, self._now = logger, now
        self._is_quiet = is_quiet
        self._last = FIRST_HEARTBEAT_S - HEARTBEAT_S
        self._waiting: str | None = None

    def started(self, run: str, estimate: Estimate, *, resumed_from: int = 0) -> None:
        """Print the estimate before the first request."""
        again = f"; continues after {counted(resumed_from, 'record')}" if resumed_from else ""
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
            self._logger.info("%s", view_text(view, self._now()), extra={"event": "progress", **view_fields(view)})

    def note(self, text: str) -> None:
        """Print a line."""
        self._logger.info("%s", text)


class LiveDisplay(LineDisplay):
    """Redraws a few lines on a terminal."""

    interval_s = 0.25

    def __init__(self, logger: logging.Logger, live: Any) -> None:
        super().__init__(logger, is_quiet=True)
        self._live = live

    def tick(self, view: RunView) -> None:
        """Redraw the view."""
        self._live.update(_panel(view, self._now()))


@contextmanager
def display_for(progress: str, logger: logging.Logger) -> Iterator[Observer]:
    """Give the display that fits the terminal and `--progress`, for the length of a run."""
    is_text = not any(type(handler.formatter).__name__ == "JsonFormatter" for handler in logger.handlers)
    if progress == "bar" or (progress == "auto" and sys.stderr.isatty() and is_text):
        from rich.console import Console
        from rich.live import Live

        # `transient` removes the view at the end, so that the summary follows the command directly.
        with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as live:
            yield LiveDisplay(logger, live)
    else:
        yield LineDisplay(logger, is_quiet=progress == "none")


def counts_text(counts: Mapping[str, int], words: Sequence[str]) -> str:
    """Return the counts that are not 0, each with its share where there are several."""
    found = {word: counts[word] for word in words if counts.get(word)}
    total = sum(found.values())
    return ", ".join(
        f"{number:,} {word}" + (f" ({share_text(number, total)})" if len(found) > 1 else "")
        for word, number in found.items()
    )


def view_text(view: RunView, now: dt.datetime) -> str:
    """Return a run's state as one line. `now` is the local time."""
    parts = [_done_text(view)]
    counts = _said_counts(view.counts, is_export=view.things == "units")
    parts += [f"{counts[word]:,} {word}" for word in SHOWN if counts.get(word)]
    parts.append(_pace_text(view))
    if view.throttled:
        parts.append(f"{view.throttled:,} throttled (HTTP 429)")
    parts.append(_time_text(view, now))
    if view.waiting is not None and view.waiting_s >= WAIT_SHOWN_S:
        parts.append(f"waiting {duration_text(view.waiting_s)}: {view.waiting}")
    return ", ".join(parts)


def _said_counts(counts: Mapping[str, int], *, is_export: bool) -> Mapping[str, int]:
    """Return counts under the words that people read: what an export creates is new in the data set, not in Gladly."""
    return {_OF_EXPORTS.get(word, word) if is_export else word: number for word, number in counts.items()}


def _done_text(view: RunView) -> str:
    share = f" ({share_text(view.done, view.rows)})" if view.rows else ""
    things = _SAID.get(view.things, view.things)
    return f"{view.done:,} of {'' if view.rows_exact else 'about '}{view.rows:,} {things}{share}"


def _pace_text(view: RunView) -> str:
    if math.isinf(view.allowed_per_second):
        return f"{view.requests_per_second:.1f} requests/s, no limit"
    return f"{view.requests_per_second:.1f} of {view.allowed_per_second:.1f} requests/s"


def _time_text(view: RunView, now: dt.datetime) -> str:
    elapsed = f"{duration_text(view.seconds)} elapsed"
    if view.eta_s is None:
        return elapsed
    end = now + dt.timedelta(seconds=view.eta_s)
    at = end.strftime("%a %H:%M" if view.eta_s > FAR_OFF_S else "%H:%M")
    return f"{elapsed}, {duration_text(view.eta_s)} left (until {at})"


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
    """Return the end of a run as a few lines: what became of the rows, the cost, the files, the next commands."""
    lines = [
        f"{report.run}: {report.status}" + (f" ({report.reason})" if report.reason else ""),
        f"  {read_text(report)}" + ("" if report.adds_up else "; these do not add up, please report this as a bug"),
        f"  {_cost_text(report)}",
    ]
    lines += [f"  {detail.strip()}" for detail in report.details]
    files = {name: about for name, about in report.files.items() if about["rows"]}
    width = max(map(len, files), default=0)
    most = max((len(_rows_text(about)) for about in files.values()), default=0)
    lines += [
        f"  {name:<{width}}  {_rows_text(about):>{most}}  {path_from_here(about['path'])}"
        for name, about in files.items()
    ]
    lines += [f"  next: {command}" for command in report.next_commands]
    return lines


def read_text(report: Any) -> str:
    """Return how many rows were read, and what became of them."""
    counts = report.counts
    read = counted(counts["read"], "row")
    # Only an export that had no trouble can know that there is nothing new.
    if report.mode == "export" and report.exit_code == 0 and counts["read"] == counts["unchanged"]:
        return f"nothing new ({read} unchanged)" if counts["read"] else "nothing new"
    if not counts["read"]:
        return "no rows"
    is_export = report.mode == "export"
    text = counts_text(_said_counts(counts, is_export=is_export), (*SHOWN, "unprocessed"))
    # A mapping may make several records of a row, and the counts are those of records.
    if (rows := getattr(report, "rows", 0)) not in (0, counts["read"]):
        return f"{counted(rows, 'row')}, {counted(counts['read'], 'record')}: {text}"
    return f"{read} {'fetched' if is_export else 'read'}: {text}"


def _rows_text(about: Mapping[str, Any]) -> str:
    return counted(about["rows"], "row")


def path_from_here(path: str) -> str:
    """Return a path relative to the working directory if it is below it: shorter, and it can be copied all the same."""
    with contextlib.suppress(ValueError, OSError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def _cost_text(report: Any) -> str:
    throttled = f", {report.throttled:,} throttled (HTTP 429)" if report.throttled else ""
    return f"{counted(report.requests_total, 'request')} in {duration_text(report.seconds)}{throttled}"


def _panel(view: RunView, now: dt.datetime) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    top = Table.grid(padding=(0, 1))
    top.add_row(ProgressBar(total=max(view.rows, 1), completed=view.done, width=36), Text(_done_text(view)))
    told = counts_text(_said_counts(view.counts, is_export=view.things == "units"), SHOWN)
    throttled = f", {view.throttled:,} throttled (HTTP 429)" if view.throttled else ""
    lines = [told] if told else []
    lines.append(f"{_pace_text(view)}, {view.in_flight:,} in flight{throttled}")
    lines.append(_time_text(view, now))
    if view.waiting:
        wait = f"waiting {duration_text(view.waiting_s)}: " if view.waiting_s else ""
        lines.append(wait + shown(view.waiting, MOST_NAME))
    hint = "Ctrl-C stops safely (resume later); press it twice to stop at once"
    lines.append("press Ctrl-C again to stop at once" if view.is_stopping else hint)
    # Text, not str: what Rich is given as a str it reads as markup.
    return Group(top, *map(Text, lines))
