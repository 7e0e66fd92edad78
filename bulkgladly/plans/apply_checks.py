"""Whether a plan still fits: each difference from when it was made, before anything is sent."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bulkgladly.errors import JournalError, UnfinishedRun, UsageError
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import unchanged_mapping
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile
from bulkgladly.journal.runs import all_folders
from bulkgladly.journal.state_reader import StateReader
from bulkgladly.journal.undone_runs import taken_back
from bulkgladly.lake.row_groups import NumberedRows
from bulkgladly.plans.plan_folder import CHANGES, PlanInfo, hash_of_plan, opened_plan
from bulkgladly.plans.planned_changes import UNCOMPARED, PlannedChange, memory_of
from bulkgladly.records import Known, place_of_row
from bulkgladly.runs.beginning import refuse_worked_on, removed_unbegun
from bulkgladly.runs.observer import counted
from bulkgladly.runs.summary import resume_command
from bulkgladly.storage.durable import hash_of

__all__ = ("refuse_begun", "refuse_unfit", "run_of_plan")

_NAMED = 3
_AT_ONCE = 500


def refuse_begun(folder: Path, options: ImportOptions) -> None:
    """Make sure that no run applies, or has applied, the plan. A run that never reached its first record is removed.

    A run that was taken back does not count.

    Raises:
        UsageError: There is one; the message says how to continue it.
    """
    for run in all_folders(options.state_dir):
        if options.plan is None or run.fault() is not None or not _is_of_plan(run, options.plan.plan_hash):
            continue
        if taken_back(run) is not None:
            continue
        if run.status() == "complete":
            raise UsageError(f"{folder} was applied already, by run {run.name}; to write what is left, plan again")
        if not removed_unbegun(run):
            refuse_worked_on(run, "of the same plan")
            resume = resume_command(run)
            raise UnfinishedRun(
                f"run {run.name} of the same plan is not finished; continue it with `{resume}`, or plan again"
            )


def run_of_plan(folder: Path, state_dir: Path) -> RunFolder | None:
    """Return the run that applies a plan, or has applied it; else the one that made it; None if there is none.

    Raises:
        UsageError: The folder has no plan that can be used.
    """
    made_by, plan_hash = opened_plan(folder).run, hash_of_plan(folder)
    runs = [run for run in all_folders(state_dir)[::-1] if run.fault() is None]
    applied = next((run for run in runs if _is_of_plan(run, plan_hash)), None)
    return applied or next((run for run in runs if run.name == made_by), None)


def _is_of_plan(run: RunFolder, plan_hash: str) -> bool:
    try:
        found = run.header().settings.get("plan")
    except JournalError:  # it is just beginning, or was removed a moment ago
        return False
    return isinstance(found, Mapping) and found.get("plan_hash") == plan_hash


def refuse_unfit(folder: Path, info: PlanInfo, options: ImportOptions, host: str) -> None:
    """Make sure that a plan can be applied as it was made: same host, same files and mapping, same memory.

    Raises:
        UsageError: Something has moved; the message names each difference.
    """
    if host != info.host:
        raise UsageError(
            f"{folder} was made for {info.host}, but the credentials are for {host}; use those for {info.host}"
        )
    found = [*_files(info), *_mapping(options)]
    if not found:
        # With another input, memory has nothing to be compared with.
        found = _memory(folder, options, info)
    if found:
        raise UsageError(f"{folder} no longer fits, and nothing was sent: {'; '.join(found)}. Plan again")


def _files(info: PlanInfo) -> Iterator[str]:
    for file in info.inputs:
        try:
            is_same = _is_same(file)
        except OSError as error:
            yield f"{file.path} cannot be read ({error.strerror})"
            continue
        if not is_same:
            yield f"{file.path} has changed since the plan was made"


def _is_same(file: InputFile) -> bool:
    path = Path(file.path)
    return path.stat().st_size == file.size and hash_of(path) == file.digest


def _mapping(options: ImportOptions) -> Iterator[str]:
    if options.mapping is None:
        return
    try:
        unchanged_mapping(options.mapping)
    except (JournalError, UsageError) as error:
        told = str(error).partition(" since ")[0].partition(";")[0]
        yield f"{told} since the plan was made"


def _memory(folder: Path, options: ImportOptions, info: PlanInfo) -> list[str]:
    """Return what memory knows by now that it did not when the plan was made, or the other way round."""
    state = options.state_dir / "state.sqlite"
    first: list[str] = []
    number = 0
    memory = StateReader(state, info.host, info.resource, options.namespace) if state.is_file() else None
    changes = NumberedRows(folder / CHANGES)
    try:
        for row in _moved(changes, memory):
            number += 1
            if len(first) < _NAMED:
                first.append(f"{place_of_row(Path(row['file']).name, row['line'])} (key {row['key']})")
    finally:
        changes.close()
        if memory is not None:
            memory.close()
    if not number:
        return []
    more = f" and {number - len(first):,} more" if number > len(first) else ""
    if memory is None:
        return [f"{state} is missing, and the plan depends on it"]
    what = "was" if number == 1 else "were"
    return [f"{counted(number, 'record')} of the plan {what} written by another run since: {', '.join(first)}{more}"]


def _moved(changes: NumberedRows, memory: StateReader | None) -> Iterator[Mapping[str, Any]]:
    group: list[Mapping[str, Any]] = []
    for row in changes:
        # What is not written needs no memory, and rows with a problem may have no key.
        if PlannedChange.from_row(row).is_write or row["action"] == "open":
            group.append(row)
        if len(group) == _AT_ONCE:
            yield from _moved_of(group, memory)
            group = []
    yield from _moved_of(group, memory)


def _moved_of(group: list[Mapping[str, Any]], memory: StateReader | None) -> Iterator[Mapping[str, Any]]:
    known: Mapping[str, Known] = {} if memory is None else memory.known([row["key"] for row in group])
    return (row for row in group if row["memory"] not in (UNCOMPARED, memory_of(known.get(row["key"]))))
