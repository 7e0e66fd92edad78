"""What every event has, read from bytes that may be anything."""

import datetime as dt
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.gladly.event_envelopes import (
    KNOWN_TYPES,
    WEBHOOK_ONLY,
    Envelope,
    entities_of,
    entity_of,
    job_event,
    key_of,
    read_envelope,
)
from bulkgladly.gladly.objects.events import EVENT_ENTITIES, EVENT_TYPES

EVENT = {
    "id": "event-1",
    "type": "CONVERSATION/CLOSED",
    "timestamp": "2026-05-01T10:00:00.123Z",
    "initiator": {"id": "agent-1", "type": "AGENT"},
    "content": {"customerId": "customer-1", "conversationId": "conversation-1"},
}
AT = dt.datetime(2026, 5, 1, 10, 0, 0, 123_000, tzinfo=dt.UTC)


def test_an_event_has_id_type_time_and_content() -> None:
    assert read_envelope(orjson.dumps(EVENT)) == Envelope(
        "event-1",
        "CONVERSATION/CLOSED",
        AT,
        "event-1",
        EVENT["content"],  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not an object"),
        (b'"text"', "not an object"),
        (orjson.dumps({**EVENT, "id": ""}), "'id'"),
        (orjson.dumps({**EVENT, "id": 7}), "'id'"),
        (orjson.dumps({**EVENT, "id": "x" * 201}), "'id'"),
        (orjson.dumps({**EVENT, "id": "a\nb"}), "'id'"),
        (orjson.dumps({**EVENT, "type": None}), "'type'"),
        (orjson.dumps({"content": {}}), "'id'"),
    ],
)
def test_bytes_that_are_not_an_event_say_why(body: bytes, why: str) -> None:
    found = read_envelope(body)

    assert isinstance(found, str)
    assert why in found


@pytest.mark.parametrize("timestamp", [None, "yesterday", 12, "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_does_not_make_an_event_strange(timestamp: Any) -> None:
    found = read_envelope(orjson.dumps({**EVENT, "timestamp": timestamp}))

    assert isinstance(found, Envelope)
    assert found.recorded_at is None


def test_an_unknown_type_and_strange_content_are_an_event() -> None:
    found = read_envelope(orjson.dumps({"id": "1", "type": "NEW/THING", "content": [1]}))

    assert isinstance(found, Envelope)
    assert found.content == {}


def test_a_job_is_one_event_whichever_way_it_is_found() -> None:
    sent = orjson.dumps({"id": "other", "type": "EXPORT_JOB/COMPLETED", "content": {"jobId": "job-1"}})
    ways = [read_envelope(sent), read_envelope(job_event("job-1", "EXPORT_JOB/COMPLETED", AT))]

    assert {way.dedupe_id for way in ways if isinstance(way, Envelope)} == {"EXPORT_JOB/COMPLETED:job-1"}
    assert isinstance(ways[1], Envelope)
    assert ways[1].recorded_at == AT


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"customerId": "a", "conversationId": "b", "contactId": "c"}, "conversationId:b"),
        ({"customerId": "a", "taskId": "t"}, "taskId:t"),
        ({"customerId": "a"}, "customerId:a"),
        ({"agentId": "g"}, "agentId:g"),
        ({"agentId": 7}, ""),
        ({}, ""),
    ],
)
def test_order_matters_within_what_an_event_is_about(content: dict[str, Any], key: str) -> None:
    assert key_of(content) == key


def test_every_type_of_the_feed_has_an_entity_and_no_other_has() -> None:
    assert {entity_of(each) for each in EVENT_TYPES} == set(EVENT_ENTITIES)
    assert {entity_of(each) for each in WEBHOOK_ONLY} == {""}
    assert len(KNOWN_TYPES) == 49
    assert entities_of(["TASK/CREATED", "CONTACT/ENDED", "EXPORT_JOB/FAILED"]) == ("CONTACT", "TASK")


@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_say_why(body: bytes) -> None:
    assert read_envelope(body)


@pytest.mark.parametrize(("depth", "why"), [(200, None), (300, "nested too deeply"), (1000, "nested too deeply")])
def test_what_could_not_be_passed_on_is_not_an_event(depth: int, why: str | None) -> None:
    """It can be read, but not written: in the inbox it would end each process that passes it on."""
    content = b'{"a":' * depth + b"1" + b"}" * depth
    found = read_envelope(b'{"id":"e","type":"TASK/CREATED","content":' + content + b"}")

    assert found == why if why is not None else isinstance(found, Envelope)
