"""A disk that takes no more, wherever it is met: exit code 5, what was done is whole, and it is told."""

import errno
import json
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulkgladly.checks.digests import Digests
from bulkgladly.emulator import Emulator
from bulkgladly.errors import DiskFull
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.quickly import QUICK
from tests.flows.serving import served


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None, seed_customers=2)) as running:
        yield running


@pytest.fixture
def program(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    """The program in an empty folder, with two rows on the standard input."""
    rows = b'{"crm_id":"1","name":"Ada Ashby"}\n'
    return heard(program_in(tmp_path, monkeypatch, emulator, stdin=rows), capsys)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Let the disk have no room for files whose name holds a text: it says so when they are synced."""
    refused: list[str] = []
    _refuse_room(monkeypatch, refused)
    yield refused.append
    refused.clear()


def _refuse_room(monkeypatch: pytest.MonkeyPatch, refused: list[str]) -> None:
    plain = os.fsync

    def fsync(handle: int) -> None:
        found = os.fstat(handle)
        for name in refused:
            for path in Path.cwd().rglob(f"*{name}*"):
                if path.stat().st_ino == found.st_ino:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        for path in Path(os.environ.get("TMPDIR", "/tmp")).glob("bulkgladly-*/*"):  # noqa: S108 - where `check` spools
            if refused and path.stat().st_ino == found.st_ino:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(handle)

    monkeypatch.setattr(os, "fsync", fsync)


def test_no_room_for_the_standard_input_is_5_and_leaves_no_half_run(
    program: HeardProgram, full: Callable[[str], None], tmp_path: Path
) -> None:
    """Nothing was sent, and nothing stands in the way of the same command later."""
    full("stdin.")

    code, _, err = program("import", "customers", "-", "--key", "crm_id")

    assert code == 5
    assert "the copy of the input in" in err
    assert "no space left on the disk; make room, then start again" in err
    assert "no runs" in program("runs", "list")[2]


def test_no_room_for_what_check_spools_is_5(
    program: HeardProgram, full: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a look only, but not a bug."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    full("stdin.")

    code, _, err = program("check", "customers", "-", "--key", "crm_id")

    assert code == 5
    assert "no space left on the disk" in err


def test_an_import_whose_report_finds_no_room_tells_it_all_the_same(
    program: HeardProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is whole, and `resume` writes the files once there is room."""
    with monkeypatch.context() as patch:
        _refuse_room(patch, ["report.json"])
        code, out, _ = program("import", "customers", "-", "--key", "crm_id", "--json")
    report = json.loads(out)
    resumed = program("resume", report["run"], "--json")

    assert (code, report["exit_code"], report["status"], report["counts"]["created"]) == (5, 5, "failed", 1)
    assert "no space left on the disk; make room, then resume" in report["reason"]
    assert report["next_commands"][0] == f"bulkgladly resume {report['run']}"
    assert (resumed[0], json.loads(resumed[1])["counts"]["created"]) == (0, 1)


def test_an_export_whose_report_finds_no_room_tells_it_all_the_same(
    program: HeardProgram, full: Callable[[str], None]
) -> None:
    """The JSON is printed, says `failed` and 5, and `resume` ends the run once there is room."""
    full("report.json")

    code, out, err = program("export", "inboxes", "--out", "lake", "--json")

    report = json.loads(out)
    assert (code, report["exit_code"], report["status"]) == (5, 5, "failed")
    assert report["counts"]["created"] > 0
    assert "no space left on the disk; make room, then resume" in report["reason"]
    assert report["next_commands"] == [f"bulkgladly resume {report['run']}", "bulkgladly dataset show lake"]
    assert report["reason"] in err


def test_an_export_that_ends_after_the_disk_was_full_is_complete(
    program: HeardProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published before counts; nothing is fetched twice."""
    plain = os.fsync

    def fsync(handle: int) -> None:
        if (Path("lake") / "_manifest").exists() and any(
            path.stat().st_ino == os.fstat(handle).st_ino for path in Path.cwd().rglob(".report.json.partial")
        ):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        plain(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    assert program("export", "inboxes", "--out", "lake", "--json")[0] == 5
    monkeypatch.setattr(os, "fsync", plain)

    code, out, _ = program("resume", "--json")

    assert (code, json.loads(out)["status"]) == (0, "complete")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x"), 5),
        (OSError(errno.EIO, os.strerror(errno.EIO), "x"), 5),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "x"), 2),
        (sqlite3.OperationalError("database or disk is full"), 5),
        (sqlite3.DatabaseError("file is not a database"), 2),
    ],
    ids=str,
)
def test_an_error_of_the_system_is_never_called_a_bug(error: Exception, code: int, program: HeardProgram) -> None:
    """Also one that nobody met in its place."""

    def broken() -> float:
        raise error

    found, _, err = program("import", "customers", "-", "--key", "crm_id", environment=replace(QUICK, clock=broken))

    assert found == code
    assert err.startswith("error: ")
    assert "internal error" not in err


def test_no_room_for_the_hashes_of_a_check_is_a_full_disk(tmp_path: Path) -> None:
    """They are written in mid-check, where many rows are looked at."""
    digests = Digests(tmp_path / "marks", held=10_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DiskFull, match="the hashes of what must be unique"):
            digests.add(1, [256] * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
