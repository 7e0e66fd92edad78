"""`report.html`: what it says of runs of all kinds, how it looks in a real browser, and that it changes nothing."""

import datetime as dt
import errno
import html
import itertools
import re
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from bulkgladly import Limits
from bulkgladly.emulator import Emulator
from bulkgladly.errors import JournalDamaged
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.timeline import MOST_SAMPLES, Sample, merged, samples_of
from bulkgladly.journal.units import UnitLog
from bulkgladly.pages.run_page import write_page
from bulkgladly.runs.observer import Observer
from tests.dying import Mortals
from tests.flows.browsing import CHROMIUM, FAINT, Page, browser_page, keep_picture, running_browser
from tests.flows.conftest import World
from tests.flows.exporting import Lake
from tests.flows.page_scene import BEGAN, HOSTILE, SCENES, a_run, at_second, with_report
from tests.flows.programs import program_in
from tests.flows.quickly import QUICK, start_export, start_import
from tests.flows.serving import served

PAGED = replace(QUICK, page=write_page)


def page_of(folder: Path | str) -> str:
    """The page of a run, as text."""
    return (Path(folder) / "report.html").read_text(encoding="utf-8")


def words_of(page: str) -> str:
    """What a person reads of a page, in one line."""
    body = re.sub(r"<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


# --- what it says ---


async def test_an_import_ends_with_a_page(world: World) -> None:
    """Beside the report, for its owner only: what arrived, what did not, why and what to do; nothing of the rows."""
    world.environment = PAGED
    rows = [{"crm": f"c-{at}", "name": "Ada Ashby", "email:1": "nobody" if at == 3 else ""} for at in range(5)]

    report = await world.run(world.csv(rows, "people & [more].csv"), key="crm")

    path = Path(report.folder) / "report.html"
    words = words_of(page_of(report.folder))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Customers from people & [more].csv to Gladly" in words
    assert "Finished, but not everything arrived." in words
    assert "exit code 1" in words
    assert "All 5 rows are accounted for." in words
    assert "the email address is not valid" in words
    assert all(command in words for command in report.next_commands)
    assert "createCustomer" in words
    assert "<svg" in page_of(report.folder)
    assert not [word for word in ("Ada", "Ashby", "nobody", "c-3") if word in words]
    assert "rejected.csv" in words
    assert "unprocessed.ndjson" not in words, "it is empty"


async def test_all_sessions_are_on_the_page(world: World) -> None:
    """A resume adds its own to the samples of the first, and the page says why that one ended."""
    world.environment = PAGED
    path = world.csv([{"crm": f"c-{at}", "name": "Ada"} for at in range(4)])

    first = await world.run(path, key="crm", max_rows=2)
    before = samples_of(Path(first.folder))
    last = await world.resume(limits=Limits())

    samples = samples_of(Path(last.folder))
    assert samples[: len(before)] == before
    assert [each.session for each in samples] == [1, 2]
    assert merged(samples).requests == last.requests_total
    assert merged(samples).counts == {"created": 4}
    assert "the limit of 2 rows was reached" in words_of(page_of(last.folder))


async def test_an_export_ends_with_a_page(lake: Lake) -> None:
    """With its data sets and what they hold."""
    report = await start_export(lake.options(words=("inboxes", "agents-list")), lake.credentials, environment=PAGED)

    words = words_of(page_of(report.folder))
    assert "from 127.0.0.1" in words or "from http://127.0.0.1" in words
    assert all(name in words for name in report.units)
    assert report.next_commands[0] in words


@pytest.mark.parametrize("scene", SCENES)
def test_a_page_loads_nothing_and_runs_nothing(scene: str, tmp_path: Path) -> None:
    """One file of at most 300 kB, whose policy allows its own style alone, whatever the names in it."""
    page = write_page(SCENES[scene](tmp_path))

    text = page.read_text(encoding="utf-8")
    assert page.stat().st_size <= 300_000
    assert "default-src 'none'; style-src 'sha256-" in html.unescape(text)
    assert not re.search(r"<(script|img|link|iframe|object|embed|base|form|a)\b", text)
    assert not re.search(r"\b(src|href|srcset|style|on\w+)\s*=\s*[\"']", re.sub(r"<style>.*?</style>", "", text))
    assert not re.search(r"@import|url\((?!#)", text)
    assert "\u202e" not in text


def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    """Each place that a file or Gladly can reach, written out where it could deceive."""
    words = words_of(write_page(SCENES["hostile"](tmp_path)).read_text(encoding="utf-8"))

    assert words.count("alert(1)</script>\\u202e") > 15
    assert HOSTILE.partition("\u202e")[2].partition(" ")[0] in words
    assert "{{ 7*7 }}{end}" in words
    assert "<script>alert(1)<!--" in words


def test_what_the_journal_cannot_say_is_said(tmp_path: Path) -> None:
    """An older run has outcomes and codes, and no plot."""
    words = words_of(write_page(SCENES["before"](tmp_path)).read_text(encoding="utf-8"))

    assert "The pace of this run over time is not known" in words
    assert "invalid_phone" in words
    assert "All 2 rows are accounted for." in words


def test_a_run_of_another_kind_is_told_in_its_own_words(tmp_path: Path) -> None:
    """Title, verdict, outcomes and details are those of its report; what only imports have is not shown."""
    words = words_of(write_page(SCENES["verification"](tmp_path)).read_text(encoding="utf-8"))

    assert "compared with customers.csv" in words
    assert "complete, with findings 3 rows differ." in words
    assert "33 objects" in words
    assert "restored as before the run 30" in words
    assert "All 33 objects are accounted for." in words
    assert "phone differs in 3 rows" in words
    assert "arrive" not in words.replace("Finished, but not everything arrived.", "")


def of_mode(folder: Path, mode: str, counts: dict[str, int], *, is_reported: bool = True, **fields: object) -> str:
    """What a person reads of a run in this mode, with these outcomes by the words of the journal."""
    path = a_run(folder, Sample(1, 1, BEGAN, 4.0, 30, 0, 9.0, 36.0, {}, counts))
    if is_reported:
        with_report(path, counts={"read": sum(counts.values()), **counts}, rows=0, reasons=[], **fields)
    header = orjson.loads((path / "run.json").read_bytes())
    (path / "run.json").write_bytes(orjson.dumps({**header, "mode": mode, "parent": "customers-before"}))
    return words_of(write_page(path).read_text(encoding="utf-8"))


def test_outcomes_are_called_what_they_are_in_each_kind_of_run(tmp_path: Path) -> None:
    """The journal has one list of words for all; what a plan creates, for one, is not in Gladly yet."""
    counts = {"updated": 3, "unchanged": 30, "rejected": 2}

    plan = of_mode(tmp_path / "plan", "plan", {"to_create": 20, "open": 3, "rejected": 2})
    undo = of_mode(tmp_path / "undo", "undo", counts)
    repair = of_mode(tmp_path / "repair", "repair", {**counts, "deleted": 1}, rejects_by_code={"not_exist": 2})
    verify = of_mode(tmp_path / "verify", "verify", {"equal": 4, "not_sent": 3})

    assert "to create new; not sent yet 20" in plan
    assert "open decided when the plan is applied 3" in plan
    assert "restored as before the run 3" in undo
    assert "nothing to do" in undo
    assert "the key leads to its object in Gladly 30" in repair
    assert "To look at 2 keys" in repair
    assert "did not arrive" not in repair
    assert "not sent not sent, so there is nothing to compare 3" in verify
    assert not [page for page in (plan, undo, repair, verify) if "with the same values" in page or "not_" in page]


def test_customers_who_are_kept_by_a_deletion_of_missing_ones_are_not_a_choice(tmp_path: Path) -> None:
    """Nobody chose to leave them out: they may be somebody else's by now."""
    of_mode(tmp_path, "delete", {"deleted": 4, "skipped": 3})
    path = next(tmp_path.rglob("run.json"))
    header = orjson.loads(path.read_bytes())
    file = {"path": "missing.ndjson", "size": 1, "mtime_ns": 0, "digest": ""}
    path.write_bytes(orjson.dumps({**header, "inputs": [file]}))

    page = words_of(write_page(path.parent).read_text(encoding="utf-8"))

    assert "not deleted kept: they may be somebody else's by now 3" in page
    assert "as you chose" not in page


def test_a_run_without_a_report_has_the_title_of_its_kind(tmp_path: Path) -> None:
    """What takes back or compares is no import, and no retry of the run that it is about."""
    undo = of_mode(tmp_path / "undo", "undo", {"updated": 3}, is_reported=False)
    verify = of_mode(tmp_path / "verify", "verify", {"equal": 3}, is_reported=False)

    assert undo.partition(": ")[0] == "Undo of customers-before"
    assert verify.partition(": ")[0] == "Customers in Gladly compared with customers-before"
    assert "retry of" not in undo + verify


def test_what_was_done_in_one_minute_is_told_to_the_second(tmp_path: Path) -> None:
    """Or a pause would end when it began."""
    words = words_of(write_page(SCENES["steered"](tmp_path)).read_text(encoding="utf-8"))

    assert re.search(r"paused by somebody, until \d+ \w+ \d\d:\d\d:\d\d", words)


def test_a_pause_ends_with_its_session_also_if_the_next_one_began_at_once(tmp_path: Path) -> None:
    """A pause is never resumed; and a clock that was set back within it makes no pause that lasts to the end."""
    samples = [Sample(nth, 1 + nth // 3, BEGAN + 60 * nth, 60.0, 500, 0, 9.0, 540.0, {}, {}) for nth in range(6)]
    for name, events, end in (
        ("killed", [{"at": at_second(60), "what": "paused"}], 180),
        (
            "set-back",
            [{"at": at_second(60), "what": "paused"}, {"at": at_second(30), "what": "continued"}],
            60,
        ),
    ):
        path = a_run(tmp_path / name, *samples, sessions=2, steered=events)
        sessions = [{"from": at_second(180 * at), "until": at_second(180 * at + 180), "reason": None} for at in (0, 1)]
        connection = sqlite3.connect(path / "journal.sqlite", isolation_level=None)
        vitals = orjson.loads(connection.execute("SELECT vitals FROM checkpoint").fetchone()[0])
        changed = orjson.dumps({**vitals, "sessions": sessions}).decode()
        connection.execute("UPDATE checkpoint SET vitals = ?", (changed,))
        connection.close()
        until = f"{dt.datetime.fromtimestamp(BEGAN + end).astimezone():%H:%M:%S}"

        assert re.search(rf"paused by somebody, until \d+ \w+ {until}", words_of(write_page(path).read_text("utf-8")))


def test_stops_and_changes_are_marked(tmp_path: Path) -> None:
    """Who reads the plot learns what was done to the run, and that its clock was not to be trusted."""
    words = words_of(write_page(SCENES["steered"](tmp_path)).read_text(encoding="utf-8"))

    assert "somebody set the pace to 4 requests a second" in words
    assert "by the schedule, nothing is sent" in words
    assert "paused by somebody, until" in words
    assert "This machine's clock was set back by" in words
    assert "somebody pressed Ctrl-C; continued" in words


def test_a_killed_run_is_told_from_its_journal(tmp_path: Path) -> None:
    """It has left no report: what is settled is counted, and the next command resumes it."""
    folder = SCENES["days"](tmp_path)
    reasons = [{"reason": "the phone is odd", "fix": "look at it", "records": 7, "examples": [{"line": 4}]}]

    words = words_of(write_page(folder, reasons=reasons).read_text(encoding="utf-8"))

    assert "Not finished: the process was killed, or the machine went down." in words
    assert "2,000 rows so far." in words
    assert "the phone is odd look at it" in words
    assert f"bulkgladly resume {folder.name}" in words
    assert "invalid_email" in words_of(write_page(folder).read_text(encoding="utf-8"))


def test_a_run_that_cannot_be_used_has_no_page(tmp_path: Path) -> None:
    """The message of the journal says why."""
    with pytest.raises(JournalDamaged):
        write_page(tmp_path)


# --- the samples ---


@pytest.mark.parametrize("kind", [Ledger, UnitLog])
async def test_a_journal_keeps_few_samples(kind: type, tmp_path: Path) -> None:
    """However long a run is, and without losing a sum."""
    more = {"state": tmp_path / "state.sqlite", "scope": ("h", "customers", "")} if kind is Ledger else {}
    journal = kind(tmp_path, **more)
    for nth in range(0, 1500, 10):
        journal.sample([Sample(nth + at, 1, 1e6 + nth + at, 1.0, 9, counts={"created": 9}) for at in range(10)])
    await journal.note("status", "complete", samples=[Sample(1500, 1, 1e6 + 1500, 1.0, 9, counts={"created": 9})])
    journal.close()

    found = samples_of(tmp_path)
    assert 100 < len(found) <= MOST_SAMPLES
    assert (merged(found).requests, merged(found).counts) == (9 * 1501, {"created": 9 * 1501})


# --- what fails ---


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RuntimeError("a plot of nothing"),
            "report.html could not be made: RuntimeError: a plot of nothing; everything",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "no space left on the disk; make room, then run bulkgladly runs",
        ),
    ],
    ids=["a bug", "a full disk"],
)
async def test_a_page_that_fails_is_a_note(error: Exception, told: str, world: World) -> None:
    """The run ends as it would have: complete, with its files and its exit code."""
    notes: list[str] = []

    class Listening(Observer):
        def note(self, text: str) -> None:
            notes.append(text)

    def fail(_: Path) -> None:
        raise error

    report = await start_import(
        "customers",
        [world.csv([{"crm": "c-1", "name": "Ada"}])],
        world.credentials,
        world.options,
        observer=Listening(),
        environment=replace(QUICK, page=fail),
    )

    assert (report.status, report.exit_code) == ("complete", 0)
    assert world.last_run().live_status() == "complete"
    assert [note for note in notes if told in note]


# --- the command ---


def test_runs_open_makes_the_page_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a screen it prints the path; the newest run is meant if none is named."""
    with served(Emulator(rate=None)) as emulator:
        program = program_in(tmp_path, monkeypatch, emulator)
        (tmp_path / "a.csv").write_text("crm,name\n1,Ada\n")
        assert program("import", "customers", "a.csv", "--key", "crm") == 0
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    capsys.readouterr()

    codes = [
        program("runs", "open"),
        program("runs", "open", "customers", "--print"),
        program("runs", "open", "--json"),
    ]
    said = capsys.readouterr()

    (path,) = (tmp_path / ".bulkgladly" / "runs").glob("*/report.html")
    first, second, *rest = said.out.splitlines()
    assert codes == [0, 0, 0]
    assert first == second == str(path)
    assert orjson.loads("".join(rest)) == {"run": path.parent.name, "page": str(path)}
    assert "no browser found" in said.err


def test_runs_open_shows_the_page_of_a_killed_run(mortals: Mortals, tmp_path: Path) -> None:
    """In the browser that the environment names, with the fixes of its rejects, which its journal has not."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o700)
    rows = "".join(f"{at},Ada,{'nobody' if at < 4 else ''}\n" for at in range(9))
    (tmp_path / "a.csv").write_text(f"crm,name,email:1\n{rows}")
    with served(Emulator(rate=None)) as emulator:
        variables = {
            "GLADLY_HOST": emulator.url,
            "GLADLY_USERNAME": emulator.options.username,
            "GLADLY_API_TOKEN": emulator.options.token,
            "BULKGLADLY_RATE": "unlimited",
            "BROWSER": str(browser),
        }
        call = ("import", "customers", "a.csv", "--key", "crm")
        whole = mortals.run(*call, "--new-run", "--state-dir", "other", environment=variables, folder=tmp_path)
        killed = mortals.run(*call, environment=variables, folder=tmp_path, at=whole.steps - 12)
    assert killed.is_killed

    opened = mortals.run("runs", "open", environment=variables, folder=tmp_path)

    assert opened.status == 0, opened.errors
    page = Path((tmp_path / "opened").read_text().strip().removeprefix("file://"))
    words = words_of(page.read_text(encoding="utf-8"))
    assert opened.output.strip() == str(page)
    assert "Not finished: the process was killed" in words
    assert "bulkgladly resume customers-upsert" in words


# --- in a browser ---


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_browser(tmp_path_factory.mktemp("browser")) as address:
        yield address


async def open_file(page: Page, path: Path) -> None:
    """Open a file and wait until it is there."""
    await page.send("Page.navigate", url=path.as_uri())
    await page.wait_for(f"document.readyState === 'complete' && location.href === '{path.as_uri()}'")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here: install it with apt-get install chromium")
async def test_pages_fit_and_can_be_read_on_every_screen(browser: str, tmp_path: Path) -> None:
    """On a phone and on a desk, light and dark: nothing to scroll sideways, nothing faint, nothing from elsewhere."""
    pages = {name: write_page(make(tmp_path / name)) for name, make in SCENES.items()}
    async with browser_page(browser) as page:
        for name, path in pages.items():
            await open_file(page, path)
            grounds = set()
            for width, scheme in itertools.product((390, 1280), ("light", "dark")):
                await page.look(width=width, scheme=scheme)
                await keep_picture(page, f"report-{name}-{width}-{scheme}.png")

                assert await page.evaluate("document.documentElement.scrollWidth") == width, name
                assert await page.evaluate(FAINT) == [], name
                grounds.add((scheme, await page.evaluate("getComputedStyle(document.body).backgroundColor")))
            assert len(grounds) == 2
            await page.look(width=800, scheme="dark", media="print")
            await keep_picture(page, f"report-{name}-print.png")
            assert await page.evaluate(FAINT) == [], name

        assert page.problems == []
        assert set(page.requests) == {path.as_uri() for path in pages.values()}
        assert await page.evaluate("document.scripts.length + document.images.length") == 0


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here: install it with apt-get install chromium")
async def test_labels_of_the_plot_do_not_overlap(browser: str, tmp_path: Path) -> None:
    """Times below the axis stand apart and within the picture, on a phone as well."""
    boxes = (
        "[...document.querySelectorAll('.plot .time')].map((each) => each.getBoundingClientRect())"
        ".filter((box) => box.width).map((box) => [box.left, box.right])"
    )
    async with browser_page(browser) as page:
        for name in ("seconds", "days", "moment", "steered"):
            path = write_page(SCENES[name](tmp_path / name))
            await open_file(page, path)
            for width in (390, 1280):
                await page.look(width=width)

                found = await page.evaluate(boxes)

                assert found, name
                assert all(left >= 0 and right <= width for left, right in found), name
                assert all(before[1] <= after[0] for before, after in itertools.pairwise(found)), (name, width, found)
