"""What is to be sent to one webhook: in which order, how much at once, and when."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bulkgladly.emulator.organisation.event_log import Event

__all__ = ("MAX_IN_FLIGHT", "Delivery", "DeliveryQueue")

MAX_IN_FLIGHT = 8
"""How many requests to one webhook can be open at once."""


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way to one webhook."""

    event: Event
    attempt: int = 1
    is_copy: bool = False
    """Whether this is the second of two; only the first is sent again if it fails."""
    generation: int = 0
    """Which life of the queue it belongs to; see `DeliveryQueue.clear`."""


class DeliveryQueue:
    """Deliveries to one webhook. They start in the order in which they become due.

    `send` sends one and never raises; it can put it back with a wait. `is_paused` is asked before each start.
    """

    def __init__(self, send: Callable[[Delivery], Awaitable[None]], is_paused: Callable[[], bool]) -> None:
        self._send, self._is_paused = send, is_paused
        self._due: deque[Delivery] = deque()
        self._waiting: dict[Delivery, asyncio.TimerHandle] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._generation = 0

    @property
    def due(self) -> int:
        """How many deliveries could start now."""
        return len(self._due)

    @property
    def waiting(self) -> int:
        """How many deliveries are held back or wait to be sent again."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """How many requests are open now."""
        return self._in_flight

    def put(self, delivery: Delivery, *, after_s: float = 0.0) -> None:
        """Add a delivery that becomes due now, or after some seconds."""
        delivery.generation = self._generation
        if after_s > 0:
            loop = asyncio.get_running_loop()
            self._waiting[delivery] = loop.call_later(after_s, self._become_due, delivery)
        else:
            self._due.append(delivery)
            self.start()

    def is_current(self, delivery: Delivery) -> bool:
        """Return whether the queue has not been cleared since this delivery was put."""
        return delivery.generation == self._generation

    def start(self) -> None:
        """Send what is due, with as many workers as there is work for, at most `MAX_IN_FLIGHT`."""
        while len(self._workers) < min(MAX_IN_FLIGHT, self._in_flight + len(self._due)) and not self._is_paused():
            worker = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(worker)

    def clear(self) -> int:
        """Forget all deliveries that are not in flight, and return their number; those in flight count no more."""
        dropped = len(self._due) + len(self._waiting)
        self._generation += 1
        self._due.clear()
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()
        return dropped

    async def stop(self) -> None:
        """Forget all deliveries, and cancel the requests in flight."""
        self.clear()
        workers = tuple(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def _become_due(self, delivery: Delivery) -> None:
        del self._waiting[delivery]
        self._due.append(delivery)
        self.start()

    async def _work(self) -> None:
        try:
            while self._due and not self._is_paused():
                self._in_flight += 1
                try:
                    await self._send(self._due.popleft())
                finally:
                    self._in_flight -= 1
        finally:
            # Here and not in a callback of the task: a delivery that is put in between would find no worker.
            self._workers.difference_update({asyncio.current_task()})
