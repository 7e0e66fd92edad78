"""Texts that are too long: cut them, or split them into pieces that lose nothing. Pure."""

import unicodedata

__all__ = ("ELLIPSIS", "cut_text", "split_text")

ELLIPSIS = "…"
_ZWJ = "\u200d"
_BREAKS = ("\n\n", "\n", ". ", " ")
_WORTH_IT = 0.5
"""A piece ends at the best kind of break that leaves it at least so full."""


def cut_text(text: str, most: int) -> str:
    """Return the beginning of a text that is at most `most` characters long, its end marked as cut."""
    if len(text) <= most:
        return text
    return text[: _whole(text, max(0, most - 1))].rstrip() + ELLIPSIS


def split_text(text: str, most: int) -> list[str]:
    """Return a text as pieces of at most `most` characters; only blanks where it is split are lost.

    Split between paragraphs, lines, sentences or words where that leaves no piece half
    empty, else in the middle of a word, but never within what is read as one character
    (unless that alone is too long).
    """
    pieces: list[str] = []
    while len(text) > most:
        at = _break(text, most)
        pieces.append(text[:at].rstrip())
        text = text[at:].lstrip()
    pieces.append(text)
    return [piece for piece in pieces if piece] or [""]


def _break(text: str, most: int) -> int:
    for mark in _BREAKS:
        at = text.rfind(mark, 0, most + 1)
        if at >= most * _WORTH_IT:
            return min(at + len(mark), most)
    blank = max(text.rfind(" ", 0, most + 1), text.rfind("\n", 0, most + 1))
    return blank if blank > 0 else _whole(text, most) or most


def _whole(text: str, at: int) -> int:
    """Return the last place up to `at` that is not within a character; 0 where there is none."""
    while 0 < at < len(text) and (_continues(text[at]) or text[at - 1] == _ZWJ):
        at -= 1
    return at


def _continues(char: str) -> bool:
    return char == _ZWJ or "\U0001f3fb" <= char <= "\U0001f3ff" or unicodedata.category(char) in ("Mn", "Me")
