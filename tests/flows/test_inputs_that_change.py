"""What happens to the input while it is read: a run never says that it is complete when it cannot know."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkgladly import Observer, Pace, Report
from tests.flows.conftest import World, people, person
from tests.flows.quickly import resume_import, start_import

ROWS = 60
SLOW = Pace(unlimited=True, concurrency=2)


class Meddler(Observer):
    """Does something to the input when the first records are done."""

    interval_s = 0.001

    def __init__(self, act: Callable[[], object]) -> None:
        self._act: Callable[[], object] | None = act

    def tick(self, view: Any) -> None:
        if self._act is not None and view.done >= 3:
            act, self._act = self._act, None
            act()


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"".join(orjson.dumps(person(number)) + b"\n" for number in range(ROWS, ROWS + 50)))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def overwrite(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-40:-30] = b"x" * 10
    with path.open("r+b") as file:
        file.write(content)


def replace_it(path: Path) -> None:
    other = path.with_suffix(".other")
    other.write_bytes(b"".join(orjson.dumps(person(number)) + b"\n" for number in range(200, 210)))
    other.replace(path)


def leftovers(report: Report) -> list[Path]:
    """Files that were begun and not finished."""
    return list(Path(report.folder).glob(".*.partial"))


async def meddled(world: World, act: Callable[[Path], object], path: Path) -> Report:
    options = world.choose({"pace": SLOW})
    return await start_import("customers", [path], world.credentials, options, observer=Meddler(lambda: act(path)))


@pytest.mark.parametrize("act", [append, truncate, overwrite, replace_it])
async def test_an_import_whose_input_changed_is_not_complete(act: Callable[[Path], None], world: World) -> None:
    """Exit 2, with the file's name; what was imported is kept, and a resume can go on."""
    path = world.ndjson(people(ROWS))

    report = await meddled(world, act, path)
    left = leftovers(report)
    resumed = await resume_import(world.last_run(), world.credentials, accept_changed_input=True)

    assert (report.exit_code, report.status) == (2, "failed")
    assert f"{path} was changed while it was read" in (report.reason or "")
    assert report.next_commands[0].startswith("bulkgladly resume")
    assert not left
    if act in (append, overwrite):
        assert (resumed.status, resumed.counts["created"]) == ("complete", ROWS + 50 * (act is append))
    else:
        # Fewer rows than outcomes: the sum cannot hold, whoever accepts the file.
        assert (resumed.status, resumed.exit_code, resumed.adds_up) == ("failed", 2, False)
        assert "not the input that the run began with" in (resumed.reason or "")


@pytest.mark.parametrize("name", ["c.ndjson", "c.ndjson.gz", "c.parquet"])
async def test_an_import_whose_input_was_deleted_tells_what_was_done(name: str, world: World) -> None:
    """There is a report that adds up, and with the file put back a resume ends it."""
    path = world.folder / name
    rows = people(ROWS)
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=10)
    else:
        content = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    shutil.copy2(path, world.folder / "kept")

    report = await meddled(world, Path.unlink, path)
    shutil.copy2(world.folder / "kept", path)
    resumed = await world.resume()

    assert (report.exit_code, report.status) == (2, "failed")
    assert f"{path} was removed while it was read" in (report.reason or "")
    assert report.adds_up
    assert report.counts["read"] == ROWS
    assert not leftovers(report)
    assert (resumed.exit_code, resumed.status, resumed.counts["created"]) == (0, "complete", ROWS)


async def test_a_file_that_was_only_touched_is_the_same(world: World) -> None:
    """The content counts, not the time."""
    report = await meddled(world, Path.touch, world.ndjson(people(ROWS)))

    assert (report.exit_code, report.status, report.counts["created"]) == (0, "complete", ROWS)
