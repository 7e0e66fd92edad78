"""What undo does with each value, entry and object, by what the run left and what Gladly holds now."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.gladly.contacts import email_identity
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.undo.undo_decision import UndoAction, UndoDecision, UndoFate, decide_undo, fate_of, undone_list
from bulkgladly.undo.undo_images import UNREAD, Image, ObjectImages, images_of

PAGE = (Path(__file__).parents[2] / "docs" / "undo.md").read_text(encoding="utf-8")
CUSTOMERS: Reversal = IMPORTS["customers"].reversal  # type: ignore[assignment]


def table(name: str) -> list[list[str]]:
    """The rows of a table of the page."""
    text = PAGE.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()[2:]]


class Write(NamedTuple):
    """A write as the journal has it."""

    action: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    word: str = "updated"


def value(cell: str) -> Any:
    return {"nothing": None, "not read": UNREAD}.get(cell, cell)


@pytest.mark.parametrize("row", table("values"), ids=" ".join)
def test_values_as_the_page_says(row: list[str]) -> None:
    """Each row of the table is what the code does."""
    before, left, now, undo = row
    image = Image(value(before), value(left))
    expected = {"has": UndoFate.NOTHING, "writes": UndoFate.RESTORE, "keeps": UndoFate.KEEP, "cannot": UndoFate.UNREAD}

    assert fate_of(image, value(now)) is expected[undo.split()[0]]
    if undo.startswith("writes"):
        assert image.before == value(undo.removeprefix("writes "))
    if undo.startswith("keeps"):
        assert value(now) == value(undo.removeprefix("keeps "))


def entries(cell: str) -> list[dict[str, Any]]:
    """The entries of a cell: `A/home` is a number of the type HOME."""
    found = [] if cell == "nothing" else [one.partition("/") for one in cell.split()]
    return [{"original": name, **({"type": kind.upper()} if kind else {})} for name, _, kind in found]


@pytest.mark.parametrize("row", table("lists"), ids=" ".join)
def test_lists_as_the_page_says(row: list[str]) -> None:
    """Each row of the table is what the code does, the order included."""
    before, left, now, after = map(entries, row)
    undone = undone_list(before, left, now, lambda entry: entry["original"])

    assert (undone.value if undone.fate is UndoFate.RESTORE else now) == after


SMALL = st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, max_size=4)


@given(before=SMALL, left=SMALL, held=SMALL)
def test_a_list_never_loses_what_people_added(before: list[str], left: list[str], held: list[str]) -> None:
    """What was there before or came since stays, what only the run added goes; untouched, it is as before in order."""
    undone = undone_list(before, left, held, str)
    after = undone.value if undone.fate is UndoFate.RESTORE else held

    ours, removed = set(left) - set(before), set(before) - set(left)
    assert set(after) == (set(held) - ours) | removed
    if sorted(held) == sorted(left) and sorted(before) != sorted(left):
        assert after == before


def decide(write: Write, held: Mapping[str, Any], **more: Any) -> UndoDecision:
    return decide_undo(images_of([write], CUSTOMERS), held, CUSTOMERS, **more)


ADA: dict[str, Any] = {"name": "Ada", "emails": [{"original": "Ada@example.org"}], "customAttributes": {"tier": "gold"}}
"""What a run sent for a new customer."""
HELD: dict[str, Any] = {
    **ADA,
    "id": "c1",
    "emails": [{"original": "Ada@example.org", "normalized": "ada@example.org"}],
    "createdAt": "2026-11-01T00:00:00Z",
    "updatedAt": "2026-11-02T00:00:00Z",
}
"""The same customer as Gladly returns it."""


@pytest.mark.parametrize(
    ("held", "kept"),
    [
        (HELD, ()),
        ({**HELD, "address": "", "phones": [], "image": None}, ()),
        ({**HELD, "name": "Ada L."}, ("name",)),
        ({**HELD, "address": "1 Test Lane"}, ("address",)),
        ({**HELD, "emails": [*HELD["emails"], {"original": "more@example.org"}]}, ("emails",)),
        ({**HELD, "emails": []}, ("emails",)),
        ({**HELD, "emails": [{**HELD["emails"][0], "primary": True}]}, ("emails",)),
        ({**HELD, "phones": [{"original": "+12125550100"}]}, ("phones",)),
        ({**HELD, "customAttributes": {"tier": "gold", "vip": "yes"}}, ("customAttributes",)),
        ({**HELD, "customAttributes": {}}, ("customAttributes",)),
        ({**HELD, "externalCustomerIds": {"shop": "7"}}, ("externalCustomerIds",)),
        ({**HELD, "somethingNew": "x"}, ("somethingNew",)),
    ],
)
def test_a_new_customer_is_deleted_only_as_the_run_left_it(held: Mapping[str, Any], kept: tuple[str, ...]) -> None:
    """Anything that somebody has changed, added or removed keeps it; what Gladly adds by itself does not."""
    decision = decide(Write("create", None, ADA, "created"), held)

    assert (decision.action, decision.kept) == (UndoAction.KEEP if kept else UndoAction.DELETE, kept)


def test_phones_with_what_gladly_adds_are_as_they_were_sent() -> None:
    """A region, an empty type and the normalised number."""
    sent: dict[str, Any] = {"name": "Ada", "phones": [{"original": "+12125550100", "smsPreference": "ON"}]}
    held = {**sent, "phones": [{**sent["phones"][0], "normalized": "+12125550100", "regionCode": "US", "type": ""}]}

    assert decide(Write("create", None, sent, "created"), held).action is UndoAction.DELETE
    held["phones"][0]["smsPreference"] = "OFF"
    assert decide(Write("create", None, sent, "created"), held).kept == ("phones",)


def test_a_create_that_was_refused_did_not_create() -> None:
    """The id was taken, and the record became an update."""
    writes = [Write("create", None, ADA), Write("update", {"name": "Ada L."}, {"name": "Ada"})]

    assert images_of(writes, CUSTOMERS) == ObjectImages(False, False, {"name": Image("Ada L.", "Ada")}, {})


def test_several_writes_of_one_object_are_taken_back_as_a_whole() -> None:
    """The first before-image counts, and what the last write left."""
    writes = [Write("update", {"name": "A"}, {"name": "B"}), Write("update", {"name": "B"}, {"name": "C"})]

    assert images_of(writes, CUSTOMERS).fields == {"name": Image("A", "C")}
    created = images_of([Write("create", None, ADA, "created"), Write("update", ADA, {"name": "C"})], CUSTOMERS)
    assert created.is_created
    assert created.left == {**ADA, "name": "C"}


def test_what_the_first_write_did_not_read_cannot_be_restored() -> None:
    """A later before-image has what the run itself left."""
    writes = [Write("update", None, {"name": "B"}), Write("update", {"name": "B"}, {"name": "C"})]

    decision = decide_undo(images_of(writes, CUSTOMERS), {"name": "C"}, CUSTOMERS)

    assert (decision.action, decision.unread) == (UndoAction.CANNOT, ("name",))


def test_attributes_are_judged_by_their_names() -> None:
    """Ours go back, those of others stay, and the whole map is sent."""
    before = {"customAttributes": {"tier": "gold", "shop": "x"}}
    after = {"customAttributes": {"tier": "silver", "shop": "x", "new": "1", "newer": "2"}}
    held = {"customAttributes": {"tier": "silver", "shop": "y", "new": "1", "newer": "3", "theirs": "z"}}

    decision = decide(Write("update", before, after), held)

    assert decision.action is UndoAction.RESTORE
    assert decision.changes == {"customAttributes": {"tier": "gold", "shop": "y", "newer": "3", "theirs": "z"}}
    assert decision.restored == ("customAttributes.tier", "customAttributes.new")
    assert decision.kept == ("customAttributes.newer",)
    assert decision.cleared == {"customAttributes": ("new",)}


@pytest.mark.parametrize("value", [0, False, 0.0])
def test_an_attribute_that_says_zero_or_no_is_a_value(value: Any) -> None:
    """A run that added it is taken back, and one that removed it as well."""
    without, having = {"customAttributes": {"tier": "gold"}}, {"customAttributes": {"tier": "gold", "new": value}}

    removed = decide(Write("update", without, having), having)
    added = decide(Write("update", having, {"customAttributes": {"new": None}}), without)

    assert removed.changes == without
    assert added.changes == having


def test_a_field_of_a_later_run_is_kept() -> None:
    """Even if it holds what this run left; but not if it is as it was before."""
    write = Write("update", {"name": "A", "address": "x"}, {"name": "B", "address": "y"})

    decision = decide(write, {"name": "B", "address": "y"}, later={"name"})
    assert (decision.changes, decision.kept) == ({"address": "x"}, ("name",))
    assert decide(write, {"name": "A", "address": "x"}, later={"name"}).action is UndoAction.NOTHING
    assert decide(Write("create", None, ADA, "created"), HELD, later={"name"}).kept == ("name",)


def test_the_primary_address_of_people_stays() -> None:
    """One address can be primary: the one that somebody has chosen since."""
    a, b, c = ({"original": f"{name}@example.org"} for name in "abc")
    before: list[dict[str, Any]] = [{**a, "primary": True}, b]
    left = [{**a, "primary": False}, {**b, "primary": True}]
    held = [{**a, "primary": False}, {**b, "primary": False}, {**c, "primary": True}]

    undone = undone_list(before, left, held, email_identity)
    after: list[dict[str, Any]] = undone.value if undone.fate is UndoFate.RESTORE else held

    assert [entry["original"][0] for entry in after if entry.get("primary")] == ["c"]


def test_every_object_that_can_be_imported_is_in_the_table_of_the_page() -> None:
    """What is said of each kind of object is what the declarations say."""
    can = PAGE.split("## What can be taken back")[1].split("\n## ")[0]
    words = {
        "contents of answers": "answer-contents",
        "business hours": "business-hours",
        "task comments": "task-comments",
    }

    def named(line: str) -> set[str]:
        cell = next(one for one in can.splitlines() if one.startswith(line)).split("|")[1]
        return {words.get(one, one) for one in re.split(r", | and ", cell.strip().removeprefix(line[2:]).strip())}

    created = named("| created customers".removesuffix(" customers"))
    updated = named("| updated")
    reversals = {name: spec.reversal for name, spec in IMPORTS.items() if spec.reversal is not None}

    assert created == {name for name, one in reversals.items() if one.can_delete}
    conversations = {"conversations", "conversation-topics"}
    assert updated == {name for name, one in reversals.items() if one.named} - conversations
    for name, spec in IMPORTS.items():
        assert name in reversals or spec.contacts_people or spec.irreversible
