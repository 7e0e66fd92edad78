"""What one attempt is on the wire: the connections to the organisation, and to the hosts to which it points.

Only this module names aiohttp, so that its errors become ours in one place. aiohttp's silent repeat
on a dropped connection is switched off, since it would bypass the pacer. So is its unpacking,
which mistakes a truncated packed body for a whole one.
"""

import asyncio
import io
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from bulkgladly._version import __version__
from bulkgladly.api.address import delay_s, whole_number
from bulkgladly.api.bodies import OpenBody
from bulkgladly.api.client_options import Timeouts
from bulkgladly.api.single_exchange import HostUnknown, RawReply
from bulkgladly.api.timers import Deadlines
from bulkgladly.errors import BodyTooLong, NotTrusted, ReplyLost, Unreachable
from bulkgladly.messages import Repeat, Request

__all__ = ("Patience", "Timeouts", "Wire")

# From this size on aiohttp wants a file object, so that it can write in pieces.
_LARGE_BODY_BYTES = 1024 * 1024
# How much a stream's connection holds while its reader is busy, before the server has to wait.
_STREAM_BUFFER_BYTES = 256 * 1024
# Shorter than the idle time of ordinary servers and load balancers (5 s and more), so that we close
# a quiet connection before they do. At any usual pace a connection is quiet for a second at most.
_KEEP_ALIVE_S = 4.0

# A body that never stalls can still drip for ever. The rate is judged over the waiting time of two
# stalls, so that a server which sends in bursts is not taken for one that drips.
_LEAST_BYTES_PER_S = 1024
_DRIP_STALLS = 2

_LIMIT = "Ratelimit-Limit-Second"
_REMAINING = "Ratelimit-Remaining-Second"
_RETRY_AFTER = "Retry-After"
_ENCODING = "Content-Encoding"


class Patience(NamedTuple):
    """Which status begins a stream, how long it may be silent before its first byte and later, and its most bytes."""

    status: int
    first_byte_s: float
    stall_s: float
    max_bytes: int | None


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Let aiohttp send a request once only.

    By itself it silently repeats GET, PUT and DELETE when a kept connection turns out to be
    dead, and that repeat would bypass the pacer. It does so for these two errors, so they
    become ours here.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ReplyLost(f"the connection broke before the response: {error}") from error


# aiohttp never repeats these two, so most requests skip the middleware. None means the session's own.
_MIDDLEWARES: dict[str, tuple[aiohttp.ClientMiddlewareType, ...]] = {"POST": (), "PATCH": ()}


class _Incoming:
    """The body of a response, piece by piece as it comes.

    Only the time spent waiting here counts: a reader may be as slow as it likes.
    """

    def __init__(self, response: aiohttp.ClientResponse, stall_s: float, clock: Callable[[], float]) -> None:
        self._response, self._stall_s, self._clock = response, stall_s, clock
        self._waited_s, self._came = 0.0, 0

    async def piece(self) -> bytes:
        begun = self._clock()
        data = await self._next()
        self._waited_s += self._clock() - begun
        self._came += len(data)
        if self._waited_s >= _DRIP_STALLS * self._stall_s:
            if data and self._came < _LEAST_BYTES_PER_S * self._waited_s:
                raise ReplyLost(f"the response is too slow: {self._came} bytes came in {self._waited_s:.3g} s")
            self._waited_s, self._came = 0.0, 0
        return data

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._stall_s):
                return await self._response.content.readany()
        except TimeoutError:
            raise ReplyLost(f"the response stalled: nothing came for {self._stall_s:g} s") from None
        except aiohttp.ClientError as error:
            raise ReplyLost(f"the response broke off: {error}") from error

    def close(self) -> None:
        # After a complete body aiohttp has given the connection back already, and this does nothing.
        self._response.close()


class _Connector(aiohttp.TCPConnector):
    """Does not reuse a kept connection on which something came that was not requested.

    A 408 with which a load balancer closes a quiet connection, or the rest of a body that was longer
    than announced, would be taken for the reply to the next request.
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                break
            connection.close()
        return connection


class Wire:
    """Sessions for whole replies, for requests that are sent once only, and for bodies that are read as they come.

    With a proxy on the way no session holds the credentials, since a session's headers would go to the
    proxy as well. They travel with each request to the organisation, inside its tunnel.
    Chapters: sessions, whole replies and open bodies, and where aiohttp's errors become ours.
    """

    def __init__(
        self,
        own_headers: Mapping[str, str],
        *,
        proxy: str | None,
        timeouts: Timeouts,
        max_body_bytes: int,
        clock: Callable[[], float],
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`own_headers` hold the credentials; `proxy` is the one on the way to the organisation.

        `trust` takes the place of the TLS settings of the system.
        """
        # Without a proxy they may be the session's, which saves merging them into each request.
        self._for_session, self._each_time = ({}, dict(own_headers)) if proxy else (dict(own_headers), {})
        self._proxy = proxy
        self._timeouts = timeouts
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._trust: ssl.SSLContext | bool = trust or True
        self._deadlines = Deadlines(timeouts.total_s)
        self._session: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None

    # --- sessions ---

    def connect(self) -> None:
        """Open the sessions; no connection is made before the first request."""
        kept = _Connector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, ssl=self._trust)
        self._session = self._open(kept, "gzip, deflate", self._for_session)
        # The other side may close a kept connection just as it is used again. Then the outcome of the
        # request is unknown, so a request that must not be repeated gets a connection of its own.
        fresh = aiohttp.TCPConnector(limit=0, force_close=True, ssl=self._trust)
        self._fresh = self._open(fresh, "gzip, deflate", self._for_session)
        # Streams may lead to another host, which must not see the credentials.
        self._streams = self._open(kept, "identity", {}, read_bufsize=_STREAM_BUFFER_BYTES, connector_owner=False)

    def _open(
        self, connector: aiohttp.TCPConnector, codings: str, headers: Mapping[str, str], **options: Any
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers={"User-Agent": f"bulkgladly/{__version__}", "Accept-Encoding": codings, **headers},
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            # `Deadlines` watches the total: aiohttp's timer for each request took an eighth of the request's CPU.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect_s),
            # Not trust_env, which would read .netrc, in a thread, for each request.
            middlewares=(_send_once,),
            auto_decompress=False,
            **options,
        )

    async def close(self) -> None:
        """Close the sessions and all connections."""
        sessions = self._streams, self._fresh, self._session
        self._streams = self._fresh = self._session = None
        for session in sessions:
            if session is not None:
                await session.close()

    # --- whole replies, and bodies that are left open ---

    async def talk(self, request: Request, url: URL) -> RawReply:
        """Send one request and read the whole reply.

        Raises:
            Unreachable: Nothing left the machine.
            ReplyLost: It left, and no whole reply came.
            NotTrusted: Nothing left the machine, and nothing will.
        """
        headers = self._each_time
        if request.accept is not None:
            headers = headers | {"Accept": request.accept}
        # A request that must not be repeated never uses a connection that the other side may be closing.
        session = self._fresh if request.repeat is Repeat.UNSAFE else self._session
        deadline = self._deadlines.begin()
        try:
            response = await self._request(session, request, url, headers, self._proxy)
            try:
                payload = await self._read(response)
            except BaseException:
                response.close()
                raise
        except asyncio.CancelledError:
            if deadline.explains():
                raise ReplyLost(f"no complete response within {self._timeouts.total_s:g} s") from None
            raise
        except aiohttp.ClientError as error:
            raise ReplyLost(f"the response broke off: {error}") from error
        finally:
            self._deadlines.end(deadline)
        return _raw_reply(response, payload)

    async def begin(
        self, request: Request, url: URL, *, patience: Patience, headers: Mapping[str, str], proxy: str | None
    ) -> RawReply:
        """Send one request; leave the body open if the status is the expected one, and read any other body.

        Raises:
            Unreachable: Nothing left the machine.
            ReplyLost: It left, and no headers came, or no whole body of a reply that is read.
            NotTrusted: Nothing left the machine, and nothing will.
        """
        try:
            async with asyncio.timeout(patience.first_byte_s):
                response = await self._request(self._streams, request, url, headers, proxy)
        except TimeoutError:
            raise ReplyLost(f"no response within {patience.first_byte_s:g} s") from None
        is_expected = response.status == patience.status
        body = OpenBody(
            _Incoming(response, patience.stall_s, self._clock),
            length=response.content_length,
            coding=response.headers.get(_ENCODING, ""),
            max_bytes=patience.max_bytes if is_expected else self._max_body_bytes,
        )
        if is_expected:
            return _raw_reply(response, b"", body)
        try:
            async with asyncio.timeout(self._timeouts.total_s):
                return _raw_reply(response, await body.whole())
        except TimeoutError:
            raise ReplyLost(f"no complete response within {self._timeouts.total_s:g} s") from None
        except BodyTooLong as error:
            raise ReplyLost(str(error)) from None
        finally:
            body.close()

    # --- where aiohttp's errors become ours ---

    async def _request(
        self,
        session: aiohttp.ClientSession | None,
        request: Request,
        url: URL,
        headers: Mapping[str, str],
        proxy: str | None,
    ) -> aiohttp.ClientResponse:
        """Send one request and wait for the headers; aiohttp's errors become ours here.

        Raises:
            Unreachable: Nothing left the machine.
            ReplyLost: It left, and no headers came.
        """
        if session is None:
            raise RuntimeError("the client is not open: use it with `async with`")
        body = request.body
        data = io.BytesIO(body) if body is not None and len(body) >= _LARGE_BODY_BYTES else body
        try:
            return await session.request(
                request.method,
                url,
                data=data,
                headers=headers,
                proxy=proxy,
                allow_redirects=False,
                middlewares=_MIDDLEWARES.get(request.method),
            )
        except aiohttp.ClientHttpProxyError as error:
            # From None here and below: these errors carry our request headers, token included,
            # or the whole URL, which may hold an email address or a signature.
            raise Unreachable(f"the proxy answered {error.status} {error.message}") from None
        except aiohttp.ClientConnectorDNSError as error:
            raise HostUnknown(str(error.os_error)) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise NotTrusted(_untrusted(error)) from None
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(str(error.os_error)) from error
        except aiohttp.ConnectionTimeoutError:
            raise Unreachable(f"no connection within {self._timeouts.connect_s:g} s") from None
        except aiohttp.ServerFingerprintMismatch as error:
            raise Unreachable(str(error)) from error
        except aiohttp.ClientResponseError as error:
            raise ReplyLost(f"the response is not valid HTTP: {error.message}") from None
        except aiohttp.ClientError as error:
            raise ReplyLost(f"the response broke off: {error}") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        length = response.content_length
        if length is not None and length <= self._max_body_bytes and _ENCODING not in response.headers:
            return await response.read()
        # The length is unknown, or it is that of the packed form: count what really comes.
        coding = response.headers.get(_ENCODING, "")
        source = _Incoming(response, self._timeouts.total_s, self._clock)  # the deadline of the attempt comes first
        try:
            return await OpenBody(source, length=None, coding=coding, max_bytes=self._max_body_bytes).whole()
        except BodyTooLong as error:
            raise ReplyLost(str(error)) from None


def _untrusted(error: aiohttp.ClientConnectorCertificateError) -> str:
    why = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
    return (
        f"this machine does not trust the certificate of {error.host} ({why.rstrip('.')}); nothing was sent to it. "
        "If a proxy of your network inspects TLS, set SSL_CERT_FILE to a PEM file with its CA certificate; "
        "otherwise check GLADLY_HOST and the clock of this machine"
    )


def _raw_reply(response: aiohttp.ClientResponse, payload: bytes, stream: OpenBody | None = None) -> RawReply:
    headers = response.headers
    return RawReply(
        response.status,
        payload,
        headers,
        whole_number(headers.get(_LIMIT)),
        whole_number(headers.get(_REMAINING)),
        delay_s(headers.get(_RETRY_AFTER), headers.get("Date")),
        stream,
    )
