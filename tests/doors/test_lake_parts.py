"""The part writer: files in their folders, hidden until they are published, and proven before."""

import datetime as dt
import errno
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from bulkgladly.errors import DiskFull, UsageError
from bulkgladly.gladly.objects.conversation_items import CONTENT_TYPES
from bulkgladly.lake.conversion import ConvertOptions, convert
from bulkgladly.lake.manifest import PartEntry
from bulkgladly.lake.part_writer import PartOptions, PartWriter
from bulkgladly.lake.rows import Origin, Reject, Rows
from bulkgladly.lake.schemas import DATA_SETS

ITEMS = DATA_SETS["items"]
KINDS = list(CONTENT_TYPES)
JOB = {
    "_job_id": "_job/1",
    "_job_updated_at": dt.datetime(2024, 5, 2, 3, 11, 9, tzinfo=dt.UTC),
    "_file": "conversation_items.jsonl",
}
SOURCE = Origin("_job/1", "conversation_items.jsonl", JOB)


def unexpected(refused: Reject) -> None:
    raise AssertionError(refused)


def item_of(kind: str, number: int = 0) -> dict[str, Any]:
    """Return a small item of a type."""
    return {
        "id": f"i{number}",
        "customerId": "Zb3",
        "timestamp": f"2024-05-01T23:59:{number % 60:02}.5Z",
        "content": {"type": kind},
    }


def text_of(values: Iterable[Any]) -> bytes:
    return b"".join(orjson.dumps(value) + b"\n" for value in values)


def published(top: Path, writer: PartWriter) -> list[PartEntry]:
    """Finish a writer and give its parts their names, as a commit does."""
    reports = writer.finish()
    for report in reports:
        (top / report.partial).rename(top / report.path)
    return reports


def written(folder: Path, items: Iterable[Any], **limits: Any) -> PartWriter:
    writer = PartWriter(folder, ITEMS, SOURCE, PartOptions(**limits))
    options = ConvertOptions(batch_bytes=9000, bundle_bytes=2000)
    convert((text_of([item]) for item in items), ITEMS, write=writer.write, reject=unexpected, options=options)
    return writer


def mixture(days: int = 3, each: int = 20) -> list[dict[str, Any]]:
    items = []
    for at in range(each):
        for kind in (*CONTENT_TYPES, "../..", "NEW"):
            item = item_of(kind, at) if kind in CONTENT_TYPES else {"id": "x", "content": {"type": kind}}
            items.append({**item, "timestamp": f"2024-05-{at % days + 1:02}T00:00:00Z"})
    return items


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_published_parts_are_one_table_for_every_reader(tmp_path: Path) -> None:
    """With the folders as columns and without them, from the top or one by one."""
    items = [*mixture(), {"id": "no time", "content": {"type": "SMS"}}, {"id": "no content"}]

    reports = published(tmp_path / "items", written(tmp_path / "items", items))

    whole = ds.dataset(tmp_path / "items", partitioning="hive").to_table()
    plain = ds.dataset(tmp_path / "items", partitioning=None, format="parquet").to_table()
    by_default = pq.read_table(tmp_path / "items")
    assert whole.num_rows == plain.num_rows == by_default.num_rows == len(items)
    assert plain.schema.equals(ITEMS.schema)
    assert plain.schema.metadata == ITEMS.schema.metadata
    assert whole.schema.names == [*ITEMS.schema.names, "type", "date"]
    pairs = zip(whole.column("type").to_pylist(), whole.column("contentType").to_pylist(), strict=True)
    assert all(kind == (declared or "UNTYPED") for kind, declared in pairs)
    assert sorted(report.path for report in reports) == files_in(tmp_path / "items")
    assert "type=EMAIL/date=2024-05-01/%5Fjob%2F1-0001.parquet" in files_in(tmp_path / "items")
    assert "type=..%2F../date=2024-05-02/%5Fjob%2F1-0001.parquet" in files_in(tmp_path / "items")
    row = plain.slice(0, 1).to_pylist()[0]
    assert {name: row[name] for name in JOB} == JOB
    found: list[Any] = plain.column("_line").to_pylist()
    assert sorted(found) == list(range(1, len(items) + 1))


def test_reports_describe_the_parts(tmp_path: Path) -> None:
    """Rows, size, hash and time range are those of the files."""
    (report,) = published(tmp_path, written(tmp_path, [item_of("SMS", 5), item_of("SMS", 9)]))

    file = tmp_path / report.path
    assert (report.rows, report.bytes, report.schema_version) == (2, file.stat().st_size, 1)
    assert len(report.blake2b) == 64
    assert (report.min_timestamp, report.max_timestamp) == (
        dt.datetime(2024, 5, 1, 23, 59, 5, 500000, dt.UTC),
        dt.datetime(2024, 5, 1, 23, 59, 9, 500000, dt.UTC),
    )


@pytest.mark.parametrize(
    "limits", [{"open_files": 2, "row_group_bytes": 300}, {"part_bytes": 1, "row_group_bytes": 300}]
)
def test_few_open_files_and_small_parts_lose_nothing(tmp_path: Path, limits: dict[str, int]) -> None:
    """Partitions continue in further parts, numbered from one."""
    items = mixture(days=4)

    reports = published(tmp_path, written(tmp_path, items, **limits))

    lines: list[Any] = ds.dataset(tmp_path, format="parquet").to_table(columns=["_line"]).column(0).to_pylist()
    assert sorted(lines) == list(range(1, len(items) + 1))
    assert sum(report.rows for report in reports) == len(items)
    assert max(Counter(Path(report.path).parent for report in reports).values()) > 1


def test_rows_for_many_partitions_in_turn_make_one_part_each(tmp_path: Path) -> None:
    """What is too small for a row group waits in a file, not in a part each time; the order is that of the file."""
    items = mixture(days=7, each=60)

    reports = published(tmp_path, written(tmp_path, items, held_bytes=4000, open_files=3))

    assert len({Path(report.path).parent for report in reports}) == len(reports) > 3
    assert files_in(tmp_path) == sorted(report.path for report in reports)
    found: list[int] = []
    for report in reports:
        assert pq.read_metadata(tmp_path / report.path).num_row_groups == 1
        lines: list[Any] = pq.read_table(tmp_path / report.path, partitioning=None).column("_line").to_pylist()
        assert lines == sorted(lines)
        found += lines
    assert sorted(found) == list(range(1, len(items) + 1))


def rows_of(kind: str, lines: Iterable[int], *, width: int = 1) -> Rows:
    """Return rows of a kind whose ids are so wide."""
    numbers = pa.array(list(lines), pa.int64())
    ids = pa.array(["x" * width] * len(numbers), pa.string())
    return Rows((("type", kind), ("date", "2024-05-01")), pa.RecordBatch.from_arrays([ids, numbers], ["id", "_line"]))


def test_rows_that_fill_a_row_group_come_after_those_that_wait_aside(tmp_path: Path) -> None:
    """A partition that was small at first is written in the order of the file."""
    options = PartOptions(row_group_bytes=8000, held_bytes=3000)
    writer = PartWriter(tmp_path, ITEMS, SOURCE, options)
    for at, kind in enumerate(KINDS[:10]):
        writer.write(rows_of(kind, range(10 * at, 10 * at + 5), width=80))
    aside = [name for name in files_in(tmp_path) if "overflow" in name]
    writer.write(rows_of(KINDS[0], range(1000, 1100), width=100))

    reports = published(tmp_path, writer)

    assert aside
    (report,) = [one for one in reports if f"type={KINDS[0]}/" in one.path]
    lines = pq.read_table(tmp_path / report.path, partitioning=None).column("_line").to_pylist()
    assert lines == [*range(5), *range(1000, 1100)]


def test_a_full_disk_is_named_by_what_waits_aside_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of it is left."""

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pa.ipc, "new_stream", full)
    writer = PartWriter(tmp_path, ITEMS, SOURCE, PartOptions(held_bytes=100))

    with pytest.raises(DiskFull, match="no space left"):
        writer.write(rows_of("SMS", range(100)))
    writer.abandon()

    assert not files_in(tmp_path)


def test_nothing_is_visible_before_publish(tmp_path: Path) -> None:
    """A kill leaves partial files only; abandon leaves no file."""
    folder = tmp_path / "items"
    writer = PartWriter(folder, ITEMS, SOURCE, PartOptions(row_group_bytes=8000, held_bytes=3000))
    writer.write(rows_of(KINDS[0], range(100), width=100))
    for at, kind in enumerate(KINDS[1:10]):
        writer.write(rows_of(kind, range(10 * at, 10 * at + 5), width=80))

    left = files_in(folder)
    seen = ds.dataset(folder, format="parquet").count_rows()
    writer.abandon()
    writer.abandon()

    assert sorted(Path(name).suffixes[-2] for name in left) == [".overflow", ".parquet"]
    assert all(Path(name).name.startswith(".") and name.endswith(".partial") for name in left)
    assert seen == 0
    assert not files_in(tmp_path)


def test_abandon_leaves_what_others_published(tmp_path: Path) -> None:
    """Only the files and folders of this writer go."""
    published(tmp_path, written(tmp_path, [item_of("SMS")]))
    before = files_in(tmp_path)

    written(tmp_path, mixture()).abandon()

    assert files_in(tmp_path) == before


def test_a_second_try_after_a_kill_takes_the_same_names(tmp_path: Path) -> None:
    """So nothing of the first try is left beside it."""
    written(tmp_path, mixture(), row_group_bytes=300)
    reports = published(tmp_path, written(tmp_path, mixture()))

    assert files_in(tmp_path) == sorted(report.path for report in reports)


def test_a_part_that_reads_back_short_is_not_published(tmp_path: Path) -> None:
    """What the disk gives back is compared before anything gets its name."""
    writer = written(tmp_path, mixture(), row_group_bytes=300, part_bytes=1)
    victim = next(path for path in tmp_path.rglob(".*.partial") if path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-9])

    with pytest.raises(OSError, match="cannot be read back"):
        writer.finish()

    assert not [name for name in files_in(tmp_path) if not name.endswith(".partial")]


def test_empty_files_of_a_job_make_no_parts(tmp_path: Path) -> None:
    """An export without agents is not an error."""
    writer = PartWriter(tmp_path / "agents", DATA_SETS["agents"], SOURCE)
    report = convert([], DATA_SETS["agents"], write=writer.write, reject=unexpected)

    assert (report.lines, writer.finish()) == (0, [])


def test_small_data_sets_are_not_partitioned(tmp_path: Path) -> None:
    """Agents and topics are one part each."""
    writer = PartWriter(tmp_path, DATA_SETS["topics"], SOURCE)
    line = b'{"id":"t","name":"Returns","disabled":false,"parentId":"p"}\n{"id":"u","name":"R","disabled":true}\n'
    convert([line], DATA_SETS["topics"], write=writer.write, reject=unexpected)

    (report,) = published(tmp_path, writer)

    table = pq.read_table(tmp_path / report.path)
    assert report.path == "%5Fjob%2F1-0001.parquet"
    assert table.column("disabled").to_pylist() == [False, True]
    assert isinstance(table, pa.Table)


@pytest.mark.parametrize(
    ("partition", "folders"),
    [
        (None, {"type=EMAIL/date=2024-05-01", "type=EMAIL/date=2024-05-02", "type=SMS/date=2024-05-01"}),
        (("date", "type"), {"type=EMAIL/date=2024-05-01", "type=EMAIL/date=2024-05-02", "type=SMS/date=2024-05-01"}),
        (("type",), {"type=EMAIL", "type=SMS"}),
        (("date",), {"date=2024-05-01", "date=2024-05-02"}),
        ((), {"."}),
    ],
)
def test_folders_are_those_asked_for(tmp_path: Path, partition: tuple[str, ...] | None, folders: set[str]) -> None:
    """All that the data set offers, some of them, or none; the rows are the same."""
    items = [item_of("EMAIL", 1), item_of("EMAIL", 2), item_of("SMS", 3)]
    items[1]["timestamp"] = "2024-05-02T00:00:00Z"

    reports = published(tmp_path, written(tmp_path, items, partition=partition))

    assert {Path(report.path).parent.as_posix() for report in reports} == folders
    assert sum(report.rows for report in reports) == 3


def test_events_are_sorted_by_entity_and_day(tmp_path: Path) -> None:
    """The entity is the type up to its slash, also of a type that is not declared."""
    events = DATA_SETS["events"]
    kinds = ["CONTACT/ENDED", "CONTACT/STARTED", "CONVERSATION_ASSIGNEE/UPDATED", "FAX/SENT", "ODD"]
    lines = [{"id": kind, "type": kind, "timestamp": "2024-05-01T10:00:00Z"} for kind in kinds]
    writer = PartWriter(tmp_path, events, Origin("2024-05-01T11", "GET /api/v1/events"))
    convert([text_of(lines)], events, write=writer.write, reject=unexpected)

    reports = published(tmp_path, writer)

    assert {report.path.partition("/date=")[0]: report.rows for report in reports} == {
        "entity=CONTACT": 2,
        "entity=CONVERSATION_ASSIGNEE": 1,
        "entity=FAX": 1,
        "entity=ODD": 1,
    }
    whole = ds.dataset(tmp_path, partitioning="hive").to_table()
    assert set(whole.column("type").to_pylist()) == set(kinds)
    assert whole.schema.names == [*events.schema.names, "entity", "date"]


@pytest.mark.parametrize(("name", "partition"), [("items", ("entity",)), ("inboxes", ("date",))])
def test_folders_that_are_not_offered_are_refused(tmp_path: Path, name: str, partition: tuple[str, ...]) -> None:
    """With what is offered, and before anything is written."""
    with pytest.raises(
        UsageError, match=f"{name} cannot be partitioned by {partition[0]}; (choose type, date or month|it has)"
    ):
        PartWriter(tmp_path, DATA_SETS[name], SOURCE, PartOptions(partition=partition))


def test_provenance_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A value without a column would be lost."""
    with pytest.raises(UsageError, match="inboxes has no provenance column _file"):
        PartWriter(tmp_path, DATA_SETS["inboxes"], SOURCE)


def test_rows_that_are_arrow_already_are_taken_as_they_are(tmp_path: Path) -> None:
    """Columns that they lack are null, or the provenance of the unit."""
    fetched = dt.datetime(2024, 5, 2, tzinfo=dt.UTC)
    writer = PartWriter(tmp_path, DATA_SETS["inboxes"], Origin("u", "GET", {"_fetched_at": fetched}))
    gone = pa.array([None, fetched], pa.timestamp("us", tz="UTC"))
    rows = pa.RecordBatch.from_arrays([pa.array(["a", "b"], pa.string()), gone], names=["id", "_gone_since"])
    writer.write(Rows((), rows))

    (report,) = published(tmp_path, writer)

    table = pq.read_table(tmp_path / report.path)
    assert table.schema.equals(DATA_SETS["inboxes"].schema)
    assert table.column("_gone_since").to_pylist() == [None, fetched]
    assert table.column("_fetched_at").to_pylist() == [fetched, fetched]
    assert table.column("name").null_count == 2


def test_finished_parts_can_still_be_abandoned(tmp_path: Path) -> None:
    """Until they get their final names."""
    writer = written(tmp_path / "items", mixture())
    reports = writer.finish()
    (tmp_path / "items" / reports[0].partial).rename(tmp_path / "items" / reports[0].path)

    writer.abandon()

    assert files_in(tmp_path / "items") == [reports[0].path]


@pytest.mark.parametrize("file_format", ["parquet", "ndjson", "csv"])
def test_a_full_disk_is_named(tmp_path: Path, file_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the folder; what was begun can be removed."""

    class Full:
        """A file on a disk without space."""

        closed = False

        def __init__(self, path: str, mode: str) -> None:
            Path(path).open(mode).close()

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def tell(self) -> int:
            return 0

        def flush(self) -> None: ...

        def close(self) -> None: ...

    monkeypatch.setattr(pa, "OSFile", Full)
    writer = PartWriter(tmp_path / "items", ITEMS, SOURCE, PartOptions(format=file_format))
    writer.write(Rows((), pa.RecordBatch.from_arrays([pa.array(["a"], pa.string())], names=["id"])))

    with pytest.raises(DiskFull, match=f"{tmp_path}/items could not be written: no space left"):
        writer.finish()
    writer.abandon()

    assert not files_in(tmp_path)
