"""The top folder: whose it is, who writes, what is published, and what is cleared away."""

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.rows import Drift, DriftKind, Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter

HOST = "https://sample.gladly.example.org"
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
AGENTS = DATA_SETS["agents"]


def opened(path: Path, host: str | None = HOST) -> DataFolder:
    return DataFolder.open(path, host=host, create=True, now=lambda: NOON)


def published(
    folder: DataFolder, unit: str, ids: Iterable[str] = "ab", *, name: str = "agents", replaces: Any = (), **about: Any
) -> Manifest:
    writer = UnitWriter(folder, DATA_SETS[name], unit, Origin(unit, f"{name}.jsonl"))
    writer.convert(orjson.dumps({"id": each, "name": f"Sample {each}"}) + b"\n" for each in ids)
    return writer.commit(replaces=replaces, **about)


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_a_folder_says_whose_it_is(tmp_path: Path) -> None:
    """The marker is written when the folder is made, and read whenever it is opened."""
    made = opened(tmp_path / "new" / "data")

    marker = orjson.loads((made.path / "_bulkgladly.json").read_bytes())
    assert (marker["format"], marker["host"], marker["created_at"]) == (1, HOST, "2026-11-23T12:00:00Z")
    assert DataFolder.open(made.path).host == HOST
    assert files_in(made.path) == ["_bulkgladly.json"]


def test_the_data_of_another_organisation_is_refused(tmp_path: Path) -> None:
    """With both names."""
    opened(tmp_path)

    with pytest.raises(UsageError, match=f"data of {HOST}, not of https://other.example.org; choose another folder"):
        opened(tmp_path, "https://other.example.org")


def test_a_folder_without_an_organisation_belongs_to_the_first_that_writes(tmp_path: Path) -> None:
    """Also when two have opened it before."""
    opened(tmp_path, None)
    one, other = opened(tmp_path, HOST), opened(tmp_path, "https://other.example.org")

    with one.lock():
        pass

    assert DataFolder.open(tmp_path).host == HOST
    with pytest.raises(UsageError, match="data of"):
        other.lock()
    with one.lock():
        pass


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_of_others_is_refused(tmp_path: Path, create: bool) -> None:
    """Nothing is written into it, and the message names what it holds."""
    (tmp_path / "thesis.txt").touch()

    with pytest.raises(UsageError, match=r"thesis\.txt|to create one"):
        DataFolder.open(tmp_path, host=HOST, create=create)

    assert files_in(tmp_path) == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """And a folder that cannot be created is reported with its path."""
    (tmp_path / "file").touch()

    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(UsageError, match=str(path)):
            opened(path)


def test_a_folder_whose_making_was_cut_is_made_again(tmp_path: Path) -> None:
    """What is left then is the marker's hidden name at most."""
    (tmp_path / "._bulkgladly.json.partial").write_bytes(b'{"fo')

    with opened(tmp_path).lock() as folder:
        folder.recover()

    assert files_in(tmp_path) == ["_bulkgladly.json", "_lock"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b'{"format": 2, "place": 1}', "newer version"),
        (b"{", "damaged"),
        (b'{"format": 1, "host": 5, "created_at": "x", "version": "1"}', "host"),
        (b'{"format": 1, "host": null, "created_at": "2026-11-23T12:00:00", "version": "1"}', "zone"),
        (b'{"format": 1, "host": null, "created_at": "2026-11-23T12:00:00Z", "version": "1", "x": 1}', "x"),
    ],
)
def test_a_marker_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, part: str) -> None:
    """Of a newer version, damaged, or with something unknown in it."""
    (tmp_path / "_bulkgladly.json").write_bytes(content)

    with pytest.raises(UsageError, match=part):
        DataFolder.open(tmp_path)


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    """The second learns which process it waits for, and can write after the first."""
    folder = opened(tmp_path)

    with folder.lock(), pytest.raises(UsageError, match=f"process {os.getpid()}"):
        opened(tmp_path).lock()
    with opened(tmp_path).lock() as other:
        assert (folder.is_in_use(), other.is_in_use()) == (True, False)
        other.close()
    assert not folder.is_in_use()


HOLD = """
import sys
from pathlib import Path
from bulkgladly.lake.folder import DataFolder
DataFolder.open(Path(sys.argv[1])).lock()
print("locked", flush=True)
sys.stdin.read()
"""


def test_the_lock_of_another_process_counts_and_dies_with_it(tmp_path: Path) -> None:
    """After `kill -9` the folder is free at once."""
    folder = opened(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"

        with pytest.raises(UsageError, match=f"process {child.pid}"):
            folder.lock()
        child.kill()
        child.wait()
        with folder.lock():
            pass


def test_nothing_is_written_without_the_lock(tmp_path: Path) -> None:
    """That is a mistake of the caller."""
    folder = opened(tmp_path)
    with folder.lock():
        manifest = published(folder, "u")

    for write in (
        folder.recover,
        lambda: folder.commit(manifest),
        lambda: folder.remember("agents", "x", {}),
        lambda: folder.settle("agents", "u"),
    ):
        with pytest.raises(RuntimeError, match="lock"):
            write()


def test_manifests_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Every field, by unit and in the order of units."""
    covered = (NOON - dt.timedelta(days=1), NOON)
    with opened(tmp_path).lock() as folder:
        late = published(folder, "b", covered=covered, about={"job": {"status": "COMPLETED"}}, incomplete="cut at 5")
        early = published(folder, "a", "")
        other = published(folder, "t", name="topics")
        drifted = UnitWriter(folder, AGENTS, "c", Origin("c", "f", {"_job_updated_at": NOON}))
        drifted.convert([b'{"id":"a","new":1}\n\nnonsense\n{"id":7}'])
        third = drifted.commit()

    reader = DataFolder.open(tmp_path)
    assert reader.data_sets() == ["agents", "topics"]
    assert reader.manifests("agents") == [early, late, third]
    assert reader.manifest("topics", "t") == other
    assert reader.manifest("topics", "a") is None
    assert reader.manifests("events") == []
    assert (late.covered, late.incomplete, late.written_at, late.host) == (covered, "cut at 5", NOON, HOST)
    assert late.source == {"stem": "b", "file": "agents.jsonl", "job": {"status": "COMPLETED"}}
    assert third.source["_job_updated_at"] == "2026-11-23T12:00:00Z"
    assert (third.lines, third.rows, third.rejected, third.blank) == (4, 2, 1, 1)
    assert third.drift == (Drift("id", DriftKind.MISFIT, 1, 4), Drift("new", DriftKind.UNKNOWN_FIELD, 1, 1))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"format": 3}, "newer version"),
        ({"rows": "2"}, "rows"),
        ({"rows": -1}, "negative"),
        ({"more": 1}, "more"),
        ({"unit": None}, "unit"),
        ({"parts": [{}]}, r"parts\[0\] has no path"),
        ({"covered": ["2026-11-23T12:00:00Z"]}, "pair"),
        ({"covered": ["2026-11-23T12:00:00", "2026-11-24T12:00:00"]}, "zone"),
        ({"drift": [{"path": "x", "kind": "odd", "count": 1, "first_line": 1}]}, "odd"),
        ({"unit": "other"}, "changed after it was written"),
        ({"data_set": "topics"}, "changed after it was written"),
        ({"rows": 7}, "changed after it was written"),
        ({"sequence": 7}, "changed after it was written"),
        ({"digest": None}, "digest"),
        ({"format": 1}, "digest"),
    ],
)
def test_a_manifest_that_was_changed_is_refused(tmp_path: Path, change: dict[str, Any], part: str) -> None:
    """With its path and a fix."""
    with opened(tmp_path).lock() as folder:
        published(folder, "u")
        path = tmp_path / "_manifest" / "agents" / "u.json"
        path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **change}))

        with pytest.raises(UsageError, match=part) as caught:
            folder.manifest("agents", "u")

        assert str(path) in str(caught.value)


def test_notes_are_remembered_beside_the_manifests(tmp_path: Path) -> None:
    """And never read as one, for all names of both."""
    with opened(tmp_path).lock() as folder:
        unit = published(folder, "_columns")
        folder.remember("agents", "columns", {"a": "text"})
        folder.remember("agents", "columns", {"a": "number"})

    assert DataFolder.open(tmp_path).remembered("agents", "columns") == {"a": "number"}
    assert folder.remembered("agents", "other") is None
    assert folder.manifests("agents") == [unit]
    (tmp_path / "_manifest" / "agents" / "_columns.json").write_bytes(b"[]")
    with pytest.raises(InputError, match="damaged"):
        folder.remembered("agents", "columns")


def test_a_replaced_unit_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its files go, the new ones have names of their own, and units may take over others."""
    with opened(tmp_path).lock() as folder:
        old = [published(folder, "a"), published(folder, "b", "xyz")]
        new = published(folder, "a", "abxyz", replaces=old)
        newer = published(folder, "a", "a", replaces=[new])
        left = folder.recover()

    assert (new.generation, newer.generation) == (2, 3)
    assert files_in(tmp_path) == ["_bulkgladly.json", "_lock", "_manifest/agents/a.json", "agents/a~3-0001.parquet"]
    assert (left.published, left.removed) == ((), ())


def test_a_unit_is_not_replaced_by_accident(tmp_path: Path) -> None:
    """It must be named, and a file of another unit is never overwritten."""
    with opened(tmp_path).lock() as folder:
        published(folder, "a")
        again = UnitWriter(folder, AGENTS, "a", Origin("a", "f"))
        same_stem = UnitWriter(folder, AGENTS, "b", Origin("a", "f"))
        for writer, why in ((again, "published already"), (same_stem, "another unit")):
            writer.convert([b'{"id":"z"}'])
            with pytest.raises(UsageError, match=why):
                writer.commit()
            writer.abandon()

    assert files_in(tmp_path) == ["_bulkgladly.json", "_lock", "_manifest/agents/a.json", "agents/a-0001.parquet"]
    assert pq.read_table(tmp_path / "agents").column("id").to_pylist() == ["a", "b"]


def test_a_unit_is_not_replaced_by_one_who_has_seen_an_older_one(tmp_path: Path) -> None:
    """Two writers with the same unit in mind: the second would leave files that no manifest names."""
    with opened(tmp_path).lock() as folder:
        seen = published(folder, "a")
        newer = published(folder, "a", "xy", replaces=[seen])
        late = UnitWriter(folder, AGENTS, "a", Origin("a", "f"))
        late.convert([b'{"id":"z"}'])
        with pytest.raises(UsageError, match="published already"):
            late.commit(replaces=[seen])
        late.abandon()

        assert folder.manifests("agents") == [newer]
    assert pq.read_table(tmp_path / "agents").column("id").to_pylist() == ["x", "y"]


def test_numbers_that_do_not_add_up_are_not_published(tmp_path: Path) -> None:
    """A mistake of the caller, found before anything is decided."""
    with opened(tmp_path).lock() as folder:
        manifest = published(folder, "a")

        with pytest.raises(ValueError, match="add up"):
            folder.commit(replace(manifest, rows=1), replaces=[manifest])

    assert folder.manifests("agents") == [manifest]


@pytest.mark.parametrize("name", ["../../out", "/etc/passwd", "..", ".", "_x", "a/b", "\0", "x" * 5000, "é\n"])
def test_hostile_names_stay_inside(tmp_path: Path, name: str) -> None:
    """Names of units are made into names of files below the folder, and come back as they were."""
    with opened(tmp_path / "data").lock() as folder:
        folder.recover()
        writer = UnitWriter(folder, AGENTS, name, Origin(name, "f"), keep_raw=True)
        writer.convert([b'{"id":"a"}\nx'])
        published_unit = writer.commit()

    inside = files_in(tmp_path / "data")
    assert len(inside) == 6
    assert files_in(tmp_path) == [f"data/{name}" for name in inside]
    assert folder.manifests("agents") == [published_unit]
    assert folder.manifest("agents", published_unit.unit) == published_unit


@pytest.mark.parametrize("name", ["", "current", "current/x", "media", "a//b", "/a", "x" * 101])
def test_impossible_names_of_data_sets_are_refused(tmp_path: Path, name: str) -> None:
    """Before anything is made."""
    with opened(tmp_path).lock() as folder, pytest.raises(UsageError, match="cannot be the name"):
        folder.prepare(name)

    assert files_in(tmp_path) == ["_bulkgladly.json", "_lock"]


def test_data_sets_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    """A slash in the name parts folders; a dot in it does not lead out."""
    with opened(tmp_path / "data").lock() as folder:
        for name in ("reports/Contact Summary", "reports/../x", ".."):
            writer = UnitWriter(folder, replace(AGENTS, name=name), "u", Origin("u", "f"))
            writer.convert([b'{"id":"a"}'])
            writer.commit()
        folder.recover()

    assert folder.data_sets() == ["..", "reports/../x", "reports/Contact Summary"]
    assert sorted(path.parent.name for path in (tmp_path / "data").rglob("*.parquet")) == [
        "%2E.",
        "Contact%20Summary",
        "x",
    ]


def plant(path: Path, content: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_recovery_removes_what_kills_leave_and_nothing_else(tmp_path: Path) -> None:
    """Only files that could be ours, in data sets of ours, that no manifest names."""
    with opened(tmp_path).lock() as folder:
        published(folder, "a", name="items")
        part = next((tmp_path / "items").rglob("*.parquet"))
        kept = [
            "items/README.md",
            "items/my.parquet",
            "notes/x-0001.parquet",
            "items/foreign-0001.parquet",
            ".x.partial",
        ]
        for name in kept[:3] + kept[4:]:
            plant(tmp_path / name)
        pq.write_table(pa.table({"a": [1]}), tmp_path / kept[3])
        left = [
            "items/type=SMS/date=2026-01-01/.u-0001.parquet.partial",
            "items/type=SMS/date=2026-01-01/u-0001.ndjson.zst",
            "items/b~2-0001.csv",
            "items/copy-0001.parquet",
            "_manifest/items/.u.json.partial",
            "_rejects/items/u.ndjson",
            "_raw/items/.u.jsonl.zst.partial",
        ]
        for name in left:
            plant(tmp_path / name)
        (tmp_path / left[3]).write_bytes(part.read_bytes())
        (tmp_path / ".compact-1" / "made").mkdir(parents=True)

        recovered = folder.recover()

        assert folder.recover().removed == ()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in recovered.removed) == sorted([*left, ".compact-1"])
    assert set(files_in(tmp_path)) == {
        *kept,
        "_bulkgladly.json",
        "_lock",
        "_manifest/items/a.json",
        part.relative_to(tmp_path).as_posix(),
    }
    assert not (tmp_path / "items" / "type=SMS").exists()


def test_nothing_is_removed_while_a_manifest_cannot_be_read(tmp_path: Path) -> None:
    """Else its parts would be taken for leftovers."""
    with opened(tmp_path).lock() as folder:
        published(folder, "a")
        (tmp_path / "_manifest" / "agents" / "a.json").write_bytes(b"{")

        with pytest.raises(InputError, match="export"):
            folder.recover()

    assert (tmp_path / "agents" / "a-0001.parquet").exists()


@pytest.mark.parametrize("place", ["agents", "_manifest/agents", "_rejects/agents", "_raw", ".compact-7", "current"])
def test_links_are_not_followed(tmp_path: Path, place: str) -> None:
    """A link in place of a folder of ours changes nothing outside, wherever it leads."""
    outside = tmp_path / "outside"
    for name in ("x-0001.ndjson", ".x-0001.parquet.partial", "agents/u.ndjson", ".agents.new/part-0001.parquet"):
        plant(outside / name)
    with opened(tmp_path / "data").lock() as folder:
        folder.prepare("agents")
        (tmp_path / "data" / "_rejects").mkdir()
        link = tmp_path / "data" / place
        if link.is_dir():
            link.rmdir()
        link.symlink_to(outside, target_is_directory=True)

        folder.recover()

    assert len(files_in(outside)) == 4


@pytest.mark.parametrize("place", ["agents", "_manifest/agents", "_rejects/agents", "_raw"])
def test_nothing_is_written_through_a_link(tmp_path: Path, place: str) -> None:
    """It is refused with its path, and what is published stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with opened(tmp_path / "data").lock() as folder:
        link = tmp_path / "data" / place
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(outside, target_is_directory=True)

        with pytest.raises(InputError, match=f"{link} is a link"):
            written_with_all_files(folder)

    assert files_in(outside) == []


def written_with_all_files(folder: DataFolder) -> None:
    writer = UnitWriter(folder, AGENTS, "u", Origin("u", "f"), keep_raw=True)
    writer.convert([b'{"id":"a"}\nx'])
    writer.commit()


def test_a_link_in_the_place_of_a_leftover_goes_alone(tmp_path: Path) -> None:
    """What it leads to stays."""
    target = tmp_path / "outside.ndjson"
    plant(target)
    with opened(tmp_path / "data").lock() as folder:
        folder.prepare("agents")
        (tmp_path / "data" / "agents").mkdir()
        (tmp_path / "data" / "agents" / "u-0001.parquet").symlink_to(target)
        folder.recover()

    assert target.exists()
    assert files_in(tmp_path / "data") == ["_bulkgladly.json", "_lock"]


def test_a_manifest_cannot_have_files_outside_removed(tmp_path: Path) -> None:
    """Not even one that was written by hand."""
    victim = tmp_path / "victim"
    victim.touch()
    with opened(tmp_path / "data").lock() as folder:
        old = published(folder, "a")
        hostile = replace(old, parts=(replace(old.parts[0], path="../../victim"),))

        with pytest.raises(InputError, match="not a valid name of a file below"):
            published(folder, "a", replaces=[hostile])

    assert victim.exists()
