"""`dataset build conversations --html`: readable by people in a real browser, and harmless whatever people wrote."""

import html
import itertools
import re
import stat
from pathlib import Path

import pytest

from bulkgladly.builds.run_build import BuildPlaces, build
from bulkgladly.lake.folder import DataFolder
from tests.flows.browsing import CHROMIUM, FAINT, browser_page, keep_picture, running_browser
from tests.flows.test_builds import item, put

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202egnp.exe " + "w" * 300
CASES = list(itertools.product((390, 1280), ("light", "dark")))


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """The pages of a few conversations, one of which holds what people would rather not have on a page."""
    lake = tmp_path / "lake"
    agent = {"id": "a", "type": "AGENT"}
    rows = [
        item(1, "EMAIL", content={"subject": HOSTILE, "content": f"Two\nlines\0\n{HOSTILE}"}),
        item(2, "CHAT_MESSAGE", initiator=agent),
        item(3, "CONVERSATION_NOTE", initiator=agent, content={"content": None, "body": f"<p>Kept</p>{HOSTILE}"}),
        item(4, "CHAT_MESSAGE", initiator={"id": "SIDEKICK_V2", "type": "SYSTEM"}),
        item(5, conversationId="../../k"),
        item(6, conversationId="K"),
    ]
    put(lake, "items", rows)
    put(lake, "customers", [{"id": "c", "name": f"Ada {HOSTILE}"}])
    put(lake, "agents-list", [{"id": "a", "name": "Bela Agent"}])
    build(DataFolder.open(lake), "conversations", BuildPlaces(pages=tmp_path / "pages"))
    return tmp_path / "pages"


def test_each_conversation_has_a_page(pages: Path) -> None:
    """By month, for its owner only; ids that a file system confuses have different names, and none leads out."""
    found = sorted(path.relative_to(pages).as_posix() for path in pages.rglob("*") if path.is_file())

    assert found[-1] == "index.html"
    assert len({name.lower() for name in found}) == len(found) == 4
    assert all(re.fullmatch(r"2026-03/[\w-]+-[0-9a-f]{10}\.html", name) for name in found[:-1])
    assert stat.S_IMODE(pages.stat().st_mode) == 0o700
    index = (pages / "index.html").read_text(encoding="utf-8")
    linked = re.findall(r'href="(2026-03/[^"]+)"', index)
    assert sorted(linked) == found[:-1]
    assert "6__" not in linked[0]
    assert "3 conversations" in index


def test_pages_are_escaped(pages: Path) -> None:
    """What people wrote is text, whatever it looks like; control characters are replaced."""
    (path,) = (path for path in pages.rglob("k-*.html") if "Two" in path.read_text(encoding="utf-8"))
    page = path.read_text(encoding="utf-8")

    assert "<script" not in page
    assert "<img" not in page
    assert html.escape("<script>alert(1)</script>") in page
    assert "Two\nlines\N{REPLACEMENT CHARACTER}\n" in page
    assert "\u202e" not in page
    assert "default-src 'none'" in html.unescape(page)
    assert [name for name in ("Bela Agent", "Gladly AI", "Kept", "Note") if name not in page] == []


def test_a_second_build_replaces_the_folder(pages: Path) -> None:
    """As a whole: a conversation that is gone has no page afterwards. Leftovers of a kill are removed."""
    leftover = pages.with_name(f".{pages.name}-x.building")
    leftover.mkdir()
    lake = pages.with_name("other")
    put(lake, "items", [item(1, conversationId="only")])

    build(DataFolder.open(lake), "conversations", BuildPlaces(pages=pages))

    assert [path.name.split("-")[0] for path in pages.rglob("*.html") if path.name != "index.html"] == ["only"]
    assert sorted(path.name for path in pages.parent.iterdir()) == ["lake", "other", "pages"]


def test_a_long_list_has_several_pages(tmp_path: Path) -> None:
    """The newest first; each page links to its neighbours."""
    many = [item(n % 60, id=f"i{n}", conversationId=f"k{n}") for n in range(401)]
    put(tmp_path / "lake", "items", many)
    build(DataFolder.open(tmp_path / "lake"), "conversations", BuildPlaces(pages=tmp_path / "pages"))

    lists = [(tmp_path / "pages" / name).read_text("utf-8") for name in ("index.html", "index-2.html", "index-3.html")]
    times = [re.findall(r"2026-03-19 10:\d\d", page) for page in lists]
    assert [len(each) for each in times] == [200, 200, 1]
    in_order = [*itertools.chain.from_iterable(times)]
    assert in_order == sorted(in_order, reverse=True)
    assert [re.findall(r'href="(index[^"]*)"', page) for page in lists] == [
        ["index-2.html"],
        ["index.html", "index-3.html"],
        ["index-2.html"],
    ]


def largest(pages: Path) -> Path:
    return max(pages.rglob("k-*.html"), key=lambda each: each.stat().st_size)


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
async def test_pages_fit_a_phone_and_a_screen(pages: Path, tmp_path: Path) -> None:
    """Without sideways scrolling, light and dark, with enough contrast; and nothing is asked of any network."""
    shown = {"index": pages / "index.html", "page": largest(pages)}
    with running_browser(tmp_path) as address:
        async with browser_page(address) as page:
            for (name, path), (width, scheme) in itertools.product(shown.items(), CASES):
                await page.look(width=width, scheme=scheme)
                await page.send("Page.navigate", url=path.as_uri())
                await page.wait_for("document.readyState === 'complete' && document.querySelector('h1')")

                assert await page.evaluate("document.documentElement.scrollWidth") <= width
                assert await page.evaluate(FAINT) == []
                assert [url for url in page.requests if not url.startswith("file:")] == []
                assert page.problems == []
                await keep_picture(page, f"conversation-{name}-{width}-{scheme}.png")
