"""The shared timer: who is cut off, who is not, and who asked for it."""

import asyncio

import pytest

from bulkgladly.api.timers import Deadlines


async def attempt(deadlines: Deadlines, answer: asyncio.Event) -> str:
    """Wait for a reply, as the client does."""
    deadline = deadlines.begin()
    try:
        await answer.wait()
    except asyncio.CancelledError:
        if deadline.explains():
            return "timed out"
        raise
    finally:
        deadlines.end(deadline)
    return "answered"


async def test_what_takes_too_long_is_cut_off_and_the_task_goes_on() -> None:
    """The cancellation is used up: the next await of the task is not cut."""
    deadlines = Deadlines(0.02)

    async def worker() -> list[str]:
        found = [await attempt(deadlines, asyncio.Event())]
        await asyncio.sleep(0)
        answered = asyncio.Event()
        answered.set()
        return [*found, await attempt(deadlines, answered)]

    assert await asyncio.create_task(worker()) == ["timed out", "answered"]


async def test_many_share_one_timer_and_each_has_its_own_end() -> None:
    """Attempts that end in time are not touched, whatever happens to the others."""
    deadlines = Deadlines(0.02)
    never, now = asyncio.Event(), asyncio.Event()
    now.set()

    ends = await asyncio.gather(*(attempt(deadlines, never if number % 3 else now) for number in range(30)))

    assert ends == ["timed out" if number % 3 else "answered" for number in range(30)]


async def test_somebody_else_s_cancellation_goes_through() -> None:
    """A drain or an abort is no time-out."""
    deadlines = Deadlines(30.0)
    task = asyncio.create_task(attempt(deadlines, asyncio.Event()))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_at_once_is_a_cancellation() -> None:
    """A task that its caller cancels ends, and its request is not repeated."""
    deadlines = Deadlines(0.02)
    began = asyncio.Event()

    async def worker() -> str:
        deadline = deadlines.begin()
        try:
            began.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task.cancel()  # the abort comes in the same moment
            if deadline.explains():
                return "timed out"
            raise
        finally:
            deadlines.end(deadline)
        return "answered"

    task = asyncio.create_task(worker())
    await began.wait()

    with pytest.raises(asyncio.CancelledError):
        await task
