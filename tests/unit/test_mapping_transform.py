"""The user's own function: loaded from the folder, given copies, its mistakes told without values."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.mapping.mapper import KEY_COLUMN, Mapper
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.mapping.row_values import Unmappable
from bulkgladly.mapping.transform import Transform, load_transform

Write = Callable[[str], Transform]
_numbers = itertools.count()


@pytest.fixture
def load(tmp_path: Path) -> Write:
    """Load `row` from a module with this body; each gets a name of its own, since Python keeps modules."""

    def write(body: str) -> Transform:
        name = f"invented_transform_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(f"def row(fields):\n    {body}\n")
        return load_transform(f"{name}:row", tmp_path)

    return write


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("fields['b'] = fields.pop('a') * 2; return fields", [{"b": 2}]),
        ("return [{'n': n} for n in range(2)]", [{"n": 0}, {"n": 1}]),
        ("return ({'n': n} for n in range(2))", [{"n": 0}, {"n": 1}]),
        ("return None", []),
        ("return []", []),
    ],
)
def test_a_function_makes_one_row_some_or_none(load: Write, body: str, rows: list[dict[str, Any]]) -> None:
    """As a dict, as dicts, or as nothing."""
    assert load(body).rows({"a": 1}) == rows


def test_a_function_may_change_what_it_is_given(load: Write) -> None:
    """The row as it was read is kept for the rejects."""
    source = {"a": {"b": [1]}}

    load("fields['a']['b'].append(2); return fields").rows(source)

    assert source == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('secret')", "raised ValueError at line 2 of invented_transform_"),
        ("return fields['secret']", "raised KeyError at line 2"),
        ("yield {'a': 1}; raise ValueError('secret')", "raised ValueError at line 2"),
        ("return 'secret'", "returned str; return a dict, a list of dicts, or None"),
        ("return [1]", "returned a row that is not a dict"),
        ("return {1: 2}", "returned a row that is not a dict with text keys"),
        ("return {'a': {1, 2}}", "returned a value in a that cannot be written as JSON"),
        ("return {'a': [float('nan')]}", "returned a value in a"),
        ("return {'a': 1 << 70}", "returned a value in a"),
        ("return {'a': '\\ud800'}", "returned a value in a"),
    ],
)
def test_a_mistake_is_a_problem_of_the_row(load: Write, body: str, message: str) -> None:
    """With its class and line, never with its words, which may quote the row."""
    with pytest.raises(Unmappable) as refused:
        load(body).rows({"a": 1})

    assert refused.value.code == "transform"
    assert message in refused.value.detail
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_colon", "write module:function"),
        ("../x:row", "write module:function"),
        ("no_such_module_here:row", "it is neither in this folder nor installed"),
        ("here:other", "here has no such function; choose from: row, wait"),
        ("here:number", "here has no such function"),
        ("here:wait", "is an async function"),
        ("broken:row", "loading it raised SyntaxError"),
        ("needy:row", "no_such_module_here, which it imports,"),
    ],
)
def test_what_cannot_be_loaded_is_said(tmp_path: Path, name: str, message: str) -> None:
    """Before anything is read."""
    (tmp_path / "here.py").write_text(
        "number = 1\ndef row(fields):\n    return fields\nasync def wait(fields):\n    pass\n"
    )
    (tmp_path / "broken.py").write_text("def row(")
    (tmp_path / "needy.py").write_text("import no_such_module_here")

    with pytest.raises(UsageError, match="--transform") as refused:
        load_transform(name, tmp_path)

    assert message in str(refused.value)


def test_a_transform_can_be_found_again(tmp_path: Path) -> None:
    """In packages as well: `root` is the folder to look in, `digest` changes with the source."""
    package = tmp_path / "invented_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rows.py").write_text("def row(fields):\n    return fields\n")

    found = load_transform("invented_package.rows:row", tmp_path)
    again = load_transform("invented_package.rows:row", found.root)
    (package / "rows.py").write_text("def row(fields):\n    return None\n")
    changed = load_transform("invented_package.rows:row", found.root)

    assert found.root == tmp_path.resolve()
    assert found.digest == again.digest != changed.digest


def test_what_a_function_makes_goes_through_the_mapping(load: Write) -> None:
    """Rows with the same key get numbers; rows without one are refused; nothing at all is skipped."""
    mapping = parse_mapping('version = 1\nto = "customers"\nkey = "id"\n[fields]\nname = "n"\n', "m.toml")
    transform = load("return [{'id': i, 'n': n} for i, n in fields['rows']]")
    mapper = Mapper(mapping, transform)

    made = mapper.records({"rows": [[1, "a"], [2, "b"], [1, "c"], [None, "d"]]})
    (nothing,) = mapper.records({"rows": []})

    assert made[:3] == [
        {KEY_COLUMN: "1", "name": "a"},
        {KEY_COLUMN: "2", "name": "b"},
        {KEY_COLUMN: "1#2", "name": "c"},
    ]
    assert isinstance(made[3], Unmappable)
    assert isinstance(nothing, Unmappable)
    assert nothing.is_skip
    assert not mapper.is_one_to_one


def test_a_function_alone_makes_records(load: Write) -> None:
    """Without a mapping what it returns are columns of the resource."""
    mapper = Mapper(None, load("return {'name': fields['n'], 'email:1': fields['e']}"))

    assert mapper.records({"n": "Ada", "e": "ada@example.org"}) == [{"name": "Ada", "email:1": "ada@example.org"}]
    assert isinstance(mapper.records({})[0], Unmappable)
