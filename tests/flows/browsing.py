"""A real browser without a window, driven through its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

__all__ = ("CHROMIUM", "FAINT", "Page", "browser_page", "keep_picture", "running_browser")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The browser's program, or None."""
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--lang=en-GB",
    "--remote-debugging-port=0",
    "about:blank",
]
_PATIENCE_S = 20.0
FAINT = """
(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((each) => each / 255)
      .map((each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const bars = [...document.querySelectorAll("td.wait")].map((cell) => [
    getComputedStyle(cell.firstChild).color, getComputedStyle(cell, "::before").backgroundColor]);
  const texts = [...document.querySelectorAll("body *")]
    .filter((node) => [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim())
      && node.checkVisibility() && !["SCRIPT", "STYLE", "NOSCRIPT"].includes(node.tagName))
    // Numbers of marks stand on a disc of their own, which no ancestor paints.
    .filter((node) => !node.matches("svg title, svg desc, text.mark"))
    .map((node) => [
      getComputedStyle(node)[node instanceof SVGElement ? "fill" : "color"], behind(node), node.textContent]);
  return [...texts, ...bars].filter(([front, back]) => {
    const [low, high] = [light(front), light(back)].sort((one, other) => one - other);
    return (high + 0.05) / (low + 0.05) < 4.5;
  });
})()
"""
"""In a page: of all texts that can be seen, those whose contrast with what is behind them is below 4.5 to 1."""


class Page:
    """One page of the browser. What it asked the network for and what went wrong in it is kept."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.requests: list[str] = []
        self.problems: list[str] = []

    async def read(self) -> None:
        """Read all that the browser says, until it closes the connection."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            elif said["method"] == "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            elif said["method"] == "Runtime.exceptionThrown":
                self.problems.append(str(said["params"]["exceptionDetails"]))
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.problems.append(said["params"]["entry"]["text"])

    async def send(self, method: str, **params: Any) -> Any:
        """Send a command and return its result."""
        number = next(self._numbers)
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        said = await asyncio.wait_for(reply, _PATIENCE_S)
        assert "error" not in said, said["error"]
        return said["result"]

    async def look(self, *, width: int, height: int = 900, scheme: str = "light", media: str = "") -> None:
        """Set the size of the window, whether the user prefers light or dark, and the media: `screen` or `print`."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        await self.send(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    async def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        said = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    async def wait_for(self, script: str) -> None:
        """Wait until an expression is true in the page."""
        async with asyncio.timeout(_PATIENCE_S):
            while not await self.evaluate(f"Boolean({script})"):  # noqa: ASYNC110  # the page sets no event of ours
                await asyncio.sleep(0.02)

    async def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture of the page as PNG."""
        taken = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))  # noqa: ASYNC240


async def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of the page for people in the folder BULKGLADLY_PICTURES, if it is set."""
    if folder := os.environ.get("BULKGLADLY_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
        await page.screenshot(Path(folder) / name)


@contextmanager
def running_browser(folder: Path) -> Iterator[str]:
    """Start a browser with an empty profile in a folder, and give the address at which it takes commands."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    with (folder / "browser.log").open("wb") as log:
        browser = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        yield f"127.0.0.1:{_port_of(profile / 'DevToolsActivePort', browser)}"
    finally:
        browser.terminate()
        browser.wait()
        shutil.rmtree(profile, ignore_errors=True)


@asynccontextmanager
async def browser_page(browser: str) -> AsyncIterator[Page]:
    """Open a page that shares neither storage nor cookies with any other of this browser."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{browser}/json/version") as reply:
            address = (await reply.json())["webSocketDebuggerUrl"]
        async with _driven(session, address) as whole:
            context = (await whole.send("Target.createBrowserContext"))["browserContextId"]
            made = await whole.send("Target.createTarget", url="about:blank", browserContextId=context)
            async with _driven(session, f"ws://{browser}/devtools/page/{made['targetId']}") as page:
                for domain in ("Network", "Runtime", "Log", "Page"):
                    await page.send(f"{domain}.enable")
                yield page
            await whole.send("Target.disposeBrowserContext", browserContextId=context)


@asynccontextmanager
async def _driven(session: aiohttp.ClientSession, address: str) -> AsyncIterator[Page]:
    async with session.ws_connect(address, max_msg_size=0) as socket:
        page = Page(socket)
        reading = asyncio.create_task(page.read())
        yield page
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


def _port_of(path: Path, browser: subprocess.Popen[bytes]) -> int:
    """Return the port that the browser writes into its profile when it listens."""
    end = time.monotonic() + _PATIENCE_S * 2
    while not (path.exists() and (lines := path.read_text().split())):
        assert browser.poll() is None, "the browser has ended"
        assert time.monotonic() < end, "the browser does not listen"
        time.sleep(0.05)
    return int(lines[0])
