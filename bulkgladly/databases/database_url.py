"""Which database a URL names, and how the URL is shown: without its password."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_plus, urlsplit

from bulkgladly.errors import UsageError

__all__ = ("DatabaseUrl", "database_url")

_FORMS = "postgresql://HOST/DATABASE, duckdb:///FILE or sqlite:///FILE"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HIDDEN = "***"
_SECRET = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A database: `kind` is `postgresql`, `duckdb` or `sqlite`, and `path` the file of the last two.

    `text` may have a password in it, and is passed to the driver only. `shown` has none.
    """

    kind: str
    shown: str
    text: str = ""
    path: Path | None = None
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return it as it may be shown."""
        return f"DatabaseUrl({self.shown!r})"

    def without_secrets(self, message: str) -> str:
        """Return a message of a driver without the password, should it quote it."""
        for secret in self.secrets:
            message = message.replace(secret, _HIDDEN)
        return " ".join(message.split())


def database_url(text: str) -> DatabaseUrl:
    """Return the database that a URL names. Nothing is opened.

    Raises:
        UsageError: It is not a URL, or its scheme or its form is not supported.
    """
    found = _SCHEME.match(text)
    if found is None:
        raise UsageError(f"the database is not a URL; use {_FORMS}")
    scheme = found[1].lower()
    if scheme in ("postgresql", "postgres"):
        return _of_server(text)
    if scheme not in ("duckdb", "sqlite"):
        raise UsageError(f"databases of the scheme '{scheme}' are not supported; use {_FORMS}")
    # Three slashes before a relative path and four before an absolute one, as other programs have it.
    rest = text[found.end() :]
    if not rest.startswith("///") or not rest[3:] or "?" in rest:
        raise UsageError(f"a URL of the scheme '{scheme}' needs three slashes and a file; use {scheme}:///FILE")
    path = Path(unquote(rest[3:]))
    return DatabaseUrl(scheme, f"{scheme}:///{path}", path=path)


def _of_server(text: str) -> DatabaseUrl:
    try:
        parts = urlsplit(text)
        written = [parts.password] if parts.password else []
    except ValueError:
        raise UsageError(f"the URL of the database cannot be read; use {_FORMS}") from None
    if not text[len(parts.scheme) :].startswith("://"):
        raise UsageError(f"the URL of the database has no two slashes; use {_FORMS}")
    place = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}{f':{_HIDDEN}' if written else ''}@" if parts.username else ""
    shown = f"postgresql://{user}{place}{parts.path}"
    # A driver may quote it as it is written, or decoded.
    written += [value for name, _, value in (pair.partition("=") for pair in parts.query.split("&")) if name in _SECRET]
    raw = {each for one in written if one for each in (one, unquote(one), unquote_plus(one))}
    secrets = tuple(sorted(raw, key=len, reverse=True))
    return DatabaseUrl("postgresql", shown, text=text, secrets=secrets)
