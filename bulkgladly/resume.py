"""Resuming any run, whatever it moves."""

from collections.abc import Callable
from typing import Any

from bulkgladly.changes.apply_plan import resume_apply
from bulkgladly.changes.plan_run import PLAN_MODE, PlanReport, resume_plan
from bulkgladly.errors import UsageError
from bulkgladly.exports.export_summary import ExportReport
from bulkgladly.exports.run_export import EXPORT, resume_export
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.run_import import resume_import
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.settings import Credentials

__all__ = ("resume_run",)


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
) -> Report | ExportReport | PlanReport:
    """Continue a run where it stopped, and return the report of all its sessions.

    It calls `resume_import`, `resume_export`, `resume_plan` or `resume_apply`, as the run requires. `change` gets
    the options with which the run began, and may set another pace and other limits. `fail_on` changes which rejects
    of an import count in its exit code.

    Raises:
        UsageError: The credentials are for another host, or an export is told to accept a changed input.
        JournalError: The run cannot be used, or another process works on it.
        InputChanged: An input file, the mapping or the transform is not the one with which the run began.
    """
    run.check()
    header = run.header()
    if header.mode not in (EXPORT, PLAN_MODE):
        go_on = resume_import if header.settings.get("plan") is None else resume_apply
        return await go_on(
            run,
            credentials,
            change=change,
            accept_changed_input=accept_changed_input,
            fail_on=fail_on,
            observer=observer,
            with_signals=with_signals,
            environment=environment,
        )
    if accept_changed_input:
        what = "an export and has no input" if header.mode == EXPORT else "a plan, which is about one input"
        raise UsageError(f"run {run.name} is {what}; omit --accept-changed-input")
    resume = resume_export if header.mode == EXPORT else resume_plan
    return await resume(
        run, credentials, change=change, observer=observer, with_signals=with_signals, environment=environment
    )
