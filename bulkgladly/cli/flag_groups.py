"""Groups of options: declared once, as fields of a class, for every command that takes the group.

    @with_flags
    def export(context: typer.Context, objects: Objects, pace: PaceFlags, where: WhereFlags) -> None: ...

The command line then has the options of both groups, and the command gets one object for each group.
"""

import datetime as dt
import inspect
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any, get_type_hints

import typer

from bulkgladly.choices import LogFormat, ProgressView
from bulkgladly.cli import flags
from bulkgladly.cli.configuration import credentials_for
from bulkgladly.cli.values import bounded, concurrency_of, error_budget_of, rate_of, seconds_of, share_of
from bulkgladly.rate_schedule import zone_of
from bulkgladly.settings import Credentials, Limits, Pace

__all__ = (
    "ErrorStopFlags",
    "FlagGroup",
    "OutputFlags",
    "PaceFlags",
    "PlannedRateFlags",
    "RateFlags",
    "RowStopFlags",
    "RunPaceFlags",
    "SessionLimitFlags",
    "StopFlags",
    "WhereFlags",
    "with_flags",
)


@dataclass(frozen=True)
class FlagGroup:
    """Some options. Each field declares one, with its type and its default."""


def with_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of its groups in place of the groups.

    Its help lists them in the order of the parameters. All are passed by name, so a parameter with a default may
    stand before one without.
    """
    hints = get_type_hints(command, include_extras=True)
    every: list[inspect.Parameter] = []
    groups: dict[str, type[FlagGroup]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if isinstance(hints[name], type) and issubclass(hints[name], FlagGroup):
            groups[name] = hints[name]
            every += _parameters_of(hints[name])
        else:
            every.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(command)
    def called(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in fields(group)})
        command(**given)

    # Typer looks at both: at the signature for order and defaults, at the annotations for types.
    vars(called)["__signature__"] = inspect.Signature(every)
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return called


def _parameters_of(group: type[FlagGroup]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(group)
    ]


@dataclass(frozen=True)
class RateFlags(FlagGroup):
    """The pace, for commands that send nothing and only estimate."""

    rate: flags.Rate = None
    reserve: flags.Reserve = None

    def over(self, stored: Pace | None = None) -> Pace:
        """Return a pace, changed by the options that are given.

        Raises:
            UsageError: The value of an option is not valid.
        """
        pace = stored or Pace()
        if self.rate is not None:
            wanted = rate_of(self.rate)  # infinity stands for `unlimited`, which JSON and TOML could not hold
            pace = replace(pace, rate=None if math.isinf(wanted) else wanted, unlimited=math.isinf(wanted))
        return pace if self.reserve is None else replace(pace, reserve=share_of(self.reserve))


@dataclass(frozen=True)
class PaceFlags(RateFlags):
    """The pace of a run."""

    concurrency: flags.Concurrency = None

    def over(self, stored: Pace | None = None) -> Pace:
        """Return a pace, changed by the options that are given, as `RateFlags` does."""
        pace = super().over(stored)
        return pace if self.concurrency is None else replace(pace, concurrency=concurrency_of(self.concurrency))


@dataclass(frozen=True)
class PlannedRateFlags(RateFlags):
    """The pace of runs to come, also by the time of day, for commands that send nothing and only estimate."""

    rate_schedule: flags.RateSchedule = None
    zone: flags.Zone = None

    def over(self, stored: Pace | None = None) -> Pace:
        """Return a pace, changed by the options that are given, as `RateFlags` does."""
        return _scheduled(super().over(stored), self.rate_schedule, self.zone)


@dataclass(frozen=True)
class RunPaceFlags(PaceFlags):
    """The pace of a run that ends by itself, also by the time of day."""

    rate_schedule: flags.RateSchedule = None
    zone: flags.Zone = None

    def over(self, stored: Pace | None = None) -> Pace:
        """Return a pace, changed by the options that are given, as `PaceFlags` does."""
        return _scheduled(super().over(stored), self.rate_schedule, self.zone)


def _scheduled(pace: Pace, schedule: str | None, zone: str | None) -> Pace:
    if schedule is not None:
        pace = replace(pace, schedule=None if schedule.strip().lower() in ("", "none") else schedule)
    if zone is not None:
        zone_of(zone)
        pace = replace(pace, zone=zone)
    return pace


@dataclass(frozen=True)
class SessionLimitFlags(FlagGroup):
    """Limits of one session, for what waits until an outage of Gladly is over."""

    max_duration: flags.MaxDuration = None
    max_requests: flags.MaxRequests = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits, changed by the options that are given. `--limit` and `--max-requests` are never kept.

        Raises:
            UsageError: The value of an option is not valid.
        """
        limits = stored or Limits()
        if self.max_duration is not None:
            limits = replace(limits, max_duration_s=seconds_of("--max-duration", self.max_duration))
        # Not taken from `stored`: a look at the first 100 requests must not bind the resume that follows.
        most = None if self.max_requests is None else bounded(self.max_requests)
        return replace(limits, max_requests=most, max_rows=None)


@dataclass(frozen=True)
class StopFlags(SessionLimitFlags):
    """Limits that stop a run. Requests and rows count from the start in each session."""

    give_up_after: flags.GiveUpAfter = None
    finish_by: flags.FinishBy = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits, changed by the options that are given, as `SessionLimitFlags` does."""
        limits = super().over(stored)
        if self.finish_by is not None:
            from bulkgladly.runs.finish_by import finish_time_of

            limits = replace(limits, finish_by=finish_time_of("--finish-by", self.finish_by, dt.datetime.now(dt.UTC)))
        if self.give_up_after is None:
            return limits
        return replace(limits, give_up_after_s=seconds_of("--give-up-after", self.give_up_after))


@dataclass(frozen=True)
class ErrorStopFlags(StopFlags):
    """Limits that stop a run, the number of rejected records included."""

    max_errors: flags.MaxErrors = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits, changed by the options that are given, as `StopFlags` does."""
        limits = super().over(stored)
        if self.max_errors is None:
            return limits
        count, percent = error_budget_of(self.max_errors)
        return replace(limits, max_errors=count, max_errors_percent=percent)


@dataclass(frozen=True)
class CanaryStopFlags(ErrorStopFlags):
    """Limits that stop a run that writes records, the number of the first ones to look at included."""

    canary: flags.Canary = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits, changed by the options that are given, as `StopFlags` does."""
        return replace(super().over(stored), canary=self.canary)


@dataclass(frozen=True)
class RowStopFlags(CanaryStopFlags):
    """Limits that stop a run that reads rows."""

    limit: flags.MaxRows = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits, changed by the options that are given, as `StopFlags` does."""
        most = None if self.limit is None else bounded(self.limit)
        return replace(super().over(stored), max_rows=most)


@dataclass(frozen=True)
class UndoStopFlags(ErrorStopFlags):
    """Limits that stop an undo, which takes back objects and reads no rows."""

    limit: flags.MaxObjects = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits, changed by the options that are given, as `StopFlags` does."""
        most = None if self.limit is None else bounded(self.limit)
        return replace(super().over(stored), max_rows=most)


@dataclass(frozen=True)
class WhereFlags(FlagGroup):
    """Where runs are kept, and the credentials for Gladly."""

    state_dir: flags.StateDir = Path(".bulkgladly")
    profile: flags.Profile = None

    def credentials(self, context: typer.Context) -> Credentials:
        """Return the credentials of the profile, or without a profile those of the environment.

        Raises:
            UsageError: Something is missing; the message names it.
        """
        return credentials_for(context, self.profile)


@dataclass(frozen=True)
class OutputFlags(FlagGroup):
    """How a run is shown while it works, and how its result is printed."""

    json: flags.Json = False
    progress: flags.Progress = ProgressView.AUTO
    log_format: flags.LogFormat = LogFormat.TEXT
