"""An answer's body while it arrives: unpacked, counted and bounded."""

import asyncio
from typing import Protocol

from bulkgladly.api.unpacking import Unpacker, unpacker_for
from bulkgladly.errors import BodyTooLong, ReplyLost, TransportError

__all__ = ("OpenBody", "PieceSource", "Watch")

# What cannot be packed grows by less than this.
_PACKED_SHARE = 1.01
_PACKED_EXTRA = 65536
# JSON lines pack 5 to 50 times, very even ones 100 times; a packed nothing 1000 times, and then a
# few bytes on the wire are minutes of work. The first megabytes are cheap, so they are not judged.
_MOST_EXPANSION = 200
_JUDGED_FROM = 8 * 1024 * 1024


class PieceSource(Protocol):
    """The connection that a body comes from."""

    async def piece(self) -> bytes:
        """Return the next bytes as they come, or none at the proper end.

        Raises:
            ReplyLost: It broke off, or nothing came for too long.
        """
        ...

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        ...


class Watch(Protocol):
    """Who wants to know how a body goes on. `ended` is called once, whatever happens."""

    def arrived(self) -> None:
        """Some of it came."""
        ...

    def broke(self, reason: str) -> None:
        """It is incomplete; `ended` follows."""
        ...

    def ended(self) -> None:
        """It is over: read to the end, broken, or left."""
        ...


class OpenBody:
    """One body, read once. `received` counts its unpacked bytes so far."""

    def __init__(self, source: PieceSource, *, length: int | None, coding: str, max_bytes: int | None) -> None:
        """Read nothing yet. `length` is the announced one, packed or not; `coding` the `Content-Encoding`."""
        self.watch: Watch | None = None
        self.received = 0
        self._source = source
        self._coding = coding
        self._is_packed = coding.strip().lower() not in ("", "identity")
        self.length = None if self._is_packed else length
        self._max_bytes = max_bytes
        self._packed_bytes = 0
        self._unpacker: Unpacker | None = None
        self._error: TransportError | None = None
        self._is_whole = False
        self._is_over = False

    async def piece(self) -> bytes:
        """Return the next unpacked bytes, or none at the end.

        Raises:
            ReplyLost: The body broke off, stalled, or is not what its headers say.
            BodyTooLong: It is longer than it may be.

        After an error the connection is closed, and every further call raises it again.
        """
        if self._error is not None:
            raise self._error
        if self._is_whole:
            return b""
        if self._is_over:
            raise RuntimeError("the download was left before its end: read it within its `async with`")
        try:
            data = await self._next()
        except TransportError as error:
            self._error = error
            if self.watch is not None and isinstance(error, ReplyLost):
                self.watch.broke(str(error))
            self.close()
            raise
        if not data:
            self._is_whole = True
            self.close()
        elif self.watch is not None:
            self.watch.arrived()
        return data

    async def whole(self) -> bytes:
        """Return all that is left of it. Raises as `piece`."""
        pieces = []
        while data := await self.piece():
            pieces.append(data)
        return b"".join(pieces)

    def disbelieve(self, reason: str) -> None:
        """End the body as broken: its reader found that it is something else."""
        if self.watch is not None:
            self.watch.broke(reason)
        self.close()

    def close(self) -> None:
        """End the body. What was not read is given up, and the connection with it."""
        if self._is_over:
            return
        self._is_over = True
        self._source.close()
        if self.watch is not None:
            self.watch.ended()

    async def _next(self) -> bytes:
        if self._max_bytes is not None and self.length is not None and self.length > self._max_bytes:
            raise self._too_long()
        data = await (self._unpacked() if self._is_packed else self._source.piece())
        self.received += len(data)
        if self._max_bytes is not None and self.received > self._max_bytes:
            raise self._too_long()
        return data

    async def _unpacked(self) -> bytes:
        if self._unpacker is None:
            self._unpacker = unpacker_for(self._coding)
        unpacker = self._unpacker
        if unpacker is None:
            return await self._source.piece()
        while not (data := unpacker.take()):
            packed = await self._source.piece()
            if not packed:
                unpacker.finish()
                return b""
            self._packed_bytes += len(packed)
            if self._max_bytes is not None and self._packed_bytes > self._max_bytes * _PACKED_SHARE + _PACKED_EXTRA:
                # Packed nothings without end never show in what is unpacked.
                raise self._too_long()
            unpacker.feed(packed)
        unpacked = self.received + len(data)
        if unpacked > _JUDGED_FROM and unpacked > _MOST_EXPANSION * self._packed_bytes:
            raise BodyTooLong(f"the answer unpacks to more than {_MOST_EXPANSION} times its size, as no export does")
        # A bomb unpacks without ever waiting for the network: the others get their turn.
        await asyncio.sleep(0)
        return data

    def _too_long(self) -> BodyTooLong:
        return BodyTooLong(f"the answer is longer than the {self._max_bytes} bytes that are allowed")
