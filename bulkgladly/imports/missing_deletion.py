"""Deletes what a complete input no longer has, after its import, as a run of its own.

The import is over by then: its report is on the disk, and it has proved what is missing. The deletion has the import
as its parent, and is resumed like any other run, with the same guard (`deletion_guard`). A process that is killed
between the two deletes nothing; the next complete import finds the same records missing.
"""

import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import anyio.to_thread
import orjson

from bulkgladly.choices import Missing
from bulkgladly.errors import BulkgladlyError, UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.deletion_guard import DeletionGuard
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.missing_keys import DELETED_ROWS, is_missing_deletion, is_ours
from bulkgladly.journal.missing import missing_records
from bulkgladly.journal.reject_memory import RunScope
from bulkgladly.journal.results import publish_lines
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.runs import all_folders, find_run
from bulkgladly.journal.steering_files import obeyed_in, orders_in
from bulkgladly.journal.turns import are_comparable, run_turns
from bulkgladly.records import Mode
from bulkgladly.runs.session import Terms
from bulkgladly.runs.summary import written

__all__ = ("delete_missing", "guard_of", "refuse_deletion", "refuse_stale_deletion")

_KEY = "key"
_NOT_DELETED = 3
_SENDING = (*(mode for mode in Mode if mode is not Mode.DELETE), "apply")
Begin = Callable[..., Awaitable[Report]]


def refuse_deletion(spec: ImportSpec, options: ImportOptions) -> None:
    """Refuse to delete missing records of an object for which that is not safe, before anything is sent.

    Raises:
        UsageError: It is not.
    """
    if options.missing == Missing.DELETE and spec.as_sent is None:
        raise UsageError(
            f"--missing delete: {spec.name} cannot be deleted by their ids alone; use --missing tell, and look at "
            "missing.csv"
        )


async def delete_missing(
    report: Report, spec: ImportSpec, options: ImportOptions, terms: Terms, *, begin: Begin
) -> Report:
    """Delete what an import found missing, if that is wanted and allowed; return the report of both.

    `begin` begins an import as `begin_import` does. The report of the import is written again, with the number of
    what was deleted. Its exit code is that of the deletion, unless that went well.
    """
    if not report.missing_to_delete:
        return report
    folder = RunFolder(Path(report.folder))
    scope = RunScope(
        folder.state_dir / "state.sqlite", terms.credentials.host, spec.name, options.namespace, folder.name
    )

    def make_input(place: Path) -> Path:
        return _write_rows(place / DELETED_ROWS, folder.path, scope, report)

    own = _options_of(options)
    try:
        refuse_stale_deletion(folder, folder.header())
        mine = _as_ordered(own, folder)
        policy = own.policy(terms.credentials.host)
        with await anyio.to_thread.run_sync(DeletionGuard, spec, policy, folder, report.missing_to_delete) as guard:
            done = await begin(
                spec, (), mine, terms, make_input=make_input, parent=folder.name, choose=lambda _policy: guard
            )
    except UsageError as error:
        both = replace(report, exit_code=_NOT_DELETED, reason=str(error))
    else:
        both = replace(
            report,
            missing_deleted=done.counts["deleted"],
            missing_kept=done.counts["skipped"],
            missing_run=done.run,
            exit_code=done.exit_code or report.exit_code,
            next_commands=done.next_commands if done.exit_code else report.next_commands,
        )
    final, problem = await anyio.to_thread.run_sync(written, folder, both)
    if problem is not None:
        terms.observer.note(problem)
    return final


def _write_rows(path: Path, parent: Path, scope: RunScope, report: Report) -> Path:
    """Write a row for each missing record that an import has created, if the report does not leave it.

    Raises:
        UsageError: There are more than before: something else has changed the state.
    """

    def rows() -> Iterator[bytes]:
        with missing_records(parent, scope) as found:
            for one in found:
                if is_ours(one, scope) and not (one.is_kept and report.missing_left):
                    yield orjson.dumps({_KEY: one.key, "id": one.gladly_id})

    if publish_lines(path, rows()).rows > report.missing_to_delete:
        raise UsageError(
            "another run has changed the state since the import, so nothing was deleted; import the files again"
        )
    return path


def _options_of(options: ImportOptions) -> ImportOptions:
    """Return the options of the deletion: namespace, pace and limits are those of the import, and count again."""
    return ImportOptions(
        mode=Mode.DELETE,
        key=_KEY,
        namespace=options.namespace,
        reading=ReadOptions(format="ndjson", is_plain=True),
        pace=options.pace,
        limits=replace(options.limits, max_rows=None),
        state_dir=options.state_dir,
    )


def _as_ordered(options: ImportOptions, run: RunFolder) -> ImportOptions:
    """Return the options of a deletion at the pace that a person has ordered for the import before it.

    Raises:
        UsageError: The import was paused to its end, which needed no request.
    """
    orders = None
    with contextlib.suppress(ValueError):  # what is there is not an order
        orders = orders_in(run.path)
    obeyed = obeyed_in(run.path)
    if orders is None or obeyed is None or obeyed.session != orders.session:
        return options
    if orders.is_paused:
        raise UsageError(
            f"run {run.name} was paused with `runs pause` when it ended, so nothing was deleted. Import the files "
            "again with --complete --missing delete"
        )
    if orders.rate is None:
        return options
    return replace(options, pace=replace(options.pace, rate=orders.rate, unlimited=False, schedule=None, zone=None))


@contextlib.contextmanager
def guard_of(
    run: RunFolder, header: RunHeader, spec: ImportSpec, options: ImportOptions
) -> Iterator[DeletionGuard | None]:
    """Give the guard of a deletion that is resumed; None if a run is not such a deletion.

    Raises:
        JournalDamaged: The journal of its import, or the state, cannot be read.
        UsageError: Its import is no longer there, or has become too old: see `refuse_stale_deletion`.
    """
    if not is_missing_deletion(header):
        yield None
        return
    refuse_stale_deletion(run, header)
    parent = _parent_of(run, header)
    scope = RunScope(run.state_dir / "state.sqlite", header.host, spec.name, options.namespace, parent.name)
    # Since the import, a repair may have found that people have merged another customer into one of these.
    with missing_records(parent.path, scope) as found:
        left = {(one.key, one.gladly_id) for one in found if is_ours(one, scope)}
    rows = (run.path / DELETED_ROWS).read_bytes().count(b"\n")
    with DeletionGuard(spec, options.policy(header.host), parent, rows, is_missing=left) as guard:
        yield guard


def refuse_stale_deletion(run: RunFolder, header: RunHeader) -> None:
    """Refuse to delete what was missing in an import, if anything else has imported the same objects since.

    `run` is the import itself, or its deletion that is resumed. A retry counts, also one of the import itself: with
    a corrected mapping it may have sent what seemed to be missing. So does an apply.

    Raises:
        UsageError: Another run into the same namespace may have sent some of the records again; or the import itself
            is no longer there.
    """
    parent = _parent_of(run, header) if is_missing_deletion(header) else run
    for other in all_folders(parent.state_dir):
        try:
            theirs = other.header()
        except BulkgladlyError:
            continue
        is_same = (theirs.resource, theirs.host) == (header.resource, header.host)
        is_same = is_same and theirs.settings.get("namespace") == header.settings.get("namespace")
        is_same = is_same and theirs.mode in _SENDING and other.name != parent.name
        if is_same and (how := _worked_since(other, parent)) is not None:
            raise UsageError(
                f"run {other.name} has imported {header.resource} since{how}, so the records that {parent.name} found "
                "missing may be there again; nothing is deleted. Import the files again with --complete --missing "
                "delete"
            )


def _parent_of(run: RunFolder, header: RunHeader) -> RunFolder:
    """Return the import whose missing records a run deletes.

    Raises:
        UsageError: It is no longer there, so nobody knows which rows its files had.
    """
    with contextlib.suppress(UsageError):
        if (parent := find_run(run.state_dir, header.parent or "")) is not None:
            return parent
    raise UsageError(
        f"run {header.parent}, which found missing what {run.name} deletes, is no longer there; nothing is deleted. "
        "Import the files again with --complete --missing delete"
    )


def _worked_since(run: RunFolder, parent: RunFolder) -> str | None:
    """Return how it is known, in words for people, that a run has worked since another one began; None if it has not.

    The turns of the runs say so, and need no words. Only without them the clock counts: it may have been set back.
    """
    ours, theirs = run_turns(parent.path), run_turns(run.path)
    if ours is not None and theirs is not None and are_comparable(theirs.last, ours.began):
        return "" if theirs.last > ours.began or run.worker() is not None else None
    since = _begun(parent)
    if _begun(run) > since or _has_worked_since(run, since[1]):
        return " (by this machine's clock, because an older version ran one of them, or the state was replaced)"
    return None


def _has_worked_since(run: RunFolder, since: int) -> bool:
    """Tell whether an import that began before is still at work, or was so after a time (ns)."""
    if run.worker() is not None:
        return True
    # A process that was killed has left no report, only what it committed.
    names = ("report.json",) if run.report() is not None else ("journal.sqlite", "journal.sqlite-wal")
    return any(path.stat().st_mtime_ns > since for name in names if (path := run.path / name).is_file())


def _begun(run: RunFolder) -> tuple[dt.datetime, int]:
    # The time in the header has whole seconds; the file is written once, when the run begins.
    return dt.datetime.fromisoformat(run.header().created_at), (run.path / "run.json").stat().st_mtime_ns
