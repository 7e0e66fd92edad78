"""The connections of the webhook server: bounded in number, each with a limit of time for its first request."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

__all__ = ("Connections", "HttpConnection")

# Above what proxies use by default (nginx 60 s, Caddy 2 min): who closes first must be the proxy, or a delivery that it
# sends at that moment is lost until Gladly repeats it.
_KEEP_ALIVE_S = 300.0
_LINGER_S = 3.0
"""How long the rest of a body is read that nobody wants, so that its sender sees the response and no reset."""


class Connections:
    """Makes the protocol of each connection, and closes those that are too many.

    A connection is silent until its first request is there. If there are too many, the silent one that has waited
    longest is closed; if none is silent, the new one.
    """

    def __init__(self, server: web.Server, *, most: int, first_request_s: float, failed: Callable[[], None]) -> None:
        """`failed` is called for an error that nothing else has handled."""
        self.first_request_s = first_request_s
        self.failed = failed
        self._server, self._most = server, most
        self._open: set[HttpConnection] = set()
        self._silent: dict[HttpConnection, None] = {}
        self.closed = 0
        """How many connections were closed because there were too many."""

    def __call__(self) -> "HttpConnection":
        """Return the protocol of a connection that is about to be made."""
        return HttpConnection(self, self._server)

    def opened(self, connection: "HttpConnection") -> None:
        """Note a connection, and close one if there are too many."""
        self._open.add(connection)
        self._silent[connection] = None
        if len(self._open) > self._most:
            self.closed += 1
            oldest = next(iter(self._silent))
            self.ended(oldest)
            oldest.force_close()

    def begun(self, connection: "HttpConnection") -> None:
        """Note that a connection has sent a request."""
        self._silent.pop(connection, None)

    def ended(self, connection: "HttpConnection") -> None:
        """Forget a connection. Calling it twice is allowed."""
        self._open.discard(connection)
        self._silent.pop(connection, None)


class HttpConnection(web.RequestHandler):
    """One connection. Its errors say nothing of what was sent, neither to the sender nor in a log."""

    def __init__(self, connections: Connections, server: web.Server) -> None:
        """`server` has the handler of requests."""
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_KEEP_ALIVE_S,
            lingering_time=_LINGER_S,
            access_log=None,  # type: ignore[arg-type] # the documented way to switch it off
            auto_decompress=False,  # it has no bound of its own
        )
        self._connections = connections
        self._first_request: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        limit = self._connections.first_request_s
        self._first_request = asyncio.get_running_loop().call_later(limit, self.force_close)
        self._connections.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._connections.ended(self)
        super().connection_lost(exc)

    def begun(self) -> None:
        """Note that a request is there."""
        self._stop_waiting()
        self._connections.begun(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the response to what is not HTTP, or to an error of ours: only its status."""
        del request, message
        if not isinstance(exc, HttpProcessingError):  # else it is not HTTP, which is nobody's mistake here
            self._connections.failed()
        response = web.Response(status=status)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Note an error that nothing else has handled."""
        del args, kw
        self._connections.failed()

    def _stop_waiting(self) -> None:
        if self._first_request is not None:
            self._first_request.cancel()
            self._first_request = None
