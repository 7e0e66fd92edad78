"""What a run is doing, and what it did: the estimate, the view while it runs, the report after."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bulkgladly.records import Mode, Word
from bulkgladly.resources.spec import ResourceSpec
from bulkgladly.shown import MOST_NAME, shown, shown_cell

__all__ = ("COUNT_WORDS", "Estimate", "Observer", "Report", "RunView", "counted", "duration_text")

COUNT_WORDS = (*[word.value for word in Word], "unprocessed")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to take, before its first request.

    `rows` is exact where `rows_exact` says so. The requests are the fewest and the most
    that the rows take without conflicts; the times follow from the pace.
    """

    rows: int
    rows_exact: bool
    requests_low: int
    requests_high: int
    per_second: float

    @classmethod
    def of(cls, spec: ResourceSpec, mode: Mode, rows: int, rows_exact: bool, per_second: float) -> "Estimate":
        """Estimate from the table's requests per record and the pace."""
        low, high = spec.requests_per_record[mode]
        return cls(rows, rows_exact, rows * low, rows * high, per_second)

    def text(self) -> str:
        """Return the estimate as one sentence for people."""
        rows = counted(self.rows, "row") if self.rows_exact else f"about {counted(self.rows, 'row')}"
        if self.requests_low == self.requests_high:
            requests = counted(self.requests_low, "request")
        else:
            requests = f"{counted(self.requests_low, 'request')} if all are new, {self.requests_high:,} at most"
        if math.isinf(self.per_second):
            return f"{rows}, {requests}; safe to stop at any time"
        times = [duration_text(number / self.per_second) for number in (self.requests_low, self.requests_high)]
        time = " to ".join(dict.fromkeys(times))
        return f"{rows}, {requests}: {time} at {self.per_second:g}/s; safe to stop at any time"


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment, for a progress display."""

    run: str
    counts: Mapping[str, int]
    done: int
    rows: int
    rows_exact: bool
    seconds: float
    requests: int
    requests_per_second: float
    allowed_per_second: float
    in_flight: int
    throttled: int
    waiting: str | None
    waiting_s: float
    eta_s: float | None
    things: str = "rows"
    """What `done` and `rows` count: rows of an import, units of an export."""


class Observer:
    """Told how a run goes. The methods do nothing; a display overrides what it shows."""

    interval_s = 1.0

    def started(self, run: str, estimate: Estimate, *, resumed_from: int = 0) -> None:
        """The run is about to send its first request."""

    def tick(self, view: RunView) -> None:
        """Called every `interval_s`, and once at the end."""

    def note(self, text: str) -> None:
        """Something happened that a person should know."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, all its sessions together. `report.json` and `--json` hold the same.

    `counts` has `read` and one entry per outcome word and `unprocessed`; `adds_up` says
    whether read is the sum of the others. `waits_s` has the seconds in which everybody was
    paused, by reason; `seconds` is the working time of all sessions, `per_second` the pace
    that came of it.
    """

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
        """The invariant: read is the sum of all outcomes and of what was not reached."""
        return self.counts["read"] == sum(self.counts[word] for word in COUNT_WORDS)

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, beside counts and files."""
        return tuple(f"{number:>9,} x {shown(code, MOST_NAME)}" for code, number in self.rejects_by_code.items())

    @property
    def per_second(self) -> float:
        """Requests per second over the working time."""
        return self.requests_total / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the report in the form of `report.json`."""
        found = asdict(self)
        found["invariant_holds"] = self.adds_up
        found["requests_per_second"] = round(self.per_second, 3)
        return found

    def as_markdown(self) -> str:
        """Return the report as one page for people."""
        rows = "\n".join(f"| {word} | {self.counts[word]:,} |" for word in ("read", *COUNT_WORDS))
        sent = "\n".join(f"| {name} | {number:,} |" for name, number in sorted(self.requests.items()))
        codes = "\n".join(f"| {shown_cell(code)} | {number:,} |" for code, number in self.rejects_by_code.items())
        files = "\n".join(
            f"| {name} | {about['rows']:,} | `{about['blake2b']}` |" for name, about in self.files.items()
        )
        steps = "\n".join(f"    {shown(command)}" for command in self.next_commands)
        sum_text = (
            "adds up"
            if self.adds_up
            else f"does not add up ({shown_cell(self.reason or 'please report this as a bug')})"
        )
        verdict = f"{self.resource}, {self.mode}, {self.host}: **{self.status}** (exit code {self.exit_code})"
        if self.reason:
            verdict += f", {shown_cell(self.reason)}"
        waits = "".join(
            f"; waited {duration_text(span)}: {shown_cell(reason)}" for reason, span in self.waits_s.items()
        )
        effort = f"{self.throttled:,} answers of 429; {duration_text(self.seconds)} of work"
        effort += f", {self.per_second:.2f} requests a second{waits}"
        parts = [
            f"# {self.run}",
            verdict,
            f"| outcome | records |\n|---|---:|\n{rows}",
            f"The sum {sum_text}.",
            f"| request | sent |\n|---|---:|\n{sent}",
            f"{effort}; {self.started_at} to {self.ended_at}.",
        ]
        if codes:
            parts.append(f"| reject | records |\n|---|---:|\n{codes}")
        parts.append(f"| file | rows | BLAKE2b |\n|---|---:|---|\n{files}")
        if steps:
            parts.append(f"Next:\n\n{steps}")
        return "\n\n".join(parts) + "\n"


def counted(number: int, word: str) -> str:
    """Return a number with its word: 1 row, 2,000 rows."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def duration_text(seconds: float) -> str:
    """Return a span of time as people say it: 42 s, 12 min, 3 h 20 min, 2 d 4 h."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"
