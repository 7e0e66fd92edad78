"""What earlier runs have sent and a complete input no longer has, as `missing.csv`, and whether it may be deleted."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bulkgladly.files.csv_forms import CsvForm, CsvLines
from bulkgladly.gladly.identity import derive_id
from bulkgladly.journal.missing import (
    MissingRecord,
    has_accepted_rows,
    known_before,
    known_in,
    missing_records,
    rejects_without_key,
    rows_without_key,
)
from bulkgladly.journal.reject_memory import RunScope
from bulkgladly.journal.results import ResultFile, publish_lines
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.records import Mode
from bulkgladly.runs.observer import counted

__all__ = (
    "DELETED_ROWS",
    "MISSING",
    "MissingKeys",
    "is_above",
    "is_missing_deletion",
    "is_ours",
    "why_none_deleted",
    "write_missing",
)

MISSING = "missing.csv"
DELETED_ROWS = "missing.ndjson"
"""The input of the run that deletes what is missing, in its own folder."""
_COLUMNS = ("key", "gladly_id")


class MissingKeys(NamedTuple):
    """The file, if there are any, their number, and how many rejected rows name no key, so that one could be theirs.

    `ours` are those that an import has created, as far as that is certain: no others are ever deleted. `kept` are those
    that an earlier deletion has kept, `ours_kept` the part of them that is ours.
    """

    file: ResultFile | None
    number: int
    nameless: int
    ours: int = 0
    kept: int = 0
    ours_kept: int = 0


def write_missing(folder: Path, scope: RunScope) -> MissingKeys:
    """Write the keys and ids of the objects that are known in a scope, and of which the run had no row.

    Raises:
        DiskFull, JournalDamaged, JournalError: It cannot be written, or the journal or the state cannot be read.
    """
    path = folder / MISSING
    line = CsvLines(CsvForm(_COLUMNS, ",", '"', "utf-8")).line
    ours = kept = ours_kept = 0

    def cells(records: Iterable[MissingRecord]) -> Iterator[tuple[str, str]]:
        nonlocal ours, kept, ours_kept
        for one in records:
            ours, kept = ours + is_ours(one, scope), kept + one.is_kept
            ours_kept += one.is_kept and is_ours(one, scope)
            yield one.key, one.gladly_id

    with missing_records(folder, scope) as found:
        written = publish_lines(path, map(line, chain([_COLUMNS], cells(found))), end=b"")
    number = written.rows - 1
    if not number:
        path.unlink(missing_ok=True)
        return MissingKeys(None, 0, 0)
    file = ResultFile(written.path, number, written.size, written.digest)
    return MissingKeys(file, number, rejects_without_key(folder), ours, kept, ours_kept)


def is_ours(record: MissingRecord, scope: RunScope) -> bool:
    """Tell whether an import has certainly created an object, and the key still stands for it.

    An id that is derived from the key is given by imports under this namespace only. Any other id is that of a
    create that the state remembers; a customer who was found in Gladly, or into whom another was merged, has none.
    What another namespace knows as well is not only ours: its source may still have it.
    """
    if record.is_shared:
        return False
    if record.made == record.gladly_id:
        return True
    return record.gladly_id == derive_id(scope.host, scope.resource, scope.namespace, record.key)


def is_missing_deletion(header: RunHeader) -> bool:
    """Tell whether a run deletes what an import found missing."""
    is_child = header.mode == Mode.DELETE and header.parent is not None
    return is_child and any(Path(file.path).name == DELETED_ROWS for file in header.inputs)


def is_above(missing: int, folder: Path, scope: RunScope, limit: float) -> bool:
    """Tell whether a number of missing records is more than a limit, in percent of what earlier runs have sent.

    Raises:
        JournalDamaged: The journal or the state cannot be read.
    """
    return missing * 100 > _known(folder, scope) * limit


def _known(folder: Path, scope: RunScope) -> int:
    # What this run has sent for the first time makes no deletion smaller: somebody has agreed to a share of the others.
    before = known_before(folder)
    return before if before is not None else known_in(scope)


def why_none_deleted(folder: Path, scope: RunScope, missing: int, limit: float) -> str | None:
    """Return why nothing may be deleted although records are missing, or None.

    Raises:
        JournalDamaged: The journal or the state cannot be read.
    """
    if not has_accepted_rows(folder):
        # No limit is meant for that: such a file says nothing of what there is.
        return (
            f"the files have no row that was accepted, so {counted(missing, 'record')} of earlier runs would be "
            "missing; correct the files, and import them again"
        )
    known = _known(folder, scope)
    if is_above(missing, folder, scope, limit):
        share = f"{missing * 100 / known:.1f} %" if known else "all"
        return (
            f"{counted(missing, 'record')} of {known:,} ({share}) would be missing, more than --missing-limit "
            f"{limit:g}; look at {MISSING}, and if the files are right, pass a higher limit"
        )
    if nameless := rows_without_key(folder):
        return (
            f"{counted(nameless, 'row')} without a key may be among the {missing:,} that are missing; correct "
            "these rows, and import the files again"
        )
    return None
