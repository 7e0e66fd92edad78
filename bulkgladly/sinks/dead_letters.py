"""Events that a sink or a rule has given up, in `dead.ndjson` of the state directory: one line each, with why."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import anyio.to_thread
import orjson

from bulkgladly.storage.durable import append_lines
from bulkgladly.storage.failures import writing
from bulkgladly.times import to_milliseconds

__all__ = ("DeadLetter", "DeadLetters", "dead_letters_path")


def dead_letters_path(state_dir: Path) -> Path:
    """Return the file for events that could not be passed on."""
    return state_dir / "dead.ndjson"


class DeadLetter(NamedTuple):
    """An event that was given up, as the line that was sent.

    `source` is the `sink` that did not take it, or the `rule` and its `action`, and `more` what else is worth keeping.
    """

    source: Mapping[str, Any]
    reason: str
    attempts: int
    line: bytes
    more: Mapping[str, Any] = MappingProxyType({})


class DeadLetters:
    """Writes the file; one for all sinks and rules of a process, so that no line is written into another.

    A process that is killed right after may write an event again: `event.id` tells.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = dead_letters_path(state_dir)
        self._turn = anyio.Lock()

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        """Append events; they are on the disk when this returns.

        Raises:
            DiskFull: They could not be written; some may have been.
        """
        at = to_milliseconds(dt.datetime.now(dt.UTC))
        lines = b"".join(
            orjson.dumps(
                {
                    **one.source,
                    "reason": one.reason,
                    "at": at,
                    "attempts": one.attempts,
                    **one.more,
                    "event": orjson.Fragment(one.line),
                }
            )
            + b"\n"
            for one in letters
        )
        async with self._turn:
            # Not abandoned by a cancel: a thread that goes on writing would meet the next writer.
            await anyio.to_thread.run_sync(partial(self._append, lines))

    def _append(self, lines: bytes) -> None:
        with writing(self.path, "bulkgladly continues by itself"):
            append_lines(self.path, lines)
