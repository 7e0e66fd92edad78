"""The draft of a mapping: what names and samples tell, and nothing of what the rows hold."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.mapping.column_shapes import shape
from bulkgladly.mapping.draft import DraftFiles, draft_mapping
from bulkgladly.mapping.draft_targets import Target
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.mapping import Mapping, parse_mapping

CUSTOMERS = [Target(name) for name in ("id", "name", "address", "email:*", "phone:*", "customAttribute:*")]
ACTIVITIES = [
    Target("customerKey"),
    Target("customerEmail"),
    Target("activityType", choices=("EMAIL", "ISSUE", "SMS", "SURVEY"), is_required=True, help="which icon it gets"),
    Target("title", most=100),
    Target("body", most=25_000, in_pieces=True),
    Target("occurredAt", is_time=True),
]
FILES = DraftFiles(["people.csv"])
PEOPLE = [
    {
        "Customer ID": f"C-{number}",
        "First Name": "Ada",
        "Surname": "Ashby",
        "E-Mail": f"ada.{number}@example.org",
        "email 2": "",
        "Mobile": "+16505550100",
        "Plan": "gold",
    }
    for number in range(20)
]
TICKETS = [
    {
        "id": number,
        "subject": "Where is my parcel",
        "description": "<p>It is <b>late</b>.</p>",
        "requester_id": 9,
        "created_at": "2026-01-31T09:00:00Z",
        "via": {"channel": "email"},
        "comments": [{"id": 1, "body": "Hello"}, {"id": 2, "body": "Bye"}],
        "fields": {"Is it": {"urgent?": "no"}},
    }
    for number in range(3)
]


def draft(
    rows: Sequence[dict[str, Any]],
    targets: Sequence[Target],
    to: str = "customers",
    files: DraftFiles = FILES,
    **more: Any,
) -> tuple[str, Mapping]:
    text = draft_mapping(rows, targets, to=to, files=files, **more)
    return text, parse_mapping(text, "draft")


def test_a_draft_of_customers_can_be_used_as_it_is() -> None:
    """Names are joined, addresses numbered and cleaned, the key is found; what is left becomes attributes."""
    _, mapping = draft(PEOPLE, CUSTOMERS)

    (record,) = Mapper(mapping).records(PEOPLE[0])
    assert record == {
        "_key": "C-0",
        "name": "Ada Ashby",
        "email:1": "ada.0@example.org",
        "email:2": "",
        "phone:1": "+16505550100",
        "phone:1:type": "MOBILE",
        "customAttribute:Plan": "gold",
    }


def test_a_draft_keeps_records_without_a_bad_optional_value() -> None:
    """Each such field says so, for a person to review; never a key, a required field, or a long text."""
    targets = [
        Target("email:*", is_identity=True, is_optional=True),
        Target("title", most=100, is_required=True),
        Target("name", is_optional=True),
        Target("body", most=25_000, is_optional=True),
        Target("customAttribute:*", is_optional=True),
    ]

    text, mapping = draft([{**row, "title": "x", "body": "long"} for row in PEOPLE], targets)

    kept = {"name", "email:1", "email:2", "customAttribute:Plan", "customAttribute:Mobile"}
    assert {rule.target for rule in mapping.rules if rule.drops} == kept
    assert {rule.target for rule in mapping.rules if not rule.drops} == {"title", "body"}
    assert "lists it in warnings.csv" in text


def test_a_draft_of_nested_rows_uses_paths_and_operations() -> None:
    """Times, HTML and lengths are seen to; lists could be records of their own."""
    text, mapping = draft(TICKETS, ACTIVITIES)

    (record,) = Mapper(mapping).records(TICKETS[0])
    assert record == {
        "_key": "0",
        "customerKey": 9,
        "activityType": "EMAIL",
        "title": "Where is my parcel",
        "body": "<p>It is <b>late</b>.</p>",
        "occurredAt": "2026-01-31T09:00:00.000Z",
    }
    assert '# of = "comments"' in text
    assert mapping.splits, "a body that is too long is split"


def test_what_stands_in_comments_is_toml_when_it_is_used() -> None:
    """Taking the marks away is all there is to do."""
    text, _ = draft(TICKETS, ACTIVITIES)
    lines = text.splitlines()
    start = lines.index("# [each]")
    for index in range(start, start + 4):
        lines[index] = lines[index].removeprefix("# ")

    mapping = parse_mapping("\n".join(lines), "draft")

    assert mapping.each is not None
    assert [record["_key"] for record in Mapper(mapping).records(TICKETS[0]) if isinstance(record, dict)] == [
        "0#1",
        "0#2",
    ]


def test_a_draft_does_not_say_what_rows_hold() -> None:
    """But for those who ask."""
    text, _ = draft(PEOPLE, CUSTOMERS)
    open_text, _ = draft(PEOPLE, CUSTOMERS, show_values=True)

    for value in ("Ada", "ada.0", "5550100", "gold", "C-1"):
        assert value not in text
        assert value in open_text


def test_a_field_that_is_needed_and_not_found_is_named() -> None:
    """Its rows would all be rejected."""
    text, _ = draft([{"subject": "x"}], ACTIVITIES)

    assert "# activityType is required: which icon it gets" in text
    assert '# key = "id"' in text


def test_a_key_that_is_not_unique_is_proposed() -> None:
    """A file with one repeated row has a key all the same."""
    rows = [{"Kunden-Nr": number, "Vorname": "Ada", "Nachname": "Ashby"} for number in ("1", "2", "2")]

    text, mapping = draft(rows, CUSTOMERS)

    assert '# key = "Kunden-Nr"' in text
    assert "2 different" in text
    assert [rule.target for rule in mapping.rules] == ["name"]


def test_a_column_of_mostly_addresses_is_an_email_column() -> None:
    """A few bad addresses, as every old list has them, do not hide it."""
    values = ["ada@example.org", "ben@example.org", "none"]

    _, mapping = draft([{"Kontakt": value} for value in values], CUSTOMERS)

    assert [rule.target for rule in mapping.rules] == ["email:1"]


def test_rows_that_cannot_be_read_and_flags_are_named_in_the_draft() -> None:
    """The command in it works as printed."""
    text, _ = draft(
        PEOPLE, CUSTOMERS, files=DraftFiles(["people.csv"], unread=["has 3 cells"], flags=["--delimiter", ";"])
    )

    assert "# bulkgladly check customers people.csv --map THIS_FILE --delimiter ';'" in text
    assert "# 1 of 21 rows (4.8%) cannot be read:\n# - 1: has 3 cells\n" in text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-01-31T09:00:00Z"], 'date = "iso"'),
        (["2026-01-31 09:00:00"], 'date = "iso", zone = "UTC"'),
        (["31.01.2026 09:00"], 'date = "%d.%m.%Y %H:%M", zone = "UTC"'),
        (["01/31/2026"], 'date = "%m/%d/%Y", zone = "UTC"'),
        (["01/02/2026", "31/01/2026"], 'date = "%d/%m/%Y", zone = "UTC"'),
        (["1700000000"], 'date = "epoch"'),
        ([1700000000123], 'date = "epoch_ms"'),
    ],
)
def test_the_form_of_times_is_seen(values: list[Any], expected: str) -> None:
    """From all samples; where no offset is written, the zone is a guess to be reviewed."""
    text, mapping = draft([{"date": value} for value in values], ACTIVITIES)

    assert expected in text
    assert ("set zone to the time zone" in text) == ("zone =" in expected)
    assert all(isinstance(record, dict) for value in values for record in Mapper(mapping).records({"date": value}))


NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["id", "name", "email", "created_at", "comments", "a b", 'q"', "\n"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=1, max_size=4), st.booleans())
def test_every_draft_is_a_mapping(rows: list[dict[str, Any]], show_values: bool) -> None:
    """Whatever columns are called and hold: it parses, and takes every row without an exception."""
    for targets in (CUSTOMERS, ACTIVITIES):
        _, mapping = draft(rows, targets, show_values=show_values)

        assert all(Mapper(mapping).records(row) for row in rows)


@given(st.text(max_size=60))
def test_a_shape_says_nothing_that_can_be_read(text: str) -> None:
    """Only marks, a, A and 9 are left, on one line."""
    found = shape(text)

    assert all(char in "aA9…" or not char.isalnum() for char in found)
    assert found.isprintable()
    assert len(found) <= 40
