"""Waiting for what passes by itself: a full disk, or another process that holds a database."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bulkgladly.errors import DiskFull, JournalDamaged, JournalError

__all__ = ("when_writable",)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0

T = TypeVar("T")


async def when_writable(
    call: Callable[[], Awaitable[T]], *, sleep: Callable[[float], Awaitable[object]], note: Callable[[str], None]
) -> T:
    """Return what a call returns, which is made again while the disk is full or a database is locked.

    `note` gets the reason when the waiting begins. The call may be made any number of times.

    Raises:
        JournalDamaged: That does not pass.
    """
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return await call()
        except JournalDamaged:
            raise
        except (DiskFull, JournalError) as error:
            if wait_s == _FIRST_WAIT_S:
                note(str(error))
        await sleep(wait_s)
        wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
