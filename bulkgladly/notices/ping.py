"""Pings in the form of healthchecks.io, which tells people when the one that should come does not."""

import asyncio
import threading
import uuid
from collections.abc import Callable

import aiohttp
from yarl import URL

from bulkgladly._version import __version__
from bulkgladly.notices.notice_options import NoticeTimes

__all__ = ("Ping", "run_id")

_TRIES = 3
_WORTH_A_REPEAT = (408, 429)


def run_id(run: str) -> uuid.UUID:
    """Return the UUID of a run for a ping service, always the same for one name; a new one for an empty name."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"bulkgladly:{run}") if run else uuid.uuid4()


class Ping:
    """Sends the ping of the start beside the command, and the one of its end.

    Both are tried three times. A failure is told in one line, with the host alone: whoever knows the URL can ping.
    """

    def __init__(self, url: str, tell: Callable[[str], None], times: NoticeTimes) -> None:
        """Nothing is sent yet."""
        self._url, self._tell, self._times = URL(url), tell, times
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        self._id: uuid.UUID | None = None

    def start(self, run: str) -> None:
        """Send the ping of the start from a thread; only the first call does. The command does not wait for it."""
        if self._id is None:
            self._id = run_id(run)
            # A daemon: a second Ctrl-C must not wait for it.
            self._thread = threading.Thread(target=self._send, args=("start", b"", self._is_over), daemon=True)
            self._thread.start()

    def end(self, exit_code: int, body: bytes, run: str = "") -> None:
        """Send the ping of the end, and wait for it: at most for the time of all tries."""
        if self._thread is not None:
            # In order, or the service would think that the run has just begun.
            self._is_over.set()
            self._thread.join(self._times.ping_s + 1)
        self._id = self._id or run_id(run)
        self._send(str(exit_code), body, threading.Event())

    def _send(self, what: str, body: bytes, is_over: threading.Event) -> None:
        try:
            trouble = asyncio.run(self._try(what, body, is_over))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and changes nothing
            trouble = type(error).__name__
        if trouble:
            self._tell(f"the ping to {self._url.host} failed ({trouble}); the run goes on as without it")

    async def _try(self, what: str, body: bytes, is_over: threading.Event) -> str:
        """Send a ping, and return what went wrong at last; empty if nothing did, or if it does not matter any more."""
        url = (self._url / what).with_query({**self._url.query, "rid": str(self._id)})
        trouble = ""
        timeout = aiohttp.ClientTimeout(total=self._times.ping_s)
        headers = {"User-Agent": f"bulkgladly/{__version__}", "Content-Type": "text/markdown; charset=utf-8"}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers, trust_env=True) as session:
            for nth in range(_TRIES):
                if nth:
                    await asyncio.sleep(self._times.ping_pause_s)
                    if is_over.is_set():
                        return ""
                trouble, is_final = await _sent(session, url, body)
                if is_final:
                    break
        return trouble


async def _sent(session: aiohttp.ClientSession, url: URL, body: bytes) -> tuple[str, bool]:
    """Send one ping; return what went wrong, and whether a repeat would not help."""
    try:
        async with session.request("POST" if body else "GET", url, data=body or None) as response:
            status = response.status
    except TimeoutError:
        return "no response in time", False
    except (aiohttp.ClientError, OSError) as error:
        # Not the text of the error, which may contain the URL.
        cause = getattr(error, "os_error", error)
        return getattr(cause, "strerror", None) or type(error).__name__, False
    if status < 400:
        return "", True
    return f"HTTP {status}", status < 500 and status not in _WORTH_A_REPEAT
