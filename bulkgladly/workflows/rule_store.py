"""The memory of the rules in the inbox, and their dead letters: waits while the disk is full or a file is locked."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.rule_memory import RuleMemory
from bulkgladly.runs.when_writable import when_writable
from bulkgladly.sinks.dead_letters import DeadLetter, DeadLetters

__all__ = ("RuleStore",)

T = TypeVar("T")


class RuleStore:
    """Asks the memory, and keeps what was given up. Nothing is lost while the disk is full."""

    def __init__(
        self,
        inbox: Inbox,
        dead: DeadLetters,
        *,
        sleep: Callable[[float], Awaitable[object]],
        note: Callable[[str], None],
    ) -> None:
        """`note` tells people that it waits, and why."""
        self._inbox, self.dead = inbox, dead
        self._sleep, self._note = sleep, note

    async def ask(self, question: Callable[[RuleMemory], T]) -> T:
        """Return what a question answers, once its changes are on the disk. It may be asked several times.

        Raises:
            JournalDamaged: The inbox cannot be used.
        """
        return await self.patiently(lambda: self._inbox.ask(lambda connection: question(RuleMemory(connection))))

    async def put_aside(self, letter: DeadLetter) -> None:
        """Keep what was given up; it is on the disk when this returns."""
        await self.patiently(lambda: self.dead.add([letter]))

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what an attempt returns, trying again while the disk is full or the inbox is locked.

        Raises:
            JournalDamaged: The inbox cannot be used.
        """
        return await when_writable(attempt, sleep=self._sleep, note=lambda why: self._note(f"rules wait: {why}"))
