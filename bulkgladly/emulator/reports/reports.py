"""The two operations on reports, and the reports as tests see them without a request.

Facts: reports.md of the fact sheet.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain, islice

from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.clock import moment_of
from bulkgladly.emulator.organisation.report_corrections import Oddities, Oddity
from bulkgladly.emulator.organisation.store import Store
from bulkgladly.emulator.protocol.replies import Reply, Stream
from bulkgladly.emulator.protocol.routing import Call, Operation
from bulkgladly.emulator.reports.facts import ReportView, directory_of
from bulkgladly.emulator.reports.metric_sets import METRIC_SETS, WORK_SESSIONS, Column, MetricSet
from bulkgladly.emulator.reports.periods import Period
from bulkgladly.emulator.reports.report_requests import CheckedRequest, read_report, read_work_sessions
from bulkgladly.emulator.reports.report_rows import ANCHORS, FIRST_DAY, Cells, ReportRequest, RowSources, rows_of

__all__ = ("REPORT_OPERATIONS", "Reports")

_CSV = "text/csv"

_DAY = timedelta(days=1)
_ROWS_PER_BLOCK = 250
_HELD_MOST = 64 * 1024
_STRANGERS = 10
_ERROR_TEXT = b"Unexpected error occurred\n"


class Reports:
    """The reports of one organisation: its history or else invented rows, and the corrections of tests.

    Invented rows depend only on the seed, the subject, the day and the directory, not on the period or the filters
    of the request, nor on the time. Reports are not part of the state file.
    """

    def __init__(self, store: Store, options: EmulatorOptions) -> None:
        self._store, self._options = store, options
        self._empty_days = frozenset(map(date.fromisoformat, options.report_empty_days))

    @property
    def oddities(self) -> Oddities:
        """Oddities by metric set (`WorkSessionEventsReport` is the set of the separate path).

        For other sets the option decides.
        """
        return self._store.report_corrections.oddities

    def rows(self, metric_set: str, *, day: date) -> list[dict[str, str]]:
        """Return the rows of one UTC day by header, as in the report with daily rows and without filters.

        Raises:
            KeyError: There is no such set.
        """
        found = _named(metric_set)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        request = ReportRequest(found, Period(start, start + _DAY), ReportView(UTC, "UTC", "utc"))
        headers = [column.header for column in found.columns]
        return [dict(zip(headers, cells, strict=True)) for cells in rows_of(request, self._sources(found))]

    def add_rows(self, metric_set: str, rows: Sequence[Mapping[str, str]], *, day: date, whole: bool = False) -> None:
        """Restate a day: a row with a known key changes the cells that it names, any other row is added.

        With `whole` the rows replace everything the day had; without rows the day is empty then. Cells
        that a new row does not name are empty. A row belongs to the inbox, agent and channel in its
        cells, or, if the set has no such column, to an inbox and a channel derived from its cells.
        In sets with buckets, only daily rows without filters are restated.

        Raises:
            KeyError: There is no such set, or a row lacks a cell of the key.
            ValueError: A row has an unknown column, or a date outside the day (UTC).
        """
        found = _named(metric_set)
        for row in rows:
            _check(row, found, day)
        entry = self._store.report_corrections.restate(found.data, day)
        if whole:
            entry.whole = True
            entry.rows.clear()
        entry.rows += [dict(row) for row in rows]

    def reply(self, checked: CheckedRequest) -> Reply:
        """Return the present report. A large one is made while it is sent."""
        found = checked.request.metric_set
        oddity = self.oddities.get(found.name, self._options.report_oddity)
        latest = datetime.fromtimestamp(self._store.clock.wall() - self._options.report_lag_s, UTC)
        request = checked.request._replace(period=checked.request.period.within(Period(FIRST_DAY, latest)))
        sources, options = self._sources(found), self._options

        def blocks() -> Iterator[bytes]:
            rows = islice(rows_of(request, sources), options.report_row_cap)
            return _document(rows, found, request.channel, oddity, header_alone=options.empty_report == "header")

        # The type is here as well, because a reply without a body would not have one.
        headers = {"Content-Disposition": f"attachment; filename={checked.filename}", "Content-Type": _CSV}
        held = bytearray()
        for block in blocks():
            held += block
            if len(held) > _HELD_MOST:
                # Only faults that break the reply in the middle need the size.
                size = cache(lambda: sum(map(len, blocks())))
                return Reply(200, headers=headers, content_type=_CSV, stream=Stream(blocks, size, chunked=True))
        return Reply(200, bytes(held), headers, _CSV)

    def _sources(self, found: MetricSet) -> RowSources:
        options = self._options
        return RowSources(
            directory_of(self._store, options.seed_customers or _STRANGERS),
            options.seed,
            options.report_rows_per_day,
            self._empty_days,
            self._store.report_corrections.restated(found.data),
            self._store.told,
        )


def _named(metric_set: str) -> MetricSet:
    return WORK_SESSIONS if metric_set == WORK_SESSIONS.name else METRIC_SETS[metric_set]


def _check(row: Mapping[str, str], found: MetricSet, day: date) -> None:
    unknown = sorted(row.keys() - {column.header for column in found.columns})
    if unknown:
        raise ValueError(f"{found.name} has no column {', '.join(unknown)}")
    missing = [found.columns[n].header for n in found.key if found.columns[n].header not in row]
    if missing:
        raise KeyError(*missing)
    dated = [row.get(column.header, "") for value in ANCHORS for column in found.columns if column.value == value]
    moment = next((moment_of(text) for text in dated if text and found.by is None), None)
    if moment is not None and moment.date() != day:
        raise ValueError(f"a row of {found.name} is dated {moment:%Y-%m-%d}: it does not belong to {day}")


def _document(
    rows: Iterable[Cells], found: MetricSet, channel: str | None, oddity: Oddity, *, header_alone: bool
) -> Iterator[bytes]:
    """Yield the CSV as bytes, in blocks of many rows."""
    if oddity == "empty_body":
        return
    if oddity == "error_text":
        yield _ERROR_TEXT
        return
    rows = iter(rows)
    first = next(rows, None)
    if first is None and not header_alone:
        return
    yield {"bom": b"\xef\xbb\xbf", "blank_first_lines": b"\n\n"}.get(oddity, b"")
    shown = _shown(found, channel, oddity)
    extra = oddity == "extra_column"
    header = [found.columns[n].header for n in shown] + ["Added Later"] * extra
    lines = ([cells[n] for n in shown] + ["new"] * extra for cells in chain(() if first is None else (first,), rows))
    yield from _encoded(chain((header,), lines))


def _shown(found: MetricSet, channel: str | None, oddity: Oddity) -> list[int]:
    shown = [n for n, column in enumerate(found.columns) if _comes(column, channel)]
    if oddity == "missing_column":
        shown.remove(found.key[0] if found.key else shown[0])
    return shown


def _comes(column: Column, channel: str | None) -> bool:
    return not column.voice_only or channel in (None, "voice")


def _encoded(lines: Iterator[Sequence[str]]) -> Iterator[bytes]:
    while block := list(islice(lines, _ROWS_PER_BLOCK)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(block)
        yield text.getvalue().encode()


def _report(call: Call) -> Reply:
    return Reports(call.store, call.options).reply(read_report(call))


def _work_sessions(call: Call) -> Reply:
    return Reports(call.store, call.options).reply(read_work_sessions(call))


_PATH = "/api/v1/reports"
_WORK_SESSIONS = f"{_PATH}/work-session-events"

REPORT_OPERATIONS = (
    Operation("POST", _PATH, "generateReport", _report, (200, 400), report=True),
    Operation("POST", _WORK_SESSIONS, "generateWorkSessionReport", _work_sessions, (200, 400), report=True),
)
