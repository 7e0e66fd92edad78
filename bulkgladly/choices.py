"""Choosing from a set of words: the closest match, and the message for a word that is not one of them. Pure."""

import difflib
from collections.abc import Iterable

__all__ = ("closest", "closest_few", "one_of", "unsupported")


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known word that was probably meant, ignoring case, or None if none is close."""
    return next(iter(closest_few(word, known, most=1, cutoff=cutoff)), None)


def closest_few(word: str, known: Iterable[str], *, most: int, cutoff: float = 0.6) -> list[str]:
    """Return up to `most` known words that are close, the closest first, ignoring case."""
    spelled = {one.lower(): one for one in known}
    return [spelled[found] for found in difflib.get_close_matches(word.lower(), spelled, n=most, cutoff=cutoff)]


def one_of(choices: Iterable[str]) -> str:
    """Return the words as a list in a sentence: `a, b or c`."""
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else last


def unsupported(word: str, choices: Iterable[str]) -> str:
    """Return the message for a word that is not one of the choices."""
    return f"{word!r} is not supported; choose {one_of(choices)}"
