"""What of a rich text Gladly may not keep: tags, attributes and styles outside its list. Pure.

The list is that of gladly-api, schemas 18. What becomes of everything else, taken out or
refused, is not documented; so this is a warning, and no reason to keep a record back.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bulkgladly.gladly.spec import Policy, Rule
from bulkgladly.records import Problem

__all__ = ("ATTRIBUTES", "STYLES", "TAGS", "keeps_its_tags")

_CELL = frozenset({"align", "valign", "style", "abbr", "colspan", "rowspan", "headers", "height", "width"}) | {
    "scope",
    "nowrap",
}
_COLUMN = frozenset({"align", "valign", "height", "width", "span"})
_ALIGNED = frozenset({"align", "valign"})

ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "a": frozenset({"href", "target"}),
    "img": frozenset({"src", "align", "alt", "height", "width"}),
    "div": frozenset({"style"}),
    "font": frozenset({"size", "color"}),
    "ul": frozenset({"type"}),
    "ol": frozenset({"type"}),
    "li": frozenset({"type", "value"}),
    **dict.fromkeys(("tbody", "tfoot", "thead", "tr"), _ALIGNED),
    **dict.fromkeys(("col", "colgroup"), _COLUMN),
    **dict.fromkeys(("td", "th"), _CELL),
}
"""Allowed attributes, by tag."""

TAGS = frozenset(ATTRIBUTES) | frozenset(
    ("h1", "h2", "h3", "hr", "br", "span", "p", "strong", "em", "b", "i", "u", "dl", "dt", "dd", "table", "caption")
)
"""Allowed tags."""

STYLES = frozenset({"border-left", "margin", "padding-left", "text-align", "background-color"})
"""Properties that an allowed `style` may set."""

# What a tag may hold ends at the next <, also within quotes, so that no text takes long to look through.
_MARKUP = re.compile(r"<(?:/?([A-Za-z][A-Za-z0-9]*+)((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>|([!?]))")
_TAG_ENDS = re.compile(r"<(/?[a-z0-9]+(?: ?/)?>)?").findall
_BARE = frozenset(f"{before}{tag}{after}>" for tag in TAGS for before in ("", "/") for after in ("", "/", " /"))
"""Allowed tags without attributes, behind their <: what most texts have, and nothing else."""

_ATTRIBUTE = re.compile(r"([A-Za-z_:@][^\s=/>\"']*)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
_NAMEABLE = frozenset(
    (
        *("html", "head", "body", "title", "meta", "link", "base", "style", "script", "noscript", "template"),
        *("h4", "h5", "h6", "blockquote", "pre", "code", "tt", "kbd", "samp", "var", "cite", "q", "abbr", "address"),
        *("article", "aside", "header", "footer", "main", "nav", "section", "figure", "figcaption", "center"),
        *("s", "strike", "del", "ins", "small", "big", "sub", "sup", "mark", "dfn", "bdo", "wbr", "time", "label"),
        *("form", "input", "button", "select", "option", "textarea", "fieldset", "legend", "iframe", "object"),
        *("embed", "video", "audio", "source", "picture", "svg", "path", "canvas", "map", "area", "details", "summary"),
    )
)
"""Tags that a message may name; anything else between < and > could be somebody's address."""


def keeps_its_tags(*names: str) -> Rule:
    """Return the rule that the rich texts in these fields hold nothing outside Gladly's list."""

    def rule(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
        for name in names:
            text = payload.get(name)
            if isinstance(text, str) and "<" in text and not _BARE.issuperset(_TAG_ENDS(text)):
                for code, what in _strange(text).items():
                    detail = f"{name} has {what}, which Gladly may take out or refuse; its list does not have it"
                    yield Problem(code, detail, name)

    return rule


def _strange(text: str) -> dict[str, str]:
    """Return by code the first thing that is outside the list."""
    found: dict[str, str] = {}
    for tag, rest, is_declaration in _MARKUP.findall(text):
        name = tag.lower()
        if is_declaration:
            found.setdefault("html_tag", "a comment or declaration")
        elif name not in TAGS:
            found.setdefault("html_tag", f"<{name}>" if name in _NAMEABLE else "something else between < and >")
        elif rest.strip(" \t\r\n\f/"):
            _strange_attributes(name, rest, found)
    return found


def _strange_attributes(tag: str, rest: str, found: dict[str, str]) -> None:
    allowed = ATTRIBUTES.get(tag, frozenset())
    for attribute, *values in _ATTRIBUTE.findall(rest):
        if attribute.lower() not in allowed:
            found.setdefault("html_attribute", f"an attribute of <{tag}>")
        elif attribute.lower() == "style":
            set_here = {part.partition(":")[0].strip().lower() for part in "".join(values).split(";")} - {""}
            if not set_here <= STYLES:
                found.setdefault("html_style", f"a style of <{tag}>")
