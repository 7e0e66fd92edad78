"""Recordings and attachments of the items of a data set, as files below `media/`, with an index of them."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urljoin

import orjson

from bulkgladly.api.downloads import BrokeOff, Download
from bulkgladly.errors import BodyTooLong, InputError, ReplyLost, Unreachable, UsageError
from bulkgladly.exports.export_context import DOWNLOAD_TRIES, Context, why
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.parents import source_of
from bulkgladly.exports.reply_buffer import WHOLE, ReplyBuffer, in_chunks
from bulkgladly.exports.unit_kinds import ExportUnit, UnitResult, UnitState
from bulkgladly.gladly.exports import COMPOSITE, LiveExport, is_askable
from bulkgladly.gladly.table import DATA_SET_PLANS, LIVE_EXPORTS, live_export
from bulkgladly.journal.worklist import ParentToAsk, ToAsk
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.media_files import MediaFile, StoredFile
from bulkgladly.lake.published_rows import values_in
from bulkgladly.runs.connection import concurrency_of

__all__ = ("KEYS", "MEDIA_WORDS", "Fetch", "Media", "Wanted", "doubt_about")

MEDIA_WORDS = tuple(word for word, row in LIVE_EXPORTS.items() if row.is_file)
_ITEM_SETS = ("items", "conversation-items")
KEYS: Mapping[str, tuple[str, ...]] = {word: DATA_SET_PLANS[LIVE_EXPORTS[word].data_set].key for word in MEDIA_WORDS}
"""The columns that name a row of an index."""
_PAGES = ("text/html", "application/json", "application/xml", "text/plain")
"""What an error comes as, from Gladly or from a host of files."""
_BLOCK_BYTES = 1 << 20


class Wanted(NamedTuple):
    """One file: what it belongs to, and what the item says about it."""

    item: str
    attachment: str | None = None
    content_type: str | None = None
    filename: str | None = None
    size: int | None = None

    @property
    def key(self) -> str:
        """What the index knows it by."""
        return self.item if self.attachment is None else COMPOSITE.join((self.item, self.attachment))


class Media:
    """All recordings, or all attachments, that the items name and the index has not. One request for each, or two."""

    def __init__(self, word: str, options: ExportOptions) -> None:
        """Choose the kind.

        Raises:
            UsageError: There is no such kind, or the options name parents in a way that does not go with it.
        """
        if options.ids is not None or options.emails is not None:
            raise UsageError(f"{word} come from the items of a data set: say --from-dataset DIR, or nothing for --out")
        self.name = word
        self.workers = concurrency_of(options.pace)
        self._row = live_export(word)

    async def units(self, context: Context) -> AsyncIterator[ExportUnit | None]:
        """Yield one unit for each file that is still to be fetched, and the steps that publish the index."""
        row = self._row
        buffer = ReplyBuffer(row, (KEYS[row.word],))
        try:
            source: DataFolder = await context.in_thread(source_of, context)
            async for unit in in_chunks(
                context,
                buffer,
                lambda: buffer.work.add(_parents(source, row.word)),
                lambda one: Fetch(buffer, row, one),
            ):
                yield unit
        finally:
            buffer.close()


@dataclass(frozen=True, slots=True)
class Fetch:
    """One file. It is whole under its name before the index hears of it."""

    buffer: ReplyBuffer
    row: LiveExport
    one: ToAsk

    @property
    def data_set(self) -> str:
        """The index."""
        return self.row.data_set

    @property
    def name(self) -> str:
        """The ids of the item and the attachment."""
        return self.one.key

    async def run(self, context: Context) -> UnitResult | None:
        """Download, and note it for the index; a download that breaks off starts again from zero."""
        wanted = Wanted(*orjson.loads(self.one.asked))

        async def once(_: int) -> UnitResult | None:
            return await self._settle(context, wanted, await self._fetched(context, wanted))

        try:
            return await context.client.repeated(once, tries=DOWNLOAD_TRIES, again_on=(ReplyLost, Unreachable))
        except InputError:
            raise  # about our own folder, and no matter of this file
        except (BodyTooLong, BrokeOff, UsageError) as error:
            return UnitResult(UnitState.FAILED, detail=str(error))

    async def _settle(
        self, context: Context, wanted: Wanted, found: "tuple[StoredFile, str | None] | UnitResult"
    ) -> UnitResult | None:
        if isinstance(found, UnitResult):
            if found.state is not UnitState.GONE:
                return found
            about = _index_row(wanted, None, None)
        else:
            about = _index_row(wanted, *found)
        await context.in_thread(self.buffer.keep, context, self.name, WHOLE, orjson.dumps(about))
        return None

    async def _fetched(self, context: Context, wanted: Wanted) -> "tuple[StoredFile, str | None] | UnitResult":
        """Return the file and its type, or why there is none."""
        ids = (wanted.item,) if wanted.attachment is None else (wanted.item, wanted.attachment)
        limit = context.options.max_file_bytes
        async with context.client.stream(self.row.request(*ids), max_bytes=limit) as download:
            if download.is_success:
                return await self._stored(context, wanted, download)
            reply = await download.reply()
        location = reply.headers.get("Location")
        if not reply.is_confirmed or not location:
            is_gone = reply.is_absent or reply.is_refused
            state = UnitState.GONE if is_gone else UnitState.FAILED
            return UnitResult(state, detail=why(reply))
        # An address for whoever has it: our credentials do not go there. It is asked for anew for each try.
        url = urljoin(context.host, location)
        async with context.client.stream_elsewhere(url, max_bytes=limit) as download:
            if download.is_success:
                return await self._stored(context, wanted, download)
            # It may have expired; the next try asks for another address.
            raise ReplyLost(f"the address of the file answered {download.status}")

    async def _stored(self, context: Context, wanted: Wanted, download: Download) -> tuple[StoredFile, str | None]:
        file: MediaFile = await context.in_thread(_opened, context, self.row.word, wanted)
        try:
            async for block in download.blocks(_BLOCK_BYTES):
                await context.in_thread(file.add, block)
            content_type = _type_of(download.headers.get("Content-Type"))
            doubt = doubt_about(wanted, file.size, content_type, has_visible_end=download.has_visible_end)
            if doubt is not None:
                raise ReplyLost(doubt)
            return await context.in_thread(file.finish), content_type
        finally:
            # Neither waits nor writes much, and must happen also when this is cancelled.
            file.drop()


def doubt_about(wanted: Wanted, size: int, content_type: str | None, *, has_visible_end: bool) -> str | None:
    """Return why a body may not be the file, or not all of it; None where there is no such reason. Pure.

    Whether `fileSize` is exact is UNKNOWN. So another size is accepted where the body has an
    end that cannot be missed and is of the type that the item names.
    """
    is_of_type = content_type is not None and content_type == wanted.content_type
    if wanted.size is not None and size != wanted.size and not (has_visible_end and is_of_type):
        return f"the file has {size:,} bytes, where the item says {wanted.size:,}"
    if wanted.size is None and not has_visible_end:
        return "nothing tells whether the file is whole"
    if wanted.size is None and not size:
        return "the file is empty"
    if content_type in _PAGES and not is_of_type and size != wanted.size:
        return f"instead of the file came {content_type}"
    return None


def _parents(folder: DataFolder, word: str) -> Iterator[ParentToAsk]:
    for wanted in _recordings(folder) if word == "recordings" else _attachments(folder):
        if all(is_askable(part) for part in (wanted.item, wanted.attachment) if part is not None):
            yield ParentToAsk(wanted.key, orjson.dumps(tuple(wanted)).decode())


def _recordings(folder: DataFolder) -> Iterator[Wanted]:
    for data_set in _ITEM_SETS:
        for rows in values_in(folder, data_set, ("id", "recordingStatus", "recordingUrl")):
            for item, status, url in rows:
                # Without a status the address alone says that there is something.
                if item is not None and (status == "AVAILABLE" or (status is None and url is not None)):
                    yield Wanted(item, None, "audio/mpeg")


def _attachments(folder: DataFolder) -> Iterator[Wanted]:
    for data_set in _ITEM_SETS:
        for rows in values_in(folder, data_set, ("id", "attachments")):
            for item, attachments in rows:
                for one in attachments or ():
                    if item is not None and one is not None and one.get("id") is not None:
                        about = (_type_of(one.get("contentType")), one.get("filename"), one.get("fileSize"))
                        yield Wanted(item, one["id"], *about)


def _opened(context: Context, kind: str, wanted: Wanted) -> MediaFile:
    name = f"{wanted.item}.mp3" if wanted.attachment is None else wanted.filename or ""
    return MediaFile(context.folder.path, kind, wanted.key, name)


def _index_row(wanted: Wanted, stored: StoredFile | None, content_type: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "itemId": wanted.item,
        "attachmentId": wanted.attachment,
        "contentType": content_type or wanted.content_type,
        "filename": wanted.filename,
        "path": stored and stored.path,
        "bytes": stored and stored.bytes,
        "blake2b": stored and stored.blake2b,
        "status": "stored" if stored else "gone",
    }
    return {name: value for name, value in row.items() if value is not None}


def _type_of(header: str | None) -> str | None:
    """Return a content type without its parameters, in lower case."""
    return header.partition(";")[0].strip().lower() or None if header else None
