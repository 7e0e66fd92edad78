"""Packed bodies, a bounded piece at a time: a few packed bytes may hold gigabytes. Pure."""

import zlib

from bulkgladly.errors import ReplyLost

__all__ = ("Unpacker", "unpacker_for")

_MOST_AT_ONCE = 256 * 1024
_GZIP = 31  # zlib's numbers for what stands around the packed bytes
_ZLIB = 15
_BARE = -15


class Unpacker:
    """Takes packed bytes by `feed` and gives unpacked ones by `take`, never more than a quarter of a MiB at once."""

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
        """Return the next unpacked bytes, or none where more must be fed first.

        Raises:
            ReplyLost: The bytes are not packed as they were said to be.
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
                raise ReplyLost(f"the answer cannot be unpacked: {error}") from error
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
            raise ReplyLost("the answer ends in the middle of its packed form")

    def _begin_again(self) -> bool:
        """Begin with the next gzip member where there is one; zeros after the last one are padding."""
        if self._is_gzip:
            self._packed = self._packed.lstrip(b"\0")
        if not self._packed:
            return False
        if not self._is_gzip:
            raise ReplyLost("the answer goes on after the end of its packed form")
        self._zlib, self._is_whole = zlib.decompressobj(_GZIP), False
        return True


def unpacker_for(coding: str) -> Unpacker | None:
    """Return what unpacks a `Content-Encoding`, or None where nothing is packed.

    Raises:
        ReplyLost: It is none that we know; we ask for no packing at all.
    """
    match coding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return Unpacker(is_gzip=True)
        case "deflate":
            return Unpacker(is_gzip=False)
    raise ReplyLost(f"the answer is packed as {coding[:40]!r}, which was not asked for")
