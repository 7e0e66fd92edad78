"""An import as a run: begin it, go on with it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.spec import ResourceSpec
from bulkgladly.gladly.table import resource
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
from bulkgladly.imports.other_runs import OtherRuns
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Mode
from bulkgladly.runs.beginning import NewRun, gone_on_with
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.options import for_next_session, restored, stored
from bulkgladly.runs.session import Session, Terms
from bulkgladly.settings import Credentials, refuse_unlimited

__all__ = ("begin_import", "resume_import", "start_import")


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

    `files` may hold globs; a single `-` reads `stdin`, which is kept in the run's folder
    so that the run can be resumed. A run that ends early (signal, limit, outage, wrong
    credentials) returns a report as well: `exit_code` and `status` tell. Cancelled, it
    leaves a journal from which `resume_import` goes on.

    Raises:
        UsageError: The options or the files cannot work, or an unfinished run of the same
            input stands in the way (`new_run` overrides). Nothing was sent.
    """
    spec = resource(resource_name)
    options = (options or ImportOptions()).for_resource(spec)
    patterns = [str(file) for file in files]
    make_input = copy_of_stdin(patterns, stdin, options)
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    return await begin_import(spec, patterns, options, terms, new_run=new_run, make_input=make_input)


async def begin_import(
    spec: ResourceSpec,
    patterns: Sequence[str],
    options: ImportOptions,
    terms: Terms,
    *,
    new_run: bool = False,
    make_input: MakeInput | None = None,
    parent: str | None = None,
    take_over: Callable[[RunFolder], None] = lambda _folder: None,
) -> Report:
    """Make a run and work on it. `make_input` writes the input into the run's own folder, where there are no files.

    `take_over` is called when the run has its name, before anybody can see it.
    """
    refuse_unlimited(options.pace, terms.credentials)
    with NewRun(options.state_dir, spec.name, _mode_of(options)) as new:
        if make_input is not None:
            patterns = [str(await anyio.to_thread.run_sync(make_input, new.folder.path))]
        inputs = open_checked(spec, patterns, options)
        refuse_to_contact(spec, inputs, options)
        files = await anyio.to_thread.run_sync(hashed, inputs)
        others = OtherRuns(options.state_dir, spec, terms.credentials.host, files)
        told = await new.begin(
            terms.credentials.host,
            stored(options),
            inputs=files,
            parent=parent,
            look=partial(others.make_way, new_run=new_run) if parent is None else tuple,
            take_over=take_over,
        )
        for line in told:
            terms.observer.note(line)
        session = Session(new.folder, options, terms)
        return await _work(session, spec, options, inputs, digests=[file.digest for file in files])


async def _work(
    session: Session, spec: ResourceSpec, options: ImportOptions, inputs: Inputs, *, digests: Sequence[str]
) -> Report:
    work = ImportWork(session, spec, options, inputs, digests=digests)
    if work.rows_exact and not work.rows:
        session.observer.note("the input has no rows: nothing to import")
    inputs.hold()
    try:
        return await session.drive(work)
    finally:
        inputs.let_go()


async def resume_import(
    folder: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[ImportOptions], ImportOptions] = lambda options: options,
    accept_changed_input: bool = False,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report:
    """Go on with a run where it stopped, and return the report of all its sessions.

    `change` may set another pace and other limits; time, request and row limits count
    anew. Creates that were on their way when the last session ended are asked about
    before anything is sent again.

    Raises:
        InputChanged: An input file, the mapping or the transform is not the one that the
            run began with.
        JournalDamaged: The run cannot be used; the message says why.
        RunLocked: Another process works on the run.
        UsageError: The credentials are for another host.
    """
    with gone_on_with(folder, credentials) as header:
        options = for_next_session(restored(ImportOptions, header.settings, folder.state_dir), change)
        refuse_unlimited(options.pace, credentials)
        if options.mapping is not None:
            mapping = unchanged_mapping(options.mapping, accept_changed=accept_changed_input)
            options = replace(options, mapping=mapping)
        spec = resource(header.resource)
        inputs = open_inputs(spec, [item.path for item in header.inputs], options)
        digests = [item.digest for item in header.inputs]
        if accept_changed_input:
            digests = [item.digest for item in await anyio.to_thread.run_sync(hashed, inputs)]
        else:
            await anyio.to_thread.run_sync(refuse_changed, header, inputs)
        session = Session(folder, options, Terms(credentials, observer or Observer(), with_signals, environment))
        return await _work(session, spec, options, inputs, digests=digests)


def _mode_of(options: ImportOptions) -> str:
    return (options.mode or Mode.UPSERT).value
