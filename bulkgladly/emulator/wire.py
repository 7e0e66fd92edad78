"""Replies as bytes on a connection, and the broken endings that no web framework offers."""

import asyncio
import socket
import struct
from collections.abc import Mapping
from http.client import responses

from aiohttp import web

from bulkgladly.emulator.faults import Ending
from bulkgladly.emulator.replies import Reply

__all__ = ("break_off", "response_for", "until_gone")

_OVERLONG_BY = 64
_NO_LINGER = struct.pack("ii", 1, 0)


def response_for(reply: Reply, headers: Mapping[str, str]) -> web.Response:
    """The whole answer, with further headers; the reply's own win."""
    merged = {**headers, **reply.headers}
    if not reply.body:
        return web.Response(status=reply.status, headers=merged)
    merged["Content-Type"] = reply.content_type
    return web.Response(status=reply.status, headers=merged, body=reply.body)


def break_off(request: web.BaseRequest, ending: Ending, reply: Reply, headers: Mapping[str, str]) -> None:
    """End the connection the way a fault asks for; what is returned to the server afterwards goes nowhere."""
    transport = request.transport
    if not isinstance(transport, asyncio.Transport):
        return
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
