"""The routes of the live page in a server: the page, its stream of views, and one view as JSON. All are read-only.

Whoever has the token may read them. Without it there is nothing: the answer is the 404 of any unknown path.
"""

import hmac
from contextlib import aclosing

import anyio
import orjson
from aiohttp import web

from bulkgladly.errors import UsageError
from bulkgladly.live.live_feed import LiveFeed
from bulkgladly.live.live_page import live_page, private_headers

__all__ = ("add_live_routes",)

MOST_READERS = 16
"""Streams at once. Each open page has one; a reader beyond them is told to come back."""
WRITE_S = 20.0
"""How long a reader may take to accept a frame. A computer that fell asleep accepts none and frees its place."""
MIN_TOKEN = 16


def add_live_routes(
    app: web.Application, live: LiveFeed, *, token: str, most_readers: int = MOST_READERS, write_s: float = WRITE_S
) -> None:
    """Add `/live`, `/live/events` and `/live/state.json`, and close the feed when the server shuts down.

    Raises:
        UsageError: The token is so short that it could be guessed.
    """
    if len(token) < MIN_TOKEN:
        raise UsageError(f"the token of the live page is too short; use at least {MIN_TOKEN} characters")
    routes = _LiveRoutes(live, token, most_readers, write_s)
    app.router.add_get("/live", routes.page)
    app.router.add_get("/live/events", routes.events, allow_head=False)
    app.router.add_get("/live/state.json", routes.state)
    app.on_shutdown.append(routes.close)


class _LiveRoutes:
    def __init__(self, live: LiveFeed, token: str, most_readers: int, write_s: float) -> None:
        self._live, self._token = live, token
        self._most_readers, self._write_s = most_readers, write_s
        self._readers = 0

    async def page(self, request: web.Request) -> web.Response:
        self._check(request)
        html, headers = live_page(self._token)
        return web.Response(body=html, headers=headers)

    async def state(self, request: web.Request) -> web.Response:
        self._check(request)
        headers = {**private_headers(), "Content-Type": "application/json"}
        return web.Response(body=orjson.dumps(self._live.view().as_dict()), headers=headers)

    async def events(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        if self._readers >= self._most_readers:
            raise web.HTTPServiceUnavailable(
                text=f"{self._most_readers} pages are open already; close one of them\n",
                headers={**private_headers(), "Retry-After": "30"},
            )
        # X-Accel-Buffering: nginx passes the frames on at once.
        headers = {**private_headers(), "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        self._readers += 1
        try:
            await response.prepare(request)
            async with aclosing(self._live.frames()) as frames:
                async for frame in frames:
                    with anyio.fail_after(self._write_s):
                        await response.write(frame)
        except ConnectionResetError:
            pass  # the reader has gone; a browser comes back by itself
        except TimeoutError:
            # It accepts nothing any more: the end of the answer would wait for it for ever, too.
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._readers -= 1
        return response

    async def close(self, _: web.Application) -> None:
        self._live.close()

    def _check(self, request: web.Request) -> None:
        given = request.query.get("token", "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, self._token.encode("utf-8", "surrogatepass")):
            raise web.HTTPNotFound
