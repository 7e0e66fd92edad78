"""HTML that Gladly accepts: only the allowed tags, and conversion from and to plain text. Pure.

Tags and attributes are those of Gladly's rich content [gladly-api, schemas 18]. What Gladly does with others is not
documented, so they are removed before. nh3 does all cleaning. Its output is well-formed, and the code here relies
on that.
"""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

import nh3

__all__ = ("ALLOWED_ATTRIBUTES", "ALLOWED_TAGS", "Token", "clean_html", "html_to_text", "text_to_html", "tokens")

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
"""Tags that are replaced by a similar allowed tag; of all other tags only the content is kept."""

_BLOCKS = frozenset({"p", "div", "h1", "h2", "h3", "ul", "ol", "dl", "dt", "dd", "table", "tr", "caption", "hr"})
_RENAMED_TAG = re.compile(rf"<({'|'.join(_RENAMED)})[\s>/]", re.IGNORECASE)
_TOKEN = re.compile(r'<(/?)([a-z][a-z0-9]*)((?:\s[^\s=>"]+="[^"]*")*)>|([^<]+|<)')
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


class Token(NamedTuple):
    """A tag of cleaned HTML, or the text between two tags."""

    text: str
    tag: str = ""
    is_end: bool = False


def clean_html(text: str) -> str:
    """Return HTML with only the allowed tags, attributes, styles and link schemes.

    Tags that have a similar allowed tag become that tag (`blockquote` an indented `div`); of others the content
    stays. Scripts, styles and comments are removed.
    """
    # nh3 keeps or drops tags, but cannot rename them: a wider pass keeps those that are renamed for the strict one.
    if _RENAMED_TAG.search(text):
        text = _renamed(_wide.clean(text))
    return _strict.clean(text)


def html_to_text(text: str) -> str:
    """Return the plain text of HTML: each block on its own line, and the address of a link after its text."""
    parts: list[str] = []
    links: list[tuple[str, int]] = []
    for token in tokens(clean_html(text)):
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
    """Return HTML that shows a plain text unchanged."""
    return clean_html(html.escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br>"))


def tokens(cleaned: str) -> Iterator[Token]:
    """Yield the tags and texts in the output of nh3, where attributes are always in double quotes."""
    for found in _TOKEN.finditer(cleaned):
        end, tag, _, text = found.groups()
        yield Token(text) if tag is None else Token(found[0], tag, bool(end))


def _renamed(cleaned: str) -> str:
    parts: list[str] = []
    in_pre = 0
    for token in tokens(cleaned):
        if not token.tag:
            parts.append(token.text.replace("\n", "<br>") if in_pre else token.text)
            continue
        # Without `pre`, its line breaks would become blanks.
        if token.tag == "pre":
            in_pre += -1 if token.is_end else 1
        new = _RENAMED.get(token.tag)
        if new is None:
            parts.append(token.text)
        else:
            parts.append(f"</{new.partition(' ')[0]}>" if token.is_end else f"<{new}>")
    return "".join(parts)
