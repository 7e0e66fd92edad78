"""What earlier runs have sent and a complete input no longer has, as `missing.csv`. Nothing is deleted."""

from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bulkgladly.files.csv_forms import CsvForm, CsvLines
from bulkgladly.journal.missing import missing_records, rejects_without_key
from bulkgladly.journal.reject_memory import RunScope
from bulkgladly.journal.results import ResultFile, publish_lines

__all__ = ("MISSING", "MissingKeys", "write_missing")

MISSING = "missing.csv"
_COLUMNS = ("key", "gladly_id")


class MissingKeys(NamedTuple):
    """The file, if there are any, their number, and how many rejected rows name no key, so that one could be theirs."""

    file: ResultFile | None
    number: int
    nameless: int


def write_missing(folder: Path, scope: RunScope) -> MissingKeys:
    """Write the keys and ids of the objects that are known in a scope, and of which the run had no row.

    Raises:
        DiskFull, JournalDamaged, JournalError: It cannot be written, or the journal or the state cannot be read.
    """
    path = folder / MISSING
    line = CsvLines(CsvForm(_COLUMNS, ",", '"', "utf-8")).line
    with missing_records(folder, scope) as found:
        written = publish_lines(path, map(line, chain([_COLUMNS], found)), end=b"")
    number = written.rows - 1
    if not number:
        path.unlink(missing_ok=True)
        return MissingKeys(None, 0, 0)
    file = ResultFile(written.path, number, written.size, written.digest)
    return MissingKeys(file, number, rejects_without_key(folder))
