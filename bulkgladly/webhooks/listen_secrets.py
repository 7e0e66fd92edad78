"""The secrets with which Gladly proves itself to `listen`: HTTP Basic, a header, or both. Pure.

They come from the environment, several at a time while they are exchanged, and are never printed. Gladly signs
nothing, so anyone who knows them can send events.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from bulkgladly.errors import UsageError
from bulkgladly.token_sources import secret_of

__all__ = ("ListenSecrets",)

USERNAME, PASSWORD, HEADER = (f"BULKGLADLY_LISTEN_{name}" for name in ("USERNAME", "PASSWORD", "HEADER"))
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# HTTP carries other characters only by chance: clients and proxies disagree about their encoding.
_VISIBLE = re.compile(r"[\x20-\x7e]+")
# Set by HTTP itself or by proxies, so that they prove nothing or never arrive.
_TAKEN_HEADERS = frozenset(
    {"authorization", "connection", "content-encoding", "content-length", "content-type", "expect", "host"}
    | {"te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
)


class ListenSecrets:
    """What a delivery must carry. If a user name and a header are set, it must carry both."""

    __slots__ = ("_headers", "_passwords", "_username")

    def __init__(
        self, username: str = "", passwords: Sequence[str] = (), headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Check the parts. Any of the passwords is accepted, and any of the headers, each a name and its value.

        Raises:
            UsageError: There is nothing to check deliveries by, or a part could not be sent by HTTP.
        """
        self._username, self._passwords, self._headers = username, tuple(passwords), tuple(headers)
        if username and not self._passwords and not self._headers:
            raise UsageError(f"{PASSWORD} is not set, but {USERNAME} is; set both")
        if not self._passwords and not self._headers:
            raise UsageError(
                f"no secret is set for webhooks, so anybody could send events; set {USERNAME} and {PASSWORD}, for "
                f"example with `export {USERNAME}=gladly {PASSWORD}=$(openssl rand -hex 24)`, or set {HEADER}"
            )
        if bool(username) != bool(self._passwords):
            missing, given = (USERNAME, PASSWORD) if self._passwords else (PASSWORD, USERNAME)
            raise UsageError(f"{missing} is not set, but {given} is; set both")
        for name, texts in ((USERNAME, [username]), (PASSWORD, self._passwords)):
            if any(text and not _VISIBLE.fullmatch(text) for text in texts):
                raise UsageError(f"{name} contains characters that not every HTTP client can send; use ASCII only")
        if ":" in username:
            raise UsageError(f"{USERNAME} contains a colon, which HTTP Basic cannot send; use another name")
        for header, _ in self._headers:
            if header.lower() in _TAKEN_HEADERS:
                raise UsageError(f"{HEADER} names {header}, which HTTP uses itself; use another, such as X-Token")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ListenSecrets":
        """Load the secrets from `BULKGLADLY_LISTEN_USERNAME`, `_PASSWORD` and `_HEADER`, each also as `..._FILE`.

        A password or a header may have several lines: all are accepted, and the first is the one for Gladly.

        Raises:
            UsageError: As the constructor, or a file cannot be read.
        """
        username, passwords, headers = (secret_of(environment, name) for name in (USERNAME, PASSWORD, HEADER))
        return cls(username.strip(), _lines(passwords), [_header(line) for line in _lines(headers)])

    def accepts(self, values_of: Callable[[str], Sequence[str]]) -> bool:
        """Tell whether a request is Gladly's; `values_of` returns the values of one of its headers."""
        # Both are compared, and with every candidate, so that the time taken tells nothing.
        is_basic = not self._passwords or self._is_basic(values_of("Authorization"))
        is_header = not self._headers or self._is_header(values_of)
        return is_basic and is_header

    def for_gladly(self) -> dict[str, Any]:
        """Return the secrets as fields of a webhook."""
        fields: dict[str, Any] = {}
        if self._passwords:
            fields["credentials"] = {"username": self._username, "password": self._passwords[0]}
        if self._headers:
            fields["headers"] = dict([self._headers[0]])
        return fields

    @property
    def has_basic(self) -> bool:
        """Whether HTTP Basic is checked."""
        return bool(self._passwords)

    def __repr__(self) -> str:
        return f"ListenSecrets({len(self._passwords)} passwords, {len(self._headers)} headers)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets cannot be pickled or copied, since that would copy them")

    def _is_basic(self, values: Sequence[str]) -> bool:
        given = _decoded(values[0]) if len(values) == 1 else b""
        is_right = False
        for password in self._passwords:
            is_right |= hmac.compare_digest(f"{self._username}:{password}".encode(), given)
        return is_right

    def _is_header(self, values_of: Callable[[str], Sequence[str]]) -> bool:
        is_right = False
        for name, value in self._headers:
            for given in values_of(name):
                is_right |= hmac.compare_digest(value.encode(), given.encode("utf-8", "surrogateescape"))
        return is_right


def _decoded(authorization: str) -> bytes:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not _HEADER_NAME.fullmatch(name) or not _VISIBLE.fullmatch(value):
        raise UsageError(f"{HEADER} is not a header; write it as 'X-Token: <a long random text>', in ASCII")
    return name, value
