"""One preview: `check` shows what rows become, and `map check` says the same with the same options and settings."""

import json
from pathlib import Path

import pytest

from tests.flows.programs import HeardProgram, heard, program_in

CSV = """Customer ID,First Name,Last Name,E-mail,Phone,Plan,Notes
 C-1,Ada,Ashby,ada@example.org,(650) 555-0123,1,likes tea
4711,Ben,Birch,BEN@example.org ,,2,
C-3,Cleo,Holt,nobody,,1,
"""
MAPPING = """
version = 1
to = "customers"
key = "Customer ID"
[fields]
name = { join = ["First Name", "Last Name"] }
"email:1" = { from = "E-mail", trim = true, on_error = "drop" }
"phone:1" = "Phone"
"phone:1:type" = { constant = "MOBILE" }
"customAttribute:plan" = { from = "Plan", values = { "1" = "gold", "2" = "silver" } }
"customAttribute:notes" = "Notes"
"""
SHOWN = """only renamed: customAttribute:notes <- Notes
crm.csv:2
  key <- Customer ID: " A-9" -> "A-9"
  phone:1 <- Phone: "(999) 999-9999" -> "+99999999999"
  name <- First Name, Last Name: "Aaa Aaaaa"
  phone:1:type: "MOBILE"
  customAttribute:plan <- Plan: "9" -> "aaaa"
  email:1 <- E-mail: "aaa@aaaaaaa.aaa"
crm.csv:3
  name <- First Name, Last Name: "Aaa Aaaaa"
  email:1 <- E-mail: "AAA@aaaaaaa.aaa " -> "AAA@aaaaaaa.aaa"
  customAttribute:plan <- Plan: "9" -> "aaaaaa"
  key <- Customer ID: "9999"
crm.csv:4
  name <- First Name, Last Name: "Aaaa Aaaa"
  customAttribute:plan <- Plan: "9" -> "aaaa"
  key <- Customer ID: "A-9"
  email:1 <- E-mail: "aaaaaa" -> dropped: invalid_email
"""
MAP = ("--map", "crm.toml")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> HeardProgram:
    """The program beside a file with columns of its own, and a mapping; each call gets the file as standard input."""
    (tmp_path / "crm.csv").write_text(CSV)
    (tmp_path / "crm.toml").write_text(MAPPING)
    return heard(program_in(tmp_path, monkeypatch, stdin=CSV.encode()), capsys)


def test_check_shows_rows_before_rules_before_the_estimate(program: HeardProgram) -> None:
    """Only what differs has a line; values are masked in their form and length, those of the mapping are not."""
    told = program("check", "customers", "crm.csv", *MAP, "--phone-region", "US")

    head, _, rest = told.out.partition("\n")
    assert head.startswith("Sample rows")
    samples, _, findings = rest.partition("\n\n")
    assert samples == "\n".join(f"  {line}" for line in SHOWN.splitlines())
    assert findings.startswith("result ")
    assert "Ada" not in told.out + told.err
    assert told.err.rindex("Estimate (") > told.err.index("Checked 3 customers")


def test_map_check_says_the_same(program: HeardProgram) -> None:
    """With the option, the variable or the settings file, it rejects nothing that an import takes."""
    assert program("map", "check", "crm.csv", *MAP, "--rows", "1").code == 1
    told = program("map", "check", "crm.csv", *MAP, "--phone-region", "US")
    assert (told.code, told.out) == (0, SHOWN)

    Path("bulkgladly.toml").write_text('[import]\nphone_region = "US"\nmap = "crm.toml"\njson = true\n')
    assert program("map", "check", "crm.csv") == told
    assert "would be refused" not in program("check", "customers", "crm.csv").err
    Path("bulkgladly.toml").write_text('phone_region = "GB"\n[check]\nphone_region = "US"\n')
    assert program("map", "check", "crm.csv", *MAP) == told


def test_the_standard_input_is_taken_wherever_a_file_is(program: HeardProgram) -> None:
    """It is called by the name of its copy, which nobody can open: so the next command names no file."""
    how = ("-", "--format", "csv")
    options = (*MAP, "--phone-region", "US")

    told = program("map", "check", *how, *options)
    assert (told.code, told.out) == (0, SHOWN.replace("crm.csv", "stdin.csv"))
    drafted = program("map", "init", *how, "--to", "customers", "--out", "draft.toml")
    assert "`bulkgladly check customers FILE --map draft.toml --format csv --phone-region US`" in drafted.err
    assert "stdin.csv:2" in program("check", "customers", *how, *options).out
    assert "dry run: 3 rows read" in program("import", "customers", *how, *options, "--dry-run").err
    assert "cannot be combined with files" in program("map", "check", "-", "crm.csv", *MAP).err


def test_rows_in_the_form_of_gladly_are_shown_where_they_change(program: HeardProgram) -> None:
    """A clean file shows nothing; --rows 0 neither, and values only to those who ask."""
    Path("flat.csv").write_text("id,name,phone:1,phone:1:type\nc1,Ada,+1 650 555 0101,home\nc2,Ben,+16505550102,HOME\n")
    check = ("check", "customers", "flat.csv")

    assert program(*check, "--show-values").out.splitlines()[1:5] == [
        "  flat.csv:2",
        '    phone:1: "+1 650 555 0101" -> "+16505550101"',
        '    phone:1:type: "home" -> "HOME"',
        "",
    ]
    assert program(*check, "--rows", "0").out == ""
    found = json.loads(program(*check, "--json").out)["samples"]
    assert found[0]["place"] == "flat.csv:2"
    assert {"field": "phone:1", "column": "phone:1", "before": "+9 999 999 9999", "after": "+99999999999"} in (
        found[0]["records"][0]["values"]
    )


def test_a_row_with_many_records_does_not_fill_the_screen(program: HeardProgram) -> None:
    """The first five are shown, each with its number."""
    Path("each.toml").write_text(
        'version = 1\nto = "notes"\nkey = "id"\n[each]\nof = "said"\nas = "one"\n'
        '[fields]\nconversationId = "talk"\nbody = "one"\n'
    )
    Path("talks.ndjson").write_text(json.dumps({"id": 1, "talk": "t1", "said": [f"words {n}" for n in range(9)]}))

    lines = program("map", "check", "talks.ndjson", "--map", "each.toml").out.splitlines()

    assert [line for line in lines if line.startswith("  = ")] == [f"  = record {n} of 9" for n in range(1, 6)]
    assert lines[-1] == "  and 4 more of this row"


def test_dropped_values_are_in_the_json_of_map_check(program: HeardProgram) -> None:
    """With field, column and reason."""
    found = json.loads(program("map", "check", "crm.csv", *MAP, "--phone-region", "US", "--json").out)

    assert [example["dropped"] for example in found["examples"][:2]] == [[], []]
    (gone,) = found["examples"][2]["dropped"]
    assert (gone["field"], gone["column"], gone["code"]) == ("email:1", "E-mail", "invalid_email")


def test_parents_are_taken_from_the_standard_input(program: HeardProgram) -> None:
    """It can be read only once."""
    task = {"customerKey": "C-3", "inboxId": "i1", "body": "Call back", "dueAt": "2099-01-01T00:00:00Z"}
    how = ("--format", "csv", "--parents-key", "Customer ID")
    Path("tasks.csv").write_text(
        f"id,{','.join(task)}\nt1,{','.join(task.values())}\nt2,C-9,i1,x,2099-01-01T00:00:00Z\n"
    )

    told = program("check", "tasks", "tasks.csv", "--parents", "-", *how)

    assert "tasks.csv:3: " in told.out
    assert "tasks.csv:2: " not in told.out
    assert "can be read only once" in program("check", "tasks", "-", "--parents", "-", *how).err
