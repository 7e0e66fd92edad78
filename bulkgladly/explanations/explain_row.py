"""The row of a record, as it is in the input, and what the mapping made of it; as far as both are still there."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.errors import BulkgladlyError
from bulkgladly.files.inputs import Inputs
from bulkgladly.files.opening import open_reader
from bulkgladly.gladly.spec import Draft, ImportSpec
from bulkgladly.imports.drafts import Preparer
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import mapper_for, reading_for
from bulkgladly.imports.preview import Previewer, PreviewRecord
from bulkgladly.journal.record_lookup import SettledRecord
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.records import Part, Position, Problem, Row

__all__ = ("RowFound", "row_of")


class RowFound(NamedTuple):
    """What is still known of the row of a record.

    `source` is the row as it is in the file; None if that cannot be read, and `note` says why. `made` is what became of
    it, `draft` the record that was sent. Both are None if the mapping can no longer be used.
    """

    source: Mapping[str, Any] | None
    note: str | None = None
    made: PreviewRecord | None = None
    draft: Draft | None = None
    part: Part | None = None


def row_of(
    header: RunHeader,
    spec: ImportSpec,
    options: ImportOptions,
    position: Position,
    *,
    record: SettledRecord | None = None,
    nth: int = 0,
) -> RowFound:
    """Return the row at a position, and the record of it that is meant: the one with the key, else the n-th.

    It is read from the input, unless that has changed since; then from the journal, which has the rows that did not
    arrive.
    """
    row, note = _read(header, options, position)
    if row is None and record is not None and record.original:
        row, note = _original(record), f"{note}; this row is from the journal"
    if row is None or row.fields is None:
        if row is not None and row.problem is not None:
            note = row.problem.detail
        return RowFound(None, note)
    try:
        return _mapped(header, spec, options, row, record, nth)._replace(note=note)
    except BulkgladlyError as error:
        return RowFound(row.fields, f"what became of it is not shown: {error}")


def _read(header: RunHeader, options: ImportOptions, position: Position) -> tuple[Row | None, str | None]:
    """Read one row again; or return why it cannot be."""
    if position.file >= len(header.inputs):
        return None, "the run has no input files"
    was = header.inputs[position.file]
    path = Path(was.path)
    try:
        now = path.stat()
    except OSError:
        return None, f"{path.name} is gone"
    if (now.st_size, now.st_mtime_ns) != (was.size, was.mtime_ns):
        return None, f"{path.name} has changed since the run began"
    try:
        reader = open_reader(path, position.file, reading_for(options.mapping, options.reading))
        batches: Any = reader.batches(position, size=1)
        with closing(batches):
            row = next(iter(batches), [None])[0]
    except (BulkgladlyError, OSError) as error:
        return None, f"{path.name} cannot be read: {error}"
    if row is None or row.position.number != position.number:
        return None, f"{path.name} has no row there any more"
    return row, None


def _original(record: SettledRecord) -> Row:
    fields = orjson.loads(record.original or b"{}")
    note = fields.pop("_bulkgladly", None)
    if not fields and isinstance(note, dict):
        fields = {name: value for name, value in note.items() if name in ("raw", "raw_base64")}
    return Row(record.position, fields)


def _mapped(
    header: RunHeader, spec: ImportSpec, options: ImportOptions, row: Row, record: SettledRecord | None, nth: int
) -> RowFound:
    source = row.fields or {}
    preparer = Preparer(spec, options.policy(header.host), options.ignore_columns)
    expand = mapper_for(options.mapping, spec, options.key, drops=options.drops)
    rows = [row] if expand is None else expand(row)
    items = [preparer.draft_of(one) for one in rows]
    at = _meant(items, record, nth)
    chosen, item = rows[at], items[at]
    path = header.inputs[row.position.file].path
    inputs = Inputs([open_reader(Path(path), 0, options.reading)]) if Path(path).exists() else Inputs([])
    made = Previewer(spec, options, preparer, expand, inputs).record(chosen, source)
    return RowFound(source, None, made, item if isinstance(item, Draft) else None, chosen.part)


def _meant(items: Sequence[Draft | Problem], record: SettledRecord | None, nth: int) -> int:
    """Return which of a row's records is meant."""
    if record is not None and record.key is not None:
        for at, item in enumerate(items):
            if isinstance(item, Draft) and item.key == record.key:
                return at
    return min(nth, len(items) - 1)
