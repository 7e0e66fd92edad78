"""The client: requests whose replies are read whole, and downloads that are read as they arrive.

All that goes to Gladly goes through it. Every attempt takes its tokens, probes and repeats included
(`attempts`, `single_exchange`); what an attempt is on the wire stands in `wire`.
"""

import base64
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import anyio

from bulkgladly.api.address import Address
from bulkgladly.api.attempts import Attempts
from bulkgladly.api.budget_pacers import REPORTS
from bulkgladly.api.client_options import USUAL_OPTIONS, ClientOptions
from bulkgladly.api.downloads import BrokeOff, Download
from bulkgladly.api.gates import Allowance
from bulkgladly.api.health import Health
from bulkgladly.api.pacer import Pacer
from bulkgladly.api.retry import backoff
from bulkgladly.api.single_exchange import FinalReply
from bulkgladly.api.timers import PauseWatch
from bulkgladly.api.wire import Patience, Wire
from bulkgladly.errors import Fatal, NotAuthenticated, NotPermitted, ReplyLost, UsageError
from bulkgladly.messages import BudgetClass, Meaning, Reply, Request
from bulkgladly.operations import DOWNLOAD
from bulkgladly.settings import trusted_certificates

__all__ = ("Client",)

_NEVER = -1
_CLOSE_S = 5.0

T = TypeVar("T")


class Client:
    """Sends requests to one organisation, each until it has a final reply. Open it with `async with`.

    Chapters: the present state, stopping and repeating, open and closed, requests, and from a final reply to
    what the caller gets.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        token: str,
        *,
        pacer: Pacer,
        reports_pacer: Pacer | None = None,
        options: ClientOptions = USUAL_OPTIONS,
    ) -> None:
        """Check where the credentials would go; nothing is opened yet.

        Without a `reports_pacer` reports go by the documented limit. When the last request that
        `options` allow has left, all requests that wait and all later ones raise `Withdrawn`.

        Raises:
            UsageError: The base URL, the credentials or SSL_CERT_FILE cannot work.
        """
        self._address = Address(base_url)
        if not username or not token:
            raise UsageError("the user name (email address) or the API token is empty; both are needed")
        if ":" in username:
            raise UsageError("the user name contains a colon, which HTTP Basic cannot send; use the email address")
        self._username = username
        secret = base64.b64encode(f"{username}:{token}".encode()).decode("ascii")
        self._own_headers = {
            "Authorization": f"Basic {secret}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        self._options = options
        self._wire = Wire(
            self._own_headers,
            proxy=self._address.proxy(),
            timeouts=options.timeouts,
            max_body_bytes=options.max_body_bytes,
            clock=options.clock,
            trust=trusted_certificates() if self._address.is_secure else None,
        )
        self._allowance = Allowance(options.max_requests)
        clock, sleep, random = options.clock, options.sleep, options.random
        self._attempts = Attempts(
            self._address,
            self._wire.talk,
            pacer=pacer,
            reports_pacer=reports_pacer or Pacer(REPORTS, clock=clock, sleep=sleep, random=random),
            allowance=self._allowance,
            health=Health(first_contact_s=options.first_contact_s, give_up_after_s=options.give_up_after_s),
            options=options,
        )
        self._pauses = PauseWatch(self._attempts.paused)

    # --- the present state ---

    @property
    def sent(self) -> Counter[str]:
        """How many requests have left for the organisation, by operation."""
        return self._attempts.sent

    @property
    def throttled(self) -> int:
        """How many of them got a 429."""
        return self._attempts.throttled

    @property
    def outcomes(self) -> Counter[tuple[str, str]]:
        """How many of them ended how: by method, and by what the reply meant, or `no reply`."""
        return self._attempts.outcomes

    @property
    def in_flight(self) -> int:
        """How many requests have left whose reply has not ended, including those to other hosts and open bodies."""
        return self._allowance.in_flight

    def most_in_flight(self) -> int:
        """Return how many requests were in flight at once since the last call of this method."""
        return self._allowance.most_in_flight()

    def holdup(self) -> tuple[str, float | None] | None:
        """Return why nothing has left for over two seconds, and until when; None if the reason is a pacer's."""
        return self._attempts.holdup()

    # --- stopping, waiting and repeating ---

    def withdraw(self, reason: str) -> None:
        """Let nothing leave from now on.

        All requests that wait to leave, for any reason, raise `Withdrawn` at once; those in flight are finished.
        """
        self._allowance.close(reason)

    def stand_still(self) -> None:
        """Let nothing leave until `go_on`. Requests in flight end, and those that wait are not given up."""
        self._attempts.stand_still()

    def go_on(self) -> None:
        """Let requests leave again, at the pace: what was not sent meanwhile is not made up for."""
        self._attempts.go_on()

    async def rest(self, seconds: float) -> None:
        """Wait before something is requested again.

        Raises:
            Withdrawn: It may not be requested again.
        """
        await self._attempts.rest(seconds)

    async def repeated(
        self,
        once: Callable[[int], Awaitable[T]],
        *,
        tries: int,
        again_on: tuple[type[Exception], ...] = (ReplyLost,),
        is_spaced: bool = True,
    ) -> T:
        """Return the result of a download, starting it again from zero when it breaks off.

        `once` is called with the number of the try, from 1. It raises one of `again_on` if the
        body broke off or is not what was requested, and must then leave nothing behind. Before
        each further try there is a growing wait; pass `is_spaced=False` if the pace of these
        requests keeps them apart anyway.

        Raises:
            BrokeOff: All `tries` broke off.
            Withdrawn: The run ended during a wait.
            Exception: Any other error of `once`, at once.
        """
        trouble = ""
        for number in range(1, tries + 1):
            if number > 1 and is_spaced:
                retry, random = self._options.retry, self._options.random
                await self.rest(backoff(number - 1, base_s=retry.base_s, cap_s=retry.cap_s, random=random))
            try:
                return await once(number)
            except again_on as error:
                trouble = str(error)
        raise BrokeOff(f"{tries} downloads in a row broke off: {trouble}")

    # --- open and closed ---

    async def __aenter__(self) -> Self:
        self._wire.connect()
        self._attempts.open()
        self._pauses.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pauses.stop()
        # Not before: requests may still be in flight until here.
        self._attempts.close()
        # Also in a task that is cancelled: connections that stay open are complained about on standard error.
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await self._wire.close()

    # --- requests ---

    async def send(self, request: Request) -> Reply:
        """Make attempts until there is a final reply, and return it.

        If the reply is unclear, up to `lost` attempts have been executed.
        It is returned after the first such attempt if the request's repeat rule is UNSAFE, else
        after several, and only while the host is otherwise well. A 429 is waited out without
        limit, an outage as long as the options say. That an object is absent is only returned if
        the organisation itself has replied within the last minute.

        Raises:
            NotAuthenticated: The user name or the token is wrong.
            NotPermitted: The user lacks a permission.
            NotTrusted: The host's certificate is not trusted on this machine.
            Outage: The host could not be reached for too long.
            WrongOrganisation: The host is there, but has no organisation.
            Withdrawn: It waited to leave, and must not leave any more.
            The `lost` of each error counts the attempts that may have been executed.

        Cancelled: an attempt that had left may be executed; its token counts as used.
        """
        url = self._address.url(request.path, request.query)
        return self._permitted(request, await self._attempts.make(request, url, self._wire.talk))

    @asynccontextmanager
    async def stream(
        self,
        request: Request,
        *,
        stall_s: float | None = None,
        first_byte_s: float | None = None,
        max_bytes: int | None = None,
    ) -> AsyncIterator[Download]:
        """Make attempts as `send` does until the body of a success begins, and hand it over as it arrives.

        An attempt may take `first_byte_s` until its headers are there. Then the body may take any time, but
        must not be silent for `stall_s` while the reader waits for it, nor be longer than `max_bytes`
        (unpacked). Without `first_byte_s` or `stall_s` the client's time-outs apply. Redirects are not
        followed. If the body breaks off, the caller starts again; this method does not know what was read.

        The context holds one of the client's connections, or one of the reports in flight,
        until it ends or the body was read. Inside it, do not wait for what may need the last one.

        Raises:
            ReplyLost: No attempt brought a reply; any of them may have been executed.
            NotAuthenticated, NotPermitted, NotTrusted, Outage, Withdrawn: As `send`.

        Cancelled, or left early: the connection is closed; the token counts as used.
        """
        url = self._address.url(request.path, request.query)
        headers = self._own_headers if request.accept is None else self._own_headers | {"Accept": request.accept}
        patience = self._patience(request, first_byte_s, stall_s, max_bytes)
        talk = partial(self._wire.begin, patience=patience, headers=headers, proxy=self._address.proxy())
        settled = await self._attempts.make(request, url, talk)
        with closing(self._download(self._permitted(request, settled), settled, request.operation)) as download:
            yield download

    @asynccontextmanager
    async def stream_elsewhere(
        self,
        url: str,
        *,
        stall_s: float | None = None,
        first_byte_s: float | None = None,
        max_bytes: int | None = None,
    ) -> AsyncIterator[Download]:
        """Download from an absolute URL that a reply named, without credentials.

        As `stream`, with these differences. An address on the organisation's own host takes tokens
        as any request does (counted as `download`); any other host is outside its pace and its
        health, and is tried a few times only. 401 and 403 are ordinary replies here, since an
        expired link gets them, and so is a further redirect.

        Raises:
            UsageError: The address is not https, or names a user.
            Unreachable, ReplyLost: No attempt brought a reply.
            Withdrawn: As `send`.
            NotTrusted, Outage: As `send`, for the organisation's own host. Another host that is
                not trusted is `Unreachable`, since the run does not depend on it.
        """
        target = self._address.elsewhere(url)
        request = Request(DOWNLOAD, "GET", target.url.raw_path)
        patience = self._patience(request, first_byte_s, stall_s, max_bytes)
        talk = partial(self._wire.begin, patience=patience, headers={}, proxy=target.proxy)
        make = self._attempts.make if target.is_own else self._attempts.elsewhere.make
        settled = await make(request, target.url, talk)
        with closing(self._download(_reply(settled), settled, f"the download from {target.host}")) as download:
            yield download

    # --- from a final reply to what the caller gets ---

    def _patience(
        self, request: Request, first_byte_s: float | None, stall_s: float | None, max_bytes: int | None
    ) -> Patience:
        timeouts = self._options.timeouts
        usual_s = timeouts.report_s if request.budget is BudgetClass.REPORTS else timeouts.first_byte_s
        return Patience(_stream_status(request), first_byte_s or usual_s, stall_s or timeouts.stall_s, max_bytes)

    def _download(self, reply: Reply, settled: FinalReply, name: str) -> Download:
        if not reply.status:
            raise ReplyLost(f"{name}: no complete response in {reply.attempts} attempts")
        return Download(reply, settled.reply.stream, max_reply_bytes=self._options.max_body_bytes)

    def _permitted(self, request: Request, settled: FinalReply) -> Reply:
        meaning = settled.judgement.meaning
        refused: Fatal | None = None
        if meaning is Meaning.NOT_AUTHENTICATED:
            refused = NotAuthenticated(
                f"{self._address.host} does not accept the credentials of {self._username}:"
                " check GLADLY_USERNAME (the email address of the Gladly user) and GLADLY_API_TOKEN"
            )
        if meaning is Meaning.NOT_PERMITTED:
            refused = NotPermitted(
                f"{self._address.host} does not allow {self._username} to use {request.operation}:"
                " the user needs the API User permission (to delete customers also Compliance Admin)"
            )
        if refused is not None:
            refused.lost = settled.lost
            raise refused
        return _reply(settled)


def _reply(settled: FinalReply) -> Reply:
    reply, judged, attempts, lost = settled
    return Reply(
        reply.status,
        reply.body,
        reply.headers,
        attempts,
        lost,
        judged.meaning,
        judged.content,
        judged.successor,
        judged.problems,
    )


def _stream_status(request: Request) -> int:
    """Return the status at which a body is streamed; none if the body of a success is read whole."""
    expected = request.declared
    return expected.status if expected.body.is_streamed else _NEVER
