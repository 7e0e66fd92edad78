"""An import as a run: begin it, go on with it, try its rejects again."""

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from bulkgladly._version import __version__
from bulkgladly.commands import next_command
from bulkgladly.errors import InputChanged, JournalError, RunLocked, UsageError
from bulkgladly.formats.columns import unknown_columns
from bulkgladly.formats.contract import ReadOptions
from bulkgladly.formats.inputs import Inputs, spool
from bulkgladly.formats.layouts import suggestion
from bulkgladly.journal.ledger import has_doubts
from bulkgladly.journal.results import RetryRows, UnknownRows, unsettled_keys, write_retry
from bulkgladly.journal.runs import (
    InputFile,
    RunFolder,
    RunHeader,
    all_folders,
    beginning,
    list_runs,
    open_to_others,
)
from bulkgladly.journal.state import State
from bulkgladly.pipelines.mapped import check_mapped_columns, mapper_for, refuse_cut_identity, unchanged_mapping
from bulkgladly.pipelines.options import ImportOptions, fresh_limits, restore_options, storable
from bulkgladly.pipelines.report import Observer, Report, counted
from bulkgladly.pipelines.session import Session
from bulkgladly.records import Mode
from bulkgladly.resources.spec import ResourceSpec
from bulkgladly.resources.table import resource
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
    return await _begin(
        spec,
        patterns,
        credentials,
        options,
        observer=observer or Observer(),
        new_run=new_run,
        own_input=own_input,
        with_signals=with_signals,
    )


async def _begin(
    spec: ResourceSpec,
    patterns: Sequence[str],
    credentials: Credentials,
    options: ImportOptions,
    *,
    observer: Observer,
    new_run: bool,
    with_signals: bool,
    own_input: Callable[[RunFolder], Path] | None = None,
    parent: str | None = None,
    take_over: Callable[[RunFolder], None] = lambda _folder: None,
) -> Report:
    """Make a run and work on it. `own_input` makes the input in the run's own folder, where there are no files.

    `take_over` is called when the run has its name, before anybody can see it.
    """
    refuse_unlimited(options.pace, credentials)
    folder: RunFolder | None = None
    is_born = False
    try:
        if own_input is not None:
            folder = _new_folder(options, spec).lock()
            patterns = [str(await anyio.to_thread.run_sync(own_input, folder))]
        inputs = open_inputs(spec, patterns, options)
        check_columns(spec, inputs, options)
        _refuse_to_contact(spec, inputs, options)
        files_now = await anyio.to_thread.run_sync(_input_files, inputs)

        def give_birth() -> RunFolder:
            nonlocal folder
            with beginning(options.state_dir):
                if parent is None:
                    for line in _refuse_unfinished(
                        options.state_dir, spec, credentials.host, files_now, new_run=new_run
                    ):
                        observer.note(line)
                folder = folder or _new_folder(options, spec).lock()
                folder.make_journal()
                take_over(folder)
                folder.write_header(_header(folder, spec, options, credentials, files_now, parent))
            return folder

        born = await anyio.to_thread.run_sync(give_birth)
        is_born = True
    finally:
        if folder is not None and not is_born:
            with contextlib.suppress(OSError):
                folder.remove()
            folder.unlock()
    with born:
        if (told := open_to_others(options.state_dir)) is not None:
            observer.note(told)
        digests = [file.digest for file in files_now]
        session = Session(born, spec, options, inputs, credentials, observer, digests=digests)
        if session.rows_exact and not session.rows:
            observer.note("the input has no rows: nothing to import")
        return await session.run(with_signals=with_signals)


def _header(
    folder: RunFolder,
    spec: ResourceSpec,
    options: ImportOptions,
    credentials: Credentials,
    files: Sequence[InputFile],
    parent: str | None,
) -> RunHeader:
    return RunHeader(
        run=folder.name,
        resource=spec.name,
        mode=_mode_of(options),
        host=credentials.host,
        inputs=tuple(files),
        settings=storable(options),
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        version=__version__,
        parent=parent,
        is_whole=True,
    )


async def resume_import(
    folder: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[ImportOptions], ImportOptions] = lambda options: options,
    accept_changed_input: bool = False,
    observer: Observer | None = None,
    with_signals: bool = False,
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
    folder.check()
    with folder.lock():
        header = folder.header()
        _refuse_other_host(folder, header, credentials)
        stored = restore_options(header.settings, folder.state_dir)
        options = change(replace(stored, limits=fresh_limits(stored.limits)))
        options = replace(stored, pace=options.pace, limits=options.limits)
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
        session = Session(folder, spec, options, inputs, credentials, observer or Observer(), digests=digests)
        return await session.run(with_signals=with_signals)


async def retry_import(
    folder: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[ImportOptions], ImportOptions] = lambda options: options,
    sent_nothing: bool = False,
    observer: Observer | None = None,
    with_signals: bool = False,
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
    _refuse_other_host(folder, header, credentials)
    stored = restore_options(header.settings, folder.state_dir)
    stored = replace(stored, reading=ReadOptions(format="ndjson"), limits=fresh_limits(stored.limits))
    # It was allowed for the first time, by somebody who knew what was in the file.
    stored = replace(stored, contacts_people=False)
    if stored.mapping is not None:  # the usual cure of a reject is a corrected mapping
        stored = replace(stored, mapping=unchanged_mapping(stored.mapping, accept_changed=True))
    options = change(stored)
    observer = observer or Observer()
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
            observer.note(line)
        return path

    def take_over(new: RunFolder) -> None:
        if sent_nothing:
            _release(folder, new, (header.host, spec.name, options.namespace))

    return await _begin(
        spec,
        (),
        credentials,
        options,
        observer=observer,
        new_run=True,
        own_input=own_input,
        take_over=take_over,
        with_signals=with_signals,
        parent=folder.name,
    )


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


def _refuse_other_host(folder: RunFolder, header: RunHeader, credentials: Credentials) -> None:
    if header.host != credentials.host:
        raise UsageError(f"run {folder.name} belongs to {header.host}, but the credentials are for {credentials.host}")


def _new_folder(options: ImportOptions, spec: ResourceSpec) -> RunFolder:
    return RunFolder.create(options.state_dir, spec.name, _mode_of(options), dt.datetime.now(dt.UTC))


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


def _refuse_unfinished(
    state_dir: Path, spec: ResourceSpec, host: str, files: Sequence[InputFile], *, new_run: bool
) -> list[str]:
    """Refuse to start a second run of the same input; return what to say of runs that cannot be used.

    Raises:
        UsageError: An unfinished run of the input can go on; or there is no telling what one has sent.
    """
    mine = {file.path for file in files} | {file.digest for file in files}

    def is_same(header: RunHeader) -> bool:
        theirs = {name for file in header.inputs for name in (file.path, file.digest)}
        return header.resource == spec.name and header.host == host and bool(mine & theirs)

    if not new_run or spec.is_at_most_once:
        for run in list_runs(state_dir):
            with contextlib.suppress(JournalError):  # damaged further on, or removed a moment ago
                if is_same(run.header()):
                    _refuse_second(run, spec, new_run=new_run)
    return _faults_told(state_dir, spec, is_same, new_run=new_run)


def _refuse_second(run: RunFolder, spec: ResourceSpec, *, new_run: bool) -> None:
    if run.status() == "complete" or _drop_if_empty(run):
        return
    resume = next_command("resume", run.name, state_dir=run.state_dir, connects=True)
    if spec.is_at_most_once and has_doubts(run.path):
        raise UsageError(
            f"run {run.name} ended while {spec.name} were on their way, and a new run could send them twice; "
            f"continue it with `{resume}`"
        )
    if new_run:
        return
    raise UsageError(
        f"run {run.name} of the same input is not finished; continue it with `{resume}`, or start again with --new-run"
    )


def _faults_told(
    state_dir: Path, spec: ResourceSpec, is_same: Callable[[RunHeader], bool], *, new_run: bool
) -> list[str]:
    """Return a line for each run of the same input that cannot be used."""
    lines = []
    for run in all_folders(state_dir):
        if (fault := run.fault()) is None:
            continue
        try:
            header = run.header()
        except JournalError:
            continue
        if not is_same(header):
            continue
        if spec.is_at_most_once and not header.is_whole and not new_run:
            # An older version kept what it was about to send nowhere else.
            raise UsageError(
                f"run {run.name} of the same input is {fault.word}, and nothing else tells what it has sent: "
                f"look in Gladly, then {fault.detail}; or start anew with --new-run"
            )
        lines.append(f"run {run.name} of the same input is {fault.word}: {fault.detail}")
    return lines


def _drop_if_empty(run: RunFolder) -> bool:
    """Remove a run that never got as far as its first record; it would only stand in the way."""
    if run.has_records() or any(run.path.glob("stdin.*")):
        return False
    try:
        with run.lock():
            if run.has_records():
                return False
            run.remove()
    except (RunLocked, OSError):
        return False
    return True
