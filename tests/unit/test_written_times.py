"""Times as people and programs write them: rows and mappings take the same ones, and read them alike."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.gladly.fields import Field, FieldProblem, Kind
from bulkgladly.gladly.reading import read_fields
from bulkgladly.mapping.dates import compile_dates
from bulkgladly.mapping.row_values import Unmappable
from bulkgladly.mapping.tables import Table
from bulkgladly.records import Mode


def in_a_row(text: str) -> str | None:
    """The moment that a row means, or None if it is refused."""
    try:
        found = read_fields({"at": text}, (Field("at", Kind.MOMENT),), Mode.CREATE)[0]["at"]
    except FieldProblem:
        return None
    assert isinstance(found, str)
    return found


def in_a_mapping(text: str) -> str | None:
    """The moment that a mapping means, or None if it is refused."""
    convert = compile_dates(Table("m.toml", "f", {"date": "iso"}))
    assert convert is not None
    try:
        found = convert(text)
    except Unmappable:
        return None
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01T10:00:00.000+0000", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01 10:00:00+00", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01T12:00:00+02", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01T10:00Z", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01 10:00:00 -0500", "2026-11-01T15:00:00.000Z"),
        ("2026-11-01 10:00:00 UTC", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01T10:00:00,123456789z", "2026-11-01T10:00:00.123Z"),
        (" 2026-11-01t10:00:00Z ", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01T10:00:00", None),
        ("2026-11-01", None),
        ("2026-11-01Z", None),
        ("2026-11-01T10Z", None),
        ("2026-11-01T24:00:00Z", None),
        ("2026-11-01T10:00:00+24:00", None),
        ("2026-13-01T10:00:00Z", None),
        ("2026-11-1T10:00:00Z", None),
        ("2026-W44-7T10:00:00Z", None),
        ("20261101T100000Z", None),
        ("2026-11-01T10:00:00.Z", None),
        ("\u0662026-11-01T10:00:00Z", None),
        ("0001-01-01T00:00:00+23:00", None),
    ],
)
def test_a_time_of_any_spelling_is_read(text: str, moment: str | None) -> None:
    """If it says which moment it is."""
    assert (in_a_row(text), in_a_mapping(text)) == (moment, moment)


PIECES = st.tuples(
    st.dates().map(str),
    st.sampled_from(["T", " ", "t", ""]),
    st.one_of(st.times().map(str), st.times().map(lambda time: str(time)[:5]), st.text(max_size=5)),
    st.sampled_from(["Z", "z", "+00", "+0130", "-01:30", " +02:00", " UTC", "", "+25", " GMT"]),
)


@given(PIECES.map("".join))
def test_what_a_row_takes_a_mapping_takes(text: str) -> None:
    """And the other way round, with the same result."""
    assert in_a_row(text) == in_a_mapping(text)


@given(st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_what_python_writes_is_read(time: dt.datetime) -> None:
    """To the millisecond."""
    found = in_a_row(time.isoformat())

    assert found is not None
    assert dt.datetime.fromisoformat(found) <= time < dt.datetime.fromisoformat(found) + dt.timedelta(milliseconds=1)
