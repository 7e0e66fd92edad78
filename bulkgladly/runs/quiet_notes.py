"""Lines for people about what happens again and again: told when it is news, and not each time."""

import math
from collections.abc import Callable

__all__ = ("RareNotes", "TroubleNotes")


class RareNotes:
    """Passes on a note of each kind at most once in `every_s` seconds, with the number of those left out."""

    def __init__(self, note: Callable[[str], None], clock: Callable[[], float], *, every_s: float = 60.0) -> None:
        """`note` prints a line; `clock` returns seconds that never decrease."""
        self._note, self._clock, self._every_s = note, clock, every_s
        self._told: dict[str, float] = {}
        self._untold: dict[str, tuple[int, str]] = {}

    def tell(self, kind: str, text: str) -> None:
        """Print a text, or count it if one of its kind was printed lately."""
        now, count = self._clock(), self._untold.get(kind, (0, ""))[0] + 1
        if now - self._told.get(kind, -math.inf) < self._every_s:
            self._untold[kind] = count, text
            return
        # Kinds can hold a reason, so that there is no end of them.
        self._told = {each: at for each, at in self._told.items() if now - at < self._every_s}
        self._told[kind] = now
        self._untold.pop(kind, None)
        self._note(_with_count(text, count))

    def flush(self) -> None:
        """Print what was only counted."""
        for count, text in self._untold.values():
            self._note(_with_count(text, count))
        self._untold.clear()


class TroubleNotes:
    """Tells of a trouble when it begins or becomes another one, and when it is over."""

    def __init__(self, note: Callable[[str], None], over: str) -> None:
        """`note` prints a line; `over` is the one for the end of a trouble."""
        self._note, self._over = note, over
        self._trouble = ""

    def tell(self, trouble: str, text: str) -> None:
        """Print a text about a trouble, unless it is the one that was told last."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._note(text)

    def is_over(self) -> None:
        """Note that there is no trouble, and say so if there was one."""
        if self._trouble:
            self._trouble = ""
            self._note(self._over)


def _with_count(text: str, count: int) -> str:
    return text if count == 1 else f"{text} ({count:,} times since this was last told)"
