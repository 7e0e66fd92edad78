"""What a run reports while it works: the estimate before its first request, and its progress."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bulkgladly.messages import GET_ORGANIZATION
from bulkgladly.plain_words import counted, duration_text, share_text
from bulkgladly.settings import Foreseen

__all__ = ("Estimate", "EventView", "Observer", "RunView", "clock_text", "counted", "duration_text", "share_text")

_WORTH_AN_END_S = 60.0
_NEAR_DAYS = 6
"""A day of the week names a day this near without doubt."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to take, before its first request.

    `rows` is exact if `rows_exact` is true. The requests are the fewest and the most that the
    rows take without conflicts; the times follow from the pace. `unsent` rows need no request. `split` says what
    becomes of the rows, as far as earlier runs tell it (`to create`, `unchanged`), and `judged` by which rows, if not
    by all. `operations` are the fewest requests by Gladly's operations, if that is known. `pace` is what is expected
    from a moment on; without it there is only `per_second`. With `is_about`, what Gladly holds can make it more or
    less.
    """

    rows: int
    rows_exact: bool
    requests_low: int
    requests_high: int
    per_second: float
    unsent: int = 0
    split: Mapping[str, int] = field(default_factory=dict)
    judged: str = ""
    operations: Mapping[str, int] = field(default_factory=dict)
    pace: Foreseen | None = None
    is_about: bool = False

    @classmethod
    def of(
        cls,
        each: tuple[int, int],
        rows: int,
        rows_exact: bool,
        pace: float | Foreseen,
        *,
        unsent: int = 0,
        split: Mapping[str, int] | None = None,
        judged: str = "",
        operations: Mapping[str, int] | None = None,
    ) -> "Estimate":
        """Return the estimate from the requests that each record takes (fewest, most) and the pace.

        `unsent` is how many of the rows need no request.
        """
        low, high = each
        to_send = rows - unsent
        foreseen = pace if isinstance(pace, Foreseen) else None
        return cls(
            rows,
            rows_exact,
            to_send * low,
            to_send * high,
            foreseen.usual if foreseen else float(pace),  # type: ignore[arg-type]
            unsent,
            split or {},
            judged,
            operations or {},
            foreseen,
        )

    def of_run(self, lists: int = 0) -> "Estimate":
        """Return the estimate with what a run sends besides its rows.

        That is the check of the organisation, and `lists` of names at most.
        """
        check = GET_ORGANIZATION.operation
        operations = {**self.operations, check: 1} if self.operations else {}
        low, high = self.requests_low + 1, self.requests_high + 1 + lists
        return replace(self, requests_low=low, requests_high=high, operations=operations)

    @property
    def to_send(self) -> int:
        """The rows that need a request."""
        return self.rows - self.unsent

    def seconds_for(self, requests: int) -> float:
        """Return how long so many requests take; infinite if they never end."""
        return self.pace.seconds_for(requests) if self.pace is not None else requests / self.per_second

    def pace_text(self) -> str:
        """Return the pace for people: `at 9/s`, `by --rate-schedule`; nothing if there is none."""
        if math.isinf(self.per_second):
            return ""
        return self.pace.text() if self.pace is not None else f"at {self.per_second:g}/s"

    def effort(self) -> str:
        """Return how many requests the rows take, from the fewest to the most, how long those take, and until when."""
        low, high = self.requests_low, self.requests_high
        if not high:
            return "no requests"
        about = "about " if self.is_about and self.to_send else ""
        requests = about + (counted(high, "request") if low == high else f"{low:,} to {high:,} requests")
        if math.isinf(self.per_second):
            return requests
        least_s, most_s = self.seconds_for(low), self.seconds_for(high)
        if math.isinf(most_s):
            return f"{requests}, which take more than ten years {self.pace_text()}"
        least, most = duration_text(least_s), duration_text(most_s)
        if least == most:
            return f"{requests}, {most} {self.pace_text()}{self._end_text(least_s, most_s)}"
        span = most if most_s < 1 else f"up to {most}" if least_s < 1 else f"{least} to {most}"
        return f"{requests}, {span} {self.pace_text()}{self._end_text(least_s, most_s)}"

    def _end_text(self, least_s: float, most_s: float) -> str:
        """Return when it is done on this machine's clock, if that is far enough away to be worth telling."""
        if self.pace is None or most_s < _WORTH_AN_END_S:
            return ""
        now = self.pace.begin
        ends = [clock_text(now + dt.timedelta(seconds=seconds), now) for seconds in (least_s, most_s)]
        return f", done at about {ends[0]}" if ends[0] == ends[1] else f", done between {ends[0]} and {ends[1]}"

    def text(self) -> str:
        """Return the estimate as one sentence for people."""
        rows = counted(self.rows, "row") if self.rows_exact else f"about {counted(self.rows, 'row')}"
        split = f" ({self.split_text()})" if self.split else ""
        return f"{rows}{split}: {self.operations_text()}{self.effort()}; Ctrl-C stops safely"

    def operations_text(self) -> str:
        """Return the fewest requests by operation, with a colon; nothing if it is not known."""
        told = ", ".join(f"{number:,} {name}" for name, number in self.operations.items() if number)
        return f"{told}: " if told else ""

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
    pace_note: str = ""
    """By whose word, and until when, the pace is what it is: `set by runs rate`; nothing for the usual pace."""
    outcomes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How the requests of this session ended: by method, and by what the reply meant."""
    throttled_s: float = 0.0
    """For how many seconds this session was paused because Gladly throttled it (HTTP 429)."""


@dataclass(frozen=True, slots=True)
class EventView:
    """The service behind `follow` and `listen` at one moment. All numbers are of this session."""

    events: Mapping[str, int]
    """How many events came, by the way on which they came."""
    lag_s: float
    """For how long the oldest event waits to be used, beyond what `--land-every` lets it wait."""
    requests_per_second: float
    allowed_per_second: float
    outcomes: Mapping[tuple[str, str], int]
    throttled_s: float


class Observer:
    """Learns how a run goes. The methods do nothing; a display overrides those that it shows."""

    interval_s = 1.0

    def began(self, run: str) -> None:
        """A session on a run has begun; it has sent nothing yet."""

    def started(self, run: str, estimate: Estimate, *, resumed_from: int = 0) -> None:
        """The run is about to send its first request."""

    def tick(self, view: RunView) -> None:
        """The run's progress: every `interval_s` seconds, and once at the end."""

    def received(self, view: EventView) -> None:
        """How the service behind `follow` and `listen` is: every few seconds, and once at the end."""

    def note(self, text: str) -> None:
        """Something has happened that a person should know."""


def clock_text(moment: dt.datetime, now: dt.datetime) -> str:
    """Return a time to come on this machine's clock: `14:32`, `tomorrow 06:00`, `Mon 06:00`, `3 Jan 06:00`."""
    there, here = moment.astimezone(), now.astimezone()
    days = (there.date() - here.date()).days
    if days == 0:
        return f"{there:%H:%M}"
    if days == 1:
        return f"tomorrow {there:%H:%M}"
    if 1 < days <= _NEAR_DAYS:
        return f"{there:%a %H:%M}"
    is_this_year = there.year == here.year
    return f"{there.day} {there:%b %H:%M}" if is_this_year else f"{there.day} {there:%b %Y}"
