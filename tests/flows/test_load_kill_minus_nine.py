"""`kill -9` at random moments of a load: what is there is whole units, and at the end every row once."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.loading import LakeOfTest, item
from tests.postgresql_server import running_postgresql

UNITS, ROWS = 12, 400


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LakeOfTest]:
    """A folder with many units, and an empty database."""
    lake = LakeOfTest(tmp_path / "lake", f"{request.param}:///{tmp_path}/loaded.db")
    for unit in range(UNITS):
        lake.publish("items", f"job{unit:02}", [item(unit * ROWS + row) for row in range(ROWS)])
    if request.param == "postgresql":
        with running_postgresql() as lake.url:
            yield lake
    else:
        yield lake


def start(lake: LakeOfTest) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bulkgladly", "dataset", "load", str(lake.top), lake.url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_load_killed_twenty_times(loaded: LakeOfTest) -> None:
    """Each row is there once; a load that is not killed often enough starts again with a night that replaces all."""
    chance = random.Random(7)  # noqa: S311 - a repeatable draw is the point
    longest, killed, night = 3.0, 0, 0
    while killed < 20:
        process = start(loaded)
        try:
            process.wait(chance.random() * longest)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            continue
        assert process.returncode == 0, process.communicate()[1]
        process.communicate()
        loaded.check()
        night += 1
        longest *= 0.8
        for unit in range(UNITS):
            rows = [item(unit * ROWS + row, body=f"night {night}") for row in range(ROWS)]
            loaded.publish("items", f"job{unit:02}", rows, replaces=[f"job{unit:02}"], night=night)

    process = start(loaded)
    assert process.communicate()[1]
    assert process.returncode == 0
    loaded.check()
    assert loaded.query("SELECT count(*), count(DISTINCT id) FROM {items_all}") == [(UNITS * ROWS, UNITS * ROWS)]
