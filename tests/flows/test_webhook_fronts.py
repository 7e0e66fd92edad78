"""The configurations of docs/realtime.md in real proxies, with TLS, in front of a real listener.

Skipped where the proxy is not installed: `apt-get install nginx-light caddy`.
"""

import asyncio
import base64
import contextlib
import io
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.webhooks.listen_options import ListenOptions
from bulkgladly.webhooks.listen_secrets import ListenSecrets
from bulkgladly.webhooks.webhook_server import WebhookServer
from tests.contract.test_docs import DOCS, blocks_of
from tests.doors.serving_tls import CERTIFICATE

KEY = CERTIFICATE.parent / "key.pem"
SECRETS = ListenSecrets("gladly", ["a-password"])
HEADERS = {"Authorization": f"Basic {base64.b64encode(b'gladly:a-password').decode()}"}
EVENT = b'{"id":"e-%d","type":"TASK/CREATED","timestamp":"2026-11-27T12:00:00.000Z","content":{}}'
LIMIT_S = 30.0


def documented(sign: str) -> str:
    """The configuration that the page shows, known by a word in it."""
    (found,) = [block.text for block in blocks_of(DOCS / "realtime.md", "text") if sign in block.text]
    return found


def nginx(folder: Path, port: int, upstream: str) -> list[str]:
    """Write the documented server with other ports and files, and return the command."""
    server = documented("proxy_pass")
    for pattern, instead in (
        (r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (r"(ssl_certificate) .*;", rf"\1 {CERTIFICATE};"),
        (r"(ssl_certificate_key) .*;", rf"\1 {KEY};"),
        (r"127\.0\.0\.1:8080", upstream),
    ):
        server, times = re.subn(pattern, instead, server)
        assert times == 1, pattern
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As root its workers would else be another user, who must not enter the folder of a test.
    user = "user root;" if os.geteuid() == 0 else ""
    main = f"{user} daemon off; pid {folder}/pid; error_log stderr; events {{}}"
    text = f"{main} http {{ access_log off; {temporary} {server} }}"
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, upstream: str) -> list[str]:
    """As `nginx`, for the documented Caddyfile."""
    site = documented("reverse_proxy")
    for pattern, instead in (
        (r"hooks\.example\.org \{", f"https://127.0.0.1:{port} {{\n\ttls {CERTIFICATE} {KEY}"),
        (r"127\.0\.0\.1:8080", upstream),
    ):
        site, times = re.subn(pattern, instead, site)
        assert times == 1, pattern
    usual = f"{{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system {folder}\n}}\n"
    (folder / "Caddyfile").write_text(usual + site, encoding="utf-8")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def fronted(write: Callable[[Path, int, str], list[str]], folder: Path, upstream: str) -> AsyncIterator[str]:
    """Run a proxy, and yield its address once it accepts connections."""
    port = free_port()
    (folder / "front").mkdir()
    command = write(folder / "front", port, upstream)
    with (folder / "front" / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once, and is polled
            command, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": os.environ["PATH"]}
        )
    try:
        async with asyncio.timeout(LIMIT_S):
            while True:
                assert process.poll() is None, (folder / "front" / "log").read_text("utf-8")
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield f"https://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT_S)


@pytest.mark.parametrize("write", [nginx, caddy], ids=["nginx", "caddy"])
async def test_the_documented_proxy_passes_deliveries_on(
    write: Callable[[Path, int, str], list[str]], tmp_path: Path
) -> None:
    """Secrets arrive, long bodies get no 413 of the proxy's own, and nothing else is reachable."""
    if shutil.which(write.__name__) is None:
        pytest.skip(f"{write.__name__} is not installed")
    trust = ssl.create_default_context(cafile=str(CERTIFICATE))
    with Inbox(tmp_path / "state", "https://example.gladly.com") as inbox:
        server = WebhookServer(inbox, ListenOptions(at="127.0.0.1:0"), SECRETS)
        await server.start()
        upstream = server.url.removeprefix("http://").removesuffix("/gladly")
        async with fronted(write, tmp_path, upstream) as url, aiohttp.ClientSession() as session:

            async def post(path: str, body: bytes, headers: dict[str, str]) -> int:
                data = io.BytesIO(body)
                async with session.post(url + path, data=data, headers=headers, ssl=trust) as response:
                    return response.status

            assert [await post("/gladly", EVENT % number, HEADERS) for number in range(20)] == [200] * 20
            assert await post("/gladly", EVENT % 99, {}) == 401
            assert await post("/gladly", b"x" * 3_000_000, HEADERS) == 200
            for path in ("/healthz", "/live", "/"):
                assert await post(path, b"", HEADERS) == 404
        await server.stop()

        assert len(inbox.reader.after(0)) == 21
