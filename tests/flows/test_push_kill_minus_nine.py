"""`dataset push` killed at random moments: whole units at every moment, and at the end what the folder holds."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import orjson
import pytest

from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.mirrors.contents import document_in, is_document
from bulkgladly.mirrors.pull import pull
from bulkgladly.stores.store import Store
from bulkgladly.stores.store_opening import opened_store
from tests.object_stores import MOTO, WEED, environment, moto, weed

KILLS = 50
URL = "s3://lake/gladly"

pytestmark = pytest.mark.soak


@pytest.fixture(params=["moto", "seaweedfs"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty prefix of a real server."""
    server, start = {"moto": (MOTO, moto), "seaweedfs": (WEED, lambda: weed(tmp_path / "weed"))}[request.param]
    if not server.exists():
        pytest.skip(f"{server.name} is not installed (extra `dev`)")
    (tmp_path / "weed").mkdir()
    begin: Callable[[], AbstractContextManager[str]] = start
    with begin() as endpoint:
        for name, value in environment(endpoint).items():
            monkeypatch.setenv(name, value)
        yield opened_store(URL)


def publish(folder: DataFolder, unit: str, rows: int, *, replaces: list[str]) -> None:
    with UnitWriter(folder, DATA_SETS["agents"], unit, Origin(unit, "agents.jsonl")) as writer:
        writer.convert([orjson.dumps({"id": f"{unit}-{at}", "name": "x" * 50}) + b"\n" for at in range(rows)])
        olds = [old for name in replaces if (old := folder.manifest("agents", name)) is not None]
        writer.commit(replaces=olds)


def published(store: Store) -> dict[str, int]:
    """The files that manifests name, all of which are there and whole, with their sizes."""
    there = {one.key: one for one in store.list()}
    found = {}
    for key in filter(is_document, there):
        content = store.read(key)
        assert content is not None
        for file in document_in(key, content[0], store.name).files:
            assert there[file.path].size == file.bytes
            found[file.path] = file.bytes
    return found


@pytest.mark.timeout(900)
def test_a_push_that_is_killed_again_and_again(store: Store, tmp_path: Path) -> None:
    """Units come, are replaced and are merged meanwhile, as nights do it."""
    command = [sys.executable, "-m", "bulkgladly", "dataset", "push", str(tmp_path / "lake"), URL]
    dice = random.Random(7)  # noqa: S311
    with DataFolder.open(tmp_path / "lake", host="h", create=True).lock() as folder:
        for night in range(KILLS):
            publish(folder, f"night-{night:02}", 20, replaces=[])
            if night % 10 == 9:
                publish(
                    folder, f"tens-{night}", 200, replaces=[f"night-{one:02}" for one in range(night - 9, night + 1)]
                )
            with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ)) as process:
                time.sleep(dice.uniform(0.2, 1.5))
                process.kill()
            published(store)
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    pull(store, tmp_path / "back")
    names = {
        path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back" / "agents").rglob("*.parquet")
    }
    assert set(published(store)) == names
    orphans = {one.key for one in store.list()} - set(published(store))
    assert not [key for key in orphans if key.endswith(".parquet")]
    assert len(names) == KILLS // 10
