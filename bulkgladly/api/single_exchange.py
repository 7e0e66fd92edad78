"""One exchange with the organisation: a request leaves, its reply is judged, and pace and health learn from it.

What an attempt is on the wire is a parameter (`Talk`); no client library is named here.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from yarl import URL

from bulkgladly.api.bodies import OpenBody
from bulkgladly.api.gates import Allowance, Gate
from bulkgladly.api.health import Health, Trouble
from bulkgladly.api.retry import Failure
from bulkgladly.api.window import Ticket
from bulkgladly.errors import ReplyLost, Unreachable, Withdrawn, WrongOrganisation
from bulkgladly.judging import Judgement, is_server_error, judge
from bulkgladly.messages import GET_ORGANIZATION, Meaning, Request

__all__ = (
    "NOTHING_KNOWN",
    "NO_REPLY",
    "Exchange",
    "FinalReply",
    "HostUnknown",
    "RawReply",
    "Talk",
    "Tried",
    "no_organisation",
)

_PROBE = GET_ORGANIZATION.operation
_UNANSWERED = "no reply"


class RawReply(NamedTuple):
    """The reply to one attempt. With `stream` the body is still to come, and `body` is empty."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    limit: int | None = None
    remaining: int | None = None
    retry_after_s: float | None = None
    stream: OpenBody | None = None


class FinalReply(NamedTuple):
    """The last reply (status 0 for none), after all attempts; `lost` of them may have been executed."""

    reply: RawReply
    judgement: Judgement
    attempts: int
    lost: int


NO_REPLY = RawReply(0, b"", {})
NOTHING_KNOWN = Judgement(Meaning.UNCLEAR)

Talk = Callable[[Request, URL], Awaitable[RawReply]]
"""Makes one attempt, whole or until the body begins; raises `Unreachable` or `ReplyLost`."""

Tried = tuple[RawReply, Judgement, Failure | None]
"""How one attempt went: its reply, what that means, and in which way it failed; None if the reply is final."""


class HostUnknown(Unreachable):
    """The host name has no address."""


class Exchange:
    """Sends requests to the organisation, each once.

    `sent` counts them by operation, `throttled` those that got a 429, `outcomes` how they ended: by method, and by
    what the reply meant, or `no reply`. `left_at` is when the last one left, and
    `last_trouble` says for people what went wrong last.
    """

    def __init__(self, host: str, allowance: Allowance, health: Health, now: float) -> None:
        self._host, self._allowance, self._health = host, allowance, health
        self.left_at = now
        self.last_trouble = ""
        self.sent: Counter[str] = Counter()
        self.throttled = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()

    async def once(
        self, request: Request, url: URL, talk: Talk, gate: Gate, ticket: Ticket
    ) -> tuple[RawReply, Judgement]:
        """Send once and judge the reply; the gate and the host's health learn how it went.

        Raises:
            Unreachable, ReplyLost: There is no reply.
            WrongOrganisation: The host says that there is no organisation.
            Withdrawn: It must not leave.
        """
        try:
            # The last step before it leaves: nothing is awaited between here and the wire, so that the count is exact.
            self._allowance.take()
        except Withdrawn:
            gate.unused(ticket)
            raise
        self.left_at = ticket.sent_at
        self.sent[request.operation] += 1
        self._allowance.in_flight += 1
        is_open = False
        try:
            reply = await talk(request, url)
            is_open = reply.stream is not None
        except BaseException as error:
            self._ended_without_reply(error, gate, ticket)
            self.outcomes[request.method, _UNANSWERED] += 1
            raise
        finally:
            # An open body stays in flight until it is read, or left.
            self._allowance.in_flight -= not is_open
        judged = judge(request, reply.status, reply.headers, reply.body)
        self.outcomes[request.method, judged.meaning.value] += 1
        tell = gate.heard if is_open else gate.answered
        tell(
            ticket,
            status=reply.status,
            limit=reply.limit,
            remaining=reply.remaining,
            retry_after_s=reply.retry_after_s,
        )
        if reply.stream is not None:
            reply.stream.watch = _OpenVisit(self._allowance, self, gate, ticket)
        if judged.meaning is Meaning.UNCLEAR:
            self._ended_unclear(request, reply, ticket)
        else:
            self._health.good()
            self.throttled += judged.meaning is Meaning.THROTTLED
        if request.operation == _PROBE and judged.meaning is Meaning.ABSENT:
            raise no_organisation(self._host, reply.status)
        return reply, judged

    # --- how it can end badly ---

    def _ended_without_reply(self, error: BaseException, gate: Gate, ticket: Ticket) -> None:
        gate.lost(ticket)
        # A cancel, or a certificate that is not trusted, says nothing about the health of the host.
        if isinstance(error, Unreachable | ReplyLost):
            trouble = None
            if isinstance(error, Unreachable):
                trouble = Trouble.NAME if isinstance(error, HostUnknown) else Trouble.CONNECT
            self._health.failed(ticket.sent_at, unreachable=trouble, answered=False)
            self.last_trouble = str(error)

    def _ended_unclear(self, request: Request, reply: RawReply, ticket: Ticket) -> None:
        self._health.failed(ticket.sent_at, unreachable=None, answered=is_server_error(reply.status))
        self.last_trouble = f"{request.operation} got a {reply.status} response that is not in Gladly's format"

    # --- how an open body goes on ---

    def body_arrived(self) -> None:
        """Note that more of an open body came."""
        self._health.arriving()

    def body_broke(self, ticket: Ticket, reason: str) -> None:
        """Note that an open body will not be whole: like a lost reply, although its head had come."""
        self._health.failed(ticket.sent_at, unreachable=None, answered=True)
        self.last_trouble = reason


def no_organisation(host: str, status: int) -> WrongOrganisation:
    """Return the error for a host that does not answer as a Gladly organisation does."""
    return WrongOrganisation(
        f"{host} answered {status} to getOrganization, which every organisation has; check GLADLY_HOST: use the "
        "organisation's own address, such as https://<organisation>.gladly.com"
    )


class _OpenVisit:
    """Watches an open body from the organisation; the end of the body is the end of its ticket."""

    def __init__(self, allowance: Allowance, exchange: Exchange, gate: Gate, ticket: Ticket) -> None:
        self._allowance, self._exchange, self._gate, self._ticket = allowance, exchange, gate, ticket

    def arrived(self) -> None:
        self._exchange.body_arrived()

    def broke(self, reason: str) -> None:
        self._exchange.body_broke(self._ticket, reason)

    def ended(self) -> None:
        self._allowance.in_flight -= 1
        self._gate.ended(self._ticket)
