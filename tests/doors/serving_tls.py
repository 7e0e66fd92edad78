"""Servers that speak TLS with a certificate of their own, and a proxy that notes every byte it is shown."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ("CERTIFICATE", "OK", "Proxy", "proxy", "secure_server", "server_context")

CERTIFICATE = Path(__file__).parent / "tls" / "certificate.pem"
_KEY = Path(__file__).parent / "tls" / "key.pem"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def server_context() -> ssl.SSLContext:
    """Self-signed, for `localhost`, 127.0.0.1 and `org.example.test`, until 2120."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, _KEY)
    return context


@contextlib.asynccontextmanager
async def _served(serve: Callable[..., object], context: ssl.SSLContext | None) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[object]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)  # type: ignore[misc]
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def secure_server(heads: list[str], answer: Callable[[str], bytes] = lambda _: OK) -> AsyncIterator[int]:
    """Answer every request over TLS, and keep its head; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
            )
            await reader.readexactly(length)
            heads.append(head)
            writer.write(answer(head))
            await writer.drain()

    async with _served(serve, server_context()) as port:
        yield port


@dataclass
class Proxy:
    """What a proxy was shown: the heads of the CONNECTs, and all bytes that went through their tunnels upwards."""

    url: str = ""
    connects: list[str] = field(default_factory=list)
    upwards: bytearray = field(default_factory=bytearray)


@contextlib.asynccontextmanager
async def proxy(target_port: int) -> AsyncIterator[Proxy]:
    """Tunnel every CONNECT to a port of this machine, whatever name it asks for."""
    seen = Proxy()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connects.append((await reader.readuntil(b"\r\n\r\n")).decode())
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", target_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def upwards() -> None:
            while data := await reader.read(65536):
                seen.upwards += data
                up_writer.write(data)
            up_writer.close()

        going_up = asyncio.ensure_future(upwards())
        try:
            while data := await up_reader.read(65536):
                writer.write(data)
        finally:
            going_up.cancel()
            up_writer.close()
            await asyncio.gather(going_up, return_exceptions=True)

    async with _served(serve, None) as port:
        seen.url = f"127.0.0.1:{port}"
        yield seen
