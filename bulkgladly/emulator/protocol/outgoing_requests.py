"""Requests that the emulator must send to another server before it can reply, on this machine only."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import NamedTuple

import aiohttp
from yarl import URL

from bulkgladly.emulator.protocol.replies import Reply

__all__ = ("OutgoingRequest", "is_loopback", "send_outgoing")


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


async def send_outgoing(request: OutgoingRequest) -> int | None:
    """Send the request and return the status of the response, or None. Redirects are not followed.

    Raises:
        ValueError: The URL leads to another machine; nothing was sent.
    """
    if not is_loopback(request.url):
        raise ValueError("an request goes to a loopback address only")
    timeout = aiohttp.ClientTimeout(total=request.within_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.post(request.url, data=request.body, headers=request.headers, allow_redirects=False) as response,
        ):
            return response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
