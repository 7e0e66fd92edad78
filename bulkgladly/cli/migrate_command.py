"""`migrate check`, `migrate run` and `migrate status`: a migration of several steps, from one project file."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.check_command import SAID, print_findings
from bulkgladly.cli.configuration import credentials_or_none
from bulkgladly.cli.flag_groups import (
    ErrorStopFlags,
    FlagGroup,
    OutputFlags,
    PlannedRateFlags,
    RunPaceFlags,
    WhereFlags,
    with_flags,
)
from bulkgladly.cli.flags import OUTPUT, SAFETY, call_option
from bulkgladly.cli.output import print_json, print_lines, run_and_leave, tell
from bulkgladly.cli.row_flags import words_of
from bulkgladly.cli.terminal_lines import ending_line

if TYPE_CHECKING:
    from bulkgladly.projects.check_project import ProjectCheck
    from bulkgladly.projects.run_project import ProjectOptions

__all__ = ("ProjectCheckFlags", "SequenceFlags", "check", "run", "status")

ProjectFile = Annotated[
    Path,
    typer.Argument(help="The project file. (default: migrate.toml in this folder)", metavar="FILE", show_default=False),
]
_STEPS = "Steps"
_INTERRUPTED = 130


@dataclass(frozen=True)
class ProjectCheckFlags(FlagGroup):
    """What a check of a project looks at beside the rows, and what it shows."""

    languages: flags.Languages = ""
    coverage: Annotated[
        Path | None,
        call_option(
            "--coverage",
            "Also write what becomes of each column of the input files, as a page to sign (.md) or as JSON (.json).",
            OUTPUT,
            "FILE",
            dir_okay=False,
        ),
    ] = None
    show_values: flags.ShowValues = False


@dataclass(frozen=True)
class SequenceFlags(FlagGroup):
    """Which steps are run, and what keeps the later ones from running."""

    rehearse: Annotated[
        bool,
        call_option(
            "--rehearse",
            "Run all steps against one local emulator, without a rate limit. Nothing is sent to Gladly.",
            SAFETY,
        ),
    ] = False
    stop_on_rejects: Annotated[
        bool,
        call_option(
            "--stop-on-rejects",
            "Stop after a step with rejected records (exit code 1). Without it, the later steps still run.",
            _STEPS,
        ),
    ] = False
    again: Annotated[
        list[str] | None,
        call_option("--again", "Start this step again, even if it is done or interrupted; repeatable.", _STEPS, "STEP"),
    ] = None
    new_run: Annotated[
        bool,
        call_option("--new-run", "Start all steps again. Records that Gladly has accepted are not sent again.", _STEPS),
    ] = False
    accept_changed_input: flags.Accept = False


@with_flags
def check(
    context: typer.Context,
    rules: ProjectCheckFlags,
    pace: PlannedRateFlags,
    where: WhereFlags,
    file: ProjectFile = Path("migrate.toml"),
    json: flags.Json = False,
) -> None:
    """Check every row of every step before the first is run. Nothing is sent.

    Keys that rows refer to are looked up in earlier steps. The exit code is 0 without findings, and 1 with findings.
    """
    import anyio

    from bulkgladly.projects.check_project import check_project
    from bulkgladly.projects.planned_steps import StepsUnusable

    # Credentials are optional, because nothing is sent; but what is remembered of earlier imports is kept by host.
    credentials = credentials_or_none(context, where.profile)
    look = partial(
        check_project,
        file,
        pace=pace.over(),
        state_dir=where.state_dir,
        host=credentials.host if credentials else "",
        languages=words_of(rules.languages),
        show_values=rules.show_values,
    )
    try:
        if rules.coverage is not None:
            _write_coverage(file, rules.coverage)
        found = anyio.run(look)
    except StepsUnusable as error:
        _refuse(error.problems)
    if json:
        print_json(found.as_dict())
    else:
        _print_check(found)
    _tell_check(found)
    raise typer.Exit(found.exit_code)


@with_flags
def run(
    context: typer.Context,
    steps: SequenceFlags,
    pace: RunPaceFlags,
    stop: ErrorStopFlags,
    where: WhereFlags,
    output: OutputFlags,
    file: ProjectFile = Path("migrate.toml"),
) -> None:
    """Run the steps of a project in their order. Run it again to continue where it stopped.

    Each step is a run of its own, which `runs list`, `resume` and `retry` know. Steps that are done are not run
    again. A step with rejected records does not keep the later ones from running.
    """
    from bulkgladly.projects.planned_steps import StepsUnusable
    from bulkgladly.projects.rehearse_project import rehearse_project
    from bulkgladly.projects.run_project import ProjectOptions, run_project

    options = ProjectOptions(
        pace=pace.over(),
        limits=stop.over(),
        state_dir=where.state_dir,
        new_run=steps.new_run,
        again=tuple(steps.again or ()),
        stop_on_rejects=steps.stop_on_rejects,
        accept_changed_input=steps.accept_changed_input,
    )
    host = None
    if steps.rehearse:
        work = partial(rehearse_project, file, options)
    else:
        credentials = where.credentials(context)
        host = credentials.host
        work = partial(run_project, file, credentials, options)
    try:
        run_and_leave(context, work, output, summary=lambda report: report.lines(_width()))
    except StepsUnusable as error:
        _refuse(error.problems)
    except KeyboardInterrupt:
        # Within a step the run itself heeds the signal and writes its report; this one came between two steps.
        _stopped_between(file, options, host, json=output.json)


@with_flags
def status(
    context: typer.Context,
    where: WhereFlags,
    file: ProjectFile = Path("migrate.toml"),
    json: flags.Json = False,
) -> None:
    """Show which steps of a project are done, running, interrupted or not begun, and the next command."""
    from bulkgladly.projects.project_status import project_status

    # Credentials are optional, because nothing is sent; they say which organisation is meant.
    credentials = credentials_or_none(context, where.profile)
    host = credentials.host if credentials else None
    report = project_status(file, state_dir=where.state_dir, host=host)
    if json:
        print_json(report.as_dict())
    else:
        ending, *others = report.lines(_width())
        print_lines(ending_line(ending, is_clean=report.exit_code == 0), *others)


def _write_coverage(project: Path, out: Path) -> None:
    """Write the coverage page.

    Raises:
        UsageError: The name is not one of a page or of JSON, or it is an input of the project.
    """
    import datetime as dt

    import anyio

    from bulkgladly.projects.coverage_page import write_coverage
    from bulkgladly.projects.source_coverage import project_coverage

    write_coverage(anyio.run(partial(project_coverage, project)), out, dt.datetime.now(dt.UTC).date())
    tell(f"wrote {out}")


def _print_check(found: "ProjectCheck") -> None:
    """Print what was found in each step, in the order of the steps."""
    for step in found.steps:
        if step.report is not None and step.report.findings:
            print_lines(f"step {step.name}")
            print_findings(step.report, drop_choice='on_error = "drop"')
    for late in found.late_steps:
        print_lines(
            f"step {late.step} refers to {late.object} by key in {late.references:,} places, but step {late.later}, "
            "which imports them, comes later",
            f"    fix: move step {late.later} before step {late.step}",
        )
    for one in found.collisions:
        where = "over the same file " if one.is_same_file else ""
        print_lines(
            f"steps {one.other} and {one.step} {where}make {one.keys:,} {one.object} with the same keys: the later "
            "would overwrite what the earlier one created",
            f'    fix: give the records of step {one.step} keys of their own, or add namespace = "{one.step}" to it',
        )


def _tell_check(found: "ProjectCheck") -> None:
    """Print the summary on stderr: a line for each step, and what all of them would take."""
    from bulkgladly.runs.observer import counted

    tell(f"Checked {counted(len(found.steps), 'step')} of {found.project}; nothing was sent")
    for step in found.steps:
        if step.report is None:
            tell(f"  {step.name}: no files, skipped")
            continue
        counts = step.report.counts
        said = ", ".join(f"{counts[word]:,} {text}" for word, text in SAID.items() if counts[word])
        tell(f"  {step.name}: {said or 'no rows'}; {step.report.estimates[step.report.mode].effort()}")
        tell(*(f"    {note}" for note in step.report.notes))
        for what, number in step.report.not_judged.items():
            tell(f"    {counted(number, 'reference')} not checked: {what}")
    if found.estimate is not None:
        tell(f"  all steps: {found.estimate.effort()}")


def _width() -> int:
    """Return the columns of the terminal; where there is none, lines may be long."""
    return shutil.get_terminal_size((200, 24)).columns


def _refuse(problems: Any) -> NoReturn:
    tell(*(f"error: {problem}" for problem in problems))
    raise typer.Exit(2)


def _stopped_between(file: Path, options: "ProjectOptions", host: str | None, *, json: bool) -> NoReturn:
    from bulkgladly.projects.project_status import project_status

    if host is None:  # a rehearsal, of which nothing can be continued
        tell("stopped; nothing was sent to Gladly")
        raise typer.Exit(_INTERRUPTED)
    report = project_status(file, state_dir=options.state_dir, host=host)
    tell(*report.lines(_width()))
    if json:
        print_json({**report.as_dict(), "exit_code": _INTERRUPTED})
    raise typer.Exit(_INTERRUPTED)
