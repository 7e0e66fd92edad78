"""The items of an invented conversation: every content type at least once.

Facts: schemas.md, section 4.3, and export-files.md, "conversation_items.jsonl": the twelve types
of the export, and TWITTER and VOICE_AI_MESSAGE, which it does not list. No source says that export
lines have `attachments`; the schema allows them, so one type has some.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ("NUMBER_TOKEN", "TIME_TOKEN", "Said", "Scene", "at", "contents")

# Addresses have one `@` and ids have none, so nothing else on a line can look like these.
NUMBER_TOKEN = "@NNNNNNN@"  # noqa: S105  # a place holder
"""Placeholder for the number of the conversation, in nine digits."""
TIME_TOKEN = "@TTTTTTTTTTTTTTTTT@"  # noqa: S105  # a place holder
"""Placeholder for its time to the second, without the offset."""

_COMPANY_NUMBER = "+16505550199"
_COMPANY_EMAIL = "help@example.org"
_OPTIONS = {"options": [{"id": "yes", "label": "Yes"}, {"id": "no", "label": "No"}]}


class Scene(NamedTuple):
    """Who talks about what: the two people, the customer's addresses, topic ids, a source of texts."""

    customer: dict[str, str]
    agent: dict[str, str]
    email: str
    phone: str
    topics: list[str]
    say: Callable[[], str]


Said = tuple[dict[str, str], dict[str, Any]]
"""The initiator of an item, and its content."""

_SIDEKICK = {"id": "SIDEKICK_V2", "type": "SYSTEM"}
_RULE = {"id": "example-rule", "type": "AUTOMATION"}
_API_USER = {"id": "example-api-user", "type": "API"}


def contents(scene: Scene) -> Iterator[Said]:
    """Yield the items of one conversation in their order."""
    yield from _written(scene)
    yield from _spoken(scene)
    yield from _social(scene)
    yield scene.agent, {"type": "CONVERSATION_NOTE", "body": scene.say()}
    yield scene.agent, {"type": "TOPIC_CHANGE", "addedTopicIds": scene.topics[:2], "removedTopicIds": scene.topics[2:3]}
    link = {"url": "https://example.org/surveys/1", "text": "Open"}
    survey = {"activityType": "SURVEY", "title": "Survey", "body": "<p>5 of 5</p>", "sourceName": "Example Surveys"}
    moments = {"occurredAt": at(0), "receivedAt": at(500)}
    yield _API_USER, {"type": "CUSTOMER_ACTIVITY", **survey, "link": link, "expandByDefault": False, **moments}
    yield _RULE, {"type": "CONVERSATION_STATUS_CHANGE", "status": "CLOSED"}


def _written(scene: Scene) -> Iterator[Said]:
    chat = {"type": "CHAT_MESSAGE", "sessionId": f"session-{NUMBER_TOKEN}"}
    answer = {"quickReplyRequest": _OPTIONS, "selectedOptionId": "yes", "requestMessageId": f"request-{NUMBER_TOKEN}"}
    yield scene.customer, {**chat, "messageType": "TEXT", "content": scene.say()}
    yield _SIDEKICK, {**chat, "messageType": "QUICK_REPLY_REQUEST", "content": "Is it done?", "messageData": _OPTIONS}
    yield scene.customer, {**chat, "messageType": "QUICK_REPLY_RESPONSE", "content": "Yes", "messageData": answer}
    mail = {"type": "EMAIL", "from": _COMPANY_EMAIL, "to": [scene.email], "content": scene.say()}
    copies = {"cc": ["cc@example.org"], "bcc": ["bcc@example.org", "archive@example.org"]}
    yield scene.agent, {**mail, **copies, "subject": "Your order"}
    # One connector treats the subject as optional, so it can be missing.
    yield scene.customer, {**mail, "from": scene.email, "to": [_COMPANY_EMAIL, "more@example.org"]}
    yield scene.customer, {"type": "SMS", "from": scene.phone, "to": _COMPANY_NUMBER, "content": scene.say()}


def _spoken(scene: Scene) -> Iterator[Said]:
    tape = {
        "recordingStatus": "AVAILABLE",
        "recordingUrl": f"/api/v1/conversation-items/example-{NUMBER_TOKEN}/media/recording",
        "recordingDuration": 1,
    }
    summary = {"status": "READY", "summary": scene.say(), "language": "en"}
    call = {"type": "PHONE_CALL", "from": _COMPANY_NUMBER, "to": scene.phone, "startedAt": at(100)}
    answered = {"answeredAt": at(300), "completedAt": at(900), "recordingSummary": summary}
    yield scene.agent, {**call, **answered, **tape}
    yield scene.agent, call
    yield (
        scene.customer,
        {"type": "VOICEMAIL", "startedAt": at(100), **tape, "recordingSummary": {"status": "PENDING"}},
    )
    voice = {"type": "VOICE_AI_MESSAGE", "companyNumber": _COMPANY_NUMBER, "customerNumber": scene.phone}
    yield _SIDEKICK, {**voice, "body": "How can I help?", "status": "PLAYED"}


def _social(scene: Scene) -> Iterator[Said]:
    picture = {"id": "example-picture", "contentType": "image/png", "filename": "box.png", "fileSize": 2048}
    yield scene.customer, {"type": "FACEBOOK_MESSAGE", "pageId": "100", "userId": "200", "content": scene.say()}
    yield scene.customer, {"type": "INSTAGRAM_DIRECT", "content": scene.say()}
    yield scene.customer, {"type": "WHATSAPP", "content": scene.say(), "attachments": [picture]}
    yield scene.customer, {"type": "TWITTER", "content": scene.say()}


def at(millisecond: int) -> str:
    """Return a time within the second that replaces `TIME_TOKEN`."""
    return f"{TIME_TOKEN}.{millisecond:03}Z"
