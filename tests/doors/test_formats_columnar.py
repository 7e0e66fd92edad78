"""Parquet and Arrow files: typed values become what JSON can say, and a resume reads the same rest."""

import datetime as dt
import struct
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.errors import InputError
from bulkgladly.files import cells
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.opening import open_reader
from bulkgladly.records import Position, Row, Stage

UTC = dt.UTC


def array_of(values: list[Any], kind: pa.DataType) -> "pa.Array[Any]":
    """Return an array; one of halves by way of singles, since older versions of pyarrow take halves from numpy only."""
    single = {pa.float16(): pa.float32(), pa.list_(pa.float16()): pa.list_(pa.float32())}.get(kind)
    return pa.array(values, type=kind) if single is None else pa.array(values, type=single).cast(kind)


def table_of(columns: dict[str, tuple[list[Any], pa.DataType]]) -> pa.Table:
    arrays = [array_of(values, kind) for values, kind in columns.values()]
    return pa.Table.from_arrays(arrays, names=list(columns))


def write_parquet(table: pa.Table, folder: Path) -> Path:
    path = folder / "c.parquet"
    pq.write_table(table, path, row_group_size=4)
    return path


def write_arrow(table: pa.Table, folder: Path, *, is_stream: bool = False, name: str = "c.arrow") -> Path:
    path = folder / name
    make = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as file, make(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    return path


def write_stream(table: pa.Table, folder: Path) -> Path:
    return write_arrow(table, folder, is_stream=True)


def write_feather(table: pa.Table, folder: Path) -> Path:
    path = folder / "c.feather"
    pyarrow.feather.write_feather(table, str(path), compression="zstd", chunksize=4)
    return path


WRITERS = [write_parquet, write_arrow, write_stream, write_feather]
Write = Callable[[pa.Table, Path], Path]


def reader_of(path: Path) -> Reader:
    return open_reader(path, 0, ReadOptions())


def rows_of(reader: Reader, start: Position | None = None, size: int = 3) -> list[Row]:
    return [row for batch in reader.batches(start, size=size) for row in batch]


@pytest.mark.parametrize("write", WRITERS)
def test_rows_have_positions_that_a_resume_can_seek(tmp_path: Path, write: Write) -> None:
    """The piece of the file and the number of the record; from each of them the rest is the same."""
    path = write(table_of({"n": (list(range(11)), pa.int64()), "name": (["x"] * 11, pa.string())}), tmp_path)
    reader = reader_of(path)

    rows = rows_of(reader)

    assert reader.columns() == ("n", "name")
    assert [row.fields for row in rows] == [{"n": number, "name": "x"} for number in range(11)]
    assert [row.position for row in rows] == [Position(0, number // 4, number + 1) for number in range(11)]
    for index, row in enumerate(rows):
        assert rows_of(reader, row.position, size=2) == rows[index:]
    assert reader.sample(6) == rows[:6]
    assert reader.sample(0) == []
    count, is_exact = reader.estimate_rows()
    assert count == 11 if is_exact or path.suffix == ".feather" else 8 <= count <= 20


@pytest.mark.parametrize("write", WRITERS)
def test_a_file_without_rows_is_no_mistake(tmp_path: Path, write: Write) -> None:
    """It has its columns all the same."""
    reader = reader_of(write(table_of({"n": ([], pa.int64())}), tmp_path))

    assert reader.columns() == ("n",)
    assert rows_of(reader) == []
    assert reader.estimate_rows() == (0, True)


@pytest.mark.parametrize("write", WRITERS)
def test_values_become_what_json_can_say(tmp_path: Path, write: Write) -> None:
    """The same, at the top and inside lists and objects."""
    moment = dt.datetime(2024, 1, 2, 3, 4, 5, 678_000)  # noqa: DTZ001 - naive columns are a case
    emails = pa.list_(
        pa.struct([("original", pa.string()), ("primary", pa.bool_()), ("at", pa.timestamp("ms", "UTC"))])
    )
    table = table_of(
        {
            "text": (["Zoë", None], pa.string()),
            "large": (["x", None], pa.large_string()),
            "word": (["a", None], pa.dictionary(pa.int8(), pa.string())),
            "bytes": ([b"ok", None], pa.binary()),
            "flag": ([True, None], pa.bool_()),
            "big": ([(1 << 64) - 1, None], pa.uint64()),
            "real": ([1.5, None], pa.float64()),
            "sum": ([Decimal("1.50"), None], pa.decimal128(10, 2)),
            "utc": ([moment.replace(tzinfo=UTC), None], pa.timestamp("us", "Europe/Berlin")),
            "naive": ([moment, None], pa.timestamp("ms")),
            "nano": ([1_704_164_645_000_000_001, None], pa.timestamp("ns", "UTC")),
            "whole": ([moment.replace(microsecond=0), None], pa.timestamp("us")),
            "early": ([moment.replace(1969, 12, 31, 23, 59, 59, 500_000), None], pa.timestamp("us")),
            "day": ([dt.date(2024, 2, 29), None], pa.date32()),
            "time": ([dt.time(1, 2, 3, 4), None], pa.time64("us")),
            "span": ([dt.timedelta(seconds=-90), None], pa.duration("s")),
            "emails": (
                [[{"original": "a@example.org", "primary": None, "at": moment.replace(tzinfo=UTC)}, None], None],
                emails,
            ),
            "map": ([[("tier", "gold"), ("none", None)], None], pa.map_(pa.string(), pa.string())),
            "none": ([None, None], pa.null()),
        }
    )
    if write is write_parquet:
        table = table.drop_columns(["span"])

    first, second = rows_of(reader_of(write(table, tmp_path)))

    expected = {
        "text": "Zoë",
        "large": "x",
        "word": "a",
        "bytes": "ok",
        "flag": True,
        "big": (1 << 64) - 1,
        "real": 1.5,
        "sum": "1.50",
        "utc": "2024-01-02T03:04:05.678Z",
        "naive": "2024-01-02T03:04:05.678",
        "nano": "2024-01-02T03:04:05.000000001Z",
        "whole": "2024-01-02T03:04:05",
        "early": "1969-12-31T23:59:59.500",
        "day": "2024-02-29",
        "time": "01:02:03.000004",
        "span": "-PT90S",
        "emails": [{"original": "a@example.org", "primary": None, "at": "2024-01-02T03:04:05.678Z"}, None],
        "map": {"tier": "gold", "none": None},
        "none": None,
    }
    if write is write_parquet:
        del expected["span"]
    assert first.fields == expected
    assert second.fields == dict.fromkeys(expected)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.float32(), [0.1, -0.3, 16777216.0, 1.1754944e-38, 123456.79, 0.0]),
        (pa.float16(), [0.1, -0.3, 2048.0, 65504.0, 0.0]),
        (pa.float64(), [0.1, 0.10000000149011612, 1e300]),
    ],
)
@pytest.mark.parametrize("write", [write_parquet, write_arrow])
def test_a_number_keeps_the_digits_that_it_had(
    tmp_path: Path, write: Write, kind: pa.DataType, values: list[float]
) -> None:
    """The shortest one that is that value in its column: what CSV would say, and not what a wider type makes of it."""
    rows = rows_of(
        reader_of(write(table_of({"n": (values, kind), "l": ([[n] for n in values], pa.list_(kind))}), tmp_path))
    )

    assert [row.fields for row in rows] == [{"n": n, "l": [n]} for n in values]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_short_number_is_the_same_number(value: float) -> None:
    """No float32 becomes another one by being written shortly."""
    short = cells.short32(value)

    assert struct.pack("f", short) == struct.pack("f", value)
    assert len(repr(short)) <= len(repr(value))


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_values_of_a_page_with_a_wrong_checksum_are_not_imported(
    tmp_path: Path, compression: Literal["none", "zstd"]
) -> None:
    """A flipped bit ends the run, naming file and row group; the row groups before it are good."""
    path = tmp_path / "c.parquet"
    table = table_of({"n": ([f"customer-{n:04}" for n in range(2000)], pa.string())})
    pq.write_table(
        table, path, row_group_size=1000, write_page_checksum=True, use_dictionary=False, compression=compression
    )
    meta = pq.read_metadata(path).row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[meta.data_page_offset + meta.total_compressed_size - 5] ^= 1
    path.write_bytes(content)

    reader = reader_of(path)
    batches = reader.batches(size=1000)

    assert len(next(batches)) == 1000
    with pytest.raises(InputError, match=r"c\.parquet: row group 1 cannot be read: .*(CRC|checksum)"):
        next(batches)


def test_identifiers_and_extension_types_are_read(tmp_path: Path) -> None:
    """A UUID column is text in its usual form."""
    stored = array_of([b"\x12\x34" * 8], pa.binary(16))
    table = pa.Table.from_arrays([pa.ExtensionArray.from_storage(pa.uuid(), stored)], names=["id"])

    assert rows_of(reader_of(write_arrow(table, tmp_path)))[0].fields == {"id": "12341234-1234-1234-1234-123412341234"}


@pytest.mark.parametrize(
    ("value", "kind", "code"),
    [
        (b"\xff\xfe", pa.binary(), "invalid_utf8"),
        ([b"\xff"], pa.list_(pa.binary()), "invalid_utf8"),
        ("a\0b", pa.string(), "nul_character"),
        ({"a": "\0"}, pa.struct([("a", pa.string())]), "nul_character"),
        (float("nan"), pa.float64(), "unfit_number"),
        (float("inf"), pa.float32(), "unfit_number"),
        (1 << 62, pa.timestamp("s"), "time_out_of_range"),
        (1 << 62, pa.timestamp("s", "UTC"), "time_out_of_range"),
        ((1 << 31) - 1, pa.date32(), "time_out_of_range"),
        ([("a", 1), ("a", 2)], pa.map_(pa.string(), pa.int64()), "duplicate_key"),
    ],
)
def test_a_value_without_a_form_costs_one_row(tmp_path: Path, value: Any, kind: pa.DataType, code: str) -> None:
    """The row is kept as far as it can be shown; the rows around it are read."""
    table = table_of({"name": (["Ada", "Grace", "Mary"], pa.string()), "x": ([None, value, None], kind)})

    rows = rows_of(reader_of(write_arrow(table, tmp_path)))

    assert [row.fields is None for row in rows] == [False, True, False]
    problem = rows[1].problem
    assert problem is not None
    assert (problem.code, problem.attr, problem.stage) == (code, "x", Stage.READ)
    assert b"Grace" in rows[1].raw


def test_text_that_is_not_utf8_costs_one_row(tmp_path: Path) -> None:
    """Some writers put any bytes into text columns; the rest of the batch is good."""
    raw = array_of([b"ok", b"\xff", b"fine"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    path = write_arrow(pa.Table.from_arrays([text], names=["name"]), tmp_path)

    rows = rows_of(reader_of(path))

    assert [row.fields for row in rows] == [{"name": "ok"}, None, {"name": "fine"}]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather", ".ipc"])
@pytest.mark.parametrize("content", [b"", b"garbage that is no file", b"PAR1PAR1", b"ARROW1\0\0garbage", b"FEA1 old"])
def test_garbage_is_refused_when_opened(tmp_path: Path, suffix: str, content: bytes) -> None:
    """With the file's name, and no foreign exception."""
    path = tmp_path / f"c{suffix}"
    path.write_bytes(content)

    if suffix != ".parquet" and not content:
        with pytest.raises(InputError):
            reader_of(path)
        return
    with pytest.raises(InputError, match=rf"c\{suffix}: "):
        reader_of(path)


@pytest.mark.parametrize("write", [write_parquet, write_arrow, write_stream])
def test_damage_inside_is_named_when_reached(tmp_path: Path, write: Write) -> None:
    """The rows before it are good."""
    names = [f"person {number} of Springfield" for number in range(4000)]
    table = table_of({"name": (names, pa.string())})
    path = write(table, tmp_path)
    content = bytearray(path.read_bytes())
    if write is write_stream:
        del content[len(content) // 2 + 3 :]
    else:
        content[len(content) // 2 : len(content) // 2 + 4000] = b"\xff" * 4000
    path.write_bytes(content)
    rows: list[Row] = []

    with pytest.raises(InputError, match=r"c\.\w+: .*download or write the file again"):
        rows.extend(row for batch in reader_of(path).batches() for row in batch)

    assert all(row.fields for row in rows)
    assert len(rows) > 1000 or write is write_parquet


def test_offsets_that_point_nowhere_do_not_crash_the_process(tmp_path: Path) -> None:
    """Arrow itself trusts them."""
    table = table_of({"name": (["x" * 50] * 4, pa.string())})
    path = write_arrow(table, tmp_path)
    content = path.read_bytes()
    offsets = b"".join((50 * number).to_bytes(4, "little") for number in range(5))
    assert offsets in content
    path.write_bytes(content.replace(offsets, offsets[:4] + b"\xff\xff\xff\x7f" * 4))

    with pytest.raises(InputError, match="cannot be read"):
        rows_of(reader_of(path))


def test_schemas_that_rows_cannot_hold_are_refused(tmp_path: Path) -> None:
    """Before the first row, naming the column."""
    twice = pa.Table.from_arrays([array_of([1], pa.int8()), array_of([2], pa.int8())], names=["a", "a"])
    with pytest.raises(InputError, match="has the column 'a' more than once"):
        reader_of(write_arrow(twice, tmp_path))

    interval = table_of({"span": ([None], pa.month_day_nano_interval())})
    with pytest.raises(InputError, match="column 'span' has the type month_day_nano_interval"):
        reader_of(write_arrow(interval, tmp_path))

    inner = pa.struct([pa.field("b", pa.int8()), pa.field("b", pa.int8())])
    with pytest.raises(InputError, match="column 's' has the type"):
        reader_of(write_arrow(pa.schema([("s", inner)]).empty_table(), tmp_path))


def test_a_large_row_group_is_not_loaded_whole(tmp_path: Path) -> None:
    """A batch is made from a slice; only it becomes Python objects."""
    path = tmp_path / "c.parquet"
    pq.write_table(table_of({"n": (list(range(20_000)), pa.int64())}), path)

    batches = reader_of(path).batches(size=100)

    assert [len(next(batches)) for _ in range(3)] == [100, 100, 100]
    assert rows_of(reader_of(path), Position(0, 0, 19_999))[0].fields == {"n": 19_998}


def test_long_values_make_short_batches(tmp_path: Path) -> None:
    """What is in memory at a time is bounded in bytes, not only in rows."""
    texts = [str(number) * 1_000_000 for number in range(10, 40)]
    path = tmp_path / "c.parquet"
    pq.write_table(table_of({"text": (texts, pa.string())}), path, compression="zstd", use_dictionary=False)

    batches = list(reader_of(path).batches())

    assert max(len(batch) for batch in batches) <= 4
    assert [row.fields["text"] for batch in batches for row in batch if row.fields] == texts


def test_pyarrow_is_loaded_only_for_columnar_files(tmp_path: Path) -> None:
    """And pandas never, installed or not."""
    (tmp_path / "c.csv").write_bytes(b"a\n1\n")
    write_parquet(table_of({"n": ([1], pa.int64()), "t": ([0], pa.timestamp("ns"))}), tmp_path)
    script = """
import sys
from bulkgladly.files.inputs import Inputs
list(Inputs.open([sys.argv[1]]).batches())
assert "pyarrow" not in sys.modules
list(Inputs.open([sys.argv[2]]).batches())
assert "pyarrow" in sys.modules and "pandas" not in sys.modules
"""

    arguments = [sys.executable, "-c", script, str(tmp_path / "c.csv"), str(tmp_path / "c.parquet")]
    subprocess.run(arguments, check=True, timeout=30)
