"""An answer whose body is read while it arrives."""

from collections.abc import AsyncIterator, Mapping
from typing import Self

from bulkgladly.api.bodies import OpenBody
from bulkgladly.errors import BodyTooLong
from bulkgladly.messages import Reply

__all__ = ("BrokeOff", "Download")


class BrokeOff(Exception):
    """Every download of something broke off. The message gives their number and the last reason."""


class Download:
    """The last answer to a request, with its body on the way. Use it within its `async with`.

    `status` and `headers` are there from the beginning; `headers` finds a name however it
    is spelled. Of an answer that is no success the body is there as well: `reply`.
    """

    def __init__(self, reply: Reply, body: OpenBody | None, *, max_reply_bytes: int) -> None:
        """`body` is that of a success; the body of all others is in the reply already."""
        self.status = reply.status
        self.headers: Mapping[str, str] = reply.headers
        self._reply = reply
        self._body = body
        self._max_reply_bytes = max_reply_bytes
        self._kept: list[bytes] = []
        self._kept_bytes = 0

    @property
    def is_success(self) -> bool:
        """Whether the reply is the one that the operation gives, so that there are blocks to read."""
        return self._body is not None

    @property
    def length(self) -> int | None:
        """How many bytes the blocks will have in all, where the server says so."""
        return len(self._reply.body) if self._body is None else self._body.length

    @property
    def received(self) -> int:
        """How many bytes of the body came so far, unpacked."""
        return len(self._reply.body) if self._body is None else self._body.received

    @property
    def has_visible_end(self) -> bool:
        """Whether a body that is cut can be told from a whole one.

        False where it ends with the connection: then only its content can tell.
        """
        return self._body is None or self._body.length is not None or "Transfer-Encoding" in self.headers

    def blocks(self, size: int = 1 << 20) -> AsyncIterator[bytes]:
        """Return the body of a success in blocks of `size` bytes or a little more; the last may be shorter.

        Memory stays within a block and what the connection buffers. A second iterator goes
        on where the first was left.

        Raises (while iterating):
            ReplyLost: The body broke off, stalled, or is not what its headers say: begin
                again from zero with a new stream.
            BodyTooLong: It is longer than allowed; to begin again does not help.
            RuntimeError: The answer is no success, and its body not what was asked for.
        """
        return _Blocks(self, size)

    async def reply(self) -> Reply:
        """Return the answer with its body, as `Client.send` would have; less what `blocks` gave before.

        Raises:
            ReplyLost, BodyTooLong: As `blocks`; also where the body of a success is longer
                than the client keeps in memory.
        """
        if self._body is None:
            return self._reply
        pieces = []
        async for block in self.blocks():
            if self.received > self._max_reply_bytes:
                raise BodyTooLong(f"the answer is longer than {self._max_reply_bytes} bytes: read it in blocks")
            pieces.append(block)
        self._reply = self._reply._replace(body=self._reply.body + b"".join(pieces))
        return self._reply

    def disbelieve(self, reason: str) -> None:
        """Give up a body whose content shows that it is not what was asked for.

        The host's health is told: like a reply that is unclear, it may be an outage of a gateway.
        """
        if self._body is not None:
            self._body.disbelieve(reason)

    async def block(self, size: int) -> bytes:
        """Return the next block, or no bytes at the end. Raises as `blocks`."""
        if self._body is None:
            raise RuntimeError(f"the answer is {self.status}, not what was asked for: read it by `reply`")
        while self._kept_bytes < size and (piece := await self._body.piece()):
            # Kept here and not in a local list: cancelled, nothing that came is lost.
            self._kept.append(piece)
            self._kept_bytes += len(piece)
        block = b"".join(self._kept)
        self._kept, self._kept_bytes = [], 0
        return block

    def close(self) -> None:
        """Give up what was not read; the connection goes with it."""
        if self._body is not None:
            self._body.close()


class _Blocks(AsyncIterator[bytes]):
    """No generator: one that is left in the middle would have to be closed by somebody."""

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
