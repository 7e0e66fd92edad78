"""How a project stands: all its steps together, from what is kept of it, while it runs or when it has ended."""

from dataclasses import replace
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.projects.project_file import PROJECT_FILE, Project, load_project
from bulkgladly.projects.project_record import ProjectRecord, records_of
from bulkgladly.projects.project_report import ProjectReport, worst_exit_code
from bulkgladly.projects.step_report import DONE, NOT_BEGUN, StepReport, report_of_step

__all__ = ("project_report", "project_status", "run_command")


def project_status(
    file: AnyPath = PROJECT_FILE, *, state_dir: AnyPath = ".bulkgladly", host: str | None = None
) -> ProjectReport:
    """Return how the steps of a project stand, also while another process runs it. Nothing is sent.

    `host` is the base URL of the organisation; without it, the one for which the project ran last.

    Raises:
        UsageError: The project file cannot be used.
        JournalDamaged: What is kept of the project cannot be read.
    """
    project, place = load_project(file), local_path(state_dir)
    if host is None:
        known = sorted(records_of(place, project.file), key=_last_change)
        host = known[-1].host if known else ""
    record = ProjectRecord(place, project.file, host).read()
    report = project_report(project, record, [report_of_step(record, step) for step in project.steps])
    # Between two steps no run has a lock, but the project has.
    return replace(report, status="running", next_commands=()) if record.is_running else report


def _last_change(record: ProjectRecord) -> int:
    try:
        return record.path.stat().st_mtime_ns
    except OSError:
        return 0


def project_report(project: Project, record: ProjectRecord, steps: list[StepReport]) -> ProjectReport:
    """Return the report of a project whose steps stand like this."""
    first = next((step for step in steps if not step.is_over), None)
    state = "complete" if first is None else first.state
    if state == NOT_BEGUN and any(step.state == DONE for step in steps):
        state = "interrupted"
    return ProjectReport(
        project=project.name,
        file=str(project.file),
        host=record.host,
        status=state,
        exit_code=worst_exit_code(step.exit_code for step in steps if step.exit_code is not None),
        reason=None,
        steps=tuple(steps),
        folder=str(record.folder),
        next_commands=() if first is None else (run_command(project, record.state_dir),),
    )


def run_command(project: Project, state_dir: Path, *flags: str) -> str:
    """Return the command that runs a project, as it is typed in the current folder."""
    named = [] if str(project.file) == PROJECT_FILE else [project.file]
    return next_command("migrate", "run", *named, *flags, state_dir=state_dir, connects=True)
