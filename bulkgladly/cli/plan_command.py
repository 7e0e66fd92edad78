"""`plan` and `apply`: what an import would do, as a folder that a person can read, and doing exactly that."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.flag_groups import (
    CanaryStopFlags,
    FlagGroup,
    OutputFlags,
    RunPaceFlags,
    StopFlags,
    WhereFlags,
    with_flags,
)
from bulkgladly.cli.flags import CONTACTS_PEOPLE, OUTPUT, SAFETY, call_option
from bulkgladly.cli.output import print_json, run_and_leave, tell
from bulkgladly.cli.row_flags import ImportFlags
from bulkgladly.cli.streams import standard_input
from bulkgladly.errors import UsageError
from bulkgladly.local_paths import local_path

if TYPE_CHECKING:
    from bulkgladly.plans.plan_folder import PlanInfo
    from bulkgladly.plans.plan_options import PlanOptions
    from bulkgladly.plans.plan_run import PlanReport

__all__ = ("PlanFlags", "apply", "plan")

_PLAN = "Plan"
_CHANGES = 6


@dataclass(frozen=True)
class PlanFlags(FlagGroup):
    """How a plan is made, and where."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The folder of the plan. (default: OBJECT.plan)",
            metavar="NAME.plan",
            rich_help_panel=_PLAN,
        ),
    ] = None
    live: Annotated[
        bool,
        call_option("--live", "Read what would be overwritten from Gladly, so that the plan is exact.", _PLAN),
    ] = False
    detailed_exitcode: Annotated[
        bool,
        call_option("--detailed-exitcode", "Exit with 6 if there is something to change, and with 0 if not.", OUTPUT),
    ] = False
    force: Annotated[bool, call_option("--force", "Replace a plan of this name.", SAFETY)] = False


@with_flags
def plan(
    context: typer.Context,
    resource: flags.RowsObject,
    files: flags.PlannedFiles,
    planning: PlanFlags,
    rows: ImportFlags,
    pace: RunPaceFlags,
    stop: StopFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Plan an import: what it would create, update and delete.

    The plan is a folder for you to read before anything is written. Without --live no request is sent, and the plan is
    based on what earlier imports have sent. `bulkgladly apply` does what the plan says, and nothing else.
    """
    import anyio

    from bulkgladly.plans.make_plan import plan_offline
    from bulkgladly.plans.plan_options import PlanOptions
    from bulkgladly.plans.plan_run import lines_of, plan_live

    credentials = where.credentials(context)
    out = local_path(planning.out or Path(f"{resource}.plan"), what="--out")
    wanted = rows.import_options(where.state_dir, pace=pace.over(), limits=stop.over())
    options = PlanOptions.of(wanted, out=out, is_live=planning.live, force=planning.force)
    if planning.live:
        begin = partial(plan_live, resource, files, credentials, options)
        run_and_leave(context, begin, output, code=partial(_code_of_report, planning))
    info = anyio.run(lambda: plan_offline(resource, files, options, host=credentials.host))
    number = f"{info.rows:,} {'row' if info.rows == 1 else 'rows'}"
    tell(f"Planned {number} of {info.resource} (mode: {info.mode}); nothing was sent")
    tell(*(f"  {line}" for line in lines_of(info, out)))
    tell(*(f"  {line}" for line in _on_limits(info, options)))
    tell(f"  {_next(info, options)}")
    if output.json:
        print_json(info.as_dict(), kept_in=str(out / "plan.json"))
    raise typer.Exit(_code(planning, writes=info.writes, rejects=sum(info.rejects.values())))


def _on_limits(info: "PlanInfo", options: "PlanOptions") -> Iterator[str]:
    """Yield what limits mean for a plan that is made without a request: only its apply takes time."""
    from bulkgladly.runs.environment import USUAL
    from bulkgladly.runs.finish_by import FinishBy
    from bulkgladly.runs.observer import Estimate
    from bulkgladly.runs.options import limits_told

    if told := limits_told(options.limits):
        yield f"{told} has no effect: without --live, a plan sends no request. Pass it to `apply`"
    pace = options.pace.foreseen(USUAL.wall())
    low, high = info.requests
    estimate = Estimate(info.rows, True, low, high, pace.usual, info.rows - info.writes, pace=pace)
    if (answer := FinishBy(options.limits.finish_by, USUAL.wall).answer(estimate)) is not None:
        yield f"applying it: {answer}"


def _next(info: "PlanInfo", options: "PlanOptions") -> str:
    from bulkgladly.commands import next_command

    if not info.writes:
        return "nothing to apply"
    return f"next: {next_command('apply', options.out, state_dir=options.state_dir, connects=True)}"


def _code_of_report(planning: PlanFlags, report: "PlanReport") -> int:
    if report.plan is None:
        return report.exit_code
    writes = sum(report.plan["counts"]["actions"].get(name, 0) for name in ("create", "update", "delete", "open"))
    return _code(planning, writes=writes, rejects=sum(report.plan["rejects"].values()))


def _code(planning: PlanFlags, *, writes: int, rejects: int) -> int:
    """Return the exit code of a plan that was made: 6 for changes if they are asked for, 1 for rejected rows."""
    if rejects:
        return 1
    return _CHANGES if planning.detailed_exitcode and writes else 0


@dataclass(frozen=True)
class ApplyFlags(FlagGroup):
    """What is allowed without a question, and what counts as a failure."""

    new_run: flags.NewRun = False
    yes: Annotated[bool, call_option("--yes", "Delete without asking for confirmation.", SAFETY)] = False
    contacts_people: Annotated[bool, CONTACTS_PEOPLE] = False
    fail_on: flags.FailOn = None


@with_flags
def apply(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            help="The folder of the plan.",
            metavar="NAME.plan",
            autocompletion=completions.plans,
        ),
    ],
    safety: ApplyFlags,
    pace: RunPaceFlags,
    stop: CanaryStopFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Do what a plan says, and nothing else.

    Each record is read before it is overwritten. One that is no longer as the plan saw it is rejected (moved). The plan
    is refused if its input, its mapping or the organisation has changed.
    """
    from bulkgladly.plans.apply_plan import apply_plan
    from bulkgladly.plans.plan_folder import opened_plan

    path = local_path(folder)
    credentials = where.credentials(context)
    info = opened_plan(path)
    if info.actions.get("delete") or info.mode == "delete":
        _confirm_deletions(info, yes=safety.yes)
    begin = partial(
        apply_plan,
        path,
        credentials,
        state_dir=where.state_dir,
        pace=pace.over,
        limits=stop.over,
        contacts_people=safety.contacts_people,
        fail_on=safety.fail_on,
        new_run=safety.new_run,
    )
    run_and_leave(context, begin, output)


def _confirm_deletions(info: "PlanInfo", *, yes: bool) -> None:
    """Ask a person whether to delete what the plan deletes.

    Raises:
        Abort: The person has said no.
        UsageError: There is nobody to ask.
    """
    number = info.actions.get("delete", 0) + info.actions.get("open", 0)
    if yes or not number:
        return
    if (answers := standard_input()) is None or not answers.isatty():
        raise UsageError("deleting cannot be undone; pass --yes to delete without confirmation")
    tell(f"This deletes up to {number:,} {info.resource} from {info.host}. It cannot be undone.")
    typer.confirm("Delete?", abort=True, err=True)
