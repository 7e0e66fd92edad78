"""The two clocks of the emulator, as parameters, so that tests never wait; and the forms of moments."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ("Clock", "moment_of", "shortest_timestamp", "timestamp")


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


def moment_of(text: str) -> datetime:
    """The moment that an ISO 8601 text names; without an offset it is UTC, beyond microseconds it is cut.

    Raises:
        ValueError: The text names none.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(f"{text} lies outside the calendar") from exc


def shortest_timestamp(moment: datetime) -> str:
    """A moment as jobs show it: UTC, as many fraction digits as it needs, `Z`."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.rstrip("0").removesuffix(".") + "Z"
