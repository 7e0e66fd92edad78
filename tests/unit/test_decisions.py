"""What is decided for a record before anything is sent: a table, without requests."""

from collections.abc import Mapping
from typing import Any

import pytest

from bulkgladly.gladly.change import Action, Change, Found, lacking
from bulkgladly.gladly.customer_rows import as_given, changes_to, gaps_in
from bulkgladly.gladly.decisions import Sight, by_look, by_memory, gap_filling
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.spec import Record
from bulkgladly.records import Known, Word
from tests.unit.stepping import BROKEN, GONE, policy_for, record_of, remembered

TOPIC = {"name": "Returns", "disabled": False}
HELD = {"id": "held", "name": "Orders"}


def _request(*_: Any) -> Any:
    raise AssertionError("a decision sends nothing")


def endpoint(**rules: Any) -> Endpoint:
    return Endpoint(
        **{
            "object": "topics",
            "noun": "topic",
            "fetch": _request,
            "create": _request,
            "change": _request,
            "differences": lambda held, payload: lacking(held, payload, ("name", "disabled")),
            **rules,
        }
    )


def topic(mode: str, *, known: Mapping[str, Any] | None = None, doubt: bool = False) -> Record:
    """A topic that is new, or known with other values for some fields."""
    record = record_of("topics", TOPIC, mode, doubt=doubt)
    return record if known is None else record._replace(known=remembered(record, **known))


def told(change: Change | None) -> tuple[str, Any] | None:
    """The action, and what it writes or how it ends."""
    if change is None:
        return None
    return change.action.value, change.end.code or change.end.word.value if change.end else dict(change.after)


@pytest.mark.parametrize(
    ("mode", "known", "doubt", "expected"),
    [
        ("create", None, False, ("create", TOPIC)),
        ("upsert", None, False, ("create", TOPIC)),
        ("update", None, False, None),
        ("create", None, True, None),
        ("upsert", None, True, None),
        ("create", {}, False, ("none", "unchanged")),
        ("upsert", {}, False, ("none", "unchanged")),
        ("update", {}, False, ("none", "unchanged")),
        ("create", {"name": "Old"}, False, None),  # known under another id, which a create would not meet
        ("upsert", {"name": "Old"}, False, ("update", {"name": "Returns"})),
        ("update", {"name": "Old"}, False, ("update", {"name": "Returns"})),
        ("upsert", {}, True, None),
        ("delete", None, False, ("delete", {})),
        ("delete", {}, False, ("delete", {})),
    ],
)
def test_what_memory_decides(
    mode: str, known: Mapping[str, Any] | None, doubt: bool, expected: tuple[str, Any] | None
) -> None:
    """Creates are optimistic; only what memory cannot tell has to be looked at."""
    assert told(by_memory(endpoint(), topic(mode, known=known, doubt=doubt), policy_for(mode))) == expected


def test_rules_of_an_endpoint_decide_what_memory_may_write() -> None:
    """Fields that are fixed are not written; what others may have added to is read before."""
    record = topic("upsert", known={"name": "Old"})

    fixed = by_memory(endpoint(fixed=("name",)), record, policy_for("upsert"))
    shared = by_memory(endpoint(is_read_first=lambda _policy, _changed: True), record, policy_for("upsert"))

    assert told(fixed) == ("none", "unchanged")
    assert shared is None


@pytest.mark.parametrize(
    ("mode", "sight", "found", "expected"),
    [
        ("update", Sight.SOUGHT, Found("held", HELD), ("update", {"name": "Returns"})),
        ("update", Sight.SOUGHT, Found("held", {**HELD, **TOPIC}), ("none", "unchanged")),
        ("update", Sight.SOUGHT, Found("held"), ("refuse", "not_exist")),
        ("update", Sight.SOUGHT, Found("held", reply=BROKEN), ("refuse", "http_503")),
        ("upsert", Sight.IN_THE_WAY, Found("held", HELD), ("update", {"name": "Returns"})),
        ("create", Sight.IN_THE_WAY, Found("held", HELD), ("refuse", "taken")),
        ("create", Sight.IN_THE_WAY, Found("held", {**HELD, **TOPIC}), ("none", "unchanged")),
        ("create", Sight.OURS, Found("held", {**HELD, **TOPIC}), ("none", "created")),
        ("create", Sight.OURS, Found("held", HELD), ("refuse", "taken")),
        ("upsert", Sight.OURS, Found("held"), ("create", TOPIC)),
        ("upsert", Sight.OURS, Found("held", reply=GONE), ("refuse", "unsettled")),
    ],
)
def test_what_a_look_decides(mode: str, sight: Sight, found: Found, expected: tuple[str, Any]) -> None:
    """The same content is enough; other content is changed or refused, as the mode says."""
    assert told(by_look(endpoint(), topic(mode), policy_for(mode), found, sight)) == expected


def test_what_is_deleted_is_what_was_found() -> None:
    """Where an endpoint looks for it, memory decides nothing, and what was held is kept in the change."""
    at = endpoint(victim=lambda _record: iter(()))
    record = topic("upsert")

    change = by_look(at, record, policy_for("delete"), Found("held", HELD), Sight.SOUGHT)

    assert by_memory(at, record, policy_for("delete")) is None
    assert (change.action, change.id, change.before) == (Action.DELETE, "held", HELD)


def test_a_change_says_all_that_a_plan_needs() -> None:
    """Object, key, id, what was held and what is to be, and which row asks for it."""
    record = topic("update")

    change = by_look(endpoint(), record, policy_for("update"), Found("held", HELD), Sight.SOUGHT)

    assert change == Change(
        object="topics",
        key="7",
        id="held",
        action=Action.UPDATE,
        cause=record.row.position,
        word=Word.UPDATED,
        after={"name": "Returns"},
        before=HELD,
    )


def test_a_rest_of_a_create_is_part_of_making_it() -> None:
    """It counts as created, even in the mode that changes no existing object."""
    at = endpoint(completing=lambda _: {"name": "Returns"})

    change = by_look(at, topic("create"), policy_for("create"), Found("held", HELD), Sight.OURS)

    assert (change.action, change.word) == (Action.UPDATE, Word.CREATED)


def test_what_is_never_shown_is_written_where_it_is_not_what_was_accepted() -> None:
    """A look cannot compare it. If our own create succeeded, it was sent with that request."""
    at = endpoint(hidden=("disabled",), differences=lambda held, payload: lacking(held, payload, ("name",)))
    record, found = topic("upsert"), Found("held", {**HELD, "name": "Returns"})
    accepted = record._replace(known=Known("held", record.fingerprints))

    decided = [
        told(by_look(at, one, policy_for("upsert"), found, sight))
        for one, sight in ((record, Sight.SOUGHT), (accepted, Sight.SOUGHT), (record, Sight.OURS))
    ]

    assert decided == [("update", {"disabled": False}), ("none", "unchanged"), ("none", "created")]


def test_gaps_are_filled_and_nothing_is_written_over() -> None:
    """What Gladly holds wins."""
    filled = gap_filling(
        endpoint(), topic("upsert"), policy_for("upsert"), Found("other", {"id": "other", "name": "Orders"})
    )
    lacking_name = gap_filling(
        endpoint(), topic("upsert"), policy_for("upsert"), Found("other", {"id": "other", "name": ""})
    )

    assert told(filled) == ("none", "unchanged")
    assert told(lacking_name) == ("update", {"name": "Returns"})


def test_filling_gaps_takes_no_address_away() -> None:
    """Also if the file owns the list: with `--on-conflict merge` nothing that Gladly holds is lost."""
    held = {"id": "other", "emails": [{"original": "a@example.org"}, {"original": "z@example.org"}]}
    payload = {"emails": [{"original": "a@example.org"}, {"original": "b@example.org"}]}

    record = record_of("customers", payload, "upsert")
    at = endpoint(differences=changes_to, gaps=gaps_in, as_given=as_given)

    by_owner = {
        owner: gap_filling(at, record, policy_for("upsert", owners=(("emails", owner),)), Found("other", held))
        for owner in ("source", "fill")
    }

    addresses = [entry["original"] for entry in by_owner["source"].after["emails"]]
    assert addresses == ["a@example.org", "z@example.org", "b@example.org"]
    assert told(by_owner["fill"]) == ("none", "unchanged")
