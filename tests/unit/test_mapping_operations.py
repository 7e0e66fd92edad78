"""Each operation: what it makes, and what it refuses without naming the value."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.mapping.dates import compile_dates
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.row_values import Unmappable
from bulkgladly.mapping.tables import Table
from tests.unit.test_mapping_files import made, mapping, refused


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ("trim = true", "  Ada ", "Ada"),
        ("case = 'lower'", "ADA", "ada"),
        ("case = 'upper'", "ada", "ADA"),
        ("case = 'title'", "ada ashby", "Ada Ashby"),
        ("extract = '[0-9]+'", "order 17 of 20", "17"),
        ("extract = 'order (.)'", "order 17", "1"),
        ("extract = 'x'", "order", ""),
        ("split = ','", "a, b,,c", ["a", "b", "c"]),
        ("split = ' ', part = 1", "Ada Maria Ashby", "Ada"),
        ("split = ' ', part = -1", "Ada Maria Ashby", "Ashby"),
        ("split = ' ', part = 4", "Ada Maria Ashby", ""),
        ("split = ' ', part = -4", "Ada Maria Ashby", ""),
        ("values = { '1' = 'gold', '2' = 'silver' }", " 1 ", "gold"),
        ("values = { '1' = 'gold' }", 1, "gold"),
        ("values = { true = 'yes' }", True, "yes"),
        ("values = { Gold = 1 }, ignore_case = true", "gOLD", 1),
        ("values = { a = 'x', '*' = 'other' }", "b", "other"),
        ("values = { a = 'x' }, otherwise = 'keep'", "b", "b"),
        ("values = { a = 'x' }, otherwise = 'drop'", "b", ""),
        ("as = 'text'", 17, "17"),
        ("as = 'integer'", " 17 ", 17),
        ("as = 'integer'", 17.0, 17),
        ("as = 'number'", "1.5", 1.5),
        ("as = 'flag'", "Yes", True),
        ("as = 'flag'", False, False),
        ("as = 'text'", [1, 2], ["1", "2"]),
        ("html = 'clean'", "<p onclick=x>a<script>b</script></p>", "<p>a</p>"),
        ("html = 'to_text'", "<p>a</p><p>b</p>", "a\n\nb"),
        ("html = 'from_text'", "a < b\nc", "a &lt; b<br>c"),
        ("split = ';', case = 'upper', values = { A = 'x' }, otherwise = 'keep'", "a;b", ["x", "B"]),
    ],
)  # fmt: skip
def test_operations(options: str, value: Any, expected: Any) -> None:
    """One by one, and in their order, on single values and on lists."""
    assert made(f'f = {{ from = "a", {options} }}', {"a": value}) == {"f": expected}


@pytest.mark.parametrize(
    ("options", "value", "message"),
    [
        ("values = { a = 'x' }", "secret", 'is not one of the 1 entries of values; add it, or "*" for all others'),
        ("as = 'integer'", "secret", "is not a whole number"),
        ("as = 'integer'", 1.5, "is not a whole number"),
        ("as = 'integer'", True, "is not a whole number"),
        ("as = 'number'", "1e999", "is not a number; use a point"),
        ("as = 'number'", "secret", "is not a number; use a point"),
        ("as = 'number'", "1_000", "is not a number; use a point"),
        ("as = 'number'", "\u0661", "is not a number; use a point"),
        ("as = 'number'", "infinity", "is not a number; use a point"),
        ("as = 'number'", ".5", "is not a number; use a point"),
        ("as = 'number'", "12345678901234567890", "has more digits than a number can hold"),
        ("as = 'number'", "0.12345678901234567890123", "has more digits than a number can hold"),
        ("as = 'flag'", "secret", "is not true or false"),
        ("trim = true", {"secret": 1}, "is an object or a list where a text is needed"),
        ("case = 'lower'", [{"secret": 1}], "is an object or a list where a text is needed"),
        ("max = 3", "secret", "has 6 characters, but max is 3"),
        ("date = 'iso'", "secret", "is not a time in the form iso"),
    ],
)
def test_what_an_operation_cannot_take_is_a_problem(options: str, value: Any, message: str) -> None:
    """With the field and the way out, and never with the value."""
    problem = refused(f'f = {{ from = "a", {options} }}', {"a": value})

    assert (problem.code, problem.attr, problem.is_skip) == ("mapping", "f", False)
    assert problem.detail.startswith(f"a (f) {message}")
    assert "secret" not in problem.detail


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ("date = 'iso'", "2019-02-21T19:50:23.486566336Z", "2019-02-21T19:50:23.486Z"),
        ("date = 'iso'", "2024-01-01T00:00:00+02:00", "2023-12-31T22:00:00.000Z"),
        ("date = 'iso', zone = 'Europe/Berlin'", "2024-07-01 12:00", "2024-07-01T10:00:00.000Z"),
        ("date = 'iso', zone = 'Europe/Berlin'", "2024-07-01", "2024-06-30T22:00:00.000Z"),
        ("date = 'epoch'", "1700000000", "2023-11-14T22:13:20.000Z"),
        ("date = 'epoch'", 1700000000, "2023-11-14T22:13:20.000Z"),
        ("date = 'epoch_ms'", 1700000000123, "2023-11-14T22:13:20.123Z"),
        ("date = 'epoch'", "1700000000.0", "2023-11-14T22:13:20.000Z"),
        ("date = 'epoch'", "1700000000.123", "2023-11-14T22:13:20.123Z"),
        ("date = 'epoch'", "-1.5", "1969-12-31T23:59:58.500Z"),
        # Which of the two it is, its size tells, and not the order of the list.
        ("date = ['epoch_ms', 'epoch']", "1700000000", "2023-11-14T22:13:20.000Z"),
        ("date = ['epoch_ms', 'epoch']", "1700000000123", "2023-11-14T22:13:20.123Z"),
        ("date = '%d.%m.%Y %H:%M UTC', zone = 'UTC'", "01.01.2024 09:00 UTC", "2024-01-01T09:00:00.000Z"),
        ("date = 'iso'", "2024-01-01 00:00:00 +0200", "2023-12-31T22:00:00.000Z"),
        ("date = 'iso'", "2024-01-01T00:00+02", "2023-12-31T22:00:00.000Z"),
        ("date = 'iso'", "2024-01-01t00:00:00,5z", "2024-01-01T00:00:00.500Z"),
        ("date = '%d.%m.%Y %H:%M', zone = 'America/New_York'", "31.12.2023 20:00", "2024-01-01T01:00:00.000Z"),
        ("date = '%d/%b/%Y %z'", "05/Mar/2024 -0900", "2024-03-05T09:00:00.000Z"),
        ("date = ['%d.%m.%Y', 'iso'], zone = 'UTC'", "2024-03-05", "2024-03-05T00:00:00.000Z"),
        ("date = '%d.%m.%Y', date_as = 'date'", "05.03.2024", "2024-03-05"),
        ("date = 'iso', date_as = 'date'", "2024-03-05T23:30:00Z", "2024-03-05"),
        ("date = 'iso', date_as = 'date', zone = 'Asia/Tokyo'", "2024-03-05T23:30:00Z", "2024-03-06"),
        # When clocks go back 02:30 comes twice, and the earlier is meant; when they go forward it is skipped.
        ("date = 'iso', zone = 'Europe/Berlin'", "2024-10-27 02:30", "2024-10-27T00:30:00.000Z"),
        ("date = 'iso', zone = 'Europe/Berlin'", "2024-03-31 02:30", "2024-03-31T01:30:00.000Z"),
    ],
)
def test_dates_become_moments_in_utc(options: str, value: Any, expected: str) -> None:
    """Or days, where that is what is asked for."""
    assert made(f'f = {{ from = "a", {options} }}', {"a": value}) == {"f": expected}


@pytest.mark.parametrize(
    ("forms", "value", "is_ambiguous"),
    [
        (["epoch", "%Y%m%d"], "20260131", True),
        (["epoch", "epoch_ms"], "1700000000", False),
        (["epoch", "iso"], "1700000000", False),
        (["%d/%m/%Y", "%m/%d/%Y"], "03/04/2026", True),
    ],
)
def test_a_value_that_two_forms_read_as_different_days_is_found(
    forms: list[str], value: str, is_ambiguous: bool
) -> None:
    """Digits can be a day as well as seconds."""
    convert = compile_dates(Table("m", "f", {"date": forms, "zone": "UTC"}))

    assert convert is not None
    assert convert.is_ambiguous(value) is is_ambiguous


@pytest.mark.parametrize("value", ["2024-03-05", "2024-03-05T10:00:00"])
def test_a_time_without_offset_needs_a_zone(value: str) -> None:
    """Nobody guesses where it was noted."""
    assert "set its time zone" in refused("f = { from = 'a', date = 'iso' }", {"a": value}).detail


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "-1e300", "99999999999999999999", "", "  "])
def test_no_number_is_taken_for_a_moment_that_is_none(value: str) -> None:
    """The edges of the calendar are problems, not exceptions; nothing stays nothing."""
    if value:
        assert refused("f = { from = 'a', date = 'epoch' }", {"a": value}).code == "mapping"
    else:
        assert made("f = { from = 'a', date = 'epoch' }", {"a": value}) == {"f": ""}


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("iso", "20240305"),
        ("iso", "20240305T100000Z"),
        ("iso", "2024-W10-2"),
        ("iso", "2024-03-05x10:00:00Z"),
        ("iso", "2024-03-05T10Z"),
        ("iso", "2024-03-05Z"),
        ("iso", "2024-03-05T24:00:00Z"),
        ("iso", "2024-3-5"),
        ("iso", "\u0662024-03-05"),
        ("epoch", "1_700_000_000"),
        ("epoch", "1.7e9"),
        ("epoch", "\u0661700000000"),
        ("epoch", "0x10"),
        ("epoch_ms", "1.7E+12"),
    ],
)
def test_a_reader_takes_what_its_name_says_and_no_more(form: str, value: str) -> None:
    """A number, a week or a rounded value is not a time by accident."""
    problem = refused(f"f = {{ from = 'a', date = '{form}', zone = 'UTC' }}", {"a": value})

    assert problem.detail == f"a (f) is not a time in the form {form}; add its format to date"


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_moment_beyond_the_calendar_is_a_problem(value: str) -> None:
    """It has no form in UTC."""
    assert "outside the years" in refused("f = { from = 'a', date = 'iso' }", {"a": value}).detail


@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_is_never_changed(moment: dt.datetime) -> None:
    """Whatever its zone: the result names the same millisecond, or says that it has none."""
    convert = compile_dates(Table("m", "f", {"date": "iso"}))
    assert convert is not None

    try:
        text = convert(moment.isoformat())
    except Unmappable:
        assert moment.year in (1, 9999)
        return

    exact = dt.datetime.fromisoformat(moment.isoformat())
    assert dt.timedelta(0) <= exact - dt.datetime.fromisoformat(text) < dt.timedelta(milliseconds=1)


@given(st.text())
def test_no_text_makes_an_operation_fail_otherwise(text: str) -> None:
    """Whatever a cell holds: a value, or a problem of its own field."""
    for options in (
        "date = ['iso', 'epoch', '%d.%m.%y'], zone = 'UTC'",
        "as = 'integer'",
        "as = 'number'",
        "as = 'flag'",
    ):
        (found,) = Mapper(mapping(f'f = {{ from = "a", {options} }}')).records({"a": text})

        assert (found.attr == "f") if isinstance(found, Unmappable) else set(found) == {"f"}
