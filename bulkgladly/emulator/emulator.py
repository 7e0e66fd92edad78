"""The emulator as an object: starts, answers on a socket of its own, stops, remembers."""

import asyncio
from dataclasses import replace
from typing import Any, Self

import orjson
from aiohttp import web

from bulkgladly.emulator.clock import Clock
from bulkgladly.emulator.control import Control
from bulkgladly.emulator.customers import create_from
from bulkgladly.emulator.exchange import Exchange, Parts
from bulkgladly.emulator.exporter import Exporter
from bulkgladly.emulator.faults import FaultScript, FaultScriptError
from bulkgladly.emulator.limiter import Limiter
from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.request_log import RequestLog
from bulkgladly.emulator.routing import Router
from bulkgladly.emulator.seeding import seed_customers, seed_directory
from bulkgladly.emulator.state import load_state, save_state
from bulkgladly.emulator.store import Entity, Store
from bulkgladly.emulator.table import OPERATIONS

__all__ = ("Emulator",)

_HOST = "127.0.0.1"
_STOP_WITHIN_S = 1.0


class Emulator:
    """A stand-in for one Gladly organization on a loopback port.

        async with Emulator(rate=10, seed_customers=3) as emulator:
            ...  # requests go to emulator.url

    Keywords are the fields of `EmulatorOptions`; given together with options they win.
    `store`, `exports`, `faults`, `requests` and `limiter` are there from the start and outlive the stop, so
    they can be filled before and looked at afterwards. One emulator starts once.

    Raises:
        ValueError, TypeError: An option does not exist or cannot be.
    """

    def __init__(self, options: EmulatorOptions | None = None, *, clock: Clock | None = None, **changes: Any) -> None:
        self.options = options = replace(options or EmulatorOptions(), **changes)
        self.clock = clock = clock or Clock()
        self.store = Store(clock=clock, seed=options.seed, reuse_deleted_ids=options.deleted_ids == "free")
        self.exports = Exporter(self.store, seed=options.seed, items_per_job=options.items_per_job)
        self.faults = FaultScript()
        self.requests = RequestLog()
        self.limiter = Limiter(
            options.rate,
            algorithm=options.algorithm,
            phase_s=options.phase_s,
            burst=options.burst,
            clock=clock,
        )
        self._server: asyncio.Server | None = None
        self._connections: web.Server | None = None
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

    def add_customer(self, **fields: Any) -> str:
        """Create a customer past the socket, by the same rules as createCustomer; returns its id.

        Raises:
            Refusal: What createCustomer would answer; nothing was added.
        """
        return create_from(self.store, fields)

    def customer(self, customer_id: str) -> Entity:
        """The profile as GET returns it.

        Raises:
            KeyError: There is none.
        """
        return self.store.customers[customer_id]

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        control = Control(self.store, self.limiter, self.faults, self.requests)
        parts = Parts(
            self.options,
            self.clock,
            self.store,
            self.limiter,
            self.faults,
            self.requests,
            Router(OPERATIONS),
            control,
        )
        if self.options.neighbour_rate:
            self.limiter.add_neighbour(self.options.neighbour_rate, seed=self.options.seed)
        self._exchange = Exchange(parts)
        self._connections = web.Server(self._exchange, access_log=None)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connections, _HOST, self.options.port, backlog=1024)
        self._url = f"http://{_HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening, end what hangs or streams, close all connections, write the state file if one is set.

        Raises:
            OSError: The state could not be written; the emulator has stopped all the same.
        """
        if self._server is None or self._connections is None or self._exchange is None:
            return
        server, self._server = self._server, None
        self._exchange.stop()
        server.close()
        self._connections.pre_shutdown()
        await self._connections.shutdown(_STOP_WITHIN_S)
        if self.options.state_file is not None:
            save_state(self.store, self.options.state_file)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _fill(self) -> None:
        state_file, faults_file = self.options.state_file, self.options.faults_file
        if state_file is not None and state_file.exists():
            load_state(self.store, state_file)
        else:
            seed_directory(self.store)
            seed_customers(self.store, self.options.seed_customers)
        self.exports.seed_jobs(self.options.seed_jobs)
        if faults_file is not None:
            try:
                self.faults.load(orjson.loads(faults_file.read_bytes()))
            except ValueError as exc:
                raise FaultScriptError(f"{faults_file}: {exc}") from exc
