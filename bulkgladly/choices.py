"""Words of which one must be chosen: which one was probably meant, and how a wrong one is refused. Pure."""

import difflib
from collections.abc import Iterable

__all__ = ("closest", "closest_few", "one_of", "unsupported")


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known word that was probably meant, in whatever case, if one comes close."""
    return next(iter(closest_few(word, known, most=1, cutoff=cutoff)), None)


def closest_few(word: str, known: Iterable[str], *, most: int, cutoff: float = 0.6) -> list[str]:
    """Return known words that come close, the closest first."""
    spelled = {one.lower(): one for one in known}
    return [spelled[found] for found in difflib.get_close_matches(word.lower(), spelled, n=most, cutoff=cutoff)]


def one_of(choices: Iterable[str]) -> str:
    """Return words as a sentence lists them: `a, b or c`."""
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else last


def unsupported(word: str, choices: Iterable[str]) -> str:
    """Return what is said about a word that is none of those that may be chosen."""
    return f"{word!r} is not supported; choose {one_of(choices)}"
