"""One row for each key, the newest, for every size and format of what was published."""

import datetime as dt
import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkgladly.errors import DiskFull, InputError, UsageError
from bulkgladly.gladly.data_sets import INTEGER, TEXT, DataColumn, DataSetPlan, ListOf
from bulkgladly.lake.compact import CompactLimits, compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.part_writer import PartOptions
from bulkgladly.lake.report_table import COLUMNS_MEMO, ReportColumn, ReportLayout
from bulkgladly.lake.rows import Origin, Rows
from bulkgladly.lake.schemas import DATA_SETS, built
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify
from tests.full_disk import fill_at_open, no_space

SESSIONS = DataSetPlan(
    "sessions", (DataColumn("name", TEXT, "A name."), DataColumn("at", ListOf(INTEGER), "Numbers.")), key=()
)
OLD_INBOXES = DataSetPlan("inboxes", (DataColumn("id", TEXT, "The id."),))
CUSTOMERS, ITEMS, INBOXES = DATA_SETS["customers"], DATA_SETS["items"], DATA_SETS["inboxes"]
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SMALL = CompactLimits(bucket_rows=20, row_group_bytes=2000, part_bytes=3000)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """A data folder that may be written."""
    with DataFolder.open(tmp_path / "data", host="h", create=True, now=lambda: NOON).lock() as made:
        yield made


def publish(
    folder: DataFolder, unit: str, lines: list[Mapping[str, Any]], *, hours: int | None = 0, how: str = "parquet"
) -> None:
    """Publish customers of one job, a number of hours after noon."""
    about = {"_job_id": unit, "_job_updated_at": None if hours is None else NOON + dt.timedelta(hours=hours)}
    options = PartOptions(format=how, row_group_bytes=500, part_bytes=1500)
    writer = UnitWriter(folder, CUSTOMERS, unit, Origin(unit, "customers.jsonl", about), options)
    writer.convert(orjson.dumps(line) + b"\n" for line in lines)
    writer.commit(replaces=[old] if (old := folder.manifest("customers", unit)) else [])


def customer(identity: str | None, name: str) -> dict[str, Any]:
    return {"id": identity, "name": name} if identity is not None else {"name": name}


def names_in(path: Path) -> dict[str | None, str]:
    """The names by id; every id once."""
    rows = pq.read_table(path, columns=["id", "name"]).to_pylist()
    found = {row["id"]: row["name"] for row in rows}
    assert len(found) == len(rows)
    return found


def test_the_last_row_of_each_key_is_kept(folder: DataFolder) -> None:
    """By the time of the job, then by the name of the unit, then by the line."""
    publish(folder, "c", [customer("a", "late"), customer("b", "first line"), customer("b", "second line")], hours=2)
    publish(folder, "d", [customer("a", "early"), customer("x", "alone")], hours=1)
    publish(folder, "a", [customer("t", "unit a"), customer("a", "no time")], hours=None)
    publish(folder, "b", [customer("t", "unit b")], hours=None)

    made = compact(folder, "customers")

    assert made.path == folder.path / "current" / "customers"
    assert names_in(made.path) == {"a": "late", "b": "second line", "x": "alone", "t": "unit b"}
    assert (made.rows_read, made.rows, made.parts) == (8, 4, 1)
    table = pq.read_table(made.path)
    assert table.schema.equals(CUSTOMERS.schema)
    assert table.schema.metadata == CUSTOMERS.schema.metadata
    assert [found.name for found in made.path.iterdir()] == ["part-0001.parquet"]
    assert made.bytes == (made.path / "part-0001.parquet").stat().st_size


def test_rows_without_a_key_are_kept_once_each(folder: DataFolder) -> None:
    """By their content; the others of the same part keep their keys."""
    publish(folder, "a", [customer(None, "x"), customer("k", "old"), customer(None, "y")], hours=0)
    publish(folder, "b", [customer("k", "new"), customer(None, "x"), customer(None, "z")], hours=1)

    made = compact(folder, "customers")

    rows = pq.read_table(made.path, columns=["id", "name", "_job_id"]).to_pylist()
    assert sorted((row["id"] or "", row["name"], row["_job_id"]) for row in rows) == [
        ("", "x", "b"),
        ("", "y", "a"),
        ("", "z", "b"),
        ("k", "new", "b"),
    ]


ROUNDS = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 99)), max_size=12)),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(ROUNDS, st.sampled_from(["parquet", "ndjson", "csv"]))
def test_compacting_is_what_a_dictionary_does(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[tuple[int, list[tuple[int, int]]]], how: str
) -> None:
    """With tiny buckets, row groups and parts."""
    with DataFolder.open(tmp_path_factory.mktemp("data"), host="h", create=True).lock() as folder:
        for unit, (hours, rows) in enumerate(rounds):
            publish(folder, f"{unit}", [customer(f"k{key}", f"n{n}") for key, n in rows], hours=hours, how=how)
        expected: dict[str | None, str] = {}
        for _, rows in sorted(rounds, key=lambda one: one[0]):
            expected |= {f"k{key}": f"n{n}" for key, n in rows}

        if not expected:
            with pytest.raises(UsageError, match="no rows"):
                compact(folder, "customers")
            return
        made = compact(folder, "customers", limits=CompactLimits(bucket_rows=3, row_group_bytes=1, part_bytes=1))

    assert names_in(made.path) == expected
    assert made.rows == len(expected)


def test_many_rows_in_many_buckets_and_parts(folder: DataFolder) -> None:
    """Nothing is lost between them, and the order is that of publishing."""
    chance = random.Random(7)  # noqa: S311
    expected: dict[str | None, str] = {}
    for unit in range(4):
        names: dict[str | None, str] = {f"k{chance.randrange(300)}": f"unit {unit}" for _ in range(200)}
        publish(folder, f"u{unit}", [customer(key, name) for key, name in names.items()], hours=unit)
        expected |= names

    made = compact(folder, "customers", limits=SMALL)

    assert names_in(made.path) == expected
    assert made.parts == len(list(made.path.iterdir())) > 1
    order = [row["_job_id"] for path in sorted(made.path.iterdir()) for row in pq.read_table(path).to_pylist()]
    assert order == sorted(order)


def test_a_second_compaction_takes_the_place_of_the_first(folder: DataFolder) -> None:
    """Its parts have other names, so that a reader of the old ones never finds new rows under them."""
    names = []
    for at in range(3):
        publish(folder, f"u{at}", [customer("a", f"{at}")], hours=at)
        made = compact(folder, "customers")
        assert names_in(made.path) == {"a": f"{at}"}
        names.append([found.name for found in made.path.iterdir()])

    assert names == [["part-0001.parquet"], ["part-0002.parquet"], ["part-0001.parquet"]]
    assert sorted(found.name for found in folder.path.iterdir() if found.name.startswith(".")) == []


def test_partitioned_data_sets_become_one_folder(folder: DataFolder) -> None:
    """With every column, drift and provenance included."""
    for unit, subject in enumerate(("old", "new")):
        about = {"_job_updated_at": NOON + dt.timedelta(hours=unit)}
        writer = UnitWriter(folder, ITEMS, f"{unit}", Origin(f"{unit}", "f", about))
        line = {"id": "i", "timestamp": f"2026-11-2{unit}T00:00:00Z", "late": unit}
        writer.convert([orjson.dumps({**line, "content": {"type": "EMAIL", "subject": subject}})])
        writer.commit()

    made = compact(folder, "items")

    (row,) = pq.read_table(made.path).to_pylist()
    assert (row["subject"], row["contentType"], row["_extra"]) == ("new", "EMAIL", '{"late":1}')


def test_a_data_set_without_a_key_keeps_distinct_rows(folder: DataFolder) -> None:
    """Its origin makes no difference."""
    keyless = built(SESSIONS)
    for hour in range(2):
        writer = UnitWriter(
            folder, keyless, f"{hour}", Origin(f"{hour}", "f", {"_fetched_at": NOON + dt.timedelta(hours=hour)})
        )
        writer.convert([b'{"name":"a","at":[1]}\n{"name":"a","at":[2]}\n' + b'{"name":"b"}\n' * hour])
        writer.commit()

    for data_set in (keyless, "sessions"):
        made = compact(folder, data_set)

        rows = pq.read_table(made.path).to_pylist()
        assert sorted((row["name"], row["at"]) for row in rows if row["at"]) == [("a", [1]), ("a", [2])]
        assert len(rows) == 3
        assert {row["_fetched_at"] for row in rows} == {NOON + dt.timedelta(hours=1)}


def test_parts_of_an_older_schema_get_the_columns_of_today(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that was not there yet is null."""
    old = built(OLD_INBOXES)
    for unit, data_set in enumerate((old, INBOXES)):
        writer = UnitWriter(folder, data_set, f"{unit}", Origin(f"{unit}", "f"))
        writer.convert([orjson.dumps({"id": f"i{unit}", "name": "Billing"})])
        writer.commit()

    made = compact(folder, "inboxes")

    table = pq.read_table(made.path)
    assert table.schema.equals(INBOXES.schema)
    assert {row["id"]: row["name"] for row in table.to_pylist()} == {"i0": None, "i1": "Billing"}


def test_another_place_may_be_named(folder: DataFolder, tmp_path: Path) -> None:
    """Twice, but not where something else lies."""
    publish(folder, "a", [customer("a", "x")])
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").touch()

    for _ in range(2):
        assert compact(folder, "customers", tmp_path / "out" / "customers").path == tmp_path / "out" / "customers"

    assert names_in(tmp_path / "out" / "customers") == {"a": "x"}
    assert not (folder.path / "current").exists()
    assert [found.name for found in (tmp_path / "out").iterdir()] == ["customers"]
    for taken in (tmp_path / "taken", tmp_path / "taken" / "thesis.txt"):
        with pytest.raises(UsageError, match="thesis"):
            compact(folder, "customers", taken)


@pytest.mark.parametrize("name", ["customers", "nothing", "current", "../x"])
def test_what_is_not_there_is_told(folder: DataFolder, name: str) -> None:
    """With the command that lists what is."""
    with pytest.raises(UsageError, match="dataset show"):
        compact(folder, name)


def test_damage_leaves_the_compaction_of_before(folder: DataFolder) -> None:
    """A part that is cut, missing or has other rows ends it, and nothing is left of the try."""
    publish(folder, "a", [customer("a", "x")])
    publish(folder, "b", [customer("b", "x")])
    compact(folder, "customers")
    part = folder.path / "customers" / "b-0001.parquet"
    sound = part.read_bytes()

    for content in (sound[:-9], (folder.path / "customers" / "a-0001.parquet").read_bytes() * 0, None):
        part.unlink() if content is None else part.write_bytes(content)
        with pytest.raises(InputError, match=r"b-0001\.parquet|damaged"):
            compact(folder, "customers")
    pq.write_table(pa.concat_tables([pq.read_table(folder.path / "customers" / "a-0001.parquet")] * 2), part)
    with pytest.raises(InputError, match="has 3 rows where its manifests count 2"):
        compact(folder, "customers")

    assert names_in(folder.path / "current" / "customers") == {"a": "x", "b": "x"}
    assert not list(folder.path.glob(".compact-*"))


@pytest.mark.parametrize("where", ["keys", "parts", "place"])
def test_a_full_disk_leaves_the_compaction_of_before(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """And no scratch files."""
    publish(folder, "a", [customer("a", "old")])
    compact(folder, "customers")
    publish(folder, "a", [customer("a", "new")])

    def no_space_for_a_folder(old: Path, new: Path, rename: Callable[[Path, Path], None] = os.replace) -> None:
        if Path(old).name == "made":
            no_space()
        rename(old, new)

    with monkeypatch.context() as patched:
        if where == "keys":
            fill_at_open(patched, "/keys-")
        elif where == "parts":
            patched.setattr(pq.ParquetWriter, "write_table", no_space)
        else:
            patched.setattr(os, "replace", no_space_for_a_folder)
        with pytest.raises(DiskFull):
            compact(folder, "customers")

    assert names_in(folder.path / "current" / "customers") == {"a": "old"}
    assert not list(folder.path.glob(".compact-*"))


def publish_report(folder: DataFolder, layout: ReportLayout, window: str, rows: str, *, hours: int) -> None:
    """Publish a window of a report that was fetched a number of hours after noon."""
    writer = UnitWriter(folder, layout.data_set, window, Origin(window, "POST", {"_fetched_at": fetched(hours)}))
    body = [line.split(",") for line in rows.split()]
    columns = [pa.array([cell or None for cell in column], pa.string()) for column in zip(*body, strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, names=["contact_id", "agent", "status"])
    writer.write(Rows((("window", window),), batch))
    writer.commit()


def fetched(hours: int) -> dt.datetime:
    return NOON + dt.timedelta(hours=hours)


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    table = pq.read_table(path, columns=["contact_id", "agent", "status"])
    return sorted(tuple(row.values()) for row in table.to_pylist())


@pytest.mark.parametrize(
    ("key", "first", "second", "expected"),
    [
        (("contact_id",), "1,a,open 2,a,open", "2,b,closed 3,b,open", "1,a,open 2,b,closed 3,b,open"),
        (("contact_id", "agent"), "1,a,open 1,b,open", "1,b,closed", "1,a,open 1,b,closed"),
        (("contact_id",), "1,a,open 1,b,open", "1,b,closed 1,a,open", "1,a,open 1,b,closed 1,b,open"),
        ((), "1,a,open 2,a,open", "2,a,open 2,b,closed", "1,a,open 2,a,open 2,b,closed"),
    ],
)
def test_a_report_is_one_row_for_each_key_across_its_windows(
    folder: DataFolder, key: tuple[str, ...], first: str, second: str, expected: str
) -> None:
    """By the columns that were settled with its first row. A key that a window has twice is none: nothing is lost."""
    columns = [ReportColumn(name, name.title(), "text") for name in ("contact_id", "agent", "status")]
    layout = ReportLayout.of("reports/Sample", columns, key)
    folder.remember("reports/Sample", COLUMNS_MEMO, layout.as_memo())
    # Fetched in another order than the windows have.
    publish_report(folder, layout, "2026-11-08_2026-11-14", first, hours=0)
    publish_report(folder, layout, "2026-11-01_2026-11-07", second, hours=1)

    made = compact(folder, "reports/Sample")

    assert rows_of(made.path) == sorted(tuple(row.split(",")) for row in expected.split())
    assert pq.read_table(made.path).schema.equals(layout.data_set.schema)


def test_rows_of_a_report_without_a_key_value_are_told_apart_by_their_content(folder: DataFolder) -> None:
    """They do not make the key of the others none."""
    columns = [ReportColumn(name, name.title(), "text") for name in ("contact_id", "agent", "status")]
    layout = ReportLayout.of("reports/Sample", columns, ("contact_id",))
    folder.remember("reports/Sample", COLUMNS_MEMO, layout.as_memo())
    publish_report(folder, layout, "w1", ",a,open ,b,open 1,a,open", hours=0)
    publish_report(folder, layout, "w2", ",b,open 1,a,closed", hours=1)

    made = compact(folder, "reports/Sample")

    rows = pq.read_table(made.path, columns=["contact_id", "agent", "status"]).to_pylist()
    found = sorted((row["contact_id"] or "", row["agent"], row["status"]) for row in rows)
    assert found == [("", "a", "open"), ("", "b", "open"), ("1", "a", "closed")]


def test_a_note_that_cannot_be_read_ends_it(folder: DataFolder) -> None:
    """What the columns are must not be guessed where it was settled."""
    layout = ReportLayout.of("reports/Sample", [ReportColumn("agent", "Agent", "text")], ())
    columns = pa.RecordBatch.from_arrays([pa.array(["a"], pa.string())], names=["agent"])
    writer = UnitWriter(folder, layout.data_set, "w", Origin("w", "POST"))
    writer.write(Rows((("window", "w"),), columns))
    writer.commit()
    folder.remember("reports/Sample", COLUMNS_MEMO, {"format": 2})

    with pytest.raises(InputError, match="newer version"):
        compact(folder, "reports/Sample")
    (finding,) = verify(folder).findings
    assert (finding.kind, finding.path) == ("damaged_manifest", "_manifest/reports/Sample/_columns.json")


def test_the_lock_is_needed(folder: DataFolder) -> None:
    """A writer beside it could remove parts."""
    publish(folder, "a", [customer("a", "x")])
    folder.close()

    with pytest.raises(RuntimeError, match="lock"):
        compact(folder, "customers")


def test_a_compaction_can_be_stopped_between_rows(folder: DataFolder) -> None:
    """By what its caller raises: the files before it stay, and nothing else is left."""
    publish(folder, "a", [customer("1", "Ada")])
    compact(folder, "customers")
    before = sorted(path.name for path in (folder.path / "current" / "customers").iterdir())
    publish(folder, "b", [customer("1", "Bea")], hours=1)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compact(folder, "customers", check=stop)
    assert sorted(path.name for path in (folder.path / "current" / "customers").iterdir()) == before
    assert not list(folder.path.glob(".compact-*"))
    assert verify(folder, deep=True).is_sound
