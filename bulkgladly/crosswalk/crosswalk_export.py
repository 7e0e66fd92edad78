"""The crosswalk of an object as a file: CSV, Parquet or NDJSON."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from bulkgladly.errors import UsageError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.journal.crosswalk import CrosswalkEntry, entries_in
from bulkgladly.journal.results import publish_lines
from bulkgladly.lake.text_parquet import write_texts
from bulkgladly.storage.failures import file_error

__all__ = ("COLUMNS", "FINGERPRINTS", "KNOWN", "UNKNOWN", "crosswalk_lines", "export_crosswalk")

CROSSWALK_FORMATS = (".csv", ".parquet", ".ndjson")
COLUMNS = ("host", "object", "namespace", "key", "gladly_id", "status")
FINGERPRINTS = "fingerprints"
KNOWN, UNKNOWN = "known", "unknown"
"""The status of a key: its id is known, or the object may have been sent and its outcome is unknown."""


# --- from the state to a file ---


def export_crosswalk(
    state_dir: Path,
    resource: str,
    target: Path,
    *,
    host: str | None = None,
    namespace: str | None = None,
    fingerprints: bool = False,
) -> int:
    """Write the crosswalk of an object to a CSV, Parquet or NDJSON file, and return the number of keys.

    The file is replaced as a whole, and only its owner can read it: keys may be personal.

    Raises:
        DiskFull, JournalError: It cannot be written, or the state cannot be read.
        UsageError: The object does not exist, or the file has another suffix.
    """
    spec = import_spec(resource)
    entries = entries_in(state_dir / "state.sqlite", spec.name, host=host, namespace=namespace)
    suffix = target.suffix.lower()
    if suffix not in CROSSWALK_FORMATS:
        raise UsageError(f"{target}: unknown suffix {suffix!r}; name the file *.csv, *.parquet or *.ndjson")
    if suffix == ".parquet":
        rows = (_cells(spec, one, fingerprints=fingerprints) for one in entries)
        try:
            return write_texts(target, _columns(fingerprints=fingerprints), rows)
        except OSError as error:
            raise file_error(error, target) from error
    lines = crosswalk_lines(spec, entries, is_csv=suffix == ".csv", fingerprints=fingerprints)
    return publish_lines(target, lines).rows - (suffix == ".csv")


def crosswalk_lines(
    spec: ImportSpec, entries: Iterator[CrosswalkEntry], *, is_csv: bool = True, fingerprints: bool = False
) -> Iterator[bytes]:
    """Yield entries as lines of CSV, the header first, or as lines of NDJSON; without their line ends."""
    columns = _columns(fingerprints=fingerprints)
    if is_csv:
        yield _csv_line(columns)
    for one in entries:
        cells = _cells(spec, one, fingerprints=fingerprints)
        yield _csv_line(cells) if is_csv else orjson.dumps(dict(zip(columns, cells, strict=True)))


def _columns(*, fingerprints: bool) -> tuple[str, ...]:
    return (*COLUMNS, FINGERPRINTS) if fingerprints else COLUMNS


def _cells(spec: ImportSpec, one: CrosswalkEntry, *, fingerprints: bool) -> tuple[str, ...]:
    status = KNOWN if one.gladly_id else UNKNOWN
    cells = (one.host, spec.name, one.namespace, one.key, one.gladly_id, status)
    return (*cells, one.accepted) if fingerprints else cells


def _csv_line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()
