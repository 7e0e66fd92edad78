"""All replies for the days of one window; days whose reply is cut are requested in smaller pieces."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bulkgladly.api.downloads import BrokeOff
from bulkgladly.errors import BodyTooLong, ReplyLost
from bulkgladly.exports.export_context import Context, read_in_thread, why
from bulkgladly.exports.report_plan import ReportHistory, span_of
from bulkgladly.gladly.metric_sets import column_names
from bulkgladly.gladly.report_queries import CHANNELS, Query, request_for
from bulkgladly.gladly.report_windows import Days, Filters, Grid, Split, by_days, by_filters
from bulkgladly.gladly.table import live_export
from bulkgladly.lake.report_csv import BodyCutOff, NotAReport, beginning
from bulkgladly.lake.report_table import ReportBody, read_report
from bulkgladly.messages import GET_ORGANIZATION, Reply, Request

__all__ = ("FullDays", "ReportFailed", "ReportFetch", "WindowReplies")

TRIES = 3
"""The most downloads of one reply; each of them counts towards the ten per minute."""

_PERIOD_FIELDS = frozenset({"startAt", "endAt", "startAtTime", "endAtTime", "timezone"})

P = TypeVar("P")
A = TypeVar("A")
R = TypeVar("R")


class ReportFailed(Exception):
    """The window cannot be fetched now; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class FullDays:
    """Days whose reply was cut, and the replies to the same days with filters.

    `is_whole` says that the filtered replies must be everything; `is_uncut` that none of them was cut.
    """

    days: Days
    cut: ReportBody
    filtered: tuple[ReportBody, ...]
    is_whole: bool
    is_uncut: bool


@dataclass(slots=True)
class WindowReplies:
    """The replies for one window: `plain` and `full` together cover each of its days once."""

    plain: list[ReportBody] = field(default_factory=list)
    full: list[FullDays] = field(default_factory=list)

    @property
    def bodies(self) -> Iterator[ReportBody]:
        """All replies."""
        yield from self.plain
        for days in self.full:
            yield from (*days.filtered, days.cut)


class ReportFetch:
    """Requests the days of one window of a report.

    All rows of the window are held in memory, because only the number of rows shows whether a reply was
    cut.
    """

    def __init__(self, context: Context, query: Query, history: ReportHistory, grid: Grid, *, row_cap: int) -> None:
        self._context, self._query, self._history = context, query, history
        self._grid, self._row_cap = grid, row_cap

    async def answers(self, days: Days) -> WindowReplies:
        """Return all replies for some days.

        Raises:
            ReportFailed: One of them cannot be fetched.
            Fatal, Outage: The run cannot continue.
        """
        found = WindowReplies()
        cut: dict[Days, ReportBody] = {}
        step = self._grid.step
        plan = by_days(days, step, self._history.longest)
        stretch, full = _next(plan, None)
        while stretch is not None:
            body = await self._body(stretch)
            is_cut = self._is_cut(body)
            if not is_cut:
                found.plain.append(body)
            elif step is None or stretch.length <= step:
                cut[stretch] = body
            else:
                # What did not fit here will not fit into other windows either: they begin with shorter stretches.
                self._history.longest = min(self._history.longest or stretch.length, -(-stretch.length // 2))
            stretch, full = _next(plan, is_cut)
        # Only single steps of the grid are left, which days cannot divide any further; filters can.
        for stretch in full or ():
            found.full.append(await self._narrowed(stretch, cut[stretch]))
        return found

    async def _narrowed(self, days: Days, cut: ReportBody) -> FullDays:
        """Request days that were cut once more, by the filters that the report takes."""
        bodies: list[ReportBody] = []
        is_uncut = True
        plan = by_filters([await self._split(name) for name in self._query.metrics.splits])
        filters, is_whole = _next(plan, None)
        while filters is not None:
            body = await self._body(days, filters)
            bodies.append(body)
            is_cut = self._is_cut(body)
            is_uncut &= not is_cut
            filters, is_whole = _next(plan, is_cut)
        return FullDays(days, cut, tuple(bodies), bool(is_whole), is_uncut)

    async def _split(self, name: str) -> Split:
        """Return the values of a filter: those of the query, which are then complete, or all that exist."""
        if given := dict(self._query.filters).get(name):
            return Split(name, given, is_whole=True)
        if name == "channel":
            return Split(name, tuple(channel for channel in CHANNELS if channel != "allChannels"))
        reply = await self._context.client.send(live_export(name).request())
        if not reply.is_confirmed:
            raise ReportFailed(f"the list of {name} could not be read: {why(reply)}")
        return Split(name, tuple(sorted({str(item["id"]) for item in reply.objects})))

    def _is_cut(self, body: ReportBody) -> bool:
        return body.rows + body.beyond + len(body.rejects) >= self._row_cap

    async def _body(self, days: Days, filters: Filters = ()) -> ReportBody:
        """Return one reply, requested with the first form of period that the API accepts for this report."""
        refused = self._history.refused
        if refused:
            raise ReportFailed(refused)
        for period in self._query.metrics.periods:
            body = await self._download(request_for(self._query, days.first, days.last, filters, period))
            if isinstance(body, ReportBody):
                if self._query.metrics.anchor:
                    body.keep_before(span_of(days)[1], self._query.metrics.anchor)
                where = days.name if not filters else f"{days.name}, filtered"
                body.rejects = [replace(each, detail=f"{each.detail} (answer for {where})") for each in body.rejects]
                return body
            # A detail may repeat the request, such as a phone number.
            refused = refused or f"{beginning(why(body))} for {days.name}"
            if any(problem.attr == "metricSet" for problem in body.problems):
                # Gladly does not know this name in other windows either, so one request is enough.
                self._history.refused = refused
            if not _is_about_period(body):
                break
        raise ReportFailed(refused)

    async def _download(self, request: Request) -> ReportBody | Reply:
        """Return the rows of a report, or the reply that is not a report."""
        context, history = self._context, self._history

        async def once(number: int) -> ReportBody | Reply:
            async with context.client.stream(request, max_bytes=context.options.max_file_bytes) as download:
                if not download.is_success:
                    return await download.reply()
                body = await read_in_thread(
                    lambda blocks: read_report(blocks, column_names, history.check, history.settle),
                    download.blocks(),
                )
            if body.header or "csv" in download.headers.get("Content-Type", "").lower():
                return body
            # Days without data may return an empty body. So may a gateway, which the content type shows; if it
            # does not, another request that succeeds shows that Gladly itself is speaking.
            if number == TRIES and (await context.client.send(GET_ORGANIZATION)).is_confirmed:
                return body
            raise BodyCutOff("a body without a byte, and not of the type of a report")

        try:
            # No extra wait: the pace of reports already keeps requests seconds apart.
            return await context.client.repeated(once, tries=TRIES, again_on=(ReplyLost, BodyCutOff), is_spaced=False)
        except NotAReport as error:
            raise ReportFailed(f"the reply is not the report: {error}") from error
        except (BodyTooLong, BrokeOff) as error:
            raise ReportFailed(str(error)) from error


def _next(plan: Generator[P, A, R], answer: A | None) -> tuple[P | None, R | None]:
    """Send a plan the outcome of its last piece, and return its next piece, or else its result."""
    try:
        return (next(plan) if answer is None else plan.send(answer)), None
    except StopIteration as end:
        return None, end.value


def _is_about_period(reply: Reply) -> bool:
    return reply.is_refused and any(problem.attr in _PERIOD_FIELDS for problem in reply.problems)
