"""HTML: only what Gladly takes is left, nothing that people read is lost, and pieces are whole."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bulkgladly.mapping.html import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, clean_html, html_to_text, text_to_html
from bulkgladly.mapping.lengths import cut_html, split_html
from bulkgladly.mapping.row_values import Unmappable

STYLES = {"border-left", "margin", "padding-left", "text-align", "background-color"}
VOID = {"br", "hr", "img", "col"}


class Seen(HTMLParser):
    """What a reader of its own finds in HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.is_balanced = True
        self.text = ""
        self.feed(text)
        self.close()
        self.is_balanced = self.is_balanced and not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.is_balanced = False

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        """The text without its blanks."""
        return re.sub(r"\s", "", self.text)


FOREIGN = ["script", "style", "iframe", "object", "form", "pre", "blockquote", "h5", "svg", "o:p", "x"]
TAGS = [*sorted(ALLOWED_TAGS), *FOREIGN]
ATTRIBUTES = ["href", "src", "style", "onclick", "class", "align", "width", "nowrap", "id", "target"]
VALUES = ["javascript:alert(1)", "https://example.org/?a=1&b=<2>", "margin: 1px; position: fixed", "a\"b'c", "", "10"]


@st.composite
def markup(draw: st.DrawFn) -> str:
    """Something like HTML: tags in any order, closed or not, with attributes of all sorts."""
    parts: list[str] = []
    for _ in range(draw(st.integers(0, 12))):
        match draw(st.integers(0, 3)):
            case 0:
                parts.append(draw(st.text("ab <>&;\"'=/é😀\n", max_size=12)))
            case 1:
                parts.append(f"</{draw(st.sampled_from(TAGS))}>")
            case 2:
                parts.append(
                    draw(
                        st.sampled_from(["&amp;", "&lt;b&gt;", "&nbsp;", "<!-- x -->", "<![CDATA[x]]>", "plain words"])
                    )
                )
            case _:
                attributes = draw(st.lists(st.tuples(st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES)), max_size=3))
                written = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes)
                parts.append(f"<{draw(st.sampled_from(TAGS))}{written}>")
    return "".join(parts)


@given(markup())
def test_nothing_is_left_that_is_not_allowed(text: str) -> None:
    """Tags, attributes, styles, link schemes: those of Gladly's rich content alone."""
    for tag, attributes in Seen(clean_html(text)).tags:
        assert tag in ALLOWED_TAGS
        assert set(attributes) <= ALLOWED_ATTRIBUTES.get(tag, set())
        for name in ("href", "src"):
            assert "javascript" not in (attributes.get(name) or "")
        for rule in filter(None, (attributes.get("style") or "").split(";")):
            assert rule.partition(":")[0].strip() in STYLES


@given(markup())
@example("<h1><o:p><h1>")
def test_cleaning_comes_to_an_end(text: str) -> None:
    """What is clean stays as it is, once the tags that were dropped no longer keep others apart."""
    cleaned = clean_html(clean_html(text))

    assert clean_html(cleaned) == cleaned


@given(markup(), st.integers(60, 400))
def test_pieces_are_whole_clean_and_short_and_lose_nothing(text: str, most: int) -> None:
    """Each could be the whole body of an item; together they say what the text says."""
    cleaned = clean_html(text)
    try:
        pieces = split_html(cleaned, most)
    except Unmappable:
        assume(False)

    assert all(len(piece) <= most for piece in pieces)
    assert all(Seen(piece).is_balanced for piece in pieces)
    assert "".join(Seen(piece).words for piece in pieces) == Seen(cleaned).words
    for name in ("img", "hr"):
        assert sum(piece.count(f"<{name}") for piece in pieces) == cleaned.count(f"<{name}")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n")))
def test_plain_text_survives_html(text: str) -> None:
    """What was written as text is read as the same text, but for its blanks."""
    shown = Seen(text_to_html(text).replace("<br>", "\n")).text

    assert shown == text
    assert html_to_text(text_to_html(text)).split() == text.replace("\xa0", " ").split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>a</b><script>x</script><!-- y --><style>z</style>", "<b>a</b>"),
        ("<o:p>a</o:p><iframe>b</iframe>", "ab"),
        ("<blockquote>a</blockquote>", '<div style="padding-left:1em">a</div>'),
        ("<PRE class=x>a\n  b</PRE>", "<div>a<br>  b</div>"),
        ("<h6>a</h6><ins>b</ins><cite>c</cite>", "<h3>a</h3><u>b</u><em>c</em>"),
        ('<a href="javascript:x">a</a><a href="tel:1" target="x">b</a>', '<a>a</a><a href="tel:1" target="x">b</a>'),
        ('<div style="margin:1px; color:red">a</div>', '<div style="margin:1px">a</div>'),
        ('<p align="left">a', "<p>a</p>"),
        ('<img src="cid:1" alt="x"><img src="https://example.org/a.png">', '<img alt="x"><img src="https://example.org/a.png">'),
        ("a < b & c", "a &lt; b &amp; c"),
    ],
)  # fmt: skip
def test_cleaning(text: str, expected: str) -> None:
    """Relatives take the place of tags that are not allowed; of others the content stays."""
    assert clean_html(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>Hello <b>you</b></p><p>and</p>", "Hello you\n\nand"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ('see <a href="https://example.org/x?a=1&amp;b=2">this</a>', "see this (https://example.org/x?a=1&b=2)"),
        ('<a href="https://example.org">https://example.org</a>', "https://example.org"),
        ('<a href="mailto:a@example.org">a@example.org</a>', "a@example.org"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1\t2\n\n3"),
        ("&lt;b&gt; &amp;&nbsp;c", "<b> & c"),
        ("many\n   blanks", "many blanks"),
        ("<script>x</script>", ""),
    ],
)
def test_html_as_text(text: str, expected: str) -> None:
    """Blocks stand on lines of their own, and links keep their addresses."""
    assert html_to_text(text) == expected


def test_open_elements_go_on_in_the_next_piece() -> None:
    """A list stays a list."""
    text = clean_html("<ul><li>one two three</li><li>four <b>five six</b></li></ul>")

    assert split_html(text, 36) == [
        "<ul><li>one two three</li></ul>",
        "<ul><li>four <b>five </b></li></ul>",
        "<ul><li><b>six</b></li></ul>",
    ]


def test_an_entity_is_never_broken() -> None:
    """Half of one would be read as text."""
    pieces = split_html("&amp;" * 7, 12)

    assert pieces == ["&amp;&amp;", "&amp;&amp;", "&amp;&amp;", "&amp;"]


def test_tags_without_room_for_text_are_refused() -> None:
    """Rather than going on for ever."""
    with pytest.raises(Unmappable, match="its tags alone need more than the 20 characters"):
        split_html('<div style="margin:1px">some text</div>', 20)


def test_a_cut_is_marked_and_whole() -> None:
    """What is short enough stays as it is."""
    assert cut_html("<p>one two</p>", 20) == "<p>one two</p>"
    assert cut_html("<p>one two three four</p>", 20) == "<p>one two </p>…"
