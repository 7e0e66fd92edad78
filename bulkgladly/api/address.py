"""Where requests go: the host, its URLs and the proxy on the way; and how numbers and times in headers are read."""

import re
import urllib.request
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urldefrag, urlencode, urlsplit

from yarl import URL

from bulkgladly.errors import UsageError
from bulkgladly.settings import base_url as normal_base_url
from bulkgladly.settings import is_loopback

__all__ = ("Address", "Elsewhere", "delay_s", "proxy_for", "whole_number")

# What a path may hold as it is; a percent sign stands for itself, since callers quote ids.
_SAFE = "/%-._~!$&'()*+,;=:@"
_PORTS = {"https": 443, "http": 80}


class Elsewhere(NamedTuple):
    """A checked address to which a reply has pointed; `is_own` if it is on the organisation's own host."""

    url: URL
    host: str
    is_own: bool
    proxy: str | None


class Address:
    """One host, as base URL; turns paths into URLs that never leave it."""

    def __init__(self, base_url: str) -> None:
        """Check the base URL; `settings.base_url` says what one may be.

        Raises:
            UsageError: It is not a bare http(s) URL, or it is plain http to a host that is not loopback.
        """
        self.base = normal_base_url(base_url)
        parts = urlsplit(self.base)
        self.host = parts.hostname or ""
        self.is_loopback = is_loopback(self.host)
        self.is_secure = parts.scheme == "https"
        # Bulk work repeats a few URLs, and building one costs more than all of the pacing.
        self.url = lru_cache(maxsize=256)(self._url)

    def _url(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> URL:
        if not path.startswith("/"):
            # "@other.example" appended to the host would send the credentials elsewhere.
            raise UsageError(f"the path of a request must start with a slash: {path!r}")
        text = self.base + quote(path, safe=_SAFE)
        if query:
            text += "?" + urlencode(query, quote_via=quote)
        return URL(text, encoded=True)

    def proxy(self) -> str | None:
        """Return the proxy that the environment names for this host; None for loopback."""
        return proxy_for(self.host) if self.is_secure else None

    def elsewhere(self, url: str) -> Elsewhere:
        """Check an absolute URL that a reply named (a `Location`).

        Raises:
            UsageError: It is not an https URL (plain http is allowed from loopback to loopback only),
                or it names a user. The message has the host only: the rest may be a secret.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise UsageError("the address of a download is not a URL") from None
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or not host:
            raise UsageError("the address of a download is not an absolute URL")
        is_plain = parts.scheme == "http" and is_loopback(host) and self.is_loopback
        if parts.scheme != "https" and not is_plain:
            raise UsageError(f"refused to download from {host}: the address is not https")
        if "@" in parts.netloc:
            raise UsageError(f"refused to download from {host}: the address names a user")
        own = urlsplit(self.base)
        is_own = (parts.scheme, host, port or _PORTS[parts.scheme]) == (
            own.scheme,
            self.host,
            own.port or _PORTS[own.scheme],
        )
        proxy = proxy_for(host) if parts.scheme == "https" else None
        # Not encoded again: the signature of a signed address covers it to the letter.
        return Elsewhere(URL(urldefrag(url).url, encoded=True), host, is_own, proxy)


def proxy_for(host: str) -> str | None:
    """Return the proxy that the environment names for https to a host; None for loopback."""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get("https")


def whole_number(text: str | None) -> int | None:
    """Return the number in a header; None for anything but plain digits."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None


def delay_s(text: str | None, date: str | None = None) -> float | None:
    """Return the seconds of a `Retry-After`; None if it is neither a number nor a date.

    A date counts from the `Date` of the same reply, so that our clock is not compared
    with theirs. The number may be huge: each caller sets its own maximum.
    """
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,300}(\.[0-9]{1,300})?", text):
        return float(text)
    until, said = _moment(text), _moment(date)
    return None if until is None or said is None else max(0.0, until - said)


def _moment(text: str | None) -> float | None:
    try:
        return None if text is None else parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
