"""Parts as Parquet, NDJSON and CSV, in every compression: each gives its rows back, and no cut passes."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import zstandard

from bulkgladly.errors import UsageError
from bulkgladly.lake.conversion import convert
from bulkgladly.lake.file_formats import format_of, rows_in
from bulkgladly.lake.manifest import PartEntry
from bulkgladly.lake.part_writer import PartOptions, PartWriter
from bulkgladly.lake.rows import Origin, Reject
from bulkgladly.lake.schemas import DATA_SETS, DataSet

WAYS = [
    *(("parquet", how, ".parquet") for how in ("zstd", "snappy", "gzip", "none")),
    *(("ndjson", how, end) for how, end in (("none", ".ndjson"), ("zstd", ".ndjson.zst"), ("gzip", ".ndjson.gz"))),
    *(("csv", how, end) for how, end in (("none", ".csv"), ("zstd", ".csv.zst"), ("gzip", ".csv.gz"))),
]
PROFILES = DATA_SETS["profiles"]
LINES = [
    (
        b'{"id":"a","name":"Ada \\"A\\"\\r\\n,\xc3\xa9","address":"",'
        b'"emails":[{"original":"a@example.org","primary":true}],'
        b'"customAttributes":{"tier":"gold"},"createdAt":"2024-05-01T23:59:45.01Z","_asked_id":"z"}'
    ),
    b'{"id":"b","name":null,"phones":[null,{"type":""}],"score":0.1000000000000000055511151231257827,"_line":"mine"}',
    b'{"id":"c","customAttributes":{"tier":5,"big":123456789012345678901234567890}}',
]


def unexpected(refused: Reject) -> None:
    raise AssertionError(refused)


def written(top: Path, lines: list[bytes], data_set: DataSet = PROFILES, **options: Any) -> PartEntry:
    """Write lines as one part, and give it its name."""
    writer = PartWriter(top, data_set, Origin("unit", "lines"), PartOptions(**options))
    convert([b"\n".join(lines)], data_set, write=writer.write, reject=unexpected)
    (report,) = writer.finish()
    (top / report.partial).rename(top / report.path)
    return report


def text_of(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    return data.decode()


@pytest.mark.parametrize(("name", "compression", "suffix"), WAYS)
def test_every_format_has_its_suffix_and_counts_its_rows(
    tmp_path: Path, name: str, compression: str, suffix: str
) -> None:
    """What a manifest says of a part is what the file holds, told by its name alone."""
    lines = [orjson.dumps({"id": str(at), "name": 'x"\r\n' * (at % 7)}) for at in range(5000)]

    report = written(tmp_path, lines, format=name, compression=compression)

    assert report.path == f"unit-0001{suffix}"
    assert report.rows == rows_in(tmp_path / report.path) == 5000
    assert report.bytes == (tmp_path / report.path).stat().st_size


@pytest.mark.parametrize(("name", "compression", "suffix"), WAYS)
@pytest.mark.parametrize("cut", [1, 2, 700])
def test_a_cut_file_is_found(tmp_path: Path, name: str, compression: str, suffix: str, cut: int) -> None:
    """Wherever the end is missing, there is an error or another number of rows."""
    path = tmp_path / written(tmp_path, [*LINES] * 50, format=name, compression=compression).path
    path.write_bytes(path.read_bytes()[:-cut])

    try:
        found: int | None = rows_in(path)
    except OSError:
        found = None

    assert found != 150, suffix


@pytest.mark.parametrize("name", ["ndjson", "csv"])
@pytest.mark.parametrize("cut", [1, 3])
def test_a_text_that_ends_within_a_record_is_an_error(tmp_path: Path, name: str, cut: int) -> None:
    """Regardless of how many rows are expected."""
    path = tmp_path / written(tmp_path, LINES, format=name).path
    path.write_bytes(path.read_bytes()[:-cut])

    with pytest.raises(OSError, match="ends within"):
        rows_in(path)


def test_long_quoted_texts_do_not_upset_the_count(tmp_path: Path) -> None:
    """A text with line ends and quotes in it that is longer than what is read at once."""
    lines = [orjson.dumps({"id": str(at), "name": 'x\n"' * 700_000}) for at in range(3)]

    assert written(tmp_path, lines, DATA_SETS["inboxes"], format="csv").rows == 3


@pytest.mark.parametrize("compression", ["none", "zstd", "gzip"])
def test_ndjson_holds_the_lines_as_they_came(tmp_path: Path, compression: str) -> None:
    """In the API's own shape, to the last digit, with the provenance beside; a clash of names loses nothing."""
    report = written(tmp_path, LINES, format="ndjson", compression=compression)

    found = [json.loads(line, parse_float=str) for line in text_of(tmp_path / report.path).splitlines()]
    first, second, third = sorted(found, key=lambda row: int(row["_line"]))
    assert first == json.loads(LINES[0]) | {"createdAt": "2024-05-01T23:59:45.010Z", "_line": 1}
    assert second == json.loads(LINES[1], parse_float=str) | {"_line": 2, "_extra": {"_line": "mine"}}
    assert third == json.loads(LINES[2]) | {"_line": 3}


def test_csv_is_flat_and_quoted(tmp_path: Path) -> None:
    """One field for each column, JSON where a column is nested, nothing where it is null, quotes where it is empty."""
    report = written(tmp_path, LINES, format="csv")

    text = text_of(tmp_path / report.path)
    rows = sorted(csv.DictReader(io.StringIO(text, newline=""), strict=True), key=lambda row: int(row["_line"]))
    assert list(rows[0]) == PROFILES.schema.names
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["name"] == 'Ada "A"\r\n,é'
    assert json.loads(rows[0]["emails"]) == [{"original": "a@example.org", "primary": True}]
    assert json.loads(rows[0]["customAttributes"]) == {"tier": "gold"}
    assert rows[0]["createdAt"] == "2024-05-01T23:59:45.010000Z"
    assert (rows[0]["_line"], rows[0]["_asked_id"]) == ("1", "z")
    assert json.loads(rows[1]["phones"]) == [None, {"type": ""}]
    assert rows[2]["customAttributes"] == "{}"
    assert json.loads(rows[2]["_extra"])["customAttributes.tier"] == 5
    assert text.startswith('"id","name",')
    assert '\r\n"b",,,' in text
    assert ',"",' in text
    assert text.endswith("\r\n")


def test_texts_of_csv_come_back_whatever_they_hold(tmp_path: Path) -> None:
    """Quotes, commas, line ends and nothing at all."""
    names = ['"', '""', ",", "\n", "\r", "\r\n", "", " ", "a,b", 'x"y', "'", "\0", "é\U0001f600", "null", "="]
    lines = [orjson.dumps({"id": "x", "name": name}) for name in names]

    report = written(tmp_path, lines, DATA_SETS["inboxes"], format="csv")

    rows = list(csv.DictReader(io.StringIO(text_of(tmp_path / report.path), newline=""), strict=True))
    assert [row["name"] for row in rows] == names


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_data_set_can_be_written_in_every_format(tmp_path: Path, name: str) -> None:
    """Also a row that has nothing but its provenance; no column has a type that a format cannot hold."""
    data_set = DATA_SETS[name]

    for kind in ("parquet", "ndjson", "csv"):
        assert written(tmp_path, [b"{}"], data_set, format=kind, partition=()).rows == 1

    row = next(csv.DictReader(io.StringIO(text_of(tmp_path / "unit-0001.csv"), newline="")))
    assert {column: text for column, text in row.items() if text} == {"_line": "1"}
    assert json.loads(text_of(tmp_path / "unit-0001.ndjson")) == {"_line": 1}
    schema = pq.read_schema(tmp_path / "unit-0001.parquet")
    assert schema.equals(data_set.schema)
    assert schema.metadata == data_set.schema.metadata


def test_what_is_not_offered_is_refused_with_what_is(tmp_path: Path) -> None:
    """Before anything is written."""
    with pytest.raises(UsageError, match="'avro' is not supported; choose parquet, ndjson or csv"):
        PartWriter(tmp_path / "x", PROFILES, Origin("u", "f"), PartOptions(format="avro"))
    with pytest.raises(UsageError, match="csv files cannot be compressed with snappy; choose none, zstd or gzip"):
        PartWriter(tmp_path / "x", PROFILES, Origin("u", "f"), PartOptions(format="csv", compression="snappy"))

    assert not list(tmp_path.iterdir())
    assert format_of("parquet").suffix == ".parquet"
    assert format_of("ndjson").suffix == ".ndjson"


def test_a_file_of_another_format_is_not_counted(tmp_path: Path) -> None:
    """Neither by its name nor by its content."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    (tmp_path / "a.txt").write_bytes(b"x\n")

    for name in ("a.parquet", "a.txt"):
        with pytest.raises(OSError, match=name):
            rows_in(tmp_path / name)
