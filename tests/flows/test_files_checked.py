"""Files as people have them, through `check` and an import: what is read, what is told, and what a resume does."""

import csv
import shlex
from pathlib import Path

import pytest

from bulkgladly import ImportOptions, UsageError
from bulkgladly.checks.check_report import CheckReport
from bulkgladly.checks.run_check import check
from bulkgladly.files.contract import ReadOptions
from bulkgladly.imports.mapping_choice import choose_mapping
from tests.flows.conftest import World, check_report

CSV = ImportOptions(key="crm_id")


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8", newline="")
    return path


async def checked(path: Path, content: str, options: ImportOptions = CSV) -> CheckReport:
    return await check("customers", [written(path, content)], options)


def found(report: CheckReport) -> dict[tuple[str, str | None], tuple[str, int, list[int]]]:
    """The findings by code and field: severity, rows, and the lines of the examples."""
    return {
        (one.code, one.field): (one.severity.value, one.rows, [example.position.number for example in one.examples])
        for one in report.findings
    }


async def test_placeholders_are_counted_and_sent_as_they_are(tmp_path: Path) -> None:
    """NA is a country; the fix shows how to empty them."""
    rows = ["NULL,null,N/A", "#N/A,None,NaN", "\\N,(null),undefined", "Ada,NA,gold"]
    content = "crm_id,name,address,customAttribute:tier\n" + "".join(f"N{at},{row}\n" for at, row in enumerate(rows))

    report = await checked(tmp_path / "c.csv", content)

    lines = [2, 3, 4]
    assert found(report) == {
        ("placeholder", "address"): ("noted", 3, lines),
        ("placeholder", "customAttribute:tier"): ("noted", 3, lines),
        ("placeholder", "name"): ("noted", 3, lines),
    }
    assert (report.counts["good"], report.exit_code) == (4, 1)
    assert 'values = { "N/A" = "" }, otherwise = "keep"' in report.findings[0].fix


async def test_the_fix_for_placeholders_works(tmp_path: Path) -> None:
    """As it stands in the message, in a mapping: what is emptied is not noted again; what is joined still is."""
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        'version = 1\nto = "customers"\nkey = "crm_id"\n[fields]\n'
        'name = { join = ["name", "last"] }\n'
        'address = { from = "address", values = { "N/A" = "" }, otherwise = "keep" }\n'
    )
    options = ImportOptions(mapping=choose_mapping(mapping, None))

    content = "crm_id,name,last,address\n1,Ada,Ashby,N/A\n2,Ben,NULL,Here\n"
    report = await checked(tmp_path / "c.csv", content, options)

    assert report.counts["good"] == 2
    assert found(report) == {("placeholder", "last"): ("noted", 1, [3])}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("6.50378E+09", "number_rounded"),
        ('"4,91511E+12"', "number_rounded"),
        ("4711.0", "number_decimal"),
        ("'4711", "number_apostrophe"),
        ("'+16505550181", "number_apostrophe"),
        ('"=""4711"""', "cell_formula"),
        ('="4711"', "cell_formula"),
        ("12.0", None),
        ("O'Neil 7", None),
        ("2.5", None),
        ("1.0.0", None),
    ],
)
async def test_damage_by_spreadsheets_is_named(tmp_path: Path, value: str, code: str | None) -> None:
    """With the column; amounts and names are not damage."""
    report = await checked(tmp_path / "c.csv", f"crm_id,name,customAttribute:x\nA1,Ada,{value}\nA2,Ben,fine\n")

    assert found(report) == ({} if code is None else {(code, "customAttribute:x"): ("noted", 1, [2])})


async def test_a_damaged_key_is_told_once(tmp_path: Path) -> None:
    """By the rules for keys, which say what is cleaned."""
    report = await checked(tmp_path / "c.csv", 'crm_id,name\n4711.0,Ada\n\'4712,Ben\n6.5E+09,Cy\n="4713",Di\n')

    assert {code for code, _ in found(report)} == {"key_decimal", "key_apostrophe", "key_rounded", "key_formula"}


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ('Q1,"Ada,a@example.org\nQ2,Ben,b@example.org\nQ3,Cy",c@example.org\nQ4,Di,d@example.org\n', [2]),
        ('Q4,Di,d@example.org\nQ1,"Ada,a@example.org\nQ3,Cy",c@example.org\n', [3]),
        ('Q1,"Ada\nSecond line",a@example.org\n', []),
        ('Q1,"Ada, Ltd\nSecond line",a@example.org\n', []),
    ],
)
async def test_a_cell_that_looks_like_rows_is_named(tmp_path: Path, body: str, lines: list[int]) -> None:
    """A quote that swallows rows makes no bad row, so only this tells of it; a long name is none of that."""
    report = await checked(tmp_path / "c.csv", "crm_id,name,email:1\n" + body)

    assert [found(report).get(("rows_in_cell", "name"))] == ([("noted", 1, lines)] if lines else [None])


async def test_json_is_looked_at_too(tmp_path: Path) -> None:
    """Its texts, beside values that are none."""
    content = '[{"id":"a","name":"NULL","emails":[]},{"id":"b","name":"=\\"x\\"","customAttributes":{"n":1}}]'

    report = await checked(tmp_path / "c.json", content, ImportOptions())

    assert found(report) == {("placeholder", "name"): ("noted", 1, [1]), ("cell_formula", "name"): ("noted", 1, [1])}
    assert report.notes == (f"{tmp_path}/c.json: is a single JSON array",)


@pytest.mark.parametrize(
    ("header", "key", "advice"),
    [
        ("CRM_ID , Name", "crm_id", "did you mean --key 'CRM_ID '?"),
        ("\u00a0crm_id,name", "crm_id", "did you mean --key '\u00a0crm_id'?"),
        ("crmid,name", "crm_id", "did you mean --key crmid?"),
    ],
)
async def test_the_nearest_column_is_named_for_the_key(tmp_path: Path, header: str, key: str, advice: str) -> None:
    """As a shell takes it, with its blanks."""
    with pytest.raises(UsageError, match=f"no column {key}, which --key names; ") as caught:
        await checked(tmp_path / "c.csv", f"{header}\n1,Ada\n", ImportOptions(key=key))

    assert str(caught.value).endswith(advice)


MIXED = b"sep=;\r\ncrm_id;name;;\r\nP1;Ada;;\r\n;;;\r\ncrm_id;name;;\r\nP2;Ben;;\r\nP3;Cy\r\n;;\r\nP4;Di;;;\r\n"


async def test_a_run_over_such_a_file_stops_and_goes_on(world: World, tmp_path: Path) -> None:
    """All rows are accounted for: those that are skipped, and the one that is broken."""
    path = tmp_path / "mixed.csv"
    path.write_bytes(MIXED)
    assert (await check("customers", [path], CSV)).counts == {
        "read": 7, "good": 3, "refused": 1, "depends": 0, "changed": 0, "repeated": 0, "skipped": 3,
    }  # fmt: skip

    first = await world.run(path, key="crm_id", max_rows=3)
    report = await world.resume()

    assert first.exit_code == 10
    check_report(report)
    assert {word: count for word, count in report.counts.items() if count} == {
        "read": 7, "created": 3, "skipped": 3, "rejected": 1,
    }  # fmt: skip
    assert sorted(one["name"] for one in world.emulator.store.customers.values()) == ["Ada", "Ben", "Di"]
    assert [line["_bulkgladly"]["code"] for line in world.result(report, "rejected")] == ["ragged_row"]
    header, reject = (Path(report.folder) / "rejected.csv").read_text().splitlines()
    assert header == "crm_id;name;_line;_reason;_fix;_raw"
    assert reject.startswith(";;7;")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ahead", ["", "Customers\n\n"])
async def test_rejects_keep_a_form_that_nobody_named(
    world: World, tmp_path: Path, delimiter: str, encoding: str, ahead: str
) -> None:
    """Encoding and delimiter are recognised again in the file of rejects, and what stood before its header is not."""
    folder = tmp_path / "out" / "customAttribute:country=DE"
    folder.mkdir(parents=True)
    rows = [("crm_id", "name", "email:1"), ("1", "Zo\u00eb", "nobody"), ("", "", ""), ("2", "Ben, jr.", "none")]
    text = ahead + "".join(delimiter.join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    (folder / "part-0.csv").write_bytes(text.encode(encoding))
    reading = ReadOptions(skip_lines=2 if ahead else None)

    first = await world.run(tmp_path / "out", key="crm_id", reading=reading)

    assert (first.counts["rejected"], first.counts["skipped"]) == (2, 1)
    raw = (Path(first.folder) / "rejected.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    table = raw.decode(encoding)
    named = ("crm_id", "name", "email:1", "customAttribute:country", "_line", "_reason", "_fix")
    assert table.splitlines()[0] == delimiter.join(named)
    lines = [cells[-3] for cells in csv.reader(table.splitlines()[1:], delimiter=delimiter)]
    assert lines == (["4", "6"] if ahead else ["2", "4"])
    words = shlex.split(first.next_commands[0])
    assert ("--skip-lines" in words) == bool(ahead)
    assert not ahead or words[words.index("--skip-lines") + 1] == "0"
    corrected = tmp_path / "corrected.csv"
    table = table.replace(f"{delimiter}nobody{delimiter}", f"{delimiter}zoe@example.org{delimiter}")
    corrected.write_bytes(table.replace(f"{delimiter}none{delimiter}", f"{delimiter}{delimiter}").encode(encoding))

    second = await world.run(corrected, key="crm_id", reading=ReadOptions(skip_lines=0 if ahead else None))

    assert second.counts["created"] == 2
    stored = world.emulator.store.customers.values()
    assert sorted(one["name"] for one in stored) == ["Ben, jr.", "Zo\u00eb"]
    assert [one["customAttributes"]["country"] for one in stored] == ["DE", "DE"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_an_array_is_imported_in_two_sessions(world: World, tmp_path: Path, encoding: str) -> None:
    """What was recognised is recognised again."""
    path = tmp_path / "people.json"
    rows = '[\n{"id":"p1","name":"Zo\u00eb"},\n{"id":"p2","name":"Ben"}, {"id":"p3","name":"Cy"}]'
    path.write_bytes(rows.encode(encoding))

    await world.run(path, key=None, max_rows=1)
    report = await world.resume()

    check_report(report)
    assert report.counts["created"] == 3


async def test_a_folder_is_imported_in_two_sessions(world: World, tmp_path: Path) -> None:
    """With the columns that its folders name, in both of them."""
    for number, place in enumerate(("DE", "FR")):
        folder = tmp_path / "out" / f"customAttribute:country={place}"
        folder.mkdir(parents=True)
        written(folder / "part-0.csv", f"crm_id,name\n{number}a,Ada\n{number}b,Ben\n")
    written(tmp_path / "out" / "_SUCCESS", "")

    await world.run(tmp_path / "out", key="crm_id", max_rows=1)
    report = await world.resume()

    check_report(report)
    assert report.counts["created"] == 4
    found = [one["customAttributes"]["country"] for one in world.emulator.store.customers.values()]
    assert sorted(found) == ["DE", "DE", "FR", "FR"]


async def test_keys_that_are_nearly_the_same_are_counted(tmp_path: Path) -> None:
    """By case and by Unicode form; not those that are the same, and not those that are cleaned."""
    keys = ["K1", "k1", "\uff2b1", "K1 ", "K2", "K2", "4711", "4711.0", "Stra\u00dfe", "STRASSE", "a", "b"]
    content = "crm_id,name\n" + "".join(f"{key},Ada\n" for key in keys)

    report = await checked(tmp_path / "c.csv", content)

    twins = [one for one in report.findings if one.code == "key_twin"]
    assert [(one.severity.value, one.field, one.rows) for one in twins] == [("noted", "crm_id", 3)]
    assert [one.position.number for one in twins[0].examples] == [3, 4, 11]
    assert report.counts["repeated"] == 3


@pytest.mark.parametrize(
    "rules",
    [
        '[fields]\nid = "id"\nname = "name"\n',
        (
            'key = "count"\n[each]\nof = "users"\nas = "user"\nkey = { path = "user.id" }\n[fields]\n'
            'id = { path = "user.id" }\nname = { path = "user.name" }\n'
        ),
    ],
)
async def test_a_page_of_an_api_is_read_with_and_without_a_list_in_the_mapping(tmp_path: Path, rules: str) -> None:
    """The records are the elements of its list either way."""
    mapping = written(tmp_path / "m.toml", f'version = 1\nto = "customers"\n{rules}')
    page = '{"users":[{"id":"a","name":"Ada"},{"id":"b","name":"Ben"}],"next_page":null,"count":2}'

    report = await checked(tmp_path / "users.json", page, ImportOptions(mapping=choose_mapping(mapping, None)))

    assert report.counts["good"] == 2, report.findings


async def test_dates_that_two_forms_read_as_different_days_are_counted(tmp_path: Path) -> None:
    """Each row once, with its line; a day that only one form can have, or that both read alike, is clear."""
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        'version = 1\nto = "customers"\nkey = "crm_id"\nwhere = "crm_id != \'left-out\'"\n[fields]\nname = "crm_id"\n'
        '"customAttribute:day" = { from = "day", date = ["%d/%m/%Y", "%m/%d/%Y"], date_as = "date" }\n'
        '"customAttribute:one" = { from = "day", date = ["%d/%m/%Y", "epoch", "epoch_ms"], date_as = "date" '
        ', on_error = "drop" }\n'
    )
    days = ["03/04/2026", "13/04/2026", "04/04/2026", "", "05/06/2026"]
    content = "crm_id,day\n" + "".join(f"N{at},{day}\n" for at, day in enumerate(days)) + "left-out,03/04/2026\n"

    report = await checked(tmp_path / "c.csv", content, ImportOptions(mapping=choose_mapping(mapping, None)))

    assert found(report) == {
        ("ambiguous_date", "customAttribute:day"): ("noted", 2, [2, 6]),
        ("mapping_skipped", None): ("skipped", 1, [7]),
    }
    assert "fits two forms of its date" in report.findings[0].examples[0].detail
    assert (report.counts["good"], report.exit_code) == (5, 1)


async def test_two_columns_and_several_addresses_in_a_cell_are_one_list(tmp_path: Path) -> None:
    """Each address is one of its own, and one that stands in both columns counts once."""
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        'version = 1\nto = "customers"\nkey = "Record ID"\n[fields]\nname = "Record ID"\n'
        '"email:*" = { from = ["Email", "More"], split = ";", trim = true, case = "lower" }\n'
    )
    rows = "501,hub1@example.org,hub1b@example.org;hub1c@example.org\n502,HUB2@example.org,hub2@example.org\n503,,\n"

    report = await checked(
        tmp_path / "c.csv", f"Record ID,Email,More\n{rows}", ImportOptions(mapping=choose_mapping(mapping, None))
    )

    assert (report.counts["good"], report.findings) == (3, [])
