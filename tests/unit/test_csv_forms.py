"""How rejects are written as CSV."""

import csv
import io

from bulkgladly.files.csv_forms import CsvForm, CsvLines

CELLS = ["one\rtwo", "three\r\nfour", "five\nsix", 'a "b"', " c ", "", "d\x0b\x0c\x85\u2028e"]


def test_every_kind_of_line_end_stays_in_its_cell() -> None:
    """A lone carriage return without quotes would end the record for all who read it."""
    data = CsvLines(CsvForm(("a",), ",", '"', "utf-8")).line(CELLS)

    assert data.startswith(b'"one\rtwo","three\r\nfour",')
    assert data.endswith(b"\n")
    assert not data.endswith(b"\r\n")
    assert list(csv.reader(io.StringIO(data.decode(), newline=""))) == [CELLS]


def test_without_quotes_only_what_they_would_hold_is_changed() -> None:
    """No cell of a file without quotes has a delimiter or a line end, but reasons may."""
    line = CsvLines(CsvForm(("a",), ";", None, "utf-8")).line(["d\x0b\x0c\x85\u2028e", "x; y\r\nz"])

    assert line.decode() == "d\x0b\x0c\x85\u2028e;x  y z\n"
