"""Whatever Gladly lets one write is imported, or left out with a reason; and the table is true to itself."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.gladly.fields import Kind
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import IMPORTS, NAME_LISTS, NOT_WRITTEN, import_spec
from bulkgladly.messages import Repeat
from bulkgladly.records import Mode

FACTS = json.loads((Path(__file__).parent / "facts.json").read_text(encoding="utf-8"))
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"] or operation["project_alias"]: operation
    for operation in FACTS["operations"]
    if operation["direction"] == "inbound"
}
WRITING = {name for name, operation in OPERATIONS.items() if operation["method"] != "GET"}
SPECS = [pytest.param(spec, id=name) for name, spec in IMPORTS.items()]
CREATES_OF_OURS = {
    name for name, operation in OPERATIONS.items() if operation["idempotent_retry"] == "safe-with-client-id"
}
UNSAFE = {name for name, operation in OPERATIONS.items() if operation["idempotent_retry"] == "unsafe"}


def test_every_operation_that_writes_is_imported_or_left_out_with_a_reason() -> None:
    """And none is both."""
    imported = {name for spec in IMPORTS.values() for name in spec.operations}

    assert WRITING - imported == set(NOT_WRITTEN)
    assert all(len(reason) > 10 for reason in NOT_WRITTEN.values())


@pytest.mark.parametrize("spec", SPECS)
def test_a_row_names_operations_that_there_are(spec: ImportSpec) -> None:
    """Each once, and at least one that writes."""
    assert not [name for name, number in Counter(spec.operations).items() if number > 1]
    assert set(spec.operations) <= set(OPERATIONS)
    assert WRITING & set(spec.operations)


@pytest.mark.parametrize("spec", SPECS)
def test_the_repeat_rule_is_that_of_the_facts(spec: ImportSpec) -> None:
    """A row that uses an unsafe operation is at most once; one with a create of ours is detected."""
    used = set(spec.operations)

    assert (spec.repeat is Repeat.UNSAFE) == bool(used & UNSAFE)
    if used & CREATES_OF_OURS:
        assert spec.repeat is Repeat.DETECTED
        assert "our id" in spec.id_rule


@pytest.mark.parametrize("spec", SPECS)
def test_every_mode_has_steps_and_a_price(spec: ImportSpec) -> None:
    """And what can be deleted says what is lost."""
    assert set(spec.procedures) == set(spec.requests_per_record)
    assert all(1 <= low <= high for low, high in spec.requests_per_record.values())
    assert (Mode.DELETE in spec.procedures) == bool(spec.deletes)
    assert spec.id_rule


@pytest.mark.parametrize("spec", SPECS)
def test_fields_hang_together(spec: ImportSpec) -> None:
    """Names have a list, keys a resource, choices their words, and no field comes twice."""
    assert not [name for name, number in Counter(field.name for field in spec.fields).items() if number > 1]
    for field in spec.fields:
        assert field.names is None or field.names in NAME_LISTS
        assert field.key_of is None or field.key_of in IMPORTS
        assert (field.kind is Kind.CHOICE) == bool(field.choices)
        assert field.parts is None or field.kind is Kind.OBJECTS
        assert field.name in spec.columns.scalars or field.parts is not None
    assert {place.partition(".")[0] for place in spec.lanes} <= {field.place for field in spec.fields}


@pytest.mark.parametrize("limit", sorted(FACTS["field_limits"]))
def test_lengths_are_those_of_the_facts(limit: str) -> None:
    """Each limit of the facts that is a number stands in a field of the table."""
    places = {
        "customer_activity_title": ("activities", "title"),
        "customer_activity_body": ("activities", "body"),
        "customer_activity_source_name": ("activities", "sourceName"),
        "customer_activity_link_text": ("activities", "linkText"),
        "conversation_item_id": ("activities", "id"),
        "task_id": ("tasks", "id"),
        "task_body": ("tasks", "body"),
        "task_comment_id": ("task-comments", "id"),
        "task_comment": ("task-comments", "comment"),
        "answer_name": ("answers", "name"),
        "answer_description": ("answers", "description"),
        "business_hours_name": ("business-hours", "name"),
        "webhook_name": ("webhooks", "name"),
        "reply_body_example": ("replies", "body"),
        "email_subject": ("emails", "subject"),
    }
    elsewhere = {"customer_id", "quick_reply_options", "quick_reply_label"}
    if limit in elsewhere:
        assert limit not in places
        return
    name, wanted = places[limit]
    [field] = [field for field in IMPORTS[name].fields if field.name == wanted]
    found = re.search(r"\d+", str(FACTS["field_limits"][limit]))

    assert found is not None
    most = int(found[0]) - (1 if "less than" in str(FACTS["field_limits"][limit]) else 0)
    assert field.most == most


def test_what_reaches_people_is_marked() -> None:
    """Every operation that contacts somebody belongs to rows that say so, and to no others."""
    contacting = {"sendSMS", "sendEmail", "replyToMessage", "createRecipientCollection"}

    for spec in IMPORTS.values():
        assert bool(contacting & set(spec.operations)) == bool(spec.contacts_people)
        assert not spec.contacts_people or spec.is_at_most_once


@pytest.mark.parametrize("spec", SPECS)
def test_the_mode_that_goes_without_saying(spec: ImportSpec) -> None:
    """The mildest there is; what only removes has to be asked for, and unknown modes are refused."""
    if set(spec.procedures) == {Mode.DELETE}:
        with pytest.raises(UsageError, match="--mode delete"):
            spec.mode(None)
    else:
        assert spec.mode(None) is not Mode.DELETE
    for mode in set(Mode) - set(spec.procedures):
        with pytest.raises(UsageError, match=f"do not support --mode {mode}"):
            spec.mode(mode)


def test_an_unknown_resource_lists_those_there_are() -> None:
    """So that nobody has to look them up."""
    with pytest.raises(UsageError, match=r"customers.*tasks.*webhooks"):
        import_spec("people")
