"""An import as a run: begin it, go on with it, try its rejects again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.formats.columns import unknown_columns
from bulkgladly.formats.contract import ReadOptions
from bulkgladly.formats.inputs import Inputs, spool
from bulkgladly.formats.layouts import suggestion
from bulkgladly.journal.results import RetryRows, UnknownRows, unsettled_keys, write_retry
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.journal.state import State
from bulkgladly.pipelines.import_summary import Report
from bulkgladly.pipelines.import_work import ImportWork
from bulkgladly.pipelines.mapped import check_mapped_columns, mapper_for, refuse_cut_identity, unchanged_mapping
from bulkgladly.pipelines.options import ImportOptions
from bulkgladly.pipelines.other_runs import OtherRuns
from bulkgladly.records import Mode
from bulkgladly.resources.spec import ResourceSpec
from bulkgladly.resources.table import resource
from bulkgladly.runs.beginning import NewRun, gone_on_with, refuse_other_host
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer, counted
from bulkgladly.runs.options import for_next_session, restored, session_limits, stored
from bulkgladly.runs.session import Session, Terms
from bulkgladly.settings import Credentials, refuse_unlimited

__all__ = ("check_columns", "open_inputs", "resume_import", "retry_import", "start_import")

SAMPLE_ROWS = 1000


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
    own_input: Callable[[RunFolder], Path] | None = None
    if patterns == ["-"]:
        if stdin is None:
            raise UsageError("`-` reads the standard input, and there is none")
        own_input = partial(_spool, stdin, options)
    elif "-" in patterns:
        raise UsageError("`-` (the standard input) cannot be joined with files; import them one after the other")
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    return await _begin(spec, patterns, options, terms, new_run=new_run, own_input=own_input)


async def _begin(
    spec: ResourceSpec,
    patterns: Sequence[str],
    options: ImportOptions,
    terms: Terms,
    *,
    new_run: bool = False,
    own_input: Callable[[RunFolder], Path] | None = None,
    parent: str | None = None,
    take_over: Callable[[RunFolder], None] = lambda _folder: None,
) -> Report:
    """Make a run and work on it. `own_input` makes the input in the run's own folder, where there are no files.

    `take_over` is called when the run has its name, before anybody can see it.
    """
    refuse_unlimited(options.pace, terms.credentials)
    with NewRun(options.state_dir, spec.name, _mode_of(options)) as new:
        if own_input is not None:
            patterns = [str(await anyio.to_thread.run_sync(own_input, new.folder))]
        inputs = open_inputs(spec, patterns, options)
        check_columns(spec, inputs, options)
        _refuse_to_contact(spec, inputs, options)
        files = await anyio.to_thread.run_sync(_input_files, inputs)
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
            digests = [item.digest for item in await anyio.to_thread.run_sync(_input_files, inputs)]
        else:
            await anyio.to_thread.run_sync(_refuse_changed, header, inputs)
        session = Session(folder, options, Terms(credentials, observer or Observer(), with_signals, environment))
        return await _work(session, spec, options, inputs, digests=digests)


async def retry_import(
    folder: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[ImportOptions], ImportOptions] = lambda options: options,
    sent_nothing: bool = False,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report:
    """Import the rejected rows of a run again, as a run of its own with the same settings.

    A mapping and a transform are taken as they are now. Rows that would only end the same
    way stay where they are: those that could not be
    read, and (unless `on_duplicate="last"`) those whose key another row of the run had.

    What is sent at most once and may have been sent stays where it is, too. `sent_nothing`
    says that a person has looked and it was not: then these rows, and only these, are sent,
    each once, as if for the first time. What contacts people has to be allowed again
    (`contacts_people`, by `change`), and one record goes first.

    Raises:
        JournalDamaged: The run cannot be used; the message says why.
        UsageError: There are no such rows, or the credentials are for another host.
    """
    folder.check()
    header = folder.header()
    refuse_other_host(header, credentials)
    before = restored(ImportOptions, header.settings, folder.state_dir)
    before = replace(before, reading=ReadOptions(format="ndjson"), limits=session_limits(before.limits))
    # It was allowed for the first time, by somebody who knew what was in the file.
    before = replace(before, contacts_people=False)
    if before.mapping is not None:  # the usual cure of a reject is a corrected mapping
        before = replace(before, mapping=unchanged_mapping(before.mapping, accept_changed=True))
    options = change(before)
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    spec = resource(header.resource)
    if sent_nothing and not spec.is_at_most_once:
        raise UsageError(
            f"--sent-nothing is for what is sent at most once; what became of {spec.name} is asked by a plain "
            f"`{_retry(folder)}`"
        )
    unknown = UnknownRows.ALONE if sent_nothing else UnknownRows.LEFT if spec.is_at_most_once else UnknownRows.TAKEN

    def own_input(new: RunFolder) -> Path:
        path = new.path / "retry.ndjson"
        rows = write_retry(folder.path, path, with_duplicates=options.on_duplicate == "last", unknown=unknown)
        for line in _left_alone(folder, spec, rows, unknown):
            terms.observer.note(line)
        return path

    def take_over(new: RunFolder) -> None:
        if sent_nothing:
            _release(folder, new, (header.host, spec.name, options.namespace))

    return await _begin(spec, (), options, terms, own_input=own_input, take_over=take_over, parent=folder.name)


def _retry(folder: RunFolder, *flags: str) -> str:
    return next_command("retry", folder.name, *flags, state_dir=folder.state_dir, connects=True)


def _left_alone(folder: RunFolder, spec: ResourceSpec, rows: RetryRows, unknown: UnknownRows) -> list[str]:
    """Say which rows a retry leaves where they are.

    Raises:
        UsageError: All of them.
    """
    lines = []
    others = rows.left
    if unknown is UnknownRows.LEFT and rows.unsettled:
        others -= rows.unsettled
        lines.append(
            f"{counted(rows.unsettled, 'row')} of {spec.name} may have been sent, and {_are(rows.unsettled)} left alone"
            f"; look in Gladly, and if nothing was sent: {_retry(folder, '--sent-nothing')}"
        )
    if unknown is UnknownRows.ALONE:
        if not rows.taken:
            raise UsageError(f"run {folder.name} has no rows that may have been sent, so there are none to send again")
        if others:
            lines.append(f"{counted(others, 'other row')} not taken: try them again by `retry` without --sent-nothing")
    elif others:
        lines.append(f"{counted(others, 'rejected row')} left out: unreadable, or a key that came twice")
    if not rows.taken:
        why = f": {'; '.join(lines)}" if lines else ""
        raise UsageError(f"run {folder.name} has nothing to retry{why}")
    return lines


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _release(old: RunFolder, new: RunFolder, scope: tuple[str, str, str]) -> None:
    """Let a retry send what may have been sent by the run that it follows, or by one that nobody can ask any more."""
    keys = unsettled_keys(old.path)
    state = State(new.state_dir / "state.sqlite", scope, is_synced=True, run=new.name)
    try:
        gone = {run for run in state.holders(keys) if not _is_sound(new.path.parent / run)}
        state.release(keys, of={old.name, *gone})
    finally:
        state.close()


def _is_sound(path: Path) -> bool:
    return path.is_dir() and RunFolder(path).fault() is None


def open_inputs(spec: ResourceSpec, patterns: Sequence[str], options: ImportOptions) -> Inputs:
    """Open the files of an import; its rows are those that its mapping makes, if it has one.

    Raises:
        UsageError: A file or the mapping cannot be used.
    """
    return Inputs.open(patterns, options.reading, expand=mapper_for(options.mapping, spec, options.key))


def check_columns(spec: ResourceSpec, inputs: Inputs, options: ImportOptions) -> None:
    """Look at each file's header, or at its first rows, for columns that are not known.

    Raises:
        UsageError: There are some, or the mapping cuts an id; the message names them, the file
            and the way out.
    """
    if options.mapping is not None:
        refuse_cut_identity(options.mapping, spec)
        check_mapped_columns(options.mapping, inputs.readers, options.key)
        return
    extra = (options.key,) if options.key else ()
    for reader in inputs.readers:
        columns = reader.columns()
        if columns is None:
            rows = reader.sample(SAMPLE_ROWS)
            columns = tuple(dict.fromkeys(name for row in rows if row.fields for name in row.fields))
        elif options.key and options.key not in columns:
            raise UsageError(f"{reader.path}: there is no column {options.key}, which --key names")
        unknown = unknown_columns(columns, spec.columns, options.ignore_columns, extra_known=extra)
        if unknown:
            hints = [suggestion(name, spec.columns) for name in unknown[:5]]
            named = ", ".join(
                f"{name} (did you mean {hint}?)" if hint else name
                for name, hint in zip(unknown[:5], hints, strict=True)
            )
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            raise UsageError(
                f"{reader.path}: {spec.name} have no column {named}{more}; {_column_advice(spec)}. "
                f"`bulkgladly schema show {spec.name}` lists the columns"
            )


def _column_advice(spec: ResourceSpec) -> str:
    if spec.columns.open_map is None:
        return "rename it, or leave it out with --ignore-columns"
    return "rename it, name it customAttribute:<key>, or leave it out with --ignore-columns"


def _spool(stdin: BinaryIO, options: ImportOptions, folder: RunFolder) -> Path:
    path = folder.path / f"stdin.{options.reading.format or 'ndjson'}"
    spool(stdin, path)
    return path


def _input_files(inputs: Inputs) -> list[InputFile]:
    return [InputFile(str(file.path.absolute()), file.size, file.mtime_ns, file.fingerprint()) for file in inputs.files]


def _refuse_changed(header: RunHeader, inputs: Inputs) -> None:
    """Compare size and time first, and the content only where these differ."""
    pairs = zip(header.inputs, inputs.files, strict=True)
    if all(was.size == now.size and was.mtime_ns == now.mtime_ns for was, now in pairs):
        return
    for was, now in zip(header.inputs, _input_files(inputs), strict=True):
        if was.digest != now.digest:
            raise InputChanged(
                f"{was.path} has changed since run {header.run} began; put the old file back, start anew with "
                "--new-run, or go on at your own risk with --accept-changed-input"
            )


def _mode_of(options: ImportOptions) -> str:
    return (options.mode or Mode.UPSERT).value


def _refuse_to_contact(spec: ResourceSpec, inputs: Inputs, options: ImportOptions) -> None:
    """Let nobody send messages to people by mistake."""
    if not spec.contacts_people or options.contacts_people:
        return
    rows, is_exact = inputs.estimate_rows()
    raise UsageError(
        f"each row of {spec.name} {spec.contacts_people}, {'' if is_exact else 'about '}{rows:,} times in all, and "
        "nothing takes it back; if that is what you want, say --i-know-this-contacts-people: one record is sent "
        "first, for you to look at"
    )
