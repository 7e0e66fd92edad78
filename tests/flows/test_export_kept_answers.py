"""Answers that a stopped export has kept: published by the next start of the same command, and never asked again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Limits, Observer, Pace, RunFolder, UsageError, list_runs
from bulkgladly.emulator import status
from bulkgladly.exports.export_summary import ExportReport
from bulkgladly.journal.units import kept_in
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.verify import verify
from tests.flows.driving import path_with
from tests.flows.exporting import Lake, a_lake, note_line
from tests.flows.quickly import dump, start_export

FEW: dict[str, Any] = {"limits": Limits(max_requests=6), "pace": Pace(unlimited=True, concurrency=1)}


@pytest.fixture
async def lake(tmp_path: Path) -> Any:
    lake = a_lake(tmp_path)
    async with lake.emulator:
        yield lake


def people(lake: Lake, count: int = 12) -> list[str]:
    """The ids of a number of new customers."""
    return [
        lake.emulator.add_customer(name=f"Person {n}", emails=[{"original": f"p{n}@example.org"}]) for n in range(count)
    ]


class Listening(Observer):
    """Keeps what the user is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


async def stopped(lake: Lake, ids: Sequence[str], **changes: Any) -> tuple[ExportReport, RunFolder, int]:
    """An export of profiles that a limit has stopped before it published anything."""
    path = path_with(lake.folder, "ids.txt", list(ids))
    report = await lake.export("profiles", ids=path, **FEW, **changes)
    (run,) = list_runs(lake.folder / "state")
    kept = kept_in(run.path)
    assert (report.exit_code, lake.table("profiles").num_rows) == (10, 0)
    assert kept > 0
    return report, run, kept


async def test_no_answer_is_paid_for_twice_when_a_stopped_export_is_started_again(lake: Lake) -> None:
    """The same command goes on with the run, and says what it found there."""
    ids = people(lake)
    first, run, kept = await stopped(lake, ids)
    lake.forget()
    listening = Listening()
    options = lake.options("profiles", ids=lake.folder / "ids.txt")

    second = await start_export(options, lake.credentials, observer=listening)

    assert (second.run, second.exit_code) == (run.name, 0)
    assert lake.asked() == {"getCustomer": len(ids) - kept}
    assert lake.ids("profiles") == sorted(ids)
    assert any(f"{kept:,} replies" in text for text in listening.told)
    assert any(f"profiles {len(ids) - kept:,}" in text for text in listening.told), "the price is that of the rest"
    assert any(f"{kept:,} replies are kept" in text for text in first.notes)
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_no_answer_is_paid_for_twice_when_the_limit_is_met_again_and_again(lake: Lake) -> None:
    """Each start gets further, with any limit."""
    ids = people(lake)
    _, run, kept = await stopped(lake, ids)
    lake.forget()
    for _ in range(4):
        if (report := await lake.export("profiles", ids=lake.folder / "ids.txt", **FEW)).exit_code == 0:
            break
    else:
        pytest.fail("it does not get further")

    assert (report.exit_code, report.run) == (0, run.name)
    assert lake.ids("profiles") == sorted(ids)
    assert lake.asked() == {"getCustomer": len(ids) - kept}


@pytest.mark.parametrize("is_new", [False, True])
async def test_kept_answers_are_not_deleted_by_another_command(lake: Lake, is_new: bool) -> None:
    """It is refused and names the run, or with --new-run begins beside it."""
    ids = people(lake)
    _, run, kept = await stopped(lake, ids)
    lake.add_job([note_line(1)])

    if is_new:
        assert (await lake.export("items", new_run=True)).exit_code == 0
    else:
        with pytest.raises(UsageError, match=rf"keeps {kept} replies.*bulkgladly resume {run.name}"):
            await lake.export("items")

    assert kept_in(run.path) == kept
    lake.forget()
    assert (await lake.resume(run)).exit_code == 0
    assert lake.asked() == {"getCustomer": len(ids) - kept}


@pytest.mark.parametrize("words", [("profiles",), ("items",)])
async def test_a_dump_of_the_next_night_publishes_what_the_last_one_kept(lake: Lake, words: tuple[str, ...]) -> None:
    """Also where it fetches something else by then."""
    ids = people(lake)
    lake.add_job([note_line(n, customerId=one) for n, one in enumerate(ids)])
    await lake.dump("items")
    first = await lake.dump("profiles", **FEW)
    kept = kept_in(Path(first.folder))
    lake.forget()

    second = await lake.dump(*words)

    assert first.exit_code == 10
    assert kept > 0
    assert (second.run, second.exit_code) == (first.run, 0)
    asked = lake.emulator.requests.by_operation["getCustomer"]
    assert lake.table("profiles").num_rows == kept + asked
    assert asked == (len(ids) - kept if words == ("profiles",) else 0)


async def test_a_run_that_could_not_publish_is_not_complete(lake: Lake) -> None:
    """Its answers would be asked again else; the next start publishes them and asks nothing."""
    ids = people(lake, 3)
    path = path_with(lake.folder, "ids.txt", ids)
    in_the_way = lake.out / "profiles"
    DataFolder.open(lake.out, host=lake.credentials.host, create=True)
    in_the_way.write_bytes(b"")
    first = await lake.export("profiles", ids=path)
    in_the_way.unlink()
    lake.forget()

    second = await lake.export("profiles", ids=path)

    assert (first.exit_code, first.status) == (1, "failed")
    assert "profiles" in str(first.told)
    assert (second.run, second.exit_code, second.status) == (first.run, 0, "complete")
    assert not lake.asked()
    assert lake.ids("profiles") == sorted(ids)


async def test_a_run_without_an_answer_is_neither_in_the_way_nor_removed(lake: Lake) -> None:
    """A look at the runs deletes nothing."""
    lake.emulator.faults.script("getOrganization", [status(401)])
    refused = await lake.dump("items")

    assert (await lake.dump("items")).exit_code == 0
    assert refused.exit_code == 4
    assert (Path(refused.folder) / "report.json").exists()


async def test_a_dump_is_taken_over_with_what_it_kept_only(lake: Lake) -> None:
    """An unfinished export of the same folder is another command, and stays as it is."""
    ids = people(lake)
    _, run, kept = await stopped(lake, ids)

    report = await dump(lake.options("inboxes"), lake.credentials)

    assert report.run != run.name
    assert kept_in(run.path) == kept
