"""HTML as Gladly takes it: the allowed tags alone, plain text from it and into it, and pieces of it. Pure.

Tags and attributes are those of Gladly's rich content [gladly-api, schemas 18]. What Gladly
does with others is not documented, so they are taken out before. All cleaning is done by
nh3, whose output is well-formed; what is done to that output here relies on it.
"""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

import nh3

from bulkgladly.mapping.lengths import ELLIPSIS
from bulkgladly.mapping.row_values import Unmappable

__all__ = ("ALLOWED_ATTRIBUTES", "ALLOWED_TAGS", "clean_html", "cut_html", "html_to_text", "split_html", "text_to_html")

_CELL = {"align", "valign", "style", "abbr", "colspan", "rowspan", "headers", "height", "width", "scope", "nowrap"}
_COLUMN = {"align", "valign", "height", "width", "span"}
_ALIGNED = {"align", "valign"}

ALLOWED_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "target"},
    "img": {"src", "align", "alt", "height", "width"},
    "div": {"style"},
    "font": {"size", "color"},
    "ul": {"type"},
    "ol": {"type"},
    "li": {"type", "value"},
    "tbody": _ALIGNED,
    "tfoot": _ALIGNED,
    "col": _COLUMN,
    "colgroup": _COLUMN,
    "thead": _ALIGNED,
    "tr": _ALIGNED,
    "td": _CELL,
    "th": _CELL,
}
_BARE = {"h1", "h2", "h3", "hr", "br", "span", "p", "strong", "em", "b", "i", "u", "dl", "dt", "dd", "table", "caption"}

ALLOWED_TAGS = frozenset({*ALLOWED_ATTRIBUTES, *_BARE})
_STYLES = {"border-left", "margin", "padding-left", "text-align", "background-color"}
_SCHEMES = {"http", "https", "mailto", "tel"}
_DROPPED_WHOLE = {"script", "style", "title", "template", "object", "applet"}

_RENAMED = {
    **dict.fromkeys(("address", "article", "aside", "center", "fieldset", "figcaption", "figure"), "div"),
    **dict.fromkeys(("footer", "form", "header", "main", "nav", "pre", "section"), "div"),
    "blockquote": 'div style="padding-left:1em"',
    **dict.fromkeys(("h4", "h5", "h6"), "h3"),
    **dict.fromkeys(("cite", "dfn", "var"), "em"),
    "ins": "u",
}
"""What has a relative among the allowed tags becomes it; of all other tags the content alone is kept."""

_BLOCKS = frozenset({"p", "div", "h1", "h2", "h3", "ul", "ol", "dl", "dt", "dd", "table", "tr", "caption", "hr"})
_VOID = frozenset({"br", "hr", "img", "col"})
_RENAMED_TAG = re.compile(rf"<({'|'.join(_RENAMED)})[\s>/]", re.IGNORECASE)
_TOKEN = re.compile(r'<(/?)([a-z][a-z0-9]*)((?:\s[^\s=>"]+="[^"]*")*)>|([^<]+|<)')
_ENTITY = re.compile(r"&[^;&\s]{0,10}$")
_HREF = re.compile(r'\shref="([^"]*)"')
_NEWLINES = re.compile(r"\n{3,}")

_strict = nh3.Cleaner(
    tags=ALLOWED_TAGS,
    attributes=ALLOWED_ATTRIBUTES,
    clean_content_tags=_DROPPED_WHOLE,
    url_schemes=_SCHEMES,
    filter_style_properties=_STYLES,
    link_rel=None,
)
_wide = nh3.Cleaner(
    tags=ALLOWED_TAGS | set(_RENAMED),
    attributes=ALLOWED_ATTRIBUTES,
    clean_content_tags=_DROPPED_WHOLE,
    url_schemes=_SCHEMES,
    filter_style_properties=_STYLES,
    link_rel=None,
)


class _Token(NamedTuple):
    text: str
    tag: str = ""
    is_end: bool = False


def clean_html(text: str) -> str:
    """Return HTML with nothing in it but allowed tags, attributes, styles and link schemes.

    Tags with a relative among the allowed ones become that (`blockquote` an indented
    `div`); of others the content stays. Scripts, styles and comments are gone.
    """
    if _RENAMED_TAG.search(text):
        text = _renamed(_wide.clean(text))
    return _strict.clean(text)


def html_to_text(text: str) -> str:
    """Return what HTML says as plain text: blocks on lines of their own, addresses of links behind them."""
    parts: list[str] = []
    links: list[tuple[str, int]] = []
    for token in _tokens(clean_html(text)):
        if not token.tag:
            parts.append(html.unescape(re.sub(r"[ \t\r\n]+", " ", token.text)))
        elif token.tag == "a" and not token.is_end:
            found = _HREF.search(token.text)
            links.append((html.unescape(found[1]) if found else "", len(parts)))
        elif token.tag == "a" and links:
            address, start = links.pop()
            if address and address.removeprefix("mailto:") not in "".join(parts[start:]):
                parts.append(f" ({address})")
        elif token.tag == "br":
            parts.append("\n")
        elif token.tag in ("td", "th") and token.is_end:
            parts.append("\t")
        elif token.tag in _BLOCKS:
            parts.append("\n")
        elif token.tag == "li" and not token.is_end:
            parts.append("\n- ")
    lines = (line.strip() for line in "".join(parts).replace("\xa0", " ").split("\n"))
    return _NEWLINES.sub("\n\n", "\n".join(lines)).strip()


def text_to_html(text: str) -> str:
    """Return plain text as HTML that shows it as it is."""
    return clean_html(html.escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br>"))


def cut_html(text: str, most: int) -> str:
    """Return the beginning of cleaned HTML, at most `most` characters long and well-formed, marked as cut.

    Raises:
        Unmappable: Not even its first tags fit.
    """
    return text if len(text) <= most else split_html(text, most - 1)[0] + ELLIPSIS


def split_html(text: str, most: int) -> list[str]:
    """Return cleaned HTML as well-formed pieces of at most `most` characters each; no content is lost.

    Elements that are open where it is split are closed, and opened again in the next piece.

    Raises:
        Unmappable: The open tags alone leave no room.
    """
    if len(text) <= most:
        return [text]
    pieces = _Pieces(most)
    for token in _tokens(text):
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
    """The pieces made so far, and the one in the making: its tokens, its open elements, its length."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._done: list[str] = []
        self._parts: list[str] = []
        self._open: list[_Token] = []
        self._size = 0
        """Characters of the piece, with the end tags that it will need."""
        self._has_content = False

    def open(self, token: _Token) -> None:
        need = len(token.text) + _end_size(token)
        self._make_room(need)
        self._open.append(token)
        self._parts.append(token.text)
        self._size += need

    def close(self) -> None:
        self._parts.append(f"</{self._open.pop().tag}>")

    def add_whole(self, token: _Token) -> None:
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
        while left and self._parts and self._parts[-1] == left[-1].text:  # opened, and nothing in it yet
            self._parts.pop()
            left.pop()
        ends = "".join(f"</{token.tag}>" for token in reversed(left))
        if self._has_content or not self._done:
            self._done.append("".join(self._parts) + ends)


def _end_size(token: _Token) -> int:
    return len(token.tag) + 3


def _text_break(text: str, room: int) -> int:
    """Return where text is split that does not fit: behind a blank, else anywhere but in an entity; 0: nowhere."""
    if room <= 0:
        return 0
    blank = max(text.rfind(char, 0, room) for char in " \n\t")
    if blank >= 0 and not text[: blank + 1].isspace():
        return blank + 1
    broken = _ENTITY.search(text, max(0, room - 12), room)
    return broken.start() if broken else room


def _tokens(cleaned: str) -> Iterator[_Token]:
    """Yield tags and texts of what nh3 wrote: attributes are always in double quotes there."""
    for found in _TOKEN.finditer(cleaned):
        end, tag, _, text = found.groups()
        yield _Token(text) if tag is None else _Token(found[0], tag, bool(end))


def _renamed(cleaned: str) -> str:
    parts: list[str] = []
    in_pre = 0
    for token in _tokens(cleaned):
        if not token.tag:
            parts.append(token.text.replace("\n", "<br>") if in_pre else token.text)
            continue
        if token.tag == "pre":
            in_pre += -1 if token.is_end else 1
        new = _RENAMED.get(token.tag)
        if new is None:
            parts.append(token.text)
        else:
            parts.append(f"</{new.partition(' ')[0]}>" if token.is_end else f"<{new}>")
    return "".join(parts)
