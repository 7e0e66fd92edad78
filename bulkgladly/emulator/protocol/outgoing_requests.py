"""Requests that the emulator sends to other servers, on this machine only."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import NamedTuple

import aiohttp
from yarl import URL

from bulkgladly.emulator.protocol.replies import Reply

__all__ = ("LoopbackClient", "OutgoingRequest", "is_loopback", "send_outgoing")


class OutgoingRequest(NamedTuple):
    """A POST that must be sent before an operation can do its work.

    `then` gets the status of the response, or None if there was none within `within_s` seconds. It does
    the work of the operation. It must read the store again, because other requests may have changed it
    in the meantime. Like the operation itself it can raise `Refusal`.
    """

    url: str
    body: bytes
    headers: Mapping[str, str]
    within_s: float
    then: Callable[[int | None], Reply]


def is_loopback(url: str) -> bool:
    """Return whether the text of the URL alone shows that it leads to this machine; no name is resolved."""
    try:
        host = URL(url).host or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class LoopbackClient:
    """Sends POSTs to servers on this machine over connections that stay open. Redirects are not followed.

    It opens its first connection when it is first used; `close` ends all of them.
    """

    def __init__(self, *, within_s: float) -> None:
        self._within_s = within_s
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, drop_reply: bool = False) -> int | None:
        """Send a POST and return the status of the response, or None if there was none in time.

        With `drop_reply` the connection is closed as soon as the server has replied, and the result is None.

        Raises:
            ValueError: The URL leads to another machine; nothing was sent.
        """
        if not is_loopback(url):
            raise ValueError("a request goes to a loopback address only")
        session = self._opened()
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                if drop_reply:
                    response.close()
                return None if drop_reply else response.status
        # ValueError: a header of the webhook cannot be sent, such as a length that is not a number.
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    async def close(self) -> None:
        """Close all connections. It cannot be used afterwards."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._within_s),
                # How many requests are open at once is decided where they are started.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


async def send_outgoing(request: OutgoingRequest) -> int | None:
    """Send the request and return the status of the response, or None. Redirects are not followed.

    Raises:
        ValueError: The URL leads to another machine; nothing was sent.
    """
    client = LoopbackClient(within_s=request.within_s)
    try:
        return await client.post(request.url, request.body, request.headers)
    finally:
        await client.close()
