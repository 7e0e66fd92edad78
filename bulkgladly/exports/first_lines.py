"""Whether a download really is a file of JSON lines: its first lines show it before anything is published."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Self

import orjson

from bulkgladly.api.downloads import Download
from bulkgladly.errors import ReplyLost
from bulkgladly.lines import BOM, MAX_LINE_BYTES

__all__ = ("BelievedBlocks",)

_LINES = re.compile("ndjson|jsonl")  # application/x-ndjson for files, application/x-jsonlines for events


class BelievedBlocks(AsyncIterator[bytes]):
    """The blocks of a download, checked to be the requested file and to be complete.

    One of the first lines must be an object with the `key` of its kind, as texts: a web page, an error or
    other JSON has none. Blocks are yielded before that line is complete, since a line can be longer than a
    block, so publish nothing before the end. A body without lines is accepted only if its content type is
    that of the file. A last line without an end that is not JSON was cut, unless it is the same at the same
    byte in `tries` downloads, which `cut_at` counts: then the file is like that. It raises what
    `Download.blocks` raises, and `ReplyLost` if the body is something else or cut: the download may be
    repeated.
    """

    def __init__(self, download: Download, size: int, *, key: Sequence[str], cut_at: Counter[int], tries: int) -> None:
        self._download, self._blocks, self._key = download, download.blocks(size), key
        self._cut_at, self._tries = cut_at, tries
        self._is_believed = False
        self._has_lines = False
        self._seen_bytes = 0
        self._unfinished: list[bytes] = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        block = await anext(self._blocks, b"")
        self._seen_bytes += len(block)
        if not block and _is_cut(b"".join(self._unfinished)):
            self._cut_at[self._seen_bytes] += 1
            if self._cut_at[self._seen_bytes] < self._tries:
                raise self._disbelieved("the reply ends in the middle of a line")
        lines = self._whole_lines(block)
        if not self._is_believed:
            self._judge(block, lines)
        if not block:
            raise StopAsyncIteration
        return block

    def _judge(self, block: bytes, lines: Sequence[bytes]) -> None:
        for line in lines:
            if self._is_row(line):
                self._is_believed = True
                return
            self._has_lines = self._has_lines or not line.isspace()
        if block and self._seen_bytes <= MAX_LINE_BYTES:
            return
        if self._has_lines or block:
            named = f" with {' and '.join(self._key)}" if self._key else ""
            raise self._disbelieved(f"the reply is not the file: none of its first lines is an object{named}")
        if not _LINES.search(self._download.headers.get("Content-Type", "")):
            raise self._disbelieved("the reply is empty, and its type is not that of the file")

    def _whole_lines(self, block: bytes) -> Sequence[bytes]:
        """Return the lines that a block completes, until one is believed; the end of the body completes the last."""
        if block and b"\n" not in block:
            self._unfinished.append(block)
            return ()
        end = block.rfind(b"\n")
        if self._is_believed:
            self._unfinished = [block[end + 1 :]]
            return ()
        whole = b"".join((*self._unfinished, block[: max(end, 0)]))
        self._unfinished = [block[end + 1 :]]
        return [line for line in whole.removeprefix(BOM).split(b"\n") if line]

    def _is_row(self, line: bytes) -> bool:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        return (
            isinstance(found, dict)
            and "errors" not in found
            and all(isinstance(found.get(name), str) for name in self._key)
        )

    def _disbelieved(self, reason: str) -> ReplyLost:
        self._download.disbelieve(reason)
        return ReplyLost(reason)


def _is_cut(line: bytes) -> bool:
    """Tell whether what follows the last line end is something other than complete JSON."""
    if not line.removeprefix(BOM).strip() or len(line) > MAX_LINE_BYTES:
        return False
    try:
        orjson.loads(line.removeprefix(BOM))
    except orjson.JSONDecodeError:
        return True
    return False
