"""A reply's body while it arrives: unpacked, counted and bounded."""

import asyncio
import zlib
from typing import Protocol

from bulkgladly.errors import BodyTooLong, ReplyLost, TransportError

__all__ = ("OpenBody", "PieceSource", "Unpacker", "Watch", "unpacker_for")

# Bytes that cannot be compressed grow by less than this when they are packed.
_PACKED_SHARE = 1.01
_PACKED_EXTRA = 65536
# JSON lines pack 5 to 50 times, very regular ones 100 times. Zeros pack 1000 times: then a few bytes
# on the wire are minutes of work. The first megabytes are cheap, so they are not judged.
_MOST_EXPANSION = 200
_JUDGED_FROM = 8 * 1024 * 1024
_MOST_AT_ONCE = 256 * 1024
_GZIP = 31  # zlib's numbers for what stands around the packed bytes
_ZLIB = 15
_BARE = -15


class PieceSource(Protocol):
    """The connection from which a body is read."""

    async def piece(self) -> bytes:
        """Return the next bytes as they come; none at the proper end.

        Raises:
            ReplyLost: It broke off, or nothing came for too long.
        """
        ...

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        ...


class Watch(Protocol):
    """Learns how a body goes on. `ended` is called once, whatever happens."""

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
        """Read nothing yet. `length` is the announced length, packed or not; `coding` the `Content-Encoding`."""
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
        """Return the next unpacked bytes; none at the end.

        Raises:
            ReplyLost: The body broke off, stalled, or is not what its headers say.
            BodyTooLong: It is longer than allowed.

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
        """Return the rest of the body. Raises as `piece`."""
        pieces = []
        while data := await self.piece():
            pieces.append(data)
        return b"".join(pieces)

    def disbelieve(self, reason: str) -> None:
        """End the body as broken, because its reader found something else in it."""
        if self.watch is not None:
            self.watch.broke(reason)
        self.close()

    def close(self) -> None:
        """End the body. The rest of it is dropped, and so is the connection."""
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
                # Endless packed zeros that unpack to nothing never show in the unpacked length.
                raise self._too_long()
            unpacker.feed(packed)
        unpacked = self.received + len(data)
        if unpacked > _JUDGED_FROM and unpacked > _MOST_EXPANSION * self._packed_bytes:
            raise BodyTooLong(f"the response unpacks to over {_MOST_EXPANSION} times its size, which no export does")
        # A bomb unpacks without ever waiting for the network: let other tasks run in between.
        await asyncio.sleep(0)
        return data

    def _too_long(self) -> BodyTooLong:
        return BodyTooLong(f"the response is longer than the allowed {self._max_bytes} bytes")


# --- unpacking: pure, and a bounded piece at a time, since a few packed bytes may hold gigabytes ---


class Unpacker:
    """Takes packed bytes by `feed` and returns unpacked ones by `take`, at most a quarter of a MiB at once."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._zlib = zlib.decompressobj(_GZIP) if is_gzip else None
        self._packed = b""
        self._is_fed = False
        self._is_whole = False

    def feed(self, packed: bytes) -> None:
        """Add what arrived; everything fed before must have been taken."""
        self._packed += packed
        self._is_fed = True

    def take(self) -> bytes:
        """Return the next unpacked bytes; none if more must be fed first.

        Raises:
            ReplyLost: The bytes are not packed as the headers say.
        """
        while True:
            if self._is_whole and not self._begin_again():
                return b""
            if self._zlib is None:
                if not self._packed:
                    return b""
                # By the standard deflate has a zlib header; some servers leave it off.
                self._zlib = zlib.decompressobj(_ZLIB if self._packed[0] & 0x0F == zlib.DEFLATED else _BARE)
            try:
                unpacked = self._zlib.decompress(self._packed, _MOST_AT_ONCE)
            except zlib.error as error:
                raise ReplyLost(f"the response cannot be decompressed: {error}") from error
            self._is_whole = self._zlib.eof
            self._packed = self._zlib.unused_data if self._is_whole else self._zlib.unconsumed_tail
            if unpacked or not self._packed:
                return unpacked

    def finish(self) -> None:
        """Note that nothing more arrives.

        Raises:
            ReplyLost: The packed bytes ended in the middle.
        """
        if self._is_fed and not self._is_whole:
            raise ReplyLost("the response ends in the middle of its compressed data")

    def _begin_again(self) -> bool:
        """Begin the next gzip member, if there is one; zeros after the last one are padding."""
        if self._is_gzip:
            self._packed = self._packed.lstrip(b"\0")
        if not self._packed:
            return False
        if not self._is_gzip:
            raise ReplyLost("the response continues after the end of its compressed data")
        self._zlib, self._is_whole = zlib.decompressobj(_GZIP), False
        return True


def unpacker_for(coding: str) -> Unpacker | None:
    """Return what unpacks a `Content-Encoding`; None if nothing is packed.

    Raises:
        ReplyLost: It is not one that we know.
    """
    match coding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return Unpacker(is_gzip=True)
        case "deflate":
            return Unpacker(is_gzip=False)
    raise ReplyLost(f"the response is compressed as {coding[:40]!r}, which was not requested")
