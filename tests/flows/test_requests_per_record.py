"""Requests saved are the only speed there is: what each record costs, counted on the emulator."""

from typing import Any

import pytest

from bulkgladly.emulator import drop_reply
from tests.flows.conftest import World, people, person

MOBILE = {"phone:1": "+16505550100", "phone:1:type": "MOBILE"}


def forget_state(world: World) -> None:
    """As on another machine: what earlier runs taught us is gone."""
    for path in world.state.glob("state.sqlite*"):
        path.unlink()


async def test_a_new_customer_costs_one_request(world: World) -> None:
    """A create; no look before."""
    report = await world.rows(people(5))

    assert world.asked() == {"createCustomer": 5}
    assert report.counts["created"] == 5
    assert report.exit_code == 0
    assert report.requests == {"getOrganization": 1, "createCustomer": 5}


async def test_a_repeat_costs_nothing(world: World) -> None:
    """The content is known to be what Gladly has accepted."""
    await world.rows(people(5))
    world.forget()

    report = await world.rows(people(5))

    assert world.asked() == {}
    assert report.counts["unchanged"] == 5


async def test_a_repeat_without_memory_costs_two(world: World) -> None:
    """A create that is refused, and a look that shows the same content."""
    await world.rows(people(5))
    forget_state(world)
    world.forget()

    report = await world.rows(people(5))

    assert world.asked() == {"createCustomer": 5, "getCustomer": 5}
    assert report.counts["unchanged"] == 5


async def test_a_change_without_memory_costs_three(world: World) -> None:
    """A create that is refused, a look, and a change."""
    await world.rows([person(1)])
    forget_state(world)
    world.forget()

    report = await world.rows([person(1, name="Changed")])

    assert world.asked() == {"createCustomer": 1, "getCustomer": 1, "updateCustomer": 1}
    assert report.counts["updated"] == 1
    assert list(world.names().values()) == ["Changed"]


async def test_what_two_runs_without_memory_learned_is_known_to_the_third(world: World) -> None:
    """The look is not repeated."""
    await world.rows([person(1)])
    forget_state(world)
    await world.rows([person(1, name="Changed")])
    world.forget()

    report = await world.rows([person(1, name="Changed")])

    assert world.asked() == {}
    assert report.counts["unchanged"] == 1


async def test_a_known_customer_with_another_name_costs_one(world: World) -> None:
    """The change itself, with the changed field alone."""
    await world.rows([person(1, address="1 Test Lane")])
    [profile] = world.emulator.store.customers.values()
    profile["address"] = "9 Moved Street"
    world.forget()

    report = await world.rows([person(1, name="Changed", address="1 Test Lane")])

    assert world.asked() == {"updateCustomer": 1}
    assert report.counts["updated"] == 1
    [profile] = world.emulator.store.customers.values()
    assert (profile["name"], profile["address"]) == ("Changed", "9 Moved Street")


async def test_a_known_customer_with_another_address_costs_two(world: World) -> None:
    """A list is read before it is written, and keeps what others have added."""
    await world.rows([person(1)])
    [profile] = world.emulator.store.customers.values()
    world.emulator.store.replace_customer(
        {
            **profile,
            "emails": [*profile["emails"], {"original": "agent@example.org", "normalized": "agent@example.org"}],
        }
    )
    world.forget()

    report = await world.rows([person(1, **{"email:2": "second@example.org"})])

    assert world.asked() == {"getCustomer": 1, "updateCustomer": 1}
    assert report.counts["updated"] == 1
    [profile] = world.emulator.store.customers.values()
    assert [entry["original"] for entry in profile["emails"]] == [
        "person.1@example.org",
        "agent@example.org",
        "second@example.org",
    ]


async def test_read_first_costs_one_more(world: World) -> None:
    """For each changed record, and none for those that have not changed."""
    await world.rows(people(3))
    world.forget()

    await world.rows([person(0), person(1), person(2, name="Changed")], read_first=True)

    assert world.asked() == {"getCustomer": 1, "updateCustomer": 1}


@pytest.mark.parametrize(
    ("on_conflict", "asked", "word"),
    [
        ("quarantine", {"createCustomer": 1}, "rejected"),
        ("skip", {"createCustomer": 1}, "skipped"),
        ("update", {"createCustomer": 1, "findCustomers": 1, "updateCustomer": 1}, "updated"),
        ("merge", {"createCustomer": 1, "findCustomers": 1, "getCustomer": 1, "updateCustomer": 1}, "updated"),
    ],
)
async def test_each_conflict_policy_has_its_price(
    on_conflict: str, asked: dict[str, int], word: str, world: World
) -> None:
    """An address that belongs to a customer whom somebody else made."""
    world.emulator.add_customer(id="theirs", name="Theirs", emails=[{"original": "person.1@example.org"}])

    report = await world.rows([person(1, address="1 Test Lane")], on_conflict=on_conflict)

    assert world.asked() == asked
    assert report.counts[word] == 1


async def test_a_conflict_that_was_settled_costs_nothing_the_next_time(world: World) -> None:
    """The crosswalk remembers under which id Gladly holds the record."""
    world.emulator.add_customer(id="theirs", name="Theirs", emails=[{"original": "person.1@example.org"}])
    await world.rows([person(1)], on_conflict="update")
    world.forget()

    unchanged = await world.rows([person(1)], on_conflict="update")
    changed = await world.rows([person(1, name="Changed")], on_conflict="update")

    assert world.asked() == {"updateCustomer": 1}
    assert (unchanged.counts["unchanged"], changed.counts["updated"]) == (1, 1)
    assert world.emulator.customer("theirs")["name"] == "Changed"


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"email:1": "person.1@example.org"}, {"findCustomers": 1, "updateCustomer": 1}),
        (MOBILE, {"findCustomers": 1, "updateCustomer": 1}),
        ({"id": "theirs"}, {"getCustomer": 1, "updateCustomer": 1}),
        (
            {"email:1": "person.1@example.org", "email:2": "second@example.org"},
            {"findCustomers": 1, "getCustomer": 1, "updateCustomer": 1},
        ),
    ],
)
async def test_an_update_costs_two_or_three(fields: dict[str, Any], asked: dict[str, int], world: World) -> None:
    """A look, by id or by address, and the change; a list is merged into the profile and not into a search."""
    world.emulator.add_customer(
        id="theirs",
        emails=[{"original": "person.1@example.org"}],
        phones=[{"original": "+16505550100", "type": "MOBILE"}],
    )

    report = await world.rows([{"crm": "1", "name": "Changed", **fields}], mode="update")

    assert world.asked() == asked
    assert report.counts["updated"] == 1


async def test_a_delete_costs_one_where_the_id_is_known(world: World) -> None:
    """Two where it is gone already, three where it is found by its address: whom a search names is read first."""
    await world.rows(people(2))
    world.emulator.add_customer(id="theirs", emails=[{"original": "theirs@example.org"}])
    world.forget()

    known = await world.rows([person(0)], mode="delete")
    known_asked = world.asked()
    world.forget()
    found = await world.rows([{"crm": "new", "email:1": "theirs@example.org"}], mode="delete")

    assert known_asked == {"deleteCustomer": 1}
    assert world.asked() == {"findCustomers": 1, "getCustomer": 1, "deleteCustomer": 1}
    assert (known.counts["deleted"], found.counts["deleted"]) == (1, 1)
    assert list(world.names()) == ["person.1@example.org"]


async def test_a_row_that_cannot_be_sent_costs_nothing(world: World) -> None:
    """Rejected before the first request."""
    report = await world.rows([person(1, **{"email:1": "nobody"}), person(2, **{"phone:1": "020 7946 0018"})])

    assert world.asked() == {}
    assert report.counts["rejected"] == 2
    assert report.exit_code == 1


async def test_a_lost_reply_costs_two_more(world: World) -> None:
    """The repeat that is refused, and the look that shows it was ours."""
    world.emulator.faults.script("createCustomer", [None, drop_reply()])

    report = await world.rows(people(3))

    assert world.asked() == {"createCustomer": 4, "getCustomer": 1}
    assert report.counts["created"] == 3
    assert report.requests["createCustomer"] == 4
