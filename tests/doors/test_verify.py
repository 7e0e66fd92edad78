"""What is wrong with a data folder is found and reported with its place and the fix."""

import datetime as dt
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkgladly.errors import UsageError
from bulkgladly.lake.findings import FindingKind, FolderFinding
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest, Span
from bulkgladly.lake.part_writer import PartOptions
from bulkgladly.lake.rows import DriftKind, Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.summaries import drift_summaries, summaries_of
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SAMPLE = b'{"id":"a","timestamp":"2026-11-22T10:00:00Z","content":{"type":"SMS"}}\n'


def days(first: int, last: int) -> Span:
    return dt.datetime(2026, 11, first, tzinfo=dt.UTC), dt.datetime(2026, 11, last, tzinfo=dt.UTC)


def publish(
    folder: DataFolder, unit: str, lines: bytes = SAMPLE, *, name: str = "items", how: str = "parquet", **about: Any
) -> Manifest:
    writer = UnitWriter(
        folder, DATA_SETS[name], unit, Origin(unit, "f"), PartOptions(format=how, compression="none"), keep_raw=True
    )
    writer.convert([lines])
    return writer.commit(**about)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A folder with two sound units, one in Parquet and one in NDJSON; the caller does not hold the lock."""
    with DataFolder.open(tmp_path / "data", host="h", create=True, now=lambda: NOON).lock() as made:
        publish(made, "a", SAMPLE + b"no row\n", covered=days(20, 21))
        publish(made, "b", how="ndjson", covered=days(21, 22))
    return made


PART = "items/type=SMS/date=2026-11-22/a-0001.parquet"
TEXT = "items/type=SMS/date=2026-11-22/b-0001.ndjson"


def found_in(folder: DataFolder, *, deep: bool = False) -> list[tuple[str, str | None]]:
    return [(finding.kind.value, finding.path) for finding in verify(folder, deep=deep).findings]


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_folder_has_no_findings(folder: DataFolder, deep: bool) -> None:
    """Rejects are counted, and are not findings."""
    verification = verify(folder, deep=deep)

    assert verification.is_sound
    assert (verification.is_deep, verification.is_in_use) == (deep, False)
    (summary,) = verification.data_sets
    assert (summary.data_set, summary.units, summary.rows, summary.parts, summary.rejected) == ("items", 2, 2, 2, 1)
    assert summary.coverage.spans == (days(20, 22),)
    assert list(verification.data_sets) == summaries_of(folder)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8] ^= 1
    path.write_bytes(content)


def link(path: Path) -> None:
    target = path.rename(path.parents[3] / "elsewhere")
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("name", "damage", "kind", "is_quick"),
    [
        (PART, Path.unlink, "missing", True),
        (PART, link, "missing", True),
        (PART, cut, "size", True),
        (PART, flip, "hash", False),
        (TEXT, Path.unlink, "missing", True),
        (TEXT, flip, "hash", False),
        ("_rejects/items/a.ndjson", cut, "size", True),
        ("_raw/items/a.jsonl.zst", flip, "hash", False),
        ("_raw/items/b.jsonl.zst", Path.unlink, "missing", True),
    ],
)
def test_each_damage_is_found(
    folder: DataFolder, name: str, damage: Callable[[Path], None], kind: str, is_quick: bool
) -> None:
    """Other bytes of the same number by a deep look only."""
    damage(folder.path / name)

    assert found_in(folder, deep=True) == [(kind, name)]
    assert found_in(folder) == ([(kind, name)] if is_quick else [])


def forged(folder: DataFolder, unit: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest as older versions wrote it, which has no digest of itself."""
    path = folder.path / "_manifest" / "items" / f"{unit}.json"
    content = {**orjson.loads(path.read_bytes()), "format": 1}
    del content["digest"], content["sequence"]
    change(content)
    path.write_bytes(orjson.dumps(content))


def size_and_rows(path: Path) -> Callable[[dict[str, Any]], object]:
    def change(content: dict[str, Any]) -> None:
        content["parts"][0]["bytes"] = path.stat().st_size

    return change


def test_other_rows_and_columns_are_found(folder: DataFolder) -> None:
    """Also where the size is right."""
    table = pq.read_table(folder.path / PART, partitioning=None)
    strange = table.drop_columns(["subject"]).append_column("mine", pa.array([1]))
    pq.write_table(pa.concat_tables([strange, strange]), folder.path / PART)
    forged(folder, "a", size_and_rows(folder.path / PART))

    findings = [finding for finding in verify(folder).findings if finding.path == PART]

    assert [(one.kind.value, one.detail) for one in findings] == [
        ("rows", "has 2 rows, not 1"),
        ("schema", "has other columns than declared: mine, subject"),
    ]
    assert all(one.unit == "a" and "export again" in one.way_out for one in findings)


def test_a_file_that_is_no_parquet_is_found(folder: DataFolder) -> None:
    """Though it has the size."""
    path = folder.path / PART
    path.write_bytes(b"x" * path.stat().st_size)

    assert found_in(folder) == [("rows", PART)]


def test_text_parts_are_counted_by_a_deep_look(folder: DataFolder) -> None:
    """Hash and rows are two things."""
    forged(folder, "b", lambda content: content["parts"][0].update(rows=2))

    assert ("rows", TEXT) in found_in(folder, deep=True)
    assert found_in(folder) == [("counts", None)]


def test_damaged_manifests_are_found_and_the_others_looked_at(folder: DataFolder) -> None:
    """Files of the unit are not told as leftovers then."""
    (folder.path / "_manifest" / "items" / "a.json").write_bytes(b"{")
    (folder.path / TEXT).unlink()

    assert sorted(found_in(folder), key=str) == [("damaged_manifest", "_manifest/items/a.json"), ("missing", TEXT)]


def test_a_manifest_of_a_newer_version_ends_it(folder: DataFolder) -> None:
    """What is in it cannot be judged."""
    forged(folder, "a", lambda content: content.update(format=3))

    with pytest.raises(UsageError, match="newer"):
        verify(folder)


def test_manifests_that_point_outside_are_found(folder: DataFolder) -> None:
    """And nothing there is opened."""
    forged(folder, "a", lambda content: content["parts"][0].update(path="../../../etc/hosts"))

    kinds = {kind for kind, _ in found_in(folder, deep=True)}

    assert kinds == {"missing", "unnamed"}


def test_leftovers_gaps_and_incomplete_units_are_found(folder: DataFolder) -> None:
    """Each with its fix."""
    with folder.lock():
        publish(folder, "c", covered=days(25, 26), incomplete="400 of 900 rows")
    leftover = folder.path / "items" / "x-0001.ndjson"
    leftover.touch()

    assert list(verify(folder).findings) == [
        FolderFinding(
            FindingKind.INCOMPLETE, "items", "c", None, "400 of 900 rows", "export it again in smaller pieces"
        ),
        FolderFinding(
            FindingKind.GAP,
            "items",
            None,
            None,
            "nothing covers the time from 2026-11-22T00:00:00Z to 2026-11-25T00:00:00Z",
            "export this period with --since and --until, while Gladly still has it",
        ),
        FolderFinding(
            FindingKind.UNNAMED,
            "items",
            None,
            "items/x-0001.ndjson",
            "no manifest names it",
            "the next export or compact removes it; until then readers of the whole folder count its rows",
        ),
    ]


def test_files_of_others_among_the_parts_are_found_and_kept(folder: DataFolder) -> None:
    """They would be read as rows, or make readers fail; a damaged one may be anybody's."""
    pq.write_table(pa.table({"a": [1]}), folder.path / "items" / "other-0001.parquet")
    damaged = folder.path / "items" / "x-0001.parquet"
    damaged.write_bytes((folder.path / PART).read_bytes()[:-5])
    (folder.path / "items" / "mine.csv.gz").touch()
    (folder.path / "items" / "README.md").touch()
    expected = [
        ("foreign", "items/README.md"),
        ("foreign", "items/mine.csv.gz"),
        ("foreign", "items/other-0001.parquet"),
        ("foreign", "items/x-0001.parquet"),
    ]

    before = found_in(folder)
    with folder.lock():
        folder.recover()

    assert before == expected
    assert found_in(folder) == expected


def failing_for_parts(old: Path, new: Path, rename: Callable[[Path, Path], None] = os.replace) -> None:
    if new.suffix == ".parquet":
        raise OSError("gone")
    rename(old, new)


def test_rows_that_nothing_vouches_for_are_found(folder: DataFolder) -> None:
    """Without any manifest there is no data set, even if files lie in its folder."""
    shutil.rmtree(folder.path / "_manifest")

    found = found_in(folder)

    assert ("unnamed", PART) in found
    assert ("unnamed", TEXT) in found


def test_a_cut_commit_is_one_finding(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one for each file that is being written, and none while a writer is at work."""
    with folder.lock():
        old = folder.manifests("items")
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", failing_for_parts)
            with pytest.raises(OSError, match="gone"):
                publish(folder, "a", replaces=old)
        during = verify(DataFolder.open(folder.path))

    assert (during.is_sound, during.is_in_use) == (True, True)
    assert found_in(folder) == [("unfinished", "_manifest/items/a.json.next")]
    with folder.lock():
        folder.recover()
    assert verify(folder, deep=True).is_sound


def test_the_summary_tells_of_all_units(folder: DataFolder) -> None:
    """Of each data set, by name."""
    with folder.lock():
        publish(folder, "x", b'{"id":"a","new":1}\n{"id":"b","new":1,"name":5}\n', name="agents")
        publish(folder, "y", b'{"id":"a","new":1}\n', name="agents", covered=days(1, 2), incomplete="cut")

    agents, items = summaries_of(folder)

    assert (agents.data_set, items.data_set) == ("agents", "items")
    assert (agents.units, agents.rows, agents.drift, agents.incomplete) == (2, 3, 4, 1)
    assert (agents.schema_versions, agents.last_written_at) == ((1,), NOON)
    assert agents.bytes == sum(path.stat().st_size for path in (folder.path / "agents").iterdir())
    assert (agents.coverage.since, agents.coverage.until) == days(1, 2)


def test_drift_is_told_since_its_first_unit(folder: DataFolder) -> None:
    """By the time that the units cover, not by their names or when they were written."""
    with folder.lock():
        publish(folder, "z", b'{"id":"a","new":1}\n{"id":"b","new":2}\n', name="agents", covered=days(1, 2))
        publish(folder, "y", b'{"id":"a","new":1,"name":7}\n', name="agents", covered=days(2, 3))
        publish(folder, "w", b'{"id":"a","new":1}\n', name="agents")

    found = [(one.path, one.kind, one.count, one.units, one.since, one.unit) for one in drift_summaries(folder)]

    assert found == [
        ("name", DriftKind.MISFIT, 1, 1, days(2, 3)[0], "y"),
        ("new", DriftKind.UNKNOWN_FIELD, 4, 3, days(1, 2)[0], "z"),
    ]


def test_data_sets_that_are_not_declared_are_verified_too(folder: DataFolder) -> None:
    """All but their columns."""
    with folder.lock():
        learned = replace(DATA_SETS["agents"], name="reports/ContactSummary")
        writer = UnitWriter(folder, learned, "w", Origin("w", "f"))
        writer.convert([b'{"id":"a"}'])
        part = writer.commit().parts[0].path
    cut(folder.path / "reports" / "ContactSummary" / part)

    assert found_in(folder) == [("size", f"reports/ContactSummary/{part}")]
