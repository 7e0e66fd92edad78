"""CSV files: cells as they stand, and no bad quote that costs more than its line."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkgladly.errors import InputError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.csv_files import CsvReader
from bulkgladly.files.opening import open_reader
from bulkgladly.files.sources import cuts_at_bytes
from bulkgladly.files.text_form import cr_as_newline
from bulkgladly.records import Position, Row, Stage


def reader_of(folder: Path, content: bytes, options: ReadOptions | None = None, *, name: str = "c.csv") -> Reader:
    path = folder / name
    path.write_bytes(content)
    return open_reader(path, 0, options or ReadOptions())


def rows_of(reader: Reader, start: Position | None = None) -> list[Row]:
    return [row for batch in reader.batches(start, size=3) for row in batch]


def test_records_become_rows_with_positions(tmp_path: Path) -> None:
    """A row is numbered by the line at which it begins, with blank lines and quoted newlines before it."""
    reader = reader_of(tmp_path, b'\xef\xbb\xbf"name",zip\r\nAda,007\r\n\r\n"a\r\nb"," 1e5 "\r\n,"""x"""')

    rows = rows_of(reader)

    assert reader.columns() == ("name", "zip")
    assert rows == [
        Row(Position(0, 15, 2), {"name": "Ada", "zip": "007"}),
        Row(Position(0, 26, 4), {"name": "a\r\nb", "zip": " 1e5 "}),
        Row(Position(0, 42, 6), {"name": "", "zip": '"x"'}),
    ]
    assert reader.estimate_rows() == (3, True)
    assert reader.sample(2) == rows[:2]


@pytest.mark.parametrize(
    ("record", "code", "detail"),
    [
        (b"1", "ragged_row", "has 1 cell, but the header has 2"),
        (b"1,2,3", "ragged_row", "has 3 cells, but the header has 2"),
        (b'1,"2\n\n3",4', "ragged_row", "has 3 cells"),
        (b'1,"open', "malformed_csv", "not valid CSV"),
        (b'1,"a"b', "malformed_csv", "not valid CSV"),
        (b"1,a\rb", "malformed_csv", "not valid CSV"),
        (b"1,\xff", "invalid_encoding", "has bytes that are not utf-8"),
        (b'1,"x\n\xff"', "invalid_encoding", "has bytes that are not utf-8"),
        (b"1,a\0b", "nul_character", "has a NUL character"),
        (b"1," + b"x" * 3000, "record_too_large", "is longer than 2000 bytes"),
        (b"1," + b"x" * 1999, "record_too_large", "is longer than 2000 bytes"),
    ],
)
def test_a_bad_record_costs_one_row(tmp_path: Path, record: bytes, code: str, detail: str) -> None:
    """Its bytes, position and line are kept, and reading goes on, also when it begins at that row."""
    content = b'a,b\n"0\n",0\n' + record + b"\n8,8\n9,9\n"
    reader = reader_of(tmp_path, content, ReadOptions(max_record_bytes=2000))

    rows = rows_of(reader)

    assert [row.fields for row in rows] == [
        {"a": "0\n", "b": "0"},
        None,
        {"a": "8", "b": "8"},
        {"a": "9", "b": "9"},
    ]
    assert rows[1].position == Position(0, 11, 4)
    assert rows[1].raw == (record[:1000] if code == "record_too_large" else record)
    problem = rows[1].problem
    assert problem is not None
    assert (problem.code, problem.stage) == (code, Stage.READ)
    assert problem.detail.startswith(detail)
    assert rows_of(reader, rows[1].position) == rows[1:]


@pytest.mark.parametrize("lines", [50, 15_000])
def test_an_open_quote_does_not_swallow_the_rest(tmp_path: Path, lines: int) -> None:
    """Whether the end of the file comes first, or the limit of lines in a record."""
    rest = b"".join(b"%d,x\n" % number for number in range(lines))
    reader = reader_of(tmp_path, b'a,b\n1,"open\n' + rest + b'2,"open too\n3,x\n')

    rows = rows_of(reader)

    assert [row.raw for row in rows if row.problem] == [b'1,"open', b'2,"open too']
    assert len(rows) == lines + 3
    assert [row.position.number for row in rows] == list(range(2, lines + 5))


def test_a_long_record_is_given_up_after_its_bytes_too(tmp_path: Path) -> None:
    """A missing quote is found before the memory is full; the line that broke the limit is read for itself."""
    content = b'a,b\n1,"open\n' + b"2,x\n" * 20 + b"y" * 500 + b"\n3,x\n"
    reader = reader_of(tmp_path, content, ReadOptions(max_record_bytes=60))

    rows = rows_of(reader)

    assert [row.problem.code for row in rows if row.problem] == ["record_too_large", "record_too_large"]
    assert sum(row.fields is not None for row in rows) == 21


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; a CSV file needs a header"),
        (b"\n\r\n", "is empty; a CSV file needs a header"),
        (b"a,b,a\n", "the header has 'a' more than once"),
        (b'a,"b\n1,2\n', "the header cannot be read: not valid CSV"),
        (b"a,\xff\n", "the header cannot be read: has bytes that are not utf-8"),
        ("a,b".encode("utf-16-le"), "pass --encoding utf-16-le"),
        (b"PK\x03\x04rest", "Excel file"),
        (b"PAR1rest", "pass --format parquet"),
    ],
)
def test_a_file_without_a_usable_header_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Before the first row, with the file's name and the way out."""
    with pytest.raises(InputError, match=message) as caught:
        reader_of(tmp_path, content)

    assert "c.csv" in str(caught.value)


def test_a_row_that_only_looks_like_the_header_is_a_row(tmp_path: Path) -> None:
    """Somebody may be called as a column is."""
    reader = reader_of(tmp_path, b"name,tier\nname,gold\ntier,name\nsurname,tier\n")

    assert [row.problem for row in rows_of(reader)] == [None, None, None]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
@pytest.mark.parametrize("suffix", ["c.csv", "c.csv.gz"])
def test_a_header_alone_is_a_file_without_rows(tmp_path: Path, end: bytes, suffix: str) -> None:
    """However the header ends."""
    import gzip  # noqa: PLC0415 - for this case alone

    content = b"a,b" + end
    reader = reader_of(tmp_path, gzip.compress(content) if suffix.endswith("gz") else content, name=suffix)

    assert rows_of(reader) == []
    assert reader.estimate_rows() == (0, True)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-be", "utf-32", "shift_jis", "cp500"],
)
def test_other_encodings_are_read_when_told(tmp_path: Path, encoding: str) -> None:
    """Positions are good for a resume in each of them."""
    text = "name;note\nAda;ソ\n" if encoding == "shift_jis" else "name;note\nZoë;1\n"
    content = (text + '"x\ny";2\n').encode(encoding)
    reader = reader_of(tmp_path, content, ReadOptions(encoding=encoding, delimiter=";"))

    rows = rows_of(reader)

    last = text.splitlines()[1].split(";")
    assert [row.fields for row in rows] == [{"name": last[0], "note": last[1]}, {"name": "x\ny", "note": "2"}]
    assert rows_of(reader, rows[1].position) == rows[1:]


def test_undecodable_bytes_in_a_wide_encoding_cost_one_row(tmp_path: Path) -> None:
    """The stream is turned into UTF-8 first, and a broken character stays broken in it."""
    content = "a,b\n1,".encode("utf-16-le") + b"\x00\xdc" + "\n2,x\n".encode("utf-16-le")
    rows = rows_of(reader_of(tmp_path, content, ReadOptions(encoding="utf-16-le")))

    assert [row.problem.code if row.problem else row.fields for row in rows] == [
        "invalid_encoding",
        {"a": "2", "b": "x"},
    ]


def test_a_wrong_encoding_is_noticed_by_the_mark(tmp_path: Path) -> None:
    """A file with the mark of UTF-8 is never read as a code page."""
    with pytest.raises(InputError, match="pass --encoding utf-8"):
        reader_of(tmp_path, b"\xef\xbb\xbfa,b\n", ReadOptions(encoding="cp1252"))


def test_which_encodings_can_be_cut_before_they_are_decoded() -> None:
    """In some, the byte of a delimiter is also a part of other characters."""
    assert all(cuts_at_bytes(name, '\n,"') for name in ("utf-8", "latin-1", "cp1252", "koi8-r", "shift_jis"))
    assert not any(cuts_at_bytes(name, "\n") for name in ("utf-16", "utf-32-le", "cp500", "utf-7", "iso2022_jp", "hz"))
    assert not cuts_at_bytes("shift_jis", "|")
    assert not cuts_at_bytes("cp1252", "§")
    assert cuts_at_bytes("utf-8", "§")


def test_dialects(tmp_path: Path) -> None:
    """Tabs by suffix, other delimiters and quotes by option, and quotes without a meaning."""
    assert rows_of(reader_of(tmp_path, b"a\tb\n1\t2", name="c.tsv"))[0].fields == {"a": "1", "b": "2"}
    assert reader_of(tmp_path, b"a;b\n", ReadOptions(delimiter=";"), name="d.tsv").columns() == ("a", "b")
    quoted = reader_of(tmp_path, b"a,b\n'1,1',2", ReadOptions(quotechar="'"))
    assert rows_of(quoted)[0].fields == {"a": "1,1", "b": "2"}
    plain = reader_of(tmp_path, b'a,b\n"1,2', ReadOptions(quotechar=None))
    assert rows_of(plain)[0].fields == {"a": '"1', "b": "2"}
    literal = reader_of(tmp_path, b'a,b\n5" pipe,2')
    assert rows_of(literal)[0].fields == {"a": '5" pipe', "b": "2"}
    wide = reader_of(tmp_path, "a§b\n1§2".encode(), ReadOptions(delimiter="§"))
    assert rows_of(wide)[0].fields == {"a": "1", "b": "2"}


def test_large_cells_are_no_accident(tmp_path: Path) -> None:
    """The csv module's own limit of 128 KiB a cell is not ours."""
    reader = reader_of(tmp_path, b"a\n" + b"x" * 1_000_000)

    assert rows_of(reader)[0].fields == {"a": "x" * 1_000_000}


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6) | st.sampled_from(
    ["", "\n", "\r\n", "\r", '"', '""', ",", "\u2028", "\x85", "\x0b", "\ufeff", " "]
)


@given(
    st.lists(st.tuples(CELLS, CELLS).filter(lambda cells: "".join(cells).strip(" \t")), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-16"]),
)
@example([("\ufeff", "\u2028")], "\n", "utf-8")
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str]], end: str, encoding: str
) -> None:
    """Every text in every cell, and every tail of the file from every row."""
    file = io.StringIO(newline="")
    # The writer leaves a lone carriage return bare, which no reader may accept; quoting all is RFC 4180.
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *table])
    reader = reader_of(tmp_path_factory.mktemp("csv"), file.getvalue().encode(encoding), ReadOptions(encoding=encoding))

    rows = rows_of(reader)

    assert [row.fields for row in rows] == [{"a": left, "b": right} for left, right in table]
    for index, row in enumerate(rows):
        assert rows_of(reader, row.position) == rows[index:]


SCRAPS = st.sampled_from([b"a", b",", b'"', b"\n", b"\r\n", b"\r", b"\xff", b"\0", b'""', b"b,c\n", b'"x\ny",z\n'])


@given(body=st.lists(SCRAPS, max_size=25).map(b"".join), block=st.sampled_from([1, 6, 1 << 20]))
@example(body=b"\0a\0a\0", block=1)
def test_any_bytes_are_read_and_none_are_lost(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, block: int
) -> None:
    """Every byte of the file is in a row or between two; a resume at any row reads the same rest."""
    content = b"x,y\n" + body
    folder = tmp_path_factory.mktemp("scraps")
    path = folder / "c.csv"
    path.write_bytes(content)
    try:
        reader = CsvReader(path, 0, ReadOptions(max_record_bytes=40), block_bytes=block)
    except InputError as error:  # so many zeros that it looks like UTF-16
        if "pass --encoding utf-16" not in str(error):
            raise
        return
    rows = rows_of(reader)

    for index, row in enumerate(rows):
        assert rows_of(reader, row.position) == rows[index:]
    if reader.notes:  # its lines end with a carriage return
        content = cr_as_newline(content)
    ends = [*(row.position.offset for row in rows[1:]), len(content)][: len(rows)]
    covered = b""
    for row, end in zip(rows, ends, strict=True):
        piece = content[row.position.offset : end]
        if row.problem:
            assert piece.startswith(row.raw)
            assert not piece[len(row.raw) :].strip(b"\r\n")
        covered += piece
    assert content[4:].removesuffix(covered).strip(b"\r\n") == b""
