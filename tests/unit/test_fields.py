"""Fields as rows give them: kinds, places, nulls, and what is missing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bulkgladly.gladly.change import lacking, same_value
from bulkgladly.gladly.fields import ALWAYS, Field, FieldProblem, Kind, column_plan
from bulkgladly.gladly.reading import read_fields
from bulkgladly.records import Mode
from bulkgladly.times import time_of

FIELDS = (
    Field("id", Kind.ID, most=50),
    Field("text", most=5),
    Field("flag", Kind.FLAG),
    Field("number", Kind.INTEGER),
    Field("when", Kind.MOMENT),
    Field("word", Kind.CHOICE, choices=("OPEN", "CLOSED")),
    Field("code", pattern="[a-z]{2}", help="two letters"),
    Field("list", Kind.TEXTS, most=5),
    Field("object", Kind.OBJECT),
    Field("objects", Kind.OBJECTS),
    Field("part", into="whole.part"),
    Field("partName", into="whole.part", names="inbox"),
    Field("whole", Kind.OBJECT),
)


def read(**fields: Any) -> dict[str, Any]:
    return read_fields(fields, FIELDS, Mode.CREATE)[0]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("text", 12, "12"),
        ("flag", "Yes", True),
        ("flag", 0, False),
        ("number", " 12 ", 12),
        ("number", -3, -3),
        ("when", "2026-01-31T10:00:00.123456789+01:00", "2026-01-31T09:00:00.123Z"),
        ("when", "2026-01-31 09:00:00Z", "2026-01-31T09:00:00.000Z"),
        ("word", " closed ", "CLOSED"),
        ("code", "ab", "ab"),
        ("list", "a; b ;;a", ["a", "b"]),
        ("list", '["a;b"]', ["a;b"]),
        ("list", ["a", "b"], ["a", "b"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("objects", [{"a": 1}], [{"a": 1}]),
        ("part", "x", "x"),
    ],
)
def test_a_value_is_read_as_its_kind(name: str, value: Any, kept: Any) -> None:
    """In the forms that tables and JSON have."""
    payload = read(**{name: value})

    assert (payload["whole"]["part"] if name == "part" else payload[name]) == kept


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("id", "a/b", "id"),
        ("text", True, "type"),
        ("text", {"a": 1}, "type"),
        ("text", "123456", "too_long"),
        ("flag", "maybe", "not_a_flag"),
        ("number", 1.5, "not_a_number"),
        ("number", True, "not_a_number"),
        ("when", "2026-02-31T09:00:00Z", "invalid_time"),
        ("when", "2025-02-03", "invalid_time"),
        ("when", 17, "invalid_time"),
        ("word", "OTHER", "invalid_choice"),
        ("code", "abc", "invalid"),
        ("list", [1], "type"),
        ("list", "[", "invalid_json"),
        ("list", "abcdef", "too_long"),
        ("object", "[1]", "not_an_object"),
        ("objects", [1], "not_a_list"),
    ],
)
def test_a_value_of_another_kind_is_a_problem(name: str, value: Any, code: str) -> None:
    """That names the field, and not the value."""
    with pytest.raises(FieldProblem) as caught:
        read(**{name: value})

    assert (caught.value.problem.code, caught.value.problem.attr) == (code, name)
    assert str(value) not in caught.value.problem.detail or len(str(value)) < 3


@pytest.mark.parametrize(
    "fields", [{"part": "x", "partName": "y"}, {"part": "x", "whole": {"a": 1}}, {"whole": {"a": 1}, "partName": "y"}]
)
def test_a_thing_is_given_once(fields: dict[str, Any]) -> None:
    """With two fields for one place, it would be unclear which one counts."""
    with pytest.raises(FieldProblem) as caught:
        read(**fields)

    assert caught.value.problem.code == "given_twice"


def test_a_null_is_dropped_or_clears() -> None:
    """Never an id, and never a name or key."""
    nulls = {"id": None, "text": None, "partName": None}

    kept, _ = read_fields(nulls, FIELDS, Mode.UPDATE)
    cleared, links = read_fields(nulls, FIELDS, Mode.UPDATE, null="clear")

    assert (kept, cleared, links) == ({}, {"text": None}, ())


def test_what_is_missing_names_the_alternatives() -> None:
    """Only in the modes that need it."""
    fields = (
        Field("a", required=ALWAYS, into="x.y"),
        Field("b", into="x.y"),
        Field("c", required=frozenset({Mode.CREATE})),
    )

    assert read_fields({"b": "1"}, fields, Mode.UPDATE)[0] == {"x": {"y": "1"}}
    with pytest.raises(FieldProblem, match=r"a is missing \(or b\)"):
        read_fields({}, fields, Mode.UPDATE)
    with pytest.raises(FieldProblem, match="c is missing"):
        read_fields({"a": "1"}, fields, Mode.CREATE)


def test_columns_follow_from_fields() -> None:
    """Lists of objects are numbered; every other field is one column."""
    plan = column_plan((Field("a"), Field("b", Kind.OBJECTS, parts={"key": "text"})), read_only=("c",))

    assert (plan.scalars, plan.read_only) == (("a",), ("c",))
    assert [(item.field, item.prefix, item.value) for item in plan.lists] == [("b", "b", "value")]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T09:00:00Z", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31T09:00:00.5-09:00", datetime(2026, 1, 31, 18, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31T09:00:00", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_moments(text: Any, moment: datetime | None) -> None:
    """RFC 3339 with 0 to 9 digits of a fraction; everything else is refused."""
    assert time_of(text) == moment


@pytest.mark.parametrize(
    ("held", "wanted", "is_same"),
    [
        (None, "", True),
        ([], None, True),
        (None, False, True),
        ("x ", "x", True),
        ("x", "y", False),
        ("2026-01-31T09:00:00Z", "2026-01-31T10:00:00.000+01:00", True),
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:01Z", False),
        (["a", "b"], ["b", "a"], True),
        (["a"], ["a", "b"], False),
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"b": 2}, False),
    ],
)
def test_what_gladly_holds_is_compared_with_what_is_wanted(held: Any, wanted: Any, is_same: bool) -> None:
    """What it adds by itself, the order of lists and the spelling of times make no difference."""
    assert same_value(held, wanted) is is_same


def test_only_what_a_row_gives_can_be_lacking() -> None:
    """And only if Gladly holds another value."""
    assert lacking({"a": 1, "b": 2}, {"a": 1, "b": 3, "d": 4}, ("a", "b", "c")) == {"b": 3}
