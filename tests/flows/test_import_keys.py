"""Keys that were written in many ways: one object each, also where an earlier version went by the raw spelling."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from bulkgladly import Pace
from bulkgladly.checks.run_check import check
from bulkgladly.emulator.faults.fault import status
from bulkgladly.gladly import identity, reading
from bulkgladly.imports.dry_run import dry_run
from bulkgladly.journal.ledger import Ledger
from bulkgladly.mapping import mapper
from bulkgladly.records import Mode
from bulkgladly.runs.environment import Bounds
from bulkgladly.source_keys import SourceKey
from tests.flows.conftest import World
from tests.flows.test_import_mapped import Crash, chosen
from tests.flows.test_import_objects import activity, customer, done, forget_state, task

SPELLINGS = ["K1 ", "\xa0K1", "\ufeffK1", "K1\u200b", "'K1", "Zoe\u0308", "4711.0"]


@contextmanager
def earlier_version() -> Iterator[None]:
    """As versions that took every key as it stood."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (identity, reading, mapper):
            patch.setattr(module, "read_key", lambda value: SourceKey(str(value)))
        yield


def named(key: str, **more: Any) -> dict[str, Any]:
    return {"crm": key, "name": f"Sample {key.strip()}", **more}


async def test_one_customer_stays_one_however_a_file_spells_the_key(world: World) -> None:
    """Blanks, a mark, zero width, a text mark, a decimal: equal rows are one, and different ones are told."""
    rows: list[dict[str, Any]] = [
        {"crm": key, "name": "Ada"} for key in ("K1", "K1 ", "\xa0K1", "\ufeffK1", "K1\u200b", "'K1")
    ]
    rows += [{"crm": "4711", "name": "Ben"}, {"crm": "4711.0", "name": "Ben"}, {"crm": 4711, "name": "Other"}]

    report = await world.rows(rows)

    assert done(report) == {"created": 2, "unchanged": 6, "rejected": 1}
    assert [one["_bulkgladly"]["code"] for one in world.result(report, "rejected")] == ["duplicate_key"]
    assert world.emulator.store.count("customers") == 2


@pytest.mark.parametrize("key", SPELLINGS)
@pytest.mark.parametrize("mode", [Mode.UPSERT, Mode.CREATE, Mode.UPDATE])
@pytest.mark.parametrize("has_memory", [True, False])
async def test_nobody_becomes_a_second_customer_by_the_form_of_a_key(
    key: str, mode: Mode, has_memory: bool, world: World
) -> None:
    """Imported under the raw spelling before: found by memory, or by the id that follows from it."""
    with earlier_version():
        await world.rows([named(key)])
    if not has_memory:
        forget_state(world)
    world.forget()

    report = await world.rows([named(key)], mode=mode)

    assert done(report) == {"unchanged": 1}
    assert world.emulator.store.count("customers") == 1
    if has_memory:
        assert world.asked() == {}


@pytest.mark.parametrize("has_memory", [True, False])
async def test_a_customer_of_an_earlier_version_is_updated_and_not_made_again(has_memory: bool, world: World) -> None:
    """And is known by the form of its key from then on."""
    with earlier_version():
        await world.rows([named("K1 ")])
    if not has_memory:
        forget_state(world)

    report = await world.rows([named("K1 ", address="1 Test Lane")])
    world.forget()
    again = await world.rows([named("K1", name="Sample K1", address="1 Test Lane")])

    assert (done(report), done(again)) == ({"updated": 1}, {"unchanged": 1})
    assert world.asked() == {}
    assert [one["address"] for one in world.emulator.store.customers.values()] == ["1 Test Lane"]


@pytest.mark.parametrize("has_memory", [True, False])
async def test_a_key_that_is_cleaned_later_is_known_after_one_import(has_memory: bool, world: World) -> None:
    """An unchanged row is enough for the memory to have it under the form of its key."""
    with earlier_version():
        await world.rows([named("K1 ")])
    if not has_memory:
        forget_state(world)
    await world.rows([named("K1 ")])
    world.forget()

    report = await world.rows([named("K1")])

    assert (done(report), world.asked()) == ({"unchanged": 1}, {})
    assert world.emulator.store.count("customers") == 1


@pytest.mark.parametrize("has_memory", [True, False])
async def test_a_customer_of_an_earlier_version_is_deleted_and_forgotten(has_memory: bool, world: World) -> None:
    """It is gone under both spellings: a later import makes it again rather than call it unchanged."""
    with earlier_version():
        await world.rows([named("K1 ")])
    if not has_memory:
        forget_state(world)

    report = await world.rows([named("K1 ")], mode=Mode.DELETE)
    assert (done(report), world.emulator.store.count("customers")) == ({"deleted": 1}, 0)
    forgotten = await dry_run(
        "customers", [str(world.ndjson([named("K1 ")]))], world.options, host=world.credentials.host
    )

    assert forgotten.settled == {}


class CutAtTheSecond(Ledger):
    """A journal whose process dies before the second row is settled."""

    def settle(self, seq: int, *arguments: Any, **more: Any) -> None:
        if seq == 1:
            raise Crash
        super().settle(seq, *arguments, **more)


@pytest.mark.parametrize("has_memory", [True, False])
async def test_a_run_of_an_earlier_version_is_resumed_without_a_second_customer(has_memory: bool, world: World) -> None:
    """Cut off with one customer settled and one in flight, whose create had arrived under the former id."""
    rows = [named("K1 "), named("'K2"), named("K3\u200b"), named("K4")]
    usual = world.environment
    world.environment = replace(usual, ledger=CutAtTheSecond)
    with earlier_version(), pytest.raises((Crash, BaseExceptionGroup)):
        await world.run(world.ndjson(rows), pace=Pace(unlimited=True, concurrency=1), bounds=Bounds(rows_at_once=1))
    world.environment = usual
    if not has_memory:
        forget_state(world)
    before = world.emulator.store.count("customers")

    report = await world.resume()

    assert before >= 2
    assert report.status == "complete"
    assert report.counts["created"] + report.counts["unchanged"] == report.counts["read"] == 4
    assert world.emulator.store.count("customers") == 4


async def test_a_clean_key_costs_no_request_more(world: World) -> None:
    """Only a row whose key was written otherwise is asked about."""
    await world.rows([named("K1"), named("K2 ")])

    assert world.asked() == {"createCustomer": 2, "getCustomer": 1}


@pytest.mark.parametrize("answer", [status(404, body="html"), status(200, body="html"), status(400)])
async def test_an_unclear_answer_about_the_former_id_makes_no_second_customer(answer: Any, world: World) -> None:
    """Nothing is made as long as nobody knows; a retry asks again."""
    with earlier_version():
        await world.rows([named("K1 ")])
    forget_state(world)
    world.emulator.faults.after("getCustomer", 0, answer)

    report = await world.rows([named("K1 ")])
    world.emulator.faults.clear()

    assert done(report) == {"rejected": 1}
    assert done(await world.retry()) == {"unchanged": 1}
    assert world.emulator.store.count("customers") == 1


@pytest.mark.parametrize(
    ("resource", "row"),
    [("tasks", task(crm=" T1")), ("activities", activity(crm="T1\u200b")), ("topics", {"crm": "T1.", "name": "A"})],
)
async def test_no_object_of_an_earlier_version_is_made_twice(
    resource: str, row: Mapping[str, Any], world: World
) -> None:
    """What holds for customers holds for all that have derived ids."""
    row = {**row, "crm": " T1"}
    customer(world)
    with earlier_version():
        await world.rows([row], resource=resource)
    before = {name: world.emulator.store.count(name) for name in ("tasks", "items", "topics")}
    forget_state(world)

    report = await world.rows([row], resource=resource)

    assert done(report) == {"unchanged": 1}
    assert {name: world.emulator.store.count(name) for name in before} == before


async def test_a_mapped_key_is_found_under_its_former_spelling(world: World) -> None:
    """Each part of a key is brought into its form by itself, and the raw whole is what was imported."""
    text = (
        'version = 1\nto = "customers"\nkey = "no"\n[each]\nof = "people"\nas = "one"\nkey = { path = "one.id" }\n'
        '[fields]\nname = { path = "one.name" }\n'
    )
    options = {"key": None, "mapping": chosen(world.folder, text)}
    path = world.ndjson([{"no": " H1", "people": [{"id": "1.0", "name": "Ada"}, {"id": "2", "name": "Ben"}]}])
    with earlier_version():
        await _run(world, path, options)
    forget_state(world)

    report = await _run(world, path, options)

    assert done(report) == {"unchanged": 2}
    assert world.emulator.store.count("customers") == 2


async def _run(world: World, path: Any, options: Mapping[str, Any]) -> Any:
    from bulkgladly import start_import  # noqa: PLC0415 - `World.run` compares places, which records of one row share

    return await start_import("customers", [path], world.credentials, world.choose(options), new_run=True)


@pytest.mark.parametrize("is_former", [True, False])
async def test_a_reference_finds_its_parent_however_both_are_spelled(is_former: bool, world: World) -> None:
    """The parents' file has blanks, the children's another spelling; an earlier version kept the raw one."""
    if is_former:
        with earlier_version():
            await world.rows([named("K1 ")])
        spellings = ["K1 "]
    else:
        await world.rows([named("K1 ")])
        spellings = ["K1", "K1 ", "'K1", "\u200bK1"]
    rows = [task(number, customerId="", customerKey=key) for number, key in enumerate(spellings)]

    seen = await check("tasks", [world.ndjson(rows, "tasks.ndjson")], world.options, host=world.credentials.host)
    report = await world.rows(rows, resource="tasks")

    assert not {"unknown_key", "unknown_parent"} & {finding.code for finding in seen.findings}
    assert done(report) == {"created": len(rows)}


async def test_check_tells_of_keys_that_are_not_read_as_they_stand(world: World) -> None:
    """One finding for each kind, with counts; rows that are one key are repeated, and parents are found."""
    rows = [{"crm": key, "name": "Ada"} for key in ("K1", "K1 ", "\ufeffK1", "'K2", "4711.0", "4.71E+12")]
    path = world.ndjson(rows)

    found = await check("customers", [path], world.options)
    children = [task(number, customerId="", customerKey=key) for number, key in enumerate(("K1\xa0", "K2", "'4711"))]
    below = await check(
        "tasks", [world.ndjson(children, "tasks.ndjson")], world.options, parents=[str(path)], parents_key="crm"
    )

    assert {(one.code, one.field, one.rows) for one in found.findings} == {
        ("key_invisible", "crm", 2),
        ("key_apostrophe", "crm", 1),
        ("key_decimal", "crm", 1),
        ("key_rounded", "crm", 1),
    }
    assert found.exit_code == 1
    assert {one.code for one in below.findings} == {"key_invisible", "key_apostrophe"}


async def test_a_note_is_not_sent_twice_when_its_key_has_another_form_now(world: World) -> None:
    """It has no id to ask for: the memory of an earlier version is all that is known, under the raw spelling."""
    customer(world)
    conversation = world.emulator.add_conversation("ada")
    rows = [{"crm": key, "conversationId": conversation, "body": f"Note {key}"} for key in (" N1", "'N2", "17.0")]
    with earlier_version():
        await world.rows(rows, resource="notes")
    world.forget()

    report = await world.rows(rows, resource="notes")

    assert done(report) == {"unchanged": 3}
    assert world.asked() == {}


async def test_numbers_and_flags_of_attributes_are_kept_as_they_are(world: World) -> None:
    """Sent with their types, compared with their types: nothing to send the next time, memory or not."""
    attributes = {"tier": "gold", "visits": 12, "vip": True, "ltv": 10.5, "tags": ["a", "b"]}
    rows: list[dict[str, Any]] = [{"crm": "A1", "name": "Ada", "customAttributes": attributes}]
    rows += [{"crm": "A2", "name": "Ben", "customAttribute:visits": 3, "customAttribute:vip": False}]
    await world.rows(rows)
    forget_state(world)

    report = await world.rows(rows)

    assert done(report) == {"unchanged": 2}
    held = [profile["customAttributes"] for profile in world.emulator.store.customers.values()]
    assert held == [attributes, {"visits": 3, "vip": False}]
