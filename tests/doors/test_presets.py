"""Presets without the program: which file is what, and mappings that are valid whatever the export lacks."""

import csv
import datetime as dt
import json
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkgladly.errors import UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.presets.export_recognition import SourceExport, SourceFile, recognise
from bulkgladly.presets.preset_catalog import load_preset, preset_names
from bulkgladly.presets.preset_folder import PROJECT_FILE, PresetFolder, preset_folder, write_folder
from bulkgladly.presets.preset_text import PresetText
from samples.presets.make_zendesk import write_zendesk

SAMPLES = Path(__file__).parents[2] / "samples" / "presets"
TODAY = dt.date(2026, 11, 20)
OLD_SHOPIFY = "First Name,Last Name,Email,Accepts Marketing,Company,Address1,City,Zip,Phone,Total Spent,Tags"


def made(system: str, path: Path, out: Path | None = None) -> PresetFolder:
    """The preset for an export, with all its mappings parsed."""
    found = preset_folder(system, path, ReadOptions(), folder=out, today=TODAY)
    project = tomllib.loads(found.texts[PROJECT_FILE])
    assert [step["map"] for step in project["steps"]] == [name for name in found.texts if name != PROJECT_FILE]
    for step in project["steps"]:
        assert parse_mapping(found.texts[step["map"]], step["map"]).to == step["import"]
    return found


def table(path: Path, header: str, *rows: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])


@pytest.mark.parametrize("system", preset_names())
def test_the_files_of_a_sample_are_recognised(system: str) -> None:
    """All of them, each as one thing; and every step of the preset can run, or another runs instead of it."""
    preset = load_preset(system)

    export = recognise(preset, SAMPLES / system, ReadOptions())

    assert not export.unknown
    assert not export.unread
    assert all(len(files) == 1 for files in export.files.values())
    used = {step.input for step in preset.steps} | {name for step in preset.steps for name in step.needs}
    assert used <= {one.name for one in preset.inputs}


@pytest.mark.parametrize("system", preset_names())
def test_the_mappings_are_valid_with_all_files_and_with_the_fewest(system: str, tmp_path: Path) -> None:
    """Lookups of files that are not there are left out; what cannot be carried over is listed."""
    preset = load_preset(system)
    assert made(system, SAMPLES / system).imports
    export = recognise(preset, SAMPLES / system, ReadOptions())
    needed = {preset.steps[0].input}
    for name in needed:
        shutil.copy(export.files[name][0].path, tmp_path)

    fewest = made(system, tmp_path)

    assert [to for to, _, _ in fewest.imports] == ["customers"]
    told = " ".join(fewest.missing)
    left = {step.input for step in preset.steps} - {preset.steps[0].input, "conversations", "comments", "messages"}
    assert {name for name in left if name not in told} == set()


def test_rows_decide_before_names_and_names_among_the_files_that_fit(tmp_path: Path) -> None:
    """A file with a name of its own is found by its columns, a file with a misleading name is not taken."""
    shutil.copy(SAMPLES / "zendesk" / "users.json", tmp_path / "people.json")
    shutil.copy(SAMPLES / "zendesk" / "organizations.json", tmp_path / "users.json")

    export = recognise(load_preset("zendesk"), tmp_path, ReadOptions())

    assert {name: files[0].path.name for name, files in export.files.items()} == {
        "users": "people.json",
        "organizations": "users.json",
    }


def test_an_export_of_something_else_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("Name,Total\n#1,3\n")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")

    with pytest.raises(UsageError) as refused:
        made("shopify", tmp_path)

    told = str(refused.value)
    assert "no file here is part of a Shopify export" in told
    assert "First Name, Last Name, Email, Accepts Email Marketing or Accepts Marketing" in told
    assert f"{tmp_path / 'orders.csv'} has Name, Total" in told
    assert "photo.png: " in told
    assert "\n" not in told


def test_an_export_of_another_system_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="for a Shopify export, pass --from shopify"):
        made("hubspot", SAMPLES / "shopify")
    with pytest.raises(UsageError, match="for a Kustomer export, pass --from kustomer"):
        made("klaviyo", SAMPLES / "kustomer")
    (tmp_path / "customers.csv").touch()
    with pytest.raises(UsageError, match=r"name the folder of the export \(Shopify admin"):
        made("shopify", tmp_path)


def test_columns_that_the_files_do_not_have_become_comments(tmp_path: Path) -> None:
    """The form of earlier years is another spelling; a column of the merchant's own is offered."""
    table(tmp_path / "customers.csv", OLD_SHOPIFY + ',Shoe "size"\n=x', ["Ada", "Ashby", *[""] * 9, "7"])

    found = made("shopify", tmp_path)

    mapping = parse_mapping(found.texts["customers.toml"], "customers.toml")
    assert mapping.key is not None
    assert mapping.key.column == "Email"
    assert set(mapping.columns) <= {*OLD_SHOPIFY.split(",")}
    assert '# "customAttribute:accepts_sms_marketing" = ' in found.texts["customers.toml"]
    assert (
        '# "customAttribute:shoe_size_x" = { from = "Shoe \\"size\\"\\n=x", on_error' in found.texts["customers.toml"]
    )
    assert not found.missing


def test_several_files_are_one_input(tmp_path: Path) -> None:
    """One pattern stands for them, so that the project reads the further pages of tomorrow's export."""
    users = json.loads((SAMPLES / "zendesk" / "users.json").read_text())["users"]
    for number in (1, 2):
        (tmp_path / f"users-{number}.json").write_text(json.dumps({"users": users[number - 1 :: 2]}))
    shutil.copy(SAMPLES / "zendesk" / "tickets.jsonl", tmp_path)

    found = made("zendesk", tmp_path, tmp_path / "preset")

    steps = tomllib.loads(found.texts[PROJECT_FILE])["steps"]
    assert steps[0]["files"] == "../users-*.json"
    assert tomllib.loads(found.texts["comments.toml"])["lookup"]["users"]["file"] == "../users-*.json"


def test_many_files_of_one_input_are_told_in_one_line(tmp_path: Path) -> None:
    """One file for each conversation is what the APIs of some systems make."""
    conversations = (SAMPLES / "intercom" / "conversations.jsonl").read_text().splitlines()
    for number in range(10, 16):
        (tmp_path / f"conversation_{number}.json").write_text(conversations[0])
    shutil.copy(SAMPLES / "intercom" / "contacts.json", tmp_path)
    for number in range(12):
        (tmp_path / f"odd-{number:02}.json").write_text('[{"x": 1}]')

    found = made("intercom", tmp_path, tmp_path / "preset")

    assert [line for line in found.missing if "recognised" in line][9:] == [
        f"{tmp_path / 'odd-09.json'}: not recognised",
        "2 more files: not recognised",
    ]

    assert f"{tmp_path / 'conversation_10.json'} and 5 more files: conversations" in found.recognised
    assert len(found.recognised) == 2
    steps = tomllib.loads(found.texts[PROJECT_FILE])["steps"]
    assert {step["files"] for step in steps[1:]} == {"../conversation_*.json"}
    assert "conversation_10" not in found.texts["parts.toml"]


def test_files_without_a_pattern_of_their_own_are_listed(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "zendesk" / "users.json", tmp_path / "a-users.json")
    shutil.copy(SAMPLES / "zendesk" / "users.json", tmp_path / "b-people.json")
    (tmp_path / "notes.json").write_text('[{"x": 1}]')

    found = made("zendesk", tmp_path, tmp_path / "preset")

    [step] = tomllib.loads(found.texts[PROJECT_FILE])["steps"]
    assert step["files"] == ["../a-users.json", "../b-people.json"]


def test_names_and_titles_from_the_export_cannot_break_a_mapping(tmp_path: Path) -> None:
    """They are data: quotes, line breaks and the marks of TOML, JMESPath and HTML stay texts."""
    evil = 'A\'"`\\\n"] = <b>\u007f'
    users = json.loads((SAMPLES / "zendesk" / "users.json").read_text())["users"]
    for user in users:
        user["user_fields"] = {evil: "x", "": "y", "sizes": ["s", "m"]}
    tickets = [json.loads(line) for line in (SAMPLES / "zendesk" / "tickets.jsonl").read_text().splitlines()]
    (tmp_path / "users.json").write_text(json.dumps({"users": users}))
    (tmp_path / "tickets\n[[steps]].json").write_text(json.dumps({"tickets": tickets}))
    (tmp_path / "odd\n[[steps]].csv").write_text("a,b\n1,2\n")
    (tmp_path / "groups.json").write_text(
        json.dumps([{"id": 1, "name": evil, "deleted": False}, {"id": None, "name": None, "deleted": True}])
    )
    (tmp_path / "ticket_fields.json").write_text(json.dumps([{"id": 5300001, "title": evil, "type": "text"}]))

    found = made("zendesk", tmp_path)

    assert len(tomllib.loads(found.texts[PROJECT_FILE])["steps"]) == 3
    assert tomllib.loads(found.texts["tasks.toml"])["fields"]["inbox"]["values"]["1"] == evil


@settings(max_examples=40, deadline=None)
@given(columns=st.lists(st.text(min_size=1), unique=True, max_size=6), key=st.text(), title=st.text())
@example(columns=[], key="**", title="")
def test_mappings_are_valid_whatever_the_names_in_an_export(columns: list[str], key: str, title: str) -> None:
    """Names of columns, of custom fields and of groups go into mappings, and must be read from them again."""
    header = ("Klaviyo ID", "Email", *columns)
    table_file = SourceFile(Path("x.csv"), header, (dict.fromkeys(header, "1"),), is_table=True)
    field = {"id": 7, "value": "x"}
    named = {key: "x", f"{key}*": "x", f"{key}:": "x"}
    row = {"id": 1, "custom_fields": [field], "user_fields": named, "name": title, "title": title}
    json_file = SourceFile(Path("x.json"), tuple(row), (row, {**row, "id": 7}), is_table=False)
    found = {"profiles": (table_file,), **dict.fromkeys(("users", "tickets", "groups", "ticket_fields"), (json_file,))}
    text = PresetText(SourceExport(found), lambda name: f"../{name}{title}", "2026-12-20")

    for system, mapping in (("klaviyo", "customers.toml"), ("zendesk", "customers.toml"), ("zendesk", "tasks.toml")):
        preset = load_preset(system)
        [source] = [
            one for step in preset.steps if step.mapping == mapping for one in preset.inputs if one.name == step.input
        ]
        made_text = text.fitted(preset.template(mapping), source)
        assert parse_mapping(made_text, mapping).to in ("customers", "tasks")


def test_the_committed_zendesk_sample_is_what_its_generator_writes(tmp_path: Path) -> None:
    """Whoever changes the generator commits its files, too."""
    write_zendesk(tmp_path, users=20, tickets=14)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in (SAMPLES / "zendesk").iterdir()
    }


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Somebody may have reviewed it; then nothing at all is written."""
    out = tmp_path / "preset"
    found = made("klaviyo", SAMPLES / "klaviyo", out)
    write_folder(found)
    (out / "customers.toml").write_text("reviewed")
    (out / PROJECT_FILE).unlink()

    with pytest.raises(UsageError, match=r"customers\.toml already exists"):
        write_folder(found)

    assert (out / "customers.toml").read_text() == "reviewed"
    assert [path.name for path in out.iterdir()] == ["customers.toml"]


def test_what_a_killed_command_left_is_completed(tmp_path: Path) -> None:
    """The same command writes the rest; what it wrote is as it was."""
    found = made("kustomer", SAMPLES / "kustomer", tmp_path / "preset")
    write_folder(found)
    (tmp_path / "preset" / PROJECT_FILE).unlink()
    (tmp_path / "preset" / "notes.toml").unlink()

    write_folder(found)

    assert {path.name: path.read_text() for path in (tmp_path / "preset").iterdir()} == found.texts


def test_numbers_without_a_country_are_counted(tmp_path: Path) -> None:
    """They would reject their rows; what is no number is none of them."""
    rows = [
        ["1", "A", "B", "", number, "no"] for number in ("(650) 555-0101", "'+16505550102", "0016505550103", "ask", "")
    ]
    table(tmp_path / "customers.csv", "Customer ID,First Name,Last Name,Email,Phone,Accepts Email Marketing", *rows)

    found = made("shopify", tmp_path)

    assert found.local_numbers == 1
    assert "# 1 phone number has no country" in found.texts[PROJECT_FILE]


def test_a_path_that_is_not_there_and_a_system_without_a_preset(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        made("zendesk", tmp_path / "nowhere")
    with pytest.raises(UsageError, match="'helpscout' is not supported; choose zendesk"):
        made("helpscout", tmp_path)
