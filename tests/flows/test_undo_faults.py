"""Whatever a gateway returns to an undo in Gladly's place: its words are true, and nobody is deleted by mistake."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from bulkgladly import Limits
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.faults.fault_catalogue import CATALOGUE
from bulkgladly.undo.run_undo import resume_undo, start_undo
from bulkgladly.undo.undo_options import UndoOptions
from tests.faults.quick import quick
from tests.flows.conftest import World
from tests.flows.test_undo import customer_of, profiles, run_of

SOME = ("200_html", "404_html", "500_errors", "own_other", "own_cut", "closed_after", "401_html")
NOT_DONE = ("401", "403", "429")
"""These are believed to be sent before anything is carried out."""
LIKE_GLADLY = ("400_errors", "409_errors", "413_errors", "422_errors", "400_escapes", "404_gladly", "409_gladly_taken")
"""What nobody can tell from Gladly's own word: a refusal, and that an object does not exist."""
BELIEVED: dict[str, tuple[str, ...]] = {
    "getCustomer": (*LIKE_GLADLY, "404_errors", "301_moved_to_other", "own_as_404"),
    "getConversations": ("200_list", *LIKE_GLADLY),
    "updateCustomer": ("204_empty", *LIKE_GLADLY),
    "deleteCustomer": ("204_empty", *LIKE_GLADLY),
}
"""What is believed of each operation, although it is not true."""


async def one_undo(world: World, number: int, operation: str, fault: Fault) -> tuple[str, bool, bool]:
    """Undo a run of one record, with a fault. Return the outcome, and whether all is as before the run, or after it."""
    row: dict[str, Any] = {"crm": f"c-{number}", "email:1": f"person.{number}@example.org", "name": "First"}
    is_update = operation == "updateCustomer" or (operation == "getCustomer" and number % 2)
    if is_update:
        await world.rows([row])
    before = profiles(world)
    report = await world.rows([{**row, "name": "Second", "address": "x"}], read_first=True)
    if operation == "getConversations":
        world.emulator.add_conversation(customer_of(world, number), status="CLOSED")
    after = profiles(world)
    world.emulator.faults.script(operation, [fault])
    environment = quick()
    options = UndoOptions(run=report.run, pace=world.options.pace, limits=Limits(), state_dir=world.state)
    done = await start_undo(run_of(world, report), world.credentials, options, environment=environment)
    world.emulator.faults.clear()
    if done.status != "complete":
        assert done.exit_code in (4, 5), done.reason
        done = await resume_undo(run_of(world, done), world.credentials, environment=environment)
    assert (done.status, done.adds_up) == ("complete", True), done.reason
    [outcome] = done.outcomes
    return outcome, profiles(world) == before, profiles(world) == after


async def wrong_words(world: World, operation: str, names: Iterable[str]) -> list[str]:
    """Play each fault, carried out before it and not, and return what an undo then says that is not true."""
    wrong, number = [], 0
    for name in (one for one in names if one not in BELIEVED[operation]):
        for executes in (False, True) if operation.startswith(("update", "delete")) else (True,):
            if executes and name.startswith(NOT_DONE):
                continue
            number += 1
            # A state directory of its own, so that no run has to look at those before it.
            place = replace(world, options=replace(world.options, state_dir=world.folder / f"state-{number}"))
            fault = replace(CATALOGUE[name], executes=True) if executes else CATALOGUE[name]
            outcome, is_before, is_after = await one_undo(place, number, operation, fault)
            is_true = {"restored": is_before, "deleted": is_before, "kept": is_after, "not possible": is_after}
            if not is_true.get(outcome, outcome == "unknown"):
                wrong.append(f"{name}{' after it was done' if executes else ''}: {outcome}")
            if operation == "getConversations" and not is_after:
                wrong.append(f"{name}: a customer with a conversation was deleted")
    return wrong


@pytest.mark.parametrize("operation", BELIEVED)
async def test_the_words_of_an_undo_are_true(operation: str, world: World) -> None:
    """A selection of replies to each kind of request."""
    assert await wrong_words(world, operation, SOME) == []


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("operation", BELIEVED)
async def test_the_words_of_an_undo_are_true_whatever_comes_back(operation: str, world: World) -> None:
    """Every reply of the catalogue."""
    assert await wrong_words(world, operation, CATALOGUE) == []
