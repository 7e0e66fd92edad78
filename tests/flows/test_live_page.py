"""The page at `/live`, in a real browser."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.flows.browsing import CHROMIUM, FAINT, Page, browser_page, keep_picture, running_browser
from tests.flows.live_scene import TOKEN, LiveScene, a_morning, scene_event, served_live

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium here: install it with apt-get install chromium"
)

SIZES = ((390, 844), (800, 900), (1280, 900))
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for all tests: it starts slowly, and a page shares nothing with another."""
    with running_browser(tmp_path_factory.mktemp("browser")) as address:
        yield address


async def open_page(page: Page, scene: LiveScene) -> None:
    """Open the page and wait until it is connected and shows a view."""
    await page.send("Page.navigate", url=f"{scene.url}?token={TOKEN}")
    await page.wait_for(
        "document.querySelector('#link')?.dataset.state === 'on' && document.querySelector('#notes').textContent"
    )


def text_of(selector: str) -> str:
    return f"document.querySelector({selector!r}).textContent"


async def test_the_page_fits_and_can_be_read_on_every_screen(browser: str) -> None:
    """On a phone and on a desk, light and dark: nothing to scroll sideways, nothing faint, nothing from elsewhere."""
    async with served_live() as scene, browser_page(browser) as page:
        scene.happen(*a_morning(dt.datetime.now(dt.UTC)))
        grounds = set()
        for width, height in SIZES:
            for scheme in SCHEMES:
                await page.look(width=width, height=height, scheme=scheme)
                await open_page(page, scene)
                await keep_picture(page, f"live-{width}-{scheme}.png")

                assert await page.evaluate("document.documentElement.scrollWidth") == width
                assert await page.evaluate(FAINT) == []
                grounds.add((scheme, await page.evaluate("getComputedStyle(document.body).backgroundColor")))

        assert len(grounds) == len(SCHEMES)
        assert page.problems == []
        assert {each.split("?")[0] for each in page.requests} == {scene.url, f"{scene.url}/events"}
        assert set(scene.asked) == {"/live", "/live/events"}


async def test_the_page_tells_who_is_available_and_who_waits_longest(browser: str) -> None:
    """The figures, the order of the rows, and the words for what Gladly calls things."""
    async with served_live() as scene, browser_page(browser) as page:
        scene.happen(*a_morning(dt.datetime.now(dt.UTC)))
        await page.look(width=1280)
        await open_page(page, scene)

        figures = [await page.evaluate(text_of(f"#{each}")) for each in ("available", "waiting", "longest", "overdue")]
        rows = await page.evaluate(
            "[...document.querySelectorAll('#contacts tbody tr')]"
            ".map((row) => [...row.cells].map((cell) => cell.firstChild.textContent))"
        )
        agents = await page.evaluate(
            "[...document.querySelectorAll('#agents tbody tr')].map((row) => row.cells[0].firstChild.textContent)"
        )
        assert figures == ["2", "5", "4 h 20 min", "1"]
        assert [row[1] for row in rows] == ["Chat", "Phone", "Email", "WhatsApp", "SMS"]
        assert rows[2][:4] == ["4 h 20 min", "Email", "Returns and exchanges", "queued"]
        assert agents[:2] == ["Ada Okafor", "Ben Sørensen"]
        assert await page.evaluate("document.title") == "5 waiting · Live"
        headed = "[...document.querySelectorAll('table')].every((t) => t.querySelectorAll('th[scope=col]').length > 2)"
        assert await page.evaluate(headed)
        polite = await page.evaluate("[...document.querySelectorAll('[aria-live=polite]')].map((each) => each.id)")
        assert polite == ["available", "waiting", "overdue"]


async def test_nothing_known_is_shown_as_unknown(browser: str) -> None:
    """Before the first event there are no zeros."""
    async with served_live() as scene, browser_page(browser) as page:
        await open_page(page, scene)

        for figure in ("available", "waiting", "longest", "overdue"):
            assert await page.evaluate(text_of(f"#{figure}")) == "?"
        assert "No event has come yet." in await page.evaluate(text_of("#notes"))


async def test_an_event_changes_the_open_page(browser: str) -> None:
    """Without loading it again: a message comes, an agent answers, and a row that stays is the same row."""
    now = dt.datetime.now(dt.UTC)
    async with served_live() as scene, browser_page(browser) as page:
        scene.happen(*a_morning(now))
        await open_page(page, scene)
        await page.evaluate("document.querySelector('#contacts tbody tr').dataset.kept = 'yes'")

        scene.happen(contact_event("MESSAGE_RECEIVED", now, ("customer-9", "CUSTOMER")))
        await page.wait_for(f"{text_of('#waiting')} === '6'")
        scene.happen(contact_event("MESSAGE_SENT", now + dt.timedelta(seconds=1), ("agent-ada", "AGENT")))
        await page.wait_for(f"{text_of('#waiting')} === '5'")

        assert await page.evaluate("document.querySelector('#contacts tbody tr').dataset.kept") == "yes"
        assert page.requests[-1].startswith(f"{scene.url}/events")


def contact_event(kind: str, at: dt.datetime, initiator: tuple[str, str], **more: Any) -> Mapping[str, Any]:
    about = {"channel": "SMS", "contactId": "contact-9", "conversationId": "conversation-9", "customerId": "customer-9"}
    return scene_event(f"CONTACT/{kind}", at, initiator, **{**about, "messageId": "message-1", **more})


HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>\u202e\"'"


async def test_hostile_text_is_shown_as_text(browser: str) -> None:
    """Markup in names, reasons and ids is only ever shown, and marks that reverse a line are written out."""
    now = dt.datetime.now(dt.UTC)
    names = {"agent-x": f"name {HOSTILE}", "inbox-x": f"inbox {HOSTILE}"}
    async with served_live(names=names) as scene, browser_page(browser) as page:
        away = {"id": "r", "name": f"reason {HOSTILE}"}
        context = {"assignee": {"inboxId": "inbox-x"}}
        due = {"createdAt": to_text(now), "dueAt": to_text(now), **context}
        scene.happen(
            scene_event("AGENT_STATUS/WENT_AWAY", now, ("a", "AGENT"), agentId="agent-x", awayReason=away),
            contact_event("STARTED", now, ("c", "CUSTOMER"), channel=HOSTILE, contactId=HOSTILE, context=context),
            scene_event("TASK/CREATED", now, ("a", "AGENT"), taskId=f"task {HOSTILE}", context=due),
        )
        await page.look(width=390)
        await open_page(page, scene)

        shown = await page.evaluate("document.querySelector('main').textContent")
        written = HOSTILE.replace("\u202e", "\\u202e")
        assert all(f"{word} {written}" in shown for word in ("name", "inbox", "reason", "task"))
        assert await page.evaluate("[document.images.length, document.scripts.length, typeof window.hacked]") == [
            *(0, 1),
            "undefined",
        ]
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.problems == []


def to_text(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


ATTEMPTS = (
    "fetch(there).then(() => 'sent', () => 'refused')",
    """new Promise((done) => {
      const image = new Image();
      image.src = there;
      image.onload = () => done('sent');
      image.onerror = () => done('refused');
    })""",
    """(() => {
      const script = document.createElement('script');
      try { script.append(document.createTextNode('window.ran = 1')); document.body.append(script); } catch {}
      return window.ran ? 'sent' : 'refused';
    })()""",
    "(() => { try { document.body.innerHTML = '<p>x'; return 'sent'; } catch { return 'refused'; } })()",
)


async def test_the_page_can_load_and_send_nothing_elsewhere(browser: str) -> None:
    """Even a script that ran in it could not: the browser holds it to its policy."""
    async with served_live() as scene, served_live() as elsewhere, browser_page(browser) as page:
        await open_page(page, scene)
        await page.evaluate(f"window.there = '{elsewhere.url}'")

        assert [await page.evaluate(attempt) for attempt in ATTEMPTS] == ["refused"] * len(ATTEMPTS)
        assert elsewhere.asked == []


async def test_a_long_list_shows_the_first_rows_until_asked(browser: str) -> None:
    """The rest is one press of a button away, which a keyboard can reach."""
    now = dt.datetime.now(dt.UTC)
    async with served_live() as scene, browser_page(browser) as page:
        started = [contact_event("STARTED", now, ("c", "CUSTOMER"), contactId=f"k{number}") for number in range(230)]
        scene.happen(*started)
        await open_page(page, scene)
        rows = "[...document.querySelectorAll('#contacts tbody tr')].filter((row) => row.checkVisibility()).length"

        before = await page.evaluate(rows)
        note = await page.evaluate(text_of("#contacts-note"))
        await page.evaluate("document.querySelector('#contacts-note button').click()")

        assert (before, await page.evaluate(rows)) == (15, 200)
        assert "30 contacts not listed" in note
        assert "Show 185 more" in note
        assert await page.evaluate(text_of("#contacts-note button")) == "Show fewer"


async def test_a_lost_connection_is_told_and_mended(browser: str) -> None:
    """The page says that what it shows is old, and goes on when the server is back."""
    now = dt.datetime.now(dt.UTC)
    async with browser_page(browser) as page:
        async with served_live() as scene:
            scene.happen(*a_morning(now))
            await open_page(page, scene)

        await page.wait_for("document.querySelector('#link').dataset.state === 'off'")
        assert "no connection; this is from" in await page.evaluate(text_of("#link"))
        assert await page.evaluate("document.body.classList.contains('stale')")
        await keep_picture(page, "live-lost.png")

        async with served_live(port=scene.port) as again:
            again.happen(contact_event("STARTED", now, ("c", "CUSTOMER")))
            await page.wait_for(f"{text_of('#waiting')} === '1'")
            assert not await page.evaluate("document.body.classList.contains('stale')")
