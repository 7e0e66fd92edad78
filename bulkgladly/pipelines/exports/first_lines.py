"""Whether what arrives as a file of JSON lines is one: looked at in its first block, before anything is published."""

import re
from collections.abc import AsyncIterator
from typing import Self

import orjson

from bulkgladly.errors import ReplyLost
from bulkgladly.transport.downloads import Download

__all__ = ("BelievedBlocks",)

_LINES = re.compile("ndjson|jsonl")  # application/x-ndjson for files, application/x-jsonlines for events


class BelievedBlocks(AsyncIterator[bytes]):
    """The blocks of a download, once its first lines show that it is what was asked for.

    Among the lines of the first block must be an object with an `id`, as each kind of file has: a page, an
    error or somebody else's JSON has none. A body without lines is believed only where its type says what it is.
    It raises as `Download.blocks`, and `ReplyLost` where it is something else: the download may be repeated.
    """

    def __init__(self, download: Download, size: int) -> None:
        self._download, self._blocks = download, download.blocks(size)
        self._is_believed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        block = await anext(self._blocks, b"")
        if not self._is_believed:
            self._judge(block)
        if not block:
            raise StopAsyncIteration
        return block

    def _judge(self, block: bytes) -> None:
        if block.strip():
            if not any(_is_row(line) for line in block.split(b"\n")):
                raise self._disbelieved("the reply is not the file: none of its first lines is an object with an id")
            self._is_believed = True
        elif not block and not _LINES.search(self._download.headers.get("Content-Type", "")):
            raise self._disbelieved("the reply is empty, and its type is not that of the file")

    def _disbelieved(self, reason: str) -> ReplyLost:
        self._download.disbelieve(reason)
        return ReplyLost(reason)


def _is_row(line: bytes) -> bool:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and isinstance(found.get("id"), str) and "errors" not in found
