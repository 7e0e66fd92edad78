"""Flags that are declared once, as fields of a group, and given to every command that takes the group.

    @with_flags
    def export(context: typer.Context, words: Words, pace: PaceFlags, where: WhereFlags) -> None: ...

The command line then has the flags of both groups, and the command gets one object for each.
"""

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
from bulkgladly.settings import Credentials, Limits, Pace

__all__ = (
    "ErrorStopFlags",
    "FlagGroup",
    "OutputFlags",
    "PaceFlags",
    "RateFlags",
    "RowStopFlags",
    "StopFlags",
    "WhereFlags",
    "with_flags",
)


@dataclass(frozen=True)
class FlagGroup:
    """Some flags: each field is one, with its option, its type and its default."""


def with_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the flags of all groups among its parameters."""
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
    """How fast a run may go, where nothing is in flight."""

    rate: flags.Rate = None
    reserve: flags.Reserve = None

    def over(self, stored: Pace | None = None) -> Pace:
        """Return a pace with what the flags say laid over it.

        Raises:
            UsageError: A flag is not what it should be.
        """
        pace = stored or Pace()
        if self.rate is not None:
            wanted = rate_of(self.rate)
            pace = replace(pace, rate=None if math.isinf(wanted) else wanted, unlimited=math.isinf(wanted))
        return pace if self.reserve is None else replace(pace, reserve=share_of(self.reserve))


@dataclass(frozen=True)
class PaceFlags(RateFlags):
    """How fast a run may go."""

    concurrency: flags.Concurrency = None

    def over(self, stored: Pace | None = None) -> Pace:
        """Return a pace with what the flags say laid over it, as `RateFlags` does."""
        pace = super().over(stored)
        return pace if self.concurrency is None else replace(pace, concurrency=concurrency_of(self.concurrency))


@dataclass(frozen=True)
class StopFlags(FlagGroup):
    """When a run stops by itself. Requests and rows count anew in each session."""

    max_duration: flags.MaxDuration = None
    max_requests: flags.MaxRequests = None
    give_up_after: flags.GiveUpAfter = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits with what the flags say laid over them.

        Raises:
            UsageError: A flag is not what it should be.
        """
        limits = stored or Limits()
        if self.max_duration is not None:
            limits = replace(limits, max_duration_s=seconds_of("--max-duration", self.max_duration))
        if self.give_up_after is not None:
            limits = replace(limits, give_up_after_s=seconds_of("--give-up-after", self.give_up_after))
        most = None if self.max_requests is None else bounded(self.max_requests)
        return replace(limits, max_requests=most, max_rows=None)


@dataclass(frozen=True)
class ErrorStopFlags(StopFlags):
    """When a run stops by itself, rejects included."""

    max_errors: flags.MaxErrors = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits with what the flags say laid over them, as `StopFlags` does."""
        limits = super().over(stored)
        if self.max_errors is None:
            return limits
        count, percent = error_budget_of(self.max_errors)
        return replace(limits, max_errors=count, max_errors_percent=percent)


@dataclass(frozen=True)
class RowStopFlags(ErrorStopFlags):
    """When a run stops by itself that reads rows."""

    limit: flags.MaxRows = None

    def over(self, stored: Limits | None = None) -> Limits:
        """Return limits with what the flags say laid over them, as `StopFlags` does."""
        return replace(super().over(stored), max_rows=None if self.limit is None else bounded(self.limit))


@dataclass(frozen=True)
class WhereFlags(FlagGroup):
    """Where runs are kept, and as whom Gladly is asked."""

    state_dir: flags.StateDir = Path(".bulkgladly")
    profile: flags.Profile = None

    def credentials(self, context: typer.Context) -> Credentials:
        """Return the credentials of the profile, or without one those of the environment.

        Raises:
            UsageError: Something is missing; the message names it.
        """
        return credentials_for(context, self.profile)


@dataclass(frozen=True)
class OutputFlags(FlagGroup):
    """How a run is shown while it works, and told in the end."""

    json: flags.Json = False
    progress: flags.Progress = ProgressView.AUTO
    log_format: flags.LogFormat = LogFormat.TEXT
