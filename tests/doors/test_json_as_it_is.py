"""JSON files that are not one object per line: arrays, pages of an API, objects over several lines."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.opening import open_reader
from bulkgladly.files.text_files import NdjsonReader
from bulkgladly.records import Position, Row

TWO = [{"id": 1, "name": 'A]}"\\da'}, {"id": 2, "tags": ["x", {"y": "["}]}]
ARRAY, DOCUMENT = "is a single JSON array", "is a JSON document with its rows in 'data'"
SPREAD, JOINED = "has JSON objects over several lines", "has several JSON objects in a line"


def reader_of(folder: Path, content: bytes, options: ReadOptions | None = None, *, name: str = "c.json") -> Reader:
    path = folder / name
    path.write_bytes(content)
    return open_reader(path, 0, options or ReadOptions())


def rows_of(reader: Reader, start: Position | None = None) -> list[Row]:
    return [row for batch in reader.batches(start, size=2) for row in batch]


def forms() -> list[tuple[str, str | None]]:
    one, two = (json.dumps(row) for row in TWO)
    many, other = (json.dumps(row, indent=2) for row in TWO)
    return [
        (f"{one}\n{two}\n", None),
        (json.dumps(TWO), ARRAY),
        (json.dumps(TWO, indent=4), ARRAY),
        (f"[\n{one},\n{two}\n]\n", ARRAY),
        (f"[{one}]\n[{two}]", ARRAY),
        (json.dumps({"data": TWO}), DOCUMENT),
        (json.dumps({"count": 2, "next_page": None, "data": TWO}, indent=2), DOCUMENT),
        (json.dumps({"data": TWO, "meta": {"page": [1]}, "links": {}}, indent=2), DOCUMENT),
        (f"{many}\n{other}\n", SPREAD),
        (f"{many},\n{other}", SPREAD),
        (f"{many}{other}", SPREAD),
        (f"{one}{two}", JOINED),
        (f"{one}, {two}\n", JOINED),
    ]


@pytest.mark.parametrize(("content", "note"), forms())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_form_is_read(tmp_path: Path, content: str, note: str | None, encoding: str) -> None:
    """A resume at any row reads the same rest, and the line is where the row begins."""
    data = content.encode(encoding)
    reader = reader_of(tmp_path, data)

    rows = rows_of(reader)

    assert [row.fields for row in rows] == TWO
    assert reader.notes[-1:] == ((note,) if note else reader.notes[-1:])
    for index, row in enumerate(rows):
        assert rows_of(reader, row.position) == rows[index:]
        if encoding == "utf-8":
            at = row.position.offset
            assert (content[at], content[:at].count("\n") + 1) == ("{", row.position.number)
    assert rows_of(reader_of(tmp_path, gzip.compress(data), name="d.json.gz")) == rows
    assert reader.estimate_rows() == (2, True)


@pytest.mark.parametrize(
    "record",
    [
        {"id": 1, "items": [{"sku": "a"}]},
        {"emails": [{"original": "a@example.org"}]},
        {"data": {"x": 1}, "name": "Ada"},
        {"name": "Ada", "tasks": [{"id": 1}]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_record_with_a_list_stays_a_record(tmp_path: Path, record: dict[str, Any], indent: int | None) -> None:
    """Only a list under a usual name with nothing beside it but counts and cursors is a page of rows."""
    assert [row.fields for row in rows_of(reader_of(tmp_path, json.dumps(record, indent=indent).encode()))] == [record]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("count", [1, 20_000])
def test_a_page_is_a_row_for_a_mapping_that_goes_through_it(tmp_path: Path, indent: int | None, count: int) -> None:
    """However long it is."""
    page = {"count": count, "tickets": [{"id": at, "subject": "x"} for at in range(count)]}

    rows = rows_of(reader_of(tmp_path, json.dumps(page, indent=indent).encode(), ReadOptions(has_pages=True)))

    assert [row.fields for row in rows] == [page]


def test_a_page_is_a_row_only_for_a_mapping_that_goes_through_its_own_list(tmp_path: Path) -> None:
    """`[each] of = "comments"` goes through a list in each ticket; the tickets themselves are the rows."""
    page = {"tickets": [{"id": 1, "comments": [{"id": 7}]}, {"id": 2, "comments": []}], "next_page": None}
    content = json.dumps(page).encode()

    tickets = rows_of(reader_of(tmp_path, content, ReadOptions(has_pages=True, page_lists=("comments",))))
    whole = rows_of(reader_of(tmp_path, content, ReadOptions(has_pages=True, page_lists=("tickets",))))

    assert [row.fields for row in tickets] == page["tickets"]
    assert [row.fields for row in whole] == [page]


def test_pages_in_lines_stay_lines(tmp_path: Path) -> None:
    """Each line is an object, so nothing is guessed."""
    pages = [{"data": [{"id": 1}]}, {"data": [{"id": 2}]}]

    rows = rows_of(reader_of(tmp_path, "\n".join(map(json.dumps, pages)).encode()))

    assert [row.fields for row in rows] == pages


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b'[{"id":1},{"id":2', [None, "malformed_json"]),
        (b'[{"id":1}, 7, "x", {"id":}, {"id":2}]', [None, *["not_an_object"] * 2, "malformed_json", None]),
        (b'{"data":[{"id":1}],"users":[{"id":2}]}', [None, "malformed_json"]),
        (b'{"data":[{"id":1}]}\n\n{"data":[{"id":2}]}', [None, None]),
        (b'{"data":[\n{"id":1}]}{"data":[{"id":2}]}', [None, "malformed_json"]),
        (b'[{"id":1}] trailing', [None, "malformed_json"]),
        (b'[{"id":1},{"x":"' + b"x" * 5000 + b'"},{"id":2}]', [None, "record_too_large", None]),
        (b"[]", []),
        (b'{"data": []}', []),
        (b'{\n"a":1}\n{"b":', [None, "malformed_json"]),
    ],
)
def test_nothing_is_lost_in_silence(tmp_path: Path, content: bytes, codes: list[str | None]) -> None:
    """What is not a row, or comes after the list, is a row with a problem."""
    for block in (1, 7, 1 << 20):
        path = tmp_path / f"{block}.json"
        path.write_bytes(content)
        reader = NdjsonReader(path, 0, ReadOptions(max_record_bytes=2000), block_bytes=block)

        rows = rows_of(reader)

        assert [row.problem.code if row.problem else None for row in rows] == codes
        for index, row in enumerate(rows):
            assert rows_of(reader, row.position) == rows[index:]


def test_a_first_line_that_is_broken_makes_no_other_form(tmp_path: Path) -> None:
    """It costs its row, as any other line."""
    rows = rows_of(reader_of(tmp_path, b'{"a":1\n{"b":2}\n{"c":3}\n'))

    assert [row.problem.code if row.problem else row.fields for row in rows] == ["malformed_json", {"b": 2}, {"c": 3}]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.sampled_from('a"\\[]{},: \n\u00e9'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from('abc"]'), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.dictionaries(st.sampled_from(['x"', "y]", "z"]), VALUES, max_size=3), min_size=1, max_size=5),
    st.sampled_from([None, 1]),
    st.sampled_from([1, 5, 1 << 20]),
    st.booleans(),
)
def test_every_array_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, table: list[dict[str, Any]], indent: int | None, block: int, is_bare: bool
) -> None:
    """Wherever the blocks are cut, and from every row."""
    path = tmp_path_factory.mktemp("json") / "c.json"
    text = "".join(json.dumps(row, indent=1) for row in table) if is_bare else json.dumps(table, indent=indent)
    path.write_text(text)
    reader = NdjsonReader(path, 0, ReadOptions(), block_bytes=block)

    rows = rows_of(reader)

    assert [row.fields for row in rows] == table
    for index, row in enumerate(rows):
        assert rows_of(reader, row.position) == rows[index:]
