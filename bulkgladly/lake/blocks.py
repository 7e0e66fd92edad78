"""One bundle of lines into typed rows: fast where all fit, line by line where some do not."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly.lake.arrow import Array, extremes_of, integers, scalar
from bulkgladly.lake.fitted_lines import mend
from bulkgladly.lake.line_kinds import Bundle
from bulkgladly.lake.partition_places import Partition
from bulkgladly.lake.rows import Drift, DriftLog
from bulkgladly.lake.schemas.shapes import DataSet
from bulkgladly.lake.strict import Unusable
from bulkgladly.lake.typed_rows import Unfit, read_fitting

__all__ = ("BundleResult", "Reject", "Rows", "read_bundle", "read_mended")

_BLANK = b" \t\r"
_OF_KIND: Mapping[str, Callable[[str], str]] = {
    "type": lambda kind: kind,
    "entity": lambda kind: kind.partition("/")[0],
}
"""Partitions that follow from the kind of a line."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that is no row: its number, why, and its bytes (of one that is too long, the first)."""

    line: int
    code: str
    detail: str
    raw: bytes


class Rows(NamedTuple):
    """Rows of one partition, in file order: the columns of their shape, `_line`, and perhaps `_extra`.

    A column of the data set that is missing is null throughout, or the provenance of the unit.
    """

    partition: Partition
    batch: pa.RecordBatch


class _Read(NamedTuple):
    """A line as it is to be parsed, as it stood in the file, and its number."""

    mended: bytes
    line: bytes
    number: int


@dataclass(slots=True)
class BundleResult:
    """What became of a bundle."""

    rows: list[Rows] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    mended_lines: int = 0
    blank: int = 0


def read_bundle(bundle: Bundle, data_set: DataSet) -> BundleResult:
    """Return the rows of a bundle; each line is a row, a reject, or blank."""
    if not bundle.is_doubtful:
        try:
            batch = read_fitting(data_set.shape_of(bundle.kind), bundle.data, bundle.numbers)
            return BundleResult(list(_by_partition(batch, bundle.kind, data_set)))
        except Unfit:
            pass
    return read_mended(bundle, data_set)


def read_mended(bundle: Bundle, data_set: DataSet) -> BundleResult:
    """Do the same line by line, whatever the lines are: about ten times slower."""
    result = BundleResult(mended_lines=len(bundle.numbers))
    log = DriftLog()
    groups: dict[str | None, list[_Read]] = {}
    numbers: list[int] = bundle.numbers.to_pylist()
    for line, number in zip(bundle.data[:-1].split(b"\n"), numbers, strict=True):
        if not line.strip(_BLANK):
            result.blank += 1
            continue
        try:
            mended = mend(line, data_set)
        except Unusable as exc:
            result.rejects.append(Reject(number, exc.code, str(exc), line))
            continue
        for path, how in mended.drift:
            log.note(path, how, number)
        groups.setdefault(mended.kind, []).append(_Read(mended.line, line, number))
    for kind, group in groups.items():
        for batch in _read_all(kind, group, data_set, result):
            result.rows.extend(_by_partition(batch, kind, data_set))
    result.drift = list(log)
    return result


def _read_all(
    kind: str | None, group: list[_Read], data_set: DataSet, result: BundleResult
) -> Iterator[pa.RecordBatch]:
    """Yield mended lines as batches. Should Arrow refuse one all the same, halving finds it."""
    data = b"".join(read.mended + b"\n" for read in group)
    numbers = integers("q", (read.number for read in group))
    try:
        yield read_fitting(data_set.shape_of(kind), data, numbers, is_mended=True)
    except Unfit:
        if len(group) == 1:
            (read,) = group
            result.rejects.append(Reject(read.number, "unreadable", "cannot be read as typed columns", read.line))
            return
        middle = len(group) // 2
        for part in (group[:middle], group[middle:]):
            yield from _read_all(kind, part, data_set, result)


def _by_partition(batch: pa.RecordBatch, kind: str | None, data_set: DataSet) -> Iterator[Rows]:
    folders = tuple((name, _OF_KIND[name](kind) if kind else kind) for name in data_set.partitions if name != "date")
    if "date" not in data_set.partitions:
        yield Rows(folders, batch)
        return
    days = batch.column("timestamp").cast(pa.date32())
    first, last = extremes_of(days)
    if not days.null_count and first == last:
        yield Rows((*folders, ("date", first.isoformat())), batch)
        return
    for day in _in_order(days):
        mask: Array = days.is_null() if day is None else pc.equal(days, scalar(day, pa.date32()))
        yield Rows((*folders, ("date", day.isoformat() if day else None)), batch.filter(mask))


def _in_order(days: Array) -> Sequence[dt.date | None]:
    return sorted(days.unique().to_pylist(), key=lambda day: (day is None, day))
