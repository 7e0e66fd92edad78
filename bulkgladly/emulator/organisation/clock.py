"""The two clocks the emulator lives by, as parameters, so that tests never wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ("Clock", "timestamp")


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` paces (rate limits, the neighbour); `wall` dates (createdAt, the request log).

    Both return seconds. Replace them by any callable to stop or move time.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


def timestamp(epoch_s: float) -> str:
    """The RFC 3339 form Gladly's examples show: UTC, milliseconds, `Z`."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
