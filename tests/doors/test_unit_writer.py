"""One unit: published whole or not at all, in every format, and read back as it was."""

import datetime as dt
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from bulkgladly.errors import BodyTooLong, DiskFull, InputError
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.part_writer import PartOptions
from bulkgladly.lake.published_rows import read_rows
from bulkgladly.lake.rows import Origin, Reject, Rows
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from tests.full_disk import fill_at_open, fill_at_sync, no_space

ITEMS, AGENTS = DATA_SETS["items"], DATA_SETS["agents"]
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SOURCE = Origin("job", "conversation_items.jsonl", {"_job_id": "job", "_job_updated_at": NOON})
FORMATS = [(name, how) for name in ("ndjson", "csv") for how in ("none", "zstd", "gzip")]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """A data folder that may be written."""
    with DataFolder.open(tmp_path / "data", host="h", create=True, now=lambda: NOON).lock() as made:
        yield made


def items(count: int = 6) -> Iterator[bytes]:
    for at in range(count):
        content: dict[str, Any] = {"type": "EMAIL", "to": ["", None, "a,b"], "subject": 'two\n"lines"', "cc": []}
        if at % 2:
            content = {"type": "SMS", "to": "", "new": {"a": [1, None, 2.5]}, "attachments": [{"fileSize": "7"}, {}]}
        yield (
            orjson.dumps(
                {
                    "id": f"i{at}",
                    "timestamp": f"2026-11-2{at % 3}T00:00:00.123456Z",
                    "initiator": {"id": "x", "type": None},
                    "content": content,
                    "late": at,
                }
            )
            + b"\n"
        )
    yield b'{"id":null,"_line":"mine","content":{"type":"FAX","pages":123456789012345678901234567890}}\n'


def files_in(folder: DataFolder) -> list[str]:
    found = (path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in ("_lock", "_bulkgladly.json"))


def in_order(table: pa.Table) -> list[dict[str, Any]]:
    """Rows by line, what no column took as an object: the order of its members means nothing."""
    rows = [{**row, "_extra": row["_extra"] and json.loads(row["_extra"])} for row in table.to_pylist()]
    return sorted(rows, key=lambda row: int(row["_line"]))


def test_every_format_holds_the_same_rows(folder: DataFolder) -> None:
    """Rows read back are those of Parquet: nulls, empty texts, drift, provenance and all."""
    tables = {}
    for name, how in (("parquet", "zstd"), *FORMATS):
        writer = UnitWriter(folder, ITEMS, f"{name} {how}", SOURCE, PartOptions(format=name, compression=how))
        writer.convert(items())
        manifest = writer.commit(replaces=folder.manifests("items"))
        tables[name, how] = read_rows(folder, [manifest])

    expected = in_order(tables.pop(("parquet", "zstd")))
    assert len(expected) == 7
    assert expected[1]["to"] == [""]
    assert expected[6]["_extra"] is not None
    for how_written, table in tables.items():
        assert table.schema.equals(ITEMS.schema), how_written
        assert in_order(table) == expected, how_written


def test_rejects_are_kept_with_their_reason(folder: DataFolder) -> None:
    """One object a line, with the bytes as text, or encoded where they are none."""
    writer = UnitWriter(folder, AGENTS, "u/1", Origin("u", "agents.jsonl"))
    writer.convert([b'{"id":"a"}\n{"id":\n\xff\n'])
    writer.reject(Reject(9, "odd", "of a caller", b"x"))

    manifest = writer.commit()

    (other,) = manifest.others
    found = [orjson.loads(line) for line in (folder.path / other.path).read_bytes().splitlines()]
    assert (other.kind, other.path, other.lines) == ("rejects", "_rejects/agents/u%2F1.ndjson", 3)
    assert [(one["file"], one["line"], one["code"]) for one in found] == [
        ("agents.jsonl", 2, "malformed_json"),
        ("agents.jsonl", 3, "invalid_utf8"),
        ("agents.jsonl", 9, "odd"),
    ]
    assert (found[0]["raw"], found[1]["raw_base64"]) == ('{"id":', "/w==")
    assert (manifest.lines, manifest.rows, manifest.rejected) == (4, 1, 3)


def test_raw_lines_are_kept_as_they_came(folder: DataFolder) -> None:
    """All bytes of all bodies; a further body begins on its own line."""
    writer = UnitWriter(folder, AGENTS, "u", Origin("u", "agents.jsonl"), keep_raw=True)
    bodies: list[list[bytes]] = [[b'{"id":"a"}\r\n\n{"id"', b':"b"}'], [b'{"id":"c"}\n'], [], [b"{}"]]

    reports = [writer.convert(body) for body in bodies]
    manifest = writer.commit()

    (other,) = manifest.others
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO((folder.path / other.path).read_bytes())) as reader:
        raw = reader.read()
    assert raw == b'{"id":"a"}\r\n\n{"id":"b"}\n{"id":"c"}\n{}'
    assert (other.kind, other.path) == ("raw", "_raw/agents/u.jsonl.zst")
    assert [report.lines for report in reports] == [3, 1, 0, 1]
    assert (manifest.lines, manifest.rows, manifest.blank) == (5, 4, 1)


def test_a_caller_may_have_arrow_rows(folder: DataFolder) -> None:
    """Columns that are missing are null, or the provenance of the unit."""
    writer = UnitWriter(folder, AGENTS, "u", Origin("u", "f", {"_job_id": "j"}))

    writer.write(Rows((), pa.RecordBatch.from_pydict({"id": ["a", "b"]})))
    manifest = writer.commit()

    table = read_rows(folder, [manifest])
    assert table.select(["id", "name", "_job_id"]).to_pylist() == [
        {"id": each, "name": None, "_job_id": "j"} for each in "ab"
    ]
    assert (manifest.lines, manifest.rows) == (2, 2)


def test_an_empty_unit_is_published_too(folder: DataFolder) -> None:
    """That there was nothing is worth knowing."""
    manifest = UnitWriter(folder, AGENTS, "u", Origin("u", "f")).commit()

    assert (manifest.rows, manifest.parts) == (0, ())
    assert folder.manifests("agents") == [manifest]
    assert read_rows(folder, [manifest]).num_rows == 0
    assert read_rows(folder, [], data_set=AGENTS).schema.equals(AGENTS.schema)


def test_nothing_is_made_before_the_first_row(folder: DataFolder) -> None:
    """A unit that is not there, at the other side, leaves no trace."""
    UnitWriter(folder, ITEMS, "u", SOURCE, keep_raw=True)

    assert sorted(path.name for path in folder.path.iterdir()) == ["_bulkgladly.json", "_lock"]


def test_an_abandoned_unit_leaves_nothing(folder: DataFolder) -> None:
    """Also after its files were finished, and twice."""
    writer = UnitWriter(folder, ITEMS, "u", SOURCE, PartOptions(row_group_bytes=1), keep_raw=True)
    writer.convert([*items(), b"no row\n"])
    left = files_in(folder)

    writer.abandon()
    writer.abandon()

    assert len(left) > 3
    assert all(Path(name).name.startswith(".") for name in left)
    assert files_in(folder) == []
    assert folder.manifest("items", "u") is None


def test_abandoning_what_is_published_changes_nothing(folder: DataFolder) -> None:
    """So that it may stand in a `finally`."""
    writer = UnitWriter(folder, AGENTS, "u", Origin("u", "f"))
    writer.convert([b'{"id":"a"}'])
    manifest = writer.commit()
    before = files_in(folder)

    writer.abandon()

    assert files_in(folder) == before
    assert folder.manifests("agents") == [manifest]


@pytest.mark.parametrize("how", ["left", "failed", "published"])
def test_a_with_block_abandons_what_is_not_published(folder: DataFolder, how: str) -> None:
    """Whether it was left or failed; what was published stays."""

    def write() -> None:
        with UnitWriter(folder, AGENTS, "u", Origin("u", "f"), keep_raw=True) as writer:
            writer.convert([b'{"id":"a"}\n'])
            if how == "failed":
                raise KeyError(how)
            if how == "published":
                writer.commit()

    if how == "failed":
        with pytest.raises(KeyError):
            write()
    else:
        write()

    assert folder.data_sets() == (["agents"] if how == "published" else [])
    assert bool(files_in(folder)) == (how == "published")


def test_a_body_without_an_end_is_cut(folder: DataFolder) -> None:
    """At the limit, and nothing of it is left."""
    writer = UnitWriter(folder, AGENTS, "u", Origin("u", "agents.jsonl"), max_bytes=1000, keep_raw=True)
    taken = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield b'{"id":"a"}\n'

    with pytest.raises(BodyTooLong, match=r"agents\.jsonl: longer than the limit of 1000 bytes"):
        writer.convert(endless())
    writer.abandon()

    assert len(taken) == 91
    assert files_in(folder) == []


def test_a_broken_download_comes_through(folder: DataFolder) -> None:
    """With its own error, and the unit can be written again from zero."""

    def broken() -> Iterable[bytes]:
        yield b'{"id":"a"}\n'
        raise ConnectionError("cut")

    first = UnitWriter(folder, AGENTS, "u", Origin("u", "f"))
    with pytest.raises(ConnectionError, match="cut"):
        first.convert(broken())
    first.abandon()
    second = UnitWriter(folder, AGENTS, "u", Origin("u", "f"))
    second.convert([b'{"id":"a"}\n{"id":"b"}\n'])

    assert second.commit().rows == 2
    assert files_in(folder) == ["_manifest/agents/u.json", "agents/u-0001.parquet"]


@pytest.mark.parametrize("where", ["part", "sync", "rejects", "raw", "decision", "folder"])
def test_a_full_disk_leaves_what_is_published(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Wherever it strikes before the unit is decided: the error says so, and nothing of the unit is left."""
    before = UnitWriter(folder, AGENTS, "u", Origin("u", "f"))
    before.convert([b'{"id":"old"}\n'])
    published = before.commit()
    files = files_in(folder)
    writer = UnitWriter(folder, AGENTS, "u", Origin("u", "f"), keep_raw=True)

    with monkeypatch.context() as patched:
        if where == "part":
            patched.setattr(pq.ParquetWriter, "write_table", no_space)
        elif where in ("sync", "decision"):
            fill_at_sync(patched, folder.path, "_incoming/agents/" if where == "sync" else ".json.next")
        elif where == "folder":
            patched.setattr(Path, "mkdir", no_space)
        else:
            fill_at_open(patched, f"/_{where}/")
        with pytest.raises(DiskFull, match="no space left") as caught:
            write_and_commit(writer, published)
        writer.abandon()

    assert caught.value.exit_code == 5
    assert files_in(folder) == files
    assert read_rows(folder, folder.manifests("agents")).column("id").to_pylist() == ["old"]
    assert folder.recover().removed == ()


def write_and_commit(writer: UnitWriter, published: Any) -> None:
    writer.convert([b'{"id":"new"}\nno row\n'])
    writer.commit(replaces=[published])


def no_space_for_parts(old: Path, new: Path, rename: Callable[[Path, Path], None] = os.replace) -> None:
    if new.suffix == ".parquet":
        no_space()
    rename(old, new)


def test_a_disk_that_fills_after_the_decision_costs_nothing(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Abandoning leaves the decided files alone, and the recovery publishes them."""
    writer = UnitWriter(folder, AGENTS, "u", Origin("u", "f"))
    writer.convert([b'{"id":"new"}\n'])
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", no_space_for_parts)
        with pytest.raises(DiskFull):
            writer.commit()
        writer.abandon()

    recovered = folder.recover()

    assert [manifest.unit for manifest in recovered.published] == ["u"]
    assert read_rows(folder, folder.manifests("agents")).column("id").to_pylist() == ["new"]


@pytest.mark.parametrize(("name", "how"), [("parquet", "zstd"), *FORMATS])
def test_a_damaged_part_is_told_with_its_path(folder: DataFolder, name: str, how: str) -> None:
    """Not read as if it were shorter."""
    writer = UnitWriter(folder, AGENTS, "u", Origin("u", "f"), PartOptions(format=name, compression=how))
    writer.convert([b'{"id":"a","name":"Sample Person"}\n'])
    manifest = writer.commit()
    part = folder.path / "agents" / manifest.parts[0].path
    part.write_bytes(part.read_bytes()[:-7])

    with pytest.raises(InputError, match=str(part)):
        read_rows(folder, [manifest])
