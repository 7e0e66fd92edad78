"""Calls that are under way at the same time, and how they end."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bulkgladly.runs.stages import side_by_side, telling_if_slow


async def test_results_keep_their_order_and_few_are_under_way() -> None:
    """Whichever ends first."""
    under_way = most = 0

    def call(number: int) -> Callable[[], Awaitable[int]]:
        async def work() -> int:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(10 - number):
                await asyncio.sleep(0)
            under_way -= 1
            return number

        return work

    assert await side_by_side([call(number) for number in range(10)], 3) == list(range(10))
    assert most == 3
    assert await side_by_side(list[Callable[[], Awaitable[int]]](), 3) == []


async def test_the_first_error_cancels_the_others() -> None:
    """It is raised as itself, not in a group."""
    ended: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("this one")

    async def hang() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("cancelled")

    with pytest.raises(LookupError, match="this one"):
        await side_by_side([hang, fail, hang], 3)

    assert ended == ["cancelled", "cancelled"]


async def test_a_slow_call_is_told_once_and_an_error_stays_itself() -> None:
    """A quick one is not told, and nothing goes on behind it."""
    told: list[str] = []
    slow = asyncio.Event()

    async def at_once(_: float) -> None:
        """The patience is over at once."""

    async def never(_: float) -> None:
        await asyncio.Event().wait()

    def tell() -> None:
        told.append("slow")
        slow.set()

    async def wait() -> str:
        await slow.wait()
        return "done"

    async def quick() -> str:
        return "done"

    async def fail() -> str:
        raise LookupError("this one")

    assert await telling_if_slow(quick, tell, after_s=2.0, sleep=never) == "done"
    with pytest.raises(LookupError, match="this one"):
        await telling_if_slow(fail, tell, after_s=2.0, sleep=never)
    assert told == []
    assert await telling_if_slow(wait, tell, after_s=2.0, sleep=at_once) == "done"
    assert told == ["slow"]
