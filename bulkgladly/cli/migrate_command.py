"""`migrate check`, `migrate run` and `migrate status`: a migration of several steps, from one project file."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.configuration import credentials_or_none
from bulkgladly.cli.flag_groups import ErrorStopFlags, FlagGroup, OutputFlags, PaceFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import SAFETY, call_option
from bulkgladly.cli.output import print_json, print_lines, run_and_leave, tell

if TYPE_CHECKING:
    from bulkgladly.projects.run_project import ProjectOptions

__all__ = ("SequenceFlags", "run", "status")

ProjectFile = Annotated[
    Path,
    typer.Argument(help="The project file. (default: migrate.toml in this folder)", metavar="FILE", show_default=False),
]
_STEPS = "Steps"
_INTERRUPTED = 130


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
            "Stop after a step with rejected records (exit code 1). Without this, the later steps run, too.",
            _STEPS,
        ),
    ] = False
    again: Annotated[
        list[str] | None,
        call_option("--again", "Start this step again, even if it is done or interrupted; repeatable.", _STEPS, "STEP"),
    ] = None
    new_run: Annotated[
        bool,
        call_option(
            "--new-run", "Start all steps again. Records that Gladly has accepted are not sent again.", _STEPS
        ),
    ] = False
    accept_changed_input: flags.Accept = False


@with_flags
def run(
    context: typer.Context,
    steps: SequenceFlags,
    pace: PaceFlags,
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
        run_and_leave(context, work, output, summary=lambda report: report.lines())
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
        print_lines(*report.lines())


def _refuse(problems: Any) -> NoReturn:
    tell(*(f"error: {problem}" for problem in problems))
    raise typer.Exit(2)


def _stopped_between(file: Path, options: "ProjectOptions", host: str | None, *, json: bool) -> NoReturn:
    from bulkgladly.projects.project_status import project_status

    if host is None:  # a rehearsal, of which nothing can be continued
        tell("stopped; nothing was sent to Gladly")
        raise typer.Exit(_INTERRUPTED)
    report = project_status(file, state_dir=options.state_dir, host=host)
    tell(*report.lines())
    if json:
        print_json({**report.as_dict(), "exit_code": _INTERRUPTED})
    raise typer.Exit(_INTERRUPTED)


def check() -> None:
    """Check."""
