"""Rejects come back in the form of the CSV file that they are from, and the file imports again as it is."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Report
from bulkgladly.errors import UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.mapping.mapping import VERSION
from tests.flows.conftest import World
from tests.flows.quickly import start_import
from tests.flows.test_dropped_values import HEADER, MAPPING, mapped

ROWS = (
    ("crm", "name", "email:1"),
    ("c-1", "Ada Ashby", "ada@example.org"),
    ("c-2", 'Ben "the Birch"', "nobody"),
    ("c-3", "Zoë, Ltd; and\tsons", "none"),
    ("c-4", "two\nlines", "ada@"),
    ("c-5", "Cleo", "cleo@example.org"),
    ("c-6", "  Di ", "di@"),
)


def written(rows: Any, delimiter: str) -> str:
    """Rows as a CSV file with every cell in quotes."""
    quoted = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return "\r\n".join(quoted) + "\r\n"


def read(report: Report, encoding: str = "utf-8", name: str = "rejected.csv") -> str:
    return (Path(report.folder) / name).read_bytes().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_rejects_keep_the_form_of_their_file(delimiter: str, encoding: str, world: World) -> None:
    """Cells, delimiter, encoding and mark are those of the input; corrected, each row arrives once."""
    path = world.folder / "crm.csv"
    path.write_bytes(written(ROWS, delimiter).encode(encoding))
    reading = ReadOptions(encoding=encoding.removesuffix("-sig"), delimiter=delimiter)

    report = await world.run(path, reading=reading)

    assert report.counts["rejected"] == 4
    assert report.files["rejected.csv"]["rows"] == 4
    raw = (Path(report.folder) / "rejected.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    corrected = Path(report.folder) / "corrected.csv"
    text = read(report, encoding)
    assert text.splitlines()[0] == delimiter.join([*ROWS[0], "_line", "_reason", "_fix"])
    for number, bad in enumerate(("nobody", "none", "ada@", "di@")):
        text = text.replace(f"{delimiter}{bad}{delimiter}", f"{delimiter}good.{number}@example.org{delimiter}")
    corrected.write_bytes(text.encode(encoding))

    again = await world.run(corrected, reading=reading)

    assert again.counts["created"] == 4
    assert "rejected.csv" not in again.files
    names = sorted(profile["name"] for profile in world.emulator.store.customers.values())
    assert names == sorted(row[1] for row in ROWS[1:])


async def test_the_file_as_it_is_ends_as_before(world: World) -> None:
    """Its own columns are passed over, and do not come twice; lines are those of the file that was read."""
    path = world.folder / "crm.csv"
    path.write_text(written(ROWS, ","))
    first = await world.run(path)

    second = await world.run(Path(first.folder) / "rejected.csv")

    assert second.counts["rejected"] == second.counts["read"] == 4
    assert read(second).splitlines()[0] == read(first).splitlines()[0]
    lines = [row["_bulkgladly"]["position"]["record"] for row in world.result(first, "rejected")]
    assert lines == [3, 4, 5, 8]
    assert ",3,email:1 is not an email address" in read(first)
    assert ",8,email:1 is not an email address" in read(first)  # one row before it has two lines


async def test_lines_are_found_where_only_records_were_counted(world: World) -> None:
    """So it was in a run that an earlier version began."""
    path = world.folder / "crm.csv"
    path.write_text(written(ROWS, ","))

    report = await world.run(path, reading=ReadOptions(encoding="utf-8", delimiter=",", is_plain=True))

    for line in (3, 4, 5, 8):
        assert f",{line},email:1 is not an email address" in read(report)


async def test_what_the_filter_leaves_out_is_only_counted(world: World) -> None:
    """It is no reject, and its values need not lie about."""
    text = MAPPING.replace('key = "No"\n', 'key = "No"\nwhere = "Tier == \'a\'"\n').replace(', on_error = "drop"', "")
    path = world.folder / "crm.csv"
    path.write_text(HEADER + "C1,Ada,ada@example.org,,,a\nC2,Secret,s@example.org,,,b\nC3,Ben,nobody,,,a\n")

    report = await _unchecked(world, path, **mapped(world, text))

    assert (report.counts["skipped"], report.counts["rejected"]) == (1, 1)
    for name in ("rejected.csv", "rejected.ndjson"):
        assert "C3" in read(report, name=name)
        assert "Secret" not in read(report, name=name)
    assert "Mail (email:1) is not an email address" in read(report)


async def _unchecked(world: World, path: Path, **changes: Any) -> Report:
    return await start_import("customers", [path], world.credentials, world.choose(changes))


async def test_an_unreadable_line_comes_back_as_it_was(world: World) -> None:
    """It has no cells; filled in, it is imported, and left as it is it creates nothing."""
    path = world.folder / "crm.csv"
    path.write_text("crm,name,email:1\nc-1,Ada,ada@example.org\nc-2,Ben,Birch,ben@example.org\n")
    report = await world.run(path)
    table = read(report)
    assert table.splitlines()[0].endswith("_line,_reason,_fix,_raw")
    assert '"c-2,Ben,Birch,ben@example.org' in table

    same = await world.run(Path(report.folder) / "rejected.csv")

    assert same.rejects_by_code == {"unedited": 1}
    assert '"c-2,Ben,Birch,ben@example.org' in read(same)
    fixed = world.folder / "fixed.csv"
    fixed.write_text(table.replace("\n,,,", '\nc-2,"Ben, Birch",ben@example.org,'))
    assert (await world.run(fixed)).counts["created"] == 1


async def test_a_line_of_a_wide_encoding_comes_back_readable(world: World) -> None:
    """Its bytes were converted before the lines were cut; what cannot be converted is marked."""
    path = world.folder / "crm.csv"
    head = "crm,name,email:1\r\nc-1,Ada,ada@example.org\r\n".encode("utf-16")
    path.write_bytes(head + "c-2,Zo".encode("utf-16-le") + b"\x00\xd8" + ",x,y\r\n".encode("utf-16-le"))

    report = await world.run(path)

    table = read(report, "utf-16").splitlines()
    assert table[0].endswith("_line,_reason,_fix,_raw")
    assert '"c-2,Zo' in table[1]
    assert table[1].endswith(',x,y"')
    assert "has bytes that are not utf-16" in table[1]


async def test_files_with_other_columns_have_tables_of_their_own(world: World) -> None:
    """Rows of one header stay together; then the name of the file stands before the line."""
    one, two = world.folder / "one.csv", world.folder / "two.csv"
    three = world.folder / "three.csv"
    one.write_text("crm,email:1\nc-1,nobody\n")
    two.write_text("crm,name,email:1\nc-2,Ben,nobody\n")
    three.write_text("crm,email:1\nc-3,nobody\n")

    report = await world.run(one, two, three)

    assert f"c-1,nobody,{one}:2," in read(report)
    assert f"c-3,nobody,{three}:2," in read(report)
    assert "c-2,Ben,nobody,2," in read(report, name="rejected-2.csv")
    command = next(line for line in report.next_commands if " import " in line)
    assert f"{report.folder}/rejected.csv {report.folder}/rejected-2.csv --key" in command
    assert "3 rejects to correct: edit rejected.csv and rejected-2.csv, then import them" in report.details


async def test_other_formats_have_no_table(world: World) -> None:
    """Their rejects are NDJSON, as before."""
    report = await world.rows([{"crm": "c-1", "email:1": "nobody"}])

    assert sorted(report.files) == ["rejected.ndjson", "success.ndjson", "unprocessed.ndjson"]


async def test_a_record_of_several_says_which_one_it_is(world: World) -> None:
    """Imported again, only the record that failed is made."""
    text = f"""version = {VERSION}
to = "activities"
key = "No"
[fields]
customerEmail = "Mail"
activityType = "Kind"
title = {{ constant = "Old" }}
body = {{ from = "Text", max = 10, too_long = "split" }}
sourceName = {{ constant = "CRM" }}
"""
    path = world.folder / "crm.csv"
    path.write_text("No,Mail,Kind,Text\n1,ada@example.org,NONE,one two three four\n")

    report = await _split(world, path, text)

    assert report.counts["rejected"] == 2
    assert "_part" in read(report).splitlines()[0]
    again = await _split(world, Path(report.folder) / "rejected.csv", text)
    assert again.counts["read"] == report.counts["read"]


async def _split(world: World, path: Path, text: str) -> Report:
    options = replace(world.choose({"mode": "create"}), **{**mapped(world, text), "phone_region": None})
    return await start_import("activities", [path], world.credentials, options)


# --- what comes next -------------------------------------------------------------------------


BAD = {"crm": "c-1", "email:1": "nobody"}
LOCAL = {"crm": "c-2", "email:1": "ada@example.org", "phone:1": "020 7946 0018"}
TAKEN = {"crm": "c-3", "email:1": "theirs@example.org"}
GOOD = {"crm": "c-4", "email:1": "ben@example.org"}


@pytest.mark.parametrize(
    ("rows", "changes", "commands"),
    [
        ([GOOD], {}, ["verify", "runs show"]),
        ([GOOD, BAD], {}, ["import customers", "runs show"]),
        ([TAKEN], {}, ["retry", "runs show"]),
        ([BAD, TAKEN], {}, ["retry", "import customers", "runs show"]),
        ([LOCAL], {}, ["retry", "runs show"]),
        ([BAD, GOOD, GOOD], {"max_errors": 0}, ["import customers", "resume", "runs show"]),
        ([GOOD, BAD], {"max_rows": 1}, ["resume", "runs show"]),
    ],
)
async def test_the_summary_names_what_helps(
    rows: list[dict[str, Any]], changes: dict[str, Any], commands: list[str], world: World
) -> None:
    """Rows that are wrong are corrected, rows that may pass are sent again, and a wall is not run into again."""
    world.emulator.add_customer(id="theirs", emails=[{"original": "theirs@example.org"}])

    report = await world.run(world.ndjson(rows), **changes)

    found = [command.removeprefix("bulkgladly ") for command in report.next_commands]
    assert [any(one.startswith(word) for word in commands) for one in found] == [True] * len(commands)
    assert [one.startswith(word) for one, word in zip(found, commands, strict=True)] == [True] * len(commands)


async def test_the_import_that_is_named_has_the_options_of_the_run(world: World) -> None:
    """So that the corrected file is read, mapped and keyed as before."""
    path = world.folder / "crm.csv"
    path.write_text(HEADER.replace(",", ";") + "C1;Ada;nobody;;;a\n")
    text = MAPPING.replace(', on_error = "drop"', "")

    report = await world.run(path, **mapped(world, text, reading=ReadOptions(delimiter=";"), null="clear"))

    words = shlex.split(report.next_commands[0])
    assert words[1:4] == ["import", "customers", f"{report.folder}/rejected.csv"]
    for flag, value in (("--null", "clear"), ("--phone-region", "US"), ("--delimiter", ";")):
        assert words[words.index(flag) + 1] == value
    assert words[words.index("--map") + 1] == str(world.folder / "mapping.toml")


async def test_too_many_local_numbers_ask_for_their_country(world: World) -> None:
    """To resume would lead into the same rejects."""
    report = await world.run(world.ndjson([LOCAL]), max_errors=0)

    assert "--phone-region COUNTRY --new-run" in report.next_commands[0]


async def test_a_retry_that_helps_nobody_does_not_ask_for_another(world: World) -> None:
    """The first is worth a try: somebody may have changed something in Gladly."""
    world.emulator.add_customer(id="theirs", emails=[{"original": "theirs@example.org"}])
    await world.rows([TAKEN, BAD])

    again = await world.retry()

    assert again.counts["rejected"] == again.counts["read"] == 1
    assert not [command for command in again.next_commands if "bulkgladly retry" in command]


async def test_a_retry_of_what_cannot_pass_sends_nothing(world: World) -> None:
    """It names the file to correct. An address that another row has would only be refused by Gladly, too."""
    await world.rows([GOOD, {**GOOD, "crm": "c-5"}, BAD])
    world.forget()

    with pytest.raises(UsageError, match=r"2 rejected rows left out.*rejected\.ndjson and import it: bulkgladly"):
        await world.retry()

    assert world.asked() == {}
    assert (await world.retry(invalid_contacts="drop", on_conflict="update")).counts["read"] == 2


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_a_duplicate_does_not_overwrite_by_itself(form: str, world: World) -> None:
    """Which of two rows is right is for a person to say; the file as it is changes nothing."""
    path = world.folder / "crm.csv"
    path.write_text("crm,name,email:1\nc-1,Ada,a@example.org\nc-1,Eve,a@example.org\n")
    report = await world.run(path)
    table = Path(report.folder) / f"rejected.{form}"

    again = await world.run(table)

    assert again.rejects_by_code == {"duplicate_key": 1}
    assert world.names() == {"a@example.org": "Ada"}
    chosen = world.folder / f"chosen.{form}"
    text = table.read_text()
    row = '{"crm": "c-1", "name": "Eve", "email:1": "a@example.org"}\n'
    chosen.write_text(text.replace(",yes", ",") if form == "csv" else row)
    assert (await world.run(chosen)).counts["updated"] == 1
    same = Path(again.folder) / f"rejected.{form}"
    assert form == "ndjson" or same.read_text().splitlines()[0] == text.splitlines()[0]
    retried = await world.retry(RunFolder(Path(again.folder)), on_duplicate="last")
    assert retried.counts["unchanged"] == 1
