"""Answers that an earlier session of the run has kept, of words that this session does not ask for: published first."""

from collections.abc import AsyncIterator, Collection

from bulkgladly.pipelines.exports.context import Context
from bulkgladly.pipelines.exports.gathering import Gathering, Publish
from bulkgladly.pipelines.exports.media import KEYS
from bulkgladly.pipelines.exports.per_parent import ways_to_know
from bulkgladly.pipelines.exports.units import UnitTask
from bulkgladly.resources.table import live_export

__all__ = ("KeptAnswers",)


class KeptAnswers:
    """A dump may go on under other words. What was asked before is paid for, and must not wait for ever."""

    name = "kept answers"
    workers = 1

    def __init__(self, words: Collection[str]) -> None:
        """`words` are asked for in this session, which publishes what is kept of them itself."""
        self._words = frozenset(words)

    async def tasks(self, context: Context) -> AsyncIterator[UnitTask | None]:
        """Yield a step for each other word that has answers waiting. No request is sent."""
        for word in await context.in_thread(context.log.words_waiting):
            if word in self._words:
                continue
            row = live_export(word)
            gathering = Gathering(row, (KEYS[word],) if word in KEYS else ways_to_know(row))
            try:
                await context.in_thread(gathering.begin, context)
                yield Publish(gathering)
                yield None
            finally:
                gathering.close()
