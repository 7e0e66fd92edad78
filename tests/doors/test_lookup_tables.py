"""The tables of lookups: any file that imports read, found by key, refused where it is not clear."""

import gc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkgladly.errors import InputChanged, InputError, UsageError
from bulkgladly.imports.lookup_tables import changed_lookup, lookup_files, lookup_tables
from bulkgladly.mapping.lookups import Find, following
from bulkgladly.mapping.mapping import Mapping, parse_mapping
from bulkgladly.mapping.row_values import MISSING


def mapping(folder: Path, lookup: str, field: str = "lookup = 't'") -> Mapping:
    text = f"version = 1\nto = 'customers'\n[lookup.t]\n{lookup}\n[fields]\nname = {{ from = 'a', {field} }}\n"
    return parse_mapping(text, str(folder / "m.toml"))


def table(folder: Path, lookup: str, field: str = "lookup = 't'") -> Find:
    return lookup_tables(mapping(folder, lookup, field))["t"]


def refusal(folder: Path, lookup: str, field: str = "lookup = 't'") -> str:
    with pytest.raises(UsageError) as refused:
        table(folder, lookup, field)
    return str(refused.value)


@pytest.mark.parametrize("name", ["t.csv", "t.ndjson", "t.json", "t.parquet"])
def test_a_file_of_any_format_is_looked_into(tmp_path: Path, name: str) -> None:
    """A key is found as text; what belongs to it keeps its type, where the format has one."""
    path = tmp_path / name
    if name == "t.csv":
        path.write_text("id,name\n1,Ada\n2,\n")
    elif name == "t.parquet":
        pq.write_table(pa.table({"id": [1, 2], "name": ["Ada", None]}), path)
    elif name == "t.json":
        path.write_text('{"people": [{"id": 1, "name": "Ada"},\n {"id": 2, "name": null}]}')
    else:
        path.write_text('{"id": 1, "name": "Ada"}\n{"id": 2, "name": null}\n')

    find = table(tmp_path, f"file = '{name}'\nkey = 'id'\nvalue = 'name'")

    assert (find("1"), find("2"), find("3")) == ("Ada", None, MISSING)


def test_without_a_value_the_whole_row_belongs_to_a_key(tmp_path: Path) -> None:
    """And each element of a list of keys is one; several files are one table."""
    (tmp_path / "a.ndjson").write_text('{"ids": ["x", "y"], "n": 1}\n')
    (tmp_path / "b.ndjson").write_text('{"ids": ["z"], "n": 2}\n')

    find = table(tmp_path, "file = '?.ndjson'\nkey = { path = 'ids' }")

    assert find("x") == find("y") == {"ids": ["x", "y"], "n": 1}
    assert find("z") == {"ids": ["z"], "n": 2}


def test_a_long_value_is_found_again(tmp_path: Path) -> None:
    """Though it is not kept in memory."""
    (tmp_path / "t.csv").write_text(f"id,name\n1,{'x' * 5000}\n")
    find = table(tmp_path, "file = 't.csv'\nkey = 'id'\nvalue = 'name'")

    assert find("1") == find("1") == "x" * 5000


def test_of_a_row_only_what_fields_use_is_kept(tmp_path: Path) -> None:
    """Rows that differ in other columns are no contradiction: exports list a user again whenever something changes."""
    (tmp_path / "t.csv").write_text("id,name,seen\n1,Ada,monday\n1,Ada,tuesday\n")
    lookup = "file = 't.csv'\nkey = 'id'"

    assert table(tmp_path, lookup, "lookup = 't.name'")("1") == {"name": "Ada"}
    assert "have the same key and different values" in refusal(tmp_path, lookup)


def test_one_key_with_two_values_is_refused_unless_the_user_chooses(tmp_path: Path) -> None:
    """Equal values are no matter."""
    (tmp_path / "t.csv").write_text("id,name\n1,Ada\n1,Ada\n1,Bea\n")
    lookup = "file = 't.csv'\nkey = 'id'\nvalue = 'name'\n"

    assert "[lookup.t] key: t.csv:2 and t.csv:4 have the same key and different values" in refusal(tmp_path, lookup)
    assert table(tmp_path, f"{lookup}duplicates = 'first'")("1") == "Ada"
    assert table(tmp_path, f"{lookup}duplicates = 'last'")("1") == "Bea"


def test_keys_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    """With their places. A key that leads to itself is an end, and a long way is none."""
    long = "".join(f"{number},{number + 1}\n" for number in range(100, 400))
    (tmp_path / "t.csv").write_text(f"old,new\n1,2\n2,3\n{long}9,9\n8,\n")
    lookup = "file = 't.csv'\nkey = 'old'\nvalue = 'new'\n"

    assert table(tmp_path, lookup, "same_as = 't'")("2") == "3"
    (tmp_path / "t.csv").write_text("old,new\n0,1\n1,2\n2, 3 \n3,1\n")
    said = refusal(tmp_path, lookup, "same_as = 't'")
    assert "[lookup.t]: the keys form a cycle: " in said
    assert all(f"t.csv:{line}" in said for line in (3, 4, 5))
    assert "t.csv:2" not in said
    assert table(tmp_path, lookup)("0") == "1", "only for same_as do they lead anywhere"


def test_a_key_that_is_followed_keeps_its_upper_and_lower_case(tmp_path: Path) -> None:
    """As the file writes it, since in Gladly `M-Cd` and `m-cd` are two records; also if case does not count here."""
    (tmp_path / "t.csv").write_text("old,new\nm-02,M-Ab\nM-AB, M-Cd \nM-cd,m-CD\nm-02,m-AB\n")
    text = "file = 't.csv'\nkey = 'old'\nvalue = 'new'\nignore_case = true\n"
    plan = mapping(tmp_path, text, "same_as = 't'").lookups[0]

    follow = following(plan, table(tmp_path, text, "same_as = 't'"))

    assert [follow(one) for one in ("M-02", " m-ab", "M-CD", "M-9")] == ["M-Cd", "M-Cd", "M-CD", "M-9"]
    (tmp_path / "t.csv").write_text("old,new\na,B\nb,C\nc,A\n")
    assert "the keys form a cycle" in refusal(tmp_path, text, "same_as = 't'")


@pytest.mark.parametrize(
    ("content", "lookup", "message"),
    [
        ("id,name\n1,Ada\n", "key = 'idd'", "[lookup.t] key: t.csv has no column idd; did you mean id?"),
        ("id,name\n1,Ada\n", "key = 'id'\nvalue = 'x'", "[lookup.t] value: t.csv has no column x; it has id, name"),
        ("id,name\n,Ada\n", "key = 'id'", "no row of t.csv has a value in id"),
        ('id,name\n1,"Ada\n', "key = 'id'", "t.csv:2: "),
    ],
)
def test_a_file_that_cannot_be_looked_into_is_refused(tmp_path: Path, content: str, lookup: str, message: str) -> None:
    """With the table, the place and the fix."""
    (tmp_path / "t.csv").write_text(content)

    assert message in refusal(tmp_path, f"file = 't.csv'\n{lookup}")


@pytest.mark.parametrize("name", ["t.csv", "t.ndjson"])
def test_a_part_that_no_row_has_is_refused(tmp_path: Path, name: str) -> None:
    """Else every record would silently be without it."""
    (tmp_path / name).write_text("id,email\n1,x\n" if name == "t.csv" else '{"id": 1, "email": null}\n')

    said = refusal(tmp_path, f"file = '{name}'\nkey = 'id'", "lookup = 't.emial'")
    assert f'{name} has no column emial, which a field takes with lookup = "t.emial"; did you mean email?' in said
    assert table(tmp_path, f"file = '{name}'\nkey = 'id'", "lookup = 't.email'")("1") is not MISSING


def test_a_file_that_is_missing_is_said_with_its_table(tmp_path: Path) -> None:
    """Before anything else happens."""
    with pytest.raises(InputError, match=r"m\.toml: \[lookup\.t\] file: .*none\.csv: no such file"):
        lookup_files(mapping(tmp_path, "file = 'none.csv'\nkey = 'id'"))


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    """By its content: a new time alone is no change."""
    path = tmp_path / "t.csv"
    path.write_text("id,name\n1,Ada\n")
    found = mapping(tmp_path, "file = 't.csv'\nkey = 'id'")
    before = lookup_files(found)

    path.write_text("id,name\n1,Ada\n")
    assert changed_lookup(before, lookup_files(found)) is None
    path.write_text("id,name\n1,Bea\n")
    assert changed_lookup(before, lookup_files(found)) == str(path)
    with pytest.raises(InputChanged, match="was changed in the meantime"):
        lookup_tables(found, before)


def test_a_table_goes_with_its_last_user(tmp_path: Path) -> None:
    """Warnings are errors here: a connection that nobody closed would be one."""
    (tmp_path / "t.csv").write_text("id,name\n1,Ada\n")
    find = table(tmp_path, "file = 't.csv'\nkey = 'id'\nvalue = 'name'")

    assert find("1") == "Ada"
    del find
    gc.collect()
