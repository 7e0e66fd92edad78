"""The port: connections that are served, ended before they are read, or refused for a time."""

import asyncio
import socket
from weakref import WeakSet

from aiohttp import web

from bulkgladly.emulator.faults.fault_script import FaultScript
from bulkgladly.emulator.server.broken_responses import CutConnection
from bulkgladly.emulator.server.exchange import Exchange

__all__ = ("Listener",)

_STOP_WITHIN_S = 1.0
_BACKLOG = 1024


class Listener:
    """Listens from `start` to `stop`, except while `refuse` is in force. `url` is set after the start."""

    def __init__(self, exchange: Exchange, faults: FaultScript, host: str) -> None:
        self._handlers = web.Server(exchange, access_log=None)
        self._faults = faults
        self._silent: WeakSet[asyncio.Transport] = WeakSet()
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._host, self._port = host, 0

    @property
    def url(self) -> str:
        """The URL on which it listens."""
        return f"http://{self._host}:{self._port}"

    async def start(self, port: int) -> None:
        """Listen; 0 picks a free port.

        Raises:
            OSError: The port is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self._host, port, backlog=_BACKLOG)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and close all connections."""
        if self._reopening is not None:
            self._reopening.cancel()
        if self._server is not None:
            _accept_no_more(self._server)
        await asyncio.sleep(0)
        if self._server is not None:
            self._server.close()
        if self._held is not None:
            self._held.close()
        for transport in self._silent:
            transport.abort()
        self._handlers.pre_shutdown()
        await self._handlers.shutdown(_STOP_WITHIN_S)

    def refuse(self, for_s: float | None) -> None:
        """Close all connections and refuse new ones: for a time, or until `accept`."""
        server, self._server = self._server, None
        if server is None:
            return
        _accept_no_more(server)
        asyncio.get_running_loop().call_soon(self._hold, server)
        if for_s is not None:
            self._reopening = asyncio.get_running_loop().create_task(self._accept_after(for_s))

    def _hold(self, server: asyncio.Server) -> None:
        server.close()
        # Bound but not listening, so that no other process can take the port.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind((self._host, self._port))
        for handler in self._handlers.connections:
            if handler.transport is not None:
                handler.transport.close()

    async def accept(self) -> None:
        """Take connections again after `refuse`."""
        await asyncio.sleep(0)
        held, self._held = self._held, None
        if held is not None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._connection, sock=held, backlog=_BACKLOG)

    async def _accept_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.accept()

    def _connection(self) -> asyncio.BaseProtocol:
        fault = self._faults.next_connection_fault() if self._faults else None
        return self._handlers() if fault is None else CutConnection(fault, self.refuse, self._silent)


def _accept_no_more(server: asyncio.Server) -> None:
    """Stop accepting, but let accepted sockets become connections: a server that closes at once would drop them."""
    for each in server.sockets:
        asyncio.get_running_loop().remove_reader(each.fileno())
