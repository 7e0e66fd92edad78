"""The emulator's table against the facts about Gladly's API."""

import json
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.emulator.customers import FIND_CAP
from bulkgladly.emulator.export_files import FILE_NAMES
from bulkgladly.emulator.export_jobs import JOB_STATUSES, RETENTION
from bulkgladly.emulator.item_contents import Scene, contents
from bulkgladly.emulator.routing import Operation, Router
from bulkgladly.emulator.table import OPERATIONS

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text(encoding="utf-8"))

BY_ID: dict[str, dict[str, Any]] = {fact["operationId"] or fact["project_alias"]: fact for fact in FACTS["operations"]}

GENERAL_STATUSES = {401, 403, 404, 429, 500, 502, 503, 504}
"""The general chapter of Gladly's document allows these on every operation."""

DEVIATIONS = {
    ("updateCustomer", 409): "a taken address is not listed, but the text on uniqueness implies it",
    ("findJobs", 400): "no error is listed, but the bounds of startAt and endAt are stated",
}
"""Statuses that the emulator answers although the document does not list them, and why."""

THIS_STAGE = {
    "createCustomer",
    "findCustomers",
    "getCustomer",
    "updateCustomer",
    "deleteCustomer",
    "getOrganization",
    "getAgents",
    "getAgent",
    "getInboxes",
    "getInbox",
    "getTeams",
    "getTeam",
    "getTopics",
    "getTopic",
    "getAudiences",
    "findSchedules",
    "findJobs",
    "getJob",
    "deleteJob",
    "getFile",
}


def named(operation: Operation) -> str:
    return operation.operation_id


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_row_is_an_operation_of_the_document(operation: Operation) -> None:
    """No row invents a method, a path or a name."""
    fact = BY_ID[operation.operation_id]

    assert (operation.method, operation.path) == (fact["method"], fact["path"])
    assert fact["direction"] == "inbound"


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_row_answers_only_statuses_that_are_accounted_for(operation: Operation) -> None:
    """Each status is documented for the operation, is a general one, or is a deviation with a reason."""
    fact = BY_ID[operation.operation_id]
    documented = {*fact["success"], *fact["errors"], *GENERAL_STATUSES}

    extra = {s for s in operation.statuses if s not in documented}

    assert extra == {status for name, status in DEVIATIONS if name == operation.operation_id}


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_row_answers_every_documented_status(operation: Operation) -> None:
    """What the document lists for an operation the emulator can produce; success comes first."""
    fact = BY_ID[operation.operation_id]

    assert {*fact["success"], *fact["errors"]} <= set(operation.statuses)
    assert operation.statuses[0] in fact["success"]


def test_this_stage_is_complete() -> None:
    """The operations the toolkit needs so far are all there."""
    assert {operation.operation_id for operation in OPERATIONS} >= THIS_STAGE


def test_names_are_unique() -> None:
    """Counting requests by operation id confuses nothing."""
    names = [operation.operation_id for operation in OPERATIONS]

    assert len(names) == len(set(names))


def test_find_cap_is_the_documented_one() -> None:
    """The cap of a search comes from the facts, not from habit."""
    assert FACTS["list_caps"]["findCustomers"] == FIND_CAP


def test_exports_follow_the_facts() -> None:
    """Retention, statuses and file names are the documented ones."""
    enums = FACTS["enums"]

    assert RETENTION.days == FACTS["windows"]["export_job_retention_days"]
    assert list(JOB_STATUSES) == enums["export_job_status"]
    assert sorted(FILE_NAMES) == sorted(enums["export_files"])


def test_invented_items_have_every_documented_type() -> None:
    """Those of the export, and those that only conversations are documented to have."""
    nobody = {"id": "nobody", "type": "CUSTOMER"}
    said = list(contents(Scene(nobody, nobody, "nobody@example.org", "+16505550100", [], str)))

    assert {content["type"] for _, content in said} == {*FACTS["enums"]["item_content_type"]}
    assert {initiator["type"] for initiator, _ in said} <= {*FACTS["enums"]["communicator_type"]}


def test_two_rows_for_one_route_are_refused() -> None:
    """A copied row that keeps its path cannot hide the first one."""
    with pytest.raises(ValueError, match="two rows for"):
        Router([OPERATIONS[0], OPERATIONS[0]])
