"""What an attempt passes before it leaves: the allowance of the run, the budgets, and a free connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from bulkgladly.api.pacer import Pacer
from bulkgladly.api.window import Ticket
from bulkgladly.errors import Withdrawn

__all__ = ("Allowance", "DefaultGate", "Gate", "ReportsGate")

T = TypeVar("T")


class Allowance:
    """Counts the requests that leave for the organisation, up to a limit, and stops those that wait when none may.

    A request waits within `wait`; the moment at which it leaves is `take`. After `take` it is not
    interrupted: it is in flight, and its reply is wanted.
    """

    def __init__(self, most: int | None = None) -> None:
        """Let out `most` requests of any kind; None for any number."""
        self._left = most
        self._spent = f"the limit of {most} request{'' if most == 1 else 's'} was reached"
        self._closed: str | None = None
        self._waiting: dict[asyncio.Task[object], bool] = {}
        self._in_flight = self._most_in_flight = 0

    @property
    def in_flight(self) -> int:
        """Requests that have left and whose reply, body included, is not over."""
        return self._in_flight

    @in_flight.setter
    def in_flight(self, number: int) -> None:
        """Note one more, or one less."""
        self._in_flight = number
        self._most_in_flight = max(self._most_in_flight, number)

    def most_in_flight(self) -> int:
        """Return how many were in flight at once since the last call."""
        most, self._most_in_flight = self._most_in_flight, self._in_flight
        return most

    def close(self, reason: str) -> None:
        """Let nothing leave from now on, and stop all that wait at once. The first reason stays."""
        self._closed = self._closed or reason
        self._tell(list(self._waiting))

    def take(self) -> None:
        """Note that a request for the organisation leaves now.

        Raises:
            Withdrawn: It must not.
        """
        self._check(is_ours=True)
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                # Not the present task: its request leaves, also as a probe within another request's wait.
                me = asyncio.current_task()
                self._tell([task for task, is_ours in self._waiting.items() if is_ours and task is not me])

    async def wait(self, what: Callable[[], Awaitable[T]], *, is_ours: bool = True) -> T:
        """Await what a request waits for before it leaves. Do not nest calls.

        `is_ours` is false for requests to other hosts: they are stopped, but not counted.

        Raises:
            Withdrawn: Nothing may leave any more.
        """
        self._check(is_ours=is_ours)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request needs a task of its own")
        before = task.cancelling()
        self._waiting[task] = is_ours
        try:
            return await what()
        except asyncio.CancelledError:
            # `_tell` has taken the task out of `_waiting`: the cancel is ours, unless the caller has cancelled, too.
            if task not in self._waiting and task.uncancel() <= before:
                raise Withdrawn(self._closed or self._spent) from None
            raise
        finally:
            self._waiting.pop(task, None)

    def _check(self, *, is_ours: bool) -> None:
        if self._closed is not None:
            raise Withdrawn(self._closed)
        if is_ours and self._left == 0:
            raise Withdrawn(self._spent)

    def _tell(self, tasks: list["asyncio.Task[object]"]) -> None:
        for task in tasks:
            del self._waiting[task]
            task.cancel()


class Gate(Protocol):
    """Gives out one ticket per attempt. A pacer is one by itself.

    Each ticket needs exactly one call of `answered`, `lost`, `unused`, or `ended` after `heard`.
    """

    async def token(self) -> Ticket:
        """Wait until one attempt may leave. Cancelled: nothing is used."""
        ...

    def answered(
        self, ticket: Ticket, *, status: int, limit: int | None, remaining: int | None, retry_after_s: float | None
    ) -> None:
        """Note a whole reply."""
        ...

    def heard(
        self, ticket: Ticket, *, status: int, limit: int | None, remaining: int | None, retry_after_s: float | None
    ) -> None:
        """Note the head of a reply whose body is still to come."""
        ...

    def ended(self, ticket: Ticket) -> None:
        """Note that the body of a reply that was `heard` is over."""
        ...

    def lost(self, ticket: Ticket) -> None:
        """Note that no reply came."""
        ...

    def unused(self, ticket: Ticket) -> None:
        """Take back the ticket of an attempt that was never sent."""
        ...


class DefaultGate:
    """The default budget, and one of the client's connections until the reply's body is over.

    The connections are counted here, before the token, and not in aiohttp's pool: a request that
    waits for a connection after its token would leave later than its ticket says.
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
        """Give the connection back; the server may count the token as used."""
        self._connections.release()
        self._pacer.lost(ticket)

    def unused(self, ticket: Ticket) -> None:
        """Give both back."""
        self._connections.release()
        self._pacer.unused(ticket)


class ReportsGate:
    """The reports budget, and one token of the default budget with each of its tokens.

    The reports' pace learns from its replies, the default pace does not. The documented headers
    speak of the current second, but a report takes minutes, so its reply says nothing about the
    second of its request. The budget's own `max_in_flight` limits the connections.
    """

    def __init__(self, reports: Pacer, default: Pacer) -> None:
        self._reports, self._default = reports, default

    async def token(self) -> Ticket:
        """Wait until both budgets allow an attempt at the same moment."""
        return await self._reports.token_within(self._default)

    def answered(
        self, ticket: Ticket, *, status: int, limit: int | None, remaining: int | None, retry_after_s: float | None
    ) -> None:
        """Note a whole reply, as `heard` does."""
        self.heard(ticket, status=status, limit=limit, remaining=remaining, retry_after_s=retry_after_s)
        self.ended(ticket)

    def heard(
        self,
        ticket: Ticket,
        *,
        status: int,
        limit: int | None,  # noqa: ARG002  # the limit per second does not apply to this budget
        remaining: int | None,
        retry_after_s: float | None,
    ) -> None:
        """Tell the reports' pacer; a 429 also pauses the default one if nothing is left of the second."""
        self._reports.heard(ticket, status=status, retry_after_s=retry_after_s)
        self._default.lost(_wider(ticket))
        if status == 429 and remaining == 0:
            # The header speaks of the current second: the next one has a new budget.
            self._default.throttle(self._default.budget.per_s)

    def ended(self, ticket: Ticket) -> None:
        """Make room for the next report."""
        self._reports.ended(ticket)

    def lost(self, ticket: Ticket) -> None:
        """Note that no reply came; the server may count both tokens as used."""
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
