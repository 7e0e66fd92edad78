"""What Gladly would refuse or change, checked offline: rules that several kinds of objects share. Pure.

A rule looks at a payload and yields problems. Facts: gladly-api, README, "Endpoint rules that
yield errors", and schemas. The list of allowed rich text is in schemas 18. Whether Gladly removes
or refuses everything else is not documented, so `keeps_its_tags` is a warning, not a reject.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bulkgladly.gladly.fields import MAKING
from bulkgladly.gladly.spec import Policy, Rule
from bulkgladly.records import Mode, Problem
from bulkgladly.times import time_of

__all__ = (
    "ATTRIBUTES",
    "MAX_ACTIVITY_AGE",
    "STYLES",
    "TAGS",
    "assignee_has_inbox",
    "due_in_future",
    "due_only_if_known",
    "keeps_its_tags",
    "language_is_known",
    "occurred_within_a_year",
    "some_of",
)

MAX_ACTIVITY_AGE = dt.timedelta(days=365)
"""How long ago an activity may have occurred [gladly-api, schemas 4.3]."""


def due_in_future(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """A new task is due in the future. In an `upsert` the task may exist, so it is judged when it is sent."""
    due = time_of(payload.get("dueAt"))
    if policy.mode is Mode.CREATE and policy.now is not None and due is not None and due <= policy.now:
        detail = "dueAt has passed; Gladly accepts new tasks only with a date in the future"
        yield Problem("due_in_past", detail, "dueAt")


def due_only_if_known(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """The case that `due_in_future` leaves open: in an `upsert`, a task whose date has passed must exist."""
    due = time_of(payload.get("dueAt"))
    if policy.mode is Mode.UPSERT and policy.now is not None and due is not None and due <= policy.now:
        detail = "dueAt has passed: rejected unless the task exists already, because new ones must be due in the future"
        yield Problem("due_in_past", detail, "dueAt")


def language_is_known(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """A content is in one of the organisation's languages. Without a list of them, it is not checked."""
    language = payload.get("language")
    if policy.languages and isinstance(language, str) and language.lower() not in policy.languages:
        yield Problem("unknown_language", f"{language} is not one of {', '.join(policy.languages)}", "language")


def occurred_within_a_year(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """Activities that are more than a year old cannot be created through the API."""
    occurred = time_of(payload.get("occurredAt"))
    if policy.mode is Mode.DELETE or policy.now is None or occurred is None:
        return
    if occurred < policy.now - MAX_ACTIVITY_AGE:
        detail = f"occurredAt is more than {MAX_ACTIVITY_AGE.days} days ago; ask Gladly to import older history"
        yield Problem("too_old", detail, "occurredAt")


def assignee_has_inbox(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    """An assignee has an inbox."""
    assignee = payload.get("assignee")
    if isinstance(assignee, Mapping) and not assignee.get("inboxId"):
        yield Problem("blank", "the assignee needs an inbox (inbox or inboxId)", "inboxId")


def is_assigned(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """A new object is assigned to an inbox."""
    if policy.mode in MAKING and not payload.get("assignee"):
        yield Problem("blank", "inbox (or inboxId) is missing; Gladly requires an inbox", "inboxId")


def some_of(*names: str) -> Rule:
    """Return the rule that a payload has at least one of these fields."""

    def rule(payload: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
        if policy.mode is not Mode.DELETE and not any(payload.get(name) not in (None, "", [], {}) for name in names):
            yield Problem("nothing_to_do", f"the row has none of {', '.join(names)}, so there is nothing to send")

    return rule


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

# A tag ends at the next < at the latest, even within quotes, so that no text takes long to search.
_MARKUP = re.compile(r"<(?:/?([A-Za-z][A-Za-z0-9]*+)((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>|([!?]))")
_TAG_ENDS = re.compile(r"<(/?[a-z0-9]+(?: ?/)?>)?").findall
_BARE = frozenset(f"{before}{tag}{after}>" for tag in TAGS for before in ("", "/") for after in ("", "/", " /"))
"""Allowed tags without attributes, after their <. Most texts have nothing else."""

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
"""Tags that a message may name. Anything else between < and > could be a personal value, such as an address."""


def keeps_its_tags(*names: str) -> Rule:
    """Return the rule that the rich texts in these fields only have what Gladly's list allows."""

    def rule(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
        for name in names:
            text = payload.get(name)
            if isinstance(text, str) and "<" in text and not _BARE.issuperset(_TAG_ENDS(text)):
                for code, what in _strange(text).items():
                    detail = f"{name} has {what}, which is not in Gladly's list; Gladly may remove or refuse it"
                    yield Problem(code, detail, name)

    return rule


def _strange(text: str) -> dict[str, str]:
    """Return, by code, the first thing that the list does not allow."""
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
