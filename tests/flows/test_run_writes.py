"""What a run has changed, as its journal tells: what Gladly held, what was written, and the requests of each row."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Report
from bulkgladly.emulator import drop_reply, status
from bulkgladly.journal.databases import open_durable
from bulkgladly.journal.run_writes import RunWrites, WrittenChange
from bulkgladly.journal.schema import JOURNAL, JOURNAL_VERSION
from tests.flows.conftest import World, people, person

Told = tuple[str, str, Any]


@pytest.fixture
def writes(world: World) -> Iterator[Callable[[Report], RunWrites]]:
    """Opens the writes of a run, and closes them at the end."""
    opened: list[RunWrites] = []

    def of(report: Report) -> RunWrites:
        opened.append(RunWrites(Path(report.folder)))
        return opened[-1]

    yield of
    for each in opened:
        each.close()


def told(change: WrittenChange) -> Told:
    """A change without its time and place: the operation, what becomes of the record, and the name it had."""
    return change.operation, str(change.word), change.before and change.before.get("name")


async def test_a_create_is_kept_with_all_its_fields(world: World, writes: Callable[[Report], RunWrites]) -> None:
    """Nothing was there before; the trail has the one request."""
    report = await world.rows([person(0)])

    [change] = writes(report).of(0)
    [made] = world.emulator.store.customers.values()
    [step] = writes(report).trail_of(0)
    assert (change.action, change.gladly_id, change.before, change.word) == ("create", made["id"], None, "created")
    assert change.after == {"name": "Sample Person 0", "emails": [{"original": "person.0@example.org"}]}
    assert change.key == "c-0"
    assert change.is_done
    assert step[:4] == ("createCustomer", 201, [], 1)
    assert step.meaning == "confirmed"


async def test_what_was_read_before_an_update_is_kept(world: World, writes: Callable[[Report], RunWrites]) -> None:
    """With a look, the whole profile as it was; without one, only what was written."""
    await world.rows(people(2))
    rows = [person(0, name="Read"), person(1, name="Not read")]

    seen = await world.rows(rows[:1], read_first=True)
    unseen = await world.rows(rows[1:])

    assert [told(one) for one in writes(seen).newest_first()] == [("updateCustomer", "updated", "Sample Person 0")]
    assert [told(one) for one in writes(unseen).newest_first()] == [("updateCustomer", "updated", None)]
    assert writes(seen).of(0)[0].after == {"name": "Read"}
    assert [step.operation for step in writes(seen).trail_of(0)] == ["getCustomer", "updateCustomer"]


async def test_unchanged_and_refused_rows_have_written_nothing(
    world: World, writes: Callable[[Report], RunWrites]
) -> None:
    """A row without a request has no trail; a refused one has one, with the code."""
    await world.rows(people(1))
    world.emulator.faults.script("createCustomer", [status(400)])

    report = await world.rows([person(0), person(1)])

    found = writes(report)
    assert [*found.newest_first(), *found.in_doubt()] == []
    assert found.trail_of(0) == []
    assert [step.status for step in found.trail_of(1)] == [400]


async def test_a_conflict_leaves_only_what_was_done(world: World, writes: Callable[[Report], RunWrites]) -> None:
    """The refused create is not kept; the update of the customer who holds the address is, with what was found."""
    world.emulator.add_customer(id="theirs", name="Old", emails=[{"original": "person.0@example.org"}])

    report = await world.rows([person(0)], on_conflict="update")

    [change] = writes(report).newest_first()
    assert (told(change), change.gladly_id) == (("updateCustomer", "updated", "Old"), "theirs")


async def test_a_merged_customer_is_written_once(world: World, writes: Callable[[Report], RunWrites]) -> None:
    """What was sent to the id of a customer who is gone did nothing; the survivor was read before."""
    await world.rows([person(0)])
    [old] = world.emulator.store.customers
    world.emulator.add_customer(id="survivor", name="Survivor")
    world.emulator.store.merge(old, "survivor")

    report = await world.rows([person(0, name="Changed")])

    [change] = writes(report).newest_first()
    assert (told(change), change.gladly_id) == (("updateCustomer", "updated", "Survivor"), "survivor")


async def test_a_lost_create_that_is_found_is_kept_once(world: World, writes: Callable[[Report], RunWrites]) -> None:
    """The repeat was refused because the first one was done."""
    world.emulator.faults.script("createCustomer", [drop_reply()])

    report = await world.rows([person(0)])

    assert [told(one) for one in writes(report).newest_first()] == [("createCustomer", "created", None)]


async def test_the_last_rows_come_first(world: World, writes: Callable[[Report], RunWrites]) -> None:
    """So that what was done last is taken back first."""
    report = await world.rows(people(5))

    assert [change.seq for change in writes(report).newest_first()] == [4, 3, 2, 1, 0]


def test_a_run_of_an_older_version_has_kept_nothing(tmp_path: Path) -> None:
    """Its journal can be read all the same."""
    journal = tmp_path / "journal.sqlite"
    older = ";\n".join(one for one in JOURNAL.split(";\n") if "writes" not in one and "trails" not in one)
    open_durable(journal, older, JOURNAL_VERSION).close()

    with closing(RunWrites(tmp_path)) as found:
        assert not found.is_kept
        assert ([*found.newest_first()], found.of(0), found.trail_of(0)) == ([], [], [])


def test_what_was_read_takes_little_more_room_than_it_has(tmp_path: Path) -> None:
    """A profile with many attributes is kept in its own length, and does not take a page of the database for itself."""
    profile = "x" * 1500
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as journal, journal:
        journal.executescript(JOURNAL)
        rows = [(seq, 1, "updateCustomer", "update", "id", profile, "{}", 0.0) for seq in range(500)]
        journal.executemany("INSERT INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        [pages] = journal.execute("PRAGMA page_count").fetchone()
        [size] = journal.execute("PRAGMA page_size").fetchone()

    assert pages * size / len(rows) < 1.6 * len(profile)
