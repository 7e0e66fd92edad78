"""A report as typed rows, with columns that are chosen once for each data folder.

The layout (columns and key) is chosen when the first row of a report is seen, and never changes
after that. What no column can hold goes to `_extra`.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, Self, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly.errors import InputError
from bulkgladly.json_paths import shown as shown_path
from bulkgladly.lake.arrow import in_schema, integers, scalar
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.merge import GONE_SINCE
from bulkgladly.lake.report_csv import BodyCutOff, CsvRow, NotAReport, beginning, records_in
from bulkgladly.lake.rows import DriftKind, DriftLog, Reject
from bulkgladly.lake.schemas import (
    EXTRA,
    FLAG,
    INT,
    LINE,
    NUMBER,
    TEXT,
    TIMESTAMP,
    Column,
    DataSet,
    Shape,
    schema_of,
)
from bulkgladly.times import moment_of

__all__ = (
    "COLUMNS_MEMO",
    "ReportBody",
    "ReportColumn",
    "ReportLayout",
    "layout_in",
    "read_report",
)

# --- The columns ---

COLUMNS_MEMO = "columns"
"""The name of the memo that holds a layout."""

WINDOW: Mapping[str, pa.DataType] = {"_fetched_at": TIMESTAMP, "_window_start": TEXT, "_window_end": TEXT}
"""Provenance of a report's rows: when it was fetched, and the first and last day requested, both included."""

_CELL_TYPES: Mapping[str, Any] = {
    "text": TEXT,
    "integer": INT,
    "number": NUMBER,
    "timestamp": TIMESTAMP,
    "flag": FLAG,
}
"""From the kind of a cell to its type in a table."""


class ReportColumn(NamedTuple):
    """A column: its name in tables, its header in the report, and its kind, a key of the types above."""

    name: str
    header: str
    kind: str


@dataclass(frozen=True)
class ReportLayout:
    """The columns of a metric set in one data folder, which never change. Further headers go to `_extra`."""

    data_set: DataSet
    columns: tuple[ReportColumn, ...]

    @classmethod
    def of(cls, name: str, columns: Sequence[ReportColumn], key: tuple[str, ...]) -> Self:
        """Return the layout of a data set. A key with a missing column is not used."""
        fields: dict[str, Any] = {column.name: _CELL_TYPES[column.kind] for column in columns} | {GONE_SINCE: TIMESTAMP}
        schema = schema_of(name, 1, fields, WINDOW)
        for column in columns:
            at = schema.get_field_index(column.name)
            named = schema.field(at).with_metadata({"bulkgladly.header": column.header})
            schema = schema.set(at, cast("Any", named))
        shape = Shape(None, tuple(Column(each, (each,), kept) for each, kept in fields.items()))
        usable = key if all(part in fields for part in key) else ()
        found = DataSet(name, 1, schema, usable, shape, partitions=("window",), provenance=WINDOW)
        return cls(found, tuple(columns))

    def as_memo(self) -> dict[str, Any]:
        """Return the columns and the key as the memo about the data set holds them."""
        columns = [column._asdict() for column in self.columns]
        return {"format": 1, "columns": columns, "key": list(self.data_set.key)}

    @classmethod
    def from_memo(cls, name: str, memo: Mapping[str, Any], key: tuple[str, ...] | None = None) -> Self:
        """Return the remembered layout, with its own key or the one that is passed.

        Raises:
            ValueError: The memo is damaged, or was written by a newer version.
        """
        try:
            if memo["format"] != 1:
                raise ValueError("it was written by a newer version of bulkgladly")
            columns = [ReportColumn(**column) for column in memo["columns"]]
            return cls.of(name, columns, tuple(memo.get("key", ())) if key is None else key)
        except (KeyError, TypeError) as exc:
            raise ValueError(f"{type(exc).__name__}: {exc}") from exc


def layout_in(folder: Catalogue, name: str, key: tuple[str, ...] | None = None) -> ReportLayout | None:
    """Return the layout that a folder remembers for a report, with its own key or the one that is passed, or None.

    Raises:
        InputError: The memo is damaged.
    """
    memo = folder.remembered(name, COLUMNS_MEMO, is_needed=True)
    try:
        return None if memo is None else ReportLayout.from_memo(name, memo, key)
    except ValueError as exc:
        raise InputError(f"the columns noted for {name} cannot be read: {exc}; restore the note") from exc


# --- The rows ---

_BATCH_ROWS = 4096
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_FLAGS = {"true": True, "false": False, "yes": True, "no": False}


@dataclass(slots=True)
class ReportBody:
    """What a body holds: records = rows + beyond + rejects + blank.

    `batches` have the columns of the layout, `_line`, and `_extra`; there is a layout if there is a
    row. `missing` names columns of the layout that the body lacks. `beyond` counts the rows that were
    left out, see `keep_before`.
    """

    header: tuple[str, ...] = ()
    layout: ReportLayout | None = None
    batches: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    beyond: int = 0
    rejects: list[Reject] = field(default_factory=list)
    blank: int = 0
    missing: tuple[str, ...] = ()
    drift: DriftLog = field(default_factory=DriftLog)

    def keep_before(self, end: dt.datetime, anchor: Sequence[str]) -> None:
        """Leave out the rows at or after `end`: the request for the time after it returns them.

        The time of a row is the first of the `anchor` columns that has a value; a row without one stays.
        """
        kept: list[pa.RecordBatch] = []
        for batch in self.batches:
            times = [batch.column(name) for name in anchor if name in batch.schema.names]
            if times:
                is_before = pc.less(pc.coalesce(*times), scalar(end, TIMESTAMP))
                kept.append(batch.filter(cast("Any", is_before).fill_null(fill_value=True)))
            else:
                kept.append(batch)
        rows = sum(batch.num_rows for batch in kept)
        self.beyond += self.rows - rows
        self.batches, self.rows = kept, rows

    def table(self, origin: Mapping[str, Any]) -> pa.Table:
        """Return the rows with the whole schema of their data set; `origin` has their provenance.

        Only for a body with at least one row.
        """
        if self.layout is None:
            raise ValueError("no row, so no schema")
        return in_schema(pa.Table.from_batches(self.batches), self.layout.data_set.schema, origin)


def read_report(
    blocks: Iterable[bytes],
    names_of: Callable[[Sequence[str]], tuple[str, ...]],
    check: Callable[[tuple[str, ...]], None],
    settle: Callable[[tuple[str, ...], tuple[str, ...]], ReportLayout],
) -> ReportBody:
    """Read the body of a report to its end. For a worker thread.

    `names_of` turns headers into names of columns. `check` takes the names and raises NotAReport if
    they are not those of the report. `settle` takes the headers and the names when the first row is
    read, and returns the layout, which has some of them.

    All rows are held in memory: as many as the API returns in one reply.

    Raises:
        BodyCutOff: The body is not complete, or was sent more than once.
        NotAReport: It is not this report.
        Exception: Whatever `blocks` raised.
    """
    return _Reading(names_of, check, settle).read(blocks)


class _Reading:
    def __init__(
        self,
        names_of: Callable[[Sequence[str]], tuple[str, ...]],
        check: Callable[[tuple[str, ...]], None],
        settle: Callable[[tuple[str, ...], tuple[str, ...]], ReportLayout],
    ) -> None:
        self._names_of, self._check, self._settle = names_of, check, settle
        self._body = ReportBody()
        self._names: tuple[str, ...] = ()
        self._first: Sequence[str] = ()
        self._held: list[CsvRow] = []

    def read(self, blocks: Iterable[bytes]) -> ReportBody:
        body = self._body
        for record in records_in(blocks):
            if not body.header:
                self._begin(record)
            elif isinstance(record, Reject):
                body.rejects.append(record)
            elif not record.cells:
                body.blank += 1
            elif record.cells == self._first:
                raise BodyCutOff(f"its first line is repeated on line {record.line}: the body was sent twice")
            elif len(record.cells) == len(body.header):
                self._held.append(record)
                if len(self._held) == _BATCH_ROWS:
                    self._flush()
            elif not record.has_end:  # too few cells at the very end are a cut, anywhere else a bad row
                raise BodyCutOff(f"the body ends within the record on line {record.line}")
            else:
                detail = f"has {len(record.cells)} cells, the header has {len(body.header)}"
                body.rejects.append(Reject(record.line, "ragged_row", detail, record.raw))
        self._flush()
        if body.rejects and not body.rows:
            raise NotAReport(f"no line has as many cells as its first, which is {beginning(','.join(body.header))!r}")
        return body

    def _begin(self, record: CsvRow | Reject) -> None:
        """Read the first line that is not blank as the header."""
        if isinstance(record, Reject):
            raise NotAReport(f"its first line is {beginning(record.raw.decode(errors='replace'))!r}")
        cells = tuple(cell.strip("\ufeff \t\r\n") for cell in record.cells)
        if not any(cells):
            self._body.blank += 1
            return
        self._body.header, self._first = cells, record.cells
        if len(cells) == 1 or cells[0][:1] in "<{[":
            raise NotAReport(f"its first line is {beginning(','.join(cells))!r}")
        self._names = self._names_of(cells)
        self._check(self._names)

    def _flush(self) -> None:
        if not self._held:
            return
        body = self._body
        if body.layout is None:
            body.layout = self._settle(body.header, self._names)
            body.missing = tuple(each.name for each in body.layout.columns if each.name not in self._names)
        body.batches.append(_typed(self._held, self._names, body.layout, body.drift))
        body.rows += len(self._held)
        self._held = []


def _typed(records: Sequence[CsvRow], names: tuple[str, ...], layout: ReportLayout, drift: DriftLog) -> pa.RecordBatch:
    """Return records as typed columns; what no column can hold goes to `_extra` as text."""
    extra: list[dict[str, str]] = [{} for _ in records]
    arrays: dict[str, Any] = {}
    at_of = {name: at for at, name in enumerate(names)}
    # What is left of `at_of` afterwards are the headers that the layout does not have.
    for column in layout.columns:
        kept = _CELL_TYPES[column.kind]
        at = at_of.pop(column.name, None)
        if at is None:
            arrays[column.name] = pa.nulls(len(records), kept)
            continue
        texts = [record.cells[at] for record in records]
        values: Sequence[Any] = [text or None for text in texts]
        if column.kind != "text":
            path = shown_path((column.name,))
            values = list(map(_CONVERT[column.kind], texts))
            for row, (text, value) in enumerate(zip(texts, values, strict=True)):
                if text and value is None:
                    extra[row][path] = text
                    drift.add(path, DriftKind.MISFIT, records[row].line)
        arrays[column.name] = pa.array(values, kept)
    for name, at in at_of.items():
        path = shown_path((name,))
        for row, record in enumerate(records):
            if text := record.cells[at]:
                extra[row][path] = text
                drift.add(path, DriftKind.UNKNOWN_FIELD, record.line)
    arrays[LINE] = integers("q", (record.line for record in records))
    arrays[EXTRA] = pa.array([orjson.dumps(found).decode() if found else None for found in extra], TEXT)
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


# --- Cells: a value, or None for a text that must stay a text ---


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


def _number(text: str) -> float | None:
    """Return a number that a float holds exactly; one with more digits stays a text."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if abs(number) < 1e300 and Decimal(repr(number)) == Decimal(text) else None


def _timestamp(text: str) -> Any:
    """Return a time with a zone; one finer than a microsecond stays a text."""
    moment = moment_of(text)
    return None if moment is None or moment.lost_ns else moment.time


def _flag(text: str) -> bool | None:
    return _FLAGS.get(text.lower())


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "integer": _integer,
    "number": _number,
    "timestamp": _timestamp,
    "flag": _flag,
}
