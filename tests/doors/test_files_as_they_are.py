"""Text files as spreadsheets, databases and failed downloads leave them: read, or refused as a whole with the fix."""

import gzip
from pathlib import Path

import pytest

from bulkgladly.errors import InputError, UsageError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.inputs import Inputs
from bulkgladly.files.opening import open_reader
from bulkgladly.records import Position, Row, Word

THREE = [{"k": "1", "name": "Ada"}, {"k": "2", "name": "Ben"}, {"k": "3", "name": "Cy"}]


def reader_of(folder: Path, content: bytes, options: ReadOptions | None = None, *, name: str = "c.csv") -> Reader:
    path = folder / name
    path.write_bytes(content)
    return open_reader(path, 0, options or ReadOptions())


def rows_of(reader: Reader, start: Position | None = None) -> list[Row]:
    return [row for batch in reader.batches(start, size=2) for row in batch]


def fields_of(reader: Reader) -> list[object]:
    """Return the rows that are read; every tail of them, from any of their positions, is the same."""
    rows = rows_of(reader)
    for index, row in enumerate(rows):
        assert rows_of(reader, row.position) == rows[index:]
    return [row.fields for row in rows if not (row.problem and row.problem.word is Word.SKIPPED)]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"k,name\n1,Ada\n2,Ben\n3,Cy\n", None),
        (b"\xef\xbb\xbfk,name\r\n1,Ada\r\n2,Ben\r\n3,Cy", None),
        (b"k;name\n1;Ada\n2;Ben\n3;Cy\n", "has its columns separated by ';'"),
        (b"k\tname\n1\tAda\n2\tBen\n3\tCy\n", "has its columns separated by tabs"),
        (b"k|name\n1|Ada\n2|Ben\n3|Cy\n", "has its columns separated by '|'"),
        (b'"k";"name"\n"1";"Ada"\n"2";"Ben"\n"3";"Cy"\n', "has its columns separated by ';'"),
        (b"sep=,\r\nk,name\r\n1,Ada\r\n2,Ben\r\n3,Cy\r\n", "names its delimiter in the first line: ','"),
        (b"\xef\xbb\xbfsep=;\r\nk;name\r\n1;Ada\r\n2;Ben\r\n3;Cy", "names its delimiter in the first line: ';'"),
        (b"SEP=\t\nk\tname\n1\tAda\n2\tBen\n3\tCy", "names its delimiter in the first line: tabs"),
        (b'"sep=;"\nk;name\n1;Ada\n2;Ben\n3;Cy', "names its delimiter in the first line: ';'"),
        (b"k,name\r1,Ada\r2,Ben\r3,Cy\r", "ends lines with a carriage return alone, as on old Macs"),
        (b"k,name\r1,Ada\r2,Ben\r3,Cy", "ends lines with a carriage return alone, as on old Macs"),
        (b"k,name\r\n1,Ada\r2,Ben\r\n3,Cy\r\n", "ends lines with a carriage return alone, as on old Macs"),
        ("k,name\n1,Ada\n2,Ben\n3,Cy\n".encode("utf-16"), "is UTF-16, by its byte order mark"),
        ("\ufeffk,name\n1,Ada\n2,Ben\n3,Cy\n".encode("utf-16-be"), "is UTF-16, by its byte order mark"),
        ("k,name\n1,Ada\n2,Ben\n3,Cy\n".encode("utf-32"), "is UTF-32, by its byte order mark"),
        (b"k,name,,\n1,Ada,,\n2,Ben,,\n3,Cy,,\n", None),
        (b"k,,name\n1,,Ada\n2, ,Ben\n3,,Cy\n", None),
        (b"k,name\n1,Ada,\n2,Ben,,,\n3,Cy\n", None),
        (b",,\nk,name\n1,Ada\n2,Ben\n3,Cy\n", None),
        (b"k,name\n1,Ada\n,\n2,Ben\n , \t\n3,Cy\n,\n", None),
        (b"k,name\n1,Ada\nk,name\n2,Ben\n\xef\xbb\xbfk, name \n3,Cy\n", None),
    ],
)
def test_a_file_is_read_as_it_is(tmp_path: Path, content: bytes, note: str | None) -> None:
    """What it takes is said in one line, and a resume reads the same rows."""
    reader = reader_of(tmp_path, content)

    assert fields_of(reader) == THREE
    assert reader.columns() == ("k", "name")
    assert reader.notes == (() if note is None else (note,))
    packed = reader_of(tmp_path, gzip.compress(content), name="d.csv.gz")
    assert (fields_of(packed), packed.notes) == (THREE, reader.notes)


def test_utf_16_with_tabs_as_excel_saves_unicode_text(tmp_path: Path) -> None:
    """Two things at once are two lines."""
    reader = reader_of(tmp_path, "k\tname\r\n1\tAda\r\n2\tBen\r\n3\tCy\r\n".encode("utf-16"))

    assert fields_of(reader) == THREE
    assert reader.notes == ("is UTF-16, by its byte order mark", "has its columns separated by tabs")


def test_what_is_said_is_obeyed(tmp_path: Path) -> None:
    """A flag is stronger than anything that is recognised; a line sep= is no row all the same."""
    content = b"a;b\n1;2\n"
    assert reader_of(tmp_path, content, ReadOptions(delimiter=",")).columns() == ("a;b",)
    assert reader_of(tmp_path, b"sep=;\na,b\n", ReadOptions(delimiter=",")).columns() == ("a", "b")
    # With an encoding that was named, bad bytes cost their rows.
    latin = "k,name\n1,Zoë\n2,Ben\n".encode("cp1252")
    rows = rows_of(reader_of(tmp_path, latin, ReadOptions(encoding="utf-8")))
    assert [row.problem.code if row.problem else row.fields for row in rows] == [
        "invalid_encoding",
        {"k": "2", "name": "Ben"},
    ]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b"a,b;c\n1,2;3\n", ("a", "b;c")),
        (b"name;nick\nAda\nBen\nCy\n", ("name;nick",)),
        (b"a;b|c\n1;2|3\n", ("a;b|c",)),
        (b"note\nhello\n", ("note",)),
    ],
)
def test_a_delimiter_that_is_not_clear_is_not_guessed(tmp_path: Path, content: bytes, columns: tuple[str, ...]) -> None:
    """Only a header that makes no sense otherwise, with rows of its width, says that there is another one."""
    reader = reader_of(tmp_path, content)

    assert (reader.columns(), reader.notes) == (columns, ())


def test_rows_that_are_skipped_are_counted(tmp_path: Path) -> None:
    """Blank rows and repeated headers have a place and a reason, and are nobody's reject."""
    rows = rows_of(reader_of(tmp_path, b"k,name\n1,Ada\n,\nk,name\n2,Ben\n"))

    skipped = [(row.position.number, row.problem.code, row.problem.word) for row in rows if row.problem]
    assert skipped == [(3, "blank_row", Word.SKIPPED), (4, "header_again", Word.SKIPPED)]


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    """Lines before the header, line breaks in cells and blank lines all count."""
    content = b'Report\n2026\nk,name\n1,"A\nda"\n\n2,Ben\n'

    rows = rows_of(reader_of(tmp_path, content, ReadOptions(skip_lines=2)))

    assert [row.position.number for row in rows] == [4, 7]
    assert rows_of(reader_of(tmp_path, b"sep=,\nk,name\n1,x\n"))[0].position.number == 3
    assert rows_of(reader_of(tmp_path, b"k,name\r1,x\r2,y\r"))[1].position.number == 3


PREAMBLES = [
    b"Customer Report\nGenerated 2026-11-01\n\nk,name,email:1\n1,Ada,a@example.org\n2,Ben,b@example.org\n",
    b"Customer Report,,\nGenerated,,\n,,\nk,name,email:1\n1,Ada,a@example.org\n2,Ben,b@example.org\n",
    b"Customer Report\r\n\r\n\r\nk;name;email:1\r\n1;Ada;a@example.org\r\n2;Ben;b@example.org\r\n",
]


@pytest.mark.parametrize("content", PREAMBLES)
def test_lines_before_the_header_are_named_and_skipped(tmp_path: Path, content: bytes) -> None:
    """The message says which line looks like the header; with the flag, the file is read."""
    with pytest.raises(InputError, match=r"line 4 looks like one \(k, name, email:1\); pass --skip-lines 3 if"):
        reader_of(tmp_path, content)

    reader = reader_of(tmp_path, content, ReadOptions(skip_lines=3))

    assert reader.columns() == ("k", "name", "email:1")
    assert [row.position.number for row in rows_of(reader)] == [5, 6]


def test_skipping_lines_has_its_limits(tmp_path: Path) -> None:
    """More lines than there are leave nothing, and a negative number is a mistake."""
    with pytest.raises(InputError, match="is empty; a CSV file needs a header"):
        reader_of(tmp_path, b"a,b\n1,2\n", ReadOptions(skip_lines=9))
    told = reader_of(tmp_path, PREAMBLES[0], ReadOptions(skip_lines=0))
    assert told.columns() == ("Customer Report",)
    with pytest.raises(UsageError, match="--skip-lines must not be negative"):
        ReadOptions(skip_lines=-1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>", r"is a web page \('Sign in'\)"),
        (b"\xef\xbb\xbf\n <html lang='en'><body>x", "is a web page, perhaps of a sign-in; sign in"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is an XML document"),
        (b"<Error><Code>AccessDenied</Code></Error>", "is an XML document"),
        (b'{"error":{"message":"expired"}}', "is JSON with an error message instead of rows"),
        (b'{"id":1}\n{"id":2}\n', "is JSON, not CSV; pass --format ndjson"),
        (b'[{"id":1}]', "is JSON, not CSV; pass --format ndjson"),
        ("k,name\n1,Ada\n2,Zoë\n".encode("cp1252"), ":3: this line is not UTF-8; pass --encoding cp1252"),
        ("k,name\n1,M\u00fcller\n".encode("latin-1"), ":2: this line is not UTF-8; pass --encoding cp1252"),
        ("k,name\n1,Ada\n".encode("utf-16-le"), "pass --encoding utf-16-le"),
        ("k,name\n1,Ada\n".encode("utf-16-be"), "pass --encoding utf-16-be"),
        (b",k,name\n0,1,Ada\n", r"column 1 of 3 has values but no name in the header; .*index=False"),
        (b"k,,name\n1,x,Ada\n", "column 2 of 3 has values but no name in the header"),
        (b"Report,,May\nk,name,a\n1,x,2\n", "no name .*; if line 1 is not the header, pass --skip-lines"),
        (b'"k,name"\n"1,Ada"\n', "every line is a single cell in quotes; export the file again"),
        (b"%PDF-1.7\n", "is a PDF document; export the table as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"is an old Excel file \(\.xls\); save it as CSV"),
        (b"BZh91AY", "is bzip2-compressed; unpack it"),
    ],
)
def test_a_file_that_is_something_else_is_refused_as_a_whole(tmp_path: Path, content: bytes, message: str) -> None:
    """With what it is and what to do, instead of a reject for each line."""
    with pytest.raises(InputError, match=message):
        reader_of(tmp_path, content)


@pytest.mark.parametrize("content", [b"<html><body>Sign in</body></html>", b"<?xml version='1.0'?><x/>"])
def test_a_web_page_is_no_json_either(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"is a web page|is an XML document"):
        reader_of(tmp_path, content, name="c.ndjson")


def test_a_damaged_byte_in_a_file_of_utf_8_costs_its_row(tmp_path: Path) -> None:
    """A file with letters as UTF-8 writes them is not in another encoding."""
    content = "k,name\n1,Zoë\n2,".encode() + b"B\xe9n\n"

    rows = rows_of(reader_of(tmp_path, content))

    assert [row.problem.code if row.problem else row.fields for row in rows] == [
        {"k": "1", "name": "Zoë"},
        "invalid_encoding",
    ]


def test_a_value_in_a_column_without_a_name_costs_its_row(tmp_path: Path) -> None:
    """If it comes later than the first rows, which are looked at when the file is opened."""
    content = b"k,name,\n" + b"1,Ada,\n" * 200 + b"2,Ben,stray\n"

    last = rows_of(reader_of(tmp_path, content))[-1]

    assert last.problem is not None
    assert last.problem.code == "nameless_column"
    assert last.problem.detail.startswith("has a value in column 3, which has no name in the header")


def test_carriage_returns_inside_of_cells_are_not_line_ends(tmp_path: Path) -> None:
    """Neither in quotes, nor in a row that would not make rows when it is cut there."""
    quoted = reader_of(tmp_path, b'k,name\n1,"A\rda"\n')
    assert (rows_of(quoted)[0].fields, quoted.notes) == ({"k": "1", "name": "A\rda"}, ())
    bare = rows_of(reader_of(tmp_path, b"k,name\n1,A\rda\n2,Ben\n"))
    assert [row.problem.code if row.problem else "good" for row in bare] == ["malformed_csv", "good"]


def test_files_with_the_same_form_share_a_line(tmp_path: Path) -> None:
    """A hundred parts of one export are not a hundred lines."""
    for number in range(3):
        (tmp_path / f"part-{number}.csv").write_bytes(b"k;name\n1;Ada\n")

    notes = Inputs.open([str(tmp_path / "part-*.csv")]).notes

    assert notes == (f"{tmp_path}/part-0.csv and 2 more: has its columns separated by ';'",)


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("c.tsv", b"k\tname\n1\tAda\n", [{"k": "1", "name": "Ada"}]),
        ("c.csv", b"k;name\n1;Ada\n", [{"k;name": "1;Ada"}]),
        ("c.csv", b"note\na,b\nc,d\n", ["ragged_row", "ragged_row"]),
        ("c.csv", b"k,name\n1,Z\xf6e\n", ["invalid_encoding"]),
        ("c.csv", b"k,name\n1,A\r2,B\n", ["malformed_csv"]),
        ("c.ndjson", b'{\n"a":1}\n', ["malformed_json", "malformed_json"]),
    ],
)
def test_a_run_of_an_earlier_version_reads_the_same_rows(
    tmp_path: Path, name: str, content: bytes, rows: list[object]
) -> None:
    """Its options have the old defaults, and nothing is recognised."""
    options = ReadOptions(encoding="utf-8", delimiter=",", is_plain=True)

    found = rows_of(reader_of(tmp_path, content, options, name=name))

    assert [row.problem.code if row.problem else row.fields for row in found] == rows


def test_a_header_in_angle_brackets_is_a_header(tmp_path: Path) -> None:
    assert reader_of(tmp_path, b"<k>,<name>\n1,Ada\n").columns() == ("<k>", "<name>")
