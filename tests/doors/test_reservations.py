"""The file that processes share: what it reserves, what it believes, and what it does with odd files."""

import itertools
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bulkgladly.budget.budget_database import ForeignFile, is_damaged
from bulkgladly.budget.budget_files import boot_id, budget_path
from bulkgladly.budget.reservations import (
    FULL_WAIT_S,
    LONGEST_PAUSE_S,
    LONGEST_PLACE_S,
    Reservations,
)
from tests.full_disk import fill_at_sync

GAP_S = 0.1


class Hand:
    """A clock that is moved by hand."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


Open = Callable[..., Reservations]


@pytest.fixture
def opened(tmp_path: Path, clock: Hand) -> Iterator[Open]:
    """Opens the file of the test once more, as another process does."""
    all_of_them: list[Reservations] = []

    def one_more(boot: str = "boot") -> Reservations:
        all_of_them.append(Reservations(tmp_path / "budget.sqlite", boot, clock=clock))
        return all_of_them[-1]

    yield one_more
    for each in all_of_them:
        each.close()


@contextmanager
def rows(path: Path) -> Iterator[sqlite3.Connection]:
    """The file itself, to be lied to."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_moments_of_all_processes_are_one_line(opened: Open, clock: Hand) -> None:
    """Each reservation is a gap after the last one, no matter who made it, and never in the past."""
    one, other = opened(), opened()

    at = [each.reserve("default", GAP_S) - clock.now for each in (one, other, one, one, other)]
    clock.now += 100
    later = other.reserve("default", GAP_S) - clock.now

    assert at == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert later == 0


def test_several_moments_are_reserved_at_once(opened: Open, clock: Hand) -> None:
    """The next reservation comes after all of them."""
    one = opened()

    one.reserve("default", GAP_S, 5)

    assert one.reserve("default", GAP_S) - clock.now == pytest.approx(0.5)


def test_lines_do_not_know_each_other(opened: Open, clock: Hand) -> None:
    """Reports wait for reports."""
    one = opened()

    one.reserve("reports", 6.0)

    assert one.reserve("default", GAP_S) == clock.now


def test_a_pause_told_by_one_is_known_to_all(opened: Open, clock: Hand) -> None:
    """Moments begin after it, it only grows, and the number tells that there is news."""
    one, other = opened(), opened()
    before = other.news("default")

    one.tell("default", paused_for_s=5.0, limit=4, ease=0.92)
    one.tell("default", paused_for_s=1.0, limit=None, ease=0.9)
    news = other.news("default")

    assert news.number == before.number + 2
    assert news.paused_until == clock.now + 5.0
    assert (news.limit, news.ease, news.eased_at) == (4, 0.9, clock.now)
    assert other.reserve("default", GAP_S) == clock.now + 5.0
    assert one.reserve("default", GAP_S) == pytest.approx(clock.now + 5.1)


@pytest.mark.parametrize("told", [1e9, 1e300, float("inf"), -1e9, "soon", None, b"\xff"])
def test_a_moment_that_no_process_can_have_put_there_is_not_believed(
    opened: Open, clock: Hand, tmp_path: Path, told: object
) -> None:
    """Whatever the file says, the line goes on."""
    one = opened()
    one.reserve("default", GAP_S)
    with rows(tmp_path / "budget.sqlite") as connection:
        connection.execute("UPDATE OR IGNORE lines SET free_at = ?, paused_until = ?", (told, told))

    at = one.reserve("default", GAP_S) - clock.now

    assert 0 <= at <= GAP_S * 1.001
    assert one.reserve("default", GAP_S) - clock.now == pytest.approx(at + GAP_S)


def test_the_longest_pause_is_believed_and_no_longer_one(opened: Open, clock: Hand) -> None:
    """Five minutes is what a server can ask for."""
    one = opened()

    one.tell("default", paused_for_s=1e9, limit=None, ease=1.0)

    assert one.reserve("default", GAP_S) == clock.now + LONGEST_PAUSE_S


@pytest.mark.parametrize(("ease", "limit"), [(-5.0, -1), (7.0, 0), ("much", "many"), (float("inf"), float("inf"))])
def test_shares_and_limits_have_bounds(opened: Open, clock: Hand, tmp_path: Path, ease: object, limit: object) -> None:
    """No value of the file stops the pace, or frees it."""
    one = opened()
    one.reserve("default", GAP_S)
    with rows(tmp_path / "budget.sqlite") as connection:
        connection.execute("UPDATE lines SET ease = ?, most = ?, eased_at = 1e12, told = 'x'", (ease, limit))

    news = one.news("default")

    assert 0.1 <= news.ease <= 1
    assert news.limit is None
    assert news.eased_at <= clock.now


def test_a_restart_of_the_machine_begins_a_new_line(opened: Open, clock: Hand) -> None:
    """The clock begins at 0 again then, and old moments and places mean nothing."""
    before = opened("first boot")
    before.reserve("default", GAP_S, 50)
    before.tell("default", paused_for_s=100, limit=3, ease=0.5)
    before.enter("reports", 6.0, places=1, seat=0, owner="a", held={0})
    clock.now = 5.0

    after = opened("second boot")

    assert after.reserve("default", GAP_S) == 5.0
    assert after.news("default").limit is None
    assert after.enter("reports", 6.0, places=1, seat=1, owner="b", held={0, 1})[0]


def test_the_lines_of_a_few_restarts_are_kept(opened: Open, tmp_path: Path) -> None:
    """The file does not grow with the restarts of a machine."""
    for number in range(20):
        opened(f"boot {number}").reserve("default", GAP_S)

    with rows(tmp_path / "budget.sqlite") as connection:
        for table in ("boots", "lines"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 8  # noqa: S608


# --- places ---


def test_no_more_places_than_there_are(opened: Open, clock: Hand) -> None:
    """Two at a time, all processes together; a place that was given back is free."""
    one, other = opened(), opened()

    def enter(each: Reservations, seat: int) -> tuple[bool, float]:
        clock.now += 10
        return each.enter("reports", 6.0, places=2, seat=seat, owner=f"owner {seat}", held={0, 1})

    assert [enter(one, 0)[0], enter(other, 1)[0]] == [True, True]
    assert enter(one, 0) == (False, clock.now + FULL_WAIT_S)
    one.leave("reports", owner="owner 1")
    assert enter(one, 0)[0]
    assert not enter(other, 1)[0]


def test_a_place_is_taken_with_its_moment_only(opened: Open, clock: Hand) -> None:
    """Places are not held while waiting for the next moment."""
    one, other = opened(), opened()
    one.enter("reports", 6.0, places=2, seat=0, owner="a", held={0, 1})

    early = other.enter("reports", 6.0, places=2, seat=1, owner="b", held={0, 1})
    clock.now += 6.0

    assert early == (False, clock.now)
    assert other.enter("reports", 6.0, places=2, seat=1, owner="b", held={0, 1})[0]


@pytest.mark.parametrize(
    ("seat", "held"),
    [(1, {1}), (0, {0, 1})],
    ids=["its process has died", "its seat belongs to another process now"],
)
def test_the_place_of_a_dead_process_is_free_at_once(opened: Open, clock: Hand, seat: int, held: set[int]) -> None:
    """Nothing runs out: the next that asks gets it."""
    dead, alive = opened(), opened()
    dead.enter("reports", 6.0, places=1, seat=0, owner="dead", held={0})
    clock.now += 6.0

    assert alive.enter("reports", 6.0, places=1, seat=seat, owner="alive", held=held)[0]


def test_a_place_is_not_held_for_ever(opened: Open, clock: Hand) -> None:
    """Nor does one count whose time is in the future."""
    one = opened()
    one.enter("reports", 6.0, places=1, seat=0, owner="a", held={0})
    clock.now += LONGEST_PLACE_S + 1

    assert one.enter("reports", 6.0, places=1, seat=1, owner="b", held={0, 1})[0]
    clock.now -= LONGEST_PLACE_S / 2
    assert one.enter("reports", 6.0, places=1, seat=0, owner="a", held={0, 1})[0]


# --- odd files ---


@pytest.mark.parametrize("content", [b"x" * 10_000, b"SQLite format 3\0" + b"\xff" * 5_000], ids=["text", "half"])
def test_a_damaged_file_is_replaced(opened: Open, clock: Hand, tmp_path: Path, content: bytes) -> None:
    """It is told as damage; moved aside, a new one begins, for those who had it open, too."""
    one, other = opened(), opened()
    one.reserve("default", GAP_S)
    one.close()
    (tmp_path / "budget.sqlite").write_bytes(content)

    with pytest.raises(sqlite3.DatabaseError) as failed:
        one.reserve("default", GAP_S)
    assert is_damaged(failed.value)
    one.renew()
    other.renew()

    at = [each.reserve("default", GAP_S) - clock.now for each in (one, other, one)]
    assert at == pytest.approx([0, 0.1, 0.2])
    assert (tmp_path / "budget.damaged").read_bytes() == content


def test_a_whole_file_is_never_replaced(opened: Open, tmp_path: Path) -> None:
    """Whoever repairs looks first whether another process has done so."""
    one = opened()
    one.reserve("default", GAP_S)
    inode = (tmp_path / "budget.sqlite").stat().st_ino

    opened().renew()

    assert (tmp_path / "budget.sqlite").stat().st_ino == inode


def test_a_file_of_another_version_is_left_alone(opened: Open, tmp_path: Path) -> None:
    """Neither a newer version nor a file of another program is changed."""
    path = tmp_path / "budget.sqlite"
    opened().reserve("default", GAP_S)
    for statement in ("PRAGMA user_version=99", "PRAGMA application_id=7"):
        with rows(path) as connection:
            connection.execute(statement)
            tables = connection.execute("SELECT sql FROM sqlite_master").fetchall()

        with pytest.raises(ForeignFile):
            opened().reserve("default", GAP_S)

        with rows(path) as connection:
            assert connection.execute("SELECT sql FROM sqlite_master").fetchall() == tables


def test_a_database_of_somebody_else_gets_no_tables(opened: Open, tmp_path: Path) -> None:
    """Version 0 alone does not make it ours."""
    with rows(tmp_path / "budget.sqlite") as connection:
        connection.execute("CREATE TABLE theirs (id)")

    with pytest.raises(ForeignFile):
        opened().reserve("default", GAP_S)


def test_a_locked_file_is_told_soon(opened: Open, tmp_path: Path) -> None:
    """A process that was stopped in the middle of a transaction holds the others up for a moment only."""
    one = opened()
    one.reserve("default", GAP_S)
    with rows(tmp_path / "budget.sqlite") as connection:
        connection.execute("BEGIN IMMEDIATE")

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            one.reserve("default", GAP_S)

    assert one.reserve("default", GAP_S) > 0


def test_a_deleted_cache_is_made_again(opened: Open, clock: Hand, tmp_path: Path) -> None:
    """Those who had the file open do not go on with one that nobody else sees."""
    one, other = opened(), opened()
    one.reserve("default", GAP_S)
    other.reserve("default", GAP_S)
    for path in tmp_path.iterdir():
        path.unlink()

    at = [each.reserve("default", GAP_S) - clock.now for each in (one, other, one)]

    assert at == pytest.approx([0, 0.1, 0.2])


def test_a_full_disk_is_an_error_and_no_damage(
    opened: Open, clock: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to create the file nor to write it; with room again it goes on where it was."""
    with monkeypatch.context() as patch:
        fill_at_sync(patch, tmp_path, "budget")
        with pytest.raises(OSError, match="No space"):
            opened().reserve("default", GAP_S)
    one = opened()
    one.reserve("default", GAP_S)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(sqlite3.Error) as failed:
            one.try_to_write()
        with pytest.raises(sqlite3.Error):
            one.reserve("default", GAP_S)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert not is_damaged(failed.value)
    assert one.reserve("default", GAP_S) - clock.now == pytest.approx(GAP_S)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error(opened: Open, tmp_path: Path) -> None:
    """It names the file."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            opened().reserve("default", GAP_S)
    finally:
        tmp_path.chmod(0o700)


# --- names ---


def test_each_organisation_has_a_file_of_its_own(tmp_path: Path) -> None:
    """By its host, whatever the case; the name says nothing about it."""
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    hosts = ("https://one.gladly.com", "https://other.gladly.com", "http://127.0.0.1:8000")

    paths = [budget_path(host, environment) for host in hosts]

    assert len(set(paths)) == 3
    assert {path.parent for path in paths} == {tmp_path / "bulkgladly"}
    assert budget_path("https://ONE.gladly.com", environment) == paths[0]
    assert not any("gladly.com" in path.name or "127" in path.name for path in paths)


@pytest.mark.parametrize("cache", ["", "relative/cache"])
def test_without_an_absolute_cache_it_is_in_the_home(cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path counts as none, as the XDG specification says."""
    monkeypatch.setenv("HOME", "/home/of/somebody")

    path = budget_path("https://one.gladly.com", {"XDG_CACHE_HOME": cache})

    assert path.parent == Path("/home/of/somebody/.cache/bulkgladly")


def test_the_name_of_a_start_stays_until_the_next() -> None:
    """All processes of this machine have the same one."""
    assert boot_id() == boot_id() != ""


def test_moments_are_apart_under_many_hands(opened: Open, clock: Hand) -> None:
    """Whoever reserves next, with whichever gap of its own, never gets a moment of another."""
    hands = [opened() for _ in range(4)]

    taken = [(hands[n % 4].reserve("default", gap), gap) for n, gap in enumerate([0.1, 0.2, 0.05, 0.1] * 4)]

    assert all(after[0] - before[0] >= before[1] - 1e-9 for before, after in itertools.pairwise(taken))
