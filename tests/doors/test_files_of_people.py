"""More files as people have them, of the kinds of `test_files_as_they_are.py`: read, or refused with the fix."""

import gzip
from pathlib import Path

import pytest

from bulkgladly.errors import InputError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.inputs import Inputs
from bulkgladly.files.opening import open_reader
from tests.doors.test_files_as_they_are import fields_of, reader_of, rows_of

CELL = "x" * (10 << 20)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'sep=;\r\nk;name\r\n1;"a;b"\r\n', [("1", "a;b")]),
        (b'k,name\r1,"Ada, B"\r2,"Ben ""x"""\r', [("1", "Ada, B"), ("2", 'Ben "x"')]),
        (b'k,name\r1,"Ada\rB"\r2,Ben\r', [("1", "Ada\nB"), ("2", "Ben")]),
        (b'k,name\r\n1,"a\nb\rc\r\nd"\r\n2,Ben\n', [("1", "a\nb\rc\r\nd"), ("2", "Ben")]),
        (b'k,name\n1,"a\r\nb"\n2,"x\ry"\r\n', [("1", "a\r\nb"), ("2", "x\ry")]),
        (b'k,name\n1,"She said ""hi"""\n2,a "b" c\n', [("1", 'She said "hi"'), ("2", 'a "b" c')]),
        (b"k;name\n1;1,50\n2;2,75\n", [("1", "1,50"), ("2", "2,75")]),
        (b"k;name;\n1;Ada;\n2;Ben;\n", [("1", "Ada"), ("2", "Ben")]),
        (b'k\tname\n1\t"a\tb"\n', [("1", "a\tb")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfk,name\n1,Ada\n", [("1", "Ada")]),
        (b'\xef\xbb\xbf"k","name"\n1,Ada\n', [("1", "Ada")]),
        (b"k,name\r\n1,Ada\r\n\x1a", [("1", "Ada")]),
        (f'k,name\n1,"{CELL}"\n2,Ben\n'.encode(), [("1", CELL), ("2", "Ben")]),
        (b"k,name\n", []),
        (b"k,name", []),
    ],
)
def test_it_is_read(tmp_path: Path, content: bytes, rows: list[tuple[str, str]]) -> None:
    """And every tail of it, from any of its positions."""
    reader = reader_of(tmp_path, content)

    assert reader.columns() == ("k", "name")
    assert fields_of(reader) == [{"k": key, "name": name} for key, name in rows]


def test_a_column_alone_is_a_table(tmp_path: Path) -> None:
    """Blank lines are none of its rows."""
    reader = reader_of(tmp_path, b'email\na@example.org\n\n""\nb@example.org\n')

    assert fields_of(reader) == [{"email": "a@example.org"}, {"email": "b@example.org"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "c.csv",
            b"\xef\xbb\xbfReport\r\n\r\nk,name\r\n1,Ada\r\n",
            r"line 3 looks like one \(k, name\); pass --skip-l",
        ),
        ("c.json", b"<!DOCTYPE html><html><title>Sign in</title></html>", r"is a web page \('Sign in'\), perhaps of a"),
        ("c.json", b'{"error": "unauthorized", "message": "log in"}', "is an error message instead of rows; read it"),
        ("c.json", b"k,name\n1,Ada\n", "is CSV, and not JSON; pass --format csv"),
        ("c.csv", gzip.compress(b"k\n1\n", mtime=0), r"is gzip-compressed; add \.gz to its name"),
        ("c.ndjson", gzip.compress(b'{"k":1}\n', mtime=0), r"is gzip-compressed; add \.gz to its name"),
        ("c.csv.gz", b"k,name\n1,Ada\n", r"is not gzip-compressed, although its name ends in \.gz; remove that from"),
        ("c.csv.zst", b"k,name\n1,Ada\n", r"is not zstd-compressed, although its name ends in \.zst; remove that"),
        ("c.csv", b"", "is empty; a CSV file needs a header line"),
        ("c.csv", b"\n\n  \n", "is empty; a CSV file needs a header line"),
        ("c.csv", b"\xef\xbb\xbf", "is empty; a CSV file needs a header line"),
        ("c.csv.gz", gzip.compress(b"", mtime=0), "is empty; a CSV file needs a header line"),
        ("c.csv", "k,name\r\n1,Ada\r\n2,Zoë\r\n".encode("utf-16-le"), "pass --encoding utf-16-le"),
        ("c.csv", "k,имя\r\n1,Анна\r\n".encode("utf-16-le"), "pass --encoding utf-16-le"),
        ("c.ndjson", '{"k":"1"}\n'.encode("utf-16-be"), "pass --encoding utf-16-be"),
        ("c.csv", "k,price\n1,10 €\n2,20\n".encode("cp1252"), ":2: this line is not UTF-8; pass --encoding cp1252"),
        ("c.csv", "k,price\n1,£10\n".encode("cp1252"), ":2: this line is not UTF-8; pass --encoding cp1252"),
        ("c.csv", "k,name\n1,O\u2019Neil\n".encode("cp1252"), ":2: this line is not UTF-8; pass --encoding cp1252"),
        ("c.csv", "k,price\n1,10 €\n".encode("iso-8859-15"), "pass --encoding iso-8859-15 if it is to have euro signs"),
    ],
)
def test_it_is_refused_as_a_whole(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """Before anything is sent, with what it is and what to do."""
    with pytest.raises(InputError, match=message):
        reader_of(tmp_path, content, name=name)


@pytest.mark.parametrize(
    ("content", "code", "detail"),
    [
        (b"k,name\n1,A\x00da\n2,Ben\n", "nul_character", "has a NUL character; remove it"),
        (b'k,name\n1,"x "y" z"\n2,Ben\n', "malformed_csv", "close every quote"),
        (b'k,name\n1,"a \\"b\\" c"\n2,Ben\n', "malformed_csv", "a backslash stands before a quote"),
        (b"k,name\n1,Ada,x\n2,Ben\n", "ragged_row", "has 3 cells, but the header has 2"),
        (b"k,name\n1,A\xff\n2,Ben\n", "invalid_encoding", "has bytes that are not utf-8"),
        (
            "k,name\r\n".encode("utf-16") + b"1\0,\0\0\xd8B\0\r\0\n\0" + "2,Ben\r\n".encode("utf-16-le"),
            "invalid_encoding",
            "has bytes that are not utf-16",
        ),
    ],
)
def test_a_row_of_it_is_rejected(tmp_path: Path, content: bytes, code: str, detail: str) -> None:
    """And no other one."""
    bad, good = rows_of(reader_of(tmp_path, content))

    assert bad.problem is not None
    assert bad.problem.code == code
    assert detail in bad.problem.detail
    assert good.fields == {"k": "2", "name": "Ben"}


def test_an_error_that_is_a_row_is_read(tmp_path: Path) -> None:
    """A record may have a field of that name."""
    reader = reader_of(tmp_path, b'{"id": "1", "error": "none"}', name="c.json")

    assert fields_of(reader) == [{"id": "1", "error": "none"}]


def test_a_folder_as_spark_writes_it(tmp_path: Path) -> None:
    """Without its bookkeeping, and without the files of empty partitions."""
    folder = tmp_path / "table"
    (folder / "_temporary").mkdir(parents=True)
    for name, content in (
        ("_SUCCESS", b""),
        ("._SUCCESS.crc", b"x"),
        (".part-0.csv.crc", b"x"),
        ("_temporary/part-9.csv", b"k\n9\n"),
        ("part-0.csv", b"k\n1\n"),
        ("part-1.csv", b""),
        ("part-2.csv", b"k\n2\n"),
    ):
        (folder / name).write_bytes(content)

    inputs = Inputs.open([str(folder)])

    assert [row.fields for batch in inputs.batches() for row in batch] == [{"k": "1"}, {"k": "2"}]
    with pytest.raises(InputError, match=r"part-1\.csv: is empty"):
        open_reader(folder / "part-1.csv", 0, ReadOptions())
