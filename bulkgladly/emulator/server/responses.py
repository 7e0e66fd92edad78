"""Replies as whole responses of the web framework, in one piece or as a stream."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Self

from aiohttp import web

from bulkgladly.emulator.protocol.replies import Reply, Stream

__all__ = ("AlreadySent", "StreamBlocks", "response_for", "send_whole", "streaming_response")


class AlreadySent(web.StreamResponse):
    """A response that has been sent already, so that the server sends nothing more."""

    def __init__(self, *, is_kept: bool) -> None:
        super().__init__()
        self._is_kept = is_kept

    @property
    def keep_alive(self) -> bool:
        """Whether the server waits for another request on the connection."""
        return self._is_kept

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing: everything has been sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: everything has been sent."""


class StreamBlocks(AsyncIterator[bytes]):
    """A stream for the server to send. With `stop_at` it closes the connection after so many bytes.

    It is not a generator, because a generator that a lost client leaves behind would have to be closed.
    """

    def __init__(
        self, stream: Stream, *, stop_at: int | None = None, transport: asyncio.BaseTransport | None = None
    ) -> None:
        self._blocks = iter(stream.blocks())
        self._left = stop_at
        self._transport = transport

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        # Otherwise a fast client would never let other requests have their turn.
        await asyncio.sleep(0)
        block = b"" if self._left == 0 else next(filter(None, self._blocks), b"")
        if self._left is not None:
            block = block[: self._left]
            self._left -= len(block)
        if block:
            return block
        if self._transport is not None:
            self._transport.close()
        raise StopAsyncIteration


def response_for(reply: Reply, headers: Mapping[str, str]) -> web.Response:
    """Return the whole response. The headers of the reply win over `headers`."""
    merged = {**headers, **reply.headers}
    if reply.stream is not None:
        length = None if reply.stream.chunked else reply.stream.measure()
        return streaming_response(reply, merged, StreamBlocks(reply.stream), length)
    if not reply.body:
        return web.Response(status=reply.status, headers=merged)
    merged["Content-Type"] = reply.content_type
    return web.Response(status=reply.status, headers=merged, body=reply.body)


async def send_whole(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Send a response to its end now, instead of later by the server. Stops if the client is gone."""
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return


def streaming_response(reply: Reply, headers: dict[str, str], blocks: StreamBlocks, length: int | None) -> web.Response:
    """Return the response with these blocks as its body; without a length it is sent in chunks."""
    headers["Content-Type"] = reply.content_type
    if length is not None:
        headers["Content-Length"] = str(length)
    return web.Response(status=reply.status, headers=headers, body=blocks)
