"""Plan and apply as functions for programs."""

from collections.abc import Sequence
from pathlib import Path

from bulkgladly.imports.import_summary import Report
from bulkgladly.local_paths import local_path
from bulkgladly.plans.apply_plan import apply_plan
from bulkgladly.plans.make_plan import plan_offline
from bulkgladly.plans.plan_folder import PlanInfo, opened_plan
from bulkgladly.plans.plan_options import PlanOptions
from bulkgladly.plans.plan_run import PlanReport, plan_live
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.settings import Credentials, Limits, Pace

__all__ = ("plan", "read_plan", "start_apply", "start_plan")


async def plan(
    resource_name: str, files: Sequence[str | Path], options: PlanOptions | None = None, *, host: str
) -> PlanInfo:
    """Plan an import by what earlier runs have sent, write the plan to `options.out`, and return what it comes to.

    No request is sent; `host` is the organisation whose earlier imports count.

    Raises:
        UsageError: The options or files cannot be used, or no run has seen the organisation yet.
        JournalError: The state cannot be read, or the plan cannot be written.
    """
    return await plan_offline(resource_name, files, options or PlanOptions(), host=host)


async def start_plan(
    resource_name: str,
    files: Sequence[str | Path],
    credentials: Credentials,
    options: PlanOptions | None = None,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> PlanReport:
    """Plan an import by what Gladly holds, write the plan to `options.out`, and return the report of the reads.

    It is a run: one that ends early can be resumed, and then makes the plan.

    Raises:
        UsageError: The options or files cannot be used. Nothing was sent.
    """
    return await plan_live(
        resource_name,
        files,
        credentials,
        options or PlanOptions(),
        observer=observer,
        with_signals=with_signals,
        environment=environment,
    )


def read_plan(folder: str | Path) -> PlanInfo:
    """Return what a plan comes to.

    Raises:
        UsageError: The folder has no plan, or it was edited.
    """
    return opened_plan(local_path(folder))


async def start_apply(
    folder: str | Path,
    credentials: Credentials,
    *,
    state_dir: str | Path = ".bulkgladly",
    pace: Pace | None = None,
    limits: Limits | None = None,
    contacts_people: bool = False,
    fail_on: str | None = None,
    new_run: bool = False,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report:
    """Do what a plan says, and return the report of the run; it can be resumed as an import can.

    A record that is no longer as the plan saw it ends as rejected (`moved`). Without `pace` and `limits` those with
    which the plan was made are used.

    Raises:
        UsageError: The plan was edited, is or was applied already, or no longer fits: the message names each
            difference. Nothing was sent.
    """
    return await apply_plan(
        local_path(folder),
        credentials,
        state_dir=local_path(state_dir),
        pace=lambda planned: pace or planned,
        limits=lambda planned: limits or planned,
        contacts_people=contacts_people,
        fail_on=fail_on,
        new_run=new_run,
        observer=observer,
        with_signals=with_signals,
        environment=environment,
    )
