"""Where requests go: the host, its URLs, the proxy on the way, what headers say."""

import re
import urllib.request
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

from yarl import URL

from bulkgladly.errors import UsageError
from bulkgladly.settings import base_url as normal_base_url
from bulkgladly.settings import is_loopback

__all__ = ("Address", "delay_s", "whole_number")

# What a path may hold as it is; a percent sign stands for itself, since callers quote ids.
_SAFE = "/%-._~!$&'()*+,;=:@"


class Address:
    """One host, as base URL; turns paths into URLs that never leave it."""

    def __init__(self, base_url: str) -> None:
        """Check the base URL; `settings.base_url` says what one may be.

        Raises:
            UsageError: It is no bare http(s) URL, or plain http to a host that is not loopback.
        """
        self.base = normal_base_url(base_url)
        parts = urlsplit(self.base)
        self.host = parts.hostname or ""
        self.is_loopback = is_loopback(self.host)
        self.is_secure = parts.scheme == "https"
        # Bulk work repeats a few URLs; building one costs more than the whole pacing.
        self.url = lru_cache(maxsize=256)(self._url)

    def _url(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> URL:
        if not path.startswith("/"):
            # "@other.example" appended to the host would send the credentials elsewhere.
            raise UsageError(f"the path of a request starts with a slash: {path!r}")
        text = self.base + quote(path, safe=_SAFE)
        if query:
            text += "?" + urlencode(query, quote_via=quote)
        return URL(text, encoded=True)

    def proxy(self) -> str | None:
        """Return the proxy that the environment names for this host; never one for loopback."""
        if self.is_loopback or not self.is_secure or urllib.request.proxy_bypass(self.host):
            return None
        return urllib.request.getproxies().get("https")


def whole_number(text: str | None) -> int | None:
    """Return the number in a header, or None for anything that is not plain digits."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None


def delay_s(text: str | None) -> float | None:
    """Return the seconds of a `Retry-After`. A date gives None: no clock of ours is compared with theirs."""
    return float(text) if text is not None and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None
