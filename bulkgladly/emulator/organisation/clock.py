"""The emulator's two clocks, which are parameters so that tests never wait, and how moments are written."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ("Clock", "moment_of", "shortest_timestamp", "timestamp")


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` is used for pacing (rate limits, the neighbour), `wall` for dates (createdAt, request log).

    Both return seconds. Replace either with a callable to stop or move time.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


def timestamp(epoch_s: float) -> str:
    """Return the RFC 3339 form of Gladly's examples: UTC, milliseconds, `Z`."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """Parse an ISO 8601 time. Without an offset it is UTC; digits beyond microseconds are dropped.

    Raises:
        ValueError: The text is not a valid time.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(f"{text} lies outside the calendar") from exc


def shortest_timestamp(moment: datetime) -> str:
    """Return a moment as export jobs show it: UTC, as many fraction digits as needed, `Z`."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.rstrip("0").removesuffix(".") + "Z"
