"""What a run did: the fields that every summary has, its page for people, and its files."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, TypeVar

import orjson

from bulkgladly.commands import next_command
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Word
from bulkgladly.runs.observer import counted, duration_text
from bulkgladly.shown import shown, shown_cell
from bulkgladly.storage.durable import write_private
from bulkgladly.storage.failures import not_written

__all__ = ("COUNT_WORDS", "Ending", "Summary", "common_fields", "resume_command", "status_of", "table_of", "written")

COUNT_WORDS = (*[word.value for word in Word], "unprocessed")
_SIGNAL = 128
_BY_LIMIT = (3, 10)
_WELL = (0, 1)

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
    were paused, by reason; `seconds` is the working time of all sessions.

    Each kind of run has a subclass with further fields, and overrides `_what`, `_told`, `_tables` and `details` for
    its page. Most fields come from `common_fields`; the subclass adds `counts`, `files` and the `Ending`.
    """

    things: ClassVar[str] = "records"
    """What the outcomes count, in the plural."""

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

    @property
    def adds_up(self) -> bool:
        """The invariant: `read` is the sum of all outcomes and of what was not reached."""
        return self.counts["read"] == sum(self.counts[word] for word in COUNT_WORDS)

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
        return {**asdict(self), "invariant_holds": self.adds_up}

    def as_markdown(self) -> str:
        """Return the summary as one page for people."""
        outcomes = [(word, self.counts[word]) for word in ("read", *COUNT_WORDS)]
        parts = [
            f"# {self.run}",
            self._verdict(),
            table_of(("outcome", self.things), outcomes),
            *self._told(),
            table_of(("request", "sent"), sorted(self.requests.items())),
            f"{self._effort()}; {self.started_at} to {self.ended_at}.",
            *self._tables(),
        ]
        if self.next_commands:
            parts.append("Next:\n\n" + "\n".join(f"    {shown(command)}" for command in self.next_commands))
        return "\n\n".join(parts) + "\n"

    def _verdict(self) -> str:
        reason = f", {shown_cell(self.reason)}" if self.reason else ""
        return f"{self._what()}: **{self.status}** (exit code {self.exit_code}){reason}"

    def _what(self) -> str:
        """Return what was moved, and where: the beginning of the verdict."""
        return f"{self.resource}, {self.mode}, {self.host}"

    def _told(self) -> list[str]:
        """Return the parts of the page between the outcomes and the requests."""
        return []

    def _tables(self) -> list[str]:
        """Return the parts of the page between the costs and the next commands."""
        return []

    def _effort(self) -> str:
        throttled = f"{counted(self.throttled, 'request')} throttled (HTTP 429); " if self.throttled else ""
        return f"{throttled}{duration_text(self.seconds)} of work"


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
        "ended_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
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
