"""The service behind `follow` and `listen`: all loops around one inbox, until a signal or an error ends them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread

from bulkgladly.errors import BulkgladlyError
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.realtime.feed import EventFeed
from bulkgladly.realtime.fill_loop import FillLoop
from bulkgladly.realtime.realtime_options import RealtimeOptions
from bulkgladly.realtime.server_clock import ServerClock
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.session import Terms
from bulkgladly.runs.stages import Stop, heeding_signals, serve
from bulkgladly.settings import Credentials, refuse_unlimited

__all__ = ("RealtimeReport", "start_realtime")

_FILL_EVERY_S = 600.0
"""How often the feed fills what webhooks missed."""
_SIGNALS = (130, 143)


@dataclass(frozen=True, slots=True)
class RealtimeReport:
    """What a session of `follow` or `listen` did. `exit_code` is 0 if a signal ended it and all was finished."""

    exit_code: int
    reason: str | None
    seconds: float
    requests: Mapping[str, int]
    events: Mapping[str, int]
    """How many events came: by way, `seen_twice`, `filled`, `strange`, each in this session."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """How many events each reader of the inbox has not used yet."""
    gaps: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report as values for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


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
    inbox = await anyio.to_thread.run_sync(Inbox, options.state_dir, credentials.host)
    try:
        return await _Service(inbox, options, terms).run()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(inbox.close)


class _Service:
    def __init__(self, inbox: Inbox, options: RealtimeOptions, terms: Terms) -> None:
        self._inbox, self._options, self._terms = inbox, options, terms
        self._environment = terms.environment
        self._note = terms.observer.note
        self._connection = Connection(terms.credentials, options.pace, options.limits, terms.environment)
        self._stop = Stop(self._connection.client.withdraw)
        self._before = inbox.reader.counters()

    async def run(self) -> RealtimeReport:
        with heeding_signals(self._stop, wanted=self._terms.with_signals):
            try:
                async with self._connection.client:
                    await serve(self._stop, loops=self._loops(), finish=self._finish, beside=self._beside())
            except BulkgladlyError as error:
                self._stop.fail(error)
        return await anyio.to_thread.run_sync(self._report)

    def _loops(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._fill().run]

    def _beside(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._end_in_time] if self._options.limits.max_duration_s is not None else []

    async def _finish(self) -> None:
        pass

    def _fill(self) -> FillLoop:
        options, environment = self._options, self._environment
        clock = ServerClock(environment.wall, environment.clock)
        client = self._connection.client
        feed = EventFeed(client, self._inbox, options.entities, clock, since=options.since, note=self._note)
        return FillLoop(
            client,
            self._inbox,
            feed,
            clock,
            every_s=options.every_s if options.listen is None else _FILL_EVERY_S,
            with_jobs=options.out is not None,
            sleep=environment.sleep,
            monotonic=environment.clock,
            note=self._note,
            is_receiver=options.listen is not None,
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
            waiting={name: reader.waiting(seq) for name, seq in reader.cursors().items()},
            gaps=tuple((begins.isoformat(), ends.isoformat()) for begins, ends in reader.gaps()),
        )
