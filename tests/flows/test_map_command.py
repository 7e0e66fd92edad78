"""`map init` and `map check` as a person meets them: from a strange file to an import."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkgladly.checks.map_check import draft_for, targets_of
from bulkgladly.files.contract import ReadOptions
from bulkgladly.gladly.table import IMPORTS, import_spec
from bulkgladly.imports.mapping_choice import MapChoice, mapper_for, refuse_cut_identity
from bulkgladly.mapping.mapping import load_mapping, parse_mapping
from bulkgladly.mapping.row_values import Unmappable
from tests.flows.programs import Program, program_in

CSV = """Customer no.,First name,Last name,Mail,Mobile,Plan,Notes
7,Ada,Ashby,ada@example.org,+16505550107,1,likes tea
8,Ben,Birch,ben@example.org,,2,
9,Cleo,Holt,nobody,,3,
"""
MAPPING = """
version = 1
to = "customers"
key = "Customer no."
[fields]
name = { join = ["First name", "Last name"] }
"email:1" = "Mail"
"customAttribute:plan" = { from = "Plan", values = { "1" = "gold", "2" = "silver" } }
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program in a folder with a file of three rows and a mapping; without credentials."""
    (tmp_path / "people.csv").write_text(CSV)
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return program_in(tmp_path, monkeypatch)


def expectations(path: Path, *cases: object) -> None:
    path.write_text("".join(json.dumps(case) + "\n" for case in cases))


def test_a_draft_is_checked_and_imported(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command names the next; nothing that the rows hold is in the draft, nor on the screen."""
    assert program("map", "init", "people.csv", "--to", "customers", "-o", "draft.toml") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "`bulkgladly check customers people.csv --map draft.toml`" in told.err
    attributes = ("customAttribute:Plan", "customAttribute:Notes")
    targets = ("name", "email:1", "phone:1", "phone:1:type", *attributes)
    assert load_mapping(Path("draft.toml")).targets == targets
    assert "Ada" not in Path("draft.toml").read_text()

    assert program("map", "check", "people.csv", "--map", "draft.toml", "--rows", "1") == 0
    told = capsys.readouterr()
    assert told.out.startswith("only renamed: key <- Customer no., ")
    assert '\npeople.csv:2\n  name <- First name, Last name: "Aaa Aaaaa"\n' in told.out
    assert "Ada" not in told.out + told.err
    assert "columns that the mapping does not use" not in told.err

    assert program("import", "customers", "people.csv", "--map", "draft.toml", "--dry-run") == 0
    warned = capsys.readouterr().err
    assert "3 to create" in warned
    assert "1 dropped, because" in warned


def test_a_draft_goes_to_the_standard_output(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """And shows values to those who ask."""
    assert program("map", "init", "people.csv", "--to", "customers", "--show-values") == 0

    assert "likes tea" in capsys.readouterr().out


def test_a_mapping_that_is_there_is_not_overwritten(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody may have reviewed it."""
    assert program("map", "init", "people.csv", "--to", "customers", "-o", "mapping.toml") == 2

    assert "mapping.toml already exists" in capsys.readouterr().err
    assert Path("mapping.toml").read_text() == MAPPING


def test_rows_that_an_import_would_reject_are_told(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """By the mapping, or by the checks behind it; exit code 1."""
    assert program("map", "check", "people.csv", "--map", "mapping.toml", "--show-values", "--json") == 1

    found = json.loads(capsys.readouterr().out)
    assert found["examples"][0]["output"] == [
        {"_key": "7", "email:1": "ada@example.org", "name": "Ada Ashby", "customAttribute:plan": "gold"}
    ]
    assert [example["problems"] for example in found["examples"][:2]] == [[], []]
    (problem,) = found["examples"][2]["problems"]
    assert (problem["outcome"], problem["code"], problem["attr"]) == ("rejected", "mapping", "customAttribute:plan")
    assert found["unused"] == ["Mobile", "Notes"]


def test_values_are_shown_as_shapes(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """In JSON, too."""
    program("map", "check", "people.csv", "--map", "mapping.toml", "--json")

    text = capsys.readouterr().out
    assert "ada@example.org" not in text
    assert json.loads(text)["examples"][0]["input"]["Mail"] == "aaa@aaaaaaa.aaa"


def test_expectations_that_are_met(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """A mapping is tested like code: with cases of its own, without a file."""
    row = {"Customer no.": 1, "First name": "Ada", "Mail": "ada@example.org", "Plan": "2"}
    expectations(
        Path("cases.ndjson"),
        {"input": row, "output": {"name": "Ada", "email:1": "ada@example.org", "customAttribute:plan": "silver"}},
        {"input": {**row, "Plan": "5"}, "output": {"problem": "mapping", "attr": "customAttribute:plan"}},
    )

    assert program("map", "check", "--map", "mapping.toml", "--expect", "cases.ndjson") == 0
    assert "expectations: 2 of 2 are met" in capsys.readouterr().err


def test_expectations_that_are_not_met(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """Each difference with its line, record and field; exit code 1."""
    expectations(
        Path("cases.ndjson"),
        {"input": {"Customer no.": 1, "Plan": "1"}, "output": {"customAttribute:plan": "silver"}},
        {"input": {"Customer no.": 2, "Plan": "1"}, "output": {"customAttribute:plan": "gold"}},
    )
    expect = ("map", "check", "--map", "mapping.toml", "--expect", "cases.ndjson")

    assert program(*expect, "--show-values") == 1
    told = capsys.readouterr()
    line = 'cases.ndjson:1, record 1: customAttribute:plan: expected "silver", found "gold"\n'
    assert told.out == line
    assert "expectations: 1 of 2 are met" in told.err
    assert program(*expect) == 1
    assert "silver" not in capsys.readouterr().out


def test_a_pair_of_files_is_compared(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """All rows of the one with all lines of the other."""
    expectations(
        Path("records.ndjson"),
        {"name": "Ada Ashby", "email:1": "ada@example.org", "customAttribute:plan": "gold"},
        {"name": "Ben Birch", "email:1": "ben@example.org", "customAttribute:plan": "gold"},
        {"problem": "mapping"},
    )
    expect = ("--expect", "records.ndjson", "--rows", "0", "--show-values")

    assert program("map", "check", "people.csv", "--map", "mapping.toml", *expect) == 1
    assert capsys.readouterr().out == (
        'records.ndjson:2, record 1: customAttribute:plan: expected "gold", found "silver"\n'
    )
    assert program("map", "check", "--map", "mapping.toml", *expect) == 2
    assert "has outputs without inputs" in capsys.readouterr().err


def test_an_import_takes_its_mapping_from_the_settings_file(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every other flag."""
    Path("bulkgladly.toml").write_text('[import]\nmap = "mapping.toml"\n')

    assert program("import", "customers", "people.csv", "--dry-run", "--json") == 1
    found = json.loads(capsys.readouterr().out)

    assert (found["rows"], [finding["code"] for finding in found["findings"]]) == (3, ["mapping"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("map", "check", "--map", "mapping.toml"), "nothing to try the mapping on"),
        (("map", "check", "people.csv", "--map", "none.toml"), "none.toml: cannot be read"),
        (("map", "init", "people.csv", "--to", "costumers"), "unknown object 'costumers'"),
        (("map", "init", "none.csv", "--to", "customers"), "no such file"),
        (("map", "init", "empty.ndjson", "--to", "customers"), "the file has no rows to draft a mapping from"),
        (("map", "check", "people.csv", "--map", "mapping.toml", "--transform", "x"), "write module:function"),
        (("import", "customers", "people.csv", "--map", "people.csv", "--dry-run"), "people.csv: is not valid TOML"),
    ],
)
def test_what_cannot_work_is_said(
    program: Program, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """Exit code 2, and the way out."""
    Path("empty.ndjson").write_text("")

    assert program(*arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "flag"), [("Kunden-Nr;Name;E-Mail", "';'"), ("Kunden-Nr\tName\tE-Mail", r"$'\t'"), ("a|b, c|d", "'|'")]
)
@pytest.mark.parametrize(
    "command",
    [
        ("map", "init", "other.csv", "--to", "customers", "--delimiter", ","),
        ("map", "check", "other.csv", "--map", "mapping.toml", "--delimiter", ","),
        ("check", "customers", "other.csv", "--delimiter", ","),
        ("import", "customers", "other.csv", "--key", "Kunden-Nr", "--dry-run", "--delimiter", ","),
    ],
)
def test_a_wrong_delimiter_is_seen(
    program: Program, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], header: str, flag: str
) -> None:
    """If it was named by a flag, the message names the right one: no mapping is drafted from one long column."""
    Path("other.csv").write_text(f"{header}\n1;2;3\n")

    assert program(*command) == 2
    assert capsys.readouterr().err.endswith(f"pass --delimiter {flag}\n")


def test_the_next_command_reads_the_files_in_the_same_way(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """It can be copied."""
    Path("other.csv").write_bytes("Nr;Name\n1;Jürgen\n".encode("latin-1"))
    how = ("--encoding", "latin-1", "--delimiter", ";")

    assert program("map", "init", "other.csv", "--to", "customers", "-o", "other.toml", *how) == 0
    assert "`bulkgladly check customers other.csv --map other.toml --encoding latin-1 --delimiter ';'`" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("name", sorted(IMPORTS))
def test_no_draft_makes_another_object_of_a_long_id(name: str, tmp_path: Path) -> None:
    """Whatever the columns: ids, keys and addresses are not cut, and only what stands on a timeline is split."""
    spec = import_spec(name)
    columns = [target.name.replace("*", "1") for target in targets_of(spec)]
    row = {column: f"{column}@example.org" if "mail" in column.lower() else f"{column}-1" for column in columns}
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(json.dumps({**row, "id": number, "text": "x" * 3000}) + "\n" for number in range(3)))

    mapping = parse_mapping(draft_for(name, [str(path)], ReadOptions()).text, "draft")

    cut = {rule.target for rule in mapping.rules if rule.length is not None}
    assert mapping.rules
    assert not {target for target in cut if spec.is_identity(target)}
    assert not mapping.splits or name in ("activities", "notes", "task-comments")
    refuse_cut_identity(MapChoice(file="draft", text=draft_for(name, [str(path)], ReadOptions()).text), spec)


@pytest.mark.parametrize(
    ("to", "target", "policy"),
    [
        ("notes", "conversationId", "cut"),
        ("notes", "conversationId", "split"),
        ("conversations", "topics", "cut"),
        ("tasks", "customerKey", "cut"),
        ("tasks", "customerEmail", "split"),
        ("customers", "id", "split"),
        ("customers", "email:*", "cut"),
        ("customers", "phone:1", "cut"),
    ],
)
def test_a_mapping_does_not_make_another_object_of_a_long_id(
    to: str, target: str, policy: str, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused with the field and the fix; a run that began with it rejects what is too long, and goes on."""
    text = f'version = 1\nto = "{to}"\nkey = "Customer no."\n[fields]\n"{target}" = {{ from = "Notes", max = 5, '
    text += f'too_long = "{policy}" }}\n'
    Path("bad.toml").write_text(text)

    for command in (["import", to, "--dry-run"], ["check", to], ["map", "check"]):
        assert program(*command, "people.csv", "--map", "bad.toml") == 2
        said = capsys.readouterr().err
        assert f'bad.toml: [fields] "{target}" too_long = "{policy}"' in said
        assert "remove max and too_long" in said
    (made,) = mapper_for(MapChoice(file="bad.toml", text=text), import_spec(to), None).records(
        {"Customer no.": "7", "Notes": "123456"}
    )
    assert isinstance(made, Unmappable)
    assert made.attr == target


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_a_draft_looks_at_so_many_rows(suffix: str, program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """Of every format; what comes later is not looked at."""
    rows = [{"id": f"{number}", "name": "Ada" if number < 900 else "Late"} for number in range(1000)]
    path = Path(f"many.{suffix}")
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)
    elif suffix == "csv":
        path.write_text("id,name\n" + "".join(f"{row['id']},{row['name']}\n" for row in rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert program("map", "init", str(path), "--to", "customers", "--rows", "700", "--show-values") == 0

    told = capsys.readouterr().out
    assert "Drafted from 700 rows" in told
    assert "Late" not in told
