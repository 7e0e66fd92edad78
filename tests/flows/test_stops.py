"""The end of a run before its input's: nothing more leaves, what waited is withdrawn, what is in flight ends."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import ExportOptions, Limits, Observer, Pace, list_runs
from bulkgladly.emulator import Emulator, drop_reply, rate_limited, slow, status
from bulkgladly.runs.stages import stopping
from tests.flows.conftest import World, check_report, people, person
from tests.flows.exporting import Lake, note_line
from tests.flows.quickly import start_export, start_import
from tests.flows.test_kill_minus_nine import Program

ALONE = Pace(unlimited=True, concurrency=1)
THROTTLED = rate_limited(retry_after_s=60)


class Interrupter(Observer):
    """Sends a signal to this very process as soon as the view is as wanted, and keeps what it shows afterwards."""

    interval_s = 0.01

    def __init__(self, word: str) -> None:
        self._word, self.sent_at = word, 0.0
        self.shown: list[str] = []

    def tick(self, view: Any) -> None:
        if self.sent_at:
            self.shown.append(view.waiting or "")
            assert not view.waiting.startswith("stopping") or view.waiting_s == 0
        elif self._word in (view.waiting or "") or (self._word == "in flight" and view.in_flight and view.requests > 1):
            self.sent_at = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)


class Twice(Interrupter):
    """Sends another signal when the run is at its end, and its results are about to be written."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.is_sent_again = False

    def tick(self, view: Any) -> None:
        if self.sent_at and not self.is_sent_again:
            self.is_sent_again = True
            os.kill(os.getpid(), signal.SIGINT)
        super().tick(view)


def a_note(number: int, talk: str) -> dict[str, str]:
    return {"crm": f"n-{number}", "conversationId": talk, "body": f"Note {number}"}


def talking(world: World) -> str:
    """A conversation to write notes into."""
    return world.emulator.add_conversation(world.emulator.add_customer(name="Ada"))


async def interrupted(world: World, path: Path, resource: str, word: str, **changes: Any) -> tuple[Any, Interrupter]:
    """Import until the view has a word, then send SIGINT; the report, and what was shown then."""
    observer = Interrupter(word)
    async with asyncio.timeout(15):  # a grace of 20 s would be too long
        report = await start_import(
            resource, [path], world.credentials, world.choose(changes), observer=observer, with_signals=True
        )
    check_report(report)
    assert observer.sent_at
    return report, observer


async def test_a_signal_ends_a_throttled_run_at_once(world: World) -> None:
    """Nobody waits out a `Retry-After` for requests that were refused; on resume none of them is in doubt."""
    world.emulator.faults.script("createCustomer", [THROTTLED] * 12)
    path = world.ndjson(people(40))

    report, observer = await interrupted(
        world, path, "customers", "throttled", pace=Pace(unlimited=True, concurrency=8)
    )
    world.emulator.faults.clear()
    world.forget()
    resumed = await world.resume()

    assert (report.exit_code, report.counts["unprocessed"]) == (130, 40)
    assert not any("waiting for" in shown for shown in observer.shown[2:])
    assert (resumed.counts["created"], resumed.exit_code) == (40, 0)
    assert world.asked() == {"createCustomer": 40}


async def test_a_second_signal_at_the_end_costs_no_report(world: World) -> None:
    """A run that stops at once is at its end when the finger comes down again."""
    world.emulator.faults.script("createCustomer", [THROTTLED])
    observer = Twice("throttled")

    report = await start_import(
        "customers",
        [world.ndjson(people(9))],
        world.credentials,
        world.choose({"pace": ALONE}),
        observer=observer,
        with_signals=True,
    )

    check_report(report, rows=9)
    assert observer.is_sent_again
    assert (report.exit_code, report.counts["unprocessed"]) == (130, 9)


async def test_a_note_that_was_refused_is_not_unknown_after_a_signal(world: World) -> None:
    """What is sent at most once and did not leave is simply sent by the next session."""
    talk = talking(world)
    world.emulator.faults.script("addNoteToConversation", [THROTTLED] * 4)
    path = world.ndjson([a_note(number, talk) for number in range(9)])

    report, _ = await interrupted(world, path, "notes", "throttled")
    world.emulator.faults.clear()
    world.forget()
    resumed = await world.resume()

    assert report.counts["unprocessed"] == 9
    assert (resumed.counts["created"], resumed.counts["unknown"]) == (9, 0)
    assert world.asked() == {"addNoteToConversation": 9}


async def test_notes_that_did_not_leave_before_an_error_are_not_unknown(world: World) -> None:
    """The token is revoked in mid-run: what waited for its turn was not sent, and is sent later."""
    talk = talking(world)
    world.emulator.faults.script("addNoteToConversation", [status(401)])
    path = world.ndjson([a_note(number, talk) for number in range(9)])

    report = await world.run(path, resource="notes", pace=Pace(rate=2, reserve=0.0))
    world.forget()
    resumed = await world.resume(pace=Pace(unlimited=True))

    assert (report.exit_code, report.counts["unprocessed"]) == (4, 9)
    assert (resumed.counts["created"], resumed.counts["unknown"]) == (9, 0)
    assert world.asked() == {"addNoteToConversation": 9}


async def test_what_is_in_flight_when_the_signal_comes_ends_and_is_told(world: World) -> None:
    """A request that has left may be executed: its answer is waited for, and the view says for how many."""
    world.emulator.faults.script("createCustomer", [slow(0.5)])
    path = world.ndjson(people(30))

    report, observer = await interrupted(world, path, "customers", "in flight", pace=Pace(rate=3, reserve=0.0))
    resumed = await world.resume(pace=Pace(unlimited=True))

    assert "stopping: waiting for 1 request" in observer.shown
    assert report.counts["created"] >= 1
    assert (resumed.counts["created"], len(world.emulator.store.customers)) == (30, 30)
    assert "getCustomer" not in resumed.requests


def test_a_stop_says_for_how_many_requests_it_waits() -> None:
    """And nothing where nothing is in flight."""
    assert [stopping(count) for count in (0, 1, 3)] == [
        "stopping",
        "stopping: waiting for 1 request",
        "stopping: waiting for 3 requests",
    ]


@pytest.mark.parametrize("most", range(1, 12, 2))
async def test_the_limit_counts_every_request_of_a_record(most: int, world: World) -> None:
    """Look-ups and updates of customers that exist already, who are all known under another id."""
    for number in range(4):
        world.emulator.add_customer(name="Old", emails=[{"original": person(number)["email:1"]}])
    path = world.ndjson(people(4))

    report = await world.run(path, on_conflict="update", max_requests=most, pace=Pace(unlimited=True, concurrency=3))
    left = world.emulator.requests.count()
    resumed = await world.resume()

    assert (report.exit_code, left, report.requests_total) == (10, most, most)
    assert f"the limit of {most} request" in (report.reason or "")
    assert (resumed.counts["updated"] + resumed.counts["unchanged"], resumed.exit_code) == (4, 0)
    assert len(world.emulator.store.customers) == 4


async def test_a_create_whose_answer_was_lost_at_the_limit_is_asked_about(world: World) -> None:
    """It left, so it stays in doubt: the next session finds it, and makes no duplicate."""
    world.emulator.faults.script("createCustomer", [drop_reply()])

    report = await world.run(world.ndjson(people(5)), max_requests=2, pace=ALONE)
    world.forget()
    resumed = await world.resume()

    assert (report.exit_code, report.counts["unprocessed"]) == (10, 5)
    assert (resumed.counts["created"], len(world.emulator.store.customers)) == (5, 5)
    assert world.asked() == {"getCustomer": 1, "createCustomer": 4}


async def test_a_limit_that_is_just_enough_completes_the_run(world: World) -> None:
    """Ten creates and the greeting."""
    report = await world.run(world.ndjson(people(10)), max_requests=11)

    assert (report.exit_code, report.status, report.requests_total) == (0, "complete", 11)


@pytest.mark.parametrize("most", range(1, 8))
async def test_an_export_lets_out_no_more_than_its_limit(most: int, lake: Lake) -> None:
    """Lists, files and the greeting; resumed, it fetches what is missing."""
    for nights in range(6):
        lake.add_job([note_line(nights)], nights_ago=nights)
    lake.forget()

    report = await lake.export("items", limits=Limits(max_requests=most))
    left = lake.emulator.requests.count()
    (run,) = list_runs(lake.options().state_dir)
    resumed = await lake.resume(run)

    assert (report.exit_code, left) == (10, most)
    assert (resumed.exit_code, len(lake.ids())) == (0, 6)


class Signalled(Observer):
    """Sends SIGINT to this very process when a request for a file is in flight."""

    interval_s = 0.01

    def __init__(self, emulator: Emulator) -> None:
        self._emulator, self.is_sent = emulator, False

    def tick(self, view: Any) -> None:
        if not self.is_sent and view.requests and self._emulator.faults.fired:
            self.is_sent = True
            os.kill(os.getpid(), signal.SIGINT)


async def exported(lake: Lake, options: ExportOptions) -> Any:
    observer = Signalled(lake.emulator)
    async with asyncio.timeout(15):
        report = await start_export(options, lake.credentials, observer=observer, with_signals=True)
    lake.check(report)
    assert observer.is_sent
    return report


async def test_a_download_in_flight_ends_and_is_published(lake: Lake) -> None:
    """A signal withdraws the others, which have not begun."""
    for nights in range(6):
        lake.add_job([note_line(nights)], nights_ago=nights)
    lake.emulator.faults.script("getFile", [slow(0.5)])

    report = await exported(lake, lake.options("items", pace=Pace(rate=2, reserve=0.0)))

    assert report.exit_code == 130
    assert 1 <= len(lake.ids()) < 6


async def test_an_export_that_is_throttled_ends_at_once(lake: Lake) -> None:
    """No file was begun, none is published, and the next run has them all."""
    for nights in range(6):
        lake.add_job([note_line(nights)], nights_ago=nights)
    lake.emulator.faults.script("getFile", [THROTTLED] * 6)

    report = await exported(lake, lake.options("items"))
    lake.emulator.faults.clear()
    (run,) = list_runs(lake.options().state_dir)
    resumed = await lake.resume(run)

    assert (report.exit_code, resumed.exit_code, len(lake.ids())) == (130, 0, 6)


async def test_sigint_ends_a_throttled_process(world: World) -> None:
    """The whole command, in a process of its own: no 20 s of grace for what is not in flight."""
    world.emulator.faults.script("createCustomer", [THROTTLED] * 8)
    program = Program(world.emulator, world.folder)
    path = world.ndjson(people(30))
    process = await program.start("import", "customers", str(path), "--key", "crm")
    async with asyncio.timeout(30):
        while world.emulator.faults.fired < 8:  # noqa: ASYNC110  # the emulator has no event for it
            await asyncio.sleep(0.01)

    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, output, _ = await program.end(process)
    took_s = time.monotonic() - begun

    assert (code, orjson.loads(output)["counts"]["unprocessed"]) == (130, 30)
    assert took_s < 10, "half of the grace that it took before"
