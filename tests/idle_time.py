"""An event loop whose time passes only while nothing else happens, so that no time limit is a matter of luck."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

__all__ = ("in_idle_time",)

Parameters = ParamSpec("Parameters")

# A peer in this process has always answered by then, however busy the machine is: what was sent over
# loopback is there at once, and this loop runs the peer before it comes to wait again.
_GRACE_S = 0.02


class _IdleSelector(selectors.DefaultSelector):
    """Instead of waiting for a timer, puts the clock forward to it once nothing arrives any more."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(_GRACE_S if timeout is None or timeout > 0 else 0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(None)
        self.now += max(timeout, 0.0)
        return []


class _IdleLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._idle = _IdleSelector()
        super().__init__(self._idle)

    def time(self) -> float:
        return self._idle.now


def in_idle_time(test: Callable[Parameters, Coroutine[Any, Any, None]]) -> Callable[Parameters, None]:
    """Return the test, run on such a loop: a limit of 0.1 s ends exactly what would otherwise wait for ever.

    Only for tests whose peers are tasks of the same loop: time would pass while a thread or process works.
    """

    @functools.wraps(test)
    def run(*args: Parameters.args, **values: Parameters.kwargs) -> None:
        with asyncio.Runner(loop_factory=_IdleLoop) as runner:
            runner.run(test(*args, **values))

    return run
