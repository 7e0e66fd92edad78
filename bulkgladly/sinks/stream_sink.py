"""The sink `-`: events as NDJSON on the standard output."""

import errno
import os
import select
import weakref
from collections.abc import Awaitable, Callable, Sequence

import anyio

from bulkgladly.sinks.outgoing import Outgoing
from bulkgladly.sinks.sinks import Sink, SinkEnded, SinkReply, failed, taken

__all__ = ("StreamSink",)

# What a pipe takes at once if it takes anything, so that writing never blocks.
_PIECE = min(select.PIPE_BUF, 4096)
_LOOK_S = 0.01
_NO_READER = (errno.EPIPE, errno.EBADF)


class _Turn:
    """The turn to write to one stream, and whether a line on it was cut off."""

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.is_torn = False


class StreamSink(Sink):
    """Writes each batch before it counts as taken. It bypasses `sys.stdout`, whose errors nobody would see."""

    def __init__(self, handle: int, sleep: Callable[[float], Awaitable[object]]) -> None:
        """`handle` is the number of the stream."""
        super().__init__("sink -", "the standard output")
        self._handle, self._sleep = handle, sleep
        # `--to -` and a rule have a sink each, but there is only one stream.
        self._turn = _TURNS.setdefault(handle, _Turn())

    async def deliver(self, events: Sequence[Outgoing]) -> list[SinkReply]:
        """Write the events, each on a line of its own; a reader that is slow is waited for.

        Raises:
            SinkEnded: The reader has closed its end, or the stream was never open.
        """
        lines = b"".join(event.line + b"\n" for event in events)
        try:
            async with self._turn.lock:
                # A line that was cut off, by an error or a cancel, must not run into the next one.
                await self._write(b"\n" + lines if self._turn.is_torn else lines)
        except OSError as error:
            if error.errno in _NO_READER:
                raise SinkEnded(f"the standard output is closed ({error.strerror})") from error
            return failed(len(events), f"the standard output cannot be written: {error.strerror}")
        return taken(len(events))

    async def _write(self, lines: bytes) -> None:
        poll = select.poll()
        poll.register(self._handle, select.POLLOUT)
        left = memoryview(lines)
        while left:
            count = self._some(left[:_PIECE]) if poll.poll(0) else 0
            if not count:
                await self._sleep(_LOOK_S)
                continue
            left = left[count:]
            self._turn.is_torn = bool(left)

    def _some(self, data: memoryview) -> int:
        try:
            return os.write(self._handle, data)
        except BlockingIOError:  # another process has set the shared stream to non-blocking, and it has just filled up
            return 0


_TURNS: weakref.WeakValueDictionary[int, _Turn] = weakref.WeakValueDictionary()
