"""Responses that no web framework offers: announced wrongly, cut, endless, or none at all."""

import asyncio
import gzip
import itertools
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import formatdate
from http.client import responses
from typing import cast
from weakref import WeakSet

from aiohttp import web

from bulkgladly.emulator.faults.fault import Coding, Fault, Framing
from bulkgladly.emulator.protocol.replies import Reply, Stream
from bulkgladly.emulator.server.responses import StreamBlocks, streaming_response

__all__ = ("CutConnection", "end_connection", "send_broken", "wait_until_closed")

_OVERLONG_BY = 64
_SURPLUS = b'{"surplus": true}'
_NO_LINGER = struct.pack("ii", 1, 0)
_BLOCK = 64 * 1024
_HELD_BYTES = 1 << 20
_LOOK_EVERY_S = 0.02


class CutConnection(asyncio.Protocol):
    """A connection that ends, or stays silent, before a byte of it is read."""

    def __init__(self, fault: Fault, refuse: Callable[[float], None], silent: WeakSet[asyncio.Transport]) -> None:
        self._fault, self._refuse, self._silent = fault, refuse, silent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End the connection as the fault says, or keep it silent."""
        connection = cast("asyncio.Transport", transport)
        if self._fault.ending == "hang":
            self._silent.add(connection)
        else:
            end_connection(connection, self._fault, self._refuse)


async def send_broken(
    request: web.BaseRequest, fault: Fault, reply: Reply, headers: Mapping[str, str], stopping: asyncio.Event
) -> web.StreamResponse | None:
    """Send a reply in the form that a fault asks for; the caller ends the connection.

    A stream that breaks off is not sent here, but returned for the server to send. Any other stream is
    read into memory. Stops early when the client goes away or the emulator stops.
    """
    if reply.stream is not None:
        if fault.framing in ("half", "overlong") and fault.coding == "identity" and reply.stream.measure() != 0:
            return _broken_stream(request, fault.framing, reply, {**headers, **reply.headers}, reply.stream)
        reply = reply._replace(body=b"".join(reply.stream.blocks()), stream=None)
    merged = {"Content-Type": reply.content_type, "Date": formatdate(usegmt=True), **headers, **reply.headers}
    body, coded = _coded(reply.body, fault.coding)
    blocks = _FRAMINGS[fault.framing](reply.status, {**merged, **coded}, body)
    if fault.drip_s:
        blocks = (block[at : at + 1] for block in blocks for at in range(len(block)))
    for block in blocks:
        transport = request.transport
        if transport is None or transport.is_closing() or stopping.is_set():
            break
        transport.write(block)
        if fault.drip_s:
            await _pause(stopping, fault.drip_s)
        while transport.get_write_buffer_size() > _HELD_BYTES and not stopping.is_set():
            await _pause(stopping, _LOOK_EVERY_S)
    return None


def end_connection(transport: asyncio.Transport, fault: Fault, refuse: Callable[[float], None]) -> None:
    """End a connection, or with the ending `refuse` all connections."""
    if fault.ending == "refuse":
        transport.close()
        refuse(fault.refuse_s)
        return
    if fault.ending != "reset":
        transport.close()
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Without lingering, the kernel sends RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


async def wait_until_closed(request: web.BaseRequest, stopping: asyncio.Event) -> None:
    """Return when the client has closed the connection, or when the emulator stops."""
    while not stopping.is_set():
        transport = request.transport
        if transport is None or transport.is_closing():
            return
        await _pause(stopping, _LOOK_EVERY_S)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


def _coded(body: bytes, coding: Coding) -> tuple[bytes, Mapping[str, str]]:
    if coding == "identity":
        return body, {}
    packed = body if coding == "gzip_lie" else gzip.compress(body, mtime=0)
    return packed[: len(packed) // 2] if coding == "gzip_cut" else packed, {"Content-Encoding": "gzip"}


def _head(status: int, headers: Mapping[str, str], **framing: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}"]
    given = {name.replace("_", "-"): value for name, value in framing.items()}
    lines += [f"{name}: {value}" for name, value in {**given, **headers}.items()]
    # Headers are Latin-1. A fault may hold any text, and something must be sent.
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _length(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    yield _head(status, headers, Content_Length=str(len(body)))
    yield body


def _half(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    head = _head(status, headers, Content_Length=str(len(body)))
    # Without a body, half of the head is sent.
    yield head + body[: len(body) // 2] if body else head[: len(head) // 2]


def _overlong(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    yield _head(status, headers, Content_Length=str(len(body) + _OVERLONG_BY)) + body


def _short(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    sent = body or _SURPLUS
    yield _head(status, headers, Content_Length=str(len(body) // 2)) + sent


def _unframed(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    yield _head(status, headers, Connection="close") + body


def _chunked(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    yield from _chunked_cut(status, headers, body)
    yield b"0\r\n\r\n"


def _chunked_cut(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    yield _head(status, headers, Transfer_Encoding="chunked")
    yield from (_chunk(body[at : at + _BLOCK]) for at in range(0, len(body), _BLOCK))


def _endless(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    yield _head(status, headers, Transfer_Encoding="chunked")
    yield from itertools.repeat(_chunk((body or b" ") * (_BLOCK // (len(body) or 1) + 1)))


def _raw(_status: int, _headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    yield body


def _nothing(_status: int, _headers: Mapping[str, str], _body: bytes) -> Iterator[bytes]:
    return iter(())


_FRAMINGS: Mapping[Framing, Callable[[int, Mapping[str, str], bytes], Iterable[bytes]]] = {
    "length": _length,
    "chunked": _chunked,
    "unframed": _unframed,
    "half": _half,
    "overlong": _overlong,
    "short": _short,
    "chunked_cut": _chunked_cut,
    "endless": _endless,
    "raw": _raw,
    "nothing": _nothing,
}


def _chunk(block: bytes) -> bytes:
    return f"{len(block):x}\r\n".encode() + block + b"\r\n"


def _broken_stream(
    request: web.BaseRequest, framing: Framing, reply: Reply, headers: dict[str, str], stream: Stream
) -> web.Response:
    """Return half of the stream or all of it; the connection ends before the announced end."""
    size = stream.measure()
    # Half of an unknown length is unknown; one byte is less than all.
    sent = None if framing == "overlong" else 1 if size is None else size // 2
    extra = _OVERLONG_BY if framing == "overlong" else 0
    announced = None if stream.chunked or size is None else size + extra
    blocks = StreamBlocks(stream, stop_at=sent, transport=request.transport)
    return streaming_response(reply, headers, blocks, announced)
