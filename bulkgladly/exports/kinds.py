"""From the words of a command to what is exported, in the order in which one builds on the other."""

from bulkgladly.errors import UsageError
from bulkgladly.exports.event_windows import Events
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.job_files import JOB_WORDS, JobFiles
from bulkgladly.exports.lists import LIST_WORDS, ListKind
from bulkgladly.exports.media_downloads import MEDIA_WORDS, Media
from bulkgladly.exports.per_parent import PARENT_WORDS, PerParent
from bulkgladly.exports.report_units import Reports
from bulkgladly.exports.unit_kinds import ExportKind
from bulkgladly.gladly.objects.events import EVENTS

__all__ = ("DUMP_WORDS", "EXPORT_WORDS", "kinds_for")

REPORT = "report"
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
        raise UsageError(f"unknown object {strange[0]!r}; choose from: {', '.join(EXPORT_WORDS)}")
    if (options.ids or options.emails) and not any(word in PARENT_WORDS or word in MEDIA_WORDS for word in words):
        named, wanted = "--ids" if options.ids else "--emails", ", ".join(words)
        raise UsageError(
            f"{wanted} cannot be exported by {named}; leave it out, or choose from: {', '.join(PARENT_WORDS)}"
        )
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
