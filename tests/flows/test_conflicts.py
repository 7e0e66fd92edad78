"""Customers that others have made, merged, or that come twice in one input."""

import shutil
from typing import Any

import pytest

from tests.flows.conftest import World, people, person

THEIRS = {
    "id": "theirs",
    "name": "Theirs",
    "emails": [
        {"original": "person.1@example.org", "primary": True},
        {"original": "other@example.org"},
    ],
    "phones": [{"original": "+16505550111", "type": "MOBILE"}],
    "customAttributes": {"tier": "gold"},
}
ROW = person(
    1,
    **{
        "address": "1 Test Lane",
        "customAttribute:tier": "silver",
        "customAttribute:shoe": "41",
        "email:2": "n@example.org",
    },
)


def theirs(world: World) -> dict[str, Any]:
    found = world.emulator.customer("theirs")
    return {
        "name": found["name"],
        "address": found.get("address"),
        "emails": [entry["original"] for entry in found["emails"]],
        "phones": [entry["original"] for entry in found["phones"]],
        "attributes": found["customAttributes"],
    }


BEFORE: dict[str, Any] = {
    "name": "Theirs",
    "address": None,
    "emails": ["person.1@example.org", "other@example.org"],
    "phones": ["+16505550111"],
    "attributes": {"tier": "gold"},
}


@pytest.mark.parametrize(
    ("on_conflict", "word", "after"),
    [
        ("quarantine", "rejected", BEFORE),
        ("skip", "skipped", BEFORE),
        (
            "update",
            "updated",
            {
                **BEFORE,
                "name": "Sample Person 1",
                "address": "1 Test Lane",
                "emails": ["person.1@example.org", "other@example.org", "n@example.org"],
                "attributes": {"tier": "silver", "shoe": "41"},
            },
        ),
        (
            "merge",
            "updated",
            {
                **BEFORE,
                "address": "1 Test Lane",
                "emails": ["person.1@example.org", "other@example.org", "n@example.org"],
                "attributes": {"tier": "gold", "shoe": "41"},
            },
        ),
    ],
)
@pytest.mark.parametrize("attributes", ["merge", "replace"])
async def test_policies_decide_what_becomes_of_a_taken_address(
    on_conflict: str, word: str, after: dict[str, Any], attributes: str, make_world: Any
) -> None:
    """And none of them loses an address or an attribute of the customer that was there."""
    world: World = await make_world(attributes=attributes)
    world.emulator.add_customer(**THEIRS)

    report = await world.rows([ROW], on_conflict=on_conflict)

    assert theirs(world) == after
    assert report.counts[word] == 1
    assert len(world.emulator.store.customers) == 1


async def test_a_quarantined_row_says_what_is_taken(world: World) -> None:
    """With stage, status, attribute and the way out; the row itself as it was."""
    world.emulator.add_customer(**THEIRS)

    report = await world.rows([ROW])

    [line] = world.result(report, "rejected")
    about = line.pop("_bulkgladly")
    assert line == ROW
    assert (about["stage"], about["status"], about["code"], about["attr"]) == ("conflict", 409, "taken", "emails")
    assert "--on-conflict" in about["detail"]


async def test_a_row_whose_addresses_belong_to_two_customers_is_a_reject(world: World) -> None:
    """Found by the first, refused for the second: nothing of it is written."""
    world.emulator.add_customer(**THEIRS)
    world.emulator.add_customer(id="others", emails=[{"original": "n@example.org"}])

    report = await world.rows([ROW], on_conflict="update")

    assert report.rejects_by_code == {"taken": 1}
    assert theirs(world) == BEFORE


@pytest.mark.parametrize("moved_to", ["next", "last"])
async def test_changes_follow_merges(moved_to: str, make_world: Any) -> None:
    """A into B into C: the change reaches C, and the crosswalk is repaired."""
    world: World = await make_world(moved_to=moved_to)
    await world.rows([person(0)])
    [ours] = world.emulator.store.customers
    for name in ("b", "c"):
        world.emulator.add_customer(id=name, name=name.upper())
    world.emulator.store.merge(ours, "b")
    world.emulator.store.merge("b", "c")

    report = await world.rows([person(0, name="Changed")])
    world.forget()
    again = await world.rows([person(0, name="Changed again")])

    assert report.counts["updated"] == again.counts["updated"] == 1
    assert world.emulator.customer("c")["name"] == "Changed again"
    assert world.asked() == {"updateCustomer": 1}
    assert world.result(again, "success")[0]["gladly_id"] == "c"


async def test_a_merged_customer_is_not_made_again(world: World) -> None:
    """Its id stays taken; without memory the successor is found by it."""
    await world.rows([person(0)])
    [ours] = world.emulator.store.customers
    world.emulator.add_customer(id="heir", name="Heir")
    world.emulator.store.merge(ours, "heir")
    for path in world.state.glob("state.sqlite*"):
        path.unlink()

    report = await world.rows([person(0)])

    assert list(world.emulator.store.customers) == ["heir"]
    assert report.counts["updated"] == 1


async def test_a_merged_customer_is_not_deleted(world: World) -> None:
    """Its successor holds another record's data as well."""
    await world.rows([person(0)])
    [ours] = world.emulator.store.customers
    world.emulator.add_customer(id="heir", name="Heir")
    world.emulator.store.merge(ours, "heir")

    report = await world.rows([person(0)], mode="delete")

    assert report.rejects_by_code == {"moved": 1}
    assert list(world.emulator.store.customers) == ["heir"]


async def test_a_customer_that_was_deleted_in_gladly_is_not_made_again(world: World) -> None:
    """A person who asked to be forgotten does not come back with the nightly file."""
    await world.rows([person(0)])
    [ours] = world.emulator.store.customers
    world.emulator.store.remove_customer(ours)

    report = await world.rows([person(0, name="Changed")])

    assert report.rejects_by_code == {"deleted_since": 1}
    assert world.names() == {}


@pytest.mark.parametrize("apart", [1, 3, 40])
async def test_the_last_row_wins_where_the_user_says_so(apart: int, world: World) -> None:
    """Rows of one customer go in input order, however close together, and the others in between."""
    rounds = 4
    rows = [person(number % apart, name=f"Round {number // apart}") for number in range(rounds * apart)]

    report = await world.rows(rows, on_duplicate="last")

    assert set(world.names().values()) == {f"Round {rounds - 1}"}
    assert len(world.names()) == apart
    assert (report.counts["created"], report.counts["updated"]) == (apart, (rounds - 1) * apart)


async def test_the_last_row_wins_also_when_it_says_what_the_first_did(world: World) -> None:
    """There, and back again."""
    rows = [person(0, name=name) for name in ("First", "Second", "First")]

    report = await world.rows(rows, on_duplicate="last")

    assert set(world.names().values()) == {"First"}
    assert (report.counts["created"], report.counts["updated"]) == (1, 2)


async def test_equal_rows_are_one_record(world: World) -> None:
    """The second costs nothing and counts as unchanged."""
    report = await world.rows([person(0), person(1), person(0)])

    assert world.asked() == {"createCustomer": 2}
    assert (report.counts["created"], report.counts["unchanged"]) == (2, 1)


async def test_a_key_that_comes_twice_is_a_reject(world: World) -> None:
    """The later row, with the place of the earlier one."""
    report = await world.rows([person(0), person(1), person(0, name="Other")])

    assert report.rejects_by_code == {"duplicate_key": 1}
    [line] = world.result(report, "rejected")
    assert line["_bulkgladly"]["position"]["record"] == 3
    assert ":1 " in line["_bulkgladly"]["detail"]
    assert world.names()["person.0@example.org"] == "Sample Person 0"


@pytest.mark.parametrize(
    ("on_conflict", "word"),
    [("quarantine", "rejected"), ("skip", "skipped"), ("update", "updated"), ("merge", "unchanged")],
)
async def test_an_address_that_comes_twice_goes_by_the_conflict_policy(
    on_conflict: str, word: str, world: World
) -> None:
    """Two rows of one input are like a row and a customer that was there; the first costs its create."""
    rows = [person(0), {**person(1), "email:1": "PERSON.0@example.org"}]

    report = await world.rows(rows, on_conflict=on_conflict)

    assert (report.counts["created"], report.counts[word]) == (1, 1)
    assert len(world.names()) == 1
    if on_conflict in ("quarantine", "skip"):
        assert world.asked() == {"createCustomer": 1}


async def test_a_shared_office_phone_is_no_conflict(world: World) -> None:
    """Only mobile numbers are unique; one that is shared is."""
    office = [person(number, **{"phone:1": "+16505550100", "phone:1:type": "OFFICE"}) for number in range(3)]
    mobile = [person(number, **{"phone:1": "+16505550101", "phone:1:type": "MOBILE"}) for number in range(5, 8)]

    assert (await world.rows(office)).counts["created"] == 3
    report = await world.rows(mobile)

    assert report.counts["created"] == 1
    assert report.rejects_by_code == {"duplicate_address": 2}


async def test_create_mode_never_changes_anybody(world: World) -> None:
    """Equal is unchanged, different is a reject."""
    await world.rows(people(2))

    report = await world.rows([person(0), person(1, name="Changed"), person(2)], mode="create")

    assert (report.counts["unchanged"], report.counts["created"], report.counts["rejected"]) == (1, 1, 1)
    assert world.names()["person.1@example.org"] == "Sample Person 1"


async def test_update_mode_makes_nobody(world: World) -> None:
    """Whoever is not there is a reject."""
    await world.rows([person(0)])

    report = await world.rows([person(0, name="Changed"), person(1)], mode="update")

    assert (report.counts["updated"], report.counts["rejected"]) == (1, 1)
    assert world.names() == {"person.0@example.org": "Changed"}


async def test_delete_twice_is_no_error(world: World) -> None:
    """Gone is gone."""
    await world.rows(people(2))

    first = await world.rows(people(2), mode="delete")
    second = await world.rows(people(2), mode="delete")

    assert (first.counts["deleted"], second.counts["unchanged"]) == (2, 2)
    assert not world.emulator.store.customers


@pytest.mark.parametrize(("null", "address"), [("keep", "1 Test Lane"), ("clear", None)])
@pytest.mark.parametrize("remembered", [True, False])
async def test_null_does_what_the_user_says(null: str, address: str | None, remembered: bool, world: World) -> None:
    """Keeps or clears, whether the customer is remembered or met by its id being taken."""
    await world.rows([person(0, address="1 Test Lane")])
    if not remembered:
        for path in world.state.glob("state.sqlite*"):
            path.unlink()

    await world.rows([person(0, address=None)], null=null)

    [profile] = world.emulator.store.customers.values()
    assert profile.get("address") == address


async def test_equal_values_in_different_fields_are_no_equal_rows(world: World) -> None:
    """The second row says something else about the same customer."""
    rows = [{"crm": "1", "name": "Elm Grove"}, {"crm": "1", "address": "Elm Grove"}]

    report = await world.rows(rows)

    assert report.rejects_by_code == {"duplicate_key": 1}


@pytest.mark.parametrize("is_forgotten", [False, True])
@pytest.mark.parametrize("more", [{}, {"read_first": True}, {"undoable": True}, {"phone:1": "+12125550123"}])
async def test_what_merge_has_kept_stays_however_later_changes_are_read(
    more: dict[str, Any], is_forgotten: bool, world: World
) -> None:
    """A look writes no more than the row has changed; without a state, the conflict comes again, and fills again."""
    world.emulator.add_customer(id="theirs", name="Their Name", emails=[{"original": "person.0@example.org"}])
    flags = {name: value for name, value in more.items() if value is True}
    fields = {name: value for name, value in more.items() if value is not True}
    await world.rows([person(0)], on_conflict="merge")
    if is_forgotten:
        shutil.rmtree(world.state)

    first = await world.rows([person(0, address="1 Example Lane", **fields)], on_conflict="merge", **flags)
    second = await world.rows([person(0, address="2 Example Lane", **fields)], on_conflict="merge", **flags)

    assert (first.counts["updated"], second.counts["updated"]) == (1, 1)
    [held] = world.emulator.store.customers.values()
    assert (held["name"], held["address"]) == ("Their Name", "2 Example Lane")


async def test_a_look_does_not_take_back_what_people_have_changed_elsewhere(world: World) -> None:
    """A list is read before it is written; that shows a name which the row does not ask to change."""
    await world.rows([person(0)])
    [held] = world.emulator.store.customers.values()
    held["name"] = "By a person"

    await world.rows([person(0, **{"phone:1": "+12125550123"})])

    [held] = world.emulator.store.customers.values()
    assert (held["name"], len(held["phones"])) == ("By a person", 1)
