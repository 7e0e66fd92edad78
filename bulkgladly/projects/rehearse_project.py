"""Rehearses a project: all its steps in one emulator, so that records which refer to others can be tried as well."""

import datetime as dt
import secrets
from dataclasses import replace
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.imports.run_import import rehearsal
from bulkgladly.local_paths import AnyPath
from bulkgladly.projects.project_report import ProjectReport
from bulkgladly.projects.run_project import ProjectOptions, run_project
from bulkgladly.projects.step_report import StepReport
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer, counted, duration_text
from bulkgladly.settings import Pace

__all__ = ("rehearse_project",)


async def rehearse_project(
    file: AnyPath,
    options: ProjectOptions | None = None,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> ProjectReport:
    """Run all steps of a project against one emulator in this process, and return the report.

    Nothing is sent to Gladly. The runs are kept in a folder of their own below `rehearsals` in the state directory,
    so that the rehearsal knows nothing of what was really imported, and of earlier rehearsals.

    Raises:
        UsageError: As `run_project`.
    """
    options = options or ProjectOptions()
    now = dt.datetime.now(dt.UTC)
    apart = options.state_dir / "rehearsals" / f"project_{now:%Y%m%dT%H%M%SZ}_{secrets.token_hex(4)}"
    wanted = replace(options, pace=Pace(unlimited=True), state_dir=apart, new_run=False, again=())
    async with rehearsal() as credentials:
        report = await run_project(
            file, credentials, wanted, observer=observer, with_signals=with_signals, environment=environment
        )
    return _told(report, options.pace, apart)


def _told(report: ProjectReport, pace: Pace, state_dir: Path) -> ProjectReport:
    per_second = pace.expected_per_second()
    time = duration_text(report.requests_total / per_second)
    effort = f"{counted(report.requests_total, 'request')}, {time} at {per_second:g}/s"
    steps = [replace(step, next_commands=_next_of(step, state_dir)) for step in report.steps]
    notes = (*report.notes, f"rehearsed with {effort}; nothing was sent to Gladly")
    return replace(report, steps=tuple(steps), notes=notes, next_commands=(), is_rehearsal=True)


def _next_of(step: StepReport, state_dir: Path) -> tuple[str, ...]:
    """A rehearsed run can be looked at, but not retried: its emulator has ended."""
    return (next_command("runs", "show", step.run, state_dir=state_dir),) if step.run else ()
