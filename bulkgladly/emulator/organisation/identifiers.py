"""Ids in the API's own style."""

import base64
import hashlib
from collections.abc import Iterator

__all__ = ("derived_id", "generated_ids")


def derived_id(text: str) -> str:
    """Return the id derived from a text: 22 URL-safe characters, the first a letter. Equal texts give equal ids."""
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    # Clearing the first bit makes the first character a letter, as slugid's nice form has it.
    return base64.urlsafe_b64encode(bytes([digest[0] & 0x7F]) + digest[1:])[:22].decode()


def generated_ids(seed: int) -> Iterator[str]:
    """Yield an endless series of ids, the same for the same seed."""
    number = 0
    while True:
        yield derived_id(f"{seed}:{number}")
        number += 1
