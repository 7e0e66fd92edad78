"""Texts that fit columns of a terminal: harmless, then cut or wrapped by the columns that they take. Pure.

A letter of Chinese or an emoji takes two columns, an accent on its own none, and what a terminal would obey is longer
once it is escaped: so the length of a text says little.
"""

import unicodedata
from collections.abc import Iterator

from bulkgladly.shown import shown

__all__ = ("columns_of", "cut", "wrapped")

_WIDE = ("W", "F")
_NARROWEST = 2
"""Columns of the widest character."""


def columns_of(text: str) -> int:
    """Return how many columns a harmless text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def cut(text: str, width: int) -> str:
    """Return a text as one harmless line of at most this many columns; a longer one ends in an ellipsis."""
    line = shown(text)
    if columns_of(line) <= width:
        return line
    return f"{line[: _fitting(line, width - 1)]}…"


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as harmless lines of at most this many columns, broken between words if that is possible."""
    lines: list[str] = []
    line = ""
    for word in _pieces(shown(text), max(width, _NARROWEST)):
        if line and columns_of(line) + 1 + columns_of(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return [*lines, line] if line else lines


def _pieces(text: str, width: int) -> Iterator[str]:
    """Yield the words of a text; one that is wider than a line in pieces that are not."""
    for word in text.split():
        rest = word
        while columns_of(rest) > width:
            at = _fitting(rest, width)
            yield rest[:at]
            rest = rest[at:]
        yield rest


def _fitting(text: str, width: int) -> int:
    """Return how many characters of a text fit."""
    room = width
    for at, character in enumerate(text):
        room -= _columns(character)
        if room < 0:
            return at
    return len(text)
