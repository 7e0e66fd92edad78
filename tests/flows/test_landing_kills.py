"""Killed at any step, a follower that is started again has each event once, each reject once, and covers no more."""

import base64
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.summaries import coverage_of
from bulkgladly.lake.verify import verify
from tests.dying import Mortals
from tests.flows.landing_program import EVENTS, GAP, REJECTS, SPANS
from tests.flows.test_kill_everywhere import refuse, spread
from tests.folders import in_memory

PROGRAM = "tests.flows.landing_program"


def check(lake: Path) -> None:
    """What must be true at the end."""
    folder = DataFolder.open(lake)
    assert [one for one in verify(folder, deep=True).findings if one.kind != "gap"] == []
    ids = [str(each) for path in (lake / "events").rglob("*.parquet") for each in pq.read_table(path)["id"].to_pylist()]
    assert sorted(ids) == EVENTS
    assert sorted(rejected(lake)) == REJECTS
    manifests = folder.manifests("events")
    assert coverage_of(one.covered for one in manifests if one.covered).spans == SPANS
    assert [one.source["gap"] for one in manifests if "gap" in one.source] == [[time.isoformat() for time in GAP]]


def rejected(lake: Path) -> list[bytes]:
    lines = [line for path in (lake / "_rejects").rglob("*.ndjson") for line in path.read_bytes().splitlines()]
    found = map(orjson.loads, lines)
    return [base64.b64decode(one["raw_base64"]) if "raw_base64" in one else one["raw"].encode() for one in found]


def wrong_after(mortals: Mortals, at: int) -> str | None:
    """Kill before a step, start again, and say what is wrong then."""
    with in_memory() as folder:
        home = {"HOME": str(folder)}
        killed = mortals.run(environment=home, folder=folder, at=at, program=PROGRAM)
        try:
            assert killed.is_killed, killed
            again = mortals.run(environment=home, folder=folder, program=PROGRAM)
            assert again.status == 0, again
            check(folder / "lake")
        except (AssertionError, ValueError, OSError) as exc:
            return f"{at}, {killed.last}: {' '.join(str(exc).split())[:600]}"
    return None


def steps(mortals: Mortals) -> int:
    """Let it live, and count its steps."""
    with in_memory() as folder:
        end = mortals.run(environment={"HOME": str(folder)}, folder=folder, program=PROGRAM)
        assert end.status == 0, end
        check(folder / "lake")
        return end.steps


@pytest.mark.timeout(120)
def test_started_again_after_a_kill_at_some_steps(mortals: Mortals) -> None:
    """Evenly spread over all there are."""
    refuse([wrong for at in spread(steps(mortals), 5) if (wrong := wrong_after(mortals, at)) is not None])


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_started_again_after_a_kill_at_every_step(mortals: Mortals) -> None:
    """All of them, one by one."""
    numbers = range(1, steps(mortals) + 1)
    refuse([wrong for at in numbers if (wrong := wrong_after(mortals, at)) is not None])
