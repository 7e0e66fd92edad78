"""What a project did or would do: its steps in a table, the worst exit code, and what to run next."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bulkgladly.projects.step_report import StepReport
from bulkgladly.records import Word
from bulkgladly.runs.observer import counted, duration_text
from bulkgladly.runs.summary import day_text
from bulkgladly.shown import shown, shown_cell

__all__ = ("ProjectReport", "table_of_steps", "worst_exit_code")

WORST_FIRST = (130, 143, 4, 70, 2, 3, 5, 10, 1, 6, 0)
"""Exit codes in the order in which one of several is the one to return [design, 20]."""
_WORDS = (*[word.value for word in Word], "unprocessed")
_MOST_CODES = 4


def worst_exit_code(codes: Iterable[int]) -> int:
    """Return the worst of several exit codes; 0 if there are none."""
    return min(codes, key=lambda code: WORST_FIRST.index(code) if code in WORST_FIRST else 3, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectReport:
    """What a project run did, all calls together. `report.json` and `--json` hold the same.

    `status` is complete if all steps are done, also with rejects; running, interrupted, stopped or failed as the step
    that is not; `not begun` before the first. `notes` say what has changed since a step was done.
    """

    project: str
    file: str
    host: str
    status: str
    exit_code: int
    reason: str | None
    steps: Sequence[StepReport]
    folder: str
    notes: Sequence[str] = ()
    next_commands: tuple[str, ...] = ()
    is_rehearsal: bool = False
    at: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))

    @property
    def requests_total(self) -> int:
        """The requests of all steps."""
        return sum(step.requests for step in self.steps)

    @property
    def seconds(self) -> float:
        """The working time of all steps."""
        return sum(step.seconds for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Return the report in the form of `report.json`."""
        return {
            "project": self.project,
            "file": self.file,
            "host": self.host,
            "status": self.status,
            "exit_code": self.exit_code,
            "reason": self.reason,
            "is_rehearsal": self.is_rehearsal,
            "steps": [step.as_dict() for step in self.steps],
            "requests_total": self.requests_total,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "next_commands": list(self.next_commands),
            "folder": self.folder,
            "at": self.at,
        }

    def lines(self, width: int = 200) -> list[str]:
        """Return the report as lines for a terminal. If the table of the steps is too wide, they are sentences."""
        about = "rehearsal of " if self.is_rehearsal else ""
        found = [f"{about}{self.project}: {self.status}" + (f" ({self.reason})" if self.reason else "")]
        table = _aligned(table_of_steps(self.steps))
        fits = max(map(len, table)) + 2 <= width
        found += [f"  {line}" for line in (table if fits else map(_sentence, self.steps))]
        found += [f"  {line}" for step in self.steps for line in _rejects_of(step)]
        cost = f"{counted(self.requests_total, 'request')} in {duration_text(self.seconds)}"
        found += [f"  {cost}"] if self.requests_total else []
        found += [f"  {note}" for note in self.notes]
        return found + [f"  next: {command}" for command in self.next_commands]

    def as_markdown(self) -> str:
        """Return the report as one page for people."""
        head, *rows = table_of_steps(self.steps)
        table = [f"| {' | '.join(head)} |", "|" + "---|" * 2 + "---:|" * (len(head) - 2)]
        table += [f"| {' | '.join(map(shown_cell, row))} |" for row in rows]
        title = f"Rehearsal, nothing was sent to Gladly: {self.project}" if self.is_rehearsal else self.project
        reason = f": {shown_cell(self.reason)}" if self.reason else ""
        parts = [f"# {shown_cell(title)}{day_text(self.at)}", f"**{self.status.capitalize()}{reason}.**"]
        parts += ["\n".join(table)]
        parts += [f"- {shown_cell(line)}" for step in self.steps for line in _rejects_of(step)]
        parts += [f"- {shown_cell(note)}" for note in self.notes]
        if pages := [f"- {step.name}: `runs/{step.run}/report.md`" for step in self.steps if step.run]:
            parts.append("The page of each step, in the state directory:\n\n" + "\n".join(pages))
        parts += ["Next:\n\n" + "\n".join(f"    {shown(one)}" for one in self.next_commands)] * bool(self.next_commands)
        parts.append(f"To {self.host}; {counted(self.requests_total, 'request')} in {duration_text(self.seconds)}.")
        return "\n\n".join(parts) + "\n"


def table_of_steps(steps: Sequence[StepReport]) -> list[list[str]]:
    """Return the steps as a table with a header; outcomes that no step has are left out."""
    words = [word for word in _WORDS if any((step.counts or {}).get(word) for step in steps)]
    found = [["step", "state", "records", *words, "requests", "time"]]
    for step in steps:
        counts = [f"{number:,}" if (number := (step.counts or {}).get(word)) else "" for word in words]
        effort = [f"{step.requests:,}", duration_text(step.seconds)] if step.requests else ["", ""]
        found.append([step.name, step.state, f"{step.rows:,}" if step.counts else "", *counts, *effort])
    return found


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def _sentence(step: StepReport) -> str:
    counts = [f"{number:,} {word}" for word in _WORDS if (number := (step.counts or {}).get(word))]
    of = f" of {counted(step.rows, 'record')}" if counts else ""
    effort = f"; {counted(step.requests, 'request')} in {duration_text(step.seconds)}" if step.requests else ""
    return f"{step.name}, {step.state}" + (f": {', '.join(counts)}{of}{effort}" if counts else "")


def _rejects_of(step: StepReport) -> list[str]:
    """Return why records of a step were rejected, and what to do about them."""
    codes = list((step.rejects_by_code or {}).items())
    if not codes:
        return []
    told = ", ".join(f"{number:,} x {shown(code)}" for code, number in codes[:_MOST_CODES])
    more = f" and {len(codes) - _MOST_CODES} more reasons" if len(codes) > _MOST_CODES else ""
    advice = f"; next: {step.next_commands[0]}" if step.state == "done" and step.next_commands else ""
    return [f"{step.name}: {told}{more}{advice}"]
