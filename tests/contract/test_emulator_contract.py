"""The emulator's table against the facts about Gladly's API."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from bulkgladly.emulator.application import CampaignType
from bulkgladly.emulator.deliveries.deliveries import REDELIVERY_WAITS_S
from bulkgladly.emulator.exports.job_files import FILE_NAMES
from bulkgladly.emulator.operations import answers, business_hours, item_types, items, message_replies, tasks, webhooks
from bulkgladly.emulator.operations.all_operations import OPERATIONS, OTHER_HOST_OPERATIONS
from bulkgladly.emulator.operations.answers import CONTENT_TYPES
from bulkgladly.emulator.operations.customers import FIND_CAP
from bulkgladly.emulator.operations.event_types import (
    ENTITIES,
    EVENT_SHAPES,
    WEBHOOK_EVENTS,
    WEBHOOK_ONLY_SHAPES,
    WORDS,
    entity_of,
)
from bulkgladly.emulator.operations.events import LOOKBACK
from bulkgladly.emulator.operations.identity_tokens import IDENTITY_TYPES
from bulkgladly.emulator.operations.outbound_messages import MAX_SUBJECT
from bulkgladly.emulator.operations.public_answers import LIST_CAP
from bulkgladly.emulator.operations.tasks import MAX_COMMENT
from bulkgladly.emulator.options import LIST_CAPS, EmulatorOptions
from bulkgladly.emulator.organisation.export_jobs import JOB_STATUSES, RETENTION
from bulkgladly.emulator.protocol.lists import LIMITED_DATA
from bulkgladly.emulator.protocol.routing import Operation, Router
from bulkgladly.emulator.reports.facts import CHANNELS
from bulkgladly.emulator.reports.metric_sets import METRIC_SETS
from bulkgladly.emulator.reports.periods import LEVELS
from bulkgladly.emulator.seeding.conversation_script import Scene, contents

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text(encoding="utf-8"))

BY_ID: dict[str, dict[str, Any]] = {fact["operationId"] or fact["project_alias"]: fact for fact in FACTS["operations"]}

GENERAL_STATUSES = {401, 403, 404, 429, 500, 502, 503, 504}
"""The general chapter of Gladly's document allows these on every operation."""

DEVIATIONS = {
    ("updateCustomer", 409): "a taken address is not listed, but the text on uniqueness implies it",
    ("findJobs", 400): "no error is listed, but the bounds of startAt and endAt are stated",
    ("updateAgentCallRecording", 400): "a body that is no JSON object cannot be used",
    ("createRecipientCollection", 400): "required fields are stated, and an answer without them is not",
    ("deleteItem", 400): "only activities can be deleted; what other types answer is not stated",
    ("deleteCustomerItem", 400): "as deleteItem",
    ("redactContent", 400): "the types that can be redacted are listed; what others answer is not stated",
    ("createTaskAndCustomer", 409): "an id is accepted, so it can be taken, as on createTask",
    ("createTaskComment", 409): "an id is accepted, so it can be taken, as on createTask",
}
"""Statuses that the emulator answers although the document does not list them, and why."""


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


def test_every_operation_is_there() -> None:
    """The emulator answers all inbound operations of the document."""
    inbound = {name for name, fact in BY_ID.items() if fact["direction"] == "inbound"}

    assert len(inbound) == 80
    assert {operation.operation_id for operation in OPERATIONS} == inbound


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


def test_caps_follow_the_facts() -> None:
    """Those of the lists that tell with a header that they were cut."""
    facts = FACTS["list_caps"]

    assert {name: facts[name] for name in LIST_CAPS} == dict(LIST_CAPS)
    assert facts["truncation_header"] == LIMITED_DATA


def test_items_follow_the_facts() -> None:
    """Types, what can be done with them, and the lengths of an activity."""
    enums, limits = FACTS["enums"], FACTS["field_limits"]

    assert sorted(item_types.SHOWN_TYPES) == sorted(enums["item_content_type"])
    assert sorted(item_types.REDACTABLE_TYPES) == sorted(enums["redactable_types"])
    assert sorted(message_replies.REPLY_TYPES) == sorted(enums["reply_content_type"])
    assert sorted(items.ACTIVITY_TYPES) == sorted(enums["customer_activity_type"])
    assert FACTS["windows"]["customer_activity_max_age_days"] == items.MAX_AGE.days
    assert [limits[f"customer_activity_{field}"] for field in ("title", "body", "source_name", "link_text")] == [
        items.MAX_TITLE,
        items.MAX_BODY,
        items.MAX_SOURCE_NAME,
        items.MAX_LINK_TEXT,
    ]


def test_replies_and_tasks_follow_the_facts() -> None:
    """Their lengths and states are the documented ones."""
    limits = FACTS["field_limits"]

    assert limits["reply_body_example"] == message_replies.MAX_REPLY
    assert limits["quick_reply_options"] == f"1-{message_replies.MAX_OPTIONS}"
    assert limits["quick_reply_label"] == message_replies.MAX_OPTION_LABEL
    assert limits["task_body"] == tasks.MAX_TASK_BODY
    assert limits["task_comment"] == MAX_COMMENT
    assert list(tasks.TASK_STATUSES) == FACTS["enums"]["task_status"]


def test_what_lies_elsewhere_is_no_operation_of_gladly() -> None:
    """It is outside the API's paths, needs no credentials, and takes nothing of the budget."""
    assert not {operation.operation_id for operation in OTHER_HOST_OPERATIONS} & set(BY_ID)
    assert all(not operation.path.startswith("/api/") for operation in OTHER_HOST_OPERATIONS)
    assert all((operation.needs, operation.limited) == ("none", False) for operation in OTHER_HOST_OPERATIONS)


def test_answers_follow_the_facts() -> None:
    """Cap, types and lengths are the documented ones."""
    assert FACTS["list_caps"]["listAnswers"] == LIST_CAP
    assert list(CONTENT_TYPES) == FACTS["enums"]["answer_content_type"]
    assert FACTS["field_limits"]["answer_name"] == answers.MAX_NAME
    assert FACTS["field_limits"]["answer_description"] == answers.MAX_DESCRIPTION


def test_webhooks_follow_the_facts() -> None:
    """Events, their number, and the time for a PING are the documented ones."""
    assert sorted(WEBHOOK_EVENTS) == sorted(FACTS["enums"]["webhook_event"])
    assert FACTS["list_caps"]["webhooks_per_organization"] == webhooks.MAX_WEBHOOKS
    assert FACTS["field_limits"]["webhook_name"] == webhooks.MAX_NAME
    assert FACTS["windows"]["webhook_timeout_seconds"] == EmulatorOptions().ping_timeout_s
    assert FACTS["windows"]["webhook_timeout_seconds"] == EmulatorOptions().delivery_timeout_s
    assert FACTS["windows"]["webhook_retry_schedule_seconds"] == list(REDELIVERY_WAITS_S)
    assert set(WEBHOOK_EVENTS) == {*EVENT_SHAPES, *WEBHOOK_ONLY_SHAPES}


def test_other_limits_and_words_follow_the_facts() -> None:
    """Those of schedules, emails, campaigns and identity tokens."""
    assert FACTS["field_limits"]["business_hours_name"] == business_hours.MAX_NAME
    assert FACTS["field_limits"]["email_subject"] == f"less than {MAX_SUBJECT + 1}"
    assert list(get_args(CampaignType)) == FACTS["enums"]["recipient_collection_type"]
    assert list(IDENTITY_TYPES) == FACTS["enums"]["identity_type"]


def test_metric_sets_and_their_options_follow_the_facts() -> None:
    """55 sets; which of them take a level, a channel, inboxes, teams and a phone number."""
    enums = FACTS["enums"]
    taking = {
        "aggregationLevel": ("report_metric_sets_with_aggregation", 28),
        "channel": ("report_metric_sets_with_channel_filter", 12),
        "inboxes": ("report_metric_sets_with_inboxes_filter", 19),
        "teams": ("report_metric_sets_with_teams_filter", 15),
        "phoneNumber": ("report_metric_sets_requiring_phone_number", 2),
    }

    assert sorted(METRIC_SETS) == sorted(enums["report_metric_set"])
    assert len(METRIC_SETS) == 55
    for option, (fact, count) in taking.items():
        sets = [name for name, metric_set in METRIC_SETS.items() if option in metric_set.takes]
        assert (sorted(sets), len(sets)) == (sorted(enums[fact]), count)
    assert list(LEVELS) == enums["report_aggregation_level"]
    assert ["allChannels", *CHANNELS] == enums["report_channel_filter"]


def test_report_limits_follow_the_facts() -> None:
    """Ten a minute, two at a time, on both paths; and the cap."""
    limits, usual = FACTS["rate_limits"]["reports"], EmulatorOptions()

    assert limits["requests_per_minute"] == usual.report_rate
    assert limits["max_concurrent"] == usual.report_concurrency
    assert sorted(limits["paths"]) == sorted(operation.path for operation in OPERATIONS if operation.report)
    assert FACTS["list_caps"]["report_rows_default"] == usual.report_row_cap


def test_events_follow_the_facts() -> None:
    """45 types, their entities, their words, and how far back they are there."""
    enums = FACTS["enums"]
    by_entity: dict[str, list[str]] = {entity: [] for entity in ENTITIES}
    for event in sorted(EVENT_SHAPES):
        by_entity[entity_of(event)].append(event)
    (assumed,) = enums["event_stream_type_unassigned_entity"]
    by_entity["CONVERSATION"].remove(assumed)

    assert len(EVENT_SHAPES) == 45
    assert sorted(EVENT_SHAPES) == sorted(enums["event_stream_type"])
    assert sorted(ENTITIES) == sorted(enums["event_stream_entity"])
    assert by_entity == {entity: sorted(events) for entity, events in enums["event_stream_type_by_entity"].items()}
    assert LOOKBACK.total_seconds() == FACTS["windows"]["events_lookback_hours"] * 3600


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        ("work", "available_for"),
        ("channel", "contact_channel"),
        ("contact_status", "contact_status"),
        ("ended_reason", "contact_ended_reason"),
        ("fulfilled_type", "contact_fulfilled_type"),
        ("hold_reason", "contact_hold_reason"),
        ("rejected_reason", "contact_offer_rejected_reason"),
        ("transfer_type", "contact_transfer_type"),
        ("transfer_reason", "contact_transfer_reason"),
        ("assignee_reason", "conversation_assignee_reason"),
        ("payment_status", "payment_status"),
    ],
)
def test_words_of_events_follow_the_facts(kind: str, fact: str) -> None:
    """Every value, and no other."""
    assert list(WORDS[kind]) == FACTS["enums"][fact]


def test_channels_of_messages_are_the_documented_ones() -> None:
    """Messages are no calls, and nobody sends a voicemail."""
    channels = FACTS["enums"]["contact_channel"]

    assert list(WORDS["received"]) == [channel for channel in channels if channel != "PHONE_CALL"]
    assert list(WORDS["sent"]) == [channel for channel in channels if channel not in {"PHONE_CALL", "VOICEMAIL"}]
    assert WORDS["call"] == ("PHONE_CALL",)


def test_two_rows_for_one_route_are_refused() -> None:
    """A copied row that keeps its path cannot hide the first one."""
    with pytest.raises(ValueError, match="two rows for"):
        Router([OPERATIONS[0], OPERATIONS[0]])
