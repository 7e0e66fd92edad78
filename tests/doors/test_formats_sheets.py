"""Excel files: every cell as the text that it means, and what cannot be read refused with the fix."""

import datetime as dt
import io
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bulkgladly.errors import InputError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.opening import open_reader
from bulkgladly.files.sheet_cells import cell_text, column_letters
from bulkgladly.records import Position, Row, Word

HEADER = ["k", "name", "zip"]
THREE = [["k", "name"], ["1", "Ada"], ["2", "Ben"], ["3", "Cy"]]


def book_of(path: Path, sheets: Mapping[str, Iterable[Sequence[Any]]], *, hidden: Sequence[str] = ()) -> Path:
    """Write a workbook."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    book.save(path)
    return path


def reader_of(path: Path, **options: Any) -> Reader:
    return open_reader(path, 0, ReadOptions(**options))


def rows_of(reader: Reader, start: Position | None = None) -> list[Row]:
    return [row for batch in reader.batches(start, size=2) for row in batch]


def rewritten(path: Path, changes: dict[str, bytes]) -> Path:
    """Replace parts of an archive."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def _at(day: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> dt.datetime:
    """Return a time in November 2026: spreadsheets know no zones."""
    return dt.datetime(2026, 11, day, hour, minute, second, microsecond)  # noqa: DTZ001 - see above


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (None, "General", ""),
        (" 007 ", "General", " 007 "),
        ("a_x000D_\nb", "General", "a\r\nb"),
        ("a_x005F_x000D_b", "General", "a_x000D_b"),
        (True, "General", "true"),
        (4711, "General", "4711"),
        (4711.0, "General", "4711"),
        (4711.0, "0.00", "4711"),
        (1234, "00000", "01234"),
        (0.1, "General", "0.1"),
        (1e-7, "General", "0.0000001"),
        (4915112345678, "0.00E+00", "4915112345678"),
        (1.234567890123457e16, "General", "1.234567890123457E+16"),
        (_at(1), "yyyy-mm-dd", "2026-11-01"),
        (_at(1), 'd"th" mmm yy', "2026-11-01"),
        (_at(1), "dd.mm.yyyy hh:mm", "2026-11-01T00:00:00"),
        (_at(1, 9, 30), "yyyy-mm-dd", "2026-11-01T09:30:00"),
        (_at(1, 9, 30, 0, 250_000), "General", "2026-11-01T09:30:00.250"),
        (dt.time(9, 30), "h:mm", "09:30:00"),
        (dt.timedelta(hours=30), "[h]:mm", "30:00:00"),
    ],
)
def test_a_cell_is_the_text_that_it_means(value: Any, number_format: str, text: str) -> None:
    """Dates are ISO, numbers have all their digits, and digits that Excel has lost are not invented."""
    assert cell_text(value, number_format) == text


def test_columns_are_named_as_in_excel() -> None:
    """So that a person finds them."""
    assert [column_letters(number) for number in (1, 26, 27, 702, 703)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_rows_have_the_numbers_that_excel_shows(tmp_path: Path) -> None:
    """Blank rows are passed over, and each tail of the rows can be read again from its position."""
    path = book_of(
        tmp_path / "a.xlsx",
        {
            "S": [
                ["k", "name", "zip"],
                ["1", "Ada", "01234"],
                [],
                [None, " "],
                ["2", None, 5.0],
                ["k", "name", "zip"],
                [3],
            ]
        },
    )
    reader = reader_of(path)

    rows = rows_of(reader)

    assert [row.position.number for row in rows] == [2, 5, 6, 7]
    assert [row.fields for row in rows if row.fields] == [
        {"k": "1", "name": "Ada", "zip": "01234"},
        {"k": "2", "name": "", "zip": "5"},
        {"k": "3", "name": "", "zip": ""},
    ]
    assert rows[2].problem is not None
    assert (rows[2].problem.code, rows[2].problem.word) == ("header_again", Word.SKIPPED)
    for index, row in enumerate(rows):
        assert rows_of(reader, row.position) == rows[index:]
    assert (reader.columns(), reader.estimate_rows(), reader.notes) == (("k", "name", "zip"), (4, True), ())
    assert reader.sample(2) == rows[:2]


def test_an_error_stands_as_excel_shows_it(tmp_path: Path) -> None:
    """`check` counts it as a word for no value."""
    path = book_of(tmp_path / "a.xlsx", {"S": [["k", "tier"], ["1", "#N/A"]]})

    assert [row.fields for row in rows_of(reader_of(path))] == [{"k": "1", "tier": "#N/A"}]


def test_the_first_visible_sheet_with_values_is_read(tmp_path: Path) -> None:
    """One line says which, and another one can be chosen, also if it is hidden."""
    sheets = {"Notes": [], "Lists": [["x"]], "Customers": THREE, "Old": [["k"], ["9"]]}
    path = book_of(tmp_path / "a.xlsx", sheets, hidden=["Lists"])

    reader = reader_of(path)

    assert len(rows_of(reader)) == 3
    assert reader.notes == ("sheet 'Customers' is read, not 'Notes', 'Lists', 'Old'; --sheet NAME chooses another",)
    assert rows_of(reader_of(path, sheet="old"))[0].fields == {"k": "9"}
    assert reader_of(path, sheet="Lists").columns() == ("x",)
    with pytest.raises(InputError, match="has no sheet 'Customer'; did you mean 'Customers'"):
        reader_of(path, sheet="Customer")
    with pytest.raises(InputError, match="has no sheet 'x'; choose 'Notes', 'Lists', 'Customers' or 'Old'"):
        reader_of(path, sheet="x")


def test_a_title_above_the_header_is_named(tmp_path: Path) -> None:
    """With merged cells, as titles have them."""
    path = tmp_path / "a.xlsx"
    book = openpyxl.load_workbook(book_of(path, {"S": [["Customer Report"], [], *THREE]}))
    book["S"].merge_cells("A1:B1")
    book.save(path)

    with pytest.raises(
        InputError, match=r"line 1 is not a header, but line 3 looks like one \(k, name\); pass --skip-lines 2"
    ):
        reader_of(path)
    reader = reader_of(path, skip_lines=2)
    assert [row.position.number for row in rows_of(reader)] == [4, 5, 6]
    assert reader.notes == ("has merged cells (A1:B1): only the first of them has the value",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["k", None, "name"], ["1", "x", "Ada"]], r"column B has values \(row 2\) but no name in the header"),
        ([["Report", None, "May"], ["k", "name", "a"]], r"no name .*; if row 1 is not the header, pass --skip-lines"),
        ([["k"], ["1"], ["2", "x"]], r"column B has values \(row 3\) but no name in the header"),
        ([["k", "k"], ["1", "2"]], "the header has 'k' more than once"),
        ([], "sheet 'S' has no values; it needs a row with the column names"),
        ([["k", "n"], ["1", "=A2&1"]], "cell B2 has a formula that was never calculated; open the file in Excel"),
    ],
)
def test_a_sheet_that_cannot_be_meant_is_refused(tmp_path: Path, rows: list[list[Any]], message: str) -> None:
    """As a whole, with the cell and the fix."""
    with pytest.raises(InputError, match=message):
        reader_of(book_of(tmp_path / "a.xlsx", {"S": rows}))


def test_a_value_without_a_column_costs_its_row(tmp_path: Path) -> None:
    """Far below, it rejects this row alone."""
    rows = [["k", "n"], *[["1", "x"]] * 150, ["2", "y", "z"], ["3", "w"]]

    found = rows_of(reader_of(book_of(tmp_path / "a.xlsx", {"S": rows})))

    assert [row.problem.code for row in found if row.problem] == ["nameless_column"]
    assert (found[150].position.number, found[150].raw, found[151].fields) == (152, b"2\ty\tz", {"k": "3", "n": "w"})


def test_results_of_formulas_are_read(tmp_path: Path) -> None:
    """The value that Excel kept, also an empty text."""
    path = book_of(tmp_path / "a.xlsx", {"S": [["k", "n"], ["1", "x"], ["2", "y"]]})
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml")
    cells = (b'<c r="B2" t="str"><f>UPPER("q")</f><v>Q</v></c>', b'<c r="B3" t="str"><f>IF(1,"","")</f><v></v></c>')
    for old, new in zip((b'r="B2"', b'r="B3"'), cells, strict=True):
        at = xml.index(b"<c " + old)
        xml = xml[:at] + new + xml[xml.index(b"</c>", at) + 4 :]

    found = rows_of(reader_of(rewritten(path, {"xl/worksheets/sheet1.xml": xml})))

    assert [row.fields for row in found] == [{"k": "1", "n": "Q"}, {"k": "2", "n": ""}]


def zipped(**parts: bytes) -> bytes:
    """Return a ZIP archive; `__` in a name is a slash."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"", "is empty"),
        (
            "a.xlsx",
            b"k,name\n1,Ada\n",
            "is not an Excel file, whatever its name says; if it holds text, pass --format csv",
        ),
        ("a.xlsx", b"PK\x03\x04 and no more", "is damaged: .*; download or save it again"),
        (
            "a.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            r"is an old Excel file \(.xls\); save it as .xlsx",
        ),
        (
            "a.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
            "is protected by a password; open it in Excel, remove the password",
        ),
        ("a.xlsx", zipped(mimetype=b"x"), "is a LibreOffice file"),
        ("a.xlsx", zipped(readme=b"x"), "is a ZIP archive, and not an Excel file"),
        ("a.xlsx", zipped(xl__workbookxbin=b"x").replace(b"xbin", b".bin"), r"is a binary Excel file \(.xlsb\)"),
        ("a.xls", b"", "is an old Excel file; save it as .xlsx, or save the sheet as CSV"),
        ("a.xlsb", b"", "is a binary Excel file; save it as .xlsx, or save the sheet as CSV"),
        ("a.xlsx.gz", b"", "a compressed xlsx file cannot be read; unpack it first"),
        ("a.csv", zipped(readme=b"x"), "is a zip archive or an Excel file; unpack it, or pass --format xlsx"),
    ],
)
def test_other_files_are_refused_with_what_they_are(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """By their content, whatever their name is."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(InputError, match=message):
        reader_of(path)


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml"])
def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, part: str) -> None:
    """Before any of it is read: the archive says how large its parts are, and more is never read of them."""
    path = rewritten(book_of(tmp_path / "a.xlsx", {"S": THREE}), {part: bytes(300 << 20)})

    with pytest.raises(InputError, match=f"{part} in it unpacks to 300 MB, too much"):
        reader_of(path)


def test_xml_that_would_never_end_is_refused(tmp_path: Path) -> None:
    """Entities that multiply, and a row so far below that the rows before it cannot be passed."""
    laughs = b'<!DOCTYPE a [<!ENTITY a "%s">' % (b"x" * 999)
    laughs += b"".join(b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 99) for at in range(8)) + b"]>"
    path = book_of(tmp_path / "a.xlsx", {"S": [["k", "name"], [1, 2], [3, 4]]})
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml")

    rewritten(path, {"xl/worksheets/sheet1.xml": laughs + xml.replace(b"<v>3</v>", b"<v>&i;</v>")})
    with pytest.raises(InputError, match="cannot be read as an Excel file"):
        rows_of(reader_of(path))
    far = xml.replace(b'"3"', b'"999999999"').replace(b'"A3"', b'"A999999999"').replace(b'"B3"', b'"B999999999"')
    rewritten(path, {"xl/worksheets/sheet1.xml": far})
    with pytest.raises(InputError, match="has row numbers above 1,048,576"):
        rows_of(reader_of(path))


@pytest.mark.parametrize(
    "part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"]
)
@pytest.mark.parametrize("cut", [0.2, 0.7])
def test_damaged_xml_is_an_error_of_the_file(tmp_path: Path, part: str, cut: float) -> None:
    """Whatever the library raises, the file is named."""
    path = book_of(tmp_path / "a.xlsx", {"S": THREE})
    with zipfile.ZipFile(path) as archive:
        content = archive.read(part)

    with pytest.raises(InputError, match=r"a\.xlsx: "):
        rows_of(reader_of(rewritten(path, {part: content[: int(len(content) * cut)]})))


def test_a_file_that_is_deleted_is_read_to_its_end(tmp_path: Path) -> None:
    """The run holds it open; nothing is open without that."""
    path = book_of(tmp_path / "a.xlsx", {"S": THREE})
    reader = reader_of(path)

    with path.open("rb") as held:
        reader.hold(held.fileno())
        path.unlink()

        assert len(rows_of(reader)) == 3
    with pytest.raises(InputError, match=r"a\.xlsx: "):
        rows_of(reader)


def test_without_the_extra_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To install it, or to save the sheet as CSV."""
    path = book_of(tmp_path / "a.xlsx", {"S": THREE})
    monkeypatch.delitem(sys.modules, "bulkgladly.files.sheet_files")
    monkeypatch.setitem(sys.modules, "openpyxl", None)

    with pytest.raises(InputError, match=r"pip install 'bulkgladly\[xlsx\]'\), or save the sheet as CSV"):
        reader_of(path)
