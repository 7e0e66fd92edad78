"""What is exported: the words of a command as kinds, and what a dump stands for."""

from collections.abc import Collection, Sequence

from bulkgladly.choices import closest, closest_few, one_of
from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError
from bulkgladly.exports.event_windows import Events
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.job_files import JOB_WORDS, JobFiles
from bulkgladly.exports.lists import LIST_WORDS, ListKind
from bulkgladly.exports.maintenance import Compaction, OldDataRemoval
from bulkgladly.exports.media_downloads import MEDIA_WORDS, Media
from bulkgladly.exports.per_parent import PARENT_WORDS, PerParent
from bulkgladly.exports.report_plan import ALL, queries_of
from bulkgladly.exports.report_units import Reports
from bulkgladly.exports.unit_kinds import ExportKind
from bulkgladly.gladly.objects.events import EVENTS
from bulkgladly.gladly.table import LIVE_EXPORTS, METRIC_SETS, OLDER_METRIC_SETS
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.schemas import DATA_SETS

__all__ = ("DUMP_WORDS", "EXPORT_WORDS", "demand_known_reports", "demand_same_partition", "dumped_words", "kinds_for")

REPORT = "report"
EXPORT_WORDS = (*JOB_WORDS, *LIST_WORDS, EVENTS, REPORT, *PARENT_WORDS, *MEDIA_WORDS)
"""In the order in which one kind builds on the other."""
DUMP_WORDS = (*JOB_WORDS, *LIST_WORDS, EVENTS)
"""What a dump fetches by default: everything that takes only a few requests per night."""
_ALL_WORDS = tuple(word for word in EXPORT_WORDS if word != REPORT)
"""What `all` stands for in a dump; reports are named by `--reports`."""


def kinds_for(options: ExportOptions) -> list[ExportKind]:
    """Return the kinds that the options name.

    Raises:
        UsageError: A word is unknown, there is none, or options cannot be combined.
    """
    words = dict.fromkeys(options.words)
    if not words:
        raise UsageError(f"name what to export: {', '.join(EXPORT_WORDS)}")
    _refuse_unknown(tuple(words), EXPORT_WORDS)
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
    # At last, and in this order: `current/` must not hold what was removed.
    if options.retention_days is not None:
        kinds.append(OldDataRemoval(options.retention_days))
    if options.compact:
        kinds.append(Compaction())
    return kinds


def demand_same_partition(options: ExportOptions) -> None:
    """Refuse other folders than a data set has: readers cannot open one with two kinds of them.

    Raises:
        UsageError: `--partition` names others.
    """
    if options.partition is None or not options.out.is_dir():
        return
    catalogue = Catalogue(options.out)
    written = (LIVE_EXPORTS[word].data_set if word in LIVE_EXPORTS else word for word in options.words)
    for name in dict.fromkeys(written):
        data_set = DATA_SETS.get(name)
        present = catalogue.partition(name) if data_set is not None and data_set.partitions else None
        if data_set is None or present is None or present == options.parts(data_set).folders_of(data_set):
            continue
        raise UsageError(
            f"{options.out / name} is partitioned by {' and '.join(present) or 'nothing'}, and keeps it: readers "
            "cannot open a data set with two kinds of folders. Leave out --partition, or use a new folder"
        )


# --- The words of a dump ---


def dumped_words(given: Sequence[str]) -> tuple[str, ...]:
    """Return the words that `--what` names, in the order of `EXPORT_WORDS`.

    `+word` and `-word` change the default, or `all` if that comes first; words without a sign replace the default.

    Raises:
        UsageError: A word is unknown, words with and without a sign are mixed, or one to leave out is not dumped.
    """
    given = tuple(dict.fromkeys(given))
    starts_with_all = bool(given) and given[0] in (ALL, f"+{ALL}")
    rest = given[1:] if starts_with_all else given
    if misplaced := [word for word in rest if word.lstrip("+- ") == ALL]:
        raise UsageError(f"--what {misplaced[0]}: `{ALL}` stands first, as in --what {ALL},-items")
    signed = [word for word in rest if word[0] in "+-"]
    plain = [word for word in rest if word[0] not in "+-"]
    _refuse_unknown([*plain, *(word[1:].strip() for word in signed)], (*EXPORT_WORDS, ALL))
    if plain and (signed or starts_with_all):
        first = plain[0]
        raise UsageError(
            f"--what mixes {(signed or [ALL])[0]!r} and {first!r}: use +{first} to add it, or leave out all signs to "
            "name everything that is wanted"
        )
    if plain:
        return tuple(plain)
    chosen = set(_ALL_WORDS if starts_with_all else DUMP_WORDS)
    for word in signed:
        name = word[1:].strip()
        if word[0] == "-" and name not in chosen:
            meant = closest(name, chosen)
            has = ", ".join(word for word in EXPORT_WORDS if word in chosen)
            hint = f"; did you mean -{meant}?" if meant else f"; it has: {has}"
            raise UsageError(f"--what {word}: {name} is not dumped anyway{hint}")
        (chosen.add if word[0] == "+" else chosen.discard)(name)
    return tuple(word for word in EXPORT_WORDS if word in chosen)


def _refuse_unknown(words: Sequence[str], known: Collection[str]) -> None:
    if strange := [word for word in words if word not in known]:
        meant = closest(strange[0], known)
        hint = f"did you mean {meant!r}? " if meant else ""
        raise UsageError(f"unknown object {strange[0]!r}; {hint}choose from: {', '.join(known)}")


# --- The reports of a dump ---


def demand_known_reports(options: ExportOptions) -> None:
    """Refuse a metric set that is not known, unless the data set has rows of it already.

    A wrong name would otherwise fail in each of its windows, night after night.

    Raises:
        UsageError: There is one.
    """
    listed = {name.lower() for name in (*METRIC_SETS, *OLDER_METRIC_SETS, ALL)}
    strange = [name for name in options.report.metric_sets if name.lower() not in listed]
    if not strange:
        return
    present = set(Catalogue(options.out).data_sets()) if options.out.is_dir() else set[str]()
    for query in queries_of(options.report):
        name = query.metrics.name
        if name.lower() in listed or query.data_set in present:
            continue
        close = closest_few(name, METRIC_SETS, most=3)
        meant = f"did you mean {one_of(close)}? " if close else ""
        listing = next_command("schema", "show", "--reports")
        raise UsageError(
            f"--reports: unknown metric set {name!r}; {meant}run `{listing}` to list them. If Gladly has added it, "
            f"`{next_command('export', 'report', name, '--out', options.out, connects=True)}` tries it once, and later "
            "dumps accept it"
        )
