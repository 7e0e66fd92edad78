"""Files that rows of a data set name, such as recordings and attachments: into `media/`, with an index of them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import orjson

from bulkgladly.api.downloads import BrokeOff, Download
from bulkgladly.errors import BodyTooLong, InputError, ReplyLost, Unreachable, UsageError
from bulkgladly.exports.export_context import DOWNLOAD_TRIES, Context, why
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.parents import source_of
from bulkgladly.exports.price import Price, add_requests
from bulkgladly.exports.reply_buffer import GONE, WHOLE, ReplyBuffer, floor_of, in_chunks
from bulkgladly.exports.unit_kinds import ExportUnit, UnitResult, UnitState
from bulkgladly.exports.worklist import ParentToAsk, ToAsk
from bulkgladly.gladly.exports import COMPOSITE, LiveExport, WantedFile, content_type_in, is_askable
from bulkgladly.gladly.table import LIVE_EXPORTS, live_export
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.published_rows import values_in
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.side_files import MediaFile, StoredFile
from bulkgladly.runs.connection import concurrency_of

__all__ = ("MEDIA_WORDS", "Fetch", "Media", "doubt_about")

MEDIA_WORDS = tuple(word for word, row in LIVE_EXPORTS.items() if row.files is not None)
_PAGES = ("text/html", "application/json", "application/xml", "text/plain")
"""The types of error pages, from Gladly or from a host of files."""
_BLOCK_BYTES = 1 << 20


class Media:
    """All files of one export word that rows name and the index does not have. One request for each, or two."""

    def __init__(self, word: str, options: ExportOptions) -> None:
        """Choose the kind.

        Raises:
            UsageError: There is no such kind, or the options name parents, which it does not take.
        """
        if options.ids is not None or options.emails is not None:
            raise UsageError(
                f"{word} come from the items of a data set: pass --from-dataset DIR, or leave it out to use --out"
            )
        self.name = word
        self.workers = concurrency_of(options.pace)
        self._row = live_export(word)

    sources = ("items", "conversation-items")
    """The data sets that name the files."""

    async def add_price(self, context: Context, price: Price) -> None:
        """Add a request for each file that was not fetched yet."""
        await add_requests(price, context, self.name, count=self._count, sources=self.sources)

    def _count(self, context: Context) -> int:
        """Return how many files it would fetch now.

        Raises:
            UsageError: The rows that name them cannot be read.
        """
        buffer = ReplyBuffer(self._row)
        try:
            buffer.begin(context)
            buffer.work.add(_wanted_files(source_of(context), self._row))
            return buffer.work.count_to_ask(floor=floor_of(context))
        finally:
            buffer.close()

    async def units(self, context: Context) -> AsyncIterator[ExportUnit | None]:
        """Yield one unit for each file that is still to be fetched, and the steps that publish the index."""
        row = self._row
        buffer = ReplyBuffer(row)
        try:
            source: DataFolder = await context.in_thread(source_of, context)
            async for unit in in_chunks(
                context,
                buffer,
                lambda: buffer.work.add(_wanted_files(source, row)),
                lambda one: Fetch(buffer, row, one),
            ):
                yield unit
        finally:
            buffer.close()


@dataclass(frozen=True, slots=True)
class Fetch:
    """One file. It is complete under its name before the index gets its row."""

    buffer: ReplyBuffer
    row: LiveExport
    one: ToAsk

    @property
    def data_set(self) -> str:
        """The index."""
        return self.row.data_set

    @property
    def name(self) -> str:
        """The ids that the file is requested by."""
        return self.one.key

    async def run(self, context: Context) -> UnitResult | None:
        """Download the file, and keep its row for the index; a broken download starts again from the beginning."""
        ids, *about = orjson.loads(self.one.asked)
        wanted = WantedFile(tuple(ids), *about)

        async def once(_: int) -> UnitResult | None:
            return await self._settle(context, wanted, await self._fetched(context, wanted))

        try:
            return await context.client.repeated(once, tries=DOWNLOAD_TRIES, again_on=(ReplyLost, Unreachable))
        except InputError:
            raise  # about our own folder, not about this file
        except (BodyTooLong, BrokeOff, UsageError) as error:
            return UnitResult(UnitState.FAILED, detail=str(error))

    async def _settle(
        self, context: Context, wanted: WantedFile, found: "tuple[StoredFile, str | None] | UnitResult"
    ) -> UnitResult | None:
        if isinstance(found, UnitResult):
            if found.state is not UnitState.GONE:
                return found
            # A row without a path, so that the index says of every file that rows name what became of it.
            status, about = GONE, self._index_row(wanted, None, None)
        else:
            status, about = WHOLE, self._index_row(wanted, *found)
        await context.in_thread(self.buffer.keep, context, self.name, status, orjson.dumps(about))
        return None

    async def _fetched(self, context: Context, wanted: WantedFile) -> "tuple[StoredFile, str | None] | UnitResult":
        """Return the stored file and its type, or the result if there is no file."""
        limit = context.options.max_file_bytes
        async with context.client.stream(self.row.request(*wanted.ids), max_bytes=limit) as download:
            if download.is_success:
                return await self._stored(context, wanted, download)
            reply = await download.reply()
        location = reply.headers.get("Location")
        if not reply.is_confirmed or not location:
            is_gone = reply.is_absent or reply.is_refused
            state = UnitState.GONE if is_gone else UnitState.FAILED
            return UnitResult(state, detail=why(reply))
        # Anybody with this address can read the file, so our credentials are not sent there. Each try requests a
        # new address.
        url = urljoin(context.host, location)
        async with context.client.stream_elsewhere(url, max_bytes=limit) as download:
            if download.is_success:
                return await self._stored(context, wanted, download)
            # The address may have expired; the next try requests another.
            raise ReplyLost(f"the address of the file returned {download.status}")

    async def _stored(self, context: Context, wanted: WantedFile, download: Download) -> tuple[StoredFile, str | None]:
        file: MediaFile = await context.in_thread(
            MediaFile, context.folder.path, self.row.word, self.one.key, wanted.filename or ""
        )
        try:
            async for block in download.blocks(_BLOCK_BYTES):
                await context.in_thread(file.add, block)
            content_type = content_type_in(download.headers.get("Content-Type"))
            doubt = doubt_about(wanted, file.size, content_type, has_visible_end=download.has_visible_end)
            if doubt is not None:
                raise ReplyLost(doubt)
            return await context.in_thread(file.finish), content_type
        finally:
            # Not in a thread: it is quick, and must run even if this task is cancelled.
            file.drop()

    def _index_row(self, wanted: WantedFile, stored: StoredFile | None, content_type: str | None) -> dict[str, Any]:
        index = DATA_SETS[self.row.data_set]
        row: dict[str, Any] = {
            **dict(zip(index.key, wanted.ids, strict=True)),
            "contentType": content_type or wanted.content_type,
            "filename": wanted.filename,
            "path": stored and stored.path,
            "bytes": stored and stored.bytes,
            "blake2b": stored and stored.blake2b,
            "status": "stored" if stored else "gone",
        }
        return {name: value for name, value in row.items() if value is not None and name in index.schema.names}


def doubt_about(wanted: WantedFile, size: int, content_type: str | None, *, has_visible_end: bool) -> str | None:
    """Return why a body may not be the file, or not all of it; None if there is no doubt. Pure.

    Whether `fileSize` is exact is UNKNOWN. So another size is accepted if the body has an end that
    cannot be missed and the type that the item names.
    """
    is_of_type = content_type is not None and content_type == wanted.content_type
    if wanted.size is not None and size != wanted.size and not (has_visible_end and is_of_type):
        return f"the file has {size:,} bytes, but its item says {wanted.size:,}"
    if wanted.size is None and not has_visible_end:
        return "nothing shows whether the file is complete"
    if wanted.size is None and not size:
        return "the file is empty"
    if content_type in _PAGES and not is_of_type and size != wanted.size:
        return f"received {content_type} instead of the file"
    return None


def _wanted_files(folder: DataFolder, row: LiveExport) -> Iterator[ParentToAsk]:
    if (named := row.files) is None:
        raise ValueError(f"{row.word} has no files")
    for data_set in named.data_sets:
        for rows in values_in(folder, data_set, named.columns):
            for wanted in (each for values in rows for each in named.files(*values)):
                if all(map(is_askable, wanted.ids)):
                    yield ParentToAsk(COMPOSITE.join(wanted.ids), orjson.dumps(tuple(wanted)).decode())
