"""What the commands share that work on a run: flags over stored settings, the display, the exit code."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import typer

from bulkgladly.cli.output import print_json, tell
from bulkgladly.cli.values import bounded, concurrency_of, error_budget_of, rate_of, seconds_of, share_of
from bulkgladly.settings import Limits, Pace

__all__ = ("changed_limits", "changed_pace", "run_and_leave")


def run_and_leave(
    context: typer.Context, work: Callable[..., Any], *, json: bool, progress: str, log_format: str
) -> None:
    """Run the work with a display, print the summary, and leave with its exit code.

    `work` takes the arguments that every function takes which works on a run.
    """
    import anyio

    from bulkgladly.cli.display import display_for, logger_for, summary_of
    from bulkgladly.runs.environment import USUAL

    logger = logger_for(log_format)
    with display_for(progress, logger) as observer:
        environment = context.obj.environment or USUAL
        report = anyio.run(partial(work, observer=observer, with_signals=True, environment=environment))
    if log_format == "json":
        logger.info("%s", f"run {report.status}", extra={"event": "finished", "report": report.as_dict()})
    else:
        tell(*summary_of(report))
    if json:
        print_json(report.as_dict(), kept_in=f"{report.folder}/report.json")
    raise typer.Exit(report.exit_code)


def changed_pace(stored: Pace, rate: str | None, reserve: str | None, concurrency: str | None) -> Pace:
    """Return the stored pace with what the flags say laid over it."""
    pace = stored
    if rate is not None:
        wanted = rate_of(rate)
        pace = replace(pace, rate=None if math.isinf(wanted) else wanted, unlimited=math.isinf(wanted))
    if reserve is not None:
        pace = replace(pace, reserve=share_of(reserve))
    if concurrency is not None:
        pace = replace(pace, concurrency=concurrency_of(concurrency))
    return pace


def changed_limits(
    stored: Limits,
    max_errors: str | None,
    max_duration: str | None,
    max_requests: int | None,
    max_rows: int | None,
    give_up_after: str | None,
) -> Limits:
    """Return the stored limits with what the flags say; requests and rows count anew in each session."""
    limits = stored
    if max_errors is not None:
        count, percent = error_budget_of(max_errors)
        limits = replace(limits, max_errors=count, max_errors_percent=percent)
    if max_duration is not None:
        limits = replace(limits, max_duration_s=seconds_of("--max-duration", max_duration))
    if give_up_after is not None:
        limits = replace(limits, give_up_after_s=seconds_of("--give-up-after", give_up_after))
    return replace(
        limits,
        max_requests=None if max_requests is None else bounded(max_requests),
        max_rows=None if max_rows is None else bounded(max_rows),
    )
