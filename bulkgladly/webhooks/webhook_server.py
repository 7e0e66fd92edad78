"""The server to which Gladly delivers events: a 200 is sent after the event is on the disk, and never before."""

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, cast

import orjson
from aiohttp import web

from bulkgladly.errors import BulkgladlyError
from bulkgladly.inbox.arrivals import Arrival, Via, strange_arrival
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.runs.quiet_notes import RareNotes
from bulkgladly.times import to_milliseconds
from bulkgladly.webhooks.delivery_bodies import ReceivedBody, arrival_in, is_ping
from bulkgladly.webhooks.http_connections import Connections, HttpConnection
from bulkgladly.webhooks.listen_address import HEALTH, bound_by, check_path, tls_of
from bulkgladly.webhooks.listen_options import ListenOptions
from bulkgladly.webhooks.listen_secrets import ListenSecrets
from bulkgladly.webhooks.server_health import LAST_PING, ServerHealth

__all__ = ("ServerBounds", "WebhookServer")

_CLOSE = {"Connection": "close"}


class ServerBounds(NamedTuple):
    """How long the server waits, and how much it holds. Gladly waits 15 s for a response."""

    body_s: float = 10.0
    store_s: float = 10.0
    first_request_s: float = 10.0
    connections: int = 500
    held_bytes: int = 64 << 20
    """Most bytes of bodies in memory, all requests together."""
    read_times: int = 32
    """So many times `max_body_bytes` are read of a longer body, so that its sender sees the response."""
    grace_s: float = 5.0
    """How long a stop waits for deliveries in flight, and then again until their connections are closed."""


class _Refused(Exception):
    """A delivery ends without being stored, and the connection is closed.

    `count` is the counter, `note` a line for people, and `headers` more headers of the response.
    """

    def __init__(self, status: int, count: str, note: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.count, self.note, self.headers = status, count, note, headers or {}


class WebhookServer:
    """Receives deliveries into an inbox. Chapters: begin and end, one delivery, and what else is served.

    Every authentic delivery that was stored gets 200, whatever it contains, because Gladly deactivates a webhook after
    four failures. Nothing that was sent is repeated in a response, and no secret is in any text.
    """

    def __init__(
        self,
        inbox: Inbox,
        options: ListenOptions,
        secrets: ListenSecrets,
        *,
        note: Callable[[str], None] = lambda _: None,
        add_routes: Callable[[web.Application], object] = lambda _: None,
        bounds: ServerBounds | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check the path. `note` prints a line for people; `add_routes` may add pages beside the webhook.

        Raises:
            UsageError: The path cannot be served.
        """
        check_path(options.path)
        self._inbox, self._options, self._secrets = inbox, options, secrets
        self._add_routes, self._bounds, self._now = add_routes, bounds or ServerBounds(), now
        self._notes = RareNotes(note, clock)
        self._health = ServerHealth(inbox, now=now, clock=clock)
        self._counts: Counter[str] = Counter()
        self._held_bytes = 0
        self.in_flight = 0
        """How many deliveries are here that have no response yet."""
        self._is_stopping = False
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None
        self._connections: Connections | None = None
        self.base_url = ""
        """Where it listens, as this machine sees it; empty before `start`."""

    @property
    def url(self) -> str:
        """Where deliveries go, as this machine sees it; call it after `start`."""
        return f"{self.base_url}{self._options.path}"

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests got which end, by name: `stored`, `seen_twice`, `strange`, `ping`, `refused`, and more."""
        closed = self._connections.closed if self._connections is not None else 0
        return {**self._counts, **({"connections_closed": closed} if closed else {})}

    # --- begin and end ---

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            UsageError: The address cannot be used, or the TLS files cannot; the text says how to fix it.
        """
        context = tls_of(self._options)
        app = web.Application(middlewares=[self._guarded])
        app.router.add_route("POST", self._options.path, self._receive, expect_handler=_expecting)
        app.router.add_get(HEALTH, self._tell_health)
        self._add_routes(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=self._bounds.grace_s)
        await runner.setup()
        self._connections = Connections(
            cast("web.Server", runner.server),  # there is one after `setup`
            most=self._bounds.connections,
            first_request_s=self._bounds.first_request_s,
            failed=self._note_failure,
        )
        try:
            self._listening = await bound_by(self._options.at, self._connections, context)
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        host, port = self._listening.sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.base_url = f"{'http' if context is None else 'https'}://{shown}:{port}"

    async def stop(self) -> None:
        """Stop accepting deliveries, and finish those in flight. Calling it twice is allowed.

        What takes longer than `grace_s` gets no response, and Gladly sends it again.
        """
        self._is_stopping = True
        runner, self._runner = self._runner, None
        if self._listening is not None:
            self._listening.close()
        if runner is not None:
            await runner.cleanup()
        self._notes.flush()

    # --- one delivery ---

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        body = bytearray()
        self.in_flight += 1
        try:
            if self._is_stopping:
                raise _Refused(503, "stopping")
            if not self._secrets.accepts(lambda name: request.headers.getall(name, ())):
                raise self._unauthentic()
            delivery = await self._read(request, body)
            await self._store(self._arrival(delivery))
        except _Refused as refused:
            return self._refusal(refused)
        finally:
            self.in_flight -= 1
            self._held_bytes -= len(body)
        return web.Response(headers=_CLOSE if delivery.is_cut else None)

    def _arrival(self, delivery: ReceivedBody) -> Arrival:
        now = self._now()
        try:
            return arrival_in(delivery, now, self._options.max_body_bytes)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not deactivate the webhook
            return strange_arrival(delivery.body, Via.WEBHOOK, now, f"could not be read: {type(error).__name__}")

    def _refusal(self, refused: _Refused) -> web.Response:
        self._counts[refused.count] += 1
        if refused.note:
            self._notes.tell(refused.count, refused.note)
        return web.Response(status=refused.status, headers={**refused.headers, **_CLOSE})

    def _unauthentic(self) -> _Refused:
        realm = {"WWW-Authenticate": 'Basic realm="webhooks"'} if self._secrets.has_basic else None
        note = "a delivery without the right secret was refused (401); nothing of it is kept"
        return _Refused(401, "refused", note, realm)

    async def _read(self, request: web.Request, body: bytearray) -> ReceivedBody:
        """Return the body, or its first part if it is too long; `body` has what is held in memory of it.

        Raises:
            _Refused: It did not arrive, or there is no room for it.
        """
        if request.headers.get("Expect", "").lower() == "100-continue":
            # Only now, so that a body with a wrong secret is never sent.
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        most, total = self._options.max_body_bytes, 0
        try:
            async with asyncio.timeout(self._bounds.body_s):
                while (block := await request.content.readany()) and total <= most * self._bounds.read_times:
                    total += len(block)
                    self._hold(body, block[: most - len(body)])
        except TimeoutError:
            # The part that is kept of a body that is too long is here already.
            if total <= most:
                note = f"a delivery took longer than {self._bounds.body_s:g} s to arrive (408)"
                raise _Refused(408, "slow", note) from None
        except (web.RequestPayloadError, ConnectionError):
            raise _Refused(400, "broken_off") from None
        return ReceivedBody(bytes(body), request.headers.get("Content-Encoding", "").strip().lower(), total > most)

    def _hold(self, body: bytearray, block: bytes) -> None:
        if self._held_bytes + len(block) > self._bounds.held_bytes:
            raise _Refused(503, "too_many", "too many deliveries at once (503); Gladly sends them again")
        body += block
        self._held_bytes += len(block)

    async def _store(self, arrival: Arrival) -> None:
        """Return when a delivery is on the disk.

        Raises:
            _Refused: It may not be.
        """
        ping = is_ping(arrival)
        facts = {LAST_PING: to_milliseconds(arrival.received_at)} if ping else None
        try:
            async with asyncio.timeout(self._bounds.store_s):
                receipt = await self._inbox.put([] if ping else [arrival], facts=facts)
        except BulkgladlyError as error:
            note = f"a delivery could not be stored (503): {error}. Gladly sends it again"
            raise _Refused(503, "not_stored", note) from None
        except TimeoutError:
            note = f"a delivery could not be stored within {self._bounds.store_s:g} s (503); Gladly sends it again"
            raise _Refused(503, "not_stored", note) from None
        if ping:
            self._counts["ping"] += 1
            self._notes.tell("ping", "Gladly has tested the address (PING)")
            return
        self._counts["stored"] += receipt.new
        self._counts["seen_twice"] += receipt.seen
        if arrival.why:
            self._counts["strange"] += 1
            self._notes.tell("strange", f"a delivery is not an event and is kept as a reject: {arrival.why}")

    # --- what else is served ---

    async def _tell_health(self, _request: web.Request) -> web.StreamResponse:
        found = await self._health.look(self.counts)
        is_well = found["is_storing"] and "reading" not in found
        return web.Response(
            status=200 if is_well and not self._is_stopping else 503,
            body=orjson.dumps({**found, "is_stopping": self._is_stopping}),
            content_type="application/json",
            headers={"Cache-Control": "no-store", **_CLOSE},
        )

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Note that a request is there, and turn aiohttp's own pages, which repeat the address, into a bare status."""
        cast("HttpConnection", request.protocol).begun()
        try:
            return await handler(request)
        except web.HTTPException as page:
            self._counts[str(page.status)] += 1
            allowed = page.headers.get("Allow")
            return web.Response(status=page.status, headers={**_CLOSE, **({"Allow": allowed} if allowed else {})})

    def _note_failure(self) -> None:
        self._counts["failed"] += 1
        self._notes.tell("500", "internal error while a request was served (500); Gladly sends the delivery again")


async def _expecting(_request: web.Request) -> None:
    """Leave `Expect` to the handler."""
