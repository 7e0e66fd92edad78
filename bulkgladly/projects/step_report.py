"""How a step of a project stands: by its run, or by what is kept of a complete run that was purged."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError, InputError
from bulkgladly.files.opening import files_of
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.results import count_by_word, rejects_by_code
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.projects.planned_steps import PlannedStep
from bulkgladly.projects.project_file import ProjectStep
from bulkgladly.projects.project_record import ProjectRecord
from bulkgladly.runs.options import restored
from bulkgladly.storage.durable import hash_of

__all__ = ("DONE", "NOT_BEGUN", "NO_FILES", "StepReport", "changes_since", "folder_of", "kept_end", "report_of_step")

DONE, NOT_BEGUN, NO_FILES = "done", "not begun", "no files"
_SAID = {"complete": DONE, "new": "interrupted"}
_KEPT = ("exit_code", "counts", "requests_total", "seconds", "rejects_by_code", "next_commands")


@dataclass(frozen=True, slots=True)
class StepReport:
    """What became of one step, or of as much of it as is done.

    `state` is done, running, interrupted, stopped, failed, damaged, not begun, or no files (an optional step without
    input). `counts` is as in the report of an import; while a step is not done it may lack what was not reached.
    """

    name: str
    object: str
    state: str
    run: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    counts: Mapping[str, int] | None = None
    requests: int = 0
    seconds: float = 0.0
    rejects_by_code: Mapping[str, int] | None = None
    next_commands: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do in this step."""
        return self.state in (DONE, NO_FILES)

    @property
    def rows(self) -> int:
        """How many records the step has read, as far as is known."""
        counts = self.counts or {}
        return counts.get("read", sum(counts.values()))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return asdict(self)


def folder_of(record: ProjectRecord, step: ProjectStep) -> RunFolder | None:
    """Return the run that was begun for a step, if it still exists; None if it never came to be."""
    name = record.step(step.name).run
    if name is None:
        return None
    folder = RunFolder(record.state_dir / "runs" / name)
    if not folder.path.is_dir():
        return None
    fault = folder.fault()
    if fault is not None and fault.word == "half-born":  # killed between the note and the header: it has sent nothing
        return None
    if fault is None and folder.header().resource != step.spec.name:  # the step was given another object
        return None
    return folder


def report_of_step(record: ProjectRecord, step: ProjectStep) -> StepReport:
    """Return how a step stands, by its run and its journal; also while another process works on it."""
    folder = folder_of(record, step)
    if folder is None:
        end = record.step(step.name).end
        if end is None:
            return StepReport(step.name, step.spec.name, NOT_BEGUN)
        return _with_end(StepReport(step.name, step.spec.name, DONE, record.step(step.name).run), end)
    report = StepReport(step.name, step.spec.name, "damaged", folder.name)
    try:
        noted, status = folder.status(), folder.live_status()
        report = replace(report, state=_SAID.get(status, status))
        # After a kill the report is that of the session before, if there was one; the journal is up to date.
        if noted not in ("running", "new") and (found := folder.report()) is not None:
            return _with_end(replace(report, reason=found.get("reason")), found)
        counts = count_by_word(folder.path)
        resume = next_command("resume", folder.name, state_dir=folder.state_dir, connects=True)
        return replace(report, counts=counts, rejects_by_code=rejects_by_code(folder.path), next_commands=(resume,))
    except BulkgladlyError as error:
        return replace(report, state="damaged", reason=str(error), exit_code=error.exit_code)


def _with_end(report: StepReport, end: Mapping[str, Any]) -> StepReport:
    return replace(
        report,
        exit_code=end.get("exit_code"),
        counts=end.get("counts"),
        requests=end.get("requests_total", 0),
        seconds=end.get("seconds", 0.0),
        rejects_by_code=end.get("rejects_by_code"),
        next_commands=tuple(end.get("next_commands", ())),
    )


def kept_end(folder: RunFolder) -> dict[str, Any] | None:
    """Return what is kept of a complete run when it is purged; None if it has no report."""
    report = folder.report()
    if report is None:
        return None
    return {**{name: report.get(name) for name in _KEPT}, "inputs": [asdict(one) for one in folder.header().inputs]}


# --- what has changed since a step began ---


def changes_since(record: ProjectRecord, plan: PlannedStep) -> list[str]:
    """Return what is different now from when the run of a step began: input files, the mapping, options.

    Files are compared by size and time first, and by their content only if these differ.
    """
    folder, end = folder_of(record, plan.step), record.step(plan.name).end or {}
    try:
        header = None if folder is None else folder.header()
        were = header.inputs if header else tuple(InputFile(**one) for one in end.get("inputs", ()))
        found = _changed_files(were, plan) if were else []
        return found + ([] if header is None else _changed_options(header, plan, record))
    except BulkgladlyError as error:
        return [str(error)]


def _changed_files(were: tuple[InputFile, ...], plan: PlannedStep) -> list[str]:
    try:
        paths = files_of(plan.patterns)
    except InputError as error:
        return [str(error)]
    now = {str(path.absolute()): path for path in paths}
    before = {one.path: one for one in were}
    found = [f"{path} is new" for name, path in now.items() if name not in before]
    for name, one in before.items():
        if name not in now:
            found.append(f"{name} is not an input any more")
        elif _is_other(one, now[name]):
            found.append(f"{now[name]} has changed")
    return found


def _is_other(was: InputFile, path: Path) -> bool:
    try:
        state = path.stat()
        return (state.st_size, state.st_mtime_ns) != (was.size, was.mtime_ns) and hash_of(path) != was.digest
    except OSError:
        return True


def _changed_options(header: RunHeader, plan: PlannedStep, record: ProjectRecord) -> list[str]:
    was = restored(ImportOptions, header.settings, record.state_dir)
    mapping, before = plan.options.mapping, was.mapping
    found = []
    if (mapping and (mapping.file, mapping.text)) != (before and (before.file, before.text)):
        name = Path(mapping.file).name if mapping and mapping.file else None
        found.append(f"the mapping {name} has changed" if name else "it has no mapping now")
    if (mapping and (mapping.transform, mapping.digest)) != (before and (before.transform, before.digest)):
        found.append("the transform has changed")
    if mapping and before and mapping.variables != before.variables:
        found.append("its variables have changed")
    if mapping and before and [one.digest for one in mapping.lookups] != [one.digest for one in before.lookups]:
        found.append("a file in which the mapping looks values up has changed")
    now = plan.options

    def own(options: ImportOptions) -> ImportOptions:
        reading = replace(options.reading, folders=(), is_plain=False)
        return replace(options, mapping=None, reading=reading, pace=now.pace, limits=now.limits)

    return found + (["its options have changed"] if own(was) != own(now) else [])
