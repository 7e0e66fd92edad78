"""A client whose patience is short and whose waits pass at once, so that a thousand faults take a minute."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from bulkgladly.pipelines import connection
from bulkgladly.transport import Client, RetryPolicy, Timeouts, default_pacer, reports_pacer

__all__ = ("quick",)

SILENCE_S = 0.3


class Skipping:
    """A clock that a wait puts forward instead of waiting."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._skipped = clock, 0.0

    def __call__(self) -> float:
        return self._clock() + self._skipped

    async def sleep(self, seconds: float) -> None:
        until = self() + seconds
        # A little is waited for: what an emulator refuses for a moment is not over at once.
        await asyncio.sleep(min(seconds, 0.002))
        # Those who wait beside this one may have put the clock forward already.
        self._skipped += max(0.0, until - self())


class QuickClient(Client):
    """Gives a stream up after a moment of silence."""

    def stream(self, request: Any, **more: Any) -> Any:
        return super().stream(request, **{**more, "stall_s": SILENCE_S, "first_byte_s": SILENCE_S})

    def stream_elsewhere(self, url: str, **more: Any) -> Any:
        return super().stream_elsewhere(url, **{**more, "stall_s": SILENCE_S, "first_byte_s": SILENCE_S})


@contextmanager
def quick() -> Iterator[None]:
    """Let every import and export made meanwhile be quick."""
    with pytest.MonkeyPatch.context() as patch:
        loop = asyncio.get_running_loop()
        clock = Skipping(loop.time)
        moments: dict[str, Any] = {"clock": clock, "sleep": clock.sleep, "random": lambda: 0.5}
        client = partial(
            QuickClient,
            timeouts=Timeouts(connect_s=1.0, total_s=SILENCE_S),
            retry=RetryPolicy(),
            max_body_bytes=1 << 20,
            **moments,
        )
        patch.setattr(connection, "Client", client)
        patch.setattr(connection, "default_pacer", partial(default_pacer, **moments))
        patch.setattr(connection, "reports_pacer", partial(reports_pacer, **moments))
        yield
