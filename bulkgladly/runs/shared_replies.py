"""Sends the requests of a look, and keeps the responses that are about many objects."""

from collections import OrderedDict
from collections.abc import Collection, Generator
from typing import TypeVar

import anyio

from bulkgladly.api.client import Client
from bulkgladly.messages import Reply, Request

__all__ = ("Looker",)

T = TypeVar("T")
MOST_KEPT = 64
"""Responses that are kept: one is enough for a list of all objects, and items of conversations come in turn."""


class _SharedReply:
    """Where the response to one request goes: the first who asks sends it, the others wait."""

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.reply: Reply | None = None


class Looker:
    """Runs looks, any number at the same time. Only confirmed responses are kept, so a failed one is tried again."""

    def __init__(self, client: Client, shared: Collection[str]) -> None:
        """`shared` are the operations whose responses are kept."""
        self._client, self._shared = client, shared
        self._places: OrderedDict[tuple[str, tuple[tuple[str, str], ...]], _SharedReply] = OrderedDict()

    async def run(self, look: Generator[Request, Reply, T]) -> tuple[T, int | None]:
        """Return what a look has found, and the status of its last response (None if there was none)."""
        status: int | None = None
        try:
            request = next(look)
            while True:
                reply = await self._send(request)
                status = reply.status or None
                request = look.send(reply)
        except StopIteration as end:
            return end.value, status

    async def _send(self, request: Request) -> Reply:
        if request.operation not in self._shared:
            return await self._client.send(request)
        place = self._places.setdefault((request.path, request.query), _SharedReply())
        self._places.move_to_end((request.path, request.query))
        while len(self._places) > MOST_KEPT:
            self._places.popitem(last=False)
        async with place.lock:
            if place.reply is not None:
                return place.reply
            reply = await self._client.send(request)
            if reply.is_confirmed or reply.is_absent:
                place.reply = reply
            return reply
