"""What the API returns for one parent at a time, such as profiles, conversations, their items, and tasks.

Each parent costs a request, so their number is what counts: what the data set has is not requested
again, unless a newer export job shows that the parent was active since.
"""

from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass

from bulkgladly.exports.export_context import Context, why
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.parents import Skipped, demand_parents, parents_of, source_of
from bulkgladly.exports.price import Price, add_requests
from bulkgladly.exports.reply_buffer import CUT, GONE, WHOLE, ReplyBuffer, floor_of, in_chunks
from bulkgladly.exports.unit_kinds import ExportUnit, SettledUnit, UnitResult, UnitState
from bulkgladly.exports.worklist import ParentToAsk, ToAsk
from bulkgladly.gladly.endpoints import MAX_MERGES
from bulkgladly.gladly.exports import COMPOSITE, Cut, LiveExport, Parent, SingleObjects, cut_of
from bulkgladly.gladly.table import LIVE_EXPORTS, SUCCESSORS, live_export
from bulkgladly.json_slices import Unreadable, elements_of
from bulkgladly.judging import claims_success
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.published_rows import values_in
from bulkgladly.messages import Reply, Request
from bulkgladly.runs.connection import concurrency_of

__all__ = ("PARENT_WORDS", "ParentUnit", "PerParent")

PARENT_WORDS = tuple(word for word, row in LIVE_EXPORTS.items() if row.parent is not Parent.NONE and row.files is None)


class PerParent:
    """One export word that is fetched parent by parent."""

    def __init__(self, word: str, options: ExportOptions) -> None:
        """Choose the word.

        Raises:
            UsageError: There is no such word, or the options do not name parents that it takes.
        """
        self.name = word
        self.workers = concurrency_of(options.pace)
        self._row = live_export(word)
        demand_parents(self._row, options)

    @property
    def sources(self) -> tuple[str, ...]:
        """The data sets that name the parents."""
        return tuple(dict.fromkeys(column.data_set for column in self._row.ids_from))

    async def add_price(self, context: Context, price: Price) -> None:
        """Add a request for each parent that was not requested yet."""
        await add_requests(price, context, self.name, count=self._count, sources=self.sources)

    def _count(self, context: Context) -> int:
        """Return how many requests it would take now.

        Raises:
            UsageError: The parents cannot be read.
        """
        buffer = ReplyBuffer(self._row)
        try:
            buffer.begin(context)
            buffer.work.add(parents_of(self._row, context, Skipped()))
            buffer.know_waiting(context)
            return buffer.work.count_to_ask(floor=floor_of(context))
        finally:
            buffer.close()

    async def units(self, context: Context) -> AsyncIterator[ExportUnit | None]:
        """Yield one request for each parent that is still to be requested, and the steps that publish the replies."""
        by_address = self._row.by_address if context.options.emails is not None else None
        row = by_address or self._row
        buffer = ReplyBuffer(row)
        try:
            skipped = Skipped()
            async for unit in in_chunks(
                context,
                buffer,
                lambda: buffer.work.add(parents_of(self._row, context, skipped)),
                lambda one: ParentUnit(buffer, row, one),
            ):
                yield unit
            if buffer.cut and row.one_by_one is not None:
                async for unit in _one_by_one(context, row.one_by_one, buffer.cut):
                    yield unit
            if skipped.count:
                detail = f"{skipped.count:,} are not valid ids and were not requested; the first: {skipped.first}"
                yield SettledUnit(row.data_set, "(ids)", UnitResult(UnitState.FAILED, detail=detail))
        finally:
            buffer.close()


@dataclass(frozen=True, slots=True)
class ParentUnit:
    """One request for one parent. The reply is kept, and reported with the unit that publishes it."""

    buffer: ReplyBuffer
    row: LiveExport
    one: ToAsk

    @property
    def data_set(self) -> str:
        """The data set of the rows."""
        return self.row.data_set

    @property
    def name(self) -> str:
        """The key of the parent."""
        return self.one.key

    async def run(self, context: Context) -> UnitResult | None:
        """Request, follow merges, and keep the reply; None if there is nothing special to report."""
        reply = await self._reply(context)
        is_refused = reply.is_refused and self.row.may_be_withheld
        if reply.is_absent or is_refused:
            await context.in_thread(self.buffer.keep, context, self.name, GONE)
            return None
        if not reply.is_confirmed:
            # Gladly's text about an address may repeat the address, which must not stand in reports.
            detail = why(reply) if self.row.variables else f"Gladly answered {reply.status}"
            return UnitResult(UnitState.FAILED, detail=detail)
        try:
            status: int = await context.in_thread(self._keep, context, reply)
        except Unreadable as exc:
            return UnitResult(UnitState.FAILED, detail=str(exc))
        if status == WHOLE:
            return None
        detail = f"Gladly returns at most {self.row.cap:,} rows, and there may be more"
        return UnitResult(UnitState.INCOMPLETE, detail=detail)

    async def _reply(self, context: Context) -> Reply:
        """Return the reply; for a parent that was merged away, that for the one that remains.

        Without a usable response about the parent itself, that response is returned: an absence is not proved then.
        """
        # Redirects are followed here: the HTTP library follows none.
        asked = self.one.asked
        reply = await context.client.send(_request(self.row, asked))
        for _ in range(MAX_MERGES):
            about_parent = await self._about_parent(context, reply, asked)
            if about_parent.successor is None:
                is_proof = about_parent.is_confirmed or about_parent.is_absent
                return reply if is_proof else about_parent
            asked = about_parent.successor
            reply = await context.client.send(_request(self.row, asked))
        return reply

    async def _about_parent(self, context: Context, reply: Reply, asked: str) -> Reply:
        """Return the reply that tells whether the parent was merged: this one, or that for the parent itself.

        What Gladly returns for the objects of a merged parent is UNKNOWN. Should it be 404, or the objects
        of the one that remains, only the parent itself tells a merge from a parent that never existed.
        """
        teller = SUCCESSORS.get(self.row.parent)
        is_odd = reply.is_absent or (reply.is_unclear and claims_success(reply.status))
        if teller is None or not is_odd or self.row.operation == teller.operation:
            return reply
        return await context.client.send(teller.request(asked))

    def _keep(self, context: Context, reply: Reply) -> int:
        """Keep a successful reply, and return the status it is kept with."""
        count = len(elements_of(reply.body, is_list=self.row.is_list))
        is_whole = not self.row.is_list or cut_of(self.row, reply.headers, count) is Cut.NO
        status = WHOLE if is_whole else CUT
        self.buffer.keep(context, self.name, status, reply.body)
        return status


def _request(row: LiveExport, asked: str) -> Request:
    if row.parameter:
        return row.request(query=((row.parameter, asked),))
    # From the right: an id may contain the separator, a language and a type do not.
    return row.request(*asked.rsplit(COMPOSITE, len(row.variables) - 1))


async def _one_by_one(context: Context, named: SingleObjects, cut: Collection[str]) -> AsyncIterator[ExportUnit | None]:
    """Yield single requests for the objects of parents whose lists are cut, as far as other rows name them.

    What the lists held, and what was found this way before, is in the data set and not requested again.
    """
    row = live_export(named.word)
    others = ReplyBuffer(row)
    try:
        source: DataFolder = await context.in_thread(source_of, context)
        async for unit in in_chunks(
            context,
            others,
            lambda: others.work.add(_named_in(source, named, cut)),
            lambda one: ParentUnit(others, row, one),
        ):
            yield unit
    finally:
        others.close()


def _named_in(folder: DataFolder, named: SingleObjects, parents: Collection[str]) -> Iterator[ParentToAsk]:
    for rows in values_in(folder, named.data_set, (named.parent, named.id)):
        for parent, single in rows:
            if parent in parents and single:
                yield ParentToAsk(single, single)
