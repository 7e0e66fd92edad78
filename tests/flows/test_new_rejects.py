"""A nightly import tells its new rejects from those of the nights before; `--fail-on new` heeds only the new ones."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Report
from bulkgladly.emulator import Emulator
from bulkgladly.imports.mapping_choice import choose_mapping
from bulkgladly.records import Word
from tests.flows.conftest import World, person
from tests.flows.programs import heard, program_in
from tests.flows.serving import served

BAD: Mapping[str, str] = {"email:1": "nobody"}
WORSE: Mapping[str, str] = {"phone:1": "ask Jon"}
MAPPING = """
version = 1
to = "customers"
key = "crm"
[fields]
name = "name"
"email:1" = "email:1"
"customAttribute:seen" = { from = "seen", as = "number" }
"""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None)) as running:
        yield running


async def night(world: World, *bad: int, name: str = "customers.csv", rows: int = 6, **options: Any) -> Report:
    """Import some customers, of which those with these numbers have a bad email address."""
    people = [person(number, **{"phone:1": ""}, **(BAD if number in bad else {})) for number in range(rows)]
    return await world.run(world.csv(people, name), key="crm", fail_on="new", **options)


def news(report: Report) -> tuple[int, int, int]:
    """Rejects as before, new rejects, and the exit code."""
    assert report.rejected_before + report.rejected_new == report.counts[Word.REJECTED]
    return report.rejected_before, report.rejected_new, report.exit_code


async def test_only_what_was_not_rejected_before_is_new(world: World) -> None:
    """The first night all are new. A corrected row leaves the memory; broken again, or in another way, it is new."""
    assert news(await night(world, 1, 2)) == (0, 2, 1)
    assert news(await night(world, 1, 2)) == (2, 0, 0)

    third = await night(world, 1, 4)
    assert news(third) == (1, 1, 1)
    assert third.new_rejects == (f"{world.folder / 'customers.csv'}:6: invalid_email (emails[0])",)
    assert "1 rejected as last time, 1 new" in "\n".join(third.details)

    assert news(await night(world, 1, 2, 4)) == (2, 1, 1)
    other = [{**person(1), **WORSE}]
    assert news(await world.run(world.csv(other), key="crm", fail_on="new", phone_region="US"))[:2] == (0, 1)


async def test_the_memory_outlives_run_folders_and_file_names(world: World) -> None:
    """It is in the state, by key; another object or namespace has its own."""
    await night(world, 1, 2)
    shutil.rmtree(world.state / "runs")

    assert news(await night(world, 1, 2, 3, name="tomorrow.csv")) == (2, 1, 1)
    path = world.csv([person(number, **BAD) for number in (1, 2)], "tills.csv")
    assert news(await world.run(path, namespace="till", fail_on="new")) == (0, 2, 1)


@pytest.mark.parametrize(("fail_on", "code"), [("any", 1), ("none", 0), ("new", 0)])
async def test_the_exit_code_is_chosen(fail_on: str, code: int, world: World) -> None:
    """`any` is as ever, `none` never fails for a reject."""
    await night(world, 1)
    report = await world.run(world.csv([person(1, **{"phone:1": ""}, **BAD)]), key="crm", fail_on=fail_on)

    assert report.exit_code == code
    assert report.status == "complete"


async def test_all_sessions_of_a_run_count_as_one(world: World) -> None:
    """What the first session has told is still new when the run ends: the job has not seen it end before."""
    stopped = await night(world, 1, 4, max_rows=3)
    assert (stopped.exit_code, stopped.rejected_new) == (10, 1)

    resumed = await world.resume()

    assert news(resumed) == (0, 2, 1)
    assert news(await night(world, 1, 4)) == (2, 0, 0)


async def test_rows_without_a_key_are_known_by_their_content(world: World) -> None:
    """A line that cannot be read has no key; and what the same files no longer have is forgotten."""
    path = world.folder / "odd.ndjson"
    lines = ['{"crm": "c-1", "name": "Ada", "email:1": "ada@example.org"}', "{broken", '{"crm": ""}']
    path.write_text("\n".join(lines) + "\n")
    assert news(await world.run(path, key="crm", fail_on="new")) == (0, 2, 1)
    path.write_text("\n".join([*lines, "{also broken"]) + "\n")
    assert news(await world.run(path, key="crm", fail_on="new")) == (2, 1, 1)

    path.write_text(lines[0] + "\n")
    await world.run(path, key="crm")
    path.write_text("\n".join(lines) + "\n")
    assert news(await world.run(path, key="crm", fail_on="new")) == (0, 2, 1)


async def test_another_order_of_columns_makes_no_reject_new(world: World) -> None:
    """Exports are written by programs that do not care for the order."""
    for cells in (["crm,name", ",Ada"], ["name,crm", "Ada,"]):
        path = world.folder / "customers.csv"
        path.write_text("\n".join(cells) + "\n")
        report = await world.run(path, key="crm", fail_on="new")

    assert news(report) == (1, 0, 0)


async def test_a_row_that_a_mapping_cannot_convert_is_known_by_its_key(world: World, tmp_path: Path) -> None:
    """Its other columns may change every night."""
    (tmp_path / "map.toml").write_text(MAPPING)
    mapping = choose_mapping(tmp_path / "map.toml", None)
    for name, seen, expected in (("Ada", "once", (0, 1, 1)), ("Ada Ashby", "twice", (1, 0, 0))):
        path = world.csv([{"crm": "c-1", "name": name, "email:1": "", "seen": seen}])
        assert news(await world.run(path, mapping=mapping, fail_on="new")) == expected


async def test_a_resume_may_choose_again(world: World) -> None:
    """Which rejects count is not what the run sends."""
    await night(world, 1, 4, max_rows=3)
    resumed = await world.resume(fail_on="none")
    assert (resumed.exit_code, resumed.rejected_new) == (0, 2)


def test_the_command_line_heeds_new_rejects(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By flag or by setting; the summary says what is new."""
    program = heard(program_in(tmp_path, monkeypatch, emulator), capsys)
    Path("rows.csv").write_text("crm_id,name,email:1\nC1,Ada Ashby,\nC2,Ben Birch,nobody\n")
    command = ("import", "customers", "rows.csv", "--key", "crm_id")

    first = program(*command, "--fail-on", "new")
    assert first.code == 1
    assert "as last time" not in first.err
    assert program(*command).code == 1
    again = program(*command, "--fail-on", "new")
    assert again.code == 0
    assert "1 rejected as last time, none new" in again.err

    with Path("rows.csv").open("a") as file:
        file.write("C3,Cleo Holt,no\n")
    Path("bulkgladly.toml").write_text('fail_on = "new"\n')
    third = program(*command)
    assert third.code == 1
    assert "1 rejected as last time, 1 new" in third.err
    assert "new: rows.csv:4: invalid_email (emails[0])" in third.err
    assert program(*command, "--fail-on", "none").code == 0
