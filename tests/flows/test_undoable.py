"""What is said of owners and of what can be taken back, and what a resume and a retry keep of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Estimate, ImportOptions, Observer, UsageError
from bulkgladly.gladly.spec import Policy
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.mapping_choice import choose_mapping
from bulkgladly.imports.overwriting import note_on_undo
from bulkgladly.records import Mode
from tests.flows.conftest import World, people, person
from tests.flows.quickly import start_import


class Listener(Observer):
    """Keeps what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


async def told(world: World, path: Path, *, resource: str = "customers", **changes: Any) -> list[str]:
    """What the start of a run says of what is written over, and what cannot be taken back."""
    listener = Listener()
    await start_import(resource, [path], world.credentials, world.choose(changes), observer=listener, new_run=True)
    return [line for line in listener.lines if "taken back" in line or "owner" in line]


async def test_updates_that_cannot_be_restored_are_told(world: World) -> None:
    """Only those that are not read anyway: a changed address list is."""
    await world.rows(people(4))
    rows = [person(0, name="New"), person(1, name="New"), person(2, **{"email:2": "more@example.org"}), person(9)]
    path = world.ndjson(rows, "changed.ndjson")

    unread = await told(world, path)
    await world.rows(people(4))
    read = await told(world, path, undoable=True)

    assert unread == ["2 updates cannot be taken back; pass --undoable to read them first"]
    assert read == []


def test_the_time_that_the_looks_take_is_told() -> None:
    """At the pace of the run, and as about if only a part of the rows was looked at."""
    policy, spec = Policy(host="https://example.gladly.com"), import_spec("customers")
    split = {"to create": 10, "to update": 1204}
    exact = Estimate(1214, True, 1214, 3642, 10.0, split=split)

    told_exactly, told_about = note_on_undo(spec, policy, exact), note_on_undo(spec, policy, replace(exact, judged="x"))

    text = "1,204 updates cannot be taken back; pass --undoable to read them first, about 2 min more"
    assert (told_exactly, told_about) == (text, f"about {text}")


@pytest.mark.parametrize(
    ("resource", "mode", "row", "said"),
    [
        ("customers", Mode.DELETE, {"crm": "1", "id": "a"}, "1 deletion cannot be taken back"),
        ("conversations", Mode.UPDATE, {"conversationId": "c", "status": "CLOSED"}, "1 update cannot be taken back"),
        ("customers", Mode.UPDATE, {"crm": "1", "id": "a", "name": "New"}, None),
        ("customers", None, {"crm": "1", "email:1": "a@example.org"}, None),
    ],
)
async def test_what_no_run_knows_is_told_by_the_object(
    resource: str, mode: Mode | None, row: dict[str, Any], said: str | None, world: World
) -> None:
    """New records need no before-image, and an update looks for its customer first."""
    key = None if resource == "conversations" else "crm"

    found = await told(world, world.ndjson([row]), resource=resource, mode=mode, key=key)

    assert [line.partition(";")[0] for line in found] == ([] if said is None else [said])


async def test_a_resume_and_a_retry_keep_owners_and_looks(world: World) -> None:
    """They are options of the run, which it begins with and which its next commands name."""
    world.emulator.add_customer(id="a", name="Held", address="Held")
    rows = [person(0), {"crm": "c-1", "id": "a", "name": "New", "address": "New"}]

    report = await world.run(world.ndjson(rows), max_rows=1, owners=(("address", "fill"),), undoable=True)
    resumed = await world.resume()

    settings = json.loads((Path(resumed.folder) / "run.json").read_bytes())["settings"]
    assert "owner = address=fill" in (Path(resumed.folder) / "report.md").read_text()
    assert (settings["owners"], settings["undoable"]) == ([["address", "fill"]], True)
    assert (report.exit_code, resumed.exit_code) == (10, 0)
    held = world.emulator.store.customers["a"]
    assert (held["name"], held["address"]) == ("New", "Held")


def test_options_name_themselves_for_the_next_command() -> None:
    """A retry by hand treats its records in the same way."""
    options = ImportOptions(owners=(("address", "fill"), ("customAttributes.tier", "gladly")), undoable=True)

    assert options.flags(import_spec("customers")) == [
        *("--owner", "address=fill", "--owner", "customAttributes.tier=gladly", "--undoable")
    ]


def mapping(world: World, fields: str) -> Path:
    path = world.folder / "people.toml"
    path.write_text(f'version = 1\nto = "customers"\nkey = "crm"\n[fields]\n{fields}\n')
    return path


async def test_an_owner_of_the_mapping_counts_unless_an_option_replaces_it(world: World) -> None:
    """The option wins, and the start says so."""
    world.emulator.add_customer(id="a", name="Held", address="Held")
    path = world.ndjson([{"crm": "1", "ref": "a", "label": "New", "street": "New"}])
    fields = 'id = "ref"\nname = { from = "label", owner = "gladly" }\naddress = { from = "street", owner = "fill" }'
    file = mapping(world, fields)
    mapped: dict[str, Any] = {"mapping": choose_mapping(file, None), "key": None, "mode": Mode.UPDATE}

    said = await told(world, path, owners=(("name", "source"),), **mapped)

    held = world.emulator.store.customers["a"]
    assert said == ['--owner name=source replaces owner = "gladly" in people.toml']
    assert (held["name"], held["address"]) == ("New", "Held")


async def test_addresses_that_will_go_are_told(world: World) -> None:
    """Nothing else removes an address."""
    await world.rows([person(0, **{"email:2": "old@example.org"})])

    said = await told(world, world.ndjson([person(0)]), owners=(("emails", "source"),))

    assert said == ["emails that a row does not name are removed from its customer (owner of emails: source)"]
    [profile] = world.emulator.store.customers.values()
    assert [entry["original"] for entry in profile["emails"]] == ["person.0@example.org"]


@pytest.mark.parametrize(
    ("fields", "owners", "said"),
    [
        ('name = { from = "n", owner = "file" }', (), "owner: 'file' is not supported; choose source, gladly"),
        ('name = { from = "n", owner = "union" }', (), '[fields] "name" owner name=union: only lists can have'),
        (
            '"email:1" = { from = "a", owner = "fill" }\n"email:2" = { from = "b", owner = "source" }',
            (),
            'email:1 is of the same field (emails) and says owner = "fill"; use one owner for both',
        ),
        ('"customAttribute:tier" = "t"', (("customAttributes.teir", "gladly"),), "did you mean customAttributes.tier?"),
        ('name = "n"', (("nmae", "gladly"),), "have no field 'nmae' that an update can write; did you mean name?"),
    ],
)
async def test_mistakes_are_named_before_anything_is_sent(
    fields: str, owners: tuple[tuple[str, str], ...], said: str, world: World
) -> None:
    """With the file, the field and the fix."""
    path = world.ndjson([{"crm": "1", "n": "A", "a": "a@example.org", "b": "b@example.org", "t": "gold"}])

    with pytest.raises(UsageError) as refused:
        await told(world, path, mapping=choose_mapping(mapping(world, fields), None), key=None, owners=owners)

    assert said in str(refused.value)
    assert not world.asked()


async def test_a_deletion_that_reads_first_never_uses_the_id_of_a_merged_customer(world: World) -> None:
    """It could delete the survivor; and who is gone already is remembered as gone, as without the look."""
    await world.rows([person(0), person(1), person(2)])
    store = world.emulator.store
    [merged], [gone], [heir] = (store.find_by_email(f"person.{number}@example.org") for number in range(3))
    store.merge(merged["id"], heir["id"])
    store.customers.pop(gone["id"])
    world.forget()

    report = await world.rows([person(0), person(1)], mode="delete", undoable=True)

    assert (report.rejects_by_code, report.counts["unchanged"]) == ({"moved": 1}, 1)
    assert world.asked() == {"getCustomer": 3}
    assert (await world.rows([person(0), person(2)], is_complete=True)).missing == 0
