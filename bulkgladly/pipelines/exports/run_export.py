"""An export as a run: begin it, go on with it. What is published needs no run to be understood."""

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio.to_thread

from bulkgladly._version import __version__
from bulkgladly.commands import next_command
from bulkgladly.errors import JournalError, UsageError
from bulkgladly.journal.runs import RunFolder, RunHeader, list_runs, open_to_others
from bulkgladly.journal.units import kept_in, units_of
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.summaries import clock_warnings
from bulkgladly.pipelines.exports.kinds import kinds_for
from bulkgladly.pipelines.exports.options import ExportOptions, restore_export_options, storable_export
from bulkgladly.pipelines.exports.report import ExportReport
from bulkgladly.pipelines.exports.session import ExportSession
from bulkgladly.pipelines.options import fresh_limits
from bulkgladly.pipelines.report import Observer
from bulkgladly.settings import Credentials, refuse_unlimited

__all__ = ("EXPORT", "dump", "resume_export", "start_export")

EXPORT = "export"
_DUMP = "dump"
_MOST_NAMED = 3


async def start_export(
    options: ExportOptions,
    credentials: Credentials,
    *,
    observer: Observer | None = None,
    new_run: bool = False,
    with_signals: bool = False,
) -> ExportReport:
    """Export what `options.words` names into the data set `options.out`, and return the report.

    What the data set has already is not fetched again. A run that ends early (signal,
    limit, outage, wrong credentials) returns a report as well: `exit_code` and `status`
    tell. Cancelled or killed, the data set holds whole units, and the next export goes on.
    An unfinished run with the same options that keeps answers in its journal is continued.

    Raises:
        UsageError: The options cannot work, the folder is not ours, another process writes to
            it, or an unfinished run with this data set stands in the way (`new_run`
            overrides). Nothing was sent.
    """
    kinds_for(options)  # what cannot work is said before a folder is made
    refuse_unlimited(options.pace, credentials)
    if not new_run:
        unfinished = [(run, kept_in(run.path)) for run in _unfinished(options, credentials)]
        for run, kept in unfinished:
            if kept and _is_same(run, options):
                _tell_kept(run, kept, observer)
                return await _go_on(run, options, credentials, observer, with_signals=with_signals)
        for run, kept in unfinished:
            resume = next_command("resume", run.name, state_dir=run.state_dir, connects=True)
            waiting = f" and keeps {kept:,} answers" if kept else ""
            raise UsageError(
                f"run {run.name} into {options.out} is not finished{waiting}; continue it with `{resume}`, "
                "or start again with --new-run"
            )
    words = "+".join(options.words) if len(options.words) <= _MOST_NAMED else "several"
    return await _begin(words, options, credentials, observer, with_signals=with_signals)


async def dump(
    options: ExportOptions,
    credentials: Credentials,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
) -> ExportReport:
    """Bring a data set up to date: everything that can be fetched incrementally. For every night.

    As `start_export`, but an unfinished dump into the same data set is taken over: what it
    published counts, and the same run goes on. What is fetched by parent goes by the ids
    that the data set itself has.
    """
    if options.ids is None and options.emails is None and options.from_dataset is None:
        options = replace(options, from_dataset=options.out)
    kinds_for(options)
    refuse_unlimited(options.pace, credentials)
    for run in _unfinished(options, credentials):
        if run.header().resource == _DUMP:
            _tell_kept(run, kept_in(run.path), observer)
            return await _go_on(run, options, credentials, observer, with_signals=with_signals)
    return await _begin(_DUMP, options, credentials, observer, with_signals=with_signals)


async def resume_export(
    run: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[ExportOptions], ExportOptions] = lambda options: options,
    observer: Observer | None = None,
    with_signals: bool = False,
) -> ExportReport:
    """Go on with an export where it stopped, and return the report of all its sessions.

    `change` may set another pace and other limits.

    Raises:
        RunLocked: Another process works on the run.
        UsageError: The credentials are for another host.
    """
    run.check()
    header = run.header()
    if header.host != credentials.host:
        raise UsageError(f"run {run.name} belongs to {header.host}, but the credentials are for {credentials.host}")
    stored = restore_export_options(header.settings, run.state_dir)
    options = change(replace(stored, limits=fresh_limits(stored.limits)))
    options = replace(stored, pace=options.pace, limits=options.limits)
    refuse_unlimited(options.pace, credentials)
    return await _go_on(run, options, credentials, observer, with_signals=with_signals)


async def _begin(
    words: str, options: ExportOptions, credentials: Credentials, observer: Observer | None, *, with_signals: bool
) -> ExportReport:
    folder = await anyio.to_thread.run_sync(_opened, options, credentials)
    with folder:
        run = RunFolder.create(options.state_dir, words, EXPORT, dt.datetime.now(dt.UTC))
        with run.lock():
            run.make_journal()
            if observer is not None and (told := open_to_others(options.state_dir)) is not None:
                observer.note(told)
            run.write_header(
                RunHeader(
                    run=run.name,
                    resource=words,
                    mode=EXPORT,
                    host=credentials.host,
                    inputs=(),
                    settings=storable_export(options),
                    created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                    version=__version__,
                    is_whole=True,
                )
            )
            return await _work(run, folder, options, credentials, observer, with_signals=with_signals)


async def _go_on(
    run: RunFolder,
    options: ExportOptions,
    credentials: Credentials,
    observer: Observer | None,
    *,
    with_signals: bool,
) -> ExportReport:
    with run.lock():
        folder = await anyio.to_thread.run_sync(_opened, options, credentials)
        with folder:
            return await _work(run, folder, options, credentials, observer, with_signals=with_signals)


async def _work(
    run: RunFolder,
    folder: DataFolder,
    options: ExportOptions,
    credentials: Credentials,
    observer: Observer | None,
    *,
    with_signals: bool,
) -> ExportReport:
    folder.pass_over_damage()
    recovery = await anyio.to_thread.run_sync(folder.recover)
    session = ExportSession(run, folder, kinds_for(options), options, credentials, observer or Observer())
    for text in clock_warnings(recovery.newest, folder.now()):
        session.context.note(text)
    return await session.run(with_signals=with_signals)


def _opened(options: ExportOptions, credentials: Credentials) -> DataFolder:
    return DataFolder.open(options.out, host=credentials.host, create=True).lock()


def _unfinished(options: ExportOptions, credentials: Credentials) -> Sequence[RunFolder]:
    """Return the unfinished exports into the same data set, the newest first. A look: nothing is removed by it.

    One that never got as far as its first answer (a wrong token, say) does not count, nor
    does one that cannot be read.
    """
    out = str(options.out.absolute())
    found = []
    for run in list_runs(options.state_dir):
        with contextlib.suppress(JournalError):  # damaged further on, or removed a moment ago
            header = run.header()
            is_same = header.mode == EXPORT and header.host == credentials.host and header.settings.get("out") == out
            if is_same and run.status() != "complete" and _has_begun(run):
                found.append(run)
    return found[::-1]


def _has_begun(run: RunFolder) -> bool:
    """Tell whether a run has something that another one would ask for again, or tell again."""
    return bool(units_of(run.path)) or kept_in(run.path) > 0


def _is_same(run: RunFolder, options: ExportOptions) -> bool:
    """Tell whether a run was begun with the same options, but for pace and limits."""
    stored = restore_export_options(run.header().settings, run.state_dir)
    return storable_export(replace(stored, pace=options.pace, limits=options.limits)) == storable_export(options)


def _tell_kept(run: RunFolder, kept: int, observer: Observer | None) -> None:
    if observer is not None and kept:
        observer.note(f"continuing {run.name}: {kept:,} answers that it keeps are published, and not asked for again")
