"""An undo as a run: what it would do, started, resumed; and the undo of the same run that stands in its way."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.errors import UnfinishedRun, UsageError
from bulkgladly.gladly.change import is_equal
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_writes import RunWrites
from bulkgladly.journal.undone_runs import UNDO
from bulkgladly.runs.beginning import NewRun, refuse_other_host, refuse_worked_on, removed_unbegun, resumed, unfinished
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.options import for_next_session, restored, stored
from bulkgladly.runs.session import Session, Terms
from bulkgladly.settings import Credentials, refuse_unlimited
from bulkgladly.undo.planned_objects import PlanCounts, changes_of
from bulkgladly.undo.undo_images import UNREAD, images_of
from bulkgladly.undo.undo_options import UndoOptions, namespace_of, spec_to_undo
from bulkgladly.undo.undo_plan import PLAN_FILE, UndoPlan
from bulkgladly.undo.undo_summary import UndoReport
from bulkgladly.undo.undo_work import UndoWork

__all__ = ("SampleField", "UndoPreview", "preview_undo", "resume_undo", "start_undo")


class SampleField(NamedTuple):
    """One field that would be restored: its name, what the run left in it, and what it was before."""

    name: str
    left: Any
    before: Any


class UndoPreview(NamedTuple):
    """What an undo of a run would do, what was imported, and some objects with what would be restored of them."""

    counts: PlanCounts
    spec: ImportSpec
    samples: tuple[tuple[str, tuple[SampleField, ...]], ...]


def preview_undo(run: RunFolder, *, samples: int = 0) -> UndoPreview:
    """Return what an undo of a run would do, from the journals alone; nothing is sent or kept.

    `samples` is how many objects to show; their fields hold personal values.

    Raises:
        UsageError: The run cannot be undone; the message says why.
        RunLocked: Another process works on the run.
        JournalDamaged: A journal cannot be read.
    """
    with run.lock():
        spec = spec_to_undo(run)
        with contextlib.closing(UndoPlan(None)) as plan, RunWrites(run.path) as writes:
            counts = plan.make(run, spec, namespace_of(run))
            return UndoPreview(counts, spec, tuple(islice(_samples(plan, writes, spec), samples)))


def _samples(plan: UndoPlan, writes: RunWrites, spec: ImportSpec) -> Iterator[tuple[str, tuple[SampleField, ...]]]:
    if spec.reversal is None:
        return
    for one in (one for piece in plan.objects(0) for one in piece if one.todo == "restore"):
        images = images_of(changes_of(one, writes), spec.reversal)
        fields = [SampleField(name, image.left, image.before) for name, image in images.fields.items()]
        for name, keys in images.maps.items():
            fields += [SampleField(f"{name}.{key}", image.left, image.before) for key, image in keys.items()]
        told = (one for one in fields if one.before is not UNREAD and not is_equal(one.before, one.left))
        yield one.gladly_id, tuple(told)


async def start_undo(
    run: RunFolder,
    credentials: Credentials,
    options: UndoOptions,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> UndoReport:
    """Take back what a run did, and return the report.

    Customers and other objects that the run created are deleted, and those that it updated are restored, as far as
    nobody has changed them since. An undo that ends early returns a report as well; `resume_undo` continues it.

    Raises:
        UsageError: The run cannot be undone, or an undo of it is not finished. Nothing was sent.
        RunLocked: Another process works on the run, or undoes it.
    """
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    refuse_unlimited(options.pace, credentials)
    with run.lock():  # held to the end, so that nobody resumes or removes it meanwhile
        spec = spec_to_undo(run)
        refuse_other_host(run.header(), credentials)
        with NewRun(run.state_dir, spec.name, UNDO) as new:
            for line in await new.begin(
                credentials.host, stored(options), parent=run.name, look=lambda: _make_way(run)
            ):
                terms.observer.note(line)
            return await _work(new.folder, run, spec, options, terms)


async def resume_undo(
    folder: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[UndoOptions], UndoOptions] = lambda options: options,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> UndoReport:
    """Continue an undo where it stopped, and return the report of all its sessions.

    Raises:
        RunLocked: Another process works on it, or on the run that it takes back.
        UsageError: The credentials are for another host, or the run that it takes back was removed.
    """
    with resumed(folder, credentials) as header:
        options = for_next_session(restored(UndoOptions, header.settings, folder.state_dir), change)
        refuse_unlimited(options.pace, credentials)
        run = RunFolder(folder.state_dir / "runs" / options.run)
        if not run.path.is_dir():
            raise UsageError(f"run {options.run} was removed, so its undo cannot be continued; restore its folder")
        with run.lock():
            terms = Terms(credentials, observer or Observer(), with_signals, environment)
            return await _work(folder, run, spec_to_undo(run), options, terms)


async def _work(folder: RunFolder, run: RunFolder, spec: ImportSpec, options: UndoOptions, terms: Terms) -> UndoReport:
    namespace = namespace_of(run)
    with contextlib.closing(UndoPlan(folder.path / PLAN_FILE)) as plan, RunWrites(run.path) as writes:
        await anyio.to_thread.run_sync(plan.make, run, spec, namespace)
        session = Session(folder, options, terms)
        return await session.drive(UndoWork(session, spec, options, plan=plan, writes=writes, namespace=namespace))


def _make_way(run: RunFolder) -> Iterator[str]:
    """Refuse to begin a second undo of a run; one that never got as far as its first object is removed."""
    for other in unfinished(run.state_dir, lambda header: header.mode == UNDO and header.parent == run.name):
        if not removed_unbegun(other):
            refuse_worked_on(other, f"that takes back run {run.name}")
            resume = next_command("resume", other.name, state_dir=other.state_dir, connects=True)
            raise UnfinishedRun(f"undo {other.name} of run {run.name} is not finished; continue it with `{resume}`")
    return iter(())
