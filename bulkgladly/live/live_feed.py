"""Views as server-sent events, for any number of readers, none of which can slow another."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import anyio
import orjson

from bulkgladly.live.live_state import LiveState
from bulkgladly.live.live_view import LiveView
from bulkgladly.times import canonical

__all__ = ("LiveFeed",)

HEARTBEAT_S = 15.0
GAP_S = 0.5
MOST_GAP_S = 10.0
GAP_PER_WORK = 20.0
"""Views take at most one part in so many of the time, so that a page that is open slows no acknowledgement."""
_FIRST = b"retry: 3000\n\n"


class LiveFeed:
    """Makes frames of a live state that others feed.

    Whoever feeds the state calls `changed` after it. All readers get the same frames; one that is slow gets the
    latest view when it comes back, and nothing is kept for it. Use it in one event loop.
    """

    def __init__(
        self,
        state: LiveState,
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        clock: Callable[[], float] = time.monotonic,
        heartbeat_s: float = HEARTBEAT_S,
        gap_s: float = GAP_S,
    ) -> None:
        """`now` is the time of day and `clock` measures work; at most one view is made in `gap_s`."""
        self._state, self._now, self._clock = state, now, clock
        self._heartbeat_s, self._gap_s = heartbeat_s, gap_s
        self._version, self._made_of = 0, -1
        self._view: LiveView | None = None
        self._frame = b""
        self._made_at = self._work_s = 0.0
        self._news = asyncio.Event()
        self._is_closed = False

    def changed(self) -> None:
        """Let all readers know that there is something new. Cheap: the view is made when a reader wants it."""
        self._version += 1
        self._wake()

    def close(self) -> None:
        """End all readers' frames."""
        self._is_closed = True
        self._wake()

    def view(self) -> LiveView:
        """Return the present view."""
        return self._state.snapshot(self._now())

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield a view at once, then one for each change, at most one in `gap_s`, until the feed is closed.

        When nothing has changed for `heartbeat_s`, a comment with an event `still` and the time keeps the connection
        alive, and both sides find out whether the other is there. What changes by time alone, such as a task that
        becomes overdue, is sent then, too.
        """
        yield _FIRST
        sent, sent_at = b"", self._clock()
        while not self._is_closed:
            # Taken before the frame is made: a change in between wakes the reader at once.
            news, frame = self._news, self._latest()
            if frame != sent or self._clock() - sent_at >= self._heartbeat_s:
                # The time goes first: what is told of waits is told by the server's clock, not by the reader's.
                yield self._heartbeat() + (frame if frame != sent else b"")
                sent, sent_at = frame, self._clock()
            with anyio.move_on_after(sent_at + self._heartbeat_s - self._clock()):
                # Within the gap a reader got the frame that was there: the next one is due without any news.
                if frame is self._frame and self._made_of == self._version:
                    await news.wait()
                await anyio.sleep(max(0.0, self._made_at + self._gap() - self._clock()))

    def _heartbeat(self) -> bytes:
        return b': still here\nevent: still\ndata: "' + canonical(self._now()).encode() + b'"\n\n'

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _gap(self) -> float:
        return max(self._gap_s, min(self._work_s * GAP_PER_WORK, MOST_GAP_S))

    def _latest(self) -> bytes:
        """Return the frame of the latest view. Readers that ask within the gap get the one that is there."""
        age = self._clock() - self._made_at
        if self._view is None or age >= self._heartbeat_s or (self._made_of != self._version and age >= self._gap()):
            self._make()
        return self._frame

    def _make(self) -> None:
        began = self._clock()
        self._made_of, view = self._version, self.view()
        if self._view is None or replace(view, at=self._view.at) != self._view:
            self._view = view
            self._frame = b"event: view\ndata: " + orjson.dumps(view.as_dict()) + b"\n\n"
        self._made_at = self._clock()
        self._work_s = self._made_at - began
