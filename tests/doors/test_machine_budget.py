"""Who is alone, who is not, and what a run does when it cannot find out: with real files and a clock of the test's."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from bulkgladly.budget.budget_line import BudgetLine
from bulkgladly.budget.machine_budget import TRUSTED_S, MachineBudget
from bulkgladly.budget.presence import MOST_SEATS, Presence, forget_unused

HOST = "https://one.gladly.com"


class Hand:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Hand:
    return Hand()


Join = Callable[[], BudgetLine]


@pytest.fixture
async def join(tmp_path: Path, clock: Hand) -> AsyncIterator[Join]:
    """Lets one more process join; its line of requests."""
    joined: list[MachineBudget] = []

    def one_more() -> BudgetLine:
        path = tmp_path / "cache" / "budget.sqlite"
        joined.append(MachineBudget(HOST, path=path, boot="boot", clock=clock, sleep=clock.sleep))
        joined[-1].open()
        return joined[-1].line("default")

    yield one_more
    for budget in joined:
        if budget.is_open:
            budget.close()


async def known(line: BudgetLine) -> str:
    """The standing once it is known."""
    while (standing := line.standing()) == "unknown":
        await line.look()
    return standing


async def met(join: Join, number: int = 2) -> list[BudgetLine]:
    """Lines that join one after the other, and all know that they are not alone."""
    lines = []
    for _ in range(number):
        lines.append(join())
        await known(lines[-1])
    assert {await known(line) for line in lines} == {"company"}
    return lines


def trouble_of(line: BudgetLine) -> str:
    return line.budget.trouble or ""


async def test_a_process_that_is_alone_waits_for_nothing(join: Join, clock: Hand) -> None:
    """It knows with its first look, which counts for a while."""
    line = join()

    assert line.standing() == "unknown"
    assert await known(line) == "alone"
    assert not clock.slept
    clock.now += TRUSTED_S + 0.1
    assert line.standing() == "unknown"


async def test_a_newcomer_waits_until_all_have_seen_it(join: Join, clock: Hand) -> None:
    """Whoever was alone may use its own pace for as long as its last look counts."""
    first = join()
    assert await known(first) == "alone"
    began = clock.now

    second = join()
    assert await known(second) == "company"
    waited = clock.now - began

    assert waited > TRUSTED_S
    assert first.standing() == "unknown", "the look of the first one no longer counts"
    assert await known(first) == "company"


async def test_whoever_stays_is_alone_after_a_while(join: Join, clock: Hand) -> None:
    """Not at once, so that short commands do not change the pace of a long one back and forth."""
    first, second = await met(join)

    second.close()
    clock.now += 1.0
    at_once = await known(first)
    clock.now += 3.0

    assert at_once == "company"
    assert await known(first) == "alone"


async def test_the_moments_of_all_are_one_line(join: Join, clock: Hand) -> None:
    """Waits are counted from now."""
    first, second = await met(join)

    waits = [await each.reserve(0.1) for each in (first, second, second)]
    clock.now += 0.05
    waits.append(await first.reserve(0.1))

    assert waits == pytest.approx([0, 0.1, 0.2, 0.25])


async def test_what_one_tells_all_learn_with_their_next_look(join: Join, clock: Hand) -> None:
    """Ages and pauses are counted from now."""
    first, second = await met(join)

    second.tell(paused_for_s=5.0, limit=4, ease=0.9)
    await second.look()  # in its turn
    clock.now += 1.0
    await first.look()
    news = first.news()

    assert (news.number, news.limit, news.ease) == (1, 4, 0.9)
    assert [news.paused_for_s, news.eased_for_s] == pytest.approx([4, 1])


async def test_places_of_the_dead_are_free(join: Join, clock: Hand) -> None:
    """Two at a time, all together, until one leaves or its process ends."""
    first, second, third = await met(join, 3)

    async def enter(line: BudgetLine) -> bool:
        clock.now += 10
        return await line.enter(6.0, 2) == 0.0

    assert [await enter(each) for each in (first, second, third)] == [True, True, False]
    first.close()
    assert await enter(third)
    assert not await enter(third)
    second.leave()
    await second.look()  # in its turn
    assert await enter(third)


async def test_a_place_that_nobody_waits_for_any_more_is_not_kept(join: Join, clock: Hand) -> None:
    """Cancelled in the middle: the next one gets it."""
    line = join()
    await known(line)
    asking = asyncio.ensure_future(line.enter(6.0, 1))
    await asyncio.sleep(0)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await line.look()  # after what was asked before

    clock.now += 10
    assert await line.enter(6.0, 1) == 0.0


async def test_without_a_place_for_the_files_it_is_away_and_comes_back(tmp_path: Path, join: Join, clock: Hand) -> None:
    """A home that cannot be written: said once, with the fix; when it can be written, the process is alone again."""
    (tmp_path / "cache").write_text("not a folder")

    line = join()
    assert await known(line) == "away"
    assert await line.reserve(0.1) is None
    assert not trouble_of(line), "it may be over at once"
    clock.now += 1.5
    assert await known(line) == "away"
    assert "XDG_CACHE_HOME" in trouble_of(line)
    assert str(tmp_path / "cache") in trouble_of(line)

    (tmp_path / "cache").unlink()
    clock.now += 2.0
    assert await known(line) == "alone"


async def test_a_locked_file_is_away_only_beside_others(tmp_path: Path, join: Join, clock: Hand) -> None:
    """Whoever is alone does not need it; the others go on with a fixed share, and share again when it is free."""
    first, _ = await met(join)
    with closing(sqlite3.connect(tmp_path / "cache" / "budget.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        assert await first.reserve(0.1) is None
        assert await known(first) == "away"
        clock.now += 1.5
        assert await known(first) == "away"
        assert "another process has locked it" in trouble_of(first)

    clock.now += 2.0
    assert await known(first) == "company"
    assert await first.reserve(0.1) == 0.0


async def test_a_damaged_file_is_renewed_without_a_word(tmp_path: Path, join: Join, clock: Hand) -> None:
    """It holds nothing worth keeping, and a new one is as good."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "budget.sqlite").write_bytes(b"?" * 9000)

    first, second = await met(join)
    waits = [await each.reserve(0.1) for each in (first, second, first)]

    assert waits == pytest.approx([0, 0.1, 0.2])
    assert await known(first) == await known(second) == "company"
    assert not trouble_of(first) + trouble_of(second)


async def test_a_file_of_another_version_is_away_beside_others(tmp_path: Path, join: Join, clock: Hand) -> None:
    """It is left alone, and the message says what to do."""
    (tmp_path / "cache").mkdir()
    with closing(sqlite3.connect(tmp_path / "cache" / "budget.sqlite")) as other:
        other.execute("PRAGMA user_version=99")

    first = join()
    assert await known(first) == "alone"
    second = join()

    assert await known(second) == "away"
    clock.now += 1.5
    assert await known(second) == "away"
    assert "another version of bulkgladly" in trouble_of(second)


async def test_a_deleted_cache_hides_nobody(tmp_path: Path, join: Join, clock: Hand) -> None:
    """Seats are taken again where newcomers look for them."""
    first = join()
    await known(first)
    cache = tmp_path / "cache"
    cache.rename(tmp_path / "gone")

    clock.now += 1.0
    assert await known(first) == "alone"
    second = join()

    assert await known(second) == "company"


async def test_it_can_be_left_and_joined_again(join: Join, clock: Hand) -> None:
    """A closed budget says nothing, and one that is opened again learns what is new."""
    line = join()
    await known(line)

    line.close()
    assert await line.reserve(0.1) is None
    line.open()

    assert await known(line) == "alone"
    assert await line.reserve(0.1) == 0.0


def test_there_are_seats_for_many_and_not_for_more(tmp_path: Path) -> None:
    """One too many is told as trouble; a seat that was given back is taken next."""
    all_of_them = [Presence(tmp_path / "seats") for _ in range(MOST_SEATS + 1)]
    for presence in all_of_them[:-1]:
        assert presence.join()

    with pytest.raises(OSError, match="processes use it"):
        all_of_them[-1].join()
    all_of_them[7].leave()
    assert all_of_them[-1].join()

    assert all_of_them[-1].seat == 7
    assert len(all_of_them[0].others()) == MOST_SEATS - 1
    for presence in all_of_them:
        presence.leave()


def test_foreign_files_among_the_seats_do_not_matter(tmp_path: Path) -> None:
    """What is not a number is not a seat, and a seat that cannot be opened counts as held."""
    seats = tmp_path / "seats"
    (seats / "3").mkdir(parents=True)
    for name in ("notes.txt", "-1", "²"):
        (seats / name).touch()
    presence = Presence(seats)

    presence.join()
    alone = presence.others()
    presence.leave()

    assert alone <= {3}


def test_budgets_that_nobody_used_for_a_week_are_deleted(tmp_path: Path) -> None:
    """Not those that are in use, however old, and nothing else in the folder."""
    old = time.time() - 8 * 24 * 3600
    held = Presence(tmp_path / "budget-held.seats")
    for name in ("held", "old", "new", "bare"):
        (tmp_path / f"budget-{name}.sqlite").touch()
    for name in ("budget-old.sqlite-wal", "other.sqlite", "budget-old.damaged"):
        (tmp_path / name).touch()
    for presence in (Presence(tmp_path / "budget-old.seats"), held):
        presence.join()
        if presence is not held:
            presence.leave()
    for path in tmp_path.rglob("*"):
        if "new" not in path.name:
            os.utime(path, (old, old))

    forget_unused(tmp_path)

    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"budget-held.sqlite", "budget-held.seats", "budget-new.sqlite", "other.sqlite"}
    held.leave()
