"""An export file, while it is downloaded, into typed rows for their partitions.

Three kinds of threads pass bundles on: the caller cuts lines and sorts them by kind, parsers read
bundles (fast where all lines fit, line by line where some do not), and one writer takes the results
in the order of the bundles. Between them there are never more than eight bundles. The caller is
itself a worker thread beside the event loop, and takes one block of the download at a time, so that
a slow disk slows the download down and memory stays bounded.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly.lake.arrow import Array, extremes_of, integers, scalar
from bulkgladly.lake.fitted_lines import fit_line
from bulkgladly.lake.line_bundles import BATCH_BYTES, BUNDLE_BYTES, Bundle, LineBatch, Sorter, cut
from bulkgladly.lake.rows import Drift, DriftLog, Reject, Rows
from bulkgladly.lake.schemas import DataSet, Shape
from bulkgladly.lake.typed_rows import Unfit, read_fitting
from bulkgladly.lines import MAX_LINE_BYTES
from bulkgladly.strict_json import Unusable

__all__ = (
    "BundleResult",
    "ConversionSummary",
    "ConvertOptions",
    "Parser",
    "by_partition",
    "convert",
    "read_line_by_line",
)

_IN_FLIGHT = 8
_IN_FLIGHT_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """How a file is converted. `parsers` is the number of threads that parse; one more thread writes.

    With `is_fast` False every line takes the slow path, which gives the same rows.
    """

    parsers: int = 2
    batch_bytes: int = BATCH_BYTES
    bundle_bytes: int = BUNDLE_BYTES
    max_line_bytes: int = MAX_LINE_BYTES
    is_fast: bool = True


@dataclass(slots=True)
class ConversionSummary:
    """The counts of a converted file. Always, lines = rows + rejected + blank."""

    lines: int = 0
    blank: int = 0
    rows: int = 0
    rejected: int = 0
    bytes: int = 0
    slow_lines: int = 0
    """Lines that took the slow path, most of them unchanged."""
    drift: DriftLog = field(default_factory=DriftLog)

    @property
    def is_balanced(self) -> bool:
        """Whether every line is accounted for."""
        return self.lines == self.rows + self.rejected + self.blank


def convert(
    blocks: Iterable[bytes],
    data_set: DataSet,
    *,
    write: Callable[[Rows], None],
    reject: Callable[[Reject], None],
    options: ConvertOptions | None = None,
) -> ConversionSummary:
    """Read a file to its end and pass on its rows and rejects.

    `blocks` is the file, cut anywhere. `write` and `reject` are called from one other
    thread, one call at a time, rows of one kind in file order unless a line had to be
    fitted. At most eight bundles of about a megabyte are in flight between reading and writing,
    or fewer where long lines make them larger: above 32 MiB they are processed one after the other.

    Raises:
        Exception: Whatever `blocks`, `write` or `reject` raised. What was written before that
            remains; the threads have ended.
    """
    options = options or ConvertOptions()
    report = ConversionSummary()
    sorter = Sorter(data_set, bundle_bytes=options.bundle_bytes)
    with _Threads(data_set, write, reject, report, options) as line:
        counted = _counted(blocks, report)
        for batch in cut(counted, batch_bytes=options.batch_bytes, max_line_bytes=options.max_line_bytes):
            if batch.too_long is not None:
                line.refuse(_too_long(batch, options))
                continue
            report.lines += len(batch.lines)
            for bundle in sorter.add(batch):
                line.put(bundle)
        for bundle in sorter.rest():
            line.put(bundle)
    return report


def _counted(blocks: Iterable[bytes], report: ConversionSummary) -> Iterator[bytes]:
    for block in blocks:
        report.bytes += len(block)
        yield block


def _too_long(batch: LineBatch, options: ConvertOptions) -> Reject:
    detail = f"longer than {options.max_line_bytes} bytes; only the beginning is kept"
    return Reject(batch.first, "line_too_long", detail, batch.too_long or b"")


class _Threads:
    """Parsers side by side, then one writer that takes their results in the order of the bundles."""

    def __init__(
        self,
        data_set: DataSet,
        write: Callable[[Rows], None],
        reject: Callable[[Reject], None],
        report: ConversionSummary,
        options: ConvertOptions,
    ) -> None:
        self._data_set = data_set
        self._write = write
        self._reject = reject
        self._report = report
        self._read = _read_bundle if options.is_fast else read_line_by_line
        self._parsers = ThreadPoolExecutor(options.parsers, thread_name_prefix="lake-parse")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lake-write")
        self._in_flight: deque[tuple[Future[None], int]] = deque()
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            while kind is None and self._in_flight:
                self._wait_for_one()
        finally:
            self._parsers.shutdown(cancel_futures=True)
            self._writer.shutdown(cancel_futures=True)

    def put(self, bundle: Bundle) -> None:
        """Pass a bundle on; wait while eight are in flight. Raises what an earlier bundle raised."""
        size = len(bundle.data)
        self._make_room(size)
        parsed = self._parsers.submit(self._read, bundle, self._data_set)
        self._in_flight.append((self._writer.submit(self._hand_over, parsed), size))
        self._bytes += size

    def refuse(self, refused: Reject) -> None:
        """Pass on a line that never reaches a bundle."""
        self._report.lines += 1
        self._make_room(0)
        self._in_flight.append((self._writer.submit(self._pass_rejects, [refused]), 0))

    def _make_room(self, size: int) -> None:
        # One bundle is let through whatever its size, or a line above the limit could never pass.
        while len(self._in_flight) >= _IN_FLIGHT or (self._in_flight and self._bytes + size > _IN_FLIGHT_BYTES):
            self._wait_for_one()

    def _wait_for_one(self) -> None:
        oldest, size = self._in_flight.popleft()
        oldest.result()
        self._bytes -= size

    # Both run in the one thread of the writer, so that the summary needs no lock.

    def _hand_over(self, parsed: "Future[BundleResult]") -> None:
        result = parsed.result()
        for rows in result.rows:
            self._write(rows)
            self._report.rows += rows.batch.num_rows
        self._pass_rejects(result.rejects)
        self._report.drift.take(result.drift)
        self._report.slow_lines += result.slow_lines
        self._report.blank += result.blank

    def _pass_rejects(self, rejects: list[Reject]) -> None:
        for refused in rejects:
            self._reject(refused)
            self._report.rejected += 1


# --- One bundle, in the thread of a parser ---

_BLANK = b" \t\r"
_OF_KIND: Mapping[str, Callable[[str], str]] = {
    "type": lambda kind: kind,
    "entity": lambda kind: kind.partition("/")[0],
}
"""Partitions that are derived from the kind of a line."""


class Parser(Protocol):
    """Reads lines that fit a shape, all or none of them, as `typed_rows.read_fitting` does."""

    def __call__(self, shape: Shape, data: bytes, numbers: Array, *, is_fitted: bool = False) -> pa.RecordBatch:
        """Return the rows, or raise Unfit."""
        ...


class _Read(NamedTuple):
    """A line to parse, the same line as it was in the file, and its number."""

    fitted: bytes
    line: bytes
    number: int


@dataclass(slots=True)
class BundleResult:
    """The rows, rejects and counts of one bundle."""

    rows: list[Rows] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    slow_lines: int = 0
    blank: int = 0


def _read_bundle(bundle: Bundle, data_set: DataSet) -> BundleResult:
    """Return the rows of a bundle; each line is a row, a reject, or blank."""
    if not bundle.is_doubtful:
        try:
            batch = read_fitting(data_set.shape_of(bundle.kind), bundle.data, bundle.numbers)
            return BundleResult(list(by_partition(batch, bundle.kind, data_set)))
        except Unfit:
            pass
    return read_line_by_line(bundle, data_set)


def read_line_by_line(bundle: Bundle, data_set: DataSet, parse: Parser = read_fitting) -> BundleResult:
    """Return the same line by line, whatever the lines hold: about ten times slower. `parse` reads lines that fit."""
    result = BundleResult(slow_lines=len(bundle.numbers))
    log = DriftLog()
    groups: dict[str | None, list[_Read]] = {}
    numbers: list[int] = bundle.numbers.to_pylist()
    for line, number in zip(bundle.data[:-1].split(b"\n"), numbers, strict=True):
        if not line.strip(_BLANK):
            result.blank += 1
            continue
        try:
            fitted = fit_line(line, data_set)
        except Unusable as exc:
            result.rejects.append(Reject(number, exc.code, str(exc), line))
            continue
        for path, how in fitted.drift:
            log.add(path, how, number)
        groups.setdefault(fitted.kind, []).append(_Read(fitted.line, line, number))
    for kind, group in groups.items():
        for batch in _read_all(kind, group, data_set, result, parse):
            result.rows.extend(by_partition(batch, kind, data_set))
    result.drift = list(log)
    return result


def _read_all(
    kind: str | None, group: list[_Read], data_set: DataSet, result: BundleResult, parse: Parser
) -> Iterator[pa.RecordBatch]:
    """Yield fitted lines as batches. If Arrow refuses one nevertheless, it is found by halving."""
    data = b"".join(read.fitted + b"\n" for read in group)
    numbers = integers("q", (read.number for read in group))
    try:
        yield parse(data_set.shape_of(kind), data, numbers, is_fitted=True)
    except Unfit:
        if len(group) == 1:
            (read,) = group
            result.rejects.append(Reject(read.number, "unreadable", "cannot be read as typed columns", read.line))
            return
        middle = len(group) // 2
        for part in (group[:middle], group[middle:]):
            yield from _read_all(kind, part, data_set, result, parse)


def by_partition(batch: pa.RecordBatch, kind: str | None, data_set: DataSet) -> Iterator[Rows]:
    """Yield rows of one kind, which need a `timestamp` if the data set has partitions by date, by partition."""
    folders = tuple((name, _OF_KIND[name](kind) if kind else kind) for name in data_set.partitions if name != "date")
    if "date" not in data_set.partitions:
        yield Rows(folders, batch)
        return
    days = batch.column("timestamp").cast(pa.date32())
    first, last = extremes_of(days)
    # The usual case: a bundle is of one day, and nothing has to be copied.
    if not days.null_count and first == last:
        yield Rows((*folders, ("date", first.isoformat())), batch)
        return
    for day in _in_order(days):
        mask: Array = days.is_null() if day is None else pc.equal(days, scalar(day, pa.date32()))
        yield Rows((*folders, ("date", day.isoformat() if day else None)), batch.filter(mask))


def _in_order(days: Array) -> Sequence[dt.date | None]:
    return sorted(days.unique().to_pylist(), key=lambda day: (day is None, day))
