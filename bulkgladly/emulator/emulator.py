"""The emulator as an object: it starts, serves requests on a port, stops, and saves its state."""

import asyncio
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Self

import orjson

from bulkgladly.emulator.application import Application
from bulkgladly.emulator.deliveries.deliveries import Deliveries
from bulkgladly.emulator.exports.exporter import Exporter
from bulkgladly.emulator.faults.fault import FaultScriptError
from bulkgladly.emulator.faults.fault_script import FaultScript
from bulkgladly.emulator.operations.all_operations import OPERATIONS, OTHER_HOST_OPERATIONS
from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.clock import Clock
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.organisation.export_jobs import RETENTION
from bulkgladly.emulator.organisation.state_file import load_state, save_state
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.outgoing_requests import is_loopback
from bulkgladly.emulator.protocol.routing import Operation, Router
from bulkgladly.emulator.reports.reports import Reports
from bulkgladly.emulator.seeding.seed_answers import seed_knowledge
from bulkgladly.emulator.seeding.seed_conversations import seed_conversations, seed_custom_attributes
from bulkgladly.emulator.seeding.seed_events import seed_events
from bulkgladly.emulator.seeding.seed_history import History, begin_events, seed_history
from bulkgladly.emulator.seeding.seed_organisation import seed_customers, seed_directory
from bulkgladly.emulator.server.control import Control
from bulkgladly.emulator.server.exchange import Exchange, ServerParts
from bulkgladly.emulator.server.listener import Listener
from bulkgladly.emulator.server.rate_limits import Limiter, ReportLimits
from bulkgladly.emulator.server.request_log import RequestLog
from bulkgladly.emulator.traffic.emitter import EventTypes
from bulkgladly.emulator.traffic.traffic import Traffic

__all__ = ("Emulator", "serve", "welcome")


class Emulator(Application):
    """A stand-in for one Gladly organisation on a loopback port.

        async with Emulator(rate=10, seed_customers=3) as emulator:
            ...  # requests go to emulator.url

    Keyword arguments are the fields of `EmulatorOptions`; they win over `options`. `host` is a loopback
    address, for tests that need an emulator on an address of its own. `more_operations` are answered beside
    those of the API; what they keep is theirs to hold.
    `store`, `exports`, `reports`, `faults`, `requests`, `limiter`, `report_limits`, `deliveries` and `traffic`
    exist from the beginning and outlive the stop, so you can fill them before and read them afterwards. Webhooks
    get what happens in between. `history` is what happened before, if the options ask for it. An emulator can
    start once.

    Raises:
        ValueError, TypeError: An option does not exist, or its value is not allowed.
    """

    def __init__(
        self,
        options: EmulatorOptions | None = None,
        *,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        more_operations: Iterable[Operation] = (),
        **changes: Any,
    ) -> None:
        if not is_loopback(f"http://{host}"):
            raise ValueError(f"host is {host!r}: it must be a loopback address")
        self._host = host
        self._operations = (*OPERATIONS, *OTHER_HOST_OPERATIONS, *more_operations)
        self.options = options = replace(options or EmulatorOptions(), **changes)
        self.clock = clock = clock or Clock()
        super().__init__(Store(clock=clock, seed=options.seed, reuse_deleted_ids=options.deleted_ids == "free"))
        self.exports = Exporter(self.store, seed=options.seed, items_per_job=options.items_per_job)
        self.reports = Reports(self.store, options)
        self.faults = FaultScript()
        self.requests = RequestLog()
        self.limiter = Limiter(
            options.rate,
            algorithm=options.algorithm,
            phase_s=options.phase_s,
            burst=options.burst,
            clock=clock,
        )
        self.report_limits = ReportLimits(options, clock)
        self.deliveries = Deliveries(self.store, options)
        self.traffic = Traffic(self, seed=options.seed)
        self.history: History | None = None
        self._listener: Listener | None = None
        self._exchange: Exchange | None = None
        self._url = ""
        self._fill()

    @property
    def url(self) -> str:
        """Base URL without a trailing slash, such as `http://127.0.0.1:40123`.

        Raises:
            RuntimeError: It has not been started.
        """
        if not self._url:
            raise RuntimeError("the emulator has not been started: use it with `async with`")
        return self._url

    def customer(self, customer_id: str) -> Entity:
        """Return the profile as GET returns it.

        Raises:
            KeyError: There is no such customer.
        """
        return self.store.customers[customer_id]

    def emit(
        self,
        types: EventTypes = None,
        content: Mapping[str, Any] | None = None,
        *,
        count: int = 1,
        initiator: Mapping[str, Any] | None = None,
    ) -> list[Event]:
        """Let events of any types happen now, and return them; see `Emitter.emit`.

        Raises:
            ValueError: A type does not exist, or the count is not from 1 to 10,000. Nothing happened.
        """
        return self.traffic.emitter.emit(types, content, count=count, initiator=initiator)

    async def emit_at_rate(self, per_second: float, count: int, types: EventTypes = None) -> list[Event]:
        """Let events happen at a steady rate, and return them after the last one; see `Emitter.emit_at_rate`.

        Raises:
            ValueError: A type does not exist, or the rate or the count is not positive. Nothing happened.
        """
        return await self.traffic.emitter.emit_at_rate(per_second, count, types)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        # Here and not before, so that its requests begin with the start.
        if self.options.neighbour_rate:
            self.limiter.add_neighbour(self.options.neighbour_rate, seed=self.options.seed)
        self._exchange = Exchange(self._server_parts())
        self._listener = listener = Listener(self._exchange, self.faults, self._host)
        await listener.start(self.options.port)
        self._url = listener.url
        self.deliveries.start()
        self.traffic.live(self.options.live_traffic)

    async def stop(self) -> None:
        """Stop listening, end pending responses, close all connections, and write the state file if one is set.

        Deliveries that are pending are forgotten.

        Raises:
            OSError: The state could not be written; the emulator has stopped anyway.
        """
        if self._listener is None or self._exchange is None:
            return
        listener, self._listener = self._listener, None
        await self.traffic.stop()
        await self.deliveries.stop()
        # First what waits on purpose, or the listener would wait for it.
        self._exchange.stop()
        await listener.stop()
        if self.options.state_file is not None:
            save_state(self.store, self.options.state_file)

    def refuse(self, for_s: float | None = None) -> None:
        """Close all connections at once and refuse new ones, for a number of seconds or until `accept`."""
        if self._listener is not None:
            self._listener.refuse(for_s)

    async def accept(self) -> None:
        """Accept connections again after `refuse`; otherwise do nothing."""
        if self._listener is not None:
            await self._listener.accept()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _server_parts(self) -> ServerParts:
        more = {**self.deliveries.endpoints(), **self.traffic.endpoints()}
        return ServerParts(
            self.options,
            self.clock,
            self.store,
            self.limiter,
            self.report_limits,
            self.faults,
            self.requests,
            Router(self._operations),
            Control(self.store, self.limiter, self.faults, self.requests, self.exports.add_job, self.refuse, more=more),
            self.refuse,
        )

    def _fill(self) -> None:
        options = self.options
        # First of all, because events must be in order.
        seed_events(self.store, options.seed_events, seed=options.seed)
        state_file, faults_file = self.options.state_file, self.options.faults_file
        if state_file is not None and state_file.exists():
            load_state(self.store, state_file)
        else:
            seed_directory(self.store)
            seed_knowledge(self.store)
            seed_custom_attributes(self.store)
            seed_customers(self.store, options.seed_customers)
            if options.seed_history:
                self.history = seed_history(self.store, options.seed_history, seed=options.seed)
                begin_events(self.store, self.history, seed=options.seed)
            seed_conversations(self.store, options.seed_conversations, seed=options.seed)
        nights = min(options.seed_history, RETENTION.days) if self.history is not None else 0
        self.exports.seed_jobs(options.seed_jobs or nights)
        if faults_file is not None:
            try:
                self.faults.load(orjson.loads(faults_file.read_bytes()))
            except ValueError as exc:
                raise FaultScriptError(f"{faults_file}: {exc}") from exc


async def serve(options: EmulatorOptions, *, on_ready: Callable[[str], None]) -> None:
    """Run an emulator until SIGINT or SIGTERM, then stop it and write the state file if one is set.

    `on_ready` is called with the base URL once connections are accepted.

    Raises:
        OSError: The port is taken, or a file cannot be read or written.
        ValueError: The faults file or the state file is not valid. Nothing was started.

    Cancelled: the emulator stops as after a signal, and the state is written.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with Emulator(options) as emulator:
            on_ready(emulator.url)
            await stopped.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def welcome(url: str, options: EmulatorOptions) -> str:
    """Return a few lines of text with what a person needs to use a running emulator."""
    limit = "no limit" if options.rate is None else f"{options.rate} requests a second ({options.algorithm})"
    return (
        f"Gladly emulator at {url}\n"
        f"  user:  {options.username}\n"
        f"  token: {options.token}\n"
        f"  pace:  {limit}\n"
        f"Stop it with Ctrl-C."
    )
