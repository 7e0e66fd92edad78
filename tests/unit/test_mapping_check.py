"""Expectations of a mapping: what is compared, and what a difference says."""

from pathlib import Path

import orjson
import pytest

from bulkgladly.errors import InputError
from bulkgladly.mapping.check import Case, Difference, compare, outputs, read_cases
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.mapping import parse_mapping

MAPPER = Mapper(
    parse_mapping(
        """
version = 1
to = "customers"
key = "id"
[each]
of = "names"
as = "name"
[fields]
name = "name"
address = { from = "a", max = 3 }
"customAttribute:n" = { from = "n", as = "integer" }
""",
        "m.toml",
    )
)


def written(path: Path, *lines: object) -> Path:
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def test_outputs_are_what_is_sent() -> None:
    """Fields that are left alone are not there; what cannot be made says why."""
    assert outputs(MAPPER, {"id": 1, "names": ["Ada"], "a": ""}) == [{"_key": "1#1", "name": "Ada"}]
    assert outputs(MAPPER, {"id": 1, "names": ["Ada"], "a": "four"}) == [
        {
            "problem": "mapping",
            "attr": "address",
            "detail": "a (address) has 4 characters, but max is 3; shorten it, or choose too_long = cut or split",
        }
    ]


def test_expectations_that_are_met() -> None:
    """With the key where a case names it, with the field of a problem where it does."""
    cases = [
        Case(1, {"id": 1, "names": ["Ada", "Ben"]}, ({"name": "Ada"}, {"name": "Ben", "_key": "1#2"})),
        Case(2, {"id": 1, "names": ["Ada"], "a": "four"}, ({"problem": "mapping"},)),
        Case(3, {"id": 1, "names": ["Ada"], "a": "four"}, ({"problem": "mapping", "attr": "address"},)),
        Case(4, {"id": 1, "names": []}, ({"problem": "mapping_skipped"},)),
    ]

    assert compare(MAPPER, cases) == []


def test_every_difference_is_told() -> None:
    """By line, record and field; 1 is not true, and nothing is not null."""
    row = {"id": 1, "names": ["Ada", "Ben"], "n": "1"}

    found = compare(
        MAPPER,
        [
            Case(3, row, ({"name": "Eve", "customAttribute:n": 1}, {"name": "Ben", "customAttribute:n": True})),
            Case(4, row, ({"name": "Ada", "customAttribute:n": 1, "address": None},)),
            Case(5, {"id": 1, "names": ["Ada"]}, ({"name": "Ada"}, {"name": "Ben"})),
            Case(6, {"id": 1, "names": ["Ada"], "n": "x"}, ({"problem": "mapping", "attr": "name"},)),
        ],
    )

    assert found == [
        Difference(3, 1, "name", "Eve", "Ada"),
        Difference(3, 2, "customAttribute:n", True, 1),
        Difference(4, 1, "address", None, None),
        Difference(4, 2, "", None, {"_key": "1#2", "name": "Ben", "customAttribute:n": 1}),
        Difference(5, 2, "", {"name": "Ben"}, None),
        Difference(6, 1, "attr", "name", "customAttribute:n"),
    ]


def test_a_pair_of_files_is_compared_in_order() -> None:
    """Rows here, records there; one too many and one too few are differences."""
    rows = [{"id": 1, "names": ["Ada", "Ben"]}, {"id": 2, "names": ["Cleo"]}]
    cases = [Case(line, None, ({"name": name},)) for line, name in enumerate(("Ada", "Ben", "Cleo"), 1)]

    assert compare(MAPPER, cases, rows) == []
    assert compare(MAPPER, cases[:2], rows) == [Difference(2, 3, "", None, {"_key": "2#1", "name": "Cleo"})]
    assert compare(MAPPER, cases, rows[:1]) == [Difference(3, 1, "", {"name": "Cleo"}, None)]


def test_cases_are_read_in_both_forms(tmp_path: Path) -> None:
    """One output may stand without a list around it; blank lines are none."""
    path = written(tmp_path / "cases.ndjson", {"input": {"a": 1}, "output": {"b": 1}}, {"b": 2})
    path.write_bytes(path.read_bytes() + b"\n")

    assert read_cases(path) == [Case(1, {"a": 1}, ({"b": 1},)), Case(2, None, ({"b": 2},))]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "cases.ndjson:2: not valid JSON"),
        (b"[]", "cases.ndjson:2: holds an array, not an object"),
        (b'{"name": "A", "name": "B"}', "cases.ndjson:2: has the key 'name' twice"),
        (b'{"input": [], "output": {}}', "cases.ndjson:2: input must be an object"),
        (b'{"input": {}, "output": [1]}', "cases.ndjson:2: input must be an object, and output an object or a list"),
    ],
)
def test_a_line_that_is_no_case_is_refused(tmp_path: Path, line: bytes, message: str) -> None:
    """With its place."""
    path = tmp_path / "cases.ndjson"
    path.write_bytes(b'{"a": 1}\n' + line + b"\n")

    with pytest.raises(InputError, match=message):
        read_cases(path)


def test_expectations_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """As every file."""
    with pytest.raises(InputError, match="cannot be read"):
        read_cases(tmp_path / "none.ndjson")
