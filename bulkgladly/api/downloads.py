"""A reply whose body is read while it arrives."""

from collections.abc import AsyncIterator, Mapping
from typing import Self

from bulkgladly.api.bodies import OpenBody
from bulkgladly.errors import BodyTooLong
from bulkgladly.messages import Reply

__all__ = ("BrokeOff", "Download")


class BrokeOff(Exception):
    """All downloads of something broke off. The message has their number and the last reason."""


class Download:
    """The last reply to a request, whose body is still arriving. Use it within its `async with`.

    `status` and `headers` are there from the beginning; `headers` ignores the case of names.
    If the reply is not a success, its body is there as well: `reply`.
    """

    def __init__(self, reply: Reply, body: OpenBody | None, *, max_reply_bytes: int) -> None:
        """`body` is that of a success; any other reply holds its body already."""
        self.status = reply.status
        self.headers: Mapping[str, str] = reply.headers
        self._reply = reply
        self._body = body
        self._max_reply_bytes = max_reply_bytes
        self._kept: list[bytes] = []
        self._kept_bytes = 0

    @property
    def is_success(self) -> bool:
        """Whether the reply is what the operation declares, so that there are blocks to read."""
        return self._body is not None

    @property
    def length(self) -> int | None:
        """How many bytes the blocks will have in all, if the server says so."""
        return len(self._reply.body) if self._body is None else self._body.length

    @property
    def received(self) -> int:
        """How many bytes of the body have come so far, unpacked."""
        return len(self._reply.body) if self._body is None else self._body.received

    @property
    def has_visible_end(self) -> bool:
        """Whether a truncated body can be told from a whole one.

        False if it ends with the connection: then only its content can tell.
        """
        return self._body is None or self._body.length is not None or "Transfer-Encoding" in self.headers

    def blocks(self, size: int = 1 << 20) -> AsyncIterator[bytes]:
        """Return the body of a success in blocks of `size` bytes or a little more; the last may be shorter.

        Memory holds one block and what the connection buffers. A second iterator continues
        where the first one stopped.

        Raises (while iterating):
            ReplyLost: The body broke off, stalled, or is not what its headers say: start
                again from zero with a new stream.
            BodyTooLong: It is longer than allowed; starting again does not help.
            RuntimeError: The reply is not a success, so there is nothing to read.
        """
        return _Blocks(self, size)

    async def reply(self) -> Reply:
        """Return the reply with its body, as `Client.send` does; without what `blocks` has returned before.

        Raises:
            ReplyLost, BodyTooLong: As `blocks`; also if the body of a success is longer
                than the client keeps in memory.
        """
        if self._body is None:
            return self._reply
        pieces = []
        async for block in self.blocks():
            if self.received > self._max_reply_bytes:
                raise BodyTooLong(f"the response is longer than {self._max_reply_bytes} bytes: read it in blocks")
            pieces.append(block)
        self._reply = self._reply._replace(body=self._reply.body + b"".join(pieces))
        return self._reply

    def disbelieve(self, reason: str) -> None:
        """Drop a body whose content shows that it is not what was requested.

        It counts against the host's health: like an unclear reply, it may come from a gateway in an outage.
        """
        if self._body is not None:
            self._body.disbelieve(reason)

    async def block(self, size: int) -> bytes:
        """Return the next block; no bytes at the end. Raises as `blocks`."""
        if self._body is None:
            raise RuntimeError(f"the response has status {self.status} and nothing to download: read it by `reply`")
        while self._kept_bytes < size and (piece := await self._body.piece()):
            # Kept in the object and not in a local list, so that a cancel loses nothing that came.
            self._kept.append(piece)
            self._kept_bytes += len(piece)
        block = b"".join(self._kept)
        self._kept, self._kept_bytes = [], 0
        return block

    def close(self) -> None:
        """Drop what was not read, and the connection with it."""
        if self._body is not None:
            self._body.close()


class _Blocks(AsyncIterator[bytes]):
    """An iterator and not a generator, which would have to be closed by its reader if it stops in the middle."""

    def __init__(self, download: Download, size: int) -> None:
        if size < 1:
            raise ValueError(f"a block has at least one byte, not {size}")
        self._download, self._size = download, size

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        block = await self._download.block(self._size)
        if not block:
            raise StopAsyncIteration
        return block
