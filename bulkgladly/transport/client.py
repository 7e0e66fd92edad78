"""The one door to Gladly: a session, and the loop that makes attempts until a request is answered.

Only this module names an aiohttp exception. Every send takes a token of the pacer, probes
and repeats included: aiohttp's own silent repeat on a dropped connection is switched off.
"""

import asyncio
import base64
import io
import random as random_module
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp
from yarl import URL

from bulkgladly._version import __version__
from bulkgladly.errors import (
    NotAuthenticated,
    NotPermitted,
    Outage,
    ReplyLost,
    TransportError,
    Unreachable,
    UsageError,
)
from bulkgladly.messages import GET_ORGANIZATION, Reply, Request
from bulkgladly.transport.address import Address, delay_s, whole_number
from bulkgladly.transport.deadlines import Deadlines
from bulkgladly.transport.health import Health, Trouble
from bulkgladly.transport.pacer import Pacer, Ticket
from bulkgladly.transport.retry import Ask, Failure, RetryPolicy, Wait, backoff, decide

__all__ = ("Client", "Timeouts")

MAX_BODY_BYTES = 64 * 1024 * 1024

_PROBE_BASE_S = 0.5
_PROBE_CAP_S = 30.0
# Above this aiohttp wants a file object, so that it can write in pieces.
_LARGE_BODY_BYTES = 1024 * 1024

_LIMIT = "Ratelimit-Limit-Second"
_REMAINING = "Ratelimit-Remaining-Second"
_RETRY_AFTER = "Retry-After"
_ENCODING = "Content-Encoding"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an attempt may take: to connect, and in all until the whole answer is there."""

    connect_s: float = 10.0
    total_s: float = 90.0


class _Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]
    retry_after_s: float | None


_NO_ANSWER = _Answer(0, b"", {}, None)
_MAY_HAVE_HAPPENED = (Failure.LOST, Failure.SERVER_ERROR)


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


class Client:
    """Sends requests to one organisation, each until it has a final answer. Open it with `async with`."""

    def __init__(
        self,
        base_url: str,
        username: str,
        token: str,
        *,
        pacer: Pacer,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        give_up_after_s: float = 3600.0,
        first_contact_s: float = 30.0,
        max_connections: int = 100,
        max_body_bytes: int = MAX_BODY_BYTES,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        """Check where the credentials would go; nothing is opened yet.

        `clock` must be the pacer's. A host that never answered is given up after
        `first_contact_s`, a later outage after `give_up_after_s`.

        Raises:
            UsageError: The base URL or the credentials cannot work.
        """
        self._address = Address(base_url)
        if not username or not token:
            raise UsageError("a user name (email address) and an API token are needed")
        if ":" in username:
            raise UsageError("a user name with a colon cannot be sent by HTTP Basic")
        self._username = username
        secret = base64.b64encode(f"{username}:{token}".encode()).decode("ascii")
        self._headers = {
            "Authorization": f"Basic {secret}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"bulkgladly/{__version__}",
        }
        self._pacer = pacer
        self._retry = retry or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._deadlines = Deadlines(self._timeouts.total_s)
        self._max_body_bytes = max_body_bytes
        self._clock, self._sleep, self._random = clock, sleep, random
        self._health = Health(first_contact_s=first_contact_s, give_up_after_s=give_up_after_s)
        # A request that waits for a connection would spoil the time on its ticket, so the
        # connections are counted here, before the token, and not in aiohttp's pool.
        self._connections = asyncio.Semaphore(max_connections)
        self._probing = asyncio.Lock()
        self._outages = 0
        self._last_trouble = ""
        self._session: aiohttp.ClientSession | None = None
        self.sent: Counter[str] = Counter()
        self.throttled = 0

    async def __aenter__(self) -> Self:
        timeouts = self._timeouts
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            # The total is watched by `Deadlines`: aiohttp's timer for each request takes an eighth of its time.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect_s),
            # Not trust_env: it would look into .netrc, in a thread, for every single request.
            proxy=self._address.proxy(),
            middlewares=(_send_once,),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request) -> Reply:
        """Make attempts until there is a final answer, and return it.

        Status 0, or a 5xx, means that the request was given back unsettled: `lost` attempts
        may have been executed. That happens at the first such attempt where the request's
        repeat rule is UNSAFE, else after several, and only while the host is otherwise well.
        A 429 is waited out without limit, an outage as long as the client was told.

        Raises:
            NotAuthenticated: The user name or the token is wrong.
            NotPermitted: The user lacks a permission.
            Outage: The host could not be reached for too long.

        Cancelled: an attempt that had left may be executed; its token counts as used.
        """
        url = self._address.url(request.path, request.query)
        outages = self._outages
        attempts = lost = good_before = 0
        answer = _NO_ANSWER
        while True:
            tried = await self._attempt(request, url)
            if tried is None:
                await self._wait_for_host(outages)
                continue
            attempts += 1
            last, failure = tried
            if failure is None:
                return self._reply(request, last, attempts, lost)
            if failure in _MAY_HAVE_HAPPENED:
                if not lost:
                    good_before = self._health.good_answers
                lost += 1
                answer = last if last.status else answer
            verdict = decide(
                self._retry,
                failure=failure,
                failures=lost,
                repeat=request.repeat,
                is_host_well=self._health.good_answers > good_before,
                random=self._random,
                retry_after_s=last.retry_after_s,
            )
            if isinstance(verdict, Ask) and not await self._is_host_well():
                continue
            if not isinstance(verdict, Wait):
                return Reply(answer.status, answer.body, answer.headers, attempts, lost)
            if verdict.seconds > 0:
                await self._sleep(verdict.seconds)

    def _reply(self, request: Request, answer: _Answer, attempts: int, lost: int) -> Reply:
        if answer.status == 401:
            raise NotAuthenticated(
                f"{self._address.host} does not accept the credentials of {self._username}:"
                " check GLADLY_USERNAME (the email address of the Gladly user) and GLADLY_API_TOKEN"
            )
        if answer.status == 403:
            raise NotPermitted(
                f"{self._address.host} does not let {self._username} do {request.operation}:"
                " the user needs the API User permission (to delete customers also Compliance Admin)"
            )
        return Reply(answer.status, answer.body, answer.headers, attempts, lost)

    async def _attempt(self, request: Request, url: URL) -> tuple[_Answer, Failure | None] | None:
        """Send once, when it is this request's turn; None where the host is down, and nothing was sent."""
        if self._health.is_down():
            return None
        async with self._connections:
            ticket = await self._pacer.token()
            if self._health.is_down():
                self._pacer.unused(ticket)
                return None
            try:
                answer = await self._exchange(request, url, ticket)
            except Unreachable:
                return _NO_ANSWER, Failure.UNREACHABLE
            except ReplyLost:
                return _NO_ANSWER, Failure.LOST
        if answer.status == 429:
            return answer, Failure.THROTTLED
        return answer, Failure.SERVER_ERROR if answer.status >= 500 else None

    async def _exchange(self, request: Request, url: URL, ticket: Ticket) -> _Answer:
        """Send once, and let the pacer and the host's health know how it went."""
        self.sent[request.operation] += 1
        try:
            answer, limit, remaining = await self._talk(request, url)
        except Unreachable as error:
            self._pacer.lost(ticket)
            is_name = isinstance(error.__cause__, aiohttp.ClientConnectorDNSError)
            trouble = Trouble.NAME if is_name else Trouble.CONNECT
            self._health.failed(ticket.sent_at, unreachable=trouble, answered=False)
            self._last_trouble = str(error)
            raise
        except ReplyLost as error:
            self._pacer.lost(ticket)
            self._health.failed(ticket.sent_at, unreachable=None, answered=False)
            self._last_trouble = str(error)
            raise
        except BaseException:
            self._pacer.lost(ticket)
            raise
        status = answer.status
        self._pacer.answered(
            ticket, status=status, limit=limit, remaining=remaining, retry_after_s=answer.retry_after_s
        )
        if status >= 500:
            self._health.failed(ticket.sent_at, unreachable=None, answered=True)
            self._last_trouble = f"the answer was {status}"
        else:
            self._health.good()
            self.throttled += status == 429
        return answer

    async def _talk(self, request: Request, url: URL) -> tuple[_Answer, int | None, int | None]:
        """Send one request and read the whole answer; aiohttp's errors become ours here.

        Raises:
            Unreachable: Nothing left the machine.
            ReplyLost: It left, and no whole answer came.
        """
        if self._session is None:
            raise RuntimeError("the client is not open: use it with `async with`")
        body = request.body
        data = io.BytesIO(body) if body is not None and len(body) >= _LARGE_BODY_BYTES else body
        deadline = self._deadlines.begin()
        try:
            response = await self._session.request(
                request.method, url, data=data, allow_redirects=False, middlewares=_MIDDLEWARES.get(request.method)
            )
            try:
                payload = await self._read(response)
            except BaseException:
                response.close()
                raise
        except aiohttp.ClientHttpProxyError as error:
            # From None here and below: these errors carry our request headers, token included.
            raise Unreachable(f"the proxy answered {error.status} {error.message}") from None
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(str(error.os_error)) from error
        except (aiohttp.ConnectionTimeoutError, aiohttp.ServerFingerprintMismatch) as error:
            raise Unreachable(str(error)) from error
        except asyncio.CancelledError:
            if deadline.explains():
                raise ReplyLost(f"no whole answer within {self._timeouts.total_s:g} s") from None
            raise
        except aiohttp.ClientResponseError as error:
            raise ReplyLost(f"the answer is no HTTP: {error.message}") from None
        except aiohttp.ClientError as error:
            raise ReplyLost(f"the answer broke off: {error}") from error
        finally:
            self._deadlines.end(deadline)
        headers = response.headers
        answer = _Answer(
            response.status,
            payload,
            headers,
            delay_s(headers.get(_RETRY_AFTER)),
        )
        return answer, whole_number(headers.get(_LIMIT)), whole_number(headers.get(_REMAINING))

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        length = response.content_length
        if length is not None and length <= self._max_body_bytes and _ENCODING not in response.headers:
            return await response.read()
        # The length is unknown, or that of the packed form: count what really comes.
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > self._max_body_bytes:
                raise ReplyLost(f"the answer is longer than {self._max_body_bytes} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def _is_host_well(self) -> bool:
        """Ask the host itself; afterwards it counts as down where it gives no proper answer."""
        try:
            answer = await self._exchange(GET_ORGANIZATION, self._probe_url(), await self._pacer.token())
        except TransportError:
            self._health.suspect()
            return False
        if answer.status >= 500:
            self._health.suspect()
        return answer.status < 500

    async def _wait_for_host(self, outages: int) -> None:
        """Return when the host answers again. One caller probes; the others wait behind it.

        `outages` is how many had been given up when the caller began: what was given up
        meanwhile is given up for all who waited, and not waited out once for each.

        Raises:
            Outage: It did not answer for longer than it may.
        """
        async with self._probing:
            if self._outages != outages:
                raise self._outage()
            probes = 0
            while self._health.is_down():
                patience_s = self._health.patience_s(self._clock())
                if patience_s <= 0:
                    self._outages += 1
                    self._health.give_up()
                    raise self._outage()
                probes += 1
                wait_s = backoff(probes, base_s=_PROBE_BASE_S, cap_s=_PROBE_CAP_S, random=self._random)
                self._pacer.hold(min(wait_s, patience_s), f"outage: {self._health.trouble.value}")
                ticket = await self._pacer.token()
                if not self._health.is_down():
                    # Someone's late answer came meanwhile.
                    self._pacer.unused(ticket)
                    return
                try:
                    await self._exchange(GET_ORGANIZATION, self._probe_url(), ticket)
                except TransportError:
                    continue

    def _probe_url(self) -> URL:
        return self._address.url(GET_ORGANIZATION.path, GET_ORGANIZATION.query)

    def _outage(self) -> Outage:
        host, trouble = self._address.host, self._health.trouble
        advice = ""
        if trouble is Trouble.NAME:
            advice = "; check the organisation name in GLADLY_HOST, and the network"
        elif not self._health.is_known:
            advice = "; check GLADLY_HOST, the network and the proxy settings"
        return Outage(f"{host}: {trouble.value} ({self._last_trouble}){advice}. What was done is kept; resume later")
