"""An import as a run: started, rehearsed, resumed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from bulkgladly.files.folders import with_folders
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.spec import ImportSpec, Policy
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.baseline import check_baseline
from bulkgladly.imports.import_inputs import (
    MakeInput,
    copy_of_stdin,
    hashed,
    open_checked,
    open_inputs,
    refuse_changed,
    refuse_to_contact,
)
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.import_work import ImportWork
from bulkgladly.imports.mapping_choice import unchanged_mapping
from bulkgladly.imports.missing_deletion import delete_missing, guard_of, refuse_deletion
from bulkgladly.imports.other_runs import OtherRuns
from bulkgladly.imports.overwriting import notes_on_owners
from bulkgladly.imports.rehearsal import rehearsal
from bulkgladly.imports.shared_keys import notes_on_keys
from bulkgladly.imports.step_choice import StepChoice
from bulkgladly.imports.undone_imports import refuse_undone
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.local_paths import local_path
from bulkgladly.records import Mode
from bulkgladly.runs.beginning import NewRun, resumed
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.finish_by import CannotFinish
from bulkgladly.runs.observer import Observer, duration_text
from bulkgladly.runs.options import for_next_session, restored, stored
from bulkgladly.runs.session import Session, Terms
from bulkgladly.settings import Credentials, Pace, refuse_unlimited

__all__ = (
    "Choose",
    "begin_import",
    "rehearse_import",
    "resume_import",
    "start_import",
)


Choose = Callable[[Policy], StepChoice]
"""Chooses the steps of the records of a run, for its policy."""


async def start_import(
    resource_name: str,
    files: Sequence[str | Path],
    credentials: Credentials,
    options: ImportOptions | None = None,
    *,
    observer: Observer | None = None,
    new_run: bool = False,
    stdin: BinaryIO | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report:
    """Import files and return the report of the run.

    `files` can contain globs. A single `-` reads `stdin`, which is copied into the run's folder so that the run can be
    resumed. A run that ends early (signal, limit, outage, wrong credentials) returns a report as well; see its
    `exit_code` and `status`. A cancelled run leaves a journal, from which `resume_import` continues.

    Raises:
        UsageError: The options or the files cannot be used, or there is an unfinished run of the same input
            (`new_run` overrides that). Nothing was sent.
    """
    spec = import_spec(resource_name)
    options = (options or ImportOptions()).for_resource(spec)
    patterns = [str(file) for file in files]
    make_input = copy_of_stdin(patterns, stdin, options)
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    refuse_deletion(spec, options)
    report = await begin_import(spec, patterns, options, terms, new_run=new_run, make_input=make_input)
    return await delete_missing(report, spec, options, terms, begin=begin_import)


async def begin_import(
    spec: ImportSpec,
    patterns: Sequence[str],
    options: ImportOptions,
    terms: Terms,
    *,
    new_run: bool = False,
    make_input: MakeInput | None = None,
    parent: str | None = None,
    take_over: Callable[[RunFolder], None] = lambda _folder: None,
    choose: Choose | None = None,
) -> Report:
    """Create a run and work on it. If there are no files, `make_input` writes the input into the run's folder.

    `take_over` is called when the run has its name, before other processes can see it. `choose` chooses the steps of
    the records.
    """
    refuse_unlimited(options.pace, terms.credentials)
    if options.baseline is not None:
        policy = options.policy(terms.credentials.host)
        await anyio.to_thread.run_sync(check_baseline, options.baseline, spec, policy)
    # The run gets its name last: a mistake in the options or files must not leave a run behind.
    verb = None if options.plan is None else "apply"
    with NewRun(options.state_dir, spec.name, _mode_of(options), verb=verb) as new:
        if make_input is not None:
            patterns = [str(await anyio.to_thread.run_sync(make_input, new.folder.path))]
        if options.plan is None:  # a plan has kept which folders its files were in
            options = replace(options, reading=with_folders(options.reading, [local_path(one) for one in patterns]))
        inputs = open_checked(spec, patterns, options)
        refuse_to_contact(spec, inputs, options)
        files = await anyio.to_thread.run_sync(hashed, inputs)
        same = [name for file in files for name in (file.path, file.digest)]
        notes = [] if parent else notes_on_keys(spec, terms.credentials.host, options, same)
        others = OtherRuns(options.state_dir, spec, terms.credentials.host, files)
        told = await new.begin(
            terms.credentials.host,
            stored(options),
            inputs=files,
            parent=parent,
            look=partial(others.make_way, new_run=new_run) if parent is None else tuple,
            take_over=take_over,
        )
        for line in (*inputs.notes, *told, *notes, *notes_on_owners(options)):
            terms.observer.note(line)
        session = Session(new.folder, options, terms)
        report = await _work(session, spec, options, inputs, digests=[file.digest for file in files], choose=choose)
        if isinstance(session.stop.error, CannotFinish):
            new.discard()
            raise session.stop.error
        return report


async def _work(
    session: Session,
    spec: ImportSpec,
    options: ImportOptions,
    inputs: Inputs,
    *,
    digests: Sequence[str],
    choose: Choose | None,
) -> Report:
    work = ImportWork(session, spec, options, inputs, digests=digests, choose=choose)
    if work.rows_exact and not work.rows:
        session.observer.note("the input has no rows: nothing to import")
    inputs.hold()
    try:
        report = await session.drive(work)
        # Only now: the report is on the disk, so what it calls new has been told.
        if (problem := await anyio.to_thread.run_sync(work.remember_rejects, report)) is not None:
            session.observer.note(problem)
        return report
    finally:
        work.close_baseline()
        inputs.let_go()


async def resume_import(
    folder: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[ImportOptions], ImportOptions] = lambda options: options,
    accept_changed_input: bool = False,
    fail_on: str | None = None,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
    choose: Choose | None = None,
) -> Report:
    """Continue a run where it stopped, and return the report of all its sessions.

    `change` can set another pace and other limits, and `fail_on` is that of `ImportOptions`; time, request and row
    limits count from the start. Creates that were in flight when the last session ended are looked up before anything
    is sent again.

    Raises:
        InputChanged: An input file, the mapping or the transform has changed since the run began.
        JournalDamaged: The run cannot be used; the message says why.
        RunLocked: Another process works on the run.
        TakenBackRun: An undo has taken back what the run did, or a part of it.
        UsageError: The credentials are for another host.
    """
    with resumed(folder, credentials) as header:
        await anyio.to_thread.run_sync(refuse_undone, folder)
        options = for_next_session(restored(ImportOptions, header.settings, folder.state_dir), change)
        options = options if fail_on is None else replace(options, fail_on=fail_on)
        refuse_unlimited(options.pace, credentials)
        if "is_plain" not in header.settings.get("reading", {}):  # begun by a version that recognised nothing
            options = replace(options, reading=replace(options.reading, is_plain=True))
        if options.mapping is not None:
            mapping = unchanged_mapping(options.mapping, accept_changed=accept_changed_input)
            options = replace(options, mapping=mapping)
        spec = import_spec(header.resource)
        inputs = open_inputs(spec, [item.path for item in header.inputs], options)
        digests = [item.digest for item in header.inputs]
        if accept_changed_input:
            digests = [item.digest for item in await anyio.to_thread.run_sync(hashed, inputs)]
        else:
            await anyio.to_thread.run_sync(refuse_changed, header, inputs)
        terms = Terms(credentials, observer or Observer(), with_signals, environment)
        with guard_of(folder, header, spec, options) as guard:
            session = Session(folder, options, terms)
            chosen = choose if guard is None else lambda _policy: guard
            report = await _work(session, spec, options, inputs, digests=digests, choose=chosen)
    return await delete_missing(report, spec, options, terms, begin=begin_import)


def _mode_of(options: ImportOptions) -> str:
    return (options.mode or Mode.UPSERT).value


# --- rehearsing it ---


async def rehearse_import(
    resource_name: str,
    files: Sequence[str | Path],
    options: ImportOptions | None = None,
    *,
    observer: Observer | None = None,
    stdin: BinaryIO | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report:
    """Import files into an emulator in this process, and return the report of that run.

    Nothing is sent to Gladly. The run is kept in `rehearsals` below the state directory; the state itself is not
    changed. The observer is told how long the requests would take at the pace of the options.

    Raises:
        UsageError: As `start_import`.
    """
    options, observer = options or ImportOptions(), observer or Observer()
    if options.baseline is not None:
        observer.note("the rehearsal does not use the data set of --baseline, since its organisation is empty")
        options = replace(options, baseline=None)
    async with rehearsal() as stand_in:
        report = await start_import(
            resource_name,
            files,
            stand_in.credentials,
            replace(options, pace=Pace(unlimited=True), state_dir=options.state_dir / "rehearsals"),
            observer=observer,
            stdin=stdin,
            with_signals=with_signals,
            environment=environment,
        )
    pace = options.pace.foreseen(environment.wall())
    time = duration_text(pace.seconds_for(report.requests_total))
    observer.note(f"rehearsal: {report.requests_total:,} requests, {time} {pace.text()}".rstrip())
    return replace(report, next_commands=())
