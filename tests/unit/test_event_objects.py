"""Which object is requested for an event."""

import pytest

from bulkgladly.gladly.event_envelopes import KNOWN_TYPES, WEBHOOK_ONLY
from bulkgladly.gladly.event_objects import customer_of_event, object_of_event
from bulkgladly.gladly.objects.events import EVENT_TYPES


@pytest.mark.parametrize("event_type", sorted(KNOWN_TYPES))
def test_every_type_has_an_object(event_type: str) -> None:
    """The fields that its path needs are among those that Gladly declares for the content."""
    fields = EVENT_TYPES.get(event_type) or WEBHOOK_ONLY[event_type]

    found = object_of_event(event_type, {name: f"id of {name}" for name in fields})

    assert found is not None
    assert found.request.method == "GET"
    assert "{" not in found.request.path
    assert " " not in found.request.path


@pytest.mark.parametrize(
    ("event_type", "content", "path"),
    [
        ("CONTACT/MESSAGE_RECEIVED", {"messageId": "m/1"}, "/api/v1/conversation-items/m%2F1"),
        ("CONTACT/OFFERED", {"conversationId": "c1", "agentId": "a1"}, "/api/v1/conversations/c1"),
        ("CONVERSATION/NOTE_CREATED", {"conversationId": "c1", "noteId": "n1"}, "/api/v1/conversations/c1/notes/n1"),
        ("TASK/COMMENT_ADDED", {"taskId": "t1", "commentId": "k1"}, "/api/v1/tasks/t1/comments/k1"),
        ("CUSTOMER/MERGED", {"destinationCustomerId": "d", "sourceCustomerId": "s"}, "/api/v1/customer-profiles/d"),
        ("TASK/SOMETHING_NEW", {"taskId": "t1"}, "/api/v1/tasks/t1"),
        ("TASK/CREATED", {"taskId": 7}, None),
        ("CONTACT/MESSAGE_SENT", {"conversationId": "c1"}, None),
        ("UNHEARD/OF", {"taskId": "t1"}, None),
        ("PING", {}, None),
    ],
)
def test_the_request_of_an_event(event_type: str, content: dict[str, object], path: str | None) -> None:
    """An unknown kind of a known object is served; an id that is missing is not guessed."""
    found = object_of_event(event_type, content)

    assert (found and found.request.path) == path


def test_the_customer_of_an_event() -> None:
    """After a merge the one who remains."""
    merged = customer_of_event({"destinationCustomerId": "d", "sourceCustomerId": "s"})
    ordinary = customer_of_event({"customerId": "c", "taskId": "t"})

    assert [one and one.request.path for one in (merged, ordinary, customer_of_event({"agentId": "a"}))] == [
        "/api/v1/customer-profiles/d",
        "/api/v1/customer-profiles/c",
        None,
    ]
