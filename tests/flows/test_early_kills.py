"""`kill -9` before every step: whatever is left behind, the next command goes on, and never fails."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import Credentials, ImportOptions, Pace, Report, UsageError, find_run, list_runs
from bulkgladly.cli.runs_command import about_run
from bulkgladly.emulator import Emulator
from bulkgladly.journal.runs import all_folders
from tests.dying import Mortals
from tests.flows.conftest import TOKEN, person
from tests.flows.exporting import a_lake, note_line
from tests.flows.quickly import resume_import, start_import
from tests.flows.serving import served

BIRTH = 45
"""Steps in which a run is born, and somewhat more."""
MOST = 1000
EVERYWHERE = [
    BIRTH,
    pytest.param(MOST, marks=(pytest.mark.soak, pytest.mark.timeout(1200))),
]
QUIETLY = ("--state-dir", "state", "--rate", "unlimited", "--progress", "none")
IMPORT = ("rows.ndjson", "--key", "crm", *QUIETLY)


def die_everywhere(
    mortals: Mortals,
    command: Sequence[str],
    emulator: Emulator,
    folder: Path,
    rows: list[dict[str, Any]],
    most: int,
) -> list[Path]:
    """Run a command that dies before its n-th step, for every n up to `most`; the folders that were left.

    Each has rows of its own, with its number in the place of `{n}`. The short form takes each third step.
    """
    environment = {
        "HOME": str(folder),
        "GLADLY_HOST": emulator.url,
        "GLADLY_USERNAME": emulator.options.username,
        "GLADLY_API_TOKEN": TOKEN,
    }
    source = b"".join(orjson.dumps(row) + b"\n" for row in rows).decode()
    found: list[Path] = []
    for number in range(1, most + 1, 1 if most == MOST else 3):
        place = folder / "at" / str(number)
        place.mkdir(parents=True)
        (place / "rows.ndjson").write_text(source.replace("{n}", str(number)), encoding="utf-8")
        end = mortals.run(*command, environment=environment, folder=place, at=number)
        if not end.is_killed:
            assert (most, end.status) == (MOST, 0), end
            return found
        found.append(place)
    assert most < MOST
    return found


def import_again(resource: str, folder: Path, credentials: Credentials) -> Report:
    """What a person does who finds the command dead: the same once more, or what it says."""
    options = ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=folder / "state")
    for run in all_folders(options.state_dir):
        about = about_run(run)
        assert about["status"] in ("new", "interrupted", "complete", "half-born"), about
    find_run(options.state_dir, None, statuses=("interrupted", "new"))
    try:
        return asyncio.run(start_import(resource, [folder / "rows.ndjson"], credentials, options))
    except UsageError as error:
        refusal = str(error)
    [run] = list_runs(options.state_dir)
    assert f"bulkgladly resume {run.name}" in refusal
    return asyncio.run(resume_import(run, credentials))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None, token=TOKEN)) as emulator:
        emulator.add_customer(id="ada", emails=[{"original": "ada@example.org"}])
        emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
        yield emulator


@pytest.mark.parametrize("most", EVERYWHERE)
def test_an_early_kill_of_an_import_blocks_no_later_command(
    most: int, mortals: Mortals, emulator: Emulator, tmp_path: Path
) -> None:
    """Killed before any step; afterwards every customer is there once, with the right word."""
    credentials = Credentials(emulator.url, emulator.options.username, TOKEN)
    rows = [
        {**person(number), "crm": f"{{n}}-{number}", "email:1": f"p.{{n}}.{number}@example.org"} for number in (1, 2)
    ]

    for folder in die_everywhere(mortals, ("import", "customers", *IMPORT), emulator, tmp_path, rows, most):
        report = import_again("customers", folder, credentials)

        assert (report.status, report.exit_code) == ("complete", 0), folder
        assert report.counts["created"] + report.counts["unchanged"] == 2
    held = Counter(entry["normalized"] for one in emulator.store.customers.values() for entry in one["emails"])
    assert set(held.values()) == {1}


@pytest.mark.parametrize("most", EVERYWHERE)
def test_a_note_is_not_sent_twice_when_it_dies_before_any_step(
    most: int, mortals: Mortals, emulator: Emulator, tmp_path: Path
) -> None:
    """What may have left ends as created or unknown; what cannot have left is sent."""
    credentials = Credentials(emulator.url, emulator.options.username, TOKEN)
    rows = [{"crm": str(number), "conversationId": "talk", "body": f"x{{n}}-{number}"} for number in (1, 2)]

    for folder in die_everywhere(mortals, ("import", "notes", *IMPORT), emulator, tmp_path, rows, most):
        report = import_again("notes", folder, credentials)

        bodies = [f"x{folder.name}-{number}" for number in (1, 2)]
        made = Counter(str(item["content"].get("body")) for item in emulator.store.items.values())
        assert report.status == "complete", folder
        assert report.counts["created"] + report.counts["unchanged"] + report.counts["unknown"] == 2
        assert max(made[body] for body in bodies) <= 1
        assert sum(made[body] for body in bodies) >= 2 - report.counts["unknown"]


@pytest.mark.parametrize("most", EVERYWHERE)
def test_an_early_kill_of_a_dump_blocks_no_later_night(most: int, mortals: Mortals, tmp_path: Path) -> None:
    """A night that was killed needs nobody: the next one has every row."""
    lake = a_lake(tmp_path)
    for night in range(2):
        lake.add_job([note_line(night)], nights_ago=night)
    command = ("dump", "lake", "--what", "items", *QUIETLY)
    with served(lake.emulator):
        for folder in die_everywhere(mortals, command, lake.emulator, tmp_path, [], most):
            left = replace(lake, folder=folder)
            report = asyncio.run(left.dump("items"))

            assert (report.status, report.exit_code) == ("complete", 0), folder
            assert left.ids() == lake_ids(2)


def lake_ids(count: int) -> list[str]:
    return sorted(str(note_line(number)["id"]) for number in range(count))
