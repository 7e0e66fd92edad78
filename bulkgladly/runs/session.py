"""One process's work on a run: the life that every run has, whatever it moves.

A run moves items from where they are to where they belong, and notes the end of each in its journal. What an
item is, where it comes from and where it goes is the `Work`; all else is here, once: the connection with its pace,
signals and limits of time, errors, the display, the summary, and the status that the journal keeps.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import anyio
import anyio.to_thread

from bulkgladly.errors import BulkgladlyError
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.runs.connection import Connection, check_organisation
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer, RunView
from bulkgladly.runs.options import RunOptions
from bulkgladly.runs.stages import Stop, heeding_signals, run_stages, stopping
from bulkgladly.runs.summary import Summary, common_fields, written
from bulkgladly.settings import Credentials

__all__ = ("Journal", "Progress", "Session", "Terms", "Work")

S = TypeVar("S", bound=Summary)
S_co = TypeVar("S_co", bound=Summary, covariant=True)


class Progress(NamedTuple):
    """How far a run is: what has ended by outcome, and how many of how many `things`."""

    counts: Mapping[str, int]
    done: int
    total: int
    is_exact: bool = True
    begun_with: int = 0
    """How many had ended before this session."""
    things: str = "rows"
    has_eta: bool = True
    """Whether what is done tells how long the rest takes."""


@dataclass(frozen=True, slots=True)
class Terms:
    """For whom a session works: who is let in, who is told, and who may stop it.

    With `with_signals` the first SIGINT or SIGTERM lets it stop in an orderly way, and the second at once.
    """

    credentials: Credentials
    observer: Observer = field(default_factory=Observer)
    with_signals: bool = False
    environment: Environment = USUAL


class Journal(Protocol):
    """What every run writes as it goes."""

    @property
    def earlier_vitals(self) -> Mapping[str, Any]:
        """What the sessions before this one have cost."""
        ...

    async def note(self, name: str, value: str) -> None:
        """Keep a word about the run itself. On the disk when this returns."""
        ...

    def close(self) -> None:
        """Commit what is left, and close the file."""
        ...


class Work(Protocol[S_co]):
    """What one run does: its source, its sink, and what it tells in the end.

    The session calls `begin`, then runs `read` and `hand_over` side by side with `workers` times `take`; when the
    first two have ended or the run stops, `close`, which must let the workers end. At last `settle`, then `summary`.
    """

    @property
    def journal(self) -> Journal:
        """Where the ends of the items are noted; the session closes it."""
        ...

    @property
    def workers(self) -> int:
        """How many items may be worked on at once."""
        ...

    async def begin(self) -> None:
        """Get ready, and tell the observer what is about to be done. Nothing was sent yet."""
        ...

    async def read(self) -> None:
        """First stage: take items from their source. Cancelled when the run stops."""
        ...

    async def hand_over(self) -> None:
        """Second stage: settle what needs no work, and hand the rest to the workers. Cancelled like the first."""
        ...

    async def take(self) -> None:
        """One worker: bring items to their ends until there are no more."""
        ...

    async def close(self) -> None:
        """Let the workers end: with what was handed over, or in a stop with what they have begun."""
        ...

    def progress(self) -> Progress:
        """Return how far the work is."""
        ...

    async def settle(self) -> None:
        """Bring every end to the disk and look back: is all as it was, and is anything left?

        Raises:
            BulkgladlyError: The run cannot have ended well.
        """
        ...

    def summary(self, common: Mapping[str, Any]) -> S_co:
        """Return what the run did, with the fields in `common`; also where files could not be written. In a thread."""
        ...


class Session:
    """Runs some work until it or the run ends, then tells what happened.

    The caller holds the run's lock. Whatever happens, what was committed stays whole.
    """

    def __init__(self, run: RunFolder, options: RunOptions, terms: Terms) -> None:
        """Build the connection; nothing is opened yet."""
        self.run, self.limits, self.observer = run, options.limits, terms.observer
        self.environment = terms.environment
        self.connection = Connection(terms.credentials, options.pace, options.limits, terms.environment)
        self.bounds = terms.environment.bounds
        self._with_signals = terms.with_signals
        self.client = self.connection.client
        self.stop = Stop(self.client.withdraw)

    async def drive(self, work: Work[S]) -> S:
        """Do the work, and return the summary, which is written and says how it went.

        Errors of ours end the run and are told there. Cancelled, or at any other exception, the run is noted as
        interrupted; killed, it counts as such.
        """
        self.connection.earlier = dict(work.journal.earlier_vitals)
        with heeding_signals(self.stop, wanted=self._with_signals):
            try:
                # Before anything is sent: killed from here on, the run counts as interrupted, and not as new.
                await work.journal.note("status", "running")
                async with self.client:
                    await self._work(work)
            except BulkgladlyError as error:
                self.stop.fail(error)
            except BaseException:
                # A bug or a cancel from outside: no summary is made of what nobody understands, but the status is told.
                with anyio.CancelScope(shield=True), contextlib.suppress(BulkgladlyError):
                    await work.journal.note("status", "interrupted")
                work.journal.close()
                raise
            ended: list[S] = []
            try:
                with anyio.CancelScope(shield=True):
                    ended.append(await self._end(work))
            finally:
                work.journal.close()
        return ended[0]

    async def _work(self, work: Work[S]) -> None:
        async def read() -> None:
            await check_organisation(self.client, self.connection.host)
            await work.read()

        await work.begin()
        beside: list[Callable[[], Awaitable[None]]] = [partial(self._show, work)]
        if self.limits.max_duration_s is not None:
            beside.append(self._end_in_time)
        await run_stages(
            self.stop,
            sources=(read, work.hand_over),
            close=work.close,
            work=work.take,
            workers=work.workers,
            beside=beside,
        )

    async def _end(self, work: Work[S]) -> S:
        try:
            await work.settle()
        except BulkgladlyError as error:
            self.stop.fail(error)
        self.observer.tick(self.view(work))
        # The files first, the status last: a run is not complete before its files are.
        common = partial(common_fields, self.run, self.connection.vitals())
        summary, problem = await anyio.to_thread.run_sync(lambda: written(self.run, work.summary(common())))
        if problem is not None:
            self.observer.note(problem)
        with contextlib.suppress(BulkgladlyError):
            await work.journal.note("status", summary.status)
        return summary

    async def _show(self, work: Work[S]) -> None:
        while True:
            await anyio.sleep(self.observer.interval_s)
            self.observer.tick(self.view(work))

    async def _end_in_time(self) -> None:
        limit = self.limits.max_duration_s or 0.0
        await anyio.sleep(limit)
        self.stop.drain(10, f"the time limit of {limit:g} s is reached")

    def view(self, work: Work[S]) -> RunView:
        """Return how the run stands at this moment."""
        progress, momentum, seconds = work.progress(), self.connection.momentum(), self.connection.seconds
        new = progress.done - progress.begun_with
        left = max(0, progress.total - progress.done)
        return RunView(
            run=self.run.name,
            counts=dict(progress.counts),
            done=progress.done,
            rows=max(progress.total, progress.done),
            rows_exact=progress.is_exact,
            seconds=seconds,
            requests=momentum.requests,
            requests_per_second=momentum.per_second,
            allowed_per_second=momentum.allowed_per_second,
            in_flight=momentum.in_flight,
            throttled=momentum.throttled,
            waiting=stopping(momentum.in_flight) if self.stop.is_draining else momentum.waiting,
            waiting_s=0.0 if self.stop.is_draining else momentum.waiting_s,
            eta_s=left * seconds / new if new > 0 and progress.has_eta else None,
            things=progress.things,
        )
