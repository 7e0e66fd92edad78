"""What a dump does beside fetching: its price before, `--compact` and `--retention` after it."""

from pathlib import Path

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.old_units import removed_before
from bulkgladly.lake.verify import verify
from bulkgladly.runs.observer import Observer
from tests.flows.exporting import DAY, NIGHT, Lake, a_lake, as_lines, note_line
from tests.flows.quickly import dump
from tests.full_disk import fill_at_open


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return a_lake(tmp_path)


def current_numbers(lake: Lake) -> dict[str, set[int]]:
    """The inodes of the parts of each compacted data set, which show whether it was written again."""
    folders = (lake.out / "current").iterdir()
    return {folder.name: {part.stat().st_ino for part in folder.iterdir()} for folder in folders}


async def test_compact_writes_what_changed_and_nothing_else(lake: Lake) -> None:
    """In the same run; a data set without a new unit keeps the files that it has."""
    async with lake.emulator:
        lake.add_job(as_lines([note_line(1)]))
        first = await lake.dump("items", "inboxes", compact=True)
        before = current_numbers(lake)
        again = await lake.dump("items", "inboxes", compact=True)
        unchanged = current_numbers(lake)
        lake.add_job(as_lines([note_line(2)]))
        third = await lake.dump("items", "inboxes", compact=True)
    after = current_numbers(lake)

    assert (first.exit_code, again.exit_code, third.exit_code) == (0, 0, 0)
    assert set(before) == {"items", "inboxes"}
    assert f"compacted 2 data sets into {lake.out / 'current'}" in first.notes
    assert unchanged == before
    assert not [note for note in again.notes if "compact" in note]
    assert after["inboxes"] == before["inboxes"]
    assert not after["items"] & before["items"]
    assert f"compacted 1 data set into {lake.out / 'current'}; 1 had not changed" in third.notes
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_a_compaction_that_fails_leaves_what_was_fetched(lake: Lake) -> None:
    """It is reported with exit code 1, the others are compacted, and the next dump makes up for it."""
    async with lake.emulator:
        lake.add_job(as_lines([note_line(1)]))
        await lake.dump("items", "inboxes")
        strange = lake.out / "current" / "inboxes" / "mine.txt"
        strange.parent.mkdir(parents=True)
        strange.write_text("not ours")
        bad = await lake.dump("items", "inboxes", compact=True)
        strange.unlink()
        good = await lake.dump("items", "inboxes", compact=True)

    assert (bad.exit_code, bad.status, good.exit_code) == (1, "complete", 0)
    (told,) = bad.told
    assert (told.data_set, told.unit, told.state) == ("inboxes", "(compact)", "failed")
    assert "what was fetched is complete" in told.detail
    assert set(current_numbers(lake)) == {"items", "inboxes"}


async def test_a_disk_that_is_full_while_compacting_ends_no_dump(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once, what was fetched is complete, and the next dump compacts."""
    async with lake.emulator:
        lake.add_job(as_lines([note_line(1)]))
        with monkeypatch.context() as patched:
            fill_at_open(patched, ".compact-")
            full = await lake.dump("items", "inboxes", compact=True)
        free = await lake.dump("items", "inboxes", compact=True)

    assert (full.exit_code, full.status, free.exit_code) == (1, "complete", 0)
    (told,) = full.told
    assert told.detail.endswith("what was fetched is complete")
    assert lake.ids() == ["item-000001"]
    assert set(current_numbers(lake)) == {"items", "inboxes"}


def add_old_and_new(lake: Lake) -> None:
    """A job of a hundred days ago, and one of all days since."""
    start, middle, end = (NIGHT.replace(hour=0, minute=0) - days * DAY for days in (101, 100, 0))
    lake.add_job(as_lines([note_line(1, timestamp=start.isoformat())]), start_at=start, end_at=middle)
    lake.add_job(as_lines([note_line(2)]), start_at=middle, end_at=end)


async def test_retention_waits_for_consent_and_then_removes(lake: Lake) -> None:
    """Without consent everything else is done; afterwards nothing is missing, and nothing is fetched again."""
    async with lake.emulator:
        add_old_and_new(lake)
        await lake.dump("items")
        waiting = await lake.dump("items", retention_days=60, compact=True)
        assert lake.ids() == ["item-000001", "item-000002"]
        lake.forget()
        done = await lake.dump("items", retention_days=60, may_remove=True, compact=True)
        again = await lake.dump("items", retention_days=60, compact=True)
        asked = lake.asked()

    assert waiting.exit_code == 1
    assert "1 row before" in waiting.told[0].detail
    assert "pass --yes once" in waiting.told[0].detail
    assert not [line for line in waiting.details if "run the same command again" in line], "nothing is left to fetch"
    assert (done.exit_code, again.exit_code) == (0, 0)
    assert any("removing 1 row in 1 file of 1 data set, everything before" in note for note in done.notes)
    assert "getFile" not in asked
    assert lake.ids() == ["item-000002"]
    folder = DataFolder.open(lake.out)
    assert removed_before(folder, "items") is not None
    assert verify(folder, deep=True).is_sound


def test_a_short_retention_is_refused() -> None:
    """Gladly would still offer what it removes."""
    with pytest.raises(UsageError, match="at least 31d"):
        ExportOptions(out="lake", retention_days=30)


class Told(Observer):
    """What a person is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


async def test_the_price_is_told_before_anything_is_requested(tmp_path: Path) -> None:
    """As far as it can be known, and the rest as soon as it is; a second dump with nothing new is cheap."""
    lake = a_lake(tmp_path, seed_customers=20)
    async with lake.emulator:
        ids = as_lines([{"id": key} for key in lake.emulator.store.customers])
        lake.add_job(b"", files={"customers.jsonl": ids})
        first, second = Told(), Told()
        options = lake.options("items", "customers", "inboxes", "profiles")
        await dump(options, lake.credentials, observer=first)
        await dump(options, lake.credentials, observer=second)

    assert any(note.endswith("not known before customers or items are read") for note in first.notes)
    assert "profiles: 20 requests" in first.notes
    assert not [note for note in second.notes if "profiles" in note]
