"""The sample migration: its files are what their generator writes, and `make migrate` does what it says."""

import asyncio
import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Pace
from bulkgladly.api import default_pacer
from samples.demo import QUICK
from samples.zendesk.make_export import UNTIL, write_export

ROOT = Path(__file__).parents[2]
ZENDESK = ROOT / "samples" / "zendesk"
FILES = ("organizations.ndjson", "users.ndjson", "tickets.ndjson")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(
    scope="module",
    params=["--small --rate 20", pytest.param("--rate 100", marks=pytest.mark.soak)],
    ids=["small", "whole"],
)
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a whole migration, at a rate that leaves time for the kill, and what it printed."""
    folder = tmp_path_factory.mktemp("migration") / "zendesk"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "samples.migrate", *request.param.split(), "--folder", str(folder)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_committed_export_is_what_the_generator_writes(tmp_path: Path) -> None:
    """Whoever changes the generator commits its files, too."""
    write_export(tmp_path, UNTIL)

    assert {name: (tmp_path / name).read_bytes() for name in FILES} == {
        name: (ZENDESK / name).read_bytes() for name in FILES
    }


def test_a_small_export_is_a_part_of_the_whole_one(tmp_path: Path) -> None:
    """With every user and organization that it names."""
    write_export(tmp_path, UNTIL, is_small=True)
    few = {name: read(tmp_path / name) for name in FILES}

    assert all(one in read(ZENDESK / name) for name in FILES for one in few[name])
    assert 10 < len(few["tickets.ndjson"]) < 20
    users = {one["id"] for one in few["users.ndjson"]}
    assert {comment["author_id"] for one in few["tickets.ndjson"] for comment in one["comments"]} <= users
    assert {one["requester_id"] for one in few["tickets.ndjson"]} <= users


def test_the_dates_of_the_export_move_with_its_end(tmp_path: Path) -> None:
    """So the sample does not grow old: there are always times of less and of more than a year ago, none to come."""
    until = UNTIL + dt.timedelta(days=4000)
    write_export(tmp_path, until)

    times = {comment["created_at"][:10] for one in read(tmp_path / "tickets.ndjson") for comment in one["comments"]}
    year_ago = (until - dt.timedelta(days=365)).isoformat()
    assert min(times) < year_ago < max(times) <= until.isoformat()


def test_the_demo_speeds_up_to_a_limit_that_an_import_follows() -> None:
    """Else a newcomer waits for minutes at the pace of Gladly."""
    pacer = default_pacer(Pace(reserve=0))

    pacer.answered(asyncio.run(pacer.token()), status=200, limit=QUICK, remaining=QUICK - 1)

    assert pacer.view().limit == QUICK


@pytest.mark.timeout(180)
def test_the_migration_is_killed_resumed_and_repeated_without_a_twin(migrated: tuple[Path, str]) -> None:
    """Its own comparison of export, reports and emulator came to its end; it fails on any difference."""
    folder, printed = migrated
    reports = [json.loads(path.read_bytes()) for path in sorted(folder.glob(".bulkgladly/runs/*/report.json"))]

    assert "killed with kill -9" in printed
    assert "continues after" in printed
    assert printed.count("each once") == 3
    made = [report["counts"]["created"] for report in reports]
    assert sorted(number > 0 for number in made) == [False] * 4 + [True] * 4
    assert {report["counts"]["unknown"] for report in reports} == {0}


@pytest.mark.timeout(180)
def test_what_cannot_arrive_is_told(migrated: tuple[Path, str]) -> None:
    """The comments of the one ticket whose customer was deleted are rejected, with the reason; no others are."""
    folder, _ = migrated
    [path, *_] = sorted(folder.glob(".bulkgladly/runs/activities-*"))
    rows = [row for row in read(path / "rejected.ndjson") if row["_bulkgladly"]["outcome"] == "rejected"]

    assert {row["_bulkgladly"]["code"] for row in rows} == {"unknown_key"}
    [ticket] = {row["id"]: row for row in rows}.values()
    users = {user["id"]: user for user in read(folder / "users.ndjson")}
    assert users[ticket["requester_id"]]["active"] is False
    assert len(rows) == len(ticket["comments"])


@pytest.mark.timeout(180)
def test_old_and_long_comments_come_through(migrated: tuple[Path, str]) -> None:
    """The timeline shows the parts of a long body, a comment at its time, and one that is too old for that."""
    _, printed = migrated
    timeline = printed.partition("== The timeline")[2]

    assert "(1/2)  [at its time]" in timeline
    assert "(2/2)  [at its time]" in timeline
    assert "[today: too old for its time]" in timeline
