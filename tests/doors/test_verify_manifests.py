"""A folder that was copied, put together again or edited by hand: `verify` sees what readers would stumble over."""

import datetime as dt
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.documents import as_json
from bulkgladly.lake import publishing
from bulkgladly.lake.compact import compact
from bulkgladly.lake.findings import FolderFinding
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest, manifest_from, manifest_json
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
LINE = b'{"id":"%s","timestamp":"2026-11-22T10:00:00Z","content":{"type":"SMS"}}\n'


def publish(folder: DataFolder, unit: str, *, name: str = "items", **columns: Any) -> Manifest:
    """Publish a row with the id of the unit."""
    writer = UnitWriter(folder, DATA_SETS[name], unit, Origin(unit, "f", columns))
    writer.convert([LINE % unit.encode()])
    return writer.commit()


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """Two units of items, and what compact makes of them."""
    with DataFolder.open(tmp_path / "data", host="h", create=True, now=lambda: NOON).lock() as made:
        for unit in "ab":
            publish(made, unit)
        compact(made, "items")
    assert verify(made, deep=True).is_sound
    return made


def manifest_of(folder: DataFolder, unit: str) -> Path:
    return folder.path / "_manifest" / "items" / f"{unit}.json"


def part_of(folder: DataFolder, unit: str) -> Path:
    return next((folder.path / "items").rglob(f"{unit}-0001.parquet"))


def kinds_in(folder: DataFolder) -> set[str]:
    """What is found, the same with and without --deep."""
    found = {one.kind.value for one in verify(folder).findings}
    assert found == {one.kind.value for one in verify(folder, deep=True).findings}
    return found


def test_rows_do_not_count_twice_when_a_manifest_was_copied(folder: DataFolder) -> None:
    """Both the copy and the part that it names again are reported."""
    shutil.copy(manifest_of(folder, "a"), manifest_of(folder, "copy"))

    findings = verify(folder).findings

    assert [(one.kind.value, one.path) for one in findings] == [
        ("misplaced", "_manifest/items/copy.json"),
        ("named_twice", part_of(folder, "a").relative_to(folder.path).as_posix()),
    ]
    assert "remove it if it is a copy" in findings[0].way_out


def test_swapped_manifests_are_told(folder: DataFolder) -> None:
    one, other, aside = manifest_of(folder, "a"), manifest_of(folder, "b"), folder.path / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)

    assert [(found.kind.value, found.path) for found in verify(folder).findings] == [
        ("misplaced", "_manifest/items/a.json"),
        ("misplaced", "_manifest/items/b.json"),
    ]


def test_a_manifest_of_another_data_set_is_told(folder: DataFolder) -> None:
    with folder.lock():
        publish(folder, "x", name="agents")
    shutil.copy(manifest_of(folder, "a"), folder.path / "_manifest" / "agents" / "a.json")

    assert kinds_in(folder) == {"misplaced"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda found: found.update(written_at="2026-11-23T12:00:01Z"),
        lambda found: found.update(covered=["2026-11-01T00:00:00Z", "2026-11-23T00:00:00Z"]),
        lambda found: found["source"].update(job_updated_at="2030-01-01T00:00:00Z"),
        lambda found: found.update(incomplete="gone"),
        lambda found: found.update(host="other"),
        lambda found: found.update(sequence=99),
        lambda found: found["parts"].pop(),
        lambda found: found.pop("digest"),
    ],
)
def test_every_edited_field_of_a_manifest_is_seen(folder: DataFolder, edit: Callable[[dict[str, Any]], object]) -> None:
    """Whichever it is: a later export would go by it."""
    path = manifest_of(folder, "a")
    content = orjson.loads(path.read_bytes())
    edit(content)
    path.write_bytes(orjson.dumps(content))

    assert [(one.kind.value, one.path) for one in verify(folder).findings] == [
        ("damaged_manifest", "_manifest/items/a.json")
    ]


def test_a_manifest_that_was_laid_out_anew_is_the_same(folder: DataFolder) -> None:
    """Spacing and the order of members do not count as a change."""
    path = manifest_of(folder, "a")
    content = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps(dict(reversed(content.items()))))

    assert verify(folder).is_sound


@given(
    source=st.dictionaries(
        st.text(max_size=5), st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text()
    ),
    incomplete=st.none() | st.text(),
)
def test_every_manifest_is_read_back_as_it_was_written(source: dict[str, Any], incomplete: str | None) -> None:
    """Its digest covers everything it says."""
    source = orjson.loads(orjson.dumps(source))
    made = Manifest("items", "a", 1, 0, 0, 0, 0, (), NOON, "h", "1", source=source, incomplete=incomplete, sequence=3)

    assert manifest_from(as_json(manifest_json(made)), "a.json") == made


def as_before(path: Path, **changes: Any) -> None:
    """Turn a manifest into one as older versions wrote it, and perhaps change it."""
    content = {**orjson.loads(path.read_bytes()), "format": 1, **changes}
    del content["digest"], content["sequence"]
    path.write_bytes(orjson.dumps(content))


def test_manifests_of_older_versions_stay_valid(folder: DataFolder) -> None:
    """They have no digest, and a later unit is numbered after them."""
    for unit in "ab":
        as_before(manifest_of(folder, unit))
    with folder.lock():
        publish(folder, "c")

    assert verify(folder, deep=True).is_sound
    assert [manifest.sequence for manifest in folder.manifests("items")] == [None, None, 1]


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        (lambda part: part.update(rows=2), "counts"),
        (lambda part: part.update(schema_version=7), "schema"),
        (lambda part: part.update(min_timestamp="2026-11-21T10:00:00Z"), "counts"),
        (lambda part: part.update(max_timestamp=None), "counts"),
    ],
)
def test_an_older_manifest_is_compared_with_the_footers(
    folder: DataFolder, edit: Callable[[dict[str, Any]], object], kind: str
) -> None:
    parts = orjson.loads(manifest_of(folder, "a").read_bytes())["parts"]
    edit(parts[0])
    as_before(manifest_of(folder, "a"), parts=parts)

    assert kind in kinds_in(folder)


def test_a_unit_of_another_organisation_is_told(folder: DataFolder) -> None:
    as_before(manifest_of(folder, "a"), host="https://other.example.org")

    assert kinds_in(folder) == {"host"}


def test_a_damaged_decision_is_told_beside_all_else(folder: DataFolder) -> None:
    """It does not end the look."""
    manifest_of(folder, "c").with_suffix(".json.next").write_bytes(b"{")
    part_of(folder, "a").unlink()

    assert kinds_in(folder) == {"damaged_manifest", "missing"}


HIDDEN = ["._a-0001.parquet", ".DS_Store", "desktop.ini", "_SUCCESS", ".a-0001.parquet.crc", "notes.txt"]


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("where", ["items", "current"])
def test_files_that_make_readers_fail_are_told(folder: DataFolder, name: str, where: str) -> None:
    """DuckDB takes one for a part, Polars refuses them all; nothing is removed by us."""
    stray = (part_of(folder, "a").parent if where == "items" else folder.path / "current" / "items") / name
    stray.write_bytes(b"\0\5\x16\7" + bytes(100))
    top = folder.path / ("items" if where == "items" else "current/items")

    (finding,) = verify(folder).findings

    assert (finding.kind.value, finding.path) == ("foreign", stray.relative_to(folder.path).as_posix())
    assert finding.way_out.startswith(("delete it", "move it out"))
    assert fails(lambda: pl.scan_parquet(top).collect()) or fails(
        lambda: duckdb.read_parquet(f"{top}/**/*.parquet").fetchall()
    )
    with folder.lock():
        folder.recover()
    assert stray.exists()


def fails(read: Callable[[], object]) -> bool:
    try:
        read()
    except (duckdb.Error, pl.exceptions.PolarsError, OSError):
        return True
    return False


def test_a_folder_that_is_a_link_is_told(folder: DataFolder, tmp_path: Path) -> None:
    """Some readers follow it, and count rows of elsewhere."""
    tmp_path.joinpath("elsewhere").mkdir()
    (folder.path / "items" / "type=FAX").symlink_to(tmp_path / "elsewhere")

    assert kinds_in(folder) == {"foreign"}


def current_part(folder: DataFolder) -> Path:
    return folder.path / "current" / "items" / "part-0001.parquet"


@pytest.mark.parametrize(
    ("damage", "kind", "is_quick"),
    [
        (Path.unlink, "missing", True),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "size", True),
        (lambda path: path.write_bytes(path.read_bytes()[:8] + b"!" + path.read_bytes()[9:]), "hash", False),
        (lambda path: shutil.copy(path, path.with_name("part-0009.parquet")), "unnamed", True),
        (lambda path: pq.write_table(pa.table({"a": [1]}), path.with_name("mine-0001.parquet")), "foreign", True),
        (lambda path: pq.write_table(pq.read_table(path).slice(0, 1), path), "size", True),
    ],
)
def test_damage_in_current_is_told(
    folder: DataFolder, damage: Callable[[Path], object], kind: str, is_quick: bool
) -> None:
    """It is what most people read."""
    damage(current_part(folder))

    def found() -> list[FolderFinding]:
        return list(verify(folder, deep=True).findings)

    assert {one.kind.value for one in found()} == {kind}
    assert all(one.path and one.path.startswith("current/items/") for one in found())
    assert verify(folder).is_sound is not is_quick


def test_current_without_a_manifest_is_looked_at_as_well(folder: DataFolder) -> None:
    """It was made by an older version; compacted again it has one."""
    (folder.path / "_manifest" / "current" / "items.json").unlink()
    assert verify(folder, deep=True).is_sound
    whole = current_part(folder).read_bytes()
    current_part(folder).write_bytes(whole[:-1])

    assert kinds_in(folder) == {"foreign"}
    current_part(folder).write_bytes(whole)
    with folder.lock():
        compact(folder, "items")
    current_part(folder).with_name("part-0002.parquet").unlink()
    assert kinds_in(folder) == {"missing"}


def test_a_folder_current_that_was_removed_is_no_damage(folder: DataFolder) -> None:
    """It can be made again at any time."""
    shutil.rmtree(folder.path / "current")

    assert verify(folder).is_sound


@pytest.mark.parametrize("before", ["made", "items.json.next"])
def test_a_compaction_that_was_cut_is_ended(folder: DataFolder, before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before or after the folder got its place, its manifest is that of the folder which is there."""

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    def replace(old: Path, new: Path, rename: Callable[[Path, Path], None] = os.replace) -> None:
        if Path(old).name == before:
            patched.setattr(os, "replace", killed)
            patched.setattr(os, "unlink", killed)
            raise Killed
        rename(old, new)

    with folder.lock():
        publish(folder, "c")
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", replace)
            with pytest.raises(Killed):
                compact(folder, "items")
    assert kinds_in(folder) >= {"unfinished"}

    with folder.lock():
        folder.recover()

    assert verify(folder, deep=True).is_sound
    rows = sum(pq.read_metadata(path).num_rows for path in (folder.path / "current" / "items").iterdir())
    assert rows == (2 if before == "made" else 3)


def test_a_unit_that_names_a_file_twice_is_never_published(folder: DataFolder) -> None:
    """Two writers of one file would leave the rows of one of them."""
    found = folder.manifests("items")[0]
    twice = Manifest(**{**{name: getattr(found, name) for name in Manifest.__slots__}, "parts": found.parts * 2})

    with pytest.raises(ValueError, match="one name"):
        publishing.decide(folder.path, twice, ())
