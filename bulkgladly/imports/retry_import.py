"""Imports the rejects of a run again, as a run of its own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.mapping_choice import unchanged_mapping
from bulkgladly.imports.missing_keys import is_missing_deletion
from bulkgladly.imports.retry_rows import can_pass_with, corrected_import, plan_again
from bulkgladly.imports.run_import import begin_import
from bulkgladly.journal.results import RetryRows, UnknownRows, unsettled_keys, write_retry
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.state import State
from bulkgladly.journal.undone_runs import taken_back
from bulkgladly.runs.beginning import refuse_other_host
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer, counted
from bulkgladly.runs.options import restored, session_limits
from bulkgladly.runs.session import Terms
from bulkgladly.settings import Credentials

__all__ = ("retry_import",)


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

    The current mapping and transform are used. Rows that would fail again are left out: those that could not be
    read, those that would be refused again before anything is sent, those with the address of another row (unless
    `on_conflict` decides), and (unless `on_duplicate="last"`) those with the key of another row of the run.

    Objects that are sent at most once are left out, too, if they may have been sent. `sent_nothing` says that a
    person has checked that they were not: then these rows, and only these, are sent once, as if for the first time.
    What contacts people must be allowed again (`contacts_people`, by `change`), and one record goes first.

    Raises:
        JournalDamaged: The run cannot be used; the message says why.
        UsageError: There are no such rows, or the credentials are for another host.
    """
    folder.check()
    header = folder.header()
    refuse_other_host(header, credentials)
    if is_missing_deletion(header):
        raise UsageError(
            f"run {folder.name} deletes what {header.parent} found missing, which may be there again by now; import "
            "the files again with --complete --missing delete"
        )
    options, spec = change(_options_of(folder, header)), import_spec(header.resource)
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    if sent_nothing and not spec.is_at_most_once:
        raise UsageError(
            f"--sent-nothing is only for objects that are sent at most once; for {spec.name} run `{_retry(folder)}`"
        )
    unknown = UnknownRows.ALONE if sent_nothing else UnknownRows.LEFT if spec.is_at_most_once else UnknownRows.TAKEN

    def make_input(place: Path) -> Path:
        path = place / "retry.ndjson"
        rows = write_retry(
            folder.path,
            path,
            with_duplicates=options.on_duplicate == "last",
            unknown=unknown,
            can_pass=can_pass_with(options, spec, header.host),
        )
        for line in _left_alone(folder, spec, rows, unknown):
            terms.observer.note(line)
        if (gone := taken_back(folder)) is not None:
            terms.observer.note(f"{gone.text(folder.name)}; a retry does not send these again, only an import does")
        return path

    def take_over(new: RunFolder) -> None:
        if sent_nothing:
            _release(folder, new, (header.host, spec.name, options.namespace))

    return await begin_import(spec, (), options, terms, make_input=make_input, take_over=take_over, parent=folder.name)


def _options_of(folder: RunFolder, header: RunHeader) -> ImportOptions:
    """Return the options of the failed run that also apply to a retry."""
    before = restored(ImportOptions, header.settings, folder.state_dir)
    before = replace(before, reading=ReadOptions(format="ndjson", is_plain=True), limits=session_limits(before.limits))
    # The permission was given for the first run, by somebody who knew what was in the file.
    before = replace(before, contacts_people=False, is_complete=False, missing="tell", plan=None)
    if before.mapping is None:
        return before
    # The usual fix of a reject is a corrected mapping.
    return replace(before, mapping=unchanged_mapping(before.mapping, accept_changed=True))


def _retry(folder: RunFolder, *flags: str) -> str:
    return next_command("retry", folder.name, *flags, state_dir=folder.state_dir, connects=True)


def _left_alone(folder: RunFolder, spec: ImportSpec, rows: RetryRows, unknown: UnknownRows) -> list[str]:
    """Return a line about each group of rows that a retry leaves out.

    Raises:
        UsageError: No row is left to retry.
    """
    lines = []
    others = rows.left
    table, command = corrected_import(folder)
    if rows.moved:
        others -= rows.moved
        lines.append(
            f"{counted(rows.moved, 'row')} left out, because an import would overwrite what has moved since the plan "
            f"was made; plan again: {plan_again(folder)}"
        )
    if unknown is UnknownRows.LEFT and rows.unsettled:
        others -= rows.unsettled
        lines.append(
            f"{counted(rows.unsettled, 'row')} of {spec.name} may have been sent and {_are(rows.unsettled)} skipped"
            f"; look in Gladly, and if nothing was sent, run: {_retry(folder, '--sent-nothing')}"
        )
    if unknown is UnknownRows.ALONE:
        if not rows.taken:
            raise UsageError(f"run {folder.name} has no rows that may have been sent, so there are none to send again")
        if others:
            lines.append(f"{counted(others, 'other row')} skipped: retry them without --sent-nothing")
    elif others:
        lines.append(
            f"{counted(others, 'rejected row')} left out, which would be rejected again; correct {_them(others)} in "
            f"{table} and import it: {command}"
        )
    if not rows.taken:
        why = f": {'; '.join(lines)}" if lines else ""
        raise UsageError(f"run {folder.name} has nothing to retry{why}")
    return lines


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _release(old: RunFolder, new: RunFolder, scope: tuple[str, str, str]) -> None:
    """Let a retry send what the run that it follows may have sent, or a run that was deleted or damaged since."""
    keys = unsettled_keys(old.path)
    state = State(new.state_dir / "state.sqlite", scope, is_synced=True, run=new.name)
    try:
        gone = {run for run in state.holders(keys) if not _is_sound(new.path.parent / run)}
        state.release(keys, of={old.name, *gone})
    finally:
        state.close()


def _is_sound(path: Path) -> bool:
    return path.is_dir() and RunFolder(path).fault() is None
