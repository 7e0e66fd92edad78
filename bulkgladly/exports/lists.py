"""Lists that one request returns whole: inboxes, teams, agents, topics and the like.

A list becomes one unit, which the next reading replaces if something has changed. Rows that are no
longer listed stay, with the time since when (`_gone_since`), so that nothing is lost because Gladly, or
a proxy in between, returned less than there is.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from bulkgladly.exports.export_context import Context, why
from bulkgladly.exports.price import Price
from bulkgladly.exports.unit_kinds import ExportUnit, UnitResult, UnitState
from bulkgladly.gladly.exports import Cut, LiveExport, Parent, cut_of
from bulkgladly.gladly.table import LIVE_EXPORTS, live_export
from bulkgladly.json_slices import Unreadable, elements_of
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.merge import Merged, merge
from bulkgladly.lake.published_rows import read_rows
from bulkgladly.lake.rows import Origin, Rows
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import HeldRows
from bulkgladly.messages import GET_ORGANIZATION, Reply, Request

__all__ = ("LIST_WORDS", "ListKind")

LIST_WORDS = tuple(word for word, row in LIVE_EXPORTS.items() if row.parent is Parent.NONE)
UNIT = "list"
"""The only unit, so that each row stands in it once."""


class ListKind:
    """One list, read again each time and merged with what the data set has of it."""

    workers = 1

    def __init__(self, word: str) -> None:
        """Choose the list.

        Raises:
            UsageError: There is no such list.
        """
        self.name = word
        self._row = live_export(word)

    async def add_price(self, context: Context, price: Price) -> None:
        """Add the one reading."""
        del context
        price.others += 1

    async def units(self, context: Context) -> AsyncIterator[ExportUnit]:
        """Yield the one reading."""
        del context
        yield ListUnit(self._row)


@dataclass(frozen=True, slots=True)
class ListUnit:
    """One reading of a list."""

    row: LiveExport
    name: str = UNIT

    @property
    def data_set(self) -> str:
        """The data set of the list."""
        return self.row.data_set

    async def run(self, context: Context) -> UnitResult:
        """Request once, merge, and publish if anything changed. An empty list is not believed if there were rows."""
        request = await self._request(context)
        if isinstance(request, UnitResult):
            return request
        reply = await context.client.send(request)
        if not reply.is_confirmed:
            return UnitResult(UnitState.FAILED, detail=why(reply))
        try:
            lines = await context.in_thread(elements_of, reply.body, is_list=self.row.is_list)
        except Unreadable as exc:
            return UnitResult(UnitState.FAILED, detail=str(exc))
        result: UnitResult = await context.in_thread(self._published, context, reply, lines)
        return result

    async def _request(self, context: Context) -> Request | UnitResult:
        """Return the request; a variable in its path is the id of the organisation."""
        if not self.row.variables:
            return self.row.request()
        reply = await context.client.send(GET_ORGANIZATION)
        if reply.object is None:
            return UnitResult(UnitState.FAILED, detail=f"the organisation's id could not be read: {why(reply)}")
        return self.row.request(str(reply.object["id"]))

    def _published(self, context: Context, reply: Reply, lines: Sequence[bytes]) -> UnitResult:
        row, data_set, now = self.row, DATA_SETS[self.row.data_set], context.clock()
        earlier = context.folder.manifests(data_set.name)
        cut = cut_of(row, reply.headers, len(lines))
        source = Origin(f"{now:%Y%m%dT%H%M%SZ}", f"GET {row.path}", {"_fetched_at": now})
        held = HeldRows()
        with context.writer(data_set, UNIT, source, row_filter=held) as writer:
            report = writer.convert(line + b"\n" for line in lines)
            old = read_rows(context.folder, earlier, data_set=data_set)
            new = held.table(data_set, _fetched_at=now)
            # A row that a cut list lacks may still exist, and an element that is not a row may be any of them.
            is_whole = cut is Cut.NO and not report.rejected
            gone_since = now if is_whole else None
            merged = merge(old, new, data_set.key, gone_since=gone_since)
            if merged.gone and not new.num_rows and not context.options.refresh:
                detail = (
                    f"the list is empty, but the data set has {merged.gone:,} rows; they were kept. "
                    "If it is really empty, pass --refresh"
                )
                return UnitResult(UnitState.INCOMPLETE, unchanged=merged.gone, rejected=report.rejected, detail=detail)
            incomplete = _incomplete(row, cut, len(lines))
            if not _is_as_before(earlier, merged, is_whole=is_whole, rejected=report.rejected, incomplete=incomplete):
                for batch in merged.table.to_batches():
                    writer.write(Rows((), batch))
                writer.commit(about={"operation": row.operation}, incomplete=incomplete, replaces=earlier)
        state = UnitState.UNCHANGED if not merged.created + merged.updated else UnitState.DONE
        return UnitResult(
            state if incomplete is None else UnitState.INCOMPLETE,
            created=merged.created,
            updated=merged.updated,
            unchanged=merged.unchanged,
            rejected=report.rejected,
            detail=incomplete or (f"{merged.gone:,} no longer listed" if merged.gone and is_whole else ""),
        )


def _is_as_before(
    earlier: Sequence[Manifest], merged: Merged, *, is_whole: bool, rejected: int, incomplete: str | None
) -> bool:
    """Tell whether writing would change only the time of the last reading."""
    if len(earlier) != 1 or merged.created or merged.updated or (merged.gone and is_whole):
        return False
    return earlier[0].rejected == rejected and earlier[0].incomplete == incomplete


def _incomplete(row: LiveExport, cut: Cut, count: int) -> str | None:
    if cut is Cut.NO:
        return None
    # Manifests hold this text and are compared with it: in other words every cut list would be published again.
    return f"the list is {cut.value}: Gladly gives {row.cap or count:,} at most, and there is no way to the rest"
