"""A data set is read into an index while others write it, and what a killed process has left does not stay."""

import resource
from pathlib import Path

import orjson
import pytest

from bulkgladly.errors import DiskFull, InputError
from bulkgladly.gladly.spec import Policy
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.imports.baseline import INDEX, Baseline
from bulkgladly.imports.baseline_index import IndexBuilder, IndexedRow, remove_index
from bulkgladly.lake.folder import DataFolder, utc_now
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter

HOST = "https://example.gladly.com"
UNITS = ("one", "two", "three")


def published(lake: Path, version: int) -> None:
    """Publish a customer in each of some units, in place of those that are there."""
    with DataFolder.open(lake, host=HOST, create=True).lock() as folder:
        for unit in UNITS:
            old = folder.manifest("profiles", unit)
            origin = Origin(unit, "test", {"_fetched_at": utc_now()})
            with UnitWriter(folder, DATA_SETS["profiles"], unit, origin) as writer:
                writer.convert([orjson.dumps({"id": unit, "name": f"{unit} {version}"}) + b"\n"])
                writer.commit(replaces=[old] if old is not None else [])


@pytest.mark.parametrize(("changes", "is_read"), [(2, True), (99, False)])
def test_a_data_set_that_changes_while_it_is_read_is_read_again(changes: int, is_read: bool, tmp_path: Path) -> None:
    """What was published at one moment counts; if it changes each time, nothing is written and nothing is left."""
    lake, run = tmp_path / "lake", tmp_path / "run"
    run.mkdir()
    published(lake, 0)
    done = 0

    def change() -> bool:
        nonlocal done
        done += 1
        if done <= changes:
            published(lake, done)
        return False

    if is_read:
        baseline = Baseline.opened(lake, IMPORTS["customers"], Policy(host=HOST), run, is_stopped=change)
        assert baseline.findings.objects == len(UNITS)
        baseline.close()
        assert [path.name for path in run.iterdir()] == [INDEX]
    else:
        with pytest.raises(InputError, match="changed each time it was read; wait until the dump into it has finished"):
            Baseline.opened(lake, IMPORTS["customers"], Policy(host=HOST), run, is_stopped=change)
        assert not list(run.iterdir())


def test_a_part_of_an_index_goes_with_the_index(tmp_path: Path) -> None:
    """It holds what people have entered, and a later session may have had no use for the index."""
    builder = IndexBuilder(tmp_path / INDEX)  # and the process is killed
    assert list(tmp_path.iterdir())

    remove_index(tmp_path / INDEX)

    assert not list(tmp_path.iterdir())
    builder.abandon()


def test_a_limit_of_the_length_of_files_is_told(tmp_path: Path) -> None:
    """SQLite only reports an error of the disk, which would look like damage."""
    builder = IndexBuilder(tmp_path / INDEX)
    rows = [IndexedRow([number], True, 1, number, b'{"id":"c"}' * 500) for number in range(200)]
    builder.add(rows)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(DiskFull, match="raise the limit \\(ulimit -f\\), then resume"):
            builder.finish({})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        builder.abandon()
    assert not list(tmp_path.iterdir())
