"""What an attempt passes on its way out: the budgets it uses, and a connection to send it on."""

import asyncio
from typing import Protocol

from bulkgladly.api.pacer import Pacer
from bulkgladly.api.window import Ticket

__all__ = ("DefaultGate", "Gate", "ReportsGate")


class Gate(Protocol):
    """Gives out one ticket per attempt. A pacer is one by itself.

    Every ticket ends in exactly one call of `answered`, `lost`, `unused`, or `ended` after
    `heard`.
    """

    async def token(self) -> Ticket:
        """Wait until one attempt may leave. Cancelled: nothing is used."""
        ...

    def answered(
        self, ticket: Ticket, *, status: int, limit: int | None, remaining: int | None, retry_after_s: float | None
    ) -> None:
        """Note a whole answer."""
        ...

    def heard(
        self, ticket: Ticket, *, status: int, limit: int | None, remaining: int | None, retry_after_s: float | None
    ) -> None:
        """Note the head of an answer whose body is still to come."""
        ...

    def ended(self, ticket: Ticket) -> None:
        """Note that the body of an answer that was `heard` is over."""
        ...

    def lost(self, ticket: Ticket) -> None:
        """Note that no answer came."""
        ...

    def unused(self, ticket: Ticket) -> None:
        """Take back the ticket of an attempt that was never sent."""
        ...


class DefaultGate:
    """The default budget, and one of the client's connections until the answer's body is over.

    A request that waits for a connection would spoil the time on its ticket, so the
    connections are counted here, before the token, and not in aiohttp's pool.
    """

    def __init__(self, pacer: Pacer, connections: asyncio.Semaphore) -> None:
        self._pacer, self._connections = pacer, connections

    async def token(self) -> Ticket:
        """Wait for a connection, then for the token."""
        await self._connections.acquire()
        try:
            return await self._pacer.token()
        except BaseException:
            self._connections.release()
            raise

    def answered(
        self, ticket: Ticket, *, status: int, limit: int | None, remaining: int | None, retry_after_s: float | None
    ) -> None:
        """Tell the pacer, and give the connection back."""
        self._connections.release()
        self._pacer.answered(ticket, status=status, limit=limit, remaining=remaining, retry_after_s=retry_after_s)

    def heard(
        self, ticket: Ticket, *, status: int, limit: int | None, remaining: int | None, retry_after_s: float | None
    ) -> None:
        """Tell the pacer."""
        self._pacer.heard(ticket, status=status, limit=limit, remaining=remaining, retry_after_s=retry_after_s)

    def ended(self, ticket: Ticket) -> None:
        """Give the connection back."""
        self._connections.release()
        self._pacer.ended(ticket)

    def lost(self, ticket: Ticket) -> None:
        """Give the connection back; the token may count as used."""
        self._connections.release()
        self._pacer.lost(ticket)

    def unused(self, ticket: Ticket) -> None:
        """Give both back."""
        self._connections.release()
        self._pacer.unused(ticket)


class ReportsGate:
    """The reports budget, and one token of the default budget with each of its tokens.

    What comes back teaches the reports' pace only. The documented headers speak of the
    current second, but a report is made for minutes, so its answer says nothing about the
    second it was asked in. The budget's own `max_in_flight` bounds the connections.
    """

    def __init__(self, reports: Pacer, default: Pacer) -> None:
        self._reports, self._default = reports, default

    async def token(self) -> Ticket:
        """Wait until both budgets allow an attempt at the same moment."""
        return await self._reports.token_within(self._default)

    def answered(
        self, ticket: Ticket, *, status: int, limit: int | None, remaining: int | None, retry_after_s: float | None
    ) -> None:
        """Note a whole answer, as `heard` does."""
        self.heard(ticket, status=status, limit=limit, remaining=remaining, retry_after_s=retry_after_s)
        self.ended(ticket)

    def heard(
        self,
        ticket: Ticket,
        *,
        status: int,
        limit: int | None,  # noqa: ARG002  # the limit per second is no business of this budget
        remaining: int | None,
        retry_after_s: float | None,
    ) -> None:
        """Tell the reports' pacer; a 429 pauses the default one too where nothing is left of the second."""
        self._reports.heard(ticket, status=status, retry_after_s=retry_after_s)
        self._default.lost(_wider(ticket))
        if status == 429 and remaining == 0:
            # The header is of the current second: when that is over, there is a new budget.
            self._default.hold(self._default.budget.per_s, "throttled (429)")

    def ended(self, ticket: Ticket) -> None:
        """Make room for the next report."""
        self._reports.ended(ticket)

    def lost(self, ticket: Ticket) -> None:
        """Both tokens may count as used."""
        self._default.lost(_wider(ticket))
        self._reports.lost(ticket)

    def unused(self, ticket: Ticket) -> None:
        """Give both tokens back."""
        self._default.unused(_wider(ticket))
        self._reports.unused(ticket)


def _wider(ticket: Ticket) -> Ticket:
    if ticket.wider is None:
        raise RuntimeError("this ticket was not given out by this gate")
    return ticket.wider
