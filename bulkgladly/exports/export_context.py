"""What every unit of an export works with: the client, the folder, the options, and ways to publish."""

import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread

from bulkgladly.api.client import Client
from bulkgladly.api.downloads import BrokeOff
from bulkgladly.errors import BodyTooLong
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.first_lines import BelievedBlocks
from bulkgladly.journal.units import UnitLog
from bulkgladly.lake.conversion import ConversionSummary
from bulkgladly.lake.folder import DataFolder, utc_now
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DataSet
from bulkgladly.lake.unit_writer import RowFilter, UnitWriter
from bulkgladly.messages import Reply, Request
from bulkgladly.runs.environment import USUAL, Bounds
from bulkgladly.runs.observer import Observer

__all__ = ("DOWNLOAD_TRIES", "Context", "Converted", "Refused", "period_text", "read_in_thread", "why")

DOWNLOAD_TRIES = 5
_BLOCK_BYTES = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Converted:
    """A body that was read to its end. Commit it, or abandon its writer."""

    writer: UnitWriter
    report: ConversionSummary

    def commit(self, **about: Any) -> Manifest:
        """Publish it like `UnitWriter.commit`; an error before it is decided leaves nothing of it."""
        with self.writer:
            return self.writer.commit(**about)


@dataclass(frozen=True, slots=True)
class Refused:
    """No body, but the reply of the API instead (a 404, a 400), or None if every download broke off."""

    reply: Reply | None
    detail: str


@dataclass(slots=True)
class Context:
    """One run of an export. `now` is when it began; decisions about time are made against it."""

    client: Client
    folder: DataFolder
    options: ExportOptions
    log: UnitLog
    observer: Observer
    host: str
    now: dt.datetime
    clock: Callable[[], dt.datetime] = utc_now
    """The time now, which may be hours later: for a window that ends now, and for when a row was fetched."""
    begun_at: dt.datetime | None = None
    """When the run began that this session continues, or None in the first session."""
    bounds: Bounds = USUAL.bounds
    """How much is held in memory before it is published."""
    run: str = ""
    """The unique name of the run."""
    next_loss: dt.datetime | None = None
    """When data will be lost, unless another export runs before."""
    priced: dict[str, int] = field(default_factory=dict[str, int])
    """How many requests a kind was expected to take, before the export began."""
    notes: list[str] = field(default_factory=list)
    """What the report says besides counts: gaps, losses, files of unknown kinds."""

    def note(self, text: str) -> None:
        """Tell the user something, now and in the report."""
        self.notes.append(text)
        self.observer.note(text)

    def writer(
        self, data_set: DataSet, unit: str, source: Origin, *, row_filter: RowFilter | None = None
    ) -> UnitWriter:
        """Return a writer for a unit, with the options of this run."""
        options = self.options
        return UnitWriter(
            self.folder,
            data_set,
            unit,
            source,
            options.parts(data_set),
            keep_raw=options.keep_raw,
            max_bytes=options.max_file_bytes,
            row_filter=row_filter,
        )

    async def download(
        self,
        request: Request,
        data_set: DataSet,
        unit: str,
        source: Origin,
        *,
        row_filter: Callable[[], RowFilter] | None = None,
    ) -> Converted | Refused:
        """Stream a body of JSON lines into the parts of a unit; a broken download starts again from the beginning.

        `row_filter` creates the filter between reading and writing, once for each download. Nothing is
        published yet. After a cancel or an error, nothing of the unit is left.
        """
        cut_at: Counter[int] = Counter()

        async def once(_: int) -> Converted | Refused:
            writer = self.writer(data_set, unit, source, row_filter=row_filter and row_filter())
            try:
                async with self.client.stream(request, max_bytes=self.options.max_file_bytes) as download:
                    if not download.is_success:
                        reply = await download.reply()
                        return Refused(reply, why(reply))
                    blocks = BelievedBlocks(
                        download, _BLOCK_BYTES, key=data_set.key, cut_at=cut_at, tries=DOWNLOAD_TRIES
                    )
                    report = await read_in_thread(writer.convert, blocks)
                return Converted(writer, report)
            except BaseException:
                await _abandon(writer)
                raise

        try:
            return await self.client.repeated(once, tries=DOWNLOAD_TRIES)
        except (BodyTooLong, BrokeOff) as error:
            return Refused(None, str(error))

    async def convert_lines(
        self,
        lines: Iterable[bytes],
        data_set: DataSet,
        unit: str,
        source: Origin,
        *,
        row_filter: RowFilter | None = None,
    ) -> Converted:
        """Turn JSON lines in memory into the parts of a unit. Nothing is published yet."""
        writer = self.writer(data_set, unit, source, row_filter=row_filter)
        try:
            return Converted(writer, await anyio.to_thread.run_sync(writer.convert, lines))
        except BaseException:
            await _abandon(writer)
            raise

    async def in_thread(self, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Run a function that uses the disk or handles many rows in a thread, and return its result."""
        return await anyio.to_thread.run_sync(lambda: work(*args, **named))


def period_text(first: dt.datetime, end: dt.datetime) -> str:
    """Return a period for people, to the minute, in UTC."""
    return f"{first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


async def read_in_thread(work: Callable[[Iterable[bytes]], T], blocks: AsyncIterator[bytes]) -> T:
    """Run a function in a thread that reads blocks which arrive in the event loop, one at a time; return its result."""

    async def following() -> bytes | None:
        return await anext(blocks, None)

    def arriving() -> Iterator[bytes]:
        while (block := anyio.from_thread.run(following)) is not None:
            yield block

    return await anyio.to_thread.run_sync(work, arriving())


async def _abandon(writer: UnitWriter) -> None:
    # Shielded: in a task that is cancelled, this await would be cut as well, and the files would stay.
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(writer.abandon)


def why(reply: Reply) -> str:
    """Return what an unsuccessful reply says, for people."""
    if not reply.status:
        return f"no reply came in {reply.attempts} attempts"
    problem = next(iter(reply.problems), None)
    said = f": {problem.detail or problem.code}" if problem and (problem.detail or problem.code) else ""
    odd = ", in a form that is not Gladly's" if reply.is_unclear else ""
    return f"Gladly answered {reply.status}{said}{odd}"
