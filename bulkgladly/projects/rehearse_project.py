"""Rehearses a project: all its steps in one emulator, so that records which refer to others can be tried as well."""

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.imports.rehearsal import StandIn, names_used, rehearsal
from bulkgladly.local_paths import AnyPath
from bulkgladly.projects.planned_steps import plan_steps
from bulkgladly.projects.project_file import load_project
from bulkgladly.projects.project_report import ProjectReport
from bulkgladly.projects.run_project import ProjectOptions, run_project
from bulkgladly.projects.step_report import StepReport
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer, counted, duration_text
from bulkgladly.settings import Pace

__all__ = ("rehearse_project",)

_TOLD_NAMES = 20
"""Names of inboxes, agents and topics that are told; the others are counted."""


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
    async with rehearsal() as stand_in:
        added = await _names_added(stand_in, file, wanted)
        report = await run_project(
            file, stand_in.credentials, wanted, observer=observer, with_signals=with_signals, environment=environment
        )
    return _told(report, options.pace, apart, added)


async def _names_added(stand_in: StandIn, file: AnyPath, options: ProjectOptions) -> list[str]:
    """Give the emulator the inboxes, agents and topics that rows name; else a rehearsal would only show their lack.

    Raises:
        UsageError: The project cannot be run.
    """
    project = load_project(file)
    plans = await anyio.to_thread.run_sync(lambda: plan_steps(project, state_dir=options.state_dir, pace=options.pace))
    imported = {step.spec.name for step in project.steps}
    added: list[str] = []
    for plan in plans:
        if plan.patterns:
            names = await names_used(plan.step.spec, plan.patterns, plan.options)
            # What a step of the project creates must not be there before.
            added += stand_in.add_names({kind: used for kind, used in names.items() if f"{kind}s" not in imported})
    return added


def _told(report: ProjectReport, pace: Pace, state_dir: Path, added: Sequence[str]) -> ProjectReport:
    foreseen = pace.foreseen(dt.datetime.now(dt.UTC))
    time = duration_text(foreseen.seconds_for(report.requests_total))
    effort = f"{counted(report.requests_total, 'request')}, {time} {foreseen.text()}".rstrip()
    steps = [replace(step, next_commands=_next_of(step, state_dir)) for step in report.steps]
    more = f" and {counted(len(added) - _TOLD_NAMES, 'more name')}" if len(added) > _TOLD_NAMES else ""
    taken = f"taken as known, but looked up by a real run: {', '.join(added[:_TOLD_NAMES])}{more}"
    notes = (*report.notes, *([taken] if added else []), f"rehearsed with {effort}; nothing was sent to Gladly")
    return replace(report, steps=tuple(steps), notes=notes, next_commands=(), is_rehearsal=True)


def _next_of(step: StepReport, state_dir: Path) -> tuple[str, ...]:
    """A rehearsed run can be looked at, but not retried: its emulator has ended."""
    return (next_command("runs", "show", step.run, state_dir=state_dir),) if step.run else ()
