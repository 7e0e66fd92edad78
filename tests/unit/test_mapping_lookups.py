"""Looking values up: what a declaration makes of the rows of its file, and what becomes of a value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.mapping.definitions import Given
from bulkgladly.mapping.mapper import KEY_COLUMN, Mapper
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.mapping.row_values import MISSING, Unmappable
from tests.unit.test_mapping_files import HEAD, refusal

LOOKUPS = """
[lookup.users]
file = "users.ndjson"
key = "id"
[lookup.orgs]
file = "orgs.csv"
key = "id"
value = "name"
[lookup.merged]
file = "merged.csv"
key = "old"
value = "new"
"""
USERS = {"1": {"name": "Ada", "at": {"home": "x"}}, "2": {"name": None}}
ORGS = {"7": "Alpine", "8": None}
MERGED = {"10": "11", "11": "12", "12": "12"}


def made(field: str, row: dict[str, Any], head: str = "") -> Any:
    """What a row makes with these lookups: its one field `f`, its key, or a problem."""
    tables = {
        name: lambda key, table=table: table.get(key, MISSING)
        for name, table in (("users", USERS), ("orgs", ORGS), ("merged", MERGED))
    }
    mapping = parse_mapping(f"{HEAD}{head}{LOOKUPS}[fields]\nf = {field}\n", "m.toml", Given(tables=tables))
    (found,) = Mapper(mapping).records(row)
    return found


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ("lookup = 'orgs'", 7, "Alpine"),
        ("lookup = 'orgs'", " 7 ", "Alpine"),
        ("lookup = 'orgs'", 8, ""),
        ("lookup = 'orgs'", "", ""),
        ("lookup = 'orgs', otherwise = 'keep'", 9, 9),
        ("lookup = 'orgs', otherwise = 'drop'", 9, ""),
        ("lookup = 'orgs', otherwise = 'drop', default = 'x'", 9, "x"),
        ("lookup = 'orgs', case = 'upper'", 7, "Alpine"),
        ("lookup = 'users.name'", 1, "Ada"),
        ("lookup = 'users.at.home'", 1, "x"),
        ("lookup = 'users.name'", 2, ""),
        ("lookup = 'orgs', combine = '+'", [7, "", 7], "Alpine+Alpine"),
        ("same_as = 'merged'", "10", "12"),
        ("same_as = 'merged'", 9, 9),
        ("same_as = 'merged'", "12", "12"),
        ("lookup = 'orgs', on_error = 'drop', combine = '+'", [7, 9], "Alpine"),
    ],
)
def test_a_value_becomes_what_belongs_to_it(options: str, value: Any, expected: Any) -> None:
    """Keys are compared without blanks, as the keys of rows are."""
    assert made(f"{{ from = 'a', {options} }}", {"a": value})["f"] == expected


def test_a_value_that_has_no_entry_is_a_problem_of_its_row() -> None:
    """The message names the file, and not the value."""
    found = made("{ from = 'a', lookup = 'orgs' }", {"a": "secret"})

    assert isinstance(found, Unmappable)
    assert found.detail == "a (f) is not in orgs.csv ([lookup.orgs]); add it there, or set otherwise"
    found = made("{ from = 'a', lookup = 'orgs' }", {"a": {"x": 1}})
    assert isinstance(found, Unmappable)
    assert "is not a text or a whole number" in found.detail


def test_the_key_of_a_row_follows_what_it_was_merged_into() -> None:
    """Whether it is a column, a path or a template."""
    row = {"id": 10, "a": "x"}

    assert made("'a'", row, "key = { column = 'id', same_as = 'merged' }\n")[KEY_COLUMN] == "12"
    assert made("'a'", row, "key = { path = 'id', same_as = 'merged' }\n")[KEY_COLUMN] == "12"
    assert made("'a'", row, "key = { template = '{id}', same_as = 'merged' }\n")[KEY_COLUMN] == "12"
    assert made("'a'", {"id": 5, "a": ""}, "key = { column = 'id', same_as = 'merged' }\n")[KEY_COLUMN] == "5"


def test_a_row_of_the_file_has_a_key_or_several() -> None:
    """A list has one in each of its elements, and empty ones do not count."""
    lookup = "file = 'f'\nkey = { path = 'ids' }\nvalue = 'n'\nignore_case = true\n"
    text = f"{HEAD}[lookup.u]\n{lookup}[fields]\nf = 'a'\n"
    (plan,) = parse_mapping(text, "m.toml").lookups

    assert list(plan.entries({"ids": ["A", "", None, " b"], "n": 1})) == [("a", 1), ("b", 1)]
    assert list(plan.entries({"ids": "A", "n": ""})) == [("a", None)]
    assert set(plan.columns) == {"ids", "n"}
    (plan,) = parse_mapping(text.replace("key =", "where = 'n == `1`'\nkey ="), "m.toml").lookups
    assert [list(plan.entries({"ids": "a", "n": n})) for n in (1, 2)] == [[("a", 1)], []]


MISTAKES = [
    ("[lookup.o]\nkey = 'id'\n", "'a'", "[lookup.o] file: is missing"),
    ("[lookup.o]\nfile = 'f'\n", "'a'", "[lookup.o] key: is missing"),
    ("[lookup.o]\nfile = 'f'\nkey = 'id'\nvalu = 'x'\n", "'a'", "did you mean value?"),
    ("[lookup.o]\nfile = 'f'\nkey = { constant = 1 }\n", "'a'", "must be a column or a path"),
    ("[lookup]\no = 1\n", "'a'", "[lookup] o: must be a table"),
    (LOOKUPS, "{ from = 'a', lookup = 'org' }", "there is no lookup 'org'; did you mean orgs?"),
    ("", "{ from = 'a', lookup = 'org' }", "there is no lookup 'org'; add a table [lookup.org]"),
    (LOOKUPS, "{ from = 'a', same_as = 'users' }", "[lookup.users] has no value"),
    (LOOKUPS, "{ from = 'a', lookup = 'users.a[' }", "'a[' is not a valid JMESPath"),
    (LOOKUPS, "{ from = 'a', lookup = 'orgs', values = {} }", "and values cannot be used together"),
    (LOOKUPS, "{ from = 'a', lookup = 'orgs', otherwise = 'kep' }", "did you mean 'keep'?"),
]


@pytest.mark.parametrize(("tables", "field", "message"), MISTAKES)
def test_a_mistake_in_a_lookup_is_said_where_it_stands(tables: str, field: str, message: str) -> None:
    """With the table and the fix."""
    assert message in refusal(f"{HEAD}{tables}[fields]\nf = {field}\n")


@given(st.dictionaries(st.integers(1, 30), st.integers(1, 30), max_size=30), st.integers(1, 30))
def test_a_key_is_followed_to_its_end(links: dict[int, int], start: int) -> None:
    """Whatever leads where, as long as it does not lead in a circle."""
    table = {str(one): str(max(one, other)) for one, other in links.items()}  # keys only grow
    end = str(start)
    while table.get(end, end) != end:
        end = table[end]
    text = f"{HEAD}{LOOKUPS}[fields]\nf = {{ from = 'a', same_as = 'merged' }}\n"
    given = Given(tables={"merged": lambda key: table.get(key, MISSING)})

    assert Mapper(parse_mapping(text, "m.toml", given)).records({"a": str(start)}) == [{"f": end}]
