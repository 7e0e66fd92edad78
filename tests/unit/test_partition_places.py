"""The folder of a partition: no two values share one, and readers turn it back into the value."""

import datetime as dt
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkgladly.lake.places import Partition, folder_of

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
AWKWARD = ["UNTYPED", "", "~EMPTY", HIVE_NULL, "~HIVE_DEFAULT_PARTITION", "SMS", "sms", "%55NTYPED", "0001-01-01"]
VALUES = st.none() | st.sampled_from(AWKWARD) | st.text(max_size=400) | st.text("aAsS%~_", max_size=4)
DATES = st.none() | st.dates().map(dt.date.isoformat)
PARTITIONS = st.tuples(st.sampled_from(("type", "entity")), VALUES, DATES).map(
    lambda found: ((found[0], found[1]), ("date", found[2]))
)


def on_disk(partition: Partition) -> str:
    """The folder as a disk sees it that takes upper and lower case, and composed and decomposed letters, for one."""
    return unicodedata.normalize("NFD", str(folder_of(partition))).casefold()


@given(one=PARTITIONS, other=PARTITIONS)
@example(one=(("type", None), ("date", None)), other=(("type", None), ("date", "0001-01-01")))
@example(one=(("type", None), ("date", None)), other=(("type", "UNTYPED"), ("date", None)))
@example(one=(("month", None),), other=(("month", "0001-01"),))
@example(one=(("type", None), ("date", None)), other=(("type", ""), ("date", None)))
@example(one=(("type", "SMS"), ("date", None)), other=(("type", "sms"), ("date", None)))
def test_no_row_is_lost_because_two_values_share_a_folder(one: Partition, other: Partition) -> None:
    """Whatever the values are, on every disk."""
    assert (on_disk(one) == on_disk(other)) == (one == other)


@given(value=st.text(max_size=12), name=st.sampled_from(("type", "entity")))
def test_readers_turn_a_folder_back_into_the_value(value: str, name: str) -> None:
    """But for the two values that readers would take for null or refuse."""
    spelled = str(folder_of(((name, value),))).removeprefix(f"{name}=")

    assert spelled
    assert unquote(spelled) != HIVE_NULL
    if value not in ("", HIVE_NULL):
        assert unquote(spelled) == value


@given(day=st.dates())
@example(day=dt.date(1, 1, 1))
def test_every_day_is_a_date_to_readers(day: dt.date) -> None:
    """Without a sign that is percent-encoded, which would turn the dates of all folders into text."""
    spelled = str(folder_of((("date", day.isoformat()),))).removeprefix("date=")

    assert dt.datetime.strptime(spelled, "%Y-%m-%d").date() == day  # noqa: DTZ007 - a day has no zone
    assert "%" not in spelled


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        (None, "type=UNTYPED"),
        ("EMAIL", "type=EMAIL"),
        ("CONVERSATION_NOTE", "type=CONVERSATION_NOTE"),
        ("UNTYPED", "type=%55NTYPED"),
        ("", "type=~EMPTY"),
        (HIVE_NULL, "type=~HIVE_DEFAULT_PARTITION"),
        ("sms", "type=%73%6D%73"),
    ],
)
def test_folders_of_earlier_versions_stay_where_they_were(value: str | None, folder: str) -> None:
    """What Gladly documents has the folder that it always had; only what shared one has moved."""
    assert str(folder_of((("type", value),))) == folder
