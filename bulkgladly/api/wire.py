"""What one attempt is on the wire: the connections to the organisation, and to where it points.

Only this module names aiohttp, so that its errors become ours in one place. Its own silent
repeat on a dropped connection is switched off: it would bypass the pacer. So is its
unpacking, which takes a packed body that was cut for a whole one.
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
from bulkgladly.api.exchange import HostUnknown, RawReply
from bulkgladly.api.timers import Deadlines
from bulkgladly.errors import BodyTooLong, NotTrusted, ReplyLost, Unreachable
from bulkgladly.messages import Repeat, Request

__all__ = ("Patience", "Timeouts", "Wire")

# Above this aiohttp wants a file object, so that it can write in pieces.
_LARGE_BODY_BYTES = 1024 * 1024
# What a stream's connection holds while nobody reads it, before the server has to wait.
_STREAM_BUFFER_BYTES = 256 * 1024
# Shorter than the idle time of ordinary servers and balancers (5 s and more), so that we close
# a quiet connection before they do; at any usual pace a connection is quiet for a second at most.
_KEEP_ALIVE_S = 4.0

# A body that never stalls can still go on for ever. Judged over two stalls of waiting, so that a
# server which makes its answer in spurts is not taken for one that drips.
_LEAST_BYTES_PER_S = 1024
_DRIP_STALLS = 2

_LIMIT = "Ratelimit-Limit-Second"
_REMAINING = "Ratelimit-Remaining-Second"
_RETRY_AFTER = "Retry-After"
_ENCODING = "Content-Encoding"


class Patience(NamedTuple):
    """Which status begins a stream, how long it may be silent, before its first byte and later, and its most bytes."""

    status: int

    first_byte_s: float
    stall_s: float
    max_bytes: int | None


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Let aiohttp send a request once only.

    It repeats GET, PUT and DELETE by itself, without a word, when a kept connection turns
    out to be dead; that repeat would bypass the pacer. It does so for these two errors, so
    they leave here as ours.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ReplyLost(f"the connection broke before the answer: {error}") from error


# It never repeats these two; the bulk of the work is spared the detour. None means the session's.
_MIDDLEWARES: dict[str, tuple[aiohttp.ClientMiddlewareType, ...]] = {"POST": (), "PATCH": ()}


class _Incoming:
    """The body of a response, piece by piece as it comes.

    Only the time that is waited here counts: a reader may be as slow as it likes.
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
                raise ReplyLost(f"the answer drips: {self._came} bytes came in {self._waited_s:.3g} s")
            self._waited_s, self._came = 0.0, 0
        return data

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._stall_s):
                return await self._response.content.readany()
        except TimeoutError:
            raise ReplyLost(f"the answer stopped: nothing came for {self._stall_s:g} s") from None
        except aiohttp.ClientError as error:
            raise ReplyLost(f"the answer broke off: {error}") from error

    def close(self) -> None:
        # At its end aiohttp has given the connection back already, and this does nothing.
        self._response.close()


class _Connector(aiohttp.TCPConnector):
    """Gives out no kept connection on which something came that nobody had asked for.

    A balancer's farewell to a quiet connection (408), or what followed a body that was longer
    than announced, would be taken for the answer to the next request.
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                break
            connection.close()
        return connection


class Wire:
    """Sessions for whole answers, for requests that are sent once only, and for bodies that are read as they come.

    With a proxy on the way none of them holds credentials by itself: a header of a session would go
    to the proxy as well. They travel with each request to the organisation, inside its tunnel.
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
        # Without a proxy they may be the session's, which saves merging them into every request.
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

    # Sessions.

    def connect(self) -> None:
        """Open the sessions; no connection is made before the first request."""
        kept = _Connector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, ssl=self._trust)
        self._session = self._open(kept, "gzip, deflate", self._for_session)
        # A kept connection may be closed by the other side as it is used again. Then nobody knows
        # what became of the request; what must not be repeated gets a connection of its own.
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
            # The total is watched by `Deadlines`: aiohttp's timer for each request takes an eighth of its time.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect_s),
            # Not trust_env: it would look into .netrc, in a thread, for every single request.
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

    # Whole answers, and bodies that are left open.

    async def talk(self, request: Request, url: URL) -> RawReply:
        """Send one request and read the whole answer.

        Raises:
            Unreachable: Nothing left the machine.
            ReplyLost: It left, and no whole answer came.
            NotTrusted: Nothing left the machine, and nothing will.
        """
        headers = self._each_time
        if request.accept is not None:
            headers = headers | {"Accept": request.accept}
        # What must not be repeated never goes over a connection that the other side may be closing.
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
                raise ReplyLost(f"no whole answer within {self._timeouts.total_s:g} s") from None
            raise
        except aiohttp.ClientError as error:
            raise ReplyLost(f"the answer broke off: {error}") from error
        finally:
            self._deadlines.end(deadline)
        return _answer(response, payload)

    async def begin(
        self, request: Request, url: URL, *, patience: Patience, headers: Mapping[str, str], proxy: str | None
    ) -> RawReply:
        """Send one request; leave the body open where the status is the expected one, and read any other.

        Raises:
            Unreachable: Nothing left the machine.
            ReplyLost: It left, and no headers came, or no whole body of an answer that is read.
            NotTrusted: Nothing left the machine, and nothing will.
        """
        try:
            async with asyncio.timeout(patience.first_byte_s):
                response = await self._request(self._streams, request, url, headers, proxy)
        except TimeoutError:
            raise ReplyLost(f"no answer within {patience.first_byte_s:g} s") from None
        is_expected = response.status == patience.status
        body = OpenBody(
            _Incoming(response, patience.stall_s, self._clock),
            length=response.content_length,
            coding=response.headers.get(_ENCODING, ""),
            max_bytes=patience.max_bytes if is_expected else self._max_body_bytes,
        )
        if is_expected:
            return _answer(response, b"", body)
        try:
            async with asyncio.timeout(self._timeouts.total_s):
                return _answer(response, await body.whole())
        except TimeoutError:
            raise ReplyLost(f"no whole answer within {self._timeouts.total_s:g} s") from None
        except BodyTooLong as error:
            raise ReplyLost(str(error)) from None
        finally:
            body.close()

    # Where aiohttp's errors become ours.

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
            raise ReplyLost(f"the answer is no HTTP: {error.message}") from None
        except aiohttp.ClientError as error:
            raise ReplyLost(f"the answer broke off: {error}") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        length = response.content_length
        if length is not None and length <= self._max_body_bytes and _ENCODING not in response.headers:
            return await response.read()
        # The length is unknown, or that of the packed form: count what really comes.
        coding = response.headers.get(_ENCODING, "")
        source = _Incoming(response, self._timeouts.total_s, self._clock)  # the deadline of the attempt comes first
        try:
            return await OpenBody(source, length=None, coding=coding, max_bytes=self._max_body_bytes).whole()
        except BodyTooLong as error:
            raise ReplyLost(str(error)) from None


def _untrusted(error: aiohttp.ClientConnectorCertificateError) -> str:
    why = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
    return (
        f"{error.host} shows a certificate that this machine does not trust ({why.rstrip('.')}); no request was sent to"
        " it. If a proxy of your network inspects TLS, set SSL_CERT_FILE to a PEM file with its CA certificate;"
        " otherwise check GLADLY_HOST and the clock of this machine"
    )


def _answer(response: aiohttp.ClientResponse, payload: bytes, stream: OpenBody | None = None) -> RawReply:
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
