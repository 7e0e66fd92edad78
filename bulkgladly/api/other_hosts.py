"""Attempts at other hosts, to which a reply has pointed: a few, and outside the organisation's pace and health."""

import asyncio
from collections.abc import Awaitable, Callable

from yarl import URL

from bulkgladly.api.gates import Allowance
from bulkgladly.api.pacer import Pacer
from bulkgladly.api.retry import RetryPolicy, backoff
from bulkgladly.api.single_exchange import NO_REPLY, NOTHING_KNOWN, FinalReply, RawReply, Talk
from bulkgladly.errors import NotTrusted, TransportError, Unreachable
from bulkgladly.judging import Judgement, is_server_error, judge
from bulkgladly.messages import Meaning, Request

__all__ = ("OtherHosts",)

_Ended = tuple[RawReply, Judgement, TransportError | None]


class OtherHosts:
    """Makes a few attempts at a host whose replies say nothing about the organisation.

    A 429 and a host that cannot be reached count like any other failure, since the pace and the
    health of that host are not watched.
    """

    def __init__(
        self,
        connections: asyncio.Semaphore,
        allowance: Allowance,
        policy: RetryPolicy,
        *,
        random: Callable[[], float],
        rest: Callable[[float], Awaitable[None]],
        pacer: Pacer,
    ) -> None:
        """`connections` are those of the client; `rest` waits before a further attempt.

        Of the `pacer` only the word to stand still counts here: nothing may leave in a pause, wherever it goes.
        """
        self._connections, self._allowance, self._pacer = connections, allowance, pacer
        self._policy, self._random, self._rest = policy, random, rest

    async def make(self, request: Request, url: URL, talk: Talk) -> FinalReply:
        """Make attempts until there is a final reply, or the policy allows no more.

        Raises:
            Unreachable, ReplyLost: How the last attempt ended, if it brought no reply.
            Withdrawn: Nothing may leave any more, and this request was waiting to.
        """
        attempts = 0
        while True:
            reply, judged, error = await self._attempt(request, url, talk)
            attempts += 1
            is_final = judged.meaning is not Meaning.THROTTLED and not is_server_error(reply.status)
            if error is None and is_final:
                return FinalReply(reply, judged, attempts, attempts - 1)
            if attempts >= self._policy.max_failures:
                if error is not None:
                    raise error
                return FinalReply(reply, judged, attempts, attempts)
            wait_s = backoff(attempts, base_s=self._policy.base_s, cap_s=self._policy.cap_s, random=self._random)
            await self._rest(max(wait_s, min(reply.retry_after_s or 0.0, self._policy.max_retry_after_s)))

    async def _turn(self) -> None:
        """Wait for one of the connections, and while the run is paused."""
        while True:
            await self._pacer.until_going()
            await self._connections.acquire()
            if not self._pacer.is_still:
                return
            self._connections.release()

    async def _attempt(self, request: Request, url: URL, talk: Talk) -> _Ended:
        error: TransportError | None = None
        reply, judged = NO_REPLY, NOTHING_KNOWN
        await self._allowance.wait(self._turn, is_ours=False)
        try:
            self._allowance.in_flight += 1
            reply = await talk(request, url)
            judged = judge(request, reply.status, reply.headers, reply.body)
        except TransportError as caught:
            error = caught
        # The run does not depend on this host, so its certificate must not end the run.
        except NotTrusted as refused:
            raise Unreachable(str(refused)) from None
        finally:
            # An open body keeps its connection until it ends.
            if reply.stream is None:
                self._allowance.in_flight -= 1
                self._connections.release()
        if reply.stream is not None:
            reply.stream.watch = _OpenElsewhere(self._connections, self._allowance)
        return reply, judged, error


class _OpenElsewhere:
    """Watches an open body from another host: it only holds one of the connections."""

    def __init__(self, connections: asyncio.Semaphore, allowance: Allowance) -> None:
        self._connections, self._allowance = connections, allowance

    def arrived(self) -> None:
        """The health of that host is not watched."""

    def broke(self, reason: str) -> None:
        """The reader learns it from the error."""

    def ended(self) -> None:
        self._allowance.in_flight -= 1
        self._connections.release()
