"""Dates that are moved, and what happens to those outside of a period."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.mapping.definitions import Given
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.mapping.row_values import Unmappable
from tests.unit.test_mapping_files import HEAD, refusal

TODAY = dt.date(2026, 11, 27)


def made(options: str, value: Any, today: dt.date = TODAY) -> Any:
    """What becomes of a value, or the reason why it is refused, by this day."""
    text = f"{HEAD}[vars]\ngo_live = '2026-12-01'\n[fields]\nf = {{ from = 'a', date = 'iso', {options} }}\n"
    (found,) = Mapper(parse_mapping(text, "m.toml", Given(today=today))).records({"a": value})
    return found.detail if isinstance(found, Unmappable) else found["f"]


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ("add = '3d'", "2026-01-31T10:00:00Z", "2026-02-03T10:00:00.000Z"),
        ("add = '-1w'", "2026-01-31T10:00:00Z", "2026-01-24T10:00:00.000Z"),
        ("add = '36h'", "2026-01-31T10:00:00Z", "2026-02-01T22:00:00.000Z"),
        ("add = '90m', date_as = 'date'", "2026-01-31 23:00:00", "2026-02-01"),
        # The clocks of this zone went forward on 29 March: a day later is the same time of day, 24 hours are not.
        ("add = '1d', zone = 'Europe/Berlin'", "2026-03-28 12:00", "2026-03-29T10:00:00.000Z"),
        ("add = '24h', zone = 'Europe/Berlin'", "2026-03-28 12:00", "2026-03-29T11:00:00.000Z"),
        # They went back on 25 October: that day has 25 hours, and a time with an offset is one of the zone as well.
        ("add = '1d', zone = 'Europe/Berlin', date_as = 'date'", "2026-10-24T22:00:00Z", "2026-10-26"),
        ("add = '1d', zone = 'Europe/Berlin'", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00.000Z"),
        # The day that is compared is the day that is written: in this zone, it is still November.
        (
            "not_before = '2026-12-01', outside = 'drop', zone = 'America/New_York', date_as = 'date'",
            "2026-12-01T03:00:00Z",
            "",
        ),
        ("not_before = '-360d', outside = 'drop'", "2025-12-02T00:00:00Z", "2025-12-02T00:00:00.000Z"),
        ("not_before = '-360d', outside = 'drop'", "2025-12-01T23:59:59Z", ""),
        ("not_before = '-360d', outside = 'limit'", "2020-01-01T00:00:00Z", "2025-12-02T00:00:00.000Z"),
        ("not_after = '0d'", "2026-11-27T23:59:59Z", "2026-11-27T23:59:59.000Z"),
        ("not_after = '0d', outside = 'limit'", "2026-11-28T00:00:00Z", "2026-11-27T23:59:59.999Z"),
        ("not_after = '12h', outside = 'drop'", "2026-11-27T12:00:01Z", ""),
        ("not_before = { var = 'go_live' }, outside = 'limit'", "2020-01-01T00:00:00Z", "2026-12-01T00:00:00.000Z"),
        (
            "not_before = { var = 'go_live', add = '-30d' }, outside = 'limit'",
            "2020-01-01T00:00:00Z",
            "2026-11-01T00:00:00.000Z",
        ),
        ("not_after = { var = 'go_live', add = '2d' }", "2026-12-03T23:59:59.000Z", "2026-12-03T23:59:59.000Z"),
        ("not_before = '2026-12-01T09:00+01', outside = 'limit'", "2020-01-01T00:00Z", "2026-12-01T08:00:00.000Z"),
        ("not_before = '2026-12-01', outside = 'limit', date_as = 'date'", "2020-01-01", "2026-12-01"),
        ("not_after = '0d', date_as = 'date'", "2026-11-27", "2026-11-27"),
        (
            "not_before = '2026-12-01', zone = 'Europe/Berlin', outside = 'limit'",
            "2020-01-01 09:00",
            "2026-11-30T23:00:00.000Z",
        ),
        ("add = '5d', not_before = '0d', outside = 'limit'", "2026-11-25T00:00:00Z", "2026-11-30T00:00:00.000Z"),
        (
            "not_after = '0d'",
            "2026-11-28T00:00:00Z",
            "a (f) is later than not_after allows (2026-11-27); correct it, or set outside",
        ),
        (
            "not_before = '0d', date_as = 'date'",
            "2026-11-26",
            "a (f) is earlier than not_before allows (2026-11-27); correct it, or set outside",
        ),
        ("add = '9999w'", "9999-01-01T00:00:00Z", "a (f) is a time outside the years 1 to 9999"),
        ("not_before = '0d', on_error = 'drop'", "2020-01-01T00:00:00Z", ""),
    ],
)  # fmt: skip
def test_a_date_is_moved_and_kept_in_a_period(options: str, value: str, expected: str) -> None:
    """Relative to the day on which the run began."""
    assert made(options, value) == expected


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("add = '3d'", "add: needs date"),
        ("not_before = '0d'", "not_before: needs date"),
        ("outside = 'drop', date = 'iso'", "outside: needs not_before or not_after"),
        ("date = 'iso', add = '3 days'", "'3 days' is not a time span; write a number with w, d, h or m"),
        ("date = 'iso', not_before = 'yesterday'", "not_before: must be a time span such as -360d, a date"),
        ("date = 'iso', not_before = 3", "not_before: must be a time span"),
        ("date = 'iso', not_before = '2026-02-01', not_after = '2026-01-01'", "not_after: is before not_before"),
        ("date = 'iso', not_after = { var = 'x', add = '1d' }", "not_after: there is no variable 'x'"),
        ("date = 'iso', not_after = { var = 'x' }", "there is no variable 'x'"),
        ("date = 'iso', not_after = '2026-01-01', outside = 'dropp'", "did you mean 'drop'?"),
    ],
)
def test_a_mistake_names_the_option(field: str, message: str) -> None:
    """And the fix."""
    assert message in refusal(f"{HEAD}[fields]\nf = {{ from = 'a', {field} }}\n")


def test_without_a_day_nothing_is_guessed() -> None:
    """A mapping that is only looked at needs no day; one that is used has it from its run."""
    mapping = parse_mapping(f"{HEAD}[fields]\nf = {{ from = 'a', date = 'iso', not_before = '0d' }}\n", "m.toml")

    assert mapping.columns == ("a",)
    with pytest.raises(RuntimeError, match="the day that dates are relative to was not given"):
        Mapper(mapping).records({"a": "2026-01-01T00:00:00Z"})


@given(
    st.datetimes(),
    st.integers(-3000, 3000),
    st.integers(0, 3000),
    st.sampled_from(["", ", zone = 'Europe/Berlin'", ", zone = 'America/New_York'"]),
)
def test_what_is_limited_is_in_the_period(when: dt.datetime, first: int, length: int, zone: str) -> None:
    """A second time as well: a limit that is applied to its own result changes nothing."""
    options = f"not_before = '{first}d', not_after = '{first + length}d', outside = 'limit'{zone}"
    written = f"{when.isoformat(timespec='milliseconds')}Z"

    kept = made(options, written)

    assert kept[:4].isdecimal()
    assert made(options, kept) == kept
    assert made(options.replace("limit", "reject"), kept) == kept
