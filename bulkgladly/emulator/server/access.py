"""HTTP Basic: who calls, and what they may do."""

import base64
import binascii

from bulkgladly.emulator.options import BodyKind, EmulatorOptions
from bulkgladly.emulator.protocol.replies import Reply, failure
from bulkgladly.emulator.protocol.routing import Permission

__all__ = ("NO_COMPLIANCE_USER", "NO_PERMISSION_USER", "Access")

NO_PERMISSION_USER = "noperm@example.org"
"""Exists, but has no permission: 403 everywhere."""
NO_COMPLIANCE_USER = "nocompliance@example.org"
"""May use the API, but is not a Compliance Admin: 403 on deleteCustomer."""

_SIGN_IN = {"WWW-Authenticate": 'Basic realm="gladly"'}


class Access:
    """Checks the `Authorization` header."""

    def __init__(self, options: EmulatorOptions) -> None:
        self._body: BodyKind = options.refusal_body
        self._token = options.token
        self._users: dict[str, frozenset[Permission]] = {
            NO_PERMISSION_USER: frozenset(),
            NO_COMPLIANCE_USER: frozenset({"api"}),
            options.username: frozenset({"api", "compliance"}),
        }
        # Nearly all requests have the same header, so it is decoded once.
        self._known: dict[str, frozenset[Permission]] = {}

    def refusal(self, header: str | None, needs: Permission) -> Reply | None:
        """Return the 401 or 403 for this header, or None if the call is allowed."""
        if needs == "none":
            return None
        held = None if header is None else self._known.get(header) or self._permissions(header)
        if held is None:
            unknown = failure(401, "unauthorized", "user or token is wrong or missing", kind=self._body)
            return unknown._replace(headers=_SIGN_IN)
        if needs not in held:
            return failure(403, "forbidden", "the user lacks the permission", kind=self._body)
        return None

    def _permissions(self, header: str) -> frozenset[Permission] | None:
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            username, colon, token = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if not colon or token != self._token or username not in self._users:
            return None
        self._known[header] = self._users[username]
        return self._known[header]
