"""Retention: what is wholly older than an age is removed and remembered, and nothing else."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.compact import compact, is_compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.old_units import OldUnits, cutoff_of, old_units, remove_old, removed_before
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.summaries import summaries_of
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
AGE = 60 * DAY
MIDNIGHT = NOON.replace(hour=0)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """A data folder that may be written."""
    with DataFolder.open(tmp_path / "data", host="h", create=True, now=lambda: NOON).lock() as made:
        yield made


def publish(folder: DataFolder, data_set: str, unit: str, ages: tuple[int, int] | None, rows: int = 2) -> None:
    """Publish items or customers, from some to fewer days ago; one line of each unit is no row."""
    known = DATA_SETS[data_set]
    covered = None if ages is None else (MIDNIGHT - ages[0] * DAY, MIDNIGHT - ages[1] * DAY)
    at = covered[0].isoformat() if covered else NOON.isoformat()
    lines = [orjson.dumps({"id": f"{unit}-{n}", "timestamp": at, "content": {"type": "SMS"}}) for n in range(rows)]
    with UnitWriter(folder, known, unit, Origin(unit, "file")) as writer:
        writer.convert(line + b"\n" for line in [*lines, b"no row"])
        writer.commit(covered=covered)


def publish_events(
    folder: DataFolder, unit: str, covered: tuple[dt.datetime, dt.datetime] | None, *times: dt.datetime
) -> None:
    """Publish events of these times."""
    lines = [orjson.dumps({"id": f"{unit}-{time}", "timestamp": time.isoformat()}) + b"\n" for time in times]
    with UnitWriter(folder, DATA_SETS["events"], unit, Origin(unit, "file")) as writer:
        writer.convert(lines)
        writer.commit(covered=covered)


def old_of(folder: DataFolder, before: dt.datetime = MIDNIGHT - AGE) -> dict[str, OldUnits]:
    return {one.data_set: one for one in old_units(folder, before, AGE)}


def units_of(folder: DataFolder, data_set: str) -> set[str]:
    return {one.unit for one in folder.manifests(data_set)}


def test_only_what_is_wholly_older_is_removed(folder: DataFolder) -> None:
    """Not what reaches into the time that is kept, and not what covers no time; nothing counts as missing."""
    publish(folder, "items", "old", (70, 61))
    publish(folder, "items", "just", (61, 60))
    publish(folder, "items", "across", (60, 59))
    publish(folder, "items", "new", (59, 0))
    publish(folder, "items", "timeless", None)
    publish(folder, "inboxes", "list", None)

    found = old_of(folder)

    assert set(found) == {"items"}
    assert {one.unit for one in found["items"].manifests} == {"old", "just"}
    assert (found["items"].rows, found["items"].files) == (4, 4)
    remove_old(folder, found["items"], AGE)
    assert units_of(folder, "items") == {"across", "new", "timeless"}
    assert verify(folder, deep=True).findings == ()
    assert removed_before(folder, "items") == MIDNIGHT - AGE
    assert removed_before(folder, "inboxes") is None
    assert next(one for one in summaries_of(folder) if one.data_set == "items").coverage.gaps == ()
    left = [path.name for path in folder.path.rglob("*") if path.name.startswith(("old", "just"))]
    assert left == []


def test_the_copy_in_current_goes_with_it(folder: DataFolder) -> None:
    """Compacted again while there are rows, and removed when there are none."""
    publish(folder, "items", "old", (70, 61))
    publish(folder, "items", "new", (59, 0))
    compact(folder, "items")

    remove_old(folder, old_of(folder)["items"], AGE)
    assert is_compact(folder, "items")
    assert verify(folder, deep=True).findings == ()

    remove_old(folder, old_of(folder, NOON)["items"], AGE)
    assert units_of(folder, "items") == set()
    assert not folder.path.joinpath("current", "items").exists()
    assert not list(folder.path.joinpath("_manifest", "current").rglob("*"))
    assert verify(folder, deep=True).findings == ()


def test_consent_is_needed_once_and_again_for_a_shorter_age(folder: DataFolder) -> None:
    """Nobody has to agree to what destroys nothing yet: from then on it holds."""
    publish(folder, "items", "old", (70, 61))
    publish(folder, "customers", "new", (59, 0))
    found = old_of(folder)
    assert not found["items"].is_agreed
    assert found["customers"].is_agreed
    for one in found.values():
        remove_old(folder, one, AGE)

    publish(folder, "items", "again", (70, 61))
    publish(folder, "customers", "old", (70, 61))
    assert all(one.is_agreed for one in old_of(folder).values())
    shorter = old_units(folder, MIDNIGHT - AGE, AGE - DAY)
    assert not any(one.is_agreed for one in shorter)
    assert all(one.is_agreed for one in old_units(folder, MIDNIGHT - AGE, AGE + DAY))


@pytest.mark.parametrize(
    ("now", "expected"),
    [(NOON, NOON - DAY), (NOON + 3650 * DAY, NOON - DAY), (NOON - 20 * DAY, NOON - 20 * DAY)],
    ids=["right", "ten years ahead", "behind"],
)
def test_a_wrong_clock_removes_nothing_more(folder: DataFolder, now: dt.datetime, expected: dt.datetime) -> None:
    """The age counts from what Gladly's jobs cover, or from now if that is earlier."""
    publish(folder, "items", "new", (10, 1))
    publish(folder, "events", "ahead", (10, -3650))

    assert cutoff_of(folder, AGE, now) == expected.replace(hour=0) - AGE


def test_a_wrong_clock_removes_nothing_more_without_jobs_either(folder: DataFolder) -> None:
    """The windows of events end where a clock of ours says; their rows do not."""
    ahead = NOON + 300 * DAY
    publish_events(folder, "young", (MIDNIGHT - 70 * DAY, MIDNIGHT - 69 * DAY), MIDNIGHT - 70 * DAY)
    publish_events(folder, "newest", (MIDNIGHT - DAY, MIDNIGHT), MIDNIGHT - DAY)
    publish_events(folder, "ahead", (MIDNIGHT, ahead))

    before = cutoff_of(folder, 300 * DAY, ahead)

    assert before == MIDNIGHT - 301 * DAY
    assert old_units(folder, before, 300 * DAY)[0].manifests == ()


def test_rows_that_are_younger_than_their_job_says_stay(folder: DataFolder) -> None:
    """A job can name a wrong period, and what is removed is never fetched again."""
    lines = [orjson.dumps({"id": "1", "timestamp": NOON.isoformat(), "content": {"type": "SMS"}}) + b"\n"]
    with UnitWriter(folder, DATA_SETS["items"], "lies", Origin("lies", "file")) as writer:
        writer.convert(lines)
        writer.commit(covered=(MIDNIGHT - 5000 * DAY, MIDNIGHT - 4999 * DAY))
    publish(folder, "items", "old", (70, 61))

    assert [one.unit for one in old_of(folder)["items"].manifests] == ["old"]


def test_events_that_cover_no_time_go_by_their_rows(folder: DataFolder) -> None:
    """Webhooks bring such ones. They hold people's data as well, and are as old as what holds them."""
    folder.now = lambda: NOON - 70 * DAY
    publish_events(folder, "old", None, NOON - 71 * DAY)
    publish_events(folder, "late", None, NOON - 71 * DAY, NOON - 10 * DAY)
    folder.now = lambda: NOON
    publish_events(folder, "arrived", None, NOON - 71 * DAY)

    assert [one.unit for one in old_of(folder)["events"].manifests] == ["old"]


def test_what_is_younger_than_all_that_was_removed_is_still_fetched(folder: DataFolder) -> None:
    """Although the clock was ten years ahead: nothing would be fetched any more for so long, without a word."""
    publish(folder, "items", "all", (70, 61))
    (old,) = old_units(folder, NOON + 3650 * DAY, AGE)
    remove_old(folder, old, AGE)

    assert removed_before(folder, "items") == MIDNIGHT - 61 * DAY


def test_a_shorter_age_than_the_last_one_needs_consent(folder: DataFolder) -> None:
    """Although a still shorter one was used once. What was removed by hand once changes nothing in that."""
    publish(folder, "items", "new", (31, 0))
    for age in (AGE, 400 * DAY):
        remove_old(folder, old_units(folder, MIDNIGHT - age, age)[0], age)
    publish(folder, "items", "old", (70, 61))
    assert not old_of(folder)["items"].is_agreed

    remove_old(folder, old_of(folder)["items"], AGE)
    remove_old(folder, old_units(folder, MIDNIGHT - 90 * DAY, 90 * DAY)[0], 90 * DAY, is_once=True)
    publish(folder, "items", "older", (70, 61))
    assert old_of(folder)["items"].is_agreed


def test_current_that_could_not_be_written_is_tried_again(folder: DataFolder) -> None:
    """What was removed must not stay readable there."""
    publish(folder, "items", "old", (70, 61))
    publish(folder, "items", "new", (59, 0))
    compact(folder, "items")
    part = next(folder.path.joinpath("items").rglob("new-*.parquet"))
    kept = part.read_bytes()
    part.write_bytes(b"damaged")

    with pytest.raises(InputError):
        remove_old(folder, old_of(folder)["items"], AGE)
    again = old_of(folder)["items"]
    assert (again.manifests, again.is_unfinished) == ((), True)
    part.write_bytes(kept)
    remove_old(folder, again, AGE)

    assert not old_of(folder)["items"].is_unfinished
    assert is_compact(folder, "items")


def test_nothing_goes_from_a_folder_that_is_read_only(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its manifest a file could be neither counted nor removed, and every later export would fail over it."""
    publish(folder, "items", "old", (70, 61))
    locked = next(folder.path.joinpath("items").rglob("*.parquet")).parent
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != locked)

    with pytest.raises(UsageError, match="is read-only; make it writable"):
        remove_old(folder, old_of(folder)["items"], AGE)

    assert units_of(folder, "items") == {"old"}
    assert verify(folder, deep=True).findings == ()


def test_nothing_goes_through_a_link(folder: DataFolder, tmp_path: Path) -> None:
    """The files would stay where it leads, readable, while no manifest names them any more."""
    publish(folder, "items", "old", (70, 61))
    folder.path.joinpath("items").rename(tmp_path / "elsewhere")
    folder.path.joinpath("items").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(InputError, match="is a link"):
        remove_old(folder, old_of(folder)["items"], AGE)

    assert units_of(folder, "items") == {"old"}


def test_a_second_ctrl_c_does_not_wait_for_current(folder: DataFolder) -> None:
    """What is old has gone by then, and the next call brings `current/` up to date."""
    publish(folder, "items", "old", (70, 61))
    publish(folder, "items", "new", (59, 0))
    compact(folder, "items")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remove_old(folder, old_of(folder)["items"], AGE, check=stop)
    assert units_of(folder, "items") == {"new"}
    remove_old(folder, old_of(folder)["items"], AGE)
    assert is_compact(folder, "items")


def test_the_copy_of_a_data_set_without_units_goes_too(folder: DataFolder) -> None:
    """Although a kill came after the last unit and before its copy."""
    publish(folder, "items", "old", (70, 61))
    compact(folder, "items")
    (old,) = old_of(folder).values()
    about = {"format": 1, "age_s": int(AGE.total_seconds()), "before": old.before, "units": 0, "rows": 0}
    folder.remember("items", "retention", {**about, "is_current_stale": 1})
    folder.remove(old.manifests)

    (again,) = old_of(folder).values()
    assert again.is_agreed
    remove_old(folder, again, AGE)

    assert not folder.path.joinpath("current", "items").exists()
    assert old_of(folder) == {}
    assert removed_before(folder, "items") == old.before


def test_a_damaged_memo_does_not_stop_an_export(folder: DataFolder) -> None:
    """It costs requests, and consent is needed again."""
    publish(folder, "items", "old", (70, 61))
    folder.remember("items", "retention", {"format": 1})
    with pytest.raises(InputError, match="is damaged"):
        removed_before(folder, "items")

    folder.pass_over_damage()
    assert removed_before(folder, "items") is None
    assert not old_of(folder)["items"].is_agreed
    assert [damage.data_set for damage in folder.damage.values()] == ["items"]


def test_what_is_compact_is_known_by_its_units(folder: DataFolder) -> None:
    """Not by numbers of rows or units, which another set of units may have too."""
    publish(folder, "items", "a", (10, 5))
    assert not is_compact(folder, "items")
    compact(folder, "items")
    assert is_compact(folder, "items")
    folder.remove(folder.manifests("items"))
    assert not is_compact(folder, "items")
    publish(folder, "items", "b", (10, 5))
    assert not is_compact(folder, "items")
    compact(folder, "items")
    next(folder.path.joinpath("current", "items").iterdir()).unlink()
    assert not is_compact(folder, "items")
