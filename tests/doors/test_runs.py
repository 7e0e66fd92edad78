"""A run's folder: its name, its header, its lock, and who may look into it."""

import contextlib
import datetime as dt
import os
import re
import secrets
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.cli.runs_command import about_run
from bulkgladly.errors import JournalDamaged, JournalError, RunLocked, UsageError
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.journal.runs import all_folders, find_run, list_runs, open_to_others
from bulkgladly.journal.schema import JOURNAL_VERSION
from bulkgladly.storage.durable import write_private

NOON = dt.datetime(2026, 3, 4, 12, 0, 0, tzinfo=dt.UTC)
SCOPE = ("https://example.gladly.com", "customers", "default")


def header(run: RunFolder) -> RunHeader:
    return RunHeader(
        run=run.name,
        resource="customers",
        mode="upsert",
        host="https://example.gladly.com",
        inputs=(InputFile("/data/customers.csv", 120, 17, "00ff"),),
        settings={"mode": "upsert", "pace": {"rate": 5.0}},
        created_at="2026-03-04T12:00:00+00:00",
        version="0.1.0",
        is_whole=True,
    )


def make(state_dir: Path, *, mode: str = "upsert", now: dt.datetime = NOON) -> RunFolder:
    run = RunFolder.create(state_dir, "customers", mode, now)
    run.make_journal()
    run.write_header(header(run))
    return run


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask() -> Iterator[None]:
    """The widest mask a user may have: what is private must be so by itself."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_folder_says_what_and_when(tmp_path: Path) -> None:
    """Resource, mode, UTC time and eight hex digits."""
    local = dt.datetime(2026, 3, 4, 14, 0, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))

    run = RunFolder.create(tmp_path / "state", "customers", "upsert", local)

    assert re.fullmatch(r"customers-upsert_20260304T120000Z_[0-9a-f]{8}", run.name)
    assert run.path == tmp_path / "state" / "runs" / run.name
    assert run.state_dir == tmp_path / "state"


@pytest.mark.usefixtures("open_umask")
def test_everything_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Folders 0700 and files 0600, whatever the mask."""
    run = make(tmp_path / "state")

    with run.lock():
        files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]

        assert {mode_of(path) for path in files} == {0o600}
    assert [mode_of(path) for path in (tmp_path / "state", run.path.parent, run.path)] == [0o700] * 3
    assert {path.name for path in files} == {"run.json", "lock", "journal.sqlite"}


def test_two_runs_of_one_second_are_two_folders(tmp_path: Path) -> None:
    """And never share one."""
    assert len({make(tmp_path).name for _ in range(10)}) == 10


def test_a_folder_that_cannot_be_made_names_the_way_out(tmp_path: Path) -> None:
    """No traceback, and nothing half made."""
    (tmp_path / "state").write_text("a file stands in the way")

    with pytest.raises(UsageError, match="--state-dir"):
        RunFolder.create(tmp_path / "state", "customers", "upsert", NOON)


def test_the_header_comes_back_as_it_was(tmp_path: Path) -> None:
    """Everything that a resume needs."""
    run = make(tmp_path)

    assert RunFolder(run.path).header() == header(run)


def test_a_child_run_names_its_parent(tmp_path: Path) -> None:
    """A retry is a run of its own."""
    run = make(tmp_path)

    run.write_header(replace(header(run), parent="customers-upsert_x"))

    assert run.header().parent == "customers-upsert_x"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "not a run header"),
        (b"", "not a run header"),
        (b"{", "not a run header"),
        (b"[]", "not a run header"),
        (b"{}", "not a run header"),
        (b'{"format": 1, "inputs": [], "surprise": 1}', "not a run header"),
        (b'{"format": 99}', "newer version"),
    ],
)
def test_a_header_that_cannot_be_used_says_why(content: bytes | None, part: str, tmp_path: Path) -> None:
    """With its path."""
    run = make(tmp_path)
    (run.path / "run.json").unlink()
    if content is not None:
        (run.path / "run.json").write_bytes(content)

    with pytest.raises(JournalDamaged, match=part) as caught:
        run.header()

    assert "run.json" in str(caught.value)


def test_a_second_lock_is_refused(tmp_path: Path) -> None:
    """Also within one process, and until the first is given back."""
    run = make(tmp_path)

    with run.lock(), pytest.raises(RunLocked, match=str(os.getpid())):
        RunFolder(run.path).lock()
    with RunFolder(run.path).lock():
        pass


def test_unlocking_twice_is_allowed(tmp_path: Path) -> None:
    """The second time does nothing."""
    run = make(tmp_path).lock()

    run.unlock()
    run.unlock()


HOLD = """
import sys
from pathlib import Path
from bulkgladly.journal.run_folder import RunFolder
RunFolder(Path(sys.argv[1])).lock()
print("locked", flush=True)
sys.stdin.read()
"""


def test_the_lock_of_another_process_counts_and_dies_with_it(tmp_path: Path) -> None:
    """The message names the process; after `kill -9` the run is free at once."""
    run = make(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"

        with pytest.raises(RunLocked, match=f"process {child.pid}"):
            run.lock()
        child.kill()
        child.wait()
        with run.lock():
            pass


async def journal(run: RunFolder, status: str) -> None:
    ledger = Ledger(run.path, state=run.state_dir / "state.sqlite", scope=SCOPE)
    await ledger.note("status", status)
    ledger.close()


async def test_status_is_what_the_journal_noted(tmp_path: Path) -> None:
    """A run whose journal says nothing yet is new."""
    run = make(tmp_path)

    before = run.status()
    await journal(run, "stopped")

    assert (before, run.status(), run.live_status()) == ("new", "stopped", "stopped")
    assert not run.has_records()


async def test_a_running_run_without_a_process_was_interrupted(tmp_path: Path) -> None:
    """The lock tells whether somebody is at work."""
    run = make(tmp_path)
    await journal(run, "running")

    with run.lock():
        live = RunFolder(run.path).live_status()

    assert (live, run.live_status()) == ("running", "interrupted")


def test_a_run_without_a_report_has_none(tmp_path: Path) -> None:
    """And one that was cut in half is none either."""
    run = make(tmp_path)

    assert run.report() is None
    (run.path / "report.json").write_bytes(b'{"run": ')
    assert run.report() is None
    (run.path / "report.json").write_bytes(orjson.dumps({"run": run.name}))
    assert run.report() == {"run": run.name}


def test_runs_are_listed_oldest_first(tmp_path: Path) -> None:
    """By time, whatever they imported; a folder without a header is no run yet."""
    late = make(tmp_path, mode="create", now=NOON + dt.timedelta(hours=1))
    early = make(tmp_path, mode="upsert", now=NOON - dt.timedelta(hours=1))
    middle = make(tmp_path, mode="delete")
    RunFolder.create(tmp_path, "customers", "upsert", NOON)

    assert [run.name for run in list_runs(tmp_path)] == [early.name, middle.name, late.name]
    assert list(list_runs(tmp_path / "elsewhere")) == []


async def test_of_several_runs_that_a_part_of_a_name_fits_the_one_of_a_status_is_meant(tmp_path: Path) -> None:
    """`resume customers` means the only one that is not finished."""
    one, other = make(tmp_path), make(tmp_path)
    await journal(one, "stopped")
    await journal(other, "complete")

    assert _name(find_run(tmp_path, "customers", statuses=("stopped", "failed"))) == one.name
    assert _name(find_run(tmp_path, other.name, statuses=("stopped",))) == other.name
    with pytest.raises(UsageError, match="matches 2 runs"):
        find_run(tmp_path, "customers", statuses=("stopped", "complete"))


async def test_runs_are_found_by_a_part_of_their_name(tmp_path: Path) -> None:
    """In full, in part, or the newest of a status."""
    one = make(tmp_path, mode="create")
    other = make(tmp_path, now=NOON + dt.timedelta(hours=1))
    await journal(one, "stopped")
    await journal(other, "complete")

    assert _name(find_run(tmp_path, one.name)) == one.name
    assert _name(find_run(tmp_path, "customers-upsert")) == other.name
    assert _name(find_run(tmp_path, None)) == other.name
    assert _name(find_run(tmp_path, None, statuses=("stopped", "failed"))) == one.name
    assert find_run(tmp_path, None, statuses=("failed",)) is None


# --- runs that cannot be used -----------------------------------------------------------------


def unborn(run: RunFolder) -> None:
    for path in run.path.iterdir():
        path.unlink()


def without_header(run: RunFolder) -> None:
    """It has sent something, and only the journal knows what."""
    with contextlib.closing(sqlite3.connect(run.path / "journal.sqlite")) as connection, connection:
        connection.execute("INSERT INTO intents (seq, operation, gladly_id, at) VALUES (0, 'createCustomer', 'x', 0)")
    (run.path / "run.json").unlink()


def without_header_and_scrambled(run: RunFolder) -> None:
    (run.path / "run.json").unlink()
    scrambled(run)


def without_journal(run: RunFolder) -> None:
    (run.path / "journal.sqlite").unlink()


def emptied(run: RunFolder) -> None:
    (run.path / "journal.sqlite").write_bytes(b"")


def scrambled(run: RunFolder) -> None:
    (run.path / "journal.sqlite").write_bytes(os.urandom(20_000))


def from_the_future(run: RunFolder) -> None:
    with contextlib.closing(sqlite3.connect(run.path / "journal.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version={JOURNAL_VERSION + 1}")


def future_header(run: RunFolder) -> None:
    found = orjson.loads((run.path / "run.json").read_bytes())
    (run.path / "run.json").write_bytes(orjson.dumps({**found, "format": 99}))


def foreign(run: RunFolder) -> None:
    (run.path / "run.json").write_bytes(b'{"name": "something else"}')


def odd_types(run: RunFolder) -> None:
    found = orjson.loads((run.path / "run.json").read_bytes())
    (run.path / "run.json").write_bytes(orjson.dumps({**found, "settings": [], "host": 7}))


def header_is_a_folder(run: RunFolder) -> None:
    (run.path / "run.json").unlink()
    (run.path / "run.json").mkdir()


def old_and_half_born(run: RunFolder) -> None:
    """What the version before this one left when it was killed early: the header, and some tables."""
    run.write_header(replace(header(run), is_whole=False))
    (run.path / "journal.sqlite").unlink()
    with contextlib.closing(sqlite3.connect(run.path / "journal.sqlite")) as connection:
        connection.execute("CREATE TABLE intents (seq INTEGER)")


@pytest.mark.parametrize(
    ("spoil", "word", "part"),
    [
        (unborn, "half-born", "sent nothing"),
        (without_header, "damaged", "run.json is missing"),
        (without_header_and_scrambled, "damaged", "run.json is missing"),
        (without_journal, "damaged", "missing or empty"),
        (emptied, "damaged", "missing or empty"),
        (scrambled, "damaged", "not a database"),
        (from_the_future, "newer", "use that version"),
        (future_header, "newer", "use that version"),
        (foreign, "damaged", "not a run header"),
        (odd_types, "damaged", "not a run header"),
        (header_is_a_folder, "damaged", "not a run header"),
        (old_and_half_born, "half-born", "start the import or export again"),
    ],
)
async def test_one_bad_run_stops_no_other_command(
    spoil: Callable[[RunFolder], None], word: str, part: str, tmp_path: Path
) -> None:
    """It is named with what is wrong and what to do; all others are found, listed and used as before."""
    bad = make(tmp_path, mode="create")
    good = make(tmp_path, now=NOON - dt.timedelta(hours=1))
    await journal(good, "stopped")
    spoil(bad)

    fault = bad.fault()

    assert fault is not None
    assert (fault.word, part in fault.detail) == (word, True), fault
    assert word == "newer" or f"rm -r {bad.path}" in fault.detail
    assert [run.name for run in list_runs(tmp_path)] == [good.name]
    assert _name(find_run(tmp_path, None)) == good.name
    assert _name(find_run(tmp_path, None, statuses=("stopped", "new"))) == good.name
    assert _name(find_run(tmp_path, "customers")) == good.name
    assert _name(find_run(tmp_path, bad.name)) == bad.name
    assert [about_run(run)["status"] for run in all_folders(tmp_path)] == ["stopped", word]
    with pytest.raises(JournalDamaged, match=f"run {bad.name} is {word}"):
        bad.check()
    with pytest.raises(JournalDamaged):
        bad.status()


def test_a_run_that_is_just_beginning_is_not_called_half_born(tmp_path: Path) -> None:
    """Its process holds the lock."""
    run = RunFolder.create(tmp_path, "customers", "upsert", NOON)

    with run.lock():
        assert RunFolder(run.path).fault() is None
        assert list(list_runs(tmp_path)) == []
    assert (fault := run.fault()) is not None
    assert fault.word == "half-born"


def test_two_runs_of_one_second_never_share_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if chance gives the same digits: the second process draws again."""
    draws = iter(["aaaaaaaa", "aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])
    monkeypatch.setattr(secrets, "token_hex", lambda _size: next(draws))

    names = [RunFolder.create(tmp_path, "customers", "upsert", NOON).name for _ in range(2)]

    assert [name[-8:] for name in names] == ["aaaaaaaa", "bbbbbbbb"]


def test_a_run_that_was_removed_meanwhile_is_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two processes would work on what one of them takes for the run."""
    run = make(tmp_path).lock()
    really_open = os.open

    def open_and_lose(path: Any, *how: int, **named: Any) -> int:
        handle = really_open(path, *how, **named)
        if path == run.path / "lock":
            run.remove()
            run.unlock()
        return handle

    monkeypatch.setattr(os, "open", open_and_lose)

    with pytest.raises(JournalError, match="removed by another process"):
        RunFolder(run.path).lock()


def test_who_may_change_the_memory_of_runs_is_told(tmp_path: Path) -> None:
    """A folder that was there before is not ours to close."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)

    told = []
    for mode in (0o700, 0o755, 0o777):
        state.chmod(mode)
        told.append(open_to_others(state))

    assert told[0] is None
    assert "can be listed by other users (mode 755)" in str(told[1])
    assert f"chmod 700 {state}" in str(told[2])
    assert "can be changed by other users" in str(told[2])


def test_an_ambiguous_name_is_refused(tmp_path: Path) -> None:
    """With the names that fit; a full name is never ambiguous."""
    runs = [make(tmp_path) for _ in range(2)]

    with pytest.raises(UsageError, match="matches 2 runs") as caught:
        find_run(tmp_path, "customers")

    assert all(run.name in str(caught.value) for run in runs)
    assert _name(find_run(tmp_path, "customers", is_meant=lambda run: run.name == runs[0].name)) == runs[0].name
    with pytest.raises(UsageError, match="matches 2 runs"):
        find_run(tmp_path, "customers", is_meant=lambda _: False)
    with pytest.raises(UsageError, match="runs list"):
        find_run(tmp_path, "contacts")


@pytest.mark.usefixtures("open_umask")
def test_private_files_are_whole_or_not_there(tmp_path: Path) -> None:
    """Written aside and renamed; what was there before is replaced."""
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o644)

    write_private(path, b"new")

    assert path.read_bytes() == b"new"
    assert mode_of(path) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["report.json"]


def _name(run: RunFolder | None) -> str | None:
    return run.name if run else None
