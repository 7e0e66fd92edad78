"""What the emulator must ask another server before it can answer: on this machine, or not at all."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import NamedTuple

import aiohttp
from yarl import URL

from bulkgladly.emulator.protocol.replies import Reply

__all__ = ("OutgoingRequest", "is_loopback", "send_outgoing")


class OutgoingRequest(NamedTuple):
    """A POST to be sent before an operation can be done.

    `then` gets the status of the answer, or None if there was none within `within_s` seconds. It does
    the operation's work at once, and must look at the store anew: other requests may have changed it
    meanwhile. It can raise `Refusal`, as the operation itself.
    """

    url: str
    body: bytes
    headers: Mapping[str, str]
    within_s: float
    then: Callable[[int | None], Reply]


def is_loopback(url: str) -> bool:
    """Whether the URL leads to this machine by its very text: no name is looked up."""
    try:
        host = URL(url).host or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def send_outgoing(request: OutgoingRequest) -> int | None:
    """Send the request; the status of its answer, or None. Redirects are not followed.

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
