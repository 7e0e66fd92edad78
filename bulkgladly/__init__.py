"""Bulk import and export for Gladly: every record once, at Gladly's pace, resumable at any time.

    import asyncio
    from bulkgladly import Credentials, ImportOptions, start_import

    async def main() -> None:
        report = await start_import(
            "customers", ["customers.csv"], Credentials.from_environment(), ImportOptions(key="crm_id")
        )
        print(report.counts, report.exit_code)

    asyncio.run(main())

Only the names listed here are promised. Everything runs on asyncio.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bulkgladly._version import __version__

if TYPE_CHECKING:
    from bulkgladly.checks.check_report import CheckReport
    from bulkgladly.checks.run_check import check
    from bulkgladly.errors import (
        BulkgladlyError,
        DiskFull,
        Fatal,
        InputChanged,
        InputError,
        JournalDamaged,
        JournalError,
        NotAuthenticated,
        NotPermitted,
        NotTrusted,
        Outage,
        RunLocked,
        TransportError,
        UsageError,
        WrongOrganisation,
    )
    from bulkgladly.explanations.explain_for_programs import explain
    from bulkgladly.explanations.explain_run import Explained
    from bulkgladly.explanations.record_story import RecordStory
    from bulkgladly.exports.export_options import ExportOptions, ReportQuery
    from bulkgladly.exports.export_summary import ExportReport
    from bulkgladly.exports.run_export import dump, resume_export, start_export
    from bulkgladly.files.contract import ReadOptions
    from bulkgladly.imports.dry_run import DryRun, dry_run
    from bulkgladly.imports.import_options import ImportOptions
    from bulkgladly.imports.import_summary import Report
    from bulkgladly.imports.mapping_choice import MapChoice, choose_mapping
    from bulkgladly.imports.retry_import import retry_import
    from bulkgladly.imports.run_import import rehearse_import, resume_import, start_import
    from bulkgladly.journal.run_folder import RunFolder
    from bulkgladly.journal.runs import find_run, list_runs
    from bulkgladly.plans.plan_folder import PlanInfo
    from bulkgladly.plans.plan_options import PlanOptions
    from bulkgladly.plans.plan_run import PlanReport
    from bulkgladly.plans.start_plans import plan, read_plan, start_apply, start_plan
    from bulkgladly.projects.check_project import ProjectCheck, check_project
    from bulkgladly.projects.project_report import ProjectReport
    from bulkgladly.projects.project_status import project_status
    from bulkgladly.projects.rehearse_project import rehearse_project
    from bulkgladly.projects.run_project import ProjectOptions, run_project
    from bulkgladly.projects.source_coverage import ProjectCoverage, project_coverage
    from bulkgladly.realtime.following import Following, GladlyEvent, follow
    from bulkgladly.records import Mode, Word
    from bulkgladly.resume import resume_run
    from bulkgladly.runs.diagnosis import Diagnosis, diagnose
    from bulkgladly.runs.observer import Estimate, Observer, RunView
    from bulkgladly.settings import Credentials, Limits, Pace
    from bulkgladly.undo.run_undo import preview_undo, resume_undo, start_undo
    from bulkgladly.undo.undo_options import UndoOptions
    from bulkgladly.undo.undo_summary import UndoReport
    from bulkgladly.verification.start_verification import start_verify, start_verify_files
    from bulkgladly.verification.verify_options import VerifyOptions
    from bulkgladly.verification.verify_summary import VerifyReport

__all__ = (
    "BulkgladlyError",
    "CheckReport",
    "Credentials",
    "Diagnosis",
    "DiskFull",
    "DryRun",
    "Estimate",
    "Explained",
    "ExportOptions",
    "ExportReport",
    "Fatal",
    "Following",
    "GladlyEvent",
    "ImportOptions",
    "InputChanged",
    "InputError",
    "JournalDamaged",
    "JournalError",
    "Limits",
    "MapChoice",
    "Mode",
    "NotAuthenticated",
    "NotPermitted",
    "NotTrusted",
    "Observer",
    "Outage",
    "Pace",
    "PlanInfo",
    "PlanOptions",
    "PlanReport",
    "ProjectCheck",
    "ProjectCoverage",
    "ProjectOptions",
    "ProjectReport",
    "ReadOptions",
    "RecordStory",
    "Report",
    "ReportQuery",
    "RunFolder",
    "RunLocked",
    "RunView",
    "TransportError",
    "UndoOptions",
    "UndoReport",
    "UsageError",
    "VerifyOptions",
    "VerifyReport",
    "Word",
    "WrongOrganisation",
    "__version__",
    "check",
    "check_project",
    "choose_mapping",
    "diagnose",
    "dry_run",
    "dump",
    "explain",
    "find_run",
    "follow",
    "list_runs",
    "plan",
    "preview_undo",
    "project_coverage",
    "project_status",
    "read_plan",
    "rehearse_import",
    "rehearse_project",
    "resume_export",
    "resume_import",
    "resume_run",
    "resume_undo",
    "retry_import",
    "run_project",
    "start_apply",
    "start_export",
    "start_import",
    "start_plan",
    "start_undo",
    "start_verify",
    "start_verify_files",
)

_HOMES = {
    "bulkgladly.errors": (
        "BulkgladlyError",
        "DiskFull",
        "Fatal",
        "InputChanged",
        "InputError",
        "JournalDamaged",
        "JournalError",
        "NotAuthenticated",
        "NotPermitted",
        "NotTrusted",
        "Outage",
        "RunLocked",
        "TransportError",
        "UsageError",
        "WrongOrganisation",
    ),
    "bulkgladly.files.contract": ("ReadOptions",),
    "bulkgladly.journal.run_folder": ("RunFolder",),
    "bulkgladly.journal.runs": (
        "find_run",
        "list_runs",
    ),
    "bulkgladly.checks.run_check": ("check",),
    "bulkgladly.checks.check_report": ("CheckReport",),
    "bulkgladly.imports.dry_run": (
        "DryRun",
        "dry_run",
    ),
    "bulkgladly.explanations.explain_run": ("Explained",),
    "bulkgladly.explanations.record_story": ("RecordStory",),
    "bulkgladly.plans.plan_folder": ("PlanInfo",),
    "bulkgladly.plans.plan_options": ("PlanOptions",),
    "bulkgladly.plans.plan_run": ("PlanReport",),
    "bulkgladly.plans.start_plans": (
        "plan",
        "read_plan",
        "start_apply",
        "start_plan",
    ),
    "bulkgladly.explanations.explain_for_programs": ("explain",),
    "bulkgladly.verification.start_verification": (
        "start_verify",
        "start_verify_files",
    ),
    "bulkgladly.verification.verify_options": ("VerifyOptions",),
    "bulkgladly.verification.verify_summary": ("VerifyReport",),
    "bulkgladly.undo.run_undo": (
        "preview_undo",
        "resume_undo",
        "start_undo",
    ),
    "bulkgladly.undo.undo_options": ("UndoOptions",),
    "bulkgladly.undo.undo_summary": ("UndoReport",),
    "bulkgladly.exports.export_options": (
        "ExportOptions",
        "ReportQuery",
    ),
    "bulkgladly.exports.export_summary": ("ExportReport",),
    "bulkgladly.exports.run_export": (
        "dump",
        "resume_export",
        "start_export",
    ),
    "bulkgladly.imports.import_summary": ("Report",),
    "bulkgladly.imports.mapping_choice": (
        "MapChoice",
        "choose_mapping",
    ),
    "bulkgladly.imports.import_options": ("ImportOptions",),
    "bulkgladly.resume": ("resume_run",),
    "bulkgladly.imports.retry_import": ("retry_import",),
    "bulkgladly.imports.run_import": (
        "rehearse_import",
        "resume_import",
        "start_import",
    ),
    "bulkgladly.projects.check_project": (
        "ProjectCheck",
        "check_project",
    ),
    "bulkgladly.projects.project_report": ("ProjectReport",),
    "bulkgladly.projects.project_status": ("project_status",),
    "bulkgladly.projects.rehearse_project": ("rehearse_project",),
    "bulkgladly.projects.run_project": (
        "ProjectOptions",
        "run_project",
    ),
    "bulkgladly.projects.source_coverage": (
        "ProjectCoverage",
        "project_coverage",
    ),
    "bulkgladly.realtime.following": (
        "Following",
        "GladlyEvent",
        "follow",
    ),
    "bulkgladly.records": (
        "Mode",
        "Word",
    ),
    "bulkgladly.runs.diagnosis": (
        "Diagnosis",
        "diagnose",
    ),
    "bulkgladly.runs.observer": (
        "Estimate",
        "Observer",
        "RunView",
    ),
    "bulkgladly.settings": (
        "Credentials",
        "Limits",
        "Pace",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `bulkgladly --help` and the emulator need none of it.
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
