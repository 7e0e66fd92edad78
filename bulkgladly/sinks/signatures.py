"""Signatures in the format of Standard Webhooks, so that a receiver can check who sent an event. Pure.

The signed text is `<id>.<time>.<body>`, the time in whole seconds since 1970. `webhook-signature` holds one signature
for each secret, so that a secret can be replaced without a moment in which a receiver refuses all.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from bulkgladly.errors import UsageError

__all__ = ("read_secrets", "signed_headers")

_PREFIX = "whsec_"
_FIX = "make one with `echo whsec_$(openssl rand -base64 32)`"


def read_secrets(text: str, name: str) -> tuple[bytes, ...]:
    """Return the keys in a text with one secret, or several separated by blanks. `name` is the variable it is from.

    Raises:
        UsageError: There is none, or one is not a secret of this format. The message does not quote it.
    """
    words = text.split()
    if not words:
        raise UsageError(f"{name} is not set or empty; set it to the signing secret, or leave out --sign-env")
    return tuple(_key(word, name) for word in words)


def _key(word: str, name: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{name} is not a signing secret: it must be base64, with whsec_ before it; {_FIX}") from None
    if not 16 <= len(key) <= 256:
        raise UsageError(f"{name} is not a signing secret: it has {len(key)} bytes instead of 24 to 64; {_FIX}")
    return key


def signed_headers(keys: Sequence[bytes], event_id: str, at_s: int, body: bytes) -> Mapping[str, str]:
    """Return the headers of a request; without keys there is no signature."""
    headers = {"webhook-id": event_id, "webhook-timestamp": str(at_s)}
    if keys:
        signed = f"{event_id}.{at_s}.".encode() + body
        headers["webhook-signature"] = " ".join(
            "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys
        )
    return headers
