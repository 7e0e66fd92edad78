"""What earlier runs have sent and a complete input no longer has, as `missing.csv`. Nothing is deleted."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bulkgladly.journal.missing import missing_records, rejects_without_key
from bulkgladly.journal.reject_memory import RunScope
from bulkgladly.journal.results import ResultFile, publish_lines

__all__ = ("MISSING", "MissingKeys", "write_missing")

MISSING = "missing.csv"


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
    with missing_records(folder, scope) as found:
        written = publish_lines(path, _lines([("key", "gladly_id")], found), end=b"")
    number = written.rows - 1
    if not number:
        path.unlink(missing_ok=True)
        return MissingKeys(None, 0, 0)
    file = ResultFile(written.path, number, written.size, written.digest)
    return MissingKeys(file, number, rejects_without_key(folder))


def _lines(*parts: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    for rows in parts:
        for row in rows:
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerow(row)
            yield text.getvalue().encode()
