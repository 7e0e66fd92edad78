"""An export as a run: begin it, or continue it. What it publishes can be read without the run."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.errors import DataSetInUse, JournalError, UsageError
from bulkgladly.exports.chosen_kinds import demand_known_reports, demand_same_partition, kinds_for
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.export_summary import ExportReport
from bulkgladly.exports.export_work import ExportWork
from bulkgladly.gladly.objects.events import EVENTS
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.units import kept_in
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.followers import LANDING_S, running_follower
from bulkgladly.lake.summaries import clock_warnings
from bulkgladly.runs.beginning import NewRun, resumed, unfinished
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.options import for_next_session, restored, stored
from bulkgladly.runs.session import Session, Terms
from bulkgladly.settings import Credentials, refuse_unlimited

__all__ = ("EXPORT", "dump", "resume_export", "start_export")

# --- The run ---

EXPORT = "export"
_DUMP = "dump"
_MOST_NAMED = 3
_LOOK_S = 0.2
"""Between two attempts to lock a data set that a follower writes to."""


async def start_export(
    options: ExportOptions,
    credentials: Credentials,
    *,
    observer: Observer | None = None,
    new_run: bool = False,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> ExportReport:
    """Export what `options.words` names into the data set `options.out`, and return the report.

    What the data set has already is not fetched again. A run that ends early (signal, limit, outage,
    wrong credentials) also returns a report, with its `exit_code` and `status`. After a cancel or a kill,
    the data set holds whole units, and the next export continues. An unfinished run with the same options
    that keeps replies in its journal is continued.

    Raises:
        UsageError: The options cannot work, the folder is not a data set, another process writes to
            it, or an unfinished run uses this data set (`new_run` overrides). Nothing was sent.
    """
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    kinds_for(options)  # refuses what cannot work before a folder is created
    demand_same_partition(options)
    refuse_unlimited(options.pace, credentials)
    if not new_run:
        others = [(run, kept_in(run.path)) for run in _unfinished(options, credentials)]
        for run, kept in others:
            if kept and _is_same(run, options):
                _tell_kept(run, kept, terms.observer)
                return await _go_on(run, lambda _: options, terms)
        for run, kept in others:
            resume = next_command("resume", run.name, state_dir=run.state_dir, connects=True)
            waiting = f" and keeps {kept:,} replies" if kept else ""
            raise UsageError(
                f"run {run.name} into {options.out} is not finished{waiting}; continue it with `{resume}`, "
                "or start again with --new-run"
            )
    words = "+".join(options.words) if len(options.words) <= _MOST_NAMED else "several"
    return await _begin(words, options, terms)


async def dump(
    options: ExportOptions,
    credentials: Credentials,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> ExportReport:
    """Bring a data set up to date with everything that can be fetched incrementally. For every night.

    Like `start_export`, but an unfinished dump into the same data set is continued: what it published
    counts. What is fetched by parent uses the ids in the data set itself.
    """
    if options.ids is None and options.emails is None and options.from_dataset is None:
        options = replace(options, from_dataset=options.out)
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    kinds_for(options)
    demand_known_reports(options)
    demand_same_partition(options)
    refuse_unlimited(options.pace, credentials)
    for run in _unfinished(options, credentials):
        if run.header().resource == _DUMP:
            _tell_kept(run, kept_in(run.path), terms.observer)
            return await _go_on(run, lambda _: options, terms)
    return await _begin(_DUMP, options, terms)


async def resume_export(
    run: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[ExportOptions], ExportOptions] = lambda options: options,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> ExportReport:
    """Continue an export where it stopped, and return the report of all its sessions.

    `change` can set another pace and other limits.

    Raises:
        RunLocked: Another process works on the run.
        UsageError: The credentials are for another host.
    """

    def options_of(header: RunHeader) -> ExportOptions:
        options = for_next_session(restored(ExportOptions, header.settings, run.state_dir), change)
        refuse_unlimited(options.pace, credentials)
        return options

    return await _go_on(run, options_of, Terms(credentials, observer or Observer(), with_signals, environment))


async def _begin(words: str, options: ExportOptions, terms: Terms) -> ExportReport:
    with await _opened(options, terms) as folder, NewRun(options.state_dir, words, EXPORT) as new:
        for line in await new.begin(terms.credentials.host, stored(options)):
            terms.observer.note(line)
        return await _work(new.folder, folder, options, terms)


async def _go_on(run: RunFolder, options_of: Callable[[RunHeader], ExportOptions], terms: Terms) -> ExportReport:
    with resumed(run, terms.credentials) as header:
        options = options_of(header)
        with await _opened(options, terms) as folder:
            return await _work(run, folder, options, terms)


async def _work(run: RunFolder, folder: DataFolder, options: ExportOptions, terms: Terms) -> ExportReport:
    # Before anything is written: what a kill left must not be mixed with what this session writes.
    folder.pass_over_damage()
    recovery = await anyio.to_thread.run_sync(folder.recover)
    session = Session(run, options, terms)
    work = ExportWork(session, folder, kinds_for(options), options)
    for text in clock_warnings(recovery.newest, folder.now()):
        work.context.note(text)
    return await session.drive(work)


async def _opened(options: ExportOptions, terms: Terms) -> DataFolder:
    """Open the data set and lock it, between two landings of a follower if there is one."""
    host, environment = terms.credentials.host, terms.environment
    folder = await anyio.to_thread.run_sync(lambda: DataFolder.open(options.out, host=host, create=True))
    latest = environment.clock() + LANDING_S
    while True:
        try:
            return await anyio.to_thread.run_sync(folder.lock)
        except DataSetInUse:
            # Not within the thread: a signal would have to wait for it.
            follower = await anyio.to_thread.run_sync(running_follower, folder, EVENTS)
            if follower is None or environment.clock() > latest:
                raise
        await environment.sleep(_LOOK_S)


def _unfinished(options: ExportOptions, credentials: Credentials) -> Sequence[RunFolder]:
    """Return the unfinished exports into the same data set, the newest first.

    A run without a single reply (because of a wrong token, say) does not count, nor does one that cannot
    be read.
    """
    out = str(options.out.absolute())

    def is_same(header: RunHeader) -> bool:
        return header.mode == EXPORT and header.host == credentials.host and header.settings.get("out") == out

    found = []
    for run in unfinished(options.state_dir, is_same):
        with contextlib.suppress(JournalError):  # removed a moment ago
            if not run.is_empty():
                found.append(run)
    return found[::-1]


def _is_same(run: RunFolder, options: ExportOptions) -> bool:
    """Tell whether a run was begun with the same options, except pace and limits."""
    before = restored(ExportOptions, run.header().settings, run.state_dir)
    return stored(replace(before, pace=options.pace, limits=options.limits)) == stored(options)


def _tell_kept(run: RunFolder, kept: int, observer: Observer) -> None:
    if kept:
        observer.note(f"continuing {run.name}: {kept:,} replies that it keeps are published and not requested again")
