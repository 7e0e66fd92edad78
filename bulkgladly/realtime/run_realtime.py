"""The service behind `follow` and `listen`: all loops around one inbox, until a signal or an error ends them."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from bulkgladly.errors import BulkgladlyError
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.upkeep import view_of
from bulkgladly.realtime.progress_lines import WAYS, ProgressLines
from bulkgladly.realtime.realtime_options import RealtimeOptions
from bulkgladly.realtime.service_parts import ServiceParts
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import EventView, Observer
from bulkgladly.runs.session import Terms
from bulkgladly.runs.stages import Stop, heeding_signals, serve
from bulkgladly.settings import Credentials, refuse_unlimited

__all__ = ("RealtimeReport", "start_realtime")

_SIGNALS = (130, 143)
_SINK_GRACE_S = 10.0
_STOP_TOLD_AFTER_S = 1.0
_OUTAGE_TOLD_AFTER_S = 30.0
_LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class RealtimeReport:
    """What a session of `follow` or `listen` did. `exit_code` is 0 if a signal ended it and all was finished."""

    exit_code: int
    reason: str | None
    seconds: float
    requests: Mapping[str, int]
    events: Mapping[str, int]
    """How many events came in this session: by way, `seen_twice`, `filled`, `strange`."""
    deliveries: Mapping[str, int] = field(default_factory=dict)
    """How the requests to `listen` ended, by name."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """How many events the data set and each sink have not used yet, by the names of their cursors."""
    told: Mapping[str, str] = field(default_factory=dict)
    """What each of these does with an event, in words for people."""
    gaps: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report as values for JSON, without the words for people."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "told"}


async def start_realtime(
    options: RealtimeOptions,
    credentials: Credentials,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> RealtimeReport:
    """Receive events until a signal or an error, land them and pass them on; return what was done.

    With `with_signals` the first SIGINT or SIGTERM ends it well: what is in the inbox is landed, and the exit code is
    0. The second ends it at once. Whatever ends it, also a kill, loses no event that is in the inbox: the next start
    goes on from there, and fills the time between from the feed.

    Raises:
        UsageError: The options cannot work, or another process receives into the same inbox. Nothing was sent.
    """
    refuse_unlimited(options.pace, credentials)
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    parts = ServiceParts.read(options, credentials, terms)
    make = partial(Inbox, options.state_dir, credentials.host, wait_s=environment.lock_wait_s)
    inbox = await anyio.to_thread.run_sync(make)
    try:
        return await _Service(inbox, parts, terms).run()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(inbox.close)


class _Service:
    """One session: the loops that `ServiceParts` made, how they begin, and how they end."""

    def __init__(self, inbox: Inbox, parts: ServiceParts, terms: Terms) -> None:
        self._inbox, self._parts, self._terms = inbox, parts, terms
        self._options, self._environment = parts.options, terms.environment
        self._note = terms.observer.note
        # Every loop waits for the end of an outage by itself: it is told of soon, and ends nothing.
        limits = replace(self._options.limits, give_up_after_s=_OUTAGE_TOLD_AFTER_S)
        self._connection = Connection(terms.credentials, self._options.pace, limits, terms.environment)
        self._stop = Stop(self._connection.client.withdraw)
        self._before = inbox.reader.counters()
        self._sinks_left = 0
        self._sinks_done = anyio.Event()

    async def run(self) -> RealtimeReport:
        """Serve until something ends it, and return what was done.

        Raises:
            UsageError: The server cannot listen.
        """
        self._parts.make(self._inbox, self._connection.client)
        with heeding_signals(self._stop, wanted=self._terms.with_signals):
            async with self._connection.client:
                await self._parts.start()
                try:
                    await serve(self._stop, loops=self._loops(), finish=self._finish, beside=self._beside())
                except BulkgladlyError as error:
                    self._stop.fail(error)
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._parts.stop_server()
                        await self._look()
        return await anyio.to_thread.run_sync(self._report)

    def _loops(self) -> list[Callable[[], Awaitable[None]]]:
        return self._parts.loops()

    def _beside(self) -> list[Callable[[], Awaitable[None]]]:
        readers = self._parts.people_read()
        progress = ProgressLines(self._inbox, self._before, readers, wall=self._environment.wall, note=self._note)
        found: list[Callable[[], Awaitable[None]]] = [partial(progress.run, self._environment.sleep), self._tell_pace]
        sinks = self._parts.sink_loops()
        self._sinks_left = len(sinks)
        found += [partial(self._counted, sink) for sink in sinks]
        found.append(self._measure)
        if self._options.limits.max_duration_s is not None:
            found.append(self._end_in_time)
        return found

    async def _counted(self, sink: Callable[[], Awaitable[None]]) -> None:
        try:
            await sink()
        finally:
            self._sinks_left -= 1
            if not self._sinks_left:
                self._sinks_done.set()
                if self._parts.has_only_sinks and not self._stop.is_draining:
                    # `follow | head`: as any command whose reader has seen enough.
                    self._stop.drain(0, "nothing is left to pass events on to")

    async def _finish(self) -> None:
        """End in order: nothing more comes in, what sinks have begun ends, and what is there lands."""
        await self._parts.stop_server()
        self._parts.stop_sinks(_SINK_GRACE_S)
        if self._sinks_left:
            with anyio.move_on_after(_STOP_TOLD_AFTER_S):
                await self._sinks_done.wait()
            if self._sinks_left:
                self._note("stopping: waiting for what is being passed on; press Ctrl-C again to stop at once")
            await self._sinks_done.wait()
        await self._parts.close_rules()
        await self._parts.land_rest()

    async def _tell_pace(self) -> None:
        while True:
            await anyio.sleep(1.0)
            if (trouble := self._connection.trouble()) is not None:
                self._note(trouble)

    async def _measure(self) -> None:
        while True:
            await self._look()
            await anyio.sleep(_LOOK_EVERY_S)

    async def _look(self) -> None:
        """Tell the observer how the service is. An inbox that cannot be read ends it where it matters, not here."""
        reader, connection = self._inbox.reader, self._connection
        momentum = connection.momentum()
        with contextlib.suppress(BulkgladlyError):
            now = await anyio.to_thread.run_sync(reader.counters)
            lag_s = await anyio.to_thread.run_sync(self._parts.lag_s, reader, self._environment.wall())
            self._terms.observer.received(
                EventView(
                    events={name: now.get(name, 0) - self._before.get(name, 0) for name in WAYS},
                    lag_s=lag_s,
                    requests_per_second=momentum.per_second,
                    allowed_per_second=momentum.allowed_per_second,
                    outcomes=connection.client.outcomes.copy(),
                    throttled_s=connection.throttled_s,
                )
            )

    async def _end_in_time(self) -> None:
        limit = self._options.limits.max_duration_s or 0.0
        await self._environment.sleep(limit)
        self._stop.drain(10, f"the time limit of {limit:g} s was reached")

    def _report(self) -> RealtimeReport:
        stop, reader = self._stop, self._inbox.reader
        code = stop.exit_code or 0
        if code in _SIGNALS and not stop.abort_scope.cancel_called:
            code = 0
        now = reader.counters()
        return RealtimeReport(
            exit_code=code,
            reason=stop.reason,
            seconds=round(self._connection.seconds, 3),
            requests=dict(self._connection.client.sent),
            events={name: number - self._before.get(name, 0) for name, number in now.items()},
            deliveries=self._parts.deliveries(),
            waiting={one.name: one.waiting for one in view_of(reader).readers if one.name in self._parts.people_read()},
            told=self._parts.people_read(),
            gaps=tuple((begins.isoformat(), ends.isoformat()) for begins, ends in reader.gaps()),
        )
