"""Replies as bytes on a connection, and the broken endings that no web framework offers."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from http.client import responses
from typing import Self

from aiohttp import web

from bulkgladly.emulator.faults import Ending
from bulkgladly.emulator.replies import Reply, Stream

__all__ = ("break_off", "response_for", "send_whole", "until_gone")

_OVERLONG_BY = 64
_NO_LINGER = struct.pack("ii", 1, 0)


def response_for(reply: Reply, headers: Mapping[str, str]) -> web.Response:
    """The whole answer, with further headers; the reply's own win."""
    merged = {**headers, **reply.headers}
    if reply.stream is not None:
        length = None if reply.stream.chunked else reply.stream.measure()
        return _streaming(reply, merged, _Blocks(reply.stream), length)
    if not reply.body:
        return web.Response(status=reply.status, headers=merged)
    merged["Content-Type"] = reply.content_type
    return web.Response(status=reply.status, headers=merged, body=reply.body)


def break_off(request: web.BaseRequest, ending: Ending, reply: Reply, headers: Mapping[str, str]) -> web.Response:
    """End the connection the way a fault asks for; returns what the server is to send.

    A stream breaks while it is sent; all else has been written already, and what is returned for it
    meets a connection that is gone, which is how the server finds that out.
    """
    if reply.stream is not None and ending in ("half", "overlong") and reply.stream.measure() != 0:
        return _broken_stream(request, ending, reply, {**headers, **reply.headers}, reply.stream)
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        _break_now(transport, ending, reply, headers)
    return web.Response()


def _break_now(transport: asyncio.Transport, ending: Ending, reply: Reply, headers: Mapping[str, str]) -> None:
    if ending == "half":
        head, body = _head(reply, headers, len(reply.body)), reply.body
        # Without a body, half of the head is what can be held back.
        transport.write(head + body[: len(body) // 2] if body else head[: len(head) // 2])
    elif ending == "overlong":
        transport.write(_head(reply, headers, len(reply.body) + _OVERLONG_BY) + reply.body)
    if ending != "reset":
        transport.close()
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Closing without lingering is what makes the kernel send RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


async def send_whole(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Send an answer to its end, which the server would do later; a client that has gone is the end, too."""
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return


async def until_gone(request: web.BaseRequest, stopping: asyncio.Event, *, look_every_s: float = 0.02) -> None:
    """Return when the client has closed the connection, or when the emulator stops."""
    while not stopping.is_set():
        transport = request.transport
        if transport is None or transport.is_closing():
            return
        try:
            await asyncio.wait_for(stopping.wait(), look_every_s)
        except TimeoutError:
            continue


def _head(reply: Reply, headers: Mapping[str, str], announced: int) -> bytes:
    merged = {
        "Content-Type": reply.content_type,
        **headers,
        **reply.headers,
        "Content-Length": str(announced),
    }
    lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in merged.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class _Blocks(AsyncIterator[bytes]):
    """A stream for the server to send; with `stop_at` it closes the connection after so many bytes.

    It is no generator, because one that a lost client leaves behind would need to be closed.
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
        # A client that keeps up would otherwise never let the other requests have their turn.
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


def _streaming(reply: Reply, headers: dict[str, str], blocks: _Blocks, length: int | None) -> web.Response:
    headers["Content-Type"] = reply.content_type
    if length is not None:
        headers["Content-Length"] = str(length)
    return web.Response(status=reply.status, headers=headers, body=blocks)


def _broken_stream(
    request: web.BaseRequest, ending: Ending, reply: Reply, headers: dict[str, str], stream: Stream
) -> web.Response:
    """Half of it or all of it, and then the end of the connection in place of what was announced."""
    size = stream.measure()
    # Nobody knows the half of a stream without a length: a byte is less than all.
    sent = None if ending == "overlong" else 1 if size is None else size // 2
    extra = _OVERLONG_BY if ending == "overlong" else 0
    announced = None if stream.chunked or size is None else size + extra
    blocks = _Blocks(stream, stop_at=sent, transport=request.transport)
    return _streaming(reply, headers, blocks, announced)
