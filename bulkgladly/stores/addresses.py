"""Where something lies in an object store: `s3://bucket/prefix`, and the same with `gs://` and `az://`. Pure."""

import re
from dataclasses import dataclass

from bulkgladly.errors import UsageError

__all__ = ("SCHEMES", "StoreAddress", "is_address", "store_address")

SCHEMES = ("s3", "gs", "az")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,62}")


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A bucket and a prefix in it; the prefix has no slash at its ends and may be empty."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def is_address(text: str) -> bool:
    """Tell whether a text is a URL of any scheme, rather than a path on this machine."""
    return _URL.fullmatch(text) is not None


def store_address(text: str) -> StoreAddress:
    """Return the address in a URL.

    Raises:
        UsageError: The scheme is not one of a store, or the URL holds what does not belong into one. Since it may be
            a password, the message does not repeat it.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is not the URL of a store; write it as s3://BUCKET/PREFIX")
    scheme, rest = found[1].lower(), found[2]
    if scheme not in SCHEMES:
        raise UsageError(f"{scheme}:// is not supported for stores; use {', '.join(f'{one}://' for one in SCHEMES)}")
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket or "?" in rest or "#" in rest:
        raise UsageError(
            f"a {scheme}:// URL has only a bucket and a prefix; credentials and options belong in the environment "
            "(see docs/stores.md)"
        )
    if _BUCKET.fullmatch(bucket) is None:
        raise UsageError(f"{scheme}://{bucket}: a bucket's name has 3 to 63 letters, digits, dots and hyphens")
    steps = prefix.strip("/").split("/") if prefix.strip("/") else []
    if any(step in ("", ".", "..") or not step.isprintable() for step in steps):
        raise UsageError(f"{scheme}://{bucket}/…: a prefix has no empty parts, no `.` and no `..`")
    return StoreAddress(scheme, bucket, "/".join(steps))
