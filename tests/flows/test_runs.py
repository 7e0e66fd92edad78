"""Runs: limits, resuming, refusing, retrying; and nothing on the disk that should not be there."""

import asyncio
import datetime as dt
import gzip
import io
import logging
import os
import signal
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkgladly import (
    Credentials,
    ImportOptions,
    InputChanged,
    Limits,
    Observer,
    Pace,
    RunFolder,
    RunLocked,
    UsageError,
    dry_run,
    list_runs,
)
from bulkgladly.emulator import hang, reset
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.inputs import Inputs
from bulkgladly.imports.import_summary import Closing, publish
from bulkgladly.journal.databases import open_journal
from bulkgladly.journal.ledger import Ledger, Openings
from bulkgladly.journal.runs import purge_runs
from bulkgladly.records import Mark
from bulkgladly.runs.summary import common_fields
from tests.flows.conftest import TOKEN, World, check_report, people, person
from tests.flows.quickly import resume_import, retry_import, start_import

ALONE = Pace(unlimited=True, concurrency=1)
BAD = {"email:1": "nobody"}
HOUR = 3600.0


async def hit(world: World) -> None:
    """Wait until the first scripted fault has happened."""
    while not world.emulator.faults.fired:  # noqa: ASYNC110 - the emulator has no event for it
        await asyncio.sleep(0)


# --- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [10, 600])
async def test_too_many_errors_stop_the_run(rows: int, world: World) -> None:
    """Exit 3, whether the input is larger than a batch or not."""
    report = await world.rows(people(rows, **BAD), max_errors=3)

    assert (report.exit_code, report.status) == (3, "stopped")
    assert report.counts["rejected"] > 3


async def test_as_many_errors_as_are_allowed_do_not_stop_it(world: World) -> None:
    """Exit 1: finished, some rejected."""
    report = await world.rows([*people(3, **BAD), person(5)], max_errors=3)

    assert (report.exit_code, report.status) == (1, "complete")
    assert (report.counts["rejected"], report.counts["created"]) == (3, 1)


@pytest.mark.parametrize(("bad", "percent", "exit_code"), [(30, 15.0, 3), (30, 40.0, 1), (5, 1.0, 3), (0, 0.0, 0)])
async def test_errors_can_be_a_share(bad: int, percent: float, exit_code: int, world: World) -> None:
    """Judged from the hundredth row on, so that a bad start alone does not end a run."""
    rows = people(150)
    for number in range(100, 100 + bad):
        rows[number] = person(number, **BAD)

    report = await world.rows(rows, max_errors_percent=percent, pace=ALONE)

    assert report.exit_code == exit_code


async def test_conflicts_count_as_errors_and_unknown_rows_of_others_do_not(world: World) -> None:
    """A quarantined row is a reject; a skipped one is what the user asked for."""
    world.emulator.add_customer(emails=[{"original": "person.0@example.org"}])

    stopped = await world.rows(people(1), max_errors=0)
    skipped = await world.rows(people(1), max_errors=0, on_conflict="skip")

    assert (stopped.exit_code, skipped.exit_code) == (3, 0)


@pytest.mark.parametrize("requests", [1, 7, 20])
async def test_a_request_limit_leaves_a_run_that_can_be_resumed(requests: int, world: World) -> None:
    """Exit 10; the next session counts anew."""
    path = world.ndjson(people(60))

    report = await world.run(path, max_requests=requests, pace=ALONE)
    resumed = await world.resume()

    assert (report.exit_code, report.status) == (10, "stopped")
    assert report.requests_total == requests
    assert report.counts["unprocessed"] > 0
    assert (resumed.exit_code, resumed.counts["created"]) == (0, 60)
    assert world.emulator.requests.count("createCustomer") == 60
    assert resumed.requests["getOrganization"] == 2


async def test_a_time_limit_leaves_a_run_that_can_be_resumed(world: World) -> None:
    """What is in flight may end; the rest stays."""
    world.emulator.faults.script("createCustomer", [None, hang(executes=False)])
    path = world.ndjson(people(5))
    is_over, is_told = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds != HOUR:
            return await asyncio.sleep(seconds)
        await is_over.wait()
        is_told.set()
        return None

    world.environment = replace(world.environment, sleep=sleep)
    running = asyncio.ensure_future(world.run(path, max_duration_s=HOUR, pace=ALONE))
    await hit(world)
    is_over.set()
    await is_told.wait()
    await asyncio.wait([running], timeout=0.2)
    assert not running.done(), "a request in flight may end, for a while"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    resumed = await world.resume()

    assert resumed.counts["created"] == 5


async def test_a_time_limit_ends_with_its_own_exit_code(world: World) -> None:
    """Exit 10, with the reason."""
    report = await world.run(
        world.ndjson(people(2000)), max_duration_s=0.01, pace=Pace(rate=10, reserve=0.0, concurrency=1)
    )

    assert report.exit_code == 10
    assert "time limit" in (report.reason or "")


@pytest.mark.parametrize(("limit", "exit_code"), [(1, 10), (299, 10), (300, 0), (301, 0)])
async def test_a_row_limit_takes_the_first_rows(limit: int, exit_code: int, world: World) -> None:
    """Exactly so many; all of them is no limit."""
    path = world.ndjson(people(300))

    report = await world.run(path, max_rows=limit)

    assert report.counts["created"] == min(limit, 300)
    assert report.counts["unprocessed"] == max(0, 300 - limit)
    assert report.exit_code == exit_code


async def test_row_limits_go_on_from_where_the_last_ended(world: World) -> None:
    """A trial of ten rows, ten more, then all."""
    path = world.ndjson(people(100))
    await world.run(path, max_rows=10)

    second = await world.resume(limits=Limits(max_rows=10))
    last = await world.resume()

    assert [second.counts["created"], last.counts["created"]] == [20, 100]
    assert (second.exit_code, last.exit_code) == (10, 0)
    assert world.emulator.requests.count("createCustomer") == 100


class Signals(Observer):
    """Sends signals to this very process when the first record is done."""

    interval_s = 0.01

    def __init__(self, *numbers: signal.Signals) -> None:
        self._numbers = list(numbers)

    def tick(self, view: Any) -> None:
        if self._numbers and view.requests > 2:
            os.kill(os.getpid(), self._numbers.pop(0))


@pytest.mark.parametrize(
    ("numbers", "exit_code"),
    [((signal.SIGINT,), 130), ((signal.SIGTERM,), 143), ((signal.SIGINT, signal.SIGINT), 130)],
)
async def test_signals_stop_the_run_and_it_can_be_resumed(
    numbers: tuple[signal.Signals, ...], exit_code: int, world: World
) -> None:
    """The first drains, the second aborts; the state is saved in both."""
    world.emulator.faults.script(
        "createCustomer", [None, None, None, hang(executes=True)][: 2 + 2 * (len(numbers) > 1)]
    )
    path = world.ndjson(people(500))

    report = await start_import(
        "customers",
        [path],
        world.credentials,
        world.choose({"pace": Pace(rate=10, reserve=0.0, concurrency=2)}),
        observer=Signals(*numbers),
        with_signals=True,
    )
    world.emulator.faults.clear()
    check_report(report, rows=500)
    resumed = await world.resume(pace=Pace(unlimited=True))

    assert (report.exit_code, report.status) == (exit_code, "interrupted")
    assert report.counts["unprocessed"] > 400
    assert resumed.counts["created"] == 500
    assert len(world.emulator.store.customers) == 500


# --- resume ----------------------------------------------------------------------------------


async def test_resuming_a_complete_run_changes_nothing(world: World) -> None:
    """The same report, and no request about a record."""
    await world.run(world.ndjson([*people(3), person(9, **BAD)]))
    world.forget()

    again = await world.resume()

    assert world.asked() == {}
    assert (again.counts["created"], again.counts["rejected"], again.exit_code) == (3, 1, 1)


async def test_changed_input_is_refused(world: World) -> None:
    """With the file's name; with the user's word it goes on."""
    path = world.ndjson(people(30))
    await world.run(path, max_rows=10)
    path.write_bytes(path.read_bytes() + orjson.dumps(person(99)) + b"\n")

    with pytest.raises(InputChanged, match=str(path)):
        await world.resume()
    report = await world.resume(accept_changed_input=True)

    assert report.counts["created"] == 31


async def test_a_touched_file_is_no_changed_one(world: World) -> None:
    """The content counts, not the time."""
    path = world.ndjson(people(30))
    await world.run(path, max_rows=10)
    os.utime(path, (1, 1))

    assert (await world.resume()).counts["created"] == 30


async def test_a_missing_input_is_refused(world: World) -> None:
    """Nothing is sent without the rows."""
    path = world.ndjson(people(30))
    await world.run(path, max_rows=10)
    path.unlink()

    with pytest.raises(UsageError, match=str(path)):
        await world.resume()


async def test_another_organisation_is_refused(world: World) -> None:
    """A run is never finished where it was not begun."""
    await world.run(world.ndjson(people(30)), max_rows=10)

    with pytest.raises(UsageError, match="belongs to"):
        await resume_import(world.last_run(), Credentials("example", "agent@example.org", TOKEN))

    assert len(world.emulator.store.customers) == 10


async def test_a_run_that_somebody_works_on_is_refused(world: World) -> None:
    """Before anything is opened."""
    await world.run(world.ndjson(people(30)), max_rows=10)

    with world.last_run().lock(), pytest.raises(RunLocked):
        await world.resume()


async def test_an_unfinished_run_of_the_same_input_stands_in_the_way(world: World) -> None:
    """By its path or by its content; `new_run` overrides, and completion frees the way."""
    path = world.ndjson(people(30))
    await world.run(path, max_rows=10)
    copy = world.ndjson(people(30), "copy.ndjson")

    for same in (path, copy):
        with pytest.raises(UsageError, match="resume"):
            await world.run(same)
    other = await world.run(world.ndjson(people(40)[30:], "other.ndjson"))
    anew = await world.run(path, new_run=True)

    assert other.counts["created"] == 10
    assert (anew.counts["unchanged"], anew.counts["created"]) == (10, 20)
    assert len(list(list_runs(world.state))) == 3


async def test_the_way_is_free_when_the_run_is_complete(world: World) -> None:
    """The same file again: nothing to do."""
    path = world.ndjson(people(3))
    await world.run(path)

    again = await world.run(path)

    assert again.counts["unchanged"] == 3


async def test_a_cancelled_session_can_be_resumed(world: World) -> None:
    """As a library inside another program."""
    world.emulator.faults.script("createCustomer", [*[None] * 5, hang(executes=True)])
    path = world.ndjson(people(30))
    running = asyncio.ensure_future(world.run(path, pace=ALONE))
    await hit(world)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    resumed = await world.resume()

    assert resumed.counts["created"] == 30
    assert len(world.emulator.store.customers) == 30


# --- inputs ----------------------------------------------------------------------------------


async def test_several_files_are_one_run(world: World) -> None:
    """In the order given; a resume knows in which one it stood."""
    first = world.csv(people(20), "a.csv")
    second = world.ndjson(people(40)[20:], "b.ndjson")
    third = world.ndjson([*people(50)[40:], person(3, name="Other")], "c.jsonl")

    report = await world.run(first, second, third, max_rows=25)
    resumed = await world.resume()

    assert report.counts["created"] == 25
    assert (resumed.counts["created"], resumed.counts["read"]) == (50, 51)
    [line] = world.result(resumed, "rejected")
    assert line["_bulkgladly"]["position"]["file"] == str(third)
    assert str(first) in line["_bulkgladly"]["detail"]


async def test_globs_find_files(world: World) -> None:
    """Sorted by name."""
    for number in range(3):
        world.ndjson([person(number)], f"part-{number}.ndjson")

    report = await world.run(f"{world.folder}/part-*.ndjson")

    assert [line["key"] for line in world.result(report, "success")] == ["c-0", "c-1", "c-2"]


async def test_compressed_files_can_be_resumed(world: World) -> None:
    """By reading forward to the place."""
    path = world.folder / "customers.ndjson.gz"
    path.write_bytes(gzip.compress(world.ndjson(people(200)).read_bytes()))

    await world.run(path, max_rows=77)
    resumed = await world.resume()

    assert resumed.counts["created"] == 200
    assert world.emulator.requests.count("createCustomer") == 200


async def test_parquet_can_be_resumed(world: World) -> None:
    """By row group."""
    path = world.folder / "customers.parquet"
    pq.write_table(pa.Table.from_pylist(people(200)), path, row_group_size=30)

    await world.run(path, max_rows=77)
    resumed = await world.resume()

    assert resumed.counts["created"] == 200
    assert world.emulator.requests.count("createCustomer") == 200


async def test_standard_input_is_kept_for_a_resume(world: World) -> None:
    """In the run's folder, for its owner alone."""
    content = world.ndjson(people(30)).read_bytes()

    report = await world.run("-", stdin=io.BytesIO(content), max_rows=10)
    resumed = await world.resume()

    assert (report.exit_code, resumed.counts["created"]) == (10, 30)
    kept = world.last_run().path / "stdin.ndjson"
    assert kept.read_bytes() == content
    assert kept.stat().st_mode & 0o077 == 0


async def test_standard_input_that_cannot_be_used_leaves_nothing(world: World) -> None:
    """An unknown column: refused, and no run stands in the way."""
    with pytest.raises(UsageError, match="nickname"):
        await world.run("-", stdin=io.BytesIO(b'{"crm": 1, "nickname": "Ada"}\n'))
    with pytest.raises(UsageError, match="one after the other"):
        await world.run("-", world.ndjson(people(1)), stdin=io.BytesIO(b""))

    assert list(list_runs(world.state)) == []
    assert list((world.state / "runs").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\n\n"])
async def test_an_empty_input_is_done_at_once(content: bytes, world: World) -> None:
    """No rows, no rejects, all files."""
    path = world.folder / "empty.ndjson"
    path.write_bytes(content)

    report = await world.run(path)

    assert (report.exit_code, report.status, report.counts["read"]) == (0, "complete", 0)


async def test_rows_that_cannot_be_read_are_rejected_with_their_place(world: World) -> None:
    """And the others are imported."""
    path = world.folder / "customers.ndjson"
    rows = [orjson.dumps(row) for row in people(3)]
    path.write_bytes(b"\n".join([rows[0], b'{"crm": "x", "name": ', rows[1], b"\xff\xfe", b"[1]", rows[2]]) + b"\n")

    report = await world.run(path)

    assert (report.counts["created"], report.counts["rejected"], report.exit_code) == (3, 3, 1)
    assert [line["_bulkgladly"]["position"]["record"] for line in world.result(report, "rejected")] == [2, 4, 5]
    assert {line["_bulkgladly"]["stage"] for line in world.result(report, "rejected")} == {"read"}


async def test_an_input_that_ends_in_the_middle_is_reported(world: World) -> None:
    """What was imported before the damage is told; exit 2."""
    whole = gzip.compress(b"".join(orjson.dumps(person(n, address=os.urandom(300).hex())) + b"\n" for n in range(3000)))
    path = world.folder / "customers.ndjson.gz"
    path.write_bytes(whole[: len(whole) * 2 // 3])

    report = await world.run(path)

    assert (report.exit_code, report.status) == (2, "failed")
    assert str(path) in (report.reason or "")
    assert report.counts["created"] + report.counts["unprocessed"] == report.counts["read"] > 0
    in_flight = len(world.emulator.store.customers) - report.counts["created"]
    assert 0 <= in_flight <= 50


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([{"crm": "1", "nickname": "Ada"}], "nickname"),
        ([{"crm": "1", "e-mail:1": "ada@example.org"}], "did you mean email:1"),
    ],
)
async def test_unknown_columns_are_refused_before_anything(
    rows: list[Mapping[str, Any]], part: str, world: World
) -> None:
    """No run is made; the way out is named."""
    with pytest.raises(UsageError, match=part):
        await world.run(world.ndjson(rows))

    assert not world.state.exists()
    assert world.emulator.requests.total == 0


async def test_a_key_column_that_is_not_there_is_refused(world: World) -> None:
    """CSV says it in its header."""
    with pytest.raises(UsageError, match="customer_no"):
        await world.run(world.csv(people(1)), key="customer_no")


# --- retry -----------------------------------------------------------------------------------


async def test_rejects_are_tried_again_alone(world: World) -> None:
    """As a run of its own, with its parent's name, and under another policy."""
    world.emulator.add_customer(id="theirs", name="Theirs", emails=[{"original": "person.1@example.org"}])
    await world.run(world.ndjson([*people(3), person(7, **BAD)]))
    parent = world.last_run()
    world.forget()

    report = await world.retry(parent, on_conflict="update")

    assert (report.counts["read"], report.counts["updated"], report.counts["rejected"]) == (1, 1, 0)
    assert world.emulator.customer("theirs")["name"] == "Sample Person 1"
    assert world.asked() == {"createCustomer": 1, "findCustomers": 1, "updateCustomer": 1}
    assert world.last_run().header().parent == parent.name


async def test_corrected_rejects_find_their_records(world: World) -> None:
    """The rejects file is an input like any other."""
    report = await world.run(world.ndjson([person(0), person(1, **BAD)]))
    path = Path(report.folder) / "rejected.ndjson"
    corrected = world.folder / "corrected.ndjson"
    corrected.write_bytes(path.read_bytes().replace(b'"nobody"', b'"person.1@example.org"'))

    again = await world.run(corrected)

    assert again.counts["created"] == 1
    assert set(world.names()) == {"person.0@example.org", "person.1@example.org"}


async def test_the_rejects_of_csv_can_be_tried_again(world: World) -> None:
    """Whatever format the rows came in."""
    await world.run(world.csv([person(0, **{"phone:1": "020 7946 0018"})]))

    report = await world.retry(phone_region="GB")

    assert report.counts["created"] == 1
    [profile] = world.emulator.store.customers.values()
    assert profile["phones"][0]["original"] == "+442079460018"


async def test_a_run_without_rejects_has_nothing_to_retry(world: World) -> None:
    """Said so, and no run is made."""
    await world.run(world.ndjson(people(1)))

    with pytest.raises(UsageError, match="nothing to retry"):
        await world.retry()


# --- dry run ---------------------------------------------------------------------------------


async def test_a_dry_run_sends_nothing_and_finds_the_same_rejects(world: World) -> None:
    """Its findings are those of the run; no run is made, nothing is remembered."""
    rows = [
        *people(400),
        *people(5, name="Other"),
        person(500, **BAD),
        person(501, **{"email:1": "person.3@example.org"}),
    ]
    rows += [person(7), {"crm": "", "name": "No key"}, person(502, **{"phone:1": "020 7946 0018"})]
    path = world.ndjson(rows)

    dry = await dry_run("customers", [str(path)], world.options, host=world.emulator.url)
    kept_before = world.state.exists()
    report = await world.run(path)

    assert not kept_before
    assert world.emulator.requests.count("getOrganization") == 1
    assert {finding.code: finding.rows for finding in dry.findings} == report.rejects_by_code
    assert (dry.rows, dry.exit_code) == (len(rows), 1)
    assert dry.first_requests == {"createCustomer": 400}
    assert dry.settled == {"rejected": 9, "unchanged": 1}
    assert report.counts["created"] == 400


async def test_a_dry_run_knows_what_was_imported(world: World) -> None:
    """Unchanged records show up as such."""
    await world.rows(people(5))
    world.forget()

    dry = await dry_run(
        "customers", [str(world.ndjson([*people(5), person(6)]))], world.options, host=world.emulator.url
    )

    assert (dict(dry.first_requests), dict(dry.settled)) == ({"createCustomer": 1}, {"unchanged": 5})
    assert dry.exit_code == 0
    assert world.asked() == {}


async def test_a_dry_run_reads_the_standard_input_and_stops_at_the_row_limit(world: World) -> None:
    """As an import does, so that both see the same rows; the copy is deleted with the dry run."""
    content = world.ndjson(people(5)).read_bytes()
    options = replace(world.options, limits=Limits(max_rows=3))

    dry = await dry_run("customers", ["-"], options, host=world.emulator.url, stdin=io.BytesIO(content))

    assert (dry.rows, dict(dry.first_requests)) == (3, {"createCustomer": 3})
    assert not world.state.exists()
    with pytest.raises(UsageError, match="one after the other"):
        await dry_run("customers", ["-", "more.csv"], options, host="", stdin=io.BytesIO(content))


# --- secrets and disks -----------------------------------------------------------------------


async def test_the_token_and_peoples_data_stay_out_of_logs(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Also at the most talkative level, with faults and rejects; files are checked by every import here."""
    caplog.set_level(logging.DEBUG)
    world.emulator.add_customer(id="theirs", emails=[{"original": "person.1@example.org"}])
    world.emulator.faults.every("*", 9, reset())

    await world.rows([*people(30), person(50, **BAD)])

    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert TOKEN not in logged
    assert "person.1@example.org" not in logged


async def test_everything_kept_is_for_its_owner_alone(world: World) -> None:
    """Under the usual mask, the files of SQLite included."""
    before = os.umask(0o022)
    try:
        await world.rows([*people(3), person(9, **BAD)])
    finally:
        os.umask(before)

    found = [world.state, *world.state.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in found if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in found if path.is_file()} == {0o600}


async def test_what_is_read_is_counted_by_reading(world: World) -> None:
    """The invariant compares two independent numbers: rows that vanish on the way do not add up."""
    before = await world.rows(people(4))
    run = world.last_run()
    digests = [file.digest for file in run.header().inputs]
    inputs = Inputs.open([str(world.ndjson(people(5)))], ReadOptions())
    vitals = {"requests": before.requests, "throttled": 0, "waits": {}, "seconds": before.seconds}
    ending = Closing(None, None, Mark(), lambda seq: seq < 4, before.counts, digests)

    report = publish(run, inputs, ending, common_fields(run, vitals))

    assert report.counts["created"] == 4
    assert report.counts["unprocessed"] == 1
    assert (report.status, report.exit_code) == ("failed", 70)


async def test_a_disk_that_is_full_in_mid_run_stops_it(world: World) -> None:
    """Exit 5; the report tells what reached the disk, and a resume asks about the rest."""

    def opened(journal: Path) -> sqlite3.Connection:
        connection = open_journal(journal)
        connection.execute("PRAGMA max_page_count=130")
        return connection

    usual = world.environment
    world.environment = replace(usual, ledger=partial(Ledger, openings=Openings(journal=opened)))
    path = world.ndjson(people(2000))

    report = await world.run(path, pace=Pace(unlimited=True, concurrency=8))
    made = len(world.emulator.store.customers)
    world.environment = usual
    resumed = await world.resume()

    assert (report.exit_code, report.status) == (5, "failed")
    assert "make room" in (report.reason or "")
    assert 0 < report.counts["created"] <= made < 2000
    assert (resumed.exit_code, resumed.counts["created"]) == (0, 2000)
    assert len(world.emulator.store.customers) == 2000


async def test_retry_leaves_out_what_would_end_the_same_way(world: World) -> None:
    """A key that came twice must not overwrite the row that was taken, now that it is alone; nor is a bad row sent."""
    first = await world.rows([person(0), person(0, name="Somebody Else"), person(1, **BAD)])
    assert first.counts["rejected"] == 2

    with pytest.raises(UsageError, match="nothing to retry: 2 rejected rows left out, which would be rejected again"):
        await world.retry()

    assert world.names() == {"person.0@example.org": person(0)["name"]}


async def test_retry_stays_in_its_organisation(world: World) -> None:
    """A rehearsal's rejects do not go to production because the environment says so."""
    await world.rows([person(0, **BAD)])
    elsewhere = Credentials("https://organisation.gladly.com", "agent@example.org", TOKEN)

    with pytest.raises(UsageError, match="belongs to"):
        await retry_import(world.last_run(), elsewhere)


async def test_unlimited_is_refused_for_a_real_host(tmp_path: Path) -> None:
    """Whoever asks for it, in whatever way."""
    elsewhere = Credentials("https://organisation.gladly.com", "agent@example.org", TOKEN)
    options = ImportOptions(pace=Pace(unlimited=True), state_dir=tmp_path / "state")

    with pytest.raises(UsageError, match="emulator"):
        await start_import("customers", [tmp_path / "none.csv"], elsewhere, options)


async def test_an_equal_row_behind_a_rejected_one_is_rejected_too(world: World) -> None:
    """It is no success to equal a row that Gladly refused."""
    world.emulator.add_customer(emails=[{"original": person(0)["email:1"]}])

    report = await world.rows([person(0), person(0)])

    assert (report.counts["rejected"], report.counts["unchanged"]) == (2, 0)


@pytest.mark.parametrize("most", [1, 5, 20])
async def test_the_limit_of_requests_is_kept_to_the_request(most: int, world: World) -> None:
    """With many workers too; rows that have not begun are left as they were."""
    report = await world.rows(people(60), max_requests=most)

    assert report.requests_total == most
    assert report.exit_code == 10


async def test_old_complete_runs_are_removed_and_what_is_remembered_stays(world: World) -> None:
    """A run that can be resumed stays; the same rows again send nothing."""
    await world.rows(people(3))
    stopped = await world.run(world.ndjson(people(9)), new_run=True, max_requests=5)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)

    assert purge_runs(world.state, later - dt.timedelta(hours=1)) == ((), 0, {})
    found = purge_runs(world.state, later)

    assert (len(found.removed), dict(found.kept)) == (1, {stopped.run: "stopped"})
    assert found.bytes > 0
    assert [run.name for run in list_runs(world.state)] == [stopped.run]
    again = await world.rows(people(3))
    assert again.counts["unchanged"] == 3


async def test_a_run_at_work_is_not_removed(world: World) -> None:
    report = await world.rows(people(1))
    with RunFolder(world.state / "runs" / report.run).lock():
        found = purge_runs(world.state, dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))

    assert found.removed == ()
    assert list(found.kept) == [report.run]
