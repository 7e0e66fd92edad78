"""NDJSON files: every accident of a line is one rejected row with its position."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.opening import open_reader
from bulkgladly.files.text_files import NdjsonReader
from bulkgladly.records import Position, Problem, Row, Stage
from bulkgladly.strict_json import parse_object


def reader_of(folder: Path, content: bytes, options: ReadOptions | None = None) -> Reader:
    path = folder / "customers.ndjson"
    path.write_bytes(content)
    return open_reader(path, 0, options or ReadOptions())


def reader_in_blocks(folder: Path, content: bytes, options: ReadOptions, block_bytes: int) -> Reader:
    path = folder / "customers.ndjson"
    path.write_bytes(content)
    return NdjsonReader(path, 0, options, block_bytes=block_bytes)


def rows_of(reader: Reader, start: Position | None = None) -> list[Row]:
    return [row for batch in reader.batches(start, size=3) for row in batch]


def test_lines_become_rows_with_positions(tmp_path: Path) -> None:
    """A mark of UTF-8, CRLF, blank lines and a missing last newline change no row."""
    reader = reader_of(tmp_path, b'\xef\xbb\xbf{"name":"Ada"}\r\n\n \t\n{"name":"Grace","_bulkgladly":{"x":1}}')

    rows = rows_of(reader)

    assert reader.columns() is None
    assert rows == [
        Row(Position(0, 0, 1), {"name": "Ada"}),
        Row(Position(0, 23, 4), {"name": "Grace"}),
    ]
    assert reader.estimate_rows() == (2, True)
    assert reader.sample(1) == rows[:1]
    assert reader.sample(0) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"a":1', "malformed_json"),
        (b"{'a':1}", "malformed_json"),
        (b'{"a":NaN}', "malformed_json"),
        (b'{"a":-Infinity}', "malformed_json"),
        (b'{"a":"\x01"}', "malformed_json"),
        (b'{"a":1} {"b":2}', "malformed_json"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"a":"\\ud800"}', "lone_surrogate"),
        (b'{"\\udc00":1}', "lone_surrogate"),
        (b'{"a":"\\u0000"}', "nul_character"),
        (b'{"a":{"\\u0000":[1]}}', "nul_character"),
        (b'{"a":[["\\u0000"]]}', "nul_character"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"a":1, "b" :2,"a" :3}', "duplicate_key"),
        (b'{"x":[{"a":{"b":1,"b":2}}]}', "duplicate_key"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key"),
        (b'{"a":1,"a":2,"b":"\\":"}', "duplicate_key"),
        (b'{"a":1,"a":2,"b":"\\u0022:"}', "duplicate_key"),
        (b'{"a":1,"a":2,"b":"\\u003a"}', "duplicate_key"),
        (b'{"a":1,"a":2,"b":"\\u003A"}', "duplicate_key"),
        (b'{"a":12345678901234567890123}', "unfit_number"),
        (b'{"a":18446744073709551616}', "unfit_number"),
        (b'{"a":-9223372036854775809}', "unfit_number"),
        (b'{"a":' + b"9" * 5000 + b"}", "unfit_number"),
        (b'{"a":0.12345678901234567890}', "unfit_number"),
        (b'{"a":0.1234567890123456789}', "unfit_number"),
        (b'{"a":1234567.89012345678}', "unfit_number"),
        (b'{"a":1e400}', "unfit_number"),
        (b'{"a":1e-400}', "unfit_number"),
        (b'{"a":1E+0400}', "unfit_number"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"true", "not_an_object"),
        (b"7", "not_an_object"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "too_deep"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    ],
)
def test_a_bad_line_costs_one_row(tmp_path: Path, line: bytes, code: str) -> None:
    """Its bytes and its position are kept, and the lines around it are read."""
    reader = reader_of(tmp_path, b'{"ok":1}\n' + line + b'\n{"ok":2}\n')

    before, bad, after = rows_of(reader)

    assert (before.fields, after.fields) == ({"ok": 1}, {"ok": 2})
    assert bad.fields is None
    assert bad.raw == line
    assert bad.position == Position(0, 9, 2)
    assert bad.problem is not None
    assert (bad.problem.code, bad.problem.stage) == (code, Stage.READ)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":18446744073709551615,"b":-9223372036854775808}',
        b'{"a": 1.50, "b": 1e5, "c": -0.0, "d": 1E2, "e": 100000000000000000000.0e-20}',
        b'{"a":0.1000000000000000000000}',
        b'{"a" : 1 , "b" : "x : y" , "c" : "\\u0022: \\u003a"}',
        b'{"a":"\\\\u0000","b":"\xe2\x80\xa8\xc2\x85"}',
        b'{"email:1":"a@example.org","note":"he said \\": no\\""}',
        b'{"a":"c0000000000000000000000000","b":"\\u00e9"}',
        b"{}",
    ],
)
def test_a_line_that_only_looks_suspicious_is_read(line: bytes) -> None:
    """Doubt leads to a second look, not to a rejected row."""
    assert parse_object(line) == json.loads(line)


def test_a_line_above_the_limit_is_passed_over(tmp_path: Path) -> None:
    """Only its beginning is kept; its neighbours are read."""
    content = b'{"a":1}\n{"b":"' + b"x" * 5000 + b'"}\n{"c":1}\n' + b"y" * 3000
    reader = reader_of(tmp_path, content, ReadOptions(max_record_bytes=2000))

    rows = rows_of(reader)

    assert [row.fields for row in rows] == [{"a": 1}, None, {"c": 1}, None]
    assert [row.problem.code for row in rows if row.problem] == ["record_too_large"] * 2
    assert [len(row.raw) for row in rows] == [0, 1000, 0, 1000]
    assert rows_of(reader, rows[2].position) == rows[2:]


def test_the_limit_holds_over_many_blocks(tmp_path: Path) -> None:
    """A line without an end does not fill the memory."""
    content = b"x" * 100 + b'\n{"a":1}\n' + b"y" * 100
    # So small that every line is in several blocks.
    reader = reader_in_blocks(tmp_path, content, ReadOptions(max_record_bytes=20), 5)

    assert [(row.position.offset, row.fields) for row in rows_of(reader)] == [
        (0, None),
        (101, {"a": 1}),
        (109, None),
    ]


def test_long_lines_make_short_batches(tmp_path: Path) -> None:
    """What is in memory at a time is bounded in bytes, not only in rows."""
    reader = reader_of(tmp_path, (b'{"a":"' + b"x" * 1_500_000 + b'"}\n') * 12)

    assert max(len(batch) for batch in reader.batches(size=256)) <= 4


def test_other_encodings_are_read_when_told(tmp_path: Path) -> None:
    """UTF-16 is read by its mark, or when told; a broken character costs one row."""
    content = '\ufeff{"name":"Zoë"}\n{"name":"'.encode("utf-16-le") + b"\x00\xd8" + '"}\n{"a":1}'.encode("utf-16-le")
    recognised = reader_of(tmp_path, content)
    assert recognised.notes == ("is UTF-16, by its byte order mark",)

    rows = rows_of(reader_of(tmp_path, content, ReadOptions(encoding="utf-16")))

    assert [row.fields for row in rows] == [{"name": "Zoë"}, None, {"a": 1}]
    assert rows_of(recognised) == rows
    latin = reader_of(tmp_path, '{"name":"Zoë"}'.encode("latin-1"), ReadOptions(encoding="latin-1"))
    assert rows_of(latin)[0].fields == {"name": "Zoë"}


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    """A rejects file without rejects is a good input."""
    reader = reader_of(tmp_path, b"")

    assert rows_of(reader) == []
    assert reader.estimate_rows() == (0, True)


def test_the_number_of_rows_is_estimated(tmp_path: Path) -> None:
    """The guess says that it is one."""
    reader = reader_of(tmp_path, b'{"name":"Ada Example"}\n' * 20_000)

    count, is_exact = reader.estimate_rows()

    assert not is_exact
    assert 19_000 < count < 21_000


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXTS.filter(lambda key: key != "_bulkgladly"), VALUES, max_size=4)


@given(OBJECTS, st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
def test_every_object_is_read_as_it_was_written(value: dict[str, Any], is_ascii: bool, blanks: tuple[str, str]) -> None:
    """Whoever wrote the line, in whatever style."""
    assert parse_object(json.dumps(value, ensure_ascii=is_ascii, separators=blanks).encode()) == value
    assert parse_object(orjson.dumps(value)) == value


PIECES = st.sampled_from(["a", "b", '":', '" :', "\\u0061", "\\u0022:", "\\u003a", ", ", ": ", "1e999", "\\\\", '\\"'])


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.lists(PIECES, max_size=4), st.sampled_from([":", " :", ": "])),
        max_size=4,
    )
)
def test_no_duplicate_key_slips_through(members: list[tuple[str, list[str], str]]) -> None:
    """The quick proof agrees with a parser that sees every key."""
    texts = ["".join(parts).replace('":', '\\":').replace('" :', '\\" :') for _, parts, _ in members]
    written = zip(members, texts, strict=True)
    line = "{" + ",".join(f'"{key}"{colon}"{text}"' for (key, _, colon), text in written) + "}"
    try:
        pairs: list[tuple[str, Any]] = json.loads(line, object_pairs_hook=list)
    except json.JSONDecodeError:
        return

    found = parse_object(line.encode())

    if len(dict(pairs)) < len(pairs):
        assert isinstance(found, Problem)
        assert found.code == "duplicate_key"
    else:
        assert found == dict(pairs)


LINES = st.lists(
    OBJECTS.map(orjson.dumps) | st.sampled_from([b"", b" ", b'{"a":1}\r', b"{", b"\xff", b'"\xe2\x80\xa8"', b"x" * 40]),
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(LINES, st.booleans(), st.sampled_from([1, 7, 1 << 20]))
def test_a_resume_at_any_row_reads_the_same_rest(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], has_end: bool, block: int
) -> None:
    """Seeking to a row's position gives that row and all after it, wherever the blocks are cut."""
    content = b"\n".join(lines) + (b"\n" if has_end else b"")
    folder = tmp_path_factory.mktemp("lines")
    reader = reader_in_blocks(folder, content, ReadOptions(max_record_bytes=500), block)
    rows = rows_of(reader)

    for index, row in enumerate(rows):
        assert rows_of(reader, row.position) == rows[index:]
    for row in rows:
        assert content[row.position.offset :].startswith(row.raw)
        assert content[: row.position.offset].count(b"\n") == row.position.number - 1
