"""Plan, apply, verify and explain as functions for programs; each starts what the command of the same name does."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bulkgladly.changes.apply_plan import apply_plan
from bulkgladly.changes.explain_run import Explained, NowAsked, explain_record
from bulkgladly.changes.make_plan import plan_offline
from bulkgladly.changes.plan_folder import PlanInfo, opened_plan
from bulkgladly.changes.plan_options import PlanOptions
from bulkgladly.changes.plan_run import PlanReport, plan_live
from bulkgladly.changes.verify_options import VerifyOptions
from bulkgladly.changes.verify_run import verify_files, verify_plan, verify_run
from bulkgladly.changes.verify_summary import VerifyReport
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.import_summary import Report
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.local_paths import local_path
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.session import Terms
from bulkgladly.settings import Credentials, Limits, Pace

__all__ = ("explain", "plan", "read_plan", "start_apply", "start_plan", "start_verify", "start_verify_files")


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


async def start_verify(
    what: RunFolder | str | Path,
    credentials: Credentials,
    options: VerifyOptions | None = None,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> VerifyReport:
    """Compare what Gladly holds with what a run has sent, or with the folder of a plan. Nothing is written to Gladly.

    `options` has the sample, pace, limits and `state_dir`, in which the verification becomes a run of its own: for a
    run it must be that of the run.

    Raises:
        InputChanged: An input file or the mapping is not as it was.
        UsageError: The run or the plan cannot be verified. Nothing was sent.
    """
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    if isinstance(what, RunFolder):
        return await verify_run(what, options or VerifyOptions(state_dir=what.state_dir), terms)
    return await verify_plan(local_path(what), options or VerifyOptions(), terms)


async def start_verify_files(
    resource_name: str,
    files: Sequence[str | Path],
    credentials: Credentials,
    options: ImportOptions | None = None,
    *,
    sample: str | None = None,
    show_values: bool = False,
    forget: bool = False,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> VerifyReport:
    """Compare what Gladly holds with the rows of files, as an import with these options would see them.

    `sample` is a number of rows (`500`) or a share (`5%`). `forget` lets the next import write again what differs.

    Raises:
        UsageError: The object cannot be verified, or the options or the files cannot be used. Nothing was sent.
    """
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    chosen = VerifyOptions(sample=sample, show_values=show_values, forget=forget)
    return await verify_files(resource_name, files, options or ImportOptions(), terms, chosen=chosen)


async def explain(
    run: RunFolder,
    record: str,
    credentials: Credentials | None = None,
    *,
    show_values: bool = False,
    nth: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
    environment: Environment = USUAL,
) -> Explained:
    """Return the story of a record: a row (`customers.csv:17`), a source key, or an id in Gladly.

    With `credentials` Gladly is asked what it holds now. If a row made several records, `nth` chooses one, from 1.
    `tell` gets a line for people if Gladly does not reply soon.

    Raises:
        JournalDamaged: The run cannot be read.
        UsageError: There is no such record.
    """
    asked = NowAsked(credentials, tell=tell)
    return await explain_record(run, record, asked=asked, show_values=show_values, nth=nth, environment=environment)
