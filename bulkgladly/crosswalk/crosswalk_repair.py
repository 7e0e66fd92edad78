"""`crosswalk repair`: looks at each known id in Gladly, and lets keys of merged customers lead to the one that remains.

A run on the engine of all runs: how it begins, and how it is resumed.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.crosswalk.crosswalk_findings import REPAIR
from bulkgladly.crosswalk.repair_report import RepairOptions, RepairReport
from bulkgladly.crosswalk.repair_work import RepairWork
from bulkgladly.errors import UnfinishedRun, UsageError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.runs.beginning import NewRun, refuse_worked_on, removed_unbegun, resumed, unfinished
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.options import for_next_session, restored, stored
from bulkgladly.runs.session import Session, Terms
from bulkgladly.settings import Credentials, refuse_unlimited

__all__ = ("REPAIRED_OBJECTS", "resume_repair", "start_repair")

REPAIRED_OBJECTS = ("customers", "tasks", "topics", "answers", "activities")
"""Objects that can be requested by their id alone."""


async def start_repair(
    resource_name: str,
    credentials: Credentials,
    options: RepairOptions | None = None,
    *,
    observer: Observer | None = None,
    new_run: bool = False,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> RepairReport:
    """Look at every known id of an object, correct the keys of merged customers, and return the report.

    It sends one request for each key, and one more for each merge. A run that ends early can be resumed.

    Raises:
        JournalError: The state cannot be used.
        UsageError: The object cannot be requested by its id, nothing is known of it, or an unfinished repair of it can
            be continued (`new_run` overrides that). Nothing was sent.
    """
    spec, options = import_spec(resource_name), options or RepairOptions()
    if spec.name not in REPAIRED_OBJECTS:
        names = f"{', '.join(REPAIRED_OBJECTS[:-1])} and {REPAIRED_OBJECTS[-1]}"
        raise UsageError(f"{spec.name} cannot be requested by their id alone; `crosswalk repair` is for {names}")
    refuse_unlimited(options.pace, credentials)
    state = options.state_dir / "state.sqlite"
    if not state.is_file():
        raise UsageError(f"there is no {state}, so no key of {spec.name} is known; choose another with --state-dir")
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    with NewRun(options.state_dir, spec.name, REPAIR) as new:
        look = tuple if new_run else partial(_refuse_second, options.state_dir, spec, credentials.host)
        for line in await new.begin(credentials.host, stored(options), look=look):
            terms.observer.note(line)
        return await _work(new.folder, spec, options, terms)


def _refuse_second(state_dir: Path, spec: ImportSpec, host: str) -> tuple[str, ...]:
    """Refuse to begin from the start what an unfinished repair has paid for in part."""

    def is_same(header: RunHeader) -> bool:
        return (header.mode, header.resource, header.host) == (REPAIR, spec.name, host)

    for run in unfinished(state_dir, is_same):
        if not removed_unbegun(run):
            refuse_worked_on(run, "of the same keys")
            resume = next_command("resume", run.name, state_dir=run.state_dir, connects=True)
            raise UnfinishedRun(
                f"run {run.name} of the same keys is not finished; continue it with `{resume}`, or start again with "
                "--new-run"
            )
    return ()


async def resume_repair(
    run: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[RepairOptions], RepairOptions] = lambda options: options,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> RepairReport:
    """Continue a repair where it stopped, and return the report of all its sessions.

    Raises:
        JournalError: The run cannot be used, or another process works on it.
        UsageError: The credentials are for another host.
    """
    with resumed(run, credentials) as header:
        options = for_next_session(restored(RepairOptions, header.settings, run.state_dir), change)
        refuse_unlimited(options.pace, credentials)
        terms = Terms(credentials, observer or Observer(), with_signals, environment)
        return await _work(run, import_spec(header.resource), options, terms)


async def _work(run: RunFolder, spec: ImportSpec, options: RepairOptions, terms: Terms) -> RepairReport:
    session = Session(run, options, terms)
    work = RepairWork(session, spec, options)
    try:
        return await session.drive(work)
    finally:
        work.repairs.close()
