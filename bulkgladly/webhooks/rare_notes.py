"""Lines for people about what may happen thousands of times a second: each at most once a minute, with its number."""

import math
from collections.abc import Callable

__all__ = ("RareNotes",)

_EVERY_S = 60.0


class RareNotes:
    """Passes on a note of each kind at most once a minute."""

    def __init__(self, note: Callable[[str], None], clock: Callable[[], float]) -> None:
        """`note` prints a line; `clock` returns seconds that never decrease."""
        self._note, self._clock = note, clock
        self._told: dict[str, float] = {}
        self._untold: dict[str, tuple[int, str]] = {}

    def tell(self, kind: str, text: str) -> None:
        """Print a text, or count it if one of its kind was printed within the last minute."""
        count = self._untold.get(kind, (0, ""))[0] + 1
        if self._clock() - self._told.get(kind, -math.inf) < _EVERY_S:
            self._untold[kind] = count, text
            return
        self._told[kind] = self._clock()
        self._untold.pop(kind, None)
        self._note(_with_count(text, count))

    def flush(self) -> None:
        """Print what was only counted."""
        for count, text in self._untold.values():
            self._note(_with_count(text, count))
        self._untold.clear()


def _with_count(text: str, count: int) -> str:
    return text if count == 1 else f"{text} ({count:,} times since this was last told)"
