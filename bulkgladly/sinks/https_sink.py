"""The sink `https://...`: one POST for each event. Only this module and `api.wire` name aiohttp's client."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from bulkgladly._version import __version__
from bulkgladly.api.address import delay_s, proxy_for
from bulkgladly.errors import UsageError
from bulkgladly.runs.stages import side_by_side
from bulkgladly.settings import is_loopback, trusted_certificates
from bulkgladly.sinks.outgoing import Outgoing
from bulkgladly.sinks.signatures import signed_headers
from bulkgladly.sinks.sinks import Fate, Sink, SinkReply, SinkTimes, cursor_name

__all__ = ("HttpsSink",)

_AT_ONCE = 8
"""Requests under way at a time, each for another object."""
_KEEP_ALIVE_S = 4.0
_BODY_S = 1.0
_MOST_READ = 64 * 1024
_TRY_AGAIN = (408, 425, 429)
_UNTRIED = SinkReply(Fate.UNTRIED)


class HttpsSink(Sink):
    """Sends each event as the JSON body of a POST; any 2xx takes it. Redirects are not followed.

    Events about one object are sent one after the other, and the first that fails ends its row. Only the headers that
    are named here are sent: nothing that belongs to Gladly.
    """

    takes_whole = False

    def __init__(
        self,
        url: str,
        *,
        keys: Sequence[bytes] = (),
        times: SinkTimes | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Check the address; nothing is opened yet. `keys` sign the requests.

        Raises:
            UsageError: It is not an https URL, or it names a user, or SSL_CERT_FILE cannot work.
        """
        self._url, host = _checked(url)
        super().__init__(cursor_name("https", host, url), f"https://{host}" if self._is_secure else f"http://{host}")
        self._keys, self._times, self._now = keys, times or SinkTimes(), now
        self._proxy = proxy_for(self._url.host or "") if self._is_secure else None
        trust = trusted_certificates() if self._is_secure else None
        self._trust: ssl.SSLContext | bool = trust or True
        self._session: aiohttp.ClientSession | None = None

    @property
    def _is_secure(self) -> bool:
        return self._url.scheme == "https"

    async def deliver(self, events: Sequence[Outgoing]) -> list[SinkReply]:
        """Send the events, those about different objects side by side."""
        rows: dict[str, list[int]] = {}
        for number, event in enumerate(events):
            rows.setdefault(event.key or f"event {number}", []).append(number)
        replies = [_UNTRIED] * len(events)
        is_down = False

        async def send(row: list[int]) -> None:
            nonlocal is_down
            for number in row:
                # A receiver that cannot be reached is not asked once for each object.
                if is_down:
                    return
                reply, is_down_now = await self._send(events[number])
                replies[number], is_down = reply, is_down or is_down_now
                if reply.fate is Fate.FAILED:
                    return

        await side_by_side([partial(send, row) for row in rows.values()], _AT_ONCE)
        return replies

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, event: Outgoing) -> tuple[SinkReply, bool]:
        """Return the reply of an event, and whether the receiver seems to be down."""
        headers = {
            "Content-Type": "application/json",
            **signed_headers(self._keys, event.id, int(self._now()), event.line),
        }
        try:
            async with self._open().post(
                self._url, data=event.line, headers=headers, proxy=self._proxy, allow_redirects=False
            ) as response:
                reply = _reply_of(response.status, response.headers)
                # Read, so that the connection can be used again. What it says, or that it breaks off, does not matter.
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with asyncio.timeout(_BODY_S):
                        await response.content.read(_MOST_READ)
                return reply, False
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
            return SinkReply(
                Fate.FAILED, f"its certificate is not trusted ({why.rstrip('.')}); set SSL_CERT_FILE"
            ), True
        except aiohttp.ClientHttpProxyError as error:
            return SinkReply(Fate.FAILED, f"the proxy answered {error.status}"), True
        except TimeoutError:
            return SinkReply(Fate.FAILED, f"no response within {self._times.request_s:g} s"), True
        except aiohttp.ClientConnectorError as error:
            return SinkReply(Fate.FAILED, f"cannot be reached: {error.os_error}"), True
        # The text of other errors may quote the whole address, which may hold a secret.
        except (aiohttp.ClientError, ValueError) as error:
            return SinkReply(Fate.FAILED, f"the connection broke ({type(error).__name__})"), False

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, ssl=self._trust),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"bulkgladly/{__version__}"},
                timeout=aiohttp.ClientTimeout(total=self._times.request_s, sock_connect=self._times.connect_s),
            )
        return self._session


def _reply_of(status: int, headers: Mapping[str, str]) -> SinkReply:
    if 200 <= status < 300:
        return SinkReply(Fate.TAKEN)
    reason = f"HTTP {status}" + (f" {HTTPStatus(status).phrase}" if status in _STATUSES else "")
    if 300 <= status < 400:
        return SinkReply(Fate.FAILED, f"{reason}: redirects are not followed; use the final address in --to")
    if 400 <= status < 500 and status not in _TRY_AGAIN:
        return SinkReply(Fate.REFUSED, reason)
    return SinkReply(Fate.FAILED, reason, delay_s(headers.get("Retry-After"), headers.get("Date")))


_STATUSES = frozenset(int(each) for each in HTTPStatus)


def _checked(text: str) -> tuple[URL, str]:
    """Return the address of a sink, and its host with the port for people."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        url = URL(text)
    except ValueError:
        raise UsageError("--to https://... is not a valid address; use https://HOST/PATH") from None
    if not host or not text.isprintable() or " " in text:
        raise UsageError("--to https://... is not a valid address; use https://HOST/PATH")
    told = f"{host}:{port}" if port else host
    if parts.scheme != "https" and not is_loopback(host):
        raise UsageError(
            f"--to http://{told}: events are sent over https only (plain http is for this machine); use https://"
        )
    if "@" in parts.netloc:
        raise UsageError(
            f"--to https://{told} names a user; leave it out, and let the receiver check signatures (--sign-env)"
        )
    return url.with_fragment(None), told
