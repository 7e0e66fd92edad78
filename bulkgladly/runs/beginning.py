"""Beginning a run, whole or not at all, and taking over one that has begun, by one process at a time."""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio.to_thread

from bulkgladly._version import __version__
from bulkgladly.commands import next_command
from bulkgladly.errors import JournalError, RunLocked, UnfinishedRun, UsageError
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.journal.runs import beginning, list_runs, open_to_others
from bulkgladly.settings import Credentials

__all__ = ("NewRun", "refuse_other_host", "refuse_worked_on", "removed_unbegun", "resumed", "unfinished")


class NewRun:
    """A run that is about to begin. Use it as a context manager.

        with NewRun(state_dir, "topics", "create") as new:
            for line in await new.begin(host, stored(options)):
                observer.note(line)
            ...  # a `Session` works on new.folder

    Its folder counts as a run once `begin` has written its header. On leaving the context the run is unlocked; a
    run that has not begun is removed.
    """

    def __init__(self, state_dir: Path, resource: str, mode: str, *, verb: str | None = None) -> None:
        """`verb` stands in the name of the run in place of its mode."""
        self._state_dir, self._resource, self._mode, self._verb = state_dir, resource, mode, verb or mode
        self._folder: RunFolder | None = None
        self._has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is None:
            return
        # Removed while it is still locked, so that no other process finds a part of it.
        if not self._has_begun:
            with contextlib.suppress(OSError):
                self._folder.remove()
        self._folder.unlock()

    @property
    def folder(self) -> RunFolder:
        """The folder, created and locked on first use.

        Raises:
            DiskFull, UsageError: It cannot be created.
        """
        if self._folder is None:
            now = dt.datetime.now(dt.UTC)
            self._folder = RunFolder.create(self._state_dir, self._resource, self._verb, now).lock()
        return self._folder

    def discard(self) -> None:
        """Remove the run on leaving the context, although it has begun: it has sent nothing, and will not."""
        self._has_begun = False

    async def begin(
        self,
        host: str,
        settings: Mapping[str, Any],
        *,
        inputs: Sequence[InputFile] = (),
        parent: str | None = None,
        look: Callable[[], Iterable[str]] = tuple,
        take_over: Callable[[RunFolder], None] = lambda _: None,
    ) -> list[str]:
        """Create the journal, then the header, and return what a person should be told.

        `settings` are the stored options (`runs.options.stored`), from which a resume restores them; `inputs` are the
        files as they are now; `parent` is the run whose rejects this one retries. No other run begins meanwhile.

        `look` is called first: it checks whether another run stands in the way, raises if so, and returns lines for
        people. `take_over` is called when the run has its name and its journal, and no other process can see it yet.

        Raises:
            UsageError: Another run stands in the way, or the folder cannot be created.
            DiskFull, JournalError: The run cannot be written.

        Killed: the folder without a header is not a run, and has sent nothing.
        """

        def work() -> list[str]:
            with beginning(self._state_dir):
                told = list(look())
                self.folder.make_journal()
                take_over(self.folder)
                # The header last: it makes the run visible to others, and promises that the journal is there.
                self.folder.write_header(
                    RunHeader(
                        run=self.folder.name,
                        resource=self._resource,
                        mode=self._mode,
                        host=host,
                        inputs=tuple(inputs),
                        settings=settings,
                        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                        version=__version__,
                        parent=parent,
                        is_whole=True,
                    )
                )
            return told

        told = await anyio.to_thread.run_sync(work)
        self._has_begun = True
        return told + [line for line in (open_to_others(self._state_dir),) if line is not None]


@contextlib.contextmanager
def resumed(run: RunFolder, credentials: Credentials) -> Iterator[RunHeader]:
    """Lock a run that has begun for this process, and yield what it began with. On leaving, it is unlocked.

    Raises:
        JournalDamaged: The run cannot be used; the message says why.
        RunLocked: Another process works on the run.
        UsageError: The credentials are for another host.
    """
    run.check()
    with run.lock():
        header = run.header()
        refuse_other_host(header, credentials)
        yield header


def refuse_other_host(header: RunHeader, credentials: Credentials) -> None:
    """Check that the credentials are for the organisation of a run.

    Raises:
        UsageError: They are for another one.
    """
    if header.host != credentials.host:
        raise UsageError(f"run {header.run} belongs to {header.host}, but the credentials are for {credentials.host}")


def refuse_worked_on(run: RunFolder, about: str) -> None:
    """Refuse to begin beside a run that another process works on now; `about` says what the two have in common.

    Its resume would be refused as well, so it is not what a person can do.

    Raises:
        UnfinishedRun: A process works on it.
    """
    if (worker := run.worker()) is not None:
        stop = next_command("runs", "stop", run.name, state_dir=run.state_dir)
        raise UnfinishedRun(
            f"process {worker or '?'} is working on run {run.name} {about}; wait for it, or stop it with `{stop}`"
        )


def unfinished(state_dir: Path, is_wanted: Callable[[RunHeader], bool]) -> Iterator[RunFolder]:
    """Yield the runs that are wanted and not complete, the oldest first; those that cannot be read are skipped."""
    for run in list_runs(state_dir):
        is_one = False
        with contextlib.suppress(JournalError):  # damaged further on, or removed a moment ago
            is_one = is_wanted(run.header()) and run.status() != "complete"
        if is_one:
            yield run


def removed_unbegun(run: RunFolder) -> bool:
    """Remove a run that never got as far as its first item, and tell whether it was one.

    A run on which a process works is not removed.

    Raises:
        JournalDamaged: Its journal cannot be read.
    """
    if not run.is_empty():
        return False
    try:
        with run.lock():
            if not run.is_empty():
                return False
            run.remove()
    except (RunLocked, OSError):
        return False
    return True
