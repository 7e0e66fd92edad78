"""Nested payloads and flat columns: what each cell means, and that neither form loses anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.files.columns import compile_columns, flatten, nest, unknown_columns
from bulkgladly.files.layouts import ColumnProblem, suggestion
from bulkgladly.gladly.customer_rows import CUSTOMER_COLUMNS

PLAN = CUSTOMER_COLUMNS


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        pytest.param({"name": "Ada", "address": ""}, {"name": "Ada"}, id="an empty cell leaves the field alone"),
        pytest.param({"name": None, "image": "i"}, {"name": None, "image": "i"}, id="null is told to the caller"),
        pytest.param({"email:1": "a@example.org"}, {"emails": [{"original": "a@example.org"}]}, id="flat email"),
        pytest.param(
            {"email:1": "", "email:3": "c@example.org", "email:2": None},
            {"emails": [{"original": "c@example.org"}]},
            id="gaps close up",
        ),
        pytest.param(
            {"email:10": "j@example.org", "email:9": "i@example.org"},
            {"emails": [{"original": "i@example.org"}, {"original": "j@example.org"}]},
            id="numbers sort as numbers",
        ),
        pytest.param({"email:1": "", "email:1:primary": ""}, {}, id="no items, no list"),
        pytest.param(
            {
                "phone:1": "+16505550100",
                "phone:1:type": "mobile",
                "phone:1:smsPreference": " on ",
                "phone:1:primary": "Yes",
            },
            {"phones": [{"original": "+16505550100", "type": "MOBILE", "smsPreference": "ON", "primary": True}]},
            id="choices and flags from text",
        ),
        pytest.param(
            {"phone:1": 16505550100, "phone:1:primary": False, "phone:1:extension": 7},
            {"phones": [{"original": "16505550100", "primary": False, "extension": "7"}]},
            id="typed columns",
        ),
        pytest.param(
            {"customAttribute:tier": "gold", "customAttribute:a:b": "", "customAttribute:gone": None},
            {"customAttributes": {"tier": "gold", "gone": None}},
            id="attributes",
        ),
        pytest.param(
            {"customAttributes": {"n": 1, "deep": {"x": [1.5, None, ""]}, "empty": ""}},
            {"customAttributes": {"n": 1, "deep": {"x": [1.5, None, ""]}, "empty": ""}},
            id="nested attributes keep their types",
        ),
        pytest.param(
            {"createdAt": "2024-01-02T03:04:05.678Z", "externalCustomerIds": {"A": "1"}, "id": "c1"},
            {"id": "c1"},
            id="what is read-only is dropped",
        ),
        pytest.param(
            {"emails": [{"original": "A@example.org", "normalized": "a@example.org", "primary": None}]},
            {"emails": [{"original": "A@example.org"}]},
            id="computed and null parts are dropped",
        ),
        pytest.param(
            {"email:1": "a@example.org", "email:1:normalized": "x"},
            {"emails": [{"original": "a@example.org"}]},
            id="also when flat",
        ),
        pytest.param({"emails": [{"original": ""}, {"original": None}]}, {}, id="only empty items do not clear a list"),
        pytest.param({"emails": []}, {"emails": []}, id="an empty list was asked for"),
        pytest.param(
            {"emails": None, "customAttributes": None},
            {"emails": None, "customAttributes": None},
            id="null fields",
        ),
        pytest.param(
            {
                "emails": None,
                "email:1": "a@example.org",
                "customAttributes": {"a": 1},
                "customAttribute:b": "2",
            },
            {"emails": [{"original": "a@example.org"}], "customAttributes": {"a": 1, "b": "2"}},
            id="mixed forms",
        ),
        pytest.param(
            {"phones": [{"original": "1", "type": "home"}]},
            {"phones": [{"original": "1", "type": "HOME"}]},
            id="nested choice",
        ),
    ],
)
def test_a_row_becomes_the_payload_it_stands_for(fields: dict[str, Any], payload: dict[str, Any]) -> None:
    """Missing, empty and null mean one thing each, whatever the form of the row."""
    before = repr(fields)

    assert nest(fields, PLAN) == payload
    assert nest(fields, PLAN, compile_columns(fields, PLAN)) == payload
    assert repr(fields) == before


@pytest.mark.parametrize(
    ("fields", "code", "attr"),
    [
        ({"emial:1": "a@example.org"}, "unknown_column", "emial:1"),
        ({"email:0": "a@example.org"}, "unknown_column", "email:0"),
        ({"email:01": "a@example.org"}, "unknown_column", "email:01"),
        ({"email:1:colour": "red"}, "unknown_column", "email:1:colour"),
        ({"customAttribute:": "x"}, "unknown_column", "customAttribute:"),
        ({"phone:1:extension": "12"}, "no_value", "phone:1:extension"),
        ({"phone:1": "", "phone:1:extension": "12"}, "no_value", "phone:1:extension"),
        ({"email:1": "a@example.org", "email:1:primary": "maybe"}, "not_a_flag", "email:1:primary"),
        ({"email:1": "a@example.org", "email:1:primary": 2}, "not_a_flag", "email:1:primary"),
        ({"email:1": ["a@example.org"]}, "not_text", "email:1"),
        ({"email:1": True}, "not_text", "email:1"),
        ({"emails": [{"original": "a"}], "email:1": "b"}, "given_twice", "email:1"),
        ({"customAttributes": {"a": 1}, "customAttribute:a": "2"}, "given_twice", "customAttribute:a"),
        ({"emails": "a@example.org"}, "not_a_list", "emails"),
        ({"emails": ["a@example.org"]}, "not_an_object", "emails[0]"),
        ({"phones": [{"extension": "12"}]}, "no_value", "phones[0].original"),
        ({"customAttributes": []}, "not_an_object", "customAttributes"),
    ],
)
def test_a_row_that_cannot_be_meant_is_a_problem(fields: dict[str, Any], code: str, attr: str) -> None:
    """The problem names the column, so that a person can find it."""
    with pytest.raises(ColumnProblem) as caught:
        nest(fields, PLAN)

    assert (caught.value.problem.code, caught.value.problem.attr) == (code, attr)
    assert caught.value.problem.detail.startswith(attr)


def test_unknown_columns_can_be_ignored_or_known_to_the_caller() -> None:
    """`--ignore` and `--key` make columns known without putting them into the payload."""
    names = ("name", "legacy_id", "shoe_size", "address")

    assert unknown_columns(names, PLAN) == ("legacy_id", "shoe_size")
    assert unknown_columns(names, PLAN, ["shoe_size"], extra_known=["legacy_id"]) == ()
    assert unknown_columns(names, PLAN, "*") == ()
    layout = compile_columns(names, PLAN, ["shoe_size", "address"], extra_known=["legacy_id"])
    row = {"name": "Ada", "legacy_id": "7", "shoe_size": "38", "address": "1 Test Lane"}
    assert nest(row, PLAN, layout) == {"name": "Ada"}


def test_a_row_with_other_keys_than_its_layout_loses_nothing() -> None:
    """A layout made from one row serves others with the same choices, not with the same columns."""
    layout = compile_columns(["name"], PLAN, ["junk"])

    assert nest({"junk": 1, "address": "1 Test Lane"}, PLAN, layout) == {"address": "1 Test Lane"}


def test_ever_new_columns_do_not_fill_the_memory() -> None:
    """Layouts are kept for speed, but not for ever."""
    from bulkgladly.files import layouts  # noqa: PLC0415 - its cache is looked into here alone

    for number in range(3000):
        assert nest({f"customAttribute:{number}": "x"}, PLAN) == {"customAttributes": {str(number): "x"}}

    assert len(layouts._layouts) <= 1024


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("email", "email:1"),
        ("Email:1", "email:1"),
        ("emial:1", "email:1"),
        ("phone:1:typ", "phone:1:type"),
        ("customAttributes:tier", "customAttribute:tier"),
        ("custom_attributes", "customAttributes"),
        ("Name", "name"),
        ("shoe_size", None),
    ],
)
def test_close_names_are_suggested(name: str, meant: str | None) -> None:
    """A slip in a header is answered with the column that was meant."""
    assert suggestion(name, PLAN) == meant


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
UPPER = st.sampled_from(["HOME", "MOBILE", "OFFICE"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
EMAILS = st.fixed_dictionaries({"original": TEXTS}, optional={"primary": st.booleans()})
PHONES = st.fixed_dictionaries(
    {"original": TEXTS},
    optional={"primary": st.booleans(), "type": UPPER, "extension": TEXTS, "smsPreference": st.just("ON")},
)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(PLAN.scalars, st.none() | TEXTS),
        "emails": st.none() | st.lists(EMAILS, min_size=1, max_size=12),
        "phones": st.none() | st.lists(PHONES, min_size=1, max_size=3),
        "customAttributes": st.none() | st.dictionaries(TEXTS, JSON_VALUES, min_size=1, max_size=4),
    },
)


@given(PAYLOADS)
def test_flat_and_back_is_the_same_payload(payload: dict[str, Any]) -> None:
    """No value is lost or changed on the way through flat columns; nested rows pass as they are."""
    flat = flatten(payload, PLAN)

    assert nest(flat, PLAN) == payload
    assert nest(payload, PLAN) == payload
    assert not any(isinstance(flat.get(spec.field), list) for spec in PLAN.lists)


def test_flattening_keeps_what_the_plan_does_not_know() -> None:
    """An export must not lose a field because it is new, or read-only."""
    payload = {
        "createdAt": "2024",
        "new": [1],
        "emails": [{"original": "A", "normalized": "a"}, {"new": 1}],
        "phones": "?",
    }

    assert flatten(payload, PLAN) == {
        "createdAt": "2024",
        "new": [1],
        "email:1": "A",
        "email:1:normalized": "a",
        "email:2:new": 1,
        "phones": "?",
    }
