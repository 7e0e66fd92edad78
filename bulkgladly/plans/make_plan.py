"""Making a plan without a request: what an import would do, by what earlier runs have sent."""

import datetime as dt
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from bulkgladly.errors import UsageError
from bulkgladly.files.folders import with_folders
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy
from bulkgladly.gladly.table import NAME_LISTS, import_spec
from bulkgladly.imports.baseline import Baseline, check_baseline
from bulkgladly.imports.baseline_findings import told_lines
from bulkgladly.imports.drafts import DraftReader, Linker, in_sending_order
from bulkgladly.imports.import_inputs import hashed, open_checked
from bulkgladly.imports.row_names import names_in
from bulkgladly.journal.databases import open_journal
from bulkgladly.journal.ledger import Ledger, Openings
from bulkgladly.journal.organisations import organisation_of
from bulkgladly.local_paths import local_path
from bulkgladly.plans.plan_files import PlanOrigin, write_plan
from bulkgladly.plans.plan_folder import PlanInfo, refuse_existing
from bulkgladly.plans.plan_log import PlanLog
from bulkgladly.plans.plan_options import PlanOptions
from bulkgladly.records import Mark, Problem
from bulkgladly.runs.environment import USUAL

__all__ = ("closed_baseline", "inputs_of_plan", "plan_offline")

ROWS_AT_ONCE = 1_024
"""Each batch waits once for the thread of the journal: measured, 1,024 rows take a third less time than 256."""


async def plan_offline(resource_name: str, files: Sequence[str | Path], options: PlanOptions, *, host: str) -> PlanInfo:
    """Plan an import by what earlier runs have sent, write the folder of the plan, and return what it comes to.

    No request is sent, and the state of earlier runs is not changed. Memory stays flat at any length of the input.
    Cancelled or killed, no plan is there (a hidden folder of it may be).

    Raises:
        UsageError: The options or files cannot be used, or no run has seen the organisation yet.
        DiskFull, JournalDamaged, JournalError: The state cannot be read, or the plan cannot be written.
    """
    spec = import_spec(resource_name)
    options = replace(options, mode=spec.mode(options.mode), is_live=False)
    refuse_existing(options.out, force=options.force)
    state = options.state_dir / "state.sqlite"
    organisation = organisation_of(state, host)
    if organisation is None and options.baseline is None:  # a data set is checked to be of this host
        raise UsageError(
            f"no run in {options.state_dir} has reached {host} yet, so nothing is known about it; pass --live to read "
            "what the plan needs"
        )
    options, inputs = inputs_of_plan(spec, [str(file) for file in files], options)
    hashes = await anyio.to_thread.run_sync(hashed, inputs)
    with tempfile.TemporaryDirectory(prefix="bulkgladly-plan-") as folder:
        ledger = Ledger(
            Path(folder),
            state=state if state.is_file() else Path(folder) / state.name,
            scope=(host, spec.name, options.namespace),
            openings=Openings(journal=_open_passing_journal),
        )
        try:
            log, lists, told = await _planned(spec, options, inputs, ledger, host, Path(folder))
            await ledger.flush()
        finally:
            ledger.close()
        origin = PlanOrigin(
            host=host, organisation=organisation or "", files=hashes, lists=lists, unchanged=log.unchanged, told=told
        )
        info, _ = await anyio.to_thread.run_sync(write_plan, Path(folder), inputs, spec, options, origin)
    return info


def closed_baseline(reader: DraftReader, options: PlanOptions, *, is_rest: bool = False) -> list[str]:
    """Close what a data set has told, and return what it was worth, for people; nothing if there is none.

    With `is_rest` an earlier session has read the rows before.
    """
    if reader.baseline is None:
        return []
    reader.baseline.close()
    pace = options.pace.foreseen(dt.datetime.now(dt.UTC))
    return told_lines(reader.baseline.findings, reader.taken, 1.0, pace, is_rest=is_rest)


def inputs_of_plan(spec: ImportSpec, patterns: Sequence[str], options: PlanOptions) -> tuple[PlanOptions, Inputs]:
    """Open the files of a plan; return them with the options as the apply needs them.

    Raises:
        UsageError: The files cannot be used, or `-` is one of them.
    """
    if "-" in patterns:
        raise UsageError("`-`: a plan needs files, because `apply` reads them again; save the input to a file first")
    if options.missing != "tell":
        raise UsageError(
            "--missing delete: a plan cannot contain the deletion of missing records; omit it, apply the plan, then "
            "import the files with it"
        )
    options = replace(options, reading=with_folders(options.reading, [local_path(one) for one in patterns]))
    return options, open_checked(spec, patterns, options)


async def _planned(
    spec: ImportSpec, options: PlanOptions, inputs: Inputs, ledger: Ledger, host: str, folder: Path
) -> tuple[PlanLog, list[str], list[str]]:
    """Plan all rows; return what was planned, the operations with which an apply fetches names, and what to tell."""
    policy = options.policy(host)
    reader = DraftReader(spec, policy, options, inputs=inputs, ledger=ledger, bounds=USUAL.bounds)
    log = PlanLog(spec, policy, ledger, reader.names, is_kept=False, show_values=options.show_values)
    lists: list[str] = []
    if spec.directories:
        reader.linker = _PatientLinker(spec, policy, ledger)
        names = await names_in(reader, spec, Mark(), USUAL.bounds.rows_scanned)
        lists = [NAME_LISTS[kind].operation for kind in names.kinds]
    if options.baseline is not None:
        check_baseline(options.baseline, spec, policy)
        reader.baseline = await anyio.to_thread.run_sync(Baseline.opened, options.baseline, spec, policy, folder)
    with reader.rows(Mark(), ROWS_AT_ONCE) as rows:
        while (batch := await reader.next_batch(rows)) is not None:
            for row, item, standing in in_sending_order(spec, batch):
                if (record := log.taken_in((row, item, standing))) is not None:
                    log.note(record, log.planner.by_memory(record), standing.clash)
    log.flush()
    return log, lists, closed_baseline(reader, options)


class _PatientLinker(Linker):
    """Leaves records open that use names: which ids these stand for, only the organisation can tell."""

    def __init__(self, spec: ImportSpec, policy: Policy, ledger: Ledger) -> None:
        super().__init__(spec, policy, ledger)

    async def link(self, items: Sequence[Draft | Problem | None]) -> list[Draft | Problem | None]:
        """Return the items with ids in place of keys; drafts with names are returned as they are."""
        waiting = {at: item for at, item in enumerate(items) if isinstance(item, Draft) and _has_names(item)}
        linked = await super().link([None if at in waiting else item for at, item in enumerate(items)])
        return [waiting.get(at, item) for at, item in enumerate(linked)]


def _has_names(draft: Draft) -> bool:
    return any(not link.is_key or link.or_name is not None for link in draft.links)


def _open_passing_journal(path: Path) -> sqlite3.Connection:
    """Open a journal that is thrown away after use, so that no commit waits for the disk."""
    connection = open_journal(path)
    connection.execute("PRAGMA synchronous=OFF")
    return connection
