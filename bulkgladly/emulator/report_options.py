"""The choices about reports and events, with their defaults."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from bulkgladly.emulator.organisation.report_corrections import ODDITIES, Oddity

__all__ = ("ReportOptions", "TimeForm")

TimeForm = Literal["offset", "utc"]
"""How moments are written where the report's time zone is not UTC, which is not documented."""

_CHOICES: dict[str, tuple[str, ...]] = {
    "report_oddity": ODDITIES,
    "empty_report": ("empty", "header"),
    "report_times": get_args(TimeForm),
    "events_start": ("inclusive", "exclusive"),
}
_NOT_NEGATIVE = ("report_rows_per_day", "report_row_cap", "report_lag_s", "seed_events", "events_lag_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """The part of `EmulatorOptions` that concerns reports and events.

    Raises:
        ValueError: An option is outside what it allows; the message names it.
    """

    report_rate: int | None = 10
    """Reports a minute for the whole organization, counted by the `algorithm`; None means no limit."""
    report_concurrency: int | None = 2
    """Reports at a time, from the moment one is let in until its last byte is sent; None means no limit."""
    reports_count_twice: bool = True
    """Whether a report takes from the requests of the second as well; Gladly does not say."""
    report_rows_per_day: int = 20
    """Invented things of each subject and day: rows of the row-per-thing reports, the sum of the others."""
    report_row_cap: int = 100_000
    """Rows beyond this are left out without a word."""
    report_lag_s: float = 0.0
    """Reports know nothing younger; at Gladly that is about an hour."""
    report_empty_days: tuple[str, ...] = ()
    """Days (UTC, `2026-01-31`) on which nothing happened."""
    report_oddity: Oddity = "none"
    """What is odd about every report; `Emulator.reports.oddities` has it by metric set."""
    empty_report: Literal["empty", "header"] = "empty"
    """A report without rows: nothing at all, or the header."""
    report_times: TimeForm = "offset"
    """Moments in a report whose time zone is not UTC: with that zone's offset, or in UTC all the same."""

    seed_events: int = 0
    """How many invented events of all types lie in the 24 hours before the start."""
    events_lag_s: float = 0.0
    """Each event shows up late by a part of this that its id decides; at Gladly that is up to 15 s."""
    events_start: Literal["inclusive", "exclusive"] = "inclusive"
    """Whether an event at `startAt` itself is sent; Gladly does not say."""

    def __post_init__(self) -> None:
        for name in ("report_rate", "report_concurrency"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}: it must be 1 or more, or None for no limit")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it can be {', '.join(choices)}")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it cannot be negative")
        for day in self.report_empty_days:
            try:
                date.fromisoformat(day)
            except ValueError as exc:
                raise ValueError(f"report_empty_days has {day!r}: it is no day such as 2026-01-31") from exc
