"""Waiting for a disk with room and a database that nobody holds."""

import pytest

from bulkgladly.errors import BulkgladlyError, DiskFull, JournalDamaged, JournalError, UsageError
from bulkgladly.runs.when_writable import when_writable


async def test_what_passes_is_waited_for_and_told_once() -> None:
    """The waits grow up to half a minute."""
    failures: list[BulkgladlyError] = [DiskFull("no room"), *[JournalError("locked")] * 7]
    waits: list[float] = []
    told: list[str] = []

    async def call() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    assert await when_writable(call, sleep=sleep, note=told.append) == "done"
    assert told == ["no room"]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("error", [JournalDamaged("damaged"), UsageError("wrong")])
async def test_what_does_not_pass_is_raised(error: BulkgladlyError) -> None:
    async def call() -> None:
        raise error

    async def sleep(_seconds: float) -> None:
        raise AssertionError("it waits")

    with pytest.raises(type(error)):
        await when_writable(call, sleep=sleep, note=print)
