"""Bodies of reports into typed rows: in any CSV, each record is a row, a reject, or blank."""

import csv
import datetime as dt
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.gladly.metric_sets import column_names
from bulkgladly.lake.merge import joined, restate, unite
from bulkgladly.lake.report_csv import MAX_RECORD_BYTES, BodyCutOff, CsvRow, NotAReport, beginning, records_in
from bulkgladly.lake.report_table import ReportBody, ReportColumn, ReportLayout, read_report
from bulkgladly.lake.rows import Drift, DriftKind, Reject

NAME = "reports/SampleReport"
COLUMNS = (
    ReportColumn("id", "ID", "text"),
    ReportColumn("at", "At", "timestamp"),
    ReportColumn("times_closed", "Times Closed", "integer"),
    ReportColumn("handle_time", "Handle Time", "number"),
    ReportColumn("in_time", "In Time", "flag"),
)
HEADER = b"ID,At,Times Closed,Handle Time,In Time\n"
FIRST = b"a,2026-11-01T10:00:00.000Z,2,1.5,true\n"
NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
ORIGIN = {"_fetched_at": NOON, "_window_start": "2026-11-01", "_window_end": "2026-11-01"}
LAYOUT = ReportLayout.of(NAME, COLUMNS, ("id",))


def read(content: bytes | Iterable[bytes], layout: ReportLayout | None = LAYOUT) -> ReportBody:
    """Read a body; without a layout, the columns are those of its header, all text."""

    def settle(headers: tuple[str, ...], names: tuple[str, ...]) -> ReportLayout:
        seen = zip(names, headers, strict=True)
        return layout or ReportLayout.of(NAME, [ReportColumn(name, header, "text") for name, header in seen], ())

    def check(names: tuple[str, ...]) -> None:
        if layout and "id" not in names:
            raise NotAReport("its first line has no column id")

    return read_report([content] if isinstance(content, bytes) else content, column_names, check, settle)


def rows_of(body: ReportBody) -> list[dict[str, Any]]:
    """The rows without what is null and without their provenance."""
    if not body.rows:
        return []
    rows = body.table(ORIGIN).to_pylist()
    return [{name: value for name, value in row.items() if value is not None and name not in ORIGIN} for row in rows]


def test_known_columns_are_typed() -> None:
    """A time, a count, a number and a flag are what they are, and each row has its line."""
    body = read(HEADER + FIRST)

    assert rows_of(body) == [
        {
            "id": "a",
            "at": dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC),
            "times_closed": 2,
            "handle_time": 1.5,
            "in_time": True,
            "_line": 2,
        }
    ]
    assert body.table(ORIGIN).schema.equals(LAYOUT.data_set.schema, check_metadata=True)


def test_a_field_says_which_header_it_comes_from() -> None:
    """The original spelling is in the file."""
    found = LAYOUT.data_set.schema.field("times_closed").metadata

    assert found == {b"bulkgladly.header": b"Times Closed"}


def test_an_empty_cell_is_no_value() -> None:
    """Of every kind: null, and nothing beside it."""
    body = read(HEADER + b"a,,,,\n")

    assert rows_of(body) == [{"id": "a", "_line": 2}]
    assert not list(body.drift)


@pytest.mark.parametrize(
    ("cells", "extra"),
    [
        ("a,yesterday,2,1.5,true", {"at": "yesterday"}),
        ("a,2026-11-01 10:00,2,1.5,true", {"at": "2026-11-01 10:00"}),
        ("a,2026-11-01T10:00:00.123456789Z,2,1.5,true", {"at": "2026-11-01T10:00:00.123456789Z"}),
        ("a,2026-02-30T10:00:00Z,2,1.5,true", {"at": "2026-02-30T10:00:00Z"}),
        ("a,,2.5,1.5,true", {"times_closed": "2.5"}),
        ("a,,12345678901234567890,1.5,true", {"times_closed": "12345678901234567890"}),
        ("a,,٣,1.5,true", {"times_closed": "٣"}),
        ("a,,2,NaN,true", {"handle_time": "NaN"}),
        ("a,,2,1e999,true", {"handle_time": "1e999"}),
        ("a,,2,0.12345678901234567890,true", {"handle_time": "0.12345678901234567890"}),
        ('a,,2,"1,5",true', {"handle_time": "1,5"}),
        ("a,,2,1.5,maybe", {"in_time": "maybe"}),
    ],
)
def test_a_value_that_does_not_fit_is_kept_beside_its_column(cells: str, extra: dict[str, str]) -> None:
    """The column is null, `_extra` has the text, and it is counted."""
    body = read(HEADER + FIRST + cells.encode() + b"\n")

    row = rows_of(body)[1]
    (name,) = extra
    assert json.loads(row["_extra"]) == extra
    assert name not in row
    assert list(body.drift) == [Drift(name, DriftKind.MISFIT, 1, 3)]


def test_a_column_that_came_later_is_kept_beside_the_others() -> None:
    """The schema stays, the values stand in `_extra`, and those that are empty are not counted."""
    body = read(b"ID,New One,At\na,x,\nb,,\nc,y,\n")

    assert [json.loads(row["_extra"]) if "_extra" in row else None for row in rows_of(body)] == [
        {"new_one": "x"},
        None,
        {"new_one": "y"},
    ]
    assert list(body.drift) == [Drift("new_one", DriftKind.UNKNOWN_FIELD, 2, 2)]
    assert body.missing == ("times_closed", "handle_time", "in_time")


def test_columns_may_come_in_any_order_and_spelling() -> None:
    """They are found by name."""
    body = read(b"AT,  IN-TIME ,id\n,true,a\n")

    assert rows_of(body) == [{"id": "a", "in_time": True, "_line": 2}]


def test_a_header_that_comes_twice_keeps_both_columns() -> None:
    """Some reports repeat their metrics for each channel."""
    body = read(b"ID,Handle Time,Handle Time\na,1,2\n", None)

    assert rows_of(body) == [{"id": "a", "handle_time": "1", "handle_time_2": "2", "_line": 2}]


@pytest.mark.parametrize("first", [b"", b"\n", b"\r\n\r\n", b"  \n\n"], ids=["none", "one", "two", "spaces"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
def test_blank_first_lines_and_a_byte_order_mark_are_passed_over(first: bytes, mark: bytes) -> None:
    """Both have been met; lines are counted as they stand."""
    body = read(mark + first + b'"ID",At,Times Closed,Handle Time,In Time\n' + FIRST)

    (row,) = rows_of(body)
    assert (row["id"], row["_line"]) == ("a", 2 + first.count(b"\n"))
    assert body.blank == first.count(b"\n")


def test_a_mark_before_a_quoted_header_does_not_spoil_its_quotes() -> None:
    """The comma in it is part of the name."""
    body = read(b'\xef\xbb\xbf"Name, given",ID\nx,a\n', None)

    assert rows_of(body) == [{"name_given": "x", "id": "a", "_line": 2}]


def test_a_mark_after_blank_lines_is_no_part_of_the_first_name() -> None:
    """Wherever the mark stands before the header, the first column has its name."""
    assert [row["id"] for row in rows_of(read("\n\ufeffID,At\na,\n".encode()))] == ["a"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"], ids=["nothing", "blank", "mark"])
def test_an_empty_body_has_no_rows(content: bytes) -> None:
    """A window without data may come so: no error."""
    body = read(content)

    assert (body.header, body.rows, body.rejects) == ((), 0, [])


def test_a_header_alone_has_no_rows_and_settles_nothing() -> None:
    """Columns are settled when a row is seen."""
    body = read(HEADER)

    assert (body.rows, body.layout, body.header[0]) == (0, None, "ID")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_quoted_cells_hold_commas_quotes_and_line_breaks(line_end: str, size: int) -> None:
    """However the body is cut into blocks; the row's line is the first of its lines."""
    text = 'he said ""no"", then' + line_end + line_end + "left é\N{LINE SEPARATOR}"
    content = f'ID,Text{line_end}a,"{text}"{line_end}b,x{line_end}'.encode()

    body = read((content[at : at + size] for at in range(0, len(content), size)), None)

    first, second = rows_of(body)
    assert (first["text"], first["_line"]) == (text.replace('""', '"'), 2)
    assert (second["text"], second["_line"]) == ("x", 5)


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3).filter(any), max_size=12),
    size=st.integers(1, 40),
    has_end=st.booleans(),
)
def test_what_a_csv_writer_wrote_comes_back(rows: list[list[str]], size: int, *, has_end: bool) -> None:
    """Every cell of every row, with any text, in order, with the line where it begins."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["A", "B", "C"], *rows])
    content = text.getvalue().encode()[: None if has_end else -1]

    body = read((content[at : at + size] for at in range(0, len(content), size)), None)

    found = body.table({}).to_pylist() if body.rows else []
    assert [[row[name] or "" for name in "abc"] for row in found] == rows
    assert [row["_line"] for row in found] == [
        2 + sum(cell.count("\n") for row in rows[:at] for cell in row) + at for at in range(len(rows))
    ]
    assert not body.rejects


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"b,x", "ragged_row"),
        (b"b,,,,,,", "ragged_row"),
        (b'b,"x"y,,,', "malformed_csv"),
        (b"b,\xff,,,", "invalid_utf8"),
        (b"b,x\ry,,,", "malformed_csv"),
    ],
)
def test_a_bad_record_is_a_reject_with_its_line(line: bytes, code: str) -> None:
    """The others are rows; the bytes of the bad one are kept."""
    body = read(HEADER + FIRST + line + b"\nc,,,,\n")

    assert [row["id"] for row in rows_of(body)] == ["a", "c"]
    assert [(each.line, each.code, each.raw) for each in body.rejects] == [(3, code, line)]


def test_a_quote_in_the_wrong_place_costs_one_line() -> None:
    """What it swallowed up to the next quote comes again."""
    body = read(HEADER + b'a,"x,,,\nb,,,,\nc,"y",,,\nd,,,,\n')

    assert [row["id"] for row in rows_of(body)] == ["b", "c", "d"]
    assert [(each.line, each.code) for each in body.rejects] == [(2, "malformed_csv")]


def test_blank_lines_between_records_are_counted() -> None:
    """They are neither rows nor rejects."""
    body = read(HEADER + b"\n" + FIRST + b"\n\nb,,,,\n")

    assert (body.rows, body.blank, body.rejects) == (2, 3, [])
    assert [row["_line"] for row in rows_of(body)] == [3, 6]


@pytest.mark.parametrize(
    "content",
    [
        HEADER + FIRST + b'b,"2026-11',
        HEADER + FIRST + b"b,2026-11",
        HEADER + FIRST + b"b,,,,\xc3",
        HEADER + FIRST + b"b",
        b'ID,"At',
    ],
)
def test_a_body_that_ends_within_a_record_is_no_body(content: bytes) -> None:
    """It is downloaded again, since a row would be lost or be half of one."""
    with pytest.raises(BodyCutOff, match="the body ends within"):
        read(content)


def test_a_body_that_is_there_twice_is_no_body() -> None:
    """It is downloaded again: every row of it would count twice."""
    with pytest.raises(BodyCutOff, match="is repeated on line 3"):
        read((HEADER + FIRST) * 2)


def test_a_last_record_without_a_line_end_counts() -> None:
    """If it is as wide as the header."""
    assert [row["id"] for row in rows_of(read(HEADER + FIRST + b"b,,,,"))] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Unexpected error occurred\n", "Unexpected error occurred"),
        (b"Unexpected error, try again\n", "no column id"),
        (b"<!DOCTYPE html>\n<p>ID,At</p>\n", "<!DOCTYPE html>"),
        (b'{"errors":[{"code":"x"},{"detail":"y"}]}', "errors"),
        (b"<html><body>a,b\n", "<html>"),
        (HEADER + b"only,rejects\n", "no line has as many cells"),
        (b'"x"y,z\n', "its first line"),
        (b"Error for ada@example.org at +1 650 555 0100\n", "'Error for … at …'"),
    ],
)
def test_something_else_than_a_report_is_refused_with_its_first_line(content: bytes, message: str) -> None:
    """It came with status 200 all the same; nothing that may be personal is shown."""
    with pytest.raises(NotAReport) as caught:
        read(content)

    assert message in str(caught.value)
    assert "example.org" not in str(caught.value)


def test_an_error_text_does_not_settle_columns() -> None:
    """For a report with unknown columns: the first line alone is not a report."""
    with pytest.raises(NotAReport, match="no line has as many cells"):
        read(b"Sorry, something failed\nplease wait\n", None)


def test_a_text_in_a_message_is_short_and_one_line() -> None:
    """Whatever it was."""
    assert beginning("a\n b\x07") == "a b\\x07"
    assert len(beginning("x" * 5000)) <= 130
    assert beginning("code 12, call 650-555-0100 or me@example.org") == "code 12, call … or …"


def test_a_missing_quote_does_not_fill_the_memory() -> None:
    """A record beyond any size ends the reading, and says why."""

    def endless() -> Iterator[bytes]:
        yield HEADER + b'a,"'
        while True:
            yield b"x" * (1 << 20) + b"\n"

    with pytest.raises(NotAReport, match=f"longer than {MAX_RECORD_BYTES} bytes"):
        read(endless())


def test_memory_does_not_grow_with_the_body_but_with_its_rows() -> None:
    """Records are cut from the stream one by one."""
    block = b"".join(b"%d,,,,%s\n" % (number, b"y" * 90) for number in range(3_000))
    tracemalloc.start()

    count = sum(1 for record in records_in(block for _ in range(10)) if isinstance(record, CsvRow))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 30_000
    assert peak < 6 * len(block)


def test_rows_beyond_the_period_are_left_out_and_counted() -> None:
    """Where two periods may share a minute; a row without a time stays."""
    body = read(HEADER + b"a,2026-11-01T23:59:59.999Z,,,\nb,2026-11-02T00:00:00.000Z,,,\nc,,,,\nd,later,,,\n")

    body.keep_before(dt.datetime(2026, 11, 2, tzinfo=dt.UTC), ("handle_at", "at"))

    assert [row["id"] for row in rows_of(body)] == ["a", "c", "d"]
    assert (body.rows, body.beyond) == (3, 1)


def test_a_note_gives_the_same_layout_again() -> None:
    """Columns that are settled stay what they are."""
    again = ReportLayout.from_memo(NAME, json.loads(json.dumps(LAYOUT.as_memo())), ("id",))

    assert (again.columns, again.data_set.key) == (LAYOUT.columns, LAYOUT.data_set.key)
    assert again.data_set.schema.equals(LAYOUT.data_set.schema, check_metadata=True)


@pytest.mark.parametrize("note", [{}, {"format": 2, "columns": []}, {"format": 1, "columns": [{"name": "x"}]}])
def test_a_note_that_cannot_be_read_is_refused(note: dict[str, Any]) -> None:
    """Guessing columns would mix types."""
    with pytest.raises(ValueError, match=r"newer version|format|TypeError"):
        ReportLayout.from_memo(NAME, note, ())


def table(*rows: Sequence[str | int | None], line: int = 2, gone: dt.datetime | None = None) -> pa.Table:
    """A table of (id, times closed)."""
    schema = LAYOUT.data_set.schema
    found = [
        {"id": row[0], "times_closed": row[1], "_line": at, "_gone_since": gone, **ORIGIN}
        for at, row in enumerate(rows, line)
    ]
    return pa.Table.from_pylist(found, schema=schema)


def seen(found: pa.Table | None) -> list[tuple[Any, ...]]:
    assert found is not None
    return sorted((row["id"], row["times_closed"], row["_gone_since"]) for row in found.to_pylist())


KEY = ("id",)


def test_a_restated_row_takes_the_place_of_the_old_one() -> None:
    """By its key; the others stay as they are, and a missing row is kept and marked."""
    found = restate(
        table(("a", 1), ("b", 1), ("c", 1)), table(("b", 2), ("a", 1), ("d", 0)), KEY, at=NOON, is_whole=True
    )

    assert (found.created, found.updated, found.unchanged, found.doubt) == (1, 1, 1, None)
    assert seen(found.table)[:1] == [("a", 1, None)]
    assert {row[0]: row[1:] for row in seen(found.table)} == {
        "a": (1, None),
        "b": (2, None),
        "c": (1, NOON),
        "d": (0, None),
    }


def test_the_first_reading_is_taken_as_it_is() -> None:
    """Also where a key is in two rows."""
    first = restate(table(), table(("a", 1), ("a", 2)), KEY, at=NOON, is_whole=True)

    assert (seen(first.table), first.created) == ([("a", 1, None), ("a", 2, None)], 2)
    assert restate(table(), table(), KEY, at=NOON, is_whole=True).table is None


def test_a_row_that_is_back_is_not_gone_any_more() -> None:
    """It counts as updated."""
    found = restate(table(("a", 1), gone=NOON), table(("a", 1)), KEY, at=NOON, is_whole=True)

    assert (seen(found.table), found.updated) == ([("a", 1, None)], 1)


def test_a_row_that_a_cut_answer_lacks_is_not_gone() -> None:
    """Nobody knows."""
    found = restate(table(("a", 1), ("b", 1)), table(("a", 2)), KEY, at=NOON, is_whole=False)

    assert seen(found.table) == [("a", 2, None), ("b", 1, None)]


@pytest.mark.parametrize("key", [KEY, ()])
def test_the_same_rows_in_another_order_change_nothing(key: tuple[str, ...]) -> None:
    """Order within a window is not guaranteed."""
    for new in (table(("b", 1), ("a", 1), line=7), table(("a", 1), ("b", 1), line=7)):
        found = restate(table(("a", 1), ("b", 1)), new, key, at=NOON, is_whole=True)

        assert (found.table, found.unchanged, found.created, found.updated) == (None, 2, 0, 0)


@pytest.mark.parametrize("key", [KEY, ()])
def test_an_empty_answer_is_not_believed_where_rows_were(key: tuple[str, ...]) -> None:
    """An empty body is also what an error looks like."""
    found = restate(table(("a", 1)), table(), key, at=NOON, is_whole=True)

    assert found.table is None
    assert found.doubt == "the response is empty, but the data set has 1 rows; they were kept"


def test_fewer_rows_without_a_key_are_not_taken() -> None:
    """More is never replaced by less."""
    found = restate(table(("a", 1), ("b", 1)), table(("a", 2)), (), at=NOON, is_whole=True)

    assert found.table is None
    assert "no key tells which are missing" in str(found.doubt)


def test_rows_without_a_key_are_replaced_as_a_whole() -> None:
    """With as many or more; equal rows are counted as unchanged, each as often as it is there."""
    found = restate(
        table(("a", 1), ("a", 1), ("b", 1)), table(("a", 1), ("b", 2), ("a", 1), ("c", 1)), (), at=NOON, is_whole=True
    )

    assert (found.created, found.updated, found.unchanged) == (1, 1, 2)
    assert seen(found.table) == [("a", 1, None), ("a", 1, None), ("b", 2, None), ("c", 1, None)]


def test_a_key_that_two_rows_share_is_not_used() -> None:
    """No row is lost because a report repeats what should be unique."""
    old = joined([table(("a", 1)), table(("z", 1), gone=NOON)], LAYOUT.data_set.schema)

    found = restate(old, table(("a", 1), ("a", 2)), KEY, at=NOON, is_whole=True)

    assert seen(found.table) == [("a", 1, None), ("a", 2, None), ("z", 1, NOON)]


def test_answers_of_filters_are_united_by_key() -> None:
    """Each row once; the unfiltered answer's is kept, which has all columns."""
    found = unite([table(("a", 1), ("b", 1)), table(("b", 5), ("c", 1)), table(("c", 9), ("d", 1))], KEY)

    assert found.key == KEY
    assert {row[0]: row[1] for row in seen(found.table)} == {"a": 1, "b": 1, "c": 9, "d": 1}
    assert (found.beyond, found.alone) == (2, 1)


def test_answers_are_united_by_content_where_there_is_no_key() -> None:
    """Two equal rows of one answer are two rows, the same two of another answer are not four."""
    found = unite([table(("a", 1), ("a", 1)), table(("a", 1), ("b", 1)), table(("a", 1), ("c", 1))], ())

    assert seen(found.table) == [("a", 1, None), ("a", 1, None), ("b", 1, None), ("c", 1, None)]
    assert (found.beyond, found.alone) == (2, 1)


ANSWERS = st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1)), max_size=5), min_size=1, max_size=4)


@given(ANSWERS)
def test_no_row_of_any_answer_is_lost_or_doubled(answers: list[list[tuple[str, int]]]) -> None:
    """Without a key each content is there as often as in the answer that has it most often."""
    most: Counter[tuple[str, int]] = Counter()
    for answer in answers:
        most |= Counter(answer)

    found = unite([table(*answer) for answer in answers], ())

    assert Counter((row[0], row[1]) for row in seen(found.table)) == most
    assert found.beyond == (most - Counter(answers[-1])).total()


def test_a_key_that_an_answer_has_twice_does_not_unite() -> None:
    """Then rows are told apart by their content."""
    found = unite([table(("a", 1), ("a", 2)), table(("a", 1))], KEY)

    assert found.key == ()
    assert seen(found.table) == [("a", 1, None), ("a", 2, None)]


def test_rejects_and_records_come_in_the_order_of_the_body() -> None:
    """So positions can be told."""
    found = list(records_in([b'a,b\n"x"y\nc,d\n']))

    assert [(each.line, isinstance(each, Reject)) for each in found] == [(1, False), (2, True), (3, False)]
