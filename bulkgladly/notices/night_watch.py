"""The watch over one command: it is told how the command goes, and tells others. One place for all commands."""

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import Any

from bulkgladly.notices.call_end import CallEnd
from bulkgladly.notices.chat_notices import ChatNotices
from bulkgladly.notices.finish_command import run_finish_command
from bulkgladly.notices.metric_outlets import MetricsFile, MetricsServer
from bulkgladly.notices.notice_options import NoticeOptions, NoticeTimes
from bulkgladly.notices.ping import Ping
from bulkgladly.notices.run_metrics import RunMetrics
from bulkgladly.runs.observer import Estimate, EventView, Observer, RunView

__all__ = ("NightWatch",)


class NightWatch:
    """Watches one command. Call `finish` once, whatever happens; nothing but the constructor raises.

    The order at the end: metrics, ping, `--on-finish`, `--notify`. Killed: nothing is sent, which the ping service
    notices.
    """

    def __init__(
        self,
        command: str,
        options: NoticeOptions,
        tell: Callable[[str], None],
        *,
        hidden: Collection[str] = (),
        is_endless: bool = False,
        times: NoticeTimes | None = None,
    ) -> None:
        """Check all that can be checked, and begin to measure; nothing has been sent yet.

        `hidden` are variables that `--on-finish` does not get. A command that `is_endless` sends no ping of its start,
        since the service would wait for an end that is not to come.

        Raises:
            UsageError: A package is missing, or an option cannot work.
        """
        self._command, self._options, self._told, self._hidden = command, options, tell, hidden
        self._note: Callable[[str], None] | None = None
        self._times = times or NoticeTimes()
        self._metrics = RunMetrics(command)
        self._run, self._report, self._failure = "", None, ""
        self._ping = Ping(options.ping, self._tell, self._times) if options.ping else None
        self._pings_start = not is_endless
        self._chat = ChatNotices(options.notify, self._tell, self._times.notify_s) if options.notify else None
        self._measuring = ExitStack()
        self._measure()

    def _measure(self) -> None:
        """Begin to write and to serve metrics. The address comes first, so that an error leaves no thread behind."""
        options, figures = self._options, self._metrics.figures
        file = None
        if (path := options.metrics_file) is not None:
            every_s = self._times.metrics_every_s
            file = MetricsFile(path, self._command, figures, self._tell, every_s=every_s)
        if options.metrics_at is not None:
            self._measuring.callback(MetricsServer(options.metrics_at, figures).end)
        if file is not None:
            file.start()
            self._measuring.callback(file.end)

    # --- what is told ---

    def observing(self, shown: Observer) -> Observer:
        """Return an observer that passes everything on to the display, and lets the watch know."""
        self._note = shown.note
        return _Watching(shown, self)

    def began(self, run: str) -> None:
        """Note that a run has begun, and send the ping of the start."""
        self._run = self._run or run
        self._metrics.began(run)
        if self._ping is not None and self._pings_start:
            self._ping.start(self._run)

    def saw(self, view: RunView) -> None:
        """Note the progress of a run."""
        self._metrics.saw(view)

    def received(self, view: EventView) -> None:
        """Note the state of `follow` or `listen`."""
        self._metrics.received(view)

    def reported(self, report: Any) -> None:
        """Note what the work of the command has returned."""
        self._report, self._note = report, None
        self._metrics.reported(report)

    def failed(self, failure: str) -> None:
        """Note why the command ended without a report; the text must not contain values of rows."""
        self._failure = failure

    # --- the end ---

    def finish(self, exit_code: int) -> None:
        """Tell everybody that the command has ended. A second Ctrl-C leaves out what has not been told yet."""
        self._note = None
        is_good = exit_code in self._options.good_codes
        if is_good:
            self._metrics.succeeded(time.time())
        try:
            self._guarded("metrics", self._measuring.close)
            end = CallEnd.of(
                self._command, exit_code, is_good=is_good, run=self._run, report=self._report, failure=self._failure
            )
            self._guarded("--ping", lambda: self._send_ping(end))
            self._guarded("--on-finish", lambda: self._run_command(end))
            self._guarded("--notify", lambda: self._notify(end))
        except KeyboardInterrupt:
            self._tell("stopped; what was not told yet is left out")
        except Exception as error:  # noqa: BLE001 - the end of the command stays what it is
            self._tell(f"the notices could not be made: {type(error).__name__}; please report this as a bug")

    def _tell(self, line: str) -> None:
        """Tell people something: as the display does while there is one, since it would be drawn over."""
        (self._note or self._told)(line)

    def _guarded(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - neither may keep the others from being told
            self._tell(f"{what} failed: {type(error).__name__}; please report this as a bug")

    def _send_ping(self, end: CallEnd) -> None:
        if self._ping is not None:
            self._ping.end(0 if end.is_good else end.exit_code or 1, end.tail(), end.run)

    def _run_command(self, end: CallEnd) -> None:
        if self._options.on_finish:
            within_s = self._times.command_s
            run_finish_command(self._options.on_finish, end, self._tell, hidden=self._hidden, within_s=within_s)

    def _notify(self, end: CallEnd) -> None:
        if self._chat is not None and (self._options.is_always or not end.is_good):
            self._chat.send(end.title, end.text(), is_good=end.is_good)


class _Watching(Observer):
    """Passes on what a run tells, and lets a watch know."""

    def __init__(self, shown: Observer, watch: NightWatch) -> None:
        self._shown, self._watch = shown, watch
        self.interval_s = shown.interval_s

    def began(self, run: str) -> None:
        """A session has begun."""
        self._watch.began(run)
        self._shown.began(run)

    def started(self, run: str, estimate: Estimate, *, resumed_from: int = 0) -> None:
        """The first request is about to leave."""
        self._shown.started(run, estimate, resumed_from=resumed_from)

    def tick(self, view: RunView) -> None:
        """The run has gone on."""
        self._watch.saw(view)
        self._shown.tick(view)

    def received(self, view: EventView) -> None:
        """The service has gone on."""
        self._watch.received(view)
        self._shown.received(view)

    def note(self, text: str) -> None:
        """Something has happened."""
        self._shown.note(text)
