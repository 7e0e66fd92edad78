"""From the words of a command to what is exported, in the order in which one builds on the other.

Before all of it comes what an earlier session has kept and not published.
"""

from collections.abc import AsyncIterator, Collection

from bulkgladly.errors import UsageError
from bulkgladly.exports.event_windows import Events
from bulkgladly.exports.export_context import Context
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.job_files import JOB_WORDS, JobFiles
from bulkgladly.exports.lists import LIST_WORDS, ListKind
from bulkgladly.exports.media_downloads import KEYS, MEDIA_WORDS, Media
from bulkgladly.exports.per_parent import PARENT_WORDS, PerParent, ways_to_know
from bulkgladly.exports.reply_buffer import PublishStep, ReplyBuffer
from bulkgladly.exports.report_units import Reports
from bulkgladly.exports.unit_kinds import ExportKind, ExportUnit
from bulkgladly.gladly.table import live_export

__all__ = ("DUMP_WORDS", "EXPORT_WORDS", "KeptReplies", "kinds_for")

EVENTS, REPORT = "events", "report"
EXPORT_WORDS = (*JOB_WORDS, *LIST_WORDS, EVENTS, REPORT, *PARENT_WORDS, *MEDIA_WORDS)
DUMP_WORDS = (*JOB_WORDS, *LIST_WORDS, EVENTS)
"""What a dump fetches unless it is told otherwise: all that takes a few requests a night."""


def kinds_for(options: ExportOptions) -> list[ExportKind]:
    """Return the kinds that the options name.

    Raises:
        UsageError: A word that is none, or none at all; or options that do not go together.
    """
    words = dict.fromkeys(options.words)
    if not words:
        raise UsageError(f"name what to export: {', '.join(EXPORT_WORDS)}")
    if strange := [word for word in words if word not in EXPORT_WORDS]:
        raise UsageError(f"there is no {strange[0]!r} to export; choose from: {', '.join(EXPORT_WORDS)}")
    if (options.ids or options.emails) and not any(word in PARENT_WORDS or word in MEDIA_WORDS for word in words):
        named, wanted = "--ids" if options.ids else "--emails", ", ".join(words)
        raise UsageError(f"{wanted} cannot be had by {named}; leave it out, or choose from: {', '.join(PARENT_WORDS)}")
    kinds: list[ExportKind] = []
    if files := [word for word in JOB_WORDS if word in words]:
        kinds.append(JobFiles(files))
    kinds += [ListKind(word) for word in LIST_WORDS if word in words]
    if EVENTS in words:
        kinds.append(Events())
    if REPORT in words:
        kinds.append(Reports(options.report))
    kinds += [PerParent(word, options) for word in PARENT_WORDS if word in words]
    kinds += [Media(word, options) for word in MEDIA_WORDS if word in words]
    return kinds


class KeptReplies:
    """Replies that an earlier session of the run has kept, of words that this session does not ask for.

    A dump may go on under other words. What was asked before is paid for, and must not wait for ever.
    """

    name = "kept answers"
    workers = 1

    def __init__(self, words: Collection[str]) -> None:
        """`words` are asked for in this session, which publishes what is kept of them itself."""
        self._words = frozenset(words)

    async def units(self, context: Context) -> AsyncIterator[ExportUnit | None]:
        """Yield a step for each other word that has answers waiting. No request is sent."""
        for word in await context.in_thread(context.log.words_waiting):
            if word in self._words:
                continue
            row = live_export(word)
            buffer = ReplyBuffer(row, (KEYS[word],) if word in KEYS else ways_to_know(row))
            try:
                await context.in_thread(buffer.begin, context)
                yield PublishStep(buffer)
                yield None
            finally:
                buffer.close()
