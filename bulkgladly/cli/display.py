"""What a person sees of a run: a live view on a terminal, one line a minute elsewhere, and the summary."""

import contextlib
import datetime as dt
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from bulkgladly.cli.progress_words import (
    SHOWN,
    counts_text,
    done_words,
    pace_text,
    said_counts,
    time_text,
)
from bulkgladly.cli.run_panel import panel_lines
from bulkgladly.cli.terminal_lines import Terminal, rendered, terminal_of
from bulkgladly.runs.observer import Estimate, Observer, RunView, counted, duration_text, share_text

__all__ = (
    "LineDisplay",
    "LiveDisplay",
    "display_for",
    "logger_for",
    "path_from_here",
    "read_text",
    "summary_of",
    "view_text",
)

HEARTBEAT_S = 60.0
FIRST_HEARTBEAT_S = 5.0
WAIT_SHOWN_S = 2.0


def logger_for(log_format: str) -> logging.Logger:
    """Return the logger for the lines on stderr; with `json` each line is one object."""
    handler = _Stderr(sys.stderr)
    handler.setFormatter(_OneLine())
    if log_format == "json":
        from pythonjsonlogger.json import JsonFormatter

        handler.setFormatter(JsonFormatter("%(message)s", timestamp=True, rename_fields={"levelname": "level"}))
    logger = logging.getLogger("bulkgladly")
    logger.handlers[:] = [handler]  # one process may run several commands, as tests do
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a program that uses us may have a root logger, which would print each line again
    return logger


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes lines to stderr; while there is a live view, above it."""

    live_console: Any = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. With a live view, Rich must know of it, or would draw over it."""
        if self.live_console is None:
            super().emit(record)
            return
        from rich.text import Text

        # It is wrapped already, and what is not wrapped is to stay whole.
        self.live_console.print(Text.from_ansi(self.format(record)), soft_wrap=True)


class _OneLine(logging.Formatter):
    """Formats a message as one line, whatever it quotes; a terminal gets it wrapped between words."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return rendered(record.getMessage(), terminal_of(sys.stderr))


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
        self._live.update(_Panel(view, self._now()))


class _Panel:
    """A view of a run that is put into lines when it is drawn, for the width that the terminal has then."""

    def __init__(self, view: RunView, now: dt.datetime) -> None:
        self._view, self._now = view, now

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """Yield the lines, as Rich wants them."""
        from rich.text import Text

        terminal = Terminal(options.max_width, console.color_system is not None and not console.no_color)
        lines = panel_lines(self._view, self._now, options.max_width, is_utf8=options.encoding.startswith("utf"))
        for line in lines:
            # Text, not str: what Rich is given as a str it reads as markup.
            yield Text.from_ansi(rendered(line, terminal) or " ")


@contextmanager
def _lines_above(live: Any, logger: logging.Logger) -> Iterator[None]:
    """Let the lines of a logger stand above a live view, for as long as there is one."""
    ours = [handler for handler in logger.handlers if isinstance(handler, _Stderr)]
    for handler in ours:
        handler.live_console = live.console
    try:
        yield
    finally:
        for handler in ours:
            handler.live_console = None


@contextmanager
def display_for(progress: str, logger: logging.Logger) -> Iterator[Observer]:
    """Give the display that fits the terminal and `--progress`, for the length of a run."""
    is_text = not any(type(handler.formatter).__name__ == "JsonFormatter" for handler in logger.handlers)
    # A terminal that cannot move its cursor would show nothing until the end.
    can_redraw = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    if progress == "bar" or (progress == "auto" and can_redraw and is_text):
        from rich.console import Console
        from rich.live import Live

        # `transient` removes the view at the end, so that the summary follows the command directly.
        with (
            Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as live,
            _lines_above(live, logger),
        ):
            yield LiveDisplay(logger, live)
    else:
        yield LineDisplay(logger, is_quiet=progress == "none")


def view_text(view: RunView, now: dt.datetime) -> str:
    """Return a run's state as one line. `now` is the local time."""
    share = f" ({share_text(view.done, view.rows)})" if view.rows else ""
    parts = [done_words(view) + share]
    counts = said_counts(view.counts, is_export=view.things == "units")
    parts += [f"{counts[word]:,} {word}" for word in SHOWN if counts.get(word)]
    parts.append(f"{pace_text(view)} {view.pace_note}".rstrip())
    if view.throttled:
        parts.append(f"{view.throttled:,} throttled (HTTP 429)")
    parts.append(time_text(view, now))
    if view.waiting is not None and view.waiting_s >= WAIT_SHOWN_S:
        parts.append(f"waiting {duration_text(view.waiting_s)}: {view.waiting}")
    return ", ".join(parts)


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
    """Return the end of a run as a few lines: what became of the rows, the cost, the files, the next commands.

    The page is named if it is there: a run can end without one.
    """
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
    if (page := Path(report.folder) / "report.html").exists():
        lines.append(f"  page: {path_from_here(str(page))}")
    lines += [f"  next: {command}" for command in report.next_commands]
    return lines


def read_text(report: Any) -> str:
    """Return how many rows were read, and what became of them."""
    counts = report.counts
    is_of_keys = report.mode == "repair"
    read = counted(counts["read"], "key" if is_of_keys else "row")
    # Only an export that had no trouble can know that there is nothing new.
    if report.mode == "export" and report.exit_code == 0 and counts["read"] == counts["unchanged"]:
        return f"nothing new ({read} unchanged)" if counts["read"] else "nothing new"
    if not counts["read"]:
        return "no rows"
    if (outcomes := getattr(report, "outcomes", None)) is not None:  # of an undo
        return f"{report.objects_text}: {counts_text(outcomes, (*SHOWN, 'unprocessed'))}"
    if report.mode == "plan":
        return f"{read} planned" if not counts["unprocessed"] else f"{read}: {counts['unprocessed']:,} not planned yet"
    is_export = report.mode == "export"
    text = counts_text(said_counts(counts, is_export=is_export), (*SHOWN, "unprocessed"))
    # A mapping may make several records of a row, and the counts are those of records.
    if (rows := getattr(report, "rows", 0)) not in (0, counts["read"]):
        return f"{counted(rows, 'row')}, {counted(counts['read'], 'record')}: {text}"
    return f"{read} {'fetched' if is_export else 'checked' if is_of_keys else 'read'}: {text}"


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
