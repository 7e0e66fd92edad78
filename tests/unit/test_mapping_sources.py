"""Where a value comes from: variables, templates, and parts with operations of their own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.errors import UsageError
from bulkgladly.mapping.definitions import Given
from bulkgladly.mapping.field_rules import compile_field
from bulkgladly.mapping.mapper import KEY_COLUMN, Mapper
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.mapping.row_values import MISSING, Unmappable
from bulkgladly.mapping.variables import variable_text, variables_in
from bulkgladly.records import DroppedValue
from tests.unit.test_mapping_files import HEAD, made, refusal, refused

TICKET = {"id": 7, "subject": "Late", "user": {"name": "Ada"}, "at": "2026-01-31T23:30:00-02:00", "a b": "x", "": ""}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("#{id} {subject} ({at:date})", "#7 Late (2026-01-31)"),
        ("{user.name}, {at:%d.%m.%Y %H:%M}", "Ada, 31.01.2026 23:30"),
        ("{{{id}}}", "{7}"),
        ("{a b}{none}", "x"),
        ("none: {none}", ""),
        ('{"user.name"}{id}', "7"),
        ("{$host}/{id}", "https://example.org/7"),
        ("{$host}/{none}", ""),
    ],
)
def test_a_template_is_filled_from_the_row(template: str, expected: str) -> None:
    """It is empty if all of its places are, whatever its variables hold."""
    head = '[vars]\nhost = "https://example.org"\n'

    assert made(f"f = {{ template = '{template}' }}", TICKET, head) == {"f": expected}


def test_a_template_writes_what_html_needs_and_days_in_a_zone() -> None:
    """As its formats say."""
    row = {"name": "A & <B>", "at": "2026-01-31T23:30:00Z"}

    assert made("f = { template = '<b>{name:html}</b>' }", row) == {"f": "<b>A &amp; &lt;B&gt;</b>"}
    assert made("f = { template = '{at:date}', zone = 'Europe/Berlin' }", row) == {"f": "2026-02-01"}
    assert refused("f = { template = '{name:date}' }", row).detail == (
        "name (f) has a {name:date} in its template that is not a time, such as 2026-01-31T09:00:00Z"
    )


TEMPLATE_MISTAKES = [
    ("{id", "has a single {; write {{ if it is part of the text"),
    ("id}", "has a single }; write }}"),
    ("{}", "{} names no column"),
    ("{id:x}", "'x' is not a format; use date, html"),
    ("x", "has no {name} of a column; use constant"),
    ("{$hst}{id}", "there is no variable 'hst'; did you mean host?"),
    ("{tags[0]}", "is not a column or a path of names"),
]


@pytest.mark.parametrize(("template", "message"), TEMPLATE_MISTAKES)
def test_a_mistake_in_a_template_is_said_where_it_stands(template: str, message: str) -> None:
    """With the field."""
    said = refusal(f"{HEAD}[vars]\nhost = 'x'\n[fields]\nf = {{ template = '{template}' }}\n")

    assert said.startswith('m.toml: [fields."f"] template: ')
    assert message in said


@given(st.lists(st.tuples(st.text(), st.sampled_from(["id", "subject"])), min_size=1, max_size=4), st.text())
def test_any_text_around_the_places_stays(pieces: list[tuple[str, str]], end: str) -> None:
    """Braces are doubled, all else is as it is."""
    written = "".join(f"{text.replace('{', '{{').replace('}', '}}')}{{{name}}}" for text, name in pieces)
    written += end.replace("{", "{{").replace("}", "}}")
    expected = "".join(f"{text}{TICKET[name]}" for text, name in pieces) + end

    assert compile_field("f", {"template": written}, "m.toml").value(TICKET, []) == expected


def test_a_key_can_be_a_template() -> None:
    """Each place of it must be filled: half a key would be that of other rows, too."""
    text = f"{HEAD}key = {{ template = 'csat-{{id}}' }}\n[each]\nof = 'l'\nkey = {{ template = 's{{item.n}}' }}\n"
    mapper = Mapper(parse_mapping(f"{text}[fields]\nname = 'id'\n", "m.toml"))

    assert mapper.records({"id": 7, "l": [{"n": 1}]}) == [{KEY_COLUMN: "csat-7#s1", "name": 7}]
    [problem] = mapper.records({"id": "", "l": [{"n": 1}]})
    assert isinstance(problem, Unmappable)
    assert (problem.code, problem.detail) == (
        "key_missing",
        "the key csat-{id} is empty or holds a placeholder such as N/A; every row needs its own key",
    )


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 ", "7.0", '="7"', "\u200b7"])
def test_the_places_of_a_key_are_cleaned_as_keys_are(value: Any) -> None:
    """However a file writes it, it is one key: else the second spelling would be a second record."""
    text = f"{HEAD}key = {{ template = 'csat-{{id}}-x' }}\n[fields]\nf = 'id'\n"

    (found,) = Mapper(parse_mapping(text, "m.toml")).records({"id": value})

    assert not isinstance(found, Unmappable)
    assert found[KEY_COLUMN] == "csat-7-x"
    reference = "customerKey = { template = 'csat-{id}-x' }"
    assert made(reference, {"id": value}) == {"customerKey": "csat-7-x"}, "what refers to it is written in the same way"


@pytest.mark.parametrize(("value", "code"), [("#N/A", "key_missing"), (" ", "key_missing"), (True, "key_type")])
def test_a_key_with_a_place_that_is_no_key_is_a_problem_of_its_row(value: Any, code: str) -> None:
    """All rows with #N/A would be one record."""
    text = f"{HEAD}key = {{ template = 'csat-{{id}}' }}\n[fields]\nf = 'id'\n"

    (found,) = Mapper(parse_mapping(text, "m.toml")).records({"id": value})

    assert isinstance(found, Unmappable)
    assert (found.code, found.attr) == (code, "csat-{id}")
    assert found.detail.startswith("the key csat-{id} ")


def test_a_variable_stands_wherever_a_constant_may() -> None:
    """Alone with operations, in a list, as a default and as what a value becomes."""
    head = '[vars]\ngo_live = "2026-12-01"\n'
    row = {"a": "", "p": "urgent"}

    assert made("f = { var = 'go_live', date = '%Y-%m-%d', zone = 'UTC' }", row, head) == {
        "f": "2026-12-01T00:00:00.000Z"
    }
    assert made("f = { from = ['a', { var = 'go_live' }] }", row, head) == {"f": "2026-12-01"}
    assert made("f = { from = 'a', default = { var = 'go_live' } }", row, head) == {"f": "2026-12-01"}
    assert made("f = { from = 'p', values = { urgent = { var = 'go_live' } } }", row, head) == {"f": "2026-12-01"}
    assert "there is no variable 'go_life'; did you mean go_live?" in refusal(
        f"{HEAD}{head}[fields]\nf = {{ var = 'go_life' }}"
    )
    assert "[vars] x: must be a text, a number, true or false" in refusal(f"{HEAD}[vars]\nx = 2026-12-01\n[fields]\n")


@given(st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_variable_is_read_as_it_was_written(value: str | float) -> None:
    """A number stays a number, and a text of digits a text."""
    found = variables_in([variable_text("x", value)])["x"]

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [("2026-12-01", "2026-12-01"), ("5", 5), ('"5"', "5"), ("true", True), ("a b", "a b"), ("", ""), ("[1]", "[1]")],
)
def test_a_variable_on_the_command_line_is_what_it_is_in_the_file(text: str, value: object) -> None:
    """Or a text, without quotes."""
    assert variables_in([f"x={text}", "y=1"]) == {"x": value, "y": 1}


@pytest.mark.parametrize("texts", [["x"], ["=1"], ["x=1", "x=2"]])
def test_a_variable_on_the_command_line_has_a_name_of_its_own(texts: list[str]) -> None:
    """Or the command ends with what to write."""
    with pytest.raises(UsageError, match="--var"):
        variables_in(texts)


def test_variables_from_outside_go_first() -> None:
    """So a project can set them for all of its mappings."""
    text = f"{HEAD}[vars]\na = 1\nb = 2\n[fields]\nf = {{ var = 'a' }}\ng = {{ var = 'b' }}\nh = {{ var = 'c' }}\n"

    assert Mapper(parse_mapping(text, "m.toml", Given({"a": 9, "c": 3}))).records({}) == [{"f": 9, "g": 2, "h": 3}]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("['id', { from = 'at', date = 'iso', date_as = 'date' }]", "7 2026-01-31"),
        ("[{ from = 'subject', case = 'upper', max = 3, too_long = 'cut' }, 'id']", "LA… 7"),
        ("[{ from = 'none', default = 'nothing' }, 'id']", "nothing 7"),
        ("[{ path = 'tags', case = 'upper', combine = '+' }]", "A+B"),
        ("[{ path = 'tags', take = -1 }]", "b"),
        ("[{ join = ['id', { constant = '!' }], with = '' }, { template = '<{id}>' }]", "7! <7>"),
    ],
)
def test_a_part_of_a_join_has_operations_of_its_own(parts: str, expected: str) -> None:
    """All that a field has, except what is about a whole field."""
    assert made(f"f = {{ join = {parts} }}", {**TICKET, "tags": ["a", "b"]}) == {"f": expected}


def test_a_part_that_fails_is_named() -> None:
    """The value is not."""
    problem = refused("f = { join = ['id', { from = 'subject', date = 'iso' }] }", TICKET)

    assert problem.detail.startswith("id, subject (f) has a part, subject, that is not a time in the form iso")
    said = refusal(f"{HEAD}[fields]\nf = {{ join = ['id', {{ from = 'a', trimm = true }}] }}\n")
    assert '[fields."f" join part 2] trimm: is not a known option; did you mean trim?' in said
    said = refusal(f"{HEAD}[fields]\nf = {{ join = ['id', {{ from = 'a', on_error = 'drop' }}] }}\n")
    assert "on_error: is an option of the whole field" in said


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ("combine = ', '", ["a", "", None, "b"], "a, b"),
        ("combine = ', '", ["", None], ""),
        ("combine = ', '", "a", "a"),
        ("split = ';', case = 'upper', combine = '/'", ["a;b", "c"], "A/B/C"),
        ("combine = ', ', max = 4, too_long = 'cut'", ["abc", "def"], "abc…"),
        ("take = 1", ["", "a", "b"], "a"),
        ("take = -1", ["a", "b"], "b"),
        ("take = 3", ["a", "b"], ""),
        ("extract = '[0-9]+', take = 1", ["x", "y7", "8"], "7"),
    ],
)
def test_a_list_becomes_one_value(options: str, value: Any, expected: Any) -> None:
    """After each of its elements was converted; empty ones do not count."""
    assert made(f'f = {{ from = "a", {options} }}', {"a": value}) == {"f": expected}


def test_cells_with_several_values_are_one_list_for_a_numbered_field() -> None:
    """Whichever columns they are in."""
    field = "'e:*' = { from = ['a', 'b'], split = ';' }"

    assert made(field, {"a": "x", "b": "y;z"}) == {"e:1": "x", "e:2": "y", "e:3": "z"}
    assert made(field, {"a": "", "b": "y"}) == {"e:2": "y"}
    assert made("'e:*' = { from = 'a', take = 1 }", {"a": ["x", "y"]}) == {"e:1": "x"}


def dropped(field: str, row: dict[str, Any]) -> tuple[Any, list[tuple[str, str, Any]]]:
    """What a field with on_error = "drop" makes of a row, and the field, column and value of what it left out."""
    found: list[DroppedValue] = []
    head = '[vars]\nday = "2026-01-01"\n[fields]\n'
    (rule,) = parse_mapping(f"{HEAD}{head}{field}\n", "m.toml").rules
    value = rule.value(row, found)
    return value, [(one.field, one.column, one.value) for one in found]


@pytest.mark.parametrize(
    ("field", "row", "value", "gone"),
    [
        ("f = { template = '{a:date}', on_error = 'drop' }", {"a": "x"}, MISSING, [("f", "a", None)]),
        (
            "f = { join = ['b', { from = 'a', as = 'number' }], on_error = 'drop', default = 'none' }",
            {"a": "x", "b": "y"},
            "none",
            [("f", "b, a", None)],
        ),
        (
            "f = { from = 'a', as = 'integer', combine = '+', on_error = 'drop' }",
            {"a": ["1", "x", "3"]},
            "1+3",
            [("f", "a", "x")],
        ),
        ("f = { from = 'a', as = 'integer', take = 1, on_error = 'drop' }", {"a": ["x", "2"]}, 2, [("f", "a", "x")]),
        (
            "f = { from = 'a', combine = '+', max = 3, on_error = 'drop' }",
            {"a": ["ab", "cd"]},
            MISSING,
            [("f", "a", ["ab", "cd"])],
        ),
        (
            "f = { from = 'a', replace = { '#' = '' }, as = 'number', thousands = ',', on_error = 'drop' }",
            {"a": "#1,2"},
            MISSING,
            [("f", "a", "#1,2")],
        ),
        (
            "f = { from = 'a', date = 'iso', not_after = { var = 'day' }, on_error = 'drop' }",
            {"a": "2026-01-02T00:00Z"},
            MISSING,
            [("f", "a", "2026-01-02T00:00Z")],
        ),
        (
            "'f:*' = { from = ['a', 'b'], split = ';', as = 'integer', on_error = 'drop' }",
            {"a": "1", "b": "x;3"},
            [1, MISSING, 3],
            [("f:2", "b", "x")],
        ),
    ],
)
def test_each_operation_can_drop_a_value_that_is_not_valid(
    field: str, row: dict[str, Any], value: Any, gone: list[tuple[str, str, Any]]
) -> None:
    """Of a list, only the elements at fault; what a list became as a whole, as a whole."""
    assert dropped(field, row) == (value, gone)
