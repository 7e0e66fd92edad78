"""The page at `/live`: one file without any other resource, and the headers that hold a browser to that."""

import base64
import hashlib
import html
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import quote

__all__ = ("live_page", "private_headers")

_EVENTS = 'data-events=""'


def live_page(token: str) -> tuple[bytes, Mapping[str, str]]:
    """Return the page and its headers. It reads its views from `live/events`, with the token."""
    page, policy = _page()
    address = html.escape(f"live/events?token={quote(token, safe='')}")
    headers = {**private_headers(), "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return page.replace(_EVENTS, f'data-events="{address}"', 1).encode(), headers


def private_headers() -> Mapping[str, str]:
    """Return the headers of every answer: the address holds a token, and the content is about people."""
    return {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Robots-Tag": "noindex",
    }


@cache
def _page() -> tuple[str, str]:
    """Return the page with its style and script put in, and the policy that allows just these two."""
    folder = files("bulkgladly.live")
    style, script = (folder.joinpath(f"live.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    page = folder.joinpath("live.html").read_text(encoding="utf-8")
    page = page.replace("<style></style>", f"<style>{style}</style>", 1)
    page = page.replace("<script></script>", f"<script>{script}</script>", 1)
    policy = (
        "default-src 'none'",
        f"script-src '{_hash(script)}'",
        f"style-src '{_hash(style)}'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    return page, "; ".join(policy)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
