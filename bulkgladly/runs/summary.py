"""What a run did: the fields that every summary has, its page for people, and its files.

The page begins with what a person wants to know who forwards it, or to whom it is forwarded. What support asks for
stands at its end.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import orjson

from bulkgladly import plain_words
from bulkgladly._version import __version__
from bulkgladly.commands import next_command
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.plain_words import cause_text, counted, duration_text
from bulkgladly.records import Word
from bulkgladly.shown import cell_text, shown, shown_cell
from bulkgladly.storage.durable import write_private
from bulkgladly.storage.failures import not_written

__all__ = (
    "COUNT_WORDS",
    "Ending",
    "Summary",
    "cause_text",
    "common_fields",
    "day_text",
    "page_problem",
    "resume_command",
    "status_of",
    "table_of",
    "written",
)

COUNT_WORDS = (*[word.value for word in Word], "unprocessed")
_SIGNAL = 128
_BY_LIMIT = (3, 10)
_WELL = (0, 1)
_LONG_S = 30.0
"""A wait that people have noticed."""

S = TypeVar("S", bound="Summary")


class Ending(NamedTuple):
    """How a run ended: status, exit code, and the reason if it stopped early."""

    status: str
    exit_code: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run did, all its sessions together. `report.json` and `--json` hold the same.

    `counts` has `read` and one entry per outcome word and `unprocessed`; `adds_up` says
    whether `read` is the sum of the others. `waits_s` has the seconds in which all requests
    were paused, by reason; `seconds` is the working time of all sessions, `elapsed_s` the time from the beginning to
    the end. `interruptions` are the pauses between sessions: `stopped_at`, `resumed_at`, and the `reason`, if the
    process could still say it. `inputs` are the names of the files, `settings` what differs from the defaults.

    Each kind of run has a subclass with further fields, and overrides `_title`, `_told`, `_tables` and `details` for
    its page. Most fields come from `common_fields`; the subclass adds `counts`, `files`, `settings` and the `Ending`.
    """

    things: ClassVar[str] = "records"
    """What the outcomes count, in the plural."""
    words: ClassVar[tuple[str, ...]] = COUNT_WORDS
    """The outcomes in `counts`, besides `read`."""

    run: str
    status: str
    exit_code: int
    reason: str | None
    resource: str
    mode: str
    host: str
    counts: Mapping[str, int]
    requests: Mapping[str, int]
    requests_total: int
    throttled: int
    waits_s: Mapping[str, float]
    seconds: float
    files: Mapping[str, Mapping[str, Any]]
    folder: str
    rejects_by_code: Mapping[str, int] = field(default_factory=dict)
    next_commands: tuple[str, ...] = ()
    started_at: str = ""
    ended_at: str = ""
    elapsed_s: float = 0.0
    interruptions: tuple[Mapping[str, str | None], ...] = ()
    inputs: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def adds_up(self) -> bool:
        """The invariant: `read` is the sum of all outcomes and of what was not reached."""
        return self.counts["read"] == sum(self.counts[word] for word in self.words)

    @property
    def details(self) -> tuple[str, ...]:
        """Further lines for people, besides counts and files."""
        return ()

    @property
    def per_second(self) -> float:
        """Requests per second over the working time."""
        return self.requests_total / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the summary in the form of `report.json`."""
        return {
            **asdict(self),
            "title": cell_text(self._title()),
            "verdict": cell_text(self._verdict()),
            "things": self.things,
            "details": self.details,
            "invariant_holds": self.adds_up,
        }

    def as_markdown(self) -> str:
        """Return the summary as one page for people."""
        requests = sorted(self.requests.items())
        parts = [
            f"# {self._title()}{day_text(self.ended_at)}",
            f"**{self._verdict()}**",
            *self._told(),
            self._duration(),
        ]
        if self.next_commands:
            parts.append("Next:\n\n" + "\n".join(f"    {shown(command)}" for command in self.next_commands))
        reason = f", {shown_cell(self.reason)}" if self.reason else ""
        what = f"Run {self.run}: {self.resource}, {self.mode}, {self.host}"
        parts += [
            "## Details for support",
            f"{what}, bulkgladly {__version__}; {self.status} (exit code {self.exit_code}){reason}",
            table_of(("outcome", self.things), [("read", self.counts["read"]), *self._outcomes()]),
            *([table_of(("request", "sent"), requests)] if requests else []),
            f"{self._effort()}; {self.started_at} to {self.ended_at}.",
            *self._tables(),
            *([f"Settings: {_settings_text(self.settings)}."] if self.settings else []),
        ]
        return "\n\n".join(parts) + "\n"

    def _title(self) -> str:
        """Return what was moved, and from where to where; the date is added."""
        return self.run

    def _verdict(self) -> str:
        """Return how the run ended, as one sentence."""
        if self.status == "complete":
            return "Finished." if not self.exit_code else "Finished, but not everything arrived."
        how = "Not finished" if self.status in ("stopped", "interrupted") else "Failed"
        return f"{how}: {shown_cell(cause_text(self.reason)).rstrip('.')}."

    def _told(self) -> list[str]:
        """Return the parts of the page that say what became of the items."""
        return []

    def _outcomes(self) -> list[tuple[str, int]]:
        """Return the outcomes that occurred, under the words that people read."""
        return [(word.replace("_", " "), self.counts[word]) for word in self.words if self.counts[word]]

    def _tables(self) -> list[str]:
        """Return the parts of the page at its end, for support."""
        return []

    def _duration(self) -> str:
        took = f"Took {duration_text(self.elapsed_s or self.seconds)}"
        waits = [f"{duration_text(span)} ({shown_cell(why)})" for why, span in self.waits_s.items() if span >= _LONG_S]
        took += f", waited {', '.join(waits)}" if waits else ""
        if not self.interruptions:
            return f"{took}."
        pauses = "; ".join(_pause_text(each) for each in self.interruptions)
        number = counted(len(self.interruptions), "interruption")
        return f"{took}, {duration_text(self.seconds)} of it working. {number}: {pauses}."

    def _effort(self) -> str:
        throttled = f"{counted(self.throttled, 'request')} throttled (HTTP 429); " if self.throttled else ""
        return f"{throttled}{duration_text(self.seconds)} of work"


def day_text(moment: str) -> str:
    """Return the local day of an ISO time as the end of a heading: `, 27 November 2026`; nothing if there is none."""
    if not moment:
        return ""
    return f", {plain_words.day_text(dt.datetime.fromisoformat(moment).astimezone())}"


def _pause_text(pause: Mapping[str, str | None]) -> str:
    stopped, resumed = (
        dt.datetime.fromisoformat(pause[name] or "").astimezone() for name in ("stopped_at", "resumed_at")
    )
    form = "%H:%M" if stopped.date() == resumed.date() else "%d.%m. %H:%M"
    cause = shown_cell(cause_text(pause["reason"]))
    return f"at {stopped:{form}} {cause}, continued at {resumed:{form}}"


def _settings_text(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} = {shown_cell(value if isinstance(value, str) else orjson.dumps(value, default=str).decode())}"
        for name, value in settings.items()
    )


def table_of(head: tuple[str, str], rows: list[tuple[str, int]]) -> str:
    """Return names and numbers as a Markdown table."""
    return f"| {head[0]} | {head[1]} |\n|---|---:|\n" + "\n".join(f"| {name} | {number:,} |" for name, number in rows)


def status_of(exit_code: int) -> str:
    """Return the status of a run that ended early."""
    if exit_code in _BY_LIMIT:
        return "stopped"
    return "interrupted" if exit_code > _SIGNAL else "failed"


def common_fields(run: RunFolder, vitals: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a summary that every run has; `vitals` say what the run has cost."""
    header = run.header()
    ended_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    begun = dt.datetime.fromisoformat(header.created_at)
    sessions = vitals.get("sessions", ())
    return {
        "run": run.name,
        "resource": header.resource,
        "mode": header.mode,
        "host": header.host,
        "requests": vitals["requests"],
        "requests_total": sum(vitals["requests"].values()),
        "throttled": vitals["throttled"],
        "waits_s": vitals["waits"],
        "seconds": vitals["seconds"],
        "folder": str(run.path),
        "started_at": header.created_at,
        "ended_at": ended_at,
        "elapsed_s": max(vitals["seconds"], (dt.datetime.fromisoformat(ended_at) - begun).total_seconds()),
        "interruptions": tuple(
            {"stopped_at": before["until"], "resumed_at": after["from"], "reason": before["reason"]}
            for before, after in pairwise(sessions)
        ),
    }


def resume_command(run: RunFolder) -> str:
    """Return the command that resumes a run."""
    return next_command("resume", run.name, state_dir=run.state_dir, connects=True)


def written(run: RunFolder, summary: S) -> tuple[S, str | None]:
    """Write the files of a summary, and return the final summary and what went wrong, if anything.

    If the files cannot be written, the run is not complete, and the summary says so.
    """
    try:
        write_private(run.path / "report.json", orjson.dumps(summary.as_dict(), option=orjson.OPT_INDENT_2))
        write_private(run.path / "report.md", summary.as_markdown().encode())
    except OSError as error:
        problem = not_written(f"the report in {run.path}", error)
        if summary.exit_code in _WELL:
            # The last command inspects the results; the others need a complete run.
            commands = (resume_command(run), *summary.next_commands[-1:])
            summary = replace(
                summary, status="failed", exit_code=problem.exit_code, reason=str(problem), next_commands=commands
            )
        return summary, str(problem)
    return summary, None


def page_problem(run: RunFolder, page: Callable[[Path], object] | None) -> str | None:
    """Make `report.html` of a run that has ended, and return what went wrong, if anything.

    The run has ended as it has: neither a full disk nor a mistake in the page may change that.
    """
    if page is None:
        return None
    again = next_command("runs", "open", run.name, state_dir=run.state_dir)
    try:
        page(run.path)
    except OSError as error:
        return str(not_written(f"report.html in {run.path}", error, f"run {again}"))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told and changes nothing
        why = f"{type(error).__name__}: {error}"
        return f"report.html could not be made: {why}; everything else of the run is complete; try {again}"
    return None
