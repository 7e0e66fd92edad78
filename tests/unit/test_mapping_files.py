"""A mapping file: what is wrong with it is said with file, table, key and what may be meant."""

from pathlib import Path
from typing import Any

import pytest

from bulkgladly.errors import InputError, UsageError
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.mapping import Mapping, load_mapping, parse_mapping
from bulkgladly.mapping.row_values import Unmappable

HEAD = 'version = 1\nto = "customers"\n'


def mapping(fields: str, head: str = "") -> Mapping:
    return parse_mapping(f"{HEAD}{head}\n[fields]\n{fields}\n", "m.toml")


def made(fields: str, row: dict[str, Any], head: str = "") -> dict[str, Any]:
    """The one record of a row."""
    (record,) = Mapper(mapping(fields, head)).records(row)
    assert not isinstance(record, Unmappable), record.detail
    return record


def refused(fields: str, row: dict[str, Any], head: str = "") -> Unmappable:
    """Why a row makes no record."""
    (record,) = Mapper(mapping(fields, head)).records(row)
    assert isinstance(record, Unmappable), record
    return record


MISTAKES = [
    ("version = ", "m.toml: is not valid TOML"),
    ('to = "customers"', "version: is missing; start the file with version = 1"),
    ('version = 2\nto = "customers"', "version: 2 is not supported; this version of bulkgladly reads version 1"),
    ("version = 1\n[fields]", "to: is missing"),
    (HEAD, "[fields]: is missing"),
    (f"{HEAD}feilds = 1\n[fields]", "feilds: is not a known option; did you mean fields?"),
    (f"{HEAD}[each]\n[fields]", "of: is missing"),
    (f"{HEAD}[each]\nof = 'c'\nas = 'a-b'\n[fields]", "as: must be a single word"),
    (f"{HEAD}[each]\nof = 'c'\nkey = 'x'\n[fields]", "[each] key: needs a key of the row as well"),
    (f"{HEAD}key = {{ path = 1 }}\n[fields]", "path must be a text"),
]

FIELD_MISTAKES = [
    ("f = 1", "from: must be a column, or a table like"),
    (
        "f = { frm = 'a' }",
        "from: does not say where the value comes from; give exactly one of from, path, constant, var, join, template",
    ),
    ("f = { from = 'a', path = 'b' }", "path: has from and path; give exactly one"),
    ("f = { from = 'a', cse = 'lower' }", "cse: is not a known option; did you mean case?"),
    ("f = { from = 'a', case = 'loser' }", "choose lower, upper or title; did you mean 'lower'?"),
    ("f = { path = 'a[' }", "'a[' is not a valid JMESPath"),
    ("f = { from = 'a', extract = '(' }", "extract: is not a valid regular expression"),
    ("f = { from = 'a', part = 1 }", "part: needs split"),
    ("f = { from = 'a', split = ',', part = 0 }", "part: counts from 1"),
    ("f = { from = 'a', split = '' }", "split: must not be empty"),
    ("f = { from = 'a', otherwise = 'keep' }", "otherwise: can only be used together with values"),
    (
        "f = { from = 'a', values = { '*' = 1 }, otherwise = 'keep' }",
        'otherwise: and the entry "*" of values both decide',
    ),
    ("f = { from = 'a', too_long = 'cut' }", "too_long: needs max"),
    ("f = { from = 'a', max = 0 }", "max: must be at least 1"),
    ("f = { from = 'a', max = true }", "max: must be a whole number"),
    ("f = { from = 'a', max = 9, number_in = 'b' }", "number_in: can only be used with"),
    ("'f:*' = { from = 'a', max = 9, too_long = 'split' }", "too_long: cannot be"),
    ("f = { from = 'a', max = 9, too_long = 'split', number_in = 'b' }", "number_in: b is not a field of this mapping"),
    ("f = { from = 'a', zone = 'UTC' }", "zone: needs date"),
    ("f = { from = 'a', date = 'iso', zone = 'Europe/Berln' }", "did you mean Europe/Berlin?"),
    ("f = { from = 'a', date = 'yesterday' }", "'yesterday' is not a date format"),
    ("f = { from = 'a', date = [] }", "date: must be iso, epoch"),
    ("f = { from = 'a', date = '%d %H:%M %Z' }", "%Z cannot be used, since names of time zones mean different times"),
    ("f = { from = 'a', date = '%d.%m.', zone = 'UTC' }", "%d.%m. has no year"),
    ("f = { from = 'a', values = { A = 1, a = 2 }, ignore_case = true }", "has 'A' twice if case does not count"),
    ("f = { from = 'a', date = '%Q' }", "'%Q' is not a valid strptime pattern"),
    ("f = { from = 'a', date = '%d.%m.%Y' }", "has no offset (%z); set the time zone"),
    ("f = { constant = 2020-01-01 }", "cannot be written as JSON"),
    ("f = { join = ['a', { constant = inf }] }", "cannot be written as JSON"),
    ("f = { constant = 'x', case = 'upper' }", "cannot be combined with operations"),
    ("f = { from = 'a', with = ' ' }", "with: is the text between the parts of join"),
    ("f = { join = 'a' }", "join: must be a list of columns"),
]


def refusal(text: str) -> str:
    """What is said of a file."""
    with pytest.raises(UsageError) as refused_with:
        parse_mapping(text, "m.toml")
    return str(refused_with.value)


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_in_the_file_is_said_where_it_stands(text: str, message: str) -> None:
    """Every message begins with the file, and leads to the key."""
    said = refusal(text)

    assert said.startswith("m.toml: ")
    assert message in said


@pytest.mark.parametrize(("field", "message"), FIELD_MISTAKES)
def test_a_mistake_in_a_field_names_the_field(field: str, message: str) -> None:
    """And the key, and what may be meant."""
    said = refusal(f"{HEAD}[fields]\n{field}\n")

    assert said.startswith("m.toml: [fields")
    assert '"f' in said
    assert message in said


def test_fields_that_are_in_each_others_way_are_refused() -> None:
    """One of them would win, or not, by the row."""
    long = "{ from = 'a', max = 9, too_long = 'split' }"

    assert '"email:2": is also filled by email:*' in refusal(f"{HEAD}[fields]\n'email:*' = 'a'\n'email:2' = 'b'\n")
    assert "can have only one *" in refusal(f"{HEAD}[fields]\n'e:*:*' = 'a'\n")
    assert "only one field can be split, and a already is" in refusal(f"{HEAD}[fields]\na = {long}\nb = {long}\n")


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    """As every input file."""
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        load_mapping(tmp_path / "none.toml")


def test_a_file_may_begin_with_a_mark(tmp_path: Path) -> None:
    """As some editors write it."""
    (tmp_path / "m.toml").write_text(f"{HEAD}[fields]\nname = 'n'\n", encoding="utf-8-sig")

    assert load_mapping(tmp_path / "m.toml").targets == ("name",)


def test_a_mapping_knows_what_it_reads_and_fills() -> None:
    """Whatever the reference: the row's own columns, not those of an element."""
    found = mapping(
        'name = { join = ["First", { path = "user.last" }, { constant = "x" }] }\n'
        'title = { path = "comment.title || subject" }\n"email:*" = ["a", "b"]\nbody = "comment_number"',
        'key = { path = "ids[0].value" }\nwhere = "length(tags[?name == \'vip\']) > `0`"\n'
        '[each]\nof = "history.comments"\nas = "comment"',
    )

    assert found.targets == ("name", "title", "email:*", "body")
    assert found.columns == ("ids", "tags", "history", "First", "user", "subject", "a", "b")
    assert found.splits


def test_a_reference_is_a_column_as_it_is_spelled() -> None:
    """Dots, blanks and colons are part of a column's name; paths have a key of their own."""
    assert made('name = "user.name"\naddress = "Full Address: 1"', {"user.name": "Ada", "Full Address: 1": "Here"}) == {
        "name": "Ada",
        "address": "Here",
    }
    assert made('name = { path = "user.name" }', {"user": {"name": "Ada"}, "user.name": "no"}) == {"name": "Ada"}


@pytest.mark.parametrize("row", [{}, {"user": None}, {"user": "text"}, {"user": {}}, {"user": {"name": None}}])
def test_a_path_that_leads_nowhere_is_nothing(row: dict[str, Any]) -> None:
    """Nested JSON is not the same in every row."""
    assert made('name = { path = "user.name" }', row) == {"name": ""}
    assert made('name = { path = "user.name | [0]" }', row) == {"name": ""}


def test_a_path_that_fails_is_a_problem_without_values() -> None:
    """The library's own message would quote what the row holds."""
    problem = refused("name = { path = \"join(' ', names)\" }", {"names": ["secret", 1]})

    assert (problem.code, problem.attr) == ("mapping", "name")
    assert "secret" not in problem.detail
    assert problem.detail.startswith("names (name) the path join(' ', names) cannot be applied to this row")


def test_nothing_and_null_are_not_the_same() -> None:
    """An empty cell and a missing one leave a field alone; a null may clear it."""
    assert made('name = "a"', {"a": ""}) == made('name = "a"', {}) == {"name": ""}
    assert made('name = "a"', {"a": None}) == {"name": None}
    assert made('name = { from = "a", trim = true }', {"a": None}) == {"name": None}
    assert made('name = { from = ["a", "b"] }', {"a": None, "b": ""}) == {"name": None}


def test_the_first_column_that_has_something_is_taken() -> None:
    """Unless they are spread."""
    assert made('name = ["a", "b", "c"]', {"a": "", "b": "B", "c": "C"}) == {"name": "B"}
    assert made('"email:*" = ["a", "b", "c"]', {"a": "A", "b": "", "c": "C"}) == {"email:1": "A", "email:3": "C"}


def test_lists_are_spread_over_numbered_columns() -> None:
    """Elements keep their number, so that their parts find them."""
    fields = (
        '"phone:*" = { path = "p[*].n" }\n"phone:*:type" = { path = "p[*].t", values = { m = "MOBILE", h = "HOME" } }'
    )

    record = made(fields, {"p": [{"n": "1", "t": "m"}, {"n": "2", "t": "h"}]})

    assert record == {"phone:1": "1", "phone:2": "2", "phone:1:type": "MOBILE", "phone:2:type": "HOME"}


def test_parts_are_joined_without_the_empty_ones() -> None:
    """Constants alone are nothing."""
    fields = 'name = { join = [{ constant = "Ticket" }, "id", "subject"], with = " - " }'

    assert made(fields, {"id": 5, "subject": "Lost"}) == {"name": "Ticket - 5 - Lost"}
    assert made(fields, {"id": 5, "subject": ""}) == {"name": "Ticket - 5"}
    assert made(fields, {"subject": None}) == {"name": ""}


def test_constants_defaults_and_required_fields() -> None:
    """A default takes the place of nothing and of null; what is required must be there."""
    assert made("active = { constant = true }", {}) == {"active": True}
    assert made('name = { from = "a", default = "nobody" }', {"a": None}) == {"name": "nobody"}
    assert made('name = { from = "a", default = "nobody" }', {"a": "Ada"}) == {"name": "Ada"}
    assert refused('name = { from = "a", required = true }', {"a": ""}).detail == (
        "a (name) is required, but the row has no value for it"
    )


def test_what_is_required_of_numbered_columns_is_one_of_them() -> None:
    """A list of nothing is nothing."""
    fields = '"email:*" = { from = ["a", "b"], required = true }'

    assert made(fields, {"a": "", "b": "x"}) == {"email:2": "x"}
    assert refused(fields, {"a": "", "b": None}).attr == "email:*"
    assert made(fields.replace("required = true", 'default = "y"'), {"a": ""}) == {"email:1": "y"}


def test_only_rows_with_the_condition_are_taken() -> None:
    """Others are skipped, by the user's own rule."""
    head = "where = \"role == 'end-user'\""

    assert made('name = "n"', {"n": "Ada", "role": "end-user"}, head) == {"name": "Ada"}
    left_out = refused('name = "n"', {"n": "Ben", "role": "agent"}, head)
    assert left_out.is_skip
    assert left_out.code == "mapping_skipped"
