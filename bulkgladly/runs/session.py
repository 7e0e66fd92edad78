"""The engine of all runs: one process's session on a run, whatever the run moves.

A run takes items from a source, brings each to its end through a sink, and notes every end in its journal. What
an item is, where it comes from and where it goes is the `Work`. All else is here, once: the connection with its
pace, signals, the time limit, orders from other terminals, errors, the display, the summary, and the status in the
journal.

To add a source or a sink, write a class with the methods of `Work` and give it to `Session.drive`. It gets what it
needs from the session: `client` to send requests, `stop` to end the run, `observer` to tell people, `bounds` for
memory, `environment` for clock and chance, `run` for the folder.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import anyio
import anyio.to_thread

from bulkgladly.errors import BulkgladlyError, UsageError
from bulkgladly.journal.organisations import remember_organisation
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.timeline import Sample
from bulkgladly.rate_schedule import local_zone, zone_of
from bulkgladly.runs.connection import Connection, check_organisation
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.finish_by import LOOK_S, FinishBy
from bulkgladly.runs.observer import Observer, RunView
from bulkgladly.runs.options import RunOptions
from bulkgladly.runs.recorder import RECORD_EVERY_S, Recorder
from bulkgladly.runs.stages import Stop, heeding_signals, run_stages, stopping, with_beside
from bulkgladly.runs.steering import Steering
from bulkgladly.runs.summary import Summary, common_fields, page_problem, written
from bulkgladly.settings import Credentials

__all__ = ("Journal", "Progress", "Session", "Terms", "Work")

ZONE_WAIT_S = 30.0

S = TypeVar("S", bound=Summary)
S_co = TypeVar("S_co", bound=Summary, covariant=True)


class Progress(NamedTuple):
    """How far a run is: how many items have ended with which outcome, and how many of how many `things` are done."""

    counts: Mapping[str, int]
    done: int
    total: int
    is_exact: bool = True
    begun_with: int = 0
    """How many were done before this session."""
    things: str = "rows"
    has_eta: bool = True
    """Whether the time for what is done predicts the time for the rest."""
    subject: str = ""
    """What is moved, from where to where."""
    reasons: Sequence[tuple[str, int]] = ()
    """Why items did not arrive, with how often; the most frequent first."""


_NOT_BEGUN = Progress({}, 0, 0, is_exact=False)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the caller of a run decides besides its options: credentials, observer, signals and environment.

    With `with_signals` the first SIGINT or SIGTERM drains the run, and the second aborts it.
    """

    credentials: Credentials
    observer: Observer = field(default_factory=Observer)
    with_signals: bool = False
    environment: Environment = USUAL


class Journal(Protocol):
    """What every run writes while it works: `RowJournal` for rows, `UnitLog` for units."""

    @property
    def earlier_vitals(self) -> Mapping[str, Any]:
        """What the sessions before this one have cost, as `Connection.vitals` returned it."""
        ...

    async def note(self, name: str, value: str, *, samples: Sequence[Sample] = ()) -> None:
        """Keep a value about the run itself, such as its status, and samples; on the disk when this returns."""
        ...

    def sample(self, samples: Sequence[Sample]) -> None:
        """Keep samples of how the run goes, without waiting for the disk."""
        ...

    def close(self) -> None:
        """Commit what is left, and close the file."""
        ...


class Work(Protocol[S_co]):
    """What one run does: its source (`read`), its sink (`take`), and its summary.

    The session awaits `begin`. Then it runs `read`, `hand_over` and `workers` times `take` side by side. When `read`
    and `hand_over` have ended, or the run stops, it awaits `close`, after which the workers must end. At last it
    awaits `settle` and calls `summary`, also after an error or a stop.

    A `BulkgladlyError` from any of them but `summary` ends the run, whose exit code it has; a problem of one item must
    become the outcome of that item instead. Any other exception is a bug, and `drive` raises it. An abort cancels the
    workers at any await, and a process can be killed at any moment. So note intents in the journal before requests
    that must not be repeated, and keep nothing in memory alone that a resume needs.
    """

    @property
    def journal(self) -> Journal:
        """Where the work notes how items ended. It is open from the start, and the session closes it."""
        ...

    @property
    def workers(self) -> int:
        """How many `take` run side by side. It is read once, after `begin`."""
        ...

    async def begin(self) -> None:
        """Get ready, and tell the observer what is about to be done.

        Nothing has been sent yet, but for a question about the organisation's time zone, if the pace needs it.
        """
        ...

    async def read(self) -> None:
        """Take items from their source and pass them on, for example by a `Feed`. Cancelled when the run stops.

        The organisation has answered before this is called: host, credentials and permission are right.
        """
        ...

    async def hand_over(self) -> None:
        """Settle items that need no request, and hand the rest to the workers. Cancelled like `read`.

        A work whose `read` does so itself returns at once.
        """
        ...

    async def take(self) -> None:
        """Work as one worker: bring items to their ends, and note each in the journal, until there are no more.

        After a stop a worker finishes the item that it has begun, whose requests may raise `Withdrawn`.
        """
        ...

    async def close(self) -> None:
        """Let the workers end: after all that was handed over, or in a stop after what they have begun.

        It is never cancelled, and also called if `begin` has failed.
        """
        ...

    def progress(self) -> Progress:
        """Return how far the work is. Called about once a second, so it must be quick and must not wait."""
        ...

    async def settle(self) -> None:
        """Wait until all that was noted is on the disk, and check that source and sink are as they were.

        Raises:
            BulkgladlyError: The run has not ended well.
        """
        ...

    def summary(self, common: Mapping[str, Any]) -> S_co:
        """Write the result files, and return what the run did, with the fields in `common`.

        Called in a thread, and also if files cannot be written. `Session.stop` says whether and why the run stopped.
        """
        ...


class Session:
    """One process's session on a run: does the work until it ends or the run stops, and writes the summary.

    The caller holds the lock of the run. Whatever happens, what was committed stays whole.
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
        self.steering = Steering(
            run,
            options.pace,
            self.connection,
            stop=self.stop,
            observer=terms.observer,
            environment=terms.environment,
        )
        self.deadline = FinishBy(options.limits.finish_by, terms.environment.wall)
        self.organisation = ""
        """The id of the organisation, once it has answered: when `read` is called."""

    async def drive(self, work: Work[S]) -> S:
        """Do the work, and return the summary, which is then written to the folder of the run.

        An error of ours ends the run and is in the summary. After a cancel or any other exception, which is raised,
        the status in the journal is interrupted; killed, the run counts as interrupted, too.
        """
        self.connection.earlier = dict(work.journal.earlier_vitals)
        self._recorder = self._recording()
        with heeding_signals(self.stop, wanted=self._with_signals):
            self.observer.began(self.run.name)
            try:
                # Before anything is sent: killed from here on, the run counts as interrupted, and not as new.
                await work.journal.note("status", "running")
                async with self.client:
                    await self._work(work)
            except BulkgladlyError as error:
                self.stop.fail(error)
            except BaseException:
                # A bug or a cancel from outside: a summary could be wrong, so only the status is noted.
                with anyio.CancelScope(shield=True), contextlib.suppress(BulkgladlyError):
                    await work.journal.note("status", "interrupted", samples=self._recorder.unwritten())
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
            await self._meet_organisation()
            await work.read()

        try:
            await self._get_ready(work)
        except BulkgladlyError:
            await work.close()
            raise
        self._recorder = self._recording(work.progress().counts)
        heed = partial(self.steering.heed, work.journal, work.progress)
        beside: list[Callable[[], Awaitable[None]]] = [partial(self._show, work), partial(self._record, work), heed]
        if self.limits.max_duration_s is not None:
            beside.append(self._end_in_time)
        if self.limits.finish_by is not None:
            beside.append(self._end_by)
        await run_stages(
            self.stop,
            sources=(read, work.hand_over),
            close=work.close,
            work=work.take,
            workers=work.workers,
            beside=beside,
        )

    async def _meet_organisation(self) -> None:
        """Ask for the organisation, and keep which one it is, for this run and for later ones."""
        found = await check_organisation(self.client, self.connection.host)
        if isinstance(identity := found.get("id"), str) and identity:
            self.organisation = identity
            state = self.run.state_dir / "state.sqlite"
            # A run that cannot keep it works all the same: only a later plan would ask again.
            with contextlib.suppress(BulkgladlyError):
                await anyio.to_thread.run_sync(remember_organisation, state, self.connection.host, identity)

    async def _end(self, work: Work[S]) -> S:
        self.connection.ended = self.stop.reason
        try:
            await work.settle()
        except BulkgladlyError as error:
            self.stop.fail(error)
        self.connection.ended = self.stop.reason
        self._tick(work)
        await self.steering.end(work.progress())
        # The files first, the status last: a run is not complete before its files are written.
        common = partial(common_fields, self.run, self.connection.vitals())
        summary, problem = await anyio.to_thread.run_sync(lambda: written(self.run, work.summary(common())))
        if problem is not None:
            self.observer.note(problem)
        with contextlib.suppress(BulkgladlyError):
            await work.journal.note("status", summary.status, samples=self._last_samples(work))
        # At last, from what is on the disk: whatever becomes of the page, the run has ended.
        if (problem := await anyio.to_thread.run_sync(page_problem, self.run, self.environment.page)) is not None:
            self.observer.note(problem)
        return summary

    async def _show(self, work: Work[S]) -> None:
        while True:
            await anyio.sleep(self.observer.interval_s)
            self._tick(work)

    def _recording(self, counts: Mapping[str, int] | None = None) -> Recorder:
        wall, session = self.environment.wall, len(self.connection.earlier.get("sessions", ())) + 1
        return Recorder(session, counts or {}, clock=time.monotonic, wall=lambda: wall().timestamp())

    async def _record(self, work: Work[S]) -> None:
        while True:
            await anyio.sleep(RECORD_EVERY_S)
            if due := self._recorder.look(self.connection.costs(), work.progress().counts):
                # A journal that cannot be written ends the run where it matters, not here.
                with contextlib.suppress(BulkgladlyError):
                    work.journal.sample(due)

    def _last_samples(self, work: Work[S]) -> Sequence[Sample]:
        self._recorder.look(self.connection.costs(), work.progress().counts)
        return self._recorder.unwritten()

    def _tick(self, work: Work[S]) -> None:
        view = self.view(work)
        self.observer.tick(view)
        if (behind := self.deadline.behind_text(view)) is not None:
            self.observer.note(behind)
        if (trouble := self.connection.trouble()) is not None:
            self.observer.note(trouble)

    async def _get_ready(self, work: Work[S]) -> None:
        await self.steering.begin()
        if self.steering.wants_zone:
            await self.steering.use_zone(await self._zone())
        # A large input takes a while to look through, and a person may pause or stop the run meanwhile.
        await with_beside(work.begin, partial(self.steering.heed, work.journal, lambda: _NOT_BEGUN))

    async def _zone(self) -> dt.tzinfo:
        """Ask for the time zone of the organisation, in which a schedule of rates is read."""
        name = None
        # Orders and limits do not count yet, so this must not wait out an outage.
        with anyio.move_on_after(ZONE_WAIT_S):
            name = (await check_organisation(self.client, self.connection.host)).get("timezone")
        with contextlib.suppress(UsageError):
            if isinstance(name, str):
                return zone_of(name)
        self.observer.note(
            f"--rate-schedule is read in the time zone of this machine, because {self.connection.host} names none that "
            "is known here; use --zone to choose one"
        )
        return local_zone()

    async def _end_by(self) -> None:
        while (left_s := self.deadline.seconds_left()) > 0:  # noqa: ASYNC110 - a clock has no event
            # In short steps: the clock of the machine may be set meanwhile.
            await anyio.sleep(min(left_s, LOOK_S))
        self.stop.drain(10, self.deadline.reached_text())

    async def _end_in_time(self) -> None:
        limit = self.limits.max_duration_s or 0.0
        await self.environment.sleep(limit)
        self.stop.drain(10, f"the time limit of {limit:g} s was reached")

    def view(self, work: Work[S]) -> RunView:
        """Return the progress of the run."""
        progress, momentum, seconds = work.progress(), self.connection.momentum(), self.connection.seconds
        is_down = (momentum.waiting or "").startswith("outage")
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
            in_flight=momentum.in_flight if self.stop.is_draining else momentum.most_in_flight,
            throttled=momentum.throttled,
            waiting=stopping(momentum.in_flight) if self.stop.is_draining else momentum.waiting,
            waiting_s=0.0 if self.stop.is_draining else momentum.waiting_s,
            # Nobody knows when an outage ends.
            eta_s=None if self.stop.is_draining or is_down else self._eta_s(progress, momentum.requests),
            things=progress.things,
            is_stopping=self.stop.is_draining,
            subject=progress.subject,
            reasons=progress.reasons,
            pace_note=self.steering.pace_note(),
            outcomes=self.client.outcomes.copy(),
            throttled_s=self.connection.throttled_s,
        )

    def _eta_s(self, progress: Progress, requests: int) -> float | None:
        """Return when the rest will be done, from what is done; None if that cannot be said, or nothing may leave."""
        new = progress.done - progress.begun_with
        left = max(0, progress.total - progress.done)
        if new <= 0 or not progress.has_eta:
            return None
        # The time in which nothing was to leave says nothing about the rest.
        worked_s = max(0.0, self.connection.seconds - self.connection.still_s)
        return self.steering.seconds_left(left * worked_s / new, left * requests / new)
