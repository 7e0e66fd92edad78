"""A small real server that takes pings and notices, and can be slow, or refuse them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ("Hook", "hooked")


@dataclass
class Hook:
    """What came, and how it is answered: each status of `statuses` once, then 200."""

    port: int = 0
    came: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path and body of each request."""
    statuses: list[int] = field(default_factory=list)
    is_slow: bool = False
    """Whether requests are not answered at all before the end."""
    when_asked: Callable[[], object] | None = None
    """What the first request sets off."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where pings go."""
        return f"http://127.0.0.1:{self.port}/ping/planted-hook-51c7"

    @property
    def asked(self) -> list[str]:
        """The paths that were requested, without their queries, behind the URL."""
        return [path.partition("?")[0].removeprefix("/ping/planted-hook-51c7") for _, path, _ in self.came]

    def wait_for(self, number: int) -> None:
        """Wait until so many requests have come."""
        until = time.monotonic() + 20
        while len(self.came) < number:
            assert time.monotonic() < until, f"{len(self.came)} requests came: {self.came}"
            time.sleep(0.01)


@contextmanager
def hooked(**given: Any) -> Iterator[Hook]:
    """Serve on a free port until the block ends."""
    hook = Hook(**given)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hook.came.append((self.command, self.path, body))
            if (set_off := hook.when_asked) is not None:
                hook.when_asked = None
                set_off()
            if hook.is_slow:
                hook.over.wait(20)
                return
            self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - as above

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hook
        finally:
            hook.over.set()
            server.shutdown()
            thread.join(10)
