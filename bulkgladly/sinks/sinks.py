"""Where events are passed on to: what every sink promises, and how a batch can end."""

import abc
import enum
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bulkgladly.sinks.outgoing import Outgoing

__all__ = (
    "MOST_AT_ONCE",
    "Fate",
    "Note",
    "Sink",
    "SinkEnded",
    "SinkReply",
    "SinkTimes",
    "cursor_name",
    "failed",
    "taken",
)

MOST_AT_ONCE = 100

Note = Callable[[str], None]
"""Tells a person something, as one line."""


class SinkEnded(Exception):
    """Nothing can be passed on to this sink any more, for the reason that the message says. Nobody else is affected."""


class Fate(enum.Enum):
    """What became of one event of a batch."""

    TAKEN = "taken"
    REFUSED = "refused"
    """The receiver will never take it."""
    FAILED = "failed"
    """It may be taken later, or was taken although nothing says so."""
    UNTRIED = "untried"


class SinkReply(NamedTuple):
    """How one event of a batch ended, why, and how long the receiver wants to be left alone."""

    fate: Fate
    reason: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class SinkTimes:
    """How long a sink may take, in seconds."""

    exec_s: float = 60.0
    """A command, for one batch."""
    end_s: float = 5.0
    """A command that was told to end."""
    connect_s: float = 10.0
    request_s: float = 30.0


class Sink(abc.ABC):
    """Takes events in order, each at least once. One caller at a time; close it after use.

    `name` is that of its cursor, and `label` is for people; neither shows a secret. `takes_whole` says that a batch
    fails as a whole, so that a failure does not tell which event is to blame.
    """

    takes_whole = True

    def __init__(self, name: str, label: str) -> None:
        self.name, self.label = name, label

    @abc.abstractmethod
    async def deliver(self, events: Sequence[Outgoing]) -> list[SinkReply]:
        """Pass on up to `MOST_AT_ONCE` events and say what became of each. It never raises for what a receiver does.

        Cancelled: any of them may have been taken.

        Raises:
            SinkEnded: Nothing can be passed on any more.
        """

    async def close(self) -> None:  # noqa: B027 - most sinks hold nothing
        """Release what the sink holds. Calling it twice is allowed."""


def cursor_name(kind: str, shown_as: str, text: str) -> str:
    """Return the name of a sink's cursor: readable, without secrets, and the same for the same `--to`."""
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return f"sink {kind} {shown_as} {digest}".replace("  ", " ")


def taken(count: int) -> list[SinkReply]:
    """Return the replies of a batch that was taken."""
    return [SinkReply(Fate.TAKEN)] * count


def failed(count: int, reason: str) -> list[SinkReply]:
    """Return the replies of a batch that failed as a whole."""
    return [SinkReply(Fate.FAILED, reason)] * count
