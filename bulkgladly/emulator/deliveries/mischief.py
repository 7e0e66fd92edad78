"""What goes wrong with deliveries on purpose: duplicates, another order, lost replies."""

import math
from dataclasses import dataclass
from hashlib import blake2b

__all__ = ("Mischief",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mischief:
    """How many deliveries go wrong, and how. The seed decides which ones.

    Raises:
        ValueError: A share is not between 0 and 1, or a time is negative.
    """

    duplicates: float = 0.0
    """The share of events that are sent a second time although the first delivery succeeded."""
    reorder_s: float = 0.0
    """Each delivery is held back by a random time up to this many seconds."""
    lost_replies: float = 0.0
    """The share of deliveries that count as failed although the receiver has replied. A last attempt is never
    one of them, so that lost replies alone cannot deactivate a webhook."""

    def __post_init__(self) -> None:
        for name in ("duplicates", "lost_replies"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be from 0 to 1")
        if not 0 <= self.reorder_s < math.inf:
            raise ValueError(f"reorder_s is {self.reorder_s}: it must be 0 or more")

    def is_duplicated(self, key: str) -> bool:
        """Return whether the event with this key is sent twice."""
        return bool(self.duplicates) and _share("duplicate", key) < self.duplicates

    def hold_back_s(self, key: str) -> float:
        """Return how long the delivery with this key is held back."""
        return _share("order", key) * self.reorder_s if self.reorder_s else 0.0

    def loses_reply(self, key: str) -> bool:
        """Return whether the reply to the attempt with this key is lost."""
        return bool(self.lost_replies) and _share("reply", key) < self.lost_replies


def _share(word: str, key: str) -> float:
    """Return a number from 0 to 1, always the same for the same arguments, whatever else is sent meanwhile."""
    digest = blake2b(f"{word}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
