"""Steering a run from another terminal: paused, continued, slowed down, stopped, and paced by the time of day."""

import asyncio
import datetime as dt
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import orjson
import pytest

from bulkgladly import Limits, Pace, Report
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.errors import RunSilent, UsageError
from bulkgladly.imports.run_import import start_import as import_files
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.runs import all_folders
from bulkgladly.journal.steering_files import Obeyed, Orders, orders_in, steered_events, write_steering
from bulkgladly.runs.beginning import NewRun
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.options import stored
from bulkgladly.runs.session import Session, Terms
from bulkgladly.runs.steer_run import obeyed_now, steer_run
from tests.flows.conftest import TOKEN, World, people
from tests.flows.exporting import Lake
from tests.flows.programs import Told as Said
from tests.flows.programs import heard, program_in
from tests.flows.quickly import start_export, start_import
from tests.flows.test_new_verb import TopicOptions, TopicWork

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
SLOW = Pace(rate=2)


class Told(Observer):
    """Keeps the notes."""

    interval_s = 0.05

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


async def until(is_so: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it."""
    with anyio.fail_after(LIMIT_S):
        while not (found := is_so()):  # noqa: ASYNC110 - what another process does has no event
            await anyio.sleep(0.01)
    return found


def the_run(state: Path) -> RunFolder | None:
    """The one run that a process works on."""
    return next((run for run in all_folders(state) if (run.path / "run.json").exists() and obeyed_now(run)), None)


async def order(run: RunFolder, **changes: Any) -> Obeyed:
    """Give an order as the commands do."""
    return await anyio.to_thread.run_sync(lambda: steer_run(run, lambda orders: replace(orders, **changes)))


async def nothing_in_flight(run: RunFolder) -> None:
    """Ask a paused run until all of its requests have ended."""
    with anyio.fail_after(LIMIT_S):
        while (await order(run, is_paused=True)).in_flight:
            pass


@asynccontextmanager
async def working(
    world: World, start: Awaitable[Any], ended: list[Any], state: Path | None = None
) -> AsyncIterator[RunFolder]:
    """Run beside the test; its report is in `ended` afterwards."""

    async def work() -> None:
        ended.append(await start)

    async with anyio.create_task_group() as beside:
        beside.start_soon(work)
        yield await until(lambda: the_run(state or world.state))


def importing(world: World, observer: Observer, count: int = 400, **changes: Any) -> Awaitable[Report]:
    """An import at two requests a second, or at another pace."""
    path = world.csv(people(count))
    options = world.choose({"pace": SLOW, **changes})
    return start_import("customers", [path], world.credentials, options, observer=observer)


async def test_a_run_is_paused_continued_slowed_down_and_stopped(world: World) -> None:
    """Each order is seen at once, told, and in the journal; a resume does the rest."""
    told, ended = Told(), list[Report]()
    async with working(world, importing(world, told), ended) as run:
        await until(lambda: world.asked().get("createCustomer"))
        paused = await order(run, is_paused=True)
        assert (paused.is_paused, paused.why, paused.things) == (True, "paused by runs pause", "rows")
        await nothing_in_flight(run)
        sent = world.asked()
        await order(run, rate=500.0)  # the pace of a run that is paused may be changed as well
        assert world.asked() == sent
        fast = await order(run, is_paused=False)
        assert (fast.rate, fast.per_second) == (500.0, 9.0), "never above the limit, less the reserve"
        assert (await order(run, rate=None)).per_second == 2.0
        await order(run, is_stopped=True)

    [report] = ended
    assert (report.status, report.exit_code, report.reason) == ("stopped", 10, "runs stop")
    assert [event["what"] for event in steered_events(run.path)] == ["paused", "rate", "continued", "rate", "stopped"]
    assert [event["value"] for event in steered_events(run.path)] == [None, 500.0, None, None, None]
    assert report.waits_s["paused by runs pause"] > 0
    assert [note.partition(":")[0] for note in told.notes if "runs pause" in note] == ["paused by runs pause"]
    assert any(note.startswith("continued by `runs continue`") for note in told.notes)


async def test_a_paused_run_obeys_its_time_limit_and_its_signals(world: World) -> None:
    """A pause must not keep a run alive beyond the end of a night."""
    told, ended = Told(), list[Report]()
    async with working(world, importing(world, told, max_duration_s=1.5), ended) as run:
        await order(run, is_paused=True)

    assert (ended[0].exit_code, ended[0].reason) == (10, "the time limit of 1.5 s was reached")


async def test_an_unlimited_pace_is_steered_as_well(world: World) -> None:
    """Although its requests wait for nothing else."""
    told, ended = Told(), list[Report]()
    async with working(world, importing(world, told, count=1500, pace=Pace(unlimited=True)), ended) as run:
        assert (await order(run, is_paused=True)).why
        await nothing_in_flight(run)
        sent = world.emulator.requests.total
        assert (await order(run, rate=3.0)).per_second == 3.0
        assert world.emulator.requests.total == sent
        assert (await order(run, rate=None, is_paused=False)).per_second is None

    assert ended[0].counts["created"] == 1500


async def test_a_rate_outlives_a_session_and_a_pause_does_not(world: World) -> None:
    """A slower rate outlives a stop, and a pause does not; another pace goes before both."""
    ended = list[Report]()
    async with working(world, importing(world, Told()), ended) as run:
        await order(run, rate=4.0, is_paused=True)
        await order(run, is_stopped=True)

    resumed = world.resume(run, limits=replace(world.options.limits, max_requests=2))
    async with working(world, resumed, ended):
        found = await until(lambda: obeyed_now(run))
        assert (found.rate, found.is_paused, found.is_stopped) == (4.0, False, False)
    assert ended[-1].exit_code == 10

    await world.resume(run, pace=Pace(unlimited=True))
    assert orders_in(run.path) is not None, "what was ordered is left as it is"
    assert steered_events(run.path)[-1]["what"] == "stopped"


async def test_orders_that_make_no_sense_change_nothing(world: World) -> None:
    """Garbage, an order for another session, an old order: told once where a person may have meant it."""
    told, ended = Told(), list[Report]()
    async with working(world, importing(world, told), ended) as run:
        write_steering(run.path, Orders("another session", 99, is_paused=True, is_stopped=True))
        (run.path / "steering.json").write_bytes(b"garbage")
        await until(lambda: any("ignored" in note for note in told.notes))
        now = obeyed_now(run)
        assert now is not None
        assert (now.number, now.is_paused) == (0, False)
        assert (await order(run, rate=3.0)).per_second == 3.0, "garbage is replaced"
        await order(run, is_stopped=True)

    assert sum("ignored" in note for note in told.notes) == 1


async def test_several_commands_at_once_lose_no_order(world: World) -> None:
    """Each changes its own part of what is wanted."""
    ended = list[Report]()
    async with working(world, importing(world, Told()), ended) as run:
        async with anyio.create_task_group() as at_once:
            for changes in ({"rate": 1.5}, {"is_paused": True}, {"rate": 1.5}, {"is_paused": True}):
                at_once.start_soon(lambda given=changes: order(run, **given))  # type: ignore[misc]
        found = obeyed_now(run)
        assert found is not None
        assert (found.rate, found.is_paused, found.number) == (1.5, True, 4)
        await order(run, is_stopped=True)


async def test_a_run_that_does_not_work_takes_no_orders(world: World) -> None:
    """It is told what to do instead."""
    await world.run(world.csv(people(2)))
    with pytest.raises(UsageError, match="is complete, so there is nothing to steer"):
        await order(world.last_run(), is_paused=True)

    await world.run(world.csv(people(4), "others.csv"), max_rows=1)
    with pytest.raises(UsageError, match=r"is not running \(status: stopped\); continue it with `bulkgladly resume"):
        await order(world.last_run(), is_paused=True)


async def test_a_run_that_is_held_by_something_else_is_silent(world: World) -> None:
    """Such as one that an older version works on, which looks for no orders."""
    await world.run(world.csv(people(4)), max_rows=1)
    run = world.last_run()
    (run.path / "steering-seen.json").unlink()
    with run.lock(), pytest.raises(RunSilent, match="takes no orders yet"):
        steer_run(run, lambda orders: orders, patience_s=0.1)


async def test_a_run_that_writes_its_results_says_so(world: World) -> None:
    """It obeys nothing any more, which is no reason to wait, or to suspect that it is suspended."""
    await world.run(world.csv(people(4)), max_rows=1)
    run = world.last_run()
    seen = orjson.loads((run.path / "steering-seen.json").read_bytes())
    assert seen["pid"] == -os.getpid()
    with run.lock(), pytest.raises(UsageError, match="has sent its last request and writes its results"):
        steer_run(run, lambda orders: orders, patience_s=0.1)


class SlowBegin(TopicWork):
    """Takes until it is told to get ready, as a large input does."""

    is_ready: anyio.Event

    async def begin(self) -> None:
        await self.is_ready.wait()


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_an_order_is_obeyed_while_a_run_gets_ready(is_stopped: bool, world: World) -> None:
    """A large input is looked through before anything is sent; not even one request leaves after the order."""
    options = TopicOptions(names=("one", "two"), pace=world.options.pace, state_dir=world.state)
    ready, ended = anyio.Event(), list[Any]()

    async def topics() -> Any:
        with NewRun(world.state, "topics", "create") as new:
            await new.begin(world.credentials.host, stored(options))
            session = Session(new.folder, options, Terms(world.credentials, environment=world.environment))
            work = SlowBegin(session, options)
            work.is_ready = ready
            return await session.drive(work)

    async with working(world, topics(), ended) as run:
        seen = await order(run, is_paused=True, is_stopped=is_stopped)
        assert (seen.is_paused, seen.done, seen.total) == (True, 0, 0)
        ready.set()
        if not is_stopped:
            await nothing_in_flight(run)
            assert world.asked() == {}
            assert (await order(run, is_paused=False)).waiting == ""

    [report] = ended
    assert report.counts["created"] == (0 if is_stopped else 2)
    assert report.exit_code == (10 if is_stopped else 0)


async def test_a_run_that_is_continued_into_a_wait_says_what_it_waits_for(world: World) -> None:
    """`continue` is no promise that something leaves: after a 429, or while the host is down, it does not."""
    ended = list[Report]()
    async with working(world, importing(world, Told()), ended) as run:
        await until(lambda: world.asked().get("createCustomer"))
        world.emulator.faults.script(
            "createCustomer", [Fault(status=429, executes=False, headers={"Retry-After": "60"})]
        )
        await until(lambda: world.emulator.requests.by_status.get(429))
        await nothing_in_flight(run)
        continued = await order(run, is_paused=False)
        assert (continued.waiting.partition(",")[0], continued.why) == ("throttled (429)", "")
        await order(run, is_stopped=True)
    assert ended[0].exit_code == 10


async def test_an_export_is_steered_as_well(lake: Lake) -> None:
    """Every kind of run is, because the engine of all runs does it."""
    lake.emulator.store.customers.clear()
    options = lake.options(words=("agents-list", "topics-list", "inboxes", "teams"), pace=Pace(rate=0.5))
    ended = list[Any]()

    async def work() -> None:
        ended.append(await start_export(options, lake.credentials))

    async with anyio.create_task_group() as beside:
        beside.start_soon(work)
        run = await until(lambda: the_run(options.state_dir))
        paused = await order(run, is_paused=True)
        assert (paused.is_paused, paused.things) == (True, "units")
        assert (await order(run, is_paused=False, rate=9.0)).per_second == 9.0
        await order(run, is_stopped=True)
    assert (ended[0].exit_code, ended[0].reason) == (10, "runs stop")


async def test_the_hours_of_a_schedule_are_those_of_the_organisation(world: World) -> None:
    """A run that may send nothing now waits, and says until when; what is still to come is in the estimate."""
    world.emulator.store.organization["timezone"] = "Asia/Tokyo"
    now = dt.datetime.now(dt.UTC).astimezone(dt.timezone(dt.timedelta(hours=9)))
    later = now + dt.timedelta(hours=2)
    before = now - dt.timedelta(hours=2)
    text = f"{before:%a %H:%M} 0; " if before.date() != later.date() else ""
    text += f"{later:%a %H:%M} 9" if text else f"{before:%a %H:%M} 0, {later:%H:%M} 9"
    told, ended = Told(), list[Report]()
    pace = Pace(rate=5, schedule=text)
    async with working(world, importing(world, told, pace=pace, max_duration_s=5), ended) as run:
        found = await until(lambda: (seen := obeyed_now(run)) and seen.why and seen)
        assert found.why == f"nothing may leave until {later:%a %H:%M} (--rate-schedule)"
        assert any(note == f"--rate-schedule (Asia/Tokyo): no requests until {later:%a %H:%M}" for note in told.notes)
        assert world.asked() == {}
        assert (await order(run, rate=4.0)).per_second == 4.0, "a person goes before the schedule"
        await until(lambda: world.asked().get("createCustomer"))
        assert (await order(run, rate=None)).why
        await order(run, is_stopped=True)

    assert ended[0].exit_code == 10


async def test_the_hours_of_a_schedule_follow_a_clock_that_jumps(world: World) -> None:
    """By an hour forward and back, as a wrong clock is set: what holds is what the clock shows now."""
    now = [dt.datetime(2026, 11, 27, 11, 59, tzinfo=dt.UTC)]
    options = world.choose({"pace": Pace(rate=9, schedule="00:00 0, 12:00 usual", zone="UTC")})
    environment = replace(world.environment, wall=lambda: now[0])
    ended = list[Report]()
    path = world.csv(people(400))
    start = import_files("customers", [path], world.credentials, options, environment=environment)
    async with working(world, start, ended) as run:
        assert (await until(lambda: obeyed_now(run))).why == "nothing may leave until Fri 12:00 (--rate-schedule)"
        now[0] += dt.timedelta(hours=1)
        await until(lambda: world.asked().get("createCustomer"))
        now[0] -= dt.timedelta(hours=1)
        await until(lambda: (seen := obeyed_now(run)) and seen.why)
        continued = await order(run, is_paused=False)
        assert continued.why == "nothing may leave until Fri 12:00 (--rate-schedule)"
        await order(run, is_stopped=True)

    assert [(one["what"], one["value"]) for one in steered_events(run.path)] == [
        ("schedule", 9.0),
        ("schedule", 0.0),
        ("stopped", None),
    ]


async def test_what_holds_while_a_run_is_paused_is_told_as_the_schedule_has_it(world: World) -> None:
    """A change in a pause says what holds once the run is continued, whether that is something or nothing."""
    now = [dt.datetime(2026, 11, 27, 11, 59, tzinfo=dt.UTC)]
    options = world.choose({"pace": Pace(rate=9, schedule="00:00 5, 12:00 3, 13:00 0", zone="UTC")})
    environment = replace(world.environment, wall=lambda: now[0])
    told, ended = Told(), list[Report]()
    start = import_files(
        "customers",
        [world.csv(people(400))],
        world.credentials,
        options,
        environment=environment,
        observer=told,
    )
    async with working(world, start, ended) as run:
        await order(run, is_paused=True)
        now[0] += dt.timedelta(minutes=10)
        await until(lambda: any("at most 3" in note or "now 3 requests/s" in note for note in told.notes))
        now[0] += dt.timedelta(hours=1)
        await until(lambda: any("now no requests" in note for note in told.notes))
        await order(run, is_stopped=True)

    schedule = [one["value"] for one in steered_events(run.path) if one["what"] == "schedule"]
    assert schedule == [3.0, 0.0]


async def test_a_run_that_cannot_be_done_in_time_is_not_begun(world: World) -> None:
    """It leaves nothing behind, so that it can be started with another time at once."""
    now = dt.datetime.now(dt.UTC)
    with pytest.raises(UsageError, match=r"this cannot be done by .* --limit \d+ "):
        await importing(world, Told(), count=2000, pace=Pace(), finish_by=now + dt.timedelta(seconds=60))
    assert all_folders(world.state) == []
    assert world.emulator.requests.total == 0

    ended = list[Report]()
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2.5)
    told = Told()
    async with working(world, importing(world, told, count=10, finish_by=soon, pace=Pace()), ended) as run:
        await order(run, is_paused=True)
    assert ended[0].exit_code == 10
    assert ended[0].reason is not None
    assert ended[0].reason.startswith("the time of --finish-by, ")
    assert any("may not be done by" in note for note in told.notes)


@pytest.mark.parametrize("is_killed", [False, True])
async def test_the_first_records_are_sent_for_a_look(is_killed: bool, world: World) -> None:
    """Exactly so many, then the run stops; the resume sends the others, each once."""
    await world.run(world.csv(people(3), "before.csv"))
    world.forget()
    path = world.csv([*people(3), *people(12)[3:]])
    told = Told()

    report = await start_import(
        "customers", [path], world.credentials, world.choose({"canary": 5}), observer=told, new_run=is_killed
    )

    assert (report.exit_code, report.counts["created"], report.counts["unchanged"]) == (10, 5, 3)
    assert world.asked() == {"createCustomer": 5}
    assert report.reason == "5 records were sent for you to check in Gladly; `resume` sends the others"
    assert "stops after 5 records, for you to check in Gladly" in told.notes
    [look] = [note for note in told.notes if note.startswith("look at these")]
    assert "customers.csv:5 created " in look
    commands = [note.partition("`")[2].removesuffix("`") for note in told.notes if note.startswith("to ")]
    where = f"{report.run}{{}} --state-dir {world.state}"
    assert commands == [
        f"bulkgladly explain {where.format(' 5')}",
        f"bulkgladly verify {where.format('')}",
        f"bulkgladly undo {where.format('')}",
    ]
    rest = await world.resume()
    assert (rest.exit_code, rest.counts["created"]) == (0, 9)
    assert world.asked() == {"createCustomer": 9}


@pytest.mark.parametrize("is_given_again", [False, True])
async def test_a_look_that_a_stop_has_prevented_is_still_to_come(is_given_again: bool, world: World) -> None:
    """Nobody has agreed to the other records: a resume sends only so many, and stops; the next sends the rest."""
    first = await world.run(
        world.ndjson(people(12)), canary=4, max_requests=3, pace=Pace(unlimited=True, concurrency=1)
    )
    if is_given_again:
        first = await world.resume(limits=Limits(canary=6, max_requests=3), pace=Pace(unlimited=True, concurrency=1))
    begun = world.asked()["createCustomer"]

    look = await world.resume()
    rest = await world.resume()

    assert (first.exit_code, first.reason) == (10, "the limit of 3 requests was reached")
    assert begun < 6
    more = 6 if is_given_again else 4
    assert (look.exit_code, look.counts["created"]) == (10, begun + more)
    assert look.reason == f"{more} records were sent for you to check in Gladly; `resume` sends the others"
    assert (rest.exit_code, rest.counts["created"]) == (0, 12)


async def test_a_canary_is_not_refused_because_all_rows_would_take_too_long(world: World) -> None:
    """It sends its few records in time, whatever the rest would take."""
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)

    report = await importing(world, Told(), pace=SLOW, canary=2, finish_by=soon)

    assert (report.exit_code, report.counts["created"]) == (10, 2)


async def test_fewer_records_than_the_canary_end_as_usual(world: World) -> None:
    """There is nothing left to wait for, whatever became of them."""
    report = await world.run(world.csv([*people(2), {**people(3)[2], "email:1": "nobody"}]), canary=3)

    assert (report.exit_code, report.counts["created"], report.counts["rejected"]) == (1, 2, 1)


# --- as people do it: a run in a process of its own, and commands ---


async def begun(world: World, *words: str) -> asyncio.subprocess.Process:
    """Start a command in another process."""
    names = {name: value for name, value in os.environ.items() if not name.startswith(("GLADLY_", "BULKGLADLY_"))}
    own = {"GLADLY_HOST": world.emulator.url, "GLADLY_USERNAME": world.emulator.options.username}
    more = {"GLADLY_API_TOKEN": TOKEN, "XDG_CACHE_HOME": str(world.folder / "cache"), "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bulkgladly", *words, "--state-dir", "state"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**names, **own, **more},
        cwd=world.folder,
    )


async def test_the_commands_steer_a_run_in_another_process(
    make_world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pause, continue, rate and stop; its list says what it does; a killed run takes no orders."""
    world = await make_world(rate=10)
    world.csv(people(3000))
    program = heard(program_in(world.folder, monkeypatch), capsys)

    async def runs(*words: str) -> Said:
        return await anyio.to_thread.run_sync(lambda: program("runs", *words, "--state-dir", "state"))

    process = await begun(world, "import", "customers", "customers.csv", "--key", "crm")
    run = await until(lambda: the_run(world.state))
    await until(lambda: world.asked().get("createCustomer"))

    paused = await runs("pause", "customers")
    assert paused.out.startswith(f"run {run.name} is paused: "), paused
    assert f"`bulkgladly runs continue {run.name} --state-dir state`" in paused.out
    await nothing_in_flight(run)
    sent = world.asked()
    [row] = orjson.loads((await runs("list", "--json")).out)
    assert (row["status"], row["steering"]["why"]) == ("paused", "paused by runs pause")
    assert f"next: bulkgladly runs continue {run.name}" in (await runs("show")).out
    assert world.asked() == sent
    assert (await runs("continue", "customers")).out.startswith(f"run {run.name} is running: ")
    await until(lambda: world.asked() != sent)
    assert "at most 3 requests/s (set by `runs rate`)" in (await runs("rate", "customers", "3")).out
    assert "at most 3 requests/s" in (await runs("show")).out
    assert orjson.loads((await runs("rate", "customers", "usual", "--json")).out)["rate"] is None
    for word in ("0", "unlimited", "-1", "nan", "0.001", "much"):
        assert (await runs("rate", "customers", word)).code == 2
    assert f"run {run.name} is stopping: " in (await runs("stop", "customers")).out
    _, err = await process.communicate()
    assert process.returncode == 10, err
    told = await runs("pause", "customers")
    assert (told.code, "is not running (status: stopped)" in told.err) == (2, True)

    process = await begun(world, "resume")
    await until(lambda: obeyed_now(run))
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert (await runs("continue", "customers")).code == 2
