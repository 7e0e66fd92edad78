"""All events that are made rather than caused: on request, and by a contact centre at work."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from bulkgladly.emulator.application import Application
from bulkgladly.emulator.traffic.contact_centre import ContactCentre
from bulkgladly.emulator.traffic.emitter import Emitter, check_rate, checked_types

__all__ = ("Traffic",)

_SHORTEST_PAUSE_S = 0.01
_LOG = logging.getLogger("bulkgladly.emulator")


class Traffic:
    """Runs series of events and the contact centre in the background, until `stop`.

    `emitter` adds events at once, also before the start and after the stop.
    """

    def __init__(self, application: Application, *, seed: int = 0) -> None:
        self._application, self._seed = application, seed
        self.emitter = Emitter(application.store, seed=seed)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._live: asyncio.Task[Any] | None = None
        self._per_minute = 0.0

    def live(self, per_minute: float) -> None:
        """Let a contact centre begin to work in which so many contacts start a minute; 0 ends it.

        Raises:
            ValueError: The number is negative or not finite.
        """
        if not 0 <= per_minute < float("inf"):
            raise ValueError(f"per_minute is {per_minute}: it must be 0 or more")
        if self._live is not None:
            self._live.cancel()
            self._live = None
        self._per_minute = per_minute
        if per_minute:
            self._live = self._begin(self._work(per_minute))

    async def stop(self) -> None:
        """End the contact centre and all series."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def endpoints(self) -> Mapping[tuple[str, str], Callable[[Any], object]]:
        """Return the control endpoints: method and name, and what each does with the body of a request."""
        return {("POST", "events"): self._emit, ("POST", "live"): self._set_live}

    def _begin(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOG.error("the traffic has stopped: %r", error, exc_info=error)

    async def _work(self, per_minute: float) -> None:
        # The emulator's own clock can stand still in a test, but something must happen.
        clock = asyncio.get_running_loop().time
        begin_s = clock()
        centre = ContactCentre(self._application, per_minute=per_minute, seed=self._seed)
        while True:
            due_s = centre.advance(clock() - begin_s)
            await asyncio.sleep(max(_SHORTEST_PAUSE_S, begin_s + due_s - clock()))

    def _emit(self, payload: Mapping[str, Any]) -> object:
        given = dict(payload)
        types, count, per_second = given.pop("type", None), given.pop("count", 1), given.pop("per_second", None)
        content, initiator = dict(given.pop("content", {})), given.pop("initiator", None)
        initiator = None if initiator is None else dict(initiator)
        if given:
            raise ValueError(f"{', '.join(sorted(given))}: there is no such field")
        if not isinstance(count, int) or isinstance(count, bool):
            raise TypeError(f"count is {count!r}: it must be a whole number")
        if per_second is None:
            events = self.emitter.emit(types, content, count=count, initiator=initiator)
            return {"ids": [event.id for event in events]}
        rate = float(per_second)
        # Here as well, so that the request is refused and not only the task.
        check_rate(rate, count)
        checked_types(types)
        self._begin(self.emitter.emit_at_rate(rate, count, types, content, initiator=initiator))
        return {"count": count, "per_second": rate}

    def _set_live(self, payload: Mapping[str, Any]) -> object:
        per_minute = float(payload["per_minute"])
        self.live(per_minute)
        return {"per_minute": per_minute}
