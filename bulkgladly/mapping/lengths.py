"""Cuts texts and HTML that are too long, or splits them into pieces without loss. Pure."""

import re
import unicodedata

from bulkgladly.mapping.html import Token, tokens
from bulkgladly.mapping.row_values import Unmappable

__all__ = ("cut_html", "cut_text", "split_html", "split_text")

_ELLIPSIS = "…"
_ZWJ = "\u200d"
_BREAKS = ("\n\n", "\n", ". ", " ")
_WORTH_IT = 0.5
"""A piece ends at the best kind of break that leaves it at least this full."""


def cut_text(text: str, most: int) -> str:
    """Return the beginning of a text, at most `most` characters long; an ellipsis marks a cut."""
    if len(text) <= most:
        return text
    return text[: _whole(text, max(0, most - 1))].rstrip() + _ELLIPSIS


def split_text(text: str, most: int) -> list[str]:
    """Return a text as pieces of at most `most` characters; only the blanks at the splits are lost.

    Splits are between paragraphs, lines, sentences or words if that leaves no piece half empty, else within a
    word, but never within what people see as one character (unless that alone is too long).
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
    # No break leaves the piece half full: any blank, or else within the word, since each piece must get shorter.
    blank = max(text.rfind(" ", 0, most + 1), text.rfind("\n", 0, most + 1))
    return blank if blank > 0 else _whole(text, most) or most


def _whole(text: str, at: int) -> int:
    """Return the last place up to `at` that is not within a visible character; 0 if there is none."""
    while 0 < at < len(text) and (_continues(text[at]) or text[at - 1] == _ZWJ):
        at -= 1
    return at


def _continues(char: str) -> bool:
    return char == _ZWJ or "\U0001f3fb" <= char <= "\U0001f3ff" or unicodedata.category(char) in ("Mn", "Me")


# --- HTML ---

_VOID = frozenset({"br", "hr", "img", "col"})
_ENTITY = re.compile(r"&[^;&\s]{0,10}$")


def cut_html(text: str, most: int) -> str:
    """Return the beginning of cleaned HTML, well-formed and at most `most` characters long; an ellipsis marks a cut.

    Raises:
        Unmappable: Not even its first tags fit.
    """
    return text if len(text) <= most else split_html(text, most - 1)[0] + _ELLIPSIS


def split_html(text: str, most: int) -> list[str]:
    """Return cleaned HTML as well-formed pieces of at most `most` characters each; no content is lost.

    Elements that are open at a split are closed, and opened again in the next piece.

    Raises:
        Unmappable: The open tags alone leave no room.
    """
    if len(text) <= most:
        return [text]
    pieces = _Pieces(most)
    for token in tokens(text):
        if not token.tag:
            pieces.add_text(token.text)
        elif token.is_end:
            pieces.close()
        elif token.tag in _VOID:
            pieces.add_whole(token)
        else:
            pieces.open(token)
    return pieces.all()


class _Pieces:
    """Collects the finished pieces, and the tokens, open elements and length of the current one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._done: list[str] = []
        self._parts: list[str] = []
        self._open: list[Token] = []
        self._size = 0
        """Characters of the piece, including the end tags that it will need."""
        self._has_content = False

    def open(self, token: Token) -> None:
        need = len(token.text) + _end_size(token)
        self._make_room(need)
        self._open.append(token)
        self._parts.append(token.text)
        self._size += need

    def close(self) -> None:
        self._parts.append(f"</{self._open.pop().tag}>")

    def add_whole(self, token: Token) -> None:
        self._make_room(len(token.text))
        self._parts.append(token.text)
        self._size += len(token.text)
        self._has_content = True

    def add_text(self, text: str) -> None:
        while text:
            room = self._most - self._size
            at = len(text) if len(text) <= room else _text_break(text, room)
            if at:
                self._parts.append(text[:at])
                self._size += at
                self._has_content = self._has_content or not text[:at].isspace()
                text = text[at:]
            if text:
                self._next()

    def all(self) -> list[str]:
        self._end_piece()
        return self._done

    def _make_room(self, need: int) -> None:
        if self._size + need > self._most:
            self._next()
            if self._size + need > self._most:
                raise Unmappable(f"cannot be split: its tags alone need more than the {self._most:,} characters of max")

    def _next(self) -> None:
        if not self._has_content:
            raise Unmappable(f"cannot be split: its tags alone need more than the {self._most:,} characters of max")
        self._end_piece()
        self._parts = [token.text for token in self._open]
        self._size = sum(len(token.text) + _end_size(token) for token in self._open)
        self._has_content = False

    def _end_piece(self) -> None:
        left = list(self._open)
        while left and self._parts and self._parts[-1] == left[-1].text:  # opened, and still empty
            self._parts.pop()
            left.pop()
        ends = "".join(f"</{token.tag}>" for token in reversed(left))
        if self._has_content or not self._done:
            self._done.append("".join(self._parts) + ends)


def _end_size(token: Token) -> int:
    return len(token.tag) + 3


def _text_break(text: str, room: int) -> int:
    """Return where to split a text that does not fit: after a blank, else anywhere except in an entity; 0: nowhere."""
    if room <= 0:
        return 0
    blank = max(text.rfind(char, 0, room) for char in " \n\t")
    if blank >= 0 and not text[: blank + 1].isspace():
        return blank + 1
    broken = _ENTITY.search(text, max(0, room - 12), room)
    return broken.start() if broken else room
