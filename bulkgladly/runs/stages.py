"""The stages of a run: bounded hand-over, workers, and two ways to stop. Only this module opens a task group."""

import asyncio
import contextlib
import math
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, TypeVar

import anyio
import anyio.abc

from bulkgladly.errors import BulkgladlyError, Withdrawn
from bulkgladly.runs.observer import counted

__all__ = (
    "Feed",
    "Stop",
    "heeding_signals",
    "run_stages",
    "serve",
    "side_by_side",
    "stopping",
    "telling_if_slow",
    "with_beside",
)

T = TypeVar("T")
DRAIN_GRACE_S = 20.0
ERROR_GRACE_S = 1.0  # for noting what was withdrawn, and for replies that are about to come


class Stop:
    """How a run ends before its source does.

    `drain` withdraws at once what has not left, stops reading, and lets the requests in flight
    end; `abort` cancels these, too. The first cause counts, and a second signal turns a drain
    into an abort. A source or a sink that reaches a limit of its own calls `drain`, or
    `reached` if the work is over anyway.
    """

    def __init__(self, withdraw: Callable[[str], None] = lambda _: None) -> None:
        """`withdraw` tells the client that nothing may leave any more, and why."""
        self.exit_code: int | None = None
        self.reason: str | None = None
        self.error: BulkgladlyError | None = None
        self.is_draining = False
        self._withdraw = withdraw
        self.drain_scope = anyio.CancelScope()
        self.abort_scope = anyio.CancelScope()

    def drain(self, exit_code: int, reason: str, *, grace_s: float = DRAIN_GRACE_S) -> None:
        """Let nothing more leave, and give requests in flight `grace_s` to end. Another call can only shorten that."""
        if not self.is_draining:
            self.is_draining = True
            self.reached(exit_code, reason)
            self._withdraw(reason)
            self.drain_scope.cancel()
        self.abort_scope.deadline = min(self.abort_scope.deadline, anyio.current_time() + grace_s)

    def reached(self, exit_code: int, reason: str) -> None:
        """Note a limit that was reached when the work was over anyway."""
        self.exit_code = self.exit_code if self.exit_code is not None else exit_code
        self.reason = self.reason or reason

    def abort(self, exit_code: int, reason: str) -> None:
        """Cancel everything now; a resume finds out what became of the requests in flight."""
        self.drain(exit_code, reason)
        self.abort_scope.cancel()

    def fail(self, error: BulkgladlyError) -> None:
        """End the run because of an error that is not the fault of a record.

        Requests in flight may end if the host is not to blame (such as an input that cannot be
        read); else they have a moment. A request that was withdrawn is not an error: it drains
        the run, unless the run is draining already.
        """
        if isinstance(error, Withdrawn):
            self.drain(error.exit_code, str(error))
        elif self.error is None:
            self.error = error
            grace_s = DRAIN_GRACE_S if error.exit_code == 2 else ERROR_GRACE_S
            self.drain(error.exit_code, str(error), grace_s=grace_s)

    def signalled(self, number: signal.Signals) -> None:
        """Act on a signal: the first drains, the second aborts. The exit code is 128 + number."""
        name = number.name
        if self.is_draining:
            self.abort(128 + number, f"{name}, twice")
        else:
            self.drain(128 + number, name)


def stopping(in_flight: int) -> str:
    """Return for people what a stopping run waits for."""
    return f"stopping: waiting for {counted(in_flight, 'request')}" if in_flight else "stopping"


class Feed(Generic[T]):
    """A bounded queue from one producer to many workers, without a task switch while there is room.

    The producer calls `room`, then `put` for at most that many items, and at the end `close`; each worker calls `take`
    until it returns None. A work's `close` calls `empty` or `close`.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # Waking the producer for each free place would cost a task switch per item.
        self._enough = (capacity + 1) // 2
        self._items: deque[T] = deque()
        self._takers: deque[anyio.Event] = deque()
        self._giver: anyio.Event | None = None
        self._closed = False

    async def room(self) -> int:
        """Wait until at least half the capacity is free, and return how many items fit in."""
        while (free := self._capacity - len(self._items)) < self._enough:
            self._giver = anyio.Event()
            await self._giver.wait()
        return free

    def put(self, items: Sequence[T]) -> None:
        """Add items, at most as many as `room` has returned."""
        self._items.extend(items)
        self._wake(len(items))

    async def take(self) -> T | None:
        """Return the next item, or None when the feed is closed and empty."""
        while not self._items:
            if self._closed:
                return None
            event = anyio.Event()
            self._takers.append(event)
            await event.wait()
        item = self._items.popleft()
        if self._giver is not None and self._capacity - len(self._items) >= self._enough:
            self._giver.set()
            self._giver = None
        return item

    def close(self) -> None:
        """Let the workers end when the queue is empty."""
        self._closed = True
        self._wake(len(self._takers))

    def empty(self) -> list[T]:
        """Return the items that no worker has begun, and close."""
        left = list(self._items)
        self._items.clear()
        self.close()
        return left

    def _wake(self, count: int) -> None:
        for _ in range(min(count, len(self._takers))):
            self._takers.popleft().set()


@contextlib.contextmanager
def heeding_signals(stop: Stop, *, wanted: bool) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM drain a run and the second abort it, until its report is written.

    A second Ctrl-C often comes when the run has ended and its results are being written: they
    are finished all the same. From the third signal on the defaults apply.
    """
    loop = asyncio.get_running_loop()
    heeded = (signal.SIGINT, signal.SIGTERM) if wanted else ()
    count = 0

    def signalled(number: signal.Signals) -> None:
        nonlocal count
        count += 1
        if count == 2:
            ignore_no_more()
        stop.signalled(number)

    def ignore_no_more() -> None:
        for number in heeded:
            loop.remove_signal_handler(number)

    for number in heeded:
        loop.add_signal_handler(number, signalled, number)
    try:
        yield
    finally:
        ignore_no_more()


async def run_stages(
    stop: Stop,
    *,
    sources: Sequence[Callable[[], Awaitable[None]]],
    close: Callable[[], Awaitable[None]],
    work: Callable[[], Awaitable[None]],
    workers: int,
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
) -> None:
    """Run the sources, many workers, and what goes on beside them.

    The sources are cancelled when the run drains; then, or when they are done, `close`
    must let the workers end. All are cancelled when the run aborts. A bulkgladly error in
    any of them fails the run and is kept in `stop.error`. Any other exception is raised as it is.
    """

    async def feed() -> None:
        try:
            with stop.drain_scope:
                async with anyio.create_task_group() as stages:
                    for source in sources:
                        stages.start_soon(_guarded, source, stop)
        finally:
            # The workers wait for it, so nothing may cut it off.
            with anyio.CancelScope(shield=True):
                await close()

    try:
        with stop.abort_scope:
            async with anyio.create_task_group() as side:
                for stage in beside:
                    side.start_soon(_guarded, stage, stop)
                async with anyio.create_task_group() as crew:
                    crew.start_soon(_guarded, feed, stop)
                    for _ in range(workers):
                        crew.start_soon(_guarded, work, stop)
                # The display and the time limit end with the last worker.
                side.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # Callers get the first cause as itself, not a group; most of the others follow from it.
        raise _first_of(group) from None
    finally:
        stop.abort_scope.deadline = math.inf


async def side_by_side(calls: Sequence[Callable[[], Awaitable[T]]], at_once: int) -> list[T]:
    """Return what calls return, in their order; at most `at_once` of them are under way at a time.

    The first error cancels the others and is raised as itself.
    """
    results: dict[int, T] = {}
    left = iter(enumerate(calls))

    async def work() -> None:
        for number, call in left:
            results[number] = await call()

    try:
        async with anyio.create_task_group() as group:
            for _ in range(min(at_once, len(calls))):
                group.start_soon(work)
    except BaseExceptionGroup as group_of_errors:
        raise _first_of(group_of_errors) from None
    return [results[number] for number in range(len(calls))]


async def telling_if_slow(
    call: Callable[[], Awaitable[T]],
    tell: Callable[[], None],
    *,
    after_s: float,
    sleep: Callable[[float], Awaitable[object]],
) -> T:
    """Return what a call returns, and `tell` once if it takes longer than `after_s`. Its error is raised as itself."""

    async def tell_later() -> None:
        await sleep(after_s)
        tell()

    return await with_beside(call, tell_later)


async def with_beside(call: Callable[[], Awaitable[T]], other: Callable[[], Awaitable[object]]) -> T:
    """Return what a call returns, while another one goes on beside it and ends with it; raise errors as themselves."""
    results: list[T] = []

    async def beside() -> None:
        await other()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(beside)
            results.append(await call())
            group.cancel_scope.cancel()
    except BaseExceptionGroup as group_of_errors:
        raise _first_of(group_of_errors) from None
    return results[0]


async def _guarded(stage: Callable[[], Awaitable[None]], stop: Stop) -> None:
    try:
        await stage()
    except BulkgladlyError as error:
        stop.fail(error)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return _first_of(error)
        if not isinstance(error, anyio.get_cancelled_exc_class()):
            return error
    return group


async def serve(
    stop: Stop,
    *,
    loops: Sequence[Callable[[], Awaitable[None]]],
    finish: Callable[[], Awaitable[None]],
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
) -> None:
    """Run loops that have no end, until the service stops; then `finish`, which an abort cancels.

    The loops are cancelled when the service drains. What runs `beside` them goes on until `finish` is done, which
    can tell it to end. Errors are treated as in `run_stages`.
    """
    drained = anyio.Event()

    async def close() -> None:
        drained.set()

    async def finisher() -> None:
        await drained.wait()
        await finish()

    await run_stages(stop, sources=loops, close=close, work=finisher, workers=1, beside=beside)
