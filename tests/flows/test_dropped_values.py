"""A value that is not valid costs its cell and not its customer, where the user has chosen so; each is listed."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import ImportOptions, Pace, Report
from bulkgladly.checks.run_check import check
from bulkgladly.errors import UsageError
from bulkgladly.imports.mapping_choice import choose_mapping
from tests.flows.conftest import World, people, person
from tests.flows.test_kill_points import POINTS, Crash, Plug

MAPPING = """
version = 1
to = "customers"
key = "No"

[fields]
name = "Name"
"email:1" = { from = "Mail", on_error = "drop" }
"phone:1" = { from = "Home Phone", on_error = "drop" }
"phone:1:type" = { constant = "HOME" }
"customAttribute:spent" = { from = "Spent", as = "number", on_error = "drop" }
"customAttribute:tier" = { from = "Tier", values = { a = "gold" } }
"""
HEADER = "No,Name,Mail,Home Phone,Spent,Tier\n"


def table(report: Report, name: str = "warnings.csv") -> list[dict[str, str]]:
    """The rows of one CSV file of a run."""
    path = Path(report.folder) / name
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def mapped(world: World, text: str = MAPPING, **more: Any) -> Mapping[str, Any]:
    path = world.folder / "mapping.toml"
    path.write_text(text)
    return {"key": None, "mapping": choose_mapping(path, None), "phone_region": "US", **more}


def profiles(world: World) -> Iterator[tuple[str, list[str], list[str]]]:
    for profile in world.emulator.store.customers.values():
        emails, phones = ([one["original"] for one in profile.get(name) or []] for name in ("emails", "phones"))
        yield profile.get("name", ""), emails, phones


@pytest.mark.parametrize(
    ("cells", "dropped", "kept"),
    [
        ("ada@example.org,650 555 0100,1.5,a", [], {"spent": 1.5, "tier": "gold"}),
        ("nobody,650 555 0100,1.5,a", [("Mail", "email:1")], {"spent": 1.5, "tier": "gold"}),
        ("ada@example.org,ask Jon,1.5,a", [("Home Phone", "phone:1")], {"spent": 1.5, "tier": "gold"}),
        ('ada@example.org,,"$1,234",a', [("Spent", "customAttribute:spent")], {"tier": "gold"}),
        (
            "nobody,650 555 0100,#N/A,a",
            [("Spent", "customAttribute:spent"), ("Mail", "email:1")],
            {"tier": "gold"},
        ),
    ],
)
async def test_a_mapping_says_which_values_may_go(
    cells: str, dropped: list[tuple[str, str]], kept: Mapping[str, Any], world: World
) -> None:
    """The customer is created without them, and each is in `warnings.csv` with its line and the user's column."""
    path = world.folder / "crm.csv"
    path.write_text(f"{HEADER}C1,Ada Ashby,{cells}\n")

    report = await world.run(path, **mapped(world))

    assert report.counts["created"] == 1
    assert [(one["column"], one["field"]) for one in table(report)] == dropped
    assert {one["line"] for one in table(report)} <= {"2"}
    assert report.dropped_values == len(dropped)
    (profile,) = world.emulator.store.customers.values()
    assert profile["customAttributes"] == kept


async def test_what_is_not_optional_still_rejects(world: World) -> None:
    """So does a field without the choice; the reason names the user's column, and Gladly's beside it."""
    path = world.folder / "crm.csv"
    path.write_text(HEADER + "C1,Ada,ada@example.org,,,z\n,Ben,ben@example.org,,,a\nC3,Cleo,nobody,,x,a\n")

    report = await world.run(path, **mapped(world))

    reasons = [one["_bulkgladly"]["detail"] for one in world.result(report, "rejected")]
    assert reasons[0].startswith("Tier (customAttribute:tier) is not one of")
    assert reasons[1].startswith("the key column No is empty")
    assert len(reasons) == 2
    assert {one["line"] for one in table(report)} == {"4"}


async def test_a_record_that_needs_the_value_is_rejected_for_it(world: World) -> None:
    """It is not told that it has no email: it has one that is not valid."""
    rows = [{"email:1": "nobody", "name": "Ada"}]

    report = await world.run(world.ndjson(rows), key=None, invalid_contacts="drop")

    (about,) = (one["_bulkgladly"] for one in world.result(report, "rejected"))
    assert about["code"] == "invalid_email"
    assert about["detail"].startswith("email:1 is not an email address")
    assert about["detail"].endswith("cannot be sent without it")
    assert table(report) == []


async def test_a_missing_key_is_not_put_down_to_a_dropped_value(world: World) -> None:
    """A reason must be true: with a good email, the row would have no key either."""
    report = await world.run(world.ndjson([{"crm": "", "email:1": "nobody"}]), invalid_contacts="drop")

    assert report.rejects_by_code == {"key_missing": 1}


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"email:1": "ada@example.org", "email:2": "nobody"}, ["email:2"]),
        ({"email:1": "nobody", "email:3": "no@body@", "email:4": "ada@example.org"}, ["email:1", "email:3"]),
        ({"emails": [{"original": "nobody"}, {"original": "ada@example.org"}]}, ["emails[0]"]),
        ({"email:1": "ada@example.org", "phone:1": "x", "phone:1:type": "HOME", "phone:1:extension": "9"}, ["phone:1"]),
        ({"email:1": "ada@example.org", "phone:1": "+16505550100", "phone:1:type": "PAGER"}, ["phone:1:type"]),
        ({"email:1": "ada@example.org", "phone:1": ["x"]}, ["phone:1"]),
        ({"email:1": "ada@example.org", "phone:1": "", "phone:1:type": "HOME"}, []),
    ],
)
async def test_contacts_are_dropped_without_a_mapping(row: dict[str, Any], fields: list[str], world: World) -> None:
    """One address at a time, with its parts; what is left of the list is sent."""
    report = await world.run(world.ndjson([{"crm": "c-1", **row}]), invalid_contacts="drop")

    assert report.counts["created"] == 1
    assert [one["field"] for one in table(report)] == fields
    assert [emails for _, emails, _ in profiles(world)] == [["ada@example.org"]]


@pytest.mark.parametrize(("choice", "created"), [(None, 1), ("drop", 1), ("reject", 0)])
async def test_the_option_goes_before_the_mapping(choice: str | None, created: int, world: World) -> None:
    """A mapping that drops can be made to reject."""
    path = world.folder / "crm.csv"
    path.write_text(f"{HEADER}C1,Ada,nobody,,,\n")

    report = await world.run(path, **mapped(world, invalid_contacts=choice))

    assert report.counts["created"] == created


async def test_a_local_number_without_a_country_is_not_dropped(world: World) -> None:
    """Otherwise a forgotten option would cost a whole file its numbers."""
    rows = [{"crm": "c-1", "email:1": "ada@example.org", "phone:1": "650 555 0100"}]

    report = await world.run(world.ndjson(rows), invalid_contacts="drop")

    assert report.rejects_by_code == {"phone_region": 1}


@pytest.mark.parametrize("null", ["keep", "clear"])
async def test_a_dropped_value_clears_nothing(null: str, world: World) -> None:
    """It is as if the cell was empty: what Gladly has stays, and the next import finds nothing to do."""
    good = {"crm": "c-1", "email:1": "ada@example.org", "phone:1": "+16505550100", "name": "Ada"}
    await world.rows([good], null=null)
    before = list(profiles(world))
    bad = {**good, "phone:1": "ask Jon", "email:1": "nobody"}

    reports = [await world.rows([bad], null=null, invalid_contacts="drop") for _ in range(2)]

    assert [report.counts["unchanged"] for report in reports] == [1, 1]
    assert [len(table(report)) for report in reports] == [2, 2]
    assert list(profiles(world)) == before


@pytest.mark.parametrize(("shows", "value"), [(False, "aaa Aaa 99"), (True, "ask Jon 12")])
async def test_values_are_masked_unless_they_are_asked_for(shows: bool, value: str, world: World) -> None:
    """The folder of a run is passed on more easily than the file that it is from."""
    report = await world.rows([person(1, **{"phone:1": "ask Jon 12"})], invalid_contacts="drop", show_values=shows)

    assert [one["value"] for one in table(report)] == [value]


def bad_rows() -> list[dict[str, Any]]:
    rows = [{**row, "phone:1": f"ask {number}"} if number % 3 else row for number, row in enumerate(people(30))]
    return [{**row, "crm": ""} if number % 7 == 6 else row for number, row in enumerate(rows)]


def made(report: Report) -> dict[str, bytes]:
    """The tables of a run, without the folder that their rows are from."""
    return {path.name: path.read_bytes() for path in sorted(Path(report.folder).glob("*.csv"))}


@pytest.mark.parametrize("point", POINTS)
async def test_a_killed_run_writes_the_same_files(point: str, world: World, make_world: Callable[..., Any]) -> None:
    """Which values are dropped is decided by the row, and recorded with its outcome."""
    path = world.csv([{"crm": "", "name": "", "email:1": "", "phone:1": "", **row} for row in bad_rows()])
    changes: dict[str, Any] = {"invalid_contacts": "drop", "pace": Pace(unlimited=True, concurrency=4)}
    plug = Plug(world)
    plug.at(point, 3 if point != "before intent" else 1)
    with pytest.raises(Crash):
        await world.run(path, **changes)
    plug.out()
    resumed = await world.resume(state=plug.after)

    other = await make_world()
    whole = await other.run(path, state_dir=world.folder / "other", **changes)

    assert whole.dropped_values == resumed.dropped_values > 10
    assert made(resumed) == made(whole)


async def test_a_run_that_stops_goes_on_with_its_choice(world: World) -> None:
    """The choice is part of the run."""
    path = world.ndjson(bad_rows())

    stopped = await world.run(path, invalid_contacts="drop", max_rows=10)
    report = await world.resume()

    assert 0 < stopped.dropped_values < report.dropped_values
    assert report.counts["rejected"] == 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('id = { from = "No", on_error = "drop" }', "remove on_error"),
        ('externalCustomerId = { from = "No", on_error = "drop" }', "remove on_error"),
        ('name = { from = "Name", on_error = "drop", required = true }', "remove one of them"),
        ('name = { from = "Name", on_error = "keep" }', "reject"),
    ],
)
async def test_what_cannot_be_dropped_is_refused_at_once(line: str, said: str, world: World) -> None:
    """Nothing is sent under a mapping that would lose who is meant."""
    path = world.folder / "crm.csv"
    path.write_text(f"{HEADER}C1,Ada,,,,\n")

    with pytest.raises(UsageError, match=said):
        await world.run(path, **mapped(world, f'version = 1\nto = "customers"\nkey = "No"\n[fields]\n{line}\n'))


async def test_check_says_what_each_choice_would_keep(world: World) -> None:
    """By finding, for rows with one bad value; in all, for every row that could be sent."""
    path = world.folder / "crm.csv"
    path.write_text(
        HEADER + "C1,Ada,nobody,,,a\nC2,Ben,none,,,a\nC3,Cleo,c@example.org,,,z\nC4,Di,d@,ask,,a\n,Eve,e@,,,\n"
    )
    strict = MAPPING.replace(', on_error = "drop"', "")

    report = await check("customers", [path], replace(ImportOptions(), **mapped(world, strict)))
    lenient = await check("customers", [path], replace(ImportOptions(), **mapped(world)))

    kept = {(one.code, one.field): (one.rows, one.kept_by_drop) for one in report.findings}
    assert kept["invalid_email", "emails[]"] == (3, 2)
    assert kept["mapping", "customAttribute:tier"] == (1, 1)
    assert kept["invalid_phone", "phones[]"] == (1, 0)
    assert report.kept_by_drop == 4
    assert {one.severity.value for one in lenient.findings if one.code == "invalid_email"} == {"dropped"}
    assert lenient.counts["good"] == 3


async def test_a_value_that_would_be_dropped_does_not_refuse_a_row(world: World) -> None:
    """A row may be refused for another reason: what the choice leaves out is not to be corrected for it."""
    path = world.folder / "crm.csv"
    path.write_text(HEADER + "C1,Ada,nobody,020 7946 0018,,a\nC2,Ben,b@example.org,020 7946 0019,x,a\n")

    report = await check("customers", [path], replace(ImportOptions(), **mapped(world, phone_region=None)))

    refused = {(one.code, one.rows) for one in report.findings if one.severity.value == "refused"}
    assert refused == {("phone_region", 2)}


async def test_what_is_noted_of_a_column_shows_its_value(world: World) -> None:
    """A mapping has made other fields of the column; the whole row in its place would show what nobody asked for."""
    path = world.folder / "crm.csv"
    path.write_text(HEADER + "C1,Ada,ada@example.org,'6505550100,1,a\n")

    report = await check("customers", [path], replace(ImportOptions(), **mapped(world)), show_values=True)

    (noted,) = (one for one in report.findings if one.code == "number_apostrophe")
    assert [one.value for one in noted.examples] == ["'6505550100"]


async def test_what_is_odd_about_a_key_names_the_column_of_the_user(world: World) -> None:
    """A mapping keeps the key under a name of its own, which nobody has seen."""
    path = world.folder / "crm.csv"
    path.write_text(f"{HEADER} C1 ,Ada,a@example.org,6505550100,,a\nc1,Ben,b@example.org,650 555 0100,,a\n")

    report = await check("customers", [path], replace(ImportOptions(), **mapped(world)))

    found = {one.code: one for one in report.findings}
    assert [found[code].field for code in ("key_invisible", "key_twin")] == ["No", "No"]
    assert found["key_twin"].examples[0].detail.startswith("No differs from an earlier one")


async def test_two_rows_with_one_mobile_number_are_told_so(world: World) -> None:
    """A number is no address."""
    path = world.folder / "crm.csv"
    path.write_text("crm,phone:1,phone:1:type\nC1,+16505550100,MOBILE\nC2,+16505550100,MOBILE\n")

    report = await check("customers", [path], ImportOptions(key="crm"))

    (found,) = (one for one in report.findings if one.code == "duplicate_address")
    assert "has the same number" in found.examples[0].detail


@pytest.mark.parametrize(
    ("number", "said"),
    [("6.50378E+09", "a spreadsheet has rounded, so digits are lost"), ("6503780215.0", "is a decimal number")],
)
async def test_numbers_that_a_program_has_damaged_are_named(number: str, said: str, world: World) -> None:
    """One of them can be restored from the cell, the other only from the source."""
    report = await world.rows([person(1, **{"phone:1": number})], invalid_contacts="drop", phone_region="US")

    assert said in table(report)[0]["reason"]
