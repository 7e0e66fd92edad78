"""What a run reports while it works: the estimate before its first request, and its progress."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bulkgladly.plain_words import counted, duration_text, share_text

__all__ = ("Estimate", "Observer", "RunView", "counted", "duration_text", "share_text")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to take, before its first request.

    `rows` is exact if `rows_exact` is true. The requests are the fewest and the most that the
    rows take without conflicts; the times follow from the pace. `unsent` rows need no request. `split` says what
    becomes of the rows, as far as earlier runs tell it (`to create`, `unchanged`), and `judged` by which rows, if not
    by all.
    """

    rows: int
    rows_exact: bool
    requests_low: int
    requests_high: int
    per_second: float
    unsent: int = 0
    split: Mapping[str, int] = field(default_factory=dict)
    judged: str = ""

    @classmethod
    def of(
        cls,
        each: tuple[int, int],
        rows: int,
        rows_exact: bool,
        per_second: float,
        *,
        unsent: int = 0,
        split: Mapping[str, int] | None = None,
        judged: str = "",
    ) -> "Estimate":
        """Return the estimate from the requests that each record takes (fewest, most) and the pace.

        `unsent` is how many of the rows need no request.
        """
        low, high = each
        to_send = rows - unsent
        return cls(rows, rows_exact, to_send * low, to_send * high, per_second, unsent, split or {}, judged)

    @property
    def to_send(self) -> int:
        """The rows that need a request."""
        return self.rows - self.unsent

    def effort(self) -> str:
        """Return how many requests the rows take, from the fewest to the most, and how long those take."""
        low, high = self.requests_low, self.requests_high
        if not high:
            return "no requests"
        requests = counted(high, "request") if low == high else f"{low:,} to {high:,} requests"
        if math.isinf(self.per_second):
            return requests
        least, most = (duration_text(number / self.per_second) for number in (low, high))
        if least == most:
            return f"{requests}, {most} at {self.per_second:g}/s"
        span = f"up to {most}" if low < self.per_second else f"{least} to {most}"
        return f"{requests}, {span} at {self.per_second:g}/s"

    def text(self) -> str:
        """Return the estimate as one sentence for people."""
        rows = counted(self.rows, "row") if self.rows_exact else f"about {counted(self.rows, 'row')}"
        split = f" ({self.split_text()})" if self.split else ""
        return f"{rows}{split}: {self.effort()}; Ctrl-C stops safely"

    def split_text(self) -> str:
        """Return what becomes of the rows: `1 to create, 542 to update, 48,549 unchanged`."""
        about = f"about, {self.judged}: " if self.judged else ""
        return about + ", ".join(f"{number:,} {label}" for label, number in self.split.items())


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
    """How many requests were in flight at once since the last view; while the run stops, those that still are."""
    throttled: int
    waiting: str | None
    waiting_s: float
    eta_s: float | None
    things: str = "rows"
    """What `done` and `rows` count: rows of an import, units of an export."""
    is_stopping: bool = False
    """The run sends nothing more, and only waits for the requests in flight."""
    subject: str = ""
    """What is moved, from where to where: `customers.csv to https://acme.gladly.com`."""
    reasons: Sequence[tuple[str, int]] = ()
    """Why records were rejected, or what failed in an export, with how often; the most frequent first."""


class Observer:
    """Learns how a run goes. The methods do nothing; a display overrides those that it shows."""

    interval_s = 1.0

    def started(self, run: str, estimate: Estimate, *, resumed_from: int = 0) -> None:
        """The run is about to send its first request."""

    def tick(self, view: RunView) -> None:
        """The run's progress: every `interval_s` seconds, and once at the end."""

    def note(self, text: str) -> None:
        """Something has happened that a person should know."""
