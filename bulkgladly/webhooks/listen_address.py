"""Where `listen` listens: address, path and TLS files, and what is wrong with them."""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from bulkgladly.errors import UsageError
from bulkgladly.webhooks.listen_options import ListenOptions

__all__ = ("HEALTH", "LIVE", "address_of", "bound_by", "check_path", "tls_of")

HEALTH, LIVE = "/healthz", "/live"
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_AT = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/\s]+)):(?P<port>[0-9]{1,5})")
_BACKLOG = 512
_HANDSHAKE_S = 10.0
_WRONG_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def address_of(at: str, *, flag: str = "--at") -> tuple[str, int]:
    """Return host and port, written as 127.0.0.1:8080 or [::1]:8080. `flag` is named in the error.

    Raises:
        UsageError: Not an address with a port.
    """
    found = _AT.fullmatch(at)
    if found is None or int(found["port"]) > 65535:
        raise UsageError(f"{flag} {at} is not an address with a port; use 127.0.0.1:8080 or [::1]:8080, for example")
    return found["literal"] or found["name"], int(found["port"])


def check_path(path: str) -> None:
    """Check the path of the webhook.

    Raises:
        UsageError: Not a plain path, or one that is used for something else.
    """
    if not _PATH.fullmatch(path):
        raise UsageError(f"--path {path} is not a path; use /gladly, for example")
    if path == HEALTH or f"{path}/".startswith(f"{LIVE}/"):
        raise UsageError(f"--path {path} is used for something else; use /gladly, for example")


async def bound_by(
    at: str, protocol: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext | None
) -> asyncio.Server:
    """Return a server that listens at an address.

    Raises:
        UsageError: It cannot; the text says how to fix it.
    """
    host, port = address_of(at)
    try:
        return await asyncio.get_running_loop().create_server(
            protocol,
            host,
            port,
            ssl=context,
            backlog=_BACKLOG,
            ssl_handshake_timeout=None if context is None else _HANDSHAKE_S,
        )
    except socket.gaierror as error:
        raise UsageError(f"--at {at}: {host} is not an address of this machine ({error.strerror})") from error
    except OSError as error:
        raise UsageError(f"--at {at} cannot be used: {_why(error, port)}") from error


def _why(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program; stop it, or choose another port"
    if error.errno == errno.EACCES:
        return (
            f"port {port} needs a permission; use a port from 1024 on behind a proxy, or give it with systemd's "
            "AmbientCapabilities=CAP_NET_BIND_SERVICE"
        )
    if error.errno in _WRONG_ADDRESS:
        return "this machine has no such address; use 127.0.0.1, or 0.0.0.0 for all of its addresses"
    return error.strerror or type(error).__name__


def tls_of(options: ListenOptions) -> ssl.SSLContext | None:
    """Return the TLS settings with the certificate; None for plain http.

    A certificate that is renewed is used from the next connection on.

    Raises:
        UsageError: The files cannot be read, are not a certificate and its key, or only a key is named.
    """
    certificate, key = options.tls_cert, options.tls_key
    if certificate is None:
        if key is not None:
            raise UsageError("--tls-key needs --tls-cert, the file with the certificate and its chain")
        return None
    return _Renewal(certificate, key).context


class _Renewal:
    """A certificate on the disk that may be renewed while the server runs."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self._certificate, self._key = certificate, key
        self._seen = self._stamp()
        self.context = self._latest = _loaded(certificate, key)
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._latest = _loaded(self._certificate, self._key)
            except UsageError:
                # Renewed in part: the old one serves until the files change again.
                return
        connection.context = self._latest

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        try:
            found = [path.stat() for path in (self._certificate, self._key) if path is not None]
        except OSError:
            return ()
        return tuple((each.st_mtime_ns, each.st_ino) for each in found)


def _loaded(certificate: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path in (certificate, key):
        if path is None:
            continue
        try:
            path.read_bytes()  # OpenSSL does not say which of the two it cannot read
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}); check --tls-cert and --tls-key") from error
    try:
        # Without a password OpenSSL would ask for it at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise UsageError(
            f"{certificate} and its key cannot be used for TLS; name a PEM file with the certificate and its chain, "
            "and with --tls-key its key without a password"
        ) from error
    return context
