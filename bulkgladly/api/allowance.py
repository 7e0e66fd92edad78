"""Whether a request may still leave, and the end of all waiting when none may."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bulkgladly.errors import Withdrawn

__all__ = ("Allowance",)

T = TypeVar("T")


class Allowance:
    """Counts what leaves for the organisation, up to a limit, and ends the waiting of what will not leave.

    A request waits within `wait`; the moment at which it leaves is `take`. Between the two it
    is not interrupted: what has left is in flight, and its answer is wanted.
    """

    def __init__(self, most: int | None = None) -> None:
        """Let `most` requests out, whatever they are; None for any number."""
        self._left = most
        self._spent = f"the limit of {most} requests is reached"
        self._closed: str | None = None
        self._waiting: dict[asyncio.Task[object], bool] = {}
        self.in_flight = 0
        """Requests that have left and whose answer, body included, is not over."""

    def close(self, reason: str) -> None:
        """Let nothing leave from now on; whoever waits to is told at once. The first reason stays."""
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
                # Not this one, which may be a probe within somebody's wait: it leaves.
                me = asyncio.current_task()
                self._tell([task for task, is_ours in self._waiting.items() if is_ours and task is not me])

    async def wait(self, what: Callable[[], Awaitable[T]], *, is_ours: bool = True) -> T:
        """Await what a request waits for before it leaves. Not to be nested.

        `is_ours` is false for requests to other hosts, which are stopped and not counted.

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
