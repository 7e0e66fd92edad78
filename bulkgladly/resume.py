"""Resuming any run, whatever it moves."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bulkgladly.crosswalk.crosswalk_findings import REPAIR
from bulkgladly.crosswalk.crosswalk_repair import RepairReport, resume_repair
from bulkgladly.errors import UsageError
from bulkgladly.exports.export_summary import ExportReport
from bulkgladly.exports.run_export import EXPORT, resume_export
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.run_import import resume_import
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.undone_runs import UNDO
from bulkgladly.plans.apply_plan import resume_apply
from bulkgladly.plans.plan_options import PLAN_MODE
from bulkgladly.plans.plan_run import PlanReport, resume_plan
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.settings import Credentials
from bulkgladly.undo.run_undo import resume_undo
from bulkgladly.undo.undo_summary import UndoReport
from bulkgladly.verification.verify_run import VERIFY, resume_verify
from bulkgladly.verification.verify_summary import VerifyReport

__all__ = ("resume_run",)

_OTHERS: Mapping[str, tuple[str, Callable[..., Awaitable[Any]]]] = {
    EXPORT: ("is an export and has no input", resume_export),
    PLAN_MODE: ("is a plan, which is about one input", resume_plan),
    REPAIR: ("is a repair and has no input", resume_repair),
    UNDO: ("is an undo and has no input", resume_undo),
    VERIFY: ("compares a file with Gladly, and a changed file has to be verified again", resume_verify),
}
"""Runs that are no imports, by their mode: why they do not accept a changed input, and how they are resumed."""


async def resume_run(
    run: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[Any], Any] = lambda options: options,
    accept_changed_input: bool = False,
    fail_on: str | None = None,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report | ExportReport | PlanReport | RepairReport | UndoReport | VerifyReport:
    """Continue a run where it stopped, and return the report of all its sessions.

    What resumes it follows from its mode. `change` gets the options with which the run began, and may set another
    pace and other limits. `fail_on` changes which rejects of an import count in its exit code.

    Raises:
        UsageError: The credentials are for another host, or a run without an input is told to accept a changed one.
        JournalError: The run cannot be used, or another process works on it.
        InputChanged: An input file, the mapping or the transform is not the one with which the run began.
    """
    run.check()
    header = run.header()
    if header.mode not in _OTHERS:
        resume_it = resume_import if header.settings.get("plan") is None else resume_apply
        return await resume_it(
            run,
            credentials,
            change=change,
            accept_changed_input=accept_changed_input,
            fail_on=fail_on,
            observer=observer,
            with_signals=with_signals,
            environment=environment,
        )
    what, resume = _OTHERS[header.mode]
    if accept_changed_input:
        raise UsageError(f"run {run.name} {what}; omit --accept-changed-input")
    report: ExportReport | PlanReport | RepairReport | UndoReport | VerifyReport = await resume(
        run, credentials, change=change, observer=observer, with_signals=with_signals, environment=environment
    )
    return report
