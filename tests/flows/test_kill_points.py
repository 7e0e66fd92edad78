"""Wherever a process dies, the next one ends with every customer once, and with the right words."""

import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Limits, Pace, Report
from bulkgladly.api.client import Client
from bulkgladly.emulator import drop_reply, status
from bulkgladly.journal.entries import Intent, Reservation
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.run_writes import RunWrites
from bulkgladly.journal.runs import list_runs
from bulkgladly.messages import NotedWrite, Reply, Request
from bulkgladly.plans.apply_plan import resume_apply
from bulkgladly.records import Known, Mode
from tests.flows.conftest import World, check_report, people, person
from tests.flows.planning import apply, plan
from tests.flows.test_baseline import a_known_organisation

ROWS = 40


class Crash(Exception):
    """The end of the process; what it did afterwards does not count."""


POINTS = (
    "before intent",
    "after intent, before send",
    "after commit on the server, before the reply",
    "before settle",
    "before commit",
)
UNWRITTEN = 5
"""So many ends of records are told to the journal before it dies without writing them."""


class Plug:
    """Ends a session at one moment, and keeps the state directory as it was then."""

    def __init__(self, world: World, name: str = "after") -> None:
        self._world, self._usual = world, world.environment
        self.after = world.folder / name
        self._point = ""
        self._left, self._unwritten = 0, UNWRITTEN
        self._is_pulled = False

    def at(self, point: str, number: int) -> None:
        """Pull it when the point is passed for the n-th time."""
        assert point in POINTS
        self._point, self._left = point, number
        client, ledger = partial(DyingClient, self), partial(DyingLedger, self)
        self._world.environment = replace(self._usual, client=client, ledger=ledger)

    def out(self) -> None:
        """The next process has no plug."""
        self._world.environment = self._usual

    def passed(self, point: str) -> None:
        """Count, and crash when it is time; what comes after the crash is no part of the copy."""
        if point == self._point:
            self._left -= 1
            if self._left <= 0:
                self._pull()

    def keeps_back(self) -> bool:
        """Tell whether the end of a record does not reach the disk any more; crash after some of them."""
        if self._point != "before commit":
            return False
        if self._left > 1:
            self._left -= 1
            return False
        self._unwritten -= 1
        if self._unwritten <= 0:
            self._pull()
        return True

    def check(self) -> None:
        """A dead process sends nothing more, whatever its other tasks were about to do."""
        if self._is_pulled:
            raise Crash

    def _pull(self) -> None:
        if not self._is_pulled:
            self._is_pulled = True
            # Without the shared memory of SQLite, which does not outlive its last process.
            shutil.copytree(self._world.state, self.after, ignore=shutil.ignore_patterns("*-shm"))
        raise Crash


class DyingClient(Client):
    """Tells a plug before and after each request that changes something."""

    def __init__(self, plug: Plug, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._plug = plug

    async def send(self, request: Request) -> Reply:
        self._plug.check()
        if request.method != "GET":
            self._plug.passed("after intent, before send")
        reply = await super().send(request)
        if request.method != "GET":
            self._plug.passed("after commit on the server, before the reply")
        return reply


class DyingLedger(Ledger):
    """Tells a plug what a record comes to."""

    def __init__(self, plug: Plug, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._plug = plug

    async def intend(self, intents: Sequence[Intent], writes: Sequence[NotedWrite] = ()) -> None:
        self._plug.passed("before intent")
        await super().intend(intents, writes)

    async def reserve(
        self, intent: Intent, reservation: Reservation, writes: Sequence[NotedWrite] = ()
    ) -> Known | None:
        self._plug.passed("before intent")
        return await super().reserve(intent, reservation, writes)

    def settle(self, *args: Any, **more: Any) -> None:
        if not self._plug.keeps_back():
            self._plug.passed("before settle")
            super().settle(*args, **more)


@pytest.fixture
async def plug(world: World) -> AsyncIterator[Plug]:
    plug = Plug(world)
    yield plug
    plug.out()


def addresses(world: World) -> Counter[str]:
    return Counter(
        entry["normalized"] for profile in world.emulator.store.customers.values() for entry in profile["emails"]
    )


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("number", [1, 7, 30])
@pytest.mark.parametrize("point", POINTS)
async def test_every_customer_once_wherever_it_dies(
    point: str,
    number: int,
    concurrency: int,
    world: World,
    plug: Plug,
) -> None:
    """All new, so all end as created: what was in doubt is asked about and is ours."""
    path = world.ndjson(people(ROWS))
    plug.at(point, number if point != "before intent" else 1)
    with pytest.raises(Crash):
        await world.run(path, pace=Pace(unlimited=True, concurrency=concurrency))
    plug.out()
    made_before = set(world.emulator.store.customers)

    report = await world.resume(state=plug.after)

    assert addresses(world) == dict.fromkeys((f"person.{number}@example.org" for number in range(ROWS)), 1)
    assert report.counts["created"] == report.counts["read"] == ROWS
    assert (report.status, report.exit_code) == ("complete", 0)
    assert made_before <= set(world.emulator.store.customers)
    with RunWrites(Path(report.folder)) as writes:
        assert [change.action for change in writes.newest_first()] == ["create"] * ROWS
        assert not list(writes.in_doubt())
    keys = Counter(line["key"] for line in world.result(report, "success"))
    assert keys == dict.fromkeys((f"c-{number}" for number in range(ROWS)), 1)


@pytest.mark.parametrize("point", POINTS)
async def test_a_mixed_input_is_accounted_for_wherever_it_dies(point: str, world: World, plug: Plug) -> None:
    """New, changed, equal, rejected and conflicting rows, and replies that get lost."""
    await world.rows(people(10))
    world.emulator.add_customer(id="theirs", emails=[{"original": "theirs@example.org"}])
    rows = [
        person(number, name=f"Changed {number}" if number % 2 else f"Sample Person {number}") for number in range(10)
    ]
    rows += people(ROWS)[10:]
    rows[::8] = [{**row, "email:1": "nobody"} for row in rows[::8]]
    rows[12] = {**rows[12], "email:1": "theirs@example.org"}
    world.emulator.faults.every("createCustomer", 5, drop_reply())
    plug.at(point, 3 if point != "before intent" else 1)
    with pytest.raises(Crash):
        await world.run(
            world.ndjson(rows, "mixed.ndjson"), pace=Pace(unlimited=True, concurrency=4), on_conflict="merge"
        )
    plug.out()

    report = await world.resume(state=plug.after)

    assert report.counts["read"] == ROWS
    assert report.counts["rejected"] == 5
    assert report.counts["unprocessed"] == 0
    assert max(addresses(world).values()) == 1
    names = world.names()
    assert all(names[f"person.{number}@example.org"] == f"Changed {number}" for number in (1, 3, 5, 7, 9))
    done = {line["position"]["record"] for line in world.result(report, "success")}
    not_done = {line["_bulkgladly"]["position"]["record"] for line in world.result(report, "rejected")}
    assert done | not_done == set(range(1, ROWS + 1))


@pytest.mark.parametrize("kills", [2, 5])
async def test_dying_again_and_again_ends_all_the_same(kills: int, world: World) -> None:
    """A resume may die like the run it goes on with."""
    path = world.ndjson(people(ROWS))
    world.emulator.faults.every("createCustomer", 4, drop_reply())
    state = world.state
    for kill in range(kills):
        plug = Plug(world, f"after-{kill}")
        point = list(POINTS)[kill % len(POINTS)]
        plug.at(point, 1 if point == "before intent" else 4)
        try:
            await (world.resume(state=state) if kill else world.run(path, pace=Pace(unlimited=True, concurrency=4)))
        except Crash:
            state = plug.after
        else:
            # So much was on its way before that little was left to die of.
            assert kill > 1
        plug.out()
        world.options = world.choose({"state_dir": state})

    report = await world.resume(state=state)

    assert addresses(world) == dict.fromkeys((f"person.{number}@example.org" for number in range(ROWS)), 1)
    assert report.counts["created"] == ROWS


async def test_what_nobody_can_answer_is_unknown(world: World, plug: Plug) -> None:
    """The question after a crash fails for good: told as unknown, and settled by a retry."""
    plug.at("after commit on the server, before the reply", 1)
    with pytest.raises(Crash):
        await world.run(world.ndjson([person(0)]), pace=Pace(unlimited=True, concurrency=1))
    plug.out()
    world.emulator.faults.script("getCustomer", [status(400)])

    report = await world.resume(state=plug.after)
    world.options = world.choose({"state_dir": plug.after})
    again = await world.retry(world.last_run())

    assert (report.counts["unknown"], report.exit_code) == (1, 1)
    assert again.counts["unchanged"] == 1
    assert len(world.emulator.store.customers) == 1


async def test_a_stopped_resume_does_not_forget_the_doubt(world: World, plug: Plug) -> None:
    """What the first process may have sent is still asked about by the third."""
    plug.at("after commit on the server, before the reply", 6)
    with pytest.raises(Crash):
        await world.run(world.ndjson(people(ROWS)), pace=Pace(unlimited=True, concurrency=6))
    plug.out()

    alone = Pace(unlimited=True, concurrency=1)

    stopped = await world.resume(state=plug.after, limits=Limits(max_requests=2), pace=alone)
    report = await world.resume(state=plug.after)

    assert stopped.exit_code == 10
    assert report.counts["created"] == ROWS


async def test_what_was_there_before_is_not_told_as_made(world: World, plug: Plug) -> None:
    """A create that was refused leaves no intent: after a crash its customer is not taken for ours, but updated."""
    await world.rows([person(0)])
    world.options = world.choose({"state_dir": world.folder / "forgotten"})
    plug.at("before settle", 1)
    with pytest.raises(Crash):
        await world.run(world.ndjson([person(0, name="Changed")]), pace=Pace(unlimited=True, concurrency=1))
    plug.out()

    report = await world.resume(state=plug.after)

    assert world.names() == {"person.0@example.org": "Changed"}
    assert (report.counts["created"], report.counts["updated"]) == (0, 1)
    assert first_names(world, report) == {0: ["Sample Person 0"]}


def first_names(world: World, report: Report) -> dict[int, list[str]]:
    """What was read before the changes of each row that was changed, the first change first."""
    with RunWrites(Path(report.folder)) as writes:
        found: dict[int, list[str]] = {}
        for change in writes.newest_first():
            assert change.before is not None
            found.setdefault(change.seq, []).insert(0, change.before["name"])
    return found


@pytest.mark.parametrize(("number", "concurrency"), [(1, 1), (7, 6)])
@pytest.mark.parametrize("point", POINTS)
async def test_what_was_held_before_is_kept_wherever_it_dies(
    point: str, number: int, concurrency: int, world: World, plug: Plug
) -> None:
    """Each row ends as updated, once, with what Gladly held before the first process wrote."""
    await world.rows(people(ROWS))
    path = world.ndjson([person(number, name=f"Changed {number}") for number in range(ROWS)], "changed.ndjson")
    plug.at(point, number)
    with pytest.raises(Crash):
        await world.run(path, pace=Pace(unlimited=True, concurrency=concurrency), undoable=True)
    plug.out()

    report = await world.resume(state=plug.after)

    assert report.counts["updated"] == report.counts["read"] == ROWS
    assert first_names(world, report) == {number: [f"Sample Person {number}"] for number in range(ROWS)}


@pytest.mark.parametrize("point", POINTS)
async def test_a_look_that_a_kill_has_prevented_is_still_to_come(point: str, world: World, plug: Plug) -> None:
    """Nobody has agreed to the other records, so the next process stops as well."""
    plug.at(point, 3 if point != "before intent" else 1)
    with pytest.raises(Crash):
        await world.run(world.ndjson(people(ROWS)), pace=Pace(unlimited=True, concurrency=4), canary=8)
    plug.out()
    begun = len(world.emulator.store.customers)

    look = await world.resume(state=plug.after)
    rest = await world.resume(state=plug.after)

    assert "sent for you to check" in (look.reason or "")
    assert 8 <= look.counts["created"] <= begun + 8
    assert rest.counts["created"] == len(world.emulator.store.customers) == ROWS


@pytest.mark.parametrize("point", POINTS)
async def test_what_was_held_before_is_kept_beside_a_data_set(point: str, world: World, plug: Plug) -> None:
    """What a data set says of a row takes nothing away from what the journal has of it."""
    lake = await a_known_organisation(world, people(8))
    path = world.ndjson([person(number, name=f"Changed {number}") for number in range(8)], "changed.ndjson")
    plug.at(point, 3)
    with pytest.raises(Crash):
        await world.run(path, pace=Pace(unlimited=True, concurrency=4), baseline=lake, undoable=True)
    plug.out()

    report = await world.resume(state=plug.after)

    assert report.counts["updated"] == report.counts["read"] == 8
    assert first_names(world, report) == {number: [f"Sample Person {number}"] for number in range(8)}


def changed(number: int) -> dict[str, Any]:
    """Another name, and lists of which Gladly shows more than it gets."""
    more = {"email:2": f"person.{number}.b@example.org", "phone:1": "(212) 555-0123", "customAttribute:tier": "gold"}
    return person(number, name=f"Changed {number}", **more)


async def resumed_apply(world: World, plug: Plug) -> Report:
    [run] = [run for run in list_runs(plug.after) if run.header().settings.get("plan") is not None]
    report = await resume_apply(run, world.credentials, environment=world.environment)
    check_report(report)
    return report


HOURS = {"timezone": "Europe/Paris", "monday": [{"start": "09:00", "stop": "17:00"}]}


@pytest.mark.parametrize("point", POINTS[1:4])
async def test_what_an_apply_has_written_of_a_schedule_counts_as_well(point: str, world: World, plug: Plug) -> None:
    """Objects whose steps decide by reading find what was written before; it has not moved."""
    row = {"crm": "1", "name": "Paris", "officeHours": HOURS}
    await world.rows([row], resource="business-hours")
    await plan(world, [{**row, "name": "Lyon"}], live=True, resource="business-hours", mode=Mode.UPDATE)
    plug.at(point, 1)
    with pytest.raises(Crash):
        await apply(world)
    plug.out()

    report = await resumed_apply(world, plug)

    assert report.counts["updated"] == 1, report.rejects_by_code


@pytest.mark.parametrize("edits", [{"name": "Somebody Else"}, {"name": "Somebody Else", "emails": []}])
async def test_what_people_do_after_an_apply_was_killed_stays(edits: dict[str, Any], world: World, plug: Plug) -> None:
    """The record was written as planned, so it does not count as moved, and it is not written again."""
    await world.rows([person(0)])
    await plan(world, [changed(0)], live=True, phone_region="US")
    plug.at("after commit on the server, before the reply", 1)
    with pytest.raises(Crash):
        await apply(world)
    plug.out()
    [profile] = world.emulator.store.customers.values()
    profile |= edits
    world.forget()

    report = await resumed_apply(world, plug)

    assert report.counts["updated"] == 1
    assert "updateCustomer" not in world.asked()


async def test_an_apply_that_has_not_written_does_not_say_so(world: World, plug: Plug) -> None:
    """Somebody has changed one field in the same way, and the others are as before."""
    await world.rows([person(0)])
    await plan(world, [changed(0)], live=True, phone_region="US")
    plug.at("after intent, before send", 1)
    with pytest.raises(Crash):
        await apply(world)
    plug.out()
    [profile] = world.emulator.store.customers.values()
    profile["name"] = "Changed 0"

    report = await resumed_apply(world, plug)

    assert (report.counts["rejected"], report.rejects_by_code) == (1, {"moved": 1})


@pytest.mark.parametrize("mode", [Mode.UPDATE, Mode.DELETE])
@pytest.mark.parametrize("point", POINTS)
async def test_what_an_apply_has_written_counts_wherever_it_dies(
    point: str, mode: Mode, world: World, plug: Plug
) -> None:
    """A record that is as the plan wants it, by the process that was killed, is not called unchanged."""
    await world.rows(people(8))
    await plan(world, [changed(number) for number in range(8)], live=True, mode=mode, phone_region="US")
    plug.at(point, 3)
    with pytest.raises(Crash):
        await apply(world, pace=lambda _: Pace(unlimited=True, concurrency=3))
    plug.out()

    report = await resumed_apply(world, plug)

    assert report.counts["updated" if mode is Mode.UPDATE else "deleted"] == report.counts["read"] == 8, report.counts
    assert first_names(world, report) == {number: [f"Sample Person {number}"] for number in range(8)}


@pytest.mark.parametrize(
    ("now", "before"),
    [("Changed 0", "Sample Person 0"), ("Sample Person 0", "Sample Person 0"), ("Somebody Else", "Somebody Else")],
)
async def test_what_people_did_meanwhile_counts(now: str, before: str, world: World, plug: Plug) -> None:
    """If the first write is not held any more, what is read then is what Gladly held before."""
    await world.rows([person(0)])
    plug.at("after commit on the server, before the reply", 1)
    with pytest.raises(Crash):
        await world.run(world.ndjson([person(0, name="Changed 0")], "changed.ndjson"), read_first=True)
    plug.out()
    [profile] = world.emulator.store.customers.values()
    profile["name"] = now

    report = await world.resume(state=plug.after)

    assert report.counts["updated"] == 1
    assert world.names() == {"person.0@example.org": "Changed 0"}
    assert first_names(world, report) == {0: [before]}


async def test_a_half_kept_write_is_kept_beside_the_new_one(world: World, plug: Plug) -> None:
    """Somebody changed one of two fields back: both changes are there, each with what it found."""
    await world.rows([person(0, address="Old Road 1")])
    changed = world.ndjson([person(0, name="Changed 0", address="New Road 2")], "changed.ndjson")
    plug.at("before settle", 1)
    with pytest.raises(Crash):
        await world.run(changed, read_first=True)
    plug.out()
    [profile] = world.emulator.store.customers.values()
    profile["address"] = "Third Road 3"

    report = await world.resume(state=plug.after)

    with RunWrites(Path(report.folder)) as writes:
        first, second = writes.of(0)
    assert first.before is not None
    assert second.before is not None
    assert (first.before["address"], first.after) == ("Old Road 1", {"name": "Changed 0", "address": "New Road 2"})
    assert (second.before["address"], second.after) == ("Third Road 3", {"address": "New Road 2"})


@pytest.mark.parametrize("point", POINTS)
async def test_a_deletion_keeps_what_it_has_read_wherever_it_dies(point: str, world: World, plug: Plug) -> None:
    """A search by email leads to a look, and the customer who is gone is told as deleted."""
    for number in range(8):
        world.emulator.add_customer(
            id=f"c-{number}", name=f"Sample Person {number}", emails=[{"original": f"person.{number}@example.org"}]
        )
    plug.at(point, 3)
    with pytest.raises(Crash):
        await world.run(world.ndjson(people(8)), mode=Mode.DELETE, pace=Pace(unlimited=True, concurrency=2))
    plug.out()

    report = await world.resume(state=plug.after)

    assert not world.emulator.store.customers
    assert report.counts["deleted"] == 8
    assert first_names(world, report) == {number: [f"Sample Person {number}"] for number in range(8)}
