"""An import with a data set of now ends as the one that asks Gladly: the same words, writes, customers and memory."""

import copy
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.journal.databases import reading
from bulkgladly.runs.environment import Bounds
from tests.flows.conftest import World, person
from tests.flows.test_baseline import exported

_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"mode": "update"},
    {"on_duplicate": "last", "on_conflict": "skip"},
    {"on_conflict": "update"},
    {"owners": (("name", "fill"), ("address", "gladly"))},
    {"owners": (("emails", "source"), ("customAttributes", "fill"))},
    {"null": "clear", "attributes": "merge"},
    {"undoable": True},
)


@dataclass
class Night:
    """What an import has come to."""

    words: list[tuple[Any, ...]]
    customers: list[dict[str, Any]]
    known: list[tuple[Any, ...]]
    writes: dict[str, int]
    requests: int


def somebody(chance: random.Random, number: int) -> dict[str, Any]:
    """An invented customer with some of what a customer can have."""
    row: dict[str, Any] = {**person(number), "emails": [{"original": f"Person.{number}@example.org"}]}
    del row["email:1"]
    if chance.random() < 0.5:
        row["emails"][0]["primary"] = chance.random() < 0.5
    if chance.random() < 0.3:
        row["emails"].append({"original": f"other.{number}@example.org"})
    if chance.random() < 0.6:
        phone = {"original": f"+1650555{100 + number:04}", "type": chance.choice(["HOME", "MOBILE"])}
        row["phones"] = [phone]
    if chance.random() < 0.6:
        row["address"] = f"{number} Example Lane"
    if chance.random() < 0.6:
        row["customAttributes"] = {"tier": chance.choice(["gold", "silver"]), "since": chance.choice(["2019", 2019])}
    return row


def altered(chance: random.Random, row: dict[str, Any], others: int, *, is_apart: bool) -> dict[str, Any]:
    """A row as the next night may have it: mostly as it is."""
    row = copy.deepcopy(row)
    number = int(row["crm"][2:])
    kind = chance.randrange(14)
    if kind == 0:
        row["name"] = chance.choice(["Another Name", f" {row['name']}"])
    elif kind == 1:
        row["address"] = chance.choice(["Elsewhere", None, ""])
    elif kind == 2:
        row["emails"].append({"original": f"person.{chance.randrange(others)}@example.org"})
    elif kind == 3:
        row["emails"] = [{"original": f"PERSON.{number}@example.org"}]
    elif kind == 4:
        row["phones"] = [{"original": f"+1650555{chance.choice([number, 50]) + 100:04}", "type": "MOBILE"}]
    elif kind == 5:
        row["customAttributes"] = chance.choice([{"tier": "bronze"}, {"tier": None}, {"more": "1"}, {"tier": "gold"}])
    elif kind == 6:
        row.pop(chance.choice(["name", "emails"]))
    elif kind == 7:
        # A new customer, who may have an address of another; nobody has this name, so that no look finds them equal.
        row = {**row, "crm": f"c-{number + 100}", "name": f"New Person {number}"}
        if is_apart:
            row = {**row, "emails": [{"original": f"new.{number}@example.org"}], "phones": []}
    return row


async def night(world: World, rows: list[dict[str, Any]], state: Path, **changes: Any) -> Night:
    """Import rows into what Gladly holds now, with nothing remembered."""
    world.forget()
    bounds = Bounds(rows_at_once=1)
    report = await world.run(world.ndjson(rows), state_dir=state, bounds=bounds, **changes)
    with reading(Path(report.folder) / "journal.sqlite") as journal:
        columns = "seq, key, word, code, attr, CASE WHEN word = 'rejected' THEN NULL ELSE gladly_id END"
        words = journal.execute(f"SELECT {columns} FROM records ORDER BY seq").fetchall()  # noqa: S608
        writes = dict(journal.execute("SELECT operation, count(*) FROM writes GROUP BY 1"))
    with closing(sqlite3.connect(state / "state.sqlite")) as memory:
        found = memory.execute("SELECT key, gladly_id, accepted FROM known ORDER BY key")
        known = [(key, gladly_id, orjson.loads(accepted)) for key, gladly_id, accepted in found]
    customers = [
        {name: value for name, value in profile.items() if name not in ("createdAt", "updatedAt")}
        for _, profile in sorted(world.emulator.store.customers.items())
    ]
    return Night(words, copy.deepcopy(customers), known, writes, sum(world.asked().values()))


def put_back(world: World, profiles: list[dict[str, Any]]) -> None:
    """Let Gladly hold these customers, and no others."""
    store = world.emulator.store
    for gladly_id in list(store.customers):
        store.remove_customer(gladly_id)
    store.deleted.clear()
    for profile in profiles:
        store.add_customer(copy.deepcopy(profile))


async def both_nights_are_equal(world: World, seed: int) -> None:
    """Import the same random rows with a data set and without one."""
    chance = random.Random(seed)  # noqa: S311 - the same rows on every run
    before = [somebody(chance, number) for number in range(chance.randrange(1, 9))]
    await world.run(world.ndjson(before))
    lake = await exported(world, world.folder / "lake")
    shutil.rmtree(world.state)
    profiles = copy.deepcopy(list(world.emulator.store.customers.values()))
    changes = _OPTIONS[seed % len(_OPTIONS)]
    # A row that equals the owner of its address is spared its conflict. And if a row may update a customer whom another
    # means by id, a data set does not know what this run has changed.
    is_apart = "owners" in changes or "update" in (changes.get("mode"), changes.get("on_conflict"))
    rows = [
        altered(chance, chance.choice(before), len(before), is_apart=is_apart) for _ in range(chance.randrange(1, 30))
    ]

    asking = await night(world, rows, world.folder / "asking", **changes)
    put_back(world, profiles)
    comparing = await night(world, rows, world.folder / "comparing", baseline=lake, **changes)

    assert comparing.words == asking.words
    assert comparing.customers == asking.customers
    assert comparing.known == asking.known
    assert comparing.writes == asking.writes
    assert comparing.requests <= asking.requests


@pytest.mark.parametrize("seed", range(len(_OPTIONS)))
async def test_a_data_set_changes_nothing_but_the_number_of_requests(seed: int, world: World) -> None:
    """Small organisations and files by chance: duplicates, conflicts, owners, nulls, other spellings."""
    await both_nights_are_equal(world, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 500))
async def test_a_data_set_changes_nothing_but_the_number_of_requests_for_long(seed: int, world: World) -> None:
    """The same, many times."""
    await both_nights_are_equal(world, seed)
