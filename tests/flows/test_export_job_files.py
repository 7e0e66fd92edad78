"""Export job files into a data set: every row once, gaps told, nothing fetched twice."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from bulkgladly import Limits, UsageError
from bulkgladly.emulator import half_body, reset, status, wrong_length
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import Reply
from bulkgladly.exports.export_context import DOWNLOAD_TRIES
from bulkgladly.journal.runs import list_runs
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.verify import verify
from tests.flows.exporting import DAY, ITEMS, NIGHT, NOT_THERE, Lake, as_lines, note_line
from tests.full_disk import fill_at_sync

ALL = ("items", "customers", "agents", "topics")


async def test_one_listing_and_one_download_per_file_fill_four_data_sets(make_lake: Callable[..., Any]) -> None:
    """Each file is streamed once, into however many partitions."""
    lake = await make_lake(seed_customers=20, seed_jobs=3)

    report = await lake.export(*ALL)

    assert (report.status, report.exit_code) == ("complete", 0)
    assert lake.asked() == {"findJobs": 1, "getFile": 12}
    assert lake.table("items").num_rows == report.files["items"]["rows"] == 3 * 180
    assert set(lake.table("items").column("type").to_pylist()) >= {"EMAIL", "SMS", "PHONE_CALL"}


async def test_the_second_dump_asks_once_and_writes_nothing(make_lake: Callable[..., Any]) -> None:
    """A night without news costs two requests and no file."""
    lake = await make_lake(seed_customers=5, seed_jobs=3)
    await lake.dump(*ALL)
    before = lake.parts()
    lake.forget()

    report = await lake.dump(*ALL)

    assert report.exit_code == 0
    assert lake.asked() == {"findJobs": 1}
    assert lake.parts() == before


async def test_rows_say_where_they_come_from(lake: Lake) -> None:
    """Each row has its job, the job's time, the file and the line."""
    job = lake.add_job([note_line(1), note_line(2)])

    await lake.export("items")

    rows = sorted(lake.table("items").to_pylist(), key=lambda row: row["_line"])
    assert [row["id"] for row in rows] == ["item-000001", "item-000002"]
    assert [row["_line"] for row in rows] == [1, 2]
    assert {(row["_job_id"], row["_job_updated_at"], row["_file"]) for row in rows} == {(job, NIGHT, ITEMS)}


async def test_bad_lines_are_kept_apart_and_counted(lake: Lake) -> None:
    """A line that is not a row stands in _rejects with its place and reason; the others are rows."""
    good, cut, late = (orjson.dumps(note_line(number)) for number in range(3))
    lake.add_job(b"\n".join([good, cut[:40], b"", late]) + b"\n")

    report = await lake.export("items")

    assert (report.exit_code, report.counts["read"], report.counts["rejected"]) == (1, 3, 1)
    assert lake.ids() == ["item-000000", "item-000002"]
    (refused,) = lake.rejects()
    assert (refused["file"], refused["line"]) == (ITEMS, 2)


@pytest.mark.parametrize("fault", [half_body, wrong_length, reset], ids=lambda fault: fault.__name__)
async def test_a_broken_download_starts_again_and_no_row_comes_twice(lake: Lake, fault: Callable[[], Any]) -> None:
    """Nothing of the broken one is published."""
    lake.add_job([note_line(number) for number in range(500)])
    lake.emulator.faults.script("getFile", [fault()])

    report = await lake.export("items")

    assert report.exit_code == 0
    assert lake.ids() == [f"item-{number:06}" for number in range(500)]
    assert not [path for path in lake.out.rglob("*") if "partial" in path.name]


async def test_a_download_that_always_breaks_fails_its_unit_alone(lake: Lake) -> None:
    """The other job is published, the exit code tells, and the next run tries again."""
    lake.add_job([note_line(1)], nights_ago=1, job_id="older")
    lake.add_job([note_line(2)], job_id="newer")
    lake.emulator.faults.script("GET /api/v1/export/jobs/older/*", [half_body()] * DOWNLOAD_TRIES)

    report = await lake.export("items")

    assert (report.status, report.exit_code) == ("complete", 1)
    assert [(one.unit, one.state) for one in report.told] == [("older", "failed")]
    assert lake.ids() == ["item-000002"]
    assert (await lake.export("items")).exit_code == 0
    assert lake.ids() == ["item-000001", "item-000002"]


async def test_a_file_that_is_gone_is_told_once_and_not_asked_for_again(lake: Lake) -> None:
    """Past its 14 days, and after two nights that say so: exit 1 in both of them, silence afterwards."""
    listed = [
        {"id": f"job-{age}", "status": "COMPLETED", "updatedAt": (NIGHT - age * DAY).isoformat(), "files": files}
        for age, files in ((0, []), (15, [ITEMS]))
    ]
    answer = Fault("answer", executes=False, reply=Reply(200, orjson.dumps(listed)))
    lake.emulator.faults.after("findJobs", 0, answer)

    first = await lake.export("items")
    after_first = lake.manifests()
    second = await lake.export("items")

    assert [first.exit_code, second.exit_code] == [1, 1]
    told = [(one.unit, one.state) for report in (first, second) for one in report.told]
    assert told == [("job-15", "failed"), ("job-15", "gone")]
    assert not after_first
    assert lake.manifests()["job-15"].incomplete == "gone"
    lake.forget()
    assert (await lake.export("items")).exit_code == 0
    assert lake.asked() == {"findJobs": 1}


@pytest.mark.parametrize("fault", [NOT_THERE, status(404, body="html")], ids=["Gladly's", "a page"])
async def test_a_file_of_a_young_job_is_asked_for_every_night_until_it_comes(lake: Lake, fault: Fault) -> None:
    """It is listed and lives for 14 days, so it is not given up after a 404."""
    job = lake.add_job([note_line(1)])
    lake.emulator.faults.after("getFile", 0, fault)

    nights = [await lake.export("items") for _ in range(3)]
    lake.emulator.faults.clear()
    last = await lake.export("items")

    assert [(one.unit, one.state) for night in nights for one in night.told] == [(job, "failed")] * 3
    assert [night.exit_code for night in (*nights, last)] == [1, 1, 1, 0]
    assert lake.ids() == ["item-000001"]


async def test_a_page_for_a_file_costs_no_more_than_another_request(lake: Lake) -> None:
    """A 404 that is not Gladly's is asked about again in the same night."""
    lake.add_job([note_line(1)])
    lake.emulator.faults.script("getFile", [status(404, body="html")])

    report = await lake.export("items")

    assert (report.exit_code, lake.asked()["getFile"]) == (0, 2)
    assert lake.ids() == ["item-000001"]


async def test_nights_that_no_job_covers_are_told_as_gone(lake: Lake) -> None:
    """After weeks off: what Gladly still has is caught up, what it has not is named, once."""
    lake.add_job([note_line(1)], nights_ago=13)
    await lake.dump("items")
    lake.wall.now += 20 * DAY
    lake.emulator.exports.add_job({ITEMS: as_lines([note_line(2)])}, updated_at=NIGHT + 19 * DAY)

    report = await lake.dump("items")

    assert report.exit_code == 1
    (told,) = report.told
    assert (told.data_set, told.state) == ("items", "gone")
    assert "2026-03-07 00:00 to 2026-04-07 00:00 UTC is missing" in told.detail
    assert lake.ids() == ["item-000001", "item-000002"]
    again = await lake.dump("items")
    assert again.exit_code == 0
    assert any("as reported before" in note for note in again.notes)


async def test_the_report_says_from_when_on_data_is_lost(lake: Lake) -> None:
    """The job after the newest one comes a day later and lives for 14 days."""
    lake.add_job([note_line(1)])

    report = await lake.dump("items")

    assert report.next_loss == f"{NIGHT + 15 * DAY:%Y-%m-%d %H:%M} UTC"


async def test_a_job_made_again_takes_the_place_of_the_earlier(lake: Lake) -> None:
    """Same job, later `updatedAt`: its rows replace the earlier ones."""
    job = lake.add_job([note_line(1)], nights_ago=1)
    await lake.dump("items")
    lake.emulator.exports.finish_job(job, {ITEMS: as_lines([note_line(1), note_line(2)])}, updated_at=NIGHT)

    report = await lake.dump("items")

    assert (report.counts["updated"], report.counts["created"]) == (1, 1)
    assert lake.ids() == ["item-000001", "item-000002"]


async def test_more_is_never_replaced_by_less(lake: Lake) -> None:
    """A job made again with fewer rows is not believed; the night says so once."""
    job = lake.add_job([note_line(1), note_line(2)], nights_ago=1)
    await lake.dump("items")
    lake.emulator.exports.finish_job(job, {ITEMS: as_lines([note_line(1)])}, updated_at=NIGHT)

    report = await lake.dump("items")

    assert report.exit_code == 1
    assert [(one.unit, one.state) for one in report.told] == [(job, "incomplete")]
    assert lake.ids() == ["item-000001", "item-000002"]
    lake.forget()
    assert (await lake.dump("items")).exit_code == 0
    assert lake.asked() == {"findJobs": 1}


async def test_a_failed_job_is_told_once(lake: Lake) -> None:
    """Only Support can help, and one night's exit code is enough to say so."""
    lake.emulator.exports.add_job(status="FAILED", updated_at=NIGHT, job_id="unlucky")

    first, second = await lake.dump("items"), await lake.dump("items")

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert [(one.unit, one.state) for one in first.told] == [("unlucky", "failed")]


async def test_a_loss_is_not_kept_secret_because_the_first_run_was_stopped(lake: Lake) -> None:
    """A failed job and a gap are told by the run that gets that far, also by a resume, and by no later one."""
    lake.add_job([note_line(0)], nights_ago=6)
    await lake.dump("items")
    lake.add_job([note_line(1)], nights_ago=2)
    lake.emulator.exports.add_job(status="FAILED", updated_at=NIGHT - DAY, job_id="unlucky")
    lake.add_job([note_line(2)])

    stopped = await lake.dump("items", limits=Limits(max_requests=2))
    resumed = await lake.dump("items")
    later = await lake.dump("items")

    assert (stopped.exit_code, resumed.run, resumed.exit_code, later.exit_code) == (10, stopped.run, 1, 0)
    assert [one.state for one in resumed.told if one.unit == "unlucky"] == ["failed"]
    assert [one.state for one in resumed.told if one.unit.startswith("gap ")] == ["gone", "gone"]
    assert not later.told
    assert [note for note in later.notes if note.endswith("as reported before")]


async def test_jobs_that_are_not_done_wait_for_another_night(lake: Lake) -> None:
    """PENDING and IN_PROGRESS are neither a gap nor a failure."""
    job = lake.emulator.exports.add_job(status="IN_PROGRESS", updated_at=NIGHT)

    assert (await lake.dump("items")).exit_code == 0
    lake.emulator.exports.finish_job(job, {ITEMS: as_lines([note_line(1)])}, updated_at=NIGHT)
    await lake.dump("items")

    assert lake.ids() == ["item-000001"]


async def test_hostile_names_stay_inside_the_folder(lake: Lake) -> None:
    """Job ids and file names are data: they never lead out of the data set."""
    lake.add_job([note_line(1)], job_id="../../escape")
    lake.add_job(b"", files={"../../evil.jsonl": b"{}\n", ITEMS: as_lines([note_line(2)])}, nights_ago=1, job_id="_x")

    report = await lake.export("items")

    assert lake.ids() == ["item-000001", "item-000002"]
    assert {path.name for path in lake.folder.iterdir()} <= {"lake", "state"}
    assert any("evil.jsonl" in note for note in report.notes)


async def test_files_of_unknown_names_are_kept_line_by_line(lake: Lake) -> None:
    """`files` is an open list: a new file is not lost because it is not declared yet."""
    lake.add_job(b"", files={"moods.jsonl": b'{"id":"m-1","mood":{"calm":true}}\n', ITEMS: as_lines([note_line(1)])})

    report = await lake.dump(*ALL)

    assert report.counts["created"] == 2
    (row,) = lake.table("other/moods.jsonl").to_pylist()
    assert orjson.loads(row["_extra"]) == {"id": "m-1", "mood": {"calm": True}}
    assert (await lake.dump(*ALL)).counts["read"] == 0


async def test_a_file_of_an_unknown_name_needs_no_ids(lake: Lake) -> None:
    """Nobody knows its key; a page or an error in its place is not kept all the same."""
    lake.add_job(b"", files={"moods.jsonl": b'{"mood":"calm"}\n', ITEMS: as_lines([note_line(1)])})
    lake.emulator.faults.script("GET */files/moods.jsonl", [_said(b"<html>\n</html>"), _said(b'{"errors":[]}')])

    report = await lake.dump(*ALL)

    assert (report.exit_code, report.counts["created"]) == (0, 2)
    (row,) = lake.table("other/moods.jsonl").to_pylist()
    assert orjson.loads(row["_extra"]) == {"mood": "calm"}


def _said(body: bytes) -> Fault:
    return Fault("answer", executes=False, reply=Reply(200, body))


@pytest.mark.parametrize(
    "begin", [b"", b"\n\n", b"\xef\xbb\xbf", b"oops\n"], ids=["nothing", "blank lines", "byte order mark", "a reject"]
)
async def test_a_file_that_begins_with_a_long_line_is_the_file(lake: Lake, begin: bytes) -> None:
    """An email can be longer than a block: its line is not whole in the first one."""
    content = {"type": "CONVERSATION_NOTE", "body": "x" * 3_000_000}
    lake.add_job(begin + as_lines([note_line(1, content=content), note_line(2)]))

    report = await lake.export("items")

    assert report.counts["created"] == 2
    assert lake.ids() == ["item-000001", "item-000002"]
    assert lake.asked()["getFile"] == 1


async def test_since_and_until_choose_jobs_by_the_period_they_cover(lake: Lake) -> None:
    """A job counts when its period has a share in the span."""
    for nights in range(4):
        lake.add_job([note_line(nights)], nights_ago=nights)
    midnight = NIGHT.replace(hour=0, minute=0)

    await lake.export("items", since=midnight - 3 * DAY, until=midnight - DAY)

    assert lake.ids() == ["item-000001", "item-000002"]


async def test_a_limit_ends_the_run_and_resume_goes_on(lake: Lake) -> None:
    """Exit 10, whole units only, and the resumed run fetches what is missing and no more."""
    for nights in range(6):
        lake.add_job([note_line(nights)], nights_ago=nights)
    options = lake.options("items")

    report = await lake.export("items", limits=replace(options.limits, max_requests=4))

    assert (report.exit_code, report.status) == (10, "stopped")
    (run,) = list_runs(options.state_dir)
    with pytest.raises(UsageError, match=f"bulkgladly resume {run.name}"):
        await lake.export("items")
    lake.forget()
    done = lake.table("items").num_rows
    resumed = await lake.resume(run)
    assert (resumed.exit_code, resumed.counts["created"]) == (0, 6)
    assert lake.asked() == {"findJobs": 1, "getFile": 6 - done}
    assert len(lake.ids()) == 6


async def test_dump_takes_an_unfinished_dump_over(lake: Lake) -> None:
    """Cron needs no `resume`: the same run goes on."""
    for nights in range(4):
        lake.add_job([note_line(nights)], nights_ago=nights)
    options = lake.options("items")
    first = await lake.dump("items", limits=replace(options.limits, max_requests=3))

    second = await lake.dump("items")

    assert (first.exit_code, second.exit_code) == (10, 0)
    assert second.run == first.run
    assert len(lake.ids()) == 4


async def test_a_wrong_token_leaves_no_run_that_stands_in_the_way(lake: Lake) -> None:
    """Exit 4; the next export simply begins."""
    lake.add_job([note_line(1)])
    lake.emulator.faults.script("getOrganization", [status(401)])

    report = await lake.export("items")

    assert report.exit_code == 4
    assert (await lake.export("items")).exit_code == 0


async def test_a_data_set_belongs_to_one_organisation_and_one_writer(lake: Lake) -> None:
    """Another host, another writer, a folder that is not ours: refused before a request."""
    lake.add_job([note_line(1)])
    await lake.export("items")
    lake.forget()

    with DataFolder.open(lake.out).lock(), pytest.raises(UsageError, match="in use by process"):
        await lake.export("items")
    foreign = lake.folder / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(UsageError, match=str(foreign)):
        await lake.export("items", out=foreign)

    assert not lake.asked()


async def test_raw_files_can_be_kept(lake: Lake) -> None:
    """`--keep-raw` stores the download as it came."""
    lake.add_job([note_line(1)])

    await lake.export("items", keep_raw=True)

    assert [path.name.endswith(".jsonl.zst") for path in (lake.out / "_raw" / "items").iterdir()] == [True]


async def test_what_is_written_verifies(make_lake: Callable[..., Any]) -> None:
    """Manifests, parts and hashes agree after several nights."""
    lake = await make_lake(seed_customers=5, seed_jobs=2)
    await lake.dump(*ALL)
    lake.add_job([note_line(1)])
    await lake.dump(*ALL)

    found = verify(DataFolder.open(lake.out), deep=True)

    assert not found.findings


async def test_a_body_that_never_ends_is_cut_off(lake: Lake) -> None:
    """More bytes than allowed: the unit fails with the limit named, and nothing of it is left."""
    lake.add_job([note_line(number) for number in range(1000)])

    report = await lake.export("items", max_file_bytes=10_000)

    assert report.exit_code == 1
    assert "10000" in report.told[0].detail.replace(",", "")
    assert not lake.ids()


async def test_another_period_of_an_hourly_schedule_is_no_gap(lake: Lake) -> None:
    """Hour by hour the covered time grows without a hole."""
    for hour in range(5):
        start = NIGHT.replace(hour=0, minute=0) - DAY + dt.timedelta(hours=hour)
        lake.emulator.exports.add_job(
            {ITEMS: as_lines([note_line(hour)])},
            updated_at=start + dt.timedelta(hours=2),
            start_at=start,
            end_at=start + dt.timedelta(hours=1),
        )

    report = await lake.dump("items")

    assert (report.exit_code, report.counts["created"]) == (0, 5)


async def test_a_disk_that_fills_while_publishing_leaves_nothing_half(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5, no file of the unit, and the same run goes on when there is room."""
    lake.add_job([note_line(1)])

    with monkeypatch.context() as patch:
        fill_at_sync(patch, lake.out, "_incoming/items/")
        report = await lake.dump("items")

    assert (report.exit_code, report.status) == (5, "failed")
    assert not [path for path in lake.out.rglob("*") if path.is_file() and "item" in path.name]
    assert not [path for path in lake.out.rglob("*") if "partial" in path.name]
    assert (await lake.dump("items")).exit_code == 0
    assert lake.ids() == ["item-000001"]


async def test_periods_left_out_on_purpose_are_no_gap(lake: Lake) -> None:
    """`--since` chooses; it does not make Gladly lose anything."""
    for nights in range(5):
        lake.add_job([note_line(nights)], nights_ago=nights)
    midnight = NIGHT.replace(hour=0, minute=0)
    await lake.export("items", until=midnight - 3 * DAY)

    report = await lake.export("items", since=midnight - DAY)

    assert (report.exit_code, report.told) == (0, ())
    assert report.next_loss == f"{NIGHT + 15 * DAY:%Y-%m-%d %H:%M} UTC"


async def test_refresh_fetches_again_what_is_there(lake: Lake) -> None:
    """The same rows take the place of the same rows."""
    lake.add_job([note_line(1), note_line(2)])
    await lake.export("items")
    lake.forget()

    report = await lake.export("items", refresh=True)

    assert (report.counts["updated"], report.counts["created"]) == (2, 0)
    assert lake.asked() == {"findJobs": 1, "getFile": 1}
    assert lake.ids() == ["item-000001", "item-000002"]


async def test_too_many_bad_lines_stop_the_run(lake: Lake) -> None:
    """A share of the lines, judged from a hundred on: exit 3, and what was published stays."""
    lake.add_job(b"nonsense\n" * 60 + as_lines(note_line(number) for number in range(60)), nights_ago=1)
    lake.add_job([note_line(1000)])
    options = lake.options("items")

    report = await lake.export("items", limits=replace(options.limits, max_errors_percent=10.0))

    assert (report.exit_code, report.status) == (3, "stopped")
    assert len(lake.ids()) == 60


async def test_an_organisation_without_jobs_says_so(lake: Lake) -> None:
    """Nothing to read is not an error, but must not look like a full copy."""
    report = await lake.export("items")

    assert report.exit_code == 0
    assert any("lists no export jobs" in note for note in report.notes)
